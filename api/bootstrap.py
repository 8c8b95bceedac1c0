"""The only wiring: settings in, one district ready to serve out; no rule and no route here."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from uuid import UUID

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.engine import URL, make_url

from api.clock import ManualClock, system_clock
from api.cursors import Cursors
from api.grants import LOG_GRANTS, VAULT_GRANTS, grant_to, may_rewrite, read_grants
from api.security import Tokens, migrate_tokens
from api.settings import Settings
from api.timers import Timers
from mediation import authority, calendar, codes, kernel, ladder
from mediation import case as _case  # noqa: F401 - registers every chapter
from mediation import network as _network  # noqa: F401 - registers every chapter
from mediation.application import Mediation
from mediation.approvals import Approvals
from mediation.case.lifecycle import check_lifecycle
from mediation.errors import MediationError, Unsafe
from mediation.store import Log, check_store, migrate, open_engine
from mediation.store.access import AccessLog, migrate_access
from mediation.store.engine import check_environment, holding
from mediation.store.marks import Marks, migrate_marks
from mediation.store.sealing import Sealer
from mediation.store.tables import LOG_HEAD
from mediation.store.tracking import TRACKING
from mediation.store.vault import Vault, migrate_vault
from projections.base import create
from projections.case_file import CaseFile
from projections.deadlines import Deadlines
from projections.notices import Notices
from projections.runner import Follower, Turns
from projections.statistics import Ledger
from projections.worklist import Worklist

DEFAULT_DISTRICT = "local"
"""The district code of a store that is made without naming one."""

_CURSOR_SECRET = "cursors"  # noqa: S105 - the name of the secret, not the secret
_APPROVAL_SECRET = "approvals"  # noqa: S105 - likewise
_POOL = {"pool_size": 12, "max_overflow": 28}

_log = structlog.get_logger("mediation.bootstrap")


class Places(msgspec.Struct, frozen=True):
    """Where log, read models and vault live; `file` is the log's own file on SQLite, else None."""

    log: URL
    read: URL
    vault: URL
    file: Path | None

    def make(self) -> None:
        """Make the folder and the files of SQLite where they are missing, for nobody else."""
        if self.file is None:
            return
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for url in (self.log, self.read):
            # Made before the database makes it: what stands in it is nobody else's business.
            if not Path(url.database or "").exists():
                Path(url.database or "").touch(mode=0o600)

    def require(self) -> None:
        """Refuse to look at a store on SQLite that is not there: nothing is made by looking.

        Raises:
            Unsafe: there is no log, or no vault; it names the place and the settings.
        """
        for file in (self.file, _file_of(self.vault)):
            if file is not None and not _is_filled(file):
                raise Unsafe(
                    zh=f"没有可供读取的数据库：{file.resolve()} 不存在或者是空的。请核对 "
                    "MEDIATION_DATA_DIR（或者 MEDIATION_DATABASE_URL、MEDIATION_VAULT_URL）；新建的"
                    "，请先运行 mediation migrate。",
                    en=f"There is no store to read: {file.resolve()} is missing or empty. Check "
                    "MEDIATION_DATA_DIR (or MEDIATION_DATABASE_URL and MEDIATION_VAULT_URL); for a "
                    "new store run `mediation migrate` first.",
                    code="not-migrated",
                )


def places(settings: Settings) -> Places:
    """Say where everything lives; nothing is made."""
    url = make_url(settings.database_url or f"sqlite:///{settings.data_dir / 'log.db'}")
    vault = make_url(settings.vault_url) if settings.vault_url else None
    if url.get_backend_name() != "sqlite" or not url.database:
        return Places(url, url, vault or url, None)
    file = Path(url.database)
    prefix = "" if file.stem == "log" else f"{file.stem}-"
    read, beside = (
        url.set(database=str(file.with_name(f"{prefix}{name}.db"))) for name in ("read", "vault")
    )
    return Places(url, read, vault or beside, file)


def _file_of(url: URL) -> Path | None:
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def _is_filled(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0


def projections() -> tuple[CaseFile, Worklist, Deadlines, Notices, Ledger]:
    """Make every read model there is; a new one is one line here."""
    return CaseFile(), Worklist(), Deadlines(), Notices(), Ledger()


class Engine:
    """One district, wired: the door, its log, its read models, its clock, and who may come in."""

    def __init__(  # noqa: PLR0913 - the parts of a process, by name, in one place
        self,
        *,
        settings: Settings,
        log: Log,
        mediation: Mediation,
        access: AccessLog,
        tokens: Tokens,
        cursors: Cursors,
        clock: Callable[[], datetime],
        read_engine: sa.Engine,
        marks: Marks,
        closing: ExitStack,
    ) -> None:
        self.settings = settings
        self.log = log
        self.mediation = mediation
        self.access = access
        self.tokens = tokens
        self.cursors = cursors
        self.clock = clock
        self.read_engine = read_engine
        self.marks = marks
        models = projections()
        self.case_file, self.worklist, self.deadlines, self.notices, self.ledger = models
        turns = Turns() if read_engine.dialect.name == "sqlite" else None
        self.followers = {it.name: Follower(it, log, read_engine, turns=turns) for it in models}
        self.timers = Timers(mediation, self.deadlines, read_engine, clock)
        self.failed: dict[str, str] = {}
        self._closing = closing
        self._stop = Event()
        self._threads: list[Thread] = []

    def follow(self) -> None:
        """Follow the log, fire timers and keep the mark, each on a thread, until `close`.

        Raises:
            Unsafe: a read model has come further than the log goes.
        """
        refuse_ahead(self.read_engine, self.log)
        workers = {**self.followers, "timers": self.timers, "marks": self.marks}
        for name, worker in workers.items():
            thread = Thread(target=self._run, args=(name, worker), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def wait(self) -> None:
        """Return when every follower has ended."""
        for thread in self._threads:
            thread.join()

    def stop(self) -> None:
        """Ask the followers to end, also those that wait for the log or rest between batches."""
        self._stop.set()
        self.log.wake()
        for follower in self.followers.values():
            follower.hurry()

    def _run(self, name: str, worker: Follower | Timers | Marks) -> None:
        try:
            worker.run(self._stop)
        except Exception as error:  # noqa: BLE001 - the edge of a worker: shown by /readyz, logged
            self.failed[name] = error.code if isinstance(error, MediationError) else "fault"
            _log.error("follower stopped", follower=name, error=type(error).__name__)

    def close(self) -> None:
        """End the followers, mark how far the log came, and let go of databases and lock."""
        self.stop()
        self.wait()
        with self._closing:
            self.marks.keep_if_answered()


def check_registries() -> None:
    """Verify that every command and event is whole: decider, authority, labels, evolution.

    Raises:
        TypeError: something is missing or stands without its counterpart.
    """
    kernel.check_registries()
    check_lifecycle()
    names = kernel.commands()
    authority.check_table(names)
    for command in names.values():
        _require_label("commands", command.command_type.__name__)
    for topic in kernel.events():
        _require_label("events", topic.partition("/")[0])


def _require_label(table: str, code: str) -> None:
    if not codes.is_code(table, code):
        msg = f"{code} has no label in the code table {table}"
        raise TypeError(msg)


class Stored(msgspec.Struct, frozen=True):
    """What a store says of itself: its district, its kind, and when it was last written to."""

    district: str
    kind: str


def stored(engine: sa.Engine) -> Stored | None:
    """Read whose store this is; None if it was never migrated."""
    if not sa.inspect(engine).has_table(LOG_HEAD.name):
        return None
    with engine.connect() as connection:
        row = connection.execute(sa.select(LOG_HEAD.c.district, LOG_HEAD.c.kind)).one_or_none()
    return None if row is None else Stored(row.district, row.kind)


def migrate_all(
    settings: Settings,
    *,
    district: str | None = None,
    kind: str | None = None,
    app_role: str | None = None,
    at: datetime,
) -> int:
    """Bring every table of a store to this release, or make a new store; twice does nothing.

    Args:
        settings: where the store is.
        district: its code; None: what an existing store says, else `local`.
        kind: `live`, `demo` or `test`; None: what an existing store says, else `live`.
        app_role: on PostgreSQL, the role that is going to serve: it is given what that needs.
        at: aware time at which a new log begins.

    Returns:
        How many steps of the log were applied.

    Raises:
        Unsafe: the store belongs to another district, is of another kind, or is newer.
        Malformed: there is no such role, or it is the one that migrates.
    """
    where = places(settings)
    where.make()
    with ExitStack() as closing:
        log_engine = _opened(where.log, closing)
        found = stored(log_engine)
        if found is not None and kind not in (None, found.kind):
            raise Unsafe(
                zh="该数据库的用途标记与要求不符（正式、演示、测试不能混用）。请改用另一个数据目录。",
                en="The store is marked for another use: live, demo and test stores are never "
                "mixed. Choose another data folder.",
                code="wrong-kind",
            )
        steps = migrate(
            log_engine,
            district=district or (found.district if found else DEFAULT_DISTRICT),
            kind=kind or (found.kind if found else "live"),
            log_id=UUID(bytes=secrets.token_bytes(16), version=4),
            at=at,
        )
        migrate_access(log_engine)
        migrate_tokens(log_engine)
        vault_engine = _opened(where.vault, closing)
        migrate_vault(vault_engine)
        with Log(log_engine, clock=lambda: at) as log:
            migrate_marks(vault_engine, log_id=log.log_id, at=at)
        models = projections()
        create(_opened(where.read, closing), models)
        if app_role is not None:
            grant_to(app_role, log_engine, {**LOG_GRANTS, **read_grants(models)})
            grant_to(app_role, vault_engine, VAULT_GRANTS)
    return steps


def _opened(url: URL, closing: ExitStack) -> sa.Engine:
    engine = open_engine(url, **_POOL)
    closing.callback(engine.dispose)
    return engine


def build(  # noqa: PLR0913 - each is something only the caller knows
    settings: Settings,
    *,
    env: Mapping[str, str],
    serves: bool = False,
    district: str | None = None,
    kind: str | None = None,
    now: datetime | None = None,
    rules: ladder.Ladder | None = None,
) -> Engine:
    """Wire one district; an embedded store (SQLite) is migrated on the way.

    Args:
        settings: of the process.
        env: the process environment, to refuse unsafe settings of the event library.
        serves: take the lock that only one serving process on SQLite may hold.
        district: code of a store that is made now; an existing one must be this district's.
        kind: `live`, `demo` or `test`, of a store that is made now.
        now: where a manual clock starts, at the least; it never starts before the last event.
        rules: the ladder for new cases; None: the deployment's newest, else the published one.

    Raises:
        Unsafe: settings or store under which it must not run, and what to do about it.
        TypeError: a registry is not whole.
    """
    check_environment(env)
    check_registries()
    where = places(settings)
    with ExitStack() as closing:
        where.make()
        if serves and where.file is not None:
            closing.enter_context(_served_alone(where.file.with_name(f"{where.file.stem}.lock")))
        if where.file is not None:
            migrate_all(settings, district=district, kind=kind, at=now or system_clock())
        log_engine = _opened(where.log, closing)
        found = stored(log_engine)
        check_store(log_engine, district=district or (found.district if found else ""), env=env)
        if serves and may_rewrite(log_engine):
            _log.warning("the database role may rewrite the log; see docs: run on PostgreSQL")
        clock = _clock(settings, found, log_engine, now)
        log = Log(log_engine, clock=clock)
        closing.callback(log.close)
        vault_engine = _opened(where.vault, closing)
        vault = Vault(vault_engine, randbytes=os.urandom, now=clock)
        marks = Marks(vault_engine, log, clock)
        marks.require(vault)
        access = AccessLog(log_engine)
        own = settings.data_dir / "ladders"
        folder = own if own.is_dir() else None
        ladders = {ref: ladder.load_ref(ref, folder=folder) for ref in ladder.published(folder)}
        adopted = rules or list(ladders.values())[-1]
        mediation = Mediation(
            log=log,
            sealer=Sealer(vault, log.log_id),
            access=access,
            clock=clock,
            randbytes=os.urandom,
            district=log.district,
            ladder=adopted,
            ladders={**ladders, adopted.ref: adopted},
            calendar=calendar.default(),
            approvals=Approvals(vault.secret(_APPROVAL_SECRET)),
        )
        return Engine(
            settings=settings,
            log=log,
            mediation=mediation,
            access=access,
            tokens=Tokens(log_engine, randbytes=os.urandom, clock=clock),
            cursors=Cursors(vault.secret(_CURSOR_SECRET)),
            clock=clock,
            read_engine=_opened(where.read, closing),
            marks=marks,
            closing=closing.pop_all(),
        )


def refuse_ahead(read_engine: sa.Engine, log: Log) -> None:
    """Refuse read models that hold what the log does not: it was restored, they were not.

    What other versions left behind and the copy of a rebuild are not read, so they do not count.

    Raises:
        Unsafe: a follower has come further than the log goes.
    """
    mine = TRACKING.c.name.in_([it.follower for it in projections()])
    query = sa.select(sa.func.max(TRACKING.c.position)).where(mine)
    # The followers are read first: the log only grows meanwhile.
    with read_engine.connect() as connection:
        furthest = connection.execute(query).scalar() or 0
    if furthest > log.head().position:
        raise Unsafe(
            zh="查询数据比日志更新：日志恢复自旧备份，查询数据却没有。SQLite：删除数据目录中的 "
            "read.db、read.db-wal、read.db-shm，启动时会自动重建；PostgreSQL：从同一份备份恢复整个"
            "数据库。",
            en="A read model has come further than the log: the log was restored and the read "
            "models were not. On SQLite remove read.db, read.db-wal and read.db-shm from the data "
            "folder, they are built anew; on PostgreSQL restore the whole database from one dump.",
            code="read-model-ahead",
        )


def _clock(
    settings: Settings, found: Stored | None, log_engine: sa.Engine, now: datetime | None
) -> Callable[[], datetime]:
    if settings.clock == "system":
        return system_clock
    if found is None or found.kind not in ("demo", "test"):
        raise Unsafe(
            zh="只有标记为演示或测试的数据库才能使用手动时钟。请删除 MEDIATION_CLOCK 后重新启动。",
            en="Only a store marked as demo or test runs on a manual clock. Remove "
            "MEDIATION_CLOCK and restart.",
            code="manual-clock",
        )
    with Log(log_engine, clock=system_clock) as log:
        head = log.head()
    # What is recorded never goes back, so neither does the clock that stamps it.
    given = now or (head.recorded_at if head.position else system_clock())
    return ManualClock(max(given, head.recorded_at))


@contextmanager
def _served_alone(path: Path) -> Iterator[None]:
    """Refuse a second process that serves the same SQLite store."""
    with holding(path) as is_ours:
        if not is_ours:
            raise Unsafe(
                zh="已有一个服务进程在使用该数据目录。请先停止它；需要多个进程时改用 PostgreSQL。",
                en="Another process already serves this data folder. Stop it first; for more than "
                "one process use PostgreSQL.",
                code="already-served",
            )
        yield
