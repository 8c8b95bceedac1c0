"""Payments: in part, late, doubled, after the close; every fen accounted for."""

from datetime import date

import msgspec
import pytest

from mediation.case.performance import (
    ObligationPerformed,
    ObligationsFullyPerformed,
    RecordPerformance,
)
from mediation.case.state import Phase
from tests.scenario import an_id, expect, in_phase, moment


def test_part_payments_add_up_and_the_last_says_that_all_is_paid():
    """Paid = applied + surplus; the last fen of the last obligation completes it."""
    scenario = in_phase(Phase.PERFORMING)
    scenario.when(scenario.payment(fen=40_000)).then(
        expect(ObligationPerformed, phase=Phase.PERFORMING, applied_fen=40_000, surplus_fen=0)
    )
    assert not scenario.case.payments[0].is_performed

    scenario.when(scenario.payment(fen=70_000)).then(
        expect(ObligationPerformed, paid_fen=70_000, applied_fen=60_000, surplus_fen=10_000),
        expect(ObligationsFullyPerformed, phase=Phase.PERFORMING, applied_fen=100_000),
    )
    payment = scenario.case.payments[0]
    assert (payment.applied_fen, payment.surplus_fen) == (100_000, 10_000)
    assert payment.is_performed


def test_what_comes_after_all_is_paid_is_surplus_and_completes_nothing_again():
    """A double payment is recorded, not refused."""
    scenario = in_phase(Phase.PERFORMING)
    scenario.do(scenario.payment())

    scenario.when(scenario.payment(fen=5)).then(
        expect(ObligationPerformed, applied_fen=0, surplus_fen=5)
    )


def test_with_several_workers_only_the_last_payment_completes():
    """Each obligation is paid on its own."""
    scenario = in_phase(Phase.PERFORMING, workers=3)
    scenario.when(scenario.payment(1)).then(ObligationPerformed)
    scenario.when(scenario.payment(0)).then(ObligationPerformed)
    scenario.when(scenario.payment(2, fen=1)).then(ObligationPerformed)
    scenario.when(scenario.payment(2)).then(
        expect(ObligationPerformed, applied_fen=99_999, surplus_fen=1),
        expect(ObligationsFullyPerformed, applied_fen=300_000),
    )


@pytest.mark.parametrize("phase", list(Phase))
def test_a_payment_is_recorded_in_any_phase(phase):
    """Money that was paid was paid, whatever the office had done by then."""
    scenario = in_phase(phase)
    if not scenario.case.payments:
        scenario.do(scenario.promise())

    scenario.when(scenario.payment(fen=1)).then(expect(ObligationPerformed, phase=phase))


def test_a_payment_names_an_obligation_of_the_case():
    """An id from elsewhere is malformed."""
    command = RecordPerformance(
        obligation_id=an_id("x"), paid_fen=1, payment_means="cash", proof_kind="receipt"
    )

    in_phase(Phase.PERFORMING).when(command).then_refused("unknown-obligation")


def test_all_is_performed_on_the_day_of_the_last_payment():
    """Slips are typed in as they come; an earlier payment typed in last does not move the day."""
    scenario = in_phase(Phase.PERFORMING, workers=2)
    early = moment("2026-03-05T09:00+08:00")
    scenario.do(scenario.payment(0, fen=99_999), at="2026-03-09T09:00+08:00")
    scenario.do(scenario.payment(1))
    last = msgspec.structs.replace(scenario.payment(0, fen=1), occurred_at=early)
    scenario.when(last, at="2026-03-10T09:00+08:00").then(
        ObligationPerformed,
        expect(ObligationsFullyPerformed, performed_on=date(2026, 3, 9)),
    )

    assert {it.last_paid_on for it in scenario.case.payments} == {date(2026, 3, 9)}


def test_a_payment_after_the_close_is_no_flaw():
    """Money is welcome in every phase; how it was paid and proved is told."""
    scenario = in_phase(Phase.CLOSED)
    scenario.when(scenario.payment(fen=1)).then(
        expect(
            ObligationPerformed,
            irregularities=(),
            payment_means="bank-transfer",
            proof_kind="bank-slip",
            respondent_id=scenario.respondent.party_id,
        )
    )
