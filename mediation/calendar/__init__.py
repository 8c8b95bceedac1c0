"""Working days and legal time limits; what happens when a limit passes is decided elsewhere."""

from mediation.calendar.deadlines import (
    CATALOGUE,
    DueDate,
    Rule,
    Unit,
    due,
)
from mediation.calendar.explanations import cite, explain, say_rule
from mediation.calendar.working_days import (
    Calendar,
    day_of,
    default,
    first_moment_after,
    first_moment_of,
    load,
)

__all__ = [
    "CATALOGUE",
    "Calendar",
    "DueDate",
    "Rule",
    "Unit",
    "cite",
    "day_of",
    "default",
    "due",
    "explain",
    "first_moment_after",
    "first_moment_of",
    "load",
    "say_rule",
]
