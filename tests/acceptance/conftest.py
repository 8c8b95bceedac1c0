"""A served office for the acceptance stories, on each kind of database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from tests.acceptance.office import Office
from tests.serving import served


@pytest.fixture
def opened(database: str) -> Iterator[Callable[[str], Office]]:
    """Open an office whose clock starts at an ISO time with its zone."""
    with ExitStack() as closing:

        def begin(now: str) -> Office:
            at = datetime.fromisoformat(now).astimezone(UTC)
            return Office(closing.enter_context(served(database, now=at)))

        yield begin
