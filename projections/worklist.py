"""Who has to do what: one row per case, lane and body, for as long as it lay there.

A row holds from one command's end to another's, so the worklist of any earlier position can be
read as it was. Lanes that depend on the day asked are filters over the dates in the rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Column, Connection, Row, Table

from mediation.authority import Scope
from mediation.errors import FieldFault, Malformed
from mediation.store import from_micros
from projections.base import begins, freshness, page_after, scope_columns, scope_view
from projections.intervals import Drawn, Intervals
from projections.lanes import DATED, LANES, OPEN, drawn
from projections.standing import WINDOWS, Standing

OF_DATES = ("due-today", "breached", "due-soon", "overdue")
"""The lanes that are filters over dates."""

DAY = (
    "overdue",
    "breached",
    "due-today",
    *(lane for lane in LANES if lane not in ("overdue", "breached", "due-today")),
    OPEN,
)
"""The order of somebody's day: what is late, what falls due today, then lane by lane."""

SOON_DAYS = 3
_WITH_DATES = (OPEN, DATED, "incoming", "to-archive")
_SHOWN_INCOMING = (
    "case_id",
    "case_number",
    "level",
    "risk",
    "headcount",
    "due_on",
    "rolled_on",
    "due_at",
    "due_code",
    "pending_kind",
    "from_body_id",
    "from_level",
    "body_id",
)
_SHOWN = (
    *_SHOWN_INCOMING,
    "matter_kind",
    "phase",
    "cause",
    "claimed_fen",
    "received_on",
    "pay_from",
    "term_on",
    "term_lapsed",
)
Key = tuple[date, UUID, str, str, str]
"""Where a page ends: due date (the year 9999 for none), case, lane, body and date of the row."""

DayKey = tuple[int, date, UUID, str]
"""Where a page of a day ends: place in `DAY`, due date, case and body."""


class LanePage(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one lane, those due first first; `next_key` begins the next page, None at the end."""

    items: list[dict[str, Any]]
    next_key: Key | None
    as_of_position: int
    parked: int


class LaneCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows lie in each lane, by level; `at_hand` counts the open cases by level."""

    lanes: dict[str, dict[str, int]]
    at_hand: dict[str, int]
    as_of_position: int
    parked: int


class DayPage(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has to do, in the order of the day; each case at each body once.

    `why` of an item is the first of `DAY` that it falls under, `lanes` are all it lies in. `lanes`
    of the page counts rows, `at_hand` open cases.
    """

    items: list[dict[str, Any]]
    lanes: dict[str, int]
    at_hand: int
    next_key: DayKey | None
    as_of_position: int
    parked: int


class Worklist(Intervals):
    """The lanes of every body, now and at any earlier position."""

    name = "worklist"
    version = 2

    def define(self) -> tuple[Table, ...]:
        """Make the tables: the rows, and the standing of each case they are drawn from."""
        self.case = self.case_table()
        self.item = self.item_table(
            "item",
            ("lane", "body_id", "about"),
            Column("body_path", sa.Text, nullable=False),
            Column("case_number", sa.Text, nullable=False),
            Column("level", sa.Text, nullable=False),
            Column("risk", sa.Text, nullable=False),
            Column("headcount", sa.Integer, nullable=False),
            Column("due_on", sa.Date),
            Column("rolled_on", sa.Date),
            Column("due_at", sa.BigInteger),
            Column("due_code", sa.Text),
            Column("sort_on", sa.Date, nullable=False),
            Column("pending_kind", sa.Text),
            Column("from_body_id", sa.Text),
            Column("from_level", sa.Text),
            Column("matter_kind", sa.Text),
            Column("phase", sa.Text),
            Column("cause", sa.Text),
            Column("claimed_fen", sa.BigInteger),
            Column("received_on", sa.Date),
            Column("pay_from", sa.Date),
            Column("pay_on", sa.Text, nullable=False),
            Column("term_on", sa.Date),
            Column("term_rolled_on", sa.Date),
            Column("term_lapsed", sa.Boolean, nullable=False),
            *scope_columns(),
            self.current_index("here", "body_id", "lane", "sort_on", "case_id"),
            self.current_index("lane", "lane", "sort_on", "case_id"),
        )
        return (self.case, self.item)

    def rows(self, case: Standing) -> Drawn:
        """Draw the rows of a case at the body that has it, and at those that wait or watch."""
        return drawn(case)

    def lane(  # noqa: PLR0913 - a worklist has many filters, each told by its name
        self,
        connection: Connection,
        scope: Scope,
        lane: str | None,
        *,
        today: date,
        level: str | None = None,
        body_id: str | None = None,
        assigned_to: UUID | None = None,
        limit: int = 50,
        after: Key | None = None,
        at_position: int | None = None,
    ) -> LanePage:
        """List one lane as far as the actor sees it; without a lane every open case.

        Args:
            connection: from `reading`.
            scope: of the actor, today.
            lane: one of `LANES`.
            today: the Shanghai date that `due-today`, `due-soon` and `overdue` are about.
            level: at which the case lies, of a coming case that to which it comes.
            body_id: whose work a row is.
            assigned_to: only cases of which this account is a mediator.
            limit: rows at most.
            after: `next_key` of the page before.
            at_position: the worklist as it lay at this position; default: as it is.

        Raises:
            Malformed: no such lane.
        """
        fresh, columns = freshness(connection, self, at_position), self.item.c
        query = sa.select(self.item).where(
            self.lies(at_position), self._in_lane(lane or OPEN, today), self._for(scope)
        )
        if level is not None:
            query = query.where(columns.level == level)
        if body_id is not None:
            query = query.where(columns.body_id == body_id)
        if assigned_to is not None:
            query = query.where(self._is_assigned(assigned_to), columns.lane != "incoming")
        order = (columns.sort_on, *(columns[it] for it in ("case_id", "lane", "body_id", "about")))
        rows = connection.execute(page_after(query, order, after).limit(limit + 1)).all()
        last = rows[limit - 1] if len(rows) > limit else None
        return LanePage(
            items=[_shown(row) for row in rows[:limit]],
            next_key=(last.sort_on, last.case_id, last.lane, last.body_id, last.about)
            if last
            else None,
            as_of_position=fresh.as_of_position,
            parked=fresh.parked,
        )

    def counts(
        self,
        connection: Connection,
        scope: Scope,
        *,
        today: date,
        body_id: str | None = None,
        at_position: int | None = None,
    ) -> LaneCounts:
        """Count every lane by level, in one reading; lanes without rows are there and empty."""
        fresh = freshness(connection, self, at_position)
        of_body = [] if body_id is None else [self.item.c.body_id == body_id]
        lanes = self._counted(connection, today, self.lies(at_position), self._for(scope), *of_body)
        at_hand = lanes.pop(OPEN)
        return LaneCounts(
            lanes=lanes,
            at_hand=at_hand,
            as_of_position=fresh.as_of_position,
            parked=fresh.parked,
        )

    def day(  # noqa: PLR0913 - whose day, which day, and how much of it
        self,
        connection: Connection,
        scope: Scope,
        *,
        account_id: UUID,
        body_ids: Collection[str],
        today: date,
        limit: int = 50,
        after: DayKey | None = None,
        at_position: int | None = None,
    ) -> DayPage:
        """List what somebody has to do himself, in the order of his day.

        Args:
            connection: from `reading`.
            scope: of the actor, today.
            account_id: whose assigned cases are meant.
            body_ids: the bodies whose whole work is his, too.
            today: the Shanghai date.
            limit: items at most.
            after: `next_key` of the page before.
            at_position: as it lay at this position; default: as it is.
        """
        fresh, columns = freshness(connection, self, at_position), self.item.c
        mine = sa.and_(
            self.lies(at_position), self._for(scope), self._is_mine(account_id, body_ids, today)
        )
        why = self._why(today)
        first = (
            sa.select(
                sa.func.min(why).label("why"),
                sa.func.min(columns.sort_on).label("sort_on"),
                columns.case_id,
                columns.body_id,
            )
            .where(mine)
            .group_by(columns.case_id, columns.body_id)
            .subquery()
        )
        keys = connection.execute(
            page_after(sa.select(first), tuple(first.c), after).limit(limit + 1)
        ).all()
        flags = [self._in_lane(lane, today).label(lane) for lane in OF_DATES]
        found: dict[tuple[UUID, str], list[Row[Any]]] = defaultdict(list)
        ids = [key.case_id for key in keys[:limit]]
        query = sa.select(self.item, why.label("why"), *flags).where(mine)
        for row in connection.execute(query.where(columns.case_id.in_(ids))):
            found[row.case_id, row.body_id].append(row)
        counted = self._counted(connection, today, mine)
        at_hand = counted.pop(OPEN)
        return DayPage(
            items=[_of_day(found[key.case_id, key.body_id]) for key in keys[:limit]],
            lanes={lane: sum(by_level.values()) for lane, by_level in counted.items()},
            at_hand=sum(at_hand.values()),
            next_key=tuple(keys[limit - 1]) if len(keys) > limit else None,
            as_of_position=fresh.as_of_position,
            parked=fresh.parked,
        )

    def _counted(
        self, connection: Connection, today: date, *where: sa.ColumnElement[bool]
    ) -> dict[str, dict[str, int]]:
        columns = self.item.c
        query = sa.select(
            columns.lane,
            columns.level,
            sa.func.count(),
            *(sa.func.sum(sa.case((self._in_lane(it, today), 1), else_=0)) for it in OF_DATES),
        ).where(*where)
        lanes: dict[str, dict[str, int]] = {it: {} for it in (OPEN, *LANES)}
        for lane, level, count, *by_date in connection.execute(
            query.group_by(columns.lane, columns.level)
        ):
            for name, number in ((lane, count), *zip(OF_DATES, by_date, strict=True)):
                if number and name != DATED:
                    lanes[name][level] = lanes[name].get(level, 0) + int(number)
        return lanes

    def _in_lane(self, lane: str, today: date) -> sa.ColumnElement[bool]:
        """Give the condition of a lane; a date is over when its legal last day is."""
        columns = self.item.c
        has_date = columns.lane.in_(_WITH_DATES)
        if lane == "overdue":
            is_ours = columns.due_code.not_in(WINDOWS)
            return sa.and_(has_date, is_ours, columns.rolled_on < today)
        if lane == "due-soon":
            by = today + timedelta(days=SOON_DAYS)
            # An internal date that is over must not hide the end of the statutory term.
            return sa.or_(
                sa.and_(has_date, columns.due_on <= by, columns.rolled_on >= today),
                sa.and_(
                    columns.lane == OPEN, columns.term_on <= by, columns.term_rolled_on >= today
                ),
            )
        if lane == "due-today":
            return sa.and_(columns.lane == OPEN, columns.pay_on.like(f"%|{today}|%"))
        if lane == "breached":
            return sa.and_(columns.lane == OPEN, columns.pay_from < today)
        if lane not in (OPEN, *LANES):
            raise Malformed(
                zh="没有这个工作栏目，请从所列栏目中选择。",
                en="There is no such lane; choose one of those listed.",
                faults=(FieldFault("/lane", "unknown-code"),),
            )
        return columns.lane == lane

    def _for(self, scope: Scope) -> sa.ColumnElement[bool]:
        """Give the condition of the rows that are work in the actor's scope.

        What a body has handed over, or filed and no longer has, is not its work; what is on its
        way to it is work in the lane `incoming` alone; what an upper body has to do is no work of
        those below. So every other row is shown in full.
        """
        where, columns = scope.where(), self.item.c
        own = sa.or_(
            begins(columns.body_path, where.custody_prefixes),
            self._is_assigned(where.assigned_id) if where.assigned_id else sa.false(),
        )
        coming = sa.or_(
            begins(columns.receiver_path, where.receiver_prefixes),
            sa.and_(
                begins(columns.custody_path, where.custody_prefixes),
                begins(columns.receiver_path, where.custody_prefixes),
            ),
        )
        return sa.or_(
            sa.and_(columns.lane != "incoming", own), sa.and_(columns.lane == "incoming", coming)
        )

    def _is_assigned(self, account_id: UUID | str) -> sa.ColumnElement[bool]:
        """Give the condition of what lies at the body of a case and is a mediator's there."""
        columns = self.item.c
        return sa.and_(
            columns.assigned.like(f"%|{account_id}|%"), columns.body_path == columns.custody_path
        )

    def _is_mine(
        self, account_id: UUID, body_ids: Collection[str], today: date
    ) -> sa.ColumnElement[bool]:
        """Give the condition of what somebody has to do: archives are kept by the body alone."""
        columns = self.item.c
        is_near = sa.or_(self._in_lane("overdue", today), self._in_lane("due-soon", today))
        return sa.and_(
            sa.or_(
                columns.body_id.in_(body_ids),
                sa.and_(
                    self._is_assigned(account_id), columns.lane.not_in(("incoming", "to-archive"))
                ),
            ),
            sa.or_(columns.lane != DATED, is_near),
        )

    def _why(self, today: date) -> sa.Case[int]:
        """Give the place in `DAY` of what a row calls for; a file to be archived never hurries."""
        columns = self.item.c
        hurries = columns.lane != "to-archive"
        falls_due = sa.and_(
            columns.lane.in_(_WITH_DATES), columns.due_on <= today, columns.rolled_on >= today
        )
        lanes = {**{lane: lane for lane in (OPEN, *LANES)}, DATED: "due-soon"}
        return sa.case(
            (sa.and_(hurries, self._in_lane("overdue", today)), DAY.index("overdue")),
            (self._in_lane("breached", today), DAY.index("breached")),
            (
                sa.or_(sa.and_(hurries, falls_due), self._in_lane("due-today", today)),
                DAY.index("due-today"),
            ),
            *((columns.lane == lane, DAY.index(place)) for lane, place in lanes.items()),
        )


def _shown(row: Row[Any]) -> dict[str, Any]:
    """Give what may be read of a row: all of it, or of a move the masked summary."""
    is_incoming = row.lane == "incoming"
    item = {name: getattr(row, name) for name in (_SHOWN_INCOMING if is_incoming else _SHOWN)}
    if row.due_at is not None:
        item["due_at"] = from_micros(row.due_at)
    if not is_incoming:
        item["assigned_ids"] = list(scope_view(row).assigned_ids)
    return {**item, "lane": row.lane}


def _of_day(rows: Sequence[Row[Any]]) -> dict[str, Any]:
    """Make one item of all the rows of a case at a body: what hurries most, and where it lies."""
    first = min(rows, key=lambda row: (row.why, row.sort_on))
    lies_in = {row.lane for row in rows} | {
        lane
        for lane in OF_DATES
        for row in rows
        if row._mapping[lane]  # noqa: SLF001 - public in spite of its name
    }
    item = _shown(first)
    del item["lane"]
    return {**item, "why": DAY[first.why], "lanes": [it for it in LANES if it in lies_in]}
