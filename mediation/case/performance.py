"""What was promised is paid: early, late, in part or more than was due; each payment a fact."""

from __future__ import annotations

from datetime import date
from typing import Literal
from uuid import UUID

import msgspec

from mediation.calendar import day_of
from mediation.case.intake import PositiveFen
from mediation.case.lifecycle import require_allowed
from mediation.case.state import CaseEvent, CaseFact, CaseFacts, CaseState, RecordedFact, unknown
from mediation.kernel import Decision, decides, evolves, stored_as


class RecordPerformance(CaseFact, frozen=True, kw_only=True):
    """Record one payment on one obligation, in fen; `occurred_at` is when it was paid."""

    obligation_id: UUID
    paid_fen: PositiveFen
    payment_means: Literal["cash", "bank-transfer", "mobile-payment", "in-kind", "other"]
    proof_kind: Literal["receipt", "bank-slip", "payroll", "worker-confirmed", "none"]


@decides(RecordPerformance)
def record_performance(case: CaseState, command: RecordPerformance, facts: CaseFacts) -> Decision:
    """Apply the payment up to what was agreed; the rest is surplus, stored as such."""
    phase = require_allowed(case, command)
    payment = next(
        (p for p in case.payments if p.obligation.obligation_id == command.obligation_id), None
    )
    if payment is None:
        raise unknown("obligation_id", "unknown-obligation")
    obligation = payment.obligation
    applied = min(command.paid_fen, obligation.agreed_fen - payment.applied_fen)
    performed = ObligationPerformed(
        **facts.stamp(ObligationPerformed),
        phase=phase,
        irregularities=(),  # a payment is welcome in every phase
        obligation_id=obligation.obligation_id,
        line_id=obligation.line_id,
        applicant_id=obligation.applicant_id,
        respondent_id=obligation.respondent_id,
        paid_fen=command.paid_fen,
        applied_fen=applied,
        surplus_fen=command.paid_fen - applied,
        payment_means=command.payment_means,
        proof_kind=command.proof_kind,
    )
    was_open = any(not it.is_performed for it in case.payments)
    left = [
        it
        for it in case.payments
        if not it.is_performed and it.obligation.obligation_id != obligation.obligation_id
    ]
    if was_open and not left and payment.applied_fen + applied >= obligation.agreed_fen:
        fully = ObligationsFullyPerformed(
            **facts.stamp(ObligationsFullyPerformed),
            phase=phase,
            applied_fen=applied + sum(it.applied_fen for it in case.payments),
            # Slips may be typed in out of order: the day of the last payment counts.
            performed_on=max(
                [facts.occurred_on, *(it.last_paid_on for it in case.payments if it.last_paid_on)]
            ),
        )
        return Decision.of(facts.stream, performed, fully)
    return Decision.of(facts.stream, performed)


@stored_as("case.obligation-performed")
class ObligationPerformed(RecordedFact, frozen=True, kw_only=True):
    """A payment was made: paid = applied to what was agreed + surplus, in fen."""

    obligation_id: UUID
    line_id: UUID
    applicant_id: UUID
    respondent_id: UUID
    paid_fen: int
    applied_fen: int
    surplus_fen: int
    payment_means: str
    proof_kind: str


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
