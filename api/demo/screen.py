"""How the demo looks in a terminal: columns that hold for Chinese, progress, a notice on each page.

Nothing here knows a case: it is given text in Chinese and in English and puts both on the screen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TextIO
from unicodedata import combining, east_asian_width

NOTICE = ("演示数据（合成）", "synthetic demo data")
_GAP = "  "
_BAR = 24
_WIDE = r"\u2e80-\u2fff\u3003-\uffef"
_CLOSING = r"，。、；：？！）》”】〕"
# What is never broken: a number with its unit, a word, or one wide character, each with the marks
# around it and the blanks after it.
_PIECES = re.compile(
    rf"[（《“【〔]*(?:[\d.,]+[{_WIDE}]|[^\s{_WIDE}{_CLOSING}]+|[{_WIDE}{_CLOSING}]|\s)[{_CLOSING}]*\s*"
)


class Words(NamedTuple):
    """A text in Chinese and in English: one cell, Chinese above English."""

    zh: str
    en: str


Cell = str | Sequence[str]
Row = Sequence[Cell] | str
"""The cells of a table's row, or a line that goes across all of them."""


def width(text: str) -> int:
    """Count the columns a text takes: two for a wide character, none for a combining one."""
    return sum(
        0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text
    )


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """Fill a text up with blanks to a number of columns."""
    blanks = " " * max(0, columns - width(text))
    return blanks + text if right else text + blanks


def wrapped(text: str, columns: int) -> list[str]:
    """Break a text into lines of so many columns: English between words, Chinese anywhere.

    No line begins with a mark that closes what stands before it.
    """
    lines, line = [], ""
    for piece in _PIECES.findall(text):
        if line and width(line + piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line = ""
        line += piece if line else piece.lstrip()
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def table(
    headings: Sequence[Words], rows: Sequence[Row], *, right: Sequence[int] = ()
) -> list[str]:
    """Lay out a table; a cell of several texts takes as many lines.

    Args:
        headings: one for each column.
        rows: cells, each a text or its lines from top to bottom; or a line across the table.
        right: the columns, counted from 0, whose figures stand to the right.
    """
    laid = [row if isinstance(row, str) else [_lines(cell) for cell in row] for row in rows]
    laid.insert(0, [tuple(words) for words in headings])
    columns = [
        max(width(line) for row in laid if not isinstance(row, str) for line in row[at])
        for at in range(len(headings))
    ]
    printed = []
    for row in laid:
        if isinstance(row, str):
            printed.append(row)
            continue
        for line in range(max(len(cell) for cell in row)):
            parts = (
                padded(cell[line] if line < len(cell) else "", columns[at], right=at in right)
                for at, cell in enumerate(row)
            )
            printed.append(_GAP.join(parts).rstrip())
    rule = _GAP.join("─" * columns[at] for at in range(len(headings)))
    return [*printed[:2], rule, *printed[2:]]


def _lines(cell: Cell) -> tuple[str, ...]:
    return (cell,) if isinstance(cell, str) else tuple(cell) or ("",)


def headed(zh: str, en: str) -> list[str]:
    """Begin a page: what it shows, and that it is made up."""
    return ["", f"━━ {zh}", f"   {en}", f"   【{NOTICE[0]} · {NOTICE[1]}】", ""]


class Progress:
    """Says what the demo is doing: a bar that moves on a terminal, plain lines elsewhere."""

    def __init__(self, out: TextIO, stages: int) -> None:
        self._out = out
        self._stages = stages
        self._stage = 0
        self._steps = 0
        self._title = ""
        self._is_terminal = out.isatty()

    @contextmanager
    def stage(self, zh: str, en: str) -> Iterator[None]:
        """Show one stage while it runs; `step` moves it on."""
        self._stage += 1
        self._steps = 0
        self._title = f"{zh} · {en}"
        self._draw()
        yield
        end = f"[{self._stage}/{self._stages}] {self._title} … {self._steps} 步 steps ✓"
        self._out.write(f"\r\x1b[K{end}\n" if self._is_terminal else f"{end}\n")
        self._out.flush()

    def step(self) -> None:
        """Count one step."""
        self._steps += 1
        self._draw()

    def _draw(self) -> None:
        if self._is_terminal:
            # How many steps a stage takes is not known beforehand: the bar fills ever more slowly.
            full = _BAR * self._steps // (self._steps + _BAR)
            bar = "█" * full + "░" * (_BAR - full)
            self._out.write(f"\r\x1b[K[{self._stage}/{self._stages}] {bar} {self._title}")
            self._out.flush()
