"""Files that are no ledgers: refused before they do harm, and whatever they hold no fault."""

from __future__ import annotations

import io
import time
import tracemalloc
import unicodedata
from hashlib import sha256
from random import Random
from typing import Literal
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.importing import form, sheet, template, workbook
from api.importing.ledger import Entry, read_ledger
from mediation.errors import Malformed
from tests.paper import (
    CANARIES,
    HEADINGS,
    as_csv,
    as_xlsx,
    assert_told,
    open_case,
    refused,
    repacked,
    settled,
)

ROWS = [settled("示例甲"), open_case("示例乙")]
SHEET = "xl/worksheets/sheet1.xml"


def xml_bomb() -> bytes:
    """Give a sheet that would be a gigabyte of text if its entities were put in."""
    entities = "".join(
        f'<!ENTITY e{at} "{f"&e{at - 1};" * 10 if at else "x" * 100}">' for at in range(8)
    )
    return f'<?xml version="1.0"?><!DOCTYPE w [{entities}]><worksheet>&e7;</worksheet>'.encode()


def zipped(parts: dict[str, bytes], method: int = ZIP_DEFLATED) -> bytes:
    """Pack parts."""
    file = io.BytesIO()
    with ZipFile(file, "w", method) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return file.getvalue()


def sheet_of(inner: str) -> bytes:
    """Give a workbook whose sheet holds this."""
    xml = f'<worksheet xmlns="x"><sheetData>{inner}</sheetData></worksheet>'
    return repacked(as_xlsx(ROWS), {SHEET: xml.encode()})


def lying_about_its_length() -> bytes:
    """Give a workbook whose sheet is announced as short and unpacks to 50 MB."""
    data = bytearray(repacked(as_xlsx(ROWS), {SHEET: b" " * 50_000_000}))
    length = (50_000_000).to_bytes(4, "little")
    while (at := data.find(length)) >= 0:
        data[at : at + 4] = (1000).to_bytes(4, "little")
    return bytes(data)


BAD_FILES = {
    "a bomb": (lambda: repacked(as_xlsx(ROWS), {SHEET: b" " * 100_000_000}), "sheet-too-large"),
    "a bomb beside": (
        lambda: repacked(as_xlsx(ROWS), {"xl/media/a.png": b"\0" * 5_000_000}),
        "sheet-too-large",
    ),
    "many parts": (lambda: zipped({f"{at}": b"" for at in range(501)}), "sheet-too-large"),
    "a liar": (lying_about_its_length, "sheet-unreadable"),
    "entities": (lambda: repacked(as_xlsx(ROWS), {SHEET: xml_bomb()}), "sheet-unreadable"),
    "an entity in UTF-16": (
        lambda: repacked(as_xlsx(ROWS), {SHEET: xml_bomb().decode().encode("utf-16")}),
        "sheet-unreadable",
    ),
    "an entity of a file": (
        lambda: repacked(
            as_xlsx(ROWS),
            {"xl/workbook.xml": b'<!DOCTYPE w [<!ENTITY e SYSTEM "file:///etc/hostname">]><w/>'},
        ),
        "sheet-unreadable",
    ),
    "macros": (
        lambda: repacked(as_xlsx(ROWS), {"xl/vbaProject.bin": b"x"}),
        "sheet-active",
    ),
    "links to other files": (
        lambda: repacked(as_xlsx(ROWS), {"xl/externalLinks/externalLink1.xml": b"<x/>"}),
        "sheet-active",
    ),
    "a part elsewhere": (
        lambda: repacked(
            as_xlsx(ROWS),
            {
                "xl/_rels/workbook.xml.rels": b'<r><Relationship Id="rId1" Type="/worksheet" '
                b'TargetMode="External" Target="http://example.invalid/"/></r>'
            },
        ),
        "sheet-unreadable",
    ),
    "another packing": (
        lambda: zipped({"xl/workbook.xml": b"x"}, ZIP_BZIP2),
        "sheet-unreadable",
    ),
    "another archive": (lambda: zipped({"a.txt": b"x"}), "sheet-unreadable"),
    "half a workbook": (lambda: as_xlsx(ROWS)[:2000], "sheet-unreadable"),
    "an old workbook": (
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512),
        "sheet-old-or-locked",
    ),
    "a megabyte and more": (lambda: b"x" * (sheet.LARGEST + 1), "sheet-too-large"),
    "too many rows": (lambda: as_csv([open_case("示例")] * 5001), "sheet-too-long"),
    "too many columns": (lambda: as_csv([], [*HEADINGS, *"x" * 50]), "sheet-too-long"),
    "too many rows of a workbook": (
        lambda: sheet_of(
            "".join(
                f'<row><c t="str"><v>{sha256(str(at).encode()).hexdigest()}</v></c></row>'
                for at in range(5001)
            )
        ),
        "sheet-too-long",
    ),
    "a cell far out": (
        lambda: sheet_of('<row r="1048576"><c r="XFD1048576" t="str"><v>x</v></c></row>'),
        "sheet-too-long",
    ),
    "a million cells": (
        lambda: sheet_of("<c/>" * 1_000_000 + Random(1).randbytes(60_000).hex()),
        "sheet-too-large",
    ),
    "a number that is none": (
        lambda: sheet_of("<row><c><v>1e99999999</v></c></row>"),
        "sheet-unreadable",
    ),
    "a text that is nowhere": (
        lambda: sheet_of('<row><c t="s"><v>99</v></c></row>'),
        "sheet-unreadable",
    ),
    "a million commas": (lambda: b"," * 2**20, "sheet-no-heading"),
    "a million commas below headings": (
        lambda: as_csv([]) + b"," * (2**20 - 1000) + b"x",
        "sheet-too-long",
    ),
    "a million empty lines": (lambda: b"\n" * 2**20, "sheet-no-heading"),
    "a million brackets": (lambda: b"(" * 2**20, "sheet-quotes"),
    "long cells of brackets": (
        lambda: "\n".join(["(" * 4000, "-" * 4000, "[" * 4000] * 80).encode(),
        "sheet-no-heading",
    ),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, "sheet-encoding"),
    "an open quote": (lambda: as_csv(ROWS) + b'x,"y,z\r\nw,w', "sheet-quotes"),
}


@pytest.fixture(scope="module")
def largest_ledger() -> float:
    """The seconds of work that the longest ledger there may be takes to read."""
    data = as_xlsx([open_case(f"示例{at}") for at in range(sheet.MOST_ROWS - 1)])
    started = time.thread_time()
    assert len(read_ledger(data)) == sheet.MOST_ROWS - 1
    return time.thread_time() - started


@pytest.mark.parametrize("what", BAD_FILES)
def test_a_file_that_is_no_ledger_is_refused_quickly(what: str, largest_ledger: float):
    """Whatever it would become: in at most three times the work of an honest file."""
    make, code = BAD_FILES[what]
    data = make()
    started = time.thread_time()

    assert refused(data).code == code
    assert time.thread_time() - started < 3 * largest_ledger


# Texts that are made to be slow

MARKS = "\u0301" * 2000 + "\u0327" * 1990
"""As long as a cell may be: each mark of the second kind has to pass every one of the first."""

SLOW_TEXTS = {"marks": MARKS, "a megabyte": "a_" * 500_000}


def all_the_same(text: str) -> bytes:
    """Give a workbook of the most rows, every cell of which refers to one shared text."""
    # What cannot be packed keeps the parts from becoming too many times larger than they are.
    filling = f"<!--{Random(1).randbytes(30_000).hex()}-->"
    heading = "".join(f'<c t="str"><v>{it}</v></c>' for it in HEADINGS)
    row = "<row>" + '<c t="s"><v>0</v></c>' * len(HEADINGS) + "</row>"
    xlsx = sheet_of(f"{filling}<row>{heading}</row>{row * (sheet.MOST_ROWS - 1)}")
    names = "xl/_rels/workbook.xml.rels"
    with ZipFile(io.BytesIO(xlsx)) as archive:
        relations = archive.read(names).decode()
    shared = '<Relationship Id="shared" Type="/sharedStrings" Target="texts.xml"/>'
    end = "</Relationships>"
    return repacked(
        xlsx,
        {
            names: relations.replace(end, shared + end).encode(),
            "xl/texts.xml": f"<sst>{filling}<si><t>{text}</t></si></sst>".encode(),
        },
    )


@pytest.mark.parametrize("what", SLOW_TEXTS)
def test_a_small_workbook_cannot_make_much_work(what: str, largest_ledger: float):
    """Every row is malformed, in at most three times the work of an honest file."""
    data = all_the_same(SLOW_TEXTS[what])
    started = time.thread_time()
    entries = read_ledger(data)

    assert time.thread_time() - started < 3 * largest_ledger
    assert len(data) < 200_000
    assert len(entries) == sheet.MOST_ROWS - 1
    assert all(entry.problem is not None for entry in entries)
    assert entries[0].problem is not None
    assert "length" in {it.code for it in entries[0].problem.faults}


@pytest.mark.parametrize("what", SLOW_TEXTS)
def test_the_same_texts_would_be_slow_if_each_cell_were_gone_through(
    what: str, largest_ledger: float
):
    """One column of them alone breaks the bound, which shows that the test above can fail."""
    text = SLOW_TEXTS[what]
    started = time.thread_time()
    form.folded(text)

    assert (time.thread_time() - started) * sheet.MOST_ROWS > 3 * largest_ledger


def test_only_short_texts_are_normalised(monkeypatch: pytest.MonkeyPatch):
    """The columns of free text may be long; whatever is folded or parsed may not."""
    lengths = []
    normalize = unicodedata.normalize

    def noted(kind: Literal["NFKC"], text: str) -> str:
        lengths.append(len(text))
        return normalize(kind, text)

    monkeypatch.setattr(unicodedata, "normalize", noted)
    for heading in HEADINGS:
        read_ledger(as_csv([open_case("示例甲", **{heading: "长" * 4000})]))
    refused(as_csv([], [*HEADINGS, "长" * 4000]))

    assert lengths
    assert max(lengths) <= 200


def memory_of_refusing(data: bytes) -> int:
    """Refuse a file and give the most bytes that took."""
    tracemalloc.start()
    try:
        refused(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("what", ["a bomb", "a bomb beside", "a liar", "entities"])
def test_a_file_that_would_become_large_is_refused_in_little_memory(what):
    """It is never unpacked beyond what it may become."""
    assert memory_of_refusing(BAD_FILES[what][0]()) < 20 * 2**20


def test_the_caps_are_what_refuses_a_bomb(monkeypatch):
    """Without them the same file is unpacked, which shows that the test above can fail."""
    monkeypatch.setattr(workbook, "_check", lambda archive: None)

    assert memory_of_refusing(BAD_FILES["a bomb"][0]()) > 20 * 2**20


# Anything at all


def outcome(data: bytes) -> list[Entry]:
    """Read anything: cases, each a command or a problem, or one problem; never a fault."""
    try:
        entries = read_ledger(data)
    except Malformed as problem:
        assert_told(problem)
        return []
    for entry in entries:
        assert (entry.command is None) == (entry.problem is not None)
        if entry.problem is not None:
            assert_told(entry.problem)
    return entries


BASES = [
    as_csv([settled(CANARIES[0]), open_case(CANARIES[0])]),
    as_csv([settled(CANARIES[0])], encoding="gb18030", delimiter="\t"),
    as_xlsx([settled(CANARIES[0]), open_case(CANARIES[0])]),
    template.template_workbook(),
]
PARTS = [None, SHEET, "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "_rels/.rels"]


@settings(max_examples=400, deadline=None)
@given(
    st.binary(max_size=3000), st.sampled_from([b"", b"PK\x03\x04", b"\xff\xfe", b"\xef\xbb\xbf"])
)
def test_random_bytes_never_lead_to_a_fault(data, opening):
    """They are refused, or say nothing."""
    outcome(opening + data)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_damaged_ledger_never_leads_to_a_fault(data):
    """Bytes changed, cut out or doubled: what is still readable is read, the rest is named."""
    base = data.draw(st.sampled_from(BASES))
    part = data.draw(st.sampled_from(PARTS)) if base.startswith(b"PK") else None
    whole = base if part is None else ZipFile(io.BytesIO(base)).read(part)
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(changed) - 1))
        end = min(len(changed), at + data.draw(st.integers(1, 40)))
        other = data.draw(
            st.sampled_from([b"", bytes(changed[at:end]) * 2]) | st.binary(min_size=1, max_size=40)
        )
        changed[at:end] = other
        if not changed:
            break
    outcome(bytes(changed) if part is None else repacked(base, {part: bytes(changed)}))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(
            st.text(max_size=12)
            | st.sampled_from(["2026-03-02", "来访", "C13", "1200", "口头协议", "=1", "是", "示例"])
            | st.integers(-10, 10**17)
            | st.floats(allow_nan=False, allow_infinity=False),
            min_size=len(HEADINGS),
            max_size=len(HEADINGS),
        ),
        max_size=4,
    )
)
def test_whatever_is_typed_into_the_cells_never_leads_to_a_fault(rows):
    """Each row becomes a command or a problem that names its cells."""
    as_texts = [[str(cell) for cell in row] for row in rows]
    typed = [dict(zip(HEADINGS, row, strict=True)) for row in as_texts]

    try:
        data = as_csv(typed)
    except UnicodeEncodeError:
        return
    outcome(data)
