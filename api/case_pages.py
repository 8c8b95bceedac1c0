"""One case as text for people: as it stands, its history, step by step, and between two points.

Chinese stands above English. Everything comes in as the interface answers it; nothing is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from api import answers
from api.screen import GAP, Row, Words, columns, padded, table, visible, width, wrapped
from mediation.audit import field_labels, path_label, path_meaning
from mediation.calendar import cite, say_rule
from mediation.calendar.deadlines import PROPOSAL
from mediation.calendar.working_days import SHANGHAI
from mediation.codes import Label, is_code, label
from mediation.ladder import Ladder
from mediation.network.state import NetworkState

_LABEL = 24
_NONE = "—"
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
"""How an event writes a time, which is told in Shanghai."""


class Names(msgspec.Struct, frozen=True):
    """What bodies and levels are called in one case."""

    network: NetworkState
    ladder: Ladder

    def body(self, body_id: str | None) -> Words:
        """Give the name of a body with its id, which is what the record holds."""
        found = self.network.bodies.get(body_id or "")
        if body_id is None:
            return Words("系统", "the system")
        if found is None:
            return _same(body_id)
        zh, en = visible(found.name_zh), visible(found.name_en)
        return Words(f"{zh}（{body_id}）", f"{en} ({body_id})")

    def level(self, code: str) -> Words:
        """Give the name of a level, or the code as it is if this ladder has no such level."""
        if not self.ladder.has_level(code):
            return _same(code)
        return _words(self.ladder.level(code).label)

    def branch(self, code: str) -> Words:
        """Give the name of a branch, or the code as it is if this ladder has no such branch."""
        branches = (it for level in self.ladder.levels for it in level.branches)
        return next((_words(it.label) for it in branches if it.code == code), _same(code))


def _words(found: Label) -> Words:
    return Words(found.zh, found.en)


def moment(at: datetime) -> str:
    """Write a time as the office reads it, in Shanghai."""
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"


def head(title: Words, shown: Sequence[tuple[Words, Words]]) -> list[str]:
    """Begin a page: what it is, then a line or two for each thing that holds for all of it."""
    return [f"━━ {title.zh} · {title.en}", *_facts(shown), ""]


def _facts(shown: Sequence[tuple[Words, Words]]) -> Iterator[str]:
    """Set facts one below the other; English below Chinese where both do not fit on a line."""
    for name, value in shown:
        title = padded(f"   {name.zh} {name.en if name.en != name.zh else ''}", _LABEL)
        if value.zh == value.en:
            texts = [value.zh]
        elif width(value.zh + value.en) + 3 <= columns() - _LABEL:
            texts = [f"{value.zh} · {value.en}"]
        else:
            texts = list(value)
        lines = [line for text in texts for line in wrapped(text, columns() - _LABEL)]
        yield (title + lines[0]).rstrip()
        yield from (" " * _LABEL + line for line in lines[1:])


def about(
    case_number: str, case_id: UUID, *, as_of: Words, is_clear: bool
) -> list[tuple[Words, Words]]:
    """Tell which case a page is about, as of when, and whether personal data stands in it."""
    masked = Words("个人信息已脱敏", "personal data is masked")
    clear = Words(
        "含个人信息，查阅已留痕", "personal data in clear; this reading has been recorded"
    )
    return [
        (Words("案号", "Case"), Words(case_number, case_number)),
        (Words("编号", "Id"), Words(str(case_id), str(case_id))),
        (Words("截至", "As of"), as_of),
        (Words("说明", "Note"), clear if is_clear else masked),
    ]


def point(shown: answers.PointShown) -> Words:
    """Say which point of a case's life is meant."""
    if shown.recorded_at is None:
        return Words("登记之前", "before it was registered")
    at = moment(shown.recorded_at)
    return Words(
        f"第{shown.version}版，日志位置{shown.position}，{at}记录",
        f"version {shown.version}, position {shown.position}, recorded {at}",
    )


def case_page(shown: answers.CaseShown, names: Names) -> list[str]:
    """Set a case as it stands or stood."""
    facts = [
        (Words("事项", "Matter"), _words(shown.matter_kind_label)),
        (Words("案由", "Cause"), _words(shown.cause_label)),
        (Words("阶段", "Phase"), _words(shown.phase_label)),
        (Words("层级", "Level"), _words(shown.level_label)),
        (Words("承办", "Body"), names.body(shown.custody_body_id)),
        (Words("风险", "Risk"), _words(shown.risk_label)),
        (Words("标记", "Flags"), _value("flags", shown.flags or None, names)),
        (Words("结果", "Outcome"), _value("outcome", shown.outcome, names)),
        (
            Words("职工", "Workers"),
            Words(f"{shown.workers}人", str(shown.workers)),
        ),
        (Words("请求", "Claimed"), _yuan(shown.claimed_fen)),
    ]
    parties: list[Row] = [
        (
            (label("party_roles", it.role).zh, label("party_roles", it.role).en),
            visible(it.company_name or it.name or _NONE),
            visible(it.phone or _NONE),
            _value("consents", it.consent, names),
            str(it.party_id),
        )
        for it in (*shown.applicants, *shown.respondents)
    ]
    headings = (
        Words("当事人", "Party"),
        Words("名称", "Name"),
        Words("电话", "Phone"),
        Words("意愿", "Consent"),
        Words("编号", "Id"),
    )
    flaws = [f"   {it.label.zh} · {it.label.en}  {it.event_id}" for it in shown.irregularities]
    texts = [
        line
        for it in shown.texts or ()
        for line in _text(it.version, path_label(it.field), it.text)
    ]
    return [
        *_facts(facts),
        "",
        *table(headings, parties),
        *(["", "未补正的瑕疵 · Irregularities to be cured", *flaws] if flaws else ()),
        *(["", "文字记录 · Texts", *texts] if texts else ()),
        "",
        *_dates(Words("在计期限", "Open due dates"), shown.due),
    ]


def _text(version: int, field: Label, text: str | None) -> Iterator[str]:
    """Set a text below what it is; none of its lines begins where a page's own lines do."""
    yield f"   {version:>4}  {field.zh} {field.en}"
    for line in wrapped(visible(text if text is not None else _NONE), columns() - 9):
        yield f"         {line}"


def _dates(title: Words, dates: Sequence[answers.DueShown]) -> Iterator[str]:
    """Set due dates, each with how it came about."""
    if not dates:
        return
    yield f"{title.zh} · {title.en}"
    for due in dates:
        at = moment(due.due_at) if due.due_at else f"{due.due_on}"
        rolled = (
            f"（法定末日 legal last day {due.rolled_on}）" if due.rolled_on != due.due_on else ""
        )
        named = label("deadlines", due.code)
        headed = f"{due.code} {named.zh} · {named.en}  {at}{rolled}"
        yield from (f"   {line}" for line in wrapped(headed, columns() - 3))
        for text in (due.explain.zh, due.explain.en):
            yield from (f"      {line}" for line in wrapped(text, columns() - 6))


def history_page(items: Sequence[answers.HistoryItem], names: Names) -> list[str]:
    """Set a history as a table: one row for each event, below the body that did it."""
    headings = (
        Words("版本", "No."),
        Words("发生", "Occurred"),
        Words("事件", "Event"),
        Words("办理", "By"),
        Words("记录", "Recorded"),
        Words("位置", "Position"),
    )
    # What is left beside number, times and position: three fifths for what was done.
    event = max(12, (columns() - 54) * 3 // 5)
    by = max(12, columns() - 54 - event)
    rows: list[Row] = []
    for body_id, told in groupby(items, key=lambda it: it.body_id):
        body = names.body(body_id)
        rows.append(f"▌{body.zh} · {body.en}")
        rows += [
            (
                str(it.version),
                moment(it.occurred_at)[:16],
                [line for text in _done(it) for line in wrapped(text, event)],
                _cell(_words(it.role_label), by) if it.role_label else _NONE,
                moment(it.recorded_at)[:16],
                str(it.position),
            )
            for it in told
        ]
    return table(headings, rows, right=(0, 5))


def _done(item: answers.HistoryItem) -> Iterator[str]:
    yield from _words(item.label)
    if item.late_days:
        yield f"补录，迟{item.late_days}天 late entry, {item.late_days} days"
    for flaw in item.irregularities:
        yield f"瑕疵：{flaw.label.zh} {flaw.label.en}"


def replay_page(steps: Sequence[answers.ReplayStep], names: Names) -> Iterator[str]:
    """Set a case step by step: who, when, why, on what basis, and what each event changed."""
    for step in steps:
        yield from step_page(step, names)
        yield ""


def step_page(step: answers.ReplayStep, names: Names) -> Iterator[str]:
    """Set one step of a replay."""
    event = step.event
    title = f"━━ 第{event.version}步 {event.label.zh} · Step {event.version}: {event.label.en}"
    yield from wrapped(title, columns())
    yield from _facts(list(_told(step, names)))
    beside = _beside(step, names)
    if beside.zh:
        yield from _facts([(Words("记载", "Says"), beside)])
    # Dates are told by themselves, each with how it came about.
    shown = [it for it in step.changes if it.path != "version" and not it.path.startswith("due.")]
    if shown:
        yield ""
        yield from changes_page(shown, names, is_step=True)
    if event.due:
        yield ""
        yield from _dates(Words("开始计算的期限", "Due dates that begin"), event.due)
    if step.ended:
        yield ""
        yield from _ended(step)


def _beside(step: answers.ReplayStep, names: Names) -> Words:
    """Give what an event says that its changes do not say; what was not so is left out."""
    known = {str(it.after) for it in step.changes} | {str(step.event.version)}
    topic = step.event.topic
    zh, en = [], []
    for path, value in _leaves("", step.event.fields):
        if value in (None, False, "") or str(value) in known or path in ("ground", "digest"):
            continue
        found, field = _value(path, value, names, topic), path_label(path, topic)
        zh.append(f"{field.zh} {_ID.sub(_short, found.zh)}")
        en.append(f"{field.en} {_ID.sub(_short, found.en)}")
    return Words("；".join(zh), "; ".join(en))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Walk what an event says: fields and items of lists; of plain values a list is one."""
    if isinstance(value, dict) and "sealed" not in value:
        for name, item in value.items():
            yield from _leaves(f"{path}.{name}" if path else name, item)
    elif isinstance(value, list) and any(isinstance(it, dict) for it in value):
        for at, item in enumerate(value, start=1):
            yield from _leaves(f"{path}.{at}", item)
    elif value != []:
        yield path, value


def _ended(step: answers.ReplayStep) -> Iterator[str]:
    """Set the due dates that this event ended; how each came about stands where it began."""
    anew = {(it.code, it.subject): it for it in step.event.due}
    yield "因此终止的期限 · Due dates that end by this"
    for due in step.ended:
        basis, later = _basis(due.article), anew.get((due.code, due.subject))
        named = label("deadlines", due.code)
        counted = Words(
            f"{named.zh}：{due.due_on}（自{due.start_on}起算），{basis.zh}",
            f"{named.en}: {due.due_on} (counted from {due.start_on}), {basis.en}",
        )
        yield from _facts([(_same(due.code), counted)])
        if later is not None:
            yield f"{'':{_LABEL}}改为 replaced by {later.due_on}"


def _told(step: answers.ReplayStep, names: Names) -> Iterator[tuple[Words, Words]]:
    event = step.event
    role, body = event.role_label or Label(_NONE, _NONE), names.body(event.body_id)
    yield Words("发生", "Occurred"), _same(moment(event.occurred_at))
    if event.decided_at != event.occurred_at:
        yield Words("决定", "Decided"), _same(moment(event.decided_at))
    late = (
        Words(f"（补录，迟{event.late_days}天）", f" (late entry, {event.late_days} days)")
        if event.late_days
        else Words("", "")
    )
    at = moment(event.recorded_at)
    yield Words("记录", "Recorded"), Words(at + late.zh, at + late.en)
    by = Words(f"{role.zh} · {body.zh}", f"{role.en}, {body.en}")
    yield Words("办理", "By"), by if event.body_id else _words(role)
    yield Words("账号", "Account"), _same(str(event.actor_id))
    if step.on_behalf_of_id:
        yield Words("代为", "On behalf of"), _same(str(step.on_behalf_of_id))
    if step.ground:
        yield Words("事由", "Ground"), _coded("grounds", step.ground)
    if event.reason_code:
        reason = _value("reason_code", event.reason_code, names, event.topic)
        yield Words("原因", "Reason"), reason
    if event.legal_basis:
        yield Words("依据", "Basis"), _basis(event.legal_basis)
    for flaw in event.irregularities:
        yield Words("瑕疵", "Irregular"), _words(flaw.label)
    for approver in event.approved_by_ids:
        yield Words("批准", "Approved by"), _same(str(approver))
    yield Words("位置", "Position"), _same(f"{event.position}")
    yield Words("摘要", "SHA-256"), _same(step.digest)


def _same(text: str) -> Words:
    return Words(text, text)


def _coded(name: str, code: str) -> Words:
    """Say a code by the label in its table, and the code itself."""
    if not is_code(name, code):
        return _same(visible(code))
    found = label(name, code)
    return Words(f"{found.zh}（{code}）", found.en)


def _basis(cited: str) -> Words:
    """Say a citation such as `L-PROV 22` in words; what is no citation stays as it is."""
    if cited == PROPOSAL:
        return Words("内部工作时限（建议值）", "an internal working limit (a proposal)")

    try:
        told = cite(cited)
    except (KeyError, ValueError):
        return Words(cited, cited)
    return Words(told["zh"].removeprefix("依据："), told["en"].removeprefix("Basis: "))


def changes_page(
    changes: Sequence[answers.ChangeShown], names: Names, *, is_step: bool = False
) -> list[str]:
    """Set changes as a table: what, before, after; an item that came or went is one row.

    In a step what went is not told again: it stands with the step by which it came.
    """
    shown = [it for it in changes if it.path != "version"]
    if not shown:
        return ["没有变化 · Nothing is different"]
    told = [_row(list(parts), names, is_step=is_step) for _, parts in groupby(shown, key=_item)]
    rows = [row for found in told for row in found]
    # Of what begins here there is no before; of what ends here, no after.
    sides = [at for at in (1, 2) if any(row[at] != _same(_NONE) for row in rows)]
    named = [_cell(row[0], columns() // 3) for row in rows]
    taken = max(width(line) for cell in (*named, _HEADINGS[0]) for line in cell)
    spaces = _shared(
        columns() - taken - len(sides) * len(GAP),
        [max(width(it) for row in (_HEADINGS, *rows) for it in row[at]) for at in sides],
    )
    return table(
        [_HEADINGS[at] for at in (0, *sides)],
        [
            (cell, *(_cell(row[at], space) for at, space in zip(sides, spaces, strict=True)))
            for cell, row in zip(named, rows, strict=True)
        ],
    )


def _shared(space: int, wanted: list[int]) -> list[int]:
    """Share columns out among one or two cells: half each, and what one does not want."""
    if len(wanted) == 1:
        return [space]
    half = space // 2
    first, second = wanted
    if first > half and second < half:
        return [space - second, second]
    return [min(first, half), space - min(first, half)]


_HEADINGS = (Words("变更", "Change"), Words("原", "Before"), Words("现", "After"))


def _item(change: answers.ChangeShown) -> str:
    """Name what a change is about: the item of a list, the entry of a key, or else the field."""
    parts = change.path.split(".")
    fields = field_labels()
    at = next((at for at, it in enumerate(parts) if it not in fields), 0)
    return ".".join(parts[: at + 1])


def _row(
    parts: list[answers.ChangeShown], names: Names, *, is_step: bool
) -> list[tuple[Words, Words, Words]]:
    item = _item(parts[0])
    came, went = (all(getattr(it, side) is UNSET for it in parts) for side in ("before", "after"))
    if not (came or went) or len(parts) == 1:
        return [
            (
                _words(it.label),
                _value(it.path, it.before, names),
                _value(it.path, it.after, names),
            )
            for it in parts
        ]
    named, nothing = _words(path_label(item)), _same(_NONE)
    if went and is_step:
        return [(named, Words("有", "there"), Words("已不再有", "no longer"))]
    zh, en = [], []
    for it in parts:
        found = it.after if came else it.before
        value = _value(it.path, found, names)
        # The id of an item stands in its name, and what is not so need not be said of a new one.
        if found is not False and not (_ID.fullmatch(value.zh) and value.zh in item):
            field = path_label(it.path.removeprefix(f"{item}."))
            zh.append(f"{field.zh} {_ID.sub(_short, value.zh)}")
            en.append(f"{field.en} {_ID.sub(_short, value.en)}")
    whole = Words("；".join(zh), "; ".join(en))
    return [(named, nothing, whole) if came else (named, whole, nothing)]


_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _short(found: re.Match[str]) -> str:
    return f"#{found[0][:6]}"


def _cell(words: Words, space: int) -> list[str]:
    texts = words if words.zh != words.en else words[:1]
    lines = [line for text in texts for line in wrapped(text, space)]
    return [piece for line in lines for piece in _cut(line, space)]


def _cut(line: str, space: int) -> Iterator[str]:
    """Cut what cannot be broken between words, such as an id."""
    while width(line) > space:
        at = next(at for at in range(len(line), 0, -1) if width(line[:at]) <= space)
        yield line[:at]
        line = line[at:]
    yield line


def _value(  # noqa: C901, PLR0912 - one answer for each kind of value
    path: str, value: Any, names: Names, topic: str | None = None
) -> Words:
    """Say a value in words: codes by their labels, money in yuan, times in Shanghai.

    It stands in an event with this topic, or else in the state of a case.
    """
    field = next((it for it in reversed(path.split(".")) if not _is_id(it)), path)
    match value:
        case None | msgspec.UnsetType():
            told = _same(_NONE)
        case {"sealed": True, "text": None}:
            told = Words("（已删除）", "(erased)")
        case {"sealed": True, "text": text}:
            told = _same(visible(str(text)))
        case {"sealed": True}:
            told = Words("（已脱敏）", "(masked)")
        case bool():
            told = Words("是", "yes") if value else Words("否", "no")
        case int() if field.endswith("_fen"):
            told = _yuan(value)
        case datetime():
            told = _same(moment(value))
        case list() | tuple():
            parts = [_value(path, it, names, topic) for it in value]
            zh, en = "、".join(it.zh for it in parts), ", ".join(it.en for it in parts)
            told = Words(_ID.sub(_short, zh), _ID.sub(_short, en))
        case str() if field in ("article", "legal_basis"):
            told = _basis(value)
        case str() if field == "rule":
            told = Words(**say_rule(value))
        case str() if _STAMP.fullmatch(value):
            told = _same(moment(datetime.fromisoformat(value)))
        case str() if field == "ground":
            told = _coded("grounds", value)
        case _ if field.endswith("body_id"):
            told = names.body(str(value))
        case _ if field.endswith("level"):
            told = names.level(str(value))
        case _ if field.endswith("branch"):
            told = names.branch(str(value))
        case _:
            meaning = path_meaning(path, topic)
            told = (
                _coded(meaning.table, str(value))
                if meaning is not None and meaning.table is not None
                else _same(visible(str(value)))
            )
    return told


def _yuan(fen: int) -> Words:
    amount = f"{fen // 100:,}.{fen % 100:02}"
    return Words(f"{amount}元", f"¥{amount}")


def _is_id(part: str) -> bool:
    return re.match(r"[0-9a-f]{8}-[0-9a-f]{4}-", part) is not None or part.isdigit()
