"""Puts small faults into the domain, one at a time, and shows those that no test noticed.

It holds no opinion of its own: mutmut makes the faults and keeps the results, in a copy of the
project under `.mutants/`, so that a run which was stopped goes on where it was.
"""

import ast
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SCRATCH = ROOT / ".mutants" / "project"
PACKAGES = ("case", "ladder", "calendar", "store")
# Fast ones, on SQLite. To change them is to begin anew: mutmut then drops every result.
TESTS = (
    "tests/unit",
    "tests/history/test_golden.py",
    "tests/history/test_branches.py",
    "tests/integration/test_access.py",
    "tests/integration/test_as_of.py",
    "tests/integration/test_backup.py",
    "tests/integration/test_checked_at_start.py",
    "tests/integration/test_inspection.py",
    "tests/integration/test_order.py",
    "tests/integration/test_receipt_keys.py",
    "tests/integration/test_recorder_contract.py",
    "tests/integration/test_restore.py",
    "tests/integration/test_sealing.py",
    "tests/integration/test_states.py",
)
IGNORED = ("test_importing", "test_demo")
READS_SOURCES = "test_every_citation_that_is_stamped_can_be_looked_up"
"""It would find the faults that are not in force."""
SLOW = (
    # They take more than a second.
    "test_a_leased_key_outlives_its_process",
    "test_a_restored_store_is_the_one_that_was_backed_up",
    "test_a_running_process_moves_the_mark",
    "test_another_history_of_the_same_length_is_noticed",
    "test_read_models_of_a_later_log",
    "test_the_restore_of_an_older_log",
    "test_without_the_mark_the_same_restore",
    "from_a_dump_of_statements",
    "test_a_dump_that_lost",
)
ARGUMENTS = ("-p", "scripts.mutants", "-p", "no:randomly", "-p", "no:cacheprovider")
SETTINGS = (
    "use_git_change_detection = false",
    "track_dependencies = false",
    'on_dependency_change = "ignore"',
    "timeout_multiplier = 12.0",
    "timeout_constant = 2.0",
)
# Of the tests that call a function: how many are asked at first, and how many at most.
FEW, MANY = 20, 200
# Decorators that mutmut understands by itself, or that mean nothing at run time.
KEPT = ("staticmethod", "classmethod", "overload")
LEGAL_BASIS = re.compile(r"\bL-[A-Z]{2,}")
STATUS = {0: "survived", 33: "without a test", 34: "not run", None: "not run"}
UNNOTICED = ("survived", "without a test")
AFRESH, ON_POSTGRESQL = "afresh", "postgresql"
ASKING = "MUTANTS_ASKING"
"""The variable that tells pytest which of these is asked for, if any is."""
TIMED_OUT = (36, 24, 152, -24)


# The copy


def undecorated(source: str) -> str:
    """Write `@decides(X)` above a function as `f = decides(X)(f)` below it.

    It is the same program, but mutmut does not touch what is decorated.
    """
    lines = source.splitlines()
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    for node in sorted(functions, key=lambda it: -it.lineno):
        decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
        if not decorators or any(it.endswith(KEPT) for it in decorators):
            continue
        name = node.name
        if name == "_":
            name = re.sub(r"\W+", "_", decorators[0]).strip("_")
            lines[node.lineno - 1] = lines[node.lineno - 1].replace("def _(", f"def {name}(", 1)
        wrapped = name
        for decorator in reversed(decorators):
            wrapped = f"{decorator}({wrapped})"
        lines.insert(node.end_lineno or node.lineno, f"{' ' * node.col_offset}{name} = {wrapped}")
        del lines[node.decorator_list[0].lineno - 1 : node.lineno - 1]
    return "\n".join([*lines, ""])


def settings(tops: list[str]) -> str:
    """Give what mutmut reads in the copy's pyproject.toml."""
    lists = {
        "source_paths": ["mediation"],
        "only_mutate": [f"mediation/{package}/*" for package in PACKAGES],
        "also_copy": tops,
        "pytest_add_cli_args": list(ARGUMENTS),
        "pytest_add_cli_args_test_selection": list(TESTS),
    }
    written = [f"{name} = {json.dumps(value)}" for name, value in lists.items()]
    return "\n".join(["", "[tool.mutmut]", *written, *SETTINGS, ""])


def copy() -> None:
    """Bring the copy up to date; what says the same keeps its time, and so its results."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603 - no input
    names = [name for name in found.stdout.splitlines() if (ROOT / name).is_file()]
    for tests in (SCRATCH / "tests", SCRATCH / "mutants" / "tests"):
        shutil.rmtree(tests, ignore_errors=True)
    for name in names:
        content = (ROOT / name).read_bytes()
        if re.match(rf"mediation/({'|'.join(PACKAGES)})/.*\.py$", name):
            content = undecorated(content.decode()).encode()
        elif name == "pyproject.toml":
            content += settings(sorted({it.split("/")[0] for it in names} - {"mediation"})).encode()
        target = SCRATCH / name
        if not target.exists() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            if not name.endswith(".py"):
                # mutmut copies data once.
                (SCRATCH / "mutants" / name).unlink(missing_ok=True)


# The faults


def is_wording(node: Any) -> bool:
    """Tell a sentence that a person reads from codes, topics, articles and the like."""
    from libcst import BaseString, Module  # noqa: PLC0415 - only in its environment

    text = Module([]).code_for_node(node) if isinstance(node, BaseString) else ""
    return bool(re.search(r"\s|[\u4e00-\u9fff]", text)) and not LEGAL_BASIS.search(text)


def spoilt_strings(make: Callable[[Any], Iterator[Any]], node: Any) -> Iterator[Any]:
    """Spoil a string once, not thrice, and no sentence."""
    if not is_wording(node):
        yield from list(make(node))[:1]


def spoilt_arguments(make: Callable[[Any], Iterator[Any]], node: Any) -> Iterator[Any]:
    """Replace each argument by None, unless it is a sentence; leave none out, which says less."""
    for mutant in make(node):
        if len(mutant.args) == len(node.args):
            changed = [i for i, it in enumerate(node.args) if mutant.args[i] is not it]
            if not is_wording(node.args[changed[0]].value):
                yield mutant


def asked_of(mutant: str, tests: list[str], seconds: Mapping[str, float]) -> list[str]:
    """Choose the tests called after the mutant's file, then its package, then the quickest."""
    package, file = mutant.split(".")[1:3]
    is_of_file = re.compile(rf"/test_\w*{file}").search
    is_of_package = re.compile(rf"/{package}/|/test_{package}").search

    def order(test: str) -> tuple[bool, bool, float]:
        return not is_of_file(test), not is_of_package(test), seconds.get(test, 0)

    most = None if os.environ.get(ASKING) == ON_POSTGRESQL else MANY
    return sorted(tests, key=order)[:most]


def in_two_goes(run: Callable[..., int], state: Callable[[], Any]) -> Callable[..., int]:
    """Ask a few tests first: most faults are found by any of them."""

    def run_tests(runner: Any, *, mutant_name: str | None, tests: Iterable[str]) -> int:
        if mutant_name is None:
            # All were green a moment ago, while mutmut learnt which test calls what.
            is_clean = not os.environ["MUTANT_UNDER_TEST"]
            return 0 if is_clean else run(runner, mutant_name=None, tests=tests)
        every = asked_of(mutant_name, list(tests), state().duration_by_test)
        few = every[:FEW]
        found = run(runner, mutant_name=mutant_name, tests=few)
        if found or len(few) == len(every):
            return found
        return run(runner, mutant_name=mutant_name, tests=every)

    return run_tests


def make_faults(wanted: list[str]) -> None:
    """Let mutmut run what is asked for, or everything that has no result yet."""
    from mutmut.__main__ import cli  # noqa: PLC0415 - only in its environment
    from mutmut.mutation.mutators import mutation_operators as operators  # noqa: PLC0415 - as above
    from mutmut.runners.harness import PytestRunner  # noqa: PLC0415 - as above
    from mutmut.state import state  # noqa: PLC0415 - as above

    spoilt = {"operator_string": spoilt_strings, "operator_arg_removal": spoilt_arguments}
    for position, (kind, make) in enumerate(operators):
        if make.__name__ in spoilt:
            by = spoilt[make.__name__]
            operators[position] = (kind, lambda node, by=by, make=make: by(make, node))
    PytestRunner.run_tests = in_two_goes(PytestRunner.run_tests, state)
    children = os.environ.get("MUTANTS_AT_ONCE", str(os.cpu_count()))
    cli(["run", "--max-children", children, *wanted], standalone_mode=False)


# Inside mutmut this file is a plugin of pytest too

LAST_FILE: list[Path] = []


def forget() -> None:
    """Empty every cache: what an earlier test remembered would hide a fault."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in {"mediation", "projections", "api", "tests"}:
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def pytest_configure() -> None:
    """Start every run alike."""
    import hypothesis  # noqa: PLC0415 - only where tests run

    # One example that fails is enough; which is the smallest is not asked.
    hypothesis.settings.register_profile(
        "mutants",
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=25,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
    )
    hypothesis.settings.load_profile("mutants")
    forget()


def pytest_runtest_setup(item: Any) -> None:
    """While mutmut learns which test calls what, let no file be spared a call by another."""
    if os.environ.get("MUTANT_UNDER_TEST") == "stats" and [item.path] != LAST_FILE:
        LAST_FILE[:] = [item.path]
        forget()


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the unit tests of what is not mutated."""
    return any(word in collection_path.name for word in IGNORED) or None


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Leave out what is slow, and what would see the faults that are not in force."""
    asking = os.environ.get(ASKING)
    left_out = (
        READS_SOURCES,
        *(() if asking == ON_POSTGRESQL else ("postgresql",)),
        *(() if asking == AFRESH else SLOW),
    )
    items[:] = [
        item
        for item in items
        if not any(
            word in name.lower() for word in left_out for name in (item.nodeid, *item.fixturenames)
        )
    ]


# The report


def noted(wanted: list[str]) -> Iterator[tuple[Path, str, str]]:
    """Give the mutants asked for: where mutmut notes them, their names, and what came of them."""
    for path in sorted(Path("mutants/mediation").rglob("*.meta")):
        for name, code in json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            if not wanted or any(fnmatch.fnmatch(name, it) for it in wanted):
                yield path, name, "timed out" if code in TIMED_OUT else STATUS.get(code, "killed")


@contextmanager
def on_postgresql() -> Iterator[None]:
    """Let the tests that need PostgreSQL be asked too, all on one that is started here."""
    start = "from tests.databases import own_cluster\nwith own_cluster() as url:\n"
    start += "    print(url.render_as_string(hide_password=False), flush=True)\n    input()"
    server = subprocess.Popen(  # noqa: S603 - no input
        [sys.executable, "-c", start],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    here = os.getpid()
    try:
        url = server.stdout.readline().strip() if server.stdout else ""
        if not url:
            sys.exit("PostgreSQL did not start")
        os.environ |= {"MEDIATION_TEST_POSTGRES_URL": url, ASKING: ON_POSTGRESQL}
        yield
    finally:
        # A fork that asks of one fault may come by here as well.
        if os.getpid() == here:
            server.communicate("\n")


def called_after(mutant: str) -> tuple[str, ...]:
    """Name the files of tests that are called after the mutant's file or package, or lie there."""
    package, file = mutant.split(".")[1:3]
    tests = Path("mutants/tests")
    if package == "store":
        patterns = [it.removeprefix("tests/") for it in TESTS if "/integration/" in it]
        patterns.insert(0, f"integration/test_*{file}*.py")
    else:
        patterns = [f"unit/{package}/test_*{file}*.py", f"unit/test_{file}*.py"]
        patterns += [f"unit/test_{package}*.py", f"unit/{package}/test_*.py"]
    found = [str(it.relative_to("mutants")) for name in patterns for it in tests.glob(name)]
    # pytest asks in this order, and stops where one is red.
    return tuple(dict.fromkeys(found))


@lru_cache
def asked(tests: tuple[str, ...], mutant: str = "") -> int:
    """Ask these files of tests of a fault, or of none, and give how pytest ended."""
    return subprocess.run(  # noqa: S603 - no input
        [sys.executable, "-m", "pytest", "-x", "-q", *ARGUMENTS, *tests],
        cwd="mutants",
        env={**os.environ, "MUTANT_UNDER_TEST": mutant, ASKING: AFRESH},
        capture_output=True,
        check=False,
    ).returncode


def ask_afresh(wanted: list[str]) -> None:
    """Ask each survivor again in a process of its own, where what imports compute is faulty too."""
    for path, name, status in [it for it in noted(wanted) if it[2] in UNNOTICED]:
        tests = called_after(name)
        if tests and asked(tuple(sorted(tests))):
            sys.exit(f"red without any fault: {' '.join(tests)}")
        if tests and asked(tests, name) == 1:
            told = json.loads(path.read_text(encoding="utf-8"))
            told["exit_code_by_key"][name] = 1
            path.write_text(json.dumps(told), encoding="utf-8")
            print(f"{name}: {status}, killed afresh")


def report(wanted: list[str]) -> None:
    """Print the mutants that no test noticed, then the count of every package."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant  # noqa: PLC0415 - only in its environment

    for path, name, status in noted(wanted):
        if status in UNNOTICED:
            source = str(path.relative_to("mutants")).removesuffix(".meta")
            lines = get_diff_for_mutant(name, path=source).splitlines()[2:]
            print(f"# {name}: {status}", *(it for it in lines if it[0] in "+-"), "", sep="\n")
    counts: dict[str, Counter[str]] = {package: Counter() for package in PACKAGES}
    for _, name, status in noted([]):
        counts[name.split(".")[1]][status] += 1
    for package, count in counts.items():
        said = ", ".join(f"{number} {status}" for status, number in sorted(count.items()))
        print(f"mediation/{package}: {count.total()} mutants: {said}")


def main() -> None:
    """Run what is asked for, or everything that has no result yet, and report."""
    parser = ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("wanted", nargs="*", help="a file or folder, or a pattern of mutants")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--report", action="store_true", help="only show what is known")
    how.add_argument("--afresh", action="store_true", help="ask those unnoticed one by one")
    how.add_argument("--postgresql", action="store_true", help="ask those unnoticed there")
    asked_for = parser.parse_args()
    wanted = [
        re.sub(r"(\.py|/)$", "", it).replace("/", ".") + ".*" if "/" in it else it
        for it in asked_for.wanted
    ]
    if not asked_for.report and not asked_for.afresh:
        copy()
    sys.path.remove(str(ROOT))
    os.chdir(SCRATCH)
    if asked_for.afresh:
        ask_afresh(wanted)
    elif asked_for.postgresql:
        unnoticed = [name for _, name, status in noted(wanted) if status in UNNOTICED]
        if unnoticed:
            with on_postgresql():
                make_faults(unnoticed)
    elif not asked_for.report:
        make_faults(wanted)
    report(wanted)


if __name__ == "__main__":
    main()
