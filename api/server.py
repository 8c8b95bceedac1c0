"""Serve one engine over HTTP in this process; not how it is wired, nor what is answered."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from api.app import create_app
from api.bootstrap import Engine

_SHUTDOWN_SECONDS = 10


class Server(uvicorn.Server):
    """A server that says where it is once it has started."""

    def __init__(self, config: uvicorn.Config, started: Callable[[str], None]) -> None:
        super().__init__(config)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell the address."""
        await super().startup(sockets)
        if self.started:
            self._started(address_of(self))


def server_of(
    engine: Engine, *, host: str, port: int, started: Callable[[str], None] = lambda _url: None
) -> Server:
    """Make the server of an engine; it does not name itself, nor log what was asked.

    Args:
        engine: the caller lets it follow, and closes it.
        host: address to listen on.
        port: 0 lets the system choose.
        started: called with the URL once the server answers.
    """
    config = uvicorn.Config(
        create_app(engine),
        host=host,
        port=port,
        server_header=False,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    return Server(config, started)


def address_of(server: uvicorn.Server) -> str:
    """Give the URL of a server that has started, also where the system chose the port."""
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
