"""The event library's recorder over our log: append with expectations and receipt, read in order.

Knows stored bytes only, never what is in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID

from eventsourcing.persistence import (
    ApplicationRecorder,
    DatabaseError,
    Notification,
    ProgrammingError,
    StoredEvent,
)
from sqlalchemy import Engine, inspect

from mediation.store.appending import AlreadyRecorded, Receipt
from mediation.store.as_of import COMMAND_END, POSITION_AT, RECORDED_AT
from mediation.store.engine import not_migrated
from mediation.store.faults import translated
from mediation.store.head import Appended, LogWriter, loss
from mediation.store.hot import (
    POOLED_AT_MOST,
    READ_HEAD,
    READ_LOG,
    READ_RECEIPT,
    READ_SPAN,
    READ_STREAM,
    READ_STREAM_BACKWARDS,
    TAKEN,
    Driver,
    driver_of,
)
from mediation.store.moments import from_micros, to_micros
from mediation.store.tables import LOG_HEAD
from mediation.store.tail import LogSubscription, Tail

T = TypeVar("T")

_NO_LIMIT = 2**63 - 1


@dataclass(frozen=True)
class Recorded(Notification):
    """An event as it stands in the log: the stored bytes and the columns beside them.

    Attributes:
        recorded_at: aware UTC; never decreases with the position.
        command_end: last position of the command the event belongs to.
    """

    recorded_at: datetime
    command_end: int

    @property
    def position(self) -> int:
        """Place in the log, dense from 1."""
        return self.id


@dataclass(frozen=True)
class Head:
    """How far the log goes, and whose it is.

    Attributes:
        position: of the last event, 0 for an empty log.
        recorded_at: aware UTC time of the last event, or when the log was made.
        log_id: random id of this log.
        district: code of the one district.
        kind: `live`, `demo` or `test`.
    """

    position: int
    recorded_at: datetime
    log_id: UUID
    district: str
    kind: str


class Positions(list[int]):
    """The positions of a command's events, and the moment they were recorded."""

    recorded_at: datetime


class LogRecorder(ApplicationRecorder):
    """Record and select stored events in one ordered log without holes.

    Args:
        engine: the log's engine; the caller disposes of it.
        clock: gives the present aware time.
    """

    def __init__(self, engine: Engine, *, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._driver: Driver = driver_of(engine.dialect.name)
        self.tail = Tail(engine, lambda: self.max_notification_id() or 0)
        self._writer = LogWriter(engine, clock=clock, committed=self.tail.signal)
        self.is_closed = False

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        expects: Mapping[UUID, int] | None = None,
        receipt: Receipt | None = None,
        **_kwargs: Any,
    ) -> Positions | None:
        """Append the events of one command, all or none.

        Args:
            stored_events: in order; versions of one stream increase.
            expects: version at which each stream read or written has to stand; a stream without
                events stands at 0. Streams not named only need to stand below what is written.
            receipt: written with the events; its positions are filled in here.

        Returns:
            The positions, or None if there were no events.

        Raises:
            AlreadyRecorded: the command id has a receipt.
            StreamMoved: an expectation does not hold.
            IntegrityError: a version is taken already, or versions do not increase.
            OperationalError: the database did not answer; the outcome may be unknown.
            ProgrammingError: a receipt without events.
        """
        if not stored_events:
            if receipt is not None:
                msg = "a command that is recorded has at least one event"
                raise ProgrammingError(msg)
            return None
        answer = self._writer.append(stored_events, expects=expects, receipt=receipt)
        if isinstance(answer, Appended):
            positions = Positions(range(answer.first, answer.last + 1))
            positions.recorded_at = answer.recorded_at
            return positions
        reason, in_doubt, current = answer
        if reason != TAKEN or receipt is None:
            raise loss(reason, current)
        written = self.receipt(receipt.command_id)
        if written is None:
            msg = "a receipt was found and cannot be read"
            raise DatabaseError(msg)
        if in_doubt:
            own = self.read_span(written.first_position - 1, written.last_position)
            if list(map(_stored, own)) == list(map(_stored, stored_events)):
                positions = Positions(event.id for event in own)
                positions.recorded_at = own[0].recorded_at
                return positions
        raise AlreadyRecorded(written)

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        """Read stored events of one stream, by version."""
        rows = self._stream(originator_id, gt=gt, lte=lte, desc=desc, limit=limit)
        stream = cast("UUID", originator_id)
        return [StoredEvent(stream, row[4], row[5], row[6]) for row in rows]

    def stream(
        self, stream_id: UUID, *, gt: int | None = None, lte: int | None = None
    ) -> list[Recorded]:
        """Read the events of one stream with their envelope, by version."""
        return self._recorded(self._stream(stream_id, gt=gt, lte=lte))

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> list[Recorded]:
        """Read at most `limit` events from `start` to `stop` inclusive, by position."""
        after = 0 if start is None else start - 1 if inclusive_of_start else start
        upto = _NO_LIMIT if stop is None else stop
        if not topics:
            return self.read_span(after, upto, limit)
        found: list[Recorded] = []
        while len(found) < limit:
            page = self.read_span(after, upto, max(limit, 500))
            if not page:
                break
            after = page[-1].id
            found += [event for event in page if event.topic in topics]
        return found[:limit]

    def max_notification_id(self) -> int | None:
        """Read the position of the last event, None for an empty log."""
        rows = self._rows("SELECT position FROM log_head", {})
        return (rows[0][0] or None) if rows else None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> LogSubscription:
        """Follow the log from after `gt`, waiting at its end."""
        return LogSubscription(self, gt, topics)

    def read(self, start_exclusive: int, limit: int) -> list[Recorded]:
        """Read about `limit` events after a position, never cutting inside a command.

        The last command is given whole, so there may be more than `limit` events.
        """
        return self._recorded(
            self._rows(READ_LOG, {"start": start_exclusive, "reach": start_exclusive + limit})
        )

    def read_span(self, start_exclusive: int, stop: int, limit: int = _NO_LIMIT) -> list[Recorded]:
        """Read at most `limit` events after `start_exclusive` up to `stop`, by position."""
        return self._recorded(
            self._rows(READ_SPAN, {"start": start_exclusive, "stop": stop, "limit": limit})
        )

    def head(self) -> Head:
        """Read how far the log goes.

        Raises:
            Unsafe: the store has not been migrated.
        """
        try:
            rows = self._rows(READ_HEAD, {})
        except DatabaseError:
            if inspect(self._engine).has_table(LOG_HEAD.name):
                raise
            rows = []
        if not rows:
            raise not_migrated()
        position, micros, log_id, district, kind = rows[0]
        return Head(position, from_micros(micros), self._driver.id_out(log_id), district, kind)

    def position_at(self, at: datetime) -> int:
        """Read the last position recorded by an aware time, 0 if there is none.

        It is the end of a command: all events of one are recorded at one moment.

        Raises:
            DatabaseError: the log has a hole.
        """
        rows = self._rows(POSITION_AT, {"at": to_micros(at)})
        if not rows:
            msg = "the log has a hole"
            raise DatabaseError(msg)
        return cast("int", rows[0][0])

    def command_end(self, position: int) -> int:
        """Read the last end of a command at or before a position, 0 if there is none."""
        rows = self._rows(COMMAND_END, {"position": position})
        return rows[0][0] if rows else 0

    def recorded_at(self, position: int) -> datetime | None:
        """Read when an event was recorded; None if there is no such position."""
        rows = self._rows(RECORDED_AT, {"position": position})
        return from_micros(rows[0][0]) if rows else None

    def receipt(self, command_id: UUID) -> Receipt | None:
        """Read the receipt of a command, None if it was never carried out."""
        rows = self._rows(READ_RECEIPT, {"command": self._driver.id_in(command_id)})
        if not rows:
            return None
        _, body_mac, command_type, result, first, last = rows[0]
        return Receipt(
            command_id=command_id,
            body_mac=body_mac,
            command_type=command_type,
            result=result.encode(),
            first_position=first,
            last_position=last,
        )

    def versions(self, ids: Iterable[UUID]) -> dict[UUID, int]:
        """Read the version at which each stream stands, 0 for one without events."""
        asked = list(ids)
        found = self._ask(lambda connection: self._driver.versions(connection, asked))
        return {stream: max(version, 0) for stream, version in found.items()}

    def close(self) -> None:
        """Let go of the connections and threads of this recorder."""
        self.is_closed = True
        self.tail.close()
        self._writer.close()

    def _stream(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[Any]:
        return self._rows(
            READ_STREAM_BACKWARDS if desc else READ_STREAM,
            {
                "stream": self._driver.id_in(cast("UUID", originator_id)),
                "gt": -1 if gt is None else gt,
                "lte": _NO_LIMIT if lte is None else lte,
                "limit": _NO_LIMIT if limit is None else limit,
            },
        )

    def _recorded(self, rows: Iterable[Any]) -> list[Recorded]:
        # A frozen dataclass assigns each field by a call; followers read millions of these.
        new, put, id_out = object.__new__, object.__setattr__, self._driver.id_out
        found: list[Recorded] = []
        last_micros, recorded_at = None, from_micros(0)
        for position, micros, command_end, stream, version, topic, state in rows:
            if micros != last_micros:
                last_micros, recorded_at = micros, from_micros(micros)
            event = new(Recorded)
            fields = {
                "originator_id": id_out(stream),
                "originator_version": version,
                "topic": topic,
                "state": state,
                "id": position,
                "recorded_at": recorded_at,
                "command_end": command_end,
            }
            put(event, "__dict__", fields)
            found.append(event)
        return found

    def _rows(self, statement: str, parameters: Mapping[str, Any]) -> list[Any]:
        return self._ask(lambda connection: self._driver.rows(connection, statement, parameters))

    def _ask(self, read: Callable[[Any], T]) -> T:
        """Read on a connection of the pool, and on the next one if that had died in it."""
        stale: Exception | None = None
        for _ in range(POOLED_AT_MOST):
            try:
                return self._ask_once(read)
            except _StaleConnection as error:
                stale = error
        cause = cast("Exception", stale and stale.__cause__)
        raise translated(cause) from cause

    def _ask_once(self, read: Callable[[Any], T]) -> T:
        try:
            lent = self._engine.raw_connection()
        except Exception as error:
            raise translated(error) from error
        connection: Any = lent.driver_connection
        try:
            return read(connection)
        except Exception as error:
            if self._driver.is_lost(connection, error):
                lent.invalidate()
                raise _StaleConnection from error
            raise translated(error) from error
        finally:
            lent.close()


class _StaleConnection(Exception):
    """The pool lent a connection that had died while nobody used it."""


def _stored(event: StoredEvent) -> tuple[UUID | str, int, str, bytes]:
    return event.originator_id, event.originator_version, event.topic, event.state
