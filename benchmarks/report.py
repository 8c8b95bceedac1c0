"""What is measured, what it is held against, and how it is told; nothing is measured here."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import msgspec


class Goal(NamedTuple):
    """One measure: its id, what is ours and what the reference, and how far it should come.

    `floor` and `target` are of `ratio` = ours / reference; `is_most`: the ratio is to be at most
    so much instead of at least. `dominates` says what the time is spent on, from a profile.
    """

    id: str
    ours: str
    reference: str
    unit: str
    floor: float
    target: float
    is_most: bool
    dominates: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One measured goal on one database, as `--json` tells it.

    `ok`: the floor holds, in the direction that the goal names. `rounds` are the pairs (ours,
    reference) as they were measured; `ours` and `reference` are their medians.
    """

    id: str
    backend: str
    ours: float
    reference: float
    ratio: float
    floor: float
    target: float
    ok: bool
    unit: str
    what: str
    against: str
    direction: str
    size: str
    dominates: str
    rounds: tuple[tuple[float, float], ...]


def row(
    goal: Goal, backend: str, ours: Sequence[float], reference: Sequence[float], *, size: str
) -> Row:
    """Sum up the rounds of a goal.

    Args:
        goal: what was measured.
        backend: `sqlite` or `postgresql`.
        ours: one figure a round, in the goal's unit.
        reference: of the same rounds.
        size: what the measure ran on, in words.
    """
    own, other = median(ours), median(reference)
    ratio = own / other if other else 0.0
    return Row(
        id=goal.id,
        backend=backend,
        ours=_rounded(own),
        reference=_rounded(other),
        ratio=_rounded(ratio),
        floor=goal.floor,
        target=goal.target,
        ok=ratio <= goal.floor if goal.is_most else ratio >= goal.floor,
        unit=goal.unit,
        what=goal.ours,
        against=goal.reference,
        direction="at most" if goal.is_most else "at least",
        size=size,
        dominates=goal.dominates,
        rounds=tuple((_rounded(a), _rounded(b)) for a, b in zip(ours, reference, strict=True)),
    )


def _rounded(figure: float) -> float:
    return float(f"{figure:.4g}")


def table(rows: Sequence[Row], told: Sequence[str]) -> str:
    """Give the rows as a table for people, and below it what dominates each."""
    heads = ("id", "database", "ours", "reference", "unit", "ratio", "floor", "target", "")
    lines = [heads, *(_cells(it) for it in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(heads))]
    text = [
        "  ".join(
            cell.rjust(width)
            if _FIRST_NUMBER <= at <= _LAST_NUMBER and at != _UNIT
            else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    notes = [
        f"{it.id} {it.backend}: {it.what} / {it.against}; {it.size}. {it.dominates}" for it in rows
    ]
    return "\n".join([*told, "", *text, "", *notes])


_FIRST_NUMBER, _UNIT, _LAST_NUMBER = 2, 4, 7


def _cells(it: Row) -> tuple[str, ...]:
    sign = "<=" if it.direction == "at most" else ">="
    return (
        it.id,
        it.backend,
        _shown(it.ours),
        _shown(it.reference),
        it.unit,
        f"{it.ratio:.2f}",
        f"{sign} {it.floor:g}",
        f"{sign} {it.target:g}",
        "ok" if it.ok else "below" if it.id in BINDING else "short",
    )


def _shown(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"  # noqa: PLR2004 - three digits


BINDING = frozenset({"G16"})
"""The goals whose floor decides whether a run is good: a speed that loses events is none."""


def is_good(rows: Sequence[Row]) -> bool:
    """Say whether every floor that binds holds."""
    return all(it.ok for it in rows if it.id in BINDING)
