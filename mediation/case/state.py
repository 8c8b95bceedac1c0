"""What a case is after its events, and the values they carry; no command and no guard here.

Phase, level, custody, hold and flags are separate dimensions. Every event of a case carries the
phase it leaves behind, so that folding never asks the life-cycle table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, ClassVar, Self, cast, overload
from uuid import UUID, uuid5

import msgspec

from mediation.calendar import DueDate, Unit, day_of, due
from mediation.case.values import (
    MOST_FEN_OF_A_CASE,
    Answer,
    ClaimLine,
    Draft,
    FormerCustody,
    Instrument,
    Irregularity,
    Matter,
    Outcome,
    Party,
    Payment,
    PendingMove,
    Phase,
    Proceeding,
    Sheet,
    Side,
    UrgentReport,
)
from mediation.codes import is_code
from mediation.errors import FieldFault, Malformed, Unsafe
from mediation.kernel import Command, Event, StreamRef, starts_as
from mediation.ladder import Ladder, Risk
from mediation.network.facts import OfficeFacts
from mediation.network.state import Capacity
from mediation.privacy import Personal, Purpose, Sealed

_TERMS = ("D02", "D04")
"""The statutory term: as it began, as it was extended."""

_OWN_TERM = "D03"
"""The term of an enterprise committee's own mediation, from its acceptance (L-PROV 29)."""


class CaseState(msgspec.Struct, frozen=True, kw_only=True):
    """A case as folded from its events. `version` counts them; money is in fen.

    `committee_id` is the enterprise committee whose own term runs, until its end is on record.
    """

    version: int = 0
    case_id: UUID | None = None
    case_number: str = ""
    matter_kind: str = ""
    entry: str = ""
    channel: str = ""
    phase: Phase | None = None
    received_at: datetime | None = None
    registered_in: UUID | None = None
    registration_id: UUID | None = None
    is_on_one_form: bool = False
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
    agreed_in: dict[UUID, UUID] = {}
    sheets: tuple[Sheet, ...] = ()
    disclosed_ids: frozenset[UUID] = frozenset()
    withdrawn_ids: frozenset[UUID] = frozenset()
    rights_served_at: dict[UUID, datetime] = {}
    remedies_owed_ids: frozenset[UUID] = frozenset()
    remedies_told_ids: frozenset[UUID] = frozenset()
    acceptance_no: int = 0
    acceptance_open: bool = False
    accepted_at: datetime | None = None
    accepted_by_id: UUID | None = None
    first_accepting_body_id: str | None = None
    mediator_ids: tuple[UUID, ...] = ()
    lead_mediator_id: UUID | None = None
    assigned_at: datetime | None = None
    conflicted_ids: frozenset[UUID] = frozenset()
    sessions_here: int = 0
    draft: Draft | None = None
    drafts: int = 0
    settled_by: UUID | None = None
    settled_as: Instrument | None = None
    outcome: Outcome | None = None
    payments: tuple[Payment, ...] = ()
    term_lapsed: bool = False
    committee_id: str | None = None
    extendable_ids: frozenset[UUID] = frozenset()
    demand_answer: str | None = None
    is_fed_back: bool = False
    counsel_ids: frozenset[UUID] = frozenset()
    is_ordered: bool = False
    proceedings: tuple[Proceeding, ...] = ()
    reports: tuple[UrgentReport, ...] = ()
    move: PendingMove | None = None
    irregularities: tuple[Irregularity, ...] = ()
    due: dict[str, DueDate] = {}

    def with_(self, event: CaseEvent, **changes: Any) -> Self:
        """Copy with changes, one version on, with the phase, dates and flaws of the event."""
        if event.due or event.due_ended:
            kept = {key: due for key, due in self.due.items() if key not in event.due_ended}
            changes["due"] = {**kept, **{due.key: due for due in event.due}}
            if any(due.code in _TERMS for due in event.due):
                changes.setdefault("term_lapsed", False)
            if any(due.code == _OWN_TERM for due in event.due):
                changes["committee_id"] = self.custody_body_id
        if isinstance(event, RecordedFact) and event.irregularities:
            found = tuple(Irregularity(event.event_id, code) for code in event.irregularities)
            changes["irregularities"] = self.irregularities + found
        return msgspec.structs.replace(self, version=self.version + 1, phase=event.phase, **changes)

    def ending(self, *codes: str) -> tuple[str, ...]:
        """Give the keys of the open due dates of these codes: what an event is to end."""
        return tuple(key for key, it in self.due.items() if it.code in codes)

    @property
    def term(self) -> DueDate | None:
        """The end of the statutory term: as extended, else as it began; None if it does not run."""
        return self.due.get("D04") or self.due.get("D02")

    @property
    def own_term(self) -> DueDate | None:
        """The committee's own term, while it has the case and until its end is on record."""
        return self.due.get(_OWN_TERM) if self.committee_id == self.custody_body_id else None

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
        """The mediators, and counsel of a party; part of what scope is decided on."""
        return (*self.mediator_ids, *sorted(self.counsel_ids))

    @property
    def receiver_body_id(self) -> str | None:
        """The body that a pending move waits for."""
        return self.move.to_body_id if self.move else None

    @property
    def receiver_path(self) -> str | None:
        """The path of the body that a pending move waits for."""
        return self.move.to_path if self.move else None

    @property
    def sealing_body_id(self) -> str | None:
        """The body whose seal the present draft needs."""
        return self.draft.seal_body_id if self.draft else None

    @property
    def former_paths(self) -> tuple[str, ...]:
        """The paths of the bodies that had the case before."""
        return tuple(former.path for former in self.former)

    def party(self, party_id: UUID, field: str = "party_id") -> Party:
        """Give a party of this case; `field` of the command names it.

        Raises:
            Malformed: no such party here.
        """
        for party in self.parties:
            if party.party_id == party_id:
                return party
        raise unknown(field, "unknown-party")

    def parties_of(self, ids: Iterable[UUID], field: str) -> tuple[Party, ...]:
        """Give the parties that a list of the command names, each as `party`."""
        return tuple(self.party(it, f"{field}/{at}") for at, it in enumerate(ids))

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

    def faces(self, matter: Matter) -> bool:
        """The case is a matter of this kind."""
        return self.matter_kind == matter

    def is_willing(self, side: Side, answers: Mapping[UUID, Answer]) -> bool:
        """Somebody on this side agreed, by these answers."""
        return any(answers.get(p.party_id) is Answer.AGREED for p in self.parties if p.side is side)

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
        return all(self.is_willing(side, answers) for side in Side)

    def has_agreed(self, party: Party) -> bool:
        """The party's latest answer at the present body is AGREED."""
        return self.consents.get(party.party_id) is Answer.AGREED

    def stamp(
        self,
        facts: CaseFacts,
        event_type: type[Event],
        *,
        reason_code: str | None = None,
        legal_basis: str | None = None,
        caused_by: UUID | None = None,
    ) -> dict[str, Any]:
        """Give the envelope of a new event of this case, and where the case is now."""
        stamped = facts.stamp(
            event_type, reason_code=reason_code, legal_basis=legal_basis, caused_by=caused_by
        )
        return stamped | {"at_body_id": self.custody_body_id, "at_level": self.level}

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


def require_code(table: str, code: str | None, field: str) -> None:
    """Refuse a code that the code table does not have.

    Raises:
        Malformed: names the field and the table, not the code.
    """
    if code is None or not is_code(table, code):
        raise Malformed(
            zh=f"所填代码不存在，请从代码表 {table} 中选择。",
            en=f"Unknown code; choose one from the code table {table} (GET /codes).",
            faults=(FieldFault(f"/{field}", "unknown-code", table),),
        )


class CaseCommand(Command, frozen=True, kw_only=True):
    """A command on a case that is registered already; `matters` are the kinds it belongs to."""

    stream_kind: ClassVar[str] = "case"
    matters: ClassVar[frozenset[Matter]] = frozenset(Matter)


class CaseFact(CaseCommand, frozen=True, kw_only=True):
    """A recorded fact: refused only if malformed; flaws are stored with it."""

    is_fact: ClassVar[bool] = True


class CaseEvent(Event, frozen=True, kw_only=True):
    """An event of a case: after the envelope, the phase it leaves behind, and its due dates.

    `at_body_id` and `at_level` are the body that had the case when it happened, and its level:
    before the event, so that a hand-over stands at the body that gives the case away. `due` are
    the dates that start with it, `due_ended` the keys of those that end with it: what was decided,
    to be copied by whoever folds. Ends come before starts: a key that stands in both starts anew.
    """

    phase: Phase
    at_body_id: str
    at_level: str
    due: tuple[DueDate, ...] = ()
    due_ended: tuple[str, ...] = ()


class RecordedFact(CaseEvent, frozen=True, kw_only=True):
    """An event of a recorded fact: after the phase, what was irregular about it (程序瑕疵)."""

    irregularities: tuple[str, ...]


class CaseFacts(OfficeFacts, frozen=True, kw_only=True):
    """The facts of a decision on a case."""

    def basis(self, case: CaseState, *, inside: str, elsewhere: str) -> str:
        """Give the law by which a body acts: one inside an employer, or any other.

        L-PROV binds the committees of enterprises; elsewhere it is followed by analogy (cf.).
        """
        level = self.ladder_of(case).level(case.level)
        return inside if level.inside_employer else elsewhere

    def capacity_of(self, body_id: str) -> Capacity | None:
        """Give what a body may do on the day of the fact; None if that was never settled."""
        return self.network.body(body_id).capacity_on(self.occurred_on)

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
    start: tuple[datetime, UUID | None] | None = None,
    subject: str | None = None,
) -> DueDate:
    """Decide a due date that starts with the event being decided, or at `start` (ADR 0007).

    `start` is a time with the event that records it, None where it is no more than a date.
    A limit that the ladder sets goes before the catalogue's own: length, unit and source.
    """
    limit = ladder.limit(code)
    at, event_id = start or (facts.occurred_at, facts.event_id(event_type))
    decided = due(
        code,
        start_at=at,
        start_event_id=event_id,
        calendar=facts.calendar,
        length=limit.length if limit and length is None else length,
        unit=cast("Unit", limit.unit) if limit and length is None else None,
        no_later_than=no_later_than,
        decided_on=day_of(facts.at),
        subject=subject,
    )
    # A red case has another length of the same deadline, not another deadline.
    decided = msgspec.structs.replace(decided, code=code.partition("-")[0])
    return msgspec.structs.replace(decided, article=limit.source) if limit else decided


def level_target(
    facts: CaseFacts, ladder: Ladder, level: str, event_type: type[Event], end: date
) -> DueDate:
    """Decide D13, the internal target of a level, never later than the statutory end."""
    days = ladder.target_days(level)
    return due_date("D13", facts, ladder, event_type, length=days, no_later_than=end)


def acceptance_due(
    facts: CaseFacts,
    ladder: Ladder,
    level: str,
    event_type: type[Event],
    start: tuple[datetime, UUID | None] | None = None,
) -> DueDate:
    """Decide D01, by when a case is accepted or refused; `start` as in `due_date`.

    L-PROV 22 binds the committees of enterprises; elsewhere it is followed by analogy (cf.).
    """
    decided = due_date("D01", facts, ladder, event_type, start=start)
    if ladder.level(level).inside_employer or ladder.limit("D01"):
        return decided
    return msgspec.structs.replace(decided, article=f"cf. {decided.article}")


def require_countable(sums: Iterable[int], *, beside: int = 0) -> None:
    """Refuse sums, in fen, that a case cannot hold together.

    Raises:
        Malformed: with what stands `beside` them they pass `MOST_FEN_OF_A_CASE`.
    """
    if sum(sums) + beside > MOST_FEN_OF_A_CASE:
        raise Malformed(
            zh="本案金额合计超出可登记的范围，请核对金额（单位为分）。",
            en="The sums of this case together pass what can be recorded; check them (in fen).",
            code="sum-too-large",
        )


def days_left_on(case: CaseState, facts: CaseFacts) -> int | None:
    """Count the calendar days of the statutory term that are left; None if it does not run."""
    term = case.term
    return (term.due_on - facts.occurred_on).days if term else None


def case_stream(case_id: UUID) -> StreamRef:
    """Name the stream of a case."""
    return StreamRef("case", case_id)


def derived_risk(
    case: CaseState, facts: CaseFacts, flags: frozenset[str], *, workers: int | None = None
) -> Risk:
    """Derive the risk of a case under these flags, by the published rule of its ladder."""
    count = case.workers if workers is None else workers
    return facts.ladder_of(case).risk(flags, count, None)


def first_report_due(
    case: CaseState, risk: Risk, facts: CaseFacts, ladder: Ladder, event_type: type[Event]
) -> tuple[DueDate, ...]:
    """Decide D26 when a case turns red: the first urgent report is due within clock hours.

    Turning red once more buys no time, and nobody reports a closed case.
    """
    is_known = case.risk == Risk.RED or case.reports or "D26" in case.due
    if risk is not Risk.RED or is_known or case.phase is Phase.CLOSED:
        return ()
    return (due_date("D26", facts, ladder, event_type),)


starts_as("case", CaseState())
