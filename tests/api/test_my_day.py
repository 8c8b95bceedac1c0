"""One's own day, open dates and notices over HTTP: for whom, in which order, page by page."""

from __future__ import annotations

from typing import Any

import httpx

from mediation import codes
from projections.lanes import LANES
from projections.worklist import DAY
from tests.api.desk import agreed, assert_problem, register, send
from tests.serving import DISTRICT, EAST, FACTORY, VILLAGE, WEST, Served


def newest(client: httpx.Client) -> dict[str, str]:
    """Give the header that waits for everything written so far."""
    return {"Min-Position": client.get("/livez").headers["position"]}


def pages(client: httpx.Client, path: str, **query: Any) -> list[dict[str, Any]]:
    """Read a list to its end, two items at a time."""
    headers, found, cursor = newest(client), [], None
    while True:
        asked = {**query, "limit": 2, **({"cursor": cursor} if cursor else {})}
        response = client.get(path, params=asked, headers=headers)
        assert response.status_code == 200, response.text
        found += response.json()["items"]
        cursor = response.json()["next"]
        if cursor is None:
            return found


def test_a_day_is_one_s_own_and_in_order(office: Served):
    """A lead reads what his body has to do; a mediator what he is assigned to; once each."""
    lead, mediator = office.client_for("lead", WEST), office.client_for("mediator", WEST)
    case_id = register(lead)["case_id"]
    version = agreed(lead, case_id)
    accepted = send(lead, case_id, "accept-case", version, within_scope=True, within_district=True)
    account_id = str(office.accounts["mediator", WEST])
    assigned = send(
        lead,
        case_id,
        "assign-mediators",
        accepted.json()["version"],
        mediator_ids=[account_id],
        lead_mediator_id=account_id,
    )
    assert assigned.status_code == 200, assigned.text
    waiting = register(lead)["case_id"]

    mine = mediator.get("/worklist/mine?limit=100", headers=newest(mediator)).json()
    items = pages(lead, "/worklist/mine")

    found = {it["case_id"]: it for it in items}
    assert len(found) == len(items)
    assert {case_id, waiting} <= set(found)
    order = [DAY.index(it["why"]) for it in items]
    assert order == sorted(order)
    own = {it["case_id"]: it for it in mine["items"]}
    assert waiting not in own
    assert (own[case_id]["why"], own[case_id]["lanes"][0]) == ("to-confirm", "to-confirm")
    assert own[case_id]["term_lapsed"] is False
    assert mine["account_id"] == account_id
    assert mine["at_hand"] == len(own)
    assert [it["lane"] for it in mine["lanes"]] == list(LANES)
    assert mine["lanes"][0]["label"]["zh"] == codes.label("lanes", "incoming").zh


def test_a_coming_case_is_masked_in_a_day_too(office: Served):
    """Its receiver reads number, sender, risk and headcount; phase, cause and sum are null."""
    lower, upper = office.client_for("lead", VILLAGE), office.client_for("lead", EAST)
    case_id = register(lower)["case_id"]
    asked = send(
        lower,
        case_id,
        "request-custody-move",
        1,
        kind="ESCALATE",
        to_body_id=EAST,
        ground="beyond-means",
        summary="本级无法调查",
    )
    assert asked.status_code == 200, asked.text

    (item,) = (
        it
        for it in upper.get("/worklist/mine?limit=100", headers=newest(upper)).json()["items"]
        if it["case_id"] == case_id
    )

    assert item["why"] == "incoming"
    assert (item["from_body_id"], item["due_code"]) == (VILLAGE, "D12")
    assert (item["phase"], item["cause"], item["claimed_fen"]) == (None, None, None)


def test_a_cursor_of_a_day_is_good_for_its_owner_alone(office: Served):
    """Altered, or another account's, it leads nowhere."""
    clerk, lead = office.client_for("clerk", EAST), office.client_for("lead", EAST)
    for _ in range(2):
        register(clerk)
    cursor = clerk.get("/worklist/mine?limit=1", headers=newest(clerk)).json()["next"]

    assert clerk.get("/worklist/mine", params={"limit": 1, "cursor": cursor}).status_code == 200
    for client, given in ((lead, cursor), (clerk, f"{cursor[:-2]}AA")):
        answer = client.get("/worklist/mine", params={"limit": 1, "cursor": given})
        assert_problem(answer, 400, "cursor-invalid")


def test_open_dates_are_listed_with_how_they_came_about(office: Served):
    """Each with its body and an explanation in both languages, as the case itself tells."""
    clerk = office.client_for("clerk", EAST)
    case_id = register(clerk)["case_id"]

    items = [it for it in pages(clerk, "/deadlines", body_id=EAST) if it["case_id"] == case_id]

    assert [it["due"]["code"] for it in items] == ["D01", "D13", "D02"]
    assert [it["due"] for it in items] == clerk.get(f"/cases/{case_id}/deadlines").json()["items"]
    assert "第二十二条" in items[0]["due"]["explain"]["zh"]
    assert {(it["body_id"], it["level"]) for it in items} == {(EAST, "township")}
    only = pages(clerk, "/deadlines", code="D02", level="township", kind="open")
    assert {it["due"]["code"] for it in only} == {"D02"}
    assert case_id in {it["case_id"] for it in only}
    until = items[0]["due"]["due_on"]
    soon = pages(clerk, "/deadlines", until=until)
    assert {it["due"]["due_on"] for it in soon if it["case_id"] == case_id} == {until}
    west = pages(office.client_for("clerk", WEST), "/deadlines")
    assert case_id not in {it["case_id"] for it in west}
    assert_problem(clerk.get("/deadlines?body_id=no-such-body"), 404, "body-unknown")


def test_bodies_passed_by_are_told_and_the_enterprise_is_not(office: Served):
    """From the factory to the district: village and street read a notice without a name."""
    factory = office.client_for("lead", FACTORY)
    case_id = register(factory)["case_id"]
    number = factory.get(f"/cases/{case_id}").json()["case_number"]
    asked = send(
        factory,
        case_id,
        "request-custody-move",
        1,
        kind="REPORT_UP",
        to_body_id=DISTRICT,
        ground="body-absent",
        summary="本单位无人承办",
    )
    assert asked.status_code == 200, asked.text

    for body_id in (VILLAGE, EAST):
        (notice,) = (
            it
            for it in pages(office.client_for("clerk", body_id), "/notices")
            if it["case_number"] == number
        )
        assert notice["body_id"] == body_id
        assert (notice["from_body_id"], notice["headcount"]) == (FACTORY, 1)
        assert notice["risk_label"]["zh"] == "绿色"
        assert notice["ground_label"]["zh"] == codes.label("grounds", "body-absent").zh
        assert "case_id" not in notice
    for role, body_id in (("lead", FACTORY), ("clerk", WEST), ("coordinator", DISTRICT)):
        told = pages(office.client_for(role, body_id), "/notices")
        assert number not in {it["case_number"] for it in told}
