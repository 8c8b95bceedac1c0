"""The `eventsourcing` library used the way its tutorial shows: aggregate, decorator, repository.

Each command loads its case from the store, looks at its phase, triggers one event and saves. No
receipt, no authority, no sealing, no due dates. Its defaults hold: one process, the table lock.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection
from fastapi import FastAPI
from psycopg.sql import SQL, Identifier
from sqlalchemy.engine import make_url

from benchmarks.peers.serving import serve

LEADS_TO = {
    "register-case": "REGISTERED",
    "record-consent": "CONSENT_PENDING",
    "accept-case": "ACCEPTED",
    "assign-mediators": "ASSIGNED",
    "confirm-assignment": "MEDIATING",
    "conclude-mediation": "PERFORMING",
    "close-case": "CLOSED",
}
"""The phase that a command leads to; every other leaves it as it is."""


class Case(Aggregate):
    """A case: its phase, and how often something was recorded."""

    @event("Registered")
    def __init__(self, body: dict[str, Any]) -> None:
        self.phase = "REGISTERED"
        self.claimed_fen = sum(line["claimed_fen"] for line in body["lines"])
        self.recorded = 1

    @event("Recorded")
    def record(self, command: str, body: dict[str, Any]) -> None:  # noqa: ARG002 - kept by the decorator
        """Record what a command says; the body stays in the event."""
        self.phase = LEADS_TO.get(command, self.phase)
        self.recorded += 1


class Cases(Application[UUID]):
    """All cases."""

    def register(self, body: dict[str, Any]) -> UUID:
        """Register a case and give its id."""
        case = Case(body=body)
        self.save(case)
        return case.id

    def record(self, case_id: UUID, command: str, body: dict[str, Any]) -> None:
        """Carry out one command on a case that is not closed."""
        case: Case = self.repository.get(case_id)
        if case.phase == "CLOSED":
            raise ValueError(command)
        case.record(command, body)
        self.save(case)


class QueueTable(PostgresTrackingRecorder):
    """A queue table: one row a case, written together with the tracking of its event."""

    def __init__(self, datastore: PostgresDatastore, **kwargs: Any) -> None:
        super().__init__(datastore, **kwargs)
        self.table = f"{self.tracking_table_name}_queue"
        target = (Identifier(datastore.schema), Identifier(self.table))
        self.sql_create_statements.append(
            SQL(
                "CREATE TABLE IF NOT EXISTS {}.{} (case_id uuid PRIMARY KEY, phase text NOT NULL,"
                " recorded bigint NOT NULL)"
            ).format(*target)
        )
        self._upsert = SQL(
            "INSERT INTO {0}.{1} VALUES (%s, %s, 1) ON CONFLICT (case_id) DO UPDATE SET"
            " phase = coalesce(%s, {1}.phase), recorded = {1}.recorded + 1"
        ).format(*target)

    def put(self, case_id: UUID, phase: str | None, tracking: Tracking) -> None:
        """Write a row and move on, in one transaction."""
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute(self._upsert, (case_id, phase or "REGISTERED", phase), prepare=True)
            self._insert_tracking(cursor, tracking)


class Queue(Projection[QueueTable]):
    """The queue as a projection of the library's: one event, one transaction."""

    name = "queue"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """Fold one event."""
        command = getattr(domain_event, "command", "register-case")
        self.view.put(domain_event.originator_id, LEADS_TO.get(command), tracking)


def environment_of(database: str) -> dict[str, str]:
    """Give the library's settings for a libpq URL or the path of an SQLite file."""
    if not database.startswith("postgresql"):
        return {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": database}
    url = make_url(database)
    host = url.query.get("host") or url.host or "127.0.0.1"
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": url.database or "",
        "POSTGRES_HOST": host if isinstance(host, str) else host[0],
        "POSTGRES_PORT": str(url.port or 5432),
        "POSTGRES_USER": url.username or "",
        "POSTGRES_PASSWORD": url.password or "none",
        "POSTGRES_POOL_SIZE": "8",
    }


def create_app(cases: Cases) -> FastAPI:
    """Make the application that serves it over the same HTTP as the engine."""
    app = FastAPI()

    @app.post("/cases", status_code=201)
    def register(body: dict[str, Any]) -> dict[str, str]:
        return {"case_id": str(cases.register(body))}

    @app.post("/cases/{case_id}/commands/{command}")
    def record(case_id: UUID, command: str, body: dict[str, Any]) -> dict[str, bool]:
        cases.record(case_id, command, body)
        return {"ok": True}

    return app


def multiplied(url: str, times: int) -> None:
    """Copy every stored event that often under new ids, as if so many more cases had come."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO cases_events (originator_id, originator_version, topic, state)"
            " SELECT md5(originator_id::text || n)::uuid, originator_version, topic, state"
            " FROM generate_series(1, %s) AS n, cases_events ORDER BY n, notification_id",
            (times,),
        )


def main() -> None:
    """Serve the cases of the database that the environment names."""
    where = os.environ["LIBRARY_AT"]
    if not where.startswith("postgresql"):
        Path(where).parent.mkdir(parents=True, exist_ok=True)
    serve(create_app(Cases(environment_of(where))))


if __name__ == "__main__":
    main()
