"""Looking after read models: rebuilt beside the live one, switched whole, told how they stand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from threading import Event, Thread, Timer
from typing import ClassVar
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from structlog.testing import capture_logs

from api.bootstrap import projections
from mediation.errors import NotFound, Unsafe
from mediation.store import Head, Log, Recorded, open_engine, writing
from mediation.store.engine import holding
from projections.base import PARKED, QUARANTINE, Projection, create, freshness, reading
from projections.case_file import CaseFile
from projections.runner import Follower
from projections.upkeep import PREFIX, Copy, Left, Rebuild, _lock_file, drop, left, standing
from projections.worklist import Worklist
from tests.projections.histories import Office, append
from tests.wiring import read_models_beside

pytestmark = pytest.mark.long

COMMANDS = 130
REBUILDS = 3


@pytest.fixture(scope="module")
def lived() -> Office:
    """A few stories, then chance."""
    return Office(seed=21).stories().live(COMMANDS)


@pytest.fixture
def filled(log, lived) -> Log:
    """A log that holds them."""
    append(log, lived.written)
    return log


@pytest.fixture
def read(database: str) -> Iterator[Engine]:
    """Where read models live beside a log that is written to: on SQLite a file of their own."""
    engine = open_engine(read_models_beside(database))
    yield engine
    engine.dispose()


def live(engine: Engine, log: Log, projection: Projection) -> Follower:
    """Make a read model and let it come to the end of the log."""
    create(engine, [projection])
    follower = Follower(projection, log, engine, pace=0.01)
    follower.catch_up()
    return follower


def digest(engine: Engine, projection: Projection) -> str:
    """Digest a read model."""
    with reading(engine) as connection:
        return projection.digest(connection)


def tables(engine: Engine) -> set[str]:
    """Name every table there is."""
    return set(sa.inspect(engine).get_table_names())


def spoil(connection: sa.Connection, table: sa.Table) -> None:
    """Make a figure of each row wrong, take one row away, and add one that is nobody's."""
    first, *_ = connection.execute(sa.select(table).order_by(table.c.case_id)).all()
    connection.execute(sa.update(table).values(claimed_fen=table.c.claimed_fen + 1))
    connection.execute(sa.delete(table).where(table.c.case_id == first.case_id))
    connection.execute(sa.insert(table).values({**first._mapping, "case_id": UUID(int=0)}))


# What a rebuild says


@pytest.mark.parametrize("model", [type(it) for it in projections()])
def test_a_healthy_rebuild_leaves_the_same_digest_and_nothing_else(filled, store, model):
    """Every read model, in small batches: the same digest, no row written, no table left over."""
    follower = live(store, filled, model())
    before, there = digest(store, follower.projection), tables(store)
    told: list[tuple[int, int]] = []

    rebuilt = Rebuild(follower.projection, filled, store, batch=40).run(
        lambda *how_far: told.append(how_far)
    )

    assert rebuilt.is_same
    assert rebuilt.is_switched
    assert rebuilt.digest == before == digest(store, follower.projection)
    assert rebuilt.position == follower.position == filled.head().position
    assert tables(store) == there
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert told[-1] == (rebuilt.position, rebuilt.position)
    assert len(told) > 3


def test_wrong_rows_are_told_and_replaced(filled, store):
    """A row changed, lost or made up by hand is found, and gone after the rebuild."""
    follower = live(store, filled, CaseFile())
    sound = digest(store, follower.projection)
    with writing(store) as connection:
        spoil(connection, follower.projection.tables[0])
    spoilt = digest(store, follower.projection)

    checked = Rebuild(follower.projection, filled, store).run(checks=True)
    assert (checked.is_same, checked.is_switched, checked.digest) == (False, False, sound)
    assert digest(store, follower.projection) == spoilt

    rebuilt = Rebuild(follower.projection, filled, store).run()
    assert (rebuilt.is_same, rebuilt.is_switched, rebuilt.digest) == (False, True, sound)
    assert digest(store, follower.projection) == sound
    (change,) = rebuilt.changes
    assert change.wrong == change.right > 10
    assert Rebuild(follower.projection, filled, store).run(checks=True).is_same


def test_a_read_model_that_never_began_is_left_to_its_follower(filled, store):
    """There is nothing to compare with, and nothing is written in a follower's place."""
    projection = CaseFile()
    create(store, [projection])

    rebuilt = Rebuild(projection, filled, store).run()

    assert (rebuilt.position, rebuilt.is_switched) == (0, False)
    assert (rebuilt.is_begun, rebuilt.is_same) == (False, False)
    assert Follower(projection, filled, store).position == 0


class Restored:
    """A log as it was when it stood at a position."""

    def __init__(self, log: Log, position: int) -> None:
        self._log = log
        self._position = position
        self.events_of, self.wait_beyond = log.events_of, log.wait_beyond

    def head(self) -> Head:
        return replace(self._log.head(), position=self._position)

    def read(self, start_exclusive: int, limit: int) -> list[Recorded]:
        left = self._position - start_exclusive
        return self._log.read(start_exclusive, min(limit, left)) if left > 0 else []


def test_a_read_model_ahead_of_a_restored_log_comes_back_to_it(store, log, lived):
    """An older log is put in place: the read model says so, and a rebuild makes it true again."""
    append(log, lived.written[:80])
    follower = live(store, log, Worklist())
    older, sound = Restored(log, follower.position), digest(store, follower.projection)
    append(log, lived.written[80:])
    follower.catch_up()

    (stands,) = standing(store, older, [follower.projection])
    assert stands.lag < 0
    assert not stands.is_sound
    rebuilt = Rebuild(follower.projection, older, store).run()

    assert rebuilt.position == follower.position == older.head().position
    assert digest(store, follower.projection) == sound


# Beside live writes and live reads


class HalfSwitch(Rebuild):
    """A broken twin: wrong rows go in one transaction, right ones come in the next."""

    def _finished(self, *, checks):
        with writing(self._engine) as connection:
            for mine, other in zip(self.live.tables, self.copy.tables, strict=True):
                self._remove(connection, mine, other)
        time.sleep(0.02)
        return super()._finished(checks=checks)


Seen = set[tuple[int, str]]


def at_rest(lived: Office) -> tuple[UUID, int]:
    """Give the case that comes to rest first, and after how many commands it does."""
    last = {
        it.originator_id: number
        for number, events in enumerate(lived.written, 1)
        for it in events
        if it.originator_id in lived.cases
    }
    return min(last.items(), key=lambda it: it[1])


def spoil_one(connection: sa.Connection, table: sa.Table, case_id: UUID) -> None:
    """Make one figure of one case wrong."""
    connection.execute(sa.update(table).where(table.c.case_id == case_id).values(claimed_fen=-1))


@contextmanager
def at_work(*works: Callable[[], None]) -> Iterator[list[Thread]]:
    """Do everything at the same time, each on a thread; at the end all must have gone well."""
    failures: list[BaseException] = []

    def kept(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told to the test, which fails on any
            failures.append(error)

    threads = [Thread(target=kept, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        for thread in threads:
            thread.join()
    assert failures == []


def seen_by_readers(log: Log, engine: Engine, lived: Office, rebuild_type: type[Rebuild]) -> Seen:
    """Rebuild some times beside a writer, a follower and two readers; give what these met.

    Returns:
        Each position with the digest that a reader met there.
    """
    resting, before = at_rest(lived)
    append(log, lived.written[:before])
    follower = live(engine, log, CaseFile())
    seen, done = Seen(), Event()

    def write() -> None:
        for events in lived.written[before:]:
            log.save(*events)
            done.wait(0.01)

    def read() -> None:
        while not done.is_set():
            with reading(engine) as connection:
                position = freshness(connection, follower.projection).as_of_position
                seen.add((position, follower.projection.digest(connection)))

    with at_work(write, read, read, lambda: follower.run(done)):
        try:
            for _ in range(REBUILDS):
                with writing(engine) as connection:
                    spoil_one(connection, follower.projection.tables[0], resting)
                rebuilt = rebuild_type(follower.projection, log, engine, batch=20).run()
                assert rebuilt.is_switched
        finally:
            done.set()
    follower.catch_up()
    return seen


def whole_states(log: Log, engine: Engine, lived: Office) -> Seen:
    """Give, for each position, the two digests a reader may meet: of wrong rows, and of right."""
    slow = CaseFile(prefix="slow_")
    create(engine, [slow])
    follower, states = Follower(slow, log, engine, batch=1), Seen()
    while follower.step():
        states.add((follower.position, digest(engine, slow)))
        with engine.connect() as connection:
            spoil_one(connection, slow.case, at_rest(lived)[0])
            states.add((follower.position, slow.digest(connection)))
            connection.rollback()
    return states


def test_readers_meet_whole_states_only_while_read_models_are_switched(read, log, lived):
    """Beside live writes every reader sees right rows or wrong ones, never some of each."""
    seen = seen_by_readers(log, read, lived, Rebuild)

    assert seen <= whole_states(log, read, lived)
    assert len({position for position, _ in seen}) > 5
    assert len(seen) > len({position for position, _ in seen}), "no reader met a wrong state"
    rebuilt = Rebuild(CaseFile(), log, read).run(checks=True)
    assert rebuilt.is_same
    assert rebuilt.position == log.head().position


def test_a_switch_in_two_transactions_is_found(read, log, lived):
    """The proof has teeth: readers meet rows that are gone and not yet there again."""
    seen = seen_by_readers(log, read, lived, HalfSwitch)

    assert not seen <= whole_states(log, read, lived)


# Interrupted


class Enough(Exception):
    """Stands for Ctrl-C, in a test that goes on."""


def interrupted(rebuild: Rebuild, batches: int) -> list[int]:
    """Run a rebuild until it has folded so many batches; give the positions it told."""
    reached: list[int] = []

    def told(done: int, _of: int) -> None:
        reached.append(done)
        if len(reached) == batches:
            raise Enough

    with pytest.raises(Enough):
        rebuild.run(told)
    return reached


def test_an_interrupted_rebuild_goes_on_where_it_stood(filled, store):
    """The copy remembers how far it is, and `status` shows it, under way or not."""
    follower = live(store, filled, Worklist())
    models = [follower.projection]
    sound = digest(store, follower.projection)
    reached = interrupted(Rebuild(follower.projection, filled, store, batch=20), 3)

    (stands,) = standing(store, filled, models)
    assert stands.rebuild == Copy(reached[-1], is_running=False)
    again: list[int] = []
    running: list[Copy | None] = []

    def told(done: int, _of: int) -> None:
        again.append(done)
        running.extend(it.rebuild for it in standing(store, filled, models))

    rebuilt = Rebuild(follower.projection, filled, store, batch=20).run(told)
    assert again[0] > reached[-1]
    assert running[0] == Copy(again[0], is_running=True)
    assert (rebuilt.is_same, rebuilt.digest) == (True, sound)
    assert [it.rebuild for it in standing(store, filled, models)] == [None]


def test_one_process_at_a_time_rebuilds_a_read_model(filled, store):
    """The second is refused, and so is dropping a copy that is being made."""
    follower = live(store, filled, Worklist())
    refusals: list[str] = []

    def told(_done: int, _of: int) -> None:
        for attempt in (
            lambda: Rebuild(follower.projection, filled, store).run(),
            lambda: drop(store, [follower.projection], PREFIX + follower.projection.follower),
        ):
            with pytest.raises(Unsafe) as refused:
                attempt()
            refusals.append(refused.value.code)

    assert Rebuild(follower.projection, filled, store).run(told).is_same
    assert set(refusals) == {"rebuild-under-way"}


def test_asking_how_it_stands_stops_no_rebuild(filled, store):
    """On PostgreSQL nothing is locked by asking; on SQLite a rebuild asks a second time."""
    follower = live(store, filled, Worklist())
    rebuild = Rebuild(follower.projection, filled, store, batch=20)
    interrupted(rebuild, 1)
    asked: list[str] = []

    @sa.event.listens_for(store, "before_cursor_execute")
    def _hear(_connection, _cursor, statement, *_rest) -> None:
        asked.append(statement)

    (stands,) = standing(store, filled, [follower.projection])
    assert stands.rebuild is not None
    assert not [it for it in asked if "advisory_lock" in it]

    if store.dialect.name == "sqlite":
        with ExitStack() as asking:
            held = asking.enter_context(holding(_lock_file(store, follower.projection)))
            assert held
            timer = Timer(0.02, asking.pop_all().close)
            timer.start()
            assert rebuild.run().is_same
            timer.join()
    else:
        assert rebuild.run().is_same


# What cannot be folded


class Chokes(CaseFile):
    """Cannot fold the answers of one case while it is told to choke."""

    chokes_on: ClassVar[UUID | None] = None

    def fold(self, batch, load):
        """Fail on the poison."""
        for it in batch:
            if it.originator_id == self.chokes_on and it.topic == "case.consent-recorded/1":
                raise ZeroDivisionError("name and number of a person")
        return super().fold(batch, load)


@pytest.fixture
def victim(lived: Office, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """A case with such an answer."""
    monkeypatch.setattr(Chokes, "chokes_on", None)
    return next(iter(lived.cases))


def aside(engine: Engine) -> list[tuple]:
    """Read everything that is set aside."""
    with reading(engine) as connection:
        return [
            tuple(row)
            for table in (PARKED, QUARANTINE)
            for row in connection.execute(sa.select(table).order_by(*table.primary_key))
        ]


def test_a_mended_fold_takes_back_what_was_parked(filled, store, victim, monkeypatch):
    """What the old rows had set aside goes with them, told as an alarm until then."""
    monkeypatch.setattr(Chokes, "chokes_on", victim)
    with capture_logs() as logged:
        follower = live(store, filled, Chokes())
    (stands,) = standing(store, filled, [follower.projection])

    assert not stands.is_sound
    (poison,) = stands.quarantined
    assert (poison.stream_id, poison.error) == (victim, "ZeroDivisionError")
    assert [(it.stream_id, it.stale_since) for it in stands.parked] == [(victim, poison.position)]
    assert logged == [
        {
            "event": "event quarantined",
            "log_level": "error",
            "follower": follower.projection.follower,
            "position": poison.position,
            "stream_id": str(victim),
            "error": "ZeroDivisionError",
        }
    ]

    monkeypatch.setattr(Chokes, "chokes_on", None)
    rebuilt = Rebuild(follower.projection, filled, store).run()
    assert (rebuilt.is_same, rebuilt.is_switched, rebuilt.parked) == (False, True, 0)
    assert aside(store) == []
    assert digest(store, follower.projection) == digest(
        store, live(store, filled, CaseFile(prefix="sound_")).projection
    )


def test_what_still_cannot_be_folded_stays_set_aside(filled, store, victim, monkeypatch):
    """The same poison in the copy is no reason to keep the old rows, and none is lost."""
    monkeypatch.setattr(Chokes, "chokes_on", victim)
    follower = live(store, filled, Chokes())
    before = aside(store)

    rebuilt = Rebuild(follower.projection, filled, store).run()

    assert (rebuilt.is_same, rebuilt.is_switched, rebuilt.parked) == (True, True, 1)
    assert aside(store) == before


def test_sound_rows_are_never_replaced_by_poisoned_ones(filled, store, victim, monkeypatch):
    """A release that cannot fold what stands in the live rows changes nothing, and says so."""
    follower = live(store, filled, Chokes())
    before = digest(store, follower.projection)

    monkeypatch.setattr(Chokes, "chokes_on", victim)
    rebuilt = Rebuild(follower.projection, filled, store).run()

    assert not rebuilt.is_switched
    assert [it.stream_id for it in rebuilt.poison] == [victim]
    assert digest(store, follower.projection) == before
    assert aside(store) == []


# What is left behind


class Older(CaseFile):
    """What the register was in another release."""

    version = CaseFile.version - 1


def test_older_versions_and_given_up_copies_are_told_and_dropped(filled, store):
    """Both go by name, whole; what is in use never does."""
    models = [live(store, filled, model).projection for model in (CaseFile(), Worklist())]
    there = tables(store)
    older = Older()
    reached = live(store, filled, older).position
    interrupted(Rebuild(models[1], filled, store, batch=20), 2)
    copy = PREFIX + models[1].follower

    assert left(store, models) == [Left(older.follower, reached, (older.case.name,))]
    assert drop(store, models, older.follower) == (older.case.name,)
    assert set(drop(store, models, copy)) == {PREFIX + it.name for it in models[1].tables}
    assert tables(store) == there
    assert left(store, models) == []
    for name in (copy, older.follower, models[0].follower, "event"):
        with pytest.raises(NotFound):
            drop(store, models, name)
    assert tables(store) == there
    assert [it.lag for it in standing(store, filled, models)] == [0, 0]
