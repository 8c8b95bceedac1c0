"""Xiaolin and her two machines: a wish heard on the shop floor and granted, without mediation.

The first seed story; the change of contract and the first payroll are additions for the demo.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.acceptance.office import Office, codes_of, company, worker
from tests.serving import DISTRICT, FACTORY

ROUND = "2026-03-02T10:00:00+08:00"
PAYDAY = "2026-04-15T16:00:00+08:00"
SUPPLEMENT = 30_000


def test_a_wish_about_two_machines_is_granted_without_any_mediation(
    opened: Callable[[str], Office],
) -> None:
    """Relayed, granted, fed back, written into the contract, paid once; no dispute on the way."""
    office = opened(ROUND)
    liaison, lead = office.person("liaison", FACTORY), office.person("lead", FACTORY)
    mediator = office.person("mediator", FACTORY)

    case = liaison.register(
        matter_kind="DEMAND",
        channel="liaison-report",
        applicants=[worker("示例小林")],
        respondents=[company("示例制衣厂")],
        request="一人看两台机器，希望减少工作量。",
        cause="C21",
        lines=[{"applicant": 0, "cause": "C21", "claimed_fen": 0}],
    )
    (wish,) = lead.case(case)["lines"]
    employer = lead.case(case)["respondents"][0]["party_id"]
    assert [it["case_id"] for it in lead.lane("to-ask")] == [case], "to be put to the employer"
    mediator.do(
        case,
        "relay-demand",
        respondent_id=employer,
        means="in-person",
        also_present=["employer-side"],
        note="问过加班与定额：每日加班一小时，定额按两台机器计。",
    )
    assert "D07" not in lead.due(case), "only a formal request starts the five days of silence"
    office.at("2026-03-04T15:00:00+08:00")
    mediator.do(
        case,
        "record-demand-answer",
        answer="GRANTED",
        means="in-person",
        explanation="改为一人一台机器，定额同步下调，另付技能津贴。",
    )
    mediator.do(case, "feed-back-demand", means="in-person")
    mediator.do(
        case,
        "record-contract-change",
        signed_by_ids=lead.parties(case),
        items=[
            {
                "line_id": wish["line_id"],
                "item": "技能津贴（演示补充）",
                "monthly_fen": SUPPLEMENT,
                "first_due_on": "2026-04-15",
            }
        ],
    )
    office.at(PAYDAY)
    (supplement,) = mediator.case(case)["payments"]
    mediator.do(
        case,
        "record-performance",
        obligation_id=supplement["obligation"]["obligation_id"],
        paid_fen=SUPPLEMENT,
        payment_means="bank-transfer",
        proof_kind="payroll",
    )
    lead.do(case, "close-case")

    assert lead.topics(case) == [
        "registered",
        "demand-relayed",
        "demand-answered",
        "demand-fed-back",
        "contract-change-confirmed",
        "obligation-performed",
        "obligations-fully-performed",
        "closed",
    ]
    shown = lead.case(case)
    assert (shown["matter_kind"], shown["cause"], shown["phase"]) == ("DEMAND", "C21", "CLOSED")
    assert (shown["level"], shown["custody_body_id"], shown["former"]) == (
        "enterprise",
        FACTORY,
        [],
    )
    assert (shown["demand_answer"], shown["is_fed_back"]) == ("GRANTED", True)
    assert (shown["acceptance_no"], shown["outcome"]) == (0, None), "nothing was mediated"
    assert shown["irregularities"] == []
    relayed = lead.event(case, "demand-relayed")["fields"]
    assert relayed["also_present"] == ["employer-side"], "the supervisor sat on the employer's side"
    (agreed,) = lead.event(case, "contract-change-confirmed")["fields"]["obligations"]
    assert (agreed["recurring"], agreed["agreed_fen"]) == (True, SUPPLEMENT)
    started = {due["code"] for item in lead.history(case) for due in item["due"]}
    assert started == {"D23", "D10", "D25", "D18"}, "no date of mediation ever started"
    assert lead.event(case, "demand-fed-back")["due_ended"] == ["D23"]
    assert lead.due(case).keys() == {"D18", "D25"}
    assert lead.due(case)["D25"]["due_on"] == "2026-07-15", "the visit after three months"
    figures = office.person("coordinator", DISTRICT).figures("2026-03-01", "2026-04-30")
    demands = figures["F19"]["parts"]
    assert (demands["registered"], demands["fed-back"], demands["closing"]) == (1, 1, 0)
    assert (demands["granted"], demands["in-time"]) == (1, 1)
    assert (figures["F06"]["value"], figures["F07"]["value"]) == (None, None), "unchanged: none"
    assert figures["F06"]["parts"]["concluded"] == 0
    assert figures["F01"]["parts"]["registered"] == 0, "no dispute was registered"
    assert figures["F15"]["parts"]["demand"] == SUPPLEMENT


def test_a_wish_is_no_dispute_and_is_not_closed_before_the_worker_knows(
    opened: Callable[[str], Office],
) -> None:
    """Steps of mediation are refused on it, facts included; it stays open until she is told."""
    office = opened(ROUND)
    lead = office.person("lead", FACTORY)
    case = lead.register(
        matter_kind="DEMAND",
        channel="liaison-report",
        applicants=[worker("示例小林")],
        respondents=[company("示例制衣厂")],
        request="一人看两台机器，希望减少工作量。",
        cause="C21",
        lines=[{"applicant": 0, "cause": "C21", "claimed_fen": 0}],
    )
    applicant, employer = lead.parties(case)

    consent = {"party_id": applicant, "answer": "AGREED", "means": "in-person"}
    checked = {"within_scope": True, "within_district": True}
    assert lead.refused(case, "record-consent", **consent) == ["wrong-matter"]
    assert lead.refused(case, "accept-case", **checked) == ["wrong-matter"]
    assert lead.refused(case, "conclude-mediation", accepted_by_ids=[applicant]) == ["wrong-matter"]
    lead.do(case, "relay-demand", respondent_id=employer, means="in-person")
    lead.do(case, "record-demand-answer", answer="REFUSED", means="in-person")
    early = lead.attempt(case, "close-case")
    assert codes_of(early) == ["demand-fed-back"]
    lead.do(case, "feed-back-demand", means="phone")
    lead.do(case, "close-case")

    assert lead.case(case)["phase"] == "CLOSED"
