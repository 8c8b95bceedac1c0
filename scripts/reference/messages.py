"""The pages of commands and of events, from the two registries of the kernel."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import FastAPI

from mediation import authority, codes
from mediation.case.lifecycle import table_rows
from mediation.codes import Label
from mediation.kernel import Command, Event, Handled, commands, events, kind_of, upcast_chains
from mediation.privacy import Personal, Sealed
from scripts.reference.forms import (
    bases,
    field_table,
    held_in,
    marks,
    part_sections,
    sealed_paths,
)
from scripts.reference.lifecycle import guards_of, leads
from scripts.reference.markup import (
    below,
    beside,
    code,
    described,
    link,
    page,
    table,
    wording,
)

_FACT = Label("登记事实", "recorded fact")
_DECISION = Label("办理决定", "decision of the office")


def command_page(app: FastAPI) -> str:
    """Describe every command by the stream it changes."""
    known = commands()
    routes = _routes(app)
    by_kind: dict[str, dict[str, Handled]] = {}
    for name, it in known.items():
        by_kind.setdefault(it.command_type.stream_kind, {})[name] = it
    kinds = [it.command_type for it in known.values()]
    return page(
        "Commands · 指令",
        f"A {_FACT.en} ({_FACT.zh}) is what happened: no rule refuses it, and what was irregular "
        f"is recorded with it. A {_DECISION.en} ({_DECISION.zh}) is refused outside the "
        "[life cycle](lifecycle.md) and its guards, with what to do instead. "
        "Every request carries the headers that [openapi.json](openapi.json) describes.",
        f"Personal text is sealed before it is stored ({code(Personal.__name__)}). "
        "A field that may be left out may also be null.",
        "## Every command",
        described(Command)[0],
        field_table(Command, is_input=True),
        *(
            block
            for kind, chosen in by_kind.items()
            for block in (
                f"## Stream `{kind}`",
                table(
                    ["Command 指令", "Button 按钮", "Kind 性质"],
                    (
                        [link(name), below(_label(it)), below(_nature(it))]
                        for name, it in chosen.items()
                    ),
                ),
                *(part for name, it in chosen.items() for part in _command(name, it, routes)),
            )
        ),
        "## Parts of commands",
        *part_sections(kinds, is_input=True),
    )


def _label(handled: Handled) -> Label:
    return wording("commands", handled.command_type.__name__)


def _nature(handled: Handled) -> Label:
    return _FACT if handled.command_type.is_fact else _DECISION


def _routes(app: FastAPI) -> dict[str, str]:
    """Give method and path by the name of the operation, as the interface is described."""
    return {
        operation["operationId"]: f"{method.upper()} {path}"
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
    }


def _command(name: str, handled: Handled, routes: dict[str, str]) -> Iterator[str]:
    kind = handled.command_type
    yield f"### {name}"
    yield f"**{beside(_label(handled))}** ({beside(_nature(handled))})"
    if name in routes:
        yield code(routes[name])
    yield described(kind)[0]
    if decided := described(handled.decide)[0]:
        yield f"*Decision:* {decided}"
    variants = {
        key.partition(".")[2]: label
        for key, label in codes.table("command_variants").items()
        if key.partition(".")[0] == kind.__name__
    }
    yield "\n".join(f"- {code(value)}: {beside(label)}" for value, label in variants.items())
    yield "\n".join([*(f"- {mark}" for mark in marks(kind, Command)), *_moves(name)])
    yield field_table(kind, is_input=True)
    row = authority.TABLE.get(name, {})
    yield table(
        ["Who may 办理人员", "When 条件"],
        (
            [below(wording("roles", role)), below(Label(row[role].zh, row[role].en))]
            for role in (authority.may(name) if row else ())
        ),
    )


def _moves(name: str) -> Iterator[str]:
    """Say where the life-cycle table has this command lead, and what guards it."""
    for row in table_rows():
        if row["trigger"] == name:
            yield f"- *Phase 阶段:* {leads(row)}"
            if row["guards"]:
                yield f"- *Guards 办理条件:* {guards_of(row, ', ')}"


def event_page() -> str:
    """Describe every stored event by the stream it stands in."""
    known = events()
    shared = list(dict.fromkeys(base for kind in known.values() for base in bases(kind, Event)))
    by_kind: dict[str, dict[str, type[Event]]] = {}
    for topic, kind in known.items():
        by_kind.setdefault(kind_of(topic), {})[topic] = kind
    return page(
        "Events · 事件",
        "What the log holds, for ever: a topic with its version never changes its form. "
        f"A {code(Sealed.__name__)} field is encrypted under a key of the person it is about.",
        "## Shared fields",
        *(
            block
            for base in shared
            for block in (
                f"### {base.__name__}",
                described(base)[0],
                field_table(base, is_input=False),
            )
        ),
        *(
            block
            for kind, chosen in by_kind.items()
            for block in (
                f"## Stream `{kind}`",
                table(
                    ["Event 事件", "Label 名称", "Class"],
                    (
                        [link(topic), below(_said(topic)), code(it.__name__)]
                        for topic, it in chosen.items()
                    ),
                ),
                *(part for topic, it in chosen.items() for part in _event(topic, it)),
            )
        ),
        "## Parts of events",
        *part_sections([*known.values()], is_input=False),
    )


def _said(topic: str) -> Label:
    return wording("events", topic.partition("/")[0])


def _event(topic: str, kind: type[Event]) -> Iterator[str]:
    yield f"### {topic}"
    yield f"**{beside(_said(topic))}** ({code(kind.__name__)})"
    yield described(kind)[0]
    if topic in upcast_chains():
        yield f"An older form: it is read as {code(upcast_chains()[topic][0])}."
    reasons = codes.meaning("reason_code", within=topic.partition("/")[0])
    if reasons is not None and reasons.table is not None:
        yield f"*Reason 原因:* {code('reason_code')} is a {held_in(reasons.table)}."
    own = field_table(kind, is_input=False)
    carried = ", ".join(link(it.__name__) for it in bases(kind, Event))
    yield f"Carries the fields of {carried}" + (", and its own:" if own else ".")
    yield own
    if sealed := sealed_paths(kind, Sealed):
        yield f"*Sealed 加密:* {', '.join(map(code, sealed))}"
