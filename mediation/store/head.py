"""The head of the log: one lock, one allocator, one clock; commands queue here and go in batches.

Group commit without a writer thread: a caller who finds nobody at work leads at once; callers who
come while a batch runs queue up, and the first of them leads the next. So a lone client and a
crowd run the same code (ADR 0006).

What happens when the connection dies while a batch is under way, so that nobody knows whether it
was committed: the batch is run again on a fresh connection, under the lock. A command with a
receipt finds its receipt there if it was written, and its own events behind it, and is answered as
the success it was. A command without a receipt is answered `OperationalError` and not run again:
its version check could not tell its own events from somebody else's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from threading import Event, Lock
from typing import Any
from uuid import UUID

from eventsourcing.persistence import (
    IntegrityError,
    OperationalError,
    StoredEvent,
)
from sqlalchemy import Engine

from mediation.store.appending import Appending, Receipt, StreamMoved
from mediation.store.engine import not_migrated
from mediation.store.faults import LostError, NoHeadError, translated
from mediation.store.hot import (
    MOVED,
    Driver,
    Outcome,
    borrow_alive,
    driver_of,
)
from mediation.store.moments import from_micros, to_micros

LARGEST_BATCH = 500
# A batch is tried at most four times; between tries a fail-over gets a little time.
PAUSES = (0.0, 0.05, 0.25, 1.0)


@dataclass(frozen=True)
class Appended:
    """Where a command's events stand: positions first to last, and when they were recorded."""

    first: int
    last: int
    recorded_at: datetime


class Waiting(Appending):
    """One command in the queue; `turn` wakes its caller, to lead or to take the answer."""

    __slots__ = (
        "answered",
        "error",
        "first",
        "leads",
        "reason",
        "recorded_at",
        "turn",
    )

    def __init__(
        self,
        events: Sequence[StoredEvent],
        expects: Mapping[UUID, int],
        receipt: Receipt | None,
    ) -> None:
        super().__init__(events, expects, receipt)
        self.turn = Lock()
        self.turn.acquire()
        self.leads = False
        self.answered = False
        self.first = 0
        self.recorded_at = 0
        self.reason: tuple[int, bool, Mapping[UUID, int]] | None = None
        self.error: BaseException | None = None

    def win(self, first: int, recorded_at: int) -> None:
        """Answer: written, beginning at this position."""
        self.first, self.recorded_at, self.answered = first, recorded_at, True

    def lose(self, reason: int, current: Mapping[UUID, int], *, in_doubt: bool) -> None:
        """Answer: not written by this run; `in_doubt` if an earlier run may have done so."""
        self.reason, self.answered = (reason, in_doubt, current), True

    def fail(self, error: BaseException) -> None:
        """Answer: could not be decided."""
        self.error, self.answered = error, True


class GroupCommit:
    """Queue commands and let one caller at a time run all that wait; knows no database."""

    def __init__(
        self, run: Callable[[Sequence[Waiting]], None], *, largest: int = LARGEST_BATCH
    ) -> None:
        self._run = run
        self._largest = largest
        self._mutex = Lock()
        self._queue: deque[Waiting] = deque()
        self._busy = False

    def submit(self, command: Waiting) -> None:
        """Return when the command is answered."""
        with self._mutex:
            self._queue.append(command)
            command.leads = not self._busy
            self._busy = True
        if not command.leads:
            try:
                command.turn.acquire()
            except BaseException:
                self._leave(command)
                raise
            if command.answered:
                return
        with self._mutex:
            batch = self._take()
        try:
            self._run(batch)
        except BaseException as error:
            for other in batch:
                if not other.answered:
                    other.fail(translated(error) if isinstance(error, Exception) else _stopped())
            if not isinstance(error, Exception):
                raise
        finally:
            with self._mutex:
                self._hand_over()
            for other in batch:
                if other is not command:
                    other.turn.release()

    def _take(self) -> list[Waiting]:
        """Take what waits, in arrival order; a command id that comes twice waits for its answer."""
        batch: list[Waiting] = []
        seen: set[UUID] = set()
        while self._queue and len(batch) < self._largest:
            receipt = self._queue[0].receipt
            if receipt is not None:
                if receipt.command_id in seen:
                    break
                seen.add(receipt.command_id)
            batch.append(self._queue.popleft())
        return batch

    def _hand_over(self) -> None:
        self._busy = bool(self._queue)
        if self._queue:
            self._queue[0].leads = True
            self._queue[0].turn.release()

    def _leave(self, command: Waiting) -> None:
        """Forget a caller that was interrupted while it waited; pass on the lead if it had it."""
        with self._mutex:
            if command in self._queue:
                self._queue.remove(command)
                if command.leads:
                    self._hand_over()


def _stopped() -> OperationalError:
    return OperationalError("the process was interrupted while it wrote")


class LogWriter:
    """Append commands to the log, each all or nothing, in one total order without holes.

    Args:
        engine: the log's engine.
        clock: gives the present aware time.
        committed: told the head's position after every commit.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Callable[[], datetime],
        committed: Callable[[int], None] = lambda _position: None,
    ) -> None:
        self._engine = engine
        self._driver: Driver = driver_of(engine.dialect.name)
        self._clock = clock
        self._committed = committed
        self._group = GroupCommit(self._run)
        self._held: Any = None
        self._closing = Event()

    def append(
        self,
        events: Sequence[StoredEvent],
        *,
        expects: Mapping[UUID, int] | None = None,
        receipt: Receipt | None = None,
    ) -> Appended | tuple[int, bool, Mapping[UUID, int]]:
        """Append one command's events.

        Returns:
            Where they stand, or why not: (reason, in doubt, current versions).

        Raises:
            OperationalError: the database did not answer; with a receipt, repeat to learn more.
            IntegrityError: the versions do not increase.
        """
        command = Waiting(events, expects or {}, receipt)
        self._group.submit(command)
        if command.error is not None:
            raise command.error
        if command.reason is not None:
            return command.reason
        last = command.first + len(events) - 1
        return Appended(command.first, last, from_micros(command.recorded_at))

    def close(self) -> None:
        """Close the connection that is held for writing."""
        self._closing.set()
        self._drop()

    def _connection(self) -> Any:
        if self._held is None:
            self._held = borrow_alive(self._engine, self._driver)
        return self._held

    def _drop(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            # It is being thrown away, whatever it says to that.
            with suppress(Exception):
                held.close()

    def _run(self, batch: Sequence[Waiting]) -> None:
        """Answer every command of the batch; only interrupts are raised."""
        waiting, in_doubt = list(batch), False
        error: Exception = _stopped()
        for pause in PAUSES:
            if pause:
                self._closing.wait(pause)
            try:
                connection = self._connection()
            except Exception as unreachable:  # noqa: BLE001 - told to every caller below
                error = unreachable
                continue
            try:
                outcome = self._driver.append(connection, waiting, to_micros(self._clock()))
            except LostError as lost:
                error, in_doubt = lost, True
                self._drop()
                waiting = self._only_repeatable(waiting)
                if not waiting:
                    return
            except NoHeadError:
                self._fail(waiting, not_migrated)
                return
            except Exception as refused:  # noqa: BLE001 - told to every caller it concerns
                self._drop()
                self._refuse(waiting, refused)
                return
            else:
                self._answer(waiting, outcome, in_doubt=in_doubt)
                return
        told = f"the database did not answer: {error}"
        self._fail(waiting, lambda: OperationalError(told))

    def _only_repeatable(self, waiting: Sequence[Waiting]) -> list[Waiting]:
        """Keep what may run again after an unknown outcome: commands with a receipt."""
        for command in waiting:
            if command.receipt is None:
                command.fail(OperationalError("the connection was lost; the outcome is unknown"))
        return [command for command in waiting if command.receipt is not None]

    def _refuse(self, waiting: Sequence[Waiting], refused: Exception) -> None:
        """Nothing was written: find the command at fault, so that its neighbours do not suffer."""
        told = translated(refused)
        if len(waiting) == 1 or isinstance(told, OperationalError):
            self._fail(waiting, lambda: translated(refused))
            return
        for command in waiting:
            self._run([command])

    @staticmethod
    def _fail(waiting: Sequence[Waiting], error: Callable[[], Exception]) -> None:
        for command in waiting:
            command.fail(error())

    def _answer(self, waiting: Sequence[Waiting], outcome: Outcome, *, in_doubt: bool) -> None:
        top = 0
        for command, first in zip(waiting, outcome.firsts, strict=True):
            if first > 0:
                command.win(first, outcome.recorded_at)
                top = first + len(command.events) - 1
            else:
                current = {stream: max(outcome.current[stream], 0) for stream in command.expects}
                command.lose(first, current, in_doubt=in_doubt)
        if top:
            self._committed(top)


def loss(reason: int, current: Mapping[UUID, int]) -> IntegrityError:
    """Give the error of a command that lost for another reason than its receipt."""
    if reason == MOVED:
        return StreamMoved(current)
    msg = "a version is not above the stream's highest"
    return IntegrityError(msg)
