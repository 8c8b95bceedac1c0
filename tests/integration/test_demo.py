"""The demo is played once on each database; what it shows, writes and leaves is looked at."""

from __future__ import annotations

import copy
import io
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import httpx
import pytest
from sqlalchemy.engine import make_url

from api.demo import report, stories
from api.demo.district import CAPACITIES, POINTS, PUBLISHED_COUNT, STAFF
from api.demo.office import DemoFailed, Office
from api.demo.run import run
from api.demo.screen import NOTICE, Progress, Words, padded, table, width
from api.settings import Settings
from mediation.errors import Unsafe
from mediation.ladder import load_ref
from mediation.store import Log, open_engine
from tests.canary import find_in_database, find_in_folder
from tests.databases import BACKENDS, fresh_postgresql, fresh_sqlite

ROOT = Path(__file__).parents[2]

BEGUN = ["mediators-assigned", "assignment-confirmed", "rights-notice-served ×2"]
CLIMBED = ["custody-move-requested", "transfer-sheet-recorded ×2", "escalated"]
EIGHT_WORKERS = [
    "registered",
    "flagged",
    "consent-recorded ×9",
    "accepted",
    "mediators-assigned",
    "assignment-confirmed",
    "rights-notice-served ×9",
    "session-held",
    "undertaking-given",
    "mediation-concluded",
    "obligation-performed ×8",
    "obligations-fully-performed",
    "closed",
]
CLIMB = [
    "registered",
    "consent-recorded ×2",
    "accepted",
    *[*BEGUN, "session-held", *CLIMBED] * 3,
    *BEGUN,
    "session-held",
]
REAL_IDS = {point.body_id for point in POINTS if point.is_real}
REAL_WORDS = ("美多", "法奥", "西城", "Meiduo", "Fa'ao", "Xicheng", "meiduo", "faao", "xicheng")
"""What must not occur in an invented case: every name of the press but that of the top."""


SEALED = ["示例职工一", "示例职工甲"]


class Played(NamedTuple):
    """A demo that was played to its end: what it printed as JSON, and where its data lie."""

    document: dict[str, Any]
    folder: Path
    database: str


def play(database: str, folder: Path) -> Played:
    """Play the demo in this process and stop."""
    out = io.StringIO()
    settings = Settings(database_url=database, port=0)
    assert run(once=True, data_dir=folder, as_json=True, settings=settings, out=out) == 0
    return Played(json.loads(out.getvalue()), folder, database)


@pytest.fixture(scope="module")
def sqlite_demo(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The demo on SQLite files."""
    folder = tmp_path_factory.mktemp("demo")
    return play(fresh_sqlite(folder), folder)


@pytest.fixture(scope="module")
def postgresql_demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """The demo on PostgreSQL."""
    with fresh_postgresql(request.getfixturevalue("postgresql_cluster")) as url:
        yield play(url, tmp_path_factory.mktemp("demo"))


@pytest.fixture(params=BACKENDS)
def played(request: pytest.FixtureRequest) -> Played:
    """The demo, played once on each kind of database."""
    found: Played = request.getfixturevalue(f"{request.param}_demo")
    return found


def runs(history: list[dict[str, Any]]) -> list[str]:
    """Give the events without prefix and version, the same in a row as one with its number."""
    told: list[tuple[str, int]] = []
    for item in history:
        name = item["topic"].removeprefix("case.").partition("/")[0]
        count = told.pop()[1] + 1 if told and told[-1][0] == name else 1
        told.append((name, count))
    return [f"{name} ×{count}" if count > 1 else name for name, count in told]


def require_order(history: list[dict[str, Any]], expected: list[str]) -> None:
    """Require exactly these events in this order, at times that never go back."""
    assert runs(history) == expected
    times = [item["occurred_at"] for item in history]
    assert times == sorted(times)
    assert [item["recorded_at"] for item in history] == times


def require_no_real_name(events: dict[str, list[bytes]]) -> None:
    """Require that no stored event of an invented case holds a name or id from the press."""
    for name, stored in events.items():
        for word in REAL_WORDS:
            assert not any(word.encode() in state for state in stored), f"{word} in {name}"


def stored_events(played: Played, *, published: bool) -> dict[str, list[bytes]]:
    """Read the bytes of every event of the published, or of all invented cases, from the log."""
    engine = open_engine(played.database)
    try:
        with Log(engine, clock=lambda: pytest.fail("reading asks no clock")) as log:
            return {
                name: [bytes(it.state) for it in log.events_of(UUID(case["case_id"]))]
                for name, case in played.document["cases"].items()
                if case["is_published"] is published
            }
    finally:
        engine.dispose()


# The district


def test_the_district_has_76_points_on_four_levels():
    """The published count is kept, every parent comes first and stands higher, prefixes differ."""
    ladder = load_ref("standard-v1")
    places = {point.body_id: point for point in POINTS}

    assert len(places) == len(POINTS) == PUBLISHED_COUNT
    assert {point.level for point in POINTS} == {level.code for level in ladder.levels}
    assert len({point.number_prefix for point in POINTS}) == PUBLISHED_COUNT
    assert {point.kind for point in POINTS} == set(CAPACITIES)
    assert set(STAFF) <= set(places)
    for at, point in enumerate(POINTS[1:], start=1):
        parent = places[point.parent_id or ""]
        assert POINTS.index(parent) < at
        assert ladder.rank(parent.level) > ladder.rank(point.level)


def test_only_names_from_the_press_are_real():
    """Four points bear a published name; all the others say that they are samples."""
    assert [point.name_zh for point in POINTS if point.is_real] == [
        "黄岩区总工会（演示）",
        "西城街道总工会",
        "台州美多模具",
        "法奥塑模",
    ]
    for point in POINTS:
        if not point.is_real:
            assert point.name_zh.startswith("示例")
            assert point.name_en.startswith("Sample ")


def test_the_eight_claims_add_up_to_the_published_sum():
    """Each worker's amount is made up, their sum of 100,000 yuan is not."""
    assert len(stories.EIGHT_CLAIMS_FEN) == 8
    assert sum(stories.EIGHT_CLAIMS_FEN) == 10_000_000


# What was played


def test_the_network_counts_76(played):
    """The network read back over HTTP has the published number of points."""
    network = played.document["network"]

    assert network["service_points"] == PUBLISHED_COUNT
    assert network["by_level"] == {
        "district": 1,
        "township": 12,
        "village-industry": 24,
        "enterprise": 39,
    }
    assert {it["body_id"] for it in network["points"] if it["is_real_name"]} == REAL_IDS


def test_the_published_story_happens_in_its_order(played):
    """Eight workers: promised on day 0, paid in full on day 4, without anything of an agreement."""
    case = played.document["cases"]["eight-workers"]

    require_order(case["history"], EIGHT_WORKERS)
    assert case["history"][0]["occurred_at"].startswith("2015-12-31")
    assert case["claimed_fen"] == case["agreed_fen"] == case["paid_fen"] == 10_000_000
    assert (case["concluded_after_days"], case["performed_after_days"]) == (0, 4)
    assert (case["phase"], case["outcome"], case["risk"]) == ("CLOSED", "SETTLED", "YELLOW")
    codes = {due["code"] for item in case["history"] for due in item["due"]}
    assert not codes & {"D08", "D09"}


def test_the_invented_case_climbs_all_four_levels_within_one_term(played):
    """Three climbs; the statutory term is set once; with four days left the sheets ask."""
    case = played.document["cases"]["climb"]
    history = case["history"]

    require_order(history, CLIMB)
    assert (case["level"], case["phase"]) == ("district", "MEDIATING")
    due = [(it["code"], it["due_on"]) for item in history for it in item["due"]]
    assert [day for code, day in due if code == "D02"] == ["2026-03-17"]
    assert max(day for code, day in due if code == "D13") == "2026-03-17"
    asked = [it["fields"] for it in history if "days_left" in it["fields"]]
    assert [it["days_left"] for it in asked] == [12, 8, 4]
    answers = [it["fields"]["extension"] for it in history if "extension" in it["fields"]]
    assert answers == [None, None, None, None, True, False]
    taken = [it["occurred_at"][:10] for it in history if it["topic"] == "case.escalated/1"]
    assert taken == ["2026-03-06", "2026-03-10", "2026-03-13"]


def test_an_order_that_is_not_the_storys_is_found(played):
    """The check of the order is red when two events change places, or a time goes back."""
    history = played.document["cases"]["climb"]["history"]
    swapped = [history[1], history[0], *history[2:]]
    backwards = copy.deepcopy(history)
    backwards[-1]["occurred_at"] = backwards[-1]["recorded_at"] = history[0]["occurred_at"]

    for broken in (swapped, history[:-1], backwards):
        with pytest.raises(AssertionError):
            require_order(broken, CLIMB)


def test_no_invented_case_holds_a_name_from_the_press(played):
    """Invented cases lie at sample points, the climb at its end at the top, and name nobody."""
    cases = played.document["cases"]

    assert [name for name, case in cases.items() if case["is_published"]] == ["eight-workers"]
    for name, case in cases.items():
        if not case["is_published"] and name != "climb":
            assert case["body_id"] not in REAL_IDS
    require_no_real_name(stored_events(played, published=False))


def test_a_name_from_the_press_in_an_invented_case_is_found(played):
    """The search is red on the published story taken for an invented one."""
    with pytest.raises(AssertionError, match="eight-workers"):
        require_no_real_name(stored_events(played, published=True))


def test_the_lanes_show_something_on_every_level(played):
    """Small cases lie in their lanes, and every level has a case at hand."""
    document = played.document
    counts = {it["lane"]: it["by_level"] for it in document["lanes"]}

    assert set(document["at_hand"]) == {it["code"] for it in document["levels"]}
    assert sum(document["at_hand"].values()) == len(document["cases"]) - 1
    for lane, level in (
        ("incoming", "township"),
        ("to-ask", "village-industry"),
        ("to-assign", "township"),
        ("to-confirm", "village-industry"),
        ("mediating", "district"),
        ("performing", "enterprise"),
        ("risk", "township"),
    ):
        assert counts[lane].get(level, 0) >= 1, lane


def test_the_tokens_lie_in_a_file_for_its_owner_only(played):
    """`demo.json` names the address, a token for each role at each body, and the cases."""
    path = played.folder / "demo.json"
    stored = json.loads(path.read_text(encoding="utf-8"))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert played.document["tokens_file"] == str(path)
    assert stored["url"] == played.document["url"]
    expected = {f"{role}@{body_id}" for body_id, roles in STAFF.items() for role in roles}
    assert set(stored["tokens"]) == expected | {"coordinator@huangyan"}
    assert len(set(stored["tokens"].values())) == len(stored["tokens"])
    shown = {name: case["case_id"] for name, case in played.document["cases"].items()}
    assert stored["cases"] == shown


def test_what_is_shown_holds_no_token_and_no_sealed_name(played):
    """Neither the document nor the database nor the folder tells a worker's name."""
    shown = json.dumps(played.document, ensure_ascii=False)
    tokens = json.loads((played.folder / "demo.json").read_text(encoding="utf-8"))["tokens"]

    assert not any(token in shown for token in tokens.values())
    assert find_in_folder(played.folder, SEALED) == []
    found = find_in_database(played.database, [*SEALED, "示例用人单位甲"])
    assert {it.canary for it in found} == {"示例用人单位甲"}


def test_nothing_is_left_running(played):
    """After `--once` nobody listens any more."""
    address = make_url(played.document["url"])
    with socket.socket() as client:
        assert client.connect_ex((address.host, address.port)) != 0


def test_a_second_demo_in_the_same_store_is_refused(played):
    """A demo wants a fresh store and says so, before anything is written."""
    settings = Settings(database_url=played.database, port=0)
    with pytest.raises(Unsafe) as refused:
        run(once=True, data_dir=played.folder, settings=settings, out=io.StringIO())

    assert refused.value.code == "demo-not-fresh"


def test_a_port_that_is_taken_is_told(tmp_path):
    """Where the server cannot listen, the demo ends and says what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Unsafe) as refused:
            run(once=True, port=port, data_dir=tmp_path, settings=Settings(), out=io.StringIO())

    assert refused.value.code == "demo-not-started"


def test_a_refused_step_ends_the_demo_and_names_the_step():
    """A step the server refuses is no step: the demo says which one it was, and why."""
    problem = {
        "type": "urn:mediation:problem:not-found",
        "title_i18n": {"zh": "未找到", "en": "Not found"},
    }
    for answer in (httpx.Response(404, json=problem), httpx.Response(502, text="")):
        transport = httpx.MockTransport(lambda _request, answer=answer: answer)
        with httpx.Client(transport=transport, base_url="http://demo.invalid") as http:
            office = Office(http, {"lead@xicheng": "token"}, lambda: None)
            with pytest.raises(DemoFailed, match=f"GET /network → {answer.status_code}"):
                office.get("lead@xicheng", "/network")


# What it looks like


def test_every_page_says_that_it_is_synthetic(played):
    """Chinese first, English beside it, on every page; the tables stand in columns."""
    lines = report.pages(played.document)
    titles = [at for at, line in enumerate(lines) if line.startswith("━━")]

    assert len(titles) == 5
    for at in titles:
        assert NOTICE[0] in lines[at + 1]
        assert NOTICE[1] in lines[at + 1]
    assert "已记录意愿 ×9" in "\n".join(lines)
    assert "100,000.00" in "\n".join(lines)
    assert max(width(line) for line in lines if "─" in line) <= 140


def test_columns_hold_for_wide_characters():
    """A Chinese character takes two columns, so what stands beside it is not pushed aside."""
    assert width("案件 A·1") == 8
    assert padded("案", 4) + "|" == "案  |"
    assert padded("1", 3, right=True) == "  1"
    lines = table(
        [Words("层级", "Level"), Words("数", "No.")],
        [("村社（行业）", "7"), (("区", "top"), "12")],
        right=[1],
    )

    assert lines == [
        "层级           数",
        "Level         No.",
        "────────────  ───",
        "村社（行业）    7",
        "区             12",
        "top",
    ]


class Terminal(io.StringIO):
    """A screen that says it is one."""

    def isatty(self) -> bool:
        """Claim to be a terminal."""
        return True


@pytest.mark.parametrize(("out", "moves"), [(io.StringIO(), False), (Terminal(), True)])
def test_progress_is_a_moving_bar_only_on_a_terminal(out, moves):
    """In a pipe or a log progress is plain lines."""
    progress = Progress(out, 1)
    with progress.stage("开设", "opening"):
        progress.step()
        progress.step()

    assert out.getvalue().endswith("[1/1] 开设 · opening … 2 步 steps ✓\n")
    assert ("\r" in out.getvalue()) is moves


# Served until it is interrupted


def test_the_demo_serves_until_it_is_interrupted(tmp_path):
    """The command goes on serving with the tokens it wrote, and ends cleanly on an interrupt."""
    environment = {key: it for key, it in os.environ.items() if not key.startswith("MEDIATION_")}
    command = "from api.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", command, "demo", "--data-dir", str(tmp_path / "new")],
        cwd=ROOT,
        env=environment | {"PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        try:
            assert process.stdout is not None
            printed = ""
            for line in process.stdout:
                printed += line
                if "Ctrl-C" in line:
                    break
            stored = json.loads((tmp_path / "new" / "demo.json").read_text(encoding="utf-8"))
            answer = httpx.get(
                f"{stored['url']}/worklist",
                params={"lane": "mediating"},
                headers={"Authorization": f"Bearer {stored['tokens']['lead@huangyan']}"},
                trust_env=False,
            )
            process.send_signal(signal.SIGINT)
            printed += process.stdout.read()
            code = process.wait(timeout=30)
        finally:
            process.kill()

    assert [it["case_id"] for it in answer.json()["items"]] == [stored["cases"]["climb"]]
    assert stored["url"] in printed
    assert not any(token in printed for token in stored["tokens"].values())
    assert printed.rstrip().endswith("已停止 · stopped")
    assert code == 0
