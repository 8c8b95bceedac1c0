"""The tutorial is run as it stands: every call, against a demo that was started for it.

So are the requests of the page on figures.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from string import Template
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial" / "your-first-case.md"
FIGURES = ROOT / "docs" / "how-to" / "read-figures.md"
BLOCK = re.compile(r"^```(python|text|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document: str) -> list[tuple[str, str]]:
    """Give the fenced blocks of a document in order: their language and content."""
    return [(found[1], found[2]) for found in BLOCK.finditer(document)]


def told(document: str) -> Generator[tuple[str, str]]:
    """Run the Python of a document from top to bottom; give what it printed, and was to print."""
    names: dict[str, object] = {}
    found = blocks(document)
    try:
        for (language, code), (then, expected) in zip(found, [*found[1:], ("", "")], strict=True):
            if language != "python":
                continue
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "tutorial", "exec"), names)  # noqa: S102 - our own document
            yield printed.getvalue(), expected if then == "text" else ""
    finally:
        for value in names.values():
            if isinstance(value, httpx.Client):
                value.close()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Path]:
    """A demo that serves, as `make demo` starts it; gives the folder of its tokens file."""
    process = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "demo", "--data-dir", str(tmp_path), "--port", "0"],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "Ctrl-C" in line:
                break
        yield tmp_path
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def test_the_tutorial_tells_what_happens(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call on the page is made, and prints what the page says it prints."""
    monkeypatch.chdir(demo)
    document = TUTORIAL.read_text(encoding="utf-8")

    with contextlib.closing(told(document)) as steps:
        ran = 0
        for printed, expected in steps:
            assert printed == expected
            ran += 1

    assert ran > 10


def test_a_page_that_says_something_else_is_found() -> None:
    """The comparison has teeth: a print that the page does not announce differs."""
    page = "```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n"

    assert list(told(page)) == [("2\n", "3\n")]


def asked(command: str, **known: str) -> dict[str, Any]:
    """Carry out a `curl --get` as it is typed; give the answer."""
    program, silent, get, url, *rest = shlex.split(Template(command).substitute(known))
    assert (program, silent, get) == ("curl", "-sS", "--get")
    pairs = list(zip(rest[::2], rest[1::2], strict=True))
    headers = dict(it.split(": ", 1) for option, it in pairs if option == "-H")
    query = [it.split("=", 1) for option, it in pairs if option in ("-d", "--data-urlencode")]
    assert len(headers) + len(query) == len(pairs)
    answer = httpx.get(url, params=dict(query), headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_the_page_on_figures_gets_figures(demo: Path) -> None:
    """Every request on the page is answered, and months are set beside months as it says."""
    kept = json.loads((demo / "demo.json").read_text(encoding="utf-8"))
    known = {"URL": kept["url"], "TOKEN": kept["tokens"]["coordinator@huangyan"]}
    typed = [
        line
        for language, code in blocks(FIGURES.read_text(encoding="utf-8"))
        for line in code.splitlines()
        if language == "sh"
    ]

    told = [asked(line, **known) for line in typed]

    month, one, alone, below, level, group, lines, then = told
    (figure,) = one["figures"]
    assert (figure["period_before"]["first"], figure["period_before"]["last"]) == (
        "2026-04-01",
        "2026-04-30",
    )
    assert figure["year_before"]["first"] == "2025-05-01"
    assert figure in month["figures"]
    assert (alone["body_id"], below["within"]) == ("street-05", "street-05")
    assert (level["level"], group["group"]) == ("township", "township-street")
    counted = next(it["value"] for it in figure["parts"] if it["key"] == "agreed")
    assert len(lines["items"]) == counted > 0
    assert then["as_of_position"] < month["as_of_position"]
    by_default = (
        f'curl -sS --get "$URL/statistics" -H "Authorization: Bearer $TOKEN" -d {PART_MONTH}'
    )
    (first,) = asked(by_default, **known)["figures"]
    assert first["period_before"]["first"] == "2026-04-16"
    assert first["period_before"]["last"] == "2026-04-30"


PART_MONTH = "from=2026-05-01 -d to=2026-05-15 -d formula=F01"
"""Days that make up no month, as asked by default on the fifteenth."""
