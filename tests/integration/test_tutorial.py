"""The tutorial is run as it stands: every call, against a demo that was started for it."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial" / "your-first-case.md"
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
