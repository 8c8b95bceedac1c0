"""Sheets of paper cases over HTTP: so many cases a request, and where the next one goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal
from uuid import UUID

import anyio
import anyio.to_thread
import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from api.bootstrap import Engine
from api.importing.ledger import read_ledger
from api.importing.run import Keyed, RowTold, approved, carried_out, keyed
from api.limits import SHEET_TYPES, is_sheet_type
from api.routes.asking import told
from api.security import authenticate, marked
from mediation import codes
from mediation.authority import may
from mediation.errors import NotPermitted
from mediation.kernel import read_body

AT_ONCE = 200
"""Cases of one request; the answer says where the next one goes on."""

SHEETS_AT_ONCE = 1
"""Sheets at the same time: reading one keeps a processor busy, and no command waits for it."""

_IMPORTING = tuple(dict.fromkeys((*may("register-case"), *may("register-and-settle-small-case"))))
"""The roles that may record anything of a sheet at all."""

router = APIRouter()


class SheetSent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sheet (base64) with the approvals of its late rows by key, several parted by commas."""

    sheet: bytes
    approvals: dict[str, str] = {}


class ImportTold(msgspec.Struct, frozen=True, kw_only=True):
    """What became of these cases; `next_row` is where to go on, null at the end of the sheet."""

    rows: tuple[RowTold, ...]
    counts: dict[str, int]
    next_row: int | None


class ApprovalsTold(msgspec.Struct, frozen=True, kw_only=True):
    """The approvals drawn, by key, to be sent along with the same sheet; else as an import."""

    approvals: dict[str, str]
    rows: tuple[RowTold, ...]
    counts: dict[str, int]
    next_row: int | None


class SheetFilter(BaseModel):
    """Which rows of the sheet: those from `from_row` on."""

    model_config = ConfigDict(extra="forbid")

    from_row: Annotated[int, Field(ge=1, le=1_048_576)] = 1


class ImportFilter(SheetFilter):
    """Whether anything is written."""

    dry_run: Literal["true", "false"] = "false"


class ApprovalFilter(SheetFilter):
    """For whom is approved: the account that is going to import the sheet."""

    actor_id: UUID


_BODY = {
    "requestBody": {
        "required": True,
        "description": "The sheet, as CSV or XLSX, or in JSON with the approvals of its late rows.",
        "content": {
            **{
                name: {"schema": {"type": "string", "contentMediaType": name}}
                for name in SHEET_TYPES
            },
            "application/json": {"schema": {"$ref": "#/components/schemas/SheetSent"}},
        },
    }
}


@router.post("/imports", openapi_extra=_BODY)
@marked("cases.import", audited=True, answer=ImportTold)
async def import_sheet(request: Request, asked_for: Annotated[ImportFilter, Query()]) -> Response:
    """Record the cases of a sheet; the same sheet sent again records none of them twice."""

    def work(engine: Engine, actor_id: UUID, sent: SheetSent) -> Any:
        now, next_row = _cases(engine, sent.sheet, asked_for.from_row)
        rows = tuple(
            carried_out(
                engine.mediation,
                now,
                actor_id=actor_id,
                approvals=sent.approvals,
                is_dry_run=asked_for.dry_run == "true",
                route="POST /imports",
            )
        )
        return ImportTold(rows=rows, counts=counts_of(rows), next_row=next_row)

    return await _worked(request, work)


@router.post("/imports/approvals", openapi_extra=_BODY)
@marked("imports.approve", audited=True, answer=ApprovalsTold)
async def approve_sheet(
    request: Request, asked_for: Annotated[ApprovalFilter, Query()]
) -> Response:
    """Approve the late rows of a sheet that somebody else is going to import."""

    def work(engine: Engine, approver_id: UUID, sent: SheetSent) -> Any:
        now, next_row = _cases(engine, sent.sheet, asked_for.from_row)
        drawn = list(
            approved(
                engine.mediation,
                now,
                approver_id=approver_id,
                actor_id=asked_for.actor_id,
                route="POST /imports/approvals",
            )
        )
        rows = tuple(row for row, _ in drawn)
        return ApprovalsTold(
            approvals={row.key: token for row, token in drawn if row.key and token},
            rows=rows,
            counts=counts_of(rows),
            next_row=next_row,
        )

    return await _worked(request, work)


def counts_of(rows: Iterable[RowTold]) -> dict[str, int]:
    """Count rows by what became of them."""
    return dict(Counter[str](row.status for row in rows))


def _cases(engine: Engine, sheet: bytes, from_row: int) -> tuple[list[Keyed], int | None]:
    # The keys of the whole sheet first: which of equal rows a row is depends on those above it.
    cases = keyed(engine.mediation, read_ledger(sheet))
    left = [case for case in cases if case.entry.rows[0] >= from_row]
    return left[:AT_ONCE], left[AT_ONCE].entry.rows[0] if len(left) > AT_ONCE else None


def _require_importer(engine: Engine, actor_id: UUID) -> None:
    """Turn away who could record no row, before a byte of the sheet is read."""
    if any(grant.role in _IMPORTING for grant in engine.mediation.grants_of(actor_id)):
        return
    raise NotPermitted(
        zh="导入台账由以下人员办理："
        + "、".join(codes.label("roles", role).zh for role in _IMPORTING)
        + "。请转交上述人员办理。",
        en="Sheets are imported by those who register cases: "
        + ", ".join(codes.label("roles", role).en for role in _IMPORTING)
        + "; ask one of them.",
    )


async def _worked(request: Request, work: Callable[[Engine, UUID, SheetSent], Any]) -> Response:
    body = await request.body()

    def answer() -> Response:
        engine: Engine = request.app.state.engine
        actor_id = authenticate(request)
        _require_importer(engine, actor_id)
        is_sheet = is_sheet_type(request.headers["content-type"])
        sent = SheetSent(sheet=body) if is_sheet else read_body(SheetSent, body)
        done = work(engine, actor_id, sent)
        return told(done, position=engine.log.head().position)

    return await anyio.to_thread.run_sync(answer, limiter=request.app.state.imports)
