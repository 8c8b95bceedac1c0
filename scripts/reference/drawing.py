"""The life cycle as one picture: a column for each phase, a row for each command that moves it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape

import msgspec

from mediation.codes import Label

_LEFT = 190
_COLUMN = 92
_ROW = 36
_EDGE = 14
_BOX = 84
_DOT, _HEAD = 4, 9
_ZH, _EN, _LEADING = 13, 10, 3
_XMLNS = "http://www.w3.org/2000/svg"
_WIDE = 0x2E80
"""From this code point on a sign is as wide as it is high: Chinese and its punctuation."""

_PAUSE = re.compile(r"(?<=[·、])|(?=（)")

_FONT = "'Noto Sans CJK SC','Source Han Sans SC','PingFang SC','Microsoft YaHei',sans-serif"
_STYLE = f"""<style>
text {{ font-family: {_FONT}; fill: #1f2430 }}
.zh {{ font-size: {_ZH}px; font-weight: 600 }}
.en {{ font-size: {_EN}px; fill: #5a6372 }}
.phase {{ fill: #eef2f8; stroke: #8d99ad }}
.end {{ fill: #d9dfe9; stroke: #5a6372 }}
.life {{ stroke: #c9d1de; stroke-dasharray: 2 3 }}
.band {{ fill: #f7f9fc }}
.decision {{ stroke: #1f4e9c; fill: #1f4e9c }}
.fact {{ stroke: #1e7a4d; fill: #1e7a4d; stroke-dasharray: 5 3 }}
.line {{ fill: none; stroke-width: 1.6 }}
.solid {{ stroke-dasharray: none }}
</style>"""
_KINDS = {False: Label("办理决定", "decision"), True: Label("登记事实", "recorded fact")}


class Arrow(msgspec.Struct, frozen=True):
    """A command that moves the phase: from one of `sources` (none: from nowhere) to one of `to`."""

    label: Label
    sources: tuple[str, ...]
    to: tuple[str, ...]
    is_fact: bool


def draw(phases: Mapping[str, Label], arrows: Sequence[Arrow]) -> str:
    """Draw phases in their order and arrows in theirs; units are pixels."""
    centre = {phase: _LEFT + _COLUMN // 2 + _COLUMN * index for index, phase in enumerate(phases)}
    left = {source for arrow in arrows for source in arrow.sources}
    width = _LEFT + _COLUMN * len(phases) + _EDGE
    head = max(_height(label) for label in phases.values()) + 2 * _EDGE
    floor = head + _ROW * len(arrows)
    height = floor + _ROW
    size = f'width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="{_XMLNS}" viewBox="0 0 {width} {height}" {size} role="img">',
        "<title>案件办理流程 · Life cycle of a case</title>",
        _STYLE,
        f'<rect {size} fill="#ffffff"/>',
    ]
    parts += (
        f'<rect class="band" y="{y}" width="{width}" height="{_ROW}"/>'
        for y in range(head, floor, 2 * _ROW)
    )
    for phase, label in phases.items():
        x = centre[phase]
        parts.append(f'<path class="life" d="M{x} {head}V{floor}"/>')
        parts += _box(x, head - _EDGE, label, "phase" if phase in left else "end")
    for index, arrow in enumerate(arrows):
        parts += _row(arrow, centre, head + _ROW * index + _ROW // 2)
    parts += _legend(floor + _ROW // 2)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _wrapped(label: Label) -> list[tuple[str, int, str]]:
    """Give the lines of a label as style, size and text, both languages broken to the box."""
    return [
        *(("zh", _ZH, line) for line in _lines(label.zh, _ZH)),
        *(("en", _EN, line) for line in _lines(label.en, _EN)),
    ]


def _height(label: Label) -> int:
    return sum(size + _LEADING for _style, size, _line in _wrapped(label))


def _box(x: int, height: int, label: Label, kind: str) -> Iterator[str]:
    top = _EDGE // 2
    yield (
        f'<rect class="{kind}" x="{x - _BOX // 2}" y="{top}" width="{_BOX}" '
        f'height="{height}" rx="5"/>'
    )
    y = top + (height - _height(label)) // 2
    for style, size, line in _wrapped(label):
        y += size + _LEADING
        yield _text(x, y - _LEADING - 1, line, style, anchor="middle")


def _row(arrow: Arrow, centre: Mapping[str, int], y: int) -> Iterator[str]:
    kind = "fact" if arrow.is_fact else "decision"
    yield _text(_EDGE, y - 2, arrow.label.zh, "zh")
    yield _text(_EDGE, y + 11, arrow.label.en, "en")
    sources = [centre[source] for source in arrow.sources] or [_LEFT - _COLUMN // 4]
    targets = [centre[phase] for phase in arrow.to]
    first, *_between, last = sorted([*sources, *targets])
    # A line that ends in an arrowhead ends within it, or its butt would show.
    start = first if first in sources else first + _HEAD
    end = last if last in sources else last - _HEAD
    yield f'<path class="{kind} line" d="M{start} {y}H{end}"/>'
    for to in targets:
        if min(sources) < to:
            yield f'<path class="{kind} solid" d="M{to} {y}l-{_HEAD} -5v10z"/>'
        if max(sources) > to:
            yield f'<path class="{kind} solid" d="M{to} {y}l{_HEAD} -5v10z"/>'
    for x in sources:
        yield f'<circle class="{kind} solid" cx="{x}" cy="{y}" r="{_DOT}"/>'


def _legend(y: int) -> Iterator[str]:
    x = _EDGE
    for is_fact, label in _KINDS.items():
        kind = "fact" if is_fact else "decision"
        yield f'<path class="{kind} line" d="M{x} {y}h28"/>'
        yield f'<path class="{kind} solid" d="M{x + 36} {y}l-{_HEAD} -5v10z"/>'
        yield f'<circle class="{kind} solid" cx="{x}" cy="{y}" r="{_DOT}"/>'
        yield _text(x + 44, y + 4, f"{label.zh} {label.en}", "en")
        x += 60 + _width(f"{label.zh} {label.en}", _EN)


def _text(x: int, y: int, text: str, kind: str, *, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _width(text: str, size: int) -> int:
    return round(sum(size if ord(sign) >= _WIDE else size * 0.55 for sign in text))


def _lines(text: str, size: int) -> list[str]:
    """Break a label to the width of a box: between words, or where Chinese pauses, or anywhere."""
    room = _BOX - _EDGE // 2
    between = " " if " " in text else ""
    pieces = text.split() if between else re.findall(rf".{{1,{room // size}}}", _paused(text))
    lines = pieces[:1]
    for piece in pieces[1:]:
        longer = f"{lines[-1]}{between}{piece}"
        if _width(longer, size) > room:
            lines.append(piece)
        else:
            lines[-1] = longer
    return lines


def _paused(text: str) -> str:
    return _PAUSE.sub("\n", text)
