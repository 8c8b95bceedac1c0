"""What a look through a whole log finds: what stands there, and each thing that can be wrong."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from mediation.store import Log, open_engine
from mediation.store.codec import leaf_hash
from mediation.store.inspection import Holding, inspect
from mediation.store.vault import Vault, migrate_vault
from tests.wiring import BODIES, MORNING, an_office, vault_beside

TRIGGERS = {"triggers-missing"}
LAST = "WHERE position = (SELECT max(position) FROM event)"


class Store:
    """A log with its vault, as an operator opens them."""

    def __init__(self, database: str, vault: str) -> None:
        self.engine = open_engine(database)
        self.vault_engine = open_engine(vault)
        self.log = Log(self.engine, clock=lambda: MORNING)
        self.vault = Vault(self.vault_engine, randbytes=os.urandom, now=lambda: MORNING)

    def look(self, vault: Vault | None = None, accepted: int = 0) -> tuple[Holding, set[str]]:
        """Give what stands there, and the codes of what is wrong."""
        holding, faults = inspect(self.engine, self.log, vault or self.vault, accepted=accepted)
        return holding, {it.code for it in faults}

    def alter(self, statement: str) -> None:
        """Change what is never changed, past the triggers."""
        with self.engine.begin() as connection:
            if self.engine.dialect.name == "sqlite":
                rows = connection.exec_driver_sql(
                    "SELECT name FROM sqlite_master WHERE type = 'trigger'"
                )
                for (name,) in rows.all():
                    connection.exec_driver_sql(f"DROP TRIGGER {name}")
            else:
                connection.exec_driver_sql("ALTER TABLE event DISABLE TRIGGER ALL")
            connection.exec_driver_sql(statement)

    def close(self) -> None:
        """Let go of both."""
        self.log.close()
        self.engine.dispose()
        self.vault_engine.dispose()


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """An office of two accounts: several events recorded at one moment, some of them sealed."""
    with an_office(database, bodies=BODIES[:1], roles=("lead",)):
        pass
    opened = Store(database, vault_beside(database))
    yield opened
    opened.close()


def test_a_sound_log_is_told_as_it_stands(store: Store):
    """Every figure, against plain reading; events of one moment do not go back in time."""
    holding, faults = store.look()
    whole = store.log.read(0, 1000)
    digest = hashlib.sha256(b"".join(leaf_hash(store.log.log_id, it) for it in whole))
    with store.engine.connect() as connection:
        receipts = connection.execute(sa.text("SELECT count(*) FROM receipt")).scalar_one()

    assert faults == set()
    assert holding == Holding(
        count=len(whole),
        position=len(whole),
        first_hole=None,
        head=len(whole),
        recorded_at=MORNING,
        streams=len({it.originator_id for it in whole}),
        receipts=receipts,
        digest=digest.hexdigest(),
        keys_held=2,
        keys_destroyed=0,
        keys_unknown=0,
    )


def test_how_far_it_has_come_is_told(store: Store, monkeypatch: pytest.MonkeyPatch):
    """After each batch, to the end; keys are counted once, whichever batch they are in."""
    monkeypatch.setattr("mediation.store.inspection._BATCH", 2)
    end = store.log.head().position
    told: list[tuple[int, int]] = []
    inspect(store.engine, store.log, store.vault, progress=lambda *at: told.append(at))

    assert told == [(min(at, end), end) for at in range(2, end + 2, 2)]
    assert store.look()[0].keys_held == 2


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (f"SET originator_version = originator_version + 1 {LAST}", "versions-not-dense"),
        (f"SET recorded_at = recorded_at - 1 {LAST}", "times-go-back"),
        (f"SET topic = 'case.unheard-of/1' {LAST}", "event-unreadable"),
        (f"SET topic = 'case.closed/1' {LAST}", "event-unreadable"),
    ],
)
def test_an_event_that_was_altered_is_found(store: Store, change: str, code: str):
    """Each has its own code, beside that of the triggers that had to go."""
    end = store.log.head().position
    store.alter(f"UPDATE event {change}")
    holding, faults = store.look()

    assert faults == {code} | TRIGGERS
    assert (holding.count, holding.first_hole) == (end, None)


@pytest.mark.parametrize(
    ("gone", "hole"),
    [
        ("DELETE FROM event WHERE position = 1", 1),
        ("DELETE FROM event WHERE position IN (3, 5)", 3),
        ("DELETE FROM event WHERE position = (SELECT max(position) FROM event)", 0),
    ],
)
def test_the_lowest_hole_is_told(store: Store, gone: str, hole: int):
    """Also if the last event is gone: the head knows of it."""
    end = store.log.head().position
    store.alter(gone)
    holding, faults = store.look()

    assert (holding.first_hole, holding.head) == (hole or end, end)
    assert holding.count == end - (2 if "," in gone else 1)
    assert holding.position == (end if hole else end - 1)
    assert "log-not-dense" in faults


def test_a_key_that_was_destroyed_without_an_erasure_is_found(store: Store):
    """Unless its loss was accepted: then nothing up to there is asked for."""
    kid, *_ = kids(store)
    store.vault.destroy([kid])
    holding, faults = store.look()
    assert faults == {"key-missing"}
    assert (holding.keys_held, holding.keys_destroyed, holding.keys_unknown) == (1, 1, 0)

    assert store.look(accepted=holding.position)[1] == set()
    assert store.look(accepted=1)[1] == {"key-missing"}


def test_a_vault_that_never_had_a_key_is_found(store: Store, tmp_path):
    """It is another vault, or one that is too old; what it lacks is counted."""
    engine = open_engine(f"sqlite:///{tmp_path / 'another.db'}")
    migrate_vault(engine)
    another = Vault(engine, randbytes=os.urandom, now=lambda: MORNING)
    holding, faults = store.look(another)
    engine.dispose()

    assert faults == {"vault-behind"}
    assert (holding.keys_held, holding.keys_destroyed, holding.keys_unknown) == (0, 0, 2)


def kids(store: Store) -> list[str]:
    """Name the keys of the log's events."""
    with store.vault_engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT kid FROM vault_key WHERE material IS NOT NULL"))
        known = [kid for (kid,) in rows]
    states = b"".join(it.state for it in store.log.read(0, 1000))
    return [kid for kid in known if kid.encode() in states]
