"""A worker's wish is put to the employer, answered, and the worker is told the result (L-PROV 4).

A demand is no mediation: nothing is accepted or concluded and no statutory term runs. What the
employer grants is written down as a change of the labour contract (L-LCL 35).
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec

from mediation.calendar import DueDate
from mediation.case.lifecycle import phase_after, require_allowed
from mediation.case.performance import (
    ObligationEntry,
    checks_once_owed,
    obligations_of,
    payments_after,
    superseded_by,
)
from mediation.case.state import (
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
    MeansCode,
    Obligation,
    PartyIds,
    Phase,
    PositiveFen,
    Side,
    unique,
)
from mediation.kernel import Decision, decides, evolves, stored_as
from mediation.privacy import Personal, Sealed

_DEMANDS = frozenset({Matter.DEMAND})


class RelayDemand(CaseFact, frozen=True, kw_only=True):
    """Check the wish and put it to one respondent.

    `formal` says that consultation was formally requested (协商要求), which alone starts the five
    days of L-PROV 10. `also_present` names in which roles others sat in, such as a supervisor on
    the employer's side.
    """

    matters: ClassVar[frozenset[Matter]] = _DEMANDS

    respondent_id: UUID
    means: MeansCode
    formal: bool = False
    also_present: Annotated[tuple[Code, ...], msgspec.Meta(max_length=50)] = ()
    note: Personal | None = None


@decides(RelayDemand)
def relay_demand(case: CaseState, command: RelayDemand, facts: CaseFacts) -> Decision:
    """Record that it was relayed; repeating a formal request buys the other side no time."""
    phase = require_allowed(case, command)
    if case.party(command.respondent_id, "respondent_id") not in case.respondents:
        raise unknown("respondent_id", "not-a-respondent")
    for at, code in enumerate(command.also_present):
        require_code("attendee_roles", code, f"also_present/{at}")
    is_awaited = phase in (Phase.RELAYED, Phase.ANSWERED)
    starts = command.formal and is_awaited and "D07" not in case.due
    return Decision.of(
        facts.stream,
        DemandRelayed(
            **case.stamp(
                facts, DemandRelayed, legal_basis="L-PROV 10" if command.formal else "L-PROV 4"
            ),
            phase=phase,
            due=(due_date("D07", facts, facts.ladder_of(case), DemandRelayed),) if starts else (),
            irregularities=case.flaws(
                {"out-of-order": case.phase in (Phase.PERFORMING, Phase.WITHDRAWN)}
            ),
            respondent_id=command.respondent_id,
            means=command.means,
            formal=command.formal,
            also_present=command.also_present,
            note=case.text(command.note, facts),
        ),
    )


@stored_as("case.demand-relayed")
class DemandRelayed(RecordedFact, frozen=True, kw_only=True):
    """The wish was checked and put to the employer (L-PROV 4).

    `respondent_id` is who was spoken to, by the `means` named; `formal` says that it was a formal
    request for consultation, to which silence for five days is a refusal (L-PROV 10).
    `also_present` are the roles of others who sat in; `note` is what was found and said.
    """

    respondent_id: UUID
    means: str
    formal: bool
    also_present: tuple[str, ...]
    note: Sealed | None


@evolves(DemandRelayed)
def _(case: CaseState, event: DemandRelayed) -> CaseState:
    return case.with_(event)


class RecordDemandAnswer(CaseFact, frozen=True, kw_only=True):
    """Record what the employer answered; silence after a formal request is a refusal.

    `respondent_id` says which respondent answered, where there are several.
    """

    matters: ClassVar[frozenset[Matter]] = _DEMANDS

    respondent_id: UUID | None = None
    answer: Literal["GRANTED", "PARTLY", "REFUSED"]
    means: MeansCode
    explanation: Personal | None = None


@decides(RecordDemandAnswer)
def record_demand_answer(
    case: CaseState, command: RecordDemandAnswer, facts: CaseFacts
) -> Decision:
    """Record the answer; it may change later, and then the later one counts.

    Who was told before does not know it yet: the ten working days (D23) are open again.
    """
    phase = require_allowed(case, command)
    return Decision.of(
        facts.stream,
        DemandAnswered(
            **case.stamp(facts, DemandAnswered),
            phase=phase,
            due=_told_anew(case, command.answer, facts, phase),
            due_ended=case.ending("D07"),
            irregularities=case.flaws(
                {
                    "not-relayed": case.phase is Phase.REGISTERED,
                    "out-of-order": case.phase in (Phase.PERFORMING, Phase.WITHDRAWN),
                }
            ),
            respondent_id=_answering(case, command),
            answer=command.answer,
            means=command.means,
            explanation=case.text(command.explanation, facts),
        ),
    )


def _answering(case: CaseState, command: RecordDemandAnswer) -> UUID | None:
    """Give who answered: as stated, or the only one there is."""
    known = [party.party_id for party in case.respondents]
    if command.respondent_id is not None and command.respondent_id not in known:
        raise unknown("respondent_id", "not-a-respondent")
    return known[0] if len(known) == 1 else command.respondent_id


def _told_anew(case: CaseState, answer: str, facts: CaseFacts, phase: Phase) -> tuple[DueDate, ...]:
    """Decide D23 again, from the registration, if an answer overtakes what the workers were told.

    Of a demand taken back, or of a closed case, nobody is told any more.
    """
    is_overtaken = case.is_fed_back and case.demand_answer != answer
    is_over = phase in (Phase.WITHDRAWN, Phase.CLOSED)
    if not is_overtaken or is_over or "D23" in case.due or case.received_at is None:
        return ()
    start = (case.received_at, case.registration_id)
    return (due_date("D23", facts, facts.ladder_of(case), DemandAnswered, start=start),)


@stored_as("case.demand-answered")
class DemandAnswered(RecordedFact, frozen=True, kw_only=True):
    """The employer answered: it grants the wish, grants a part of it, or refuses.

    `respondent_id` is who answered (null: it was not said which of several), `answer` what, `means`
    how it came, `explanation` the reasons and conditions given.
    """

    respondent_id: UUID | None
    answer: str
    means: str
    explanation: Sealed | None


@evolves(DemandAnswered)
def _(case: CaseState, event: DemandAnswered) -> CaseState:
    # Who was told something else before, or told before any answer, has not been told this one.
    still_holds = case.demand_answer == event.answer
    return case.with_(
        event, demand_answer=event.answer, is_fed_back=case.is_fed_back and still_holds
    )


class FeedBackDemand(CaseFact, frozen=True, kw_only=True):
    """Tell the workers what became of their wish.

    Without `told_ids` all applicants were told. Whoever tells them one by one names them all in
    the record of the last, which completes it.
    """

    matters: ClassVar[frozenset[Matter]] = _DEMANDS

    told_ids: Annotated[tuple[UUID, ...], msgspec.Meta(max_length=1000)] = ()
    means: MeansCode


@decides(FeedBackDemand)
def feed_back_demand(case: CaseState, command: FeedBackDemand, facts: CaseFacts) -> Decision:
    """Record that they were told; once all know the answer, the ten working days are kept (D23)."""
    phase = require_allowed(case, command)
    everybody = tuple(party.party_id for party in case.applicants)
    told = unique(command.told_ids) or everybody
    if not set(told) <= set(everybody):
        raise unknown("told_ids", "not-an-applicant")
    all_told = set(told) == set(everybody)
    is_answered = case.demand_answer is not None
    return Decision.of(
        facts.stream,
        DemandFedBack(
            **case.stamp(facts, DemandFedBack, legal_basis="L-PROV 4"),
            phase=phase,
            due_ended=case.ending("D23") if all_told and is_answered else (),
            irregularities=case.flaws({"out-of-order": not is_answered}),
            answer=case.demand_answer,
            told_ids=told,
            means=command.means,
            all_told=all_told,
        ),
    )


@stored_as("case.demand-fed-back")
class DemandFedBack(RecordedFact, frozen=True, kw_only=True):
    """Workers were told what became of their wish (L-PROV 4).

    `answer` is the answer that was fed back, null before any. `told_ids` are the workers told, by
    the `means` named; `all_told` says that they are all who had asked, which ends the duty.
    """

    answer: str | None
    told_ids: tuple[UUID, ...]
    means: str
    all_told: bool


@evolves(DemandFedBack)
def _(case: CaseState, event: DemandFedBack) -> CaseState:
    return case.with_(event, is_fed_back=case.is_fed_back or event.all_told)


class ContractItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One item of a 变更确认单: what is paid on a claim line from now on, in fen.

    `item` is what the paper calls it. `monthly_fen` falls due on `first_due_on`, and each month
    after it if `recurring`; of what is paid only once it is the whole.
    """

    line_id: UUID
    item: Personal
    monthly_fen: PositiveFen
    first_due_on: date
    recurring: bool = True


class RecordContractChange(CaseFact, frozen=True, kw_only=True):
    """Write down the change of contract that both sides signed (L-LCL 35)."""

    matters: ClassVar[frozenset[Matter]] = _DEMANDS

    signed_by_ids: PartyIds
    items: Annotated[tuple[ContractItem, ...], msgspec.Meta(min_length=1, max_length=5000)]


@decides(RecordContractChange)
def record_contract_change(
    case: CaseState, command: RecordContractChange, facts: CaseFacts
) -> Decision:
    """Record the slip and what falls due; a recurring item is tracked to its first payment.

    Signed by one side only it changes nothing: nothing falls due, and the phase stays.
    """
    sides = {it.side for it in case.parties_of(command.signed_by_ids, "signed_by_ids")}
    is_mutual = len(sides) == len(Side)
    phase = phase_after(case, command, moves=is_mutual)
    lines = {line.line_id for line in case.lines}
    for at, item in enumerate(command.items):
        if item.line_id not in lines:
            raise unknown(f"items/{at}/line_id", "unknown-line")
    entries = tuple(
        ObligationEntry(line_id=item.line_id, agreed_fen=item.monthly_fen, due_on=item.first_due_on)
        for item in command.items
    )
    written = tuple(
        msgspec.structs.replace(obligation, recurring=item.recurring)
        for obligation, item in zip(
            obligations_of(case, entries, facts), command.items, strict=True
        )
    )
    obligations = written if is_mutual else ()
    superseded = superseded_by(case, obligations)
    payments = payments_after(case.payments, superseded, obligations)
    started, ended = checks_once_owed(case, payments, facts, ContractChangeConfirmed, phase=phase)
    return Decision.of(
        facts.stream,
        ContractChangeConfirmed(
            **case.stamp(facts, ContractChangeConfirmed, legal_basis="L-LCL 35"),
            phase=phase,
            due=started,
            due_ended=ended,
            irregularities=case.flaws(
                {
                    "out-of-order": case.phase
                    in (Phase.REGISTERED, Phase.RELAYED, Phase.WITHDRAWN),
                    "missing-signature": not is_mutual,
                }
            ),
            signed_by_ids=unique(command.signed_by_ids),
            obligations=obligations,
            items=tuple(case.text(item.item, facts) for item in command.items),
            superseded_ids=superseded,
        ),
    )


@stored_as("case.contract-change-confirmed")
class ContractChangeConfirmed(RecordedFact, frozen=True, kw_only=True):
    """The labour contract was changed in writing (L-LCL 35).

    `signed_by_ids` are the parties who signed.
    `obligations` are what is to be paid, in fen, and none unless both sides signed; `items` say, in
    the same order, what the paper calls each of them. `superseded_ids` are earlier obligations on
    the same claims on which nothing had been paid: these take their place.
    """

    signed_by_ids: tuple[UUID, ...]
    obligations: tuple[Obligation, ...]
    items: tuple[Sealed, ...]
    superseded_ids: tuple[UUID, ...]


@evolves(ContractChangeConfirmed)
def _(case: CaseState, event: ContractChangeConfirmed) -> CaseState:
    return case.with_(
        event, payments=payments_after(case.payments, event.superseded_ids, event.obligations)
    )
