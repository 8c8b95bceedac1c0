"""Files of paper cases: what is read out of them, and what is refused before it does harm."""

from __future__ import annotations

import io
import re
from datetime import date, datetime
from datetime import time as clock_time
from pathlib import Path

import openpyxl
import pytest

from api.importing import template
from api.importing.form import COLUMNS
from api.importing.ledger import read_ledger
from api.importing.workbook import read_workbook
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
    saved,
    settled,
    written,
)

ROWS = [settled("示例甲"), open_case("示例乙", 请求="分两行写的请求，\n含“引号”和,逗号;分号")]
SHEET = "xl/worksheets/sheet1.xml"


def contents(data: bytes) -> list[bytes]:
    """Give what each case of a file says; none of them is malformed."""
    entries = read_ledger(data)
    assert [it.problem for it in entries if it.problem] == []
    return [it.content for it in entries]


# The same ledger, however it was saved


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_csv_file_says_the_same_in_every_encoding_and_with_every_delimiter(encoding, delimiter):
    """UTF-8 with and without its mark, GB18030 and UTF-16; commas, tabs and semicolons."""
    data = as_csv(ROWS, encoding=encoding, delimiter=delimiter)

    assert contents(data) == contents(as_csv(ROWS))


def test_a_workbook_says_the_same_as_a_csv_file():
    """So a ledger that is saved in another format is not imported twice."""
    assert contents(as_xlsx(ROWS)) == contents(as_csv(ROWS))


def test_numbers_and_dates_of_a_workbook_say_the_same_as_their_texts():
    """Dates are days since 1900 with or without a format, amounts doubles, phones numbers."""
    typed = {
        **settled("示例甲"),
        "案件序号": 7,
        "日期": datetime(2026, 3, 2, 14, 30),  # noqa: DTZ001 - as a workbook holds it
        "联系方式": 13900001111,
        "金额(元)": 1100.1 + 100.2,
        "履行日": date(2026, 3, 2),
        "是否已履行": True,
    }
    plain = settled(
        "示例甲",
        日期="2026年3月2日 14:30",
        联系方式="13900001111",
        是否已履行="是",
        **{"金额(元)": "1,200.30"},
    )
    as_serial = {**typed, "日期": 46083 + 14.5 / 24, "履行日": 46083}

    assert contents(as_xlsx([typed])) == contents(as_csv([plain]))
    assert contents(as_xlsx([as_serial])) == contents(as_csv([plain]))


def test_a_time_of_a_workbook_is_a_part_of_a_day():
    """As a program keeps it; a day of performance has no time, whatever stands behind it."""
    plain = as_csv([settled("示例甲", 时间="14:30")])
    typed = {**settled("示例甲", 履行日="2026-03-02 16:00"), "时间": clock_time(14, 30)}
    [wrong] = read_ledger(as_xlsx([{**typed, "时间": 14.5}]))

    assert contents(as_xlsx([typed])) == contents(plain)
    assert wrong.problem is not None
    assert [it.code for it in wrong.problem.faults] == ["time"]


def test_dates_of_a_workbook_that_counts_from_1904_are_the_same_days():
    """As old spreadsheet programs for other machines count."""
    book = openpyxl.load_workbook(
        io.BytesIO(as_xlsx([{**settled("示例甲"), "日期": 46083 - 1462}]))
    )
    book.epoch = datetime(1904, 1, 1)  # noqa: DTZ001 - as a workbook holds it

    assert contents(written(book)) == contents(as_csv([settled("示例甲")]))


def test_titles_above_and_notes_beside_the_ledger_are_passed_over():
    """The headings are looked for in the first rows; a column without heading is a note."""
    data = as_csv(ROWS).decode("utf-8-sig").splitlines(keepends=True)
    with_title = "".join(["某街道劳动争议调解台账,,,\r\n", "2026年3月\r\n", "\r\n", *data])
    first = as_csv([settled("示例甲")]).decode("utf-8-sig").rstrip()

    assert contents(with_title.encode()) == contents(as_csv(ROWS))
    assert contents(f"{first},旁注\r\n".encode()) == contents(first.encode())


def test_rows_are_named_as_the_spreadsheet_program_numbers_them():
    """Empty rows count, and so do titles."""
    rows = [settled("示例甲"), {}, {}, open_case("示例乙")]

    assert [it.rows for it in read_ledger(as_csv(rows))] == [(2,), (5,)]
    assert [it.rows for it in read_ledger(as_xlsx(rows))] == [(2,), (5,)]


def test_the_first_sheet_that_is_not_hidden_is_read():
    """What else stands in the workbook is not looked at."""
    book = openpyxl.load_workbook(io.BytesIO(as_xlsx(ROWS)))
    hidden = book.create_sheet("旧", 0)
    hidden.sheet_state = "hidden"
    hidden["A1"] = "not a ledger"
    book.create_sheet("other")["A1"] = "=1+1"

    assert contents(written(book)) == contents(as_csv(ROWS))


def test_texts_that_are_shared_formatted_or_spoken_are_read_as_they_show():
    """Runs of formats are joined, how a name is pronounced is left out, escapes are undone."""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    strings = (
        f"<sst {main}><si><r><t>示例</t></r><r><rPr><b/></rPr><t>甲</t></r>"
        '<rPh sb="0" eb="1"><t>shi li jia</t></rPh></si><si><t>一_x000D_\n二_x005F_</t></si></sst>'
    )
    cells = (
        f'<worksheet {main}><sheetData><row><c t="s"><v>0</v></c><c t="s"><v>1</v></c><c/>'
        '<c t="inlineStr"><is><r><t>三</t></r><r><t>四</t></r></is></c><c t="b"><v>1</v></c>'
        '<c t="str"><v>五</v></c><c t="s"/></row></sheetData></worksheet>'
    )
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    relations = (
        f'<r><Relationship Id="rId1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="b" Type="{office}/sharedStrings" Target="../xl/sharedStrings.xml"/></r>'
    )
    parts = {
        "xl/_rels/workbook.xml.rels": relations,
        "xl/sharedStrings.xml": strings,
        SHEET: cells,
    }
    read = read_workbook(
        repacked(as_xlsx(ROWS), {name: text.encode() for name, text in parts.items()})
    )

    [row] = read.rows
    assert [cell.text for cell in row.cells] == ["示例甲", "一\n二_", "", "三四", "1", "五"]


# Cells that say nothing


def test_a_formula_is_never_taken_for_a_fact():
    """Neither computed nor read as what a program computed last: it has to be typed in."""
    book = openpyxl.load_workbook(io.BytesIO(as_xlsx([settled("示例甲"), settled("示例乙")])))
    book.active["K2"] = "=600*2"
    book.active["E3"] = '=HYPERLINK("http://example.invalid","x")'
    entries = read_ledger(written(book))
    of_csv = read_ledger(as_csv([settled('=HYPERLINK("http://example.invalid")')]))

    for entry in (*entries, *of_csv):
        assert entry.command is None
        assert entry.problem is not None
        assert [it.code for it in entry.problem.faults] == ["formula"]
        assert_told(entry.problem)


@pytest.mark.parametrize(
    ("heading", "value", "code"),
    [
        ("职工", 13900001111, "not-a-name"),
        ("单位", 1, "not-a-name"),
        ("统一社会信用代码", 913300001234567890, "number-too-long"),
        ("金额(元)", "#DIV/0!", "error-value"),
        ("请求", "a\x0bb", "control-character"),
        ("请求", "长" * 4001, "length"),
        ("单位", "长" * 201, "length"),
    ],
)
def test_a_cell_that_says_nothing_is_named_with_what_to_do(heading, value, code):
    """By its row and column, whatever stands in it."""
    row = {**settled(CANARIES[0]), heading: value}
    data = as_csv([row]) if code == "control-character" else as_xlsx([row])
    [entry] = read_ledger(data)

    assert entry.problem is not None
    assert [it.code for it in entry.problem.faults] == [code]
    assert heading.partition("(")[0] in entry.problem.detail.zh
    assert "2" in entry.problem.detail.zh
    assert_told(entry.problem)


# Headings


def test_missing_unknown_and_repeated_columns_are_named_at_once():
    """One problem for the whole file; an unknown heading is named by its letter, not repeated."""
    headings = [it for it in HEADINGS if it not in ("金额(元)", "结果")]
    problem = refused(as_csv([settled("示例甲")], [*headings, CANARIES[0], "日期"]))

    assert problem.code == "sheet-columns"
    assert [(it.pointer, it.code) for it in problem.faults] == [
        ("/Amount", "missing-column"),
        ("/Result", "missing-column"),
        ("/Date", "column-twice"),
        ("/Q", "unknown-column"),
    ]
    assert "缺少列：金额、结果" in problem.detail.zh
    assert "column Q" in problem.detail.en


def test_headings_are_known_by_their_english_names_in_any_order_too():
    """Case, blanks, stars and units in brackets do not matter."""
    english = {it.zh: f" {it.en.upper()} * (any unit) " for it in reversed(COLUMNS)}
    row = {english[key.partition("(")[0]]: value for key, value in settled("示例甲").items()}

    assert contents(as_csv([row], tuple(english.values()))) == contents(as_csv([settled("示例甲")]))


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\xef\xbb\xbf", "一,二,三\r\n".encode()])
def test_a_file_without_headings_is_told_which_there_are(data):
    """Empty files as well."""
    problem = refused(data)

    assert problem.code == "sheet-no-heading"
    assert all(it.zh in problem.detail.zh and it.en in problem.detail.en for it in COLUMNS)


# The template


def test_the_template_is_an_empty_ledger_whose_sample_is_not_imported(tmp_path: Path):
    """As CSV and as a workbook; the sample says that it is made up, and would be taken."""
    for name in ("a.csv", "b.xlsx"):
        template.write_template(tmp_path / name)
        assert read_ledger((tmp_path / name).read_bytes()) == []
    taken = (tmp_path / "a.csv").read_text(encoding="utf-8-sig").replace("示例,", "1,", 1)
    [entry] = read_ledger(taken.encode())
    assert entry.command is not None
    assert taken.count(template.MADE_UP) >= 3


def test_another_program_reads_the_template(tmp_path: Path):
    """Headings, notes for every column, and lists that hold what they offer."""
    template.write_template(tmp_path / "b.xlsx")
    book = openpyxl.load_workbook(tmp_path / "b.xlsx")
    ledger, notes = book.worksheets

    assert [cell.value.partition("(")[0] for cell in ledger[1]] == [it.zh for it in COLUMNS]
    assert [row[0].value for row in notes.iter_rows(2, 1 + len(COLUMNS))] == [
        f"{it.zh} {it.en}" for it in COLUMNS
    ]
    choices = ledger.data_validations.dataValidation
    assert len(choices) == 6
    for choice in choices:
        name, cells = choice.formula1.replace("$", "").split("!")
        assert name.strip("'") == notes.title
        offered = [cell.value for (cell,) in notes[cells]]
        column = ledger[str(choice.sqref).partition("2:")[0] + "1"].value
        for value in offered:
            row = {**settled("示例甲"), column: value}
            [entry] = read_ledger(as_csv([row], tuple(row)))
            assert entry.problem is None, (column, value)


def test_the_how_to_names_every_column():
    """In both languages."""
    page = Path(__file__).parents[2] / "docs" / "how-to" / "import-paper-cases.md"
    rows = [it for it in page.read_text(encoding="utf-8").splitlines() if it.startswith("|")]
    named = {name for row in rows for name in re.split("[、,] ?", row.split("|")[1].strip())}

    assert {name for it in COLUMNS for name in (it.zh, it.en)} <= named


@pytest.mark.parametrize("name", ["a.xls", "a", "there.csv"])
def test_a_template_is_not_written_over_a_file_or_in_another_format(tmp_path: Path, name):
    """What somebody has filled in stays."""
    (tmp_path / "there.csv").write_bytes(b"filled in")

    with pytest.raises(Malformed) as error:
        template.write_template(tmp_path / name)
    assert error.value.code == "template-name"
    assert (tmp_path / "there.csv").read_bytes() == b"filled in"


def test_saved_twice_by_another_program_it_says_the_same():
    """What another program makes of a ledger it opens and saves is the same ledger."""
    cells = openpyxl.load_workbook(io.BytesIO(as_xlsx(ROWS))).active.values

    assert contents(saved(list(cells))) == contents(as_csv(ROWS))
