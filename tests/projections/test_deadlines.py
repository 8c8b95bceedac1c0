"""Which dates are open, whose they are, who reads them, and which terms have run out."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from mediation.calendar import DueDate
from mediation.case.consent import RefuseCase
from mediation.case.custody import AcceptCustody
from mediation.case.lifecycle import available, table_rows
from mediation.case.term import ExtendTerm
from mediation.case.values import Matter
from mediation.network.accounts import Role
from projections.base import create, reading
from projections.deadlines import CAN_RUN_OUT, Deadlines, TermOver
from projections.runner import Follower
from tests.projections.desk import EVERYTHING, TODAY, Desk, scope_of
from tests.projections.histories import Office
from tests.scenario import lapse_of

REASONS = (
    "code",
    "due_on",
    "rolled_on",
    "due_at",
    "rule",
    "article",
    "start_event_id",
    "start_on",
    "calendar",
    "rolled_days",
    "provisional",
    "past_when_decided",
    "subject",
)


def assert_lists_what_was_decided(items: list[dict[str, Any]], office: Office) -> None:
    """Compare listed dates, field by field, with those of the states that decisions see."""
    listed: dict[UUID, dict[str, dict[str, Any]]] = {case_id: {} for case_id in office.cases}
    for it in items:
        listed[it["case_id"]][it["key"]] = {name: it[name] for name in REASONS}
    assert listed == {
        case_id: {key: msgspec.structs.asdict(due) for key, due in case.due.items()}
        for case_id, case in office.cases.items()
    }


def test_every_open_date_stands_there_with_all_its_reasons(desk: Desk):
    """What is listed is what was decided, of every kind of date in a long history."""
    office = desk.office.stories().live(400)
    items = desk.dates(limit=10_000).items

    assert_lists_what_was_decided(items, office)
    found = {
        it["code"]
        for position in range(1, sum(map(len, office.written)), 20)
        for it in desk.dates(limit=10_000, at_position=position).items
    }
    assert {"D01", "D02", "D05", "D10", "D13", "D16", "D18", "D24", "D25"} <= found


class OneOfAKind(Deadlines):
    """A broken twin: of several dates of a kind it keeps the last."""

    def rows(self, case):
        """Take the code for the key."""
        return {(values["code"],): values for _, values in super().rows(case)}.items()


def test_a_list_that_keeps_one_date_of_a_kind_is_found(desk: Desk, log, store):
    """The proof above goes red when two days of payment become one."""
    office = desk.office.stories().live(400)
    desk.follow()
    twin = OneOfAKind(prefix="twin_")
    create(store, [twin])
    Follower(twin, log, store).catch_up()
    with reading(store) as connection:
        items = twin.page(connection, EVERYTHING, today=TODAY, limit=10_000).items

    with pytest.raises(AssertionError):
        assert_lists_what_was_decided(items, office)


def test_dates_come_earliest_first_page_by_page(desk: Desk):
    """A page goes on where the one before ended; of several dates of a case none is lost."""
    desk.office.stories().live(120)
    whole = desk.dates(limit=10_000).items
    found, after = [], None
    while True:
        page = desk.dates(limit=3, after=after)
        found += page.items
        after = page.next_key
        if after is None:
            break

    assert found == whole
    assert [it["due_on"] for it in whole] == sorted(it["due_on"] for it in whole)


def test_dates_are_filtered_by_code_body_level_day_and_by_whether_they_are_past(desk: Desk):
    """Each filter keeps what it names; a date is past when its legal last day is."""
    office = desk.office
    low, high = office.register(), office.register("xicheng")

    def found(**filters):
        return [(it["case_id"], it["code"]) for it in desk.dates(**filters).items]

    assert set(found(code="D01")) == {(low, "D01"), (high, "D01")}
    assert set(found(body_id="hehua")) == {(low, code) for code in ("D01", "D02", "D13")}
    assert set(found(level="township", code="D02")) == {(high, "D02")}
    assert found(until=date(2026, 3, 4)) == []
    assert {code for _, code in found(until=date(2026, 3, 6))} == {"D01", "D13"}
    on = date(2026, 3, 6)
    assert set(found(kind="past", today=on)) == {(low, "D01"), (low, "D13"), (high, "D01")}
    assert set(found(kind="open", today=on)) == {(low, "D02"), (high, "D02"), (high, "D13")}


def test_a_date_is_of_the_body_that_has_to_keep_it(desk: Desk):
    """Its own, the receiver's of a move, the upper body's of a review."""
    office = desk.office
    moving, reviewed = office.register(), office.settle_on_one_form()
    office.move(moving, "xicheng")
    bodies = {(it["case_id"], it["code"]): it["body_id"] for it in desk.dates().items}

    assert bodies[moving, "D01"] == "hehua"
    assert bodies[moving, "D12"] == "xicheng"
    assert bodies[reviewed, "D24"] == "xicheng"
    assert bodies[reviewed, "D18"] == "hehua"
    office.do(AcceptCustody(), moving, body_id="xicheng")
    (item,) = desk.dates(code="D01").items
    assert (item["body_id"], item["level"]) == ("xicheng", "township")


def test_a_receiver_reads_by_when_he_answers_and_a_former_body_reads_nothing(desk: Desk):
    """Of a coming case its one date alone, of a case that was passed on none."""
    office = desk.office
    coming, gone = office.register(), office.register()
    office.move(coming, "moju")
    office.move(gone, "moju")
    office.do(AcceptCustody(), gone, body_id="moju")

    receiver = desk.dates(scope_of("moju", Role.CLERK)).items
    sender = desk.dates(scope_of("hehua")).items

    assert [it["code"] for it in receiver if it["case_id"] == coming] == ["D12"]
    assert [it["matter_kind"] for it in receiver if it["case_id"] == coming] == [None]
    assert {it["case_id"] for it in sender} == {coming}
    assert desk.dates(scope_of("dongcheng")).items == []


def terms(desk: Desk, store, today: date, limit: int = 100) -> list[TermOver]:
    """Ask what the timer asks."""
    deadlines = desk.model("deadlines")
    with reading(store) as connection:
        found: list[TermOver] = deadlines.terms_over(connection, today=today, limit=limit)
    return found


def test_a_term_is_over_from_the_day_after_its_legal_last_day(desk: Desk, store):
    """Until its lapse is on record, or it was extended, or the mediation has ended."""
    office = desk.office
    lapsing, extended, refused, settled = (office.register() for _ in range(4))
    office.register(matter_kind=Matter.DEMAND)
    for case_id in (extended, settled):
        office.mediate(case_id)
    term = office.cases[lapsing].due["D02"]
    assert terms(desk, store, term.rolled_on) == []
    late = term.rolled_on + timedelta(days=1)
    assert {it[0] for it in terms(desk, store, late)} == {lapsing, extended, refused, settled}
    assert the_term(lapsing, term) in terms(desk, store, late)
    assert len(terms(desk, store, late, limit=3)) == 3

    office.at += timedelta(days=20)
    office.do(lapse_of(term), lapsing)
    everybody = tuple(it.party_id for it in office.cases[extended].parties)
    office.do(ExtendTerm(until_on=date(2026, 5, 1), agreed_ids=everybody), extended)
    office.do(RefuseCase(reason_code="duplicate"), refused)
    office.promise(settled, date(2026, 4, 1))
    office.settle(settled)

    assert terms(desk, store, date(2026, 4, 30)) == []
    later = office.cases[extended].due["D04"]
    assert later.due_on == date(2026, 5, 1)
    assert terms(desk, store, date(2026, 5, 9)) == [the_term(extended, later)]


def the_term(case_id: UUID, term: DueDate) -> TermOver:
    """Give what the timer is told of a term."""
    code: Any = term.code
    return TermOver(case_id, code, term.due_on, term.start_event_id)


def test_a_committees_own_term_is_over_by_itself(desk: Desk, store):
    """D02 from receipt and D03 from acceptance are told apart; what was handed on keeps D02."""
    office = desk.office
    kept, gone = office.register("meiduo"), office.register("meiduo")
    office.at += timedelta(days=2)
    for case_id in (kept, gone):
        office.accept(case_id)
    office.move(gone, "hehua")
    office.do(AcceptCustody(), gone, body_id="hehua")
    both = office.cases[kept].due

    on = both["D02"].rolled_on + timedelta(days=1)
    assert {(it.case_id, it.code) for it in terms(desk, store, on)} == {
        (kept, "D02"),
        (gone, "D02"),
    }
    on = both["D03"].rolled_on + timedelta(days=1)
    assert the_term(kept, both["D03"]) in terms(desk, store, on)
    office.at += timedelta(days=30)
    office.do(lapse_of(both["D03"]), kept)

    assert {(it.case_id, it.code) for it in terms(desk, store, on)} == {
        (kept, "D02"),
        (gone, "D02"),
    }
    assert "D03" in office.cases[kept].due


def test_a_term_can_run_out_in_the_phases_from_which_it_can_lapse():
    """What is told the timer and what the life-cycle lets it record name the same phases."""
    (row,) = (it for it in table_rows() if it["trigger"] == "lapse-term")

    assert sorted(CAN_RUN_OUT) == sorted(row["from"])


def assert_tells_the_timer(office: Office, found: list[TermOver]) -> None:
    """Compare the terms told with those whose lapse the life-cycle lets somebody record."""
    expected = {
        the_term(case_id, term)
        for case_id, case in office.cases.items()
        for term in (None if case.term_lapsed else case.term, case.own_term)
        if term is not None and not available(case)["lapse-term"]
    }
    assert expected
    assert set(found) == expected


def test_the_timer_is_told_what_the_life_cycle_lets_it_record(desk: Desk, store):
    """A term stands there exactly if its lapse can be recorded now, in a long history."""
    office = desk.office.stories().live(500)

    assert_tells_the_timer(office, terms(desk, store, date(2030, 1, 1)))


class ForgetsLapses(Deadlines):
    """A broken twin: a term of which the lapse is on record is told again."""

    def rows(self, case):
        """Mark every statutory term."""
        for key, values in super().rows(case):
            yield key, {**values, "runs_out": values["code"] in ("D02", "D04")}


def test_a_timer_that_is_told_twice_is_found(desk: Desk, log, store):
    """The proof above goes red when recorded lapses are forgotten."""
    office = desk.office.stories().live(500)
    office.at += timedelta(days=400)
    late = office.register()
    term = office.cases[late].due["D02"]
    office.at += timedelta(days=30)
    office.do(lapse_of(term), late)
    desk.follow()
    twin = ForgetsLapses(prefix="twin_")
    create(store, [twin])
    Follower(twin, log, store).catch_up()
    with reading(store) as connection:
        found = twin.terms_over(connection, today=date(2031, 1, 1), limit=100)

    with pytest.raises(AssertionError):
        assert_tells_the_timer(office, found)


def test_dates_are_read_as_they_stood_at_an_earlier_position(desk: Desk, log, store):
    """Asked at a position, they are those of a read model that has come just so far."""
    desk.office.stories().live(220)
    deadlines = desk.model("deadlines")
    earlier = Deadlines(prefix="then_")
    create(store, [earlier])
    then = Follower(earlier, log, store, batch=1)
    for share in (50, 9, 3, 1):
        while then.position < log.head().position // share:
            then.step()
        with reading(store) as connection:
            now = earlier.page(connection, EVERYTHING, today=TODAY, limit=10_000)
            as_of = deadlines.page(
                connection, EVERYTHING, today=TODAY, limit=10_000, at_position=then.position
            )
        assert as_of.items == now.items
        assert now.items
