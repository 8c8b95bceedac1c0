"""Open dates and notices over HTTP, in the scope of whoever asks; nothing is computed here."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api import answers
from api.routes.asking import (
    AsOfQuestion,
    PageFilter,
    Paging,
    asking,
    caught_up,
    moment,
    told,
)
from api.routes.cases import due_shown, require_known
from api.security import marked
from mediation.calendar import DueDate
from mediation.codes import label
from projections.base import reading

router = APIRouter()


class DeadlineFilter(PageFilter, AsOfQuestion):
    """Which dates are listed: `until` is the latest last safe day, `kind` past or not yet."""

    code: Annotated[str, Field(pattern="^D[0-9]{2}$")] | None = None
    level: str | None = None
    body_id: str | None = None
    until: date | None = None
    kind: Literal["open", "past"] | None = None


_REASONS = DueDate.__struct_fields__


@router.get("/deadlines")
@marked("deadlines.list", audited=False, answer=answers.DeadlinePage)
def list_deadlines(request: Request, asked_for: Annotated[DeadlineFilter, Query()]) -> Response:
    """List the open dates in scope, the earliest first, each with how it came about."""
    asked = asking(request)
    engine = asked.engine
    require_known(engine.mediation, asked_for.level, asked_for.body_id)
    when = moment(asked, asked_for, engine.followers[engine.deadlines.name])
    # What is past is more tomorrow: a cursor does not lead from one day into the other.
    paging = Paging(asked, "GET /deadlines", asked_for, tuple[date, UUID, str], **when._asdict())
    outside = engine.mediation.scope_outside(asked.actor_id)
    with reading(engine.read_engine) as connection:
        page = engine.deadlines.page(
            connection,
            engine.mediation.scope_of(asked.actor_id),
            **when._asdict(),
            code=asked_for.code,
            level=asked_for.level,
            body_id=asked_for.body_id,
            until=asked_for.until,
            kind=asked_for.kind,
            # Whose proceeding it is does not stand in the row: that side sees none of them here.
            without=() if outside is None else ("D16",),
            outside=outside,
            limit=asked_for.limit,
            after=paging.after,
        )
    return told(
        answers.DeadlinePage(
            items=tuple(
                answers.DeadlineShown(
                    case_id=item["case_id"],
                    case_number=item["case_number"],
                    matter_kind=item["matter_kind"],
                    risk=item["risk"],
                    level=item["level"],
                    body_id=item["body_id"],
                    due=due_shown(DueDate(**{name: item[name] for name in _REASONS})),
                )
                for item in page.items
            ),
            next=paging.next(page.next_key),
            as_of_position=page.as_of_position,
            parked=page.parked,
        ),
        position=page.as_of_position,
    )


@router.get("/notices")
@marked("notices.list", audited=False, answer=answers.NoticePage)
def list_notices(request: Request, asked_for: Annotated[PageFilter, Query()]) -> Response:
    """List the notices to the bodies of the asking account, the latest first."""
    asked = asking(request)
    engine = asked.engine
    caught_up(asked, engine.followers[engine.notices.name])
    paging = Paging(asked, "GET /notices", asked_for, tuple[int, str, UUID])
    with reading(engine.read_engine) as connection:
        page = engine.notices.page(
            connection,
            engine.mediation.scope_of(asked.actor_id),
            limit=asked_for.limit,
            after=paging.after,
        )
    return told(
        answers.NoticePage(
            items=tuple(
                answers.NoticeShown(
                    **msgspec.structs.asdict(notice),
                    risk_label=label("risks", notice.risk),
                    ground_label=label("grounds", notice.ground),
                )
                for notice in page.items
            ),
            next=paging.next(page.next_key),
            as_of_position=page.as_of_position,
            parked=page.parked,
        ),
        position=page.as_of_position,
    )
