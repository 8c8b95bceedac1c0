"""The traps of the two libraries, one test each: closed here, and red on a broken snippet.

What a database does with them (locks, start-up races, gaps, dumps) is proved with the store.
"""

import ast
import tomllib
from collections.abc import Callable, Iterator
from datetime import date
from enum import Enum, StrEnum
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from eventsourcing.application import Application

from mediation import kernel
from mediation.case import check_lifecycle
from mediation.case.custody import CustodyTaken
from mediation.case.lifecycle import machine
from mediation.case.state import CaseEvent, RecordedFact
from mediation.kernel import ENVELOPE, Event, evolves, stored_as
from mediation.store import Log, migrate, open_engine
from tests.databases import fresh_sqlite
from tests.scenario import DISTRICT

ROOT = Path(__file__).parents[2]
PACKAGES = ("mediation", "projections", "api")
Scan = Callable[[str, str], list[str]]

# Bases that several events share; they are never stored themselves.
BASES = {Event, CaseEvent, RecordedFact, CustodyTaken}


def sources(*packages: str) -> dict[str, str]:
    """Give every Python file of these packages by its path from the root."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for package in packages
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def findings(scan: Scan, files: dict[str, str]) -> list[str]:
    """Give what a scan finds in all files."""
    return [f"{name}: {found}" for name, text in files.items() for found in scan(name, text)]


@cache
def parsed(text: str) -> ast.Module:
    """Read a file once for all scans."""
    return ast.parse(text)


def imports(text: str) -> Iterator[tuple[str, str]]:
    """Give every import of a file as module and name; the name is empty for a whole module."""
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def dotted(node: ast.AST) -> str:
    """Give `a.b.c` of an attribute or name; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else node.attr
    return ""


# Trap 1: of two evolutions under one name the library keeps the last and drops the other silently


def unregistered(base: type[Event]) -> set[type[Event]]:
    """Give the event classes of the project that no stored topic leads to."""
    found: set[type[Event]] = set()
    for event_type in base.__subclasses__():
        if not event_type.__module__.startswith("mediation."):
            continue
        if event_type not in BASES and event_type not in kernel.events().values():
            found.add(event_type)
        found |= unregistered(event_type)
    return found


def test_every_event_has_one_evolution_whatever_its_function_is_called():
    """Trap 1: evolutions are registered by class, so two called `_` cannot hide each other."""
    kernel.check_registries()
    event_type = next(iter(kernel.events().values()))

    assert set(kernel.events().values()) <= set(kernel._EVOLUTIONS)
    with pytest.raises(TypeError, match="two evolutions"):
        evolves(event_type)(lambda state, event: state)


def test_an_event_that_is_not_evolved_is_found(monkeypatch):
    """Trap 1: an event class without an evolution would be stored and never applied."""
    evolutions = dict(kernel._EVOLUTIONS)
    evolutions.popitem()
    monkeypatch.setattr(kernel, "_EVOLUTIONS", evolutions)

    with pytest.raises(TypeError, match="no evolution"):
        kernel.check_registries()


# Trap 2: without a topic of its own an event is stored under its class path, which a rename breaks


def test_every_event_class_has_its_topic():
    """Trap 2: the stored name is a name of ours with a version, never a path of the code."""
    assert unregistered(Event) == set()
    for topic, event_type in kernel.events().items():
        assert event_type.topic == topic
        assert topic.endswith(f"/{event_type.topic_version}")
        assert not topic.startswith("mediation")


class MadeUp(CaseEvent, frozen=True, kw_only=True):
    """Stands between the project's events and the one made up here, which then counts alone."""


def test_an_event_class_without_a_topic_is_found():
    """Trap 2: a class that was forgotten is seen, and no topic is given twice."""
    forgotten: Any = msgspec.defstruct(
        "Forgotten", (), bases=(MadeUp,), frozen=True, kw_only=True, module="mediation.case.x"
    )

    assert unregistered(MadeUp) == {forgotten}
    with pytest.raises(TypeError, match="twice"):
        stored_as("case.registered")(forgotten)


# Trap 3: a guard, a clock or a look outside in an evolution makes replay differ from what happened

CLOCKS = ("now", "utcnow", "today")
CHANCE = {"random", "secrets"}
OUTSIDE = {
    "asyncio",
    "io",
    "logging",
    "os",
    "pathlib",
    "shutil",
    "socket",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "urllib",
}


def clocks_and_chance(name: str, text: str) -> list[str]:
    """Find what reads a clock, the environment or randomness."""
    found = [
        f"imports {module}.{imported}".rstrip(".")
        for module, imported in imports(text)
        if module.split(".")[0] in CHANCE
        or module == "time"
        or (module == "uuid" and imported in ("uuid1", "uuid4"))
        or (module == "os" and imported in ("environ", "getenv", "urandom", "getrandom"))
    ]
    for node in ast.walk(parsed(text)):
        if not isinstance(node, ast.Attribute):
            continue
        words = dotted(node).split(".")
        if (words[-2:-1] in (["datetime"], ["date"]) and words[-1] in CLOCKS) or (
            words[0] in ("os", "uuid")
            and words[-1] in ("environ", "getenv", "urandom", "getrandom", "uuid1", "uuid4")
        ):
            found.append(f"uses {dotted(node)}")
    return found


def looks_outside(name: str, text: str) -> list[str]:
    """Find what reads files, sockets or streams, or waits."""
    found = [
        f"imports {module}" for module, _name in imports(text) if module.split(".")[0] in OUTSIDE
    ]
    called = (dotted(node.func) for node in ast.walk(parsed(text)) if isinstance(node, ast.Call))
    return found + [f"calls {it}" for it in called if it in ("open", "print", "input")]


def test_nothing_in_the_engine_reads_a_clock_the_environment_or_randomness():
    """Trap 3: time, chance and settings come in as arguments."""
    assert findings(clocks_and_chance, sources("mediation")) == []


def test_no_chapter_and_no_evolution_looks_outside():
    """Trap 3: deciders and evolutions know their arguments and nothing else."""
    chapters = sources("mediation/case", "mediation/network")
    kernel_file = {"mediation/kernel.py": (ROOT / "mediation/kernel.py").read_text("utf-8")}

    assert findings(looks_outside, chapters | kernel_file) == []


@pytest.mark.parametrize(
    "snippet",
    [
        "from datetime import datetime\nat = datetime.now(tz=None)",
        "import datetime\nat = datetime.datetime.utcnow()",
        "from datetime import date\non = date.today()",
        "import time",
        "from time import time",
        "import os\nhome = os.environ['HOME']",
        "from os import getenv",
        "import os\nseed = os.urandom(16)",
        "import random",
        "from secrets import token_hex",
        "from uuid import uuid4",
        "import uuid\nmade = uuid.uuid1()",
    ],
)
def test_a_clock_a_setting_or_chance_is_found(snippet):
    """Trap 3: each way to the clock, the environment or randomness is seen."""
    assert findings(clocks_and_chance, {"x.py": snippet})
    assert not findings(clocks_and_chance, {"x.py": "from uuid import UUID, uuid5\nat = f.now\n"})


@pytest.mark.parametrize(
    "snippet", ["import socket", "from pathlib import Path", "open('x')", "print('x')"]
)
def test_a_look_outside_is_found(snippet):
    """Trap 3: files, sockets and streams are seen."""
    assert findings(looks_outside, {"x.py": snippet})


# Traps 4, 5 and 7: no mutable aggregate that has to be thrown away, no cache of such objects

AGGREGATES = {
    "Aggregate",
    "BaseAggregate",
    "CanMutateAggregate",
    "CanSnapshotAggregate",
    "JSONTranscoder",
    "NotificationLog",
    "NotificationLogReader",
    "OrjsonTranscoder",
    "ProcessApplication",
    "ProjectionRunner",
    "Snapshot",
    "aggregate",
    "event",
    "triggers",
}
MAY_KNOW_EVENTSOURCING = ("mediation/application.py", "mediation/kernel.py", "mediation/store/")
FLAGS = ("AGGREGATE_CACHE", "ENABLE_DB_FUNCTIONS", "PERSISTENCE_MODULE", "SNAPSHOTTING")


def event_library(name: str, text: str) -> list[str]:
    """Find the event library outside its place, and what of it is not used at all."""
    found = []
    for module, imported in imports(text):
        if module.split(".")[0] != "eventsourcing":
            continue
        if not name.startswith(MAY_KNOW_EVENTSOURCING):
            found.append(f"imports {module}")
        if imported in AGGREGATES or imported == "*":
            found.append(f"uses {imported}")
        if module.startswith(("eventsourcing.sqlite", "eventsourcing.postgres")):
            found.append(f"uses the recorder of {module}")
    return found


def test_the_event_library_stays_in_its_place():
    """Traps 4 and 7: no Aggregate, no @event, no snapshot, no runner; three places know it."""
    assert findings(event_library, sources(*PACKAGES)) == []


@pytest.mark.parametrize(
    ("name", "snippet"),
    [
        ("mediation/case/intake.py", "from eventsourcing.persistence import StoredEvent"),
        ("projections/base.py", "import eventsourcing"),
        ("mediation/application.py", "from eventsourcing.domain import Aggregate, event"),
        ("mediation/store/log.py", "from eventsourcing.projection import ProjectionRunner"),
        ("mediation/store/log.py", "from eventsourcing.domain import *"),
        ("mediation/store/log.py", "from eventsourcing.postgres import PostgresFactory"),
    ],
)
def test_the_event_library_out_of_place_is_found(name, snippet):
    """Traps 4 and 7: another place, and each thing that is not used, are seen."""
    assert findings(event_library, {name: snippet})


def test_every_event_names_its_command():
    """Trap 5: a lost acknowledgement is told from a conflict by the command id in the envelope."""
    assert "command_id" in ENVELOPE
    for event_type in kernel.events().values():
        assert event_type.__annotations__.get("command_id") is None
        assert "command_id" in event_type.__struct_fields__


def flags(name: str, text: str) -> list[str]:
    """Find where a dangerous switch of the library is set; naming it in order to refuse is fine."""
    keys: list[ast.expr | None] = []
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.Dict):
            keys += node.keys
        elif isinstance(node, ast.Assign):
            keys += [target.slice for target in node.targets if isinstance(target, ast.Subscript)]
    names = [key.value for key in keys if isinstance(key, ast.Constant)]
    return [
        f"sets {name}"
        for name in names
        if isinstance(name, str) and any(flag in name for flag in FLAGS)
    ]


def test_no_switch_of_the_library_is_set():
    """Traps 6 and 7: neither its database functions nor its aggregate cache are ever on."""
    assert findings(flags, sources(*PACKAGES)) == []
    assert findings(flags, {"x.py": "env = {'CASES_AGGREGATE_CACHE_MAXSIZE': '100'}"})
    assert findings(flags, {"x.py": "env['POSTGRES_ENABLE_DB_FUNCTIONS'] = 'y'"})


def test_the_log_never_consults_the_process_environment(monkeypatch, tmp_path, clock):
    """Traps 6 and 7: what stands in the environment by accident cannot switch anything on."""
    monkeypatch.setenv("AGGREGATE_CACHE_MAXSIZE", "100")
    twin: Application[UUID] = Application()
    assert twin.repository.cache is not None

    monkeypatch.setenv("PERSISTENCE_MODULE", "no.such.module")
    engine = open_engine(fresh_sqlite(tmp_path))
    try:
        migrate(engine, district=DISTRICT, kind="test", log_id=UUID(int=1), at=clock())
        with Log(engine, clock=clock) as log:
            assert log.repository.cache is None
    finally:
        engine.dispose()


# Trap 8: an application made at import is shared by forked processes and hangs


def made_at_import(name: str, text: str) -> list[str]:
    """Find applications, engines and clocks that come into being with their module."""
    found = []
    for node in parsed(text).body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign | ast.Expr) else None
        if isinstance(value, ast.Call):
            called = dotted(value.func).split(".")[-1]
            if called in ("FastAPI", "Log", "Mediation", "create_engine", "open_engine"):
                found.append(f"makes a {called} at import")
    return found


def test_nothing_opens_a_database_when_it_is_imported():
    """Trap 8: one application per process, made after the fork."""
    assert findings(made_at_import, sources(*PACKAGES)) == []
    assert findings(made_at_import, {"x.py": "engine = open_engine('sqlite://')"})
    assert findings(made_at_import, {"x.py": "app: object = fastapi.FastAPI()"})


# Trap 11: tuples, dates, enums and maps keyed by numbers do not survive a plain JSON round trip


class Colour(StrEnum):
    """A code as it should be."""

    RED = "RED"


class Rung(Enum):
    """A code as it should not be."""

    FIRST = 1


def test_tuples_dates_codes_and_maps_come_back_as_they_went():
    """Trap 11: what JSON does not know by itself is typed in the event and comes back equal."""
    fields = [
        ("pair", tuple[int, str]),
        ("on", date),
        ("colour", Colour),
        ("by_number", dict[int, Colour]),
        ("by_id", dict[UUID, date]),
    ]
    typed = msgspec.defstruct("Typed", fields, frozen=True, kw_only=True)
    value = typed(
        pair=(1, "a"),
        on=date(2026, 3, 2),
        colour=Colour.RED,
        by_number={1: Colour.RED},
        by_id={UUID(int=1): date(2026, 3, 2)},
    )
    data = msgspec.json.encode(value)

    assert msgspec.json.decode(data, type=typed) == value
    assert msgspec.json.decode(data) != msgspec.structs.asdict(value)


# Traps 21 and 23: transitions moves objects about, adds triggers by itself and validates nothing


def state_machines(name: str, text: str) -> list[str]:
    """Find the state-machine library outside the life-cycle, or used as more than a table."""
    found = []
    for module, _imported in imports(text):
        if module.split(".")[0] == "transitions" and name != "mediation/case/lifecycle.py":
            found.append(f"imports {module}")
    for node in ast.walk(parsed(text)):
        if not isinstance(node, ast.Call):
            continue
        called = dotted(node.func).split(".")[-1]
        if called in ("add_model", "add_transition", "add_ordered_transitions"):
            found.append(f"calls {called}")
        if called == "Machine":
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if (given.get("model"), given.get("auto_transitions")) != ("None", "False"):
                found.append("a machine with a model or automatic transitions")
            if any(word in given for word in ("before_state_change", "after_state_change")):
                found.append("a machine with callbacks")
    return found


def test_the_state_machine_is_a_table_and_nothing_else():
    """Trap 21: one file knows the library; no model, no automatic transitions, no callbacks."""
    assert findings(state_machines, sources(*PACKAGES)) == []
    assert machine().models == []
    assert not any(trigger.startswith("to_") for trigger in machine().events)


@pytest.mark.parametrize(
    ("name", "snippet"),
    [
        ("mediation/case/custody.py", "from transitions import Machine"),
        ("mediation/case/lifecycle.py", "Machine(model=None, states=[])"),
        ("mediation/case/lifecycle.py", "Machine(model=self, auto_transitions=False)"),
        (
            "mediation/case/lifecycle.py",
            "Machine(model=None, auto_transitions=False, after_state_change=f)",
        ),
        ("mediation/case/lifecycle.py", "machine.add_model(case)"),
        ("mediation/case/lifecycle.py", "machine.add_transition('x', 'A', 'B')"),
    ],
)
def test_a_state_machine_used_otherwise_is_found(name, snippet):
    """Trap 21: each wrong use is seen."""
    assert findings(state_machines, {name: snippet})


def test_the_table_is_verified_at_start_up():
    """Trap 23: the library accepts any table; ours is checked (each fault: tests of the table)."""
    check_lifecycle()
    calls = [
        name
        for name, text in sources(*PACKAGES).items()
        for node in ast.walk(parsed(text))
        if isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] == "check_lifecycle"
    ]

    assert calls


# Trap 22: the next major version of the event library changes what we stand on


def test_the_libraries_are_pinned_below_their_next_break():
    """Trap 22: eventsourcing stays below 9.6, transitions at the very version that was read."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert "eventsourcing>=9.5.6,<9.6" in project["dependencies"]
    assert "transitions==0.9.3" in project["dependencies"]


# No level is known to any code


AMBIGUOUS = {"district", "enterprise"}


def level_codes(name: str, text: str) -> list[str]:
    """Find a level of the published ladders written into code.

    Two of the codes are ordinary words, too: those count where something is compared with them.
    """
    codes = {
        level["code"]
        for path in (ROOT / "mediation/ladder/published").glob("*.toml")
        for level in tomllib.loads(path.read_text(encoding="utf-8"))["levels"]
    }
    compared = {
        id(part)
        for node in ast.walk(parsed(text))
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        for part in ast.walk(side)
    }
    return [
        f"line {node.lineno} names the level {node.value!r}"
        for node in ast.walk(parsed(text))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value in codes
        and (node.value not in AMBIGUOUS or id(node) in compared)
    ]


def test_no_code_names_a_level():
    """A level is a position in published data: no rule asks for one by name (ADR 0006)."""
    files = sources("mediation", "projections", "api")
    data = {name for name in files if name.startswith("api/demo/")}

    assert findings(level_codes, {n: text for n, text in files.items() if n not in data}) == []


@pytest.mark.parametrize(
    "snippet",
    ["LEVELS = ['township']", "if level == 'district': pass", "x = level in ('a', 'enterprise')"],
)
def test_a_level_named_in_code_is_found(snippet):
    """Any mention of a level's code is seen; of the two ordinary words, any comparison."""
    assert findings(level_codes, {"x.py": snippet})
    assert not findings(level_codes, {"x.py": "ENVELOPE = ('event_id', 'district')"})


def numbered_enums(event_type: type[Event]) -> list[str]:
    """Find codes of an event that are stored as numbers."""
    info: Any = msgspec.inspect.type_info(event_type)
    return [
        field.name
        for field in info.fields
        if isinstance(field.type, msgspec.inspect.EnumType)
        and not issubclass(field.type.cls, StrEnum)
    ]


def test_every_code_is_stored_as_text():
    """A code that is stored as a number changes its meaning when somebody reorders the list."""
    for event_type in kernel.events().values():
        assert numbered_enums(event_type) == []
    twin: Any = msgspec.defstruct(
        "Twin", [("rung", Rung)], bases=(MadeUp,), kw_only=True, frozen=True
    )

    assert numbered_enums(twin) == ["rung"]
