"""What holds for every command and every event of a case, whatever chapter it stands in."""

from copy import deepcopy
from functools import cache
from typing import Any, get_args, get_type_hints
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediation.case.conclusion import MediationConcluded
from mediation.case.custody import CustodyTaken
from mediation.case.lifecycle import matters_of
from mediation.case.parties import ConfirmCollective
from mediation.case.performance import ObligationsFullyPerformed
from mediation.case.state import CaseState, case_stream
from mediation.case.values import Matter, Phase
from mediation.errors import MediationError, Unsafe
from mediation.kernel import commands, decode, encode, events, evolve, fold, handled
from mediation.ladder import MoveKind
from mediation.privacy import Personal, Unsealed, transform
from tests.examples import COMMANDS, with_everything_to_record
from tests.scenario import (
    CASE_ID,
    PLACES,
    STANDARD,
    Scenario,
    in_phase,
    lapse_of,
    nameless,
    seal,
    stored_again,
)

FACTS = sorted(name for name in COMMANDS if commands()[name].command_type.is_fact)
ANSWERS = ("confirm-assignment", "decline-assignment")
FURTHEST = {
    Matter.DISPUTE: Phase.MEDIATING,
    Matter.DEMAND: Phase.ANSWERED,
    Matter.AID: Phase.IN_PROCEEDINGS,
}


def own(matter, names):
    """Give those of the commands that belong to the track of a matter."""
    return [name for name in names if matter in matters_of(name)]


def test_the_examples_are_all_the_commands_of_a_case():
    """A new command has to be tried in every phase here too."""
    of_case = {n: it for n, it in commands().items() if it.command_type.stream_kind == "case"}

    assert set(COMMANDS) == {n for n, it in of_case.items() if not it.command_type.creates}


@pytest.mark.parametrize(
    ("name", "matter", "phase"),
    [
        (name, matter, phase)
        for matter, phase in PLACES
        for name in own(matter, FACTS)
        if name not in ANSWERS
    ],
)
def test_a_recorded_fact_is_never_refused(name, matter, phase):
    """Any well-formed paper history can be typed in, also while a move is pending."""
    scenario = with_everything_to_record(matter, phase)
    if phase is not Phase.CLOSED:
        scenario.do(scenario.move("catering", MoveKind.TRANSFER, "other-branch"))

    assert scenario.do(COMMANDS[name](scenario))


@pytest.mark.parametrize(
    "phase",
    [
        Phase.ASSIGNED,
        Phase.MEDIATING,
        Phase.SIGNING,
        Phase.PERFORMING,
        Phase.FAILED,
        Phase.CLOSED,
    ],
)
@pytest.mark.parametrize("name", ANSWERS)
def test_an_assigned_mediators_answer_is_never_refused(name, phase):
    """Wherever mediators are assigned their answer is recorded; it moves only ASSIGNED."""
    scenario = in_phase(phase)
    (answered,) = scenario.do(COMMANDS[name](scenario))
    to = {"confirm-assignment": Phase.MEDIATING, "decline-assignment": Phase.ACCEPTED}

    assert answered.phase is (to[name] if phase is Phase.ASSIGNED else phase)


@pytest.mark.parametrize(("matter", "phase"), PLACES)
def test_nothing_of_another_track_is_recorded_or_decided(matter, phase):
    """A demand is never mediated and a dispute never relayed, whoever asks, in whatever phase."""
    scenario = with_everything_to_record(matter, phase)
    for name in sorted(set(COMMANDS) - set(own(matter, COMMANDS))):
        command = COMMANDS[name](scenario)
        if name in ANSWERS:  # nobody is ever assigned to such a matter
            scenario.when(command).then_refused("not-assigned")
        else:
            scenario.when(command).then_refused("wrong-matter")


@pytest.mark.parametrize(("matter", "phase"), PLACES)
def test_every_event_says_where_the_case_was_and_what_it_follows_from(matter, phase):
    """Body and level before it, also of a hand-over; the cause stands in the same history."""
    scenario = with_everything_to_record(matter, phase)
    if phase is not Phase.CLOSED:
        scenario.taken_by("catering", kind=MoveKind.TRANSFER, ground="other-branch")
    body, level = "hengjie", "village-industry"
    for event in scenario.events:
        assert (event.at_body_id, event.at_level) == (body, level)
        if isinstance(event, CustodyTaken):
            assert (event.from_body_id, event.from_level) == (body, level)
            body, level = event.to_body_id, event.to_level
    follows = {event.event_id: event.causation_id for event in scenario.events}
    caused = {id_ for id_ in follows.values() if id_ is not None}
    assert caused <= set(follows)
    for event in scenario.events:
        if isinstance(event, MediationConcluded | ObligationsFullyPerformed):
            assert event.causation_id is not None


def test_a_limit_of_the_ladder_goes_before_the_catalogue():
    """Length, unit and source are those of the file that the case is pinned to."""
    limits = tuple(
        msgspec.structs.replace(it, length=2, unit="cd", source="L-ZJ 10")
        if it.code == "D12"
        else it
        for it in STANDARD.limits
    )
    scenario = Scenario(rungs=msgspec.structs.replace(STANDARD, limits=limits)).registered()
    scenario.given(scenario.move("dongcheng"))
    due = scenario.case.due["D12"]

    assert (due.rule, due.article) == ("2 cd", "L-ZJ 10")
    assert {it.code for it in STANDARD.limits} > {
        *("D05", "D06", "D10", "D16", "D18", "D23", "D24", "D25", "D26")
    }


def twice(value):
    """Name everybody twice who is named in a list of ids, at any depth of a command."""
    if isinstance(value, msgspec.Struct):
        fields = {name: twice(getattr(value, name)) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **fields)
    if isinstance(value, tuple):
        ids = isinstance(value[0], UUID) if value else False
        return value + value if ids else tuple(map(twice, value))
    return value


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_nobody_is_listed_twice(name):
    """Whoever is typed in twice is counted once: person-times are read off these lists."""
    matter = min(matters_of(name))
    told = with_everything_to_record(matter, FURTHEST[matter])
    if name in ("check-legality", "seal-agreement", "sign-and-seal"):
        told.drafted().given(told.check())
    once = told.when(COMMANDS[name](told)).decided or ()
    told = with_everything_to_record(matter, FURTHEST[matter])
    command = twice(COMMANDS[name](told))
    doubled = told.when(command).decided or ()

    for event in doubled:
        for field in event.__struct_fields__:
            value = getattr(event, field)
            if field.endswith("_ids"):
                assert len(set(value)) == len(value), field
    if once and doubled:
        assert list(map(type, once)) == list(map(type, doubled))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_case_that_was_never_registered_takes_no_command(name):
    """There is nothing to decide or to record about; the door says so before."""
    matter = min(matters_of(name))
    example = COMMANDS[name](with_everything_to_record(matter, FURTHEST[matter]))
    empty = Scenario()
    with pytest.raises(MediationError):
        empty.do(example)

    assert empty.events == ()


@pytest.mark.parametrize(("matter", "phase"), PLACES)
def test_deciding_is_pure(matter, phase):
    """The same state, command and facts give the same decision, and nothing is altered by it."""
    scenario = with_everything_to_record(matter, phase)
    for example in COMMANDS.values():
        command = example(scenario)
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


def marked(command):
    """Give a command with a text of its own in every personal field, and those texts."""
    texts = []

    def mark(path, _value):
        texts.append(f"金丝雀{path}")
        return Personal(texts[-1])

    hints = get_type_hints(type(command))
    left_out = {
        field: Personal("空")
        for field in command.__struct_fields__
        if Personal in get_args(hints[field]) and getattr(command, field) is None
    }
    filled = msgspec.structs.replace(command, **left_out)
    return transform(filled, mark, Personal), texts


def texts_in(events):
    """Give what the events hold that is to be sealed."""
    found = set()

    def note(_path, item):
        found.add(item.value)
        return item

    for event in events:
        transform(event, note, Unsealed)
    return found


PERSONAL = [name for name, it in COMMANDS.items() if marked(it(in_phase(Phase.PERFORMING)))[1]]


@pytest.mark.parametrize("name", PERSONAL)
def test_what_is_personal_in_a_command_is_kept_and_kept_sealed(name):
    """Every text that was typed in stands in an envelope of some event, and nowhere else."""
    for matter, phase in PLACES:
        workers = 10 if name == "confirm-collective" else 1
        scenario = with_everything_to_record(matter, phase, workers=workers)
        if name in ("decline-custody", "withdraw-custody-move"):
            scenario.when(scenario.move("catering", MoveKind.TRANSFER, "other-branch"))
        command, texts = marked(COMMANDS[name](scenario))
        scenario.when(command)
        assert "金丝雀" not in f"{scenario.refusal!r} {getattr(scenario.refusal, 'detail', '')}"
        if scenario.decided:
            break

    assert texts_in(scenario.decided) >= set(texts)
    stored = b"".join(encode(seal(event)) for event in scenario.decided)
    assert "金丝雀".encode() not in stored


@pytest.mark.parametrize(("matter", "phase"), PLACES)
def test_every_event_goes_to_the_case_and_carries_what_the_door_told(matter, phase):
    """Envelope and stream are the door's; the event's id is the one its due dates name."""
    scenario = with_everything_to_record(matter, phase)
    ids = [event.event_id for event in scenario.events]

    assert set(scenario.log) >= {case_stream(CASE_ID)}
    assert len(set(ids)) == len(ids)
    assert {event.district for event in scenario.events} == {"370102"}
    assert {"phase", "at_body_id", "at_level", "due", "due_ended"} < set(
        scenario.events[0].__struct_fields__
    )
    for event in scenario.events:
        for due in event.due:
            assert due.start_event_id in (event.event_id, None)


@pytest.mark.parametrize(("matter", "phase"), PLACES)
def test_a_case_is_the_same_after_it_was_stored(matter, phase):
    """Folding does not care whether personal data is there, sealed or gone for good."""
    scenario = with_everything_to_record(matter, phase)
    sealed = tuple(seal(event) for event in scenario.events)
    stored = stored_again(scenario.events)

    assert stored == sealed
    assert fold(CaseState(), stored) == fold(CaseState(), sealed)
    assert nameless(seal(scenario.case)) == nameless(fold(CaseState(), stored))


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


def lives():
    """Give cases in which happened what one command alone brings about nowhere."""
    yield in_phase(Phase.MEDIATING).in_force()
    yield Scenario().registered(workers=10).given(ConfirmCollective())
    yield Scenario().registered().flagged("MEDIA").given(COMMANDS["clear-flag"](Scenario()))
    lapsing = in_phase(Phase.MEDIATING)
    yield lapsing.given(lapse_of(lapsing.term), at="2026-03-18T00:00+08:00")
    moving = Scenario().registered(body_id="factory")
    for to_body_id, kind, ground in (
        ("hq", "REPORT_UP", "statutory-fit"),
        ("hengjie", "ASSIGN_DOWN", "supervised"),
        ("catering", "TRANSFER", "other-branch"),
        ("hengjie", "REROUTE", "wrong-place"),
        ("dongcheng", "ESCALATE", "beyond-means"),
        ("hengjie", "SEND_BACK", "materials-incomplete"),
    ):
        moving.taken_by(to_body_id, kind=MoveKind(kind), ground=ground)
    for name in ("decline-custody", "withdraw-custody-move"):
        moving.given(moving.move("dongcheng"), COMMANDS[name](moving))
    yield moving


@cache
def pool():
    """Give stored events of every kind, from cases in every phase."""
    found: dict[object, Any] = {}
    for matter, phase in PLACES:
        for name in own(matter, COMMANDS):
            scenario = with_everything_to_record(matter, phase)
            try:
                scenario.do(COMMANDS[name](scenario))
            except MediationError:
                continue
            found.update({(it.topic, phase): it for it in stored_again(scenario.events)})
    for scenario in lives():
        found.update({(it.topic, None): it for it in stored_again(scenario.events)})
    return tuple(found.values())


def test_every_kind_of_event_is_folded():
    """What is folded below in any order is all that a case can hold."""
    of_case = {topic for topic in events() if topic.startswith("case.")}

    assert {event.topic for event in pool()} == of_case


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
