"""Who may do what, and who may see what: the table of roles and commands, and the one scope.

Pure, and built from an actor's live grants alone. Whether a thing is allowed *now*, in this phase,
is the life-cycle's business; who somebody is belongs to the API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

import msgspec

from mediation import codes
from mediation.errors import NotFound, NotPermitted
from mediation.ladder import MoveKind, Risk
from mediation.network.accounts import Grant, Role
from mediation.network.state import NetworkState


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
        """The accounts of the mediators of the case."""
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


class Requested(Protocol):
    """A pending move, as far as authority asks."""

    @property
    def requested_by_id(self) -> UUID:
        """The account that asked for it."""
        ...


class CaseView(Scoped, Protocol):
    """What the table of commands asks of a case beside its scope; `CaseState` shows all of it."""

    @property
    def risk(self) -> str:
        """The derived risk: RED, YELLOW or GREEN."""
        ...

    @property
    def move(self) -> Requested | None:
        """The pending move."""
        ...


class _Nowhere(msgspec.Struct, frozen=True):
    """The case of a command that has none: nobody has custody of it, nobody is assigned."""

    custody_body_id: str = ""
    custody_path: str = ""
    assigned_ids: tuple[UUID, ...] = ()
    receiver_body_id: str | None = None
    receiver_path: str | None = None
    former_paths: tuple[str, ...] = ()
    filed_by_id: UUID | None = None
    risk: str = ""
    move: Requested | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One question to the table: may this grant of this actor do this to that?

    `command` is None when it is only asked what could be done at all.
    """

    grant: Grant
    actor_id: UUID
    command: Any
    view: CaseView
    network: NetworkState


class Condition(msgspec.Struct, frozen=True):
    """When a role may: in words for people, and as the question itself."""

    zh: str
    en: str
    holds: Callable[[Asked], bool]


def _is_own_body(asked: Asked) -> bool:
    return asked.view.custody_body_id == asked.grant.body_id


def _is_in_scope(asked: Asked) -> bool:
    return asked.view.custody_path.startswith(asked.grant.path)


def _is_assigned(asked: Asked) -> bool:
    return asked.actor_id in asked.view.assigned_ids


def _is_for_himself(asked: Asked) -> bool:
    named = getattr(asked.command, "mediator_id", None)
    return _is_assigned(asked) and named in (None, asked.actor_id)


def _is_own_case(asked: Asked) -> bool:
    return _is_assigned(asked) or (not asked.view.assigned_ids and _is_own_body(asked))


def _is_own_climb(asked: Asked) -> bool:
    kind = None if asked.command is None else asked.command.kind
    is_open = kind in (None, MoveKind.ESCALATE) or (
        kind == MoveKind.REPORT_UP and asked.view.risk == Risk.RED
    )
    return is_open and _is_own_case(asked)


def _is_receiver(asked: Asked) -> bool:
    return asked.view.receiver_body_id == asked.grant.body_id


def _is_over_receiver(asked: Asked) -> bool:
    return (asked.view.receiver_path or "").startswith(asked.grant.path)


def _is_requester(asked: Asked) -> bool:
    move = asked.view.move
    return move is not None and move.requested_by_id == asked.actor_id


def _registers_here(asked: Asked) -> bool:
    # Registered without naming a body, a case is registered at the body the grant is for.
    named = None if asked.command is None else asked.command.body_id
    return named in (None, asked.grant.body_id)


def _registers_below(asked: Asked) -> bool:
    named = None if asked.command is None else asked.command.body_id
    return named is None or asked.network.body(named).path.startswith(asked.grant.path)


def _body_is_below(asked: Asked) -> bool:
    return asked.command is None or asked.network.body(asked.command.body_id).path.startswith(
        asked.grant.path
    )


def _parent_is_below(asked: Asked) -> bool:
    if asked.command is None:
        return True
    if asked.command.parent_id is None:
        # A body without parent stands beside the top, so only somebody at the top may open it.
        return asked.grant.path == f"/{asked.grant.body_id}/"
    return asked.network.body(asked.command.parent_id).path.startswith(asked.grant.path)


def _is_anything(_asked: Asked) -> bool:
    return True


OWN_BODY = Condition("本单位承办的案件", "cases of his own body", _is_own_body)
IN_SCOPE = Condition("本单位及所辖单位的案件", "cases of his body and those below", _is_in_scope)
ASSIGNED = Condition("分派给本人的案件", "cases he is assigned to", _is_assigned)
FOR_HIMSELF = Condition(
    "本人被分派的案件，限本人", "for himself, in cases he is assigned to", _is_for_himself
)
OWN_CASE = Condition(
    "分派给本人的案件，未分派时为本单位承办的案件",
    "cases he is assigned to; of his body while nobody is",
    _is_own_case,
)
OWN_CLIMB = Condition(
    "本人案件的提请上级；红色风险的可直报上级",
    "escalation of his own case, and a report up when the risk is red",
    _is_own_climb,
)
RECEIVER = Condition("移交给本单位的案件", "cases on their way to his body", _is_receiver)
OVER_RECEIVER = Condition(
    "移交给本单位或所辖单位的案件",
    "cases on their way to his body or one below",
    _is_over_receiver,
)
REQUESTER = Condition("本人提出的移交", "moves he asked for himself", _is_requester)
HERE = Condition("在本单位登记", "at his own body", _registers_here)
HERE_OR_BELOW = Condition("在本单位或所辖单位登记", "at his body or one below", _registers_below)
BODY_BELOW = Condition("本单位及所辖单位", "his body and those below", _body_is_below)
PARENT_BELOW = Condition(
    "在本单位或所辖单位之下", "below his body or one of its own", _parent_is_below
)
ALWAYS = Condition("不限", "without condition", _is_anything)

_Row = Mapping[Role, Condition]

_WRITTEN: _Row = {
    Role.MEDIATOR: OWN_CASE,
    Role.CLERK: OWN_BODY,
    Role.LEAD: OWN_BODY,
}
_DECIDED: _Row = {Role.LEAD: OWN_BODY, Role.COORDINATOR: IN_SCOPE}
_CONFIRMED: _Row = dict.fromkeys((Role.MEDIATOR, Role.LEAD, Role.COORDINATOR), FOR_HIMSELF)
# A mediator who does not answer, or is away, must not hold up the case.
_DECLINED: _Row = {Role.MEDIATOR: FOR_HIMSELF, **_DECIDED}
_MEDIATED: _Row = {
    Role.MEDIATOR: OWN_CASE,
    Role.LEAD: OWN_CASE,
    Role.COORDINATOR: ASSIGNED,
}
_RECEIVED: _Row = {Role.LEAD: RECEIVER, Role.COORDINATOR: OVER_RECEIVER}
_KEPT: _Row = {Role.COORDINATOR: BODY_BELOW, Role.SYSTEM: ALWAYS}

TABLE: Mapping[str, _Row] = {
    "register-case": {
        Role.MEDIATOR: HERE,
        Role.CLERK: HERE,
        Role.LIAISON: HERE,
        Role.LEAD: HERE,
        Role.COORDINATOR: HERE_OR_BELOW,
    },
    "ask-consent": _WRITTEN,
    "record-consent": _WRITTEN,
    "serve-rights-notice": _WRITTEN,
    "serve-remedies-notice": _WRITTEN,
    "record-transfer-sheet": _WRITTEN,
    "accept-case": _DECIDED,
    "refuse-case": _DECIDED,
    "raise-flag": _DECIDED,
    "clear-flag": _DECIDED,
    "assign-mediators": _DECIDED,
    "close-case": _DECIDED,
    "confirm-assignment": _CONFIRMED,
    "decline-assignment": _DECLINED,
    "record-session": {
        Role.MEDIATOR: OWN_CASE,
        Role.CLERK: OWN_BODY,
        Role.LEAD: ASSIGNED,
        Role.COORDINATOR: ASSIGNED,
    },
    "give-undertaking": _MEDIATED,
    "record-settlement": _MEDIATED,
    "conclude-mediation": _MEDIATED,
    "fail-mediation": _MEDIATED,
    "record-performance": {
        Role.MEDIATOR: OWN_CASE,
        Role.CLERK: OWN_BODY,
        Role.LEAD: OWN_BODY,
        Role.COORDINATOR: IN_SCOPE,
    },
    "request-custody-move": {
        Role.MEDIATOR: OWN_CLIMB,
        Role.LEAD: OWN_BODY,
        Role.COORDINATOR: IN_SCOPE,
    },
    "accept-custody": _RECEIVED,
    "decline-custody": _RECEIVED,
    "withdraw-custody-move": {
        Role.MEDIATOR: REQUESTER,
        Role.LEAD: OWN_BODY,
        Role.COORDINATOR: IN_SCOPE,
    },
    "open-service-point": {Role.COORDINATOR: PARENT_BELOW, Role.SYSTEM: ALWAYS},
    "close-service-point": _KEPT,
    "set-capacity": _KEPT,
    "appoint-mediator": _KEPT,
    "end-appointment": _KEPT,
    "open-account": {Role.COORDINATOR: ALWAYS, Role.SYSTEM: ALWAYS},
    "grant-role": _KEPT,
    "revoke-role": _KEPT,
}
"""One row per command: the roles that may, each under its condition."""

# The grant used is the first that suffices, so the record shows the least power that was needed.
_ORDER = (
    Role.MEDIATOR,
    Role.CLERK,
    Role.LIAISON,
    Role.LEAD,
    Role.COORDINATOR,
    Role.SYSTEM,
)

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
_ASSIGNABLE = frozenset({Role.MEDIATOR, Role.LEAD, Role.COORDINATOR})

SYSTEM_GRANT = Grant(role=Role.SYSTEM, body_id="", path="/", from_on=date.min)
"""The grant of the process itself, for first set-up and timers; nobody is ever given it."""


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
    """Whether somebody may read personal data of a case in clear."""

    YES = "yes"
    WITH_REASON = "with-reason"
    NO = "no"


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
        self._seeing = _paths(live, _SEEING)
        self._receiving = _paths(live, _RECEIVING)
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


def allow(  # noqa: PLR0913 -- who, what, to which, when: each is a part of the question
    command_name: str,
    command: Any,
    grants: Iterable[Grant],
    view: CaseView | None,
    *,
    actor_id: UUID,
    on: date,
    network: NetworkState,
) -> Grant:
    """Give the grant under which the actor may do this: the least powerful that suffices.

    Args:
        command_name: kebab-case name, a row of `TABLE`.
        command: the command itself; None to ask whether any command of this name could be done.
        grants: all grants of the actor.
        view: the case; None for a command that has none (network, accounts, a new case).
        actor_id: the account of the actor.
        on: the Shanghai date of the request (never of the occurrence).
        network: for the place of the body a command names.

    Raises:
        NotFound: the case is out of the actor's scope, or the body named is unknown.
        NotPermitted: the actor sees it, but no grant of his suffices.
    """
    live = [grant for grant in grants if grant.holds(on)]
    if view is not None and Scope(live, actor_id=actor_id, on=on).sees(view) is Visibility.NONE:
        raise NotFound
    row = TABLE[command_name]
    place: CaseView = _Nowhere() if view is None else view
    candidates = sorted(
        (grant for grant in live if grant.role in row),
        # Of several grants of a role that of the body in custody comes first, then the nearest.
        key=lambda grant: (
            _ORDER.index(grant.role),
            grant.body_id != place.custody_body_id,
            -len(grant.path),
            grant.path,
        ),
    )
    for grant in candidates:
        asked = Asked(grant=grant, actor_id=actor_id, command=command, view=place, network=network)
        if row[grant.role].holds(asked):
            return grant
    raise NotPermitted(
        zh="此事项由以下人员办理："
        + "；".join(f"{codes.label('roles', r).zh}（{row[r].zh}）" for r in may(command_name))
        + "。请转交上述人员办理。",
        en="Ask one of those who may: "
        + "; ".join(f"{codes.label('roles', r).en} ({row[r].en})" for r in may(command_name))
        + ".",
    )


def may(command_name: str) -> tuple[Role, ...]:
    """Give the roles that may do this under their conditions in `TABLE`, least powerful first."""
    row = TABLE[command_name]
    return tuple(role for role in _ORDER if role in row)


def may_read_clear(
    grants: Iterable[Grant], view: Scoped, *, actor_id: UUID, on: date
) -> ClearReading:
    """Say whether the actor may read the personal data of a case in clear (L-PIPL 6).

    The assigned, and the lead and the clerk of the body in custody, may; a coordinator above it
    may with a reason, which is recorded; nobody else.
    """
    live = [grant for grant in grants if grant.holds(on)]
    if actor_id in view.assigned_ids and any(grant.role in _ASSIGNABLE for grant in live):
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
    return ClearReading.NO


def check_table(command_names: Iterable[str]) -> None:
    """Verify at start-up that commands and rows are the same, and every role has its place.

    Raises:
        TypeError: a command without a row, a row without a command, a row without a role, or a
            role that the order of grants does not know.
    """
    commands = set(command_names)
    for name in sorted(commands ^ TABLE.keys()):
        missing = "a row in the table of authority" if name in commands else "a command"
        msg = f"{name} has no such thing as {missing}"
        raise TypeError(msg)
    for name, row in TABLE.items():
        if not row or not set(row) <= set(_ORDER):
            msg = f"the row of {name} names nobody, or a role without a place in the order"
            raise TypeError(msg)
