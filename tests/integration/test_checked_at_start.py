"""A store is checked before it is served, also while others go on writing to it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from sqlalchemy import event

from mediation.store import check_store, open_engine
from tests.conftest import DISTRICT, Clock
from tests.wiring import a_registration, an_office


def test_a_store_that_others_write_to_has_no_holes(database: str, clock: Clock):
    """A case is registered before every statement of the check, which sees one moment of it."""
    with an_office(database, clock=clock) as office:
        engine, written = open_engine(database), []

        def others_write(*_asked: Any) -> None:
            answer = office.do("lead@hengjie", uuid4().hex, "register-case", a_registration())
            written.append(answer.position)

        event.listen(engine, "before_cursor_execute", others_write)
        try:
            check_store(engine, district=DISTRICT)
        finally:
            engine.dispose()

        assert len(written) >= 3
