"""Whatever is wrong with a request: it says what to do, writes nothing and repeats nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from tests.api.desk import (
    CANARIES,
    assert_problem,
    assert_silent,
    dispute,
    key,
    register,
    send,
)
from tests.serving import DISTRICT, EAST, Served

JSON = {"Content-Type": "application/json"}
DEEP = b'{"applicants": ' + b"[" * 100 + b"]" * 100 + b"}"


def typed(**changes: Any) -> bytes:
    """Type in a dispute, with what is wrong about it."""
    return json.dumps(dispute(**changes), ensure_ascii=False).encode()


BODIES = {
    "unknown field": (typed(nickname=CANARIES[0]), 422, "malformed"),
    "unknown field of a party": (
        typed(applicants=[{"role": "WORKER", "name": "甲", CANARIES[0]: 1}]),
        422,
        "malformed",
    ),
    "wrong type": (typed(request=13900001111222), 422, "malformed"),
    "wrong type of a number": (typed(lines=CANARIES[0]), 422, "malformed"),
    "missing field": (b"{}", 422, "malformed"),
    "a list": (b"[]", 422, "malformed"),
    "nothing": (b"", 400, "not-json"),
    "half of it": (typed()[:-20], 400, "not-json"),
    "two documents": (typed() * 2, 400, "not-json"),
    "broken UTF-8": (typed(request="张").replace("张".encode(), b"\xff\xfe"), 400, "not-json"),
    "a NUL": (typed(request="甲\x00" + CANARIES[0]), 422, "nul-character"),
    "half of a surrogate pair": (
        typed(request="REPLACE").replace(b"REPLACE", rb"\ud800" + CANARIES[1].encode()),
        400,
        "not-json",
    ),
    "blank text": (typed(request="  "), 422, "malformed"),
    "long text": (typed(request=CANARIES[0] * 500), 422, "malformed"),
    "depth 100": (DEEP, 400, "too-deep"),
    "two megabytes": (typed(request=CANARIES[0] * 2**16), 413, "too-large"),
    "a huge number": (typed().replace(b"1280000", b"9" * 5000), 422, "malformed"),
    "a fraction of a fen": (typed().replace(b"1280000", b"12800.5"), 422, "malformed"),
    "less than nothing": (typed().replace(b"1280000", b"-1"), 422, "malformed"),
    "unknown code": (typed(channel=CANARIES[0]), 422, "malformed"),
    "unknown body": (typed(body_id="no-such-body"), 404, "body-unknown"),
    "a time without zone": (typed(occurred_at="2026-03-02T09:00:00"), 422, "naive-time"),
    "a time in the future": (
        typed(occurred_at="2099-01-01T00:00:00+08:00"),
        422,
        "future-time",
    ),
    "a time too long ago": (
        typed(occurred_at="2020-01-01T00:00:00+08:00"),
        409,
        "not-allowed-now",
    ),
}


@pytest.fixture
def unchanged(office: Served) -> Iterator[None]:
    """Nothing that the test does is written."""
    before = office.engine.log.head().position
    yield
    assert office.engine.log.head().position == before


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("what", BODIES)
def test_a_bad_body_writes_nothing_and_is_not_repeated(office: Served, what: str):
    """Each kind of bad body has its status and code, and the log stays where it was."""
    body, status, code = BODIES[what]
    # A coordinator may register anywhere, so that an unknown body is asked for at all.
    client = office.client_for("coordinator", DISTRICT)

    response = client.post("/cases", content=body, headers={**key(), **JSON})

    assert_problem(response, status, code)


@pytest.mark.usefixtures("unchanged")
def test_a_fault_in_a_body_is_pointed_at(office: Served):
    """`errors` names the place by JSON pointer and a code, never the value."""
    body = typed(applicants=[{"role": "WORKER", "name": 5}])
    client = office.client_for("clerk", EAST)

    said = client.post("/cases", content=body, headers={**key(), **JSON}).json()

    assert said["errors"] == [{"pointer": "/applicants/0/name", "code": "wrong-type"}]


@pytest.mark.usefixtures("unchanged")
def test_each_time_in_the_future_is_pointed_at(office: Served):
    """Also where it stands inside a form."""
    client = office.client_for("lead", EAST)
    to_come = "2099-01-01T00:00:00+08:00"
    body = {"registration": dispute(occurred_at=to_come), "mediator_ids": [str(uuid4())]}
    place = "/registration/occurred_at"

    for more, pointers in (({}, [place]), ({"occurred_at": to_come}, ["/occurred_at", place])):
        said = client.post(
            "/cases/commands/register-and-accept", json=body | more, headers=key()
        ).json()
        assert [it["pointer"] for it in said["errors"]] == pointers


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("level", "status"), [("no-such-level", 409), ("示例职工金丝雀甲乙丙", 409)]
)
def test_an_unknown_level_is_refused(office: Served, level: str, status: int):
    """A body is opened only on a level of the ladder."""
    response = office.client_for("coordinator", DISTRICT).post(
        "/network/commands/open-service-point",
        json={
            "body_id": "somewhere",
            "name_zh": "某处",
            "name_en": "Somewhere",
            "level": level,
            "kind": "street-union",
            "parent_id": DISTRICT,
            "number_prefix": "SW",
        },
        headers=key(),
    )

    assert_problem(response, status, "refused")
    assert [it["code"] for it in response.json()["refusals"]] == ["level-unknown"]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("day", ["0001-01-01", "1949-12-31", "2200-01-01", "9999-12-31"])
def test_a_day_that_nobody_can_count_from_is_refused(office: Served, day: str):
    """422 wherever it stands in a form, before any term is counted from it."""
    form = {
        "channel": "walk-in",
        "workers": [{"name": CANARIES[0], "claimed_fen": 120000}],
        "employer": {
            "role": "EMPLOYER",
            "party_kind": "COMPANY",
            "company_name": "示例制衣有限公司",
        },
        "cause": "C13",
        "request": "请求支付拖欠的工资",
        "consent_means": "attending",
        "instrument": "undertaking",
        "due_on": day,
    }
    lead = office.client_for("lead", EAST)

    response = lead.post("/cases/commands/register-and-settle-small-case", json=form, headers=key())

    assert_problem(response, 422, "time-out-of-range")


HEADERS = {
    "no content type": ({"Content-Type": ""}, 415, "wrong-content-type"),
    "a form": ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "wrong-content-type"),
    "another charset": (
        {"Content-Type": "application/json; charset=gb18030"},
        415,
        "wrong-content-type",
    ),
    "compressed": ({**JSON, "Content-Encoding": "gzip"}, 415, "content-encoding"),
    "a blank in the key": ({**JSON, "Idempotency-Key": "a b"}, 400, "idempotency-key-invalid"),
    "a long key": ({**JSON, "Idempotency-Key": "k" * 129}, 400, "idempotency-key-invalid"),
}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("what", HEADERS)
def test_a_bad_header_writes_nothing(office: Served, what: str):
    """Each kind of bad header has its status and code."""
    headers, status, code = HEADERS[what]

    response = office.client_for("clerk", EAST).post(
        "/cases", content=typed(), headers={**key(), **headers}
    )

    assert_problem(response, status, code)


def test_missing_preconditions_are_asked_for(office: Served):
    """428 for a missing key and, on a case, for a missing version; 400 for one that is none."""
    clerk = office.client_for("clerk", EAST)
    case_id = register(clerk)["case_id"]
    path, body = f"/cases/{case_id}/commands/raise-flag", {"flag": "URGENT"}
    head = office.engine.log.head().position

    no_key = clerk.post("/cases", json=dispute())
    no_version = clerk.post(path, json=body, headers=key())
    weak = clerk.post(path, json=body, headers={**key(), "If-Match": 'W/"1"'})
    anything = clerk.post(path, json=body, headers={**key(), "If-Match": "*"})

    assert_problem(no_key, 428, "idempotency-key-missing")
    assert_problem(no_version, 428, "if-match-missing")
    assert_problem(weak, 400, "if-match-invalid")
    assert_problem(anything, 400, "if-match-invalid")
    assert office.engine.log.head().position == head


def test_a_party_of_another_case_is_no_party_here(office: Served):
    """An id that exists elsewhere is malformed here; nothing tells where it belongs."""
    clerk = office.client_for("clerk", EAST)
    first, second = (register(clerk)["case_id"] for _ in range(2))
    foreign = clerk.get(f"/cases/{first}").json()["applicants"][0]["party_id"]

    response = send(clerk, second, "ask-consent", 1, party_id=foreign, means="phone")

    assert_problem(response, 422, "unknown-party")
    assert foreign not in response.text


@pytest.mark.parametrize(
    "query",
    [
        "/cases?limit=0",
        "/cases?limit=101",
        "/cases?limit=x",
        "/cases?phase=NO_PHASE",
        "/cases?level=no-such-level",
        "/cases?nickname=示例职工金丝雀甲乙丙",
        "/cases?示例职工金丝雀甲乙丙=1",
        "/worklist?lane=no-such-lane",
        "/worklist?assigned_to=13900001111222",
        "/worklist/mine?limit=0",
        "/worklist/mine?account_id=13900001111222",
        "/deadlines?code=13900001111222",
        "/deadlines?kind=never",
        "/deadlines?until=13900001111222",
        "/deadlines?level=no-such-level",
        "/notices?limit=101",
        "/access-records?case_id=13900001111222",
    ],
)
def test_a_bad_query_is_pointed_at_and_not_repeated(office: Served, query: str):
    """422 with the place of the fault; a name that is no parameter of ours is not told either."""
    response = office.client_for("auditor", DISTRICT).get(query)

    assert_problem(response, 422)
    assert response.json()["errors"]


class Person(BaseModel):
    phone: int


def test_the_search_for_what_is_repeated_finds_it():
    """An application that answers as FastAPI does by default is found to repeat what was sent."""
    chatty = FastAPI()

    @chatty.post("/people")
    def add(person: Person) -> None:
        pass

    assert_silent(spoken(chatty, "/people", {"phone": 1}))
    with pytest.raises(AssertionError, match="repeats what was typed in"):
        assert_silent(spoken(chatty, "/people", {"phone": CANARIES[0]}))


def spoken(app: FastAPI, path: str, body: dict[str, Any]) -> httpx.Response:
    """Ask an application without a server."""
    from anyio import run  # noqa: PLC0415 - only this twin is asked without a server

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://twin") as client:
            return await client.post(path, json=body)

    return run(ask)
