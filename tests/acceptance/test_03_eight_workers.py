"""Eight workers, about ¥100,000: the story published in 2016."""

from __future__ import annotations

from collections.abc import Callable

from tests.acceptance.office import (
    Office,
    Person,
    accept,
    assign,
    everybody_agrees,
    everybody_is_told,
    sit,
    topic_of,
    wage_claim,
)
from tests.serving import EAST

SHARES = (1_250_000,) * 8
MORNING = "2015-12-31T09:00:00+08:00"
DAY_FOUR = "2016-01-04T10:00:00+08:00"
DAY_FIVE = "2016-01-05"


def test_eight_workers_are_paid_on_day_four_of_a_five_day_undertaking(
    opened: Callable[[str], Office],
) -> None:
    """A street settles on the first day; the employer pays all eight a day before it promised."""
    office = opened(MORNING)
    lead, mediator = office.person("lead", EAST), office.person("mediator", EAST)
    clerk = office.person("clerk", EAST)

    case = clerk.register(**wage_claim(*SHARES))
    lead.do(case, "raise-flag", flag="WAGE_ARREARS")
    everybody_agrees(clerk, case, means="attending")
    accept(lead, case)
    assign(lead, mediator, case)
    everybody_is_told(clerk, case)
    sit(mediator, case, "undertaking", minutes="双方到场，单位承认拖欠三个月工资。")
    *workers, employer = mediator.parties(case)
    mediator.do(
        case,
        "give-undertaking",
        respondent_id=employer,
        obligations=[
            {"line_id": line["line_id"], "agreed_fen": line["claimed_fen"], "due_on": DAY_FIVE}
            for line in mediator.case(case)["lines"]
        ],
        text="五日内付清。",
    )
    mediator.do(case, "conclude-mediation", accepted_by_ids=workers)
    assert mediator.due(case)["D10"]["subject"] == DAY_FIVE, "one day to look whether all paid"
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
    shown = lead.case(case)
    assert (shown["phase"], shown["outcome"], shown["risk"]) == ("CLOSED", "SETTLED", "YELLOW")
    assert shown["flags"] == ["WAGE_ARREARS"], "eight workers are not a collective case"
    assert lead.event(case, "accepted")["fields"]["collective"] is False
    assert shown["irregularities"] == []
    history = lead.history(case)
    consents = [it["fields"]["means"] for it in history if topic_of(it) == "consent-recorded"]
    assert consents == ["attending"] * 9, "by taking part"
    started = {due["code"]: due["due_on"] for item in history for due in item["due"]}
    assert started.keys() == {"D01", "D02", "D13", "D06", "D10", "D18"}
    assert not started.keys() & {"D08", "D09"}, "an undertaking opens neither window"
    assert (started["D02"], started["D10"]) == ("2016-01-15", "2016-01-06")
    assert lead.due(case).keys() == {"D18"}
    undertaking = lead.event(case, "undertaking-given")["fields"]
    assert undertaking["interrupts_limitation"] is True
    assert sum(it["agreed_fen"] for it in undertaking["obligations"]) == 10_000_000
    concluded = lead.event(case, "mediation-concluded")["fields"]
    assert (concluded["outcome"], concluded["concluded_on"]) == ("SETTLED", "2015-12-31")
    assert (concluded["within_term"], concluded["partial"]) == (True, False)
    assert concluded["agreed_fen"] == 10_000_000
    assert concluded["instrument_event_id"] is not None, "it rests on the undertaking"
    performed = lead.event(case, "obligations-fully-performed")["fields"]
    assert performed == performed | {"applied_fen": 10_000_000, "performed_on": "2016-01-04"}
    paid = [it for it in history if topic_of(it) == "obligation-performed"]
    assert {it["occurred_at"] for it in paid} == {"2016-01-04T02:00:00Z"}
    assert {it["fields"]["days_late"] for it in paid} == {0}
    _assert_the_figures(office, lead)


def _assert_the_figures(office: Office, lead: Person) -> None:
    """F06 counts the settlement and F07 does not; concluded on day 0, performed in time."""
    office.at(f"{DAY_FIVE}T17:00:00+08:00")
    figures = lead.figures("2015-12-31", "2016-01-05")
    assert (figures["F06"]["value"], figures["F06"]["parts"]["settled"]) == (1, 1)
    assert figures["F07"]["value"] is None, "a settlement is no agreement: F07 does not count it"
    assert figures["F16"]["value"] == 0, "concluded on the day it was accepted"
    assert (figures["F12"]["value"], figures["F13"]["value"]) == (1, 0), "performed, and in time"
    assert figures["F12"]["parts"]["due-fen"] == 10_000_000
    assert figures["F02"]["workers"]["concluded"] == 8
    assert figures["F23"]["value"] == 0, "eight are not collective"
    money = figures["F14"]["parts"]
    assert money == {"claimed": 10_000_000, "agreed": 10_000_000, "replaced": 0} | {
        "applied": 10_000_000
    }


def test_two_more_colleagues_make_it_a_question_for_the_lead(
    opened: Callable[[str], Office],
) -> None:
    """Nobody flags a collective case by hand; of ten workers the lead confirms the common claim."""
    office = opened(MORNING)
    lead = office.person("lead", EAST)
    eight = lead.register(**wage_claim(*SHARES))
    ten = lead.register(**wage_claim(*SHARES, 1_000_000, 1_000_000))

    by_hand = lead.attempt(ten, "raise-flag", flag="COLLECTIVE")
    assert by_hand.status_code == 422
    assert lead.refused(eight, "confirm-collective") == ["ten-workers"]
    lead.do(ten, "confirm-collective")

    assert lead.case(ten)["flags"] == ["COLLECTIVE"]
