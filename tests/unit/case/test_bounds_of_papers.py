"""How much one paper, and all papers of one case, may promise: enough for an office, no more."""

from __future__ import annotations

from datetime import date, timedelta

from mediation.case.intake import LineEntry, PartyEntry
from mediation.case.performance import MOST_PER_PAPER, ObligationEntry
from mediation.case.values import Phase
from mediation.errors import Malformed
from mediation.privacy import Personal
from tests.scenario import Scenario, in_phase

FIRST = date(2026, 3, 20)


def a_case(lines: int, workers: int = 1) -> Scenario:
    """Play a case with so many claims up to its mediation."""
    claims = tuple(
        LineEntry(applicant=at % workers, cause="C13", claimed_fen=100_000) for at in range(lines)
    )
    people = tuple(PartyEntry(role="WORKER", name=Personal(f"职工{at}")) for at in range(workers))
    return (
        in_phase(Phase.REGISTERED, lines=claims, applicants=people).agreed().accepted().mediating()
    )


def entries(told: Scenario, *, of: range, each: int, first: int = 0) -> tuple[ObligationEntry, ...]:
    """Promise instalments on these lines, one every day from the `first` on."""
    lines = [told.case.lines[at] for at in of]
    return tuple(
        ObligationEntry(
            line_id=line.line_id, agreed_fen=1, due_on=FIRST + timedelta(days=first + nth)
        )
        for line in lines
        for nth in range(each)
    )


def refused_at(told: Scenario) -> tuple[str, str]:
    """Give where and why the last command was malformed."""
    assert isinstance(told.refusal, Malformed)
    (fault,) = told.refusal.faults
    return fault.pointer, fault.code


def test_thirty_four_workers_with_two_claims_in_monthly_parts_fit_in_one_paper():
    """A year of instalments on every claim; the paper is recorded, with a check for each day."""
    told = a_case(68, workers=34)
    (event, *_) = told.do(told.settlement(obligations=entries(told, of=range(68), each=12)))

    assert len(event.obligations) == 816 <= MOST_PER_PAPER


def test_a_paper_promises_no_more_than_a_thousand_things_on_two_hundred_days():
    """Also where no form was decoded, as on a composite: one more is refused."""
    told = a_case(51)
    fits = entries(told, of=range(20), each=50)
    told.when(told.settlement(obligations=(*fits, *entries(told, of=range(20, 21), each=1))))
    told.then_refused("malformed")
    assert refused_at(told) == ("/obligations", "length")
    days = tuple(
        one
        for at in range(4)
        for one in entries(told, of=range(at, at + 1), each=50, first=50 * at)
    )
    late = entries(told, of=range(5, 6), each=1, first=200)
    told.when(told.settlement(obligations=(*days, *late))).then_refused("too-many-days")
    assert refused_at(told) == ("/obligations", "too-many-days")
    told.do(told.settlement(obligations=days))


def test_all_papers_of_a_case_together_are_bounded_too():
    """Five thousand obligations, a thousand days; a paper on the same claims takes their place."""
    told = a_case(21)
    for nth in range(5):
        days = tuple(
            one
            for at in range(4)
            for one in entries(
                told, of=range(4 * nth + at, 4 * nth + at + 1), each=50, first=200 * nth + 50 * at
            )
        )
        told.do(told.settlement(obligations=days))
    more = entries(told, of=range(20, 21), each=1, first=1000)
    told.when(told.settlement(obligations=more)).then_refused("too-many-days")
    told.do(told.settlement(obligations=entries(told, of=range(20, 21), each=1)))
    told.do(told.settlement(obligations=entries(told, of=range(1), each=1, first=1000)))

    crowd = a_case(101)
    for nth in range(5):
        lines = range(20 * nth, 20 * nth + 20)
        crowd.do(crowd.settlement(obligations=entries(crowd, of=lines, each=50)))
    more = entries(crowd, of=range(100, 101), each=1)
    crowd.when(crowd.settlement(obligations=more)).then_refused("malformed")
    assert refused_at(crowd) == ("/obligations", "length")
