"""A case step by step, and between two points of its life, over HTTP; nothing is folded here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from api import answers
from api.routes.asking import (
    Asking,
    PageFilter,
    Paging,
    VersionQuestion,
    asking,
    fitting,
    point,
    told,
)
from api.routes.cases import Opened, due_shown, history_item, holds_for, masked
from api.security import marked
from mediation.audit import NOTHING, Change, Step, diff, path_label, replay
from mediation.codes import label
from mediation.errors import NotFound
from mediation.reading import AsOf
from mediation.store import Recorded

router = APIRouter()

Personal = Annotated[str, Field(pattern="^(masked|clear)$")]
Reason = Annotated[str, Field(pattern="^[a-z][a-z0-9-]{0,63}$")] | None
REPLAY, DIFF = "GET /cases/{case_id}/replay", "GET /cases/{case_id}/diff"


MOST_TOLD = 200
"""Of a longer list a step tells the beginning, and how much it leaves out."""


class ReplayQuestion(VersionQuestion, PageFilter):
    """Up to when a case is replayed, and whether personal data is shown in clear."""

    personal: Personal = "masked"
    reason: Reason = None


class DiffQuestion(PageFilter):
    """Between which points: a version, a time with its zone, or `position:` and a position."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    limit: Annotated[int, Field(ge=1, le=1000)] = 1000
    start: Annotated[
        str,
        Field(
            alias="from",
            max_length=90,
            description="A version such as 3, a time such as 2026-03-02T09:00:00Z, or a position "
            "such as position:17; left out: before the first event.",
        ),
    ] = "0"
    end: Annotated[
        str | None,
        Field(alias="to", max_length=90, description="As `from`; left out: now."),
    ] = None
    personal: Personal = "masked"
    reason: Reason = None


@router.get("/cases/{case_id}/replay")
@marked("cases.replay", audited=True, answer=answers.Replay)
def read_replay(
    request: Request, case_id: UUID, asked_for: Annotated[ReplayQuestion, Query()]
) -> Response:
    """Show a case step by step: what each event changed, who did it, when, why, on what basis.

    A page ends at `limit` steps or at about a megabyte; a step tells the beginning of what is long.
    """
    asked = asking(request)
    mediation, then = asked.engine.mediation, asked_for.then(asked.engine)
    paging = Paging(asked, REPLAY, asked_for, tuple[int], case_id=case_id)
    events, seen = mediation.story(case_id, actor_id=asked.actor_id, route=REPLAY, then=then)
    opened = _opened(asked, case_id, asked_for.personal, asked_for.reason, REPLAY)
    log_id, after = asked.engine.log.log_id, paging.after[0] if paging.after else 0
    items, more = fitting(
        (step_shown(it, opened, most=MOST_TOLD) for it in replay(events, log_id, passing=after)),
        asked_for.limit,
    )
    shown = answers.Replay(
        case_id=case_id,
        visibility=seen,
        log_id=log_id,
        items=items,
        next=paging.next((items[-1].event.version,) if more else None),
    )
    return told(shown, position=holds_for(asked, then))


@router.get("/cases/{case_id}/diff")
@marked("cases.diff", audited=True, answer=answers.Diff)
def read_diff(
    request: Request, case_id: UUID, asked_for: Annotated[DiffQuestion, Query()]
) -> Response:
    """Show what is different in a case between two points of its life."""
    asked = asking(request)
    mediation = asked.engine.mediation
    start, end = (
        None if it is None else point(asked.engine, it) for it in (asked_for.start, asked_for.end)
    )
    events, seen = mediation.story(case_id, actor_id=asked.actor_id, route=DIFF)
    versions = version_of(events, start), version_of(events, end)
    paging = Paging(asked, DIFF, asked_for, tuple[int], case_id=case_id, versions=versions)
    opened = _opened(asked, case_id, asked_for.personal, asked_for.reason, DIFF)
    after = paging.after[0] if paging.after else 0
    found = diff(events, *versions)
    until = after + asked_for.limit
    shown = answers.Diff(
        case_id=case_id,
        visibility=seen,
        start=point_shown(events, versions[0]),
        end=point_shown(events, versions[1]),
        changes=changes_shown(found[after:until], opened),
        total=len(found),
        next=paging.next((until,) if until < len(found) else None),
    )
    return told(shown, position=asked.head)


def _opened(
    asked: Asking, case_id: UUID, personal: str, reason: str | None, route: str
) -> Opened | None:
    """Open what may be read in clear, last of all: what is refused was not read."""
    if personal != "clear":
        return None
    return asked.engine.mediation.open_case(
        case_id, actor_id=asked.actor_id, route=route, reason=reason
    )[1]


def version_of(events: Sequence[Recorded], then: AsOf | int | None) -> int:
    """Give how many of these events were there then; None is now.

    Raises:
        NotFound: there is no such version.
    """
    if isinstance(then, AsOf):
        return sum(it.position <= then.position for it in events)
    version = len(events) if then is None else then
    if not 0 <= version <= len(events):
        raise NotFound
    return version


def point_shown(events: Sequence[Recorded], version: int) -> answers.PointShown:
    """Say where in the log a version of a case stands."""
    last = events[version - 1] if version else None
    return answers.PointShown(
        version=version,
        position=last.position if last else 0,
        recorded_at=last.recorded_at if last else None,
    )


def step_shown(
    step: Step, opened: Opened | None = None, *, most: int | None = None
) -> answers.ReplayStep:
    """Show one step of a replay; what is sealed stays so, unless it was `opened`.

    Of each list at most `most` are told, and how many are left out; default: all.
    """
    ground = getattr(step.event, "ground", None)
    event = history_item(step.recorded, opened=opened)
    lists = {name: it for name, it in event.fields.items() if isinstance(it, list)}
    counts = {
        "changes": len(step.changes),
        "ended": len(step.ended),
        "event.due": len(event.due),
        "event.due_ended": len(event.due_ended),
        **{f"event.fields.{name}": len(it) for name, it in lists.items()},
    }
    event = msgspec.structs.replace(
        event,
        due=event.due[:most],
        due_ended=event.due_ended[:most],
        fields=event.fields | {name: it[:most] for name, it in lists.items()},
    )
    return answers.ReplayStep(
        event=event,
        on_behalf_of_id=step.event.on_behalf_of_id,
        command_id=step.event.command_id,
        command_end=step.recorded.command_end,
        ground=ground,
        ground_label=label("grounds", ground) if ground else None,
        changes=changes_shown(step.changes[:most], opened),
        ended=tuple(due_shown(due) for due in step.ended[:most]),
        digest=step.digest,
        leaf=step.leaf,
        left_out={name: n - most for name, n in counts.items() if n > most} if most else {},
    )


def changes_shown(
    changes: Sequence[Change], opened: Opened | None = None
) -> tuple[answers.ChangeShown, ...]:
    """Show changes with their labels; what is sealed stays so, unless it was `opened`."""

    def shown(value: Any) -> Any:
        return value if value is NOTHING else masked(value, opened)

    return tuple(
        answers.ChangeShown(
            path=it.path, label=path_label(it.path), before=shown(it.before), after=shown(it.after)
        )
        for it in changes
    )
