"""Fires what a passed date calls for, as the read model of deadlines tells it; no rule here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from threading import Event

import sqlalchemy as sa
import structlog

from mediation.application import SYSTEM, Mediation, Request
from mediation.calendar import day_of
from mediation.errors import Conflict, MediationError, OutcomeUnknown, Refused
from mediation.policies import Fired, whenever_a_term_is_over_then_lapse_it
from projections.base import reading
from projections.deadlines import Deadlines
from projections.runner import is_outage

_SECONDS = 1.0

_log = structlog.get_logger("mediation.timers")


class Timers:
    """Looks every second which terms are over, and has each recorded once.

    Several processes may do so side by side: the key of a command is the same everywhere.

    Args:
        mediation: the door.
        deadlines: the read model of open due dates.
        read_engine: where it lives.
        clock: gives the present as aware UTC.
        at_once: how many commands are fired at a look, at most.
    """

    def __init__(
        self,
        mediation: Mediation,
        deadlines: Deadlines,
        read_engine: sa.Engine,
        clock: Callable[[], datetime],
        at_once: int = 100,
    ) -> None:
        self._mediation = mediation
        self._deadlines = deadlines
        self._read_engine = read_engine
        self._clock = clock
        self._at_once = at_once
        self._refused: set[str] = set()

    def run(self, stop: Event) -> None:
        """Fire what is due until `stop` is set."""
        while not stop.is_set():
            try:
                self.fire()
            except Exception as error:
                if not is_outage(error):
                    raise
                _log.warning("the database does not answer; timers wait")
            stop.wait(_SECONDS)

    def fire(self) -> int:
        """Fire everything that is due now, and give how much was recorded."""
        today = day_of(self._clock())
        # What was refused may lie before the rest, and holds up none of it.
        limit = self._at_once + len(self._refused)
        with reading(self._read_engine) as connection:
            over = self._deadlines.terms_over(connection, today=today, limit=limit)
        due = [whenever_a_term_is_over_then_lapse_it(*it) for it in over]
        if len(due) < limit:
            self._refused.intersection_update(it.key for it in due)
        asked = [it for it in due if it.key not in self._refused]
        return sum(map(self._carry_out, asked[: self._at_once]))

    def _carry_out(self, fired: Fired) -> bool:
        try:
            self._mediation.execute(
                Request(
                    actor_id=SYSTEM,
                    key=fired.key,
                    command=fired.command,
                    stream_id=fired.case_id,
                    route="timer",
                )
            )
        except (Conflict, OutcomeUnknown):
            return False
        except MediationError as error:
            # Extended or ended meanwhile: not asked for again as long as the row stays.
            self._refused.add(fired.key)
            if not isinstance(error, Refused):
                _log.warning("a timer was not carried out", case_id=str(fired.case_id))
            return False
        return True
