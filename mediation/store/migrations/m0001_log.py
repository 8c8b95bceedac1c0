"""Step 1: the log, its receipts, its head, and the triggers that refuse every change."""

from __future__ import annotations

from sqlalchemy import Connection

from mediation.store.hot import APPEND_FUNCTION
from mediation.store.tables import KEPT, LOG

_SQLITE_TRIGGER = """
CREATE TRIGGER {table}_refuses_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END
"""
_POSTGRESQL_FUNCTION = """
CREATE FUNCTION mediation_refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only', ERRCODE = '42501';
END $$
"""
_POSTGRESQL_TRIGGER = """
CREATE TRIGGER {table}_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION mediation_refuse_change();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_is_kept
"""


def apply(connection: Connection) -> None:
    """Make the tables of the log."""
    LOG.create_all(connection, checkfirst=False)
    if connection.dialect.name == "sqlite":
        for table in KEPT:
            for verb in ("update", "delete"):
                connection.exec_driver_sql(_SQLITE_TRIGGER.format(table=table, verb=verb))
        return
    connection.exec_driver_sql(_POSTGRESQL_FUNCTION)
    for table in KEPT:
        connection.exec_driver_sql(_POSTGRESQL_TRIGGER.format(table=table))
    connection.exec_driver_sql(APPEND_FUNCTION)
