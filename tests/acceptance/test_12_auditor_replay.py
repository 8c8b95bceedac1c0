"""An auditor replays a closed case: as it was at any moment, step by step, and against the bytes.

The story of the scenario goes on with the correction of a wrong amount, which is a later command.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from sqlalchemy import text

from mediation.store import writing
from tests.acceptance.office import Office, Person, everybody_agrees, wage_claim
from tests.serving import DISTRICT, VILLAGE

MOMENTS = ("2026-03-02T10:00:00+08:00", "2026-03-03T09:00:00+08:00", "2026-03-04T15:00:00+08:00")
NAME = "示例职工1"


def _closed(office: Office, auditor: Person) -> tuple[str, list[tuple[str, int, Any]]]:
    """Let a case be refused and closed in three days; give what the auditor read after each."""
    clerk, lead = office.person("clerk", VILLAGE), office.person("lead", VILLAGE)
    case = clerk.register(**wage_claim(600_000))
    read = []

    def look(until: str) -> None:
        read.append((office.served.clock().isoformat(), office.written(), _all(auditor, case)))
        office.at(until)

    look(MOMENTS[0])
    everybody_agrees(clerk, case)
    look(MOMENTS[1])
    lead.do(case, "refuse-case", reason_code="duplicate")
    look(MOMENTS[2])
    for party_id in clerk.parties(case):
        notice = {"party_id": party_id, "contents": "arbitration"}
        clerk.do(case, "serve-remedies-notice", means="written", **notice)
    lead.do(case, "close-case")
    return case, read


def _all(auditor: Person, case: str, **query: Any) -> list[Any]:
    answers = [
        auditor.client.get(f"/cases/{case}{more}", params=query)
        for more in ("", "/history", "/deadlines", "/actions", "/replay")
    ]
    assert [it.status_code for it in answers] == [200] * len(answers)
    return [it.json() for it in answers]


def test_a_closed_case_is_reproduced_at_any_time_and_position(
    opened: Callable[[str], Office],
) -> None:
    """By time, position and version the auditor reads what he read then, masked, to the letter."""
    office = opened("2026-03-02T09:00:00+08:00")
    auditor = office.person("auditor", DISTRICT)
    case, read = _closed(office, auditor)

    for at, position, told in read:
        assert _all(auditor, case, at=at) == told
        assert _all(auditor, case, position=position) == told
        assert _all(auditor, case, version=told[0]["version"]) == told
        assert NAME not in str(told)
    now = _all(auditor, case)
    assert now[0]["phase"] == "CLOSED"
    assert [it["event"] for it in now[4]["items"]] == now[1]["items"]


def test_what_is_different_between_two_moments_is_what_the_steps_between_changed(
    opened: Callable[[str], Office],
) -> None:
    """Each path that differs was changed by a step between; its ends are the first and last."""
    office = opened("2026-03-02T09:00:00+08:00")
    auditor = office.person("auditor", DISTRICT)
    case, read = _closed(office, auditor)
    (start, _, then), (end, _, later) = read[0], read[2]

    answer = auditor.client.get(f"/cases/{case}/diff", params={"from": start, "to": end}).json()
    versions = answer["from"]["version"], answer["to"]["version"]
    steps = auditor.client.get(f"/cases/{case}/replay").json()["items"][versions[0] : versions[1]]
    ends: dict[str, list[Any]] = {}
    for step in steps:
        for it in step["changes"]:
            ends.setdefault(it["path"], [it.get("before"), None])[1] = it.get("after")

    assert versions == (then[0]["version"], later[0]["version"])
    assert {it["path"]: [it.get("before"), it.get("after")] for it in answer["changes"]} == {
        path: sides for path, sides in ends.items() if sides[0] != sides[1]
    }
    assert "REGISTERED" in ends["phase"]
    assert "NOT_ACCEPTED" in ends["phase"]


def test_an_event_that_was_tampered_with_is_found(opened: Callable[[str], Office]) -> None:
    """Somebody with the database rewrites an amount: its digest is another one than was noted."""
    office = opened("2026-03-02T09:00:00+08:00")
    auditor = office.person("auditor", DISTRICT)
    case, _ = _closed(office, auditor)
    url, log = f"/cases/{case}/replay", office.served.engine.log
    noted = [it["digest"] for it in auditor.client.get(url).json()["items"]]
    stored = log.events_of(log.decoded(log.read(office.written() - 1, 1)[0]).originator_id)

    assert noted == [sha256(it.state).hexdigest() for it in stored]
    _rewrite(office, stored[0].position, stored[0].state.replace(b":600000", b":600001"))
    found = [it["digest"] for it in auditor.client.get(url).json()["items"]]
    assert [at for at, (a, b) in enumerate(zip(noted, found, strict=True), 1) if a != b] == [1]


def _rewrite(office: Office, position: int, state: bytes) -> None:
    """Change stored bytes past everything that refuses it, as an owner of the tables could."""
    engine = office.served.engine.log._engine
    guard = (
        "DROP TRIGGER event_refuses_update"
        if engine.dialect.name == "sqlite"
        else "ALTER TABLE event DISABLE TRIGGER event_is_kept"
    )
    with writing(engine) as connection:
        connection.execute(text(guard))
        connection.execute(
            text("UPDATE event SET state = :state WHERE position = :position"),
            {"state": state, "position": position},
        )
