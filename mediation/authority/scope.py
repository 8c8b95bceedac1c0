"""Who sees which case, and how much of it: one predicate, for commands, reads, lists and files.

Pure, and built from an actor's live grants alone; over columns that the state of a case and every
row of a read model both expose.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from math import inf
from typing import Protocol
from uuid import UUID

import msgspec

from mediation.network.accounts import Grant, Role


class Scoped(Protocol):
    """What scope is decided on: both the state of a case and a row of a read model can show it."""

    @property
    def custody_body_id(self) -> str:
        """The body that has the case."""
        ...

    @property
    def custody_path(self) -> str:
        """Its path, ending in a slash."""
        ...

    @property
    def assigned_ids(self) -> tuple[UUID, ...]:
        """The accounts of the mediators of the case, and of counsel of a party in it."""
        ...

    @property
    def receiver_body_id(self) -> str | None:
        """The body a pending move waits for."""
        ...

    @property
    def receiver_path(self) -> str | None:
        """Its path."""
        ...

    @property
    def former_paths(self) -> tuple[str, ...]:
        """The paths of the bodies that had the case before."""
        ...

    @property
    def filed_by_id(self) -> UUID | None:
        """The account that registered the case."""
        ...


_SEEING = frozenset(
    {
        Role.CLERK,
        Role.MEDIATOR,
        Role.LEAD,
        Role.COORDINATOR,
        Role.SUPERVISOR,
        Role.AUDITOR,
        Role.SYSTEM,
    }
)
_RECEIVING = frozenset({Role.CLERK, Role.MEDIATOR, Role.LEAD, Role.COORDINATOR})
_COUNTING = (_SEEING | {Role.DASHBOARD}) - {Role.SYSTEM}
_ASSIGNABLE = frozenset({Role.MEDIATOR, Role.LEAD, Role.COORDINATOR, Role.COUNSEL})


class Visibility(StrEnum):
    """How much of a case somebody sees.

    `receiver` is the masked summary and the letter of a pending move; `former` what was recorded
    up to the hand-over, and since then level, phase and result alone.
    """

    FULL = "full"
    RECEIVER = "receiver"
    FORMER = "former"
    NONE = "none"


class ClearReading(StrEnum):
    """Whether somebody may read personal data of a case in clear; counsel reads that of clients."""

    YES = "yes"
    WITH_REASON = "with-reason"
    CLIENTS = "clients"
    NO = "no"


CLEAR_REASONS = (
    "complaint",
    "supervision",
    "audit",
    "court-request",
    "authority-request",
    "own-request",
    "correction",
    "statistics-check",
    "safety",
)
"""Why personal data may be read in clear; labels stand in the code table `clear_reasons`."""


class Represented(Scoped, Protocol):
    """What clear reading is decided on: beside scope, who is counsel of a party."""

    @property
    def counsel_ids(self) -> frozenset[UUID]:
        """The accounts of counsel; they are among the assigned, too."""
        ...


class ScopeRow(Protocol):
    """The five columns of a row that scope is decided on; `columns_of` fills them."""

    @property
    def custody_path(self) -> str:
        """Text: the path of the body in custody."""
        ...

    @property
    def assigned(self) -> str:
        """Text: the ids of the assigned, each between bars: `|id|id|`; empty if there are none."""
        ...

    @property
    def receiver_path(self) -> str | None:
        """Text or null: the path of the body a pending move waits for."""
        ...

    @property
    def former(self) -> str:
        """Text: the paths of former bodies, each between bars: `|path|path|`; empty if none."""
        ...

    @property
    def filed_by_id(self) -> str:
        """Text: the id of the account that registered the case; empty if unknown."""
        ...


class ScopeColumns(msgspec.Struct, frozen=True, kw_only=True):
    """The values of the five scope columns of one case."""

    custody_path: str
    assigned: str
    receiver_path: str | None
    former: str
    filed_by_id: str


def columns_of(view: Scoped) -> ScopeColumns:
    """Give the scope columns under which a read model stores this case."""
    return ScopeColumns(
        custody_path=view.custody_path,
        assigned=_barred(str(account_id) for account_id in view.assigned_ids),
        receiver_path=view.receiver_path,
        former=_barred(view.former_paths),
        filed_by_id="" if view.filed_by_id is None else str(view.filed_by_id),
    )


def _barred(values: Iterable[str]) -> str:
    joined = "|".join(values)
    return f"|{joined}|" if joined else ""


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """The scope of an actor as plain data, from which a read model builds its condition.

    A row is visible if one of these holds (an empty tuple and None never do):

    * `custody_path` begins with one of `custody_prefixes`
    * `receiver_path` begins with one of `receiver_prefixes`
    * `former` contains `|p|` for one `p` of `former_paths`
    * `assigned` contains `|a|` for `a` = `assigned_id`
    * `filed_by_id` equals `filed_by_id`

    Paths hold only `a-z 0-9 - /` and ids only hex and hyphens, so neither wildcards of LIKE nor
    bars occur in them. "Begins with p" is also the range `>= p` and `< p[:-1] + "0"` in byte
    order, because "0" follows "/".
    """

    custody_prefixes: tuple[str, ...]
    receiver_prefixes: tuple[str, ...]
    former_paths: tuple[str, ...]
    assigned_id: str | None
    filed_by_id: str | None

    def matches(self, row: ScopeRow) -> bool:
        """Say whether the row is visible: what every SQL built from this has to equal."""
        receiver_path = row.receiver_path or ""
        return (
            row.custody_path.startswith(self.custody_prefixes)
            or receiver_path.startswith(self.receiver_prefixes)
            or any(f"|{path}|" in row.former for path in self.former_paths)
            or (self.assigned_id is not None and f"|{self.assigned_id}|" in row.assigned)
            or (self.filed_by_id is not None and row.filed_by_id == self.filed_by_id)
        )


class Scope:
    """What one actor sees on one day: one predicate, asked of a case or given as `Where`.

    Args:
        grants: all grants of the actor; those not in force on `on` are left aside.
        actor_id: the account of the actor.
        on: the Shanghai date of the request.
    """

    def __init__(self, grants: Iterable[Grant], *, actor_id: UUID, on: date) -> None:
        live = tuple(grant for grant in grants if grant.holds(on))
        self._actor_id = actor_id
        self._live, self._on = live, on
        self._seeing = _paths(live, _SEEING)
        self._receiving = _paths(live, _RECEIVING)
        self._counting = _paths(live, _COUNTING)
        self._filing = _paths(live, frozenset({Role.LIAISON}))
        self._assignable = any(grant.role in _ASSIGNABLE for grant in live)

    def sees(self, view: Scoped) -> Visibility:
        """Say how much of a case the actor sees.

        Who is assigned sees it whole, as does everybody at or above the body in custody. A liaison
        officer sees what he filed, but like any body nothing after the hand-over: he sees it whole
        only while it is at or below his body.
        """
        filed = bool(self._filing) and view.filed_by_id == self._actor_id
        if (
            view.custody_path.startswith(self._seeing)
            or (self._assignable and self._actor_id in view.assigned_ids)
            or (filed and view.custody_path.startswith(self._filing))
        ):
            return Visibility.FULL
        if view.receiver_path is not None and view.receiver_path.startswith(self._receiving):
            return Visibility.RECEIVER
        if filed or any(path in view.former_paths for path in self._seeing):
            return Visibility.FORMER
        return Visibility.NONE

    def reads_until(self, view: Scoped, handed_over: Iterable[tuple[str, int]]) -> float:
        """Say until which version the actor reads the events of a case: infinity, if he sees it.

        Somebody at a body that handed it over reads up to the hand-over; a receiver that has not
        answered yet reads nothing, and neither does he who is shown the status of a case alone.

        Args:
            view: the case as it stands.
            handed_over: the path of each body that had it before, and the version until which.
        """
        seen = self.sees(view)
        if seen is Visibility.FULL:
            return inf
        if seen is Visibility.FORMER:
            grants = through(self._live, view, actor_id=self._actor_id, on=self._on)
            paths = {grant.path for grant in grants}
            return max((until for path, until in handed_over if path in paths), default=0)
        return 0

    def counted(self) -> tuple[str, ...]:
        """Give the paths below which the actor may read figures."""
        return self._counting

    def is_open(self, path: str) -> bool:
        """Say whether the actor sees the cases of a body that figures count, whole."""
        return path.startswith(self._seeing)

    def where(self) -> Where:
        """Give the same scope as plain data: `matches` is true where `sees` is not `none`."""
        actor_id = str(self._actor_id)
        return Where(
            custody_prefixes=self._seeing,
            receiver_prefixes=self._receiving,
            former_paths=self._seeing,
            assigned_id=actor_id if self._assignable else None,
            filed_by_id=actor_id if self._filing else None,
        )


def _paths(grants: Iterable[Grant], roles: frozenset[Role]) -> tuple[str, ...]:
    return tuple(sorted({grant.path for grant in grants if grant.role in roles}))


def through(
    grants: Iterable[Grant], view: Scoped, *, actor_id: UUID, on: date
) -> tuple[Grant, ...]:
    """Give the grants through which the actor sees a case; none where `Scope.sees` says so.

    A grant that does not see it widens nothing (ADR 0030). Where a body of his has the case it is
    seen through that body, also by whoever is assigned.
    """
    live = tuple(grant for grant in grants if grant.holds(on))
    filed = view.filed_by_id == actor_id
    at_work = tuple(
        grant
        for grant in live
        if (grant.role in _SEEING or (grant.role is Role.LIAISON and filed))
        and view.custody_path.startswith(grant.path)
    )
    assigned = tuple(
        grant for grant in live if grant.role in _ASSIGNABLE and actor_id in view.assigned_ids
    )
    coming = tuple(
        grant
        for grant in live
        if grant.role in _RECEIVING and (view.receiver_path or "").startswith(grant.path)
    )
    before = tuple(
        grant
        for grant in live
        if (grant.role in _SEEING and grant.path in view.former_paths)
        or (grant.role is Role.LIAISON and filed)
    )
    return at_work or assigned or coming or before


def may_read_clear(
    grants: Iterable[Grant], view: Represented, *, actor_id: UUID, on: date
) -> ClearReading:
    """Say whether the actor may read the personal data of a case in clear (L-PIPL 6).

    The mediators, and the lead and the clerk of the body in custody, may; a coordinator above it
    may with a reason, which is recorded; counsel reads what is his clients'; nobody else.
    """
    live = [grant for grant in grants if grant.holds(on)]
    is_assigned = actor_id in view.assigned_ids and any(grant.role in _ASSIGNABLE for grant in live)
    is_counsel = actor_id in view.counsel_ids
    if is_assigned and not is_counsel:
        return ClearReading.YES
    if any(
        grant.role in (Role.LEAD, Role.CLERK) and grant.body_id == view.custody_body_id
        for grant in live
    ):
        return ClearReading.YES
    if any(
        grant.role == Role.COORDINATOR and view.custody_path.startswith(grant.path)
        for grant in live
    ):
        return ClearReading.WITH_REASON
    return ClearReading.CLIENTS if is_assigned else ClearReading.NO
