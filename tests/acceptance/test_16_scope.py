"""Scope: what lies outside is not found, the attempt is on record, and custody moves it along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.acceptance.office import Office, Person, company, wage_claim, worker
from tests.serving import DISTRICT, EAST, FACTORY, WEST

NOW = "2026-03-02T09:00:00+08:00"


def test_a_lead_of_another_street_finds_nothing_and_the_attempt_is_recorded(
    opened: Callable[[str], Office],
) -> None:
    """For the lead of one street a case of the other does not exist; the auditor sees he asked."""
    office = opened(NOW)
    case = office.person("clerk", WEST).register(**wage_claim(100))
    stranger = office.person("lead", EAST)
    before = office.versions[case]

    answers = [
        stranger.client.get(f"/cases/{case}"),
        stranger.client.get(f"/cases/{case}/history"),
        stranger.client.get(f"/cases/{case}/actions"),
        stranger.client.get(f"/cases/{case}/deadlines"),
        stranger.client.get(f"/cases/{case}?personal=clear&reason=complaint"),
        stranger.attempt(case, "refuse-case", reason_code="wrong-place"),
    ]
    nowhere = stranger.client.get("/cases/00000000-0000-4000-8000-000000000000")

    assert [answer.status_code for answer in answers] == [404] * 6
    assert answers[0].json() == nowhere.json(), "out of scope and unknown look the same"
    assert stranger.lane("to-ask") == []
    assert office.person("lead", WEST).case(case)["version"] == before
    attempts = _attempts(office, case)
    assert {(it["kind"], it["actor_id"], it["case_id"]) for it in attempts} == {
        ("out-of-scope", stranger.account_id, case)
    }
    assert {it["route"] for it in attempts} == {
        "GET /cases/{case_id}",
        "GET /cases/{case_id}/history",
        "GET /cases/{case_id}/actions",
        "GET /cases/{case_id}/deadlines",
        "POST /cases/{case_id}/commands/{command}",
    }
    assert all(it["at"].startswith("2026-03-02T01:00") for it in attempts)


def test_a_case_assigned_down_to_the_other_street_is_seen_there_from_then_on(
    opened: Callable[[str], Office],
) -> None:
    """B hands it up, the district assigns it down to A, who signs; B is left with the outline."""
    office = opened(NOW)
    street_a, street_b = office.person("lead", EAST), office.person("lead", WEST)
    district = office.person("lead", DISTRICT)
    case = office.person("clerk", WEST).register(**wage_claim(100))
    _asks(street_b, case, "ESCALATE", DISTRICT, "beyond-means")
    assert street_a.client.get(f"/cases/{case}").status_code == 404
    assert district.do(case, "accept-custody")["custody_body_id"] == DISTRICT
    assert street_a.client.get(f"/cases/{case}").status_code == 404, "the way up is not his"

    _asks(district, case, "ASSIGN_DOWN", EAST, "closer-to-parties")
    waiting = street_a.case(case)
    assert waiting["visibility"] == "receiver"
    assert (waiting["move_kind"], waiting["from_body_id"]) == ("ASSIGN_DOWN", DISTRICT)
    due = street_a.client.get(f"/cases/{case}/deadlines").json()
    assert [it["code"] for it in due["items"]] == ["D12"]
    for version in (1, 2, 3):
        earlier = street_a.client.get(f"/cases/{case}/deadlines", params={"version": version})
        assert earlier.json() == due, "the date of an earlier move, to another body, is not his"
    assert street_a.history(case) == [], "before he signs he reads the letter, not the file"
    assert [it["case_id"] for it in street_a.lane("incoming")] == [case]
    declined = {"reason_code": "wrong-body"}
    assert street_a.refused(case, "decline-custody", **declined) == ["not-assigned-down"]
    street_a.do(case, "accept-custody")

    assert street_a.topics(case) == [
        "registered",
        "custody-move-requested",
        "escalated",
        "custody-move-requested",
        "assigned-down",
    ]
    assert street_a.case(case)["visibility"] == "full"
    assert street_a.case(case)["custody_body_id"] == EAST
    street_a.do(case, "raise-flag", flag="MEDIA")
    outline = {
        "case_id": case,
        "visibility": "former",
        "case_number": "WEST-STREET〔2026〕0001号",
        "level": "township",
        "phase": "REGISTERED",
        "outcome": None,
    }
    assert street_b.case(case) == outline
    assert street_b.topics(case)[-1] == "escalated", "B reads up to its own hand-over"
    assert street_b.client.get(f"/cases/{case}/deadlines").json()["items"] == []
    assert street_b.client.get(f"/cases/{case}/actions").json()["items"] == []
    assert street_b.attempt(case, "raise-flag", flag="MEDIA").status_code == 403
    assert _attempts(office, case) != [], "his two looks before it came to him are on record"
    assert {it["actor_id"] for it in _attempts(office, case)} == {street_a.account_id}


def test_an_employer_never_learns_who_brought_the_matter_up(
    opened: Callable[[str], Office],
) -> None:
    """What a liaison heard on the floor is hidden from his employer's side: way and person."""
    office = opened(NOW)
    liaison, lead = office.person("liaison", FACTORY), office.person("lead", FACTORY)
    case = liaison.register(
        matter_kind="DEMAND",
        channel="liaison-report",
        applicants=[worker("示例小林")],
        respondents=[company("示例制衣厂")],
        request="一人看两台机器。",
        cause="C21",
        lines=[{"applicant": 0, "cause": "C21", "claimed_fen": 0}],
    )
    street = office.person("lead", EAST)

    seen, registered = lead.case(case), lead.event(case, "registered")

    assert (seen["channel"], seen["filed_by_id"]) == (None, None)
    assert [registered[it] for it in ("actor_id", "role", "body_id")] == [None] * 3
    told = [
        lead.client.get(f"/cases/{case}").text,
        lead.client.get(f"/cases/{case}?personal=clear").text,
        lead.client.get(f"/cases/{case}/history").text,
        lead.client.get(f"/cases/{case}/actions").text,
        lead.client.get(f"/cases/{case}/deadlines").text,
        lead.client.get("/cases").text,
        str(lead.lane("risk")),
    ]
    for text in told:
        assert "liaison-report" not in text
        assert liaison.account_id not in text
    above = street.case(case)
    assert (above["channel"], above["filed_by_id"]) == ("liaison-report", liaison.account_id)
    assert street.event(case, "registered")["actor_id"] == liaison.account_id


def _asks(person: Person, case: str, kind: str, to_body_id: str, ground: str) -> None:
    person.do(
        case,
        "request-custody-move",
        kind=kind,
        to_body_id=to_body_id,
        ground=ground,
        summary="请接收办理。",
    )


def _attempts(office: Office, case: str) -> list[dict[str, Any]]:
    answer = office.person("auditor", DISTRICT).client.get(
        "/access-records", params={"case_id": case}
    )
    items: list[dict[str, Any]] = answer.json()["items"]
    return items
