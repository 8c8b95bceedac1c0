"""One case from registration to close; importing this registers every chapter."""

from mediation.case import (
    agreement,
    aid,
    assignment,
    closing,
    composites,
    conclusion,
    consent,
    correction,
    custody,
    demand,
    drafting,
    intake,
    parties,
    performance,
    proceedings,
    sessions,
    settlement,
    sheets,
    term,
    urgent,
)
from mediation.case.lifecycle import available, check_lifecycle
from mediation.case.state import CaseState

CHAPTERS = (
    intake,
    parties,
    consent,
    assignment,
    sessions,
    term,
    drafting,
    agreement,
    settlement,
    conclusion,
    performance,
    sheets,
    custody,
    demand,
    aid,
    proceedings,
    urgent,
    correction,
    closing,
    composites,
)

__all__ = ["CHAPTERS", "CaseState", "available", "check_lifecycle"]
