"""Typing in late: free within the ladder's days, refused beyond for now (ADR 0010)."""

from __future__ import annotations

from collections.abc import Callable

from tests.acceptance.office import Office, wage_claim
from tests.serving import EAST

NOW = "2026-03-12T09:00:00+08:00"


def test_a_fact_of_seven_days_ago_is_recorded_and_shows_as_late(
    opened: Callable[[str], Office],
) -> None:
    """Its clocks run from the day it happened; the day it was typed in stands beside."""
    clerk = opened(NOW).person("clerk", EAST)

    case = clerk.register(**wage_claim(100, occurred_at="2026-03-05T09:00:00+08:00"))

    registered = clerk.history(case)[0]
    assert registered["occurred_at"].startswith("2026-03-05")
    assert registered["recorded_at"].startswith("2026-03-12")
    assert {due["code"]: due["due_on"] for due in registered["due"]}["D02"] == "2026-03-20"


def test_a_fact_of_eight_days_ago_waits_for_an_approval(opened: Callable[[str], Office]) -> None:
    """It is refused by rule, in both languages, and nothing is written."""
    clerk = opened(NOW).person("clerk", EAST)

    answer = clerk.client.post(
        "/cases",
        json=wage_claim(100, occurred_at="2026-03-04T08:00:00+08:00"),
        headers={"Idempotency-Key": "late"},
    )

    assert answer.status_code == 409
    assert [it["code"] for it in answer.json()["refusals"]] == ["back-dating-needs-approval"]
    assert clerk.lane("to-ask") == []
