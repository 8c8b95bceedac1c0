"""The guides for operators are run as they stand: every command, against real databases."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from api.bootstrap import Engine, build
from api.founding import found_district
from api.settings import Settings
from api.upkeep import check
from mediation.application import SYSTEM, Request
from mediation.network import OpenAccount, OpenServicePoint
from mediation.privacy import Personal
from tests.composition import ROOT, composition
from tests.databases import administering, own_cluster, programs

GUIDES = ROOT / "docs" / "how-to"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOP = OpenServicePoint(
    body_id="qu",
    name_zh="示例区总工会",
    name_en="Sample union",
    level="district",
    kind="circuit-room",
    number_prefix="示例",
)


def commands(guide: str, section: str) -> list[str]:
    """Give what a section of a guide has one type in, block by block."""
    text = (GUIDES / guide).read_text(encoding="utf-8")
    (found,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return BLOCK.findall(found)


class Shell:
    """A shell in a folder of its own, which keeps what was exported from block to block."""

    def __init__(self, folder: Path, **environment: str) -> None:
        own = {name: it for name, it in os.environ.items() if not name.startswith("MEDIATION_")}
        path = f"{Path(sys.executable).parent}:{programs()}:{os.environ['PATH']}"
        self.environment = {**own, "PATH": path, **environment}
        self.folder = folder

    def run(self, block: str) -> tuple[int, str]:
        """Run a block; give its exit code and all that it printed."""
        kept = self.folder / "exported"
        ran = subprocess.run(
            ["/bin/sh", "-euc", f"trap 'env -0 > {kept}' EXIT\n{block}"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
            check=False,
        )
        pairs = kept.read_text(encoding="utf-8").split("\0")
        self.environment = dict(pair.split("=", 1) for pair in pairs if pair)
        return ran.returncode, ran.stdout

    def must(self, *blocks: str) -> str:
        """Run blocks that have to go well; give what they printed."""
        said = ""
        for block in blocks:
            code, printed = self.run(block)
            assert code == 0, printed
            said += printed
        return said


@pytest.fixture
def server() -> Iterator[URL]:
    """A PostgreSQL on which roles are made that no other test knows."""
    with own_cluster() as url:
        yield url


def test_the_guides_for_postgresql_do_what_they_say(server: URL, tmp_path: Path):
    """Two roles, migrate, found, back up, restore elsewhere, check: all as it is written."""
    shell = Shell(tmp_path, PGHOST=str(server.query["host"]), PGUSER=server.username or "")
    said = shell.must(*commands("run-on-postgresql.md", "With a server that you have"))
    assert "完好 / sound" in said

    back_up, restore, look = commands("back-up-and-restore.md", "PostgreSQL")
    shell.must(back_up)
    assert "完好 / sound" in shell.must(restore, look)

    stores = {
        name: Settings(
            database_url=named(server, f"{name}_log"),
            vault_url=named(server, f"{name}_vault"),
            data_dir=tmp_path,
        )
        for name in ("mediation", "restored")
    }
    told = {name: check(store) for name, store in stores.items()}
    assert told["restored"] == told["mediation"]
    assert told["restored"].log.position == 3
    with administering(server.set(database="restored_log")) as connection:
        owners = connection.exec_driver_sql(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        ).scalars()
        assert list(owners) == ["mediation_owner"]
        held = connection.exec_driver_sql(
            "SELECT privilege_type FROM information_schema.role_table_grants "
            "WHERE grantee = 'mediation_app' AND table_name = 'event'"
        ).scalars()
        assert set(held) == {"SELECT", "INSERT"}


def named(server: URL, database: str) -> str:
    """Give the address of a database."""
    return server.set(database=database).render_as_string(hide_password=False)


def test_the_guide_for_sqlite_does_what_it_says(tmp_path: Path):
    """Back up beside a process that writes; an older log is noticed, and gone on with on record."""
    shell = Shell(tmp_path, MEDIATION_DATA_DIR="data")
    data = Settings(data_dir=tmp_path / "data")
    with opened(data) as engine:
        account = found_district(engine, TOP, coordinator="示例统筹员").account_id
    back_up, with_old_vault, with_backup = commands("back-up-and-restore.md", "SQLite")
    (accept,) = commands("back-up-and-restore.md", "What is noticed, and what to do")
    shell.must(back_up)
    with opened(data) as engine:
        command = OpenAccount(display_name=Personal("示例甲"))
        engine.mediation.execute(Request(actor_id=SYSTEM, key="later", command=command))

    code, printed = shell.run(with_old_vault)
    assert code == 1
    assert "✗ log-behind" in printed
    shell.environment["ACCOUNT"] = str(account)
    shell.must(accept)
    told = check(Settings(data_dir=tmp_path / "restored"))
    assert told.sound
    assert [(it.after_position, it.until_position) for it in told.losses] == [(3, 4)]

    assert "完好 / sound" in shell.must(with_backup)


@contextmanager
def opened(store: Settings) -> Iterator[Engine]:
    """Open a store as a command does."""
    engine = build(store, env={})
    try:
        yield engine
    finally:
        engine.close()


def test_a_block_that_fails_is_found(tmp_path: Path):
    """The run has teeth: the first command that fails ends its block, and its code is told."""
    assert Shell(tmp_path).run("false\necho after") == (1, "")
    with pytest.raises(AssertionError):
        Shell(tmp_path).must("exit 3")


def test_the_guides_name_services_and_commands_that_there_are():
    """What one types in front of containers is of this composition and of this command line."""
    services = composition()["services"]
    help_ = subprocess.check_output([sys.executable, "-m", "api.cli", "--help"], text=True)
    known = set(re.findall(r"^  ([a-z-]+) ", help_, re.MULTILINE))
    typed = "\n".join(
        (GUIDES / name).read_text(encoding="utf-8")
        for name in ("run-on-postgresql.md", "back-up-and-restore.md")
    )

    ran = re.findall(r"docker compose run --rm (\S+) (\S+)", typed)
    assert len(ran) >= 4
    for service, command in ran:
        assert services[service]["entrypoint"]
        assert command in known
    assert set(re.findall(r"docker compose exec --no-TTY (\S+)", typed)) <= services.keys()
    made = commands("run-on-postgresql.md", "With containers")[0]
    assert all(name in made for name in composition()["secrets"])
