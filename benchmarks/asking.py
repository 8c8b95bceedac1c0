"""G14: what a screen asks, of read models that hold very many cases.

The rows are copies of those that the real read models drew from real lives, under new ids; they are
asked by the very functions that the API asks them by.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import date
from pathlib import Path
from random import Random
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import NamedTuple
from uuid import UUID

import psycopg
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, Table

from benchmarks import goals
from benchmarks.bench import Bench, libpq
from benchmarks.history import a_log, copies, fill, lived
from benchmarks.report import Row, row
from mediation.store import open_engine
from projections.base import create, reading
from projections.case_file import CaseFile
from projections.lanes import OPEN
from projections.runner import Follower
from projections.worklist import Worklist

OPEN_SHARE = 0.1
PAGE = 50
_SEED = 20261128


class Times(NamedTuple):
    """Median and 99th percentile of some questions, in milliseconds."""

    p50: float
    p99: float


def measured(bench: Bench, backend: str) -> Iterator[Row]:
    """Measure G14."""
    found, cases = lived(bench), bench.sizes.cases
    with ExitStack() as keeping:
        url = keeping.enter_context(bench.database(backend))
        folder = Path(keeping.enter_context(TemporaryDirectory(dir=bench.folder)))
        read_url = f"sqlite:///{folder / 'read.db'}" if backend == "sqlite" else url
        engine = open_engine(read_url)
        keeping.callback(engine.dispose)
        case_file, worklist = CaseFile(), Worklist()
        log = a_log(url, keeping)
        fill(url, list(copies([*found.closed, *found.left], len(found.closed) + len(found.left))))
        create(engine, (case_file, worklist))
        for model in (case_file, worklist):
            Follower(model, log, engine).catch_up()
        bench.tell(f"{backend} G14: copying rows until there are {cases:,} cases")
        _multiply(read_url, engine, case_file, worklist, cases)
        chance, today = Random(_SEED), date.fromisoformat(bench.today)
        bodies = _bodies(engine, worklist)
        known = _ids(engine, case_file)

        def lane(connection: Connection) -> object:
            body_id = chance.choice(bodies)
            scope = found.scopes[body_id]
            return worklist.lane(
                connection, scope, None, today=today, body_id=body_id, limit=PAGE
            ).items

        def one(connection: Connection) -> object:
            body_id, case_id = chance.choice(known)
            return case_file.one(connection, found.scopes[body_id], case_id)

        def asked(question: Callable[[Connection], object]) -> Callable[[int], Times]:
            return lambda _round: _timed(engine, question, bench.sizes.queries)

        times = bench.interleaved(
            {"lane": asked(lane), "one": asked(one)}, told=f"{backend} G14, {cases:,} cases"
        )
    size = f"{cases:,} cases, {OPEN_SHARE:.0%} open, {len(bodies)} bodies"
    lanes, ones = times["lane"], times["one"]
    yield row(goals.QUEUE, backend, [it.p50 for it in lanes], [it.p50 for it in ones], size=size)
    ten = [10.0] * len(lanes)
    yield row(goals.QUEUE_TAIL, backend, [it.p99 for it in lanes], ten, size=size)


def _timed(engine: Engine, question: Callable[[Connection], object], times: int) -> Times:
    """Ask so often, each time as the API does.

    Raises:
        LookupError: there was no answer, so that nothing was measured.
    """
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        with reading(engine) as connection:
            answer = question(connection)
        taken.append((time.perf_counter() - began) * 1000)
        if not answer:
            raise LookupError("nothing was found")
    cuts = quantiles(taken, n=100)
    return Times(cuts[49], cuts[98])


def _bodies(engine: Engine, worklist: Worklist) -> list[str]:
    """Give the bodies that have open cases."""
    columns = worklist.item.c
    query = sa.select(columns.body_id).where(columns.lane == OPEN, worklist.lies(None)).distinct()
    with engine.connect() as connection:
        return sorted(connection.scalars(query))


def _ids(engine: Engine, case_file: CaseFile) -> list[tuple[str, UUID]]:
    columns = case_file.case.c
    query = sa.select(columns.custody_body_id, columns.case_id).limit(5_000)
    with engine.connect() as connection:
        return [(row.custody_body_id, row.case_id) for row in connection.execute(query)]


def _multiply(
    url: str, engine: Engine, case_file: CaseFile, worklist: Worklist, cases: int
) -> None:
    """Copy the rows of every case: as often as it takes, open and closed ones in their shares."""
    columns = case_file.case.c
    with engine.connect() as connection:
        closed = set(
            connection.scalars(sa.select(columns.case_id).where(columns.phase == "CLOSED"))
        )
        left = set(connection.scalars(sa.select(columns.case_id))) - closed
    opens = int(cases * OPEN_SHARE)
    shares = ((closed, (cases - opens) // len(closed)), (left, opens // len(left)))
    tables = (case_file.case, worklist.case, worklist.item)
    copy = _copied_on_sqlite if url.startswith("sqlite") else _copied_on_postgresql
    copy(url, tables, shares)


Shares = tuple[tuple[set[UUID], int], ...]


def _columns(table: Table, new_id: str) -> tuple[str, str]:
    names = [column.name for column in table.columns]
    taken = [new_id if name == "case_id" else f't."{name}"' for name in names]
    return ", ".join(f'"{name}"' for name in names), ", ".join(taken)


def _copied_on_postgresql(url: str, tables: tuple[Table, ...], shares: Shares) -> None:
    with psycopg.connect(libpq(url), autocommit=True) as server:
        for table in tables:
            names, taken = _columns(table, "md5(t.case_id::text || n)::uuid")
            for ids, times in shares:
                server.execute(
                    f"INSERT INTO {table.name} ({names}) SELECT {taken} FROM {table.name} t,"  # noqa: S608 - from the table's definition
                    " generate_series(1, %s) n WHERE t.case_id = ANY(%s)",
                    (times - 1, list(ids)),
                )
            server.execute(f"VACUUM ANALYZE {table.name}")


def _copied_on_sqlite(url: str, tables: tuple[Table, ...], shares: Shares) -> None:
    """Give each copy the first 24 digits of its original's id, and its number as the last eight."""
    file = sa.engine.make_url(url).database or ""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for table in tables:
            names, taken = _columns(table, "substr(t.case_id, 1, 24) || printf('%08x', n.value)")
            connection.execute("BEGIN")
            for ids, times in shares:
                listed = ", ".join(f"'{it.hex}'" for it in ids)
                connection.execute(
                    "WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n"  # noqa: S608 - from the table's definition
                    f" WHERE value < ?) INSERT INTO {table.name} ({names}) SELECT {taken}"
                    f" FROM {table.name} t, n WHERE t.case_id IN ({listed})",
                    (times - 1,),
                )
            connection.execute("COMMIT")
        connection.execute("ANALYZE")
