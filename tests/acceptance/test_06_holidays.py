"""Around the National Day of 2026: make-up workdays count, and a party's date is never rolled."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date

from mediation.calendar import default
from tests.acceptance.office import Office, wage_claim
from tests.serving import EAST

FRIDAY_BEFORE = "2026-09-18T09:00:00+08:00"
LAST_DAY_BEFORE = "2026-09-30T09:00:00+08:00"


def test_dates_around_the_national_day(opened: Callable[[str], Office]) -> None:
    """Three working days after 30 September is 10 October; 3 October stays what a party is told."""
    office = opened(FRIDAY_BEFORE)
    clerk = office.person("clerk", EAST)

    earlier = clerk.register(**wage_claim(100))
    office.at(LAST_DAY_BEFORE)
    later = clerk.register(**wage_claim(100))

    answer = clerk.due(earlier)["D01"]
    assert answer["due_on"] == "2026-09-22", "Sunday the 20th is worked"
    assert (answer["rule"], answer["provisional"]) == ("3 wd", False)
    told = clerk.due(earlier)["D02"]
    assert (told["due_on"], told["rolled_on"]) == ("2026-10-03", "2026-10-08")
    assert told["rolled_days"] == 5
    assert "2026年10月3日" in told["explain"]["zh"]
    assert "3 October 2026" in told["explain"]["en"]
    assert clerk.due(later)["D01"]["due_on"] == "2026-10-10", "8, 9 and the Saturday made up"
    term = clerk.due(later)["D02"]
    assert (term["due_on"], term["rolled_on"]) == ("2026-10-15", "2026-10-15")


def test_a_corrected_calendar_leaves_stored_dates_as_they_are(
    opened: Callable[[str], Office],
) -> None:
    """What was decided stays decided; only what is decided from then on follows the correction."""
    office = opened(LAST_DAY_BEFORE)
    clerk = office.person("clerk", EAST)
    before = clerk.register(**wage_claim(100))
    published = default()

    office.served.engine.mediation.calendar = dataclasses.replace(
        published,
        ref="cn-corrected-for-this-test",
        digest="0" * 64,
        make_up_workdays=published.make_up_workdays - {date(2026, 10, 10)},
    )
    after = clerk.register(**wage_claim(100))

    assert (clerk.due(before)["D01"]["due_on"], clerk.due(after)["D01"]["due_on"]) == (
        "2026-10-10",
        "2026-10-12",
    )
    registered = {case: clerk.event(case, "registered")["due"][0] for case in (before, after)}
    assert registered[before]["calendar"] == published.cited
    assert registered[after]["calendar"].startswith("cn-corrected-for-this-test@")
