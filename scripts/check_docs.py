"""Holds the documents to the code; what they say beyond names and paths is for people to judge."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

README_COMMANDS = ("make demo", "make test")
# The commands stand where a reader sees them without scrolling.
README_OPENING_LINES = 30
NOT_YET = "–"
GLOSSARY_COLUMNS = 4
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#]+)(?:#[^)]*)?\)")
MAKE_COMMAND = re.compile(r"`make ([a-z]+)")
MAKE_TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)
ENFORCER = re.compile(r"^Enforced by: (.+)$", re.MULTILINE)
TEST_NAME = re.compile(r"`(tests/[^`:]+\.py)(?:::(\w+))?`")
SETTING = re.compile(r"^\| `MEDIATION_([A-Z_]+)` \|", re.MULTILINE)


def readme_problems(readme: str) -> Iterator[str]:
    """The README opens with the two commands that show the project at work."""
    opening = "\n".join(readme.splitlines()[:README_OPENING_LINES])
    for command in README_COMMANDS:
        if command not in opening:
            yield f"README.md does not open with `{command}`."


def make_problems(documents: dict[str, str], makefile: str) -> Iterator[str]:
    """A `make` command named in a document is a target of the Makefile."""
    targets = set(MAKE_TARGET.findall(makefile))
    for name, text in documents.items():
        for target in MAKE_COMMAND.findall(text):
            if target not in targets:
                yield f"{name} names `make {target}`, which the Makefile does not have."


def link_problems(root: Path, documents: dict[str, str]) -> Iterator[str]:
    """A link from one document to a file of the project leads to a file."""
    for name, text in documents.items():
        for target in LINK.findall(text):
            if not (root / name).parent.joinpath(target).exists():
                yield f"{name} links to {target}, which does not exist."


def glossary_problems(glossary: str) -> Iterator[str]:
    """The class that a glossary row names exists; a dash stands for none yet."""
    for line in glossary.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or line.startswith("|-"):
            continue
        if len(cells) != GLOSSARY_COLUMNS:
            yield f"the glossary row of {cells[0]} has not {GLOSSARY_COLUMNS} columns."
            continue
        path = cells[3].strip("`")
        if cells[0] != "Term" and path != NOT_YET and not _exists(path):
            yield f"the glossary row of {cells[0]} names {path}, which does not exist."


def _exists(path: str) -> bool:
    module, _, name = path.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), name)
    except (ImportError, ValueError):
        return False


def adr_problems(root: Path, records: dict[str, str]) -> Iterator[str]:
    """Every decision record names the test that enforces it, and the test exists."""
    for name, text in records.items():
        line = ENFORCER.search(text)
        tests = TEST_NAME.findall(line[1]) if line else []
        if not tests:
            yield f"{name} names no test that enforces it."
        for path, function in tests:
            file = root / path
            if not file.is_file():
                yield f"{name} names {path}, which does not exist."
            elif function and f"def {function}(" not in file.read_text(encoding="utf-8"):
                yield f"{name} names {function}, which {path} does not hold."


def settings_problems(reference: str, fields: set[str]) -> Iterator[str]:
    """The reference of settings and the settings are the same set of names."""
    documented = {name.lower() for name in SETTING.findall(reference)}
    for name in sorted(fields - documented):
        yield f"docs/reference/settings.md does not describe MEDIATION_{name.upper()}."
    for name in sorted(documented - fields):
        yield f"docs/reference/settings.md describes MEDIATION_{name.upper()}, which is no setting."


def problems(root: Path) -> Iterator[str]:
    """Yield one sentence for every place where the documents and the code disagree."""
    paths = sorted([*root.glob("*.md"), *(root / "docs").rglob("*.md")])
    documents = {str(p.relative_to(root)): p.read_text(encoding="utf-8") for p in paths}
    yield from readme_problems(documents["README.md"])
    yield from make_problems(documents, (root / "Makefile").read_text(encoding="utf-8"))
    yield from link_problems(root, documents)
    yield from glossary_problems(documents["docs/glossary.md"])
    yield from adr_problems(
        root, {name: text for name, text in documents.items() if name.startswith("docs/adr/")}
    )
    # Imported here, so that a broken package is one finding and not the end of the check.
    try:
        fields = set(importlib.import_module("api.settings").Settings.model_fields)
    except (ImportError, AttributeError) as error:
        yield f"api.settings cannot be read ({error})."
    else:
        yield from settings_problems(documents["docs/reference/settings.md"], fields)


def main() -> int:
    """Print what is wrong and answer 1 if anything is."""
    found = list(problems(Path(__file__).parent.parent))
    for sentence in found:
        print(sentence)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
