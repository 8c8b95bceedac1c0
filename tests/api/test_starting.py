"""Starting a process: what is refused, what is made, and the command line around it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import structlog
from sqlalchemy.engine import make_url
from typer.testing import CliRunner

from api import bootstrap, cli
from api.clock import ManualClock, system_clock
from api.console import configure_logs
from api.founding import found_district
from api.settings import Settings
from api.worker import work
from mediation import kernel
from mediation.errors import Malformed, MediationError, NotFound, Unsafe
from mediation.network import OpenServicePoint
from mediation.store import tail
from projections import runner
from tests.api.desk import register
from tests.databases import BACKENDS
from tests.serving import DISTRICT_CODE, EAST, MONDAY, served

FIRST = [
    *("--body-id", "qu", "--name-zh", "示例区总工会", "--name-en", "Sample union"),
    *("--kind", "circuit-room", "--number-prefix", "示例", "--coordinator", "示例统筹员"),
]

TOP = OpenServicePoint(
    body_id="qu",
    name_zh="示例区总工会",
    name_en="Sample union",
    level="district",
    kind="circuit-room",
    number_prefix="示例",
)


def settings(folder: Path, **changes: Any) -> Settings:
    """Set a data folder and nothing else."""
    return Settings(data_dir=folder, database_url=None, **changes)


def test_nothing_has_to_be_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without any variable one process serves SQLite files in `./data`, on this machine only."""
    for name in list(os.environ):
        if name.startswith("MEDIATION_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    chosen = Settings()

    engine = bootstrap.build(chosen, env={})
    engine.close()

    assert (chosen.host, chosen.clock) == ("127.0.0.1", "system")
    assert {it.name for it in (tmp_path / "data").iterdir()} >= {"log.db", "read.db", "vault.db"}
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0


def test_unsafe_settings_of_the_event_library_are_refused(tmp_path: Path):
    """A flag under which readers miss events stops the start before anything is opened."""
    with pytest.raises(Unsafe, match="POSTGRES_ENABLE_DB_FUNCTIONS"):
        bootstrap.build(settings(tmp_path / "new"), env={"POSTGRES_ENABLE_DB_FUNCTIONS": "y"})
    assert not (tmp_path / "new").exists()


def test_a_manual_clock_is_refused_on_a_live_store(tmp_path: Path):
    """Only a store marked as demo or test runs on a clock that is set by hand."""
    bootstrap.build(settings(tmp_path), env={}).close()

    with pytest.raises(Unsafe) as refused:
        bootstrap.build(settings(tmp_path, clock="manual"), env={})

    assert refused.value.code == "manual-clock"


def test_a_store_is_never_used_for_another_purpose(tmp_path: Path):
    """A live store does not become a demo, nor another district's."""
    bootstrap.build(settings(tmp_path), env={}).close()

    with pytest.raises(Unsafe) as wrong_kind:
        bootstrap.migrate_all(settings(tmp_path), kind="demo", at=system_clock())
    with pytest.raises(Unsafe):
        bootstrap.build(settings(tmp_path), env={}, district="330102")

    assert wrong_kind.value.code == "wrong-kind"


def test_postgresql_is_not_migrated_by_serving_it(postgresql_database: str, tmp_path: Path):
    """A process that serves says what to run first; after that it starts."""
    chosen = Settings(database_url=postgresql_database, data_dir=tmp_path)
    with pytest.raises(Unsafe, match="mediation migrate"):
        bootstrap.build(chosen, env={})

    assert bootstrap.migrate_all(chosen, at=system_clock()) > 0
    assert bootstrap.migrate_all(chosen, at=system_clock()) == 0
    engine = bootstrap.build(chosen, env={}, serves=True)
    assert engine.log.district == bootstrap.DEFAULT_DISTRICT
    engine.close()


def test_one_process_serves_a_folder_at_a_time(tmp_path: Path):
    """The second is refused while the first runs, and starts when it has ended."""
    first = bootstrap.build(settings(tmp_path), env={}, serves=True)
    try:
        with pytest.raises(Unsafe) as refused:
            bootstrap.build(settings(tmp_path), env={}, serves=True)
        bootstrap.build(settings(tmp_path), env={}).close()
    finally:
        first.close()

    assert refused.value.code == "already-served"
    bootstrap.build(settings(tmp_path), env={}, serves=True).close()


def test_the_manual_clock_survives_a_restart(tmp_path: Path):
    """It starts no earlier than what was recorded last, and `recorded_at` follows it."""
    later = MONDAY + timedelta(days=3)
    database = f"sqlite:///{tmp_path / 'log.db'}"
    with served(database) as office:
        office.set_clock(later.isoformat())
        answer = register(office.client_for("clerk", EAST))
        assert datetime.fromisoformat(answer["events"][0]["recorded_at"]) == later

    chosen = Settings(database_url=database, data_dir=tmp_path, clock="manual")
    for given in (None, MONDAY):
        engine = bootstrap.build(chosen, env={}, now=given)
        assert engine.clock() == later
        assert engine.log.district == DISTRICT_CODE
        engine.close()


def test_a_clock_that_is_set_never_goes_back():
    """Forward or where it stands; backwards and without zone it refuses."""
    clock = ManualClock(MONDAY)

    assert clock.set(MONDAY) == clock() == MONDAY
    assert clock.set(MONDAY + timedelta(hours=1)) == clock()
    with pytest.raises(Malformed):
        clock.set(MONDAY)
    with pytest.raises(Malformed):
        clock.set(datetime(2027, 1, 1))  # noqa: DTZ001 - without a zone on purpose
    assert abs(system_clock() - datetime.now(UTC)) < timedelta(seconds=5)


def test_every_registry_is_whole(monkeypatch: pytest.MonkeyPatch):
    """Each command has decider, authority and labels; one without a label is found."""
    bootstrap.check_registries()
    monkeypatch.setattr(kernel, "events", lambda: {"case.unheard-of/1": object})
    with pytest.raises(TypeError, match=r"case\.unheard-of"):
        bootstrap.check_registries()


def test_a_vault_may_stand_apart(tmp_path: Path):
    """The keys go where the setting says, not beside the log."""
    apart = tmp_path / "apart"
    apart.mkdir()
    where = bootstrap.places(settings(tmp_path, vault_url=f"sqlite:///{apart / 'keys.db'}"))

    assert where.vault == make_url(f"sqlite:///{apart / 'keys.db'}")
    assert where.log.database == str(tmp_path / "log.db")


def test_a_follower_that_fails_is_shown_and_not_restarted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """An event this release does not know stops the read model, and the engine says which."""
    engine = bootstrap.build(settings(tmp_path), env={})

    def fails(_stop: object) -> None:
        raise Unsafe(code="unknown-event")

    monkeypatch.setattr(engine.followers["worklist"], "run", fails)
    engine.follow()
    engine.close()

    assert engine.failed == {"worklist": "unknown-event"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_who_follows_ends_at_once_when_told(
    backend: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
):
    """Nobody sleeps a wait for the log, or a rest between batches, to its end."""
    monkeypatch.setitem(tail.POLL_SECONDS, backend, 60.0)
    monkeypatch.setattr(runner, "_IDLE", 60.0)
    database = request.getfixturevalue(f"{backend}_database")
    chosen = Settings(data_dir=tmp_path, database_url=database)
    bootstrap.migrate_all(chosen, at=system_clock())
    engine = bootstrap.build(chosen, env={})
    try:
        engine.follow()
        time.sleep(0.3)
        began = time.monotonic()
        engine.stop()
        engine.wait()
        assert time.monotonic() - began < 20
    finally:
        engine.close()


# The command line

Run = Callable[..., Any]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line on an empty data folder; gives what it printed as JSON."""
    monkeypatch.setenv("MEDIATION_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("MEDIATION_DATABASE_URL", raising=False)

    def run(*arguments: str, code: int = 0) -> Any:
        result = CliRunner().invoke(cli.app, [*arguments, "--json"])
        if isinstance(result.exception, MediationError):
            raise result.exception
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    return run


def test_a_district_is_founded_from_the_command_line(command: Run, tmp_path: Path):
    """Migrate, found, issue, revoke: the coordinator's token is told once and lets him in."""
    assert command("migrate", "--district", "330106", "--kind", "test")["steps"] > 0
    founded = command("bootstrap", *FIRST)
    issued = command("token", "issue", founded["account_id"], "--days", "30", "--label", "second")

    engine = bootstrap.build(settings(tmp_path), env={})
    assert engine.log.district == "330106"
    assert str(engine.tokens.account_of(founded["token"])) == founded["account_id"]
    assert str(engine.tokens.account_of(issued["token"])) == founded["account_id"]
    engine.close()

    assert command("token", "revoke", issued["token_id"])["revoked"] is True
    engine = bootstrap.build(settings(tmp_path), env={})
    assert engine.tokens.account_of(issued["token"]) is None
    engine.close()


def test_what_the_command_line_refuses_it_explains(command: Run):
    """A second founding, an unknown account, token, case and read model each say what to do."""
    command("bootstrap", *FIRST)
    for arguments, code in (
        (("bootstrap", *FIRST), "refused"),
        (("token", "issue", "00000000-0000-4000-8000-00000000000f"), "not-found"),
        (("token", "issue", "nobody"), "not-found"),
        (("token", "revoke", "0" * 16), "token-unknown"),
        (("case", "show", "00000000-0000-4000-8000-00000000000f"), "not-found"),
        (("projections", "digest", "nothing"), "projection-unknown"),
    ):
        with pytest.raises(MediationError) as refused:
            command(*arguments)
        assert refused.value.code == code


def test_a_case_is_looked_at_from_the_command_line(tmp_path: Path, monkeypatch, command: Run):
    """Shown masked, with its history; the digest of a read model names its position."""
    with served(f"sqlite:///{tmp_path / 'log.db'}") as office:
        answer = register(office.client_for("clerk", EAST))
    case_id = answer["case_id"]

    shown, history = command("case", "show", case_id), command("case", "history", case_id)
    digest = command("projections", "digest", "case_file")

    assert shown["phase"] == "REGISTERED"
    assert "13900001111222" not in json.dumps([shown, history])
    assert [it["topic"] for it in history["items"]] == ["case.registered/1"]
    assert len(digest["digest"]) == 64
    for arguments, known in (
        (("show", case_id, "--version", "999"), "本案现有第1至1版"),
        (("diff", case_id, "--to", "999"), "本案现有第1至1版"),
        (("show", case_id, "--at", "2000-01-01T00:00:00Z"), "该时点本案尚未登记"),
    ):
        with pytest.raises(NotFound) as absent:
            command("case", *arguments)
        assert known in absent.value.detail.zh
    for name in ("show", "history"):
        plain = CliRunner().invoke(cli.app, ["case", name, case_id])
        assert "已登记" in plain.stdout


def test_a_ladder_file_is_checked_from_the_command_line(command: Run, tmp_path: Path):
    """A sound file is valid; a broken one is not, and says where."""
    sound = Path(__file__).parents[1] / "ladders" / "five-level.toml"
    broken = tmp_path / "broken.toml"
    broken.write_text("ref = 5", encoding="utf-8")

    assert command("ladder", "check", str(sound))["valid"] is True
    found = command("ladder", "check", str(broken), code=1)
    assert found["valid"] is False
    assert found["errors"]


def test_serving_tells_its_address_and_ends_when_told(tmp_path: Path):
    """The process prints where it serves, answers there, and leaves with a clean exit."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("MEDIATION_")},
        "MEDIATION_DATA_DIR": str(tmp_path),
        "MEDIATION_PORT": "0",
    }
    arguments = [sys.executable, "-m", "api.cli", "serve", "--json"]
    with subprocess.Popen(
        arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        second = subprocess.run(
            arguments, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        probe = "import sys, httpx; print(httpx.get(sys.argv[1] + '/readyz').json()['status'])"
        seen = subprocess.check_output(
            [sys.executable, "-c", probe, url], env=environment, text=True, timeout=60
        )
        process.terminate()
        process.wait(timeout=30)

    assert seen.strip() == "ready"
    assert second.returncode == 1
    assert "已有一个服务进程" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_worker_follows_until_it_is_told_to_end(postgresql_database: str, tmp_path: Path):
    """Beside processes that serve it keeps the read models up; SIGTERM ends it cleanly."""
    chosen = Settings(database_url=postgresql_database, data_dir=tmp_path)
    bootstrap.migrate_all(chosen, at=system_clock())
    engine = bootstrap.build(chosen, env={})
    found_district(engine, TOP, coordinator="示例统筹员")
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def end_when_done() -> None:
        for follower in engine.followers.values():
            follower.wait_for(3, 30)
        os.kill(os.getpid(), signal.SIGTERM)

    ending = Thread(target=end_when_done)
    ending.start()
    try:
        assert work(engine) == 0
    finally:
        ending.join()
        for number, handler in before.items():
            signal.signal(number, handler)
    assert {it.position for it in engine.followers.values()} == {engine.log.head().position}
    engine.close()


def test_a_worker_is_not_needed_on_sqlite(tmp_path: Path):
    """The process that serves an embedded store follows its log already."""
    engine = bootstrap.build(settings(tmp_path), env={})
    with pytest.raises(Unsafe) as refused:
        work(engine)
    engine.close()

    assert refused.value.code == "worker-not-needed"


def test_a_refusal_is_printed_in_both_languages_without_a_traceback(
    command: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The way out of the command line: what is wrong, what to do, exit code 1."""
    monkeypatch.setattr(sys, "argv", ["mediation", "worker"])
    before = structlog.get_config()
    try:
        with pytest.raises(SystemExit) as left:
            cli.main()
    finally:
        structlog.configure(**before)

    assert left.value.code == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 2
    assert "无需单独运行" in said
    assert "mediation serve" in said
    assert "Traceback" not in said


def test_what_has_no_detail_is_said_once(
    command: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The title alone, in each language."""
    command("bootstrap", *FIRST)
    monkeypatch.setattr(sys, "argv", ["mediation", "case", "show", "无"])
    with pytest.raises(SystemExit):
        cli.main()

    assert capsys.readouterr().err.splitlines() == [
        "未找到，或不在您的查看范围内。",
        "Not found, or outside what you may see.",
    ]


def test_help_loads_nothing_of_the_engine():
    """Whatever a command needs is imported by that command: help answers at once."""
    probe = (
        "import sys, api.cli; heavy = {'fastapi', 'sqlalchemy', 'msgspec', 'pydantic', 'uvicorn', "
        "'mediation.kernel', 'eventsourcing', 'rich'} & set(sys.modules); print(sorted(heavy))"
    )
    printed = subprocess.check_output([sys.executable, "-c", probe], text=True)

    assert printed.strip() == "[]"


def test_logs_are_json_lines(capsys: pytest.CaptureFixture[str]):
    """One object a line, with level and time."""
    before = structlog.get_config()
    try:
        configure_logs()
        structlog.get_logger().info("hello", id=1)
    finally:
        structlog.configure(**before)

    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["id"], line["level"]) == ("hello", 1, "info")
