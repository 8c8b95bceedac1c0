"""The cells of an XLSX workbook, which is untrusted; by the standard library alone.

Only the parts that hold cells are unpacked, each within caps, and a document type ends the
reading before any entity can stand. Styles are never read, so a number is a number: which numbers
are dates is the form's business. No formula is computed, and what a program computed last is not
taken for a fact.
"""

from __future__ import annotations

import io
import posixpath
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Context
from xml.parsers import expat
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from api.importing.sheet import (
    LONGEST_CELL,
    MOST_COLUMNS,
    MOST_ROWS,
    Cell,
    Row,
    Sheet,
    bounded,
    cell_of,
    refusal,
    too_many,
)
from mediation.errors import Malformed

LARGEST_UNPACKED = 8 * 2**20
_MOST_PARTS = 500
_MOST_ELEMENTS = 400_000
_STEEPEST = 100
"""How many times larger than packed a part may become; small parts may be any."""

_SMALL_PART = 2**17
_DIGITS = 15
"""The significant digits that a spreadsheet program keeps."""

_ACTIVE = re.compile("vbaproject|macrosheets/|activex/|externallinks/", re.IGNORECASE)
_DAMAGED = (
    BadZipFile,
    EOFError,
    LookupError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    expat.ExpatError,
    struct.error,
    zlib.error,
)
"""What zipfile and expat raise on bytes that are no workbook."""


def read_workbook(data: bytes) -> Sheet:
    """Read the first sheet of a workbook that is not hidden.

    Raises:
        Malformed: it is damaged, unpacks too large, or holds macros or links to other files.
    """
    try:
        with ZipFile(io.BytesIO(data)) as archive:
            _check(archive)
            return _first_sheet(archive)
    except _DAMAGED:
        raise refusal(
            "sheet-unreadable",
            "文件已损坏或者不是 XLSX 工作簿，请用表格软件打开后另存为 .xlsx 再上传。",
            "The file is damaged or no XLSX workbook; open it in a spreadsheet program, save it "
            "as .xlsx and try again.",
        ) from None


def _check(archive: ZipFile) -> None:
    """Look at the list of parts, with their announced lengths, before any is unpacked."""
    parts = archive.infolist()
    if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > LARGEST_UNPACKED:
        raise _unpacks_too_large()
    for part in parts:
        if part.file_size > max(_SMALL_PART, _STEEPEST * part.compress_size):
            raise _unpacks_too_large()
        if part.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise BadZipFile
        if _ACTIVE.search(part.filename):
            raise refusal(
                "sheet-active",
                "工作簿含有宏、控件或者外部链接，请另存为普通 .xlsx（仅含数值）后重新上传。",
                "The workbook holds macros, controls or links to other files; save it as a plain "
                ".xlsx with values only.",
            )


def _unpacked(archive: ZipFile, name: str) -> bytes:
    """Unpack a part; LookupError if there is none.

    Raises:
        BadZipFile: its announced length or its checksum is not that of what is in it.
    """
    with archive.open(name) as part:
        # Asked for everything, it would unpack whatever there is before it looks at the length.
        return part.read(archive.getinfo(name).file_size)


def _unpacks_too_large() -> Malformed:
    return refusal(
        "sheet-too-large",
        "工作簿展开后过大，请只保留台账一张表，另存后重新上传。",
        "The workbook becomes too large when it is unpacked; keep the one sheet of the ledger, "
        "save it and try again.",
    )


def _first_sheet(archive: ZipFile) -> Sheet:
    book_name = _Relations(archive, "").first("officeDocument")
    relations = _Relations(archive, book_name)
    book = _Book()
    book.read(_unpacked(archive, book_name))
    shared = _Texts()
    if relations.has("sharedStrings"):
        shared.read(_unpacked(archive, relations.first("sharedStrings")))
    cells = _Cells(shared.cells)
    cells.read(_unpacked(archive, relations.named(book.sheets[0], "worksheet")))
    rows = bounded(cells.rows)
    return Sheet(rows, date(1904, 1, 1)) if book.is_1904 else Sheet(rows)


_Attributes = Mapping[str, str]


class _Part:
    """Reads a part element by element; names of elements come without their namespace."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._count = 0

    def read(self, data: bytes) -> None:
        """Read the whole part; `opened` and `closed` hear of each element."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._open
        parser.EndElementHandler = self._close
        parser.CharacterDataHandler = self._said.append
        parser.Parse(data, True)  # noqa: FBT003 - expat takes it by position only

    def _refuse(self, *_declared: object) -> None:
        raise BadZipFile

    def _open(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > _MOST_ELEMENTS:
            raise _unpacks_too_large()
        self._said.clear()
        self.opened(_local(name), attributes)

    def _close(self, name: str) -> None:
        text = "".join(self._said)
        self._said.clear()
        self.closed(_local(name), text)

    def opened(self, name: str, attributes: _Attributes) -> None:
        """Hear that an element begins."""

    def closed(self, name: str, text: str) -> None:
        """Hear that an element ends, and what stood in it behind the last element inside."""


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


class _Relations(_Part):
    """Which parts belong to a part, by their ids and the last word of their types."""

    def __init__(self, archive: ZipFile, name: str) -> None:
        super().__init__()
        self._folder, base = posixpath.split(name)
        self._found: dict[str, tuple[str, str]] = {}
        self.read(_unpacked(archive, posixpath.join(self._folder, "_rels", f"{base}.rels")))

    def opened(self, name: str, attributes: _Attributes) -> None:
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/", self._folder, attributes["Target"]))
            kind = attributes["Type"].rpartition("/")[2]
            self._found[attributes["Id"]] = (kind, target.lstrip("/"))

    def has(self, kind: str) -> bool:
        """Say whether there is a part of this kind."""
        return any(found == kind for found, _ in self._found.values())

    def first(self, kind: str) -> str:
        """Name the first part of a kind; LookupError if there is none."""
        return dict(reversed(self._found.values()))[kind]

    def named(self, relation_id: str, kind: str) -> str:
        """Name the part of this id; LookupError if there is none of this kind."""
        return dict([self._found[relation_id]])[kind]


class _Book(_Part):
    """The sheets of a workbook that are not hidden, by the ids of their relations."""

    def __init__(self) -> None:
        super().__init__()
        self.sheets: list[str] = []
        self.is_1904 = False

    def opened(self, name: str, attributes: _Attributes) -> None:
        if name == "workbookPr":
            self.is_1904 = attributes.get("date1904") in ("1", "true")
        elif name == "sheet" and attributes.get("state", "visible") == "visible":
            self.sheets.append({_local(key): it for key, it in attributes.items()}["id"])


class _Written(_Part):
    """A part in which texts stand in runs; how something is pronounced is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[str] = []
        self._is_spoken = False

    def opened(self, name: str, attributes: _Attributes) -> None:  # noqa: ARG002 - for those below
        if name == "rPh":
            self._is_spoken = True

    def closed(self, name: str, text: str) -> None:
        if name == "rPh":
            self._is_spoken = False
        elif name == "t" and not self._is_spoken:
            self.runs.append(text)

    def taken(self) -> str:
        """Give the text of the runs so far, and begin anew."""
        text = "".join(self.runs)
        self.runs.clear()
        return text


class _Texts(_Written):
    """The texts that cells share, each made a cell once however many refer to it."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[Cell] = []

    def closed(self, name: str, text: str) -> None:
        super().closed(name, text)
        if name == "si":
            self.cells.append(_cell(self.taken()))


class _Cells(_Written):
    """The rows of one sheet."""

    def __init__(self, shared: Sequence[Cell]) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self._shared = shared
        self._number = 0
        self._column = 0
        self._cells: dict[int, Cell] = {}
        self._kind = self._value = ""
        self._is_formula = False

    def opened(self, name: str, attributes: _Attributes) -> None:
        super().opened(name, attributes)
        if name == "row":
            self._number = int(attributes.get("r", self._number + 1))
            self._column, self._cells = 0, {}
        elif name == "c":
            named = re.match("[A-Z]{1,3}", attributes.get("r", ""))
            self._column = _column(named[0]) if named else self._column + 1
            self._kind = attributes.get("t", "n")
            self._value, self._is_formula = "", False
            self.runs.clear()

    def closed(self, name: str, text: str) -> None:
        super().closed(name, text)
        if name == "v":
            self._value = text
        elif name == "f":
            self._is_formula = True
        elif name == "c":
            self._place(Cell(fault="formula") if self._is_formula else self._read())
        elif name == "row" and self._cells:
            last = max(self._cells)
            row = (self._cells.get(at, Cell()) for at in range(1, last + 1))
            self.rows.append(Row(self._number, tuple(row)))

    def _place(self, cell: Cell) -> None:
        if cell.is_empty:
            return
        if self._column > MOST_COLUMNS or len(self.rows) >= MOST_ROWS:
            raise too_many()
        self._cells[self._column] = cell

    def _read(self) -> Cell:
        if self._kind == "n":
            return _number(self._value) if self._value else Cell()
        if self._kind == "e":
            return Cell(fault="error-value")
        if self._kind == "s":
            return self._shared[int(self._value)] if self._value else Cell()
        return _cell(self.taken() if self._kind == "inlineStr" else self._value)


_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_NUMBER = re.compile(r"-?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,3})?", re.ASCII)


def _cell(text: str) -> Cell:
    is_short = len(text) <= LONGEST_CELL
    return cell_of(_ESCAPED.sub(lambda hit: chr(int(hit[1], 16)), text) if is_short else text)


def _column(letters: str) -> int:
    """Give the number of a column, from 1."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _number(text: str) -> Cell:
    """Give a number as it was typed: what is stored is the nearest double, noise and all."""
    if not _NUMBER.fullmatch(text):
        raise ValueError
    number = Context(prec=_DIGITS).create_decimal(text)
    if number.adjusted() >= _DIGITS:
        return Cell(fault="number-too-long")
    plain = format(number, "f")
    return Cell(plain.rstrip("0").rstrip(".") if "." in plain else plain, is_number=True)
