"""The registries, the envelope, and the way between events and stored bytes."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, ClassVar
from uuid import UUID

import msgspec
import pytest

from mediation import kernel
from mediation.errors import Malformed, UnknownEvent
from mediation.kernel import (
    ENVELOPE,
    Actor,
    Command,
    Decision,
    Event,
    Facts,
    StreamRef,
    aware,
    check_registries,
    command_named,
    commands,
    decides,
    decode,
    encode,
    events,
    evolve,
    evolves,
    fold,
    handled,
    initial_state,
    kebab,
    kind_of,
    read_body,
    read_command,
    starts_as,
    stored_as,
    upcast_chains,
    upcasts,
)
from mediation.privacy import Personal, Purpose, Unsealed, personal_from_json
from tests.history.records import GOLDEN, file_of
from tests.scenario import DISTRICT, an_id, moment

NOTES = StreamRef("note", an_id("note"))


@pytest.fixture(autouse=True)
def registries(monkeypatch):
    """Whatever a test registers is forgotten afterwards; one small stream kind is there."""
    for name in ("_COMMANDS", "_EVENTS", "_EVOLUTIONS", "_INITIAL", "_UPCASTS"):
        monkeypatch.setattr(kernel, name, dict(getattr(kernel, name)))
    starts_as("note", ())
    stored_as("note.written")(NoteWritten)
    evolves(NoteWritten)(lambda state, event: (*state, event.text))


class NoteWritten(Event, frozen=True, kw_only=True):
    """Somebody wrote a note."""

    text: str


class WriteNote(Command, frozen=True, kw_only=True):
    """Write a note."""

    stream_kind: ClassVar[str] = "note"

    text: str


def facts(**changes: Any) -> Facts:
    """Make the facts of a decision on the note."""
    at = moment("2026-03-02T09:00+08:00")
    fields: dict[str, Any] = {
        "at": at,
        "actor": Actor(actor_id=an_id("clerk"), role="clerk", body_id="hengjie"),
        "district": DISTRICT,
        "stream": NOTES,
        "command_id": an_id("command"),
        "correlation_id": an_id("correlation"),
        "seed": an_id("seed"),
        "occurred_at": at - timedelta(hours=1),
    }
    return Facts(**(fields | changes))


def written(text: str = "记录", **changes: Any) -> NoteWritten:
    """Make an event."""
    return NoteWritten(**(facts().stamp(NoteWritten) | {"text": text} | changes))


def a_class(*fields: tuple[str, Any], **options: Any) -> Any:
    """Make an event class with these fields."""
    chosen: dict[str, Any] = {"frozen": True, "kw_only": True} | options
    return msgspec.defstruct("MadeUp", fields, bases=(Event,), module="tests", **chosen)


# Names and registries


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RequestCustodyMove", "request-custody-move"),
        ("Close", "close"),
        ("Say2Words", "say2-words"),
    ],
)
def test_a_command_is_called_by_its_class_name_in_kebab_case(name, expected):
    """The name in addresses follows from the class."""
    assert kebab(name) == expected


def test_a_topic_says_to_which_kind_of_stream_it_belongs():
    """The part before the first dot, also where the kind has a hyphen."""
    assert kind_of("case-number.issued/1") == "case-number"


def test_a_command_is_found_by_name_and_by_object():
    """One registration: class, decider, and the streams it reads."""

    def other(command, facts):
        return (StreamRef("note", command.other_id),)

    @decides(WriteNote)
    def write_note(state, command, facts):
        return Decision.of(facts.stream, written(command.text))

    registered = command_named("write-note")
    assert registered is not None
    assert registered == handled(WriteNote(text="x")) == commands()["write-note"]
    assert registered.command_type is WriteNote
    assert registered.decide((), WriteNote(text="x"), facts()).on(NOTES) == (written("x"),)
    assert registered.reads(WriteNote(text="x"), facts()) == ()
    assert command_named("no-such-command") is None
    assert not WriteNote.is_fact
    assert not WriteNote.creates


def test_commands_and_events_are_listed_by_name():
    """Whoever walks the registries walks them in one order."""
    assert list(commands()) == sorted(commands())
    assert list(events()) == sorted(events())


@pytest.mark.parametrize(
    "register",
    [
        lambda: stored_as("note.written")(NoteWritten),
        lambda: evolves(NoteWritten)(lambda state, event: state),
        lambda: starts_as("note", ()),
        lambda: [upcasts("note.old/1", "note.written/1")(dict) for _ in range(2)],
        lambda: [decides(WriteNote)(lambda *_: None) for _ in range(2)],
    ],
)
def test_nothing_is_registered_twice(register):
    """A second topic, evolution, initial state, upcast or decider would hide the first."""
    with pytest.raises(TypeError, match=r"twice|two"):
        register()


def test_a_topic_carries_its_version():
    """The class knows the name it is stored under."""
    later = stored_as("note.written", version=2)(a_class(("text", str)))

    assert (later.topic, later.topic_version) == ("note.written/2", 2)
    assert events()["note.written/2"] is later


# Facts and decisions


def test_the_envelope_is_stamped_from_the_facts():
    """Who, when, by which command and why: told by the door, copied into every event."""
    event = written(reason_code=None)
    given = facts()

    assert NoteWritten.__struct_fields__[: len(ENVELOPE)] == ENVELOPE
    assert event.event_id == given.event_id(NoteWritten)
    assert (event.occurred_at, event.decided_at) == (given.occurred_at, given.at)
    assert (event.actor_id, event.role, event.body_id) == (an_id("clerk"), "clerk", "hengjie")
    assert (event.command_id, event.correlation_id) == (given.command_id, given.correlation_id)
    coded = given.stamp(NoteWritten, reason_code="typo", legal_basis="L-PROV 22")
    assert (coded["reason_code"], coded["legal_basis"]) == ("typo", "L-PROV 22")


def test_ids_come_from_the_seed():
    """A decider is pure: the same seed and label give the same id, anything else another."""
    assert facts().new_id("a") == facts().new_id("a")
    assert len({facts().new_id("a"), facts().new_id("b")}) == 2
    assert facts(seed=an_id("other")).new_id("a") != facts().new_id("a")


def test_decisions_chain_and_keep_the_order():
    """One decision may write several streams; what is on one of them stays in order."""
    other = StreamRef("note", an_id("other"))
    decision = Decision.of(NOTES, written("1")).then(Decision.of(other, written("2")))
    decision = decision.then(Decision.of(NOTES, written("3")))

    assert [event.text for event in decision.on(NOTES)] == ["1", "3"]  # type: ignore[attr-defined]
    assert [ref for ref, _ in decision.events] == [NOTES, other, NOTES]


def test_folding_is_evolving_one_by_one():
    """The state after several events is the state after each in turn."""
    state = initial_state("note")
    for text in ("1", "2"):
        state = evolve(state, written(text))

    assert state == fold(initial_state("note"), [written("1"), written("2")]) == ("1", "2")


# Time


def test_a_time_without_a_zone_is_refused():
    """Nobody guesses which nine o'clock was meant."""
    with pytest.raises(Malformed) as caught:
        aware(datetime(2026, 3, 2, 9, 0))  # noqa: DTZ001 - the naive time is the point
    assert caught.value.code == "naive-time"

    beijing = datetime(2026, 3, 2, 9, 0, tzinfo=timezone(timedelta(hours=8)))
    assert aware(beijing) == datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
    assert aware(beijing).tzinfo is UTC


@pytest.mark.parametrize("field", ["occurred_at", "decided_at"])
def test_stored_bytes_with_a_naive_time_are_refused(field):
    """A time without a zone does not come back at all, so the door never stores it."""
    naive = datetime(2026, 3, 2, 9, 0)  # noqa: DTZ001 - the naive time is the point
    data = encode(msgspec.structs.replace(written(), **{field: naive}))

    with pytest.raises(UnknownEvent):
        decode("note.written/1", data)


# Bytes


@pytest.mark.parametrize("topic", sorted(events()))
def test_every_event_comes_back_as_it_went(topic):
    """decode(encode(event)) == event, for every event class, from its golden sample."""
    event = decode(topic, (GOLDEN / file_of(topic)).read_bytes())

    assert decode(topic, encode(event)) == event
    assert type(event) is events()[topic]


def test_stored_bytes_are_json_in_declared_order():
    """The envelope first, then the event's own fields; UTF-8, nothing escaped."""
    data = encode(written("调解"))

    assert list(msgspec.json.decode(data)) == [*ENVELOPE, "text"]
    assert "调解".encode() in data


def test_what_is_not_sealed_cannot_be_encoded():
    """Personal data in clear never reaches the log (ADR 0004)."""
    for value in (Unsealed(UUID(int=1), Purpose.IDENTITY, "某"), Personal("某")):
        with pytest.raises(TypeError):
            encode(written(value))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields | {"surplus": 1},
        lambda fields: {k: v for k, v in fields.items() if k != "text"},
        lambda fields: fields | {"text": 7},
    ],
)
def test_bytes_of_another_shape_are_refused(change):
    """An unknown field, a missing one and one of another type are faults, never guessed over."""
    fields = msgspec.json.decode(encode(written()))
    assert decode("note.written/1", msgspec.json.encode(fields)) == written()

    with pytest.raises(UnknownEvent):
        decode("note.written/1", msgspec.json.encode(change(fields)))


def test_bytes_that_a_newer_release_wrote_are_told_as_such():
    """One field more, or a code that is not known yet: the operator is told to upgrade, and where.

    No value is repeated: it may be a person's.
    """
    fields = msgspec.json.decode(encode(written()))
    with pytest.raises(UnknownEvent) as caught:
        decode("note.written/1", msgspec.json.encode(fields | {"mood": "王建国"}))

    told = caught.value.detail
    assert "note.written/1" in told.en
    assert "unknown-field" in told.en
    assert "upgrade" in told.en
    assert "升级" in told.zh
    assert "王建国" not in told.zh + told.en


def test_a_topic_of_a_newer_release_stops_the_process_and_says_what_to_do():
    """An unknown version is never skipped; the operator is told to upgrade."""
    with pytest.raises(UnknownEvent) as caught:
        decode("note.written/2", encode(written()))

    assert "note.written/2" in caught.value.detail.en
    assert "Upgrade" in caught.value.detail.en
    assert "升级" in caught.value.detail.zh


def test_old_versions_are_lifted_step_by_step():
    """Each upcast knows only its next version; the chain leads to the current one."""
    last = a_class(("text", str), ("length", int), ("kind", str))
    stored_as("note.told", version=3)(last)
    upcasts("note.told/1", "note.told/2")(lambda f: f | {"length": len(f["text"])})
    upcasts("note.told/2", "note.told/3")(lambda f: f | {"kind": "plain"})
    evolves(last)(lambda state, event: state)
    check_registries()
    event: Any = decode("note.told/1", encode(written("四个字吗")))

    assert set(upcast_chains()) >= {"note.told/1", "note.told/2"}
    assert type(event) is last
    assert (event.text, event.length, event.kind) == ("四个字吗", 4, "plain")
    assert event.occurred_at == written().occurred_at


def test_a_superseded_class_that_is_still_there_is_lifted_too():
    """A topic with an upcast is read through it, even while its old class exists."""
    current = stored_as("note.written", version=2)(a_class(("words", str)))
    upcasts("note.written/1", "note.written/2")(
        lambda f: {k: v for k, v in f.items() if k != "text"} | {"words": f["text"]}
    )

    assert type(decode("note.written/1", encode(written()))) is current


# Commands from JSON


class Word(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One word, how often, and for what."""

    text: Annotated[str, msgspec.Meta(pattern="^[a-z]+$")]
    times: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1
    purpose: Purpose = Purpose.IDENTITY


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """When something was said, and until when it is to be done."""

    said_at: datetime | None = None
    due_on: date | None = None


class Tell(Command, frozen=True, kw_only=True):
    """Tell something about somebody."""

    name: Personal
    said: tuple[Said, ...] = ()
    words: Annotated[tuple[Word, ...], msgspec.Meta(max_length=2)] = ()


def from_json(wanted: type, value: Any) -> Any:
    """Make what JSON does not know."""
    if wanted is Personal:
        return personal_from_json(value)
    raise NotImplementedError


def read(body: str) -> Tell:
    """Read a command as it is sent."""
    return read_command(Tell, body.encode(), from_json)


def test_a_command_is_read_from_its_json():
    """Fields left out have their defaults; times keep their zone."""
    told = read('{"name":"某","occurred_at":"2026-03-02T09:00:00+08:00","words":[{"text":"a"}]}')

    assert (told.name, told.words) == (Personal("某"), (Word("a"),))
    assert read('{"name":"某"}') == Tell(name=Personal("某"))
    assert told.occurred_at == moment("2026-03-02T09:00+08:00")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{", "not-json"),
        ('{"name":"某"} and more', "not-json"),
        ('{"name":"\\u0000"}', "nul-character"),
        ('{"name":"\x00"}', "nul-character"),
        ('{"name":"某","occurred_at":"2026-03-02T09:00:00"}', "naive-time"),
    ],
)
def test_what_is_no_json_or_has_no_zone_is_told_apart(body, code):
    """Each has a code of its own."""
    with pytest.raises(Malformed) as caught:
        read(body)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ('{"said_at":"2026-03-02T09:00:00"}', "naive-time"),
        ('{"said_at":"0001-01-01T00:00:00Z"}', "time-out-of-range"),
        ('{"said_at":"2200-01-01T00:00:00Z"}', "time-out-of-range"),
        ('{"due_on":"0001-01-01"}', "time-out-of-range"),
        ('{"due_on":"1949-12-31"}', "time-out-of-range"),
        ('{"due_on":"2200-01-01"}', "time-out-of-range"),
        ('{"due_on":"9999-12-31"}', "time-out-of-range"),
    ],
)
def test_every_time_and_day_of_a_form_is_one_that_can_be_counted_from(said, code):
    """However deep it stands, so that no term runs off the calendar."""
    with pytest.raises(Malformed) as caught:
        read(f'{{"name":"某","said":[{{"due_on":"2026-03-02"}},{said}]}}')

    assert caught.value.code == code


def test_the_years_of_the_office_are_long_enough():
    """Pensions reach back and instalments ahead."""
    days = '{"due_on":"1950-01-01"},{"due_on":"2199-12-31","said_at":"1950-01-02T00:00:00Z"}'
    first, last = read(f'{{"name":"某","said":[{days}]}}').said

    assert (first.due_on, last.due_on) == (date(1950, 1, 1), date(2199, 12, 31))


def test_a_form_that_is_no_command_is_read_by_the_same_rules():
    """An unknown field, broken JSON and a NUL are refused there too."""
    assert read_body(Word, b'{"text":"a"}') == Word("a")
    for body, code in (
        (b'{"text":"a","more":1}', "malformed"),
        (b"{", "not-json"),
        (b'{"text":"\\u0000"}', "nul-character"),
    ):
        with pytest.raises(Malformed) as caught:
            read_body(Word, body)
        assert caught.value.code == code


def test_bytes_that_are_no_text_are_no_json():
    """Broken UTF-8 is refused like broken JSON."""
    with pytest.raises(Malformed) as caught:
        read_command(Tell, b'{"name":"\xff"}', from_json)

    assert caught.value.code == "not-json"


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ("{}", "/name", "required"),
        ('{"name":"某","secret":1}', "", "unknown-field"),
        ('{"name":" "}', "/name", "wrong-type"),
        ('{"name":"某","words":[{"text":"a","times":0}]}', "/words/0/times", "too-small"),
        ('{"name":"某","words":[{"text":"a","times":10}]}', "/words/0/times", "too-large"),
        ('{"name":"某","words":[{"text":"SECRET"}]}', "/words/0/text", "pattern"),
        (
            '{"name":"某","words":[{"text":"a","purpose":"SECRET"}]}',
            "/words/0/purpose",
            "unknown-code",
        ),
        ('{"name":"某","words":[{"text":"a"},{"text":"a"},{"text":"a"}]}', "/words", "length"),
        ('{"name":"某","words":"SECRET"}', "/words", "wrong-type"),
    ],
)
def test_a_fault_names_the_place_and_never_the_value(body, pointer, code):
    """Where to look and what is wrong; what was typed in stays out of every message."""
    with pytest.raises(Malformed) as caught:
        read(body)
    (fault,) = caught.value.faults

    assert (caught.value.code, fault.pointer, fault.code) == ("malformed", pointer, code)
    assert "secret" not in f"{caught.value} {caught.value.detail} {fault}".lower()


# Start-up


def test_the_registries_of_the_project_are_whole():
    """Every event evolves, has an initial state and is stored faithfully."""
    check_registries()


def registered(event_type: Any, topic: str = "note.made-up") -> None:
    """Register a class as an event that changes nothing."""
    stored_as(topic)(event_type)
    evolves(event_type)(lambda state, event: state)


class Inner(msgspec.Struct, frozen=True):
    """A value with a field that does not come back as it went."""

    weights: dict[str, tuple[float, ...]]


@pytest.mark.parametrize(
    "kind",
    [
        float,
        set[str],
        frozenset[str],
        list[str],
        Any,
        object,
        Decimal,
        msgspec.Raw,
        Personal,
        Unsealed,
        float | None,
        tuple[float, ...],
        tuple[int, float],
        dict[str, list[int]],
        Inner,
        tuple[Inner, ...],
        Inner | None,
    ],
)
def test_a_field_that_would_not_come_back_as_it_went_is_found(kind):
    """Floats, sets, lists, untyped and clear personal fields are refused at any depth."""
    registered(a_class(("value", kind)))

    with pytest.raises(TypeError, match="of a kind that is not stored"):
        check_registries()


@pytest.mark.parametrize(
    "kind", [str, int | None, bool, UUID, tuple[int, str], dict[str, int], tuple[str, ...]]
)
def test_ordinary_fields_are_stored(kind):
    """Text, whole numbers, ids, tuples and maps of them come back as they went."""
    registered(a_class(("value", kind)))

    check_registries()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"kw_only": False}, "envelope"),
        ({"forbid_unknown_fields": False}, "forbid unknown fields"),
    ],
)
def test_an_event_of_another_form_is_found(options, problem):
    """Every event begins with the envelope and forbids what it does not know."""
    registered(a_class(("value", str), **options))

    with pytest.raises(TypeError, match=problem):
        check_registries()


def test_an_event_without_evolution_or_stream_is_found():
    """A stored event that changes nothing by mistake, or belongs nowhere, stops the start."""
    stored_as("note.silent")(a_class())
    with pytest.raises(TypeError, match="no evolution"):
        check_registries()

    kernel._EVENTS.pop("note.silent/1")
    registered(a_class(), topic="nowhere.made-up")
    with pytest.raises(TypeError, match="without initial state"):
        check_registries()


def test_an_upcast_to_nowhere_is_found():
    """Lifting must end at an event that exists."""
    upcasts("note.old/1", "note.gone/2")(dict)

    with pytest.raises(TypeError, match="which is unknown"):
        check_registries()
