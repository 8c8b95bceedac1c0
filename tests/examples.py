"""One well-formed example of every command on a registered case, whatever phase the case is in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from mediation.case.agreement import SealAgreement, SignAgreement
from mediation.case.aid import AppointCounsel, GrantAid, RefuseAid
from mediation.case.assignment import AssignMediators, ConfirmAssignment, DeclineAssignment
from mediation.case.closing import CloseCase
from mediation.case.composites import PaymentEntry, PerformAndClose, SignAndSeal
from mediation.case.conclusion import FailMediation, ServeRemediesNotice
from mediation.case.consent import AcceptCase, AskConsent, RefuseCase, WithdrawConsent
from mediation.case.correction import CureIrregularity
from mediation.case.custody import AcceptCustody, DeclineCustody, WithdrawCustodyMove
from mediation.case.demand import FeedBackDemand, RecordDemandAnswer, RelayDemand
from mediation.case.intake import ClearFlag, PartyEntry, RaiseFlag
from mediation.case.parties import AddParty, ConfirmCollective, IdentifyParty
from mediation.case.sessions import ServeRightsNotice
from mediation.case.settlement import RecordOralAgreement
from mediation.case.term import ExtendTerm
from mediation.case.urgent import AcknowledgeUrgentReport
from mediation.case.values import Matter, Phase, Side
from mediation.kernel import Command
from mediation.privacy import Personal
from tests.scenario import SEED, STEPS, Scenario, an_id, lapse_of, mediators_of

COMMANDS: dict[str, Callable[[Scenario], Command]] = {
    "accept-case": lambda s: AcceptCase(within_scope=True, within_district=True),
    "accept-custody": lambda s: AcceptCustody(),
    "ask-consent": lambda s: AskConsent(party_id=s.respondent.party_id, means="phone"),
    "assign-mediators": lambda s: AssignMediators(
        mediator_ids=mediators_of(s.case.custody_body_id),
        lead_mediator_id=mediators_of(s.case.custody_body_id)[0],
    ),
    "clear-flag": lambda s: ClearFlag(flag="MEDIA", explanation=Personal("已核实。")),
    "close-case": lambda s: CloseCase(),
    "conclude-mediation": lambda s: s.conclusion(),
    "confirm-assignment": lambda s: ConfirmAssignment(mediator_id=s.case.lead_mediator_id),
    "decline-assignment": lambda s: DeclineAssignment(
        mediator_id=s.case.lead_mediator_id, reason_code="workload"
    ),
    "decline-custody": lambda s: DeclineCustody(reason_code="wrong-body"),
    "fail-mediation": lambda s: FailMediation(cause_code="no-agreement"),
    "give-undertaking": lambda s: s.promise(),
    "raise-flag": lambda s: RaiseFlag(flag="MEDIA"),
    "record-consent": lambda s: s.consent(s.respondent),
    "record-performance": lambda s: s.payment(),
    "record-session": lambda s: s.session(),
    "record-settlement": lambda s: s.settlement(),
    "record-transfer-sheet": lambda s: s.sheet(s.respondent),
    "refuse-case": lambda s: RefuseCase(reason_code="duplicate"),
    "request-custody-move": lambda s: s.move("dongcheng"),
    "serve-remedies-notice": lambda s: ServeRemediesNotice(
        party_id=s.respondent.party_id, means="written"
    ),
    "serve-rights-notice": lambda s: ServeRightsNotice(
        party_id=s.respondent.party_id, means="attending"
    ),
    "withdraw-application": lambda s: s.withdrawal(),
    "withdraw-consent": lambda s: WithdrawConsent(party_id=s.respondent.party_id, means="phone"),
    "withdraw-custody-move": lambda s: WithdrawCustodyMove(),
    "add-party": lambda s: AddParty(
        side=Side.RESPONDENT, party=PartyEntry(role="USING_UNIT", company_name="用工单位")
    ),
    "identify-party": lambda s: IdentifyParty(
        party_id=s.respondent.party_id,
        party=PartyEntry(role="EMPLOYER", company_name="核实后的公司"),
    ),
    "confirm-collective": lambda s: ConfirmCollective(),
    "extend-term": lambda s: ExtendTerm(
        until_on=(s.case.term.due_on if s.case.term else date(2026, 3, 17)) + timedelta(days=10),
        agreed_ids=tuple(party.party_id for party in s.case.parties),
    ),
    "lapse-term": lambda s: lapse_of(s.case.term),
    "draft-agreement": lambda s: s.draft(),
    "check-legality": lambda s: s.check(),
    "sign-agreement": lambda s: SignAgreement(**s.paper, party_id=s.applicant.party_id),
    "seal-agreement": lambda s: SealAgreement(**s.paper),
    "sign-and-seal": lambda s: SignAndSeal(**s.paper),
    "record-oral-agreement": lambda s: RecordOralAgreement(
        agreed_by_ids=tuple(party.party_id for party in s.case.parties),
        text=Personal("双方口头约定当场结清。"),
    ),
    "cure-irregularity": lambda s: CureIrregularity(
        event_id=s.case.irregularities[0].event_id if s.case.irregularities else SEED,
        code=s.case.irregularities[0].code if s.case.irregularities else "out-of-order",
        cure="explained",
        explanation=Personal("已作说明。"),
    ),
    "perform-and-close": lambda s: PerformAndClose(
        payments=tuple(
            PaymentEntry(
                obligation_id=it.obligation.obligation_id,
                paid_fen=it.obligation.agreed_fen,
                payment_means="cash",
                proof_kind="receipt",
            )
            for it in s.case.payments
        )
    ),
    "report-urgent": lambda s: s.report(),
    "acknowledge-urgent-report": lambda s: AcknowledgeUrgentReport(report_no=1, addressee_no=0),
    "take-remedy-route": lambda s: s.departure(),
    "open-proceeding": lambda s: s.arbitration(),
    "update-proceeding": lambda s: s.award(),
    "set-obligations": lambda s: s.obligations_set(),
    "grant-aid": lambda s: GrantAid(criteria_code="wage-arrears"),
    "refuse-aid": lambda s: RefuseAid(reason_code="criteria-not-met"),
    "appoint-counsel": lambda s: AppointCounsel(
        counsel_id=an_id("counsel"),
        for_ids=(s.applicant.party_id,),
        firm=Personal("示例律师事务所"),
    ),
    "relay-demand": lambda s: RelayDemand(
        respondent_id=s.respondent.party_id, means="in-person", formal=True
    ),
    "record-demand-answer": lambda s: RecordDemandAnswer(answer="PARTLY", means="written"),
    "feed-back-demand": lambda s: FeedBackDemand(means="phone"),
    "record-contract-change": lambda s: s.change(),
}


def with_everything_to_record(matter: Matter, phase: Phase, *, workers: int = 1) -> Scenario:
    """Bring a case into a phase that has what facts refer to: money owed, a report, a result.

    All of it was typed in too early, so that it moves nothing.
    """
    scenario = Scenario().registered(matter_kind=matter, workers=workers)
    scenario.flagged("MEDIA").promised().given(scenario.report())
    if matter is not Matter.DEMAND:
        scenario.given(scenario.arbitration())
        scenario.given(scenario.award())
    assert scenario.case.phase is Phase.REGISTERED
    for step in STEPS[matter][phase]:
        getattr(scenario, step)()
    assert scenario.case.phase is phase
    return scenario
