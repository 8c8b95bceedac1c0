"""Microseconds since the epoch, the one form in which the store keeps a moment; no clock here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(at: datetime) -> int:
    """Give an aware time as microseconds since 1970-01-01T00:00:00Z.

    Raises:
        TypeError: the time has no zone.
    """
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Give microseconds since the epoch as an aware UTC time."""
    return _EPOCH + timedelta(microseconds=micros)
