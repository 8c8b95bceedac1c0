"""The pieces of Markdown that the reference is made of; what is told with them stands elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from inspect import cleandoc

import msgspec

from mediation import codes
from mediation.codes import CodeUnknown, Label

_SPECIAL = re.compile(r"[\\*_<~]")
_PIPE = re.compile(r"(?<!\\)\|")
_ENTRY = re.compile(r"^    (\w[\w, ]*): +(.*)$")
_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):\n", re.MULTILINE)


def prose(text: str) -> str:
    """Take every sign that Markdown would read as its own out of a text, except `code`."""
    parts = text.split("`")
    plain = (_SPECIAL.sub(r"\\\g<0>", part) for part in parts[::2])
    marked = (code(part) for part in parts[1::2])
    return "".join(piece for pair in zip(plain, [*marked, ""], strict=False) for piece in pair)


def code(text: object) -> str:
    """Show a text exactly as it is."""
    return f"`{text}`"


def beside(wording: Label) -> str:
    """Give both languages on one line."""
    return f"{prose(wording.zh)} · {prose(wording.en)}"


def below(wording: Label) -> str:
    """Give both languages in one cell, one under the other."""
    return f"{prose(wording.zh)}<br>{prose(wording.en)}"


def link(text: str) -> str:
    """Lead to the section of this page that has this heading."""
    return f"[{code(text)}](#{anchor(text)})"


def anchor(heading: str) -> str:
    """Give the name under which forges lead to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Give a table; a bar in a cell does not end it, and a line break stays in its cell."""
    lines = [list(head), ["---"] * len(head), *map(list, rows)]
    return "\n".join(f"| {' | '.join(map(_cell, cells))} |" for cells in lines)


def _cell(text: str) -> str:
    return _PIPE.sub(r"\\|", " ".join(text.split("\n"))).strip()


def page(title: str, *blocks: str) -> str:
    """Give a page: its title, a word on where it comes from, and its blocks."""
    note = "<!-- Written by `make docs` from the code and its published data; edit those. -->"
    return "\n\n".join([f"# {title}", note, *filter(None, blocks)]) + "\n"


def wording(table_name: str, key: str) -> Label:
    """Give the label of a code; one without any is its own label."""
    try:
        return codes.label(table_name, key)
    except CodeUnknown:
        return Label(key, key)


def described(documented: type | object) -> tuple[str, dict[str, str]]:
    """Give what a docstring says, as paragraphs, and what it says of each attribute."""
    text, *sections = _SECTION.split(cleandoc(documented.__doc__ or ""))
    listed = dict(zip(sections[::2], sections[1::2], strict=True)).get("Attributes", "")
    paragraphs = [prose(" ".join(it.split())) for it in text.split("\n\n") if it.strip()]
    attributes: dict[str, str] = {}
    names: list[str] = []
    for line in listed.splitlines():
        if entry := _ENTRY.match(line):
            names = entry[1].split(", ")
            attributes |= dict.fromkeys(names, entry[2])
        else:
            attributes |= {name: f"{attributes[name]} {line.strip()}" for name in names}
    return "\n\n".join(paragraphs), {n: prose(text.strip()) for n, text in attributes.items()}


def rest(value: msgspec.Struct, *shown: str) -> list[str]:
    """List the fields of a value that a page does not show in words, so that none is left out."""
    return [
        f"{code(name)}: {code(msgspec.json.encode(found).decode())}"
        for name in value.__struct_fields__
        if name not in shown and (found := getattr(value, name)) not in (None, (), "")
    ]
