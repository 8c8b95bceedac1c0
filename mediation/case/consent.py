"""Each party is asked whether it wants mediation at this body; then the office accepts or refuses.

Mediation is never compulsory (L-PML 3): only a clear refusal bars it, silence does not (L-ZJ 10).
"""

from __future__ import annotations

from datetime import UTC, datetime
from operator import itemgetter
from typing import ClassVar, Literal
from uuid import UUID

from mediation.calendar import DueDate
from mediation.case.conclusion import concluded, ending_move
from mediation.case.lifecycle import BEFORE_EFFECT, require_allowed
from mediation.case.state import (
    CaseCommand,
    CaseEvent,
    CaseFact,
    CaseFacts,
    CaseState,
    RecordedFact,
    due_date,
    level_target,
    require_code,
)
from mediation.case.values import Answer, Code, Matter, MeansCode, Outcome, Party, Phase, Side
from mediation.errors import NotAllowedNow, Refusal
from mediation.kernel import Decision, decides, evolves, stored_as
from mediation.privacy import Personal, Sealed

_NEVER = datetime.max.replace(tzinfo=UTC)


class AskConsent(CaseFact, frozen=True, kw_only=True):
    """Ask one party whether it wants mediation at the present body."""

    matters: ClassVar[frozenset[Matter]] = frozenset({Matter.DISPUTE})

    party_id: UUID
    means: MeansCode


class RecordConsent(CaseFact, frozen=True, kw_only=True):
    """Record what one party answered at the present body, how, and what proves it."""

    matters: ClassVar[frozenset[Matter]] = frozenset({Matter.DISPUTE})

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
            **case.stamp(facts, ConsentAsked),
            phase=require_allowed(case, command),
            irregularities=case.flaws(),
            party_id=party.party_id,
            means=command.means,
        ),
    )


@decides(RecordConsent)
def record_consent(case: CaseState, command: RecordConsent, facts: CaseFacts) -> Decision:
    """Record the answer; under an open acceptance the last AGREED re-accepts the case.

    Nothing follows from a refusal once the mediation is over.
    """
    party = case.party(command.party_id)
    answers = {**case.consents, party.party_id: command.answer}
    agrees = command.answer is Answer.AGREED
    is_over = case.phase not in BEFORE_EFFECT
    refuses = command.answer is Answer.REFUSED and not is_over
    goes_on = agrees and case.acceptance_open and case.both_sides_agree(answers)
    phase = require_allowed(case, command, to=Phase.ACCEPTED if goes_on else None)
    owed = _untold(case, _other_side(case, party)) if refuses else ()
    due: tuple[DueDate, ...] = ()
    if owed and "D05" not in case.due:
        due = (due_date("D05", facts, facts.ladder_of(case), ConsentRecorded),)
    elif agrees:
        due = _proactive_term(case, party.party_id, answers, facts)
    return Decision.of(
        facts.stream,
        ConsentRecorded(
            **case.stamp(facts, ConsentRecorded, legal_basis="L-ZJ 10" if refuses else None),
            phase=phase,
            due=due,
            irregularities=case.flaws(
                {
                    "out-of-order": command.answer is Answer.REFUSED
                    and is_over
                    and case.phase is not Phase.CLOSED
                }
            ),
            party_id=party.party_id,
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
        or case.term is not None
        or case.phase not in (Phase.REGISTERED, Phase.CONSENT_PENDING)
        or case.acceptance_no > 0
        or not case.both_sides_agree(answers)
    ):
        return ()
    here = (facts.occurred_at, facts.event_id(ConsentRecorded))
    agreed = {it: (at, case.agreed_in[it]) for it, at in case.agreed_at.items()}
    when = itemgetter(0)
    agreed[party_id] = min(agreed.get(party_id, here), here, key=when)
    # Answers may be typed in out of order: the later side's first consent counts.
    since = max(
        (
            min((agreed[p.party_id] for p in side if p.party_id in agreed), key=when)
            for side in (case.applicants, case.respondents)
        ),
        key=when,
    )
    ladder = facts.ladder_of(case)
    term = due_date("D02", facts, ladder, ConsentRecorded, start=since)
    return term, level_target(facts, ladder, case.level, ConsentRecorded, term.due_on)


@stored_as("case.consent-asked")
class ConsentAsked(RecordedFact, frozen=True, kw_only=True):
    """A party was asked whether it wants mediation at a body."""

    party_id: UUID
    means: str


@stored_as("case.consent-recorded")
class ConsentRecorded(RecordedFact, frozen=True, kw_only=True):
    """A party answered; of a clear refusal the other side is to be told in writing.

    A respondent's refusal also interrupts the limitation period (L-PROV 31).
    """

    party_id: UUID
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
    agreed_at, agreed_in, withdrawn_ids = case.agreed_at, case.agreed_in, case.withdrawn_ids
    if event.answer is Answer.AGREED:
        # Typed in out of order: the earliest counts.
        if event.occurred_at < agreed_at.get(event.party_id, _NEVER):
            agreed_at = {**agreed_at, event.party_id: event.occurred_at}
            agreed_in = {**agreed_in, event.party_id: event.event_id}
        # Silence after it does not take a withdrawal back.
        withdrawn_ids -= {event.party_id}
    return case.with_(
        event,
        consents={**case.consents, event.party_id: event.answer},
        withdrawn_ids=withdrawn_ids,
        agreed_at=agreed_at,
        agreed_in=agreed_in,
        remedies_owed_ids=case.remedies_owed_ids | set(event.owed_to_ids),
    )


class WithdrawConsent(CaseFact, frozen=True, kw_only=True):
    """A party does not wish to go on; before acceptance that stands as a clear refusal."""

    matters: ClassVar[frozenset[Matter]] = frozenset({Matter.DISPUTE})

    party_id: UUID
    means: MeansCode
    proof: Personal | None = None


@decides(WithdrawConsent)
def withdraw_consent(case: CaseState, command: WithdrawConsent, facts: CaseFacts) -> Decision:
    """Record it; with nobody willing left on that side the mediation has failed (L-PROV 31).

    The others on the side go on without the one who left. Once the mediation is over nothing
    follows from it: an agreement in force binds.
    """
    party = case.party(command.party_id)
    answers = {**case.consents, party.party_id: Answer.REFUSED}
    ends = case.acceptance_open and not case.is_willing(party.side, answers)
    phase = require_allowed(case, command, to=Phase.FAILED if ends else None)
    here = case.phase or phase
    fails = ends and phase is Phase.FAILED
    is_over = case.phase not in BEFORE_EFFECT
    others = case.parties if fails else _other_side(case, party)
    owed = () if is_over else _untold(case, others)
    event = ConsentWithdrawn(
        **case.stamp(
            facts,
            ConsentWithdrawn,
            legal_basis=facts.basis(case, inside="L-PROV 31", elsewhere="L-ZJ 10; cf. L-PROV 31"),
        ),
        phase=phase,
        due=(due_date("D05", facts, facts.ladder_of(case), ConsentWithdrawn),)
        if owed and "D05" not in case.due
        else (),
        irregularities=case.flaws({"out-of-order": is_over and case.phase is not Phase.CLOSED}),
        party_id=party.party_id,
        means=command.means,
        proof=case.text(command.proof, facts),
        owed_to_ids=owed,
        # Before acceptance it stands as a refusal, which interrupts only if the other side's.
        interrupts_limitation=not is_over
        and (case.acceptance_open or party.side is Side.RESPONDENT),
    )
    if not fails:
        return Decision.of(facts.stream, event)
    return Decision.of(
        facts.stream,
        *ending_move(case, facts, here, reason_code="consent-withdrawn", by=ConsentWithdrawn),
        event,
        concluded(case, facts, Outcome.FAILED, phase, caused_by=event.event_id),
    )


def _other_side(case: CaseState, party: Party) -> tuple[Party, ...]:
    return case.respondents if party.side is Side.APPLICANT else case.applicants


@stored_as("case.consent-withdrawn")
class ConsentWithdrawn(RecordedFact, frozen=True, kw_only=True):
    """A party did not wish to go on; those named are to be told in writing.

    Under an open acceptance it interrupts the limitation period, and before it if the respondent's
    (L-PROV 31).
    """

    party_id: UUID
    means: str
    proof: Sealed | None
    owed_to_ids: tuple[UUID, ...]
    interrupts_limitation: bool


@evolves(ConsentWithdrawn)
def _(case: CaseState, event: ConsentWithdrawn) -> CaseState:
    return case.with_(
        event,
        consents={**case.consents, event.party_id: Answer.REFUSED},
        withdrawn_ids=case.withdrawn_ids | {event.party_id},
        remedies_owed_ids=case.remedies_owed_ids | set(event.owed_to_ids),
    )


class AcceptCase(CaseCommand, frozen=True, kw_only=True):
    """Accept the case for mediation; the lead states what he checked (L-PROV 22)."""

    matters: ClassVar[frozenset[Matter]] = frozenset({Matter.DISPUTE})

    within_scope: bool
    within_district: bool
    pending_elsewhere: Literal["NONE", "ARBITRATION", "COURT"] = "NONE"


class RefuseCase(CaseCommand, frozen=True, kw_only=True):
    """Do not accept the case; the applicant is told why in writing, and what else is open."""

    matters: ClassVar[frozenset[Matter]] = frozenset({Matter.DISPUTE})

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
            **case.stamp(
                facts,
                CaseAccepted,
                legal_basis=facts.basis(
                    case, inside="L-PROV 22", elsewhere="L-ZJ 10; cf. L-PROV 22"
                ),
            ),
            phase=phase,
            due=(due_date("D03", facts, ladder, CaseAccepted),) if own_term else (),
            due_ended=case.ending("D01", "D05"),
            acceptance_no=case.acceptance_no + 1,
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
    require_code("refusal_reasons", command.reason_code, "reason_code")
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
            **case.stamp(
                facts,
                CaseNotAccepted,
                reason_code=command.reason_code,
                legal_basis=facts.basis(
                    case, inside="L-PROV 22", elsewhere="L-ZJ 10; cf. L-PROV 22"
                ),
            ),
            phase=phase,
            due=(due_date("D05", facts, facts.ladder_of(case), CaseNotAccepted),)
            if owed and "D05" not in case.due
            else (),
            due_ended=case.ending("D01", "D02", "D04", "D13"),
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
        accepted_by_id=event.actor_id,
        first_accepting_body_id=case.first_accepting_body_id or event.at_body_id,
        outcome=None,
        remedies_owed_ids=frozenset(),
        remedies_told_ids=frozenset(),
    )


@evolves(CaseNotAccepted)
def _(case: CaseState, event: CaseNotAccepted) -> CaseState:
    return case.with_(event, remedies_owed_ids=case.remedies_owed_ids | set(event.owed_to_ids))
