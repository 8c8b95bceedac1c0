"""What somebody reads in the morning: each thing he has to do once, in the order of the day."""

from datetime import date, timedelta
from typing import Any

import pytest

from mediation import codes
from mediation.case.custody import AcceptCustody
from mediation.case.intake import RaiseFlag
from mediation.network.accounts import Role
from projections.base import create, reading
from projections.lanes import LANES
from projections.runner import Follower
from projections.worklist import DAY, Worklist
from tests.projections.desk import Desk, scope_of
from tests.projections.district import MEDIATORS


def whys(desk: Desk, *asked, **more) -> list[tuple[str, object]]:
    """Give what each item of a day is there for, and its case."""
    return [(it["why"], it["case_id"]) for it in desk.day_of(*asked, **more).items]


def test_a_day_begins_with_what_is_late_then_due_then_coming_then_lane_by_lane(desk: Desk):
    """Late, late payment, due today, incoming, and then the lanes in the order of the office."""
    office = desk.office
    asking = office.register()
    late, unpaid = office.register(), office.register()
    office.mediate(late)
    office.mediate(unpaid)
    office.promise(unpaid, date(2026, 3, 6))
    office.settle(unpaid)
    office.at += timedelta(days=7)
    coming, fresh, assigning, deciding = (office.register() for _ in range(4))
    office.move(coming, "moju")
    office.do(AcceptCustody(), coming, body_id="moju")
    office.move(coming, "hehua")
    office.accept(assigning)
    office.consent(deciding)
    payable = office.register()
    office.mediate(payable)
    office.promise(payable, date(2026, 3, 9))
    office.settle(payable)

    found = whys(desk, "hehua", today=date(2026, 3, 9))

    assert set(found[:2]) == {("overdue", asking), ("overdue", late)}
    assert found[2:] == [
        ("breached", unpaid),
        ("due-today", payable),
        ("incoming", coming),
        ("to-accept", deciding),
        ("to-ask", fresh),
        ("to-assign", assigning),
    ]


def test_each_case_stands_there_once_and_says_where_it_lies(desk: Desk):
    """One item for the work of a body on a case, with every lane, dated ones too."""
    office = desk.office
    case_id = office.register(workers=11)
    office.do(RaiseFlag(flag="WAGE_ARREARS"), case_id)
    office.accept(case_id)

    page = desk.day_of("hehua")

    (item,) = page.items
    assert (item["case_id"], item["why"]) == (case_id, "to-assign")
    assert item["lanes"] == ["to-assign", "due-soon", "risk"]
    assert (item["due_code"], item["term_on"]) == ("D13", date(2026, 3, 17))
    assert page.at_hand == 1
    assert tuple(page.lanes) == LANES
    assert {lane: count for lane, count in page.lanes.items() if count} == {
        "to-assign": 1,
        "due-soon": 1,
        "risk": 1,
    }


def test_a_mediator_has_what_he_is_assigned_to_and_nothing_to_archive(desk: Desk):
    """His cases, not those of the body; closing takes a case off his list, not off the lead's."""
    office = desk.office
    mine, other = office.register(), office.register()
    office.mediate(mine)
    office.accept(other)
    closed = office.settle_on_one_form()

    assert whys(desk, "hehua", Role.MEDIATOR) == [("mediating", mine)]
    assert desk.day_of("hehua", Role.MEDIATOR).at_hand == 1
    lead = desk.day_of("hehua")
    assert [it["case_id"] for it in lead.items] == [other, mine, closed]
    assert lead.at_hand == 2
    assert lead.items[-1]["why"] == "to-archive"


def test_what_is_only_to_be_archived_never_hurries(desk: Desk):
    """Its date passes in the lane `overdue`; in nobody's day does it come first."""
    office = desk.office
    closed = office.settle_on_one_form()
    office.at += timedelta(days=60)
    fresh = office.register()
    later = office.at.date()

    assert [it["case_id"] for it in desk.ask("overdue", today=later, body_id="hehua").items] == [
        closed
    ]
    assert whys(desk, "hehua", today=later) == [("to-ask", fresh), ("to-archive", closed)]


def test_an_upper_body_has_what_it_is_to_seal_and_to_review_and_no_more(desk: Desk):
    """A review shows when it is near; what bodies below work on is not an upper body's day."""
    office = desk.office
    signing = office.register("moju")
    office.mediate(signing)
    office.write(signing, date(2026, 3, 30), seal_body_id="xicheng")
    reviewed = office.settle_on_one_form("moju")
    office.register("moju")

    assert whys(desk, "xicheng") == [("to-sign", signing)]
    assert whys(desk, "xicheng", today=date(2026, 3, 7)) == [
        ("to-sign", signing),
        ("due-soon", reviewed),
    ]
    assert whys(desk, "xicheng", today=date(2026, 3, 9)) == [
        ("due-today", reviewed),
        ("to-sign", signing),
    ]
    assert whys(desk, "xicheng", today=date(2026, 3, 10))[0] == ("overdue", reviewed)


def test_a_window_of_the_parties_shows_while_it_can_be_used(desk: Desk):
    """Shortly before it closes, and not once it is closed; nobody is late with it."""
    office = desk.office
    case_id = office.register()
    office.mediate(case_id)
    office.write(case_id, date(2026, 9, 30))
    office.sign(case_id)

    def codes_on(day: date) -> list[tuple[str, str]]:
        return [(it["why"], it["due_code"]) for it in desk.day_of("hehua", today=day).items]

    assert codes_on(date(2026, 3, 13)) == [("performing", "D10")]
    assert codes_on(date(2026, 3, 14)) == [("performing", "D10")]
    assert codes_on(date(2026, 3, 17)) == [("due-today", "D08")]
    assert codes_on(date(2026, 3, 18)) == [("performing", "D10")]
    assert "due-soon" in desk.day_of("hehua", today=date(2026, 3, 14)).items[0]["lanes"]


def test_a_day_is_read_in_pages_without_gap_or_repeat(desk: Desk):
    """However small the page, the items come in the same order, each once."""
    office = desk.office
    for at in range(9):
        office.at += timedelta(hours=9)
        case_id = office.register()
        if at % 3 == 0:
            office.accept(case_id)
        if at % 4 == 0:
            office.move(case_id, "moju")
    whole = desk.day_of("hehua", today=date(2026, 3, 9))
    found, after = [], None
    while True:
        page = desk.day_of("hehua", today=date(2026, 3, 9), limit=2, after=after)
        found += page.items
        after = page.next_key
        if after is None:
            break

    assert whole.next_key is None
    assert len(whole.items) == 9
    assert found == whole.items
    order = [DAY.index(it["why"]) for it in found]
    assert order == sorted(order)


def test_a_day_shows_nothing_beyond_the_scope(desk: Desk, store):
    """Whatever bodies are asked for, what the actor does not see is not there."""
    desk.office.register("xinqian")
    worklist = desk.model("worklist")
    with reading(store) as connection:
        page = worklist.day(
            connection,
            scope_of("moju"),
            account_id=MEDIATORS["xinqian"],
            body_ids=("xinqian",),
            today=date(2026, 3, 2),
        )

    assert (page.items, page.at_hand) == ([], 0)


@pytest.mark.parametrize("role", [Role.LEAD, Role.MEDIATOR])
def test_a_day_is_read_as_it_lay_at_an_earlier_position(desk: Desk, log, store, role):
    """Asked at a position, it is that of a read model that has come just so far."""
    desk.office.stories().live(160)
    whole = desk.model("worklist")
    earlier = Worklist(prefix="then_")
    create(store, [earlier])
    then = Follower(earlier, log, store, batch=1)
    then.catch_up(limit=log.head().position // 2)
    is_mediator = role is Role.MEDIATOR
    for body_id in ("hehua", "xicheng", "quzong"):
        asked: dict[str, Any] = {
            "account_id": MEDIATORS[body_id],
            "body_ids": () if is_mediator else (body_id,),
            "today": date(2026, 3, 20),
            "limit": 500,
        }
        scope = scope_of(body_id, role, MEDIATORS[body_id])
        with reading(store) as connection:
            now = earlier.day(connection, scope, **asked)
            as_of = whole.day(connection, scope, at_position=then.position, **asked)
        assert as_of.items == now.items
        assert (as_of.lanes, as_of.at_hand) == (now.lanes, now.at_hand)


def test_the_order_of_the_day_holds_every_lane_once():
    """No lane of the office is missing in it, and none stands there twice."""
    assert sorted(DAY) == sorted((*codes.table("lanes"), "open"))
