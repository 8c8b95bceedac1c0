"""A reader that follows the log while many write and some dawdle: each position once, in order."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, insert, select, update

from mediation.store import Log, open_engine
from mediation.store.engine import writing
from mediation.store.tables import EVENT, LOG_HEAD
from tests.crash.crew import a_crew
from tests.crash.twins import LocklessLog, run
from tests.wiring import wired

pytestmark = pytest.mark.long

SEED = 20260304
WRITERS = 4
THREADS = 2
EVENTS = 1_200
HOLDS = 8
HELD = 0.25
TWIN_EVENTS = 300
AT_MOST = 120.0


class Dawdler:
    """Holds transactions open across other people's commits, until told to stop.

    By turns: the head's lock, then nothing; an event that is inserted, then rolled back; an event
    that is inserted, then committed.

    Attributes:
        holds: how many transactions were held.
    """

    def __init__(self, engine: Engine) -> None:
        self.holds = 0
        self._engine = engine
        self._stop = Event()
        self._thread = Thread(target=self._dawdle)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _dawdle(self) -> None:
        ways: tuple[tuple[Callable[[Connection], object], bool], ...] = (
            (_take_the_lock, False),
            (_insert_one, False),
            (_insert_one, True),
        )
        while not self._stop.wait(HELD / 2):
            begin, keep = ways[self.holds % len(ways)]
            with writing(self._engine) as connection, connection.begin_nested() as inner:
                begin(connection)
                time.sleep(HELD)
                if not keep:
                    inner.rollback()
            self.holds += 1


def _take_the_lock(connection: Connection) -> int:
    head = select(LOG_HEAD.c.position).with_for_update()
    return int(connection.execute(head).scalar_one())


def _insert_one(connection: Connection) -> None:
    position = _take_the_lock(connection) + 1
    recorded_at = connection.execute(select(LOG_HEAD.c.recorded_at)).scalar_one()
    row = {
        "position": position,
        "recorded_at": recorded_at,
        "command_end": position,
        "originator_id": uuid4(),
        "originator_version": 1,
        "topic": "case.made-up/1",
        "state": b"{}",
    }
    connection.execute(insert(EVENT), row)
    connection.execute(update(LOG_HEAD).values(position=position))


def follow(log: Log, wait: float, until: Callable[[int], bool]) -> list[int]:
    """Read on from the last position seen until told to stop; give every position, as it came."""
    seen: list[int] = []
    while not until(len(seen)):
        batch = log.read(seen[-1] if seen else 0, 200)
        if batch:
            seen += [event.position for event in batch]
        else:
            log.wait_beyond(seen[-1] if seen else 0, wait)
    return seen


def require_all(seen: list[int], engine: Engine) -> None:
    """Fail unless the reader saw what stands in the log up to where it came, once and in order.

    Raises:
        AssertionError: it did not.
    """
    with engine.connect() as connection:
        query = select(EVENT.c.position).where(EVENT.c.position <= max(seen))
        stored = list(connection.scalars(query.order_by(EVENT.c.position)))
    missed = sorted(set(stored) - set(seen))
    assert not missed, f"{len(missed)} of {len(stored)} never seen: {missed[:10]}"
    assert seen == stored


def test_a_tailing_reader_sees_every_position_once_and_in_order(database, tmp_path):
    """Four writers, and transactions held for a quarter of a second: nothing missed or repeated."""
    engine = open_engine(database)
    with (
        a_crew(database, tmp_path, seed=SEED, writers=WRITERS, threads=THREADS) as crew,
        wired(database) as reading,
    ):
        started = time.monotonic()
        with Dawdler(engine) as dawdler:

            def is_over(count: int) -> bool:
                crew.require_alive()
                return (count >= EVENTS and dawdler.holds >= HOLDS) or _is_late(started)

            seen = follow(reading.log, 1.0, is_over)
        crew.stop()
        seconds = time.monotonic() - started
        rest = reading.log.head().position
        while seen[-1] < rest:
            seen += [event.position for event in reading.log.read(seen[-1], 200)]
    require_all(seen, engine)
    engine.dispose()
    print(  # noqa: T201 - the figures that are quoted
        f"\n{database.partition(':')[0]}: {len(seen)} events of {WRITERS} writers read while "
        f"they were written, {dawdler.holds} transactions held {HELD} s, in {seconds:.0f} s"
    )

    assert seen == list(range(1, rest + 1))
    assert len(seen) >= EVENTS
    assert dawdler.holds >= HOLDS


class SequenceLog(LocklessLog):
    """A broken twin: positions come from a counter that everybody may ask at any time."""

    def place(self, connection: Any, wanted: int) -> int:
        took = run(connection, "UPDATE counter SET n = n + ? RETURNING n", (wanted,))
        top = int(took.fetchone()[0])
        time.sleep(random.random() / 50)
        return top - wanted


def _make_counter(database: str) -> None:
    engine = open_engine(database)
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE counter AS SELECT position AS n FROM log_head")
    engine.dispose()


def test_a_reader_of_positions_from_a_sequence_misses_some(database, tmp_path: Path):
    """The same reader turns red where positions are taken outside the transaction."""
    engine = open_engine(database)
    with (
        a_crew(
            database,
            tmp_path,
            seed=SEED,
            writers=WRITERS,
            threads=THREADS,
            log_type=SequenceLog,
            before=_make_counter,
        ) as crew,
        wired(database) as reading,
    ):
        started = time.monotonic()
        seen = follow(reading.log, 0.001, lambda count: count >= TWIN_EVENTS or _is_late(started))
        crew.stop()
    with pytest.raises(AssertionError, match="never seen"):
        require_all(seen, engine)
    engine.dispose()


def _is_late(started: float) -> bool:
    return time.monotonic() - started > AT_MOST
