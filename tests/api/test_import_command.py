"""Importing from the command line, on both databases: checked, approved, interrupted, resumed."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner, Result

from api import bootstrap, cli
from api.settings import Settings
from mediation.errors import MediationError
from mediation.store import Log
from tests.paper import CANARIES, as_csv, as_xlsx, open_case, settled
from tests.serving import DISTRICT, EAST, served

pytestmark = pytest.mark.long


class Desk:
    """A store with a staffed district in it, a folder for files, and the command line."""

    def __init__(self, folder: Path, accounts: dict[tuple[str, str], UUID]) -> None:
        self.folder = folder
        self.accounts = accounts

    def account(self, role: str, body_id: str = EAST) -> str:
        """Give the account that holds a role at a body."""
        return str(self.accounts[role, body_id])

    def file(self, data: bytes, name: str = "ledger.csv") -> str:
        """Put a file into the folder."""
        (self.folder / name).write_bytes(data)
        return str(self.folder / name)

    def run(self, *arguments: str, code: int = 0) -> Result:
        """Run a command that has to end like this."""
        result = CliRunner().invoke(cli.app, list(arguments))
        if isinstance(result.exception, MediationError):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    def imported(self, file: str, role: str, *more: str, code: int = 0) -> Any:
        """Import a file as whoever holds a role at the eastern street."""
        given = ("import", file, "--account", self.account(role), "--json", *more)
        return json.loads(self.run(*given, code=code).stdout)

    def position(self) -> int:
        """Give the last position of the log."""
        with self.watching() as log:
            return log.head().position

    @contextmanager
    def watching(self) -> Iterator[Log]:
        """Open the log beside whoever else does."""
        engine = bootstrap.build(Settings(), env={})
        try:
            yield engine.log
        finally:
            engine.close()


@pytest.fixture
def desk(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A staffed district on Monday 2 March 2026, and nobody serving it."""
    with served(database) as office:
        accounts = dict(office.accounts)
    monkeypatch.setenv("MEDIATION_DATABASE_URL", database)
    monkeypatch.setenv("MEDIATION_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("MEDIATION_CLOCK", "manual")
    folder = tmp_path / "desk"
    folder.mkdir()
    return Desk(folder, accounts)


def test_a_ledger_is_checked_imported_and_reported(desk: Desk):
    """A dry run first, then the import, then the same file again; refused rows end with 1."""
    mediator = desk.account("mediator")
    file = desk.file(
        as_xlsx([settled("示例甲", 调解员=mediator), open_case("示例乙"), open_case("", 来源="x")]),
        "ledger.xlsx",
    )
    report = desk.folder / "report.csv"
    before = desk.position()

    checked = desk.imported(file, "lead", "--dry-run", code=1)
    assert desk.position() == before
    done = desk.imported(file, "lead", "--report", str(report), code=1)
    again = desk.imported(file, "lead", code=1)

    assert checked["counts"] == {"would-record": 2, "malformed": 1}
    assert done["counts"] == {"recorded": 2, "malformed": 1}
    assert again["counts"] == {"already": 2, "malformed": 1}
    rows = list(csv.reader(io.StringIO(report.read_text(encoding="utf-8-sig"), newline="")))
    assert [row[0] for row in rows[1:]] == ["2", "3", "4"]
    assert [row[2] for row in rows[1:]] == [it["case_number"] or "" for it in done["rows"]]
    assert rows[3][3] == "row-malformed"


def test_a_clean_import_says_so_to_people(desk: Desk):
    """The counts in both languages; it ends with 0."""
    file = desk.file(as_csv([open_case("示例甲")]))

    said = desk.run("import", file, "--account", desk.account("clerk"))
    assert said.stdout == "已登记 1 / 1 recorded\n"


def test_late_rows_go_from_desk_to_desk_in_files(desk: Desk):
    """Lead and coordinator approve the clerk's file; he passes both files along."""
    file = desk.file(as_csv([open_case("示例甲", 日期="2026-01-05"), open_case("示例乙")]))
    clerk = desk.account("clerk")
    refused = desk.imported(file, "clerk", code=1)
    given = []
    for role, body_id in (("lead", EAST), ("coordinator", DISTRICT)):
        approver = desk.account(role, body_id)
        drawn = desk.run("import-approve", file, "--account", approver, "--for", clerk)
        assert len(json.loads(drawn.stdout)) == 1
        assert "已批准 1" in drawn.stderr
        given += ["--approvals", desk.file(drawn.stdout.encode(), f"{role}.json")]
    recorded = desk.imported(file, "clerk", *given)

    assert refused["counts"] == {"refused": 1, "recorded": 1}
    assert recorded["counts"] == {"recorded": 1, "already": 1}
    desk.run("import-approve", file, "--account", clerk, "--for", clerk)
    other = desk.file(as_csv([open_case("示例丙", 日期="2026-01-05")]), "other.csv")
    desk.run("import-approve", other, "--account", clerk, "--for", clerk, code=1)


def test_what_cannot_be_read_is_explained(desk: Desk):
    """A missing file, an unknown account, a file that is no ledger or holds no approvals."""
    file, clerk = desk.file(as_csv([])), desk.account("clerk")
    nowhere = str(desk.folder / "nowhere.csv")
    for arguments, code in (
        (("import", nowhere, "--account", clerk), "file-unreadable"),
        (("import", file, "--account", "nobody"), "not-found"),
        (("import", desk.file(b"x", "x"), "--account", clerk), "sheet-no-heading"),
        (("import", file, "--account", clerk, "--approvals", file), "approvals-unreadable"),
        (("import-template", file), "template-name"),
    ):
        with pytest.raises(MediationError) as refused:
            desk.run(*arguments)
        assert refused.value.code == code
    assert desk.run("import", file, "--account", clerk).stdout == "没有数据行 / no rows\n"


@pytest.mark.parametrize("name", ["ledger.xlsx", "ledger.csv"])
def test_the_template_is_written_and_imports_as_empty(desk: Desk, name: str):
    """Its sample row is no case."""
    file = str(desk.folder / name)

    assert "模板" in desk.run("import-template", file).stdout
    assert desk.imported(file, "clerk") == {"rows": [], "counts": {}}


def test_nothing_personal_is_printed(desk: Desk):
    """Neither of rows that are recorded nor of those that are not, on either stream."""
    name, phone = CANARIES
    rows = [
        open_case(name, 联系方式=phone),
        settled(name, 联系方式=phone),
        open_case(name, 来源=name),
        open_case(name, 日期="2025-01-01"),
    ]
    file, report = desk.file(as_csv(rows)), desk.folder / "report.csv"
    clerk = desk.account("clerk")
    plain = ("import", file, "--account", clerk, "--report", str(report))

    said = [desk.run(*plain, code=1), desk.run(*plain, "--json", code=1)]
    for text in (*(it.output for it in said), report.read_text(encoding="utf-8-sig")):
        assert name not in text
        assert phone not in text


def test_an_interrupted_import_goes_on_with_the_same_command(desk: Desk):
    """A process is sent Ctrl-C midway: it ends by itself, and the next records the rest once."""
    rows = [open_case(f"示例{at}") for at in range(60)]
    file = desk.file(as_csv(rows))
    command = [sys.executable, "-m", "api.cli", "import", file, "--json"]
    with (
        desk.watching() as log,
        subprocess.Popen(
            [*command, "--account", desk.account("clerk")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        before = log.head().position
        while log.head().position < before + 6 and process.poll() is None:
            sleep(0.01)
        process.send_signal(signal.SIGINT)
        told, complaint = process.communicate(timeout=60)
    done = len(json.loads(told)["rows"])

    assert process.returncode == 1
    assert complaint == ""
    assert 3 <= done < 60
    again = desk.imported(file, "clerk")
    assert again["counts"] == {"already": done, "recorded": 60 - done}
    assert desk.position() == before + 2 * 60
    assert len({row["case_id"] for row in again["rows"]}) == 60
