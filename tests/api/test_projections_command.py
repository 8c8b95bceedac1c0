"""`mediation projections` on a store that nobody serves: what it says, and its exit codes."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from api import bootstrap, cli, cli_projections
from api.bootstrap import Engine, projections
from api.settings import Settings
from mediation.errors import MediationError
from mediation.store import writing
from mediation.store.tracking import TRACKING
from projections.base import create
from projections.case_file import CaseFile
from projections.runner import Follower
from projections.upkeep import PREFIX, Rebuild
from projections.worklist import Worklist
from tests.api.desk import CANARIES, register
from tests.databases import BACKENDS, fresh_postgresql, fresh_sqlite
from tests.serving import EAST, served

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "look-after-read-models.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module", params=BACKENDS)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """URL of a store with a few cases, which nobody serves any more."""
    with ExitStack() as closing:
        if request.param == "sqlite":
            url = fresh_sqlite(tmp_path_factory.mktemp("operated"))
        else:
            cluster = request.getfixturevalue("postgresql_cluster")
            url = closing.enter_context(fresh_postgresql(cluster))
        with served(url) as office:
            for _ in range(4):
                register(office.client_for("clerk", EAST))
        yield url


@pytest.fixture
def engine(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The store wired, its read models at the end of the log; the command line finds it too."""
    monkeypatch.setenv("MEDIATION_DATABASE_URL", store)
    monkeypatch.setenv("MEDIATION_DATA_DIR", str(tmp_path))
    opened = bootstrap.build(Settings(), env={})
    for follower in opened.followers.values():
        follower.catch_up()
    yield opened
    opened.close()


def ran(*arguments: str, code: int = 0) -> Result:
    """Run `mediation …`; it has to end with this code."""
    result = CliRunner().invoke(cli.app, list(arguments))
    if isinstance(result.exception, MediationError):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def told(*arguments: str, code: int = 0) -> Any:
    """Run `mediation projections …`, and give what it printed as JSON."""
    return json.loads(ran("projections", *arguments, "--json", code=code).stdout)


class Older(CaseFile):
    """The register of an earlier release."""

    version = 1


def leave_behind(engine: Engine) -> None:
    """Leave the register of an earlier release in the store."""
    older = Older()
    create(engine.read_engine, [older])
    Follower(older, engine.log, engine.read_engine).catch_up()


def test_the_how_to_does_what_it_says(engine):
    """Every command on the page is run in its order, and ends well."""
    leave_behind(engine)
    commands = [
        line.split()
        for block in BLOCK.findall(HOW_TO.read_text(encoding="utf-8"))
        for line in block.splitlines()
    ]

    for program, *arguments in commands:
        assert program == "mediation"
        ran(*arguments)
    assert {arguments[2] for arguments in commands} == {
        "status",
        "digest",
        "rebuild",
        "replay",
        "drop",
    }


def test_wrong_rows_are_told_to_the_operator_and_replaced(engine):
    """`--check` ends with 1 and switches nothing; a rebuild says plainly what it found."""
    table = engine.case_file.case
    sound = told("digest", "case_file")["digest"]
    with writing(engine.read_engine) as connection:
        connection.execute(sa.update(table).values(claimed_fen=table.c.claimed_fen + 1))

    (checked,) = told("rebuild", "case_file", "--check", code=1)["rebuilt"]
    assert checked["changes"] == [{"table": "case", "wrong": 4, "right": 4}]
    assert told("digest", "case_file")["digest"] != sound
    assert "case: 4 → 4" in ran("projections", "rebuild", "case_file", "--check", code=1).stdout
    replaced = ran("projections", "rebuild", "case_file").stdout
    assert "原数据有误，已更正" in replaced
    assert sound in replaced
    assert "与原数据一致" in ran("projections", "rebuild", "case_file", "--check").stdout
    assert told("digest", "case_file")["digest"] == sound


def test_a_rebuild_that_cannot_fold_changes_nothing(engine, monkeypatch):
    """The live rows stay, the code is 1, and the cause is told by its class alone."""
    before = told("digest", "worklist")

    def choke(self, batch, load):
        raise ZeroDivisionError(CANARIES[0])

    monkeypatch.setattr(Worklist, "fold", choke)
    result = ran("projections", "rebuild", "worklist", code=1)

    assert "未切换" in result.stdout
    assert "ZeroDivisionError" in result.stdout
    assert "event quarantined" in result.stderr
    assert CANARIES[0] not in result.output
    assert told("digest", "worklist") == before
    assert told("status")["left"] == []


def test_status_tells_everything_that_is_to_be_looked_after(engine):
    """An interrupted rebuild, an older version, a read model ahead of the log: each is told."""
    leave_behind(engine)

    def enough(_done: int, _of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Rebuild(engine.worklist, engine.log, engine.read_engine, batch=1).run(enough)
    plain = ran("projections", "status").stdout
    assert "已中断 / interrupted" in plain
    assert "旧版本 / left behind: case_file_1" in plain
    assert [it["name"] for it in told("status")["read_models"]] == [it.name for it in projections()]

    with writing(engine.read_engine) as connection:
        ahead = sa.update(TRACKING).where(TRACKING.c.name == engine.notices.follower)
        connection.execute(ahead.values(position=TRACKING.c.position + 5))
    assert "ahead of a restored log" in ran("projections", "status", code=1).stdout
    assert told("rebuild", "notices")["rebuilt"][0]["position"] == engine.log.head().position
    assert told("drop", PREFIX + engine.worklist.follower)["tables"]
    assert told("drop", "case_file_1") == {
        "follower": "case_file_1",
        "tables": ["case_file_1_case"],
    }
    status = told("status")
    assert (status["left"], {it["rebuild"] for it in status["read_models"]}) == ([], {None})


def test_what_cannot_be_done_is_explained(engine):
    """A read model that there is not, one in use, none and all at once."""
    for arguments in (
        ("rebuild", "nothing"),
        ("replay", "nothing"),
        ("drop", engine.worklist.follower),
        ("drop", "event"),
    ):
        with pytest.raises(MediationError) as refused:
            told(*arguments)
        assert refused.value.code == "projection-unknown"
    for wrong in (("rebuild",), ("replay",), ("rebuild", "worklist", "--all")):
        assert "--all" in ran("projections", *wrong, code=2).stderr


def test_a_read_model_that_nobody_keeps_up_is_not_called_right(tmp_path, monkeypatch):
    """On a store that was never served there is nothing to compare with: 1, and what to start."""
    monkeypatch.delenv("MEDIATION_DATABASE_URL", raising=False)
    monkeypatch.setenv("MEDIATION_DATA_DIR", str(tmp_path))
    ran("migrate")

    for arguments in (("rebuild", "--all"), ("rebuild", "worklist", "--check")):
        printed = ran("projections", *arguments, code=1).stdout
        assert "读模型尚未启用；请先启动 serve 或 worker" in printed
        assert "与原数据一致" not in printed


def test_a_busy_database_is_told_in_words(engine):
    """Whoever holds what a rebuild needs is waited for five seconds, then it says what to do."""
    with writing(engine.read_engine) as connection:
        connection.execute(sa.update(TRACKING).values(position=TRACKING.c.position))
        with pytest.raises(MediationError) as busy:
            told("rebuild", "worklist")

    assert busy.value.code == "no-database"
    assert told("rebuild", "worklist")["rebuilt"][0]["is_same"]


class Terminal(io.StringIO):
    """A screen."""

    def isatty(self) -> bool:
        return True


def test_progress_stays_on_its_line_on_a_terminal_and_is_rare_in_a_file():
    """The last line is always shown."""
    screen, file = Terminal(), io.StringIO()
    for stream in (screen, file):
        show = cli_projections._progress("worklist", stream)
        for done in range(1, 6):
            show(done, 5)

    assert screen.getvalue() == "\rworklist  1 / 5\rworklist  5 / 5\n"
    assert file.getvalue() == "worklist  1 / 5\nworklist  5 / 5\n"
