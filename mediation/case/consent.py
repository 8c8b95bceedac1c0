"""Each party is asked whether it wants mediation at this body; then the office accepts or refuses.

Mediation is never compulsory (L-PML 3): only a clear refusal bars it, silence does not (L-ZJ 10).
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from mediation.calendar import DueDate
from mediation.case.intake import Code
from mediation.case.lifecycle import require_allowed
from mediation.case.state import (
    Answer,
    CaseCommand,
    CaseEvent,
    CaseFact,
    CaseFacts,
    CaseState,
    MeansCode,
    Party,
    Phase,
    RecordedFact,
    Side,
    due_date,
    level_target,
)
from mediation.codes import is_code
from mediation.errors import FieldFault, Malformed, NotAllowedNow, Refusal
from mediation.kernel import Decision, decides, evolves, stored_as
from mediation.privacy import Personal, Sealed


class AskConsent(CaseFact, frozen=True, kw_only=True):
    """Ask one party whether it wants mediation at the present body."""

    party_id: UUID
    means: MeansCode


class RecordConsent(CaseFact, frozen=True, kw_only=True):
    """Record what one party answered at the present body, how, and what proves it."""

    party_id: UUID
    answer: Answer
    means: MeansCode
    proof: Personal | None = None


@decides(AskConsent)
def ask_consent(case: CaseState, command: AskConsent, facts: CaseFacts) -> Decision:
    """Record that the party was asked."""
    party = case.party(command.party_id)
    return Decision.of(
        facts.stream,
        ConsentAsked(
            **facts.stamp(ConsentAsked),
            phase=require_allowed(case, command),
            irregularities=case.flaws(),
            party_id=party.party_id,
            at_body_id=case.custody_body_id,
            means=command.means,
        ),
    )


@decides(RecordConsent)
def record_consent(case: CaseState, command: RecordConsent, facts: CaseFacts) -> Decision:
    """Record the answer; under an open acceptance the last AGREED re-accepts the case."""
    party = case.party(command.party_id)
    phase = require_allowed(case, command)
    answers = {**case.consents, party.party_id: command.answer}
    agrees = command.answer is Answer.AGREED
    refuses = command.answer is Answer.REFUSED and case.phase is not Phase.CLOSED
    if (
        agrees
        and case.acceptance_open
        and phase is Phase.CONSENT_PENDING
        and case.both_sides_agree(answers)
    ):
        phase = Phase.ACCEPTED
    other_side = case.respondents if party.side is Side.APPLICANT else case.applicants
    owed = _untold(case, other_side) if refuses else ()
    due: tuple[DueDate, ...] = ()
    if owed and "D05" not in case.due:
        due = (due_date("D05", facts, facts.ladder_of(case), ConsentRecorded),)
    elif agrees:
        due = _proactive_term(case, party.party_id, answers, facts)
    return Decision.of(
        facts.stream,
        ConsentRecorded(
            **facts.stamp(ConsentRecorded, legal_basis="L-ZJ 10" if refuses else None),
            phase=phase,
            due=due,
            irregularities=case.flaws(),
            party_id=party.party_id,
            at_body_id=case.custody_body_id,
            answer=command.answer,
            means=command.means,
            proof=case.text(command.proof, facts),
            owed_to_ids=owed,
            # Only the other side's refusal does (L-PROV 31).
            interrupts_limitation=refuses and party.side is Side.RESPONDENT,
        ),
    )


def _untold(case: CaseState, parties: tuple[Party, ...]) -> tuple[UUID, ...]:
    return tuple(p.party_id for p in parties if p.party_id not in case.remedies_told_ids)


def _proactive_term(
    case: CaseState, party_id: UUID, answers: dict[UUID, Answer], facts: CaseFacts
) -> tuple[DueDate, ...]:
    """Without an application the term runs from the second side's consent (L-ZJ 10)."""
    if (
        case.entry != "PROACTIVE"
        or "D02" in case.due
        or case.phase not in (Phase.REGISTERED, Phase.CONSENT_PENDING)
        or case.acceptance_no > 0
        or not case.both_sides_agree(answers)
    ):
        return ()
    agreed_at = {**case.agreed_at, party_id: facts.occurred_at}
    # Answers may be typed in out of order: the later side's first consent counts.
    start = max(
        min(agreed_at[p.party_id] for p in side if p.party_id in agreed_at)
        for side in (case.applicants, case.respondents)
    )
    ladder = facts.ladder_of(case)
    since = (start, facts.event_id(ConsentRecorded))
    term = due_date("D02", facts, ladder, ConsentRecorded, start=since)
    return term, level_target(facts, ladder, case.level, ConsentRecorded, term.due_on)


@stored_as("case.consent-asked")
class ConsentAsked(RecordedFact, frozen=True, kw_only=True):
    """A party was asked whether it wants mediation at a body."""

    party_id: UUID
    at_body_id: str
    means: str


@stored_as("case.consent-recorded")
class ConsentRecorded(RecordedFact, frozen=True, kw_only=True):
    """A party answered; of a clear refusal the other side is to be told in writing.

    A respondent's refusal also interrupts the limitation period (L-PROV 31).
    """

    party_id: UUID
    at_body_id: str
    answer: Answer
    means: str
    proof: Sealed | None
    owed_to_ids: tuple[UUID, ...]
    interrupts_limitation: bool


@evolves(ConsentAsked)
def _(case: CaseState, event: ConsentAsked) -> CaseState:
    return case.with_(event)


@evolves(ConsentRecorded)
def _(case: CaseState, event: ConsentRecorded) -> CaseState:
    agreed_at = case.agreed_at
    if event.answer is Answer.AGREED and event.party_id not in agreed_at:
        agreed_at = {**agreed_at, event.party_id: event.occurred_at}
    return case.with_(
        event,
        consents={**case.consents, event.party_id: event.answer},
        agreed_at=agreed_at,
        remedies_owed_ids=case.remedies_owed_ids | set(event.owed_to_ids),
    )


class AcceptCase(CaseCommand, frozen=True, kw_only=True):
    """Accept the case for mediation; the lead states what he checked (L-PROV 22)."""

    within_scope: bool
    within_district: bool
    pending_elsewhere: Literal["NONE", "ARBITRATION", "COURT"] = "NONE"


class RefuseCase(CaseCommand, frozen=True, kw_only=True):
    """Do not accept the case; the applicant is told why in writing, and what else is open."""

    reason_code: Code
    explanation: Personal | None = None


@decides(AcceptCase)
def accept_case(case: CaseState, command: AcceptCase, facts: CaseFacts) -> Decision:
    """Open the mediation and, for an enterprise committee, its own fifteen days (L-PROV 29)."""
    phase = require_allowed(case, command)
    refusals = []
    if not command.within_scope:
        refusals.append(
            Refusal(
                "out-of-scope",
                "不属于劳动争议调解范围的，请办理不予受理并告知其他途径。",
                "Outside the scope of mediation: refuse the case and tell the other ways open.",
            )
        )
    if not command.within_district:
        refusals.append(
            Refusal(
                "wrong-place",
                "不属于本区管辖的，请办理不予受理，并告知当事人可向有管辖权的调解组织申请。",
                "Outside the district: refuse the case and tell the parties where to apply.",
            )
        )
    if command.pending_elsewhere != "NONE":
        refusals.append(
            Refusal(
                "pending-elsewhere",
                "争议已由仲裁机构或者人民法院受理，未经其委派、委托，不得受理。",
                "Arbitration or a court has the matter already; only a delegated case is accepted.",
            )
        )
    if refusals:
        raise NotAllowedNow(*refusals)
    ladder = facts.ladder_of(case)
    own_term = ladder.limit("D03", case.level)
    return Decision.of(
        facts.stream,
        CaseAccepted(
            **facts.stamp(CaseAccepted, legal_basis="L-PROV 22"),
            phase=phase,
            due=(due_date("D03", facts, ladder, CaseAccepted),) if own_term else (),
            due_ended=case.ending("D01", "D05"),
            acceptance_no=case.acceptance_no + 1,
            at_body_id=case.custody_body_id,
            collective=case.is_collective,
            within_scope=command.within_scope,
            within_district=command.within_district,
            pending_elsewhere=command.pending_elsewhere,
            agreed_ids=tuple(p.party_id for p in case.parties if case.has_agreed(p)),
        ),
    )


@decides(RefuseCase)
def refuse_case(case: CaseState, command: RefuseCase, facts: CaseFacts) -> Decision:
    """Refuse with a coded reason; the written notice to the applicant becomes due."""
    phase = require_allowed(case, command)
    if not is_code("refusal_reasons", command.reason_code):
        raise Malformed(
            zh="不予受理的理由代码不存在，请从代码表中选择。",
            en="Unknown reason code; choose one from the code table.",
            faults=(FieldFault("/reason_code", "unknown-code"),),
        )
    if command.reason_code == "party-refused" and case.refusing_side() is None:
        raise NotAllowedNow(
            Refusal(
                "nobody-refused",
                "没有一方明确拒绝调解；未答复、无法联系的，请以“未获同意”为由办理。",
                "No side has clearly refused; for silence choose 'consent not obtained'.",
            )
        )
    owed = _untold(case, case.applicants)
    return Decision.of(
        facts.stream,
        CaseNotAccepted(
            **facts.stamp(
                CaseNotAccepted, reason_code=command.reason_code, legal_basis="L-PROV 22"
            ),
            phase=phase,
            due=(due_date("D05", facts, facts.ladder_of(case), CaseNotAccepted),)
            if owed and "D05" not in case.due
            else (),
            due_ended=case.ending("D01", "D02", "D13"),
            explanation=case.text(command.explanation, facts),
            owed_to_ids=owed,
        ),
    )


@stored_as("case.accepted")
class CaseAccepted(CaseEvent, frozen=True, kw_only=True):
    """The body accepted the case, on what the lead stated he had checked.

    `acceptance_no` 1 is a new acceptance, 2 and more a restart.
    """

    acceptance_no: int
    at_body_id: str
    collective: bool
    within_scope: bool
    within_district: bool
    pending_elsewhere: str
    agreed_ids: tuple[UUID, ...]


@stored_as("case.not-accepted")
class CaseNotAccepted(CaseEvent, frozen=True, kw_only=True):
    """The body refused the case, for the coded reason; a written notice is owed to applicants."""

    explanation: Sealed | None
    owed_to_ids: tuple[UUID, ...]


@evolves(CaseAccepted)
def _(case: CaseState, event: CaseAccepted) -> CaseState:
    return case.with_(
        event,
        acceptance_no=event.acceptance_no,
        acceptance_open=True,
        accepted_at=event.occurred_at,
        first_accepting_body_id=case.first_accepting_body_id or event.at_body_id,
        outcome=None,
        remedies_owed_ids=frozenset(),
        remedies_told_ids=frozenset(),
    )


@evolves(CaseNotAccepted)
def _(case: CaseState, event: CaseNotAccepted) -> CaseState:
    return case.with_(event, remedies_owed_ids=case.remedies_owed_ids | set(event.owed_to_ids))
