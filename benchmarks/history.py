"""A long log, made from real lives: each lived once through the door, then copied under new ids.

What stands in an event is what the deciders wrote, byte for byte but for the id of the case, and
for its days where the copies are to be spread over a year.
"""

from __future__ import annotations

import os
import random
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import groupby, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import psycopg
from sqlalchemy.engine import make_url

from benchmarks.bench import Bench, libpq
from benchmarks.office import Desk, founded, live_a_case, opened
from mediation.authority import Scope
from mediation.store import Log, Receipt, Recorded, migrate, open_engine

DISTRICT = "331003"
LIVES = 24
"""Cases that are really lived; every fourth is left open somewhere on its way."""

ABREAST = 500
"""Cases that are under way at the same time in the copied log."""

_SEED = 20261127
_POOL = 40
_DATE = re.compile(rb'(?<=")\d{4}-\d{2}-\d{2}(?=["T])')
Kept = tuple[Receipt, list[Recorded]]


class Lived(NamedTuple):
    """Real lives: of each case its commands in order, and what each lead sees."""

    closed: tuple[tuple[UUID, list[Kept]], ...]
    left: tuple[tuple[UUID, list[Kept]], ...]
    scopes: dict[str, Scope]


class _Enough(Exception):
    """A life that is left open."""


def lived(bench: Bench) -> Lived:
    """Live some cases through the door of a new district; once a run."""
    if bench.lived is None:
        bench.tell(f"living {LIVES} cases through the door, to be copied")
        with bench.database("sqlite") as url, TemporaryDirectory(dir=bench.folder) as folder:
            bench.lived = _lived(bench, url, Path(folder))
    found: Lived = bench.lived
    return found


def _lived(bench: Bench, url: str, folder: Path) -> Lived:
    district = founded(url, folder)
    with opened(district.settings) as engine:
        before = engine.log.head().position
        for number in range(LIVES):
            _live(engine.mediation, district.desks[number % len(district.desks)], bench, number)
        cases: dict[UUID, list[Kept]] = {}
        events = engine.log.read(before, engine.log.head().position)
        for _, of_command in groupby(events, key=lambda it: it.command_end):
            command = list(of_command)
            case = next(it for it in command if it.topic.startswith("case."))
            receipt = engine.log.receipt(_Envelope.of(case.state).command_id)
            if receipt is None or not isinstance(case.originator_id, UUID):
                raise LookupError(case.topic)
            cases.setdefault(case.originator_id, []).append((receipt, command))
        scopes = {
            desk.body_id: engine.mediation.scope_of(UUID(desk.accounts["lead"]))
            for desk in district.desks
        }
    is_closed = {it: kept[-1][1][-1].topic.startswith("case.closed") for it, kept in cases.items()}
    return Lived(
        tuple((it, kept) for it, kept in cases.items() if is_closed[it]),
        tuple((it, kept) for it, kept in cases.items() if not is_closed[it]),
        scopes,
    )


def _live(mediation: Any, desk: Desk, bench: Bench, number: int) -> None:
    left = 2 + number * 5 % 11 if number % 4 == 3 else 1000  # noqa: PLR2004 - every fourth

    def done() -> None:
        nonlocal left
        left -= 1
        if not left:
            raise _Enough

    try:
        live_a_case(mediation, desk, bench.today, f"life-{number}", done)
    except _Enough:
        return


class _Envelope(msgspec.Struct):
    command_id: UUID

    @classmethod
    def of(cls, state: bytes) -> _Envelope:
        return msgspec.json.decode(state, type=cls)


class Copied(NamedTuple):
    """A command of a copied case: its events as rows of the log, and its receipt as a row."""

    events: list[tuple[Any, ...]]
    receipt: tuple[Any, ...]


def copies(
    cases: Sequence[tuple[UUID, list[Kept]]], number: int, *, weeks: int = 1
) -> Iterator[Copied]:
    """Copy cases under new ids, `ABREAST` of them under way at any time, until so many cases.

    Args:
        cases: real lives.
        number: how many copies.
        weeks: over how many the copies are spread, the last one being that of the lives: all dates
            of a copy lie so many whole weeks earlier.
    """
    chance = random.Random(_SEED)
    moved = cache(_moved)
    counters: dict[UUID, int] = {}
    position = 0
    wanted = (cases[at % len(cases)] for at in range(number))
    while block := list(islice(wanted, ABREAST)):
        started = [
            (
                case_id,
                UUID(int=chance.getrandbits(128), version=4),
                [
                    (receipt, [(event, moved(event.state, ago)) for event in command])
                    for receipt, command in kept
                ],
            )
            for case_id, kept in block
            for ago in [chance.randrange(weeks)]
        ]
        for step in range(max(len(kept) for _, _, kept in started)):
            for case_id, new_id, kept in started:
                if step < len(kept):
                    copied = _copied(kept[step], case_id, new_id, position, counters, chance)
                    position += len(copied.events)
                    yield copied


def _copied(  # noqa: PLR0913, PLR0917 - what a copy is made of
    kept: tuple[Receipt, list[tuple[Recorded, bytes]]],
    case_id: UUID,
    new_id: UUID,
    position: int,
    counters: dict[UUID, int],
    chance: random.Random,
) -> Copied:
    receipt, command = kept
    old, new = str(case_id).encode(), str(new_id).encode()
    end = position + len(command)
    events = []
    for at, (event, said) in enumerate(command, position + 1):
        stream, version = event.originator_id, event.originator_version
        if not isinstance(stream, UUID):
            raise TypeError(stream)
        if stream == case_id:
            stream = new_id
        else:
            version = counters[stream] = counters.get(stream, 0) + 1
        state = said.replace(old, new)
        events.append((at, 0, end, stream, version, event.topic, state))
    new_command = UUID(int=chance.getrandbits(128), version=4)
    return Copied(
        events,
        (
            new_command,
            receipt.body_mac,
            receipt.command_type,
            receipt.result.decode().replace(str(case_id), str(new_id)),
            position + 1,
            end,
        ),
    )


def _moved(state: bytes, weeks: int) -> bytes:
    """Move every date in a stored event so many weeks back."""
    back = timedelta(weeks=weeks)

    def earlier(found: re.Match[bytes]) -> bytes:
        return f"{date.fromisoformat(found[0].decode()) - back}".encode()

    return _DATE.sub(earlier, state) if weeks else state


def a_log(url: str, keeping: ExitStack, log_type: type[Log] = Log) -> Log:
    """Make an empty log on an empty database."""
    engine = open_engine(url, pool_size=_POOL)
    keeping.callback(engine.dispose)
    now = datetime.now(UTC)
    log_id = UUID(bytes=os.urandom(16), version=4)
    migrate(engine, district=DISTRICT, kind="test", log_id=log_id, at=now)
    log = log_type(engine, clock=lambda: datetime.now(UTC))
    keeping.callback(log.close)
    return log


EVENT_COLUMNS = (
    "position, recorded_at, command_end, originator_id, originator_version, topic, state"
)
_RECEIPT_COLUMNS = "command_id, body_mac, command_type, result, first_position, last_position"


def fill(url: str, commands: Sequence[Copied]) -> None:
    """Write a whole log in bulk into the tables of an empty one."""
    events = [event for command in commands for event in command.events]
    receipts = [command.receipt for command in commands]
    if make_url(url).get_backend_name() == "sqlite":
        with closing(sqlite3.connect(make_url(url).database or "")) as connection, connection:
            insert_events(connection, "event", events)
            connection.executemany(
                f"INSERT INTO receipt ({_RECEIPT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 - constants
                ((it[0].hex, *it[1:]) for it in receipts),
            )
            connection.execute("UPDATE log_head SET position = ?", (len(events),))
        return
    with psycopg.connect(libpq(url)) as server, server.cursor() as cursor:
        copy_events(cursor, "event", events)
        with cursor.copy(f"COPY receipt ({_RECEIPT_COLUMNS}) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["uuid", "bytea", "text", "text", "int8", "int8"])
            for receipt in receipts:
                copy.write_row(receipt)
        cursor.execute("UPDATE log_head SET position = %s", (len(events),))
    with psycopg.connect(libpq(url), autocommit=True) as server:
        server.execute("VACUUM ANALYZE event, receipt, log_head")


def copy_events(cursor: psycopg.Cursor[Any], table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """COPY rows of the log into a table on PostgreSQL."""
    with cursor.copy(f"COPY {table} ({EVENT_COLUMNS}) FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["int8", "int8", "int8", "uuid", "int8", "text", "bytea"])
        for row in rows:
            copy.write_row(row)


def insert_events(
    connection: sqlite3.Connection, table: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows of the log into a table on SQLite, in the caller's transaction."""
    connection.executemany(
        f"INSERT INTO {table} ({EVENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constants
        ((*it[:3], it[3].hex, *it[4:]) for it in rows),
    )


def without_sealed(commands: Sequence[Copied]) -> list[Copied]:
    """Leave out of every event what is sealed."""
    return [
        Copied([(*it[:6], _bare(it[6])) for it in command.events], command.receipt)
        for command in commands
    ]


def _bare(state: bytes) -> bytes:
    return msgspec.json.encode(_unsealed(msgspec.json.decode(state)))


def _unsealed(value: Any) -> Any:
    if isinstance(value, dict):
        if {"kid", "ct"} <= value.keys():
            return None
        return {name: _unsealed(it) for name, it in value.items()}
    if isinstance(value, list):
        return [_unsealed(it) for it in value]
    return value
