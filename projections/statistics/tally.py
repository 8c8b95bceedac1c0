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

from projections.statistics.formulas import FORMULAS, Flow, Mix
from projections.statistics.ledger import At, Ledger
from projections.statistics.periods import DAY, Bodies, Period

_AFTER = 10_000
"""The bucket of what was not known yet at the position asked as of."""

MONEY = ("claimed", "owed", "released", "applied")
"""Terms of the lines that are about an amount."""

_MEASURED = [it for formula in FORMULAS for it in formula.parts.values()]
_SUMMED: Sequence[Flow] = tuple(
    dict.fromkeys(
        [
            *(it for it in _MEASURED if isinstance(it, Flow) and it.measure == "fen"),
            *(it.flow for it in _MEASURED if isinstance(it, Mix)),
        ]
    )
)
"""What is summed with the cases behind it; no line is of two of them."""


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


class Moved(NamedTuple):
    """By how many cases a stock grew at a body, in a bucket of days."""

    bucket: int
    stock: str
    at: At
    by: int


class Sum(NamedTuple):
    """What comes together under one name: so many lines or papers, of so many cases, and their fen.

    A case counts once, however many of its lines there are, or of its papers.
    """

    lines: int = 0
    cases: int = 0
    fen: int = 0


class Read(NamedTuple):
    """All that was read for one question.

    `sums` are of flows of money and of mixes, by the code of a mix; `papers` are by `which` of
    `Instruments` and `DueFen`. Both are of all bodies asked about together, since a case that is
    counted at two of them is one. `late` says of each case at a body how many dates were over.
    """

    bodies: Bodies
    breaks: list[date]
    cells: Mapping[str, Sequence[Cell]]
    moved: Sequence[Moved]
    stocks: Sequence[tuple[str, At, int]]
    sums: Mapping[Period, Mapping[tuple[Flow, str | None], Sum]]
    papers: Mapping[Period, Mapping[str, Sum]]
    late: Mapping[Period, Sequence[tuple[At, str, int]]]


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
        bodies=bodies,
        breaks=breaks,
        cells=cells,
        moved=reading.moved(breaks),
        stocks=reading.stocks(),
        sums={it: reading.sums(it) for it in asked},
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
        query = sa.select(*named, sa.func.count(), sa.func.sum(line.workers)).where(
            line.term.not_in(MONEY),
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

    def sums(self, period: Period) -> dict[tuple[Flow, str | None], Sum]:
        """Sum the money of a period, and count its mixes, with the cases that they are of."""
        line = self.ledger.line.c
        kind = sa.case(*((_is_of(line, flow), at) for at, flow in enumerate(_SUMMED)), else_=-1)
        code = sa.case((line.term.not_in(MONEY), line.detail))
        query = sa.select(
            kind.label("kind"),
            code.label("code"),
            sa.func.count(),
            sa.func.count(line.case_id.distinct()),
            *map(sa.func.sum, halves(line.fen)),
        ).where(
            line.term.in_({it.term for it in _SUMMED}),
            line.occurred_on.between(period.first, period.last),
            self.bodies.where(line),
            known(line, self.at_position),
        )
        rows = self.connection.execute(query.group_by(sa.text("kind"), sa.text("code")))
        return {(_SUMMED[row[0]], row[1]): _sum(*row[2:]) for row in rows if row[0] >= 0}

    def papers(self, due: Due) -> dict[str, Sum]:
        """Count papers of the mediation by what is due and paid on them at the end of a period."""
        paper = papers(self.ledger, due, self.at_position).c
        kinds = {
            "all": (paper.is_over, None),
            "performed": (sa.and_(paper.is_over, paper.performed == 1), None),
            "breached": (sa.and_(paper.is_over, paper.breached == 1), None),
            "due": (paper.due_high + paper.due_low > 0, (paper.due_high, paper.due_low)),
            "applied": (
                paper.applied_high + paper.applied_low > 0,
                (paper.applied_high, paper.applied_low),
            ),
        }
        columns = [
            column
            for counted, fen in kinds.values()
            for column in (
                sa.func.sum(sa.case((counted, 1), else_=0)),
                sa.func.count(sa.case((counted, paper.case_id)).distinct()),
                *(map(sa.func.sum, fen) if fen else (sa.literal(0), sa.literal(0))),
            )
        ]
        row = self.connection.execute(sa.select(*columns).where(self.bodies.where(paper))).one()
        return {kind: _sum(*row[at * 4 : at * 4 + 4]) for at, kind in enumerate(kinds)}

    def late(self, on: date) -> list[tuple[At, str, int]]:
        """Count the dates of each case that were open on a day, and over."""
        duty = self.ledger.duty.c
        keys = (*_place(duty), duty.case_number)
        query = sa.select(*keys, sa.func.count()).where(
            overdue(self.ledger, on, self.at_position), self.bodies.where(duty)
        )
        rows = self.connection.execute(query.group_by(*keys))
        return [(At(*row[:4]), row[4], row[5]) for row in rows]


def _is_of(line: Any, flow: Flow) -> sa.ColumnElement[bool]:
    found = [line.term == flow.term, line.matter == flow.matter]
    if flow.details:
        found.append(line.detail.in_(flow.details))
    return sa.and_(*found)


_HALF = 10**9


def halves(fen: Any) -> tuple[sa.ColumnElement[int], sa.ColumnElement[int]]:
    """Split fen in whole thousands of millions and the rest; SQLite adds up no more than 64 bits.

    The sums of each of the two are put together again by `_sum`.
    """
    return fen // _HALF, fen % _HALF


def _sum(lines: Any, cases: Any, high: Any, low: Any) -> Sum:
    return Sum(int(lines or 0), int(cases), int(high or 0) * _HALF + int(low or 0))


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
    # No more is applied to an obligation than it comes to, so this sum is none of thousands.
    got = sa.cast(sa.func.coalesce(sums.c.paid, 0), sa.BigInteger)
    late = sa.and_(
        owed.c.due_on <= due.last,
        owed.c.due_on < due.today,
        sa.func.coalesce(sums.c.in_time, 0) < owed.c.fen,
    )
    falls_due = due.falls_in(owed.c.due_on)
    return (
        sa.select(
            owed.c.case_id,
            owed.c.paper_id,
            *_place(owed.c),
            (sa.func.max(owed.c.due_on) <= due.last).label("is_over"),
            sa.func.min(sa.case((got >= owed.c.fen, 1), else_=0)).label("performed"),
            sa.func.max(sa.case((late, 1), else_=0)).label("breached"),
            *(
                sa.func.sum(sa.case((falls_due, half), else_=0)).label(name)
                for name, half in zip(
                    ("due_high", "due_low", "applied_high", "applied_low"),
                    (*halves(owed.c.fen), *halves(got)),
                    strict=True,
                )
            ),
        )
        .select_from(owed.outerjoin(sums, sums.c.obligation_id == owed.c.obligation_id))
        .where(stands(ledger, owed.c, due, at_position))
        .group_by(owed.c.case_id, owed.c.paper_id, *_place(owed.c))
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
