"""What bodies are told that a report up passed by: that there is such a case, and nothing personal.

Who is told was decided with the request; a body inside an employer never is. A notice stands as
it was given, whatever becomes of the request or of the case.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Column, Connection, Table

from mediation.authority import Scope
from mediation.case.custody import CustodyMoveRequested, CustodyTaken
from mediation.case.intake import CaseFlagged, CaseRegistered, FlagCleared
from mediation.case.parties import CollectiveConfirmed, PartyAdded, PartyIdentified
from mediation.kernel import Event
from mediation.store import Recorded, from_micros, to_micros
from projections.base import Load, Projection, Rows, freshness, page_after
from projections.folding import commands
from projections.standing import Standing, restored, stored

_TOLD: tuple[type[Event], ...] = (
    CaseRegistered,
    CaseFlagged,
    FlagCleared,
    PartyAdded,
    PartyIdentified,
    CollectiveConfirmed,
    CustodyMoveRequested,
    *CustodyTaken.__subclasses__(),
)
# A notice tells custody, risk and headcount: events that change none of these are not read.
_TOPICS = frozenset(event_type.topic.partition("/")[0] for event_type in _TOLD)

Key = tuple[int, str, UUID]
"""Where a page ends: position, body and case of the notice."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One notice to one body: at `position` a case of another body was reported up past it."""

    position: int
    body_id: str
    case_number: str
    from_body_id: str
    from_level: str
    to_body_id: str
    to_level: str
    risk: str
    headcount: int
    ground: str
    asked_at: datetime


class NoticePage(msgspec.Struct, frozen=True, kw_only=True):
    """Notices, the latest first; `next_key` begins the next page, None at the end."""

    items: list[Notice]
    next_key: Key | None
    as_of_position: int
    parked: int


class Notices(Projection):
    """Every notice there was, and of each case what the next one would tell."""

    name = "notices"
    version = 1

    def define(self) -> tuple[Table, ...]:
        """Make the tables."""
        self.case = self.table(
            "case",
            Column("case_id", sa.Uuid, primary_key=True),
            Column("standing", sa.Text, nullable=False),
        )
        self.notice = self.table(
            "notice",
            Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
            Column("body_id", sa.Text, primary_key=True),
            Column("case_id", sa.Uuid, primary_key=True),
            Column("body_path", sa.Text, nullable=False),
            Column("case_number", sa.Text, nullable=False),
            Column("from_body_id", sa.Text, nullable=False),
            Column("from_level", sa.Text, nullable=False),
            Column("to_body_id", sa.Text, nullable=False),
            Column("to_level", sa.Text, nullable=False),
            Column("risk", sa.Text, nullable=False),
            Column("headcount", sa.Integer, nullable=False),
            Column("ground", sa.Text, nullable=False),
            Column("asked_at", sa.BigInteger, nullable=False),
            self.index("here", "body_path", "position"),
        )
        return (self.case, self.notice)

    def fold(self, batch: Sequence[Recorded], load: Load) -> Rows:
        """Give a notice to each body named in a request, of the case as it stood then."""

        def known(ids: set[UUID]) -> dict[UUID, Standing]:
            return {key: restored(row.standing) for key, row in load(self.case, ids).items()}

        telling = [it for it in batch if it.topic.partition("/")[0] in _TOPICS]
        changed: dict[UUID, Standing] = {}
        notices: list[tuple[Any, ...]] = []
        for command_end, touched in commands(telling, known):
            changed.update(touched)
            for standing in touched.values():
                notices += _notices(standing, command_end)
        return {
            self.case: [(case_id, stored(standing)) for case_id, standing in changed.items()],
            self.notice: notices,
        }

    def page(
        self,
        connection: Connection,
        scope: Scope,
        *,
        limit: int = 50,
        after: Key | None = None,
        at_position: int | None = None,
    ) -> NoticePage:
        """List the notices to the actor's own bodies, not to those below them.

        Args:
            connection: from `reading`.
            scope: of the actor, today.
            limit: rows at most.
            after: `next_key` of the page before.
            at_position: those given until this position; default: all.
        """
        fresh, columns = freshness(connection, self), self.notice.c
        query = sa.select(self.notice).where(columns.body_path.in_(scope.where().former_paths))
        if at_position is not None:
            query = query.where(columns.position <= at_position)
        order = (columns.position, columns.body_id, columns.case_id)
        query = page_after(query, order, after, latest_first=True)
        rows = connection.execute(query.limit(limit + 1)).all()
        end = rows[limit - 1] if len(rows) > limit else None
        return NoticePage(
            items=[
                Notice(
                    **{name: getattr(row, name) for name in _SHOWN},
                    asked_at=from_micros(row.asked_at),
                )
                for row in rows[:limit]
            ],
            next_key=(end.position, end.body_id, end.case_id) if end else None,
            as_of_position=fresh.as_of_position,
            parked=fresh.parked,
        )


_SHOWN = tuple(name for name in Notice.__struct_fields__ if name != "asked_at")


def _notices(case: Standing, command_end: int) -> Iterator[tuple[Any, ...]]:
    move = case.move
    if move is None or move.position != command_end:
        return
    for body_id in move.told:
        body = case.above(body_id)
        if body is not None:
            yield (
                command_end,
                body.body_id,
                case.case_id,
                body.path,
                case.case_number,
                move.from_body_id,
                move.from_level,
                move.to_body_id,
                move.to_level,
                case.risk,
                case.workers,
                move.ground,
                to_micros(move.asked_at),
            )
