"""Who tried to see what lay outside his scope, and who read personal data in clear; no such data.

The records stand beside the log, not in it: no case changes because somebody looked (ADR 0004).
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec
import sqlalchemy as sa

from mediation.store.engine import writing
from mediation.store.moments import from_micros, to_micros
from mediation.store.tables import POSITION

ACCESS = sa.MetaData()

ACCESS_RECORD = sa.Table(
    "access_record",
    ACCESS,
    sa.Column(
        "record_id",
        POSITION,
        sa.Identity(always=True),
        primary_key=True,
    ),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("actor_id", sa.Uuid, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("route", sa.Text, nullable=False),
    sa.Column("case_id", sa.Uuid, nullable=True),
    sa.Column("reason", sa.Text, nullable=True),
    sa.Index("access_record_by_case", "case_id", "record_id"),
    sa.Index("access_record_by_actor", "actor_id", "record_id"),
    sqlite_autoincrement=True,
)

_POSTGRESQL_GUARDS = (
    """
    CREATE OR REPLACE FUNCTION access_record_refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'access_record is append-only' USING ERRCODE = '42501'; END $$
    """,
    """
    CREATE OR REPLACE TRIGGER access_record_is_kept
    BEFORE UPDATE OR DELETE OR TRUNCATE ON access_record
    FOR EACH STATEMENT EXECUTE FUNCTION access_record_refuse_change()
    """,
    "ALTER TABLE access_record ENABLE ALWAYS TRIGGER access_record_is_kept",
)
_SQLITE_GUARDS = (
    """
    CREATE TRIGGER IF NOT EXISTS access_record_refuses_update BEFORE UPDATE ON access_record
    BEGIN SELECT RAISE(ABORT, 'access_record is append-only'); END
    """,
    """
    CREATE TRIGGER IF NOT EXISTS access_record_refuses_delete BEFORE DELETE ON access_record
    BEGIN SELECT RAISE(ABORT, 'access_record is append-only'); END
    """,
    # INSERT OR REPLACE deletes without asking a delete trigger.
    """
    CREATE TRIGGER IF NOT EXISTS access_record_refuses_replace BEFORE INSERT ON access_record
    WHEN EXISTS (SELECT 1 FROM access_record WHERE record_id = NEW.record_id)
    BEGIN SELECT RAISE(ABORT, 'access_record is append-only'); END
    """,
)

_ROUTE = re.compile(r"[A-Z]{3,7} /[A-Za-z0-9_{}/.:-]{0,190}")
_REASON = re.compile(r"[a-z][a-z0-9-]{0,63}")


class AccessKind(StrEnum):
    """Why an access is on record."""

    OUT_OF_SCOPE = "out-of-scope"
    READ_CLEAR = "read-clear"


class AccessRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One access: when, who, what kind, by which route, to which case, for which coded reason."""

    record_id: int
    at: datetime
    actor_id: UUID
    kind: AccessKind
    route: str
    case_id: UUID | None
    reason: str | None


def migrate_access(engine: sa.Engine) -> None:
    """Create the table where it is missing, with the triggers that refuse to change a record."""
    guards = _SQLITE_GUARDS if engine.dialect.name == "sqlite" else _POSTGRESQL_GUARDS
    with writing(engine) as connection:
        ACCESS.create_all(connection)
        for guard in guards:
            connection.exec_driver_sql(guard)


class AccessLog:
    """The access records of one store, on the engine of its log; append-only."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def record(  # noqa: PLR0913 - an access has six parts, each told by its name
        self,
        *,
        at: datetime,
        actor_id: UUID,
        kind: AccessKind,
        route: str,
        case_id: UUID | None = None,
        reason: str | None = None,
    ) -> None:
        """Record one access, durably, before it is answered.

        Args:
            at: aware.
            actor_id: who.
            kind: out of scope, or read in clear.
            route: method and route template, `GET /cases/{case_id}`; never the address as asked.
            case_id: the case, or other stream, that was asked for.
            reason: a kebab-case code, never a sentence somebody typed.

        Raises:
            ValueError: `at` has no zone, or route or reason is not of that form and could carry
                personal data.
        """
        if at.tzinfo is None or not _ROUTE.fullmatch(route):
            raise ValueError("an access record needs an aware time and a route template")
        if reason is not None and not _REASON.fullmatch(reason):
            raise ValueError("the reason of an access is a kebab-case code")
        row = {
            "at": to_micros(at),
            "actor_id": actor_id,
            "kind": AccessKind(kind).value,
            "route": route,
            "case_id": case_id,
            "reason": reason,
        }
        with writing(self._engine) as connection:
            connection.execute(sa.insert(ACCESS_RECORD).inline(), row)

    def list_records(
        self,
        *,
        limit: int,
        case_id: UUID | None = None,
        actor_id: UUID | None = None,
        before: int | None = None,
    ) -> list[AccessRecord]:
        """Give the latest records first, at most `limit`, those before record `before`."""
        columns = ACCESS_RECORD.c
        asked = sa.select(ACCESS_RECORD).order_by(columns.record_id.desc()).limit(limit)
        if case_id is not None:
            asked = asked.where(columns.case_id == case_id)
        if actor_id is not None:
            asked = asked.where(columns.actor_id == actor_id)
        if before is not None:
            asked = asked.where(columns.record_id < before)
        with self._engine.connect() as connection:
            rows = connection.execute(asked).mappings().all()
        return [
            AccessRecord(**{**row, "at": from_micros(row["at"]), "kind": AccessKind(row["kind"])})
            for row in rows
        ]
