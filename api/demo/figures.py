"""The figures of the demo, and its proof of "as of": what was answered then is answered again now.

At the end of each story the demo keeps what figures, lanes and histories say; when all is played it
puts the same questions as of those moments, and shows whether the answers are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from api.demo.district import OPENED_ON, TOP, who
from api.demo.office import Case, Office
from api.demo.timeline import yuan
from api.screen import Row, Words, table
from mediation.calendar.working_days import SHANGHAI
from projections.statistics import formula

Document = dict[str, Any]

VIEWER = who("coordinator", TOP)
SEVERAL = "F14"
"""The figure that is several sums; what stands as its value is only the first of them."""

_BAR = 24


def remember(office: Office, cases: Mapping[str, Case]) -> Document:
    """Keep what is answered now: figures up to today, lanes, and every story's history."""
    moment = office.now.astimezone(UTC).isoformat().replace("+00:00", "Z")
    asked = {"from": OPENED_ON, "to": office.today.isoformat()}
    kept = {"at": moment, "asked": asked, "cases": {it: cases[it].case_id for it in cases}}
    return {**kept, "answers": _answers(office, kept)}


def ask_again(office: Office, kept: Document) -> bool:
    """Put the same questions as of that moment, and say whether the answers are the same."""
    return bool(_answers(office, kept, at=kept["at"]) == kept["answers"])


def _answers(office: Office, kept: Document, **as_of: str) -> Document:
    return {
        "statistics": office.get(VIEWER, "/statistics", **kept["asked"], **as_of),
        "lanes": office.get(VIEWER, "/worklist/lanes", **as_of),
        "histories": {
            name: office.get(VIEWER, f"/cases/{case_id}/history", **as_of)
            for name, case_id in kept["cases"].items()
        },
    }


def gather(office: Office, remembered: list[Document]) -> Document:
    """Read the figures of all that was played, and ask again for those of each moment kept."""
    asked = {"from": OPENED_ON, "to": office.today.isoformat()}
    return {
        "figures": office.get(VIEWER, "/statistics", **asked),
        "moments": [
            {
                "at": kept["at"],
                "is_same": ask_again(office, kept),
                "figures": {
                    it["formula"]: {"value": it["value"], "parts": _parts(it)}
                    for it in kept["answers"]["statistics"]["figures"]
                },
            }
            for kept in remembered
        ],
    }


def _parts(figure: Document) -> Document:
    return {part["key"]: part["value"] for part in figure["parts"]}


def figures_page(document: Document) -> list[str]:
    """Set the figures: each with what it comes to, and of shares what was divided by what."""
    told = document["figures"]
    rows: list[Row] = []
    for it in told["figures"]:
        label = it["label"]
        rows.append(
            (it["formula"], (label["zh"], label["en"]), _value(it), _made_of(it), _picture(it))
        )
        rows += _balance(it) + _sums(it)
    headings = (
        Words("编号", "No."),
        Words("指标", "Figure"),
        Words("数值", "Value"),
        Words("分子/分母", "Of"),
        Words("", ""),
    )
    first, last, position = told["from"], told["to"], told["as_of_position"]
    return [
        f"{first} 至 {last}，截至日志序位 {position}",
        f"{first} to {last}, as of position {position} of the log",
        "",
        *table(headings, rows, right=(2, 3)),
        "",
        "各项算法见 docs/reference/figures.md；均非官方数字，演示数据均为合成。",
        "How each is counted: docs/reference/figures.md. None is official; all data is synthetic.",
    ]


def _value(figure: Document) -> tuple[str, str] | str:
    value = figure["value"]
    if value is None:
        return "—"
    if figure["formula"] == SEVERAL:
        return ""
    units = {"case": ("件", "cases"), "day": ("天", "days"), "duty": ("项", "dates")}
    if figure["unit"] == "ratio":
        return f"{100 * value:.1f}%"
    if figure["unit"] == "fen":
        return (f"{yuan(value)}元", f"¥{yuan(value)}")
    zh, en = units[figure["unit"]]
    return (f"{value}{zh}", f"{value} {en}")


def _balance(figure: Document) -> list[str]:
    """Write an identity out: what was there and came in, and what went out and is there."""
    found = formula(figure["formula"])
    if found is None or found.balance is None:
        return []
    parts = {it["key"]: it for it in figure["parts"]}
    written = []
    for language, plus, equals in (("zh", "＋", " ＝ "), ("en", " + ", " = ")):
        sides = (
            plus.join(_term(parts[key], language) for key in side if parts[key]["value"])
            for side in found.balance
        )
        written.append("       " + equals.join(side or "0" for side in sides))
    return written if any(it["value"] for it in figure["parts"]) else []


def _sums(figure: Document) -> list[str]:
    """Name the sums of a figure that is none of them alone, or beside which others stand apart."""
    if figure["unit"] != "fen":
        return []
    parts = [it for it in figure["parts"] if it["value"] or figure["formula"] == SEVERAL]
    zh = "；".join(f"{it['label']['zh']}{yuan(it['value'] or 0)}元" for it in parts)
    en = "; ".join(f"{it['label']['en'].lower()} ¥{yuan(it['value'] or 0)}" for it in parts)
    return [f"       {zh}", f"       {en}"] if parts else []


def _term(part: Document, language: str) -> str:
    name, value = part["label"][language], part["value"]
    return f"{name}{value}" if language == "zh" else f"{name.lower()} {value}"


def _made_of(figure: Document) -> str:
    if figure["denominator"] is None:
        return ""
    return f"{figure['numerator']}/{figure['denominator']}"


def _picture(figure: Document) -> str:
    if figure["unit"] != "ratio" or figure["value"] is None:
        return ""
    full = int(_BAR * figure["value"] + 0.5)
    return "█" * full + "░" * (_BAR - full)


def moments_page(document: Document) -> list[str]:
    """Set what the office knew at the end of each story, and that it still says so."""
    headings = (
        Words("截至", "As of"),
        Words("登记", "Registered"),
        Words("结案", "Concluded"),
        Words("未结", "Open"),
        Words("支付（元，含援助和诉求）", "Paid (¥), with aid and demands"),
        Words("重新查询", "Asked again"),
    )
    rows = []
    for moment in document["moments"]:
        figures = moment["figures"]
        paid = sum(value or 0 for value in figures["F15"]["parts"].values())
        same = ("一致 ✓", "the same") if moment["is_same"] else ("不一致 ✗", "DIFFERENT")
        rows.append(
            (
                f"{datetime.fromisoformat(moment['at']).astimezone(SHANGHAI):%Y-%m-%d %H:%M}",
                str(figures["F01"]["parts"]["registered"]),
                str(figures["F02"]["parts"]["concluded"]),
                str(figures["F02"]["value"]),
                yuan(paid),
                same,
            )
        )
    return [
        *table(headings, rows, right=(1, 2, 3, 4)),
        "",
        "统计、工作栏目和办理记录都可按任一时点查询，答复与当时相同（?at= 或 ?position=）。",
        "Figures, lanes and histories can be asked as of any moment; the answer is that of then.",
    ]
