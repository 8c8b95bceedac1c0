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

from api.demo.district import POINTS, PUBLISHED_COUNT, STAFF, SUBCENTRE
from api.demo.pages import COLUMNS, pages, story_page
from api.demo.progress import NOTICE
from api.demo.run import run
from api.demo.stories import STORIES, two_machines
from api.screen import width
from api.settings import Settings
from mediation.errors import Unsafe
from mediation.store import Log, open_engine
from tests.canary import find_in_database, find_in_folder
from tests.databases import BACKENDS, fresh_postgresql, fresh_sqlite

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]

BEGUN = ["mediators-assigned", "assignment-confirmed", "rights-notice-served ×2"]
CLIMBED = ["custody-move-requested", "transfer-sheet-recorded ×2", "escalated"]
HISTORIES = {
    "two-machines": [
        "registered",
        "demand-relayed",
        "demand-answered",
        "demand-fed-back",
        "contract-change-confirmed",
        "obligation-performed",
        "obligations-fully-performed",
        "closed",
    ],
    "restaurant": [
        "registered",
        "flagged ×2",
        "collective-confirmed",
        "urgent-report-filed",
        "urgent-report-acknowledged ×2",
        "aid-granted",
        "counsel-appointed ×2",
        "proceeding-opened",
        "proceeding-updated",
        "proceeding-opened",
        "proceeding-updated",
        "obligations-set",
        "obligation-performed ×34",
        "obligations-fully-performed",
        "closed",
    ],
    "eight-workers": [
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
    ],
    "climb": [
        "registered",
        "consent-recorded ×2",
        "accepted",
        *[*BEGUN, "session-held", *CLIMBED] * 3,
        *BEGUN,
        "session-held",
        "statutory-term-lapsed",
        "mediation-failed",
        "mediation-concluded",
        "remedies-notice-served ×2",
        "remedy-route-taken",
        "proceeding-updated ×2",
        "obligations-set",
    ],
    "one-form": [
        "registered",
        "consent-recorded ×2",
        "accepted",
        *BEGUN,
        "session-held",
        "oral-agreement-recorded",
        "mediation-concluded",
        "obligation-performed",
        "obligations-fully-performed",
        "closed",
    ],
}
PUBLISHED = ["two-machines", "restaurant", "eight-workers"]
REFUSED = {
    "two-machines": ["wrong-matter"],
    "restaurant": ["counsel-never-mediates"],
    "eight-workers": [],
    "climb": ["top-of-ladder"],
    "one-form": ["sum-too-large"],
}
LANES = {
    "incoming": "township",
    "to-accept": "village-industry",
    "to-ask": "village-industry",
    "to-assign": "township",
    "to-confirm": "village-industry",
    "mediating": "village-industry",
    "to-sign": "township",
    "performing": "district",
    "due-today": "enterprise",
    "to-cure": "village-industry",
    "to-archive": "district",
    "risk": "township",
}
REAL_IDS = {point.body_id for point in POINTS if point.is_real}
REAL_WORDS = ("美多", "法奥", "西城", "Meiduo", "Fa'ao", "Xicheng", "meiduo", "faao", "xicheng")
"""What must not occur in an invented case: every name of the press but that of the top."""

SEALED = ["小林（", "示例餐饮职工01", "示例职工一", "示例职工甲", "示例职工庚", "双机津贴"]


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


def started(case: dict[str, Any]) -> list[str]:
    """Give the codes of the dates that a case started, in order."""
    return [due["code"] for item in case["history"] for due in item["due"]]


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


# What was played


def test_the_network_counts_76(played):
    """The network read back over HTTP has the published number of points, and one body beside."""
    network = played.document["network"]

    assert network["service_points"] == PUBLISHED_COUNT
    assert network["by_level"] == {
        "district": 1,
        "township": 12,
        "village-industry": 24,
        "enterprise": 39,
    }
    assert {it["body_id"] for it in network["points"] if it["is_real_name"]} == REAL_IDS
    assert [it["body_id"] for it in network["beside"]] == [SUBCENTRE.body_id]
    assert network["beside"][0]["parent_id"] is None


def test_what_was_known_at_the_end_of_each_story_is_answered_again(played):
    """Figures, lanes and histories as of five moments, one of them of last month, are as then."""
    moments = played.document["moments"]

    assert [it["is_same"] for it in moments] == [True] * len(STORIES)
    assert [it["figures"]["F01"]["parts"]["registered"] for it in moments] == [0, 1, 2, 2, 3]
    assert [it["figures"]["F02"]["parts"]["concluded"] for it in moments] == [0, 1, 2, 2, 3]
    assert any(it["at"].startswith("2026-04-") for it in moments)
    assert played.document["today"].startswith("2026-05-")


def test_the_figures_are_those_of_the_stories(played):
    """Of aid, demand and disputes each its own; every identity closes, on the page as well."""
    figures = {it["formula"]: it for it in played.document["figures"]["figures"]}
    parts = {code: {it["key"]: it for it in figures[code]["parts"]} for code in figures}

    assert [it["balances"] for it in figures.values() if it["balances"] is not None] == [True] * 5
    assert (figures["F06"]["numerator"], figures["F06"]["denominator"]) == (3, 4)
    assert (figures["F07"]["numerator"], figures["F07"]["denominator"]) == (1, 2)
    assert parts["F20"]["granted"]["workers"] == 34
    assert parts["F15"]["aid-litigation"]["value"] == 20_000_000
    assert figures["F15"]["value"] == 10_000_000 + 120_000
    assert parts["F19"]["granted"]["value"] == 1
    printed = "\n".join(pages(played.document))
    assert "登记11 ＝ 新受理8＋期末3" in printed


@pytest.mark.parametrize("name", HISTORIES)
def test_a_story_happens_in_its_order(played, name):
    """Each story leaves exactly its events, in their order, and what must not be was refused."""
    case = played.document["cases"][name]

    require_order(case["history"], HISTORIES[name])
    assert [it["code"] for it in case["attempts"]] == REFUSED[name]
    assert case["is_published"] is (name in PUBLISHED)


def test_a_wish_is_granted_without_anything_of_a_mediation(played):
    """Xiaolin: no clock of a mediation starts; his supervisor sat in; the visit in three months."""
    case = played.document["cases"]["two-machines"]
    relayed = next(it for it in case["history"] if it["topic"] == "case.demand-relayed/1")

    assert (case["matter_kind"], case["phase"], case["level"]) == ("DEMAND", "CLOSED", "enterprise")
    assert case["history"][0]["role"] == "liaison"
    assert relayed["fields"]["also_present"] == ["employer-side"]
    assert started(case) == ["D23", "D10", "D25", "D18"]
    assert [it["code"] for it in case["open_dates"]] == ["D18", "D25"]
    assert case["outcome"] is None
    assert case["agreed_fen"] == case["paid_fen"] == two_machines.MONTHLY_FEN


def test_34_workers_are_paid_through_court(played):
    """The restaurant: red, reported within two hours, in court, everybody paid in September."""
    case = played.document["cases"]["restaurant"]
    reported = next(it for it in case["history"] if it["topic"] == "case.urgent-report-filed/1")
    paid = [it for it in case["history"] if it["topic"] == "case.obligation-performed/1"]

    assert (case["matter_kind"], case["phase"], case["risk"]) == ("AID", "CLOSED", "RED")
    assert case["body_id"] == SUBCENTRE.body_id
    assert case["workers"] == len(paid) == 34
    assert case["claimed_fen"] == case["agreed_fen"] == case["paid_fen"] == 20_000_000
    assert {it["occurred_at"][:7] for it in paid} == {"2015-09"}
    assert reported["fields"]["addressees"] == ["party-government", "upper-union"]
    assert started(case) == ["D26", "D16", "D16", "D10", "D18"]
    assert case["outcome"] is None


def test_eight_workers_are_paid_on_a_promise(played):
    """Promised on day 0, paid in full on day 4, without anything of an agreement."""
    case = played.document["cases"]["eight-workers"]

    assert case["history"][0]["occurred_at"].startswith("2015-12-31")
    assert case["claimed_fen"] == case["agreed_fen"] == case["paid_fen"] == 10_000_000
    assert (case["concluded_after_days"], case["performed_after_days"]) == (0, 4)
    assert (case["phase"], case["outcome"], case["risk"]) == ("CLOSED", "SETTLED", "YELLOW")
    assert not {"D08", "D09"} & set(started(case))


def test_the_invented_case_climbs_all_four_levels_within_one_term(played):
    """Three climbs; the statutory term is set once; with four days left the sheets ask."""
    case = played.document["cases"]["climb"]
    history = case["history"]

    due = [(it["code"], it["due_on"]) for item in history for it in item["due"]]
    assert case["level"] == "district"
    assert [day for code, day in due if code == "D02"] == ["2026-03-17"]
    assert max(day for code, day in due if code == "D13") == "2026-03-17"
    asked = [it["fields"] for it in history if "days_left" in it["fields"]]
    assert [it["days_left"] for it in asked] == [12, 8, 4]
    answers = [it["fields"]["extension"] for it in history if "extension" in it["fields"]]
    assert answers == [True, False]
    taken = [it["occurred_at"][:10] for it in history if it["topic"] == "case.escalated/1"]
    assert taken == ["2026-03-06", "2026-03-10", "2026-03-13"]


def test_a_term_that_nobody_extends_lapses_by_itself_and_the_worker_goes_to_arbitration(played):
    """The timer records the lapse at midnight; the case failed, and its payment is tracked on."""
    case = played.document["cases"]["climb"]
    lapsed = next(it for it in case["history"] if it["topic"] == "case.statutory-term-lapsed/1")
    updated = [it for it in case["history"] if it["topic"] == "case.proceeding-updated/1"]

    assert lapsed["role"] == "system"
    assert lapsed["occurred_at"] == "2026-03-17T16:00:00Z"
    assert (case["outcome"], case["phase"]) == ("FAILED", "PERFORMING")
    assert [it["fields"].get("result") for it in updated] == [None, "arbitral-mediation"]
    assert [it["code"] for it in case["open_dates"]] == ["D10"]


def test_one_form_writes_a_whole_case_at_once(played):
    """One person, one submission, rehearsed before; the upper body looks into it afterwards."""
    case = played.document["cases"]["one-form"]

    assert {it["role"] for it in case["history"]} == {"mediator"}
    # The rehearsal counts the number of the case too, which stands in a stream of its own.
    assert case["rehearsed"] == len(case["history"]) + 1
    assert (case["outcome"], case["concluded_after_days"]) == ("AGREED", 0)
    assert [it["code"] for it in case["open_dates"]] == ["D24", "D18"]


def test_what_a_report_does_not_tell_is_marked(played):
    """In published stories the added steps bear a mark; in invented ones nothing has to."""
    cases = played.document["cases"]
    added = {name: runs([it for it in cases[name]["history"] if it["added"]]) for name in HISTORIES}

    assert added["two-machines"] == ["demand-fed-back", "contract-change-confirmed", "closed"]
    assert added["restaurant"] == [
        "collective-confirmed",
        "urgent-report-filed",
        "urgent-report-acknowledged ×2",
        "proceeding-opened",
        "proceeding-updated",
        "closed",
    ]
    assert set(HISTORIES["eight-workers"]) - set(added["eight-workers"]) == {
        "registered",
        "flagged",
        "undertaking-given",
        "obligation-performed ×8",
        "obligations-fully-performed",
    }
    assert added["climb"] == added["one-form"] == []


def test_an_order_that_is_not_the_storys_is_found(played):
    """The check of the order is red when two events change places, or a time goes back."""
    history = played.document["cases"]["climb"]["history"]
    swapped = [history[1], history[0], *history[2:]]
    backwards = copy.deepcopy(history)
    backwards[-1]["occurred_at"] = backwards[-1]["recorded_at"] = history[0]["occurred_at"]

    for broken in (swapped, history[:-1], backwards):
        with pytest.raises(AssertionError):
            require_order(broken, HISTORIES["climb"])


def test_no_invented_case_holds_a_name_from_the_press(played):
    """Invented cases lie at sample points, the climb at its end at the top, and name nobody."""
    cases = played.document["cases"]

    assert [name for name, case in cases.items() if case["is_published"]] == [
        "restaurant",
        "eight-workers",
        "two-machines",
    ]
    for name, case in cases.items():
        if not case["is_published"] and name != "climb":
            assert case["body_id"] not in REAL_IDS
    require_no_real_name(stored_events(played, published=False))


def test_a_name_from_the_press_in_an_invented_case_is_found(played):
    """The search is red on the published stories taken for invented ones."""
    with pytest.raises(AssertionError, match="eight-workers"):
        require_no_real_name(stored_events(played, published=True))


def test_the_lanes_show_something_on_every_level(played):
    """Small cases lie in their lanes, and every level has a case at hand."""
    document = played.document
    counts = {it["lane"]: it["by_level"] for it in document["lanes"]}
    closed = [it for it in document["cases"].values() if it["phase"] == "CLOSED"]

    assert set(document["at_hand"]) == {it["code"] for it in document["levels"]}
    assert sum(document["at_hand"].values()) == len(document["cases"]) - len(closed)
    for lane, level in LANES.items():
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


# What it looks like


def test_every_page_says_that_it_is_synthetic(played):
    """Chinese first, English below it, the notice under both, and nothing wider than a screen."""
    lines = pages(played.document)
    titles = [at for at, line in enumerate(lines) if line.startswith("━━")]

    assert len(titles) == len(STORIES) + 7
    for at in titles:
        assert lines[at + 1].startswith("   ")
        assert NOTICE[0] in lines[at + 2]
        assert NOTICE[1] in lines[at + 2]
    assert "已记录意愿 ×9" in "\n".join(lines)
    assert "已履行 ×34" in "\n".join(lines)
    assert [line for line in lines if width(line) > COLUMNS] == []


@pytest.mark.parametrize("story", STORIES, ids=lambda it: it.name)
def test_a_story_says_what_its_source_does_not(played, story):
    """Its own list stands above it in both languages; an invented story says that it is one."""
    told = next(it for it in played.document["stories"] if it["name"] == story.name)
    page = "\n".join(story_page(played.document, told))
    flat = "".join(page.split())

    for words in story.unsaid:
        assert "".join(words.zh.split()) in flat
        assert "".join(words.en.split()) in flat
    if story.is_published:
        assert "公开报道" in page
        assert "演示补充，报道未载 · Added for the demo, not in the source" in page
    else:
        assert "虚构" in page
        assert "invented" in page


def test_the_climb_is_drawn_by_days_and_levels(played):
    """From the top down: where the case lay from when to when, under one term for all of it."""
    lines = pages(played.document)
    drawn = [line for line in lines if " → 03-" in line]

    assert [line.rpartition("  ")[2] for line in drawn] == [
        "03-13 → 03-18",
        "03-10 → 03-13",
        "03-06 → 03-10",
        "03-02 → 03-06",
        "D02 03-02 → 03-17",
    ]
    assert [line.count("█") for line in drawn] == [18, 12, 15, 15, 0]


def test_the_readme_shows_what_is_printed(played):
    """The block in the README is cut from these very pages; three dots stand for what is left."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = readme.partition("<!-- demo-output -->\n```text\n")[2].partition("```\n")[0]
    printed = "\n".join(pages(played.document))

    parts = block.strip("\n").split("\n…\n")
    assert len(parts) > 1
    places = [printed.find(part.strip("\n")) for part in parts]
    assert -1 not in places
    assert places == sorted(places)


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
                params={"lane": "performing", "level": "district"},
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
