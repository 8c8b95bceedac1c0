"""Writers as processes: started, killed without warning, started again, and told to stop."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from uuid import UUID

from mediation.store import Log
from tests.crash.writer import Task, run
from tests.wiring import NewBody, Office, a_registration, an_office

# Children of a server that has imported everything and opened nothing: a start costs milliseconds.
SPAWNING = multiprocessing.get_context("forkserver")
SPAWNING.set_forkserver_preload(["pytest", "tests.crash.writer", "tests.crash.following"])

_END = 60.0


class Crew:
    """As many writers as the task has groups of leads.

    Attributes:
        kills: how many writers were killed so far.
    """

    def __init__(self, task: Task, seed: int) -> None:
        self.task = task
        self.kills = 0
        self._random = random.Random(seed)
        self._writers: list[BaseProcess] = []
        self._at_start = [0] * len(task.leads)

    def start(self) -> None:
        """Start all writers."""
        for number in range(len(self.task.leads)):
            self._writers.append(self._started(number))

    def kill_one(self) -> bool:
        """Kill a writer that has got to work, and start it again; False if none has."""
        busy = [n for n in range(len(self._writers)) if self._written(n) > self._at_start[n]]
        if not busy:
            return False
        number = self._random.choice(busy)
        self._end(number)
        self.kills += 1
        self._writers[number] = self._started(number)
        return True

    def require_alive(self) -> None:
        """Fail at once if a writer ended by itself.

        Raises:
            AssertionError: one did, or has not come to life.
        """
        ended = [writer.exitcode for writer in self._writers if writer.exitcode is not None]
        assert not ended, f"writers ended by themselves: {ended}; see the journals' last lines"

    def kill_all(self) -> None:
        """Kill every writer at once, and start none again."""
        for writer in self._writers:
            writer.kill()
        for writer in self._writers:
            writer.join(_END)

    def stop(self) -> list[int | None]:
        """Let every writer finish what it is at; give their exit codes."""
        self.task.stop.touch()
        until = time.monotonic() + _END
        for writer in self._writers:
            writer.join(max(0.0, until - time.monotonic()))
        codes = [writer.exitcode for writer in self._writers]
        self.kill_all()
        return codes

    def _started(self, number: int) -> BaseProcess:
        self._at_start[number] = self._written(number)
        writer = SPAWNING.Process(target=run, args=(self.task, number), daemon=True)
        writer.start()
        return writer

    def _end(self, number: int) -> None:
        self._writers[number].kill()
        self._writers[number].join(_END)

    def _written(self, number: int) -> int:
        journals = [
            self.task.journal(number, thread) for thread in range(len(self.task.leads[number]))
        ]
        return sum(path.stat().st_size for path in journals if path.exists())


@contextmanager
def a_crew(
    database: str,
    folder: Path,
    *,
    seed: int,
    writers: int,
    threads: int,
    log_type: type[Log] = Log,
    before: Callable[[str], None] = lambda _database: None,
) -> Iterator[Crew]:
    """Found an office with one body for each thread, and start its writers.

    Args:
        database: URL of an empty database.
        folder: for journals.
        seed: of everything random.
        writers: how many processes.
        threads: how many threads in each, so that commands meet in one batch.
        log_type: the log of the writers; another than the real one is a broken twin.
        before: done to the database when the office stands and nobody writes yet.
    """
    bodies = [
        NewBody(f"w{writer}-{thread}", "township", "township-body", "hq")
        for writer in range(writers)
        for thread in range(threads)
    ]
    top = NewBody("hq", "district", "circuit-room")
    with an_office(database, bodies=(top, *bodies), roles=("lead",)) as office:
        task = Task(
            database=database,
            folder=folder,
            seed=seed,
            leads=tuple(
                tuple(office.accounts[f"lead@w{writer}-{at}"] for at in range(threads))
                for writer in range(writers)
            ),
            shared=tuple(_a_case(office, at) for at in range(writers)),
            coordinator=office.accounts["coordinator@hq"],
            log_type=log_type,
        )
    before(database)
    crew = Crew(task, seed)
    try:
        crew.start()
        yield crew
    finally:
        crew.kill_all()


def _a_case(office: Office, number: int) -> UUID:
    return office.do("lead@hq", f"shared {number}", "register-case", a_registration()).stream.id
