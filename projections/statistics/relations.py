"""What holds between the numbers of one answer by definition: sums, identities, levels, moves.

Read off the formulas: whoever knows how figures are counted can reckon with all of this, so
`suppression` does. Nothing is hidden here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from itertools import product

from projections.statistics.behind import measure_of
from projections.statistics.figures import Figure, Figures
from projections.statistics.formulas import (
    SIDEWAYS,
    Days,
    Flow,
    Formula,
    K,
    Measure,
    Mix,
    Stock,
    formula,
)
from projections.statistics.ledger import AGAIN, MOVES, NEW
from projections.statistics.periods import DAY, Period

Cell = tuple[Hashable, ...]
"""A number by what it counts, when, and on which level (None: all), wherever it stands."""

Relation = dict[Cell, int]
"""So often each of these cells: together they come to nothing."""

_CODES: Mapping[str, tuple[str, ...]] = {
    "accepted": (NEW, AGAIN),
    "moved-in": tuple(MOVES.values()),
    "moved-out": tuple(MOVES.values()),
}
"""All that lines of a term can say. Of other terms there may be more than the formulas name."""


def cell(measure: Measure, period: Period, level: str | None = None) -> Cell:
    """Name the cell of what is measured; days and workers go with the cases that were counted."""
    if isinstance(measure, Stock):
        day = period.first if measure.at == "opening" else period.last + DAY
        return (measure.stock, day, level)
    if isinstance(measure, Days):
        measure = K
    if isinstance(measure, Flow) and measure.measure == "workers":
        measure = measure._replace(measure="cases")
    return (measure, period, level)


class Column:
    """A figure in one period: of all bodies, or of one level."""

    def __init__(self, found: Formula, period: Period, level: str | None = None) -> None:
        self.formula, self.period, self.level = found, period, level

    def part(self, key: str) -> Cell:
        """Give the cell of a part. In a row of F11 only what was solved there is not of all."""
        measure = measure_of(self.formula, key.removeprefix("-"))
        is_of_all = self.formula.levels == "up-to" and not _is_at_source(measure)
        return cell(measure, self.period, None if is_of_all else self.level)

    def total(self, keys: Sequence[str]) -> Cell:
        """Give the cell of a numerator or a denominator."""
        if len(keys) == 1:
            return self.part(keys[0])
        return ("sum", frozenset(self._signed(keys).items()))

    def _signed(self, keys: Iterable[str]) -> Relation:
        return {self.part(key): -1 if key.startswith("-") else 1 for key in keys}

    def relations(self) -> Iterator[Relation]:
        """Give what holds within the column."""
        some, whole, balance = (getattr(self.formula, it) for it in _SIDES)
        for keys in (some, whole):
            if len(keys) > 1:
                yield {self.total(keys): -1, **self._signed(keys)}
        if whole:
            yield _split(self.total(whole), self.total(some))
        if balance is not None:
            came, went = map(self._signed, balance)
            yield {**came, **dict.fromkeys(went, -1)}


_SIDES = ("numerator", "denominator", "balance")


def _is_at_source(measure: Measure) -> bool:
    return isinstance(measure, Flow) and measure.at_source


def _split(whole: Cell, some: Cell) -> Relation:
    """Say that a cell is another and the rest, which no figure tells."""
    return {whole: 1, some: -1, ("rest", whole, some): -1}


def columns(figure: Figure, now: Period) -> tuple[Column, ...]:
    """Give the columns of a figure: of all, of the period before, of the year before, by level."""
    found = formula(figure.formula)
    if found is None:
        raise LookupError(figure.formula)
    compared = (Period(it.first, it.last) for it in (figure.period_before, figure.year_before))
    return (
        *(Column(found, it) for it in (now, *compared)),
        *(Column(found, now, it.level) for it in figure.levels),
    )


class Counted:
    """The flows that an answer counts, by period and level, and those of which it tells each code.

    Args:
        told: the answer, of every figure.
        at_source: codes of the levels that count as the source.
    """

    def __init__(self, told: Figures, at_source: AbstractSet[str]) -> None:
        self._at_source = at_source
        self._now = now = Period(told.first, told.last)
        self._columns = [columns(it, now) for it in told.figures]
        self._levels = {it.formula: tuple(each.level for each in it.levels) for it in told.figures}
        self._mixed: set[Flow] = set()
        self._flows: dict[tuple[Period, str | None], dict[Flow, None]] = defaultdict(dict)
        for figure, (whole, *others) in zip(told.figures, self._columns, strict=True):
            for it in (whole, *others):
                flows = _flows(it.formula.parts.values())
                self._flows[it.period, it.level].update(dict.fromkeys(flows))
            mixes = [it.flow for it in whole.formula.parts.values() if isinstance(it, Mix)]
            said = (measure_of(whole.formula, it.key) for it in figure.parts if "." in it.key)
            self._flows[now, None].update(dict.fromkeys((*mixes, *_flows(said))))
            self._mixed.update(mixes)

    def relations(self) -> Iterator[Relation]:
        """Give all that holds between the numbers of the answer."""
        for whole, *others in self._columns:
            for column in (whole, *others):
                yield from column.relations()
            yield from _of_levels(whole, self._levels[whole.formula.code])
            yield from self._at_the_source(whole)
        for (period, level), flows in self._flows.items():
            mixed = self._mixed if (period, level) == (self._now, None) else frozenset()
            for relation in _divided(flows, mixed):
                yield {(name, period, level): times for name, times in relation.items()}
        yield from _moved(self._by_level(), self._now)

    def _by_level(self) -> dict[str | None, dict[Flow, None]]:
        now = self._now
        return {level: flows for (period, level), flows in self._flows.items() if period == now}

    def nested(self) -> Iterator[tuple[Cell, Cell]]:
        """Give each number and another that is a part of it, whose difference tells of the rest."""
        now, of_all = self._now, tuple(self._flows[self._now, None])
        for (period, level), counted in self._flows.items():
            flows = tuple(counted)
            for whole, some in _parts(flows, flows):
                yield cell(whole, period, level), cell(some, period, level)
            if level is not None:
                for whole, some in (*_parts(of_all, flows), *((it, it) for it in flows)):
                    if not _is_move(some):
                        yield cell(whole, now), cell(some, now, level)
        for column, *_ in self._columns:
            yield from self._below(column)

    def _below(self, column: Column) -> Iterator[tuple[Cell, Cell]]:
        for upto, plain, levels in self._solved(column):
            for level in levels:
                flows = tuple(self._flows[self._now, level])
                for some in (plain, *(it for _, it in _parts((plain,), flows))):
                    yield upto, cell(some, self._now, level)

    def _at_the_source(self, whole: Column) -> Iterator[Relation]:
        for upto, plain, levels in self._solved(whole):
            yield {upto: -1, **{cell(plain, self._now, it): 1 for it in levels}}
            yield _split(cell(plain, self._now), upto)

    def _solved(self, whole: Column) -> Iterator[tuple[Cell, Flow, Sequence[str]]]:
        """Give the cells of what was solved at the source, and up to each level; what, where."""
        levels = self._levels[whole.formula.code]
        for measure in whole.formula.parts.values():
            if isinstance(measure, Flow) and measure.at_source:
                plain = measure._replace(at_source=False)
                source = [it for it in levels if it in self._at_source]
                yield cell(measure, self._now), plain, source
                for at, level in enumerate(levels):
                    yield cell(measure, self._now, level), plain, levels[: at + 1]


def _flows(measures: Iterable[Measure]) -> Iterator[Flow]:
    for it in measures:
        if isinstance(it, Flow) and it.measure != "fen" and not it.at_source:
            yield it._replace(measure="cases")


def _of_levels(whole: Column, levels: Sequence[str]) -> Iterator[Relation]:
    """Say that the levels come to all; moves between them are none of all."""
    for measure in whole.formula.parts.values() if whole.formula.levels == "each" else ():
        if not _is_move(measure):
            each = {cell(measure, whole.period, it): 1 for it in levels}
            yield {cell(measure, whole.period): -1, **each}


@lru_cache(maxsize=64)
def _parts(wholes: tuple[Flow, ...], flows: tuple[Flow, ...]) -> tuple[tuple[Flow, Flow], ...]:
    """Pair flows with others that are a part of them; most answers count the same ones."""
    pairs = product(wholes, flows)
    return tuple((whole, it) for whole, it in pairs if it != whole and _is_part(it, whole))


def _is_part(some: Flow, whole: Flow) -> bool:
    """Say whether all that one flow counts is counted by another."""
    if some.of_period and not whole.of_period:
        some = some._replace(of_period=False, credited="at")
    wider = some._replace(details=whole.details, on_time=whole.on_time, collective=whole.collective)
    return (
        wider == whole
        and whole.on_time in (None, some.on_time)
        and whole.collective in (None, some.collective)
        and (not whole.details or (bool(some.details) and set(some.details) <= {*whole.details}))
    )


def _is_move(measure: Measure) -> bool:
    return isinstance(measure, Flow) and measure.term in ("moved-in", "moved-out")


def _divided(flows: Iterable[Flow], mixed: AbstractSet[Flow]) -> Iterator[dict[Hashable, int]]:
    """Say what flows are made of: of what their lines say; of those in time, and the rest.

    Args:
        flows: that count in one column.
        mixed: those of which every code is among them.
    """
    families: dict[Flow, dict[Flow, None]] = defaultdict(dict)
    for flow in flows:
        wider = flow._replace(on_time=None, collective=None)
        if flow.of_period:
            wider = wider._replace(of_period=False, credited="at")
        families[wider._replace(details=())][wider] = None
        if wider != flow:
            yield {wider: 1, flow: -1, ("rest", flow): -1}
    for family, members in families.items():
        named = [it.details for it in members if len(it.details) == 1 or family not in mixed]
        codes = _CODES.get(family.term) or tuple(sorted({it for one in named for it in one}))
        is_complete = family in mixed or family.term in _CODES
        rest: dict[Hashable, int] = {} if is_complete else {("rest", family): -1}
        for flow in {**members, family: None} if codes else ():
            if len(flow.details) != 1:
                said = [it for it in flow.details or codes if it in codes]
                yield {
                    flow: 1,
                    **{family._replace(details=(it,)): -1 for it in said},
                    **({} if flow.details else rest),
                }


def _moved(by_level: Mapping[str | None, Iterable[Flow]], now: Period) -> Iterator[Relation]:
    """Say that a move from one level to another leaves the one and comes to the other.

    A move sideways stays on its level.
    """
    levels = [it for it in by_level if it is not None]
    for came in by_level.get(None, ()):
        is_by_level = any(came in tuple(by_level[it]) for it in levels)
        if came.term == "moved-in" and not came.details and is_by_level:
            for kind in MOVES.values():
                into = came._replace(details=(kind,))
                out = into._replace(term="moved-out")
                yield {
                    cell(into, now): -1,
                    cell(out, now): 1,
                    **{cell(into, now, it): 1 for it in levels},
                    **{cell(out, now, it): -1 for it in levels},
                }
                for flow in (into, out) if kind in SIDEWAYS else ():
                    yield {cell(flow, now): -1, **{cell(flow, now, it): 1 for it in levels}}
