"""The demo's people at their desks: each command goes over HTTP with its own token; no story here.

Nothing in the demo writes past the API: what happens here, any client can do.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from time import sleep
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import httpx

from api.screen import Words
from mediation.errors import MediationError, Sentence

SHANGHAI = ZoneInfo("Asia/Shanghai")
MINUTES_PER_STEP = 5
_PATIENCE = 10
_LOOKS, _LOOK_AGAIN = 150, 0.1


class DemoFailed(MediationError):
    """The server refused a step of the demo; the sentence says which, and why."""

    code = "demo-failed"
    title = Sentence("演示未能完成", "The demo could not be played to its end")


class Attempt(NamedTuple):
    """A command that a rule refused: its name, the code of the rule, and what the rule says."""

    command: str
    code: str
    said: Words


class Office:
    """The district over HTTP, seen by whoever holds one of its tokens.

    Args:
        http: a client whose base URL is the server's.
        tokens: bearer token by `<role>@<body_id>`; grows as accounts are opened.
        on_step: called after every accepted command.
        now: what the server's clock shows.
    """

    def __init__(
        self,
        http: httpx.Client,
        tokens: dict[str, str],
        on_step: Callable[[], None],
        now: datetime,
    ) -> None:
        self.tokens = tokens
        self.accounts: dict[str, str] = {}
        self.commands = 0
        self._position = 0
        self._http = http
        self._on_step = on_step
        self._now = now

    def at(self, moment: str) -> None:
        """Set the clock to a Shanghai time such as "2026-03-02 09:00"."""
        self._set(datetime.fromisoformat(moment).replace(tzinfo=SHANGHAI))

    def later(self, minutes: int = MINUTES_PER_STEP) -> None:
        """Move the clock on."""
        self._set(self._now + timedelta(minutes=minutes))

    @property
    def now(self) -> datetime:
        """What the clock shows."""
        return self._now

    @property
    def today(self) -> date:
        """The day that the clock shows."""
        return self._now.date()

    def _set(self, now: datetime) -> None:
        self._call("PUT", "/demo/clock", body={"now": now.astimezone(UTC).isoformat()})
        self._now = now

    def network(self, actor: str, command: str, **fields: Any) -> dict[str, Any]:
        """Carry out a command on the network or on an account."""
        return self._command(actor, f"/network/commands/{command}", fields)

    def register(self, actor: str, **fields: Any) -> Case:
        """Register a case and give it."""
        return Case(self, actor, self._command(actor, "/cases", fields))

    def create(self, actor: str, command: str, **fields: Any) -> Case:
        """Carry out a command that registers a case and goes on from there, and give the case."""
        return Case(self, actor, self._command(actor, f"/cases/commands/{command}", fields))

    def rehearse(self, actor: str, command: str, **fields: Any) -> int:
        """Count the events that a command on a new case would leave behind; nothing is written."""
        answer = self._call(
            "POST",
            f"/cases/commands/{command}",
            actor=actor,
            body=fields,
            query={"dry_run": "true"},
            headers={"Idempotency-Key": "demo-rehearsal"},
        )
        return len(answer["events"])

    def refusal(self, actor: str, command: str, **fields: Any) -> Attempt:
        """Try a command on a new case that the rules do not allow, and give what they say."""
        return self._refused(actor, f"/cases/commands/{command}", command, fields, {})

    def get(self, actor: str, path: str, **query: str) -> Any:
        """Read something as this account sees it, not older than what was written last."""
        headers = {"Min-Position": str(self._position)}
        return self._call("GET", path, actor=actor, query=query, headers=headers)

    def _command(
        self,
        actor: str,
        path: str,
        fields: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        self.commands += 1
        keyed = {**(headers or {}), "Idempotency-Key": f"demo-{self.commands}"}
        answer: dict[str, Any] = self._call("POST", path, actor=actor, body=fields, headers=keyed)
        self._position = answer["position"]
        self._on_step()
        return answer

    def _refused(
        self, actor: str, path: str, command: str, fields: dict[str, Any], headers: dict[str, str]
    ) -> Attempt:
        """Expect a rule to say no.

        Raises:
            DemoFailed: it was carried out, or refused for another reason than a rule.
        """
        keyed = {**headers, "Idempotency-Key": f"demo-refused-{command}"}
        response = self._send("POST", path, actor=actor, body=fields, headers=keyed)
        if response.status_code != httpx.codes.CONFLICT:
            raise _failed("POST", path, response)
        refusal = response.json()["refusals"][0]
        return Attempt(command, refusal["code"], Words(refusal["zh"], refusal["en"]))

    def _call(self, method: str, path: str, **sent: Any) -> Any:
        response = self._send(method, path, **sent)
        if response.is_error:
            raise _failed(method, path, response)
        return response.json() if response.content else None

    def _send(  # noqa: PLR0913 - the parts of a request, by name
        self,
        method: str,
        path: str,
        *,
        actor: str | None = None,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
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
        return response


def _failed(method: str, path: str, response: httpx.Response) -> DemoFailed:
    is_problem = "json" in response.headers.get("content-type", "")
    problem = response.json() if is_problem else {}
    said = problem.get("title_i18n", {"zh": "", "en": ""})
    step = f"{method} {path} → {response.status_code} {problem.get('type', '')}"
    return DemoFailed(
        zh=f"{step} {said['zh']}。请换一个新目录重试。",
        en=f"{step} {said['en']}. Try again in a new folder.",
    )


class Case:
    """One case on its way: knows its version, and after `look` its parties, lines and the like."""

    def __init__(self, office: Office, opener: str, answer: dict[str, Any]) -> None:
        self.case_id: str = answer["case_id"]
        self.version: int = answer["version"]
        self.attempts: list[Attempt] = []
        self.rehearsed: int | None = None
        self._office = office
        self.look(opener)

    def look(self, actor: str) -> dict[str, Any]:
        """Read the case as it stands, and keep what later steps have to name."""
        seen: dict[str, Any] = self._office.get(actor, f"/cases/{self.case_id}")
        self.version = seen["version"]
        self.applicants = [party["party_id"] for party in seen["applicants"]]
        self.respondents = [party["party_id"] for party in seen["respondents"]]
        self.lines: list[dict[str, Any]] = seen["lines"]
        self.payments: list[dict[str, Any]] = seen["payments"]
        draft = seen["draft"] or {}
        self.paper = {it: draft[it] for it in ("number", "digest") if draft}
        self.proceedings = [it["proceeding_id"] for it in seen["proceedings"]]
        return seen

    @property
    def parties(self) -> list[str]:
        """Applicants, then respondents."""
        return self.applicants + self.respondents

    def do(self, actor: str, command: str, **fields: Any) -> None:
        """Carry out a command on the case as it was last seen."""
        answer = self._office._command(  # noqa: SLF001 - one desk, two classes
            actor, self._path(command), fields, self._seen()
        )
        self.version = answer["version"]

    def do_for_all(self, actor: str, command: str, **fields: Any) -> None:
        """Carry out a command once for each party."""
        for party_id in self.parties:
            self.do(actor, command, party_id=party_id, **fields)

    def must_not(self, actor: str, command: str, **fields: Any) -> None:
        """Try a command that a rule refuses, and keep what the rule says."""
        attempt = self._office._refused(  # noqa: SLF001 - as in `do`
            actor, self._path(command), command, fields, self._seen()
        )
        self.attempts.append(attempt)

    def until(self, actor: str, field: str) -> None:
        """Wait until something that happens by itself shows in the case.

        Raises:
            DemoFailed: it did not happen.
        """
        for _ in range(_LOOKS):
            if self.look(actor)[field]:
                return
            sleep(_LOOK_AGAIN)
        raise DemoFailed(
            zh=f"系统未按时登记 {field}。请换一个新目录重试。",
            en=f"{field} did not come about by itself. Try again in a new folder.",
        )

    def _path(self, command: str) -> str:
        return f"/cases/{self.case_id}/commands/{command}"

    def _seen(self) -> dict[str, str]:
        return {"If-Match": f'"{self.version}"'}
