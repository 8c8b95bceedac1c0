"""Paper ledgers for tests, as CSV or as a workbook that another program wrote; made-up people."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import openpyxl
import pytest

from api.importing.ledger import read_ledger
from mediation.errors import Malformed
from tests.canary import find_in_bytes

CANARIES = ("示例职工金丝雀甲乙丙", "13900001111222")
"""A name and a number that are typed in, and must never come back."""

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HEADINGS = (
    "案件序号",
    "日期",
    "时间",
    "来源",
    "职工",
    "联系方式",
    "单位",
    "统一社会信用代码",
    "事项",
    "请求",
    "金额(元)",
    "双方意愿",
    "结果",
    "履行日",
    "是否已履行",
    "调解员",
    "标记",
    "登记单位",
)


def settled(worker: str, **changes: str) -> dict[str, str]:
    """Give a row of a case that was settled and paid at one visit, on 2 March 2026."""
    return {
        "日期": "2026-03-02",
        "来源": "来访",
        "职工": worker,
        "联系方式": "13900001111222",
        "单位": "示例制衣有限公司",
        "事项": "劳动报酬",
        "请求": "请求支付拖欠的工资",
        "金额(元)": "1200.00",
        "双方意愿": "到场参加",
        "结果": "口头协议",
        "履行日": "2026-03-02",
        **changes,
    }


def open_case(worker: str, **changes: str) -> dict[str, str]:
    """Give a row of a case that has no result yet."""
    return settled(worker, 双方意愿="", 结果="", 履行日="") | changes


def table(rows: Iterable[Mapping[str, Any]], headings: Sequence[str] = HEADINGS) -> list[list[Any]]:
    """Lay rows out under headings."""
    return [list(headings), *([row.get(it, "") for it in headings] for row in rows)]


def as_csv(
    rows: Iterable[Mapping[str, Any]],
    headings: Sequence[str] = HEADINGS,
    *,
    encoding: str = "utf-8-sig",
    delimiter: str = ",",
) -> bytes:
    """Write a ledger as CSV."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(table(rows, headings))
    return text.getvalue().encode(encoding)


def as_xlsx(rows: Iterable[Mapping[str, Any]], headings: Sequence[str] = HEADINGS) -> bytes:
    """Write a ledger as a workbook."""
    return saved([list(row) for row in table(rows, headings)])


def saved(cells: Sequence[Sequence[Any]]) -> bytes:
    """Write cells, from the first row on, as a workbook of one sheet."""
    book = openpyxl.Workbook()
    for row in cells:
        book.active.append(list(row))
    return written(book)


def written(book: openpyxl.Workbook) -> bytes:
    """Give a workbook as the bytes of its file."""
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def repacked(workbook: bytes, parts: Mapping[str, bytes]) -> bytes:
    """Put other parts into a workbook, or more of them."""
    file = io.BytesIO()
    with (
        ZipFile(io.BytesIO(workbook)) as before,
        ZipFile(file, "w", ZIP_DEFLATED) as after,
    ):
        kept = {name: before.read(name) for name in before.namelist()}
        for name, data in {**kept, **parts}.items():
            after.writestr(name, data)
    return file.getvalue()


def refused(data: bytes) -> Malformed:
    """Give why a file as a whole is refused, in both languages and without what stands in it."""
    with pytest.raises(Malformed) as error:
        read_ledger(data)
    assert_told(error.value)
    return error.value


def assert_told(problem: Malformed) -> None:
    """Hold a problem to two languages, one of them ASCII, and to silence about the cells."""
    assert re.search(r"[\u4e00-\u9fff]", problem.detail.zh)
    assert re.fullmatch(r"[ -~]+", problem.detail.en)
    said = f"{problem.detail}{problem.faults}".encode()
    assert find_in_bytes(said, CANARIES) == []
