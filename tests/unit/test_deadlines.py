"""Due dates as the catalogue, the calendar and the law of terms give them."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from mediation.calendar import CATALOGUE, DueDate, cite, default, due, explain
from mediation.calendar.working_days import SHANGHAI

EVENT_ID = "5f0c" * 8


def at(day: str, clock: str = "10:00") -> datetime:
    """Return a Shanghai wall-clock time."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=SHANGHAI)


def due_from(code: str, start_at: datetime, **how: Any) -> DueDate:
    """Compute with the default calendar."""
    return due(code, start_at=start_at, start_event_id=EVENT_ID, calendar=default(), **how)


def days(due_date: DueDate) -> tuple[str, str]:
    """Return the safe day and the legal last day as text."""
    return due_date.due_on.isoformat(), due_date.rolled_on.isoformat()


@pytest.mark.parametrize(
    ("code", "received", "due_on", "rolled_on"),
    [
        # the last working day before the National Day: 10-08, 10-09 and the made-up 10-10
        ("D01", "2026-09-30", "2026-10-10", "2026-10-10"),
        ("D02", "2026-09-30", "2026-10-15", "2026-10-15"),
        # the made-up Sunday 09-20 counts
        ("D01", "2026-09-18", "2026-09-22", "2026-09-22"),
        ("D02", "2026-09-18", "2026-10-03", "2026-10-08"),
        ("D02", "2026-03-02", "2026-03-17", "2026-03-17"),
        # over the Spring Festival: made-up Saturday 02-14, then 02-24 and 02-25
        ("D01", "2026-02-13", "2026-02-25", "2026-02-25"),
        ("D02", "2026-02-02", "2026-02-17", "2026-02-24"),
        # a last day on a made-up Saturday stays, on an ordinary Saturday it moves to Monday
        ("D02", "2026-09-25", "2026-10-10", "2026-10-10"),
        ("D02", "2026-03-06", "2026-03-21", "2026-03-23"),
        # 29 February, as the start and as the last day
        ("D02", "2024-02-29", "2024-03-15", "2024-03-15"),
        ("D02", "2024-02-14", "2024-02-29", "2024-02-29"),
        # over the year end: made-up Sunday 2026-01-04 is a working day
        ("D01", "2025-12-31", "2026-01-06", "2026-01-06"),
        ("D02", "2025-12-20", "2026-01-04", "2026-01-04"),
        ("D02", "2025-12-17", "2026-01-01", "2026-01-04"),
    ],
)
def test_due_dates_over_holidays(code: str, received: str, due_on: str, rolled_on: str) -> None:
    """Three working days and fifteen calendar days, counted by hand over each holiday."""
    found = due_from(code, at(received))
    assert days(found) == (due_on, rolled_on)
    assert found.rolled_days == (found.rolled_on - found.due_on).days
    assert found.start_on == date.fromisoformat(received)
    assert not found.provisional


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
        calendar="cn-2004-2026-v1",
        rolled_days=5,
        provisional=False,
    )


def test_the_start_day_is_the_shanghai_day() -> None:
    """An application at midnight in Shanghai, 16:00 UTC, starts the clock a day later."""
    before = due_from("D02", datetime(2026, 3, 1, 15, 59, tzinfo=UTC))
    after = due_from("D02", datetime(2026, 3, 1, 16, 0, tzinfo=UTC))
    assert days(before)[0] == "2026-03-16"
    assert days(after)[0] == "2026-03-17"


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


def test_the_ladder_may_set_length_and_unit() -> None:
    """A level that counts in calendar days or hours needs no new row."""
    assert due_from("D13", at("2026-03-02"), length=5, unit="cd").rule == "5 cd"
    assert due_from("D12", at("2026-03-02"), length=4, unit="ch").due_at == at(
        "2026-03-02", "14:00"
    )
    assert days(due_from("D04", at("2026-03-17"), length=10)) == ("2026-03-27", "2026-03-27")


@pytest.mark.parametrize(
    ("code", "start", "how", "is_provisional"),
    [
        ("D01", "2026-12-30", {}, True),
        ("D02", "2026-12-01", {}, False),
        ("D02", "2026-12-20", {}, True),
        ("D02", "2003-12-20", {}, False),  # the last day alone asks the calendar
        ("D01", "2003-12-30", {}, True),
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


def test_a_due_date_survives_its_event_and_refuses_unknown_fields() -> None:
    """Field names are permanent: the stored JSON is spelled out, and it decodes to the same."""
    stored = msgspec.json.encode(due_from("D12-RED", at("2026-03-02", "09:30")))
    assert stored == (
        b'{"code":"D12-RED","due_on":"2026-03-02","rolled_on":"2026-03-02",'
        b'"due_at":"2026-03-02T03:30:00Z","rule":"2 ch","article":"proposal",'
        b'"start_event_id":"5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c","start_on":"2026-03-02",'
        b'"calendar":"cn-2004-2026-v1","rolled_days":0,"provisional":false}'
    )
    assert msgspec.json.encode(msgspec.json.decode(stored, type=DueDate)) == stored
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(stored[:-1] + b',"x":1}', type=DueDate)


@pytest.mark.parametrize(
    ("code", "start_at", "how", "zh", "en"),
    [
        (
            "D01",
            at("2026-03-02"),
            {},
            (
                "自2026年3月2日（星期一）收到调解申请之日起算，当日不计入，期限3个工作日，"
                "至2026年3月5日（星期四）届满。期限内应当作出是否受理的决定，"
                "不予受理的书面通知申请人。"
                "依据：《企业劳动争议协商调解规定》第二十二条。"
            ),
            (
                "Counted from Monday 2 March 2026, when the application was "
                "received (that day is not "
                "counted), 3 working days: the term ends on Thursday 5 March "
                "2026. The case must be "
                "accepted, or the applicant told in writing that it is not. Basis: Provisions on "
                "Consultation and Mediation of Enterprise Labour Disputes, Article 22."
            ),
        ),
        (
            "D02",
            at("2026-09-18"),
            {},
            (
                "期限15日，稳妥办理日为2026年10月3日（星期六）；该日不是工作日，"
                "法定末日顺延至2026年10月8日（星期四）。"
            ),
            (
                "15 calendar days: the last safe day is Saturday 3 October "
                "2026. It is not a working "
                "day, so the legal last day moves to Thursday 8 October 2026."
            ),
        ),
        (
            "D05",
            at("2026-03-03"),
            {},
            (
                "自2026年3月3日（星期二）当事人明确拒绝调解、作出不予受理决定或者调解终止之日起算，"
                "当日不计入，期限3个工作日，至2026年3月6日（星期五）届满。"
                "期限内应当书面告知有关当事人，并告知可以申请仲裁等途径。"
            ),
            (
                "Counted from Tuesday 3 March 2026, when a party clearly refused mediation, the "
                "case was not accepted, or mediation was ended (that day is not counted), "
                "3 working days: the term ends on Friday 6 March 2026. The parties concerned "
                "must be told in writing, with the other ways open, such as arbitration."
            ),
        ),
        (
            "D12",
            at("2026-03-02"),
            {},
            "本期限为内部工作时限（建议值），非法律规定。",
            "1 working day: the term ends on Tuesday 3 March 2026.",
        ),
        (
            "D12-RED",
            at("2026-03-02", "23:05"),
            {},
            (
                "自2026年3月2日（星期一）23时05分提出红色风险案件承办变更请求或者交办时起算，"
                "期限2小时，至2026年3月3日（星期二）1时05分届满。"
            ),
            (
                "Counted from 23:05 (China time) on Monday 2 March 2026, "
                "when the move of a red-risk "
                "case was requested: after 2 hours the term ends at 01:05 (China time) on Tuesday "
                "3 March 2026."
            ),
        ),
        (
            "D13",
            at("2026-03-13"),
            {"length": 4, "no_later_than": date(2026, 3, 17)},
            "期限4个工作日，因不得迟于法定调解期限，提前至2026年3月17日（星期二）届满。",
            "4 working days: cut short by the statutory term, the term ends on Tuesday 17 March",
        ),
        (
            "D13",
            at("2026-03-13"),
            {"no_later_than": date(2026, 3, 17)},
            "期限为法定调解期限的剩余时间，至2026年3月17日（星期二）届满。",
            "for the rest of the statutory term: the term ends on Tuesday 17 March 2026.",
        ),
        (
            "D02",
            at("2026-12-20"),
            {},
            "有关日期的放假安排尚未载入工作日历，以上日期暂按法定节假日推算，载入后重新计算。",
            "the dates are provisional and will be computed again.",
        ),
    ],
)
def test_a_due_date_explains_itself(
    code: str, start_at: datetime, how: dict[str, Any], zh: str, en: str
) -> None:
    """The sentences name start, length, both dates, the duty and the legal source."""
    told = explain(due_from(code, start_at, **how))
    assert zh in told["zh"]
    assert en in told["en"]


def test_every_row_can_be_computed_explained_and_cited() -> None:
    """Each code stands under its own name, in two languages, with a source that has a name."""
    for code, rule in CATALOGUE.items():
        assert code == rule.code
        assert all((rule.starts_zh, rule.starts_en, rule.duty_zh, rule.duty_en))
        told = explain(due_from(code, at("2026-03-02"), length=rule.length or 5))
        assert rule.duty_zh in told["zh"]
        assert rule.duty_en in told["en"]
        assert cite(rule.article)["zh"] in told["zh"]


@pytest.mark.parametrize(
    ("code", "rule", "article"),
    [
        ("D01", "3 wd", "L-PROV 22"),
        ("D02", "15 cd", "L-LDMA 14; L-ZJ 10"),
        ("D03", "15 cd", "L-PROV 29"),
        ("D05", "3 wd", "proposal"),
        ("D06", "3 wd", "proposal"),
        ("D12", "1 wd", "proposal"),
        ("D12-RED", "2 ch", "proposal"),
        ("D18", "30 cd", "proposal"),
    ],
)
def test_the_catalogue_says_what_the_law_says(code: str, rule: str, article: str) -> None:
    """Lengths, units and sources, written down a second time."""
    found = due_from(code, at("2026-03-02"))
    assert (found.rule, found.article) == (rule, article)


def test_articles_are_cited_as_statutes_number_them() -> None:
    """Chinese numerals up to three digits; an unknown law or form is a mistake."""
    assert cite("L-CPC 205; L-PML 10")["zh"] == (
        "依据：《中华人民共和国民事诉讼法》第二百零五条、《中华人民共和国人民调解法》第十条"
    )
    assert cite("L-CPC 110")["zh"].endswith("第一百一十条")
    assert cite("L-CPC 200")["zh"].endswith("第二百条")
    assert cite("L-ZJ 10")["en"].endswith("Article 10")
    with pytest.raises(KeyError):
        cite("L-NONE 1")
    with pytest.raises(ValueError, match="such as L-PROV 22"):
        cite("L-PROV twenty-two")
