"""What a receipt remembers of a command: a keyed digest whose form is written down (ADR 0027)."""

from __future__ import annotations

import hmac
import os
from datetime import UTC, datetime
from uuid import UUID

import pytest

from mediation.errors import Unsafe
from mediation.store import open_engine
from mediation.store.sealing import Sealer
from mediation.store.vault import Vault, migrate_vault

LOG, NOTE, LI = UUID(int=7), UUID(int=21), UUID(int=32)
AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path):
    """The engine of an empty vault."""
    made = open_engine(f"sqlite:///{tmp_path / 'vault.db'}")
    migrate_vault(made)
    yield made
    made.dispose()


@pytest.fixture
def vault(engine):
    """An empty vault."""
    return Vault(engine, randbytes=os.urandom, now=lambda: AT)


@pytest.fixture
def sealer(vault):
    """A sealer over the empty vault."""
    return Sealer(vault, LOG)


def test_a_receipt_digest_is_keyed_and_bound(sealer, engine):
    """The same body gives the same digest in every process of this store, and only there."""
    digest = sealer.body_mac("write-note", NOTE, b"{}")
    beside = Sealer(Vault(engine, randbytes=os.urandom, now=lambda: AT), LOG)

    assert len(digest) == 32
    assert beside.body_mac("write-note", NOTE, b"{}") == digest
    others: list[tuple[str, UUID | None, bytes]] = [
        ("write-note", NOTE, b"{ }"),
        ("write-note", LI, b"{}"),
        ("write", NOTE, b"-note{}"),
        ("write-note", None, NOTE.bytes),
    ]
    assert digest not in [sealer.body_mac(*other) for other in others]


def test_the_digest_of_a_receipt_is_what_the_record_says(sealer, vault):
    """ADR 0027: tag, command, stream and body, each behind its length, under the secret."""
    body = b'{"party_id":"00000000-0000-0000-0000-000000000001"}'

    def of(*parts):
        message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.digest(vault.secret("receipt"), message, "sha256")

    assert sealer.body_mac("ask-consent", NOTE, body) == of(
        b"mediation/receipt/1", b"ask-consent", NOTE.bytes, body
    )
    assert sealer.body_mac("register-case", None, body) == of(
        b"mediation/receipt/1", b"register-case", b"", body
    )
    assert sealer.content_mac("row", body) == of(b"mediation/content/1", b"row", body)


def test_a_vault_without_the_key_of_receipts_is_found_out(sealer):
    """A new one would make every receipt look like another request; none is made on the quiet."""
    with pytest.raises(Unsafe) as refused:
        sealer.require_receipt_key()
    assert refused.value.code == "receipt-key-missing"

    sealer.body_mac("ask-consent", NOTE, b"{}")
    sealer.require_receipt_key()
