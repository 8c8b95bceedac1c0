"""Write many rows of a read model at once; never used for the log, where nothing is replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Sequence[Any]],
    *,
    columns: Sequence[str] = (),
    keys: Sequence[str] = (),
) -> None:
    """Insert the rows of a read model, or replace those whose key exists, in one statement.

    Joins the caller's transaction. Not for the log, where nothing is ever replaced.

    Args:
        connection: the transaction to write in.
        table: the read model's table; no array columns.
        rows: one tuple per row in the order of `columns`; no two rows with the same key.
        columns: names of the columns given; default: all of the table.
        keys: names of the key columns; default: the primary key.
    """
    if not rows:
        return
    names = tuple(columns) or tuple(column.name for column in table.columns)
    key_names = tuple(keys) or tuple(column.name for column in table.primary_key)
    statement, converters = _upsert_statement(connection.dialect, table, names, key_names)
    if connection.dialect.name == "sqlite":
        by_column = [*zip(*rows, strict=True)]
        for index, convert in converters:
            by_column[index] = tuple(map(convert, by_column[index]))
        connection.exec_driver_sql(statement, [*zip(*by_column, strict=True)])
        return
    given = list(map(list, zip(*rows, strict=True)))
    for index, convert in converters:
        given[index] = [convert(value) for value in given[index]]
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        cursor.execute(statement, given, prepare=True)


@lru_cache(maxsize=256)
def _upsert_statement(
    dialect: Dialect, table: Table, columns: tuple[str, ...], keys: tuple[str, ...]
) -> tuple[str, tuple[tuple[int, Callable[[Any], Any]], ...]]:
    quote = dialect.identifier_preparer.quote
    listed = ", ".join(map(quote, columns))
    updates = ", ".join(f"{quote(c)} = excluded.{quote(c)}" for c in columns if c not in keys)
    conflict = (
        f"ON CONFLICT ({', '.join(map(quote, keys))}) DO "
        f"{f'UPDATE SET {updates}' if updates else 'NOTHING'}"
    )
    target = dialect.identifier_preparer.format_table(table)
    types = [table.columns[name].type for name in columns]
    converters = tuple(
        (index, convert)
        for index, kind in enumerate(types)
        if (convert := kind.dialect_impl(dialect).bind_processor(dialect)) is not None
    )
    if dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        # Names come quoted from the table's definition, values are bound.
        return f"INSERT INTO {target} ({listed}) VALUES ({marks}) {conflict}", converters  # noqa: S608
    arrays = ", ".join(f"%b::{kind.compile(dialect)}[]" for kind in types)
    source = f"SELECT * FROM unnest({arrays})"  # noqa: S608 - as above
    return f"INSERT INTO {target} ({listed}) {source} {conflict}", converters
