"""The form of the paper ledger: its columns, what they are called, and how each cell is read.

The columns are the fields of 《简易调解登记表》. What stands in a cell is never repeated: a fault
names its row and column, and what to do.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from api.importing.sheet import LONGEST_CELL, Cell, Row, Sheet
from mediation import codes
from mediation.case.intake import is_credit_code
from mediation.case.values import MOST_FEN
from mediation.errors import FieldFault, Malformed

_LONGEST_CODE, _LONGEST_LIST = 64, 200
# Normalising takes the square of a text's length if it is made for that, so none may be long.


class Column(NamedTuple):
    """A column of the ledger: its key, its heading in both languages, what else it is called.

    `is_required` says that the file has to have it. `is_own` marks what each worker's row of a
    case says for itself; the other columns belong to the case. `of_result` marks what may be
    filled in together with a result only. `longest` is the most characters of a cell.
    """

    key: str
    zh: str
    en: str
    others: tuple[str, ...] = ()
    is_required: bool = True
    is_own: bool = False
    of_result: bool = False
    longest: int = _LONGEST_CODE


COLUMNS = (
    Column("case_no", "案件序号", "Case no", ("序号",), is_required=False),
    Column("date", "日期", "Date", ("登记日期", "办理日期")),
    Column("time", "时间", "Time", is_required=False),
    Column("channel", "来源", "Channel", ("案件来源", "Source")),
    Column("worker", "职工", "Worker", ("职工姓名", "申请人"), is_own=True, longest=LONGEST_CELL),
    Column(
        "phone", "联系方式", "Contact", ("联系电话", "Phone"), is_own=True, longest=LONGEST_CELL
    ),
    Column("employer", "单位", "Employer", ("用人单位", "单位名称", "被申请人"), longest=200),
    Column("employer_kind", "单位性质", "Employer kind", is_required=False),
    Column("credit_code", "统一社会信用代码", "Credit code", is_required=False),
    Column("cause", "事项", "Cause", ("争议事项",)),
    Column("request", "请求", "Request", ("请求事项",), longest=LONGEST_CELL),
    Column("amount", "金额", "Amount", ("请求金额",), is_own=True),
    Column(
        "agreed",
        "达成金额",
        "Agreed amount",
        ("协议金额",),
        is_required=False,
        is_own=True,
        of_result=True,
    ),
    Column("means", "双方意愿", "Consent", ("意愿方式", "Means of consent"), of_result=True),
    Column("result", "结果", "Result", ("文书", "Instrument")),
    Column("perform_on", "履行日", "Performance date", ("履行日期",), of_result=True),
    Column("performed", "是否已履行", "Performed", is_required=False, of_result=True),
    Column("mediator", "调解员", "Mediator", is_required=False, of_result=True),
    Column("flags", "标记", "Flags", is_required=False, of_result=True, longest=_LONGEST_LIST),
    Column("body", "登记单位", "Body", ("受理单位",), is_required=False),
)
KEYS = {column.key: column for column in COLUMNS}

RESULTS = {
    "oral": ("口头协议", "Oral agreement", "口头协议登记"),
    "settlement": ("和解协议书", "Settlement agreement", "和解"),
    "undertaking": ("书面承诺", "Written undertaking"),
}
EMPLOYER_KINDS = ("COMPANY", "OTHER_UNIT", "SOLE_TRADER", "INDIVIDUAL")

FAULTS: Mapping[str, tuple[str, str]] = {
    "required": ("必须填写", "has to be filled in"),
    "date": ("请写成 2026-03-02 这样的日期", "write a date like 2026-03-02"),
    "time": ("请写成 14:30 这样的时间", "write a time like 14:30"),
    "amount": (
        "请填写以元为单位、最多两位小数的金额，例如 1280.50",
        "write an amount in yuan with at most two decimals, for example 1280.50",
    ),
    "unknown-code": (
        "请填写模板“填写说明”中所列的名称或者代码",
        "use a name or a code that the notes of the template list",
    ),
    "yes-no": ("请填写“是”或者“否”", "write yes or no"),
    "account-id": (
        "请填写调解员的账号编号，由导入人本人调解的留空",
        "write the account id of the mediator, or nothing if whoever imports mediated himself",
    ),
    "credit-code": (
        "应为18位统一社会信用代码，单元格格式请设为文本",
        "write the 18 characters of the credit code, in a cell formatted as text",
    ),
    "not-a-name": ("应为名称，不能是数字", "write a name, not a number"),
    "only-with-result": (
        "在填写“结果”之前请留空，登记后在案件中办理",
        "leave it empty while there is no result, and go on in the case once it is registered",
    ),
    "differs": (
        "与同一案件序号的首行不一致，请改为一致或者留空",
        "make it agree with the first row of the same case number, or leave it empty",
    ),
    "formula": (
        "含有公式，请复制后选择性粘贴为数值",
        "holds a formula; copy it and paste it as a value",
    ),
    "error-value": ("是表格软件的错误值，请重新填写", "shows an error value; fill it in again"),
    "length": ("内容过长，请删减", "is too long; shorten it"),
    "control-character": (
        "含有不可见的控制字符，请重新录入",
        "holds control characters; type it in again",
    ),
    "number-too-long": (
        "数字超过15位已经失真，请将单元格格式设为文本后重新录入",
        "has more digits than a number keeps; format the cell as text and type it in again",
    ),
}
"""What to do about a cell, to be read after the name of its column, by the code of its fault."""


class CellFault(NamedTuple):
    """What is wrong with a cell: its row, its column and a code of `FAULTS`."""

    row: int
    column: Column
    code: str


class Line(NamedTuple):
    """A row of the ledger: what stands in it by the key of the column, and what is wrong."""

    row: int
    values: Mapping[str, Any]
    faults: tuple[CellFault, ...]


def headings(row: Row) -> int:
    """Count the cells of a row that are headings of the form."""
    return sum(_named(cell) is not None for cell in row.cells)


def lines(sheet: Sheet) -> list[Line]:
    """Read the rows below the headings.

    Raises:
        Malformed: there are no headings, or columns are missing, unknown or there twice.
    """
    at = _heading(sheet)
    columns = _columns(sheet.rows[at])
    return [_line(row, columns, sheet.day_zero) for row in sheet.rows[at + 1 :]]


def folded(text: str) -> str:
    """Fold what people write in several ways: width, case, blanks, what stands in brackets."""
    return re.sub(r"[\s_*-]", "", _without_brackets(text)).casefold()


def _without_brackets(text: str) -> str:
    return re.sub(r"\([^()]*\)", "", unicodedata.normalize("NFKC", text))


# Headings

_TITLE_ROWS = 10
_FEWEST_NAMES = 3
_BY_HEADING = {
    folded(name): column
    for column in COLUMNS
    for name in (column.zh, column.en, column.key, *column.others)
}


def _named(cell: Cell) -> Column | None:
    if len(cell.text) > _LONGEST_LIST:
        return None
    return _BY_HEADING.get(folded(cell.text))


def _heading(sheet: Sheet) -> int:
    """Find the row of the headings; titles and notes may stand above it."""
    first = enumerate(sheet.rows[:_TITLE_ROWS])
    found = next((at for at, row in first if headings(row) >= _FEWEST_NAMES), None)
    if found is None:
        raise Malformed(
            zh=f"未找到表头，请在数据上方保留一行列名：{_all_zh(COLUMNS)}。",
            en="No row of headings was found. Keep one above the data, with the columns "
            f"{_all_en(COLUMNS)}.",
            code="sheet-no-heading",
        )
    return found


def _columns(heading: Row) -> dict[int, Column]:
    """Say which column stands where, counted from 0."""
    named = {at: _named(cell) for at, cell in enumerate(heading.cells) if not cell.is_empty}
    known = {at: column for at, column in named.items() if column is not None}
    given = [column.key for column in known.values()]
    missing = [it for it in COLUMNS if it.is_required and it.key not in given]
    twice = [it for it in COLUMNS if given.count(it.key) > 1]
    unknown = [_letters(at) for at, column in named.items() if column is None]
    wrong = (
        (
            missing,
            f"缺少列：{_all_zh(missing)}，请补上列名。",
            f"Missing columns: {_all_en(missing)}. Add them.",
        ),
        (
            twice,
            f"列名重复：{_all_zh(twice)}，请各保留一列。",
            f"Columns that are there twice: {_all_en(twice)}. Keep one of each.",
        ),
        (
            unknown,
            f"第{'、'.join(unknown)}列的列名无法识别，请删除该列，或者改为模板中的列名。",
            f"The heading of column {', '.join(unknown)} is not known: delete it or rename it.",
        ),
    )
    if any(found for found, _, _ in wrong):
        faults = [FieldFault(f"/{it.en}", "missing-column") for it in missing]
        faults += [FieldFault(f"/{it.en}", "column-twice") for it in twice]
        faults += [FieldFault(f"/{letters}", "unknown-column") for letters in unknown]
        raise Malformed(
            zh="".join(zh for found, zh, _ in wrong if found),
            en=" ".join(en for found, _, en in wrong if found),
            faults=tuple(faults),
            code="sheet-columns",
        )
    return known


def _all_zh(columns: Iterable[Column]) -> str:
    return "、".join(it.zh for it in columns)


def _all_en(columns: Iterable[Column]) -> str:
    return ", ".join(it.en for it in columns)


def _letters(at: int) -> str:
    """Name a column, counted from 0, as spreadsheet programs do."""
    letters, number = "", at + 1
    while number:
        number, digit = divmod(number - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return letters


# Cells


class _Bad(Exception):
    """A cell that cannot be read, by the code of its fault."""


def _line(row: Row, columns: Mapping[int, Column], day_zero: date) -> Line:
    values: dict[str, Any] = {}
    faults = []
    for at, cell in enumerate(row.cells):
        # What stands under no heading is a note beside the ledger.
        if cell.is_empty or at not in columns:
            continue
        column = columns[at]
        fault = "length" if len(cell.text) > column.longest else cell.fault
        try:
            if not fault:
                values[column.key] = _READERS.get(column.key, _text)(cell, day_zero)
        except _Bad as bad:
            fault = str(bad)
        if fault:
            faults.append(CellFault(row.number, column, fault))
    for key in ("date", "perform_on"):
        moment = values.get(key)
        if isinstance(moment, datetime):
            values[key] = moment.date()
            if key == "date":
                values.setdefault("time", moment.time())
    return Line(row.number, values, tuple(faults))


def _text(cell: Cell, day_zero: date) -> str:
    return cell.text


def _name(cell: Cell, day_zero: date) -> str:
    if cell.is_number:
        raise _Bad("not-a-name")
    return cell.text


_EARLIEST, _LATEST = 1950, 2199
_MINUTES = 24 * 60
_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?", re.ASCII)
_SHORT_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_TIME = re.compile(r"(\d{1,2}) ?[:时] ?(\d{1,2}) ?(?:分|[:分] ?\d{1,2}(?:\.0+)? ?秒?)?", re.ASCII)


def _date(cell: Cell, day_zero: date) -> date:
    """Read a date; a `datetime` where a time stands behind it, or in the fraction of a number."""
    try:
        if cell.is_number and not _SHORT_DATE.fullmatch(cell.text):
            days = Decimal(cell.text)
            day, moment = day_zero + timedelta(days=int(days)), _of_day(days % 1)
        else:
            text = unicodedata.normalize("NFKC", cell.text)
            found = _DATE.match(text) or _SHORT_DATE.match(text)
            if found is None:
                raise _Bad("date")
            day = date(int(found[1]), int(found[2]), int(found[3]))
            rest = text[found.end() :].lstrip("T ")
            moment = _clock_time(rest) if rest else time()
    except (ValueError, OverflowError):
        raise _Bad("date") from None
    if not _EARLIEST <= day.year <= _LATEST:
        raise _Bad("date")
    return datetime.combine(day, moment) if moment != time() else day


def _of_day(fraction: Decimal) -> time:
    minutes = min(int(fraction * _MINUTES + Decimal("0.5")), _MINUTES - 1)
    return time(*divmod(minutes, 60))


def _clock_time(text: str) -> time:
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError
    return time(int(found[1]), int(found[2]))


def _time(cell: Cell, day_zero: date) -> time:
    try:
        if not cell.is_number:
            return _clock_time(unicodedata.normalize("NFKC", cell.text))
        fraction = Decimal(cell.text)
        if 0 <= fraction < 1:
            return _of_day(fraction)
    except ValueError:
        pass
    raise _Bad("time")


_AMOUNT = re.compile(r"(\d{1,3}(?:,\d{3})+|\d{1,14})(?:\.(\d{1,2})0*)?", re.ASCII)


def _fen(cell: Cell, day_zero: date) -> int:
    """Read an amount in yuan as fen, digit by digit."""
    found = _AMOUNT.fullmatch(unicodedata.normalize("NFKC", cell.text).strip("¥元 "))
    if found is None:
        raise _Bad("amount")
    fen = int(found[1].replace(",", "") + (found[2] or "").ljust(2, "0"))
    if fen > MOST_FEN:
        raise _Bad("amount")
    return fen


_YES = frozenset({"是", "已履行", "yes", "y", "true", "1"})
_NO = frozenset({"否", "未履行", "no", "n", "false", "0"})


def _yes_no(cell: Cell, day_zero: date) -> bool:
    said = folded(cell.text)
    if said not in _YES | _NO:
        raise _Bad("yes-no")
    return said in _YES


def _account(cell: Cell, day_zero: date) -> str:
    try:
        return str(UUID(cell.text))
    except ValueError:
        raise _Bad("account-id") from None


def _credit_code(cell: Cell, day_zero: date) -> str:
    code = re.sub(r"\s", "", unicodedata.normalize("NFKC", cell.text)).upper()
    if not is_credit_code(code):
        raise _Bad("credit-code")
    return code


@cache
def _names(table: str, *only: str) -> Mapping[str, str]:
    """Give the codes of a table, or only these of it, by everything they may be called."""
    chosen = codes.table(table)
    return {
        folded(name): code
        for code in only or chosen
        for name in (code, chosen[code].zh, chosen[code].en)
    }


def _code(table: str, *only: str) -> Callable[[Cell, date], str]:
    return lambda cell, _day_zero: _known(cell.text, _names(table, *only))


def _known(text: str, names: Mapping[str, str]) -> str:
    code = names.get(folded(text))
    if code is None:
        raise _Bad("unknown-code")
    return code


_RESULT_NAMES = {folded(name): code for code, names in RESULTS.items() for name in (code, *names)}


def _result(cell: Cell, day_zero: date) -> str:
    return _known(cell.text, _RESULT_NAMES)


def _flags(cell: Cell, day_zero: date) -> list[str]:
    parts = re.split(r"[、,;\n]", _without_brackets(cell.text))
    return sorted({_known(part, _names("flags")) for part in parts if part.strip()})


_READERS: Mapping[str, Callable[[Cell, date], Any]] = {
    "date": _date,
    "time": _time,
    "channel": _code("channels"),
    "worker": _name,
    "employer": _name,
    "employer_kind": _code("party_kinds", *EMPLOYER_KINDS),
    "credit_code": _credit_code,
    "cause": _code("causes"),
    "amount": _fen,
    "agreed": _fen,
    "means": _code("means"),
    "result": _result,
    "perform_on": _date,
    "performed": _yes_no,
    "mediator": _account,
    "flags": _flags,
}
"""How each column is read, given the day from which a workbook counts; any other is a text."""
