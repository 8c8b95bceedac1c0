"""How a mediation ends: settlement or written undertaking, conclusion, failure, remedies notice.

Sealed agreements (调解协议书) are not written here yet. A 书面承诺 is not a 调解协议书: it starts
neither arbitration review nor judicial confirmation.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from mediation.case.intake import Code, PositiveFen
from mediation.case.lifecycle import require_allowed
from mediation.case.state import (
    CaseCommand,
    CaseEvent,
    CaseFact,
    CaseFacts,
    CaseState,
    MeansCode,
    Obligation,
    Outcome,
    Payment,
    Phase,
    RecordedFact,
    Side,
    due_date,
    unknown,
)
from mediation.codes import is_code
from mediation.errors import FieldFault, Malformed, NotAllowedNow, Refusal
from mediation.kernel import Decision, decides, evolves, stored_as
from mediation.privacy import Personal, Sealed


class ObligationEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is promised on one claim line, in fen, and the last day to pay it."""

    line_id: UUID
    agreed_fen: PositiveFen
    due_on: date


_MOST_PER_LINE = 60
"""Five years of monthly instalments on a claim line; beyond it is a mistake."""

Entries = Annotated[tuple[ObligationEntry, ...], msgspec.Meta(min_length=1, max_length=5000)]


class GiveUndertaking(CaseFact, frozen=True, kw_only=True):
    """A respondent promises in writing to pay (书面承诺)."""

    respondent_id: UUID
    obligations: Entries
    text: Personal


class RecordSettlement(CaseFact, frozen=True, kw_only=True):
    """The parties settled between themselves (和解协议书, L-PROV 11)."""

    signed_by_ids: Annotated[tuple[UUID, ...], msgspec.Meta(min_length=2, max_length=1050)]
    obligations: Annotated[tuple[ObligationEntry, ...], msgspec.Meta(max_length=5000)] = ()
    text: Personal


def _obligations(
    case: CaseState, entries: tuple[ObligationEntry, ...], facts: CaseFacts
) -> tuple[Obligation, ...]:
    lines = {line.line_id: line for line in case.lines}
    if len(entries) + len(case.payments) > _MOST_PER_LINE * len(lines):
        raise Malformed(
            zh="本案登记的应付事项过多，请合并后重新填写。",
            en="Too many obligations for the claims of this case; combine them and submit again.",
            faults=(FieldFault("/obligations", "length"),),
        )
    obligations = []
    for at, entry in enumerate(entries):
        if entry.line_id not in lines:
            raise unknown(f"obligations/{at}/line_id", "unknown-line")
        line = lines[entry.line_id]
        obligations.append(
            Obligation(
                obligation_id=facts.new_id(f"obligation:{at}"),
                line_id=line.line_id,
                applicant_id=line.applicant_id,
                respondent_id=line.respondent_id,
                agreed_fen=entry.agreed_fen,
                due_on=entry.due_on,
            )
        )
    return tuple(obligations)


def _superseded(case: CaseState, obligations: tuple[Obligation, ...]) -> tuple[UUID, ...]:
    """A later paper on a claim line takes the place of an earlier one nothing was paid on."""
    lines = {obligation.line_id for obligation in obligations}
    return tuple(
        payment.obligation.obligation_id
        for payment in case.payments
        if payment.obligation.line_id in lines and payment.applied_fen == 0
    )


def _made_as(case: CaseState, facts: CaseFacts) -> str | None:
    """The capacity of the body that day, under which the paper was made."""
    capacity = facts.network.body(case.custody_body_id).capacity_on(facts.occurred_on)
    return capacity.legal_basis if capacity else None


def _flaws(
    case: CaseState, facts: CaseFacts, *, signed_by: tuple[UUID, ...] | None = None
) -> tuple[str, ...]:
    sides = {case.party(party_id).side for party_id in signed_by or ()}
    ended = case.phase in (Phase.FAILED, Phase.NOT_ACCEPTED)
    return case.flaws(
        {
            "before-acceptance": not ended
            and case.phase is not Phase.CLOSED
            and not case.has_taken_effect
            and (
                not case.acceptance_open
                or case.accepted_at is None
                or case.accepted_at > facts.occurred_at
            ),
            "out-of-order": ended,
            "missing-signature": signed_by is not None and len(sides) < len(Side),
        }
    )


@decides(GiveUndertaking)
def give_undertaking(case: CaseState, command: GiveUndertaking, facts: CaseFacts) -> Decision:
    """Record the promise and what is due; it also interrupts limitation (L-LDMA 27)."""
    if case.party(command.respondent_id) not in case.respondents:
        raise unknown("respondent_id", "not-a-respondent")
    obligations = _obligations(case, command.obligations, facts)
    for at, obligation in enumerate(obligations):
        if obligation.respondent_id != command.respondent_id:
            raise unknown(f"obligations/{at}/line_id", "line-of-another-respondent")
    return Decision.of(
        facts.stream,
        UndertakingGiven(
            **facts.stamp(UndertakingGiven, legal_basis="L-LDMA 27"),
            phase=require_allowed(case, command),
            irregularities=_flaws(case, facts),
            at_body_id=case.custody_body_id,
            respondent_id=command.respondent_id,
            obligations=obligations,
            superseded_ids=_superseded(case, obligations),
            text=case.text(command.text, facts),
            made_as=_made_as(case, facts),
            interrupts_limitation=True,
        ),
    )


@decides(RecordSettlement)
def record_settlement(case: CaseState, command: RecordSettlement, facts: CaseFacts) -> Decision:
    """Record the settlement the parties signed."""
    for party_id in command.signed_by_ids:
        case.party(party_id)
    obligations = _obligations(case, command.obligations, facts)
    return Decision.of(
        facts.stream,
        SettlementRecorded(
            **facts.stamp(SettlementRecorded, legal_basis="L-PROV 11"),
            phase=require_allowed(case, command),
            irregularities=_flaws(case, facts, signed_by=command.signed_by_ids),
            at_body_id=case.custody_body_id,
            signed_by_ids=command.signed_by_ids,
            obligations=obligations,
            superseded_ids=_superseded(case, obligations),
            text=case.text(command.text, facts),
            made_as=_made_as(case, facts),
        ),
    )


@stored_as("case.undertaking-given")
class UndertakingGiven(RecordedFact, frozen=True, kw_only=True):
    """A respondent undertook in writing to pay; `made_as` is the body's capacity that day."""

    at_body_id: str
    respondent_id: UUID
    obligations: tuple[Obligation, ...]
    superseded_ids: tuple[UUID, ...]
    text: Sealed
    made_as: str | None
    interrupts_limitation: bool


@stored_as("case.settlement-recorded")
class SettlementRecorded(RecordedFact, frozen=True, kw_only=True):
    """The parties settled in a paper of their own."""

    at_body_id: str
    signed_by_ids: tuple[UUID, ...]
    obligations: tuple[Obligation, ...]
    superseded_ids: tuple[UUID, ...]
    text: Sealed
    made_as: str | None


@evolves(UndertakingGiven)
@evolves(SettlementRecorded)
def _(case: CaseState, event: UndertakingGiven | SettlementRecorded) -> CaseState:
    return case.with_(
        event,
        settled_by=event.event_id,
        payments=(
            *(
                payment
                for payment in case.payments
                if payment.obligation.obligation_id not in event.superseded_ids
            ),
            *(Payment(obligation=obligation) for obligation in event.obligations),
        ),
    )


class ConcludeMediation(CaseCommand, frozen=True, kw_only=True):
    """Conclude the mediation as settled, on a settlement or undertaking the workers accept."""

    accepted_by_ids: Annotated[tuple[UUID, ...], msgspec.Meta(min_length=1, max_length=1000)]


class FailMediation(CaseCommand, frozen=True, kw_only=True):
    """End the mediation without agreement; every party is told what else is open to it."""

    cause_code: Code
    explanation: Personal | None = None


@decides(ConcludeMediation)
def conclude_mediation(case: CaseState, command: ConcludeMediation, facts: CaseFacts) -> Decision:
    """Conclude as SETTLED; whoever is to be paid must be among those who accept."""
    phase = require_allowed(case, command)
    for party_id in command.accepted_by_ids:
        if case.party(party_id) not in case.applicants:
            raise unknown("accepted_by_ids", "not-an-applicant")
    owed_to = {payment.obligation.applicant_id for payment in case.payments}
    if not owed_to <= set(command.accepted_by_ids):
        raise NotAllowedNow(
            Refusal(
                "not-accepted-by-all",
                "尚有应得款项的申请人未表示接受，请逐一确认后再结案。",
                "An applicant who is to be paid has not accepted; confirm with each of them first.",
            )
        )
    return Decision.of(
        facts.stream,
        _concluded(case, facts, Outcome.SETTLED, phase, accepted_by_ids=command.accepted_by_ids),
    )


@decides(FailMediation)
def fail_mediation(case: CaseState, command: FailMediation, facts: CaseFacts) -> Decision:
    """Record the failure with its cause; the remedies notice becomes due (L-PROV 30, 31)."""
    phase = require_allowed(case, command)
    if not is_code("failure_causes", command.cause_code):
        raise Malformed(
            zh="终止原因代码不存在，请从代码表中选择。",
            en="Unknown cause code; choose one from the code table.",
            faults=(FieldFault("/cause_code", "unknown-code"),),
        )
    failed = MediationFailed(
        **facts.stamp(MediationFailed, reason_code=command.cause_code, legal_basis="L-PROV 30, 31"),
        phase=phase,
        at_body_id=case.custody_body_id,
        explanation=case.text(command.explanation, facts),
        owed_to_ids=tuple(party.party_id for party in case.parties),
        interrupts_limitation=True,
        due=()
        if "D05" in case.due
        else (due_date("D05", facts, facts.ladder_of(case), MediationFailed),),
    )
    return Decision.of(facts.stream, failed, _concluded(case, facts, Outcome.FAILED, phase))


def _concluded(
    case: CaseState,
    facts: CaseFacts,
    outcome: Outcome,
    phase: Phase,
    *,
    accepted_by_ids: tuple[UUID, ...] = (),
) -> MediationConcluded:
    term = case.due.get("D02")
    settled = outcome is not Outcome.FAILED
    covered = {payment.obligation.line_id for payment in case.payments} if settled else set()
    uncovered = tuple(line.line_id for line in case.lines if line.line_id not in covered)
    is_partial = bool(covered and uncovered)
    return MediationConcluded(
        **facts.stamp(MediationConcluded),
        phase=phase,
        due_ended=case.ending(*_MEDIATING),
        acceptance_no=case.acceptance_no,
        outcome=outcome,
        partial=is_partial,
        uncovered_line_ids=uncovered if is_partial else (),
        concluded_on=facts.occurred_on,
        term_on=term.rolled_on if term else None,
        within_term=term is None or facts.occurred_on <= term.rolled_on,
        at_body_id=case.custody_body_id,
        at_level=case.level,
        first_accepting_body_id=case.first_accepting_body_id,
        instrument_event_id=case.settled_by if settled else None,
        accepted_by_ids=accepted_by_ids,
        agreed_fen=sum(payment.obligation.agreed_fen for payment in case.payments)
        if settled
        else 0,
    )


_MEDIATING = ("D01", "D02", "D03", "D06", "D13")
"""The clocks that a conclusion stops."""


@stored_as("case.mediation-failed")
class MediationFailed(CaseEvent, frozen=True, kw_only=True):
    """No agreement came about, for the coded cause; every party is owed the remedies notice."""

    at_body_id: str
    explanation: Sealed | None
    owed_to_ids: tuple[UUID, ...]
    interrupts_limitation: bool


@stored_as("case.mediation-concluded")
class MediationConcluded(CaseEvent, frozen=True, kw_only=True):
    """The acceptance ended: 调解结案, counted once per acceptance, on this day, at this body.

    `partial` says that claim lines stayed without an agreed sum; `term_on` is the last legal day
    the conclusion is held against.
    """

    acceptance_no: int
    outcome: Outcome
    partial: bool
    uncovered_line_ids: tuple[UUID, ...]
    concluded_on: date
    term_on: date | None
    within_term: bool
    at_body_id: str
    at_level: str
    first_accepting_body_id: str | None
    instrument_event_id: UUID | None
    accepted_by_ids: tuple[UUID, ...]
    agreed_fen: int


@evolves(MediationFailed)
def _(case: CaseState, event: MediationFailed) -> CaseState:
    return case.with_(event, remedies_owed_ids=case.remedies_owed_ids | set(event.owed_to_ids))


@evolves(MediationConcluded)
def _(case: CaseState, event: MediationConcluded) -> CaseState:
    return case.with_(event, outcome=event.outcome, acceptance_open=False, settled_by=None)


class ServeRemediesNotice(CaseFact, frozen=True, kw_only=True):
    """Tell one party in writing what other ways are open to it, and until when."""

    party_id: UUID
    means: MeansCode
    contents: Literal["arbitration", "arbitration-and-court", "other"] = "arbitration"


@decides(ServeRemediesNotice)
def serve_remedies_notice(
    case: CaseState, command: ServeRemediesNotice, facts: CaseFacts
) -> Decision:
    """Record that the party was told; only a notice in writing discharges the duty."""
    party = case.party(command.party_id)
    in_writing = command.means not in ("phone", "attending")
    rest = case.remedies_owed_ids - {party.party_id}
    return Decision.of(
        facts.stream,
        RemediesNoticeServed(
            **facts.stamp(RemediesNoticeServed, legal_basis="L-PROV 30"),
            phase=require_allowed(case, command),
            due_ended=case.ending("D05") if in_writing and not rest else (),
            irregularities=case.flaws({"not-in-writing": not in_writing}),
            party_id=party.party_id,
            means=command.means,
            contents=command.contents,
            in_writing=in_writing,
        ),
    )


@stored_as("case.remedies-notice-served")
class RemediesNoticeServed(RecordedFact, frozen=True, kw_only=True):
    """A party was told in writing of arbitration and of the other ways open to it."""

    party_id: UUID
    means: str
    contents: str
    in_writing: bool


@evolves(RemediesNoticeServed)
def _(case: CaseState, event: RemediesNoticeServed) -> CaseState:
    if not event.in_writing:
        return case.with_(event)
    return case.with_(
        event,
        remedies_owed_ids=case.remedies_owed_ids - {event.party_id},
        remedies_told_ids=case.remedies_told_ids | {event.party_id},
    )
