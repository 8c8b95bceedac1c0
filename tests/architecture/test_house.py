"""The house keeps its own rules: every check is green here and red on a broken example."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from api import openapi
from scripts import check_docs, check_locks, check_size, mutants

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def write(root: Path, files: dict[str, str]) -> Path:
    """Write a small tree."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


# Application, not library (ADR 0005)


def test_the_project_cannot_be_uploaded_as_a_library():
    """The generic top-level names stay out of shared environments: an index refuses the upload."""
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["mediation", "projections", "api"]


def test_a_release_has_one_number():
    """The project, the description of its interface and the changelog name the same version."""
    version = PROJECT["project"]["version"]
    headings = re.findall(
        r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert (version, version) == (openapi.VERSION, headings[0])


def test_every_lint_exception_gives_its_reason():
    """A rule that is switched off says why on the same line."""
    section = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("[tool.ruff.lint]")[1]
    section = section.split("[tool.ruff.lint.pydocstyle]")[0]
    codes = [line for line in section.splitlines() if re.match(r'\s+"[A-Z]+\d*",', line)]

    assert codes
    assert [line for line in codes if "  # " not in line] == []


# Locks (ADR 0008)


def test_the_locks_hold_hashes_and_no_address():
    """What is installed is pinned by version and hash, whichever mirror it comes from."""
    assert list(check_locks.problems(ROOT)) == []


@pytest.mark.parametrize(
    ("lock", "old", "new", "finding"),
    [
        ("run.lock", "\n", "\n--index-url https://mirror.invalid/simple\n", "holds an address"),
        ("dev.lock", "\n", "\n# from https://mirror.invalid\n", "holds an address"),
        ("bootstrap.lock", "sha256:", "md5:", "without a hash"),
        ("run.lock", check_locks.STAMP, "# ", "is older than the requirements"),
        ("dev.lock", "\npytest==", "\npytest-gone==", "does not pin pytest"),
        ("run.lock", "\nfastapi==", "\nfastapi==9", "differ on fastapi"),
        ("mutants.lock", "\npytest==", "\npytest==9", "differ on pytest"),
        ("mutants.lock", "\nmutmut==", "\nmutmut-gone==", "does not pin mutmut"),
    ],
)
def test_a_broken_lock_is_found(tmp_path, lock, old, new, finding):
    """An address, a missing hash, a stale stamp, a missing pin and a disagreement are all seen."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    assert list(check_locks.problems(tmp_path)) == []

    path = tmp_path / "requirements" / lock
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    assert any(lock in found and finding in found for found in check_locks.problems(tmp_path))


def test_a_changed_requirement_makes_the_locks_stale_until_they_are_stamped(tmp_path):
    """Editing a dependency without compiling the locks is found without a network."""
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    text = text.replace('"structlog>=26.1,', '"structlog>=26.0,').replace('"mutmut>=', '"mutmut>')
    write(tmp_path, {"pyproject.toml": text})
    stale = [found for found in check_locks.problems(tmp_path) if "is older" in found]

    assert len(stale) == len(check_locks.GROUP_OF)

    check_locks.write_stamps(tmp_path)
    check_locks.write_stamps(tmp_path)

    assert list(check_locks.problems(tmp_path)) == []


# Mutants


def test_in_their_copy_the_program_is_the_same_without_decorators():
    """What registers a function is called below it, so that mutmut reaches its body."""
    written = (
        "@guard(\n    'none',\n    '无',\n)\ndef f(case):\n    return case\n\n\n"
        "class C:\n    @property\n    def p(self):\n        return 1\n\n"
        "    @staticmethod\n    def s():\n        return 2\n\n\n"
        "@evolves(X)\ndef _(case):\n    return case\n"
    )

    assert mutants.undecorated(written) == (
        "def f(case):\n    return case\nf = guard('none', '无')(f)\n\n\n"
        "class C:\n    def p(self):\n        return 1\n    p = property(p)\n\n"
        "    @staticmethod\n    def s():\n        return 2\n\n\n"
        "def evolves_X(case):\n    return case\nevolves_X = evolves(X)(evolves_X)\n"
    )


# Sizes and names


def test_every_file_is_short_and_says_what_is_in_it():
    """No Python file of the project is longer than the cap or called after nothing."""
    assert list(check_size.problems(ROOT)) == []


def test_a_long_or_nameless_file_is_found(tmp_path):
    """One line over the cap is too many; a module of leftovers is found by file or folder name."""
    write(
        tmp_path,
        {
            "mediation/fits.py": "x = 1\n" * check_size.LONGEST,
            "mediation/long.py": "x = 1\n" * (check_size.LONGEST + 1),
            "api/utils.py": "",
            "tests/helpers/money.py": "",
        },
    )
    found = list(check_size.problems(tmp_path))

    assert [sentence.split()[0] for sentence in found] == [
        "mediation/long.py",
        "api/utils.py",
        "tests/helpers/money.py",
    ]


# Documents


def test_a_readme_that_opens_with_something_else_is_found():
    """The two commands stand at the top, not somewhere."""
    good = "# Title\nmake demo\nmake test\n"

    assert list(check_docs.readme_problems(good)) == []
    assert len(list(check_docs.readme_problems("\n" * 30 + good))) == 2


def test_a_make_command_without_a_target_is_found():
    """Documents name only targets that exist."""
    makefile = "test: x\n\tpytest\n"

    assert list(check_docs.make_problems({"A.md": "run `make test`"}, makefile)) == []
    assert list(check_docs.make_problems({"A.md": "run `make tests`"}, makefile)) != []


def test_a_link_to_nowhere_is_found(tmp_path):
    """Links between documents lead to files."""
    documents = {"docs/a.md": "[b](b.md#part) [web](https://example.org) [self](#a)"}
    write(tmp_path, documents)

    assert len(list(check_docs.link_problems(tmp_path, documents))) == 1

    write(tmp_path, {"docs/b.md": ""})

    assert list(check_docs.link_problems(tmp_path, documents)) == []


@pytest.mark.parametrize(
    ("row", "is_found"),
    [
        ("| path | 路径 | A place. | `pathlib.Path` |", False),
        ("| later | 以后 | Not there yet. | – |", False),
        ("| path | 路径 | A place. | `pathlib.Pfad` |", True),
        ("| path | 路径 | A place. | `no.such.module.Path` |", True),
        ("| path | 路径 | A place. | |", True),
        ("| path | A place. | `pathlib.Path` |", True),
    ],
)
def test_a_glossary_row_without_its_class_is_found(row, is_found):
    """A word of the glossary is carried by a class that exists, or says that none does."""
    glossary = f"| Term | 原文 | Meaning | Class |\n|---|---|---|---|\n{row}\n"

    assert bool(list(check_docs.glossary_problems(glossary))) is is_found


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ("Enforced by: `tests/test_rule.py`", False),
        ("Enforced by: `tests/test_rule.py::test_it_holds`", False),
        ("Enforced by: `tests/test_rule.py::test_it`", True),
        ("Enforced by: `tests/test_gone.py`", True),
        ("Enforced by: good will", True),
        ("No line at all", True),
    ],
)
def test_a_decision_that_nothing_enforces_is_found(tmp_path, line, is_found):
    """Every decision record names a test file, or a test in it, that exists."""
    write(tmp_path, {"tests/test_rule.py": "def test_it_holds():\n    pass\n"})
    records = {"docs/adr/0001-a-rule.md": f"# 0001\n\n{line}\n"}

    assert bool(list(check_docs.adr_problems(tmp_path, records))) is is_found


def test_settings_and_their_reference_are_the_same_names():
    """A setting without a description and a description without a setting are both found."""
    reference = "| `MEDIATION_PORT` | The port. |\n| `MEDIATION_COLOUR` | The colour. |\n"

    assert list(check_docs.settings_problems(reference, {"port", "colour"})) == []
    assert len(list(check_docs.settings_problems(reference, {"port", "host"}))) == 2


PACKAGES = (
    "benchmarks",
    "api",
    "projections",
    "mediation",
    "mediation/authority",
    "mediation/case",
    "mediation/store",
)
SOUND = {f"{package}/__init__.py": "" for package in PACKAGES} | {
    "mediation/errors.py": "",
    "mediation/kernel.py": "import eventsourcing\nimport mediation.errors\n",
    "mediation/store/recorder.py": "import eventsourcing, sqlalchemy, sqlite3\n",
    "mediation/authority/table.py": "import mediation.case.state\n",
    "mediation/case/state.py": "import mediation.kernel\n",
    "mediation/case/intake.py": "import mediation.case.state\n",
    "mediation/case/lifecycle.py": "import transitions\n",
    "mediation/approvals.py": "import mediation.authority\n",
    "mediation/policies.py": "import mediation.case.intake\n",
    "mediation/reading.py": "import mediation.authority, mediation.store.recorder\n",
    "mediation/application.py": "import eventsourcing, mediation.approvals, mediation.reading\n",
    "projections/base.py": "import sqlalchemy\nimport mediation.kernel\n",
    "projections/standing.py": "",
    "projections/worklist.py": "import projections.base\nimport mediation.case.intake\n",
    "projections/runner.py": "import projections.worklist\n",
    "api/clock.py": "",
    "api/app.py": "import fastapi, projections.runner, mediation.application\n",
    "api/cli.py": "import api.demo.run\n",
    "api/demo/__init__.py": "",
    "api/demo/run.py": "import api.app\n",
    "benchmarks/office.py": "import api.demo.run\n",
}
BREAKS = [
    ("packages", "projections/base.py", "import api.clock"),
    ("packages", "api/clock.py", "import benchmarks"),
    ("demo", "api/clock.py", "import api.demo.run"),
    ("layers", "mediation/case/intake.py", "import mediation.store.recorder"),
    ("layers", "mediation/reading.py", "import mediation.application"),
    ("layers", "mediation/approvals.py", "import mediation.reading"),
    ("layers", "mediation/leftovers.py", ""),
    ("frameworks", "mediation/reading.py", "import pydantic"),
    ("databases", "mediation/approvals.py", "import sqlalchemy"),
    ("eventsourcing", "mediation/reading.py", "import eventsourcing"),
    ("transitions", "mediation/case/state.py", "import transitions"),
    ("folds", "projections/base.py", "import mediation.reading"),
    ("independent-read-models", "projections/deadlines.py", "import projections.worklist"),
    ("read-models-and-the-web", "projections/worklist.py", "import fastapi"),
]


def test_a_tree_within_the_layers_breaks_no_contract(tmp_path):
    """The contracts of the import linter leave room for what there is."""
    assert lint_imports(tmp_path, SOUND) == set()


def test_every_contract_is_broken_below():
    """No contract of the import linter goes unproved."""
    contracts = {contract["id"] for contract in PROJECT["tool"]["importlinter"]["contracts"]}

    assert {contract for contract, _, _ in BREAKS} == contracts


@pytest.mark.parametrize(("contract", "file", "line"), BREAKS)
def test_an_import_against_the_layers_is_found(tmp_path, contract, file, line):
    """One line in the wrong place breaks the very contract that forbids it, and no other."""
    broken = SOUND | {file: f"{SOUND.get(file, '')}{line}\n"}

    assert lint_imports(tmp_path, broken) == {contract}


def lint_imports(root: Path, files: dict[str, str]) -> set[str]:
    """Return the ids of the contracts that a small tree breaks."""
    shutil.copy(ROOT / "pyproject.toml", write(root, files))
    code = "from importlinter.cli import lint_imports_command as run; run()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache", "--no-logo"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Contracts: " in done.stdout, done.stdout + done.stderr
    names = {c["name"]: c["id"] for c in PROJECT["tool"]["importlinter"]["contracts"]}
    return {i for name, i in names.items() if f"{name} BROKEN" in done.stdout}


# Nothing is skipped


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("assert True", pytest.ExitCode.OK),
        ("pytest.skip('today')", pytest.ExitCode.TESTS_FAILED),
        ("pytest.xfail('for ever')", pytest.ExitCode.TESTS_FAILED),
        ("assert False", pytest.ExitCode.TESTS_FAILED),
    ],
)
def test_a_run_with_a_skipped_test_is_red(tmp_path, body, code):
    """A proof that did not run is no proof: skipping turns a green run red."""
    write(tmp_path, {"test_it.py": f"import pytest\n\n\ndef test_it():\n    {body}\n"})
    shutil.copy(ROOT / "tests" / "no_skips.py", tmp_path)
    options = ["-q", "-p", "no_skips", "--disable-plugin-autoload"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code, done.stdout + done.stderr
    assert ("every test must run" in done.stdout) is ("pytest." in body)
