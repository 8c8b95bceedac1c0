"""The published figures as data: what each counts, over what, and by which name; no arithmetic.

F01–F20 and F23 of the catalogue, as far as the engine records what they count. The wording stands
in `published/`. A formula is never edited once released: another way to count is another version
(ADR 0025).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

import msgspec

from mediation.codes import Label
from projections.statistics.ledger import AID, DEMAND, NOT_IN_SCOPE, OPEN, PENDING

REF = "figures-v1"

Unit = Literal["case", "ratio", "fen", "day", "duty"]
"""件, a share of 1, fen, calendar days, open dates."""


class Stock(NamedTuple):
    """Cases in a stock at the beginning of the period, or at its end."""

    stock: str
    at: Literal["opening", "closing"]


class Flow(NamedTuple):
    """Lines of the ledger within the period.

    `credited` says which body of a line has to be one of those asked about: the one it was written
    at, or the other: where the case was registered, or accepted first. `beside` leaves out what
    counts at these bodies themselves; `of_period` what was not registered in the period. A move
    between two of the bodies asked about is none.
    """

    term: str
    matter: str = "DISPUTE"
    details: tuple[str, ...] = ()
    stock: str | None = None
    measure: Literal["cases", "workers", "fen"] = "cases"
    on_time: bool | None = None
    collective: bool | None = None
    credited: Literal["at", "other"] = "at"
    beside: bool = False
    of_period: bool = False
    at_source: bool = False


class Mix(NamedTuple):
    """A flow divided by what its lines say: a part for each code, from these code tables."""

    flow: Flow
    tables: tuple[str, ...]


class Days(NamedTuple):
    """Days from acceptance to conclusion: the fewest that this share in a hundred kept to."""

    percent: int


class Instruments(NamedTuple):
    """Papers of the mediation whose last day of payment came by the end of the period."""

    which: Literal["all", "performed", "breached"]


class DueFen(NamedTuple):
    """What fell due on such papers within the period, and what was paid of it by its end."""

    which: Literal["due", "applied"]


class Late(NamedTuple):
    """Open dates of the office whose legal last day was over at the end of the period."""


class Mean(NamedTuple):
    """One part divided by another."""

    of: str
    by: str


Measure = Stock | Flow | Mix | Days | Instruments | DueFen | Late | Mean


class Formula(NamedTuple):
    """A figure: its parts by name, and which of them make its numerator and its denominator.

    Without a denominator it is the sum of the numerator's parts. `balance` names the parts of an
    identity: what was there and came in, and what went out and is there. A name with "-" before it
    is taken off. `levels` says what stands by level: nothing, the figure of each level alone, or
    of each level and those below it, over the denominator of all.
    """

    code: str
    unit: Unit
    parts: Mapping[str, Measure]
    numerator: tuple[str, ...]
    denominator: tuple[str, ...] = ()
    balance: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    levels: Literal["none", "each", "up-to"] = "none"
    version: int = 1


UP = ("ESCALATE", "REPORT_UP")
DOWN = ("ASSIGN_DOWN", "SEND_BACK")
SIDEWAYS = ("TRANSFER", "REROUTE")
EFFECT = ("AGREED", "SETTLED")
K = Flow("concluded", stock=OPEN)
"""调解结案, counted once per acceptance, at the body that has the case then."""

_NEW = Flow("accepted", details=("new",))
_AGAIN = Flow("accepted", details=("again",))
_COLLECTIVE = _NEW._replace(collective=True)
_COLLECTIVE_AID = Flow("granted", "AID", collective=True)
_SUCCEEDED = K._replace(details=EFFECT)
_MOVED_UP = Flow("moved-out", stock=OPEN, details=UP)
_PAID = Flow("applied", measure="fen")


def _stocks(stock: str) -> dict[str, Measure]:
    return {"opening": Stock(stock, "opening"), "closing": Stock(stock, "closing")}


def _moves(stock: str, matter: str = "DISPUTE") -> dict[str, Measure]:
    return {
        "moved-in": Flow("moved-in", matter, stock=stock),
        "moved-out": Flow("moved-out", matter, stock=stock),
    }


FORMULAS: tuple[Formula, ...] = (
    Formula(
        "F01",
        "case",
        {
            **_stocks(PENDING),
            "registered": Flow("registered"),
            "asked-anew": Flow("again"),
            **_moves(PENDING),
            "accepted-new": _NEW,
            "restarted": _AGAIN,
            "refused": Flow("refused"),
            "withdrawn": Flow("withdrawn"),
            "left": Flow("left"),
        },
        numerator=("closing",),
        balance=(
            ("opening", "registered", "asked-anew", "moved-in"),
            (
                "accepted-new",
                "restarted",
                "refused",
                "withdrawn",
                "left",
                "moved-out",
                "closing",
            ),
        ),
    ),
    Formula(
        "F02",
        "case",
        {
            **_stocks(OPEN),
            "accepted-new": _NEW,
            "restarted": _AGAIN,
            **_moves(OPEN),
            "concluded": K,
            "concluded-elsewhere": K._replace(credited="other", beside=True),
        },
        numerator=("closing",),
        balance=(
            ("opening", "accepted-new", "restarted", "moved-in"),
            ("concluded", "moved-out", "closing"),
        ),
    ),
    Formula(
        "F03",
        "case",
        {
            **_stocks(OPEN),
            "accepted": Flow("accepted"),
            "from-below": Flow("moved-in", stock=OPEN, details=UP),
            "assigned": Flow("moved-in", stock=OPEN, details=("ASSIGN_DOWN",)),
            "sent-back": Flow("moved-in", stock=OPEN, details=("SEND_BACK",)),
            "from-beside": Flow("moved-in", stock=OPEN, details=SIDEWAYS),
            "concluded": K,
            "moved-up": _MOVED_UP,
            "moved-down": Flow("moved-out", stock=OPEN, details=DOWN),
            "to-beside": Flow("moved-out", stock=OPEN, details=SIDEWAYS),
        },
        numerator=("closing",),
        balance=(
            ("opening", "accepted", "from-below", "assigned", "sent-back", "from-beside"),
            ("concluded", "moved-up", "moved-down", "to-beside", "closing"),
        ),
        levels="each",
    ),
    Formula(
        "F04",
        "ratio",
        {
            "concluded": K,
            "opening": Stock(OPEN, "opening"),
            "accepted-new": _NEW,
            "restarted": _AGAIN,
            **_moves(OPEN),
        },
        numerator=("concluded",),
        denominator=("opening", "accepted-new", "restarted", "moved-in", "-moved-out"),
        levels="each",
    ),
    Formula(
        "F05",
        "ratio",
        {"in-time": K._replace(on_time=True), "concluded": K},
        numerator=("in-time",),
        denominator=("concluded",),
        levels="each",
    ),
    Formula(
        "F06",
        "ratio",
        {
            "agreed": K._replace(details=("AGREED",)),
            "settled": K._replace(details=("SETTLED",)),
            "concluded": K,
        },
        numerator=("agreed", "settled"),
        denominator=("concluded",),
        levels="each",
    ),
    Formula(
        "F07",
        "ratio",
        {"agreed": K._replace(details=("AGREED",)), "failed": K._replace(details=("FAILED",))},
        numerator=("agreed",),
        denominator=("agreed", "failed"),
        levels="each",
    ),
    Formula(
        "F08",
        "ratio",
        {
            "accepted": _NEW._replace(credited="other", of_period=True),
            "registered": Flow("registered"),
            "not-in-scope": Flow("refused", details=NOT_IN_SCOPE, credited="other", of_period=True),
            "answers": Mix(Flow("answered"), ("consent_answers",)),
            "refusals": Mix(Flow("refused"), ("refusal_reasons",)),
        },
        numerator=("accepted",),
        denominator=("registered", "-not-in-scope"),
    ),
    Formula(
        "F09",
        "ratio",
        {"succeeded": _SUCCEEDED, "concluded": K, "moved-up": _MOVED_UP},
        numerator=("succeeded",),
        denominator=("concluded", "moved-up"),
        levels="each",
    ),
    Formula(
        "F10",
        "ratio",
        {"moved-up": _MOVED_UP, "concluded": K},
        numerator=("moved-up",),
        denominator=("concluded", "moved-up"),
        levels="each",
    ),
    Formula(
        "F11",
        "ratio",
        {"at-source": _SUCCEEDED._replace(at_source=True), "succeeded": _SUCCEEDED, "concluded": K},
        numerator=("at-source",),
        denominator=("concluded",),
        levels="up-to",
    ),
    Formula(
        "F12",
        "ratio",
        {
            "performed": Instruments("performed"),
            "instruments": Instruments("all"),
            "applied-fen": DueFen("applied"),
            "due-fen": DueFen("due"),
        },
        numerator=("performed",),
        denominator=("instruments",),
    ),
    Formula(
        "F13",
        "ratio",
        {"breached": Instruments("breached"), "instruments": Instruments("all")},
        numerator=("breached",),
        denominator=("instruments",),
    ),
    Formula(
        "F14",
        "fen",
        {
            "claimed": Flow("claimed", measure="fen"),
            "agreed": Flow("owed", details=("mediation",), measure="fen"),
            "replaced": Flow("released", details=("mediation",), measure="fen"),
            "applied": _PAID._replace(details=("mediation",)),
        },
        numerator=("claimed",),
    ),
    Formula(
        "F15",
        "fen",
        {
            **{
                route: _PAID._replace(details=(route,))
                for route in ("mediation", "arbitration", "litigation", "supervision")
            },
            **{
                f"aid-{route}": _PAID._replace(matter="AID", details=(route,))
                for route in ("arbitration", "litigation", "supervision")
            },
            "demand": _PAID._replace(matter="DEMAND"),
        },
        numerator=("mediation", "arbitration", "litigation", "supervision"),
    ),
    Formula(
        "F16",
        "day",
        {"median": Days(50), "p90": Days(90), "concluded": K},
        numerator=("median",),
        levels="each",
    ),
    Formula("F18", "duty", {"overdue": Late()}, numerator=("overdue",), levels="each"),
    Formula(
        "F19",
        "case",
        {
            **_stocks(DEMAND),
            "registered": Flow("registered", "DEMAND"),
            **_moves(DEMAND, "DEMAND"),
            "fed-back": Flow("fed-back", "DEMAND"),
            "withdrawn": Flow("withdrawn", "DEMAND"),
            "granted": Flow("fed-back", "DEMAND", details=("GRANTED",)),
            "partly": Flow("fed-back", "DEMAND", details=("PARTLY",)),
            "in-time": Flow("fed-back", "DEMAND", on_time=True),
        },
        numerator=("closing",),
        balance=(
            ("opening", "registered", "moved-in"),
            ("fed-back", "withdrawn", "moved-out", "closing"),
        ),
    ),
    Formula(
        "F20",
        "case",
        {
            **_stocks(AID),
            "registered": Flow("registered", "AID"),
            "asked-anew": Flow("again", "AID"),
            **_moves(AID, "AID"),
            "closed": Flow("closed", "AID"),
            "refused": Flow("refused", "AID"),
            "withdrawn": Flow("withdrawn", "AID"),
            "granted": Flow("granted", "AID"),
            "results": Mix(Flow("result", "AID"), ("forums", "proceeding_results")),
        },
        numerator=("closing",),
        balance=(
            ("opening", "registered", "asked-anew", "moved-in"),
            ("closed", "refused", "withdrawn", "moved-out", "closing"),
        ),
    ),
    Formula(
        "F23",
        "case",
        {
            "cases": _COLLECTIVE,
            "workers": _COLLECTIVE._replace(measure="workers"),
            "mean-size": Mean("workers", "cases"),
            "aid-cases": _COLLECTIVE_AID,
            "aid-workers": _COLLECTIVE_AID._replace(measure="workers"),
        },
        numerator=("cases",),
    ),
)


class Wording(msgspec.Struct, frozen=True):
    """What a figure is called, how it is counted, and what its own parts are called."""

    label: Label
    definition: Label
    parts: dict[str, Label] = {}

    def part(self, name: str) -> Label:
        """Give what a part is called in this figure."""
        return self.parts.get(name) or _wordings().parts[name]


class _Wordings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ref: str
    parts: dict[str, Label]
    figures: dict[str, Wording]


@cache
def _wordings() -> _Wordings:
    stored = (files(__package__) / "published" / f"{REF}.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(stored), _Wordings)


def wording(formula: Formula) -> Wording:
    """Give the wording of a figure."""
    return _wordings().figures[formula.code]


def formula(code: str) -> Formula | None:
    """Give a formula by its code, such as F06; None if there is none."""
    return next((it for it in FORMULAS if it.code == code), None)
