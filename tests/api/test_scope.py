"""Who sees how much over HTTP, and what is left on record of it."""

from __future__ import annotations

from uuid import UUID, uuid4

import httpx
import pytest

from api.answers import MASK
from mediation.codes import label
from mediation.store.access import AccessKind
from tests.api.desk import CANARIES, agreed, assert_problem, key, register, send
from tests.serving import DISTRICT, EAST, FACTORY, VILLAGE, WEST, Served

READS = ("", "/history", "/actions", "/deadlines", "/replay", "/diff")


def records(office: Served, case_id: str) -> list[dict[str, object]]:
    """Read the access records of a case as the district's auditor, the oldest first."""
    answer = office.client_for("auditor", DISTRICT).get(
        "/access-records", params={"case_id": case_id}
    )
    assert answer.status_code == 200, answer.text
    return list(reversed(answer.json()["items"]))


def test_a_case_out_of_scope_looks_like_none_and_the_attempt_is_recorded(office: Served):
    """404 in the words of an unknown case for every read and command; each leaves a record."""
    case_id = register(office.client_for("clerk", EAST))["case_id"]
    other = office.client_for("clerk", WEST)
    unknown = other.get(f"/cases/{uuid4()}")

    seen = [other.get(f"/cases/{case_id}{read}") for read in READS]
    seen.append(send(other, case_id, "raise-flag", 1, flag="URGENT"))

    for response in seen:
        assert_problem(response, 404, "not-found")
        assert response.json() == unknown.json()
    found = records(office, case_id)
    assert {it["kind"] for it in found} == {"out-of-scope"}
    assert len({it["route"] for it in found}) == len(seen)
    assert {it["actor_id"] for it in found} == {str(office.accounts["clerk", WEST])}
    assert found[-1]["route"] == "POST /cases/{case_id}/commands/{command}"


def test_a_list_holds_what_single_reads_show(office: Served):
    """A case is listed for exactly those who may open it."""
    answer = register(office.client_for("clerk", VILLAGE))
    case_id, position = answer["case_id"], str(answer["position"])
    for role, body_id in (("clerk", EAST), ("lead", VILLAGE), ("clerk", WEST), ("lead", FACTORY)):
        client = office.client_for(role, body_id)
        query: dict[str, str | int] = {"limit": 100, "body_id": VILLAGE}
        page = client.get("/cases", params=query, headers={"Min-Position": position}).json()
        listed = page["items"]
        is_listed = case_id in {it["case_id"] for it in listed}
        assert is_listed is (client.get(f"/cases/{case_id}").status_code == 200), body_id


def test_personal_data_is_masked_unless_it_is_asked_for(office: Served):
    """Masked by default; in clear for the body's own people, and that is on record."""
    clerk = office.client_for("clerk", EAST)
    case_id = register(clerk)["case_id"]

    masked = clerk.get(f"/cases/{case_id}")
    history = clerk.get(f"/cases/{case_id}/history")
    clear = clerk.get(f"/cases/{case_id}?personal=clear").json()

    for canary in CANARIES:
        assert canary not in masked.text + history.text
    party = masked.json()["applicants"][0]
    assert (party["name"], party["phone"], party["id_number"]) == (MASK, MASK, None)
    assert clear["applicants"][0]["name"] == CANARIES[0]
    assert clear["applicants"][0]["phone"] == CANARIES[1]
    assert [it["text"] for it in clear["texts"]] == ["请求支付拖欠的工资"]
    assert [it["kind"] for it in records(office, case_id)] == ["read-clear"]


def test_a_coordinator_says_why_before_he_reads_in_clear(office: Served):
    """403 without a coded reason; with one, the record holds it."""
    case_id = register(office.client_for("clerk", EAST))["case_id"]
    coordinator = office.client_for("coordinator", DISTRICT)

    silent = coordinator.get(f"/cases/{case_id}?personal=clear")
    spoken = coordinator.get(f"/cases/{case_id}?personal=clear&reason=supervision")
    wordy = coordinator.get(f"/cases/{case_id}?personal=clear&reason={CANARIES[0]}")

    assert_problem(silent, 403, "reason-required")
    assert_problem(wordy, 422)
    assert spoken.json()["applicants"][0]["name"] == CANARIES[0]
    assert [(it["kind"], it["reason"]) for it in records(office, case_id)] == [
        ("read-clear", "supervision")
    ]


@pytest.mark.parametrize(("role", "body_id"), [("auditor", DISTRICT), ("lead", DISTRICT)])
def test_who_may_not_read_in_clear_reads_masked(office: Served, role: str, body_id: str):
    """The upper body and the auditor see the case, never the names in it."""
    case_id = register(office.client_for("clerk", EAST))["case_id"]
    client = office.client_for(role, body_id)

    assert client.get(f"/cases/{case_id}").json()["applicants"][0]["name"] == MASK
    assert_problem(client.get(f"/cases/{case_id}?personal=clear"), 403, "not-permitted")


def handed_up(office: Served) -> tuple[str, httpx.Client, httpx.Client]:
    """Register a case in the village and ask the street to take it."""
    lower, upper = office.client_for("lead", VILLAGE), office.client_for("lead", WEST)
    case_id = register(lower)["case_id"]
    version = agreed(lower, case_id)
    asked = send(
        lower,
        case_id,
        "request-custody-move",
        version,
        kind="ESCALATE",
        to_body_id=WEST,
        ground="beyond-means",
        summary="本级无法调查",
    )
    assert asked.status_code == 200, asked.text
    return case_id, lower, upper


def test_the_receiver_of_a_move_sees_a_summary_and_no_history(office: Served):
    """Number, risk, headcount, kind, ground and sender: enough to answer, nothing personal."""
    case_id, _, upper = handed_up(office)

    summary = upper.get(f"/cases/{case_id}")
    shown = summary.json()

    assert shown["visibility"] == "receiver"
    assert (shown["move_kind"], shown["ground"]) == ("ESCALATE", "beyond-means")
    assert (shown["from_body_id"], shown["workers"]) == (VILLAGE, 1)
    assert (shown["cause"], shown["cause_label"]["zh"]) == ("C13", label("causes", "C13").zh)
    assert shown["days_left"] == 15
    assert shown["answer_due"]["code"] == "D12"
    assert "applicants" not in shown
    assert summary.headers["etag"] == f'"{shown["version"]}"'
    for at in ("", "?version=1", f"?position={summary.headers['position']}"):
        assert upper.get(f"/cases/{case_id}{at}").json() == shown
        assert upper.get(f"/cases/{case_id}/history{at}").json()["items"] == []
        assert upper.get(f"/cases/{case_id}/replay{at}").json()["items"] == []
    assert upper.get(f"/cases/{case_id}/diff").json()["changes"] == []
    assert_problem(upper.get(f"/cases/{case_id}/diff?to=1"), 404)
    deadlines = upper.get(f"/cases/{case_id}/deadlines").json()["items"]
    assert [it["code"] for it in deadlines] == ["D12"]
    mine = {
        it["command"] for it in upper.get(f"/cases/{case_id}/actions").json()["items"] if it["mine"]
    }
    assert mine == {"accept-custody", "decline-custody"}
    assert_problem(upper.get(f"/cases/{case_id}?personal=clear"), 403)


def test_the_sender_sees_the_sheets_of_the_move_that_is_pending(office: Served):
    """Each party's latest sheet to the receiver; one to another body is no part of this move."""
    case_id, lower, _ = handed_up(office)
    case = lower.get(f"/cases/{case_id}").json()
    worker, version = case["applicants"][0]["party_id"], case["version"]
    assert (case["move"]["to_body_id"], case["sheets"]) == (WEST, [])
    for to_body_id, new_body in ((EAST, True), (WEST, False), (None, True)):
        signed = {"party_id": worker, "new_body": new_body, "disclosure": True}
        named = {"to_body_id": to_body_id} if to_body_id else {}
        sent = send(lower, case_id, "record-transfer-sheet", version, **signed, **named)
        assert sent.status_code == 200, sent.text
        version = sent.json()["version"]

    assert lower.get(f"/cases/{case_id}").json()["sheets"] == [
        {
            "party_id": worker,
            "to_body_id": WEST,
            "new_body": True,
            "disclosure": True,
            "extension": None,
        }
    ]


def test_a_body_that_gave_a_case_away_sees_its_outline_alone(office: Served):
    """Level, phase and outcome; of the history what it recorded itself, and no action."""
    case_id, lower, upper = handed_up(office)
    before = len(lower.get(f"/cases/{case_id}/history").json()["items"])
    version = upper.get(f"/cases/{case_id}").json()["version"]
    assert send(upper, case_id, "accept-custody", version).status_code == 200
    assert send(upper, case_id, "raise-flag", version + 1, flag="MEDIA").status_code == 200

    shown = lower.get(f"/cases/{case_id}").json()

    assert shown == {
        "case_id": case_id,
        "visibility": "former",
        "case_number": shown["case_number"],
        "level": "township",
        "phase": "CONSENT_PENDING",
        "outcome": None,
    }
    topics = [it["topic"] for it in lower.get(f"/cases/{case_id}/history").json()["items"]]
    assert topics[before:] == ["case.escalated/1"]
    assert "case.flagged/1" not in topics
    steps = lower.get(f"/cases/{case_id}/replay").json()["items"]
    assert [it["event"]["topic"] for it in steps] == topics
    now = lower.get(f"/cases/{case_id}/diff").json()
    assert now["to"]["version"] == len(topics)
    assert not [it for it in now["changes"] if it["path"] == "flags"]
    assert_problem(lower.get(f"/cases/{case_id}/diff?to={len(topics) + 1}"), 404)
    assert lower.get(f"/cases/{case_id}/actions").json()["items"] == []
    assert lower.get(f"/cases/{case_id}/deadlines").json()["items"] == []
    assert_problem(lower.get(f"/cases/{case_id}?version=1"), 403)


def test_access_records_are_for_auditors_and_coordinators(office: Served):
    """All of them from the top, those of a case in scope from below, nobody else's business."""
    east = register(office.client_for("clerk", EAST))["case_id"]
    west = register(office.client_for("clerk", WEST))["case_id"]
    below = office.client_for("auditor", EAST)

    assert office.client_for("coordinator", DISTRICT).get("/access-records").status_code == 200
    assert below.get(f"/access-records?case_id={east}").status_code == 200
    assert_problem(below.get(f"/access-records?case_id={west}"), 404)
    assert_problem(below.get("/access-records"), 403)
    assert_problem(office.client_for("lead", DISTRICT).get("/access-records"), 403)


def test_access_records_are_read_page_by_page(office: Served):
    """The latest first, each once, and the cursor is good for this question only."""
    case_id = register(office.client_for("clerk", EAST))["case_id"]
    for _ in range(3):
        office.client_for("clerk", WEST).get(f"/cases/{case_id}")
    auditor, seen = office.client_for("auditor", DISTRICT), []
    query: dict[str, str | int] = {"case_id": case_id, "limit": 2}

    page = auditor.get("/access-records", params=query).json()
    seen += page["items"]
    foreign = auditor.get("/access-records", params={"cursor": page["next"]})
    last = auditor.get("/access-records", params={**query, "cursor": page["next"]}).json()
    seen += last["items"]

    ids = [it["record_id"] for it in seen]
    assert len(ids) == 3
    assert ids == sorted(ids, reverse=True)
    assert last["next"] is None
    assert {it["kind"] for it in seen} == {AccessKind.OUT_OF_SCOPE.value}
    assert_problem(foreign, 400, "cursor-invalid")


def test_rights_are_read_from_the_account_at_every_request(office: Served):
    """A role that is taken back is gone with the next request, whatever token is shown."""
    coordinator = office.client_for("coordinator", DISTRICT)

    def account(command: str, **body: str) -> str:
        answer = coordinator.post(f"/network/commands/{command}", json=body, headers=key())
        assert answer.status_code == 200, answer.text
        stream_id: str = answer.json()["stream_id"]
        return stream_id

    case_id = register(office.client_for("clerk", EAST))["case_id"]
    account_id = account("open-account", display_name="示例临时内勤")
    account("grant-role", account_id=account_id, role="clerk", body_id=EAST, from_on="2026-01-01")
    token = office.engine.tokens.issue(UUID(account_id), label="test").token
    with office.client(token) as temporary:
        assert temporary.get(f"/cases/{case_id}").status_code == 200
        account("revoke-role", account_id=account_id, role="clerk", body_id=EAST)
        assert_problem(temporary.get(f"/cases/{case_id}"), 404)
