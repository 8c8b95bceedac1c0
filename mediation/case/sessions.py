"""Rights are told and sessions are held; what was irregular about them is stored, not refused."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec

from mediation.case.lifecycle import require_allowed
from mediation.case.state import CaseFact, CaseFacts, CaseState, RecordedFact, require_code
from mediation.case.values import (
    Answer,
    Code,
    Matter,
    MeansCode,
    Phase,
    unique,
)
from mediation.kernel import Decision, decides, evolves, stored_as
from mediation.privacy import Personal, Sealed


class ServeRightsNotice(CaseFact, frozen=True, kw_only=True):
    """Tell one party its rights and duties in mediation (L-PML 23, 24)."""

    party_id: UUID
    means: MeansCode


@decides(ServeRightsNotice)
def serve_rights_notice(case: CaseState, command: ServeRightsNotice, facts: CaseFacts) -> Decision:
    """Record that the party was told."""
    return Decision.of(
        facts.stream,
        RightsNoticeServed(
            **case.stamp(facts, RightsNoticeServed, legal_basis="L-PML 23; L-PML 24"),
            phase=require_allowed(case, command),
            irregularities=case.flaws(),
            party_id=case.party(command.party_id).party_id,
            means=command.means,
        ),
    )


@stored_as("case.rights-notice-served")
class RightsNoticeServed(RecordedFact, frozen=True, kw_only=True):
    """A party was told its rights and duties."""

    party_id: UUID
    means: str


@evolves(RightsNoticeServed)
def _(case: CaseState, event: RightsNoticeServed) -> CaseState:
    # Typed in out of order: the earliest counts.
    first = min(event.occurred_at, case.rights_served_at.get(event.party_id, event.occurred_at))
    return case.with_(event, rights_served_at={**case.rights_served_at, event.party_id: first})


class RecordSession(CaseFact, frozen=True, kw_only=True):
    """Write down a session: who came, who hosted, what was said and how it ended.

    `also_present` names in which roles others sat in, such as an interpreter or counsel;
    `rights_told` says that those attending were told their rights and duties as it began.
    """

    matters: ClassVar[frozenset[Matter]] = frozenset({Matter.DISPUTE})

    mode: Literal["joint", "separate", "online", "phone"]
    attending_ids: Annotated[tuple[UUID, ...], msgspec.Meta(min_length=1, max_length=1050)]
    host_ids: Annotated[tuple[UUID, ...], msgspec.Meta(min_length=1, max_length=20)]
    also_present: Annotated[tuple[Code, ...], msgspec.Meta(max_length=50)] = ()
    rights_told: bool = False
    place: Personal | None = None
    minutes: Personal
    signed_by_ids: Annotated[tuple[UUID, ...], msgspec.Meta(max_length=1050)] = ()
    result: Literal["no-agreement", "continued", "agreed", "undertaking"]


@decides(RecordSession)
def record_session(case: CaseState, command: RecordSession, facts: CaseFacts) -> Decision:
    """Store the session as it was held, with every flaw it had."""
    case.parties_of(command.attending_ids, "attending_ids")
    case.parties_of(command.signed_by_ids, "signed_by_ids")
    for at, code in enumerate(command.also_present):
        require_code("attendee_roles", code, f"also_present/{at}")
    phase = require_allowed(case, command)
    held = SessionHeld(
        **case.stamp(facts, SessionHeld),
        phase=phase,
        due_ended=case.ending("D06") if case.phase is Phase.ASSIGNED else (),
        irregularities=_flaws(case, command, facts),
        mode=command.mode,
        attending_ids=unique(command.attending_ids),
        host_ids=unique(command.host_ids),
        also_present=command.also_present,
        place=case.text(command.place, facts),
        signed_by_ids=unique(command.signed_by_ids),
        minutes=case.text(command.minutes, facts),
        result=command.result,
    )
    return Decision.of(facts.stream, *_told_at_the_start(case, command, facts), held)


def _told_at_the_start(
    case: CaseState, command: RecordSession, facts: CaseFacts
) -> tuple[RightsNoticeServed, ...]:
    """Tell those attending who have not been told yet, as the session begins."""
    if not command.rights_told:
        return ()
    untold = [it for it in command.attending_ids if it not in case.rights_served_at]
    return tuple(
        RightsNoticeServed(
            **case.stamp(facts, RightsNoticeServed, legal_basis="L-PML 23; L-PML 24")
            | {"event_id": facts.new_id(f"rights:{party_id}")},
            phase=case.phase or Phase.REGISTERED,
            irregularities=case.flaws(),
            party_id=party_id,
            means="attending",
        )
        for party_id in unique(untold)
    )


def _flaws(case: CaseState, command: RecordSession, facts: CaseFacts) -> tuple[str, ...]:
    """Judge by when the session was held, not by when it was typed in."""
    held_at, term = facts.occurred_at, case.term

    def not_yet(at: datetime | None) -> bool:
        return at is None or at > held_at

    return case.flaws(
        {
            "unassigned-host": not set(command.host_ids) <= set(case.mediator_ids)
            or not_yet(case.assigned_at),
            "no-rights-notice": not command.rights_told
            and any(
                not_yet(case.rights_served_at.get(party_id)) for party_id in command.attending_ids
            ),
            "without-consent": any(
                case.consents.get(party_id) in (None, Answer.REFUSED)
                for party_id in command.attending_ids
            ),
            "before-acceptance": case.phase in (Phase.REGISTERED, Phase.CONSENT_PENDING)
            or (case.acceptance_open and not_yet(case.accepted_at)),
            "after-consent-withdrawn": not case.withdrawn_ids.isdisjoint(command.attending_ids),
            "out-of-order": case.phase
            in (Phase.FAILED, Phase.NOT_ACCEPTED, Phase.WITHDRAWN, Phase.IN_PROCEEDINGS),
            "after-term": command.mode == "joint"
            and term is not None
            and facts.occurred_on > term.rolled_on,
        }
    )


@stored_as("case.session-held")
class SessionHeld(RecordedFact, frozen=True, kw_only=True):
    """A session took place; its minutes are privileged (L-PROV 11, L-ONL 18)."""

    mode: str
    attending_ids: tuple[UUID, ...]
    host_ids: tuple[UUID, ...]
    also_present: tuple[str, ...]
    place: Sealed | None
    signed_by_ids: tuple[UUID, ...]
    minutes: Sealed
    result: str


@evolves(SessionHeld)
def _(case: CaseState, event: SessionHeld) -> CaseState:
    return case.with_(event, sessions_here=case.sessions_here + 1)
