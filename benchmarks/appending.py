"""G6 and G7: the ordered append in process, beside inserts without order and under a table lock.

The engine's side is its recorder as the door uses it: every command expects its stream's version
and leaves a receipt.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from uuid import UUID

import psycopg
from eventsourcing.persistence import StoredEvent

from benchmarks import goals
from benchmarks.bench import Bench, fsync_ms, libpq
from benchmarks.history import a_log
from benchmarks.peers import appends
from benchmarks.peers.appends import Append
from benchmarks.report import Row, row
from mediation.store import Log, Receipt

WRITERS = 32
STATE = b'{"padding":"' + b"x" * 235 + b'"}'
TOPIC = "case.made-up/1"
_PER_STREAM = 10


def rate(appends_of: list[Append], seconds: float) -> float:
    """Let each writer append to streams of its own, and give how many events a second came in.

    Raises:
        RuntimeError: a writer stopped on an error.
    """
    stop, done, errors = Event(), [0] * len(appends_of), list[Exception]()

    def write(number: int, append: Append) -> None:
        try:
            while not stop.is_set():
                stream = UUID(bytes=os.urandom(16), version=4)
                for version in range(1, _PER_STREAM + 1):
                    append(stream, version, TOPIC, STATE)
                    done[number] += 1
        except Exception as error:  # noqa: BLE001 - told by the thread that waits
            errors.append(error)

    threads = [Thread(target=write, args=it, daemon=True) for it in enumerate(appends_of)]
    for thread in threads:
        thread.start()
    time.sleep(seconds / 10)
    before, began = sum(done), time.perf_counter()
    time.sleep(seconds)
    written, taken = sum(done) - before, time.perf_counter() - began
    stop.set()
    for thread in threads:
        thread.join()
    if errors:
        raise RuntimeError("a writer stopped") from errors[0]
    return written / taken


def ordered(log: Log) -> Append:
    """Append as the door does: one command, its stream expected, a receipt beside it."""

    def append(stream: UUID, version: int, topic: str, state: bytes) -> None:
        receipt = Receipt(
            command_id=UUID(bytes=os.urandom(16), version=4),
            body_mac=bytes(32),
            command_type="made-up",
            result=b'{"kind":"case"}',
        )
        log.log_recorder.insert_events(
            [StoredEvent(stream, version, topic, state)],
            expects={stream: version - 1},
            receipt=receipt,
        )

    return append


def on_postgresql(bench: Bench, backend: str) -> Iterator[Row]:
    """Measure G6."""
    seconds = bench.sizes.seconds
    with ExitStack() as closing:
        log = a_log(closing.enter_context(bench.database(backend)), closing)
        url = libpq(closing.enter_context(bench.database(backend)))
        connections = [
            closing.enter_context(psycopg.connect(url, autocommit=True)) for _ in range(WRITERS)
        ]
        connections[0].execute(appends.TABLE)

        def measured(writers: list[Append]) -> Callable[[int], float]:
            return lambda _round: rate(writers, seconds)

        found = bench.interleaved(
            {
                "engine": measured([ordered(log)] * WRITERS),
                "unlocked": measured([appends.unlocked(it) for it in connections]),
                "locked": measured([appends.locked(it) for it in connections]),
            },
            told=f"{backend} G6, {WRITERS} writers",
        )
    size = f"{WRITERS} threads of one process, {len(STATE)} B an event, {seconds:g} s a round"
    yield row(goals.APPEND_UNLOCKED, backend, found["engine"], found["unlocked"], size=size)
    yield row(goals.APPEND_LOCKED, backend, found["engine"], found["locked"], size=size)


def on_sqlite(bench: Bench, backend: str) -> Iterator[Row]:
    """Measure G7."""
    seconds = bench.sizes.seconds
    with ExitStack() as closing:
        log = a_log(closing.enter_context(bench.database(backend)), closing)
        folder = Path(closing.enter_context(TemporaryDirectory(dir=bench.folder)))
        numbers = count()

        def plain(_round: int) -> float:
            return rate([_on_its_thread(folder / f"plain-{next(numbers)}.db")], seconds)

        found = bench.interleaved(
            {"engine": lambda _round: rate([ordered(log)] * WRITERS, seconds), "plain": plain},
            told=f"{backend} G7, {WRITERS} callers",
        )
        fsync = fsync_ms(folder)
    size = (
        f"{WRITERS} threads, {len(STATE)} B an event, {seconds:g} s a round, fsync {fsync:.2f} ms"
    )
    yield row(goals.APPEND_SQLITE, backend, found["engine"], found["plain"], size=size)


def _on_its_thread(file: Path) -> Append:
    """Open the connection where it is used: SQLite's belongs to its thread."""
    made: list[Append] = []

    def append(stream: UUID, version: int, topic: str, state: bytes) -> None:
        if not made:
            made.append(appends.on_sqlite(file))
        made[0](stream, version, topic, state)

    return append
