"""A case as its events leave it: what several read models copy from them; nothing is decided here.

Each read model keeps a standing of its own, so none depends on another. What an event says is
copied: due dates are never computed, phases never derived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

import msgspec

from mediation.case.agreement import (
    MediationConcluded,
    MediationFailed,
    RemediesNoticeServed,
    SettlementRecorded,
    UndertakingGiven,
)
from mediation.case.assignment import AssignmentDeclined, MediatorsAssigned
from mediation.case.closing import CaseClosed
from mediation.case.consent import CaseAccepted, CaseNotAccepted, ConsentRecorded
from mediation.case.custody import (
    CaseAssignedDown,
    CaseEscalated,
    CaseReportedUp,
    CaseRerouted,
    CaseSentBack,
    CaseTransferred,
    CustodyMoveDeclined,
    CustodyMoveRequested,
    CustodyMoveWithdrawn,
    CustodyTaken,
)
from mediation.case.intake import CaseFlagged, CaseRegistered, FlagCleared
from mediation.case.performance import ObligationPerformed
from mediation.kernel import Event, decode
from mediation.store import Recorded

_SHANGHAI = timedelta(hours=8)
"""China has kept +08:00 without summer time since 1991."""

_ANSWER = "D12"
"""By when the receiver of a move answers: the one date of a case that is not its own body's."""


class Term(msgspec.Struct, array_like=True, frozen=True):
    """A due date: the last safe day, and the legal last day it was rolled to."""

    due_on: date
    rolled_on: date


class Debt(msgspec.Struct, array_like=True, frozen=True):
    """An obligation: what was agreed and what is paid of it, in fen, and the day it is due."""

    agreed_fen: int
    applied_fen: int
    due_on: date

    @property
    def is_paid(self) -> bool:
        """Nothing is left to pay."""
        return self.applied_fen >= self.agreed_fen


class Move(msgspec.Struct, array_like=True, frozen=True):
    """A pending move of custody, as far as the receiver may know of it before he answers."""

    kind: str
    from_body_id: str
    from_level: str
    to_body_id: str
    to_level: str
    to_path: str


class Standing(msgspec.Struct, array_like=True, kw_only=True):
    """A case after its events; owned and changed in place by one fold. Money is in fen.

    `workers` are those on either side; `answers` were given at the body in custody; `sent_back`
    says that the case came back or was not taken, and nothing was done about it since.
    """

    case_id: UUID
    case_number: str
    matter_kind: str
    entry: str
    channel: str
    cause: str
    received_on: date
    filed_by_id: UUID | None
    phase: str
    level: str
    branch: str | None
    custody_body_id: str
    custody_path: str
    risk: str
    applicant_ids: list[UUID]
    respondent_ids: list[UUID]
    workers: int
    claimed_fen: int
    version: int = 0
    position: int = 0
    flags: list[str] = []
    former: list[str] = []
    mediator_ids: list[UUID] = []
    answers: dict[UUID, str] = {}
    owed_ids: list[UUID] = []
    acceptance_no: int = 0
    acceptance_open: bool = False
    accepted_on: date | None = None
    outcome: str | None = None
    concluded_on: date | None = None
    closed_on: date | None = None
    obligations: dict[UUID, Debt] = {}
    move: Move | None = None
    sent_back: bool = False
    irregularities: int = 0
    due: dict[str, Term] = {}

    @property
    def assigned_ids(self) -> tuple[UUID, ...]:
        """The mediators of the case."""
        return tuple(self.mediator_ids)

    @property
    def receiver_body_id(self) -> str | None:
        """The body a pending move waits for."""
        return self.move.to_body_id if self.move else None

    @property
    def receiver_path(self) -> str | None:
        """Its path."""
        return self.move.to_path if self.move else None

    @property
    def former_paths(self) -> tuple[str, ...]:
        """The paths of the bodies that had the case before."""
        return tuple(self.former)

    @property
    def is_open(self) -> bool:
        """The case is not closed."""
        return self.phase != "CLOSED"

    @property
    def agreed_fen(self) -> int:
        """All that was promised."""
        return sum(debt.agreed_fen for debt in self.obligations.values())

    @property
    def applied_fen(self) -> int:
        """All that was paid of it."""
        return sum(debt.applied_fen for debt in self.obligations.values())

    @property
    def has_taken_effect(self) -> bool:
        """An agreement or settlement ended the mediation, so what was promised is owed."""
        return self.outcome in ("AGREED", "SETTLED")

    @property
    def has_open_duty(self) -> bool:
        """A notice or, after an effect, a payment is owed: the case cannot simply be closed."""
        return bool(self.owed_ids) or (self.has_taken_effect and bool(self.unpaid()))

    def unpaid(self) -> list[Debt]:
        """Give the obligations of which something is left to pay."""
        return [debt for debt in self.obligations.values() if not debt.is_paid]

    def next_due(self) -> tuple[str, Term] | None:
        """Give the earliest open due date of the body in custody, with its code."""
        own = ((code, term) for code, term in self.due.items() if code != _ANSWER)
        return min(own, key=lambda it: (it[1].due_on, it[0]), default=None)

    @property
    def answer_due(self) -> tuple[str, Term] | None:
        """The date by which the receiver of a pending move answers, with its code."""
        term = self.due.get(_ANSWER)
        return None if term is None else (_ANSWER, term)

    def answers_by_side(self) -> tuple[set[str | None], set[str | None]]:
        """Give what applicants and what respondents answered here; None stands for not yet."""
        applicants, respondents = (
            {self.answers.get(party_id) for party_id in side}
            for side in (self.applicant_ids, self.respondent_ids)
        )
        return applicants, respondents


def stored(standing: Standing) -> str:
    """Give a standing as the text in which a read model keeps it."""
    return _ENCODER.encode(standing).decode()


def restored(text: str) -> Standing:
    """Read a standing back."""
    return _DECODER.decode(text)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Standing)

Touched = dict[UUID, Standing]


def commands(
    batch: Iterable[Recorded], known: Callable[[set[UUID]], Touched]
) -> Iterator[tuple[int, Touched]]:
    """Fold a batch command by command, and tell of each its end and the cases it touched.

    Args:
        batch: events in order, whole commands.
        known: gives the standings of cases met before, by id; they are changed in place.

    Raises:
        LookupError: an event of a case that was never registered.
        msgspec.ValidationError: stored bytes that are not of their topic's form.
    """
    of_cases = [it for it in batch if it.topic.startswith("case.")]
    standings = known({_stream(it) for it in of_cases})
    for command_end, events in groupby(of_cases, key=lambda it: it.command_end):
        touched: Touched = {}
        for recorded in events:
            case_id, event = _stream(recorded), decode(recorded.topic, recorded.state)
            if isinstance(event, CaseRegistered):
                standings[case_id] = _registered(event)
            standing = touched[case_id] = standings[case_id]
            _advance(standing, event)
            standing.version = recorded.originator_version
            standing.position = command_end
        yield command_end, touched


def _stream(recorded: Recorded) -> UUID:
    stream_id = recorded.originator_id
    return stream_id if isinstance(stream_id, UUID) else UUID(stream_id)


def shanghai_date(at: datetime) -> date:
    """Give the Shanghai date of an aware UTC time."""
    return (at + _SHANGHAI).date()


def _registered(event: CaseRegistered) -> Standing:
    return Standing(
        case_id=event.case_id,
        case_number=event.case_number,
        matter_kind=event.matter_kind,
        entry=event.entry,
        channel=event.channel,
        cause=event.cause,
        received_on=shanghai_date(event.occurred_at),
        filed_by_id=event.actor_id,
        phase=event.phase.value,
        level=event.level,
        branch=event.branch,
        custody_body_id=event.custody_body_id,
        custody_path=event.custody_path,
        risk=event.risk,
        applicant_ids=[party.party_id for party in event.applicants],
        respondent_ids=[party.party_id for party in event.respondents],
        workers=sum(it.role == "WORKER" for it in (*event.applicants, *event.respondents)),
        claimed_fen=sum(line.claimed_fen for line in event.lines),
    )


Change = Callable[[Standing, Any], None]
_CHANGES: dict[type[Event], Change] = {}


def _on(*event_types: type[Event]) -> Callable[[Change], Change]:
    def register(change: Change) -> Change:
        _CHANGES.update(dict.fromkeys(event_types, change))
        return change

    return register


def _advance(standing: Standing, event: Any) -> None:
    standing.phase = event.phase.value
    change = _CHANGES.get(type(event))
    if change is not None:
        change(standing, event)
    standing.irregularities += len(getattr(event, "irregularities", ()))
    for code in event.due_ended:
        standing.due.pop(code, None)
    for due in event.due:
        standing.due[due.code] = Term(due.due_on, due.rolled_on)


@_on(CaseFlagged)
def _flagged(case: Standing, event: CaseFlagged) -> None:
    case.flags = sorted({*case.flags, event.flag})
    case.risk = event.risk


@_on(FlagCleared)
def _cleared(case: Standing, event: FlagCleared) -> None:
    case.flags = [flag for flag in case.flags if flag != event.flag]
    case.risk = event.risk


@_on(ConsentRecorded)
def _answered(case: Standing, event: ConsentRecorded) -> None:
    case.answers[event.party_id] = event.answer.value
    _owe(case, event)


@_on(CaseNotAccepted, MediationFailed)
def _owe(case: Standing, event: ConsentRecorded | CaseNotAccepted | MediationFailed) -> None:
    case.owed_ids = list(dict.fromkeys((*case.owed_ids, *event.owed_to_ids)))


@_on(CaseAccepted)
def _accepted(case: Standing, event: CaseAccepted) -> None:
    case.acceptance_no = event.acceptance_no
    case.acceptance_open = True
    case.accepted_on = shanghai_date(event.occurred_at)
    case.outcome = case.concluded_on = None
    case.owed_ids = []


@_on(MediatorsAssigned)
def _assigned(case: Standing, event: MediatorsAssigned) -> None:
    case.mediator_ids = list(event.mediator_ids)
    case.sent_back = False


@_on(AssignmentDeclined)
def _declined(case: Standing, event: AssignmentDeclined) -> None:
    case.mediator_ids = (
        [] if event.leads else [it for it in case.mediator_ids if it != event.mediator_id]
    )


@_on(UndertakingGiven, SettlementRecorded)
def _promised(case: Standing, event: UndertakingGiven | SettlementRecorded) -> None:
    for superseded_id in event.superseded_ids:
        case.obligations.pop(superseded_id, None)
    for it in event.obligations:
        case.obligations[it.obligation_id] = Debt(it.agreed_fen, 0, it.due_on)


@_on(ObligationPerformed)
def _paid(case: Standing, event: ObligationPerformed) -> None:
    debt = case.obligations[event.obligation_id]
    case.obligations[event.obligation_id] = msgspec.structs.replace(
        debt, applied_fen=debt.applied_fen + event.applied_fen
    )


@_on(MediationConcluded)
def _concluded(case: Standing, event: MediationConcluded) -> None:
    case.acceptance_open = False
    case.outcome = event.outcome.value
    case.concluded_on = event.concluded_on


@_on(RemediesNoticeServed)
def _told(case: Standing, event: RemediesNoticeServed) -> None:
    if event.in_writing:
        case.owed_ids = [party_id for party_id in case.owed_ids if party_id != event.party_id]


@_on(CustodyMoveRequested)
def _requested(case: Standing, event: CustodyMoveRequested) -> None:
    case.sent_back = False
    case.move = Move(
        kind=event.kind.value,
        from_body_id=event.from_body_id,
        from_level=event.from_level,
        to_body_id=event.to_body_id,
        to_level=event.to_level,
        to_path=event.to_path,
    )


@_on(
    CaseEscalated,
    CaseReportedUp,
    CaseTransferred,
    CaseRerouted,
    CaseAssignedDown,
    CaseSentBack,
)
def _taken(case: Standing, event: CustodyTaken) -> None:
    case.former.append(case.custody_path)
    case.level, case.branch = event.to_level, event.to_branch
    case.custody_body_id, case.custody_path = event.to_body_id, event.to_path
    case.move = None
    case.sent_back = isinstance(event, CaseSentBack)
    case.mediator_ids = []
    case.answers = dict.fromkeys(event.agreed_ids, "AGREED")


@_on(CustodyMoveDeclined)
def _not_taken(case: Standing, _event: CustodyMoveDeclined) -> None:
    case.move = None
    case.sent_back = True


@_on(CustodyMoveWithdrawn)
def _withdrawn(case: Standing, _event: CustodyMoveWithdrawn) -> None:
    case.move = None


@_on(CaseClosed)
def _closed(case: Standing, event: CaseClosed) -> None:
    case.closed_on = shanghai_date(event.occurred_at)
    case.sent_back = False
