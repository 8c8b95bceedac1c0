"""Read the ledger for figures: one scan for all periods, and the lines behind any number.

Stocks are counted back from how the cases stand, so that no question reads further back than its
earliest period.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from projections.statistics.ledger import At, Ledger
from projections.statistics.periods import DAY, Period

_AFTER = 10_000
"""The bucket of what was not known yet at the position asked as of."""


class Cell(NamedTuple):
    """Lines of the ledger that are alike, counted."""

    bucket: int
    since: int
    term: str
    matter: str
    leaves: str | None
    enters: str | None
    at: At
    other: At | None
    detail: str | None
    on_time: bool | None
    collective: bool | None
    days: int | None
    cases: int
    workers: int
    fen: int

    @property
    def stock(self) -> str | None:
        """The stock that is moved."""
        return self.enters or self.leaves

    def by(self, stock: str) -> int:
        """Say by how many cases a stock grew."""
        return self.cases * ((self.enters == stock) - (self.leaves == stock))


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
    stocks: Sequence[tuple[str, At, int]]
    papers: Mapping[Period, Sequence[Papers]]
    late: Mapping[Period, Sequence[tuple[At, int]]]


def read(
    connection: Connection,
    ledger: Ledger,
    periods: Iterable[Period],
    today: date,
    at_position: int | None,
) -> Read:
    """Read all that figures of these periods are worked out from, in the snapshot given.

    Args:
        connection: from `reading`.
        ledger: the read model.
        periods: what is asked about; stocks are counted at their beginnings and ends.
        today: the Shanghai date of the moment asked as of.
        at_position: as the ledger stood at this position; default: as it stands.
    """
    asked = tuple(dict.fromkeys(periods))
    breaks = sorted({day for it in asked for day in (it.first, it.last + DAY)})
    cells: dict[str, list[Cell]] = defaultdict(list)
    for cell in _cells(connection, ledger, asked, breaks, at_position):
        cells[cell.term].append(cell)
    case = ledger.case.c
    place = _place(case)
    stocks = connection.execute(
        sa.select(case.stock, *place, sa.func.count())
        .where(case.stock.is_not(None))
        .group_by(case.stock, *place)
    )
    return Read(
        breaks=breaks,
        cells=cells,
        stocks=[(row[0], At(*row[1:5]), row[5]) for row in stocks],
        papers={it: _papers(connection, ledger, due_in(it, today), at_position) for it in asked},
        late={it: _late(connection, ledger, min(it.last, today), at_position) for it in asked},
    )


def _place(columns: Any, prefix: str = "") -> list[Any]:
    return [columns[f"{prefix}{name}"] for name in ("body_id", "body_path", "level", "branch")]


def known(columns: Any, at_position: int | None) -> sa.ColumnElement[bool]:
    """Give the condition of the lines that were there at a position."""
    return sa.true() if at_position is None else columns.position <= at_position


def _cells(
    connection: Connection,
    ledger: Ledger,
    periods: Sequence[Period],
    breaks: Sequence[date],
    at_position: int | None,
) -> Iterator[Cell]:
    """Count lines from the first of the periods on; between the periods only what moves stocks."""
    line = ledger.line.c

    def bucket_of(day: Any) -> sa.Case[int]:
        passed = [(day < end, at) for at, end in enumerate(breaks)]
        return sa.case(*passed, else_=len(breaks))

    bucket = bucket_of(line.occurred_on)
    wanted = line.occurred_on >= breaks[0]
    if at_position is not None:
        is_later = line.position > at_position
        bucket = sa.case((is_later, _AFTER), else_=bucket)
        wanted = sa.or_(wanted, is_later)
    in_period = [
        at
        for at in range(1, len(breaks))
        if any(it.first <= breaks[at - 1] <= it.last for it in periods)
    ]
    told = ("detail", "on_time", "collective")
    since = sa.case((line.term.in_(("accepted", "refused")), bucket_of(line.since_on)), else_=0)
    rows = sa.select(
        bucket.label("bucket"),
        since.label("since"),
        *(line[name] for name in ("term", "matter", "leaves", "enters")),
        *_place(line),
        *_place(line, "other_"),
        *(line[name] for name in told),
        sa.case((line.term == "concluded", line.days)).label("days"),
        line.workers,
        line.fen,
    ).where(wanted)
    inner = rows.subquery()
    it = inner.c
    counts = it.bucket.in_(in_period)
    keys = [
        it.bucket,
        sa.case((counts, it.since), else_=0),
        *(it[name] for name in ("term", "matter", "leaves", "enters")),
        *_place(it),
        *(sa.case((counts, column)) for column in _place(it, "other_")),
        *(sa.case((counts, it[name])) for name in (*told, "days")),
    ]
    named = [key.label(f"k{at}") for at, key in enumerate(keys)]
    query = sa.select(*named, sa.func.count(), sa.func.sum(it.workers), sa.func.sum(it.fen)).where(
        sa.or_(counts, it.leaves.is_not(None), it.enters.is_not(None))
    )
    for row in connection.execute(query.group_by(*(sa.text(key.name) for key in named))):
        yield Cell(
            *row[:6],
            At(*row[6:10]),
            None if row[10] is None else At(*row[10:14]),
            row[14],
            _truth(row[15]),
            _truth(row[16]),
            row[17],
            *map(int, row[18:]),
        )


def _truth(value: Any) -> bool | None:
    return None if value is None else bool(value)


def _papers(
    connection: Connection, ledger: Ledger, due: Due, at_position: int | None
) -> list[Papers]:
    """Count the papers of the mediation by what is due and paid on them, at the end of a period."""
    paper = papers(ledger, due, at_position).c
    query = sa.select(
        *_place(paper),
        *(
            sa.func.sum(sa.case((paper.is_over, value), else_=0))
            for value in (1, paper.performed, paper.breached)
        ),
        sa.func.sum(paper.due),
        sa.func.sum(paper.applied),
        sa.func.sum(sa.case((paper.due > 0, 1), else_=0)),
    ).group_by(*_place(paper))
    return [Papers(At(*row[:4]), *map(int, row[4:])) for row in connection.execute(query)]


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


def _late(
    connection: Connection, ledger: Ledger, on: date, at_position: int | None
) -> list[tuple[At, int]]:
    place = _place(ledger.duty.c)
    query = sa.select(*place, sa.func.count()).where(overdue(ledger, on, at_position))
    return [(At(*row[:4]), row[4]) for row in connection.execute(query.group_by(*place))]
