"""What holds of the lanes of any case, after whatever chance has done to it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from mediation.case.lifecycle import available
from mediation.kernel import evolve, initial_state, kind_of
from projections.folding import commands
from projections.lanes import lanes_of
from projections.standing import Standing
from tests.projections.histories import Office, recorded

STEPS = {
    "to-accept",
    "to-ask",
    "to-assign",
    "to-confirm",
    "mediating",
    "to-sign",
    "performing",
    "to-close",
    "to-archive",
}


@pytest.fixture(scope="module")
def lived() -> Office:
    """An office in which chance has done a thousand things."""
    return Office(seed=3).stories().live(1000)


def test_every_case_lies_in_one_lane_of_the_next_step(lived: Office):
    """After every command, in every phase, whatever the matter."""
    for _end, touched in commands(recorded(lived), lambda _ids: {}):
        for case in touched.values():
            assert len(STEPS & set(lanes_of(case))) == 1, (case.phase, case.matter_kind)


def assert_agrees_with_the_life_cycle(
    lived: Office, says_to_close: Callable[[Standing], bool]
) -> None:
    """Compare a lane with what the life-cycle permits, after every command."""
    seen = {True: 0, False: 0}
    states: dict[UUID, Any] = {}
    steps = commands(recorded(lived), lambda _ids: {})
    for written, (_end, touched) in zip(lived.written, steps, strict=True):
        for it in written:
            before = states.get(it.originator_id, initial_state(kind_of(it.event.topic)))
            states[it.originator_id] = evolve(before, it.event)
        for case_id, standing in touched.items():
            state = states[case_id]
            can_close = not available(state)["close-case"] and state.phase != "AIDED"
            assert says_to_close(standing) is can_close, state.phase
            seen[can_close] += 1
    assert min(seen.values()) > 5


def test_a_case_lies_in_to_close_when_it_could_be_closed(lived: Office):
    """The lane and the life-cycle agree after every command; aid is followed up while it lasts."""
    assert_agrees_with_the_life_cycle(lived, lambda case: "to-close" in lanes_of(case))


def test_a_lane_that_forgets_what_is_owed_is_found(lived: Office):
    """The proof above goes red when cases lie in it by their phase alone."""
    ends = ("PERFORMING", "FAILED", "WITHDRAWN", "NOT_ACCEPTED", "IN_PROCEEDINGS", "ANSWERED")
    with pytest.raises(AssertionError):
        assert_agrees_with_the_life_cycle(lived, lambda case: case.phase in ends)
