"""The office as the acceptance stories see it: people with a role at a body, and HTTP only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import monotonic, sleep
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx

from tests.serving import Served

T = TypeVar("T")
_PATIENCE = 30.0
"""Seconds a story waits for what the serving process does by itself."""


class Refusal(AssertionError):
    """The server said no where the story expected yes; shows its problem."""


class Person:
    """One account with one role at one body, in front of the HTTP API."""

    def __init__(self, office: Office, client: httpx.Client, account_id: str) -> None:
        self.office = office
        self.client = client
        self.account_id = account_id

    def register(self, **body: Any) -> str:
        """Register a case and give its id."""
        return self.opened(self._post("/cases", body))

    def opens(self, command: str, **body: Any) -> str:
        """Send a composite that registers a case and goes on, and give the id of the case."""
        return self.opened(self.attempt_to_open(command, **body))

    def attempt_to_open(
        self, command: str, *, dry_run: bool = False, **body: Any
    ) -> httpx.Response:
        """Send a composite that registers a case and give whatever the server says."""
        rehearsed = "?dry_run=true" if dry_run else ""
        return self._post(f"{_opening(command)}{rehearsed}", body)

    def attempt(
        self,
        case_id: str,
        command: str,
        *,
        key: str = "",
        version: int | None = None,
        approvals: Sequence[str] = (),
        **body: Any,
    ) -> httpx.Response:
        """Send a command and give whatever the server says."""
        seen = self.office.versions.get(case_id, 1) if version is None else version
        headers = {"If-Match": f'"{seen}"'}
        url = f"/cases/{case_id}/commands/{command}"
        response = self._post(url, body, key=key, approvals=approvals, headers=headers)
        if response.is_success:
            self.office.versions[case_id] = self._written(response)["version"]
        return response

    def do(self, case_id: str, command: str, **body: Any) -> dict[str, Any]:
        """Send a command that the story expects to be carried out."""
        return _accepted(self.attempt(case_id, command, **body))

    def refused(self, case_id: str, command: str, **body: Any) -> list[str]:
        """Send a command that a rule is to refuse, and give the codes of what refused it."""
        response = self.attempt(case_id, command, **body)
        assert response.status_code == httpx.codes.CONFLICT, response.text
        return codes_of(response)

    def approval_of(
        self, actor: Person, key: str, command: str, body: Mapping[str, Any], case_id: str | None
    ) -> httpx.Response:
        """Ask for the approval of a late entry that somebody else is going to submit."""
        asked = {
            "actor_id": actor.account_id,
            "idempotency_key": key,
            "command": command,
            "case_id": case_id,
            "body": body,
        }
        return self.client.post("/approvals", json=asked)

    def late(self, case_id: str, command: str, *approvers: Person, **body: Any) -> dict[str, Any]:
        """Type in something of long ago, with the keys that others draw for exactly this."""
        key, drawn = self._keys(command, body, approvers, case_id)
        return _accepted(self.attempt(case_id, command, key=key, approvals=drawn, **body))

    def approved(self, command: str, body: Mapping[str, Any], *approvers: Person) -> httpx.Response:
        """Open a case of long ago with the keys of others; give whatever the server says."""
        key, drawn = self._keys(command, body, approvers, None)
        return self._post(_opening(command), body, key=key, approvals=drawn)

    def _keys(
        self,
        command: str,
        body: Mapping[str, Any],
        approvers: Sequence[Person],
        case_id: str | None,
    ) -> tuple[str, list[str]]:
        key = uuid4().hex
        answers = [it.approval_of(self, key, command, body, case_id) for it in approvers]
        return key, [str(_accepted(answer)["approval"]) for answer in answers]

    def network(self, command: str, **body: Any) -> dict[str, Any]:
        """Send a command to the network or to an account."""
        return self._written(self._post(f"/network/commands/{command}", body))

    def case(self, case_id: str, **query: Any) -> dict[str, Any]:
        """Read a case."""
        return _accepted(self.client.get(f"/cases/{case_id}", params=query))

    def parties(self, case_id: str) -> list[str]:
        """Give the ids of all parties: applicants, then respondents."""
        return [it["party_id"] for it in parties_of(self.case(case_id))]

    def history(self, case_id: str) -> list[dict[str, Any]]:
        """Read the events of a case."""
        items: list[dict[str, Any]] = _accepted(self.client.get(f"/cases/{case_id}/history"))[
            "items"
        ]
        return items

    def topics(self, case_id: str) -> list[str]:
        """Give the topics of a case's events without prefix and version, in order."""
        return [topic_of(item) for item in self.history(case_id)]

    def event(self, case_id: str, topic: str) -> dict[str, Any]:
        """Give the latest event of a topic."""
        return next(it for it in reversed(self.history(case_id)) if topic_of(it) == topic)

    def due(self, case_id: str) -> dict[str, dict[str, Any]]:
        """Read the open due dates of a case, by code; of several of a kind the first."""
        items = _accepted(self.client.get(f"/cases/{case_id}/deadlines"))["items"]
        return {item["code"]: item for item in reversed(items)}

    def figures(self, first: str, last: str, **filters: Any) -> dict[str, dict[str, Any]]:
        """Read the figures of these days by formula; the parts of each are values by key."""
        query = {"from": first, "to": last, **filters}
        told = self.office.caught_up(self.client, "/statistics", query)["figures"]
        for it in told:
            assert it["balances"] in (True, None), f"{it['formula']} does not balance"
            it["workers"] = {part["key"]: part["workers"] for part in it["parts"]}
            it["parts"] = {part["key"]: part["value"] for part in it["parts"]}
        return {it["formula"]: it for it in told}

    def lane(self, lane: str, **query: Any) -> list[dict[str, Any]]:
        """Read one lane of the worklist, not older than what was written last."""
        answer = self.office.caught_up(self.client, "/worklist", {"lane": lane, **query})
        items: list[dict[str, Any]] = answer["items"]
        return items

    def _post(
        self,
        url: str,
        body: Mapping[str, Any],
        *,
        key: str = "",
        approvals: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        sent = {"Idempotency-Key": key or uuid4().hex, **(headers or {})}
        if approvals:
            sent["Approval"] = ", ".join(approvals)
        return self.client.post(url, json=body, headers=sent)

    def opened(self, response: httpx.Response) -> str:
        """Give the id of the case that this answer says was registered."""
        answer = self._written(response)
        case_id = str(answer["case_id"])
        self.office.versions[case_id] = answer["version"]
        return case_id

    def _written(self, response: httpx.Response) -> dict[str, Any]:
        answer = _accepted(response)
        self.office.position = response.headers["Position"]
        return answer


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
        account_id = str(self.served.accounts[role, body_id])
        return Person(self, self.served.client_for(role, body_id), account_id)

    def written(self) -> int:
        """Give the position of the log: how many events have been written."""
        with self.served.client() as anybody:
            return int(anybody.get("/livez").headers["Position"])

    def until(self, happened: Callable[[], T | None]) -> T:
        """Look again and again, within bounds, for what the serving process does by itself."""
        ends_at = monotonic() + _PATIENCE
        while (found := happened()) is None:
            assert monotonic() < ends_at, "it did not happen"
            sleep(0.02)
        return found

    def caught_up(self, client: httpx.Client, url: str, query: Mapping[str, Any]) -> dict[str, Any]:
        """Ask a read model, which may say that it is behind and when to come back."""
        written = {"Min-Position": self.position} if self.position else {}

        def answered() -> httpx.Response | None:
            response = client.get(url, params=query, headers=written)
            return None if response.status_code == httpx.codes.SERVICE_UNAVAILABLE else response

        return _accepted(self.until(answered))


def everybody_agrees(person: Person, case_id: str, *, means: str = "in-person") -> None:
    """Record that each party agrees to mediation at the present body."""
    for party_id in person.parties(case_id):
        person.do(case_id, "record-consent", party_id=party_id, answer="AGREED", means=means)


def accept(lead: Person, case_id: str, **more: Any) -> dict[str, Any]:
    """Accept a case."""
    return lead.do(case_id, "accept-case", within_scope=True, within_district=True, **more)


def assign(lead: Person, mediator: Person, case_id: str) -> str:
    """Assign a mediator, who confirms; give his id."""
    chosen = mediator.account_id
    lead.do(case_id, "assign-mediators", mediator_ids=[chosen], lead_mediator_id=chosen)
    mediator.do(case_id, "confirm-assignment")
    return chosen


def everybody_is_told(person: Person, case_id: str, *, means: str = "in-person") -> None:
    """Tell each party its rights."""
    for party_id in person.parties(case_id):
        person.do(case_id, "serve-rights-notice", party_id=party_id, means=means)


def sit(mediator: Person, case_id: str, result: str, **more: Any) -> dict[str, Any]:
    """Hold a joint session that the mediator hosts and everybody attends."""
    held: dict[str, Any] = {
        "mode": "joint",
        "attending_ids": mediator.parties(case_id),
        "host_ids": [mediator.account_id],
        "minutes": "双方到场，陈述意见。",
        "result": result,
    }
    return mediator.do(case_id, "record-session", **(held | more))


def parties_of(shown: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the parties of a case as it was read: applicants, then respondents."""
    return [*shown["applicants"], *shown["respondents"]]


def topic_of(item: Mapping[str, Any]) -> str:
    """Give the topic of an event of a case without prefix and version."""
    return str(item["topic"]).removeprefix("case.").partition("/")[0]


def flaws_of(item: Mapping[str, Any]) -> list[str]:
    """Give the codes of what is irregular about an event."""
    return [it["code"] for it in item["irregularities"]]


def codes_of(response: httpx.Response) -> list[str]:
    """Give the codes of the rules that refused, or of the fields that are malformed."""
    problem = response.json()
    return [it["code"] for it in (*problem.get("refusals", ()), *problem.get("errors", ()))]


def worker(name: str, **more: Any) -> dict[str, Any]:
    """Type in a worker."""
    return {"role": "WORKER", "name": name, **more}


def company(name: str = "示例制衣有限公司") -> dict[str, Any]:
    """Type in an employer that is a company."""
    return {"role": "EMPLOYER", "party_kind": "COMPANY", "company_name": name}


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


def _opening(command: str) -> str:
    return "/cases" if command == "register-case" else f"/cases/commands/{command}"


def _accepted(response: httpx.Response) -> dict[str, Any]:
    if not response.is_success:
        raise Refusal(f"{response.request.method} {response.request.url}: {response.text}")
    answer: dict[str, Any] = response.json()
    return answer
