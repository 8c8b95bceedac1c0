"""Look through a whole log as it stands, and say how far it goes and what is wrong with it.

For a store that is not served, as after a restore: nothing is written, and a fault is told and not
raised, so that all of them are seen at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

import msgspec
from sqlalchemy import Engine, func, select

from mediation.errors import Refusal, Unsafe
from mediation.kernel import decode
from mediation.privacy import stored_sealed_values
from mediation.store.codec import leaf_hash
from mediation.store.engine import faults_of
from mediation.store.log import Log
from mediation.store.marks import vault_behind
from mediation.store.recorder import Recorded
from mediation.store.tables import EVENT, RECEIPT
from mediation.store.vault import Vault

_BATCH = 2000
_VAULT_BEHIND = "vault-behind"

Progress = Callable[[int, int], None]
"""Told how many positions were looked at, of how many."""


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a log.

    Attributes:
        count: events.
        position: highest position of an event, 0 without any.
        first_hole: lowest position without an event below the head; None: positions are dense.
        head: position the head row names.
        recorded_at: of the last event, or when the log was made.
        streams: how many streams there are.
        receipts: how many commands left a receipt.
        digest: SHA-256 over the leaf hashes of all events in order, in hexadecimal; the same in two
            stores only if the log is the same.
        keys_held: of the keys under which the events are sealed, those the vault holds.
        keys_destroyed: those it has destroyed.
        keys_unknown: those it never had.
    """

    count: int
    position: int
    first_hole: int | None
    head: int
    recorded_at: datetime
    streams: int
    receipts: int
    digest: str
    keys_held: int
    keys_destroyed: int
    keys_unknown: int


def inspect(
    engine: Engine,
    log: Log,
    vault: Vault,
    *,
    accepted: int = 0,
    progress: Progress = lambda _done, _of: None,
) -> tuple[Holding, list[Unsafe]]:
    """Read every event once, and give what stands there and what is wrong with it.

    Args:
        engine: of the log.
        log: the log.
        vault: of this log.
        accepted: keys of events up to this position were lost and the loss was accepted.
        progress: told after every batch.
    """
    faults = list(faults_of(engine, district=log.district))
    head = log.head()
    with engine.connect() as connection:
        count, position, streams, receipts = connection.execute(
            select(
                func.count(),
                func.coalesce(func.max(EVENT.c.position), 0),
                func.count(EVENT.c.originator_id.distinct()),
                select(func.count()).select_from(RECEIPT).scalar_subquery(),
            ).where(EVENT.c.position <= head.position)
        ).one()
    walk = _Walk(log, vault, accepted)
    while walk.position < head.position:
        batch = [it for it in log.read(walk.position, _BATCH) if it.position <= head.position]
        if not batch:
            break
        walk.look_at(batch)
        progress(walk.position, head.position)
    holding = Holding(
        count=count,
        position=position,
        first_hole=walk.hole or (walk.position + 1 if walk.position < head.position else None),
        head=head.position,
        recorded_at=head.recorded_at,
        streams=streams,
        receipts=receipts,
        digest=walk.digest.hexdigest(),
        keys_held=walk.held,
        keys_destroyed=walk.destroyed,
        keys_unknown=walk.unknown,
    )
    return holding, [*faults, *walk.faults()]


class _Walk:
    """What is remembered on the way through a log."""

    def __init__(self, log: Log, vault: Vault, accepted: int) -> None:
        self._log = log
        self._vault = vault
        self._accepted = accepted
        self._versions: dict[object, int] = {}
        self._recorded_at: datetime | None = None
        self._seen: set[str] = set()
        self.position = 0
        self.hole: int | None = None
        self.digest = hashlib.sha256()
        self.held = self.destroyed = self.unknown = 0
        self._wrong: set[str] = set()

    def look_at(self, batch: list[Recorded]) -> None:
        """Take in the next events."""
        fresh: dict[str, int] = {}
        for it in batch:
            if it.position != self.position + 1:
                self.hole = self.hole or self.position + 1
            self.position = it.position
            version = self._versions.get(it.originator_id, 0) + 1
            self._versions[it.originator_id] = it.originator_version
            if version != it.originator_version:
                self._wrong.add("versions-not-dense")
            if self._recorded_at is not None and it.recorded_at < self._recorded_at:
                self._wrong.add("times-go-back")
            self._recorded_at = it.recorded_at
            self.digest.update(leaf_hash(self._log.log_id, it))
            try:
                decode(it.topic, it.state)
                for _, sealed in stored_sealed_values(it.state):
                    fresh.setdefault(sealed.kid, it.position)
            except (Unsafe, msgspec.MsgspecError, ValueError, TypeError, KeyError):
                self._wrong.add("event-unreadable")
        self._ask_for(fresh)

    def _ask_for(self, kids: dict[str, int]) -> None:
        asked = kids.keys() - self._seen
        self._seen |= asked
        fates = self._vault.fates(asked)
        for kid in asked:
            is_held = fates.get(kid)
            self.held += is_held is True
            self.destroyed += is_held is False
            self.unknown += is_held is None
            if kids[kid] > self._accepted and not is_held:
                self._wrong.add(_VAULT_BEHIND if is_held is None else "key-missing")

    def faults(self) -> list[Unsafe]:
        """Give what was wrong on the way."""
        found = [
            Unsafe(zh=it.zh, en=it.en, code=it.code) for it in _SENTENCES if it.code in self._wrong
        ]
        return [*found, vault_behind()] if _VAULT_BEHIND in self._wrong else found


_SENTENCES = (
    Refusal(
        "versions-not-dense",
        "某些案件或账号的事件版本不连续。请停止使用，从备份恢复。",
        "The events of a stream are not numbered one after the other. Stop, and restore from a "
        "backup.",
    ),
    Refusal(
        "times-go-back",
        "记录时间随位置倒退，日志可能被改动。请停止使用，从备份恢复。",
        "The recorded times go back as the positions go on: the log may have been altered. Stop, "
        "and restore from a backup.",
    ),
    Refusal(
        "event-unreadable",
        "有事件无法读取：日志已损坏，或由更新的版本写入。请使用更新的版本，或从备份恢复。",
        "An event cannot be read: the log is damaged, or a newer release wrote it. Run that "
        "release, or restore from a backup.",
    ),
    Refusal(
        "key-missing",
        "有密钥已被销毁，而日志中没有删除记录。请从备份恢复密钥库并核查原因。",
        "Keys were destroyed though the log records no erasure. Restore the vault from a backup "
        "and find out why.",
    ),
)
