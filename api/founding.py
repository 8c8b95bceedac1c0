"""The first body and coordinator of a new district; everything after goes over the API."""

from __future__ import annotations

from uuid import UUID

import msgspec

from api.bootstrap import Engine
from mediation.application import SYSTEM, Request
from mediation.errors import Refusal, Refused
from mediation.kernel import Command
from mediation.network import GrantRole, OpenAccount, OpenServicePoint, Role
from mediation.privacy import Personal


class Founded(msgspec.Struct, frozen=True, kw_only=True):
    """The first body, the coordinator's account, and his token, which is told this once."""

    body_id: str
    account_id: UUID
    token: str
    token_id: str


def found_district(
    engine: Engine, opening: OpenServicePoint, *, coordinator: str, label: str = "bootstrap"
) -> Founded:
    """Open the body at the top of the district and an account that coordinates it.

    Args:
        engine: of a store without any body.
        opening: the command that opens the body.
        coordinator: the name of the person, which is sealed.
        label: of the token.

    Raises:
        Refused: the district has a body already, or the ladder does not have this one's place.
    """
    if engine.mediation.network().bodies:
        raise Refused(
            Refusal(
                "already-founded",
                "本区已有调解组织，请由区级统筹员通过接口办理；令牌遗失的，用 token issue 补发。",
                "The district has bodies already: its coordinator goes on over the API. If the "
                "token was lost, issue another with `token issue`.",
            )
        )
    _do(engine, "body", opening)
    account_id = _do(engine, "account", OpenAccount(display_name=Personal(coordinator)))
    grant = GrantRole(
        account_id=account_id,
        role=Role.COORDINATOR,
        body_id=opening.body_id,
        from_on=opening.opened_on,
    )
    _do(engine, "grant", grant)
    issued = engine.tokens.issue(account_id, label=label)
    return Founded(
        body_id=opening.body_id,
        account_id=account_id,
        token=issued.token,
        token_id=issued.token_id,
    )


def _do(engine: Engine, step: str, command: Command) -> UUID:
    request = Request(actor_id=SYSTEM, key=f"founding-{step}", command=command)
    return engine.mediation.execute(request).stream.id
