"""What a story of the demo is; the stories themselves stand in `stories`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from api.demo.office import Case, Office
from api.screen import Words


class Story(NamedTuple):
    """One case that is played and shown whole.

    Attributes:
        name: of the case in `demo.json`.
        brief: what it is about, in a few words.
        title: stands above its page.
        source: where it was published; None if the whole story is invented.
        begins: the day on which it begins; stories are played in this order.
        unsaid: what its source does not say and what stands in its place, or what is made up.
        told: the events that its source tells of, without prefix and version; whatever else
            happens in a published story is marked as added.
        play: carries it out.
    """

    name: str
    brief: Words
    title: Words
    begins: str
    unsaid: tuple[Words, ...]
    play: Callable[[Office], Case]
    source: Words | None = None
    told: frozenset[str] = frozenset()

    @property
    def is_published(self) -> bool:
        """Somebody reported it; what the report does not tell is marked as added."""
        return self.source is not None

    def adds(self, event: str, source: str | None) -> bool:
        """Say whether the demo added an event to what was reported."""
        return self.is_published and (event not in self.told or source == "demo-addition")
