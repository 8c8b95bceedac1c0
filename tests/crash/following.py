"""Processes that keep or rebuild every read model until they are killed; judging is the proof's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from threading import Event

from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from api.bootstrap import projections
from mediation.store import Log, open_engine
from projections.runner import Follower
from projections.upkeep import Rebuild, Rebuilt
from tests.crash.writer import ticking
from tests.wiring import read_models_beside

ENDED = "ended"

# At import, which happens once before all forks: what a child would else read anew in each life.
for _url in ("sqlite://", "postgresql+psycopg://"):
    make_url(_url).get_dialect().import_dbapi()
_MODELS = projections()


@dataclass(frozen=True)
class Following:
    """What a process is to do.

    Attributes:
        database: URL of the log.
        follower_type: the real follower, or a broken twin.
        rebuild_type: as `follower_type`.
        batch: small, so that a kill falls between, before and inside many transactions.
    """

    database: str
    batch: int = 3
    follower_type: type[Follower] = Follower
    rebuild_type: type[Rebuild] = Rebuild


@contextmanager
def opened(database: str) -> Iterator[tuple[Log, Engine]]:
    """Open a log and the database of its read models."""
    engine, read = open_engine(database), open_engine(read_models_beside(database))
    try:
        with Log(engine, clock=ticking()) as log:
            yield log, read
    finally:
        read.dispose()
        engine.dispose()


def follow(following: Following, at_work: Connection) -> None:
    """Keep all read models up, a few events at a time; says so when each has moved once."""
    with opened(following.database) as (log, read):
        followers = [
            following.follower_type(it, log, read, batch=following.batch) for it in _MODELS
        ]
        for follower in followers:
            follower.step()
        at_work.send(min(follower.position for follower in followers))
        while True:
            if not sum(follower.step() for follower in followers):
                log.wait_beyond(min(follower.position for follower in followers), 0.05)


def rebuild(following: Following, at_work: Connection) -> None:
    """Rebuild every read model, a few events at a time; says when it is about to switch one."""

    class Telling(following.rebuild_type):  # type: ignore[name-defined, misc]
        def _finished(self, *, checks: bool) -> Rebuilt | None:
            at_work.send(self.live.name)
            return super()._finished(checks=checks)

    with opened(following.database) as (log, read):
        at_work.send("")
        for model in _MODELS:
            Telling(model, log, read, batch=following.batch).run()
        at_work.send(ENDED)
        Event().wait()
