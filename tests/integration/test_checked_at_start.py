"""A store is checked before it is served, also while others go on writing to it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, event

from mediation.errors import Unsafe
from mediation.store import check_store, open_engine
from tests.conftest import DISTRICT, Clock
from tests.wiring import BODIES, a_registration, an_office


def test_a_store_that_others_write_to_has_no_holes(database: str, clock: Clock):
    """A case is registered before every statement of the check, which sees one moment of it."""
    with an_office(database, clock=clock) as office:
        engine, written = open_engine(database), []

        def others_write(*_asked: Any) -> None:
            answer = office.do("lead@hengjie", uuid4().hex, "register-case", a_registration())
            written.append(answer.position)

        event.listen(engine, "before_cursor_execute", others_write)
        try:
            check_store(engine, district=DISTRICT)
        finally:
            engine.dispose()

        assert len(written) >= 3


def test_sqlite_without_its_write_ahead_log_is_refused(sqlite_database: str, clock: Clock):
    """By itself: the file keeps the mode that it was put into, whoever opens it plainly."""
    with an_office(sqlite_database, clock=clock, bodies=BODIES[:1], roles=()):
        pass
    plain = create_engine(sqlite_database)
    check_store(plain, district=DISTRICT)
    with plain.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = DELETE")

    with pytest.raises(Unsafe, match="WAL"):
        check_store(plain, district=DISTRICT)
    plain.dispose()


@pytest.mark.parametrize(
    ("table", "constraint"),
    [("event", "event_stream_key"), ("event", "event_pkey"), ("receipt", "receipt_pkey")],
)
def test_a_table_that_lost_one_key_is_refused(
    postgresql_database: str, clock: Clock, table: str, constraint: str
):
    """Each of them keeps something single: a place in a stream, a position, a command."""
    with an_office(postgresql_database, clock=clock, bodies=BODIES[:1], roles=()):
        pass
    engine = open_engine(postgresql_database)
    check_store(engine, district=DISTRICT)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")

    with pytest.raises(Unsafe) as refused:
        check_store(engine, district=DISTRICT)
    assert refused.value.code == "constraints-missing"
    engine.dispose()
