"""Who sees what of a case before a climb, after it, and once the case was sent back down.

An enterprise hands a case to its village, the village works on it and sends it back. What the
village noted stays with the village (ADR 0020).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx

from tests.acceptance.office import (
    Office,
    Person,
    accept,
    assign,
    everybody_agrees,
    sit,
    wage_claim,
    worker,
)
from tests.serving import DISTRICT, EAST, FACTORY, VILLAGE, WEST

MORNING = "2026-03-02T09:00:00+08:00"
ORIGINAL, JOINED = "欧阳示例首位职工", "欧阳示例后来职工"
OWN_MINUTES, LATER_MINUTES = "厂里第一次会谈：欧阳示例记录", "村里会谈：欧阳示例记下的底线"
LATER_DRAFT, LATER_REASON = "村里拟的协议：欧阳示例条款", "村里的说明：欧阳示例另有顾虑"
LATER = (JOINED, LATER_MINUTES, LATER_DRAFT, LATER_REASON)
"""Texts that the village wrote down; none of them may ever reach the enterprise."""

OUTLINE = {"case_id", "visibility", "case_number", "level", "phase", "outcome"}
SEEN: dict[tuple[str, str], tuple[str, str, str]] = {
    ("lead", FACTORY): ("clear", "outline", "clear"),
    ("clerk", FACTORY): ("clear", "outline", "clear"),
    ("mediator", FACTORY): ("clear", "outline", "masked"),
    ("liaison", FACTORY): ("masked", "outline", "masked"),
    ("mediator", WEST): ("clear", "nothing", "nothing"),
    ("sibling", WEST): ("nothing", "nothing", "nothing"),
    ("lead", WEST): ("nothing", "nothing", "nothing"),
    ("lead", VILLAGE): ("masked", "clear", "masked"),
    ("mediator", VILLAGE): ("masked", "clear", "masked"),
    ("lead", EAST): ("masked", "masked", "masked"),
    ("auditor", EAST): ("masked", "masked", "masked"),
    ("auditor", DISTRICT): ("masked", "masked", "masked"),
    ("supervisor", DISTRICT): ("masked", "masked", "masked"),
    ("coordinator", DISTRICT): ("with reason", "with reason", "with reason"),
}
"""By role and body: at the enterprise, at the village, and back at the enterprise.

The mediator of the other street is invited at first and released by the climb; the sibling is a
second mediator of that street, who has no part in it. The liaison brought the matter up.
"""

EMPLOYER_SIDE = [who for who in SEEN if who[1] == FACTORY]


def test_what_each_sees_before_and_after_the_climb_and_after_the_way_back(
    opened: Callable[[str], Office],
) -> None:
    """Fourteen people, three stages: reads, lists, clear reading and commands agree for each."""
    office = _staffed(opened)
    for stage, case_id in enumerate(_story(office)):
        for who, expected in SEEN.items():
            _assert_sees(office, who, case_id, expected[stage], at=f"{who}, stage {stage}")
    records = _records(office, case_id)
    outsiders = {office.person(*who).account_id for who, seen in SEEN.items() if "nothing" in seen}
    attempts = [it for it in records if it["kind"] == "out-of-scope"]
    assert {it["actor_id"] for it in attempts} == outsiders
    sibling = office.person("sibling", WEST).account_id
    assert {it["route"] for it in attempts if it["actor_id"] == sibling} == {
        "GET /cases/{case_id}",
        "GET /cases/{case_id}/history",
        "GET /cases/{case_id}/actions",
        "GET /cases/{case_id}/deadlines",
        "POST /cases/{case_id}/commands/{command}",
    }
    readers = {it["actor_id"] for it in records if it["kind"] == "read-clear"}
    assert readers == {
        office.person(*who).account_id
        for who, seen in SEEN.items()
        if {"clear", "with reason"} & set(seen)
    }


def test_the_enterprise_reads_its_own_events_and_how_the_case_moved(
    opened: Callable[[str], Office],
) -> None:
    """Handed over, it reads up to then; with the case back, nothing of the time between."""
    office = _staffed(opened)
    lead, above = office.person("lead", FACTORY), office.person("lead", EAST)
    own: list[str] = []
    for stage, case_id in enumerate(_story(office)):
        topics = lead.topics(case_id)
        if stage == 0:
            assert topics == above.topics(case_id), "nobody else has recorded anything yet"
            own = topics
            continue
        moved = ["custody-move-requested", *["transfer-sheet-recorded"] * 2, "escalated"]
        back = ["custody-move-requested", "sent-back"]
        assert topics == own + moved + (back if stage == 2 else [])
    seen = lead.topics(case_id)
    _moves(lead, case_id, VILLAGE, kind="ESCALATE", ground="beyond-means", sheets=False)
    office.person("lead", VILLAGE).do(case_id, "accept-custody")
    again = ["transfer-sheet-recorded", "custody-move-requested", "escalated"]
    assert lead.topics(case_id) == seen + again, "a second hand-over opens nothing either"
    topics = lead.topics(case_id)
    theirs = set(above.topics(case_id)) - set(topics)
    assert theirs == {
        "party-added",
        "flagged",
        "agreement-drafted",
        "flag-cleared",
    }
    for role in ("clerk", "mediator", "liaison"):
        assert office.person(role, FACTORY).topics(case_id) == topics


def test_nothing_that_the_village_wrote_is_told_to_the_enterprise_on_any_route(
    opened: Callable[[str], Office],
) -> None:
    """Every route there is, in clear where that is allowed; the village itself finds it all."""
    office = _staffed(opened)
    for stage, case_id in enumerate(_story(office)):
        if stage == 0:
            continue
        for who in EMPLOYER_SIDE:
            for answer in _every_answer(office.person(*who), case_id):
                for text in LATER:
                    assert text not in answer.text, f"{who}, {answer.request.url}"
        if stage == 1:
            village = "".join(
                answer.text for answer in _every_answer(office.person("lead", VILLAGE), case_id)
            )
            assert [text for text in LATER if text not in village] == [], "the proof has teeth"
    shown = office.person("lead", FACTORY).case(case_id, personal="clear")
    assert shown["applicants"][0]["name"] == ORIGINAL, "his sheet lets his name go along"
    assert [party["name"] for party in shown["applicants"][1:]] == ["＊＊＊"]
    assert OWN_MINUTES in {text["text"] for text in shown["texts"]}, "it keeps what it wrote"


def test_no_report_flaw_or_proceeding_of_the_village_stands_in_the_case_sent_back(
    opened: Callable[[str], Office],
) -> None:
    """Masked, in clear, at any version and among the dates; what the enterprise added stays."""
    office = _staffed(opened)
    stages = _story(office)
    lead, village = office.person("lead", FACTORY), office.person("lead", VILLAGE)
    case_id = next(stages)
    forum = {"forum": "arbitration", "filed_by_ids": lead.parties(case_id)[:1]}
    before = lead.case(case_id)["irregularities"]
    next(stages)
    mediator = office.person("mediator", VILLAGE)
    sit(mediator, case_id, "no-agreement", minutes=LATER_MINUTES, host_ids=[village.account_id])
    village.do(
        case_id,
        "report-urgent",
        kind="first",
        addressees=[
            {"kind": "party-government", "name": "示例镇综治中心"},
            {"kind": "upper-union", "name": "示例镇总工会"},
        ],
        text=LATER_REASON,
    )
    village.do(case_id, "open-proceeding", **forum, forum_name="示例仲裁委员会", source="document")
    known = village.case(case_id)
    assert known["reports"], "the proof has teeth"
    flawed = [it for it in known["irregularities"] if it not in before]
    assert flawed, "the proof has teeth"
    (theirs,) = (it["proceeding_id"] for it in known["proceedings"])
    next(stages)

    lead.do(case_id, "open-proceeding", **forum, forum_name="另一仲裁委员会", source="document")
    own = lead.event(case_id, "proceeding-opened")["fields"]["proceeding_id"]
    for query in ({}, {"personal": "clear"}, {"version": lead.case(case_id)["version"]}):
        shown = lead.case(case_id, **query)
        assert (shown["reports"], shown["counsel_ids"]) == ([], [])
        assert [it for it in flawed if it in shown["irregularities"]] == []
        assert [it for it in before if it not in shown["irregularities"]] == [], "its own stay"
        assert [it["proceeding_id"] for it in shown["proceedings"]] == [own]
        assert len(shown["applicants"]) == len(known["applicants"]), "it has to work on the case"
    for answer in _every_answer(lead, case_id):
        assert theirs not in answer.text, answer.request.url
        assert "示例镇总工会" not in answer.text, answer.request.url


def test_requests_made_by_hand_open_nothing(opened: Callable[[str], Office]) -> None:
    """Versions of the time between, filters, forged bodies, approvals and rehearsals, old keys."""
    office = _staffed(opened)
    lead, sibling = office.person("lead", FACTORY), office.person("sibling", WEST)
    stages = _story(office)
    case_id = next(stages)
    before = lead.case(case_id)["version"]
    key = uuid4().hex
    first = lead.attempt(case_id, "raise-flag", key=key, flag="MIGRANT")
    assert next(stages) == case_id
    climbed = office.person("lead", VILLAGE).case(case_id)["version"]

    for url in ("", "/history", "/deadlines"):
        for version in (1, before, climbed, climbed + 9):
            asked = lead.client.get(f"/cases/{case_id}{url}", params={"version": version})
            assert asked.status_code == 403, (url, version)
    again = lead.attempt(case_id, "raise-flag", key=key, version=before, flag="MIGRANT")
    assert again.json() == first.json(), "an old key gives the old answer and nothing newer"
    for person, status in ((lead, 403), (sibling, 404)):
        for url, body in _by_hand(case_id, person, climbed):
            answer = person.client.post(
                url, json=body, headers={"Idempotency-Key": uuid4().hex, "If-Match": f'"{climbed}"'}
            )
            assert answer.status_code == status, (status, url, answer.text)
    forged = lead.client.post(
        "/cases", json=wage_claim(100, body_id=VILLAGE), headers={"Idempotency-Key": uuid4().hex}
    )
    assert forged.status_code == 403
    for query in ({"body_id": VILLAGE}, {"level": "village-industry"}, {"phase": "SIGNING"}):
        for url in ("/cases", "/worklist"):
            if url == "/cases" or "phase" not in query:
                items = office.caught_up(lead.client, url, query)["items"]
                assert all(it["visibility"] == "former" for it in items), (url, query)

    office.versions[case_id] = climbed
    assert next(stages) == case_id
    now = lead.case(case_id)["version"]
    for version in range(before + 5, now + 1):
        asked = lead.client.get(f"/cases/{case_id}", params={"version": version})
        if asked.status_code == 200:
            shown = asked.json()
            assert shown["custody_body_id"] == FACTORY, version
            assert shown["draft"] is None, version
    assert lead.client.get(f"/cases/{case_id}", params={"version": climbed}).status_code == 403
    assert (
        lead.client.get(f"/cases/{case_id}/deadlines", params={"version": climbed}).status_code
        == 403
    )


def _by_hand(case_id: str, person: Person, version: int) -> list[tuple[str, dict[str, Any]]]:
    """List requests that nobody outside may make, each with its body."""
    here = f"/cases/{case_id}/commands"
    flag = {"flag": "MEDIA"}
    # Whether the one named may do it or not, the answer has to be the same.
    named = (("lead", VILLAGE), ("sibling", WEST))
    approvals = [
        {
            "actor_id": person.office.person(*who).account_id,
            "idempotency_key": "k",
            "command": "raise-flag",
            "case_id": case_id,
            "body": flag | {"occurred_at": "2026-01-20T09:00:00+08:00"},
        }
        for who in named
    ]
    move = {"kind": "ESCALATE", "to_body_id": WEST, "ground": "beyond-means", "summary": "请转。"}
    signature = {"number": 1, "digest": "0" * 12, "mediator_id": person.account_id}
    return [
        (f"{here}/raise-flag", flag),
        (f"{here}/raise-flag?dry_run=true", flag),
        (f"{here}/accept-custody?dry_run=true", {}),
        (f"{here}/request-custody-move", move),
        (f"{here}/confirm-assignment", {"mediator_id": person.account_id}),
        (f"{here}/sign-agreement", signature),
        *(("/approvals", approval) for approval in approvals),
    ]


def _story(office: Office) -> Iterator[str]:
    """Play the case, and stop at each stage: at the enterprise, at the village, and back."""
    lead, mediator = office.person("lead", FACTORY), office.person("mediator", FACTORY)
    village = office.person("lead", VILLAGE)
    case = office.person("liaison", FACTORY).register(
        **wage_claim(500_000, channel="liaison-report") | {"applicants": [worker(ORIGINAL)]}
    )
    everybody_agrees(lead, case)
    accept(lead, case)
    invited = office.person("mediator", WEST).account_id
    own = mediator.account_id
    lead.do(
        case,
        "assign-mediators",
        mediator_ids=[own, invited],
        lead_mediator_id=own,
        invited_ids=[invited],
    )
    mediator.do(case, "confirm-assignment")
    sit(mediator, case, "no-agreement", minutes=OWN_MINUTES)
    yield case

    _moves(lead, case, VILLAGE, kind="ESCALATE", ground="no-agreement", sheets=True)
    village.do(case, "accept-custody")
    _works_on_it(office, case)
    yield case

    _moves(village, case, FACTORY, kind="SEND_BACK", ground="upper-help-given", sheets=False)
    lead.do(case, "accept-custody")
    yield case


def _moves(person: Person, case: str, to: str, *, kind: str, ground: str, sheets: bool) -> None:
    parties = person.parties(case)
    asked = {"kind": kind, "to_body_id": to, "ground": ground, "summary": "请接收办理。"}
    for party_id in parties[:1] if not sheets else ():
        person.do(
            case,
            "record-transfer-sheet",
            party_id=party_id,
            to_body_id=to,
            new_body=True,
            disclosure=True,
        )
    person.do(case, "request-custody-move", **asked)
    for party_id in parties if sheets else ():
        person.do(case, "record-transfer-sheet", party_id=party_id, new_body=True, disclosure=True)


def _works_on_it(office: Office, case: str) -> None:
    """Let the village add a worker, hold a session, flag, and draft; each leaves a text."""
    lead, mediator = office.person("lead", VILLAGE), office.person("mediator", VILLAGE)
    applicant, employer = lead.parties(case)
    (line,) = lead.case(case)["lines"]
    assign(lead, mediator, case)
    mediator.do(case, "add-party", side="applicant", party=worker(JOINED))
    lead.do(case, "raise-flag", flag="MEDIA")
    sit(mediator, case, "agreed", minutes=LATER_MINUTES, attending_ids=[applicant, employer])
    mediator.do(
        case,
        "draft-agreement",
        bound_ids=[applicant, employer],
        results=[{"line_id": line["line_id"], "result": "agreed"}],
        obligations=[
            {"line_id": line["line_id"], "agreed_fen": 400_000, "due_on": "2026-03-31"},
        ],
        text=LATER_DRAFT,
    )
    lead.do(case, "clear-flag", flag="MEDIA", explanation=LATER_REASON)


def _staffed(opened: Callable[[str], Office]) -> Office:
    """Open the office with a second mediator in the other street."""
    office = opened(MORNING)
    coordinator = office.person("coordinator", DISTRICT)
    account = coordinator.network("open-account", display_name="示例调解员")["stream_id"]
    coordinator.network("grant-role", account_id=account, role="mediator", body_id=WEST)
    coordinator.network("appoint-mediator", mediator_id=account, body_id=WEST)
    office.hires("sibling", WEST, account)
    return office


def _every_answer(person: Person, case_id: str) -> Iterator[httpx.Response]:
    """Ask every route that the served description names, and the case also in clear."""
    described = person.client.get("/openapi.json").json()["paths"]
    for path in (path for path, methods in described.items() if "get" in methods):
        for code in ("D02", "D13", "D16") if "{code}" in path else ("",):
            url = path.format(case_id=case_id, code=code, ref="standard-v1")
            yield person.client.get(url)
    yield person.client.get(f"/cases/{case_id}?personal=clear")
    yield person.client.get(f"/cases/{case_id}?personal=clear&reason=complaint")


def _assert_sees(
    office: Office, who: tuple[str, str], case_id: str, expected: str, *, at: str
) -> None:
    person = office.person(*who)
    shown, history, due, actions, clear, said = (
        person.client.get(f"/cases/{case_id}{what}")
        for what in (
            "",
            "/history",
            "/deadlines",
            "/actions",
            "?personal=clear",
            "?personal=clear&reason=complaint",
        )
    )
    listed = [
        it
        for it in office.caught_up(person.client, "/cases", {})["items"]
        if it["case_id"] == case_id
    ]
    at_work = [it["case_id"] for it in office.caught_up(person.client, "/worklist", {})["items"]]
    if expected == "nothing":
        answers = (shown, history, due, actions, clear, said)
        assert [it.status_code for it in answers] == [404] * 6, at
        assert (listed, at_work, _commands(person, case_id)) == ([], [], {404}), at
        return
    assert [it["visibility"] for it in listed] == ["former" if expected == "outline" else "full"], (
        at
    )
    if expected == "outline":
        assert shown.json().keys() == OUTLINE, at
        assert (due.json()["items"], actions.json()["items"], at_work) == ([], [], []), at
        assert (clear.status_code, said.status_code) == (403, 403), at
        assert _commands(person, case_id) == {403}, at
        return
    assert shown.json()["visibility"] == "full", at
    assert shown.json()["applicants"][0]["name"] == "＊＊＊", at
    assert due.json()["items"] != [], at
    assert (case_id in at_work) == (who[0] != "liaison"), at
    own = sum(it["mine"] for it in actions.json()["items"])
    assert (own > 0) or expected != "clear", at
    assert own == 0 or who[0] not in ("auditor", "supervisor"), at
    statuses = {"clear": (200, 200), "with reason": (403, 200), "masked": (403, 403)}
    assert (clear.status_code, said.status_code) == statuses[expected], at
    rehearsed = person.client.post(
        f"/cases/{case_id}/commands/raise-flag?dry_run=true",
        json={"flag": "MIGRANT"},
        headers={"Idempotency-Key": uuid4().hex, "If-Match": shown.headers["etag"]},
    )
    decides = who == ("lead", shown.json()["custody_body_id"]) or who[0] == "coordinator"
    assert rehearsed.status_code == (200 if decides else 403), at


def _commands(person: Person, case_id: str) -> set[int]:
    """Try what only others may do to the case, and give the statuses of the answers."""
    consent = {"party_id": str(uuid4()), "answer": "AGREED", "means": "phone"}
    tried: tuple[tuple[str, dict[str, Any]], ...] = (
        ("raise-flag", {"flag": "MIGRANT"}),
        ("accept-custody", {}),
        ("withdraw-custody-move", {}),
        ("record-consent", consent),
    )
    return {person.attempt(case_id, command, **body).status_code for command, body in tried}


def _records(office: Office, case_id: str) -> list[dict[str, Any]]:
    person = office.person("auditor", DISTRICT)
    query: dict[str, Any] = {"case_id": case_id, "limit": 100}
    items: list[dict[str, Any]] = []
    while True:
        page = person.client.get("/access-records", params=query).json()
        items += page["items"]
        if page["next"] is None:
            return items
        query["cursor"] = page["next"]
