"""Holds every Python file to 600 lines and a name that means something; no other rule of style."""

import sys
from collections.abc import Iterator
from pathlib import Path

LONGEST = 600
NAMELESS = frozenset({"common", "helpers", "misc", "util", "utils"})
FOLDERS = ("mediation", "projections", "api", "tests", "scripts", "benchmarks")


def problems(root: Path) -> Iterator[str]:
    """Yield one sentence for every file of the project that is too long or nameless."""
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            name = path.relative_to(root)
            lines = path.read_text(encoding="utf-8").count("\n")
            if lines > LONGEST:
                yield f"{name} has {lines} lines, {LONGEST} are allowed: split it by user story."
            if not NAMELESS.isdisjoint(part.removesuffix(".py") for part in name.parts):
                yield f"{name} says nothing about what is in it: name it after what it does."


def main() -> int:
    """Print what is wrong and answer 1 if anything is."""
    found = list(problems(Path(__file__).parent.parent))
    for sentence in found:
        print(sentence)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
