"""`mediation demo`: a synthetic district comes to life over HTTP, is shown, and stays served.

The first account and the tokens come from the process itself; everything else any client could do.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TextIO
from uuid import UUID

import httpx

from api import bootstrap
from api.demo import district, figures, opening, pages, report
from api.demo.office import SHANGHAI, Case, Office
from api.demo.progress import Progress, headed
from api.demo.stories import STORIES, small_cases
from api.founding import found_district
from api.server import server_of
from api.settings import Settings
from mediation.application import SYSTEM, Request
from mediation.errors import Unsafe
from mediation.network import GrantRole, OpenServicePoint, Role

START = datetime(2015, 1, 5, 8, 0, tzinfo=SHANGHAI)
FILE = "demo.json"
_LOOK_AGAIN = 0.2
_A_WHILE = 3600.0
_STAGES = 3 + len(STORIES)
_INTERRUPTED = 130


def run(  # noqa: PLR0913 - the options of the command, by name
    *,
    once: bool = False,
    port: int | None = None,
    data_dir: str | Path | None = None,
    as_json: bool = False,
    settings: Settings | None = None,
    out: TextIO | None = None,
) -> int:
    """Play the demo, show it, and serve it until Ctrl-C; gives the exit code.

    Args:
        once: stop after showing, with nothing left running.
        port: to listen on; None: the one that is set, else any that is free.
        data_dir: folder of the demo's store; None: a new one below the data folder.
        as_json: print one JSON document instead of pages.
        settings: of the process; None: from the environment.
        out: where to print; None: the standard output.

    Raises:
        Unsafe: the store is of another kind, or a demo was played in it before.
    """
    out = out or sys.stdout
    given = settings or Settings()
    chosen = given.port if "port" in given.model_fields_set else 0
    playing = given.model_copy(
        update={
            "clock": "manual",
            "data_dir": Path(data_dir) if data_dir else _new_folder(given.data_dir),
            "port": chosen if port is None else port,
        }
    )
    progress = Progress(sys.stderr if as_json else out, _STAGES)
    try:
        with (
            _serving(playing) as (engine, url),
            httpx.Client(base_url=url, timeout=30, trust_env=False) as http,
        ):
            _print(_play(engine, http, progress, url), out, as_json=as_json)
            if not once:
                _until_interrupted(sys.stderr if as_json else out)
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


def _new_folder(below: Path) -> Path:
    below.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="demo-", dir=below))


@contextmanager
def _serving(settings: Settings) -> Iterator[tuple[bootstrap.Engine, str]]:
    """Wire a fresh demo store and serve it from a thread of this process."""
    code, kind = district.DISTRICT, "demo"
    bootstrap.migrate_all(settings, district=code, kind=kind, at=START)
    with ExitStack() as closing:
        engine = bootstrap.build(
            settings, env=os.environ, serves=True, district=code, kind=kind, now=START
        )
        closing.callback(engine.close)
        if engine.log.head().position:
            raise Unsafe(
                zh="该数据目录或数据库中已有演示数据。请换一个新目录（--data-dir）或空数据库后重试。",
                en="A demo was played in this folder or database before. Choose a new folder "
                "(--data-dir) or an empty database.",
                code="demo-not-fresh",
            )
        engine.follow()
        urls: SimpleQueue[str] = SimpleQueue()
        server = server_of(engine, host=settings.host, port=settings.port, started=urls.put)

        def serve() -> None:
            # A server that cannot listen says so itself and asks to exit; `_url` tells the rest.
            with suppress(SystemExit):
                server.run()

        thread = Thread(target=serve, name="demo-server", daemon=True)
        thread.start()

        def stop() -> None:
            server.should_exit = True
            thread.join()

        closing.callback(stop)
        yield engine, _url(urls, thread)


def _url(urls: SimpleQueue[str], thread: Thread) -> str:
    """Wait until the server says where it listens."""
    while thread.is_alive():
        try:
            return urls.get(timeout=_LOOK_AGAIN)
        except Empty:
            continue
    raise Unsafe(
        zh="演示服务未能启动，端口可能已被占用。请用 --port 换一个端口。",
        en="The server of the demo did not start; the port may be taken. Choose another "
        "with --port.",
        code="demo-not-started",
    )


def _play(
    engine: bootstrap.Engine, http: httpx.Client, progress: Progress, url: str
) -> report.Document:
    def issue(account_id: str) -> str:
        return engine.tokens.issue(UUID(account_id), label="demo").token

    office = Office(http, {opening.COORDINATOR: _found(engine)}, progress.step, START)
    with progress.stage("开设76家服务点", "opening 76 service points"):
        opening.open_points(office)
    with progress.stage("开通账号、聘任调解员", "opening accounts, appointing mediators"):
        opening.staff(office, issue)
    cases: dict[str, Case] = {}
    remembered: list[report.Document] = []
    for story in sorted(STORIES, key=lambda it: it.begins):
        with progress.stage(*story.brief):
            cases[story.name] = story.play(office)
            office.later()
            # What is due by this minute is recorded before anybody is asked about it.
            engine.timers.fire()
            remembered.append(figures.remember(office, cases))
    with progress.stage("其他小案", "small cases"):
        cases |= small_cases.play(office)
    file = _write(engine.settings.data_dir / FILE, url, office, cases)
    return {
        "url": url,
        "tokens_file": str(file),
        "commands": office.commands,
        **report.gather(office, cases),
        **figures.gather(office, remembered),
    }


def _found(engine: bootstrap.Engine) -> str:
    """Open the two bodies that stand under no other, for one coordinator, and give his token."""
    founded = found_district(
        engine,
        _opening(district.POINTS[0]),
        coordinator=district.ROLE_NAMES["coordinator"],
        label="demo",
    )
    beside = _opening(district.SUBCENTRE)
    grant = GrantRole(
        account_id=founded.account_id,
        role=Role.COORDINATOR,
        body_id=beside.body_id,
        from_on=beside.opened_on,
    )
    for step, command in (("beside", beside), ("grant-beside", grant)):
        engine.mediation.execute(Request(actor_id=SYSTEM, key=f"demo-{step}", command=command))
    return founded.token


def _opening(point: district.Point) -> OpenServicePoint:
    fields = point.opening()
    return OpenServicePoint(**{**fields, "opened_on": date.fromisoformat(fields["opened_on"])})


def _write(path: Path, url: str, office: Office, cases: dict[str, Case]) -> Path:
    """Write where the demo is and who may enter, readable by its owner only."""
    stored = {
        "url": url,
        "tokens": office.tokens,
        "cases": {name: case.case_id for name, case in cases.items()},
    }
    path.unlink(missing_ok=True)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(stored, file, ensure_ascii=False, indent=2)
    return path


def _print(document: report.Document, out: TextIO, *, as_json: bool) -> None:
    if as_json:
        lines = [json.dumps(document, ensure_ascii=False, indent=2)]
    else:
        lines = [*pages.pages(document), *_where_next(document)]
    out.write("\n".join(lines) + "\n")
    out.flush()


def _where_next(document: report.Document) -> list[str]:
    url, file = document["url"], document["tokens_file"]
    return [
        *headed("接下来", "Where to look next"),
        f"接口地址 API      {url}",
        f"接口说明 OpenAPI  {url}/openapi.json",
        f"令牌文件 tokens   {file}",
        "时钟停在演示的最后一刻，可用 PUT /demo/clock 向前拨动。",
        "The clock stands where the demo ended; PUT /demo/clock moves it on.",
    ]


def _until_interrupted(out: TextIO) -> None:
    out.write("\n服务运行中，按 Ctrl-C 结束 · serving, press Ctrl-C to end\n")
    out.flush()
    # SIGTERM ends the demo as Ctrl-C does, so that a container stops cleanly.
    ending = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(it, signal.default_int_handler) for it in ending]
    try:
        while True:
            time.sleep(_A_WHILE)
    except KeyboardInterrupt:
        out.write("\n已停止 · stopped\n")
    finally:
        for it, handler in zip(ending, before, strict=True):
            signal.signal(it, handler)
