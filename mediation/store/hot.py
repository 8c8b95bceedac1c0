"""The hot statements, written by hand for each database; no decision of any rule.

Append (the batch check is part of it) and log read; the bulk upsert of read models is in `bulk`.
Everything else asks the database through SQLAlchemy. Only the two classes here know the two
drivers; the same contract tests run over both.
"""

from __future__ import annotations

import json
import re
import sqlite3
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Self, cast
from uuid import UUID

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format
from sqlalchemy import Engine

from mediation.store.appending import Appending
from mediation.store.faults import LostError, NoHeadError

TAKEN = 0
MOVED = -1
BEHIND = -2


@dataclass(frozen=True)
class Outcome:
    """How a batch went.

    Attributes:
        recorded_at: microseconds since the epoch, the same for every event of the batch.
        firsts: for each command its first position, or TAKEN (its receipt exists already), MOVED
            (a stream it expects stands elsewhere), BEHIND (a version it writes is not above the
            stream's highest).
        current: the highest version of every stream named, after the batch; -1 where none exists.
    """

    recorded_at: int
    firsts: Sequence[int]
    current: Mapping[UUID, int]


_COLUMNS = "position, recorded_at, command_end, originator_id, originator_version, topic, state"
# Positions are dense, so the end of the command in which the limit falls is one look-up away.
READ_LOG = f"""
    SELECT {_COLUMNS} FROM event
    WHERE position > :start
      AND position <= coalesce((SELECT command_end FROM event WHERE position = :reach), :reach)
    ORDER BY position
"""
READ_SPAN = f"""
    SELECT {_COLUMNS} FROM event WHERE position > :start AND position <= :stop
    ORDER BY position LIMIT :limit
"""
READ_STREAM = f"""
    SELECT {_COLUMNS} FROM event
    WHERE originator_id = :stream AND originator_version > :gt AND originator_version <= :lte
    ORDER BY originator_version LIMIT :limit
"""
READ_STREAM_BACKWARDS = READ_STREAM.replace(
    "originator_version LIMIT", "originator_version DESC LIMIT"
)
READ_RECEIPT = """
    SELECT command_id, body_mac, command_type, result, first_position, last_position
    FROM receipt WHERE command_id = :command
"""
READ_HEAD = "SELECT position, recorded_at, log_id, district, kind FROM log_head"


class SQLite:
    """The hot statements on sqlite3; ids are 32 hexadecimal digits."""

    name = "sqlite"

    @staticmethod
    def writer(connection: Any) -> Any:
        """Prepare a driver connection for appending only."""
        return connection

    @staticmethod
    def id_in(value: UUID) -> str:
        """Give an id as it is bound."""
        return value.hex

    id_out = staticmethod(UUID)

    @staticmethod
    def rows(connection: Any, statement: str, parameters: Mapping[str, Any]) -> list[Any]:
        """Read all rows outside any transaction."""
        found: list[Any] = connection.execute(statement, parameters).fetchall()
        return found

    @staticmethod
    def versions(connection: Any, streams: Sequence[UUID]) -> dict[UUID, int]:
        """Read the highest version of each stream, -1 where there is none."""
        asked = json.dumps([stream.hex for stream in streams])
        return {
            UUID(stream): version for stream, version in connection.execute(_VERSIONS, (asked,))
        }

    @staticmethod
    def is_lost(_connection: Any, _error: Exception) -> bool:
        """Tell whether a read may be tried again on a new connection: here never."""
        return False

    @classmethod
    def append(cls, connection: Any, commands: Sequence[Appending], clock: int) -> Outcome:
        """Write a batch in one transaction; every command wins or loses alone.

        Raises:
            LostError: COMMIT failed; nobody knows yet what is on the disk.
            sqlite3.Error: nothing was written.
        """
        execute = connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            outcome, any_won = cls._write(connection, commands, clock)
        except BaseException:
            connection.rollback()
            raise
        if not any_won:
            execute("ROLLBACK")
            return outcome
        try:
            execute("COMMIT")
        except sqlite3.Error as error:
            raise LostError(str(error)) from error
        return outcome

    @staticmethod
    def _write(connection: Any, commands: Sequence[Appending], clock: int) -> tuple[Outcome, bool]:
        execute = connection.execute
        head = execute("SELECT position, recorded_at FROM log_head").fetchone()
        if head is None:
            raise NoHeadError
        at = max(clock, head[1])
        ids = [command.receipt.command_id.hex for command in commands if command.receipt]
        found = execute(_RECEIPTS, (json.dumps(ids),)).fetchall() if ids else ()
        taken = {UUID(row[0]) for row in found}
        current = SQLite.versions(connection, streams_of(commands))
        firsts, position = pick(commands, head[0], taken, current)
        events: list[tuple[Any, ...]] = []
        receipts: list[tuple[Any, ...]] = []
        for command, first in zip(commands, firsts, strict=True):
            if first <= 0:
                continue
            end = first + len(command.events) - 1
            for number, event in enumerate(command.events, first):
                events.append(
                    (
                        number,
                        at,
                        end,
                        cast("UUID", event.originator_id).hex,
                        event.originator_version,
                        event.topic,
                        event.state,
                    )
                )
            if command.receipt is not None:
                receipt = command.receipt
                receipts.append(
                    (
                        receipt.command_id.hex,
                        receipt.body_mac,
                        receipt.command_type,
                        receipt.result.decode(),
                        first,
                        end,
                    )
                )
        if events:
            connection.executemany(_INSERT_EVENT, events)
            connection.executemany(_INSERT_RECEIPT, receipts)
            execute("UPDATE log_head SET position = ?, recorded_at = ?", (position, at))
        return Outcome(at, firsts, current), bool(events)


_VERSIONS = """
    SELECT value, coalesce(
        (SELECT max(originator_version) FROM event WHERE originator_id = value), -1)
    FROM json_each(?)
"""
_RECEIPTS = "SELECT command_id FROM receipt WHERE command_id IN (SELECT value FROM json_each(?))"
_INSERT_EVENT = f"INSERT INTO event ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_RECEIPT = """
    INSERT INTO receipt
        (command_id, body_mac, command_type, result, first_position, last_position)
    VALUES (?, ?, ?, ?, ?, ?)
"""


def streams_of(commands: Sequence[Appending]) -> list[UUID]:
    """Give every stream that a batch expects or writes, once."""
    streams: dict[UUID, None] = {}
    for command in commands:
        streams.update(dict.fromkeys(command.expects))
        streams.update(dict.fromkeys(command.spans))
    return list(streams)


def pick(
    commands: Sequence[Appending], position: int, taken: set[UUID], current: dict[UUID, int]
) -> tuple[list[int], int]:
    """Pick the winners in arrival order and move `current` on by what they write.

    Returns the first position or the reason of each command, and the position of the new head.
    The function `mediation_append_1` does the same inside PostgreSQL.
    """
    firsts: list[int] = []
    for command in commands:
        receipt = command.receipt
        if receipt is not None and receipt.command_id in taken:
            firsts.append(TAKEN)
        elif any(max(current[stream], 0) != at for stream, at in command.expects.items()):
            firsts.append(MOVED)
        elif any(first <= current[stream] for stream, (first, _) in command.spans.items()):
            firsts.append(BEHIND)
        else:
            firsts.append(position + 1)
            position += len(command.events)
            for stream, (_, last) in command.spans.items():
                current[stream] = last
    return firsts, position


class PostgreSQL:
    """The hot statements on psycopg 3, binary protocol, prepared."""

    name = "postgresql"

    @staticmethod
    def writer(connection: Any) -> Any:
        """Prepare a driver connection for appending only: one statement is one transaction."""
        connection.autocommit = True
        for kind in _Packed.__subclasses__():
            connection.adapters.register_dumper(kind, kind.dumper)
        return connection

    @staticmethod
    def id_in(value: UUID) -> UUID:
        """Give an id as it is bound."""
        return value

    @staticmethod
    def id_out(value: UUID) -> UUID:
        """Give an id as it is read."""
        return value

    @staticmethod
    def rows(connection: Any, statement: str, parameters: Mapping[str, Any]) -> list[Any]:
        """Read all rows outside any transaction: one round trip."""
        connection.autocommit = True
        try:
            with connection.cursor(binary=True) as cursor:
                cursor.execute(_percent(statement), parameters, prepare=True)
                found: list[Any] = cursor.fetchall()
                return found
        finally:
            if not connection.closed:
                connection.autocommit = False

    @classmethod
    def versions(cls, connection: Any, streams: Sequence[UUID]) -> dict[UUID, int]:
        """Read the highest version of each stream, -1 where there is none."""
        return dict(cls.rows(connection, _PG_VERSIONS, {"streams": list(streams)}))

    @staticmethod
    def is_lost(connection: Any, error: Exception) -> bool:
        """Tell whether the connection is gone, so that nobody knows what came of a statement."""
        if not isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
            # A primary that became a standby refuses the write before anything is written.
            return isinstance(error, psycopg.errors.ReadOnlySqlTransaction)
        state = error.sqlstate
        return state is None or connection.closed or state.startswith(("08", "57P"))

    @classmethod
    def append(cls, connection: Any, commands: Sequence[Appending], clock: int) -> Outcome:
        """Write a batch by one function call, which is one transaction and one round trip.

        Raises:
            LostError: the connection went away; the batch may have been committed.
            psycopg.Error: nothing was written.
        """
        streams = streams_of(commands)
        arguments = _arguments(commands, streams, clock)
        try:
            with connection.cursor(binary=True) as cursor:
                cursor.execute(_APPEND, arguments, prepare=True)
                row = cursor.fetchone()
        except psycopg.errors.NoDataFound:
            raise NoHeadError from None
        except psycopg.Error as error:
            if cls.is_lost(connection, error):
                raise LostError(str(error)) from error
            raise
        return Outcome(row[0], row[1], dict(zip(streams, row[2] or (), strict=True)))


def _arguments(
    commands: Sequence[Appending], streams: Sequence[UUID], clock: int
) -> tuple[Any, ...]:
    number_of = {stream: number for number, stream in enumerate(streams, 1)}
    ids, macs, types, results = [], [], [], []
    counts, expect_ends, span_ends = [], [], []
    expect_streams, expect_versions = [], []
    span_streams, span_firsts, span_lasts = [], [], []
    event_commands, event_offsets, event_streams = [], [], []
    versions, topics, states = [], [], []
    for command_number, command in enumerate(commands, 1):
        receipt = command.receipt
        ids.append(receipt and receipt.command_id)
        macs.append(receipt and receipt.body_mac)
        types.append(receipt and receipt.command_type)
        results.append(receipt and receipt.result)
        for stream, version in command.expects.items():
            expect_streams.append(number_of[stream])
            expect_versions.append(version)
        for stream, (first, last) in command.spans.items():
            span_streams.append(number_of[stream])
            span_firsts.append(first)
            span_lasts.append(last)
        counts.append(len(command.events))
        expect_ends.append(len(expect_streams))
        span_ends.append(len(span_streams))
        for offset, event in enumerate(command.events):
            event_commands.append(command_number)
            event_offsets.append(offset)
            event_streams.append(number_of[cast("UUID", event.originator_id)])
            versions.append(event.originator_version)
            topics.append(event.topic)
            states.append(event.state)
    return (
        clock,
        _Ids.of([i and i.bytes for i in ids]),
        _Blobs.of(macs),
        _Texts.of([t and t.encode() for t in types]),
        _Texts.of(results),
        _Ints.of(counts),
        _Ints.of(expect_ends),
        _Ints.of(span_ends),
        _Ids.of([stream.bytes for stream in streams]),
        _Ints.of(expect_streams),
        _Longs.of(expect_versions),
        _Ints.of(span_streams),
        _Longs.of(span_firsts),
        _Longs.of(span_lasts),
        _Ints.of(event_commands),
        _Ints.of(event_offsets),
        _Ints.of(event_streams),
        _Longs.of(versions),
        _Texts.of([topic.encode() for topic in topics]),
        _Blobs.of(states),
    )


class _Packed(bytes):
    """An array in PostgreSQL's binary form; the driver's own way costs more than the statement."""

    element: ClassVar[int]
    dumper: ClassVar[type[Dumper]]

    def __init_subclass__(cls, *, element: int, array: int) -> None:
        cls.element = element
        cls.dumper = type(
            f"{cls.__name__}Dumper",
            (Dumper,),
            {"format": Format.BINARY, "oid": array, "dump": lambda _self, packed: packed},
        )

    @classmethod
    def _head(cls, length: int, *, nulls: bool = False) -> bytes:
        if not length:
            return struct.pack(">iiI", 0, 0, cls.element)
        return struct.pack(">iiIii", 1, nulls, cls.element, length, 1)

    @classmethod
    def of(cls, values: Sequence[Any]) -> Self:
        """Pack bytes, None for NULL."""
        parts = [cls._head(len(values), nulls=None in values)]
        for value in values:
            parts.append(_NULL if value is None else _LENGTH.pack(len(value)))
            parts.append(value or b"")
        return cls(b"".join(parts))


_LENGTH = struct.Struct(">i")
_NULL = _LENGTH.pack(-1)


class _Ids(_Packed, element=2950, array=2951):
    """A uuid[]."""


class _Texts(_Packed, element=25, array=1009):
    """A text[]."""


class _Blobs(_Packed, element=17, array=1001):
    """A bytea[]."""


class _Ints(_Packed, element=23, array=1007):
    """An int[]."""

    @classmethod
    def of(cls, values: Sequence[int]) -> Self:
        """Pack integers."""
        flat = [4] * (2 * len(values))
        flat[1::2] = values
        return cls(cls._head(len(values)) + struct.pack(">" + "ii" * len(values), *flat))


class _Longs(_Packed, element=20, array=1016):
    """A bigint[]."""

    @classmethod
    def of(cls, values: Sequence[int]) -> Self:
        """Pack integers."""
        flat = [8] * (2 * len(values))
        flat[1::2] = values
        return cls(cls._head(len(values)) + struct.pack(">" + "iq" * len(values), *flat))


@lru_cache(maxsize=64)
def _percent(statement: str) -> str:
    """Turn `:name` into psycopg's `%(name)s`; the statements hold neither colons nor percents."""
    return re.sub(r":(\w+)", r"%(\1)s", statement)


_PG_VERSIONS = """
    SELECT s.id, coalesce(
        (SELECT e.originator_version FROM event e WHERE e.originator_id = s.id
         ORDER BY e.originator_version DESC LIMIT 1), -1)
    FROM unnest(CAST(:streams AS uuid[])) AS s(id)
"""

_ARGUMENT_TYPES = (
    "bigint",
    "uuid[]",
    "bytea[]",
    "text[]",
    "text[]",
    *["int[]"] * 3,
    "uuid[]",
    "int[]",
    "bigint[]",
    "int[]",
    "bigint[]",
    "bigint[]",
    *["int[]"] * 3,
    "bigint[]",
    "text[]",
    "bytea[]",
)
_APPEND = f"""
    SELECT o_recorded_at, o_firsts, o_current
    FROM mediation_append_1({", ".join(f"%b::{kind}" for kind in _ARGUMENT_TYPES)})
"""

# VOLATILE: under READ COMMITTED each statement inside sees what was committed before it began, so
# what is read after the lock is newer than the lock. One single SQL statement would not be.
APPEND_FUNCTION = """
CREATE FUNCTION mediation_append_1(
    p_clock bigint,
    p_command_ids uuid[], p_body_macs bytea[], p_command_types text[], p_results text[],
    p_counts int[], p_expect_ends int[], p_span_ends int[],
    p_streams uuid[],
    p_expect_streams int[], p_expect_versions bigint[],
    p_span_streams int[], p_span_firsts bigint[], p_span_lasts bigint[],
    p_event_commands int[], p_event_offsets int[], p_event_streams int[],
    p_event_versions bigint[], p_event_topics text[], p_event_states bytea[],
    OUT o_recorded_at bigint, OUT o_firsts bigint[], OUT o_current bigint[]
) LANGUAGE plpgsql VOLATILE AS $function$
#variable_conflict error
DECLARE
    v_position bigint;
    v_top bigint;
    v_taken boolean[];
    v_reason int;
    v_expect int := 1;
    v_span int := 1;
BEGIN
    SELECT h.position, h.recorded_at INTO STRICT v_position, o_recorded_at
    FROM log_head h WHERE h.one = 1 FOR UPDATE;

    SELECT array_agg(coalesce(
        (SELECT e.originator_version FROM event e WHERE e.originator_id = s.id
         ORDER BY e.originator_version DESC LIMIT 1), -1) ORDER BY s.n)
    INTO o_current FROM unnest(p_streams) WITH ORDINALITY AS s(id, n);
    SELECT array_agg(EXISTS (SELECT 1 FROM receipt r WHERE r.command_id = c.id) ORDER BY c.n)
    INTO v_taken FROM unnest(p_command_ids) WITH ORDINALITY AS c(id, n);

    o_recorded_at := greatest(o_recorded_at, p_clock);
    o_firsts := array_fill(0::bigint, ARRAY[cardinality(p_counts)]);
    v_top := v_position;
    FOR v_command IN 1 .. cardinality(p_counts) LOOP
        v_reason := CASE WHEN v_taken[v_command] THEN 0 ELSE 1 END;
        FOR k IN v_expect .. p_expect_ends[v_command] LOOP
            EXIT WHEN v_reason < 1;
            IF greatest(o_current[p_expect_streams[k]], 0) <> p_expect_versions[k] THEN
                v_reason := -1;
            END IF;
        END LOOP;
        FOR k IN v_span .. p_span_ends[v_command] LOOP
            EXIT WHEN v_reason < 1;
            IF p_span_firsts[k] <= o_current[p_span_streams[k]] THEN
                v_reason := -2;
            END IF;
        END LOOP;
        IF v_reason = 1 THEN
            FOR k IN v_span .. p_span_ends[v_command] LOOP
                o_current[p_span_streams[k]] := p_span_lasts[k];
            END LOOP;
            o_firsts[v_command] := v_top + 1;
            v_top := v_top + p_counts[v_command];
        ELSE
            o_firsts[v_command] := v_reason;
        END IF;
        v_expect := p_expect_ends[v_command] + 1;
        v_span := p_span_ends[v_command] + 1;
    END LOOP;

    IF v_top > v_position THEN
        INSERT INTO event (position, recorded_at, command_end,
                           originator_id, originator_version, topic, state)
        SELECT o_firsts[e.command] + e.offs, o_recorded_at,
               o_firsts[e.command] + p_counts[e.command] - 1,
               p_streams[e.stream], e.version, e.topic, e.state
        FROM unnest(p_event_commands, p_event_offsets, p_event_streams,
                    p_event_versions, p_event_topics, p_event_states)
             AS e(command, offs, stream, version, topic, state)
        WHERE o_firsts[e.command] > 0;
        INSERT INTO receipt (command_id, body_mac, command_type, result,
                             first_position, last_position)
        SELECT r.id, r.mac, r.kind, r.result, o_firsts[r.n], o_firsts[r.n] + p_counts[r.n] - 1
        FROM unnest(p_command_ids, p_body_macs, p_command_types, p_results)
             WITH ORDINALITY AS r(id, mac, kind, result, n)
        WHERE r.id IS NOT NULL AND o_firsts[r.n] > 0;
        UPDATE log_head SET position = v_top, recorded_at = o_recorded_at WHERE one = 1;
    END IF;
END
$function$
"""

Driver = type[SQLite] | type[PostgreSQL]


def driver_of(dialect_name: str) -> Driver:
    """Give the hot statements of a database by SQLAlchemy's name for it."""
    return SQLite if dialect_name == "sqlite" else PostgreSQL


# More than a pool holds, so that all its dead connections are passed.
POOLED_AT_MOST = 50


def borrow_alive(engine: Engine, driver: Driver) -> Any:
    """Take a driver connection that answers out of the pool, for good, prepared for appending.

    Connections that died while they waited in the pool are thrown away on the way.

    Raises:
        Exception: of the driver; there is no live connection.
    """
    for left in reversed(range(POOLED_AT_MOST)):
        lent = engine.raw_connection()
        connection: Any = lent.driver_connection
        try:
            driver.rows(connection, "SELECT 1", {})
        except Exception:
            lent.invalidate()
            if not left:
                raise
        else:
            lent.detach()
            return driver.writer(connection)
    raise AssertionError
