"""How far the log had come, remembered beside the keys: a log restored too short is noticed.

The mark stands in the vault, which is backed up after the log and lies apart from it. It holds the
last position and the hash of the leaf there, so neither a shorter log nor another history of that
length passes. After a true loss the operator goes on in a new epoch, and the epochs before keep
what was lost (ADR 0024). A log that was restored together with its vault is not noticed here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from threading import Event
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from eventsourcing import persistence
from sqlalchemy import exc

from mediation.errors import Malformed, Unsafe
from mediation.privacy import stored_sealed_values
from mediation.store.codec import leaf_hash
from mediation.store.engine import not_migrated, writing
from mediation.store.log import Log
from mediation.store.moments import from_micros, to_micros
from mediation.store.vault import Vault

SECONDS = 1.0
"""How often a running process moves the mark; what was recorded since may be lost unnoticed."""

NEWEST = 500
"""Of about how many events at the end of the log the keys are looked up before it is served."""

MARKS = sa.MetaData()

LOG_MARK = sa.Table(
    "log_mark",
    MARKS,
    sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("log_id", sa.Uuid, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("leaf", sa.LargeBinary, nullable=False),
    sa.Column("marked_at", sa.BigInteger, nullable=False),
    sa.Column("began_position", sa.BigInteger, nullable=False),
    sa.Column("began_at", sa.BigInteger, nullable=False),
    sa.Column("accepted_by_id", sa.Uuid, nullable=True),
    sa.Column("reason", sa.Text, nullable=True),
)

_REASON = re.compile(r"[a-z][a-z0-9-]{0,63}")
_OUTAGES = (
    exc.OperationalError,
    exc.InterfaceError,
    exc.TimeoutError,
    persistence.OperationalError,
    persistence.InterfaceError,
)


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far the log is known to have come, in the epoch that began after the last loss.

    Attributes:
        epoch: 0, and one more for every loss that was accepted.
        log_id: id of the log it speaks of.
        position: of the last event known; 0 for an empty log.
        leaf: hash of the leaf there; empty at position 0.
        marked_at: aware UTC.
        began_position: where the log stood when the epoch began.
        began_at: aware UTC.
        accepted_by_id: account of who accepted the loss; None in epoch 0.
        reason: his reason, a kebab-case code; None in epoch 0.
    """

    epoch: int
    log_id: UUID
    position: int
    leaf: bytes
    marked_at: datetime
    began_position: int
    began_at: datetime
    accepted_by_id: UUID | None
    reason: str | None


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """A loss that was accepted: what came after one position, as far as another, is gone.

    The two are equal where only keys were lost.
    """

    after_position: int
    until_position: int
    accepted_at: datetime
    accepted_by_id: UUID
    reason: str


def migrate_marks(engine: sa.Engine, *, log_id: UUID, at: datetime) -> None:
    """Make the table where it is missing, and in a new vault the mark of an empty log.

    Args:
        engine: of the vault.
        log_id: of the log it belongs to.
        at: aware time.
    """
    with writing(engine) as connection:
        MARKS.create_all(connection)
        if connection.execute(sa.select(LOG_MARK.c.epoch).limit(1)).first() is None:
            connection.execute(sa.insert(LOG_MARK).values(_row(0, log_id, 0, b"", at)))


class Marks:
    """The marks of one log in its vault.

    Args:
        engine: of the vault, `migrate_marks` ran there.
        log: the log they speak of.
        clock: gives the present as aware UTC.
    """

    def __init__(self, engine: sa.Engine, log: Log, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._log = log
        self._clock = clock

    def current(self) -> Mark:
        """Read the mark in force.

        Raises:
            Unsafe: the vault has not been migrated.
        """
        return self._all()[-1]

    def losses(self) -> list[Loss]:
        """Read every loss that was accepted, the first one first."""
        marks = self._all()
        return [
            Loss(
                after_position=later.began_position,
                until_position=max(before.position, later.began_position),
                accepted_at=later.began_at,
                accepted_by_id=later.accepted_by_id,
                reason=later.reason or "",
            )
            for before, later in pairwise(marks)
            if later.accepted_by_id is not None
        ]

    def keep(self) -> int:
        """Move the mark on to the end of the log; give where it stands."""
        mark = self.current()
        position = self._log.head().position
        if position <= mark.position:
            return mark.position
        reached = {
            "position": position,
            "leaf": self._leaf(position),
            "marked_at": to_micros(self._clock()),
        }
        with writing(self._engine) as connection:
            # Another process may have been faster; the mark never goes back.
            connection.execute(
                sa.update(LOG_MARK)
                .where(LOG_MARK.c.epoch == mark.epoch, LOG_MARK.c.position < position)
                .values(reached)
            )
        return position

    def run(self, stop: Event) -> None:
        """Keep the mark at the end of the log until `stop` is set; outages are waited out."""
        while not stop.is_set():
            self.keep_if_answered()
            stop.wait(SECONDS)

    def keep_if_answered(self) -> None:
        """Move the mark on, unless log or vault do not answer: then the next time will do."""
        try:
            self.keep()
        except _OUTAGES:
            return

    def faults(self, vault: Vault) -> Iterator[Unsafe]:
        """Give what says that log and vault are not what they were together.

        Asks for the keys of the newest events only, and only for those after the last loss.
        """
        # The mark is read first: the log only grows meanwhile.
        mark, head = self.current(), self._log.head()
        if mark.log_id != head.log_id:
            yield Unsafe(
                zh="密钥库属于另一个日志。请核对 MEDIATION_DATABASE_URL 和 MEDIATION_VAULT_URL。",
                en="The vault belongs to another log. Check MEDIATION_DATABASE_URL and "
                "MEDIATION_VAULT_URL.",
                code="vault-of-another-log",
            )
            return
        if head.position < mark.position:
            yield Unsafe(
                zh=f"日志止于位置 {head.position}，而此前已记录到 {mark.position}：可能恢复了旧"
                "备份，其后的记录缺失。请恢复较新的备份；确已丢失的，按备份与恢复说明用 "
                "mediation accept-loss 确认后继续。",
                en=f"The log ends at position {head.position}, but had come to {mark.position}: an "
                "older backup was restored and what came later is missing. Restore a newer "
                "backup; after a true loss go on with `mediation accept-loss`, as the guide on "
                "backup and restore says.",
                code="log-behind",
            )
        elif mark.position and self._leaf(mark.position) != mark.leaf:
            yield Unsafe(
                zh=f"日志在位置 {mark.position} 的记录与此前不同：这是另一份历史。请恢复正确的备"
                "份；确已丢失的，按备份与恢复说明用 mediation accept-loss 确认后继续。",
                en=f"At position {mark.position} the log holds another event than before: this is "
                "another history. Restore the right backup; after a true loss go on with "
                "`mediation accept-loss`, as the guide on backup and restore says.",
                code="log-differs",
            )
        if self._newest_unknown(vault, mark, head.position):
            yield vault_behind()

    def require(self, vault: Vault) -> None:
        """Refuse a log and a vault that are not what they were together.

        Raises:
            Unsafe: with what is wrong and what to do.
        """
        for fault in self.faults(vault):
            raise fault

    def accept(self, *, position: int, account_id: UUID, reason: str) -> Loss:
        """Go on from where the log stands now, and keep on record what is lost, who said so, why.

        Args:
            position: where the log stands, so that nobody accepts what he has not looked at.
            account_id: who accepts; an account of this log.
            reason: a kebab-case code, never a sentence somebody typed.

        Raises:
            Malformed: the log stands elsewhere, or the reason is no code.
        """
        mark, head = self.current(), self._log.head()
        if position != head.position:
            raise Malformed(
                zh=f"日志目前止于位置 {head.position}，与所填不符。请先运行 mediation check 核对。",
                en=f"The log ends at position {head.position}, not at the one given. Look at it "
                "with `mediation check` first.",
                code="position-differs",
            )
        if not _REASON.fullmatch(reason):
            raise Malformed(
                zh="原因须为小写英文短码，如 disk-failure，不得填写个人信息。",
                en="The reason is a short code such as disk-failure; it holds nothing personal.",
                code="reason-malformed",
            )
        leaf = self._leaf(position) if position else b""
        row = _row(mark.epoch + 1, head.log_id, position, leaf, self._clock())
        with writing(self._engine) as connection:
            connection.execute(
                sa.insert(LOG_MARK).values({**row, "accepted_by_id": account_id, "reason": reason})
            )
        return self.losses()[-1]

    def _newest_unknown(self, vault: Vault, mark: Mark, position: int) -> bool:
        """Tell whether the vault never had a key of the newest events that have sealed anything."""
        while position > mark.began_position:
            after = max(mark.began_position, position - NEWEST)
            events = self._log.read(after, position - after)
            kids = {sealed.kid for it in events for _, sealed in stored_sealed_values(it.state)}
            if kids:
                return bool(kids - vault.fates(kids).keys())
            position = after
        return False

    def _leaf(self, position: int) -> bytes:
        (recorded, *_) = self._log.read(position - 1, 1)
        return leaf_hash(self._log.log_id, recorded)

    def _all(self) -> list[Mark]:
        try:
            with self._engine.connect() as connection:
                rows = connection.execute(sa.select(LOG_MARK).order_by(LOG_MARK.c.epoch)).all()
        except exc.DBAPIError:
            if sa.inspect(self._engine).has_table(LOG_MARK.name):
                raise
            rows = []
        if not rows:
            raise not_migrated()
        return [_mark(row) for row in rows]


def vault_behind() -> Unsafe:
    """Give the error of a vault that never held a key under which the log has sealed something."""
    return Unsafe(
        zh="日志中有以密钥库所没有的密钥加密的内容：密钥库是旧备份，或是另一个。这不是依法删除。"
        "请恢复较新的密钥库；确已丢失的，按备份与恢复说明用 mediation accept-loss 确认后继续。",
        en="The log holds values sealed under keys that the vault never had: it is an older backup "
        "or another vault. This is no erasure. Restore a newer vault; after a true loss go on with "
        "`mediation accept-loss`, as the guide on backup and restore says.",
        code="vault-behind",
    )


def _row(epoch: int, log_id: UUID, position: int, leaf: bytes, at: datetime) -> dict[str, Any]:
    return {
        "epoch": epoch,
        "log_id": log_id,
        "position": position,
        "leaf": leaf,
        "marked_at": to_micros(at),
        "began_position": position,
        "began_at": to_micros(at),
    }


def _mark(row: sa.Row[Any]) -> Mark:
    return Mark(
        epoch=row.epoch,
        log_id=row.log_id,
        position=row.position,
        leaf=bytes(row.leaf),
        marked_at=from_micros(row.marked_at),
        began_position=row.began_position,
        began_at=from_micros(row.began_at),
        accepted_by_id=row.accepted_by_id,
        reason=row.reason,
    )
