"""Registration, the number, the first due dates, and flags with the risk that follows."""

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from mediation.case.intake import (
    CaseFlagged,
    CaseNumberIssued,
    CaseRegistered,
    ClearFlag,
    FlagCleared,
    LineEntry,
    PartyEntry,
    RaiseFlag,
    is_unit_code,
    number_stream,
)
from mediation.case.parties import AddedLine, AddParty
from mediation.case.performance import ObligationEntry
from mediation.case.values import MOST_FEN, MOST_FEN_OF_A_CASE, Matter, Phase, Side
from mediation.errors import Malformed
from mediation.kernel import Actor, fold, initial_state
from mediation.ladder import Limit
from mediation.privacy import Personal, Unsealed
from tests.scenario import (
    CASE_ID,
    DISTRICT,
    NETWORK,
    STANDARD,
    Scenario,
    a_registration,
    an_id,
    closed,
    expect,
    in_phase,
)

WORKER = PartyEntry(role="WORKER", name=Personal("职工"))
FIRM = PartyEntry(role="EMPLOYER", party_kind="COMPANY", company_name="餐饮有限公司")


def unit(**changes: Any) -> PartyEntry:
    """Type in a company by its name."""
    fields = {"role": "EMPLOYER", "party_kind": "COMPANY", "company_name": "某公司"}
    return PartyEntry(**(fields | changes))


def faults_of(scenario):
    """Give pointer and code of each fault of a malformed command."""
    assert isinstance(scenario.refusal, Malformed)
    return {(fault.pointer, fault.code) for fault in scenario.refusal.faults}


def test_a_registered_case_has_a_number_parties_lines_and_its_place():
    """Registration gives the next number of body and year and puts custody at the body."""
    scenario = Scenario().when(a_registration(body_id="dongcheng", workers=2))
    scenario.then(
        expect(
            CaseRegistered,
            phase=Phase.REGISTERED,
            case_id=CASE_ID,
            case_number="DONGCHENG〔2026〕0001号",
            custody_body_id="dongcheng",
            custody_path="/hq/dongcheng/",
            level="township",
            branch=None,
            ladder_ref=STANDARD.ref,
            ladder_digest=STANDARD.digest,
            risk="GREEN",
            irregularities=(),
            interrupts_limitation=True,
        )
    )
    case = scenario.case

    assert (case.version, case.workers, case.claimed_fen) == (1, 2, 200_000)
    assert [line.applicant_id for line in case.lines] == [p.party_id for p in case.applicants]
    assert case.disclosed_ids == {party.party_id for party in case.parties}
    assert (case.assigned_ids, case.receiver_body_id, case.former_paths) == ((), None, ())


def test_numbers_of_one_body_and_year_count_on_and_of_another_begin_anew():
    """A number is never issued twice; each body and each year counts for itself."""
    scenario = Scenario()
    for body_id, at in (
        ("hengjie", "2026-03-02T09:00+08:00"),
        ("hengjie", "2026-03-02T10:00+08:00"),
        ("factory", "2026-03-02T11:00+08:00"),
        ("hengjie", "2027-01-01T00:00+08:00"),
    ):
        scenario.do(a_registration(body_id=body_id), at=at)
    numbers = [event.case_number for event in scenario.events]

    assert numbers == [
        "HENGJIE〔2026〕0001号",
        "HENGJIE〔2026〕0002号",
        "FACTORY〔2026〕0001号",
        "HENGJIE〔2027〕0001号",
    ]
    counter = number_stream(DISTRICT, "hengjie", 2026)
    issued = scenario.log[counter]
    assert [type(event) for event in issued] == [CaseNumberIssued, CaseNumberIssued]
    assert fold(initial_state("case-number"), issued).issued == 2


def test_a_dispute_by_application_starts_its_clocks():
    """Scenario 5: received on 2 March, D01 5 March, D02 17 March, the level's target 5 March."""
    case = in_phase(Phase.REGISTERED, body_id="factory").case

    assert {code: due.due_on for code, due in case.due.items()} == {
        "D01": date(2026, 3, 5),
        "D02": date(2026, 3, 17),
        "D13": date(2026, 3, 5),
    }
    assert {due.start_on for due in case.due.values()} == {date(2026, 3, 2)}
    assert len({due.start_event_id for due in case.due.values()}) == 1


@pytest.mark.parametrize(
    ("body_id", "article"),
    [("factory", "L-PROV 22"), ("hengjie", "cf. L-PROV 22"), ("dongcheng", "cf. L-PROV 22")],
)
def test_the_days_to_accept_bind_committees_and_others_by_analogy(body_id, article):
    """L-PROV binds the committees of enterprises; elsewhere D01 says that it is followed (cf.)."""
    assert in_phase(Phase.REGISTERED, body_id=body_id).case.due["D01"].article == article


def test_a_due_date_names_the_event_that_starts_it():
    """The start is the id of the very event that carries the date."""
    (registered,) = Scenario().when(a_registration()).decided

    assert {due.start_event_id for due in registered.due} == {registered.event_id}


@pytest.mark.parametrize(
    ("at", "first", "safe", "legal"),
    [
        ("2026-09-30T09:00+08:00", date(2026, 10, 10), date(2026, 10, 15), date(2026, 10, 15)),
        ("2026-09-18T09:00+08:00", date(2026, 9, 22), date(2026, 10, 3), date(2026, 10, 8)),
    ],
)
def test_holidays_move_working_days_and_the_last_legal_day(at, first, safe, legal):
    """Scenario 6: make-up Saturdays count, and the term rolls over the holidays."""
    due = Scenario().registered(at=at).case.due

    assert due["D01"].due_on == first
    assert (due["D02"].due_on, due["D02"].rolled_on) == (safe, legal)


def test_a_limit_that_the_ladder_sets_goes_before_the_catalogue():
    """Length, unit and source; a rung below has its branch on record too."""
    own = Limit(code="D01", length=2, unit="cd", source="local rule 7", levels=())
    rungs = msgspec.structs.replace(STANDARD, limits=(*STANDARD.limits, own))
    scenario = Scenario(rungs=rungs).registered()
    due = scenario.case.due["D01"]

    assert (due.due_on, due.rule, due.article) == (date(2026, 3, 4), "2 cd", "local rule 7")
    assert (scenario.events[0].branch, scenario.case.branch) == ("village", "village")


@pytest.mark.parametrize(
    ("entry", "codes"), [("PARTY_DIRECT", {"D01", "D02", "D13"}), ("PROACTIVE", set())]
)
def test_only_an_application_starts_the_term_and_interrupts_limitation(entry, codes):
    """What the office begins itself runs from consent and is no claim of a party (L-ARB 27)."""
    scenario = Scenario().when(a_registration(entry=entry))
    scenario.then(expect(CaseRegistered, interrupts_limitation=bool(codes)))

    assert set(scenario.case.due) == codes


@pytest.mark.parametrize(
    ("matter", "codes"),
    [(Matter.DISPUTE, {"D01", "D02", "D13"}), (Matter.DEMAND, {"D23"}), (Matter.AID, set())],
)
def test_each_matter_has_clocks_of_its_own(matter, codes):
    """A demand is to be answered, aid has no term; only mediation is sought in a dispute."""
    scenario = Scenario().when(a_registration(matter_kind=matter))
    scenario.then(
        expect(CaseRegistered, matter_kind=matter, interrupts_limitation=matter is Matter.DISPUTE)
    )

    assert set(scenario.case.due) == codes
    assert [kind for kind in Matter if scenario.case.faces(kind)] == [matter]


def test_a_demand_is_to_be_answered_within_ten_working_days():
    """D23 runs from the registration."""
    case = in_phase(Phase.REGISTERED, Matter.DEMAND).case

    assert case.due["D23"].due_on == date(2026, 3, 16)


@pytest.mark.parametrize("matter", list(Matter))
def test_what_has_no_track_yet_is_not_registered(matter):
    """A delegated case would be handled on a term that is not its own (ADR 0016)."""
    scenario = Scenario().when(a_registration(matter_kind=matter, entry="DELEGATED"))

    assert faults_of(scenario.then_refused("no-track-yet")) == {("/entry", "no-track-yet")}
    assert scenario.log == {}


@pytest.mark.parametrize("oral", [False, True])
def test_an_application_by_word_of_mouth_is_marked_as_such(oral):
    """Who wrote it down is the actor (L-LDMA 12)."""
    Scenario().when(a_registration(oral=oral)).then(expect(CaseRegistered, oral=oral))


def test_the_due_dates_follow_when_it_happened_not_when_it_was_typed_in():
    """A registration typed in two days late counts from the day of the application."""
    late = Scenario()
    late.do(a_registration(occurred_at=late.now), at="2026-03-04T09:00+08:00")

    assert late.case.due["D02"].due_on == date(2026, 3, 17)
    assert late.events[0].decided_at > late.events[0].occurred_at


def test_the_body_may_be_left_to_the_actor_but_not_to_nobody():
    """Without `body_id` the case is registered where the actor acts; without both it is not."""
    at_home = Actor(actor_id=an_id("clerk"), role="clerk", body_id="xicheng")
    nowhere = Actor(actor_id=an_id("clerk"), role="clerk")
    scenario = Scenario().when(a_registration(body_id=None), by=at_home)
    scenario.then(expect(CaseRegistered, custody_body_id="xicheng"))

    scenario = Scenario().when(a_registration(body_id=None), by=nowhere).then_refused("malformed")
    assert faults_of(scenario) == {("/body_id", "required")}


def test_a_unit_in_clear_is_not_called_by_the_number_of_a_person():
    """A name in clear would tell it; a person's, who may be called anything, is sealed."""
    unit = PartyEntry(role="EMPLOYER", party_kind="COMPANY", company_name="13900001111工程队")
    scenario = Scenario().when(a_registration(respondents=(unit,))).then_refused("malformed")
    assert faults_of(scenario) == {("/respondents/0/company_name", "person-in-clear")}
    unknown = msgspec.structs.replace(unit, party_kind=None, provisional=True)

    scenario = Scenario().registered(respondents=(unknown,))
    assert scenario.respondent.company_name is None
    name: Any = scenario.respondent.name
    assert name.value == "13900001111工程队"


@pytest.mark.parametrize("side", ["applicants", "respondents"])
def test_nobody_stands_twice_on_a_side(side):
    """One number of identity is one person, whoever stands between; told at the second place."""
    one = PartyEntry(role="WORKER", name=Personal("甲"), id_number=Personal("11010519491231002X"))
    other = PartyEntry(role="WORKER", name=Personal("乙"), id_number=Personal("440308199901010022"))
    nameless = PartyEntry(role="WORKER", name=Personal("丙"))
    parties: dict[str, Any] = {"applicants": (WORKER,), side: (one, nameless, other, one)}
    scenario = Scenario().when(a_registration(lines=(), **parties)).then_refused("malformed")

    assert faults_of(scenario) == {(f"/{side}/3/id_number", "same-person")}


def test_an_application_at_a_closed_body_is_recorded_with_its_flaw():
    """It was received, and its clocks run; a body that never was cannot have received it."""
    shut = Scenario(network=closed(NETWORK, "hengjie", date(2026, 3, 2)))
    shut.when(a_registration()).then(expect(CaseRegistered, irregularities=("body-closed",)))

    assert [it.code for it in shut.case.irregularities] == ["body-closed"]
    Scenario().when(a_registration(body_id="nowhere")).then_refused("body-unknown")


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"entry": "X"}, {("/entry", "unknown-code")}),
        ({"channel": "X"}, {("/channel", "unknown-code")}),
        ({"cause": "X"}, {("/cause", "unknown-code")}),
        (
            {"applicants": (WORKER, PartyEntry(role="X", name=Personal("某"), party_kind="Y"))},
            {("/applicants/1/role", "unknown-code"), ("/applicants/1/party_kind", "unknown-code")},
        ),
        (
            {
                "respondents": (
                    PartyEntry(role="EMPLOYER", company_name="某店", party_kind="SOLE_TRADER"),
                    PartyEntry(
                        role="EMPLOYER", name=Personal("某"), credit_code="92370102MA0000000N"
                    ),
                )
            },
            {
                ("/respondents/0", "person-in-clear"),
                ("/respondents/1/credit_code", "person-in-clear"),
                ("/respondents/1/credit_code", "credit-code"),
            },
        ),
        *(
            (
                {"respondents": (unit(credit_code=code),)},
                {("/respondents/0/credit_code", "credit-code")},
            )
            for code in (
                "91370102MA0000000A",  # another check character
                "92370102MA0000000N",  # a sole trader's
                "11010519491231002X",  # a resident's ID number
                "33100319800101087X",  # another, whose check character is a credit code's too
                "331003198001010490",  # and another
            )
        ),
        (
            {"respondents": (unit(credit_code="91370102MA0000000R", provisional=True),)},
            {("/respondents/0/credit_code", "person-in-clear")},
        ),
        (
            {"respondents": (unit(credit_code="91370102MA0000000R", party_kind=None),)},
            {("/respondents/0/credit_code", "person-in-clear")},
        ),
        ({"channel": "court-delegated"}, {("/channel", "not-of-this-entry")}),
        ({"channel": "proactive"}, {("/channel", "not-of-this-entry")}),
        (
            {"respondents": (PartyEntry(role="EMPLOYER"),)},
            {("/respondents/0", "company-name-or-name")},
        ),
        (
            {
                "respondents": (
                    PartyEntry(role="EMPLOYER", name=Personal("某"), company_name="某公司"),
                )
            },
            {("/respondents/0", "company-name-or-name")},
        ),
        (
            {"applicants": (PartyEntry(role="WORKER", company_name="某某", party_kind="COMPANY"),)},
            {("/applicants/0", "person-in-clear")},
        ),
        (
            {"lines": (LineEntry(applicant=0, respondent=1, cause="C13", claimed_fen=1),)},
            {("/lines/0/respondent", "unknown-party")},
        ),
        (
            {"lines": (LineEntry(applicant=1, respondent=2, cause="X", claimed_fen=1),)},
            {
                ("/lines/0/cause", "unknown-code"),
                ("/lines/0/applicant", "unknown-party"),
                ("/lines/0/respondent", "unknown-party"),
            },
        ),
    ],
)
def test_every_wrong_code_or_party_number_is_named(changes, faults):
    """A malformed registration is told every place at once, never a value."""
    scenario = Scenario().when(a_registration(**changes)).then_refused("malformed")

    assert faults_of(scenario) == faults


def test_a_credit_code_that_only_looks_like_an_id_number_is_taken():
    """With another check digit it numbers no resident, and stands in clear as a unit's."""
    firm = unit(credit_code="331003198001010013")
    scenario = Scenario().registered(respondents=(firm,))

    assert scenario.respondent.credit_code == firm.credit_code


@pytest.mark.parametrize("code", ["", "91370102MA0000000", "91370102MA0000000r", "九" * 18])
def test_what_has_other_characters_is_no_credit_code(code):
    """Whatever is asked, it is answered."""
    assert not is_unit_code(code)


def test_persons_are_sealed_under_an_id_of_their_own_and_companies_stand_in_clear():
    """Each datum of a person says whose it is; the company's name is in clear."""
    person = PartyEntry(
        role="EMPLOYER",
        party_kind="SOLE_TRADER",
        provisional=True,
        name=Personal("老陈面馆"),
        id_number=Personal("1"),
        phone=Personal("2"),
        address=Personal("3"),
    )
    case = in_phase(Phase.REGISTERED, respondents=(person,)).case
    trader, worker = case.respondents[0], case.applicants[0]

    assert (trader.party_kind, trader.provisional) == ("SOLE_TRADER", True)
    assert trader.company_name is None
    for sealed in (trader.name, trader.id_number, trader.phone, trader.address):
        assert isinstance(sealed, Unsealed)
        assert sealed.subject_id == trader.party_id
    assert worker.party_kind == "WORKER"
    company = in_phase(Phase.REGISTERED, respondents=(FIRM,)).case.respondents[0]
    assert (company.party_kind, company.company_name) == ("COMPANY", "餐饮有限公司")
    assert company.name is None


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"party_kind": None}, "UNSTATED"),
        ({"provisional": True}, "COMPANY"),
        ({"party_kind": None, "role": "INVESTOR", "company_name": "王强"}, "UNSTATED"),
    ],
)
def test_a_name_stands_in_clear_only_of_a_unit_that_is_said_and_verified_to_be_one(changes, kind):
    """A shop sign, or a name of which nobody said whose it is, is sealed like a person's."""
    party = in_phase(Phase.REGISTERED, respondents=(unit(**changes),)).case.respondents[0]

    assert (party.party_kind, party.company_name) == (kind, None)
    assert isinstance(party.name, Unsealed)
    assert party.name.subject_id == party.party_id


def test_the_sums_of_a_case_stay_within_what_a_number_holds():
    """Nine hundred lines of the largest sum fit, one more does not; nor with a later party."""
    most = LineEntry(applicant=0, cause="C13", claimed_fen=MOST_FEN)
    told = in_phase(Phase.REGISTERED, lines=(most,) * 900)
    assert told.case.claimed_fen == MOST_FEN_OF_A_CASE
    Scenario().when(a_registration(lines=(most,) * 901)).then_refused("sum-too-large")
    line = AddedLine(counterpart_id=told.respondent.party_id, cause="C13", claimed_fen=1)
    told.when(AddParty(side=Side.APPLICANT, party=WORKER, lines=(line,))).then_refused(
        "sum-too-large"
    )
    owed = ObligationEntry(
        line_id=told.case.lines[0].line_id, agreed_fen=MOST_FEN, due_on=date(2026, 3, 20)
    )
    told.agreed().accepted().mediating()
    told.when(told.settlement(obligations=(owed,) * 901)).then_refused("sum-too-large")


def test_workers_are_counted_on_whichever_side_they_stand():
    """Ten workers against whom an employer applies are ten workers (L-LDMA 7)."""
    case = in_phase(Phase.REGISTERED, applicants=(FIRM,), respondents=(WORKER,) * 9 + (FIRM,)).case
    assert (case.workers, case.risk) == (9, "GREEN")

    case = in_phase(Phase.REGISTERED, applicants=(FIRM,), respondents=(WORKER,) * 10).case
    assert (case.workers, case.risk) == (10, "YELLOW")


@pytest.mark.parametrize(
    ("workers", "flags", "risk"),
    [
        (8, ("WAGE_ARREARS",), "YELLOW"),
        (4, ("WAGE_ARREARS",), "GREEN"),
        (1, ("SAFETY",), "YELLOW"),
        (10, (), "YELLOW"),
        (10, ("EMPLOYER_CLOSED",), "RED"),
        (30, (), "RED"),
    ],
)
def test_the_risk_is_derived_from_flags_and_workers(workers, flags, risk):
    """The ladder's published rule gives the colour; nobody sets it."""
    scenario = in_phase(Phase.REGISTERED, workers=workers).flagged(*flags)

    assert scenario.case.risk == risk
    assert scenario.case.flags == set(flags)
    assert not scenario.case.is_collective


def test_a_case_that_turns_red_is_reported_within_two_hours():
    """D26 runs from the fact that made it red, also of a matter that nobody mediates."""
    born = in_phase(Phase.REGISTERED, Matter.AID, workers=30)
    assert born.case.due["D26"].due_at == born.now + timedelta(hours=2)

    turned = in_phase(Phase.REGISTERED, workers=10)
    assert "D26" not in turned.case.due
    turned.flagged("EMPLOYER_CLOSED", "SAFETY")
    assert turned.case.due["D26"].start_event_id == turned.events[1].event_id


def test_turning_red_once_more_buys_no_time():
    """The first report is due once, from the first time; a report on record is the report."""
    scenario = in_phase(Phase.REGISTERED, workers=10).flagged("EMPLOYER_CLOSED")
    due = scenario.case.due["D26"]
    clear = ClearFlag(flag="EMPLOYER_CLOSED", explanation=Personal("已复工。"))
    scenario.given(clear, RaiseFlag(flag="EMPLOYER_CLOSED"), at="2026-03-03T09:00+08:00")
    assert (scenario.case.risk, scenario.case.due["D26"]) == ("RED", due)

    scenario.given(scenario.report(), clear, RaiseFlag(flag="EMPLOYER_CLOSED"))
    assert (scenario.case.risk, "D26" in scenario.case.due) == ("RED", False)


def test_what_made_a_case_red_may_come_to_light_after_the_close():
    """It is recorded with its flaw; no clock starts on a closed case."""
    scenario = in_phase(Phase.CLOSED, workers=10)

    scenario.when(RaiseFlag(flag="SAFETY")).then(
        expect(CaseFlagged, risk="RED", due=(), irregularities=("after-close",))
    )


def test_a_flag_that_is_cleared_takes_its_risk_along():
    """Clearing needs a reason and derives the risk anew."""
    scenario = in_phase(Phase.REGISTERED).flagged("SAFETY")
    clear = ClearFlag(flag="SAFETY", explanation=Personal("已核实，无安全风险。"))
    scenario.when(clear).then(expect(FlagCleared, flag="SAFETY", risk="GREEN", phase="REGISTERED"))
    assert isinstance(scenario.decided[0].explanation, Unsealed)

    assert (scenario.case.flags, scenario.case.risk) == (frozenset(), "GREEN")
    scenario.when(clear).then_refused("flag-not-set")


@pytest.mark.parametrize("flag", ["COLLECTIVE", "NO_SUCH_FLAG"])
def test_collective_is_never_set_by_hand(flag):
    """A flag is one of the table, and the common claim is the lead's to confirm."""
    in_phase(Phase.REGISTERED).when(RaiseFlag(flag=flag)).then_refused("malformed")


def test_a_closed_case_may_be_flagged_but_its_flags_stay():
    """A fact may come to light late; an office decision needs an open case."""
    scenario = in_phase(Phase.CLOSED)
    scenario.when(RaiseFlag(flag="MEDIA")).then(
        expect(CaseFlagged, phase=Phase.CLOSED, irregularities=("after-close",))
    )

    scenario.when(ClearFlag(flag="MEDIA", explanation=Personal("无"))).then_refused("wrong-phase")
