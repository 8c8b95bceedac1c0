"""Read models looked after beside a serving district: alarm, drain, rebuild, on both databases."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from sqlalchemy.engine import URL
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from api import cli
from api.bootstrap import projections
from mediation.errors import MediationError
from mediation.store import tracked_position
from projections.runner import TRIES
from projections.upkeep import PREFIX
from tests.api.desk import CANARIES, agreed, assert_problem, register
from tests.databases import BACKENDS, fresh_postgresql, fresh_sqlite
from tests.serving import DISTRICT, EAST, Served, served

pytestmark = pytest.mark.long

MODELS = [it.name for it in projections()]
POISON = "case.consent-recorded/1"


@pytest.fixture(scope="module", params=BACKENDS)
def office(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A district that is served while its read models are looked after."""
    if request.param == "sqlite":
        with served(fresh_sqlite(tmp_path_factory.mktemp("looked-after"))) as running:
            yield running
        return
    cluster: URL = request.getfixturevalue("postgresql_cluster")
    with fresh_postgresql(cluster) as url, served(url) as running:
        yield running


@pytest.fixture
def environment(office: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a command line on the same store is started with."""
    url = office.engine.settings.database_url
    assert url is not None
    monkeypatch.setenv("MEDIATION_DATABASE_URL", url)
    monkeypatch.setenv("MEDIATION_DATA_DIR", str(tmp_path))
    return dict(os.environ)


def ran(*arguments: str, code: int = 0) -> Result:
    """Run `mediation projections …` here; it has to end with this code."""
    result = CliRunner().invoke(cli.app, ["projections", *arguments])
    if isinstance(result.exception, MediationError):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def told(*arguments: str, code: int = 0) -> Any:
    """Run it here, and give what it printed as JSON."""
    return json.loads(ran(*arguments, "--json", code=code).stdout)


def started(*arguments: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start it as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "api.cli", "projections", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def caught_up(office: Served) -> int:
    """Wait until every read model stands at the end of the log; give the position."""
    head = office.engine.log.head().position
    for follower in office.engine.followers.values():
        follower.wait_for(head, timeout=30)
    return head


def lists(client: httpx.Client) -> list[str]:
    """Name every list and figure that is answered from a read model and needs no parameter."""
    described = client.get("/openapi.json").json()
    found = []
    for path, operations in described["paths"].items():
        answer = operations.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        schema = answer.get("application/json", {}).get("schema", {}).get("$ref", "")
        fields = described["components"]["schemas"].get(schema.rpartition("/")[2], {})
        if "as_of_position" not in fields.get("properties", {}):
            continue
        assert "parked" in fields["properties"], f"{path} does not say what is set aside"
        if not any(it["required"] for it in operations["get"].get("parameters", ())):
            found.append(path)
    assert len(found) > len(MODELS)
    return found


@contextmanager
def poison_for(monkeypatch: pytest.MonkeyPatch, case_id: str) -> Iterator[dict[str, int]]:
    """Let no read model fold the answers in one case; give how often each tried."""
    tried = dict.fromkeys(MODELS, 0)

    def choking(fold: Callable[..., Any]) -> Callable[..., Any]:
        def choke(self, batch, load):
            if any(str(it.originator_id) == case_id and it.topic == POISON for it in batch):
                tried[self.name] += 1
                raise ZeroDivisionError(CANARIES[0])
            return fold(self, batch, load)

        return choke

    with monkeypatch.context() as patched:
        for model in projections():
            patched.setattr(type(model), "fold", choking(type(model).fold))
        yield tried


def followers_of(client: httpx.Client) -> dict[str, Any]:
    """Ask the process how its read models stand; it is ready whatever they have set aside."""
    ready = client.get("/readyz")
    assert ready.status_code == 200, ready.text
    followers: dict[str, Any] = ready.json()["followers"]
    return followers


def row_of(client: httpx.Client, case_id: str, position: int) -> dict[str, Any]:
    """Give the row of a case in the register, as of this position at the least."""
    asked: dict[str, Any] = {"limit": 100}
    while True:
        page = client.get("/cases", params=asked, headers={"Min-Position": str(position)}).json()
        for it in page["items"]:
            if it["case_id"] == case_id:
                return dict(it)
        asked["cursor"] = page["next"]
        assert asked["cursor"], "the case stands on no page"


def test_a_poison_event_raises_an_alarm_and_is_drained(office, environment, monkeypatch):
    """Three tries, quarantine, alarm, the rest goes on; mended and replayed it is as if never."""
    clerk, lead = office.client_for("clerk", EAST), office.client_for("lead", DISTRICT)
    sick, well = (register(clerk)["case_id"] for _ in range(2))
    with poison_for(monkeypatch, sick) as tried:
        with capture_logs() as logged:
            version = agreed(clerk, sick)
            caught_up(office)
        assert min(tried.values()) >= TRIES
        assert agreed(clerk, well) == version
        head = caught_up(office)

        quarantines = [it for it in logged if it["event"] == "event quarantined"]
        assert sorted(it["follower"] for it in quarantines) == sorted(
            it.follower for it in projections()
        )
        assert {it["log_level"] for it in quarantines} == {"error"}
        assert {it["stream_id"] for it in quarantines} == {sick}
        assert CANARIES[0] not in str(logged)

        assert {(it["quarantined"], it["parked"]) for it in followers_of(lead).values()} == {(1, 1)}
        metrics = lead.get("/metrics").text
        for name in MODELS:
            assert f'mediation_follower_quarantined{{follower="{name}"}} 1' in metrics
            assert f'mediation_follower_parked{{follower="{name}"}} 1' in metrics
        for path in lists(lead):
            assert lead.get(path).json()["parked"] == 1, path
        assert row_of(lead, sick, head)["version"] == 1
        assert row_of(lead, well, head)["version"] == version
        assert lead.get(f"/cases/{sick}").json()["version"] == version

        status = told("status", code=1)
        assert [it["name"] for it in status["read_models"]] == MODELS
        for it in status["read_models"]:
            (poison,), (aside,) = it["quarantined"], it["parked"]
            assert (poison["stream_id"], poison["error"]) == (sick, "ZeroDivisionError")
            assert aside == {"stream_id": sick, "stale_since": poison["position"], "events": 2}
            assert (it["lag"], it["head"], it["rebuild"]) == (0, head, None)
        plain = ran("status", code=1).stdout
        assert sick in plain
        assert CANARIES[0] not in plain
        assert {it["back"] for it in told("replay", "--all", code=1)["replayed"]} == {0}

        # The process that serves keeps its fault; this one is the release in which it is mended.
        with started("replay", "--all", "--json", environment=environment) as mended:
            replayed = json.loads(mended.communicate(timeout=120)[0])["replayed"]
        assert mended.returncode == 0
        assert replayed == [{"name": it, "back": 1, "parked": 0} for it in MODELS]

    assert {(it["quarantined"], it["parked"]) for it in followers_of(lead).values()} == {(0, 0)}
    for path in lists(lead):
        assert lead.get(path).json()["parked"] == 0, path
    assert row_of(lead, sick, head)["version"] == version
    assert told("status")["left"] == []
    assert {it["is_same"] for it in told("rebuild", "--all", "--check")["rebuilt"]} == {True}


def copied_by(office: Served) -> int:
    """Read how far the rebuild of the worklist has come."""
    with office.engine.read_engine.connect() as connection:
        return tracked_position(connection, PREFIX + office.engine.worklist.follower) or 0


def test_read_models_are_rebuilt_beside_a_serving_process(office, environment):
    """Interrupted and resumed, from another process, while cases are registered and listed."""
    clerk, done, answers = office.client_for("clerk", EAST), Event(), list[int]()
    lead = office.client_for("lead", DISTRICT)
    for _ in range(12):
        register(clerk)
    caught_up(office)

    def work() -> None:
        while not done.is_set():
            position = register(clerk)["position"]
            listed = lead.get("/worklist", headers={"Min-Position": str(position)})
            if listed.status_code != 200:
                assert_problem(listed, 503, "read-model-behind")
            answers.append(listed.status_code)
            done.wait(0.05)

    thread = Thread(target=work)
    thread.start()
    try:
        command = ("rebuild", "worklist", "--batch", "1", "--json")
        with started(*command, environment=environment) as rebuilding:
            while not (copied := copied_by(office)) and rebuilding.poll() is None:
                time.sleep(0.01)
            rebuilding.send_signal(signal.SIGINT)
            printed, complaint = rebuilding.communicate(timeout=60)
        assert (rebuilding.returncode, printed) == (130, ""), complaint
        assert "再次执行同一命令" in complaint
        assert "Traceback" not in complaint
        (stands,) = [it for it in told("status")["read_models"] if it["name"] == "worklist"]
        assert stands["rebuild"]["position"] == copied_by(office) >= copied > 0
        assert not stands["rebuild"]["is_running"]

        with started("rebuild", "--all", "--json", environment=environment) as rebuilding:
            printed, complaint = rebuilding.communicate(timeout=120)
        assert rebuilding.returncode == 0, complaint
    finally:
        done.set()
        thread.join()

    rebuilt = json.loads(printed)["rebuilt"]
    assert [(it["name"], it["is_same"], it["is_switched"]) for it in rebuilt] == [
        (name, True, True) for name in MODELS
    ]
    shown = re.findall(r"^(\w+)  (\d+) / \2$", complaint, re.MULTILINE)
    assert [name for name, _ in shown] == MODELS
    assert answers.count(200) > len(answers) / 2
    caught_up(office)
    assert {it["is_same"] for it in told("rebuild", "--all", "--check")["rebuilt"]} == {True}
