"""The lead names the mediators; the lead mediator confirms, or says that he cannot.

L-PML 19: mediators are assigned or chosen. Counsel of a party never mediates in the matter.
"""

from __future__ import annotations

from typing import Annotated, ClassVar
from uuid import UUID

import msgspec

from mediation.case.lifecycle import phase_after, require_allowed
from mediation.case.state import (
    CaseCommand,
    CaseEvent,
    CaseFact,
    CaseFacts,
    CaseState,
    RecordedFact,
    due_date,
    require_code,
    unknown,
)
from mediation.case.values import (
    Code,
    Matter,
    Phase,
    unique,
)
from mediation.errors import FieldFault, Malformed, NotAllowedNow, Refusal
from mediation.kernel import Decision, decides, evolves, stored_as
from mediation.privacy import Personal, Sealed


class AssignMediators(CaseCommand, frozen=True, kw_only=True):
    """Assign one mediator or a team of the body in custody; one of them leads.

    `invited_ids` names those among them who come from another body of the network.
    """

    matters: ClassVar[frozenset[Matter]] = frozenset({Matter.DISPUTE})

    mediator_ids: Annotated[tuple[UUID, ...], msgspec.Meta(min_length=1, max_length=20)]
    lead_mediator_id: UUID
    invited_ids: Annotated[tuple[UUID, ...], msgspec.Meta(max_length=20)] = ()


@decides(AssignMediators)
def assign_mediators(case: CaseState, command: AssignMediators, facts: CaseFacts) -> Decision:
    """Assign active mediators; the lead mediator has three working days to confirm."""
    if not case.counsel_ids.isdisjoint(command.mediator_ids):
        raise NotAllowedNow(
            Refusal(
                "counsel-never-mediates",
                "所选人员是本案当事人的援助律师，不得担任本案调解员，请另行分派。",
                "A person chosen is counsel of a party here and never mediates in the matter; "
                "assign somebody else.",
            )
        )
    # What is being signed is not mediated anew.
    is_signing = case.phase is Phase.SIGNING
    phase = require_allowed(case, command, to=Phase.SIGNING if is_signing else None)
    if command.lead_mediator_id not in command.mediator_ids:
        raise Malformed(
            zh="主办调解员必须在所分派的调解员之中。",
            en="The lead mediator must be one of the mediators assigned.",
            faults=(FieldFault("/lead_mediator_id", "not-among-mediators"),),
        )
    if not set(command.invited_ids) <= set(command.mediator_ids):
        raise Malformed(
            zh="邀请名单中的人员必须在所分派的调解员之中。",
            en="Whoever is invited must be one of the mediators assigned.",
            faults=(FieldFault("/invited_ids", "not-among-mediators"),),
        )
    if case.conflicted_ids & set(command.mediator_ids):
        raise NotAllowedNow(
            Refusal(
                "known-conflict",
                "所选调解员在本案中已申明有利害关系，请另行分派。",
                "A mediator chosen has declared an interest in this case; assign somebody else.",
            )
        )
    for at, mediator_id in enumerate(command.mediator_ids):
        bodies = (
            facts.network.bodies if mediator_id in command.invited_ids else (case.custody_body_id,)
        )
        if not any(
            facts.network.is_active_mediator(mediator_id, body_id, facts.occurred_on)
            for body_id in bodies
        ):
            raise NotAllowedNow(
                Refusal(
                    "not-an-active-mediator",
                    f"所选第{at + 1}位不是本单位在任调解员；外单位调解员请列入邀请名单。",
                    f"Mediator no. {at + 1} holds no appointment at this body on that day; "
                    "name mediators of other bodies as invited.",
                )
            )
    return Decision.of(
        facts.stream,
        MediatorsAssigned(
            **case.stamp(facts, MediatorsAssigned),
            phase=phase,
            due=(due_date("D06", facts, facts.ladder_of(case), MediatorsAssigned),),
            mediator_ids=unique(command.mediator_ids),
            lead_mediator_id=command.lead_mediator_id,
            invited_ids=unique(command.invited_ids),
        ),
    )


@stored_as("case.mediators-assigned")
class MediatorsAssigned(CaseEvent, frozen=True, kw_only=True):
    """Mediators were assigned, one of them to lead."""

    mediator_ids: tuple[UUID, ...]
    lead_mediator_id: UUID
    invited_ids: tuple[UUID, ...]


@evolves(MediatorsAssigned)
def _(case: CaseState, event: MediatorsAssigned) -> CaseState:
    return case.with_(
        event,
        mediator_ids=event.mediator_ids,
        lead_mediator_id=event.lead_mediator_id,
        assigned_at=event.occurred_at,
    )


class ConfirmAssignment(CaseFact, frozen=True, kw_only=True):
    """A mediator takes the case on and declares that no relation stands in the way.

    `declares_no_conflict`: false only where a paper is typed in that does not say so (L-ONL 13).
    """

    matters: ClassVar[frozenset[Matter]] = frozenset({Matter.DISPUTE})

    mediator_id: UUID | None = None
    declares_no_conflict: bool = True


class DeclineAssignment(CaseFact, frozen=True, kw_only=True):
    """A mediator cannot take the case on."""

    matters: ClassVar[frozenset[Matter]] = frozenset({Matter.DISPUTE})

    mediator_id: UUID | None = None
    reason_code: Code
    explanation: Personal | None = None


def _mediator(case: CaseState, command_id: UUID | None, facts: CaseFacts) -> UUID:
    mediator_id = command_id or facts.actor.actor_id
    if mediator_id not in case.mediator_ids:
        raise unknown("mediator_id", "not-assigned")
    return mediator_id


@decides(ConfirmAssignment)
def confirm_assignment(case: CaseState, command: ConfirmAssignment, facts: CaseFacts) -> Decision:
    """Record the confirmation; the lead mediator's opens the mediation."""
    mediator_id = _mediator(case, command.mediator_id, facts)
    leads = mediator_id == case.lead_mediator_id
    return Decision.of(
        facts.stream,
        AssignmentConfirmed(
            **case.stamp(facts, AssignmentConfirmed),
            phase=phase_after(case, command, moves=leads),
            due_ended=case.ending("D06") if leads else (),
            irregularities=case.flaws({"no-declaration": not command.declares_no_conflict}),
            mediator_id=mediator_id,
            leads=leads,
            declares_no_conflict=command.declares_no_conflict,
        ),
    )


@decides(DeclineAssignment)
def decline_assignment(case: CaseState, command: DeclineAssignment, facts: CaseFacts) -> Decision:
    """Record the refusal; the lead mediator's sends the case back to be assigned."""
    actor_id = facts.actor.actor_id
    # A lead may decline for a mediator who is away: by default for the lead mediator.
    fallback = actor_id if actor_id in case.mediator_ids else case.lead_mediator_id
    mediator_id = _mediator(case, command.mediator_id or fallback, facts)
    leads = mediator_id == case.lead_mediator_id
    require_code("assignment_decline_reasons", command.reason_code, "reason_code")
    return Decision.of(
        facts.stream,
        AssignmentDeclined(
            **case.stamp(facts, AssignmentDeclined, reason_code=command.reason_code),
            phase=phase_after(case, command, moves=leads),
            due_ended=case.ending("D06") if leads else (),
            irregularities=case.flaws(),
            mediator_id=mediator_id,
            leads=leads,
            explanation=case.text(command.explanation, facts),
        ),
    )


@stored_as("case.assignment-confirmed")
class AssignmentConfirmed(RecordedFact, frozen=True, kw_only=True):
    """A mediator took the case on; when `leads` (主办), the mediation is under way.

    `declares_no_conflict` says that he declared to have no interest in the matter or a party.
    """

    mediator_id: UUID
    leads: bool
    declares_no_conflict: bool


@stored_as("case.assignment-declined")
class AssignmentDeclined(RecordedFact, frozen=True, kw_only=True):
    """A mediator could not take the case on; when `leads`, it is to be assigned anew."""

    mediator_id: UUID
    leads: bool
    explanation: Sealed | None


@evolves(AssignmentConfirmed)
def _(case: CaseState, event: AssignmentConfirmed) -> CaseState:
    return case.with_(event)


@evolves(AssignmentDeclined)
def _(case: CaseState, event: AssignmentDeclined) -> CaseState:
    conflicted = case.conflicted_ids
    if event.reason_code == "conflict":
        conflicted |= {event.mediator_id}
    if event.leads:
        return case.with_(event, conflicted_ids=conflicted, mediator_ids=(), lead_mediator_id=None)
    rest = tuple(mediator for mediator in case.mediator_ids if mediator != event.mediator_id)
    return case.with_(event, conflicted_ids=conflicted, mediator_ids=rest)
