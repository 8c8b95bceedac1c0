"""A whole district for figures: every level, both branches, two roots; nothing happens here."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID, uuid5

from mediation.network.state import NetworkState
from tests.projections.district import SPACE, a_body, an_appointment

LADDER = ("enterprise", "village-industry", "township", "district")


class Place(NamedTuple):
    """A body, its path, and the level and branch that it has."""

    body_id: str
    path: str
    level: str
    branch: str | None


def _place(path: str, level: str, branch: str | None = None) -> Place:
    return Place(path.strip("/").rpartition("/")[2], path, level, branch)


PLACES = {
    it.body_id: it
    for it in (
        _place("/federation/", "district"),
        _place("/subcentre/", "district"),
        *(_place(f"/federation/{street}/", "township") for street in ("east", "west", "north")),
        *(
            _place(f"/federation/{street}/{street}-{village}/", "village-industry", "village")
            for street in ("east", "west", "north")
            for village in ("hill", "lake")
        ),
        _place("/federation/west/moulds/", "village-industry", "industry"),
        _place("/federation/catering/", "village-industry", "industry"),
        *(
            _place(f"/federation/{above}/{factory}/", "enterprise")
            for above, factory in (
                ("east/east-hill", "gears"),
                ("east/east-lake", "valves"),
                ("west/west-hill", "lamps"),
                ("west/moulds", "dies"),
                ("north", "parcels"),
                ("catering", "noodles"),
            )
        ),
    )
}
"""Every body by its id. Some enterprises stand below a village, some below an industry, one below
its street alone; one industry stands below its street, one below the federation."""

WITHOUT_SEAL = frozenset({"catering", *(it for it, at in PLACES.items() if at.level == LADDER[0])})


def person(kind: str, body_id: str) -> UUID:
    """Give the account of somebody at a body: its clerk, lead or mediator."""
    return uuid5(SPACE, f"{kind}:{body_id}")


def on_level(level: str, *, but: str | None = None) -> list[str]:
    """Name the bodies of a level."""
    return [it.body_id for it in PLACES.values() if it.level == level and it.body_id != but]


def county() -> NetworkState:
    """Make the network: all bodies open for long, a mediator at each."""
    return NetworkState(
        bodies={
            it.body_id: a_body(
                it.path, it.level, it.branch, has_seal=it.body_id not in WITHOUT_SEAL
            )
            for it in PLACES.values()
        },
        appointments=tuple(
            an_appointment(person("mediator", body_id), body_id) for body_id in PLACES
        ),
    )
