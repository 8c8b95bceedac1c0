"""Due dates as the catalogue, the calendar and the law of terms give them."""

import calendar as gregorian
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediation.calendar import CATALOGUE, DueDate, day_of, default, due
from mediation.calendar.working_days import SHANGHAI

EVENT_ID = UUID("5f0c" * 8)


def at(day: str, clock: str = "10:00") -> datetime:
    """Return a Shanghai wall-clock time."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=SHANGHAI)


def due_from(code: str, start_at: datetime, **how: Any) -> DueDate:
    """Compute with the default calendar."""
    return due(code, start_at=start_at, start_event_id=EVENT_ID, calendar=default(), **how)


def days(due_date: DueDate) -> tuple[str, str]:
    """Return the safe day and the legal last day as text."""
    return due_date.due_on.isoformat(), due_date.rolled_on.isoformat()


def test_an_application_on_the_last_working_day_before_the_national_day() -> None:
    """Of 30 September 2026: 8, 9 and the made-up 10 October; fifteen days end on the 15th."""
    assert days(due_from("D01", at("2026-09-30"))) == ("2026-10-10", "2026-10-10")
    assert days(due_from("D02", at("2026-09-30"))) == ("2026-10-15", "2026-10-15")


def test_an_application_whose_fifteenth_day_falls_into_the_national_day() -> None:
    """Of 18 September 2026: the party is told 3 October, the legal last day is the 8th."""
    assert days(due_from("D01", at("2026-09-18"))) == ("2026-09-22", "2026-09-22")
    term = due_from("D02", at("2026-09-18"))
    assert days(term) == ("2026-10-03", "2026-10-08")
    assert term.rolled_days == 5


def test_a_make_up_saturday_counts_and_holds_a_last_day() -> None:
    """10 October 2026 is worked: the third working day, and a fifteenth day that is not rolled."""
    assert days(due_from("D05", at("2026-09-30")))[1] == "2026-10-10"
    assert days(due_from("D02", at("2026-09-25"))) == ("2026-10-10", "2026-10-10")


def test_a_make_up_sunday_counts_and_holds_a_last_day() -> None:
    """20 September 2026 is worked, and so is 4 January 2026; a last day there stays."""
    assert days(due_from("D12", at("2026-09-18"))) == ("2026-09-20", "2026-09-20")
    assert days(due_from("D02", at("2026-09-05"))) == ("2026-09-20", "2026-09-20")
    assert days(due_from("D02", at("2025-12-20"))) == ("2026-01-04", "2026-01-04")


def test_an_ordinary_weekend_moves_the_legal_last_day_to_monday() -> None:
    """A fifteenth day on Saturday 21 March 2026 ends on Monday; the safe day stays."""
    assert days(due_from("D02", at("2026-03-06"))) == ("2026-03-21", "2026-03-23")


def test_terms_over_the_spring_festival_of_2026() -> None:
    """From 15 to 23 February nobody works; Saturday 14 and Saturday 28 February are made up."""
    assert days(due_from("D01", at("2026-02-13"))) == ("2026-02-25", "2026-02-25")
    assert days(due_from("D01", at("2026-02-14"))) == ("2026-02-26", "2026-02-26")
    assert days(due_from("D02", at("2026-02-02"))) == ("2026-02-17", "2026-02-24")
    assert days(due_from("D02", at("2026-02-13"))) == ("2026-02-28", "2026-02-28")


def test_terms_over_a_year_end_that_both_notices_settle() -> None:
    """1-3 January 2026 are off and Sunday the 4th is worked; nothing is provisional."""
    working, rolled = due_from("D01", at("2025-12-31")), due_from("D02", at("2025-12-17"))
    assert days(working) == ("2026-01-06", "2026-01-06")
    assert days(rolled) == ("2026-01-01", "2026-01-04")
    assert not working.provisional
    assert not rolled.provisional


def test_terms_over_the_year_end_into_a_year_without_a_notice_are_provisional() -> None:
    """In 2027 only weekends and fixed holidays are off: 1 January, then the weekend, so Monday."""
    working, rolled = due_from("D01", at("2026-12-30")), due_from("D02", at("2026-12-17"))
    assert days(working) == ("2027-01-05", "2027-01-05")
    assert days(rolled) == ("2027-01-01", "2027-01-04")
    assert working.provisional
    assert rolled.provisional


def test_terms_from_and_to_29_february() -> None:
    """A leap day is a day like any other, as the start and as the last day."""
    assert days(due_from("D02", at("2024-02-29"))) == ("2024-03-15", "2024-03-15")
    assert days(due_from("D02", at("2024-02-14"))) == ("2024-02-29", "2024-02-29")
    assert days(due_from("D01", at("2024-02-28"))) == ("2024-03-04", "2024-03-04")
    assert days(due_from("D25", at("2024-02-29"))) == ("2024-05-29", "2024-05-29")


def test_a_term_starts_on_the_shanghai_day() -> None:
    """At 15:59:59 UTC it is still that day in Shanghai, at 16:00:00 UTC the next has begun."""
    before = due_from("D02", datetime(2026, 3, 1, 15, 59, 59, tzinfo=UTC))
    after = due_from("D02", datetime(2026, 3, 1, 16, 0, 0, tzinfo=UTC))
    assert (before.start_on, after.start_on) == (date(2026, 3, 1), date(2026, 3, 2))
    assert days(before)[0] == "2026-03-16"
    assert days(after)[0] == "2026-03-17"


def test_three_months_from_the_31st_end_on_the_last_day_of_a_shorter_month() -> None:
    """31 January and three months is 30 April: there is no 31st."""
    found = due_from("D25", at("2026-01-31"))
    assert days(found) == ("2026-04-30", "2026-04-30")
    assert found.rule == "3 mo"


def test_three_months_from_30_november_end_with_february_long_or_short() -> None:
    """29 February in a leap year, 28 February otherwise; then to the next working day."""
    assert days(due_from("D25", at("2023-11-30"))) == ("2024-02-29", "2024-02-29")
    assert days(due_from("D25", at("2025-11-30"))) == ("2026-02-28", "2026-02-28")
    assert days(due_from("D25", at("2024-11-30"))) == ("2025-02-28", "2025-02-28")
    assert days(due_from("D25", at("2020-11-30"))) == ("2021-02-28", "2021-03-01")


def test_months_that_end_on_a_holiday_are_rolled_like_calendar_days() -> None:
    """Three months from 3 July 2026 end on 3 October: safe then, the legal last day is the 8th."""
    assert days(due_from("D25", at("2026-07-03"))) == ("2026-10-03", "2026-10-08")
    capped = due_from("D25", at("2026-07-03"), no_later_than=date(2026, 9, 1))
    assert (days(capped), capped.rule) == (("2026-09-01", "2026-09-01"), "3 mo, capped")


def test_a_due_date_carries_its_reasons() -> None:
    """Everything needed to check the date by hand is stored beside it."""
    assert due_from("D02", at("2026-09-18")) == DueDate(
        code="D02",
        due_on=date(2026, 10, 3),
        rolled_on=date(2026, 10, 8),
        due_at=None,
        rule="15 cd",
        article="L-LDMA 14; L-ZJ 10",
        start_event_id=EVENT_ID,
        start_on=date(2026, 9, 18),
        calendar="cn-2004-2026-v1@71f59adbc0eb633a",
        rolled_days=5,
        provisional=False,
    )


def test_the_two_confirmation_windows_open_at_effect() -> None:
    """An agreement of 1 March: review until 16 March, court until 31 March."""
    assert days(due_from("D08", at("2026-03-01"))) == ("2026-03-16", "2026-03-16")
    assert days(due_from("D09", at("2026-03-01"))) == ("2026-03-31", "2026-03-31")


def test_level_targets_end_with_the_statutory_term() -> None:
    """An application of 2 March climbs four levels; no target passes its term of 17 March."""
    term = due_from("D02", at("2026-03-02")).due_on

    def target(day: str, length: int | None) -> DueDate:
        return due_from("D13", at(day), length=length, no_later_than=term)

    first, second = target("2026-03-02", 3), target("2026-03-06", 3)
    third, fourth = target("2026-03-10", 4), target("2026-03-13", None)
    assert [days(found)[0] for found in (first, second, third, fourth)] == [
        "2026-03-05",
        "2026-03-11",
        "2026-03-16",
        "2026-03-17",
    ]
    assert [found.rule for found in (first, second, third, fourth)] == [
        "3 wd",
        "3 wd",
        "4 wd",
        "rest",
    ]
    capped = target("2026-03-13", 4)
    assert days(capped) == ("2026-03-17", "2026-03-17")
    assert capped.rule == "4 wd, capped"
    uncapped = due_from("D13", at("2026-03-13"), length=4)
    assert days(uncapped) == ("2026-03-19", "2026-03-19")
    just_fits = due_from("D13", at("2026-03-13"), length=4, no_later_than=date(2026, 3, 19))
    assert (days(just_fits), just_fits.rule) == (days(uncapped), "4 wd")


def test_a_cap_holds_even_on_a_holiday() -> None:
    """The safe day of the term may be a holiday; the target still does not pass it."""
    term = due_from("D02", at("2026-09-18"))
    found = due_from("D13", at("2026-09-30"), length=2, no_later_than=term.due_on)
    assert days(found) == ("2026-10-03", "2026-10-03")
    rolled = due_from("D02", at("2026-09-18"), no_later_than=date(2026, 10, 5))
    assert (days(rolled), rolled.rolled_days) == (("2026-10-03", "2026-10-05"), 2)


def test_clock_hours_pass_midnight_and_holidays() -> None:
    """Two hours are two hours; both dates are the Shanghai date of the instant."""
    found = due_from("D12-RED", at("2026-09-30", "23:30"))
    assert found.due_at == datetime(2026, 9, 30, 17, 30, tzinfo=UTC)
    assert found.due_at.tzinfo is UTC
    assert days(found) == ("2026-10-01", "2026-10-01")
    assert (found.rule, found.rolled_days, found.provisional) == ("2 ch", 0, False)
    within_the_hour = due_from("D12-RED", at("2026-03-02", "23:30"), length=1)
    assert within_the_hour.due_at == at("2026-03-03", "00:30")


def test_the_ladder_may_set_length_and_unit() -> None:
    """A level that counts in calendar days or hours needs no new row."""
    assert due_from("D13", at("2026-03-02"), length=5, unit="cd").rule == "5 cd"
    assert due_from("D12", at("2026-03-02"), length=4, unit="ch").due_at == at(
        "2026-03-02", "14:00"
    )
    assert due_from("D13", at("2026-03-31"), length=1, unit="mo").due_on == date(2026, 4, 30)


def test_an_extension_is_as_long_as_agreed_and_for_platform_work_at_most_fifteen_days() -> None:
    """It runs from the end of the earlier term; the notice 人社厅发〔2024〕4号 bounds one kind."""
    agreed = due_from("D04", at("2026-03-17"), length=30)
    assert (days(agreed), agreed.article) == (("2026-04-16", "2026-04-16"), "L-ZJ 10")
    platform = due_from("D04-PLATFORM", at("2026-03-17"))
    assert (days(platform), platform.rule) == (("2026-04-01", "2026-04-01"), "15 cd")
    assert platform.article == "P-4; L-ZJ 10"
    assert days(due_from("D04-PLATFORM", at("2026-03-17"), length=10))[0] == "2026-03-27"
    with pytest.raises(ValueError, match="15 cd at most"):
        due_from("D04-PLATFORM", at("2026-03-17"), length=16)


@pytest.mark.parametrize(
    ("code", "start", "how", "is_provisional"),
    [
        ("D01", "2026-12-30", {}, True),
        ("D02", "2026-12-01", {}, False),
        ("D02", "2026-12-20", {}, True),
        ("D02", "2003-12-20", {}, False),  # the last day alone asks the calendar
        ("D01", "2003-12-30", {}, True),
        ("D01", "2003-12-31", {}, False),  # the start day is not counted, so not looked up
        ("D01", "2026-12-21", {}, False),  # the last day that the notices settle
        ("D01", "2026-12-22", {}, True),
        ("D25", "2026-09-24", {}, False),
        ("D25", "2026-09-25", {}, True),
        ("D12-RED", "2027-05-01", {}, False),  # clock hours ask no calendar
        ("D13", "2027-03-01", {"no_later_than": date(2027, 3, 9)}, False),
    ],
)
def test_dates_beyond_the_notices_are_provisional(
    code: str,
    start: str,
    how: dict[str, Any],
    is_provisional: bool,  # noqa: FBT001 (a column of the table)
) -> None:
    """A date is provisional exactly when a day that was looked up is not settled."""
    assert due_from(code, at(start), **how).provisional is is_provisional


def test_what_cannot_be_computed_is_refused() -> None:
    """An unknown code, a naive start, no length, no hours or hours with a cap are mistakes."""
    with pytest.raises(KeyError):
        due_from("D99", at("2026-03-02"))
    with pytest.raises(ValueError, match="aware"):
        due_from("D01", datetime(2026, 3, 2))  # noqa: DTZ001 (the mistake under test)
    with pytest.raises(ValueError, match="no length of its own"):
        due_from("D13", at("2026-03-02"))
    with pytest.raises(ValueError, match="at least one day"):
        due_from("D13", at("2026-03-02"), length=0)
    with pytest.raises(ValueError, match="clock hours"):
        due_from("D12-RED", at("2026-03-02"), length=0)
    with pytest.raises(ValueError, match="clock hours"):
        due_from("D12-RED", at("2026-03-02"), no_later_than=date(2026, 3, 2))


def test_a_date_that_was_over_when_it_was_typed_in_says_so() -> None:
    """The legal last day decides, not the safe one; without a day of decision nothing is said."""
    received = at("2026-09-18")
    assert not due_from("D02", received).past_when_decided
    assert not due_from("D02", received, decided_on=date(2026, 10, 8)).past_when_decided
    assert due_from("D02", received, decided_on=date(2026, 10, 9)).past_when_decided


def test_one_of_several_of_a_kind_names_its_subject_and_is_kept_by_it() -> None:
    """Two proceedings have two dates to ask for their status."""
    first = due_from("D16", at("2026-03-02"), subject="arbitration")
    assert (first.subject, first.key) == ("arbitration", "D16:arbitration")
    assert due_from("D16", at("2026-03-02")).key == "D16"


def test_a_due_date_survives_its_event_and_refuses_unknown_fields() -> None:
    """Field names are permanent: the stored JSON is spelled out, and it decodes to the same."""
    stored = msgspec.json.encode(due_from("D12-RED", at("2026-03-02", "09:30")))
    assert stored == (
        b'{"code":"D12-RED","due_on":"2026-03-02","rolled_on":"2026-03-02",'
        b'"due_at":"2026-03-02T03:30:00Z","rule":"2 ch","article":"proposal",'
        b'"start_event_id":"5f0c5f0c-5f0c-5f0c-5f0c-5f0c5f0c5f0c","start_on":"2026-03-02",'
        b'"calendar":"cn-2004-2026-v1@71f59adbc0eb633a","rolled_days":0,"provisional":false,'
        b'"past_when_decided":false,"subject":null}'
    )
    assert msgspec.json.encode(msgspec.json.decode(stored, type=DueDate)) == stored
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(stored[:-1] + b',"x":1}', type=DueDate)


@pytest.mark.parametrize(
    ("code", "rule", "article"),
    [
        ("D01", "3 wd", "L-PROV 22"),
        ("D02", "15 cd", "L-LDMA 14; L-ZJ 10"),
        ("D03", "15 cd", "L-PROV 29"),
        ("D04-PLATFORM", "15 cd", "P-4; L-ZJ 10"),
        ("D05", "3 wd", "proposal"),
        ("D06", "3 wd", "proposal"),
        ("D07", "5 cd", "L-PROV 10"),
        ("D08", "15 cd", "L-PROV 27; L-ARB 74; L-ARB 80"),
        ("D09", "30 cd", "L-PML 33; L-CPC 205"),
        ("D10", "1 cd", "proposal"),
        ("D12", "1 wd", "proposal"),
        ("D12-RED", "2 ch", "proposal"),
        ("D16", "30 cd", "proposal"),
        ("D18", "30 cd", "proposal"),
        ("D23", "10 wd", "proposal"),
        ("D24", "5 wd", "proposal"),
        ("D25", "3 mo", "proposal"),
        ("D26", "2 ch", "proposal"),
    ],
)
def test_the_catalogue_says_what_the_law_says(code: str, rule: str, article: str) -> None:
    """Lengths, units and sources, written down a second time."""
    found = due_from(code, at("2026-03-02"))
    assert (found.rule, found.article) == (rule, article)
    assert CATALOGUE[code].code == code


def length_of(code: str) -> int:
    """Give the length of a row, or 5 where the ladder or the parties set it."""
    return CATALOGUE[code].length or 5


@settings(deadline=None)
@given(
    code=st.sampled_from(sorted(CATALOGUE)),
    start=st.datetimes(datetime(2003, 6, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 (bounds are naive there)
    later=st.timedeltas(timedelta(0), timedelta(days=60)),
)
def test_who_starts_later_is_never_due_earlier(
    code: str, start: datetime, later: timedelta
) -> None:
    """Both dates are monotone in the start, over holidays, months and the published years."""
    first = due_from(code, start, length=length_of(code))
    second = due_from(code, start + later, length=length_of(code))
    assert first.due_on <= second.due_on
    assert first.rolled_on <= second.rolled_on
    assert (first.due_at or start) <= (second.due_at or start)


@settings(deadline=None)
@given(
    code=st.sampled_from(sorted(CATALOGUE)),
    start=st.datetimes(datetime(2003, 6, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 (bounds are naive there)
)
def test_a_due_date_equals_a_naive_count_from_day_to_day(code: str, start: datetime) -> None:
    """Counted one by one: working days, days, or months; a day off moves the legal last day."""
    length, unit = length_of(code), CATALOGUE[code].unit
    found, end = due_from(code, start, length=length), day_of(start)
    if unit == "ch":
        assert found.due_at == start + timedelta(hours=length)
        assert found.due_on == found.rolled_on == day_of(start + timedelta(hours=length))
        return
    if unit == "mo":
        months = end.year * 12 + end.month - 1 + length
        year, month = months // 12, months % 12 + 1
        end = date(year, month, min(end.day, gregorian.monthrange(year, month)[1]))
    else:
        counted = 0
        while counted < length:
            end += timedelta(days=1)
            counted += unit == "cd" or default().is_working_day(end)
    assert found.due_on == end
    while not default().is_working_day(end):
        end += timedelta(days=1)
    assert found.rolled_on == end
