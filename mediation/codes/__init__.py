"""Versioned code tables with Chinese and English labels; rules, levels and phase logic stay out.

What stands in events is in a published, pinned file. How screens name buttons, lanes and lines of a
timeline is in `labels.toml`, which is never stored and may be mended.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType

import msgspec

from mediation.errors import Unsafe

REF = "core-v1"
DIGEST = "sha256:57625284b4d892bbf7888e80b59361073281121521e24c5c0814e54d3309fa27"

_ABOUT = ("ref", "issued_by", "jurisdiction", "in_force_from")

__all__ = [
    "DIGEST",
    "REF",
    "CodeUnknown",
    "Label",
    "Meaning",
    "coded",
    "is_code",
    "label",
    "meaning",
    "phase_label",
    "table",
    "tables",
]


class Label(msgspec.Struct, frozen=True):
    """One wording for people, in Chinese and in English."""

    zh: str
    en: str


class CodeUnknown(LookupError):
    """A table, or a code in a table, that this version does not have."""


@cache
def _all_tables() -> Mapping[str, Mapping[str, Label]]:
    """Read the packaged file once; every part of the answer is read-only."""
    stored = (files(__package__) / "published" / f"{REF}.toml").read_bytes()
    # Events name the version they used, so a released file that was edited must not be served.
    if f"sha256:{sha256(stored).hexdigest()}" != DIGEST:
        raise Unsafe(
            zh=f"代码表 {REF} 与发布时不一致；请重新安装。",
            en=f"The code tables {REF} differ from the release; install it again.",
        )
    return _read(stored)


def _read(stored: bytes) -> Mapping[str, Mapping[str, Label]]:
    """Read a file of tables; who issued it, and for where and when, is for whoever reads it."""
    parsed = tomllib.loads(stored.decode())
    for said in _ABOUT:
        parsed.pop(said, None)
    typed = msgspec.convert(parsed, dict[str, dict[str, Label]])
    return MappingProxyType({name: MappingProxyType(rows) for name, rows in typed.items()})


@cache
def _wordings() -> Mapping[str, Mapping[str, Label]]:
    return _read((files(__package__) / "labels.toml").read_bytes())


def tables() -> tuple[str, ...]:
    """Name every table: first those whose codes stand in events, then the wordings of screens."""
    return (*_all_tables(), *_wordings())


def coded() -> tuple[str, ...]:
    """Name the tables whose codes stand in events, in the order of the published file."""
    return tuple(_all_tables())


def table(name: str) -> Mapping[str, Label]:
    """Give one table, code to label, read-only and in the order of the file.

    Raises:
        CodeUnknown: this version has no such table.
    """
    try:
        return _all_tables().get(name) or _wordings()[name]
    except KeyError:
        message = (
            f"没有这张代码表；请用 tables() 所列之一 / no such table; use one of tables() ({REF})"
        )
        raise CodeUnknown(message) from None


def label(table_name: str, code: str) -> Label:
    """Give the label of one code.

    Raises:
        CodeUnknown: this version has no such table, or the table no such code.
    """
    try:
        return table(table_name)[code]
    except KeyError:
        message = (
            f"代码表 {table_name} 没有这个代码；请从表内选择 / "
            f"table {table_name} has no such code; choose one of it ({REF})"
        )
        raise CodeUnknown(message) from None


def phase_label(matter_kind: str, phase: str) -> Label:
    """Give the label of a phase as the office says it of this kind of matter.

    Raises:
        CodeUnknown: there is no such phase.
    """
    return table("phase_variants").get(f"{matter_kind}.{phase}") or label("phases", phase)


def is_code(table_name: str, code: str) -> bool:
    """Say whether the table has the code.

    Raises:
        CodeUnknown: this version has no such table.
    """
    return code in table(table_name)


class Meaning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a field holds: a code of a published table, or what is said of it."""

    table: str | None = None
    says: str | None = None


@cache
def _meanings() -> Mapping[str, Meaning]:
    stored = (files(__package__) / "fields.toml").read_bytes()
    return MappingProxyType(msgspec.convert(tomllib.loads(stored.decode()), dict[str, Meaning]))


def meaning(field: str, *, within: str = "") -> Meaning | None:
    """Give what a field of an event holds; None where its name and form say it all.

    `within` is the topic without its version, or the struct that has the field: inside an event,
    or in the state of a case.
    """
    known = _meanings()
    if "." in within:
        return known.get(f"{within}#{field}") or known.get(field)
    return known.get(f"{within}.{field}" if within else field)
