"""The ladder as published data; what makes a ground true of a case does not belong here."""

from mediation.ladder.load import (
    LadderInvalid,
    LadderUnknown,
    check,
    load,
    load_ref,
    published,
)
from mediation.ladder.model import (
    Approval,
    BackDating,
    Branch,
    Coded,
    Ground,
    Ladder,
    Level,
    LevelUnknown,
    Limit,
    MoveKind,
    Risk,
    RiskCondition,
    RiskRule,
    SmallCase,
    Target,
)
from mediation.ladder.reading import Finding, Report

__all__ = [
    "Approval",
    "BackDating",
    "Branch",
    "Coded",
    "Finding",
    "Ground",
    "Ladder",
    "LadderInvalid",
    "LadderUnknown",
    "Level",
    "LevelUnknown",
    "Limit",
    "MoveKind",
    "Report",
    "Risk",
    "RiskCondition",
    "RiskRule",
    "SmallCase",
    "Target",
    "check",
    "load",
    "load_ref",
    "published",
]
