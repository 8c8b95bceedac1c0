"""Figures: the ledger they are summed from, the published formulas, and how they are worked out."""

from projections.statistics.figures import Figure, Figures, figures
from projections.statistics.ledger import Ledger
from projections.statistics.periods import Bodies, Period

__all__ = ["Bodies", "Figure", "Figures", "Ledger", "Period", "figures"]
