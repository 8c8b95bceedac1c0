"""Record golden files and what is published: `python -m tests.history.record`; only ever adds.

A file on record is never overwritten, and a digest in `frozen.sha256` never replaced (ADR 0029).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import create_mock_engine

from mediation import kernel
from mediation.kernel import encode
from mediation.store.access import ACCESS
from mediation.store.marks import MARKS
from mediation.store.migrations import m0001_log
from mediation.store.vault import VAULT
from tests.history.records import (
    FROZEN,
    GOLDEN,
    ROOT,
    file_of,
    frozen,
    read_of,
    reading,
    registered,
    released,
    require_kept,
    state_read,
)
from tests.history.story import histories


def content() -> dict[str, bytes]:
    """Make the content of every golden file by its name.

    Raises:
        LookupError: an event is registered that the story does not tell.
    """
    kernel.check_registries()
    told = histories()
    samples = {
        event.topic: encode(event)
        for events in reversed(told.values())
        for event in reversed(events)  # the first of each topic stays
    }
    untold = set(registered()) - set(samples)
    if untold:
        raise LookupError(f"the story does not tell {', '.join(sorted(untold))}")
    files = {file_of(topic): data for topic, data in samples.items()}
    for name, events in told.items():
        files[f"histories/{name}.jsonl"] = b"".join(
            b'{"topic":"%s","event":%s}\n' % (event.topic.encode(), encode(event))
            for event in events
        )
    read = {topic: reading(topic, data) for topic, data in samples.items()}
    read |= {name: state_read(events) for name, events in told.items()}
    files |= {
        read_of(name): json.dumps(it, ensure_ascii=False, indent=1).encode() + b"\n"
        for name, it in read.items()
    }
    return files | {f"schema/store-1.{it}.sql": schema(it) for it in ("sqlite", "postgresql")}


def schema(dialect: str) -> bytes:
    """Give the statements that make the tables of the log, the vault, its marks and readings."""
    statements: list[str] = []

    def note(statement: Any, *_parameters: Any) -> None:
        made = statement if isinstance(statement, str) else str(statement.compile(dialect=engine))
        statements.append(made.strip())

    address = {"sqlite": "sqlite://", "postgresql": "postgresql+psycopg://"}[dialect]
    mock: Any = create_mock_engine(address, note)
    engine = mock.dialect
    mock.exec_driver_sql = note
    m0001_log.apply(mock)
    for metadata in (VAULT, MARKS, ACCESS):
        metadata.create_all(mock, checkfirst=False)
    # The indexes of a table come in no order of their own.
    statements.sort(key=lambda it: it if it.startswith("CREATE INDEX") else "")
    return "".join(f"{statement};\n\n" for statement in statements).encode()


def record(folder: Path) -> tuple[list[str], list[str]]:
    """Write the golden files; gives the names of those written and of those left as they were.

    A file that is left differs from what would be written now.
    """
    written, left = [], []
    for name, data in sorted(content().items()):
        path = folder / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            written.append(name)
        elif not _still_holds(name, path.read_bytes(), data):
            left.append(name)
    return written, left


def _still_holds(name: str, old: bytes, new: bytes) -> bool:
    """What an auditor has read may be added to, but not changed; bytes may not even be added to."""
    if old == new or not name.startswith("read/"):
        return old == new
    try:
        require_kept(json.loads(old), json.loads(new))
    except AssertionError:
        return False
    return True


def freeze(root: Path, path: Path) -> tuple[list[str], list[str]]:
    """Append the digests of new files; gives the names of those, and of files that changed."""
    on_record, now = frozen(path) if path.exists() else {}, released(root)
    new = [name for name in now if name not in on_record]
    changed = [name for name, digest in on_record.items() if now.get(name) != digest]
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{now[name]}  {name}\n" for name in new)
    return new, changed


def main() -> int:
    """Record, say what was written, and fail where an existing file would have changed."""
    written, left = record(GOLDEN)
    frozen_now, changed = freeze(ROOT, FROZEN)
    _say("written", written)
    _say("frozen", frozen_now)
    _say("differs, not overwritten", left)
    _say("was changed after its release", changed)
    return 1 if left or changed else 0


def _say(what: str, names: Iterable[str]) -> None:
    for name in names:
        sys.stdout.write(f"{what}: {name}\n")


if __name__ == "__main__":
    sys.exit(main())
