"""The network, the ladders, the codes and one's own account over HTTP."""

from __future__ import annotations

from datetime import date

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api import answers
from api.routes.asking import asking, told
from api.security import marked
from mediation.calendar import day_of
from mediation.codes import DIGEST, REF, Label, label, table, tables
from mediation.errors import NotFound
from mediation.ladder import Ladder
from mediation.network.state import Body, NetworkState

router = APIRouter()


@router.get("/network")
@marked("network.read", audited=False, answer=answers.NetworkShown)
def read_network(request: Request) -> Response:
    """Show the bodies of the district from the top down, closed ones included."""
    asked = asking(request)
    mediation = asked.engine.mediation
    network, today = mediation.network(), day_of(asked.engine.clock())
    tops = [body for body in network.bodies.values() if body.parent_id is None]
    shown = answers.NetworkShown(
        district=mediation.district,
        ladder_ref=mediation.ladder.ref,
        bodies=tuple(_body(it, network, mediation.ladder, today) for it in _in_order(tops)),
    )
    return told(shown, position=asked.head)


def _in_order(bodies: list[Body]) -> list[Body]:
    return sorted(bodies, key=lambda it: it.body_id)


def _body(body: Body, network: NetworkState, ladder: Ladder, today: date) -> answers.BodyShown:
    below = _in_order(list(network.children_of(body.body_id)))
    return answers.BodyShown(
        body_id=body.body_id,
        name=Label(body.name_zh, body.name_en),
        level=body.level,
        level_label=ladder.level(body.level).label if ladder.has_level(body.level) else None,
        branch=body.branch,
        kind=body.kind,
        parent_id=body.parent_id,
        is_open=body.is_open(today),
        opened_on=body.opened_on,
        closed_on=body.closed_on,
        mediators=len(network.mediators_of(body.body_id, today)),
        capacity=_capacity(body, today),
        children=tuple(_body(it, network, ladder, today) for it in below),
    )


def _capacity(body: Body, today: date) -> answers.CapacityShown | None:
    capacity = body.capacity_on(today)
    if capacity is None:
        return None
    return answers.CapacityShown(**msgspec.structs.asdict(capacity))


@router.get("/codes")
@marked("codes.read", audited=False, answer=answers.CodeTables)
def read_codes(request: Request) -> Response:
    """Show every code table with its labels: what a field of a command may hold."""
    asked = asking(request)
    told_apart = {name: dict(table(name)) for name in tables()}
    shown = answers.CodeTables(ref=REF, digest=DIGEST, tables=told_apart)
    return told(shown, position=asked.head)


@router.get("/ladders/{ref}")
@marked("ladders.read", audited=False, answer=Ladder)
def read_ladder(request: Request, ref: str) -> Response:
    """Show one published ladder: levels, limits with their sources, grounds, approvals."""
    asked = asking(request)
    ladder = asked.engine.mediation.ladders.get(ref)
    if ladder is None:
        raise NotFound(
            zh="没有这一版层级规则，请核对案件或网络中所列的 ladder_ref。",
            en="There is no such ladder; check the ladder_ref of the case or the network.",
            code="ladder-unknown",
        )
    return told(ladder, position=asked.head)


@router.get("/me")
@marked("me.read", audited=False, answer=answers.Me)
def read_me(request: Request) -> Response:
    """Show the asking account and the roles it holds today."""
    asked = asking(request)
    grants = asked.engine.mediation.grants_of(asked.actor_id)
    me = answers.Me(
        account_id=asked.actor_id,
        grants=tuple(
            answers.GrantShown(
                role=grant.role.value,
                label=label("roles", grant.role),
                body_id=grant.body_id,
                until_on=grant.until_on,
            )
            for grant in grants
        ),
    )
    return told(me, position=asked.head)
