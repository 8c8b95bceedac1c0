"""How a mediation ends: conclusion, failure, withdrawal; and what the parties are told then.

调解结案 is counted once per acceptance. An agreement, an oral agreement, withdrawn consent or a
departure to a remedy concludes too: those chapters make the event with `concluded`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec

from mediation.case.custody import CLIMBS, withdrawn
from mediation.case.lifecycle import phase_after, require_allowed
from mediation.case.performance import checks_of
from mediation.case.state import (
    CaseCommand,
    CaseEvent,
    CaseFact,
    CaseFacts,
    CaseState,
    RecordedFact,
    due_date,
    require_code,
    unknown,
)
from mediation.case.values import (
    Code,
    Instrument,
    Matter,
    MeansCode,
    Outcome,
    PartyIds,
    Payment,
    Phase,
    unique,
)
from mediation.errors import FieldFault, Malformed, NotAllowedNow, Refusal
from mediation.kernel import Decision, decides, evolves, stored_as
from mediation.privacy import Personal, Sealed

CLOCKS = ("D01", "D02", "D03", "D04", "D06", "D13")
"""The clocks that a conclusion stops."""


class ConcludeMediation(CaseCommand, frozen=True, kw_only=True):
    """Conclude the mediation as settled, on a settlement or undertaking the workers accept."""

    matters: ClassVar[frozenset[Matter]] = frozenset({Matter.DISPUTE})

    accepted_by_ids: Annotated[tuple[UUID, ...], msgspec.Meta(min_length=1, max_length=1000)]


class FailMediation(CaseCommand, frozen=True, kw_only=True):
    """End the mediation without agreement; every party is told what else is open to it."""

    matters: ClassVar[frozenset[Matter]] = frozenset({Matter.DISPUTE})

    cause_code: Code
    explanation: Personal | None = None


class WithdrawApplication(CaseFact, frozen=True, kw_only=True):
    """All applicants take the application back; `settled` says that they settled the matter."""

    by_ids: PartyIds
    settled: bool = False
    explanation: Personal | None = None


@decides(ConcludeMediation)
def conclude_mediation(case: CaseState, command: ConcludeMediation, facts: CaseFacts) -> Decision:
    """Conclude as SETTLED; whoever is to be paid must be among those who accept."""
    phase = require_allowed(case, command)
    for party in case.parties_of(command.accepted_by_ids, "accepted_by_ids"):
        if party not in case.applicants:
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
        concluded(
            case,
            facts,
            Outcome.SETTLED,
            phase,
            caused_by=case.settled_by,
            accepted_by_ids=command.accepted_by_ids,
        ),
    )


@decides(FailMediation)
def fail_mediation(case: CaseState, command: FailMediation, facts: CaseFacts) -> Decision:
    """Record the failure with its cause; the remedies notice becomes due (L-PROV 30, 31)."""
    phase = require_allowed(case, command)
    require_code("failure_causes", command.cause_code, "cause_code")
    # The recorded lapse interrupted it already, on an earlier day.
    is_interrupted = case.term_lapsed and command.cause_code == "term-lapsed"
    failed = MediationFailed(
        **case.stamp(
            facts,
            MediationFailed,
            reason_code=command.cause_code,
            legal_basis=facts.basis(
                case,
                inside="L-PROV 30; L-PROV 31",
                elsewhere="L-LDMA 14; cf. L-PROV 30; cf. L-PROV 31",
            ),
        ),
        phase=phase,
        explanation=case.text(command.explanation, facts),
        owed_to_ids=tuple(party.party_id for party in case.parties),
        interrupts_limitation=not is_interrupted,
        due=()
        if "D05" in case.due
        else (due_date("D05", facts, facts.ladder_of(case), MediationFailed),),
    )
    ended = concluded(case, facts, Outcome.FAILED, phase, caused_by=failed.event_id)
    return Decision.of(facts.stream, failed, ended)


@decides(WithdrawApplication)
def withdraw_application(
    case: CaseState, command: WithdrawApplication, facts: CaseFacts
) -> Decision:
    """Record the withdrawal; under an open acceptance it also concludes.

    Where it leads on, it ends a pending move as well.
    """
    everybody = {party.party_id for party in case.applicants}
    if everybody != set(command.by_ids):
        raise Malformed(
            zh="撤回申请须由全体申请人作出；部分申请人退出的，不按撤回办理。",
            en="An application is withdrawn by all applicants; the exit of some is no withdrawal.",
            faults=(FieldFault("/by_ids", "not-all-applicants"),),
        )
    phase = require_allowed(case, command)
    here = case.phase or phase
    event = CaseWithdrawn(
        **case.stamp(facts, CaseWithdrawn),
        phase=phase,
        due_ended=() if phase is here else case.ending(*CLOCKS, "D07", "D23"),
        irregularities=case.flaws({"out-of-order": phase not in (Phase.WITHDRAWN, Phase.CLOSED)}),
        by_ids=unique(command.by_ids),
        settled=command.settled,
        explanation=case.text(command.explanation, facts),
    )
    outcome = Outcome.SETTLED if command.settled else Outcome.WITHDRAWN
    before = (
        ()
        if phase is here
        else ending_move(case, facts, here, reason_code="application-withdrawn", by=CaseWithdrawn)
    )
    after = (
        (concluded(case, facts, outcome, phase, caused_by=event.event_id, clocks=event.due_ended),)
        if case.acceptance_open and phase is Phase.WITHDRAWN
        else ()
    )
    return Decision.of(facts.stream, *before, event, *after)


def ending_move(  # noqa: PLR0913 - each says one thing about how it ended
    case: CaseState,
    facts: CaseFacts,
    phase: Phase,
    *,
    reason_code: str,
    by: type[CaseEvent],
    only_climbs: bool = False,
) -> tuple[CaseEvent, ...]:
    """Withdraw a pending move that what happens now, an event of type `by`, leaves purposeless."""
    if case.move is None or (only_climbs and case.move.kind not in CLIMBS):
        return ()
    cause = facts.event_id(by)
    return (withdrawn(case, case.move, facts, phase, reason_code=reason_code, caused_by=cause),)


def concluded(  # noqa: PLR0913 - each says one thing about how it ended
    case: CaseState,
    facts: CaseFacts,
    outcome: Outcome,
    phase: Phase,
    *,
    caused_by: UUID | None,
    accepted_by_ids: tuple[UUID, ...] = (),
    payments: tuple[Payment, ...] | None = None,
    paper: tuple[UUID, Instrument] | None = None,
    uncovered: tuple[UUID, ...] | None = None,
    clocks: tuple[str, ...] = (),
) -> MediationConcluded:
    """Make the event that ends the open acceptance: 调解结案, on the day of the fact.

    Args:
        case: as it stands.
        facts: of the decision.
        outcome: how it ended.
        phase: where that leads.
        caused_by: the event it follows from, such as the paper it rests on.
        accepted_by_ids: the applicants who accepted what was promised.
        payments: what is owed then; default: what stands in the case.
        paper: event and kind of the paper it rests on; default: the paper recorded before.
        uncovered: claim lines left open; default: those on which nothing was promised.
        clocks: keys of due dates that an event of the same decision has ended already.
    """
    term = case.term
    is_effect = outcome in (Outcome.AGREED, Outcome.SETTLED)
    paper_id, instrument = paper or (case.settled_by, case.settled_as)
    owed = case.payments if payments is None else payments
    if uncovered is None:
        covered = {payment.obligation.line_id for payment in owed}
        uncovered = tuple(line.line_id for line in case.lines if line.line_id not in covered)
    is_partial = is_effect and 0 < len(uncovered) < len(case.lines)
    started, ended = checks_of(case, owed, facts, MediationConcluded) if is_effect else ((), ())
    stopped = tuple(key for key in case.ending(*CLOCKS) if key not in clocks)
    return MediationConcluded(
        **case.stamp(facts, MediationConcluded, caused_by=caused_by),
        phase=phase,
        due=started,
        due_ended=(*stopped, *ended),
        acceptance_no=case.acceptance_no,
        outcome=outcome,
        partial=is_partial,
        uncovered_line_ids=uncovered if is_partial else (),
        concluded_on=facts.occurred_on,
        term_code=term.code if term else None,
        term_due_on=term.due_on if term else None,
        term_on=term.rolled_on if term else None,
        within_term=facts.occurred_on <= term.rolled_on if term else None,
        first_accepting_body_id=case.first_accepting_body_id,
        instrument_event_id=paper_id if is_effect else None,
        instrument=instrument if is_effect else None,
        accepted_by_ids=unique(accepted_by_ids),
        agreed_fen=sum(it.obligation.agreed_fen for it in owed) if is_effect else 0,
    )


@stored_as("case.mediation-failed")
class MediationFailed(CaseEvent, frozen=True, kw_only=True):
    """No agreement came about, for the coded cause; every party is owed the remedies notice."""

    explanation: Sealed | None
    owed_to_ids: tuple[UUID, ...]
    interrupts_limitation: bool


@stored_as("case.withdrawn")
class CaseWithdrawn(RecordedFact, frozen=True, kw_only=True):
    """All applicants took the application back, perhaps since they had settled the matter."""

    by_ids: tuple[UUID, ...]
    settled: bool
    explanation: Sealed | None


@stored_as("case.mediation-concluded")
class MediationConcluded(CaseEvent, frozen=True, kw_only=True):
    """The acceptance ended: 调解结案, counted once per acceptance, on this day, at this body.

    `partial` says that claim lines stayed without an agreement. `term_code` is the term that ran,
    `term_due_on` its last safe day, which the parties are told, and `term_on` its last legal day,
    against which `within_term` is held; all four are null where no term ran. `instrument` is the
    kind of the paper it rests on.
    """

    acceptance_no: int
    outcome: Outcome
    partial: bool
    uncovered_line_ids: tuple[UUID, ...]
    concluded_on: date
    term_code: str | None
    term_due_on: date | None
    term_on: date | None
    within_term: bool | None
    first_accepting_body_id: str | None
    instrument_event_id: UUID | None
    instrument: Instrument | None
    accepted_by_ids: tuple[UUID, ...]
    agreed_fen: int


@evolves(MediationFailed)
def _(case: CaseState, event: MediationFailed) -> CaseState:
    return case.with_(event, remedies_owed_ids=case.remedies_owed_ids | set(event.owed_to_ids))


@evolves(CaseWithdrawn)
def _(case: CaseState, event: CaseWithdrawn) -> CaseState:
    return case.with_(event)


@evolves(MediationConcluded)
def _(case: CaseState, event: MediationConcluded) -> CaseState:
    return case.with_(
        event,
        outcome=event.outcome,
        acceptance_open=False,
        settled_by=None,
        settled_as=None,
        draft=None,
        term_lapsed=False,
        # Registered and concluded by the same command: 一表办.
        is_on_one_form=event.command_id == case.registered_in,
    )


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
            **case.stamp(
                facts,
                RemediesNoticeServed,
                legal_basis=facts.basis(case, inside="L-PROV 30", elsewhere="cf. L-PROV 30"),
            ),
            phase=phase_after(case, command, moves=False),
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
