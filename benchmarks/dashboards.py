"""G14: the figures of one body, summed from the ledger, beside a scan of the log for one of them.

What a dashboard would have to do without a read model is read every event; the scan here does the
least of that: it decodes each and counts by month what was concluded at the body. How long it takes
grows with the log, so it is held to the first `SCANNED` events, however many there are.
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
from projections.statistics.periods import DAY

SCANNED = 10_000
"""Events that the reference reads, in a run of any size: what the floor is tied to."""

WEEKS = 62
"""Over how many weeks the copied cases are spread: the month before, and that of a year ago."""

_SEED = 20261129
_SCANS = 3
_AT_ONCE = 5_000
_CONCLUDED = "F04"


def measured(bench: Bench, backend: str) -> Iterator[Row]:
    """Measure the dashboard part of G14."""
    found = lived(bench)
    lives = [*found.closed, *found.left]
    a_life = sum(len(command) for _, life in lives for _, command in life) / len(lives)
    cases = len(lives) + int(max(bench.sizes.log_events, SCANNED) / a_life)
    with ExitStack() as keeping:
        url = keeping.enter_context(bench.database(backend))
        folder = Path(keeping.enter_context(TemporaryDirectory(dir=bench.folder)))
        engine = open_engine(f"sqlite:///{folder / 'read.db'}" if backend == "sqlite" else url)
        keeping.callback(engine.dispose)
        log = a_log(url, keeping)
        fill(url, list(copies(lives, cases, weeks=WEEKS)))
        ledger = Ledger()
        create(engine, [ledger])
        bench.tell(f"{backend} G14: folding {log.head().position:,} events into the ledger")
        Follower(ledger, log, engine).catch_up()
        rules = ladder.load_ref(ladder.published()[-1])
        today = date.fromisoformat(bench.today)

        def dashboard(body_id: str) -> Figures | None:
            with reading(engine) as connection:
                answer = figures(
                    connection,
                    ledger,
                    Bodies(("/",), body_id=body_id),
                    period=month_before(today),
                    today=today,
                    levels=tuple(it.code for it in rules.levels),
                    at_source=[it.code for it in rules.levels if it.at_source],
                )
            return answer if is_compared(answer) else None

        chance, bodies = Random(_SEED), [it for it in sorted(found.scopes) if dashboard(it)]
        if not bodies:
            raise LookupError("no body has concluded cases in all three months")
        times = bench.interleaved(
            {
                "ledger": lambda _round: _median(
                    lambda: dashboard(chance.choice(bodies)), bench.sizes.queries // 10
                ),
                "log": lambda _round: _median(
                    lambda: concluded(log, chance.choice(bodies)), _SCANS
                ),
            },
            told=f"{backend} G14, the dashboard of one body, {cases:,} cases",
        )
    size = (
        f"{cases:,} cases of {WEEKS} weeks, {len(bodies)} bodies that concluded cases in all three "
        f"months; scanned: {SCANNED:,} events"
    )
    yield row(goals.DASHBOARD, backend, times["ledger"], times["log"], size=size)


def month_before(today: date) -> Period:
    """Give the last whole month."""
    last = today.replace(day=1) - DAY
    return Period(last.replace(day=1), last)


def is_compared(found: Figures) -> bool:
    """Say whether cases were concluded in the month and in both that it is compared with."""
    rate = next(it for it in found.figures if it.formula == _CONCLUDED)
    return all(it.numerator for it in (rate, rate.period_before, rate.year_before))


def concluded(log: Log, body_id: str) -> Counter[str]:
    """Count by month what was concluded at a body, from the first event to the last scanned."""
    found: Counter[str] = Counter()
    position = 0
    while position < SCANNED and (batch := log.read(position, _AT_ONCE)):
        position = batch[-1].position
        for recorded in batch:
            event = kernel.decode(recorded.topic, recorded.state)
            if isinstance(event, MediationConcluded) and event.at_body_id == body_id:
                found[f"{event.concluded_on:%Y-%m}"] += 1
    return found


def _median(ask: Callable[[], object], times: int) -> float:
    """Ask so often, and give the median in milliseconds.

    Raises:
        LookupError: there was no answer, so that nothing was measured.
    """
    taken = []
    for _ in range(max(times, 1)):
        began = time.perf_counter()
        answer = ask()
        taken.append((time.perf_counter() - began) * 1000)
        if not answer:
            raise LookupError("nothing was found")
    return median(taken)
