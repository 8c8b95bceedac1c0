"""Keys, envelopes and their erasure on both databases, and the hunt for what escaped sealing."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa
from eventsourcing.persistence import StoredEvent

from mediation import kernel
from mediation.errors import KeyMissing, OutcomeUnknown, Unsafe
from mediation.kernel import Event, encode, evolves, starts_as, stored_as
from mediation.privacy import Purpose, Sealed, Unsealed, sealed_values
from mediation.store import Log, StreamEvent, open_engine, writing
from mediation.store.sealing import Place, Sealer
from mediation.store.vault import Vault, migrate_vault
from tests.canary import Found, find_in_bytes, find_in_database, find_in_folder
from tests.conftest import DISTRICT, Clock

ROOT = Path(__file__).parents[2]
LOG, OTHER_LOG = UUID(int=7), UUID(int=8)
NOTE, OTHER_NOTE = UUID(int=21), UUID(int=22)
ZHANG, LI = UUID(int=31), UUID(int=32)
MORNING = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)

NAME, ID_NUMBER, PHONE = "欧阳测试甲", "11010119900307963X", "13900001234"
CANARIES = (NAME, ID_NUMBER, PHONE)


class NoteWritten(Event, frozen=True, kw_only=True):
    """Somebody wrote a note about people."""

    name: Sealed
    papers: tuple[Sealed, ...]
    phone: Sealed | None = None
    level: str = "township"


class NoteWrittenCarelessly(Event, frozen=True, kw_only=True):
    """The broken twin: the same, but one field was left in clear."""

    name: Sealed
    papers: tuple[Sealed, ...]
    phone: str
    level: str = "township"


class HandsOutBeforeCommit(Vault):
    """A broken twin: its keys would become durable later."""

    def _store(self, block: list[tuple[str, bytes]]) -> None:
        """Leave the block to the next flush, which never comes."""


class LeavesTheJournal(Vault):
    """A broken twin: it takes the key out of the table and out of nothing else."""

    def _truncate_wal(self) -> None:
        """Leave the write-ahead log as it is."""


class HandsOutTwice(Vault):
    """A broken twin: it does not take from the block what it hands out."""

    def lease(self) -> tuple[str, bytes]:
        """Hand out the last key, and leave it."""
        leased = super().lease()
        self._leased.append(leased)
        return leased


@pytest.fixture
def vault_url(database: str) -> str:
    """Where the vault of this test is: beside the log's file, or in the log's database."""
    return f"{database}-vault.db" if database.startswith("sqlite") else database


@pytest.fixture
def engine(vault_url: str) -> Iterator[sa.Engine]:
    """The engine of an empty vault."""
    with engine_of(vault_url) as made:
        migrate_vault(made)
        yield made


@pytest.fixture
def vault(engine, clock) -> Vault:
    """An empty vault."""
    return Vault(engine, randbytes=os.urandom, now=clock)


@pytest.fixture
def sealer(vault) -> Sealer:
    """A sealer over the empty vault."""
    return Sealer(vault, LOG)


@pytest.fixture
def notes(monkeypatch) -> None:
    """The kernel knows the notes of these tests, and only during them."""
    for registry in ("_EVENTS", "_EVOLUTIONS", "_INITIAL"):
        monkeypatch.setattr(kernel, registry, dict(getattr(kernel, registry)))
    starts_as("note", ())
    for event_type, topic in ((NoteWritten, "note.written"), (NoteWrittenCarelessly, "note.bare")):
        stored_as(topic)(event_type)
        evolves(event_type)(lambda state, event: (*state, (event.level, event.name)))


@contextmanager
def engine_of(url: str) -> Iterator[sa.Engine]:
    """Open an engine for a while."""
    made = open_engine(url)
    try:
        yield made
    finally:
        made.dispose()


def envelope() -> dict[str, object]:
    """The envelope fields of an event."""
    random_id = UUID(bytes=os.urandom(16))
    return {
        "event_id": random_id,
        "district": DISTRICT,
        "occurred_at": MORNING,
        "decided_at": MORNING,
        "actor_id": random_id,
        "role": "mediator",
        "body_id": None,
        "on_behalf_of_id": None,
        "command_id": random_id,
        "causation_id": None,
        "correlation_id": random_id,
        "reason_code": None,
        "legal_basis": None,
    }


def a_note(name: str = NAME, *, subject_id: UUID = ZHANG) -> NoteWritten:
    """A fresh note, not sealed yet."""
    fields = {
        "name": Unsealed(subject_id, Purpose.IDENTITY, name),
        "papers": (
            Unsealed(subject_id, Purpose.IDENTITY, ID_NUMBER),
            Unsealed(LI, Purpose.IDENTITY, ID_NUMBER),
        ),
        "phone": Unsealed(subject_id, Purpose.CONTACT, PHONE),
    }
    return NoteWritten(**envelope(), **fields)  # type: ignore[arg-type]


def stored(
    event: Event, *, stream_id: UUID = NOTE, version: int = 1, topic: str = ""
) -> StoredEvent:
    """An event as the log gives it back, in its own place or in another."""
    return StoredEvent(stream_id, version, topic or event.topic, encode(event))


def append(log: Log, *events: Event) -> None:
    """Append the events of one command to the note."""
    version = log.versions([NOTE])[NOTE]
    log.save(*(StreamEvent(NOTE, version + n, event) for n, event in enumerate(events, start=1)))


def nobody(_subject_id: UUID) -> bool:
    """Nobody was erased."""
    return False


def kids(event: Event) -> set[str]:
    """The names of all keys in an event."""
    return {sealed.kid for _, sealed in sealed_values(event)}


# Sealing and opening


def test_a_note_that_was_sealed_opens_again(notes, sealer):
    """Every value of a stored event comes back under its stored path."""
    event = stored(sealer.seal(a_note(), stream_id=NOTE, version=1))

    opened = sealer.open_event(event, erased=nobody)

    assert opened == {"name": NAME, "papers.0": ID_NUMBER, "papers.1": ID_NUMBER, "phone": PHONE}
    assert find_in_bytes(event.state, CANARIES) == []


def test_an_event_that_was_not_sealed_has_no_stored_form(notes, sealer):
    """The encoder refuses it; the broken twin, whose field is plain text, would get through."""
    with pytest.raises(TypeError):
        encode(a_note())

    assert find_in_bytes(encode(carelessly(sealer, 1)), CANARIES)


def test_a_folded_state_finds_its_clear_values(notes, sealer, log):
    """State holds envelopes without their places; one reading of the stream opens them all."""
    append(log, *sealer.seal_decision([(NOTE, 1, a_note("张三丰")), (NOTE, 2, a_note("李四光"))]))

    version, state = log.fold(NOTE, "note")
    opened = sealer.open_events(log.events_of(NOTE), erased=nobody)

    assert version == 2
    assert [opened[name] for _, name in state] == ["张三丰", "李四光"]


def test_a_decision_has_one_key_for_each_subject_and_purpose(notes, sealer):
    """Keys are shared inside one decision, never beyond it, and no nonce comes twice."""
    one = sealer.seal_decision([(NOTE, 1, a_note()), (OTHER_NOTE, 5, a_note())])
    again = sealer.seal_decision([(NOTE, 1, a_note()), (OTHER_NOTE, 5, a_note())])
    envelopes = [sealed for event in (*one, *again) for _, sealed in sealed_values(event)]

    assert kids(one[0]) == kids(one[1])
    assert len(kids(one[0])) == len({(s.subject_id, s.purpose) for s in envelopes}) == 3
    assert kids(one[0]).isdisjoint(kids(again[0]))
    assert len({sealed.nonce for sealed in envelopes}) == len(envelopes)


@pytest.mark.parametrize(
    "elsewhere",
    [{"stream_id": OTHER_NOTE}, {"version": 2}, {"topic": "note.written/2"}],
    ids=["stream", "version", "topic"],
)
def test_an_event_moved_to_another_place_does_not_open(notes, sealer, elsewhere):
    """Copied to another stream, version or topic, its values are an alarm, not an answer."""
    event = sealer.seal(a_note(), stream_id=NOTE, version=1)

    assert sealer.open_event(stored(event), erased=nobody)["name"] == NAME
    with pytest.raises(Unsafe) as alarm:
        sealer.open_event(stored(event, **elsewhere), erased=nobody)
    assert alarm.value.code == "seal-broken"


def test_a_value_moved_to_another_field_does_not_open(notes, sealer):
    """Neither does a value put into another field, nor one from another log."""
    event = sealer.seal(a_note(), stream_id=NOTE, version=1)
    swapped = msgspec.structs.replace(event, name=event.papers[0], papers=(event.name,))

    here = Place.of(stored(event))

    with pytest.raises(Unsafe):
        sealer.open_event(stored(swapped), erased=nobody)
    with pytest.raises(Unsafe):
        sealer.open(event.name, at=here, path="phone", erased=nobody)
    with pytest.raises(Unsafe):
        Sealer(sealer._vault, OTHER_LOG).open(event.name, at=here, path="name", erased=nobody)
    assert sealer.open(event.name, at=here, path="name", erased=nobody) == NAME


# Erasure


def test_a_destroyed_key_erases_and_the_event_stays(notes, sealer, vault, log):
    """After erasure her values read as erased; the log, its fold and other people's data stay."""
    event = sealer.seal(a_note(), stream_id=NOTE, version=1)
    append(log, event)
    before = log.events_of(NOTE), log.fold(NOTE, "note")
    hers = {sealed.kid for _, sealed in sealed_values(event) if sealed.subject_id == ZHANG}

    assert vault.destroy(hers) == 2
    assert vault.destroy(hers) == 0
    opened = sealer.open_event(log.events_of(NOTE)[0], erased=lambda subject: subject == ZHANG)

    assert opened == {"name": None, "papers.0": None, "papers.1": ID_NUMBER, "phone": None}
    assert (log.events_of(NOTE), log.fold(NOTE, "note")) == before


def test_an_event_folds_with_an_empty_vault(notes, sealer, engine, log):
    """With every key of everybody gone the stream still decodes and folds as before."""
    append(log, sealer.seal(a_note(), stream_id=NOTE, version=1))
    before = log.fold(NOTE, "note")
    with writing(engine) as connection:
        connection.exec_driver_sql("DELETE FROM vault_key")

    assert log.fold(NOTE, "note") == before
    assert log.decoded(log.events_of(NOTE)[0]).event.level == "township"


def test_an_erasure_on_record_hides_at_once(notes, sealer):
    """From the record of the erasure on nothing is shown, though the key is not destroyed yet."""
    event = stored(sealer.seal(a_note(), stream_id=NOTE, version=1))

    assert set(sealer.open_event(event, erased=lambda _: True).values()) == {None}


@pytest.mark.parametrize("loss", ["destroyed", "deleted", "never here"])
def test_a_missing_key_without_an_erasure_is_an_alarm(notes, vault, engine, clock, loss):
    """A key that is gone for no recorded reason stops the reading and tells what to do."""
    event = Sealer(vault, LOG).seal(a_note(), stream_id=NOTE, version=1)
    if loss == "destroyed":
        vault.destroy(kids(event))
    elif loss == "deleted":
        with engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM vault_key"))
    else:
        event = msgspec.structs.replace(event, name=msgspec.structs.replace(event.name, kid="?"))
    fresh = Sealer(Vault(engine, randbytes=os.urandom, now=clock), LOG)

    with pytest.raises(KeyMissing, match="no erasure"):
        fresh.open_event(stored(event), erased=nobody)


def test_a_swapped_key_is_an_alarm(engine, vault, clock):
    """The name of a key commits to it: other bytes under that name are noticed."""
    kid, _key = vault.lease()
    with engine.begin() as connection:
        change = sa.text("UPDATE vault_key SET material = :key WHERE kid = :kid")
        connection.execute(change, {"key": bytes(32), "kid": kid})

    with pytest.raises(Unsafe) as alarm:
        Vault(engine, randbytes=os.urandom, now=clock).key(kid)
    assert alarm.value.code == "key-altered"


def leftover_of_a_destroyed_key(kind: type[Vault], folder: Path) -> list[str]:
    """Destroy a key, and name the files of the vault that still hold it."""
    folder.mkdir()
    with engine_of(f"sqlite:///{folder / 'vault.db'}") as made:
        migrate_vault(made)
        vault = kind(made, randbytes=os.urandom, now=Clock(MORNING))
        kid, key = vault.lease()
        vault.destroy([kid])
        return [file.name for file in folder.iterdir() if key in file.read_bytes()]


def test_no_file_of_the_vault_keeps_a_destroyed_key(tmp_path):
    """Table pages are overwritten and the journal is cut; the twin that forgets it is caught."""
    assert leftover_of_a_destroyed_key(Vault, tmp_path / "sound") == []
    assert leftover_of_a_destroyed_key(LeavesTheJournal, tmp_path / "broken") == ["vault.db-wal"]


def test_a_reader_in_the_way_is_told(tmp_path):
    """While somebody still reads the journal it cannot be cut: the caller learns to call again."""
    with engine_of(f"sqlite:///{tmp_path / 'vault.db'}") as made:
        sa.event.listen(made, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout = 10"))
        migrate_vault(made)
        vault = Vault(made, randbytes=os.urandom, now=Clock(MORNING))
        kid, _key = vault.lease()
        with made.connect() as reader:
            reader.exec_driver_sql("SELECT count(*) FROM vault_key").all()
            with pytest.raises(OutcomeUnknown):
                vault.destroy([kid])
        assert vault.destroy([kid]) == 0
        assert (tmp_path / "vault.db-wal").stat().st_size == 0


# Leases


def lease_and_die(url: str, kind: str) -> None:
    """Lease three keys, tell them, and be killed with the rest of the block unused."""
    vaults: dict[str, type[Vault]] = {"sound": Vault, "broken": HandsOutBeforeCommit}
    with engine_of(url) as made:
        vault = vaults[kind](made, randbytes=os.urandom, now=Clock(MORNING), block=8)
        for _ in range(3):
            kid, key = vault.lease()
            sys.stdout.write(f"{kid} {key.hex()}\n")
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def keys_lost_by_a_kill(engine: sa.Engine, kind: str) -> int:
    """Let a process be killed after leasing, and count its keys that nobody can find again."""
    call = f"from {__name__} import lease_and_die as f; import sys; f(*sys.argv[1:])"
    url = engine.url.render_as_string(hide_password=False)
    child = subprocess.run(
        [sys.executable, "-c", call, url, kind],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    leased = dict(line.split() for line in child.stdout.splitlines())
    assert len(leased) == 3
    found = Vault(engine, randbytes=os.urandom, now=Clock(MORNING)).keys(list(leased))
    return sum(key is None or key.hex() != leased[kid] for kid, key in found.items())


def test_a_leased_key_outlives_its_process(engine):
    """Keys are durable before they are handed out; the twin that commits later loses them."""
    assert keys_lost_by_a_kill(engine, "sound") == 0
    assert keys_lost_by_a_kill(engine, "broken") == 3


def test_keys_nobody_used_are_harmless(engine, vault):
    """After a kill between minting and use the next process leases other keys."""
    keys_lost_by_a_kill(engine, "sound")
    with engine.connect() as connection:
        left = set(connection.execute(sa.text("SELECT kid FROM vault_key")).scalars())

    assert len(left) == 8
    assert left.isdisjoint(vault.lease()[0] for _ in range(20))


def leased_twice(engine: sa.Engine, kind: type[Vault]) -> int:
    """Lease from two vaults in eight threads at once; count the keys given out more than once."""
    vaults = [kind(engine, randbytes=os.urandom, now=Clock(MORNING), block=32) for _ in range(2)]
    leased: list[str] = []
    threads = [
        threading.Thread(target=lambda v=v: leased.extend(v.lease()[0] for _ in range(100)))
        for v in vaults * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(leased) == 800
    return len(leased) - len(set(leased))


def test_no_key_is_handed_out_twice(engine):
    """Two vaults and eight threads never share a key; the twin that forgets to take it does."""
    assert leased_twice(engine, Vault) == 0
    assert leased_twice(engine, HandsOutTwice) > 0


def test_a_random_source_that_repeats_itself_is_refused(engine, clock):
    """Two vaults with the same random numbers do not get the same keys: the second stops."""
    Vault(engine, randbytes=random.Random(1).randbytes, now=clock).lease()

    with pytest.raises(Unsafe) as refusal:
        Vault(engine, randbytes=random.Random(1).randbytes, now=clock).lease()
    assert refusal.value.code == "randomness-repeated"


# The cache, the secret, the file


@pytest.mark.parametrize(
    "forget",
    [
        lambda vault, clock, kid: vault.purge([kid]),
        lambda vault, clock, kid: clock.advance(timedelta(minutes=5)),
        lambda vault, clock, kid: clock.advance(-timedelta(minutes=1)),
    ],
    ids=["purged", "five minutes later", "clock set back"],
)
def test_another_process_forgets_a_destroyed_key(engine, vault, forget: Callable[..., None]):
    """What another process destroyed stays at hand for five minutes at most, or until purged."""
    clock = Clock(MORNING)
    beside = Vault(engine, randbytes=os.urandom, now=clock)
    kid, key = vault.lease()
    assert beside.key(kid) == key
    vault.destroy([kid])
    assert vault.key(kid) is None
    assert beside.key(kid) == key

    forget(beside, clock, kid)

    assert beside.key(kid) is None


def test_a_key_read_while_it_is_destroyed_is_not_kept(engine, vault, clock):
    """A reading that overlaps a purge answers, but leaves nothing behind in the cache."""
    kid, key = vault.lease()
    beside = Vault(engine, randbytes=os.urandom, now=clock)
    beside.purge(["another"])

    def purge(*_: object) -> None:
        beside.purge([kid])

    sa.event.listen(engine, "after_cursor_execute", purge)
    try:
        assert beside.key(kid) == key
    finally:
        sa.event.remove(engine, "after_cursor_execute", purge)
    vault.destroy([kid])
    assert beside.key(kid) is None


def test_the_cache_is_bounded(engine, clock, monkeypatch):
    """The key used longest ago leaves first; it is found again in the database."""
    monkeypatch.setattr("mediation.store.vault.CACHED_KEYS", 2)
    vault = Vault(engine, randbytes=os.urandom, now=clock)
    (first, key), (second, _), (third, _) = (vault.lease() for _ in range(3))

    assert list(vault._recent._keys) == [second, third]
    assert vault.key(first) == key
    assert list(vault._recent._keys) == [third, first]


def test_many_keys_are_found_at_once(engine, vault, clock):
    """More keys than one question may hold are still all found, and unknown names are None."""
    leased = dict(vault.lease() for _ in range(1100))
    found = Vault(engine, randbytes=os.urandom, now=clock).keys([*leased, "unknown"])

    assert found == {**leased, "unknown": None}
    assert vault.destroy(leased) == len(leased)
    assert vault.fates([*leased, "unknown"]) == dict.fromkeys(leased, False)


def test_a_secret_is_made_once(engine, vault, clock):
    """Every process of the store gets the same 32 bytes, also when two ask first together."""
    beside = Vault(engine, randbytes=os.urandom, now=clock)
    beside._write_secret("receipt")
    beside._write_secret("receipt")

    assert vault.secret("receipt") == beside.secret("receipt") == vault.secret("receipt")
    assert len(vault.secret("receipt")) == 32
    assert vault.secret("other") != vault.secret("receipt")


def test_only_the_owner_may_read_the_file_of_the_vault(tmp_path):
    """The file is made with mode 0600, its journal too; a file that others may read is refused."""
    file = tmp_path / "vault.db"
    with engine_of(f"sqlite:///{file}") as made:
        migrate_vault(made)
        Vault(made, randbytes=os.urandom, now=Clock(MORNING)).lease()
        assert {stat.S_IMODE(f.stat().st_mode) for f in tmp_path.iterdir()} == {0o600}
        assert len(list(tmp_path.iterdir())) == 3
        for mode in (0o640, 0o604):
            file.chmod(mode)
            with pytest.raises(Unsafe) as refusal:
                Vault(made, randbytes=os.urandom, now=Clock(MORNING))
            assert refusal.value.code == "vault-readable"


def test_sqlite_overwrites_and_syncs_on_every_connection(tmp_path):
    """Whoever made the engine: each connection of the vault overwrites what it deletes."""
    with engine_of(f"sqlite:///{tmp_path / 'vault.db'}") as made:
        migrate_vault(made)
        with made.connect() as connection:
            answers = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("secure_delete", "synchronous", "journal_mode")
            ]

    assert answers == [1, 2, "wal"]


# The hunt


def carelessly(sealer: Sealer, version: int) -> Event:
    """A sealed note of the broken twin: its phone is in clear."""
    note = a_note()
    fields = {field: getattr(note, field) for field in note.__struct_fields__}
    bare = NoteWrittenCarelessly(**{**fields, "phone": PHONE})
    return sealer.seal(bare, stream_id=NOTE, version=version)


def found_anywhere(*urls: str) -> list[Found]:
    """Search all tables of these databases, and on SQLite every file around them."""
    found = [hit for url in urls for hit in find_in_database(url, CANARIES)]
    if urls[0].startswith("sqlite"):
        found += find_in_folder(Path(urls[0].removeprefix("sqlite:///")).parent, CANARIES)
    return found


def test_nothing_that_is_stored_gives_a_person_away(notes, sealer, log, database, vault_url):
    """No table, file or journal holds a canary in any form; one careless field is found."""
    for version in range(1, 6):
        event = sealer.seal(a_note(), stream_id=NOTE, version=version)
        append(log, event)
        sealer.body_mac("write-note", NOTE, encode(event))
    assert found_anywhere(database, vault_url) == []

    append(log, carelessly(sealer, 6))
    found = found_anywhere(database, vault_url)
    assert {hit.canary for hit in found} == {PHONE}
    assert any(hit.where.endswith("event.state") for hit in found)
