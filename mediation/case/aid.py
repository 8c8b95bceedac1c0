"""Workers are helped with their own proceedings: aid is granted or refused, counsel is appointed.

Aid is no mediation: the lawyers act for the workers (L-TUL 30), and whoever is counsel never
mediates in the matter.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from mediation.case.lifecycle import require_allowed
from mediation.case.state import (
    CaseCommand,
    CaseEvent,
    CaseFacts,
    CaseState,
    due_date,
    require_code,
    unknown,
)
from mediation.case.values import Code, Matter, PartyIds, unique
from mediation.errors import NotAllowedNow, Refusal
from mediation.kernel import Decision, StreamRef, decides, evolves, stored_as
from mediation.network.accounts import AccountState, Role, account_stream
from mediation.privacy import Personal, Sealed

_AID = frozenset({Matter.AID})


class GrantAid(CaseCommand, frozen=True, kw_only=True):
    """Grant aid to the applicants, for the coded reason."""

    matters: ClassVar[frozenset[Matter]] = _AID

    criteria_code: Code


class RefuseAid(CaseCommand, frozen=True, kw_only=True):
    """Do not grant aid; the applicants are told why in writing, and what else is open to them."""

    matters: ClassVar[frozenset[Matter]] = _AID

    reason_code: Code
    explanation: Personal | None = None


@decides(GrantAid)
def grant_aid(case: CaseState, command: GrantAid, facts: CaseFacts) -> Decision:
    """Grant; whether the matter is a collective one is fixed now, for the statistics."""
    phase = require_allowed(case, command)
    require_code("aid_criteria", command.criteria_code, "criteria_code")
    return Decision.of(
        facts.stream,
        AidGranted(
            **case.stamp(facts, AidGranted, legal_basis="L-TUL 30"),
            phase=phase,
            due_ended=case.ending("D05"),
            criteria_code=command.criteria_code,
            collective=case.is_collective,
        ),
    )


@decides(RefuseAid)
def refuse_aid(case: CaseState, command: RefuseAid, facts: CaseFacts) -> Decision:
    """Refuse with a coded reason; the written notice to the applicants becomes due."""
    phase = require_allowed(case, command)
    require_code("aid_refusal_reasons", command.reason_code, "reason_code")
    owed = tuple(
        party.party_id for party in case.applicants if party.party_id not in case.remedies_told_ids
    )
    return Decision.of(
        facts.stream,
        AidRefused(
            **case.stamp(facts, AidRefused, reason_code=command.reason_code),
            phase=phase,
            due=(due_date("D05", facts, facts.ladder_of(case), AidRefused),)
            if owed and "D05" not in case.due
            else (),
            explanation=case.text(command.explanation, facts),
            owed_to_ids=owed,
        ),
    )


@stored_as("case.aid-granted")
class AidGranted(CaseEvent, frozen=True, kw_only=True):
    """The union helps the applicants with their proceedings (L-TUL 30).

    `criteria_code` says why. `collective` says whether the
    common claim of ten or more workers was confirmed by then; statistics keep to that.
    """

    criteria_code: str
    collective: bool


@stored_as("case.aid-refused")
class AidRefused(CaseEvent, frozen=True, kw_only=True):
    """Aid was refused, for the coded reason.

    `explanation` is what was added in words; `owed_to_ids` are the applicants who are still to be
    told in writing, and of the other ways open to them.
    """

    explanation: Sealed | None
    owed_to_ids: tuple[UUID, ...]


@evolves(AidGranted)
def _(case: CaseState, event: AidGranted) -> CaseState:
    # A refusal at another body before it is overtaken, and so is the notice of it.
    return case.with_(event, remedies_owed_ids=frozenset(), remedies_told_ids=frozenset())


@evolves(AidRefused)
def _(case: CaseState, event: AidRefused) -> CaseState:
    return case.with_(event, remedies_owed_ids=case.remedies_owed_ids | set(event.owed_to_ids))


class AppointCounsel(CaseCommand, frozen=True, kw_only=True):
    """Appoint one lawyer for some applicants; `counsel_id` is the lawyer's account."""

    matters: ClassVar[frozenset[Matter]] = _AID

    counsel_id: UUID
    for_ids: PartyIds
    firm: Personal | None = None


def _reads_account(command: AppointCounsel, facts: CaseFacts) -> tuple[StreamRef, ...]:
    return (account_stream(command.counsel_id),)


@decides(AppointCounsel, reads=_reads_account)
def appoint_counsel(case: CaseState, command: AppointCounsel, facts: CaseFacts) -> Decision:
    """Appoint somebody who has no other part in the matter (L-TUL 30)."""
    phase = require_allowed(case, command)
    applicants = {party.party_id for party in case.applicants}
    if not applicants.issuperset(command.for_ids):
        raise unknown("for_ids", "not-an-applicant")
    refusals = []
    if command.counsel_id in case.mediator_ids:
        refusals.append(
            Refusal(
                "mediator-never-counsel",
                "所选人员是本案调解员，不得担任一方的援助律师，请另行指派。",
                "The person chosen mediates in this matter and is never counsel of a party to it; "
                "appoint somebody else.",
            )
        )
    if command.counsel_id in case.counsel_ids:
        refusals.append(
            Refusal(
                "counsel-already",
                "所选人员已是本案援助律师，无需重复指派。",
                "The person chosen is counsel in this matter already; nothing is left to do.",
            )
        )
    account: AccountState = facts.streams[account_stream(command.counsel_id)]
    if not any(grant.role == Role.COUNSEL for grant in account.live(facts.occurred_on)):
        refusals.append(
            Refusal(
                "not-counsel",
                "所选人员当日没有“代理律师”角色，请先为其账号授予该角色，再行指派。",
                "The person chosen does not hold the role of counsel on that day; grant the role "
                "to the account first, then appoint.",
            )
        )
    if refusals:
        raise NotAllowedNow(*refusals)
    return Decision.of(
        facts.stream,
        CounselAppointed(
            **case.stamp(facts, CounselAppointed, legal_basis="L-TUL 30"),
            phase=phase,
            counsel_id=command.counsel_id,
            for_ids=unique(command.for_ids),
            firm=case.text(command.firm, facts),
        ),
    )


@stored_as("case.counsel-appointed")
class CounselAppointed(CaseEvent, frozen=True, kw_only=True):
    """A lawyer was appointed to act for workers (L-TUL 30).

    `counsel_id` is the lawyer's account, `for_ids` are the applicants acted for, `firm` is the
    name of the law firm.
    """

    counsel_id: UUID
    for_ids: tuple[UUID, ...]
    firm: Sealed | None


@evolves(CounselAppointed)
def _(case: CaseState, event: CounselAppointed) -> CaseState:
    return case.with_(event, counsel_ids=case.counsel_ids | {event.counsel_id})
