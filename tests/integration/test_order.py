"""One order without holes: under threads, open transactions, clocks, refusals, lost answers."""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from threading import Event, Thread
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import (
    IntegrityError,
    OperationalError,
    PersistenceError,
    StoredEvent,
)
from sqlalchemy import Connection, Engine, func, insert, select, text

from mediation.store import (
    AlreadyRecorded,
    LogRecorder,
    Receipt,
    StreamMoved,
    check_store,
    migrate,
    open_engine,
    to_micros,
    writing,
)
from mediation.store.faults import LostError
from mediation.store.head import GroupCommit, LogWriter, Waiting
from mediation.store.hot import PostgreSQL, SQLite
from mediation.store.tables import EVENT, LOG_HEAD
from tests.conftest import DISTRICT, LOG_ID


@pytest.fixture
def recorder(store: Engine, clock) -> Iterator[LogRecorder]:
    """A recorder on a migrated store."""
    opened = LogRecorder(store, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def neighbour(database: str, store: Engine, clock) -> Iterator[LogRecorder]:
    """What a second process would have: engine, queue and connections of its own."""
    engine = open_engine(database)
    opened = LogRecorder(engine, clock=clock)
    yield opened
    opened.close()
    engine.dispose()


@pytest.fixture
def postgresql_store(postgresql_database: str, clock) -> Iterator[Engine]:
    """A migrated store for what only PostgreSQL can do."""
    engine = open_engine(postgresql_database)
    migrate(engine, district=DISTRICT, kind="test", log_id=LOG_ID, at=clock())
    yield engine
    engine.dispose()


def stored(stream: UUID, version: int, topic: str = "case.noted/1") -> StoredEvent:
    """An event with bytes of its own, as every real event has through its random id."""
    return StoredEvent(stream, version, topic, uuid4().bytes)


def receipt_for(command_id: UUID) -> Receipt:
    """A receipt as the door writes it."""
    return Receipt(command_id=command_id, body_mac=b"mac", command_type="note-case", result=b"{}")


def whole_log(recorder: LogRecorder) -> list[Any]:
    """Every event, in order."""
    return recorder.read(0, 10**6)


def test_positions_are_dense_and_commands_whole_under_eight_threads(store, recorder, neighbour):
    """Two processes' worth of writers, refusals among them: 1, 2, 3 … and no command is split."""
    shared = uuid4()
    seen: list[int] = []
    done = Event()

    def follow() -> None:
        while not done.is_set() or recorder.read(seen[-1] if seen else 0, 1):
            seen.extend(event.id for event in recorder.read(seen[-1] if seen else 0, 7))

    def work(number: int) -> int:
        mine = (recorder, neighbour)[number % 2]
        refused = 0
        for _ in range(25):
            stream = uuid4()
            expected = mine.versions([shared])[shared]
            events = [stored(stream, 1), stored(shared, expected + 1), stored(stream, 2)]
            try:
                mine.insert_events(
                    events, expects={shared: expected, stream: 0}, receipt=receipt_for(uuid4())
                )
            except StreamMoved:
                refused += 1
        return refused

    follower = Thread(target=follow)
    follower.start()
    with ThreadPoolExecutor(8) as threads:
        refused = sum(threads.map(work, range(8)))
    done.set()
    follower.join()
    log = whole_log(recorder)
    assert [event.id for event in log] == list(range(1, 3 * (200 - refused) + 1))
    assert [event.command_end for event in log] == [3 * (n // 3) + 3 for n in range(len(log))]
    assert seen == [event.id for event in log]
    assert recorder.versions([shared]) == {shared: 200 - refused}
    assert [event.originator_version for event in recorder.stream(shared)] == list(
        range(1, 201 - refused)
    )
    check_store(store, district=DISTRICT)


def put(connection: Connection, position: int) -> None:
    """Insert an event at a position, past the recorder."""
    connection.execute(
        insert(EVENT).values(
            position=position,
            recorded_at=0,
            command_end=position,
            originator_id=uuid4(),
            originator_version=1,
            topic="case.noted/1",
            state=b"",
        )
    )


def nothing_is_missed(
    recorder: LogRecorder,
    held_open: Callable[[], AbstractContextManager[None]],
    meanwhile: Callable[[], object],
) -> None:
    """Assert that a tailing reader sees an append that stays open while another is made."""
    seen: list[int] = []

    def look() -> None:
        seen.extend(event.id for event in recorder.read(seen[-1] if seen else 0, 100))

    other = Thread(target=meanwhile)
    with held_open():
        other.start()
        other.join(0.3)
        look()
    other.join()
    look()
    assert len(seen) == 2
    assert seen == [event.id for event in whole_log(recorder)]


def test_a_reader_misses_nothing_while_an_append_stays_open(store, recorder):
    """Who appends holds the head, so nobody can commit a higher position before him."""

    @contextmanager
    def holding_the_head() -> Iterator[None]:
        with writing(store) as connection:
            position = connection.execute(
                select(LOG_HEAD.c.position).with_for_update()
            ).scalar_one()
            put(connection, position + 1)
            connection.execute(LOG_HEAD.update().values(position=position + 1))
            yield

    nothing_is_missed(
        recorder, holding_the_head, lambda: recorder.insert_events([stored(uuid4(), 1)])
    )


def test_positions_from_a_sequence_would_let_a_reader_miss_an_event(store, recorder):
    """The broken twin takes a number before it commits and without the head: an event is lost."""
    sequence = itertools.count(1)

    @contextmanager
    def numbered_but_not_committed() -> Iterator[None]:
        position = next(sequence)
        yield
        with writing(store) as connection:
            put(connection, position)

    def numbered_and_committed() -> None:
        with writing(store) as connection:
            put(connection, next(sequence))

    with pytest.raises(AssertionError):
        nothing_is_missed(recorder, numbered_but_not_committed, numbered_and_committed)


def test_recorded_time_never_decreases_when_the_clock_goes_back(recorder, neighbour, clock):
    """The head is the clock: a host whose clock is behind stamps the time of the last event."""
    start = clock.now
    for step in (0, 5, -3600, -1, 6):
        clock.now = start + timedelta(seconds=step)
        (recorder if step % 2 else neighbour).insert_events([stored(uuid4(), 1)])
    seconds = [(event.recorded_at - start).total_seconds() for event in whole_log(recorder)]
    assert seconds == [0, 5, 5, 5, 6]
    assert to_micros(recorder.head().recorded_at) == to_micros(start) + 6_000_000


def neighbours_do_not_suffer(writer: LogWriter, recorder: LogRecorder) -> None:
    """Assert that in one batch each command wins or loses alone, in arrival order."""
    known, repeated, contested, fresh = uuid4(), uuid4(), uuid4(), uuid4()
    recorder.insert_events([stored(known, 1)], receipt=receipt_for(repeated))
    batch = [
        Waiting([stored(contested, 1), stored(contested, 2)], {contested: 0, known: 1}, None),
        Waiting([stored(contested, 1)], {contested: 0}, receipt_for(uuid4())),
        Waiting([stored(uuid4(), 1)], {}, receipt_for(repeated)),
        Waiting([stored(fresh, 1), stored(known, 1)], {}, None),
        Waiting([stored(fresh, 1)], {fresh: 0, contested: 2}, receipt_for(uuid4())),
    ]
    unstorable = Waiting([stored(uuid4(), 1, topic="\ud800")], {}, None)
    writer._run(batch)
    reasons = [command.reason and command.reason[0] for command in batch]
    assert [command.first for command in batch] == [2, 0, 0, 0, 4]
    assert reasons == [None, -1, 0, -2, None]
    assert batch[1].reason is not None
    assert batch[1].reason[2] == {contested: 2}
    good = Waiting([stored(uuid4(), 1)], {}, None)
    writer._run([unstorable, good])
    assert unstorable.error is not None
    assert (good.error, good.first) == (None, 5)
    assert [event.id for event in whole_log(recorder)] == [1, 2, 3, 4, 5]


def test_a_refused_command_does_not_hurt_its_neighbours(recorder):
    """Moved stream, known receipt, taken version, bytes that cannot be stored: each loses alone."""
    neighbours_do_not_suffer(recorder._writer, recorder)


def test_a_batch_that_fails_as_a_whole_would_hurt_them(recorder, monkeypatch):
    """The broken twin answers one command's fault to all who shared its batch."""

    def all_or_nobody(self: LogWriter, waiting: list[Waiting], refused: Exception) -> None:
        self._fail(waiting, lambda: OperationalError(str(refused)))

    monkeypatch.setattr(LogWriter, "_refuse", all_or_nobody)
    with pytest.raises(AssertionError):
        neighbours_do_not_suffer(recorder._writer, recorder)


def effects_of_sending_twice(recorder: LogRecorder, other: LogRecorder, *, receipts: bool) -> int:
    """Send one command eight times at once from two processes; count its effects."""
    stream, command_id = uuid4(), uuid4()
    first: list[int] = []

    def send(number: int) -> None:
        mine = (recorder, other)[number % 2]
        receipt = receipt_for(command_id) if receipts else None
        for attempt in range(1, 100):
            version = mine.versions([stream])[stream]
            try:
                positions = mine.insert_events(
                    [stored(stream, version + 1)], expects={stream: version}, receipt=receipt
                )
            except AlreadyRecorded as known:
                first.append(known.receipt.first_position)
                return
            except StreamMoved:
                assert attempt < 99
                continue
            assert positions is not None
            first.append(positions[0])
            return

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(send, range(8)))
    assert len(first) == 8
    assert not receipts or set(first) == {1}
    return len(recorder.stream(stream))


def test_the_same_command_sent_eight_times_has_one_effect(recorder, neighbour):
    """Whoever repeats a command id is told the first one's positions; without receipts he adds."""
    assert effects_of_sending_twice(recorder, neighbour, receipts=True) == 1
    assert effects_of_sending_twice(recorder, neighbour, receipts=False) == 8


def test_a_stream_that_was_only_read_is_guarded_too(recorder):
    """A decision that rests on a network that has changed since is refused and writes nothing."""
    network, case = uuid4(), uuid4()
    recorder.insert_events([stored(network, 1)])
    read_at = recorder.versions([network])
    recorder.insert_events([stored(network, 2)])
    with pytest.raises(StreamMoved) as moved:
        recorder.insert_events([stored(case, 1)], expects={case: 0, **read_at})
    assert moved.value.current == {case: 0, network: 2}
    assert recorder.stream(case) == []
    # The broken twin that guards only what it writes goes through.
    assert recorder.insert_events([stored(case, 1)], expects={case: 0}) == [3]


class LosesOnce:
    """Commits the first batch and then loses the connection before the answer arrives."""

    def __init__(self, recorder: LogRecorder, engine: Engine) -> None:
        self.losses = 0
        self._real: Any = recorder._driver
        self._engine = engine
        self.writer, self.rows = self._real.writer, self._real.rows

    def append(self, connection: Any, commands: Any, clock: int) -> Any:
        if self.losses:
            return self._real.append(connection, commands, clock)
        self.losses += 1
        if self._real is SQLite:
            return SQLite.append(_LosesTheAnswer(connection), commands, clock)
        PostgreSQL.append(connection, commands, clock)
        with self._engine.connect() as other:
            other.execute(
                text("SELECT pg_terminate_backend(:pid)"), {"pid": connection.info.backend_pid}
            )
        # The answer to the batch would have failed just as this does.
        with pytest.raises(psycopg.OperationalError) as lost:
            use_until_it_fails(connection)
        assert PostgreSQL.is_lost(connection, lost.value)
        raise LostError from lost.value


def use_until_it_fails(connection: Any) -> None:
    """Use a connection whose backend is being ended."""
    for _ in range(1000):
        connection.execute("SELECT 1")


class _LosesTheAnswer:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *arguments: Any) -> Any:
        result = self._connection.execute(statement, *arguments)
        if statement == "COMMIT":
            raise sqlite3.OperationalError("disk I/O error")
        return result


@pytest.fixture
def losing(recorder: LogRecorder, store: Engine) -> LosesOnce:
    """The recorder's connection is lost after its next COMMIT."""
    recorder._writer._driver = driver = LosesOnce(recorder, store)  # type: ignore[assignment]
    return driver


def own_write_is_no_conflict(recorder: LogRecorder, receipt: Receipt | None) -> None:
    """Assert that a command whose COMMIT lost its answer never hears that somebody was first."""
    stream = uuid4()
    events = [stored(stream, 1), stored(stream, 2)]
    try:
        positions = recorder.insert_events(events, expects={stream: 0}, receipt=receipt)
    except IntegrityError as conflict:
        raise AssertionError("the own write was reported as a conflict") from conflict
    except OperationalError:
        assert receipt is None
    else:
        assert positions == [1, 2]
    assert len(whole_log(recorder)) == 2


def test_a_lost_answer_with_a_receipt_is_a_success(recorder, losing, clock):
    """The batch runs again, finds its receipt and its own events, and answers their positions."""
    own_write_is_no_conflict(recorder, receipt_for(uuid4()))
    assert losing.losses == 1


def test_a_lost_answer_without_a_receipt_is_unknown_and_not_repeated(recorder, losing):
    """Nothing could tell the own events from a stranger's, so the caller hears that."""
    own_write_is_no_conflict(recorder, None)
    assert losing.losses == 1


def test_repeating_without_receipts_would_report_the_own_write_as_a_conflict(
    recorder, losing, monkeypatch
):
    """The broken twin runs again whatever was in the batch, as the event library's own does."""
    monkeypatch.setattr(LogWriter, "_only_repeatable", lambda _self, waiting: list(waiting))
    with pytest.raises(AssertionError, match="conflict"):
        own_write_is_no_conflict(recorder, None)


def test_a_receipt_of_somebody_else_is_not_taken_for_the_own(recorder, losing, neighbour):
    """After a lost answer only a receipt whose events are the command's own is a success."""
    command_id = uuid4()
    neighbour.insert_events([stored(uuid4(), 1)], receipt=receipt_for(command_id))
    losing.losses = 1
    with pytest.raises(AlreadyRecorded):
        recorder.insert_events([stored(uuid4(), 1)], receipt=receipt_for(command_id))
    waiting = Waiting([stored(uuid4(), 1)], {}, receipt_for(command_id))
    losing.losses = 0
    recorder._writer._run([Waiting([stored(uuid4(), 1)], {}, receipt_for(uuid4())), waiting])
    assert waiting.reason == (0, True, {})


def test_a_backend_killed_while_it_waits_for_the_head_writes_once(postgresql_store, clock):
    """PostgreSQL ends the connection before the batch was written: it is run again, once."""
    engine = postgresql_store
    recorder = LogRecorder(engine, clock=clock)
    with ThreadPoolExecutor(1) as threads:
        with engine.connect() as holder, engine.connect() as killer:
            holder.execute(select(LOG_HEAD.c.position).with_for_update())
            answer = threads.submit(
                recorder.insert_events, [stored(uuid4(), 1)], receipt=receipt_for(uuid4())
            )
            killed = 0
            while not killed:
                killer.rollback()
                killed = killer.execute(
                    text(
                        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                        "WHERE wait_event_type = 'Lock' AND datname = current_database()"
                    )
                ).scalar_one()
            holder.rollback()
        assert answer.result() == [1]
    assert [event.id for event in whole_log(recorder)] == [1]
    recorder.close()


def test_a_database_that_stays_away_is_reported_as_such(recorder, monkeypatch):
    """After a few tries every caller hears that the database did not answer."""
    monkeypatch.setattr("mediation.store.head.PAUSES", (0.0, 0.01))
    monkeypatch.setattr(recorder._writer, "_connection", lambda: 1 / 0)
    with pytest.raises(OperationalError, match="did not answer"):
        recorder.insert_events([stored(uuid4(), 1)], receipt=receipt_for(uuid4()))


def test_a_crowd_is_written_in_few_batches_and_an_interrupt_leaves_nobody_waiting():
    """Who comes while a batch runs is in the next one; an interrupted leader hands over."""
    sizes: list[int] = []
    first_began, others_wait = Event(), Event()

    def run(batch: Any) -> None:
        sizes.append(len(batch))
        if len(sizes) == 1:
            first_began.set()
            others_wait.wait()
            raise KeyboardInterrupt
        for command in batch:
            command.win(1, 0)

    group = GroupCommit(run, largest=4)
    leader = Waiting([], {}, None)

    def lead() -> None:
        with pytest.raises(KeyboardInterrupt):
            group.submit(leader)

    twice = receipt_for(uuid4())
    crowd = [Waiting([], {}, None) for _ in range(6)] + [Waiting([], {}, twice) for _ in range(2)]
    threads = [Thread(target=lead)]
    threads[0].start()
    first_began.wait()
    for command in crowd:
        threads.append(Thread(target=group.submit, args=(command,)))
        threads[-1].start()
        while command not in group._queue:
            time.sleep(0.001)
    others_wait.set()
    for thread in threads:
        thread.join()
    assert isinstance(leader.error, OperationalError)
    assert all(command.first == 1 for command in crowd)
    # Six fill the first two batches up to four; a command id never comes twice in one batch.
    assert sizes == [1, 4, 3, 1]


def test_a_crowd_whose_batch_fails_is_told_why_and_nobody_writes_it_again():
    """Each caller gets the error, none takes the failed batch for its own turn."""
    sizes: list[int] = []
    first_began, others_wait = Event(), Event()

    def run(batch: Any) -> None:
        sizes.append(len(batch))
        if len(sizes) == 1:
            first_began.set()
            others_wait.wait()
        raise OSError("no space left")

    group = GroupCommit(run)
    crowd = [Waiting([], {}, None) for _ in range(4)]
    with ThreadPoolExecutor(len(crowd)) as threads:
        done = [threads.submit(group.submit, crowd[0])]
        first_began.wait()
        for command in crowd[1:]:
            done.append(threads.submit(group.submit, command))
            while command not in group._queue:
                time.sleep(0.001)
        others_wait.set()
        for submitted in done:
            submitted.result(timeout=5)

    assert sizes == [1, 3]
    for command in crowd:
        assert isinstance(command.error, PersistenceError)
        assert str(command.error) == "no space left"


def test_a_follower_in_another_process_is_woken(recorder, neighbour):
    """NOTIFY or the poll tells about another's commit; a wait without news ends in time."""
    assert not neighbour.tail.wait_beyond(0, 0.05)
    with ThreadPoolExecutor(1) as threads:
        woken = threads.submit(neighbour.tail.wait_beyond, 0, 20)
        recorder.insert_events([stored(uuid4(), 1)])
        assert woken.result(timeout=5)
    assert neighbour.tail.wait_beyond(0, 0)
    assert not neighbour.tail.wait_beyond(1, 0, stopped=lambda: True)


def test_on_postgresql_the_wake_up_does_not_wait_for_the_poll(postgresql_store, clock):
    """With the poll as good as off, LISTEN and NOTIFY alone carry the news."""
    engine = postgresql_store
    writer, reader = (LogRecorder(engine, clock=clock) for _ in range(2))
    reader.tail._poll = 60.0
    reader.tail.wait_beyond(0, 0)
    with engine.connect() as connection:
        listening = select(func.count()).select_from(text("pg_stat_activity"))
        while not connection.execute(
            listening.where(text("query = 'LISTEN mediation_log'"))
        ).scalar_one():
            connection.rollback()
    began = time.monotonic()
    with ThreadPoolExecutor(1) as threads:
        woken = threads.submit(reader.tail.wait_beyond, 0, 30)
        writer.insert_events([stored(uuid4(), 1)])
        assert woken.result()
    assert time.monotonic() - began < 15
    for opened in (writer, reader):
        opened.close()
