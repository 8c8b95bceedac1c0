"""What the log knew at a moment: the last position recorded by then, on both databases."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from random import Random
from uuid import uuid4

import pytest
from eventsourcing.persistence import DatabaseError, StoredEvent
from sqlalchemy import text

from mediation.store import Log, writing
from mediation.store.as_of import COMMAND_END, POSITION_AT


def note(log: Log, count: int) -> None:
    """Append a command of so many events."""
    stream = uuid4()
    log.log_recorder.insert_events(
        [StoredEvent(stream, version, "case.noted/1", b"{}") for version in range(1, count + 1)]
    )


@pytest.fixture
def lived(log: Log, clock) -> Log:
    """A log of commands of one to nine events, several of them recorded at one moment."""
    dice = Random(4)
    for _ in range(120):
        clock.advance(timedelta(microseconds=dice.choice((0, 0, 1, 7, 86_400_000_000))))
        note(log, dice.randint(1, 9))
    return log


def test_a_time_leads_to_the_last_position_recorded_by_then(lived: Log):
    """At, just before and just after every moment it is what reading the whole log gives."""
    whole = lived.read(0, 10**6)
    moments = {it.recorded_at for it in whole}
    for at in sorted(
        moment + timedelta(microseconds=by) for moment in moments for by in (-1, 0, 1)
    ):
        known = [it.position for it in whole if it.recorded_at <= at]
        assert lived.position_at(at) == max(known, default=0)


def test_what_was_known_at_a_time_ends_with_a_command(lived: Log):
    """All events of a command are recorded at one moment, so no time cuts inside one."""
    whole = {it.position: it for it in lived.read(0, 10**6)}
    for moment in {it.recorded_at for it in whole.values()}:
        position = lived.position_at(moment)
        assert whole[position].command_end == position


def test_a_position_inside_a_command_is_rounded_down_to_the_command_before(lived: Log):
    """Every position leads to the last end of a command at or before it."""
    ends = [0, *sorted({it.command_end for it in lived.read(0, 10**6)})]
    for before, end in pairwise(ends):
        assert {lived.command_end(at) for at in range(max(before, 1), end)} <= {before}
        assert lived.command_end(end) == end


def test_before_the_first_event_nothing_was_known(log: Log, clock):
    """An empty log, and any moment before the first event: position 0."""
    assert log.position_at(clock()) == log.command_end(1) == 0
    assert log.recorded_at(1) is None
    note(log, 2)
    assert log.position_at(clock() - timedelta(microseconds=1)) == log.command_end(1) == 0
    assert log.recorded_at(2) == clock()


def test_a_hole_in_the_log_is_not_passed_over(lived: Log, store, clock):
    """Where the search meets a position that is not there, it says so and guesses nothing."""
    head = lived.head().position
    with writing(store) as connection:
        for guard in _GUARDS[store.dialect.name]:
            connection.execute(text(guard))
        connection.execute(text("DELETE FROM event WHERE position = :it"), {"it": (head + 1) // 2})
    with pytest.raises(DatabaseError, match="hole"):
        lived.position_at(clock())


_GUARDS = {
    "sqlite": ("DROP TRIGGER event_refuses_delete",),
    "postgresql": ("ALTER TABLE event DISABLE TRIGGER ALL",),
}


def test_neither_look_up_reads_the_whole_log(lived: Log, store):
    """Both go by the key of the log: the database says how it would carry them out."""
    asked = {"at": 0, "position": 1}
    explain = "EXPLAIN QUERY PLAN " if store.dialect.name == "sqlite" else "EXPLAIN "
    for statement in (POSITION_AT, COMMAND_END):
        with store.connect() as connection:
            if store.dialect.name == "postgresql":
                # The few rows of a test would be read whole whatever the statement is.
                connection.execute(text("SET LOCAL enable_seqscan = off"))
            plan = connection.execute(text(explain + statement), asked).all()
        lines = [str(row) for row in plan]
        assert any("SEARCH event" in it or "event_pkey" in it for it in lines), lines
        assert not any("SCAN event" in it or "Seq Scan on event" in it for it in lines), lines
