"""A follower folds what came together in one batch, and hurries only when somebody waits for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from sqlalchemy import Engine

from mediation.store import Log
from projections.base import create
from projections.case_file import CaseFile
from projections.runner import PACE, Follower
from tests.projections.histories import Office, append

EVENTS = 40
APART = 0.01
AN_AGE = 60.0


class Counting(Follower):
    """Counts the batches that it folded."""

    batches = 0

    def step(self, until: int | None = None) -> int:
        """Fold, and count what was no empty look."""
        done = super().step(until)
        self.batches += bool(done)
        return done


@contextmanager
def running(log: Log, store: Engine, pace: float) -> Iterator[Counting]:
    """Run a follower on a thread."""
    projection = CaseFile()
    create(store, (projection,))
    follower, stop = Counting(projection, log, store, pace=pace), Event()
    thread = Thread(target=follower.run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield follower
    finally:
        stop.set()
        follower.hurry()
        thread.join(10)
    assert not thread.is_alive()


def batches_of_a_burst(log: Log, store: Engine, pace: float) -> tuple[int, float]:
    """Append commands a little apart; give how many batches that made, and how long it took."""
    written = Office(seed=5).live(EVENTS).written
    began = time.monotonic()
    with running(log, store, pace) as follower:
        for command in written:
            append(log, [command])
            time.sleep(APART)
        taken = time.monotonic() - began
        while follower.position < log.head().position:
            time.sleep(APART)
        return follower.batches, taken


def test_a_burst_is_folded_in_few_batches(log, store):
    """However many commands come, there are only as many batches as the pace allows."""
    batches, taken = batches_of_a_burst(log, store, PACE)

    assert batches <= taken / PACE + 2


def test_a_follower_without_a_pace_is_found(log, store):
    """One that folds whatever it finds at once makes more batches than that."""
    batches, taken = batches_of_a_burst(log, store, 0)

    assert batches > taken / PACE + 2


def test_who_waits_does_not_wait_for_the_pace(log, store):
    """A follower that rests for an age is at work as soon as somebody asks for a position."""
    written = Office(seed=6).live(EVENTS).written
    with running(log, store, AN_AGE) as follower:
        append(log, written[:1])
        follower.wait_for(log.head().position, timeout=20)
        append(log, written[1:])

        assert follower.wait_for(log.head().position, timeout=20) == log.head().position
