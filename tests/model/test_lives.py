"""Random lives of a case of every kind: whatever the office tries, what must hold holds."""

import pytest
from hypothesis import Phase as Generating
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from mediation import kernel
from mediation.case.performance import ObligationPerformed
from mediation.case.values import Matter
from mediation.kernel import commands, events
from tests.examples import COMMANDS
from tests.model.life import Tally, life_of, live_by_seed
from tests.model.steps import VARIED, names_of
from tests.scenario import STANDARD

pytestmark = pytest.mark.long

STEPS = 30
MOST_SEEDS = 300
REASONS = 15
"""Kinds of refusal that the lives of each matter have to meet, at the least."""

LIVES = {Matter.DISPUTE: 280, Matter.DEMAND: 140, Matter.AID: 140}
ELSEWHERE = {
    Matter.DISPUTE: {
        "aid-granted",
        "aid-refused",
        "contract-change-confirmed",
        "counsel-appointed",
        "demand-answered",
        "demand-fed-back",
        "demand-relayed",
    },
    Matter.DEMAND: {
        "aid-granted",
        "aid-refused",
        "counsel-appointed",
        "obligations-set",
        "proceeding-opened",
        "proceeding-updated",
        "remedy-route-taken",
    },
    Matter.AID: {
        "contract-change-confirmed",
        "demand-answered",
        "demand-fed-back",
        "demand-relayed",
    },
}
"""Events that belong to the tracks of others, beside those of mediation."""

OF_MEDIATION = {
    "accepted",
    "agreement-drafted",
    "agreement-legality-checked",
    "agreement-sealed",
    "agreement-signed",
    "agreement-took-effect",
    "assignment-confirmed",
    "assignment-declined",
    "consent-asked",
    "consent-recorded",
    "consent-withdrawn",
    "mediation-concluded",
    "mediation-failed",
    "mediators-assigned",
    "not-accepted",
    "oral-agreement-recorded",
    "session-held",
    "settlement-recorded",
    "statutory-term-lapsed",
    "term-extended",
    "undertaking-given",
}


def kinds_of_events() -> set[str]:
    """Name the events of a case, without stream and version."""
    names = (topic.partition("/")[0] for topic in events())
    return {it.removeprefix("case.") for it in names if it.startswith("case.")}


def expected(matter: Matter) -> set[str]:
    """Name the events that the lives of a kind of matter have to reach."""
    foreign = ELSEWHERE[matter] | (OF_MEDIATION if matter is not Matter.DISPUTE else set())
    return kinds_of_events() - foreign


def unreached(tally: Tally, matter: Matter) -> set[str]:
    """Name the events, commands and levels that chance has not come to."""
    seen = {topic.removeprefix("case.").partition("/")[0] for topic in tally.topics}
    assert seen <= expected(matter)
    levels = {level.code for level in STANDARD.levels}
    return (
        (expected(matter) - seen)
        | (set(names_of(matter)) - set(tally.tried))
        | (levels - set(tally.levels))
    )


@pytest.mark.parametrize("matter", LIVES)
def test_whatever_the_office_tries_what_must_hold_holds(matter):
    """Invariants, replay and read model agree with the live state at every version."""
    life = life_of(matter)
    # What has to be reached does not hang on how the numbers are drawn.
    for seed in range(MOST_SEEDS):
        if not unreached(life.tally, matter) and len(life.tally.refusals) >= REASONS:
            break
        live_by_seed(life, seed, STEPS)
    run_state_machine_as_test(
        life,
        settings=settings(max_examples=LIVES[matter], stateful_step_count=STEPS + 1, deadline=None),
    )
    tally = life.tally
    print(f"\n{matter}: {tally}")  # noqa: T201 - the figures that are quoted

    assert unreached(tally, matter) == set()
    assert tally.lives >= LIVES[matter]
    assert tally.steps >= LIVES[matter] * STEPS * 0.95
    assert tally.share() >= 0.3
    assert tally.share(facts=False) >= 0.3
    assert len(tally.refusals) >= REASONS


def test_every_command_of_a_case_is_tried():
    """A new command, or a new event, has to be lived too."""
    tried = {name for matter in Matter for name in names_of(matter)}
    own = {n for n, it in commands().items() if it.command_type.stream_kind == "case"}
    creating = {n for n, it in commands().items() if it.command_type.creates}

    assert tried == set(COMMANDS) == own - creating
    assert set(VARIED) <= tried
    assert set.union(*(expected(matter) for matter in Matter)) == kinds_of_events()


def test_a_life_that_goes_wrong_is_found(monkeypatch):
    """The whole machine has teeth: with one evolution broken, chance comes upon it at once."""
    monkeypatch.setitem(
        kernel._EVOLUTIONS, ObligationPerformed, lambda case, event: case.with_(event)
    )
    with pytest.raises(AssertionError, match="otherwise"):
        run_state_machine_as_test(
            life_of(Matter.DISPUTE),
            settings=settings(max_examples=100, database=None, phases=[Generating.generate]),
        )
