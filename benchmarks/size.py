"""G15: how many bytes of the database a case takes, beside the library used naively."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg

from benchmarks import goals
from benchmarks.bench import Bench, libpq
from benchmarks.catching_up import live
from benchmarks.history import a_log, copies, fill, lived, without_sealed
from benchmarks.peers import naive
from benchmarks.report import Row, row

_LIBRARY_LIVES = 10
_CASES = 2_000


def measured(bench: Bench, backend: str) -> Iterator[Row]:
    """Measure G15."""
    with ExitStack() as keeping:
        url, other = (keeping.enter_context(bench.database(backend)) for _ in range(2))
        bench.tell(f"{backend} G15: {_CASES} cases in the log, and as many with the library")
        a_log(url, keeping)
        fill(url, without_sealed(list(copies(lived(bench).closed, _CASES))))
        with naive.Cases(naive.environment_of(libpq(other))) as cases:
            for _ in range(_LIBRARY_LIVES):
                live(cases, bench.today)
        naive.multiplied(libpq(other), _CASES // _LIBRARY_LIVES - 1)
        ours = _bytes(url, "event", "receipt", "log_head") / _CASES
        theirs = _bytes(other, "cases_events") / _CASES
    size = f"{_CASES:,} cases of 13 commands each; sizes do not change from round to round"
    yield row(goals.BYTES, backend, [ours], [theirs], size=size)


def _bytes(url: str, *tables: str) -> int:
    with psycopg.connect(libpq(url), autocommit=True) as server:
        total = 0
        for table in tables:
            server.execute(f"VACUUM {table}")
            found = server.execute("SELECT pg_total_relation_size(%s)", (table,)).fetchone()
            total += int(found[0]) if found else 0
        return total
