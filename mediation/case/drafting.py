"""The written agreement is drafted and checked for legality; it is signed in `agreement`.

What was printed, signed and sealed is one text: version and digest say so (ADR 0019). Papers
without a seal of ours stand in `settlement`.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import msgspec

from mediation.case.lifecycle import require_allowed
from mediation.case.performance import FewEntries, obligations_of
from mediation.case.state import CaseCommand, CaseEvent, CaseFacts, CaseState, unknown
from mediation.case.values import (
    ClaimResult,
    Code,
    Draft,
    Instrument,
    Matter,
    Obligation,
    PartyIds,
    Phase,
    Side,
    unique,
)
from mediation.errors import FieldFault, Malformed, NotAllowedNow, Refusal
from mediation.kernel import Decision, decides, evolves, stored_as
from mediation.network.state import Capacity
from mediation.privacy import Personal, Sealed, plain_for_digest

Number = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class DraftAgreement(CaseCommand, frozen=True, kw_only=True):
    """Write a version of the agreement; an earlier version that is not in force goes stale.

    `bound_ids` are the parties it binds; every claim between them has a result, and of any other
    claim it can only be said that it stays open. `seal_body_id` names an upper body that took part
    and seals in place of the body in custody.
    """

    matters: ClassVar[frozenset[Matter]] = frozenset({Matter.DISPUTE})

    instrument: Literal["MEDIATION_AGREEMENT", "SETTLEMENT_AGREEMENT"] = "MEDIATION_AGREEMENT"
    bound_ids: PartyIds
    results: Annotated[tuple[ClaimResult, ...], msgspec.Meta(min_length=1, max_length=5000)]
    obligations: FewEntries = ()
    text: Personal
    seal_body_id: Code | None = None


FORMAT = "mediation/agreement/1"
"""Names, inside what is hashed, which form it has; another form gets another name (ADR 0019)."""


def digest_of(printed: dict[str, Any]) -> str:
    """Give the SHA-256, in hex, of what is printed: its canonical JSON, free text in clear.

    The form is written down byte by byte in ADR 0019. The printed values hold a random salt, which
    is sealed like the text: once it is erased, the digest tells nothing of the text any more.
    """
    tagged = {**printed, "format": FORMAT}
    encoded = msgspec.json.encode(tagged, enc_hook=plain_for_digest, order="sorted")
    return hashlib.sha256(encoded).hexdigest()


@decides(DraftAgreement)
def draft_agreement(case: CaseState, command: DraftAgreement, facts: CaseFacts) -> Decision:
    """Store the version with its digest; whoever seals it must be able to."""
    phase = require_allowed(case, command)
    instrument = Instrument(command.instrument)
    bound_ids = unique(command.bound_ids)
    _require_parties(case, bound_ids)
    _require_results(case, command, frozenset(bound_ids))
    seal_body_id = _sealing_body(case, command, instrument, facts)
    capacity = facts.capacity_of(seal_body_id or case.custody_body_id)
    salt = Personal(facts.new_id("salt").hex)
    printed: dict[str, Any] = {
        "number": case.drafts + 1,
        "instrument": instrument,
        "made_as": capacity.legal_basis if capacity else None,
        "seal_body_id": seal_body_id,
        "bound_ids": bound_ids,
        "results": command.results,
        "obligations": obligations_of(case, command.obligations, facts),
    }
    return Decision.of(
        facts.stream,
        AgreementDrafted(
            **case.stamp(facts, AgreementDrafted, legal_basis=_basis(case, instrument, facts)),
            **printed,
            phase=phase,
            digest=digest_of(
                {**printed, "case_number": case.case_number, "text": command.text, "salt": salt}
            ),
            salt=case.text(salt, facts),
            text=case.text(command.text, facts),
        ),
    )


def _basis(case: CaseState, instrument: Instrument, facts: CaseFacts) -> str:
    if instrument is Instrument.SETTLEMENT_AGREEMENT:
        return "L-PROV 11"
    return facts.basis(case, inside="L-LDMA 14; L-PROV 26", elsewhere="L-LDMA 14; cf. L-PROV 26")


def _require_parties(case: CaseState, bound_ids: tuple[UUID, ...]) -> None:
    bound = case.parties_of(bound_ids, "bound_ids")
    if {party.side for party in bound} != set(Side):
        raise Malformed(
            zh="协议须至少约束一名申请人和一名被申请人，请补齐。",
            en="An agreement binds at least one applicant and one respondent; name both.",
            faults=(FieldFault("/bound_ids", "one-side-missing"),),
        )
    refuse_if((not all(map(case.has_agreed, bound)), UNWILLING))


def _require_results(case: CaseState, command: DraftAgreement, bound_ids: frozenset[UUID]) -> None:
    """Nothing is agreed, waived or promised to the charge of somebody who is not there."""
    lines = {line.line_id: line for line in case.lines}
    concerned = {
        line_id
        for line_id, line in lines.items()
        if {line.applicant_id, line.respondent_id} <= bound_ids
    }
    said = {it.line_id: it.result for it in command.results}
    for at, it in enumerate(command.results):
        if it.line_id not in lines:
            raise unknown(f"results/{at}/line_id", "unknown-line")
        if it.result != "open" and it.line_id not in concerned:
            raise unknown(f"results/{at}/line_id", "line-of-others")
    if not concerned <= said.keys() or len(said) != len(command.results):
        raise Malformed(
            zh="须为所涉每项请求各填写一个结果：达成一致、明示放弃或者未达成一致。",
            en="Give every claim concerned exactly one result: agreed, expressly waived, or open.",
            faults=(FieldFault("/results", "one-result-per-claim"),),
        )
    if set(said.values()) == {"open"}:
        raise Malformed(
            zh="各项请求均未达成一致，不能拟定协议；请继续调解或者办理终止调解。",
            en="Every claim is left open, so there is nothing to agree on; go on mediating, or "
            "record that mediation failed.",
            faults=(FieldFault("/results", "nothing-agreed"),),
        )
    for at, entry in enumerate(command.obligations):
        if said.get(entry.line_id) != "agreed" or not bound_ids.issuperset(entry.joint_ids):
            raise unknown(f"obligations/{at}/line_id", "line-not-agreed")


def _sealing_body(
    case: CaseState, command: DraftAgreement, instrument: Instrument, facts: CaseFacts
) -> str | None:
    if instrument is Instrument.SETTLEMENT_AGREEMENT:
        return None
    body_id = command.seal_body_id or case.custody_body_id
    body = facts.network.body(body_id)
    if not case.custody_path.startswith(body.path):
        raise NotAllowedNow(
            Refusal(
                "not-an-upper-body",
                "只能由承办单位或者参与调解的上级组织盖章，请重新选择。",
                "Only the body in custody or an upper body that took part can seal; choose again.",
            )
        )
    sealing_capacity(body_id, facts)
    return body_id


def sealing_capacity(body_id: str, facts: CaseFacts) -> Capacity:
    """Give the capacity in which a body can seal on the day of the fact.

    Raises:
        NotAllowedNow: it was not open then, or its seal makes no mediation agreement.
    """
    capacity = facts.capacity_of(body_id)
    is_open = facts.network.body(body_id).is_open(facts.occurred_on)
    if not is_open or capacity is None or not capacity.may_seal:
        raise NotAllowedNow(
            Refusal(
                "may-not-seal",
                "该组织当日不具备盖章资格；请改用和解协议书、书面承诺，或者指定参与调解的上级组织盖章。",
                "That body could not seal on that day; use a settlement agreement or a written "
                "undertaking, or name an upper body that took part and seals.",
            )
        )
    return capacity


@stored_as("case.agreement-drafted")
class AgreementDrafted(CaseEvent, frozen=True, kw_only=True):
    """A version of the agreement was written, with what becomes of each claim.

    `digest` is the SHA-256 of what was printed, text and salt included (ADR 0019); `number` and its
    first digits stand in the footer. `made_as` is the capacity under which the body seals or
    mediates.
    """

    number: int
    digest: str
    salt: Sealed
    instrument: Instrument
    made_as: str | None
    seal_body_id: str | None
    bound_ids: tuple[UUID, ...]
    results: tuple[ClaimResult, ...]
    obligations: tuple[Obligation, ...]
    text: Sealed


@evolves(AgreementDrafted)
def _(case: CaseState, event: AgreementDrafted) -> CaseState:
    draft = Draft(
        number=event.number,
        digest=event.digest,
        instrument=event.instrument,
        author_id=event.actor_id,
        bound_ids=event.bound_ids,
        results=event.results,
        obligations=event.obligations,
        seal_body_id=event.seal_body_id,
        made_as=event.made_as,
    )
    return case.with_(event, draft=draft, drafts=event.number)


class CheckLegality(CaseCommand, frozen=True, kw_only=True):
    """Check one version of the agreement; a draft that does not pass has to be written anew.

    Each mark says that the checker found nothing to object to on that point (L-ARB 78; L-INT2 19).
    """

    matters: ClassVar[frozenset[Matter]] = frozenset({Matter.DISPUTE})

    number: Number
    no_insurance_waiver: bool
    no_third_party_harm: bool
    is_voluntary: bool
    is_clear: bool
    explanation: Personal | None = None


@decides(CheckLegality)
def check_legality(case: CaseState, command: CheckLegality, facts: CaseFacts) -> Decision:
    """Record what was found; a second person checks where much is at stake."""
    passed = (
        command.no_insurance_waiver
        and command.no_third_party_harm
        and command.is_voluntary
        and command.is_clear
    )
    phase = require_allowed(case, command, to=None if passed else Phase.MEDIATING)
    draft = standing_draft(case)
    actor_id = facts.actor.actor_id
    needs_second = facts.ladder_of(case).needs_second_checker(
        case.workers, sum(it.agreed_fen for it in draft.obligations)
    )
    refuse_if(
        (not draft.is_on(command.number), STALE),
        (
            needs_second and actor_id == draft.author_id,
            Refusal(
                "second-person",
                "人数或者金额达到规定标准的协议，须由拟稿人以外的人员审查。",
                "With so many workers or so large a sum somebody other than the author checks.",
            ),
        ),
        (actor_id in barred_ids(case), CONFLICTED),
    )
    return Decision.of(
        facts.stream,
        AgreementLegalityChecked(
            **case.stamp(facts, AgreementLegalityChecked, legal_basis="L-ARB 78; L-INT2 19"),
            phase=phase,
            number=draft.number,
            digest=draft.digest,
            passed=passed,
            no_insurance_waiver=command.no_insurance_waiver,
            no_third_party_harm=command.no_third_party_harm,
            is_voluntary=command.is_voluntary,
            is_clear=command.is_clear,
            explanation=case.text(command.explanation, facts),
        ),
    )


UNWILLING = Refusal(
    "not-willing",
    "协议当事人中有人未在本单位同意调解或者已明确拒绝；协议只约束同意调解的当事人，请先征询并记录。",
    "Somebody whom it binds has not agreed to mediation here, or has refused since; an agreement "
    "binds only the willing. Ask and record the answer first.",
)
STALE = Refusal(
    "draft-superseded",
    "协议已有新版本，或者版本、校验码与系统内协议不一致，请核对最新文本。",
    "There is another version, or number and digest differ from the agreement on record; check "
    "the latest text.",
)
CONFLICTED = Refusal(
    "conflicted",
    "援助律师或者应当回避的人员不得拟稿、审查、盖章，请由其他人员办理。",
    "Counsel of a party, or whoever has an interest in the case, never drafts, checks or seals; "
    "let somebody else do it.",
)


def refuse_if(*checks: tuple[bool, Refusal]) -> None:
    """Refuse for every reason that holds.

    Raises:
        NotAllowedNow: names them all, in order.
    """
    refusals = [refusal for is_so, refusal in checks if is_so]
    if refusals:
        raise NotAllowedNow(*refusals)


def barred_ids(case: CaseState) -> frozenset[UUID]:
    """Name those who never act for the office here: counsel of a party, and the conflicted."""
    return case.counsel_ids | case.conflicted_ids


def standing_draft(case: CaseState) -> Draft:
    """Give the draft that waits to be checked, signed and sealed."""
    if case.draft is None:
        msg = "the life-cycle lets nobody check or seal a draft that does not stand"
        raise AssertionError(msg)
    return case.draft


@stored_as("case.agreement-legality-checked")
class AgreementLegalityChecked(CaseEvent, frozen=True, kw_only=True):
    """A version was checked: no waiver of social insurance, no harm to others, voluntary, clear."""

    number: int
    digest: str
    passed: bool
    no_insurance_waiver: bool
    no_third_party_harm: bool
    is_voluntary: bool
    is_clear: bool
    explanation: Sealed | None


@evolves(AgreementLegalityChecked)
def _(case: CaseState, event: AgreementLegalityChecked) -> CaseState:
    if case.draft is None or not event.passed:
        return case.with_(event, draft=None)
    draft = msgspec.structs.replace(case.draft, passed_at=event.occurred_at)
    return case.with_(event, draft=draft)
