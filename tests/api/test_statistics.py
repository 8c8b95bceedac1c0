"""Figures over HTTP: of which days and bodies, for whom, as of when, and what stands behind them.

The tests share a served district, so they ask for days of their own or compare before and after.
That every number is right is shown in `tests/projections/test_figures.py`.
"""

from __future__ import annotations

from math import inf
from typing import Any

import httpx
import pytest

from mediation.calendar import day_of
from projections.statistics import FORMULAS
from tests.api.desk import agreed, assert_problem, register, send
from tests.serving import DISTRICT, EAST, FACTORY, VILLAGE, WEST, Served

ROUTE = "/statistics"


def ask(client: httpx.Client, office: Served, **query: Any) -> dict[str, Any]:
    """Ask for figures, of all that was written by now."""
    written = str(office.engine.log.head().position)
    response = client.get(ROUTE, params=query, headers={"Min-Position": written})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def of(answer: dict[str, Any], code: str) -> dict[str, Any]:
    """Give one figure of an answer."""
    (found,) = (it for it in answer["figures"] if it["formula"] == code)
    return dict(found)


def part(answer: dict[str, Any], code: str, key: str) -> Any:
    """Give one part of a figure."""
    return {it["key"]: it["value"] for it in of(answer, code)["parts"]}[key]


def test_every_published_figure_says_how_it_is_counted(office: Served):
    """Formula and version, label and definition in both languages, and what it is made of."""
    lead = office.client_for("lead", EAST)
    register(office.client_for("clerk", EAST))

    answer = ask(lead, office)

    assert [it["formula"] for it in answer["figures"]] == [it.code for it in FORMULAS]
    assert [it.code for it in FORMULAS] == [
        *(f"F{at:02}" for at in range(1, 17)),
        *("F18", "F19", "F20", "F23"),
    ]
    for it in answer["figures"]:
        assert it["formula_version"] == 1
        for words in (it["label"], it["definition"], *(one["label"] for one in it["parts"])):
            assert words["zh"]
            assert words["en"]
        assert it.keys() >= {"value", "numerator", "denominator", "unit"}
    assert {it["formula"] for it in answer["figures"] if it["balances"]} == {
        *("F01", "F02", "F03", "F19", "F20")
    }
    today = day_of(office.clock())
    assert (answer["from"], answer["to"]) == (str(today.replace(day=1)), str(today))
    assert answer["as_of_position"] == office.engine.log.head().position


def test_a_period_is_set_beside_the_one_before_and_the_same_a_year_before(office: Served):
    """环比 and 同比 name their days; whole months are set beside whole months."""
    lead = office.client_for("lead", EAST)

    month = of(ask(lead, office, **{"from": "2026-03-01", "to": "2026-03-31"}), "F06")
    days = of(ask(lead, office, **{"from": "2026-03-02", "to": "2026-03-08"}), "F06")

    def spans(figure: dict[str, Any]) -> list[tuple[str, str]]:
        return [
            (it["first"], it["last"]) for it in (figure["period_before"], figure["year_before"])
        ]

    assert spans(month) == [("2026-02-01", "2026-02-28"), ("2025-03-01", "2025-03-31")]
    assert spans(days) == [("2026-02-23", "2026-03-01"), ("2025-03-02", "2025-03-08")]


def test_a_body_counts_alone_or_with_all_below_it_and_in_the_tree_of_the_return(office: Served):
    """A village's case is its own, its street's, and that of the head townships count under."""
    coordinator = office.client_for("coordinator", DISTRICT)
    filters: tuple[dict[str, str], ...] = (
        {},
        {"body_id": VILLAGE},
        {"body_id": EAST},
        {"within": EAST},
        {"within": WEST},
        {"level": "village-industry"},
        {"group": "township-street"},
        {"group": "others"},
        {"group": "enterprise-committee"},
    )

    def registered() -> list[int]:
        return [part(ask(coordinator, office, **it), "F01", "registered") for it in filters]

    before = registered()
    register(office.client_for("clerk", VILLAGE))
    after = registered()

    grown = [now - then for now, then in zip(after, before, strict=True)]
    assert grown == [1, 1, 0, 1, 0, 1, 1, 0, 0]


def test_nobody_reads_figures_of_bodies_outside_his_scope(office: Served):
    """A street counts what is below it; the next street is not found, and the attempt recorded."""
    east, west = office.client_for("lead", EAST), office.client_for("lead", WEST)

    before = part(ask(west, office), "F01", "registered")
    register(office.client_for("clerk", EAST))

    assert part(ask(west, office), "F01", "registered") == before
    for query in ({"body_id": EAST}, {"within": DISTRICT}):
        assert_problem(west.get(ROUTE, params=query), 404)
    assert_problem(east.get(ROUTE, params={"within": DISTRICT}), 404)
    assert_problem(east.get(ROUTE, params={"body_id": "nowhere"}), 404)
    records = office.client_for("auditor", DISTRICT).get("/access-records").json()["items"]
    mine = [it for it in records if it["actor_id"] == str(office.accounts["lead", EAST])]
    assert (mine[0]["kind"], mine[0]["route"]) == ("out-of-scope", "GET /statistics")
    lines = east.get(f"{ROUTE}/F01/lines", params={"part": "registered", "within": DISTRICT})
    assert_problem(lines, 404)
    records = office.client_for("auditor", DISTRICT).get("/access-records").json()["items"]
    mine = [it for it in records if it["actor_id"] == str(office.accounts["lead", EAST])]
    assert mine[0]["route"] == "GET /statistics/{code}/lines"
    assert_problem(office.client_for("liaison", FACTORY).get(ROUTE), 403)
    with office.client() as nobody:
        assert_problem(nobody.get(ROUTE), 401)


def test_whoever_does_not_see_the_cases_is_told_no_small_number(office: Served):
    """A dashboard, and the committee of an employer, read sums of five and more, and no lines."""
    register(office.client_for("clerk", FACTORY))
    of_factory = {"body_id": FACTORY}
    known = ask(office.client_for("lead", EAST), office, **of_factory)
    assert 0 < part(known, "F01", "registered") < 5, "few enough for this test"
    assert known["suppressed"] is False

    for role, body in (("dashboard", DISTRICT), ("lead", FACTORY)):
        client = office.client_for(role, body)
        answer = ask(client, office, **of_factory)

        assert answer["suppressed"] is True
        assert part(answer, "F01", "registered") is None
        assert of(answer, "F01")["value"] is None
        lines = client.get(f"{ROUTE}/F01/lines", params={**of_factory, "part": "registered"})
        assert_problem(lines, 403)
        # What is withheld of one figure hangs on the others, so asking for it alone tells no more.
        alone = ask(client, office, **of_factory, formula="F01")
        assert alone["figures"] == [of(answer, "F01")]


@pytest.mark.parametrize(
    "query",
    [
        {"position": "1"},
        {"at": "2026-01-15T12:00:00+08:00"},
        {"at": "2026-01-31T23:59:59Z"},
        {"at": "2026-01-31T23:59:59.5+08:00"},
        {"from": "2026-01-05", "to": "2026-01-05"},
        {"from": "2026-01-02", "to": "2026-01-31"},
        {"from": "2026-01-01", "to": "2026-01-30"},
        {"level": "township"},
        {"group": "township-street"},
    ],
)
def test_whoever_does_not_see_the_cases_cannot_set_two_sums_apart(
    office: Served, query: dict[str, str]
):
    """No position, no moment within a month, no days but whole months, no level alone."""
    for role, body in (("dashboard", DISTRICT), ("lead", FACTORY)):
        answer = office.client_for(role, body).get(ROUTE, params=query)
        assert_problem(answer, 403, "too-fine")
    seen = office.client_for("lead", EAST).get(ROUTE, params=query)
    assert seen.status_code in (200, 400), "only a position before the log is refused to a lead"


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"from": "2026-01-01", "to": "2026-01-31"},
        {"from": "2025-11-01", "to": "2026-02-28"},
        {"from": "2026-01-01"},
        {"at": "2020-01-31T23:59:59+08:00"},
        {"at": "2020-02-29T15:59:59Z", "from": "2020-01-01"},
        {"within": EAST},
    ],
)
def test_whole_months_are_told_to_everybody_who_reads_figures(
    office: Served, query: dict[str, str]
):
    """From the first day of a month to the last of one, or to now; as of now, or a month's end."""
    answer = office.client_for("dashboard", DISTRICT).get(ROUTE, params=query)
    assert answer.status_code == 200, answer.text


def test_the_lines_behind_a_number_are_read_page_by_page(office: Served):
    """None twice and none left out; each names the event of the case that it was counted from.

    That they come to the number is shown part by part in `tests/projections/test_lines.py`.
    """
    clerk, lead = office.client_for("clerk", WEST), office.client_for("lead", WEST)
    for _ in range(3):
        register(clerk)
    answer = ask(lead, office)

    lines = list(_lines(lead, "F01", part="registered"))

    assert len(lines) == part(answer, "F01", "registered") >= 3
    assert len({(it["case_id"], it["version"]) for it in lines}) == len(lines)
    for it in (lines[0], lines[-1]):
        event = clerk.get(f"/cases/{it['case_id']}/history").json()["items"][it["version"] - 1]
        assert (event["topic"], event["position"]) == ("case.registered/1", it["position"])


def handed_over(office: Served) -> str:
    """Let the east street accept a case and hand it over, and the district end it."""
    street, top = office.client_for("lead", EAST), office.client_for("lead", DISTRICT)
    case_id = str(register(street)["case_id"])
    version = agreed(street, case_id)

    def done(client: httpx.Client, command: str, **body: Any) -> None:
        nonlocal version
        answer = send(client, case_id, command, version, **body)
        assert answer.status_code == 200, answer.text
        version = answer.json()["version"]

    done(street, "accept-case", within_scope=True, within_district=True)
    done(
        street,
        "request-custody-move",
        kind="ESCALATE",
        to_body_id=DISTRICT,
        ground="beyond-means",
        summary="案情摘要",
    )
    done(top, "accept-custody")
    by_ids = [it["party_id"] for it in top.get(f"/cases/{case_id}").json()["applicants"]]
    done(top, "withdraw-application", by_ids=by_ids, settled=False)
    return case_id


def assert_nothing_is_told_past_the_hand_over(office: Served) -> None:
    """The street is told what it reads in the history of the case, of the rest that it counts."""
    street, top = office.client_for("lead", EAST), office.client_for("lead", DISTRICT)
    before = ask(street, office)
    case_id = handed_over(office)
    after = ask(street, office)
    history = street.get(f"/cases/{case_id}/history").json()["items"]
    read = {it["version"] for it in history}

    def mine(client: httpx.Client, key: str) -> tuple[list[dict[str, Any]], int]:
        withheld = [0]
        lines = _lines(client, "F02", withheld, part=key)
        return [it for it in lines if it["case_id"] == case_id], withheld[0]

    for key in ("accepted-new", "moved-out"):
        (line,) = mine(street, key)[0]
        assert line["version"] in read
    ended = part(after, "F02", "concluded-elsewhere")
    assert ended == part(before, "F02", "concluded-elsewhere") + 1
    told, withheld = mine(street, "concluded-elsewhere")
    assert told == []
    assert withheld == ended
    assert (
        case_id not in street.get(f"{ROUTE}/F02/lines", params={"part": "concluded-elsewhere"}).text
    )
    ((line,), hidden) = mine(top, "concluded")
    assert line["version"] > max(read)
    assert hidden == 0


def test_a_body_reads_no_line_past_its_hand_over(office: Served):
    """Of a case that climbed, the street's lines end with the hand-over, as its history does."""
    assert_nothing_is_told_past_the_hand_over(office)


def test_a_body_that_reads_on_is_found(office: Served, monkeypatch: pytest.MonkeyPatch):
    """The proof above goes red where the lines of a case are told to whoever had it."""
    monkeypatch.setattr(
        "projections.statistics.behind._sight",
        lambda _connection, _ledger, _scope, case_ids: dict.fromkeys(case_ids, inf),
    )
    with pytest.raises(AssertionError):
        assert_nothing_is_told_past_the_hand_over(office)


def _lines(
    client: httpx.Client, code: str, withheld: list[int] | None = None, **query: Any
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = client.get(
            f"{ROUTE}/{code}/lines",
            params={**query, "limit": 2, **({"cursor": cursor} if cursor else {})},
        )
        assert page.status_code == 200, page.text
        found += page.json()["items"]
        if withheld is not None:
            withheld[0] += page.json()["withheld"]
        cursor = page.json()["next"]
        if cursor is None:
            return found


def test_figures_are_read_as_of_any_moment(office: Served):
    """At an earlier position, and by the time it was recorded, they are what they were then."""
    lead, clerk = office.client_for("lead", WEST), office.client_for("clerk", WEST)
    register(clerk)
    then = ask(lead, office)
    register(clerk)

    now = ask(lead, office)
    again = ask(lead, office, position=str(then["as_of_position"]))

    assert again == then
    assert part(now, "F01", "registered") == part(then, "F01", "registered") + 1
    beyond = str(office.engine.log.head().position + 1)
    assert_problem(lead.get(ROUTE, params={"position": beyond}), 400, "position-unknown")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"from": "2026-03-02", "to": "2026-03-01"}, 422),
        ({"from": "yesterday"}, 422),
        ({"level": "nowhere"}, 422),
        ({"group": "nowhere"}, 422),
        ({"unknown": "1"}, 422),
        ({"from": "0001-01-01"}, 422),
        ({"from": "0001-02-01", "to": "0001-02-28"}, 422),
        ({"from": "1989-12-31"}, 422),
        ({"from": "1990-01-01"}, 200),
        ({"to": "9999-12-31"}, 422),
        ({"to": "2201-01-01"}, 422),
        ({"from": "1990-01-01", "to": "2200-12-31"}, 200),
        ({"from": "2200-12-01", "to": "2200-12-31"}, 200),
        ({"at": "0001-02-01T12:00:00Z"}, 422),
        ({"at": "1980-02-01T12:00:00Z"}, 200),
        ({"at": "0001-01-01T00:00:00+14:00"}, 422),
    ],
)
def test_a_question_that_makes_no_sense_is_told_what_to_do(
    office: Served, query: dict[str, str], status: int
):
    """Days the wrong way round or out of all bounds, a level, head or figure that there is not."""
    lead = office.client_for("lead", EAST)
    lines = lead.get(f"{ROUTE}/F01/lines", params={**query, "part": "registered"})
    for answer in (lead.get(ROUTE, params=query), lines):
        if status == 200:
            assert answer.status_code == status, answer.text
        else:
            assert_problem(answer, status)
    if status == 422 and set(query) <= {"from", "to"}:
        faults = {it["pointer"] for it in lead.get(ROUTE, params=query).json()["errors"]}
        assert faults <= {"/query/from", "/query/to"}
        assert faults


def test_a_figure_that_there_is_not_is_told_so(office: Served):
    """A code of no figure is not found; what is no code is no question."""
    lead = office.client_for("lead", EAST)
    assert_problem(lead.get(ROUTE, params={"formula": "F99"}), 404)
    assert_problem(lead.get(ROUTE, params={"formula": "sums"}), 422)


def test_a_part_that_there_is_not_has_no_lines(office: Served):
    """An unknown figure and an unknown part are not found; a mix is asked for by its code."""
    lead = office.client_for("lead", EAST)
    for path, key in (("F99", "registered"), ("F01", "nothing"), ("F08", "answers")):
        response = lead.get(f"{ROUTE}/{path}/lines", params={"part": key})
        assert_problem(response, 404)
