"""Says in two languages how a stored due date came about; nothing is computed or looked up here."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType
from typing import Final

import msgspec

from mediation.calendar.deadlines import CAPPED, CATALOGUE, PROPOSAL, REST, DueDate
from mediation.calendar.working_days import SHANGHAI
from mediation.errors import Unsafe


class Law(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A law that is cited: its name, its number, and the day of the text whose articles count.

    `number` and `number_en` are those under which it was issued, where they are at hand.
    """

    zh: str
    en: str
    version: str
    number: str | None = None
    number_en: str | None = None


class _Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The published file of laws as written."""

    ref: str
    laws: dict[str, Law]


LAWS_REF: Final = "laws-v1"
LAWS_DIGEST: Final = "a03616bc0928101b644a2c5d50653cfb48c955973bf98530060fa1eb7decffd9"


def _laws() -> Mapping[str, Law]:
    stored = (files(__package__) / "published" / f"{LAWS_REF}.toml").read_bytes()
    # Events cite by these codes, so a released file that was edited must not be served.
    if sha256(stored).hexdigest() != LAWS_DIGEST:
        raise Unsafe(
            "法律名称表与发布时不一致；请重新安装。",
            "The table of laws differs from the release; install it again.",
        )
    read = msgspec.convert(tomllib.loads(stored.decode()), _Published)
    return MappingProxyType(read.laws)


LAWS: Final[Mapping[str, Law]] = _laws()
"""Every law that an event or a deadline cites, by the code of its citations."""

# One article, perhaps an item of it; a notice is cited whole.
_CITATION: Final = re.compile(r"(cf\. )?(?:(L-[A-Z0-9]+) (\d{1,3})(?:\((\d{1,2})\))?|(P-\d{1,2}))")

_FROM_ZH = "自{start}{starts}之日起算，当日不计入，"
_FROM_EN = "Counted from {start}, when {starts} (that day is not counted), {length}: "
# How a term was counted, and the sentence that says so.
_COUNTED: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "hours": (
            "自{start}{starts}时起算，期限{length}，至{last}届满。",
            "Counted from {start}, when {starts}: after {length} the term ends at {last}.",
        ),
        "rest": (
            _FROM_ZH + "期限为法定调解期限的剩余时间，至{last}届满。",
            "Counted from {start}, when {starts}, for the rest of the statutory term, to {last}.",
        ),
        "one-date": (
            _FROM_ZH + "期限{length}，至{last}届满。",
            _FROM_EN + "the term ends on {last}.",
        ),
        "two-dates-alike": (
            _FROM_ZH + "期限{length}，稳妥办理日和法定末日均为{last}。",
            _FROM_EN + "the last safe day and the legal last day are both {last}.",
        ),
        "rolled": (
            _FROM_ZH + "期限{length}，稳妥办理日为{safe}；该日不是工作日，法定末日顺延至{last}。",
            _FROM_EN + "the last safe day is {safe}. "
            "It is not a working day, so the legal last day moves to {last}.",
        ),
        "rolled-by-analogy": (
            _FROM_ZH + "期限{length}，稳妥办理日为{safe}；该日不是工作日，"
            "参照法律关于期间的规定，末日顺延至{last}。",
            _FROM_EN + "the last safe day is {safe}. It is not a working day, so, by analogy with "
            "terms set by law, the last day moves to {last}.",
        ),
        "capped": (
            _FROM_ZH + "期限{length}，因不得迟于法定调解期限，提前至{last}届满。",
            _FROM_EN + "cut short by the statutory term, the term ends on {last}.",
        ),
        "capped-after-rolling": (
            _FROM_ZH + "期限{length}，稳妥办理日为{safe}；因不得迟于法定调解期限，末日为{last}。",
            _FROM_EN + "the last safe day is {safe}; cut short by the statutory term, "
            "the last day is {last}.",
        ),
    }
)


def explain(due_date: DueDate) -> dict[str, str]:
    """Say in Chinese and English how a stored due date came about, for notices and screens.

    Uses the stored values and the catalogue's wording, never a calendar or a clock.

    Raises:
        KeyError: the catalogue has no such code (codes are never withdrawn).
    """
    rule, basis = CATALOGUE[due_date.code], cite(due_date.article)
    counted_zh, counted_en = _COUNTED[_way_of_counting(due_date)]
    length_zh, length_en = _length(due_date)
    start, safe, last = _moments(due_date)
    zh = [
        counted_zh.format(
            start=_when_zh(start),
            starts=rule.starts_zh,
            length=length_zh,
            safe=_when_zh(safe),
            last=_when_zh(last),
        ),
        f"期限内{rule.duty_zh}。",
        basis["zh"] + "。",
    ]
    en = [
        counted_en.format(
            start=_when_en(start),
            starts=rule.starts_en,
            length=length_en,
            safe=_when_en(safe),
            last=_when_en(last),
        ),
        rule.duty_en + ".",
        basis["en"] + ".",
    ]
    if due_date.past_when_decided:
        zh.append("补录时已过期：登记录入时，上述期限已经届满。")
        en.append("Already past when entered: the term was over before this was typed in.")
    if due_date.provisional:
        zh.append(
            "以上日期为暂定日期：有关日期的放假安排尚未载入工作日历，暂按周六、周日和日期固定的"
            "法定节假日推算，未计农历节日、清明节和调休，载入后重新计算。"
        )
        en.append(
            "These dates are provisional: the calendar does not hold the holiday notice for this "
            "period, so only weekends and holidays on fixed dates were taken as days off. They "
            "will be computed again when it does."
        )
    return {"zh": "".join(zh), "en": " ".join(en)}


def cite(article: str) -> dict[str, str]:
    """Name the legal source of a due date in full: "L-PROV 22" → 《…规定》第二十二条.

    Raises:
        KeyError: a law is cited that this file does not know by name.
        ValueError: the text is neither "proposal" nor a list like "P-4; L-ZJ 10; cf. L-PROV 22".
    """
    if article == PROPOSAL:
        return {
            "zh": "本期限为内部工作时限（建议值），非法律规定",
            "en": "This is an internal working limit (a proposal), not set by law",
        }
    articles: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for citation in article.split("; "):
        analogy, law, place = _parsed(citation)
        articles.setdefault((analogy, law), []).extend(place)
    zh, en = [], []
    for (analogy, code), places in articles.items():
        named = LAWS[code]
        if not places:
            number_en = named.number_en or named.number
            zh.append(f"《{named.zh}》（{named.number}）" if named.number else f"《{named.zh}》")
            en.append(f"{named.en} ({number_en})" if number_en else named.en)
        else:
            zh.append(f"《{named.zh}》" + "、".join(it for it, _ in places))
            en.append(f"{named.en}, " + " and ".join(f"Article {it}" for _, it in places))
        if analogy:
            zh[-1], en[-1] = f"参照{zh[-1]}", f"by analogy {en[-1]}"
    return {"zh": "依据：" + "、".join(zh), "en": "Basis: " + "; ".join(en)}


def _parsed(citation: str) -> tuple[str, str, list[tuple[str, str]]]:
    """Take a citation apart: by analogy or not, which law, and its article in both languages."""
    found = _CITATION.fullmatch(citation)
    if found is None:
        msg = "an article is written as a law's code and a number, such as L-PROV 22"
        raise ValueError(msg)
    analogy, law, number, item, notice = found.groups(default="")
    if notice:
        return analogy, notice, []
    zh, en = f"第{_numeral(int(number))}条", number
    if item:
        zh, en = f"{zh}第（{_numeral(int(item))}）项", f"{en}({item})"
    return analogy, law, [(zh, en)]


def _way_of_counting(due_date: DueDate) -> str:
    if due_date.due_at is not None:
        return "hours"
    if due_date.rule == REST:
        return "rest"
    is_internal = due_date.article == PROPOSAL
    if due_date.rule.endswith(CAPPED):
        return "capped-after-rolling" if due_date.rolled_days else "capped"
    if due_date.rolled_days:
        return "rolled-by-analogy" if is_internal else "rolled"
    return "one-date" if is_internal or due_date.rule.endswith(" wd") else "two-dates-alike"


_UNITS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "wd": ("个工作日", "working day"),
        "cd": ("日", "calendar day"),
        "ch": ("小时", "hour"),
        "mo": ("个月", "month"),
    }
)


def say_rule(rule: str) -> dict[str, str]:
    """Say in Chinese and English by which rule a due date was counted, as `3 wd` in `DueDate`."""
    if rule == REST:
        return {"zh": "期限的剩余日数", "en": "what is left of the term"}
    zh, en = _counted(rule)
    if rule.endswith(CAPPED):
        return {"zh": f"{zh}，至期限届满为止", "en": f"{en}, not beyond the term"}
    return {"zh": zh, "en": en}


def _counted(rule: str) -> tuple[str, str]:
    amount, unit = rule.removesuffix(CAPPED).split()
    unit_zh, unit_en = _UNITS[unit]
    return f"{amount}{unit_zh}", f"{amount} {unit_en}{'' if amount == '1' else 's'}"


def _length(due_date: DueDate) -> tuple[str, str]:
    if due_date.rule == REST:
        return "", ""
    zh, en = _counted(due_date.rule)
    if due_date.rule.endswith(" mo") and due_date.due_on.day != due_date.start_on.day:
        zh += "（到期月没有对应日，以该月最后一日计）"
        en += " (the month it ends in has no such day, so its last day counts)"
    return zh, en


def _moments(due_date: DueDate) -> tuple[date, date, date]:
    """Give start, last safe day and legal last day; as instants where hours are counted."""
    if due_date.due_at is None:
        return due_date.start_on, due_date.due_on, due_date.rolled_on
    hours = int(due_date.rule.split()[0])
    return due_date.due_at - timedelta(hours=hours), due_date.due_at, due_date.due_at


_WEEKDAYS_ZH = "一二三四五六日"
# Not strftime: names of days and months there follow the locale of the process.
_WEEKDAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS_EN = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DIGITS = "零一二三四五六七八九"


def _when_zh(when: date) -> str:
    if isinstance(when, datetime):
        local = when.astimezone(SHANGHAI)
        return f"{_when_zh(local.date())}{local.hour}时{local.minute:02}分"
    return f"{when.year}年{when.month}月{when.day}日（星期{_WEEKDAYS_ZH[when.weekday()]}）"


def _when_en(when: date) -> str:
    if isinstance(when, datetime):
        local = when.astimezone(SHANGHAI)
        return f"{local.hour:02}:{local.minute:02} (China time) on {_when_en(local.date())}"
    return f"{_WEEKDAYS_EN[when.weekday()]} {when.day} {_MONTHS_EN[when.month - 1]} {when.year}"


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
