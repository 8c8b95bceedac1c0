"""Eight workers, about ¥100,000: the story published in 2016, without the figures F06 and F07."""

from __future__ import annotations

from collections.abc import Callable

from tests.acceptance.office import Office, wage_claim
from tests.serving import EAST

SHARES = (1_250_000,) * 8
MORNING = "2015-12-31T09:00:00+08:00"
DAY_FOUR = "2016-01-04T10:00:00+08:00"


def test_eight_workers_are_paid_on_day_four_of_a_five_day_undertaking(
    opened: Callable[[str], Office],
) -> None:
    """A street settles on the first day; the employer pays all eight a day before it promised."""
    office = opened(MORNING)
    lead, mediator = office.person("lead", EAST), office.person("mediator", EAST)
    clerk = office.person("clerk", EAST)

    case = clerk.register(**wage_claim(*SHARES))
    lead.do(case, "raise-flag", flag="WAGE_ARREARS")
    parties = clerk.case(case)
    workers = [party["party_id"] for party in parties["applicants"]]
    employer = parties["respondents"][0]["party_id"]
    for party_id in (*workers, employer):
        clerk.do(case, "record-consent", party_id=party_id, answer="AGREED", means="attending")
    lead.do(case, "accept-case", within_scope=True, within_district=True)
    lead.do(
        case,
        "assign-mediators",
        mediator_ids=[mediator.account_id],
        lead_mediator_id=mediator.account_id,
    )
    mediator.do(case, "confirm-assignment")
    for party_id in (*workers, employer):
        clerk.do(case, "serve-rights-notice", party_id=party_id, means="in-person")
    mediator.do(
        case,
        "record-session",
        mode="joint",
        attending_ids=[*workers, employer],
        host_ids=[mediator.account_id],
        minutes="双方到场,单位承认拖欠三个月工资。",
        result="undertaking",
    )
    mediator.do(
        case,
        "give-undertaking",
        respondent_id=employer,
        obligations=[
            {"line_id": line["line_id"], "agreed_fen": line["claimed_fen"], "due_on": "2016-01-05"}
            for line in parties["lines"]
        ],
        text="五日内付清。",
    )
    mediator.do(case, "conclude-mediation", accepted_by_ids=workers)
    office.at(DAY_FOUR)
    for payment in mediator.case(case)["payments"]:
        mediator.do(
            case,
            "record-performance",
            obligation_id=payment["obligation"]["obligation_id"],
            paid_fen=1_250_000,
            payment_means="cash",
            proof_kind="receipt",
        )
    lead.do(case, "close-case")

    assert lead.topics(case) == [
        "registered",
        "flagged",
        *["consent-recorded"] * 9,
        "accepted",
        "mediators-assigned",
        "assignment-confirmed",
        *["rights-notice-served"] * 9,
        "session-held",
        "undertaking-given",
        "mediation-concluded",
        *["obligation-performed"] * 8,
        "obligations-fully-performed",
        "closed",
    ]
    events = {item["topic"].partition("/")[0]: item for item in lead.history(case)}
    shown = lead.case(case)
    assert shown["phase"] == "CLOSED"
    assert shown["outcome"] == "SETTLED"
    assert shown["risk"] == "YELLOW"
    assert shown["flags"] == ["WAGE_ARREARS"], "eight workers are not a collective case"
    assert shown["irregularities"] == []
    codes = {due["code"] for item in lead.history(case) for due in item["due"]}
    assert codes == {"D01", "D02", "D06", "D13", "D18"}
    assert not codes & {"D08", "D09"}, "an undertaking starts neither review nor confirmation"
    undertaking = events["case.undertaking-given"]["fields"]
    assert undertaking["interrupts_limitation"] is True
    assert sum(it["agreed_fen"] for it in undertaking["obligations"]) == 10_000_000
    concluded = events["case.mediation-concluded"]["fields"]
    assert (concluded["outcome"], concluded["concluded_on"]) == ("SETTLED", "2015-12-31")
    assert concluded["within_term"] is True
    assert events["case.obligations-fully-performed"]["fields"]["applied_fen"] == 10_000_000
    assert events["case.obligation-performed"]["occurred_at"].startswith("2016-01-04")
    assert {due["code"]: due["due_on"] for due in events["case.registered"]["due"]}["D02"] == (
        "2016-01-15"
    )
