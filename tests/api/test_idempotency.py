"""One key, one effect, one answer: however often and from wherever it is sent."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from tests.api.desk import agreed, assert_problem, dispute, register
from tests.serving import EAST, Served

TIMES, CLIENTS = 100, 8


def answers_to(office: Served, keys: Callable[[], str]) -> list[httpx.Response]:
    """Register the same case many times from many clients at once."""
    token = office.token_for("clerk", EAST)

    def work(times: int) -> list[httpx.Response]:
        with office.client(token) as client:
            return [
                client.post("/cases", json=dispute(), headers={"Idempotency-Key": keys()})
                for _ in range(times)
            ]

    shares = [TIMES // CLIENTS + (at < TIMES % CLIENTS) for at in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        return [response for batch in pool.map(work, shares) for response in batch]


def assert_one_effect(responses: list[httpx.Response]) -> None:
    """All were answered alike, to the byte."""
    assert {it.status_code for it in responses} == {201}
    assert len({it.content for it in responses}) == 1, "the answers differ"
    assert len({it.headers["location"] for it in responses}) == 1


def test_a_hundred_repetitions_from_eight_clients_have_one_effect(office: Served):
    """One case, one number, and a hundred answers that are equal to the byte."""
    head = office.engine.log.head().position
    key = uuid4().hex

    assert_one_effect(answers_to(office, lambda: key))

    assert office.engine.log.head().position == head + 2


def test_the_search_for_a_second_effect_finds_it(office: Served):
    """With a new key each time the same check is red: every request registers a case."""
    with pytest.raises(AssertionError, match="the answers differ"):
        assert_one_effect(answers_to(office, lambda: uuid4().hex))


def test_a_key_is_not_used_for_another_request(office: Served):
    """422 for another body under a used key; the first answer still stands."""
    clerk, key = office.client_for("clerk", EAST), {"Idempotency-Key": uuid4().hex}
    first = clerk.post("/cases", json=dispute(), headers=key)

    other = clerk.post("/cases", json=dispute(request="另一个请求"), headers=key)

    assert_problem(other, 422, "key-reused")
    assert clerk.post("/cases", json=dispute(), headers=key).content == first.content


def test_a_repeated_command_is_answered_as_it_was_then(office: Served):
    """The same key gives the same answer also after the case has moved on."""
    clerk = office.client_for("clerk", EAST)
    case_id = register(clerk)["case_id"]
    path = f"/cases/{case_id}/commands/raise-flag"
    headers = {"Idempotency-Key": uuid4().hex, "If-Match": '"1"'}
    first = office.client_for("lead", EAST).post(path, json={"flag": "URGENT"}, headers=headers)
    assert first.status_code == 200, first.text
    agreed(clerk, case_id)

    again = office.client_for("lead", EAST).post(path, json={"flag": "URGENT"}, headers=headers)

    assert again.content == first.content
    assert again.headers["etag"] == first.headers["etag"]


def test_two_people_may_use_the_same_key(office: Served):
    """A key belongs to the actor: somebody else's is another request."""
    key = {"Idempotency-Key": uuid4().hex}
    mine, theirs = (
        office.client_for(role, EAST).post("/cases", json=dispute(), headers=key)
        for role in ("clerk", "lead")
    )

    assert mine.json()["case_id"] != theirs.json()["case_id"]
