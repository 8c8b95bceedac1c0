"""Decide, event, evolve: the shapes and registries of every chapter; no rule of any case.

A decider is pure: `decide(state, command, facts) -> Decision`. It holds every guard. An evolution
is total: `evolve(state, event) -> state`, without guard, clock or I/O. Replay folds stored events
and never decides again, so rules may change and history stays (ADR 0001).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar, TypeVar, cast
from uuid import UUID, uuid5

import msgspec

from mediation.errors import FieldFault, Malformed, UnknownEvent

ENVELOPE = (
    "event_id",
    "district",
    "occurred_at",
    "decided_at",
    "actor_id",
    "role",
    "body_id",
    "on_behalf_of_id",
    "command_id",
    "causation_id",
    "correlation_id",
    "reason_code",
    "legal_basis",
    "approved_by_ids",
    "approved_as",
)


Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""An aware time; stored bytes with a time that has no zone are refused."""


class StreamRef(msgspec.Struct, frozen=True):
    """One stream of the log: its kind (`case`, `network`, `account`, `case-number`) and id."""

    kind: str
    id: UUID


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts, in which role and for which body, as the grant he used says."""

    actor_id: UUID
    role: str
    body_id: str | None = None
    on_behalf_of_id: UUID | None = None


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody wants done.

    `occurred_at` (aware UTC) says when it happened; left out, it is the door's clock. `is_fact`
    marks a recorded fact, which no guard may refuse for irregularity; the others are decisions of
    the office. `creates` marks the command that opens a stream.
    """

    stream_kind: ClassVar[str] = ""
    creates: ClassVar[bool] = False
    is_fact: ClassVar[bool] = False

    occurred_at: datetime | None = None

    def moments(self) -> Mapping[str, datetime | None]:
        """Give when what it records happened, by pointer; None is the door's clock."""
        return {"/occurred_at": self.occurred_at}


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An immutable fact: the envelope that every event carries, then its own fields.

    `approved_by_ids` are those whose keys let it be typed in late, `approved_as` the role for whose
    key each of them counted, in the same order; both are empty where no key was needed.
    `causation_id` is the event that it follows from, where the office did not decide it by itself.

    The stored bytes are UTF-8 JSON in declared field order. Position, recorded time, end of
    command, stream, version and topic stand beside the bytes, never in them.
    """

    topic: ClassVar[str] = ""
    topic_version: ClassVar[int] = 0

    event_id: UUID
    district: str
    occurred_at: Moment
    decided_at: Moment
    actor_id: UUID
    role: str
    body_id: str | None
    on_behalf_of_id: UUID | None
    command_id: UUID
    causation_id: UUID | None
    correlation_id: UUID
    reason_code: str | None
    legal_basis: str | None
    approved_by_ids: tuple[UUID, ...] = ()
    approved_as: tuple[str, ...] = ()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a decision may know beside state and command; made by the door.

    `late_entry_approved_by_ids` are those who approved that this very command is typed in late,
    `late_entry_approved_as` the roles for whose keys they count, in the same order.

    `seed` is random and fresh for every decision: all new ids derive from it, so a decider stays
    a pure function of its arguments.
    """

    at: datetime
    actor: Actor
    district: str
    stream: StreamRef
    command_id: UUID
    correlation_id: UUID
    causation_id: UUID | None = None
    seed: UUID
    occurred_at: datetime
    streams: Mapping[StreamRef, Any] = {}
    late_entry_approved_by_ids: tuple[UUID, ...] = ()
    late_entry_approved_as: tuple[str, ...] = ()

    def new_id(self, label: str) -> UUID:
        """Give the id that belongs to `label` in this decision (128 bits, from the seed)."""
        return uuid5(self.seed, label)

    def event_id(self, event_type: type[Event]) -> UUID:
        """Give the id that `stamp` will write into the event of this type."""
        return self.new_id(event_type.topic)

    def stamp(
        self,
        event_type: type[Event],
        *,
        reason_code: str | None = None,
        legal_basis: str | None = None,
        caused_by: UUID | None = None,
    ) -> dict[str, Any]:
        """Give the envelope of a new event of this type, to be passed as keywords.

        `caused_by` is the event that it follows from.
        """
        return {
            "event_id": self.event_id(event_type),
            "district": self.district,
            "occurred_at": self.occurred_at,
            "decided_at": self.at,
            "actor_id": self.actor.actor_id,
            "role": self.actor.role,
            "body_id": self.actor.body_id,
            "on_behalf_of_id": self.actor.on_behalf_of_id,
            "command_id": self.command_id,
            "causation_id": caused_by or self.causation_id,
            "correlation_id": self.correlation_id,
            "reason_code": reason_code,
            "legal_basis": legal_basis,
            "approved_by_ids": self.late_entry_approved_by_ids,
            "approved_as": self.late_entry_approved_as,
        }


class Decision(msgspec.Struct, frozen=True):
    """What a decider decided: the events of each stream, in the order they are to be appended."""

    events: tuple[tuple[StreamRef, Event], ...]

    @classmethod
    def of(cls, stream: StreamRef, *events: Event) -> Decision:
        """Decide events of one stream."""
        return cls(tuple((stream, event) for event in events))

    def then(self, other: Decision) -> Decision:
        """Append what was decided after this."""
        return Decision(self.events + other.events)

    def on(self, stream: StreamRef) -> tuple[Event, ...]:
        """Give the events of one stream, in order."""
        return tuple(event for ref, event in self.events if ref == stream)


Decider = Callable[[Any, Any, Any], Decision]
Evolution = Callable[[Any, Any], Any]
Reads = Callable[[Any, Any], tuple[StreamRef, ...]]
Upcast = Callable[[dict[str, Any]], dict[str, Any]]

CommandT = TypeVar("CommandT", bound=Command)
E = TypeVar("E", bound=type[Event])
C = TypeVar("C", bound=Callable[..., Any])
T = TypeVar("T")


class Handled(msgspec.Struct, frozen=True):
    """A registered command: its class, its decider, and the other streams it has to read."""

    command_type: type[Command]
    decide: Decider
    reads: Reads


_COMMANDS: dict[str, Handled] = {}
_EVENTS: dict[str, type[Event]] = {}
_EVOLUTIONS: dict[type[Event], Evolution] = {}
_INITIAL: dict[str, Any] = {}
_UPCASTS: dict[str, tuple[str, Upcast]] = {}
_KEBAB = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def kebab(name: str) -> str:
    """Turn a class name into its kebab-case form: `RequestCustodyMove` → `request-custody-move`."""
    return _KEBAB.sub("-", name).lower()


def starts_as(kind: str, initial: Any) -> None:
    """Register the state in which every stream of `kind` starts."""
    if kind in _INITIAL:
        msg = f"stream kind {kind} has two initial states"
        raise TypeError(msg)
    _INITIAL[kind] = initial


def stored_as(topic: str, version: int = 1) -> Callable[[E], E]:
    """Name an event class in the log for good: `stored_as("case.escalated", 2)`."""

    def register(event_type: E) -> E:
        name = f"{topic}/{version}"
        if name in _EVENTS:
            msg = f"topic {name} is used twice"
            raise TypeError(msg)
        event_type.topic = name
        event_type.topic_version = version
        _EVENTS[name] = event_type
        return event_type

    return register


def upcasts(old_topic: str, new_topic: str) -> Callable[[C], C]:
    """Register how the decoded dict of an old event version becomes the next version's dict."""

    def register(function: C) -> C:
        if old_topic in _UPCASTS:
            msg = f"topic {old_topic} has two upcasts"
            raise TypeError(msg)
        _UPCASTS[old_topic] = (new_topic, function)
        return function

    return register


def _reads_nothing(_command: Any, _facts: Any) -> tuple[StreamRef, ...]:
    return ()


def decides(command_type: type[Command], *, reads: Reads = _reads_nothing) -> Callable[[C], C]:
    """Register the decider of a command; `reads(command, facts)` names other streams it needs."""

    def register(function: C) -> C:
        name = kebab(command_type.__name__)
        if name in _COMMANDS:
            msg = f"command {name} has two deciders"
            raise TypeError(msg)
        _COMMANDS[name] = Handled(command_type, function, reads)
        return function

    return register


def evolves(event_type: type[Event]) -> Callable[[C], C]:
    """Register how an event of this type moves the state on."""

    def register(function: C) -> C:
        if event_type in _EVOLUTIONS:
            msg = f"event {event_type.__name__} has two evolutions"
            raise TypeError(msg)
        _EVOLUTIONS[event_type] = function
        return function

    return register


def commands() -> Mapping[str, Handled]:
    """Give every registered command by its kebab-case name."""
    return dict(sorted(_COMMANDS.items()))


def command_named(name: str) -> Handled | None:
    """Give the command of this kebab-case name, or None."""
    return _COMMANDS.get(name)


def handled(command: Command) -> Handled:
    """Give the registration of a command object."""
    return _COMMANDS[kebab(type(command).__name__)]


def events() -> Mapping[str, type[Event]]:
    """Give every event class by its stored topic with version."""
    return dict(sorted(_EVENTS.items()))


def upcast_chains() -> Mapping[str, tuple[str, Upcast]]:
    """Give every registered upcast by the old topic."""
    return dict(_UPCASTS)


def initial_state(kind: str) -> Any:
    """Give the state in which a stream of this kind starts."""
    return _INITIAL[kind]


def kind_of(topic: str) -> str:
    """Give the stream kind a topic belongs to: the part before its first dot."""
    return topic.partition(".")[0]


def evolve(state: Any, event: Event) -> Any:
    """Move the state on by one event."""
    return _EVOLUTIONS[type(event)](state, event)


def fold(state: Any, stream_events: Iterable[Event]) -> Any:
    """Fold events into a state, in order."""
    evolutions = _EVOLUTIONS
    for event in stream_events:
        state = evolutions[type(event)](state, event)
    return state


def encode(event: Event) -> bytes:
    """Give the bytes that are stored: UTF-8 JSON, declared field order.

    Raises:
        TypeError: the event still holds an `Unsealed` value.
    """
    return _ENCODER.encode(event)


def decode(topic: str, data: bytes) -> Event:
    """Read stored bytes as the current version of their event; old versions are upcast first.

    Raises:
        UnknownEvent: this release knows neither the topic nor an upcast for it, or not the form in
            which the event is written: a field or a code that a newer release added, or bytes
            that were altered (ADR 0026).
    """
    if topic not in _EVENTS and topic not in _UPCASTS:
        raise UnknownEvent(
            zh=f"日志中出现本版本不认识的事件 {topic}。请先升级程序，再重新启动。",
            en=f"The log holds {topic}, which this release does not know. Upgrade, then restart.",
        )
    try:
        return _decoded(topic, data)
    except msgspec.MsgspecError as error:
        # The place and what is wrong with it, never a value.
        fault = _fault(str(error))
        where = f"{fault.pointer or '/'} ({fault.code})"
        raise UnknownEvent(
            zh=f"日志中的事件 {topic} 不符合本版本所知的格式：{where}。如由更新的版本写入，请先升级"
            "程序再重新启动；否则请停止办理并核查日志。",
            en=f"The log holds a {topic} in a form that this release does not know: {where}. If a "
            "newer release wrote it, upgrade, then restart; if not, stop and have the log "
            "verified.",
        ) from None


def _decoded(topic: str, data: bytes) -> Event:
    if topic not in _UPCASTS:
        return cast("Event", _decoder(_EVENTS[topic]).decode(data))
    fields: dict[str, Any] = msgspec.json.decode(data)
    while topic in _UPCASTS:
        topic, upcast = _UPCASTS[topic]
        fields = upcast(fields)
    event: Event = msgspec.convert(fields, _EVENTS[topic], strict=True)
    return event


_ENCODER = msgspec.json.Encoder()
_DECODERS: dict[type[Event], msgspec.json.Decoder[Any]] = {}


def _decoder(event_type: type[Event]) -> msgspec.json.Decoder[Any]:
    decoder = _DECODERS.get(event_type)
    if decoder is None:
        decoder = _DECODERS[event_type] = msgspec.json.Decoder(event_type, strict=True)
    return decoder


def read_command(
    command_type: type[CommandT], body: bytes, from_json: Callable[[type, Any], Any]
) -> CommandT:
    """Read the JSON body of a command; `from_json` makes the types JSON does not know.

    Raises:
        Malformed: as `read_body`, or a time without zone, or a time or day out of all bounds.
    """
    command = read_body(command_type, body, from_json)
    for day in _days(command):
        if isinstance(day, datetime):
            aware(day)
        else:
            _require_year(day)
    return command


def _days(value: Any) -> Iterator[date]:
    """Walk a form and give every day and time in it."""
    if isinstance(value, date):
        yield value
    elif isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            yield from _days(getattr(value, field))
    elif isinstance(value, tuple):
        for item in value:
            yield from _days(item)


def read_body(form: type[T], body: bytes, from_json: Callable[[type, Any], Any] | None = None) -> T:
    """Read a JSON body of a given form.

    Raises:
        Malformed: not JSON (`code` "not-json"), or not of the form; names the place by JSON
            pointer and never repeats a value.
    """
    if b"\\u0000" in body or b"\x00" in body:
        raise Malformed(
            zh="内容含有空字符，请删除后重新提交。",
            en="The body holds a NUL character; remove it and submit again.",
            code="nul-character",
        )
    try:
        return msgspec.json.decode(body, type=form, dec_hook=from_json)
    except msgspec.ValidationError as error:
        raise Malformed(
            zh="字段缺失、多余或类型不符，请按接口说明改正所列位置。",
            en="A field is missing, unknown or of the wrong type; correct the place named below.",
            faults=(_fault(str(error)),),
        ) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Malformed(
            zh="请求体不是有效的 JSON（UTF-8），请检查后重新提交。",
            en="The body is not valid JSON in UTF-8; check it and submit again.",
            code="not-json",
        ) from None


_FAULTS = (
    ("missing required field", "required"),
    ("contains unknown field", "unknown-field"),
    ("Invalid enum value", "unknown-code"),
    ("length", "length"),
    ("`int` >=", "too-small"),
    ("`int` <=", "too-large"),
    ("matching regex", "pattern"),
)


def _fault(message: str) -> FieldFault:
    """Turn msgspec's sentence into a pointer and a code; the sentence may hold a value."""
    said, _, place = message.rpartition(" - at `")
    path = place.rstrip("`").removeprefix("$") if said else ""
    pointer = path.replace("[...]", "/*").replace("[", "/").replace("]", "").replace(".", "/")
    code = next((code for words, code in _FAULTS if words in (said or message)), "wrong-type")
    missing = re.search(r"missing required field `([a-z_]+)`", message)
    if missing:  # the name of a field of ours; of an unknown field only its place is told
        pointer = f"{pointer}/{missing[1]}"
    return FieldFault(pointer, code)


_EARLIEST, _LATEST = 1950, 2199
"""Years in which anything here can happen; days near them can still be counted from, in UTC too."""


def aware(at: datetime) -> datetime:
    """Give `at` in UTC.

    Raises:
        Malformed: the time has no zone, or lies in no year of this office.
    """
    if at.tzinfo is None:
        raise Malformed(
            zh="时间必须带时区，例如 2026-03-02T09:00:00+08:00。",
            en="A time needs its zone, for example 2026-03-02T09:00:00+08:00.",
            code="naive-time",
        )
    _require_year(at)
    return at.astimezone(UTC)


def _require_year(day: date) -> None:
    if not _EARLIEST <= day.year <= _LATEST:
        raise Malformed(
            zh="时间超出可登记的范围，请核对年份。",
            en="The time lies outside what can be recorded; check the year.",
            code="time-out-of-range",
        )


def check_registries() -> None:
    """Verify at start-up that the registries are whole.

    Raises:
        TypeError: an event without evolution, an upcast without target, an event whose stream
            kind has no initial state, a field that cannot be stored faithfully, or an envelope
            field out of place.
    """
    for topic, event_type in _EVENTS.items():
        # Built here, once: msgspec crashes if threads meet a type for the first time together.
        _decoder(event_type)
        if event_type not in _EVOLUTIONS and topic not in _UPCASTS:
            msg = f"{topic} has no evolution"
            raise TypeError(msg)
        if kind_of(topic) not in _INITIAL:
            msg = f"{topic} belongs to a stream kind without initial state"
            raise TypeError(msg)
        if event_type.__struct_fields__[: len(ENVELOPE)] != ENVELOPE:
            msg = f"{topic} does not begin with the envelope (is kw_only missing?)"
            raise TypeError(msg)
        config = event_type.__struct_config__
        if not (config.frozen and config.forbid_unknown_fields):
            msg = f"{topic} must be frozen and forbid unknown fields"
            raise TypeError(msg)
    # All at once: what many of them hold is looked into only once.
    for topic, info in zip(_EVENTS, msgspec.inspect.multi_type_info(_EVENTS.values()), strict=True):
        _refuse_unfaithful(topic, info)
    for command in _COMMANDS.values():
        # Raises what the first request would raise: a form that JSON cannot be read into.
        msgspec.json.Decoder(command.command_type, dec_hook=lambda _type, value: value)
    for old, (new, _upcast) in _UPCASTS.items():
        if new not in _EVENTS and new not in _UPCASTS:
            msg = f"the upcast of {old} leads to {new}, which is unknown"
            raise TypeError(msg)


_UNFAITHFUL = (
    msgspec.inspect.FloatType,
    msgspec.inspect.SetType,
    msgspec.inspect.FrozenSetType,
    msgspec.inspect.ListType,
    msgspec.inspect.AnyType,
    msgspec.inspect.RawType,
    msgspec.inspect.CustomType,
    msgspec.inspect.DecimalType,
)


def _refuse_unfaithful(topic: str, info: Any) -> None:
    """No floats, sets, lists or untyped fields: they do not come back as they went."""
    if isinstance(info, _UNFAITHFUL):
        msg = f"{topic} has a field of a kind that is not stored: {type(info).__name__}"
        raise TypeError(msg)
    if isinstance(info, msgspec.inspect.StructType):
        for field in info.fields:
            _refuse_unfaithful(topic, field.type)
    for name in ("item_type", "key_type", "value_type"):
        if hasattr(info, name):
            _refuse_unfaithful(topic, getattr(info, name))
    for item in getattr(info, "item_types", ()) or getattr(info, "types", ()):
        _refuse_unfaithful(topic, item)
