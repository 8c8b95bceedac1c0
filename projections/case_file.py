"""The register of cases: one row per case as it stands, and what each viewer may read of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Column, Connection, Row, Table

from mediation.authority import Scope, Visibility
from mediation.errors import NotFound, ReadModelParked
from mediation.store import Recorded
from projections.base import (
    PARKED,
    Load,
    Projection,
    Rows,
    freshness,
    page_after,
    scope_columns,
    scope_values,
    scope_view,
    visible,
)
from projections.folding import commands
from projections.standing import Standing, restored, stored

# By which way a matter came in is told with the case itself, to those who may know it (ADR 0020).
_HIDDEN = frozenset(
    {"standing", "custody_path", "assigned", "receiver_path", "former", "filed_by_id", "channel"}
)
_OF_RECEIVER = (
    "case_id",
    "case_number",
    "level",
    "risk",
    "applicants",
    "pending_kind",
    "custody_body_id",
)
_OF_FORMER = ("case_id", "case_number", "level", "phase", "outcome")

Key = tuple[date, UUID]
"""Where a page ends: the day the case was received and its id."""


class CasePage(msgspec.Struct, frozen=True, kw_only=True):
    """Cases, those received last first; `next_key` begins the next page, None at the end."""

    items: list[dict[str, Any]]
    next_key: Key | None
    as_of_position: int
    parked: int


class CaseFile(Projection):
    """One row per case, with the columns that lists, searches and figures ask for."""

    name = "case_file"
    version = 2

    def define(self) -> tuple[Table, ...]:
        """Make the table."""
        self.case = self.table(
            "case",
            Column("case_id", sa.Uuid, primary_key=True),
            Column("case_number", sa.Text, nullable=False),
            Column("matter_kind", sa.Text, nullable=False),
            Column("entry", sa.Text, nullable=False),
            Column("channel", sa.Text, nullable=False),
            Column("phase", sa.Text, nullable=False),
            Column("level", sa.Text, nullable=False),
            Column("branch", sa.Text),
            Column("custody_body_id", sa.Text, nullable=False),
            Column("risk", sa.Text, nullable=False),
            Column("flags", sa.Text, nullable=False),
            Column("cause", sa.Text, nullable=False),
            Column("applicants", sa.Integer, nullable=False),
            Column("respondents", sa.Integer, nullable=False),
            Column("claimed_fen", sa.BigInteger, nullable=False),
            Column("agreed_fen", sa.BigInteger, nullable=False),
            Column("applied_fen", sa.BigInteger, nullable=False),
            Column("received_on", sa.Date, nullable=False),
            Column("acceptance_no", sa.Integer, nullable=False),
            Column("accepted_on", sa.Date),
            Column("outcome", sa.Text),
            Column("concluded_on", sa.Date),
            Column("closed_on", sa.Date),
            Column("pending_kind", sa.Text),
            Column("receiver_body_id", sa.Text),
            Column("next_due_on", sa.Date),
            Column("next_due_code", sa.Text),
            Column("irregularities", sa.Integer, nullable=False),
            Column("version", sa.BigInteger, nullable=False),
            Column("updated_position", sa.BigInteger, nullable=False),
            *scope_columns(),
            Column("standing", sa.Text, nullable=False),
            self.index("received", "received_on", "case_id"),
            self.index("held", "custody_body_id", "received_on", "case_id"),
            self.index("number", "case_number"),
        )
        return (self.case,)

    def fold(self, batch: Sequence[Recorded], load: Load) -> Rows:
        """Copy what the events say into one row per case."""

        def known(ids: set[UUID]) -> dict[UUID, Standing]:
            return {key: restored(row.standing) for key, row in load(self.case, ids).items()}

        changed: dict[UUID, Standing] = {}
        for _command_end, touched in commands(batch, known):
            changed.update(touched)
        return {self.case: [_row(standing) for standing in changed.values()]}

    def page(  # noqa: PLR0913 - a register has many filters, each told by its name
        self,
        connection: Connection,
        scope: Scope,
        *,
        phase: str | None = None,
        level: str | None = None,
        body_id: str | None = None,
        limit: int = 50,
        after: Key | None = None,
    ) -> CasePage:
        """List the cases an actor sees, masked as far as he sees them.

        Args:
            connection: from `reading`.
            scope: of the actor, today.
            phase: a filter; leaves out rows of which the viewer may not know the phase.
            level: a filter.
            body_id: a filter on the body in custody; leaves out what the viewer handed over.
            limit: rows at most.
            after: `next_key` of the page before.
        """
        fresh, columns = freshness(connection, self), self.case.c
        where = scope.where()
        # A filter on what is masked would tell what it is, and so would the page's end.
        if phase is not None:
            where = msgspec.structs.replace(where, receiver_prefixes=())
        if body_id is not None:
            where = msgspec.structs.replace(where, former_paths=(), filed_by_id=None)
        query = sa.select(self.case).where(visible(where, self.case))
        for column, wanted in (
            (columns.phase, phase),
            (columns.level, level),
            (columns.custody_body_id, body_id),
        ):
            if wanted is not None:
                query = query.where(column == wanted)
        query = page_after(query, (columns.received_on, columns.case_id), after, latest_first=True)
        rows = connection.execute(query.limit(limit + 1)).all()
        items = [_shown(row, scope.sees(scope_view(row))) for row in rows[:limit]]
        last = rows[limit - 1] if len(rows) > limit else None
        return CasePage(
            items=items,
            next_key=(last.received_on, last.case_id) if last is not None else None,
            as_of_position=fresh.as_of_position,
            parked=fresh.parked,
        )

    def one(self, connection: Connection, scope: Scope, case_id: UUID) -> dict[str, Any]:
        """Give one case as far as the actor sees it.

        Raises:
            NotFound: unknown here, or out of his scope.
            ReadModelParked: its row is stale since a fault.
        """
        row = connection.execute(
            sa.select(self.case).where(self.case.c.case_id == case_id)
        ).one_or_none()
        seen = Visibility.NONE if row is None else scope.sees(scope_view(row))
        if row is None or seen is Visibility.NONE:
            raise NotFound
        is_parked = sa.exists().where(
            PARKED.c.projection == self.follower, PARKED.c.originator_id == case_id
        )
        if connection.execute(sa.select(is_parked)).scalar_one():
            raise ReadModelParked(
                zh="该案件的查询数据暂停更新，请从案件页面查看；管理员已可见。",
                en="The list entry of this case is set aside; open the case itself. "
                "Operators see the fault.",
            )
        return _shown(row, seen)


def _row(case: Standing) -> tuple[Any, ...]:
    due = case.next_due()
    return (
        case.case_id,
        case.case_number,
        case.matter_kind,
        case.entry,
        case.channel,
        case.phase,
        case.level,
        case.branch,
        case.custody_body_id,
        case.risk,
        f"|{'|'.join(case.flags)}|" if case.flags else "",
        case.cause,
        len(case.applicants),
        len(case.respondents),
        case.claimed_fen,
        case.agreed_fen,
        case.applied_fen,
        case.received_on,
        case.acceptance_no,
        case.accepted_on,
        case.outcome,
        case.concluded_on,
        case.closed_on,
        case.move.kind if case.move else None,
        case.receiver_body_id,
        due.due_on if due else None,
        due.code if due else None,
        len(case.irregularities),
        case.version,
        case.position,
        *scope_values(case),
        stored(case),
    )


def _shown(row: Row[Any], seen: Visibility) -> dict[str, Any]:
    """Give what the viewer may read of a row; `visibility` says how much that is."""
    item = dict(row._mapping)  # noqa: SLF001 - public in spite of its name
    if seen is Visibility.FULL:
        item["assigned_ids"] = list(scope_view(row).assigned_ids)
        item["flags"] = [flag for flag in row.flags.split("|") if flag]
        kept = item.keys() - _HIDDEN
    else:
        kept = set(_OF_RECEIVER if seen is Visibility.RECEIVER else _OF_FORMER)
    shown = {name: value for name, value in item.items() if name in kept}
    return {**shown, "visibility": seen.value}
