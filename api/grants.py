"""What the role that serves may do to each table on PostgreSQL; who owns them is another role.

The owner migrates and could drop the triggers that refuse changes of the log; so he does not serve.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy import Table

from api.security import ACCESS_TOKEN
from mediation.errors import Malformed
from mediation.store.access import ACCESS_RECORD
from mediation.store.engine import writing
from mediation.store.marks import LOG_MARK
from mediation.store.tables import EVENT, LOG_HEAD, RECEIPT
from mediation.store.tracking import TRACKING
from mediation.store.vault import VAULT_KEY, VAULT_SECRET
from projections.base import PARKED, QUARANTINE, Projection

LOG_GRANTS: Mapping[Table, str] = {
    EVENT: "SELECT, INSERT",
    RECEIPT: "SELECT, INSERT",
    LOG_HEAD: "SELECT, UPDATE (position, recorded_at)",
    ACCESS_RECORD: "SELECT, INSERT",
    ACCESS_TOKEN: "SELECT, INSERT, UPDATE (revoked)",
}

VAULT_GRANTS: Mapping[Table, str] = {
    VAULT_KEY: "SELECT, INSERT, UPDATE (material, destroyed_at)",
    VAULT_SECRET: "SELECT, INSERT",
    LOG_MARK: "SELECT, UPDATE (position, leaf, marked_at)",
}


def read_grants(projections: Iterable[Projection]) -> dict[Table, str]:
    """Give what is needed on read models and followers: they are disposable."""
    tables = (TRACKING, PARKED, QUARANTINE, *(it for model in projections for it in model.tables))
    return dict.fromkeys(tables, "SELECT, INSERT, UPDATE, DELETE")


def grant_to(role: str, engine: sa.Engine, grants: Mapping[Table, str]) -> None:
    """Give a role exactly this on these tables, and take what more it had on them.

    Args:
        role: exists, and is not the one that is connected.
        engine: as the owner of the tables.
        grants: privileges by table, as GRANT takes them.

    Raises:
        Malformed: there is no such role, it owns the tables, or the database is SQLite.
    """
    if engine.dialect.name != "postgresql":
        raise Malformed(
            zh="SQLite 没有数据库角色，请去掉 --app-role。",
            en="SQLite has no roles: leave --app-role out.",
            code="no-roles",
        )
    quoted = engine.dialect.identifier_preparer
    with writing(engine) as connection:
        asked = sa.text("SELECT rolname = current_user FROM pg_roles WHERE rolname = :role")
        is_owner = connection.execute(asked, {"role": role}).scalar()
        if is_owner is None:
            raise Malformed(
                zh="数据库中没有该角色。请先用 CREATE ROLE 建立，再运行 mediation migrate。",
                en="There is no such role. Make it with CREATE ROLE, then run `mediation migrate` "
                "again.",
                code="role-unknown",
            )
        if is_owner:
            raise Malformed(
                zh="运行服务的角色不能是表的所有者。请另建一个角色。",
                en="The role that serves must not own the tables. Make another one.",
                code="role-is-owner",
            )
        schema = quoted.quote(connection.execute(sa.text("SELECT current_schema()")).scalar_one())
        name = quoted.quote(role)
        connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {name}")
        for table, privileges in grants.items():
            on = f"ON {quoted.format_table(table)}"
            connection.exec_driver_sql(f"REVOKE ALL {on} FROM {name}")
            connection.exec_driver_sql(f"GRANT {privileges} {on} TO {name}")


def may_rewrite(engine: sa.Engine) -> bool:
    """Tell whether the role that is connected could change or empty the log, triggers aside."""
    if engine.dialect.name != "postgresql":
        return False
    asked = sa.text("SELECT has_table_privilege(:event, 'UPDATE, DELETE, TRUNCATE')")
    with engine.connect() as connection:
        return bool(connection.execute(asked, {"event": EVENT.name}).scalar())
