"""The small district in which the histories of read models take place; nothing happens here."""

from __future__ import annotations

from datetime import date
from uuid import UUID, uuid5

from mediation.network.state import Appointment, Body, Capacity, ConfirmationRoute, NetworkState

SPACE = UUID("7c4b9f3e-0d57-4f0e-8a55-2d1e6f0f7c21")
LONG_AGO = date(2020, 1, 1)

PATHS = {
    "quzong": "/quzong/",
    "xicheng": "/quzong/xicheng/",
    "dongcheng": "/quzong/dongcheng/",
    "hehua": "/quzong/xicheng/hehua/",
    "moju": "/quzong/xicheng/moju/",
    "xinqian": "/quzong/dongcheng/xinqian/",
    "meiduo": "/quzong/xicheng/hehua/meiduo/",
}
LEVELS = {
    "quzong": "district",
    "xicheng": "township",
    "dongcheng": "township",
    "hehua": "village-industry",
    "moju": "village-industry",
    "xinqian": "village-industry",
    "meiduo": "enterprise",
}
WITHOUT_SEAL = ("moju", "meiduo")
MEDIATORS = {body_id: uuid5(SPACE, f"mediator:{body_id}") for body_id in PATHS}
CLERKS = {body_id: uuid5(SPACE, f"clerk:{body_id}") for body_id in PATHS}


def network() -> NetworkState:
    """A district with two streets, an enterprise, three bodies on the second rung; all open."""
    return NetworkState(
        bodies={
            body_id: a_body(
                path,
                LEVELS[body_id],
                "village" if LEVELS[body_id] == "village-industry" else None,
                has_seal=body_id not in WITHOUT_SEAL,
            )
            for body_id, path in PATHS.items()
        },
        appointments=tuple(
            an_appointment(mediator_id, body_id) for body_id, mediator_id in MEDIATORS.items()
        ),
    )


def a_body(path: str, level: str, branch: str | None, *, has_seal: bool) -> Body:
    """Make a body that has been open for long, called after the end of its path."""
    *above, body_id = path.strip("/").split("/")
    return Body(
        body_id=body_id,
        name_zh=body_id,
        name_en=body_id,
        level=level,
        branch=branch,
        kind="body",
        parent_id=above[-1] if above else None,
        path=path,
        number_prefix=body_id,
        opened_on=LONG_AGO,
        capacities=(_capacity(has_seal=has_seal),),
    )


def an_appointment(mediator_id: UUID, body_id: str) -> Appointment:
    """Appoint a mediator for long."""
    return Appointment(
        mediator_id=mediator_id,
        body_id=body_id,
        from_on=LONG_AGO,
        until_on=None,
        qualifications=(),
    )


def _capacity(*, has_seal: bool) -> Capacity:
    return Capacity(
        legal_basis="L-LDMA 10",
        seal=has_seal,
        may_seal=has_seal,
        oral_ok=True,
        confirmation_route=ConfirmationRoute.REVIEW_OR_COURT,
        single_handed=True,
        from_on=LONG_AGO,
    )


def below(path: str) -> list[str]:
    """Name the bodies below one."""
    return [it for it, other in PATHS.items() if other != path and other.startswith(path)]


def beside(body_id: str) -> list[str]:
    """Name the other bodies of the same level."""
    return [it for it in PATHS if it != body_id and LEVELS[it] == LEVELS[body_id]]
