"""Record golden files: `python -m tests.history.record`; existing ones are never overwritten.

Until the stored format is frozen, `--before-freeze` mends what is there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mediation import kernel
from mediation.kernel import encode
from tests.history.records import GOLDEN, file_of, reading, registered, require_kept
from tests.history.story import histories

EXPECTED = "expected.json"


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
    read = json.dumps(reading(samples, told), ensure_ascii=False, indent=1)
    return files | {EXPECTED: read.encode() + b"\n"}


def record(folder: Path, *, overwrite: bool) -> tuple[list[str], list[str]]:
    """Write the golden files; gives the names of those written and of those left as they were.

    A file that is left differs from what would be written now.
    """
    written, left = [], []
    for name, data in sorted(content().items()):
        path = folder / name
        if path.exists() and path.read_bytes() == data:
            continue
        if path.exists() and not (overwrite or _only_adds(path, data)):
            left.append(name)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        written.append(name)
    return written, left


def _only_adds(path: Path, data: bytes) -> bool:
    """What an auditor has read may be added to, but not changed; bytes may not even be added to."""
    if path.name != EXPECTED:
        return False
    try:
        require_kept(json.loads(path.read_bytes()), json.loads(data))
    except AssertionError:
        return False
    return True


def main(arguments: list[str]) -> int:
    """Record, say what was written, and fail where an existing file would have changed."""
    written, left = record(GOLDEN, overwrite="--before-freeze" in arguments)
    for name in written:
        sys.stdout.write(f"written: {name}\n")
    for name in left:
        sys.stdout.write(f"differs, not overwritten: {name}\n")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
