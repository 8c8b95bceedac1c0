"""Which dates are worked in mainland China; no deadlines and no law of procedure belong here.

Dates are Asia/Shanghai dates. Holidays and make-up workdays come from published, versioned files;
a day that no published file settles is answered from what the law fixes, and is not *covered*.
"""

from __future__ import annotations

import hashlib
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import msgspec

from mediation.errors import Unsafe

DEFAULT_REF = "cn-2004-2026-v1"

PINNED = MappingProxyType(
    {"cn-2004-2026-v1": "71f59adbc0eb633a601530430390e2be7b570b68e3abb03f9fbf6f4d736f612d"}
)
"""SHA-256 of every published calendar: a file that was edited after its release is not served."""

# China has kept +08:00 without summer time since 1991, so no time-zone database is needed.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")

_SATURDAY = 5
_ONE_DAY = timedelta(days=1)

# L-HOL 2 (2024 revision): the statutory holidays on fixed dates; the others follow the moon or
# the sun and stand only in the yearly notice.
_FIXED_HOLIDAYS = frozenset({(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)})

# The notice of the *next* year has moved working days back to 29 December (in 2007 and 2018),
# so the last days of the last published year are not settled yet.
_SETTLED_UNTIL = (12, 24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """One published calendar: immutable, and named by `ref` and `digest` wherever it is used.

    Outside `first_year`..`last_year` weekends and the fixed-date statutory holidays (1 January,
    1-2 May, 1-3 October) are taken as days off, without any make-up workday. Such answers are
    provisional: see `is_covered`. Holidays that follow the moon or the sun are not projected yet.

    Attributes:
        digest: SHA-256 of the bytes of the published file, lower-case hex.
        holidays: days off that would be Monday to Friday, with the Chinese name of the holiday.
        make_up_workdays: Saturdays and Sundays that are worked (调休).
    """

    ref: str
    digest: str
    first_year: int
    last_year: int
    holidays: Mapping[date, str]
    make_up_workdays: frozenset[date]

    @property
    def cited(self) -> str:
        """How a date that was counted by it names it: `ref`, and 16 digits of `digest` after @."""
        return f"{self.ref}@{self.digest[:16]}"

    def is_covered(self, day: date) -> bool:
        """Tell whether published notices settle this day; if not, dates on it are provisional.

        The last days of December of `last_year` are not settled: the notice of the year after
        may still move them.
        """
        first = date(self.first_year, 1, 1)
        return first <= day <= date(self.last_year, *_SETTLED_UNTIL)

    def is_working_day(self, day: date) -> bool:
        """Tell whether the day is worked, make-up Saturdays and Sundays included."""
        if day.weekday() >= _SATURDAY:
            return day in self.make_up_workdays
        if self.first_year <= day.year <= self.last_year:
            return day not in self.holidays
        return (day.month, day.day) not in _FIXED_HOLIDAYS

    def next_working_day_on_or_after(self, day: date) -> date:
        """Return the day itself if it is worked, else the first working day after it."""
        while not self.is_working_day(day):
            day += _ONE_DAY
        return day

    def add_working_days(self, start: date, days: int) -> date:
        """Return the last of `days` working days; the start day is not counted (L-CPC 85).

        Raises:
            ValueError: `days` is less than 1.
        """
        _require_positive(days)
        day = start
        for _ in range(days):
            day = self.next_working_day_on_or_after(day + _ONE_DAY)
        return day

    def add_calendar_days(self, start: date, days: int) -> date:
        """Return the last of `days` calendar days, not rolled; the start day is not counted.

        Raises:
            ValueError: `days` is less than 1.
        """
        _require_positive(days)
        return start + timedelta(days=days)

    def add_months(self, start: date, months: int) -> date:
        """Return the corresponding day of the last month, not rolled (Civil Code, Article 202).

        A month without that day ends the term with its last day: 31 January and 3 months is
        30 April.

        Raises:
            ValueError: `months` is less than 1.
        """
        _require_positive(months)
        year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
        return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


class _Year(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One year of a published file: days as MM-DD."""

    holidays: dict[str, tuple[str, ...]]
    make_up_workdays: tuple[str, ...]


class _Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A published file as written."""

    ref: str
    source: str
    years: dict[int, _Year]


@cache
def load(ref: str) -> Calendar:
    """Read a published calendar; the same ref gives the same object.

    Raises:
        Unsafe: no calendar of this name is published here, or its file is damaged.
    """
    folder = files(__package__) / "published"
    for entry in folder.iterdir():
        if entry.name == f"{ref}.json":
            found = read(ref, entry.read_bytes())
            if found.digest != PINNED.get(ref):
                raise _damaged()
            return found
    raise Unsafe(
        "找不到所引用的工作日历。请安装包含该日历的版本后再启动。",
        "The working-day calendar referred to is not published here. "
        "Install the version that contains it, then start again.",
        code="calendar-unknown",
    )


def default() -> Calendar:
    """Return the calendar that new deadlines are computed with."""
    return load(DEFAULT_REF)


def read(ref: str, content: bytes) -> Calendar:
    """Turn the bytes of a published file into a calendar, after checking that it makes sense.

    Raises:
        Unsafe: the file is not of this ref, a year is missing, a holiday is no weekday, or a
            make-up workday is no Saturday or Sunday.
    """
    try:
        published = msgspec.json.decode(content, type=_Published)
        holidays = {
            _day(year, text): name
            for year, lists in published.years.items()
            for name, days in lists.holidays.items()
            for text in days
        }
        make_up = frozenset(
            _day(year, text)
            for year, lists in published.years.items()
            for text in lists.make_up_workdays
        )
        first, last = min(published.years), max(published.years)
        is_sound = (
            published.ref == ref
            and len(published.years) == last - first + 1
            and all(day.weekday() < _SATURDAY for day in holidays)
            and all(day.weekday() >= _SATURDAY for day in make_up)
        )
    except ValueError:  # msgspec's errors are ValueErrors too
        is_sound = False
    if not is_sound:
        raise _damaged()
    return Calendar(
        ref=ref,
        digest=hashlib.sha256(content).hexdigest(),
        first_year=first,
        last_year=last,
        holidays=MappingProxyType(holidays),
        make_up_workdays=make_up,
    )


def _damaged() -> Unsafe:
    return Unsafe(
        "工作日历文件已损坏或内容有误。请恢复该版本发布时的原文件后再启动。",
        "The working-day calendar file is damaged or wrong. "
        "Restore the file as it was published, then start again.",
        code="calendar-damaged",
    )


def day_of(at: datetime) -> date:
    """Return the Asia/Shanghai date of an instant (a new day begins at 16:00 UTC).

    Raises:
        ValueError: `at` is naive.
    """
    if at.utcoffset() is None:
        msg = "an instant without a UTC offset has no date: pass an aware datetime"
        raise ValueError(msg)
    return at.astimezone(SHANGHAI).date()


def first_moment_of(day: date) -> datetime:
    """Return the UTC instant at which the Asia/Shanghai day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).astimezone(UTC)


def first_moment_after(day: date) -> datetime:
    """Return the UTC instant at which the Asia/Shanghai day is over: when a term has lapsed."""
    return first_moment_of(day) + _ONE_DAY


def _day(year: int, text: str) -> date:
    return date.fromisoformat(f"{year}-{text}")


def _require_positive(days: int) -> None:
    if days < 1:
        msg = "a term has at least one day"
        raise ValueError(msg)
