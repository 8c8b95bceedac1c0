"""Sealing between decision and append, and opening for those who may read; not who may.

Every value is bound to its place: log, stream, version, topic and path. Every decision seals with
keys of its own, one for each subject and purpose (ADR 0004).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar, cast
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from eventsourcing.persistence import StoredEvent

from mediation.errors import KeyMissing, Unsafe
from mediation.kernel import Event
from mediation.privacy import (
    NONCE_BYTES,
    Purpose,
    Sealed,
    Unsealed,
    aad_of,
    open_sealed,
    place_of,
    seal_value,
    stored_sealed_values,
    transform,
)
from mediation.store.vault import Vault

Erased = Callable[[UUID], bool]
E = TypeVar("E", bound=Event)

_RECEIPT_SECRET = "receipt"  # noqa: S105 - the name of the secret, not the secret
_RECEIPT_FORMAT = b"mediation/receipt/1"
_CONTENT_FORMAT = b"mediation/content/1"


class Place(msgspec.Struct, frozen=True):
    """Where an event stands: its stream, its version there, and its stored topic (`a.b/1`)."""

    stream_id: UUID
    version: int
    topic: str

    @classmethod
    def of(cls, stored: StoredEvent) -> Place:
        """Give the place of an event as it was read from the log."""
        return cls(cast("UUID", stored.originator_id), stored.originator_version, stored.topic)


class Sealer:
    """Seals fresh events and opens stored ones, under the keys of one vault for one log.

    Args:
        vault: where the keys are.
        log_id: the id of the log; an envelope copied from another log does not open.
    """

    def __init__(self, vault: Vault, log_id: str | UUID) -> None:
        self._vault = vault
        self._log_id = str(log_id)

    def seal(self, event: E, *, stream_id: UUID, version: int) -> E:
        """Seal the only event of a decision, which will stand at this version of this stream."""
        return cast("E", self.seal_decision([(stream_id, version, event)])[0])

    def seal_decision(self, items: Sequence[tuple[UUID, int, Event]]) -> list[Event]:
        """Seal the events of one decision: every `Unsealed` becomes a `Sealed`.

        Values of one subject and purpose share a key within the call, never beyond it; each value
        has its own random nonce.
        """
        keys: dict[tuple[UUID, Purpose], tuple[str, bytes]] = {}

        def sealed(stream_id: UUID, version: int, event: Event) -> Event:
            place = self._place(Place(stream_id, version, event.topic))

            def one(path: str, value: Unsealed) -> Sealed:
                whose = (value.subject_id, value.purpose)
                if whose not in keys:
                    keys[whose] = self._vault.lease()
                kid, key = keys[whose]
                return seal_value(
                    value,
                    kid=kid,
                    key=key,
                    nonce=self._vault.randbytes(NONCE_BYTES),
                    aad=aad_of(place, path),
                )

            return cast("Event", transform(event, one, Unsealed))

        return [sealed(*item) for item in items]

    def open(self, sealed: Sealed, *, at: Place, path: str, erased: Erased) -> str | None:
        """Open one value that stands at this place, under this stored path.

        Returns:
            The clear text, or None if the log records that its subject was erased (from that
            moment on, even while a key may still be at hand).

        Raises:
            KeyMissing: the key is gone and no erasure says why: an alarm.
            Unsafe: the envelope was altered, or moved here from another place: an alarm.
        """
        return self._open([(aad_of(self._place(at), path), sealed)], erased)[0]

    def open_event(self, stored: StoredEvent, *, erased: Erased) -> dict[str, str | None]:
        """Open every value of one stored event; path → clear text, or None if erased.

        Raises:
            KeyMissing, Unsafe: as `open`.
        """
        found = dict(stored_sealed_values(stored.state))
        place = self._place(Place.of(stored))
        bound = [(aad_of(place, path), sealed) for path, sealed in found.items()]
        return dict(zip(found, self._open(bound, erased), strict=True))

    def open_events(
        self, stored: Iterable[StoredEvent], *, erased: Erased
    ) -> dict[Sealed, str | None]:
        """Open every value of many stored events, asking the vault once.

        A folded state holds the same `Sealed` values without their places; here they are found.

        Raises:
            KeyMissing, Unsafe: as `open`.
        """
        bound = [
            (aad_of(place, path), sealed)
            for place, data in ((self._place(Place.of(event)), event.state) for event in stored)
            for path, sealed in stored_sealed_values(data)
        ]
        envelopes = (sealed for _, sealed in bound)
        return dict(zip(envelopes, self._open(bound, erased), strict=True))

    def body_mac(self, command_type: str, stream_id: UUID | None, body: bytes) -> bytes:
        """Give the 32-byte keyed digest of a command's canonical body, for its receipt (ADR 0027).

        Keyed, because a bare digest of a phone number is as good as the number.
        """
        stream = b"" if stream_id is None else stream_id.bytes
        return self._mac(_RECEIPT_FORMAT, command_type.encode(), stream, body)

    def content_mac(self, name: str, content: bytes) -> bytes:
        """Give the 32-byte keyed digest of content; never that of a command's receipt."""
        return self._mac(_CONTENT_FORMAT, name.encode(), content)

    def _mac(self, *parts: bytes) -> bytes:
        message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.digest(self._vault.secret(_RECEIPT_SECRET), message, "sha256")

    def require_receipt_key(self) -> None:
        """Refuse to go on without the key of receipts; a new one would make strangers of them all.

        Raises:
            Unsafe: the vault does not hold it, as another or an empty vault does not.
        """
        if not self._vault.holds_secret(_RECEIPT_SECRET):
            raise Unsafe(
                zh="密钥库中没有本日志的回执密钥。请停止办理，恢复与日志配套的密钥库备份后再启动。",
                en="The vault holds no key for the receipts of this log. Stop, restore the vault "
                "that belongs to this log from its backup, then start again.",
                code="receipt-key-missing",
            )

    def _place(self, at: Place) -> bytes:
        return place_of(self._log_id, at.stream_id, at.version, at.topic)

    def _open(self, bound: Sequence[tuple[bytes, Sealed]], erased: Erased) -> list[str | None]:
        gone = {subject_id: erased(subject_id) for subject_id in {s.subject_id for _, s in bound}}
        keys = self._vault.keys({s.kid for _, s in bound if not gone[s.subject_id]})
        return [None if gone[s.subject_id] else _open_one(s, keys[s.kid], aad) for aad, s in bound]


def _open_one(sealed: Sealed, key: bytes | None, aad: bytes) -> str:
    if key is None:
        raise KeyMissing(
            zh="密钥缺失，而日志中没有删除记录。请停止办理，从备份恢复密钥库并核查原因。",
            en="A key is missing though the log records no erasure. Stop, restore the vault from "
            "its backup, and find out why.",
        )
    try:
        return open_sealed(sealed, key=key, aad=aad)
    except InvalidTag:
        raise Unsafe(
            zh="加密内容被改动，或不在其原来的位置。请停止办理并核查日志。",
            en="A sealed value was altered or is not where it was sealed. Stop, and have the log "
            "verified.",
            code="seal-broken",
        ) from None
