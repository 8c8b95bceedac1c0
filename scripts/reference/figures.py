"""The page of figures: what each counts, over what, and what it is made of."""

from __future__ import annotations

from collections.abc import Iterator

from mediation.codes import Label
from projections.statistics import FORMULAS, Formula, wording
from projections.statistics.formulas import REF
from scripts.reference.markup import below, beside, code, page, table

_UNITS = {
    "case": Label("件", "cases"),
    "ratio": Label("比率（1为全部）", "a share of 1"),
    "fen": Label("分", "fen"),
    "day": Label("天", "days"),
    "duty": Label("项", "dates"),
}


def figure_page() -> str:
    """Give every published figure."""
    return page(
        "Figures · 统计指标",
        f"Wording: `{REF}`. Days are those on which things happened; `at` and `position` ask as of "
        "what was recorded. No figure here is official. Levels and the heads of the return stand "
        "in [ladder.md](ladder.md); how they are asked for, in "
        "[read figures](../how-to/read-figures.md).",
        *(block for it in FORMULAS for block in _figure(it)),
    )


def _figure(formula: Formula) -> Iterator[str]:
    words = wording(formula)
    yield f"## {formula.code} {words.label.zh} · {words.label.en}"
    yield words.definition.zh
    yield words.definition.en
    yield "\n".join(f"- {line}" for line in _facts(formula))
    yield table(
        ["Part 组成", "Name 名称"],
        ([code(key), below(words.part(key))] for key in formula.parts),
    )


def _facts(formula: Formula) -> Iterator[str]:
    yield f"版本 · Version: {formula.version}"
    yield f"单位 · Unit: {beside(_UNITS[formula.unit])}"
    if formula.denominator:
        over, under = _sum(formula.numerator), _sum(formula.denominator)
        yield f"计算 · Computed as: ({over}) ÷ ({under})"
    elif formula.balance is None:
        yield f"计算 · Computed as: {_sum(formula.numerator)}"
    else:
        left, right = formula.balance
        yield f"恒等式 · Identity: {_sum(left)} = {_sum(right)}"
        yield f"数值 · Value: {_sum(formula.numerator)}"
    if formula.levels == "each":
        yield "分层级 · By level: 各级分别计算 each level alone"
    if formula.levels == "up-to":
        yield "分层级 · By level: 该级及以下 that level and those below"


def _sum(keys: tuple[str, ...]) -> str:
    first, *others = keys
    said = code(first)
    for key in others:
        sign = "−" if key.startswith("-") else "+"
        said += f" {sign} {code(key.removeprefix('-'))}"
    return said
