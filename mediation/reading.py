"""Reading one case, as it is or as it was, as far as somebody may see it; nothing is written here.

From the log, so that what is read is never behind what was just written (ADR 0011).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from mediation import authority, kernel
from mediation.calendar import day_of
from mediation.case.aid import CounselAppointed
from mediation.case.intake import CaseNumberIssued, CaseRegistered, number_stream
from mediation.case.lifecycle import available
from mediation.case.proceedings import ProceedingOpened, ProceedingUpdated, RemedyRouteTaken
from mediation.case.state import CaseState, author_of, case_stream
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


_Seen = tuple[CaseState, authority.Visibility]
"""A case, and how much of it the actor may see."""


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

    def _now(self, case_id: UUID, *, actor_id: UUID, route: str) -> _Seen:
        """Give a case as it stands, and how much of it the actor may see; nothing of it is read.

        Raises:
            NotFound: unknown, or out of his scope (recorded).
        """
        found = self._states.current(case_stream(case_id))
        current: CaseState = found.state
        if found.version == 0:
            raise NotFound
        seen = self.scope_of(actor_id).sees(current)
        if seen is authority.Visibility.NONE:
            self._record_attempt(case_id, actor_id, route)
            raise NotFound
        return current, seen

    def _until(
        self, seen: _Seen, then: AsOf | int, *, case_id: UUID, actor_id: UUID
    ) -> tuple[list[Recorded], CaseState]:
        """Read a case once, up to `then`: its events and the state they fold into.

        Raises:
            NotFound: no such version, or not there yet.
            NotPermitted: what it was like then is not shown to him.
        """
        current, visibility = seen
        if visibility is authority.Visibility.FORMER:
            raise NotPermitted(
                zh="案件已移交，只能查看其当前层级、阶段和结果。",
                en="The case has been handed over; only its level, phase and result are shown.",
            )
        if not isinstance(then, AsOf) and not 1 <= then <= current.version:
            raise NotFound
        lte = current.version if isinstance(then, AsOf) else then
        events = self.log.events_of(case_id, lte=lte)
        if isinstance(then, AsOf):
            events = [it for it in events if it.position <= then.position]
        if not events:
            raise NotFound
        told = (kernel.decode(it.topic, it.state) for it in events)
        earlier: CaseState = kernel.fold(CaseState(), told)
        # With the case back, what others made of it meanwhile is still no business of the employer.
        if self._is_employers(actor_id, current) and not self._is_inside(earlier.custody_body_id):
            raise NotPermitted(
                zh="该版本形成时案件由其他单位承办，不能查看。",
                en="At that version another body had the case; it is not shown here.",
            )
        return events, earlier

    def case(
        self,
        case_id: UUID,
        *,
        actor_id: UUID,
        route: str,
        then: AsOf | int | None = None,
    ) -> _Seen:
        """Give a case now, as of `then` or at that version, and how much of it the actor may see.

        What he may see is decided on the case as it stands now. The receiver of a move is given it
        as it stands now, whatever he asks for.

        Raises:
            NotFound: unknown, no such version, not there yet, or out of his scope (recorded).
            NotPermitted: what it was like then is not shown to him.
        """
        current, seen = self._now(case_id, actor_id=actor_id, route=route)
        if then is None or seen is authority.Visibility.RECEIVER:
            return current, seen
        return self._until((current, seen), then, case_id=case_id, actor_id=actor_id)[1], seen

    def history(
        self, case_id: UUID, *, actor_id: UUID, route: str, then: AsOf | int | None = None
    ) -> tuple[list[Recorded], authority.Visibility]:
        """Give the events of a case that the actor may read, in order, still sealed; read once.

        A body that handed the case over reads up to its hand-over; a receiver that has not
        answered yet reads nothing.

        Raises:
            NotFound, NotPermitted: as `case`.
        """
        current, seen = self._now(case_id, actor_id=actor_id, route=route)
        if seen is authority.Visibility.RECEIVER:
            return [], seen
        if then is not None:
            events, _ = self._until((current, seen), then, case_id=case_id, actor_id=actor_id)
        else:
            events = self.log.events_of(case_id, lte=current.version)
        if seen is authority.Visibility.FORMER:
            handed_over = [(it.path, it.until_version) for it in current.former]
            events = events[: int(self.scope_of(actor_id).reads_until(current, handed_over))]
        if self._is_employers(actor_id, current):
            events = self._of_employer_side(events, current)
        return events, seen

    def story(
        self, case_id: UUID, *, actor_id: UUID, route: str, then: AsOf | int | None = None
    ) -> tuple[list[Recorded], authority.Visibility]:
        """Give the events of `history` where they can be folded: from the first on, none left out.

        Raises:
            NotFound, NotPermitted: as `case`; also to somebody of the employer's side, since what
                changed at an event of his own tells of those that are not shown to him.
        """
        told = self.history(case_id, actor_id=actor_id, route=route, then=then)
        if self.is_employer_side(actor_id, case_id):
            raise NotPermitted(
                zh="用人单位一方的调解组织不能查看变更过程，请查看办理记录。",
                en="Step by step a case is not shown to the employer's side; read its history.",
            )
        return told

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

    def _through(self, actor_id: UUID, case: CaseState) -> tuple[Grant, ...]:
        on = day_of(self.clock())
        return authority.through(self.grants_of(actor_id), case, actor_id=actor_id, on=on)

    def _is_employers(self, actor_id: UUID, case: CaseState) -> bool:
        """Say whether an actor sees a case, as it stands now, by bodies inside an employer alone.

        Whatever else he may do elsewhere widens nothing here (ADR 0020, 0030).
        """
        seeing = self._through(actor_id, case)
        return bool(seeing) and all(self._is_inside(grant.body_id) for grant in seeing)

    def is_employer_side(self, actor_id: UUID, case_id: UUID) -> bool:
        """Say whether somebody sees a case from inside an employer only (ADR 0020).

        Such a body never sees what others recorded, nor who brought the matter up.
        """
        state: CaseState = self._states.current(case_stream(case_id)).state
        return self._is_employers(actor_id, state)

    def scope_outside(self, actor_id: UUID) -> authority.Scope | None:
        """Give what somebody sees by bodies outside employers; None if he has none inside."""
        grants, on = self.grants_of(actor_id), day_of(self.clock())
        outside = tuple(grant for grant in grants if not self._is_inside(grant.body_id))
        if len(outside) == len(grants):
            return None
        return authority.Scope(outside, actor_id=actor_id, on=on)

    def sees_behind(self, actor_id: UUID, paths: Iterable[str]) -> bool:
        """Say whether somebody sees the cases behind figures of all these bodies, whole.

        From inside an employer nobody does (ADR 0020).
        """
        scope = self.scope_outside(actor_id) or self.scope_of(actor_id)
        return all(map(scope.is_open, paths))

    def as_seen_by(self, actor_id: UUID, case: CaseState) -> CaseState:
        """Give a case without what others recorded, to somebody of the employer's side (ADR 0020).

        Parties and claim lines stay, so that the case can be worked on; reports and counsel go, and
        with every flaw and proceeding that others recorded its due dates.
        """
        if case.case_id is None or not self.is_employer_side(actor_id, case.case_id):
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

        Counsel opens what is about his clients, and what he wrote himself.

        Raises:
            Malformed: the reason is none of `CLEAR_REASONS`.
            NotFound: as `case`.
            NotPermitted: his role reads it masked only, or must say a coded reason first.
        """
        if reason is not None and reason not in authority.CLEAR_REASONS:
            raise Malformed(
                zh="查看个人信息的事由不在代码表 clear_reasons 中，请从中选择。",
                en="This is no reason to read personal data; choose one from the code table "
                "clear_reasons (GET /codes).",
                faults=(FieldFault("/query/reason", "unknown-code", "clear_reasons"),),
            )
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
        decoded = [kernel.decode(it.topic, it.state) for it in stored]
        if entitled is authority.ClearReading.CLIENTS:
            # The lawyer of one party is nobody's else (ADR 0030).
            theirs = {author_of(case_id, actor_id)}.union(
                *(
                    event.for_ids
                    for event in decoded
                    if isinstance(event, CounselAppointed) and event.counsel_id == actor_id
                )
            )
            return state, {it: text for it, text in opened.items() if it.subject_id in theirs}
        disclosed = state.disclosed_ids.issuperset(party.party_id for party in state.parties)
        if disclosed and not self._is_employers(actor_id, state):
            return state, dict(opened)
        # What moved without a sheet stays closed to the new body: parties who did not agree to
        # disclosure, and what other bodies wrote about them (L-PIPL 23). A body inside an employer
        # never reads what others wrote.
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
