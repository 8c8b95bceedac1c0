"""Which days and which bodies a figure is asked of; nothing is counted here."""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from projections.base import begins
from projections.statistics.ledger import At

DAY = timedelta(days=1)

EARLIEST, LATEST = date(1990, 1, 1), date(2200, 12, 31)
"""Between which days a period may lie: the years before it can be reckoned, on any database."""


class Period(NamedTuple):
    """Days from the first to the last, both counted."""

    first: date
    last: date

    def is_of_months(self) -> bool:
        """Say whether these are whole months."""
        return self.first.day == 1 and (self.last + DAY).day == 1

    def before(self) -> Period:
        """Give the period of the same kind just before: whole months, else as many days."""
        end = self.first - DAY
        if self.is_of_months():
            months = _months(self.last) - _months(self.first) + 1
            return Period(_first_of(_months(self.first) - months), end)
        return Period(self.first - (self.last - self.first) - DAY, end)

    def year_before(self) -> Period:
        """Give the same days a year before; whole months stay whole."""
        first = _year_before(self.first)
        if self.is_of_months():
            return Period(first, _first_of(_months(self.last) + 1 - 12) - DAY)
        return Period(first, _year_before(self.last))


def _months(day: date) -> int:
    return day.year * 12 + day.month - 1


def _first_of(months: int) -> date:
    return date(months // 12, months % 12 + 1, 1)


def _year_before(day: date) -> date:
    last = calendar.monthrange(day.year - 1, day.month)[1]
    return date(day.year - 1, day.month, min(day.day, last))


class Bodies(NamedTuple):
    """Which bodies are asked about: those for which everything named here holds.

    `prefixes` begin the path of each; `heads` are the levels and branches of a head of the return.
    """

    prefixes: tuple[str, ...]
    body_id: str | None = None
    level: str | None = None
    heads: frozenset[tuple[str, str | None]] | None = None

    def holds(self, at: At) -> bool:
        """Say whether a body is one of them."""
        return (
            at.path.startswith(self.prefixes)
            and self.body_id in (None, at.body_id)
            and self.level in (None, at.level)
            and (self.heads is None or (at.level, at.branch) in self.heads)
        )

    def where(self, columns: Any, prefix: str = "") -> sa.ColumnElement[bool]:
        """Give the same as a condition on the columns of a place."""
        level, branch = columns[f"{prefix}level"], columns[f"{prefix}branch"]
        found = [begins(columns[f"{prefix}body_path"], self.prefixes)]
        if self.body_id is not None:
            found.append(columns[f"{prefix}body_id"] == self.body_id)
        if self.level is not None:
            found.append(level == self.level)
        if self.heads is not None:
            found.append(
                sa.or_(
                    sa.false(),
                    *(
                        sa.and_(level == at, branch.is_(None) if of is None else branch == of)
                        for at, of in self.heads
                    ),
                )
            )
        return sa.and_(*found)
