"""The tables of the log as SQLAlchemy sees them; read models and the vault own theirs elsewhere.

Times are integers: microseconds since 1970-01-01T00:00:00Z. So both databases hold, compare and
return exactly the same moment. Positions are given by the head row alone: no sequence, no default,
no autoincrement (ADR 0006).

On PostgreSQL the role that serves can append and nothing else (`api/grants.py`). The owner of the
tables could drop the triggers that refuse UPDATE, DELETE and TRUNCATE, so he does not serve.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

SCHEMA_VERSION = 1

# INTEGER is SQLite's only key type that is the row itself instead of a second index.
POSITION = BigInteger().with_variant(Integer(), "sqlite")

LOG = MetaData()

EVENT = Table(
    "event",
    LOG,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("command_end", BigInteger, nullable=False),
    Column("originator_id", Uuid, nullable=False),
    Column("originator_version", BigInteger, nullable=False),
    Column("topic", Text, nullable=False),
    Column("state", LargeBinary, nullable=False),
    UniqueConstraint("originator_id", "originator_version", name="event_stream_key"),
)

RECEIPT = Table(
    "receipt",
    LOG,
    Column("command_id", Uuid, primary_key=True),
    Column("body_mac", LargeBinary, nullable=False),
    Column("command_type", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("first_position", BigInteger, nullable=False),
    Column("last_position", BigInteger, nullable=False),
)

LOG_HEAD = Table(
    "log_head",
    LOG,
    Column("one", SmallInteger, CheckConstraint("one = 1"), primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("log_id", Uuid, nullable=False),
    Column("district", Text, nullable=False),
    Column("kind", Text, CheckConstraint("kind IN ('live', 'demo', 'test')"), nullable=False),
    Column("schema_version", Integer, nullable=False),
)

KEPT = ("event", "receipt")
