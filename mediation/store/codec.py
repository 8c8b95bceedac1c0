"""Between events and stored bytes, and the bytes that a leaf of the audit tree is made of.

No rule of any case, no key and no envelope is known here.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import cast
from uuid import UUID

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent

from mediation.errors import UnknownEvent
from mediation.kernel import Event, decode, encode
from mediation.store.moments import to_micros
from mediation.store.recorder import Recorded

LEAF_TAG = b"ml1"
_LEAF_BEFORE_TOPIC = struct.Struct(">3s I16s IQ Iq IQ I16s IQ I")
_LENGTH = struct.Struct(">I")
_LOCAL_TIME = re.compile(rb'"\d{4}-\d\d-\d\dT[0-9:.]+[+-]\d\d:?\d\d"')
"""A time with another ending than Z: one moment has one way to be written."""


@dataclass(frozen=True)
class StreamEvent:
    """An event in its place: stream, version in that stream (from 1), and what happened."""

    originator_id: UUID
    originator_version: int
    event: Event


class NotStorable(TypeError):
    """An event would not come back from the log as it went in, or belongs to another district."""


class EventMapper(Mapper[UUID]):
    """Convert events to stored bytes and back.

    Args:
        district: the only district whose events are accepted.
    """

    def __init__(self, district: str) -> None:
        self._district = district

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """Encode an event.

        Raises:
            NotStorable: it does not decode to an equal event, holds something unsealed or of no
                stored kind, a time that is not in UTC (Z), or names another district. Nothing is
                written then.
        """
        placed = cast("StreamEvent", domain_event)
        event = placed.event
        topic = event.topic
        if event.district != self._district:
            raise NotStorable(f"{topic} names another district than the store")
        try:
            state = encode(event)
            same = decode(topic, state) == event
        except (TypeError, msgspec.MsgspecError, UnknownEvent) as error:
            raise NotStorable(f"{topic} cannot be encoded: {type(error).__name__}") from error
        if not same:
            raise NotStorable(f"{topic} would not come back from the log as it went in")
        if _LOCAL_TIME.search(state):
            raise NotStorable(f"{topic} holds a time that is not written in UTC")
        return StoredEvent(placed.originator_id, placed.originator_version, topic, state)

    def to_domain_event(self, stored_event: StoredEvent) -> StreamEvent:
        """Decode an event, as the current version of its class.

        Raises:
            UnknownEvent: this release does not know the topic.
        """
        return StreamEvent(
            cast("UUID", stored_event.originator_id),
            stored_event.originator_version,
            decode(stored_event.topic, stored_event.state),
        )


def leaf_bytes(log_id: UUID, recorded: Recorded) -> bytes:
    """Give the bytes whose hash is the leaf at index `position - 1` of the audit tree.

    The tag `ml1`, then each field behind its length in 4 bytes: log id (16), position (8),
    recorded_at in microseconds since the epoch (8), command_end (8), stream id (16), version (8),
    topic (UTF-8), SHA-256 of the stored bytes (32). Numbers are big-endian. Fixed for good.
    """
    topic = recorded.topic.encode()
    stream = cast("UUID", recorded.originator_id)
    return b"".join(
        (
            _LEAF_BEFORE_TOPIC.pack(
                LEAF_TAG,
                16,
                log_id.bytes,
                8,
                recorded.id,
                8,
                to_micros(recorded.recorded_at),
                8,
                recorded.command_end,
                16,
                stream.bytes,
                8,
                recorded.originator_version,
                len(topic),
            ),
            topic,
            _LENGTH.pack(32),
            sha256(recorded.state).digest(),
        )
    )


def leaf_hash(
    log_id: UUID,
    recorded: Recorded,
    digest: Callable[[bytes], bytes] = lambda data: sha256(data).digest(),
) -> bytes:
    """Give the leaf's hash: digest of 0x00 and the leaf's bytes (RFC 9162, 2.1.1)."""
    return digest(b"\x00" + leaf_bytes(log_id, recorded))
