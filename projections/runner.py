"""Follow the log and keep a read model: each event once, whole commands, nothing skipped.

Rows, parked events and the tracking row move in one transaction, or not at all. What a row says is
the projection's business; what is done with an event that it cannot fold is decided here.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from threading import Condition, Event
from typing import Any, Protocol, TypeVar
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy import Connection, Engine, Row, Table, exc

from mediation.errors import PositionUnknown, ReadModelBehind, Unsafe
from mediation.store import Head, Recorded, advance, upsert, writing
from mediation.store.asking import read_rows
from mediation.store.tracking import TRACKING
from projections.base import PARKED, QUARANTINE, Projection, load_rows

BATCHES = {"postgresql": 5000, "sqlite": 1000}
"""About how many events are folded in one transaction: on SQLite every other follower waits."""

TRIES = 3
PACE = 0.2
"""Seconds between two batches while somebody writes and nobody waits: many events, one batch."""

_IDLE = 0.5
_LOOK_AGAIN = 0.05
_POSITION = "SELECT position FROM tracking WHERE name = :name"
_REST = 1.0

T = TypeVar("T")

_log = structlog.get_logger("mediation.followers")


class Source(Protocol):
    """The log, as far as a follower reads it."""

    def read(self, start_exclusive: int, limit: int) -> list[Recorded]:
        """Read about `limit` events after a position, never cutting inside a command."""
        ...

    def events_of(self, stream_id: UUID, lte: int | None = None) -> list[Recorded]:
        """Read the events of one stream."""
        ...

    def head(self) -> Head:
        """Read how far the log goes."""
        ...

    def wait_beyond(
        self, position: int, timeout: float, *, stopped: Callable[[], bool] = lambda: False
    ) -> bool:
        """Wait at most `timeout` seconds, or until stopped, for the log to go beyond a position."""
        ...


class Poisoned(Exception):
    """The fold, or the database, does not take what stands in a batch; nothing was written."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause


class Turns:
    """Lets the followers of one process write one at a time, whoever asked first.

    SQLite has one write lock and no queue before it: who has just written gets it again, and the
    others ask until their patience is over.
    """

    def __init__(self) -> None:
        self._queue: deque[object] = deque()
        self._moved = Condition()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Wait for a turn, and have it until the end."""
        mine = object()
        with self._moved:
            self._queue.append(mine)
        try:
            with self._moved:
                self._moved.wait_for(lambda: self._queue[0] is mine)
            yield
        finally:
            with self._moved:
                self._queue.remove(mine)
                self._moved.notify_all()


class Follower:
    """Keeps one read model up to the log, exactly once; any number may run, one at a time moves.

    Args:
        projection: the read model; its tables exist.
        log: where the events are.
        engine: where the read model lives; may be the log's own.
        batch: about how many events are folded in one transaction; None: what suits the database.
        pace: seconds that `run` leaves between batches that are not full, unless somebody waits.
        turns: shared by the followers of one process where the database lets one write at a time.
    """

    def __init__(  # noqa: PLR0913 - what only who wires it knows, by name
        self,
        projection: Projection,
        log: Source,
        engine: Engine,
        *,
        batch: int | None = None,
        pace: float = PACE,
        turns: Turns | None = None,
    ) -> None:
        self.projection = projection
        self._log = log
        self._engine = engine
        self._batch = batch or BATCHES[engine.dialect.name]
        self._pace = pace
        self._turns = turns or Turns()
        self._moved = Condition()
        self._hurry = Event()

    @property
    def position(self) -> int:
        """How far the read model has come; 0 before its first event."""
        found = read_rows(self._engine, _POSITION, {"name": self.projection.follower})
        return int(found[0][0]) if found else 0

    def step(self, until: int | None = None) -> int:
        """Fold the next batch and give how many events it had; 0 at the end of the log.

        When somebody else moved the read model meanwhile, nothing is written and the next step
        begins where it stands now.

        Args:
            until: go no further than this position, the end of a command; None: than the log.

        Raises:
            Unsafe: the log holds an event this release does not know.
            sqlalchemy.exc.SQLAlchemyError: the database did not answer.
        """
        position = self.position
        limit = self._batch if until is None else min(self._batch, until - position)
        batch = self._log.read(position, limit) if limit > 0 else []
        if not batch:
            return 0
        try:
            self._apply(position, batch)
        except Poisoned:
            self._apply_by_halves(position, batch)
        except Exception:
            if self.position == position:
                raise
        with self._moved:
            self._moved.notify_all()
        return len(batch)

    def catch_up(self, limit: int | None = None) -> int:
        """Fold until the end of the log, or until about `limit` events; give the position."""
        left = limit
        while left is None or left > 0:
            done = self.step()
            if not done:
                break
            if left is not None:
                left -= done
        return self.position

    def run(self, stop: Event) -> None:
        """Follow the log until `stop` is set; an outage of the database is told and waited out.

        Raises:
            Unsafe: the log holds an event this release does not know.
        """
        is_out = False
        while not stop.is_set():
            try:
                done = self.step()
                is_out = False
                if not done:
                    self._log.wait_beyond(self.position, _IDLE, stopped=stop.is_set)
                elif done < self._batch:
                    # A batch costs about the same for one event and for fifty.
                    self._hurry.wait(self._pace)
                    self._hurry.clear()
            except Exception as error:
                if not is_outage(error):
                    raise
                if not is_out:
                    # Once an outage: it may be tried for hours.
                    _log.warning(
                        "the database does not answer; a follower waits",
                        follower=self.projection.follower,
                        error=type(error).__name__,
                    )
                is_out = True
                stop.wait(_REST)

    def hurry(self) -> None:
        """Let a follower that rests between two batches go on at once."""
        self._hurry.set()

    def wait_for(self, position: int, timeout: float = 2.0) -> int:
        """Wait until the read model has come to a position; give where it stands.

        Raises:
            PositionUnknown: the log does not reach that far.
            ReadModelBehind: the read model did not get there in `timeout` seconds.
        """
        reached = self.position
        if reached < position and self._log.head().position < position:
            raise PositionUnknown(
                zh="所给位置超出日志末尾，请使用系统返回的 Position。",
                en="The position lies beyond the log; use a Position this system returned.",
            )
        until = time.monotonic() + timeout
        while reached < position:
            left = until - time.monotonic()
            if left <= 0:
                raise ReadModelBehind(
                    zh="刚提交的内容尚未进入查询数据，请稍后重试。",
                    en="What was just recorded is not in the read model yet; try again shortly.",
                )
            self.hurry()
            with self._moved:
                self._moved.wait(min(left, _LOOK_AGAIN))
            reached = self.position
        return reached

    # Writing

    def _apply(self, position: int, batch: Sequence[Recorded]) -> None:
        with self._turns.one(), writing(self._engine) as connection:
            self.apply(connection, position, batch)

    def apply(self, connection: Connection, position: int, batch: Sequence[Recorded]) -> None:
        """Fold a batch in the caller's transaction, which is lost if this raises.

        Moving on first makes a second follower wait.

        Args:
            connection: of a transaction that writes.
            position: where the read model stands.
            batch: what follows in the log, with whole commands; not empty.

        Raises:
            Poisoned: something in it cannot be folded.
            IntegrityError: somebody else moved the read model meanwhile.
        """
        self._advance(connection, position, batch[-1].position)
        aside = self._parked(connection)
        self._park(connection, [it for it in batch if it.originator_id in aside], aside)
        self._write(connection, [it for it in batch if it.originator_id not in aside])

    def _advance(self, connection: Connection, position: int, to_position: int) -> None:
        advance(connection, self.projection.follower, position, to_position)

    def _write(self, connection: Connection, batch: Sequence[Recorded]) -> None:
        if not batch:
            # A fold that fails whatever it is given has failed for every event of it already.
            return

        def load(table: Table, keys: Collection[UUID]) -> Mapping[UUID, Row[Any]]:
            return load_rows(connection, table, keys)

        try:
            for table, rows in self.projection.fold(batch, load).items():
                upsert(connection, table, rows)
        except Exception as error:
            if self._is_poison(error):
                raise Poisoned(error) from error
            raise

    def _is_poison(self, error: Exception) -> bool:
        """Tell an event that cannot be folded from a process or database that cannot go on."""
        driver: Any = self._engine.dialect.loaded_dbapi
        if isinstance(error, (exc.SQLAlchemyError, driver.Error)):
            refused = (exc.DataError, exc.IntegrityError, driver.DataError, driver.IntegrityError)
            return isinstance(error, refused)
        return not isinstance(error, (Unsafe, MemoryError))

    # Setting aside what cannot be folded

    def _apply_by_halves(self, position: int, batch: Sequence[Recorded]) -> None:
        """Fold what was refused as a whole: halved until the command stands alone that refuses."""
        commands = [list(it) for _, it in groupby(batch, key=lambda it: it.command_end)]
        waiting = _halves(commands)
        while waiting:
            stretch = waiting.pop()
            events = [it for command in stretch for it in command]
            is_one = len(stretch) == 1
            try:
                if not self._tried(position, events, TRIES if is_one else 1):
                    if not is_one:
                        waiting += _halves(stretch)
                        continue
                    self._quarantine(position, events)
            except Exception:
                if self.position == position:
                    raise
                return
            position = events[-1].command_end

    def _tried(self, position: int, events: Sequence[Recorded], times: int) -> bool:
        for _ in range(times):
            try:
                self._apply(position, events)
            except Poisoned:
                continue
            return True
        return False

    def _quarantine(self, position: int, command: Sequence[Recorded]) -> None:
        """Park the streams whose events cannot be folded; write what the others leave behind."""
        streams = self._streams_of(command)
        poison = {
            stream: culprit
            for stream, events in streams.items()
            if (culprit := self._culprit(events)) is not None
        }
        try:
            self._set_aside(position, command, poison)
        except Poisoned as poisoned:
            # Each alone is sound, together they are not: none of them can be told to be right.
            everything = {it: (events[0], str(poisoned)) for it, events in streams.items()}
            self._set_aside(position, command, everything)

    def _set_aside(
        self,
        position: int,
        command: Sequence[Recorded],
        poison: Mapping[UUID | str, tuple[Recorded, str]],
    ) -> None:
        with self._turns.one(), writing(self._engine) as connection:
            self._advance(connection, position, command[-1].position)
            aside = self._parked(connection)
            for found, error in poison.values():
                row = (self.projection.follower, found.position, found.originator_id, error)
                upsert(connection, QUARANTINE, [row])
            since = {
                stream: min(it.position for it in command if it.originator_id == stream)
                for stream in poison
            }
            aside = {**since, **aside}
            self._park(connection, [it for it in command if it.originator_id in aside], aside)
            self._write(connection, [it for it in command if it.originator_id not in aside])
        # After the commit, so that each is told once, by whoever set it aside.
        for found, error in poison.values():
            _log.error(
                "event quarantined",
                follower=self.projection.follower,
                position=found.position,
                stream_id=str(found.originator_id),
                error=error,
            )

    def _streams_of(self, command: Sequence[Recorded]) -> dict[UUID | str, list[Recorded]]:
        with self._engine.connect() as connection:
            aside = self._parked(connection)
        streams: dict[UUID | str, list[Recorded]] = {}
        for recorded in command:
            if recorded.originator_id not in aside:
                streams.setdefault(recorded.originator_id, []).append(recorded)
        return streams

    def _culprit(self, events: Sequence[Recorded]) -> tuple[Recorded, str] | None:
        for count in range(1, len(events) + 1):
            # Never committed: what is tried here is written, if at all, with everything else.
            with self._engine.connect().execution_options(mediation_writes=True) as connection:
                try:
                    self._write(connection, events[:count])
                except Poisoned as poisoned:
                    return events[count - 1], str(poisoned)
        return None

    def _parked(self, connection: Connection) -> dict[UUID | str, int]:
        """Read which streams are set aside, and since which position."""
        query = sa.select(PARKED.c.originator_id, PARKED.c.stale_since).where(
            PARKED.c.projection == self.projection.follower
        )
        return {row.originator_id: row.stale_since for row in connection.execute(query.distinct())}

    def _park(
        self, connection: Connection, events: Sequence[Recorded], since: Mapping[UUID | str, int]
    ) -> None:
        follower = self.projection.follower
        upsert(
            connection,
            PARKED,
            [(follower, it.position, it.originator_id, since[it.originator_id]) for it in events],
        )

    def replay(self) -> int:
        """Fold what was set aside, each stream in its order; give how many streams came back.

        A stream that still cannot be folded stays where it is.
        """
        with self._engine.connect() as connection:
            streams = self._parked(connection)
        return sum(self._drain(stream) for stream in sorted(streams, key=lambda it: streams[it]))

    def _drain(self, stream: UUID | str) -> bool:
        follower = self.projection.follower
        waiting = (PARKED.c.projection == follower, PARKED.c.originator_id == stream)
        try:
            with writing(self._engine) as connection:
                # Holding the tracking row keeps a follower from parking more meanwhile.
                held = sa.select(TRACKING.c.position).where(TRACKING.c.name == follower)
                connection.execute(held.with_for_update())
                positions = set(connection.scalars(sa.select(PARKED.c.position).where(*waiting)))
                events = self._log.events_of(UUID(str(stream)))
                self._write(connection, [it for it in events if it.position in positions])
                connection.execute(sa.delete(PARKED).where(*waiting))
                connection.execute(
                    sa.delete(QUARANTINE).where(
                        QUARANTINE.c.projection == follower, QUARANTINE.c.originator_id == stream
                    )
                )
        except Poisoned:
            return False
        return True


def _halves(commands: Sequence[T]) -> list[Sequence[T]]:
    """Give both halves, what comes first in the log last: it is taken from the end."""
    middle = len(commands) // 2
    return [it for it in (commands[middle:], commands[:middle]) if it]


def is_outage(error: Exception) -> bool:
    """Tell a database that does not answer; drivers share the names of it, not the class.

    SQLite gives the same class to a statement that never can be carried out: a table is missing.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    said = isinstance(error, exc.TimeoutError) or names & {"OperationalError", "InterfaceError"}
    driver = getattr(error, "orig", None) or error.__cause__ or error
    return bool(said) and getattr(driver, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR
