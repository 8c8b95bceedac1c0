"""Cases of every kind from their first day to their last, for the golden histories.

Decided once by today's rules; afterwards only the recorded bytes count, and this file may change
only to add what is new.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from mediation.case.agreement import SealAgreement, SignAgreement
from mediation.case.aid import AppointCounsel
from mediation.case.assignment import ConfirmAssignment, DeclineAssignment
from mediation.case.closing import CloseCase
from mediation.case.composites import RegisterAndSettleSmallCase, SmallWorker
from mediation.case.conclusion import ServeRemediesNotice
from mediation.case.consent import RecordConsent, RefuseCase, WithdrawConsent
from mediation.case.correction import CureIrregularity
from mediation.case.custody import AcceptCustody, DeclineCustody, WithdrawCustodyMove
from mediation.case.intake import ClearFlag, LineEntry, PartyEntry
from mediation.case.parties import AddParty, ConfirmCollective, IdentifyParty
from mediation.case.performance import ObligationEntry
from mediation.case.sessions import ServeRightsNotice
from mediation.case.settlement import RecordOralAgreement
from mediation.case.state import CaseFacts
from mediation.case.term import ExtendTerm
from mediation.case.urgent import AcknowledgeUrgentReport
from mediation.case.values import Answer, Matter, Side
from mediation.kernel import Actor, Command
from mediation.ladder import MoveKind
from mediation.privacy import Personal
from tests.scenario import Scenario, a_registration, an_id, lapse_of, lead_of, mediators_of, moment

SECOND = Actor(actor_id=an_id("second checker"), role="lead", body_id="dongcheng")
PERSON = PartyEntry(
    role="WORKER",
    party_kind="INTERN",
    provisional=True,
    name=Personal("小林"),
    id_number=Personal("370102200401010000"),
    phone=Personal("13800000000"),
    address=Personal("恒街1号"),
)
SECOND_PERSON = msgspec.structs.replace(PERSON, id_number=Personal("370102200402020000"))
COMPANY = PartyEntry(
    role="EMPLOYER",
    party_kind="COMPANY",
    company_name="横街餐饮有限公司",
    credit_code="91370102MA0000000R",
)


def a_long_case() -> Scenario:
    """Play a case through every event a case can have: refused, climbed, failed, settled, paid."""
    told = Scenario().registered(
        body_id="factory",
        oral=True,
        applicants=(PERSON, SECOND_PERSON),
        respondents=(COMPANY,),
        lines=(
            LineEntry(applicant=0, cause="C13", claimed_fen=80_000),
            LineEntry(applicant=1, cause="C07", claimed_fen=60_000),
        ),
        at="2026-03-02T09:00+08:00",
    )
    worker, other, firm = told.case.parties
    told.flagged("SAFETY", "WAGE_ARREARS")
    told.given(ClearFlag(flag="SAFETY", explanation=Personal("已核实，无安全风险。")))
    told.asked()
    told.given(
        RecordConsent(
            party_id=firm.party_id,
            answer=Answer.REFUSED,
            means="written",
            proof=Personal("书面回函"),
        ),
        at="2026-03-03T10:00+08:00",
    )
    told.given(RefuseCase(reason_code="party-refused"))
    told.given(
        *(
            ServeRemediesNotice(party_id=party.party_id, means="written")
            for party in (worker, other)
        )
    )

    # The applicants wish to go on: one request is withdrawn, one declined, the third is taken.
    wish: dict[str, Any] = {"ground": "not-accepted", "applicant_wish": True}
    told.given(
        told.move("hengjie", **wish),
        WithdrawCustodyMove(explanation=Personal("补充材料后再提。")),
        told.move("hengjie", **wish),
        DeclineCustody(reason_code="materials-incomplete", explanation=Personal("缺工资单。")),
        at="2026-03-04T09:00+08:00",
    )
    told.taken_by("hengjie", at="2026-03-05T09:00+08:00", transfer_basis="statutory-duty", **wish)
    told.accepted().assigned()
    first, second = told.case.mediator_ids
    told.given(
        ConfirmAssignment(mediator_id=second),
        DeclineAssignment(
            mediator_id=first, reason_code="conflict", explanation=Personal("与被申请人相识。")
        ),
    )
    told.mediating().given(
        told.session(also_present=("interpreter",), place=Personal("恒街调解室")),
        at="2026-03-06T09:00+08:00",
    )
    told.given(
        told.settlement(
            obligations=(
                ObligationEntry(
                    line_id=told.case.lines[0].line_id, agreed_fen=50_000, due_on=date(2026, 3, 31)
                ),
            )
        )
    )

    # Sideways, up, past a rung, down, given back and sent back.
    told.taken_by("catering", kind=MoveKind.TRANSFER, ground="other-branch")
    told.taken_by("dongcheng", kind=MoveKind.ESCALATE, ground="beyond-means")
    told.taken_by("xicheng", kind=MoveKind.REROUTE, ground="wrong-place")
    told.taken_by("hq", kind=MoveKind.REPORT_UP, ground="statutory-fit")
    told.taken_by("dongcheng", kind=MoveKind.ASSIGN_DOWN, ground="supervised")
    told.taken_by("hq", kind=MoveKind.ESCALATE, ground="assignment-return")
    told.given(told.move("dongcheng", MoveKind.SEND_BACK, "ground-not-met"))
    told.given(told.sheet(worker, extension=None), AcceptCustody(), at="2026-03-16T09:00+08:00")
    told.agreed().failed()

    # Another acceptance, a promise in place of the settlement, payment in full and a little more.
    told.taken_by("hq", ground="mediation-failed", applicant_wish=True)
    told.agreed().accepted().mediating().met(at="2026-03-19T09:00+08:00")
    told.given(told.promise(fen=60_000), told.conclusion())
    told.given(told.payment(0, fen=60_000), told.payment(1, fen=60_001), CloseCase())
    return told


def a_sealed_agreement() -> Scenario:
    """Play a dispute to a sealed agreement, its payments and its close, with what may go beside it.

    A party comes later, another is identified, ten workers bring a common claim, the term lapses
    and is extended; a draft fails, a version is signed and sealed; a flaw is cured.
    """
    told = Scenario().registered(
        body_id="dongcheng", workers=10, companies=1, at="2026-03-02T09:00+08:00"
    )
    told.flagged("EMPLOYER_CLOSED")
    told.given(ConfirmCollective(explanation=Personal("十名职工请求一致。")))
    told.given(
        AddParty(
            side=Side.RESPONDENT,
            party=PartyEntry(role="USING_UNIT", company_name="用工单位", provisional=True),
        )
    )
    shop = told.case.respondents[-1]
    told.given(IdentifyParty(party_id=shop.party_id, party=COMPANY))
    told.given(told.report(), AcknowledgeUrgentReport(report_no=1, addressee_no=0))
    told.agreed().accepted().assigned()
    told.given(told.session(), at="2026-03-05T09:00+08:00")
    flaw = told.case.irregularities[-1]
    told.given(*(ServeRightsNotice(party_id=it.party_id, means="sms") for it in told.case.parties))
    told.given(
        *(
            CureIrregularity(
                event_id=it.event_id, code=it.code, cure="explained", explanation=Personal("说明。")
            )
            for it in told.case.irregularities
        )
    )
    assert flaw not in told.case.irregularities
    term = told.case.term
    assert term is not None
    told.given(lapse_of(term), at="2026-03-18T09:00+08:00")
    told.given(
        ExtendTerm(
            until_on=date(2026, 3, 31),
            agreed_ids=tuple(party.party_id for party in told.case.parties),
        )
    )
    told.drafted()
    told.do(told.check(is_clear=False, explanation=Personal("金额不清。")), by=SECOND)
    told.drafted()
    told.do(told.check(), by=SECOND)
    told.signed()
    told.given(SealAgreement(**told.paper), at="2026-03-19T09:00+08:00")
    told.given(*(told.payment(at) for at in range(10)), told.payment(0, fen=1), CloseCase())
    return told


def an_oral_agreement() -> Scenario:
    """Play a small case that is settled by word of mouth, and another's ends: consent withdrawn."""
    told = Scenario().registered(at="2026-03-02T09:00+08:00")
    told.agreed().accepted().mediating()
    told.given(
        WithdrawConsent(
            party_id=told.respondent.party_id, means="phone", proof=Personal("电话记录")
        )
    )
    told.taken_by("dongcheng", ground="mediation-failed", applicant_wish=True)
    told.agreed().accepted().mediating()
    told.given(
        RecordOralAgreement(
            agreed_by_ids=tuple(party.party_id for party in told.case.parties),
            text=Personal("双方口头约定当场结清。"),
        )
    )
    return told.closed()


def an_application_withdrawn() -> Scenario:
    """Play a case that is withdrawn, and goes to arbitration all the same."""
    told = Scenario().registered(at="2026-03-02T09:00+08:00")
    told.agreed().accepted().withdrawn().departed()
    return told.given(told.award(), told.obligations_set())


def a_demand() -> Scenario:
    """Play a demand from its relay to the first instalment of what it brought."""
    told = Scenario().registered(matter_kind=Matter.DEMAND, at="2026-03-02T09:00+08:00")
    told.relayed().answered().fed_back().changed()
    return told.given(told.payment(fen=30_000)).closed()


def an_aid() -> Scenario:
    """Play legal aid that is refused, granted above, litigated and paid."""
    told = Scenario().registered(matter_kind=Matter.AID, at="2026-03-02T09:00+08:00")
    told.unaided().taken_by("dongcheng", ground="not-accepted", applicant_wish=True)
    told.aided().given(
        AppointCounsel(
            counsel_id=an_id("counsel"),
            for_ids=(told.applicant.party_id,),
            firm=Personal("示例律师事务所"),
        )
    )
    told.litigated().awarded()
    return told.given(told.payment()).closed()


class Late(Scenario):
    """A case of which some is typed in after the days that are free, each with its approval."""

    def facts(self, command: Command, by: Actor | None = None) -> CaseFacts:
        """Make the facts; the lead of the body approves what needs it."""
        facts = super().facts(command, by)
        if facts.at - facts.occurred_at <= timedelta(days=7):
            return facts
        lead = lead_of("hengjie").actor_id
        return msgspec.structs.replace(
            facts, late_entry_approved_by_ids=(lead,), late_entry_approved_as=("lead",)
        )


def one_form() -> Scenario:
    """Play a small case that one person settled at one visit, on one form typed in late."""
    told = Late()
    told.now = moment("2026-03-12T09:00+08:00")
    alone = Actor(actor_id=mediators_of("hengjie")[0], role="mediator", body_id="hengjie")
    form = RegisterAndSettleSmallCase(
        channel="walk-in",
        body_id="hengjie",
        workers=(SmallWorker(name=Personal("小林"), phone=PERSON.phone, claimed_fen=120_000),),
        employer=COMPANY,
        cause="C13",
        request=Personal("请求支付上月工资。"),
        consent_means="attending",
        instrument="oral",
        paid_on=date(2026, 3, 3),
        occurred_at=moment("2026-03-03T15:00+08:00"),
    )
    told.do(form, by=alone)
    return told


def on_paper() -> Scenario:
    """Play what was done on paper first: unassigned, untold, unchecked, overpaid, typed in late.

    It happened from 6 to 14 May and is typed in on the 20th.
    """
    told = Late()
    told.now = moment("2026-05-20T09:00+08:00")
    sixth, ninth, last = (moment(f"2026-05-{day}T10:00+08:00") for day in ("06", "09", "14"))

    def on(at: datetime, *commands: Command) -> None:
        told.given(*(msgspec.structs.replace(it, occurred_at=at) for it in commands))

    on(sixth, a_registration(oral=True))
    on(ninth, *(told.consent(party) for party in told.case.parties))
    told.accepted()
    on(ninth, told.session(host_ids=(an_id("somebody"),), signed_by_ids=()))
    owed = ObligationEntry(
        line_id=told.case.lines[0].line_id, agreed_fen=100_000, due_on=date(2026, 5, 14)
    )
    told.drafted(obligations=(owed,))
    worker, firm = told.case.parties
    on(
        last,
        SignAgreement(number=7, digest="0" * 12, party_id=worker.party_id),
        SignAgreement(**told.paper, party_id=worker.party_id),
    )
    told.given(told.check(), SignAgreement(**told.paper, party_id=firm.party_id))
    told.given(*(ServeRightsNotice(party_id=it.party_id, means="sms") for it in told.case.parties))
    told.given(SignAgreement(**told.paper, mediator_id=mediators_of("hengjie")[0]))
    for flaw in told.case.irregularities:
        told.given(
            CureIrregularity(
                event_id=flaw.event_id,
                code=flaw.code,
                cure="notice-served" if flaw.code == "no-rights-notice" else "explained",
                explanation=Personal("补录说明。"),
            )
        )
    told.given(SealAgreement(**told.paper))
    on(last, told.payment(fen=110_000))
    return told.given(CloseCase())
