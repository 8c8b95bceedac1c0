"""What the writers' journals say against what stands in the log; how it got there is not asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from itertools import pairwise
from uuid import UUID, uuid5

import msgspec
from sqlalchemy import select

from mediation.store import Log, Recorded, open_engine
from mediation.store.tables import RECEIPT
from tests.crash.writer import Line, Task, read_journal
from tests.wiring import MORNING

_PAGE = 5000


class _Envelope(msgspec.Struct):
    event_id: UUID
    command_id: UUID


@dataclass
class Verdict:
    """Everything that must not be, each with what it was found at; all empty means all well.

    Attributes:
        lost: keys that were answered and are not in the log, or not where the answer said.
        duplicated: commands, events or positions that stand in the log more than once.
        holes: positions, or versions of a stream, that are not dense from 1.
        backwards: positions recorded earlier than the one before.
        own_refused: keys that were answered with a refusal although they are in the log.
        changed: keys that were answered more than once, and not the same.
        unreceipted: commands whose receipt is missing or says something else than the log.
        broken: errors that no client should ever see.
        acknowledged: how many events stand behind answers.
        commands: how many commands were answered.
    """

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    holes: list[str] = field(default_factory=list)
    backwards: list[str] = field(default_factory=list)
    own_refused: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unreceipted: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    acknowledged: int = 0
    commands: int = 0
    refused: int = 0

    def wrong(self) -> dict[str, int]:
        """Count what was found, by kind."""
        found = {part.name: getattr(self, part.name) for part in fields(self)}
        return {name: len(it) for name, it in found.items() if isinstance(it, list) and it}

    def require_clean(self) -> None:
        """Fail unless nothing was found.

        Raises:
            AssertionError: with the count and the first finding of each kind.
        """
        first = {name: getattr(self, name)[0] for name in self.wrong()}
        assert not first, f"{self.wrong()}; first of each: {first}"


def journals_of(task: Task) -> list[Line]:
    """Read all journals of a crew."""
    return [line for path in sorted(task.folder.glob("*.journal")) for line in read_journal(path)]


def whole_log(log: Log) -> list[Recorded]:
    """Read every row of the log, also where positions are not what they should be."""
    events: list[Recorded] = []
    while page := log.log_recorder.read_span(events[-1].position if events else 0, 2**62, _PAGE):
        events += page
    return events


def judge(database: str, lines: Iterable[Line]) -> Verdict:
    """Hold the journals against the log."""
    engine = open_engine(database)
    try:
        with Log(engine, clock=lambda: MORNING) as log:
            events = whole_log(log)
        with engine.connect() as connection:
            receipts = {row.command_id: row for row in connection.execute(select(RECEIPT))}
    finally:
        engine.dispose()
    verdict = Verdict()
    commands: defaultdict[UUID, list[Recorded]] = defaultdict(list)
    envelopes = [msgspec.json.decode(event.state, type=_Envelope) for event in events]
    for event, envelope in zip(events, envelopes, strict=True):
        commands[envelope.command_id].append(event)
    _judge_order(verdict, events, envelopes)
    for command_id, own in commands.items():
        if len({event.command_end for event in own}) != 1:
            verdict.duplicated.append(f"command {command_id} at {[e.position for e in own]}")
        receipt = receipts.get(command_id)
        if receipt is None or (receipt.first_position, receipt.last_position) != (
            own[0].position,
            own[-1].position,
        ):
            verdict.unreceipted.append(f"command {command_id}")
    verdict.unreceipted += [f"receipt {it}" for it in receipts.keys() - commands.keys()]
    _judge_answers(verdict, lines, commands)
    return verdict


def _judge_order(verdict: Verdict, events: list[Recorded], envelopes: list[_Envelope]) -> None:
    twice = [it for it, count in Counter(e.event_id for e in envelopes).items() if count > 1]
    verdict.duplicated += [f"event {event_id}" for event_id in twice]
    shared = [it for it, count in Counter(e.position for e in events).items() if count > 1]
    verdict.duplicated += [f"position {position}" for position in shared]
    for expected, event in enumerate(events, 1):
        if event.position != expected:
            verdict.holes.append(f"position {event.position} stands where {expected} should")
            break
    streams: defaultdict[UUID | str, list[int]] = defaultdict(list)
    for event in events:
        streams[event.originator_id].append(event.originator_version)
    for stream, versions in streams.items():
        if versions != list(range(1, len(versions) + 1)):
            verdict.holes.append(f"stream {stream} has versions {versions[:20]}")
    for before, after in pairwise(events):
        if after.recorded_at < before.recorded_at:
            verdict.backwards.append(f"position {after.position}")


def _judge_answers(
    verdict: Verdict, lines: Iterable[Line], commands: dict[UUID, list[Recorded]]
) -> None:
    answers: dict[str, Line] = {}
    for line in lines:
        own = commands.get(uuid5(line.actor_id, line.key), [])
        if line.kind == "broken":
            verdict.broken.append(line.error)
        elif line.kind == "refused":
            verdict.refused += 1
            if own:
                verdict.own_refused.append(f"{line.key} ({line.error})")
        elif line.kind == "done":
            if answers.setdefault(line.key, line) != line:
                verdict.changed.append(line.key)
            versions = [e.originator_version for e in own if e.originator_id == line.stream_id]
            if tuple(e.position for e in own) != line.positions or versions[-1] != line.version:
                verdict.lost.append(line.key)
    verdict.commands = len(answers)
    verdict.acknowledged = sum(len(line.positions) for line in answers.values())
