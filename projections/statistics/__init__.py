"""Figures: the ledger they are summed from, the published formulas, and how they are worked out."""

from projections.statistics.behind import Line, LinePage, lines_behind, measure_of
from projections.statistics.figures import (
    Compared,
    Figure,
    Figures,
    Number,
    OfLevel,
    Value,
    figures,
)
from projections.statistics.formulas import FORMULAS, Formula, formula, wording
from projections.statistics.ledger import Ledger
from projections.statistics.periods import EARLIEST, LATEST, Bodies, Period
from projections.statistics.suppression import suppressed

__all__ = [
    "EARLIEST",
    "FORMULAS",
    "LATEST",
    "Bodies",
    "Compared",
    "Figure",
    "Figures",
    "Formula",
    "Ledger",
    "Line",
    "LinePage",
    "Number",
    "OfLevel",
    "Period",
    "Value",
    "figures",
    "formula",
    "lines_behind",
    "measure_of",
    "suppressed",
    "wording",
]
