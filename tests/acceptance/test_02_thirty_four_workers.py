"""Thirty-four restaurant workers and about ¥200,000: legal aid, arbitration, court, paid in full.

The second seed story. That there was an arbitration first is an addition for the demo, and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

from tests.acceptance.office import Office, Person, company, topic_of, worker
from tests.serving import DISTRICT

MORNING = "2026-03-02T09:00:00+08:00"
WORKERS = 34
SHARES = (588_000,) * (WORKERS - 1) + (596_000,)
TOTAL = 20_000_000


def _registered(office: Office) -> tuple[Person, str]:
    clerk = office.person("clerk", DISTRICT)
    case = clerk.register(
        matter_kind="AID",
        channel="walk-in",
        applicants=[worker(f"示例职工{at}") for at in range(WORKERS)],
        respondents=[company("示例餐饮有限公司")],
        request="请求支付拖欠的工资。",
        cause="C13",
        lines=[
            {"applicant": at, "cause": "C13", "claimed_fen": fen} for at, fen in enumerate(SHARES)
        ],
    )
    return clerk, case


def test_thirty_four_workers_are_helped_through_arbitration_and_court(
    opened: Callable[[str], Office],
) -> None:
    """One matter of thirty-four people from the shut door to the last payment, and no mediation."""
    office = opened(MORNING)
    lead = office.person("lead", DISTRICT)

    clerk, case = _registered(office)
    registered = clerk.case(case)
    assert (registered["entry"], registered["level"]) == ("PARTY_DIRECT", "district")
    assert registered["workers"] == WORKERS
    assert registered["risk"] == "RED", "so many count as collective until the lead has decided"
    for flag in ("EMPLOYER_CLOSED", "WAGE_ARREARS"):
        lead.do(case, "raise-flag", flag=flag)
    lead.do(case, "confirm-collective")
    _report_urgently(office, clerk, case)
    lead.do(case, "grant-aid", criteria_code="wage-arrears")
    counsels = [_counsel(office, place) for place in ("first", "second")]
    assert office.person("counsel", "first").client.get(f"/cases/{case}").status_code == 404
    workers = [party["party_id"] for party in registered["applicants"]]
    for counsel, clients in zip(counsels, (workers[:17], workers[17:]), strict=True):
        lead.do(case, "appoint-counsel", counsel_id=counsel, for_ids=clients, firm="示例律师事务所")
    for counsel in counsels:
        chosen = {"mediator_ids": [counsel], "lead_mediator_id": counsel}
        assert lead.refused(case, "assign-mediators", **chosen) == ["counsel-never-mediates"]
    _go_to_arbitration_and_court(office, office.person("counsel", "first"), case, workers)
    office.at("2026-06-15T10:00:00+08:00")
    for payment in clerk.case(case)["payments"]:
        clerk.do(
            case,
            "record-performance",
            obligation_id=payment["obligation"]["obligation_id"],
            paid_fen=payment["obligation"]["agreed_fen"],
            payment_means="bank-transfer",
            proof_kind="bank-slip",
        )
    lead.do(case, "close-case")

    told = [(topic, len(list(items))) for topic, items in groupby(lead.topics(case))]
    assert told == [
        ("registered", 1),
        ("flagged", 2),
        ("collective-confirmed", 1),
        ("urgent-report-filed", 1),
        ("urgent-report-acknowledged", 2),
        ("aid-granted", 1),
        ("counsel-appointed", 2),
        ("proceeding-opened", 1),
        ("proceeding-updated", 1),
        ("proceeding-opened", 1),
        ("proceeding-updated", 1),
        ("obligations-set", 1),
        ("obligation-performed", WORKERS),
        ("obligations-fully-performed", 1),
        ("closed", 1),
    ]
    shown = lead.case(case)
    assert shown["flags"] == ["COLLECTIVE", "EMPLOYER_CLOSED", "WAGE_ARREARS"]
    assert (shown["risk"], shown["phase"]) == ("RED", "CLOSED")
    assert sorted(shown["counsel_ids"]) == sorted(counsels)
    assert (shown["acceptance_no"], shown["outcome"]) == (0, None), "aid is never mediated"
    assert (shown["level"], shown["former"]) == ("district", []), "and it climbed nothing"
    assert shown["irregularities"] == []
    assert shown["case_number"].endswith("0001号"), "thirty-four people, one number"
    assert lead.event(case, "aid-granted")["fields"]["collective"] is True
    assert lead.event(case, "obligations-fully-performed")["fields"]["applied_fen"] == TOTAL
    paid = [it["fields"]["applicant_id"] for it in _all(lead, case, "obligation-performed")]
    assert sorted(paid) == sorted(workers), "each of them, once"
    _assert_how_the_proceedings_went(lead, case)
    started = {due["code"] for item in lead.history(case) for due in item["due"]}
    assert started == {"D26", "D16", "D10", "D18"}, "no date of mediation ever started"
    _assert_the_figures(office)


def _assert_the_figures(office: Office) -> None:
    """One case with thirty-four people in F20, its money in F15 by the court, K as it was."""
    figures = office.person("coordinator", DISTRICT).figures("2026-03-01", "2026-06-30")
    aid = figures["F20"]
    assert (aid["parts"]["registered"], aid["workers"]["registered"]) == (1, WORKERS)
    assert (aid["parts"]["granted"], aid["parts"]["closed"], aid["value"]) == (1, 1, 0)
    assert aid["parts"]["results.arbitration.arbitral-award"] == 1
    assert aid["parts"]["results.court-first.court-mediation"] == 1
    recovered = figures["F15"]["parts"]
    assert (recovered["aid-litigation"], recovered["aid-arbitration"]) == (TOTAL, 0)
    assert figures["F15"]["value"] == 0, "legal aid stands apart"
    assert figures["F02"]["parts"]["concluded"] == 0, "K is unchanged"
    assert (figures["F23"]["parts"]["aid-cases"], figures["F23"]["value"]) == (1, 0)
    assert figures["F23"]["parts"]["aid-workers"] == WORKERS


def _report_urgently(office: Office, clerk: Person, case: str) -> None:
    office.at("2026-03-02T10:00:00+08:00")
    assert clerk.due(case)["D26"]["due_at"] == "2026-03-02T03:00:00Z", "two clock hours"
    clerk.do(
        case,
        "report-urgent",
        kind="first",
        addressees=[
            {"kind": "party-government", "name": "区政法委"},
            {"kind": "upper-union", "name": "区总工会", "body_id": DISTRICT},
        ],
        text="餐饮店停业，单位无法联系，三十四名职工到店讨薪。",
        headcount=WORKERS,
    )
    assert "D26" not in clerk.due(case)
    for minute, addressee in ((20, 1), (45, 0)):
        office.at(f"2026-03-02T10:{minute}:00+08:00")
        clerk.do(case, "acknowledge-urgent-report", report_no=1, addressee_no=addressee)
    signed = _all(clerk, case, "urgent-report-acknowledged")
    assert [(it["occurred_at"], it["fields"]["addressee_no"]) for it in signed] == [
        ("2026-03-02T02:20:00Z", 1),
        ("2026-03-02T02:45:00Z", 0),
    ]
    assert clerk.case(case)["reports"][0]["acknowledged"] == [0, 1]
    assert clerk.case(case)["custody_body_id"] == DISTRICT, "reporting is not climbing"


def _go_to_arbitration_and_court(
    office: Office, counsel: Person, case: str, workers: list[str]
) -> None:
    """Let a lawyer of the workers record what he brought before whom, and what came of it."""
    steps: tuple[tuple[str, str, str, str, str], ...] = (
        (
            "2026-03-05",
            "arbitration",
            "区劳动人事争议仲裁委员会",
            "demo-addition",
            "arbitral-award",
        ),
        ("2026-04-20", "court-first", "区人民法院", "published", "court-mediation"),
    )
    for filed_on, forum, name, source, result in steps:
        office.at(f"{filed_on}T09:00:00+08:00")
        counsel.do(
            case,
            "open-proceeding",
            forum=forum,
            forum_name=name,
            filed_by_ids=workers,
            source=source,
        )
        proceeding = counsel.case(case)["proceedings"][-1]["proceeding_id"]
        assert counsel.due(case)["D16"]["subject"] == proceeding
        counsel.do(
            case,
            "update-proceeding",
            proceeding_id=proceeding,
            step="decided",
            result=result,
            source=source,
        )
        assert "D16" not in counsel.due(case), "nothing is left to ask"
    office.at("2026-05-20T09:00:00+08:00")
    counsel.do(
        case,
        "set-obligations",
        source_document="court-mediation",
        proceeding_id=proceeding,
        obligations=[
            {"line_id": line["line_id"], "agreed_fen": line["claimed_fen"], "due_on": "2026-06-20"}
            for line in counsel.case(case)["lines"]
        ],
    )


def _assert_how_the_proceedings_went(lead: Person, case: str) -> None:
    arbitration, court = (it["fields"] for it in _all(lead, case, "proceeding-opened"))
    assert {it["role"] for it in _all(lead, case, "proceeding-opened")} == {"counsel"}
    assert (arbitration["forum"], arbitration["source"]) == ("arbitration", "demo-addition")
    assert (court["forum"], court["source"]) == ("court-first", "published")
    assert len(court["filed_by_ids"]) == WORKERS
    results = [it["fields"]["result"] for it in _all(lead, case, "proceeding-updated")]
    assert results == ["arbitral-award", "court-mediation"]
    ordered = lead.event(case, "obligations-set")["fields"]
    assert ordered["source_document"] == "court-mediation"
    assert ordered["proceeding_id"] == court["proceeding_id"]
    assert sum(it["agreed_fen"] for it in ordered["obligations"]) == TOTAL


def test_an_employer_of_the_aided_is_not_asked_and_the_matter_is_not_accepted_as_a_dispute(
    opened: Callable[[str], Office],
) -> None:
    """Whoever aids one side does not mediate between the two."""
    office = opened(MORNING)
    lead = office.person("lead", DISTRICT)
    _, case = _registered(office)
    employer = lead.parties(case)[-1]

    answer = {"party_id": employer, "answer": "AGREED", "means": "phone"}
    checked = {"within_scope": True, "within_district": True}
    assert lead.refused(case, "record-consent", **answer) == ["wrong-matter"]
    assert lead.refused(case, "accept-case", **checked) == ["wrong-matter"]


def _counsel(office: Office, place: str) -> str:
    """Open the account of a lawyer, to be asked for by this place, and give its id."""
    coordinator = office.person("coordinator", DISTRICT)
    account: str = coordinator.network("open-account", display_name="示例律师")["stream_id"]
    coordinator.network("grant-role", account_id=account, role="counsel", body_id=DISTRICT)
    office.hires("counsel", place, account)
    return account


def _all(person: Person, case: str, topic: str) -> list[dict[str, Any]]:
    return [it for it in person.history(case) if topic_of(it) == topic]
