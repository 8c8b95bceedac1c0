"""Every command over HTTP, by one generic endpoint; a new command needs no line here."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.answers import Irregular
from api.approvals import approvals_in_text
from api.errors import BadRequest, PreconditionMissing, problem
from api.routes.cases import irregular
from api.security import authenticate, marked
from mediation import kernel
from mediation.application import Answer, Rehearsal, read_command
from mediation.application import Request as Ask
from mediation.calendar import DueDate
from mediation.case.intake import RegisterCase
from mediation.case.state import CaseState
from mediation.errors import Conflict, MediationError, NotFound, Refused, pointing
from mediation.kernel import Handled, command_named, read_body
from mediation.store import Recorded

CREATED, OK = 201, 200
AT_ONCE = 12
"""Commands carried out at the same time; more wait their turn, group commit takes them together."""

_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_VERSION = re.compile(r'"([0-9]{1,18})"')


class Happened(msgspec.Struct, frozen=True):
    """One event that a command left behind; `version` counts the events of its own stream.

    `irregularities` are the flaws of a recorded fact, `due` the due dates that start with it.
    """

    topic: str
    version: int
    occurred_at: datetime
    recorded_at: datetime
    irregularities: tuple[Irregular, ...]
    due: tuple[DueDate, ...]


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


class WouldHappen(msgspec.Struct, frozen=True):
    """One event that a command would leave behind, and the due dates that would start with it."""

    topic: str
    occurred_at: datetime
    due: tuple[DueDate, ...]


class Rehearsed(msgspec.Struct, frozen=True, kw_only=True):
    """What a command would make of a case, a network or an account; nothing was written.

    `phase`, `level` and `custody_body_id` are null where the command is not about a case.
    """

    dry_run: bool
    phase: str | None
    level: str | None
    custody_body_id: str | None
    events: tuple[WouldHappen, ...]


class ApprovalAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command exactly as somebody is going to submit it late: who, with which key, and its body.

    `case_id` is left out for a command that registers a case.
    """

    actor_id: UUID
    idempotency_key: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,128}$")]
    command: str
    case_id: UUID | None = None
    body: msgspec.Raw


class ApprovalDrawn(msgspec.Struct, frozen=True, kw_only=True):
    """An approval, to be sent along with that very command as the header `Approval`."""

    approval: str
    approver_id: UUID
    command_id: UUID


def is_case_command(handled: Handled) -> bool:
    """Say whether a command is served below one case."""
    kind = handled.command_type
    return kind.stream_kind == "case" and not kind.creates


def is_creating_command(handled: Handled) -> bool:
    """Say whether a command opens a case."""
    kind = handled.command_type
    return kind.stream_kind == "case" and kind.creates


def is_network_command(handled: Handled) -> bool:
    """Say whether a command is served below the network."""
    return handled.command_type.stream_kind in ("network", "account")


@marked("cases.register", audited=True, answer=CaseChanged)
async def register(request: Request) -> Response:
    """Register a case."""
    return await _carry_out(request, command_named("register-case"), "POST /cases", status=CREATED)


@marked("cases.create", audited=True, answer=CaseChanged)
async def on_new_case(request: Request) -> Response:
    """Carry out a command that registers a case and goes on from there."""
    handled = command_named(request.path_params["command"])
    goes_on = (
        handled is not None
        and is_creating_command(handled)
        and handled.command_type is not RegisterCase
    )
    known = handled if goes_on else None
    return await _carry_out(request, known, "POST /cases/commands/{command}", status=CREATED)


@marked("approvals.draw", audited=True, answer=ApprovalDrawn)
async def approve(request: Request) -> Response:
    """Draw the approval of one late entry."""
    body = await request.body()
    return await anyio.to_thread.run_sync(
        lambda: _approved(request, body), limiter=request.app.state.commands
    )


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
        raise _unknown_command()
    case_id = _case_id(request)
    ask = Ask(
        actor_id=actor_id,
        key=_key(request),
        stream_id=case_id,
        expected_version=_expected(request, required=case_id is not None),
        command=read_command(handled.command_type, body),
        approvals=approvals_in_text(request.headers.get("approval", "")),
        route=route,
    )
    try:
        if _is_dry_run(request):
            return _rehearsed(mediation.rehearse(ask))
        answer = mediation.execute(ask)
    except (Refused, Conflict) as error:
        if case_id is None:
            raise
        return _refusal(request, error, case_id, actor_id, route)
    return _told(answer, status)


def _approved(request: Request, body: bytes) -> Response:
    mediation = request.app.state.engine.mediation
    approver_id = authenticate(request)
    asked = read_body(ApprovalAsked, body)
    handled = command_named(asked.command)
    if handled is None or handled.command_type.stream_kind != "case":
        raise _unknown_command()
    with pointing(("/case_id$", "/case_id"), ("", "/body")):
        token, approval = mediation.approve(
            approver_id,
            Ask(
                actor_id=asked.actor_id,
                key=asked.idempotency_key,
                stream_id=asked.case_id,
                command=read_command(handled.command_type, bytes(asked.body)),
                route="POST /approvals",
            ),
        )
    drawn = ApprovalDrawn(
        approval=token,
        approver_id=approval.approver_id,
        command_id=approval.command_id,
    )
    return Response(msgspec.json.encode(drawn), status_code=CREATED, media_type="application/json")


def _unknown_command() -> NotFound:
    return NotFound(
        zh="没有这项指令，请从案件的可办事项中选择。",
        en="There is no such command; choose one of the case's available actions.",
        code="command-unknown",
    )


def _is_dry_run(request: Request) -> bool:
    asked = request.query_params.get("dry_run", "false")
    if asked not in ("true", "false"):
        raise BadRequest(
            zh="dry_run 只能是 true 或者 false。",
            en="dry_run is true or false.",
            code="dry-run-invalid",
        )
    return asked == "true"


def _rehearsed(rehearsal: Rehearsal) -> Response:
    state = rehearsal.state
    case = state if isinstance(state, CaseState) else None
    told = Rehearsed(
        dry_run=True,
        phase=case.phase.value if case and case.phase else None,
        level=case.level if case else None,
        custody_body_id=case.custody_body_id if case else None,
        events=tuple(
            WouldHappen(event.topic, event.occurred_at, getattr(event, "due", ()))
            for event in rehearsal.events
        ),
    )
    return Response(msgspec.json.encode(told), media_type="application/json")


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
    event = kernel.decode(recorded.topic, recorded.state)
    return Happened(
        recorded.topic,
        recorded.originator_version,
        event.occurred_at,
        recorded.recorded_at,
        irregular(event),
        getattr(event, "due", ()),
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
        Route("/cases/commands/{command}", on_new_case, methods=["POST"]),
        Route("/approvals", approve, methods=["POST"]),
        Route("/cases/{case_id}/commands/{command}", on_case, methods=["POST"]),
        Route("/network/commands/{command}", on_network, methods=["POST"]),
    ]
