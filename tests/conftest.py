"""What every test may ask for: databases, a clock that is set by hand, a log."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlalchemy.engine import URL

from mediation.store import Log, migrate, open_engine
from tests.databases import BACKENDS, SCRATCH, cluster, fresh_postgresql, fresh_sqlite

DISTRICT = "370102"
LOG_ID = UUID("5f0c1a52-3f07-4a52-9d3e-6f6c9d1b2a44")


def pytest_configure() -> None:
    """Let the folders of tests lie where their databases do."""
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", SCRATCH)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the files that take longest begin first, so that no worker ends long after the others."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


class Clock:
    """A clock that stands still until a test moves it; `now` is aware UTC."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


@pytest.fixture
def clock() -> Clock:
    """Monday, 2 March 2026, nine o'clock in Shanghai."""
    return Clock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC))


@pytest.fixture(scope="session")
def postgresql_cluster() -> Iterator[URL]:
    """One PostgreSQL for the whole run (for each worker of a parallel run)."""
    with cluster() as url:
        yield url


@pytest.fixture
def sqlite_database(tmp_path: Path) -> str:
    """URL of an SQLite file that does not exist yet."""
    return fresh_sqlite(tmp_path)


@pytest.fixture
def postgresql_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of an empty PostgreSQL database."""
    with fresh_postgresql(request.getfixturevalue("postgresql_cluster")) as url:
        yield url


@pytest.fixture(params=BACKENDS)
def database(request: pytest.FixtureRequest) -> str:
    """URL of a fresh empty database; the test runs once on each kind."""
    url: str = request.getfixturevalue(f"{request.param}_database")
    return url


@pytest.fixture
def store(database: str, clock: Clock) -> Iterator[Engine]:
    """Engine of a migrated, empty store of the test district."""
    engine = open_engine(database)
    try:
        migrate(engine, district=DISTRICT, kind="test", log_id=LOG_ID, at=clock())
        yield engine
    finally:
        engine.dispose()


@pytest.fixture
def log(store: Engine, clock: Clock) -> Iterator[Log]:
    """An empty log of the test district."""
    with Log(store, clock=clock) as opened:
        yield opened
