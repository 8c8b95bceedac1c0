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
    expected,
    file_of,
    histories,
    history,
    reading,
    registered,
    require_kept,
    require_same_bytes,
    samples,
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
    told = expected()["events"][topic]

    require_kept(told, reading({topic: samples()[topic]}, {})["events"][topic])


@pytest.mark.parametrize("topic", sorted(set(TOPICS) & set(kernel.events())))
def test_every_current_version_is_written_as_it_was(topic):
    """The same event gives the same bytes, in the order in which fields were declared."""
    require_same_bytes(topic, samples()[topic])


def test_every_recorded_history_folds_to_the_recorded_state():
    """Replay of whole streams, no key and no vault anywhere near, gives the state on record."""
    told = expected()["states"]
    now = reading({}, {name: history(name) for name in histories()})["states"]

    assert set(told) == set(now)
    require_kept(told, now)


@pytest.mark.parametrize("name", [name for name in histories() if len(history(name)) > 1])
def test_a_history_that_lost_an_event_folds_to_another_state(name):
    """The comparison of states has teeth: each single missing event shows."""
    told = expected()["states"][name]
    events = history(name)
    for at in range(len(events)):
        twin = (*events[:at], *events[at + 1 :])
        with pytest.raises(AssertionError, match=r"changed|length|disappeared"):
            require_kept(told, reading({}, {name: twin})["states"][name])


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
        require_kept(expected()["events"][topic], reading({topic: twin}, {})["events"][topic])


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


# Recording


def test_recording_never_overwrites(tmp_path, monkeypatch, capsys):
    """What is on record stays; the freeze allows additions only."""
    written, left = record(tmp_path, overwrite=False)
    assert (len(written), left) == (len(content()), [])
    assert record(tmp_path, overwrite=False) == ([], [])

    sample = tmp_path / "case.closed@1.json"
    sample.write_bytes(b"{}")
    monkeypatch.setattr(recording, "GOLDEN", tmp_path)
    assert recording.main([]) == 1
    assert "differs, not overwritten: case.closed@1.json" in capsys.readouterr().out
    assert sample.read_bytes() == b"{}"

    assert recording.main(["--before-freeze"]) == 0
    assert sample.read_bytes() == content()["case.closed@1.json"]


def test_the_auditors_reading_may_grow_but_not_change(tmp_path):
    """A new event adds to expected.json; what stands there already is not rewritten."""
    record(tmp_path, overwrite=False)
    path = tmp_path / "expected.json"
    read = json.loads(path.read_bytes())
    less = {**read, "events": {k: v for k, v in read["events"].items() if k != "case.closed/1"}}
    path.write_text(json.dumps(less), encoding="utf-8")
    assert record(tmp_path, overwrite=False) == (["expected.json"], [])

    read["events"]["case.closed/1"]["at_body_id"] = "elsewhere"
    path.write_text(json.dumps(read), encoding="utf-8")
    assert record(tmp_path, overwrite=False) == ([], ["expected.json"])


def test_an_event_that_the_story_does_not_tell_is_named(registries):
    """Recording is refused until the new event is told in a story."""

    class Untold(MadeUp, frozen=True, kw_only=True):
        """A made-up event of the project."""

    Untold.__module__ = "mediation.case.intake"
    stored_as("case.untold")(Untold)
    evolves(Untold)(lambda state, event: state)

    with pytest.raises(LookupError, match=r"case\.untold/1"):
        content()
