"""Leave out numbers too small to be told to somebody who does not see the cases (DOMAIN §10).

A number of one to four would tell of single people, and so would the difference between two that
are told: where one of a row is left out, the next smallest is, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from projections.statistics.figures import Compared, Figure, Figures, Number, Value
from projections.statistics.formulas import formula

SMALL = 5
"""From how many cases on a number says nothing of one of them."""

V = TypeVar("V", bound=Value)


def suppressed(told: Figures) -> Figures:
    """Give the figures without what is too small; null stands for it."""
    return msgspec.structs.replace(told, figures=tuple(map(_figure, told.figures)))


def _figure(figure: Figure) -> Figure:
    levels = [_value(it, figure.formula) for it in figure.levels]
    hidden = _also({it.level: it.numerator for it in levels})
    return msgspec.structs.replace(
        _value(figure, figure.formula),
        levels=tuple(_withheld(it) if it.level in hidden else it for it in levels),
        period_before=_compared(figure.period_before, figure.unit),
        year_before=_compared(figure.year_before, figure.unit),
    )


def _value(value: V, code: str) -> V:
    found = formula(code)
    if found is None:
        return _withheld(value)
    small = {it.key for it in value.parts if _is_small(_behind(it))}
    left = {it.key: _behind(it) for it in value.parts if it.key not in small}
    hidden = small | (_also({**left, **dict.fromkeys(small)}) if small else set())
    parts = tuple(_blank(it) if it.key in hidden else it for it in value.parts)
    used = {key.removeprefix("-") for key in (*found.numerator, *found.denominator)}
    if used & hidden or _is_telling(value.numerator, value.denominator):
        value = _withheld(value)
    return msgspec.structs.replace(value, parts=parts)


def _behind(number: Number) -> float | None:
    """Give how many cases a number counts, or was summed from."""
    return number.value if number.cases is None else number.cases


def _is_small(count: float | None) -> bool:
    return count is not None and 0 < count < SMALL


def _is_telling(numerator: float | None, denominator: float | None) -> bool:
    """Say whether a share tells of few: of those it counts, of those it does not, or of all."""
    if numerator is None or denominator is None:
        return False
    return any(map(_is_small, (numerator, denominator, denominator - numerator)))


def _also(row: dict[str, float | None]) -> set[str]:
    """Name the smallest number that is told, if exactly one of a row is not."""
    told = {key: value for key, value in row.items() if value}
    if sum(value is None for value in row.values()) != 1 or not told:
        return set()
    return {min(told, key=lambda key: (told[key], key))}


def _blank(number: Number) -> Number:
    return msgspec.structs.replace(number, value=None, workers=None, cases=None)


def _withheld(value: V) -> V:
    parts: Iterable[Number] = map(_blank, value.parts)
    return msgspec.structs.replace(
        value, value=None, numerator=None, denominator=None, parts=tuple(parts)
    )


def _compared(then: Compared, unit: str) -> Compared:
    # How few cases stand behind a sum of money or a number of days is not told here.
    is_open = unit not in ("fen", "day") and not _is_small(then.numerator)
    if is_open and not _is_telling(then.numerator, then.denominator):
        return then
    return msgspec.structs.replace(then, value=None, numerator=None, denominator=None, change=None)
