"""The way to arbitration or court: who filed, how it goes on, and what comes of it."""

from datetime import date
from typing import Any

import pytest

from mediation.case.aid import GrantAid
from mediation.case.closing import CaseClosed, CloseCase
from mediation.case.conclusion import MediationConcluded
from mediation.case.custody import CustodyMoveWithdrawn
from mediation.case.performance import (
    ObligationEntry,
    ObligationPerformed,
    ObligationsFullyPerformed,
)
from mediation.case.proceedings import (
    ObligationsSet,
    OpenProceeding,
    ProceedingOpened,
    ProceedingUpdated,
    RemedyRouteTaken,
    SetObligations,
    TakeRemedyRoute,
    UpdateProceeding,
)
from mediation.case.state import CaseState, author_of
from mediation.case.urgent import AcknowledgeUrgentReport, AddresseeEntry, ReportUrgent
from mediation.case.values import Matter, Outcome, Phase
from mediation.kernel import fold
from mediation.ladder import MoveKind
from mediation.privacy import Personal, Purpose
from tests.scenario import CASE_ID, Scenario, an_id, expect, in_phase, seal, stored_again

COMMISSION = Personal("示例区劳动人事争议仲裁委员会")
COURT = Personal("示例区人民法院")
OPEN_DISPUTES = (
    Phase.REGISTERED,
    Phase.CONSENT_PENDING,
    Phase.ACCEPTED,
    Phase.ASSIGNED,
    Phase.MEDIATING,
    Phase.PERFORMING,
    Phase.FAILED,
    Phase.NOT_ACCEPTED,
)


def a_dispute(phase=Phase.MEDIATING, **registration):
    """Bring a dispute into a phase."""
    return in_phase(phase, matter_kind=Matter.DISPUTE, **registration)


def aided(*, workers=1):
    """Grant aid to some workers at the district's sub-centre."""
    scenario = Scenario().registered(workers=workers, matter_kind=Matter.AID, body_id="hq")
    return scenario.given(GrantAid(criteria_code="wage-arrears"))


def route(scenario, **changes):
    """Make the command that records that the applicants filed for arbitration."""
    fields: dict[str, Any] = {
        "forum": "arbitration",
        "filed_by_ids": tuple(party.party_id for party in scenario.case.applicants),
        "forum_name": COMMISSION,
    }
    return TakeRemedyRoute(**(fields | changes))


def proceeding(scenario, **changes):
    """Make the command that records an arbitration of the applicants."""
    fields: dict[str, Any] = {
        "forum": "arbitration",
        "filed_by_ids": tuple(party.party_id for party in scenario.case.applicants),
        "forum_name": COMMISSION,
        "source": "document",
    }
    return OpenProceeding(**(fields | changes))


def update(scenario, at=-1, **changes):
    """Make the command that records that a proceeding, the last one, was accepted."""
    fields: dict[str, Any] = {
        "proceeding_id": scenario.case.proceedings[at].proceeding_id,
        "step": "accepted",
        "source": "party-told",
    }
    return UpdateProceeding(**(fields | changes))


def decided(scenario, result="arbitral-award"):
    """Make the command that records how the last proceeding ended."""
    return update(scenario, step="decided", result=result, source="document")


def obligations(scenario, *lines, **changes):
    """Make the command that sets 100,000 fen on some lines, on all without any."""
    fields: dict[str, Any] = {
        "source_document": "court-mediation",
        "obligations": tuple(
            ObligationEntry(line_id=line.line_id, agreed_fen=100_000, due_on=date(2026, 9, 10))
            for line in lines or scenario.case.lines
        ),
    }
    return SetObligations(**(fields | changes))


def in_proceedings():
    """Bring a mediated dispute to arbitration."""
    scenario = a_dispute()
    return scenario.given(route(scenario))


def asked(scenario, at=-1):
    """Name the date on which the status of a proceeding is to be asked for."""
    return f"D16:{scenario.case.proceedings[at].proceeding_id}"


@pytest.mark.parametrize("phase", OPEN_DISPUTES)
def test_a_party_takes_its_way_out_from_wherever_the_case_stands(phase):
    """Mediation never stands in the way of other remedies (L-PML 3); its clocks stop.

    Conclusion is counted once per acceptance, and none without one (invariant 5).
    """
    scenario = a_dispute(phase)
    before = scenario.case
    events = scenario.do(route(scenario))

    assert [type(event) for event in events] == [
        RemedyRouteTaken,
        *((MediationConcluded,) if before.acceptance_open else ()),
    ]
    assert {event.phase for event in events} == {Phase.IN_PROCEEDINGS}
    assert events[0].irregularities == ()
    assert events[0].legal_basis == "L-LDMA 5"
    assert set(events[0].due_ended) == set(before.ending("D01", "D02", "D03", "D06", "D13"))
    assert not scenario.case.ending("D01", "D02", "D03", "D06", "D13")
    assert not scenario.case.acceptance_open
    (opened,) = scenario.case.proceedings
    assert (opened.forum, opened.is_open) == ("arbitration", True)


def test_the_status_of_what_was_filed_is_asked_for_after_thirty_days():
    """D16, one for each proceeding; the event tells who filed, where and under which number."""
    scenario = a_dispute()
    filers = (scenario.applicant.party_id,)
    command = route(scenario, docket_no=Personal("示例劳人仲案〔2026〕1号"))
    taken, concluded = scenario.do(command, at="2026-03-10T09:00+08:00")

    assert (taken.at_body_id, taken.filed_by_ids) == ("hengjie", filers)
    # A docket number leads to the published judgment, and so to the worker.
    author = author_of(CASE_ID, taken.actor_id)
    assert taken.forum_name == COMMISSION.of(author, Purpose.FREE_TEXT)
    assert taken.docket_no == command.docket_no.of(author, Purpose.FREE_TEXT)
    assert scenario.case.due[asked(scenario)].due_on == date(2026, 4, 9)
    # No date is ended by two events of one decision.
    assert concluded.due_ended == ()


@pytest.mark.parametrize(
    ("side", "outcome"),
    [
        ("applicants", Outcome.WITHDRAWN),
        ("parties", Outcome.WITHDRAWN),
        ("respondents", Outcome.FAILED),
    ],
)
def test_who_filed_decides_how_the_mediation_ended(side, outcome):
    """An applicant who leaves withdraws; when only the other side files, mediation failed."""
    scenario = a_dispute()
    filers = tuple(party.party_id for party in getattr(scenario.case, side))

    scenario.when(route(scenario, filed_by_ids=filers)).then(
        RemedyRouteTaken,
        expect(MediationConcluded, outcome=outcome, partial=False, agreed_fen=0),
    )


def test_what_was_agreed_before_stays_agreed():
    """A breach taken to arbitration changes no conclusion; payments go on being tracked."""
    scenario = a_dispute(Phase.PERFORMING)
    checks = scenario.case.ending("D10")
    scenario.when(route(scenario)).then(expect(RemedyRouteTaken, phase=Phase.IN_PROCEEDINGS))

    assert scenario.case.outcome is Outcome.SETTLED
    assert scenario.case.ending("D10") == checks


@pytest.mark.parametrize(
    ("to_body_id", "kind", "ground"),
    [
        ("dongcheng", MoveKind.ESCALATE, "beyond-means"),
        ("catering", MoveKind.TRANSFER, "other-branch"),
    ],
)
def test_a_pending_move_ends_with_the_departure(to_body_id, kind, ground):
    """Whether it goes up or stays on the level: nobody is left to mediate."""
    scenario = a_dispute()
    scenario.given(scenario.move(to_body_id, kind, ground))
    scenario.when(route(scenario)).then(
        expect(
            CustodyMoveWithdrawn,
            phase=Phase.MEDIATING,
            reason_code="remedy-route-taken",
            to_body_id=to_body_id,
        ),
        RemedyRouteTaken,
        MediationConcluded,
    )

    assert scenario.case.move is None
    assert "D12" not in scenario.case.due


def test_what_was_filed_before_and_typed_in_after_the_close_starts_nothing():
    """The fact is kept; of a closed case nobody asks the status."""
    scenario = a_dispute(Phase.CLOSED)
    due = scenario.case.due
    scenario.when(route(scenario)).then(
        expect(RemedyRouteTaken, phase=Phase.CLOSED, due=(), irregularities=("after-close",))
    )

    assert scenario.case.due == due
    assert len(scenario.case.proceedings) == 1


def test_a_suit_without_arbitration_names_its_exception():
    """L-INT1 13, 15, 51; L-LDMA 29: without one it is recorded, and warned of."""
    bare = a_dispute()
    bare.when(route(bare, forum="court-first", forum_name=COURT)).then(
        expect(RemedyRouteTaken, irregularities=("suit-without-exception",)), MediationConcluded
    )

    named = a_dispute()
    named.when(
        route(named, forum="court-first", forum_name=COURT, exception_code="promissory-note")
    ).then(
        expect(RemedyRouteTaken, exception_code="promissory-note", irregularities=()),
        MediationConcluded,
    )


def test_a_suit_after_arbitration_needs_no_exception():
    """Arbitration itself has to have come to a result; having filed there is not enough."""
    scenario = in_proceedings()
    suit = route(scenario, forum="court-first", forum_name=COURT)
    scenario.given(proceeding(scenario, forum="inspection", forum_name=Personal("示例区人社局")))
    scenario.given(decided(scenario, "ended-otherwise")).when(suit).then(
        expect(RemedyRouteTaken, irregularities=("suit-without-exception",))
    )

    decided_there = in_proceedings()
    decided_there.given(decided(decided_there)).when(suit).then(
        expect(RemedyRouteTaken, irregularities=())
    )
    assert [it.forum for it in decided_there.case.proceedings] == ["arbitration", "court-first"]


def test_the_aided_take_the_same_way_and_nothing_is_concluded():
    """There was no mediation of an AID matter to conclude (invariant 5)."""
    scenario = aided()

    scenario.when(route(scenario)).then(
        expect(RemedyRouteTaken, phase=Phase.IN_PROCEEDINGS, at_body_id="hq", irregularities=())
    )


def test_a_route_has_published_codes_and_is_filed_by_parties():
    """Unknown codes and strangers are malformed, each at its place."""
    scenario = a_dispute()
    for field in ("forum", "exception_code"):
        scenario.when(route(scenario, **{field: "moon"})).then_refused("malformed")
        assert scenario.refusal.faults[0].pointer == f"/{field}"
    scenario.when(route(scenario, filed_by_ids=(an_id("x"),))).then_refused("unknown-party")


def test_the_restaurant_workers_go_through_arbitration_to_court():
    """Scenario 2: reported, aid, arbitration, suit, court mediation, 34 of 34 paid, closed."""
    scenario = aided(workers=34)
    addressees = (
        AddresseeEntry(kind="party-government", name=Personal("示例区信访局")),
        AddresseeEntry(kind="upper-union", name=Personal("示例市总工会")),
    )
    scenario.given(
        ReportUrgent(kind="first", addressees=addressees, text=Personal("餐饮店停业欠薪。")),
        AcknowledgeUrgentReport(report_no=1, addressee_no=0),
        AcknowledgeUrgentReport(report_no=1, addressee_no=1),
    )
    scenario.when(
        proceeding(
            scenario,
            source="demo-addition",
            source_note=Personal("报道未载。"),
            docket_no=Personal("示例劳人仲案〔2026〕2号"),
        ),
        at="2026-03-03T09:00+08:00",
    ).then(
        expect(
            ProceedingOpened,
            phase=Phase.IN_PROCEEDINGS,
            source="demo-addition",
            irregularities=(),
        )
    )
    (opened,) = scenario.decided
    assert (opened.source_note.value, opened.docket_no.value) == (
        "报道未载。",
        "示例劳人仲案〔2026〕2号",
    )
    arbitration = asked(scenario)
    assert scenario.case.due[arbitration].due_on == date(2026, 4, 2)
    scenario.when(decided(scenario)).then(
        expect(ProceedingUpdated, phase=Phase.IN_PROCEEDINGS, due_ended=(arbitration,), due=())
    )
    scenario.when(proceeding(scenario, forum="court-first", forum_name=COURT)).then(
        expect(ProceedingOpened, phase=Phase.IN_PROCEEDINGS, irregularities=())
    )
    scenario.given(decided(scenario, "court-mediation"))
    court = scenario.case.proceedings[-1]
    scenario.when(obligations(scenario, proceeding_id=court.proceeding_id)).then(
        expect(
            ObligationsSet,
            phase=Phase.PERFORMING,
            at_body_id="hq",
            source_document="court-mediation",
            proceeding_id=court.proceeding_id,
            irregularities=(),
        )
    )
    assert set(scenario.case.due) == {"D10:2026-09-10"}
    for at in range(33):
        scenario.when(scenario.payment(at), at="2026-09-08T09:00+08:00").then(ObligationPerformed)
    scenario.when(CloseCase()).then_refused("no-open-duty")
    scenario.when(scenario.payment(33)).then(
        ObligationPerformed, expect(ObligationsFullyPerformed, applied_fen=3_400_000)
    )

    scenario.when(CloseCase()).then(CaseClosed)
    assert not [event for event in scenario.events if isinstance(event, MediationConcluded)]
    assert scenario.case.irregularities == ()


def test_the_status_is_asked_for_again_until_there_is_a_result():
    """Each step known starts another thirty days; the result ends them."""
    scenario = in_proceedings()
    key = asked(scenario)
    step = update(scenario, docket_no=Personal("示例劳人仲案〔2026〕1号"))
    scenario.when(step, at="2026-04-01T09:00+08:00").then(
        expect(
            ProceedingUpdated,
            forum="arbitration",
            step="accepted",
            result=None,
            due_ended=(key,),
            irregularities=(),
        )
    )
    assert scenario.events[-1].docket_no.value == "示例劳人仲案〔2026〕1号"
    assert scenario.case.due[key].due_on == date(2026, 5, 1)
    scenario.when(CloseCase()).then_refused("no-open-proceeding")

    scenario.when(decided(scenario)).then(expect(ProceedingUpdated, due=(), due_ended=(key,)))
    assert scenario.case.proceedings[0].result == "arbitral-award"
    # A step typed in afterwards opens it no more.
    scenario.when(update(scenario, step="heard")).then(
        expect(ProceedingUpdated, due=(), due_ended=())
    )
    assert scenario.case.proceedings[0].result == "arbitral-award"


def test_each_proceeding_has_a_date_and_a_result_of_its_own():
    """Two authorities may have parts of the matter at once."""
    scenario = in_proceedings()
    scenario.given(proceeding(scenario, forum="inspection", forum_name=Personal("示例区人社局")))
    first, second = asked(scenario, 0), asked(scenario, 1)
    scenario.when(update(scenario, 0, step="decided", result="withdrawn-there")).then(
        expect(ProceedingUpdated, due_ended=(first,))
    )

    assert second in scenario.case.due
    assert [it.result for it in scenario.case.proceedings] == ["withdrawn-there", None]


def test_with_all_results_and_nothing_to_pay_the_case_closes_from_the_proceedings():
    """A claim that was dismissed leaves nothing to track."""
    scenario = in_proceedings()
    scenario.given(decided(scenario, "ended-otherwise"))

    scenario.when(CloseCase()).then(expect(CaseClosed, phase=Phase.CLOSED))


@pytest.mark.parametrize(
    ("phase", "flaws"),
    [
        (Phase.MEDIATING, ("out-of-order",)),
        (Phase.PERFORMING, ("out-of-order",)),
        (Phase.CLOSED, ("after-close",)),
    ],
)
def test_a_proceeding_out_of_order_is_recorded_and_moves_nothing(phase, flaws):
    """Whoever leaves mediation does so by the route; a bare proceeding is a flaw there."""
    scenario = a_dispute(phase)
    scenario.when(proceeding(scenario)).then(
        expect(ProceedingOpened, phase=phase, irregularities=flaws)
    )

    assert bool(scenario.case.ending("D16")) is (phase is not Phase.CLOSED)
    assert len(scenario.case.proceedings) == 1


def test_progress_after_the_close_is_kept_and_asks_for_nothing():
    """The case is closed; what became known later is a fact with its flaw."""
    scenario = a_dispute(Phase.CLOSED)
    scenario.given(route(scenario))

    scenario.when(update(scenario)).then(
        expect(
            ProceedingUpdated,
            phase=Phase.CLOSED,
            due=(),
            due_ended=(),
            irregularities=("after-close",),
        )
    )


def test_proceedings_have_published_codes_and_are_those_of_the_case():
    """Unknown codes, strangers and proceedings of another case are malformed."""
    scenario = in_proceedings()
    for field in ("forum", "source"):
        scenario.when(proceeding(scenario, **{field: "moon"})).then_refused("malformed")
        assert scenario.refusal.faults[0].pointer == f"/{field}"
    for field in ("step", "result", "source"):
        scenario.when(update(scenario, **{field: "moon"})).then_refused("malformed")
        assert scenario.refusal.faults[0].pointer == f"/{field}"
    scenario.when(proceeding(scenario, filed_by_ids=(an_id("x"),))).then_refused("unknown-party")
    stray = {"proceeding_id": an_id("x")}
    scenario.when(update(scenario, **stray)).then_refused("unknown-proceeding")
    scenario.when(obligations(scenario, **stray)).then_refused("unknown-proceeding")
    scenario.when(obligations(scenario, source_document="rumour")).then_refused("malformed")
    assert scenario.refusal.faults[0].pointer == "/source_document"


def test_several_documents_may_set_what_is_owed_to_several_workers():
    """Each worker may have a document of his own; the second comes while the first is performed."""
    scenario = aided(workers=2)
    scenario.given(proceeding(scenario))
    first, second = scenario.case.lines
    scenario.when(obligations(scenario, first)).then(
        expect(ObligationsSet, phase=Phase.PERFORMING, irregularities=())
    )
    scenario.when(obligations(scenario, second)).then(
        expect(ObligationsSet, phase=Phase.PERFORMING, superseded_ids=(), irregularities=())
    )

    assert len(scenario.case.payments) == 2


def test_a_document_takes_the_place_of_what_was_promised_and_not_paid():
    """An undertaking broken and taken to court is owed once, as the court says."""
    scenario = a_dispute(Phase.PERFORMING)
    old = scenario.case.payments[0].obligation.obligation_id
    checks = scenario.case.ending("D10")
    scenario.given(route(scenario)).when(obligations(scenario)).then(
        expect(ObligationsSet, superseded_ids=(old,), due_ended=checks, proceeding_id=None)
    )

    assert [it.obligation.due_on for it in scenario.case.payments] == [date(2026, 9, 10)]


@pytest.mark.parametrize(
    ("phase", "flaws"),
    [
        (Phase.MEDIATING, ("no-proceeding", "out-of-order")),
        (Phase.PERFORMING, ("no-proceeding",)),
        (Phase.CLOSED, ("after-close", "no-proceeding")),
    ],
)
def test_obligations_without_a_proceeding_are_recorded_with_their_flaws(phase, flaws):
    """They move nothing, but an order is owed: until the close its payment is looked after."""
    scenario = a_dispute(phase)
    scenario.when(obligations(scenario)).then(
        expect(ObligationsSet, phase=phase, irregularities=flaws)
    )

    assert ("D10:2026-09-10" in scenario.case.due) is (phase is not Phase.CLOSED)


def test_a_demand_is_taken_to_no_court():
    """A mere wish has no claim to sue on; it becomes a dispute by an application."""
    demand = Scenario().registered(matter_kind=Matter.DEMAND)
    update_of_none = UpdateProceeding(proceeding_id=an_id("x"), step="heard", source="document")
    for command in (route(demand), proceeding(demand), update_of_none, obligations(demand)):
        demand.when(command).then_refused("wrong-matter")


def test_proceedings_are_the_same_after_they_were_stored():
    """Sealed, encoded and decoded events fold to the same case."""
    scenario = in_proceedings()
    scenario.given(proceeding(scenario, source_note=Personal("当事人口述。")))
    scenario.given(decided(scenario)).given(obligations(scenario))
    stored = stored_again(scenario.events)

    assert stored == tuple(seal(event) for event in scenario.events)
    assert fold(CaseState(), stored) == seal(scenario.case)


def test_an_order_on_a_failed_case_is_looked_after_though_it_came_out_of_order():
    """What court or arbitration set is owed, in whichever phase the case is."""
    scenario = a_dispute(Phase.FAILED)
    scenario.given(obligations(scenario))

    assert (scenario.case.phase, scenario.case.is_ordered) == (Phase.FAILED, True)
    assert "D10:2026-09-10" in scenario.case.due
