"""The vault: keys durable before they are used, and their destruction; not what they seal, nor why.

A store has one vault, apart from its log: another file, or another database role, and another
backup. What the log may keep for ever, the vault must be able to forget (ADR 0004).
"""

from __future__ import annotations

import os
import stat
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from mediation.errors import OutcomeUnknown, Unsafe
from mediation.privacy import KEY_BYTES, kid_of
from mediation.store.engine import writing
from mediation.store.moments import to_micros

BLOCK = 256
CACHED_KEYS = 4096
CACHED_FOR = timedelta(minutes=5)
_ASKED_AT_ONCE = 500

VAULT = sa.MetaData()

VAULT_KEY = sa.Table(
    "vault_key",
    VAULT,
    sa.Column("kid", sa.Text, primary_key=True),
    sa.Column("material", sa.LargeBinary, nullable=True),
    sa.Column("minted_at", sa.BigInteger, nullable=False),
    sa.Column("destroyed_at", sa.BigInteger, nullable=True),
    sa.CheckConstraint("(material IS NULL) = (destroyed_at IS NOT NULL)", name="vault_key_fate"),
    sqlite_with_rowid=False,
)

VAULT_SECRET = sa.Table(
    "vault_secret",
    VAULT,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("material", sa.LargeBinary, nullable=False),
)


def migrate_vault(engine: sa.Engine) -> None:
    """Create the vault's tables where they are missing; on SQLite also its file, mode 0600.

    Raises:
        Unsafe: the file may be read by others than its owner.
    """
    path = _file_of(engine)
    if path is not None:
        path.touch(mode=0o600)
        _guard_file(engine)
        _run(engine, "PRAGMA journal_mode=WAL")
    VAULT.create_all(engine)


class Vault:
    """Hands out keys that are durable already, finds them again, and destroys them for good.

    Safe for threads. Several vaults, in one process or many, may share one database; a forked
    process opens its own, since its copy would hand out the same keys.

    Args:
        engine: the vault's own engine, its tables migrated.
        randbytes: gives that many bytes from a cryptographic source.
        now: the clock (aware UTC), for the times beside the keys and the age of the cache.
        block: how many keys are minted in one durable write.

    Raises:
        Unsafe: on SQLite, the file may be read by others than its owner.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        randbytes: Callable[[int], bytes],
        now: Callable[[], datetime],
        block: int = BLOCK,
    ) -> None:
        _guard_file(engine)
        self.randbytes = randbytes
        self._engine = engine
        self._now = now
        self._block = block
        self._leased: deque[tuple[str, bytes]] = deque()
        self._minting = threading.Lock()
        self._recent = _Recent(now)
        self._secrets: dict[str, bytes] = {}

    def lease(self) -> tuple[str, bytes]:
        """Give a fresh key (32 bytes) with its name; no other caller anywhere gets the same.

        When few are left, one caller mints the next block while the others go on; only when none
        is left do all wait. A key that is never used is harmless.

        Raises:
            Unsafe: the random source repeats itself.
        """
        if len(self._leased) < self._block // 4 and self._minting.acquire(blocking=False):
            try:
                self._mint()
            finally:
                self._minting.release()
        while True:
            try:
                kid, key = self._leased.popleft()
            except IndexError:
                with self._minting:
                    if not self._leased:
                        self._mint()
            else:
                self._recent.put(kid, key)
                return kid, key

    def key(self, kid: str) -> bytes | None:
        """Give the key of this name, or None if it was destroyed or never minted here."""
        return self.keys((kid,))[kid]

    def keys(self, kids: Collection[str]) -> Mapping[str, bytes | None]:
        """Give every one of these keys, in one question to the database for those not at hand.

        Raises:
            Unsafe: the vault holds another key under this name than the one minted.
        """
        epoch = self._recent.epoch
        found: dict[str, bytes | None] = {kid: self._recent.get(kid) for kid in kids}
        missing = [kid for kid, key in found.items() if key is None]
        for some in _portions(missing):
            asked = sa.select(VAULT_KEY.c.kid, VAULT_KEY.c.material).where(
                VAULT_KEY.c.kid.in_(some), VAULT_KEY.c.material.is_not(None)
            )
            with self._engine.connect() as connection:
                rows = connection.execute(asked).all()
            for kid, material in rows:
                key = bytes(material)
                if kid_of(key) != kid:
                    raise Unsafe(
                        zh="密钥库中的密钥与其名称不符，密钥库可能被改动。请停机，从备份恢复密钥库。",
                        en="A key in the vault does not match its name: the vault was altered. "
                        "Stop, and restore the vault from its backup.",
                        code="key-altered",
                    )
                found[kid] = key
                self._recent.put(kid, key, epoch)
        return found

    def fates(self, kids: Collection[str]) -> Mapping[str, bool]:
        """Say of each key whether it is held (True) or was destroyed; unknown ones are left out."""
        fates: dict[str, bool] = {}
        for some in _portions(list(kids)):
            asked = sa.select(VAULT_KEY.c.kid, VAULT_KEY.c.material.is_not(None))
            with self._engine.connect() as connection:
                rows = connection.execute(asked.where(VAULT_KEY.c.kid.in_(some))).all()
            fates.update((kid, bool(is_held)) for kid, is_held in rows)
        return fates

    def destroy(self, kids: Collection[str]) -> int:
        """Destroy these keys and give how many this call destroyed; repeating it is harmless.

        On SQLite no byte of them remains in the vault's files. On PostgreSQL no query finds them;
        dead row versions and the write-ahead log go with VACUUM and recycling, as old backups do.
        Other processes forget them within five minutes, or when they `purge`.

        Raises:
            OutcomeUnknown: a reader held the write-ahead log open; the keys are gone from the
                table, but call again before certifying it.
        """
        destroyed = 0
        for some in _portions(list(kids)):
            with writing(self._engine) as connection:
                destroyed += connection.execute(
                    sa.update(VAULT_KEY)
                    .where(VAULT_KEY.c.kid.in_(some), VAULT_KEY.c.material.is_not(None))
                    .values(material=None, destroyed_at=to_micros(self._now()))
                ).rowcount
        self.purge(kids)
        self._truncate_wal()
        return destroyed

    def purge(self, kids: Collection[str]) -> None:
        """Forget these keys in this process; what another process destroyed is then gone here."""
        self._recent.forget(kids)

    def holds_secret(self, name: str) -> bool:
        """Say whether the secret of this name was made already; none is made here."""
        return name in self._secrets or self._read_secret(name) is not None

    def secret(self, name: str) -> bytes:
        """Give the 32 secret bytes of this name, made and stored durably at the first asking."""
        known = self._secrets.get(name)
        if known is None:
            known = self._read_secret(name)
            if known is None:
                self._write_secret(name)
                known = self._read_secret(name)
            if known is None:
                raise Unsafe(
                    zh="密钥库未能保存新密钥。请检查密钥库的写入权限后重新启动。",
                    en="The vault did not keep a new secret. Check that it may be written to, "
                    "then restart.",
                )
            self._secrets[name] = known
        return known

    def _mint(self) -> None:
        keys = [self.randbytes(KEY_BYTES) for _ in range(self._block)]
        block = [(kid_of(key), key) for key in keys]
        self._store(block)
        # Only now: a crash before the commit must not leave an envelope whose key is nowhere.
        self._leased.extend(block)

    def _store(self, block: list[tuple[str, bytes]]) -> None:
        minted_at = to_micros(self._now())
        rows = [{"kid": kid, "material": key, "minted_at": minted_at} for kid, key in block]
        try:
            with writing(self._engine) as connection:
                connection.execute(sa.insert(VAULT_KEY), rows)
        except IntegrityError:
            raise Unsafe(
                zh="随机数来源出现重复，不能生成密钥。请检查系统随机数来源后重新启动。",
                en="The random source repeats itself, so no key can be made. "
                "Check the system's random source, then restart.",
                code="randomness-repeated",
            ) from None

    def _read_secret(self, name: str) -> bytes | None:
        asked = sa.select(VAULT_SECRET.c.material).where(VAULT_SECRET.c.name == name)
        with self._engine.connect() as connection:
            material = connection.execute(asked).scalar()
        return None if material is None else bytes(material)

    def _write_secret(self, name: str) -> None:
        row = {"name": name, "material": self.randbytes(KEY_BYTES)}
        try:
            with writing(self._engine) as connection:
                connection.execute(sa.insert(VAULT_SECRET), row)
        except IntegrityError:
            return  # another process was first: its secret is the secret

    def _truncate_wal(self) -> None:
        if self._engine.dialect.name == "sqlite":
            busy, _frames, _moved = _run(self._engine, "PRAGMA wal_checkpoint(TRUNCATE)")
            if busy:
                raise OutcomeUnknown


class _Recent:
    """The keys used last, for five minutes at most."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.epoch = 0
        self._now = now
        self._lock = threading.Lock()
        self._keys: OrderedDict[str, tuple[datetime, bytes]] = OrderedDict()

    def get(self, kid: str) -> bytes | None:
        now = self._now()
        with self._lock:
            entry = self._keys.get(kid)
            if entry is None:
                return None
            since, key = entry
            # A clock set back must not keep a key alive either.
            if not since <= now < since + CACHED_FOR:
                del self._keys[kid]
                return None
            self._keys.move_to_end(kid)
            return key

    def put(self, kid: str, key: bytes, epoch: int | None = None) -> None:
        """Remember a key, unless keys were purged since `epoch`: it may be one of them."""
        now = self._now()
        with self._lock:
            if epoch is None or epoch == self.epoch:
                self._keys[kid] = (now, key)
                if len(self._keys) > CACHED_KEYS:
                    self._keys.popitem(last=False)

    def forget(self, kids: Collection[str]) -> None:
        with self._lock:
            self.epoch += 1
            for kid in kids:
                self._keys.pop(kid, None)


def _portions(kids: list[str]) -> list[list[str]]:
    return [kids[i : i + _ASKED_AT_ONCE] for i in range(0, len(kids), _ASKED_AT_ONCE)]


def _file_of(engine: sa.Engine) -> Path | None:
    database = engine.url.database
    if engine.dialect.name != "sqlite" or not database or database == ":memory:":
        return None
    return Path(database)


def _guard_file(engine: sa.Engine) -> None:
    path = _file_of(engine)
    if path is None:
        return
    for suffix in ("", "-wal", "-shm", "-journal"):
        file = path.with_name(path.name + suffix)
        if os.name == "posix" and file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise Unsafe(
                zh="密钥库文件可被其他用户读取。请将其权限改为仅所有者可读写（0600）后重新启动。",
                en="Other users may read the vault's file. Give it mode 0600, then restart.",
                code="vault-readable",
            )
    if not sa.event.contains(engine, "checkout", _prepare):
        sa.event.listen(engine, "checkout", _prepare)


def _prepare(connection: Any, _record: Any, _proxy: Any) -> None:
    """Set what SQLite forgets with each connection: overwrite what is deleted, sync each commit."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _run(engine: sa.Engine, pragma: str) -> Any:
    """Run a pragma outside any transaction, whatever the engine does when it begins one."""
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute(pragma)
        return cursor.fetchone()
    finally:
        connection.close()
