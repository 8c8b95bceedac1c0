"""A demand is relayed, answered and fed back; what was granted is written down and tracked."""

from datetime import date
from typing import Any

import msgspec
import pytest

from mediation.case.closing import CaseClosed, CloseCase
from mediation.case.conclusion import WithdrawApplication
from mediation.case.demand import (
    ContractChangeConfirmed,
    ContractItem,
    DemandAnswered,
    DemandFedBack,
    DemandRelayed,
    FeedBackDemand,
    RecordContractChange,
    RecordDemandAnswer,
    RelayDemand,
)
from mediation.case.intake import CaseRegistered
from mediation.case.performance import ObligationPerformed, ObligationsFullyPerformed
from mediation.case.state import CaseState
from mediation.case.values import Matter, Phase
from mediation.kernel import fold
from mediation.privacy import Personal, Purpose
from tests.scenario import Scenario, an_id, expect, seal, stored_again

TELL = FeedBackDemand(means="in-person")
GRANT = RecordDemandAnswer(answer="GRANTED", means="in-person")
REFUSE = RecordDemandAnswer(answer="REFUSED", means="phone")


def a_demand(*, workers=1, at=None, **changes):
    """Register a wish that a liaison officer brought to the factory's own body."""
    fields: dict[str, Any] = {
        "matter_kind": Matter.DEMAND,
        "channel": "liaison-report",
        "cause": "C21",
        "body_id": "factory",
    }
    return Scenario().registered(workers=workers, at=at, **(fields | changes))


def relay(scenario, **changes):
    """Make the command that relays the wish to the first respondent."""
    fields: dict[str, Any] = {"respondent_id": scenario.respondent.party_id, "means": "in-person"}
    return RelayDemand(**(fields | changes))


def change(scenario, **changes):
    """Make the command that records an allowance of 300 yuan a month, signed by both sides."""
    fields: dict[str, Any] = {
        "signed_by_ids": tuple(party.party_id for party in scenario.case.parties),
        "items": tuple(
            ContractItem(
                line_id=line.line_id,
                item=Personal("双机津贴"),
                monthly_fen=30_000,
                first_due_on=date(2026, 4, 10),
            )
            for line in scenario.case.lines
        ),
    }
    return RecordContractChange(**(fields | changes))


def withdrawal(scenario):
    """Make the command by which all applicants take the wish back."""
    return WithdrawApplication(by_ids=tuple(party.party_id for party in scenario.case.applicants))


def demand_in(phase):
    """Bring a demand into a phase, the shortest proper way."""
    scenario = a_demand()
    steps = {
        Phase.REGISTERED: (),
        Phase.RELAYED: (relay,),
        Phase.ANSWERED: (relay, lambda _: GRANT),
        Phase.PERFORMING: (relay, lambda _: GRANT, change),
        Phase.WITHDRAWN: (withdrawal,),
        Phase.CLOSED: (relay, lambda _: GRANT, lambda _: TELL, lambda _: CloseCase()),
    }
    for step in steps[phase]:
        scenario.do(step(scenario))
    assert scenario.case.phase is phase
    return scenario


def test_the_wish_of_one_worker_goes_its_whole_way():
    """Scenario 1, two machines: relayed, granted, fed back, confirmed, paid and closed.

    No consent, no acceptance, no conclusion; no term of mediation ever runs; the level stays.
    """
    scenario = a_demand(at="2026-03-02T09:00+08:00")
    assert set(scenario.case.due) == {"D23"}

    scenario.when(relay(scenario, also_present=("employer-side",), note=Personal("已核实。"))).then(
        expect(
            DemandRelayed,
            phase=Phase.RELAYED,
            also_present=("employer-side",),
            legal_basis="L-PROV 4",
            due=(),
            irregularities=(),
        )
    )
    scenario.when(GRANT).then(
        expect(DemandAnswered, phase=Phase.ANSWERED, answer="GRANTED", irregularities=())
    )
    assert (scenario.case.demand_answer, scenario.case.is_fed_back) == ("GRANTED", False)
    scenario.when(TELL, at="2026-03-04T09:00+08:00").then(
        expect(
            DemandFedBack,
            phase=Phase.ANSWERED,
            at_body_id="factory",
            told_ids=(scenario.applicant.party_id,),
            all_told=True,
            due_ended=("D23",),
            irregularities=(),
        )
    )
    scenario.when(change(scenario)).then(
        expect(
            ContractChangeConfirmed,
            phase=Phase.PERFORMING,
            at_body_id="factory",
            legal_basis="L-LCL 35",
            irregularities=(),
        )
    )
    assert set(scenario.case.due) == {"D10:2026-04-10"}
    obligation = scenario.case.payments[0].obligation
    assert (obligation.recurring, obligation.agreed_fen) == (True, 30_000)
    scenario.when(scenario.payment(fen=30_000), at="2026-04-10T09:00+08:00").then(
        expect(ObligationPerformed, days_late=0), ObligationsFullyPerformed
    )
    revisit = f"D25:{obligation.obligation_id}"
    assert set(scenario.case.due) == {revisit}
    scenario.when(CloseCase()).then(expect(CaseClosed, phase=Phase.CLOSED, waived_duties=()))

    assert revisit in scenario.case.due
    assert [type(event) for event in scenario.events] == [
        CaseRegistered,
        DemandRelayed,
        DemandAnswered,
        DemandFedBack,
        ContractChangeConfirmed,
        ObligationPerformed,
        ObligationsFullyPerformed,
        CaseClosed,
    ]
    started = {due.code for event in scenario.events for due in event.due}
    assert not started & {"D01", "D02", "D03"}
    assert (scenario.case.level, scenario.case.acceptance_no) == ("enterprise", 0)
    assert scenario.case.irregularities == ()


def test_only_a_formal_request_starts_the_five_days_and_the_answer_ends_them():
    """L-PROV 10: silence for five days refuses a formal 协商要求; a mere talk binds nobody."""
    scenario = a_demand()
    scenario.do(relay(scenario), at="2026-03-02T09:00+08:00")
    assert "D07" not in scenario.case.due

    formal = relay(scenario, formal=True, means="written")
    scenario.when(formal, at="2026-03-03T09:00+08:00").then(
        expect(DemandRelayed, phase=Phase.RELAYED, formal=True, legal_basis="L-PROV 10")
    )
    assert scenario.case.due["D07"].due_on == date(2026, 3, 8)
    # Asking once more gives the other side no more time.
    scenario.when(formal, at="2026-03-05T09:00+08:00").then(expect(DemandRelayed, due=()))
    assert scenario.case.due["D07"].due_on == date(2026, 3, 8)

    scenario.when(REFUSE).then(expect(DemandAnswered, answer="REFUSED", due_ended=("D07",)))
    assert "D07" not in scenario.case.due
    # After a refusal one may ask anew.
    scenario.when(formal, at="2026-03-09T09:00+08:00").then(
        expect(DemandRelayed, phase=Phase.ANSWERED, irregularities=())
    )
    assert scenario.case.due["D07"].due_on == date(2026, 3, 14)


@pytest.mark.parametrize(
    ("phase", "flaws"),
    [
        (Phase.PERFORMING, ("out-of-order",)),
        (Phase.WITHDRAWN, ("out-of-order",)),
        (Phase.CLOSED, ("after-close",)),
    ],
)
def test_what_is_relayed_or_answered_too_late_is_recorded_with_its_flaw(phase, flaws):
    """The phase stays, nobody's silence is counted, and the fact is there."""
    scenario = demand_in(phase)
    scenario.when(relay(scenario, formal=True)).then(
        expect(DemandRelayed, phase=phase, due=(), irregularities=flaws)
    )
    scenario.when(REFUSE).then(expect(DemandAnswered, phase=phase, irregularities=flaws))

    assert scenario.case.demand_answer == "REFUSED"


def test_a_demand_is_relayed_to_a_respondent_of_the_case():
    """The worker's own side, a stranger and an unknown role of somebody present are malformed."""
    scenario = a_demand()
    own_side = relay(scenario, respondent_id=scenario.applicant.party_id)
    scenario.when(own_side).then_refused("not-a-respondent")
    scenario.when(relay(scenario, respondent_id=an_id("x"))).then_refused("unknown-party")
    scenario.when(relay(scenario, also_present=("observer", "king"))).then_refused("malformed")

    assert scenario.refusal.faults[0].pointer == "/also_present/1"


def test_an_answer_says_who_answered_and_feedback_says_which_answer():
    """Dispatching and using unit answer apart; which of two answers was told is in the event."""
    scenario = a_demand(companies=2)
    one, other = (party.party_id for party in scenario.case.respondents)
    scenario.given(relay(scenario))
    answer = RecordDemandAnswer(answer="REFUSED", means="written")
    scenario.when(answer).then(expect(DemandAnswered, respondent_id=None))
    worker = scenario.applicant.party_id
    scenario.when(msgspec.structs.replace(answer, respondent_id=worker)).then_refused(
        "not-a-respondent"
    )
    for respondent_id, said in ((one, "REFUSED"), (other, "PARTLY")):
        scenario.when(
            msgspec.structs.replace(answer, respondent_id=respondent_id, answer=said)
        ).then(expect(DemandAnswered, respondent_id=respondent_id, answer=said))
    scenario.when(FeedBackDemand(means="phone")).then(expect(DemandFedBack, answer="PARTLY"))


def test_the_clock_that_starts_anew_names_the_registration():
    """D23 told anew runs from the registration, and says so; D10 and D04 start on a date only."""
    scenario = a_demand()
    scenario.relayed().answered().fed_back()
    scenario.given(RecordDemandAnswer(answer="PARTLY", means="written"))

    assert scenario.case.due["D23"].start_event_id == scenario.events[0].event_id
    scenario.fed_back().changed()
    (check,) = (it for it in scenario.case.due.values() if it.code == "D10")
    assert check.start_event_id is None


def test_an_answer_without_relaying_is_recorded_as_such():
    """The employer may have heard of it by itself; the order is a flaw, not a refusal."""
    a_demand().when(GRANT).then(
        expect(DemandAnswered, phase=Phase.ANSWERED, irregularities=("not-relayed",))
    )


def test_another_answer_has_to_be_told_again():
    """Who was told of a refusal does not know yet of the grant that followed it."""
    scenario = a_demand()
    scenario.given(relay(scenario), REFUSE, TELL)
    assert scenario.case.is_fed_back

    scenario.given(REFUSE)
    assert scenario.case.is_fed_back
    scenario.given(GRANT)
    assert (scenario.case.demand_answer, scenario.case.is_fed_back) == ("GRANTED", False)
    scenario.when(CloseCase()).then_refused("demand-fed-back")


def test_the_duty_to_tell_ends_when_every_worker_was_told():
    """D23: ten working days from registering; telling one of two is recorded and ends nothing."""
    scenario = a_demand(workers=2, at="2026-03-02T09:00+08:00")
    assert scenario.case.due["D23"].due_on == date(2026, 3, 16)
    scenario.given(relay(scenario), GRANT)
    first, second = (party.party_id for party in scenario.case.applicants)
    scenario.when(FeedBackDemand(told_ids=(first,), means="phone")).then(
        expect(DemandFedBack, told_ids=(first,), all_told=False, due_ended=())
    )
    assert not scenario.case.is_fed_back
    scenario.when(CloseCase()).then_refused("demand-fed-back")

    scenario.when(FeedBackDemand(told_ids=(second, first), means="phone")).then(
        expect(DemandFedBack, all_told=True, due_ended=("D23",))
    )
    assert scenario.case.is_fed_back
    # One of them once more takes nothing back.
    scenario.given(FeedBackDemand(told_ids=(first,), means="phone"))
    scenario.when(CloseCase()).then(CaseClosed)


@pytest.mark.parametrize("phase", [Phase.REGISTERED, Phase.RELAYED, Phase.WITHDRAWN])
def test_telling_before_there_is_an_answer_is_out_of_order(phase):
    """It stands as a fact all the same, for whoever types a paper file in."""
    demand_in(phase).when(TELL).then(
        expect(DemandFedBack, phase=phase, all_told=True, irregularities=("out-of-order",))
    )


def test_only_applicants_are_told_the_result():
    """The employer knows what it answered."""
    scenario = demand_in(Phase.ANSWERED)
    told = FeedBackDemand(told_ids=(scenario.respondent.party_id,), means="phone")

    scenario.when(told).then_refused("not-an-applicant")


def test_a_change_of_contract_is_tracked_item_by_item():
    """Each item falls due on its day; a single payment is no recurring duty (L-LCL 35)."""
    scenario = a_demand(workers=2)
    scenario.given(relay(scenario), GRANT)
    first, second = scenario.case.lines
    (confirmed,) = scenario.do(
        change(
            scenario,
            items=(
                ContractItem(
                    line_id=first.line_id,
                    item=Personal("双机津贴"),
                    monthly_fen=30_000,
                    first_due_on=date(2026, 4, 10),
                ),
                ContractItem(
                    line_id=second.line_id,
                    item=Personal("一次性补助"),
                    monthly_fen=50_000,
                    first_due_on=date(2026, 3, 31),
                    recurring=False,
                ),
            ),
        )
    )

    assert [(it.agreed_fen, it.due_on, it.recurring) for it in confirmed.obligations] == [
        (30_000, date(2026, 4, 10), True),
        (50_000, date(2026, 3, 31), False),
    ]
    author = {item.subject_id for item in confirmed.items}
    assert len(author) == 1
    assert {item.purpose for item in confirmed.items} == {Purpose.FREE_TEXT}
    assert set(scenario.case.due) == {"D23", "D10:2026-03-31", "D10:2026-04-10"}
    scenario.given(scenario.payment(1, fen=50_000))
    assert set(scenario.case.due) == {"D23", "D10:2026-04-10"}


def test_a_later_slip_takes_the_place_of_what_was_not_paid():
    """The parties found another figure or another day; the old one is owed no more."""
    scenario = demand_in(Phase.PERFORMING)
    old = scenario.case.payments[0].obligation.obligation_id
    item = msgspec.structs.replace(change(scenario).items[0], first_due_on=date(2026, 5, 8))
    scenario.when(change(scenario, items=(item,))).then(
        expect(
            ContractChangeConfirmed,
            phase=Phase.PERFORMING,
            superseded_ids=(old,),
            due_ended=("D10:2026-04-10",),
            irregularities=(),
        )
    )

    assert len(scenario.case.payments) == 1
    assert "D10:2026-05-08" in scenario.case.due


def test_a_slip_that_one_side_did_not_sign_changes_nothing():
    """L-LCL 35: a change of the contract is agreed in writing by both sides."""
    scenario = demand_in(Phase.ANSWERED)
    one_side = change(scenario, signed_by_ids=(scenario.respondent.party_id,))

    scenario.when(one_side).then(
        expect(
            ContractChangeConfirmed,
            phase=Phase.ANSWERED,
            due=(),
            obligations=(),
            irregularities=("missing-signature",),
        )
    )
    assert scenario.case.payments == ()


@pytest.mark.parametrize(
    ("phase", "flaws"),
    [
        (Phase.REGISTERED, ("out-of-order",)),
        (Phase.RELAYED, ("out-of-order",)),
        (Phase.WITHDRAWN, ("out-of-order",)),
        (Phase.CLOSED, ("after-close",)),
    ],
)
def test_a_slip_out_of_order_is_kept_but_nothing_is_tracked_on_it(phase, flaws):
    """The phase stays, so nothing is owed yet and no day of payment is looked after."""
    scenario = demand_in(phase)
    scenario.when(change(scenario)).then(
        expect(ContractChangeConfirmed, phase=phase, due=(), irregularities=flaws)
    )

    assert len(scenario.case.payments) == 1


def test_a_slip_names_lines_and_parties_of_the_case():
    """Ids from elsewhere are malformed, at the place where they stand."""
    scenario = demand_in(Phase.ANSWERED)
    good = change(scenario).items[0]
    stray = msgspec.structs.replace(good, line_id=an_id("x"))
    scenario.when(change(scenario, items=(good, stray))).then_refused("unknown-line")
    assert scenario.refusal.faults[0].pointer == "/items/1/line_id"

    scenario.when(change(scenario, signed_by_ids=(an_id("x"),))).then_refused("unknown-party")


@pytest.mark.parametrize("make", [relay, lambda _: GRANT, lambda _: TELL, change])
@pytest.mark.parametrize("matter_kind", [Matter.DISPUTE, Matter.AID])
def test_the_steps_of_a_demand_belong_to_no_other_matter(make, matter_kind):
    """A dispute is mediated and aid is granted; neither is relayed."""
    scenario = a_demand(matter_kind=matter_kind)

    scenario.when(make(scenario)).then_refused("wrong-matter")


def test_a_demand_is_the_same_after_it_was_stored():
    """Sealed, encoded and decoded events fold to the same case."""
    scenario = demand_in(Phase.PERFORMING).given(TELL)
    stored = stored_again(scenario.events)

    assert stored == tuple(seal(event) for event in scenario.events)
    assert fold(CaseState(), stored) == seal(scenario.case)


def test_who_was_told_before_any_answer_does_not_know_it():
    """Nothing was known to tell: the duty stays open, and so does its date."""
    scenario = a_demand()
    scenario.given(relay(scenario)).when(TELL).then(
        expect(DemandFedBack, due_ended=(), irregularities=("out-of-order",))
    )
    scenario.given(GRANT)

    assert not scenario.case.is_fed_back
    assert "D23" in scenario.case.due
    scenario.when(TELL).then(expect(DemandFedBack, due_ended=("D23",), irregularities=()))


def test_an_answer_that_overtakes_what_was_told_opens_the_duty_to_tell_again():
    """D23 runs from the registration still; the same answer once more opens nothing."""
    scenario = a_demand(at="2026-03-02T09:00+08:00")
    scenario.given(relay(scenario), REFUSE, TELL, REFUSE)
    assert "D23" not in scenario.case.due
    (answered,) = scenario.do(GRANT, at="2026-03-10T09:00+08:00")

    (due,) = answered.due
    assert (due.code, due.due_on) == ("D23", date(2026, 3, 16))
    scenario.when(TELL).then(expect(DemandFedBack, due_ended=("D23",)))


@pytest.mark.parametrize("over", [withdrawal, lambda _: CloseCase()])
def test_nobody_is_told_anew_of_a_demand_that_is_over(over):
    """A later answer is recorded; what was taken back or closed has no duty to tell."""
    scenario = a_demand()
    scenario.given(relay(scenario), REFUSE, TELL)
    scenario.given(over(scenario))

    scenario.when(GRANT).then(expect(DemandAnswered, due=()))
    assert "D23" not in scenario.case.due


def test_a_first_answer_starts_no_second_clock():
    """Told before any answer, the workers are told still within the days that run."""
    scenario = a_demand()
    scenario.given(relay(scenario), TELL)

    scenario.when(GRANT).then(expect(DemandAnswered, due=()))


def test_the_only_respondent_is_who_answered():
    """It need not be typed in; where it is, it says the same."""
    scenario = a_demand()
    firm = scenario.respondent.party_id
    for command in (GRANT, msgspec.structs.replace(GRANT, respondent_id=firm)):
        scenario.when(command).then(expect(DemandAnswered, respondent_id=firm))
