"""The least that a web service does: one endpoint that inserts a row, and one that does nothing.

The insert is a `def` endpoint over a pool of eight connections, each request one transaction: no
order, no receipt, no version check, no authority, no sealing.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from psycopg_pool import ConnectionPool
from pydantic import BaseModel

from benchmarks.peers.serving import serve

POOL = 8


class Happened(BaseModel):
    """What is posted: the next event of a case."""

    case_id: UUID
    version: int
    topic: str
    payload: dict[str, Any]


Insert = Callable[[Happened], None]


def postgresql(url: str) -> Insert:
    """Insert into PostgreSQL, each request one transaction."""
    pool = ConnectionPool(url, min_size=POOL, max_size=POOL, kwargs={"autocommit": True}, open=True)
    with pool.connection() as connection:
        connection.execute(
            "CREATE TABLE plain (id bigserial PRIMARY KEY, case_id uuid NOT NULL,"
            " version bigint NOT NULL, topic text NOT NULL, payload bytea NOT NULL,"
            " UNIQUE (case_id, version))"
        )

    def insert(event: Happened) -> None:
        payload = json.dumps(event.payload, ensure_ascii=False).encode()
        with pool.connection() as connection:
            connection.execute(
                "INSERT INTO plain (case_id, version, topic, payload) VALUES (%s, %s, %s, %s)",
                (event.case_id, event.version, event.topic, payload),
            )

    return insert


def sqlite(file: Path) -> Insert:
    """Insert into SQLite over one connection, each request one synchronous transaction."""
    connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE plain (id INTEGER PRIMARY KEY, case_id TEXT NOT NULL,"
        " version INTEGER NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL,"
        " UNIQUE (case_id, version))"
    )
    alone = Lock()

    def insert(event: Happened) -> None:
        payload = json.dumps(event.payload, ensure_ascii=False).encode()
        with alone:
            connection.execute(
                "INSERT INTO plain (case_id, version, topic, payload) VALUES (?, ?, ?, ?)",
                (event.case_id.hex, event.version, event.topic, payload),
            )

    return insert


def create_app(insert: Insert) -> FastAPI:
    """Make the application."""
    app = FastAPI()

    @app.post("/events")
    def insert_event(event: Happened) -> dict[str, bool]:
        insert(event)
        return {"ok": True}

    return app


def create_bare() -> FastAPI:
    """Make the application that does nothing at all."""
    app = FastAPI()

    @app.post("/events")
    async def nothing() -> dict[str, bool]:
        return {"ok": True}

    return app


def main() -> None:
    """Serve what the environment names: a libpq URL, a file, or nothing."""
    where = os.environ.get("PLAIN_AT", "")
    if not where:
        serve(create_bare())
    elif where.startswith("postgresql"):
        serve(create_app(postgresql(where)))
    else:
        serve(create_app(sqlite(Path(where))))


if __name__ == "__main__":
    main()
