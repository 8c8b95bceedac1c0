"""Reading and comparing golden files; what they are recorded from stands in `story`.

`<topic with / replaced by @>.json` holds the stored bytes of one event of every version,
`histories/<name>.jsonl` whole streams, `read/` what an auditor reads in either, and `schema/` the
statements that make the tables of the log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from mediation import kernel
from mediation.kernel import Event, decode, encode, fold, initial_state, kind_of
from mediation.privacy import Sealed

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
FROZEN = Path(__file__).parent / "frozen.sha256"


class Line(msgspec.Struct):
    """One event of a recorded history: its topic and its exact bytes."""

    topic: str
    event: msgspec.Raw


def file_of(topic: str) -> str:
    """Name the golden file of a topic: `case.escalated/1` → `case.escalated@1.json`."""
    return topic.replace("/", "@") + ".json"


def topic_of(path: Path) -> str:
    """Give the topic whose bytes a golden file holds."""
    return path.name.removesuffix(".json").replace("@", "/")


def registered() -> tuple[str, ...]:
    """Name every event of the project, without those that a test has made up."""
    return tuple(
        topic for topic, it in kernel.events().items() if it.__module__.startswith("mediation.")
    )


def samples(folder: Path = GOLDEN) -> dict[str, bytes]:
    """Give the recorded bytes by topic."""
    return {topic_of(path): path.read_bytes() for path in sorted(folder.glob("*@*.json"))}


def history(name: str, folder: Path = GOLDEN) -> tuple[Event, ...]:
    """Give a recorded stream as today's release reads it."""
    lines = (folder / "histories" / f"{name}.jsonl").read_bytes().splitlines()
    read = (msgspec.json.decode(line, type=Line) for line in lines)
    return tuple(decode(line.topic, bytes(line.event)) for line in read)


def histories(folder: Path = GOLDEN) -> tuple[str, ...]:
    """Name the streams that are recorded whole."""
    return tuple(sorted(path.stem for path in (folder / "histories").glob("*.jsonl")))


def read_of(name: str) -> str:
    """Name the file of what is read in the event of a topic, or in a stream: `read/case.json`."""
    return f"read/{file_of(name) if '/' in name else name + '.json'}"


def expected(name: str, folder: Path = GOLDEN) -> Any:
    """Give what an auditor has read in the event of a topic, or in the state of a stream."""
    return json.loads((folder / read_of(name)).read_text(encoding="utf-8"))


def readable(value: Any) -> Any:  # noqa: PLR0911 - one answer per kind of value
    """Say a value as an auditor reads it: dates as text, envelopes by whom they are about."""
    if isinstance(value, Sealed):
        return f"sealed, {value.purpose.value} of {value.subject_id}"
    if isinstance(value, msgspec.Struct):
        return {name: readable(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(key): readable(item) for key, item in sorted(value.items())}
    if isinstance(value, frozenset):
        return sorted(readable(item) for item in value)
    if isinstance(value, tuple):
        return [readable(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def reading(topic: str, data: bytes) -> Any:
    """Say what an auditor reads in the bytes of an event."""
    return {"topic": topic} | readable(decode(topic, data))


def state_read(stream: tuple[Event, ...]) -> Any:
    """Say what an auditor reads in the state that a stream folds to."""
    return readable(fold(initial_state(kind_of(stream[0].topic)), stream))


def require_kept(recorded: Any, now: Any, where: str = "$") -> None:
    """Require that everything recorded is still there with the same value; new keys are allowed.

    Raises:
        AssertionError: a key disappeared or a value changed; names the place.
    """
    if isinstance(recorded, dict) and isinstance(now, dict):
        for key, value in recorded.items():
            assert key in now, f"{where}.{key} disappeared"
            require_kept(value, now[key], f"{where}.{key}")
    elif isinstance(recorded, list) and isinstance(now, list):
        assert len(recorded) == len(now), f"{where} has another length"
        for at, (old, new) in enumerate(zip(recorded, now, strict=True)):
            require_kept(old, new, f"{where}.{at}")
    else:
        assert recorded == now, f"{where} changed"


def require_same_bytes(topic: str, recorded: bytes) -> None:
    """Require that an event of the current version is written as it was; new fields only last.

    Raises:
        AssertionError: its bytes would differ other than by fields that did not exist then.
    """
    again = encode(decode(topic, recorded))
    old, new = json.loads(recorded), json.loads(again)
    require_kept(old, new)
    if new == old:
        assert again == recorded, f"{topic} would be written otherwise"
    else:
        _require_order(topic, old, new)


def _require_order(where: str, old: Any, new: Any) -> None:
    """Require that new keys stand behind the old ones, in an event and in whatever is inside it."""
    if isinstance(old, dict):
        assert list(new)[: len(old)] == list(old), f"{where} has a new field before an old one"
        for key, value in old.items():
            _require_order(f"{where}.{key}", value, new[key])
    elif isinstance(old, list):
        for at, value in enumerate(old):
            _require_order(f"{where}.{at}", value, new[at])


def released(root: Path = ROOT) -> dict[str, str]:
    """Give the digest of every file that is never edited once it is released, by its path.

    Golden files, and whatever is published: ladders, calendars, laws, codes, formulas of figures.
    """
    folders = ("tests/history/golden", "mediation/*/published", "projections/*/published")
    return {
        path.relative_to(root).as_posix(): sha256(path.read_bytes()).hexdigest()
        for folder in folders
        for path in sorted(root.glob(f"{folder}/**/*"))
        if path.is_file()
    }


def frozen(path: Path = FROZEN) -> dict[str, str]:
    """Give the digests on record, by path; the list has the form that `sha256sum` checks."""
    lines = (line.split("  ") for line in path.read_text(encoding="utf-8").splitlines())
    return {name: digest for digest, name in lines}
