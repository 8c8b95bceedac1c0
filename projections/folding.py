"""What each event of a case changes in its standing: the one fold that read models share.

Each read model keeps standings of its own, so none depends on another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

import msgspec

from mediation.case.agreement import (
    AgreementSealed,
    AgreementTookEffect,
)
from mediation.case.aid import AidGranted, AidRefused, CounselAppointed
from mediation.case.assignment import AssignmentDeclined, MediatorsAssigned
from mediation.case.closing import CaseClosed
from mediation.case.conclusion import MediationConcluded, MediationFailed, RemediesNoticeServed
from mediation.case.consent import (
    CaseAccepted,
    CaseNotAccepted,
    ConsentRecorded,
    ConsentWithdrawn,
)
from mediation.case.correction import IrregularityCured
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
from mediation.case.demand import ContractChangeConfirmed, DemandAnswered, DemandFedBack
from mediation.case.drafting import AgreementDrafted, AgreementLegalityChecked
from mediation.case.intake import CaseFlagged, CaseRegistered, FlagCleared
from mediation.case.parties import CollectiveConfirmed, PartyAdded, PartyIdentified
from mediation.case.performance import ObligationPerformed
from mediation.case.proceedings import (
    ObligationsSet,
    ProceedingOpened,
    ProceedingUpdated,
    RemedyRouteTaken,
)
from mediation.case.settlement import (
    OralAgreementRecorded,
    SettlementRecorded,
    UndertakingGiven,
)
from mediation.case.term import StatutoryTermLapsed
from mediation.kernel import Event, decode
from mediation.store import Recorded
from projections.standing import OWN_TERM, TERMS, Debt, Move, Paper, Standing, Term

_SHANGHAI = timedelta(hours=8)
"""China has kept +08:00 without summer time since 1991."""

Touched = dict[UUID, Standing]


def steps(
    batch: Iterable[Recorded], known: Callable[[set[UUID]], Touched]
) -> Iterator[tuple[Recorded, Any, Standing]]:
    """Fold a batch event by event, and tell of each what it leaves of its case.

    Args:
        batch: events in order, whole commands.
        known: gives the standings of cases met before, by id; they are changed in place.

    Raises:
        LookupError: an event of a case that was never registered.
        UnknownEvent: stored bytes that are not of their topic's form.
    """
    of_cases = _of_cases(batch)
    yield from _folded(of_cases, known({_stream(it) for it in of_cases}))


def commands(
    batch: Iterable[Recorded], known: Callable[[set[UUID]], Touched]
) -> Iterator[tuple[int, Touched]]:
    """Fold a batch command by command, and tell of each its end and the cases it touched."""
    of_cases = _of_cases(batch)
    standings = known({_stream(it) for it in of_cases})
    # Grouped before they are folded: grouping looks one event ahead, and a standing changes.
    for command_end, events in groupby(of_cases, key=lambda it: it.command_end):
        yield command_end, {it.case_id: it for _, _, it in _folded(events, standings)}


def _of_cases(batch: Iterable[Recorded]) -> list[Recorded]:
    return [it for it in batch if it.topic.startswith("case.")]


def _folded(
    events: Iterable[Recorded], standings: Touched
) -> Iterator[tuple[Recorded, Any, Standing]]:
    for recorded in events:
        case_id, event = _stream(recorded), decode(recorded.topic, recorded.state)
        if isinstance(event, CaseRegistered):
            standings[case_id] = _registered(event)
        standing = standings[case_id]
        standing.version = recorded.originator_version
        standing.position = recorded.command_end
        _advance(standing, event)
        yield recorded, event, standing


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
        applicants={it.party_id: it.role == "WORKER" for it in event.applicants},
        respondents={it.party_id: it.role == "WORKER" for it in event.respondents},
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
    flaws = getattr(event, "irregularities", ())
    standing.irregularities += [(event.event_id, code) for code in flaws]
    for key in event.due_ended:
        standing.due.pop(key, None)
    for due in event.due:
        standing.due[due.key] = Term(*(getattr(due, name) for name in Term.__struct_fields__))
        if due.code in TERMS:
            standing.term_lapsed = False
        if due.code == OWN_TERM:
            standing.committee_id = standing.custody_body_id


@_on(CaseFlagged)
def _flagged(case: Standing, event: CaseFlagged) -> None:
    case.flags = sorted({*case.flags, event.flag})
    case.risk = event.risk


@_on(FlagCleared)
def _cleared(case: Standing, event: FlagCleared) -> None:
    case.flags = [flag for flag in case.flags if flag != event.flag]
    case.risk = event.risk


@_on(PartyAdded)
def _joined(case: Standing, event: PartyAdded) -> None:
    _identified(case, event)
    case.claimed_fen += sum(line.claimed_fen for line in event.lines)
    case.risk = event.risk


@_on(PartyIdentified)
def _identified(case: Standing, event: PartyAdded | PartyIdentified) -> None:
    party = event.party
    side = case.applicants if party.side == "applicant" else case.respondents
    side[party.party_id] = party.role == "WORKER"


@_on(CollectiveConfirmed)
def _collective(case: Standing, event: CollectiveConfirmed) -> None:
    case.flags = sorted({*case.flags, "COLLECTIVE"})
    case.risk = event.risk


@_on(IrregularityCured)
def _cured(case: Standing, event: IrregularityCured) -> None:
    cured = (event.flawed_event_id, event.code)
    case.irregularities = [it for it in case.irregularities if it != cured]


@_on(ConsentRecorded)
def _answered(case: Standing, event: ConsentRecorded) -> None:
    case.answers[event.party_id] = event.answer.value
    _owe(case, event)


@_on(ConsentWithdrawn)
def _unwilling(case: Standing, event: ConsentWithdrawn) -> None:
    case.answers[event.party_id] = "REFUSED"
    _owe(case, event)


@_on(CaseNotAccepted, MediationFailed, AidRefused)
def _owe(case: Standing, event: Any) -> None:
    case.owed_ids = list(dict.fromkeys((*case.owed_ids, *event.owed_to_ids)))


@_on(AidGranted)
def _aided(case: Standing, _event: AidGranted) -> None:
    case.owed_ids = []


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


@_on(CounselAppointed)
def _represented(case: Standing, event: CounselAppointed) -> None:
    case.counsel_ids = sorted({*case.counsel_ids, event.counsel_id})


@_on(AssignmentDeclined)
def _declined(case: Standing, event: AssignmentDeclined) -> None:
    case.mediator_ids = (
        [] if event.leads else [it for it in case.mediator_ids if it != event.mediator_id]
    )


@_on(StatutoryTermLapsed)
def _lapsed(case: Standing, event: StatutoryTermLapsed) -> None:
    if event.legal_effect is not None:
        case.committee_id = None
    else:
        case.term_lapsed = True


@_on(AgreementDrafted)
def _drafted(case: Standing, event: AgreementDrafted) -> None:
    case.draft = Paper(event.seal_body_id)


@_on(AgreementLegalityChecked)
def _checked(case: Standing, event: AgreementLegalityChecked) -> None:
    if case.draft is not None:
        case.draft = msgspec.structs.replace(case.draft, passed=True) if event.passed else None


@_on(AgreementSealed)
def _sealed(case: Standing, _event: AgreementSealed) -> None:
    if case.draft is not None:
        case.draft = msgspec.structs.replace(case.draft, is_sealed=True)


@_on(AgreementTookEffect)
def _in_force(case: Standing, event: AgreementTookEffect) -> None:
    case.draft = None
    _promised(case, event)


@_on(ObligationsSet)
def _ordered(case: Standing, event: ObligationsSet) -> None:
    case.is_ordered = True
    _promised(case, event)


@_on(UndertakingGiven, SettlementRecorded, OralAgreementRecorded, ContractChangeConfirmed)
def _promised(case: Standing, event: Any) -> None:
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
    case.draft = None
    case.term_lapsed = False


@_on(DemandAnswered)
def _demand_answered(case: Standing, event: DemandAnswered) -> None:
    # Who was told something else before, or told before any answer, has not been told this one.
    case.is_fed_back = case.is_fed_back and case.demand_answer == event.answer
    case.demand_answer = event.answer


@_on(DemandFedBack)
def _fed_back(case: Standing, event: DemandFedBack) -> None:
    case.is_fed_back = case.is_fed_back or event.all_told


@_on(RemedyRouteTaken, ProceedingOpened)
def _opened(case: Standing, event: RemedyRouteTaken | ProceedingOpened) -> None:
    case.proceedings.append(event.proceeding_id)


@_on(ProceedingUpdated)
def _proceeded(case: Standing, event: ProceedingUpdated) -> None:
    if event.result is not None:
        case.proceedings = [it for it in case.proceedings if it != event.proceeding_id]


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
        ground=event.ground,
        asked_at=event.occurred_at,
        told=event.notified_body_ids,
        position=case.position,
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
    case.draft = None
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
