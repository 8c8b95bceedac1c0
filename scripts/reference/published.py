"""The pages of deadlines, of code tables and of errors; ladders stand in a file of their own."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from api.errors import URN, status_of
from mediation import codes
from mediation.calendar import CATALOGUE, cite
from mediation.codes import Label
from mediation.errors import MediationError
from scripts.reference.lifecycle import guards
from scripts.reference.markup import (
    below,
    code,
    described,
    link,
    page,
    prose,
    rest,
    table,
)

_PACKAGES = ("mediation", "projections", "api")
_UNITS = {
    "wd": Label("个工作日", "working days"),
    "cd": Label("日", "calendar days"),
    "ch": Label("小时", "clock hours"),
    "mo": Label("个月", "months"),
}


def length(amount: int | None, unit: str) -> str:
    """Give a length of time in both languages; without an amount somebody else sets it."""
    words = _UNITS.get(unit, Label(unit, unit))
    if amount is None:
        return below(Label(f"另行确定（{words.zh}）", f"set elsewhere, in {words.en}"))
    one = words.en.removesuffix("s") if amount == 1 else words.en
    return below(Label(f"{amount}{words.zh}", f"{amount} {one}"))


def source(article: str) -> Label:
    """Spell a legal source out; one of a law that has no name here is given as it is written."""
    try:
        return Label(**cite(article))
    except (KeyError, ValueError):
        return Label(article, article)


def deadline_page() -> str:
    """Give the catalogue of deadlines."""
    shown = ("code", "unit", "length", "article", "starts_zh", "starts_en", "duty_zh", "duty_en")
    # The names of the laws stand beside the function that spells a source out.
    laws = importlib.import_module(cite.__module__).LAWS
    return page(
        "Deadlines · 期限",
        "What the ladder of a case sets goes before the length given here, see "
        "[ladder.md](ladder.md). The day on which a clock starts is not counted.",
        table(
            ["Code", "Length 期限", "From 起算", "Duty 事项", "Source 依据"],
            (
                [
                    "<br>".join([code(rule.code), *rest(rule, *shown)]),
                    length(rule.length, rule.unit),
                    below(Label(rule.starts_zh, rule.starts_en)),
                    below(Label(rule.duty_zh, rule.duty_en)),
                    below(source(rule.article)),
                ]
                for rule in CATALOGUE.values()
            ),
        ),
        "## Laws",
        table(
            ["Code", "Law 法律法规", "Number 文号", "Version 版本"],
            (
                [code(name), below(Label(it.zh, it.en)), it.number or "", it.version]
                for name, it in laws.items()
            ),
        ),
    )


def code_page() -> str:
    """Give every code table."""
    names = codes.tables()
    return page(
        "Codes · 代码表",
        f"Version {code(codes.REF)}, {code(codes.DIGEST)}. A released table is never edited, and a "
        "later version only adds. From "
        f"{link(names[len(codes.coded())])} on there are wordings of screens: none is ever stored.",
        ", ".join(link(name) for name in names),
        *(
            block
            for name in names
            for block in (
                f"## {name}",
                table(
                    ["Code", "中文", "English"],
                    (
                        [code(key), prose(it.zh), prose(it.en)]
                        for key, it in codes.table(name).items()
                    ),
                ),
            )
        ),
    )


def error_kinds() -> list[type[MediationError]]:
    """Give every error of the project, the root first, each before those that are kinds of it."""
    # What nobody has imported yet is unknown to its own root.
    for name in _PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    return list(dict.fromkeys(_below(MediationError)))


def _below(kind: type[MediationError]) -> Iterator[type[MediationError]]:
    if kind.__module__.partition(".")[0] in _PACKAGES and not kind.__name__.startswith("_"):
        yield kind
        for lower in sorted(kind.__subclasses__(), key=lambda it: (it.code, it.__name__)):
            yield from _below(lower)


def error_page() -> str:
    """Give every error with its status, and the refusals that have a registry."""
    rows = [
        [
            f"{code(kind.code)}<br>{kind.__name__}",
            str(_status(kind)),
            below(Label(kind.title.zh, kind.title.en)),
            described(kind)[0].partition("\n")[0],
            "" if kind is MediationError else ", ".join(it.__name__ for it in kind.__bases__),
        ]
        for kind in error_kinds()
    ]
    refusals = [
        *((name, Label(it.zh, it.en)) for name, (_holds, it) in guards().items()),
        *codes.table("move_refusals").items(),
    ]
    return page(
        "Errors · 错误",
        f"An error is a problem document (RFC 9457) whose `type` is {code(URN)} and the code, "
        "in the language asked for and beside it in both. One of status 500 tells only an id. "
        "An error may be raised with a narrower code of its own and keeps the title of its class.",
        table(["Code", "Status", "Title 标题", "Meaning", "Kind of"], rows),
        "## Refusals",
        "Every refusal says what to do instead. Here are those of the "
        "[guards](lifecycle.md#guards) and of the [ladder](codes.md#move_refusals); a decision "
        "may add its own.",
        table(["Code", "Sentence 说明"], ([code(name), below(it)] for name, it in refusals)),
    )


def _status(kind: type[MediationError]) -> int:
    # An error without its sentence: only class and code decide the status.
    return status_of(kind.__new__(kind))
