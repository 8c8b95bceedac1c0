"""A case step by step, and between two points of its life, over HTTP; nothing is folded here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from api import answers
from api.routes.asking import Asking, VersionQuestion, asking, point, told
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


class ReplayQuestion(VersionQuestion):
    """Up to when a case is replayed, and whether personal data is shown in clear."""

    personal: Personal = "masked"
    reason: Reason = None


class DiffQuestion(BaseModel):
    """Between which points: a version, a time with its zone, or `position:` and a position."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

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
    """Show a case step by step: what each event changed, who did it, when, why, on what basis."""
    asked = asking(request)
    mediation, then = asked.engine.mediation, asked_for.then(asked.engine)
    events = mediation.story(case_id, actor_id=asked.actor_id, route=REPLAY, then=then)
    _, seen = mediation.case(case_id, actor_id=asked.actor_id, route=REPLAY, then=then)
    opened = _opened(asked, case_id, asked_for.personal, asked_for.reason, REPLAY)
    log_id = asked.engine.log.log_id
    shown = answers.Replay(
        case_id=case_id,
        visibility=seen,
        log_id=log_id,
        items=tuple(step_shown(it, opened) for it in replay(events, log_id)),
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
    events = mediation.story(case_id, actor_id=asked.actor_id, route=DIFF)
    _, seen = mediation.case(case_id, actor_id=asked.actor_id, route=DIFF)
    versions = version_of(events, start), version_of(events, end)
    opened = _opened(asked, case_id, asked_for.personal, asked_for.reason, DIFF)
    shown = answers.Diff(
        case_id=case_id,
        visibility=seen,
        start=point_shown(events, versions[0]),
        end=point_shown(events, versions[1]),
        changes=changes_shown(diff(events, *versions), opened),
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


def step_shown(step: Step, opened: Opened | None = None) -> answers.ReplayStep:
    """Show one step of a replay; what is sealed stays so, unless it was `opened`."""
    ground = getattr(step.event, "ground", None)
    return answers.ReplayStep(
        event=history_item(step.recorded, opened=opened),
        on_behalf_of_id=step.event.on_behalf_of_id,
        command_id=step.event.command_id,
        command_end=step.recorded.command_end,
        ground=ground,
        ground_label=label("grounds", ground) if ground else None,
        changes=changes_shown(step.changes, opened),
        ended=tuple(due_shown(due) for due in step.ended),
        digest=step.digest,
        leaf=step.leaf,
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
