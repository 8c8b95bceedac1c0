"""The last known state of streams, over the log; what a state means is not known here.

A known state may be stale. For a decision that is safe: the append checks the version it was
decided on, and the loser loads anew. For an answer `current` asks the log first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any

import msgspec

from mediation.kernel import StreamRef
from mediation.store.log import Log

_KEPT = 4096
_TURNS = 64


class Known(msgspec.Struct, frozen=True):
    """The state of a stream at a version; `is_fresh` says it was folded from the log just now."""

    version: int
    state: Any
    is_fresh: bool


class States:
    """States of the streams of one log, kept in memory; safe for threads, bounded in number."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._lock = Lock()
        self._entries: OrderedDict[StreamRef, Known] = OrderedDict()
        self._turns = tuple(Lock() for _ in range(_TURNS))

    def known(self, ref: StreamRef) -> Known:
        """Give the last known state, perhaps stale; fold it if none is known."""
        with self._lock:
            entry = self._entries.get(ref)
            if entry is not None:
                self._entries.move_to_end(ref)
                return entry
        return self._folded(ref)

    def current(self, ref: StreamRef) -> Known:
        """Give the state as the log has it now; a state that is known already is not folded."""
        entry = self._entries.get(ref)
        if entry is not None and self._log.versions([ref.id])[ref.id] == entry.version:
            return entry
        return self._folded(ref)

    def _folded(self, ref: StreamRef) -> Known:
        version, state = self._log.fold(ref.id, ref.kind)
        if version:
            self.learn(ref, version, state)
        return Known(version, state, is_fresh=True)

    def learn(self, ref: StreamRef, version: int, state: Any) -> None:
        """Remember a state, unless a later one is known."""
        with self._lock:
            entry = self._entries.get(ref)
            if entry is not None and entry.version > version:
                return
            self._entries[ref] = Known(version, state, is_fresh=False)
            self._entries.move_to_end(ref)
            while len(self._entries) > _KEPT:
                self._entries.popitem(last=False)

    def forget(self, refs: Iterable[StreamRef]) -> None:
        """Forget states that turned out to be stale."""
        with self._lock:
            for ref in refs:
                self._entries.pop(ref, None)

    @contextmanager
    def turn(self, refs: Iterable[StreamRef]) -> Iterator[None]:
        """Wait for one's turn on streams that many write to at once, such as a counter.

        Within this process nobody then loses for ever; what other processes do, the append checks.
        """
        places = sorted({hash(ref.id) % _TURNS for ref in refs})
        with ExitStack() as held:
            for place in places:
                held.enter_context(self._turns[place])
            yield
