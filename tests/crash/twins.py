"""Broken logs that several proofs hold themselves against; nothing here may ever work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from eventsourcing.persistence import Recording
from sqlalchemy import Engine

from mediation.store import Log, Receipt, open_engine
from mediation.store.appending import Appending
from mediation.store.hot import READ_RECEIPT, Outcome, PostgreSQL, SQLite, pick, streams_of

Place = Callable[[Any, int], int]
"""Gives the highest position taken, told a connection and how many positions are wanted."""

_EVENTS = "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)"
_RECEIPTS = "INSERT INTO receipt VALUES (?, ?, ?, ?, ?, ?)"


class LocklessLog(Log):
    """Reads versions and receipts and takes positions first, and opens its transaction then."""

    def __init__(self, engine: Engine, *, clock: Callable[[], datetime]) -> None:
        super().__init__(engine, clock=clock)
        writer = self.log_recorder._writer
        writer._driver = _drivers(self.place)[engine.dialect.name]

    def place(self, connection: Any, wanted: int) -> int:
        """Give the position after which to write; autocommitted, under no lock."""
        raise NotImplementedError


class ForgetfulLog(Log):
    """A broken twin: it keeps no receipts."""

    def save(self, *objs: Any, **kwargs: Any) -> list[Recording[UUID]]:
        return super().save(*objs, **{**kwargs, "receipt": None})

    def receipt(self, command_id: UUID) -> Receipt | None:
        return None


def _drivers(place: Place) -> dict[str, type[SQLite | PostgreSQL]]:
    class OnSQLite(SQLite):
        @classmethod
        def append(cls, connection: Any, commands: Sequence[Appending], clock: int) -> Outcome:
            return _append(cls, connection, commands, clock, place)

    class OnPostgreSQL(PostgreSQL):
        @classmethod
        def append(cls, connection: Any, commands: Sequence[Appending], clock: int) -> Outcome:
            return _append(cls, connection, commands, clock, place)

    return {"sqlite": OnSQLite, "postgresql": OnPostgreSQL}


def _append(
    driver: type[SQLite | PostgreSQL],
    connection: Any,
    commands: Sequence[Appending],
    at: int,
    place: Place,
) -> Outcome:
    id_in = cast("Callable[[UUID], Any]", driver.id_in)
    ids = [command.receipt.command_id for command in commands if command.receipt]
    taken = {it for it in ids if driver.rows(connection, READ_RECEIPT, {"command": id_in(it)})}
    current = driver.versions(connection, streams_of(commands))
    if not _is_sqlite(connection):
        connection.autocommit = True  # reading left it off
    top = place(connection, sum(len(command.events) for command in commands))
    firsts, _ = pick(commands, top, taken, current)
    with _transaction(connection):
        for command, first in zip(commands, firsts, strict=True):
            if first > 0:
                _insert(connection, command, first, at, id_in)
    return Outcome(at, firsts, current)


def _insert(
    connection: Any, command: Appending, first: int, at: int, id_in: Callable[[UUID], Any]
) -> None:
    end = first + len(command.events) - 1
    for number, event in enumerate(command.events, first):
        stream = id_in(cast("UUID", event.originator_id))
        row = (number, at, end, stream, event.originator_version, event.topic, event.state)
        run(connection, _EVENTS, row)
    receipt = command.receipt
    if receipt is not None:
        told = (receipt.body_mac, receipt.command_type, receipt.result.decode())
        run(connection, _RECEIPTS, (id_in(receipt.command_id), *told, first, end))


def _is_sqlite(connection: Any) -> bool:
    return type(connection).__module__.startswith("sqlite3")


def run(connection: Any, statement: str, row: tuple[Any, ...] = ()) -> Any:
    """Run a statement written with question marks on either driver's connection."""
    text = statement if _is_sqlite(connection) else statement.replace("?", "%s")
    return connection.execute(text, row)


def _transaction(connection: Any) -> AbstractContextManager[Any]:
    return _immediate(connection) if _is_sqlite(connection) else connection.transaction()


@contextmanager
def _immediate(connection: Any):
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def drop_keys(database: str) -> None:
    """Take the unique keys off the log, which would turn a wrong position into an error."""
    engine = open_engine(database)
    try:
        with engine.begin() as connection:
            for statement in (
                "CREATE TABLE unguarded AS SELECT * FROM event",
                "DROP TABLE event",
                "ALTER TABLE unguarded RENAME TO event",
                "CREATE INDEX event_by_stream ON event (originator_id, originator_version)",
                "CREATE INDEX event_by_position ON event (position)",
            ):
                connection.exec_driver_sql(statement)
    finally:
        engine.dispose()
