"""One served district for each database, shared by all tests of the API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.databases import BACKENDS, fresh_postgresql, fresh_sqlite
from tests.serving import Served, served


@pytest.fixture(scope="session", params=BACKENDS)
def office(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A real server on this machine; tests share it, so each registers cases of its own."""
    if request.param == "sqlite":
        with served(fresh_sqlite(tmp_path_factory.mktemp("served"))) as running:
            yield running
        return
    with (
        fresh_postgresql(request.getfixturevalue("postgresql_cluster")) as url,
        served(url) as running,
    ):
        yield running
