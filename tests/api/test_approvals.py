"""Approvals of late entries over HTTP: drawn by one, sent along by another, of use once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.api.desk import CANARIES, assert_guarded, assert_problem, dispute, register
from tests.serving import DISTRICT, EAST, WEST, Served


def days_ago(office: Served, days: int) -> str:
    """Give a time so many days before the office's present."""
    return (office.clock() - timedelta(days=days)).isoformat()


class Late:
    """A clerk who types in something old: adds a party to a case, or registers one."""

    def __init__(self, office: Served, days: int, *, registers: bool = False) -> None:
        self.clerk = office.client_for("clerk", EAST)
        self.key = uuid4().hex
        self.actor_id = str(office.accounts["clerk", EAST])
        self.case_id = None if registers else register(self.clerk)["case_id"]
        self.command = "register-case" if registers else "add-party"
        party = {"side": "respondent", "party": {"role": "USING_UNIT", "company_name": "示例公司"}}
        self.body = (dispute() if registers else party) | {"occurred_at": days_ago(office, days)}

    def asked(self, **changes: Any) -> dict[str, Any]:
        """Give the body with which an approval is asked for."""
        fields = {
            "actor_id": self.actor_id,
            "idempotency_key": self.key,
            "command": self.command,
            "body": self.body,
        }
        return fields | ({"case_id": self.case_id} if self.case_id else {}) | changes

    def approved_by(self, client: httpx.Client) -> str:
        """Let somebody approve it."""
        drawn = client.post("/approvals", json=self.asked())
        assert drawn.status_code == 201, drawn.text
        approval: str = drawn.json()["approval"]
        return approval

    def send(self, approval: str | bytes | None = None, **params: str) -> httpx.Response:
        """Submit it, perhaps with approvals."""
        headers: dict[str, Any] = {"Idempotency-Key": self.key}
        if approval is not None:
            headers["Approval"] = approval
        path = "/cases"
        if self.case_id:
            path = f"/cases/{self.case_id}/commands/{self.command}"
            headers["If-Match"] = '"1"'
        return self.clerk.post(path, params=params, json=self.body, headers=headers)


@pytest.mark.parametrize("registers", [False, True])
def test_what_the_lead_approved_is_typed_in_and_says_so(office: Served, registers: bool):  # noqa: FBT001
    """Refused without the approval; with it the history names who approved, and how late it is."""
    late, lead = Late(office, 8, registers=registers), office.client_for("lead", EAST)
    refused = late.send()
    assert_problem(refused, 409, "not-allowed-now")
    assert [it["code"] for it in refused.json()["refusals"]] == ["back-dating-needs-approval"]

    drawn = lead.post("/approvals", json=late.asked())
    said = drawn.json()
    assert drawn.status_code == 201, drawn.text
    assert tuple(said) == ("approval", "approver_id", "command_id")
    assert said["approver_id"] == str(office.accounts["lead", EAST])
    assert str(UUID(said["command_id"])) == said["command_id"]
    assert_guarded(drawn)

    done = late.send(said["approval"])
    assert done.status_code in (200, 201), done.text
    entry = lead.get(f"/cases/{done.json()['case_id']}/history").json()["items"][-1]
    assert entry["approved_by_ids"] == [said["approver_id"]]
    assert entry["late_days"] == 8


def test_two_approvals_are_sent_in_one_header(office: Served):
    """Beyond thirty days lead and coordinator approve, each for himself."""
    late = Late(office, 31)
    coordinator = office.client_for("coordinator", DISTRICT)
    first = late.approved_by(office.client_for("lead", EAST))
    second = late.approved_by(coordinator)

    assert_problem(late.send(first), 409, "not-allowed-now")
    assert late.send(f"{first}, {second}").status_code == 200


def test_an_approved_entry_can_be_rehearsed(office: Served):
    """A dry run with the approval at hand tells that it suffices; it uses nothing up."""
    late = Late(office, 8)
    assert_problem(late.send(dry_run="true"), 409, "not-allowed-now")
    approval = late.approved_by(office.client_for("lead", EAST))

    assert late.send(approval, dry_run="true").json()["dry_run"] is True
    assert late.send(approval).status_code == 200


def test_a_repeated_entry_is_answered_as_it_was_then(office: Served):
    """The approval is of use once, and the key gives the same answer for ever, without it too."""
    late = Late(office, 8)
    approval = late.approved_by(office.client_for("lead", EAST))
    first = late.send(approval)

    assert late.send(approval).content == late.send().content == first.content


@pytest.mark.parametrize(
    "approval", ["approved", "a.b", "示例.批准".encode(), CANARIES[1], "x" * 2000]
)
def test_what_is_no_approval_is_refused_and_not_repeated(office: Served, approval: str | bytes):
    """409 that says what to do; nothing is written."""
    late = Late(office, 8)
    head = office.engine.log.head().position

    response = late.send(approval)

    assert_problem(response, 409, "not-allowed-now")
    assert [it["code"] for it in response.json()["refusals"]] == ["approval-not-genuine"]
    assert office.engine.log.head().position == head


def test_more_approvals_than_an_entry_can_need_are_refused(office: Served):
    """None is silently left out; four are still looked at."""
    late = Late(office, 8)
    approval = late.approved_by(office.client_for("lead", EAST))

    assert_problem(late.send(", ".join([approval] * 5)), 400, "approvals-too-many")
    assert late.send(", ".join([approval] * 4)).status_code == 200


def test_an_approval_for_another_entry_is_refused(office: Served):
    """A case approved is not the next one approved."""
    approval = Late(office, 8).approved_by(office.client_for("lead", EAST))

    response = Late(office, 8).send(approval)

    assert_problem(response, 409, "not-allowed-now")
    assert [it["code"] for it in response.json()["refusals"]] == ["approval-for-another-command"]


def test_who_may_not_approve_is_told_who_may(office: Served):
    """403 for whoever sees the case without a key to it, and for the submitter himself."""
    late = Late(office, 8)
    for role, body_id in (("clerk", EAST), ("mediator", EAST), ("lead", DISTRICT)):
        response = office.client_for(role, body_id).post("/approvals", json=late.asked())
        assert_problem(response, 403, "not-permitted")


def test_out_of_scope_nothing_is_found_and_the_attempt_is_recorded(office: Served):
    """404 for the lead of the next street, who stands in the access record then."""
    late = Late(office, 8)

    response = office.client_for("lead", WEST).post("/approvals", json=late.asked())

    assert_problem(response, 404, "not-found")
    (record, *_) = office.engine.access.list_records(limit=1, case_id=UUID(late.case_id))
    assert (record.actor_id, record.route) == (office.accounts["lead", WEST], "POST /approvals")


def test_what_needs_no_approval_gets_none(office: Served):
    """409 within the days that are free."""
    late = Late(office, 7)

    response = office.client_for("lead", EAST).post("/approvals", json=late.asked())

    assert_problem(response, 409, "not-allowed-now")
    assert [it["code"] for it in response.json()["refusals"]] == ["needs-no-approval"]
    assert late.send().status_code == 200


def test_nobody_unknown_approves_anything(office: Served):
    """401 without a token."""
    with office.client() as anybody:
        assert_problem(anybody.post("/approvals", json=Late(office, 8).asked()), 401)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"command": "no-such-command"}, 404, "command-unknown"),
        ({"command": "open-account"}, 404, "command-unknown"),
        ({"command": CANARIES[0]}, 404, "command-unknown"),
        ({"case_id": None}, 404, "not-found"),
        ({"case_id": "c7f1b018-8c40-414f-bcaf-4dd39aca75aa"}, 404, "not-found"),
        ({"case_id": CANARIES[0]}, 422, "malformed"),
        ({"actor_id": CANARIES[1]}, 422, "malformed"),
        ({"idempotency_key": "a b"}, 422, "malformed"),
        ({"idempotency_key": ""}, 422, "malformed"),
        ({"body": {}}, 422, "malformed"),
        ({"body": CANARIES[0]}, 422, "malformed"),
        (
            {"body": {"side": "respondent", "party": {"role": "USING_UNIT", CANARIES[0]: 1}}},
            422,
            "",
        ),
        ({"nickname": CANARIES[0]}, 422, "malformed"),
    ],
)
def test_a_bad_request_for_an_approval_is_told_and_not_repeated(
    office: Served, changes: dict[str, Any], status: int, code: str
):
    """The command is read as strictly as when it is submitted."""
    head = office.engine.log.head().position
    late = Late(office, 8)

    response = office.client_for("lead", EAST).post("/approvals", json=late.asked(**changes))

    assert_problem(response, status, code or None)
    assert office.engine.log.head().position == head + 2, "only the case of the test was registered"


def test_what_lies_in_the_future_gets_no_approval(office: Served):
    """422, as when it is submitted: a time to come is a slip."""
    late = Late(office, -1)

    response = office.client_for("lead", EAST).post("/approvals", json=late.asked())

    assert_problem(response, 422, "future-time")
    assert [it["pointer"] for it in response.json()["errors"]] == ["/body/occurred_at"]


@pytest.mark.parametrize(("body", "pointer"), [({}, "/body/side"), ("no command", "/body")])
def test_what_is_wrong_with_the_command_is_pointed_at_inside_it(
    office: Served, body: Any, pointer: str
):
    """The command lies under `body`."""
    asked = Late(office, 8).asked(body=body)

    response = office.client_for("lead", EAST).post("/approvals", json=asked)

    assert_problem(response, 422, "malformed")
    assert [it["pointer"] for it in response.json()["errors"]] == [pointer]


def test_a_case_named_for_a_command_that_registers_one_is_refused(office: Served):
    """422 with the place: such an approval would never fit what is submitted."""
    late = Late(office, 8, registers=True)
    case_id = register(late.clerk)["case_id"]

    response = office.client_for("lead", EAST).post("/approvals", json=late.asked(case_id=case_id))

    assert_problem(response, 422, "malformed")
    assert [it["pointer"] for it in response.json()["errors"]] == ["/case_id"]


@pytest.mark.parametrize("missing", ["actor_id", "idempotency_key", "command", "body"])
def test_every_part_of_a_request_for_an_approval_is_asked_for(office: Served, missing: str):
    """422 with the place of what is missing."""
    asked = {name: it for name, it in Late(office, 8).asked().items() if name != missing}

    response = office.client_for("lead", EAST).post("/approvals", json=asked)

    assert_problem(response, 422, "malformed")
    assert response.json()["errors"] == [{"pointer": f"/{missing}", "code": "required"}]
