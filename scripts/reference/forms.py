"""The form of commands and events in words: fields, types, limits; no label and no rule of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from inspect import get_annotations
from typing import Any, cast

import msgspec
from msgspec import inspect

from api.routes.cases import personal_schema
from mediation import codes
from mediation.kernel import Event
from scripts.reference.markup import code, described, link, prose, table

FIELDS = ("Field 字段", "Form 格式")
_PLAIN = {
    "BoolType": "true or false",
    "DateType": "date",
    "DateTimeType": "time with its zone",
    "NoneType": "null",
    "UUIDType": "UUID",
}


def own_fields(kind: type[msgspec.Struct]) -> list[inspect.Field]:
    """Give the fields that a class adds to those of its bases."""
    inherited = {name for base in kind.__bases__ for name in getattr(base, "__struct_fields__", ())}
    return [field for field in _info(kind).fields if field.name not in inherited]


def bases(kind: type[msgspec.Struct], root: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    """Give the classes from `root` down whose fields a class has beside its own."""
    found = [it for it in reversed(kind.__mro__[1:]) if issubclass(it, root)]
    return [it for it in found if own_fields(it)]


def marks(kind: type[msgspec.Struct], root: type[msgspec.Struct]) -> list[str]:
    """List the class variables that a class sets otherwise than the class that introduced them."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, root) and base is not root:
            for name in get_annotations(base):
                if name not in kind.__struct_fields__ and not hasattr(root, name):
                    found.setdefault(name, getattr(base, name))
    return [
        f"{code(name)}: {_mark(getattr(kind, name))}"
        for name, usual in found.items()
        if getattr(kind, name) != usual
    ]


def _mark(value: Any) -> str:
    is_plain = isinstance(value, str) or not isinstance(value, Iterable)
    return code(value) if is_plain else ", ".join(code(it) for it in sorted(map(str, value)))


def field_table(kind: type[msgspec.Struct], *, is_input: bool) -> str:
    """Give the table of a class's own fields; of an input it tells which may be left out."""
    fields = own_fields(kind)
    if not fields:
        return ""
    meanings = described(kind)[1]
    if not is_input:
        meanings = {it.name: _held(kind, it.name) for it in fields} | meanings
        meanings = meanings if any(meanings.values()) else {}
    head = [*FIELDS, *(["Required 必填"] if is_input else []), *(["Meaning"] if meanings else [])]
    rows = [
        [
            code(field.encode_name),
            _field(field, is_input=is_input),
            *([_required(field)] if is_input else []),
            *([meanings.get(field.name, "")] if meanings else []),
        ]
        for field in fields
    ]
    return table(head, rows)


def _held(kind: type[msgspec.Struct], field: str) -> str:
    """Say what a field of an event holds, as the file beside the code tables has it."""
    within = kind.topic.partition("/")[0] if issubclass(kind, Event) else kind.__name__
    meaning = codes.meaning(field, within=within)
    if meaning is None:
        return ""
    return held_in(meaning.table) if meaning.table else prose(meaning.says or "")


def held_in(table_name: str) -> str:
    """Say that something is a code of a table."""
    return f"code of [{table_name}](codes.md#{table_name})"


def part_sections(kinds: Iterable[type[msgspec.Struct]], *, is_input: bool) -> Iterator[str]:
    """Give a section for every structure that is a part of these, each once, by name."""
    parts = {part for kind in kinds for part in _parts(_info(kind))}
    for part in sorted(parts, key=lambda it: it.__name__):
        yield f"### {part.__name__}"
        yield described(part)[0]
        yield field_table(part, is_input=is_input)


def sealed_paths(kind: type[msgspec.Struct], sealed: type) -> list[str]:
    """Name the places of a structure that hold a sealed value, as dotted paths."""
    return [
        path
        for field in _info(kind).fields
        for path in _paths(field.type, field.encode_name, sealed)
    ]


def _paths(info: Any, path: str, sealed: type) -> Iterator[str]:
    if isinstance(info, inspect.StructType):
        if info.cls is sealed:
            yield path
            return
        for field in info.fields:
            yield from _paths(field.type, f"{path}.{field.encode_name}", sealed)
    elif isinstance(info, inspect.UnionType):
        for one in info.types:
            yield from _paths(one, path, sealed)
    else:
        for inner in _inner(info):
            yield from _paths(inner, f"{path}.*", sealed)


def _info(kind: type[msgspec.Struct]) -> inspect.StructType:
    return cast("inspect.StructType", inspect.type_info(kind))


def _inner(info: Any) -> tuple[Any, ...]:
    """Give the types that a type is made of."""
    single = ("type", "item_type", "key_type", "value_type")
    return (
        *(getattr(info, name) for name in single if hasattr(info, name)),
        *getattr(info, "types", ()),
        *getattr(info, "item_types", ()),
    )


def _parts(info: Any) -> Iterator[type[msgspec.Struct]]:
    inner = (
        [it.type for it in info.fields] if isinstance(info, inspect.StructType) else _inner(info)
    )
    for one in inner:
        if isinstance(one, inspect.StructType):
            yield one.cls
        yield from _parts(one)


def _required(field: inspect.Field) -> str:
    if field.required:
        return "yes"
    if field.default in (None, msgspec.NODEFAULT):
        return "no"
    return f"no: {code(msgspec.json.encode(field.default).decode())}"


def _field(field: inspect.Field, *, is_input: bool) -> str:
    info = field.type
    # What may be left out may also be null; it is said once, in the column beside.
    if is_input and not field.required and isinstance(info, inspect.UnionType):
        return _either([it for it in info.types if not isinstance(it, inspect.NoneType)])
    return _words(info)


def _words(info: Any) -> str:  # noqa: C901, PLR0911 - one answer for each kind of type
    match info:
        case inspect.Metadata():
            examples = (info.extra_json_schema or {}).get("examples", ())
            shown = f", such as {code(examples[0])}" if examples else ""
            return _words(info.type) + shown
        case inspect.StrType():
            return "text" + _characters(info) + (f" like {code(info.pattern)}" * bool(info.pattern))
        case inspect.IntType():
            return "whole number" + _range(info)
        case inspect.CustomType():
            schema = personal_schema(info.cls)
            return f"personal text of {schema['minLength']}–{schema['maxLength']:,} characters"
        case inspect.StructType():
            return link(info.cls.__name__)
        case inspect.EnumType():
            return _one_of([it.value for it in info.cls])
        case inspect.LiteralType():
            return _one_of(list(info.values))
        case inspect.VarTupleType():
            return f"list{_length(info)} of {_words(info.item_type)}"
        case inspect.DictType():
            return f"map of {_words(info.key_type)} to {_words(info.value_type)}"
        case inspect.UnionType():
            return _either(info.types)
        case _:
            name = type(info).__name__
            return _PLAIN.get(name) or " then ".join(map(_words, _inner(info))) or prose(name)


def _either(types: Iterable[Any]) -> str:
    return " or ".join(map(_words, types))


def _one_of(values: list[Any]) -> str:
    """Name the code table that holds exactly these values, or else the values."""
    for name in codes.tables():
        if set(codes.table(name)) == set(values):
            return f"code of [{name}](codes.md#{name})"
    return "one of " + ", ".join(map(code, values)) if len(values) > 1 else code(values[0])


def _between(least: int | None, most: int | None) -> str:
    if least is not None and most is not None:
        return f"{least:,}" if least == most else f"{least:,}–{most:,}"
    if most is not None:
        return f"at most {most:,}"
    return f"at least {least:,}" if least is not None else ""


def _characters(info: inspect.StrType) -> str:
    span = _between(info.min_length, info.max_length)
    return f" of {span} characters" if span else ""


def _length(info: inspect.VarTupleType) -> str:
    span = _between(info.min_length, info.max_length)
    return f" ({span})" if span else ""


def _range(info: inspect.IntType) -> str:
    least = info.ge if info.ge is not None else None if info.gt is None else info.gt + 1
    most = info.le if info.le is not None else None if info.lt is None else info.lt - 1
    span = _between(least, most)
    return f", {span}" if span else ""
