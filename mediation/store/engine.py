"""Open a database safely, and refuse to serve a store that is not safe; no table is made here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, inspect, select, text
from sqlalchemy.engine import URL, make_url

from mediation.errors import Unsafe
from mediation.store.tables import EVENT, KEPT, LOG_HEAD, RECEIPT, SCHEMA_VERSION

LOCK_TIMEOUT_MS = 5000
_PRAGMAS = (
    f"PRAGMA busy_timeout = {LOCK_TIMEOUT_MS}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA recursive_triggers = ON",
)
# A peer that fell silent is noticed within half a minute. There is no statement timeout: a COMMIT
# that waits for its standby must never be cancelled, it would be reported although only local.
_POSTGRESQL = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30000,
    "application_name": "mediation",
}
_FULL = 2
_FORBIDDEN = ("POSTGRES_ENABLE_DB_FUNCTIONS", "AGGREGATE_CACHE_MAXSIZE")


def open_engine(url: str | URL, *, pool_size: int = 5, max_overflow: int = 10) -> Engine:
    """Make an engine for a store or its read models.

    Args:
        url: `sqlite:///folder/log.db` or `postgresql+psycopg://user@host/name`.
        pool_size: connections kept.
        max_overflow: connections more that may be open at the same time.

    Raises:
        Unsafe: the database is another one, or SQLite in memory.
    """
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        _refuse_memory(parsed)
        engine = create_engine(
            parsed,
            pool_size=pool_size,
            max_overflow=max_overflow,
            hide_parameters=True,  # keys travel as parameters, never into a log
            connect_args={"check_same_thread": False, "timeout": LOCK_TIMEOUT_MS / 1000},
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if backend == "postgresql":
        options = parsed.query.get("options", "")
        given = options if isinstance(options, str) else " ".join(options)
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_size=pool_size,
            max_overflow=max_overflow,
            hide_parameters=True,  # keys travel as parameters, never into a log
            connect_args={
                **{key: value for key, value in _POSTGRESQL.items() if key not in parsed.query},
                "options": f"{given} -c lock_timeout={LOCK_TIMEOUT_MS} -c timezone=UTC".strip(),
            },
        )
    raise Unsafe(
        zh="只支持 SQLite 文件和 PostgreSQL。请改正数据库地址。",
        en="Only an SQLite file and PostgreSQL are supported. Correct the database URL.",
    )


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    # SQLite fails at once, whatever the timeout, when a transaction that began as a reader wants
    # to write after somebody else did; so writers say at the beginning that they will write.
    writes = connection.get_execution_options().get("mediation_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that is going to write; commit at the end, roll back on an error."""
    with (
        engine.connect().execution_options(mediation_writes=True) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def holding(path: Path) -> Iterator[bool]:
    """Hold a lock file for this process, which loses it when it ends; False if another has it."""
    import fcntl  # noqa: PLC0415 - on POSIX only; elsewhere PostgreSQL is the way

    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            is_ours = False
        else:
            is_ours = True
        yield is_ours


def check_store(engine: Engine, *, district: str, env: Mapping[str, str] | None = None) -> None:
    """Check everything that must hold before a store may be served.

    Args:
        engine: the log's engine.
        district: code of the district this process serves.
        env: the process environment, to refuse settings of the event library that are unsafe.

    Raises:
        Unsafe: with the first thing that does not hold, and what to do about it.
    """
    check_environment(env or {})
    for fault in faults_of(engine, district=district):
        raise fault


def faults_of(engine: Engine, *, district: str) -> Iterator[Unsafe]:
    """Give everything about a store for which it may not be served."""
    _refuse_memory(engine.url)
    is_sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        try:
            (_check_sqlite if is_sqlite else _check_postgresql)(connection)
        except Unsafe as fault:
            yield fault
        try:
            _check_schema(connection, district)
        except Unsafe as fault:
            # Without its tables there is nothing more to look at.
            yield fault
            return
        for check in (_check_constraints, _check_triggers, _check_density):
            try:
                check(connection)
            except Unsafe as fault:
                yield fault


def check_environment(env: Mapping[str, str]) -> None:
    """Refuse settings under which the event library loses events or tears states.

    Raises:
        Unsafe: one of them is set, plainly or with an application's name before it.
    """
    for key in env:
        if key.upper().endswith(_FORBIDDEN):
            raise Unsafe(
                zh="环境变量 POSTGRES_ENABLE_DB_FUNCTIONS 和 AGGREGATE_CACHE_MAXSIZE 会导致"
                "漏读事件或状态错乱。请删除后重新启动。",
                en="POSTGRES_ENABLE_DB_FUNCTIONS and AGGREGATE_CACHE_MAXSIZE make readers miss "
                "events or tear states. Remove them from the environment and restart.",
            )


def _refuse_memory(url: URL) -> None:
    if url.get_backend_name() != "sqlite":
        return
    if url.database in {None, "", ":memory:"} or "mode=memory" in str(url):
        raise Unsafe(
            zh="内存中的 SQLite 不能保存案件。请指定数据库文件。",
            en="SQLite in memory cannot keep cases. Name a database file.",
        )


def _check_sqlite(connection: Connection) -> None:
    synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
    journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    if synchronous < _FULL or journal != "wal":
        raise Unsafe(
            zh="SQLite 必须使用 WAL 和 synchronous=FULL，否则断电会丢失已确认的记录。",
            en="SQLite must run with WAL and synchronous=FULL, or a power cut loses confirmed "
            "records. Open it without changing these settings.",
        )


def _check_postgresql(connection: Connection) -> None:
    def shown(name: str) -> str:
        return str(connection.exec_driver_sql(f"SHOW {name}").scalar_one())

    if shown("transaction_isolation") != "read committed":
        raise Unsafe(
            zh="PostgreSQL 的默认事务隔离级别必须是 read committed。请修改后重新启动。",
            en="PostgreSQL must default to read committed transactions. Change it and restart.",
        )
    if "off" in {shown("fsync"), shown("full_page_writes"), shown("synchronous_commit")}:
        raise Unsafe(
            zh="PostgreSQL 关闭了 fsync、full_page_writes 或 synchronous_commit，断电会丢失已确认的"
            "记录。请全部打开。",
            en="PostgreSQL runs with fsync, full_page_writes or synchronous_commit off, so a power "
            "cut loses confirmed records. Turn all three on.",
        )


def _check_schema(connection: Connection, district: str) -> None:
    if not inspect(connection).has_table(LOG_HEAD.name):
        raise not_migrated()
    head = connection.execute(select(LOG_HEAD.c.district, LOG_HEAD.c.schema_version)).one_or_none()
    if head is None:
        raise not_migrated()
    check_version(head.schema_version)
    if head.schema_version < SCHEMA_VERSION:
        raise not_migrated()
    check_district(head.district, district)


def check_version(schema_version: int) -> None:
    """Refuse a store that a newer release has migrated.

    Raises:
        Unsafe: the store's schema is newer than this release.
    """
    if schema_version > SCHEMA_VERSION:
        raise Unsafe(
            zh="数据库结构比本程序新。请使用更新的版本。",
            en="The store was migrated by a newer release. Run that release or a later one.",
        )


def check_district(stored: str, district: str) -> None:
    """Refuse the store of another district.

    Raises:
        Unsafe: the store belongs to another district.
    """
    if stored != district:
        raise Unsafe(
            zh="该数据库属于另一个区县。请核对数据库地址和区县代码。",
            en="The store belongs to another district. Check the database URL and the district.",
        )


def not_migrated() -> Unsafe:
    """Give the error that says that a store still has to be migrated."""
    return Unsafe(
        zh="数据库尚未初始化或升级。请先运行 mediation migrate。",
        en="The store has not been migrated. Run `mediation migrate` first.",
        code="not-migrated",
    )


def _check_triggers(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        query = "SELECT tbl_name, count(*) FROM sqlite_master WHERE type = 'trigger' GROUP BY 1"
        needed = 2
    else:
        query = (
            "SELECT c.relname, count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "WHERE t.tgname = c.relname || '_is_kept' AND t.tgenabled IN ('O', 'A') "
            "AND t.tgtype & 56 = 56 AND pg_table_is_visible(c.oid) GROUP BY 1"
        )
        needed = 1
    found = {str(row[0]): int(row[1]) for row in connection.execute(text(query))}
    if any(found.get(table, 0) < needed for table in KEPT):
        raise Unsafe(
            zh="禁止修改和删除记录的触发器缺失。请停止使用，核对日志后从备份恢复。",
            en="The triggers that refuse changes of the log are missing. Stop, verify the log, and "
            "restore from a backup.",
            code="triggers-missing",
        )


def _check_constraints(connection: Connection) -> None:
    # A restore that stopped half-way has the rows, and not yet what keeps them single.
    found = inspect(connection)
    streams = [it["column_names"] for it in found.get_unique_constraints(EVENT.name)]
    keys = {
        it.name: found.get_pk_constraint(it.name)["constrained_columns"] for it in (EVENT, RECEIPT)
    }
    if ["originator_id", "originator_version"] not in streams or not all(keys.values()):
        raise Unsafe(
            zh="日志的主键或唯一约束缺失，可能恢复中断。请重新恢复到空数据库。",
            en="Keys of the log's tables are missing: a restore may have stopped half-way. Restore "
            "again into an empty database.",
            code="constraints-missing",
        )


def _check_density(connection: Connection) -> None:
    # One statement, one snapshot: between two of them another process may append.
    count, top, head = connection.execute(
        select(
            func.count(),
            func.coalesce(func.max(EVENT.c.position), 0),
            select(LOG_HEAD.c.position).scalar_subquery(),
        ).select_from(EVENT)
    ).one()
    if not count == top == head:
        raise Unsafe(
            zh="日志位置不连续，可能有记录缺失。请停止使用，核对日志后从备份恢复。",
            en="The positions of the log have holes: records may be missing. Stop, verify the log, "
            "and restore from a backup.",
            code="log-not-dense",
        )
