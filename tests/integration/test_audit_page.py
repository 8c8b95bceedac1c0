"""The page on auditing is run as it stands: every command, on the demo's own store."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from api import cli
from api.bootstrap import build
from api.screen import width
from api.settings import Settings
from mediation.errors import Malformed, MediationError, NotFound
from tests.integration.test_tutorial import blocks

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "audit-a-case.md"
CASE = "演示西城〔2015〕0001号"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo, played once; gives the folder of its store."""
    folder = tmp_path_factory.mktemp("demo")
    subprocess.run(
        [sys.executable, "-m", "api.cli", "demo", "--once", "--data-dir", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture
def demo(played: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo's store as the configured one."""
    monkeypatch.setenv("MEDIATION_DATA_DIR", str(played))
    monkeypatch.delenv("MEDIATION_DATABASE_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(played)
    return played


def said(command: str) -> str:
    """Run a command of the page and give what it printed."""
    result = CliRunner().invoke(cli.app, shlex.split(command)[1:])
    if isinstance(result.exception, MediationError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def require_told(printed: str, excerpt: str) -> None:
    """Require that the lines of an excerpt were printed, in order; `…` stands for any lines.

    Raises:
        AssertionError: a line is missing, or others stand between two that follow each other.
    """
    lines = printed.splitlines()
    at = -1
    is_gap = True
    for line in excerpt.splitlines():
        if line == "…":
            is_gap = True
            continue
        rest = lines[at + 1 :] if is_gap else lines[at + 1 : at + 2]
        assert line in rest, f"not printed here: {line}"
        at, is_gap = at + 1 + rest.index(line), False


def coordinator_of(folder: Path) -> UUID:
    """Give the account of the district's coordinator, who the demo's token lets in."""
    tokens = json.loads((folder / "demo.json").read_text(encoding="utf-8"))["tokens"]
    token = next(it for who, it in tokens.items() if who.startswith("coordinator@"))
    engine = build(Settings(), env={})
    try:
        found = engine.tokens.account_of(token)
    finally:
        engine.close()
    assert found is not None
    return found


def test_the_page_tells_what_the_commands_print(demo: Path, monkeypatch: pytest.MonkeyPatch):
    """Every command is carried out, and prints what the page says; the digest is the event's."""
    account = str(coordinator_of(demo))
    found = blocks(PAGE.read_text(encoding="utf-8"))
    digests = {
        it["event"]["position"]: it["digest"]
        for it in json.loads(said(f"mediation case replay {CASE} --json"))["items"]
    }
    ran = 0
    for (language, code), (then, excerpt) in zip(found, [*found[1:], ("", "")], strict=True):
        if language == "python":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "audit", "exec"), {})  # noqa: S102 - our own document
            assert printed.getvalue().strip() == digests[311]
            ran += 1
        if language == "sh":
            printed_text = said(code.strip().replace("$ACCOUNT", account))
            require_told(printed_text, excerpt if then == "text" else "")
            ran += 1
    assert ran == 6


def test_an_excerpt_that_was_not_printed_is_found():
    """The comparison has teeth: another line, another order, a gap that is not marked."""
    require_told("a\nb\nc\nd", "a\n…\nc\nd")
    for wrong in ("a\nc", "c\n…\na", "x"):
        with pytest.raises(AssertionError):
            require_told("a\nb\nc\nd", wrong)


def everything() -> Iterator[str]:
    """Name every command on one case, with what may be asked of each."""
    yield f"mediation case show {CASE}"
    yield f"mediation case history {CASE}"
    yield f"mediation case replay {CASE}"
    yield f"mediation case diff {CASE}"


def test_nothing_personal_is_printed_unless_somebody_may_read_it(demo: Path):
    """Masked in every form; in clear only with account and reason, never for one without right."""
    account = coordinator_of(demo)
    clear = said(
        f"mediation case show {CASE} --personal clear --reason complaint --account {account} --json"
    )
    names = [it["name"] for it in json.loads(clear)["applicants"]]

    assert len(names) == 8
    for command in everything():
        for form in ("", " --json"):
            printed = said(command + form)
            assert not [name for name in names if name in printed]
    masked = json.loads(said(f"mediation case replay {CASE} --version 1 --json"))
    assert masked["items"][0]["event"]["fields"]["request"] == {"sealed": True}
    stranger = f"--personal clear --reason complaint --account {UUID(int=5)}"
    with pytest.raises(NotFound):
        said(f"mediation case replay {CASE} {stranger}")


def test_each_reading_in_clear_is_on_record(demo: Path):
    """By which command, of which case, by whom and why; a masked reading leaves no record."""
    account = coordinator_of(demo)
    for command in everything():
        said(command)
    before = records(account)
    for name in ("show", "replay", "diff"):
        said(f"mediation case {name} {CASE} --personal clear --reason audit --account {account}")

    assert [(it.route, it.reason) for it in records(account)[: -len(before) or None]] == [
        (f"CLI /case/{name}", "audit") for name in ("diff", "replay", "show")
    ]


@pytest.mark.parametrize(
    "reason", ["zhang-san-13900001111", "张三要看", "Ｃomplaint", "complaint;x", ""]
)
def test_a_reason_that_is_no_code_of_the_table_is_refused_and_leaves_no_record(
    demo: Path, reason: str
):
    """A person's name and phone fit the form of a code, and are none: nothing is read or kept."""
    account = coordinator_of(demo)
    before = records(account)
    for name in ("show", "replay", "diff"):
        arguments = ["--personal", "clear", "--reason", reason, "--account", str(account)]
        result = CliRunner().invoke(cli.app, ["case", name, CASE, *arguments])

        assert isinstance(result.exception, Malformed), result.output
        assert [it.table for it in result.exception.faults] == ["clear_reasons"]
        assert reason not in str(result.exception) or not reason
    assert records(account) == before


def records(account: UUID) -> list[Any]:
    """Give the access records of an account, the latest first."""
    engine = build(Settings(), env={})
    try:
        return engine.access.list_records(limit=1000, actor_id=account)
    finally:
        engine.close()


def test_a_case_is_found_by_its_number_or_its_id_and_nothing_else_is(demo: Path):
    """An unknown number, an id of no case, of an account, a version or moment that never was."""
    shown = json.loads(said(f"mediation case show {CASE} --json"))
    by_id = json.loads(said(f"mediation case show {shown['case_id']} --json"))

    assert by_id == shown
    for command in (
        "mediation case show 演示西城〔2015〕9999号",
        "mediation case show 无此前缀〔2015〕0001号",
        "mediation case show nothing",
        f"mediation case show {coordinator_of(demo)}",
        f"mediation case show {CASE} --version 4000",
        f"mediation case show {CASE} --at 2015-01-01T00:00:00Z",
        f"mediation case diff {CASE} --to 4000",
    ):
        with pytest.raises(NotFound):
            said(command)
    for at in ("2015-12-31", "x" * 100, "2999-01-01T00:00:00Z"):
        with pytest.raises(Malformed):
            said(f"mediation case show {CASE} --at {at}")
    for wrong in ("--personal open", "--personal clear", "--version 0"):
        result = CliRunner().invoke(cli.app, ["case", "show", CASE, *wrong.split()])
        assert result.exit_code == 2, result.output


def test_the_pages_keep_to_a_width_and_say_both_languages(demo: Path):
    """Every case of the demo, replayed: lines that fit a sheet, each step in both languages."""
    known = json.loads((demo / "demo.json").read_text(encoding="utf-8"))["cases"]
    for case_id in known.values():
        printed = said(f"mediation case replay {case_id}")
        steps = [line for line in printed.splitlines() if line.startswith("━━ 第")]

        assert steps
        assert all(" · Step " in line for line in steps)
        assert max(map(width, printed.splitlines())) <= 100
        assert "UNSET" not in printed
        assert "Sealed(" not in printed
