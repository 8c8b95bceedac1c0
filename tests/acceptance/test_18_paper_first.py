"""Paper first: a case of a fortnight ago is typed in as it was, flaws and all, and put in order."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from tests.acceptance.office import Office, Person, codes_of, flaws_of, topic_of, wage_claim
from tests.serving import DISTRICT, EAST

TYPED_ON = "2026-05-20T10:00:00+08:00"
WAGES, PAID = 500_000, 510_000


def test_a_case_on_paper_is_typed_in_with_its_flaws_and_sealed_once_they_are_cured(
    opened: Callable[[str], Office],
) -> None:
    """Of 6 to 14 May, typed in on the 20th with the lead's key, no better than it was."""
    office = opened(TYPED_ON)
    clerk, lead = office.person("clerk", EAST), office.person("lead", EAST)
    mediator = office.person("mediator", EAST)

    case = _registered(office, lead)
    _accepted_and_heard(office, case)
    paper = _agreed_on_paper(office, case)

    assert lead.refused(case, "seal-agreement", **paper) == ["open-irregularity"]
    open_flaws = lead.case(case)["irregularities"]
    assert all(it["label"]["zh"] and it["label"]["en"] for it in open_flaws)
    host, notice = ({"event_id": it["event_id"], "code": it["code"]} for it in open_flaws)
    assert (host["code"], notice["code"]) == ("unassigned-host", "no-rights-notice")
    told: dict[str, Any] = {"cure": "notice-served", "explanation": "已逐一补告知。"}
    assert clerk.attempt(case, "cure-irregularity", **notice, **told).status_code == 403
    assert mediator.refused(case, "cure-irregularity", **notice, **told) == ["not-told-yet"]
    for party_id in mediator.parties(case):
        mediator.do(case, "serve-rights-notice", party_id=party_id, means="written")
    mediator.do(case, "cure-irregularity", **notice, **told)
    assert lead.refused(case, "seal-agreement", **paper) == ["open-irregularity"], "one is left"
    said = {"cure": "explained", "explanation": "当日调解员外出，由值班人员主持。"}
    mediator.do(case, "cure-irregularity", **host, **said)
    other = {"number": 1, "digest": "0" * 12}
    assert lead.refused(case, "seal-agreement", **other) == ["draft-superseded"]
    lead.do(case, "seal-agreement", **paper)

    (payment,) = clerk.case(case)["payments"]
    clerk.do(
        case,
        "record-performance",
        obligation_id=payment["obligation"]["obligation_id"],
        paid_fen=PAID,
        payment_means="cash",
        proof_kind="receipt",
        occurred_at="2026-05-14T16:00:00+08:00",
    )
    lead.do(case, "close-case")

    _assert_stored_as_it_was(office, case)
    _assert_one_text(mediator, case, paper)
    paid = lead.event(case, "obligation-performed")["fields"]
    assert (paid["applied_fen"], paid["surplus_fen"]) == (WAGES, 10_000)
    assert lead.case(case)["payments"][0]["surplus_fen"] == 10_000
    assert lead.event(case, "obligations-fully-performed")["fields"]["applied_fen"] == WAGES
    assert lead.case(case)["irregularities"] == []
    assert lead.event(case, "agreement-took-effect")["fields"]["effect_on"] == "2026-05-20"
    assert {it["role"] for it in lead.history(case)} == {"clerk", "lead", "mediator"}, (
        "nothing was set going by a date that was past when it was typed in"
    )


def test_typed_in_after_a_month_it_needs_two_keys_and_alarms_nobody(
    opened: Callable[[str], Office],
) -> None:
    """On 20 June lead and coordinator approve; the term was over long ago, so no party is told."""
    office = opened("2026-06-20T10:00:00+08:00")
    clerk, lead = office.person("clerk", EAST), office.person("lead", EAST)
    coordinator = office.person("coordinator", DISTRICT)
    claim = _claim()
    before = office.written()

    answer = clerk.attempt_to_open("register-case", **claim)
    assert codes_of(answer) == ["back-dating-needs-approval"]
    one_key = clerk.approved("register-case", claim, lead)
    other_key = clerk.approved("register-case", claim, coordinator)
    assert codes_of(one_key) == codes_of(other_key) == ["back-dating-needs-approval"]
    assert "区级统筹员" in one_key.json()["refusals"][0]["zh"]
    assert office.written() == before
    case = clerk.opened(clerk.approved("register-case", claim, lead, coordinator))

    registered = lead.event(case, "registered")
    assert registered["approved_by_ids"] == [lead.account_id, coordinator.account_id]
    assert registered["late_days"] == 45
    assert {due["code"]: due["past_when_decided"] for due in registered["due"]} == {
        "D01": True,
        "D02": True,
        "D13": True,
    }
    office.until(lambda: "statutory-term-lapsed" in lead.topics(case) or None)
    lapsed = lead.event(case, "statutory-term-lapsed")["fields"]
    assert (lapsed["to_tell_ids"], lapsed["past_when_entered"]) == ([], True)
    assert [it["case_id"] for it in lead.lane("overdue")] == [case], "it waits for the office"


def _claim() -> dict[str, Any]:
    return wage_claim(WAGES, channel="written", occurred_at="2026-05-06T09:00:00+08:00")


def _registered(office: Office, lead: Person) -> str:
    """Type in the application of 6 May; by then its three working days were over."""
    clerk = office.person("clerk", EAST)
    before = office.written()
    answer = clerk.attempt_to_open("register-case", **_claim())
    assert codes_of(answer) == ["back-dating-needs-approval"]
    assert office.written() == before
    case = clerk.opened(clerk.approved("register-case", _claim(), lead))
    decide_by = clerk.due(case)["D01"]
    assert (decide_by["due_on"], decide_by["past_when_decided"]) == ("2026-05-09", True)
    assert "补录时已过期" in decide_by["explain"]["zh"]
    assert clerk.due(case)["D02"]["past_when_decided"] is False
    for party_id in clerk.parties(case):
        clerk.late(
            case,
            "record-consent",
            lead,
            party_id=party_id,
            answer="AGREED",
            means="in-person",
            occurred_at="2026-05-06T15:00:00+08:00",
        )
    return case


def _accepted_and_heard(office: Office, case: str) -> None:
    """Accept, by the lead's own key; a session whose host nobody had assigned, without a notice."""
    clerk, lead = office.person("clerk", EAST), office.person("lead", EAST)
    mediator = office.person("mediator", EAST)
    lead.do(
        case,
        "accept-case",
        within_scope=True,
        within_district=True,
        occurred_at="2026-05-07T09:00:00+08:00",
    )
    clerk.late(
        case,
        "record-session",
        lead,
        mode="joint",
        attending_ids=clerk.parties(case),
        host_ids=[clerk.account_id],
        minutes="双方同意一次付清。",
        result="agreed",
        occurred_at="2026-05-12T14:00:00+08:00",
    )
    assert flaws_of(lead.event(case, "session-held")) == ["unassigned-host", "no-rights-notice"]
    chosen = mediator.account_id
    lead.do(
        case,
        "assign-mediators",
        mediator_ids=[chosen],
        lead_mediator_id=chosen,
        occurred_at="2026-05-13T09:00:00+08:00",
    )
    mediator.do(case, "confirm-assignment", occurred_at="2026-05-13T09:30:00+08:00")


def _agreed_on_paper(office: Office, case: str) -> dict[str, Any]:
    """Type in the agreement of 13 May and the signatures of the 14th; give the paper's footer."""
    lead, mediator = office.person("lead", EAST), office.person("mediator", EAST)
    (line,) = mediator.case(case)["lines"]
    mediator.do(
        case,
        "draft-agreement",
        bound_ids=mediator.parties(case),
        results=[{"line_id": line["line_id"], "result": "agreed"}],
        obligations=[{"line_id": line["line_id"], "agreed_fen": WAGES, "due_on": "2026-05-14"}],
        text="单位于五月十四日一次付清工资五千元。",
        occurred_at="2026-05-13T15:00:00+08:00",
    )
    lead.do(
        case,
        "check-legality",
        number=1,
        no_insurance_waiver=True,
        no_third_party_harm=True,
        is_voluntary=True,
        is_clear=True,
        occurred_at="2026-05-13T16:00:00+08:00",
    )
    paper = {"number": 1, "digest": mediator.case(case)["draft"]["digest"]}
    signers = [{"party_id": party_id} for party_id in mediator.parties(case)]
    for signer in (*signers, {"mediator_id": mediator.account_id}):
        signed_at = "2026-05-14T10:00:00+08:00"
        mediator.do(case, "sign-agreement", **paper, **signer, occurred_at=signed_at)
    return paper


def _assert_stored_as_it_was(office: Office, case: str) -> None:
    """Each event bears the day it happened, how late it came in, and whose key opened it."""
    lead = office.person("lead", EAST)
    key = (lead.account_id,)
    free: tuple[str, ...] = ()
    stored = [
        (topic_of(it), it["occurred_at"][:10], it["late_days"], tuple(it["approved_by_ids"]))
        for it in lead.history(case)
    ]
    assert stored == [
        ("registered", "2026-05-06", 14, key),
        *[("consent-recorded", "2026-05-06", 14, key)] * 2,
        ("accepted", "2026-05-07", 13, key),
        ("session-held", "2026-05-12", 8, key),
        ("mediators-assigned", "2026-05-13", 7, free),
        ("assignment-confirmed", "2026-05-13", 7, free),
        ("agreement-drafted", "2026-05-13", 7, free),
        ("agreement-legality-checked", "2026-05-13", 7, free),
        *[("agreement-signed", "2026-05-14", 6, free)] * 3,
        *[("rights-notice-served", "2026-05-20", 0, free)] * 2,
        *[("irregularity-cured", "2026-05-20", 0, free)] * 2,
        ("agreement-sealed", "2026-05-20", 0, free),
        ("agreement-took-effect", "2026-05-20", 0, free),
        ("mediation-concluded", "2026-05-20", 0, free),
        ("obligation-performed", "2026-05-14", 6, free),
        ("obligations-fully-performed", "2026-05-14", 6, free),
        ("closed", "2026-05-20", 0, free),
    ]
    assert {it["recorded_at"] for it in lead.history(case)} == {"2026-05-20T02:00:00Z"}


def _assert_one_text(mediator: Person, case: str, paper: dict[str, Any]) -> None:
    """What was printed, signed and sealed is one text, and its digest can be computed again."""
    digests = {
        it["fields"].get("footer_digest") or it["fields"]["digest"]
        for it in mediator.history(case)
        if topic_of(it) in ("agreement-drafted", "agreement-signed", "agreement-sealed")
    }
    assert digests == {paper["digest"]}
    drafted = mediator.event(case, "agreement-drafted")["fields"]
    shown = mediator.case(case, personal="clear")
    said = {it["field"]: it["text"] for it in shown["texts"] if "agreement-drafted" in it["topic"]}
    printed = {
        "format": "mediation/agreement/1",
        "case_number": shown["case_number"],
        "text": said["text"],
        "salt": said["salt"],
        **{name: drafted[name] for name in ("number", "instrument", "made_as", "seal_body_id")},
        **{name: drafted[name] for name in ("bound_ids", "results", "obligations")},
    }
    canonical = json.dumps(printed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert sha256(canonical.encode()).hexdigest() == paper["digest"]
