"""The lines behind every number: as many, and of as much, as it says, and none that is not read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from functools import cache
from importlib import import_module
from math import inf
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from mediation.authority import Scope, Visibility
from mediation.case.state import CaseState
from mediation.network.accounts import Grant, Role
from mediation.store import Recorded
from projections.base import reading
from projections.statistics import (
    Bodies,
    Formula,
    Line,
    LinePage,
    Number,
    formula,
    lines_behind,
    measure_of,
)
from projections.statistics.formulas import (
    Days,
    DueFen,
    Flow,
    Instruments,
    Late,
    Mean,
    Measure,
    Stock,
)
from projections.statistics.periods import DAY
from projections.statistics.tally import Due
from tests.databases import BACKENDS, fresh_postgresql, fresh_sqlite
from tests.projections.county import LADDER, PLACES, person
from tests.projections.district import LONG_AGO
from tests.projections.histories import recorded
from tests.projections.ledgers import (
    PERIODS,
    Kept,
    Question,
    all_of,
    ask,
    fold,
    opened,
    questions_of,
)
from tests.projections.reckoning import SOURCE
from tests.projections.year import Year

pytestmark = pytest.mark.long


def scope_of(path: str) -> Scope:
    """Make somebody who leads a body."""
    body_id = path.strip("/").rpartition("/")[2]
    grant = Grant(role=Role.LEAD, body_id=body_id, path=path, from_on=LONG_AGO, until_on=None)
    return Scope([grant], actor_id=person("lead", body_id), on=date(2026, 11, 27))


EVERYBODY = scope_of("/")


def pages(
    kept: Kept, it: Question, measure: Measure, *, scope: Scope = EVERYBODY, limit: int = 5000
) -> Iterator[LinePage]:
    """List the lines behind a number, page by page."""
    after: Any = None
    with reading(kept.engine) as connection:
        while True:
            page = lines_behind(
                connection,
                kept.ledger,
                measure,
                it.bodies,
                scope=scope,
                period=it.period,
                today=it.today,
                at_source=frozenset(SOURCE),
                at_position=it.at_position,
                limit=limit,
                after=after,
            )
            yield page
            after = page.next_key
            if after is None:
                return


def lines(kept: Kept, it: Question, measure: Measure) -> list[Line]:
    """List all of them for somebody who sees every case."""
    found = list(pages(kept, it, measure))
    assert all(page.withheld == 0 for page in found)
    return [line for page in found for line in page.items]


def value_of(published: Formula, part: str, found: list[Line]) -> float | None:  # noqa: PLR0911 - one for each kind
    """Count once more, from its lines, what a part of a figure comes to."""
    measure = published.parts[part.partition(".")[0]]
    if isinstance(measure, Mean):
        return round(sum(it.workers for it in found) / len(found), 4) if found else None
    if isinstance(measure, Days):
        days = sorted(it.days or 0 for it in found)
        return days[-(-len(days) * measure.percent // 100) - 1] if days else None
    if isinstance(measure, Instruments):
        return len({it.paper_id for it in found})
    if isinstance(measure, Stock):
        return len({it.case_id for it in found})
    if isinstance(measure, DueFen) or (isinstance(measure, Flow) and measure.measure == "fen"):
        return sum(it.fen for it in found)
    if isinstance(measure, Flow) and measure.measure == "workers":
        return sum(it.workers for it in found)
    return len(found)


def assert_lined_up(kept: Kept, it: Question, events: dict[tuple[UUID, int], Recorded]) -> int:
    """Hold every part of every figure against its lines, and each line against its event."""
    checked = 0
    known: dict[Measure, list[Line]] = {}
    for figure in ask(kept.engine, kept.ledger, it).figures:
        published = formula(figure.formula)
        assert published is not None
        for part in figure.parts:
            measure = measure_of(published, part.key)
            found = known.get(measure) or known.setdefault(measure, lines(kept, it, measure))
            where = (figure.formula, part.key)
            assert part.value == value_of(published, part.key, found), where
            _assert_told_of(part, found, where, is_of_days=figure.unit == "day")
            for line in found:
                event = events[line.case_id, line.version]
                assert event.command_end == line.position <= it.at_position, where
                is_of_period = it.period.first <= line.occurred_on <= it.period.last
                assert is_of_period or not isinstance(measure, Flow), where
            checked += len(found)
    return checked


def _assert_told_of(
    part: Number, found: list[Line], where: tuple[str, str], *, is_of_days: bool
) -> None:
    assert part.workers in (None, sum(line.workers for line in found)), where
    # Days are those of acceptances: a case that was concluded twice counts twice.
    cases = len(found) if is_of_days else len({line.case_id for line in found})
    assert part.cases in (None, cases), where


@pytest.fixture(scope="module")
def office() -> Year:
    """A few hundred cases of a year."""
    return Year(seed=3, cases=240)


@pytest.fixture(scope="module")
def weeks(office: Year) -> list[Recorded]:
    """What was recorded of them."""
    return recorded(office)


@pytest.fixture(scope="module")
def events(weeks: list[Recorded]) -> dict[tuple[UUID, int], Recorded]:
    """Each of these by its case and version."""
    return {(UUID(str(it.originator_id)), it.originator_version): it for it in weeks}


@pytest.fixture(scope="module")
def kept_on(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, weeks: list[Recorded]
) -> Iterator[Callable[[str], Kept]]:
    """Give their ledger in a kind of database; nothing changes it."""
    with ExitStack() as keeping:

        @cache
        def kept(backend: str) -> Kept:
            url = fresh_sqlite(tmp_path_factory.mktemp("weeks"))
            if backend == "postgresql":
                cluster = request.getfixturevalue("postgresql_cluster")
                url = keeping.enter_context(fresh_postgresql(cluster))
            return fold(keeping.enter_context(opened(url)), weeks)

        yield kept


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_number_is_what_its_lines_come_to(
    kept_on: Callable[[str], Kept],
    weeks: list[Recorded],
    events: dict[tuple[UUID, int], Recorded],
    backend: str,
):
    """Each part, at three positions, for every set of bodies: so many lines, papers, fen, days."""
    checked = sum(assert_lined_up(kept_on(backend), it, events) for it in questions_of(weeks))
    assert checked > 20_000


def _without_bound(asked: Any, flow: Flow) -> Any:
    return _BEHIND["_flow"](asked, flow._replace(of_period=False))


def _a_day_late(asked: Any, stock: str, until: date) -> Any:
    return _BEHIND["_lies"](asked, stock, until + DAY)


_BEHIND = dict(vars(import_module("projections.statistics.behind")))
_TWINS: dict[str, tuple[Any, str]] = {
    "known": (lambda _columns, _position: sa.true(), "F01"),
    "due_in": (lambda period, today: Due(period.first, period.last, today), "F12"),
    "_flow": (_without_bound, "F08"),
    "_lies": (_a_day_late, "F01"),
}


@pytest.mark.parametrize("name", _TWINS)
def test_lines_found_in_another_way_than_counted_are_noticed(
    kept_on: Callable[[str], Kept],
    weeks: list[Recorded],
    events: dict[tuple[UUID, int], Recorded],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
):
    """Later lines, payments not due yet, a bound that is forgotten, a stock of another day."""
    twin, code = _TWINS[name]
    monkeypatch.setattr(f"projections.statistics.behind.{name}", twin)
    kept = kept_on("sqlite")
    with pytest.raises(AssertionError, match=code):
        assert [assert_lined_up(kept, it, events) for it in questions_of(weeks)]


def test_obligations_are_no_papers(kept_on: Callable[[str], Kept], weeks: list[Recorded]):
    """A paper with two payments has two lines: they count as one only by their paper."""
    found = lines(kept_on("sqlite"), all_of(weeks), Instruments("all"))
    assert len(found) > len({it.paper_id for it in found}) > 10


# Whose events somebody does not read


def reads_until(scope: Scope, path: str, case: CaseState) -> float:
    """Say until which version a body reads a case: up to its hand-over, as its history."""
    seen = scope.sees(case)
    if seen is Visibility.FULL:
        return inf
    former = [it.until_version for it in case.former if it.path == path]
    return max(former) if seen is Visibility.FORMER else 0


_MEASURED: tuple[Measure, ...] = (
    *(Flow(it) for it in ("registered", "accepted", "moved-out", "concluded", "refused")),
    *(Flow(it, credited="other") for it in ("accepted", "refused", "concluded")),
    *(Flow(it, measure="fen") for it in ("claimed", "owed", "released", "applied")),
    *(Stock("open", "closing"), Instruments("all"), DueFen("applied"), Late()),
)
"""What stands behind numbers of every kind."""


def assert_nothing_is_read_past_the_hand_over(kept: Kept, office: Year, it: Question) -> int:
    """Ask for every part by every body: what it reads is told, the rest only counted."""
    hidden = 0
    for place in (it for it in PLACES.values() if it.level != LADDER[-1]):
        scope = scope_of(place.path)
        mine = it._replace(bodies=Bodies((place.path,)))
        for measure in _MEASURED:
            everything = lines(kept, mine, measure)
            read = [
                line
                for line in everything
                if line.version <= reads_until(scope, place.path, office.cases[line.case_id])
            ]
            (page,) = pages(kept, mine, measure, scope=scope)
            assert list(page.items) == read, (place, measure)
            assert page.withheld == len(everything) - len(read)
            hidden += page.withheld
    return hidden


def test_no_body_reads_a_line_past_its_hand_over(
    kept_on: Callable[[str], Kept], office: Year, weeks: list[Recorded]
):
    """Of a case that went on elsewhere, later payments, refusals and ends are counted, not told."""
    kept = kept_on("sqlite")
    assert assert_nothing_is_read_past_the_hand_over(kept, office, all_of(weeks)) > 100


def test_a_body_that_reads_on_is_found(
    kept_on: Callable[[str], Kept],
    office: Year,
    weeks: list[Recorded],
    monkeypatch: pytest.MonkeyPatch,
):
    """The proof above goes red when whoever had a case is told all its lines."""
    monkeypatch.setattr(Scope, "reads_until", lambda *_: inf)
    with pytest.raises(AssertionError, match="Flow"):
        assert_nothing_is_read_past_the_hand_over(kept_on("sqlite"), office, all_of(weeks))


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_pages_tell_each_line_once_and_never_where_one_is_withheld(
    kept_on: Callable[[str], Kept], weeks: list[Recorded], limit: int
):
    """However long a page is: the same lines, as many withheld; it goes on behind a told one."""
    kept = kept_on("sqlite")
    there = 0
    for measure in (Flow("applied", measure="fen"), Flow("accepted"), Stock("open", "closing")):
        for body_id in ("east", "west-hill", "federation"):
            path = PLACES[body_id].path
            it = all_of(weeks, bodies=Bodies((path,)), period=PERIODS[2])
            (whole,) = pages(kept, it, measure, scope=scope_of(path))
            cut = list(pages(kept, it, measure, scope=scope_of(path), limit=limit))
            assert [line for page in cut for line in page.items] == list(whole.items)
            assert sum(page.withheld for page in cut) == whole.withheld
            assert all(len(page.items) == limit for page in cut[:-1])
            for page in cut[:-1]:
                assert page.next_key is not None
                assert page.next_key[:2] == (page.items[-1].position, page.items[-1].case_id)
            there += whole.withheld
    assert there > 5
