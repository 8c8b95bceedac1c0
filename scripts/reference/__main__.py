"""The reference in docs/reference, written from the registries and the published data alone.

`python -m scripts.reference --write` writes it; without, it says whether the committed pages are
those of the code. What the pages say stands in the other files of this folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

from api.app import describable
from scripts.reference.figures import figure_page
from scripts.reference.ladders import ladder_page
from scripts.reference.lifecycle import drawing, lifecycle_page
from scripts.reference.messages import command_page, event_page
from scripts.reference.published import code_page, deadline_page, error_page

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


def pages() -> dict[str, str]:
    """Give every file of the reference by its name."""
    return {
        "lifecycle.md": lifecycle_page(),
        "lifecycle.svg": drawing(),
        "commands.md": command_page(describable()),
        "events.md": event_page(),
        "deadlines.md": deadline_page(),
        "ladder.md": ladder_page(),
        "codes.md": code_page(),
        "errors.md": error_page(),
        "figures.md": figure_page(),
    }


def main(arguments: list[str]) -> int:
    """Write the pages, or name those that are not what the code would write."""
    differing = [
        (FOLDER / name, text)
        for name, text in pages().items()
        if not (FOLDER / name).exists() or (FOLDER / name).read_text(encoding="utf-8") != text
    ]
    for path, text in differing:
        if "--write" in arguments:
            path.write_text(text, encoding="utf-8")
        else:
            print(f"docs/reference/{path.name} differs: make docs")
    return 1 if differing and "--write" not in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
