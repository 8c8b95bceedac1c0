"""What a unit is called stands in clear for ever: it numbers no person and steers no terminal."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.desk import assert_problem, dispute, key, register, send
from tests.canary import find_in_bytes
from tests.paper import as_csv, open_case, settled
from tests.serving import DISTRICT, EAST, Served

NUMBERED = (
    "张三 13900001111 370102199001011234",
    "示例有限公司13900001111",
    "示例有限公司（１３９-0000 1111）",
    "370102 19900101 123X 示例有限公司",
)
STEERING = (
    "示例\x1b]0;x\x07有限公司",
    "示例\u202e有限公司",
    "示例\u2068有限公司",
    "示例\x9b有限公司",
    "示例\n公司",
)


def unit(name: str, **changes: Any) -> dict[str, Any]:
    """Type in a verified company."""
    return {"role": "EMPLOYER", "party_kind": "COMPANY", "company_name": name, **changes}


def one_form(office: Served, employer: dict[str, Any]) -> dict[str, Any]:
    """Type in a small case on one form."""
    return {
        "channel": "walk-in",
        "workers": [{"name": "示例甲", "claimed_fen": 1200}],
        "employer": employer,
        "cause": "C13",
        "request": "请求支付拖欠的工资",
        "consent_means": "attending",
        "instrument": "oral",
        "mediator_id": str(office.accounts["mediator", EAST]),
        "due_on": "2026-03-20",
    }


def every_way(office: Served, name: str) -> list[tuple[str, httpx.Response]]:
    """Type a unit in wherever one is typed in, and give where it is at fault and the answer."""
    lead = office.client_for("lead", EAST)
    case_id = register(lead)["case_id"]
    known = lead.get(f"/cases/{case_id}").json()
    firm = known["respondents"][0]["party_id"]
    opening = dispute(respondents=[unit(name)])
    registration = {
        "registration": opening,
        "mediator_ids": [str(office.accounts["mediator", EAST])],
    }
    found = [
        ("/respondents/0", lead.post("/cases", json=opening, headers=key())),
        (
            "/registration/respondents/0",
            lead.post("/cases/commands/register-and-accept", json=registration, headers=key()),
        ),
        (
            "/employer",
            lead.post(
                "/cases/commands/register-and-settle-small-case",
                json=one_form(office, unit(name)),
                headers=key(),
            ),
        ),
        ("/party", send(lead, case_id, "add-party", 1, side="respondent", party=unit(name))),
        ("/party", send(lead, case_id, "identify-party", 1, party_id=firm, party=unit(name))),
    ]
    assert lead.get(f"/cases/{case_id}").json()["version"] == 1
    return found


@pytest.mark.parametrize("name", NUMBERED)
def test_a_unit_is_not_called_by_the_number_of_a_person(office: Served, name: str):
    """Mobile or identity number, in whatever digits, wherever it is typed in: refused, no echo."""
    for place, answer in every_way(office, name):
        assert_problem(answer, 422, "malformed")
        assert answer.json()["errors"] == [
            {"pointer": f"{place}/company_name", "code": "person-in-clear"}
        ]
        assert not find_in_bytes(answer.content, (name, "13900001111", "370102199001011234"))


@pytest.mark.parametrize("name", STEERING)
def test_a_name_that_stands_in_clear_holds_nothing_but_writing(office: Served, name: str):
    """No control character, nor one that turns the direction of writing."""
    for pointer, answer in every_way(office, name):
        assert_problem(answer, 422, "malformed")
        assert answer.json()["errors"][0]["pointer"].startswith(pointer)
    coordinator = office.client_for("coordinator", DISTRICT)
    body = {
        "body_id": f"b{uuid4().hex[:8]}",
        "name_zh": "示例",
        "name_en": "Example",
        "level": "township",
        "kind": "street-union",
        "parent_id": DISTRICT,
        "number_prefix": "X",
    }
    for field in ("name_zh", "name_en", "number_prefix"):
        answer = coordinator.post(
            "/network/commands/open-service-point", json=body | {field: name}, headers=key()
        )
        assert_problem(answer, 422, "malformed")
        assert answer.json()["errors"][0]["pointer"] == f"/{field}"


def test_a_paper_ledger_brings_no_such_name_in(office: Served):
    """A row is refused by itself, whether it opens a case or settles one."""
    lead = office.client_for("lead", EAST)
    mediator = str(office.accounts["mediator", EAST])
    rows = [
        open_case(f"示例{uuid4().hex}", 单位="示例13900001111有限公司"),
        settled(f"示例{uuid4().hex}", 调解员=mediator, 单位="示例370102199001011234有限公司"),
        open_case(f"示例{uuid4().hex}", 单位="示例\u202e有限公司"),
        open_case(f"示例{uuid4().hex}"),
    ]

    told = lead.post("/imports", content=as_csv(rows), headers={"Content-Type": "text/csv"})

    assert [it["status"] for it in told.json()["rows"]] == ["malformed"] * 3 + ["recorded"]
    assert not find_in_bytes(told.content, ("13900001111", "370102199001011234"))


def test_what_is_sealed_may_say_whose_number_it_is(office: Served):
    """A shop that is known by its owner's phone so far is sealed; years and sums name nobody."""
    lead = office.client_for("lead", EAST)
    shop = register(lead, respondents=[unit("老王 13900001111", provisional=True)])["case_id"]
    firm = register(lead, respondents=[unit("示例2013（集团）有限公司第1203分店")])["case_id"]

    assert "13900001111" not in lead.get(f"/cases/{shop}").text
    (named,) = lead.get(f"/cases/{firm}").json()["respondents"]
    assert named["company_name"] == "示例2013（集团）有限公司第1203分店"


def people(*numbers: str | None) -> list[dict[str, Any]]:
    """Type in workers by their numbers of identity."""
    return [
        {"role": "WORKER", "name": "示例甲"} | ({"id_number": it} if it else {}) for it in numbers
    ]


def test_nobody_stands_on_a_side_twice(office: Served):
    """One number of identity is one person, however it is written; the second place is told."""
    lead = office.client_for("lead", EAST)
    number = "37010219900101123x"
    twice = people(None, number, None, "３７０１０２ 19900101 123X")

    for body in (dispute(applicants=twice), dispute(respondents=twice)):
        answer = lead.post("/cases", json=body, headers=key())
        assert_problem(answer, 422, "malformed")
        side = "applicants" if body["applicants"] is twice else "respondents"
        assert answer.json()["errors"] == [
            {"pointer": f"/{side}/3/id_number", "code": "same-person"}
        ]
        assert not find_in_bytes(answer.content, (number,))
    crowd = dispute(applicants=people(*[number] * 12))
    assert len(lead.post("/cases", json=crowd, headers=key()).json()["errors"]) == 11
    apart = people(None, number, None, "370102199001011242")
    case_id = register(lead, applicants=apart)["case_id"]
    assert lead.get(f"/cases/{case_id}").json()["workers"] == 4
