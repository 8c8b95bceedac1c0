"""What a due date says of itself, in Chinese and in English."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediation.calendar import CATALOGUE, DueDate, cite, day_of, default, due, explain
from mediation.calendar.working_days import SHANGHAI

MONTHS_EN = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def at(day: str, clock: str = "10:00") -> datetime:
    """Return a Shanghai wall-clock time."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=SHANGHAI)


def due_from(code: str, start_at: datetime, **how: Any) -> DueDate:
    """Compute with the default calendar."""
    return due(code, start_at=start_at, start_event_id=UUID("5f0c" * 8), calendar=default(), **how)


def written(day: date) -> dict[str, str]:
    """Write a day as both languages do."""
    return {
        "zh": f"{day.year}年{day.month}月{day.day}日",
        "en": f"{day.day} {MONTHS_EN[day.month - 1]} {day.year}",
    }


@pytest.mark.parametrize(
    ("code", "start_at", "how", "zh", "en"),
    [
        (
            "D01",
            at("2026-03-02"),
            {},
            (
                "自2026年3月2日（星期一）收到调解申请之日起算，当日不计入，期限3个工作日，"
                "至2026年3月5日（星期四）届满。期限内应当作出是否受理的决定；"
                "不予受理的，书面通知申请人。"
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
            "for the rest of the statutory term, to Tuesday 17 March 2026.",
        ),
        (
            "D13",
            at("2026-09-28"),
            {"length": 5, "unit": "cd", "no_later_than": date(2026, 10, 5)},
            (
                "期限5日，稳妥办理日为2026年10月3日（星期六）；因不得迟于法定调解期限，"
                "末日为2026年10月5日（星期一）。"
            ),
            (
                "5 calendar days: the last safe day is Saturday 3 October 2026; cut short by the "
                "statutory term, the last day is Monday 5 October 2026."
            ),
        ),
        (
            "D18",
            at("2026-09-03"),
            {},
            (
                "期限30日，稳妥办理日为2026年10月3日（星期六）；该日不是工作日，"
                "参照法律关于期间的规定，末日顺延至2026年10月8日（星期四）。"
            ),
            (
                "It is not a working day, so, by analogy with terms set by law, the last "
                "day moves to Thursday 8 October 2026."
            ),
        ),
        (
            "D25",
            at("2025-11-30"),
            {},
            (
                "分期或者持续履行的义务首期履行经核实之日起算，当日不计入，"
                "期限3个月（到期月没有对应日，以该月最后一日计），至2026年2月28日（星期六）届满。"
            ),
            (
                "3 months (the month it ends in has no such day, so its last day counts): "
                "the term ends on Saturday 28 February 2026."
            ),
        ),
        (
            "D25",
            at("2026-09-15"),
            {},
            "期限3个月，至2026年12月15日（星期二）届满。",
            "3 months: the term ends on Tuesday 15 December 2026.",
        ),
        (
            "D04-PLATFORM",
            at("2026-03-17"),
            {"length": 10},
            (
                "期限内应当在各方当事人同意延长的期限内结束调解，延长最长不超过15日。"
                "依据：《关于加强新就业形态劳动纠纷一站式调解工作的通知》（人社厅发〔2024〕4号）、"
                "《浙江省劳动人事争议调解仲裁条例》第十条。"
            ),
            "Human Resources and Social Security, 2024 No. 4); Zhejiang Regulations",
        ),
        (
            "D02",
            at("2026-12-20"),
            {},
            (
                "以上日期为暂定日期：有关日期的放假安排尚未载入工作日历，暂按周六、周日和日期固定的"
                "法定节假日推算，未计农历节日、清明节和调休，载入后重新计算。"
            ),
            "These dates are provisional: the calendar does not hold the holiday notice",
        ),
        (
            "D01",
            at("2026-05-09"),
            {"decided_on": date(2026, 5, 20)},
            "补录时已过期：登记录入时，上述期限已经届满。",
            "Already past when entered: the term was over before this was typed in.",
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


@pytest.mark.parametrize("code", ["D02", "D03", "D04", "D08", "D09"])
def test_a_term_set_by_law_always_names_both_dates(code: str) -> None:
    """The safe day and the legal last day are named even where they are the same day."""
    alike = explain(due_from(code, at("2026-03-02"), length=15))
    assert "稳妥办理日和法定末日均为2026年3月17日（星期二）" in alike["zh"]
    assert "the last safe day and the legal last day are both Tuesday 17 March" in alike["en"]
    apart = explain(due_from(code, at("2026-09-18"), length=15))
    assert "稳妥办理日为2026年10月3日（星期六）" in apart["zh"]
    assert "法定末日顺延至2026年10月8日（星期四）" in apart["zh"]
    assert "last safe day is Saturday 3 October" in apart["en"]
    assert "legal last day moves to Thursday 8 October" in apart["en"]


def test_a_limit_that_no_law_sets_never_speaks_of_a_legal_last_day() -> None:
    """Rolled, capped or neither: an internal limit has a last day, and no more."""
    internal = [code for code, rule in CATALOGUE.items() if rule.article == "proposal"]
    assert internal
    for code in internal:
        for start in ("2026-09-03", "2026-09-18", "2026-09-28", "2026-03-02"):
            for cap in (None, date(2026, 10, 5)):
                is_capped = cap and CATALOGUE[code].unit != "ch"
                told = explain(
                    due_from(
                        code,
                        at(start),
                        length=CATALOGUE[code].length or 5,
                        no_later_than=cap if is_capped else None,
                    )
                )
                assert "法定末日" not in told["zh"]
                assert "legal last day" not in told["en"]


def test_what_is_settled_and_in_time_is_not_called_provisional_or_past() -> None:
    """The two warnings stand only where they are true."""
    told = explain(due_from("D02", at("2026-03-02"), decided_on=date(2026, 3, 2)))
    assert not any(word in told["zh"] for word in ("暂定", "补录"))
    assert not any(word in told["en"] for word in ("provisional", "past"))


@settings(deadline=None)
@given(
    code=st.sampled_from(sorted(CATALOGUE)),
    start=st.datetimes(datetime(1995, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 (bounds are naive there)
    length=st.integers(1, 15),
    cap=st.none() | st.integers(0, 40),
    decided_on=st.none() | st.dates(date(1995, 1, 1), date(2060, 1, 1)),
)
def test_every_due_date_can_be_explained_and_names_its_last_day(
    code: str, start: datetime, length: int, cap: int | None, decided_on: date | None
) -> None:
    """Any row, start, length, cap and decision: both languages name the days and the warnings."""
    is_capped = cap is not None and CATALOGUE[code].unit != "ch"
    found = due_from(
        code,
        start,
        length=length,
        no_later_than=day_of(start) + timedelta(days=cap or 0) if is_capped else None,
        decided_on=decided_on,
    )
    told = explain(found)
    for language, warnings in (
        ("zh", ("暂定", "补录时已过期")),
        ("en", ("provisional", "Already past")),
    ):
        assert written(found.rolled_on)[language] in told[language]
        if found.rolled_days:
            assert written(found.due_on)[language] in told[language]
        assert (warnings[0] in told[language]) is found.provisional
        assert (warnings[1] in told[language]) is found.past_when_decided
    assert told["en"].isascii()


def test_every_row_can_be_computed_explained_and_cited() -> None:
    """Each code stands under its own name, in two languages, with a source that has a name."""
    for code, rule in CATALOGUE.items():
        assert code == rule.code
        assert all((rule.starts_zh, rule.starts_en, rule.duty_zh, rule.duty_en))
        told = explain(due_from(code, at("2026-03-02"), length=rule.length or 5))
        assert rule.duty_zh in told["zh"]
        assert rule.duty_en in told["en"]
        assert cite(rule.article)["zh"] in told["zh"]
        assert cite(rule.article)["en"] in told["en"]


def test_articles_are_cited_as_statutes_number_them() -> None:
    """Chinese numerals up to three digits, a law named once; an unknown law is a mistake."""
    assert cite("L-CPC 205; L-PML 10")["zh"] == (
        "依据：《中华人民共和国民事诉讼法》第二百零五条、《中华人民共和国人民调解法》第十条"
    )
    assert cite("L-CPC 110")["zh"].endswith("第一百一十条")
    assert cite("L-CPC 200")["zh"].endswith("第二百条")
    assert cite("L-ARB 70; L-ARB 80") == {
        "zh": "依据：《劳动人事争议仲裁办案规则》第七十条、第八十条",
        "en": "Basis: Rules for Handling Labour and Personnel Dispute Arbitration Cases, "
        "Article 70 and Article 80",
    }
    assert cite("L-ZJ 10")["en"].endswith("Article 10")
    with pytest.raises(KeyError):
        cite("L-NONE 1")
    with pytest.raises(ValueError, match="such as L-PROV 22"):
        cite("L-PROV twenty-two")
