"""An empty ledger to fill in, as XLSX with notes and lists to choose from, or as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from api.importing.form import COLUMNS, EMPLOYER_KINDS, RESULTS
from mediation import codes
from mediation.errors import Malformed

MADE_UP = "演示数据，合成"
_LEDGER, _NOTES = "台账", "填写说明"
_LAST_ROW = 2_000
_WITH_UNIT = {"金额": "金额(元)", "达成金额": "达成金额(元)"}
_SAMPLE = {
    "case_no": "示例",
    "date": "2026-03-02",
    "time": "09:30",
    "channel": "来访",
    "worker": f"示例职工（{MADE_UP}）",
    "phone": f"示例电话（{MADE_UP}）",
    "employer": f"示例制衣有限公司（{MADE_UP}）",
    "employer_kind": "企业",
    "cause": "劳动报酬",
    "request": f"请求支付拖欠的工资（{MADE_UP}）",
    "amount": "1200.00",
    "agreed": "1200.00",
    "means": "到场参加",
    "result": "口头协议",
    "perform_on": "2026-03-02",
    "performed": "是",
    "flags": "欠薪",
}
NOTES: Mapping[str, tuple[str, str]] = {
    "case_no": (
        "一案多名职工时，各行填同一序号；一行一案的留空。填“示例”的行不导入。",
        "The same for every worker of one case, else empty. A row that says “示例” is not read.",
    ),
    "date": ("收到申请或者办理的日期。", "The day of the application, or of the visit."),
    "time": ("可空，例如 14:30。", "May be empty; for example 14:30."),
    "channel": ("从列表选择。", "Choose from the list."),
    "worker": ("职工姓名，每行一人。", "Name of the worker, one a row."),
    "phone": ("可空。", "May be empty."),
    "employer": ("用人单位全称。", "Full name of the employer."),
    "employer_kind": (
        "可空；个体工商户、个人必须填写，其名称加密保存。",
        "May be empty; needed for sole traders and persons, whose names are sealed.",
    ),
    "credit_code": ("可空，18位。", "May be empty; 18 characters."),
    "cause": ("从列表选择。", "Choose from the list."),
    "request": ("请求事项及简要事实。", "What is asked for, and the facts in short."),
    "amount": ("该职工请求的金额，单位元，最多两位小数。", "What the worker claims, in yuan."),
    "agreed": (
        "可空，与请求金额不同时填写；只在有结果时填写。",
        "What was agreed, where it differs from the claim; with a result only.",
    ),
    "means": (
        "双方表示同意的方式，从列表选择；只在有结果时填写。",
        "How both sides agreed to mediation; choose from the list, with a result only.",
    ),
    "result": (
        "从列表选择；尚未调解结束的留空，只登记案件。",
        "Choose from the list; empty while there is none: the case is registered only.",
    ),
    "perform_on": (
        "已经或者应当履行的日期；只在有结果时填写。",
        "The day of performance, done or due; with a result only.",
    ),
    "performed": (
        "是或者否；留空时，履行日不晚于日期的视为已履行。",
        "Yes or no; empty: done if the day of performance is not later than the date.",
    ),
    "mediator": (
        "调解员的账号编号；由导入人本人调解的留空。",
        "Account id of the mediator; empty if whoever imports mediated.",
    ),
    "flags": ("可空，可填多个，用顿号分隔。", "May be empty; several are parted by commas."),
    "body": (
        "登记单位编号；在本人所在单位登记的留空。",
        "Id of the body; empty for the body of whoever imports.",
    ),
}
"""What to write in each column, by its key."""


def write_template(file: Path) -> None:
    """Write an empty ledger.

    Raises:
        Malformed: the name ends neither in .xlsx nor in .csv, or a file of it exists.
    """
    makers = {".xlsx": template_workbook, ".csv": template_csv}
    if file.suffix.lower() not in makers or file.exists():
        raise Malformed(
            zh="请给出尚不存在的、以 .xlsx 或者 .csv 结尾的文件名。",
            en="Name a file that does not exist yet and ends in .xlsx or .csv.",
            code="template-name",
        )
    file.write_bytes(makers[file.suffix.lower()]())


def _headings() -> list[str]:
    return [_WITH_UNIT.get(column.zh, column.zh) for column in COLUMNS]


def _sample() -> list[str]:
    return [_SAMPLE.get(column.key, "") for column in COLUMNS]


def template_csv() -> bytes:
    """Make the headings and the sample as CSV in UTF-8, marked so that programs know it."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([_headings(), _sample()])
    return text.getvalue().encode("utf-8-sig")


def _lists() -> dict[str, list[str]]:
    """Give what may be chosen in a column, by its key."""
    kinds = codes.table("party_kinds")
    return {
        "channel": [label.zh for label in codes.table("channels").values()],
        "employer_kind": [kinds[code].zh for code in EMPLOYER_KINDS],
        "cause": [label.zh for label in codes.table("causes").values()],
        "means": [label.zh for label in codes.table("means").values()],
        "result": [names[0] for names in RESULTS.values()],
        "performed": ["是", "否"],
        # Raised by the lead's confirmation alone.
        "flags": [it.zh for code, it in codes.table("flags").items() if code != "COLLECTIVE"],
    }


# The workbook, part by part (ECMA-376): inline texts, cells formatted as text, lists to choose from

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}">'
    '<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="2"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)


def template_workbook() -> bytes:
    """Make the ledger with its sample, and a second sheet of notes and lists; always the same."""
    lists = _lists()
    notes = [["列 Column", "填写说明", "What to write", *("" for _ in lists)]]
    notes += [[f"{it.zh} {it.en}", *NOTES[it.key], *("" for _ in lists)] for it in COLUMNS]
    longest = max(len(notes), *(len(values) + 1 for values in lists.values()))
    notes += [[""] * len(notes[0]) for _ in range(longest - len(notes))]
    choices = ""
    for at, (key, values) in enumerate(lists.items(), 3):
        heading = next(column.zh for column in COLUMNS if column.key == key)
        for row, text in enumerate([heading, *values]):
            notes[row][at] = text
        if key != "flags":  # several at once cannot be chosen from a list
            choices += _choice(key, f"'{_NOTES}'!${_letter(at)}$2:${_letter(at)}${len(values) + 1}")
    count = choices.count("<dataValidation ")
    ledger = _sheet(
        [_headings(), _sample()],
        f'<dataValidations count="{count}">{choices}</dataValidations>',
    )
    return _packed(
        {
            "[Content_Types].xml": _content_types(),
            "_rels/.rels": _relations("officeDocument", "xl/workbook.xml"),
            "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
            f'<sheet name="{_LEDGER}" sheetId="1" r:id="r1"/>'
            f'<sheet name="{_NOTES}" sheetId="2" r:id="r2"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": _relations(
                *("worksheet", "worksheets/sheet1.xml"),
                *("worksheet", "worksheets/sheet2.xml"),
                *("styles", "styles.xml"),
            ),
            "xl/styles.xml": _STYLES,
            "xl/worksheets/sheet1.xml": ledger,
            "xl/worksheets/sheet2.xml": _sheet(notes, ""),
        }
    )


def _letter(at: int) -> str:
    return chr(ord("A") + at)


def _choice(key: str, source: str) -> str:
    at = _letter(next(at for at, column in enumerate(COLUMNS) if column.key == key))
    return (
        '<dataValidation type="list" allowBlank="1" showErrorMessage="1" '
        f'sqref="{at}2:{at}{_LAST_ROW}"><formula1>{source}</formula1></dataValidation>'
    )


def _sheet(rows: Sequence[Sequence[str]], behind: str) -> str:
    data = "".join(
        f'<row r="{number}">{"".join(_cell(number, at, text) for at, text in enumerate(row))}</row>'
        for number, row in enumerate(rows, 1)
    )
    columns = (
        f'<cols><col min="1" max="{len(rows[0])}" width="18" style="1" customWidth="1"/></cols>'
    )
    return f'<worksheet xmlns="{_MAIN}">{columns}<sheetData>{data}</sheetData>{behind}</worksheet>'


def _cell(number: int, at: int, text: str) -> str:
    if not text:
        return ""
    place = f"{_letter(at)}{number}"
    return f'<c r="{place}" s="1" t="inlineStr"><is><t>{escape(text, quote=False)}</t></is></c>'


def _relations(*pairs: str) -> str:
    each = zip(pairs[::2], pairs[1::2], strict=True)
    inner = "".join(
        f'<Relationship Id="r{at}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for at, (kind, target) in enumerate(each, 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{inner}</Relationships>'


def _content_types() -> str:
    parts = {
        "workbook": f"{_TYPE}.sheet.main+xml",
        "styles": f"{_TYPE}.styles+xml",
        "worksheets/sheet1": f"{_TYPE}.worksheet+xml",
        "worksheets/sheet2": f"{_TYPE}.worksheet+xml",
    }
    inner = "".join(
        f'<Override PartName="/xl/{part}.xml" ContentType="{kind}"/>'
        for part, kind in parts.items()
    )
    return (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>{inner}</Types>'
    )


def _packed(parts: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(ZipInfo(name), _XML + text, ZIP_DEFLATED)
    return packed.getvalue()
