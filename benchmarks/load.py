"""The client of the HTTP measures, in a process of its own: connections that live case lives.

Raw sockets and next to no parsing, so that the server is what is measured; its own share of the CPU
is reported with every run. It reads one `Load` as a line of JSON and prints one `Taken`.
Every connection sends its next command when the last is answered, and a command that met a lost
connection again under the same key, as a careful client does.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Literal, cast

import msgspec
import uvloop

from benchmarks.life import Ask, Life, Seen, life

Dialect = Literal["office", "library", "plain", "bare"]
_RECONNECT = 0.05
_AFTER_END = 15.0
_HEAD_END = b"\r\n\r\n"
_OK, _FAULT = 200, 300


class Caller(msgspec.Struct):
    """Who acts on a connection: account id and bearer token by role."""

    accounts: dict[str, str] = {}
    tokens: dict[str, str] = {}


class Load(msgspec.Struct, kw_only=True):
    """What is to be sent: where, in which dialect, by whom, for how long.

    `callers` take the connections by turns; peers know none. What comes
    back in the first `warm_up` seconds is not counted. `acknowledged`: file for what was answered
    with 2xx, one line each. `keys`: a prefix that no other run on this store uses.
    `until_told`: go on until another line comes in, however long that takes.
    """

    host: str
    port: int
    dialect: Dialect
    connections: int
    seconds: float
    today: str
    keys: str
    until_told: bool = False
    warm_up: float = 0.3
    callers: tuple[Caller, ...] = (Caller(),)
    acknowledged: str = ""


class Taken(msgspec.Struct, kw_only=True):
    """What came back: commands answered with 2xx, their latencies, and what went wrong.

    `uncounted` came back outside the time that is measured. `reads` were sent beside them and count
    as no command; `lost` connections were opened anew.
    """

    commands: int
    uncounted: int
    seconds: float
    p50_ms: float
    p99_ms: float
    reads: int
    lost: int
    refused: dict[int, int]
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Commands a second."""
        return self.commands / self.seconds

    @property
    def cpu_share(self) -> float:
        """How much of one core the client took, its warm-up not told apart."""
        return self.cpu_seconds / self.seconds


class Acknowledged(msgspec.Struct, array_like=True):
    """One command that was answered with 2xx: by whom, under which key, where it stands."""

    actor_id: str
    key: str
    position: int


class Tally:
    """What all connections of a run have seen together."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.cpu_before = time.process_time()
        self.begins = time.perf_counter() + load.warm_up
        self.ends = math.inf if load.until_told else self.begins + load.seconds
        self.latencies: list[float] = []
        self.uncounted = 0
        self.reads = 0
        self.lost = 0
        self.refused: Counter[int] = Counter()
        self.acknowledged: list[tuple[str, str, bytes]] = []
        self.numbers = itertools.count()

    def count(self, sent_at: float, now: float) -> None:
        """Count a command answered within the time that is measured."""
        if self.begins <= now <= self.ends:
            self.latencies.append(now - sent_at)
        else:
            self.uncounted += 1

    def taken(self) -> Taken:
        """Sum up."""
        found = sorted(self.latencies)
        return Taken(
            commands=len(found),
            uncounted=self.uncounted,
            seconds=self.load.seconds,
            p50_ms=_at(found, 0.50) * 1000,
            p99_ms=_at(found, 0.99) * 1000,
            reads=self.reads,
            lost=self.lost,
            refused=dict(self.refused),
            cpu_seconds=time.process_time() - self.cpu_before,
        )


def _at(found: list[float], share: float) -> float:
    return found[min(len(found) - 1, int(len(found) * share))] if found else 0.0


class Connection(asyncio.Protocol):
    """One caller: a life after the other, a request at a time."""

    def __init__(self, tally: Tally, number: int) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self._tally = tally
        callers = tally.load.callers
        self._caller = callers[number % len(callers)]
        self._number = number
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._request = b""
        self._sent_at = 0.0
        self._is_reading = False
        self._begin()

    def _begin(self) -> None:
        mediator_id = self._caller.accounts.get("mediator", _NOBODY)
        self._life: Life = life(mediator_id, self._tally.load.today)
        self._case_id, self._version, self._key = "", 0, ""
        self._ask(None)

    def _ask(self, seen: Seen | None) -> None:
        """Put the next command of the life into bytes; after the last, begin another life."""
        try:
            ask = self._life.send(seen)
        except StopIteration:
            self._begin()
            return
        self._asking = ask
        self._is_reading = False
        self._request = self._command(ask)

    def _command(self, ask: Ask) -> bytes:
        dialect = self._tally.load.dialect
        if dialect in ("plain", "bare"):
            if not self._case_id:
                self._case_id = f"{next(self._tally.numbers):08x}-{_UNIQUE}"
            body: Any = {
                "case_id": self._case_id,
                "version": self._version + 1,
                "topic": ask.command,
                "payload": ask.body,
            }
            return self._post("/events", body, "")
        path = f"/cases/{self._case_id}/commands/{ask.command}" if self._case_id else "/cases"
        if dialect == "library":
            return self._post(path, ask.body, "")
        self._key = f"{self._tally.load.keys}-{self._number}-{next(self._tally.numbers)}"
        headers = self._bearer(ask.role) + f"Idempotency-Key: {self._key}\r\n"
        if self._case_id:
            headers += f'If-Match: "{self._version}"\r\n'
        return self._post(path, ask.body, headers)

    def _post(self, path: str, body: Any, headers: str) -> bytes:
        content = msgspec.json.encode(body)
        return (
            f"POST {path} HTTP/1.1\r\nHost: here\r\n{headers}"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        ).encode() + content

    def _bearer(self, role: str) -> str:
        return f"Authorization: Bearer {self._caller.tokens[role]}\r\n"

    def _look(self) -> bytes:
        self._is_reading = True
        return (
            f"GET /cases/{self._case_id} HTTP/1.1\r\nHost: here\r\n"
            f"{self._bearer(self._asking.role)}\r\n"
        ).encode()

    def itself(self) -> Connection:
        """Give this caller as the protocol of a new connection."""
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send what is to be sent, perhaps for the second time."""
        self._transport = cast("asyncio.Transport", transport)
        self._buffer = b""
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        if self._transport is not None:
            self._transport.write(self._request)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Come back under the same key, unless the time is over."""
        self._transport = None
        if time.perf_counter() >= self._tally.ends:
            self._end()
            return
        self._tally.lost += 1
        asyncio.get_running_loop().call_later(_RECONNECT, self._reconnect)

    def _reconnect(self) -> None:
        loop = asyncio.get_running_loop()
        load = self._tally.load

        async def connect() -> None:
            try:
                await loop.create_connection(self.itself, load.host, load.port)
            except OSError:
                if time.perf_counter() >= self._tally.ends + _AFTER_END:
                    self._end()
                else:
                    loop.call_later(_RECONNECT, self._reconnect)

        self._connecting = loop.create_task(connect())

    def _end(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Take an answer once it is whole, and go on."""
        self._buffer += data
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            return
        head = self._buffer[: end + 2]
        length = int(_header(head, b"content-length: "))
        if len(self._buffer) < end + 4 + length:
            return
        body = self._buffer[end + 4 : end + 4 + length]
        self._buffer = b""
        self._answered(int(head[9:12]), head, body)

    def _answered(self, status: int, head: bytes, body: bytes) -> None:
        tally, now = self._tally, time.perf_counter()
        if not _OK <= status < _FAULT:
            tally.refused[status] += 1
            self._begin()
        elif self._is_reading:
            tally.reads += 1
            self._ask(_seen(body))
        else:
            tally.count(self._sent_at, now)
            self._learn(head, body)
        if now >= tally.ends:
            if self._transport is not None:
                self._transport.close()
            self._end()
            return
        self._send()

    def _learn(self, head: bytes, body: bytes) -> None:
        """Keep what the next command needs of an answer, and what is proved by it later."""
        self._version += 1
        if self._tally.load.dialect == "office":
            self._version = int(_header(head, b"etag: ").strip(b'"'))
            actor = self._caller.accounts[self._asking.role]
            position = _header(head, b"position: ")
            self._tally.acknowledged.append((actor, self._key, position))
            if not self._case_id:
                self._case_id = _header(head, b"location: ").rpartition(b"/")[2].decode()
            if self._asking.looks:
                self._request = self._look()
                return
        elif self._tally.load.dialect == "library" and not self._case_id:
            self._case_id = msgspec.json.decode(body)["case_id"]
        self._ask(None)


_NOBODY = "00000000-0000-5000-8000-0000000000ff"
_UNIQUE = f"0000-4000-8000-{time.time_ns() & 0xFFFFFFFFFFFF:012x}"


def _header(head: bytes, name: bytes) -> bytes:
    start = head.find(b"\r\n" + name) + 2 + len(name)
    return head[start : head.find(b"\r\n", start)]


class _Party(msgspec.Struct):
    party_id: str


class _Line(msgspec.Struct):
    line_id: str


class _Obligation(msgspec.Struct):
    obligation_id: str


class _Payment(msgspec.Struct):
    obligation: _Obligation


class _Case(msgspec.Struct):
    applicants: list[_Party]
    respondents: list[_Party]
    lines: list[_Line]
    payments: list[_Payment]


_CASE = msgspec.json.Decoder(_Case)


def _seen(body: bytes) -> Seen:
    case = _CASE.decode(body)
    return Seen(
        tuple(it.party_id for it in case.applicants),
        tuple(it.party_id for it in case.respondents),
        tuple(it.line_id for it in case.lines),
        tuple(it.obligation.obligation_id for it in case.payments),
    )


def _keep(load: Load, tally: Tally) -> None:
    """Write down every command that was answered with 2xx."""
    lines = [
        msgspec.json.encode(Acknowledged(actor, key, int(position)))
        for actor, key, position in tally.acknowledged
    ]
    Path(load.acknowledged).write_bytes(b"\n".join(lines))


async def _run(load: Load) -> Tally:
    tally = Tally(load)
    loop = asyncio.get_running_loop()
    callers = [Connection(tally, number) for number in range(load.connections)]
    for caller in callers:
        await loop.create_connection(caller.itself, load.host, load.port)
    if load.until_told:
        await loop.run_in_executor(None, sys.stdin.buffer.readline)
        tally.ends = time.perf_counter()
    await asyncio.wait(
        [caller.done for caller in callers], timeout=load.warm_up + load.seconds + _AFTER_END
    )
    return tally


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.readline(), type=Load)
    counted = uvloop.run(_run(asked))
    if asked.acknowledged:
        _keep(asked, counted)
    sys.stdout.buffer.write(msgspec.json.encode(counted.taken()))
