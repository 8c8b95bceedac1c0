"""What the demo has to show, read over HTTP: one document, and the same document as pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any

from api.demo.district import POINTS, TOP, who
from api.demo.office import SHANGHAI, Case, Office
from api.demo.screen import NOTICE, Words, headed, table
from api.demo.stories import UNSAID
from mediation.calendar import CATALOGUE
from mediation.codes import label

Document = dict[str, Any]

VIEWER = who("coordinator", TOP)
SHOWN = {
    "eight-workers": Words(
        "案例一：8名农民工讨薪（公开报道，2015-12-31 西城街道总工会）",
        "Case 1: wages of eight migrant workers (published, Xicheng street, 2015-12-31)",
    ),
    "climb": Words(
        "案例二：逐级提请到区级（虚构，2026-03）",
        "Case 2: up all four levels (invented, March 2026)",
    ),
}
"""The two cases whose whole history is shown."""

_SUMMARY = (
    "phase",
    "phase_label",
    "level",
    "level_label",
    "risk",
    "risk_label",
    "case_number",
    "claimed_fen",
    "outcome",
)
_EVENT = ("topic", "label", "role", "role_label", "body_id", "phase", "occurred_at", "recorded_at")
_NOTED = ("flag", "risk", "to_body_id", "days_left", "extension", "outcome")
_MILESTONES = {
    "concluded_after_days": "case.mediation-concluded/1",
    "performed_after_days": "case.obligations-fully-performed/1",
}


def gather(office: Office, cases: Mapping[str, Case]) -> Document:
    """Read everything that is shown, as the coordinator sees it."""
    network = office.get(VIEWER, "/network")
    ladder = office.get(VIEWER, f"/ladders/{network['ladder_ref']}")
    counted = office.get(VIEWER, "/worklist/lanes")
    points = list(_bodies(network["bodies"]))
    return {
        "notice": {"zh": NOTICE[0], "en": NOTICE[1]},
        "unsaid": [{"zh": zh, "en": en} for zh, en in UNSAID],
        "cases": {name: _case(office, name, case) for name, case in cases.items()},
        "levels": [{"code": it["code"], "label": it["label"]} for it in ladder["levels"]],
        "lanes": counted["lanes"],
        "at_hand": counted["at_hand"],
        "network": {
            "ladder_ref": network["ladder_ref"],
            "service_points": len(points),
            "by_level": Counter(point["level"] for point in points),
            "points": points,
        },
    }


def _bodies(bodies: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    real = {point.body_id for point in POINTS if point.is_real}
    for body in bodies:
        yield {
            "body_id": body["body_id"],
            "name": body["name"],
            "level": body["level"],
            "parent_id": body["parent_id"],
            "is_real_name": body["body_id"] in real,
        }
        yield from _bodies(body["children"])


def _case(office: Office, name: str, case: Case) -> Document:
    seen = office.get(VIEWER, f"/cases/{case.case_id}")
    document = {
        "case_id": case.case_id,
        "is_published": name == "eight-workers",
        "workers": len(seen["applicants"]),
        "body_id": seen["custody_body_id"],
        "agreed_fen": sum(it["obligation"]["agreed_fen"] for it in seen["payments"]),
        "paid_fen": sum(it["applied_fen"] for it in seen["payments"]),
        **{field: seen[field] for field in _SUMMARY},
    }
    if name in SHOWN:
        history = office.get(VIEWER, f"/cases/{case.case_id}/history")
        document["history"] = [
            {
                **{field: item[field] for field in _EVENT},
                "due": [{"code": due["code"], "due_on": due["due_on"]} for due in item["due"]],
                "fields": {it: item["fields"][it] for it in _NOTED if it in item["fields"]},
            }
            for item in history["items"]
        ]
        document |= _days(document["history"])
    return document


def _days(history: list[Document]) -> Document:
    """Count the days from registration to each milestone; None for one that was not reached."""
    first = {item["topic"]: item for item in reversed(history)}
    start = _moment(history[0]).date()
    return {
        name: (_moment(first[topic]).date() - start).days if topic in first else None
        for name, topic in _MILESTONES.items()
    }


def _moment(item: Document) -> datetime:
    return datetime.fromisoformat(item["occurred_at"]).astimezone(SHANGHAI)


def pages(document: Document) -> list[str]:
    """Set the document as text."""
    names = {it["body_id"]: it["name"] for it in document["network"]["points"]}
    lines = [*headed("出处未载明的内容", "What the sources do not say")]
    for at, unsaid in enumerate(document["unsaid"], start=1):
        lines += [f"{at}. {unsaid['zh']}", f"   {unsaid['en']}"]
    for name, words in SHOWN.items():
        case = document["cases"][name]
        lines += [*headed(*words), *_summary(case), "", *_history(case["history"], names)]
    lines += [*headed("各级工作栏目", "Lanes per level"), *_lanes(document)]
    lines += [*headed("四级联网服务点", "The network per level"), *_network(document)]
    return lines


def _summary(case: Document) -> list[str]:
    claimed, agreed, paid = (_yuan(case[it]) for it in ("claimed_fen", "agreed_fen", "paid_fen"))
    zh = [
        case["case_number"],
        f"{case['workers']}人",
        case["level_label"]["zh"],
        case["phase_label"]["zh"],
        f"风险{case['risk_label']['zh']}",
        f"请求{claimed}元",
        f"应付{agreed}元",
        f"已付{paid}元",
    ]
    en = [
        "1 worker" if case["workers"] == 1 else f"{case['workers']} workers",
        case["level_label"]["en"],
        case["phase_label"]["en"],
        f"risk {case['risk_label']['en'].lower()}",
        f"claimed ¥{claimed}",
        f"due ¥{agreed}",
        f"paid ¥{paid}",
    ]
    if case["performed_after_days"] is not None:
        concluded, performed = case["concluded_after_days"], case["performed_after_days"]
        ended = f"登记后第{concluded}天" if concluded else "登记当日"
        zh.append(f"{ended}调解结案、第{performed}天付清")
        en.append(f"concluded on day {concluded}, paid in full on day {performed}")
    return [" · ".join(zh), " · ".join(en)]


def _yuan(fen: int) -> str:
    return f"{fen // 100:,}.{fen % 100:02}"


def _history(items: list[Document], names: Mapping[str, Any]) -> list[str]:
    rows = []
    codes: dict[str, None] = {}
    for _, same in groupby(items, key=lambda it: (it["topic"], it["body_id"], it["phase"])):
        run = list(same)
        item = run[0]
        moment = _moment(item)
        times = f" ×{len(run)}" if len(run) > 1 else ""
        phase, body = label("phases", item["phase"]), names[item["body_id"]]
        codes |= dict.fromkeys(due["code"] for due in item["due"])
        rows.append(
            (
                (f"{moment:%Y-%m-%d}", f"{moment:%H:%M}"),
                (item["label"]["zh"] + times, item["label"]["en"], *_note(run, names)),
                (item["role_label"]["zh"], item["role_label"]["en"]),
                (body["zh"], body["en"]),
                (phase.zh, item["phase"]),
                [f"{due['code']} {due['due_on']}" for due in item["due"]],
            )
        )
    headings = (
        Words("时间", "Time"),
        Words("事件", "Event"),
        Words("角色", "Role"),
        Words("单位", "Body"),
        Words("阶段", "Phase"),
        Words("期限", "Due"),
    )
    legend = [
        f"{code} {CATALOGUE[code].duty_zh} / {CATALOGUE[code].duty_en}" for code in sorted(codes)
    ]
    return [*table(headings, rows), "", *legend]


def _note(run: list[Document], names: Mapping[str, Any]) -> list[str]:
    """Give what is worth saying of an event beside its name, Chinese and English on one line."""
    fields = run[0]["fields"]
    if "flag" in fields:
        words = (label("flags", fields["flag"]), label("risks", fields["risk"]))
        return [" · ".join(f"{it.zh} {it.en}" for it in words)]
    if "days_left" in fields:
        return [
            f"→ {names[fields['to_body_id']]['zh']}",
            f"法定期限剩余{fields['days_left']}天 / {fields['days_left']} days left",
        ]
    asked = [item["fields"].get("extension") for item in run]
    if None not in asked:
        answers = (
            "、".join("是" if it else "否" for it in asked),
            ", ".join("yes" if it else "no" for it in asked),
        )
        return [f"同意延期：{answers[0]} / extension: {answers[1]}"]
    if fields.get("outcome"):
        words_of = label("outcomes", fields["outcome"])
        return [f"{words_of.zh} {words_of.en}"]
    return []


def _lanes(document: Document) -> list[str]:
    levels = document["levels"]
    headings = (
        Words("栏目", "Lane"),
        Words("", ""),
        *(Words(it["label"]["zh"], it["code"]) for it in levels),
        Words("合计", "All"),
    )
    rows: list[tuple[str, ...]] = [
        (
            lane["label"]["zh"],
            lane["label"]["en"],
            *(_count(lane["by_level"].get(it["code"], 0)) for it in levels),
            _count(lane["count"]),
        )
        for lane in document["lanes"]
    ]
    at_hand = document["at_hand"]
    rows.append(
        (
            "在办案件",
            "Open cases",
            *(_count(at_hand.get(it["code"], 0)) for it in levels),
            _count(sum(at_hand.values())),
        )
    )
    figures = range(2, len(headings))
    return [
        *table(headings, rows, right=figures),
        "",
        "一件可同时在几个栏目；时间类栏目按演示时钟计算。",
        "A case may lie in several lanes; lanes of dates go by the demo's clock.",
        "归档指令尚未建成，案例一因此列入“待归档”和“超期”。",
        "Archiving is not built yet: that is why case 1 lies in “to archive” and “overdue”.",
    ]


def _count(number: int) -> str:
    return str(number) if number else "·"


def _network(document: Document) -> list[str]:
    network = document["network"]
    rows: list[tuple[str, ...]] = []
    for level in document["levels"]:
        here = [it for it in network["points"] if it["level"] == level["code"]]
        here.sort(key=lambda it: it["name"]["zh"])
        real = [it["name"]["zh"] for it in here if it["is_real_name"]]
        sample = [it["name"]["zh"] for it in here if not it["is_real_name"]]
        rows.append(
            (
                level["label"]["zh"],
                level["label"]["en"],
                str(len(here)),
                "、".join(real) or "·",
                f"{sample[0]} … {sample[-1]}" if sample else "·",
            )
        )
    rows.append(("合计", "All", str(network["service_points"]), "", ""))
    headings = (
        Words("层级", "Level"),
        Words("", ""),
        Words("服务点", "Points"),
        Words("报道具名", "Named in the press"),
        Words("示例", "Samples"),
    )
    return [
        *table(headings, rows, right=(2,)),
        "",
        "总数76见于公开报道；各级分布、隶属和资格均系示例。",
        "The total of 76 is published; the split, who is under whom, what each may do are made up.",
        "虚构案例二按层级规则升至区级，与具名单位的实际工作无关。",
        "Invented case 2 ends at the top because the ladder leads there; no named body did this.",
    ]
