"""A matter is registered and gets its number: always, also when it is refused afterwards.

L-LDMA 10 and L-ZJ 7: a party may come to any listed body, without ground or approval.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar
from uuid import UUID, uuid5

import msgspec

from mediation.calendar import DueDate
from mediation.case.lifecycle import require_allowed
from mediation.case.state import (
    CaseCommand,
    CaseEvent,
    CaseFact,
    CaseFacts,
    CaseState,
    RecordedFact,
    acceptance_due,
    derived_risk,
    due_date,
    first_report_due,
    level_target,
    require_countable,
)
from mediation.case.values import ClaimLine, Code, Fen, Matter, Name, Party, Phase, Side
from mediation.codes import DIGEST as CODES_DIGEST
from mediation.codes import REF as CODES_REF
from mediation.codes import is_code
from mediation.errors import FieldFault, Malformed, NotAllowedNow, Refusal
from mediation.kernel import (
    Decision,
    Event,
    StreamRef,
    decides,
    evolves,
    starts_as,
    stored_as,
)
from mediation.privacy import ID_NUMBER, Personal, Purpose, Sealed, numbers_a_person

_NUMBERS = UUID("5d0f3c3e-5a0e-5b42-9d3c-6b1f6f1f8a11")


CreditCode = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-HJ-NP-RTUWXY]{18}$")]
"""统一社会信用代码 (GB 32100): 18 digits and letters, without I, O, S, V and Z."""

_DIGITS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_SOLE_TRADER = "92"


def is_credit_code(code: str) -> bool:
    """Say whether this is a credit code: its characters are, and the check character holds."""
    if not re.fullmatch(r"[0-9A-HJ-NP-RTUWXY]{18}", code):
        return False
    weighed = sum(_DIGITS.index(it) * pow(3, at, 31) for at, it in enumerate(code[:17]))
    return _DIGITS[-weighed % 31] == code[17]


def is_unit_code(code: str) -> bool:
    """Say whether this is the credit code of a unit and of no person.

    A sole trader (92…) is a person, and a resident's ID number has as many characters.
    """
    return is_credit_code(code) and not code.startswith(_SOLE_TRADER) and not _is_id_number(code)


def _is_id_number(code: str) -> bool:
    """Say whether this may be a resident's ID number (GB 11643): a day of birth, a check digit."""
    if not re.fullmatch(ID_NUMBER, code):
        return False
    weighed = sum(int(it) * pow(2, 17 - at, 11) for at, it in enumerate(code[:17]))
    return "10X98765432"[weighed % 11] == code[17]


class PartyEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A party as typed in: a unit by `company_name`, a person (also a sole trader) by `name`.

    A unit's name and credit code are stored in clear only where it is said which kind of unit it
    is (`party_kind` COMPANY or OTHER_UNIT) and its identity is verified; else the name is sealed
    like a person's. `provisional` marks an identity that is not verified yet (a nickname, a shop
    sign). What numbers a sole trader, its own credit code too, goes into `id_number`.
    """

    role: Code
    party_kind: Code | None = None
    provisional: bool = False
    company_name: Name | None = None
    credit_code: CreditCode | None = None
    name: Personal | None = None
    id_number: Personal | None = None
    phone: Personal | None = None
    address: Personal | None = None


class LineEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A claim as typed in: which applicant of which respondent (both counted from 0), in fen."""

    applicant: Annotated[int, msgspec.Meta(ge=0)]
    respondent: Annotated[int, msgspec.Meta(ge=0)] = 0
    cause: Code
    claimed_fen: Fen


class RegisterCase(CaseCommand, frozen=True, kw_only=True):
    """Register a matter at a body; `occurred_at` is when the application was received.

    A DISPUTE is brought to be mediated, a DEMAND to be relayed to the employer, AID to be helped
    with in proceedings.

    Without `body_id` it is the body for which the actor acts. `oral` says that the application
    was made by word of mouth and is recorded here by the actor (L-LDMA 12).
    """

    is_fact: ClassVar[bool] = True
    creates: ClassVar[bool] = True

    matter_kind: Matter
    entry: Code = "PARTY_DIRECT"
    channel: Code
    body_id: Code | None = None
    oral: bool = False
    applicants: Annotated[tuple[PartyEntry, ...], msgspec.Meta(min_length=1, max_length=1000)]
    respondents: Annotated[tuple[PartyEntry, ...], msgspec.Meta(min_length=1, max_length=50)]
    request: Personal
    cause: Code
    lines: Annotated[tuple[LineEntry, ...], msgspec.Meta(min_length=1, max_length=5000)]


class NumberState(msgspec.Struct, frozen=True):
    """How many numbers a body has issued in a year; a number is never issued twice."""

    issued: int = 0


def number_stream(district: str, body_id: str, year: int) -> StreamRef:
    """Name the counter of one body and one year."""
    return StreamRef("case-number", uuid5(_NUMBERS, f"{district}/{body_id}/{year}"))


def _body_id(command: RegisterCase, facts: CaseFacts) -> str:
    body_id = command.body_id or facts.actor.body_id
    if body_id is None:
        raise Malformed(
            zh="请填写登记单位 body_id。",
            en="Say at which body the matter is registered (body_id).",
            faults=(FieldFault("/body_id", "required"),),
        )
    return body_id


def reads_counter(command: RegisterCase, facts: CaseFacts) -> tuple[StreamRef, ...]:
    """Name the counter from which a registration takes its number."""
    return (number_stream(facts.district, _body_id(command, facts), facts.occurred_on.year),)


_UNITS = frozenset({"COMPANY", "OTHER_UNIT"})


def _kind(party: PartyEntry) -> str:
    """Give the kind as stated; nobody is taken for a company because his name stands alone."""
    return party.party_kind or ("WORKER" if party.role == "WORKER" else "UNSTATED")


def _is_in_clear(party: PartyEntry) -> bool:
    """Only what is said to be a unit, and is verified to be one, stands in clear."""
    return party.party_kind in _UNITS and not party.provisional


def party_faults(pointer: str, party: PartyEntry) -> list[FieldFault]:
    """List what is wrong with a party as typed in, each place below `pointer`."""
    checks = (
        (pointer, "company-name-or-name", (party.company_name is None) != (party.name is None)),
        # A sole trader is a person: what names him is sealed, never stored in clear.
        (
            pointer,
            "person-in-clear",
            party.company_name is None
            or (party.role != "WORKER" and party.party_kind in {None, *_UNITS}),
        ),
        (
            f"{pointer}/company_name",
            "person-in-clear",
            party.company_name is None
            or not _is_in_clear(party)
            or not numbers_a_person(party.company_name),
        ),
        (
            f"{pointer}/credit_code",
            "person-in-clear",
            party.credit_code is None or (party.company_name is not None and _is_in_clear(party)),
        ),
        (
            f"{pointer}/credit_code",
            "credit-code",
            party.credit_code is None or is_unit_code(party.credit_code),
        ),
    )
    unknown = [
        FieldFault(f"{pointer}/{field}", "unknown-code", table)
        for field, table, code in (
            ("role", "party_roles", party.role),
            ("party_kind", "party_kinds", party.party_kind),
        )
        if code is not None and not is_code(table, code)
    ]
    return unknown + [FieldFault(at, code) for at, code, holds in checks if not holds]


def _require_a_track(command: RegisterCase) -> None:
    """Delegated cases run on the term of whoever delegated them (ADR 0016)."""
    if command.entry == "DELEGATED":
        raise Malformed(
            zh="委派、委托调解案件的办理流程尚未开通，请暂以纸质登记。",
            en="Delegated cases cannot be handled here yet; keep them on paper for now.",
            faults=(FieldFault("/entry", "no-track-yet"),),
            code="no-track-yet",
        )


_ENTRY_OF = {
    "proactive": "PROACTIVE",
    "court-delegated": "DELEGATED",
    "arbitration-delegated": "DELEGATED",
}
"""Channels that say by themselves on whose initiative the matter stands here, and so its term."""


def _twice(side: str, parties: Sequence[PartyEntry]) -> Iterator[FieldFault]:
    """Name who stands on a side a second time: one number of identity is one person."""
    seen = set[Personal]()
    for at, party in enumerate(parties):
        if party.id_number is None:
            continue
        number = party.id_number.plainly()
        if number in seen:
            yield FieldFault(f"/{side}/{at}/id_number", "same-person")
        seen.add(number)


def _check_codes(command: RegisterCase) -> None:
    faults = [
        FieldFault(pointer, "unknown-code", table)
        for pointer, table, code in (
            ("/entry", "entries", command.entry),
            ("/channel", "channels", command.channel),
            ("/cause", "causes", command.cause),
        )
        if not is_code(table, code)
    ]
    needed = _ENTRY_OF.get(command.channel, command.entry)
    if command.entry != needed:
        faults.append(FieldFault("/channel", "not-of-this-entry"))
    for side in ("applicants", "respondents"):
        faults += [
            fault
            for at, party in enumerate(getattr(command, side))
            for fault in party_faults(f"/{side}/{at}", party)
        ]
        faults += _twice(side, getattr(command, side))
    for at, line in enumerate(command.lines):
        if not is_code("causes", line.cause):
            faults.append(FieldFault(f"/lines/{at}/cause", "unknown-code", "causes"))
        if line.applicant >= len(command.applicants):
            faults.append(FieldFault(f"/lines/{at}/applicant", "unknown-party"))
        if line.respondent >= len(command.respondents):
            faults.append(FieldFault(f"/lines/{at}/respondent", "unknown-party"))
    if faults:
        raise Malformed(
            zh="登记内容有误：请按提示逐项改正代码或当事人序号。",
            en="Some codes or party numbers are wrong; correct each field named below.",
            faults=tuple(faults),
        )


def party_of(party_id: UUID, entry: PartyEntry, side: Side) -> Party:
    """Make a party out of what was typed in: what is personal is marked as its own."""

    def sealed(value: Personal | None, purpose: Purpose) -> Sealed | None:
        return value.of(party_id, purpose) if value is not None else None

    name, shown = entry.name, entry.company_name
    if shown is not None and not _is_in_clear(entry):
        name, shown = Personal(shown), None
    return Party(
        party_id=party_id,
        side=side,
        role=entry.role,
        party_kind=_kind(entry),
        provisional=entry.provisional,
        company_name=shown,
        credit_code=entry.credit_code,
        name=sealed(name, Purpose.IDENTITY),
        id_number=sealed(entry.id_number, Purpose.IDENTITY),
        phone=sealed(entry.phone, Purpose.CONTACT),
        address=sealed(entry.address, Purpose.CONTACT),
    )


@decides(RegisterCase, reads=reads_counter)
def register_case(case: CaseState, command: RegisterCase, facts: CaseFacts) -> Decision:
    """Give the matter its number and start its clocks."""
    _check_codes(command)
    _require_a_track(command)
    require_countable(it.claimed_fen for it in command.lines)
    body = facts.network.body(_body_id(command, facts))
    ladder = facts.ladder
    counter = number_stream(facts.district, body.body_id, facts.occurred_on.year)
    sequence = facts.streams[counter].issued + 1
    number = f"{body.number_prefix}〔{facts.occurred_on.year}〕{sequence:04d}号"
    applicants = tuple(
        party_of(facts.new_id(f"applicant:{at}"), entry, Side.APPLICANT)
        for at, entry in enumerate(command.applicants)
    )
    respondents = tuple(
        party_of(facts.new_id(f"respondent:{at}"), entry, Side.RESPONDENT)
        for at, entry in enumerate(command.respondents)
    )
    workers = sum(it.role == "WORKER" for it in (*applicants, *respondents))
    risk = ladder.risk(frozenset(), workers, None)
    # A proactive offer is no application: its clocks wait for both sides' consent.
    by_application = command.matter_kind is Matter.DISPUTE and command.entry != "PROACTIVE"
    issued = CaseNumberIssued(
        **facts.stamp(CaseNumberIssued),
        case_id=facts.case_id(),
        issuing_body_id=body.body_id,
        year=facts.occurred_on.year,
        sequence=sequence,
        case_number=number,
    )
    registered = CaseRegistered(
        **facts.stamp(CaseRegistered),
        phase=Phase.REGISTERED,
        at_body_id=body.body_id,
        at_level=body.level,
        due=(
            *_first_dates(command, facts, body.level, by_application=by_application),
            *first_report_due(case, risk, facts, ladder, CaseRegistered),
        ),
        irregularities=() if body.is_open(facts.occurred_on) else ("body-closed",),
        case_id=facts.case_id(),
        case_number=number,
        matter_kind=command.matter_kind,
        entry=command.entry,
        channel=command.channel,
        oral=command.oral,
        custody_body_id=body.body_id,
        custody_path=body.path,
        level=body.level,
        branch=body.branch,
        ladder_ref=ladder.ref,
        ladder_digest=ladder.digest,
        codes_ref=CODES_REF,
        codes_digest=CODES_DIGEST,
        applicants=applicants,
        respondents=respondents,
        request=case.text(command.request, facts),
        cause=command.cause,
        lines=tuple(
            ClaimLine(
                line_id=facts.new_id(f"line:{at}"),
                applicant_id=applicants[line.applicant].party_id,
                respondent_id=respondents[line.respondent].party_id,
                cause=line.cause,
                claimed_fen=line.claimed_fen,
            )
            for at, line in enumerate(command.lines)
        ),
        risk=risk,
        # An application for mediation interrupts limitation (L-ARB 27).
        interrupts_limitation=by_application,
    )
    return Decision.of(counter, issued).then(Decision.of(facts.stream, registered))


def _first_dates(
    command: RegisterCase, facts: CaseFacts, level: str, *, by_application: bool
) -> tuple[DueDate, ...]:
    if command.matter_kind is Matter.DEMAND:
        return (due_date("D23", facts, facts.ladder, CaseRegistered),)
    if not by_application:
        return ()
    term = due_date("D02", facts, facts.ladder, CaseRegistered)
    return (
        acceptance_due(facts, facts.ladder, level, CaseRegistered),
        term,
        level_target(facts, facts.ladder, level, CaseRegistered, term.due_on),
    )


@stored_as("case-number.issued")
class CaseNumberIssued(Event, frozen=True, kw_only=True):
    """The counter of a body and year gave its next number to a case, once and for ever."""

    case_id: UUID
    issuing_body_id: str
    year: int
    sequence: int
    case_number: str


@stored_as("case.registered")
class CaseRegistered(RecordedFact, frozen=True, kw_only=True):
    """A matter was registered at a body, with its parties, its request and its claim lines."""

    case_id: UUID
    case_number: str
    matter_kind: str
    entry: str
    channel: str
    oral: bool
    custody_body_id: str
    custody_path: str
    level: str
    branch: str | None
    ladder_ref: str
    ladder_digest: str
    codes_ref: str
    codes_digest: str
    applicants: tuple[Party, ...]
    respondents: tuple[Party, ...]
    request: Sealed
    cause: str
    lines: tuple[ClaimLine, ...]
    risk: str
    interrupts_limitation: bool


@evolves(CaseNumberIssued)
def _(state: NumberState, event: CaseNumberIssued) -> NumberState:
    return NumberState(issued=event.sequence)


@evolves(CaseRegistered)
def _(case: CaseState, event: CaseRegistered) -> CaseState:
    parties = event.applicants + event.respondents
    return case.with_(
        event,
        case_id=event.case_id,
        case_number=event.case_number,
        matter_kind=event.matter_kind,
        entry=event.entry,
        channel=event.channel,
        received_at=event.occurred_at,
        registered_in=event.command_id,
        registration_id=event.event_id,
        filed_by_id=event.actor_id,
        ladder_ref=event.ladder_ref,
        ladder_digest=event.ladder_digest,
        level=event.level,
        branch=event.branch,
        custody_body_id=event.custody_body_id,
        custody_path=event.custody_path,
        applicants=event.applicants,
        respondents=event.respondents,
        cause=event.cause,
        lines=event.lines,
        risk=event.risk,
        disclosed_ids=frozenset(party.party_id for party in parties),
    )


class RaiseFlag(CaseFact, frozen=True, kw_only=True):
    """Mark what makes the case special; the risk follows from the ladder's published rule."""

    flag: Code


class ClearFlag(CaseCommand, frozen=True, kw_only=True):
    """Take a mark off that no longer holds."""

    flag: Code
    explanation: Personal


@decides(RaiseFlag)
def raise_flag(case: CaseState, command: RaiseFlag, facts: CaseFacts) -> Decision:
    """Record the flag and the risk that follows; COLLECTIVE is never set by hand."""
    if not is_code("flags", command.flag) or command.flag == "COLLECTIVE":
        raise Malformed(
            zh="标记代码不可用；集体争议由负责人确认共同请求后自动标记。",
            en="This flag cannot be set by hand; COLLECTIVE follows from the confirmed claim.",
            faults=(FieldFault("/flag", "unknown-code", "flags"),),
        )
    ladder = facts.ladder_of(case)
    risk = derived_risk(case, facts, case.flags | {command.flag})
    return Decision.of(
        facts.stream,
        CaseFlagged(
            **case.stamp(facts, CaseFlagged),
            phase=require_allowed(case, command),
            due=first_report_due(case, risk, facts, ladder, CaseFlagged),
            irregularities=case.flaws(),
            flag=command.flag,
            risk=risk,
        ),
    )


@decides(ClearFlag)
def clear_flag(case: CaseState, command: ClearFlag, facts: CaseFacts) -> Decision:
    """Clear a flag that is set; the risk is derived anew."""
    phase = require_allowed(case, command)
    if command.flag not in case.flags:
        raise NotAllowedNow(
            Refusal("flag-not-set", "本案没有该标记。", "The case does not bear this flag.")
        )
    return Decision.of(
        facts.stream,
        FlagCleared(
            **case.stamp(facts, FlagCleared),
            phase=phase,
            flag=command.flag,
            explanation=case.text(command.explanation, facts),
            risk=derived_risk(case, facts, case.flags - {command.flag}),
        ),
    )


@stored_as("case.flagged")
class CaseFlagged(RecordedFact, frozen=True, kw_only=True):
    """A flag was raised; `risk` is what the published rule makes of all flags now."""

    flag: str
    risk: str


@stored_as("case.flag-cleared")
class FlagCleared(CaseEvent, frozen=True, kw_only=True):
    """A flag was cleared, for a stated reason."""

    flag: str
    explanation: Sealed
    risk: str


@evolves(CaseFlagged)
def _(case: CaseState, event: CaseFlagged) -> CaseState:
    return case.with_(event, flags=case.flags | {event.flag}, risk=event.risk)


@evolves(FlagCleared)
def _(case: CaseState, event: FlagCleared) -> CaseState:
    return case.with_(event, flags=case.flags - {event.flag}, risk=event.risk)


starts_as("case-number", NumberState())
