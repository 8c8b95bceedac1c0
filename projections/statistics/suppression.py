"""Leave out numbers too small to be told to somebody who does not see the cases (DOMAIN §10).

A number of one to four would tell of single people, and it is not hidden while it follows from
numbers that are told: so many others are left out that it does not (complementary suppression).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from math import gcd
from typing import TypeVar

import msgspec

from projections.statistics.figures import Compared, Figure, Figures, Number, Value
from projections.statistics.formulas import Days, Flow, Formula, Mean, Stock
from projections.statistics.periods import Period
from projections.statistics.relations import Cell, Column, Counted, Relation, columns

SMALL = 5
"""From how many cases on a number says nothing of one of them."""

V = TypeVar("V", bound=Value)

_Row = dict[int, int]
"""A relation whose cells are numbered."""


def suppressed(worked_out: Figures, at_source: AbstractSet[str]) -> Figures:
    """Give the figures without what is too small, and what that would follow from; null for each.

    Args:
        worked_out: every figure: what is told of one depends on what is told of the others.
        at_source: codes of the levels that count as the source.
    """
    now = Period(worked_out.first, worked_out.last)
    told: dict[Cell, float] = {}
    small: set[Cell] = set()
    for name, value, cases in _cells(worked_out, now):
        told[name] = value
        if is_small(value) or (cases is not None and is_small(cases)):
            small.add(name)
    counted = Counted(worked_out, at_source)
    balance = Balance(counted.relations(), counted.nested(), told, small)
    balance.hide_what_follows()
    shown = _Shown(balance.told())
    figures = tuple(shown.figure(it, columns(it, now)) for it in worked_out.figures)
    return msgspec.structs.replace(worked_out, figures=figures)


def is_small(count: float) -> bool:
    """Say whether a number tells of few; one below nothing tells of facts that are wrong."""
    return count < SMALL and count != 0


def _cells(worked_out: Figures, now: Period) -> Iterator[tuple[Cell, float, int | None]]:
    """Give every number of an answer that is counted, with the cases behind it."""
    for figure in worked_out.figures:
        whole, before, year_before, *rows = columns(figure, now)
        for value, column in ((figure, whole), *zip(figure.levels, rows, strict=True)):
            for it in value.parts:
                if it.value is not None and not _is_derived(column.formula, it.key):
                    yield column.part(it.key), it.value, it.cases
        compared = ((figure.period_before, before), (figure.year_before, year_before))
        for then, column in compared if _counts_cases(whole.formula) else ():
            for number, keys in (
                (then.numerator, whole.formula.numerator),
                (then.denominator, whole.formula.denominator),
            ):
                if number is not None and keys:
                    yield column.total(keys), number, None


def _is_derived(formula: Formula, key: str) -> bool:
    """Say whether a part is no count of its own, and told where the cases are that it is of."""
    measure = formula.parts.get(key)
    is_workers = isinstance(measure, Flow) and measure.measure == "workers"
    return is_workers or isinstance(measure, Days | Mean)


def _counts_cases(formula: Formula) -> bool:
    """Say whether a figure counts cases alone: how few are behind another then, is not known."""
    used = (
        formula.parts[it.removeprefix("-")] for it in (*formula.numerator, *formula.denominator)
    )
    return all(
        isinstance(it, Stock) or (isinstance(it, Flow) and it.measure == "cases") for it in used
    )


class Balance:
    """The relations between cells, solved for those that are not told.

    Each row has one unknown of its own (its pivot), which stands in no other; so an unknown follows
    from what is told exactly if a row has no other. To hide a cell is to make it an unknown.

    Args:
        given: what holds between cells.
        nested: cells, and others that are a part of them.
        told: what they come to.
        hidden: those of them that are not to be told.
    """

    def __init__(
        self,
        given: Iterable[Relation],
        nested: Iterable[tuple[Cell, Cell]],
        told: Mapping[Cell, float],
        hidden: Iterable[Cell],
    ) -> None:
        # Numbers are quick to look up; a cell is not.
        self._cells: dict[Cell, int] = {}
        self._hidden = {self._number(it) for it in hidden}
        self._told = {self._number(it): value for it, value in told.items()}
        for it in self._hidden:
            del self._told[it]
        self._given = [
            {self._number(it): times for it, times in relation.items()} for relation in given
        ]
        self._nested = [(self._number(it), self._number(of)) for it, of in nested]
        self._rows: list[_Row] = []
        self._holding: dict[int, set[int]] = defaultdict(set)
        self._pivots: dict[int, int] = {}
        for row in self._given:
            self._add(row)

    def told(self) -> set[Cell]:
        """Give the cells that are told."""
        return {cell for cell, number in self._cells.items() if number in self._told}

    def hide_what_follows(self) -> None:
        """Hide the smallest number of all from which a hidden one follows, until none does."""
        found = True
        while found:
            found = False
            for pair in self._nested:
                if all(it in self._told for it in pair):
                    whole, some = pair
                    # What is a part of nothing is nothing.
                    if self._told[some] and is_small(self._told[whole] - self._told[some]):
                        self._hide(some)
                        found = True
            for at in range(len(self._given) + len(self._rows)):
                while self._is_telling(self._row(at)):
                    known = [it for it in self._row(at) if self._told.get(it)]
                    if not known:
                        break
                    self._hide(min(known, key=lambda it: (abs(self._told[it]), it)))
                    found = True

    def _number(self, cell: Cell) -> int:
        return self._cells.setdefault(cell, len(self._cells))

    def _row(self, at: int) -> _Row:
        given = len(self._given)
        return self._given[at] if at < given else self._rows[at - given]

    def _is_telling(self, row: _Row) -> bool:
        """Say whether a relation gives away a hidden number, or that few are behind several."""
        least, most, unknown = 0, 0, []
        for it, times in row.items():
            if it not in self._told:
                least, most = min(least, times), max(most, times)
                if least < 0 < most:
                    return False
                unknown.append(it)
        if len(unknown) == 1 and unknown[0] in self._hidden:
            return True
        if not unknown:
            return False
        left = sum(times * self._told[it] for it, times in row.items() if it in self._told)
        bound = SMALL * min(abs(row[it]) for it in unknown)
        return 0 < (left if least < 0 else -left) < bound

    def _hide(self, cell: int) -> None:
        del self._told[cell]
        self._hidden.add(cell)
        for at in self._holding[cell]:
            if all(it in self._told or it == cell for it in self._rows[at]):
                self._solve(at, cell)
                return

    def _add(self, given: _Row) -> None:
        row = given
        for cell in given:
            if cell in self._pivots and cell in row:
                row = _without(cell, row, self._rows[self._pivots[cell]])
        if not row:
            return
        at = len(self._rows)
        self._rows.append(row)
        for cell in row:
            self._holding[cell].add(at)
        unknown = [it for it in row if it not in self._told]
        if unknown:
            self._solve(at, min(unknown, key=lambda it: (len(self._holding[it]), it)))

    def _solve(self, at: int, pivot: int) -> None:
        """Make an unknown the one of a row alone."""
        self._pivots[pivot] = at
        for other in self._holding[pivot] - {at}:
            before = self._rows[other]
            after = self._rows[other] = _without(pivot, before, self._rows[at])
            for cell in before.keys() - after.keys():
                self._holding[cell].discard(other)
            for cell in after.keys() - before.keys():
                self._holding[cell].add(other)


def _without(cell: int, row: _Row, other: _Row) -> _Row:
    """Take another relation from one, as often as it takes for a cell to be gone."""
    shared = gcd(row[cell], other[cell])
    times, less = other[cell] // shared, row[cell] // shared
    found = {it: n * times for it, n in row.items()}
    for it, n in other.items():
        left = found.get(it, 0) - n * less
        if left:
            found[it] = left
        else:
            found.pop(it, None)
    return found


class _Shown:
    """What is shown of figures, where only some cells are told."""

    def __init__(self, told: AbstractSet[Cell]) -> None:
        self._told = told

    def figure(self, figure: Figure, of: tuple[Column, ...]) -> Figure:
        """Give a figure as far as it is told."""
        now, before, year_before, *levels = of
        shown = self._value(figure, now)
        return msgspec.structs.replace(
            shown,
            levels=tuple(self._value(*it) for it in zip(figure.levels, levels, strict=True)),
            period_before=self._compared(figure.period_before, before, now),
            year_before=self._compared(figure.year_before, year_before, now),
        )

    def _value(self, value: V, column: Column) -> V:
        parts = tuple(self._number(it, column) for it in value.parts)
        if not self._tells(column):
            value = msgspec.structs.replace(value, value=None, numerator=None, denominator=None)
        return msgspec.structs.replace(value, parts=parts)

    def _tells(self, column: Column) -> bool:
        """Say whether all is told that a figure is divided or summed from."""
        formula = column.formula
        return all(
            column.part(it) in self._told for it in (*formula.numerator, *formula.denominator)
        )

    def _number(self, number: Number, column: Column) -> Number:
        is_told = column.part(number.key) in self._told
        return msgspec.structs.replace(
            number,
            value=number.value if is_told else None,
            workers=number.workers if is_told else None,
            cases=None,
        )

    def _compared(self, then: Compared, column: Column, now: Column) -> Compared:
        """Give another period if both are told: a change would tell of the one that is not."""
        formula = column.formula
        sides = [it for it in (formula.numerator, formula.denominator) if it]
        is_told = _counts_cases(formula) and all(column.total(it) in self._told for it in sides)
        if is_told and self._tells(now):
            return then
        return msgspec.structs.replace(
            then, value=None, numerator=None, denominator=None, change=None
        )
