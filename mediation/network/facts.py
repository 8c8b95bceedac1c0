"""The facts of the office: what the door tells every decider besides state and command."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from mediation.calendar import Calendar, day_of
from mediation.kernel import Facts
from mediation.ladder import Ladder
from mediation.network.state import NetworkState


class OfficeFacts(Facts, frozen=True, kw_only=True):
    """Facts with the office's published data and its network.

    `ladder` is the one new cases and bodies follow; `ladders` holds by ref every ladder that an
    older case is pinned to.
    """

    ladder: Ladder
    calendar: Calendar
    network: NetworkState
    ladders: Mapping[str, Ladder] = {}

    @property
    def occurred_on(self) -> date:
        """The Shanghai date on which what is being decided happened."""
        return day_of(self.occurred_at)
