"""The working-day calendar; time limits computed from it are tested in test_deadlines."""

import dataclasses
import hashlib
import re
import runpy
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import chinese_calendar
import holidays
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediation.calendar import Calendar, day_of, default, first_moment_after, load, working_days
from mediation.calendar.working_days import DEFAULT_REF, read
from mediation.errors import Unsafe

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "mediation/calendar/published/cn-2004-2026-v1.json"
PINNED = "71f59adbc0eb633a601530430390e2be7b570b68e3abb03f9fbf6f4d736f612d"

LISTED = ROOT / "docs/reference/calendar-differences.md"

FORGOTTEN = date(2005, 12, 31)
"""A Saturday worked by the notice 国办发明电〔2005〕35号, which chinesecalendar leaves out."""

ORACLE = holidays.country_holidays("CN", years=range(2004, 2028), language="zh_CN")

SWAPPED = re.compile(r"休息日（由 (\d{4}-\d{2}-\d{2}) 调休）")
"""How `holidays` calls a day off that another day is worked for; it names no holiday."""

NOTICE = re.compile(r"国办发明电〔\d{4}〕\d+号, \d{4}-\d{2}-\d{2}.*, items? \d.*: 「.+」")

Difference = tuple[str, str, str, str]
"""Package, day, what the calendar says, what the package says."""


def covered_days() -> list[date]:
    """List every day of the published years."""
    first, last = date(2004, 1, 1), date(2026, 12, 31)
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def worked(is_worked: bool) -> str:  # noqa: FBT001 (a fact put into words)
    """Put it as the list of differences does."""
    return "worked" if is_worked else "off"


def differences(calendar: Calendar) -> set[Difference]:
    """Compare every day with both packages: worked or not, and the name of a weekday off."""
    names = runpy.run_path(str(ROOT / "scripts/seed_calendar.py"))["NAMES"]
    found: set[Difference] = set()
    for day in covered_days():
        ours, name = calendar.is_working_day(day), calendar.holidays.get(day)
        for package, theirs, their_name in (
            (
                "chinesecalendar",
                bool(chinese_calendar.is_workday(day)),
                names.get(chinese_calendar.holidays.get(day), ""),
            ),
            ("holidays", ORACLE.is_working_day(day), ORACLE.get(day, "")),
        ):
            if ours != theirs:
                found.add((package, f"{day}", worked(ours), worked(theirs)))
            elif name is not None and name not in their_name and not SWAPPED.match(their_name):
                found.add((package, f"{day}", name, their_name))
    return found


def listed() -> dict[Difference, str]:
    """Read the published list: each difference, and what settles it."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in LISTED.read_text(encoding="utf-8").splitlines()
        if re.match(r"\| (chinesecalendar|holidays) \|", line)
    ]
    assert {len(row) for row in rows} == {5}
    return {(row[0], row[1], row[2], row[3]): row[4] for row in rows}


def test_the_published_file_never_changes() -> None:
    """Stored due dates name this ref: its bytes, and so its digest, are pinned for ever."""
    content = PUBLISHED.read_bytes()
    assert hashlib.sha256(content).hexdigest() == PINNED
    assert default().digest == load("cn-2004-2026-v1").digest == PINNED
    assert read(DEFAULT_REF, content.replace(b'"01-04", ', b"")).digest != PINNED


def test_the_published_file_is_what_the_seed_script_writes() -> None:
    """Nobody edited the generated file by hand."""
    seed = runpy.run_path(str(ROOT / "scripts/seed_calendar.py"))
    assert seed["render"]() == PUBLISHED.read_bytes()


def test_every_difference_to_another_calendar_is_listed_and_no_other() -> None:
    """The list and the differences of 23 years are the same set; a wrong calendar is found out."""
    assert differences(default()) == listed().keys()

    twin = dataclasses.replace(default(), make_up_workdays=default().make_up_workdays - {FORGOTTEN})
    assert differences(twin) ^ listed().keys() == {
        ("chinesecalendar", "2005-12-31", "worked", "off"),
        ("holidays", "2005-12-31", "off", "worked"),
    }
    renamed = {**default().holidays, date(2026, 10, 5): "春节"}
    assert differences(dataclasses.replace(default(), holidays=renamed)) ^ listed().keys() == {
        ("chinesecalendar", "2026-10-05", "春节", "国庆节"),
        ("holidays", "2026-10-05", "春节", "国庆节（补假）"),
    }


def test_every_listed_difference_is_settled_by_a_notice() -> None:
    """Each row gives the number and the date of a notice of the State Council and its words."""
    assert [row for row, settled_by in listed().items() if not NOTICE.match(settled_by)] == []


def test_one_difference_alone_can_move_a_date() -> None:
    """31 December 2005 is worked by the notice for 2006; every other difference is about a name."""
    moving = [row for row in listed() if row[2] in {"worked", "off"}]
    assert moving == [("chinesecalendar", f"{FORGOTTEN}", "worked", "off")]
    assert default().is_working_day(FORGOTTEN)


def test_every_day_off_that_was_swapped_has_its_make_up_workday() -> None:
    """The days that `holidays` says are worked instead are the make-up workdays, one for one."""
    swapped = [
        date.fromisoformat(found[1])
        for day, name in ORACLE.items()
        if day.year <= 2026 and (found := SWAPPED.match(name))
    ]
    assert len(swapped) == len(set(swapped)) == 151
    assert set(swapped) == default().make_up_workdays


@pytest.mark.parametrize(
    ("day", "is_worked"),
    [
        ("2026-02-14", True),  # Saturday made up before the Spring Festival
        ("2026-02-16", False),  # Spring Festival, Monday to the next Monday
        ("2026-02-23", False),
        ("2026-02-24", True),
        ("2026-02-28", True),  # Saturday made up after it
        ("2026-03-01", False),  # an ordinary Sunday
        ("2026-09-20", True),  # a Sunday made up before the National Day
        ("2026-09-30", True),
        ("2026-10-01", False),
        ("2026-10-07", False),
        ("2026-10-10", True),  # a Saturday made up after it
        ("2026-10-11", False),
        ("2024-02-29", True),
        ("2025-12-31", True),
        ("2026-01-01", False),
        ("2026-01-04", True),  # a Sunday made up after New Year
    ],
)
def test_holidays_and_make_up_days_are_told_as_the_notices_say(day: str, is_worked: bool) -> None:  # noqa: FBT001 (a column of the table)
    """Weekends are off unless made up; weekdays are worked unless in a holiday."""
    assert default().is_working_day(date.fromisoformat(day)) is is_worked


def test_a_holiday_has_its_chinese_name() -> None:
    """The published file says which holiday a day off belongs to."""
    assert default().holidays[date(2026, 10, 5)] == "国庆节"


def test_working_days_are_counted_over_holidays_and_make_up_days() -> None:
    """The start day is not counted, whether it is worked or not."""
    calendar = default()
    assert calendar.add_working_days(date(2026, 9, 30), 1) == date(2026, 10, 8)
    assert calendar.add_working_days(date(2026, 9, 30), 3) == date(2026, 10, 10)
    assert calendar.add_working_days(date(2026, 9, 18), 1) == date(2026, 9, 20)
    assert calendar.add_working_days(date(2026, 2, 13), 2) == date(2026, 2, 24)
    assert calendar.add_working_days(date(2026, 10, 3), 1) == date(2026, 10, 8)
    assert calendar.add_working_days(date(2025, 12, 31), 1) == date(2026, 1, 4)


def test_months_end_on_the_corresponding_day_or_the_last_of_the_month() -> None:
    """The corresponding day counts; a month without it ends the term on its last day."""
    calendar = default()
    assert calendar.add_months(date(2026, 1, 15), 3) == date(2026, 4, 15)
    assert calendar.add_months(date(2026, 1, 31), 3) == date(2026, 4, 30)
    assert calendar.add_months(date(2023, 11, 30), 3) == date(2024, 2, 29)
    assert calendar.add_months(date(2025, 11, 30), 3) == date(2026, 2, 28)
    assert calendar.add_months(date(2026, 9, 30), 3) == date(2026, 12, 30)
    assert calendar.add_months(date(2026, 12, 1), 13) == date(2028, 1, 1)


def test_calendar_days_pass_29_february_and_the_year_end() -> None:
    """Calendar days are not rolled and know leap years."""
    calendar = default()
    assert calendar.add_calendar_days(date(2024, 2, 28), 1) == date(2024, 2, 29)
    assert calendar.add_calendar_days(date(2026, 2, 28), 1) == date(2026, 3, 1)
    assert calendar.add_calendar_days(date(2025, 12, 20), 15) == date(2026, 1, 4)


def test_a_non_working_day_moves_to_the_next_worked_one() -> None:
    """A worked day stays where it is."""
    calendar = default()
    assert calendar.next_working_day_on_or_after(date(2026, 10, 3)) == date(2026, 10, 8)
    assert calendar.next_working_day_on_or_after(date(2026, 10, 10)) == date(2026, 10, 10)
    assert calendar.next_working_day_on_or_after(date(2026, 10, 11)) == date(2026, 10, 12)


@settings(deadline=None)
@given(start=st.dates(date(2003, 12, 1), date(2030, 1, 1)), days=st.integers(1, 40))
def test_n_working_days_hold_exactly_n_worked_days(start: date, days: int) -> None:
    """Counting one by one gives the same end, inside and outside the published years."""
    calendar = default()
    end = calendar.add_working_days(start, days)
    passed = (start + timedelta(days=n) for n in range(1, (end - start).days + 1))
    assert calendar.is_working_day(end)
    assert sum(calendar.is_working_day(day) for day in passed) == days


@settings(deadline=None)
@given(start=st.dates(date(2003, 12, 31), date(2026, 9, 1)), days=st.integers(1, 60))
def test_working_days_are_those_an_independent_source_counts(start: date, days: int) -> None:
    """A naive count, day by day, with another package's calendar ends on the same day."""
    end, counted = start, 0
    while counted < days:
        end += timedelta(days=1)
        counted += ORACLE.is_working_day(end)
    assert default().add_working_days(start, days) == end


@pytest.mark.parametrize("days", [0, -3])
def test_a_term_of_no_days_is_refused(days: int) -> None:
    """A term has at least one day."""
    with pytest.raises(ValueError, match="at least one day"):
        default().add_working_days(date(2026, 3, 2), days)
    with pytest.raises(ValueError, match="at least one day"):
        default().add_calendar_days(date(2026, 3, 2), days)
    with pytest.raises(ValueError, match="at least one day"):
        default().add_months(date(2026, 3, 2), days)


def test_outside_the_published_years_only_what_the_law_fixes_is_off() -> None:
    """Weekends, 1 January, 1-2 May and 1-3 October are off in 2027; the days are not covered."""
    calendar = default()
    weekdays_off = [
        day
        for day in (date(2027, 1, 1) + timedelta(days=n) for n in range(365))
        if day.weekday() < 5 and not calendar.is_working_day(day)
    ]
    assert weekdays_off == [date(2027, 1, 1), date(2027, 10, 1)]
    assert not calendar.is_working_day(date(2027, 5, 1))
    assert not any(calendar.is_covered(day) for day in weekdays_off)


def test_the_last_days_of_the_last_year_wait_for_the_next_notice() -> None:
    """The notices for 2008 and 2019 moved 29 December: the end of 2026 is not settled yet."""
    assert {date(2007, 12, 29), date(2018, 12, 29)} < default().make_up_workdays
    assert default().is_covered(date(2026, 12, 24))
    assert not default().is_covered(date(2026, 12, 25))
    assert default().is_covered(date(2025, 12, 31))
    assert default().is_covered(date(2004, 1, 1))
    assert not default().is_covered(date(2003, 12, 31))


def test_the_shanghai_day_begins_at_16_00_utc() -> None:
    """One second before 16:00 UTC is still the day before, in whatever zone it is written."""
    assert day_of(datetime(2026, 3, 1, 15, 59, 59, tzinfo=UTC)) == date(2026, 3, 1)
    assert day_of(datetime(2026, 3, 1, 16, 0, tzinfo=UTC)) == date(2026, 3, 2)
    assert day_of(datetime(2026, 12, 31, 16, 0, tzinfo=UTC)) == date(2027, 1, 1)
    new_york = timezone(timedelta(hours=-5))
    assert day_of(datetime(2026, 3, 1, 11, 0, tzinfo=new_york)) == date(2026, 3, 2)


def test_a_day_is_over_at_the_next_shanghai_midnight() -> None:
    """The first moment after a day belongs to the next day, and no moment lies between."""
    over = first_moment_after(date(2026, 3, 17))
    assert over == datetime(2026, 3, 17, 16, 0, tzinfo=UTC)
    assert over.tzinfo is UTC
    assert day_of(over) == date(2026, 3, 18)
    assert day_of(over - timedelta(microseconds=1)) == date(2026, 3, 17)


def test_a_naive_time_has_no_day() -> None:
    """A time without an offset is a mistake of the caller."""
    with pytest.raises(ValueError, match="aware"):
        day_of(datetime(2026, 3, 1, 12, 0))  # noqa: DTZ001 (the mistake under test)


def test_a_calendar_that_was_edited_after_its_release_is_not_served(monkeypatch):
    """No one could prove any more which holidays a date was counted by."""
    load.cache_clear()
    monkeypatch.setattr(working_days, "PINNED", {DEFAULT_REF: "0" * 64})
    with pytest.raises(Unsafe):
        load(DEFAULT_REF)
    monkeypatch.undo()
    assert default().cited == f"{DEFAULT_REF}@{PINNED[:16]}"


@pytest.mark.parametrize("ref", ["cn-1999", "", "../published/cn-2004-2026-v1"])
def test_an_unknown_calendar_is_refused(ref: str) -> None:
    """Only the names of published files are known; a path is no name."""
    with pytest.raises(Unsafe) as refused:
        load(ref)
    assert refused.value.code == "calendar-unknown"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"ref": "cn-2004-2026-v1"', b'"ref": "cn-2004-2026-v2"'),
        (b'"2015": {', b'"2055": {'),  # a year is missing
        (b'"2026": {', b'"2025": {'),  # a year twice
        (b'["10-01", "10-02", "10-05"', b'["10-01", "10-02", "10-04"'),  # a Sunday as a holiday
        (b'["10-01", "10-02", "10-05"', b'["10-01", "10-02", "10-03"'),  # a Saturday
        (b'["01-04", "02-14"', b'["01-05", "02-14"'),  # a Monday as made up
        (b'"02-14"', b'"02-30"'),
        (b'"source"', b'"origin"'),
        (b"{", b""),
    ],
)
def test_a_damaged_file_is_refused(before: bytes, after: bytes) -> None:
    """A file that contradicts itself or the week is never computed with."""
    content = PUBLISHED.read_bytes()
    assert before in content
    read(DEFAULT_REF, content)
    with pytest.raises(Unsafe) as refused:
        read(DEFAULT_REF, content.replace(before, after))
    assert refused.value.code == "calendar-damaged"


def test_a_calendar_cannot_be_changed() -> None:
    """Every part of a loaded calendar is read-only."""
    calendar = load(DEFAULT_REF)
    assert calendar is default()
    with pytest.raises(dataclasses.FrozenInstanceError):
        calendar.ref = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        calendar.holidays[date(2026, 1, 5)] = "x"  # type: ignore[index]
