"""Ledgers of made-up histories, what is asked of them, and the other reckoning of it; no test."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Engine

from mediation import ladder
from mediation.kernel import decode
from mediation.store import Head, Recorded, migrate, open_engine
from projections.base import create, reading
from projections.runner import Follower
from projections.statistics import (
    Bodies,
    Figures,
    Ledger,
    Number,
    Period,
    figures,
    formula,
    formulas,
)
from projections.statistics.figures import Figure, OfLevel
from tests.conftest import DISTRICT, LOG_ID
from tests.projections.chronicle import Chronicle, shanghai
from tests.projections.county import LADDER, PLACES
from tests.projections.histories import START
from tests.projections.reckoning import SOURCE, Part, Reckoned, Reckoner

GROUPS = ("enterprise-committee", "township-street", "others")
MONTH = Period(date(2026, 5, 1), date(2026, 5, 31))
QUARTER = Period(date(2026, 7, 1), date(2026, 9, 30))
PERIODS = (
    MONTH,
    QUARTER,
    Period(date(2025, 1, 1), date(2028, 12, 31)),
    Period(date(2026, 3, 3), date(2026, 10, 20)),
    Period(date(2026, 11, 11), date(2027, 6, 30)),
)
"""A month, a quarter, all of time, an odd span, and one that reaches past what is recorded."""


def head_of_the_return(group: str) -> Bodies:
    """Give the bodies that the official return counts under one head."""
    rungs = ladder.load_ref("standard-v1")
    found = {(it.level, it.branch) for it in PLACES.values()}
    heads = frozenset(it for it in found if rungs.return_group(*it) == group)
    return Bodies(("/",), heads=heads)


EVERYTHING = Bodies(("/",))
SETS = (
    Bodies(("/federation/west/",)),
    Bodies(("/federation/east/", "/subcentre/")),
    *(Bodies(("/",), body_id=it) for it in ("federation", "west", "west-hill", "moulds")),
    Bodies(("/",), body_id="dies"),
    *(Bodies(("/",), level=it) for it in LADDER),
    *(head_of_the_return(it) for it in GROUPS),
    Bodies(()),
)
"""Streets and all below, one body of each kind and level, each level, each head, and none."""


class Tape:
    """A log that is only read, as far as its head; the events are those of an office."""

    def __init__(self, history: list[Recorded]) -> None:
        self._history = history
        self.until = len(history)

    def read(self, start_exclusive: int, limit: int) -> list[Recorded]:
        """Read events after a position, never cutting inside a command."""
        if start_exclusive >= self.until:
            return []
        last = self._history[min(start_exclusive + limit, self.until) - 1]
        return self._history[start_exclusive : last.command_end]

    def events_of(self, stream_id: UUID, lte: int | None = None) -> list[Recorded]:
        """Read the events of one stream."""
        return [it for it in self._history if it.originator_id == stream_id]

    def head(self) -> Head:
        """Read how far it goes."""
        return Head(self.until, START, LOG_ID, DISTRICT, "test")

    def wait_beyond(self, position: int, timeout: float, **_stopped: Any) -> bool:
        """Nothing is to be waited for."""
        return self.until > position


class Question(NamedTuple):
    """What is asked, of which position, and on which day."""

    at_position: int
    bodies: Bodies
    period: Period
    today: date


def ask(engine: Engine, ledger: Ledger, it: Question, *, live: bool = False) -> Figures:
    """Ask the product."""
    with reading(engine) as connection:
        return figures(
            connection,
            ledger,
            it.bodies,
            period=it.period,
            today=it.today,
            levels=LADDER,
            at_source=SOURCE,
            at_position=None if live else it.at_position,
        )


def day_of(history: Sequence[Recorded], at_position: int) -> date:
    """Give the day on which the event at a position was decided."""
    it = history[at_position - 1]
    return shanghai(decode(it.topic, it.state).decided_at)


Rows = dict[str, Reckoned]
"""A figure by itself under "", in the two periods it is compared with, and by level."""


def reckon_all(chronicle: Chronicle, it: Question) -> dict[str, Rows]:
    """Reckon all figures."""

    @cache
    def reckoner(bodies: Bodies, period: Period, source: tuple[str, ...]) -> Reckoner:
        return Reckoner(chronicle, here(bodies), period, it.today, source)

    return {each.code: _reckon(reckoner, it, each.code) for each in formulas.FORMULAS}


def _reckon(reckoner: Callable[..., Reckoner], it: Question, code: str) -> Rows:
    """Reckon a figure of every kind that is told."""

    def found(bodies: Bodies, period: Period, source: tuple[str, ...] = SOURCE) -> Reckoned:
        return reckoner(bodies, period, source).figure(code)

    rows = {
        "": found(it.bodies, it.period),
        "before": found(it.bodies, it.period.before()),
        "year before": found(it.bodies, it.period.year_before()),
    }
    asked = [level for level in LADDER if it.bodies.level in (None, level)]
    if code in BY_LEVEL:
        rows |= {level: found(it.bodies._replace(level=level), it.period) for level in asked}
    elif code == "F11":
        upto = {level: LADDER[: LADDER.index(level) + 1] for level in asked}
        rows |= {level: found(it.bodies, it.period, upto[level]) for level in asked}
    return rows


def here(bodies: Bodies) -> Callable[[Any], bool]:
    """Say the same as `Bodies.holds`, in other words."""

    def holds(place: Any) -> bool:
        is_below = any(place.path[: len(it)] == it for it in bodies.prefixes)
        is_it = bodies.body_id is None or bodies.body_id == place.body_id
        is_on = bodies.level is None or bodies.level == place.level
        counts = bodies.heads is None or (place.level, place.branch) in bodies.heads
        return is_below and is_it and is_on and counts

    return holds


BY_LEVEL = ("F03", "F04", "F05", "F06", "F07", "F09", "F10", "F16", "F18")
"""What stands level by level; F11 stands for each level and those below it."""


def assert_equal(told: Figures, expected: dict[str, Rows]) -> None:
    """Hold every figure, every part of it, every level and both comparisons against the reckoning.

    Every identity has to close as well.
    """
    assert [each.formula for each in told.figures] == [each.code for each in formulas.FORMULAS]
    for figure in told.figures:
        rows = dict(expected[figure.formula])
        assert_same(figure, rows[""])
        for key, then in (("before", figure.period_before), ("year before", figure.year_before)):
            same = (then.value, then.numerator, then.denominator)
            reckoned = rows.pop(key)
            assert same == (reckoned.value, reckoned.numerator, reckoned.denominator), key
            changed = None
            if figure.value is not None and then.value is not None:
                changed = round(figure.value - then.value, 4)
            assert then.change == changed
        assert [each.level for each in figure.levels] == [key for key in rows if key]
        for each in figure.levels:
            assert_same(each, rows[each.level], figure.formula)


def assert_same(told: Figure | OfLevel, reckoned: Reckoned, code: str = "") -> None:
    """Hold one figure against what was reckoned; no number is below 0, and no share above 1."""
    code = code or getattr(told, "formula", "")
    where = (code, getattr(told, "level", ""))
    assert [it.key for it in told.parts] == list(reckoned.parts), where
    for part in told.parts:
        assert_same_part(part, reckoned.parts[part.key], (*where, part.key))
    assert told.balances is not False, where
    assert (told.value, told.numerator, told.denominator, told.balances) == (
        reckoned.value,
        reckoned.numerator,
        reckoned.denominator,
        reckoned.balances,
    ), where
    published = formula(code)
    assert published is not None
    assert published.unit != "ratio" or told.value is None or 0 <= told.value <= 1, where


def assert_same_part(told: Number, reckoned: Part, where: tuple[str, ...]) -> None:
    """Hold one part against what was reckoned: its number, and of how many it tells."""
    assert told.value == reckoned.value, where
    assert told.value is None or told.value >= 0, where
    assert told.workers in (None, reckoned.workers), where
    assert told.cases in (None, reckoned.cases), where
    is_of_cases = reckoned.workers is not None or reckoned.cases is not None
    assert is_of_cases == (told.workers is not None or told.cases is not None), where


class Kept(NamedTuple):
    """A ledger that was folded, and where."""

    ledger: Ledger
    engine: Engine


def fold(engine: Engine, history: list[Recorded], *, batch: int = 5000, prefix: str = "") -> Kept:
    """Fold a history into a ledger of its own."""
    kept = Kept(Ledger(prefix), engine)
    create(engine, [kept.ledger])
    Follower(kept.ledger, Tape(history), engine, batch=batch).catch_up()
    return kept


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """Open an empty store at a URL."""
    engine = open_engine(url)
    try:
        migrate(engine, district=DISTRICT, kind="test", log_id=LOG_ID, at=START)
        yield engine
    finally:
        engine.dispose()


def questions_of(history: Sequence[Recorded]) -> list[Question]:
    """Ask of three positions, two of them drawn by chance: some bodies in some periods at each."""
    dice = random.Random(20_261_127)
    ends = sorted({it.command_end for it in history})
    drawn = sorted(dice.sample(ends[len(ends) // 4 : -1], 2))
    found = []
    for number, at_position in enumerate((*drawn, len(history))):
        today = day_of(history, at_position)
        found += [
            Question(at_position, EVERYTHING, period, today)
            for period in (PERIODS[number : number + 1] if number < 2 else PERIODS[2:])
        ]
        found += [
            Question(at_position, bodies, PERIODS[at % len(PERIODS)], today)
            for at, bodies in enumerate(SETS)
            if at % 3 == number
        ]
    return found


def all_of(history: list[Recorded], **changes: Any) -> Question:
    """Ask about everything, of all time."""
    until = len(history)
    asked = Question(until, EVERYTHING, PERIODS[2], day_of(history, until))
    return asked._replace(**changes)


def assert_reckoned(kept: Kept, history: list[Recorded], it: Question) -> None:
    """Hold what a ledger answers against the reckoning."""
    chronicle = Chronicle(history, it.at_position)
    assert_equal(ask(kept.engine, kept.ledger, it), reckon_all(chronicle, it))
