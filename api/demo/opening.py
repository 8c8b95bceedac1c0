"""The demo district is opened over HTTP: points, what they may do, accounts, roles, mediators."""

from __future__ import annotations

from collections.abc import Callable

from api.demo.district import (
    OPENED_ON,
    POINTS,
    ROLE_NAMES,
    STAFF,
    SUBCENTRE,
    TOP,
    capacity_of,
    role_of,
    who,
)
from api.demo.office import Office

COORDINATOR = who("coordinator", TOP)
Issue = Callable[[str], str]
"""Gives a bearer token for an account id; the one thing that no HTTP request hands out."""


def open_points(office: Office) -> None:
    """Open every point below the top, and say what each body may do.

    The two without a body above them are there already.
    """
    for point in (*POINTS, SUBCENTRE):
        if point.parent_id is not None:
            office.network(COORDINATOR, "open-service-point", **point.opening())
        office.network(
            COORDINATOR,
            "set-capacity",
            body_id=point.body_id,
            from_on=OPENED_ON,
            **capacity_of(point),
        )


def staff(office: Office, issue: Issue) -> None:
    """Open the accounts, each with one role at one body, and appoint the mediators."""
    names = {point.body_id: point.name_zh for point in (*POINTS, SUBCENTRE)}
    for body_id, jobs in STAFF.items():
        for job in jobs:
            role = role_of(job)
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
            office.accounts[who(job, body_id)] = account_id
            office.tokens[who(job, body_id)] = issue(account_id)
