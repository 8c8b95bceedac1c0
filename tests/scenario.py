"""Given, when, then over the pure deciders: one case in memory, no store, no key, no network.

Everything is deterministic: ids come from names, seeds from a counter, time from the test. What is
personal stays as the decider left it, unsealed; folding must not care.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid5

import msgspec

from mediation import calendar, ladder
from mediation.case.agreement import (
    ConcludeMediation,
    FailMediation,
    GiveUndertaking,
    ObligationEntry,
    RecordSettlement,
    ServeRemediesNotice,
)
from mediation.case.assignment import AssignMediators, ConfirmAssignment, DeclineAssignment
from mediation.case.closing import CloseCase
from mediation.case.consent import AcceptCase, AskConsent, RecordConsent, RefuseCase
from mediation.case.custody import (
    AcceptCustody,
    DeclineCustody,
    RequestCustodyMove,
    WithdrawCustodyMove,
)
from mediation.case.intake import ClearFlag, LineEntry, PartyEntry, RaiseFlag, RegisterCase
from mediation.case.lifecycle import open_duties
from mediation.case.performance import RecordPerformance
from mediation.case.sessions import RecordSession, ServeRightsNotice
from mediation.case.sheets import RecordTransferSheet
from mediation.case.state import Answer, CaseFacts, CaseState, Party, Phase, case_stream
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
from mediation.ladder import Ladder, MoveKind
from mediation.network import Appointment, Body, Capacity, ConfirmationRoute, NetworkState
from mediation.privacy import Personal, Sealed, Unsealed, transform

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


def mediators_of(body_id: str) -> tuple[UUID, UUID]:
    """Give the two mediators that every body of the network has."""
    return an_id(f"{body_id} mediator 1"), an_id(f"{body_id} mediator 2")


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


class Scenario:
    """One case, its clock and its office: `given` events, `when` a command, `then` events."""

    def __init__(self, *, network: NetworkState = NETWORK, rungs: Ladder = STANDARD) -> None:
        self.network = network
        self.ladder = rungs
        self.stream = case_stream(CASE_ID)
        self.log: dict[StreamRef, tuple[Event, ...]] = {}
        self.live: dict[StreamRef, tuple[int, Any]] = {}
        self.now = moment(START)
        self.count = 0
        self.decided: tuple[Any, ...] = ()
        self.refusal: MediationError | None = None

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
    def applicant(self) -> Party:
        """The first applicant."""
        return self.case.applicants[0]

    @property
    def respondent(self) -> Party:
        """The first respondent."""
        return self.case.respondents[0]

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

    def given(self, *commands: Command, at: str | None = None) -> Scenario:
        """Record commands that must go through."""
        for command in commands:
            self.do(command, at=at)
        return self

    def when(self, command: Command, *, at: str | None = None, by: Actor | None = None) -> Scenario:
        """Try one command; `then` or `then_refused` says what must have come of it."""
        self.decided, self.refusal = (), None
        try:
            self.decided = self.do(command, at=at, by=by)
        except MediationError as error:
            self.refusal = error
        return self

    def then(self, *expected: expect | type[Event]) -> Scenario:
        """Require exactly these events of the last command, in order."""
        assert self.refusal is None, self.refusal
        assert len(self.decided) == len(expected), [type(e).__name__ for e in self.decided]
        for event, wanted in zip(self.decided, expected, strict=True):
            (wanted if isinstance(wanted, expect) else expect(wanted)).check(event)
        return self

    def then_refused(self, *codes: str) -> Scenario:
        """Require that the last command was refused with exactly these codes, in order."""
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
        return self

    # The steps of an ordinary case, each as the office would take it

    def registered(
        self, *, body_id: str = "hengjie", workers: int = 1, at: str | None = None, **changes: Any
    ) -> Scenario:
        """Register a dispute of some workers with one company."""
        return self.given(a_registration(body_id=body_id, workers=workers, **changes), at=at)

    def flagged(self, *flags: str) -> Scenario:
        """Raise flags."""
        return self.given(*(RaiseFlag(flag=flag) for flag in flags))

    def asked(self) -> Scenario:
        """Ask the respondent."""
        return self.given(AskConsent(party_id=self.respondent.party_id, means="phone"))

    def agreed(self, *, at: str | None = None) -> Scenario:
        """Record the consent of every party at the present body."""
        return self.given(*(self.consent(party) for party in self.case.parties), at=at)

    def consent(self, party: Party, answer: Answer = Answer.AGREED) -> RecordConsent:
        """Make the command that records a party's answer."""
        return RecordConsent(party_id=party.party_id, answer=answer, means="in-person")

    def accepted(self, *, at: str | None = None) -> Scenario:
        """Accept the case."""
        return self.given(AcceptCase(within_scope=True, within_district=True), at=at)

    def refused(self) -> Scenario:
        """Do not accept the case."""
        return self.given(RefuseCase(reason_code="duplicate"))

    def assigned(self) -> Scenario:
        """Assign the mediators of the body, as far as no conflict is known; the first leads."""
        team = tuple(
            mediator_id
            for mediator_id in mediators_of(self.case.custody_body_id)
            if mediator_id not in self.case.conflicted_ids
        )
        return self.given(AssignMediators(mediator_ids=team, lead_mediator_id=team[0]))

    def mediating(self) -> Scenario:
        """Assign, confirm, and tell everybody the rights."""
        self.assigned()
        lead = self.case.lead_mediator_id
        self.given(ConfirmAssignment(mediator_id=lead))
        return self.given(
            *(
                ServeRightsNotice(party_id=party.party_id, means="attending")
                for party in self.case.parties
            )
        )

    def session(self, **changes: Any) -> RecordSession:
        """Make the command that records a joint session of everybody, by the assigned."""
        fields: dict[str, Any] = {
            "mode": "joint",
            "attending_ids": tuple(party.party_id for party in self.case.parties),
            "host_ids": self.case.mediator_ids or (an_id("somebody"),),
            "minutes": Personal("双方各执一词，未能达成一致。"),
            "result": "no-agreement",
        }
        return RecordSession(**(fields | changes))

    def met(self, *, at: str | None = None) -> Scenario:
        """Hold a session."""
        return self.given(self.session(), at=at)

    def promise(self, *, fen: int = 100_000, due_on: date = date(2026, 3, 20)) -> GiveUndertaking:
        """Make the command by which the first respondent promises to pay on every line."""
        return GiveUndertaking(
            respondent_id=self.respondent.party_id,
            obligations=tuple(
                ObligationEntry(line_id=line.line_id, agreed_fen=fen, due_on=due_on)
                for line in self.case.lines
            ),
            text=Personal("本单位承诺按期足额支付。"),
        )

    def settlement(self, **changes: Any) -> RecordSettlement:
        """Make the command that records a settlement without payment, signed by everybody."""
        fields: dict[str, Any] = {
            "signed_by_ids": tuple(party.party_id for party in self.case.parties),
            "text": Personal("双方自行和解。"),
        }
        return RecordSettlement(**(fields | changes))

    def conclusion(self) -> ConcludeMediation:
        """Make the command that concludes with the acceptance of every applicant."""
        return ConcludeMediation(
            accepted_by_ids=tuple(party.party_id for party in self.case.applicants)
        )

    def settled(self) -> Scenario:
        """Promise, and conclude."""
        return self.given(self.promise()).given(self.conclusion())

    def failed(self) -> Scenario:
        """End the mediation without agreement."""
        return self.given(FailMediation(cause_code="no-agreement"))

    def payment(self, at: int = 0, *, fen: int = 100_000) -> RecordPerformance:
        """Make the command that records a payment on one obligation."""
        return RecordPerformance(
            obligation_id=self.case.payments[at].obligation.obligation_id,
            paid_fen=fen,
            payment_means="bank-transfer",
            proof_kind="bank-slip",
        )

    def closed(self) -> Scenario:
        """Close; whatever is still open is waived."""
        return self.given(self.waiver())

    def waiver(self, reason_code: str = "creditor-released") -> CloseCase:
        """Make the command that closes the case and waives every duty still open."""
        return CloseCase(waived_duties=open_duties(self.case), waiver_reason_code=reason_code)

    def move(
        self,
        to_body_id: str,
        kind: MoveKind = MoveKind.ESCALATE,
        ground: str = "beyond-means",
        **changes: Any,
    ) -> RequestCustodyMove:
        """Make the command that asks another body to take the case.

        Where it has come to nothing, the applicant wishes in writing to go on.
        """
        fields: dict[str, Any] = {
            "kind": kind,
            "to_body_id": to_body_id,
            "ground": ground,
            "summary": Personal("双方争议较大，请上级组织调解。"),
            "applicant_wish": self.case.phase in (Phase.FAILED, Phase.NOT_ACCEPTED),
        }
        return RequestCustodyMove(**(fields | changes))

    def sheet(self, party: Party, **changes: Any) -> RecordTransferSheet:
        """Make the command that records a party's sheet: yes to all."""
        fields: dict[str, Any] = {"new_body": True, "disclosure": True, "extension": True}
        return RecordTransferSheet(party_id=party.party_id, **(fields | changes))

    def taken_by(self, to_body_id: str, *, at: str | None = None, **move: Any) -> Scenario:
        """Move the case with the sheets of everybody, and let the receiver accept."""
        self.given(self.move(to_body_id, **move), at=at)
        self.given(*(self.sheet(party) for party in self.case.parties))
        return self.given(AcceptCustody())


def a_registration(*, workers: int = 1, companies: int = 1, **changes: Any) -> RegisterCase:
    """Make the command that registers wages claimed by some workers, 100,000 fen each."""
    fields: dict[str, Any] = {
        "matter_kind": "DISPUTE",
        "channel": "walk-in",
        "body_id": "hengjie",
        "applicants": tuple(
            PartyEntry(role="WORKER", name=Personal(f"职工{at}"), phone=Personal("13800000000"))
            for at in range(workers)
        ),
        "respondents": tuple(
            PartyEntry(role="EMPLOYER", company_name=f"第{at}餐饮有限公司")
            for at in range(companies)
        ),
        "request": Personal("请求支付拖欠工资。"),
        "cause": "C13",
        "lines": tuple(
            LineEntry(applicant=at, cause="C13", claimed_fen=100_000) for at in range(workers)
        ),
    }
    return RegisterCase(**(fields | changes))


def in_phase(phase: Phase, **registration: Any) -> Scenario:
    """Bring a fresh case into a phase, the shortest proper way."""
    scenario = Scenario().registered(**registration)
    steps = {
        Phase.REGISTERED: (),
        Phase.CONSENT_PENDING: (scenario.agreed,),
        Phase.ACCEPTED: (scenario.agreed, scenario.accepted),
        Phase.ASSIGNED: (scenario.agreed, scenario.accepted, scenario.assigned),
        Phase.MEDIATING: (scenario.agreed, scenario.accepted, scenario.mediating),
        Phase.PERFORMING: (
            scenario.agreed,
            scenario.accepted,
            scenario.mediating,
            scenario.settled,
        ),
        Phase.FAILED: (scenario.agreed, scenario.accepted, scenario.mediating, scenario.failed),
        Phase.NOT_ACCEPTED: (scenario.refused,),
        Phase.CLOSED: (
            scenario.agreed,
            scenario.accepted,
            scenario.mediating,
            scenario.settled,
            scenario.closed,
        ),
    }
    for step in steps[phase]:
        step()
    assert scenario.case.phase is phase
    return scenario


def stored_again(events: tuple[Event, ...]) -> tuple[Event, ...]:
    """Give events as they come back from the log: sealed, encoded, decoded."""
    return tuple(decode(event.topic, encode(seal(event))) for event in events)


# One well-formed example of every command on a registered case, whatever phase the case is in.
COMMANDS: dict[str, Callable[[Scenario], Command]] = {
    "accept-case": lambda s: AcceptCase(within_scope=True, within_district=True),
    "accept-custody": lambda s: AcceptCustody(),
    "ask-consent": lambda s: AskConsent(party_id=s.respondent.party_id, means="phone"),
    "assign-mediators": lambda s: AssignMediators(
        mediator_ids=mediators_of(s.case.custody_body_id),
        lead_mediator_id=mediators_of(s.case.custody_body_id)[0],
    ),
    "clear-flag": lambda s: ClearFlag(flag="MEDIA", explanation=Personal("已核实。")),
    "close-case": lambda s: CloseCase(),
    "conclude-mediation": lambda s: s.conclusion(),
    "confirm-assignment": lambda s: ConfirmAssignment(mediator_id=s.case.lead_mediator_id),
    "decline-assignment": lambda s: DeclineAssignment(
        mediator_id=s.case.lead_mediator_id, reason_code="workload"
    ),
    "decline-custody": lambda s: DeclineCustody(reason_code="wrong-body"),
    "fail-mediation": lambda s: FailMediation(cause_code="no-agreement"),
    "give-undertaking": lambda s: s.promise(),
    "raise-flag": lambda s: RaiseFlag(flag="MEDIA"),
    "record-consent": lambda s: s.consent(s.respondent),
    "record-performance": lambda s: s.payment(),
    "record-session": lambda s: s.session(),
    "record-settlement": lambda s: s.settlement(),
    "record-transfer-sheet": lambda s: s.sheet(s.respondent),
    "refuse-case": lambda s: RefuseCase(reason_code="duplicate"),
    "request-custody-move": lambda s: s.move("dongcheng"),
    "serve-remedies-notice": lambda s: ServeRemediesNotice(
        party_id=s.respondent.party_id, means="written"
    ),
    "serve-rights-notice": lambda s: ServeRightsNotice(
        party_id=s.respondent.party_id, means="attending"
    ),
    "withdraw-custody-move": lambda s: WithdrawCustodyMove(),
}
