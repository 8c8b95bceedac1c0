"""The HTTP application of one district: routes, limits, errors; wiring is in bootstrap."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from api import commands, errors, openapi
from api.bootstrap import Engine
from api.clock import ManualClock
from api.limits import Edge, Limits
from api.routes import (
    audit,
    cases,
    deadlines,
    demo,
    health,
    imports,
    network,
    replay,
    statistics,
    worklist,
)
from api.security import marked

TITLE = "Mediation ladder · 劳动争议多级递进调解引擎"
QUERIES_AT_ONCE = 24


def create_app(engine: Engine) -> FastAPI:
    """Make the application that serves this engine; the caller closes the engine.

    Without pages of its own for reading the description: they would load scripts from elsewhere.
    """
    app = describable(with_demo=isinstance(engine.clock, ManualClock))
    app.state.engine = engine
    return app


def describable(*, with_demo: bool = False) -> FastAPI:
    """Make the application without an engine: enough to describe the interface."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = QUERIES_AT_ONCE
        app.state.commands = anyio.CapacityLimiter(commands.AT_ONCE)
        app.state.imports = anyio.CapacityLimiter(imports.SHEETS_AT_ONCE)
        yield

    app = FastAPI(
        title=TITLE,
        version=openapi.VERSION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        # Logs would hold the messages of exceptions, and those what somebody typed in.
        telemetry={"logs": False},
        middleware=[Middleware(Edge), Middleware(Limits)],
    )
    errors.install(app)
    # One flat list of routes, so that each can be found and its mark be read.
    app.router.routes.extend(commands.routes())
    always = (cases, replay, imports, worklist, deadlines, statistics, network, health, audit)
    for routes in (*always, *([demo] if with_demo else [])):
        app.router.routes.extend(routes.router.routes)

    @app.get("/openapi.json", include_in_schema=False)
    @marked("interface.read", audited=False, public=True)
    def read_interface(_request: Request) -> Response:
        return Response(openapi.text(app), media_type="application/json")

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = openapi.describe(app)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]
    return app
