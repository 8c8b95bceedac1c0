"""What happens in the demo: one published story, one invented climb, five small invented cases.

Only commands and their times stand here. Nobody bears a real name; no invented case begins at a
point named in the press. The climb ends at the top because the ladder leads there.
"""

from __future__ import annotations

from typing import Any

from api.demo.district import TOP, XICHENG, who
from api.demo.office import Case, Office
from api.demo.screen import Words

NUMERALS = "一二三四五六七八"

# About 100,000 yuan for eight workers is published, each worker's part is not: these are made up.
EIGHT_CLAIMS_FEN = (
    1_350_000,
    1_300_000,
    1_280_000,
    1_260_000,
    1_240_000,
    1_220_000,
    1_200_000,
    1_150_000,
)

UNSAID = (
    Words(
        "8名职工、用人单位均未具名；姓名、单位名称为示例，单位按身份待核实登记。",
        "Neither the 8 workers nor the employer are named: names are samples, the employer is "
        "registered as not yet identified.",
    ),
    Words(
        "只有总额约10万元（3个月工资）；每人金额系示例，合计恰为100,000.00元。",
        "Only the sum is known, about 100,000 yuan (3 months' wages); each worker's amount is made "
        "up, adding to exactly 100,000.00.",
    ),
    Words(
        "是否征询、各方如何答复未载；演示按“到场参加”记为同意。",
        "Whether the parties were asked, and what they said, is not told; attending is recorded as "
        "agreeing.",
    ),
    Words(
        "受理、分派、权利告知和笔录的经过、时刻未载；演示按现行流程补足，并套用 standard-v1 期限。",
        "How and when it was accepted, assigned, and the rights were told is not told; today's "
        "procedure and the limits of standard-v1 fill the gap.",
    ),
    Words(
        "有无签名、盖章未载；书面承诺不当然是调解协议书，故不起算仲裁审查、司法确认期限。",
        "Whether anything was signed or sealed is not told; a written promise is no sealed "
        "agreement, so neither review nor court confirmation starts.",
    ),
    Words(
        "第4天付清，但付款方式、凭证未载；演示记为银行转账、职工确认。",
        "Paid on day 4; how, and against which paper, is not told: bank transfer, confirmed by the "
        "workers, is made up.",
    ),
    Words(
        "76家服务点在四级中如何分布未公布，两家企业服务点的上级亦未载；演示的分布和隶属均系示例。",
        "How the 76 points divide over the four levels is not published, nor to whom the two "
        "firms' points belong: both are made up.",
    ),
)
"""What the sources do not say, and what stands in its place; Chinese and English."""


def eight_workers(office: Office) -> Case:
    """Play the published story: about 100,000 yuan of wages, promised in five days, paid in four.

    At the union of Xicheng street, 31 December 2015; Zhejiang Workers' Daily, 19 April 2016.
    """
    clerk, lead, mediator = _office_of(XICHENG)
    office.at("2015-12-31 09:00")
    case = office.register(
        clerk,
        matter_kind="DISPUTE",
        channel="walk-in",
        applicants=[_worker(f"示例职工{numeral}") for numeral in NUMERALS],
        respondents=[_employer("示例用人单位（报道未具名）", provisional=True)],
        request="要求支付拖欠的3个月工资，8人合计约10万元（演示文字）。",
        cause="C13",
        lines=[
            {"applicant": at, "cause": "C13", "claimed_fen": fen}
            for at, fen in enumerate(EIGHT_CLAIMS_FEN)
        ],
    )
    office.later()
    case.do(lead, "raise-flag", flag="WAGE_ARREARS")
    _agree(office, case, clerk, means="attending")
    _begin(office, case, XICHENG)
    office.later(60)
    minutes = _session(office, case, mediator, result="undertaking")
    case.do(mediator, "record-session", **{**minutes, "signed_by_ids": []})
    office.later(30)
    case.do(
        mediator,
        "give-undertaking",
        respondent_id=case.respondents[0],
        obligations=_obligations(case, "2016-01-05"),
        text="本单位承诺于5日内付清拖欠的工资（演示文字）。",
    )
    office.later()
    case.do(mediator, "conclude-mediation", accepted_by_ids=case.applicants)
    case.look(mediator)
    office.at("2016-01-04 10:00")
    for payment in case.payments:
        case.do(
            clerk,
            "record-performance",
            obligation_id=payment["obligation"]["obligation_id"],
            paid_fen=payment["obligation"]["agreed_fen"],
            payment_means="bank-transfer",
            proof_kind="worker-confirmed",
        )
    office.later(30)
    case.do(lead, "close-case")
    return case


# Each rung of the climb: the body, when a session is held there, when the next body is asked and
# when that one answers. The party's answers on an extension stand where the sheet has to ask.
CLIMB = (
    ("enterprise-07", "2026-03-05 09:00", "2026-03-05 15:00", "2026-03-06 09:00"),
    ("industry-02", "2026-03-09 09:00", "2026-03-09 15:00", "2026-03-10 09:00"),
    ("street-05", "2026-03-12 09:00", "2026-03-13 09:00", "2026-03-13 14:00"),
)


def climb(office: Office) -> Case:
    """Play the invented case that finds no agreement on three levels and is open on the fourth.

    Registered on 2 March 2026, so that the statutory term ends on 17 March wherever it is: with
    four days left the last sheet has to ask about an extension, and one party says no.
    """
    start = CLIMB[0][0]
    clerk, _, _ = _office_of(start)
    office.at("2026-03-02 09:00")
    case = office.register(
        clerk,
        matter_kind="DISPUTE",
        channel="written",
        applicants=[_worker("示例职工甲")],
        respondents=[_employer("示例用人单位甲")],
        request="要求支付休息日加班工资（虚构案例）。",
        cause="C07",
        lines=[{"applicant": 0, "cause": "C07", "claimed_fen": 1_860_000}],
    )
    office.at("2026-03-03 09:00")
    _agree(office, case, clerk)
    _begin(office, case, start)
    rungs = [rung[0] for rung in CLIMB[1:]] + [TOP]
    for (body_id, session_at, asked_at, answered_at), above in zip(CLIMB, rungs, strict=True):
        _, _, mediator = _office_of(body_id)
        office.at(session_at)
        case.do(
            mediator, "record-session", **_session(office, case, mediator, result="no-agreement")
        )
        office.at(asked_at)
        case.do(
            mediator,
            "request-custody-move",
            kind="ESCALATE",
            to_body_id=above,
            ground="no-agreement",
            summary="双方对加班时数的认定分歧较大，本级未能调成（虚构案例）。",
        )
        for party_id, prolong in zip(case.parties, (True, False), strict=True):
            office.later()
            case.do(
                mediator,
                "record-transfer-sheet",
                party_id=party_id,
                new_body=True,
                disclosure=True,
                **({"extension": prolong} if above == TOP else {}),
            )
        office.at(answered_at)
        case.do(who("lead", above), "accept-custody")
        _assign(office, case, above)
    office.at("2026-03-16 09:00")
    top_mediator = who("mediator", TOP)
    case.do(
        top_mediator, "record-session", **_session(office, case, top_mediator, result="continued")
    )
    return case


def small_cases(office: Office) -> dict[str, Case]:
    """Leave five small invented cases at five stages, so that the lanes show something."""
    office.at("2026-03-16 10:00")
    asked = _small(office, "village-03", ("示例职工乙",), "示例用人单位乙", 320_000)

    workers = tuple(f"示例职工丙之{numeral}" for numeral in NUMERALS[:5])
    accepted = _small(office, "street-02", workers, "示例用人单位丙", 560_000)
    case_clerk, case_lead, _ = _office_of("street-02")
    accepted.do(case_lead, "raise-flag", flag="WAGE_ARREARS")
    _agree(office, accepted, case_clerk)
    _accept(office, accepted, "street-02")

    assigned = _small(office, "industry-04", ("示例职工丁",), "示例用人单位丁", 480_000)
    _agree(office, assigned, who("clerk", "industry-04"))
    _accept(office, assigned, "industry-04")
    _name_mediator(office, assigned, "industry-04")

    settled = _small(office, "enterprise-12", ("示例职工戊",), "示例用人单位戊", 240_000)
    _agree(office, settled, who("clerk", "enterprise-12"))
    _begin(office, settled, "enterprise-12")
    mediator = who("mediator", "enterprise-12")
    settled.do(mediator, "record-session", **_session(office, settled, mediator, result="agreed"))
    settled.do(
        mediator,
        "record-settlement",
        signed_by_ids=settled.parties,
        obligations=_obligations(settled, "2026-03-20"),
        text="双方自行和解，于3月20日前付清（虚构案例）。",
    )
    settled.do(mediator, "conclude-mediation", accepted_by_ids=settled.applicants)

    pending = _small(office, "village-06", ("示例职工己",), "示例用人单位己", 900_000)
    pending.do(
        who("lead", "village-06"),
        "request-custody-move",
        kind="ESCALATE",
        to_body_id="street-06",
        ground="beyond-means",
        summary="涉及多处用工地点，本村无力核实（虚构案例）。",
    )
    return {
        "to-ask": asked,
        "to-assign": accepted,
        "to-confirm": assigned,
        "performing": settled,
        "incoming": pending,
    }


def _office_of(body_id: str) -> tuple[str, str, str]:
    return who("clerk", body_id), who("lead", body_id), who("mediator", body_id)


def _worker(name: str) -> dict[str, Any]:
    return {"role": "WORKER", "name": name}


def _employer(name: str, *, provisional: bool = False) -> dict[str, Any]:
    return {"role": "EMPLOYER", "company_name": name, "provisional": provisional}


def _small(office: Office, body_id: str, workers: tuple[str, ...], employer: str, fen: int) -> Case:
    office.later()
    return office.register(
        who("clerk", body_id),
        matter_kind="DISPUTE",
        channel="walk-in",
        applicants=[_worker(name) for name in workers],
        respondents=[_employer(employer)],
        request="要求支付拖欠的劳动报酬（虚构案例）。",
        cause="C13",
        lines=[{"applicant": at, "cause": "C13", "claimed_fen": fen} for at in range(len(workers))],
    )


def _agree(office: Office, case: Case, clerk: str, *, means: str = "in-person") -> None:
    office.later()
    case.do_for_all(clerk, "record-consent", answer="AGREED", means=means)


def _accept(office: Office, case: Case, body_id: str) -> None:
    office.later()
    case.do(who("lead", body_id), "accept-case", within_scope=True, within_district=True)


def _begin(office: Office, case: Case, body_id: str) -> None:
    _accept(office, case, body_id)
    _assign(office, case, body_id)


def _name_mediator(office: Office, case: Case, body_id: str) -> None:
    mediator_id = office.accounts[who("mediator", body_id)]
    office.later()
    case.do(
        who("lead", body_id),
        "assign-mediators",
        mediator_ids=[mediator_id],
        lead_mediator_id=mediator_id,
    )


def _assign(office: Office, case: Case, body_id: str) -> None:
    _name_mediator(office, case, body_id)
    mediator = who("mediator", body_id)
    office.later()
    case.do(mediator, "confirm-assignment")
    office.later()
    case.do_for_all(mediator, "serve-rights-notice", means="in-person")


def _session(office: Office, case: Case, host: str, *, result: str) -> dict[str, Any]:
    return {
        "mode": "joint",
        "attending_ids": case.parties,
        "signed_by_ids": case.parties,
        "host_ids": [office.accounts[host]],
        "minutes": "调解笔录（演示文字，非真实记录）。",
        "result": result,
    }


def _obligations(case: Case, due_on: str) -> list[dict[str, Any]]:
    return [
        {"line_id": line["line_id"], "agreed_fen": line["claimed_fen"], "due_on": due_on}
        for line in case.lines
    ]
