"""Read models on both databases, beside the log they follow."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from api.bootstrap import projections
from mediation.store import Log
from projections.base import Projection, create
from projections.case_file import CaseFile
from projections.deadlines import Deadlines
from projections.notices import Notices
from projections.runner import Follower
from projections.statistics import Ledger
from projections.worklist import Worklist
from tests.projections.desk import Desk


@pytest.fixture
def case_file() -> CaseFile:
    """The register of cases."""
    return CaseFile()


@pytest.fixture
def worklist() -> Worklist:
    """The worklist."""
    return Worklist()


@pytest.fixture
def deadlines() -> Deadlines:
    """The open dates."""
    return Deadlines()


@pytest.fixture
def notices() -> Notices:
    """The notices to bodies passed by."""
    return Notices()


@pytest.fixture
def models(
    case_file: CaseFile, worklist: Worklist, deadlines: Deadlines, notices: Notices
) -> list[Projection]:
    """Every read model."""
    models = [case_file, worklist, deadlines, notices, Ledger()]
    assert [type(it) for it in models] == [type(it) for it in projections()]
    return models


@pytest.fixture
def followers(log: Log, store: Engine, models: list[Projection]) -> list[Follower]:
    """One follower for each read model, at the beginning of the log."""
    create(store, models)
    return [Follower(model, log, store) for model in models]


@pytest.fixture
def desk(log: Log, store: Engine, followers: list[Follower]) -> Desk:
    """An empty desk."""
    return Desk(log, store, followers)
