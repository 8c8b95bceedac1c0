"""What follows by itself when a date has passed: one command, one key, once and for ever."""

from datetime import date, timedelta

import pytest

from mediation import policies
from mediation.case.term import ExtendTerm, LapseTerm, StatutoryTermLapsed
from mediation.case.values import Phase
from mediation.policies import whenever_a_term_is_over_then_lapse_it
from tests.scenario import CASE_ID, an_id, in_phase

END = date(2026, 3, 17)
START = an_id("what started the term")


def fired_on(scenario):
    """Give what is fired on the present term of a case."""
    term = scenario.term
    return whenever_a_term_is_over_then_lapse_it(
        CASE_ID, term.code, term.due_on, term.start_event_id
    )


def test_a_term_that_is_over_lapses():
    """The command names the term that was seen, on the case it was seen of."""
    fired = whenever_a_term_is_over_then_lapse_it(CASE_ID, "D02", END, START)

    assert (fired.case_id, fired.command) == (
        CASE_ID,
        LapseTerm(code="D02", due_on=END, start_event_id=START),
    )


def test_the_same_term_has_the_same_key_and_others_another():
    """However many processes fire it, it is carried out once; another term is another matter."""
    first = whenever_a_term_is_over_then_lapse_it(CASE_ID, "D02", END, START)

    assert first == whenever_a_term_is_over_then_lapse_it(CASE_ID, "D02", END, START)
    others = [
        whenever_a_term_is_over_then_lapse_it(*seen)
        for seen in (
            (CASE_ID, "D02", END + timedelta(days=1), START),
            (CASE_ID, "D03", END, START),
            (CASE_ID, "D02", END, an_id("another start")),
            (an_id("another case"), "D02", END, START),
        )
    ]
    assert len({it.key for it in (first, *others)}) == 5


def test_a_key_is_one_that_the_door_takes():
    """1 to 128 visible ASCII characters."""
    key = whenever_a_term_is_over_then_lapse_it(CASE_ID, "D02", END, START).key

    assert 1 <= len(key) <= 128
    assert all("!" <= letter <= "~" for letter in key)


@pytest.mark.parametrize("phase", [Phase.REGISTERED, Phase.CONSENT_PENDING, Phase.SIGNING])
def test_what_is_fired_is_what_the_decider_takes(phase):
    """Of a case under way it records the lapse; fired a second time it is refused."""
    scenario = in_phase(phase)
    fired = fired_on(scenario)
    scenario.when(fired.command, at="2026-03-18T00:00:01+08:00").then(StatutoryTermLapsed)

    scenario.when(fired.command).then_refused("not-lapsed-yet")


def test_what_is_fired_too_late_acts_on_nothing():
    """Extended, or ended, between the look and the deed: refused, not done twice."""
    scenario = in_phase(Phase.MEDIATING)
    fired = fired_on(scenario)
    everybody = tuple(party.party_id for party in scenario.case.parties)
    scenario.do(ExtendTerm(until_on=END + timedelta(days=5), agreed_ids=everybody))
    scenario.when(fired.command, at="2026-03-18T09:00+08:00").then_refused("term-not-over")
    scenario.failed()

    scenario.when(fired.command).then_refused("wrong-phase")


def test_every_policy_says_in_its_name_when_and_what():
    """`whenever … then …`, so that a list of the module reads as the list of what happens."""
    named = [name for name in vars(policies) if name.startswith("whenever_")]

    assert named
    assert all("_then_" in name for name in named)
