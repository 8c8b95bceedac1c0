"""Read models whose followers are killed without warning: the same rows as a rebuild, once each."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mediation.store import Recorded, open_engine, writing
from projections.base import create
from projections.runner import Follower
from tests.crash.crew import SPAWNING, a_crew
from tests.crash.following import MODELS, Following, follow
from tests.wiring import read_models_beside, wired

SEED = 20260305
KILLS = 30
MOVED_BEFORE_A_KILL = 30
TWIN_KILLS = 3
AT_MOST = 180.0


class HastyFollower(Follower):
    """A broken twin: it moves on in one transaction, and writes the rows in the next."""

    def _apply(self, position: int, batch: Sequence[Recorded]) -> None:
        with writing(self._engine) as connection:
            self._advance(connection, position, batch[-1].position)
        time.sleep(0.05)
        with writing(self._engine) as connection:
            self._write(connection, batch)


def _killed(
    database: str, read: Engine, folder: Path, kills: int, follower_type: type[Follower]
) -> int:
    """Let writers write and followers follow, and kill the followers so often; give the head."""
    stop = folder / "stop-following"
    following = Following(database, stop, follower_type)
    choice = random.Random(SEED)
    started = time.monotonic()
    with (
        a_crew(database, folder, seed=SEED, writers=1, threads=1) as crew,
        wired(database) as reading,
    ):
        create(read, [model() for model in MODELS])
        mine = [Follower(model(), reading.log, read) for model in MODELS]
        for _ in range(kills):
            process = SPAWNING.Process(target=follow, args=(following,), daemon=True)
            process.start()
            begun = mine[0].position
            while mine[0].position < begun + MOVED_BEFORE_A_KILL:
                assert time.monotonic() - started < AT_MOST, "too slow to prove anything"
                crew.require_alive()
                assert process.is_alive(), "the follower died by itself"
                time.sleep(0.02)
            time.sleep(choice.random() / 20)
            process.kill()
            process.join()
        crew.stop()
        for follower in mine:
            follower.catch_up()
        return reading.log.head().position


def require_equal_to_a_rebuild(database: str, read: Engine) -> None:
    """Fail unless every read model has the rows that a rebuild from the log gives.

    Raises:
        AssertionError: with the name of the one that has not.
    """
    with wired(database) as reading:
        for model in MODELS:
            rebuilt = model("rebuilt_")
            create(read, [rebuilt])
            reached = Follower(rebuilt, reading.log, read).catch_up()
            assert reached == Follower(model(), reading.log, read).position
            with read.connect() as connection:
                assert rebuilt.digest(connection) == model().digest(connection), model.name


@pytest.fixture
def read(database: str) -> Iterator[Engine]:
    """Engine of the read models."""
    engine = open_engine(read_models_beside(database))
    yield engine
    engine.dispose()


def test_followers_that_are_killed_leave_the_rows_of_a_rebuild(database, read, tmp_path):
    """Thirty kills while a writer goes on: every event was folded exactly once."""
    started = time.monotonic()
    head = _killed(database, read, tmp_path, KILLS, Follower)
    require_equal_to_a_rebuild(database, read)
    print(  # noqa: T201 - the figures that are quoted
        f"\n{database.partition(':')[0]}: seed {SEED}, {KILLS} kills of {len(MODELS)} followers "
        f"over {head} events in {time.monotonic() - started:.0f} s, digests equal to a rebuild"
    )


def test_a_follower_that_moves_on_before_it_writes_loses_rows(database, read, tmp_path):
    """The broken twin commits its position apart from the rows, and the same kills show it."""
    _killed(database, read, tmp_path, TWIN_KILLS, HastyFollower)
    with pytest.raises(AssertionError):
        require_equal_to_a_rebuild(database, read)
