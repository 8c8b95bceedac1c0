"""What was promised, and its payment: early, late, in part or more than was due; each a fact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from mediation.calendar import DueDate, day_of, first_moment_of
from mediation.case.lifecycle import is_owed, require_allowed
from mediation.case.state import (
    CaseEvent,
    CaseFact,
    CaseFacts,
    CaseState,
    RecordedFact,
    due_date,
    require_countable,
    unknown,
)
from mediation.case.values import (
    Obligation,
    Payment,
    Phase,
    PositiveFen,
    unique,
)
from mediation.errors import FieldFault, Malformed
from mediation.kernel import Decision, Event, decides, evolves, stored_as

_MOST_PER_LINE = 60
"""Five years of monthly instalments on a claim line; beyond it is a mistake."""

MOST_PER_PAPER = 1000
_MOST_OF_A_CASE = 5000
"""Of a thousand workers five each; in one paper thirty-four with two claims in monthly parts."""

_MOST_DAYS = 200
_MOST_DAYS_OF_A_CASE = 1000
"""Each day on which something falls due is one to be looked after (D10)."""


class ObligationEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is promised on one claim line, in fen, and the last day to pay it.

    Several entries of a line are its instalments. `joint_ids` are respondents who answer for it
    beside the line's own (连带).
    """

    line_id: UUID
    agreed_fen: PositiveFen
    due_on: date
    joint_ids: Annotated[tuple[UUID, ...], msgspec.Meta(max_length=50)] = ()


Entries = Annotated[
    tuple[ObligationEntry, ...], msgspec.Meta(min_length=1, max_length=MOST_PER_PAPER)
]
FewEntries = Annotated[tuple[ObligationEntry, ...], msgspec.Meta(max_length=MOST_PER_PAPER)]
"""As `Entries`; nothing need be promised."""


def obligations_of(
    case: CaseState,
    entries: tuple[ObligationEntry, ...],
    facts: CaseFacts,
) -> tuple[Obligation, ...]:
    """Make the obligations of a paper out of what was typed in.

    Raises:
        Malformed: a line or respondent that is not of this case, or far too many entries or days.
    """
    lines = {line.line_id: line for line in case.lines}
    replaced = frozenset(_replaced(case, {entry.line_id for entry in entries}))
    kept = [it for it in case.payments if it.obligation.obligation_id not in replaced]
    most = min(_MOST_PER_LINE * len(lines), _MOST_OF_A_CASE)
    if len(entries) > MOST_PER_PAPER or len(entries) + len(kept) > most:
        raise Malformed(
            zh="本案登记的应付事项过多，请合并后重新填写。",
            en="Too many obligations for the claims of this case; combine them and submit again.",
            faults=(FieldFault("/obligations", "length"),),
        )
    days = {entry.due_on for entry in entries}
    standing_days = {it.obligation.due_on for it in kept if not it.is_performed}
    if len(days) > _MOST_DAYS or len(days | standing_days) > _MOST_DAYS_OF_A_CASE:
        raise Malformed(
            zh=f"应付日期过多：一份文书最多 {_MOST_DAYS} 个不同的日期，一案最多 "
            f"{_MOST_DAYS_OF_A_CASE} 个；请把应付日期归并后重新填写。",
            en=f"Too many different days to pay on: at most {_MOST_DAYS} in one paper and "
            f"{_MOST_DAYS_OF_A_CASE} in one case; let more fall due on the same day.",
            faults=(FieldFault("/obligations", "too-many-days"),),
            code="too-many-days",
        )
    standing = sum(it.obligation.agreed_fen for it in case.payments)
    require_countable((entry.agreed_fen for entry in entries), beside=standing)
    respondents = {party.party_id for party in case.respondents}
    instalments: Counter[UUID] = Counter()
    obligations = []
    for at, entry in enumerate(entries):
        if entry.line_id not in lines:
            raise unknown(f"obligations/{at}/line_id", "unknown-line")
        if not respondents.issuperset(entry.joint_ids):
            raise unknown(f"obligations/{at}/joint_ids", "not-a-respondent")
        line = lines[entry.line_id]
        instalments[line.line_id] += 1
        obligations.append(
            Obligation(
                obligation_id=facts.new_id(f"obligation:{at}"),
                line_id=line.line_id,
                applicant_id=line.applicant_id,
                respondent_id=line.respondent_id,
                agreed_fen=entry.agreed_fen,
                due_on=entry.due_on,
                instalment_no=instalments[line.line_id],
                recurring=False,
                joint_ids=unique(entry.joint_ids),
            )
        )
    return tuple(obligations)


def superseded_by(
    case: CaseState, obligations: Iterable[Obligation], *, settled: Iterable[UUID] = ()
) -> tuple[UUID, ...]:
    """Name what a later paper on the same claim lines replaces: what nothing was paid on.

    `settled` are lines that the paper settles without a sum, such as those waived.
    """
    return _replaced(case, {*settled, *(obligation.line_id for obligation in obligations)})


def _replaced(case: CaseState, line_ids: set[UUID]) -> tuple[UUID, ...]:
    return tuple(
        payment.obligation.obligation_id
        for payment in case.payments
        if payment.obligation.line_id in line_ids and payment.applied_fen == 0
    )


def payments_after(
    payments: tuple[Payment, ...], superseded: Iterable[UUID], obligations: Iterable[Obligation]
) -> tuple[Payment, ...]:
    """Give the payments under way once a paper has added its obligations."""
    gone = frozenset(superseded)
    return (
        *(payment for payment in payments if payment.obligation.obligation_id not in gone),
        *(Payment(obligation=obligation) for obligation in obligations),
    )


def checks_of(
    case: CaseState, payments: Iterable[Payment], facts: CaseFacts, event_type: type[Event]
) -> tuple[tuple[DueDate, ...], tuple[str, ...]]:
    """Decide the days on which payment is to be checked (D10): those that start, those that end.

    One date for each day on which something falls due, since one look tells of all.
    """
    unpaid = {it.obligation.due_on for it in payments if not it.is_performed}
    ladder = facts.ladder_of(case)
    started = tuple(
        due_date(
            "D10",
            facts,
            ladder,
            event_type,
            start=(first_moment_of(day), None),
            subject=day.isoformat(),
        )
        for day in sorted(unpaid)
        if f"D10:{day.isoformat()}" not in case.due
    )
    kept = {f"D10:{day.isoformat()}" for day in unpaid}
    return started, tuple(key for key in case.ending("D10") if key not in kept)


def checks_once_owed(
    case: CaseState,
    payments: Iterable[Payment],
    facts: CaseFacts,
    event_type: type[Event],
    phase: Phase,
) -> tuple[tuple[DueDate, ...], tuple[str, ...]]:
    """Decide the checks of payment (D10) as `checks_of` does, if what a paper says is owed.

    It is once an agreement took effect, or arbitration or court ordered it, or where the paper
    leads to performance (`phase`). On a closed case nobody checks.
    """
    is_tracked = is_owed(case) or phase is Phase.PERFORMING
    if not is_tracked or phase is Phase.CLOSED:
        return (), ()
    return checks_of(case, payments, facts, event_type)


class RecordPerformance(CaseFact, frozen=True, kw_only=True):
    """Record one payment on one obligation, in fen; `occurred_at` is when it was paid.

    `paid_by_id` is the party who paid, where that is known: the debtor, or who answers beside it.
    """

    obligation_id: UUID
    paid_fen: PositiveFen
    payment_means: Literal["cash", "bank-transfer", "mobile-payment", "in-kind", "other"]
    proof_kind: Literal["receipt", "bank-slip", "payroll", "worker-confirmed", "other", "none"]
    paid_by_id: UUID | None = None


@decides(RecordPerformance)
def record_performance(case: CaseState, command: RecordPerformance, facts: CaseFacts) -> Decision:
    """Apply the payment up to what was agreed; the rest is surplus, stored as such."""
    phase = require_allowed(case, command)
    payment = next(
        (p for p in case.payments if p.obligation.obligation_id == command.obligation_id), None
    )
    if payment is None:
        raise unknown("obligation_id", "unknown-obligation")
    if command.paid_by_id is not None:
        case.party(command.paid_by_id, "paid_by_id")
    obligation = payment.obligation
    applied = min(command.paid_fen, obligation.agreed_fen - payment.applied_fen)
    is_done_now = applied > 0 and payment.applied_fen + applied >= obligation.agreed_fen
    after = tuple(_paid(it, obligation.obligation_id, applied) for it in case.payments)
    _, ended = checks_of(case, after, facts, ObligationPerformed)
    # 长期履行的: the first instalment is verified; whether it goes on is asked after three months.
    revisit = (
        (
            due_date(
                "D25",
                facts,
                facts.ladder_of(case),
                ObligationPerformed,
                subject=str(obligation.obligation_id),
            ),
        )
        if obligation.recurring and is_done_now
        else ()
    )
    performed = ObligationPerformed(
        **case.stamp(facts, ObligationPerformed),
        phase=phase,
        due=revisit,
        due_ended=ended,
        irregularities=(),  # a payment is welcome in every phase
        obligation_id=obligation.obligation_id,
        line_id=obligation.line_id,
        applicant_id=obligation.applicant_id,
        respondent_id=obligation.respondent_id,
        paid_fen=command.paid_fen,
        applied_fen=applied,
        surplus_fen=command.paid_fen - applied,
        due_on=obligation.due_on,
        days_late=max(0, (facts.occurred_on - obligation.due_on).days),
        payment_means=command.payment_means,
        proof_kind=command.proof_kind,
        paid_by_id=command.paid_by_id,
    )
    if not is_done_now or any(not it.is_performed for it in after):
        return Decision.of(facts.stream, performed)
    fully = ObligationsFullyPerformed(
        **case.stamp(facts, ObligationsFullyPerformed, caused_by=performed.event_id),
        phase=phase,
        applied_fen=sum(it.applied_fen for it in after),
        # Slips may be typed in out of order: the day of the last payment counts.
        performed_on=max(
            [facts.occurred_on, *(it.last_paid_on for it in case.payments if it.last_paid_on)]
        ),
    )
    return Decision.of(facts.stream, performed, fully)


def _paid(payment: Payment, obligation_id: UUID, applied_fen: int) -> Payment:
    if payment.obligation.obligation_id != obligation_id:
        return payment
    return msgspec.structs.replace(payment, applied_fen=payment.applied_fen + applied_fen)


@stored_as("case.obligation-performed")
class ObligationPerformed(RecordedFact, frozen=True, kw_only=True):
    """A payment was made: paid = applied to what was agreed + surplus, in fen.

    `respondent_id` is the debtor, `paid_by_id` the party who paid: null if that is not known, or if
    it was nobody of the case. `days_late` counts calendar days after the day it was due; 0 for a
    payment in time or early.
    """

    obligation_id: UUID
    line_id: UUID
    applicant_id: UUID
    respondent_id: UUID
    paid_fen: int
    applied_fen: int
    surplus_fen: int
    due_on: date
    days_late: int
    payment_means: str
    proof_kind: str
    paid_by_id: UUID | None


@stored_as("case.obligations-fully-performed")
class ObligationsFullyPerformed(CaseEvent, frozen=True, kw_only=True):
    """Everything that was agreed in this case has been paid."""

    applied_fen: int
    performed_on: date


@evolves(ObligationPerformed)
def _(case: CaseState, event: ObligationPerformed) -> CaseState:
    paid_on = day_of(event.occurred_at)
    payments = tuple(
        msgspec.structs.replace(
            it,
            applied_fen=it.applied_fen + event.applied_fen,
            surplus_fen=it.surplus_fen + event.surplus_fen,
            last_paid_on=max(paid_on, it.last_paid_on or paid_on),
        )
        if it.obligation.obligation_id == event.obligation_id
        else it
        for it in case.payments
    )
    return case.with_(event, payments=payments)


@evolves(ObligationsFullyPerformed)
def _(case: CaseState, event: ObligationsFullyPerformed) -> CaseState:
    return case.with_(event)
