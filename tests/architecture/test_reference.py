"""The generated reference: as committed, whole, readable, made from the registries alone."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import pytest

from mediation import codes, kernel, ladder
from mediation.calendar import CATALOGUE, Rule
from mediation.case import grounds, lifecycle
from mediation.codes import Label
from mediation.errors import MediationError, Refusal
from mediation.kernel import Decision, decides, evolves, stored_as
from mediation.privacy import Personal, Sealed
from scripts.reference import __main__ as reference
from scripts.reference import published
from scripts.reference.drawing import Arrow, draw
from scripts.reference.forms import field_table, part_sections, sealed_paths
from scripts.reference.lifecycle import lifecycle_page
from scripts.reference.markup import anchor, described, prose, rest, table

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
BAR = re.compile(r"(?<!\\)\|")
LINK = re.compile(r"\]\(([\w.]*)#([^)]+)\)")


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """Everything that is generated, made from the code."""
    return reference.pages()


# Drift


def test_the_committed_reference_is_that_of_the_code(capsys):
    """`make docs` writes it; until then the check of the house is red."""
    assert reference.main([]) == 0
    assert capsys.readouterr().out == ""


def test_a_page_that_is_behind_is_found(pages, tmp_path, monkeypatch, capsys):
    """A page that is missing or was changed by hand is named; writing makes the check green."""
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    monkeypatch.setattr(reference, "pages", lambda: pages)
    assert reference.main([]) == 1
    assert reference.main(["--write"]) == 0
    assert reference.main([]) == 0
    capsys.readouterr()

    for path in sorted(tmp_path.iterdir()):
        good = path.read_text(encoding="utf-8")
        path.write_text(good + "by hand\n", encoding="utf-8")
        assert reference.main([]) == 1
        assert capsys.readouterr().out == f"docs/reference/{path.name} differs: make docs\n"
        path.write_text(good, encoding="utf-8")


def test_the_checks_of_the_house_hold_the_reference_and_never_write_it():
    """`make check` asks, `make docs` writes, and both do it for the interface too."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipes = dict(re.findall(r"^(\w+):.*\n((?:\t.*\n)+)", makefile, re.MULTILINE))

    for module in ("scripts.reference", "api.openapi"):
        assert f"-m {module}\n" in recipes["check"]
        assert f"-m {module} --write\n" in recipes["docs"]


def test_the_reference_is_the_same_in_every_process(pages):
    """No set, clock or path gets into a page: a process with other hashes agrees with it."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.reference"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "1", "TZ": "Pacific/Apia"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert not any(str(ROOT) in text for text in pages.values())


# Nothing is left out


def missing(pages: dict[str, str]) -> list[str]:
    """Name what the registries and the published data hold and the pages do not."""
    rows = lifecycle.table_rows()
    ladders = [ladder.load_ref(ref) for ref in ladder.published()]
    wanted = {
        "commands.md": [f"### {name}\n" for name in kernel.commands()],
        "events.md": [f"### {topic}\n" for topic in kernel.events()],
        "deadlines.md": [f"| `{code}`" for code in CATALOGUE],
        "codes.md": [f"| `{code}` |" for name in codes.tables() for code in codes.table(name)],
        "ladder.md": [
            text
            for it in ladders
            for text in (
                it.digest,
                *(f"`{level.code}`" for level in it.levels),
                *(f"| `{ground.code}`" for ground in it.grounds),
                *(f"| `{limit.code}`" for limit in it.limits),
            )
        ],
        "lifecycle.md": [
            *(f"| [`{row['trigger']}`](commands.md#{row['trigger']})" for row in rows),
            *(f"| `{name}` |" for name in lifecycle._GUARDS),
            *(f"| `{phase}` |" for phase in lifecycle.machine().states),
        ],
        "errors.md": [f"| `{kind.code}`<br>{kind.__name__} |" for kind in published.error_kinds()],
    }
    return [text for name, texts in wanted.items() for text in texts if text not in pages[name]]


def test_everything_in_the_registries_stands_in_the_reference(pages):
    """Commands, events, phases, guards, deadlines, codes, ladders and errors, all of them."""
    assert missing(pages) == []


def test_an_entry_that_is_left_out_is_found(pages):
    """The same search finds a command and a guard that a page does not have."""
    cut = {name: text.replace("### accept-case\n", "") for name, text in pages.items()}
    cut["lifecycle.md"] = cut["lifecycle.md"].replace("| `no-open-duty` |", "| |")

    assert missing(cut) == ["### accept-case\n", "| `no-open-duty` |"]


def test_every_error_of_the_project_is_found_and_no_other():
    """Errors are known by their root, wherever they are written; those of tests are not told."""

    class Elsewhere(MediationError):
        code = "elsewhere"

    found = published.error_kinds()

    assert {"NotAllowedNow", "LadderInvalid", "Fault"} <= {kind.__name__ for kind in found}
    assert Elsewhere not in found


class Given(msgspec.Struct, frozen=True):
    """One of several things.

    Attributes:
        note: what is said of it,
            on two lines.
    """

    note: Sealed | None


class GiveThing(kernel.Command, frozen=True, kw_only=True):
    """Give a thing | at once."""

    stream_kind: ClassVar[str] = "case"
    is_fact: ClassVar[bool] = True

    words: Annotated[str, msgspec.Meta(min_length=2, max_length=2000, pattern="^a|b$")]
    note: Personal | None = None


class ThingGiven(kernel.Event, frozen=True, kw_only=True):
    """A thing was given."""

    things: tuple[Given, ...]


def test_whatever_is_new_appears_by_itself(monkeypatch):
    """A command, event, guard, deadline or code is told once it is there: nobody adds a line."""
    for name in ("_COMMANDS", "_EVENTS", "_EVOLUTIONS"):
        monkeypatch.setattr(kernel, name, dict(getattr(kernel, name)))
    decides(GiveThing)(lambda *_: Decision(()))
    stored_as("case.thing-given")(ThingGiven)
    evolves(ThingGiven)(lambda state, _event: state)
    refusal = Refusal("thing-there", "请先备好。", "Have the thing ready first.")
    monkeypatch.setitem(lifecycle._GUARDS, "thing-there", (grounds.red_risk, refusal))
    row = {
        "trigger": "give-thing",
        "from": ["CLOSED"],
        "to": "MEDIATING",
        "guards": ["thing-there"],
    }
    rows = [*lifecycle.table_rows(), row]
    for module in ("lifecycle", "messages"):
        monkeypatch.setattr(f"scripts.reference.{module}.table_rows", lambda: rows)
    tables = {name: dict(codes.table(name)) for name in codes.tables()}
    tables["commands"]["GiveThing"] = Label("交付", "Give")
    tables["events"]["case.thing-given"] = Label("已交付", "Given")
    tables["things"] = {"big": Label("大", "Big")}
    monkeypatch.setattr(codes, "_all_tables", lambda: tables)
    rule = Rule("D99", "mo", 2, "L-LDMA 14", "收到物品", "it came", "应当归还", "Give it back")
    monkeypatch.setattr(published, "CATALOGUE", {**CATALOGUE, "D99": rule})
    pages = reference.pages()

    command = pages["commands.md"].split("### give-thing\n")[1].split("### ")[0]
    assert "**交付 · Give** (登记事实 · recorded fact)" in command
    assert "`POST /cases/{case_id}/commands/give-thing`" in command
    assert "Give a thing | at once." in command
    assert r"| `words` | text of 2–2,000 characters like `^a\|b$` | yes |" in command
    assert "| `note` | personal text of 1–4,000 characters | no |" in command
    assert "[`thing-there`](lifecycle.md#guards)" in command
    event = pages["events.md"].split("### case.thing-given/1\n")[1].split("### ")[0]
    assert "**已交付 · Given** (`ThingGiven`)" in event
    assert "| `things` | list of [`Given`](#given) |" in event
    assert "`things.*.note`" in event
    assert (
        "| `note` | [`Sealed`](#sealed) or null | what is said of it, on two lines. |"
        in (pages["events.md"])
    )
    assert "CLOSED --> MEDIATING : 交付 Give" in pages["lifecycle.md"]
    assert ">交付<" in pages["lifecycle.svg"]
    assert (
        "| `thing-there` | The published risk rule gives RED. | 请先备好。<br>"
        in (pages["lifecycle.md"])
    )
    assert "| `thing-there` | 请先备好。<br>" in pages["errors.md"]
    assert (
        "## things\n\n| Code | 中文 | English |\n| --- | --- | --- |\n| `big` | 大 | Big |"
        in (pages["codes.md"])
    )
    assert "| `D99` | 2个月<br>2 months | 收到物品<br>it came |" in pages["deadlines.md"]


def test_a_command_that_may_lead_to_several_phases_is_drawn_to_each(monkeypatch):
    """A row of the table may name more than one next phase, and that the phase may stay."""
    to = [lifecycle.SAME, "ACCEPTED", "FAILED"]
    rows = [{"trigger": "record-session", "from": ["ASSIGNED"], "to": to, "guards": []}]
    monkeypatch.setattr("scripts.reference.lifecycle.table_rows", lambda: rows)
    page = lifecycle_page()

    assert "ASSIGNED --> ACCEPTED : " in page
    assert "ASSIGNED --> FAILED : " in page
    assert "| the same 不变<br>已受理·待分派<br>" in page


def test_a_field_that_a_page_has_no_words_for_is_told_by_its_name():
    """A new field of published data shows up unworded rather than not at all."""
    rule = CATALOGUE["D01"]

    assert rest(rule, *rule.__struct_fields__) == []
    assert rest(rule, "code", "starts_zh", "starts_en", "duty_zh", "duty_en", "article") == [
        '`unit`: `"wd"`',
        "`length`: `3`",
    ]


# Readable on a forge


def ragged(text: str) -> list[str]:
    """Give the rows of tables that have not as many cells as the head of their table."""
    found = []
    for block in text.split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        found += [row for row in rows if len(BAR.findall(row)) != len(BAR.findall(rows[0]))]
    return found


def test_every_row_of_a_table_has_the_cells_of_its_head(pages):
    """A bar or a line break inside a value would end its cell."""
    assert {name: ragged(text) for name, text in pages.items() if ragged(text)} == {}


def test_a_row_that_falls_apart_is_found():
    """The same search finds a bar that is not escaped; the table escapes it."""
    assert ragged("| a | b |\n| --- | --- |\n| `x|y` | z |") != []
    assert ragged(table(["a", "b"], [["`x|y`", "one\ntwo"]])) == []


def dangling(pages: dict[str, str]) -> list[str]:
    """Give the links to a heading that no page has."""
    headings = {
        name: {anchor(line.lstrip("# ")) for line in text.splitlines() if line.startswith("#")}
        for name, text in pages.items()
    }
    return [
        f"{name}: {target}#{heading}"
        for name, text in pages.items()
        for target, heading in LINK.findall(text)
        if heading not in headings[target or name]
    ]


def test_every_link_leads_to_a_heading(pages):
    """Within a page and from one to another."""
    assert dangling(pages) == []


def test_a_link_to_no_heading_is_found():
    """The same search finds a heading that was renamed."""
    assert dangling({"a.md": "# One\n[x](#one) [y](b.md#two)", "b.md": "# Three"}) == [
        "a.md: b.md#two"
    ]


def test_what_people_wrote_is_shown_as_they_wrote_it():
    """Signs that Markdown takes for its own are taken literally outside of code."""
    assert prose("a*b <c> `d_e*` f_g") == r"a\*b \<c> `d_e*` f\_g"
    assert anchor("case.registered/1") == "caseregistered1"
    assert described(Given) == (
        "One of several things.",
        {"note": "what is said of it, on two lines."},
    )


def test_every_form_of_a_field_has_words():
    """Limits, codes, choices, parts and what is sealed are told as a person would say them."""

    class Part(msgspec.Struct, frozen=True):
        """A part."""

        name: Sealed

    class Whole(msgspec.Struct, frozen=True):
        """A whole."""

        amount: Annotated[int, msgspec.Meta(gt=0, lt=10)]
        least: Annotated[int, msgspec.Meta(ge=1)]
        risk: ladder.Risk
        pair: tuple[int, bool]
        parts: dict[str, Part] = {}

    forms = re.findall(r"^\| `\w+` \| (.*?) \|", field_table(Whole, is_input=False), re.MULTILINE)

    assert forms == [
        "whole number, 1–9",
        "whole number, at least 1",
        "code of [risks](codes.md#risks)",
        "whole number then true or false",
        "map of text to [`Part`](#part)",
    ]
    assert sealed_paths(Whole, Sealed) == ["parts.*.name"]
    assert "### Part" in list(part_sections([Whole], is_input=False))


# The picture


def picture(arrows: list[Arrow], phases: dict[str, Label]) -> Any:
    """Draw and read as XML."""
    return ET.fromstring(draw(phases, arrows))  # noqa: S314 - our own picture


def outside(root: Any) -> list[str]:
    """Give the texts that stand beyond an edge of the picture."""
    width, height = (float(root.get(side)) for side in ("width", "height"))
    return [
        text.text
        for text in root.findall(".//{*}text")
        if not (0 <= float(text.get("x")) <= width and 0 <= float(text.get("y")) <= height)
    ]


def test_the_picture_stands_alone_and_shows_every_phase_and_way(pages):
    """It names nothing outside itself, and holds each label that the table needs."""
    text = pages["lifecycle.svg"]
    root = ET.fromstring(text)  # noqa: S314 - our own picture
    said = "".join(it.text or "" for it in root.findall(".//{*}text"))

    assert re.findall(r"(?:href|url\(|@import)", text) == []
    assert outside(root) == []
    for phase in lifecycle.machine().states:
        assert codes.label("phases", phase).zh in said
    for row in lifecycle.table_rows():
        if row["to"] not in (lifecycle.SAME, [lifecycle.SAME]):
            kind = kernel.commands()[row["trigger"]].command_type
            assert codes.label("commands", kind.__name__).zh in said


@pytest.mark.parametrize("count", [2, 30])
def test_the_picture_grows_with_the_table(count):
    """However many phases there are and however long their names, nothing leaves the picture."""
    phases = {f"P{n}": Label("很长的名称" * (n % 5 + 1), "long " * (n + 1)) for n in range(count)}
    arrows = [
        Arrow(Label("去", "go"), (f"P{n}",), (f"P{(n + 1) % count}",), is_fact=n % 2 == 0)
        for n in range(count)
    ]
    root = picture(arrows, phases)

    assert outside(root) == []
    assert len(root.findall("{*}circle")) == count + 2


def test_a_text_outside_the_picture_is_found():
    """The same search finds a picture that is too narrow for its texts."""
    root = picture([], {"P0": Label("去", "go")})
    assert outside(root) == []
    root.set("width", "20")

    assert outside(root) != []
