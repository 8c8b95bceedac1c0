"""What holds for every command and every event of a case, whatever chapter it stands in."""

from copy import deepcopy
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediation.case.state import CaseState, Phase, case_stream
from mediation.errors import MediationError, Unsafe
from mediation.kernel import commands, decode, encode, evolve, fold, handled
from tests.scenario import CASE_ID, COMMANDS, Scenario, in_phase, seal, stored_again

FACTS = sorted(name for name in COMMANDS if commands()[name].command_type.is_fact)
DECISIONS = sorted(set(COMMANDS) - set(FACTS))


def with_everything_to_record(phase):
    """Bring a case into a phase and give it what facts refer to: mediators, an obligation."""
    scenario = in_phase(phase)
    if not scenario.case.payments:
        scenario.do(scenario.promise())
    return scenario


def test_the_examples_are_all_the_commands_of_a_case():
    """A new command has to be tried in every phase here too."""
    own = {n for n, it in commands().items() if it.command_type.stream_kind == "case"}

    assert set(COMMANDS) == own - {"register-case"}


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize(
    "name", [n for n in FACTS if n not in ("confirm-assignment", "decline-assignment")]
)
def test_a_recorded_fact_is_never_refused(name, phase):
    """Any well-formed paper history can be typed in, also while a move is pending."""
    scenario = with_everything_to_record(phase)
    if phase is Phase.CLOSED:
        assert scenario.do(COMMANDS[name](scenario))
        return
    scenario.do(
        scenario.move("catering", "TRANSFER", "other-branch")
        if phase is Phase.PERFORMING
        else scenario.move("dongcheng")
    )
    assert scenario.do(COMMANDS[name](scenario))


@pytest.mark.parametrize(
    "phase", [Phase.ASSIGNED, Phase.MEDIATING, Phase.PERFORMING, Phase.FAILED, Phase.CLOSED]
)
@pytest.mark.parametrize("name", ["confirm-assignment", "decline-assignment"])
def test_an_assigned_mediators_answer_is_never_refused(name, phase):
    """Wherever mediators are assigned their answer is recorded; it moves only ASSIGNED."""
    scenario = in_phase(phase)
    (answered,) = scenario.do(COMMANDS[name](scenario))
    to = {"confirm-assignment": Phase.MEDIATING, "decline-assignment": Phase.ACCEPTED}

    assert answered.phase is (to[name] if phase is Phase.ASSIGNED else phase)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_case_that_was_never_registered_takes_no_command(name):
    """There is nothing to decide or to record about; the door says so before."""
    example = COMMANDS[name](with_everything_to_record(Phase.MEDIATING))
    empty = Scenario()
    with pytest.raises(MediationError):
        empty.do(example)

    assert empty.events == ()


@pytest.mark.parametrize("phase", list(Phase))
def test_deciding_is_pure(phase):
    """The same state, command and facts give the same decision, and nothing is altered by it."""
    scenario = with_everything_to_record(phase)
    if scenario.case.lead_mediator_id is None:
        names = [n for n in COMMANDS if not n.endswith("-assignment")]
    else:
        names = list(COMMANDS)
    for name in names:
        command = COMMANDS[name](scenario)
        facts, state = scenario.facts(command), scenario.case
        before = repr((state, command, facts))
        outcomes: list[object] = []
        for _ in range(2):
            try:
                outcomes.append(handled(command).decide(state, command, facts))
            except MediationError as error:
                outcomes.append((type(error), error.detail))

        assert outcomes[0] == outcomes[1]
        assert repr((state, command, facts)) == before


@pytest.mark.parametrize("phase", list(Phase))
def test_every_event_goes_to_the_case_and_carries_what_the_door_told(phase):
    """Envelope and stream are the door's; the event's id is the one its due dates name."""
    scenario = with_everything_to_record(phase)
    ids = [event.event_id for event in scenario.events]

    assert set(scenario.log) >= {case_stream(CASE_ID)}
    assert len(set(ids)) == len(ids)
    assert {event.district for event in scenario.events} == {"370102"}
    assert {"phase", "due", "due_ended"} < set(scenario.events[0].__struct_fields__)
    for event in scenario.events:
        for due in event.due:
            assert due.start_event_id == str(event.event_id)


@pytest.mark.parametrize("phase", list(Phase))
def test_a_case_is_the_same_after_it_was_stored(phase):
    """Folding does not care whether personal data is there, sealed or gone for good."""
    scenario = with_everything_to_record(phase)
    sealed = tuple(seal(event) for event in scenario.events)
    stored = stored_again(scenario.events)

    assert stored == sealed
    assert fold(CaseState(), stored) == fold(CaseState(), sealed)
    assert seal(scenario.case) == fold(CaseState(), stored)


def test_a_case_stays_with_the_very_ladder_it_was_registered_under():
    """A ladder that is missing, or whose bytes changed, stops the decision."""
    scenario = in_phase(Phase.MEDIATING)
    move = scenario.move("dongcheng")
    facts = scenario.facts(move)
    altered = msgspec.structs.replace(scenario.ladder, digest="sha256:0")
    for ladders in ({}, {scenario.ladder.ref: altered}):
        with pytest.raises(Unsafe) as caught:
            handled(move).decide(
                scenario.case, move, msgspec.structs.replace(facts, ladders=ladders)
            )
        assert caught.value.code == "ladder-altered"


@cache
def pool():
    """Give one stored event of as many kinds as there are, from cases in every phase."""
    found = {}
    for phase in Phase:
        scenario = with_everything_to_record(phase)
        for name, example in COMMANDS.items():
            try:
                scenario.do(example(scenario))
            except (MediationError, IndexError):
                assert name in COMMANDS
        found.update({(event.topic, phase): event for event in stored_again(scenario.events)})
    return tuple(found.values())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(range(len(pool()))), max_size=40))
def test_folding_never_raises_whatever_came_before(indexes):
    """Evolutions are total: no order of events, however absurd, stops a replay."""
    state = CaseState()
    for version, index in enumerate(indexes, start=1):
        event = pool()[index]
        again = decode(event.topic, encode(event))
        before = deepcopy(state)
        state, untouched = evolve(state, again), state

        assert untouched == before
        assert (state.version, state.phase) == (version, event.phase)
