"""What every read model is made of: its tables, its digest, its scope in SQL; no fold of any event.

A read model is a function of the log's prefix alone: no row holds a default, a clock, a secret or
anything that depends on where a batch was cut.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, ClassVar
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Column, Connection, Engine, MetaData, Row, Table

from mediation.authority import Scoped, Where, columns_of
from mediation.store import Recorded, tracked_position, writing
from mediation.store.tracking import TRACKING, TRACKING_METADATA

Load = Callable[[Table, Collection[UUID]], Mapping[UUID, Row[Any]]]
"""Reads the stored rows of a table by its key, a stream id; rows that do not exist are left out."""

Rows = Mapping[Table, Sequence[tuple[Any, ...]]]
"""What a fold writes: whole rows in the order of the table's columns, each key once."""

PARKING = MetaData()
QUARANTINE = Table(
    "quarantine",
    PARKING,
    Column("projection", sa.Text, primary_key=True),
    Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("originator_id", sa.Uuid, nullable=False),
    Column("error", sa.Text, nullable=False),
)
"""The event that a read model could not fold: where it stands and the class of error, no more."""

PARKED = Table(
    "parked",
    PARKING,
    Column("projection", sa.Text, primary_key=True),
    Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("originator_id", sa.Uuid, nullable=False),
    Column("stale_since", sa.BigInteger, nullable=False),
)
"""Every event of a stream from its poison event on, waiting in order to be replayed."""

_DDL_LOCK = 0x70726F6A  # "proj": taken for DDL only
_LARGEST_IN = 1000


class Projection(ABC):
    """A read model: its name and version, its tables, and the fold of events into their rows.

    Name and version are frozen together: whoever changes a table or the fold raises the version,
    which gives new tables and a new tracking row.

    Args:
        prefix: put before every table name and the follower's name, to keep a second copy of the
            same read model in the same database.
    """

    name: ClassVar[str]
    version: ClassVar[int]

    def __init__(self, prefix: str = "") -> None:
        self.metadata = MetaData()
        self._prefix = prefix
        self.tables: tuple[Table, ...] = self.define()

    @property
    def follower(self) -> str:
        """Name of the tracking row."""
        return f"{self._prefix}{self.name}_{self.version}"

    def table(self, noun: str, *parts: Column[Any] | sa.Index) -> Table:
        """Make one table of this read model, called after its name and version."""
        return Table(f"{self.follower}_{noun}", self.metadata, *parts, info={"noun": noun})

    def index(self, noun: str, *columns: Any, **options: Any) -> sa.Index:
        """Make one index, called like the table it stands in."""
        return sa.Index(f"{self.follower}_{noun}", *columns, **options)

    @abstractmethod
    def define(self) -> tuple[Table, ...]:
        """Make the tables."""

    @abstractmethod
    def fold(self, batch: Sequence[Recorded], load: Load) -> Rows:
        """Fold events, in order and with whole commands, into the rows they leave behind.

        Pure but for `load`. Raises whatever an event makes it raise; the follower sets that
        stream aside.
        """

    def digest(self, connection: Connection) -> str:
        """Give the SHA-256 over all rows of all tables in key order, in hexadecimal.

        The encoding is typed and the same on both databases, and the tables are called by their
        nouns, so a copy under another prefix has the same digest.
        """
        digest = hashlib.sha256()
        for table in self.tables:
            digest.update(_canonical((table.info["noun"], *map(str, table.columns.keys()))))
            keys = [_bytewise(column, connection) for column in table.primary_key]
            query = sa.select(table).order_by(*keys).execution_options(yield_per=2000)
            for row in connection.execute(query):
                digest.update(_canonical(row))
        return digest.hexdigest()


def _bytewise(column: Column[Any], connection: Connection) -> sa.ColumnElement[Any]:
    # SQLite compares text as bytes; PostgreSQL does so only when asked.
    if connection.dialect.name == "postgresql" and isinstance(column.type, sa.Text):
        return column.collate("C")
    return column


def _canonical(values: Iterable[Any]) -> bytes:
    parts = []
    for value in values:
        tag, data = _ENCODINGS[type(value)](value)
        parts.append(tag + len(data).to_bytes(4, "big") + data)
    return b"".join(parts) + b"."


_ENCODINGS: Mapping[type, Callable[[Any], tuple[bytes, bytes]]] = {
    type(None): lambda _value: (b"n", b""),
    bool: lambda value: (b"b", b"1" if value else b"0"),
    int: lambda value: (b"i", str(value).encode()),
    str: lambda value: (b"s", value.encode()),
    date: lambda value: (b"d", value.isoformat().encode()),
    UUID: lambda value: (b"u", value.bytes),
}


def create(engine: Engine, projections: Collection[Projection]) -> None:
    """Make the tables of read models and of their followers where they are missing.

    For `migrate` and the embedded start, never for concurrent workers.
    """
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_DDL_LOCK)))
        for metadata in (TRACKING_METADATA, PARKING, *(it.metadata for it in projections)):
            metadata.create_all(connection)
        if engine.dialect.name == "postgresql":
            _share(connection, [it for model in projections for it in model.tables])


def _share(connection: Connection, tables: Iterable[Table]) -> None:
    """Let whoever may move the followers write these tables: also what is built beside the live."""
    asked = sa.text(
        "SELECT DISTINCT grantee FROM information_schema.role_table_grants "
        "WHERE table_schema = current_schema() AND table_name = :tracking "
        "AND privilege_type = 'UPDATE' AND grantor = current_user AND grantee <> current_user"
    )
    roles = connection.execute(asked, {"tracking": TRACKING.name}).scalars().all()
    quoted = connection.dialect.identifier_preparer
    for role in roles:
        for table in tables:
            connection.exec_driver_sql(
                f"GRANT SELECT, INSERT, UPDATE, DELETE ON {quoted.format_table(table)} "
                f"TO {quoted.quote(role)}"
            )


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a connection on which all queries see one and the same moment of the read models."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(  # noqa: PLW2901 - the same, told to stand still
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        yield connection


def load_rows(connection: Connection, table: Table, keys: Collection[UUID]) -> dict[UUID, Row[Any]]:
    """Read the rows of a table by its one key column."""
    (key,) = table.primary_key
    found: dict[UUID, Row[Any]] = {}
    asked = list(keys)
    for start in range(0, len(asked), _LARGEST_IN):
        query = sa.select(table).where(key.in_(asked[start : start + _LARGEST_IN]))
        found.update((row._mapping[key], row) for row in connection.execute(query))  # noqa: SLF001 - public in spite of its name
    return found


class Freshness(msgspec.Struct, frozen=True):
    """The position that an answer holds for, and how many streams the read model has set aside."""

    as_of_position: int
    parked: int


def freshness(
    connection: Connection, projection: Projection, at_position: int | None = None
) -> Freshness:
    """Read what an answer holds for: `at_position`, else how far the read model has come.

    In the snapshot of the connection. A read model that was asked for an earlier position has
    come that far.
    """
    parked = sa.select(sa.func.count(PARKED.c.originator_id.distinct()))
    if at_position is not None:
        parked = parked.where(PARKED.c.stale_since <= at_position)
    reached = tracked_position(connection, projection.follower) or 0
    return Freshness(
        reached if at_position is None else at_position,
        connection.execute(parked.where(PARKED.c.projection == projection.follower)).scalar_one(),
    )


def scope_columns() -> list[Column[Any]]:
    """Make the five columns on which scope is decided."""
    return [
        Column("custody_path", sa.Text, nullable=False),
        Column("assigned", sa.Text, nullable=False),
        Column("receiver_path", sa.Text),
        Column("former", sa.Text, nullable=False),
        Column("filed_by_id", sa.Text, nullable=False),
    ]


def scope_values(view: Scoped) -> tuple[str, str, str | None, str, str]:
    """Give the values of the five scope columns, in their order."""
    it = columns_of(view)
    return it.custody_path, it.assigned, it.receiver_path, it.former, it.filed_by_id


class ScopeView(msgspec.Struct, frozen=True):
    """A row as scope sees it: the case behind its five columns."""

    custody_body_id: str
    custody_path: str
    assigned_ids: tuple[UUID, ...]
    receiver_body_id: str | None
    receiver_path: str | None
    former_paths: tuple[str, ...]
    filed_by_id: UUID | None


def scope_view(row: Row[Any]) -> ScopeView:
    """Read the five scope columns of a row back as the case that scope is asked about."""
    return ScopeView(
        custody_body_id=_last(row.custody_path),
        custody_path=row.custody_path,
        assigned_ids=tuple(map(UUID, _unbarred(row.assigned))),
        receiver_body_id=None if row.receiver_path is None else _last(row.receiver_path),
        receiver_path=row.receiver_path,
        former_paths=tuple(_unbarred(row.former)),
        filed_by_id=UUID(row.filed_by_id) if row.filed_by_id else None,
    )


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _unbarred(text: str) -> list[str]:
    return [part for part in text.split("|") if part]


def visible(where: Where, table: Table) -> sa.ColumnElement[bool]:
    """Give the SQL condition that equals `where.matches` on the scope columns of a table."""
    columns = table.c
    return sa.or_(
        sa.false(),
        begins(columns.custody_path, where.custody_prefixes),
        begins(columns.receiver_path, where.receiver_prefixes),
        *(columns.former.like(f"%|{path}|%") for path in where.former_paths),
        columns.assigned.like(f"%|{where.assigned_id}|%") if where.assigned_id else sa.false(),
        columns.filed_by_id == where.filed_by_id if where.filed_by_id else sa.false(),
    )


def begins(path: Column[Any], prefixes: Iterable[str]) -> sa.ColumnElement[bool]:
    """Give the condition that a path begins with one of the prefixes; no prefix, no row.

    LIKE, since it compares bytes under every collation; paths hold none of its wildcards.
    """
    return sa.or_(sa.false(), *(path.like(f"{prefix}%") for prefix in prefixes))


def page_after(
    query: sa.Select[Any],
    order: Sequence[sa.ColumnElement[Any]],
    after: Sequence[Any] | None,
    *,
    latest_first: bool = False,
) -> sa.Select[Any]:
    """Sort a query, and begin behind the row with these keys; None: at the first row."""
    if after is not None:
        keys = (sa.literal(it, column.type) for it, column in zip(after, order, strict=True))
        here, last = sa.tuple_(*order), sa.tuple_(*keys)
        query = query.where(here < last if latest_first else here > last)
    return query.order_by(*(column.desc() if latest_first else column for column in order))
