"""Commands over HTTP: what is answered when they are carried out, refused, or too late."""

from __future__ import annotations

import httpx
import pytest

from tests.api.desk import agreed, assert_guarded, assert_problem, dispute, key, register, send
from tests.serving import DISTRICT, EAST, VILLAGE, WEST, Served

ANSWER = ("case_id", "version", "position", "phase", "level", "custody_body_id", "events")


def mediating(office: Served) -> tuple[httpx.Client, str, int]:
    """Bring a case to its mediator; give him, the case and its version."""
    clerk, lead = office.client_for("clerk", EAST), office.client_for("lead", EAST)
    mediator, account_id = office.client_for("mediator", EAST), office.accounts["mediator", EAST]
    case_id = register(clerk)["case_id"]
    version = agreed(clerk, case_id)
    named = {"mediator_ids": [str(account_id)], "lead_mediator_id": str(account_id)}
    for client, command, body in (
        (lead, "accept-case", {"within_scope": True, "within_district": True}),
        (lead, "assign-mediators", named),
        (mediator, "confirm-assignment", {}),
    ):
        answer = send(client, case_id, command, version, **body)
        assert answer.status_code == 200, answer.text
        version = answer.json()["version"]
    return mediator, case_id, version


def test_a_flawed_fact_is_answered_with_its_flaws(office: Served):
    """What is irregular is told at once, code and label, as the history and the case tell it."""
    mediator, case_id, version = mediating(office)
    case = mediator.get(f"/cases/{case_id}").json()
    held = {
        "mode": "joint",
        "attending_ids": [it["party_id"] for it in (*case["applicants"], *case["respondents"])],
        "host_ids": [str(office.accounts["clerk", EAST])],
        "minutes": "示例记录",
        "result": "continued",
    }

    response = send(mediator, case_id, "record-session", version, **held)

    assert response.status_code == 200, response.text
    (event,) = response.json()["events"]
    flaws = event["irregularities"]
    assert flaws, response.text
    assert all(it["label"]["zh"] and it["label"]["en"].isascii() for it in flaws)
    history = mediator.get(f"/cases/{case_id}/history").json()["items"]
    assert history[-1]["irregularities"] == flaws
    shown = mediator.get(f"/cases/{case_id}").json()["irregularities"]
    assert [{"code": it["code"], "label": it["label"]} for it in shown] == flaws


def test_a_registered_case_is_answered_with_where_it_stands(office: Served):
    """201 with Location, ETag and Position; the events of its counter appear beside its own."""
    response = office.client_for("clerk", EAST).post("/cases", json=dispute(), headers=key())
    answer = response.json()

    assert response.status_code == 201
    assert tuple(answer) == ANSWER
    assert response.headers["location"] == f"/cases/{answer['case_id']}"
    assert response.headers["etag"] == '"1"'
    assert response.headers["position"] == str(answer["position"])
    assert (answer["phase"], answer["level"]) == ("REGISTERED", "township")
    assert [it["topic"] for it in answer["events"]] == ["case-number.issued/1", "case.registered/1"]
    assert [set(it) for it in answer["events"]] == [
        {"topic", "version", "occurred_at", "recorded_at", "irregularities", "due"}
    ] * 2
    assert [[due["code"] for due in it["due"]] for it in answer["events"]] == [
        [],
        ["D01", "D02", "D13"],
    ]
    assert answer["events"][1]["irregularities"] == []
    assert answer["events"][1]["version"] == 1
    assert_guarded(response)


def test_a_case_goes_on_by_commands_named_like_their_class(office: Served):
    """Each command answers the new version and phase, and the case read afterwards agrees."""
    clerk, lead = office.client_for("clerk", EAST), office.client_for("lead", EAST)
    case_id = register(clerk)["case_id"]
    version = agreed(clerk, case_id)

    accepted = send(lead, case_id, "accept-case", version, within_scope=True, within_district=True)
    answer = accepted.json()

    assert accepted.status_code == 200
    assert tuple(answer) == ANSWER
    assert (answer["version"], answer["phase"]) == (version + 1, "ACCEPTED")
    assert accepted.headers["etag"] == f'"{version + 1}"'
    seen = lead.get(f"/cases/{case_id}")
    assert seen.headers["etag"] == accepted.headers["etag"]
    assert seen.json()["phase"] == "ACCEPTED"


def test_network_and_account_commands_answer_their_stream(office: Served):
    """They need no If-Match and answer no field of a case; a new account's id is its stream."""
    coordinator = office.client_for("coordinator", DISTRICT)
    opened = coordinator.post(
        "/network/commands/open-account", json={"display_name": "示例新同事"}, headers=key()
    )
    account_id = opened.json()["stream_id"]
    granted = coordinator.post(
        "/network/commands/grant-role",
        json={"account_id": account_id, "role": "clerk", "body_id": WEST},
        headers={**key(), "If-Match": '"1"'},
    )

    assert opened.status_code == granted.status_code == 200
    assert tuple(opened.json()) == ("stream_id", "version", "position", "events")
    assert (granted.json()["stream_id"], granted.json()["version"]) == (account_id, 2)
    stale = coordinator.post(
        "/network/commands/revoke-role",
        json={"account_id": account_id, "role": "clerk", "body_id": WEST},
        headers={**key(), "If-Match": '"1"'},
    )
    assert_problem(stale, 412, "stale-version")


def test_a_rule_says_no_and_what_could_be_done_instead(office: Served):
    """409 names every guard that did not hold, and what the actor could do now."""
    clerk, lead = office.client_for("clerk", EAST), office.client_for("lead", EAST)
    case_id = register(clerk)["case_id"]

    refused = send(lead, case_id, "accept-case", 1, within_scope=True, within_district=True)

    assert_problem(refused, 409, "not-allowed-now")
    said = refused.json()
    assert [it["code"] for it in said["refusals"]] == ["wrong-phase"]
    assert said["current_version"] == 1
    assert "refuse-case" in said["allowed_actions"]
    assert "accept-case" not in said["allowed_actions"]


def test_who_saw_an_older_version_is_told_to_look_again(office: Served):
    """412 says where the case stands and what could be done; nothing was written."""
    clerk = office.client_for("clerk", EAST)
    case_id = register(clerk)["case_id"]
    version = agreed(clerk, case_id)

    stale = send(clerk, case_id, "raise-flag", 1, flag="URGENT")

    assert_problem(stale, 412, "stale-version")
    assert stale.json()["current_version"] == version
    assert "ask-consent" in stale.json()["allowed_actions"]
    assert clerk.get(f"/cases/{case_id}").json()["version"] == version


def test_who_sees_a_case_without_the_role_is_told_whose_business_it_is(office: Served):
    """403 names the roles that may."""
    clerk = office.client_for("clerk", EAST)
    case_id = register(clerk)["case_id"]
    version = agreed(clerk, case_id)

    denied = send(clerk, case_id, "accept-case", version, within_scope=True, within_district=True)

    assert_problem(denied, 403, "not-permitted")
    assert "调解组织负责人" in denied.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/cases/{case_id}/commands/no-such-command",
        "/cases/{case_id}/commands/register-case",
        "/cases/{case_id}/commands/open-account",
        "/cases/commands/accept-case",
        "/cases/commands/register-case",
        "/cases/commands/open-account",
        "/cases/commands/no-such-command",
        "/network/commands/accept-case",
        "/network/commands/no-such-command",
    ],
)
def test_a_command_in_the_wrong_place_is_unknown(office: Served, path: str):
    """404: creating, network and case commands are each served in one place only."""
    clerk = office.client_for("clerk", EAST)
    case_id = register(clerk)["case_id"]
    headers = {**key(), "If-Match": '"1"'}

    response = clerk.post(path.format(case_id=case_id), json={}, headers=headers)

    assert_problem(response, 404, "command-unknown")


@pytest.mark.parametrize("case_id", ["no-id", "c7f1b018-8c40-414f-bcaf-4dd39aca75aa"])
def test_a_command_on_an_unknown_case_finds_nothing(office: Served, case_id: str):
    """404 for an id that is none and for one that nobody has."""
    answer = send(office.client_for("clerk", EAST), case_id, "raise-flag", 1, flag="URGENT")

    assert_problem(answer, 404, "not-found")


def test_a_problem_speaks_the_language_asked_for(office: Served):
    """Chinese by default; English where it is preferred; both are always there."""
    clerk = office.client_for("clerk", EAST)
    spoken = {
        accept: clerk.get("/cases/none", headers={"Accept-Language": accept})
        for accept in ("", "zh-CN", "en-GB,zh;q=0.5", "zh;q=0.2,en;q=0.9", "fr", "en;q=oops,zh")
    }

    titles = {accept: it.json()["title"] for accept, it in spoken.items()}
    assert titles["en-GB,zh;q=0.5"] == titles["zh;q=0.2,en;q=0.9"]
    assert titles["en-GB,zh;q=0.5"] == "Not found, or outside what you may see"
    assert titles[""] == titles["zh-CN"] == titles["fr"] == "未找到，或不在您的查看范围内"
    assert spoken["en-GB,zh;q=0.5"].headers["content-language"] == "en"


def test_custody_changes_hands_over_http(office: Served):
    """Asked below, answered above; the body that gave the case away sees the outline alone."""
    mediator, clerk = office.client_for("mediator", VILLAGE), office.client_for("clerk", VILLAGE)
    case_id = register(clerk)["case_id"]
    asked = send(
        office.client_for("lead", VILLAGE),
        case_id,
        "request-custody-move",
        1,
        kind="ESCALATE",
        to_body_id=EAST,
        ground="beyond-means",
        summary="本级无法调查，请求上级承办",
    )
    assert asked.status_code == 200, asked.text

    upper = office.client_for("lead", EAST)
    taken = send(upper, case_id, "accept-custody", 2)

    assert taken.status_code == 200, taken.text
    assert (taken.json()["level"], taken.json()["custody_body_id"]) == ("township", EAST)
    shown = mediator.get(f"/cases/{case_id}").json()
    assert set(shown) == {"case_id", "visibility", "case_number", "level", "phase", "outcome"}
    assert shown["visibility"] == "former"
