"""What the fields of a case and of its events are called, and what their values are codes of."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import UUID

import msgspec
from msgspec import inspect

from mediation import codes, kernel
from mediation.case.state import CaseState
from mediation.codes import Label, Meaning
from mediation.privacy import Sealed


@cache
def field_labels() -> Mapping[str, Label]:
    """Give what each field of a case is called, by its name."""
    stored = (files(__package__) / "fields.toml").read_bytes()
    return msgspec.convert(tomllib.loads(stored.decode()), dict[str, Label])


def path_label(path: str, topic: str | None = None) -> Label:
    """Say in words what a path leads to: fields by their labels, ids by their first digits.

    Args:
        path: dotted, as of a `Change`.
        topic: of the event that the path leads into; None: into the state of a case.
    """
    zh: list[str] = []
    en: list[str] = []
    known = field_labels()
    for part in path.split("."):
        mark = _mark(part)
        if mark and zh:
            zh[-1], en[-1] = f"{zh[-1]}#{mark}", f"{en[-1]}#{mark}"
        else:
            own = known.get(f"event#{part}") if topic else None
            found = own or known.get(part, Label(part, part))
            zh, en = [*zh, found.zh], [*en, found.en]
    return Label(" › ".join(zh), " › ".join(en))


def _mark(part: str) -> str | None:
    """Give the first digits of an id; None for the name of a field, or another key."""
    try:
        return str(UUID(part.partition(":")[0]))[:6]
    except ValueError:
        return None


def path_meaning(path: str, topic: str | None = None) -> Meaning | None:
    """Give what it is that a path leads to; None where its name and form say it all.

    Args:
        path: as of `path_label`.
        topic: likewise; an event of an older version has the fields of the current one.
    """
    held = _read_as(topic) if topic else CaseState
    inside = topic.partition("/")[0] if topic else held.__name__
    field, within = "", inside
    for part in path.split("."):
        fields = _fields_of(held)
        # Whatever is no field is the key of an entry, or what an item begins with.
        if part in fields:
            field, within = part, inside
            held = fields[part] or held
            inside = held.__name__ if fields[part] else inside
    return codes.meaning(field, within=within)


@cache
def _read_as(topic: str) -> type:
    """Give the structure as which this release reads events of a topic, or of an older version."""
    chains = kernel.upcast_chains()
    while topic in chains:
        topic = chains[topic][0]
    return kernel.events()[topic]


@cache
def _fields_of(held: type) -> Mapping[str, type | None]:
    """Give the fields of a structure, each with the structure that its value, or items, are of."""
    info: Any = inspect.type_info(held)
    return {it.name: _structure(it.type) for it in info.fields}


def _structure(info: Any) -> type | None:
    if isinstance(info, inspect.StructType):
        return None if info.cls is Sealed else info.cls
    parts = [getattr(info, it) for it in ("item_type", "value_type") if hasattr(info, it)]
    parts += getattr(info, "types", ())
    return next((found for it in parts if (found := _structure(it))), None)
