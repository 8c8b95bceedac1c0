"""Where a case lies: the lane of each body, now, tomorrow, and as it was."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from mediation import codes
from mediation.authority import Scope
from mediation.case.agreement import FailMediation
from mediation.case.assignment import AssignMediators, ConfirmAssignment
from mediation.case.closing import CloseCase
from mediation.case.consent import AcceptCase, AskConsent, RecordConsent
from mediation.case.custody import AcceptCustody, DeclineCustody
from mediation.case.intake import RaiseFlag
from mediation.case.performance import RecordPerformance
from mediation.case.sessions import RecordSession
from mediation.case.state import Answer
from mediation.errors import Malformed
from mediation.network.accounts import Grant, Role
from mediation.privacy import Personal
from projections.base import create, reading
from projections.runner import Follower
from projections.standing import commands
from projections.worklist import LANES, OPEN, Worklist, lanes_of
from tests.projections.histories import (
    LONG_AGO,
    MEDIATORS,
    PATHS,
    Office,
    append,
    recorded,
)

TODAY = date(2026, 3, 2)


def scope_of(body_id: str, role: Role = Role.LEAD) -> Scope:
    """Give the scope of somebody with one role at one body."""
    grant = Grant(role=role, body_id=body_id, path=PATHS[body_id], from_on=LONG_AGO)
    return Scope([grant], actor_id=UUID(int=1), on=TODAY)


EVERYTHING = scope_of("quzong", Role.COORDINATOR)


class Desk:
    """An office, its log and its worklist, kept level with each other."""

    def __init__(self, log, store, follower):
        self.office = Office()
        self._log, self._store, self._follower = log, store, follower
        self._appended = 0

    @property
    def worklist(self) -> Worklist:
        return self._follower.projection

    def lanes(self, case_id, *, body_id=None, today=TODAY) -> set[str]:
        """Name the lanes, but for `open`, in which a case lies for everybody, or at one body."""
        self.follow()
        with reading(self._store) as connection:
            return {
                lane
                for lane in LANES
                for it in self.worklist.lane(
                    connection, EVERYTHING, lane, today=today, body_id=body_id
                ).items
                if it["case_id"] == case_id
            }

    def ask(self, lane, scope=EVERYTHING, today=TODAY, **filters):
        """Read one lane."""
        self.follow()
        with reading(self._store) as connection:
            return self.worklist.lane(connection, scope, lane, today=today, **filters)

    def count(self, scope=EVERYTHING, today=TODAY, **filters):
        """Count the lanes."""
        self.follow()
        with reading(self._store) as connection:
            return self.worklist.counts(connection, scope, today=today, **filters)

    def follow(self):
        """Append what was decided since, and fold it."""
        append(self._log, self.office.written[self._appended :])
        self._appended = len(self.office.written)
        self._follower.catch_up()


@pytest.fixture
def desk(log, store, followers) -> Desk:
    """An empty desk."""
    return Desk(log, store, followers[1])


def test_the_lanes_are_those_of_the_code_table():
    """Every lane has a label, in the same order."""
    assert tuple(codes.table("lanes")) == LANES


def test_a_case_goes_from_lane_to_lane(desk):
    """From asking to closing an ordinary case lies in one lane of the office after the other."""
    office, mediator_id = desk.office, MEDIATORS["hehua"]
    case_id = office.register()
    assert desk.lanes(case_id) == {"to-ask", "due-soon"}
    assert desk.ask("to-ask").items[0]["due_code"] == "D01"

    office.do(
        AskConsent(party_id=office.cases[case_id].parties[0].party_id, means="phone"), case_id
    )
    assert desk.lanes(case_id) == {"to-ask", "due-soon"}
    office.consent(case_id)
    assert desk.lanes(case_id) == {"to-accept", "due-soon"}
    office.do(AcceptCase(within_scope=True, within_district=True), case_id)
    assert desk.lanes(case_id) == {"to-assign", "due-soon"}
    office.do(AssignMediators(mediator_ids=(mediator_id,), lead_mediator_id=mediator_id), case_id)
    assert desk.lanes(case_id) == {"to-confirm", "due-soon"}
    office.do(ConfirmAssignment(mediator_id=mediator_id), case_id)
    assert desk.lanes(case_id) == {"mediating", "due-soon"}
    assert desk.lanes(case_id, today=date(2026, 3, 18)) == {"mediating", "overdue"}
    office.promise(case_id, date(2026, 3, 6))
    office.settle(case_id)
    assert desk.lanes(case_id) == {"performing"}
    assert desk.lanes(case_id, today=date(2026, 3, 6)) == {"performing", "due-today"}
    office.pay(case_id)
    assert desk.lanes(case_id) == {"to-close"}
    office.do(CloseCase(), case_id)
    assert desk.lanes(case_id) == {"to-archive"}
    assert desk.ask(None).items == []


def test_a_partly_paid_case_stays_under_performance(desk):
    """What is still owed keeps a case out of `to-close`, and due on its day."""
    office = desk.office
    case_id = office.register(workers=2)
    office.mediate(case_id)
    office.promise(case_id, date(2026, 3, 6))
    office.settle(case_id)
    first = office.cases[case_id].payments[0].obligation
    paid = RecordPerformance(
        obligation_id=first.obligation_id,
        paid_fen=first.agreed_fen + 7,
        payment_means="cash",
        proof_kind="receipt",
    )
    office.do(paid, case_id)

    assert desk.lanes(case_id, today=date(2026, 3, 6)) == {"performing", "due-today"}


def test_a_failed_case_is_closed_only_after_its_notices(desk):
    """A failed case waits outside `to-close` until every party has been told."""
    office = desk.office
    case_id = office.register()
    office.mediate(case_id)
    office.do(FailMediation(cause_code=min(codes.table("failure_causes"))), case_id)
    assert "to-close" not in desk.lanes(case_id)
    office.tell(case_id)

    assert desk.lanes(case_id) == {"to-close"}


def test_a_move_shows_the_receiver_a_summary_and_nothing_else(desk):
    """Before it answers, a body sees number, move, sender, level, risk and headcount."""
    office = desk.office
    case_id = office.register(workers=11)
    office.accept(case_id)
    office.move(case_id, "xicheng")

    (item,) = desk.ask("incoming", scope_of("xicheng", Role.CLERK)).items
    assert item == {
        "case_id": case_id,
        "case_number": office.cases[case_id].case_number,
        "level": "township",
        "risk": "YELLOW",
        "headcount": 11,
        "due_on": date(2026, 3, 3),
        "rolled_on": date(2026, 3, 3),
        "due_code": "D12",
        "pending_kind": "ESCALATE",
        "from_body_id": "hehua",
        "from_level": "village-industry",
        "body_id": "xicheng",
        "lane": "incoming",
    }
    assert desk.ask(None, scope_of("dongcheng")).items == []
    assert desk.lanes(case_id, body_id="hehua") == {"to-assign", "risk", "due-soon"}
    assert desk.ask(None, scope_of("hehua")).items[0]["due_code"] == "D13"
    office.do(AcceptCustody(), case_id, body_id="xicheng")
    assert desk.lanes(case_id) == {"to-ask", "risk"}
    assert desk.ask(None, scope_of("hehua")).items == []


def test_a_red_case_is_answered_within_hours(desk):
    """The date of a red case goes by its own length, under the same code."""
    office = desk.office
    case_id = office.register(workers=11)
    office.do(RaiseFlag(flag="EMPLOYER_CLOSED"), case_id)
    office.move(case_id, "xicheng")

    (item,) = desk.ask("incoming").items
    assert (item["risk"], item["due_code"], item["due_on"]) == ("RED", "D12", TODAY)


def test_a_case_taken_over_without_sheets_is_asked_anew(desk):
    """Under its open acceptance it waits to be asked, then goes on by itself or to the lead."""
    office = desk.office
    going, stopping = office.register(), office.register()
    for case_id in (going, stopping):
        office.accept(case_id)
        office.move(case_id, "xicheng")
        office.do(AcceptCustody(), case_id, body_id="xicheng")
        assert desk.lanes(case_id) == {"to-ask"}
    applicant, respondent = office.cases[stopping].parties

    office.do(answer(respondent, Answer.NO_ANSWER), stopping)
    assert desk.lanes(stopping) == {"to-ask"}
    office.do(answer(applicant, Answer.REFUSED), stopping)
    office.consent(going)

    assert desk.lanes(stopping) == {"to-accept", "due-soon"}
    assert desk.lanes(going) == {"to-assign"}


def answer(party, said: Answer) -> RecordConsent:
    """Type in what a party said on the phone."""
    return RecordConsent(party_id=party.party_id, answer=said, means="phone")


def test_a_refusal_goes_to_the_lead_before_the_other_side_is_asked(desk):
    """A side that clearly refuses is enough to decide on the case."""
    office = desk.office
    case_id = office.register()
    office.do(answer(office.cases[case_id].respondents[0], Answer.REFUSED), case_id)

    assert desk.lanes(case_id) == {"to-accept", "due-soon"}


def test_a_session_before_anybody_was_assigned_leaves_the_case_to_be_assigned(desk):
    """The case is in mediation on paper, and still nobody has it."""
    office = desk.office
    case_id = office.register()
    office.accept(case_id)
    session = RecordSession(
        mode="phone",
        attending_ids=(office.cases[case_id].parties[0].party_id,),
        host_ids=(MEDIATORS["hehua"],),
        minutes=Personal("笔录"),
        result="continued",
    )
    office.do(session, case_id)

    assert office.cases[case_id].phase == "MEDIATING"
    assert desk.lanes(case_id) == {"to-assign", "to-cure", "due-soon"}


def test_a_promise_is_owed_once_the_mediation_is_concluded(desk):
    """Before that no payment is due; a notice that is owed keeps a paid case from being closed."""
    office = desk.office
    case_id = office.register()
    office.mediate(case_id)
    office.do(answer(office.cases[case_id].applicants[0], Answer.REFUSED), case_id)
    office.promise(case_id, TODAY)
    assert "due-today" not in desk.lanes(case_id)
    office.settle(case_id)
    assert "due-today" in desk.lanes(case_id)
    office.pay(case_id)
    assert desk.lanes(case_id) == {"performing", "due-soon"}
    office.tell(case_id)

    assert desk.lanes(case_id) == {"to-close"}


STEPS = {
    "to-accept",
    "to-ask",
    "to-assign",
    "to-confirm",
    "mediating",
    "performing",
    "to-close",
    "to-archive",
}


def test_no_case_is_ever_in_no_lane():
    """After every command a case lies in one lane of the next step, or waits for its notices."""
    for _end, touched in commands(recorded(Office(seed=3).stories().live(600)), lambda _ids: {}):
        for case in touched.values():
            waits = case.phase in ("FAILED", "NOT_ACCEPTED") and bool(case.owed_ids)
            assert len(STEPS & set(lanes_of(case))) == (0 if waits else 1), case.phase


def test_a_case_that_comes_back_lies_in_its_own_lane_until_somebody_acts(desk):
    """A declined request is shown as sent back until the next move or assignment."""
    office = desk.office
    case_id = office.register()
    office.accept(case_id)
    office.move(case_id, "xicheng")
    declined = DeclineCustody(reason_code=min(codes.table("custody_decline_reasons")))
    office.do(declined, case_id, body_id="xicheng")
    assert desk.lanes(case_id) == {"to-assign", "sent-back", "due-soon"}
    mediator_id = MEDIATORS["hehua"]
    office.do(AssignMediators(mediator_ids=(mediator_id,), lead_mediator_id=mediator_id), case_id)

    assert desk.lanes(case_id) == {"to-confirm", "due-soon"}


def test_flaws_and_risk_have_their_lanes(desk):
    """A session held by a stranger is to be cured; a closed employer makes the case a risk."""
    office = desk.office
    case_id = office.register()
    session = RecordSession(
        mode="joint",
        attending_ids=(office.cases[case_id].parties[0].party_id,),
        host_ids=(MEDIATORS["moju"],),
        minutes=Personal("笔录"),
        result="continued",
    )
    office.do(session, case_id)
    office.do(RaiseFlag(flag="EMPLOYER_CLOSED"), case_id)

    assert desk.lanes(case_id) == {"to-ask", "to-cure", "risk", "due-soon"}


def test_my_cases_are_those_i_am_assigned_to(desk):
    """A filter by account gives what one mediator has at hand."""
    office = desk.office
    mine, other = office.register(), office.register()
    office.mediate(mine)
    office.accept(other)
    mediator_id = MEDIATORS["hehua"]
    page = desk.ask(None, assigned_to=mediator_id)

    assert [it["case_id"] for it in page.items] == [mine]
    assert page.items[0]["assigned_ids"] == [mediator_id]


def test_pages_follow_each_other_by_date_without_gap_or_repeat(desk):
    """Rows come by due date; a page goes on where the one before ended."""
    office = desk.office
    ids = []
    for _ in range(7):
        office.at += timedelta(days=1)
        ids.append(office.register())
    found, after = [], None
    while True:
        page = desk.ask("to-ask", limit=3, after=after)
        found += [it["case_id"] for it in page.items]
        if page.next_key is None:
            break
        after = page.next_key

    assert sorted(found) == sorted(ids)
    by_date = [it["due_on"] for it in desk.ask("to-ask").items]
    assert by_date == sorted(by_date)


def test_counts_are_by_lane_and_level_and_say_their_position(desk):
    """Every lane is there, by level; the position is that of the last event."""
    office = desk.office
    office.register()
    office.mediate(office.register("xicheng"))
    counts = desk.count()

    assert set(counts.lanes) == set(LANES)
    assert counts.lanes["to-ask"] == {"village-industry": 1}
    assert counts.lanes["mediating"] == {"township": 1}
    assert counts.lanes["breached"] == {}
    assert counts.at_hand == {"village-industry": 1, "township": 1}
    assert counts.as_of_position == sum(map(len, office.written))
    assert counts.parked == 0
    assert desk.count(scope_of("dongcheng")).at_hand == {}


def test_an_unknown_lane_is_malformed(desk):
    """A lane that does not exist is told so, and is not an empty list."""
    with pytest.raises(Malformed):
        desk.ask("somewhere")


def test_all_queries_on_one_connection_see_one_moment(desk, store):
    """What a follower writes meanwhile does not show up halfway through an answer."""
    desk.office.register()
    desk.follow()
    with reading(store) as connection:
        first = desk.worklist.counts(connection, EVERYTHING, today=TODAY)
        desk.office.register()
        desk.follow()
        again = desk.worklist.counts(connection, EVERYTHING, today=TODAY)
    assert again == first
    assert desk.count().at_hand == {"village-industry": 2}


def test_the_worklist_of_any_earlier_position_is_read_as_it_lay(desk, log, store):
    """Asked at a position, the rows are those of a read model that has come just so far."""
    desk.office.stories().live(220)
    desk.follow()
    earlier = Worklist(prefix="then_")
    create(store, [earlier])
    then = Follower(earlier, log, store, batch=1)
    head = log.head().position
    for position in sorted({1, 2, 9, 10, 77, head // 2, head - 1, head}):
        while then.position < position:
            if log.read(then.position, 1)[-1].position > position:
                break
            then.step()
        for lane in (OPEN, *LANES):
            asked: Any = {"today": date(2026, 3, 9), "limit": 999}
            with reading(store) as connection:
                now = earlier.lane(connection, EVERYTHING, lane, **asked)
                as_of = desk.worklist.lane(
                    connection, EVERYTHING, lane, at_position=position, **asked
                )
            assert as_of.items == now.items
