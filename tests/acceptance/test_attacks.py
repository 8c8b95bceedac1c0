"""What an attacker tried, kept as tests: each was possible once and is not any more."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import pytest

from api.bootstrap import Engine, build
from mediation.case.intake import number_stream
from mediation.errors import NotFound, NotPermitted
from mediation.network.state import network_stream
from tests.acceptance.office import Office, Person, wage_claim, worker
from tests.serving import DISTRICT, DISTRICT_CODE, EAST, FACTORY, VILLAGE, WEST

NOW = "2026-03-02T09:00:00+08:00"


@pytest.fixture
def office(opened: Callable[[str], Office]) -> Office:
    """An ordinary morning."""
    return opened(NOW)


@pytest.fixture
def beside(office: Office) -> Iterator[Engine]:
    """A second process on the same store, as far as one process can be two."""
    engine = build(office.served.engine.settings, env=os.environ)
    yield engine
    engine.close()


def test_a_revoked_role_reads_nothing_through_another_process(
    office: Office, beside: Engine
) -> None:
    """What one process revoked, the other does not know from memory: it asks the log."""
    lead = office.person("lead", EAST)
    lead_id = office.served.accounts["lead", EAST]
    assert len(beside.mediation.grants_of(lead_id)) == 1

    office.person("coordinator", DISTRICT).network(
        "revoke-role", account_id=str(lead_id), role="lead", body_id=EAST
    )

    assert beside.mediation.grants_of(lead_id) == ()
    assert lead.client.get("/me").json()["grants"] == []


def test_the_id_of_another_kind_of_stream_is_no_case_and_no_account(office: Office) -> None:
    """Network, counter and account streams are not found as cases; a case is no account."""
    lead = office.person("lead", EAST)
    case = lead.register(**wage_claim(100))
    counter = number_stream(DISTRICT_CODE, EAST, 2026).id
    others = [str(network_stream(DISTRICT_CODE).id), str(counter), lead.account_id]

    for stream_id in others:
        assert lead.client.get(f"/cases/{stream_id}").status_code == 404
        assert lead.attempt(stream_id, "raise-flag", flag="URGENT").status_code == 404
    grants = office.person("coordinator", DISTRICT).client.post(
        "/network/commands/grant-role",
        json={"account_id": case, "role": "clerk", "body_id": EAST},
        headers={"Idempotency-Key": "g"},
    )
    assert grants.status_code == 404


@pytest.mark.parametrize(
    "when", ["0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-14:00", "1066-10-14T09:00:00Z"]
)
def test_a_time_outside_every_year_of_the_office_is_malformed(office: Office, when: str) -> None:
    """At the ends of the calendar nothing overflows."""
    lead = office.person("lead", EAST)

    answer = lead.client.post(
        "/cases", json=wage_claim(100, occurred_at=when), headers={"Idempotency-Key": "t"}
    )

    assert answer.status_code == 422
    assert answer.json()["type"].endswith(":time-out-of-range")


def test_only_the_districts_coordinator_sets_the_demo_clock(office: Office) -> None:
    """Who may do nothing else may not turn the clock either, and nobody into nowhere."""
    far = {"now": "9999-12-31T23:59:59Z"}
    lead = office.person("lead", EAST).client
    coordinator = office.person("coordinator", DISTRICT).client

    assert lead.put("/demo/clock", json={"now": "2026-03-03T01:00:00Z"}).status_code == 403
    assert coordinator.put("/demo/clock", json=far).status_code == 422
    assert coordinator.get("/me").status_code == 200


def _handed_over(office: Office) -> tuple[Person, str]:
    village = office.person("lead", VILLAGE)
    case = village.register(**wage_claim(100))
    village.do(
        case,
        "request-custody-move",
        kind="ESCALATE",
        to_body_id=WEST,
        ground="beyond-means",
        summary="请上级调解。",
    )
    return village, case


def test_a_former_body_cannot_count_what_happens_later(office: Office) -> None:
    """Versions before and after the present one are refused alike."""
    village, case = _handed_over(office)
    office.person("lead", WEST).do(case, "accept-custody")

    answers = {
        village.client.get(f"/cases/{case}", params={"version": at}).status_code
        for at in (1, 3, 99)
    }

    assert answers == {403}


def test_history_and_due_dates_are_shown_as_of_a_version(office: Office) -> None:
    """A question that is not understood is refused, never answered as if it had not been asked."""
    lead = office.person("lead", EAST)
    case = lead.register(**wage_claim(100))
    lead.do(case, "refuse-case", reason_code="wrong-place")

    def asked(path: str) -> list[str]:
        items = lead.client.get(f"/cases/{case}/{path}").json()["items"]
        return [item.get("topic", item.get("code")) for item in items]

    assert asked("history?version=1") == ["case.registered/1"]
    assert "D02" in asked("deadlines?version=1")
    assert asked("deadlines") == ["D05"]
    assert lead.client.get(f"/cases/{case}/history?at=yesterday").status_code == 422


def test_a_receiver_is_told_only_what_he_may_answer(office: Office) -> None:
    """Refused actions would tell him how the case stands."""
    _, case = _handed_over(office)

    shown = office.person("lead", WEST).client.get(f"/cases/{case}/actions").json()["items"]

    assert {item["command"] for item in shown} == {"accept-custody", "decline-custody"}


def test_nobody_grants_a_role_to_himself_or_takes_one_back_for_the_past(office: Office) -> None:
    """A coordinator cannot become a clerk for a minute to read without giving a reason."""
    coordinator = office.person("coordinator", DISTRICT)

    own = coordinator.client.post(
        "/network/commands/grant-role",
        json={"account_id": coordinator.account_id, "role": "clerk", "body_id": DISTRICT},
        headers={"Idempotency-Key": uuid4().hex},
    )
    past = coordinator.client.post(
        "/network/commands/revoke-role",
        json={
            "account_id": str(office.served.accounts["lead", EAST]),
            "role": "lead",
            "body_id": EAST,
            "until_on": "2016-01-01",
        },
        headers={"Idempotency-Key": uuid4().hex},
    )

    assert [it["code"] for it in own.json()["refusals"]] == ["own-account"]
    assert [it["code"] for it in past.json()["refusals"]] == ["revoked-in-the-past"]


def test_a_worker_is_never_a_company_in_clear(office: Office) -> None:
    """A name and a phone number typed into the wrong field are refused, not stored."""
    body = wage_claim(100) | {"applicants": [{"role": "WORKER", "company_name": "张三 139"}]}

    answer = office.person("clerk", EAST).client.post(
        "/cases", json=body, headers={"Idempotency-Key": "w"}
    )

    assert answer.status_code == 422
    assert {it["code"] for it in answer.json()["errors"]} == {"person-in-clear"}


def test_a_refused_access_is_recorded_once(office: Office) -> None:
    """However often the door looks again before it says no."""
    case = office.person("clerk", WEST).register(**wage_claim(100))
    stranger = office.person("lead", EAST)
    stranger.attempt(case, "raise-flag", flag="URGENT")

    records = office.person("auditor", DISTRICT).client.get(
        "/access-records", params={"case_id": case}
    )

    assert len(records.json()["items"]) == 1


def test_the_system_has_no_token(office: Office) -> None:
    """The account of the process itself can never come in over HTTP."""
    with pytest.raises(NotFound):
        office.served.engine.tokens.issue(UUID(int=0), label="x")


def test_clear_reading_follows_assignment(office: Office) -> None:
    """A mediator of the body reads in clear once he is assigned, not before."""
    lead, mediator = office.person("lead", FACTORY), office.person("mediator", FACTORY)
    case = lead.register(**wage_claim(100) | {"applicants": [worker("欧阳示例丙")]})
    before = mediator.client.get(f"/cases/{case}?personal=clear")
    assert before.status_code == 403
    assert before.json()["type"].endswith(NotPermitted.code)
