"""G1 to G5: commands over HTTP, beside an insert, nothing at all, and the library used naively.

Every contender is served by uvicorn in a process of its own on this machine; one is under load at a
time. CPU is read when the engine's read models have caught up with what was written.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx
import msgspec
import psycopg

from benchmarks import goals
from benchmarks.bench import Bench, libpq
from benchmarks.load import Caller, Dialect, Load, Taken
from benchmarks.office import District, founded, served
from benchmarks.processes import ROOT, Process, cpu_of_family, parent_of, started
from benchmarks.report import Row, row

CONNECTIONS = 16
_REFUSED_AT_MOST = 0.02
_CATCH_UP = 60.0


class Run(msgspec.Struct, kw_only=True):
    """One stretch of load: what came back, and the CPU of server and database for a command."""

    taken: Taken
    cpu_us: float


class Stage:
    """One contender: its server, its dialect, and how to load it."""

    def __init__(
        self,
        bench: Bench,
        process: Process,
        dialect: Dialect,
        callers: tuple[Caller, ...] = (Caller(),),
        postmaster: int = 0,
    ) -> None:
        self._bench = bench
        self._process = process
        self._dialect: Dialect = dialect
        self._callers = callers
        self._postmaster = postmaster
        self._runs = 0

    def load(self, connections: int, seconds: float, acknowledged: Path | None = None) -> Run:
        """Put it under load, and read its CPU.

        Raises:
            RuntimeError: more than a few commands were refused, so the figure would mean nothing.
        """
        self._runs += 1
        load = Load(
            host=self._process.host,
            port=self._process.port,
            dialect=self._dialect,
            connections=connections,
            seconds=seconds,
            today=self._bench.today,
            keys=f"{connections}-{self._runs}",
            callers=self._callers,
            acknowledged=str(acknowledged or ""),
        )
        before = self._cpu()
        taken = sent(load)
        if self._dialect == "office":
            caught_up(self._process)
        cpu = self._cpu() - before
        refused = sum(taken.refused.values())
        if refused > _REFUSED_AT_MOST * (taken.commands + 1):
            msg = f"{self._dialect}: refused {taken.refused}"
            raise RuntimeError(msg)
        return Run(taken=taken, cpu_us=cpu * 1e6 / max(1, taken.commands + taken.uncounted))

    def _cpu(self) -> float:
        database = cpu_of_family(self._postmaster) if self._postmaster else 0.0
        return cpu_of_family(self._process.pid) + database


def sent(load: Load) -> Taken:
    """Send a load from a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        cwd=ROOT,
        input=msgspec.json.encode(load) + b"\n",
        stdout=subprocess.PIPE,
        check=True,
        # Ctrl-C is for the benchmark, which ends its children.
        start_new_session=True,
    )
    return msgspec.json.decode(done.stdout, type=Taken)


def caught_up(process: Process) -> None:
    """Wait until the read models of a served district stand at the end of its log.

    Raises:
        TimeoutError: they did not come there.
    """
    until = time.monotonic() + _CATCH_UP
    url = f"http://{process.host}:{process.port}/readyz"
    with httpx.Client(trust_env=False, timeout=_CATCH_UP) as http:
        while time.monotonic() < until:
            ready = http.get(url).json()
            if all(it["lag"] == 0 for it in ready["followers"].values()):
                return
            time.sleep(0.1)
    msg = "the read models did not catch up"
    raise TimeoutError(msg)


def callers_of(district: District) -> tuple[Caller, ...]:
    """Give who acts on each connection."""
    return tuple(Caller(desk.accounts, desk.tokens) for desk in district.desks)


def postmaster_of(url: str) -> int:
    """Give the process id of the PostgreSQL server, 0 for SQLite.

    Raises:
        LookupError: it runs on another machine, where its CPU cannot be read.
    """
    if not url.startswith("postgresql"):
        return 0
    with psycopg.connect(libpq(url)) as connection:
        return parent_of(connection.info.backend_pid)


def over_http(bench: Bench, backend: str) -> Iterator[Row]:
    """Measure G1 to G5 on one database."""
    with ExitStack() as closing:
        databases = [closing.enter_context(bench.database(backend)) for _ in range(3)]
        bench.tell(f"{backend} G1-G5: founding a district and starting four servers")
        folder = Path(closing.enter_context(TemporaryDirectory(dir=bench.folder)))
        district = founded(databases[0], folder)
        postmaster = postmaster_of(databases[0])

        def peer(module: str, name: str, at: str) -> Process:
            return closing.enter_context(started([module], {name: at}))

        plain, library = (libpq(it) for it in databases[1:])
        stages = {
            "engine": Stage(
                bench,
                closing.enter_context(served(district)),
                "office",
                callers_of(district),
                postmaster,
            ),
            "insert": Stage(
                bench, peer("benchmarks.peers.plain", "PLAIN_AT", plain), "plain", _NONE, postmaster
            ),
            "bare": Stage(bench, peer("benchmarks.peers.plain", "PLAIN_AT", ""), "bare"),
            "library": Stage(
                bench,
                peer("benchmarks.peers.naive", "LIBRARY_AT", library),
                "library",
                _NONE,
                postmaster,
            ),
        }
        yield from _crowd(bench, backend, stages)
        yield from _lone(bench, backend, stages)


_NONE = (Caller(),)


def _crowd(bench: Bench, backend: str, stages: dict[str, Stage]) -> Iterator[Row]:
    seconds = bench.sizes.seconds

    def loaded(stage: Stage) -> Callable[[int], Run]:
        return lambda _round: stage.load(CONNECTIONS, seconds)

    runs = bench.interleaved(
        {name: loaded(stage) for name, stage in stages.items()},
        told=f"{backend} G1-G5, {CONNECTIONS} connections",
    )
    rates = {name: [it.taken.rate for it in of_one] for name, of_one in runs.items()}
    client = median(it.taken.cpu_share for it in runs["engine"])
    size = (
        f"{CONNECTIONS} connections, {seconds:g} s a round, 1 server process; the client took "
        f"{client:.0%} of one core"
    )
    for goal, reference in (
        (goals.COMMANDS_PLAIN, "insert"),
        (goals.COMMANDS_BARE, "bare"),
        (goals.COMMANDS_LIBRARY, "library"),
    ):
        yield row(goal, backend, rates["engine"], rates[reference], size=size)
    yield row(
        goals.COMMAND_CPU,
        backend,
        [it.cpu_us for it in runs["engine"]],
        [it.cpu_us for it in runs["insert"]],
        size=size,
    )
    yield row(
        goals.TAIL_LATENCY,
        backend,
        [it.taken.p99_ms for it in runs["engine"]],
        [it.taken.p99_ms for it in runs["insert"]],
        size=size,
    )


def _lone(bench: Bench, backend: str, stages: dict[str, Stage]) -> Iterator[Row]:
    def loaded(stage: Stage) -> Callable[[int], Run]:
        return lambda _round: stage.load(1, bench.sizes.seconds / 2)

    runs = bench.interleaved(
        {name: loaded(stages[name]) for name in ("engine", "insert")},
        told=f"{backend} G5, one client",
    )
    yield row(
        goals.LONE_LATENCY,
        backend,
        [it.taken.p50_ms for it in runs["engine"]],
        [it.taken.p50_ms for it in runs["insert"]],
        size=f"1 connection, {bench.sizes.seconds / 2:g} s a round",
    )
