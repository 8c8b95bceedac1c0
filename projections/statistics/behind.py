"""The lines of the ledger behind a number: which events of which cases it was counted from.

The condition of a part is made from the same measure that counts it, so the two cannot differ.
"""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from mediation.errors import NotFound
from projections.base import freshness, page_after
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
from projections.statistics.ledger import Ledger
from projections.statistics.periods import DAY, Bodies, Period
from projections.statistics.tally import Due, due_in, known, overdue, papers, stands

Key = tuple[int, UUID, int]
"""Where a page ends: position, case and number of the line."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the ledger behind a number: which event of which case it is."""

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
    due_on: date | None


class LinePage(msgspec.Struct, frozen=True, kw_only=True):
    """Lines, the earliest recorded first; `next_key` begins the next page, None at the end."""

    items: tuple[Line, ...]
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
    rows = connection.execute(page_after(query, order, after).limit(limit + 1)).all()
    last = rows[limit - 1] if len(rows) > limit else None
    return LinePage(
        items=tuple(Line(**dict(zip(_SHOWN, row[:-1], strict=True))) for row in rows[:limit]),
        next_key=(last.position, last.case_id, last.n) if last is not None else None,
        as_of_position=fresh.as_of_position if at_position is None else at_position,
        parked=fresh.parked,
    )


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
    fell_due = sa.and_(due.falls_in(line.due_on), asked.bodies.where(line))
    if measure.which == "due":
        return sa.and_(stands(ledger, line, due, asked.at_position), fell_due)
    owed = ledger.line.alias("owed").c
    is_owed = sa.exists().where(
        stands(ledger, owed, due, asked.at_position), owed.obligation_id == line.obligation_id
    )
    return sa.and_(line.term == "applied", line.occurred_on <= due.last, is_owed, fell_due)


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
        found.append(line.since_on >= period.first)
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
    }
    columns = [shown[name] if name in shown else duty[name] for name in _SHOWN]
    query = sa.select(*columns, duty.n).where(overdue(ledger, on, at_position), bodies.where(duty))
    return query, (duty.from_position, duty.case_id, duty.n)
