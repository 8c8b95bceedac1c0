"""What a case is after its events, and the values they carry; no command and no guard here.

Phase, level, custody, hold and flags are separate dimensions. Every event of a case carries the
phase it leaves behind, so that folding never asks the life-cycle table.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar, Literal, Self, overload
from uuid import UUID, uuid5

import msgspec

from mediation.calendar import DueDate, due
from mediation.errors import FieldFault, Malformed, Unsafe
from mediation.kernel import Command, Event, StreamRef, starts_as
from mediation.ladder import Ladder, MoveKind
from mediation.network.facts import OfficeFacts
from mediation.privacy import Personal, Purpose, Sealed


class Phase(StrEnum):
    """Where a case is in its life; the labels of the office stand in the code tables."""

    REGISTERED = "REGISTERED"
    CONSENT_PENDING = "CONSENT_PENDING"
    ACCEPTED = "ACCEPTED"
    ASSIGNED = "ASSIGNED"
    MEDIATING = "MEDIATING"
    PERFORMING = "PERFORMING"
    FAILED = "FAILED"
    NOT_ACCEPTED = "NOT_ACCEPTED"
    CLOSED = "CLOSED"


class Side(StrEnum):
    """On which side of the matter a party stands."""

    APPLICANT = "applicant"
    RESPONDENT = "respondent"


class Answer(StrEnum):
    """What a party answered when asked whether it wants mediation at this body."""

    AGREED = "AGREED"
    REFUSED = "REFUSED"
    NO_ANSWER = "NO_ANSWER"
    UNREACHABLE = "UNREACHABLE"


class Outcome(StrEnum):
    """How an acceptance ended."""

    AGREED = "AGREED"
    SETTLED = "SETTLED"
    FAILED = "FAILED"
    WITHDRAWN = "WITHDRAWN"


class Party(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A party as recorded: persons sealed under their own random id, companies by clear name."""

    party_id: UUID
    side: Side
    role: str
    party_kind: str
    provisional: bool
    company_name: str | None
    credit_code: str | None
    name: Sealed | None
    id_number: Sealed | None
    phone: Sealed | None
    address: Sealed | None


class ClaimLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one applicant claims of one respondent for one cause, in fen."""

    line_id: UUID
    applicant_id: UUID
    respondent_id: UUID
    cause: str
    claimed_fen: int


class Obligation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one respondent has to pay one applicant on a claim line, in fen, and until when."""

    obligation_id: UUID
    line_id: UUID
    applicant_id: UUID
    respondent_id: UUID
    agreed_fen: int
    due_on: date


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """How much of an obligation stands as paid, in fen."""

    obligation: Obligation
    applied_fen: int = 0
    surplus_fen: int = 0
    last_paid_on: date | None = None

    @property
    def is_performed(self) -> bool:
        """All that was agreed has been paid."""
        return self.applied_fen >= self.obligation.agreed_fen


class Irregularity(msgspec.Struct, frozen=True):
    """A procedural flaw of a recorded fact, waiting to be cured."""

    event_id: UUID
    code: str


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """One party's answers on the transfer sheet to a body, signed before or after the request."""

    party_id: UUID
    to_body_id: str
    new_body: bool
    disclosure: bool
    extension: bool | None


class PendingMove(msgspec.Struct, frozen=True, kw_only=True):
    """A custody move that waits for the receiver; the sender stays responsible until then."""

    kind: MoveKind
    to_body_id: str
    to_level: str
    to_branch: str | None
    to_path: str
    ground: str
    legal_basis: str | None
    applicant_wish: bool
    request_event_id: UUID
    requested_by_id: UUID
    requested_at: datetime
    answer_due: DueDate | None
    days_left: int | None


class FormerCustody(msgspec.Struct, frozen=True, kw_only=True):
    """A body that had the case, until the version at which it handed it over."""

    body_id: str
    level: str
    path: str
    until_version: int


class CaseState(msgspec.Struct, frozen=True, kw_only=True):
    """A case as folded from its events. `version` counts them; money is in fen."""

    version: int = 0
    case_id: UUID | None = None
    case_number: str = ""
    matter_kind: str = ""
    entry: str = ""
    channel: str = ""
    phase: Phase | None = None
    received_at: datetime | None = None
    filed_by_id: UUID | None = None
    ladder_ref: str = ""
    ladder_digest: str = ""
    level: str = ""
    branch: str | None = None
    custody_body_id: str = ""
    custody_path: str = ""
    former: tuple[FormerCustody, ...] = ()
    assigner_body_id: str | None = None
    applicants: tuple[Party, ...] = ()
    respondents: tuple[Party, ...] = ()
    cause: str = ""
    lines: tuple[ClaimLine, ...] = ()
    flags: frozenset[str] = frozenset()
    risk: str = ""
    consents: dict[UUID, Answer] = {}
    agreed_at: dict[UUID, datetime] = {}
    sheets: tuple[Sheet, ...] = ()
    disclosed_ids: frozenset[UUID] = frozenset()
    rights_served_at: dict[UUID, datetime] = {}
    remedies_owed_ids: frozenset[UUID] = frozenset()
    remedies_told_ids: frozenset[UUID] = frozenset()
    acceptance_no: int = 0
    acceptance_open: bool = False
    accepted_at: datetime | None = None
    first_accepting_body_id: str | None = None
    mediator_ids: tuple[UUID, ...] = ()
    lead_mediator_id: UUID | None = None
    assigned_at: datetime | None = None
    conflicted_ids: frozenset[UUID] = frozenset()
    sessions_here: int = 0
    settled_by: UUID | None = None
    outcome: Outcome | None = None
    payments: tuple[Payment, ...] = ()
    move: PendingMove | None = None
    irregularities: tuple[Irregularity, ...] = ()
    due: dict[str, DueDate] = {}

    def with_(self, event: CaseEvent, **changes: Any) -> Self:
        """Copy with changes, one version on, with the phase, dates and flaws of the event."""
        if event.due or event.due_ended:
            kept = {code: due for code, due in self.due.items() if code not in event.due_ended}
            changes["due"] = {**kept, **{due.code: due for due in event.due}}
        if isinstance(event, RecordedFact) and event.irregularities:
            found = tuple(Irregularity(event.event_id, code) for code in event.irregularities)
            changes["irregularities"] = self.irregularities + found
        return msgspec.structs.replace(self, version=self.version + 1, phase=event.phase, **changes)

    def ending(self, *codes: str) -> tuple[str, ...]:
        """Give those of the due dates named that are open: what an event is to end."""
        return tuple(code for code in codes if code in self.due)

    def flaws(self, checks: Mapping[str, bool] | None = None) -> tuple[str, ...]:
        """Name what is irregular about a fact recorded now: its own checks, and a closed case."""
        found = {"after-close": self.phase is Phase.CLOSED, **(checks or {})}
        return tuple(code for code, is_flawed in found.items() if is_flawed)

    @property
    def parties(self) -> tuple[Party, ...]:
        """Applicants, then respondents."""
        return self.applicants + self.respondents

    @property
    def workers(self) -> int:
        """Number of distinct workers, on whichever side they stand."""
        return sum(party.role == "WORKER" for party in self.parties)

    @property
    def is_collective(self) -> bool:
        """The lead confirmed the common claim of ten or more workers."""
        return "COLLECTIVE" in self.flags

    @property
    def claimed_fen(self) -> int:
        """Sum of all claim lines."""
        return sum(line.claimed_fen for line in self.lines)

    @property
    def has_taken_effect(self) -> bool:
        """An agreement or settlement ended the mediation and is being, or was, performed."""
        return self.outcome in (Outcome.AGREED, Outcome.SETTLED)

    @property
    def assigned_ids(self) -> tuple[UUID, ...]:
        """The mediators of the case; part of what scope is decided on."""
        return self.mediator_ids

    @property
    def receiver_body_id(self) -> str | None:
        """The body that a pending move waits for."""
        return self.move.to_body_id if self.move else None

    @property
    def receiver_path(self) -> str | None:
        """The path of the body that a pending move waits for."""
        return self.move.to_path if self.move else None

    @property
    def former_paths(self) -> tuple[str, ...]:
        """The paths of the bodies that had the case before."""
        return tuple(former.path for former in self.former)

    def party(self, party_id: UUID) -> Party:
        """Give a party of this case.

        Raises:
            Malformed: no such party here.
        """
        for party in self.parties:
            if party.party_id == party_id:
                return party
        raise unknown("party_id", "unknown-party")

    def sheet_of(self, party_id: UUID, to_body_id: str) -> Sheet | None:
        """Give the party's latest sheet to this body."""
        return next(
            (
                sheet
                for sheet in reversed(self.sheets)
                if (sheet.party_id, sheet.to_body_id) == (party_id, to_body_id)
            ),
            None,
        )

    def refusing_side(self) -> Side | None:
        """Give the side on which somebody clearly refused and nobody is willing.

        One of several respondents, or workers, who refuses does not end it for the others.
        """
        for side in Side:
            said = {
                self.consents.get(party.party_id) for party in self.parties if party.side is side
            }
            if Answer.REFUSED in said and Answer.AGREED not in said:
                return side
        return None

    def both_sides_agree(self, answers: Mapping[UUID, Answer]) -> bool:
        """At least one party of each side agreed at this body."""
        return all(
            any(answers.get(p.party_id) is Answer.AGREED for p in self.parties if p.side is side)
            for side in Side
        )

    def has_agreed(self, party: Party) -> bool:
        """The party's latest answer at the present body is AGREED."""
        return self.consents.get(party.party_id) is Answer.AGREED

    @overload
    def text(self, value: Personal, facts: CaseFacts) -> Sealed: ...
    @overload
    def text(self, value: Personal | None, facts: CaseFacts) -> Sealed | None: ...
    def text(self, value: Personal | None, facts: CaseFacts) -> Sealed | None:
        """Mark free text as its author's in this case, so that it can be redacted alone."""
        if value is None:
            return None
        return value.of(author_of(facts.stream.id, facts.actor.actor_id), Purpose.FREE_TEXT)


def author_of(case_id: UUID, actor_id: UUID) -> UUID:
    """Give the subject id of an author's free text in one case: redacted alone, if need be."""
    return uuid5(case_id, f"author:{actor_id}")


def unknown(field: str, code: str) -> Malformed:
    """Make the error for an id that does not belong to this case."""
    return Malformed(
        zh="所填编号不属于本案，请从案件页面重新选择。",
        en="The id does not belong to this case; choose it from the case itself.",
        faults=(FieldFault(f"/{field}", code),),
        code=code,
    )


class CaseCommand(Command, frozen=True, kw_only=True):
    """A command on a case that is registered already."""

    stream_kind: ClassVar[str] = "case"


class CaseFact(CaseCommand, frozen=True, kw_only=True):
    """A recorded fact: refused only if malformed; flaws are stored with it."""

    is_fact: ClassVar[bool] = True


class CaseEvent(Event, frozen=True, kw_only=True):
    """An event of a case: after the envelope, the phase it leaves behind, and its due dates.

    `due` are the dates that start with it, `due_ended` the codes of those that end with it: what
    was decided, to be copied by whoever folds.
    """

    phase: Phase
    due: tuple[DueDate, ...] = ()
    due_ended: tuple[str, ...] = ()


class RecordedFact(CaseEvent, frozen=True, kw_only=True):
    """An event of a recorded fact: after the phase, what was irregular about it (程序瑕疵)."""

    irregularities: tuple[str, ...]


class CaseFacts(OfficeFacts, frozen=True, kw_only=True):
    """The facts of a decision on a case."""

    def ladder_of(self, case: CaseState) -> Ladder:
        """Give the ladder the case was registered under and stays with.

        Raises:
            Unsafe: its file is missing here, or is not the one the case was registered under.
        """
        ladder = self.ladders.get(case.ladder_ref)
        if ladder is None or ladder.digest != case.ladder_digest:
            raise Unsafe(
                zh="本案所用的层级表缺失或已被改动，请由运维人员恢复原发布文件。",
                en="The ladder this case is pinned to is missing or was altered; have the "
                "published file restored.",
                code="ladder-altered",
            )
        return ladder

    def case_id(self) -> UUID:
        """Give the id of the case that is being decided on."""
        return self.stream.id


def due_date(  # noqa: PLR0913 - each argument is one reason the date depends on
    code: str,
    facts: CaseFacts,
    ladder: Ladder,
    event_type: type[Event],
    *,
    length: int | None = None,
    no_later_than: date | None = None,
    start: tuple[datetime, UUID] | None = None,
) -> DueDate:
    """Decide a due date that starts with the event being decided, or at `start` (ADR 0007).

    A limit that the ladder sets goes before the catalogue's own length.
    """
    limit = ladder.limit(code)
    at, event_id = start or (facts.occurred_at, facts.event_id(event_type))
    decided = due(
        code,
        start_at=at,
        start_event_id=str(event_id),
        calendar=facts.calendar,
        length=limit.length if limit and length is None else length,
        no_later_than=no_later_than,
    )
    # A red case has another length of the same deadline, not another deadline.
    return msgspec.structs.replace(decided, code=code.partition("-")[0])


def level_target(
    facts: CaseFacts, ladder: Ladder, level: str, event_type: type[Event], end: date
) -> DueDate:
    """Decide D13, the internal target of a level, never later than the statutory end."""
    days = ladder.target_days(level)
    return due_date("D13", facts, ladder, event_type, length=days, no_later_than=end)


def days_left_on(case: CaseState, facts: CaseFacts) -> int | None:
    """Count the calendar days of the statutory term that are left; None if it does not run."""
    term = case.due.get("D02")
    return (term.due_on - facts.occurred_on).days if term else None


def case_stream(case_id: UUID) -> StreamRef:
    """Name the stream of a case."""
    return StreamRef("case", case_id)


MeansCode = Literal["in-person", "attending", "phone", "wechat", "sms", "written", "public-notice"]

starts_as("case", CaseState())
