"""How a case came to stand as it does: step by step, or between any two of its versions.

Pure: events come in as the log holds them, nothing is decided, opened or written. What is sealed
stays sealed, so all of it holds with every key gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from typing import Any
from uuid import UUID

import msgspec

from mediation import kernel
from mediation.calendar import DueDate
from mediation.case.state import CaseEvent, CaseState
from mediation.privacy import Sealed
from mediation.store import Recorded, leaf_hash

NOTHING = msgspec.UNSET
"""Stands for what is not there: no field, null, an empty text or collection."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a state that changed; a side is `NOTHING` where there was, or is, none.

    `path` is dotted: names of fields, keys, and of the items of a list what each begins with,
    such as its id: `consents.<party id>`, `lines.<line id>.claimed_fen`.
    """

    path: str
    before: Any = NOTHING
    after: Any = NOTHING


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One event and what it changed.

    Attributes:
        recorded: the event as it stands in the log.
        event: read as the current version of its class.
        changes: what it changed in the case, in the order of the fields.
        ended: the due dates that were open before and are not, or not as they were, after.
        digest: SHA-256 of the stored bytes in hexadecimal, as `sha256sum` prints it.
        leaf: hash of its leaf (ADR 0002), in hexadecimal.
    """

    recorded: Recorded
    event: CaseEvent
    changes: tuple[Change, ...]
    ended: tuple[DueDate, ...]
    digest: str
    leaf: str


def replay(events: Sequence[Recorded], log_id: UUID, *, passing: int = 0) -> Iterator[Step]:
    """Fold the events of a case from its first on, and give what each changed.

    The first `passing` are folded and not told. A step costs what it changed, not what there is.
    """
    before = _state_at(events, passing)
    for recorded in events[passing:]:
        event: Any = kernel.decode(recorded.topic, recorded.state)
        after: CaseState = kernel.evolve(before, event)
        yield Step(
            recorded=recorded,
            event=event,
            changes=changes(before, after),
            ended=tuple(due for key, due in before.due.items() if after.due.get(key) != due),
            digest=sha256(recorded.state).hexdigest(),
            leaf=leaf_hash(log_id, recorded).hex(),
        )
        before = after


def diff(events: Sequence[Recorded], start: int, end: int) -> tuple[Change, ...]:
    """Give what is different at version `end` from how it was at version `start`; 0 is before all.

    Args:
        events: of one case, from its first on.
        start: a version, not beyond the events.
        end: likewise; may be the earlier one.
    """
    return changes(_state_at(events, start), _state_at(events, end))


def _state_at(events: Sequence[Recorded], version: int) -> CaseState:
    told = (kernel.decode(it.topic, it.state) for it in events[:version])
    state: CaseState = kernel.fold(CaseState(), told)
    return state


def changes(before: Any, after: Any) -> tuple[Change, ...]:
    """Give every value in which two states differ, whatever they are made of.

    Items of a list are told apart by what they begin with, never by their place; so an item that
    only moved is no change. Sealed values are given as they are, and compared by their envelopes.
    """
    return tuple(_walk("", before, after))


def _walk(path: str, before: Any, after: Any) -> Iterator[Change]:
    old, new = _there(before), _there(after)
    if old is new or old == new:
        return
    parts = _parts(old, new)
    if parts is None:
        yield Change(path=path, before=_plain(old), after=_plain(new))
        return
    olds, news = parts
    for name in {**olds, **news}:
        was, now = olds.get(name, NOTHING), news.get(name, NOTHING)
        if was is not now:
            yield from _walk(f"{path}.{name}" if path else name, was, now)


def _there(value: Any) -> Any:
    is_empty = value is None or (
        isinstance(value, str | tuple | dict | frozenset) and len(value) == 0
    )
    return NOTHING if is_empty else value


_Parts = Mapping[str, Any]


def _parts(*sides: Any) -> tuple[_Parts, ...] | None:
    """Take two values apart into parts of the same names; None if they are told as they are."""
    given = [it for it in sides if it is not NOTHING]
    if all(map(_is_compound, given)):
        return tuple(_fields(it) for it in sides)
    if all(isinstance(it, dict) for it in given):
        named = ({} if it is NOTHING else it for it in sides)
        return tuple({str(key): value for key, value in it.items()} for it in named)
    if all(isinstance(it, tuple) and any(map(_is_compound, it)) for it in given):
        length = next(
            (n for n in range(1, _LONGEST) if all(_is_told_apart(it, n) for it in given)), 0
        )
        # What both sides hold is not looked at again; by its place alone nothing is known again.
        shared = set[int]()
        if length and NOTHING not in sides:
            shared = set.intersection(*(set(map(id, it)) for it in sides))
        return tuple(_items(it, length, shared) for it in sides)
    return None


def _is_compound(value: Any) -> bool:
    return isinstance(value, msgspec.Struct) and not isinstance(value, Sealed)


def _fields(value: Any) -> _Parts:
    names = () if value is NOTHING else value.__struct_fields__
    return {name: getattr(value, name) for name in names}


_LONGEST = 5
"""By more than four fields nothing is told apart; equal items are counted."""


def _is_told_apart(items: Sequence[Any], length: int) -> bool:
    return len({_beginning(it, length) for it in items}) == len(items)


def _items(items: Any, length: int, shared: set[int]) -> _Parts:
    if items is NOTHING:
        return {}
    return {
        ":".join(_beginning(it, length)) if length else str(at): it
        for at, it in enumerate(items)
        if id(it) not in shared
    }


def _beginning(value: Any, length: int) -> tuple[str, ...]:
    """Give what an item begins with, as text; of what is compound, what that begins with."""
    return tuple(islice(_texts(value), length))


def _texts(value: Any) -> Iterator[str]:
    for name in value.__struct_fields__[:_LONGEST]:
        part = getattr(value, name)
        if _is_compound(part):
            yield from _texts(part)
        else:
            yield str(part)


def _plain(value: Any) -> Any:
    return sorted(value, key=str) if isinstance(value, frozenset) else value
