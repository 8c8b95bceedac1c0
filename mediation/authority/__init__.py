"""Who may do what (`table`), and who sees what (`scope`); pure, from live grants alone."""

from mediation.authority.scope import (
    CLEAR_REASONS,
    ClearReading,
    Represented,
    Scope,
    ScopeColumns,
    Scoped,
    ScopeRow,
    Visibility,
    Where,
    columns_of,
    may_read_clear,
    through,
)
from mediation.authority.table import (
    ALWAYS,
    SYSTEM_GRANT,
    TABLE,
    CaseView,
    Condition,
    allow,
    check_table,
    may,
)

__all__ = [
    "ALWAYS",
    "CLEAR_REASONS",
    "SYSTEM_GRANT",
    "TABLE",
    "CaseView",
    "ClearReading",
    "Condition",
    "Represented",
    "Scope",
    "ScopeColumns",
    "ScopeRow",
    "Scoped",
    "Visibility",
    "Where",
    "allow",
    "check_table",
    "columns_of",
    "may",
    "may_read_clear",
    "through",
]
