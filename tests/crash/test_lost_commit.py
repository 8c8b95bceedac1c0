"""The connection dies between commit and answer: the door finds its own write, and says so."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest

from mediation.application import Answer, Mediation
from mediation.errors import MediationError, OutcomeUnknown
from mediation.store import Log
from mediation.store.hot import SQLite
from tests.crash.oracle import Verdict, judge
from tests.crash.proxy import CuttingProxy
from tests.crash.twins import ForgetfulLog
from tests.crash.writer import Line, send
from tests.databases import BACKENDS
from tests.wiring import a_registration, an_office, wired

SEED = 20260303
TRIES = 4
LEAST_CUTS = 100
# How often in a row the connection dies under one command; at four the door gives up.
CUTS = (1,) * 90 + (2,) * 6 + (TRIES,) * 3
TWIN_CUTS = (1,) * 10


class Cutter:
    """Says which commits are cut, and whether before or after they take effect.

    Attributes:
        cuts: how many were cut.
    """

    def __init__(self) -> None:
        self.cuts = 0
        self._left = 0
        self._gives_up = False
        self._random = random.Random(SEED)
        self._lock = threading.Lock()

    def arm(self, times: int) -> None:
        """Cut the next so many commits; as many as the door tries: let none of them through."""
        self._left = times
        self._gives_up = times >= TRIES

    def fires(self) -> bool:
        """Take one cut, if one is left."""
        with self._lock:
            if not self._left:
                return False
            self._left -= 1
            self.cuts += 1
            return True

    def toss(self) -> bool:
        """Decide whether this one is let through before it is cut."""
        return not self._gives_up and self._random.random() < 0.5


class CutConnection:
    """A driver's connection whose COMMIT fails, whether or not it took effect."""

    def __init__(self, connection: Any, cutter: Cutter) -> None:
        self._connection = connection
        self._cutter = cutter

    def execute(self, statement: str, *args: Any) -> Any:
        """Pass on, unless it is a commit that is to be cut."""
        if statement != "COMMIT" or not self._cutter.fires():
            return self._connection.execute(statement, *args)
        if self._cutter.toss():
            self._connection.execute(statement)
        raise sqlite3.OperationalError("disk I/O error")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@contextmanager
def under_the_knife(database: str, cutter: Cutter, log_type: type[Log]) -> Iterator[Mediation]:
    """Wire an engine whose connections are cut."""
    if not database.startswith("sqlite"):
        with (
            CuttingProxy(database, cutter) as proxy,
            wired(proxy.url, log_type=log_type) as engine,
        ):
            yield engine
        return

    class Cutting(SQLite):
        @staticmethod
        def writer(connection: Any) -> Any:
            return CutConnection(connection, cutter)

    with wired(database, log_type=log_type) as engine:
        engine.log.log_recorder._writer._driver = Cutting
        yield engine


class Client:
    """Sends each command until it is answered, then once more; writes down what it was told."""

    def __init__(self, engine: Mediation, actor_id: UUID) -> None:
        self.lines: list[Line] = []
        self.unknown = 0
        self._engine = engine
        self._actor_id = actor_id

    def send(self, command: str, body: dict[str, Any], case: Answer | None = None) -> Answer | None:
        """Send, repeat while the outcome is unknown, and repeat once after an answer."""
        line = Line(
            "sent",
            f"key-{len(self.lines)}",
            self._actor_id,
            command=command,
            body=body,
            stream_id=case.stream.id if case else None,
            expected_version=case.version if case else None,
        )
        self.lines.append(line)
        answer = self._answer(line)
        if answer is not None:
            self._answer(line)
        return answer

    def _answer(self, line: Line) -> Answer | None:
        while True:
            try:
                answer = send(self._engine, line)
            except OutcomeUnknown:
                self.unknown += 1
            except MediationError as error:
                told = type(error).__name__
                self.lines.append(Line("refused", line.key, line.actor_id, error=told))
                return None
            else:
                done = Line(
                    "done",
                    line.key,
                    line.actor_id,
                    stream_id=answer.stream.id,
                    positions=tuple(event.position for event in answer.events),
                    version=answer.version,
                )
                self.lines.append(done)
                return answer


def _cut(
    database: str, cuts: tuple[int, ...], log_type: type[Log] = Log
) -> tuple[Cutter, Client, Verdict]:
    """Work a case, cutting each commit as often as `cuts` says."""
    cutter = Cutter()
    with an_office(database) as office:
        actor_id = office.accounts["lead@hengjie"]
    with under_the_knife(database, cutter, log_type) as engine:
        client = Client(engine, actor_id)
        case: Answer | None = None
        for at, times in enumerate(random.Random(SEED).sample(cuts, len(cuts))):
            cutter.arm(times)
            if at % 10 == 0 or case is None:
                case = client.send("register-case", a_registration())
            else:
                case = client.send("raise-flag", {"flag": "URGENT"}, case)
            cutter.arm(0)
    return cutter, client, judge(database, client.lines)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_lost_commit_is_answered_as_what_it_was(request, backend):
    """A hundred commits lose their answer; each command is told its own, and stands once.

    The first answer is the recorded one or that the outcome is unknown, never a conflict; the same
    key is answered the same afterwards.
    """
    database = request.getfixturevalue(f"{backend}_database")
    cutter, client, verdict = _cut(database, CUTS)
    print(  # noqa: T201 - the figures that are quoted
        f"\n{backend}: seed {SEED}, {cutter.cuts} commits cut under {verdict.commands} commands, "
        f"{client.unknown} answered as unknown and repeated, wrong: {verdict.wrong() or 'nothing'}"
    )

    verdict.require_clean()
    assert cutter.cuts >= LEAST_CUTS
    assert client.unknown >= CUTS.count(TRIES)
    assert verdict.commands == len(CUTS)
    assert verdict.refused == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_receipts_a_lost_commit_is_written_twice_or_told_as_a_conflict(request, backend):
    """The broken twin has no receipts, so a repeated command is a stranger to it."""
    database = request.getfixturevalue(f"{backend}_database")
    _, _, verdict = _cut(database, TWIN_CUTS, ForgetfulLog)

    assert {"duplicated", "own_refused"} <= verdict.wrong().keys()
    with pytest.raises(AssertionError):
        verdict.require_clean()
