"""The composition: read as Docker reads it, and its very commands run against real databases."""

from __future__ import annotations

import json
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from api.bootstrap import projections
from api.clock import system_clock
from api.security import Tokens
from mediation.calendar import day_of
from mediation.store.marks import LOG_MARK
from mediation.store.tracking import TRACKING
from tests.api.desk import key, register
from tests.composition import (
    DATABASES,
    INIT,
    ROOT,
    Composition,
    composition,
    image_environment,
    secrets_of,
    steps,
)

pytestmark = pytest.mark.long

SERVING = {"api", "worker"}
APPLICATION = {"migrate", *SERVING}
AFTER_MIGRATE = {"migrate": {"condition": "service_completed_successfully"}}

# Read


def problems(read: dict[str, Any]) -> Iterator[str]:
    """Give what is wrong with a composition, a sentence each."""
    services: dict[str, Any] = read["services"]
    if set(services) != {*DATABASES, *APPLICATION}:
        yield "services are missing, or there is one more"
    for name, service in services.items():
        told = (*references(read, service), *exposures(service))
        yield from (f"{name} {sentence}" for sentence in told)
    for name in DATABASES:
        if not any(INIT in volume for volume in services[name]["volumes"]):
            yield f"{name} does not make the role that serves"
    yield from ownership("migrate", services["migrate"], is_owner=True)
    for name in sorted(SERVING & services.keys()):
        yield from ownership(name, services[name], is_owner=False)
        if services[name]["depends_on"] != AFTER_MIGRATE:
            yield f"{name} does not wait for migrate"


def references(read: dict[str, Any], service: dict[str, Any]) -> Iterator[str]:
    """Everything that a service names is there."""
    if not read["secrets"].keys() >= set(secrets_of(service).values()):
        yield "is given a secret that there is not"
    for other, wants in service.get("depends_on", {}).items():
        is_told = "healthcheck" in read["services"].get(other, {})
        if wants["condition"] == "service_healthy" and not is_told:
            yield f"waits for a health that {other} does not tell"
    sources = [volume.split(":")[0] for volume in service.get("volumes", ())]
    if not all((ROOT / it).is_file() for it in sources if it.startswith(".")):
        yield "is given a file that there is not"
    if not {it for it in sources if not it.startswith(".")} <= read["volumes"].keys():
        yield "is given a volume that there is not"


def exposures(service: dict[str, Any]) -> Iterator[str]:
    """No password stands in the open, and no service is open to the network."""
    for name, value in service["environment"].items():
        if "PASSWORD" in name and not name.endswith("_FILE"):
            yield "has a password in its environment"
        if re.search(r"://[^/@]*:[^/@]*@", value):
            yield "has a password in an address"
    if not all(port.startswith("127.0.0.1:") for port in service.get("ports", ())):
        yield "is open to the network"


def ownership(name: str, service: dict[str, Any], *, is_owner: bool) -> Iterator[str]:
    """The owner migrates and the other role serves; neither keeps a capability."""
    if service.get("cap_drop") != ["ALL"]:
        yield f"{name} keeps capabilities"
    users = set(re.findall(r"//(\w+)@", " ".join(service["environment"].values())))
    owned = {"owner" in source for source in secrets_of(service).values()}
    if users != {"mediation_owner" if is_owner else "mediation"} or owned != {is_owner}:
        yield f"{name} has not the role that it should have"


def test_the_composition_is_whole():
    """Services, order, health, secrets, roles: nothing is missing and nothing open."""
    assert list(problems(composition())) == []


def _with(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    read = composition()
    change(read)
    return read


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda it: it["services"].pop("worker"), "services are missing"),
        (lambda it: it["secrets"].pop("vault_password"), "a secret that there is not"),
        (
            lambda it: it["services"]["api"]["environment"].update(PGPASSWORD="x"),
            "a password in its environment",
        ),
        (
            lambda it: it["services"]["api"]["environment"].update(A="postgresql://a:b@c/d"),
            "a password in an address",
        ),
        (lambda it: it["services"]["vault"].pop("healthcheck"), "waits for a health"),
        (lambda it: it["services"]["database"]["volumes"].append("./no:/no"), "a file that"),
        (lambda it: it["volumes"].pop("log"), "a volume that"),
        (lambda it: it["services"]["api"].update(ports=["8000:8000"]), "open to the network"),
        (lambda it: it["services"]["api"].pop("cap_drop"), "keeps capabilities"),
        (
            lambda it: it["services"]["worker"].update(secrets=["database_owner_password"]),
            "worker has not the role",
        ),
        (lambda it: it["services"]["migrate"].update(secrets=[]), "migrate has not the role"),
        (lambda it: it["services"]["worker"].update(depends_on={}), "does not wait for migrate"),
        (lambda it: it["services"]["vault"].update(volumes=[]), "does not make the role"),
    ],
)
def test_a_broken_composition_is_found(change, finding):
    """Each of these mistakes is seen."""
    assert any(finding in sentence for sentence in problems(_with(change)))


def test_the_image_holds_the_run_lock_and_no_more():
    """Pinned by hash, no tool for development, an ordinary user, and only files that there are."""
    told = steps()
    ran = [rest for instruction, rest in told if instruction == "RUN"]
    instructions = [instruction for instruction, _ in told]
    copied = [shlex.split(rest)[:-1] for instruction, rest in told if instruction == "COPY"]

    assert re.fullmatch(r"python:3\.11-slim-\w+", told[0][1])
    installs = [it for line in ran for it in line.split("&&") if "install" in it or "sync" in it]
    assert installs
    for install in installs:
        assert "--require-hashes" in install or "--no-index" in install, install
    assert "requirements/run.lock" in ran[0]
    assert "dev" not in " ".join([*ran, *image_environment()])
    assert all((ROOT / it).exists() for line in copied for it in line)
    assert ("USER", "mediation") in told
    assert instructions.index("USER") > max(
        at for at, it in enumerate(instructions) if it in {"RUN", "COPY"}
    )
    assert ("ENTRYPOINT", '["mediation"]') in told


def test_what_the_image_installs_is_the_whole_application(tmp_path: Path):
    """The package built from the copied files alone holds every table of published data."""
    built, target = tmp_path / "app", tmp_path / "site"
    built.mkdir()
    for instruction, rest in steps():
        if instruction == "COPY":
            *sources, _ = shlex.split(rest)
            for source in map(Path, sources):
                if (ROOT / source).is_dir():
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(ROOT / source, built / source, ignore=ignored)
                else:
                    shutil.copy(ROOT / source, built / source)
    (install,) = (it for _, it in steps() if it.startswith("uv pip install"))
    words = [str(ROOT / ".uv/bin/uv"), *shlex.split(install)[1:]]
    at = words.index("--system")
    words[at : at + 1] = ["--quiet", f"--python={sys.executable}", f"--target={target}"]
    subprocess.run(words, cwd=built, check=True, timeout=120)

    for package in ("mediation", "projections", "api"):
        expected = {
            it.relative_to(ROOT)
            for it in (ROOT / package).rglob("*")
            if it.is_file() and "__pycache__" not in it.parts
        }
        assert expected == {
            it.relative_to(target)
            for it in (target / package).rglob("*")
            if it.is_file() and "__pycache__" not in it.parts
        }


# Run


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composition]:
    """Both databases up, with the secrets as the how-to makes them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = {name: secrets.token_hex(24) for name in composition()["secrets"]}
    made = Composition(tmp_path_factory.mktemp("composition"), given, port)
    try:
        for name in DATABASES:
            made.start_database(name)
        yield made
    finally:
        made.close()


FIRST = [
    *("--body-id", "qu", "--name-zh", "示例区总工会", "--name-en", "Sample union"),
    *("--kind", "circuit-room", "--number-prefix", "示例", "--coordinator", "示例统筹员"),
]


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds."""
    end = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.3)


def ended(process: subprocess.Popen[str]) -> int:
    """End a service as Docker does, and give its exit code."""
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    return process.returncode


def test_the_composition_runs_as_written(running: Composition):
    """Databases, migrate, worker, api: each by its own command, secrets and role.

    The worker alone moves the read models, the API answers and is healthy, a case is registered and
    listed, both end cleanly, and the vault knows how far the log came.
    """
    assert all(running.is_healthy(name) for name in DATABASES)
    assert "migrated: 1" in running.run("migrate")
    engines = {
        name: sa.create_engine(url.set(database="mediation"), poolclass=sa.NullPool)
        for name, url in running.superuser.items()
    }

    def tracked() -> int:
        with engines["database"].connect() as connection:
            rows = connection.execute(sa.select(TRACKING.c.name, TRACKING.c.position)).all()
        positions = {row.name: row.position for row in rows}
        return min(positions.get(it.follower, 0) for it in projections())

    started = [running.start("worker")]
    try:
        founded = json.loads(running.run("api", "bootstrap", *FIRST, "--json"))
        until(lambda: tracked() == 3, "the worker does not move the read models")

        started.append(running.start("api"))
        until(lambda: running.is_healthy("api"), "the api does not become healthy")
        url = f"http://127.0.0.1:{running.port}"
        tokens = Tokens(engines["database"], randbytes=secrets.token_bytes, clock=system_clock)
        take_a_case_in(
            url, founded["token"], lambda account: tokens.issue(account, label="test").token
        )

        assert [process.poll() for process in started] == [None, None]
        assert [ended(process) for process in reversed(started)] == [0, 0]
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
                process.communicate()
    assert not running.is_healthy("api")
    told = json.loads(running.run("migrate", "check", "--json"))
    assert told["sound"]
    with engines["vault"].connect() as connection:
        marked = connection.execute(sa.select(LOG_MARK.c.position)).scalar_one()
    assert marked == told["log"]["position"] == tracked()


def take_a_case_in(url: str, token: str, token_for: Callable[[UUID], str]) -> None:
    """Open a clerk's account, register a case as him, and find it in the worklist."""
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        client.headers["Authorization"] = f"Bearer {token}"

        def do(command: str, **body: Any) -> str:
            answer = client.post(f"/network/commands/{command}", json=body, headers=key())
            assert answer.status_code == 200, answer.text
            return str(answer.json()["stream_id"])

        clerk = do("open-account", display_name="示例内勤")
        today = day_of(system_clock()).isoformat()
        do("grant-role", account_id=clerk, role="clerk", body_id="qu", from_on=today)
        client.headers["Authorization"] = f"Bearer {token_for(UUID(clerk))}"
        answer = register(client)
        asked = {"Min-Position": str(answer["position"])}
        listed = client.get("/worklist?lane=to-ask", headers=asked).json()
        assert [it["case_id"] for it in listed["items"]] == [answer["case_id"]]


def test_a_wrong_password_lets_nobody_in(running: Composition):
    """The files are what lets the services in: with another content the same command fails."""
    secret = running.folder / "migrate/run/secrets/database_password"
    right = secret.read_text()
    secret.write_text("another\n")
    try:
        with pytest.raises(AssertionError, match="password authentication failed"):
            running.run("migrate")
    finally:
        secret.write_text(right)
