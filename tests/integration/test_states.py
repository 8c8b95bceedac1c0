"""States kept in memory: folded once, never older than what is known, bounded in number."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, Thread
from typing import Any
from uuid import UUID, uuid4

import pytest

from mediation.case.state import CaseState
from mediation.kernel import StreamRef
from mediation.network.accounts import account_stream
from mediation.store import Log
from mediation.store.states import Known, States
from tests.wiring import BODIES, Office, an_office


class Counted(Log):
    """A log that counts how often it folded a stream."""

    folds = 0

    def fold(self, stream_id: UUID, kind: str, version: int | None = None) -> tuple[int, Any]:
        """Fold, and count it."""
        self.folds += 1
        return super().fold(stream_id, kind, version)


@pytest.fixture
def office(sqlite_database: str) -> Iterator[Office]:
    """An office of one body, with a lead and a coordinator."""
    with an_office(sqlite_database, log_type=Counted, bodies=BODIES[:1], roles=("lead",)) as made:
        yield made


@pytest.fixture
def log(office: Office) -> Counted:
    """Its log, from which nothing was folded yet."""
    counted = office.mediation.log
    assert isinstance(counted, Counted)
    counted.folds = 0
    return counted


@pytest.fixture
def states(log: Counted) -> States:
    """States of that log, nothing known yet."""
    return States(log)


def lead(office: Office) -> StreamRef:
    """Name the stream of the lead's account."""
    return account_stream(office.accounts["lead@hq"])


def grant_one_more(office: Office) -> None:
    """Grant the lead one more role: his account has a version more."""
    role = {"account_id": str(office.accounts["lead@hq"]), "role": "auditor", "body_id": "hq"}
    office.do("system", "one more role", "grant-role", role)


def test_a_state_is_folded_once(office: Office, log: Counted, states: States):
    """The first is fresh from the log; after that it is given from memory, and says so."""
    first = states.known(lead(office))
    assert (first.is_fresh, log.folds) == (True, 1)
    again = states.known(lead(office))

    assert again == Known(first.version, first.state, is_fresh=False)
    assert states.current(lead(office)) == again
    assert log.folds == 1


def test_what_is_known_may_be_stale_and_what_is_current_never(
    office: Office, log: Counted, states: States
):
    """Once another process wrote, only asking for the current state folds again."""
    before = states.known(lead(office))
    grant_one_more(office)
    log.folds = 0
    assert states.known(lead(office)).version == before.version
    assert log.folds == 0

    now = states.current(lead(office))
    assert (now.version, now.is_fresh, log.folds) == (before.version + 1, True, 1)
    assert states.known(lead(office)) == Known(now.version, now.state, is_fresh=False)


def test_a_stream_without_events_is_not_remembered(log: Counted, states: States):
    """It may begin any moment."""
    ref = account_stream(uuid4())
    for folds in (1, 2):
        assert (states.known(ref).version, states.known(ref).is_fresh) == (0, True)
        assert log.folds == 2 * folds


def test_a_stream_of_another_kind_names_nothing(office: Office, states: States):
    """The id of an account is no case."""
    known = states.known(StreamRef("case", lead(office).id))

    assert (known.version, known.state) == (0, CaseState())


def test_an_older_state_does_not_take_the_place_of_a_later(office: Office, states: States):
    """Two threads may learn in any order; the same version once more changes nothing."""
    ref = lead(office)
    for version, state, kept in ((5, "five", 5), (4, "four", 5), (6, "six", 6), (6, "again", 6)):
        states.learn(ref, version, state)
        assert states.known(ref).version == kept
    assert states.known(ref).state == "again"

    states.forget([ref, account_stream(uuid4())])
    assert states.known(ref).is_fresh


def test_the_state_that_was_asked_for_longest_ago_is_let_go(
    log: Counted, states: States, monkeypatch: pytest.MonkeyPatch
):
    """So many and no more are kept."""
    monkeypatch.setattr("mediation.store.states._KEPT", 2)
    one, two, three = (account_stream(uuid4()) for _ in range(3))
    for ref in (one, two):
        states.learn(ref, 1, None)
    assert not states.known(one).is_fresh
    states.learn(three, 1, None)

    assert [states.known(ref).is_fresh for ref in (one, three, two)] == [False, False, True]
    assert log.folds == 1


def test_one_waits_for_his_turn_on_the_same_stream_only(states: States):
    """Whoever writes to another stream goes on meanwhile."""
    one = StreamRef("account", UUID(int=1))
    other = StreamRef("account", UUID(int=2))
    begun, passed, done = Event(), Event(), Event()

    def wait() -> None:
        begun.set()
        with states.turn([one, one]):
            done.set()

    def pass_by() -> None:
        with states.turn([other]):
            passed.set()

    waiting, passing = (Thread(target=it, daemon=True) for it in (wait, pass_by))
    with states.turn([one]):
        waiting.start()
        passing.start()
        assert begun.wait(5)
        assert passed.wait(5)
        assert not done.wait(0.1)

    assert done.wait(5)
