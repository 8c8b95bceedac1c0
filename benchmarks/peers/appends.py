"""Appending one event at a time without the engine: unordered, or under a lock on the table."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

TABLE = (
    "CREATE TABLE IF NOT EXISTS appended (position bigserial PRIMARY KEY,"
    " recorded_at bigint NOT NULL, originator_id uuid NOT NULL,"
    " originator_version bigint NOT NULL, topic text NOT NULL, state bytea NOT NULL,"
    " UNIQUE (originator_id, originator_version))"
)
INSERT = (
    "INSERT INTO appended (recorded_at, originator_id, originator_version, topic, state)"
    " VALUES (%s, %s, %s, %s, %s)"
)

Append = Callable[[UUID, int, str, bytes], None]
"""Appends the event of a stream, a version, a topic and its bytes; returns when it is durable."""


def unlocked(connection: psycopg.Connection[Any]) -> Append:
    """Insert, each event its own transaction; readers can miss some of them."""
    connection.autocommit = True

    def append(stream: UUID, version: int, topic: str, state: bytes) -> None:
        connection.execute(INSERT, (0, stream, version, topic, state), prepare=True)

    return append


def locked(connection: psycopg.Connection[Any]) -> Append:
    """Take the table's lock, insert and commit, as the library does by default."""
    connection.autocommit = True

    def append(stream: UUID, version: int, topic: str, state: bytes) -> None:
        with connection.transaction():
            connection.execute("LOCK TABLE appended IN EXCLUSIVE MODE", prepare=True)
            connection.execute(INSERT, (0, stream, version, topic, state), prepare=True)

    return append


def on_sqlite(file: Path) -> Append:
    """Insert over one connection, each event its own synchronous transaction."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS appended (position INTEGER PRIMARY KEY,"
        " recorded_at INTEGER NOT NULL, originator_id TEXT NOT NULL,"
        " originator_version INTEGER NOT NULL, topic TEXT NOT NULL, state BLOB NOT NULL,"
        " UNIQUE (originator_id, originator_version))"
    )
    insert = INSERT.replace("%s", "?")

    def append(stream: UUID, version: int, topic: str, state: bytes) -> None:
        connection.execute(insert, (0, stream.hex, version, topic, state))

    return append
