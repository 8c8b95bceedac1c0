"""The description of the interface: as committed, whole, and with examples that are taken."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from fastapi import FastAPI
from starlette.routing import Route

from api import openapi
from api.app import describable
from api.security import Mark
from mediation import kernel
from mediation.application import read_command
from mediation.errors import Malformed
from tests.serving import Served


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """The description made from the code."""
    return describable().openapi()


def test_the_committed_description_is_that_of_the_code():
    """`python -m api.openapi --write` writes it anew."""
    assert openapi.FILE.read_text(encoding="utf-8") == openapi.text(describable())
    assert openapi.main([]) == 0


def test_a_description_that_is_behind_is_found(tmp_path, monkeypatch):
    """Without the file, and with another one, the check is red; writing makes it green."""
    monkeypatch.setattr(openapi, "FILE", tmp_path / "openapi.json")
    assert openapi.main([]) == 1
    openapi.FILE.write_text("{}", encoding="utf-8")
    assert openapi.main([]) == 1
    assert openapi.main(["--write"]) == 0
    assert openapi.main([]) == 0


def test_every_command_is_described_with_an_example_that_is_taken(described: dict[str, Any]):
    """What stands there as an example is of the form of its command."""
    operations = {
        name: operation
        for path in described["paths"].values()
        for operation in path.values()
        if (name := operation["operationId"]) in kernel.commands()
    } | {"register-case": described["paths"]["/cases"]["post"]}

    assert set(operations) == set(kernel.commands())
    for name, operation in operations.items():
        content = operation["requestBody"]["content"]["application/json"]
        command = kernel.commands()[name].command_type
        assert isinstance(read_command(command, json.dumps(content["example"]).encode()), command)


def test_an_example_that_is_not_taken_is_found():
    """A field too many in an example makes the same reading fail."""
    command = kernel.commands()["accept-case"].command_type
    example = {**openapi.example_of(command), "extra": 1}

    with pytest.raises(Malformed):
        read_command(command, json.dumps(example).encode())


def test_every_reference_leads_somewhere(described: dict[str, Any]):
    """No `$ref` dangles, and personal fields are texts that say that they are personal."""
    references = set()

    def collect(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                references.add(node["$ref"])
            for value in node.values():
                collect(value)
        elif isinstance(node, list):
            for value in node:
                collect(value)

    collect(described)
    known = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert references <= known
    request = described["components"]["schemas"]["RegisterCase"]["properties"]["request"]
    assert (request["type"], request["x-personal"]) == ("string", True)


def unmarked(app: FastAPI) -> list[str]:
    """Name the routes that do not say what they are for and whether they are audited."""
    return [
        str(getattr(route, "path", route))
        for route in app.routes
        if not isinstance(getattr(getattr(route, "endpoint", None), "mark", None), Mark)
    ]


def test_every_route_says_what_it_is_for():
    """Each has an action and says whether its use leaves an access record."""
    app = describable(with_demo=True)

    assert unmarked(app) == []
    assert all(isinstance(route, Route) for route in app.routes)


def test_a_route_without_a_mark_is_found():
    """One that is added without any is named."""
    app = describable()
    app.add_api_route("/forgotten", lambda: None)

    assert unmarked(app) == ["/forgotten"]


def test_every_operation_carries_its_mark_and_its_problems(described: dict[str, Any]):
    """In the description too; whatever needs a token says 401."""
    for path, operations in described["paths"].items():
        for operation in operations.values():
            assert operation["x-action"], path
            assert operation["x-audited"] in (True, False)
            if "security" in operation:
                assert "application/problem+json" in operation["responses"]["401"]["content"]


def test_the_description_is_served_to_everybody(office: Served):
    """The served one equals the committed one: the clock of the demo is no part of it."""
    with office.client() as anybody:
        served = anybody.get("/openapi.json")

    assert msgspec.json.decode(served.content) == json.loads(
        openapi.FILE.read_text(encoding="utf-8")
    )


def test_the_clock_of_the_demo_is_served_with_a_manual_clock_only():
    """On the system's clock the address leads nowhere at all."""
    paths = [
        {getattr(it, "path", "") for it in describable(with_demo=on).routes} for on in (False, True)
    ]

    assert "/demo/clock" not in paths[0]
    assert paths[1] - paths[0] == {"/demo/clock"}
