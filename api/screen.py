"""What a terminal is given: columns that hold for Chinese, and nothing that it would obey.

Nothing here knows a case: it is given text in Chinese and in English and puts both on the screen.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from typing import NamedTuple
from unicodedata import combining, east_asian_width

GAP = "  "
"""Between two columns of a table."""

_FEWEST, _USUAL, _MOST = 60, 100, 120
_WIDE = r"\u2e80-\u2fff\u3003-\uffef"
_CLOSING = r"，。、；：？！）》”】〕"
# What is never broken: a number with its unit, a word, or one wide character, each with the marks
# around it and the blanks after it.
_PIECES = re.compile(
    rf"[（《“【〔]*(?:[\d.,]+[{_WIDE}]|[^\s{_WIDE}{_CLOSING}]+|[{_WIDE}{_CLOSING}]|\s)[{_CLOSING}]*\s*"
)


# What a terminal obeys, and what turns the direction of reading: a text shows it, it does nothing.
_OBEYED = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Words(NamedTuple):
    """A text in Chinese and in English: one cell, Chinese above English."""

    zh: str
    en: str


def columns() -> int:
    """Count the columns there are to print on: those of the terminal, or what COLUMNS says."""
    return min(_MOST, max(_FEWEST, shutil.get_terminal_size((_USUAL, 0)).columns))


def visible(text: str, *, but: str = "") -> str:
    """Write out what a terminal would obey, as JSON does; the characters of `but` stay."""
    return _OBEYED.sub(lambda it: it[0] if it[0] in but else f"\\u{ord(it[0]):04x}", text)


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
            printed.append(GAP.join(parts).rstrip())
    rule = GAP.join("─" * columns[at] for at in range(len(headings)))
    return [*printed[:2], rule, *printed[2:]]


def _lines(cell: Cell) -> tuple[str, ...]:
    return (cell,) if isinstance(cell, str) else tuple(cell) or ("",)
