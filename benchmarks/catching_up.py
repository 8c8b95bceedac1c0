"""G9 and G10: read models that begin at the first event and catch up with a whole log.

Beside them the same log is copied in bulk, and the event library's own runner follows the events of
the library used naively. Every round begins with empty tables.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

import psycopg
from eventsourcing.projection import ProjectionRunner
from sqlalchemy import Engine

from api.bootstrap import projections
from benchmarks import goals
from benchmarks.bench import Bench, libpq
from benchmarks.history import Copied, a_log, copies, copy_events, fill, insert_events, lived
from benchmarks.life import life
from benchmarks.peers import naive
from benchmarks.report import Row, row
from mediation.store import Log, open_engine
from mediation.store.engine import writing
from projections.base import Projection, create
from projections.runner import Follower, Turns

ONE = "worklist"
_LIBRARY_LIVES = 20
_LOOK_AGAIN = 0.02
_PATIENCE = 900


class Models:
    """Read models that catch up, each time as new copies in empty tables."""

    def __init__(self, log: Log, engine: Engine, events: int) -> None:
        self._log = log
        self._engine = engine
        self._events = events
        self._copies = 0

    def rate(self, names: Sequence[str]) -> float:
        """Let read models catch up side by side, as a serving process does; events a second.

        Raises:
            TimeoutError: one of them did not come to the end of the log.
        """
        self._copies += 1
        made: list[Projection] = [
            type(it)(f"copy{self._copies}_") for it in projections() if it.name in names
        ]
        create(self._engine, made)
        turns = Turns() if self._engine.dialect.name == "sqlite" else None
        followers = [Follower(it, self._log, self._engine, turns=turns) for it in made]
        stop = Event()
        threads = [Thread(target=it.run, args=(stop,), daemon=True) for it in followers]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        while any(it.position < self._events for it in followers):
            if time.perf_counter() - began > _PATIENCE:
                raise TimeoutError("a read model did not catch up")
            time.sleep(_LOOK_AGAIN)
        taken = time.perf_counter() - began
        stop.set()
        for thread in threads:
            thread.join()
        with writing(self._engine) as connection:
            for it in made:
                it.metadata.drop_all(connection)
        return self._events / taken


def measured(bench: Bench, backend: str) -> Iterator[Row]:
    """Measure G9, and on PostgreSQL G10: the library has no subscription on SQLite."""
    with ExitStack() as keeping:
        url = keeping.enter_context(bench.database(backend))
        log = a_log(url, keeping)
        commands = _commands(bench)
        fill(url, commands)
        events = [event for command in commands for event in command.events]
        folder = Path(keeping.enter_context(TemporaryDirectory(dir=bench.folder)))
        engine = open_engine(f"sqlite:///{folder / 'read.db'}" if backend == "sqlite" else url)
        keeping.callback(engine.dispose)
        models = Models(log, engine, len(events))
        every = [it.name for it in projections()]
        contenders = {
            "worklist": lambda _round: models.rate([ONE]),
            "all": lambda _round: models.rate(every),
            "bulk": lambda number: _bulk(url, folder / f"bulk-{number}.db", events),
        }
        if backend == "postgresql":
            runner = _Runner(bench, keeping.enter_context(bench.database(backend)))
            contenders["runner"] = lambda _round: runner.rate()
        found = bench.interleaved(contenders, told=f"{backend} G9, G10, {len(events)} events")
    size = f"{len(events):,} events, 500 cases abreast"
    yield row(goals.CATCH_UP_ONE, backend, found["worklist"], found["bulk"], size=size)
    together = f"{size}, {len(every)} read models"
    yield row(goals.CATCH_UP_ALL, backend, found["all"], found["bulk"], size=together)
    if "runner" in found:
        yield row(goals.CATCH_UP_RUNNER, backend, found["worklist"], found["runner"], size=size)


def _commands(bench: Bench) -> list[Copied]:
    """Copy the lives, closed and open, until the log is as long as it is to be."""
    found = lived(bench)
    cases = [*found.closed, *found.left]
    events = sum(len(command) for _, kept in cases for _, command in kept)
    return list(copies(cases, max(1, bench.sizes.log_events * len(cases) // events)))


def _bulk(url: str, file: Path, events: Sequence[tuple[Any, ...]]) -> float:
    """Copy the same rows into an empty table with both of the log's keys; events a second."""
    if not url.startswith("postgresql"):
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(
                "CREATE TABLE bulk (position INTEGER PRIMARY KEY, recorded_at INTEGER,"
                " command_end INTEGER, originator_id TEXT, originator_version INTEGER, topic TEXT,"
                " state BLOB, UNIQUE (originator_id, originator_version))"
            )
            began = time.perf_counter()
            with connection:
                insert_events(connection, "bulk", events)
            return len(events) / (time.perf_counter() - began)
    with psycopg.connect(libpq(url)) as server, server.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bulk")
        cursor.execute(
            "CREATE TABLE bulk (position bigint PRIMARY KEY, recorded_at bigint,"
            " command_end bigint, originator_id uuid, originator_version bigint, topic text,"
            " state bytea, UNIQUE (originator_id, originator_version))"
        )
        server.commit()
        began = time.perf_counter()
        copy_events(cursor, "bulk", events)
        server.commit()
        return len(events) / (time.perf_counter() - began)


class _Runner:
    """The library's runner over cases of the library's own."""

    def __init__(self, bench: Bench, url: str) -> None:
        self._url = libpq(url)
        self._wanted = bench.sizes.runner_events
        self._env = naive.environment_of(self._url)
        with naive.Cases(self._env) as cases:
            for _ in range(_LIBRARY_LIVES):
                live(cases, bench.today)
        naive.multiplied(self._url, 1 + self._wanted // (13 * _LIBRARY_LIVES))

    def rate(self) -> float:
        """Let it follow for some events from the first one on; events a second."""
        began = time.perf_counter()
        with ProjectionRunner(
            application_class=naive.Cases,
            projection_class=naive.Queue,
            view_class=naive.QueueTable,
            env=self._env,
        ) as runner:
            runner.wait(self._wanted, timeout=600)
            taken = time.perf_counter() - began
            done = runner.view.max_tracking_id("Cases") or 0
        with psycopg.connect(self._url, autocommit=True) as server:
            server.execute("DROP TABLE queue_tracking, queue_tracking_queue")
        return done / taken


def live(cases: naive.Cases, today: str) -> None:
    """Live one case with the library."""
    living = life("00000000-0000-5000-8000-0000000000ff", today)
    case_id = cases.register(next(living).body)
    for ask in living:
        cases.record(case_id, ask.command, ask.body)
