"""Ask the small questions that come with every request, by hand; no table is known here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine

from mediation.store.hot import driver_of


def read_rows(engine: Engine, statement: str, parameters: Mapping[str, Any]) -> list[Any]:
    """Read all rows of a statement, outside any transaction: one round trip, prepared.

    Building the same question with SQLAlchemy costs about as much as deciding a command.

    Args:
        engine: whose pool lends the connection.
        statement: with `:name` where a value is bound; no other colon and no percent in it.
        parameters: by name, as the driver binds them.

    Raises:
        Exception: of the driver; the connection is not used again.
    """
    lent = engine.raw_connection()
    try:
        return driver_of(engine.dialect.name).rows(lent.driver_connection, statement, parameters)
    except Exception:
        lent.invalidate()
        raise
    finally:
        lent.close()
