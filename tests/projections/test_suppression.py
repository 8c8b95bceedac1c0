"""What is withheld from whoever does not see the cases does not follow from what he is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import Engine

from mediation.store import migrate, open_engine, writing
from projections.base import create, reading
from projections.statistics import Bodies, Figures, Ledger, Period, figures, suppressed
from projections.statistics import relations as relations_of
from projections.statistics.figures import Compared, Figure
from projections.statistics.suppression import Balance, is_small
from tests.conftest import DISTRICT, LOG_ID
from tests.databases import BACKENDS, fresh_postgresql, fresh_sqlite
from tests.projections.attacker import given_back
from tests.projections.county import LADDER
from tests.projections.happened import Happened
from tests.projections.histories import START
from tests.projections.reckoning import SOURCE

MONTH = Period(date(2026, 5, 1), date(2026, 5, 31))
YEAR = Period(date(2026, 1, 1), date(2026, 12, 31))
TODAY = date(2027, 1, 15)
EVERYTHING, EAST = Bodies(("/",)), Bodies(("/east/",))
SEEDS = 24


class Asked(NamedTuple):
    """What was worked out, and whether of all bodies that there are."""

    found: Figures
    is_whole: bool


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A database for the ledgers of this file."""
    opened = open_engine(fresh_sqlite(tmp_path_factory.mktemp("ledgers")))
    migrate(opened, district=DISTRICT, kind="test", log_id=LOG_ID, at=START)
    yield opened
    opened.dispose()


def answer(engine: Engine, ledger: Ledger, period: Period, bodies: Bodies = EVERYTHING) -> Figures:
    """Work out all figures."""
    with reading(engine) as connection:
        return figures(
            connection,
            ledger,
            bodies,
            period=period,
            today=TODAY,
            levels=LADDER,
            at_source=SOURCE,
        )


@pytest.fixture(scope="module")
def answers(engine: Engine) -> list[Asked]:
    """A month and a year of many districts that never were, and of their eastern halves."""
    found = []
    for seed in range(SEEDS):
        ledger = Ledger(f"s{seed}_")
        Happened(seed, cases=(20, 60, 150, 400)[seed % 4]).keep(engine, ledger)
        for bodies in (EVERYTHING, EAST):
            is_whole = bodies == EVERYTHING
            found += [Asked(answer(engine, ledger, it, bodies), is_whole) for it in (MONTH, YEAR)]
    return found


def withheld(found: Figures) -> Figures:
    """Withhold as the API does."""
    return suppressed(found, frozenset(SOURCE))


def parts(figure: Figure) -> dict[str, float | None]:
    """Give the parts of a figure by name."""
    return {it.key: it.value for it in figure.parts}


def by_code(found: Figures) -> dict[str, Figure]:
    """Give the figures by code."""
    return {it.formula: it for it in found.figures}


def test_nothing_withheld_follows_from_what_is_told(answers: list[Asked]):
    """Whatever is null, and whatever comes to few, cannot be solved for from a whole answer."""
    few = 0
    for found, is_whole in answers:
        told = withheld(found)
        assert given_back(found, told, is_whole=is_whole) == []
        few += sum(
            it.value is not None and is_small(it.value)
            for figure in found.figures
            for it in figure.parts
        )
    assert few > 1000


def _one_by_one(found: Figures) -> Figures:
    each = (msgspec.structs.replace(found, figures=(it,)) for it in found.figures)
    return msgspec.structs.replace(found, figures=tuple(withheld(it).figures[0] for it in each))


def _with_what_was(found: Figures) -> Figures:
    told = withheld(found)
    compared = (
        msgspec.structs.replace(it, period_before=of.period_before)
        for it, of in zip(told.figures, found.figures, strict=True)
    )
    return msgspec.structs.replace(told, figures=tuple(compared))


@pytest.mark.parametrize("broken", [_one_by_one, _with_what_was])
def test_figures_that_are_withheld_one_by_one_give_each_other_away(
    answers: list[Asked], broken: Callable[[Figures], Figures]
):
    """The proof above goes red for each figure on its own, and where comparisons are told."""
    assert any(given_back(it, broken(it), is_whole=is_whole) for it, is_whole in answers[:40])


@pytest.mark.parametrize("relation", ["_moved", "_divided", "_of_levels"])
def test_a_relation_that_is_forgotten_gives_numbers_away(
    answers: list[Asked], monkeypatch: pytest.MonkeyPatch, relation: str
):
    """The proof above goes red without moves between levels, parts of flows, or levels."""
    monkeypatch.setattr(relations_of, relation, lambda *_: iter(()))
    assert any(given_back(it, withheld(it), is_whole=is_whole) for it, is_whole in answers)


def test_small_numbers_that_are_hidden_alone_follow_from_the_others(
    answers: list[Asked], monkeypatch: pytest.MonkeyPatch
):
    """The proof above goes red when nothing is hidden with them."""
    monkeypatch.setattr(Balance, "hide_what_follows", lambda _: None)
    assert any(given_back(it, withheld(it), is_whole=is_whole) for it, is_whole in answers[:20])


def test_a_comparison_is_withheld_with_either_side(answers: list[Asked]):
    """No value of another period, nor a change, stands beside a figure that is null."""
    told = 0
    for found, _ in answers:
        for figure, of in zip(withheld(found).figures, found.figures, strict=True):
            pairs = (
                (figure.period_before, of.period_before),
                (figure.year_before, of.year_before),
            )
            for then, before in pairs:
                if then != before:
                    assert _said(then) == (None, None, None, None)
                elif then.numerator is not None:
                    assert figure.numerator is not None
                    told += 1
    assert told > 100


def _said(then: Compared) -> tuple[float | None, ...]:
    return (then.value, then.numerator, then.denominator, then.change)


def test_the_year_of_a_district_is_told(engine: Engine):
    """Its large numbers are told whatever is small beside them: flows, shares, and most levels."""
    ledger = Ledger("big_")
    Happened(6, cases=3_000).keep(engine, ledger)
    found = answer(engine, ledger, YEAR)
    told = by_code(withheld(found))
    for code, keys in {
        "F01": ("registered", "accepted-new"),
        "F02": ("accepted-new", "concluded", "closing"),
        "F06": ("agreed", "concluded"),
        "F19": ("registered", "fed-back"),
    }.items():
        assert all(parts(told[code])[it] for it in keys), code
    for code in ("F02", "F04", "F05", "F06", "F11", "F14", "F15", "F16"):
        assert told[code].value is not None, code
    large = [
        (of, it)
        for of, it in zip(_values(found), _values(withheld(found)), strict=True)
        if of is not None and of >= 50
    ]
    assert sum(it is not None for _, it in large) > 0.8 * len(large)


def _values(found: Figures) -> list[float | None]:
    return [
        it.value
        for figure in found.figures
        for value in (figure, *figure.levels)
        for it in value.parts
    ]


@pytest.mark.parametrize(
    ("count", "is_few"),
    [(-7, True), (-1, True), (0, False), (1, True), (4, True), (5, False), (2.5, True)],
)
def test_numbers_of_one_to_four_are_small_and_so_are_those_below_nothing(
    count: float, *, is_few: bool
):
    """Nothing is told of nobody; a stock below nothing tells of facts that are wrong."""
    assert is_small(count) is is_few


class Paid:
    """A ledger of payments that were due and made: as many cases, so many of each."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        migrate(self.engine, district=DISTRICT, kind="test", log_id=LOG_ID, at=START)
        self.ledger = Ledger()
        create(self.engine, [self.ledger])

    def keep(self, cases: int, instalments: int, fen: int) -> None:
        """Write down what was owed on one paper a case, each payment on a line of its own."""
        day = MONTH.first + timedelta(days=3)
        place = {"body_id": "b", "body_path": "/b/", "level": "township", "branch": None}
        rows: list[dict[str, Any]] = []
        for case in range(cases):
            for at in range(instalments):
                for n, term in enumerate(("owed", "applied")):
                    rows.append(
                        dict.fromkeys(self.ledger.line.columns.keys())
                        | place
                        | {
                            "case_id": UUID(int=case),
                            "n": 2 * at + n,
                            "position": 1,
                            "version": 1,
                            "case_number": str(case),
                            "occurred_on": day,
                            "term": term,
                            "matter": "DISPUTE",
                            "detail": "mediation",
                            "workers": 1,
                            "fen": fen,
                            "obligation_id": UUID(int=(case << 32) + at),
                            "paper_id": UUID(int=case),
                            "due_on": day,
                        }
                    )
        with writing(self.engine) as connection:
            connection.execute(self.ledger.line.insert(), rows)

    def figures(self) -> Figures:
        """Ask about the month."""
        return answer(self.engine, self.ledger, MONTH)


@pytest.fixture(params=BACKENDS)
def paid(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Paid]:
    """An empty ledger of payments, on each kind of database."""
    if request.param == "sqlite":
        found = Paid(fresh_sqlite(tmp_path_factory.mktemp("paid")))
        yield found
        found.engine.dispose()
        return
    with fresh_postgresql(request.getfixturevalue("postgresql_cluster")) as url:
        found = Paid(url)
        yield found
        found.engine.dispose()


@pytest.mark.parametrize(("cases", "is_told"), [(1, False), (4, False), (5, True)])
def test_a_sum_of_money_is_told_of_five_cases_not_of_five_payments(
    paid: Paid, cases: int, *, is_told: bool
):
    """Instalments of one worker, papers and lines are no cases; F12 tells no more than F15."""
    paid.keep(cases=cases, instalments=6, fen=100)
    found = by_code(paid.figures())
    told = by_code(withheld(paid.figures()))
    for code, key in (
        ("F14", "agreed"),
        ("F14", "applied"),
        ("F15", "mediation"),
        ("F12", "due-fen"),
        ("F12", "applied-fen"),
        ("F12", "performed"),
        ("F12", "instruments"),
    ):
        (known,) = (it for it in found[code].parts if it.key == key)
        assert known.cases == cases, (code, key)
        assert parts(told[code])[key] == (known.value if is_told else None), (code, key)
        assert parts(found[code])["applied" if code == "F14" else key] is not None
    assert all(it.cases is None for figure in told.values() for it in figure.parts)


def test_sums_of_money_are_right_beyond_sixty_four_bits(paid: Paid):
    """A thousand and thirty payments of nine thousand billion yuan come to what they come to."""
    paid.keep(cases=10, instalments=103, fen=9 * 10**15)
    found = by_code(paid.figures())
    for code, key in (
        ("F14", "agreed"),
        ("F14", "applied"),
        ("F15", "mediation"),
        ("F12", "due-fen"),
        ("F12", "applied-fen"),
    ):
        assert parts(found[code])[key] == 1030 * 9 * 10**15, (code, key)
    assert found["F12"].value == 1
