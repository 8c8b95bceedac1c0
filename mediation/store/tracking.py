"""How far a follower has come: one row per follower, moved in the transaction of what it wrote."""

from __future__ import annotations

from eventsourcing.persistence import IntegrityError, Tracking, TrackingRecorder
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    MetaData,
    Table,
    Text,
    exc,
    insert,
    select,
    update,
)

from mediation.store.engine import writing

TRACKING_METADATA = MetaData()
# Default autovacuum: the row is rewritten with every batch and must not bloat the table.
TRACKING = Table(
    "tracking",
    TRACKING_METADATA,
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
)


def create_tracking(engine: Engine) -> None:
    """Make the tracking table where the read models live, if it is not there."""
    with writing(engine) as connection:
        TRACKING_METADATA.create_all(connection)


def tracked_position(connection: Connection, name: str) -> int | None:
    """Read how far a follower has come, None if it never began."""
    query = select(TRACKING.c.position).where(TRACKING.c.name == name)
    return connection.execute(query).scalar_one_or_none()


def advance(connection: Connection, name: str, from_position: int, to_position: int) -> None:
    """Move a follower on, in the caller's transaction.

    Args:
        connection: the transaction that also wrote what the follower made of the events.
        name: of the follower, with its version.
        from_position: where the caller found it; 0 if it never began.
        to_position: where it stands now; greater.

    Raises:
        IntegrityError: somebody else moved it meanwhile; the transaction must be rolled back.
    """
    if to_position <= from_position:
        msg = f"{name} can only move forward"
        raise IntegrityError(msg)
    moved = connection.execute(
        update(TRACKING)
        .where(TRACKING.c.name == name, TRACKING.c.position == from_position)
        .values(position=to_position)
    )
    if moved.rowcount == 1:
        return
    if from_position == 0:
        try:
            connection.execute(insert(TRACKING).values(name=name, position=to_position))
        except exc.IntegrityError as error:
            raise _overtaken(name) from error
        return
    raise _overtaken(name)


def _overtaken(name: str) -> IntegrityError:
    return IntegrityError(f"{name} was moved by somebody else")


class LogTracking(TrackingRecorder):
    """The event library's view of the tracking table.

    Args:
        engine: where the read models live; `create_tracking` ran there.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def insert_tracking(self, tracking: Tracking) -> None:
        """Record that an event was processed.

        Raises:
            IntegrityError: the follower already stands there or beyond.
        """
        name, position = tracking.application_name, tracking.notification_id
        with writing(self._engine) as connection:
            advance(connection, name, tracked_position(connection, name) or 0, position)

    def max_tracking_id(self, application_name: str) -> int | None:
        """Read how far a follower has come, None if it never began."""
        with self._engine.connect() as connection:
            return tracked_position(connection, application_name)
