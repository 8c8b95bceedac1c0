"""G14: the figures of one body, summed from the ledger, beside a scan of the log for one of them.

What a dashboard would have to do without a read model is read every event; the scan here does the
least of that: it decodes each and counts by month what was concluded at the body.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks import goals
from benchmarks.bench import Bench
from benchmarks.history import a_log, copies, fill, lived
from benchmarks.report import Row, row
from mediation import kernel, ladder
from mediation.case.conclusion import MediationConcluded
from mediation.store import Log, open_engine
from projections.base import create, reading
from projections.runner import Follower
from projections.statistics import Bodies, Figures, Ledger, Period, figures

_SEED = 20261129
_SCANS = 3
_AT_ONCE = 5_000


def measured(bench: Bench, backend: str) -> Iterator[Row]:
    """Measure the dashboard part of G14."""
    found = lived(bench)
    lives = [*found.closed, *found.left]
    a_life = sum(len(command) for _, life in lives for _, command in life) / len(lives)
    cases = int(bench.sizes.log_events / a_life)
    with ExitStack() as keeping:
        url = keeping.enter_context(bench.database(backend))
        folder = Path(keeping.enter_context(TemporaryDirectory(dir=bench.folder)))
        engine = open_engine(f"sqlite:///{folder / 'read.db'}" if backend == "sqlite" else url)
        keeping.callback(engine.dispose)
        log = a_log(url, keeping)
        fill(url, list(copies(lives, cases)))
        ledger = Ledger()
        create(engine, [ledger])
        bench.tell(f"{backend} G14: folding {log.head().position:,} events into the ledger")
        Follower(ledger, log, engine).catch_up()
        rules = ladder.load_ref(ladder.published()[-1])
        today = date.fromisoformat(bench.today)
        chance, bodies = Random(_SEED), sorted(found.scopes)

        def dashboard() -> Figures:
            with reading(engine) as connection:
                return figures(
                    connection,
                    ledger,
                    Bodies(("/",), body_id=chance.choice(bodies)),
                    period=Period(today.replace(day=1), today),
                    today=today,
                    levels=tuple(it.code for it in rules.levels),
                    at_source=[it.code for it in rules.levels if it.at_source],
                )

        times = bench.interleaved(
            {
                "ledger": lambda _round: _median(dashboard, bench.sizes.queries // 10),
                "log": lambda _round: _median(
                    lambda: concluded(log, chance.choice(bodies)), _SCANS
                ),
            },
            told=f"{backend} G14, the dashboard of one body, {cases:,} cases",
        )
    yield row(goals.DASHBOARD, backend, times["ledger"], times["log"], size=f"{cases:,} cases")


def concluded(log: Log, body_id: str) -> Counter[str]:
    """Count by month what was concluded at a body, from the first event to the last."""
    found: Counter[str] = Counter()
    position = 0
    while batch := log.read(position, _AT_ONCE):
        position = batch[-1].position
        for recorded in batch:
            event = kernel.decode(recorded.topic, recorded.state)
            if isinstance(event, MediationConcluded) and event.at_body_id == body_id:
                found[f"{event.concluded_on:%Y-%m}"] += 1
    return found


def _median(ask: Callable[[], object], times: int) -> float:
    """Ask so often, and give the median in milliseconds."""
    taken = []
    for _ in range(max(times, 1)):
        began = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - began) * 1000)
    return median(taken)
