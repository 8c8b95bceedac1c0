"""The bytes of a leaf and the codec between events and stored bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any, ClassVar
from uuid import UUID

import msgspec
import pytest

from mediation import kernel
from mediation.kernel import Event, decode
from mediation.privacy import Personal, Purpose, Sealed
from mediation.store import (
    EventMapper,
    NotStorable,
    Recorded,
    StreamEvent,
    from_micros,
    leaf_bytes,
    leaf_hash,
    to_micros,
)

LOG_ID = UUID("00112233-4455-6677-8899-aabbccddeeff")
STREAM = UUID("fedcba98-7654-3210-fedc-ba9876543210")
RECORDED = Recorded(
    originator_id=STREAM,
    originator_version=3,
    topic="case.受理/1",
    state=b'{"a":1}',
    id=258,
    recorded_at=datetime(2026, 3, 2, 1, 2, 3, 456789, tzinfo=UTC),
    command_end=259,
)


def test_the_leaf_of_a_known_event_never_changes():
    """Every byte of the format, written out by hand; proofs made today must hold in ten years."""
    state = sha256(b'{"a":1}').hexdigest()
    expected = bytes.fromhex(
        "6d6c31"
        "0000001000112233445566778899aabbccddeeff"
        "000000080000000000000102"
        "0000000800064c00228a3115"
        "000000080000000000000103"
        "00000010fedcba9876543210fedcba9876543210"
        "000000080000000000000003"
        "0000000d636173652ee58f97e790862f31"
        "00000020" + state
    )  # fmt: skip
    assert leaf_bytes(LOG_ID, RECORDED) == expected
    assert leaf_hash(LOG_ID, RECORDED) == sha256(b"\x00" + expected).digest()
    assert leaf_hash(LOG_ID, RECORDED).hex() == (
        "754cf5d111d4a46d5dd9c422c218ec0a051f34b422c644cfa04f723b3f63dc75"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"id": 259},
        {"command_end": 260},
        {"originator_id": LOG_ID},
        {"originator_version": 4},
        {"topic": "case.受理/2"},
        {"state": b'{"a":2}'},
        {"recorded_at": datetime(2026, 3, 2, 1, 2, 3, 456790, tzinfo=UTC)},
    ],
)
def test_every_field_of_the_envelope_is_in_the_leaf(change):
    """Changing any column or the stored bytes changes the leaf."""
    changed = Recorded(**{**vars(RECORDED), **change})
    assert leaf_hash(LOG_ID, changed) != leaf_hash(LOG_ID, RECORDED)
    assert leaf_hash(STREAM, RECORDED) != leaf_hash(LOG_ID, RECORDED)


def test_microseconds_survive_the_way_there_and_back():
    """The integer form loses nothing and refuses a time without zone."""
    assert from_micros(to_micros(RECORDED.recorded_at)) == RECORDED.recorded_at
    assert to_micros(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)) == 1_000_000
    with pytest.raises(TypeError):
        to_micros(datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake that is refused


class Noted(Event, frozen=True, kw_only=True):
    """An event of this test; known to the codec only while a test runs."""

    topic: ClassVar[str] = "leaf-test.noted/1"
    text: Sealed
    amount: int = 0


@pytest.fixture
def placed(monkeypatch) -> StreamEvent:
    """A sound event of the test district, in its place."""
    monkeypatch.setitem(kernel._EVENTS, Noted.topic, Noted)
    at = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
    envelope: dict[str, Any] = {
        "event_id": LOG_ID,
        "district": "370102",
        "occurred_at": at,
        "decided_at": at,
        "actor_id": LOG_ID,
        "role": "mediator",
        "body_id": None,
        "on_behalf_of_id": None,
        "command_id": LOG_ID,
        "causation_id": None,
        "correlation_id": LOG_ID,
        "reason_code": None,
        "legal_basis": None,
    }
    sealed = Sealed(kid="k1", subject_id=STREAM, purpose=Purpose.FREE_TEXT, nonce="AAAA", ct="BBBB")
    return StreamEvent(STREAM, 1, Noted(**envelope, text=sealed))


def test_an_event_comes_back_equal(placed):
    """Stored bytes decode to the same event in the same place."""
    mapper = EventMapper("370102")
    stored = mapper.to_stored_event(placed)
    assert stored.topic == "leaf-test.noted/1"
    assert decode(stored.topic, stored.state) == placed.event
    assert mapper.to_domain_event(stored) == placed


def test_what_would_not_come_back_is_refused(placed):
    """A clear value, a value of the wrong kind, another district: refused, and never quoted."""
    mapper = EventMapper("370102")
    for change in (
        {"text": Personal("张三").of(STREAM, Purpose.FREE_TEXT)},
        {"amount": "12"},
        {"amount": True},
        {"amount": 1.5},
        {"district": "999999"},
        {"legal_basis": object()},
        {"decided_at": datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=8)))},
    ):
        spoiled = msgspec.structs.replace(placed.event, **change)
        with pytest.raises(NotStorable) as refused:
            mapper.to_stored_event(StreamEvent(STREAM, 1, spoiled))
        assert "张三" not in str(refused.value)
