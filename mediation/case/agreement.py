"""The agreement is signed and sealed; with the last of these acts it takes effect.

Drafting and the check of legality stand in `drafting`.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec

from mediation.calendar import DueDate
from mediation.case.conclusion import concluded, ending_move
from mediation.case.drafting import (
    CONFLICTED,
    STALE,
    UNWILLING,
    Number,
    barred_ids,
    refuse_if,
    sealing_capacity,
    standing_draft,
)
from mediation.case.lifecycle import require_allowed
from mediation.case.performance import payments_after, superseded_by
from mediation.case.state import (
    CaseCommand,
    CaseEvent,
    CaseFact,
    CaseFacts,
    CaseState,
    RecordedFact,
    due_date,
)
from mediation.case.values import Answer, Draft, Instrument, Matter, Obligation, Outcome, Phase
from mediation.errors import FieldFault, Malformed, Refusal
from mediation.kernel import Decision, decides, evolves, stored_as
from mediation.network.state import ConfirmationRoute

_DISPUTES = frozenset({Matter.DISPUTE})
Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{12,64}$", examples=["0123456789ab"])]


class SignAgreement(CaseFact, frozen=True, kw_only=True):
    """A party, or the mediator, signed; number and digest are those of the paper's footer."""

    matters: ClassVar[frozenset[Matter]] = _DISPUTES

    number: Number
    digest: Digest
    party_id: UUID | None = None
    mediator_id: UUID | None = None


@decides(SignAgreement)
def sign_agreement(case: CaseState, command: SignAgreement, facts: CaseFacts) -> Decision:
    """Record the signature; the last one that is needed makes the agreement take effect.

    The lapse of the term never stands in the way of signing.
    """
    party_id, mediator_id = command.party_id, command.mediator_id
    if (party_id is None) == (mediator_id is None):
        raise Malformed(
            zh="请填写一名签字人：当事人或者调解员。",
            en="Name one signer: a party or a mediator.",
            faults=(FieldFault("/party_id", "one-signer"),),
        )
    if party_id is not None:
        case.party(party_id)
    there = require_allowed(case, command, to=Phase.PERFORMING)
    draft, term = case.draft, case.term
    is_stale = draft is not None and not draft.is_on(command.number, command.digest)
    is_bound = draft is None or party_id is None or party_id in draft.bound_ids
    # Counsel of a party never mediates, whatever he signed.
    counts = draft is not None and not is_stale and is_bound and mediator_id not in barred_ids(case)
    event = AgreementSigned(
        **case.stamp(facts, AgreementSigned),
        phase=case.phase or Phase.SIGNING,
        irregularities=case.flaws(
            {
                "out-of-order": draft is None,
                "digest-differs": is_stale,
                "signed-unchecked": draft is not None
                and (draft.passed_at is None or draft.passed_at > facts.occurred_at),
                "not-bound": not is_bound,
                "without-consent": party_id is not None
                and case.consents.get(party_id) is Answer.REFUSED,
                "unassigned-host": mediator_id is not None and mediator_id not in case.mediator_ids,
            }
        ),
        number=command.number,
        footer_digest=command.digest,
        party_id=party_id,
        mediator_id=mediator_id,
        counts=counts,
        after_term=term is not None and facts.occurred_on > term.rolled_on,
    )
    if draft is None or not counts:
        return Decision.of(facts.stream, event)
    return _after(case, event, _signed(draft, event), facts, there)


def _signed(draft: Draft, event: AgreementSigned) -> Draft:
    by = () if event.party_id is None else (event.party_id,)
    return msgspec.structs.replace(
        draft,
        signed_ids=draft.signed_ids.union(by),
        mediator_signed=draft.mediator_signed or not by,
        last_at=_last_at(draft, event),
    )


def _last_at(draft: Draft, event: CaseEvent) -> datetime:
    return max(event.occurred_at, draft.last_at or event.occurred_at)


@stored_as("case.agreement-signed")
class AgreementSigned(RecordedFact, frozen=True, kw_only=True):
    """A party or the mediator signed a paper that bore this number and digest.

    `footer_digest` is what was read off the paper: the first 12 to 64 digits of the digest.
    `counts` says that it is the version on record and that the signer is one whose signature it
    needs; `after_term` that the statutory term was over (期满后达成), which does not touch its
    force.
    """

    number: int
    footer_digest: str
    party_id: UUID | None
    mediator_id: UUID | None
    counts: bool
    after_term: bool


@evolves(AgreementSigned)
def _(case: CaseState, event: AgreementSigned) -> CaseState:
    if case.draft is None or not event.counts:
        return case.with_(event)
    return case.with_(event, draft=_signed(case.draft, event))


class SealAgreement(CaseCommand, frozen=True, kw_only=True):
    """Put the seal of the body on the version whose number and digest the paper bears."""

    matters: ClassVar[frozenset[Matter]] = _DISPUTES

    number: Number
    digest: Digest


@decides(SealAgreement)
def seal_agreement(case: CaseState, command: SealAgreement, facts: CaseFacts) -> Decision:
    """Seal what was checked and is free of open flaws; the last act makes it take effect."""
    there = require_allowed(case, command, to=Phase.PERFORMING)
    draft = standing_draft(case)
    refuse_if(
        (not draft.is_on(command.number, command.digest), STALE),
        (
            draft.seal_body_id is None,
            Refusal(
                "needs-no-seal",
                "和解协议书由当事人签字生效，无需盖章。",
                "A settlement agreement takes effect by signature and needs no seal.",
            ),
        ),
        (_has_refused(case, draft), UNWILLING),
        (
            draft.passed_at is None,
            Refusal(
                "legality-not-passed",
                "协议尚未通过合法性审查，请先审查。",
                "The agreement has not passed the check of legality; check it first.",
            ),
        ),
        (
            any(case.party(party_id).provisional for party_id in draft.bound_ids),
            Refusal(
                "party-not-identified",
                "尚有当事人身份未核实，请先核实身份。",
                "The identity of a party has not been checked; identify it first.",
            ),
        ),
        (
            bool(case.irregularities),
            Refusal(
                "open-irregularity",
                "尚有程序瑕疵未补正，请先逐项补正。",
                "Irregularities are still open; cure each of them first.",
            ),
        ),
        (draft.is_sealed, Refusal("sealed-already", "该版本已经盖章。", "It is sealed already.")),
        (not barred_ids(case).isdisjoint({facts.actor.actor_id, draft.author_id}), CONFLICTED),
    )
    body_id = draft.seal_body_id or case.custody_body_id
    event = AgreementSealed(
        **case.stamp(facts, AgreementSealed, legal_basis="L-LDMA 14"),
        phase=case.phase or Phase.SIGNING,
        number=draft.number,
        digest=draft.digest,
        seal_body_id=body_id,
        made_as=sealing_capacity(body_id, facts).legal_basis,
    )
    return _after(case, event, _sealed(draft, event), facts, there)


def _sealed(draft: Draft, event: AgreementSealed) -> Draft:
    return msgspec.structs.replace(
        draft, is_sealed=True, made_as=event.made_as, last_at=_last_at(draft, event)
    )


@stored_as("case.agreement-sealed")
class AgreementSealed(CaseEvent, frozen=True, kw_only=True):
    """A body put its seal on a version, in the capacity it had on that day."""

    number: int
    digest: str
    seal_body_id: str
    made_as: str | None


@evolves(AgreementSealed)
def _(case: CaseState, event: AgreementSealed) -> CaseState:
    return case.with_(event, draft=_sealed(case.draft, event) if case.draft else None)


def _after(
    case: CaseState,
    event: AgreementSigned | AgreementSealed,
    draft: Draft,
    facts: CaseFacts,
    phase: Phase,
) -> Decision:
    """Append to an act what follows once nothing is wanting: effect, conclusion, the next `phase`.

    Both happen when the last act was done, which need not be the one that is typed in last.
    """
    acted = Decision.of(facts.stream, event)
    if not draft.is_complete or _has_refused(case, draft):
        return acted
    facts = msgspec.structs.replace(facts, occurred_at=_last_at(draft, event))
    needs_seal = draft.seal_body_id is not None
    superseded = superseded_by(case, draft.obligations, settled=draft.settled_line_ids)
    effect = AgreementTookEffect(
        **case.stamp(
            facts,
            AgreementTookEffect,
            caused_by=event.event_id,
            legal_basis=facts.basis(
                case, inside="L-LDMA 14; L-PROV 26", elsewhere="L-LDMA 14; cf. L-PROV 26"
            )
            if needs_seal
            else "L-PROV 11",
        ),
        phase=phase,
        due=_windows(case, draft, facts) if needs_seal else (),
        number=draft.number,
        digest=draft.digest,
        instrument=draft.instrument,
        made_as=draft.made_as,
        effect_on=facts.occurred_on,
        bound_ids=draft.bound_ids,
        obligations=draft.obligations,
        superseded_ids=superseded,
    )
    return acted.then(
        Decision.of(
            facts.stream,
            *ending_move(
                case,
                facts,
                event.phase,
                reason_code="concluded",
                by=AgreementTookEffect,
                only_climbs=True,
            ),
            effect,
            concluded(
                case,
                facts,
                Outcome.AGREED if needs_seal else Outcome.SETTLED,
                phase,
                caused_by=effect.event_id,
                payments=payments_after(case.payments, superseded, draft.obligations),
                paper=(effect.event_id, draft.instrument),
                uncovered=tuple(
                    line.line_id
                    for line in case.lines
                    if line.line_id not in draft.settled_line_ids
                ),
            ),
        )
    )


def _has_refused(case: CaseState, draft: Draft) -> bool:
    """Somebody whom it binds went back on it before it was in force."""
    return any(case.consents.get(party_id) is Answer.REFUSED for party_id in draft.bound_ids)


_WINDOWS = {
    ConfirmationRoute.REVIEW_OR_COURT: ("D08", "D09"),
    ConfirmationRoute.COURT: ("D09",),
    ConfirmationRoute.ASK: ("D08", "D09"),
    ConfirmationRoute.NONE: (),
}


def _windows(case: CaseState, draft: Draft, facts: CaseFacts) -> tuple[DueDate, ...]:
    """Decide until when review (D08) and confirmation (D09) can be asked for, both jointly."""
    capacity = facts.capacity_of(draft.seal_body_id or case.custody_body_id)
    route = capacity.confirmation_route if capacity else ConfirmationRoute.NONE
    agreed = {it.line_id for it in draft.results if it.result == "agreed"}
    # L-ARB 75: an agreement that confirms the labour relationship is not reviewed.
    confirms = any(line.cause == "C01" and line.line_id in agreed for line in case.lines)
    ladder = facts.ladder_of(case)
    return tuple(
        due_date(code, facts, ladder, AgreementTookEffect)
        for code in _WINDOWS[route]
        if not (confirms and code == "D08")
    )


@stored_as("case.agreement-took-effect")
class AgreementTookEffect(CaseEvent, frozen=True, kw_only=True):
    """All signatures, and the seal where one is needed, were there: the agreement is in force.

    `effect_on` is the day of the last of them; it binds those of `bound_ids` alone.
    """

    number: int
    digest: str
    instrument: Instrument
    made_as: str | None
    effect_on: date
    bound_ids: tuple[UUID, ...]
    obligations: tuple[Obligation, ...]
    superseded_ids: tuple[UUID, ...]


@evolves(AgreementTookEffect)
def _(case: CaseState, event: AgreementTookEffect) -> CaseState:
    return case.with_(
        event,
        draft=None,
        payments=payments_after(case.payments, event.superseded_ids, event.obligations),
    )
