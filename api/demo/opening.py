"""The demo district is opened over HTTP: points, what they may do, accounts, roles, mediators."""

from __future__ import annotations

from collections.abc import Callable

from api.demo.district import CAPACITIES, OPENED_ON, POINTS, ROLE_NAMES, STAFF, TOP, who
from api.demo.office import Office

COORDINATOR = who("coordinator", TOP)
Issue = Callable[[str], str]
"""Gives a bearer token for an account id; the one thing that no HTTP request hands out."""


def open_points(office: Office) -> None:
    """Open every point but the top, which is there already, and say what each may do."""
    for point in POINTS:
        if point.body_id != TOP:
            office.network(COORDINATOR, "open-service-point", **point.opening())
        office.network(
            COORDINATOR,
            "set-capacity",
            body_id=point.body_id,
            from_on=OPENED_ON,
            **CAPACITIES[point.kind],
        )


def staff(office: Office, issue: Issue) -> None:
    """Open the accounts, each with one role at one body, and appoint the mediators."""
    names = {point.body_id: point.name_zh for point in POINTS}
    for body_id, roles in STAFF.items():
        for role in roles:
            opened = office.network(
                COORDINATOR,
                "open-account",
                display_name=f"{ROLE_NAMES[role]}（{names[body_id]}）",
            )
            account_id = opened["stream_id"]
            office.network(
                COORDINATOR, "grant-role", account_id=account_id, role=role, body_id=body_id
            )
            if role == "mediator":
                office.network(
                    COORDINATOR, "appoint-mediator", mediator_id=account_id, body_id=body_id
                )
            office.accounts[who(role, body_id)] = account_id
            office.tokens[who(role, body_id)] = issue(account_id)
