"""The ladder and the two clocks: from an enterprise to the district in eleven days, one number."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from tests.acceptance.office import (
    Office,
    Person,
    accept,
    assign,
    everybody_agrees,
    everybody_is_told,
    flaws_of,
    sit,
    wage_claim,
)
from tests.serving import DISTRICT, EAST, FACTORY

INDUSTRY = "garment-industry"
NINE = "T09:00:00+08:00"
ROUTE = (
    (FACTORY, "2026-03-05", INDUSTRY, "2026-03-06"),
    (INDUSTRY, "2026-03-09", EAST, "2026-03-10"),
    (EAST, "2026-03-13", DISTRICT, "2026-03-13"),
)
"""Who asks whom, on which day, and when the case is taken."""


def test_a_case_climbs_to_the_district_and_no_move_resets_the_term(
    opened: Callable[[str], Office],
) -> None:
    """Each climb takes two sheets, frees the mediators and keeps the case accepted."""
    office = opened(f"2026-03-02{NINE}")

    case = _at_the_top(office, extension=True)

    top = office.person("lead", DISTRICT)
    shown = top.case(case)
    assert shown["level"] == "district"
    assert shown["case_number"] == "EAST-FACTORY〔2026〕0001号", "one number for life"
    assert shown["acceptance_no"] == 1
    assert shown["mediator_ids"] == [], "every climb frees the mediators"
    assert [former["body_id"] for former in shown["former"]] == [FACTORY, INDUSTRY, EAST]
    topics = top.topics(case)
    one_climb = ["custody-move-requested", *["transfer-sheet-recorded"] * 2, "escalated"]
    one_try = [
        "mediators-assigned",
        "assignment-confirmed",
        *["rights-notice-served"] * 2,
        "session-held",
    ]
    assert topics == [
        "registered",
        *["consent-recorded"] * 2,
        "accepted",
        *(one_try + one_climb) * 3,
    ]
    dues = [(due["code"], due["due_on"]) for item in top.history(case) for due in item["due"]]
    assert [day for code, day in dues if code == "D02"] == ["2026-03-17"], "it starts once"
    targets = [day for code, day in dues if code == "D13"]
    assert len(targets) == 4
    assert all(date.fromisoformat(day) <= date(2026, 3, 17) for day in targets)
    assert shown["irregularities"] == []
    assert top.due(case)["D02"]["due_on"] == "2026-03-17"


def test_a_term_that_nobody_extends_lapses_and_bars_no_signature(
    opened: Callable[[str], Office],
) -> None:
    """(a) At the first moment of 18 March it lapsed; both are to be told, and may still agree."""
    office = opened(f"2026-03-02{NINE}")
    case = _at_the_top(office, extension=False)
    lead, mediator = office.person("lead", DISTRICT), office.person("mediator", DISTRICT)
    assign(lead, mediator, case)
    everybody_is_told(mediator, case)
    office.at(f"2026-03-16{NINE}")
    sit(mediator, case, "agreed")
    paper = _drafted_and_checked(lead, mediator, case)

    office.at("2026-03-18T00:00:00+08:00")
    _wait_for(office, lead, case, "statutory-term-lapsed")

    lapsed = lead.event(case, "statutory-term-lapsed")
    assert lapsed["occurred_at"] == "2026-03-17T16:00:00Z", "midnight in Shanghai"
    assert lapsed["role"] == "system"
    assert lapsed["fields"]["to_tell_ids"] == lead.parties(case), "both are to be told"
    assert lapsed["fields"]["due_on"] == "2026-03-17"
    assert lapsed["fields"]["past_when_entered"] is False
    assert lapsed["fields"]["legal_effect"] is None, "it has left the committee"
    assert lead.case(case)["term_lapsed"] is True
    assert lead.case(case)["phase"] == "SIGNING", "it is to be dealt with, and bars nothing"

    office.at(f"2026-03-18{NINE}")
    sit(mediator, case, "agreed")
    assert flaws_of(lead.event(case, "session-held")) == ["after-term"]
    applicant, employer = lead.parties(case)
    for signer in ({"party_id": applicant}, {"party_id": employer}):
        mediator.do(case, "sign-agreement", **paper, **signer)
    mediator.do(case, "sign-agreement", **paper, mediator_id=mediator.account_id)
    signed = lead.event(case, "agreement-signed")
    assert (signed["fields"]["after_term"], flaws_of(signed)) == (True, [])
    assert lead.refused(case, "seal-agreement", **paper) == ["open-irregularity"]
    flaw = lead.case(case)["irregularities"][0]
    named = {"event_id": flaw["event_id"], "code": flaw["code"]}
    lead.do(case, "cure-irregularity", **named, cure="explained", explanation="双方到场自愿续谈。")
    lead.do(case, "seal-agreement", **paper)

    concluded = lead.event(case, "mediation-concluded")["fields"]
    assert (concluded["outcome"], concluded["within_term"]) == ("AGREED", False)
    assert lead.topics(case).count("statutory-term-lapsed") == 1
    assert lead.case(case)["case_number"] == "EAST-FACTORY〔2026〕0001号"
    _assert_one_case_on_every_day(office)


def _assert_one_case_on_every_day(office: Office) -> None:
    """F03 holds on each day at each level, the case lies at one of them, and counts once."""
    top = office.person("coordinator", DISTRICT)
    lay_at = {}
    for day in (date(2026, 3, 3) + timedelta(days=it) for it in range(16)):
        figures = top.figures(str(day), str(day))
        levels = figures["F03"]["levels"]
        assert all(level["balances"] for level in levels)
        assert figures["F03"]["value"] == sum(level["value"] for level in levels)
        lay_at[day] = [level["level"] for level in levels if level["value"]]
    begins = {levels[0]: day.day for day, levels in reversed(lay_at.items()) if levels}
    assert begins == {"enterprise": 3, "village-industry": 6, "township": 10, "district": 13}
    assert lay_at[date(2026, 3, 18)] == [], "concluded"
    figures = top.figures("2026-03-02", "2026-03-18")
    assert figures["F02"]["parts"]["accepted-new"] == 1, "one number is one case for life"
    assert figures["F02"]["parts"]["moved-in"] == figures["F02"]["parts"]["moved-out"] == 0
    assert (figures["F05"]["numerator"], figures["F05"]["denominator"]) == (0, 1), "past the term"
    first = top.figures("2026-03-02", "2026-03-18", body_id=FACTORY)["F02"]["parts"]
    assert (first["accepted-new"], first["concluded"], first["concluded-elsewhere"]) == (1, 0, 1)
    assert (first["moved-out"], first["closing"]) == (1, 0)
    absorbed = {it["level"]: it["value"] for it in figures["F09"]["levels"]}
    assert absorbed == {"enterprise": 0, "village-industry": 0, "township": 0, "district": 1}


def test_a_term_that_both_extend_on_their_sheets_does_not_lapse(
    opened: Callable[[str], Office],
) -> None:
    """(b) Their yes on the sheets makes a new end; the old one passes without a word."""
    office = opened(f"2026-03-02{NINE}")
    lead, mediator = office.person("lead", DISTRICT), office.person("mediator", DISTRICT)
    case = _at_the_top(office, extension=True)
    beside = office.person("clerk", EAST).register(
        **wage_claim(100, occurred_at=f"2026-03-12{NINE}")
    )
    assign(lead, mediator, case)
    everybody_is_told(mediator, case)

    mediator.do(case, "extend-term", **_extension(mediator, case))

    extended = mediator.event(case, "term-extended")
    assert extended["fields"]["earlier_due_on"] == "2026-03-17"
    assert (extended["fields"]["basis"], extended["fields"]["late"]) == ("transfer-sheet", False)
    due = mediator.due(case)
    assert due["D04"]["due_on"] == "2026-03-31"
    assert "D02" not in due
    office.at("2026-03-28T00:00:00+08:00")
    _wait_for(office, office.person("lead", EAST), beside, "statutory-term-lapsed")
    office.served.engine.timers.fire()
    assert "statutory-term-lapsed" not in lead.topics(case)
    sit(mediator, case, "agreed")
    assert flaws_of(mediator.event(case, "session-held")) == []
    assert lead.case(case)["irregularities"] == []


def test_what_lapses_at_an_enterprise_committee_counts_as_failed(
    opened: Callable[[str], Office],
) -> None:
    """By L-PROV 29, fifteen days after its acceptance; the statutory term before has no effect."""
    office = opened(f"2026-03-02{NINE}")
    cases = {}
    for body in (FACTORY, EAST):
        lead = office.person("lead", body)
        cases[body] = lead.register(**wage_claim(100))
        everybody_agrees(lead, cases[body])
    office.at(f"2026-03-04{NINE}")
    for body, case in cases.items():
        accept(office.person("lead", body), case)

    office.at("2026-03-18T00:00:00+08:00")
    for body, case in cases.items():
        lead = office.person("lead", body)
        _wait_for(office, lead, case, "statutory-term-lapsed")
        lapsed = lead.event(case, "statutory-term-lapsed")["fields"]
        assert (lapsed["term_code"], lapsed["legal_effect"]) == ("D02", None)
    office.at("2026-03-20T00:00:00+08:00")
    lead, case = office.person("lead", FACTORY), cases[FACTORY]
    office.until(lambda: lead.topics(case).count("statutory-term-lapsed") == 2 or None)

    deemed = lead.event(case, "statutory-term-lapsed")
    assert deemed["occurred_at"] == "2026-03-19T16:00:00Z"
    assert deemed["fields"]["term_code"] == "D03"
    assert deemed["fields"]["legal_effect"] == "deemed-failed"
    assert deemed["fields"]["interrupts_limitation"] is True
    assert lead.due(case)["D03"]["due_on"] == "2026-03-19", "listed until the mediation ends"
    lead = office.person("lead", EAST)
    assert lead.topics(cases[EAST]).count("statutory-term-lapsed") == 1


def test_an_extension_needs_the_word_of_both(opened: Callable[[str], Office]) -> None:
    """A sheet that says no is no basis, one that leaves the question open is a flaw to be cured."""
    office = opened(f"2026-03-02{NINE}")
    case = _at_the_top(office, extension=False)
    lead, mediator = office.person("lead", DISTRICT), office.person("mediator", DISTRICT)
    assign(lead, mediator, case)
    applicant, employer = mediator.parties(case)

    assert mediator.refused(case, "extend-term", **_extension(mediator, case)) == [
        "not-on-the-sheets"
    ]
    one = {"until_on": "2026-03-31", "agreed_ids": [applicant]}
    assert mediator.refused(case, "extend-term", **one) == ["not-agreed-by-all"]
    sooner = {"until_on": "2026-03-17", "agreed_ids": [applicant, employer]}
    assert mediator.refused(case, "extend-term", **sooner) == ["not-later"]
    assert lead.due(case)["D02"]["due_on"] == "2026-03-17"


def test_with_less_than_five_days_left_the_sheet_answers_the_extension(
    opened: Callable[[str], Office],
) -> None:
    """The question left open is stored as it is, as a flaw of that very sheet."""
    office = opened(f"2026-03-02{NINE}")
    lead = office.person("lead", EAST)
    case = lead.register(**wage_claim(100))
    office.at(f"2026-03-13{NINE}")
    _ask(lead, case, DISTRICT, ground="beyond-means")
    assert lead.case(case)["move"]["days_left"] == 4

    sheet = {"party_id": lead.parties(case)[0], "new_body": True, "disclosure": True}
    lead.do(case, "record-transfer-sheet", **sheet)
    assert flaws_of(lead.event(case, "transfer-sheet-recorded")) == ["extension-unanswered"]
    lead.do(case, "record-transfer-sheet", **sheet, extension=False)

    assert flaws_of(lead.event(case, "transfer-sheet-recorded")) == []


def _at_the_top(office: Office, *, extension: bool) -> str:
    """Bring the case from the enterprise to the district; the last sheets answer the extension."""
    _open_industry_body(office)
    first = office.person("lead", FACTORY)
    case = first.register(**wage_claim(1_860_000))
    everybody_agrees(first, case)
    office.at(f"2026-03-03{NINE}")
    accept(first, case)
    for body, asked_on, above, taken_on in ROUTE:
        office.at(f"{asked_on}T08:30:00+08:00")
        lead, mediator = office.person("lead", body), office.person("mediator", body)
        assign(lead, mediator, case)
        everybody_is_told(mediator, case)
        sit(mediator, case, "no-agreement", minutes="双方分歧较大。")
        office.at(f"{asked_on}T16:00:00+08:00")
        _ask(lead, case, above, ground="no-agreement")
        receiver = office.person("lead", above)
        assert [item["case_id"] for item in receiver.lane("incoming")] == [case]
        days_left = lead.case(case)["move"]["days_left"]
        assert days_left == (date(2026, 3, 17) - date.fromisoformat(asked_on)).days
        assert lead.case(case)["mediator_ids"] == [mediator.account_id]
        for party_id in lead.parties(case):
            sheet: dict[str, Any] = {"new_body": True, "disclosure": True}
            if body == EAST:
                sheet["extension"] = extension
            lead.do(case, "record-transfer-sheet", party_id=party_id, **sheet)
        office.at(f"{taken_on}T17:00:00+08:00")
        answer = receiver.do(case, "accept-custody")
        assert (answer["phase"], answer["custody_body_id"]) == ("ACCEPTED", above)
        released = receiver.event(case, "escalated")["fields"]["released_mediator_ids"]
        assert released == [mediator.account_id]
    return case


def _ask(lead: Person, case: str, above: str, *, ground: str) -> None:
    lead.do(
        case,
        "request-custody-move",
        kind="ESCALATE",
        to_body_id=above,
        ground=ground,
        summary="本级调解未能达成一致。",
    )


def _extension(person: Person, case: str) -> dict[str, Any]:
    return {
        "until_on": "2026-03-31",
        "agreed_ids": person.parties(case),
        "basis": "transfer-sheet",
    }


def _drafted_and_checked(lead: Person, mediator: Person, case: str) -> dict[str, Any]:
    """Draft the agreement and have it checked; give what stands in the footer of the paper."""
    (line,) = mediator.case(case)["lines"]
    mediator.do(
        case,
        "draft-agreement",
        bound_ids=mediator.parties(case),
        results=[{"line_id": line["line_id"], "result": "agreed"}],
        obligations=[
            {"line_id": line["line_id"], "agreed_fen": 1_500_000, "due_on": "2026-03-31"},
        ],
        text="单位于三月底前一次付清。",
    )
    draft = mediator.case(case)["draft"]
    lead.do(
        case,
        "check-legality",
        number=draft["number"],
        no_insurance_waiver=True,
        no_third_party_harm=True,
        is_voluntary=True,
        is_clear=True,
    )
    return {"number": draft["number"], "digest": draft["digest"][:12]}


def _wait_for(office: Office, person: Person, case: str, topic: str) -> None:
    """Wait until the serving process has recorded something by itself."""
    office.until(lambda: topic in person.topics(case) or None)
    office.versions[case] = person.case(case)["version"]


def _open_industry_body(office: Office) -> None:
    """Open the body of the garment industry, with a lead and a mediator, over HTTP."""
    coordinator = office.person("coordinator", DISTRICT)
    coordinator.network(
        "open-service-point",
        body_id=INDUSTRY,
        name_zh="示例区服装行业工会联合会",
        name_en="Sample garment industry union",
        level="village-industry",
        branch="industry",
        kind="industry-union",
        parent_id=EAST,
        number_prefix="示服",
        opened_on="2016-01-01",
    )
    for role in ("lead", "mediator"):
        account = coordinator.network("open-account", display_name=f"示例{role}")["stream_id"]
        coordinator.network("grant-role", account_id=account, role=role, body_id=INDUSTRY)
        if role == "mediator":
            coordinator.network("appoint-mediator", mediator_id=account, body_id=INDUSTRY)
        office.hires(role, INDUSTRY, account)
