"""A file, CSV or XLSX, as rows of cells: what every file is held to, and CSV; nothing of a case."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import NamedTuple

from mediation.errors import Malformed

LARGEST = 2**20
"""Bytes of a file, packed or not: the cap of any request."""

MOST_ROWS = 5_000
MOST_COLUMNS = 64
LONGEST_CELL = 4_000
"""Characters of a cell as the file has it."""

_FIRST_LINES = 10
_DELIMITERS = ",\t;"


class Cell(NamedTuple):
    """One cell: its text without blanks around it; `fault` is the code of what makes it useless.

    `is_number` marks a number of a workbook, which may stand for a date.
    """

    text: str = ""
    is_number: bool = False
    fault: str = ""

    @property
    def is_empty(self) -> bool:
        """Nothing stands in it."""
        return not self.text and not self.fault


class Row(NamedTuple):
    """A row that is not empty, numbered as a spreadsheet program numbers it, from 1."""

    number: int
    cells: tuple[Cell, ...]


class Sheet(NamedTuple):
    """The rows of a file from top to bottom; a number that is a date counts from `day_zero`."""

    rows: tuple[Row, ...]
    day_zero: date = date(1899, 12, 30)


def refusal(code: str, zh: str, en: str) -> Malformed:
    """Say what is wrong with a file as a whole."""
    return Malformed(zh=zh, en=en, code=code)


def too_many() -> Malformed:
    """Say that a file has more rows or columns than one may have."""
    return refusal(
        "sheet-too-long",
        f"一个文件最多{MOST_ROWS}行、{MOST_COLUMNS}列，请拆分为几个文件分别导入。",
        f"A file holds at most {MOST_ROWS} rows of {MOST_COLUMNS} columns; split it and import "
        "the parts.",
    )


def bounded(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Take the rows that are not empty, without the empty cells at their ends.

    Raises:
        Malformed: there are more than one file may have.
    """
    taken: list[Row] = []
    for row in rows:
        last = max((at for at, cell in enumerate(row.cells, 1) if not cell.is_empty), default=0)
        if not last:
            continue
        if len(taken) >= MOST_ROWS or last > MOST_COLUMNS:
            raise too_many()
        taken.append(Row(row.number, row.cells[:last]))
    return tuple(taken)


_NOT_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def cell_of(text: str) -> Cell:
    """Make a cell of a text; what no ledger needs becomes a fault."""
    # First of all: a text may be megabytes, and nothing else may go through it then.
    if len(text) > LONGEST_CELL:
        return Cell(fault="length")
    text = text.replace("\r\n", "\n").strip().strip("\ufeff\u200b")
    if _NOT_TEXT.search(text):
        return Cell(fault="control-character")
    if text.startswith("="):
        return Cell(fault="formula")
    return Cell(text)


def rows_of_csv(data: bytes, headings: Callable[[Row], int]) -> Iterator[Row]:
    """Read CSV in UTF-8, UTF-16 or GB18030, parted by commas, tabs or semicolons.

    Args:
        data: the file.
        headings: how many cells of a row are headings: the first lines tell what parts cells.

    Raises:
        Malformed: of no known encoding, or a quotation mark is never closed.
    """
    text = _decoded(data)
    opening = "\n".join(text.splitlines()[:_FIRST_LINES])

    def found(delimiter: str) -> int:
        reader = csv.reader(io.StringIO(opening, newline=""), delimiter=delimiter)
        try:
            return max((headings(_row(1, cells[:MOST_COLUMNS])) for cells in reader), default=0)
        except csv.Error:
            return 0

    chosen = max(_DELIMITERS, key=found)
    try:
        # Strict: a quote that is never closed would swallow every row after it.
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=chosen, strict=True)
        for number, cells in enumerate(reader, 1):
            if "".join(cells[MOST_COLUMNS:]).strip():
                raise too_many()
            if cells:
                yield _row(number, cells[:MOST_COLUMNS])
    except csv.Error:
        raise refusal(
            "sheet-quotes",
            "CSV 文件中有未成对的英文双引号或者过长的单元格，请用表格软件打开后另存为 CSV 再上传。",
            "A quotation mark is never closed, or a cell is far too long; open the CSV file in a "
            "spreadsheet program, save it anew and try again.",
        ) from None


def _row(number: int, cells: list[str]) -> Row:
    return Row(number, tuple(cell_of(text) for text in cells))


def _decoded(data: bytes) -> str:
    is_utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if is_utf16 else ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise refusal(
        "sheet-encoding",
        "无法识别文件编码，请另存为 XLSX 或者“CSV UTF-8”格式后重新上传。",
        "The encoding of the file is not known; save it as XLSX or as CSV in UTF-8.",
    )
