"""Asking as of a version, a time or a position over HTTP: what is answered, and what is refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from projections.runner import Follower
from tests.api.desk import agreed, assert_problem, dispute, key, register, send
from tests.serving import DISTRICT, EAST, FACTORY, VILLAGE, WEST, Served

ON_ONE_CASE = ("", "/history", "/deadlines", "/actions", "/replay")
OF_LISTS = ("/worklist", "/worklist/lanes", "/worklist/mine", "/deadlines")


def moved_on(office: Served, hours: int = 1) -> str:
    """Let time go by, and give what the clock shows then."""
    now = (office.clock() + timedelta(hours=hours)).isoformat()
    office.set_clock(now)
    return now


def asked(office: Served, role: str, body_id: str, url: str, **query: Any) -> Any:
    """Ask as somebody and give the answer."""
    answer = office.client_for(role, body_id).get(url, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_case_is_shown_as_the_office_knew_it(office: Served):
    """By time, by position, by a position with its district, and by version: one and the same."""
    clerk = office.client_for("clerk", EAST)
    made = register(clerk)
    case = f"/cases/{made['case_id']}"
    then = clerk.get(case).json()
    at = moved_on(office)
    moved_on(office)
    agreed(clerk, made["case_id"])

    position = made["position"]
    answers = [
        clerk.get(case, params=query)
        for query in (
            {"at": at},
            {"position": position},
            {"position": f"{office.engine.log.district}:{position}"},
            {"version": 1},
        )
    ]

    assert [it.json() for it in answers] == [then] * 4
    assert {it.headers["position"] for it in answers[:3]} == {str(position)}
    assert {it.headers["etag"] for it in answers} == {'"1"'}
    assert clerk.get(case).json()["version"] == 3


def test_a_late_entry_counts_from_when_it_was_recorded(office: Served):
    """What happened on Monday and was typed in on Tuesday was not known on Monday."""
    clerk = office.client_for("clerk", EAST)
    case_id = register(clerk)["case_id"]
    monday = moved_on(office)
    moved_on(office, hours=24)
    flagged = send(clerk, case_id, "report-urgent", 1, **_urgent(), occurred_at=monday)
    assert flagged.status_code == 200, flagged.text

    assert len(clerk.get(f"/cases/{case_id}", params={"at": monday}).json()["reports"]) == 0
    assert len(clerk.get(f"/cases/{case_id}").json()["reports"]) == 1


def _urgent() -> dict[str, Any]:
    kinds = ("party-government", "upper-union")
    return {
        "kind": "first",
        "addressees": [{"kind": it, "name": "示例机关"} for it in kinds],
        "text": "情况紧急。",
    }


def test_lists_are_told_as_they_lay_and_on_the_day_they_lay(office: Served):
    """A lane, its count, a day and the open dates; `today` is that of the moment asked for."""
    clerk = office.client_for("clerk", VILLAGE)
    made = register(clerk)
    newest = {"Min-Position": str(made["position"])}
    before = {url: clerk.get(url, headers=newest).json() for url in OF_LISTS}
    at = moved_on(office)
    moved_on(office, hours=24 * 6)
    accepted = clerk.post("/cases", json=dispute(), headers=key())
    newest = {"Min-Position": accepted.headers["position"]}
    now = {url: clerk.get(url, headers=newest).json() for url in OF_LISTS}

    for query in ({"at": at}, {"position": made["position"]}):
        again = {url: clerk.get(url, params=query) for url in OF_LISTS}
        assert {url: it.json() for url, it in again.items()} == before
        assert {it.headers["position"] for it in again.values()} == {str(made["position"])}
    assert now["/worklist/mine"] != before["/worklist/mine"]
    overdue: dict[str, Any] = {"lane": "overdue", "limit": 100}
    late = {it["case_id"] for it in clerk.get("/worklist", params=overdue).json()["items"]}
    assert made["case_id"] in late
    then = clerk.get("/worklist", params={**overdue, "at": at}).json()["items"]
    assert made["case_id"] not in {it["case_id"] for it in then}


def test_pages_of_an_earlier_moment_are_bound_to_it(office: Served):
    """A cursor of a position goes on there and nowhere else, whatever was recorded meanwhile."""
    clerk = office.client_for("clerk", WEST)
    made = [register(clerk) for _ in range(3)]
    query: dict[str, Any] = {"position": made[-1]["position"], "limit": 2}
    first = clerk.get("/worklist", params=query).json()
    register(clerk)
    following: dict[str, Any] = {**query, "cursor": first["next"]}
    second = clerk.get("/worklist", params=following).json()

    found = [it["case_id"] for page in (first, second) for it in page["items"]]
    assert len(found) == len(set(found))
    others: list[dict[str, Any]] = [{}, {"position": made[0]["position"]}]
    for other in others:
        wrong = {**other, "limit": 2, "cursor": first["next"]}
        assert_problem(clerk.get("/worklist", params=wrong), 400, "cursor-invalid")


def test_what_cannot_be_asked_for_is_told_so(office: Served):
    """Two moments at once, no zone, no time, the future, beyond the log, another log."""
    clerk = office.client_for("clerk", EAST)
    case_id = register(clerk)["case_id"]
    tomorrow = (office.clock() + timedelta(days=1)).isoformat()
    head = office.engine.log.head().position
    wrong: list[tuple[dict[str, Any], int, str]] = [
        ({"at": tomorrow}, 422, "future-time"),
        ({"at": "2026-03-02T09:00:00"}, 422, "naive-time"),
        ({"at": "0001-01-01T00:00:00+14:00"}, 422, "time-out-of-range"),
        ({"at": "2026-03-02"}, 422, "naive-time"),
        ({"at": "yesterday"}, 422, "malformed"),
        ({"at": "2026-03-02T09:00:00Z", "position": 1}, 422, "one-moment"),
        ({"position": head + 1000}, 400, "position-unknown"),
        ({"position": 0}, 400, "position-unknown"),
        ({"position": "330106:1"}, 400, "position-unknown"),
        ({"position": "last"}, 400, "position-unknown"),
    ]
    for url in (*(f"/cases/{case_id}{it}" for it in ON_ONE_CASE), *OF_LISTS):
        for query, status, code in wrong:
            assert_problem(clerk.get(url, params=query), status, code)
    for it in ON_ONE_CASE:
        both = {"version": 1, "position": 1}
        assert_problem(clerk.get(f"/cases/{case_id}{it}", params=both), 422, "one-moment")


def test_a_time_may_be_written_with_a_plus_that_the_address_made_a_blank(office: Served):
    """`+08:00` unescaped in an address is what most people type."""
    clerk = office.client_for("clerk", EAST)
    case_id = register(clerk)["case_id"]
    at = office.clock().astimezone().isoformat(timespec="seconds")
    written = datetime.fromisoformat(at).strftime("%Y-%m-%dT%H:%M:%S+00:00")

    assert clerk.get(f"/cases/{case_id}?at={written}").status_code == 200


def test_before_a_case_was_registered_it_is_not_found(office: Served):
    """Like one that does not exist; a list of a moment before all was recorded is empty."""
    clerk = office.client_for("clerk", EAST)
    before = office.engine.log.head().position
    made = register(clerk)

    for it in ON_ONE_CASE:
        url = f"/cases/{made['case_id']}{it}"
        assert_problem(clerk.get(url, params={"position": before}), 404)
        assert_problem(clerk.get(url, params={"at": "1999-01-01T00:00:00Z"}), 404)
    for url in OF_LISTS:
        empty = clerk.get(url, params={"at": "1999-01-01T00:00:00Z"}).json()
        assert empty["as_of_position"] == 0
        assert not empty.get("items")


class _Stuck(Follower):
    """A follower that has not come to the last command."""

    @property
    def position(self) -> int:
        """Stand before the head of the log."""
        return self._log.head().position - 1


def test_a_read_model_that_has_not_come_so_far_is_behind(office: Served, monkeypatch):
    """Never an older answer: 503 and try again, as with Min-Position."""
    clerk = office.client_for("clerk", WEST)
    position = register(clerk)["position"]
    engine = office.engine
    for name, follower in list(engine.followers.items()):
        stuck = _Stuck(follower.projection, engine.log, engine.read_engine)
        monkeypatch.setitem(engine.followers, name, stuck)
    monkeypatch.setattr("api.routes.asking.WAIT_SECONDS", 0.05)

    for url in OF_LISTS:
        late = clerk.get(url, params={"position": position})
        assert_problem(late, 503, "read-model-behind")
        assert late.headers["retry-after"]


def test_who_handed_a_case_over_sees_in_lists_what_he_saw_then_and_nothing_later(office: Served):
    """Present grants over the rows of then; of one case alone only what stands now (ADR 0023)."""
    street = office.client_for("lead", EAST)
    case_id = register(street)["case_id"]
    version = agreed(street, case_id)
    held = moved_on(office)
    moved_on(office)
    request = send(
        street,
        case_id,
        "request-custody-move",
        version,
        kind="ESCALATE",
        to_body_id=DISTRICT,
        ground="beyond-means",
        summary="案情摘要",
    )
    assert request.status_code == 200, request.text
    top = office.client_for("lead", DISTRICT)
    taken = send(top, case_id, "accept-custody", request.json()["version"])
    assert taken.status_code == 200, taken.text
    gone = moved_on(office)

    def seen(client: Any, **query: Any) -> set[str]:
        found: set[str] = set()
        more: dict[str, Any] = {}
        while True:
            lane = client.get("/worklist", params={"limit": 100, **query, **more})
            assert lane.status_code == 200, lane.text
            found |= {it["case_id"] for it in lane.json()["items"]}
            if lane.json()["next"] is None:
                return found
            more = {"cursor": lane.json()["next"]}

    newest = taken.json()["position"]
    assert case_id in seen(street, at=held)
    assert case_id not in seen(street, at=gone)
    assert case_id not in seen(street, position=newest)
    assert case_id in seen(top, position=newest)
    assert street.get(f"/cases/{case_id}").json()["visibility"] == "former"
    assert_problem(street.get(f"/cases/{case_id}", params={"at": held}), 403)
    assert_problem(street.get(f"/cases/{case_id}/history", params={"at": held}), 403)
    replayed = asked(office, "lead", EAST, f"/cases/{case_id}/replay")
    assert [it["event"]["version"] for it in replayed["items"]] == list(range(1, version + 3))
    assert_problem(
        office.client_for("lead", WEST).get(f"/cases/{case_id}/replay", params={"at": held}), 404
    )


def test_the_employers_side_reads_its_history_and_no_replay(office: Served):
    """What changed at its own events would tell of the events of others (ADR 0020)."""
    factory = office.client_for("clerk", FACTORY)
    case_id = register(factory)["case_id"]

    assert factory.get(f"/cases/{case_id}/history").status_code == 200
    for url in ("replay", "diff", "replay?personal=clear", "diff?personal=clear"):
        assert_problem(factory.get(f"/cases/{case_id}/{url}"), 403, "not-permitted")
    auditor = office.client_for("auditor", DISTRICT)
    records = auditor.get("/access-records", params={"case_id": case_id}).json()["items"]
    assert records == [], "what was refused was not read"


@pytest.mark.parametrize("url", ["replay", "diff"])
def test_a_replay_in_clear_is_for_those_who_may_and_is_recorded(office: Served, url: str):
    """Masked by default; the auditor never in clear, the coordinator with a reason, on record."""
    clerk = office.client_for("clerk", EAST)
    case_id = register(clerk)["case_id"]
    path = f"/cases/{case_id}/{url}"
    name = dispute()["applicants"][0]["name"]

    masked = office.client_for("auditor", DISTRICT).get(path)
    assert masked.status_code == 200
    assert name not in masked.text
    clear = {"personal": "clear"}
    assert_problem(office.client_for("auditor", DISTRICT).get(path, params=clear), 403)
    coordinator = office.client_for("coordinator", DISTRICT)
    assert_problem(coordinator.get(path, params=clear), 403, "reason-required")
    opened = coordinator.get(path, params={**clear, "reason": "complaint"})
    assert name in opened.text
    records = coordinator.get("/access-records", params={"case_id": case_id}).json()["items"]
    assert [(it["kind"], it["route"], it["reason"]) for it in records] == [
        ("read-clear", f"GET /cases/{{case_id}}/{url}", "complaint")
    ]


def test_a_difference_is_asked_between_versions_times_and_positions(office: Served):
    """From nothing to now by default; each end in any of three ways; the way back, too."""
    clerk = office.client_for("clerk", EAST)
    made = register(clerk)
    case_id, path = made["case_id"], f"/cases/{made['case_id']}/diff"
    at = moved_on(office)
    moved_on(office)
    agreed(clerk, case_id)

    whole = clerk.get(path).json()
    assert (whole["from"]["version"], whole["to"]["version"]) == (0, 3)
    assert not any(it.get("before") for it in whole["changes"])
    found = [
        clerk.get(path, params={"from": start, "to": "3"}).json()
        for start in ("1", at, f"position:{made['position']}")
    ]
    assert found[0] == found[1] == found[2]
    assert found[0]["from"]["position"] == made["position"]
    changed = {it["path"]: (it.get("before"), it.get("after")) for it in found[0]["changes"]}
    assert changed["phase"] == ("REGISTERED", "CONSENT_PENDING")
    assert changed["version"] == (1, 3)
    back = clerk.get(path, params={"from": "3", "to": "1"}).json()["changes"]
    assert {it["path"]: (it.get("after"), it.get("before")) for it in back} == changed
    assert clerk.get(path, params={"from": "3", "to": "3"}).json()["changes"] == []
    assert_problem(clerk.get(path, params={"to": "4"}), 404)
    assert_problem(clerk.get(path, params={"from": "soon"}), 422)
    assert_problem(clerk.get(path, params={"from": "position:999999"}), 400, "position-unknown")


def test_a_step_says_who_when_why_and_on_which_basis(office: Served):
    """The envelope of the event, what it changed, which dates began and ended, its digests."""
    clerk, lead = office.client_for("clerk", EAST), office.client_for("lead", EAST)
    case_id = register(clerk)["case_id"]
    version = agreed(clerk, case_id)
    accepted = send(lead, case_id, "accept-case", version, within_scope=True, within_district=True)
    assert accepted.status_code == 200, accepted.text

    replayed = asked(office, "auditor", DISTRICT, f"/cases/{case_id}/replay")
    first, last = replayed["items"][0], replayed["items"][-1]

    assert (last["event"]["role"], last["event"]["body_id"]) == ("lead", EAST)
    assert last["event"]["actor_id"] == str(office.accounts["lead", EAST])
    assert last["event"]["legal_basis"] == "L-ZJ 10; cf. L-PROV 22"
    assert {it["code"] for it in first["event"]["due"]} == {"D01", "D02", "D13"}
    assert [(it["code"], it["article"]) for it in last["ended"]] == [("D01", "cf. L-PROV 22")]
    phase = next(it for it in last["changes"] if it["path"] == "phase")
    assert phase["label"] == {"zh": "阶段", "en": "Phase"}
    assert (phase["before"], phase["after"]) == ("CONSENT_PENDING", "ACCEPTED")
    assert replayed["log_id"] == str(office.engine.log.log_id)
    assert all(len(it[name]) == 64 for it in replayed["items"] for name in ("digest", "leaf"))
