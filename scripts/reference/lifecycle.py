"""The life cycle of a case as a page: its picture, its table of commands and phases, its guards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from mediation.case import lifecycle
from mediation.case.lifecycle import SAME, machine, table_rows
from mediation.codes import Label
from mediation.errors import Refusal
from mediation.kernel import Command, commands
from scripts.reference.drawing import Arrow, draw
from scripts.reference.forms import marks
from scripts.reference.markup import below, beside, code, described, page, table, wording

_MERMAID = str.maketrans({sign: f"#{ord(sign)};" for sign in '#;:"<>{}[]()'})
_EVERY = "every phase 各阶段"
_FEW = 3
"""From more phases than these a command's arrows are drawn together."""
_STAYS = "the same 不变"


def arrows() -> list[Arrow]:
    """Give every command that moves the phase, in the order of the phases it starts from."""
    order = phases().index
    moving = [row for row in table_rows() if _moved_from(row)]
    moving.sort(key=lambda row: (order(_moved_from(row)[0]), order(_next(row)[0])))
    drawn = [(row["trigger"], _moved_from(row), _next(row)) for row in moving]
    first = (str(machine().initial),)
    opening = [
        (name, (), first)
        for name, it in commands().items()
        if it.command_type.creates and it.command_type.stream_kind == "case"
    ]
    return [
        Arrow(_command_label(name), sources, to, is_fact=commands()[name].command_type.is_fact)
        for name, sources, to in [*opening, *drawn]
    ]


def phases() -> list[str]:
    """Name the phases in their order."""
    return list(machine().states)


def _next(row: dict[str, Any]) -> tuple[str, ...]:
    """Give the phases that a row can lead to, beside the present one."""
    to = [row["to"]] if isinstance(row["to"], str) else row["to"]
    return tuple(str(phase) for phase in to if phase != SAME)


def _moved_from(row: dict[str, Any]) -> tuple[str, ...]:
    """Give the phases that a row's command can lead out of; one that names none is open in all."""
    return tuple(
        here for here in row["from"] or phases() if any(there != here for there in _next(row))
    )


def _command_label(name: str) -> Label:
    return wording("commands", commands()[name].command_type.__name__)


def _phase_label(phase: str) -> Label:
    return wording("phases", phase)


def drawing() -> str:
    """Draw the life cycle: a column for each phase, a row for each command that moves it."""
    return draw({phase: _phase_label(phase) for phase in phases()}, arrows())


def diagram() -> str:
    """Give the life cycle as a Mermaid diagram; parallel arrows share one label.

    What leads out of many phases alike starts from a node that names them by number.
    """
    number = {phase: place for place, phase in enumerate(phases(), 1)}
    shared: dict[str, str] = {}
    labels: dict[tuple[str, str], list[Label]] = {}
    for arrow in arrows():
        here = arrow.sources or ("[*]",)
        if len(here) > _FEW:
            together = _numbers([number[phase] for phase in here])
            here = ("ANY_" + re.sub(r"\W+", "_", together),)
            shared[here[0]] = together
        for source in here:
            for to in arrow.to:
                if to != source:
                    labels.setdefault((source, to), []).append(arrow.label)
    left = {phase for arrow in arrows() for phase in arrow.sources}
    return "\n".join(
        [
            "```mermaid",
            "stateDiagram-v2",
            "    classDef any stroke-dasharray:4 3",
            *(
                f'    state "{number[phase]} {_mermaid([_phase_label(phase)], "<br/>")}" as {phase}'
                for phase in phases()
            ),
            *(f'    state "{said} 任一 any" as {name}' for name, said in shared.items()),
            *(f"    {here} --> {to} : {_mermaid(said)}" for (here, to), said in labels.items()),
            *(f"    {phase} --> [*]" for phase in phases() if phase not in left),
            *(f"    class {name} any" for name in shared),
            "```",
        ]
    )


def _numbers(places: list[int]) -> str:
    """Write numbers in rising order with runs drawn together: 1–6, 9."""
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _mermaid(labels: Iterable[Label], between: str = " ") -> str:
    return "<br/>".join(
        f"{it.zh.translate(_MERMAID)}{between}{it.en.translate(_MERMAID)}" for it in labels
    )


def leads(row: dict[str, Any]) -> str:
    """Say from which phases a row leads to which."""
    return f"{_from(row, beside, '; ')} → {_to(row, beside, ' / ')}"


def _to(row: dict[str, Any], shown: Callable[[Label], str], between: str) -> str:
    to = [row["to"]] if isinstance(row["to"], str) else row["to"]
    return between.join(_STAYS if it == SAME else shown(_phase_label(it)) for it in to)


def _from(row: dict[str, Any], shown: Callable[[Label], str], between: str) -> str:
    named = row["from"]
    if not named:
        return _EVERY
    missing = [phase for phase in phases() if phase not in named]
    if len(missing) >= len(named):
        return between.join(shown(_phase_label(phase)) for phase in named)
    but = between.join(shown(_phase_label(phase)) for phase in missing)
    return f"{_EVERY}, except 除外: {but}" if but else _EVERY


def guards_of(row: dict[str, Any], between: str) -> str:
    """Name the guards of a row."""
    return between.join(f"[{code(guard)}](lifecycle.md#guards)" for guard in row["guards"])


def guards() -> dict[str, tuple[Callable[..., object], Refusal]]:
    """Give every guard with the sentence that it refuses with."""
    return dict(lifecycle._GUARDS)  # noqa: SLF001 - the registry has no other reader


def lifecycle_page() -> str:
    """Describe the phases, the ways between them, and what guards each."""
    rows = table_rows()
    moving = [row for row in rows if _moved_from(row)]
    staying = [row for row in rows if not _moved_from(row)]
    return page(
        "Life cycle of a case · 案件办理流程",
        "A decision of the office is refused in a phase from which its command does not lead on, "
        "and while a guard does not hold. A recorded fact is never refused: where the table does "
        "not lead on, the phase stays. The [commands](commands.md) tell who may do what.",
        "![Phases as columns, commands as rows: an arrow leads from the dots to the next phase]"
        "(lifecycle.svg)",
        "The same as a graph; a dashed box with numbers stands for any of those phases:",
        diagram(),
        "## Phases",
        table(
            ["", "Phase 阶段", "Label 名称", "Led on by 离开本阶段的指令"],
            (
                [
                    str(place),
                    code(phase),
                    below(_phase_label(phase)),
                    "<br>".join(
                        _link(row["trigger"]) for row in moving if phase in _moved_from(row)
                    )
                    or "none 无",
                ]
                for place, phase in enumerate(phases(), 1)
            ),
        ),
        "## Commands that move the phase",
        table(
            ["Command 指令", "From 起", "To 至", "Guards 办理条件"],
            (
                [
                    _named(row),
                    _from(row, below, "<br>"),
                    _to(row, below, "<br>"),
                    guards_of(row, "<br>"),
                ]
                for row in moving
            ),
        ),
        "## Commands that keep the phase",
        "Or that leave it to the event: a move of custody may begin the next body's work anew.",
        table(
            ["Command 指令", "Open in 可办阶段", "Guards 办理条件"],
            ([_named(row), _from(row, below, "<br>"), guards_of(row, "<br>")] for row in staying),
        ),
        "## Guards",
        "What has to hold, and what is told to whoever asks while it does not.",
        table(
            ["Guard 办理条件", "Holds when", "Otherwise 否则", "Asked by 适用指令"],
            (
                [
                    code(name),
                    described(function)[0],
                    below(Label(refusal.zh, refusal.en)),
                    "<br>".join(code(row["trigger"]) for row in rows if name in row["guards"]),
                ]
                for name, (function, refusal) in guards().items()
            ),
        ),
    )


def _named(row: dict[str, Any]) -> str:
    name = row["trigger"]
    kind = commands()[name].command_type
    fact = ["*fact 事实*"] if kind.is_fact else []
    return "<br>".join([_link(name), below(_command_label(name)), *fact, *marks(kind, Command)])


def _link(name: str) -> str:
    return f"[{code(name)}](commands.md#{name})"
