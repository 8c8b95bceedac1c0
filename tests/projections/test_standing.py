"""What read models copy from events is what the case is, at every step of a case's life."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from mediation.authority import columns_of
from mediation.case.consent import RefuseCase
from mediation.case.custody import AcceptCustody, RequestCustodyMove
from mediation.case.lifecycle import is_owed, open_duties
from mediation.kernel import events, evolve, initial_state, kind_of
from mediation.ladder import MoveKind
from mediation.privacy import Personal
from projections.base import scope_values
from projections.folding import commands
from projections.standing import Standing, restored, stored
from tests.projections.histories import Office, recorded
from tests.scenario import lapse_of


@pytest.fixture(scope="module")
def lived() -> Office:
    """An office in which chance has done two thousand things."""
    return Office(seed=11).stories().live(2000)


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


def test_a_second_term_is_not_lapsed_because_the_first_was():
    """Refused after the lapse, taken up above as a fresh application: a new term runs."""
    office = Office()
    case_id = office.register()
    office.at += timedelta(days=20)
    office.do(lapse_of(office.cases[case_id].term), case_id)
    office.do(RefuseCase(reason_code="duplicate"), case_id)
    assert office.cases[case_id].term_lapsed
    climb = RequestCustodyMove(
        kind=MoveKind.ESCALATE,
        to_body_id="xicheng",
        ground="not-accepted",
        summary=Personal("案情"),
        applicant_wish=True,
    )
    office.do(climb, case_id)
    office.do(AcceptCustody(), case_id, body_id="xicheng")
    assert not office.cases[case_id].term_lapsed

    assert_follows(office)


def test_a_committees_own_term_is_kept_until_its_end_is_on_record():
    """It is the committee's that accepted, not the next body's, and lapses once."""
    office = Office()
    case_id = office.register("meiduo")
    office.accept(case_id)
    office.at += timedelta(days=20)
    own = office.cases[case_id].own_term
    assert own is not None
    office.do(lapse_of(own), case_id)
    assert office.cases[case_id].own_term is None

    assert_follows(office)


@pytest.mark.parametrize(
    "field",
    [
        "due",
        "due_ended",
        "owed_to_ids",
        "superseded_ids",
        "irregularities",
        "agreed_ids",
        "lines",
    ],
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
    assert list(standing.applicants) == [it.party_id for it in case.applicants]
    assert list(standing.respondents) == [it.party_id for it in case.respondents]
    assert tuple(standing.mediator_ids) == case.mediator_ids
    assert frozenset(standing.counsel_ids) == case.counsel_ids
    assert standing.workers == case.workers
    assert frozenset(standing.flags) == case.flags
    assert standing.risk == case.risk
    assert standing.answers == {key: it.value for key, it in case.consents.items()}
    assert {key: msgspec.structs.asdict(it) for key, it in standing.due.items()} == {
        key: msgspec.structs.asdict(it) for key, it in case.due.items()
    }
    assert standing.term == (standing.due[case.term.key] if case.term else None)
    assert standing.term_lapsed == case.term_lapsed
    assert standing.own_term == (standing.due[case.own_term.key] if case.own_term else None)
    assert frozenset(standing.owed_ids) == case.remedies_owed_ids
    assert standing.acceptance_open == case.acceptance_open
    assert standing.acceptance_no == case.acceptance_no
    assert standing.outcome == (case.outcome.value if case.outcome else None)
    assert standing.claimed_fen == case.claimed_fen
    assert standing.agreed_fen == sum(it.obligation.agreed_fen for it in case.payments)
    assert standing.applied_fen == sum(it.applied_fen for it in case.payments)
    assert standing.irregularities == [(it.event_id, it.code) for it in case.irregularities]
    assert_same_move(standing.move, case)
    assert_same_draft(standing, case)
    assert (standing.demand_answer, standing.is_fed_back) == (case.demand_answer, case.is_fed_back)
    assert standing.proceedings == [it.proceeding_id for it in case.proceedings if it.is_open]
    assert standing.has_taken_effect == case.has_taken_effect
    assert standing.is_owed == is_owed(case)
    assert standing.has_open_duty == bool(open_duties(case))
    assert list(standing.obligations) == [it.obligation.obligation_id for it in case.payments]
    assert [it.is_paid for it in standing.obligations.values()] == [
        it.is_performed for it in case.payments
    ]


def assert_same_move(move, case) -> None:
    """Compare a pending move with that of the state of the same case."""
    assert (move is None) == (case.move is None)
    if move is not None:
        assert (move.kind, move.ground) == (case.move.kind.value, case.move.ground)
        assert (move.from_body_id, move.from_level) == (case.custody_body_id, case.level)
        assert (move.to_body_id, move.to_level) == (case.move.to_body_id, case.move.to_level)
        assert (move.to_path, move.asked_at) == (case.move.to_path, case.move.requested_at)


def assert_same_draft(standing, case) -> None:
    """Compare a draft with that of the state of the same case."""
    draft = standing.draft
    assert (draft is None) == (case.draft is None)
    if draft is not None:
        assert (draft.passed, draft.is_sealed) == (
            case.draft.passed_at is not None,
            case.draft.is_sealed,
        )
        assert (draft.seal_body_id, case.sealing_body_id) == (case.sealing_body_id,) * 2


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
