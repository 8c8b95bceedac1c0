"""Which dates are open, whose they are and how they came about; one row per date of a case.

A row holds from one command's end to another's, so the dates of any earlier position can be read
as they stood. Dates are never computed here; what is past is asked by the day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Column, Connection, Row, Table

from mediation.authority import Scope, columns_of
from mediation.store import from_micros, to_micros
from projections.base import begins, freshness, page_after, scope_columns, visible
from projections.intervals import Drawn, Intervals
from projections.standing import RECEIVERS, Standing

CAN_RUN_OUT = (
    "REGISTERED",
    "CONSENT_PENDING",
    "ACCEPTED",
    "ASSIGNED",
    "MEDIATING",
    "SIGNING",
)
"""The phases in which a term can run out: those from which the life-cycle lets it lapse."""

_HIDDEN = frozenset(
    {
        "from_position",
        "to_position",
        "runs_out",
        *(column.name for column in scope_columns()),
    }
)

Kind = Literal["open", "past"]
"""Not over yet, or over: a date is over when its legal last day is."""

Key = tuple[date, UUID, str]
"""Where a page ends: last safe day, case and key of the date."""


class TermOver(NamedTuple):
    """A term that ran out: of which case, which it is, its last safe day, what started it."""

    case_id: UUID
    code: Literal["D02", "D03", "D04"]
    due_on: date
    start_event_id: UUID | None


class DeadlinePage(msgspec.Struct, frozen=True, kw_only=True):
    """Open dates, the earliest first; `next_key` begins the next page, None at the end."""

    items: list[dict[str, Any]]
    next_key: Key | None
    as_of_position: int
    parked: int


class Deadlines(Intervals):
    """Every open date of every case, now and at any earlier position."""

    name = "deadlines"
    version = 1

    def define(self) -> tuple[Table, ...]:
        """Make the tables: the dates, and the standing of each case they are copied from."""
        self.case = self.case_table()
        self.item = self.item_table(
            "date",
            ("key",),
            Column("case_number", sa.Text, nullable=False),
            Column("matter_kind", sa.Text),
            Column("risk", sa.Text, nullable=False),
            Column("level", sa.Text, nullable=False),
            Column("body_id", sa.Text, nullable=False),
            Column("code", sa.Text, nullable=False),
            Column("due_on", sa.Date, nullable=False),
            Column("rolled_on", sa.Date, nullable=False),
            Column("due_at", sa.BigInteger),
            Column("rule", sa.Text, nullable=False),
            Column("article", sa.Text, nullable=False),
            Column("start_event_id", sa.Text),
            Column("start_on", sa.Date, nullable=False),
            Column("calendar", sa.Text, nullable=False),
            Column("rolled_days", sa.Integer, nullable=False),
            Column("provisional", sa.Boolean, nullable=False),
            Column("past_when_decided", sa.Boolean, nullable=False),
            Column("subject", sa.Text),
            Column("runs_out", sa.Boolean, nullable=False),
            *scope_columns(),
            self.current_index("all", "due_on", "case_id", "key"),
            self.current_index("here", "body_id", "due_on"),
            self.current_index("term", "runs_out", "rolled_on"),
        )
        return (self.case, self.item)

    def rows(self, case: Standing) -> Drawn:
        """Draw a row for each open date of a case.

        `level` is that of the case, of an answer to a move that of the body asked; `runs_out`
        marks the terms that run and of which no lapse is recorded: the statutory, a committee's.
        """
        return _rows(case)

    def page(  # noqa: PLR0913 - a list of dates has many filters, each told by its name
        self,
        connection: Connection,
        scope: Scope,
        *,
        today: date,
        code: str | None = None,
        level: str | None = None,
        body_id: str | None = None,
        until: date | None = None,
        kind: Kind | None = None,
        without: tuple[str, ...] = (),
        outside: Scope | None = None,
        limit: int = 50,
        after: Key | None = None,
        at_position: int | None = None,
    ) -> DeadlinePage:
        """List the open dates an actor sees.

        He sees those of the cases he works on or watches over, and by when his body answers the
        moves that come to it; of a case that was handed over, or only filed, none.

        Args:
            connection: from `reading`.
            scope: of the actor, today.
            today: the Shanghai date that `kind` is about.
            code: a filter on the code of the catalogue, such as D02.
            level: a filter on the level of the case, of a coming case that to which it comes.
            body_id: a filter on the body that has to keep the date.
            until: only dates whose last safe day is not later.
            kind: a filter; default: both.
            without: codes that the actor may not see, but in cases that `outside` sees.
            outside: what the actor sees by bodies outside employers; default: nothing.
            limit: rows at most.
            after: `next_key` of the page before.
            at_position: as the dates stood at this position; default: as they stand.
        """
        fresh, columns = freshness(connection, self, at_position), self.item.c
        query = sa.select(self.item).where(self.lies(at_position), self._for(scope))
        for column, wanted in (
            (columns.code, code),
            (columns.level, level),
            (columns.body_id, body_id),
        ):
            if wanted is not None:
                query = query.where(column == wanted)
        if until is not None:
            query = query.where(columns.due_on <= until)
        if kind is not None:
            is_past = columns.rolled_on < today
            query = query.where(is_past if kind == "past" else sa.not_(is_past))
        if without:
            query = query.where(sa.or_(columns.code.not_in(without), self._beside(outside)))
        order = (columns.due_on, columns.case_id, columns.key)
        rows = connection.execute(page_after(query, order, after).limit(limit + 1)).all()
        last = rows[limit - 1] if len(rows) > limit else None
        return DeadlinePage(
            items=[_shown(row) for row in rows[:limit]],
            next_key=(last.due_on, last.case_id, last.key) if last else None,
            as_of_position=fresh.as_of_position,
            parked=fresh.parked,
        )

    def terms_over(self, connection: Connection, *, today: date, limit: int) -> list[TermOver]:
        """Give the terms that ran out and whose lapse is not recorded: for the timer.

        Args:
            connection: from `reading`.
            today: the Shanghai date; a term whose legal last day lies before it is over.
            limit: terms at most.

        Returns:
            Those over longest first.
        """
        columns = self.item.c
        query = (
            sa.select(columns.case_id, columns.code, columns.due_on, columns.start_event_id)
            .where(self.lies(None), columns.runs_out, columns.rolled_on < today)
            .order_by(columns.rolled_on, columns.case_id, columns.code)
        )
        return [
            TermOver(
                row.case_id,
                row.code,
                row.due_on,
                UUID(row.start_event_id) if row.start_event_id else None,
            )
            for row in connection.execute(query.limit(limit))
        ]

    def _beside(self, outside: Scope | None) -> sa.ColumnElement[bool]:
        """Say which rows are seen by a body that is, or is above, the one in custody."""
        prefixes = outside.where().custody_prefixes if outside else ()
        return begins(self.item.c.custody_path, prefixes)

    def _for(self, scope: Scope) -> sa.ColumnElement[bool]:
        where, columns = scope.where(), self.item.c
        working = msgspec.structs.replace(
            where, former_paths=(), receiver_prefixes=(), filed_by_id=None
        )
        coming = sa.and_(
            columns.code == RECEIVERS, begins(columns.receiver_path, where.receiver_prefixes)
        )
        return sa.or_(visible(working, self.item), coming)


def _rows(case: Standing) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    terms = (None if case.term_lapsed else case.term, case.own_term)
    running = terms if case.phase in CAN_RUN_OUT else ()
    scope = msgspec.structs.asdict(columns_of(case))
    for key, term in case.due.items():
        coming = case.move if term.code == RECEIVERS else None
        yield (
            (key,),
            {
                **msgspec.structs.asdict(term),
                "start_event_id": str(term.start_event_id) if term.start_event_id else None,
                "due_at": to_micros(term.due_at) if term.due_at else None,
                "case_number": case.case_number,
                "matter_kind": None if coming else case.matter_kind,
                "risk": case.risk,
                "level": coming.to_level if coming else case.level,
                "body_id": case.answerable(term.code).body_id,
                "runs_out": term in running,
                **scope,
            },
        )


def _shown(row: Row[Any]) -> dict[str, Any]:
    """Give a date with its reasons; nothing of a row is personal or tells how the case stands."""
    item = dict(row._mapping)  # noqa: SLF001 - public in spite of its name
    if row.due_at is not None:
        item["due_at"] = from_micros(row.due_at)
    if row.start_event_id is not None:
        item["start_event_id"] = UUID(row.start_event_id)
    return {name: value for name, value in item.items() if name not in _HIDDEN}
