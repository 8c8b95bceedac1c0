"""Accounts: a person of the office and the roles granted; what a role may do is elsewhere."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

import msgspec

from mediation.calendar import day_of
from mediation.errors import NotFound, Refusal, Refused
from mediation.kernel import (
    Command,
    Decision,
    Event,
    StreamRef,
    decides,
    evolves,
    starts_as,
    stored_as,
)
from mediation.network.facts import OfficeFacts
from mediation.network.points import body_not_open
from mediation.network.state import NetworkState, network_stream
from mediation.privacy import Personal, Purpose, Sealed


class Role(StrEnum):
    """In which capacity somebody acts; labels stand in the code table `roles`."""

    PARTY = "party"
    COUNSEL = "counsel"
    LIAISON = "liaison"
    CLERK = "clerk"
    MEDIATOR = "mediator"
    LEAD = "lead"
    COORDINATOR = "coordinator"
    EXPERT = "expert"
    SUPERVISOR = "supervisor"
    AUDITOR = "auditor"
    DASHBOARD = "dashboard"
    RECORDS = "records"
    SYSTEM = "system"


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """One role at one body; `until_on` is the first day it no longer holds."""

    role: Role
    body_id: str
    path: str
    from_on: date
    until_on: date | None = None

    def holds(self, on: date) -> bool:
        """Say whether the grant is in force on this day."""
        return self.from_on <= on and (self.until_on is None or on < self.until_on)


class AccountState(msgspec.Struct, frozen=True, kw_only=True):
    """An account with every grant it ever had, in the order they were given."""

    account_id: UUID | None = None
    grants: tuple[Grant, ...] = ()

    def live(self, on: date) -> tuple[Grant, ...]:
        """Give the grants in force on this day."""
        return tuple(grant for grant in self.grants if grant.holds(on))


def account_stream(account_id: UUID) -> StreamRef:
    """Name the stream of an account."""
    return StreamRef("account", account_id)


starts_as("account", AccountState())


class OpenAccount(Command, frozen=True, kw_only=True):
    """Open an account for a person; its id is the id of the stream the door opens."""

    stream_kind: ClassVar[str] = "account"
    creates: ClassVar[bool] = True

    display_name: Personal


@decides(OpenAccount)
def open_account(account: AccountState, command: OpenAccount, facts: OfficeFacts) -> Decision:
    """Refuse an account that is open already."""
    if account.account_id is not None:
        raise Refused(
            Refusal(
                "account-exists",
                "该账号已经开通，无需再次办理。",
                "The account is open already; nothing is left to do.",
            )
        )
    account_id = facts.stream.id
    return Decision.of(
        facts.stream,
        AccountOpened(
            **facts.stamp(AccountOpened),
            account_id=account_id,
            display_name=command.display_name.of(account_id, Purpose.IDENTITY),
        ),
    )


@stored_as("account.opened")
class AccountOpened(Event, frozen=True, kw_only=True):
    """A person got an account; it may do nothing until a role is granted."""

    account_id: UUID
    display_name: Sealed


@evolves(AccountOpened)
def _(account: AccountState, event: AccountOpened) -> AccountState:
    return msgspec.structs.replace(account, account_id=event.account_id)


class GrantRole(Command, frozen=True, kw_only=True):
    """Grant an account one role at one body; `until_on` is the first day it no longer holds."""

    stream_kind: ClassVar[str] = "account"

    account_id: UUID
    role: Role
    body_id: str
    from_on: date | None = None
    until_on: date | None = None


def _reads_network(command: GrantRole, facts: OfficeFacts) -> tuple[StreamRef, ...]:
    return (network_stream(facts.district),)


@decides(GrantRole, reads=_reads_network)
def grant_role(account: AccountState, command: GrantRole, facts: OfficeFacts) -> Decision:
    """Refuse the system's own role, a body that is not open then, and a grant that overlaps."""
    account_id = _opened(account)
    network: NetworkState = facts.streams[network_stream(facts.district)]
    body = network.body(command.body_id)
    from_on = command.from_on or facts.occurred_on
    refusals = []
    if command.role == Role.SYSTEM:
        refusals.append(
            Refusal(
                "role-not-grantable",
                "系统角色不授予任何人，请选择其他角色。",
                "Nobody is granted the system's own role; choose another.",
            )
        )
    if not body.is_open(from_on):
        refusals.append(body_not_open())
    if command.until_on is not None and command.until_on <= from_on:
        refusals.append(
            Refusal(
                "ends-before-it-begins",
                "授权终止日期须晚于起始日期，请更正日期。",
                "The grant has to end after it begins; correct the days.",
            )
        )
    if facts.actor.actor_id == account_id:
        refusals.append(
            Refusal(
                "own-account",
                "不能为本人账号授权，请由其他区级统筹员办理。",
                "Nobody grants a role to his own account; another coordinator has to.",
            )
        )
    if any(_meet(grant, from_on, command.until_on) for grant in _same(account, command)):
        refusals.append(
            Refusal(
                "already-granted",
                "该账号在此期间已有该组织的这一角色；如需调整期限，请先撤回原授权。",
                "The account holds this role there in that time; to change it, revoke it first.",
            )
        )
    if refusals:
        raise Refused(*refusals)
    return Decision.of(
        facts.stream,
        RoleGranted(
            **facts.stamp(RoleGranted),
            account_id=account_id,
            granted_role=command.role,
            of_body_id=body.body_id,
            path=body.path,
            from_on=from_on,
            until_on=command.until_on,
        ),
    )


@stored_as("account.role-granted")
class RoleGranted(Event, frozen=True, kw_only=True):
    """An account may act in a role for a body, and see what lies at or below its path.

    From `from_on` on; `until_on` is the first day on which it no longer may, null if no end is set.
    """

    account_id: UUID
    granted_role: Role
    of_body_id: str
    path: str
    from_on: date
    until_on: date | None


@evolves(RoleGranted)
def _(account: AccountState, event: RoleGranted) -> AccountState:
    grant = Grant(
        role=event.granted_role,
        body_id=event.of_body_id,
        path=event.path,
        from_on=event.from_on,
        until_on=event.until_on,
    )
    return msgspec.structs.replace(account, grants=(*account.grants, grant))


class RevokeRole(Command, frozen=True, kw_only=True):
    """Take a role back; by default it has no force from this very day."""

    stream_kind: ClassVar[str] = "account"

    account_id: UUID
    role: Role
    body_id: str
    until_on: date | None = None


@decides(RevokeRole)
def revoke_role(account: AccountState, command: RevokeRole, facts: OfficeFacts) -> Decision:
    """Refuse where no grant would end any sooner."""
    account_id = _opened(account)
    until_on = command.until_on or facts.occurred_on
    if until_on < day_of(facts.at):
        raise Refused(
            Refusal(
                "revoked-in-the-past",
                "撤回日期不得早于今日；已经办理的事项不因撤回而改变。",
                "A role cannot be taken back for days gone by; what was done stays done.",
            )
        )
    if not any(_ends_sooner(grant, until_on) for grant in _same(account, command)):
        raise Refused(
            Refusal(
                "not-granted",
                "该账号在此日期之后没有该组织的这一角色，请核对角色、组织和日期。",
                "The account does not hold this role there after that day; check all three.",
            )
        )
    return Decision.of(
        facts.stream,
        RoleRevoked(
            **facts.stamp(RoleRevoked),
            account_id=account_id,
            revoked_role=command.role,
            of_body_id=command.body_id,
            until_on=until_on,
        ),
    )


@stored_as("account.role-revoked")
class RoleRevoked(Event, frozen=True, kw_only=True):
    """A role was taken back: `until_on` is the first day on which no grant of it there holds."""

    account_id: UUID
    revoked_role: Role
    of_body_id: str
    until_on: date


@evolves(RoleRevoked)
def _(account: AccountState, event: RoleRevoked) -> AccountState:
    grants = tuple(
        msgspec.structs.replace(grant, until_on=event.until_on)
        if grant.role == event.revoked_role
        and grant.body_id == event.of_body_id
        and _ends_sooner(grant, event.until_on)
        else grant
        for grant in account.grants
    )
    return msgspec.structs.replace(account, grants=grants)


def _ends_sooner(grant: Grant, until_on: date) -> bool:
    """Say whether ending on this day takes something from the grant; a later one never begins."""
    return grant.until_on is None or until_on < grant.until_on


def _meet(grant: Grant, from_on: date, until_on: date | None) -> bool:
    """Say whether the grant holds on some day of the period; one revoked in time never holds."""
    if grant.until_on is not None and grant.until_on <= max(grant.from_on, from_on):
        return False
    return until_on is None or grant.from_on < until_on


def _same(account: AccountState, command: GrantRole | RevokeRole) -> tuple[Grant, ...]:
    return tuple(
        grant
        for grant in account.grants
        if grant.role == command.role and grant.body_id == command.body_id
    )


def _opened(account: AccountState) -> UUID:
    if account.account_id is None:
        raise NotFound(
            zh="未找到该账号，请先开通账号。",
            en="There is no such account; open it first.",
            code="account-unknown",
        )
    return account.account_id
