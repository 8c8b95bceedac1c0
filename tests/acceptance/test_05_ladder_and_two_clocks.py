"""The ladder and the two clocks: from an enterprise to the district in eleven days, one number."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from tests.acceptance.office import Office, wage_claim
from tests.serving import DISTRICT, EAST, FACTORY

INDUSTRY = "garment-industry"
NINE = "T09:00:00+08:00"


def test_a_case_climbs_to_the_district_and_no_move_resets_the_term(
    opened: Callable[[str], Office],
) -> None:
    """Each climb takes two sheets, frees the mediators and keeps the case accepted."""
    office = opened(f"2026-03-02{NINE}")
    _open_industry_body(office)
    bodies = {body: office.person("lead", body) for body in (FACTORY, INDUSTRY, EAST, DISTRICT)}
    first = bodies[FACTORY]

    case = first.register(**wage_claim(1_860_000))
    parties = first.case(case)
    everyone = [
        party["party_id"] for side in ("applicants", "respondents") for party in parties[side]
    ]
    for party_id in everyone:
        first.do(case, "record-consent", party_id=party_id, answer="AGREED", means="in-person")
    office.at(f"2026-03-03{NINE}")
    first.do(case, "accept-case", within_scope=True, within_district=True)
    number = first.case(case)["case_number"]

    route = [
        (FACTORY, "2026-03-05", INDUSTRY, "2026-03-06"),
        (INDUSTRY, "2026-03-09", EAST, "2026-03-10"),
        (EAST, "2026-03-13", DISTRICT, "2026-03-13"),
    ]
    for body, asked_on, above, taken_on in route:
        _sit_without_agreement(office, case, body, everyone, asked_on)
        office.at(f"{asked_on}T16:00:00+08:00")
        asked = bodies[body]
        asked.do(
            case,
            "request-custody-move",
            kind="ESCALATE",
            to_body_id=above,
            ground="no-agreement",
            summary="本级调解未能达成一致。",
        )
        incoming = bodies[above].lane("incoming")
        assert [item["case_id"] for item in incoming] == [case]
        few_days_left = asked.case(case)["move"]["days_left"] < 5
        assert few_days_left == (body == EAST)
        for party_id in everyone:
            sheet: dict[str, Any] = {"new_body": True, "disclosure": True}
            if few_days_left:
                sheet["extension"] = True
            asked.do(case, "record-transfer-sheet", party_id=party_id, **sheet)
        office.at(f"{taken_on}T17:00:00+08:00")
        answer = bodies[above].do(case, "accept-custody")
        assert (answer["phase"], answer["custody_body_id"]) == ("ACCEPTED", above)

    top = bodies[DISTRICT]
    shown = top.case(case)
    assert shown["level"] == "district"
    assert shown["case_number"] == number, "one number for life"
    assert shown["acceptance_no"] == 1
    assert shown["mediator_ids"] == [], "every climb frees the mediators"
    assert [former["body_id"] for former in shown["former"]] == [FACTORY, INDUSTRY, EAST]
    topics = top.topics(case)
    assert topics.count("escalated") == 3
    assert topics.count("transfer-sheet-recorded") == 6
    assert not {"statutory-term-lapsed", "term-extended"} & set(topics)
    dues = [(due["code"], due["due_on"]) for item in top.history(case) for due in item["due"]]
    assert [day for code, day in dues if code == "D02"] == ["2026-03-17"], "it starts once"
    targets = [day for code, day in dues if code == "D13"]
    assert len(targets) == 4
    assert all(date.fromisoformat(day) <= date(2026, 3, 17) for day in targets)
    assert shown["irregularities"] == []
    assert {due["code"]: due["due_on"] for due in shown["due"]}["D02"] == "2026-03-17"


def _sit_without_agreement(
    office: Office, case: str, body: str, everyone: list[str], on: str
) -> None:
    lead, mediator = office.person("lead", body), office.person("mediator", body)
    office.at(f"{on}T08:30:00+08:00")
    mediator_id = mediator.account_id
    lead.do(case, "assign-mediators", mediator_ids=[mediator_id], lead_mediator_id=mediator_id)
    mediator.do(case, "confirm-assignment")
    for party_id in everyone:
        mediator.do(case, "serve-rights-notice", party_id=party_id, means="in-person")
    mediator.do(
        case,
        "record-session",
        mode="joint",
        attending_ids=everyone,
        host_ids=[mediator_id],
        minutes="双方分歧较大。",
        result="no-agreement",
    )


def _open_industry_body(office: Office) -> None:
    """Open the body of the garment industry, with a lead and a mediator, over HTTP."""
    coordinator = office.person("coordinator", DISTRICT)
    coordinator.network(
        "open-service-point",
        body_id=INDUSTRY,
        name_zh="示例服装行业工会",
        name_en="Sample garment union",
        level="village-industry",
        branch="industry",
        kind="industry-union",
        parent_id=EAST,
        number_prefix="示服",
        opened_on="2016-01-01",
    )
    for role in ("lead", "mediator"):
        account = coordinator.network("open-account", display_name=f"示例{role}")["stream_id"]
        coordinator.network("grant-role", account_id=account, role=role, body_id=INDUSTRY)
        if role == "mediator":
            coordinator.network("appoint-mediator", mediator_id=account, body_id=INDUSTRY)
        office.hires(role, INDUSTRY, account)
