"""The description of the interface, made from the registry of commands and the marks of routes.

`python -m api.openapi --write` writes it to docs/reference/openapi.json, which a test holds to the
code.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from msgspec import inspect

from api.commands import (
    ApprovalAsked,
    ApprovalDrawn,
    CaseChanged,
    NetworkChanged,
    Rehearsed,
    is_case_command,
    is_creating_command,
    is_network_command,
)
from api.errors import STATUS, Problem
from api.routes.cases import personal_schema
from api.routes.imports import SheetSent
from api.security import Mark
from mediation import codes, kernel, ladder
from mediation.case.intake import RegisterCase

VERSION = "0.1.0"
FILE = Path(__file__).parent.parent / "docs" / "reference" / "openapi.json"

_REF = "#/components/schemas/{name}"
EXAMPLE_ID = UUID("00000000-0000-4000-8000-000000000001")
"""Stands for every id in an example."""

_COMPANY = {"role": "EMPLOYER", "party_kind": "COMPANY", "company_name": "示例制衣有限公司"}
_FORMS: dict[str, dict[str, Any]] = {
    "PartyEntry": _COMPANY,
    "RegisterCase": {
        "matter_kind": "DISPUTE",
        "channel": "walk-in",
        "applicants": [{"role": "WORKER", "name": "示例职工"}],
        "respondents": [_COMPANY],
        "request": "请求支付拖欠的工资",
        "cause": "C13",
        "lines": [{"applicant": 0, "respondent": 0, "cause": "C13", "claimed_fen": 1280000}],
    },
    "RegisterAndSettleSmallCase": {
        "channel": "walk-in",
        "workers": [{"name": "示例职工", "claimed_fen": 120000}],
        "employer": _COMPANY,
        "cause": "C13",
        "request": "请求支付拖欠的工资",
        "consent_means": "attending",
        "instrument": "oral",
        "paid_on": "2026-03-02",
    },
    "SignAgreement": {"number": 1, "digest": "0123456789ab", "party_id": str(EXAMPLE_ID)},
    "ReportUrgent": {
        "kind": "first",
        "addressees": [
            {"kind": "party-government", "name": "示例街道综治中心"},
            {"kind": "upper-union", "name": "示例区总工会"},
        ],
        "text": "职工聚集，情况紧急。",
    },
}
"""Bodies that need more than their required fields, or fields that fit each other."""

_WORDS = {
    "body_id": "dongcheng",
    "to_body_id": "xicheng",
    "role": "mediator",
    "name_zh": "示例区总工会调解室",
    "name_en": "Sample circuit room",
    "forum_name": "示例区劳动人事争议仲裁委员会",
    "means": "in-person",
    "flag": "WAGE_ARREARS",
    "ground": "beyond-means",
    "code": "no-rights-notice",
    "cure": "explained",
    "criteria_code": "wage-arrears",
    "forum": "arbitration",
    "source": "document",
    "source_document": "arbitral-award",
    "step": "accepted",
    "RefuseAid.reason_code": "criteria-not-met",
    "RefuseCase.reason_code": "duplicate",
    "DeclineAssignment.reason_code": "workload",
    "DeclineCustody.reason_code": "wrong-body",
    "FailMediation.cause_code": "no-agreement",
}
"""What stands in a field of this name; a code is one of its table."""

_QUERY_PROBLEMS = (400, 401, 404, 422, 503)
_SHEET_PROBLEMS = (400, 401, 413, 415, 422, 503)
_COMMAND_PROBLEMS = (400, 401, 403, 404, 409, 413, 415, 422, 428, 503)
_LANGUAGE = {
    "name": "Accept-Language",
    "in": "header",
    "required": False,
    "description": "Language of `title` and `detail` of a problem: `zh` (default) or `en`.",
    "schema": {"type": "string"},
}
_MIN_POSITION = {
    "name": "Min-Position",
    "in": "header",
    "required": False,
    "description": "A `Position` answered before: wait up to two seconds for read models to reach "
    "it, else 503; 400 beyond the log or of another log.",
    "schema": {"type": "string", "pattern": "^([a-z0-9-]{1,64}:)?[0-9]{1,18}$"},
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "New for every action, the same for its retries; the same key gives the same "
    "answer for ever. Missing: 428.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
}
_DRY_RUN = {
    "name": "dry_run",
    "in": "query",
    "required": False,
    "description": "Decide and answer what would happen, and write nothing.",
    "schema": {"type": "boolean", "default": False},
}
_APPROVAL = {
    "name": "Approval",
    "in": "header",
    "required": False,
    "description": "Approvals of a late entry, as `POST /approvals` gave them, parted by commas.",
    "schema": {"type": "string"},
}
_POSITION = {
    "description": "Position in the log that the answer holds for.",
    "schema": {"type": "string"},
}
_ETAG = {"description": "Version, in quotes.", "schema": {"type": "string"}}


def text(app: FastAPI) -> str:
    """Give the description as it is committed."""
    return json.dumps(app.openapi(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def describe(app: FastAPI) -> dict[str, Any]:
    """Describe every query and every command as OpenAPI 3.1."""
    marked_routes = [
        (route, mark)
        for route in app.routes
        if isinstance(route, APIRoute)
        and route.include_in_schema
        and (mark := getattr(route.endpoint, "mark", None))
    ]
    answered = [
        kind for _, mark in marked_routes for kind in _kinds(mark.answer) if kind is not str
    ]
    handled = kernel.commands().values()
    wanted = [
        CaseChanged,
        NetworkChanged,
        Rehearsed,
        ApprovalAsked,
        ApprovalDrawn,
        SheetSent,
        Problem,
        *answered,
    ]
    described, components = msgspec.json.schema_components(
        [*wanted, *(it.command_type for it in handled)],
        schema_hook=personal_schema,
        ref_template=_REF,
    )
    schema_of = dict(zip(wanted, described, strict=False))
    schema = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        description="Commands change, queries read. Every error is a problem document (RFC 9457) "
        "that says what to do next in Chinese and in English.",
        routes=app.routes,
    )
    for route, mark in marked_routes:
        _describe_route(schema["paths"][route.path], mark, schema_of)
    for path, operation in _operations(schema_of):
        schema["paths"].setdefault(path, {})["post"] = operation
    schema["paths"]["/approvals"] = {"post": _approving(schema_of)}
    of_queries = schema.get("components", {}).get("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        of_queries.pop(name, None)
    schema["components"] = {
        "schemas": {**of_queries, **_tidied(components)},
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
    }
    return schema


def _kinds(answer: Any) -> tuple[Any, ...]:
    """Give the forms an answer may have: those of a union, or the one, or none."""
    return get_args(answer) or (() if answer is None else (answer,))


def _tidied(components: dict[str, Any]) -> dict[str, Any]:
    """Take the indentation of docstrings out of descriptions."""
    for component in components.values():
        if "description" in component:
            lines = component["description"].splitlines()
            component["description"] = "\n".join(line.strip() for line in lines)
    return components


def _describe_route(path: dict[str, Any], mark: Mark, schema_of: dict[Any, Any]) -> None:
    for method, operation in path.items():
        if not operation.get("x-action"):
            operation["x-action"] = mark.action
            operation["x-audited"] = mark.audited
            operation.setdefault("parameters", []).append(_LANGUAGE)
            operation["operationId"] = mark.action
            operation["responses"] = _answers(200, mark, schema_of)
            if mark.public:
                continue
            operation["security"] = [{"bearer": []}]
            if method == "get":
                operation["parameters"].append(_MIN_POSITION)
            operation["responses"] |= _problems(
                _QUERY_PROBLEMS if method == "get" else _SHEET_PROBLEMS
            )


def _answers(status: int, mark: Mark, schema_of: dict[Any, Any]) -> dict[str, Any]:
    if mark.answer is str:
        content: dict[str, Any] = {"text/plain": {"schema": {"type": "string"}}}
    else:
        schemas = [schema_of[kind] for kind in _kinds(mark.answer)]
        content = {
            "application/json": {"schema": schemas[0] if len(schemas) == 1 else {"oneOf": schemas}}
        }
    return {
        str(status): {
            "description": "The answer.",
            "content": content,
            "headers": {"Position": _POSITION},
        }
    }


def _problems(statuses: tuple[int, ...]) -> dict[str, Any]:
    titles: dict[int, str] = {}
    for kind, status in STATUS.items():
        titles.setdefault(status, f"{kind.title.zh} · {kind.title.en}")
    content = {"application/problem+json": {"schema": {"$ref": _REF.format(name="Problem")}}}
    return {str(status): {"description": titles[status], "content": content} for status in statuses}


def _operations(schema_of: dict[Any, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, handled in kernel.commands().items():
        if is_case_command(handled):
            path, is_case = f"/cases/{{case_id}}/commands/{name}", True
        elif is_network_command(handled):
            path, is_case = f"/network/commands/{name}", False
        else:
            is_case = True
            path = "/cases" if handled.command_type is RegisterCase else f"/cases/commands/{name}"
        yield path, _operation(name, handled, schema_of, path, is_case=is_case)


def _operation(
    name: str, handled: kernel.Handled, schema_of: dict[Any, Any], path: str, *, is_case: bool
) -> dict[str, Any]:
    kind = handled.command_type
    label = codes.label("commands", kind.__name__)
    is_on_case = "{case_id}" in path
    parameters = [_KEY, _DRY_RUN, _LANGUAGE]
    if is_on_case:
        identifier = {"type": "string", "format": "uuid"}
        parameters.insert(
            0, {"name": "case_id", "in": "path", "required": True, "schema": identifier}
        )
    creates = is_creating_command(handled)
    if not creates:
        parameters.append(_if_match(required=is_on_case))
    if is_case:
        parameters.append(_APPROVAL)
    answer: dict[str, Any] = {
        "description": "Carried out; the same answer for the same key, for ever. As a dry run: "
        "what would happen; nothing was written.",
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [
                        schema_of[CaseChanged if is_case else NetworkChanged],
                        schema_of[Rehearsed],
                    ]
                }
            }
        },
        "headers": {"ETag": _ETAG, "Position": _POSITION},
    }
    if creates:
        answer["headers"] |= {"Location": {"schema": {"type": "string"}}}
    return {
        "operationId": name,
        "summary": f"{label.zh} · {label.en}",
        "description": " ".join((kind.__doc__ or "").split()),
        "x-action": f"{'cases' if is_case else 'network'}.command",
        "x-audited": is_case,
        "security": [{"bearer": []}],
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": _REF.format(name=kind.__name__)},
                    "example": example_of(kind),
                }
            },
        },
        "responses": {
            "201" if creates else "200": answer,
            **_problems((*_COMMAND_PROBLEMS, *(() if creates else (412,)))),
        },
    }


def _approving(schema_of: dict[Any, Any]) -> dict[str, Any]:
    """Describe the one POST that is no command: it draws an approval and writes nothing."""
    return {
        "operationId": "approvals.draw",
        "summary": "批准补录 · Approve a late entry",
        "description": "The lead of the body, or a coordinator, approves one command of somebody "
        "else, exactly as it will be submitted; the approval is of use for that command alone.",
        "x-action": "approvals.draw",
        "x-audited": True,
        "security": [{"bearer": []}],
        "parameters": [_LANGUAGE],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema_of[ApprovalAsked]}},
        },
        "responses": {
            "201": {
                "description": "The approval.",
                "content": {"application/json": {"schema": schema_of[ApprovalDrawn]}},
            },
            **_problems((400, 401, 403, 404, 409, 413, 415, 422)),
        },
    }


def _if_match(*, required: bool) -> dict[str, Any]:
    return {
        "name": "If-Match",
        "in": "header",
        "required": required,
        "description": "The version you saw, in quotes. Stale: 412. Missing where required: 428.",
        "schema": {"type": "string", "pattern": '^"[0-9]{1,18}"$'},
    }


def example_of(kind: type[kernel.Command]) -> dict[str, Any]:
    """Give a body that is of the command's form: its required fields, filled in plausibly."""
    found: dict[str, Any] = _example(inspect.type_info(kind), "", kind.__name__)
    return found


def _example(info: Any, field: str, command: str) -> Any:  # noqa: C901, PLR0911 - one answer for each kind of type
    match info:
        case inspect.Metadata():
            examples = (info.extra_json_schema or {}).get("examples", ())
            return examples[0] if examples else _example(info.type, field, command)
        case inspect.StructType():
            return _FORMS.get(info.cls.__name__) or {
                it.name: _example(it.type, it.name, command) for it in info.fields if it.required
            }
        case inspect.VarTupleType():
            return [_example(info.item_type, field, command)] * max(1, info.min_length or 0)
        case inspect.LiteralType():
            word = _WORDS.get(field)
            return word if word in info.values else info.values[0]
        case inspect.EnumType():
            return _WORDS.get(field) or next(iter(info.cls)).value
        case inspect.UUIDType():
            return str(EXAMPLE_ID)
        case inspect.DateType():
            return "2026-03-02"
        case inspect.BoolType():
            return True
        case inspect.IntType():
            return max(info.ge or 0, info.gt or 0)
        case inspect.CustomType():
            return "示例文字"
        case inspect.UnionType():
            return _example(info.types[0], field, command)
        case _:
            return _word(field, command)


def _word(field: str, command: str) -> str:
    top = ladder.load_ref(ladder.published()[-1]).top
    own = {"level": top.code, "kind": top.bodies[0].code}
    return _WORDS.get(f"{command}.{field}") or _WORDS.get(field) or own.get(field, "示例")


def main(arguments: list[str]) -> int:
    """Write the description, or say whether the committed one is that of the code."""
    from api.app import describable  # noqa: PLC0415 - the application imports this file

    described = text(describable())
    if "--write" in arguments:
        FILE.write_text(described, encoding="utf-8")
        return 0
    if not FILE.exists() or FILE.read_text(encoding="utf-8") != described:
        sys.stderr.write("docs/reference/openapi.json differs: python -m api.openapi --write\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
