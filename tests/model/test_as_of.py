"""What was answered live is answered again when it is asked as of then: by version, time, position.

A district lives by chance. At random moments people ask over HTTP for cases, histories, dates and
lanes; at the end each of them asks again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, NamedTuple, cast
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.bootstrap import Engine, build, migrate_all
from api.clock import ManualClock
from api.settings import Settings
from mediation import kernel
from mediation.application import SYSTEM, Request
from mediation.calendar import day_of
from mediation.kernel import Command
from mediation.network import AppointMediator, GrantRole, OpenAccount, OpenServicePoint, Role
from mediation.privacy import Personal
from projections.lanes import LANES
from projections.worklist import OF_DATES
from tests.databases import BACKENDS, fresh_postgresql, fresh_sqlite
from tests.projections import district
from tests.projections.histories import START, Office, Written, append

pytestmark = pytest.mark.long

KINDS = {
    "district": "circuit-room",
    "township": "township-body",
    "village-industry": "peoples-mediation-committee",
    "enterprise": "enterprise-committee",
}
MOMENTS, COMMANDS = 12, 16
Answer = tuple[int, Any]


class Told(NamedTuple):
    """A live answer: who asked for what, as of when it can be asked again, what came back."""

    who: str
    url: str
    position: int
    at: datetime
    on: date
    version: int | None
    answer: Answer


class District:
    """A district over HTTP whose cases live by chance, and what was answered there live."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine = engine
        self.clock = cast("ManualClock", engine.clock)
        self.random = Random(11)
        self.client = TestClient(create_app(engine))
        self.accounts = dict(self._staffed(monkeypatch))
        # Decides what is done; its mediators are the accounts that were just opened.
        self.office = Office(seed=11)
        self.told: list[Told] = []
        self._tokens = {
            who: engine.tokens.issue(account_id, label="test").token
            for who, account_id in self.accounts.items()
        }

    def _staffed(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, UUID]]:
        for body_id, path in district.PATHS.items():
            level = district.LEVELS[body_id]
            self._do(
                OpenServicePoint(
                    body_id=body_id,
                    name_zh=body_id,
                    name_en=body_id,
                    level=level,
                    branch="village" if level == "village-industry" else None,
                    kind=KINDS[level],
                    parent_id=path.rstrip("/").split("/")[-2] or None,
                    number_prefix=body_id.upper(),
                    opened_on=district.LONG_AGO,
                )
            )
            for role in (Role.COORDINATOR, Role.CLERK, Role.MEDIATOR):
                if (role is Role.COORDINATOR) == (body_id == "quzong"):
                    account_id = self._do(OpenAccount(display_name=Personal(role.value)))
                    self._do(
                        GrantRole(
                            account_id=account_id,
                            role=role,
                            body_id=body_id,
                            from_on=district.LONG_AGO,
                        )
                    )
                    yield f"{role.value}@{body_id}", account_id
                    if role is Role.MEDIATOR:
                        monkeypatch.setitem(district.MEDIATORS, body_id, account_id)
                        self._do(AppointMediator(mediator_id=account_id, body_id=body_id))

    def _do(self, command: Command) -> UUID:
        key = f"found-{self.engine.log.head().position}"
        request = Request(actor_id=SYSTEM, key=key, command=command)
        return self.engine.mediation.execute(request).stream.id

    def live(self, commands: int) -> None:
        """Let chance do so many commands, one of many events, one typed in days too late."""
        first = len(self.office.written)
        self.office.at = self.clock()
        self.office.live(first + commands - 2, registering=0.2)
        self.office.at += timedelta(minutes=1)
        self.office.settle_on_one_form(self.random.choice(("hehua", "moju", "xinqian")))
        self.office.at += timedelta(minutes=1)
        late = self.office.at - timedelta(days=3)
        self.office.register(self.random.choice(list(district.PATHS)), occurred_at=late)
        for written in self.office.written[first:]:
            self.ask_before(written)
            self.clock.set(max(self.clock(), written[0].event.decided_at))
            append(self.engine.log, [written])
        self.catch_up()

    def catch_up(self) -> None:
        """Bring every read model to the end of the log."""
        for follower in self.engine.followers.values():
            follower.catch_up()

    def get(self, who: str, url: str, **query: Any) -> Answer:
        """Ask, and give status and answer without the position and the way to the next page."""
        path, _, filters = url.partition("?")
        answer = self.client.get(
            path,
            params=dict(it.split("=") for it in filters.split("&") if it) | query,
            headers={"Authorization": f"Bearer {self._tokens[who]}"},
        )
        said = answer.json()
        if isinstance(said, dict) and said.get("next"):
            said["next"] = "more"
        return answer.status_code, said

    def ask_before(self, written: Written) -> None:
        """Ask for a case to which several things are about to be done at once."""
        streams = Counter(it.originator_id for it in written)
        (case_id, events), *_ = streams.most_common()
        if events > 1:
            version = min(it.originator_version for it in written if it.originator_id == case_id)
            position = self.engine.log.head().position
            self.keep("coordinator@quzong", f"/cases/{case_id}", position, (version - 1) or None)

    def ask(self) -> None:
        """Let people ask for what they ask for, and keep what they are told."""
        head = self.engine.log.head()
        lane = self.random.choice((*LANES, *OF_DATES))
        for who in ("coordinator@quzong", "clerk@xicheng", "clerk@meiduo", "mediator@hehua"):
            for url in (
                "/worklist",
                f"/worklist?lane={lane}&limit=3",
                "/worklist/lanes",
                "/worklist/mine?limit=100",
                "/deadlines?limit=20",
                "/deadlines?kind=past",
            ):
                self.keep(who, url, head.position)
        for case_id in self.random.sample(list(self.office.cases), 2):
            for more in ("", "/history", "/deadlines", "/actions"):
                version = self.office.cases[case_id].version
                self.keep("coordinator@quzong", f"/cases/{case_id}{more}", head.position, version)

    def keep(self, who: str, url: str, position: int, version: int | None = None) -> None:
        """Ask for one thing now and keep what was told."""
        answer = self.get(who, url)
        assert answer[0] == (404 if version is None and "/cases/" in url else 200), answer
        at = self.clock()
        self.told.append(Told(who, url, position, at, day_of(at), version, answer))

    def lived(self) -> None:
        """Live, and ask at random moments: at once, hours later, or some days later."""
        for _ in range(MOMENTS):
            self.live(COMMANDS)
            waited = timedelta(hours=self.random.choice((0, 0, 1, 30, 100)))
            self.clock.set(self.clock() + waited)
            self.ask()
            self.clock.set(self.clock() + timedelta(minutes=1))
        self.live(COMMANDS)


@pytest.fixture(scope="module", params=BACKENDS)
def alive(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[District]:
    """A district that has lived, over HTTP; its followers stand at the end of the log."""
    folder = tmp_path_factory.mktemp("alive")
    with ExitStack() as kept:
        database = fresh_sqlite(folder)
        if request.param == "postgresql":
            cluster = request.getfixturevalue("postgresql_cluster")
            database = kept.enter_context(fresh_postgresql(cluster))
        settings = Settings(database_url=database, data_dir=folder, clock="manual", port=0)
        engine = kept.enter_context(_built(settings))
        lived = District(engine, kept.enter_context(pytest.MonkeyPatch.context()))
        kept.enter_context(lived.client)
        lived.lived()
        yield lived


@contextmanager
def _built(settings: Settings) -> Iterator[Engine]:
    migrate_all(settings, district="370102", kind="test", at=START)
    engine = build(settings, env=os.environ, now=START)
    try:
        yield engine
    finally:
        engine.close()


Way = Callable[[District, Told], Mapping[str, Any] | None]


def by_version(_lived: District, told: Told) -> Mapping[str, Any] | None:
    """Ask for one case at the version at which it stood."""
    return None if told.version is None else {"version": told.version}


def by_time(_lived: District, told: Told) -> Mapping[str, Any] | None:
    """Ask as of the time at which it was asked."""
    return {"at": told.at.isoformat()}


def by_position(lived: District, told: Told) -> Mapping[str, Any] | None:
    """Ask as of the end of the last command, or of any event inside the next.

    The day of a position is the day it was recorded: what was asked on a later day is asked by
    time.
    """
    (after,) = {it.command_end for it in lived.engine.log.read(told.position, 1)}
    position = lived.random.randrange(told.position, after)
    recorded_at = lived.engine.log.recorded_at(position)
    if "/cases/" not in told.url and (recorded_at is None or day_of(recorded_at) != told.on):
        return None
    return {"position": position}


def differing(lived: District, way: Way) -> Counter[str]:
    """Ask everything again in one way; count what is told otherwise, and what was asked."""
    found: Counter[str] = Counter()
    for told in lived.told:
        query = way(lived, told)
        if query is not None:
            again = lived.get(told.who, told.url, **query)
            path = told.url.partition("?")[0]
            kind = "case" if "/cases/" in path else path.rpartition("/")[2]
            found["asked"] += 1
            found[kind] += again != told.answer
    return found


def test_what_was_answered_live_is_answered_again(alive: District):
    """Cases, histories, dates, actions, lanes, counts and days: by version, time and position."""
    counted = {way.__name__: differing(alive, way) for way in (by_version, by_time, by_position)}

    assert [sum(it.values()) - it["asked"] for it in counted.values()] == [0, 0, 0], counted
    assert counted["by_time"]["asked"] == len(alive.told) > 380
    assert counted["by_version"]["asked"] > 90
    assert counted["by_position"]["asked"] > 150


def test_an_as_of_that_cuts_inside_a_command_is_found(alive: District, monkeypatch):
    """Broken twin: a position is taken as it is, and half of a command is seen."""
    monkeypatch.setattr(alive.engine.log, "command_end", lambda position: position)
    found = differing(alive, by_position)

    assert found["case"] > 0, found


def test_an_as_of_by_the_time_of_the_facts_is_found(alive: District, monkeypatch):
    """Broken twin: what happened by then counts, though nobody had typed it in yet."""
    log = alive.engine.log
    whole = [(it.position, kernel.decode(it.topic, it.state)) for it in log.read(0, 10**6)]

    def position_at(at: datetime) -> int:
        return max((position for position, it in whole if it.occurred_at <= at), default=0)

    monkeypatch.setattr(log, "position_at", position_at)
    found = differing(alive, by_time)

    assert found["worklist"] > 0, found
    assert found["lanes"] > 0, found
    assert found["case"] > 0, found
