"""Restores as they go wrong: too old, of something else, half done; each is noticed (ADR 0024)."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from api.bootstrap import Engine, build, migrate_all
from api.clock import system_clock
from api.founding import found_district
from api.settings import Settings
from api.upkeep import accept_loss, back_up, check
from mediation.application import SYSTEM, Request
from mediation.errors import KeyMissing, Malformed, NotFound, Refused, Unsafe
from mediation.network import OpenAccount, OpenServicePoint
from mediation.privacy import Personal
from mediation.store import open_engine, writing
from mediation.store.copying import copy_database
from mediation.store.marks import LOG_MARK
from projections.base import create, reading
from projections.runner import Follower
from projections.worklist import Worklist
from tests.databases import BACKENDS, fresh_postgresql, programs

TOP = OpenServicePoint(
    body_id="qu",
    name_zh="示例区总工会",
    name_en="Sample union",
    level="district",
    kind="circuit-room",
    number_prefix="示例",
)


class Backup(NamedTuple):
    """A backup of the log and one of the vault: files, or dumps."""

    log: Path
    vault: Path


class Stores:
    """Makes stores of one kind, backs them up and restores them, by the documented programs."""

    def __init__(self, backend: str, folder: Path, cluster: Callable[[], sa.URL]) -> None:
        self._folder = folder
        self._cluster = cluster if backend == "postgresql" else None
        self._closing = ExitStack()
        self._made = 0

    def fresh(self) -> Settings:
        """Name a place where nothing is yet."""
        folder = self._new_folder()
        if self._cluster is None:
            return Settings(
                database_url=f"sqlite:///{folder / 'log.db'}",
                vault_url=f"sqlite:///{folder / 'vault.db'}",
                data_dir=folder,
            )
        log, vault = (
            self._closing.enter_context(fresh_postgresql(self._cluster())) for _ in range(2)
        )
        return Settings(database_url=log, vault_url=vault, data_dir=folder)

    def back_up(self, store: Settings) -> Backup:
        """Back a store up: the log, then the vault."""
        folder = self._new_folder()
        if self._cluster is None:
            told = back_up(store, log_dir=folder / "log", vault_dir=folder / "vault")
            assert told.findings == []
            return Backup(Path(told.log), Path(told.vault))
        backup = Backup(folder / "log.dump", folder / "vault.dump")
        for url, file in zip((store.database_url, store.vault_url), backup, strict=True):
            postgresql("pg_dump", "--format=custom", f"--file={file}", named(url))
        return backup

    def restore(self, backup: Backup, *sections: str) -> Settings:
        """Restore into a place where nothing is yet."""
        store = self.fresh()
        for url, file in zip((store.database_url, store.vault_url), backup, strict=True):
            if self._cluster is None:
                shutil.copy(file, make_url(url or "").database or "")
            else:
                postgresql("pg_restore", "--exit-on-error", *sections, named(url), str(file))
        return store

    def close(self) -> None:
        self._closing.close()

    def _new_folder(self) -> Path:
        self._made += 1
        folder = self._folder / str(self._made)
        folder.mkdir()
        return folder


def named(url: str | None) -> str:
    """Name a database as PostgreSQL's own programs take it."""
    plain = make_url(url or "").set(drivername="postgresql")
    return f"--dbname={plain.render_as_string(hide_password=False)}"


def postgresql(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs."""
    subprocess.run([programs() / program, *arguments], check=True, timeout=60)


@pytest.fixture(params=BACKENDS)
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    """Stores of either kind."""
    made = Stores(request.param, tmp_path, lambda: request.getfixturevalue("postgresql_cluster"))
    yield made
    made.close()


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Stores]:
    """Stores on SQLite."""
    made = Stores("sqlite", tmp_path, lambda: pytest.fail("no cluster is needed"))
    yield made
    made.close()


@contextmanager
def opened(store: Settings) -> Iterator[Engine]:
    """Open a store as a command does."""
    engine = build(store, env={})
    try:
        yield engine
    finally:
        engine.close()


def found(store: Settings) -> UUID:
    """Make a store with a first body and account, three events; gives the account."""
    migrate_all(store, at=system_clock())
    with opened(store) as engine:
        return found_district(engine, TOP, coordinator="示例统筹员").account_id


def work(store: Settings, *names: str) -> int:
    """Open an account for each of these names; gives where the log ends."""
    with opened(store) as engine:
        for name in names:
            open_account(engine, name)
        for follower in engine.followers.values():
            follower.catch_up()
        return engine.log.head().position


def open_account(engine: Engine, name: str) -> UUID:
    """Open an account: one event, with a name that is sealed."""
    command = OpenAccount(display_name=Personal(f"示例{name}"))
    request = Request(actor_id=SYSTEM, key=f"open-{name}", command=command)
    return engine.mediation.execute(request).stream.id


def codes(store: Settings, **asked: Any) -> set[str]:
    """Give the codes of all that is wrong with a store."""
    return {it.code for it in check(store, **asked).findings}


def refused(store: Settings) -> str:
    """Give the code of the refusal to start."""
    with pytest.raises(Unsafe) as error, opened(store):
        pass
    return error.value.code


def with_vault_of(log: Settings, vault: Settings) -> Settings:
    """Name the log of one place and the vault of another."""
    return log.model_copy(update={"vault_url": vault.vault_url})


# A whole restore


def test_a_restored_store_is_the_one_that_was_backed_up(stores: Stores):
    """Same digest of all leaves, dense positions, every key; read models equal a rebuild."""
    store = stores.fresh()
    found(store)
    end = work(store, "甲", "乙", "丙")
    restored = stores.restore(stores.back_up(store))

    before, after = check(store), check(restored, at_least=end)

    assert before.sound
    assert after == before
    assert (after.log.count, after.log.position, after.log.first_hole) == (end, end, None)
    # Four accounts and the network; a receipt of each command.
    assert (after.log.streams, after.log.receipts) == (5, 6)
    assert after.log.keys_held > 0
    with opened(restored) as engine, opened(store) as original:
        for name, follower in engine.followers.items():
            follower.catch_up()
            assert digest(engine, follower) == digest(original, original.followers[name])
        again = Worklist("again_")
        create(engine.read_engine, [again])
        rebuilt = Follower(again, engine.log, engine.read_engine)
        rebuilt.catch_up()
        assert digest(engine, rebuilt) == digest(engine, engine.followers["worklist"])
    assert work(restored, "丁") == end + 1


def digest(engine: Engine, follower: Follower) -> tuple[int, str]:
    """Give how far a read model is, and the digest of its rows."""
    with reading(engine.read_engine) as connection:
        return follower.position, follower.projection.digest(connection)


# A log that is too old


def test_the_restore_of_an_older_log_is_noticed_until_the_loss_is_on_record(stores: Stores):
    """A backup taken beside a process that writes is whole; what came later is known to be lost.

    Nothing starts then. The operator goes on by naming where the log ends, himself and a reason,
    and every later check tells of it.
    """
    store = stores.fresh()
    account_id = found(store)
    with opened(store) as engine:
        engine.follow()
        open_account(engine, "甲")
        backup = stores.back_up(store)
        open_account(engine, "乙")
    restored = stores.restore(backup)
    older = with_vault_of(restored, store)

    assert codes(restored) == set()
    assert codes(restored, at_least=5) == {"log-short"}
    assert refused(older) == "log-behind"
    told = check(older)
    assert {it.code for it in told.findings} == {"log-behind"}
    assert (told.log.position, told.marked) == (4, 5)

    given: dict[str, Any] = {"position": 4, "account_id": account_id, "reason": "disk-failure"}
    for wrong, error, code in (
        ({"position": 5}, Malformed, "position-differs"),
        ({"reason": "张三 said so"}, Malformed, "reason-malformed"),
        ({"account_id": UUID(int=7)}, NotFound, "not-found"),
    ):
        with pytest.raises(error) as refusal:
            accept_loss(older, **{**given, **wrong})
        assert refusal.value.code == code
    assert refused(older) == "log-behind"

    accept_loss(older, **given)

    assert work(older, "丙") == 5
    told = check(older)
    assert told.sound
    (loss,) = told.losses
    assert (loss.after_position, loss.until_position) == (4, 5)
    assert (loss.accepted_by_id, loss.reason) == (account_id, "disk-failure")


def test_without_the_mark_the_same_restore_goes_unnoticed(embedded: Stores):
    """The broken twin: it serves, and gives positions away a second time."""
    store = embedded.fresh()
    found(store)
    backup = embedded.back_up(store)
    end = work(store, "甲", "乙")
    lost = check(store).log.digest
    older = with_vault_of(embedded.restore(backup), store)
    assert refused(older) == "log-behind"
    vault = open_engine(store.vault_url or "")
    with writing(vault) as connection:
        connection.execute(sa.update(LOG_MARK).values(position=0))
    vault.dispose()

    assert work(older, "丙", "丁") == end
    told = check(older)
    assert told.sound
    assert told.log.digest != lost


def test_another_history_of_the_same_length_is_noticed(embedded: Stores):
    """The mark holds the hash of the leaf, so going on elsewhere does not pass for it."""
    store = embedded.fresh()
    found(store)
    elsewhere = embedded.restore(embedded.back_up(store))
    end = work(store, "甲")
    assert work(elsewhere, "乙", "丙") > end

    assert refused(with_vault_of(elsewhere, store)) == "log-differs"
    assert codes(with_vault_of(elsewhere, store)) == {"log-differs", "vault-behind"}


def test_a_vault_of_another_log_is_noticed(embedded: Stores):
    """Two districts on one machine, their settings crossed."""
    one, other = embedded.fresh(), embedded.fresh()
    found(one)
    found(other)

    assert refused(with_vault_of(one, other)) == "vault-of-another-log"
    assert "vault-of-another-log" in codes(with_vault_of(one, other))


def test_a_running_process_moves_the_mark_and_so_does_one_that_ends(embedded: Stores):
    """Within a second or so while it follows the log, and when it is closed."""
    store = embedded.fresh()
    found(store)
    with opened(store) as engine:
        engine.follow()
        open_account(engine, "甲")
        until = time.monotonic() + 20
        while engine.marks.current().position < 4:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert engine.failed == {}
    assert work(store, "乙") == 5
    assert check(store).marked == 5


# A vault that is too old


def test_a_vault_older_than_the_log_is_an_alarm_and_no_erasure(embedded: Stores):
    """Keys it never had are told apart from destroyed ones; after a true loss cases go on."""
    store = embedded.fresh()
    account_id = found(store)
    backup = embedded.back_up(store)
    end = work(store, "甲")
    stale = with_vault_of(store, embedded.restore(backup))

    assert refused(stale) == "vault-behind"
    told = check(stale)
    assert {it.code for it in told.findings} == {"vault-behind"}
    assert (told.log.keys_unknown, told.log.keys_destroyed) == (1, 0)

    accept_loss(stale, position=end, account_id=account_id, reason="vault-lost")

    assert work(stale, "乙") == end + 1
    assert check(stale).sound
    with opened(stale) as engine:
        (event,) = engine.log.read(end - 1, 1)
        sealer = engine.mediation._sealer
        with pytest.raises(KeyMissing):
            sealer.open_event(event, erased=lambda _subject: False)


def test_a_new_vault_beside_an_old_log_is_noticed(
    embedded: Stores, monkeypatch: pytest.MonkeyPatch
):
    """Also where the newest events seal nothing: one looks back to the last that did."""
    monkeypatch.setattr("mediation.store.marks.NEWEST", 1)
    store = embedded.fresh()
    found(store)
    new = embedded.fresh()
    migrate_all(new, at=system_clock())
    with sqlite3.connect(new.data_dir / "vault.db") as vault:
        vault.execute("DELETE FROM log_mark")
    vault.close()

    assert refused(with_vault_of(store, new)) == "vault-behind"


# Read models


def test_read_models_of_a_later_log_are_refused_until_they_are_built_anew(embedded: Stores):
    """A restored log beside the read models of before would be answered from what is lost."""
    store = embedded.fresh()
    account_id = found(store)
    backup = embedded.back_up(store)
    work(store, "甲", "乙")
    older = embedded.restore(backup)
    assert older.data_dir.joinpath("log.db").exists()
    shutil.copy(store.data_dir / "read.db", older.data_dir / "read.db")

    with pytest.raises(Unsafe) as error, opened(older) as engine:
        engine.follow()
    assert error.value.code == "read-model-ahead"
    assert codes(older) == {"read-model-ahead"}
    with pytest.raises(Unsafe):
        accept_loss(older, position=3, account_id=account_id, reason="disk-failure")

    older.data_dir.joinpath("read.db").unlink()

    assert work(older, "丙") == 4
    assert check(older).sound


# Restores by other means, and half done


def dumped(source: str, target: Path, *, without: str = "nothing of this kind") -> None:
    """Restore a database as `sqlite3 old .dump | sqlite3 new` does."""
    with sqlite3.connect(make_url(source).database or "") as old, sqlite3.connect(target) as new:
        script = [line for line in old.iterdump() if without not in line]
        new.executescript("\n".join(script))
    old.close()
    new.close()
    target.chmod(0o600)


def test_a_restore_from_a_dump_of_statements_is_harmless(embedded: Stores):
    """Positions stand in a column, so nothing is renumbered; keys and triggers come along."""
    store = embedded.fresh()
    found(store)
    work(store, "甲")
    restored = embedded.fresh()
    dumped(store.database_url or "", restored.data_dir / "log.db")
    dumped(store.vault_url or "", restored.data_dir / "vault.db")

    assert check(restored) == check(store)
    with sqlite3.connect(restored.data_dir / "log.db") as connection:
        connection.execute(
            "INSERT INTO access_record (at, actor_id, kind, route) VALUES (1, 'a', 'b', 'c')"
        )
        for statement in (
            "UPDATE event SET topic = 'x'",
            "DELETE FROM event",
            "DELETE FROM receipt",
            "DELETE FROM access_record",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)
    connection.close()
    assert work(restored, "乙") == 5


def test_a_dump_that_lost_its_triggers_or_a_row_is_refused(embedded: Stores):
    """Broken twins of the harmless dump, each found by its own code, the hole by its position."""
    store = embedded.fresh()
    found(store)
    end = work(store, "甲")
    for without, code in (("TRIGGER event_refuses", "triggers-missing"), ("", "log-not-dense")):
        restored = embedded.fresh()
        dumped(store.vault_url or "", restored.data_dir / "vault.db")
        if without:
            dumped(store.database_url or "", restored.data_dir / "log.db", without=without)
        else:
            lines = f'INSERT INTO "event" VALUES({end - 1},'
            dumped(store.database_url or "", restored.data_dir / "log.db", without=lines)
        assert refused(restored) == code
        told = check(restored)
        assert code in {it.code for it in told.findings}
        assert told.log.first_hole == (None if without else end - 1)
        assert not told.sound


def test_a_restore_that_stopped_half_way_is_refused(tmp_path: Path, postgresql_cluster: sa.URL):
    """Rows without the keys and triggers that come last are not served."""
    stores = Stores("postgresql", tmp_path, lambda: postgresql_cluster)
    try:
        store = stores.fresh()
        found(store)
        half = stores.restore(stores.back_up(store), "--section=pre-data", "--section=data")

        assert refused(half) == "constraints-missing"
        assert codes(half) >= {"constraints-missing", "triggers-missing"}
    finally:
        stores.close()


# The copy itself


def test_a_copy_never_overwrites_and_an_interrupted_one_leaves_nothing(
    embedded: Stores, monkeypatch: pytest.MonkeyPatch
):
    """The file appears under its name when it is whole; what was there before stays."""
    store = embedded.fresh()
    found(store)
    source, target = store.data_dir / "log.db", store.data_dir / "copy.db"
    monkeypatch.setattr("mediation.store.copying._LOOK_EVERY", 1)

    def interrupt(_done: int, _of: int) -> None:
        raise KeyboardInterrupt

    def break_off(_done: int, _of: int) -> None:
        raise BrokenPipeError

    with pytest.raises(KeyboardInterrupt):
        copy_database(source, target, progress=interrupt)
    with pytest.raises(BrokenPipeError):
        copy_database(source, target, progress=break_off)
    assert not [it for it in store.data_dir.iterdir() if it.name.startswith("copy")]

    copy_database(source, target)
    assert target.stat().st_mode & 0o077 == 0
    before = target.read_bytes()
    with pytest.raises(Refused):
        copy_database(source, target)
    assert target.read_bytes() == before


def test_postgresql_is_backed_up_by_its_own_programs(postgresql_database: str, tmp_path: Path):
    """The command for SQLite says so instead of copying something else."""
    store = Settings(database_url=postgresql_database, data_dir=tmp_path)
    with pytest.raises(Unsafe, match="pg_dump"):
        back_up(store, log_dir=tmp_path / "a", vault_dir=tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_where_there_is_no_store_nothing_is_checked_or_copied(embedded: Stores):
    """A mistyped folder is no sound store."""
    for asked in (
        lambda: check(embedded.fresh()),
        lambda: back_up(
            embedded.fresh(), log_dir=embedded._folder / "a", vault_dir=embedded._folder / "b"
        ),
    ):
        with pytest.raises(Unsafe) as error:
            asked()
        assert error.value.code == "not-migrated"
