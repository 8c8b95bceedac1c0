"""What the rows of the paper ledger become: the cases of a sheet, each as one command.

Rows with a result become the one-form command, rows without one a registration; both are read as
if a client had sent them, so that every limit of a command holds for a row too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple

import msgspec

from api.importing.form import COLUMNS, FAULTS, KEYS, CellFault, Line, folded, headings, lines
from api.importing.sheet import LARGEST, Sheet, bounded, refusal, rows_of_csv
from api.importing.workbook import read_workbook
from mediation.application import read_command
from mediation.calendar import first_moment_after
from mediation.case.composites import RegisterAndSettleSmallCase
from mediation.case.intake import RegisterCase
from mediation.errors import FieldFault, Malformed, pointing
from mediation.kernel import Command

SAMPLE = frozenset({"示例", "sample"})
"""A row with one of these as its case number shows how to fill in the form; it is not read."""

_ZIP = b"PK\x03\x04"
_COMPOUND = b"\xd0\xcf\x11\xe0"
_COMPANY = re.compile("公司|集团")
_KIND_OF_CODE = {"91": "COMPANY", "92": "SOLE_TRADER", "93": "COMPANY"}
"""By the first two characters of a credit code (GB 32100): what was registered with whom."""


class Entry(NamedTuple):
    """One case of a sheet: its rows, and the command they become or why they become none.

    `content` is what the rows say, the same bytes for the same case wherever it stands in
    whatever file; empty where they cannot be read.
    """

    rows: tuple[int, ...]
    command: Command | None
    content: bytes = b""
    problem: Malformed | None = None


def read_ledger(data: bytes) -> list[Entry]:
    """Read the cases of a file, in the order of their first rows.

    Args:
        data: CSV or XLSX, whatever it calls itself.

    Raises:
        Malformed: what is wrong with the file as a whole.
    """
    cases: dict[tuple[str, object], list[Line]] = {}
    for line in lines(_sheet(data)):
        label = line.values.get("case_no")
        if label is None:
            cases["row", line.row] = [line]
        elif folded(label) not in SAMPLE:
            cases.setdefault(("case", label), []).append(line)
    return [_entry(case) for case in cases.values()]


def _sheet(data: bytes) -> Sheet:
    if len(data) > LARGEST:
        raise refusal(
            "sheet-too-large",
            f"文件超过{LARGEST // 1024}KB，请拆分为几个文件分别导入。",
            f"The file is larger than {LARGEST // 1024} KiB; split it and import the parts.",
        )
    if data.startswith(_COMPOUND):
        raise refusal(
            "sheet-old-or-locked",
            "该文件是旧版 .xls 或者设有密码，请另存为不带密码的 .xlsx 后重新上传。",
            "This is an old .xls file, or one with a password; save it as .xlsx without a "
            "password and try again.",
        )
    if data.startswith(_ZIP):
        return read_workbook(data)
    return Sheet(bounded(rows_of_csv(data, headings)))


def _entry(case: Sequence[Line]) -> Entry:
    rows = tuple(line.row for line in case)
    faults = tuple(_faults(case))
    if faults:
        return Entry(rows, None, problem=_told(faults))
    common = {
        key: value
        for key, value in case[0].values.items()
        if not KEYS[key].is_own and key != "case_no"
    }
    workers = [
        {key: value for key, value in line.values.items() if KEYS[key].is_own} for line in case
    ]
    content = msgspec.json.encode({"case": common, "workers": workers}, order="sorted")
    kind, body = _settled(common, workers) if "result" in common else _registered(common, workers)
    try:
        with pointing(*places(rows)):
            command = read_command(kind, msgspec.json.encode(body))
    except Malformed as problem:
        return Entry(rows, None, problem=_beyond_limits(rows[0], problem))
    return Entry(rows, command, content)


_OF_CASE = (
    ("/channel", "channel"),
    ("/cause", "cause"),
    ("/lines/[0-9]+/cause", "cause"),
    ("/(employer|respondents/0)", "employer"),
    ("/(paid_on|due_on)", "perform_on"),
    ("/occurred_at", "date"),
    ("/mediator_id", "mediator"),
    ("/flags", "flags"),
    ("/request", "request"),
    ("/body_id", "body"),
)
_OF_WORKER = (
    ("name", "worker"),
    ("phone", "phone"),
    ("claimed_fen", "amount"),
    ("agreed_fen", "agreed"),
)


def places(rows: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Give where in the sheet stands what a command of these rows says, as `pointing` takes it."""
    for begins, key in _OF_CASE:
        yield f"{begins}(/.*)?$", f"/{rows[0]}/{KEYS[key].en}"
    for at, row in enumerate(rows):
        for field, key in _OF_WORKER:
            yield f"/(workers|applicants|lines)/{at}/{field}$", f"/{row}/{KEYS[key].en}"


def _faults(case: Sequence[Line]) -> Iterator[CellFault]:
    first = case[0].values
    # A result that cannot be read is one nevertheless.
    is_settled = "result" in first or KEYS["result"] in {it.column for it in case[0].faults}
    for line in case:
        yield from line.faults
        known_bad = {fault.column.key for fault in line.faults}
        for column in COLUMNS:
            key, said = column.key, line.values.get(column.key)
            if key in known_bad or key == "case_no":
                continue
            if said is None:
                is_asked = column.is_own or line is case[0]
                if is_asked and _is_needed(key, is_settled=is_settled):
                    yield CellFault(line.row, column, "required")
            elif column.of_result and not is_settled:
                yield CellFault(line.row, column, "only-with-result")
            elif not column.is_own and said != first.get(key):
                yield CellFault(line.row, column, "differs")


def _is_needed(key: str, *, is_settled: bool) -> bool:
    if KEYS[key].of_result:
        return is_settled and KEYS[key].is_required
    return KEYS[key].is_required and key not in ("phone", "result")


def _told(faults: Sequence[CellFault]) -> Malformed:
    """Say in one sentence for each row which columns to correct, and how."""
    by_row: dict[int, list[CellFault]] = {}
    for fault in faults:
        by_row.setdefault(fault.row, []).append(fault)
    zh = (
        f"第{row}行：" + "；".join(f"“{it.column.zh}”{FAULTS[it.code][0]}" for it in found)
        for row, found in by_row.items()
    )
    en = (
        f"Row {row}: " + "; ".join(f"{it.column.en}: {FAULTS[it.code][1]}" for it in found)
        for row, found in by_row.items()
    )
    return Malformed(
        zh="。".join(zh) + "。",
        en=". ".join(en) + ".",
        faults=tuple(FieldFault(f"/{it.row}/{it.column.en}", it.code) for it in faults),
        code="row-malformed",
    )


def _beyond_limits(row: int, problem: Malformed) -> Malformed:
    return Malformed(
        zh=f"第{row}行的案件超出一次登记的限度（人数或者文字过多），请按普通程序登记。",
        en=f"The case of row {row} is more than one form holds (people or text); register it "
        "step by step.",
        faults=problem.faults,
        code="row-beyond-limits",
    )


def _moment(case: Mapping[str, Any]) -> datetime:
    """Give the time of a row; without one the day's first, which is never in the future."""
    at: time = case.get("time", time())
    midnight = first_moment_after(case["date"] - timedelta(days=1))
    return midnight + timedelta(hours=at.hour, minutes=at.minute)


def _employer(case: Mapping[str, Any]) -> dict[str, Any]:
    """Make the respondent: a company in clear, and sealed whoever may be a person.

    Without kind or credit code only what calls itself a company is taken for one, and the
    identity of any other is marked as not verified yet.
    """
    code, kind = case.get("credit_code"), case.get("employer_kind")
    is_verified = kind is not None or code is not None
    if kind is None and code is not None:
        kind = _KIND_OF_CODE.get(code[:2], "OTHER_UNIT")
    elif kind is None:
        kind = "COMPANY" if _COMPANY.search(case["employer"]) else "SOLE_TRADER"
    known = {"role": "EMPLOYER", "party_kind": kind}
    if kind in ("COMPANY", "OTHER_UNIT"):
        return {**known, "company_name": case["employer"], "credit_code": code}
    return {
        **known,
        "name": case["employer"],
        "id_number": code,
        "provisional": not is_verified,
    }


def _settled(
    case: Mapping[str, Any], workers: Sequence[Mapping[str, Any]]
) -> tuple[type[Command], dict[str, Any]]:
    # By the dates of the row and never by today's: read again later, it has to say the same.
    is_performed = case.get("performed", case["perform_on"] <= case["date"])
    return RegisterAndSettleSmallCase, {
        "occurred_at": _moment(case),
        "channel": case["channel"],
        "body_id": case.get("body"),
        "workers": [
            {
                "name": worker["worker"],
                "phone": worker.get("phone"),
                "claimed_fen": worker["amount"],
                "agreed_fen": worker.get("agreed"),
            }
            for worker in workers
        ],
        "employer": _employer(case),
        "cause": case["cause"],
        "request": case["request"],
        "consent_means": case["means"],
        "instrument": case["result"],
        "paid_on" if is_performed else "due_on": case["perform_on"],
        "mediator_id": case.get("mediator"),
        "flags": case.get("flags", ()),
    }


def _registered(
    case: Mapping[str, Any], workers: Sequence[Mapping[str, Any]]
) -> tuple[type[Command], dict[str, Any]]:
    return RegisterCase, {
        "matter_kind": "DISPUTE",
        "occurred_at": _moment(case),
        "channel": case["channel"],
        "body_id": case.get("body"),
        "oral": case["channel"] != "written",
        "applicants": [
            {"role": "WORKER", "name": worker["worker"], "phone": worker.get("phone")}
            for worker in workers
        ],
        "respondents": [_employer(case)],
        "request": case["request"],
        "cause": case["cause"],
        "lines": [
            {"applicant": at, "cause": case["cause"], "claimed_fen": worker["amount"]}
            for at, worker in enumerate(workers)
        ],
    }
