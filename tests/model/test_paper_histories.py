"""Any paper history can be typed in: no fact is refused, what is irregular is listed till cured."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import Phase as Generating
from hypothesis import given, settings
from hypothesis import strategies as st

from mediation import kernel
from mediation.calendar import day_of
from mediation.case.correction import CureIrregularity
from mediation.case.performance import ObligationPerformed
from mediation.case.sessions import SessionHeld
from mediation.case.state import CaseState, RecordedFact
from mediation.case.values import Irregularity, Matter, Phase
from mediation.codes import table
from mediation.errors import NotAllowedNow
from mediation.network import NetworkState
from mediation.privacy import Personal
from tests.examples import COMMANDS
from tests.model.life import FREE_DAYS, LEAD_DAYS, MOST, NUMBERS, Office, begun
from tests.model.steps import BODIES, Dice, facts_of, step
from tests.model.walk import Walk, require_agreement
from tests.scenario import NETWORK, START, STEPS, closed, moment

LATEST = 45
"""How many days after registration everything is typed in; what happened lies around these days."""

ROWS = st.lists(st.tuples(NUMBERS, st.integers(-10, LATEST)), min_size=10, max_size=25)
MOST_SEEDS = 300
EXAMPLES = {Matter.DEMAND: 75, Matter.AID: 75, Matter.DISPUTE: 150}
OFTEN = (
    "record-demand-answer",
    "record-oral-agreement",
    "record-session",
    "record-transfer-sheet",
    "sign-agreement",
) * 3
"""What has flaws that are rare."""

LATER = {"unnamed-witness", "unidentified-party"}
"""Flaws that no fact of the core has."""


def without_oral(network: NetworkState) -> NetworkState:
    """Give the network of bodies that may not record oral agreements."""
    for body in network.bodies.values():
        capacities = tuple(msgspec.structs.replace(it, oral_ok=False) for it in body.capacities)
        network = network.with_body(msgspec.structs.replace(body, capacities=capacities))
    return network


def started(matter: Matter, dice: Dice) -> Office:
    """Give a case in any phase, or one registered at a body that was closed that day."""
    workers = dice.of((1, 2, 10))
    if dice.often():
        phases = (*STEPS[matter], *([Phase.SIGNING] * 6 if matter is Matter.DISPUTE else ()))
        office = begun(matter, dice.of(phases), dice.of(BODIES), "no", ("workers", workers)).again()
        return office.given(COMMANDS["add-party"](office)) if dice.often() else office
    office = Office(network=closed(without_oral(NETWORK), "hengjie", date(2026, 3, 1)))
    office.registered(matter_kind=matter, workers=workers)
    return office


def flaws_of(events: Iterable[Any]) -> list[Irregularity]:
    """List what was irregular about the facts of a history, in the order of recording."""
    return [
        Irregularity(event.event_id, code)
        for event in events
        if isinstance(event, RecordedFact)
        for code in event.irregularities
    ]


def typed_in(office: Office, dice: Dice, day: int) -> None:
    """Type one fact in that happened on some day, and see that it stands as it was told."""
    facts = facts_of(Matter(office.case.matter_kind))
    names = (*facts, *(name for name in OFTEN if name in facts))
    command = step(dice.of(names), office, dice)
    if command is None:
        return
    happened_at = moment(START) + timedelta(days=day, hours=day % 8)
    late = (day_of(office.now) - day_of(happened_at)).days
    for event in office.do(msgspec.structs.replace(command, occurred_at=happened_at)):
        is_told = isinstance(event, RecordedFact)
        assert not is_told or event.occurred_at == happened_at, "told of another time"
        assert event.decided_at == office.now
        assert len(event.approved_by_ids) == (late > FREE_DAYS) + (late > LEAD_DAYS)


def cured(office: Office, number: int) -> None:
    """Cure what is irregular, one flaw after the other in any order, until nothing is left."""
    dice = Dice(number)
    while office.case.irregularities:
        before = office.case.irregularities
        flaw = dice.of(before)
        cure = CureIrregularity(
            event_id=flaw.event_id,
            code=flaw.code,
            cure="explained",
            explanation=Personal("已作说明。"),
        )
        office.do(cure)
        assert office.case.irregularities == tuple(it for it in before if it != flaw)
        with pytest.raises(NotAllowedNow):
            office.decide(cure)


def require_sums(case: CaseState, events: Iterable[Any]) -> None:
    """Hold what was paid to what became of it: by the case, by the line and by the obligation."""
    paid: Counter[Any] = Counter()
    for event in events:
        if isinstance(event, ObligationPerformed):
            paid[event.line_id] += event.paid_fen
    stands: Counter[Any] = Counter()
    for it in case.payments:
        assert 0 <= it.applied_fen <= it.obligation.agreed_fen
        assert it.surplus_fen == 0 or it.is_performed
        stands[it.obligation.line_id] += it.applied_fen + it.surplus_fen
    assert +paid == +stands, "what was paid is not what stands as paid"


def lived(matter: Matter, number: int, rows: Iterable[tuple[int, int]]) -> Counter[str]:
    """Type a history in, cure it, and give the flaws that it had."""
    office = started(matter, Dice(number))
    office.now = moment(START) + timedelta(days=LATEST, hours=8)
    for turn, (chance, day) in enumerate(rows):
        typed_in(office, Dice(chance, turn), day)
        assert list(office.case.irregularities) == flaws_of(office.events), "not all is listed"
    flaws = flaws_of(office.events)
    cured(office, number)
    require_sums(office.case, office.events)
    walk = Walk()
    walk.through(office.events)
    require_agreement(walk, office.case)
    return Counter(it.code for it in flaws)


def generated(matter: Matter, examples: int, **more: Any) -> Counter[str]:
    """Let chance write histories of a kind of matter, and count their flaws."""
    found: Counter[str] = Counter()

    @settings(max_examples=examples, deadline=None, **more)
    @given(number=NUMBERS, rows=ROWS)
    def write(number, rows):
        found.update(lived(matter, number, rows))

    write()
    return found


def lived_by_seed(matter: Matter, seed: int) -> Counter[str]:
    """Type in a history that is made of a seed alone, the same each time."""
    chance = Random(seed)
    rows = [(chance.randrange(MOST), chance.randint(-10, LATEST)) for _ in range(20)]
    return lived(matter, chance.randrange(MOST), rows)


def test_any_paper_history_can_be_typed_in():
    """Facts in any order, of any day: all accepted, every kind of flaw listed, cured, and paid."""
    found: Counter[str] = Counter()
    wanted = set(table("irregularities")) - LATER
    # What has to be reached does not hang on how the numbers are drawn.
    for seed in range(MOST_SEEDS):
        if not wanted - set(found):
            break
        for matter in Matter:
            found += lived_by_seed(matter, seed)
    for matter, examples in EXAMPLES.items():
        found += generated(matter, examples)
    print(f"\n{found.total()} flaws, the rarest {min(found.values())} times")  # noqa: T201

    assert set(found) == wanted


def test_a_flaw_that_is_not_listed_is_found(monkeypatch):
    """The comparison goes red when one evolution forgets what was irregular."""
    fold_it = kernel._EVOLUTIONS[SessionHeld]
    monkeypatch.setitem(
        kernel._EVOLUTIONS,
        SessionHeld,
        lambda case, event: fold_it(case, msgspec.structs.replace(event, irregularities=())),
    )
    with pytest.raises(AssertionError, match="not all is listed"):
        generated(Matter.DISPUTE, 100, database=None, phases=[Generating.generate])


def test_a_payment_that_is_lost_is_found():
    """The sums go red when a fen is missing."""
    office = begun(Matter.DISPUTE, Phase.PERFORMING, "hengjie", "no", ("workers", 2)).again()
    office.given(office.payment(0, fen=100_050), office.payment(1, fen=30_000))
    require_sums(office.case, office.events)
    short = tuple(msgspec.structs.replace(it, surplus_fen=0) for it in office.case.payments)

    with pytest.raises(AssertionError, match="what was paid"):
        require_sums(msgspec.structs.replace(office.case, payments=short), office.events)
