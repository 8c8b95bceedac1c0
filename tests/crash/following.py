"""A process that keeps the read models up until it is killed; judging them is the proof's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mediation.store import Log, open_engine
from projections.base import Projection
from projections.case_file import CaseFile
from projections.runner import Follower
from projections.worklist import Worklist
from tests.crash.writer import ticking
from tests.wiring import read_models_beside

MODELS: tuple[type[Projection], ...] = (CaseFile, Worklist)
# Small, so that a kill falls between, before and inside many transactions.
BATCH = 10


@dataclass(frozen=True)
class Following:
    """What a process of followers is to do.

    Attributes:
        database: URL of the log.
        stop: the file whose existence ends the work.
        follower_type: the real follower, or a broken twin.
    """

    database: str
    stop: Path
    follower_type: type[Follower] = Follower


def follow(following: Following) -> None:
    """Keep all read models up, a few events at a time."""
    engine = open_engine(following.database)
    read = open_engine(read_models_beside(following.database))
    with Log(engine, clock=ticking()) as log:
        followers = [following.follower_type(model(), log, read, batch=BATCH) for model in MODELS]
        while not following.stop.exists():
            if not sum(follower.step() for follower in followers):
                log.wait_beyond(min(follower.position for follower in followers), 0.2)
    read.dispose()
    engine.dispose()
