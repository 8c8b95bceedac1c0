"""What every command does alike: settings, one engine, logs, one way to answer."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.screen import visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import contextmanager

    from api.bootstrap import Engine
    from api.settings import Settings
else:
    from contextlib import contextmanager

PLAIN: dict[str, Any] = {
    "rich_markup_mode": None,
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "no_args_is_help": True,
}
"""How every group of commands is shown."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def settings() -> Settings:
    """Read the settings of this process."""
    from api.settings import Settings

    return Settings()


@contextmanager
def opened(chosen: Settings, *, serves: bool = False, makes: bool = False) -> Iterator[Engine]:
    """Wire the engine of a store, and let go of it at the end.

    Raises:
        Unsafe: there is no store, and this command is none that `makes` one.
    """
    from api.bootstrap import build, places

    if not makes:
        places(chosen).require()
    engine = build(chosen, env=os.environ, serves=serves)
    try:
        yield engine
    finally:
        engine.close()


def configure_logs() -> None:
    """Write logs as JSON lines to standard error."""
    import logging

    import structlog

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # Asked for anew each time: whoever runs a command may have put another stream there.
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
    )


def say(data: Any, *lines: str, as_json: bool) -> None:
    """Print an answer: as JSON on one line, or as lines for people; a terminal obeys none of it."""
    if as_json:
        import msgspec

        typer.echo(visible(json.dumps(msgspec.to_builtins(data), ensure_ascii=False)))
    else:
        typer.echo(visible("\n".join(lines), but="\n"))
