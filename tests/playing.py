"""Given, when, then over the pure deciders: one case in memory, no store, no key, no network.

Everything is deterministic: ids come from names, seeds from a counter, time from the test. What is
personal stays as the decider left it, unsealed; folding must not care.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any, Self
from uuid import UUID, uuid5

import msgspec

from mediation import calendar, ladder
from mediation.case.custody import (
    AcceptCustody,
    DeclineCustody,
)
from mediation.case.state import CaseFacts, CaseState, case_stream
from mediation.case.values import Party
from mediation.codes import tables
from mediation.errors import MediationError, Refused
from mediation.kernel import (
    Actor,
    Command,
    Decision,
    Event,
    StreamRef,
    decode,
    encode,
    fold,
    handled,
    initial_state,
)
from mediation.ladder import Ladder
from mediation.network import Appointment, Body, Capacity, ConfirmationRoute, NetworkState
from mediation.network.accounts import AccountState, Grant, Role, account_stream
from mediation.privacy import Sealed, Unsealed, transform

DISTRICT = "370102"
STANDARD = ladder.load_ref("standard-v1")
SEED = UUID("00000000-0000-4000-8000-000000000001")
START = "2026-03-02T09:00+08:00"
OPENED = date(2020, 1, 1)


def an_id(name: str) -> UUID:
    """Give the id that belongs to a name, always the same."""
    return uuid5(SEED, name)


CASE_ID = an_id("case")


def lead_of(body_id: str | None) -> Actor:
    """Give the lead of a body: another person at every body."""
    return Actor(actor_id=an_id(f"{body_id} lead"), role="lead", body_id=body_id)


def moment(at: str) -> datetime:
    """Read a time as tests write it, `2026-03-02T09:00+08:00`, in UTC."""
    return datetime.fromisoformat(at).astimezone(UTC)


def on(command: Any, day: date) -> Any:
    """Say of a command that what it records happened at noon of a day."""
    return msgspec.structs.replace(command, occurred_at=moment(f"{day}T12:00+08:00"))


def mediators_of(body_id: str) -> tuple[UUID, UUID]:
    """Give the two mediators that every body of the network has."""
    return an_id(f"{body_id} mediator 1"), an_id(f"{body_id} mediator 2")


COUNSELS = tuple(an_id(name) for name in ("counsel", "counsel 1", "counsel 2"))


def a_counsel(account_id: UUID) -> AccountState:
    """Give the account of a lawyer who holds the role of counsel at the top body."""
    grant = Grant(role=Role.COUNSEL, body_id="hq", path="/hq/", from_on=OPENED)
    return AccountState(account_id=account_id, grants=(grant,))


def a_network(*bodies: tuple[str, str, str | None, str | None]) -> NetworkState:
    """Build a network of open bodies (id, level, branch, parent), parents first."""
    built: dict[str, Body] = {}
    capacity = Capacity(
        legal_basis="L-LDMA 10",
        seal=True,
        may_seal=True,
        oral_ok=True,
        confirmation_route=ConfirmationRoute.REVIEW_OR_COURT,
        single_handed=False,
        from_on=OPENED,
    )
    for body_id, level, branch, parent_id in bodies:
        built[body_id] = Body(
            body_id=body_id,
            name_zh=f"{body_id}调解组织",
            name_en=f"Body {body_id}",
            level=level,
            branch=branch,
            kind="body",
            parent_id=parent_id,
            path=f"{built[parent_id].path if parent_id else '/'}{body_id}/",
            number_prefix=body_id.upper(),
            opened_on=OPENED,
            capacities=(capacity,),
        )
    return NetworkState(
        bodies=MappingProxyType(built),
        appointments=tuple(
            Appointment(
                mediator_id=mediator_id,
                body_id=body_id,
                from_on=OPENED,
                until_on=None,
                qualifications=(),
            )
            for body_id in built
            for mediator_id in mediators_of(body_id)
        ),
    )


# The district, two townships; below the first a village, an industry body and a factory.
NETWORK = a_network(
    ("hq", "district", None, None),
    ("dongcheng", "township", None, "hq"),
    ("xicheng", "township", None, "hq"),
    ("hengjie", "village-industry", "village", "dongcheng"),
    ("catering", "village-industry", "industry", "dongcheng"),
    ("factory", "enterprise", None, "hengjie"),
)


def closed(network: NetworkState, body_id: str, on: date) -> NetworkState:
    """Give the network with one body closed from a day on."""
    return network.with_body(msgspec.structs.replace(network.body(body_id), closed_on=on))


def seal(value: Any) -> Any:
    """Put in the place of everything personal an envelope that no key opens, always the same."""

    def envelope(path: str, item: Unsealed) -> Sealed:
        return Sealed(
            kid=f"kid-{path}",
            subject_id=item.subject_id,
            purpose=item.purpose,
            nonce="bm9uY2Vub25jZQ==",
            ct="Y2lwaGVydGV4dA==",
        )

    return transform(value, envelope, Unsealed)


def nameless(value: Any) -> Any:
    """Leave out the names of the keys: `seal` makes them from where a value stands."""
    return transform(value, lambda _, it: msgspec.structs.replace(it, kid=""), Sealed)


class expect:  # noqa: N801 - reads as a word in `then(expect(CaseEscalated, …))`
    """An event of a type with at least these fields."""

    def __init__(self, event_type: type[Event], **fields: Any) -> None:
        self.event_type = event_type
        self.fields = fields

    def check(self, event: Event) -> None:
        """Compare, and name the field that differs."""
        assert type(event) is self.event_type, f"{type(event).__name__} instead"
        told = {name: getattr(event, name) for name in self.fields}
        assert told == self.fields


class Playing:
    """One case, its clock and its office: `given` events, `when` a command, `then` events."""

    def __init__(self, *, network: NetworkState = NETWORK, rungs: Ladder = STANDARD) -> None:
        self.network = network
        self.ladder = rungs
        self.stream = case_stream(CASE_ID)
        self.log: dict[StreamRef, tuple[Event, ...]] = {}
        # Who can be appointed counsel is so from the start.
        self.live: dict[StreamRef, tuple[int, Any]] = {
            account_stream(counsel_id): (0, a_counsel(counsel_id)) for counsel_id in COUNSELS
        }
        self.now = moment(START)
        self.count = 0
        self.tried: Command | None = None
        self.decided: tuple[Any, ...] = ()
        self.refusal: Any = None

    # The state so far

    def state_of(self, ref: StreamRef) -> Any:
        """Give the live state of a stream: what was there, and the events since."""
        told = self.log.get(ref, ())
        count, state = self.live.get(ref, (0, initial_state(ref.kind)))
        if count < len(told):
            state = fold(state, told[count:])
            self.live[ref] = (len(told), state)
        return state

    @property
    def case(self) -> CaseState:
        """The case as it stands."""
        state: CaseState = self.state_of(self.stream)
        return state

    @property
    def events(self) -> tuple[Any, ...]:
        """All events of the case."""
        return self.log.get(self.stream, ())

    @property
    def everything(self) -> tuple[Any, ...]:
        """All events of every stream, the case's last."""
        others = (log for ref, log in self.log.items() if ref != self.stream)
        return (*(event for log in others for event in log), *self.events)

    @property
    def applicant(self) -> Party:
        """The first applicant."""
        return self.case.applicants[0]

    @property
    def respondent(self) -> Party:
        """The first respondent."""
        return self.case.respondents[0]

    def with_capacity(self, body_id: str, **changes: Any) -> Self:
        """Change what a body may do; without changes it was never settled."""
        body = self.network.body(body_id)
        capacities = tuple(msgspec.structs.replace(it, **changes) for it in body.capacities)
        self.network = self.network.with_body(
            msgspec.structs.replace(body, capacities=capacities if changes else ())
        )
        return self

    # Deciding

    def facts(self, command: Command, by: Actor | None = None) -> CaseFacts:
        """Make the facts as the door would, at the scenario's present.

        Without `by` it is the lead of the body in custody, or of the receiver if it answers.
        """
        body_id = self.case.custody_body_id or getattr(command, "body_id", None)
        if isinstance(command, AcceptCustody | DeclineCustody):
            body_id = self.case.receiver_body_id or body_id
        facts = CaseFacts(
            at=self.now,
            occurred_at=command.occurred_at or self.now,
            actor=by or lead_of(body_id),
            district=DISTRICT,
            stream=self.stream,
            command_id=an_id(f"command {self.count}"),
            correlation_id=an_id(f"command {self.count}"),
            seed=an_id(f"seed {self.count}"),
            ladder=self.ladder,
            ladders={self.ladder.ref: self.ladder},
            calendar=calendar.default(),
            network=self.network,
        )
        reads = handled(command).reads(command, facts)
        return msgspec.structs.replace(facts, streams={ref: self.state_of(ref) for ref in reads})

    def decide(self, command: Command, by: Actor | None = None) -> Decision:
        """Ask the decider without recording anything."""
        return handled(command).decide(self.case, command, self.facts(command, by))

    def would(self, command: Command, by: Actor | None = None) -> tuple[Any, ...]:
        """Give the events of the case that a command would leave, without recording anything."""
        return self.decide(command, by).on(self.stream)

    def do(
        self, command: Command, *, at: str | None = None, by: Actor | None = None
    ) -> tuple[Any, ...]:
        """Decide and record one command; gives the events of the case."""
        if at is not None:
            self.now = moment(at)
        self.count += 1
        decision = self.decide(command, by)
        for ref, event in decision.events:
            self.log[ref] = (*self.log.get(ref, ()), event)
        return decision.on(self.stream)

    def given(self, *commands: Command, at: str | None = None) -> Self:
        """Record commands that must go through."""
        for command in commands:
            self.do(command, at=at)
        return self

    def when(self, command: Command, *, at: str | None = None, by: Actor | None = None) -> Self:
        """Try one command; `then` or `then_refused` says what must have come of it."""
        self.tried, self.decided, self.refusal = command, (), None
        try:
            self.decided = self.do(command, at=at, by=by)
        except MediationError as error:
            self.refusal = error
        return self

    def then(self, *expected: expect | type[Event]) -> Self:
        """Require exactly these events of the last command, in order."""
        assert self.refusal is None, self.refusal
        assert len(self.decided) == len(expected), [type(e).__name__ for e in self.decided]
        for event, wanted in zip(self.decided, expected, strict=True):
            (wanted if isinstance(wanted, expect) else expect(wanted)).check(event)
        return self

    def then_refused(self, *codes: str) -> Self:
        """Require that the last command was refused with exactly these codes, in order.

        Every fault points at a field that the command has, and names the table of an unknown code.
        """
        error = self.refusal
        assert error is not None, self.decided
        given = (
            tuple(refusal.code for refusal in error.refusals)
            if isinstance(error, Refused)
            else (error.code,)
        )
        assert given == codes
        sentences = error.refusals if isinstance(error, Refused) else (error.detail,)
        for sentence in sentences:
            assert any("一" <= letter <= "鿿" for letter in sentence.zh)
            assert sentence.en.isascii()
        for fault in getattr(error, "faults", ()):
            assert re.fullmatch(r"[a-z][a-z-]*", fault.code), fault
            assert fault.table in (tables() if fault.code == "unknown-code" else (None,)), fault
            root, *parts = fault.pointer.split("/")
            place: Any = self.tried
            for part in parts:
                if part.isdigit():
                    place = place[int(part)]
                else:
                    assert part in place.__struct_fields__, fault
                    place = getattr(place, part)
            assert (root, place is self.tried) == ("", False), fault
        return self


def stored_again(events: tuple[Event, ...]) -> tuple[Event, ...]:
    """Give events as they come back from the log: sealed, encoded, decoded."""
    return tuple(decode(event.topic, encode(seal(event))) for event in events)


_IDS = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def alike(events: tuple[Event, ...]) -> str:
    """Write events so that those of two histories can be compared, field by field.

    Ids are named in the order in which they first come up, texts stand in clear; the command
    alone is left out.
    """

    def in_clear(_path: str, item: Unsealed) -> Sealed:
        return Sealed(
            kid="", subject_id=item.subject_id, purpose=item.purpose, nonce="", ct=item.value
        )

    rows = []
    for event in events:
        fields = msgspec.to_builtins(transform(event, in_clear, Unsealed))
        del fields["command_id"], fields["correlation_id"]
        rows.append((event.topic, fields))
    names: dict[str, str] = {}
    text = msgspec.json.encode(rows).decode()
    return _IDS.sub(lambda found: names.setdefault(found[0], f"id {len(names)}"), text)
