"""What every answer carries, who is let in, and what is refused before anything is parsed."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from anyio import run
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from api import errors
from api.limits import DEEPEST, LARGEST_BODY, Edge, Limits, depth_exceeds
from mediation.errors import Unsafe
from tests.api.desk import CANARIES, assert_guarded, assert_problem, assert_silent, dispute, key
from tests.serving import DISTRICT, EAST, Served


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/livez", 200),
        ("GET", "/cases", 401),
        ("GET", "/no/such/place", 404),
        ("GET", "/docs", 404),
        ("GET", "/cases/", 404),
        ("DELETE", "/cases", 415),
        ("PATCH", "/network", 415),
        ("OPTIONS", "/cases", 405),
        ("POST", "/cases", 415),
    ],
)
def test_every_answer_carries_the_security_headers(
    office: Served, method: str, path: str, status: int
):
    """Also an error, an unknown address and a method that is not served; no server name."""
    with office.client() as anybody:
        response = anybody.request(method, path)

    assert response.status_code == status
    assert_guarded(response)
    if status != 200:
        assert_problem(response, status)


def test_without_a_token_that_holds_nobody_is_let_in(office: Served):
    """401 for none, an unknown, a malformed, a revoked and an expired one, for reads and writes."""
    tokens, account_id = office.engine.tokens, office.accounts["clerk", EAST]
    revoked = tokens.issue(account_id, label="test")
    tokens.revoke(revoked.token_id)
    expired = tokens.issue(account_id, label="test", expires_at=office.clock())
    lasting = tokens.issue(
        account_id, label="test", expires_at=office.clock() + timedelta(days=36500)
    )
    head = office.engine.log.head().position

    for authorization in (
        None,
        "",
        "Bearer",
        "Bearer med_" + "A" * 43,
        "Basic dXNlcjpwYXNz",
        f"Bearer {CANARIES[1]}",
        f"Bearer {revoked.token}",
        f"Bearer {expired.token}",
    ):
        headers = {} if authorization is None else {"Authorization": authorization}
        with office.client() as anybody:
            read = anybody.get("/cases", headers=headers)
            write = anybody.post("/cases", json=dispute(), headers={**headers, **key()})
        for response in (read, write):
            assert_problem(response, 401, "not-authenticated")
            assert response.headers["www-authenticate"] == "Bearer"
    assert office.engine.log.head().position == head
    with office.client(lasting.token) as clerk:
        assert clerk.get("/cases").status_code == 200


def test_a_token_is_kept_as_a_digest_only(office: Served):
    """What is stored does not let anybody in."""
    issued = office.engine.tokens.issue(office.accounts["clerk", EAST], label="test")

    with office.engine.log._engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM access_token").all()

    assert issued.token.startswith("med_")
    assert issued.token not in str(rows)
    assert issued.token_id in str(rows)


def test_an_account_without_roles_sees_and_does_nothing(office: Served):
    """A token proves who somebody is; what he may is in the account, and there is nothing."""
    token = office.engine.tokens.issue(uuid4(), label="test").token
    with office.client(token) as stranger:
        assert stranger.get("/cases").json()["items"] == []
        assert stranger.get("/me").json()["grants"] == []
        assert_problem(stranger.post("/cases", json=dispute(), headers=key()), 403)


def test_a_body_is_counted_while_it_comes_in(office: Served):
    """Without a length announced, the cap holds just the same."""

    def endless() -> Iterator[bytes]:
        yield b'{"request": "'
        for _ in range(40):
            yield b"x" * 2**16

    response = office.client_for("clerk", EAST).post(
        "/cases", content=endless(), headers={**key(), "Content-Type": "application/json"}
    )

    assert_problem(response, 413, "too-large")


def test_a_body_that_is_announced_too_large_is_not_waited_for(office: Served):
    """413 is answered before a byte of the body has come, and the connection is closed."""
    where = urlsplit(office.url)
    with socket.create_connection((where.hostname, where.port or 80), timeout=10) as raw:
        raw.sendall(
            b"POST /cases HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 99999999999999\r\n\r\n"
        )
        answer = b""
        while part := raw.recv(4096):
            answer += part

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_the_largest_body_that_is_allowed_is_read(office: Served):
    """One byte less than too much reaches the reader of JSON."""
    body = b" " * (LARGEST_BODY - 2) + b"{}"

    response = office.client_for("clerk", EAST).post(
        "/cases", content=body, headers={**key(), "Content-Type": "application/json"}
    )

    assert_problem(response, 422, "malformed")


def counted(body: bytes) -> int:
    """Count how deep brackets nest, one byte after the other."""
    depth = deepest = 0
    in_string = is_escaped = False
    for byte in body:
        char = chr(byte)
        if in_string:
            in_string = is_escaped or char != '"'
            is_escaped = char == "\\" and not is_escaped
        elif char == '"':
            in_string, is_escaped = True, False
        elif char in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]}":
            depth -= 1
    return deepest


def test_depth_is_counted_as_a_reader_would():
    """Over random bytes of strings, escapes and brackets both counts agree."""
    dice = random.Random(7)
    for _ in range(3000):
        body = bytes(dice.choices(rb'[]{}"\a', k=dice.randint(0, 60)))
        assert depth_exceeds(body, 3) is (counted(body) > 3), body
    assert not depth_exceeds(b"[" * DEEPEST, DEEPEST)
    assert depth_exceeds(b"[" * (DEEPEST + 1), DEEPEST)


@pytest.mark.parametrize("unit", [b'\\"', b'"', b"\\", b'"\\', b"["])
def test_counting_depth_takes_time_in_proportion(unit: bytes):
    """Ten times the bytes never take a hundred times as long, whatever they are."""

    def seconds(size: int) -> float:
        body = b"]" * 40 + b"[" * 33 + b'"' + unit * (size // len(unit))
        best = float("inf")
        for _ in range(3):
            begin = time.thread_time()  # whatever else the machine does meanwhile
            depth_exceeds(body, 32)
            best = min(best, time.thread_time() - begin)
        return best

    assert seconds(500_000) < 60 * seconds(50_000) + 0.01


def asked(app: ASGIApp, path: str) -> httpx.Response:
    """Ask an application without a server."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(path)

    return run(ask)


def faulty(*layers: Middleware) -> FastAPI:
    """Make an application whose pages fail with what somebody typed in."""
    app = FastAPI(middleware=layers)
    errors.install(app)

    @app.get("/fault")
    def fault() -> None:
        raise RuntimeError(CANARIES[0])

    @app.get("/unsafe")
    def unsafe() -> None:
        raise Unsafe(CANARIES[0], CANARIES[0])

    return app


@pytest.mark.parametrize("path", ["/fault", "/unsafe"])
def test_a_fault_tells_an_id_and_nothing_else(path: str, capsys: pytest.CaptureFixture[str]):
    """The answer and the log hold the id; neither holds the message of the exception."""
    response = asked(faulty(Middleware(Edge), Middleware(Limits)), path)

    said: dict[str, Any] = response.json()
    assert response.status_code == 500
    assert set(said) == {"type", "title", "title_i18n", "status", "instance"}
    assert_guarded(response)
    assert_silent(response)
    # Where logs go is set for the whole process, by whichever test set it last.
    logged = "".join(capsys.readouterr())
    assert said["instance"].rpartition(":")[2] in logged
    assert CANARIES[0] not in logged


def test_without_the_edge_a_fault_goes_unguarded():
    """The twin without the outermost layer is found: its answer lacks the headers."""
    with pytest.raises(AssertionError):
        assert_guarded(asked(faulty(Middleware(Limits)), "/fault"))


def test_who_may_set_the_clock_needs_a_token(office: Served):
    """The manual clock of a test store is no open door either."""
    with office.client() as anybody:
        assert_problem(anybody.put("/demo/clock", json={"now": "2026-03-02T09:00:00Z"}), 401)
    office.set_clock(office.clock().isoformat())
    assert office.client_for("coordinator", DISTRICT).get("/me").status_code == 200
