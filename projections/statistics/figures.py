"""Figures of any period, for any set of bodies, as of any position; sums over the ledger alone.

What a figure counts stands in `formulas`, what is read for it in `tally`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from itertools import accumulate
from typing import TypeVar

import msgspec
from sqlalchemy import Connection

from mediation.codes import Label, is_code, label
from projections.base import freshness
from projections.statistics.formulas import (
    FORMULAS,
    Days,
    DueFen,
    Flow,
    Formula,
    Instruments,
    Late,
    Mean,
    Measure,
    Mix,
    Stock,
    wording,
)
from projections.statistics.ledger import At, Ledger
from projections.statistics.periods import DAY, Bodies, Period
from projections.statistics.tally import Cell, Read, Sum, read

_PLACES = 4

V = TypeVar("V")


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a figure; null where nothing was counted, or too few to be told.

    `workers` are the persons of the cases counted: 人次 across cases. Where something else than
    cases is counted or summed (money, days, papers, answers, dates), `cases` says of how many.
    """

    key: str
    label: Label
    value: int | float | None
    workers: int | None = None
    cases: int | None = None


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure comes to: value, numerator, denominator and the parts they are made of.

    `balances` says of an identity that both sides are equal.
    """

    value: int | float | None
    numerator: int | float | None
    denominator: int | float | None
    balances: bool | None = None
    parts: tuple[Number, ...] = ()


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """The figure of another period, and how far the value has moved since (in its own unit)."""

    first: date
    last: date
    value: int | float | None
    numerator: int | float | None
    denominator: int | float | None
    change: int | float | None


class OfLevel(Value, frozen=True, kw_only=True):
    """The figure of one level."""

    level: str


class Figure(Value, frozen=True, kw_only=True):
    """A published figure of a period; 环比 is `period_before`, 同比 is `year_before`."""

    formula: str
    formula_version: int
    label: Label
    definition: Label
    unit: str
    levels: tuple[OfLevel, ...]
    period_before: Compared
    year_before: Compared


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of a period, in one reading."""

    first: date
    last: date
    figures: tuple[Figure, ...]
    as_of_position: int
    parked: int


def figures(  # noqa: PLR0913 - a question has many sides, each told by its name
    connection: Connection,
    ledger: Ledger,
    bodies: Bodies,
    *,
    period: Period,
    today: date,
    levels: Sequence[str],
    at_source: Iterable[str],
    at_position: int | None = None,
    only: str | None = None,
) -> Figures:
    """Work out every published figure.

    Args:
        connection: from `reading`.
        ledger: the read model.
        bodies: whose figures.
        period: the days that are counted, by when things happened.
        today: the Shanghai date of the moment asked as of; nothing is overdue by a later day.
        levels: codes of the levels, from below.
        at_source: codes of the levels that count as the source.
        at_position: as the ledger stood at this position; default: as it stands.
        only: code of the one figure that is wanted; default: all.
    """
    fresh = freshness(connection, ledger)
    periods = (period, period.before(), period.year_before())
    found = read(connection, ledger, bodies, periods=periods, today=today, at_position=at_position)
    sheets = _Sheets(found, bodies, periods, tuple(levels), frozenset(at_source))
    return Figures(
        first=period.first,
        last=period.last,
        figures=tuple(
            _figure(formula, sheets) for formula in FORMULAS if only in (None, formula.code)
        ),
        as_of_position=fresh.as_of_position if at_position is None else at_position,
        parked=fresh.parked,
    )


class _Sheet:
    """The numbers of one set of bodies in one period; whatever is no concern of theirs is left out.

    `at_source` are the codes of the levels that count as the source.
    """

    def __init__(
        self, found: Read, bodies: Bodies, period: Period, at_source: frozenset[str]
    ) -> None:
        self._read = found
        self._bodies = bodies
        self._held: dict[At, bool] = {}
        self._period = period
        self._at_source = at_source
        self._from = bisect_right(found.breaks, period.first)
        self._to = bisect_right(found.breaks, period.last + DAY)
        self._cells = {
            term: [it for it in cells if self._concerns(it)] for term, cells in found.cells.items()
        }
        self._moved = [it for it in found.moved if it.bucket >= self._from and self._holds(it.at)]

    def _concerns(self, cell: Cell) -> bool:
        is_of_period = self._from <= cell.bucket < self._to
        return is_of_period and (
            self._holds(cell.at) or (cell.other is not None and self._holds(cell.other))
        )

    def _holds(self, at: At) -> bool:
        found = self._held.get(at)
        if found is None:
            found = self._held[at] = self._bodies.holds(at)
        return found

    def number(self, measure: Measure) -> dict[str, int | None]:  # noqa: PLR0911 - one for each kind
        """Give the value of what is measured, and its workers or cases."""
        if isinstance(measure, Flow):
            if measure.measure == "fen":
                money = self._whole(self._read.sums).get((measure, None), Sum())
                return {"value": money.fen, "cases": money.cases}
            found = list(self._flow(measure))
            total = sum(getattr(cell, measure.measure) for cell in found)
            if measure.measure == "cases":
                return {"value": total, "workers": sum(cell.workers for cell in found)}
            return {"value": total, "cases": sum(cell.cases for cell in found)}
        if isinstance(measure, Stock):
            return {"value": self._stock(measure)}
        if isinstance(measure, Days):
            return self._days(measure)
        if isinstance(measure, Late):
            late = [it for it in self._read.late[self._period] if self._holds(it[0])]
            return {"value": sum(it[2] for it in late), "cases": len({it[1] for it in late})}
        if isinstance(measure, Instruments | DueFen):
            papers = self._whole(self._read.papers)[measure.which]
            value = papers.lines if isinstance(measure, Instruments) else papers.fen
            return {"value": value, "cases": papers.cases}
        raise TypeError(measure)

    def mix(self, measure: Mix) -> dict[str, Sum]:
        """Give how many lines say what, and of how many cases."""
        sums = self._whole(self._read.sums)
        found = {code or "": it for (flow, code), it in sums.items() if flow == measure.flow}
        return dict(sorted(found.items()))

    def _whole(self, read: Mapping[Period, V]) -> V:
        """Give what was read of all bodies together; nothing of it can be told of some of them."""
        if self._bodies != self._read.bodies:
            msg = "sums of money, mixes and papers are of all bodies asked about"
            raise TypeError(msg)
        return read[self._period]

    def _flow(self, flow: Flow) -> Iterator[Cell]:
        is_move = flow.term in ("moved-in", "moved-out")
        for cell in self._cells.get(flow.term, ()):
            other = cell.other
            holds_other = other is not None and self._holds(other)
            holds = self._holds(cell.at) if flow.credited == "at" else holds_other
            if (
                holds
                and cell.matter == flow.matter
                and not (is_move and holds_other)
                and not (flow.beside and self._holds(cell.at))
                and (not flow.details or cell.detail in flow.details)
                and flow.stock in (None, cell.stock)
                and flow.on_time in (None, cell.on_time)
                and flow.collective in (None, cell.collective)
                and not (flow.of_period and not self._from <= cell.since < self._to)
                and not (flow.at_source and cell.at.level not in self._at_source)
            ):
                yield cell

    def _stock(self, measure: Stock) -> int:
        """Count back from how the cases stand to the beginning of a day."""
        until = self._from if measure.at == "opening" else self._to
        now = sum(
            count
            for stock, at, count in self._read.stocks
            if stock == measure.stock and self._holds(at)
        )
        since = sum(it.by for it in self._moved if it.stock == measure.stock and it.bucket >= until)
        return now - since

    def _days(self, measure: Days) -> dict[str, int | None]:
        found: Counter[int] = Counter()
        for cell in self._flow(Flow("concluded")):
            found[cell.days or 0] += cell.cases
        rank = -(-found.total() * measure.percent // 100)
        reached = zip(sorted(found), accumulate(found[it] for it in sorted(found)), strict=True)
        days = next((days for days, upto in reached if upto >= rank), None)
        return {"value": days, "cases": found.total()}


def _value(formula: Formula, sheet: _Sheet) -> Value:
    """Work out a figure of one set of bodies in one period."""
    words = wording(formula)
    numbers: dict[str, Number] = {}
    for key, measure in formula.parts.items():
        if isinstance(measure, Mix):
            for code, it in sheet.mix(measure).items():
                name, words_of = f"{key}.{code}", _coded(measure, code)
                numbers[name] = Number(key=name, label=words_of, value=it.lines, cases=it.cases)
        elif isinstance(measure, Mean):
            of, by = numbers[measure.of].value, numbers[measure.by].value
            numbers[key] = Number(key=key, label=words.part(key), value=_ratio(of, by))
        else:
            numbers[key] = Number(key=key, label=words.part(key), **sheet.number(measure))

    def total(keys: Iterable[str]) -> int | float | None:
        values = [(numbers[key.removeprefix("-")].value, key.startswith("-")) for key in keys]
        known = [(value, is_less) for value, is_less in values if value is not None]
        if len(known) < len(values):
            return None
        return sum(-value if is_less else value for value, is_less in known)

    numerator, denominator = total(formula.numerator), None
    if formula.denominator:
        denominator = total(formula.denominator)
    return Value(
        value=_ratio(numerator, denominator) if formula.denominator else numerator,
        numerator=numerator,
        denominator=denominator,
        balances=None
        if formula.balance is None
        else total(formula.balance[0]) == total(formula.balance[1]),
        parts=tuple(numbers.values()),
    )


def _coded(measure: Mix, code: str) -> Label:
    words = [
        label(table, it) if is_code(table, it) else Label(it, it)
        for table, it in zip(measure.tables, code.split("."), strict=True)
    ]
    return Label("·".join(it.zh for it in words), ": ".join(it.en for it in words))


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    if not denominator or numerator is None:
        return None
    return round(numerator / denominator, _PLACES)


class _Sheets:
    """The sheets of one question: of its periods, and of each level, made when first looked at."""

    def __init__(
        self,
        found: Read,
        bodies: Bodies,
        periods: tuple[Period, Period, Period],
        levels: tuple[str, ...],
        at_source: frozenset[str],
    ) -> None:
        self._read, self._bodies, self._at_source = found, bodies, at_source
        self._levels = levels
        self.periods = periods
        self.of_periods = [_Sheet(found, bodies, it, at_source) for it in periods]

    @property
    def _asked(self) -> list[tuple[int, str]]:
        own = self._bodies.level
        return [(at, it) for at, it in enumerate(self._levels) if own in (None, it)]

    @cached_property
    def of_levels(self) -> dict[str, _Sheet]:
        """The sheets of those of the bodies that are on each level."""
        return {
            level: _Sheet(
                self._read, self._bodies._replace(level=level), self.periods[0], self._at_source
            )
            for _, level in self._asked
        }

    @cached_property
    def up_to_levels(self) -> dict[str, _Sheet]:
        """The sheets on which each level and all below it count as the source."""
        return {
            level: _Sheet(
                self._read, self._bodies, self.periods[0], frozenset(self._levels[: at + 1])
            )
            for at, level in self._asked
        }


def _figure(formula: Formula, sheets: _Sheets) -> Figure:
    words = wording(formula)
    periods = sheets.periods
    now, before, year_before = (_value(formula, sheet) for sheet in sheets.of_periods)
    return Figure(
        **msgspec.structs.asdict(now),
        formula=formula.code,
        formula_version=formula.version,
        label=words.label,
        definition=words.definition,
        unit=formula.unit,
        levels=tuple(_by_level(formula, sheets)),
        period_before=_compared(now, before, periods[1]),
        year_before=_compared(now, year_before, periods[2]),
    )


def _by_level(formula: Formula, sheets: _Sheets) -> Iterator[OfLevel]:
    if formula.levels == "none":
        return
    of_levels = sheets.of_levels if formula.levels == "each" else sheets.up_to_levels
    for level, sheet in of_levels.items():
        value = _value(formula, sheet)
        yield OfLevel(level=level, **msgspec.structs.asdict(value))


def _compared(now: Value, then: Value, period: Period) -> Compared:
    change = None
    if now.value is not None and then.value is not None:
        change = round(now.value - then.value, _PLACES)
    return Compared(
        first=period.first,
        last=period.last,
        value=then.value,
        numerator=then.numerator,
        denominator=then.denominator,
        change=change,
    )
