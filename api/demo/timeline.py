"""A history as text: one row for what happened at once, under the body that did it; nothing else.

Chinese stands above English in every cell. Where a case climbed, a picture of days and levels
stands beside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from api.demo.report import Document, event_name, moment
from api.screen import Row, Words, padded, table, width, wrapped
from mediation.codes import label

HEADINGS = (
    Words("时间", "Time"),
    Words("事件", "Event"),
    Words("角色", "Role"),
    Words("阶段", "Phase"),
    Words("期限", "Due"),
)
ADDED = "＊"
_NOTE = 36
_DAY = 3


def timeline(items: list[Document], names: Mapping[str, Any]) -> list[str]:
    """Set a history as a table; what follows each other and is the same counts as one row.

    Args:
        items: of the history, in order.
        names: of the bodies, Chinese and English, by id.
    """
    rows: list[Row] = []
    body_id = phase = day = now = ""
    for run in _runs(items):
        item, at = run[0], moment(run[0])
        # The system acts for no body: what it does belongs to whoever has the case.
        if item["body_id"] and item["body_id"] != body_id:
            body_id, day, now = item["body_id"], "", ""
            rows.append(f"▌{names[body_id]['zh']} · {names[body_id]['en']}")
        before, day, now = (day, now), f"{at:%Y-%m-%d}", f"{at:%H:%M}"
        shown = [] if (day, now) == before else [now] if day == before[0] else [day, now]
        times = f" ×{len(run)}" if len(run) > 1 else ""
        mark = ADDED if item["added"] else ""
        rows.append(
            (
                shown,
                (item["label"]["zh"] + times + mark, item["label"]["en"], *_notes(run, names)),
                (item["role_label"]["zh"], item["role_label"]["en"]),
                () if item["phase"] == phase else (item["phase_label"]["zh"], item["phase"]),
                [f"{due['code']} {due['due_on']}" for due in item["due"]],
            )
        )
        phase = item["phase"]
    printed = table(HEADINGS, rows)
    if any(item["added"] for item in items):
        words = label("sources", "demo-addition")
        printed += ["", f"{ADDED} {words.zh} · {words.en}"]
    return printed


def _runs(items: list[Document]) -> Iterator[list[Document]]:
    """Put together what is the same, at the same body and on the same day."""

    def alike(item: Document) -> tuple[Any, ...]:
        day = moment(item).date()
        return item["topic"], item["body_id"], item["phase"], day, item["added"]

    for _, same in groupby(items, key=alike):
        yield list(same)


Note = Callable[[list[Document], Mapping[str, Any]], list[Words]]


def _codes(*found: tuple[str, str]) -> Note:
    """Tell codes of the first event by their labels: table and field, those that are there."""

    def note(run: list[Document], _names: Mapping[str, Any]) -> list[Words]:
        fields = run[0]["fields"]
        return [_words(table_name, fields[name]) for table_name, name in found if name in fields]

    return note


def _words(table_name: str, code: str) -> Words:
    found = label(table_name, code)
    return Words(found.zh, found.en)


def _sum(field: str) -> Note:
    """Tell how much it comes to, all events together."""

    def note(run: list[Document], _names: Mapping[str, Any]) -> list[Words]:
        amount = yuan(sum(item["fields"].get(field, 0) for item in run))
        return [Words(f"{amount}元", f"¥{amount}")]

    return note


def _move(run: list[Document], names: Mapping[str, Any]) -> list[Words]:
    fields = run[0]["fields"]
    body, days = names[fields["to_body_id"]], fields.get("days_left")
    told = [Words(f"→ {body['zh']}", f"→ {body['en']}")]
    return told if days is None else [*told, Words(f"期限剩余{days}天", f"{days} days left")]


def _extension(run: list[Document], _names: Mapping[str, Any]) -> list[Words]:
    asked = [item["fields"].get("extension") for item in run]
    if None in asked:
        return []
    zh = "、".join("是" if it else "否" for it in asked)
    en = ", ".join("yes" if it else "no" for it in asked)
    return [Words(f"同意延期：{zh}", f"extension: {en}")]


def _flags(run: list[Document], _names: Mapping[str, Any]) -> list[Words]:
    risk = _words("risks", run[-1]["fields"]["risk"])
    told = [_words("flags", item["fields"]["flag"]) for item in run]
    return [*told, Words(f"风险{risk.zh}", f"risk {risk.en.lower()}")]


def _addressees(run: list[Document], _names: Mapping[str, Any]) -> list[Words]:
    fields = run[0]["fields"]
    told = [_words("addressee_kinds", it) for it in fields["addressees"]]
    kind = _words("urgent_report_kinds", fields["kind"])
    return [kind, *(Words(f"→ {it.zh}", f"→ {it.en}") for it in told)]


def _present(run: list[Document], _names: Mapping[str, Any]) -> list[Words]:
    told = [_words("attendee_roles", it) for it in run[0]["fields"].get("also_present", ())]
    return [Words(f"在场：{it.zh}", f"present: {it.en.lower()}") for it in told]


_NOTES: Mapping[str, Note] = {
    "demand-relayed": _present,
    "flagged": _flags,
    "custody-move-requested": _move,
    "transfer-sheet-recorded": _extension,
    "consent-recorded": _codes(("consent_answers", "answer")),
    "mediation-concluded": _codes(("outcomes", "outcome")),
    "mediation-failed": _codes(("failure_causes", "reason_code")),
    "demand-answered": _codes(("demand_answers", "answer")),
    "aid-granted": _codes(("aid_criteria", "criteria_code")),
    "urgent-report-filed": _addressees,
    "remedy-route-taken": _codes(("forums", "forum")),
    "proceeding-opened": _codes(("forums", "forum")),
    "proceeding-updated": _codes(("proceeding_steps", "step"), ("proceeding_results", "result")),
    "obligations-set": _codes(("source_documents", "source_document")),
    "undertaking-given": _sum("agreed_fen"),
    "oral-agreement-recorded": _sum("agreed_fen"),
    "contract-change-confirmed": _sum("agreed_fen"),
    "obligation-performed": _sum("paid_fen"),
}
"""What is worth saying of an event beside its name."""


def _notes(run: list[Document], names: Mapping[str, Any]) -> list[str]:
    note = _NOTES.get(event_name(run[0]["topic"]))
    flaws = [_words("irregularities", code) for item in run for code in item["irregularities"]]
    words = [*(note(run, names) if note else ()), *(_flaw(it) for it in flaws)]
    printed = []
    for it in words:
        texts = [f"{it.zh} {it.en}"] if width(f"{it.zh} {it.en}") <= _NOTE else list(it)
        printed += [line for text in texts for line in wrapped(text, _NOTE)]
    return printed


def _flaw(words: Words) -> Words:
    return Words(f"瑕疵：{words.zh}", f"irregular: {words.en}")


def yuan(fen: int) -> str:
    """Write fen as yuan: 120000 as 1,200.00."""
    return f"{fen // 100:,}.{fen % 100:02}"


def climb_picture(
    items: list[Document], levels: list[Document], level_of: Mapping[str, str]
) -> list[str]:
    """Draw at which level a case lay on which day, and how long its statutory term ran.

    Args:
        items: of the history, in order.
        levels: of the ladder, from below.
        level_of: the level of each body, by its id.

    Returns:
        Nothing for a case that never left its level.
    """
    stays = list(_stays(items, level_of))
    if len(stays) <= 1:
        return []
    start, term = stays[0][1], _term(items)
    last = max(stays[-1][2], term)
    days = [start + timedelta(days=at) for at in range((last - start).days + 1)]
    margin = max(width(level["label"]["zh"]) for level in levels) + 2

    def line(title: str, since: date, until: date, mark: str) -> str:
        cells = (mark * _DAY if since <= day <= until else " " * _DAY for day in days)
        return (padded(title, margin) + "".join(cells)).rstrip()

    drawn = [padded("", margin) + "".join(f"{day:%d} " for day in days).rstrip()]
    for level in reversed(levels):
        for code, since, until in stays:
            if code == level["code"]:
                told = f"  {since:%m-%d} → {until:%m-%d}"
                drawn.append(line(level["label"]["zh"], since, until, "█") + told)
    told = f"  D02 {start:%m-%d} → {term:%m-%d}"
    return [*drawn, line("法定期限", start, term, "─") + told, ""]


def _stays(items: list[Document], level_of: Mapping[str, str]) -> Iterator[tuple[str, date, date]]:
    """Give each level with the day the case came there and the day it went on or was concluded."""
    ends = [it for it in items if event_name(it["topic"]) in ("escalated", "mediation-concluded")]
    code, since = level_of[items[0]["body_id"]], moment(items[0]).date()
    for item in ends:
        until = moment(item).date()
        yield code, since, until
        code, since = level_of.get(item["body_id"], code), until


def _term(items: list[Document]) -> date:
    return next(
        date.fromisoformat(due["due_on"])
        for item in items
        for due in item["due"]
        if due["code"] == "D02"
    )
