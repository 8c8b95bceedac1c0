"""The deadline catalogue as data, and the one function that computes a due date from it.

What happens when a date passes does not belong here, nor which case has which deadline: deciders
call `due` and store the answer in their event; folds copy it and never compute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from mediation.calendar.working_days import SHANGHAI, Calendar, day_of

Unit = Literal["wd", "cd", "ch", "mo"]
"""工作日 working days · 自然日 calendar days · 时钟时 clock hours · 月 months."""

PROPOSAL: Final = "proposal"
"""Stands where an article would: an internal limit that no law sets."""

_REST = "rest"
_CAPPED = ", capped"


class Rule(msgspec.Struct, frozen=True):
    """One row of the catalogue.

    Attributes:
        code: permanent name of the deadline; a suffix marks a variant (`D12-RED`).
        unit: what `length` counts.
        length: how many units; None where the ladder or the parties set it.
        article: legal source ("L-LDMA 14; L-ZJ 10"), or "proposal".
        starts_zh, starts_en: the fact that starts the clock.
        duty_zh, duty_en: what must, or may, be done by then.
    """

    code: str
    unit: Unit
    length: int | None
    article: str
    starts_zh: str
    starts_en: str
    duty_zh: str
    duty_en: str


class DueDate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A due date as decided once and stored in an event, with its reasons.

    Attributes:
        code: the row of the catalogue.
        due_on: 稳妥办理日, the last safe day, never rolled; the day a party is told.
        rolled_on: 法定末日, rolled to the next working day if `due_on` is not one (L-CPC 85).
        due_at: only for clock hours: the aware UTC instant; both dates are its Shanghai date.
        rule: "3 wd", "15 cd", "2 ch"; ", capped" follows if a later end was cut off by the
            statutory term; "rest" is what remains of that term.
        article: legal source, or "proposal".
        start_event_id: hex id of the event that starts the clock.
        start_on: the Shanghai date of that start; it is not counted.
        calendar: ref of the calendar used.
        rolled_days: calendar days between the two dates.
        provisional: the holidays that matter were not yet published.
        past_when_decided: 补录时已过期: the legal last day was over when the event was typed in.
        subject: what among several of its kind the date is about (a proceeding, a report, a day
            of payment); None where a case has only one such date.
    """

    code: str
    due_on: date
    rolled_on: date
    due_at: datetime | None = None
    rule: str
    article: str
    start_event_id: str
    start_on: date
    calendar: str
    rolled_days: int
    provisional: bool
    past_when_decided: bool = False
    subject: str | None = None

    @property
    def key(self) -> str:
        """Name the date within its case: the code, and what it is about if there are several."""
        return self.code if self.subject is None else f"{self.code}:{self.subject}"


LAWS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "L-LDMA": (
            "中华人民共和国劳动争议调解仲裁法",
            "Labour Dispute Mediation and Arbitration Law",
        ),
        "L-PROV": (
            "企业劳动争议协商调解规定",
            "Provisions on Consultation and Mediation of Enterprise Labour Disputes",
        ),
        "L-ZJ": (
            "浙江省劳动人事争议调解仲裁条例",
            "Zhejiang Regulations on Mediation and Arbitration of Labour and Personnel Disputes",
        ),
        "L-ARB": (
            "劳动人事争议仲裁办案规则",
            "Rules for Handling Labour and Personnel Dispute Arbitration Cases",
        ),
        "L-PML": ("中华人民共和国人民调解法", "People's Mediation Law"),
        "L-CPC": ("中华人民共和国民事诉讼法", "Civil Procedure Law"),
        "L-ZJS": (
            "浙江省工会劳动法律监督条例",
            "Zhejiang Regulations on Trade Union Supervision of Labour Law",
        ),
        "L-ONL": ("人民法院在线调解规则", "Online Mediation Rules of the People's Courts"),
        "L-SPEC": (
            "最高人民法院关于人民法院特邀调解的规定",
            "Provisions of the Supreme People's Court on Specially Invited Mediation",
        ),
    }
)

# Not rows of this shape: D14 for ordinary signals counts working hours of a body, D20 counts back
# from the limitation date, D25 counts months.
_ROWS = (
    Rule(
        "D01", "wd", 3, "L-PROV 22",
        "收到调解申请", "the application was received",
        "应当作出是否受理的决定，不予受理的书面通知申请人",
        "The case must be accepted, or the applicant told in writing that it is not",
    ),
    Rule(
        "D02", "cd", 15, "L-LDMA 14; L-ZJ 10",
        "收到调解申请（主动调解的为最后一方同意调解）",
        "the application was received or, where the body offered to mediate, the last party agreed",
        "应当结束调解，各方当事人同意延期的除外",
        "Mediation must end unless all parties agree to extend it",
    ),
    Rule(
        "D03", "cd", 15, "L-PROV 29",
        "受理调解申请", "the case was accepted",
        "企业劳动争议调解委员会应当结束调解，逾期未达成协议的视为调解不成",
        "The enterprise committee must end mediation; without an agreement it counts as failed",
    ),
    Rule(
        "D04", "cd", None, "L-ZJ 10",
        "原调解期限届满", "the earlier term ended",
        "应当结束调解",
        "Mediation must end within the extension that all parties agreed to",
    ),
    Rule(
        "D05", "wd", 3, PROPOSAL,
        "当事人明确拒绝调解、作出不予受理决定或者调解终止",
        "a party clearly refused mediation, the case was not accepted, or mediation was ended",
        "应当书面告知有关当事人，并告知可以申请仲裁等途径",
        "The parties concerned must be told in writing, with the other ways open, such as "
        "arbitration",
    ),
    Rule(
        "D06", "wd", 3, PROPOSAL,
        "指派调解员", "the mediator was assigned",
        "调解员应当确认是否接受指派",
        "The mediator must confirm or decline the assignment",
    ),
    Rule(
        "D07", "cd", 5, "L-PROV 10",
        "正式提出协商要求", "consultation was formally requested",
        "对方应当作出回应，逾期不回应的视为不愿协商",
        "The other side must answer; silence counts as unwillingness to consult",
    ),
    Rule(
        "D08", "cd", 15, "L-PROV 27; L-ARB 74",
        "调解协议生效", "the mediation agreement took effect",
        "双方当事人可以共同向仲裁委员会申请审查调解协议",
        "Both parties may jointly ask the arbitration commission to review the agreement",
    ),
    Rule(
        "D09", "cd", 30, "L-PML 33; L-CPC 205",
        "调解协议生效", "the mediation agreement took effect",
        "双方当事人可以共同向人民法院申请司法确认",
        "Both parties may jointly apply to the court for judicial confirmation",
    ),
    Rule(
        "D10", "cd", 1, PROPOSAL,
        "约定的履行日期届至", "performance fell due",
        "应当核实履行情况，未履行的登记为逾期未履行",
        "Performance must be checked; if there is none, it is recorded as overdue",
    ),
    Rule(
        "D11", "cd", 15, PROPOSAL,
        "履行完毕或者约定的履行日期届至", "the agreement was performed or fell due",
        "应当完成回访", "The return visit must be made",
    ),
    Rule(
        "D12", "wd", 1, PROPOSAL,
        "提出承办变更请求或者交办", "the move of custody was requested",
        "接收单位应当答复，交办的应当签收",
        "The receiving body must answer, or sign for a case assigned down to it",
    ),
    Rule(
        "D12-RED", "ch", 2, PROPOSAL,
        "提出红色风险案件承办变更请求或者交办", "the move of a red-risk case was requested",
        "接收单位应当答复，交办的应当签收",
        "The receiving body must answer, or sign for a case assigned down to it",
    ),
    Rule(
        "D13", "wd", None, PROPOSAL,
        "本级接办", "this level took the case over",
        "应当完成本级调解，最迟不超过法定调解期限",
        "Mediation at this level should be finished, never later than the statutory term",
    ),
    Rule(
        "D14-ASSESSED", "wd", 1, PROPOSAL,
        "收到线索", "the signal was filed",
        "应当完成研判", "The signal must be assessed",
    ),
    Rule(
        "D14-RED", "ch", 2, PROPOSAL,
        "收到红色风险线索", "the red-risk signal was filed",
        "应当确认收悉", "Receipt must be acknowledged",
    ),
    Rule(
        "D15", "wd", 15, "L-ZJS 22",
        "工会发出劳动法律监督意见书", "the union's supervision opinion was sent",
        "用人单位应当书面答复", "The employer must reply in writing",
    ),
    Rule(
        "D16", "cd", 30, PROPOSAL,
        "进入法律程序或者移交线索", "the proceeding opened or the lead was transferred",
        "应当了解并登记办理进展", "The status must be asked for and recorded",
    ),
    Rule(
        "D17", "wd", 10, PROPOSAL,
        "收到两星及以下评价", "a rating of two stars or fewer came in",
        "应当完成整改", "Rectification must be finished",
    ),
    Rule(
        "D18", "cd", 30, PROPOSAL,
        "办结销号", "the case was closed",
        "应当完成归档", "The case file must be archived",
    ),
    Rule(
        "D19", "wd", 5, PROPOSAL,
        "报告月份终了", "the reported month ended",
        "应当报送月报，无数据的报零报告", "The monthly report is due, a zero report included",
    ),
    Rule(
        "D21", "cd", 30, "L-ONL 24; L-SPEC 27",
        "受理人民法院委派或者委托调解的案件", "the case delegated by the court was accepted",
        "应当结束调解，各方当事人同意延期的除外",
        "Mediation must end unless all parties agree to extend it",
    ),
    Rule(
        "D22", "wd", 10, "L-ARB 70; L-ARB 80",
        "当事人同意仲裁委托调解", "the parties agreed to mediation delegated by arbitration",
        "应当结束调解并反馈结果", "Mediation must end and its result be reported back",
    ),
    Rule(
        "D23", "wd", 10, PROPOSAL,
        "登记职工诉求", "the worker's demand was registered",
        "应当向职工反馈办理结果", "The worker must be told the result",
    ),
    Rule(
        "D24", "wd", 5, PROPOSAL,
        "单人办结或者一表办结", "the case was closed single-handed or on one form",
        "上级调解组织应当完成事后抽查", "The upper body must finish its spot review",
    ),
    Rule(
        "D26", "ch", 2, PROPOSAL,
        "知悉紧急情况", "the urgent fact became known",
        "应当完成首次报告（首报）", "The first urgent report must be made",
    ),
)  # fmt: skip

CATALOGUE: Final[Mapping[str, Rule]] = MappingProxyType({rule.code: rule for rule in _ROWS})


def due(  # noqa: PLR0913 (keywords only: each is one reason the date depends on)
    code: str,
    *,
    start_at: datetime,
    start_event_id: str,
    calendar: Calendar,
    length: int | None = None,
    unit: Unit | None = None,
    no_later_than: date | None = None,
    decided_on: date | None = None,
    subject: str | None = None,
) -> DueDate:
    """Compute a due date; the start day, or for clock hours nothing, is left uncounted (L-CPC 85).

    Args:
        code: a key of `CATALOGUE`.
        start_at: when the fact that starts the clock occurred; aware.
        start_event_id: hex id of the event that records it.
        calendar: the calendar in force when this is decided.
        length: how many units, as the ladder or the parties set it; default: the catalogue's own.
        unit: what to count, where the ladder says otherwise than the catalogue.
        no_later_than: neither date passes this day (for D13: the `due_on` of D02). With it, and
            with no length at all, the due date is this day itself: the rest of the term.
        decided_on: the Shanghai date of the decision, if dates already past are to be marked.
        subject: what the date is about, where a case can have several of its kind.

    Raises:
        KeyError: the catalogue has no such code.
        ValueError: `start_at` is naive, `length` is missing or less than 1, or `no_later_than`
            is given for clock hours.
    """
    rule = CATALOGUE[code]
    unit = unit or rule.unit
    length = length if length is not None else rule.length
    start_on = day_of(start_at)
    due_at: datetime | None = None
    written = f"{length} {unit}"

    if length is None:
        if no_later_than is None:
            msg = f"{code} has no length of its own: pass `length`, or `no_later_than` for the rest"
            raise ValueError(msg)
        due_on = rolled_on = no_later_than
        written, consulted = _REST, None
    elif unit == "ch":
        if length < 1 or no_later_than is not None:
            msg = "clock hours are at least one and cannot be cut off by a date"
            raise ValueError(msg)
        due_at = (start_at + timedelta(hours=length)).astimezone(UTC)
        due_on = rolled_on = day_of(due_at)
        consulted = None
    elif unit == "wd":
        due_on = rolled_on = calendar.add_working_days(start_on, length)
        consulted = start_on
    else:
        due_on = consulted = calendar.add_calendar_days(start_on, length)
        rolled_on = calendar.next_working_day_on_or_after(due_on)

    if length is not None and no_later_than is not None and rolled_on > no_later_than:
        due_on, rolled_on = min(due_on, no_later_than), no_later_than
        written += _CAPPED
    is_settled = consulted is None or (
        calendar.is_covered(consulted) and calendar.is_covered(rolled_on)
    )
    return DueDate(
        code=code,
        due_on=due_on,
        rolled_on=rolled_on,
        due_at=due_at,
        rule=written,
        article=rule.article,
        start_event_id=start_event_id,
        start_on=start_on,
        calendar=calendar.ref,
        rolled_days=(rolled_on - due_on).days,
        provisional=not is_settled,
        past_when_decided=decided_on is not None and rolled_on < decided_on,
        subject=subject,
    )


def explain(due_date: DueDate) -> dict[str, str]:
    """Say in Chinese and English how a stored due date came about, for notices and screens.

    Uses the stored values and the catalogue's wording, never a calendar or a clock.

    Raises:
        KeyError: the catalogue has no such code (codes are never withdrawn).
    """
    rule = CATALOGUE[due_date.code]
    basis = cite(due_date.article)
    zh = [*_counted_zh(due_date, rule), f"期限内{rule.duty_zh}。", basis["zh"] + "。"]
    en = [*_counted_en(due_date, rule), rule.duty_en + ".", basis["en"] + "."]
    if due_date.provisional:
        zh.append(
            "有关日期的放假安排尚未载入工作日历，以上日期暂按法定节假日推算，载入后重新计算。"
        )
        en.append(
            "The calendar does not yet hold the holiday notice for this period: the dates are "
            "provisional and will be computed again."
        )
    return {"zh": "".join(zh), "en": " ".join(en)}


def cite(article: str) -> dict[str, str]:
    """Name the legal source of a due date in full: "L-PROV 22" → 《…规定》第二十二条.

    Raises:
        KeyError: a law is cited that this file does not know by name.
        ValueError: the text is neither "proposal" nor "LAW ARTICLE[; LAW ARTICLE]".
    """
    if article == PROPOSAL:
        return {
            "zh": "本期限为内部工作时限（建议值），非法律规定",
            "en": "This is an internal working limit (a proposal), not set by law",
        }
    parts = []
    for citation in article.split("; "):
        found = re.fullmatch(r"(L-[A-Z0-9]+) (\d{1,3})", citation)
        if found is None:
            msg = "an article is written as a law's code and a number, such as L-PROV 22"
            raise ValueError(msg)
        parts.append((LAWS[found[1]], int(found[2])))
    return {
        "zh": "依据：" + "、".join(f"《{law[0]}》第{_numeral(number)}条" for law, number in parts),
        "en": "Basis: " + "; ".join(f"{law[1]}, Article {number}" for law, number in parts),
    }


_UNITS_ZH = {"wd": "个工作日", "cd": "日", "ch": "小时"}
_UNITS_EN = {"wd": "working day", "cd": "calendar day", "ch": "hour"}
_WEEKDAYS_ZH = "一二三四五六日"
# Not strftime: names of days and months there follow the locale of the process.
_WEEKDAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS_EN = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DIGITS = "零一二三四五六七八九"


def _counted_zh(due_date: DueDate, rule: Rule) -> list[str]:
    start = f"自{_day_zh(due_date.start_on)}{rule.starts_zh}之日起算，当日不计入，"
    end = f"至{_day_zh(due_date.rolled_on)}届满。"
    written = due_date.rule.removesuffix(_CAPPED)
    if written == _REST:
        return [start, "期限为法定调解期限的剩余时间，", end]
    amount, unit = written.split()
    length = f"期限{amount}{_UNITS_ZH[unit]}，"
    if due_date.due_at is not None:
        at, began = due_date.due_at, due_date.due_at - timedelta(hours=int(amount))
        return [f"自{_time_zh(began)}{rule.starts_zh}时起算，", length, f"至{_time_zh(at)}届满。"]
    if due_date.rule != written:
        return [start, length, "因不得迟于法定调解期限，提前", end]
    if due_date.rolled_days:
        return [
            f"{start}{length}稳妥办理日为{_day_zh(due_date.due_on)}；该日不是工作日，",
            f"法定末日顺延至{_day_zh(due_date.rolled_on)}。",
        ]
    return [start, length, end]


def _counted_en(due_date: DueDate, rule: Rule) -> list[str]:
    start = f"Counted from {_day_en(due_date.start_on)}, when {rule.starts_en}"
    end = f"the term ends on {_day_en(due_date.rolled_on)}."
    written = due_date.rule.removesuffix(_CAPPED)
    if written == _REST:
        return [f"{start}, for the rest of the statutory term:", end]
    amount, unit = written.split()
    length = f"{amount} {_UNITS_EN[unit]}{'' if amount == '1' else 's'}"
    if due_date.due_at is not None:
        at, began = due_date.due_at, due_date.due_at - timedelta(hours=int(amount))
        return [
            f"Counted from {_time_en(began)}, when {rule.starts_en}:",
            f"after {length} the term ends at {_time_en(at)}.",
        ]
    start += f" (that day is not counted), {length}:"
    if due_date.rule != written:
        return [start, "cut short by the statutory term,", end]
    if due_date.rolled_days:
        return [
            f"{start} the last safe day is {_day_en(due_date.due_on)}.",
            "It is not a working day, so the legal last day moves to",
            f"{_day_en(due_date.rolled_on)}.",
        ]
    return [start, end]


def _day_zh(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日（星期{_WEEKDAYS_ZH[day.weekday()]}）"


def _time_zh(at: datetime) -> str:
    local = at.astimezone(SHANGHAI)
    return f"{_day_zh(local.date())}{local.hour}时{local.minute:02}分"


def _day_en(day: date) -> str:
    return f"{_WEEKDAYS_EN[day.weekday()]} {day.day} {_MONTHS_EN[day.month - 1]} {day.year}"


def _time_en(at: datetime) -> str:
    local = at.astimezone(SHANGHAI)
    return f"{local.hour:02}:{local.minute:02} (China time) on {_day_en(local.date())}"


def _numeral(number: int) -> str:
    """Write 1-999 as statutes number their articles: 22 → 二十二, 205 → 二百零五."""
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    text = f"{_DIGITS[hundreds]}百" if hundreds else ""
    if tens:
        text += "十" if tens == 1 and not hundreds else f"{_DIGITS[tens]}十"
    elif hundreds and ones:
        text += "零"
    return text + (_DIGITS[ones] if ones else "")
