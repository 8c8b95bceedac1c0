"""A dry run over HTTP, and the forms that register a case and go on from there."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.desk import agreed, assert_guarded, assert_problem, dispute, key, register
from tests.serving import DISTRICT, EAST, Served

DRY = {"dry_run": "true"}
ANSWER = ("dry_run", "phase", "level", "custody_body_id", "events")


def form(office: Served, **changes: Any) -> dict[str, Any]:
    """Type in a dispute that is registered, accepted and assigned at one visit."""
    return {
        "registration": dispute(**changes),
        "mediator_ids": [str(office.accounts["mediator", EAST])],
    }


def answered(response: httpx.Response) -> dict[str, Any]:
    """Give what a dry run answered, in its form."""
    said: dict[str, Any] = response.json()
    assert response.status_code == 200, response.text
    assert tuple(said) == ANSWER
    assert said["dry_run"] is True
    assert {"etag", "position", "location"}.isdisjoint(response.headers)
    assert_guarded(response)
    return said


def test_one_form_registers_accepts_and_assigns(office: Served):
    """201 with Location, as for a plain registration; the events stand in their order."""
    response = office.client_for("lead", EAST).post(
        "/cases/commands/register-and-accept", json=form(office), headers=key()
    )
    answer = response.json()

    assert response.status_code == 201, response.text
    assert response.headers["location"] == f"/cases/{answer['case_id']}"
    assert response.headers["etag"] == f'"{answer["version"]}"'
    assert answer["phase"] == "ASSIGNED"
    assert [it["topic"].removesuffix("/1") for it in answer["events"]] == [
        "case-number.issued",
        "case.registered",
        "case.consent-recorded",
        "case.consent-recorded",
        "case.accepted",
        "case.mediators-assigned",
    ]


def test_a_dry_run_tells_what_would_happen_and_writes_nothing(office: Served):
    """Events and due dates as they would be; the key is still unused, and so is the number."""
    lead, headers = office.client_for("lead", EAST), key()
    path, body = "/cases/commands/register-and-accept", form(office)
    head = office.engine.log.head().position

    said = answered(lead.post(path, params=DRY, json=body, headers=headers))

    assert office.engine.log.head().position == head
    assert (said["phase"], said["level"], said["custody_body_id"]) == ("ASSIGNED", "township", EAST)
    registered = said["events"][1]
    assert registered["topic"] == "case.registered/1"
    assert {due["code"] for due in registered["due"]} == {"D01", "D02", "D13"}
    done = lead.post(path, json=body, headers=headers)
    assert done.status_code == 201, done.text
    assert [it["topic"] for it in done.json()["events"]] == [it["topic"] for it in said["events"]]


def test_a_dry_run_on_a_case_leaves_it_where_it_is(office: Served):
    """The same version is there to go on from."""
    clerk, lead = office.client_for("clerk", EAST), office.client_for("lead", EAST)
    case_id = register(clerk)["case_id"]
    version = agreed(clerk, case_id)
    path = f"/cases/{case_id}/commands/accept-case"
    body = {"within_scope": True, "within_district": True}
    headers = {**key(), "If-Match": f'"{version}"'}

    said = answered(lead.post(path, params=DRY, json=body, headers=headers))

    assert (said["phase"], [it["topic"] for it in said["events"]]) == (
        "ACCEPTED",
        ["case.accepted/1"],
    )
    assert lead.get(f"/cases/{case_id}").json()["version"] == version
    assert lead.post(path, json=body, headers=headers).status_code == 200


def test_a_dry_run_on_the_network_names_no_case(office: Served):
    """Where it is not about a case, the fields of a case are null."""
    head = office.engine.log.head().position
    said = answered(
        office.client_for("coordinator", DISTRICT).post(
            "/network/commands/open-account",
            params=DRY,
            json={"display_name": "示例新同事"},
            headers=key(),
        )
    )

    assert [it["topic"] for it in said["events"]] == ["account.opened/1"]
    assert (said["phase"], said["level"], said["custody_body_id"]) == (None, None, None)
    assert said["events"][0]["due"] == []
    assert office.engine.log.head().position == head


@pytest.mark.parametrize("params", [DRY, {}])
def test_a_dry_run_is_refused_as_the_real_thing_is(office: Served, params: dict[str, str]):
    """Rule, version, role, form and preconditions: the same problems, and nothing is written."""
    clerk, lead = office.client_for("clerk", EAST), office.client_for("lead", EAST)
    case_id = register(clerk)["case_id"]
    path = f"/cases/{case_id}/commands"
    body = {"within_scope": True, "within_district": True}
    head = office.engine.log.head().position

    def asked(client: httpx.Client, name: str, sent: Any, match: int | None = 1) -> httpx.Response:
        headers = key() | ({} if match is None else {"If-Match": f'"{match}"'})
        return client.post(f"{path}/{name}", params=params, json=sent, headers=headers)

    refused = asked(lead, "accept-case", body)
    assert_problem(refused, 409, "not-allowed-now")
    assert "refuse-case" in refused.json()["allowed_actions"]
    assert_problem(asked(lead, "accept-case", body, 7), 412, "stale-version")
    assert_problem(asked(clerk, "accept-case", body), 403, "not-permitted")
    assert_problem(asked(lead, "accept-case", {}), 422, "malformed")
    assert_problem(asked(lead, "accept-case", body, None), 428, "if-match-missing")
    assert_problem(asked(lead, "no-such-command", body), 404, "command-unknown")
    assert office.engine.log.head().position == head


@pytest.mark.parametrize("asked", ["1", "yes", "True", "", "示例职工金丝雀甲乙丙"])
def test_whether_it_is_a_dry_run_is_never_guessed(office: Served, asked: str):
    """400 for any other word than true and false; nothing is written and nothing repeated."""
    head = office.engine.log.head().position

    response = office.client_for("clerk", EAST).post(
        "/cases", params={"dry_run": asked}, json=dispute(), headers=key()
    )

    assert_problem(response, 400, "dry-run-invalid")
    assert office.engine.log.head().position == head


def test_without_a_dry_run_it_is_carried_out(office: Served):
    """`false` is the same as to leave it out."""
    response = office.client_for("clerk", EAST).post(
        "/cases",
        params={"dry_run": "false"},
        json=dispute(),
        headers={"Idempotency-Key": uuid4().hex},
    )

    assert response.status_code == 201
