"""What read models copy from events is what the case is, at every step of a case's life."""

from typing import Any
from uuid import UUID

import pytest

from mediation.authority import columns_of
from mediation.case.lifecycle import open_duties
from mediation.kernel import events, evolve, initial_state, kind_of
from projections.base import scope_values
from projections.standing import Standing, commands, restored, stored
from tests.projections.histories import Office, recorded


@pytest.fixture(scope="module")
def lived() -> Office:
    """An office in which chance has done a thousand and a half things."""
    return Office(seed=11).stories().live(1500)


def assert_follows(office: Office, **forgotten: Any) -> None:
    """Compare every standing with the state that decisions see, after every command."""
    states: dict[UUID, Any] = {}
    steps = commands(recorded(office, **forgotten), lambda _ids: {})
    for written, (_end, touched) in zip(office.written, steps, strict=True):
        for it in written:
            before = states.get(it.originator_id, initial_state(kind_of(it.event.topic)))
            states[it.originator_id] = evolve(before, it.event)
        for case_id, standing in touched.items():
            assert_same(standing, states[case_id])


def test_a_standing_says_what_the_case_is_after_every_command(lived):
    """Phase, custody, dates, debts, duties and scope equal the state that decisions see."""
    assert_follows(lived)


@pytest.mark.parametrize(
    "field", ["due", "due_ended", "owed_to_ids", "superseded_ids", "irregularities", "agreed_ids"]
)
def test_a_standing_that_misses_part_of_an_event_is_found(lived, field):
    """The proof above goes red when one field of the events is left out of the fold."""
    with pytest.raises(AssertionError):
        assert_follows(lived, **{field: ()})


def assert_same(standing: Standing, case) -> None:
    """Compare a standing with the state of the same case."""
    assert standing.version == case.version
    assert standing.phase == case.phase.value
    assert (standing.level, standing.branch) == (case.level, case.branch)
    assert standing.custody_body_id == case.custody_body_id
    assert scope_values(standing) == tuple(
        getattr(columns_of(case), name)
        for name in ("custody_path", "assigned", "receiver_path", "former", "filed_by_id")
    )
    assert standing.workers == case.workers
    assert frozenset(standing.flags) == case.flags
    assert standing.risk == case.risk
    assert standing.answers == {key: it.value for key, it in case.consents.items()}
    assert {code: (it.due_on, it.rolled_on) for code, it in standing.due.items()} == {
        code: (it.due_on, it.rolled_on) for code, it in case.due.items()
    }
    assert frozenset(standing.owed_ids) == case.remedies_owed_ids
    assert standing.acceptance_open == case.acceptance_open
    assert standing.acceptance_no == case.acceptance_no
    assert standing.outcome == (case.outcome.value if case.outcome else None)
    assert standing.claimed_fen == case.claimed_fen
    assert standing.agreed_fen == sum(it.obligation.agreed_fen for it in case.payments)
    assert standing.applied_fen == sum(it.applied_fen for it in case.payments)
    assert standing.irregularities == len(case.irregularities)
    assert (standing.move is None) == (case.move is None)
    assert standing.has_taken_effect == case.has_taken_effect
    assert standing.has_open_duty == bool(open_duties(case))
    assert list(standing.obligations) == [it.obligation.obligation_id for it in case.payments]
    assert [it.is_paid for it in standing.obligations.values()] == [
        it.is_performed for it in case.payments
    ]


def test_a_standing_survives_being_stored(lived):
    """What is read back from a row is what was written, down to the order of what it holds."""
    last = {}
    for _end, touched in commands(recorded(lived), lambda _ids: {}):
        last.update(touched)

    assert len(last) > 50
    for standing in last.values():
        assert restored(stored(standing)) == standing
        assert stored(restored(stored(standing))) == stored(standing)


def test_the_history_of_chance_covers_the_events_of_a_case(lived):
    """The proofs above speak of every event a case can have."""
    seen = {it.event.topic for written in lived.written for it in written}
    cases = {event.topic for event in events().values() if event.topic.startswith("case.")}

    assert cases - seen == set()


def test_an_event_of_a_case_that_was_never_registered_is_an_error(lived):
    """A fold does not invent a case; the follower sets the stream aside."""
    later = [it for it in recorded(lived) if it.originator_version > 1]

    with pytest.raises(LookupError):
        list(commands(later, lambda _ids: {}))
