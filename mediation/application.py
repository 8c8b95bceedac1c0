"""The one write door, and reading one case as it is or as it was; nothing here knows HTTP.

A command is looked up by its receipt first, then authority, then the expected version, then the
decider: one road for every command, without a branch for any. Accepted commands leave at least
one event, so receipt and events exist together or not at all; refusals are not remembered.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID, uuid5

import msgspec
from eventsourcing.persistence import PersistenceError

from mediation import authority, kernel
from mediation.calendar import Calendar, day_of
from mediation.case.lifecycle import available
from mediation.case.state import CaseFacts, CaseState, case_stream
from mediation.errors import (
    Conflict,
    FieldFault,
    KeyReused,
    Malformed,
    MediationError,
    NotAllowedNow,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
    Refusal,
)
from mediation.kernel import Actor, Command, Decision, Event, StreamRef
from mediation.ladder import Ladder
from mediation.network.accounts import AccountState, Grant, Role, account_stream
from mediation.network.state import NetworkState, network_stream
from mediation.privacy import personal_from_json, plain_for_digest, sealed_values
from mediation.privacy.sealed import Personal
from mediation.store.access import AccessKind, AccessLog
from mediation.store.appending import AlreadyRecorded, Receipt, StreamMoved
from mediation.store.codec import StreamEvent
from mediation.store.log import Log
from mediation.store.recorder import Recorded
from mediation.store.sealing import Sealer
from mediation.store.states import Known, States

C = TypeVar("C", bound=Command)

SYSTEM = UUID(int=0)
"""The actor of bootstrap and timers: no person, no account."""

_TRIES = 5
_ANSWERS = ("accept-custody", "decline-custody")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One command on its way through the door.

    Attributes:
        actor_id: the account that acts; `SYSTEM` only from bootstrap.
        key: the client's idempotency key, 1 to 128 visible ASCII characters.
        command: what is to be done.
        stream_id: the stream it is done to; None for a command that creates one.
        expected_version: the version the client saw; None where it does not matter.
        route: method and route template, for the record of a refused access.
    """

    actor_id: UUID
    key: str
    command: Command
    stream_id: UUID | None = None
    expected_version: int | None = None
    route: str = "POST /"
    correlation_id: UUID | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a command left behind: the same for the same key, for ever."""

    stream: StreamRef
    version: int
    position: int
    state: Any
    events: tuple[Recorded, ...]


class _OutOfScope(NotFound):
    """Told as not found; recorded once the refusal is final."""


class _Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a command: what it aims at, and every stream it has read so far."""

    request: Request
    command_id: UUID
    seed: UUID
    target: StreamRef
    now: datetime
    loaded: dict[StreamRef, Known]
    turns: ExitStack


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a receipt remembers: ids and versions, never personal data."""

    kind: str
    stream_id: UUID
    version: int


def read_command(command_type: type[C], body: bytes) -> C:
    """Read the JSON body of a command; texts become `Personal`.

    Raises:
        Malformed: as `kernel.read_command`.
    """
    return kernel.read_command(command_type, body, _from_json)


def _from_json(wanted: type, value: Any) -> Any:
    if wanted is Personal:
        return personal_from_json(value)
    raise NotImplementedError


class Mediation:
    """The engine of one district: commands in, events into the log, one case out.

    Args:
        log: the district's log.
        sealer: seals what is personal, and opens it for those who may read it.
        access: where refused and clear readings are recorded.
        clock: gives the present as aware UTC; the only clock there is.
        randbytes: a source of randomness.
        district: the code of the district this store is for.
        ladder: the ladder that new cases follow.
        ladders: by ref, every ladder a case may be pinned to.
        calendar: the working days in force.
    """

    def __init__(  # noqa: PLR0913 - the wiring of the whole engine, by name, in one place
        self,
        *,
        log: Log,
        sealer: Sealer,
        access: AccessLog,
        clock: Callable[[], datetime],
        randbytes: Callable[[int], bytes],
        district: str,
        ladder: Ladder,
        ladders: Mapping[str, Ladder],
        calendar: Calendar,
    ) -> None:
        self.log = log
        self.access = access
        self.clock = clock
        self.district = district
        self.ladder = ladder
        self.ladders = ladders
        self.calendar = calendar
        self._sealer = sealer
        self._randbytes = randbytes
        self._states = States(log)

    def execute(self, request: Request) -> Answer:
        """Carry out one command, once, whatever happens on the way.

        Raises:
            KeyReused: the key came before with another body.
            NotFound: no such stream, or out of the actor's scope (which is recorded).
            NotPermitted: seen, but no role of his may do this.
            Conflict: the stream is not at the expected version any more.
            Refused: a guard of the decider said no.
            Malformed: a value that no form could catch, such as a time in the future.
            OutcomeUnknown: the store did not confirm; repeat with the same key.
        """
        command_id = uuid5(request.actor_id, request.key)
        mac = self._mac(request)
        try:
            receipt = self.log.receipt(command_id)
            if receipt is not None:
                return self._again(receipt, mac)
            return self._decide_and_append(request, command_id, mac)
        except AlreadyRecorded as recorded:
            return self._again(recorded.receipt, mac)
        except PersistenceError as error:
            raise OutcomeUnknown from error

    def _decide_and_append(self, request: Request, command_id: UUID, mac: bytes) -> Answer:
        for attempt in range(_TRIES):
            trial = self._try(request, command_id)
            with trial.turns:
                try:
                    return self._append(trial, self._decide(trial), mac)
                except StreamMoved as moved:
                    self._states.forget(trial.loaded)
                    current = moved.current.get(trial.target.id, 0)
                    if request.expected_version not in (None, current):
                        raise Conflict(current_version=current) from None
                except MediationError as refusal:
                    # Decided on known states, the refusal may be out of date: decide it anew.
                    stale = [ref for ref, it in trial.loaded.items() if not it.is_fresh]
                    if not stale or attempt == _TRIES - 1:
                        if isinstance(refusal, _OutOfScope):
                            self._record_attempt(trial.target.id, request.actor_id, request.route)
                        raise
                    self._states.forget(stale)
        # Others came first every time. Nothing was recorded, and repeating is safe.
        raise OutcomeUnknown

    def _try(self, request: Request, command_id: UUID) -> _Trial:
        seed = UUID(bytes=self._randbytes(16))
        command_type = type(request.command)
        kind = command_type.stream_kind
        if kind == "network":
            target = network_stream(self.district)
        elif command_type.creates:
            target = StreamRef(kind, uuid5(seed, "stream"))
        else:
            stream_id = getattr(request.command, "account_id", request.stream_id)
            if stream_id is None:
                raise NotFound
            target = StreamRef(kind, stream_id)
        return _Trial(
            request=request,
            command_id=command_id,
            seed=seed,
            target=target,
            now=self.clock(),
            loaded={},
            turns=ExitStack(),
        )

    def _load(self, ref: StreamRef, loaded: dict[StreamRef, Known]) -> Any:
        if ref not in loaded:
            loaded[ref] = self._states.known(ref)
        return loaded[ref].state

    def _decide(self, trial: _Trial) -> Decision:
        request, command, loaded = trial.request, trial.request.command, trial.loaded
        handled = kernel.handled(command)
        state = self._load(trial.target, loaded)
        network: NetworkState = self._load(network_stream(self.district), loaded)
        view = state if isinstance(state, CaseState) and not type(command).creates else None
        if view is not None and loaded[trial.target].version == 0:
            raise NotFound
        actor = self._permit(trial, view, network)
        self._require_version(trial)
        facts = CaseFacts(
            at=trial.now,
            actor=actor,
            district=self.district,
            stream=trial.target,
            command_id=trial.command_id,
            correlation_id=request.correlation_id or trial.command_id,
            seed=trial.seed,
            occurred_at=kernel.aware(command.occurred_at) if command.occurred_at else trial.now,
            ladder=self.ladder,
            ladders=self.ladders,
            calendar=self.calendar,
            network=network,
        )
        self._require_timely(facts, view)
        refs = handled.reads(command, facts)
        trial.turns.enter_context(self._states.turn(refs))
        read = {ref: self._load(ref, loaded) for ref in refs}
        return handled.decide(state, command, msgspec.structs.replace(facts, streams=read))

    def _permit(self, trial: _Trial, view: CaseState | None, network: NetworkState) -> Actor:
        request, on = trial.request, day_of(trial.now)
        is_system = request.actor_id == SYSTEM
        grants: tuple[Grant, ...] = (authority.SYSTEM_GRANT,)
        if not is_system:
            account: AccountState = self._load(account_stream(request.actor_id), trial.loaded)
            grants = account.live(on)
        if view is not None:
            seen = authority.Scope(grants, actor_id=request.actor_id, on=on).sees(view)
            if seen is authority.Visibility.NONE:
                raise _OutOfScope
            # Who lost a race hears that the case moved on, not that he may do nothing to it now.
            if seen is not authority.Visibility.FORMER:
                self._require_version(trial)
        grant = authority.allow(
            kernel.kebab(type(request.command).__name__),
            request.command,
            grants,
            view,
            actor_id=request.actor_id,
            on=on,
            network=network,
        )
        return Actor(actor_id=request.actor_id, role=grant.role, body_id=grant.body_id or None)

    @staticmethod
    def _require_version(trial: _Trial) -> None:
        version = trial.loaded[trial.target].version
        if trial.request.expected_version not in (None, version):
            raise Conflict(current_version=version)

    def _record_attempt(self, case_id: UUID, actor_id: UUID, route: str) -> None:
        """Out of scope is told as not found; that somebody tried stays on record."""
        self.access.record(
            at=self.clock(),
            actor_id=actor_id,
            kind=AccessKind.OUT_OF_SCOPE,
            route=route,
            case_id=case_id,
        )

    def _require_timely(self, facts: CaseFacts, view: CaseState | None) -> None:
        """No time in the future; back-dating within what the ladder lets pass freely."""
        if facts.occurred_at > facts.at:
            raise Malformed(
                zh="发生时间不能晚于当前时间，请改正后重新提交。",
                en="The time of the fact lies in the future; correct it and submit again.",
                faults=(FieldFault("/occurred_at", "future-time"),),
                code="future-time",
            )
        bounds = (facts.ladder_of(view) if view else facts.ladder).back_dating
        if bounds.approvers((day_of(facts.at) - facts.occurred_on).days):
            raise NotAllowedNow(
                Refusal(
                    "back-dating-needs-approval",
                    f"补录超过{bounds.free_days}日须经批准，目前尚不能在线批准；"
                    "请核对发生时间，或先存纸质材料。",
                    f"Facts older than {bounds.free_days} days need an approval, which cannot be "
                    "given here yet; check the time, or keep the paper for now.",
                )
            )

    def _append(self, trial: _Trial, decision: Decision, mac: bytes) -> Answer:
        versions = {ref: it.version for ref, it in trial.loaded.items()}
        states = {ref: it.state for ref, it in trial.loaded.items()}
        items: list[tuple[UUID, int, Event]] = []
        for ref, event in decision.events:
            versions[ref] += 1
            items.append((ref.id, versions[ref], event))
        sealed = self._sealer.seal_decision(items)
        target = trial.target
        result = _Result(kind=target.kind, stream_id=target.id, version=versions[target])
        recordings = self.log.save(
            *(
                StreamEvent(stream_id, version, event)
                for (stream_id, version, _), event in zip(items, sealed, strict=True)
            ),
            expects={ref.id: it.version for ref, it in trial.loaded.items()},
            receipt=Receipt(
                command_id=trial.command_id,
                body_mac=mac,
                command_type=kernel.kebab(type(trial.request.command).__name__),
                result=msgspec.json.encode(result),
            ),
        )
        written = set()
        for (ref, _), event in zip(decision.events, sealed, strict=True):
            states[ref] = kernel.evolve(states[ref], event)
            written.add(ref)
        for ref in written:
            self._states.learn(ref, versions[ref], states[ref])
        events = tuple(cast("Recorded", it.notification) for it in recordings)
        return Answer(
            stream=target,
            version=versions[target],
            position=events[-1].position,
            state=states[target],
            events=events,
        )

    def _again(self, receipt: Receipt, mac: bytes) -> Answer:
        """Give the answer of a command that was carried out before: the same, for ever."""
        if not hmac.compare_digest(receipt.body_mac, mac):
            raise KeyReused(
                zh="该幂等键已用于内容不同的请求，请换一个新的 Idempotency-Key。",
                en="This Idempotency-Key was used for a different request; take a new one.",
            )
        result = msgspec.json.decode(receipt.result, type=_Result)
        _, state = self.log.fold(result.stream_id, result.kind, version=result.version)
        first, last = receipt.first_position, receipt.last_position
        return Answer(
            stream=StreamRef(result.kind, result.stream_id),
            version=result.version,
            position=last,
            state=state,
            events=tuple(self.log.read(first - 1, last - first + 1)),
        )

    def _mac(self, request: Request) -> bytes:
        body = msgspec.json.encode(request.command, enc_hook=plain_for_digest, order="sorted")
        name = kernel.kebab(type(request.command).__name__)
        return self._sealer.body_mac(name, request.stream_id, body)

    # Reading one case: from the log, so that it is never behind what was just written.

    def grants_of(self, actor_id: UUID) -> tuple[Grant, ...]:
        """Give the grants of an account that hold today; none for an unknown account."""
        account: AccountState = self._states.current(account_stream(actor_id)).state
        return account.live(day_of(self.clock()))

    def scope_of(self, actor_id: UUID) -> authority.Scope:
        """Build the one predicate that decides what this account sees today."""
        on = day_of(self.clock())
        return authority.Scope(self.grants_of(actor_id), actor_id=actor_id, on=on)

    def network(self) -> NetworkState:
        """Give the district's network as it is now."""
        state: NetworkState = self._states.current(network_stream(self.district)).state
        return state

    def case(
        self, case_id: UUID, *, actor_id: UUID, route: str, version: int | None = None
    ) -> tuple[CaseState, authority.Visibility]:
        """Give a case now, or as it was at `version`, and how much of it the actor may see.

        What he may see is decided on the case as it stands now.

        Raises:
            NotFound: unknown, no such version, or out of his scope (which is recorded).
        """
        found = self._states.current(case_stream(case_id))
        number, current = found.version, found.state
        if number == 0:
            raise NotFound
        seen = self.scope_of(actor_id).sees(current)
        if seen is authority.Visibility.NONE:
            self._record_attempt(case_id, actor_id, route)
            raise NotFound
        if version is None:
            return current, seen
        if seen is authority.Visibility.FORMER:
            raise NotPermitted(
                zh="案件已移交，只能查看其当前层级、阶段和结果。",
                en="The case has been handed over; only its level, phase and result are shown.",
            )
        if not 1 <= version <= number:
            raise NotFound
        return self.log.fold(case_id, "case", version=version)[1], seen

    def history(self, case_id: UUID, *, actor_id: UUID, route: str) -> list[Recorded]:
        """Give the events of a case that the actor may read, in order, still sealed.

        A body that handed the case over reads up to its hand-over; a receiver that has not
        answered yet reads nothing.

        Raises:
            NotFound: as `case`.
        """
        state, seen = self.case(case_id, actor_id=actor_id, route=route)
        events = self.log.events_of(case_id, lte=state.version)
        if seen is authority.Visibility.FULL:
            return events
        if seen is authority.Visibility.FORMER:
            paths = {grant.path for grant in self.grants_of(actor_id)}
            # A liaison may be shown the status of a case that his body never had.
            until = max((f.until_version for f in state.former if f.path in paths), default=0)
            return events[:until]
        return []

    def actions(
        self, case_id: UUID, *, actor_id: UUID, route: str
    ) -> dict[str, tuple[tuple[Refusal, ...], tuple[Role, ...], bool]]:
        """Give each action: the guards that refuse it now, who may do it, whether this actor may.

        Raises:
            NotFound: as `case`.
        """
        state, seen = self.case(case_id, actor_id=actor_id, route=route)
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
        if state.disclosed_ids.issuperset(party.party_id for party in state.parties):
            return state, dict(opened)
        # What moved without a sheet stays closed to the new body: parties who did not agree to
        # disclosure, and what other bodies wrote about them (L-PIPL 23).
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


__all__ = ["SYSTEM", "Answer", "Mediation", "Request", "case_stream", "read_command"]
