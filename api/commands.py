"""Every command over HTTP, by one generic endpoint; a new command needs no line here."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from uuid import UUID

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.errors import BadRequest, PreconditionMissing, problem
from api.security import authenticate, marked
from mediation.application import Answer, read_command
from mediation.application import Request as Ask
from mediation.case.state import CaseState
from mediation.errors import Conflict, MediationError, NotFound, Refused
from mediation.kernel import Handled, command_named
from mediation.store import Recorded

CREATED, OK = 201, 200
AT_ONCE = 12
"""Commands carried out at the same time; more wait their turn, group commit takes them together."""

_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_VERSION = re.compile(r'"([0-9]{1,18})"')


class Happened(msgspec.Struct, frozen=True):
    """One event that a command left behind; `version` counts the events of its own stream."""

    topic: str
    version: int
    occurred_at: datetime
    recorded_at: datetime


class CaseChanged(msgspec.Struct, frozen=True, kw_only=True):
    """What a command made of a case; the same for the same key, for ever."""

    case_id: UUID
    version: int
    position: int
    phase: str
    level: str
    custody_body_id: str
    events: tuple[Happened, ...]


class NetworkChanged(msgspec.Struct, frozen=True, kw_only=True):
    """What a command made of the network or of an account, whose id is its `stream_id`."""

    stream_id: UUID
    version: int
    position: int
    events: tuple[Happened, ...]


class _Envelope(msgspec.Struct, frozen=True):
    occurred_at: datetime


_envelope = msgspec.json.Decoder(_Envelope)


def is_case_command(handled: Handled) -> bool:
    """Say whether a command is served below one case."""
    kind = handled.command_type
    return kind.stream_kind == "case" and not kind.creates


def is_network_command(handled: Handled) -> bool:
    """Say whether a command is served below the network."""
    return handled.command_type.stream_kind in ("network", "account")


@marked("cases.register", audited=True, answer=CaseChanged)
async def register(request: Request) -> Response:
    """Register a case."""
    return await _carry_out(request, command_named("register-case"), "POST /cases", status=CREATED)


@marked("cases.command", audited=True, answer=CaseChanged)
async def on_case(request: Request) -> Response:
    """Carry out a command on a case."""
    handled = command_named(request.path_params["command"])
    known = handled if handled is not None and is_case_command(handled) else None
    return await _carry_out(request, known, "POST /cases/{case_id}/commands/{command}")


@marked("network.command", audited=False, answer=NetworkChanged)
async def on_network(request: Request) -> Response:
    """Carry out a command on the network or on an account."""
    handled = command_named(request.path_params["command"])
    known = handled if handled is not None and is_network_command(handled) else None
    return await _carry_out(request, known, "POST /network/commands/{command}")


async def _carry_out(
    request: Request, handled: Handled | None, route: str, *, status: int = OK
) -> Response:
    body = await request.body()
    return await anyio.to_thread.run_sync(
        lambda: _answered(request, handled, route, body, status),
        limiter=request.app.state.commands,
    )


def _answered(
    request: Request, handled: Handled | None, route: str, body: bytes, status: int
) -> Response:
    mediation = request.app.state.engine.mediation
    actor_id = authenticate(request)
    if handled is None:
        raise NotFound(
            zh="没有这项指令，请从案件的可办事项中选择。",
            en="There is no such command; choose one of the case's available actions.",
            code="command-unknown",
        )
    case_id = _case_id(request)
    ask = Ask(
        actor_id=actor_id,
        key=_key(request),
        stream_id=case_id,
        expected_version=_expected(request, required=case_id is not None),
        command=read_command(handled.command_type, body),
        route=route,
    )
    try:
        answer = mediation.execute(ask)
    except (Refused, Conflict) as error:
        if case_id is None:
            raise
        return _refusal(request, error, case_id, actor_id, route)
    return _told(answer, status)


def _refusal(
    request: Request, error: MediationError, case_id: UUID, actor_id: UUID, route: str
) -> Response:
    """Say no, and what would be possible instead."""
    mediation = request.app.state.engine.mediation
    case, _seen = mediation.case(case_id, actor_id=actor_id, route=route)
    actions = mediation.actions(case_id, actor_id=actor_id, route=route)
    return problem(
        error,
        request.headers.get("accept-language", ""),
        current_version=case.version,
        allowed_actions=tuple(
            name for name, (refusals, _who, is_mine) in actions.items() if is_mine and not refusals
        ),
    )


def _case_id(request: Request) -> UUID | None:
    named = request.path_params.get("case_id")
    if named is None:
        return None
    try:
        return UUID(named)
    except ValueError:
        raise NotFound from None


def _key(request: Request) -> str:
    key = request.headers.get("idempotency-key")
    if key is None:
        raise PreconditionMissing(
            zh="请为每次操作提供一个新的 Idempotency-Key 请求头；重试时沿用同一个。",
            en="Send an Idempotency-Key header, new for every action and the same when you retry.",
            code="idempotency-key-missing",
        )
    if not _KEY.fullmatch(key):
        raise BadRequest(
            zh="Idempotency-Key 须为1至128个可见的 ASCII 字符，不含空格。",
            en="An Idempotency-Key has 1 to 128 visible ASCII characters and no blank.",
            code="idempotency-key-invalid",
        )
    return key


def _expected(request: Request, *, required: bool) -> int | None:
    given = request.headers.get("if-match")
    if given is None:
        if not required:
            return None
        raise PreconditionMissing(
            zh='请在 If-Match 请求头中提供您所见的案件版本，例如 "3"。',
            en='Send the version of the case you saw as If-Match, for example "3".',
            code="if-match-missing",
        )
    found = _VERSION.fullmatch(given.strip())
    if found is None:
        raise BadRequest(
            zh='If-Match 须为带引号的版本号，例如 "3"。',
            en='If-Match is a version in quotes, for example "3".',
            code="if-match-invalid",
        )
    return int(found[1])


def _happened(recorded: Recorded) -> Happened:
    return Happened(
        recorded.topic,
        recorded.originator_version,
        _envelope.decode(recorded.state).occurred_at,
        recorded.recorded_at,
    )


def _told(answer: Answer, status: int) -> Response:
    events = tuple(_happened(recorded) for recorded in answer.events)
    state = answer.state
    told: CaseChanged | NetworkChanged
    if isinstance(state, CaseState):
        told = CaseChanged(
            case_id=answer.stream.id,
            version=answer.version,
            position=answer.position,
            phase="" if state.phase is None else state.phase.value,
            level=state.level,
            custody_body_id=state.custody_body_id,
            events=events,
        )
    else:
        told = NetworkChanged(
            stream_id=answer.stream.id,
            version=answer.version,
            position=answer.position,
            events=events,
        )
    headers = {"etag": f'"{answer.version}"', "position": str(answer.position)}
    if status == CREATED:
        headers["location"] = f"/cases/{answer.stream.id}"
    return Response(
        msgspec.json.encode(told),
        status_code=status,
        media_type="application/json",
        headers=headers,
    )


def routes() -> list[Any]:
    """Give the routes of all commands."""
    return [
        Route("/cases", register, methods=["POST"]),
        Route("/cases/{case_id}/commands/{command}", on_case, methods=["POST"]),
        Route("/network/commands/{command}", on_network, methods=["POST"]),
    ]
