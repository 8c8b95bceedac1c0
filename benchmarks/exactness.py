"""G16: what every speed is worth: nothing that was written is missed, lost or there twice.

A reader follows the log while writers work at full speed; and a server is killed with SIGKILL under
load, again and again, while its clients repeat what was not answered.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Thread
from typing import NamedTuple
from uuid import UUID, uuid5

import msgspec

from benchmarks import appending, goals
from benchmarks.bench import Bench
from benchmarks.history import a_log
from benchmarks.load import Acknowledged, Load
from benchmarks.office import District, environment, founded, opened
from benchmarks.peers.appends import Append
from benchmarks.processes import ROOT, started
from benchmarks.report import Row, row
from benchmarks.serving import CONNECTIONS, callers_of
from mediation.store import Log

_PATIENCE = 30.0
_SEED = 16


class Found(NamedTuple):
    """What was wrong, and how much was looked at."""

    wrong: int
    checked: int


def measured(bench: Bench, backend: str) -> Iterator[Row]:
    """Measure G16."""
    sizes = bench.sizes
    bench.tell(f"{backend} G16: a reader follows {appending.WRITERS} writers")
    with ExitStack() as keeping:
        log = a_log(keeping.enter_context(bench.database(backend)), keeping)
        writers = [appending.ordered(log)] * appending.WRITERS
        tail = tailed(writers, lambda after: _read(log, after), lambda: _stored(log), sizes.seconds)
    with (
        bench.database(backend) as url,
        TemporaryDirectory(dir=bench.folder) as folder,
    ):
        bench.tell(f"{backend} G16: founding a district whose server is killed")
        answers = killed(bench, backend, founded(url, Path(folder)))
    size = (
        f"{tail.checked:,} events tailed, {answers.checked:,} answers checked, "
        f"{sizes.kills} times kill -9"
    )
    wrong, checked = tail.wrong + answers.wrong, tail.checked + answers.checked
    yield row(goals.EXACTNESS, backend, [float(wrong)], [float(checked)], size=size)


def tailed(
    writers: list[Append],
    read: Callable[[int], Sequence[int]],
    stored: Callable[[], Sequence[int]],
    seconds: float,
) -> Found:
    """Follow a log by its last position while writers write, and count what was not seen.

    Args:
        writers: one append for each.
        read: gives positions after a position, in order.
        stored: gives every position there is, in order.
        seconds: how long they write.

    Raises:
        LookupError: nothing was written, so that nothing would be proved.
    """
    seen: list[int] = []
    over = False

    def follow() -> None:
        while True:
            last_look = over
            batch = read(seen[-1] if seen else 0)
            seen.extend(batch)
            if last_look and not batch:
                return

    reader = Thread(target=follow, daemon=True)
    reader.start()
    appending.rate(writers, seconds)
    over = True
    reader.join(_PATIENCE)
    there = list(stored())
    if not there:
        raise LookupError("nothing was written")
    missed = len(set(there) - set(seen))
    doubled = len(seen) - len(set(seen))
    return Found(missed + doubled + (seen != sorted(seen)), len(there))


def _read(log: Log, after: int) -> list[int]:
    return [it.position for it in log.read(after, 1_000)]


def _stored(log: Log) -> list[int]:
    return [it.position for it in log.read(0, log.head().position)]


def killed(bench: Bench, backend: str, district: District) -> Found:
    """Kill the server under load and start it again, so often; then check every answer it gave.

    Raises:
        RuntimeError: the client failed, so that what it was answered is not known.
        LookupError: it was answered nothing, so that nothing was proved.
    """
    chance = Random(_SEED)
    with TemporaryDirectory(dir=bench.folder) as folder:
        journal = Path(folder, "acknowledged")
        port = _free_port()
        serving = {**environment(district.settings), "MEDIATION_PORT": str(port)}
        load = Load(
            host="127.0.0.1",
            port=port,
            dialect="office",
            connections=CONNECTIONS,
            seconds=0,
            until_told=True,
            today=bench.today,
            keys="killed",
            callers=callers_of(district),
            acknowledged=str(journal),
        )
        client: subprocess.Popen[bytes] | None = None
        try:
            for number in range(bench.sizes.kills):
                with started(["api.cli", "serve", "--json"], serving) as process:
                    client = client or _sending(load)
                    time.sleep(0.5 + chance.random())
                    bench.tell(f"{backend} G16: kill -9, {number + 1} of {bench.sizes.kills}")
                    process.kill()
            with started(["api.cli", "serve", "--json"], serving):
                time.sleep(1.0)
                if client is not None:
                    client.communicate(b"over\n", timeout=_PATIENCE)
                    if client.returncode:
                        raise RuntimeError("the client failed")
        finally:
            if client is not None:
                client.kill()
                client.wait()
        answers = [
            msgspec.json.decode(line, type=Acknowledged)
            for line in journal.read_bytes().splitlines()
        ]
    with opened(district.settings) as engine:
        return judged(engine.log, answers)


def _sending(load: Load) -> subprocess.Popen[bytes]:
    client = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    if client.stdin is not None:
        client.stdin.write(msgspec.json.encode(load) + b"\n")
        client.stdin.flush()
    return client


class _Envelope(msgspec.Struct):
    command_id: UUID


def judged(log: Log, answers: Sequence[Acknowledged]) -> Found:
    """Count the answers whose command does not stand in the log exactly once, where they said.

    Positions that are not dense from 1 count, too.

    Raises:
        LookupError: there is no answer, so that nothing would be proved.
    """
    if not answers:
        raise LookupError("no command was answered with 2xx")
    head = log.head().position
    where: dict[UUID, list[int]] = defaultdict(list)
    positions = []
    for event in log.read(0, head):
        command_id = msgspec.json.decode(event.state, type=_Envelope).command_id
        where[command_id].append(event.position)
        positions.append(event.position)
    wrong = int(positions != list(range(1, head + 1)))
    for answer in answers:
        command_id = uuid5(UUID(answer.actor_id), answer.key)
        receipt, stands = log.receipt(command_id), where[command_id]
        is_once = (
            receipt is not None
            and stands == list(range(receipt.first_position, receipt.last_position + 1))
            and stands[-1:] == [answer.position]
        )
        wrong += not is_once
    return Found(wrong, len(answers))


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
