"""The composition without Docker: the same images' commands as docker-compose.yml gives them.

What a container is given by its engine is given here by hand: the environment of the image and of
the service, secrets as files, the names of other services. A path or name inside a container stands
for one outside; nothing else of a command is changed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy.engine import URL

from tests.databases import administering, own_cluster, programs

ROOT = Path(__file__).parents[1]
INIT = "/docker-entrypoint-initdb.d/"
DATABASES = ("database", "vault")


def composition() -> dict[str, Any]:
    """Read docker-compose.yml."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    read: dict[str, Any] = yaml.safe_load(text)
    return read


def steps() -> list[tuple[str, str]]:
    """Read the Dockerfile: each instruction and what follows it, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if re.match(r"[A-Z]+ ", line)]
    return [(instruction, " ".join(rest.split())) for instruction, rest in lines]


def image_environment() -> dict[str, str]:
    """Give what the image sets for every process in it."""
    pairs = (pair for instruction, rest in steps() if instruction == "ENV" for pair in rest.split())
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def secrets_of(service: Mapping[str, Any]) -> dict[str, str]:
    """Give what each secret of a service is called inside, and which of the composition it is."""
    given: list[Any] = service.get("secrets", [])
    named = [it if isinstance(it, dict) else {"source": it, "target": it} for it in given]
    return {it["target"]: it["source"] for it in named}


class Composition:
    """The services of the composition, as processes of this machine.

    Args:
        folder: for the secrets and what the containers write.
        secrets: the content of each secret of the composition.
        port: what stands for the port 8000 of the API.
    """

    def __init__(self, folder: Path, secrets: Mapping[str, str], port: int) -> None:
        self.services: dict[str, Any] = composition()["services"]
        self.folder = folder
        self.port = port
        self._closing = ExitStack()
        self._hosts: dict[str, str] = {}
        self.superuser: dict[str, URL] = {}
        for name, service in self.services.items():
            for inside in ("run/secrets", "tmp"):
                (folder / name / inside).mkdir(mode=0o700, parents=True)
            for target, source in secrets_of(service).items():
                (folder / name / "run/secrets" / target).write_text(f"{secrets[source]}\n")

    def start_database(self, name: str) -> None:
        """Start a database service, and make of a new one what the image makes of a new volume."""
        url = self._closing.enter_context(own_cluster())
        self.superuser[name] = url
        self._hosts[name] = str(url.query["host"])
        service = self.services[name]
        given = {key: self._outside(name, it) for key, it in service["environment"].items()}
        password = Path(given["POSTGRES_PASSWORD_FILE"]).read_text().strip()
        owner, database = given["POSTGRES_USER"], given["POSTGRES_DB"]
        with administering(url) as connection:
            connection.exec_driver_sql(f"CREATE ROLE {owner} SUPERUSER LOGIN PASSWORD '{password}'")
            connection.exec_driver_sql(f"CREATE DATABASE {database} OWNER {owner}")
        for source, target in (it.split(":")[:2] for it in service["volumes"]):
            if target.startswith(INIT):
                self._initialize(name, ROOT / source, owner, database)
        with administering(url) as connection:
            hba = Path(connection.exec_driver_sql("SHOW hba_file").scalar_one())
            hba.write_text("local all postgres trust\nlocal all all scram-sha-256\n")
            connection.exec_driver_sql("SELECT pg_reload_conf()")

    def _initialize(self, name: str, script: Path, owner: str, database: str) -> None:
        outside = self.folder / name / script.name
        outside.write_text(self._outside(name, script.read_text(encoding="utf-8")))
        subprocess.run(
            [
                *(programs() / "psql", "--set=ON_ERROR_STOP=1", "--no-psqlrc", "--quiet"),
                *(f"--host={self._hosts[name]}", f"--username={owner}", f"--dbname={database}"),
                f"--file={outside}",
            ],
            check=True,
            timeout=60,
        )

    def command(self, name: str, *instead: str) -> list[str]:
        """Give the command of an application's service, or this one instead, behind its entrypoint.

        As `docker compose run NAME …` does it.
        """
        service = self.services[name]
        whole = [*service["entrypoint"], *(instead or service["command"])]
        return [self._outside(name, it).replace("$$", "$") for it in whole]

    def health(self, name: str) -> list[str]:
        """Give the command that tells whether a service is healthy."""
        kind, *command = self.services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        return [self._outside(name, it) for it in command]

    def environment(self, name: str) -> dict[str, str]:
        """Give the environment of a service: of the image, of the service, and no more."""
        here = f"{Path(sys.executable).parent}:{programs()}"
        own = {"PATH": f"{here}:{os.defpath}", "PGHOST": self._hosts.get(name, "")}
        if name in DATABASES:
            return own
        given = {**image_environment(), **self.services[name]["environment"]}
        outside = {key: self._outside(name, it) for key, it in given.items()}
        return {
            **own,
            **outside,
            # A test serves on this machine only.
            "MEDIATION_HOST": "127.0.0.1",
            "MEDIATION_DATA_DIR": str(self.folder / name),
        }

    def run(self, name: str, *instead: str, timeout: float = 120) -> str:
        """Run a service to its end and give what it printed; fails where it fails."""
        ran = subprocess.run(
            self.command(name, *instead),
            env=self.environment(name),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def start(self, name: str) -> subprocess.Popen[str]:
        """Start a service that stays; the caller ends it."""
        return subprocess.Popen(
            self.command(name),
            env=self.environment(name),
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def is_healthy(self, name: str) -> bool:
        """Ask a service whether it is healthy, as the engine does."""
        return (
            subprocess.run(
                self.health(name),
                env=self.environment(name),
                capture_output=True,
                timeout=30,
                check=False,
            ).returncode
            == 0
        )

    def close(self) -> None:
        """Stop the databases."""
        self._closing.close()

    def _outside(self, name: str, text: str) -> str:
        """Say in a text what stands outside for a path, a host or a port inside a container."""
        inside = self.folder / name
        text = re.sub(r"(?<![\w/-])(/run/secrets/|/tmp/)", rf"{inside}\1", text)
        for host, socket in self._hosts.items():
            text = text.replace(f"@{host}/mediation?", f"@/mediation?host={socket}&")
            text = text.replace(f"{host}:*:", f"{socket}:*:")
        return re.sub(r"\b8000\b", str(self.port), text)
