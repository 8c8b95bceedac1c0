"""Sheets of paper cases over HTTP: bounded, resumed, approved, and refused without an echo."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api import commands
from api.importing.ledger import Entry, read_ledger
from api.routes import imports
from mediation.calendar import day_of
from tests.api.desk import CANARIES, assert_guarded, assert_problem, assert_silent, key, register
from tests.paper import XLSX, as_csv, as_xlsx, open_case, settled
from tests.serving import DISTRICT, EAST, FACTORY, WEST, Served

PATHS = (
    "/imports",
    "/imports/approvals?actor_id=c7f1b018-8c40-414f-bcaf-4dd39aca75aa",
)


@pytest.fixture
def lead(office: Served) -> httpx.Client:
    """The lead of the eastern street."""
    return office.client_for("lead", EAST)


@pytest.fixture
def clerk(office: Served) -> httpx.Client:
    """A clerk of the eastern street."""
    return office.client_for("clerk", EAST)


def fresh(count: int = 1, **changes: str) -> list[dict[str, str]]:
    """Give rows of cases that no other test has."""
    return [open_case(f"示例{uuid4().hex}", **changes) for _ in range(count)]


def closed(office: Served, **changes: str) -> dict[str, str]:
    """Give a row of a settled case that no other test has, mediated by the street's mediator."""
    mediator = str(office.accounts["mediator", EAST])
    return settled(f"示例{uuid4().hex}", 调解员=mediator, **changes)


def send(
    client: httpx.Client, data: bytes, kind: str = "text/csv", path: str = "/imports", **query: Any
) -> httpx.Response:
    """Send a sheet."""
    return client.post(path, content=data, headers={"Content-Type": kind}, params=query or None)


def statuses(response: httpx.Response) -> list[str]:
    """Give what became of each row."""
    assert response.status_code == 200, response.text
    assert_guarded(response)
    return [row["status"] for row in response.json()["rows"]]


def head(office: Served) -> int:
    """Give the last position of the log."""
    return office.engine.log.head().position


def test_a_sheet_is_recorded_row_by_row(office: Served, lead: httpx.Client):
    """Each row tells its case and number; the answer holds for the position it gives."""
    rows = [closed(office), *fresh(), *fresh(来源="x")]
    response = send(lead, as_csv(rows))
    told = response.json()

    assert statuses(response) == ["recorded", "recorded", "malformed"]
    assert told["counts"] == {"recorded": 2, "malformed": 1}
    assert told["next_row"] is None
    assert [row["row"] for row in told["rows"]] == [2, 3, 4]
    assert response.headers["Position"] == str(head(office))
    for row in told["rows"][:2]:
        case = lead.get(f"/cases/{row['case_id']}").json()
        assert case["case_number"] == row["case_number"]
    problem = told["rows"][2]["problem"]
    assert problem["errors"] == [{"pointer": "/4/Channel", "code": "unknown-code"}]
    assert problem["detail_i18n"]["zh"].startswith("第4行")


def test_the_same_sheet_in_another_format_records_nothing_twice(office: Served, lead: httpx.Client):
    """CSV with a charset, a workbook, and JSON with the sheet in it."""
    rows = fresh(2)
    assert statuses(send(lead, as_csv(rows))) == ["recorded"] * 2
    before = head(office)
    envelope = {"sheet": base64.b64encode(as_xlsx(rows)).decode()}

    again = [
        send(lead, as_csv(rows, encoding="gb18030"), "text/csv; charset=gb18030"),
        send(lead, as_xlsx(rows), XLSX),
        lead.post("/imports", json=envelope),
    ]

    assert [statuses(it) for it in again] == [["already"] * 2] * 3
    assert head(office) == before


def test_a_dry_run_writes_nothing(office: Served, lead: httpx.Client):
    """It says what would become of each row."""
    rows, before = fresh(2), head(office)

    assert statuses(send(lead, as_csv(rows), dry_run="true")) == ["would-record"] * 2
    assert head(office) == before


def test_a_long_sheet_goes_on_where_the_answer_says(lead: httpx.Client, monkeypatch):
    """So many cases a request; a case of several rows is one, and equal rows stay two."""
    monkeypatch.setattr(imports, "AT_ONCE", 2)
    twice, *others = fresh(4)
    data = as_csv([twice, others[0], twice, {**others[1], "案件序号": "1"}, others[2]])
    told, row = [], 1
    while row is not None:
        response = send(lead, data, from_row=row)
        assert statuses(response) == ["recorded"] * len(response.json()["rows"])
        told.append([it["row"] for it in response.json()["rows"]])
        row = response.json()["next_row"]

    assert told == [[2, 3], [4, 5], [6]]
    assert statuses(send(lead, data, from_row=4)) == ["already", "already"]


def test_late_rows_are_approved_by_sending_the_same_sheet(office: Served, clerk, lead):
    """The lead draws approvals for the clerk, who sends them along with the sheet."""
    data = as_csv([*fresh(日期="2026-02-20"), *fresh()])
    refused = send(clerk, data)
    who = clerk.get("/me").json()["account_id"]
    drawn = send(lead, data, path="/imports/approvals", actor_id=who)
    envelope = {
        "sheet": base64.b64encode(data).decode(),
        "approvals": drawn.json()["approvals"],
    }

    assert statuses(refused) == ["refused", "recorded"]
    problem = refused.json()["rows"][0]["problem"]
    assert [it["code"] for it in problem["refusals"]] == ["back-dating-needs-approval"]
    assert statuses(drawn) == ["approved", "already"]
    assert statuses(clerk.post("/imports", json=envelope)) == ["recorded", "already"]
    case_id = clerk.post("/imports", json=envelope).json()["rows"][0]["case_id"]
    registered = clerk.get(f"/cases/{case_id}/history").json()["items"][0]
    assert registered["approved_by_ids"] == [lead.get("/me").json()["account_id"]]


def test_a_settled_case_of_ten_days_ago_is_typed_in_whole(office: Served, lead: httpx.Client):
    """Paper first: every fact has its own date, and the case is closed on the day of the import."""
    # The office is shared: its clock may have been moved on since it opened.
    then = day_of(office.clock()) - timedelta(days=10)
    paid = then + timedelta(days=4)
    row = closed(office, 日期=str(then), 时间="10:00", 履行日=str(paid), 是否已履行="是")
    response = send(lead, as_csv([row]))

    assert statuses(response) == ["recorded"]
    case_id = response.json()["rows"][0]["case_id"]
    history = lead.get(f"/cases/{case_id}/history").json()["items"]
    by_topic = {it["topic"].removesuffix("/1"): it for it in history}
    assert by_topic["case.registered"]["occurred_at"] == f"{then}T02:00:00Z"
    begins = f"{paid - timedelta(days=1)}T16:00"
    assert by_topic["case.obligation-performed"]["occurred_at"].startswith(begins)
    assert by_topic["case.closed"]["late_days"] == 0
    assert by_topic["case.registered"]["late_days"] == 10


def test_the_body_of_another_street_is_none_of_his_business(office: Served, lead: httpx.Client):
    """A row that names a body where he holds no role is refused like any command."""
    assert statuses(send(lead, as_csv(fresh(登记单位=WEST)))) == ["refused"]
    assert statuses(send(lead, as_csv(fresh(登记单位="nowhere")))) == ["refused"]


NO_SHEETS = {
    "nothing": (b"", "text/csv", 422, "sheet-no-heading"),
    "a name": (CANARIES[0].encode(), "text/csv", 422, "sheet-no-heading"),
    "brackets": (b"[" * 100, "text/csv", 422, "sheet-no-heading"),
    "an unknown column": (
        as_csv([], ["日期", "来源", "职工", CANARIES[0]]),
        "text/csv",
        422,
        "sheet-columns",
    ),
    "half a workbook": (b"PK\x03\x04" + bytes(100), XLSX, 422, "sheet-unreadable"),
    "an old workbook": (b"\xd0\xcf\x11\xe0" + bytes(9), XLSX, 422, "sheet-old-or-locked"),
    "too much": (b"x" * (2**20 + 1), "text/csv", 413, "too-large"),
    "another type": (as_csv([]), "text/plain", 415, "wrong-content-type"),
    "no type": (b"", "", 415, "wrong-content-type"),
    "no field": (b"{}", "application/json", 422, "malformed"),
    "no base64": (b'{"sheet": "?"}', "application/json", 422, "malformed"),
    "no approvals": (
        b'{"sheet": "QQ==", "approvals": {"a": 1}}',
        "application/json",
        422,
        "malformed",
    ),
    "no JSON": (b"no json", "application/json", 400, "not-json"),
    "deep JSON": (b"[" * 100, "application/json", 400, "too-deep"),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("what", NO_SHEETS)
def test_what_is_no_sheet_is_refused_as_a_whole(
    office: Served, lead: httpx.Client, path: str, what: str
):
    """With what to do, and nothing of what was sent."""
    data, kind, status, code = NO_SHEETS[what]
    before = head(office)
    response = lead.post(path, content=data, headers={"Content-Type": kind})

    assert_problem(response, status, code)
    assert head(office) == before


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"dry_run": "perhaps"}, 422),
        ({"from_row": "0"}, 422),
        ({"from_row": "x"}, 422),
        ({"other": "1"}, 422),
        ({"from_row": "99999"}, 200),
    ],
)
def test_a_wrong_parameter_is_named(lead: httpx.Client, query: dict[str, str], status: int):
    """Beyond the last row there is nothing to do."""
    response = send(lead, as_csv(fresh()), **query)

    if status == 200:
        assert statuses(response) == []
    else:
        assert_problem(response, status, "malformed")


@pytest.mark.parametrize("path", PATHS)
def test_nobody_imports_without_a_token(office: Served, path: str):
    """And for whom is approved has to be said."""
    with office.client() as anybody:
        assert_problem(send(anybody, as_csv(fresh()), path=path), 401, "not-authenticated")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body_id", [DISTRICT, EAST])
def test_who_may_register_nothing_is_turned_away_before_the_sheet_is_read(
    office: Served, path: str, body_id: str
):
    """Whatever it is; a liaison officer, who may register, is told what is wrong with it."""
    auditor, liaison = office.client_for("auditor", body_id), office.client_for("liaison", FACTORY)
    before = head(office)

    for data, kind in ((as_csv(fresh()), "text/csv"), (b"x", XLSX), (b"x", "application/json")):
        assert_problem(send(auditor, data, kind, path=path), 403, "not-permitted")
    assert_problem(send(liaison, b"x", path=path), 422, "sheet-no-heading")
    assert head(office) == before


def test_sheets_wait_for_one_another_and_commands_for_none(
    lead: httpx.Client, monkeypatch: pytest.MonkeyPatch
):
    """More sheets than there are commands at once: one is read, and a case is registered."""
    sheets, reading = commands.AT_ONCE + 1, list[int]()
    started, go_on = Event(), Event()

    def slowly(data: bytes) -> list[Entry]:
        reading.append(len(data))
        started.set()
        assert go_on.wait(30)
        return read_ledger(data)

    monkeypatch.setattr(imports, "read_ledger", slowly)
    with ThreadPoolExecutor(sheets) as pool:
        sent = [pool.submit(send, lead, as_csv([])) for _ in range(sheets)]
        try:
            assert started.wait(30)
            register(lead)
            assert len(reading) == 1
        finally:
            go_on.set()
        assert [statuses(it.result()) for it in sent] == [[]] * sheets
    assert len(reading) == sheets


def test_more_approvals_than_a_row_can_need_are_refused(clerk: httpx.Client):
    """The row says so by itself, and four are still looked at."""
    data = as_csv(fresh(日期="2026-02-20"))
    row_key = send(clerk, data).json()["rows"][0]["key"]

    def problem_with(approvals: int) -> dict[str, Any]:
        envelope = {
            "sheet": base64.b64encode(data).decode(),
            "approvals": {row_key: ",".join(["x"] * approvals)},
        }
        response = clerk.post("/imports", json=envelope)
        assert_guarded(response)
        problem: dict[str, Any] = response.json()["rows"][0]["problem"]
        return problem

    assert problem_with(5)["code"] == "approvals-too-many"
    assert [it["code"] for it in problem_with(4)["refusals"]] == ["approval-not-genuine"]


def test_for_whom_is_approved_has_to_be_said(lead: httpx.Client):
    """By the id of the account."""
    assert_problem(send(lead, as_csv(fresh()), path="/imports/approvals"), 422, "malformed")


@pytest.mark.parametrize("path", ["/cases", "/approvals", "/cases/commands/register-and-accept"])
def test_a_sheet_is_taken_nowhere_else(lead: httpx.Client, path: str):
    """Every other address takes JSON alone."""
    response = lead.post(path, content=as_csv([]), headers={"Content-Type": "text/csv", **key()})

    assert_problem(response, 415, "wrong-content-type")


def test_nothing_that_was_typed_in_comes_back(lead: httpx.Client, clerk: httpx.Client):
    """Neither of a row that is recorded, nor of one that is refused or malformed."""
    name, phone = CANARIES
    rows = [
        settled(name, 联系方式=phone, 请求=name),
        settled(name, 联系方式=phone, 来源=name),
        settled(name, 日期="2026-03-20", 单位=name, 登记单位=name),
    ]
    for client in (lead, clerk):
        response = send(client, as_csv(rows))
        assert response.status_code == 200
        assert_silent(response)
