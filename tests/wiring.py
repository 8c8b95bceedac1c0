"""A whole engine on a database URL, and a small office in it; what a test does there is its own.

Vault and read models stand beside the log: for SQLite in files of their own, for PostgreSQL in the
same database.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.engine import make_url

import mediation.case
from mediation import calendar, kernel, ladder
from mediation.application import SYSTEM, Answer, Mediation, Request, read_command
from mediation.approvals import Approvals
from mediation.store import Log, migrate, open_engine
from mediation.store.access import AccessLog, migrate_access
from mediation.store.sealing import Sealer
from mediation.store.vault import Vault, migrate_vault

DISTRICT = "370102"
LOG_ID = UUID("5f0c1a52-3f07-4a52-9d3e-6f6c9d1b2a44")
MORNING = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
ROLES = ("lead", "clerk", "mediator")

assert mediation.case.CHAPTERS, "importing the chapters registers every command"


class NewBody(NamedTuple):
    """A body to be opened: its place in the ladder and in the network."""

    body_id: str
    level: str
    kind: str
    parent_id: str | None = None
    branch: str | None = None


BODIES = (
    NewBody("hq", "district", "circuit-room"),
    NewBody("dongcheng", "township", "township-body", "hq"),
    NewBody("hengjie", "village-industry", "peoples-mediation-committee", "dongcheng", "village"),
    NewBody("factory", "enterprise", "enterprise-committee", "hengjie"),
)
"""One body at each level of the ladder in force, each below the next."""


class Office(NamedTuple):
    """An engine with bodies and accounts; `accounts` are named `lead@hengjie`."""

    mediation: Mediation
    accounts: Mapping[str, UUID]

    def ask(  # noqa: D417 - the rest is what `Request` says
        self, who: str, key: str, command: str, body: Mapping[str, Any], **more: Any
    ) -> Request:
        """Put one command, given by its kebab-case name and JSON body, into a request.

        Args:
            who: the name of an account, or `system`.
        """
        actor_id = SYSTEM if who == "system" else self.accounts[who]
        return a_request(actor_id, key, command, body, **more)

    def do(self, who: str, key: str, command: str, body: Mapping[str, Any], **more: Any) -> Answer:
        """Carry out one command; the arguments are those of `ask`."""
        return self.mediation.execute(self.ask(who, key, command, body, **more))


def a_request(
    actor_id: UUID, key: str, command: str, body: Mapping[str, Any], **more: Any
) -> Request:
    """Put one command into a request, its body read from JSON as a client's would be."""
    handled = kernel.command_named(command)
    assert handled is not None, command
    read = read_command(handled.command_type, json.dumps(body).encode())
    return Request(actor_id=actor_id, key=key, command=read, **more)


def execute(
    engine: Mediation,
    actor_id: UUID,
    key: str,
    command: str,
    body: Mapping[str, Any],
    **more: Any,
) -> Answer:
    """Send one command through the door; the arguments are those of `a_request`."""
    return engine.execute(a_request(actor_id, key, command, body, **more))


def vault_beside(database: str) -> str:
    """Give the URL of the vault that belongs to a log."""
    return _beside(database, "vault")


def read_models_beside(database: str) -> str:
    """Give the URL of the database where a log's read models live."""
    return _beside(database, "read")


def _beside(database: str, name: str) -> str:
    url = make_url(database)
    if url.get_backend_name() != "sqlite":
        return database
    path = Path(url.database or "")
    return f"sqlite:///{path.with_name(f'{path.stem}-{name}.db')}"


def migrate_all(database: str, *, at: datetime = MORNING) -> None:
    """Make the tables of log, access record and vault."""
    engine, vault = open_engine(database), open_engine(vault_beside(database))
    try:
        migrate(engine, district=DISTRICT, kind="test", log_id=LOG_ID, at=at)
        migrate_access(engine)
        migrate_vault(vault)
    finally:
        engine.dispose()
        vault.dispose()


@contextmanager
def wired(
    database: str,
    *,
    clock: Callable[[], datetime] = lambda: MORNING,
    door: type[Mediation] = Mediation,
    log_type: type[Log] = Log,
) -> Iterator[Mediation]:
    """Wire an engine on a store that `migrate_all` made, and let go of it at the end.

    Args:
        database: URL of the log.
        clock: gives aware UTC.
        door: another class than the real one, for a broken twin.
        log_type: as `door`.
    """
    engine = open_engine(database)
    vault = open_engine(vault_beside(database), pool_size=1)
    try:
        rungs = ladder.load_ref("standard-v1")
        with log_type(engine, clock=clock) as log:
            yield door(
                log=log,
                sealer=Sealer(Vault(vault, randbytes=os.urandom, now=clock), log.log_id),
                access=AccessLog(engine),
                clock=clock,
                randbytes=os.urandom,
                district=DISTRICT,
                ladder=rungs,
                ladders={rungs.ref: rungs},
                calendar=calendar.default(),
                approvals=Approvals(b"secret of the tests"),
            )
    finally:
        engine.dispose()
        vault.dispose()


def found_office(
    engine: Mediation, bodies: Sequence[NewBody] = BODIES, roles: Sequence[str] = ROLES
) -> Office:
    """Open the bodies, a coordinator at the first, and an account for each role at each body.

    The mediators, and the leads who mediate too, are appointed.
    """
    accounts: dict[str, UUID] = {}
    office = Office(engine, accounts)

    def staff(role: str, body_id: str) -> None:
        who = f"{role}@{body_id}"
        opened = office.do("system", f"open {who}", "open-account", {"display_name": who})
        accounts[who] = opened.stream.id
        named = {"account_id": str(opened.stream.id), "role": role, "body_id": body_id}
        office.do("system", f"grant {who}", "grant-role", named)
        if role in {"mediator", "lead"}:
            appointed = {"mediator_id": str(opened.stream.id), "body_id": body_id}
            office.do("system", f"appoint {who}", "appoint-mediator", appointed)

    for body in bodies:
        office.do(
            "system",
            f"point {body.body_id}",
            "open-service-point",
            {
                **body._asdict(),
                "name_zh": f"{body.body_id}调解组织",
                "name_en": f"Body {body.body_id}",
                "number_prefix": body.body_id.upper(),
                "opened_on": "2020-01-01",
            },
        )
        for role in roles:
            staff(role, body.body_id)
    staff("coordinator", bodies[0].body_id)
    return office


@contextmanager
def an_office(
    database: str,
    *,
    clock: Callable[[], datetime] = lambda: MORNING,
    door: type[Mediation] = Mediation,
    log_type: type[Log] = Log,
    bodies: Sequence[NewBody] = BODIES,
    roles: Sequence[str] = ROLES,
) -> Iterator[Office]:
    """Make a store on an empty database, wire an engine on it, and found an office there."""
    migrate_all(database, at=clock())
    with wired(database, clock=clock, door=door, log_type=log_type) as engine:
        yield found_office(engine, bodies, roles)


def a_registration(**changes: Any) -> dict[str, Any]:
    """Give the body of `register-case`: one worker claims wages of one company."""
    return {
        "matter_kind": "DISPUTE",
        "channel": "walk-in",
        "applicants": [{"role": "WORKER", "name": "王某"}],
        "respondents": [{"role": "EMPLOYER", "party_kind": "COMPANY", "company_name": "示例公司"}],
        "request": "请求支付拖欠的工资。",
        "cause": "C13",
        "lines": [{"applicant": 0, "cause": "C13", "claimed_fen": 850_000}],
        **changes,
    }
