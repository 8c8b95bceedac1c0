"""A process that works cases through the door until it is killed; judging it is `oracle`'s.

Every thread keeps a journal: a line before a command is sent, and a line after it was answered.
After a restart it first sends again what was left without an answer, and the last that had one,
exactly as a client does who never saw the answer. Lines survive SIGKILL as soon as they are
written; only a power cut could take them, and none is played here.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

import msgspec

from mediation import kernel, ladder
from mediation.application import Answer, Mediation
from mediation.errors import MediationError, OutcomeUnknown
from mediation.store import Log
from tests.wiring import MORNING, execute, wired

BROKEN = 3
_PAUSE = 0.02


@dataclass(frozen=True)
class Task:
    """What the writers are to do.

    Attributes:
        database: URL of the log.
        folder: for the journals, and for the file `stop` that ends the work.
        seed: of everything random here.
        leads: for each thread of each writer the account that leads a body of its own.
        shared: cases that everybody writes to, and the coordinator who may.
        log_type: the real log, or a broken twin.
    """

    database: str
    folder: Path
    seed: int
    leads: tuple[tuple[UUID, ...], ...]
    shared: tuple[UUID, ...]
    coordinator: UUID
    log_type: type[Log] = Log

    def journal(self, writer: int, thread: int) -> Path:
        """Give the journal of one thread; every life of its writer goes on in it."""
        return self.folder / f"{writer}-{thread}.journal"

    @property
    def stop(self) -> Path:
        """The file whose existence ends the work."""
        return self.folder / "stop"


@dataclass(frozen=True)
class Line:
    """One line of a journal.

    `kind` is `sent` (with the command), `done` (with the answer), `refused`, or `broken`.
    """

    kind: str
    key: str
    actor_id: UUID
    command: str = ""
    body: Mapping[str, Any] | None = None
    stream_id: UUID | None = None
    expected_version: int | None = None
    positions: tuple[int, ...] = ()
    version: int = 0
    error: str = ""


class Journal:
    """The lines of one thread, appended one by one, each with one write of the system."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    def write(self, line: Line) -> None:
        """Append a line."""
        data = {**line.__dict__, "actor_id": line.actor_id.hex}
        data["stream_id"] = line.stream_id and line.stream_id.hex
        os.write(self._file, json.dumps(data).encode() + b"\n")


def read_journal(path: Path) -> Iterator[Line]:
    """Read the whole lines of a journal that may not exist yet."""
    if not path.exists():
        return
    for text in path.read_bytes().split(b"\n")[:-1]:
        data = json.loads(text)
        data["actor_id"] = UUID(data["actor_id"])
        data["stream_id"] = data["stream_id"] and UUID(data["stream_id"])
        data["positions"] = tuple(data["positions"])
        yield Line(**data)


def send(engine: Mediation, line: Line) -> Answer:
    """Send what a line says, the first time or again."""
    return execute(
        engine,
        line.actor_id,
        line.key,
        line.command,
        line.body or {},
        stream_id=line.stream_id,
        expected_version=line.expected_version,
    )


class Clerk:
    """One thread of a writer."""

    def __init__(self, engine: Mediation, task: Task, writer: int, thread: int) -> None:
        self._engine = engine
        self._task = task
        self._lead = task.leads[writer][thread]
        path = task.journal(writer, thread)
        self._past = list(read_journal(path))
        self._journal = Journal(path)
        self._random = random.Random(f"{task.seed}/{writer}/{thread}/{len(self._past)}")
        self._name = f"{writer}-{thread}"
        self._sent = sum(line.kind == "sent" for line in self._past)

    def work(self) -> None:
        """Finish what an earlier life left behind, then work cases until told to stop."""
        try:
            for line in self._left_behind():
                self._answered(line)
            while not self._task.stop.exists():
                self._work_a_case()
        except Exception as error:  # noqa: BLE001 - a defect must reach the judge, whatever it is
            self._journal.write(Line("broken", "", self._lead, error=repr(error)))
            os._exit(BROKEN)

    def _left_behind(self) -> list[Line]:
        sent = {line.key: line for line in self._past if line.kind == "sent"}
        ended = {line.key for line in self._past if line.kind in {"done", "refused"}}
        done = [line.key for line in self._past if line.kind == "done"]
        return [sent[key] for key in sent if key not in ended] + [sent[key] for key in done[-1:]]

    def _work_a_case(self) -> None:
        case = self._send("register-case", _REGISTRATION)
        if case is None:
            return
        worker, company = (str(party.party_id) for party in case.state.parties)
        agreed = {"answer": "AGREED", "means": "phone"}
        self._send("raise-flag", {"flag": self._random.choice(_FLAGS)}, at=self._any_shared())
        steps: tuple[tuple[str, dict[str, Any]], ...] = (
            ("record-consent", {"party_id": worker, "proof": "电话录音", **agreed}),
            ("record-consent", {"party_id": company, **agreed}),
            ("accept-case", {"within_scope": True, "within_district": True}),
            ("fail-mediation", {"cause_code": "no-agreement", "explanation": "双方分歧较大。"}),
        )
        answer: Answer | None = case
        for command, body in steps:
            if answer is None:
                return
            answer = self._send(command, body, at=case.stream.id, expects=answer.version)

    def _any_shared(self) -> UUID:
        return self._random.choice(self._task.shared)

    def _send(
        self,
        command: str,
        body: Mapping[str, Any],
        *,
        at: UUID | None = None,
        expects: int | None = None,
    ) -> Answer | None:
        self._sent += 1
        is_shared = at is not None and expects is None
        line = Line(
            kind="sent",
            key=f"{self._name}-{self._sent}",
            actor_id=self._task.coordinator if is_shared else self._lead,
            command=command,
            body=body,
            stream_id=at,
            expected_version=expects,
        )
        self._journal.write(line)
        return self._answered(line)

    def _answered(self, line: Line) -> Answer | None:
        """Send until there is an answer; give none if it was refused or the work is over."""
        while True:
            try:
                answer = send(self._engine, line)
            except OutcomeUnknown:
                if self._task.stop.exists():
                    return None
                time.sleep(_PAUSE)
            except MediationError as refusal:
                error = type(refusal).__name__
                self._journal.write(Line("refused", line.key, line.actor_id, error=error))
                return None
            else:
                positions = tuple(event.position for event in answer.events)
                done = Line(
                    "done",
                    line.key,
                    line.actor_id,
                    stream_id=answer.stream.id,
                    positions=positions,
                    version=answer.version,
                )
                self._journal.write(done)
                return answer


def run(task: Task, writer: int) -> None:
    """Be a writer: one engine and as many threads as it has bodies."""
    with wired(task.database, clock=ticking(), log_type=task.log_type) as engine:
        clerks = [Clerk(engine, task, writer, at) for at in range(len(task.leads[writer]))]
        threads = [Thread(target=clerk.work) for clerk in clerks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def ticking() -> Callable[[], datetime]:
    """Make a clock that starts again each time a process does: time in the log must not."""
    started = time.monotonic()
    return lambda: MORNING + timedelta(seconds=time.monotonic() - started)


_FLAGS = ("WAGE_ARREARS", "URGENT", "MIGRANT", "NEW_FORM", "WORK_INJURY", "DISABLED")
_REGISTRATION = {
    "matter_kind": "DISPUTE",
    "channel": "walk-in",
    "applicants": [{"role": "WORKER", "name": "王某"}],
    "respondents": [{"role": "EMPLOYER", "party_kind": "COMPANY", "company_name": "示例公司"}],
    "request": "请求支付拖欠的工资。",
    "cause": "C13",
    "lines": [{"applicant": 0, "cause": "C13", "claimed_fen": 850_000}],
}


def _warm_up() -> None:
    """Meet every type once: two threads that are both the first to decode one crash msgspec."""
    ladder.load_ref("standard-v1")
    kernel.check_registries()
    for event_type in kernel.events().values():
        msgspec.json.Decoder(event_type)


# At import, so that it is done before the first fork and a restarted writer is at work at once.
_warm_up()
