"""Looking after read models: how each stands, rebuild beside the live one, drop what is left.

A rebuild folds the whole log into a copy, in tables of its own, while everybody reads and writes.
The switch makes the live rows equal to those of the copy by writing only what differs, in one
transaction: a reader keeps the moment that he began with, which renamed tables would not give him.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, MetaData, Table

from mediation.errors import NotFound, Unsafe
from mediation.store import tracked_position, writing
from mediation.store.engine import holding
from mediation.store.tracking import TRACKING
from projections.base import PARKED, QUARANTINE, Projection, create, reading
from projections.runner import Follower, Poisoned, Source

PREFIX = "rebuild_"
"""Put before the name of a read model, and of its tables, for the copy that a rebuild makes."""

BATCH = 1000
"""Events folded in one transaction: on SQLite the serving process waits for each of them."""

_LONGEST_PAUSE = 0.5
_MOMENT = 0.1
_LOCK = 0x7265626C  # "rebl"


# How read models stand


class Poison(msgspec.Struct, frozen=True):
    """An event that could not be folded: its place and the class of the error, no more."""

    position: int
    stream_id: UUID
    error: str


class SetAside(msgspec.Struct, frozen=True):
    """A stream whose rows are stale since a position, and how many of its events wait."""

    stream_id: UUID
    stale_since: int
    events: int


class Copy(msgspec.Struct, frozen=True):
    """How far a rebuild has come; `is_running` is false for one that was interrupted."""

    position: int
    is_running: bool


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How far a read model has come, what it has set aside, and its rebuild, if there is one.

    `lag` is negative where the read model lies ahead of the log: of a log that was restored.
    """

    name: str
    version: int
    follower: str
    position: int
    head: int
    lag: int
    quarantined: tuple[Poison, ...]
    parked: tuple[SetAside, ...]
    rebuild: Copy | None

    @property
    def is_sound(self) -> bool:
        """Whether nobody has to look after it."""
        return not self.quarantined and not self.parked and self.lag >= 0


class Left(msgspec.Struct, frozen=True):
    """What a version of a read model that this release does not keep has left behind."""

    follower: str
    position: int
    tables: tuple[str, ...]


class Counted(NamedTuple):
    """How many streams a read model has set aside, for how many events."""

    parked: int = 0
    quarantined: int = 0


def counted(connection: Connection) -> dict[str, Counted]:
    """Count what each follower has set aside; those that have nothing are left out."""
    streams = sa.select(PARKED.c.projection, sa.func.count(PARKED.c.originator_id.distinct()))
    events = sa.select(QUARANTINE.c.projection, sa.func.count())
    parked = _pairs(connection, streams.group_by(PARKED.c.projection))
    poison = _pairs(connection, events.group_by(QUARANTINE.c.projection))
    return {
        name: Counted(parked.get(name, 0), poison.get(name, 0))
        for name in parked.keys() | poison.keys()
    }


def _pairs(connection: Connection, query: sa.Select[Any]) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(query)}


def standing(engine: Engine, log: Source, projections: Iterable[Projection]) -> list[Standing]:
    """Tell how each read model stands, all at the same moment."""
    with reading(engine) as connection:
        tables = set(sa.inspect(connection).get_table_names())
        found = [(it, *_stands(connection, it, tables)) for it in projections]
    head = log.head().position
    return [
        Standing(
            name=it.name,
            version=it.version,
            follower=it.follower,
            position=position,
            head=head,
            lag=head - position,
            quarantined=poison,
            parked=aside,
            rebuild=None if copied is None else Copy(copied, _is_running(engine, it)),
        )
        for it, position, poison, aside, copied in found
    ]


def _stands(
    connection: Connection, projection: Projection, tables: Collection[str]
) -> tuple[int, tuple[Poison, ...], tuple[SetAside, ...], int | None]:
    streams = sa.select(
        PARKED.c.originator_id, sa.func.min(PARKED.c.stale_since), sa.func.count()
    ).where(PARKED.c.projection == projection.follower)
    parked = connection.execute(streams.group_by(PARKED.c.originator_id)).all()
    copy = type(projection)(PREFIX)
    is_rebuilt = any(table.name in tables for table in copy.tables)
    return (
        tracked_position(connection, projection.follower) or 0,
        _quarantined(connection, projection),
        tuple(sorted((SetAside(*row) for row in parked), key=lambda it: it.stale_since)),
        tracked_position(connection, copy.follower) or 0 if is_rebuilt else None,
    )


def _quarantined(connection: Connection, projection: Projection) -> tuple[Poison, ...]:
    query = sa.select(QUARANTINE.c.position, QUARANTINE.c.originator_id, QUARANTINE.c.error)
    mine = query.where(QUARANTINE.c.projection == projection.follower)
    return tuple(
        Poison(row.position, row.originator_id, row.error)
        for row in connection.execute(mine.order_by(QUARANTINE.c.position))
    )


def _is_running(engine: Engine, projection: Projection) -> bool:
    if engine.dialect.name == "sqlite":
        with holding(_lock_file(engine, projection)) as is_alone:
            return not is_alone
    # Asked without taking it: a rebuild that starts at this moment would be refused.
    held = sa.text(
        "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_locks.database = oid"
        " WHERE datname = current_database() AND locktype = 'advisory' AND objsubid = 2 AND"
        " classid::bigint = :kind AND"
        " objid::bigint = hashtext(current_schema() || :name)::bigint & 4294967295)"
    )
    with engine.connect() as connection:
        return bool(connection.execute(held, _lock(projection)).scalar_one())


# Rebuild


class Change(msgspec.Struct, frozen=True):
    """What a rebuild found in one table: how many live rows were wrong, how many belong there."""

    table: str
    wrong: int
    right: int


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a rebuild; `digest` is that of the rebuilt rows at `position`.

    `is_same` says that the live rows had the same digest; where no follower has begun (`is_begun`)
    there are none, and nothing is switched. `poison` names events that the live
    read model had folded and the rebuild could not: then nothing was switched.
    """

    name: str
    follower: str
    position: int
    digest: str
    is_begun: bool
    is_same: bool
    is_switched: bool
    changes: tuple[Change, ...]
    poison: tuple[Poison, ...]
    parked: int


class Rebuild:
    """Folds the log into a copy of a read model, then makes the live one equal to it.

    A rebuild that was interrupted, by whatever, goes on where its copy stands.

    Args:
        projection: the live read model; a follower may keep it up meanwhile, in any process.
        log: where the events are.
        engine: where the read model lives.
        batch: about how many events are folded in one transaction.
    """

    def __init__(
        self, projection: Projection, log: Source, engine: Engine, *, batch: int = BATCH
    ) -> None:
        self.live = projection
        self.copy = type(projection)(PREFIX)
        self._log = log
        self._engine = engine
        self._batch = batch
        self._follower = Follower(self.copy, log, engine, batch=batch)

    def run(
        self, told: Callable[[int, int], None] = lambda _done, _of: None, *, checks: bool = False
    ) -> Rebuilt:
        """Rebuild to where the live read model stands, and switch.

        Args:
            told: called after each batch with the position reached and the one to be reached.
            checks: compare only, and leave the live read model as it is.

        Raises:
            Unsafe: another process rebuilds this read model.
            sqlalchemy.exc.SQLAlchemyError: the database did not answer; run it again.
        """
        with _alone(self._engine, self.live) as is_alone:
            if not is_alone:
                raise _under_way()
            if self._follower.position > self._until():
                _drop_tables(self._engine, self.copy.follower, _names(self.copy))
            create(self._engine, [self.copy])
            rebuilt = None
            while rebuilt is None:
                self._catch_up(told)
                rebuilt = self._finished(checks=checks)
            with reading(self._engine) as connection:
                digest = self.copy.digest(connection)
            _drop_tables(self._engine, self.copy.follower, _names(self.copy))
        return msgspec.structs.replace(rebuilt, digest=digest)

    def _until(self) -> int:
        with self._engine.connect() as connection:
            stands = tracked_position(connection, self.live.follower) or 0
        return min(stands, self._log.head().position)

    def _catch_up(self, told: Callable[[int, int], None]) -> None:
        until = self._until()
        while True:
            begun = time.monotonic()
            if not self._follower.step(until):
                return
            told(self._follower.position, until)
            if self._engine.dialect.name == "sqlite":
                # There is one write lock, and who asks for it late must get it too.
                time.sleep(min(time.monotonic() - begun, _LONGEST_PAUSE))

    def _finished(self, *, checks: bool) -> Rebuilt | None:
        """Compare and switch in one transaction; None if the live one has gone on too far."""
        try:
            with writing(self._engine) as connection:
                # Holding the tracking row keeps every follower from writing meanwhile.
                held = sa.select(TRACKING.c.position).where(TRACKING.c.name == self.live.follower)
                stands = connection.execute(held.with_for_update()).scalar_one_or_none()
                if stands is None:
                    nothing = self._told((), (), position=0, parked=0, is_switched=False)
                    return msgspec.structs.replace(nothing, is_begun=False, is_same=False)
                until = min(stands, self._log.head().position)
                copied = tracked_position(connection, self.copy.follower) or 0
                if until - copied > self._batch:
                    return None
                if until > copied:
                    rest = self._log.read(copied, until - copied)
                    self._follower.apply(connection, copied, rest)
                return self._compared(connection, until, checks=checks)
        except Poisoned:
            return None

    def _compared(self, connection: Connection, until: int, *, checks: bool) -> Rebuilt:
        known = {row.position for row in _quarantined(connection, self.live)}
        found = _quarantined(connection, self.copy)
        new = tuple(it for it in found if it.position not in known)
        compared = [
            Change(
                mine.info["noun"],
                _count_without(connection, mine, other),
                _count_without(connection, other, mine),
            )
            for mine, other in zip(self.live.tables, self.copy.tables, strict=True)
        ]
        changes = tuple(it for it in compared if it.wrong or it.right)
        is_switched = not checks and not new
        if is_switched:
            self._switch(connection, until)
        parked = counted(connection).get(self.copy.follower, Counted()).parked
        return self._told(changes, new, position=until, parked=parked, is_switched=is_switched)

    def _told(
        self,
        changes: tuple[Change, ...],
        poison: tuple[Poison, ...],
        *,
        position: int,
        parked: int,
        is_switched: bool,
    ) -> Rebuilt:
        return Rebuilt(
            name=self.live.name,
            follower=self.live.follower,
            position=position,
            digest="",
            is_begun=True,
            is_same=not changes,
            is_switched=is_switched,
            changes=changes,
            poison=poison,
            parked=parked,
        )

    def _switch(self, connection: Connection, until: int) -> None:
        """Make the live rows equal to those of the copy, with what is set aside and how far."""
        for mine, other in zip(self.live.tables, self.copy.tables, strict=True):
            self._remove(connection, mine, other)
            self._insert(connection, mine, other)
        for table in (PARKED, QUARANTINE):
            rest = [column for column in table.columns if column is not table.c.projection]
            theirs = sa.select(sa.literal(self.live.follower), *rest).where(
                table.c.projection == self.copy.follower
            )
            connection.execute(sa.delete(table).where(table.c.projection == self.live.follower))
            connection.execute(sa.insert(table).from_select([table.c.projection, *rest], theirs))
        # Only a log that was restored is shorter than what was read from it.
        connection.execute(
            sa.update(TRACKING)
            .where(TRACKING.c.name == self.live.follower, TRACKING.c.position > until)
            .values(position=until)
        )

    def _remove(self, connection: Connection, mine: Table, other: Table) -> None:
        wrong = _without(mine, other)
        keys = list(mine.primary_key)
        found = sa.select(*(wrong.c[key.name] for key in keys))
        connection.execute(sa.delete(mine).where(sa.tuple_(*keys).in_(found)))

    def _insert(self, connection: Connection, mine: Table, other: Table) -> None:
        missing = sa.select(_without(other, mine))
        connection.execute(sa.insert(mine).from_select(list(mine.columns), missing))


def _without(table: Table, other: Table) -> sa.Subquery:
    """Give the rows of a table that the other has not, whole rows compared, NULL like any value."""
    return sa.except_(sa.select(table), sa.select(other)).subquery()


def _count_without(connection: Connection, table: Table, other: Table) -> int:
    query = sa.select(sa.func.count()).select_from(_without(table, other))
    return connection.execute(query).scalar_one()


@contextmanager
def _alone(engine: Engine, projection: Projection) -> Iterator[bool]:
    """Hold what one process at a time may do to a read model; False if another is at it.

    Whoever is killed lets go of it.
    """
    if engine.dialect.name == "sqlite":
        path = _lock_file(engine, projection)
        with ExitStack() as keeping:
            is_alone = keeping.enter_context(holding(path))
            if not is_alone:
                # Who asks whether a rebuild is running holds it for a moment.
                time.sleep(_MOMENT)
                is_alone = keeping.enter_context(holding(path))
            yield is_alone
        return
    lock = sa.text("SELECT pg_try_advisory_lock(:kind, hashtext(current_schema() || :name))")
    unlock = sa.text("SELECT pg_advisory_unlock(:kind, hashtext(current_schema() || :name))")
    about = _lock(projection)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        is_alone = connection.execute(lock, about).scalar_one()
        try:
            yield is_alone
        finally:
            if is_alone:
                connection.execute(unlock, about)


def _lock_file(engine: Engine, projection: Projection) -> Path:
    path = Path(engine.url.database or "")
    return path.with_name(f"{path.name}.{projection.follower}.lock")


def _lock(projection: Projection) -> dict[str, int | str]:
    return {"kind": _LOCK, "name": projection.follower}


def _under_way() -> Unsafe:
    return Unsafe(
        zh="该读模型正由另一进程重建。请等待其结束；进度见 mediation projections status。",
        en="Another process rebuilds this read model. Wait for it; `mediation projections status` "
        "says how far it is.",
        code="rebuild-under-way",
    )


# What is left behind


def _names(projection: Projection) -> tuple[str, ...]:
    return tuple(str(table.name) for table in projection.tables)


def left(engine: Engine, projections: Sequence[Projection]) -> list[Left]:
    """Tell what other versions of these read models have left behind, oldest name first."""
    names = "|".join(re.escape(it.name) for it in projections)
    known = re.compile(rf"((?:{PREFIX})?(?:{names})_\d+)(?:_\w+)?")
    kept = {it.follower for it in projections}
    kept |= {PREFIX + follower for follower in kept}
    with reading(engine) as connection:
        tables = sa.inspect(connection).get_table_names()
        tracked = _pairs(connection, sa.select(TRACKING.c.name, TRACKING.c.position))
    found: dict[str, list[str]] = {}
    for name in sorted([*tables, *tracked]):
        match = known.fullmatch(name)
        if match is not None and match[1] not in kept:
            found.setdefault(match[1], []).extend([name] if name in tables else [])
    return [Left(it, tracked.get(it, 0), tuple(named)) for it, named in found.items()]


def drop(engine: Engine, projections: Sequence[Projection], follower: str) -> tuple[str, ...]:
    """Drop what an older version left behind, or the copy of a rebuild that was given up.

    Returns:
        The names of the tables that were dropped.

    Raises:
        NotFound: there is nothing of this name that may be dropped; a live read model never is.
        Unsafe: the rebuild is under way.
    """
    for it in projections:
        if follower != PREFIX + it.follower:
            continue
        with _alone(engine, it) as is_alone:
            if not is_alone:
                raise _under_way()
            if dropped := _drop_tables(engine, follower, _names(type(it)(PREFIX))):
                return dropped
    for old in left(engine, projections):
        if old.follower == follower:
            return _drop_tables(engine, follower, old.tables)
    raise NotFound(
        zh="没有可以删除的这一项；正在使用的读模型不能删除。"
        "可删除的见 mediation projections status。",
        en="There is nothing of this name to drop, and a read model in use is never dropped. "
        "`mediation projections status` lists what may be.",
        code="projection-unknown",
    )


def _drop_tables(engine: Engine, follower: str, tables: Iterable[str]) -> tuple[str, ...]:
    """Drop tables and everything kept of a follower, in one transaction; name what was there."""
    with writing(engine) as connection:
        there = set(sa.inspect(connection).get_table_names())
        dropped = tuple(name for name in tables if name in there)
        for name in dropped:
            Table(name, MetaData()).drop(connection)
        for kept, column in (
            (TRACKING, TRACKING.c.name),
            (PARKED, PARKED.c.projection),
            (QUARANTINE, QUARANTINE.c.projection),
        ):
            connection.execute(sa.delete(kept).where(column == follower))
    return dropped
