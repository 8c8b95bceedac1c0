"""One command on its way into the log, its receipt, and the two ways it can lose; no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec
from eventsourcing.persistence import IntegrityError, ProgrammingError, StoredEvent


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The proof that a command was carried out: one per accepted command, kept for ever.

    Attributes:
        command_id: derived from the actor and his idempotency key.
        body_mac: keyed digest of the command's canonical body.
        command_type: kebab-case name.
        result: JSON of ids and versions only, never personal data.
        first_position, last_position: of the command's events; filled in by the store.
    """

    command_id: UUID
    body_mac: bytes
    command_type: str
    result: bytes
    first_position: int = 0
    last_position: int = 0


class AlreadyRecorded(IntegrityError):
    """The command id has a receipt: the command was carried out before, nothing was written now."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__("the command was recorded before")
        self.receipt = receipt


class StreamMoved(IntegrityError):
    """A stream that the command expects at a version stands at another; nothing was written.

    `current` gives the version of every stream that was expected, 0 for one without events.
    """

    def __init__(self, current: Mapping[UUID, int]) -> None:
        super().__init__("a stream moved on before this command")
        self.current = current


class Appending:
    """The events of one command, what it expects, its receipt, and the versions it writes.

    Args:
        events: at least one, in order.
        expects: version at which each stream has to stand, 0 for one without events.
        receipt: written with the events, if any.

    Attributes:
        spans: first and last version written to each stream.

    Raises:
        IntegrityError: the versions of a stream do not increase.
        ProgrammingError: a stream's id is not a UUID.
    """

    __slots__ = ("events", "expects", "receipt", "spans")

    def __init__(
        self,
        events: Sequence[StoredEvent],
        expects: Mapping[UUID, int],
        receipt: Receipt | None,
    ) -> None:
        self.events = events
        self.expects = expects
        self.receipt = receipt
        self.spans: dict[UUID, tuple[int, int]] = {}
        for event in events:
            stream, version = event.originator_id, event.originator_version
            if not isinstance(stream, UUID):
                msg = "a stream's id is a UUID"
                raise ProgrammingError(msg)
            span = self.spans.get(stream)
            if span is not None and version <= span[1]:
                msg = "versions of one stream must increase within a command"
                raise IntegrityError(msg)
            self.spans[stream] = (version if span is None else span[0], version)
