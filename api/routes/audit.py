"""The access records over HTTP: who was refused, and who read personal data in clear."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api import answers
from api.routes.asking import Asking, PageFilter, Paging, asking, told
from api.security import marked
from mediation.errors import NotPermitted
from mediation.network.accounts import Role

router = APIRouter()

ROUTE = "GET /access-records"
_READERS = frozenset({Role.AUDITOR, Role.COORDINATOR})


class RecordFilter(PageFilter):
    """Which access records are listed."""

    case_id: UUID | None = None


@router.get("/access-records")
@marked("access-records.read", audited=True, answer=answers.AccessPage)
def list_access_records(request: Request, asked_for: Annotated[RecordFilter, Query()]) -> Response:
    """List access records, the latest first: of a case in scope, or of the whole district."""
    asked = asking(request)
    _require_reader(asked, asked_for.case_id)
    engine = asked.engine
    paging = Paging(asked, ROUTE, asked_for, tuple[int])
    records = engine.access.list_records(
        limit=asked_for.limit + 1,
        case_id=asked_for.case_id,
        before=paging.after[0] if paging.after else None,
    )
    page = records[: asked_for.limit]
    has_more = len(records) > asked_for.limit
    following = paging.next((page[-1].record_id,) if has_more else None)
    return told(answers.AccessPage(items=page, next=following), position=asked.head)


def _require_reader(asked: Asking, case_id: UUID | None) -> None:
    """Let auditors and coordinators read: all of it from the top, else of cases in scope."""
    mediation = asked.engine.mediation
    reading = [it for it in mediation.grants_of(asked.actor_id) if it.role in _READERS]
    is_over_all = any(grant.path == f"/{grant.body_id}/" for grant in reading)
    if reading and case_id is not None and not is_over_all:
        case, _ = mediation.case(case_id, actor_id=asked.actor_id, route=ROUTE)
        # By the grant that reads, not by another one that happens to see the case.
        if any(case.custody_path.startswith(grant.path) for grant in reading):
            return
    elif is_over_all:
        return
    raise NotPermitted(
        zh="查阅记录由审计员和区级统筹员查看，请向其申请。",
        en="Access records are read by auditors and coordinators; ask one of them.",
    )
