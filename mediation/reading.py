"""Reading one case, as it is or as it was, as far as somebody may see it; nothing is written here.

From the log, so that what is read is never behind what was just written (ADR 0011).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from mediation import authority, kernel
from mediation.calendar import day_of
from mediation.case.intake import CaseNumberIssued, CaseRegistered, number_stream
from mediation.case.lifecycle import available
from mediation.case.proceedings import ProceedingOpened, ProceedingUpdated, RemedyRouteTaken
from mediation.case.state import CaseState, case_stream
from mediation.errors import (
    FieldFault,
    Malformed,
    NotFound,
    NotPermitted,
    PositionUnknown,
    Refusal,
)
from mediation.ladder import Ladder
from mediation.network.accounts import AccountState, Grant, Role, account_stream
from mediation.network.state import NetworkState, network_stream
from mediation.privacy import sealed_values
from mediation.store.access import AccessKind, AccessLog
from mediation.store.log import Log
from mediation.store.recorder import Recorded
from mediation.store.sealing import Sealer
from mediation.store.states import States

_NUMBER = re.compile(r"(.+)〔([0-9]{4})〕[0-9]{4,}号")
"""A case number: the prefix of the body that registered it, the year, the count."""

_ANSWERS = ("accept-custody", "decline-custody")
_MOVES = (
    "case.custody-move-",
    "case.escalated/",
    "case.reported-up/",
    "case.transferred/",
    "case.rerouted/",
    "case.assigned-down/",
    "case.sent-back/",
)
"""Topics that tell how custody moved."""


class AsOf(msgspec.Struct, frozen=True, kw_only=True):
    """A moment of the past: the end of the last command known then, and the Shanghai date.

    `position` is 0 if nothing had been recorded. What it was like then is asked by it alone;
    `on` is what "today" was (ADR 0023).
    """

    position: int
    on: date


class Reading:
    """What of one district can be read of one case, of an account and of the network.

    Args:
        log: the district's log.
        sealer: opens what is personal for those who may read it.
        access: where refused and clear readings are recorded.
        clock: gives the present as aware UTC; the only clock there is.
        district: the code of the district this store is for.
        ladders: by ref, every ladder a case may be pinned to.
    """

    def __init__(  # noqa: PLR0913 - the parts it reads from, by name
        self,
        *,
        log: Log,
        sealer: Sealer,
        access: AccessLog,
        clock: Callable[[], datetime],
        district: str,
        ladders: Mapping[str, Ladder],
    ) -> None:
        self.log = log
        self.access = access
        self.clock = clock
        self.district = district
        self.ladders = ladders
        self._sealer = sealer
        self._states = States(log)

    def _record_attempt(self, case_id: UUID, actor_id: UUID, route: str) -> None:
        """Out of scope is told as not found; that somebody tried stays on record."""
        self.access.record(
            at=self.clock(),
            actor_id=actor_id,
            kind=AccessKind.OUT_OF_SCOPE,
            route=route,
            case_id=case_id,
        )

    def grants_of(self, actor_id: UUID) -> tuple[Grant, ...]:
        """Give the grants of an account that hold today; none for an unknown account."""
        account: AccountState = self._states.current(account_stream(actor_id)).state
        return account.live(day_of(self.clock()))

    def scope_of(self, actor_id: UUID) -> authority.Scope:
        """Build the one predicate that decides what this account sees today."""
        on = day_of(self.clock())
        return authority.Scope(self.grants_of(actor_id), actor_id=actor_id, on=on)

    def as_of(self, *, at: datetime | None = None, position: int | None = None) -> AsOf:
        """Resolve a time, or a position, to what the system knew then; exactly one is given.

        Args:
            at: aware; what was recorded by then counts, and the day is that of `at`.
            position: rounded down to the end of a command; the day is when it was recorded.

        Raises:
            Malformed: `at` has no zone, or lies in the future.
            PositionUnknown: the position lies beyond the log, or before its first event.
        """
        head = self.log.head()
        if at is not None:
            if kernel.aware(at) > max(self.clock(), head.recorded_at):
                raise Malformed(
                    zh="所给时间尚未到来，只能查询当前和以往的情况；请改正 at。",
                    en="The time of `at` has not come yet: ask for the present or the past.",
                    faults=(FieldFault("/query/at", "future-time"),),
                    code="future-time",
                )
            return AsOf(position=self.log.position_at(at), on=day_of(at))
        asked = position or 0
        recorded_at = self.log.recorded_at(asked) if 1 <= asked <= head.position else None
        if recorded_at is None:
            raise PositionUnknown(
                zh="请使用本系统返回的 Position；所给位置超出日志范围。",
                en="Use a Position that this system returned: the log has no such position.",
            )
        return AsOf(position=self.log.command_end(asked), on=day_of(recorded_at))

    def network(self) -> NetworkState:
        """Give the district's network as it is now."""
        state: NetworkState = self._states.current(network_stream(self.district)).state
        return state

    def case(
        self,
        case_id: UUID,
        *,
        actor_id: UUID,
        route: str,
        then: AsOf | int | None = None,
    ) -> tuple[CaseState, authority.Visibility]:
        """Give a case now, as of `then` or at that version, and how much of it the actor may see.

        What he may see is decided on the case as it stands now. The receiver of a move is given it
        as it stands now, whatever he asks for.

        Raises:
            NotFound: unknown, no such version, not there yet, or out of his scope (recorded).
            NotPermitted: what it was like then is not shown to him.
        """
        found = self._states.current(case_stream(case_id))
        number, current = found.version, found.state
        if number == 0:
            raise NotFound
        seen = self.scope_of(actor_id).sees(current)
        if seen is authority.Visibility.NONE:
            self._record_attempt(case_id, actor_id, route)
            raise NotFound
        if then is None or seen is authority.Visibility.RECEIVER:
            return current, seen
        if seen is authority.Visibility.FORMER:
            raise NotPermitted(
                zh="案件已移交，只能查看其当前层级、阶段和结果。",
                en="The case has been handed over; only its level, phase and result are shown.",
            )
        version = self._version_at(case_id, then.position) if isinstance(then, AsOf) else then
        if not 1 <= version <= number:
            raise NotFound
        earlier: CaseState = self.log.fold(case_id, "case", version=version)[1]
        # With the case back, what others made of it meanwhile is still no business of the employer.
        if self.is_employer_side(actor_id) and not self._is_inside(earlier.custody_body_id):
            raise NotPermitted(
                zh="该版本形成时案件由其他单位承办，不能查看。",
                en="At that version another body had the case; it is not shown here.",
            )
        return earlier, seen

    def _version_at(self, case_id: UUID, position: int) -> int:
        events = self.log.events_of(case_id)
        known = (it.originator_version for it in events if it.position <= position)
        return max(known, default=0)

    def history(
        self, case_id: UUID, *, actor_id: UUID, route: str, then: AsOf | int | None = None
    ) -> list[Recorded]:
        """Give the events of a case that the actor may read, in order, still sealed.

        A body that handed the case over reads up to its hand-over; a receiver that has not
        answered yet reads nothing.

        Raises:
            NotFound, NotPermitted: as `case`.
        """
        state, _ = self.case(case_id, actor_id=actor_id, route=route)
        if then is not None:
            reached = self.case(case_id, actor_id=actor_id, route=route, then=then)[0].version
            return [
                it
                for it in self.history(case_id, actor_id=actor_id, route=route)
                if it.originator_version <= reached
            ]
        handed_over = [(it.path, it.until_version) for it in state.former]
        until = self.scope_of(actor_id).reads_until(state, handed_over)
        events = self.log.events_of(case_id, lte=int(min(until, state.version)))
        if self.is_employer_side(actor_id):
            return self._of_employer_side(events, state)
        return events

    def story(
        self, case_id: UUID, *, actor_id: UUID, route: str, then: AsOf | int | None = None
    ) -> list[Recorded]:
        """Give the events of `history` where they can be folded: from the first on, none left out.

        Raises:
            NotFound, NotPermitted: as `case`; also to somebody of the employer's side, since what
                changed at an event of his own tells of those that are not shown to him.
        """
        events = self.history(case_id, actor_id=actor_id, route=route, then=then)
        if self.is_employer_side(actor_id):
            raise NotPermitted(
                zh="用人单位一方的调解组织不能查看变更过程，请查看办理记录。",
                en="Step by step a case is not shown to the employer's side; read its history.",
            )
        return events

    def case_numbered(self, number: str) -> UUID:
        """Give the case that bears a case number; the counter that issued it knows.

        Raises:
            NotFound: no case bears it.
        """
        prefix, year = found.groups() if (found := _NUMBER.fullmatch(number)) else ("", "0")
        for body in self.network().bodies.values():
            if body.number_prefix != prefix:
                continue
            counter = number_stream(self.district, body.body_id, int(year))
            for stored in self.log.events_of(counter.id):
                issued = kernel.decode(stored.topic, stored.state)
                if isinstance(issued, CaseNumberIssued) and issued.case_number == number:
                    return issued.case_id
        raise NotFound

    def is_employer_side(self, actor_id: UUID) -> bool:
        """Say whether all that somebody may do, he may for bodies inside an employer (ADR 0020).

        Such a body never sees what others recorded, nor who brought the matter up.
        """
        grants = self.grants_of(actor_id)
        return bool(grants) and all(self._is_inside(grant.body_id) for grant in grants)

    def as_seen_by(self, actor_id: UUID, case: CaseState) -> CaseState:
        """Give a case without what others recorded, to somebody of the employer's side (ADR 0020).

        Parties and claim lines stay, so that the case can be worked on; reports and counsel go, and
        with every flaw and proceeding that others recorded its due dates.
        """
        if case.case_id is None or not self.is_employer_side(actor_id):
            return case
        stored = self.log.events_of(case.case_id, lte=case.version)
        kept = [kernel.decode(it.topic, it.state) for it in self._of_employer_side(stored, case)]
        opened = {
            event.proceeding_id
            for event in kept
            if isinstance(event, ProceedingOpened | RemedyRouteTaken)
        }
        told = {
            event.proceeding_id: event.result
            for event in kept
            if isinstance(event, ProceedingUpdated) and event.result is not None
        }
        hidden = {str(it.proceeding_id) for it in case.proceedings} - {str(it) for it in opened}
        event_ids = {event.event_id for event in kept}
        return msgspec.structs.replace(
            case,
            reports=(),
            counsel_ids=frozenset(),
            irregularities=tuple(it for it in case.irregularities if it.event_id in event_ids),
            proceedings=tuple(
                msgspec.structs.replace(it, result=told.get(it.proceeding_id))
                for it in case.proceedings
                if it.proceeding_id in opened
            ),
            due={key: due for key, due in case.due.items() if due.subject not in hidden},
        )

    def _is_inside(self, body_id: str | None) -> bool:
        """Say whether a body is inside an employer, by any ladder that has its level."""
        body = self.network().bodies.get(body_id or "")
        return body is not None and any(
            level.inside_employer
            for ladder in self.ladders.values()
            for level in ladder.levels
            if level.code == body.level
        )

    def _of_employer_side(self, events: list[Recorded], case: CaseState) -> list[Recorded]:
        """Keep what bodies of that side recorded, and how custody moved: no later note or list."""
        own = {former.body_id for former in case.former} | {case.custody_body_id}
        theirs = {body_id for body_id in own if self._is_inside(body_id)}

        def recorded_by(it: Recorded, body_id: str | None) -> str:
            # What a timer recorded belongs to the body that had the case then.
            holders = (f.body_id for f in case.former if it.originator_version <= f.until_version)
            return body_id or next(holders, case.custody_body_id)

        return [
            it
            for it in events
            if it.topic.startswith(_MOVES)
            or recorded_by(it, (event := kernel.decode(it.topic, it.state)).body_id) in theirs
            or isinstance(event, CaseRegistered)
        ]

    def actions(
        self, case_id: UUID, *, actor_id: UUID, route: str, then: AsOf | int | None = None
    ) -> dict[str, tuple[tuple[Refusal, ...], tuple[Role, ...], bool]]:
        """Give each action: the guards that refuse it, who may do it, whether this actor may.

        As of `then` the guards are asked of the case as it stood, the actor by what he may today.

        Raises:
            NotFound, NotPermitted: as `case`.
        """
        state, seen = self.case(case_id, actor_id=actor_id, route=route, then=then)
        grants, network, on = self.grants_of(actor_id), self.network(), day_of(self.clock())

        def is_mine(name: str) -> bool:
            try:
                authority.allow(
                    name, None, grants, state, actor_id=actor_id, on=on, network=network
                )
            except (NotPermitted, NotFound):
                return False
            return seen is not authority.Visibility.FORMER

        return {
            name: (refusals, authority.may(name), is_mine(name))
            for name, refusals in available(state).items()
            # Which other guards hold would tell a receiver what he is not shown yet.
            if seen is authority.Visibility.FULL or name in _ANSWERS
        }

    def open_case(
        self, case_id: UUID, *, actor_id: UUID, route: str, reason: str | None = None
    ) -> tuple[CaseState, dict[Any, str | None]]:
        """Give a case and the clear text of what the actor may read in it; the reading is recorded.

        Raises:
            NotFound: as `case`.
            NotPermitted: his role reads it masked only, or must say a coded reason first.
        """
        state, seen = self.case(case_id, actor_id=actor_id, route=route)
        entitled = (
            authority.may_read_clear(
                self.grants_of(actor_id), state, actor_id=actor_id, on=day_of(self.clock())
            )
            if seen is authority.Visibility.FULL
            else authority.ClearReading.NO
        )
        if entitled is authority.ClearReading.NO:
            raise NotPermitted(
                zh="您的角色只能查看脱敏信息。",
                en="Your role sees this case masked only.",
            )
        if entitled is authority.ClearReading.WITH_REASON and reason is None:
            raise NotPermitted(
                zh="查看个人信息须先说明事由，请填写 reason 代码。",
                en="State a reason code before reading personal data.",
                code="reason-required",
            )
        self.access.record(
            at=self.clock(),
            actor_id=actor_id,
            kind=AccessKind.READ_CLEAR,
            route=route,
            case_id=case_id,
            reason=reason,
        )
        stored = self.log.events_of(case_id, lte=state.version)
        opened = self._sealer.open_events(stored, erased=lambda _subject: False)
        disclosed = state.disclosed_ids.issuperset(party.party_id for party in state.parties)
        if disclosed and not self.is_employer_side(actor_id):
            return state, dict(opened)
        # What moved without a sheet stays closed to the new body: parties who did not agree to
        # disclosure, and what other bodies wrote about them (L-PIPL 23). A body inside an employer
        # never reads what others wrote.
        decoded = (kernel.decode(it.topic, it.state) for it in stored)
        written_here = {
            sealed
            for event in decoded
            if event.body_id == state.custody_body_id
            for _, sealed in sealed_values(event)
        }
        return state, {
            sealed: text
            for sealed, text in opened.items()
            if sealed.subject_id in state.disclosed_ids or sealed in written_here
        }
