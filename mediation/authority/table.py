"""Who may do what: the table of roles and commands, and the question to it.

Pure, and asked with an actor's live grants alone. Whether a thing is allowed *now*, in this phase,
is the life-cycle's business; who somebody is belongs to the API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, Protocol
from uuid import UUID

import msgspec

from mediation import codes
from mediation.authority.scope import Scope, Scoped, Visibility
from mediation.errors import NotFound, NotPermitted
from mediation.ladder import MoveKind, Risk
from mediation.network.accounts import Grant, Role
from mediation.network.state import NetworkState


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

    @property
    def mediator_ids(self) -> tuple[UUID, ...]:
        """The accounts of the mediators of the case."""
        ...

    @property
    def counsel_ids(self) -> frozenset[UUID]:
        """The accounts of counsel of a party."""
        ...

    @property
    def sealing_body_id(self) -> str | None:
        """The body whose seal the present draft needs."""
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
    mediator_ids: tuple[UUID, ...] = ()
    counsel_ids: frozenset[UUID] = frozenset()
    sealing_body_id: str | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One question to the table: may this grant of this actor do this to that?

    `command` is None when it is only asked what could be done at all.
    """

    grant: Grant
    actor_id: UUID
    command: Any
    view: CaseView
    network: NetworkState
    on: date


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
    return asked.actor_id in asked.view.mediator_ids


def _is_for_himself(asked: Asked) -> bool:
    named = getattr(asked.command, "mediator_id", None)
    return _is_assigned(asked) and named in (None, asked.actor_id)


def _is_own_case(asked: Asked) -> bool:
    return _is_assigned(asked) or (not asked.view.mediator_ids and _is_own_body(asked))


def _is_client(asked: Asked) -> bool:
    return asked.actor_id in asked.view.counsel_ids


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


def _is_sealing(asked: Asked) -> bool:
    sealing = asked.view.sealing_body_id
    return _is_own_body(asked) if sealing is None else sealing == asked.grant.body_id


def _may_do_all(asked: Asked) -> bool:
    # Where one person is the whole office, the mediator decides what elsewhere a lead does.
    body = asked.network.bodies.get(asked.grant.body_id)
    capacity = body.capacity_on(asked.on) if body else None
    return _registers_here(asked) and capacity is not None and capacity.single_handed


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
CLIENT = Condition("本人代理的案件", "cases in which he is counsel", _is_client)
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
SEALING = Condition("应当盖章的单位为本单位", "agreements that his body is to seal", _is_sealing)
HERE_ALONE = Condition(
    "在本单位登记，且本单位登记为单人承办",
    "at his own body, where one person is the whole office",
    _may_do_all,
)
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

_FOLLOWED: _Row = {
    Role.MEDIATOR: OWN_CASE,
    Role.CLERK: OWN_BODY,
    Role.LEAD: OWN_BODY,
    Role.COORDINATOR: IN_SCOPE,
}
_PURSUED: _Row = {**_FOLLOWED, Role.COUNSEL: CLIENT}
_SEALED: _Row = {Role.LEAD: SEALING, Role.COORDINATOR: SEALING}

TABLE: Mapping[str, _Row] = {
    "register-case": {
        Role.MEDIATOR: HERE,
        Role.CLERK: HERE,
        Role.LIAISON: HERE,
        Role.LEAD: HERE,
        Role.COORDINATOR: HERE_OR_BELOW,
    },
    "register-and-accept": {
        Role.MEDIATOR: HERE_ALONE,
        Role.LEAD: HERE,
        Role.COORDINATOR: HERE_OR_BELOW,
    },
    "register-and-settle-small-case": {Role.MEDIATOR: HERE_ALONE, Role.LEAD: HERE},
    "add-party": _FOLLOWED,
    "identify-party": _FOLLOWED,
    "report-urgent": {**_PURSUED, Role.LIAISON: OWN_BODY},
    "acknowledge-urgent-report": {**_FOLLOWED, Role.LEAD: IN_SCOPE, Role.CLERK: IN_SCOPE},
    "ask-consent": _WRITTEN,
    "withdraw-consent": _WRITTEN,
    "withdraw-application": _WRITTEN,
    "record-consent": _WRITTEN,
    "serve-rights-notice": _WRITTEN,
    "serve-remedies-notice": _WRITTEN,
    "record-transfer-sheet": _WRITTEN,
    "accept-case": _DECIDED,
    "refuse-case": _DECIDED,
    "confirm-collective": _DECIDED,
    "grant-aid": _DECIDED,
    "refuse-aid": _DECIDED,
    "appoint-counsel": _DECIDED,
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
    "extend-term": _MEDIATED,
    "lapse-term": {Role.SYSTEM: ALWAYS},
    "draft-agreement": _MEDIATED,
    "sign-agreement": _MEDIATED,
    "check-legality": _DECIDED,
    "seal-agreement": _SEALED,
    "sign-and-seal": _SEALED,
    "record-oral-agreement": _MEDIATED,
    "relay-demand": _MEDIATED,
    "record-demand-answer": _MEDIATED,
    "feed-back-demand": _MEDIATED,
    "record-contract-change": _MEDIATED,
    "cure-irregularity": {Role.MEDIATOR: OWN_CASE, **_DECIDED},
    "give-undertaking": _MEDIATED,
    "record-settlement": _MEDIATED,
    "conclude-mediation": _MEDIATED,
    "fail-mediation": _MEDIATED,
    "record-performance": _PURSUED,
    "perform-and-close": _DECIDED,
    "take-remedy-route": _PURSUED,
    "open-proceeding": _PURSUED,
    "update-proceeding": _PURSUED,
    "set-obligations": _PURSUED,
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
    Role.COUNSEL,
    Role.MEDIATOR,
    Role.CLERK,
    Role.LIAISON,
    Role.LEAD,
    Role.COORDINATOR,
    Role.SYSTEM,
)

SYSTEM_GRANT = Grant(role=Role.SYSTEM, body_id="", path="/", from_on=date.min)
"""The grant of the process itself, for first set-up and timers; nobody is ever given it."""


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
        asked = Asked(
            grant=grant, actor_id=actor_id, command=command, view=place, network=network, on=on
        )
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
