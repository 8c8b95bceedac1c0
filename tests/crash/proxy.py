"""A PostgreSQL that loses answers: a proxy that cuts the connection when an append is under way."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol, Self

from sqlalchemy.engine import make_url

_APPEND = b"mediation_append"
_PORT = 5432


class Knife(Protocol):
    """Says what to cut."""

    def fires(self) -> bool:
        """Take one cut, if one is left."""
        ...

    def toss(self) -> bool:
        """Decide whether the answer is waited for before the cut."""
        ...


class CuttingProxy:
    """Stands between client and server, on a socket of its own.

    When the knife fires, the append is passed on whole; then the client is cut off, either at
    once, or when the server has answered and so has committed.

    Args:
        database: URL of the database behind.
        knife: says what to cut.

    Attributes:
        url: the same database, through the proxy.
    """

    def __init__(self, database: str, knife: Knife) -> None:
        behind = make_url(database)
        self._behind = behind
        self._knife = knife
        # Not in the test's folder: the path of a socket has at most 107 bytes.
        self._folder = tempfile.TemporaryDirectory(prefix="mediation-cut-", dir="/tmp")
        query = {**behind.query, "host": self._folder.name}
        through = behind.set(host=None, port=None, query=query)
        self.url = through.render_as_string(hide_password=False)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(Path(self._folder.name, f".s.PGSQL.{_PORT}")))
        self._listening.listen(64)
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._listening, *self._open):
            _close(one)
        self._folder.cleanup()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = self._connect()
                self._open += [client, server]
                link = _Link(client, server, self._knife)
                for work in (link.pass_on, link.pass_back):
                    threading.Thread(target=work, daemon=True).start()

    def _connect(self) -> socket.socket:
        host = self._behind.host or self._behind.query.get("host", "")
        port = self._behind.port or _PORT
        if not str(host).startswith("/"):
            return socket.create_connection((str(host), port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(Path(str(host), f".s.PGSQL.{port}")))
        return server


class _Link:
    """One client's connection and the server's behind it."""

    def __init__(self, client: socket.socket, server: socket.socket, knife: Knife) -> None:
        self._client = client
        self._server = server
        self._knife = knife
        self._appends: set[bytes] = set()
        self._cut_at_answer = False

    def pass_on(self) -> None:
        """Pass the client's messages on, one by one; cut where the knife says."""
        with suppress(OSError):
            is_append = False
            for kind, message in _messages(self._client.recv):
                if kind == b"P" and _APPEND in message:
                    self._appends.add(message[5:].partition(b"\0")[0])
                if kind == b"B":
                    is_append = message[5:].split(b"\0", 2)[1] in self._appends
                cuts = kind == b"S" and is_append and self._knife.fires()
                self._cut_at_answer = cuts and self._knife.toss()
                self._server.sendall(message)
                if cuts and not self._cut_at_answer:
                    break
        self._end()

    def pass_back(self) -> None:
        """Pass the server's answers back, but for one that is to be lost."""
        with suppress(OSError):
            while (data := self._server.recv(65536)) and not self._cut_at_answer:
                self._client.sendall(data)
        self._end()

    def _end(self) -> None:
        _close(self._client)
        _close(self._server)


def _messages(receive: Callable[[int], bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Cut a client's stream into messages; the first has no kind."""
    buffer, head = b"", 0
    while data := receive(65536):
        buffer += data
        while len(buffer) >= head + 4:
            size = head + int.from_bytes(buffer[head : head + 4], "big")
            if len(buffer) < size:
                break
            yield buffer[:head], buffer[:size]
            buffer, head = buffer[size:], 1


def _close(one: socket.socket) -> None:
    # Waking whoever waits on it needs the shutdown; it may be closed already.
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
