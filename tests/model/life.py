"""Lives of a case as chance writes them: whatever the office tries, what must hold holds.

After every command the history is walked on, read back from its stored bytes, and compared with
the live state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any, ClassVar
from uuid import UUID

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from mediation.calendar import day_of
from mediation.case import available
from mediation.case.assignment import DeclineAssignment
from mediation.case.composites import RegisterAndAccept, RegisterAndSettleSmallCase, SmallWorker
from mediation.case.intake import PartyEntry
from mediation.case.state import CaseEvent, CaseFacts, CaseState
from mediation.case.values import Matter, Phase
from mediation.errors import Refused
from mediation.kernel import Actor, Command, Decision, decode, encode, evolve, fold, kebab
from mediation.ladder import MoveKind
from mediation.privacy import Personal
from mediation.store import Recorded
from projections.folding import commands
from projections.standing import Standing
from tests.examples import COMMANDS
from tests.model.steps import BODIES, SYSTEM, Dice, actor, is_fact, is_of, step
from tests.model.walk import Walk, require_agreement, require_copied_dates
from tests.projections.test_standing import assert_same
from tests.scenario import (
    CASE_ID,
    STEPS,
    Scenario,
    a_registration,
    an_id,
    lapse_of,
    mediators_of,
    seal,
)

ENDING = (
    "close-case",
    "fail-mediation",
    "refuse-aid",
    "refuse-case",
    "take-remedy-route",
    "withdraw-application",
    "withdraw-consent",
)
"""What ends a matter, or may: rare, or no life would be long."""

WAYS = (
    *["advance"] * 8,
    *["record"] * 5,
    *["decide"] * 3,
    *["move"] * 3,
    *["mend"] * 2,
    *["wait"] * 2,
    *["try_anything"] * 2,
    "end",
)
"""How a life goes on: each kind of step as often as it stands here."""

MOST = 2**24
NUMBERS = st.integers(0, MOST - 1)
"""Over a larger range chance does not spread evenly."""

FREE_DAYS, LEAD_DAYS = 7, 30


class Office(Scenario):
    """A case whose events are sealed before they are recorded, and late entries approved."""

    def decide(self, command: Command, by: Actor | None = None) -> Decision:
        """Decide, and seal as the door does."""
        decided = super().decide(command, by)
        return Decision(tuple((ref, seal(event)) for ref, event in decided.events))

    def facts(self, command: Command, by: Actor | None = None) -> CaseFacts:
        """Make the facts; what is typed in late brings the approvals that it needs."""
        facts = super().facts(command, by)
        happened = [it for it in command.moments().values() if it is not None] or [self.now]
        days = (day_of(self.now) - day_of(min(happened))).days
        keys = (an_id("first key"), an_id("second key"))
        approved = keys[: (days > FREE_DAYS) + (days > LEAD_DAYS)]
        return msgspec.structs.replace(
            facts,
            late_entry_approved_by_ids=approved,
            late_entry_approved_as=("lead", "coordinator")[: len(approved)],
        )

    def again(self) -> Office:
        """Give another office at the same point."""
        other = Office()
        other.log, other.live = dict(self.log), dict(self.live)
        other.now, other.count = self.now, self.count
        return other


@cache
def begun(matter: Matter, phase: Phase, body_id: str, rise: str, *more: tuple[str, Any]) -> Office:
    """Bring a case into a phase, perhaps after a climb; once for all lives that begin there."""
    office = Office()
    office.registered(matter_kind=matter, body_id=body_id, **dict(more))
    body = office.network.body(body_id)
    if rise == "a rung" and body.parent_id:
        office.taken_by(body.parent_id)
    elif rise == "to the top" and body.level in ("enterprise", "village-industry"):
        office.taken_by("hq", kind=MoveKind.REPORT_UP, ground="statutory-fit")
    for name in STEPS[matter][phase]:
        getattr(office, name)()
    assert office.case.phase is phase
    return office


def recorded(events: Sequence[CaseEvent], at: datetime, *, after: int = 0) -> list[Recorded]:
    """Give what one command left behind as it would be read from a log that holds this case."""
    end = after + len(events)
    return [
        Recorded(
            originator_id=CASE_ID,
            originator_version=version,
            topic=event.topic,
            state=encode(event),
            id=version,
            recorded_at=at,
            command_end=end,
        )
        for version, event in enumerate(events, start=after + 1)
    ]


class Tally(msgspec.Struct):
    """What came of all lives of a kind; a step is one thing that somebody did, or time passing."""

    lives: int = 0
    steps: int = 0
    tried: Counter[str] = msgspec.field(default_factory=Counter)
    taken: Counter[str] = msgspec.field(default_factory=Counter)
    refusals: Counter[str] = msgspec.field(default_factory=Counter)
    topics: Counter[str] = msgspec.field(default_factory=Counter)
    levels: Counter[str] = msgspec.field(default_factory=Counter)

    def share(self, *, facts: bool = True) -> float:
        """Give the share of accepted commands among those tried; without `facts` of decisions."""
        names = [name for name in self.tried if facts or not is_fact(name)]
        tried = sum(self.tried[name] for name in names)
        return sum(self.taken[name] for name in names) / tried

    def __str__(self) -> str:
        """Say the figures in one line."""
        rare, times = min(self.topics.items(), key=lambda it: it[1])
        return (
            f"{self.lives} lives, {self.steps} steps, {self.tried.total()} commands tried, "
            f"{self.share():.0%} accepted (decisions {self.share(facts=False):.0%}), "
            f"{self.topics.total()} events of {len(self.topics)} kinds, the rarest {times} times "
            f"({rare}), {len(self.refusals)} reasons of refusal"
        )


class Life(RuleBasedStateMachine):
    """One case; every step is something that somebody at the office might try."""

    matter: ClassVar[Matter]
    tally: ClassVar[Tally]

    def __init__(self) -> None:
        super().__init__()
        self.office = Office()
        self.walk = Walk()
        self.live, self.replayed = CaseState(), CaseState()
        self.standings: dict[UUID, Standing] = {}
        self.turn = 0
        self.tally.lives += 1

    @property
    def case(self) -> CaseState:
        """The case as it stands."""
        return self.office.case

    # Beginnings

    @initialize(number=NUMBERS)
    def begin(self, number):
        """Begin anywhere: a life from its first day would seldom come to its end."""
        self.tally.steps += 1
        dice = Dice(number)
        lively = [it for it in STEPS[self.matter] if it not in (Phase.CLOSED, Phase.WITHDRAWN)]
        phase = dice.of(lively) if dice.often() else dice.of(tuple(STEPS[self.matter]))
        body_id, rise = dice.of(BODIES), dice.of(("no", "no", "a rung", "to the top"))
        workers, entry = dice.of((1, 2, 10)), "PARTY_DIRECT"
        if self.matter is Matter.DISPUTE:
            entry = dice.of((entry, "PROACTIVE"))
            self.compose(dice.of(("no", "no", "no", "at one visit", "on one form")), body_id, dice)
        if not self.office.events:
            more = ("workers", workers), ("entry", entry)
            self.office = begun(self.matter, phase, body_id, rise, *more).again()
            self.follow()
        if len(self.case.mediator_ids) > 1 and dice.of((False, True)):
            other = self.case.mediator_ids[-1]
            self.attempt(DeclineAssignment(mediator_id=other, reason_code="conflict"))

    def compose(self, how: str, body_id: str, dice: Dice) -> None:
        """Register and go on at once, perhaps; where that is refused nothing is there."""
        first, second = mediators_of(body_id)
        workers = dice.of((1, 2, 10))
        if how == "at one visit":
            self.attempt(
                RegisterAndAccept(
                    registration=a_registration(body_id=body_id, workers=workers),
                    mediator_ids=dice.of(((first,), (first, second), (an_id("stranger"),))),
                )
            )
        elif how == "on one form":
            today = day_of(self.office.now)
            is_paid = dice.of((True, False))
            self.attempt(
                RegisterAndSettleSmallCase(
                    channel="walk-in",
                    body_id=body_id,
                    workers=(SmallWorker(name=Personal("职工"), claimed_fen=120_000),) * workers,
                    employer=PartyEntry(role="EMPLOYER", company_name="示例有限公司"),
                    cause="C13",
                    request=Personal("请求支付工资。"),
                    consent_means="attending",
                    instrument=dice.of(("oral", "settlement", "undertaking")),
                    paid_on=today if is_paid else None,
                    due_on=None if is_paid else today + timedelta(days=3),
                    mediator_id=first,
                ),
                by=dice.of((None, Actor(actor_id=first, role="mediator", body_id=body_id))),
            )

    # Steps

    def attempt(self, command: Command | None, *, by: Actor | None = None) -> None:
        """Try a command: a refusal leaves nothing behind, and a fact is never refused."""
        if command is None:
            return
        office, name = self.office, kebab(type(command).__name__)
        before = (office.log.copy(), office.case)
        self.tally.tried[name] += 1
        try:
            decided = office.do(command, by=by)
        except Refused as error:
            codes = [it.code for it in error.refusals]
            assert codes, "refused without a reason"
            is_foreign = before[1].version > 0 and self.matter not in is_of(name, "matters")
            assert is_foreign or "wrong-matter" not in codes, "refused as of another track"
            if command.is_fact:
                assert codes == ["wrong-matter"], "a recorded fact was refused"
            self.tally.refusals.update(codes)
            assert (office.log, office.case) == before, "a refusal left something behind"
        else:
            assert decided, "accepted, and nothing came of it"
            assert not before[1].version or self.matter in is_of(name, "matters"), "another track"
            self.tally.taken[name] += 1
            self.follow()

    def try_step(self, name: str, dice: Dice) -> None:
        """Try a command by its name in one of its forms."""
        by = actor(name, self.office, dice)
        self.attempt(step(name, self.office, dice), by=by)

    def follow(self) -> None:
        """Walk on through what is new, read it back, and hold the live state to all of it."""
        fresh = self.office.events[self.live.version :]
        batch = recorded(fresh, self.office.now, after=self.live.version)
        for event, stored in zip(fresh, batch, strict=True):
            self.walk.through((event,))
            self.live = evolve(self.live, event)
            self.replayed = evolve(self.replayed, decode(event.topic, stored.state))
            assert self.replayed == self.live, "replay gives another state"
            require_agreement(self.walk, self.live)
            self.tally.topics[event.topic] += 1
        assert self.live == self.case
        for _end, touched in commands(batch, lambda _ids: self.standings):
            self.standings |= touched
        assert_same(self.standings[CASE_ID], self.case)
        self.tally.levels[self.case.level] += 1

    @rule(way=st.sampled_from(WAYS), number=NUMBERS)
    def go(self, way, number):
        """Take one step of a kind."""
        self.tally.steps += 1
        self.turn += 1
        getattr(self, way)(Dice(number, self.turn))

    def advance(self, dice: Dice) -> None:
        """Do what usually comes next, so that lives come to an end."""
        usual = USUAL[self.matter].get(self.case.phase or Phase.CLOSED)
        if usual is None:
            self.record(dice)
            return
        for name in dice.of(usual):
            self.try_step(name, dice)

    def decide(self, dice: Dice) -> None:
        """Take one of the decisions that are open now and do not end the matter."""
        self.try_step(dice.of([it for it in self.open() if not is_fact(it)]), dice)

    def open(self, *, ending: bool = False) -> list[str]:
        """Name what the table does not refuse now: what may end the matter, or the rest."""
        refused = available(self.case)
        return [name for name in refused if not refused[name] and (name in ENDING) == ending]

    def record(self, dice: Dice) -> None:
        """Record any fact that does not end the matter."""
        self.try_step(dice.of([it for it in self.open() if is_fact(it)]), dice)

    def end(self, dice: Dice) -> None:
        """Do what may end the matter."""
        self.try_step(dice.of(self.open(ending=True)), dice)

    def try_anything(self, dice: Dice) -> None:
        """Try any command, also one of another track."""
        self.try_step(dice.of(sorted(COMMANDS)), dice)

    def move(self, dice: Dice) -> None:
        """Ask for a move; or let the parties fill in their sheets and the receiver take over."""
        if self.case.move is None:
            self.try_step("request-custody-move", dice)
            return
        for _ in dice.some(self.case.parties):
            self.try_step("record-transfer-sheet", dice)
        self.try_step("accept-custody", Dice(0))

    def mend(self, dice: Dice) -> None:
        """Cure what is irregular, one flaw after the other."""
        for _ in dice.some(self.case.irregularities):
            self.try_step("cure-irregularity", dice)

    def wait(self, dice: Dice) -> None:
        """Time goes by, and the timer looks whether the term is over."""
        office = self.office
        office.now += timedelta(hours=dice.of((3, 30, 100, 500)))
        for term in (None if office.case.term_lapsed else office.case.term, office.case.own_term):
            if term and day_of(office.now) > term.rolled_on:
                self.attempt(lapse_of(term), by=SYSTEM)

    def teardown(self):
        """Replay the whole history, with due dates as they are and as no calendar would give."""
        events = self.office.events
        if self.live.version < len(events):
            return  # a step failed half way, and that is told
        stored = tuple(decode(event.topic, encode(event)) for event in events)
        assert fold(CaseState(), stored) == self.live
        require_copied_dates(events)


_PAID = (("record-performance",), ("perform-and-close",), ("record-performance", "close-case"))
_NOT_TAKEN = (("serve-remedies-notice",), ("request-custody-move",), ("close-case",))
_BEFORE_COURT = (("update-proceeding",), ("set-obligations",), ("update-proceeding", "close-case"))
USUAL: dict[Matter, dict[Phase, tuple[tuple[str, ...], ...]]] = {
    Matter.DISPUTE: {
        Phase.REGISTERED: (("record-consent",), ("ask-consent",)),
        Phase.CONSENT_PENDING: (("record-consent", "record-consent", "accept-case"),),
        Phase.ACCEPTED: (("assign-mediators",),),
        Phase.ASSIGNED: (("confirm-assignment", "serve-rights-notice"),),
        Phase.MEDIATING: (
            ("record-session", "draft-agreement"),
            ("draft-agreement", "check-legality"),
            ("give-undertaking", "conclude-mediation"),
            ("record-settlement", "conclude-mediation"),
            ("fail-mediation",),
        ),
        Phase.SIGNING: (
            (*["cure-irregularity"] * 3, "check-legality", "sign-and-seal"),
            ("check-legality", *["sign-agreement"] * 3),
            (*["cure-irregularity"] * 3, "seal-agreement", "sign-agreement", "sign-agreement"),
            ("give-undertaking", "record-performance"),
            ("draft-agreement",),
        ),
        Phase.PERFORMING: _PAID,
        Phase.FAILED: _NOT_TAKEN,
        Phase.NOT_ACCEPTED: _NOT_TAKEN,
        Phase.IN_PROCEEDINGS: _BEFORE_COURT,
    },
    Matter.DEMAND: {
        Phase.REGISTERED: (("relay-demand",),),
        Phase.RELAYED: (("record-demand-answer",),),
        Phase.ANSWERED: (("feed-back-demand",), ("record-contract-change",), ("close-case",)),
        Phase.PERFORMING: (*_PAID, ("feed-back-demand", "close-case")),
    },
    Matter.AID: {
        Phase.REGISTERED: (("grant-aid",),),
        Phase.AIDED: (("appoint-counsel",), ("open-proceeding",)),
        Phase.IN_PROCEEDINGS: _BEFORE_COURT,
        Phase.PERFORMING: _PAID,
        Phase.NOT_ACCEPTED: _NOT_TAKEN,
    },
}
"""What an office usually does next, by track and phase: one row of steps or another."""


def life_of(matter: Matter) -> type[Life]:
    """Make the lives of one kind of matter, with a tally of their own."""
    return type(f"{matter.title()}Life", (Life,), {"matter": matter, "tally": Tally()})


def live_by_seed(life_type: type[Life], seed: int, steps: int) -> None:
    """Live one life by a seed alone, the same each time; this chance spreads evenly."""
    chance = Random(seed)
    life = life_type()
    life.begin(chance.randrange(MOST))
    for _ in range(steps):
        life.go(chance.choice(WAYS), chance.randrange(MOST))
    life.teardown()
