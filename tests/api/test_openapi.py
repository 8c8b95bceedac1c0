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
from api.commands import is_creating_command, is_network_command
from api.security import Mark
from mediation import kernel
from mediation.application import read_command
from mediation.case.lifecycle import matters_of
from mediation.errors import Malformed, MediationError
from mediation.privacy import plain_for_digest
from tests.api.desk import key
from tests.examples import COMMANDS, with_everything_to_record
from tests.scenario import PLACES, Scenario, mediators_of
from tests.serving import DISTRICT, Served

MEDIATOR = kernel.Actor(actor_id=mediators_of("hengjie")[0], role="mediator", body_id="hengjie")


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


def filled_in(example: Any, proper: Any) -> Any:
    """Give an example with the ids of a case in the place of its own."""
    if example == str(openapi.EXAMPLE_ID):
        return example if proper is None else proper
    if isinstance(example, dict):
        known = proper or {}
        return {name: filled_in(value, known.get(name)) for name, value in example.items()}
    if isinstance(example, list) and proper:
        return [filled_in(example[0], it) for it in proper]
    return example


def is_well_formed(scenario: Scenario, command: kernel.Command) -> bool:
    """Say whether a decider takes the command, or refuses it for another reason than its form."""
    try:
        scenario.decide(command, MEDIATOR)
    except Malformed:
        return False
    except MediationError:
        return True
    return True


def decided(name: str, example: dict[str, Any]) -> list[bool]:
    """Say of each place where a proper command is well-formed whether the example is so too."""
    command_type = kernel.commands()[name].command_type
    found = []
    for matter, phase in PLACES:
        if matter not in matters_of(name):
            continue
        scenario = with_everything_to_record(matter, phase)
        proper = COMMANDS[name](scenario)
        if is_well_formed(scenario, proper):
            known = msgspec.to_builtins(proper, enc_hook=plain_for_digest)
            body = json.dumps(filled_in(example, known)).encode()
            found.append(is_well_formed(scenario, read_command(command_type, body)))
    return found


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_an_example_with_the_ids_of_a_case_is_well_formed(name: str):
    """Every code in it is one of its table, and its fields fit each other."""
    example = openapi.example_of(kernel.commands()[name].command_type)
    found = decided(name, example)

    assert found
    assert all(found)


@pytest.mark.parametrize(
    ("name", "field", "wrong"),
    [
        ("refuse-case", "reason_code", "because"),
        ("open-proceeding", "forum", "示例"),
        ("sign-agreement", "party_id", None),
    ],
)
def test_an_example_that_does_not_fit_is_found(name: str, field: str, wrong: str | None):
    """The proof has teeth: another code, or a field left out, and the deciders say so."""
    example = openapi.example_of(kernel.commands()[name].command_type)

    assert not all(decided(name, {**example, field: wrong}))


@pytest.mark.parametrize(
    "name", [name for name, it in kernel.commands().items() if is_creating_command(it)]
)
def test_an_example_that_registers_a_case_is_well_formed(name: str):
    """With a mediator of the body it leads to a case, or is refused by a rule alone."""
    command_type = kernel.commands()[name].command_type
    proper = {"mediator_ids": [str(MEDIATOR.actor_id)]}
    body = json.dumps(filled_in(openapi.example_of(command_type), proper)).encode()

    assert is_well_formed(Scenario(), read_command(command_type, body))


@pytest.mark.parametrize(
    "name", [name for name, it in kernel.commands().items() if is_network_command(it)]
)
def test_an_example_for_the_network_is_well_formed(office: Served, name: str):
    """Tried without effect, it is carried out, or refused for what it names."""
    response = office.client_for("coordinator", DISTRICT).post(
        f"/network/commands/{name}",
        params={"dry_run": "true"},
        json=openapi.example_of(kernel.commands()[name].command_type),
        headers=key(),
    )

    assert response.status_code in (200, 403, 404, 409), response.text


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
