"""Timers: what a passed date calls for is recorded once, by whoever comes first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import NamedTuple
from uuid import UUID

import pytest

from api.timers import Timers
from mediation.application import SYSTEM
from mediation.kernel import decode
from mediation.store import open_engine
from projections.base import create
from projections.deadlines import Deadlines
from projections.runner import Follower
from tests.conftest import Clock
from tests.wiring import Office, a_registration, an_office, read_models_beside

CLERK, LEAD = "clerk@hengjie", "lead@hengjie"
LAST_MOMENT = datetime(2026, 3, 17, 15, 59, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 17, 16, 0, tzinfo=UTC)
"""The term of an application of 2 March ends with 17 March; in Shanghai the 18th begins here."""


class Watch(NamedTuple):
    """An office, a read model of its due dates, and two timers side by side."""

    office: Office
    clock: Clock
    follower: Follower
    timers: tuple[Timers, Timers]
    a_few_at_once: Timers

    def registered(self, key: str = "case") -> UUID:
        """Register a case on the day the clock shows, and see its dates followed."""
        case_id = self.office.do(CLERK, key, "register-case", a_registration()).stream.id
        self.follower.catch_up()
        return case_id

    def lapses(self, case_id: UUID) -> list[datetime]:
        """Give when the term of a case lapsed, as often as that is on record."""
        stored = self.office.mediation.log.events_of(case_id)
        events = (decode(it.topic, it.state) for it in stored)
        return [it.occurred_at for it in events if it.topic == "case.statutory-term-lapsed/1"]


@pytest.fixture
def watch(database: str, clock: Clock) -> Iterator[Watch]:
    """On each kind of database."""
    read_engine = open_engine(read_models_beside(database))
    try:
        with an_office(database, clock=clock) as office:
            deadlines = Deadlines()
            create(read_engine, [deadlines])
            first, second, few = (
                Timers(office.mediation, deadlines, read_engine, clock, at_once=limit)
                for limit in (100, 100, 1)
            )
            follower = Follower(deadlines, office.mediation.log, read_engine)
            yield Watch(office, clock, follower, (first, second), few)
    finally:
        read_engine.dispose()


def test_a_term_lapses_with_the_first_moment_after_its_last_day(watch):
    """Not a minute before; and it bears that moment, however late the timer comes to it."""
    case_id = watch.registered()
    watch.clock.now = LAST_MOMENT
    assert (watch.timers[0].fire(), watch.lapses(case_id)) == (0, [])

    watch.clock.now = MIDNIGHT.replace(day=20)
    assert watch.timers[0].fire() == 1
    assert watch.lapses(case_id) == [MIDNIGHT]
    stored = watch.office.mediation.log.events_of(case_id)[-1]
    event = decode(stored.topic, stored.state)
    assert (event.actor_id, event.role) == (SYSTEM, "system")


def test_however_many_timers_fire_it_is_recorded_once(watch):
    """Two processes, and a read model that has not followed yet: the key is the same."""
    case_id = watch.registered()
    watch.clock.now = MIDNIGHT
    for timers in watch.timers * 2:
        timers.fire()
    assert watch.lapses(case_id) == [MIDNIGHT]

    watch.follower.catch_up()
    assert [timers.fire() for timers in watch.timers] == [0, 0]


def test_a_term_that_was_extended_meanwhile_is_left_alone(watch):
    """The read model lags behind; the command says what it saw, and is refused for good."""
    case_id = watch.registered()
    case = watch.office.mediation.log.fold(case_id, "case")[1]
    body = {
        "until_on": "2026-03-27",
        "agreed_ids": [str(party.party_id) for party in case.parties],
    }
    watch.office.do(LEAD, "extend", "extend-term", body, stream_id=case_id)
    watch.clock.now = MIDNIGHT
    head = watch.office.mediation.log.head()
    assert [watch.timers[0].fire() for _ in range(2)] == [0, 0]
    assert watch.office.mediation.log.head() == head

    watch.follower.catch_up()
    watch.clock.now = MIDNIGHT.replace(day=27)
    assert watch.timers[0].fire() == 1
    assert watch.lapses(case_id) == [MIDNIGHT.replace(day=27)]


def test_a_case_that_ended_has_no_term_to_lapse(watch):
    """Refused or withdrawn, nothing is recorded of its old term."""
    case_id = watch.registered()
    refuse = {"reason_code": "duplicate"}
    watch.office.do(LEAD, "refuse", "refuse-case", refuse, stream_id=case_id)
    watch.clock.now = MIDNIGHT

    assert [watch.timers[0].fire() for _ in range(2)] == [0, 0]
    assert watch.lapses(case_id) == []


def test_what_cannot_be_carried_out_does_not_hold_up_the_rest(watch):
    """One term was extended and one was not: the second lapses."""
    first, second = watch.registered("one"), watch.registered("two")
    refuse = {"reason_code": "duplicate"}
    watch.office.do(LEAD, "refuse", "refuse-case", refuse, stream_id=first)
    watch.clock.now = MIDNIGHT

    assert watch.timers[0].fire() == 1
    assert (watch.lapses(first), watch.lapses(second)) == ([], [MIDNIGHT])


def test_what_was_refused_starves_nobody_and_is_forgotten_with_its_row(watch):
    """Rows that lag behind come first, one at a look; the term behind them lapses all the same."""
    ended = [watch.registered(key) for key in ("one", "two")]
    watch.clock.now += timedelta(days=1)
    behind = watch.registered("behind")
    for key, case_id in zip(("refuse one", "refuse two"), ended, strict=True):
        body = {"reason_code": "duplicate"}
        watch.office.do(LEAD, key, "refuse-case", body, stream_id=case_id)
    watch.clock.now = MIDNIGHT + timedelta(days=1)
    timers = watch.a_few_at_once

    assert [timers.fire() for _ in range(3)] == [0, 0, 1]
    assert watch.lapses(behind) == [watch.clock.now]
    assert len(timers._refused) == 2
    watch.follower.catch_up()
    assert timers.fire() == 0
    assert timers._refused == set()


def test_timers_run_until_they_are_told_to_stop(watch):
    """On a thread of their own they fire by themselves."""
    case_id = watch.registered()
    watch.clock.now = MIDNIGHT
    stop = Event()
    running = Thread(target=watch.timers[0].run, args=(stop,), daemon=True)
    running.start()
    for _ in range(300):
        if watch.lapses(case_id):
            break
        stop.wait(0.1)
    stop.set()
    running.join(30)

    assert not running.is_alive()
    assert watch.lapses(case_id) == [MIDNIGHT]
