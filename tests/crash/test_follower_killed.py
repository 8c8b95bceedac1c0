"""Read models whose followers and rebuilds are killed without warning: every event counts once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from api.bootstrap import projections
from mediation.store import Log, Recorded, open_engine, writing
from projections.base import create, reading
from projections.runner import Follower
from projections.upkeep import PREFIX, Rebuild, standing
from tests.crash.crew import SPAWNING
from tests.crash.following import ENDED, Following, follow, rebuild
from tests.projections.histories import Office, Written
from tests.wiring import MORNING, migrate_all, read_models_beside

pytestmark = pytest.mark.long

SEED = 20260305
KILLS = 100
"""For each database: two hundred together."""

LONGEST = 0.06
"""Seconds that a follower lives at most once each of its read models has moved."""

BACKLOG = 60
TWIN_KILLS = 8
REBUILDS_KILLED = 20


class HastyFollower(Follower):
    """A broken twin: it moves on in one transaction, and writes the rows in the next."""

    def _apply(self, position: int, batch: Sequence[Recorded]) -> None:
        with writing(self._engine) as connection:
            self._advance(connection, position, batch[-1].position)
        with writing(self._engine) as connection:
            self._write(connection, batch)


class HalfSwitch(Rebuild):
    """A broken twin: wrong rows go in one transaction, right ones come in the next."""

    def _finished(self, *, checks):
        with writing(self._engine) as connection:
            for mine, other in zip(self.live.tables, self.copy.tables, strict=True):
                self._remove(connection, mine, other)
        time.sleep(0.05)
        return super()._finished(checks=checks)


class Stage:
    """A log, the tables of every read model, and a writer who goes on where he stopped."""

    def __init__(self, database: str, log: Log, read: Engine) -> None:
        self.database = database
        self.log = log
        self.read = read
        self.followers = [Follower(it, log, read) for it in projections()]
        self._history = _history()

    def write(self) -> None:
        """Append one command more."""
        self.log.save(*next(self._history))

    def write_ahead(self) -> None:
        """Append until every follower has enough to do for a life."""
        while self.behind() < BACKLOG:
            self.write()

    def behind(self) -> int:
        """Give how many events the follower that is furthest behind the log has not folded."""
        return self.log.head().position - min(it.position for it in self.followers)

    def digests(self) -> dict[str, str]:
        """Digest every read model, at one moment."""
        with reading(self.read) as connection:
            return {it.projection.name: it.projection.digest(connection) for it in self.followers}


def _history() -> Iterator[Written]:
    office, given = Office(seed=SEED).stories(), 0
    while True:
        yield from office.written[given:]
        given = len(office.written)
        office.live(given + 100)


@pytest.fixture
def stage(database: str) -> Iterator[Stage]:
    """An empty log and empty read models."""
    migrate_all(database)
    engine, read = open_engine(database), open_engine(read_models_beside(database))
    create(read, projections())
    with Log(engine, clock=lambda: MORNING) as log:
        yield Stage(database, log, read)
    read.dispose()
    engine.dispose()


@contextmanager
def a_life(
    work: Callable[[Following, Connection], None], following: Following
) -> Iterator[Connection]:
    """Let a process live as long as the body lasts, and kill it without warning."""
    mine, its = SPAWNING.Pipe()
    process = SPAWNING.Process(target=work, args=(following, its), daemon=True)
    process.start()
    its.close()
    try:
        yield mine
        assert process.exitcode is None, "it died by itself"
    finally:
        process.kill()
        process.join()
        mine.close()


# Followers


def kill_followers(stage: Stage, kills: int, follower_type: type[Follower]) -> int:
    """Kill so many followers while a writer writes; give how many had still work to do."""
    choice, busy = random.Random(SEED), 0
    for _ in range(kills):
        stage.write_ahead()
        with a_life(follow, Following(stage.database, follower_type=follower_type)) as at_work:
            at_work.recv()
            until = time.monotonic() + choice.random() * LONGEST
            while time.monotonic() < until:
                stage.write()
        busy += stage.behind() > 0
    return busy


def require_equal_to_a_rebuild(stage: Stage) -> None:
    """Fail unless every read model, once at the end, has the rows of one folded anew.

    Raises:
        AssertionError: with the name of the one that has not.
    """
    found = {}
    for follower in stage.followers:
        follower.catch_up()
        anew = type(follower.projection)(prefix="anew_")
        create(stage.read, [anew])
        assert Follower(anew, stage.log, stage.read).catch_up() == follower.position
        with reading(stage.read) as connection:
            found[follower.projection.name] = anew.digest(connection)
    assert stage.digests() == found


def test_followers_that_are_killed_leave_the_rows_of_a_rebuild(stage):
    """A hundred kills on each database, beside a writer: every event was folded exactly once."""
    started = time.monotonic()
    busy = kill_followers(stage, KILLS, Follower)
    require_equal_to_a_rebuild(stage)

    assert busy > KILLS * 0.9, "they were killed when there was nothing left to do"
    assert all(it.is_sound for it in standing(stage.read, stage.log, projections()))
    print(  # noqa: T201 - the figures that are quoted
        f"\n{stage.read.dialect.name}: seed {SEED}, {KILLS} kills ({busy} at work) of the "
        f"followers of {len(projections())} read models over {stage.log.head().position} events "
        f"in {time.monotonic() - started:.0f} s, digests equal to a rebuild"
    )


def test_a_follower_that_moves_on_before_it_writes_loses_rows(stage):
    """The broken twin commits its position apart from the rows, and the same kills show it."""
    kill_followers(stage, TWIN_KILLS, HastyFollower)
    with pytest.raises(AssertionError):
        require_equal_to_a_rebuild(stage)


# Rebuilds


def settled(stage: Stage) -> dict[str, str]:
    """Bring every read model to the end of a log that nobody writes any more."""
    for _ in range(BACKLOG):
        stage.write()
    for follower in stage.followers:
        follower.catch_up()
    return stage.digests()


def spoil(stage: Stage) -> dict[str, str]:
    """Make rows of every table of every read model wrong, and take one away."""
    with writing(stage.read) as connection:
        for table in (it for follower in stage.followers for it in follower.projection.tables):
            keys = list(table.primary_key)
            first = connection.execute(sa.select(*keys).order_by(*keys).limit(1)).one_or_none()
            if first is not None:
                here = sa.tuple_(*keys) == sa.tuple_(*map(sa.literal, first))
                connection.execute(sa.delete(table).where(here))
            wrong = next(
                it for it in table.columns if not it.primary_key and isinstance(it.type, sa.Text)
            )
            connection.execute(sa.update(table).values({wrong: wrong + "?"}))
    return stage.digests()


def kill_rebuilds(stage: Stage, kills: int, rebuild_type: type[Rebuild]) -> None:
    """Kill so many rebuilds, half of them around a switch, half wherever they are.

    Raises:
        AssertionError: a read model is neither as it was before nor as it ought to be.
    """
    right = settled(stage)
    choice, wrong, batch = random.Random(SEED), spoil(stage), 10
    for number in range(kills):
        following = Following(stage.database, batch=batch, rebuild_type=rebuild_type)
        with a_life(rebuild, following) as at_work:
            at_work.recv()
            if number % 2:
                at_work.recv()
            time.sleep(choice.random() ** 2 / 10)
        found = stage.digests()
        for name, digest in found.items():
            assert digest in {wrong[name], right[name]}, f"kill {number}: a part of {name}"
        if found == right:
            wrong = spoil(stage)
    with a_life(rebuild, Following(stage.database, batch=batch)) as at_work:
        while at_work.recv() != ENDED:
            pass
    assert stage.digests() == right


def test_rebuilds_that_are_killed_leave_all_or_nothing_and_go_on(stage):
    """Wherever it is killed the live rows are the old or the new ones, and one more ends it."""
    started = time.monotonic()
    kill_rebuilds(stage, REBUILDS_KILLED, Rebuild)

    assert not [it for it in sa.inspect(stage.read).get_table_names() if it.startswith(PREFIX)]
    assert [it.rebuild for it in standing(stage.read, stage.log, projections())] == [None] * len(
        stage.followers
    )
    print(  # noqa: T201 - the figures that are quoted
        f"\n{stage.read.dialect.name}: seed {SEED}, {REBUILDS_KILLED} kills of rebuilds in "
        f"{time.monotonic() - started:.0f} s"
    )


def test_a_switch_in_two_transactions_is_found_by_a_kill(stage):
    """The broken twin is killed between the two, and leaves rows that are neither."""
    with pytest.raises(AssertionError, match="a part of"):
        kill_rebuilds(stage, REBUILDS_KILLED, HalfSwitch)
