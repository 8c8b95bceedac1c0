"""Bring a store's tables to this release, one numbered step after the other; never by workers.

Each module `m0001_…` has one function `apply(connection)` and is never changed after a release.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine, insert, inspect, select, text, update

from mediation.store.engine import check_district, check_version, writing
from mediation.store.migrations import m0001_log
from mediation.store.moments import to_micros
from mediation.store.tables import LOG_HEAD

STEPS: tuple[Callable[[Connection], None], ...] = (m0001_log.apply,)

_DDL_LOCK = 0x6D656469  # "medi": taken for DDL only, never on the way of a command


def migrate(engine: Engine, *, district: str, kind: str, log_id: UUID, at: datetime) -> int:
    """Migrate a store, or make a new one; doing it twice does nothing.

    Args:
        engine: the log's engine, as the owner of the tables.
        district: code of the one district the store is for.
        kind: `live`, `demo` or `test`; fixed for good when the store is made.
        log_id: random id of a new log; an existing one keeps its own.
        at: aware time at which a new log begins.

    Returns:
        How many steps were applied.

    Raises:
        Unsafe: the store belongs to another district or was migrated by a newer release.
    """
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _DDL_LOCK})
        done = 0
        if inspect(connection).has_table(LOG_HEAD.name):
            head = connection.execute(select(LOG_HEAD.c.district, LOG_HEAD.c.schema_version)).one()
            check_version(head.schema_version)
            check_district(head.district, district)
            done = head.schema_version
        for step in STEPS[done:]:
            step(connection)
        if done == 0:
            connection.execute(
                insert(LOG_HEAD).values(
                    one=1,
                    position=0,
                    recorded_at=to_micros(at),
                    log_id=log_id,
                    district=district,
                    kind=kind,
                    schema_version=len(STEPS),
                )
            )
        elif done < len(STEPS):
            connection.execute(update(LOG_HEAD).values(schema_version=len(STEPS)))
        return len(STEPS) - done
