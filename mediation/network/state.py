"""What the network of a district is after its events: bodies, capacities, appointments; no guard.

Every period is half-open: `until_on` and `closed_on` name the first day that no longer counts, so
what is ended today has no force today.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID, uuid5

import msgspec

from mediation.errors import NotFound
from mediation.kernel import StreamRef, starts_as

_NETWORKS = UUID("5b0a4f0e-6a57-5c0b-9a55-1d1e6f0f7c21")


class ConfirmationRoute(StrEnum):
    """What the parties may be told about confirming an agreement made at a body.

    `ask` is for bodies whose standing the law leaves open: possible, ask the court or the
    arbitration commission; never a promise.
    """

    REVIEW_OR_COURT = "review-or-court"
    COURT = "court"
    ASK = "ask"
    NONE = "none"


class Capacity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a body may do from a day on, and by which law.

    Attributes:
        legal_basis: the articles the body rests on, such as "L-LDMA 10(1); L-PROV 13".
        seal: it has a seal of its own.
        may_seal: that seal makes a mediation agreement 调解协议书.
        oral_ok: an oral agreement may be registered here.
        single_handed: one person may be lead and mediator at once.
        from_on: the first day this holds.
    """

    legal_basis: str
    seal: bool
    may_seal: bool
    oral_ok: bool
    confirmation_route: ConfirmationRoute
    single_handed: bool
    from_on: date


class Appointment(msgspec.Struct, frozen=True, kw_only=True):
    """One mediator at one body, from a day until the first day he no longer is."""

    mediator_id: UUID
    body_id: str
    from_on: date
    until_on: date | None
    qualifications: tuple[str, ...]

    def holds(self, on: date) -> bool:
        """Say whether the appointment is in force on this day."""
        return self.from_on <= on and (self.until_on is None or on < self.until_on)


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """One mediation body 调解组织, to the public a service point 服务点.

    `path` is its own id after those of all bodies above it: `/district/street/village/`.
    """

    body_id: str
    name_zh: str
    name_en: str
    level: str
    branch: str | None
    kind: str
    parent_id: str | None
    path: str
    number_prefix: str
    opened_on: date
    closed_on: date | None = None
    capacities: tuple[Capacity, ...] = ()

    def is_open(self, on: date) -> bool:
        """Say whether the body works on this day."""
        return self.opened_on <= on and (self.closed_on is None or on < self.closed_on)

    def capacity_on(self, on: date) -> Capacity | None:
        """Give what the body may do on this day; None if that was never settled.

        Of two capacities that begin on the same day the one recorded later holds.
        """
        begun = [capacity for capacity in self.capacities if capacity.from_on <= on]
        latest = max((capacity.from_on for capacity in begun), default=None)
        return next((c for c in reversed(begun) if c.from_on == latest), None)


class NetworkState(msgspec.Struct, frozen=True, kw_only=True):
    """All bodies of a district by id, closed ones included, and every appointment there was."""

    bodies: Mapping[str, Body] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    appointments: tuple[Appointment, ...] = ()

    def body(self, body_id: str) -> Body:
        """Give one body.

        Raises:
            NotFound: the district has no such body.
        """
        body = self.bodies.get(body_id)
        if body is None:
            raise NotFound(
                zh="未找到该调解组织，请从本区调解组织名录中选择。",
                en="There is no such body; choose one from the district's list of bodies.",
                code="body-unknown",
            )
        return body

    def children_of(self, body_id: str) -> tuple[Body, ...]:
        """Give the bodies directly below one."""
        return tuple(body for body in self.bodies.values() if body.parent_id == body_id)

    def is_active_mediator(self, mediator_id: UUID, body_id: str, on: date) -> bool:
        """Say whether the person may mediate for this body, open on that day."""
        return mediator_id in self.mediators_of(body_id, on)

    def mediators_of(self, body_id: str, on: date) -> tuple[UUID, ...]:
        """Give the mediators of a body on a day, in the order of appointment; none if closed."""
        body = self.bodies.get(body_id)
        if body is None or not body.is_open(on):
            return ()
        return tuple(
            appointment.mediator_id
            for appointment in self.appointments
            if appointment.body_id == body_id and appointment.holds(on)
        )

    def with_body(self, body: Body) -> NetworkState:
        """Copy with this body in place of the one of the same id."""
        bodies = MappingProxyType({**self.bodies, body.body_id: body})
        return msgspec.structs.replace(self, bodies=bodies)


def network_stream(district: str) -> StreamRef:
    """Name the one network stream of a district."""
    return StreamRef("network", uuid5(_NETWORKS, district))


starts_as("network", NetworkState())
