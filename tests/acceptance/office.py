"""The office as the acceptance stories see it: people with a role at a body, and HTTP only."""

from __future__ import annotations

from time import sleep
from typing import Any
from uuid import UUID, uuid4

import httpx

from tests.serving import Served


class Refusal(AssertionError):
    """The server said no where the story expected yes; shows its problem."""


class Person:
    """One account with one role at one body, in front of the HTTP API."""

    def __init__(self, office: Office, client: httpx.Client) -> None:
        self.office = office
        self.client = client

    @property
    def account_id(self) -> str:
        """The account behind the token."""
        return str(self.client.get("/me").json()["account_id"])

    def register(self, **body: Any) -> str:
        """Register a case and give its id."""
        answer = self._written(
            self.client.post("/cases", json=body, headers={"Idempotency-Key": uuid4().hex})
        )
        case_id = str(answer["case_id"])
        self.office.versions[case_id] = answer["version"]
        return case_id

    def attempt(
        self, case_id: str, command: str, *, key: str = "", version: int | None = None, **body: Any
    ) -> httpx.Response:
        """Send a command and give whatever the server says."""
        seen = self.office.versions.get(case_id, 1) if version is None else version
        headers = {"Idempotency-Key": key or uuid4().hex, "If-Match": f'"{seen}"'}
        response = self.client.post(
            f"/cases/{case_id}/commands/{command}", json=body, headers=headers
        )
        if response.is_success:
            self.office.versions[case_id] = self._written(response)["version"]
        return response

    def _written(self, response: httpx.Response) -> dict[str, Any]:
        answer = _accepted(response)
        self.office.position = response.headers["Position"]
        return answer

    def do(self, case_id: str, command: str, **body: Any) -> dict[str, Any]:
        """Send a command that the story expects to be carried out."""
        return _accepted(self.attempt(case_id, command, **body))

    def network(self, command: str, **body: Any) -> dict[str, Any]:
        """Send a command to the network or to an account."""
        return self._written(
            self.client.post(
                f"/network/commands/{command}", json=body, headers={"Idempotency-Key": uuid4().hex}
            )
        )

    def case(self, case_id: str, **query: Any) -> dict[str, Any]:
        """Read a case."""
        return _accepted(self.client.get(f"/cases/{case_id}", params=query))

    def history(self, case_id: str) -> list[dict[str, Any]]:
        """Read the events of a case."""
        items: list[dict[str, Any]] = _accepted(self.client.get(f"/cases/{case_id}/history"))[
            "items"
        ]
        return items

    def topics(self, case_id: str) -> list[str]:
        """Give the topics of a case's events without prefix and version, in order."""
        return [
            item["topic"].removeprefix("case.").partition("/")[0] for item in self.history(case_id)
        ]

    def lane(self, lane: str, **query: Any) -> list[dict[str, Any]]:
        """Read one lane of the worklist, not older than what was written last."""
        written = {"Min-Position": self.office.position} if self.office.position else {}
        for _ in range(5):
            response = self.client.get("/worklist", params={"lane": lane, **query}, headers=written)
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            sleep(float(response.headers["Retry-After"]))
        answer = _accepted(response)
        items: list[dict[str, Any]] = answer["items"]
        return items


class Office:
    """Everybody in one served district, and the version each case was last seen at."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.versions: dict[str, int] = {}
        self.position = ""

    def at(self, now: str) -> None:
        """Set the clock of the office."""
        self.served.set_clock(now)

    def hires(self, role: str, body_id: str, account_id: str) -> None:
        """Let an account opened in the story be asked for by role and body."""
        self.served.accounts = {**self.served.accounts, (role, body_id): UUID(account_id)}

    def person(self, role: str, body_id: str) -> Person:
        """Give the person who holds this role at this body."""
        return Person(self, self.served.client_for(role, body_id))


def worker(name: str, **more: Any) -> dict[str, Any]:
    """Type in a worker."""
    return {"role": "WORKER", "name": name, **more}


def company(name: str = "示例制衣有限公司") -> dict[str, Any]:
    """Type in an employer that is a company."""
    return {"role": "EMPLOYER", "company_name": name}


def wage_claim(*fen: int, **more: Any) -> dict[str, Any]:
    """Type in a wage dispute: one worker and one line for each amount."""
    return {
        "matter_kind": "DISPUTE",
        "channel": "walk-in",
        "applicants": [worker(f"示例职工{at}") for at, _ in enumerate(fen, start=1)],
        "respondents": [company()],
        "request": "请求支付拖欠的工资",
        "cause": "C13",
        "lines": [
            {"applicant": at, "cause": "C13", "claimed_fen": amount}
            for at, amount in enumerate(fen)
        ],
        **more,
    }


def _accepted(response: httpx.Response) -> dict[str, Any]:
    if not response.is_success:
        raise Refusal(f"{response.request.method} {response.request.url}: {response.text}")
    answer: dict[str, Any] = response.json()
    return answer
