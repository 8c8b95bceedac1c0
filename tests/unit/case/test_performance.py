"""Payments: in part, late, doubled, after the close; every fen accounted for."""

from datetime import date

import msgspec
import pytest

from mediation.case.performance import (
    ObligationEntry,
    ObligationPerformed,
    ObligationsFullyPerformed,
    RecordPerformance,
)
from mediation.case.values import Phase
from tests.scenario import PLACES, an_id, expect, in_phase, moment


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


@pytest.mark.parametrize(("matter", "phase"), PLACES)
def test_a_payment_is_recorded_in_any_phase(matter, phase):
    """Money that was paid was paid, whatever the office had done by then."""
    scenario = in_phase(phase, matter).promised()
    here = scenario.case.phase

    scenario.when(scenario.payment(fen=1)).then(expect(ObligationPerformed, phase=here))


def a_plan(scenario, *instalments, **changes):
    """Make the command that promises every worker these instalments: fen, and the last day."""
    return msgspec.structs.replace(
        scenario.promise(),
        obligations=tuple(
            ObligationEntry(line_id=line.line_id, agreed_fen=fen, due_on=due_on, **changes)
            for line in scenario.case.lines
            for fen, due_on in instalments
        ),
    )


def test_what_falls_due_on_one_day_is_checked_on_the_next():
    """One look tells of all that was due; it ends when the last of that day is paid."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    april, may = date(2026, 4, 10), date(2026, 5, 10)
    scenario.given(a_plan(scenario, (60_000, april), (40_000, may)))
    assert [key for key in scenario.case.due if key.startswith("D10")] == []

    scenario.given(scenario.conclusion())
    due = scenario.case.due
    assert set(due) == {"D10:2026-04-10", "D10:2026-05-10"}
    assert [it.due_on for it in due.values()] == [date(2026, 4, 11), date(2026, 5, 11)]

    scenario.when(scenario.payment(0, fen=60_000)).then(expect(ObligationPerformed, due_ended=()))
    scenario.when(scenario.payment(2, fen=60_000)).then(
        expect(ObligationPerformed, due_ended=("D10:2026-04-10",))
    )
    assert set(scenario.case.due) == {"D10:2026-05-10"}


def test_instalments_are_counted_for_each_claim():
    """Each worker has a first and a second one; none of them recurs without end."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    (given,) = scenario.do(
        a_plan(scenario, (60_000, date(2026, 4, 10)), (40_000, date(2026, 5, 10)))
    )

    assert [it.instalment_no for it in given.obligations] == [1, 2, 1, 2]
    assert not any(it.recurring for it in given.obligations)


def test_who_answers_beside_the_debtor_is_a_respondent_of_the_case():
    """连带: a contractor above answers for the wages too; a worker does not."""
    scenario = in_phase(Phase.MEDIATING, companies=2)
    once = (100_000, date(2026, 4, 10))
    other = scenario.case.respondents[1].party_id
    for stranger in (an_id("x"), scenario.applicant.party_id):
        scenario.when(a_plan(scenario, once, joint_ids=(stranger,))).then_refused(
            "not-a-respondent"
        )

    (given,) = scenario.do(a_plan(scenario, once, joint_ids=(other,)))
    assert [it.joint_ids for it in given.obligations] == [(other,)]


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


def test_that_all_is_paid_follows_from_the_last_payment():
    """An auditor sees which payment completed it."""
    scenario = in_phase(Phase.PERFORMING)
    performed, fully = scenario.do(scenario.payment())

    assert (performed.causation_id, fully.causation_id) == (None, performed.event_id)
