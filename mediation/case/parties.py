"""Parties who come later, identities that get verified, and the common claim of ten or more."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec

from mediation.case.intake import PartyEntry, party_faults, party_of
from mediation.case.lifecycle import require_allowed
from mediation.case.state import (
    CaseCommand,
    CaseEvent,
    CaseFact,
    CaseFacts,
    CaseState,
    RecordedFact,
    derived_risk,
    first_report_due,
    require_code,
    require_countable,
    unknown,
)
from mediation.case.values import ClaimLine, Code, Fen, Party, Side
from mediation.errors import FieldFault, Malformed
from mediation.kernel import Decision, decides, evolves, stored_as
from mediation.privacy import Personal, Sealed


class AddedLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A claim between the party that is added and one of the other side, in fen."""

    counterpart_id: UUID
    cause: Code
    claimed_fen: Fen


class AddParty(CaseFact, frozen=True, kw_only=True):
    """Add a party to a side, with the claims that come with it."""

    side: Side
    party: PartyEntry
    lines: Annotated[tuple[AddedLine, ...], msgspec.Meta(max_length=200)] = ()


class IdentifyParty(CaseFact, frozen=True, kw_only=True):
    """Put a verified identity in the place of a provisional one (a nickname, a shop sign).

    `verified_by` says by what it was verified: a code of `identity_proofs`.
    """

    party_id: UUID
    party: PartyEntry
    verified_by: Code | None = None


class ConfirmCollective(CaseCommand, frozen=True, kw_only=True):
    """The lead confirms that ten or more workers bring a common claim (L-LDMA 7)."""

    explanation: Personal | None = None


_KEPT = ("id_number", "phone", "address")
"""What stays of a party whose name is verified, where it is not typed in again."""


def _require_sound(entry: PartyEntry) -> None:
    faults = party_faults("/party", entry)
    if faults:
        raise Malformed(
            zh="当事人信息有误：请按提示逐项改正。",
            en="The party is not well formed; correct each field named below.",
            faults=tuple(faults),
        )


@decides(AddParty)
def add_party(case: CaseState, command: AddParty, facts: CaseFacts) -> Decision:
    """Record the party; more workers may change the risk."""
    _require_sound(command.party)
    party = party_of(facts.new_id("party"), command.party, command.side)
    require_countable((it.claimed_fen for it in command.lines), beside=case.claimed_fen)
    others = case.respondents if command.side is Side.APPLICANT else case.applicants
    known = {other.party_id for other in others}
    lines = []
    for at, it in enumerate(command.lines):
        require_code("causes", it.cause, f"lines/{at}/cause")
        if it.counterpart_id not in known:
            raise unknown(f"lines/{at}/counterpart_id", "not-of-the-other-side")
        applies = command.side is Side.APPLICANT
        lines.append(
            ClaimLine(
                line_id=facts.new_id(f"line:{at}"),
                applicant_id=party.party_id if applies else it.counterpart_id,
                respondent_id=it.counterpart_id if applies else party.party_id,
                cause=it.cause,
                claimed_fen=it.claimed_fen,
            )
        )
    workers = case.workers + (party.role == "WORKER")
    risk = derived_risk(case, facts, case.flags, workers=workers)
    return Decision.of(
        facts.stream,
        PartyAdded(
            **case.stamp(facts, PartyAdded),
            phase=require_allowed(case, command),
            due=first_report_due(case, risk, facts, facts.ladder_of(case), PartyAdded),
            irregularities=case.flaws(),
            party=party,
            lines=tuple(lines),
            risk=risk,
        ),
    )


@decides(IdentifyParty)
def identify_party(case: CaseState, command: IdentifyParty, facts: CaseFacts) -> Decision:
    """Record who the party is; a company needs its registered name or its credit code."""
    _require_sound(command.party)
    known = case.party(command.party_id)
    if command.party.provisional:
        raise Malformed(
            zh="核实身份须填写经核实的信息，不能仍为暂定身份。",
            en="State the verified identity; it cannot be provisional still.",
            faults=(FieldFault("/party/provisional", "still-provisional"),),
        )
    if (command.party.role == "WORKER") != (known.role == "WORKER"):
        raise Malformed(
            zh="核实身份不改变当事人是否为职工；身份登记有误的，请增列当事人。",
            en="Checking an identity does not make a worker of somebody else, nor the reverse; add "
            "the right party instead.",
            faults=(FieldFault("/party/role", "not-the-same-party"),),
        )
    if command.verified_by is not None:
        require_code("identity_proofs", command.verified_by, "verified_by")
    party = party_of(known.party_id, command.party, known.side)
    kept = tuple(it for it in _KEPT if getattr(party, it) is None and getattr(known, it))
    return Decision.of(
        facts.stream,
        PartyIdentified(
            **case.stamp(facts, PartyIdentified),
            phase=require_allowed(case, command),
            irregularities=case.flaws(),
            party=party,
            kept=kept,
            verified_by=command.verified_by,
        ),
    )


@decides(ConfirmCollective)
def confirm_collective(case: CaseState, command: ConfirmCollective, facts: CaseFacts) -> Decision:
    """Mark the case as a collective dispute; the risk is derived anew."""
    phase = require_allowed(case, command)
    ladder = facts.ladder_of(case)
    risk = derived_risk(case, facts, case.flags | {"COLLECTIVE"})
    return Decision.of(
        facts.stream,
        CollectiveConfirmed(
            **case.stamp(facts, CollectiveConfirmed, legal_basis="L-LDMA 7"),
            phase=phase,
            due=first_report_due(case, risk, facts, ladder, CollectiveConfirmed),
            workers=case.workers,
            risk=risk,
            explanation=case.text(command.explanation, facts),
        ),
    )


@stored_as("case.party-added")
class PartyAdded(RecordedFact, frozen=True, kw_only=True):
    """A party joined a side, with its claims; `risk` is what the published rule makes of it."""

    party: Party
    lines: tuple[ClaimLine, ...]
    risk: str


@stored_as("case.party-identified")
class PartyIdentified(RecordedFact, frozen=True, kw_only=True):
    """The identity of a party was verified; it takes the place of what was recorded before.

    But for the fields that `kept` names, which were not typed in again and stay as they were: a
    null in any other field of `party` means that there is nothing. `verified_by` says by what it
    was verified, null if that was not said.
    """

    party: Party
    kept: tuple[str, ...]
    verified_by: str | None


@stored_as("case.collective-confirmed")
class CollectiveConfirmed(CaseEvent, frozen=True, kw_only=True):
    """The lead confirmed the common claim of so many workers: a collective dispute."""

    workers: int
    risk: str
    explanation: Sealed | None


@evolves(PartyAdded)
def _(case: CaseState, event: PartyAdded) -> CaseState:
    applies = event.party.side is Side.APPLICANT
    return case.with_(
        event,
        applicants=(*case.applicants, event.party) if applies else case.applicants,
        respondents=case.respondents if applies else (*case.respondents, event.party),
        lines=(*case.lines, *event.lines),
        disclosed_ids=case.disclosed_ids | {event.party.party_id},
        risk=event.risk,
    )


@evolves(PartyIdentified)
def _(case: CaseState, event: PartyIdentified) -> CaseState:
    said = event.party

    def now(parties: tuple[Party, ...]) -> tuple[Party, ...]:
        return tuple(
            msgspec.structs.replace(said, **{name: getattr(it, name) for name in event.kept})
            if it.party_id == said.party_id
            else it
            for it in parties
        )

    return case.with_(event, applicants=now(case.applicants), respondents=now(case.respondents))


@evolves(CollectiveConfirmed)
def _(case: CaseState, event: CollectiveConfirmed) -> CaseState:
    return case.with_(event, flags=case.flags | {"COLLECTIVE"}, risk=event.risk)
