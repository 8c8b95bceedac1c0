"""Random lives of a case: whatever the office tries, the invariants hold and replay agrees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mediation.case import available
from mediation.case.agreement import MediationConcluded, SettlementRecorded, UndertakingGiven
from mediation.case.closing import CaseClosed
from mediation.case.consent import CaseAccepted, ConsentRecorded
from mediation.case.custody import (
    TAKEN,
    CustodyMoveDeclined,
    CustodyMoveRequested,
    CustodyMoveWithdrawn,
    CustodyTaken,
)
from mediation.case.intake import CaseRegistered
from mediation.case.performance import ObligationPerformed, ObligationsFullyPerformed
from mediation.case.state import Answer, CaseEvent, CaseState, Phase
from mediation.errors import Refused
from mediation.kernel import Command, commands, fold
from mediation.ladder import MoveKind
from tests.scenario import COMMANDS, NETWORK, STANDARD, Scenario, in_phase, seal, stored_again

DIRECTION = {
    MoveKind.ESCALATE: 1,
    MoveKind.REPORT_UP: 1,
    MoveKind.TRANSFER: 0,
    MoveKind.REROUTE: 0,
    MoveKind.ASSIGN_DOWN: -1,
    MoveKind.SEND_BACK: -1,
}
GROUNDS = sorted({ground.code for ground in STANDARD.grounds})
BODIES = sorted(NETWORK.bodies)
PLAIN = sorted(
    set(COMMANDS)
    - {
        "confirm-assignment",
        "decline-assignment",
        "record-consent",
        "record-performance",
        "record-transfer-sheet",
        "request-custody-move",
    }
)


class Walk:
    """Walks a history, knowing nothing of the state, and holds it to what may never be otherwise.

    Raises AssertionError where custody moved without an accepted move or the wrong way, where a
    case was accepted without consent, where an acceptance was concluded never, twice or without
    being open, where money does not add up, and where a due date ends that never started.
    """

    def __init__(self) -> None:
        self.custody, self.level, self.kind = "", "", ""
        self.sides: tuple[set[UUID], set[UUID]] = (set(), set())
        self.pending: CustodyMoveRequested | None = None
        self.answers: dict[UUID, Answer] = {}
        self.accepted, self.is_open = 0, False
        self.owed: dict[UUID, int] = {}
        self.paid: Counter[UUID] = Counter()
        self.due: set[str] = set()

    def through(self, events: Iterable[Any]) -> None:
        """Take one event after the other."""
        for event in events:
            for event_type, check in self.CHECKS.items():
                if isinstance(event, event_type):
                    check(self, event)
            assert event.phase is not Phase.CLOSED or not self.is_open, "closed while open"
            self.clocks(event)

    def clocks(self, event: CaseEvent) -> None:
        # A pending move is withdrawn and the case closed in one decision: both end D12.
        if not isinstance(event, CaseClosed):
            assert set(event.due_ended) <= self.due, "a due date ended that was not open"
        started = {due.code for due in event.due}
        self.due = (self.due - set(event.due_ended)) | started
        assert len(started) == len(event.due), "one due date started twice"
        assert "D12" not in self.due or self.pending, "an answer is due to no request"

    def registered(self, event: CaseRegistered) -> None:
        self.custody, self.level, self.kind = event.custody_body_id, event.level, event.matter_kind
        self.sides = (
            {party.party_id for party in event.applicants},
            {party.party_id for party in event.respondents},
        )

    def move_requested(self, event: CustodyMoveRequested) -> None:
        assert self.pending is None, "two moves are pending"
        assert event.from_body_id == self.custody, "a body that has no custody asked for a move"
        self.pending = event

    def custody_taken(self, event: CustodyTaken) -> None:
        asked = self.pending
        assert asked is not None, "custody was taken without a request"
        assert type(event) is TAKEN[asked.kind], "another move was accepted than asked for"
        assert event.to_body_id == asked.to_body_id, "another body took custody"
        assert (event.from_body_id, event.from_level) == (self.custody, self.level), (
            "custody had moved"
        )
        rungs = STANDARD.rank(event.to_level) - STANDARD.rank(self.level)
        direction = DIRECTION[asked.kind]
        assert rungs * direction > 0 or rungs == direction == 0, "a move the wrong way"
        self.custody, self.level, self.pending = event.to_body_id, event.to_level, None
        self.answers = dict.fromkeys(event.agreed_ids, Answer.AGREED)

    def move_ended(self, event: CustodyMoveDeclined | CustodyMoveWithdrawn) -> None:
        assert self.pending is not None, "an answer to no request"
        self.pending = None

    def answered(self, event: ConsentRecorded) -> None:
        assert event.at_body_id == self.custody, "consent at a body without custody"
        self.answers[event.party_id] = event.answer

    def case_accepted(self, event: CaseAccepted) -> None:
        agreed = {party for party, answer in self.answers.items() if answer is Answer.AGREED}
        assert all(agreed & side for side in self.sides), "accepted without consent of a side"
        assert self.kind == "DISPUTE", "something else than a dispute was accepted"
        assert not self.is_open, "accepted twice"
        self.accepted, self.is_open = self.accepted + 1, True
        assert event.acceptance_no == self.accepted, "an acceptance was not counted"

    def concluded(self, event: MediationConcluded) -> None:
        assert self.is_open, "a conclusion without an open acceptance"
        assert event.acceptance_no == self.accepted, "another acceptance was concluded"
        self.is_open = False

    def promised(self, event: UndertakingGiven | SettlementRecorded) -> None:
        for superseded in event.superseded_ids:
            assert self.paid[superseded] == 0, "what was paid on was superseded"
            del self.owed[superseded]
        self.owed |= {it.obligation_id: it.agreed_fen for it in event.obligations}

    def performed(self, event: ObligationPerformed) -> None:
        assert event.paid_fen == event.applied_fen + event.surplus_fen, "fen were lost"
        assert min(event.applied_fen, event.surplus_fen) >= 0, "a negative payment"
        self.paid[event.obligation_id] += event.applied_fen
        assert self.paid[event.obligation_id] <= self.owed[event.obligation_id], (
            "more than was agreed"
        )

    def fully_performed(self, event: ObligationsFullyPerformed) -> None:
        assert all(self.paid[key] == fen for key, fen in self.owed.items()), "something is owed"

    CHECKS: ClassVar[dict[Any, Callable[[Walk, Any], None]]] = {
        CaseRegistered: registered,
        CustodyMoveRequested: move_requested,
        CustodyTaken: custody_taken,
        CustodyMoveDeclined | CustodyMoveWithdrawn: move_ended,
        ConsentRecorded: answered,
        CaseAccepted: case_accepted,
        MediationConcluded: concluded,
        UndertakingGiven | SettlementRecorded: promised,
        ObligationPerformed: performed,
        ObligationsFullyPerformed: fully_performed,
    }


def require_invariants(events: Iterable[Any]) -> None:
    """Walk through a whole history."""
    Walk().through(events)


class Life(RuleBasedStateMachine):
    """One case; every step is something that somebody at the office might try."""

    def __init__(self) -> None:
        super().__init__()
        self.scenario = Scenario()

    @initialize(
        phase=st.sampled_from(Phase),
        registration=st.fixed_dictionaries(
            {
                "entry": st.sampled_from(["PARTY_DIRECT", "PROACTIVE"]),
                "body_id": st.sampled_from(BODIES),
                "workers": st.sampled_from([1, 2, 10]),
                "companies": st.just(1),
            }
        ),
    )
    def begin(self, phase, registration):
        """Begin anywhere: a life from its first day would seldom come to its end."""
        self.scenario = in_phase(phase, **registration)

    def attempt(self, command: Command) -> None:
        """Try a command: a refusal leaves nothing behind, and a fact is never refused."""
        scenario = self.scenario
        before = (scenario.events, scenario.case)
        try:
            decided = scenario.do(command)
        except Refused:
            assert not command.is_fact
            assert (scenario.events, scenario.case) == before
        else:
            assert decided

    @rule(name=st.sampled_from(PLAIN))
    def plain(self, name):
        """A command as it comes."""
        self.attempt(COMMANDS[name](self.scenario))

    @rule(at=st.integers(0, 20))
    def go_on(self, at):
        """One of the decisions that are open now."""
        is_open = [
            name
            for name, refusals in available(self.scenario.case).items()
            if not refusals and not commands()[name].command_type.is_fact
        ]
        if is_open:
            self.attempt(COMMANDS[is_open[at % len(is_open)]](self.scenario))

    @rule()
    def everybody_agrees(self):
        """All parties say yes at the present body."""
        for party in self.scenario.case.parties:
            self.attempt(self.scenario.consent(party))

    @rule()
    def settle(self):
        """A promise, and the attempt to conclude on it."""
        self.attempt(self.scenario.promise())
        self.attempt(self.scenario.conclusion())

    @precondition(lambda self: self.scenario.case.lead_mediator_id is not None)
    @rule(name=st.sampled_from(["confirm-assignment", "decline-assignment"]))
    def answer_assignment(self, name):
        """The lead mediator answers."""
        self.attempt(COMMANDS[name](self.scenario))

    @rule(at=st.integers(0, 11), answer=st.sampled_from(Answer))
    def consent(self, at, answer):
        """Any party answers anything."""
        parties = self.scenario.case.parties
        self.attempt(self.scenario.consent(parties[at % len(parties)], answer))

    @precondition(lambda self: self.scenario.case.payments)
    @rule(at=st.integers(0, 50), fen=st.integers(1, 150_000))
    def pay(self, at, fen):
        """Some of it, all of it, or too much."""
        self.attempt(self.scenario.payment(at % len(self.scenario.case.payments), fen=fen))

    @rule(
        to=st.sampled_from(BODIES),
        kind=st.sampled_from(MoveKind),
        ground=st.sampled_from(GROUNDS),
        wish=st.booleans(),
    )
    def ask_to_move(self, to, kind, ground, wish):
        """Any move to anywhere on any ground."""
        self.attempt(self.scenario.move(to, kind, ground, applicant_wish=wish))

    @rule(pick=st.randoms(use_true_random=False), wish=st.booleans())
    def ask_for_a_permitted_move(self, pick, wish):
        """A move that the ladder permits, so that custody does move."""
        level = self.scenario.case.level
        open_moves = [
            (to, kind, ground)
            for to in BODIES
            for kind in MoveKind
            for ground in STANDARD.level(level).grounds_for(kind)
            if not STANDARD.permits(kind, level, NETWORK.body(to).level, ground)
        ]
        to, kind, ground = pick.choice(open_moves)
        self.attempt(self.scenario.move(to, kind, ground, applicant_wish=wish))

    @precondition(lambda self: self.scenario.case.move is not None)
    @rule(new_body=st.booleans(), disclosure=st.booleans(), everybody=st.booleans())
    def answer_sheets(self, new_body, disclosure, everybody):
        """One party or all fill in the sheet; then the receiver takes the case."""
        parties = self.scenario.case.parties
        for party in parties if everybody else parties[:1]:
            self.attempt(self.scenario.sheet(party, new_body=new_body, disclosure=disclosure))
        self.attempt(COMMANDS["accept-custody"](self.scenario))

    @rule(hours=st.integers(1, 100))
    def wait(self, hours):
        """Time goes by."""
        self.scenario.now += timedelta(hours=hours)

    @invariant()
    def history_is_sound(self):
        """What may never be otherwise is not."""
        require_invariants(self.scenario.events)

    def teardown(self):
        """The live state is the replay of what was stored, at every version."""
        live = CaseState()
        for sealed, stored in zip(
            map(seal, self.scenario.events), stored_again(self.scenario.events), strict=True
        ):
            live = fold(live, (sealed,))
            assert stored == sealed
        assert fold(CaseState(), stored_again(self.scenario.events)) == live
        assert seal(self.scenario.case) == live


Life.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestLife = Life.TestCase


# The walk has teeth: each broken twin of a sound history is found.


def sound():
    """Give the events of a case that was accepted twice, moved, settled and paid."""
    scenario = in_phase(Phase.FAILED)
    scenario.taken_by("dongcheng", ground="mediation-failed", applicant_wish=True)
    scenario.agreed().accepted().mediating().settled()
    return scenario.given(scenario.payment()).events


def without(event_type: type, events: tuple[Any, ...]) -> tuple[Any, ...]:
    """Leave out the first event of a type."""
    at = next(i for i, event in enumerate(events) if isinstance(event, event_type))
    return (*events[:at], *events[at + 1 :])


def doubled(event_type: type, events: tuple[Any, ...]) -> tuple[Any, ...]:
    """Repeat the first event of a type."""
    at = next(i for i, event in enumerate(events) if isinstance(event, event_type))
    return (*events[: at + 1], *events[at:])


def changed(event_type: Any, events: tuple[Any, ...], **fields: Any) -> tuple[Any, ...]:
    """Change fields of every event of a type."""
    return tuple(
        msgspec.structs.replace(event, **fields) if isinstance(event, event_type) else event
        for event in events
    )


def promises(events: tuple[Any, ...]) -> tuple[UndertakingGiven, ...]:
    """Give the promises of a history."""
    return tuple(event for event in events if isinstance(event, UndertakingGiven))


def test_a_sound_history_passes():
    """The walk agrees with what the deciders allow."""
    require_invariants(sound())


@pytest.mark.parametrize(
    ("break_it", "found"),
    [
        (lambda it: doubled(CustodyMoveRequested, it), "two moves"),
        (lambda it: without(CustodyMoveRequested, it), "without a request"),
        (lambda it: changed(CustodyMoveRequested, it, from_body_id="hq"), "no custody"),
        (lambda it: changed(CustodyMoveRequested, it, kind=MoveKind.TRANSFER), "another move"),
        (lambda it: changed(CustodyMoveRequested, it, to_body_id="hq"), "another body"),
        (lambda it: changed(CustodyTaken, it, from_level="district"), "custody had moved"),
        (lambda it: changed(CustodyTaken, it, to_level="enterprise"), "wrong way"),
        (lambda it: changed(CustodyTaken, it, to_level="village-industry"), "wrong way"),
        (lambda it: without(ConsentRecorded, it), "consent of a side"),
        (lambda it: changed(ConsentRecorded, it, at_body_id="hq"), "without custody"),
        (lambda it: changed(CaseRegistered, it, matter_kind="AID"), "else than a dispute"),
        (lambda it: doubled(CaseAccepted, it), "accepted twice"),
        (lambda it: changed(CaseAccepted, it, acceptance_no=7), "not counted"),
        (lambda it: doubled(MediationConcluded, it), "without an open acceptance"),
        (lambda it: without(MediationConcluded, it), "accepted twice"),
        (lambda it: changed(MediationConcluded, it, acceptance_no=7), "another acceptance"),
        (lambda it: changed(ObligationPerformed, it, paid_fen=1), "fen were lost"),
        (
            lambda it: changed(ObligationPerformed, it, applied_fen=100_001, surplus_fen=-1),
            "negative",
        ),
        (lambda it: doubled(ObligationPerformed, it), "more than was agreed"),
        (lambda it: without(ObligationPerformed, it), "something is owed"),
        (lambda it: changed(CaseAccepted, it, phase=Phase.CLOSED), "closed while open"),
        (lambda it: changed(CaseRegistered, it, due=()), "was not open"),
        (lambda it: changed(CaseRegistered, it, due=it[0].due * 2), "started twice"),
        (lambda it: changed(CustodyTaken, it, due_ended=()), "due to no request"),
        (
            lambda it: (
                *it,
                *changed(
                    UndertakingGiven,
                    promises(it),
                    superseded_ids=tuple(o.obligation_id for o in promises(it)[0].obligations),
                ),
            ),
            "paid on was superseded",
        ),
    ],
)
def test_a_broken_history_is_found(break_it, found):
    """A move, an acceptance, a conclusion or a fen too many or too few: all are seen."""
    with pytest.raises(AssertionError, match=found):
        require_invariants(break_it(sound()))
