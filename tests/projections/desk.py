"""An office with its log and every read model beside it, and what somebody reads there; no test."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from mediation.authority import Scope
from mediation.network.accounts import Grant, Role
from mediation.store import Log
from projections.base import Projection, reading
from projections.deadlines import DeadlinePage
from projections.lanes import LANES
from projections.notices import NoticePage
from projections.runner import Follower
from projections.worklist import DayPage, LaneCounts, LanePage
from tests.projections.district import LONG_AGO, MEDIATORS, PATHS
from tests.projections.histories import Office, append

TODAY = date(2026, 3, 2)
SOMEBODY = UUID(int=1)


def scope_of(body_id: str, role: Role = Role.LEAD, actor_id: UUID = SOMEBODY) -> Scope:
    """Give the scope of somebody with one role at one body."""
    grant = Grant(role=role, body_id=body_id, path=PATHS[body_id], from_on=LONG_AGO)
    return Scope([grant], actor_id=actor_id, on=TODAY)


EVERYTHING = scope_of("quzong", Role.COORDINATOR)


class Desk:
    """An office, its log and its read models, kept level with each other."""

    def __init__(self, log: Log, store: Engine, followers: list[Follower]) -> None:
        self.office = Office()
        self._log, self._store = log, store
        self._followers = {follower.projection.name: follower for follower in followers}
        self._appended = 0

    def follow(self) -> None:
        """Append what was decided since, and fold it."""
        append(self._log, self.office.written[self._appended :])
        self._appended = len(self.office.written)
        for follower in self._followers.values():
            follower.catch_up()

    def model(self, name: str) -> Any:
        """Give a read model, up to everything that was decided."""
        self.follow()
        projection: Projection = self._followers[name].projection
        return projection

    def lanes(self, case_id: UUID, *, body_id: str | None = None, today: date = TODAY) -> set[str]:
        """Name the lanes, but for `open`, in which a case lies for everybody, or at one body."""
        worklist = self.model("worklist")
        with reading(self._store) as connection:
            return {
                lane
                for lane in LANES
                for it in worklist.lane(
                    connection, EVERYTHING, lane, today=today, body_id=body_id, limit=1000
                ).items
                if it["case_id"] == case_id
            }

    def ask(
        self, lane: str | None, scope: Scope = EVERYTHING, today: date = TODAY, **filters: Any
    ) -> LanePage:
        """Read one lane."""
        worklist = self.model("worklist")
        with reading(self._store) as connection:
            page: LanePage = worklist.lane(connection, scope, lane, today=today, **filters)
        return page

    def count(self, scope: Scope = EVERYTHING, today: date = TODAY, **filters: Any) -> LaneCounts:
        """Count the lanes."""
        worklist = self.model("worklist")
        with reading(self._store) as connection:
            counts: LaneCounts = worklist.counts(connection, scope, today=today, **filters)
        return counts

    def day_of(
        self, body_id: str, role: Role = Role.LEAD, today: date = TODAY, **more: Any
    ) -> DayPage:
        """Read the day of a body's lead or clerk, or of its mediator."""
        is_mediator = role is Role.MEDIATOR
        actor_id = MEDIATORS[body_id] if is_mediator else SOMEBODY
        worklist = self.model("worklist")
        with reading(self._store) as connection:
            page: DayPage = worklist.day(
                connection,
                scope_of(body_id, role, actor_id),
                account_id=actor_id,
                body_ids=() if is_mediator else (body_id,),
                today=today,
                **more,
            )
        return page

    def dates(self, scope: Scope = EVERYTHING, today: date = TODAY, **filters: Any) -> DeadlinePage:
        """Read open dates."""
        deadlines = self.model("deadlines")
        with reading(self._store) as connection:
            page: DeadlinePage = deadlines.page(connection, scope, today=today, **filters)
        return page

    def notices(self, scope: Scope, **filters: Any) -> NoticePage:
        """Read notices."""
        notices = self.model("notices")
        with reading(self._store) as connection:
            page: NoticePage = notices.page(connection, scope, **filters)
        return page
