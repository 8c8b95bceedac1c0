"""Papers without a seal of ours: undertaking, settlement, and the record of an oral agreement.

A 书面承诺 or 和解协议书 is no 调解协议书: it starts neither arbitration review nor judicial
confirmation. Sealed agreements stand in `agreement`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar
from uuid import UUID

import msgspec

from mediation.case.conclusion import concluded, ending_move
from mediation.case.lifecycle import is_owed, phase_after, require_allowed
from mediation.case.performance import (
    Entries,
    FewEntries,
    checks_once_owed,
    obligations_of,
    payments_after,
    superseded_by,
)
from mediation.case.state import CaseFact, CaseFacts, CaseState, RecordedFact, unknown
from mediation.case.values import (
    Instrument,
    Matter,
    Obligation,
    Outcome,
    PartyIds,
    Phase,
    Side,
    unique,
)
from mediation.kernel import Decision, decides, evolves, stored_as
from mediation.privacy import Personal, Sealed

_DISPUTES = frozenset({Matter.DISPUTE})


class GiveUndertaking(CaseFact, frozen=True, kw_only=True):
    """A respondent promises in writing to pay (书面承诺)."""

    matters: ClassVar[frozenset[Matter]] = _DISPUTES

    respondent_id: UUID
    obligations: Entries
    text: Personal


class RecordSettlement(CaseFact, frozen=True, kw_only=True):
    """The parties settled between themselves (和解协议书, L-PROV 11)."""

    matters: ClassVar[frozenset[Matter]] = _DISPUTES

    signed_by_ids: Annotated[tuple[UUID, ...], msgspec.Meta(min_length=2, max_length=1050)]
    obligations: FewEntries = ()
    text: Personal


class RecordOralAgreement(CaseFact, frozen=True, kw_only=True):
    """The parties agreed by word of mouth, and the mediator wrote it down (L-PML 28, 30).

    `done_on_the_spot` says that everything was performed then and there.
    """

    matters: ClassVar[frozenset[Matter]] = _DISPUTES

    agreed_by_ids: PartyIds
    obligations: FewEntries = ()
    done_on_the_spot: bool = False
    text: Personal


def _paper(
    case: CaseState,
    command: GiveUndertaking | RecordSettlement | RecordOralAgreement,
    facts: CaseFacts,
    event_type: type[RecordedFact],
    signed_by: tuple[UUID, ...],
) -> tuple[tuple[Obligation, ...], dict[str, Any]]:
    """Give what the paper says is to be paid, and what its event has in common with the others'.

    The latter, to be passed as keywords, holds only what binds.
    """
    written = obligations_of(case, command.obligations, facts)
    obligations = _binding(case, written, frozenset(signed_by))
    superseded = superseded_by(case, obligations)
    payments = payments_after(case.payments, superseded, obligations)
    # While performance is tracked, what is promised anew is to be checked in place of the old.
    here = case.phase or Phase.REGISTERED
    started, ended = checks_once_owed(case, payments, facts, event_type, phase=here)
    capacity = facts.capacity_of(case.custody_body_id)
    return written, {
        "due": started,
        "due_ended": ended,
        "obligations": obligations,
        "superseded_ids": superseded,
        "text": case.text(command.text, facts),
        "made_as": capacity.legal_basis if capacity else None,
    }


def _binding(
    case: CaseState, written: tuple[Obligation, ...], signers: frozenset[UUID]
) -> tuple[Obligation, ...]:
    """Keep what binds: a debtor owes by his own word alone, for nobody's else.

    What is owed already stays as it is, until its creditor signs something else.
    """
    owed = (
        {it.obligation.line_id for it in case.payments if not it.is_performed}
        if is_owed(case)
        else set[UUID]()
    )
    return tuple(
        it
        for it in written
        if it.respondent_id in signers and (it.applicant_id in signers or it.line_id not in owed)
    )


def _flaws(
    case: CaseState, facts: CaseFacts, *, unsigned: bool, not_on_the_spot: bool = False
) -> tuple[str, ...]:
    ended = case.phase in (Phase.FAILED, Phase.NOT_ACCEPTED, Phase.WITHDRAWN, Phase.IN_PROCEEDINGS)
    return case.flaws(
        {
            "before-acceptance": not ended
            and case.phase is not Phase.CLOSED
            and not case.has_taken_effect
            and (
                not case.acceptance_open
                or case.accepted_at is None
                or case.accepted_at > facts.occurred_at
            ),
            "out-of-order": ended,
            "missing-signature": unsigned,
            "not-done-on-the-spot": not_on_the_spot,
        }
    )


def _is_mutual(case: CaseState, signed_by: tuple[UUID, ...]) -> bool:
    return {party.side for party in case.parties if party.party_id in signed_by} == set(Side)


def _by_all_concerned(signed_by: Iterable[UUID], obligations: Iterable[Obligation]) -> bool:
    """Nobody is given, or charged with, anything without having been there."""
    concerned = {
        party_id
        for it in obligations
        for party_id in (it.applicant_id, it.respondent_id, *it.joint_ids)
    }
    return concerned <= set(signed_by)


@decides(GiveUndertaking)
def give_undertaking(case: CaseState, command: GiveUndertaking, facts: CaseFacts) -> Decision:
    """Record the promise and what is due; it also interrupts limitation (L-LDMA 27)."""
    promisor_id = command.respondent_id
    if case.party(promisor_id, "respondent_id") not in case.respondents:
        raise unknown("respondent_id", "not-a-respondent")
    written, paper = _paper(case, command, facts, UndertakingGiven, (promisor_id,))
    for at, obligation in enumerate(written):
        if obligation.respondent_id != promisor_id:
            raise unknown(f"obligations/{at}/line_id", "line-of-another-respondent")
    for_others = any(not {promisor_id}.issuperset(it.joint_ids) for it in written)
    return Decision.of(
        facts.stream,
        UndertakingGiven(
            **case.stamp(facts, UndertakingGiven, legal_basis="L-LDMA 27"),
            **paper,
            phase=require_allowed(case, command),
            irregularities=_flaws(case, facts, unsigned=for_others),
            respondent_id=promisor_id,
            interrupts_limitation=True,
        ),
    )


@decides(RecordSettlement)
def record_settlement(case: CaseState, command: RecordSettlement, facts: CaseFacts) -> Decision:
    """Record the settlement the parties signed."""
    signed_by = command.signed_by_ids
    case.parties_of(signed_by, "signed_by_ids")
    is_mutual = _is_mutual(case, signed_by)
    written, paper = _paper(case, command, facts, SettlementRecorded, signed_by)
    is_whole = is_mutual and _by_all_concerned(signed_by, written)
    return Decision.of(
        facts.stream,
        SettlementRecorded(
            **case.stamp(facts, SettlementRecorded, legal_basis="L-PROV 11"),
            **paper,
            phase=require_allowed(case, command),
            irregularities=_flaws(case, facts, unsigned=not is_whole),
            signed_by_ids=unique(signed_by),
        ),
    )


@decides(RecordOralAgreement)
def record_oral_agreement(
    case: CaseState, command: RecordOralAgreement, facts: CaseFacts
) -> Decision:
    """Record the agreement; of an open acceptance it is the effect, and concludes it.

    What one side alone said is on record, and no agreement.
    """
    agreed_by = command.agreed_by_ids
    case.parties_of(agreed_by, "agreed_by_ids")
    is_mutual = _is_mutual(case, agreed_by)
    phase = phase_after(case, command, moves=is_mutual)
    concludes = case.acceptance_open and phase is Phase.PERFORMING
    written, paper = _paper(case, command, facts, OralAgreementRecorded, agreed_by)
    if concludes:
        # What is to be checked then is said once, by the conclusion.
        paper |= {"due": (), "due_ended": ()}
    is_whole = is_mutual and _by_all_concerned(agreed_by, written)
    capacity = facts.capacity_of(case.custody_body_id)
    may_be_oral = command.done_on_the_spot or (capacity is not None and capacity.oral_ok)
    event = OralAgreementRecorded(
        **case.stamp(facts, OralAgreementRecorded, legal_basis="L-PML 28; L-PML 30"),
        **paper,
        phase=phase,
        irregularities=_flaws(case, facts, unsigned=not is_whole, not_on_the_spot=not may_be_oral),
        agreed_by_ids=unique(agreed_by),
        done_on_the_spot=command.done_on_the_spot,
    )
    if not concludes:
        return Decision.of(facts.stream, event)
    here = case.phase or phase
    return Decision.of(
        facts.stream,
        *ending_move(
            case, facts, here, reason_code="concluded", by=OralAgreementRecorded, only_climbs=True
        ),
        event,
        concluded(
            case,
            facts,
            Outcome.AGREED,
            phase,
            caused_by=event.event_id,
            payments=payments_after(case.payments, event.superseded_ids, event.obligations),
            paper=(event.event_id, Instrument.ORAL_RECORD),
        ),
    )


@stored_as("case.undertaking-given")
class UndertakingGiven(RecordedFact, frozen=True, kw_only=True):
    """A respondent undertook in writing to pay; `made_as` is the body's capacity that day."""

    respondent_id: UUID
    obligations: tuple[Obligation, ...]
    superseded_ids: tuple[UUID, ...]
    text: Sealed
    made_as: str | None
    interrupts_limitation: bool


@stored_as("case.settlement-recorded")
class SettlementRecorded(RecordedFact, frozen=True, kw_only=True):
    """The parties settled in a paper of their own."""

    signed_by_ids: tuple[UUID, ...]
    obligations: tuple[Obligation, ...]
    superseded_ids: tuple[UUID, ...]
    text: Sealed
    made_as: str | None


@stored_as("case.oral-agreement-recorded")
class OralAgreementRecorded(RecordedFact, frozen=True, kw_only=True):
    """The parties agreed by word of mouth; it took effect at once (L-PML 30)."""

    agreed_by_ids: tuple[UUID, ...]
    obligations: tuple[Obligation, ...]
    superseded_ids: tuple[UUID, ...]
    done_on_the_spot: bool
    text: Sealed
    made_as: str | None


@evolves(UndertakingGiven)
def _(case: CaseState, event: UndertakingGiven) -> CaseState:
    return _settled(case, event, Instrument.UNDERTAKING)


@evolves(SettlementRecorded)
def _(case: CaseState, event: SettlementRecorded) -> CaseState:
    is_mutual = _is_mutual(case, event.signed_by_ids)
    return _settled(case, event, Instrument.SETTLEMENT_AGREEMENT if is_mutual else None)


@evolves(OralAgreementRecorded)
def _(case: CaseState, event: OralAgreementRecorded) -> CaseState:
    is_mutual = _is_mutual(case, event.agreed_by_ids)
    return _settled(case, event, Instrument.ORAL_RECORD if is_mutual else None)


def _settled(
    case: CaseState,
    event: UndertakingGiven | SettlementRecorded | OralAgreementRecorded,
    instrument: Instrument | None,
) -> CaseState:
    """Note what binds, and the paper on which the mediation can be concluded, if it is one."""
    return case.with_(
        event,
        settled_by=event.event_id if instrument else case.settled_by,
        settled_as=instrument or case.settled_as,
        payments=payments_after(case.payments, event.superseded_ids, event.obligations),
    )
