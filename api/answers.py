"""What queries answer, as forms that the description of the interface is made from; no query."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from mediation.authority import Visibility
from mediation.case.state import ClaimLine, FormerCustody, Irregularity, Payment, PendingMove, Sheet
from mediation.codes import Label
from mediation.errors import Refusal
from mediation.store.access import AccessRecord

MASK = "＊＊＊"
"""Stands for personal data that is there and is not shown."""


class PartyShown(msgspec.Struct, frozen=True, kw_only=True):
    """A party. Personal fields are null if unknown or erased, masked unless asked for in clear."""

    party_id: UUID
    side: str
    role: str
    party_kind: str
    provisional: bool
    company_name: str | None
    credit_code: str | None
    name: str | None
    id_number: str | None
    phone: str | None
    address: str | None
    consent: str | None


class DueShown(msgspec.Struct, frozen=True, kw_only=True):
    """A due date as it was decided, and in words how it came about.

    `due_on` is the last safe day, `rolled_on` the legal last day; `due_at` stands only where
    clock hours are counted.
    """

    code: str
    due_on: date
    rolled_on: date
    due_at: datetime | None
    rule: str
    article: str
    start_event_id: str
    start_on: date
    calendar: str
    rolled_days: int
    provisional: bool
    explain: Label


class TextShown(msgspec.Struct, frozen=True, kw_only=True):
    """A free text of a case in clear: where it stands and what it says; null if erased."""

    version: int
    topic: str
    field: str
    text: str | None


class CaseShown(msgspec.Struct, frozen=True, kw_only=True):
    """A case as its body sees it. Money is in fen; `texts` stand only in an answer in clear.

    `sheets` are the parties' latest ones to the body that the pending move waits for.
    """

    case_id: UUID
    visibility: Visibility
    version: int
    case_number: str
    matter_kind: str
    matter_kind_label: Label
    entry: str
    channel: str
    phase: str
    phase_label: Label
    level: str
    level_label: Label
    branch: str | None
    custody_body_id: str
    risk: str
    risk_label: Label
    flags: tuple[str, ...]
    cause: str
    cause_label: Label
    received_at: datetime | None
    filed_by_id: UUID | None
    ladder_ref: str
    workers: int
    claimed_fen: int
    acceptance_no: int
    acceptance_open: bool
    outcome: str | None
    mediator_ids: tuple[UUID, ...]
    lead_mediator_id: UUID | None
    sessions_here: int
    applicants: tuple[PartyShown, ...]
    respondents: tuple[PartyShown, ...]
    lines: tuple[ClaimLine, ...]
    payments: tuple[Payment, ...]
    move: PendingMove | None
    sheets: tuple[Sheet, ...]
    former: tuple[FormerCustody, ...]
    irregularities: tuple[Irregularity, ...]
    due: tuple[DueShown, ...]
    texts: tuple[TextShown, ...] | None = None


class CaseToReceive(msgspec.Struct, frozen=True, kw_only=True):
    """A case on its way to the viewer's body: what is needed to answer, nothing personal.

    `days_left` is how much of the statutory term was left when the move was asked for.
    """

    case_id: UUID
    visibility: Visibility
    version: int
    case_number: str
    level: str
    risk: str
    cause: str
    cause_label: Label
    workers: int
    move_kind: str
    move_label: Label
    ground: str
    ground_label: Label
    from_body_id: str
    days_left: int | None
    answer_due: DueShown | None


class CaseHandedOver(msgspec.Struct, frozen=True, kw_only=True):
    """A case that the viewer's body had before."""

    case_id: UUID
    visibility: Visibility
    case_number: str
    level: str
    phase: str
    outcome: str | None


class HistoryItem(msgspec.Struct, frozen=True, kw_only=True):
    """One event: `due` are the dates that start with it, `due_ended` the codes of those that end.

    In `fields`, a sealed value shows as `{"sealed": true}`.
    """

    position: int
    version: int
    topic: str
    label: Label
    occurred_at: datetime
    recorded_at: datetime
    decided_at: datetime
    actor_id: UUID
    role: str
    role_label: Label
    body_id: str | None
    phase: str
    reason_code: str | None
    legal_basis: str | None
    irregularities: tuple[Irregular, ...]
    due: tuple[DueShown, ...]
    due_ended: tuple[str, ...]
    fields: dict[str, Any]


class Irregular(msgspec.Struct, frozen=True):
    """A flaw of a recorded fact: its code and what it means."""

    code: str
    label: Label


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The events of a case that the viewer may read, in order."""

    case_id: UUID
    visibility: Visibility
    items: tuple[HistoryItem, ...]


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """A role that may do something, and on which condition."""

    role: str
    label: Label
    condition: Label


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """A command on a case: allowed now, or why not; who may; whether the viewer is one of them."""

    command: str
    label: Label
    allowed: bool
    refusals: tuple[Refusal, ...]
    who: tuple[Who, ...]
    mine: bool
    fields: dict[str, Any]


class Actions(msgspec.Struct, frozen=True, kw_only=True):
    """What can be done with a case at this version."""

    case_id: UUID
    version: int
    items: tuple[Action, ...]


class Deadlines(msgspec.Struct, frozen=True, kw_only=True):
    """The due dates of a case that are open, the earliest first."""

    case_id: UUID
    items: tuple[DueShown, ...]


class CasePage(msgspec.Struct, frozen=True, kw_only=True):
    """Cases in scope; `next` goes on, null at the end; `parked` streams are set aside and stale."""

    items: list[dict[str, Any]]
    next: str | None
    as_of_position: int
    parked: int


class LanePage(msgspec.Struct, frozen=True, kw_only=True):
    """One lane, what is due first first; `next` goes on, null at the end."""

    items: list[dict[str, Any]]
    next: str | None
    as_of_position: int
    parked: int


class LaneCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows lie in a lane, in all and by level."""

    lane: str
    label: Label
    count: int
    by_level: dict[str, int]


class LaneCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Every lane of the office in its order, and the open cases by level."""

    lanes: tuple[LaneCount, ...]
    at_hand: dict[str, int]
    as_of_position: int
    parked: int


class BodyShown(msgspec.Struct, frozen=True, kw_only=True):
    """A body with those directly below it; `mediators` counts appointments in force today."""

    body_id: str
    name: Label
    level: str
    level_label: Label | None
    branch: str | None
    kind: str
    parent_id: str | None
    is_open: bool
    opened_on: date
    closed_on: date | None
    mediators: int
    children: tuple[BodyShown, ...]


class NetworkShown(msgspec.Struct, frozen=True, kw_only=True):
    """The bodies of the district from the top down, and the ladder that new cases follow."""

    district: str
    ladder_ref: str
    bodies: tuple[BodyShown, ...]


class GrantShown(msgspec.Struct, frozen=True, kw_only=True):
    """A role of the asking account that holds today."""

    role: str
    label: Label
    body_id: str
    until_on: date | None


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """The account that asks."""

    account_id: UUID
    grants: tuple[GrantShown, ...]


class AccessPage(msgspec.Struct, frozen=True, kw_only=True):
    """Access records, the latest first."""

    items: list[AccessRecord]
    next: str | None


class Alive(msgspec.Struct, frozen=True):
    """The process runs."""

    status: str


class FollowerShown(msgspec.Struct, frozen=True, kw_only=True):
    """How far a read model has come; `failed` names why it stopped."""

    position: int
    lag: int
    failed: str | None


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the process can answer, and how far everything has come."""

    status: str
    position: int
    followers: dict[str, FollowerShown]
