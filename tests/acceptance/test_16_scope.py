"""Scope, the first sentence: what lies outside it is not found, and the attempt is on record."""

from __future__ import annotations

from collections.abc import Callable

from tests.acceptance.office import Office, wage_claim
from tests.serving import DISTRICT, EAST, WEST

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
        stranger.attempt(case, "refuse-case", reason_code="wrong-place"),
    ]
    nowhere = stranger.client.get("/cases/00000000-0000-4000-8000-000000000000")

    assert [answer.status_code for answer in answers] == [404] * 4
    assert answers[0].json() == nowhere.json(), "out of scope and unknown look the same"
    assert stranger.lane("to-ask") == []
    assert office.person("lead", WEST).case(case)["version"] == before
    records = office.person("auditor", DISTRICT).client.get(
        "/access-records", params={"case_id": case}
    )
    attempts = records.json()["items"]
    assert {(it["kind"], it["actor_id"], it["case_id"]) for it in attempts} == {
        ("out-of-scope", stranger.account_id, case)
    }
    assert {it["route"] for it in attempts} == {
        "GET /cases/{case_id}",
        "GET /cases/{case_id}/history",
        "GET /cases/{case_id}/actions",
        "POST /cases/{case_id}/commands/{command}",
    }
    assert all(it["at"].startswith("2026-03-02T01:00") for it in attempts)
