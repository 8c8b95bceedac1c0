"""What a person at a desk sends over HTTP, and what a problem has to look like; no test."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import httpx

from api.limits import SECURITY_HEADERS
from tests.canary import find_in_bytes

CANARIES = ("示例职工金丝雀甲乙丙", "13900001111222")
"""A name and a number that are typed in, and must never come back in an error."""


def dispute(**changes: Any) -> dict[str, Any]:
    """Type in a wage dispute of one worker."""
    return {
        "matter_kind": "DISPUTE",
        "channel": "walk-in",
        "applicants": [{"role": "WORKER", "name": CANARIES[0], "phone": CANARIES[1]}],
        "respondents": [
            {"role": "EMPLOYER", "party_kind": "COMPANY", "company_name": "示例制衣有限公司"}
        ],
        "request": "请求支付拖欠的工资",
        "cause": "C13",
        "lines": [{"applicant": 0, "cause": "C13", "claimed_fen": 1280000}],
        **changes,
    }


def key() -> dict[str, str]:
    """Give the header of a new action."""
    return {"Idempotency-Key": uuid4().hex}


def register(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    """Register a case and give the answer."""
    response = client.post("/cases", json=dispute(**changes), headers=key())
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


def send(
    client: httpx.Client, case_id: str, command: str, version: int, **body: Any
) -> httpx.Response:
    """Send a command on a case."""
    headers = {**key(), "If-Match": f'"{version}"'}
    return client.post(f"/cases/{case_id}/commands/{command}", json=body, headers=headers)


def agreed(client: httpx.Client, case_id: str) -> int:
    """Record that every party agreed, and give the version."""
    case = client.get(f"/cases/{case_id}").json()
    version = int(case["version"])
    for party in (*case["applicants"], *case["respondents"]):
        answer = send(
            client,
            case_id,
            "record-consent",
            version,
            party_id=party["party_id"],
            answer="AGREED",
            means="in-person",
        )
        assert answer.status_code == 200, answer.text
        version = answer.json()["version"]
    return version


def assert_problem(response: httpx.Response, status: int, code: str | None = None) -> None:
    """Hold an answer to the form of a problem that says what to do and repeats nothing personal."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    said = response.json()
    assert said["status"] == status
    if code is not None:
        assert said["type"] == f"urn:mediation:problem:{code}", response.text
    assert said["title"] in said["title_i18n"].values()
    assert re.search(r"[\u4e00-\u9fff]", said["detail_i18n"]["zh"])
    assert re.fullmatch(r"[ -~…]+", said["detail_i18n"]["en"])
    assert_guarded(response)
    assert_silent(response)


def assert_guarded(response: httpx.Response) -> None:
    """Every answer carries the security headers, and the server does not name itself."""
    for name, value in SECURITY_HEADERS.items():
        assert response.headers.get(name) == value, name
    assert "server" not in response.headers


def assert_silent(response: httpx.Response) -> None:
    """Nothing that was typed in comes back, neither in the body nor in a header."""
    spoken = response.content + "\n".join(response.headers.values()).encode()
    assert not find_in_bytes(spoken, CANARIES), "an answer repeats what was typed in"
