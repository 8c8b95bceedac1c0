"""The deadline catalogue as data, and the one function that computes a due date from it.

What happens when a date passes does not belong here, nor which case has which deadline: deciders
call `due` and store the answer in their event; folds copy it and never compute.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal
from uuid import UUID

import msgspec

from mediation.calendar.working_days import Calendar, day_of

Unit = Literal["wd", "cd", "ch", "mo"]
"""工作日 working days · 自然日 calendar days · 时钟时 clock hours · 月 months."""

PROPOSAL: Final = "proposal"
"""Stands where an article would: an internal limit that no law sets."""

REST: Final = "rest"
"""A written rule: what remains of the statutory term, without a length of its own."""

CAPPED: Final = ", capped"
"""Follows a written rule whose end was cut off by the statutory term."""


class Rule(msgspec.Struct, frozen=True):
    """One row of the catalogue.

    Attributes:
        code: permanent name of the deadline; a suffix marks a variant (`D12-RED`).
        unit: what `length` counts.
        length: how many units; None where the ladder or the parties set it.
        article: legal source ("L-LDMA 14; L-ZJ 10", or "P-4", a notice), or "proposal".
        starts_zh, starts_en: the fact that starts the clock.
        duty_zh, duty_en: what must, or may, be done by then.
        longest: how many units may be set at most; None where no bound is set.
    """

    code: str
    unit: Unit
    length: int | None
    article: str
    starts_zh: str
    starts_en: str
    duty_zh: str
    duty_en: str
    longest: int | None = None


class DueDate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A due date as decided once and stored in an event, with its reasons.

    Attributes:
        code: the row of the catalogue.
        due_on: 稳妥办理日, the last safe day, never rolled; the day a party is told.
        rolled_on: 法定末日, rolled to the next working day if `due_on` is not one (L-CPC 85).
        due_at: only for clock hours: the aware UTC instant; both dates are its Shanghai date.
        rule: "3 wd", "15 cd", "2 ch", "3 mo"; ", capped" follows if a later end was cut off by
            the statutory term; "rest" is what remains of that term.
        article: legal source, or "proposal".
        start_event_id: the event that starts the clock; None where it starts on a date and not
            with an event (the end of an earlier term, the day a payment falls due).
        start_on: the Shanghai date of that start; it is not counted.
        calendar: ref of the calendar used, and after @ the first 16 digits of its digest.
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
    start_event_id: UUID | None
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


# Not rows of this shape: D14 for ordinary signals counts working hours of a body, D20 counts back
# from the limitation date.
_ROWS = (
    Rule(
        "D01", "wd", 3, "L-PROV 22",
        "收到调解申请", "the application was received",
        "应当作出是否受理的决定；不予受理的，书面通知申请人",
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
        "企业劳动争议调解委员会应当结束调解，双方当事人同意延期的除外；"
        "逾期未达成调解协议的，视为调解不成",
        "The enterprise committee must end mediation unless both parties agree to extend it; "
        "without an agreement by then it counts as failed",
    ),
    Rule(
        "D04", "cd", None, "L-ZJ 10",
        "原调解期限届满", "the earlier term ended",
        "应当在各方当事人同意延长的期限内结束调解",
        "Mediation must end within the extension that all parties agreed to",
    ),
    Rule(
        "D04-PLATFORM", "cd", 15, "P-4; L-ZJ 10",
        "新就业形态劳动纠纷的原调解期限届满",
        "the earlier term of a platform-work dispute ended",
        "应当在各方当事人同意延长的期限内结束调解，延长最长不超过15日",
        "Mediation must end within the extension that all parties agreed to, which is at most "
        "15 days",
        longest=15,
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
        "分派调解员", "the mediator was assigned",
        "调解员应当确认是否承办",
        "The mediator must confirm or decline the assignment",
    ),
    Rule(
        "D07", "cd", 5, "L-PROV 10",
        "一方当事人正式提出协商要求", "one side formally asked for consultation",
        "另一方当事人应当作出口头或者书面回应，逾期不回应的视为不愿协商"
        "（规定未写明为工作日，按自然日计算）",
        "The other side must answer, orally or in writing; silence counts as unwillingness to "
        "consult (the provision does not say working days, so calendar days are counted)",
    ),
    Rule(
        "D08", "cd", 15, "L-PROV 27; L-ARB 74; L-ARB 80",
        "调解协议生效", "the mediation agreement took effect",
        "双方当事人可以共同向仲裁委员会提出仲裁审查申请",
        "Both parties may jointly ask the arbitration commission to review the agreement",
    ),
    Rule(
        "D09", "cd", 30, "L-PML 33; L-CPC 205",
        "调解协议生效", "the mediation agreement took effect",
        "双方当事人可以共同向人民法院申请司法确认，是否受理由人民法院依法决定",
        "Both parties may jointly apply to the court for judicial confirmation; whether it takes "
        "the application is for the court to say",
    ),
    Rule(
        "D10", "cd", 1, PROPOSAL,
        "约定的履行日期届至", "performance fell due",
        "应当核实履行情况，届时仍未履行的登记为逾期未履行",
        "Performance must be checked; what is not done by then is recorded as overdue",
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
        "进入仲裁、诉讼等法律程序或者移送线索",
        "the proceeding opened or the lead was transferred",
        "应当查询并登记办理进展", "The status must be asked for and recorded",
    ),
    Rule(
        "D17", "wd", 10, PROPOSAL,
        "收到两星及以下评价", "a rating of two stars or fewer came in",
        "应当完成整改", "Rectification must be finished",
    ),
    Rule(
        "D18", "cd", 30, PROPOSAL,
        "办结销号", "the case was closed",
        "应当完成案卷归档", "The case file must be archived",
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
        "单人办理或者“一表办”的案件办结销号",
        "a case handled single-handed or on one form was closed",
        "上级调解组织应当完成事后抽查", "The upper body must finish its spot review",
    ),
    Rule(
        "D25", "mo", 3, PROPOSAL,
        "分期或者持续履行的义务首期履行经核实",
        "the first instalment of a recurring duty was verified",
        "应当完成回访", "The return visit must be made",
    ),
    Rule(
        "D26", "ch", 2, PROPOSAL,
        "知悉紧急情况", "the urgent fact became known",
        "应当报送紧急专报的首报", "The first urgent report must be made",
    ),
)  # fmt: skip

CATALOGUE: Final[Mapping[str, Rule]] = MappingProxyType({rule.code: rule for rule in _ROWS})


def due(  # noqa: PLR0913 (keywords only: each is one reason the date depends on)
    code: str,
    *,
    start_at: datetime,
    start_event_id: UUID | None,
    calendar: Calendar,
    length: int | None = None,
    unit: Unit | None = None,
    no_later_than: date | None = None,
    decided_on: date | None = None,
    subject: str | None = None,
) -> DueDate:
    """Compute a due date; the start day, or for clock hours nothing, is left uncounted (L-CPC 85).

    Working days and clock hours end where they end; a calendar day or month that ends on a day off
    has its legal last day on the next working day.

    Args:
        code: a key of `CATALOGUE`.
        start_at: when the fact that starts the clock occurred; aware.
        start_event_id: the event that records it; None if none does.
        calendar: the calendar in force when this is decided.
        length: how many units, as the ladder or the parties set it; default: the catalogue's own.
        unit: what to count, where the ladder says otherwise than the catalogue.
        no_later_than: neither date passes this day (for D13: the `due_on` of D02). With it, and
            with no length at all, the due date is this day itself: the rest of the term.
        decided_on: the Shanghai date of the decision, if dates already past are to be marked.
        subject: what the date is about, where a case can have several of its kind.

    Raises:
        KeyError: the catalogue has no such code.
        ValueError: `start_at` is naive, `length` is missing, less than 1 or more than the row
            allows, or `no_later_than` is given for clock hours.
    """
    rule = CATALOGUE[code]
    unit = unit or rule.unit
    length = length if length is not None else rule.length
    start_on = day_of(start_at)
    due_at: datetime | None = None
    written = f"{length} {unit}"

    if length is not None and rule.longest is not None and length > rule.longest:
        msg = f"{code} is set to {rule.longest} {rule.unit} at most"
        raise ValueError(msg)
    if length is None:
        if no_later_than is None:
            msg = f"{code} has no length of its own: pass `length`, or `no_later_than` for the rest"
            raise ValueError(msg)
        due_on = rolled_on = no_later_than
        written, consulted = REST, None
    elif unit == "ch":
        if length < 1 or no_later_than is not None:
            msg = "clock hours are at least one and cannot be cut off by a date"
            raise ValueError(msg)
        due_at = (start_at + timedelta(hours=length)).astimezone(UTC)
        due_on = rolled_on = day_of(due_at)
        consulted = None
    elif unit == "wd":
        due_on = rolled_on = calendar.add_working_days(start_on, length)
        consulted = start_on + timedelta(days=1)
    else:
        add = calendar.add_months if unit == "mo" else calendar.add_calendar_days
        due_on = consulted = add(start_on, length)
        rolled_on = calendar.next_working_day_on_or_after(due_on)

    if length is not None and no_later_than is not None and rolled_on > no_later_than:
        due_on, rolled_on = min(due_on, no_later_than), no_later_than
        written += CAPPED
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
        calendar=calendar.cited,
        rolled_days=(rolled_on - due_on).days,
        provisional=not is_settled,
        past_when_decided=decided_on is not None and rolled_on < decided_on,
        subject=subject,
    )
