"""Wake whoever follows the log when it grows; nothing depends on a wake-up, everything also polls.

Inside the process a condition is signalled after the commit. Between processes PostgreSQL carries
a NOTIFY, sent after the commit by a thread of its own: in the transaction it would halve the rate,
because NOTIFY takes a lock of the whole database. SQLite is polled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING, Any

from eventsourcing.persistence import Notification, Subscription
from sqlalchemy import Engine

from mediation.store.hot import PostgreSQL, borrow_alive

if TYPE_CHECKING:
    from mediation.store.recorder import LogRecorder, Recorded

CHANNEL = "mediation_log"
POLL_SECONDS = {"sqlite": 0.1, "postgresql": 1.0}
# One NOTIFY serves all commits of this time; it is also how long closing may take.
_PAUSE = 0.005
_LISTEN = 0.25
_RECONNECT = 1.0


class Tail:
    """Wait until the log goes beyond a position.

    Args:
        engine: the log's engine.
        position: reads the head's position from the database.
    """

    def __init__(self, engine: Engine, position: Callable[[], int]) -> None:
        self._engine = engine
        self._read = position
        self._is_postgresql = engine.dialect.name == "postgresql"
        self._poll = POLL_SECONDS[engine.dialect.name]
        self._known = 0
        self._grown = Condition()
        self._closing = Event()
        self._to_notify = Event()
        self._threads: dict[str, Thread] = {}

    def signal(self, position: int) -> None:
        """Say that everything up to this position is committed; never fails, never waits."""
        self._learn(position)
        if self._is_postgresql and not self._closing.is_set():
            self._start("mediation-notify", self._notify)
            self._to_notify.set()

    def wait_beyond(
        self, position: int, timeout: float, *, stopped: Callable[[], bool] = lambda: False
    ) -> bool:
        """Wait until the log's head is beyond `position`.

        Args:
            position: what the caller has seen already.
            timeout: seconds to wait at most.
            stopped: asked at every wake-up; waiting ends when it says so.

        Returns:
            Whether the head is beyond; False after the timeout, when stopped or closed.
        """
        if self._is_postgresql:
            self._start("mediation-listen", self._listen)
        left = timeout
        while True:
            if self._known > position:
                return True
            self._learn(self._read())
            if self._known > position:
                return True
            if left <= 0 or self._closing.is_set() or stopped():
                return False
            share = min(left, self._poll)
            left -= share
            with self._grown:
                self._grown.wait_for(
                    lambda: self._known > position or self._closing.is_set() or stopped(), share
                )

    def wake(self) -> None:
        """Let everybody who waits look again."""
        with self._grown:
            self._grown.notify_all()

    def close(self) -> None:
        """Stop the threads and let everybody go who waits."""
        with self._grown:
            self._closing.set()
            self._grown.notify_all()
            threads = list(self._threads.values())
            self._threads.clear()
        self._to_notify.set()
        for thread in threads:
            thread.join()

    def _learn(self, position: int) -> None:
        with self._grown:
            if position > self._known:
                self._known = position
                self._grown.notify_all()

    def _start(self, name: str, work: Callable[[Any], None]) -> None:
        if name in self._threads or self._closing.is_set():
            return
        with self._grown:
            if name not in self._threads and not self._closing.is_set():
                thread = Thread(target=self._keep, args=(work,), name=name, daemon=True)
                self._threads[name] = thread
                thread.start()

    def _keep(self, work: Callable[[Any], None]) -> None:
        """Do this on a connection of its own, and on a new one when that is lost."""
        while not self._closing.is_set():
            # Best effort: without a connection the poll goes on finding what is new.
            with (
                suppress(Exception),
                closing(borrow_alive(self._engine, PostgreSQL)) as connection,
            ):
                work(connection)
            self._closing.wait(_RECONNECT)

    def _notify(self, connection: Any) -> None:
        # A NOTIFY is a transaction that is flushed like any other; there is nothing in it to lose.
        connection.execute("SET synchronous_commit = off")
        while True:
            self._to_notify.wait()
            if self._closing.is_set():
                return
            self._to_notify.clear()
            connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(self._known)))
            self._closing.wait(_PAUSE)

    def _listen(self, connection: Any) -> None:
        connection.execute(f"LISTEN {CHANNEL}")
        # What was committed before LISTEN was up is not announced: look once.
        self._learn(self._read())
        while not self._closing.is_set():
            for notice in connection.notifies(timeout=_LISTEN):
                self._learn(int(notice.payload))
                if self._closing.is_set():
                    return


class LogSubscription(Subscription["LogRecorder"]):
    """Give the events of the log one by one, for ever, as the event library expects it."""

    def __init__(
        self, recorder: LogRecorder, gt: int | None = None, topics: Sequence[str] = ()
    ) -> None:
        super().__init__(recorder, gt, topics)
        self._seen = gt or 0
        self._waiting: deque[Recorded] = deque()

    def stop(self) -> None:
        """End the iteration, also from another thread."""
        super().stop()
        self._recorder.tail.wake()

    def __next__(self) -> Notification:
        """Give the next event; wait for it if there is none yet."""
        while not self._has_been_stopped:
            if self._waiting:
                return self._waiting.popleft()
            batch = self._recorder.read(self._seen, 500)
            if batch:
                self._seen = batch[-1].id
                wanted = self._topics
                self._waiting.extend(e for e in batch if not wanted or e.topic in wanted)
            elif (
                not self._recorder.tail.wait_beyond(
                    self._seen, 1.0, stopped=lambda: self._has_been_stopped
                )
                and self._recorder.is_closed
            ):
                break
        raise StopIteration
