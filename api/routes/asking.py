"""How a query is asked and answered: who, from which position on, in which form; no question."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Generic, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from api.bootstrap import Engine
from api.cursors import K
from api.security import authenticate
from mediation.calendar import day_of
from mediation.errors import FieldFault, Malformed, PositionUnknown
from mediation.reading import AsOf
from projections.runner import Follower

WAIT_SECONDS = 2.0
_POSITION = re.compile(r"(?:([a-z0-9-]{1,64}):)?([0-9]{1,18})")


class Asking(NamedTuple):
    """One query: the engine it is put to, who asks, and the position it must have reached."""

    engine: Engine
    actor_id: UUID
    head: int
    min_position: int


def asking(request: Request) -> Asking:
    """Read who asks and from which position on.

    Raises:
        NotAuthenticated: no valid token.
        PositionUnknown: `Min-Position` is malformed, of another log, or ahead of this one.
    """
    engine: Engine = request.app.state.engine
    actor_id = authenticate(request)
    head = engine.log.head().position
    given = _own_position(engine, request.headers.get("min-position", "0"))
    if given > head:
        raise _position_unknown()
    return Asking(engine, actor_id, head, given)


def _own_position(engine: Engine, given: str) -> int:
    found = _POSITION.fullmatch(given)
    if found is None or found[1] not in (None, engine.log.district):
        raise _position_unknown()
    return int(found[2])


def _position_unknown() -> PositionUnknown:
    return PositionUnknown(
        zh="请使用本系统返回的 Position；所给位置超出日志末尾或属于其他日志。",
        en="Use a Position that this system returned: this one lies beyond the log or belongs "
        "to another.",
    )


def caught_up(asked: Asking, follower: Follower) -> None:
    """Wait until a read model has come to the position asked for, two seconds at most.

    Raises:
        ReadModelBehind: it did not get there; never an older answer instead.
    """
    if asked.min_position:
        follower.wait_for(asked.min_position, WAIT_SECONDS)


class AsOfQuestion(BaseModel):
    """As of when something is asked: by a time or by a position, or by neither, which is now."""

    model_config = ConfigDict(extra="forbid")

    at: (
        Annotated[
            str,
            Field(
                max_length=40,
                description="As the system knew it at this time, such as 2026-03-02T09:00:00Z or "
                "2026-03-02T17:00:00%2B08:00; never in the future.",
                json_schema_extra={"format": "date-time"},
            ),
        ]
        | None
    ) = None
    position: (
        Annotated[
            str,
            Field(
                max_length=90,
                description="As the system knew it at this `Position`, rounded down to a "
                "command's end.",
            ),
        ]
        | None
    ) = None

    def as_of(self, engine: Engine) -> AsOf | None:
        """Resolve what is asked for; None: as it is now.

        Raises:
            Malformed: both are given, or `at` is no time, has no zone or lies in the future.
            PositionUnknown: the position lies beyond the log, or belongs to another.
        """
        self._require_one()
        if self.at is not None:
            return engine.mediation.as_of(at=_time(self.at))
        if self.position is not None:
            return engine.mediation.as_of(position=_own_position(engine, self.position))
        return None

    def _require_one(self) -> None:
        given = [it for it in _MOMENTS if getattr(self, it, None) is not None]
        if len(given) > 1:
            raise Malformed(
                zh="version、at、position 只能填写其中一项，请删除多余的参数。",
                en="Give at most one of version, at and position.",
                faults=tuple(FieldFault(f"/query/{it}", "one-only") for it in given),
                code="one-moment",
            )


_MOMENTS = ("version", "at", "position")
_PLUS = re.compile(r" (?=\d\d:?\d\d$)")


def _time(given: str) -> datetime:
    """Read a time as clients write it; a `+` that an address turned into a blank is one again."""
    try:
        return datetime.fromisoformat(_PLUS.sub("+", given))
    except ValueError:
        raise Malformed(
            zh="时间须带时区，例如 2026-03-02T09:00:00Z。",
            en="Give a time with its zone, for example 2026-03-02T09:00:00Z.",
            faults=(FieldFault("/query/at", "wrong-type"),),
        ) from None


def ends_a_month(given: str) -> bool:
    """Say whether a time is the last second of a month in China."""
    at = _time(given)
    is_last = day_of(at).month != day_of(at + timedelta(seconds=1)).month
    return is_last and at.microsecond == 0


class VersionQuestion(AsOfQuestion):
    """As of when one case is asked for: at a version, a time or a position, or now."""

    version: Annotated[int, Field(ge=1, le=2**53)] | None = None

    def then(self, engine: Engine) -> AsOf | int | None:
        """Give the version asked for, or what `as_of` gives.

        Raises:
            Malformed, PositionUnknown: as `as_of`.
        """
        return self.as_of(engine) or self.version


_VERSION = re.compile(r"[0-9]{1,15}")


def point(engine: Engine, given: str) -> AsOf | int:
    """Read a point of a case's life: a version, a time, or `position:` and a position.

    Raises:
        Malformed: it is none of these, or a time without zone or in the future.
        PositionUnknown: the position lies beyond the log, or belongs to another.
    """
    if _VERSION.fullmatch(given):
        return int(given)
    kind, _, position = given.partition(":")
    if kind == "position":
        return engine.mediation.as_of(position=_own_position(engine, position))
    return engine.mediation.as_of(at=_time(given))


class Moment(NamedTuple):
    """When a list is asked for: a position (None: now), and the Shanghai date of that moment."""

    at_position: int | None
    today: date


def moment(asked: Asking, question: AsOfQuestion, follower: Follower) -> Moment:
    """Resolve as of when a list is asked for, and wait for its read model to have come that far.

    Raises:
        Malformed, PositionUnknown: as `AsOfQuestion.as_of`.
        ReadModelBehind: the read model did not get there in two seconds.
    """
    as_of = question.as_of(asked.engine)
    caught_up(asked, follower)
    if as_of is None:
        return Moment(None, day_of(asked.engine.clock()))
    follower.wait_for(as_of.position, WAIT_SECONDS)
    return Moment(as_of.position, as_of.on)


class PageFilter(BaseModel):
    """Which part of a list is shown: how many rows at most, and from where on."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: str | None = None


class Paging(Generic[K]):
    """Where a list goes on: `after` is the key that the cursor asked with stands for.

    Args:
        asked: who asks; a cursor is good for nobody else.
        route: of the list.
        question: its filters, to which a cursor is bound, and the cursor.
        form: the types of the sort keys.
        bound: what else makes it another list, by name.

    Raises:
        BadRequest: the cursor is not one of this list.
    """

    def __init__(
        self, asked: Asking, route: str, question: PageFilter, form: type[K], **bound: Any
    ) -> None:
        self._cursors = asked.engine.cursors
        filters = question.model_dump(exclude={"limit", "cursor"})
        self._bound = {"route": route, "actor": asked.actor_id, **filters, **bound}
        self.after: K | None = None
        if question.cursor is not None:
            self.after = self._cursors.read(question.cursor, self._bound, form)

    def next(self, key: K | None) -> str | None:
        """Give the cursor behind the row with this key; without a key this page is the last."""
        return None if key is None else self._cursors.issue(key, self._bound)


PAGE_BYTES = 1 << 20
"""A page of events ends at about a megabyte, however much one event holds."""

T = TypeVar("T")


def fitting(items: Iterable[T], limit: int) -> tuple[tuple[T, ...], bool]:
    """Take the items of one page: no more than `limit` or than `PAGE_BYTES` hold, but one always.

    Returns:
        The items, and whether there are more.
    """
    taken, size = list[T](), 0
    for item in items:
        size += len(msgspec.json.encode(item))
        if taken and (len(taken) == limit or size > PAGE_BYTES):
            return tuple(taken), True
        taken.append(item)
    return tuple(taken), False


def told(answer: Any, *, position: int, version: int | None = None) -> Response:
    """Give an answer as JSON with the position it holds for, and the version as ETag."""
    headers = {"position": str(position)}
    if version is not None:
        headers["etag"] = f'"{version}"'
    return Response(msgspec.json.encode(answer), media_type="application/json", headers=headers)
