"""The one write door of a district; reading stands in `reading`, and nothing here knows HTTP.

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

from mediation import authority, codes, kernel
from mediation.approvals import Approval, Approvals, assigned, keys_held
from mediation.authority import Visibility
from mediation.calendar import Calendar, day_of
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
from mediation.network.accounts import AccountState, Grant, account_stream
from mediation.network.state import NetworkState, network_stream
from mediation.privacy import canonical, personal_from_json
from mediation.privacy.sealed import Personal
from mediation.reading import Reading
from mediation.store.access import AccessLog
from mediation.store.appending import AlreadyRecorded, Receipt, StreamMoved
from mediation.store.codec import StreamEvent
from mediation.store.log import Log
from mediation.store.recorder import Recorded
from mediation.store.sealing import Sealer
from mediation.store.states import Known

C = TypeVar("C", bound=Command)
R = TypeVar("R")

SYSTEM = UUID(int=0)
"""The actor of bootstrap and timers: no person, no account."""

_TRIES = 5


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One command on its way through the door.

    Attributes:
        actor_id: the account that acts; `SYSTEM` only from bootstrap.
        key: the client's idempotency key, 1 to 128 visible ASCII characters.
        command: what is to be done.
        stream_id: the stream it is done to; None for a command that creates one.
        expected_version: the version the client saw; None where it does not matter.
        approvals: of a late entry, as `Mediation.approve` gave them.
        route: method and route template, for the record of a refused access.
    """

    actor_id: UUID
    key: str
    command: Command
    stream_id: UUID | None = None
    expected_version: int | None = None
    approvals: tuple[str, ...] = ()
    route: str = "POST /"
    correlation_id: UUID | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a command left behind: the same for the same key, for ever."""

    stream: StreamRef
    version: int
    position: int
    state: Any
    events: tuple[Recorded, ...]


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """What a command would leave behind: the state it leads to and its events, in order."""

    state: Any
    events: tuple[Event, ...]


class _OutOfScope(NotFound):
    """Told as not found; recorded once the refusal is final."""


class _Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a command: what it aims at, and every stream it has read so far."""

    request: Request
    command_id: UUID
    mac: bytes
    seed: UUID
    target: StreamRef
    now: datetime
    loaded: dict[StreamRef, Known]
    turns: ExitStack


def _rehearsed(trial: _Trial, decision: Decision) -> Rehearsal:
    state = kernel.fold(trial.loaded[trial.target].state, decision.on(trial.target))
    return Rehearsal(state=state, events=tuple(event for _, event in decision.events))


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a receipt remembers: ids and versions, never personal data."""

    kind: str
    stream_id: UUID
    version: int


def _not_his_to_approve() -> NotPermitted:
    return NotPermitted(
        zh="补录须由承办单位负责人、区级统筹员批准，且不能批准本人提交的操作。",
        en="A late entry is approved by the lead of the body or by a coordinator, and nobody "
        "approves what he submits himself.",
    )


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


class Mediation(Reading):
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
        approvals: signs and reads the approvals of late entries.

    Raises:
        Unsafe: the log has events and the vault lacks the key of their receipts.
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
        approvals: Approvals,
    ) -> None:
        super().__init__(
            log=log,
            sealer=sealer,
            access=access,
            clock=clock,
            district=district,
            ladders=ladders,
        )
        self.ladder = ladder
        self.calendar = calendar
        self._approvals = approvals
        self._randbytes = randbytes
        if log.head().position:
            sealer.require_receipt_key()

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
        try:
            return self.answered(request) or self._carried_out(request, self._append)
        except AlreadyRecorded as recorded:
            return self._again(recorded.receipt, self._mac(request))
        except PersistenceError as error:
            raise OutcomeUnknown from error

    def answered(self, request: Request) -> Answer | None:
        """Give the answer of a command that was carried out before; None if it was not.

        Raises:
            KeyReused: the key came before with another body.
            OutcomeUnknown: the store did not answer; ask again.
        """
        try:
            receipt = self.log.receipt(uuid5(request.actor_id, request.key))
            return None if receipt is None else self._again(receipt, self._mac(request))
        except PersistenceError as error:
            raise OutcomeUnknown from error

    def digest(self, name: str, content: bytes) -> str:
        """Give the keyed digest of content in hex: the same for the same content in this store.

        Whoever does not hold the store's key learns nothing from it, not even by guessing.
        """
        return self._sealer.content_mac(name, content).hex()

    def rehearse(self, request: Request) -> Rehearsal:
        """Decide a command as `execute` would, and write nothing.

        Raises:
            MediationError: whatever `execute` would raise before it appends.
        """
        return self._carried_out(request, _rehearsed)

    def _carried_out(self, request: Request, finish: Callable[[_Trial, Decision], R]) -> R:
        for attempt in range(_TRIES):
            trial = self._try(request)
            with trial.turns:
                try:
                    return finish(trial, self._decide(trial))
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

    def _try(self, request: Request) -> _Trial:
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
            command_id=uuid5(request.actor_id, request.key),
            mac=self._mac(request),
            seed=seed,
            target=target,
            now=kernel.aware(self.clock()),
            loaded={},
            turns=ExitStack(),
        )

    def _load(self, ref: StreamRef, loaded: dict[StreamRef, Known]) -> Any:
        if ref not in loaded:
            loaded[ref] = self._states.known(ref)
        return loaded[ref].state

    def _decide(self, trial: _Trial) -> Decision:
        command, loaded = trial.request.command, trial.loaded
        handled = kernel.handled(command)
        state = self._load(trial.target, loaded)
        network: NetworkState = self._load(network_stream(self.district), loaded)
        view = state if isinstance(state, CaseState) and not type(command).creates else None
        if view is not None and loaded[trial.target].version == 0:
            raise NotFound
        actor = self._permit(trial, view, network)
        self._require_version(trial)
        facts = self._facts(trial, actor, network)
        approvers = self._require_timely(trial, facts, view)
        refs = handled.reads(command, facts)
        trial.turns.enter_context(self._states.turn(refs))
        read = {ref: self._load(ref, loaded) for ref in refs}
        facts = msgspec.structs.replace(
            facts,
            streams=read,
            late_entry_approved_by_ids=tuple(approvers.values()),
            late_entry_approved_as=tuple(approvers),
        )
        return handled.decide(state, command, facts)

    def _facts(self, trial: _Trial, actor: Actor, network: NetworkState) -> CaseFacts:
        occurred_at = trial.request.command.occurred_at
        return CaseFacts(
            at=trial.now,
            actor=actor,
            district=self.district,
            stream=trial.target,
            command_id=trial.command_id,
            correlation_id=trial.request.correlation_id or trial.command_id,
            seed=trial.seed,
            occurred_at=kernel.aware(occurred_at) if occurred_at else trial.now,
            ladder=self.ladder,
            ladders=self.ladders,
            calendar=self.calendar,
            network=network,
        )

    def _permit(self, trial: _Trial, view: CaseState | None, network: NetworkState) -> Actor:
        request, on = trial.request, day_of(trial.now)
        is_system = request.actor_id == SYSTEM
        grants: tuple[Grant, ...] = (authority.SYSTEM_GRANT,)
        if not is_system:
            account: AccountState = self._load(account_stream(request.actor_id), trial.loaded)
            grants = account.live(on)
        if view is not None:
            seen = authority.Scope(grants, actor_id=request.actor_id, on=on).sees(view)
            if seen is Visibility.NONE:
                raise _OutOfScope
            # Who lost a race hears that the case moved on, not that he may do nothing to it now.
            if seen is not Visibility.FORMER:
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

    def _require_timely(
        self, trial: _Trial, facts: CaseFacts, view: CaseState | None
    ) -> dict[str, UUID]:
        """Refuse a time in the future, and a late entry without the keys that the ladder asks for.

        Returns:
            The accounts whose keys were needed, by role; none within the days that are free.
        """
        needed, days = self._keys_needed(trial, facts, view)
        if not needed or trial.request.actor_id == SYSTEM:
            return {}
        held = self._keys(trial, facts, view, needed)
        missing = [role for role in needed if role not in held]
        if missing:
            who = [codes.label("roles", role) for role in missing]
            raise NotAllowedNow(
                Refusal(
                    "back-dating-needs-approval",
                    f"补录超过{days}日须经批准，尚缺：{'、'.join(it.zh for it in who)}。"
                    "请由其通过“批准补录”接口（POST /approvals）对本项操作签发批准凭证后，"
                    "随原操作一并提交。",
                    f"Facts older than {days} days need an approval; still missing: "
                    f"{', '.join(it.en for it in who)}. Have it drawn for this very command "
                    "(POST /approvals), and submit the command again with it.",
                )
            )
        return {role: held[role] for role in needed}

    @staticmethod
    def _keys_needed(
        trial: _Trial, facts: CaseFacts, view: CaseState | None
    ) -> tuple[tuple[str, ...], int]:
        """Give the roles whose keys a late entry needs, and the bound in days that it passed.

        Raises:
            Malformed: a time lies in the future.
        """
        told = trial.request.command.moments().items()
        moments = {pointer: kernel.aware(moment) for pointer, moment in told if moment is not None}
        future = [pointer for pointer, moment in moments.items() if moment > facts.at]
        if future:
            raise Malformed(
                zh="发生时间不能晚于当前时间，请改正后重新提交。",
                en="The time of the fact lies in the future; correct it and submit again.",
                faults=tuple(FieldFault(pointer, "future-time") for pointer in future),
                code="future-time",
            )
        bounds = (facts.ladder_of(view) if view else facts.ladder).back_dating
        earliest = min(map(day_of, moments.values()), default=facts.occurred_on)
        days = (day_of(facts.at) - earliest).days
        passed = bounds.lead_days if days > bounds.lead_days else bounds.free_days
        return bounds.approvers(days), passed

    def _keys(
        self,
        trial: _Trial,
        facts: CaseFacts,
        view: CaseState | None,
        needed: tuple[str, ...],
    ) -> dict[str, UUID]:
        """Give who holds each key: those who approved and the actor, one key a person."""
        body_id, path = self._place(trial.request.command, facts, view)
        on = day_of(facts.at)
        approvals = self._approvals.read(trial.request.approvals, trial.command_id, trial.mac)
        held: dict[UUID, frozenset[str]] = {}
        for account_id in (*(it.approver_id for it in approvals), trial.request.actor_id):
            account: AccountState = self._load(account_stream(account_id), trial.loaded)
            held[account_id] = keys_held(account.live(on), needed, body_id=body_id, path=path)
        return assigned(needed, held)

    def _place(self, command: Command, facts: CaseFacts, view: CaseState | None) -> tuple[str, str]:
        """Give the body, and its path, whose lead approves what is typed in late."""
        if view is not None:
            return view.custody_body_id, view.custody_path
        body_id = getattr(command, "body_id", None) or facts.actor.body_id or ""
        body = facts.network.bodies.get(body_id)
        return body_id, body.path if body else ""

    def approve(self, approver_id: UUID, request: Request) -> tuple[str, Approval]:
        """Draw the approval of one command that somebody else is to submit late.

        Args:
            approver_id: the account that approves; it holds at least one of the needed keys.
            request: the command exactly as it will be submitted: actor, key, stream and body.

        Raises:
            NotFound: no such case, or out of the approver's scope (which is recorded).
            NotPermitted: the approver holds none of the keys that this command needs.
            NotAllowedNow: it needs no approval.
            Malformed: a time in the future, or a case named for a command that registers one.
        """
        if type(request.command).creates and request.stream_id is not None:
            raise Malformed(
                zh="该指令登记新案件，请勿填写 case_id。",
                en="This command registers a new case: leave out case_id.",
                faults=(FieldFault("/case_id", "not-for-a-new-case"),),
            )
        trial = self._try(request)
        with trial.turns:
            state = self._load(trial.target, trial.loaded)
            view = state if isinstance(state, CaseState) and state.version else None
            seen = Visibility.FULL if view is None else self.scope_of(approver_id).sees(view)
            if seen is Visibility.NONE:
                self._record_attempt(trial.target.id, approver_id, request.route)
                raise NotFound
            if view is None and not type(request.command).creates:
                raise NotFound
            # Who may do what with a case is no business of a body that gave it away.
            if seen is not Visibility.FULL:
                raise _not_his_to_approve()
            network = self.network()
            facts = self._facts(trial, self._permit(trial, view, network), network)
            needed, _ = self._keys_needed(trial, facts, view)
            if not needed:
                raise NotAllowedNow(
                    Refusal(
                        "needs-no-approval",
                        "该操作在免批补录期限内，无需批准，可直接提交。",
                        "This is within the days that are free: submit it, no approval is needed.",
                    )
                )
            body_id, path = self._place(request.command, facts, view)
            keys = keys_held(self.grants_of(approver_id), needed, body_id=body_id, path=path)
        if not keys or approver_id == request.actor_id:
            raise _not_his_to_approve()
        approval = Approval(
            approver_id=approver_id,
            command_id=trial.command_id,
            body_mac=trial.mac.hex(),
        )
        return self._approvals.sign(approval), approval

    def _append(self, trial: _Trial, decision: Decision) -> Answer:
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
                body_mac=trial.mac,
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
        name = kernel.kebab(type(request.command).__name__)
        return self._sealer.body_mac(name, request.stream_id, canonical(request.command))


__all__ = ["SYSTEM", "Answer", "Mediation", "Rehearsal", "Request", "case_stream", "read_command"]
