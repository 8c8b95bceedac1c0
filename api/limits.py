"""What is refused before anything is parsed, and what every answer carries; pure ASGI."""

from __future__ import annotations

import re
import secrets
import traceback
from collections.abc import Iterator

import anyio
import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import BadRequest, Fault, TooLarge, WrongContentType, problem
from mediation.errors import MediationError

LARGEST_BODY = 2**20
DEEPEST = 32
SHEETS_AT = frozenset({"/imports", "/imports/approvals"})
"""Where a sheet is taken, beside JSON."""

SHEET_TYPES = frozenset(
    {"text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
)
_SECONDS = 30
_MOST_BRACKETS = 50_000
_LENGTH_DIGITS = 12
SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "strict-transport-security": "max-age=31536000",
}
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# One pass, whatever the bytes: a string is eaten whole, also one that never ends.
_STRING = re.compile(rb'"(?:[^"\\]|\\.|\\\Z)*+(?:"|\Z)', re.DOTALL)
_OPENING = b"[{"
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_JSON = re.compile(r"application/json\s*(?:;\s*charset\s*=\s*\"?utf-8\"?\s*)?", re.IGNORECASE)

_log = structlog.get_logger("mediation.api")


class Edge:
    """The outermost layer: security headers on every answer, and a fault tells its id alone.

    The text of an exception may hold what somebody typed in, so only its class and the places in
    the code are logged.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_guarded)
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is, it ends here, logged
            instance = secrets.token_hex(8)
            _log.error(
                "fault",
                id=instance,
                error=type(error).__name__,
                at=list(_frames(error)),
            )
            if started:
                return
            accept = Headers(scope=scope).get("accept-language", "")
            answer = problem(Fault(), accept, instance=f"urn:mediation:fault:{instance}")
            await answer(scope, receive, send_guarded)


def _frames(error: BaseException) -> Iterator[str]:
    for frame in traceback.extract_tb(error.__traceback__)[-8:]:
        yield f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"


class Limits:
    """Reads a body up to the cap and hands it on whole, or answers why not.

    Length is counted while the body comes in, whatever Content-Length says; beyond the cap the
    rest is not read and the connection is closed.
    """

    def __init__(
        self, app: ASGIApp, *, largest: int = LARGEST_BODY, deepest: int = DEEPEST
    ) -> None:
        self._app = app
        self._largest = largest
        self._deepest = deepest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            body = await self._read(scope["method"], scope["path"], headers, receive)
        except MediationError as error:
            answer = problem(error, headers.get("accept-language", ""))
            answer.headers["connection"] = "close"
            await answer(scope, receive, send)
            return
        handed = False

        async def receive_body() -> Message:
            nonlocal handed
            if handed:
                return await receive()
            handed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, receive_body, send)

    async def _read(self, method: str, path: str, headers: Headers, receive: Receive) -> bytes:
        announced = headers.get("content-length", "0")
        if not announced.isdecimal() or len(announced) > _LENGTH_DIGITS:
            raise self._too_large()
        if int(announced) > self._largest:
            raise self._too_large()
        is_sheet = path in SHEETS_AT and is_sheet_type(headers.get("content-type", ""))
        if method in _WITH_BODY:
            self._check_type(headers, is_sheet=is_sheet)
        try:
            with anyio.fail_after(_SECONDS):
                body = await self._received(receive)
        except TimeoutError:
            raise BadRequest(
                zh="提交超时，请检查网络后重新提交。",
                en="The request took too long to arrive; check the network and send it again.",
                code="too-slow",
            ) from None
        if not is_sheet and depth_exceeds(body, self._deepest):
            raise BadRequest(
                zh=f"JSON 嵌套超过{self._deepest}层，请按接口说明组织内容。",
                en=f"The JSON is nested deeper than {self._deepest}; see the form of the command.",
                code="too-deep",
            )
        return body

    async def _received(self, receive: Receive) -> bytes:
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                break
            body += message.get("body", b"")
            if len(body) > self._largest:
                raise self._too_large()
            more = message.get("more_body", False)
        return bytes(body)

    def _too_large(self) -> TooLarge:
        return TooLarge(
            zh=f"请将内容减至{self._largest // 1024}KB以内，分次提交。",
            en=f"Send at most {self._largest // 1024} KiB; split it into several requests.",
        )

    def _check_type(self, headers: Headers, *, is_sheet: bool) -> None:
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise WrongContentType(
                zh="请不要压缩请求内容，直接提交。",
                en="Send the body as it is, without a content encoding.",
                code="content-encoding",
            )
        if not is_sheet and not _JSON.fullmatch(headers.get("content-type", "").strip()):
            raise WrongContentType(
                zh="请以 Content-Type: application/json 提交 UTF-8 编码的 JSON；"
                "导入台账的地址还接受 text/csv 和 XLSX 类型。",
                en="Send JSON in UTF-8 with Content-Type: application/json; where sheets are "
                "imported, the types of CSV and XLSX are taken too.",
            )


def is_sheet_type(content_type: str) -> bool:
    """Say whether a Content-Type, with whatever parameters, is that of a sheet."""
    return content_type.partition(";")[0].strip().lower() in SHEET_TYPES


def depth_exceeds(body: bytes | bytearray, deepest: int) -> bool:
    """Say whether brackets outside strings nest deeper than this; linear in the length."""
    brackets = body.count(b"[") + body.count(b"{")
    if brackets <= deepest:
        return False
    # No command has that many; looking at each would keep everybody else waiting.
    if brackets > _MOST_BRACKETS:
        return True
    depth = 0
    for bracket in _STRING.sub(b"", body).translate(None, _NO_BRACKET):
        depth += 1 if bracket in _OPENING else -1
        if depth > deepest:
            return True
    return False
