"""The manual clock over HTTP; served only where bootstrap wired one, in a demo or test store."""

from __future__ import annotations

from datetime import datetime

import anyio
import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.clock import ManualClock
from api.routes.asking import asking, told
from api.security import marked
from mediation.errors import FieldFault, Malformed, NotPermitted
from mediation.network.accounts import Role

router = APIRouter()


class Now(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the clock shows, or is to show: a time with its zone."""

    now: datetime


_now = msgspec.json.Decoder(Now)


@router.put("/demo/clock", include_in_schema=False)
@marked("demo.clock", audited=False, answer=Now)
async def set_clock(request: Request) -> Response:
    """Set the clock forward."""
    asked = await anyio.to_thread.run_sync(asking, request)
    grants = await anyio.to_thread.run_sync(asked.engine.mediation.grants_of, asked.actor_id)
    if not any(it.role is Role.COORDINATOR and it.path == f"/{it.body_id}/" for it in grants):
        raise NotPermitted(
            zh="演示时钟由区级统筹员拨动，请转交其办理。",
            en="The demo's clock is set by the district's coordinator; ask that person.",
        )
    body = await request.body()
    try:
        wanted = _now.decode(body).now
    except msgspec.MsgspecError:
        raise Malformed(
            zh='请提交形如 {"now": "2026-03-02T09:00:00+08:00"} 的内容。',
            en='Send {"now": "2026-03-02T09:00:00+08:00"}.',
            faults=(FieldFault("/now", "wrong-type"),),
        ) from None
    clock = asked.engine.clock
    if not isinstance(clock, ManualClock):
        msg = "this route is served with a manual clock only"
        raise TypeError(msg)
    return told(Now(clock.set(wanted)), position=asked.head)
