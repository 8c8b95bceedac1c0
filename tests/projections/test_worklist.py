"""The worklist as it is read: in pages, counted, masked, by whom, now and as it was."""

from datetime import date, timedelta
from typing import Any

import pytest

from mediation.case.custody import AcceptCustody
from mediation.case.intake import RaiseFlag
from mediation.errors import Malformed
from mediation.network.accounts import Role
from projections.base import create, reading
from projections.lanes import LANES, OPEN
from projections.runner import Follower
from projections.worklist import Worklist
from tests.projections.desk import EVERYTHING, TODAY, Desk, scope_of
from tests.projections.district import MEDIATORS


def test_a_move_shows_the_receiver_a_summary_and_nothing_else(desk: Desk):
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
        "due_at": None,
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


def test_a_red_case_is_answered_within_hours(desk: Desk):
    """The date of a red case goes by its own length, under the same code."""
    office = desk.office
    case_id = office.register(workers=11)
    office.do(RaiseFlag(flag="EMPLOYER_CLOSED"), case_id)
    office.move(case_id, "xicheng")

    (item,) = desk.ask("incoming").items
    assert (item["risk"], item["due_code"], item["due_on"]) == ("RED", "D12", TODAY)
    assert item["due_at"] == office.at + timedelta(hours=2)


def test_my_cases_are_those_i_am_assigned_to(desk: Desk):
    """A filter by account gives what one mediator has at hand."""
    office = desk.office
    mine, other = office.register(), office.register()
    office.mediate(mine)
    office.accept(other)
    mediator_id = MEDIATORS["hehua"]
    page = desk.ask(None, assigned_to=mediator_id)

    assert [it["case_id"] for it in page.items] == [mine]
    assert page.items[0]["assigned_ids"] == [mediator_id]


def test_pages_follow_each_other_by_date_without_gap_or_repeat(desk: Desk):
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


def test_pages_part_rows_of_one_case_and_lane_too(desk: Desk):
    """A case that lies in a lane at two bodies is not lost at the edge of a page."""
    office = desk.office
    case_id = office.register("moju")
    office.mediate(case_id)
    office.write(case_id, date(2026, 3, 6), seal_body_id="xicheng")
    found, after = [], None
    for _ in range(2):
        page = desk.ask("to-sign", limit=1, after=after)
        found += [it["body_id"] for it in page.items]
        after = page.next_key

    assert (sorted(found), after) == (["moju", "xicheng"], None)


def test_counts_are_by_lane_and_level_and_say_their_position(desk: Desk):
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


def test_an_unknown_lane_is_malformed(desk: Desk):
    """A lane that does not exist is told so, and is not an empty list."""
    with pytest.raises(Malformed):
        desk.ask("somewhere")


def test_all_queries_on_one_connection_see_one_moment(desk: Desk, store):
    """What a follower writes meanwhile does not show up halfway through an answer."""
    desk.office.register()
    desk.follow()
    with reading(store) as connection:
        first = desk.model("worklist").counts(connection, EVERYTHING, today=TODAY)
        desk.office.register()
        desk.follow()
        again = desk.model("worklist").counts(connection, EVERYTHING, today=TODAY)
    assert again == first
    assert desk.count().at_hand == {"village-industry": 2}


def test_the_worklist_of_any_earlier_position_is_read_as_it_lay(desk: Desk, log, store):
    """Asked at a position, the rows are those of a read model that has come just so far."""
    desk.office.stories().live(220)
    whole = desk.model("worklist")
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
                as_of = whole.lane(connection, EVERYTHING, lane, at_position=position, **asked)
            assert as_of.items == now.items
