"""Errors as problem documents (RFC 9457): by class, in both languages, never with what was sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mediation.errors import (
    Conflict,
    FieldFault,
    Malformed,
    MediationError,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
    PositionUnknown,
    ReadModelBehind,
    ReadModelParked,
    Refusal,
    Refused,
    Sentence,
)

PROBLEM_JSON = "application/problem+json"
URN = "urn:mediation:problem:"


class BadRequest(Malformed):
    """A part of the request that is no JSON body cannot be read: a header, a cursor, a length."""

    code = "bad-request"
    title = Sentence("请求格式有误", "The request cannot be read")


class NotAuthenticated(MediationError):
    """No token, or one that is unknown, revoked or expired."""

    code = "not-authenticated"
    title = Sentence("请先登录", "Say who you are")


class MethodNotAllowed(MediationError):
    """The address exists, but not with this method."""

    code = "method-not-allowed"
    title = Sentence("该地址不支持此方法", "This address does not answer to this method")


class PreconditionMissing(MediationError):
    """A header that keeps people from overwriting each other is missing."""

    code = "precondition-missing"
    title = Sentence("缺少必要的请求头", "A required header is missing")


class TooLarge(MediationError):
    """The body is longer than the cap."""

    code = "too-large"
    title = Sentence("提交的内容过大", "The body is too large")


class WrongContentType(MediationError):
    """The body is of a kind that is not taken there, or encoded."""

    code = "wrong-content-type"
    title = Sentence("不接受该内容类型", "This type of content is not taken here")


class Fault(MediationError):
    """Something is wrong with the program, not with the request; only an id is told."""

    code = "internal"
    title = Sentence("系统故障，请将编号告知管理员", "A fault; tell the operator the id")


STATUS: Mapping[type[MediationError], int] = {
    BadRequest: 400,
    PositionUnknown: 400,
    NotAuthenticated: 401,
    NotPermitted: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    Refused: 409,
    Conflict: 412,
    TooLarge: 413,
    WrongContentType: 415,
    Malformed: 422,
    PreconditionMissing: 428,
    Fault: 500,
    OutcomeUnknown: 503,
    ReadModelBehind: 503,
    ReadModelParked: 503,
}
"""The status of a class holds for the classes below it, unless they have their own."""

_STATUS_OF_CODE = {"not-json": 400}
_HEADERS_OF = {401: {"www-authenticate": "Bearer"}, 503: {"retry-after": "1"}}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document (RFC 9457). `title` and `detail` are in the language asked for.

    Attributes:
        type: `urn:mediation:problem:` and a stable code.
        errors: where the body is malformed, by JSON pointer; never what stood there.
        refusals: every rule that said no, and what to do about it.
        current_version: where the case stands now, if another version was expected.
        allowed_actions: what the actor could do with the case now.
        instance: of a fault, the id under which it was logged.
    """

    type: str
    title: str
    title_i18n: Sentence
    status: int
    detail: str = ""
    detail_i18n: Sentence | None = None
    instance: str | None = None
    errors: tuple[FieldFault, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    current_version: int | None = None
    allowed_actions: tuple[str, ...] | None = None


def status_of(error: MediationError) -> int:
    """Give the HTTP status of an error: its code's, else its nearest class's, else 500."""
    if error.code in _STATUS_OF_CODE:
        return _STATUS_OF_CODE[error.code]
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def language(accept: str) -> str:
    """Give `zh` or `en`, whichever an Accept-Language header prefers; Chinese when it is silent."""
    weights: dict[str, float] = {}
    for part in accept.split(","):
        tag, _, rest = part.strip().lower().partition(";")
        weight = re.fullmatch(r"\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", rest)
        weights.setdefault(tag.partition("-")[0], float(weight[1]) if weight else 1.0)
    return "en" if weights.get("en", 0.0) > weights.get("zh", 0.0) else "zh"


def problem(
    error: MediationError,
    accept_language: str,
    *,
    current_version: int | None = None,
    allowed_actions: tuple[str, ...] | None = None,
    instance: str | None = None,
) -> Response:
    """Give an error as a response; a `Fault` and whatever has no status tells its id alone."""
    status = status_of(error)
    asked = language(accept_language)
    if status == STATUS[Fault]:
        error = Fault()
    told = Problem(
        type=URN + error.code,
        title=getattr(error.title, asked),
        title_i18n=error.title,
        status=status,
        instance=instance,
    )
    if not isinstance(error, Fault):
        told = msgspec.structs.replace(
            told,
            detail=getattr(error.detail, asked),
            detail_i18n=error.detail,
            errors=error.faults if isinstance(error, Malformed) else (),
            refusals=error.refusals if isinstance(error, Refused) else (),
            current_version=getattr(error, "current_version", current_version),
            allowed_actions=allowed_actions,
        )
    return Response(
        msgspec.json.encode(told),
        status_code=status,
        media_type=PROBLEM_JSON,
        headers={"content-language": asked, **_HEADERS_OF.get(status, {})},
    )


_QUERY_CODES = {
    "missing": "required",
    "extra_forbidden": "unknown-field",
    "literal_error": "unknown-code",
    "enum": "unknown-code",
    "greater_than_equal": "too-small",
    "less_than_equal": "too-large",
    "string_too_long": "length",
    "string_too_short": "length",
    "string_pattern_mismatch": "pattern",
}


def _faults(error: RequestValidationError) -> tuple[FieldFault, ...]:
    # Names of parameters are ours, except one that we do not have: that is the sender's text.
    return tuple(
        FieldFault(
            "/query"
            if found["type"] == "extra_forbidden"
            else "/" + "/".join(str(part) for part in found["loc"]),
            _QUERY_CODES.get(found["type"], "wrong-type"),
        )
        for found in error.errors()
    )


def install(app: FastAPI) -> None:
    """Make every error of the application a problem document."""

    def told(request: Request, error: MediationError) -> Response:
        return problem(error, request.headers.get("accept-language", ""))

    async def on_refusal(request: Request, error: Any) -> Response:
        if status_of(error) == STATUS[Fault]:
            raise error
        return told(request, error)

    async def on_validation(request: Request, error: Any) -> Response:
        faults = _faults(error)
        # An address with an id that is none leads nowhere: not found, like any unknown id.
        if any(fault.pointer.startswith("/path") for fault in faults):
            return told(request, NotFound())
        return told(
            request,
            Malformed(
                zh="查询参数有误，请按接口说明改正所列位置。",
                en="A parameter is missing, unknown or wrong; correct the place named below.",
                faults=faults,
            ),
        )

    async def on_http(request: Request, error: Any) -> Response:
        if error.status_code == STATUS[MethodNotAllowed]:
            answer = told(
                request,
                MethodNotAllowed(
                    zh="请使用该地址支持的方法，见 Allow 响应头。",
                    en="Use a method this address answers to; see the Allow header.",
                ),
            )
            answer.headers.update(error.headers or {})
            return answer
        return told(request, NotFound() if error.status_code == STATUS[NotFound] else BadRequest())

    app.add_exception_handler(MediationError, on_refusal)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
