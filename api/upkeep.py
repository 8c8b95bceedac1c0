"""Look after a store from outside: check it, copy it, go on after a loss; nothing is served.

Whatever is wrong with the store, these can be run on it; that is what they are for.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec
import sqlalchemy as sa

from api.bootstrap import places, refuse_ahead
from api.clock import system_clock
from api.settings import Settings
from mediation.calendar import day_of
from mediation.errors import NotFound, NotPermitted, Refusal, Refused, Unsafe
from mediation.network.accounts import AccountState, Role
from mediation.store import Log, open_engine
from mediation.store.copying import backup_exists, copy_database
from mediation.store.inspection import Holding, inspect
from mediation.store.marks import Loss, Marks
from mediation.store.vault import Vault

Progress = Callable[[int, int], None]


def _silent(_done: int, _of: int) -> None:
    """Tell nobody how far it is."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong with a store, and what to do about it."""

    code: str
    zh: str
    en: str


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a store, and what is wrong with it; `sound` if nothing is.

    `marked` is how far the vault knows the log to have come.
    """

    sound: bool
    log_id: UUID
    district: str
    kind: str
    log: Holding
    marked: int
    losses: list[Loss]
    findings: list[Finding]


class BackedUp(msgspec.Struct, frozen=True, kw_only=True):
    """A backup as it lies in its folders: the files, and what the copied log holds."""

    log: str
    vault: str
    taken_at: datetime
    holding: Holding
    findings: list[Finding]


class _Store(msgspec.Struct, frozen=True):
    engine: sa.Engine
    log: Log
    vault: Vault
    marks: Marks


@contextmanager
def _opened(log_url: sa.URL | str, vault_url: sa.URL | str) -> Iterator[_Store]:
    """Open log and vault as they are; no file is made where there is none."""
    with ExitStack() as closing:
        engines = []
        for url in (sa.make_url(log_url), sa.make_url(vault_url)):
            engine = open_engine(url)
            closing.callback(engine.dispose)
            engines.append(engine)
        log = closing.enter_context(Log(engines[0], clock=system_clock))
        vault = Vault(engines[1], randbytes=os.urandom, now=system_clock)
        yield _Store(engines[0], log, vault, Marks(engines[1], log, system_clock))


def check(settings: Settings, *, at_least: int = 0, progress: Progress = _silent) -> Checked:
    """Read a whole store, and say how far it goes and all that is wrong with it.

    Args:
        settings: where the store is; a process may serve it meanwhile.
        at_least: a position that the log is known to have had.
        progress: told how many positions were looked at, of how many.

    Raises:
        Unsafe: there is no store, or its vault was never migrated.
    """
    where = places(settings)
    where.require()
    with _opened(where.log, where.vault) as store:
        mark = store.marks.current()
        holding, faults = inspect(
            store.engine, store.log, store.vault, accepted=mark.began_position, progress=progress
        )
        codes = {it.code for it in faults}
        if not codes & {"not-migrated", "log-not-dense"}:
            faults += [it for it in store.marks.faults(store.vault) if it.code not in codes]
        faults += _faults_of_followers(where.read, store.log)
        if holding.position < at_least:
            faults.append(_short(holding.position, at_least))
        head = store.log.head()
        return Checked(
            sound=not faults,
            log_id=head.log_id,
            district=head.district,
            kind=head.kind,
            log=holding,
            marked=mark.position,
            losses=store.marks.losses(),
            findings=_findings(faults),
        )


def back_up(
    settings: Settings, *, log_dir: Path, vault_dir: Path, progress: Progress = _silent
) -> BackedUp:
    """Copy an embedded store (SQLite), also while it is served: the log, then the vault.

    In this order the vault has every key under which the copied log has sealed something. Read
    models are not copied: they are built anew. Ladders of one's own go with the log.

    Args:
        settings: where the store is.
        log_dir: folder for the log and the ladders, made where it is missing.
        vault_dir: folder for the vault, to be kept under other people than the log.
        progress: told how many bytes were written, of about how many.

    Raises:
        Unsafe: the store is on PostgreSQL, or there is none.
        Refused: a folder holds a backup already, is open to others, or is to hold both. Nothing
            was copied then.
    """
    where = places(settings)
    if where.file is None or where.vault.get_backend_name() != "sqlite":
        raise Unsafe(
            zh="PostgreSQL 请用 pg_dump 备份：先日志，后密钥库。命令见备份与恢复说明。",
            en="Back PostgreSQL up with pg_dump, the log and then the vault; the guide on backup "
            "and restore has the commands.",
            code="backup-by-pg-dump",
        )
    where.require()
    copies = log_dir / "log.db", vault_dir / "vault.db"
    if log_dir.resolve() == vault_dir.resolve():
        raise Refused(
            Refusal(
                "backup-together",
                "日志和密钥库的备份须分开存放，由不同的人保管。请指定两个目录。",
                "Log and vault are backed up apart, under different people. Name two folders.",
            )
        )
    for copy in copies:
        _require_fit(copy)
    for folder in (log_dir, vault_dir):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    taken_at = system_clock()
    copy_database(where.file, copies[0], progress=progress)
    copy_database(Path(where.vault.database or ""), copies[1], progress=progress)
    ladders = settings.data_dir / "ladders"
    if ladders.is_dir():
        shutil.copytree(ladders, log_dir / "ladders", dirs_exist_ok=True)
    with _opened(f"sqlite:///{copies[0]}", f"sqlite:///{copies[1]}") as store:
        holding, faults = inspect(
            store.engine, store.log, store.vault, accepted=store.marks.current().began_position
        )
    return BackedUp(
        log=str(copies[0]),
        vault=str(copies[1]),
        taken_at=taken_at,
        holding=holding,
        findings=_findings(faults),
    )


def accept_loss(settings: Settings, *, position: int, account_id: UUID, reason: str) -> Loss:
    """Let a store be served again after a true loss, and keep on record what is lost.

    Args:
        settings: where the store is.
        position: where the log ends, as `check` said it.
        account_id: who accepts the loss.
        reason: a kebab-case code.

    Raises:
        NotFound: the log has no such account.
        NotPermitted: it is neither of a coordinator nor of a lead of the whole district.
        Refused: nothing is lost.
        Malformed: the log ends elsewhere, or the reason is no code.
        Unsafe: there is no store, a read model holds what was lost, or the database role may not do
            this.
    """
    where = places(settings)
    where.require()
    with _opened(where.log, where.vault) as store:
        _require_in_charge(store.log, account_id)
        for fault in _faults_of_followers(where.read, store.log):
            raise fault
        if not _is_short(store):
            raise Refused(
                Refusal(
                    "nothing-lost",
                    "日志和密钥库前后一致，没有需要确认的丢失。请先用 mediation check 核对。",
                    "Log and vault agree: there is no loss to accept. Look with `mediation check`.",
                )
            )
        try:
            return store.marks.accept(position=position, account_id=account_id, reason=reason)
        except sa.exc.ProgrammingError:
            raise Unsafe(
                zh="当前数据库角色无权确认丢失。请用表的所有者（执行 mediation migrate 的角色）连接"
                "后重试。",
                en="This database role may not accept a loss. Connect as the owner, the role that "
                "runs `mediation migrate`, and repeat.",
                code="owner-needed",
            ) from None


def _require_fit(copy: Path) -> None:
    """Refuse a place for a copy that holds one already, or that others may write to.

    Raises:
        Refused: with what to do.
    """
    if copy.exists():
        raise backup_exists()
    folder = copy.parent
    if folder.is_dir() and folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Refused(
            Refusal(
                "backup-open",
                "备份目录可由其他用户写入。请另选目录，或者先用 chmod 700 收回权限。",
                "Others may write to the folder of the backup. Choose another, or take the right "
                "away with chmod 700.",
            )
        )


def _require_in_charge(log: Log, account_id: UUID) -> None:
    """Refuse whoever may not say for the district that something is lost.

    Raises:
        NotFound: the log has no such account.
        NotPermitted: it is neither of a coordinator nor of a lead of the whole district.
    """
    version, account = log.fold(account_id, "account")
    if not version:
        raise NotFound
    state: AccountState = account
    for grant in state.live(day_of(system_clock())):
        is_of_all = grant.path.strip("/") == grant.body_id
        if grant.role == Role.COORDINATOR or (grant.role == Role.LEAD and is_of_all):
            return
    raise NotPermitted(
        zh="确认丢失须由区级统筹员或者区级调解组织负责人办理，请使用其账号。",
        en="A loss is accepted by a coordinator, or by the lead of the district's own body: give "
        "that account.",
    )


def _is_short(store: _Store) -> bool:
    """Tell whether anything is lost: of the log, by what the vault remembers, or of the keys."""
    if any(store.marks.faults(store.vault)):
        return True
    accepted = store.marks.current().began_position
    _, faults = inspect(store.engine, store.log, store.vault, accepted=accepted)
    return any(it.code in ("vault-behind", "key-missing") for it in faults)


def _faults_of_followers(url: sa.URL, log: Log) -> list[Unsafe]:
    if url.get_backend_name() == "sqlite" and not _has_rows(Path(url.database or "")):
        return []
    engine = open_engine(url)
    try:
        refuse_ahead(engine, log)
    except Unsafe as fault:
        return [fault]
    finally:
        engine.dispose()
    return []


def _has_rows(read: Path) -> bool:
    """Tell whether there are read models yet: they are made at the first start."""
    return read.is_file() and read.stat().st_size > 0


def _short(position: int, at_least: int) -> Unsafe:
    return Unsafe(
        zh=f"日志止于位置 {position}，未达到所要求的 {at_least}：其后的记录缺失。请恢复较新的"
        "备份。",
        en=f"The log ends at position {position}, short of the {at_least} asked for: what came "
        "later is missing. Restore a newer backup.",
        code="log-short",
    )


def _findings(faults: list[Unsafe]) -> list[Finding]:
    return [Finding(it.code, it.detail.zh, it.detail.en) for it in faults]
