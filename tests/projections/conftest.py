"""Read models on both databases, beside the log they follow."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from mediation.store import Log
from projections.base import create
from projections.case_file import CaseFile
from projections.runner import Follower
from projections.worklist import Worklist


@pytest.fixture
def case_file() -> CaseFile:
    """The register of cases."""
    return CaseFile()


@pytest.fixture
def worklist() -> Worklist:
    """The worklist."""
    return Worklist()


@pytest.fixture
def followers(log: Log, store: Engine, case_file: CaseFile, worklist: Worklist) -> list[Follower]:
    """One follower for each read model, at the beginning of the log."""
    models = [case_file, worklist]
    create(store, models)
    return [Follower(model, log, store) for model in models]
