"""One dispute case from registration to close; importing this registers every chapter."""

from mediation.case import (
    agreement,
    assignment,
    closing,
    consent,
    custody,
    intake,
    performance,
    sessions,
    sheets,
)
from mediation.case.lifecycle import available, check_lifecycle
from mediation.case.state import CaseState

CHAPTERS = (
    intake,
    consent,
    assignment,
    sessions,
    agreement,
    performance,
    sheets,
    custody,
    closing,
)

__all__ = ["CHAPTERS", "CaseState", "available", "check_lifecycle"]
