"""What the histories of `cases` leave out: every other branch that a field of an event can take.

Decided once by today's rules; afterwards only the recorded bytes count, and this file may change
only to add what is new.
"""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import msgspec

from mediation.case.agreement import SignAgreement
from mediation.case.aid import AppointCounsel, RefuseAid
from mediation.case.assignment import AssignMediators, ConfirmAssignment, DeclineAssignment
from mediation.case.conclusion import FailMediation, ServeRemediesNotice, WithdrawApplication
from mediation.case.consent import RefuseCase, WithdrawConsent
from mediation.case.custody import AcceptCustody, DeclineCustody, WithdrawCustodyMove
from mediation.case.demand import FeedBackDemand, RecordDemandAnswer, RelayDemand
from mediation.case.intake import LineEntry, PartyEntry
from mediation.case.parties import AddedLine, AddParty, ConfirmCollective, IdentifyParty
from mediation.case.performance import ObligationEntry
from mediation.case.proceedings import OpenProceeding, SetObligations, UpdateProceeding
from mediation.case.settlement import RecordOralAgreement
from mediation.case.term import ExtendTerm
from mediation.case.urgent import AcknowledgeUrgentReport
from mediation.case.values import Matter, Side
from mediation.kernel import Actor
from mediation.ladder import MoveKind
from mediation.privacy import Personal
from tests.history import cases
from tests.scenario import (
    Scenario,
    a_registration,
    an_id,
    lapse_of,
    mediators_of,
    moment,
    on,
    results,
)

SYSTEM = Actor(actor_id=UUID(int=0), role="system")
OWNER = PartyEntry(
    role="EMPLOYER",
    party_kind="SOLE_TRADER",
    provisional=True,
    name=Personal("老陈面馆"),
    phone=Personal("13800000001"),
)


def told(**registration: Any) -> Scenario:
    """Register a case on 2 March 2026."""
    return Scenario().registered(**({"at": "2026-03-02T09:00+08:00"} | registration))


def owed(it: Scenario, fen: int, **changes: Any) -> ObligationEntry:
    """Promise a sum on the first claim line."""
    line_id = it.case.lines[0].line_id
    fields: dict[str, Any] = {"line_id": line_id, "agreed_fen": fen, "due_on": date(2026, 4, 20)}
    return ObligationEntry(**(fields | changes))


def a_shop() -> Scenario:
    """Play a dispute with a shop of one person, all answers no, that leaves for the court."""
    it = told(respondents=(OWNER,))
    worker, owner = it.case.parties
    known = PartyEntry(role="EMPLOYER", party_kind="SOLE_TRADER", name=Personal("陈某"))
    it.given(IdentifyParty(party_id=owner.party_id, party=known, verified_by="business-licence"))
    line = AddedLine(counterpart_id=owner.party_id, cause="C13", claimed_fen=7)
    it.given(
        AddParty(
            side=Side.APPLICANT, party=PartyEntry(role="WORKER", name=Personal("乙")), lines=(line,)
        )
    )
    it.given(
        msgspec.structs.replace(it.report(), headcount=12),
        AcknowledgeUrgentReport(report_no=1, addressee_no=1),
        AcknowledgeUrgentReport(report_no=1, addressee_no=1),
    )
    it.given(it.sheet(worker, new_body=False, disclosure=False, extension=False))
    it.given(WithdrawConsent(party_id=worker.party_id, means="phone"))
    it.given(RefuseCase(reason_code="duplicate", explanation=Personal("重复。")))
    it.given(ServeRemediesNotice(party_id=worker.party_id, means="phone"))
    it.taken_by("dongcheng", ground="not-accepted", applicant_wish=True)
    it.given(
        it.departure(
            forum="court-first",
            exception_code="promissory-note",
            docket_no=Personal("〔2026〕民初1号"),
        )
    )
    it.given(
        OpenProceeding(
            forum="court-first",
            forum_name=Personal("区人民法院"),
            docket_no=Personal("〔2026〕民初2号"),
            filed_by_ids=(worker.party_id,),
            source="document",
            source_note=Personal("见受理通知书。"),
        )
    )
    proceeding_id = it.case.proceedings[-1].proceeding_id
    goes_on = UpdateProceeding(
        proceeding_id=proceeding_id,
        step="accepted",
        docket_no=Personal("〔2026〕民初3号"),
        source="document",
    )
    it.given(goes_on)
    for fen in (50_000, 60_000):
        it.given(
            SetObligations(
                source_document="judgment",
                proceeding_id=proceeding_id,
                obligations=(owed(it, fen),),
            )
        )
    paid = msgspec.structs.replace(it.payment(fen=10_000), paid_by_id=owner.party_id)
    ends = msgspec.structs.replace(goes_on, result="judgment", docket_no=None)
    first = msgspec.structs.replace(ends, proceeding_id=it.case.proceedings[0].proceeding_id)
    return it.given(paid, ends, first).closed()


def a_partial_agreement() -> Scenario:
    """Play an agreement on a part of the claims, late, of a team that changes, with two debtors."""
    it = told(
        companies=2,
        lines=tuple(LineEntry(applicant=0, cause=cause, claimed_fen=9) for cause in ("C13", "C07")),
    )
    it.agreed().accepted()
    first, second = mediators_of("hengjie")
    guest = mediators_of("catering")[0]
    it.given(
        AssignMediators(
            mediator_ids=(first, second, guest), lead_mediator_id=first, invited_ids=(guest,)
        ),
        DeclineAssignment(mediator_id=second, reason_code="workload"),
        ConfirmAssignment(mediator_id=first, declares_no_conflict=False),
    )
    everybody = tuple(party.party_id for party in it.case.parties)
    it.given(it.session(signed_by_ids=everybody))
    it.given(ExtendTerm(until_on=date(2026, 3, 20), agreed_ids=everybody))
    one, other = it.case.lines
    joint = everybody[-1]
    plan = {
        "results": results({one: "agreed", other: "open"}),
        "obligations": (owed(it, 9, joint_ids=(joint,)),),
    }
    for _ in range(2):
        it.given(it.settlement(obligations=(owed(it, 5),), signed_by_ids=everybody))
    it.drafted(**plan)
    wrong = {"no_insurance_waiver": False, "no_third_party_harm": False, "is_voluntary": False}
    second_checker = Actor(actor_id=an_id("second checker"), role="lead", body_id="hengjie")
    it.do(it.check(**wrong), by=second_checker)
    it.drafted(**plan, instrument="SETTLEMENT_AGREEMENT")
    it.do(it.check(), by=second_checker)
    it.now = it.now.replace(day=26)
    return it.given(
        *(SignAgreement(**it.paper, party_id=party_id) for party_id in everybody)
    ).given(it.payment(fen=1))


def a_committee_runs_out_of_time() -> Scenario:
    """Play a case whose terms lapse by the timer: a committee's own, then the statutory one."""
    it = told(body_id="factory").agreed().accepted().mediating()
    it.do(lapse_of(it.case.own_term), by=SYSTEM, at="2026-03-19T09:00+08:00")
    it.do(lapse_of(it.case.term), by=SYSTEM)
    it.given(FailMediation(cause_code="term-lapsed", explanation=Personal("期满。")))
    it.given(
        it.move("hq", MoveKind.REPORT_UP, "statutory-fit"),
        WithdrawCustodyMove(),
        it.move("hengjie", ground="mediation-failed"),
        DeclineCustody(reason_code="wrong-body"),
    )
    return it.given(it.promise(fen=1), it.promise(fen=2))


def moves_without_sheets() -> Scenario:
    """Play moves that take data along by law, with mediators at work, through both branches."""
    it = told(body_id="dongcheng")
    by_law: dict[str, Any] = {"transfer_basis": "statutory-duty"}
    for to, kind, ground in (
        ("hengjie", MoveKind.ASSIGN_DOWN, "supervised"),
        ("catering", MoveKind.TRANSFER, "other-branch"),
        ("hengjie", MoveKind.REROUTE, "wrong-place"),
        ("hq", MoveKind.REPORT_UP, "statutory-fit"),
        ("xicheng", MoveKind.ASSIGN_DOWN, "supervised"),
        ("dongcheng", MoveKind.TRANSFER, "capacity-short"),
        ("hq", MoveKind.ESCALATE, "beyond-means"),
        ("dongcheng", MoveKind.SEND_BACK, "ground-not-met"),
        ("hq", MoveKind.ESCALATE, "beyond-means"),
    ):
        it.agreed()
        if not it.case.acceptance_open:
            it.accepted()
        it.assigned()
        it.given(it.move(to, kind, ground, **by_law), AcceptCustody())
    it.given(
        WithdrawApplication(
            by_ids=(it.applicant.party_id,), settled=True, explanation=Personal("已自行解决。")
        )
    )
    return it


def a_demand_told_too_early() -> Scenario:
    """Play a formal demand of two workers who are told one by one, and a change signed twice."""
    it = told(matter_kind=Matter.DEMAND, workers=2)
    one, _ = (party.party_id for party in it.case.applicants)
    it.given(
        RelayDemand(
            respondent_id=it.respondent.party_id,
            means="written",
            formal=True,
            also_present=("supervisor",),
            note=Personal("已核实。"),
        ),
        FeedBackDemand(told_ids=(one,), means="phone"),
        RecordDemandAnswer(answer="PARTLY", means="written", explanation=Personal("分期。")),
    )
    it.fed_back().changed()
    return it.given(it.change())


def aid_for_many() -> Scenario:
    """Play aid to ten workers with a common claim, refused first in words."""
    it = told(matter_kind=Matter.AID, workers=10)
    it.given(ConfirmCollective())
    it.given(RefuseAid(reason_code="criteria-not-met", explanation=Personal("材料不足。")))
    it.taken_by("dongcheng", ground="not-accepted", applicant_wish=True).aided()
    clients = tuple(party.party_id for party in it.case.applicants)
    return it.given(AppointCounsel(counsel_id=an_id("counsel"), for_ids=clients))


def a_term_that_was_over_when_it_was_typed_in() -> Scenario:
    """Play a paper case whose term had ended: nobody is alarmed, and the extension comes late."""
    it = cases.Late()
    it.now = moment("2026-05-20T09:00+08:00")
    march = moment("2026-03-02T09:00+08:00")
    it.given(a_registration(occurred_at=march))
    it.given(*(on(it.consent(party), date(2026, 3, 3)) for party in it.case.parties))
    it.do(lapse_of(it.case.term), by=SYSTEM)
    it.accepted().mediating().drafted().given(it.check())
    return it.given(*it.acts())


def a_body_whose_capacity_was_never_settled() -> Scenario:
    """Play settlements at a body of which nobody wrote down by what law it acts."""
    it = Scenario().with_capacity("hengjie")
    it.registered(at="2026-03-02T09:00+08:00").agreed().accepted().mediating()
    it.given(it.settlement(obligations=(owed(it, 5),)), it.promise(fen=2))
    everybody = tuple(party.party_id for party in it.case.parties)
    said: dict[str, Any] = {
        "agreed_by_ids": everybody,
        "obligations": (owed(it, 3),),
        "text": Personal("口头。"),
    }
    return it.given(RecordOralAgreement(**said))


def moves_that_carry_nothing() -> Scenario:
    """Play moves without a word to the parties, over a new year whose holidays nobody knows yet.

    It ends by a settlement on paper at a body of which nobody wrote down by what law it acts.
    """
    it = Scenario().with_capacity("catering")
    it.registered(body_id="factory", at="2026-12-29T09:00+08:00")
    for to, kind, ground in (
        ("hengjie", MoveKind.REPORT_UP, "statutory-fit"),
        ("factory", MoveKind.ASSIGN_DOWN, "supervised"),
        ("hengjie", MoveKind.ESCALATE, "assignment-return"),
        ("factory", MoveKind.SEND_BACK, "ground-not-met"),
        ("hengjie", MoveKind.ESCALATE, "beyond-means"),
        ("catering", MoveKind.TRANSFER, "other-branch"),
        ("hengjie", MoveKind.REROUTE, "wrong-place"),
        ("catering", MoveKind.TRANSFER, "other-branch"),
        ("dongcheng", MoveKind.ESCALATE, "beyond-means"),
    ):
        it.given(it.move(to, kind, ground), AcceptCustody())
    it.given(it.move("catering", MoveKind.SEND_BACK, "upper-help-given"))
    it.given(*(it.sheet(party, extension=True) for party in it.case.parties), AcceptCustody())
    it.agreed().accepted().mediating()
    plan = (owed(it, 5, due_on=date(2027, 1, 20)),)
    it.drafted(instrument="SETTLEMENT_AGREEMENT", obligations=plan)
    everybody = tuple(party.party_id for party in it.case.parties)
    it.given(it.check())
    return it.given(*(SignAgreement(**it.paper, party_id=party_id) for party_id in everybody))


OTHERS = {
    "case-a-shop": a_shop,
    "case-partial": a_partial_agreement,
    "case-lapsed": a_committee_runs_out_of_time,
    "case-moves": moves_without_sheets,
    "case-demand-early": a_demand_told_too_early,
    "case-aid-collective": aid_for_many,
    "case-over-when-entered": a_term_that_was_over_when_it_was_typed_in,
    "case-no-capacity": a_body_whose_capacity_was_never_settled,
    "case-moves-bare": moves_that_carry_nothing,
}
