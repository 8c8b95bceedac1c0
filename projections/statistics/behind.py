"""The lines of the ledger behind a number: which events of which cases it was counted from.

The condition of a part is made from the same measure that counts it; that both come to the same is
shown part by part in `tests/projections/test_lines.py`. Whose events somebody does not read, he is
told no line of: only that so many were counted (ADR 0020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from mediation.authority import Scope
from mediation.errors import NotFound
from projections.base import freshness, load_rows, page_after
from projections.standing import restored
from projections.statistics.formulas import (
    Days,
    DueFen,
    Flow,
    Formula,
    Instruments,
    K,
    Late,
    Mean,
    Measure,
    Mix,
    Stock,
)
from projections.statistics.ledger import Ledger, handed_over
from projections.statistics.periods import DAY, Bodies, Period
from projections.statistics.tally import Due, due_in, known, overdue, papers, stands

Key = tuple[int, UUID, int]
"""Where a page ends: position, case and number of the line."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the ledger behind a number: which event of which case it is.

    `occurred_on` is the day on which it counts.
    """

    case_id: UUID
    case_number: str
    version: int
    position: int
    occurred_on: date
    term: str
    body_id: str
    other_body_id: str | None
    detail: str | None
    days: int | None
    workers: int
    fen: int
    obligation_id: UUID | None
    paper_id: UUID | None
    due_on: date | None


class LinePage(msgspec.Struct, frozen=True, kw_only=True):
    """Lines, the earliest recorded first; `next_key` begins the next page, None at the end.

    `withheld` says how many more were counted there, of what the viewer does not read.
    """

    items: tuple[Line, ...]
    withheld: int
    next_key: Key | None
    as_of_position: int
    parked: int


def measure_of(formula: Formula, part: str) -> Measure:
    """Give what a part of a figure measures; of a mean what is divided, of a mix one code.

    Raises:
        NotFound: the figure has no such part.
    """
    name, _, code = part.partition(".")
    measure = formula.parts.get(name)
    if isinstance(measure, Mean):
        return measure_of(formula, measure.of)
    if isinstance(measure, Mix) and code:
        return measure.flow._replace(details=(code,))
    if measure is None or isinstance(measure, Mix) or code:
        raise NotFound(
            zh="该指标没有这一组成部分，请从指标所列的 parts 中选择。",
            en="The figure has no such part; choose one of its parts.",
            code="part-unknown",
        )
    return measure


def lines_behind(  # noqa: PLR0913 - a question has many sides, each told by its name
    connection: Connection,
    ledger: Ledger,
    measure: Measure,
    bodies: Bodies,
    *,
    scope: Scope,
    period: Period,
    today: date,
    at_source: frozenset[str],
    at_position: int | None = None,
    limit: int = 50,
    after: Key | None = None,
) -> LinePage:
    """List the lines that a number was counted from, those recorded first first.

    Args:
        connection: from `reading`.
        ledger: the read model.
        measure: from `measure_of`.
        bodies: as the figure was asked for, and so the rest.
        scope: what the viewer sees today; as of whenever he asks, he reads no further.
        period: the days that are counted.
        today: the Shanghai date of the moment asked as of.
        at_source: codes of the levels that count as the source.
        at_position: as the ledger stood at this position; default: as it stands.
        limit: lines at most.
        after: `next_key` of the page before.
    """
    fresh = freshness(connection, ledger)
    if isinstance(measure, Late):
        query, order = _dates(ledger, bodies, min(period.last, today), at_position)
    else:
        table = ledger.line.c
        order = (table.position, table.case_id, table.n)
        query = sa.select(*(table[name] for name in _SHOWN), table.n).where(
            known(table, at_position),
            _condition(_Asked(ledger, bodies, period, today, at_source, at_position), measure),
        )
    page, size = _Page(limit), limit + 1
    while page.wants_more:
        rows = connection.execute(page_after(query, order, after).limit(size)).all()
        sight = _sight(connection, ledger, scope, {row.case_id for row in rows})
        page.take(rows, sight, is_end=len(rows) < size)
        after, size = (_key(rows[-1]) if rows else None), 2 * size
    return LinePage(
        items=tuple(Line(**dict(zip(_SHOWN, row[:-1], strict=True))) for row in page.told),
        withheld=page.withheld,
        next_key=page.next_key,
        as_of_position=fresh.as_of_position if at_position is None else at_position,
        parked=fresh.parked,
    )


def _key(row: Any) -> Key:
    return row.position, row.case_id, row.n


def _sight(
    connection: Connection, ledger: Ledger, scope: Scope, case_ids: set[UUID]
) -> dict[UUID, float]:
    """Say of each case until which version it is read."""
    return {
        case_id: scope.reads_until(restored(row.standing), handed_over(row.counted))
        for case_id, row in load_rows(connection, ledger.case, case_ids).items()
    }


class _Page:
    """Lines that are told, until there are enough, and how many between them are not.

    It ends with a line that is told, or at the end of all: where the next page begins must not
    tell of one that is withheld.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._passed = 0
        self.told: list[Any] = []
        self.withheld = 0
        self.next_key: Key | None = None
        self.wants_more = True

    def take(self, rows: Sequence[Any], sight: Mapping[UUID, float], *, is_end: bool) -> None:
        """Take what comes next, as far as it is read; `is_end` if nothing comes after it."""
        for row in rows:
            if len(self.told) == self._limit:
                self.next_key = _key(self.told[-1])
                self.wants_more = False
                return
            if row.version > sight[row.case_id]:
                self._passed += 1
            else:
                self.told.append(row)
                self.withheld += self._passed
                self._passed = 0
        if is_end:
            self.withheld += self._passed
            self.wants_more = False


_SHOWN = Line.__struct_fields__


class _Asked(NamedTuple):
    ledger: Ledger
    bodies: Bodies
    period: Period
    today: date
    at_source: frozenset[str]
    at_position: int | None


def _condition(asked: _Asked, measure: Measure) -> sa.ColumnElement[bool]:
    ledger, bodies, period, at_position = (
        asked.ledger,
        asked.bodies,
        asked.period,
        asked.at_position,
    )
    line = ledger.line.c
    if isinstance(measure, Flow | Days):
        return _flow(asked, measure if isinstance(measure, Flow) else K)
    if isinstance(measure, Stock):
        until = period.first if measure.at == "opening" else period.last + DAY
        return _lies(asked, measure.stock, until)
    due = due_in(period, asked.today)
    if isinstance(measure, DueFen):
        return _due(asked, due, measure)
    if isinstance(measure, Instruments):
        paper = papers(ledger, due, at_position).c
        wanted = {"all": sa.true(), "performed": paper.performed == 1}
        is_it = wanted.get(measure.which, paper.breached == 1)
        is_paper = sa.exists().where(
            paper.paper_id == line.paper_id, paper.body_id == line.body_id, paper.is_over, is_it
        )
        return sa.and_(stands(ledger, line, due, at_position), bodies.where(line), is_paper)
    raise TypeError(measure)


def _due(asked: _Asked, due: Due, measure: DueFen) -> sa.ColumnElement[bool]:
    """Give what fell due in a period on papers that stand, or what was paid of that."""
    ledger, line = asked.ledger, asked.ledger.line.c

    def fell_due(owed: Any) -> sa.ColumnElement[bool]:
        return sa.and_(
            stands(ledger, owed, due, asked.at_position),
            due.falls_in(owed.due_on),
            asked.bodies.where(owed),
        )

    if measure.which == "due":
        return fell_due(line)
    # Credited to the body that what is owed is credited to, wherever it was when it was paid.
    owed = ledger.line.alias("owed").c
    is_of_it = sa.exists().where(fell_due(owed), owed.obligation_id == line.obligation_id)
    return sa.and_(line.term == "applied", line.occurred_on <= due.last, is_of_it)


def _flow(asked: _Asked, flow: Flow) -> sa.ColumnElement[bool]:
    line, bodies, period = asked.ledger.line.c, asked.bodies, asked.period
    found = [
        line.term == flow.term,
        line.matter == flow.matter,
        line.occurred_on.between(period.first, period.last),
        bodies.where(line, "" if flow.credited == "at" else "other_"),
    ]
    if flow.term in ("moved-in", "moved-out"):
        found.append(sa.not_(bodies.where(line, "other_")))
    if flow.beside:
        found.append(sa.not_(bodies.where(line)))
    if flow.details:
        found.append(line.detail.in_(flow.details))
    if flow.stock is not None:
        found.append(sa.func.coalesce(line.enters, line.leaves) == flow.stock)
    for column, wanted in ((line.on_time, flow.on_time), (line.collective, flow.collective)):
        if wanted is not None:
            found.append(column.is_(wanted))
    if flow.of_period:
        found.append(line.since_on.between(period.first, period.last))
    if flow.at_source:
        found.append(line.level.in_(sorted(asked.at_source)))
    return sa.and_(*found)


def _lies(asked: _Asked, stock: str, until: date) -> sa.ColumnElement[bool]:
    """Give the lines by which the cases of a stock came into it, before a day."""
    line = asked.ledger.line.c
    moved = asked.ledger.line.alias("moved").c
    came, went = moved.enters == stock, moved.leaves == stock
    lying = (
        sa.select(moved.case_id, sa.func.max(sa.case((came, moved.n))).label("n"))
        .where(
            known(moved, asked.at_position),
            moved.occurred_on < until,
            sa.or_(came, went),
            asked.bodies.where(moved),
        )
        .group_by(moved.case_id)
        .having(sa.func.sum(sa.case((came, 1), else_=-1)) > 0)
    )
    return sa.tuple_(line.case_id, line.n).in_(lying)


def _dates(
    ledger: Ledger, bodies: Bodies, on: date, at_position: int | None
) -> tuple[sa.Select[Any], tuple[Any, ...]]:
    """Give open dates as lines: the event that started each, its code and its last safe day."""
    duty = ledger.duty.c
    shown = {
        "position": duty.from_position.label("position"),
        "occurred_on": duty.opened_on,
        "term": sa.literal("overdue"),
        "other_body_id": sa.null(),
        "detail": duty.code,
        "days": sa.null(),
        "workers": sa.literal(0),
        "fen": sa.literal(0),
        "obligation_id": sa.null(),
        "paper_id": sa.null(),
    }
    columns = [shown[name] if name in shown else duty[name] for name in _SHOWN]
    query = sa.select(*columns, duty.n).where(overdue(ledger, on, at_position), bodies.where(duty))
    return query, (duty.from_position, duty.case_id, duty.n)
