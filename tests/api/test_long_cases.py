"""However much a case holds, one answer stays small, and page by page all of it is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from api.routes.asking import PAGE_BYTES, fitting
from api.routes.replay import MOST_TOLD
from mediation.store import Log
from tests.api.desk import agreed, assert_problem, register, send
from tests.serving import DISTRICT, EAST, Served

LINES, PAPERS = 100, 3
ENTRIES, DAYS = 1000, 200
LAST = 250
"""What each of the two last papers says: more than a step tells, and soon compared."""

PAPERED = 7
"""The version at which the mediation stands concluded on a paper as large as can be."""

MOST_BYTES = PAGE_BYTES * 5 // 4
"""A page of about a megabyte, with what stands around the events and the one that came last."""

PAGED = ("history", "replay", "diff")


def entries(lines: list[str], count: int = ENTRIES, days: int = DAYS) -> list[dict[str, Any]]:
    """Promise instalments on all lines in turn, on so many different days."""
    return [
        {
            "line_id": lines[at % len(lines)],
            "agreed_fen": 1,
            "due_on": str(date(2026, 3, 20) + timedelta(days=at % days)),
        }
        for at in range(count)
    ]


@pytest.fixture(scope="module")
def long_case(office: Served) -> str:
    """Play a case of a hundred claims with three papers as large as can be, and two that follow."""
    lead, mediator = office.client_for("lead", EAST), office.client_for("mediator", EAST)
    line = {"applicant": 0, "cause": "C13", "claimed_fen": 1_000_000}
    case_id: str = register(lead, lines=[line] * LINES)["case_id"]
    version = agreed(lead, case_id)
    mediator_id = str(office.accounts["mediator", EAST])
    shown = lead.get(f"/cases/{case_id}").json()
    lines = [it["line_id"] for it in shown["lines"]]
    parties = [it["party_id"] for it in (*shown["applicants"], *shown["respondents"])]
    paper = {"signed_by_ids": parties, "obligations": entries(lines), "text": "和解"}
    told: list[tuple[httpx.Client, str, dict[str, Any]]] = [
        (lead, "accept-case", {"within_scope": True, "within_district": True}),
        (
            lead,
            "assign-mediators",
            {"mediator_ids": [mediator_id], "lead_mediator_id": mediator_id},
        ),
        (mediator, "record-settlement", paper),
        (mediator, "conclude-mediation", {"accepted_by_ids": parties[:1]}),
        *[(mediator, "record-settlement", paper)] * (PAPERS - 1),
        *[(mediator, "record-settlement", paper | {"obligations": entries(lines, LAST)})] * 2,
    ]
    for client, command, body in told:
        answer = send(client, case_id, command, version, **body)
        assert answer.status_code == 200, answer.text
        version = answer.json()["version"]
    return case_id


def pages(client: httpx.Client, url: str, **query: Any) -> Iterator[httpx.Response]:
    """Ask page after page until there is none."""
    while True:
        answer = client.get(url, params=query)
        assert answer.status_code == 200, answer.text
        yield answer
        if answer.json()["next"] is None:
            return
        query["cursor"] = answer.json()["next"]


@pytest.mark.parametrize("url", PAGED)
def test_no_page_of_a_long_case_passes_a_megabyte_by_much(office: Served, long_case: str, url: str):
    """Three papers of a thousand instalments: every page is bounded, none is empty."""
    auditor = office.client_for("auditor", DISTRICT)
    query = {"to": PAPERED} if url == "diff" else {}
    found = list(pages(auditor, f"/cases/{long_case}/{url}", **query))

    assert len(found) > 1 or url != "diff", "the proof has teeth"
    assert max(len(it.content) for it in found) <= MOST_BYTES
    assert all(it.json().get("items", it.json().get("changes")) for it in found)


def test_page_by_page_every_step_and_every_event_is_told_once(office: Served, long_case: str):
    """In order, however few a page holds; the steps are those that one large page would tell."""
    auditor, path = office.client_for("auditor", DISTRICT), f"/cases/{long_case}"
    version = auditor.get(path).json()["version"]

    for limit in (3, 100):
        told = [it.json()["items"] for it in pages(auditor, f"{path}/replay", limit=limit)]
        assert max(map(len, told)) <= limit
        steps = [it["event"]["version"] for page in told for it in page]
        assert steps == list(range(1, version + 1))
    events = [
        it["version"]
        for page in pages(auditor, f"{path}/history", limit=2)
        for it in page.json()["items"]
    ]
    assert events == steps


def test_a_step_tells_the_beginning_and_how_much_is_left_out(office: Served, long_case: str):
    """What a step leaves out is counted; the difference across it tells all of it."""
    auditor, path = office.client_for("auditor", DISTRICT), f"/cases/{long_case}"
    steps = [
        it for page in pages(auditor, f"{path}/replay", limit=9) for it in page.json()["items"]
    ]
    (last,) = steps[-1:]
    version = last["event"]["version"]
    query = {"from": version - 1, "to": version, "limit": 1000}
    across = [it.json() for it in pages(auditor, f"{path}/diff", **query)]
    changes = [it for page in across for it in page["changes"]]

    assert len(last["changes"]) == MOST_TOLD
    assert last["left_out"]["event.fields.obligations"] == LAST - MOST_TOLD
    assert last["left_out"]["changes"] == across[0]["total"] - MOST_TOLD
    assert len(changes) == across[0]["total"] == len({it["path"] for it in changes})
    assert changes[:MOST_TOLD] == last["changes"]
    assert all(it["left_out"] == {} for it in steps if it["event"]["version"] in (2, 3, 4))


def test_a_cursor_of_one_case_or_span_leads_into_no_other(office: Served, long_case: str):
    """Each list of a case is bound to what was asked of which case."""
    auditor = office.client_for("auditor", DISTRICT)
    other = register(office.client_for("lead", EAST))["case_id"]
    for url in PAGED:
        cursor = auditor.get(f"/cases/{long_case}/{url}", params={"limit": 1}).json()["next"]
        earlier = {"to": 2} if url == "diff" else {"version": 2}
        for case_id, query in ((other, {}), (long_case, earlier)):
            answer = auditor.get(f"/cases/{case_id}/{url}", params={"cursor": cursor, **query})
            assert_problem(answer, 400, "cursor-invalid")
        assert_problem(
            office.client_for("auditor", EAST).get(
                f"/cases/{long_case}/{url}", params={"cursor": cursor}
            ),
            400,
            "cursor-invalid",
        )


@pytest.mark.parametrize(
    ("count", "days", "code"),
    [(ENTRIES + 1, DAYS, "malformed"), (DAYS + 1, DAYS + 1, "too-many-days")],
)
def test_a_paper_says_no_more_than_an_office_needs(
    office: Served, long_case: str, count: int, days: int, code: str
):
    """A thousand instalments on two hundred days; one more is refused and writes nothing."""
    mediator = office.client_for("mediator", EAST)
    shown = mediator.get(f"/cases/{long_case}").json()
    lines = [it["line_id"] for it in shown["lines"]]
    parties = [it["party_id"] for it in (*shown["applicants"], *shown["respondents"])]

    paper = {"signed_by_ids": parties, "obligations": entries(lines, count, days), "text": "和解"}
    answer = send(mediator, long_case, "record-settlement", shown["version"], **paper)
    assert_problem(answer, 422, code)
    assert mediator.get(f"/cases/{long_case}").json()["version"] == shown["version"]


@pytest.mark.parametrize("url", ["history", "replay"])
def test_as_of_an_earlier_time_a_case_is_read_once(
    office: Served, long_case: str, url: str, monkeypatch: pytest.MonkeyPatch
):
    """One reading of the stream answers who may see it, how far it had come, and what it was."""
    auditor = office.client_for("auditor", DISTRICT)
    position = auditor.get(f"/cases/{long_case}").headers["position"]
    auditor.get(f"/cases/{long_case}/{url}", params={"position": position})
    reads: list[str] = []
    for name in ("events_of", "fold"):
        monkeypatch.setattr(Log, name, counting(name, reads))

    for query in ({"position": position}, {"version": "4"}):
        reads.clear()
        answer = auditor.get(f"/cases/{long_case}/{url}", params=query)
        assert answer.status_code == 200, answer.text
        assert reads == ["events_of"]


def counting(name: str, reads: list[str]) -> Any:
    """Note each time a stream is read by this method."""
    method = getattr(Log, name)

    def counted(*args: Any, **kwargs: Any) -> Any:
        reads.append(name)
        return method(*args, **kwargs)

    return counted


def test_a_page_holds_one_item_however_large():
    """An event that is larger than a page by itself is told alone, and the rest follows."""
    items = ["x" * (PAGE_BYTES + 1), "y", "z" * PAGE_BYTES]

    assert fitting(items, 9) == ((items[0],), True)
    assert fitting(items[1:], 9) == (("y",), True)
    assert fitting(items[2:], 9) == ((items[2],), False)
    assert fitting(["a", "b", "c"], 2) == (("a", "b"), True)
    assert fitting(["a", "b"], 2) == (("a", "b"), False)
