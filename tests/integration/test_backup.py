"""What `backup`, `check` and `accept-loss` refuse, and that looking at a store makes none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from api import cli
from api.bootstrap import build, migrate_all, refuse_ahead
from api.clock import system_clock
from api.founding import found_district
from api.settings import Settings
from api.upkeep import accept_loss, back_up, check
from mediation.application import SYSTEM, Request
from mediation.errors import MediationError, NotPermitted, Refused, Unsafe
from mediation.network import OpenAccount
from mediation.network.accounts import GrantRole, Role
from mediation.privacy import Personal
from mediation.store import open_engine, writing
from mediation.store.marks import LOG_MARK
from mediation.store.tracking import TRACKING
from tests.integration.test_restore import TOP


@pytest.fixture
def store(tmp_path: Path) -> Settings:
    """An embedded store with a first body and its coordinator."""
    return Settings(data_dir=tmp_path / "data", database_url=None, vault_url=None)


@pytest.fixture
def coordinator(store: Settings) -> UUID:
    """The account of the district's coordinator."""
    migrate_all(store, at=system_clock())
    engine = build(store, env={})
    try:
        return found_district(engine, TOP, coordinator="示例统筹员").account_id
    finally:
        engine.close()


def account_with(store: Settings, role: Role) -> UUID:
    """Open an account that has one role at the first body."""
    engine = build(store, env={})
    try:
        opening = OpenAccount(display_name=Personal("示例丙"))
        request = Request(actor_id=SYSTEM, key="open", command=opening)
        account_id = engine.mediation.execute(request).stream.id
        granted = GrantRole(account_id=account_id, role=role, body_id="qu")
        engine.mediation.execute(
            Request(actor_id=SYSTEM, key="grant", command=granted, stream_id=account_id)
        )
        return account_id
    finally:
        engine.close()


def forget(store: Settings) -> None:
    """Let the vault know of one event more than the log has: as after the restore of a backup."""
    engine = open_engine(f"sqlite:///{store.data_dir / 'vault.db'}")
    with writing(engine) as connection:
        connection.execute(sa.update(LOG_MARK).values(position=LOG_MARK.c.position + 1))
    engine.dispose()


def refused(asked: Callable[[], Any]) -> str:
    """Give the code with which it is refused."""
    with pytest.raises(MediationError) as error:
        asked()
    told = error.value
    return told.refusals[0].code if isinstance(told, Refused) else told.code


@pytest.mark.parametrize(
    "arguments",
    [
        ["check"],
        ["backup", "log-backup", "vault-backup"],
        ["accept-loss", "--position", "3", "--account", str(UUID(int=7)), "--reason", "lost"],
        ["case", "show", "示例〔2026〕0001号"],
        ["case", "replay", str(UUID(int=7))],
        ["projections", "status"],
        ["token", "issue", str(UUID(int=7))],
        ["import", "ledger.csv", "--account", str(UUID(int=7))],
    ],
)
def test_a_mistyped_folder_is_named_and_not_made(tmp_path, monkeypatch, arguments):
    """Whoever only looks makes no store; he is told which folder has none, and which setting."""
    monkeypatch.delenv("MEDIATION_DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDIATION_DATA_DIR", str(tmp_path / "dta"))

    result = CliRunner().invoke(cli.app, arguments)

    assert isinstance(result.exception, Unsafe)
    assert result.exception.code == "not-migrated"
    for told in (result.exception.detail.zh, result.exception.detail.en):
        assert str(tmp_path / "dta" / "log.db") in told
        assert "MEDIATION_DATA_DIR" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("coordinator")
def test_a_backup_that_cannot_be_finished_is_not_begun(store: Settings, tmp_path: Path):
    """Both sources and both targets are looked at first; the next attempt finds nothing there."""
    log_dir, vault_dir = tmp_path / "a", tmp_path / "b"

    def begun() -> str:
        return refused(lambda: back_up(store, log_dir=log_dir, vault_dir=vault_dir))

    vault_dir.mkdir(mode=0o700)
    (vault_dir / "vault.db").touch()
    assert begun() == "backup-exists"
    (vault_dir / "vault.db").unlink()
    vault = store.data_dir / "vault.db"
    vault.rename(tmp_path / "vault.db")
    assert begun() == "not-migrated"
    assert not log_dir.exists()

    (tmp_path / "vault.db").rename(vault)
    assert back_up(store, log_dir=log_dir, vault_dir=vault_dir).findings == []


@pytest.mark.usefixtures("coordinator")
def test_log_and_vault_are_kept_apart_and_from_others(store: Settings, tmp_path: Path):
    """Neither both in one folder, by whatever name, nor in one that others may write to."""
    same, other, open_to_all = tmp_path / "same", tmp_path / "other", tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)

    def told(log_dir: Path, vault_dir: Path) -> str:
        return refused(lambda: back_up(store, log_dir=log_dir, vault_dir=vault_dir))

    assert told(same, other / ".." / "same") == "backup-together"
    assert told(open_to_all, other) == told(same, open_to_all) == "backup-open"
    assert sorted(it.name for it in tmp_path.iterdir()) == ["data", "open"]
    assert list(open_to_all.iterdir()) == []


def test_a_loss_is_accepted_where_there_is_one(store: Settings, coordinator: UUID):
    """A sound store stays in its epoch, whoever asks."""
    given: dict[str, Any] = {"position": 3, "account_id": coordinator, "reason": "disk-failure"}

    assert refused(lambda: accept_loss(store, **given)) == "nothing-lost"
    assert check(store).losses == []

    forget(store)
    assert accept_loss(store, **given).until_position == 4


@pytest.mark.usefixtures("coordinator")
@pytest.mark.parametrize(("role", "may"), [(Role.DASHBOARD, False), (Role.LEAD, True)])
def test_a_loss_is_accepted_by_who_answers_for_the_district(store: Settings, role, may):
    """A coordinator, or the lead of the district's own body; not whoever has an account."""
    account_id = account_with(store, role)
    position = check(store).log.position
    forget(store)
    given: dict[str, Any] = {"position": position, "account_id": account_id, "reason": "lost"}

    if may:
        assert accept_loss(store, **given).accepted_by_id == account_id
        return
    with pytest.raises(NotPermitted):
        accept_loss(store, **given)
    assert check(store).losses == []


@pytest.mark.usefixtures("coordinator")
def test_only_read_models_in_use_can_be_ahead_of_the_log(store: Settings):
    """What an older version or a rebuild left behind is read by nobody, and keeps nobody out."""
    engine = build(store, env={})
    try:
        for name in ("case_file_0", "rebuild_worklist_1"):
            with writing(engine.read_engine) as connection:
                connection.execute(sa.insert(TRACKING).values(name=name, position=4000))
        refuse_ahead(engine.read_engine, engine.log)

        with writing(engine.read_engine) as connection:
            row = {"name": engine.worklist.follower, "position": 4000}
            connection.execute(sa.insert(TRACKING).values(row))
        assert refused(lambda: refuse_ahead(engine.read_engine, engine.log)) == "read-model-ahead"
    finally:
        engine.close()
