"""What queries answer, as forms that the description of the interface is made from; no query."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from mediation.authority import Visibility
from mediation.case.values import (
    ClaimLine,
    Draft,
    FormerCustody,
    Payment,
    PendingMove,
    Proceeding,
    Sheet,
)
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
    start_event_id: UUID | None
    start_on: date
    calendar: str
    rolled_days: int
    provisional: bool
    past_when_decided: bool
    subject: str | None
    explain: Label


class TextShown(msgspec.Struct, frozen=True, kw_only=True):
    """A free text of a case in clear: where it stands and what it says; null if erased."""

    version: int
    topic: str
    field: str
    text: str | None


class AddresseeShown(msgspec.Struct, frozen=True, kw_only=True):
    """To whom an urgent report went; the name is null if erased, masked unless asked for."""

    kind: str
    body_id: str | None
    name: str | None


class ReportShown(msgspec.Struct, frozen=True, kw_only=True):
    """An urgent report and which of its addressees, counted from 0, have acknowledged it."""

    report_no: int
    addressees: tuple[AddresseeShown, ...]
    acknowledged: tuple[int, ...]


class CaseShown(msgspec.Struct, frozen=True, kw_only=True):
    """A case as its body sees it. Money is in fen; `texts` stand only in an answer in clear.

    `sheets` are the parties' latest ones to the body that the pending move waits for; `draft` is
    the version of the agreement that waits to be checked, signed and sealed.
    """

    case_id: UUID
    visibility: Visibility
    version: int
    case_number: str
    matter_kind: str
    matter_kind_label: Label
    entry: str
    channel: str | None
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
    irregularities: tuple[IrregularShown, ...]
    draft: Draft | None
    term_lapsed: bool
    demand_answer: str | None
    is_fed_back: bool
    counsel_ids: tuple[UUID, ...]
    proceedings: tuple[Proceeding, ...]
    reports: tuple[ReportShown, ...]
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
    """One event: `due` are the dates that start with it, `due_ended` the keys of those that end.

    `late_days` counts the days between the fact and its entry (补录), `approved_by_ids` are those
    who approved that, `approved_as` their roles. In `fields`, a sealed value shows as
    `{"sealed": true}`. Who registered a case is null for viewers who may not know it.
    """

    position: int
    version: int
    topic: str
    label: Label
    occurred_at: datetime
    recorded_at: datetime
    decided_at: datetime
    actor_id: UUID | None
    role: str | None
    role_label: Label | None
    body_id: str | None
    phase: str
    reason_code: str | None
    legal_basis: str | None
    irregularities: tuple[Irregular, ...]
    due: tuple[DueShown, ...]
    due_ended: tuple[str, ...]
    approved_by_ids: tuple[UUID, ...]
    approved_as: tuple[str, ...]
    late_days: int
    fields: dict[str, Any]


class Irregular(msgspec.Struct, frozen=True):
    """A flaw of a recorded fact: its code and what it means."""

    code: str
    label: Label


class IrregularShown(msgspec.Struct, frozen=True):
    """A flaw that waits to be cured: of which event, its code and what it means."""

    event_id: UUID
    code: str
    label: Label


class ChangeShown(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a case that changed. A side is left out where there was, or is, nothing.

    `path` is dotted: fields, keys, and the id of an item of a list. A sealed value shows as
    `{"sealed": true}`, in an answer in clear with its `text`, null if erased.
    """

    path: str
    label: Label
    before: Any = msgspec.UNSET
    after: Any = msgspec.UNSET


class ReplayStep(msgspec.Struct, frozen=True, kw_only=True):
    """One event and what it changed.

    `ended` are the due dates that were open before and no longer are as they were; `digest` is
    the SHA-256 of the stored bytes and `leaf` the hash of the event's leaf, in hexadecimal. Events
    of one command share `command_id` and `command_end`. `left_out` counts, by name, what of a long
    list is not told here: of `changes`, `ended`, `event.due`, and of lists in `event.fields`. An
    event stands whole in the history (`/history`), what it changed and the dates it ended in the
    difference from the version before it (`/diff`).
    """

    event: HistoryItem
    on_behalf_of_id: UUID | None
    command_id: UUID
    command_end: int
    ground: str | None
    ground_label: Label | None
    changes: tuple[ChangeShown, ...]
    ended: tuple[DueShown, ...]
    digest: str
    leaf: str
    left_out: dict[str, int]


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A case step by step, as far as the viewer may read its history; `log_id` is in each leaf.

    `next` goes on, null at the end.
    """

    case_id: UUID
    visibility: Visibility
    log_id: UUID
    items: tuple[ReplayStep, ...]
    next: str | None


class PointShown(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a case, and where and when its last event was recorded; 0: before the first."""

    version: int
    position: int
    recorded_at: datetime | None


class Diff(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """What is different in a case at `to` from how it was at `from`; `total` counts all pages."""

    case_id: UUID
    visibility: Visibility
    start: PointShown
    end: PointShown
    changes: tuple[ChangeShown, ...]
    total: int
    next: str | None


class CodeTables(msgspec.Struct, frozen=True, kw_only=True):
    """Every code and its label, by table, as version `ref` has them; `digest` is of its file."""

    ref: str
    digest: str
    tables: dict[str, dict[str, Label]]


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The events of a case that the viewer may read, in order; `next` goes on, null at the end."""

    case_id: UUID
    visibility: Visibility
    items: tuple[HistoryItem, ...]
    next: str | None


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
    """One lane, what is due first first; `next` goes on, null at the end.

    `lane` of an item says in which row it was found: in the lanes of dates also `open`, the row of
    a case with its next date, and `dated`, that of a date which outlives the case.
    """

    items: list[dict[str, Any]]
    next: str | None
    as_of_position: int
    parked: int


class LaneMine(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows lie in a lane for the asking account."""

    lane: str
    label: Label
    count: int


class DayItem(msgspec.Struct, frozen=True, kw_only=True):
    """What one body has to do about one case.

    `why` is what hurries most: `overdue`, `breached` (a payment is late), `due-today`, else the
    first lane in the order of the office that the case lies in, or `open`; `lanes` are all of them.
    Dates are of what `why` is about, `term_on` is the last safe day of the statutory term; both
    days and `due_at` (where hours count) may be null. In an item of another body than the one that
    has the case `from_body_id` is the latter. Of a coming case all from `matter_kind` on is null.
    `term_lapsed`: 期限已届满，须延期或者终止并告知当事人 (the term is over: extend it by the word
    of everybody, or end the mediation, and tell the parties).
    """

    case_id: UUID
    case_number: str
    why: str
    lanes: tuple[str, ...]
    body_id: str
    level: str
    risk: str
    headcount: int
    due_on: date | None
    rolled_on: date | None
    due_at: datetime | None
    due_code: str | None
    pending_kind: str | None
    from_body_id: str | None
    from_level: str | None
    matter_kind: str | None = None
    phase: str | None = None
    cause: str | None = None
    claimed_fen: int | None = None
    received_on: date | None = None
    pay_from: date | None = None
    term_on: date | None = None
    term_lapsed: bool | None = None
    assigned_ids: tuple[UUID, ...] | None = None


class MyDay(msgspec.Struct, frozen=True, kw_only=True):
    """What the asking account has to do itself, in the order of the day, for one screen.

    To a mediator belong the cases he is assigned to; to a lead, clerk or coordinator all work of
    his own body, and what comes to it. Each case stands there once: first what is late, then what
    falls due today, then what comes in, then lane by lane, within each by date. `on` is the day,
    `at_hand` counts his open cases, `lanes` the rows in every lane; `next` goes on, null at the
    end. Files to be archived come last, however late they are.
    """

    account_id: UUID
    on: date
    at_hand: int
    lanes: tuple[LaneMine, ...]
    items: tuple[DayItem, ...]
    next: str | None
    as_of_position: int
    parked: int


class DeadlineShown(msgspec.Struct, frozen=True, kw_only=True):
    """An open date of a case and the body that has to keep it.

    `level` is that of the case; of an answer to a move (D12) that of the body asked, and
    `matter_kind` is null.
    """

    case_id: UUID
    case_number: str
    matter_kind: str | None
    risk: str
    level: str
    body_id: str
    due: DueShown


class DeadlinePage(msgspec.Struct, frozen=True, kw_only=True):
    """Open dates in scope, the earliest first; `next` goes on, null at the end."""

    items: tuple[DeadlineShown, ...]
    next: str | None
    as_of_position: int
    parked: int


class NoticeShown(msgspec.Struct, frozen=True, kw_only=True):
    """A notice to one body that a case of another one was reported up past it.

    It tells how many workers the case concerned then and at which risk, and nobody's name.
    """

    position: int
    body_id: str
    case_number: str
    from_body_id: str
    from_level: str
    to_body_id: str
    to_level: str
    risk: str
    risk_label: Label
    headcount: int
    ground: str
    ground_label: Label
    asked_at: datetime


class NoticePage(msgspec.Struct, frozen=True, kw_only=True):
    """Notices to the bodies of the asking account, the latest first; `next` goes on."""

    items: tuple[NoticeShown, ...]
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


class CapacityShown(msgspec.Struct, frozen=True, kw_only=True):
    """What a body may do since `from_on`, and by which law.

    `seal`: it has one of its own; `may_seal`: that seal makes a mediation agreement; `oral_ok`: an
    oral agreement may be registered here; `single_handed`: one person may be lead and mediator.
    """

    legal_basis: str
    seal: bool
    may_seal: bool
    oral_ok: bool
    confirmation_route: str
    single_handed: bool
    from_on: date


class BodyShown(msgspec.Struct, frozen=True, kw_only=True):
    """A body with those directly below it; `mediators` counts appointments in force today.

    `capacity` is what it may do today, and by which law; null if that was never settled.
    """

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
    capacity: CapacityShown | None
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
