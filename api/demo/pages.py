"""The document of the demo set as pages of text, at most 100 columns wide; nothing is read here."""

from __future__ import annotations

from collections.abc import Iterator

from api.demo.figures import figures_page, moments_page
from api.demo.progress import headed
from api.demo.report import Document
from api.demo.timeline import climb_picture, timeline, yuan
from api.screen import Words, table, wrapped
from mediation.calendar import CATALOGUE
from mediation.codes import label

COLUMNS = 100
_BAR = 30


def pages(document: Document) -> list[str]:
    """Set every page: the stories, what their dates mean, the lanes, the network."""
    lines = [*headed("一览", "At a glance"), *_glance(document)]
    for story in document["stories"]:
        lines += story_page(document, story)
    lines += [*headed("期限代码", "What the dates are"), *_codes(document)]
    lines += [*headed("各级工作栏目", "Lanes per level"), *_lanes(document)]
    lines += [*headed("统计指标", "Figures"), *figures_page(document)]
    lines += [*headed("当时所知", "What was known then"), *moments_page(document)]
    lines += [*headed("四级联网服务点", "The network per level"), *_network(document)]
    lines += [*headed("尚未建成", "Not built yet"), *_paragraphs(NOT_BUILT)]
    return lines


NOT_BUILT = (
    Words(
        "归档、回访、事后抽查尚不能登记：已办结的案件留在“待归档”，旧案的归档期限因此列入“超期”。",
        "Archiving, return visits and spot reviews cannot be recorded yet: closed cases stay in "
        "“to archive”, and the old ones count as overdue.",
    ),
    Words(
        "苗头、咨询、巡回服务尚不能登记：案例一因此以“信息联络员报告”渠道登记。",
        "Signals, consultations and circuit visits cannot be recorded yet: that is why case 1 "
        "enters as a liaison officer's report.",
    ),
    Words(
        "仲裁审查、司法确认、回避、分案并案、暂缓、重启、月报均未建成；“逾期”“催办督办”栏目因此为空。",
        "Review and confirmation, recusal, splitting and merging, suspension, reopening and the "
        "monthly report are not built; so the lanes “not performed in time” and “urged” stay "
        "empty.",
    ),
)


def _glance(document: Document) -> list[str]:
    """Set every story as one row."""
    headings = (
        Words("案例", "Case"),
        Words("", ""),
        Words("性质", "Kind"),
        Words("出处", "Source"),
        Words("人数", "Workers"),
        Words("已付（元）", "Paid (¥)"),
        Words("现状", "Now"),
    )
    rows = []
    for at, story in enumerate(document["stories"], start=1):
        case, brief = document["cases"][story["name"]], story["brief"]
        kind, now = case["matter_kind_label"], case["phase_label"]
        rows.append(
            (
                str(at),
                (brief["zh"], brief["en"]),
                (kind["zh"], kind["en"]),
                ("公开报道", "published") if story["is_published"] else ("虚构", "invented"),
                str(case["workers"]),
                yuan(case["paid_fen"]),
                (now["zh"], now["en"]),
            )
        )
    others = len(document["cases"]) - len(rows)
    count = document["commands"]
    return [
        *table(headings, rows, right=(4, 5)),
        "",
        f"另有{others}件虚构小案停在不同环节，见“各级工作栏目”。演示共经接口下达{count}条指令。",
        f"Another {others} small invented cases wait at different stages: see the lanes.",
        f"The demo gave {count} commands, all over HTTP.",
    ]


def story_page(document: Document, story: Document) -> list[str]:
    """Set one story: what its source leaves open, the case, its timeline, what is still open."""
    bodies = (*document["network"]["points"], *document["network"]["beside"])
    names = {it["body_id"]: it["name"] for it in bodies}
    level_of = {it["body_id"]: it["level"] for it in bodies}
    case = document["cases"][story["name"]]
    heading = (
        Words("报道未载明的内容", "What the report does not say")
        if story["is_published"]
        else Words("虚构说明", "What is invented")
    )
    unsaid = [Words(**it) for it in story["unsaid"]]
    source = story["source"]
    return [
        *headed(**story["title"]),
        *([f"出处：{source['zh']}", f"Source: {source['en']}", ""] if source else []),
        f"{heading.zh} · {heading.en}",
        *_paragraphs(unsaid),
        "",
        *_summary(case),
        "",
        *climb_picture(case["history"], document["levels"], level_of),
        *timeline(case["history"], names),
        *_refusals(case),
        *_open_dates(case, document["today"]),
    ]


def _paragraphs(texts: tuple[Words, ...] | list[Words]) -> Iterator[str]:
    """Set paragraphs one under the other, each numbered, English below Chinese."""
    for at, words in enumerate(texts, start=1):
        yield from _hanging(f"{at}. ", words.zh)
        yield from _hanging("   ", words.en)


def _hanging(mark: str, text: str) -> Iterator[str]:
    """Set a paragraph behind a mark of narrow characters, its other lines under the first."""
    for at, line in enumerate(wrapped(text, COLUMNS - len(mark))):
        yield (" " * len(mark) if at else mark) + line


def _summary(case: Document) -> list[str]:
    claimed, agreed, paid = (yuan(case[it]) for it in ("claimed_fen", "agreed_fen", "paid_fen"))
    zh = [
        case["case_number"],
        case["matter_kind_label"]["zh"],
        f"{case['workers']}人",
        case["level_label"]["zh"],
        case["phase_label"]["zh"],
        f"风险{case['risk_label']['zh']}",
    ]
    en = [
        case["matter_kind_label"]["en"],
        "1 worker" if case["workers"] == 1 else f"{case['workers']} workers",
        case["level_label"]["en"],
        case["phase_label"]["en"],
        f"risk {case['risk_label']['en'].lower()}",
    ]
    money = Words(
        f"请求{claimed}元 · 应付{agreed}元 · 已付{paid}元",
        f"claimed ¥{claimed} · due ¥{agreed} · paid ¥{paid}",
    )
    if case["is_recurring"]:
        money = Words(
            f"每月应付{agreed}元 · 首月已付{paid}元",
            f"due each month ¥{agreed} · paid for the first ¥{paid}",
        )
    return [" · ".join(zh), " · ".join(en), f"{money.zh} {_share(case)}", money.en, *_days(case)]


def _share(case: Document) -> str:
    full = _BAR * case["paid_fen"] // case["agreed_fen"] if case["agreed_fen"] else 0
    return "█" * full + "░" * (_BAR - full)


def _days(case: Document) -> list[str]:
    """Tell on which day after the registration it was concluded, and paid."""
    zh, en = [], []
    concluded, performed = case["concluded_after_days"], case["performed_after_days"]
    if concluded is not None:
        outcome = label("outcomes", case["outcome"])
        zh.append(f"第{concluded}天调解结案（{outcome.zh}）")
        en.append(f"concluded on day {concluded} ({outcome.en.lower()})")
    if performed is not None:
        zh.append(f"第{performed}天{'首月' if case['is_recurring'] else ''}付清")
        en.append(f"paid {'' if case['is_recurring'] else 'in full '}on day {performed}")
    if not zh:
        return []
    return [
        "登记后" + "、".join(zh) + "（登记当日为第0天）",
        "After registration: " + ", ".join(en),
    ]


def _refusals(case: Document) -> Iterator[str]:
    """Tell what was tried and is not allowed, and what was rehearsed before it was done."""
    if case["rehearsed"] is not None:
        yield ""
        count = case["rehearsed"]
        yield f"先预演：将产生{count}个事件，一个也未写入；再提交：一次全部写入。"
        yield f"Rehearsed: {count} events, none of them written. Then submitted: all at once."
    for attempt in case["attempts"]:
        words = label("commands", _class_name(attempt["command"]))
        yield ""
        yield from _hanging("× ", f"试办“{words.zh}”，系统不予办理：{attempt['said']['zh']}")
        yield from _hanging("  ", f"Tried: {words.en.lower()}. Refused: {attempt['said']['en']}")


def _class_name(command: str) -> str:
    return "".join(part.capitalize() for part in command.split("-"))


def _open_dates(case: Document, today: str) -> Iterator[str]:
    """List the dates that are still open, each with how it came about."""
    yield ""
    if not case["open_dates"]:
        yield f"截至{today}没有未了结的期限 · No date is open on {today}"
        return
    yield f"截至{today}尚未了结的期限 · Dates still open on {today}"
    for due in case["open_dates"]:
        over = "  已过期 overdue" if due["is_over"] else ""
        yield f"{due['code']}  {due['due_on']}{over}"
        yield from _hanging("     ", due["explain"]["zh"])
        yield from _hanging("     ", due["explain"]["en"])


def _codes(document: Document) -> Iterator[str]:
    """Say what each date that occurs in a timeline is about."""
    found = {
        due["code"]
        for story in document["stories"]
        for item in document["cases"][story["name"]]["history"]
        for due in item["due"]
    }
    for code in sorted(found):
        yield from _hanging(f"{code}  ", CATALOGUE[code].duty_zh)
        yield from _hanging("     ", CATALOGUE[code].duty_en)


def _lanes(document: Document) -> list[str]:
    levels = document["levels"]
    headings = (
        Words("栏目", "Lane"),
        Words("", ""),
        *(Words(it["label"]["zh"], it["code"].partition("-")[0]) for it in levels),
        Words("合计", "All"),
    )
    counted = [(it["label"], it["by_level"], it["count"]) for it in document["lanes"]]
    at_hand = document["at_hand"]
    counted.append(({"zh": "在办案件", "en": "Open cases"}, at_hand, sum(at_hand.values())))
    rows = [
        (
            words["zh"],
            wrapped(words["en"], 24),
            *(str(by_level.get(it["code"], "·")) for it in levels),
            str(count),
        )
        for words, by_level, count in counted
        if count
    ]
    empty = [words for words, _, count in counted if not count]
    return [
        *table(headings, rows, right=range(2, len(headings))),
        "",
        *_hanging("", "暂无案件的栏目：" + "、".join(it["zh"] for it in empty) + "。"),
        *_hanging("", "Lanes without a case: " + "; ".join(it["en"].lower() for it in empty) + "."),
        "一件可同时在几个栏目；时间类栏目按演示时钟计算。",
        "A case may lie in several lanes; lanes of dates go by the demo's clock.",
    ]


def _network(document: Document) -> list[str]:
    network = document["network"]
    rows: list[tuple[str | list[str], ...]] = []
    named = []
    for level in reversed(document["levels"]):
        here = [it for it in network["points"] if it["level"] == level["code"]]
        named += [it["name"] for it in here if it["is_real_name"]]
        words = level["label"]
        rows.append((words["zh"], words["en"], str(len(here)), "█" * len(here)))
    rows.append(("合计", "All", str(network["service_points"]), ""))
    headings = (
        Words("层级", "Level"),
        Words("", ""),
        Words("服务点", "Points"),
        Words("", ""),
    )
    beside = network["beside"][0]["name"]
    return [
        *table(headings, rows, right=(2,)),
        "",
        *_hanging("", "报道具名：" + "、".join(it["zh"] for it in named) + "；其余均系示例。"),
        *_hanging("", f"Named in the press: {', '.join(it['en'] for it in named)}; no other."),
        *_paragraphs(
            (
                Words(
                    "总数76见于公开报道；各级如何分布、谁隶属于谁、人员和资格均未公布，均系示例。",
                    "The total of 76 is published; how it divides over the levels, who is under "
                    "whom, who works there and what each may do are made up.",
                ),
                Words(
                    f"另设“{beside['zh']}”演示案例二，不属本区，不计入76家。",
                    f"Beside it stands the “{beside['en']}” of case 2: no part of the district and "
                    "none of the 76.",
                ),
            )
        ),
    ]
