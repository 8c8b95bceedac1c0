"""A case in memory and the steps of its life, each as the office would take it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from mediation.calendar import DueDate
from mediation.case.agreement import SealAgreement, SignAgreement
from mediation.case.aid import GrantAid, RefuseAid
from mediation.case.assignment import AssignMediators, ConfirmAssignment
from mediation.case.closing import CloseCase
from mediation.case.conclusion import (
    ConcludeMediation,
    FailMediation,
    WithdrawApplication,
)
from mediation.case.consent import (
    AcceptCase,
    AskConsent,
    RecordConsent,
    RefuseCase,
)
from mediation.case.custody import (
    AcceptCustody,
    RequestCustodyMove,
)
from mediation.case.demand import (
    ContractItem,
    FeedBackDemand,
    RecordContractChange,
    RecordDemandAnswer,
    RelayDemand,
)
from mediation.case.drafting import CheckLegality, DraftAgreement
from mediation.case.intake import LineEntry, PartyEntry, RaiseFlag, RegisterCase
from mediation.case.lifecycle import open_duties
from mediation.case.performance import ObligationEntry, RecordPerformance
from mediation.case.proceedings import (
    OpenProceeding,
    SetObligations,
    TakeRemedyRoute,
    UpdateProceeding,
)
from mediation.case.sessions import RecordSession, ServeRightsNotice
from mediation.case.settlement import GiveUndertaking, RecordSettlement
from mediation.case.sheets import RecordTransferSheet
from mediation.case.term import LapseTerm
from mediation.case.urgent import AddresseeEntry, ReportUrgent
from mediation.case.values import (
    Answer,
    ClaimLine,
    ClaimResult,
    Draft,
    Matter,
    Party,
    Phase,
)
from mediation.kernel import Command
from mediation.ladder import MoveKind
from mediation.privacy import Personal
from tests.playing import (
    CASE_ID,
    DISTRICT,
    NETWORK,
    OPENED,
    SEED,
    STANDARD,
    START,
    Playing,
    a_network,
    alike,
    an_id,
    closed,
    expect,
    lead_of,
    mediators_of,
    moment,
    nameless,
    on,
    seal,
    stored_again,
)


class Scenario(Playing):
    """One case, its clock and its office, with every step that an office takes."""

    def registered(
        self, *, body_id: str = "hengjie", workers: int = 1, at: str | None = None, **changes: Any
    ) -> Scenario:
        """Register a dispute of some workers with one company."""
        return self.given(a_registration(body_id=body_id, workers=workers, **changes), at=at)

    def flagged(self, *flags: str) -> Scenario:
        """Raise flags."""
        return self.given(*(RaiseFlag(flag=flag) for flag in flags))

    def asked(self) -> Scenario:
        """Ask the respondent."""
        return self.given(AskConsent(party_id=self.respondent.party_id, means="phone"))

    def agreed(self, *, at: str | None = None) -> Scenario:
        """Record the consent of every party at the present body."""
        return self.given(*(self.consent(party) for party in self.case.parties), at=at)

    def consent(self, party: Party, answer: Answer = Answer.AGREED) -> RecordConsent:
        """Make the command that records a party's answer."""
        return RecordConsent(party_id=party.party_id, answer=answer, means="in-person")

    def accepted(self, *, at: str | None = None) -> Scenario:
        """Accept the case."""
        return self.given(AcceptCase(within_scope=True, within_district=True), at=at)

    def refused(self) -> Scenario:
        """Do not accept the case."""
        return self.given(RefuseCase(reason_code="duplicate"))

    def assigned(self) -> Scenario:
        """Assign the mediators of the body, as far as no conflict is known; the first leads."""
        team = tuple(
            mediator_id
            for mediator_id in mediators_of(self.case.custody_body_id)
            if mediator_id not in self.case.conflicted_ids
        )
        return self.given(AssignMediators(mediator_ids=team, lead_mediator_id=team[0]))

    def mediating(self) -> Scenario:
        """Assign, confirm, and tell everybody the rights."""
        self.assigned()
        lead = self.case.lead_mediator_id
        self.given(ConfirmAssignment(mediator_id=lead))
        return self.given(
            *(
                ServeRightsNotice(party_id=party.party_id, means="attending")
                for party in self.case.parties
            )
        )

    def session(self, **changes: Any) -> RecordSession:
        """Make the command that records a joint session of everybody, by the assigned."""
        fields: dict[str, Any] = {
            "mode": "joint",
            "attending_ids": tuple(party.party_id for party in self.case.parties),
            "host_ids": self.case.mediator_ids or (an_id("somebody"),),
            "minutes": Personal("双方各执一词，未能达成一致。"),
            "result": "no-agreement",
        }
        return RecordSession(**(fields | changes))

    def met(self, *, at: str | None = None) -> Scenario:
        """Hold a session."""
        return self.given(self.session(), at=at)

    def promise(self, *, fen: int = 100_000, due_on: date = date(2026, 3, 20)) -> GiveUndertaking:
        """Make the command by which the first respondent promises to pay on every line."""
        return GiveUndertaking(
            respondent_id=self.respondent.party_id,
            obligations=tuple(
                ObligationEntry(line_id=line.line_id, agreed_fen=fen, due_on=due_on)
                for line in self.case.lines
            ),
            text=Personal("本单位承诺按期足额支付。"),
        )

    def promised(self) -> Scenario:
        """See that something is owed, by the paper that belongs to the matter."""
        papers: dict[Matter, Callable[[], Command]] = {
            Matter.DISPUTE: self.promise,
            Matter.DEMAND: self.change,
            Matter.AID: self.obligations_set,
        }
        if self.case.payments:
            return self
        return self.given(papers[Matter(self.case.matter_kind)]())

    def settlement(self, **changes: Any) -> RecordSettlement:
        """Make the command that records a settlement without payment, signed by everybody."""
        fields: dict[str, Any] = {
            "signed_by_ids": tuple(party.party_id for party in self.case.parties),
            "text": Personal("双方自行和解。"),
        }
        return RecordSettlement(**(fields | changes))

    def conclusion(self) -> ConcludeMediation:
        """Make the command that concludes with the acceptance of every applicant."""
        return ConcludeMediation(
            accepted_by_ids=tuple(party.party_id for party in self.case.applicants)
        )

    def settled(self) -> Scenario:
        """Promise, and conclude."""
        return self.given(self.promise()).given(self.conclusion())

    def failed(self) -> Scenario:
        """End the mediation without agreement."""
        return self.given(FailMediation(cause_code="no-agreement"))

    def draft(self, *, fen: int = 100_000, **changes: Any) -> DraftAgreement:
        """Make the command that drafts an agreement of everybody on every line."""
        fields: dict[str, Any] = {
            "bound_ids": tuple(party.party_id for party in self.case.parties),
            "results": tuple(
                ClaimResult(line_id=line.line_id, result="agreed") for line in self.case.lines
            ),
            "obligations": tuple(
                ObligationEntry(line_id=line.line_id, agreed_fen=fen, due_on=date(2026, 3, 20))
                for line in self.case.lines
            ),
            "text": Personal("双方自愿达成如下协议。"),
        }
        return DraftAgreement(**(fields | changes))

    def drafted(self, **changes: Any) -> Scenario:
        """Draft an agreement."""
        return self.given(self.draft(**changes))

    @property
    def on_the_table(self) -> Draft:
        """The draft that waits for signatures."""
        assert self.case.draft is not None
        return self.case.draft

    @property
    def term(self) -> DueDate:
        """The end of the statutory term, which runs."""
        assert self.case.term is not None
        return self.case.term

    @property
    def paper(self) -> dict[str, Any]:
        """Number and digest as they stand in the footer of the latest draft."""
        draft = self.case.draft
        return {
            "number": draft.number if draft else 1,
            "digest": draft.digest[:12] if draft else "0" * 12,
        }

    def check(self, **changes: Any) -> CheckLegality:
        """Make the command that finds nothing to object to in the latest draft."""
        fields: dict[str, Any] = {
            "number": self.paper["number"],
            "no_insurance_waiver": True,
            "no_third_party_harm": True,
            "is_voluntary": True,
            "is_clear": True,
        }
        return CheckLegality(**(fields | changes))

    def signed(self) -> Scenario:
        """Let everybody bound and the mediator sign."""
        return self.given(*self.acts()[:-1])

    def acts(self) -> list[Any]:
        """Make every act that the latest draft needs: each signature, and the seal as the last."""
        bound = self.case.draft.bound_ids if self.case.draft else ()
        return [
            *(SignAgreement(**self.paper, party_id=party_id) for party_id in bound),
            SignAgreement(**self.paper, mediator_id=self.case.lead_mediator_id),
            SealAgreement(**self.paper),
        ]

    def in_force(self) -> Scenario:
        """Draft, check, sign and seal."""
        self.drafted().given(self.check()).signed()
        return self.given(SealAgreement(**self.paper))

    def withdrawn(self) -> Scenario:
        """Let all applicants take the application back."""
        return self.given(self.withdrawal())

    def withdrawal(self) -> WithdrawApplication:
        """Make the command by which all applicants take the application back."""
        return WithdrawApplication(by_ids=tuple(p.party_id for p in self.case.applicants))

    def departed(self) -> Scenario:
        """Let the applicant go to arbitration."""
        return self.given(self.departure())

    def departure(self, by: Party | None = None, **changes: Any) -> TakeRemedyRoute:
        """Make the command by which a party, by default the applicant, goes to arbitration."""
        fields: dict[str, Any] = {
            "forum": "arbitration",
            "filed_by_ids": ((by or self.applicant).party_id,),
            "forum_name": Personal("区劳动人事争议仲裁委员会"),
        }
        return TakeRemedyRoute(**(fields | changes))

    def relayed(self) -> Scenario:
        """Put the demand to the employer."""
        return self.given(RelayDemand(respondent_id=self.respondent.party_id, means="in-person"))

    def answered(self) -> Scenario:
        """Let the employer grant the demand."""
        return self.given(RecordDemandAnswer(answer="GRANTED", means="in-person"))

    def fed_back(self) -> Scenario:
        """Tell the workers what became of the demand."""
        return self.given(FeedBackDemand(means="in-person"))

    def change(self) -> RecordContractChange:
        """Make the command that records a monthly allowance on every line, signed by all."""
        return RecordContractChange(
            signed_by_ids=tuple(party.party_id for party in self.case.parties),
            items=tuple(
                ContractItem(
                    line_id=line.line_id,
                    item=Personal("每月增加津贴"),
                    monthly_fen=30_000,
                    first_due_on=date(2026, 4, 10),
                    recurring=True,
                )
                for line in self.case.lines
            ),
        )

    def changed(self) -> Scenario:
        """Change the contract as the demand asked."""
        return self.given(self.change())

    def aided(self) -> Scenario:
        """Grant aid."""
        return self.given(GrantAid(criteria_code="wage-arrears"))

    def unaided(self) -> Scenario:
        """Do not grant aid."""
        return self.given(RefuseAid(reason_code="criteria-not-met"))

    def litigated(self) -> Scenario:
        """Open an arbitration on behalf of the workers."""
        return self.given(self.arbitration())

    def arbitration(self) -> OpenProceeding:
        """Make the command that records an arbitration brought by every applicant."""
        return OpenProceeding(
            forum="arbitration",
            forum_name=Personal("区劳动人事争议仲裁委员会"),
            filed_by_ids=tuple(p.party_id for p in self.case.applicants),
            source="document",
        )

    def awarded(self) -> Scenario:
        """Let the arbitration end in an award, and record what is to be paid."""
        self.given(self.award())
        return self.given(self.obligations_set())

    def award(self) -> UpdateProceeding:
        """Make the command that ends the last proceeding with an award."""
        return UpdateProceeding(
            proceeding_id=self.case.proceedings[-1].proceeding_id
            if self.case.proceedings
            else SEED,
            step="decided",
            result="arbitral-award",
            source="document",
        )

    def obligations_set(self) -> SetObligations:
        """Make the command that records what the award orders on every line."""
        return SetObligations(
            source_document="arbitral-award",
            obligations=tuple(
                ObligationEntry(line_id=line.line_id, agreed_fen=100_000, due_on=date(2026, 3, 20))
                for line in self.case.lines
            ),
        )

    def report(self) -> ReportUrgent:
        """Make the command that reports urgently to both addressees."""
        return ReportUrgent(
            kind="first",
            addressees=(
                AddresseeEntry(kind="party-government", name=Personal("街道综治中心")),
                AddresseeEntry(kind="upper-union", name=Personal("区总工会"), body_id="hq"),
            ),
            text=Personal("职工聚集，情况紧急。"),
        )

    def payment(self, at: int = 0, *, fen: int = 100_000) -> RecordPerformance:
        """Make the command that records a payment on one obligation."""
        return RecordPerformance(
            obligation_id=self.case.payments[at].obligation.obligation_id,
            paid_fen=fen,
            payment_means="bank-transfer",
            proof_kind="bank-slip",
        )

    def closed(self) -> Scenario:
        """Close; whatever is still open is waived."""
        return self.given(self.waiver())

    def waiver(self, reason_code: str = "party-untraceable") -> CloseCase:
        """Make the command that closes the case and waives every duty still open."""
        return CloseCase(waived_duties=open_duties(self.case), waiver_reason_code=reason_code)

    def move(
        self,
        to_body_id: str,
        kind: MoveKind = MoveKind.ESCALATE,
        ground: str = "beyond-means",
        **changes: Any,
    ) -> RequestCustodyMove:
        """Make the command that asks another body to take the case.

        Where it has come to nothing, the applicant wishes in writing to go on.
        """
        fields: dict[str, Any] = {
            "kind": kind,
            "to_body_id": to_body_id,
            "ground": ground,
            "summary": Personal("双方争议较大，请上级组织调解。"),
            "applicant_wish": self.case.phase in (Phase.FAILED, Phase.NOT_ACCEPTED),
        }
        return RequestCustodyMove(**(fields | changes))

    def sheet(self, party: Party, **changes: Any) -> RecordTransferSheet:
        """Make the command that records a party's sheet: yes to all."""
        fields: dict[str, Any] = {"new_body": True, "disclosure": True, "extension": True}
        return RecordTransferSheet(party_id=party.party_id, **(fields | changes))

    def taken_by(self, to_body_id: str, *, at: str | None = None, **move: Any) -> Scenario:
        """Move the case with the sheets of everybody, and let the receiver accept."""
        self.given(self.move(to_body_id, **move), at=at)
        self.given(*(self.sheet(party) for party in self.case.parties))
        return self.given(AcceptCustody())


def lapse_of(term: DueDate | None) -> LapseTerm:
    """Make the command that the timer fires on a term; without one, on a term that is none."""
    if term is None:
        return LapseTerm(code="D02", due_on=date(2026, 3, 17), start_event_id=an_id("no term"))
    code: Any = term.code
    return LapseTerm(code=code, due_on=term.due_on, start_event_id=term.start_event_id)


def a_registration(*, workers: int = 1, companies: int = 1, **changes: Any) -> RegisterCase:
    """Make the command that registers wages claimed by some workers, 100,000 fen each."""
    fields: dict[str, Any] = {
        "matter_kind": Matter.DISPUTE,
        "channel": "walk-in",
        "body_id": "hengjie",
        "applicants": tuple(
            PartyEntry(role="WORKER", name=Personal(f"职工{at}"), phone=Personal("13800000000"))
            for at in range(workers)
        ),
        "respondents": tuple(
            PartyEntry(role="EMPLOYER", party_kind="COMPANY", company_name=f"第{at}餐饮有限公司")
            for at in range(companies)
        ),
        "request": Personal("请求支付拖欠工资。"),
        "cause": "C13",
        "lines": tuple(
            LineEntry(applicant=at, cause="C13", claimed_fen=100_000) for at in range(workers)
        ),
    }
    return RegisterCase(**(fields | changes))


def results(said: Mapping[ClaimLine, Any]) -> tuple[ClaimResult, ...]:
    """Make the results of claim lines out of what is said of each: agreed, waived, open."""
    return tuple(ClaimResult(line_id=line.line_id, result=it) for line, it in said.items())


STEPS: dict[Matter, dict[Phase, tuple[str, ...]]] = {
    Matter.DISPUTE: {
        Phase.REGISTERED: (),
        Phase.CONSENT_PENDING: ("agreed",),
        Phase.ACCEPTED: ("agreed", "accepted"),
        Phase.ASSIGNED: ("agreed", "accepted", "assigned"),
        Phase.MEDIATING: ("agreed", "accepted", "mediating"),
        Phase.SIGNING: ("agreed", "accepted", "mediating", "drafted"),
        Phase.PERFORMING: ("agreed", "accepted", "mediating", "settled"),
        Phase.FAILED: ("agreed", "accepted", "mediating", "failed"),
        Phase.WITHDRAWN: ("agreed", "accepted", "withdrawn"),
        Phase.NOT_ACCEPTED: ("refused",),
        Phase.IN_PROCEEDINGS: ("agreed", "accepted", "departed"),
        Phase.CLOSED: ("agreed", "accepted", "mediating", "settled", "closed"),
    },
    Matter.DEMAND: {
        Phase.REGISTERED: (),
        Phase.RELAYED: ("relayed",),
        Phase.ANSWERED: ("relayed", "answered"),
        Phase.PERFORMING: ("relayed", "answered", "changed"),
        Phase.WITHDRAWN: ("withdrawn",),
        Phase.CLOSED: ("relayed", "answered", "fed_back", "closed"),
    },
    Matter.AID: {
        Phase.REGISTERED: (),
        Phase.AIDED: ("aided",),
        Phase.NOT_ACCEPTED: ("unaided",),
        Phase.IN_PROCEEDINGS: ("aided", "litigated"),
        Phase.PERFORMING: ("aided", "litigated", "awarded"),
        Phase.WITHDRAWN: ("withdrawn",),
        Phase.CLOSED: ("aided", "closed"),
    },
}
"""The shortest proper way into each phase that a matter of each kind can be in."""

PLACES = tuple((matter, phase) for matter, steps in STEPS.items() for phase in steps)
"""Every kind of matter in every phase it can be in."""


def in_phase(phase: Phase, matter: Matter | None = None, **registration: Any) -> Scenario:
    """Bring a fresh case into a phase; by default a dispute, where a dispute can be in it."""
    kind = matter or next(it for it in Matter if phase in STEPS[it])
    scenario = Scenario().registered(**({"matter_kind": kind} | registration))
    for step in STEPS[kind][phase]:
        getattr(scenario, step)()
    assert scenario.case.phase is phase
    return scenario


__all__ = [
    "CASE_ID",
    "DISTRICT",
    "NETWORK",
    "OPENED",
    "PLACES",
    "SEED",
    "STANDARD",
    "START",
    "STEPS",
    "Playing",
    "Scenario",
    "a_network",
    "a_registration",
    "alike",
    "an_id",
    "closed",
    "expect",
    "in_phase",
    "lead_of",
    "mediators_of",
    "moment",
    "nameless",
    "on",
    "results",
    "seal",
    "stored_again",
]
