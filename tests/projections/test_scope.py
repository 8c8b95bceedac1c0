"""Nobody sees a case in a list that he does not see by itself, and the other way round."""

import random
from datetime import date
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from mediation.authority import Scope, Visibility
from mediation.network.accounts import Grant, Role
from projections.base import reading, visible
from projections.deadlines import Deadlines
from tests.projections.district import CLERKS, LONG_AGO, MEDIATORS, PATHS
from tests.projections.histories import Office, append

TODAY = date(2026, 3, 30)
SCOPES = 250


def scopes(seed: int) -> list[Scope]:
    """Make up actors with grants of every role at every body, some of them no longer in force."""
    dice = random.Random(seed)
    actors = [*MEDIATORS.values(), *CLERKS.values()]
    made = []
    for _ in range(SCOPES):
        bodies = dice.choices(list(PATHS), k=dice.randint(0, 3))
        grants = [
            Grant(
                role=dice.choice(list(Role)),
                body_id=body_id,
                path=PATHS[body_id],
                from_on=LONG_AGO,
                until_on=dice.choice((None, None, None, date(2026, 3, 1))),
            )
            for body_id in bodies
        ]
        made.append(Scope(grants, actor_id=dice.choice(actors), on=TODAY))
    return made


@pytest.fixture(scope="module")
def lived() -> Office:
    """A month of chance; every case was filed by the clerk of the body that had it first."""
    return Office(seed=5).stories().live(300, registering=0.15)


@pytest.fixture
def office(lived, log, followers) -> Office:
    """That month in a log, with every read model up to its end."""
    append(log, lived.written)
    for follower in followers:
        follower.catch_up()
    return lived


def test_a_list_shows_what_the_scope_sees(office, store, case_file):
    """The SQL condition and the predicate on the state agree for every case and every actor."""
    seen = dict.fromkeys(Visibility, 0)
    with reading(store) as connection:
        for scope in scopes(seed=1):
            expected = {}
            for case_id, case in office.cases.items():
                visibility = scope.sees(case)
                seen[visibility] += 1
                if visibility is not Visibility.NONE:
                    expected[case_id] = visibility.value
            page = case_file.page(connection, scope, limit=1000)

            assert {it["case_id"]: it["visibility"] for it in page.items} == expected
    assert all(seen.values())


def assert_sql_agrees(office, store, case_file, **forgotten) -> None:
    """Compare the SQL condition with the predicate, forgetting a part of the scope on purpose."""
    with reading(store) as connection:
        for scope in scopes(seed=1):
            where = msgspec.structs.replace(scope.where(), **forgotten)
            query = sa.select(case_file.case.c.case_id).where(visible(where, case_file.case))
            assert set(connection.scalars(query)) == {
                case_id
                for case_id, case in office.cases.items()
                if scope.sees(case) is not Visibility.NONE
            }


def test_a_condition_that_forgets_a_part_of_the_scope_is_found(office, store, case_file):
    """Without former bodies, receivers or the assigned, SQL and predicate no longer agree."""
    assert_sql_agrees(office, store, case_file)
    for forgotten in ({"former_paths": ()}, {"receiver_prefixes": ()}, {"assigned_id": None}):
        with pytest.raises(AssertionError):
            assert_sql_agrees(office, store, case_file, **forgotten)


def test_a_worklist_shows_work_in_scope_in_full_and_coming_cases_masked(office, store, worklist):
    """At hand is what somebody sees whole; of a coming case he sees the summary alone."""
    at_hand = coming = 0
    with reading(store) as connection:
        for scope in scopes(seed=2):
            page = worklist.lane(connection, scope, None, today=TODAY, limit=1000)
            working = msgspec.structs.replace(
                scope.where(), former_paths=(), receiver_prefixes=(), filed_by_id=None
            )
            items = {it["case_id"] for it in page.items}
            full = {
                case_id
                for case_id, case in office.cases.items()
                if scope.sees(case) is Visibility.FULL and case.phase != "CLOSED"
            }
            assert items <= full
            # A liaison officer sees what he filed in the register of cases; it is not his work.
            for case_id in full - items:
                assert office.cases[case_id].filed_by_id == scope._actor_id
                assert not office.cases[case_id].custody_path.startswith(working.custody_prefixes)
            at_hand += len(items)
            for it in worklist.lane(connection, scope, "incoming", today=TODAY, limit=99).items:
                case = office.cases[it["case_id"]]
                assert scope.sees(case) in (Visibility.RECEIVER, Visibility.FULL)
                assert it["body_id"] == case.receiver_body_id
                assert not it.keys() & {"phase", "cause", "claimed_fen", "assigned_ids"}
                coming += 1
    assert at_hand
    assert coming


def test_dates_are_those_of_the_cases_somebody_works_on(office, store, deadlines):
    """All of what he sees whole; of a coming case the receiver's one; of all others none."""
    whole = coming = 0
    with reading(store) as connection:
        for scope in scopes(seed=4):
            found: dict[UUID, set[str]] = {}
            for it in deadlines.page(connection, scope, today=TODAY, limit=10_000).items:
                found.setdefault(it["case_id"], set()).add(it["key"])
            for case_id, case in office.cases.items():
                seen, keys = scope.sees(case), found.get(case_id, set())
                # A liaison officer sees what he filed; the dates are no business of his.
                if seen is Visibility.FULL and is_work(scope, case):
                    assert keys == case.due.keys()
                    whole += bool(keys)
                elif seen is Visibility.RECEIVER:
                    assert keys == {"D12"}
                    coming += 1
                else:
                    assert keys == set()
    assert whole
    assert coming


def is_work(scope: Scope, case) -> bool:
    """Say whether somebody has a case below his body or is assigned to it."""
    where = scope.where()
    is_assigned = where.assigned_id is not None and UUID(where.assigned_id) in case.mediator_ids
    return is_assigned or case.custody_path.startswith(where.custody_prefixes)


def test_a_broken_scope_of_dates_is_found(office, store, deadlines):
    """Shown to every receiver, the sender's own dates of a coming case would be seen."""

    class TellsReceivers(Deadlines):
        def _for(self, scope):
            return visible(scope.where(), self.item)

    broken = TellsReceivers()
    with pytest.raises(AssertionError):
        test_dates_are_those_of_the_cases_somebody_works_on(office, store, broken)


def test_counts_are_the_lengths_of_the_lists(office, store, worklist):
    """A count is of the rows that the same actor is shown."""
    with reading(store) as connection:
        for scope in scopes(seed=3)[:15]:
            counts = worklist.counts(connection, scope, today=TODAY)
            for lane, levels in counts.lanes.items():
                page = worklist.lane(connection, scope, lane, today=TODAY, limit=1000)
                by_level: dict[str, int] = {}
                for it in page.items:
                    by_level[it["level"]] = by_level.get(it["level"], 0) + 1
                assert levels == by_level
