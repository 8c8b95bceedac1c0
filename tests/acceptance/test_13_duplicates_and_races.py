"""Duplicates and races: one event each, the loser is told where the case stands."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx

from tests.acceptance.office import Office, Person, accept, everybody_agrees, wage_claim
from tests.serving import EAST, VILLAGE, WEST

NOW = "2026-03-02T09:00:00+08:00"


def _ready_to_accept(office: Office) -> tuple[Person, str]:
    lead = office.person("lead", VILLAGE)
    case = lead.register(**wage_claim(500_000))
    everybody_agrees(lead, case)
    return lead, case


def test_an_acceptance_sent_again_with_its_key_is_one_acceptance(
    opened: Callable[[str], Office],
) -> None:
    """The client lost the answer and resends; it gets the same answer and nothing happens twice."""
    office = opened(NOW)
    lead, case = _ready_to_accept(office)
    key, version = uuid4().hex, office.versions[case]

    answers = [
        lead.attempt(
            case,
            "accept-case",
            key=key,
            version=version,
            within_scope=True,
            within_district=True,
        )
        for _ in range(3)
    ]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert answers[0].json() == answers[1].json() == answers[2].json()
    assert lead.topics(case).count("accepted") == 1
    assert lead.case(case)["acceptance_no"] == 1
    other = lead.attempt(case, "accept-case", key=key, within_scope=False, within_district=True)
    assert (other.status_code, other.json()["type"].rpartition(":")[2]) == (422, "key-reused")


def test_of_two_leads_who_accept_one_move_one_is_told_the_current_version(
    opened: Callable[[str], Office],
) -> None:
    """Custody moves once; the other lead learns the version at which the case now stands."""
    office = opened(NOW)
    lead, case = _ready_to_accept(office)
    accept(lead, case)
    lead.do(
        case,
        "request-custody-move",
        kind="ESCALATE",
        to_body_id=EAST,
        ground="beyond-means",
        summary="请上级调解。",
    )
    version = office.versions[case]
    receivers = [office.person("lead", EAST), office.person("coordinator", "district-union")]

    with ThreadPoolExecutor(2) as pool:
        answers: list[httpx.Response] = list(
            pool.map(lambda who: who.attempt(case, "accept-custody", version=version), receivers)
        )

    assert sorted(answer.status_code for answer in answers) == [200, 412]
    lost = next(answer for answer in answers if answer.status_code == 412)
    assert lost.json()["current_version"] == version + 1
    assert office.person("lead", EAST).case(case)["version"] == version + 1
    assert office.person("lead", EAST).topics(case).count("escalated") == 1


def test_two_registrations_of_one_body_at_once_get_two_numbers(
    opened: Callable[[str], Office],
) -> None:
    """Both are registered; no number is given twice and none is left out."""
    office = opened(NOW)
    people = [office.person(role, WEST) for role in ("lead", "clerk", "mediator")]

    with ThreadPoolExecutor(3) as pool:
        cases = list(pool.map(lambda who: who.register(**wage_claim(100)), people * 4))

    numbers = sorted(people[0].case(case)["case_number"] for case in cases)
    assert numbers == [f"WEST-STREET〔2026〕{at:04d}号" for at in range(1, 13)]
