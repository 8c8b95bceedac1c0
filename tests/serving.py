"""A served district for tests: a real server on this machine, a small network, people with tokens.

One district, two streets, one village and one enterprise below the first street. Nothing of what
is tested stands here.
"""

from __future__ import annotations

import atexit
import os
import shutil
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple
from uuid import UUID

import httpx
from sqlalchemy.engine import URL

from api.bootstrap import Engine, build, migrate_all, places
from api.founding import found_district
from api.server import server_of
from api.settings import Settings
from mediation.application import SYSTEM, Request
from mediation.kernel import Command
from mediation.ladder import Ladder
from mediation.network import (
    AppointMediator,
    ConfirmationRoute,
    GrantRole,
    OpenAccount,
    OpenServicePoint,
    Role,
    SetCapacity,
)
from mediation.privacy import Personal
from tests.databases import SCRATCH, copy_postgresql, fresh_sqlite, left_postgresql

DISTRICT_CODE = "370102"
MONDAY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Monday, 2 March 2026, nine o'clock in Shanghai: when every served district begins."""

OPENED_ON = date(2015, 1, 1)
DISTRICT, EAST, WEST = "district-union", "east-street", "west-street"
VILLAGE, FACTORY = "east-village", "east-factory"

BODIES = {
    DISTRICT: ("district", None, "circuit-room", None, "示例区总工会"),
    EAST: ("township", None, "street-union", DISTRICT, "示例东街道总工会"),
    WEST: ("township", None, "street-union", DISTRICT, "示例西街道总工会"),
    VILLAGE: ("village-industry", "village", "village-union", EAST, "示例东村工会"),
    FACTORY: ("enterprise", None, "enterprise-committee", VILLAGE, "示例制衣厂调解委员会"),
}
"""By id: level, branch, kind, parent, name."""

STAFF = {
    DISTRICT: ("coordinator", "lead", "clerk", "mediator", "auditor", "supervisor", "dashboard"),
    EAST: ("lead", "clerk", "mediator", "auditor"),
    WEST: ("lead", "clerk", "mediator"),
    VILLAGE: ("lead", "clerk", "mediator"),
    FACTORY: ("lead", "clerk", "mediator", "liaison"),
}


_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Nothing is asked over TLS: a client that is not told so reads every authority of the machine."""


class Served:
    """One served district, and everybody who works in it.

    Attributes:
        url: where it is served.
        clock: shows the office's time; moved by `set_clock`.
        engine: the wired engine behind the server, to look at what was written.
        accounts: account id by role and body.
    """

    def __init__(self, url: str, engine: Engine, accounts: Mapping[tuple[str, str], UUID]) -> None:
        self.url = url
        self.engine = engine
        self.clock = engine.clock
        self.accounts = accounts
        self._clients: dict[tuple[str, str], httpx.Client] = {}

    def token_for(self, role: str, body_id: str) -> str:
        """Issue a token for whoever holds this role at this body."""
        return self.engine.tokens.issue(self.accounts[role, body_id], label="test").token

    def client_for(self, role: str, body_id: str) -> httpx.Client:
        """Give an HTTP client that speaks as whoever holds this role at this body."""
        who = role, body_id
        if who not in self._clients:
            self._clients[who] = self.client(self.token_for(role, body_id))
        return self._clients[who]

    def client(self, token: str | None = None) -> httpx.Client:
        """Give a new HTTP client with this token, or without any."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(
            base_url=self.url, headers=headers, timeout=30, trust_env=False, verify=_NO_TLS
        )

    def set_clock(self, now: str) -> None:
        """Set the office's clock, over HTTP: an ISO time with its zone, never back."""
        coordinator = self.client_for("coordinator", DISTRICT)
        coordinator.put("/demo/clock", json={"now": now}).raise_for_status()

    def close(self) -> None:
        """Close the clients."""
        for client in self._clients.values():
            client.close()


@contextmanager
def served(
    database: str, *, now: datetime = MONDAY, rules: Ladder | None = None
) -> Iterator[Served]:
    """Serve a fresh district from this empty database, on a manual clock.

    Args:
        database: URL of an empty database, as the fixture `database` gives it.
        now: what the clock shows at first.
        rules: the ladder of the district; by default the published one. The small network stands
            only on a ladder that has its levels.
    """
    with tempfile.TemporaryDirectory(prefix="mediation-served-", dir=SCRATCH) as folder:
        settings = _settings(database, Path(folder))
        if rules is None:
            accounts = _copied(settings, now)
        else:
            migrate_all(settings, district=DISTRICT_CODE, kind="test", at=now)
            accounts = {}
        engine = build(settings, env=os.environ, serves=True, now=now, rules=rules)
        try:
            with _running(engine) as url:
                office = Served(url, engine, accounts)
                try:
                    yield office
                finally:
                    office.close()
        finally:
            engine.close()


def _settings(database: str, folder: Path) -> Settings:
    return Settings(database_url=database, data_dir=folder, clock="manual", port=0)


class _Staffed(NamedTuple):
    """A store in which everybody works and nothing has happened, to be copied, never served."""

    settings: Settings
    accounts: Mapping[tuple[str, str], UUID]


def _copied(settings: Settings, now: datetime) -> Mapping[tuple[str, str], UUID]:
    """Put a staffed store in place of an empty database; give who works there."""
    there = places(settings)
    if there.file is None:
        cluster_url = there.log.set(database="postgres")
        staffed = _staffed_at(now, cluster_url)
        copy_postgresql(places(staffed.settings).log, there.log)
        return staffed.accounts
    staffed = _staffed_at(now, None)
    here = places(staffed.settings)
    for source, target in (
        (here.log, there.log),
        (here.read, there.read),
        (here.vault, there.vault),
    ):
        shutil.copy(source.database or "", target.database or "")
    return staffed.accounts


@cache
def _staffed_at(now: datetime, cluster_url: URL | None) -> _Staffed:
    """Make the store that is copied: once a process, for each kind of database and each time."""
    folder = Path(_KEEPING.enter_context(tempfile.TemporaryDirectory(dir=SCRATCH)))
    if cluster_url is None:
        database = fresh_sqlite(folder)
    else:
        database = _KEEPING.enter_context(left_postgresql(cluster_url))
    settings = _settings(database, folder)
    migrate_all(settings, district=DISTRICT_CODE, kind="test", at=now)
    engine = build(settings, env=os.environ, now=now)
    try:
        accounts = _staffed(engine)
        for follower in engine.followers.values():
            follower.catch_up()
    finally:
        engine.close()
    return _Staffed(settings, accounts)


_KEEPING = ExitStack()
atexit.register(_KEEPING.close)


@contextmanager
def _running(engine: Engine) -> Iterator[str]:
    started, where = Event(), list[str]()

    def tell(url: str) -> None:
        where.append(url)
        started.set()

    server = server_of(engine, host="127.0.0.1", port=0, started=tell)
    thread = Thread(target=server.run, name="server", daemon=True)
    engine.follow()
    thread.start()
    assert started.wait(30), "the server did not start"
    try:
        yield where[0]
    finally:
        server.should_exit = True
        thread.join()


def _staffed(engine: Engine) -> dict[tuple[str, str], UUID]:
    """Open the bodies and the accounts, before anybody asks over HTTP."""
    steps = iter(range(1000))

    def do(command: Command) -> UUID:
        request = Request(actor_id=SYSTEM, key=f"staff-{next(steps)}", command=command)
        return engine.mediation.execute(request).stream.id

    accounts = {}
    for body_id, (level, branch, kind, parent_id, name) in BODIES.items():
        opening = OpenServicePoint(
            body_id=body_id,
            name_zh=name,
            name_en=f"Sample {body_id}",
            level=level,
            branch=branch,
            kind=kind,
            parent_id=parent_id,
            number_prefix=body_id.upper(),
            opened_on=OPENED_ON,
        )
        if parent_id is None:
            founded = found_district(engine, opening, coordinator="示例统筹员")
            accounts["coordinator", body_id] = founded.account_id
        else:
            do(opening)
        do(
            SetCapacity(
                body_id=body_id,
                legal_basis="L-LDMA 10",
                seal=True,
                may_seal=True,
                oral_ok=True,
                confirmation_route=ConfirmationRoute.ASK,
                from_on=OPENED_ON,
            )
        )
        for role in STAFF[body_id]:
            if (role, body_id) not in accounts:
                account_id = do(OpenAccount(display_name=Personal(f"示例{role}")))
                grant = GrantRole(
                    account_id=account_id, role=Role(role), body_id=body_id, from_on=OPENED_ON
                )
                do(grant)
                accounts[role, body_id] = account_id
            if role == "mediator":
                account_id = accounts[role, body_id]
                do(AppointMediator(mediator_id=account_id, body_id=body_id, from_on=OPENED_ON))
    return accounts
