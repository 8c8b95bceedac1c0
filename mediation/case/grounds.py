"""When a ground for moving a case holds: one predicate each, asked when a move is requested.

Never consulted on replay: the event says what was decided. Which level may use which ground is
the ladder's data, not this file's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import msgspec

from mediation.case.state import CaseState
from mediation.case.values import Phase


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the request says, beside the case: the day it is made and the applicant's wish."""

    on: date
    applicant_wish: bool


Ground = Callable[[CaseState, Asked], bool]
_GROUNDS: dict[str, Ground] = {}


def ground(code: str) -> Callable[[Ground], Ground]:
    """Register the predicate of a ground; a ground without one is taken as stated."""

    def register(function: Ground) -> Ground:
        _GROUNDS[code] = function
        return function

    return register


def holds(code: str, case: CaseState, asked: Asked) -> bool:
    """Say whether the ground holds for the case on that day."""
    predicate = _GROUNDS.get(code)
    return predicate is None or predicate(case, asked)


@ground("no-agreement")
def no_agreement(case: CaseState, _asked: Asked) -> bool:
    """A session was held at this body, without an agreement."""
    return case.sessions_here > 0 and not case.has_taken_effect


@ground("deadline-lapsed")
def deadline_lapsed(case: CaseState, asked: Asked) -> bool:
    """The level's target, or the last legal day of the statutory term, has passed."""
    target, term = case.due.get("D13"), case.term
    return (target is not None and asked.on > target.due_on) or (
        term is not None and asked.on > term.rolled_on
    )


@ground("mediation-failed")
def mediation_failed(case: CaseState, asked: Asked) -> bool:
    """The mediation failed and the applicant wishes in writing to go on."""
    return case.phase is Phase.FAILED and asked.applicant_wish


@ground("not-accepted")
def not_accepted(case: CaseState, asked: Asked) -> bool:
    """The case was not accepted and the applicant wishes in writing to go on."""
    return case.phase is Phase.NOT_ACCEPTED and asked.applicant_wish


@ground("collective")
def collective(case: CaseState, _asked: Asked) -> bool:
    """Ten workers or more, until the lead has decided on the common claim."""
    return case.is_collective or case.workers >= 10  # noqa: PLR2004 - L-LDMA 7


@ground("ten-or-more-workers")
def ten_or_more_workers(case: CaseState, _asked: Asked) -> bool:
    """Ten distinct workers or more (L-LDMA 7)."""
    return case.workers >= 10  # noqa: PLR2004 - L-LDMA 7


@ground("red-risk")
def red_risk(case: CaseState, _asked: Asked) -> bool:
    """The published risk rule gives RED."""
    return case.risk == "RED"


@ground("employer-absconded")
def employer_absconded(case: CaseState, _asked: Asked) -> bool:
    """The employer was recorded as gone."""
    return "EMPLOYER_ABSCONDED" in case.flags


@ground("employer-closed")
def employer_closed(case: CaseState, _asked: Asked) -> bool:
    """The employer was recorded as closed."""
    return "EMPLOYER_CLOSED" in case.flags


@ground("safety-risk")
def safety_risk(case: CaseState, _asked: Asked) -> bool:
    """A risk to safety was recorded."""
    return "SAFETY" in case.flags


@ground("cross-jurisdiction")
def cross_jurisdiction(case: CaseState, _asked: Asked) -> bool:
    """The matter was recorded as reaching beyond the place."""
    return "CROSS_REGION" in case.flags
