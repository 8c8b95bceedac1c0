"""What is owed over time: instalments, plans that replace others, duties that recur."""

from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediation.case.demand import RecordContractChange
from mediation.case.intake import LineEntry
from mediation.case.lifecycle import open_duties
from mediation.case.performance import (
    ObligationEntry,
    ObligationPerformed,
    ObligationsFullyPerformed,
)
from mediation.case.settlement import (
    GiveUndertaking,
    RecordOralAgreement,
    RecordSettlement,
    SettlementRecorded,
    UndertakingGiven,
)
from mediation.case.values import Matter, Phase
from mediation.privacy import Personal
from tests.scenario import STEPS, an_id, expect, in_phase, moment, on, results

APRIL, MAY, JUNE = date(2026, 4, 10), date(2026, 5, 10), date(2026, 6, 10)


def plan(scenario, *instalments, **changes):
    """Give what is promised on every claim: these instalments of fen, each until its day."""
    return tuple(
        ObligationEntry(line_id=line.line_id, agreed_fen=fen, due_on=due_on, **changes)
        for line in scenario.case.lines
        for fen, due_on in instalments
    )


def agreed_on(scenario, *instalments, **changes):
    """Bring an agreement on these instalments into force."""
    obligations = plan(scenario, *instalments, **changes)
    scenario.drafted(obligations=obligations).given(scenario.check())
    return scenario.given(*scenario.acts())


def checks(scenario):
    """Name the days whose payments are still to be checked."""
    return [key.partition(":")[2] for key, it in scenario.case.due.items() if it.code == "D10"]


# Instalments


def test_each_day_of_payment_is_checked_on_the_day_after():
    """D10 for each day, however many fall due on it; the day itself is not counted."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    agreed_on(scenario, (60_000, APRIL), (40_000, MAY))

    assert checks(scenario) == ["2026-04-10", "2026-05-10"]
    april = scenario.case.due["D10:2026-04-10"]
    assert (april.start_on, april.due_on, april.rolled_on) == (
        APRIL,
        date(2026, 4, 11),
        date(2026, 4, 13),
    )
    assert [it.obligation.instalment_no for it in scenario.case.payments] == [1, 2, 1, 2]
    assert april.subject == "2026-04-10"


def test_a_check_ends_with_the_last_payment_of_its_day():
    """One worker paid is not all; a later instalment paid early ends its own check alone."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    agreed_on(scenario, (60_000, APRIL), (40_000, MAY))
    scenario.when(scenario.payment(0, fen=60_000)).then(expect(ObligationPerformed, due_ended=()))
    scenario.when(scenario.payment(1, fen=40_000)).then(expect(ObligationPerformed, due_ended=()))
    scenario.when(scenario.payment(3, fen=40_000)).then(
        expect(ObligationPerformed, due_ended=("D10:2026-05-10",))
    )
    scenario.when(scenario.payment(2, fen=60_000)).then(
        expect(ObligationPerformed, due_ended=("D10:2026-04-10",)),
        expect(ObligationsFullyPerformed, applied_fen=200_000),
    )

    assert checks(scenario) == []


def test_early_late_and_surplus_payments_say_so():
    """Days late count from the day after; early is not negative; what is too much is surplus."""
    scenario = in_phase(Phase.MEDIATING)
    agreed_on(scenario, (60_000, APRIL), (40_000, MAY))
    scenario.now = moment("2026-05-20T09:00+08:00")
    for at, fen, day, late, surplus in (
        (0, 10_000, APRIL - timedelta(days=3), 0, 0),
        (0, 20_000, APRIL, 0, 0),
        (0, 40_000, APRIL + timedelta(days=1), 1, 10_000),
        (1, 40_001, MAY + timedelta(days=9), 9, 1),
    ):
        paid, *_ = scenario.do(on(scenario.payment(at, fen=fen), day))
        assert (paid.days_late, paid.surplus_fen) == (late, surplus)
        assert paid.paid_fen == paid.applied_fen + paid.surplus_fen

    assert [(it.applied_fen, it.surplus_fen) for it in scenario.case.payments] == [
        (60_000, 10_000),
        (40_000, 1),
    ]
    assert scenario.events[-1].performed_on == date(2026, 5, 19)


@settings(max_examples=60, deadline=None)
@given(
    agreed=st.lists(st.integers(1, 50), min_size=1, max_size=4),
    paid=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 60)), max_size=12),
)
def test_every_fen_is_applied_or_surplus_in_whatever_order_it_comes(agreed, paid):
    """Paid = applied + surplus, applied never above agreed; complete once, when all is there."""
    scenario = in_phase(Phase.MEDIATING)
    days = [APRIL + timedelta(days=30 * at) for at in range(len(agreed))]
    agreed_on(scenario, *zip(agreed, days, strict=True))
    totals = [0] * len(agreed)
    completed = 0
    for at, fen in paid:
        index = at % len(agreed)
        was_complete = all(map(int.__ge__, totals, agreed))
        totals[index] += fen
        events = scenario.do(scenario.payment(index, fen=fen))
        is_complete = all(map(int.__ge__, totals, agreed))
        assert (len(events) == 2) == (is_complete and not was_complete)
        completed += len(events) - 1
    payments = scenario.case.payments

    assert [it.applied_fen for it in payments] == list(map(min, totals, agreed))
    assert [it.applied_fen + it.surplus_fen for it in payments] == totals
    assert completed <= 1
    unpaid = {str(day) for day, it in zip(days, payments, strict=True) if not it.is_performed}
    assert set(checks(scenario)) == unpaid
    assert ("performance" in open_duties(scenario.case)) == bool(unpaid)


def test_who_paid_need_not_be_the_debtor():
    """A joint debtor may have paid; without a name nobody is guessed."""
    scenario = in_phase(Phase.PERFORMING, companies=2)
    other = scenario.case.respondents[1].party_id
    paid = scenario.payment(fen=40_000)
    scenario.when(paid).then(expect(ObligationPerformed, paid_by_id=None))
    scenario.when(msgspec.structs.replace(paid, paid_by_id=other)).then(
        expect(ObligationPerformed, paid_by_id=other)
    )
    scenario.when(msgspec.structs.replace(paid, paid_by_id=an_id("x"))).then_refused(
        "unknown-party"
    )


def test_joint_respondents_stand_beside_the_debtor():
    """连带: the debtor of the line and whoever answers with him; each payment is on the debt."""
    scenario = in_phase(Phase.MEDIATING, companies=2)
    first, second = (party.party_id for party in scenario.case.respondents)
    agreed_on(scenario, (60_000, APRIL), joint_ids=(second,))
    (payment,) = scenario.case.payments

    assert (payment.obligation.respondent_id, payment.obligation.joint_ids) == (first, (second,))
    stranger = scenario.settlement(
        obligations=plan(scenario, (1, MAY), joint_ids=(scenario.applicant.party_id,))
    )
    scenario.when(stranger).then_refused("not-a-respondent")


def test_a_plan_may_be_replaced_by_one_as_long():
    """Sixty instalments a claim are the bound of what stands, not of what was ever written."""
    scenario = in_phase(Phase.MEDIATING)
    months = [(1, APRIL + timedelta(days=30 * at)) for at in range(60)]
    for _ in range(2):
        scenario.when(scenario.settlement(obligations=plan(scenario, *months))).then(
            SettlementRecorded
        )
    assert len(scenario.case.payments) == 60
    scenario.do(scenario.payment(0, fen=1))

    scenario.when(scenario.settlement(obligations=plan(scenario, *months))).then_refused(
        "malformed"
    )


# Papers without a seal


def test_who_did_not_sign_is_neither_charged_nor_spoken_for():
    """A settlement of one company charges that company; the other's share is no debt of his."""
    lines = tuple(
        LineEntry(applicant=0, respondent=at, cause="C13", claimed_fen=1) for at in range(2)
    )
    scenario = in_phase(Phase.MEDIATING, companies=2, lines=lines)
    worker, present, _ = (party.party_id for party in scenario.case.parties)
    paper = scenario.settlement(
        signed_by_ids=(worker, present), obligations=plan(scenario, (5, APRIL))
    )
    (recorded,) = scenario.do(paper)

    assert recorded.irregularities == ("missing-signature",)
    assert [it.respondent_id for it in recorded.obligations] == [present]
    assert scenario.case.settled_by == recorded.event_id


def test_a_paper_of_one_side_alone_settles_nothing():
    """What the worker alone wrote charges nobody, and nothing is concluded on it."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    workers = tuple(party.party_id for party in scenario.case.applicants)
    scenario.do(scenario.settlement(signed_by_ids=workers, obligations=plan(scenario, (5, APRIL))))

    assert scenario.case.payments == ()
    scenario.when(scenario.conclusion()).then_refused("settled-on-paper")
    stranger = scenario.settlement(signed_by_ids=(*workers, an_id("x")))
    scenario.when(stranger).then_refused("unknown-party")


def test_an_undertaking_for_others_has_not_their_signature():
    """A company that names another as answering beside it has promised for itself."""
    scenario = in_phase(Phase.MEDIATING, companies=2)
    other = scenario.case.respondents[1].party_id
    paper = msgspec.structs.replace(
        scenario.promise(), obligations=plan(scenario, (5, APRIL), joint_ids=(other,))
    )

    scenario.when(paper).then(expect(UndertakingGiven, irregularities=("missing-signature",)))
    own = msgspec.structs.replace(scenario.promise(), obligations=plan(scenario, (5, APRIL)))
    scenario.when(own).then(expect(UndertakingGiven, irregularities=()))


def undertaking(scenario, *instalments):
    """Make the command by which the company alone promises this."""
    return GiveUndertaking(
        respondent_id=scenario.respondent.party_id,
        obligations=plan(scenario, *instalments),
        text=Personal("本单位承诺延期支付。"),
    )


def settlement(scenario, *instalments):
    """Make the command that records a settlement of everybody on this."""
    return RecordSettlement(
        signed_by_ids=tuple(party.party_id for party in scenario.case.parties),
        obligations=plan(scenario, *instalments),
        text=Personal("双方同意变更付款计划。"),
    )


def spoken(scenario, *instalments):
    """Make the command that records everybody's word on this."""
    return RecordOralAgreement(
        agreed_by_ids=tuple(party.party_id for party in scenario.case.parties),
        obligations=plan(scenario, *instalments),
        text=Personal("双方口头同意变更付款计划。"),
    )


@pytest.mark.parametrize("paper", [settlement, spoken])
def test_while_performance_is_tracked_a_new_plan_of_both_moves_the_days_that_are_checked(paper):
    """The checks of the old days end with it, those of the new begin; what is paid is kept."""
    scenario = in_phase(Phase.MEDIATING)
    agreed_on(scenario, (60_000, APRIL), (40_000, MAY))
    scenario.do(scenario.payment(0, fen=60_000))
    (recorded,) = scenario.do(paper(scenario, (20_000, MAY), (20_000, JUNE)))

    assert recorded.due_ended == ()
    assert [due.key for due in recorded.due] == ["D10:2026-06-10"]
    assert checks(scenario) == ["2026-05-10", "2026-06-10"]
    assert [it.obligation.agreed_fen for it in scenario.case.payments] == [60_000, 20_000, 20_000]
    (moved,) = scenario.do(paper(scenario, (40_000, JUNE)))
    assert (moved.due, moved.due_ended) == ((), ("D10:2026-05-10",))


def test_what_is_owed_is_not_lessened_by_the_debtors_word_alone():
    """An agreement in force stands until its creditor signs something else."""
    scenario = in_phase(Phase.MEDIATING)
    agreed_on(scenario, (60_000, APRIL))
    before = scenario.case.payments
    scenario.when(undertaking(scenario, (10_000, JUNE))).then(
        expect(UndertakingGiven, obligations=(), superseded_ids=(), due=(), due_ended=())
    )
    assert (scenario.case.payments, checks(scenario)) == (before, ["2026-04-10"])

    scenario.do(scenario.payment(0, fen=60_000))
    scenario.when(undertaking(scenario, (10_000, JUNE)))
    assert [it.obligation.agreed_fen for it in scenario.case.payments] == [60_000, 10_000]
    assert checks(scenario) == ["2026-06-10"]


@pytest.mark.parametrize("paper", [settlement, spoken])
def test_after_the_close_no_day_is_checked(paper):
    """What is agreed then is on record; no clock starts on a closed case."""
    scenario = in_phase(Phase.CLOSED)
    (recorded,) = scenario.do(paper(scenario, (1, JUNE)))

    assert (recorded.due, recorded.irregularities) == ((), ("after-close",))


def test_before_the_conclusion_no_day_is_checked():
    """A promise is owed once the mediation was concluded on it."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(undertaking(scenario, (60_000, APRIL)))
    assert (checks(scenario), open_duties(scenario.case)) == ([], ())
    scenario.do(scenario.payment(0, fen=60_000))
    scenario.do(undertaking(scenario, (40_000, MAY)))
    scenario.do(scenario.conclusion())

    assert checks(scenario) == ["2026-05-10"]


def test_a_day_that_is_over_when_it_is_agreed_on_is_past_when_typed_in():
    """补录: the check of a day long gone alarms nobody."""
    scenario = in_phase(Phase.MEDIATING)
    agreed_on(scenario, (60_000, date(2026, 2, 10)))

    assert scenario.case.due["D10:2026-02-10"].past_when_decided


def test_claims_settled_without_a_sum_owe_nothing():
    """Agreed to hand over a certificate: no payment, no check, nothing in the way of closing."""
    scenario = in_phase(Phase.MEDIATING)
    (line,) = scenario.case.lines
    scenario.drafted(results=results({line: "agreed"}), obligations=()).given(scenario.check())
    scenario.given(*scenario.acts())

    assert (checks(scenario), open_duties(scenario.case)) == ([], ())


# Duties that recur


def recurring():
    """Bring a demand to a monthly allowance, first due on 10 April."""
    scenario = in_phase(Phase.REGISTERED, Matter.DEMAND)
    for step in STEPS[Matter.DEMAND][Phase.PERFORMING]:
        getattr(scenario, step)()
    return scenario


def test_the_first_instalment_of_a_recurring_duty_is_followed_by_a_visit_after_three_months():
    """D25 from the day it was paid; the duty is tracked no further."""
    scenario = recurring()
    (payment,) = scenario.case.payments
    assert (payment.obligation.recurring, checks(scenario)) == (True, ["2026-04-10"])
    scenario.when(scenario.payment(fen=10_000)).then(expect(ObligationPerformed, due=()))
    paid, fully = scenario.do(scenario.payment(fen=20_000), at="2026-04-09T09:00+08:00")
    (visit,) = paid.due

    assert (visit.code, visit.subject) == ("D25", str(payment.obligation.obligation_id))
    assert (visit.rule, visit.due_on) == ("3 mo", date(2026, 7, 9))
    assert paid.due_ended == ("D10:2026-04-10",)
    assert (type(fully), fully.applied_fen) == (ObligationsFullyPerformed, 30_000)
    scenario.when(scenario.payment(fen=30_000)).then(
        expect(ObligationPerformed, due=(), surplus_fen=30_000)
    )


def test_the_visit_outlives_the_close():
    """销号 after the first verified instalment; D25 stays on the list."""
    scenario = recurring()
    scenario.given(scenario.payment(fen=30_000)).fed_back().closed()

    assert {it.code for it in scenario.case.due.values()} == {"D18", "D25"}


def test_an_item_paid_once_needs_no_visit():
    """Only what goes on is asked about after three months."""
    scenario = in_phase(Phase.ANSWERED, Matter.DEMAND)
    change = scenario.change()
    items = tuple(msgspec.structs.replace(it, recurring=False) for it in change.items)
    scenario.given(RecordContractChange(signed_by_ids=change.signed_by_ids, items=items))

    scenario.when(scenario.payment(fen=30_000)).then(
        expect(ObligationPerformed, due=()), ObligationsFullyPerformed
    )


def test_what_a_document_orders_meanwhile_is_checked_once_whatever_concludes():
    """An award typed in while the mediation goes on, then a word of both: no date ends twice."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(scenario.obligations_set())
    assert (scenario.case.is_ordered, scenario.case.phase) == (True, Phase.MEDIATING)
    scenario.do(settlement(scenario, (50_000, APRIL)))
    assert checks(scenario) == ["2026-04-10"]
    recorded, concluded = scenario.do(spoken(scenario, (50_000, MAY)))

    assert (recorded.due, recorded.due_ended) == ((), ())
    assert ([due.key for due in concluded.due], concluded.due_ended[-1]) == (
        ["D10:2026-05-10"],
        "D10:2026-04-10",
    )
    assert checks(scenario) == ["2026-05-10"]
