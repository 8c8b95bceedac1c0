"""Values that say whose they are, and the envelope they travel in; keys come from the caller.

A command carries `Personal`; the decider says whose it is and why (`Personal.of`), which gives an
`Unsealed` in the place of a `Sealed`. An `Unsealed` cannot be encoded at all, so an event that was
not sealed can never reach the log. The door replaces it by a `Sealed` (ADR 0004).
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache
from operator import is_not
from typing import Any, cast
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
FORMAT = 1
ALGORITHM = "A256GCM"


class Purpose(StrEnum):
    """Why a datum is kept; each purpose of each subject has keys of its own."""

    IDENTITY = "identity"
    CONTACT = "contact"
    SENSITIVE = "sensitive"
    FREE_TEXT = "free-text"


class Sealed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An encrypted value as it stands in an event.

    `kid` names the key in the vault, `nonce` and `ct` are base64; `subject_id` is the random id of
    the person the value is about (free text: of its author in this case).
    """

    v: int = FORMAT
    alg: str = ALGORITHM
    kid: str
    subject_id: UUID
    purpose: Purpose
    nonce: str
    ct: str


class Unsealed:
    """A value that stands where a `Sealed` will stand; msgspec refuses to encode it."""

    __slots__ = ("purpose", "subject_id", "value")

    def __init__(self, subject_id: UUID, purpose: Purpose, value: str) -> None:
        self.subject_id = subject_id
        self.purpose = purpose
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unsealed) and self._all() == other._all()

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        return f"Unsealed({self.subject_id}, {self.purpose.value})"

    def _all(self) -> tuple[UUID, Purpose, str]:
        return self.subject_id, self.purpose, self.value


class Personal:
    """Personal data or free text inside a command; prints as dots, compares by value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def of(self, subject_id: UUID, purpose: Purpose) -> Sealed:
        """Say whose this is and why it is kept; the door seals it before it is appended."""
        return cast("Sealed", Unsealed(subject_id, purpose, self._value))

    def plainly(self) -> Personal:
        """Give a number as it is, however it was written: what two ways of writing share."""
        plain = unicodedata.normalize("NFKC", self._value).upper()
        return Personal("".join(char for char in plain if char.isalnum()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Personal) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Personal(…)"


def personal_from_json(value: object, *, longest: int = 4000) -> Personal:
    """Read a JSON string as `Personal`.

    Raises:
        ValueError: not a string, blank, longer than `longest`, or holding a NUL or half of a
            surrogate pair, which no database stores.
    """
    if (
        not isinstance(value, str)
        or not value.strip()
        or len(value) > longest
        or any(char == "\x00" or "\ud800" <= char <= "\udfff" for char in value)
    ):
        msg = f"expected a text of 1 to {longest} characters"
        raise ValueError(msg)
    return Personal(value)


def plain_for_digest(value: object) -> object:
    """Give msgspec the clear value of a `Personal`; only for a digest."""
    if isinstance(value, Personal):
        return value._value  # noqa: SLF001 - the one reader of the clear value besides `of`
    raise NotImplementedError


def canonical(value: Any) -> bytes:
    """Give the canonical bytes of what was asked for, for a digest (ADR 0027).

    UTF-8 JSON without spaces, keys sorted, times in UTC, personal data in clear. A field that holds
    its default is left out, at every depth, so that a field that a later release adds changes
    nothing.
    """
    said = _said(value)
    return msgspec.json.encode(said, enc_hook=plain_for_digest, order="sorted")


def _said(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {
            name: _said(getattr(value, attribute))
            for name, attribute, default in _fields_of(type(value))
            if getattr(value, attribute) != default
        }
    if isinstance(value, tuple):
        return [_said(item) for item in value]
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value


@cache
def _fields_of(kind: type[msgspec.Struct]) -> tuple[tuple[str, str, Any], ...]:
    """Name the fields of a form as JSON and Python name them, each with its default."""
    return tuple(
        (field.encode_name, field.name, field.default) for field in msgspec.structs.fields(kind)
    )


def kid_of(key: bytes) -> str:
    """Give the name of a key: a digest of it, so that a name can only ever mean one key.

    GCM by itself does not commit to its key; the name, which stands in the event, does. 192 bits
    of SHA-256 over 256 random bits, as 32 characters of URL-safe base64; it tells nothing of the
    key and outlives it.
    """
    digest = hashlib.sha256(b"mediation/key/1" + key).digest()
    return base64.urlsafe_b64encode(digest[:24]).decode()


def place_of(log_id: str, stream_id: UUID, version: int, topic: str) -> bytes:
    """Give the place of an event in a log as bytes; unambiguous, since every part has its length.

    `topic` is the stored one, with its version: `case.registered/1`.
    """
    parts = (
        b"mediation/sealed/1",
        log_id.encode(),
        stream_id.bytes,
        version.to_bytes(8, "big"),
        topic.encode(),
    )
    return b"".join(map(_prefixed, parts))


def aad_of(place: bytes, path: str) -> bytes:
    """Give what binds a value to its path inside the event that stands at `place`."""
    return place + _prefixed(path.encode())


def seal_value(value: Unsealed, *, kid: str, key: bytes, nonce: bytes, aad: bytes) -> Sealed:
    """Encrypt one value under `key` (32 bytes) with `nonce` (12 bytes, never used before).

    It will open only with the same `aad` (its place), for the same subject and purpose.
    """
    ct = AESGCM(key).encrypt(nonce, value.value.encode(), _bound(aad, value))
    return Sealed(
        kid=kid,
        subject_id=value.subject_id,
        purpose=value.purpose,
        nonce=base64.b64encode(nonce).decode(),
        ct=base64.b64encode(ct).decode(),
    )


def open_sealed(sealed: Sealed, *, key: bytes, aad: bytes) -> str:
    """Decrypt one value.

    Raises:
        cryptography.exceptions.InvalidTag: another key, an altered envelope, an envelope moved to
            another place in the log, or one of a format this release does not know.
    """
    if (sealed.v, sealed.alg) != (FORMAT, ALGORITHM):
        raise InvalidTag
    try:
        nonce = base64.b64decode(sealed.nonce, validate=True)
        ct = base64.b64decode(sealed.ct, validate=True)
        return AESGCM(key).decrypt(nonce, ct, _bound(aad, sealed)).decode()
    except ValueError:
        raise InvalidTag from None


def transform(
    value: Any, replace: Callable[[str, Any], Any], kind: type | tuple[type, ...], path: str = ""
) -> Any:
    """Copy `value`, putting `replace(path, item)` in the place of every item of type `kind`.

    Paths are dotted names as they are stored, with indexes and keys: `applicants.0.name`.
    """
    if isinstance(value, kind):
        return replace(path, value)
    if isinstance(value, Sealed):
        return value
    if isinstance(value, msgspec.Struct):
        changes = {}
        for field, name in zip(
            value.__struct_fields__, value.__struct_encode_fields__, strict=True
        ):
            old = getattr(value, field)
            if type(old) in _PLAIN:
                continue
            new = transform(old, replace, kind, _under(path, name))
            if new is not old:
                changes[field] = new
        return msgspec.structs.replace(value, **changes) if changes else value
    if isinstance(value, tuple):
        items = tuple(transform(v, replace, kind, _under(path, i)) for i, v in enumerate(value))
        return items if any(map(is_not, items, value)) else value
    if isinstance(value, dict):
        copy = {k: transform(v, replace, kind, _under(path, k)) for k, v in value.items()}
        return copy if any(map(is_not, copy.values(), value.values())) else value
    return value


def sealed_values(value: Any) -> Iterator[tuple[str, Sealed]]:
    """Walk an event and give every sealed value with its dotted path."""
    found: list[tuple[str, Sealed]] = []

    def collect(path: str, sealed: Sealed) -> Sealed:
        found.append((path, sealed))
        return sealed

    transform(value, collect, Sealed)
    return iter(found)


def stored_sealed_values(data: bytes) -> Iterator[tuple[str, Sealed]]:
    """Walk the stored bytes of an event and give every sealed value with its dotted path.

    The paths are those under which the values were sealed, also in an event whose class has
    changed since or is no longer known.
    """
    return _stored(msgspec.json.decode(data), "")


# What most fields are, and what holds nothing: the walk passes over it without a call.
_PLAIN = frozenset({str, int, bool, UUID, datetime, date, type(None)})
_NESTED = frozenset({dict, list})
_FIELDS = frozenset(Sealed.__struct_encode_fields__)


def _stored(value: Any, path: str) -> Iterator[tuple[str, Sealed]]:
    if isinstance(value, dict):
        if value.keys() == _FIELDS:
            yield path, msgspec.convert(value, Sealed)
            return
        items: Any = value.items()
    else:
        items = enumerate(value)
    for name, item in items:
        if type(item) in _NESTED:
            yield from _stored(item, _under(path, name))


def _under(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)


def _prefixed(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part


def _bound(aad: bytes, value: Unsealed | Sealed) -> bytes:
    # The envelope's own words are bound too: relabelled to another subject it would outlive him.
    return aad + _prefixed(value.subject_id.bytes) + _WORDS[value.purpose]


_WORDS = {p: _prefixed(ALGORITHM.encode()) + _prefixed(p.value.encode()) for p in Purpose}
