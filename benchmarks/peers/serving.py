"""Serve a peer with the very server and settings that serve the engine."""

from __future__ import annotations

import json

import uvicorn
from starlette.types import ASGIApp

from api.server import Server, address_of


def serve(app: ASGIApp) -> None:
    """Serve until ended; say the address first, as `mediation serve --json` does."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, server_header=False, access_log=False, log_level="warning"
    )
    server: Server

    def started(_url: str) -> None:
        print(json.dumps({"url": address_of(server)}), flush=True)

    server = Server(config, started)
    server.run()
