"""The two clocks a process may run on; nothing else in the engine knows what time it is."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Lock

from mediation.errors import FieldFault, Malformed
from mediation.kernel import aware


def system_clock() -> datetime:
    """Give the present as aware UTC."""
    return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is set, and never goes back; safe for threads."""

    def __init__(self, now: datetime) -> None:
        self._lock = Lock()
        self._now = aware(now)

    def __call__(self) -> datetime:
        """Give the time it was set to."""
        return self._now

    def set(self, now: datetime) -> datetime:
        """Set the clock and give the time it now shows, aware UTC.

        Raises:
            Malformed: the time has no zone, or lies before the present one.
        """
        wanted = aware(now)
        with self._lock:
            if wanted < self._now:
                raise Malformed(
                    zh="时钟只能向前拨，请填写不早于当前时间的时间。",
                    en="The clock only goes forward; give a time that is not before the present.",
                    faults=(FieldFault("/now", "before-present"),),
                    code="clock-backwards",
                )
            self._now = wanted
            return wanted
