"""The demo's people at their desks: each command goes over HTTP with its own token; no story here.

Nothing in the demo writes past the API: what happens here, any client can do.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import sleep
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from mediation.errors import MediationError, Sentence

SHANGHAI = ZoneInfo("Asia/Shanghai")
MINUTES_PER_STEP = 5
_PATIENCE = 10


class DemoFailed(MediationError):
    """The server refused a step of the demo; the sentence says which, and why."""

    code = "demo-failed"
    title = Sentence("演示未能完成", "The demo could not be played to its end")


class Office:
    """The district over HTTP, seen by whoever holds one of its tokens.

    Args:
        http: a client whose base URL is the server's.
        tokens: bearer token by `<role>@<body_id>`; grows as accounts are opened.
        on_step: called after every accepted command.
    """

    def __init__(
        self, http: httpx.Client, tokens: dict[str, str], on_step: Callable[[], None]
    ) -> None:
        self.tokens = tokens
        self.accounts: dict[str, str] = {}
        self.commands = 0
        self._position = 0
        self._http = http
        self._on_step = on_step
        self._now: datetime | None = None

    def at(self, moment: str) -> None:
        """Set the clock to a Shanghai time such as "2026-03-02 09:00"."""
        self._set(datetime.fromisoformat(moment).replace(tzinfo=SHANGHAI))

    def later(self, minutes: int = MINUTES_PER_STEP) -> None:
        """Move the clock on."""
        if self._now is not None:
            self._set(self._now + timedelta(minutes=minutes))

    def _set(self, now: datetime) -> None:
        self._call("PUT", "/demo/clock", body={"now": now.astimezone(UTC).isoformat()})
        self._now = now

    def network(self, actor: str, command: str, **fields: Any) -> dict[str, Any]:
        """Carry out a command on the network or on an account."""
        return self._command(actor, f"/network/commands/{command}", fields, {})

    def register(self, actor: str, **fields: Any) -> Case:
        """Register a case and give it."""
        return Case(self, actor, self._command(actor, "/cases", fields, {}))

    def get(self, actor: str, path: str, **query: str) -> Any:
        """Read something as this account sees it, not older than what was written last."""
        headers = {"Min-Position": str(self._position)}
        return self._call("GET", path, actor=actor, query=query, headers=headers)

    def _command(
        self, actor: str, path: str, fields: dict[str, Any], headers: dict[str, str]
    ) -> dict[str, Any]:
        self.commands += 1
        keyed = {**headers, "Idempotency-Key": f"demo-{self.commands}"}
        answer: dict[str, Any] = self._call("POST", path, actor=actor, body=fields, headers=keyed)
        self._position = answer["position"]
        self._on_step()
        return answer

    def _call(  # noqa: PLR0913 - the parts of a request, by name
        self,
        method: str,
        path: str,
        *,
        actor: str | None = None,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        bearer = next(iter(self.tokens.values())) if actor is None else self.tokens[actor]
        for _ in range(_PATIENCE):
            response = self._http.request(
                method,
                path,
                json=body,
                params=query,
                headers={**(headers or {}), "Authorization": f"Bearer {bearer}"},
            )
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            # Repeated with the same key, nothing happens twice.
            sleep(float(response.headers.get("Retry-After", "1")))
        if response.is_error:
            is_problem = "json" in response.headers.get("content-type", "")
            problem = response.json() if is_problem else {}
            said = problem.get("title_i18n", {"zh": "", "en": ""})
            step = f"{method} {path} → {response.status_code} {problem.get('type', '')}"
            raise DemoFailed(
                zh=f"{step} {said['zh']}。请换一个新目录重试。",
                en=f"{step} {said['en']}. Try again in a new folder.",
            )
        return response.json() if response.content else None


class Case:
    """One case on its way: knows its version, and after `look` its parties and lines."""

    def __init__(self, office: Office, opener: str, answer: dict[str, Any]) -> None:
        self.case_id: str = answer["case_id"]
        self.version: int = answer["version"]
        self._office = office
        self.look(opener)

    def look(self, actor: str) -> dict[str, Any]:
        """Read the case as it stands; fills `applicants`, `respondents`, `lines`, `payments`."""
        seen: dict[str, Any] = self._office.get(actor, f"/cases/{self.case_id}")
        self.applicants = [party["party_id"] for party in seen["applicants"]]
        self.respondents = [party["party_id"] for party in seen["respondents"]]
        self.lines: list[dict[str, Any]] = seen["lines"]
        self.payments: list[dict[str, Any]] = seen["payments"]
        return seen

    @property
    def parties(self) -> list[str]:
        """Applicants, then respondents."""
        return self.applicants + self.respondents

    def do(self, actor: str, command: str, **fields: Any) -> None:
        """Carry out a command on the case as it was last seen."""
        path = f"/cases/{self.case_id}/commands/{command}"
        answer = self._office._command(  # noqa: SLF001 - one desk, two classes
            actor, path, fields, {"If-Match": f'"{self.version}"'}
        )
        self.version = answer["version"]

    def do_for_all(self, actor: str, command: str, **fields: Any) -> None:
        """Carry out a command once for each party."""
        for party_id in self.parties:
            self.do(actor, command, party_id=party_id, **fields)
