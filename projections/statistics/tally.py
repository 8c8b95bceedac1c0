"""Read the ledger for figures: the flows of the periods asked about, and what moved stocks since.

Stocks are counted back from how the cases stand, so that no question reads further back than its
earliest period; of the time between the periods only what moves a stock is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from projections.statistics.ledger import At, Ledger
from projections.statistics.periods import DAY, Bodies, Period

_AFTER = 10_000
"""The bucket of what was not known yet at the position asked as of."""


class Cell(NamedTuple):
    """Lines of the periods that are alike, counted."""

    bucket: int
    since: int
    term: str
    matter: str
    stock: str | None
    at: At
    other: At | None
    detail: str | None
    on_time: bool | None
    collective: bool | None
    days: int | None
    cases: int
    workers: int
    fen: int


class Moved(NamedTuple):
    """By how many cases a stock grew at a body, in a bucket of days."""

    bucket: int
    stock: str
    at: At
    by: int


class Papers(NamedTuple):
    """Papers of the mediation credited to a body: how many, and in fen what fell due and was paid.

    `all`, `performed` and `breached` count those whose last day of payment was over; `due`,
    `applied` and `falling_due`, the papers on which something fell due, are about the period.
    """

    at: At
    all: int
    performed: int
    breached: int
    due: int
    applied: int
    falling_due: int


class Read(NamedTuple):
    """All that was read for one question."""

    breaks: list[date]
    cells: Mapping[str, Sequence[Cell]]
    moved: Sequence[Moved]
    stocks: Sequence[tuple[str, At, int]]
    papers: Mapping[Period, Sequence[Papers]]
    late: Mapping[Period, Sequence[tuple[At, int]]]


def read(  # noqa: PLR0913 - a question has many sides, each told by its name
    connection: Connection,
    ledger: Ledger,
    bodies: Bodies,
    *,
    periods: Iterable[Period],
    today: date,
    at_position: int | None,
) -> Read:
    """Read all that figures of these bodies and periods are worked out from.

    Args:
        connection: from `reading`.
        ledger: the read model.
        bodies: what else concerns no one of them is not read.
        periods: what is asked about; stocks are counted at their beginnings and ends.
        today: the Shanghai date of the moment asked as of.
        at_position: as the ledger stood at this position; default: as it stands.
    """
    asked = tuple(dict.fromkeys(periods))
    breaks = sorted({day for it in asked for day in (it.first, it.last + DAY)})
    reading = _Reading(connection, ledger, bodies, at_position)
    cells: dict[str, list[Cell]] = defaultdict(list)
    for cell in reading.cells(asked, breaks):
        cells[cell.term].append(cell)
    return Read(
        breaks=breaks,
        cells=cells,
        moved=reading.moved(breaks),
        stocks=reading.stocks(),
        papers={it: reading.papers(due_in(it, today)) for it in asked},
        late={it: reading.late(min(it.last, today)) for it in asked},
    )


def _place(columns: Any, prefix: str = "") -> list[Any]:
    return [columns[f"{prefix}{name}"] for name in ("body_id", "body_path", "level", "branch")]


def known(columns: Any, at_position: int | None) -> sa.ColumnElement[bool]:
    """Give the condition of the lines that were there at a position."""
    return sa.true() if at_position is None else columns.position <= at_position


class _Reading(NamedTuple):
    """One question put to the ledger, in the snapshot of its connection."""

    connection: Connection
    ledger: Ledger
    bodies: Bodies
    at_position: int | None

    def cells(self, periods: Sequence[Period], breaks: Sequence[date]) -> Iterator[Cell]:
        """Count the lines of the periods, at the bodies or concerning them."""
        line = self.ledger.line.c
        told = ("term", "matter", "detail", "on_time", "collective")
        since = sa.case(
            (line.term.in_(("accepted", "refused")), _bucket(line.since_on, breaks)), else_=0
        )
        keys = [
            _bucket(line.occurred_on, breaks),
            since,
            sa.func.coalesce(line.enters, line.leaves),
            *(line[name] for name in told),
            sa.case((line.term == "concluded", line.days)),
            *_place(line),
            *_place(line, "other_"),
        ]
        named = [key.label(f"k{at}") for at, key in enumerate(keys)]
        query = sa.select(
            *named, sa.func.count(), sa.func.sum(line.workers), sa.func.sum(line.fen)
        ).where(
            sa.or_(*(line.occurred_on.between(it.first, it.last) for it in periods)),
            sa.or_(self.bodies.where(line), self.bodies.where(line, "other_")),
            known(line, self.at_position),
        )
        for row in self.connection.execute(query.group_by(*(sa.text(it.name) for it in named))):
            bucket, since_bucket, stock, term, matter, detail, on_time, collective, days = row[:9]
            yield Cell(
                bucket=bucket,
                since=since_bucket,
                term=term,
                matter=matter,
                stock=stock,
                at=At(*row[9:13]),
                other=None if row[13] is None else At(*row[13:17]),
                detail=detail,
                on_time=_truth(on_time),
                collective=_truth(collective),
                days=days,
                cases=row[17],
                workers=int(row[18]),
                fen=int(row[19]),
            )

    def moved(self, breaks: Sequence[date]) -> list[Moved]:
        """Count what moved stocks since the first day, and what was not known yet then."""
        line = self.ledger.line.c
        bucket: sa.ColumnElement[int] = _bucket(line.occurred_on, breaks)
        wanted = line.occurred_on >= breaks[0]
        if self.at_position is not None:
            is_later = line.position > self.at_position
            bucket = sa.case((is_later, _AFTER), else_=bucket)
            wanted = sa.or_(wanted, is_later)
        place = _place(line)
        query = sa.select(
            bucket.label("bucket"), line.leaves, line.enters, *place, sa.func.count()
        ).where(
            wanted,
            sa.or_(line.leaves.is_not(None), line.enters.is_not(None)),
            self.bodies.where(line),
        )
        keys = (sa.text("bucket"), line.leaves, line.enters, *place)
        return [
            Moved(row.bucket, stock, At(*row[3:7]), by * row[7])
            for row in self.connection.execute(query.group_by(*keys))
            for stock, by in ((row.leaves, -1), (row.enters, 1))
            if stock is not None
        ]

    def stocks(self) -> list[tuple[str, At, int]]:
        """Count the cases that lie in each stock now."""
        case = self.ledger.case.c
        place = _place(case)
        query = sa.select(case.stock, *place, sa.func.count()).where(
            case.stock.is_not(None), self.bodies.where(case)
        )
        rows = self.connection.execute(query.group_by(case.stock, *place))
        return [(row[0], At(*row[1:5]), row[5]) for row in rows]

    def papers(self, due: Due) -> list[Papers]:
        """Count papers of the mediation by what is due and paid on them at the end of a period."""
        paper = papers(self.ledger, due, self.at_position).c
        query = sa.select(
            *_place(paper),
            *(
                sa.func.sum(sa.case((paper.is_over, value), else_=0))
                for value in (1, paper.performed, paper.breached)
            ),
            sa.func.sum(paper.due),
            sa.func.sum(paper.applied),
            sa.func.sum(sa.case((paper.due > 0, 1), else_=0)),
        ).where(self.bodies.where(paper))
        rows = self.connection.execute(query.group_by(*_place(paper)))
        return [Papers(At(*row[:4]), *map(int, row[4:])) for row in rows]

    def late(self, on: date) -> list[tuple[At, int]]:
        """Count the dates that were open on a day, and over."""
        duty = self.ledger.duty.c
        place = _place(duty)
        query = sa.select(*place, sa.func.count()).where(
            overdue(self.ledger, on, self.at_position), self.bodies.where(duty)
        )
        return [(At(*row[:4]), row[4]) for row in self.connection.execute(query.group_by(*place))]


def _bucket(day: Any, breaks: Sequence[date]) -> sa.Case[int]:
    """Number the days before the first break 0, those between it and the next 1, and so on."""
    passed = [(day < end, at) for at, end in enumerate(breaks)]
    return sa.case(*passed, else_=len(breaks))


def _truth(value: Any) -> bool | None:
    return None if value is None else bool(value)


class Due(NamedTuple):
    """The days on which something fell due: of a period, and none after the present day.

    What is due on the present day can still be paid: it is not late.
    """

    first: date
    last: date
    today: date

    def falls_in(self, due_on: Any) -> sa.ColumnElement[bool]:
        """Give the condition that a day of payment fell in the period."""
        is_in: sa.ColumnElement[bool] = due_on.between(self.first, self.last)
        return is_in


def due_in(period: Period, today: date) -> Due:
    """Give the days of a period on which something fell due by the present day."""
    return Due(period.first, min(period.last, today), today)


def stands(ledger: Ledger, owed: Any, due: Due, at_position: int | None) -> sa.ColumnElement[bool]:
    """Give the condition of what is owed on a paper of the mediation at the end of a period."""
    gone = ledger.line.alias("gone").c
    replaced = sa.exists().where(
        gone.term == "released",
        gone.obligation_id == owed.obligation_id,
        gone.occurred_on <= due.last,
        known(gone, at_position),
    )
    return sa.and_(
        owed.term == "owed",
        owed.detail == "mediation",
        owed.occurred_on <= due.last,
        known(owed, at_position),
        sa.not_(replaced),
    )


def papers(ledger: Ledger, due: Due, at_position: int | None) -> sa.Subquery:
    """Give one row per paper of the mediation: what it comes to at the end of a period.

    What a case owes by agreement, settlement or undertaking, credited to one body, is one paper.
    """
    owed, paid = ledger.line.alias("owed"), ledger.line.alias("paid")
    in_time = sa.case((paid.c.occurred_on <= paid.c.due_on, paid.c.fen), else_=0)
    sums = (
        sa.select(
            paid.c.obligation_id,
            sa.func.sum(paid.c.fen).label("paid"),
            sa.func.sum(in_time).label("in_time"),
        )
        .where(
            paid.c.term == "applied",
            paid.c.occurred_on <= due.last,
            known(paid.c, at_position),
        )
        .group_by(paid.c.obligation_id)
        .subquery()
    )
    got = sa.func.coalesce(sums.c.paid, 0)
    late = sa.and_(
        owed.c.due_on <= due.last,
        owed.c.due_on < due.today,
        sa.func.coalesce(sums.c.in_time, 0) < owed.c.fen,
    )
    falls_due = due.falls_in(owed.c.due_on)
    return (
        sa.select(
            owed.c.paper_id,
            *_place(owed.c),
            (sa.func.max(owed.c.due_on) <= due.last).label("is_over"),
            sa.func.min(sa.case((got >= owed.c.fen, 1), else_=0)).label("performed"),
            sa.func.max(sa.case((late, 1), else_=0)).label("breached"),
            sa.func.sum(sa.case((falls_due, owed.c.fen), else_=0)).label("due"),
            sa.func.sum(sa.case((falls_due, got), else_=0)).label("applied"),
        )
        .select_from(owed.outerjoin(sums, sums.c.obligation_id == owed.c.obligation_id))
        .where(stands(ledger, owed.c, due, at_position))
        .group_by(owed.c.paper_id, *_place(owed.c))
        .subquery()
    )


def overdue(ledger: Ledger, on: date, at_position: int | None) -> sa.ColumnElement[bool]:
    """Give the condition of a date that was open on a day, and over."""
    duty = ledger.duty.c
    later = [duty.to_position.is_(None), duty.ended_on > on]
    is_known: sa.ColumnElement[bool] = sa.true()
    if at_position is not None:
        later.append(duty.to_position > at_position)
        is_known = duty.from_position <= at_position
    return sa.and_(sa.or_(*later), is_known, duty.rolled_on < on, duty.opened_on <= on)
