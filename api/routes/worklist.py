"""The worklist over HTTP: lanes page by page, counted, and one's own day; no row is made here."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api import answers
from api.routes.asking import AsOfQuestion, PageFilter, Paging, asking, moment, told
from api.routes.cases import require_known
from api.security import marked
from mediation.codes import label
from mediation.network.accounts import Role
from projections.base import reading

router = APIRouter()


class LaneFilter(PageFilter, AsOfQuestion):
    """Which rows of the worklist are listed."""

    lane: str | None = None
    level: str | None = None
    body_id: str | None = None
    assigned_to: UUID | None = None


class CountFilter(AsOfQuestion):
    """Whose lanes are counted, and as of when."""

    body_id: str | None = None


class DayFilter(PageFilter, AsOfQuestion):
    """Which part of one's day is shown, and as of when."""


@router.get("/worklist")
@marked("worklist.read", audited=False, answer=answers.LanePage)
def read_worklist(request: Request, asked_for: Annotated[LaneFilter, Query()]) -> Response:
    """List one lane, what is due first first; without a lane every open case at hand."""
    asked = asking(request)
    engine = asked.engine
    require_known(engine.mediation, asked_for.level, asked_for.body_id)
    when = moment(asked, asked_for, engine.followers[engine.worklist.name])
    # A lane of a date is another list tomorrow: a cursor does not lead from one into the other.
    paging = Paging(
        asked, "GET /worklist", asked_for, tuple[date, UUID, str, str, str], **when._asdict()
    )
    with reading(engine.read_engine) as connection:
        page = engine.worklist.lane(
            connection,
            engine.mediation.scope_of(asked.actor_id),
            asked_for.lane,
            **when._asdict(),
            level=asked_for.level,
            body_id=asked_for.body_id,
            assigned_to=asked_for.assigned_to,
            limit=asked_for.limit,
            after=paging.after,
        )
    return told(
        answers.LanePage(
            items=page.items,
            next=paging.next(page.next_key),
            as_of_position=page.as_of_position,
            parked=page.parked,
        ),
        position=page.as_of_position,
    )


@router.get("/worklist/lanes")
@marked("worklist.count", audited=False, answer=answers.LaneCounts)
def count_lanes(request: Request, asked_for: Annotated[CountFilter, Query()]) -> Response:
    """Count every lane in scope by level, in the order of the office."""
    asked = asking(request)
    engine = asked.engine
    require_known(engine.mediation, None, asked_for.body_id)
    when = moment(asked, asked_for, engine.followers[engine.worklist.name])
    with reading(engine.read_engine) as connection:
        counted = engine.worklist.counts(
            connection,
            engine.mediation.scope_of(asked.actor_id),
            **when._asdict(),
            body_id=asked_for.body_id,
        )
    return told(
        answers.LaneCounts(
            lanes=tuple(
                answers.LaneCount(
                    lane=lane,
                    label=label("lanes", lane),
                    count=sum(by_level.values()),
                    by_level=by_level,
                )
                for lane, by_level in counted.lanes.items()
            ),
            at_hand=counted.at_hand,
            as_of_position=counted.as_of_position,
            parked=counted.parked,
        ),
        position=counted.as_of_position,
    )


_OF_WHOLE_BODY = (Role.CLERK, Role.LEAD, Role.COORDINATOR)


@router.get("/worklist/mine")
@marked("worklist.mine", audited=False, answer=answers.MyDay)
def read_my_day(request: Request, asked_for: Annotated[DayFilter, Query()]) -> Response:
    """List what the asking account has to do itself, in the order of the day."""
    asked = asking(request)
    engine = asked.engine
    when = moment(asked, asked_for, engine.followers[engine.worklist.name])
    # Tomorrow the order is another one: a cursor does not lead from one day into the other.
    paging = Paging(
        asked, "GET /worklist/mine", asked_for, tuple[int, date, UUID, str], **when._asdict()
    )
    grants = engine.mediation.grants_of(asked.actor_id)
    with reading(engine.read_engine) as connection:
        page = engine.worklist.day(
            connection,
            engine.mediation.scope_of(asked.actor_id),
            account_id=asked.actor_id,
            body_ids={grant.body_id for grant in grants if grant.role in _OF_WHOLE_BODY},
            **when._asdict(),
            limit=asked_for.limit,
            after=paging.after,
        )
    return told(
        answers.MyDay(
            account_id=asked.actor_id,
            on=when.today,
            at_hand=page.at_hand,
            lanes=tuple(
                answers.LaneMine(lane=lane, label=label("lanes", lane), count=count)
                for lane, count in page.lanes.items()
            ),
            items=tuple(answers.DayItem(**item) for item in page.items),
            next=paging.next(page.next_key),
            as_of_position=page.as_of_position,
            parked=page.parked,
        ),
        position=page.as_of_position,
    )
