"""Holds the lock files to pyproject.toml without a network; it never resolves a version itself.

`--stamp` writes into each lock the digest of the requirements it was compiled from (`make lock`).
"""

import hashlib
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Each lock and the dependency group that it holds, beside the run-time dependencies or alone.
GROUP_OF = {"run.lock": "build", "dev.lock": "dev", "mutants.lock": "mutants"}
ALONE = ("mutants",)
UNSTAMPED = ("bootstrap.lock",)
STAMP = "# compiled from requirements with SHA-256 "
PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^\s;\\]+)", re.MULTILINE)
ADDRESS = re.compile(r"://|^\s*-(?!-hash)", re.MULTILINE)


def requirements(project: dict[str, Any], group: str) -> list[str]:
    """Return what a lock of this group holds, the groups that it includes opened."""
    groups: dict[str, list[str | dict[str, str]]] = project["dependency-groups"]

    def opened(name: str) -> Iterator[str]:
        for entry in groups[name]:
            if isinstance(entry, str):
                yield entry
            else:
                yield from opened(entry["include-group"])

    beside = [] if group in ALONE else project["project"]["dependencies"]
    return sorted([*beside, *opened(group)])


def stamp(project: dict[str, Any], group: str) -> str:
    """Return the line that ties a lock to the requirements it was compiled from."""
    source = [project["project"]["requires-python"], *requirements(project, group)]
    return STAMP + hashlib.sha256(json.dumps(source).encode()).hexdigest()


def pins(lock: str) -> dict[str, set[str]]:
    """Return every version that a lock pins, by package; markers may give a package two."""
    found: dict[str, set[str]] = {}
    for match in PIN.finditer(lock):
        found.setdefault(match["name"], set()).add(match["version"])
    return found


def form_problems(name: str, lock: str) -> Iterator[str]:
    """A lock holds hashes, no address and no option."""
    if ADDRESS.search(lock):
        yield f"{name} holds an address or an option: compile it with `make lock`."
    for entry in re.split(r"\n(?=\S)", lock):
        if PIN.match(entry) and "--hash=sha256:" not in entry:
            yield f"{name} pins {entry.split()[0]} without a hash: compile it with `make lock`."


def content_problems(name: str, lock: str, project: dict[str, Any], group: str) -> Iterator[str]:
    """A lock is compiled from today's requirements and pins each of them."""
    if stamp(project, group) not in lock.splitlines():
        yield f"{name} is older than the requirements in pyproject.toml: run `make lock`."
    for requirement in requirements(project, group):
        package = re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower().replace("_", "-")
        if package not in pins(lock):
            yield f"{name} does not pin {package}: run `make lock`."


def problems(root: Path) -> Iterator[str]:
    """Yield one sentence for every lock that is stale, unhashed, incomplete or has an address."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    locks = {
        name: (root / "requirements" / name).read_text(encoding="utf-8")
        for name in (*GROUP_OF, *UNSTAMPED)
    }
    for name, lock in locks.items():
        yield from form_problems(name, lock)
    for name, group in GROUP_OF.items():
        yield from content_problems(name, locks[name], project, group)
    dev = pins(locks["dev.lock"])
    for package, versions in pins(locks["run.lock"]).items():
        if dev.get(package) != versions:
            yield f"run.lock and dev.lock differ on {package}: run `make lock`."
    for package, versions in pins(locks["mutants.lock"]).items():
        if dev.get(package, versions) != versions:
            yield f"mutants.lock and dev.lock differ on {package}: run `make lock`."


def write_stamps(root: Path) -> None:
    """Put the stamp on top of each freshly compiled lock."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    for name, group in GROUP_OF.items():
        path = root / "requirements" / name
        body = [
            line
            for line in path.read_text(encoding="utf-8").splitlines()
            if not line.startswith(STAMP)
        ]
        path.write_text("\n".join([stamp(project, group), *body, ""]), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Stamp the locks, or print what is wrong with them and answer 1 if anything is."""
    root = Path(__file__).parent.parent
    if arguments == ["--stamp"]:
        write_stamps(root)
    found = list(problems(root))
    for sentence in found:
        print(sentence)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
