"""Accesses on record: complete, in order, without personal data, and never changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
import sqlalchemy as sa

from mediation.store.access import AccessKind, AccessLog, AccessRecord, migrate_access
from mediation.store.engine import open_engine, writing

CASE, OTHER_CASE = UUID(int=11), UUID(int=12)
CLERK, LEAD = UUID(int=21), UUID(int=22)
MORNING = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
CHANGES = [
    "UPDATE access_record SET actor_id = case_id",
    "DELETE FROM access_record",
    "TRUNCATE access_record",
    "SET session_replication_role = replica; DELETE FROM access_record",
    "INSERT OR REPLACE INTO access_record SELECT * FROM access_record",
]


@pytest.fixture
def engine(database: str) -> Iterator[sa.Engine]:
    """The engine of a log, migrated twice, which must be harmless."""
    made = open_engine(database)
    migrate_access(made)
    migrate_access(made)
    yield made
    made.dispose()


@pytest.fixture
def accesses(engine) -> AccessLog:
    """The access records of an empty store."""
    return AccessLog(engine)


def record(accesses: AccessLog, *, actor_id: UUID = CLERK, case_id: UUID | None = CASE) -> None:
    """Record one access out of scope."""
    accesses.record(
        at=MORNING,
        actor_id=actor_id,
        kind=AccessKind.OUT_OF_SCOPE,
        route="GET /cases/{case_id}",
        case_id=case_id,
    )


def test_an_access_is_kept_as_it_was(accesses):
    """Who, when to the microsecond, which kind, route, case and reason come back unchanged."""
    at = datetime(2026, 3, 2, 9, 0, 0, 123457, tzinfo=timezone(timedelta(hours=8)))
    accesses.record(
        at=at,
        actor_id=LEAD,
        kind=AccessKind.READ_CLEAR,
        route="GET /cases/{case_id}/people",
        case_id=CASE,
        reason="session-preparation",
    )

    assert accesses.list_records(limit=10) == [
        AccessRecord(
            record_id=1,
            at=at,
            actor_id=LEAD,
            kind=AccessKind.READ_CLEAR,
            route="GET /cases/{case_id}/people",
            case_id=CASE,
            reason="session-preparation",
        )
    ]


def test_the_latest_accesses_come_first_in_pages(accesses):
    """Pages follow one another without overlap, and narrow down to a case or an actor."""
    for number in range(6):
        record(
            accesses,
            actor_id=(CLERK, LEAD)[number % 2],
            case_id=(CASE, OTHER_CASE, None)[number % 3],
        )

    def numbers(**asked) -> list[int]:
        return [entry.record_id for entry in accesses.list_records(**asked)]

    assert numbers(limit=4) == [6, 5, 4, 3]
    assert numbers(limit=4, before=3) == [2, 1]
    assert numbers(limit=9, case_id=CASE) == [4, 1]
    assert numbers(limit=9, actor_id=LEAD) == [6, 4, 2]
    assert numbers(limit=9, actor_id=LEAD, case_id=CASE, before=5) == [4]


@pytest.mark.parametrize(
    "part",
    [
        {"at": datetime(2026, 3, 2, 9, 0)},  # noqa: DTZ001 - the point
        {"route": "GET /search?name=王建国"},
        {"route": "/cases"},
        {"reason": "asked by Wang, 13900001234"},
        {"reason": "13900001234"},
        {"kind": "curiosity"},
    ],
    ids=["no zone", "address", "no method", "sentence", "number", "unknown kind"],
)
def test_an_access_record_has_no_room_for_personal_data(accesses, part):
    """Addresses as typed, sentences and numbers are refused, and nothing is written."""
    sound = {
        "at": MORNING,
        "actor_id": CLERK,
        "kind": AccessKind.READ_CLEAR,
        "route": "GET /cases/{case_id}",
        "reason": "session-preparation",
    }

    with pytest.raises(ValueError, match=r"access|AccessKind"):
        accesses.record(**{**sound, **part})

    assert accesses.list_records(limit=1) == []


def attempt(engine: sa.Engine, change: str) -> None:
    """Try to change the records, as their owner."""
    with writing(engine) as connection:
        connection.exec_driver_sql(change)


def possible(engine: sa.Engine) -> list[str]:
    """The changes that this database has a word for."""
    absent = ("TRUNCATE", "SET") if engine.dialect.name == "sqlite" else ("INSERT OR REPLACE",)
    return [change for change in CHANGES if not change.startswith(absent)]


def test_nobody_changes_an_access_record(engine, accesses):
    """Update, delete, replace and truncate are refused by the database itself, for its owner too.

    In the broken twin, whose triggers are dropped, the same statements go through.
    """
    record(accesses)
    before = accesses.list_records(limit=9)
    for change in possible(engine):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            attempt(engine, change)
    assert accesses.list_records(limit=9) == before

    drop_triggers(engine)
    for change in possible(engine):
        attempt(engine, change)
    assert accesses.list_records(limit=9) != before


def drop_triggers(engine: sa.Engine) -> None:
    """Break the store."""
    query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    on = ""
    if engine.dialect.name == "postgresql":
        query = "SELECT tgname FROM pg_trigger WHERE tgname LIKE 'access%%'"
        on = " ON access_record"
    with writing(engine) as connection:
        for name in connection.exec_driver_sql(query).scalars().all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}{on}")
