"""Typing in late: free for seven days, one key to thirty, two keys beyond (ADR 0015)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.acceptance.office import Office, codes_of, wage_claim
from tests.serving import DISTRICT, EAST, WEST

NOW = "2026-03-12T09:00:00+08:00"
REGISTER = "register-case"


@pytest.fixture
def office(opened: Callable[[str], Office]) -> Office:
    """A Thursday morning."""
    return opened(NOW)


def _claim(day: str, **more: Any) -> dict[str, Any]:
    return wage_claim(100, occurred_at=f"{day}T09:00:00+08:00", **more)


def test_a_fact_of_seven_days_ago_is_recorded_and_shows_as_late(office: Office) -> None:
    """Its clocks run from the day it happened; the day it was typed in stands beside."""
    clerk = office.person("clerk", EAST)

    case = clerk.register(**_claim("2026-03-05"))

    registered = clerk.history(case)[0]
    assert registered["occurred_at"].startswith("2026-03-05")
    assert registered["recorded_at"].startswith("2026-03-12")
    assert (registered["late_days"], registered["approved_by_ids"]) == (7, [])
    assert {due["code"]: due["due_on"] for due in registered["due"]}["D02"] == "2026-03-20"


def test_a_fact_of_eight_days_ago_waits_for_the_leads_key(office: Office) -> None:
    """Refused in both languages and nothing written; with the key it is stored and says whose."""
    clerk, lead = office.person("clerk", EAST), office.person("lead", EAST)
    claim = _claim("2026-03-04")
    before = office.written()

    refused = clerk.attempt_to_open(REGISTER, **claim)
    assert codes_of(refused) == ["back-dating-needs-approval"]
    assert "负责人" in refused.json()["refusals"][0]["zh"]
    assert "Lead" in refused.json()["refusals"][0]["en"]
    for language in ("zh", "en"):
        assert "POST /approvals" in refused.json()["refusals"][0][language]
        assert "7" in refused.json()["refusals"][0][language], "the bound that was passed"
    assert office.written() == before
    assert clerk.lane("to-ask") == []
    case = clerk.opened(clerk.approved(REGISTER, claim, lead))

    registered = clerk.event(case, "registered")
    assert registered["approved_by_ids"] == [lead.account_id]
    assert registered["actor_id"] == clerk.account_id, "who typed and who approved stand apart"


def test_a_lead_types_in_by_his_own_key_and_up_to_a_month_only(office: Office) -> None:
    """Whoever submits holds his own key; beyond thirty days the coordinator's has to join it."""
    lead, coordinator = office.person("lead", EAST), office.person("coordinator", DISTRICT)

    case = lead.register(**_claim("2026-02-10"))
    too_old = lead.attempt_to_open(REGISTER, **_claim("2026-02-09"))
    older = lead.opened(lead.approved(REGISTER, _claim("2026-02-09"), coordinator))

    assert lead.event(case, "registered")["approved_by_ids"] == [lead.account_id]
    assert codes_of(too_old) == ["back-dating-needs-approval"]
    assert "older than 30 days" in too_old.json()["refusals"][0]["en"]
    assert "超过30日" in too_old.json()["refusals"][0]["zh"]
    assert sorted(lead.event(older, "registered")["approved_by_ids"]) == sorted(
        [lead.account_id, coordinator.account_id]
    )


def test_an_approval_opens_exactly_one_command(office: Office) -> None:
    """Another body, another key or another person: it fits nothing but what it was drawn for."""
    clerk, lead = office.person("clerk", EAST), office.person("lead", EAST)
    claim, key = _claim("2026-03-02"), uuid4().hex
    drawn = lead.approval_of(clerk, key, REGISTER, claim, None).json()["approval"]
    mediator = office.person("mediator", EAST)

    def sent(person: Any, key: str, body: dict[str, Any], approval: str = drawn) -> Any:
        headers = {"Idempotency-Key": key, "Approval": approval}
        return person.client.post("/cases", json=body, headers=headers)

    other_body = sent(clerk, key, _claim("2026-03-03"))
    other_key = sent(clerk, uuid4().hex, claim)
    other_person = sent(mediator, key, claim)
    forged = sent(clerk, key, claim, approval=drawn[:-2] + ("AA" if drawn[-2:] != "AA" else "BB"))
    taken = sent(clerk, key, claim)
    again = sent(clerk, key, claim)

    for answer in (other_body, other_key, other_person):
        assert (answer.status_code, codes_of(answer)) == (409, ["approval-for-another-command"])
    assert codes_of(forged) == ["approval-not-genuine"]
    assert (taken.status_code, again.status_code) == (201, 201)
    assert taken.json() == again.json(), "used once, however often it is sent"


def test_nobody_approves_what_is_not_his_to_approve(office: Office) -> None:
    """Neither his own entry nor another body's, nor without the role, nor what needs no key."""
    clerk, lead = office.person("clerk", EAST), office.person("lead", EAST)
    other_lead, colleague = office.person("lead", WEST), office.person("mediator", EAST)
    late, timely = _claim("2026-03-02"), _claim("2026-03-11")

    answers = [
        lead.approval_of(lead, "own", REGISTER, late, None),
        other_lead.approval_of(clerk, "other-street", REGISTER, late, None),
        colleague.approval_of(clerk, "no-lead", REGISTER, late, None),
    ]
    needless = lead.approval_of(clerk, "needless", REGISTER, timely, None)

    assert [answer.status_code for answer in answers] == [403] * 3
    assert codes_of(needless) == ["needs-no-approval"]


def test_a_key_turned_by_somebody_who_lost_the_role_opens_nothing(office: Office) -> None:
    """Between drawing and use the lead's role is revoked: the grants of the day count."""
    clerk, lead = office.person("clerk", EAST), office.person("lead", EAST)
    claim, key = _claim("2026-03-02"), uuid4().hex
    drawn = lead.approval_of(clerk, key, REGISTER, claim, None).json()["approval"]
    office.person("coordinator", DISTRICT).network(
        "revoke-role", account_id=lead.account_id, role="lead", body_id=EAST
    )

    answer = clerk.client.post(
        "/cases", json=claim, headers={"Idempotency-Key": key, "Approval": drawn}
    )

    assert codes_of(answer) == ["back-dating-needs-approval"]


def test_two_keys_are_two_people(office: Office) -> None:
    """One person who is lead and coordinator does not approve twice."""
    coordinator, clerk = office.person("coordinator", DISTRICT), office.person("clerk", EAST)
    account = coordinator.network("open-account", display_name="示例双职人员")["stream_id"]
    for role, body in (("lead", EAST), ("coordinator", DISTRICT)):
        coordinator.network("grant-role", account_id=account, role=role, body_id=body)
    office.hires("both", EAST, account)
    both = office.person("both", EAST)
    claim = _claim("2026-02-02")

    twice = clerk.approved(REGISTER, claim, both, both)
    case = clerk.opened(clerk.approved(REGISTER, claim, both, coordinator))
    lead = office.person("lead", EAST)
    for pair in ((both, lead), (lead, both)):
        answer = clerk.approved(REGISTER, claim, *pair)
        other = clerk.event(clerk.opened(answer), "registered")
        assert other["approved_by_ids"] == [lead.account_id, account], "each his own key"

    assert codes_of(twice) == ["back-dating-needs-approval"]
    approvers = clerk.event(case, "registered")["approved_by_ids"]
    assert sorted(approvers) == sorted([account, coordinator.account_id])
