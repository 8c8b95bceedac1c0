"""Whether the process lives, whether it can answer, and plain figures; nothing about any case."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.bootstrap import Engine
from api.security import marked
from projections.base import reading
from projections.upkeep import Counted, counted

router = APIRouter()

_OK, _UNAVAILABLE = 200, 503


class Alive(msgspec.Struct, frozen=True):
    """The process runs."""

    status: str


class FollowerShown(msgspec.Struct, frozen=True, kw_only=True):
    """How far a read model has come; `failed` names why it stopped.

    `quarantined` events could not be folded, and `parked` streams wait behind them; both are an
    alarm, while everything else goes on.
    """

    position: int
    lag: int
    failed: str | None
    quarantined: int
    parked: int


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the process can answer, and how far everything has come."""

    status: str
    position: int
    followers: dict[str, FollowerShown]


_FOLLOWER_METRICS: tuple[tuple[str, str, str, Callable[[FollowerShown], int]], ...] = (
    ("position", "counter", "Position a follower has come to.", lambda it: it.position),
    ("lag", "gauge", "Events a follower is behind the log.", lambda it: it.lag),
    (
        "failed",
        "gauge",
        "Whether a follower stopped on a fault.",
        lambda it: int(bool(it.failed)),
    ),
    ("quarantined", "gauge", "Events a follower could not fold.", lambda it: it.quarantined),
    ("parked", "gauge", "Streams that wait behind such an event.", lambda it: it.parked),
)


def _state(engine: Engine) -> Ready:
    head = engine.log.head().position
    with reading(engine.read_engine) as connection:
        aside = counted(connection)
    followers = {}
    for name, follower in engine.followers.items():
        position = follower.position
        parked, quarantined = aside.get(follower.projection.follower, Counted())
        followers[name] = FollowerShown(
            position=position,
            lag=max(0, head - position),
            failed=engine.failed.get(name),
            quarantined=quarantined,
            parked=parked,
        )
    status = "failed" if engine.failed else "ready"
    return Ready(status=status, position=head, followers=followers)


def _state_or_none(engine: Engine) -> Ready | None:
    try:
        return _state(engine)
    except Exception:  # noqa: BLE001 - asked to find out: whatever fails, the answer is "not ready"
        return None


@router.get("/livez")
@marked("health.live", audited=False, answer=Alive, public=True)
def live(request: Request) -> Response:
    """Say that the process runs; while the log answers, also how far it goes."""
    state = _state_or_none(request.app.state.engine)
    headers = {} if state is None else {"position": str(state.position)}
    return Response(
        msgspec.json.encode(Alive("alive")), media_type="application/json", headers=headers
    )


@router.get("/readyz")
@marked("health.ready", audited=False, answer=Ready, public=True)
def ready(request: Request) -> Response:
    """Say whether the process can answer: 503 while log or read models do not."""
    state = _state_or_none(request.app.state.engine)
    if state is None:
        state = Ready(status="no-database", position=0, followers={})
    return Response(
        msgspec.json.encode(state),
        status_code=_OK if state.status == "ready" else _UNAVAILABLE,
        media_type="application/json",
        headers={"position": str(state.position)},
    )


@router.get("/metrics")
@marked("health.metrics", audited=False, answer=str, public=True)
def metrics(request: Request) -> Response:
    """Give the figures in the text form of Prometheus."""
    state = _state(request.app.state.engine)
    lines = [
        "# HELP mediation_log_position Position of the last event.",
        "# TYPE mediation_log_position counter",
        f"mediation_log_position {state.position}",
    ]
    for name, kind, help_, value in _FOLLOWER_METRICS:
        lines += [
            f"# HELP mediation_follower_{name} {help_}",
            f"# TYPE mediation_follower_{name} {kind}",
            *(
                f'mediation_follower_{name}{{follower="{it}"}} {value(shown)}'
                for it, shown in state.followers.items()
            ),
        ]
    return Response("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")
