"""On PostgreSQL one role migrates and another serves: what the second needs it has, and no more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL, make_url
from typer.testing import CliRunner

from api import cli
from api.bootstrap import build, migrate_all, projections
from api.clock import system_clock
from api.founding import found_district
from api.grants import LOG_GRANTS, VAULT_GRANTS, may_rewrite, read_grants
from api.settings import Settings
from api.upkeep import accept_loss, check
from mediation.application import SYSTEM, Request
from mediation.errors import Malformed, MediationError, Unsafe
from mediation.network import OpenAccount, OpenServicePoint
from mediation.privacy import Personal
from mediation.store import open_engine
from mediation.store.access import AccessKind
from mediation.store.vault import VAULT_KEY
from projections.base import create
from projections.runner import Follower
from projections.upkeep import Rebuild
from projections.worklist import Worklist
from tests.databases import administering, fresh_postgresql, fresh_sqlite

TOP = OpenServicePoint(
    body_id="qu",
    name_zh="示例区总工会",
    name_en="Sample union",
    level="district",
    kind="circuit-room",
    number_prefix="示例",
)

FORBIDDEN_IN_THE_LOG = (
    "UPDATE event SET topic = 'x'",
    "DELETE FROM event",
    "TRUNCATE event",
    "DROP TABLE event",
    "ALTER TABLE event DISABLE TRIGGER ALL",
    "DROP TRIGGER event_is_kept ON event",
    "UPDATE receipt SET result = ''",
    "DELETE FROM receipt",
    "TRUNCATE receipt",
    "INSERT INTO log_head SELECT * FROM log_head",
    "UPDATE log_head SET log_id = gen_random_uuid()",
    "UPDATE log_head SET kind = 'demo'",
    "DELETE FROM log_head",
    "UPDATE access_record SET at = 0",
    "DELETE FROM access_record",
    "UPDATE access_token SET account_id = gen_random_uuid()",
    "DELETE FROM access_token",
    "CREATE TABLE mine (a int)",
    "DROP FUNCTION mediation_refuse_change() CASCADE",
    "SET session_replication_role = replica",
)
LOST = "UPDATE log_mark SET position = position + 1"
"""What the vault says once an older log was restored beside it."""

FORBIDDEN_IN_THE_VAULT = (
    "DELETE FROM vault_key",
    "TRUNCATE vault_key",
    "UPDATE vault_key SET kid = 'x'",
    "UPDATE vault_secret SET material = ''",
    "DELETE FROM vault_secret",
    "INSERT INTO log_mark SELECT * FROM log_mark",
    "UPDATE log_mark SET accepted_by_id = gen_random_uuid()",
    "UPDATE log_mark SET began_position = 0",
    "DELETE FROM log_mark",
)


@pytest.fixture
def role(postgresql_cluster: URL) -> Iterator[str]:
    """A role that may log in, and nothing else."""
    name = f"app_{uuid4().hex}"
    with administering(postgresql_cluster) as connection:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN PASSWORD 'made-up'")
    yield name
    with administering(postgresql_cluster) as connection:
        connection.exec_driver_sql(f"DROP ROLE {name}")


@pytest.fixture
def owned(postgresql_cluster: URL, role: str, tmp_path: Path) -> Iterator[Settings]:
    """A migrated store, seen by the owner of its tables."""
    with fresh_postgresql(postgresql_cluster) as log, fresh_postgresql(postgresql_cluster) as vault:
        settings = Settings(database_url=log, vault_url=vault, data_dir=tmp_path)
        migrate_all(settings, app_role=role, at=system_clock())
        assert migrate_all(settings, app_role=role, at=system_clock()) == 0
        yield settings


@pytest.fixture
def serving(owned: Settings, role: str) -> Settings:
    """The same store, seen by the role that serves."""
    urls = {
        name: make_url(url)
        .set(username=role, password="made-up")
        .render_as_string(hide_password=False)
        for name, url in (("database_url", owned.database_url), ("vault_url", owned.vault_url))
        if url
    }
    return owned.model_copy(update=urls)


def refusal(url: str | None, statement: str) -> str | None:
    """Run a statement without keeping what it does; the class of its error, or None."""
    engine = open_engine(url or "")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
            connection.rollback()
    except exc.DBAPIError as error:
        return type(error.orig).__name__
    finally:
        engine.dispose()
    return None


def test_the_role_that_serves_can_do_all_that_serving_needs(serving: Settings):
    """Commands, tokens, access records, keys, marks, read models and timers work under it."""
    engine = build(serving, env=os.environ, serves=True)
    try:
        engine.follow()
        founded = found_district(engine, TOP, coordinator="示例统筹员")
        command = OpenAccount(display_name=Personal("示例甲"))
        request = Request(actor_id=SYSTEM, key="one", command=command)
        engine.mediation.execute(request)
        for follower in engine.followers.values():
            follower.wait_for(4, 30)
        engine.access.record(
            at=datetime.now(UTC),
            actor_id=UUID(int=1),
            kind=AccessKind.OUT_OF_SCOPE,
            route="GET /cases/{case_id}",
        )
        engine.tokens.revoke(founded.token_id)
        vault = engine.mediation._sealer._vault
        with vault._engine.connect() as connection:
            kids = list(connection.execute(sa.select(VAULT_KEY.c.kid)).scalars())
        assert vault.destroy(kids) == len(kids)
        engine.timers.fire()
        assert engine.marks.keep() == 4
        assert engine.failed == {}
    finally:
        engine.close()


def test_the_role_that_serves_cannot_change_what_was_recorded(owned: Settings, serving: Settings):
    """No change, no emptying, no way around the triggers; the owner, the broken twin, has some."""
    for statement in FORBIDDEN_IN_THE_LOG:
        assert refusal(serving.database_url, statement) == "InsufficientPrivilege", statement
    for statement in FORBIDDEN_IN_THE_VAULT:
        assert refusal(serving.vault_url, statement) == "InsufficientPrivilege", statement

    assert refusal(owned.database_url, "DELETE FROM event") == "InsufficientPrivilege"
    assert refusal(owned.database_url, "DROP TRIGGER event_is_kept ON event") is None
    assert refusal(owned.database_url, "DROP TABLE event") is None


def test_every_table_has_its_grants(owned: Settings, serving: Settings):
    """A table that is added later is not forgotten; what is served by its owner is noticed."""
    models = projections()
    for url, granted in (
        (owned.database_url, {**LOG_GRANTS, **read_grants(models)}),
        (owned.vault_url, VAULT_GRANTS),
    ):
        engine = open_engine(url or "")
        assert set(sa.inspect(engine).get_table_names()) == {it.name for it in granted}
        engine.dispose()
    for settings, expected in ((owned, True), (serving, False)):
        engine = open_engine(settings.database_url or "")
        assert may_rewrite(engine) is expected
        engine.dispose()


def test_the_owner_rebuilds_what_the_other_role_keeps_up(owned: Settings, serving: Settings):
    """The tables of a copy are shared as the live ones are, and the live one goes on after it."""
    app = build(serving, env={})
    engine = open_engine(owned.database_url or "")
    try:
        found_district(app, TOP, coordinator="示例统筹员")
        live = app.followers["worklist"]
        assert live.catch_up() == 3

        again = Worklist("again_")
        create(engine, [again])
        assert Follower(again, app.log, app.read_engine).catch_up() == 3
        rebuilt = Rebuild(live.projection, app.log, engine).run()

        assert rebuilt.is_switched
        assert rebuilt.is_same
        app.mediation.execute(
            Request(
                actor_id=SYSTEM,
                key="after",
                command=OpenAccount(display_name=Personal("示例乙")),
            )
        )
        assert live.catch_up() == 4
    finally:
        engine.dispose()
        app.close()


def test_the_role_that_serves_rebuilds_nothing_and_is_told_who_does(
    serving: Settings, monkeypatch: pytest.MonkeyPatch
):
    """Tables are made by the owner: no traceback, but by which role to run it."""
    monkeypatch.setenv("MEDIATION_DATABASE_URL", serving.database_url or "")
    monkeypatch.setenv("MEDIATION_VAULT_URL", serving.vault_url or "")

    result = CliRunner().invoke(cli.app, ["projections", "rebuild", "worklist"])

    assert isinstance(result.exception, MediationError)
    assert result.exception.code == "owner-needed"
    assert "migrate" in result.exception.detail.zh


def test_the_role_that_serves_accepts_no_loss(owned: Settings, serving: Settings):
    """Going on after a loss is for the owner, and the other role is told so."""
    app = build(serving, env={})
    account_id = found_district(app, TOP, coordinator="示例统筹员").account_id
    app.close()
    assert refusal(owned.vault_url, LOST) is None
    vault = open_engine(owned.vault_url or "")
    with vault.begin() as connection:
        connection.exec_driver_sql(LOST)
    vault.dispose()
    given: dict[str, Any] = {"position": 3, "account_id": account_id, "reason": "disk-failure"}

    with pytest.raises(Unsafe) as refused:
        accept_loss(serving, **given)
    assert refused.value.code == "owner-needed"
    assert accept_loss(owned, **given).after_position == 3
    assert check(serving).losses == check(owned).losses != []


def test_a_role_that_is_not_fit_to_serve_is_refused(owned: Settings, tmp_path: Path):
    """Unknown, the owner himself, or on SQLite: each says what to do."""
    owner = make_url(owned.database_url or "").username
    for role, code in (("nobody_at_all", "role-unknown"), (owner, "role-is-owner")):
        with pytest.raises(Malformed) as refused:
            migrate_all(owned, app_role=role, at=system_clock())
        assert refused.value.code == code
    embedded = Settings(database_url=fresh_sqlite(tmp_path), data_dir=tmp_path)
    with pytest.raises(Malformed) as refused:
        migrate_all(embedded, app_role="mediation", at=system_clock())
    assert refused.value.code == "no-roles"
