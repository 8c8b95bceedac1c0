"""A grant widens only the sight of the cases that it sees itself (ADR 0030)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mediation import authority
from mediation.authority import scope
from mediation.reading import Reading
from tests.acceptance.office import Office, Person, everybody_agrees, wage_claim
from tests.serving import DISTRICT, EAST, FACTORY, VILLAGE, WEST

MORNING = "2026-03-02T09:00:00+08:00"
MONTH = {"from": "2026-03-01", "to": "2026-03-31"}


def grants(office: Office, who: tuple[str, str], role: str, body_id: str) -> None:
    """Grant somebody one more role."""
    account = office.person(*who).account_id
    coordinator = office.person("coordinator", DISTRICT)
    coordinator.network("grant-role", account_id=account, role=role, body_id=body_id)


def reports_up(person: Person, receiver: Person, case_id: str, to: str) -> None:
    """Pass a case on, upwards, since somebody's safety is at risk."""
    move = {"kind": "REPORT_UP", "to_body_id": to, "ground": "safety-risk", "summary": "请接收。"}
    person.do(case_id, "request-custody-move", **move)
    receiver.do(case_id, "accept-custody")


def village_case(office: Office) -> str:
    """Let a case of the village go up to the street, be worked on there, and go on up."""
    village, street = office.person("lead", VILLAGE), office.person("lead", EAST)
    case_id = village.register(**wage_claim(100))
    village.do(case_id, "raise-flag", flag="SAFETY")
    reports_up(village, street, case_id, EAST)
    street.do(case_id, "raise-flag", flag="CROSS_REGION")
    reports_up(street, office.person("lead", DISTRICT), case_id, DISTRICT)
    return case_id


def factory_case(office: Office) -> str:
    """Let a case of the enterprise go to the village, be worked on there, and come back."""
    factory, village = office.person("lead", FACTORY), office.person("lead", VILLAGE)
    case_id = factory.register(**wage_claim(100))
    factory.do(case_id, "raise-flag", flag="SAFETY")
    reports_up(factory, village, case_id, VILLAGE)
    village.do(case_id, "raise-flag", flag="CROSS_REGION")
    everybody_agrees(village, case_id)
    back = {"kind": "SEND_BACK", "to_body_id": FACTORY, "ground": "upper-help-given"}
    village.do(case_id, "request-custody-move", **back, summary="请继续办理。")
    factory.do(case_id, "accept-custody")
    return case_id


def seen_by(person: Person, case_id: str) -> dict[str, Any]:
    """Ask what somebody is shown of a case: its story, its source, its steps, its figures."""
    figures = person.client.get("/statistics", params={**MONTH, "within": FACTORY})
    lines = person.client.get(
        "/statistics/F01/lines", params={**MONTH, "within": FACTORY, "part": "registered"}
    )
    return {
        "topics": person.topics(case_id),
        "channel": person.case(case_id).get("channel"),
        "statuses": [
            person.client.get(f"/cases/{case_id}{url}").status_code
            for url in ("/replay", "/diff", "?version=5")
        ],
        "suppressed": figures.json().get("suppressed"),
        "lines": lines.status_code,
    }


def prove_no_later_event(office: Office) -> None:
    """Require that a former body reads no further with a grant that sees no case."""
    clerk, case_id = office.person("clerk", VILLAGE), village_case(office)
    before = clerk.topics(case_id)
    assert before[-1] == "reported-up"

    grants(office, ("clerk", VILLAGE), "dashboard", EAST)

    assert clerk.topics(case_id) == before


def prove_still_inside(office: Office) -> None:
    """Require that an enterprise's lead stays one with a grant of figures elsewhere."""
    lead, case_id = office.person("lead", FACTORY), factory_case(office)
    before = seen_by(lead, case_id)
    assert (before["channel"], before["suppressed"], before["lines"]) == (None, True, 403)
    assert before["statuses"] == [403, 403, 403]
    assert before["topics"].count("flagged") == 1, "nothing of what the village noted"

    grants(office, ("lead", FACTORY), "dashboard", WEST)
    assert seen_by(lead, case_id) == before
    grants(office, ("lead", FACTORY), "lead", WEST)
    assert seen_by(lead, case_id) == before, "the other street has no part in this case either"


PROOFS = [prove_no_later_event, prove_still_inside]


@pytest.mark.parametrize("proof", PROOFS)
def test_a_grant_that_does_not_see_a_case_shows_nothing_of_it(
    opened: Callable[[str], Office], proof: Callable[[Office], None]
) -> None:
    """Neither the events after a hand-over, nor what others recorded, nor who brought it up."""
    proof(opened(MORNING))


@pytest.mark.parametrize("proof", PROOFS)
def test_the_proof_goes_red_where_every_grant_counts(
    opened: Callable[[str], Office],
    proof: Callable[[Office], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A twin that asks every grant somebody holds, as an earlier draft did, shows more."""

    def every_grant(held: Any, view: Any, *, actor_id: Any, on: Any) -> tuple[Any, ...]:
        return tuple(grant for grant in held if grant.holds(on))

    monkeypatch.setattr(authority, "through", every_grant)
    monkeypatch.setattr(scope, "through", every_grant)
    with pytest.raises(AssertionError):
        proof(opened(MORNING))


def test_figures_of_an_enterprise_are_no_opener_for_a_grant_elsewhere(
    opened: Callable[[str], Office], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the other street lets him see stays open to him; the twin opens the enterprise's."""
    office = opened(MORNING)
    lead, case_id = office.person("lead", FACTORY), factory_case(office)
    grants(office, ("lead", FACTORY), "lead", WEST)
    there = {**MONTH, "within": WEST}

    assert lead.client.get("/statistics", params=there).json()["suppressed"] is False
    assert seen_by(lead, case_id)["suppressed"] is True
    monkeypatch.setattr(Reading, "scope_outside", lambda *_: None)
    assert seen_by(lead, case_id)["suppressed"] is False, "the proof has teeth"


def test_whoever_sees_the_case_from_outside_the_employer_sees_it_as_any_other(
    opened: Callable[[str], Office],
) -> None:
    """A lead of the enterprise who also serves the street above it reads by that office."""
    office = opened(MORNING)
    lead, case_id = office.person("lead", FACTORY), factory_case(office)

    grants(office, ("lead", FACTORY), "mediator", EAST)

    shown = seen_by(lead, case_id)
    assert shown["topics"] == office.person("lead", EAST).topics(case_id)
    assert (shown["channel"], shown["suppressed"]) == ("walk-in", False)
    assert shown["statuses"] == [200, 200, 200]


def test_a_list_of_dates_hides_proceedings_only_where_they_are_seen_from_inside(
    opened: Callable[[str], Office],
) -> None:
    """Whose proceeding it is no row says: of the enterprise's case none, of the street's all."""
    office = opened(MORNING)
    lead, street = office.person("lead", FACTORY), office.person("lead", WEST)
    cases = [lead.register(**wage_claim(100)), street.register(**wage_claim(100))]
    for person, case_id in zip((lead, street), cases, strict=True):
        person.do(
            case_id,
            "open-proceeding",
            forum="arbitration",
            forum_name="示例仲裁委员会",
            filed_by_ids=person.parties(case_id)[:1],
            source="document",
        )

    def listed() -> list[str]:
        page = office.caught_up(lead.client, "/deadlines", {"code": "D16", "limit": 100})
        return [it["case_id"] for it in page["items"]]

    assert listed() == []
    grants(office, ("lead", FACTORY), "dashboard", WEST)
    assert listed() == []
    grants(office, ("lead", FACTORY), "lead", WEST)
    assert listed() == cases[1:]
