"""A district to measure: founded through the door, then served by the very command users run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from api.bootstrap import Engine, build, migrate_all
from api.demo.district import ALONE, DISTRICT, POINTS, capacity_of
from api.founding import found_district
from api.settings import Settings
from benchmarks.life import ROLES, Ask, Seen, life
from benchmarks.processes import Process, started
from mediation.application import SYSTEM, Answer, Mediation, Request, read_command
from mediation.case.state import CaseState
from mediation.kernel import command_named
from mediation.network import OpenServicePoint

STAFFED = 32
"""Bodies with people: as many as there are callers at most, so that each works at his own."""

_KINDS = ("township-body", "peoples-mediation-committee", "industry-union")


class Desk(NamedTuple):
    """One body at work: account id and bearer token by role."""

    body_id: str
    accounts: dict[str, str]
    tokens: dict[str, str]


class District(NamedTuple):
    """A founded district: where it is, and who works there."""

    settings: Settings
    desks: tuple[Desk, ...]


def founded(database_url: str, folder: Path) -> District:
    """Found a district with its network and people on an empty database."""
    settings = Settings(database_url=database_url, data_dir=folder, port=0)
    migrate_all(settings, district=DISTRICT, kind="test", at=datetime.now(UTC))
    with opened(settings) as engine:
        return District(settings, tuple(_people(engine)))


@contextmanager
def opened(settings: Settings) -> Iterator[Engine]:
    """Wire the engine of a district in this process, without serving or following."""
    engine = build(settings, env=os.environ)
    try:
        yield engine
    finally:
        engine.close()


@contextmanager
def served(district: District) -> Iterator[Process]:
    """Serve a district by `mediation serve` in a process of its own."""
    with started(["api.cli", "serve", "--json"], environment(district.settings)) as process:
        yield process


def environment(settings: Settings) -> dict[str, str]:
    """Give the environment in which a process of this district runs."""
    return {
        "MEDIATION_DATABASE_URL": settings.database_url or "",
        "MEDIATION_DATA_DIR": str(settings.data_dir),
        "MEDIATION_PORT": "0",
    }


def request(  # noqa: PLR0913 - a command in all its parts
    actor_id: UUID,
    key: str,
    command: str,
    body: dict[str, Any],
    *,
    stream_id: UUID | None = None,
    expected_version: int | None = None,
) -> Request:
    """Put one command into a request, its body read from JSON as a client's would be."""
    handled = command_named(command)
    if handled is None:
        raise LookupError(command)
    return Request(
        actor_id=actor_id,
        key=key,
        command=read_command(handled.command_type, msgspec.json.encode(body)),
        stream_id=stream_id,
        expected_version=expected_version,
    )


def live_a_case(
    mediation: Mediation, desk: Desk, today: str, key: str, done: Callable[[], None]
) -> Answer | None:
    """Live one case through the door, and tell each command that was carried out."""
    living, answer = life(desk.accounts["mediator"], today), None
    ask = next(living)
    for number in count():
        answer = mediation.execute(_asked(desk, ask, f"{key}-{number}", answer))
        done()
        try:
            ask = living.send(_seen(answer.state) if ask.looks else None)
        except StopIteration:
            break
    return answer


def _asked(desk: Desk, ask: Ask, key: str, answer: Answer | None) -> Request:
    """Put one command of a life into a request, on what the last answer left behind."""
    return request(
        UUID(desk.accounts[ask.role]),
        key,
        ask.command,
        ask.body,
        stream_id=None if answer is None else answer.stream.id,
        expected_version=None if answer is None else answer.version,
    )


def _seen(state: CaseState) -> Seen:
    """Read off a case what its life needs to know."""
    return Seen(
        tuple(str(it.party_id) for it in state.applicants),
        tuple(str(it.party_id) for it in state.respondents),
        tuple(str(it.line_id) for it in state.lines),
        tuple(str(it.obligation.obligation_id) for it in state.payments),
    )


def _people(engine: Engine) -> Iterator[Desk]:
    top = OpenServicePoint(
        **{**POINTS[0].opening(), "opened_on": date.fromisoformat(POINTS[0].opening()["opened_on"])}
    )
    found_district(engine, top, coordinator="示例统筹员")

    def do(command: str, **body: Any) -> UUID:
        asked_for = request(SYSTEM, f"people-{next(numbers)}", command, body)
        return engine.mediation.execute(asked_for).stream.id

    numbers = count()
    for point in POINTS[1:]:
        do("open-service-point", **point.opening())
    staffed = [it for it in POINTS if it.kind in _KINDS and it.body_id not in ALONE][:STAFFED]
    for point in staffed:
        opening = point.opening()
        do(
            "set-capacity",
            body_id=point.body_id,
            from_on=opening["opened_on"],
            **capacity_of(point),
        )
        accounts = {}
        for role in ROLES:
            account_id = do("open-account", display_name=f"示例{role}")
            do("grant-role", account_id=str(account_id), role=role, body_id=point.body_id)
            accounts[role] = account_id
        do("appoint-mediator", mediator_id=str(accounts["mediator"]), body_id=point.body_id)
        yield Desk(
            point.body_id,
            {role: str(it) for role, it in accounts.items()},
            {
                role: engine.tokens.issue(it, label="benchmark").token
                for role, it in accounts.items()
            },
        )
