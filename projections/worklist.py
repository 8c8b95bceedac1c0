"""Who has what to do: one row per case, lane and body, for as long as it lay there.

A row holds from one command's end to another's, so the worklist of any earlier position can be
read as it was. Lanes that depend on the day asked are filters over the due dates in the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Column, Connection, Row, Table

from mediation.authority import Scope
from mediation.errors import FieldFault, Malformed
from mediation.store import Recorded
from projections.base import (
    Load,
    Projection,
    Rows,
    begins,
    freshness,
    scope_columns,
    scope_values,
    scope_view,
    visible,
)
from projections.standing import Standing, commands, restored, stored

LANES = (
    "incoming",
    "to-accept",
    "to-ask",
    "to-assign",
    "to-confirm",
    "mediating",
    "to-sign",
    "performing",
    "due-today",
    "breached",
    "sent-back",
    "due-soon",
    "overdue",
    "risk",
    "to-cure",
    "urged",
    "to-close",
    "to-archive",
)
"""The lanes of the office, in the order in which they are shown."""

OPEN = "open"
"""Every case at hand: what is asked for when no lane is named."""

SOON_DAYS = 3
CROWD = 10
"""From so many workers on a case is watched like one at risk (L-LDMA 7)."""

_NEVER = date(9999, 12, 31)
_WITH_DATES = (OPEN, "incoming", "to-archive")
_OF_PHASE = {
    "REGISTERED": "to-ask",
    "ACCEPTED": "to-assign",
    "ASSIGNED": "to-confirm",
    "MEDIATING": "mediating",
}
_SHOWN = (
    "case_id",
    "case_number",
    "matter_kind",
    "phase",
    "level",
    "risk",
    "headcount",
    "cause",
    "claimed_fen",
    "received_on",
    "due_on",
    "rolled_on",
    "due_code",
    "pending_kind",
    "from_body_id",
    "from_level",
    "body_id",
)
_SHOWN_INCOMING = (
    "case_id",
    "case_number",
    "level",
    "risk",
    "headcount",
    "due_on",
    "rolled_on",
    "due_code",
    "pending_kind",
    "from_body_id",
    "from_level",
    "body_id",
)
Key = tuple[date, UUID, str]
"""Where a page ends: due date (the year 9999 for none), case and lane of the row."""

_Place = tuple[str, str]
_Content = tuple[Any, ...]


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


class Worklist(Projection):
    """The lanes of every body, now and at any earlier position."""

    name = "worklist"
    version = 1

    def define(self) -> tuple[Table, ...]:
        """Make the tables: the rows, and the standing of each case they are drawn from."""
        self.case = self.table(
            "case",
            Column("case_id", sa.Uuid, primary_key=True),
            Column("standing", sa.Text, nullable=False),
            Column("since", sa.Text, nullable=False),
        )
        is_current = sa.text("to_position IS NULL")
        partial = {"postgresql_where": is_current, "sqlite_where": is_current}
        self.item = self.table(
            "item",
            Column("case_id", sa.Uuid, primary_key=True),
            Column("lane", sa.Text, primary_key=True),
            Column("body_id", sa.Text, primary_key=True),
            Column("from_position", sa.BigInteger, primary_key=True, autoincrement=False),
            Column("to_position", sa.BigInteger),
            Column("case_number", sa.Text, nullable=False),
            Column("level", sa.Text, nullable=False),
            Column("risk", sa.Text, nullable=False),
            Column("headcount", sa.Integer, nullable=False),
            Column("due_on", sa.Date),
            Column("rolled_on", sa.Date),
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
            Column("pay_on", sa.Text, nullable=False),
            *scope_columns(),
            self.index("here", "body_id", "lane", "sort_on", "case_id", **partial),
            self.index("lane", "lane", "sort_on", "case_id", **partial),
        )
        return (self.case, self.item)

    def fold(self, batch: Sequence[Recorded], load: Load) -> Rows:
        """Open and close rows at the end of each command; every interval of the batch is kept."""
        since: dict[UUID, dict[_Place, int]] = {}
        lying: dict[UUID, dict[_Place, _Content]] = {}

        def known(ids: set[UUID]) -> dict[UUID, Standing]:
            standings = {}
            for key, row in load(self.case, ids).items():
                standings[key] = restored(row.standing)
                since[key] = {(lane, body): at for lane, body, at in _SINCE.decode(row.since)}
                lying[key] = _rows(standings[key])
            return standings

        changed: dict[UUID, Standing] = {}
        items: dict[tuple[UUID, str, str, int], tuple[Any, ...]] = {}
        for command_end, touched in commands(batch, known):
            changed.update(touched)
            for case_id, standing in touched.items():
                before, after = lying.get(case_id, {}), _rows(standing)
                opened = since.setdefault(case_id, {})
                for place, content in before.items():
                    if after.get(place) != content:
                        key = (case_id, *place, opened.pop(place))
                        items[key] = (*key, command_end, *content)
                for place, content in after.items():
                    if before.get(place) != content:
                        opened[place] = command_end
                        key = (case_id, *place, command_end)
                        items[key] = (*key, None, *content)
                lying[case_id] = after
        return {
            self.case: [
                (case_id, stored(standing), _since(since[case_id]))
                for case_id, standing in changed.items()
            ],
            self.item: list(items.values()),
        }

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
            level: of the body that has the row to do.
            body_id: that body.
            assigned_to: only cases of which this account is a mediator.
            limit: rows at most.
            after: `next_key` of the page before.
            at_position: the worklist as it lay at this position; default: as it is.

        Raises:
            Malformed: no such lane.
        """
        fresh, columns = freshness(connection, self), self.item.c
        query = sa.select(self.item).where(
            self._lies(at_position), self._in_lane(lane or OPEN, today), self._for(scope)
        )
        if level is not None:
            query = query.where(columns.level == level)
        if body_id is not None:
            query = query.where(columns.body_id == body_id)
        if assigned_to is not None:
            query = query.where(
                columns.assigned.like(f"%|{assigned_to}|%"), columns.lane != "incoming"
            )
        order = (columns.sort_on, columns.case_id, columns.lane)
        if after is not None:
            last = (sa.literal(it, column.type) for it, column in zip(after, order, strict=True))
            query = query.where(sa.tuple_(*order) > sa.tuple_(*last))
        rows = connection.execute(query.order_by(*order).limit(limit + 1)).all()
        last_row = rows[limit - 1] if len(rows) > limit else None
        return LanePage(
            items=[_shown(row) for row in rows[:limit]],
            next_key=(last_row.sort_on, last_row.case_id, last_row.lane) if last_row else None,
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
        fresh, columns = freshness(connection, self), self.item.c
        dated = ("due-today", "due-soon", "overdue")
        query = sa.select(
            columns.lane,
            columns.level,
            sa.func.count(),
            *(sa.func.sum(sa.case((self._in_lane(it, today), 1), else_=0)) for it in dated),
        ).where(self._lies(at_position), self._for(scope))
        if body_id is not None:
            query = query.where(columns.body_id == body_id)
        lanes: dict[str, dict[str, int]] = {it: {} for it in (OPEN, *LANES)}
        for lane, level, count, *by_date in connection.execute(
            query.group_by(columns.lane, columns.level)
        ):
            for name, number in ((lane, count), *zip(dated, by_date, strict=True)):
                if number:
                    lanes[name][level] = lanes[name].get(level, 0) + int(number)
        at_hand = lanes.pop(OPEN)
        return LaneCounts(
            lanes=lanes,
            at_hand=at_hand,
            as_of_position=fresh.as_of_position,
            parked=fresh.parked,
        )

    def _lies(self, at_position: int | None) -> sa.ColumnElement[bool]:
        columns = self.item.c
        if at_position is None:
            return columns.to_position.is_(None)
        return sa.and_(
            columns.from_position <= at_position,
            sa.or_(columns.to_position.is_(None), columns.to_position > at_position),
        )

    def _in_lane(self, lane: str, today: date) -> sa.ColumnElement[bool]:
        """Give the condition of a lane; a date is over when its legal last day is."""
        columns = self.item.c
        has_date = columns.lane.in_(_WITH_DATES)
        if lane == "overdue":
            return sa.and_(has_date, columns.rolled_on < today)
        if lane == "due-soon":
            by = today + timedelta(days=SOON_DAYS)
            return sa.and_(has_date, columns.due_on <= by, columns.rolled_on >= today)
        if lane == "due-today":
            return sa.and_(columns.lane == OPEN, columns.pay_on.like(f"%|{today}|%"))
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
        way to it is work in the lane `incoming` alone. So every other row is shown in full.
        """
        where, columns = scope.where(), self.item.c
        working = msgspec.structs.replace(
            where, former_paths=(), receiver_prefixes=(), filed_by_id=None
        )
        own = visible(working, self.item)
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


_SINCE = msgspec.json.Decoder(list[tuple[str, str, int]])


def _since(opened: dict[_Place, int]) -> str:
    entries = sorted((lane, body, at) for (lane, body), at in opened.items())
    return msgspec.json.encode(entries).decode()


def lanes_of(case: Standing) -> list[str]:
    """Name the lanes in which a case lies at the body that has it."""
    lanes = [OPEN] if case.is_open else []
    lane = _next_step(case)
    if lane is not None:
        lanes.append(lane)
    if case.is_open:
        if case.sent_back:
            lanes.append("sent-back")
        if case.risk in ("RED", "YELLOW") or case.workers >= CROWD:
            lanes.append("risk")
        if case.irregularities:
            lanes.append("to-cure")
    return lanes


def _next_step(case: Standing) -> str | None:
    """Name the one lane of what the office does next; None while notices are still to be served."""
    if case.phase == "CONSENT_PENDING":
        return "to-accept" if _is_to_decide(case) else "to-ask"
    if case.phase == "MEDIATING" and not case.mediator_ids:
        return "to-assign"
    if case.phase == "PERFORMING":
        return "performing" if case.has_open_duty else "to-close"
    if case.phase in ("FAILED", "NOT_ACCEPTED"):
        return None if case.has_open_duty else "to-close"
    if case.phase == "CLOSED":
        return "to-archive" if "D18" in case.due else None
    return _OF_PHASE.get(case.phase)


def _is_to_decide(case: Standing) -> bool:
    """The lead can decide: everybody answered, a side refused, or both sides have somebody willing.

    Under an open acceptance the last is not enough: the case goes on by itself once they agree.
    """
    sides = case.answers_by_side()
    return (
        not any(None in said for said in sides)
        or any("REFUSED" in said and "AGREED" not in said for said in sides)
        or (not case.acceptance_open and all("AGREED" in said for said in sides))
    )


def _rows(case: Standing) -> dict[_Place, _Content]:
    """Draw the rows of a case: place and everything behind the key and the interval."""
    scope = scope_values(case)
    code, term = case.next_due() or (None, None)
    is_owed = case.has_taken_effect and case.is_open
    days = sorted({debt.due_on for debt in case.unpaid()}) if is_owed else []
    pay_on = f"|{'|'.join(map(str, days))}|" if days else ""
    rows: dict[_Place, _Content] = {
        (lane, case.custody_body_id): (
            case.case_number,
            case.level,
            case.risk,
            case.workers,
            term and term.due_on,
            term and term.rolled_on,
            code,
            term.due_on if term else _NEVER,
            case.move.kind if case.move else None,
            None,
            None,
            case.matter_kind,
            case.phase,
            case.cause,
            case.claimed_fen,
            case.received_on,
            pay_on if lane == OPEN else "",
            *scope,
        )
        for lane in lanes_of(case)
    }
    if case.move is not None:
        move = case.move
        code, term = case.answer_due or (None, None)
        rows["incoming", move.to_body_id] = (
            case.case_number,
            move.to_level,
            case.risk,
            case.workers,
            term and term.due_on,
            term and term.rolled_on,
            code,
            term.due_on if term else _NEVER,
            move.kind,
            move.from_body_id,
            move.from_level,
            *(None,) * 5,
            "",
            *scope,
        )
    return rows


def _shown(row: Row[Any]) -> dict[str, Any]:
    """Give what may be read of a row: all of it, or of a move the masked summary."""
    is_incoming = row.lane == "incoming"
    item = {name: getattr(row, name) for name in (_SHOWN_INCOMING if is_incoming else _SHOWN)}
    if not is_incoming:
        item["assigned_ids"] = list(scope_view(row).assigned_ids)
    return {**item, "lane": row.lane}
