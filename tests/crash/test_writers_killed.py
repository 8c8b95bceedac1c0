"""Writers killed without warning, many at once: what was answered stands, once, in one order."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.persistence import Recording
from sqlalchemy import Engine

from mediation.store import Log, Recorded
from tests.crash.crew import Crew, a_crew
from tests.crash.oracle import Verdict, journals_of, judge
from tests.crash.twins import ForgetfulLog, LocklessLog, drop_keys, run
from tests.crash.writer import send
from tests.wiring import wired

pytestmark = pytest.mark.long

SEED = 20260302
WRITERS = 8
THREADS = 4
KILLS = 50
EVENTS = 10_000
# What may be written and not answered, and what the office takes.
MARGIN = 500
EVENTS_BETWEEN_KILLS = 150
POLL = 0.05
REPEATED = 100
AT_MOST = 300.0
TWIN_POLL = 0.3
TWIN_AT_MOST = 180.0


def test_writers_that_are_killed_lose_nothing_and_write_nothing_twice(database, tmp_path):
    """Eight writers, fifty kills, ten thousand answered events: none lost, double, or refused.

    Positions and versions have no hole, time never runs back though every restart sets the clock
    back, and a key that is sent again gives the same answer.
    """
    with (
        a_crew(database, tmp_path, seed=SEED, writers=WRITERS, threads=THREADS) as crew,
        wired(database) as watching,
    ):
        started = time.monotonic()
        position = killed_at = watching.log.head().position
        while crew.kills < KILLS or position < EVENTS + MARGIN:
            assert time.monotonic() - started < AT_MOST, f"only {position} events until now"
            time.sleep(POLL)
            crew.require_alive()
            position = watching.log.head().position
            if position > killed_at + EVENTS_BETWEEN_KILLS and crew.kill_one():
                killed_at = position
        exit_codes = crew.stop()
        seconds = time.monotonic() - started
    lines = journals_of(crew.task)
    verdict = judge(database, lines)
    _report(database, crew, verdict, seconds)

    assert exit_codes == [0] * WRITERS
    verdict.require_clean()
    assert crew.kills >= KILLS
    assert verdict.acknowledged >= EVENTS

    sent = {line.key: line for line in lines if line.kind == "sent"}
    done = [line for line in lines if line.kind == "done"]
    with wired(database) as engine:
        for line in random.Random(SEED).sample(done, REPEATED):
            again = send(engine, sent[line.key])
            assert tuple(event.position for event in again.events) == line.positions
            assert (again.stream.id, again.version) == (line.stream_id, line.version)


def _report(database: str, crew: Crew, verdict: Verdict, seconds: float) -> None:
    print(  # noqa: T201 - the figures that are quoted
        f"\n{database.partition(':')[0]}: seed {SEED}, {WRITERS} writers of {THREADS} threads, "
        f"{crew.kills} kills, {verdict.commands} commands and {verdict.acknowledged} events "
        f"acknowledged in {seconds:.0f} s ({verdict.acknowledged / seconds:.0f}/s), "
        f"{verdict.refused} honest conflicts, wrong: {verdict.wrong() or 'nothing'}"
    )


class HastyLog(Log):
    """A broken twin: it answers first, and writes behind."""

    def __init__(self, engine: Engine, *, clock: Callable[[], datetime]) -> None:
        super().__init__(engine, clock=clock)
        self._behind = ThreadPoolExecutor(max_workers=1)

    def save(self, *objs: Any, **kwargs: Any) -> list[Recording[UUID]]:
        first = self.head().position + 1
        self._behind.submit(super().save, *objs, **kwargs)
        return [
            Recording(
                event,
                Recorded(
                    originator_id=event.originator_id,
                    originator_version=event.originator_version,
                    topic=event.event.topic,
                    state=b"",
                    id=position,
                    recorded_at=self._clock(),
                    command_end=first + len(objs) - 1,
                ),
            )
            for position, event in enumerate(objs, first)
        ]


class UnlockedLog(LocklessLog):
    """A broken twin: it reads the highest position and takes the next, under no lock."""

    def place(self, connection: Any, wanted: int) -> int:
        top = int(run(connection, "SELECT max(position) FROM event").fetchone()[0])
        time.sleep(0.002)
        return top


@pytest.mark.parametrize(
    ("log_type", "before", "expected"),
    [
        (HastyLog, None, {"lost"}),
        (UnlockedLog, drop_keys, {"duplicated", "holes"}),
        (ForgetfulLog, None, {"duplicated"}),
    ],
    ids=("answers first", "takes no lock", "keeps no receipts"),
)
def test_a_broken_log_is_convicted(database, tmp_path, log_type, before, expected):
    """The same writers, kills and judge turn red on a log that breaks one promise."""
    verdict = _until_red(database, tmp_path, log_type, before or (lambda _database: None), expected)

    assert expected <= verdict.wrong().keys()
    with pytest.raises(AssertionError):
        verdict.require_clean()


def _until_red(
    database: str,
    folder: Path,
    log_type: type[Log],
    before: Callable[[str], None],
    expected: set[str],
) -> Verdict:
    with a_crew(
        database, folder, seed=SEED, writers=4, threads=2, log_type=log_type, before=before
    ) as crew:
        until = time.monotonic() + TWIN_AT_MOST
        while True:
            time.sleep(TWIN_POLL)
            crew.kill_one()
            # Journals first: what is answered by then is in the log, if it ever will be.
            verdict = judge(database, journals_of(crew.task))
            if expected <= verdict.wrong().keys() or time.monotonic() > until:
                return verdict
