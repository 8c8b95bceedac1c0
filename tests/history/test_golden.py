"""What was stored once is read for ever: golden bytes of every event version, whole histories."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mediation import kernel
from mediation.errors import UnknownEvent
from mediation.kernel import Event, decode, encode, evolves, fold, initial_state, stored_as, upcasts
from mediation.privacy import Sealed, sealed_values
from tests.history import record as recording
from tests.history.record import content, record
from tests.history.records import (
    GOLDEN,
    expected,
    file_of,
    frozen,
    histories,
    history,
    reading,
    registered,
    released,
    require_kept,
    require_same_bytes,
    samples,
    state_read,
    topic_of,
)

TOPICS = sorted(samples())


@pytest.fixture
def registries(monkeypatch):
    """Whatever a test registers is forgotten afterwards."""
    for name in ("_EVENTS", "_EVOLUTIONS", "_INITIAL", "_UPCASTS"):
        monkeypatch.setattr(kernel, name, dict(getattr(kernel, name)))


class MadeUp(Event, frozen=True, kw_only=True):
    """Stands between the project's events and those of these tests."""


def missing() -> set[str]:
    """Name the events that are registered and have no golden bytes."""
    return set(registered()) - set(samples())


def test_every_registered_event_has_golden_bytes(registries):
    """No event is released without its bytes on record; a new one is found at once."""
    assert missing() == set()

    class NewEvent(MadeUp, frozen=True, kw_only=True):
        """A made-up event of the project."""

    NewEvent.__module__ = "mediation.case.intake"
    stored_as("case.new-event")(NewEvent)
    assert missing() == {"case.new-event/1"}


@pytest.mark.parametrize("topic", TOPICS)
def test_every_recorded_version_is_still_read(topic):
    """Recorded bytes decode, and mean what an auditor read in them: no key lost, none changed."""
    require_kept(expected(topic), reading(topic, samples()[topic]))


@pytest.mark.parametrize("topic", sorted(set(TOPICS) & set(kernel.events())))
def test_every_current_version_is_written_as_it_was(topic):
    """The same event gives the same bytes, in the order in which fields were declared."""
    require_same_bytes(topic, samples()[topic])


@pytest.mark.parametrize("name", histories())
def test_every_recorded_history_folds_to_the_recorded_state(name):
    """Replay of whole streams, no key and no vault anywhere near, gives the state on record."""
    require_kept(expected(name), state_read(history(name)))


@pytest.mark.parametrize("name", [name for name in histories() if len(history(name)) > 1])
def test_a_history_that_lost_an_event_folds_to_another_state(name):
    """The comparison of states has teeth: each single missing event shows."""
    told = expected(name)
    events = history(name)
    for at in range(len(events)):
        twin = (*events[:at], *events[at + 1 :])
        with pytest.raises(AssertionError, match=r"changed|length|disappeared"):
            require_kept(told, state_read(twin))


def test_the_histories_hold_every_recorded_version():
    """What is read is also folded."""
    told = {event.topic for name in histories() for event in history(name)}

    assert told == set(kernel.events()) & set(TOPICS)


def test_names_of_files_and_topics_lead_to_each_other():
    """`case.escalated/1` stands in `case.escalated@1.json`."""
    assert file_of("case.escalated/1") == "case.escalated@1.json"
    assert topic_of(Path("case.escalated@1.json")) == "case.escalated/1"


def test_nothing_personal_stands_in_clear_in_any_golden_file():
    """The story's names and numbers are nowhere in what was stored."""
    stored = b"".join(samples().values())
    sealed = [
        value
        for topic, data in samples().items()
        for _path, value in sealed_values(decode(topic, data))
    ]

    assert all(isinstance(value, Sealed) for value in sealed)
    assert len(sealed) > 10
    for personal in ("小林", "13800000000", "370102200401010000", "恒街", "书面回函"):
        assert personal.encode() not in stored
        assert json.dumps(personal).strip('"').encode() not in stored


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"level"', b'"rung"'),
        (b'"GREEN"', b'"RED"'),
        (b'"oral":true', b'"oral":false'),
        (b'"branch":null,', b""),
    ],
)
def test_a_lost_key_or_a_changed_value_is_found(old, new):
    """The comparison has teeth: bytes of a broken twin do not pass."""
    topic = "case.registered/1"
    data = samples()[topic]
    twin = data.replace(old, new)
    assert twin != data

    with pytest.raises((AssertionError, UnknownEvent)):
        require_kept(expected(topic), reading(topic, twin))


def numbered(*fields: Any) -> Any:
    """Make a small event with these fields."""
    return msgspec.defstruct(
        "Numbered", fields, bases=(Event,), frozen=True, kw_only=True, module="tests"
    )


@pytest.mark.parametrize(
    ("fields", "is_kept"),
    [
        ((("sequence", int), ("weight", int, 0)), True),
        ((("weight", int, 0), ("sequence", int)), False),
        ((), False),
    ],
)
def test_a_new_field_comes_last_and_an_old_one_stays(registries, fields, is_kept):
    """A key may be added behind the others with a default; nothing is put before, nothing lost."""
    issued = decode("case-number.issued/1", samples()["case-number.issued/1"])
    envelope = {name: getattr(issued, name) for name in kernel.ENVELOPE}
    stored = encode(numbered(("sequence", int))(**envelope, sequence=1))
    stored_as("case-number.numbered")(numbered(*fields))
    if is_kept:
        require_same_bytes("case-number.numbered/1", stored)
    else:
        with pytest.raises((AssertionError, UnknownEvent)):
            require_same_bytes("case-number.numbered/1", stored)


class Inner(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an event as it was released."""

    sequence: int


class Grown(msgspec.Struct, frozen=True, kw_only=True):
    """The same part with a field put before the old one."""

    weight: int = 0
    sequence: int


class GrownWell(msgspec.Struct, frozen=True, kw_only=True):
    """The same part with a field at its end."""

    sequence: int
    weight: int = 0


@pytest.mark.parametrize(("part", "is_kept"), [(Grown, False), (GrownWell, True)])
def test_a_part_of_an_event_grows_at_its_end_too(registries, part, is_kept):
    """The order is held at every depth, not only among the event's own fields."""
    issued = decode("case-number.issued/1", samples()["case-number.issued/1"])
    envelope = {name: getattr(issued, name) for name in kernel.ENVELOPE}
    stored = encode(numbered(("parts", tuple[Inner, ...]))(**envelope, parts=(Inner(sequence=1),)))
    parts: Any = tuple
    stored_as("case-number.parted")(numbered(("parts", parts[part, ...])))
    if is_kept:
        require_same_bytes("case-number.parted/1", stored)
    else:
        with pytest.raises(AssertionError, match="before an old one"):
            require_same_bytes("case-number.parted/1", stored)


def test_an_old_version_stays_readable_through_its_upcast(registries):
    """A later version replaces the class, never the bytes: the old topic is lifted up to it."""
    issued = samples()["case-number.issued/1"]

    class NumberIssuedAnew(Event, frozen=True, kw_only=True):
        """The number with the year written out."""

        case_id: str
        issuing_body_id: str
        year: str
        sequence: int
        case_number: str

    stored_as("case-number.issued", 2)(NumberIssuedAnew)
    evolves(NumberIssuedAnew)(lambda state, event: state)
    upcasts("case-number.issued/1", "case-number.issued/2")(
        lambda fields: fields | {"year": f"{fields['year']}年"}
    )
    event = decode("case-number.issued/1", issued)

    assert (type(event), event.year) == (NumberIssuedAnew, "2026年")  # type: ignore[attr-defined]
    assert fold(initial_state("case-number"), (event,)) == initial_state("case-number")


def test_bytes_of_a_newer_release_stop_the_process():
    """An unknown topic is never skipped."""
    with pytest.raises(UnknownEvent):
        decode("case.registered/999", samples()["case.registered/1"])


# Recording and freezing


def test_nothing_that_was_released_has_changed():
    """Golden bytes, ladders, calendars, laws, codes, formulas: each file is the one released."""
    now = released()

    assert {name: now.get(name) for name in frozen()} == frozen()


def test_whatever_is_published_is_frozen():
    """A new golden file or a new version of a table is on the list with its first commit."""
    assert set(released()) - set(frozen()) == set()
    assert {Path(name).parts[-2:] for name in frozen()} >= {
        ("published", "standard-v1.toml"),
        ("published", "cn-2004-2026-v1.json"),
        ("published", "laws-v1.toml"),
        ("published", "core-v1.toml"),
        ("published", "figures-v1.toml"),
        ("golden", "case.registered@1.json"),
        ("schema", "store-1.postgresql.sql"),
    }


def test_the_tables_of_the_store_are_made_as_they_were():
    """A first step that changed would give new stores another form than old ones have."""
    for dialect in ("sqlite", "postgresql"):
        on_record = (GOLDEN / f"schema/store-1.{dialect}.sql").read_bytes()
        assert recording.schema(dialect) == on_record
        assert b"CREATE TABLE" in on_record
        assert b"is append-only" in on_record


def test_recording_never_overwrites(tmp_path, monkeypatch, capsys):
    """What is on record stays; a file that would be written otherwise is named."""
    golden, listed = tmp_path / "golden", tmp_path / "frozen"
    written, left = record(golden)
    assert (len(written), left) == (len(content()), [])
    assert record(golden) == ([], [])

    sample = golden / "case.closed@1.json"
    sample.write_bytes(b"{}")
    monkeypatch.setattr(recording, "GOLDEN", golden)
    monkeypatch.setattr(recording, "FROZEN", listed)
    assert recording.main() == 1
    assert "differs, not overwritten: case.closed@1.json" in capsys.readouterr().out
    assert sample.read_bytes() == b"{}"
    assert frozen(listed) == released()


def test_a_digest_on_record_is_never_replaced(tmp_path):
    """A new file is added to the list; one that was edited, or taken away, is named and stays."""
    folder = tmp_path / "mediation/ladder/published"
    folder.mkdir(parents=True)
    first, second = folder / "one.toml", folder / "two.toml"
    first.write_text("ref = 1", encoding="utf-8")
    listed = tmp_path / "frozen"
    assert recording.freeze(tmp_path, listed) == (["mediation/ladder/published/one.toml"], [])
    before = listed.read_text(encoding="utf-8")

    second.write_text("ref = 2", encoding="utf-8")
    first.write_text("ref = 9", encoding="utf-8")
    added, changed = recording.freeze(tmp_path, listed)
    assert added == ["mediation/ladder/published/two.toml"]
    assert changed == ["mediation/ladder/published/one.toml"]
    first.unlink()
    assert recording.freeze(tmp_path, listed) == ([], ["mediation/ladder/published/one.toml"])
    assert listed.read_text(encoding="utf-8").startswith(before)


def test_the_auditors_reading_may_grow_but_not_change(tmp_path):
    """A new field adds to what is read; what was read already still has to be there."""
    record(tmp_path)
    path = tmp_path / "read/case.closed@1.json"
    read = json.loads(path.read_bytes())
    path.write_text(json.dumps({k: v for k, v in read.items() if k != "phase"}), encoding="utf-8")
    assert record(tmp_path) == ([], [])

    path.write_text(json.dumps(read | {"at_body_id": "elsewhere"}), encoding="utf-8")
    assert record(tmp_path) == ([], ["read/case.closed@1.json"])


def test_an_event_that_the_story_does_not_tell_is_named(registries):
    """Recording is refused until the new event is told in a story."""

    class Untold(MadeUp, frozen=True, kw_only=True):
        """A made-up event of the project."""

    Untold.__module__ = "mediation.case.intake"
    stored_as("case.untold")(Untold)
    evolves(Untold)(lambda state, event: state)

    with pytest.raises(LookupError, match=r"case\.untold/1"):
        content()
