"""Look for planted personal data in bytes, folders and databases, in every form it may hide in.

Plant a canary (a name, an ID number, a phone), do the work, then search everything that was
written or answered. Nothing here knows what is tested.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import sqlalchemy as sa

SHORTEST = 9
DEEPEST = 3
_MOST_INFLATED = 64 * 2**20
_COMPRESSED = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08|PK\x03\x04", re.DOTALL)


class Found(NamedTuple):
    """Where a canary sits: which one, in which form, and in what."""

    canary: str
    form: str
    where: str


def forms_of(canary: str) -> dict[str, bytes]:
    """Give the bytes this canary becomes under each encoding, by the name of the form.

    Raises:
        ValueError: shorter than nine bytes, so that random bytes could look like it.
    """
    raw = canary.encode()
    if len(raw) < SHORTEST:
        msg = f"a canary needs at least {SHORTEST} bytes in UTF-8"
        raise ValueError(msg)
    escaped = json.dumps(canary)[1:-1]
    forms = {
        "utf-8": raw,
        "utf-16-le": canary.encode("utf-16-le"),
        "utf-16-be": canary.encode("utf-16-be"),
        "gb18030": canary.encode("gb18030"),
        "hex-lower": raw.hex().encode(),
        "hex-upper": raw.hex().upper().encode(),
        "json-lower": escaped.encode(),
        "json-upper": re.sub(
            r"\\u([0-9a-f]{4})", lambda hit: "\\u" + hit[1].upper(), escaped
        ).encode(),
        "percent-upper": quote(canary, safe="").encode(),
        "percent-lower": quote(canary, safe="").lower().encode(),
    }
    for before in range(3):
        # What stands before the value shifts its bits; characters shared with neighbours go.
        first = (0, 2, 3)[before]
        last = (before + len(raw)) * 8 // 6
        encoded = base64.b64encode(b"\0" * before + raw + b"\0\0")[first:last]
        forms[f"base64-{before}"] = encoded
        forms[f"base64url-{before}"] = encoded.translate(bytes.maketrans(b"+/", b"-_"))
    return {name: form for i, (name, form) in enumerate(forms.items()) if _is_new(forms, i, form)}


def find_in_bytes(data: bytes, canaries: Iterable[str], *, where: str = "bytes") -> list[Found]:
    """Search bytes, and whatever is compressed in them (zlib, gzip, ZIP entries), three deep."""
    wanted = [(canary, forms_of(canary)) for canary in canaries]
    return [
        Found(canary, form, place)
        for place, layer in _layers(data, where, DEEPEST)
        for canary, forms in wanted
        for form, needle in forms.items()
        if needle in layer
    ]


def find_in_folder(path: Path, canaries: Iterable[str]) -> list[Found]:
    """Search every file under a folder, names included: databases, logs, journals, backups."""
    wanted = list(canaries)
    found = []
    for file in sorted(path.rglob("*")):
        name = str(file.relative_to(path))
        found += find_in_bytes(name.encode(), wanted, where=f"the name of {name}")
        if file.is_file():
            found += find_in_bytes(file.read_bytes(), wanted, where=name)
    return found


def find_in_database(url: str | sa.URL, canaries: Iterable[str]) -> list[Found]:
    """Search every value of every table and view of every schema but the database's own."""
    wanted = list(canaries)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    found = []
    try:
        with engine.connect() as connection:
            for name, row in _rows(connection):
                for column, value in row.items():
                    where = f"{name}.{column}"
                    found += find_in_bytes(_as_bytes(value), wanted, where=where)
    finally:
        engine.dispose()
    return found


def _is_new(forms: dict[str, bytes], index: int, form: bytes) -> bool:
    return form not in list(forms.values())[:index]


def _rows(connection: sa.Connection) -> Iterator[tuple[str, dict[str, Any]]]:
    inspector = sa.inspect(connection)
    for schema in inspector.get_schema_names():
        if schema == "information_schema" or schema.startswith("pg_"):
            continue
        names = inspector.get_table_names(schema) + inspector.get_view_names(schema)
        for name in names:
            table = sa.table(name, schema=schema)
            for row in connection.execute(sa.select(sa.text("*")).select_from(table)).mappings():
                yield f"{schema}.{name}", dict(row)


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str).encode()
    return str(value).encode()


def _layers(data: bytes, where: str, depth: int) -> Iterator[tuple[str, bytes]]:
    yield where, data
    if depth:
        for hit in _COMPRESSED.finditer(data):
            inner = _inflated(data, hit.start())
            if inner:
                yield from _layers(inner, f"{where}, inflated at {hit.start()}", depth - 1)


def _inflated(data: bytes, start: int) -> bytes:
    if data.startswith(b"PK", start):
        name = int.from_bytes(data[start + 26 : start + 28], "little")
        extra = int.from_bytes(data[start + 28 : start + 30], "little")
        start, bits = start + 30 + name + extra, -zlib.MAX_WBITS
    else:
        bits = zlib.MAX_WBITS | 32
    inflater = zlib.decompressobj(bits)
    inner = b""
    # In small steps: a stream that breaks off may still have given the canary away.
    for at in range(start, len(data), 4096):
        try:
            inner += inflater.decompress(data[at : at + 4096], _MOST_INFLATED)
        except zlib.error:
            break
        if inflater.eof or len(inner) >= _MOST_INFLATED:
            break
    return inner
