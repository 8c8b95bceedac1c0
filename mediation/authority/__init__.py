"""Who may do what (`table`), and who sees what (`scope`); pure, from live grants alone."""

from mediation.authority.scope import (
    ClearReading,
    Scope,
    ScopeColumns,
    Scoped,
    ScopeRow,
    Visibility,
    Where,
    columns_of,
    may_read_clear,
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
    "SYSTEM_GRANT",
    "TABLE",
    "CaseView",
    "ClearReading",
    "Condition",
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
]
