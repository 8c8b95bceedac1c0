"""The recorder against the event library's own test cases, and against its promises beyond them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import IntegrityError, ProgrammingError, StoredEvent, Tracking
from eventsourcing.tests.persistence import (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
    TrackingRecorderTestCase,
)
from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    MetaData,
    Table,
    Text,
    Uuid,
    create_engine,
    event,
    exc,
    insert,
    select,
    text,
)
from sqlalchemy.engine import make_url

from mediation import kernel
from mediation.errors import Unsafe
from mediation.kernel import Event
from mediation.store import (
    AlreadyRecorded,
    Log,
    LogRecorder,
    LogTracking,
    NotStorable,
    Receipt,
    StreamEvent,
    StreamMoved,
    advance,
    check_store,
    create_tracking,
    migrate,
    migrations,
    open_engine,
    upsert,
    writing,
)
from mediation.store.tables import EVENT, LOG_HEAD, SCHEMA_VERSION
from tests.conftest import DISTRICT, LOG_ID, Clock
from tests.databases import administering

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


class OnDatabase:
    """Gives the library's test cases a fresh store; they cannot take fixtures themselves."""

    backend: ClassVar[str]
    recorder_type: ClassVar[type[LogRecorder | LogTracking]] = LogRecorder
    opened: list[LogRecorder]
    engine: Engine

    @pytest.fixture(autouse=True)
    def _store(self, request: pytest.FixtureRequest) -> Iterator[None]:
        self.engine = open_engine(request.getfixturevalue(f"{self.backend}_database"))
        migrate(self.engine, district=DISTRICT, kind="test", log_id=LOG_ID, at=NOW)
        create_tracking(self.engine)
        self.opened = []
        before = set(threading.enumerate())
        yield
        for recorder in self.opened:
            recorder.tail.close()
        # The library's own readers are told to stop and not waited for.
        for thread in set(threading.enumerate()) - before:
            thread.join()
        for recorder in self.opened:
            recorder.close()
        self.engine.dispose()

    def create_recorder(self) -> Any:
        """Open a recorder that is closed after the test."""
        if issubclass(self.recorder_type, LogTracking):
            return self.recorder_type(self.engine)
        recorder = self.recorder_type(self.engine, clock=lambda: NOW)
        self.opened.append(recorder)
        return recorder


class OnSQLite(OnDatabase):
    backend = "sqlite"


class OnPostgreSQL(OnDatabase):
    backend = "postgresql"


class Silent(LogRecorder):
    """A log seen as the library's aggregate recorder, which gives no positions."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> None:
        super().insert_events(stored_events, **kwargs)


class WithSubscription(ApplicationRecorderTestCase[LogRecorder]):
    """The library's application recorder cases with the one it leaves optional, unchanged."""

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestApplicationRecorderOnSQLite(OnSQLite, WithSubscription):
    """Positions, order, topics, limits, concurrency, subscription."""


class TestApplicationRecorderOnPostgreSQL(OnPostgreSQL, WithSubscription):
    """Positions, order, topics, limits, concurrency, subscription."""


class TestAggregateRecorderOnSQLite(OnSQLite, AggregateRecorderTestCase):
    """Streams: all or nothing, version ranges, last event."""

    recorder_type = Silent


class TestAggregateRecorderOnPostgreSQL(OnPostgreSQL, AggregateRecorderTestCase):
    """Streams: all or nothing, version ranges, last event."""

    recorder_type = Silent


class TestNonInterleavingOnSQLite(OnSQLite, NonInterleavingNotificationIDsBaseCase):
    """Two commands of a thousand events each do not mix."""


class TestNonInterleavingOnPostgreSQL(OnPostgreSQL, NonInterleavingNotificationIDsBaseCase):
    """Two commands of a thousand events each do not mix."""


class TestTrackingOnSQLite(OnSQLite, TrackingRecorderTestCase):
    """A follower only moves forward; waiting for it ends in time."""

    recorder_type = LogTracking


class TestTrackingOnPostgreSQL(OnPostgreSQL, TrackingRecorderTestCase):
    """A follower only moves forward; waiting for it ends in time."""

    recorder_type = LogTracking


@pytest.fixture
def recorder(store: Engine, clock: Clock) -> Iterator[LogRecorder]:
    """A recorder on a migrated store."""
    opened = LogRecorder(store, clock=clock)
    yield opened
    opened.close()


def stored(stream: UUID, version: int, topic: str = "case.noted/1") -> StoredEvent:
    """An event whose bytes do not matter."""
    return StoredEvent(stream, version, topic, f'{{"version":{version}}}'.encode())


def receipt_for(command_id: UUID) -> Receipt:
    """A receipt as the door writes it."""
    return Receipt(
        command_id=command_id, body_mac=b"\x00mac\xff", command_type="note-case", result=b'{"v":1}'
    )


def test_a_reader_gets_the_envelope_and_equal_moments(recorder, clock):
    """Position, recorded time to the microsecond and end of command come back on both."""
    clock.now = datetime(2026, 3, 2, 1, 2, 3, 456789, tzinfo=UTC)
    stream = uuid4()
    positions = recorder.insert_events([stored(stream, 1), stored(stream, 2)])
    first, second = recorder.read(0, 10)
    assert positions == [1, 2]
    assert positions.recorded_at == clock.now
    assert (first.position, first.command_end, first.recorded_at) == (1, 2, clock.now)
    assert (second.position, second.originator_id, second.state) == (2, stream, b'{"version":2}')
    assert recorder.stream(stream, lte=1) == [first]
    assert recorder.head().position == 2
    assert recorder.head().recorded_at == clock.now
    assert recorder.head().log_id == LOG_ID


def test_a_page_never_ends_inside_a_command(recorder):
    """`read` gives the last command whole, though the limit falls inside it."""
    stream = uuid4()
    recorder.insert_events([stored(stream, 1)])
    recorder.insert_events([stored(stream, n) for n in range(2, 6)])
    recorder.insert_events([stored(stream, 6)])
    assert [event.id for event in recorder.read(0, 2)] == [1, 2, 3, 4, 5]
    assert [event.id for event in recorder.read(5, 2)] == [6]
    assert recorder.read(6, 2) == []
    cut = recorder.read_span(0, 2**62, 2)
    assert cut[-1].id != cut[-1].command_end


def test_a_receipt_stands_with_its_events_and_gives_their_positions(recorder):
    """A receipt comes back unchanged with its positions filled in; there is none without events."""
    stream, command_id = uuid4(), uuid4()
    assert recorder.receipt(command_id) is None
    recorder.insert_events(
        [stored(stream, 1), stored(stream, 2)], receipt=receipt_for(command_id), expects={stream: 0}
    )
    found = recorder.receipt(command_id)
    assert (found.first_position, found.last_position) == (1, 2)
    assert (found.body_mac, found.command_type, found.result) == (
        b"\x00mac\xff",
        "note-case",
        b'{"v":1}',
    )
    with pytest.raises(ProgrammingError):
        recorder.insert_events([], receipt=receipt_for(uuid4()))


def test_an_expectation_that_does_not_hold_names_where_the_streams_stand(recorder):
    """StreamMoved carries the present versions, 0 for a stream without events."""
    known, unknown = uuid4(), uuid4()
    recorder.insert_events([stored(known, 1), stored(known, 2)])
    with pytest.raises(StreamMoved) as moved:
        recorder.insert_events([stored(known, 3)], expects={known: 1, unknown: 0})
    assert moved.value.current == {known: 2, unknown: 0}
    assert recorder.versions([known, unknown]) == {known: 2, unknown: 0}
    assert recorder.max_notification_id() == 2


def test_a_known_command_is_named_before_a_moved_stream(recorder):
    """A repeated command is told its receipt although its stream has moved by its own doing."""
    stream, command_id = uuid4(), uuid4()
    once = {"expects": {stream: 0}, "receipt": receipt_for(command_id)}
    recorder.insert_events([stored(stream, 1)], **once)
    with pytest.raises(AlreadyRecorded) as known:
        recorder.insert_events([stored(stream, 1)], **once)
    assert known.value.receipt.last_position == 1


@pytest.mark.parametrize("table", ["event", "receipt"])
@pytest.mark.parametrize("change", ["UPDATE {} SET {}", "DELETE FROM {}"])
def test_the_log_refuses_every_change(recorder, store, table, change):
    """UPDATE and DELETE on events and receipts fail on both databases, for the owner too."""
    recorder.insert_events([stored(uuid4(), 1)], receipt=receipt_for(uuid4()))
    column = "topic = 'x'" if table == "event" else "result = 'x'"
    with pytest.raises(exc.DBAPIError, match="append-only"), writing(store) as connection:
        connection.execute(text(change.format(table, column)))


def test_the_application_role_can_append_and_nothing_else(postgresql_database, clock):
    """With the documented grants the role appends; it can neither change, empty nor drop."""
    owner = open_engine(postgresql_database)
    migrate(owner, district=DISTRICT, kind="test", log_id=LOG_ID, at=clock())
    role = f"app_{uuid4().hex}"
    with administering(make_url(postgresql_database)) as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN")
        connection.exec_driver_sql(f"GRANT SELECT, INSERT ON event, receipt TO {role}")
        connection.exec_driver_sql(
            f"GRANT SELECT, UPDATE (position, recorded_at) ON log_head TO {role}"
        )
    engine = open_engine(make_url(postgresql_database).set(username=role))
    recorder = LogRecorder(engine, clock=clock)
    assert recorder.insert_events([stored(uuid4(), 1)], receipt=receipt_for(uuid4())) == [1]
    for statement in (
        "UPDATE event SET topic = 'x'",
        "DELETE FROM receipt",
        "TRUNCATE event",
        "ALTER TABLE event DISABLE TRIGGER ALL",
        "UPDATE log_head SET district = 'x'",
        "DROP TABLE event",
    ):
        with pytest.raises(exc.DBAPIError), writing(engine) as connection:
            connection.exec_driver_sql(statement)
    with pytest.raises(exc.DBAPIError, match="append-only"), writing(owner) as connection:
        connection.exec_driver_sql("TRUNCATE event")
    recorder.close()
    engine.dispose()
    with administering(make_url(postgresql_database)) as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {role}")
        connection.exec_driver_sql(f"DROP ROLE {role}")
    owner.dispose()


def test_topics_that_are_rare_are_found_over_any_distance(recorder):
    """As many as were asked for, in order, however many other events lie between them."""
    rare = (1, 600, 1300)
    recorder.insert_events(
        [
            stored(LOG_ID, version, "case.closed/1" if version in rare else "case.noted/1")
            for version in range(1, 1401)
        ]
    )

    def found(limit: int) -> tuple[int, ...]:
        topics = ["case.closed/1"]
        return tuple(it.id for it in recorder.select_notifications(1, limit, topics=topics))

    assert (found(1), found(2), found(9)) == (rare[:1], rare[:2], rare)


def test_a_stream_is_read_up_to_a_version(store, clock):
    """What came later is not in it: a case as of a version folds no more than it had."""
    with Log(store, clock=clock) as log:
        log.log_recorder.insert_events([stored(LOG_ID, version) for version in (1, 2, 3)])

        assert [it.originator_version for it in log.events_of(LOG_ID, lte=2)] == [1, 2]
        assert [it.originator_version for it in log.events_of(LOG_ID)] == [1, 2, 3]


def test_migrating_twice_does_nothing_and_a_checked_store_is_safe(store, recorder):
    """The second run keeps log id and kind; the check passes with events in the log."""
    again = migrate(store, district=DISTRICT, kind="live", log_id=uuid4(), at=NOW)
    recorder.insert_events([stored(uuid4(), 1)])
    check_store(store, district=DISTRICT, env={"PATH": "/bin"})
    assert again == 0
    assert (recorder.head().log_id, recorder.head().kind) == (LOG_ID, "test")


def test_a_later_release_applies_its_own_step_to_an_older_store(store, recorder, monkeypatch):
    """What is in the log stays; the step runs once, and the store says what it is now."""
    assert len(migrations.STEPS) == SCHEMA_VERSION
    recorder.insert_events([stored(uuid4(), 1)])
    before = recorder.head()

    def later(connection):
        connection.execute(text("CREATE TABLE later (one INTEGER)"))

    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, later))
    monkeypatch.setattr("mediation.store.engine.SCHEMA_VERSION", SCHEMA_VERSION + 1)
    with pytest.raises(Unsafe, match="mediation migrate"):
        check_store(store, district=DISTRICT)

    applied = [
        migrate(store, district=DISTRICT, kind="live", log_id=uuid4(), at=NOW) for _ in range(2)
    ]

    assert applied == [1, 0]
    check_store(store, district=DISTRICT)
    assert recorder.head() == before


def test_a_store_that_was_never_migrated_says_so(database, clock):
    """Opening an empty database is a clear refusal, not a driver's error."""
    engine = open_engine(database)
    recorder = LogRecorder(engine, clock=clock)
    for use in (recorder.head, lambda: check_store(engine, district=DISTRICT)):
        with pytest.raises(Unsafe, match="mediation migrate"):
            use()
    recorder.close()
    engine.dispose()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ("UPDATE log_head SET schema_version = 99", "newer release"),
        ("UPDATE log_head SET schema_version = 0", "mediation migrate"),
        ("UPDATE log_head SET district = '999999'", "another district"),
        ("UPDATE log_head SET position = 7", "holes"),
    ],
)
def test_a_spoiled_store_is_refused(store, spoil, told):
    """Newer or older schema, another district, a hole: each is refused with what to do."""
    check_store(store, district=DISTRICT)
    with writing(store) as connection:
        connection.execute(text(spoil))
    with pytest.raises(Unsafe, match=told) as refused:
        check_store(store, district=DISTRICT)
    assert refused.value.detail.zh
    if "schema_version = 0" not in spoil and "position" not in spoil:
        with pytest.raises(Unsafe, match=told):
            migrate(store, district=DISTRICT, kind="test", log_id=LOG_ID, at=NOW)


def test_a_store_without_its_triggers_is_refused(store):
    """Dropping or disabling one trigger is noticed at start."""
    drop = {
        "sqlite": "DROP TRIGGER receipt_refuses_delete",
        "postgresql": "ALTER TABLE receipt DISABLE TRIGGER receipt_is_kept",
    }[store.dialect.name]
    with writing(store) as connection:
        connection.execute(text(drop))
    with pytest.raises(Unsafe, match="triggers"):
        check_store(store, district=DISTRICT)


def test_unsafe_settings_of_the_event_library_are_refused(store):
    """Settings that make readers miss events stop the start, also under an application's name."""
    for name in ("POSTGRES_ENABLE_DB_FUNCTIONS", "MEDIATION_AGGREGATE_CACHE_MAXSIZE"):
        with pytest.raises(Unsafe):
            check_store(store, district=DISTRICT, env={name: "y"})


def test_databases_that_would_lose_records_are_refused(sqlite_database, postgresql_database):
    """SQLite in memory or below synchronous=FULL, PostgreSQL that does not wait for its disk."""
    for url in ("sqlite://", "sqlite:///:memory:", "mysql://localhost/x"):
        with pytest.raises(Unsafe):
            open_engine(url)
    hasty = open_engine(sqlite_database)
    event.listen(hasty, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = NORMAL"))
    with pytest.raises(Unsafe, match="synchronous"):
        check_store(hasty, district=DISTRICT)
    hasty.dispose()
    for option, told in (
        ("-c synchronous_commit=off", "synchronous_commit"),
        ("-c default_transaction_isolation=serializable", "read committed"),
    ):
        engine = open_engine(make_url(postgresql_database).update_query_dict({"options": option}))
        with pytest.raises(Unsafe, match=told):
            check_store(engine, district=DISTRICT)
        engine.dispose()
    in_memory = create_engine("sqlite://")
    with pytest.raises(Unsafe, match="memory"):
        check_store(in_memory, district=DISTRICT)
    in_memory.dispose()


def test_a_follower_moves_on_only_from_where_it_stood(store):
    """Two who fold the same events: one moves the tracking row, the other is refused."""
    create_tracking(store)
    with writing(store) as connection:
        advance(connection, "worklist-1", 0, 5)
    for start in (0, 3):
        with pytest.raises(IntegrityError), writing(store) as connection:
            advance(connection, "worklist-1", start, 9)
    with writing(store) as connection:
        advance(connection, "worklist-1", 5, 9)
    with pytest.raises(IntegrityError), writing(store) as connection:
        advance(connection, "worklist-1", 9, 9)
    tracking = LogTracking(store)
    tracking.insert_tracking(Tracking("worklist-1", 12))
    assert tracking.max_tracking_id("worklist-1") == 12


def test_bulk_upsert_replaces_by_key_and_rolls_back_with_its_transaction(store):
    """Rows are inserted or replaced, and only if the caller's transaction commits."""
    table = Table(
        "row",
        MetaData(),
        Column("id", Uuid, primary_key=True),
        Column("name", Text),
        Column("amount", BigInteger),
    )
    table.metadata.create_all(store)
    one, two = uuid4(), uuid4()
    with writing(store) as connection:
        upsert(connection, table, [(one, "甲", 1), (two, None, 2**40)])
        upsert(connection, table, [(one, "乙", None)])
        upsert(connection, table, [])
    with store.connect() as connection:
        upsert(connection, table, [(two, "丙", 3)], columns=("id", "name", "amount"), keys=("id",))
        connection.rollback()
    with store.connect() as connection:
        rows = connection.execute(select(table).order_by(table.c.amount)).all()
    assert set(rows) == {(one, "乙", None), (two, None, 2**40)}


def test_the_check_for_holes_sees_a_hole(store, recorder):
    """A twin that appends past a position, as a sequence would after a roll-back, is refused."""
    recorder.insert_events([stored(uuid4(), 1)])
    with writing(store) as connection:
        connection.execute(
            insert(EVENT).values(
                position=3,
                recorded_at=0,
                command_end=3,
                originator_id=uuid4(),
                originator_version=1,
                topic="t",
                state=b"",
            )
        )
        connection.execute(LOG_HEAD.update().values(position=3))
    with pytest.raises(Unsafe, match="holes"):
        check_store(store, district=DISTRICT)


class Counted(Event, frozen=True, kw_only=True):
    """An event of this test; known to the codec and the fold only while a test runs."""

    topic: ClassVar[str] = "count-test.counted/1"
    by: int


@pytest.fixture
def counting(monkeypatch) -> Callable[..., StreamEvent]:
    """Make events of a stream whose state is a sum."""
    monkeypatch.setitem(kernel._EVENTS, Counted.topic, Counted)
    monkeypatch.setitem(kernel._EVOLUTIONS, Counted, lambda state, happened: state + happened.by)
    monkeypatch.setitem(kernel._INITIAL, "count-test", 0)

    def make(stream: UUID, version: int, by: int, district: str = DISTRICT) -> StreamEvent:
        happened = Counted(
            event_id=uuid4(),
            district=district,
            occurred_at=NOW,
            decided_at=NOW,
            actor_id=LOG_ID,
            role="clerk",
            body_id=None,
            on_behalf_of_id=None,
            command_id=LOG_ID,
            causation_id=None,
            correlation_id=LOG_ID,
            reason_code=None,
            legal_basis=None,
            by=by,
        )
        return StreamEvent(stream, version, happened)

    return make


def test_a_log_saves_reads_and_folds(log, counting):
    """What is saved comes back as events, as the envelope, and as state at every version."""
    one, two = uuid4(), uuid4()
    command_id = uuid4()
    saved = log.save(
        counting(one, 1, 5),
        counting(two, 1, 1),
        counting(one, 2, 7),
        expects={one: 0, two: 0},
        receipt=receipt_for(command_id),
    )
    assert [recording.notification for recording in saved] == log.read(0, 100)
    assert [recording.domain_event for recording in saved] == [
        log.decoded(recorded) for recorded in log.read(0, 100)
    ]
    assert log.fold(one, "count-test") == (2, 12)
    assert log.fold(one, "count-test", version=1) == (1, 5)
    assert log.fold(uuid4(), "count-test") == (0, 0)
    assert [recorded.id for recorded in log.events_of(one)] == [1, 3]
    assert log.receipt(command_id).last_position == 3
    assert log.versions([one, two]) == {one: 2, two: 1}
    assert (log.district, log.kind, log.log_id) == (DISTRICT, "test", LOG_ID)
    assert log.head().position == 3
    assert log.wait_beyond(2, 0)
    assert not log.wait_beyond(3, 0)


def test_an_event_that_cannot_be_stored_stops_its_whole_command(log, counting):
    """Nothing of the command is written when one event names another district."""
    with pytest.raises(NotStorable):
        log.save(counting(uuid4(), 1, 1), counting(uuid4(), 1, 1, "999999"))
    assert log.head().position == 0


def test_a_log_never_looks_at_the_process_environment(store, clock, monkeypatch):
    """A setting of the event library in the environment has no effect; given outright it stops."""
    monkeypatch.setenv("AGGREGATE_CACHE_MAXSIZE", "100")
    monkeypatch.setenv("IS_SNAPSHOTTING_ENABLED", "y")
    with Log(store, clock=clock) as log:
        assert log.repository.cache is None
        assert log.snapshots is None
    with pytest.raises(Unsafe):
        Log(store, clock=clock, env={"AGGREGATE_CACHE_MAXSIZE": "100"})


def test_connections_that_died_in_the_pool_are_passed_over(postgresql_database, clock):
    """After the server ended every connection, readers and writers go on with new ones."""
    engine = open_engine(postgresql_database)
    migrate(engine, district=DISTRICT, kind="test", log_id=LOG_ID, at=clock())
    with engine.connect(), engine.connect(), engine.connect():
        pass
    recorder = LogRecorder(engine, clock=clock)
    for count in (1, 2):
        with administering(make_url(postgresql_database)) as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        if count == 1:
            assert recorder.read(0, 10) == []
        recorder.insert_events([stored(uuid4(), 1)], receipt=receipt_for(uuid4()))
        assert recorder.head().position == count
    recorder.close()
    engine.dispose()
