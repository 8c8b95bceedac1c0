"""Sixty workers at the gate and a boss who cannot be reached: told at once, reported up, in red."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

import pytest

from tests.acceptance.office import (
    Office,
    Person,
    accept,
    everybody_agrees,
    topic_of,
    wage_claim,
    worker,
)
from tests.serving import DISTRICT, EAST, FACTORY, VILLAGE

THE_DAY_BEFORE = "2026-03-02T09:00:00+08:00"
MORNING = "2026-03-03T08:30:00+08:00"
CROWD = 60
NAME, LATER_NOTE = "欧阳示例在门口", "区级调解室后来的记录：单位账户已冻结。"
REPORT = "六十名职工聚集厂门口，负责人失联。"


def test_a_crowd_at_the_gate_is_told_of_and_reported_up_within_the_hour(
    opened: Callable[[str], Office],
) -> None:
    """Two addressees sign; the committee keeps the case until the district takes it, no longer."""
    office = opened(THE_DAY_BEFORE)
    mediator, lead = office.person("mediator", FACTORY), office.person("lead", FACTORY)
    clerk, district = office.person("clerk", FACTORY), office.person("lead", DISTRICT)
    case = _at_the_gate(office)

    clerk.do(case, "report-urgent", **_report("first"), known_at="2026-03-03T08:15:00+08:00")
    office.at("2026-03-03T08:40:00+08:00")
    mediator.do(case, "request-custody-move", **_report_up())
    requested = lead.event(case, "custody-move-requested")
    assert requested["fields"]["move_approved_by_id"] is None, "red needs nobody's approval"
    assert requested["due"][0]["due_at"] == "2026-03-03T02:40:00Z", "two clock hours to answer"
    for minute, who, addressee in (
        ("8:50", clerk, 0),
        ("8:55", office.person("clerk", DISTRICT), 1),
    ):
        office.at(f"2026-03-03T0{minute}:00+08:00")
        who.do(case, "acknowledge-urgent-report", report_no=1, addressee_no=addressee)
    assert lead.case(case)["custody_body_id"] == FACTORY, "told and asked, it still stays"
    before = lead.history(case)
    office.at("2026-03-03T09:10:00+08:00")
    district.do(case, "accept-custody")
    district.do(case, "raise-flag", flag="SAFETY")
    coordinator = office.person("coordinator", DISTRICT)
    coordinator.do(case, "report-urgent", **_report("follow-up", LATER_NOTE))

    shown = district.case(case)
    assert (shown["custody_body_id"], shown["level"]) == (DISTRICT, "district")
    assert [former["body_id"] for former in shown["former"]] == [FACTORY]
    filed = [it for it in district.history(case) if topic_of(it) == "urgent-report-filed"]
    assert [it["fields"]["at_body_id"] for it in filed] == [FACTORY, DISTRICT]
    assert [it["kind"] for it in filed[0]["fields"]["addressees"]] == [
        "party-government",
        "upper-union",
    ]
    assert filed[0]["occurred_at"] == "2026-03-03T00:30:00Z", "the time of receipt counts"
    assert filed[0]["fields"]["known_at"] == "2026-03-03T00:15:00Z"
    assert filed[0]["irregularities"] == []
    signed = [it for it in district.history(case) if topic_of(it) == "urgent-report-acknowledged"]
    assert [(it["fields"]["addressee_no"], it["occurred_at"]) for it in signed] == [
        (0, "2026-03-03T00:50:00Z"),
        (1, "2026-03-03T00:55:00Z"),
    ]
    assert shown["reports"][0]["acknowledged"] == [0, 1]
    topics = [topic_of(it) for it in before]
    assert topics[-3:] == [
        "urgent-report-filed",
        "custody-move-requested",
        "urgent-report-acknowledged",
    ], "of the two signatures it reads the one that its own side recorded"
    assert lead.topics(case) == [*topics, "reported-up"], "up to its hand-over and not further"
    for person in (lead, mediator, clerk):
        _assert_nothing_later(person, case)
    outsider = office.person("liaison", FACTORY)
    assert outsider.client.get(f"/cases/{case}").status_code == 404, "who filed nothing sees none"


def test_a_case_in_red_lies_in_the_worklist_within_five_seconds(
    opened: Callable[[str], Office],
) -> None:
    """Below and above it is there at once; the first report has two clock hours."""
    office = opened(MORNING)
    clerk = office.person("clerk", FACTORY)

    case = clerk.register(**wage_claim(*[100_000] * CROWD))
    written_at = monotonic()
    for person in (clerk, office.person("lead", DISTRICT)):
        item = office.until(partial(_in_red, person, case))
        assert item["headcount"] == CROWD
    assert monotonic() - written_at < 5

    assert clerk.case(case)["risk"] == "RED"
    assert clerk.due(case)["D26"]["due_at"] == "2026-03-03T02:30:00Z"


def test_the_skipped_levels_are_told_without_a_name(opened: Callable[[str], Office]) -> None:
    """Village and street learn number, body, risk and headcount; the committee gets nothing."""
    office = opened(THE_DAY_BEFORE)
    case = _at_the_gate(office)
    number = office.person("lead", FACTORY).case(case)["case_number"]
    office.person("mediator", FACTORY).do(case, "request-custody-move", **_report_up())

    for body in (VILLAGE, EAST):
        person = office.person("lead", body)
        answer = office.caught_up(person.client, "/notices", {})
        (notice,) = answer["items"]
        told = {"case_number": number, "from_body_id": FACTORY, "to_body_id": DISTRICT}
        told |= {"risk": "RED", "headcount": CROWD, "ground": "red-risk"}
        assert notice == notice | told
        assert NAME not in str(answer)
        assert "示例职工" not in str(answer)
        assert "区总工会接办" not in str(answer), "the letter is the receiver's alone"
    for role in ("lead", "liaison"):
        nobody = office.person(role, FACTORY)
        assert office.caught_up(nobody.client, "/notices", {})["items"] == []


def test_while_it_waits_only_what_would_cross_the_move_is_refused(
    opened: Callable[[str], Office],
) -> None:
    """Reports and sessions go on; a second move and an assignment wait for the receiver's word."""
    office = opened(THE_DAY_BEFORE)
    mediator, lead = office.person("mediator", FACTORY), office.person("lead", FACTORY)
    case = _at_the_gate(office)
    mediator.do(case, "request-custody-move", **_report_up())

    chosen = mediator.account_id
    assignment = {"mediator_ids": [chosen], "lead_mediator_id": chosen}
    assert lead.refused(case, "request-custody-move", **_report_up()) == ["no-move-pending"]
    assert lead.refused(case, "assign-mediators", **assignment) == ["no-move-pending"]
    mediator.do(case, "report-urgent", **_report("first"))
    mediator.do(
        case,
        "record-session",
        mode="joint",
        attending_ids=lead.parties(case)[:3],
        host_ids=[chosen],
        minutes="厂门口先行沟通，职工代表同意等候一日。",
        result="continued",
    )
    assert lead.case(case)["phase"] == "MEDIATING"
    assert lead.case(case)["move"]["to_body_id"] == DISTRICT, "none of this ends the move"
    assert lead.refused(case, "assign-mediators", **assignment) == ["no-move-pending"]
    workers = [party["party_id"] for party in lead.case(case)["applicants"]]
    lead.do(case, "withdraw-application", by_ids=workers)

    assert lead.topics(case)[-3:] == ["custody-move-withdrawn", "withdrawn", "mediation-concluded"]
    assert lead.event(case, "custody-move-withdrawn")["reason_code"] == "application-withdrawn"
    assert (lead.case(case)["phase"], lead.case(case)["move"]) == ("WITHDRAWN", None)
    assert office.person("lead", DISTRICT).lane("incoming") == []


def test_without_red_a_report_up_is_the_leads_to_approve(opened: Callable[[str], Office]) -> None:
    """A mediator may not skip rungs by himself; the lead may, and is named as who approved."""
    office = opened(MORNING)
    mediator, lead = office.person("mediator", FACTORY), office.person("lead", FACTORY)
    case = lead.register(**wage_claim(*[100_000] * 12))
    assert lead.case(case)["risk"] == "YELLOW"

    by_himself = mediator.attempt(case, "request-custody-move", **_report_up("ten-or-more-workers"))
    lead.do(case, "request-custody-move", **_report_up("ten-or-more-workers"))

    assert by_himself.status_code == 403
    requested = lead.event(case, "custody-move-requested")
    assert requested["fields"]["move_approved_by_id"] == lead.account_id
    assert requested["due"][0]["rule"] == "1 wd"


@pytest.mark.parametrize("missing", ["party-government", "upper-union"])
def test_a_report_that_misses_an_addressee_is_stored_with_that_flaw(
    opened: Callable[[str], Office], missing: str
) -> None:
    """It is no reason to lose the report; whoever was left out stands in it."""
    office = opened(MORNING)
    clerk = office.person("clerk", FACTORY)
    case = clerk.register(**wage_claim(*[100_000] * CROWD))
    addressees = [it for it in _report("first")["addressees"] if it["kind"] != missing]
    sent = _report("first") | {"addressees": [*addressees, {"kind": "other", "name": "派出所"}]}

    clerk.do(case, "report-urgent", **sent)

    (flaw,) = clerk.case(case)["irregularities"]
    assert flaw["code"] == "addressee-missing"
    assert "D26" not in clerk.due(case)


def _at_the_gate(office: Office) -> str:
    """Accept the case of sixty at the enterprise; the next morning nobody reaches the employer."""
    lead = office.person("lead", FACTORY)
    case = lead.register(
        **wage_claim(*[100_000] * CROWD)
        | {"applicants": [worker(NAME), *(worker(f"示例职工{at}") for at in range(1, CROWD))]}
    )
    everybody_agrees(lead, case)
    accept(lead, case)
    office.at(MORNING)
    lead.do(case, "raise-flag", flag="EMPLOYER_ABSCONDED")
    return case


def _report(kind: str, text: str = REPORT) -> dict[str, Any]:
    return {
        "kind": kind,
        "addressees": [
            {"kind": "party-government", "name": "街道综治中心"},
            {"kind": "upper-union", "name": "区总工会", "body_id": DISTRICT},
        ],
        "text": text,
        "headcount": CROWD,
    }


def _report_up(ground: str = "red-risk") -> dict[str, Any]:
    return {
        "kind": "REPORT_UP",
        "to_body_id": DISTRICT,
        "ground": ground,
        "summary": "六十名职工聚集厂门口，请区总工会接办。",
    }


def _in_red(person: Person, case: str) -> dict[str, Any] | None:
    items = person.client.get("/worklist", params={"lane": "risk"}).json()["items"]
    return next((it for it in items if (it["case_id"], it["risk"]) == (case, "RED")), None)


def _assert_nothing_later(person: Person, case: str) -> None:
    """Of what the district does nothing reaches whoever sits at the enterprise."""
    answers = [
        person.client.get(f"/cases/{case}{what}")
        for what in ("", "/history", "/deadlines", "/actions", "?personal=clear", "?version=1")
    ]
    lists = [person.office.caught_up(person.client, url, {}) for url in ("/cases", "/worklist")]
    for text in (*(answer.text for answer in answers), *map(str, lists)):
        assert "SAFETY" not in text
        assert LATER_NOTE not in text
        assert "follow-up" not in text
    assert answers[0].json().keys() == {
        "case_id",
        "visibility",
        "case_number",
        "level",
        "phase",
        "outcome",
    }
    assert [it.json()["items"] for it in answers[2:4]] == [[], []]
    assert [it.status_code for it in answers[4:]] == [403, 403]
    assert [it["visibility"] for it in lists[0]["items"]] == ["former"]
    assert lists[1]["items"] == []
