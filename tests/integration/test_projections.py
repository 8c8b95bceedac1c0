"""Read models are functions of the log: exactly once, however cut, whoever runs, wherever."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import date
from typing import TypeVar
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from structlog.testing import capture_logs

from api.bootstrap import projections
from mediation.authority import Scope
from mediation.case.consent import ConsentRecorded
from mediation.errors import PositionUnknown, ReadModelBehind, ReadModelParked, UnknownEvent
from mediation.kernel import decode
from mediation.network.accounts import Grant, Role
from mediation.store import Log, advance, migrate, open_engine, writing
from projections.base import PARKED, QUARANTINE, Projection, create, freshness, reading
from projections.case_file import CaseFile
from projections.runner import BATCHES, TRIES, Follower, Turns, is_outage
from projections.worklist import Worklist
from tests.conftest import DISTRICT, LOG_ID
from tests.databases import BACKENDS
from tests.projections.district import LONG_AGO
from tests.projections.histories import Office, append

P = TypeVar("P", bound=Projection)

TODAY = date(2026, 3, 9)
GRANT = Grant(role=Role.COORDINATOR, body_id="quzong", path="/quzong/", from_on=LONG_AGO)
EVERYTHING = Scope([GRANT], actor_id=UUID(int=1), on=TODAY)


@pytest.fixture(scope="module")
def lived() -> Office:
    """A few stories, then chance: two hundred commands in all."""
    return Office(seed=8).stories().live(200)


@pytest.fixture
def filled(log, lived) -> Log:
    """A log that holds them."""
    append(log, lived.written)
    return log


def made(engine: Engine, *projections: P) -> tuple[P, ...]:
    """Make the tables of read models."""
    create(engine, projections)
    return projections


def digest(engine: Engine, projection: Projection) -> str:
    """Digest a read model."""
    with reading(engine) as connection:
        return projection.digest(connection)


def rows(engine: Engine, table: sa.Table) -> list[sa.Row]:
    """Read a whole table."""
    with reading(engine) as connection:
        return list(connection.execute(sa.select(table).order_by(*table.primary_key)))


# Equality


def assert_cut_does_not_matter(engine: Engine, log: Log, model: type[Projection]) -> str:
    """Fold the log in pieces of several sizes, each into tables of its own, and compare."""
    digests = set()
    for batch in (1, 7, 5000):
        (projection,) = made(engine, model(prefix=f"by_{batch}_"))
        assert Follower(projection, log, engine, batch=batch).catch_up() == log.head().position
        digests.add(digest(engine, projection))
    assert len(digests) == 1
    return digests.pop()


@pytest.mark.parametrize("model", [type(it) for it in projections()])
def test_a_rebuild_equals_the_live_one_on_both_databases_however_it_is_cut(
    request, tmp_path, clock, lived, model
):
    """Folded one by one, by sevens or at once, on SQLite or PostgreSQL: the same digest."""
    digests = set()
    for backend in BACKENDS:
        with opened(request.getfixturevalue(f"{backend}_database"), clock) as (engine, log):
            append(log, lived.written)
            digests.add(assert_cut_does_not_matter(engine, log, model))
    assert len(digests) == 1


class KnowsItsBatch(Worklist):
    """A broken twin: a row tells where a batch was cut."""

    def fold(self, batch, load):
        """Stamp every row with the end of the batch."""
        folded = super().fold(batch, load)
        at = [column.name for column in self.item.columns].index("case_number")
        stamped = [
            (*row[:at], f"{batch[-1].position}", *row[at + 1 :]) for row in folded[self.item]
        ]
        return {**folded, self.item: stamped}


def test_a_row_that_knows_its_batch_is_found(filled, store):
    """The digest differs as soon as a cut shows in a row."""
    with pytest.raises(AssertionError):
        assert_cut_does_not_matter(store, filled, KnowsItsBatch)


@contextmanager
def opened(url: str, clock) -> Iterator[tuple[Engine, Log]]:
    """Open an empty log at a URL."""
    engine = open_engine(url)
    migrate(engine, district=DISTRICT, kind="test", log_id=LOG_ID, at=clock())
    with Log(engine, clock=clock) as log:
        yield engine, log
    engine.dispose()


def test_a_digest_sees_every_value(filled, store):
    """One changed figure, or a missing value in place of an empty one, is another digest."""
    (case_file,) = made(store, CaseFile())
    Follower(case_file, filled, store).catch_up()
    before = digest(store, case_file)
    with writing(store) as connection:
        one = rows(store, case_file.case)[0].case_id
        table = case_file.case
        for values in ({"claimed_fen": table.c.claimed_fen + 1}, {"branch": ""}):
            connection.execute(sa.update(table).where(table.c.case_id == one).values(values))
            assert case_file.digest(connection) != before
            before = case_file.digest(connection)


# Exactly once


class Crashes(Follower):
    """Stops once, after the rows were written and before the transaction ends."""

    crashed = False

    def _write(self, connection, batch):
        super()._write(connection, batch)
        if batch[-1].position > 100 and not self.crashed:
            self.crashed = True
            raise KeyboardInterrupt


class CommitsTwice(Crashes):
    """A broken twin: the tracking row is moved in a transaction of its own, after the rows."""

    def _apply(self, position, batch):
        with writing(self._engine) as connection:
            Follower._write(self, connection, batch)
        if batch[-1].position > 100 and not self.crashed:
            self.crashed = True
            raise KeyboardInterrupt
        with writing(self._engine) as connection:
            advance(connection, self.projection.follower, position, batch[-1].position)


def assert_rows_and_tracking_move_together(log: Log, engine: Engine, follower: type[Follower]):
    """Crash once in the middle, look, go on, and compare with a run that never crashed."""
    crashing, sound = made(engine, Worklist(prefix="crashing_"), Worklist(prefix="sound_"))
    runner = follower(crashing, log, engine, batch=40)
    with pytest.raises(KeyboardInterrupt):
        runner.catch_up()
    steady = Follower(sound, log, engine, batch=40)
    while steady.position < runner.position:
        steady.step()
    assert digest(engine, crashing) == digest(engine, sound)
    runner.catch_up()
    steady.catch_up()
    assert digest(engine, crashing) == digest(engine, sound)


def test_a_crash_between_rows_and_tracking_leaves_neither(filled, store):
    """Rows and tracking move together or not at all, and going on gives what it should."""
    assert_rows_and_tracking_move_together(filled, store, Crashes)


def test_separate_commits_are_found(filled, store):
    """The proof goes red when rows are committed before the tracking row."""
    with pytest.raises(AssertionError):
        assert_rows_and_tracking_move_together(filled, store, CommitsTwice)


def test_two_followers_of_one_read_model_write_each_event_once(filled, store):
    """Whoever comes second finds the read model moved, and goes on from there."""
    raced, alone = made(store, Worklist(prefix="raced_"), Worklist(prefix="alone_"))
    start = threading.Barrier(3)
    failures: list[Exception] = []

    def race() -> None:
        start.wait()
        try:
            Follower(raced, filled, store, batch=3).catch_up()
        except Exception as error:  # noqa: BLE001 - told to the test, which fails on any
            failures.append(error)

    threads = [threading.Thread(target=race) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    Follower(alone, filled, store).catch_up()

    assert failures == []
    assert digest(store, raced) == digest(store, alone)


def test_the_second_of_two_writes_nothing(filled, store):
    """A batch read before somebody else moved on is dropped whole."""
    (worklist,) = made(store, Worklist())
    slow, quick = (Follower(worklist, filled, store, batch=50) for _ in range(2))
    stale = filled.read(0, 50)
    quick.step()
    before = digest(store, worklist)
    with pytest.raises(Exception, match="moved by somebody else"):
        slow._apply(0, stale)

    assert digest(store, worklist) == before


# Poison


class Chokes(Worklist):
    """Cannot fold the answers of one case, until it is mended."""

    def __init__(self, case_id: UUID, prefix: str = "") -> None:
        super().__init__(prefix)
        self.case_id = case_id
        self.mended = False
        self.tried = 0

    def fold(self, batch, load):
        """Fail on the poison."""
        for it in batch:
            if it.originator_id == self.case_id and not self.mended:
                event = decode(it.topic, it.state)
                if isinstance(event, ConsentRecorded):
                    self.tried += 1
                    raise ZeroDivisionError("name and number of a person")
        return super().fold(batch, load)


@pytest.fixture
def poisoned(filled, store, lived) -> tuple[Chokes, Follower]:
    """A read model that has come to the end of the log without one case."""
    case_id = next(iter(lived.cases))
    (projection,) = made(store, Chokes(case_id))
    follower = Follower(projection, filled, store, batch=60)
    assert follower.catch_up() == filled.head().position
    return projection, follower


def test_a_poison_event_parks_its_stream_and_nothing_else(filled, store, poisoned):
    """The event is quarantined by place and class alone; its stream waits; the rest goes on."""
    projection, _follower = poisoned
    stream = filled.events_of(projection.case_id)
    poison = next(it for it in stream if it.topic == "case.consent-recorded/1")
    later = [it.position for it in stream if it.position >= poison.position]

    assert [tuple(it) for it in rows(store, QUARANTINE)] == [
        (projection.follower, poison.position, projection.case_id, "ZeroDivisionError")
    ]
    assert [(it.position, it.stale_since) for it in rows(store, PARKED)] == [
        (position, later[0]) for position in later
    ]
    assert projection.tried > TRIES
    with reading(store) as connection:
        assert freshness(connection, projection).parked == 1
        assert projection.lane(connection, EVERYTHING, None, today=TODAY).parked == 1
        assert projection.counts(connection, EVERYTHING, today=TODAY).parked == 1


def test_replay_drains_what_was_parked_into_the_same_rows(filled, store, poisoned):
    """Mended and replayed, the read model is as if nothing had ever happened."""
    projection, follower = poisoned
    (sound,) = made(store, Worklist(prefix="sound_"))
    Follower(sound, filled, store).catch_up()
    assert digest(store, projection) != digest(store, sound)
    assert follower.replay() == 0

    projection.mended = True

    assert follower.replay() == 1
    assert rows(store, PARKED) == rows(store, QUARANTINE) == []
    assert digest(store, projection) == digest(store, sound)


class Forgets(Follower):
    """A broken twin: later events of a parked stream are dropped instead of parked."""

    def _park(self, connection, events, since):
        if len(events) == 1 and events[0].position == since[events[0].originator_id]:
            super()._park(connection, events, since)


def test_dropping_later_events_of_a_parked_stream_is_found(filled, store, lived):
    """The replay proof goes red when something is skipped."""
    (broken,) = made(store, Chokes(next(iter(lived.cases)), prefix="broken_"))
    (sound,) = made(store, Worklist(prefix="sound_"))
    follower = Forgets(broken, filled, store, batch=60)
    follower.catch_up()
    Follower(sound, filled, store).catch_up()
    broken.mended = True
    with suppress(LookupError):
        follower.replay()

    assert digest(store, broken) != digest(store, sound)


def test_a_parked_case_is_not_read_alone(filled, store, lived):
    """A stale row is not passed off as the case; the answer says that it is set aside."""
    case_id = next(iter(lived.cases))

    class Choking(CaseFile):
        def fold(self, batch, load):
            if any(it.originator_id == case_id and it.originator_version > 1 for it in batch):
                raise ZeroDivisionError
            return super().fold(batch, load)

    (case_file,) = made(store, Choking())
    Follower(case_file, filled, store).catch_up()
    with reading(store) as connection:
        with pytest.raises(ReadModelParked):
            case_file.one(connection, EVERYTHING, case_id)
        page = case_file.page(connection, EVERYTHING, limit=500)
    assert page.parked == 1
    assert len(page.items) == len(lived.cases)


def test_a_transient_fault_parks_nothing(filled, store):
    """An event that folds at the second try was no poison."""

    class Stumbles(Worklist):
        left = 2

        def fold(self, batch, load):
            if self.left:
                self.left -= 1
                raise ZeroDivisionError
            return super().fold(batch, load)

    stumbling, sound = made(store, Stumbles(), Worklist(prefix="sound_"))
    Follower(stumbling, filled, store).catch_up()
    Follower(sound, filled, store).catch_up()

    assert rows(store, PARKED) == []
    assert digest(store, stumbling) == digest(store, sound)


class Counts(Follower):
    """Counts the transactions it tries."""

    tried = 0

    def _apply(self, position, batch):
        self.tried += 1
        super()._apply(position, batch)


def test_a_poison_event_costs_few_transactions(filled, store, lived):
    """What was refused as a whole is halved: the sound events are not folded one by one."""
    (projection,) = made(store, Chokes(next(iter(lived.cases))))
    follower = Counts(projection, filled, store)
    batch = filled.read(0, BATCHES[store.dialect.name])
    poisons = sum(it.topic == "case.consent-recorded/1" for it in batch)
    commands = len({it.command_end for it in batch})

    assert follower.step() == len(batch) == filled.head().position
    assert len(rows(store, QUARANTINE)) == 1
    assert poisons > 1
    assert follower.tried <= 1 + 2 * commands.bit_length() + TRIES < commands / 3


def test_a_database_that_does_not_answer_is_told_once_and_waited_out(
    filled, store, monkeypatch: pytest.MonkeyPatch
):
    """An outage stops no follower and is no silence; one line tells it, with nothing personal."""
    (worklist,) = made(store, Worklist())
    monkeypatch.setattr("projections.runner._REST", 0.01)
    left = 3

    class Out(Follower):
        def step(self, until=None):
            nonlocal left
            left -= 1
            if left >= 0:
                raise sa.exc.OperationalError("", {}, sqlite3.OperationalError("名字"))
            return super().step(until)

    follower, stop = Out(worklist, filled, store), threading.Event()
    thread = threading.Thread(target=follower.run, args=(stop,))
    with capture_logs() as logged:
        thread.start()
        assert follower.wait_for(filled.head().position, timeout=30)
        stop.set()
        filled.wake()
        thread.join()

    assert logged == [
        {
            "event": "the database does not answer; a follower waits",
            "log_level": "warning",
            "follower": worklist.follower,
            "error": "OperationalError",
        }
    ]


def test_a_missing_table_is_no_outage(filled, store):
    """It will not come back by waiting: the follower stops, and says that it did."""
    (worklist,) = made(store, Worklist())
    with writing(store) as connection:
        worklist.metadata.drop_all(connection)
    follower = Follower(worklist, filled, store)

    with pytest.raises(sa.exc.DBAPIError) as fault:
        follower.run(threading.Event())
    assert not is_outage(fault.value)
    assert follower.position == 0


def test_a_locked_database_is_an_outage(tmp_path):
    """Whoever holds the lock lets go of it some time."""
    file = tmp_path / "held.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with (
            closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as other,
            pytest.raises(sqlite3.OperationalError) as locked,
        ):
            other.execute("BEGIN IMMEDIATE")

    assert is_outage(locked.value)
    assert is_outage(sa.exc.OperationalError("", {}, locked.value))


def test_turns_are_taken_in_the_order_of_asking():
    """Who has just had a turn does not get the next one while others wait."""
    turns, order = Turns(), list[int]()

    def ask_twice(number: int, asked: threading.Event) -> None:
        for _ in range(2):
            with turns.one():
                order.append(number)
                asked.wait(10)

    gates = [threading.Event() for _ in range(3)]
    threads = [threading.Thread(target=ask_twice, args=it) for it in enumerate(gates)]
    for number, thread in enumerate(threads):
        thread.start()
        while len(turns._queue) <= number:
            time.sleep(0.001)
    for gate in gates:
        gate.set()
    for thread in threads:
        thread.join(10)

    assert order == [0, 1, 2, 0, 1, 2]


def test_an_event_of_a_newer_release_stops_the_follower(filled, store):
    """What this release cannot read is not set aside: the process has to be upgraded."""

    class Old(Worklist):
        def fold(self, batch, load):
            raise UnknownEvent

    (projection,) = made(store, Old())
    follower = Follower(projection, filled, store)
    with pytest.raises(UnknownEvent):
        follower.run(threading.Event())

    assert follower.position == 0
    assert rows(store, QUARANTINE) == []


# Following and waiting


def test_a_running_follower_is_waited_for(log, store, lived):
    """What is appended while a follower runs is there when it was waited for."""
    (worklist,) = made(store, Worklist())
    follower, stop = Follower(worklist, log, store), threading.Event()
    thread = threading.Thread(target=follower.run, args=(stop,))
    thread.start()
    try:
        append(log, lived.written[:30])
        head = log.head().position

        assert follower.wait_for(head, timeout=10) == head
    finally:
        stop.set()
        thread.join()


def test_a_read_model_that_is_behind_says_so(filled, store):
    """Nobody is answered with an older state than he asked for."""
    (worklist,) = made(store, Worklist())
    follower = Follower(worklist, filled, store, batch=20)
    reached = follower.catch_up(limit=20)

    assert follower.wait_for(reached) == reached
    with pytest.raises(ReadModelBehind):
        follower.wait_for(reached + 1, timeout=0.05)
    with pytest.raises(PositionUnknown):
        follower.wait_for(filled.head().position + 1, timeout=0.05)
