"""What somebody might try next in a case, by the dice; much of it will be refused."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid5

from mediation import codes
from mediation.case.agreement import SealAgreement, SignAgreement
from mediation.case.aid import AppointCounsel, GrantAid, RefuseAid
from mediation.case.assignment import AssignMediators, ConfirmAssignment, DeclineAssignment
from mediation.case.closing import CloseCase
from mediation.case.composites import PaymentEntry, PerformAndClose, SignAndSeal
from mediation.case.conclusion import (
    ConcludeMediation,
    FailMediation,
    ServeRemediesNotice,
    WithdrawApplication,
)
from mediation.case.consent import (
    AcceptCase,
    AskConsent,
    RecordConsent,
    RefuseCase,
    WithdrawConsent,
)
from mediation.case.correction import CureIrregularity
from mediation.case.custody import (
    AcceptCustody,
    DeclineCustody,
    RequestCustodyMove,
    WithdrawCustodyMove,
)
from mediation.case.demand import (
    ContractItem,
    FeedBackDemand,
    RecordContractChange,
    RecordDemandAnswer,
    RelayDemand,
)
from mediation.case.drafting import CheckLegality, DraftAgreement
from mediation.case.intake import ClearFlag, PartyEntry, RaiseFlag
from mediation.case.lifecycle import open_duties
from mediation.case.parties import AddedLine, AddParty, ConfirmCollective, IdentifyParty
from mediation.case.performance import ObligationEntry, RecordPerformance
from mediation.case.proceedings import (
    OpenProceeding,
    SetObligations,
    TakeRemedyRoute,
    UpdateProceeding,
)
from mediation.case.sessions import RecordSession, ServeRightsNotice
from mediation.case.settlement import GiveUndertaking, RecordOralAgreement, RecordSettlement
from mediation.case.sheets import RecordTransferSheet
from mediation.case.state import CaseState
from mediation.case.term import ExtendTerm
from mediation.case.urgent import AcknowledgeUrgentReport, AddresseeEntry, ReportUrgent
from mediation.case.values import Answer, ClaimResult, Side
from mediation.kernel import Command
from mediation.ladder import MoveKind
from mediation.privacy import Personal
from tests.projections.district import MEDIATORS, PATHS, SPACE, below, beside
from tests.scenario import lapse_of

COUNSEL = uuid5(SPACE, "counsel")

WEIGHTS: dict[type[Command], float] = {
    RecordConsent: 6,
    AcceptCase: 20,
    AssignMediators: 20,
    ConfirmAssignment: 20,
    DraftAgreement: 12,
    CheckLegality: 12,
    SignAgreement: 3,
    SealAgreement: 6,
    SignAndSeal: 6,
    AcceptCustody: 9,
    ConcludeMediation: 4,
    RecordPerformance: 3,
    CloseCase: 4,
    PerformAndClose: 3,
    UpdateProceeding: 3,
    AppointCounsel: 3,
    RecordTransferSheet: 4,
    RequestCustodyMove: 0.2,
    RecordSession: 0.5,
    GiveUndertaking: 0.4,
    RecordSettlement: 0.2,
    RecordOralAgreement: 0.1,
    ServeRemediesNotice: 0.5,
    SetObligations: 0.2,
    OpenProceeding: 0.2,
    TakeRemedyRoute: 0.1,
    RecordContractChange: 0.5,
    RefuseCase: 0.2,
    RefuseAid: 0.3,
    WithdrawApplication: 0.1,
    WithdrawConsent: 0.1,
    FailMediation: 0.3,
    RaiseFlag: 0.4,
    ClearFlag: 0.4,
    AddParty: 0.2,
    IdentifyParty: 0.4,
    ReportUrgent: 0.2,
    ExtendTerm: 0.3,
}
"""How much likelier than others some attempts are, so that a case gets anywhere."""


def choices(case: CaseState, at: datetime, dice: random.Random) -> Iterator[Command]:
    """Name one attempt of every kind."""
    yield from _intake(case, dice)
    yield from _mediation(case, dice)
    yield from _term(case, at)
    yield from _papers(case, at, dice)
    yield from _other_tracks(case, at, dice)
    yield from _proceedings(case, at, dice)
    yield from _moves(case, dice)
    yield from _ends(case, dice)


def _intake(case: CaseState, dice: random.Random) -> Iterator[Command]:
    party = dice.choice(case.parties)
    yield AskConsent(party_id=party.party_id, means="phone")
    for one in case.parties[-2:]:
        answer = dice.choice((*[Answer.AGREED] * 6, *Answer))
        yield RecordConsent(party_id=one.party_id, answer=answer, means="phone")
    yield WithdrawConsent(party_id=party.party_id, means="phone")
    yield AcceptCase(within_scope=True, within_district=True)
    yield RefuseCase(reason_code=dice.choice(list(codes.table("refusal_reasons"))))
    yield WithdrawApplication(by_ids=tuple(it.party_id for it in case.applicants))
    yield RaiseFlag(flag=dice.choice(("WAGE_ARREARS", "EMPLOYER_CLOSED", "MIGRANT", "NEW_FORM")))
    if case.flags:
        yield ClearFlag(flag=min(case.flags), explanation=Personal("已核实"))
    yield ConfirmCollective()
    worker = PartyEntry(role="WORKER", name=Personal("测试"), provisional=dice.random() < 0.5)
    line = AddedLine(counterpart_id=case.respondents[0].party_id, cause="C15", claimed_fen=7_000)
    yield AddParty(side=Side.APPLICANT, party=worker, lines=(line,))
    yield IdentifyParty(
        party_id=party.party_id,
        party=PartyEntry(role=dice.choice(("INVESTOR", "WORKER")), name=Personal("测试甲")),
    )
    if case.irregularities:
        flaw = dice.choice(case.irregularities)
        yield CureIrregularity(
            event_id=flaw.event_id, code=flaw.code, cure="explained", explanation=Personal("说明")
        )
    yield ReportUrgent(
        kind=dice.choice(("first", "follow-up")),
        addressees=(
            AddresseeEntry(kind="party-government", name=Personal("测试街道办事处")),
            AddresseeEntry(kind="upper-union", name=Personal("测试总工会"), body_id="quzong"),
        ),
        text=Personal("专报"),
    )
    if case.reports:
        yield AcknowledgeUrgentReport(report_no=1, addressee_no=dice.randint(0, 1))


def _mediation(case: CaseState, dice: random.Random) -> Iterator[Command]:
    party = dice.choice(case.parties)
    mediator_id = MEDIATORS[case.custody_body_id]
    yield AssignMediators(mediator_ids=(mediator_id,), lead_mediator_id=mediator_id)
    if case.mediator_ids:
        yield ConfirmAssignment(mediator_id=case.mediator_ids[0])
        reason_code = dice.choice(list(codes.table("assignment_decline_reasons")))
        yield DeclineAssignment(mediator_id=case.mediator_ids[0], reason_code=reason_code)
    yield ServeRightsNotice(party_id=party.party_id, means="attending")
    yield RecordSession(
        mode="joint",
        attending_ids=(party.party_id,),
        host_ids=(mediator_id,),
        rights_told=dice.random() < 0.5,
        minutes=Personal("笔录"),
        result="no-agreement",
    )


def _term(case: CaseState, at: datetime) -> Iterator[Command]:
    yield from (lapse_of(term) for term in (case.term, case.own_term) if term is not None)
    if case.term is not None:
        yield ExtendTerm(
            until_on=max(case.term.due_on, at.date()) + timedelta(days=9),
            agreed_ids=tuple(it.party_id for it in case.parties),
        )


def _papers(case: CaseState, at: datetime, dice: random.Random) -> Iterator[Command]:
    line = dice.choice(case.lines)
    soon = (at + timedelta(days=dice.randint(0, 9))).date()
    promised = ObligationEntry(line_id=line.line_id, agreed_fen=line.claimed_fen or 1, due_on=soon)
    everybody = tuple(it.party_id for it in case.parties)
    yield GiveUndertaking(
        respondent_id=case.respondents[0].party_id, obligations=(promised,), text=Personal("承诺")
    )
    yield RecordSettlement(
        signed_by_ids=(everybody[0], everybody[-1]),
        obligations=(promised,)[: dice.randint(0, 1)],
        text=Personal("和解"),
    )
    yield RecordOralAgreement(
        agreed_by_ids=everybody, obligations=(promised,), text=Personal("口头约定")
    )
    yield draft(case, soon, seal_body_id=dice.choice((None, "quzong")))
    if case.draft is not None:
        paper: dict[str, Any] = {"number": case.draft.number, "digest": case.draft.digest}
        yield check(case.draft.number, passes=dice.random() < 0.8)
        yield SignAgreement(**paper, party_id=dice.choice(case.draft.bound_ids))
        yield SignAgreement(**paper, mediator_id=MEDIATORS[case.custody_body_id])
        yield SealAgreement(**paper)
        yield SignAndSeal(**paper, mediator_id=MEDIATORS[case.custody_body_id])


def draft(case: CaseState, due_on: date, *, seal_body_id: str | None = None) -> DraftAgreement:
    """Write an agreement that binds whoever is willing, on all their claims."""
    bound = {it.party_id for it in case.parties if case.has_agreed(it)}
    lines = [it for it in case.lines if {it.applicant_id, it.respondent_id} <= bound]
    return DraftAgreement(
        bound_ids=tuple(it.party_id for it in case.parties if it.party_id in bound)
        or (case.parties[0].party_id,),
        results=tuple(ClaimResult(line_id=it.line_id, result="agreed") for it in lines)
        or (ClaimResult(line_id=case.lines[0].line_id, result="open"),),
        obligations=tuple(
            ObligationEntry(line_id=it.line_id, agreed_fen=it.claimed_fen or 1, due_on=due_on)
            for it in lines
        ),
        text=Personal("协议"),
        seal_body_id=seal_body_id,
    )


def check(number: int, *, passes: bool = True) -> CheckLegality:
    """Check a version of an agreement."""
    return CheckLegality(
        number=number,
        no_insurance_waiver=passes,
        no_third_party_harm=True,
        is_voluntary=True,
        is_clear=True,
    )


def _other_tracks(case: CaseState, at: datetime, dice: random.Random) -> Iterator[Command]:
    yield GrantAid(criteria_code="wage-arrears")
    yield RefuseAid(reason_code="criteria-not-met")
    yield AppointCounsel(counsel_id=COUNSEL, for_ids=(case.applicants[0].party_id,))
    yield RelayDemand(
        respondent_id=case.respondents[0].party_id, means="phone", formal=dice.random() < 0.5
    )
    yield RecordDemandAnswer(answer=dice.choice(("GRANTED", "PARTLY", "REFUSED")), means="written")
    told = dice.choice(((), (case.applicants[0].party_id,)))
    yield FeedBackDemand(told_ids=told, means="phone")
    yield RecordContractChange(
        signed_by_ids=tuple(it.party_id for it in case.parties),
        items=(
            ContractItem(
                line_id=case.lines[0].line_id,
                item=Personal("津贴"),
                monthly_fen=20_000,
                first_due_on=at.date(),
                recurring=dice.random() < 0.7,
            ),
        ),
    )


def _proceedings(case: CaseState, at: datetime, dice: random.Random) -> Iterator[Command]:
    by = (dice.choice(case.parties).party_id,)
    yield TakeRemedyRoute(forum="arbitration", filed_by_ids=by, forum_name=Personal("测试仲裁委"))
    yield OpenProceeding(
        forum="court-first", forum_name=Personal("测试法院"), filed_by_ids=by, source="party-told"
    )
    for proceeding in case.proceedings[-1:]:
        yield UpdateProceeding(
            proceeding_id=proceeding.proceeding_id,
            step="heard",
            result=dice.choice((None, "court-mediation")),
            source="document",
        )
    line = dice.choice(case.lines)
    yield SetObligations(
        source_document="court-mediation",
        obligations=(
            ObligationEntry(line_id=line.line_id, agreed_fen=5_000, due_on=at.date()),
            ObligationEntry(
                line_id=line.line_id, agreed_fen=4_000, due_on=at.date() + timedelta(days=9)
            ),
        ),
    )


def _moves(case: CaseState, dice: random.Random) -> Iterator[Command]:
    """Name one move of each kind that the ladder may permit, and the answers to a pending one."""
    here, path = case.custody_body_id, case.custody_path
    targets = {
        (MoveKind.ESCALATE, "beyond-means"): [path.rstrip("/").split("/")[-2]],
        (MoveKind.REPORT_UP, "body-absent"): ["quzong"],
        (MoveKind.TRANSFER, "capacity-short"): beside(here),
        (MoveKind.REROUTE, "wrong-place"): beside(here),
        (MoveKind.ASSIGN_DOWN, "closer-to-parties"): below(path),
        (MoveKind.SEND_BACK, "upper-help-given"): [it.body_id for it in case.former[-1:]],
    }
    for (kind, ground), bodies in targets.items():
        found = [body_id for body_id in bodies if body_id in PATHS]
        if found:
            yield RequestCustodyMove(
                kind=kind,
                to_body_id=dice.choice(found),
                ground=ground,
                summary=Personal("案情"),
                applicant_wish=dice.random() < 0.5,
            )
    if case.move is not None:
        yield RecordTransferSheet(
            party_id=dice.choice(case.parties).party_id,
            new_body=dice.random() < 0.8,
            disclosure=True,
        )
        yield AcceptCustody()
        yield DeclineCustody(reason_code=min(codes.table("custody_decline_reasons")))
        yield WithdrawCustodyMove()


def _ends(case: CaseState, dice: random.Random) -> Iterator[Command]:
    yield ConcludeMediation(accepted_by_ids=tuple(it.party_id for it in case.applicants))
    yield FailMediation(cause_code=dice.choice(list(codes.table("failure_causes"))))
    owed = dice.choice((case.parties[0].party_id, *sorted(case.remedies_owed_ids)))
    yield ServeRemediesNotice(party_id=owed, means=dice.choice(("written", "phone")))
    for payment in case.payments[-2:]:
        yield RecordPerformance(
            obligation_id=payment.obligation.obligation_id,
            paid_fen=dice.choice((1_000, payment.obligation.agreed_fen)),
            payment_means="cash",
            proof_kind="receipt",
        )
    yield CloseCase()
    if dice.random() < 0.1:
        yield CloseCase(waived_duties=open_duties(case), waiver_reason_code="party-untraceable")
    unpaid = [it.obligation for it in case.payments if not it.is_performed]
    if unpaid:
        yield PerformAndClose(
            payments=tuple(
                PaymentEntry(
                    obligation_id=it.obligation_id,
                    paid_fen=it.agreed_fen,
                    payment_means="cash",
                    proof_kind="receipt",
                )
                for it in unpaid
            )
        )
