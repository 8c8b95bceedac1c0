"""G8: whole case lives in process, beside a system written by hand, and the control for Emmett."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from uuid import UUID

import psycopg
import sqlalchemy as sa

from benchmarks import appending, goals
from benchmarks.bench import Bench, libpq
from benchmarks.life import life
from benchmarks.office import founded, live_a_case, opened
from benchmarks.peers import appends, orm
from benchmarks.report import Row, row

CALLERS = 8
EMMETT_SHARE = 0.06
"""Emmett with inline projection, 8 callers, as a share of plain INSERT on 8 connections, measured
on the same work on another day with both in one run."""

Live = Callable[[int, Callable[[], None]], None]
"""Lives one case for a caller, and tells each command that was carried out."""


def rate(live: Live, seconds: float) -> float:
    """Let every caller live case after case, and give how many commands a second were done.

    Raises:
        RuntimeError: a caller stopped on an error.
    """
    stop, done, errors = Event(), [0] * CALLERS, list[BaseException]()

    class Over(Exception):
        """The time is over, in the midst of a life."""

    def work(number: int) -> None:
        def one() -> None:
            done[number] += 1
            if stop.is_set():
                raise Over

        try:
            while True:
                live(number, one)
        except Over:
            pass
        except Exception as error:  # noqa: BLE001 - told by the thread that waits
            errors.append(error)

    threads = [Thread(target=work, args=(it,), daemon=True) for it in range(CALLERS)]
    for thread in threads:
        thread.start()
    time.sleep(seconds / 10)
    before, began = sum(done), time.perf_counter()
    time.sleep(seconds)
    commands, taken = sum(done) - before, time.perf_counter() - began
    stop.set()
    for thread in threads:
        thread.join()
    if errors:
        raise RuntimeError("a caller stopped") from errors[0]
    return commands / taken


def in_process(bench: Bench, backend: str) -> Iterator[Row]:
    """Measure G8."""
    seconds = bench.sizes.seconds
    with ExitStack() as closing:
        urls = [closing.enter_context(bench.database(backend)) for _ in range(3)]
        folder = Path(closing.enter_context(TemporaryDirectory(dir=bench.folder)))
        bench.tell(f"{backend} G8: founding a district")
        district = founded(urls[0], folder)
        engine = closing.enter_context(opened(district.settings))
        engine.follow()
        by_hand = sa.create_engine(urls[1], pool_size=CALLERS)
        closing.callback(by_hand.dispose)
        rows = orm.Cases(by_hand)
        plain = [
            closing.enter_context(psycopg.connect(libpq(urls[2]), autocommit=True))
            for _ in range(CALLERS)
        ]
        plain[0].execute(appends.TABLE)
        numbers = count()

        def ours(number: int, done: Callable[[], None]) -> None:
            desk = district.desks[number]
            live_a_case(engine.mediation, desk, bench.today, f"g8-{next(numbers)}", done)

        def theirs(number: int, done: Callable[[], None]) -> None:
            desk, case_id = district.desks[number], UUID(int=0)
            for ask in life(desk.accounts["mediator"], bench.today):
                actor_id = desk.accounts[ask.role]
                if case_id.int:
                    rows.record(case_id, ask.command, actor_id, ask.body)
                else:
                    case_id = rows.register(actor_id, ask.body)
                done()

        def engine_rate(_round: int) -> float:
            found = rate(ours, seconds)
            for follower in engine.followers.values():
                follower.wait_for(engine.log.head().position, timeout=60)
            return found

        found = bench.interleaved(
            {
                "engine": engine_rate,
                "by hand": lambda _round: rate(theirs, seconds),
                "insert": lambda _round: appending.rate(
                    [appends.unlocked(it) for it in plain], seconds
                ),
            },
            told=f"{backend} G8, {CALLERS} callers",
        )
    size = f"{CALLERS} threads of one process, {seconds:g} s a round"
    yield row(goals.IN_PROCESS_ORM, backend, found["engine"], found["by hand"], size=size)
    emmett = [it * EMMETT_SHARE for it in found["insert"]]
    yield row(goals.IN_PROCESS_EMMETT, backend, found["engine"], emmett, size=size)
