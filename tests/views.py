"""A small district, grants in it, and cases as far as authority and scope ask about them."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid5

import msgspec

from mediation.authority import SYSTEM_GRANT, Scope, allow
from mediation.network import Grant, NetworkState, Role

TODAY = date(2026, 3, 2)
LONG_AGO = date(2020, 1, 1)
SEED = UUID("00000000-0000-4000-8000-000000000002")
ME, OTHER, THIRD = (uuid5(SEED, name) for name in ("me", "other", "third"))

DISTRICT, STREET, VILLAGE, FIRM = (
    "/hy/",
    "/hy/dongcheng/",
    "/hy/dongcheng/hengjie/",
    "/hy/dongcheng/hengjie/factory/",
)
NEXT_STREET, NEXT_VILLAGE = "/hy/xicheng/", "/hy/xicheng/luqiao/"
PATHS = (DISTRICT, STREET, VILLAGE, FIRM, NEXT_STREET, NEXT_VILLAGE)


def id_of(path):
    """Give the id of the body at a path."""
    return path.rstrip("/").rpartition("/")[2]


def a_body(path):
    """Make a body that one person keeps, if it is the firm's, and several do elsewhere."""
    capacity = SimpleNamespace(single_handed=path == FIRM)
    known = None if path == NEXT_VILLAGE else capacity
    return SimpleNamespace(path=path, capacity_on=lambda _on: known)


BODIES: Any = {id_of(path): a_body(path) for path in PATHS}
NETWORK = NetworkState(bodies=BODIES)


def grant(role, path, **changes):
    """Make a grant of a role at a body."""
    fields = {"role": role, "body_id": id_of(path), "path": path, "from_on": LONG_AGO}
    return SYSTEM_GRANT if role == Role.SYSTEM else Grant(**(fields | changes))


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A case in custody of the village, as far as authority asks."""

    custody_body_id: str = "hengjie"
    custody_path: str = VILLAGE
    mediator_ids: tuple[UUID, ...] = ()
    counsel_ids: frozenset[UUID] = frozenset()
    receiver_body_id: str | None = None
    receiver_path: str | None = None
    former_paths: tuple[str, ...] = ()
    filed_by_id: UUID | None = OTHER
    risk: str = "GREEN"
    move: SimpleNamespace | None = None
    sealing_body_id: str | None = None

    @property
    def assigned_ids(self):
        """The mediators, and counsel of a party."""
        return (*self.mediator_ids, *self.counsel_ids)


MINE = View(mediator_ids=(ME,))
HERS = View(mediator_ids=(OTHER,))
NOBODYS = View()
RED = View(mediator_ids=(ME,), risk="RED")


def moving(to=STREET, by=OTHER, **changes):
    """Show the village's case with a pending move to another body."""
    return View(
        receiver_body_id=id_of(to),
        receiver_path=to,
        move=SimpleNamespace(requested_by_id=by),
        **changes,
    )


def use(name, grants, view=None, command=None):
    """Put a question to the table as the door does, and give the grant that is used."""
    return allow(name, command, grants, view, actor_id=ME, on=TODAY, network=NETWORK)


def scope_of(*grants):
    """Give the scope of somebody with these grants."""
    return Scope(grants, actor_id=ME, on=TODAY)
