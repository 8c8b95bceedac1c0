"""One lane after the other: what brings a case there, and what takes it out again."""

from datetime import date, timedelta
from uuid import UUID

from mediation import codes
from mediation.case.aid import GrantAid, RefuseAid
from mediation.case.assignment import AssignMediators, ConfirmAssignment, DeclineAssignment
from mediation.case.closing import CloseCase
from mediation.case.conclusion import FailMediation
from mediation.case.consent import AcceptCase, AskConsent, RecordConsent
from mediation.case.correction import CureIrregularity
from mediation.case.custody import AcceptCustody, DeclineCustody, WithdrawCustodyMove
from mediation.case.demand import (
    ContractItem,
    FeedBackDemand,
    RecordContractChange,
    RecordDemandAnswer,
    RelayDemand,
)
from mediation.case.intake import ClearFlag, PartyEntry, RaiseFlag
from mediation.case.parties import AddParty
from mediation.case.performance import ObligationEntry, RecordPerformance
from mediation.case.proceedings import (
    OpenProceeding,
    SetObligations,
    TakeRemedyRoute,
    UpdateProceeding,
)
from mediation.case.sessions import RecordSession
from mediation.case.term import ExtendTerm
from mediation.case.values import Answer, Matter, Party, Side
from mediation.privacy import Personal
from projections.lanes import LANES
from tests.projections.desk import TODAY, Desk, scope_of
from tests.projections.district import MEDIATORS
from tests.projections.histories import Office
from tests.scenario import lapse_of

DECLINED = DeclineCustody(reason_code=min(codes.table("custody_decline_reasons")))


def answer(party: Party, said: Answer) -> RecordConsent:
    """Type in what a party said on the phone."""
    return RecordConsent(party_id=party.party_id, answer=said, means="phone")


def a_session(case, host_id: UUID = MEDIATORS["moju"], mode="joint") -> RecordSession:
    """Type in a session that somebody held with the applicant."""
    return RecordSession(
        mode=mode,
        attending_ids=(case.applicants[0].party_id,),
        host_ids=(host_id,),
        rights_told=True,
        minutes=Personal("笔录"),
        result="continued",
    )


def assigned(body_id: str = "hehua") -> AssignMediators:
    """Assign the mediator of a body."""
    return AssignMediators(mediator_ids=(MEDIATORS[body_id],), lead_mediator_id=MEDIATORS[body_id])


def test_the_lanes_are_those_of_the_code_table():
    """Every lane has a label, in the same order."""
    assert tuple(codes.table("lanes")) == LANES


def test_incoming_holds_what_a_body_is_asked_to_take_until_it_answers(desk: Desk):
    """Taken, declined or taken back, a move is out of the lane; the receiver alone has it."""
    office = desk.office
    taken, declined, withdrawn = (office.register() for _ in range(3))
    for case_id in (taken, declined, withdrawn):
        office.move(case_id, "xicheng")
        assert "incoming" in desk.lanes(case_id, body_id="xicheng")
        assert "incoming" not in desk.lanes(case_id, body_id="hehua")
    office.do(AcceptCustody(), taken, body_id="xicheng")
    office.do(DECLINED, declined, body_id="xicheng")
    office.do(WithdrawCustodyMove(), withdrawn)

    assert desk.ask("incoming").items == []


def test_to_accept_holds_what_the_lead_can_decide_on(desk: Desk):
    """Both sides have answered, one side clearly refuses, or aid is asked for; due first first."""
    office = desk.office
    office.at -= timedelta(days=1)
    first = office.register()
    office.at += timedelta(days=1)
    refused, aid = office.register(), office.register(matter_kind=Matter.AID)
    office.do(answer(office.cases[refused].respondents[0], Answer.REFUSED), refused)
    assert "to-accept" not in desk.lanes(first)
    office.consent(first)

    assert [it["case_id"] for it in desk.ask("to-accept").items] == [first, refused, aid]
    assert desk.ask("to-accept").items[0]["due_code"] == "D01"
    office.do(AcceptCase(within_scope=True, within_district=True), first)
    office.do(GrantAid(criteria_code="wage-arrears"), aid)
    assert [it["case_id"] for it in desk.ask("to-accept").items] == [refused]


def test_to_ask_holds_parties_to_ask_and_demands_to_put_to_the_employer(desk: Desk):
    """A dispute leaves it when everybody has answered, a demand once it is relayed."""
    office = desk.office
    dispute, demand = office.register(), office.register(matter_kind=Matter.DEMAND)
    applicant, respondent = office.cases[dispute].parties
    assert "to-ask" in desk.lanes(dispute)
    assert "to-ask" in desk.lanes(demand)
    office.do(AskConsent(party_id=respondent.party_id, means="phone"), dispute)
    office.do(answer(applicant, Answer.AGREED), dispute)
    assert "to-ask" in desk.lanes(dispute)
    office.do(answer(respondent, Answer.UNREACHABLE), dispute)
    office.do(RelayDemand(respondent_id=respondent_of(office, demand), means="phone"), demand)

    assert desk.ask("to-ask").items == []


def respondent_of(office: Office, case_id: UUID) -> UUID:
    """Give the respondent of a case."""
    return office.cases[case_id].respondents[0].party_id


def test_a_case_taken_over_without_sheets_is_asked_anew(desk: Desk):
    """Under its open acceptance it waits to be asked, then goes on by itself or to the lead."""
    office = desk.office
    going, stopping = office.register(), office.register()
    for case_id in (going, stopping):
        office.accept(case_id)
        office.move(case_id, "xicheng")
        office.do(AcceptCustody(), case_id, body_id="xicheng")
        assert "to-ask" in desk.lanes(case_id)
    applicant, respondent = office.cases[stopping].parties
    office.do(answer(respondent, Answer.NO_ANSWER), stopping)
    assert "to-ask" in desk.lanes(stopping)
    office.do(answer(applicant, Answer.REFUSED), stopping)
    office.consent(going)

    assert "to-accept" in desk.lanes(stopping)
    assert "to-assign" in desk.lanes(going)


def test_to_assign_holds_accepted_cases_that_nobody_has(desk: Desk):
    """Also one in session before anybody was assigned, and one whose mediator declined."""
    office = desk.office
    case_id, early = office.register(), office.register()
    office.accept(case_id)
    office.accept(early)
    office.do(a_session(office.cases[early], mode="phone"), early)
    assert office.cases[early].phase == "MEDIATING"
    assert "to-assign" in desk.lanes(early)
    assert "to-assign" in desk.lanes(case_id)
    office.do(assigned(), case_id)
    assert "to-assign" not in desk.lanes(case_id)
    reason_code = min(codes.table("assignment_decline_reasons"))
    declined = DeclineAssignment(mediator_id=MEDIATORS["hehua"], reason_code=reason_code)
    office.do(declined, case_id)

    assert "to-assign" in desk.lanes(case_id)


def test_a_draft_without_a_mediator_is_to_be_assigned_before_it_is_signed(desk: Desk):
    """Whoever declines while it is signed is replaced first; then it is to be signed again."""
    office = desk.office
    case_id = office.register()
    office.mediate(case_id)
    office.write(case_id, date(2026, 3, 6))
    assert "to-sign" in desk.lanes(case_id)
    mediator_id = office.cases[case_id].lead_mediator_id
    office.do(DeclineAssignment(mediator_id=mediator_id, reason_code="workload"), case_id)
    assert {"to-assign", "to-sign"} & desk.lanes(case_id) == {"to-assign"}
    office.do(assigned(), case_id)

    assert {"to-assign", "to-sign"} & desk.lanes(case_id) == {"to-sign"}


def test_to_confirm_holds_what_the_mediator_has_not_taken_on(desk: Desk):
    """His confirmation takes it out, and so does a session that he held."""
    office = desk.office
    confirmed, held = office.register(), office.register()
    for case_id in (confirmed, held):
        office.accept(case_id)
        office.do(assigned(), case_id)
        assert "to-confirm" in desk.lanes(case_id)
    office.do(ConfirmAssignment(mediator_id=MEDIATORS["hehua"]), confirmed)
    office.do(a_session(office.cases[held], MEDIATORS["hehua"]), held)

    assert desk.ask("to-confirm").items == []


def test_mediating_holds_what_is_in_mediation_until_there_is_a_draft(desk: Desk):
    """A draft takes it to be signed; a draft with a void clause brings it back."""
    office = desk.office
    case_id = office.register()
    office.mediate(case_id)
    assert desk.lanes(case_id) == {"mediating", "due-soon"}
    office.write(case_id, date(2026, 3, 6))
    assert "mediating" not in desk.lanes(case_id)
    office.write(case_id, date(2026, 3, 6), passes=False)

    assert "mediating" in desk.lanes(case_id)


def test_to_sign_holds_a_draft_at_the_body_in_custody_and_at_the_one_that_seals(desk: Desk):
    """The upper body has it from the passed check until its seal, its people alone."""
    office = desk.office
    case_id = office.register("moju")
    office.mediate(case_id)
    office.write(case_id, date(2026, 3, 6), seal_body_id="xicheng", is_checked=False)
    assert desk.lanes(case_id, body_id="moju") == {"to-sign", "due-soon"}
    assert desk.lanes(case_id, body_id="xicheng") == set()
    office.check(case_id)
    assert desk.lanes(case_id, body_id="xicheng") == {"to-sign"}
    (item,) = desk.ask("to-sign", body_id="xicheng").items
    assert (item["from_body_id"], item["from_level"]) == ("moju", "village-industry")
    assert [it["body_id"] for it in desk.ask("to-sign", scope_of("moju")).items] == ["moju"]
    office.seal(case_id, "xicheng")
    assert desk.lanes(case_id, body_id="xicheng") == set()
    assert "to-sign" in desk.lanes(case_id, body_id="moju")
    office.sign(case_id)

    assert "to-sign" not in desk.lanes(case_id)


def test_performing_holds_what_is_owed_until_it_is_paid(desk: Desk):
    """A part, and more than was due on it, leaves the rest owed."""
    office = desk.office
    case_id = office.register(workers=2)
    office.mediate(case_id)
    office.promise(case_id, date(2026, 3, 20))
    assert "performing" not in desk.lanes(case_id)
    office.settle(case_id)
    first = office.cases[case_id].payments[0].obligation
    paid = RecordPerformance(
        obligation_id=first.obligation_id,
        paid_fen=first.agreed_fen + 7,
        payment_means="cash",
        proof_kind="receipt",
    )
    office.do(paid, case_id)
    assert desk.lanes(case_id) == {"performing"}
    office.pay(case_id)

    assert desk.lanes(case_id) == {"to-close"}


def test_performing_follows_a_demand_until_the_worker_knows_the_result(desk: Desk):
    """Relayed and answered it is followed up; what was granted, until the first payment."""
    office = desk.office
    case_id = office.register(matter_kind=Matter.DEMAND)
    case = office.cases[case_id]
    office.do(RelayDemand(respondent_id=respondent_of(office, case_id), means="phone"), case_id)
    assert desk.lanes(case_id) == {"performing"}
    office.do(RecordDemandAnswer(answer="GRANTED", means="written"), case_id)
    assert desk.lanes(case_id) == {"performing"}
    assert desk.ask("performing").items[0]["due_code"] == "D23"
    office.do(FeedBackDemand(means="phone"), case_id)
    assert desk.lanes(case_id) == {"to-close"}
    allowance = ContractItem(
        line_id=case.lines[0].line_id,
        item=Personal("津贴"),
        monthly_fen=20_000,
        first_due_on=date(2026, 3, 15),
    )
    everybody = tuple(it.party_id for it in case.parties)
    office.do(RecordContractChange(signed_by_ids=everybody, items=(allowance,)), case_id)
    assert desk.lanes(case_id) == {"performing"}
    office.pay(case_id)

    assert desk.lanes(case_id) == {"to-close"}


def test_performing_follows_aid_and_proceedings_until_there_is_a_result(desk: Desk):
    """Aid and its proceedings are followed up; what a document orders, until it is paid."""
    office = desk.office
    case_id = office.register(matter_kind=Matter.AID)
    case = office.cases[case_id]
    office.do(GrantAid(criteria_code="wage-arrears"), case_id)
    assert desk.lanes(case_id) == {"performing"}
    opened = OpenProceeding(
        forum="arbitration",
        forum_name=Personal("测试仲裁委"),
        filed_by_ids=(case.applicants[0].party_id,),
        source="document",
    )
    office.do(opened, case_id)
    assert desk.lanes(case_id) == {"performing"}
    assert desk.ask("performing").items[0]["due_code"] == "D16"
    result = UpdateProceeding(
        proceeding_id=office.cases[case_id].proceedings[0].proceeding_id,
        step="decided",
        result="arbitral-award",
        source="document",
    )
    office.do(result, case_id)
    assert desk.lanes(case_id) == {"to-close"}
    office.do(ordered(case), case_id)
    assert desk.lanes(case_id) == {"performing"}
    office.pay(case_id)

    assert desk.lanes(case_id) == {"to-close"}


def ordered(case) -> SetObligations:
    """Type in what an award orders to be paid."""
    entry = ObligationEntry(
        line_id=case.lines[0].line_id, agreed_fen=5_000, due_on=date(2026, 3, 20)
    )
    return SetObligations(source_document="arbitral-award", obligations=(entry,))


def test_performing_holds_a_case_that_ended_until_everybody_was_told(desk: Desk):
    """Written notices are owed after a failure, a refusal and a refused aid."""
    office = desk.office
    failed, unaided = office.register(), office.register(matter_kind=Matter.AID)
    office.mediate(failed)
    office.do(FailMediation(cause_code=min(codes.table("failure_causes"))), failed)
    office.do(RefuseAid(reason_code="criteria-not-met"), unaided)
    for case_id in (failed, unaided):
        assert desk.lanes(case_id) == {"performing", "due-soon"}
        office.tell(case_id)
        assert desk.lanes(case_id) == {"to-close"}


def test_due_today_holds_what_is_to_be_paid_on_the_day_asked(desk: Desk):
    """A promise is owed once the mediation is concluded; only its own days are found."""
    office = desk.office
    case_id = office.register(workers=2)
    office.mediate(case_id)
    office.promise(case_id, date(2026, 3, 6))
    assert "due-today" not in desk.lanes(case_id, today=date(2026, 3, 6))
    office.settle(case_id)

    assert "due-today" in desk.lanes(case_id, today=date(2026, 3, 6))
    assert "due-today" not in desk.lanes(case_id, today=date(2026, 3, 7))
    office.pay(case_id)
    assert "due-today" not in desk.lanes(case_id, today=date(2026, 3, 6))


def test_breached_holds_what_was_to_be_paid_before_the_day_asked(desk: Desk):
    """A late payment takes it out; what is only promised is not late."""
    office = desk.office
    case_id = office.register()
    office.mediate(case_id)
    office.promise(case_id, date(2026, 3, 6))
    late = date(2026, 3, 7)
    assert "breached" not in desk.lanes(case_id, today=late)
    office.settle(case_id)

    assert "breached" not in desk.lanes(case_id, today=date(2026, 3, 6))
    assert "breached" in desk.lanes(case_id, today=late)
    assert desk.ask("breached", today=late).items[0]["pay_from"] == date(2026, 3, 6)
    assert desk.count(today=late).lanes["breached"] == {"village-industry": 1}
    office.pay(case_id)
    assert "breached" not in desk.lanes(case_id, today=late)


def test_sent_back_holds_what_came_back_until_somebody_acts(desk: Desk):
    """A declined request stays there until the next move or assignment."""
    office = desk.office
    case_id = office.register()
    office.accept(case_id)
    office.move(case_id, "xicheng")
    office.do(DECLINED, case_id, body_id="xicheng")
    assert "sent-back" in desk.lanes(case_id)
    office.do(assigned(), case_id)

    assert "sent-back" not in desk.lanes(case_id)


def test_due_soon_holds_the_earliest_date_of_a_body_three_days_ahead(desk: Desk):
    """The receiver's date is his own; a date that is kept, or over, is out."""
    office = desk.office
    case_id = office.register()
    office.consent(case_id)
    assert desk.ask("due-soon", today=date(2026, 3, 1)).items == []
    (item,) = desk.ask("due-soon").items
    assert (item["due_code"], item["due_on"]) == ("D01", date(2026, 3, 5))
    office.move(case_id, "xicheng")
    found = {it["body_id"]: it["due_code"] for it in desk.ask("due-soon").items}
    assert found == {"hehua": "D01", "xicheng": "D12"}
    assert desk.ask("due-soon", today=date(2026, 3, 6)).items == []


def test_due_soon_and_overdue_hold_the_dates_that_outlive_a_case(desk: Desk):
    """The parties' windows are never overdue; a review is due at the body above alone."""
    office = desk.office
    alone, signed = office.settle_on_one_form(), office.register()
    office.mediate(signed)
    office.write(signed, date(2026, 3, 3))
    office.sign(signed)
    office.pay(signed)
    office.do(CloseCase(), signed)
    windows = {
        (today.isoformat(), it["due_code"])
        for today in (date(2026, 3, 15), date(2026, 3, 18), date(2026, 3, 31), date(2026, 4, 20))
        for lane in ("due-soon", "overdue")
        for it in desk.ask(lane, today=today).items
        if it["case_id"] == signed
    }
    assert windows == {
        ("2026-03-15", "D08"),
        ("2026-03-31", "D09"),
        ("2026-03-31", "D18"),
        ("2026-04-20", "D18"),
    }

    def reviews(today: date, body_id: str) -> list[tuple[str, str]]:
        scope = scope_of(body_id)
        return [
            (lane, it["due_code"])
            for lane in ("due-soon", "overdue")
            for it in desk.ask(lane, scope, today).items
            if it["case_id"] == alone
        ]

    assert reviews(date(2026, 3, 8), "xicheng") == [("due-soon", "D24")]
    assert reviews(date(2026, 3, 10), "xicheng") == [("overdue", "D24")]
    assert reviews(date(2026, 3, 10), "hehua") == []


def test_due_soon_holds_the_return_visit_of_a_recurring_duty(desk: Desk):
    """Three months after the first instalment, also when the case is closed."""
    office = desk.office
    case_id = office.register(matter_kind=Matter.DEMAND)
    case = office.cases[case_id]
    office.do(RelayDemand(respondent_id=respondent_of(office, case_id), means="phone"), case_id)
    office.do(RecordDemandAnswer(answer="GRANTED", means="written"), case_id)
    office.do(FeedBackDemand(means="phone"), case_id)
    allowance = ContractItem(
        line_id=case.lines[0].line_id,
        item=Personal("津贴"),
        monthly_fen=20_000,
        first_due_on=TODAY,
    )
    everybody = tuple(it.party_id for it in case.parties)
    office.do(RecordContractChange(signed_by_ids=everybody, items=(allowance,)), case_id)
    office.pay(case_id)
    office.do(CloseCase(), case_id)

    (item,) = (it for it in desk.ask("due-soon", today=date(2026, 6, 1)).items)
    assert (item["due_code"], item["due_on"]) == ("D25", date(2026, 6, 2))


def test_overdue_holds_what_was_not_done_by_the_legal_last_day(desk: Desk):
    """A target that was missed does not hide the end of the term, which comes soon beside it."""
    office = desk.office
    case_id = office.register()
    office.mediate(case_id)
    target, term = office.cases[case_id].due["D13"], office.cases[case_id].due["D02"]
    assert (target.rolled_on, term.rolled_on) == (date(2026, 3, 5), date(2026, 3, 17))

    assert desk.lanes(case_id, today=date(2026, 3, 5)) == {"mediating", "due-soon"}
    assert desk.lanes(case_id, today=date(2026, 3, 6)) == {"mediating", "overdue"}
    assert desk.lanes(case_id, today=date(2026, 3, 16)) == {"mediating", "overdue", "due-soon"}
    assert desk.lanes(case_id, today=date(2026, 3, 18)) == {"mediating", "overdue"}
    office.promise(case_id, date(2026, 4, 1))
    office.settle(case_id)
    assert desk.lanes(case_id, today=date(2026, 3, 18)) == {"performing"}


def test_a_lapsed_term_is_marked_until_it_was_dealt_with(desk: Desk):
    """到期处理: extended by everybody's word, the term is no longer over."""
    office = desk.office
    case_id = office.register()
    office.mediate(case_id)
    term = office.cases[case_id].due["D02"]
    office.at += timedelta(days=20)
    office.do(lapse_of(term), case_id)
    (item,) = desk.ask("overdue", today=date(2026, 3, 22)).items
    assert (item["term_on"], item["term_lapsed"]) == (date(2026, 3, 17), True)
    everybody = tuple(it.party_id for it in office.cases[case_id].parties)
    office.do(ExtendTerm(until_on=date(2026, 5, 1), agreed_ids=everybody), case_id)

    (item,) = desk.ask(None).items
    assert (item["term_on"], item["term_lapsed"]) == (date(2026, 5, 1), False)


def test_risk_holds_red_yellow_and_crowds(desk: Desk):
    """A closed employer brings a case there, and so does the tenth worker."""
    office = desk.office
    closing, growing = office.register(), office.register(workers=9)
    office.do(RaiseFlag(flag="EMPLOYER_CLOSED"), closing)
    assert "risk" in desk.lanes(closing)
    assert "risk" not in desk.lanes(growing)
    worker = PartyEntry(role="WORKER", name=Personal("测试"))
    office.do(AddParty(side=Side.APPLICANT, party=worker), growing)
    office.do(ClearFlag(flag="EMPLOYER_CLOSED", explanation=Personal("已核实")), closing)

    assert "risk" in desk.lanes(growing)
    assert "risk" not in desk.lanes(closing)
    assert desk.ask("risk").items[0]["headcount"] == 10


def test_to_cure_holds_flaws_until_each_is_cured_also_after_closing(desk: Desk):
    """A session held by a stranger is to be explained, and paper typed in late too."""
    office = desk.office
    case_id = office.settle_on_one_form()
    assert "to-cure" not in desk.lanes(case_id)
    office.do(a_session(office.cases[case_id]), case_id)
    for flaw in office.cases[case_id].irregularities:
        assert "to-cure" in desk.lanes(case_id)
        cure = CureIrregularity(
            event_id=flaw.event_id, code=flaw.code, cure="explained", explanation=Personal("说明")
        )
        office.do(cure, case_id)

    assert "to-cure" not in desk.lanes(case_id)


def test_urged_is_empty_as_long_as_nobody_can_urge(desk: Desk):
    """The lane is there and counted, so that nothing changes for readers later."""
    desk.office.stories().live(120)

    assert desk.ask("urged").items == []
    assert desk.count().lanes["urged"] == {}


def test_to_close_holds_what_nothing_keeps_open(desk: Desk):
    """A withdrawn dispute that went to arbitration waits for the result there."""
    office = desk.office
    case_id = office.register()
    case = office.cases[case_id]
    office.do(
        TakeRemedyRoute(
            forum="arbitration",
            filed_by_ids=(case.applicants[0].party_id,),
            forum_name=Personal("测试仲裁委"),
        ),
        case_id,
    )
    assert "to-close" not in desk.lanes(case_id)
    result = UpdateProceeding(
        proceeding_id=office.cases[case_id].proceedings[0].proceeding_id,
        step="decided",
        result="withdrawn-there",
        source="party-told",
    )
    office.do(result, case_id)
    assert desk.lanes(case_id) == {"to-close"}
    office.do(CloseCase(), case_id)

    assert "to-close" not in desk.lanes(case_id)


def test_to_archive_holds_closed_cases(desk: Desk):
    """Closing brings a case there; it is no longer at hand."""
    case_id = desk.office.settle_on_one_form()

    assert desk.lanes(case_id, body_id="hehua") == {"to-archive"}
    assert desk.ask(None).items == []
    assert desk.ask("to-archive").items[0]["due_code"] == "D18"
