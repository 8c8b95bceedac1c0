"""Queries over HTTP: one case in every view, lists with cursors, positions, the network, health."""

from __future__ import annotations

from uuid import uuid4

import pytest

from api.answers import MASK
from mediation import codes
from mediation.calendar import day_of
from projections.lanes import LANES
from projections.runner import Follower
from tests.api.desk import agreed, assert_guarded, assert_problem, dispute, key, register, send
from tests.serving import BODIES, DISTRICT, EAST, VILLAGE, WEST, Served


def test_a_case_is_shown_with_labels_in_both_languages(office: Served):
    """Codes come with their labels; the term comes with the reasons for its date."""
    clerk = office.client_for("clerk", EAST)
    shown = clerk.get(f"/cases/{register(clerk)['case_id']}").json()

    assert shown["visibility"] == "full"
    assert shown["phase_label"] == {
        "zh": "已登记·待征询",
        "en": "Registered, parties not yet asked",
    }
    assert shown["claimed_fen"] == 1280000
    assert [it["code"] for it in shown["due"]] == ["D01", "D13", "D02"]
    assert "第二十二条" in shown["due"][0]["explain"]["zh"]
    assert shown["respondents"][0]["company_name"] == "示例制衣有限公司"
    assert [shown[it][0]["party_kind"] for it in ("applicants", "respondents")] == [
        "WORKER",
        "COMPANY",
    ]
    assert (shown["move"], shown["sheets"]) == (None, [])


def test_a_case_is_shown_as_it_was_at_a_version(office: Served):
    """The same form, folded up to then; a version that was never reached is not found."""
    clerk = office.client_for("clerk", EAST)
    case_id = register(clerk)["case_id"]
    version = agreed(clerk, case_id)

    then = clerk.get(f"/cases/{case_id}?version=1")

    assert (then.json()["version"], then.json()["phase"]) == (1, "REGISTERED")
    assert then.headers["etag"] == '"1"'
    assert_problem(clerk.get(f"/cases/{case_id}?version={version + 1}"), 404)
    assert_problem(clerk.get(f"/cases/{case_id}?version={2**60}"), 422)
    clear = clerk.get(f"/cases/{case_id}?version=1&personal=clear").json()
    assert clear["applicants"][0]["name"] != MASK
    assert [it["version"] for it in clear["texts"]] == [1]


def test_a_history_tells_every_event_and_keeps_what_is_sealed(office: Served):
    """Who did what, when and in which role; sealed fields say only that they are."""
    clerk = office.client_for("clerk", EAST)
    case_id = register(clerk)["case_id"]
    agreed(clerk, case_id)

    items = clerk.get(f"/cases/{case_id}/history").json()["items"]

    assert [it["version"] for it in items] == [1, 2, 3]
    first = items[0]
    assert first["label"] == {"zh": "已登记", "en": "Case registered"}
    assert (first["role"], first["body_id"]) == ("clerk", EAST)
    assert first["actor_id"] == str(office.accounts["clerk", EAST])
    assert first["fields"]["request"] == {"sealed": True}
    assert first["fields"]["applicants"][0]["name"] == {"sealed": True}
    assert first["fields"]["cause"] == "C13"
    assert {it["code"] for it in first["due"]} == {"D01", "D02", "D13"}
    assert not set(first["fields"]) & {"event_id", "command_id", "district", "due", "due_ended"}


def test_a_history_tells_which_dates_an_event_ended(office: Served):
    """Acceptance ends the date to decide on it, and the case has it no longer."""
    clerk, lead = office.client_for("clerk", EAST), office.client_for("lead", EAST)
    case_id = register(clerk)["case_id"]
    version = agreed(clerk, case_id)
    accepted = send(lead, case_id, "accept-case", version, within_scope=True, within_district=True)
    assert accepted.status_code == 200, accepted.text

    items = clerk.get(f"/cases/{case_id}/history").json()["items"]
    due = clerk.get(f"/cases/{case_id}/deadlines").json()["items"]

    assert [it["due_ended"] for it in items] == [[], [], [], ["D01"]]
    assert [it["code"] for it in due] == ["D13", "D02"]


def test_actions_say_what_may_be_done_by_whom_and_with_which_fields(office: Served):
    """Allowed or the reasons why not, the roles under their conditions, and a form."""
    clerk = office.client_for("clerk", EAST)
    case_id = register(clerk)["case_id"]

    answer = clerk.get(f"/cases/{case_id}/actions").json()
    by_name = {it["command"]: it for it in answer["items"]}

    assert answer["version"] == 1
    ask, accept = by_name["ask-consent"], by_name["accept-case"]
    assert (ask["allowed"], ask["mine"], ask["refusals"]) == (True, True, [])
    assert (accept["allowed"], accept["mine"]) == (False, False)
    assert [it["code"] for it in accept["refusals"]] == ["wrong-phase"]
    assert [it["role"] for it in accept["who"]] == ["lead", "coordinator"]
    assert set(ask["fields"]["required"]) == {"party_id", "means"}
    assert "$ref" not in ask["fields"]


def test_cases_are_listed_page_by_page_without_one_twice(office: Served):
    """Keyset pages, the latest first; the cursor is bound to the filters and to the actor."""
    clerk = office.client_for("clerk", WEST)
    made = [register(clerk) for _ in range(5)]
    newest = {"Min-Position": str(made[-1]["position"])}
    query: dict[str, str | int] = {"limit": 2, "body_id": WEST, "phase": "REGISTERED"}

    found, cursor = [], None
    while True:
        asked = {**query, **({"cursor": cursor} if cursor else {})}
        response = clerk.get("/cases", params=asked, headers=newest)
        page = response.json()
        assert response.headers["position"] == str(page["as_of_position"])
        found += [it["case_id"] for it in page["items"]]
        if page["next"] is None:
            break
        cursor = page["next"]

    assert len(found) == len(set(found))
    assert {it["case_id"] for it in made} <= set(found)
    first = clerk.get("/cases", params=query, headers=newest).json()["next"]
    for wrong in (
        {**query, "phase": "ACCEPTED", "cursor": first},
        {**query, "cursor": f"{first}A"},
        {**query, "cursor": first[:-2]},
        {**query, "cursor": "示例"},
        {**query, "cursor": ""},
        {**query, "cursor": "A" * 5000},
    ):
        assert_problem(clerk.get("/cases", params=wrong), 400, "cursor-invalid")
    lead = office.client_for("lead", WEST)
    assert_problem(lead.get("/cases", params={**query, "cursor": first}), 400, "cursor-invalid")


def test_a_worklist_shows_what_is_to_be_done_as_soon_as_it_is(office: Served):
    """With Min-Position a lane holds what the last command left there; its count agrees."""
    clerk = office.client_for("clerk", VILLAGE)
    case_id = register(clerk)["case_id"]
    agreed(clerk, case_id)
    newest = {"Min-Position": clerk.get("/livez").headers["position"]}

    lane = clerk.get("/worklist?lane=to-accept&limit=100", headers=newest).json()
    counts = clerk.get("/worklist/lanes", headers=newest).json()

    assert set(lane) == {"items", "next", "as_of_position", "parked"}
    assert case_id in {it["case_id"] for it in lane["items"]}
    by_lane = {it["lane"]: it for it in counts["lanes"]}
    assert tuple(by_lane) == LANES
    assert by_lane["to-accept"]["count"] == len(lane["items"])
    assert by_lane["to-accept"]["label"]["zh"] == codes.label("lanes", "to-accept").zh
    assert by_lane["to-accept"]["by_level"] == {"village-industry": len(lane["items"])}


def test_worklist_pages_follow_each_other(office: Served):
    """Each row once, also over the edge of a page, and filters by level, body and person hold."""
    clerk = office.client_for("clerk", EAST)
    position = [register(clerk)["position"] for _ in range(3)][-1]
    newest = {"Min-Position": str(position)}
    query: dict[str, str | int] = {"lane": "to-ask", "level": "township", "body_id": EAST}

    seen, cursor = [], None
    while True:
        asked = {**query, "limit": 2, **({"cursor": cursor} if cursor else {})}
        page = clerk.get("/worklist", params=asked, headers=newest).json()
        seen += [it["case_id"] for it in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break

    assert len(seen) == len(set(seen)) >= 3
    nobody = clerk.get("/worklist", params={**query, "assigned_to": str(uuid4())}, headers=newest)
    assert nobody.json()["items"] == []
    assert_problem(clerk.get("/worklist?body_id=no-such-body"), 404, "body-unknown")


@pytest.mark.parametrize("position", ["-1", "x", "1.5", "", "9" * 30, "other:1", "999999999"])
@pytest.mark.parametrize("path", ["/cases", "/worklist", "/network"])
def test_a_position_that_is_none_of_ours_is_refused(office: Served, path: str, position: str):
    """400 for one that is malformed, of another log, or ahead of this one."""
    response = office.client_for("clerk", EAST).get(path, headers={"Min-Position": position})

    assert_problem(response, 400, "position-unknown")


def test_a_position_may_name_its_district(office: Served):
    """`district:position` is the same place as the bare number."""
    clerk = office.client_for("clerk", EAST)
    position = register(clerk)["position"]
    named = {"Min-Position": f"{office.engine.log.district}:{position}"}

    assert clerk.get("/cases", headers=named).json()["as_of_position"] >= position


class StuckFollower(Follower):
    """A follower that never gets beyond the first event."""

    position = 1


def test_a_read_model_that_does_not_come_along_is_not_read(
    office: Served, monkeypatch: pytest.MonkeyPatch
):
    """503 with Retry-After rather than an older answer."""
    clerk = office.client_for("clerk", EAST)
    position = register(clerk)["position"]
    engine = office.engine
    stuck = StuckFollower(engine.case_file, engine.log, engine.read_engine)
    monkeypatch.setitem(engine.followers, "case_file", stuck)

    response = clerk.get("/cases", headers={"Min-Position": str(position)})

    assert_problem(response, 503, "read-model-behind")
    assert response.headers["retry-after"] == "1"


def test_the_network_is_shown_from_the_top_down(office: Served):
    """Every body below its parent, with its level, names and open mediators."""
    (top,) = office.client_for("clerk", EAST).get("/network").json()["bodies"]

    assert top["body_id"] == DISTRICT
    east = next(it for it in top["children"] if it["body_id"] == EAST)
    assert [it["body_id"] for it in east["children"]] == [VILLAGE]
    assert (east["name"]["zh"], east["level"]) == (BODIES[EAST][4], "township")
    assert (east["mediators"], east["is_open"], east["branch"]) == (1, True, None)
    assert set(east["capacity"]) == {
        "legal_basis",
        "seal",
        "may_seal",
        "oral_ok",
        "confirmation_route",
        "single_handed",
        "from_on",
    }
    state = office.engine.mediation.network().body(EAST).capacity_on(day_of(office.clock()))
    assert state is not None
    for name in ("legal_basis", "seal", "may_seal", "oral_ok", "single_handed"):
        assert east["capacity"][name] == getattr(state, name), name


def test_every_code_table_is_told_to_whoever_has_an_account(office: Served):
    """All tables with their labels, and which version they are; nothing to the unknown."""
    answer = office.client_for("mediator", VILLAGE).get("/codes")

    said = answer.json()
    assert_guarded(answer)
    assert (said["ref"], said["digest"]) == (codes.REF, codes.DIGEST)
    assert said["tables"] == {
        name: {code: {"zh": it.zh, "en": it.en} for code, it in codes.table(name).items()}
        for name in codes.tables()
    }
    with office.client() as anybody:
        assert_problem(anybody.get("/codes"), 401)


def test_an_unknown_code_is_told_with_the_table_to_choose_from(office: Served):
    """The table that a fault names is one of those told, so that a form can offer its codes."""
    clerk = office.client_for("clerk", EAST)
    tables = clerk.get("/codes").json()["tables"]
    party = {"role": "NOBODY", "company_name": "示例公司"}

    registered = clerk.post("/cases", json=dispute(cause="C00", respondents=[party]), headers=key())
    flagged = send(
        office.client_for("lead", EAST), register(clerk)["case_id"], "raise-flag", 1, flag="NONE"
    )

    faults = [*registered.json()["errors"], *flagged.json()["errors"]]
    assert [(it["pointer"], it["table"]) for it in faults if it["code"] == "unknown-code"] == [
        ("/cause", "causes"),
        ("/respondents/0/role", "party_roles"),
        ("/flag", "flags"),
    ]
    assert all(it["table"] in tables for it in faults)


def test_a_ladder_is_shown_with_the_sources_of_its_limits(office: Served):
    """The ladder the network names, level by level; another one is not found."""
    clerk = office.client_for("clerk", EAST)
    ref = clerk.get("/network").json()["ladder_ref"]

    ladder = clerk.get(f"/ladders/{ref}").json()

    assert [it["code"] for it in ladder["levels"]][-1] == "district"
    assert all(it["source"] for it in ladder["limits"])
    assert_problem(clerk.get("/ladders/no-such-ladder"), 404, "ladder-unknown")


def test_an_account_sees_its_own_roles(office: Served):
    """`/me` names the account and the grants that hold today."""
    me = office.client_for("mediator", VILLAGE).get("/me").json()

    assert me["account_id"] == str(office.accounts["mediator", VILLAGE])
    assert [(it["role"], it["body_id"]) for it in me["grants"]] == [("mediator", VILLAGE)]


def test_health_is_told_to_everybody_and_tells_nothing_of_a_case(office: Served):
    """Alive, ready with the lag of each follower, and figures without any personal label."""
    with office.client() as anybody:
        answers = [anybody.get(path) for path in ("/livez", "/readyz", "/metrics")]

    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert_guarded(answer)
    live, ready, metrics = answers
    assert live.json() == {"status": "alive"}
    assert set(ready.json()["followers"]) == {
        "case_file",
        "worklist",
        "deadlines",
        "notices",
        "ledger",
    }
    assert f"mediation_log_position {ready.json()['position']}" in metrics.text


def test_a_stopped_follower_makes_the_process_unready(
    office: Served, monkeypatch: pytest.MonkeyPatch
):
    """503 while a read model stands still on a fault; the process itself still lives."""
    monkeypatch.setitem(office.engine.failed, "worklist", "unknown-event")
    with office.client() as anybody:
        ready, live = anybody.get("/readyz"), anybody.get("/livez")

    assert (ready.status_code, live.status_code) == (503, 200)
    assert ready.json()["followers"]["worklist"]["failed"] == "unknown-event"


def test_health_says_so_when_the_log_does_not_answer(
    office: Served, monkeypatch: pytest.MonkeyPatch
):
    """Not ready, but alive: restarting the process would not bring the database back."""

    def broken() -> None:
        raise OSError

    monkeypatch.setattr(office.engine.log, "head", broken)
    with office.client() as anybody:
        ready, live = anybody.get("/readyz"), anybody.get("/livez")

    assert (ready.status_code, live.status_code) == (503, 200)
    assert "position" not in live.headers


def test_the_office_clock_goes_forward_over_http_and_never_back(office: Served):
    """The coordinator sets it; an earlier time or a time without zone is refused."""
    coordinator = office.client_for("coordinator", DISTRICT)
    before = office.clock()

    moved = coordinator.put("/demo/clock", json={"now": before.isoformat()})
    back = coordinator.put("/demo/clock", json={"now": "2020-01-01T00:00:00+08:00"})
    naive = coordinator.put("/demo/clock", json={"now": "2027-01-01T00:00:00"})
    wrong = coordinator.put("/demo/clock", json={"then": 1})

    assert moved.status_code == 200
    assert_problem(back, 422, "clock-backwards")
    assert_problem(naive, 422, "naive-time")
    assert_problem(wrong, 422, "malformed")
    assert_problem(
        office.client_for("clerk", EAST).put("/demo/clock", json={"now": before.isoformat()}),
        403,
        "not-permitted",
    )
    assert office.clock() == before
    with office.client() as anybody:
        assert_problem(anybody.put("/demo/clock", json={"now": "2030-01-01T00:00:00Z"}), 401)


def test_a_move_waits_in_the_lane_of_its_receiver(office: Served):
    """The receiver finds the case under `incoming`, with what he may know of it."""
    lower, upper = office.client_for("lead", VILLAGE), office.client_for("lead", WEST)
    case_id = register(lower)["case_id"]
    asked = send(
        lower,
        case_id,
        "request-custody-move",
        1,
        kind="ESCALATE",
        to_body_id=WEST,
        ground="beyond-means",
        summary="本级无法调查",
    )
    newest = {"Min-Position": asked.headers["position"]}

    rows = upper.get("/worklist?lane=incoming&limit=100", headers=newest).json()["items"]

    (row,) = (it for it in rows if it["case_id"] == case_id)
    assert (row["pending_kind"], row["from_body_id"]) == ("ESCALATE", VILLAGE)
    assert "claimed_fen" not in row
