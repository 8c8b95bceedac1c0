"""How a query is asked and answered: who, from which position on, in which form; no question."""

from __future__ import annotations

import re
from typing import Annotated, Any, Generic, NamedTuple
from uuid import UUID

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from api.bootstrap import Engine
from api.cursors import K
from api.security import authenticate
from mediation.errors import PositionUnknown
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
    given = request.headers.get("min-position", "0")
    found = _POSITION.fullmatch(given)
    if found is None or found[1] not in (None, engine.log.district) or int(found[2]) > head:
        raise PositionUnknown(
            zh="请使用本系统返回的 Position；所给位置超出日志末尾或属于其他日志。",
            en="Use a Position that this system returned: this one lies beyond the log or belongs "
            "to another.",
        )
    return Asking(engine, actor_id, head, int(found[2]))


def caught_up(asked: Asking, follower: Follower) -> None:
    """Wait until a read model has come to the position asked for, two seconds at most.

    Raises:
        ReadModelBehind: it did not get there; never an older answer instead.
    """
    if asked.min_position:
        follower.wait_for(asked.min_position, WAIT_SECONDS)


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


def told(answer: Any, *, position: int, version: int | None = None) -> Response:
    """Give an answer as JSON with the position it holds for, and the version as ETag."""
    headers = {"position": str(position)}
    if version is not None:
        headers["etag"] = f'"{version}"'
    return Response(msgspec.json.encode(answer), media_type="application/json", headers=headers)
