"""Golden histories read from a log beside which there is no key: erasure takes no fact away."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from uuid import UUID, uuid5

import msgspec
import pytest

from api.routes.replay import step_shown
from mediation.audit import replay
from mediation.errors import KeyMissing
from mediation.kernel import kind_of
from mediation.privacy import sealed_values
from mediation.store import Log, migrate, open_engine
from mediation.store.codec import StreamEvent
from mediation.store.sealing import Sealer
from mediation.store.vault import Vault, migrate_vault
from projections.folding import commands
from tests.history.records import expected, histories, history, readable, require_kept
from tests.projections.test_standing import assert_same

LOG_ID = UUID("5f0c1a52-3f07-4a52-9d3e-6f6c9d1b2a44")
DISTRICT = "370102"
AT = datetime(2026, 6, 1, 1, 0, tzinfo=UTC)
CASES = [name for name in histories() if name.startswith("case") and name != "case-number"]


@pytest.fixture
def log(tmp_path):
    """A log with every golden history in it, each in a stream of its own."""
    engine = open_engine(f"sqlite:///{tmp_path / 'log.db'}")
    migrate(engine, district=DISTRICT, kind="test", log_id=LOG_ID, at=AT)
    with Log(engine, clock=lambda: AT) as opened:
        for name in histories():
            placed = enumerate(history(name), start=1)
            opened.save(*(StreamEvent(uuid5(LOG_ID, name), *it) for it in placed))
        yield opened
    engine.dispose()


@pytest.fixture
def sealer(tmp_path):
    """A sealer whose vault was lost: it holds no key."""
    engine = open_engine(f"sqlite:///{tmp_path / 'vault.db'}")
    migrate_vault(engine)
    yield Sealer(Vault(engine, randbytes=secrets.token_bytes, now=lambda: AT), LOG_ID)
    engine.dispose()


def test_every_history_folds_from_the_log_to_the_recorded_state(log):
    """What an auditor read when it was recorded is what a log without any key gives."""
    for name in histories():
        told = history(name)
        version, state = log.fold(uuid5(LOG_ID, name), kind_of(told[0].topic))

        assert version == len(told)
        require_kept(expected(name), readable(state))


@pytest.mark.parametrize("name", CASES)
def test_a_read_model_follows_without_a_key(log, name):
    """The rows of a case are what the case is, also when nobody can open a name any more."""
    stream_id = uuid5(LOG_ID, name)
    told = [it for it in log.read(0, 10_000) if it.originator_id == stream_id]
    ((_end, touched),) = commands(told, lambda _ids: {})
    (standing,) = touched.values()

    assert_same(standing, log.fold(stream_id, "case")[1])


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_replayed_without_a_key_and_without_an_envelope(log, name):
    """Every event has its step; of what is sealed it is told that it is, and nothing else."""
    stored = log.events_of(uuid5(LOG_ID, name))
    shown = [step_shown(it) for it in replay(stored, log.log_id)]
    texts = msgspec.json.encode(shown)
    envelopes = [it for event in history(name) for _, it in sealed_values(event)]

    assert len(shown) == len(history(name))
    assert envelopes
    assert b'"sealed":true' in texts
    assert not [it for it in envelopes if it.ct.encode() in texts or it.kid.encode() in texts]


@pytest.mark.parametrize("name", CASES)
def test_what_is_sealed_reads_as_erased_only_if_the_log_says_so(log, sealer, name):
    """With a recorded erasure there is nothing to read; without one a missing key is an alarm."""
    registered = log.events_of(uuid5(LOG_ID, name))[0]
    opened = sealer.open_event(registered, erased=lambda _subject: True)

    assert opened
    assert set(opened.values()) == {None}
    with pytest.raises(KeyMissing):
        sealer.open_event(registered, erased=lambda _subject: False)
