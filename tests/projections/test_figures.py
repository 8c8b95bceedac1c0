"""Figures of a whole district's year, held against another reckoning of the same history."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from mediation import ladder
from mediation.case.conclusion import CaseWithdrawn
from mediation.case.state import CaseEvent
from mediation.kernel import decode
from mediation.store import Head, Recorded, migrate, open_engine, writing
from projections.base import create, reading
from projections.runner import Follower
from projections.statistics import Bodies, Figures, Ledger, Period, figures, formulas
from projections.statistics.figures import Figure, OfLevel
from projections.statistics.ledger import At
from tests.conftest import DISTRICT, LOG_ID
from tests.databases import BACKENDS, fresh_postgresql, fresh_sqlite
from tests.projections.chronicle import Chronicle, shanghai
from tests.projections.county import LADDER, PLACES
from tests.projections.histories import START, Office, recorded
from tests.projections.reckoning import SOURCE, Reckoned, Reckoner
from tests.projections.year import Year

pytestmark = pytest.mark.long

# What is made once for this file is dear: one worker makes it, and runs all that needs it.
CASES = 5_000
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

    def wait_beyond(
        self, position: int, timeout: float, *, stopped: Callable[[], bool] = lambda: False
    ) -> bool:
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


def reckon(chronicle: Chronicle, it: Question, code: str) -> Rows:
    """Reckon a figure of every kind that is told."""

    def found(bodies: Bodies, period: Period, source: tuple[str, ...] = SOURCE) -> Reckoned:
        return Reckoner(chronicle, _here(bodies), period, it.today, source).figure(code)

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


def _here(bodies: Bodies) -> Callable[[Any], bool]:
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
    """Hold one figure against what was reckoned."""
    where = (code or getattr(told, "formula", ""), getattr(told, "level", ""))
    parts = {part.key: (part.value, part.workers) for part in told.parts}
    assert parts == reckoned.parts, where
    assert told.balances is not False, where
    assert (told.value, told.numerator, told.denominator, told.balances) == (
        reckoned.value,
        reckoned.numerator,
        reckoned.denominator,
        reckoned.balances,
    ), where


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


@pytest.fixture(scope="module")
def history() -> Iterator[list[Recorded]]:
    """The year of the whole district."""
    year = Year(seed=7, cases=CASES)
    assert year.refused < CASES / 25
    found = recorded(year)
    # Nothing of it is ever let go of here, so nobody has to look for garbage in it.
    gc.collect()
    gc.freeze()
    yield found
    gc.unfreeze()


@pytest.fixture(scope="module")
def questions(history: list[Recorded]) -> list[Question]:
    """Three positions, two of them drawn by chance, and at each some bodies in some periods."""
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


@pytest.fixture(scope="module")
def chronicle(history: list[Recorded]) -> Chronicle:
    """All that happened in the year."""
    return Chronicle(history, len(history))


@pytest.fixture(scope="module")
def reckoned(
    history: list[Recorded], questions: list[Question], chronicle: Chronicle
) -> dict[Question, dict[str, Rows]]:
    """What the answers have to be, by what was known at each position."""
    found: dict[Question, dict[str, Rows]] = {}
    for at_position in sorted({it.at_position for it in questions}):
        is_head = at_position == len(history)
        known = chronicle if is_head else Chronicle(history, at_position)
        for it in questions:
            if it.at_position == at_position:
                found[it] = {each.code: reckon(known, it, each.code) for each in formulas.FORMULAS}
    return found


Answered = tuple[Kept, dict[Question, Figures]]  # what it answered on its way, at each position


@pytest.fixture(scope="module")
def answered_on(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    history: list[Recorded],
    questions: list[Question],
) -> Iterator[Callable[[str], Answered]]:
    """Give the year of a kind of database: folded once, in whatever order the tests are run."""
    with ExitStack() as keeping:

        @cache
        def answered(backend: str) -> Answered:
            url = fresh_sqlite(tmp_path_factory.mktemp("year"))
            if backend == "postgresql":
                cluster = request.getfixturevalue("postgresql_cluster")
                url = keeping.enter_context(fresh_postgresql(cluster))
            return _lived_through(keeping.enter_context(_opened(url)), history, questions)

        yield answered


@contextmanager
def _opened(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    try:
        migrate(engine, district=DISTRICT, kind="test", log_id=LOG_ID, at=START)
        yield engine
    finally:
        engine.dispose()


def _lived_through(engine: Engine, history: list[Recorded], questions: list[Question]) -> Answered:
    kept = Kept(Ledger(), engine)
    create(engine, [kept.ledger])
    tape = Tape(history)
    follower = Follower(kept.ledger, tape, engine)
    live: dict[Question, Figures] = {}
    for at_position in sorted({it.at_position for it in questions}):
        tape.until = at_position
        assert follower.catch_up() == at_position
        live |= {
            it: ask(engine, kept.ledger, it, live=True)
            for it in questions
            if it.at_position == at_position
        }
    return kept, live


@pytest.fixture(params=BACKENDS)
def answered(request: pytest.FixtureRequest, answered_on: Callable[[str], Answered]) -> Answered:
    """The year on each kind of database."""
    return answered_on(request.param)


def test_the_year_tells_of_everything_that_a_figure_counts(
    history: list[Recorded], chronicle: Chronicle
):
    """Each kind of event, each move of each stock, each part of each figure; late ones too."""
    topics = {it.topic for it in history if it.topic.startswith("case.")}
    assert {it.topic for it in _kinds()} - topics <= {
        *("case.urgent-report-filed/1", "case.urgent-report-acknowledged/1"),
        *("case.consent-asked/1", "case.party-identified/1", "case.flag-cleared/1"),
    }
    head = Question(len(history), EVERYTHING, PERIODS[2], day_of(history, len(history)))
    assert len(chronicle.facts["registered"]) == CASES
    for stock in ("pending", "open", "demand", "aid"):
        kinds = {it.code for it in chronicle.facts[f"moved {stock}"]}
        assert len(kinds) == 6, (stock, kinds)
    counted: set[tuple[str, str]] = set()
    known: set[tuple[str, str]] = set()
    asked = (
        *(Bodies(("/",), level=it) for it in LADDER),
        *(Bodies(("/",), body_id=it) for it in ("east", "west", "north")),
    )
    for bodies in asked:
        reckoner = Reckoner(chronicle, _here(bodies), head.period, head.today)
        for one in formulas.FORMULAS:
            parts = reckoner.figure(one.code).parts.items()
            known |= {(one.code, key) for key, _ in parts}
            counted |= {(one.code, key) for key, (value, _) in parts if value}
    # All of time begins with nothing.
    assert {it for it in known - counted if it[1] != "opening"} == set()
    events = [decode(it.topic, it.state) for it in history]
    late = [it for it in events if shanghai(it.occurred_at) < shanghai(it.decided_at)]
    assert len(late) > len(events) / 20
    assert sum(it.occurred_at.month != it.decided_at.month for it in late) > len(events) / 100


def _kinds() -> list[type[CaseEvent]]:
    from mediation.kernel import events  # noqa: PLC0415 - filled once the chapters are read

    return [it for topic, it in events().items() if topic.startswith("case.")]  # type: ignore[misc]


def test_every_figure_equals_another_reckoning_of_the_raw_history(
    answered: Answered, reckoned: dict[Question, dict[str, Rows]]
):
    """At three positions: each part, level, comparison and identity, for every set of bodies."""
    for it, told in answered[1].items():
        assert told.as_of_position == it.at_position
        assert_equal(told, reckoned[it])


def test_as_of_a_position_the_whole_ledger_answers_what_was_answered_live(
    answered: Answered,
):
    """What was recorded since changes no answer about what was known then."""
    kept, live = answered
    for it, told in live.items():
        if it.at_position < max(other.at_position for other in live):
            assert ask(kept.engine, kept.ledger, it) == told, it


def test_bodies_are_the_same_in_python_and_in_the_database(
    answered: Answered,
):
    """Whatever is asked about: the condition on the columns is `holds`."""
    kept, _ = answered
    case = kept.ledger.case.c
    with reading(kept.engine) as connection:
        rows = connection.execute(
            sa.select(case.case_id, case.body_id, case.body_path, case.level, case.branch)
        ).all()
        for bodies in (EVERYTHING, *SETS):
            held = {row[0] for row in rows if bodies.holds(At(*row[1:]))}
            query = sa.select(case.case_id).where(bodies.where(case))
            assert set(connection.execute(query).scalars()) == held, bodies
            assert bool(held) == bool(bodies.prefixes)


@pytest.fixture(scope="module")
def weeks() -> list[Recorded]:
    """A few hundred cases of another year."""
    return recorded(Year(seed=3, cases=240))


@pytest.fixture
def small(sqlite_database: str, weeks: list[Recorded]) -> Iterator[Kept]:
    """Their ledger, in a database of its own."""
    with _opened(sqlite_database) as engine:
        yield fold(engine, weeks)


def all_of(history: list[Recorded], **changes: Any) -> Question:
    """Ask about everything, of all time."""
    until = len(history)
    asked = Question(until, EVERYTHING, PERIODS[2], day_of(history, until))
    return asked._replace(**changes)


def assert_reckoned(kept: Kept, history: list[Recorded], it: Question) -> None:
    """Hold what a ledger answers against the reckoning."""
    chronicle = Chronicle(history, it.at_position)
    rows = {each.code: reckon(chronicle, it, each.code) for each in formulas.FORMULAS}
    assert_equal(ask(kept.engine, kept.ledger, it), rows)


def parts_of(kept: Kept, it: Question, code: str) -> dict[str, Any]:
    """Give the parts of a figure by name."""
    (figure,) = (each for each in ask(kept.engine, kept.ledger, it).figures if each.formula == code)
    return {part.key: part.value for part in figure.parts}


_ADDS_UP = {
    "F01": (
        *("opening", "registered", "asked-anew", "accepted-new", "restarted", "refused"),
        *("withdrawn", "left", "closing"),
    ),
    "F02": ("opening", "accepted-new", "restarted", "concluded", "closing"),
    "F12": ("performed", "instruments", "applied-fen", "due-fen"),
    "F14": ("claimed", "agreed", "replaced", "applied"),
    "F15": ("mediation", "arbitration", "litigation", "supervision", "demand"),
    "F18": ("overdue",),
    "F19": ("opening", "registered", "fed-back", "withdrawn", "closing"),
    "F20": ("opening", "registered", "asked-anew", "closed", "refused", "withdrawn", "closing"),
    "F23": ("cases", "workers"),
}


def assert_adds_up(kept: Kept, whole: Question, shares: Sequence[Bodies]) -> None:
    """What bodies show one by one comes to what they show together, but for moves among them."""
    told = ask(kept.engine, kept.ledger, whole)
    each = [ask(kept.engine, kept.ledger, whole._replace(bodies=it)) for it in shares]
    for at, figure in enumerate(told.figures):
        for number, part in enumerate(figure.parts):
            if part.key in _ADDS_UP.get(figure.formula, ()):
                found = [it.figures[at].parts[number].value or 0 for it in each]
                assert sum(found) == part.value, (figure.formula, part.key)


def test_bodies_levels_and_heads_of_the_return_add_up_to_the_whole(
    small: Kept, weeks: list[Recorded]
):
    """One by one, level by level, and in both trees; nothing is counted twice or left out."""
    whole = all_of(weeks, period=QUARTER)
    assert_adds_up(small, whole, [Bodies(("/",), body_id=it) for it in PLACES])
    assert_adds_up(small, whole, [Bodies(("/",), level=it) for it in LADDER])
    assert_adds_up(small, whole, [head_of_the_return(it) for it in GROUPS])
    assert_adds_up(small, whole, [Bodies((f"/{it}/",)) for it in ("federation", "subcentre")])


def test_a_body_that_is_left_out_is_missed(small: Kept, weeks: list[Recorded]):
    """The proof above goes red when one body is in none of the shares."""
    whole = all_of(weeks)
    with pytest.raises(AssertionError):
        assert_adds_up(small, whole, [Bodies(("/",), body_id=it) for it in PLACES if it != "west"])


def test_a_move_no_movement_has_a_name_for_stops_the_fold(
    weeks: list[Recorded], monkeypatch: pytest.MonkeyPatch
):
    """A ledger that does not know withdrawals writes nothing rather than a wrong line."""
    terms = import_module("projections.statistics.ledger")._TERMS
    monkeypatch.delitem(terms, CaseWithdrawn)
    with pytest.raises(LookupError, match=r"case\.withdrawn"):
        Ledger().fold(weeks, lambda _table, _keys: {})


def test_an_identity_that_forgets_the_withdrawn_does_not_close(
    small: Kept, weeks: list[Recorded], monkeypatch: pytest.MonkeyPatch
):
    """`balances` is no decoration: it says false when what went out is not all named."""
    flow, *others = formulas.FORMULAS
    assert flow.balance is not None
    came, went = flow.balance
    forgets = flow._replace(balance=(came, tuple(it for it in went if it != "withdrawn")))
    module = import_module("projections.statistics.figures")
    monkeypatch.setattr(module, "FORMULAS", (forgets, *others))
    told = ask(small.engine, small.ledger, all_of(weeks)).figures[0]
    assert told.balances is False


def _spoiled(kept: Kept, change: sa.Update | sa.Delete) -> Kept:
    with writing(kept.engine) as connection:
        assert connection.execute(change).rowcount > 0
    return kept


def test_lines_that_were_lost_are_found(small: Kept, weeks: list[Recorded]):
    """The equality above goes red without the withdrawals."""
    line = small.ledger.line
    assert_reckoned(small, weeks, all_of(weeks))
    lossy = _spoiled(small, sa.delete(line).where(line.c.term == "withdrawn"))
    with pytest.raises(AssertionError):
        assert_reckoned(lossy, weeks, all_of(weeks))


def test_moves_inside_a_roll_up_that_are_counted_are_found(small: Kept, weeks: list[Recorded]):
    """The equality above goes red when a ledger sends every moved case out of the district."""
    line = small.ledger.line
    moved = line.c.term.in_(("moved-in", "moved-out"))
    elsewhere = sa.update(line).where(moved).values(other_body_path="elsewhere/")
    outward = _spoiled(small, elsewhere)
    with pytest.raises(AssertionError, match="moved-in"):
        assert_reckoned(outward, weeks, all_of(weeks))


def test_as_of_by_the_day_of_the_fact_is_found(small: Kept, weeks: list[Recorded]):
    """The equality above goes red when lines are known from the day they are about."""
    middle = weeks[len(weeks) // 2].command_end
    it = all_of(weeks, at_position=middle, today=day_of(weeks, middle))
    assert_reckoned(small, weeks, it)
    line = small.ledger.line
    with reading(small.engine) as connection:
        query = sa.select(line.c.case_id, line.c.n, line.c.position, line.c.occurred_on)
        rows = connection.execute(query.order_by(line.c.occurred_on, line.c.position)).all()
    positions = sorted(row.position for row in rows)
    with writing(small.engine) as connection:
        for row, position in zip(rows, positions, strict=True):
            is_it = sa.and_(line.c.case_id == row.case_id, line.c.n == row.n)
            connection.execute(sa.update(line).where(is_it).values(position=position))
    with pytest.raises(AssertionError):
        assert_reckoned(small, weeks, it)


def test_a_fold_event_by_event_writes_the_same(small: Kept, weeks: list[Recorded]):
    """Batches of one command, of a few, and of everything leave the same rows."""
    first = weeks[: weeks[900].command_end]
    digests = set()
    for batch in (1, 37, len(first)):
        kept = fold(small.engine, first, batch=batch, prefix=f"by{batch}_")
        with reading(small.engine) as connection:
            digests.add(kept.ledger.digest(connection))
    assert len(digests) == 1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_figures_of_any_history_equal_the_reckoning(sqlite_database: str, seed: int):
    """Whatever chance does, in whatever order: nothing stops the fold, and all figures agree."""
    lived = recorded(Office(seed).stories().live(420, registering=0.06))
    spring = Period(date(2026, 3, 1), date(2026, 3, 31))
    with _opened(sqlite_database) as engine:
        kept = fold(engine, lived)
        for at_position in (lived[len(lived) // 2].command_end, len(lived)):
            for bodies in (EVERYTHING, Bodies(("/quzong/xicheng/",)), Bodies(("/",), "hehua")):
                asked = all_of(lived, bodies=bodies, period=spring, at_position=at_position)
                assert_reckoned(kept, lived, asked)


@pytest.mark.parametrize(
    ("first", "last", "before", "year_before"),
    [
        ("2026-03-01", "2026-03-31", "2026-02-01 2026-02-28", "2025-03-01 2025-03-31"),
        ("2024-03-01", "2024-03-31", "2024-02-01 2024-02-29", "2023-03-01 2023-03-31"),
        ("2025-02-01", "2025-02-28", "2025-01-01 2025-01-31", "2024-02-01 2024-02-29"),
        ("2024-02-01", "2024-02-29", "2024-01-01 2024-01-31", "2023-02-01 2023-02-28"),
        ("2026-01-01", "2026-03-31", "2025-10-01 2025-12-31", "2025-01-01 2025-03-31"),
        ("2026-01-01", "2026-12-31", "2025-01-01 2025-12-31", "2025-01-01 2025-12-31"),
        ("2024-02-29", "2024-02-29", "2024-02-28 2024-02-28", "2023-02-28 2023-02-28"),
        ("2025-02-28", "2025-02-28", "2025-02-27 2025-02-27", "2024-02-28 2024-02-28"),
        ("2026-03-09", "2026-03-15", "2026-03-02 2026-03-08", "2025-03-09 2025-03-15"),
        ("2026-02-15", "2026-03-31", "2026-01-01 2026-02-14", "2025-02-15 2025-03-31"),
    ],
)
def test_what_a_period_is_compared_with(first: str, last: str, before: str, year_before: str):
    """Months with months, however long; other spans with as many days; a leap day with the 28th."""
    period = Period(date.fromisoformat(first), date.fromisoformat(last))
    assert period.before() == Period(*map(date.fromisoformat, before.split()))
    assert period.year_before() == Period(*map(date.fromisoformat, year_before.split()))
