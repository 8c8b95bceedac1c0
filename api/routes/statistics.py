"""Figures over HTTP: all of a period, for any set of bodies, and the lines behind any number."""

from __future__ import annotations

from datetime import date
from typing import Annotated, NamedTuple
from uuid import UUID

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api.bootstrap import Engine
from api.routes.asking import (
    Asking,
    AsOfQuestion,
    Moment,
    PageFilter,
    Paging,
    asking,
    ends_a_month,
    moment,
    told,
)
from api.routes.cases import require_known
from api.security import marked
from mediation.codes import Label
from mediation.errors import FieldFault, Malformed, NotFound, NotPermitted, TooFine
from mediation.store.access import AccessKind
from projections.base import reading
from projections.statistics import (
    EARLIEST,
    LATEST,
    Bodies,
    Compared,
    Figure,
    Formula,
    Line,
    Number,
    OfLevel,
    Period,
    figures,
    formula,
    lines_behind,
    measure_of,
    suppressed,
)

router = APIRouter()
ROUTE = "GET /statistics"
LINES_ROUTE = "GET /statistics/{code}/lines"

_Day = Annotated[date, Field(ge=EARLIEST, le=LATEST)]


class FiguresQuestion(AsOfQuestion):
    """Of which days and bodies figures are asked; without a filter of all in scope.

    `body_id` is one body alone, `within` one with all below it, `group` a head of the return.
    Whoever does not see the cases asks for whole months, and for all levels at once.
    """

    first: Annotated[
        _Day | None, Field(alias="from", description="First day; default: of the month.")
    ] = None
    last: Annotated[
        _Day | None, Field(alias="to", description="Last day; default: the present day.")
    ] = None
    level: str | None = None
    body_id: str | None = None
    within: str | None = None
    group: str | None = None


class AllFiguresQuestion(FiguresQuestion):
    """As `FiguresQuestion`; `formula` is the one figure that is wanted."""

    formula: Annotated[str, Field(pattern="^F[0-9]{2}$")] | None = None


class LinesQuestion(FiguresQuestion, PageFilter):
    """As `FiguresQuestion`; `part` is a part of the figure, by its key."""

    part: Annotated[str, Field(min_length=1, max_length=80)]


class LevelFigure(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of one level; of F11 of this level and those below it."""

    level: str
    label: Label
    value: int | float | None
    numerator: int | float | None
    denominator: int | float | None
    balances: bool | None
    parts: tuple[Number, ...]


class FigureShown(msgspec.Struct, frozen=True, kw_only=True):
    """A published figure: a share of 1, or a count, sum in fen, or number of days.

    `balances` says of an identity (F01, F02, F03, F19, F20) that both sides are equal. 环比 is
    `period_before`, 同比 `year_before`. Null is what nothing was counted for, or, where the answer
    is `suppressed`, too few to be told, or what that would follow from.
    """

    formula: str
    formula_version: int
    label: Label
    definition: Label
    unit: str
    value: int | float | None
    numerator: int | float | None
    denominator: int | float | None
    balances: bool | None
    parts: tuple[Number, ...]
    levels: tuple[LevelFigure, ...]
    period_before: Compared
    year_before: Compared


class FiguresShown(
    msgspec.Struct, frozen=True, kw_only=True, rename={"first": "from", "last": "to"}
):
    """The figures of a period as of a position, of the bodies asked for as far as in scope."""

    first: date
    last: date
    level: str | None
    body_id: str | None
    within: str | None
    group: str | None
    suppressed: bool
    figures: tuple[FigureShown, ...]
    as_of_position: int
    parked: int


class LinesShown(msgspec.Struct, frozen=True, kw_only=True):
    """The lines behind a number: which event (`version`) of which case; `next` goes on.

    `withheld` says how many more were counted among these, recorded after the body handed the case
    over, or of a case that it does not see.
    """

    formula: str
    part: str
    items: tuple[Line, ...]
    withheld: int
    next: str | None
    as_of_position: int
    parked: int


class _Question(NamedTuple):
    """A question as the ledger is asked it."""

    bodies: Bodies
    period: Period
    when: Moment
    is_open: bool


@router.get("/statistics")
@marked("statistics.read", audited=False, answer=FiguresShown)
def read_statistics(
    request: Request, asked_for: Annotated[AllFiguresQuestion, Query()]
) -> Response:
    """Give the published figures of a period, each with its parts and how it is counted."""
    asked = asking(request)
    engine = asked.engine
    if asked_for.formula is not None:
        _formula(asked_for.formula)
    question = _question(asked, asked_for, ROUTE)
    if not question.is_open:
        _require_coarse(asked_for, question)
    ladder = engine.mediation.ladder
    with reading(engine.read_engine) as connection:
        found = figures(
            connection,
            engine.ledger,
            question.bodies,
            period=question.period,
            **question.when._asdict(),
            levels=tuple(level.code for level in ladder.levels),
            at_source=_at_source(engine),
            # What is withheld of one figure hangs on what all of the others tell.
            only=asked_for.formula if question.is_open else None,
        )
    if not question.is_open:
        found = suppressed(found, _at_source(engine))
    labels = {level.code: level.label for level in ladder.levels}
    return told(
        FiguresShown(
            first=found.first,
            last=found.last,
            level=asked_for.level,
            body_id=asked_for.body_id,
            within=asked_for.within,
            group=asked_for.group,
            suppressed=not question.is_open,
            figures=tuple(
                _shown(it, labels)
                for it in found.figures
                if asked_for.formula in (None, it.formula)
            ),
            as_of_position=found.as_of_position,
            parked=found.parked,
        ),
        position=found.as_of_position,
    )


@router.get("/statistics/{code}/lines")
@marked("statistics.lines", audited=False, answer=LinesShown)
def read_lines(
    request: Request,
    code: Annotated[str, Path(pattern="^F[0-9]{2}$")],
    asked_for: Annotated[LinesQuestion, Query()],
) -> Response:
    """List the lines that a part of a figure was counted from, those recorded first first."""
    asked = asking(request)
    engine = asked.engine
    measure = measure_of(_formula(code), asked_for.part)
    question = _question(asked, asked_for, LINES_ROUTE)
    if not question.is_open:
        raise NotPermitted(
            zh="您的角色只能查看汇总数字，不能查看其所依据的案件。",
            en="Your role sees the figures, not the cases that they count.",
        )
    paging = Paging(
        asked,
        LINES_ROUTE,
        asked_for,
        tuple[int, UUID, int],
        code=code,
        **question.when._asdict(),
    )
    with reading(engine.read_engine) as connection:
        page = lines_behind(
            connection,
            engine.ledger,
            measure,
            question.bodies,
            # From inside an employer nobody is told a line (ADR 0020).
            scope=engine.mediation.scope_outside(asked.actor_id)
            or engine.mediation.scope_of(asked.actor_id),
            period=question.period,
            **question.when._asdict(),
            at_source=_at_source(engine),
            limit=asked_for.limit,
            after=paging.after,
        )
    return told(
        LinesShown(
            formula=code,
            part=asked_for.part,
            items=page.items,
            withheld=page.withheld,
            next=paging.next(page.next_key),
            as_of_position=page.as_of_position,
            parked=page.parked,
        ),
        position=page.as_of_position,
    )


def _formula(code: str) -> Formula:
    found = formula(code)
    if found is None:
        raise NotFound(
            zh="没有这一指标，请从 GET /statistics 所列的指标中选择。",
            en="There is no such figure; choose one that GET /statistics lists.",
            code="formula-unknown",
        )
    return found


def _question(asked: Asking, asked_for: FiguresQuestion, route: str) -> _Question:
    """Resolve which days, which bodies and which position are meant, and what may be told."""
    engine = asked.engine
    mediation = engine.mediation
    require_known(mediation, asked_for.level, asked_for.body_id)
    when = moment(asked, asked_for, engine.followers[engine.ledger.name])
    last = asked_for.last or max(when.today, asked_for.first or EARLIEST)
    first = asked_for.first or last.replace(day=1)
    if last < first:
        raise Malformed(
            zh="起始日期不得晚于截止日期，请核对 from 和 to。",
            en="The first day lies after the last; check `from` and `to`.",
            faults=(FieldFault("/query/to", "before-from"),),
        )
    scope = mediation.scope_of(asked.actor_id)
    prefixes = scope.counted()
    if not prefixes:
        raise NotPermitted(
            zh="您的角色不查看统计指标，请向单位负责人或者区级统筹员了解。",
            en="Your role reads no figures; ask the lead of the body or the coordinator.",
        )
    for body_id in (asked_for.body_id, asked_for.within):
        if body_id is not None and not mediation.network().body(body_id).path.startswith(prefixes):
            mediation.access.record(
                at=mediation.clock(),
                actor_id=asked.actor_id,
                kind=AccessKind.OUT_OF_SCOPE,
                route=route,
            )
            raise NotFound
    if asked_for.within is not None:
        prefixes = (mediation.network().body(asked_for.within).path,)
    bodies = Bodies(
        prefixes=prefixes,
        body_id=asked_for.body_id,
        level=asked_for.level,
        heads=None if asked_for.group is None else _heads(engine, asked_for.group),
    )
    is_open = mediation.sees_behind(asked.actor_id, prefixes)
    return _Question(bodies, Period(first, last), when, is_open)


def _require_coarse(asked_for: FiguresQuestion, question: _Question) -> None:
    """Refuse whoever is told sums alone what would set two of them apart by single cases.

    Raises:
        TooFine: a position, a moment within a month, days that make no months, or one level alone.
    """
    if asked_for.position is not None:
        raise TooFine(
            zh="您的角色只查看汇总数字，不能按 position 查询；请去掉该参数，"
            "或者用 at 查询以往某月月末。",
            en="Your role is told sums alone, and not by `position`; leave it out, or ask `at` the "
            "end of a past month.",
        )
    if asked_for.at is not None and not ends_a_month(asked_for.at):
        raise TooFine(
            zh="您的角色只能查询以往各月月末的汇总数字；请将 at 改为某月最后一日"
            "（北京时间）的最后一秒，例如 "
            "2026-03-31T23:59:59+08:00，或者去掉 at。",
            en="Your role is told sums as of the end of a month: give `at` as the last second of "
            "its last day in China, such as 2026-03-31T23:59:59+08:00, or leave it out.",
        )
    period, today = question.period, question.when.today
    if not (period.first.day == 1 and (period.is_of_months() or period.last == today)):
        raise TooFine(
            zh="您的角色只能按整月查看汇总数字；请将 from 改为某月1日，"
            "将 to 改为某月最后一日或者当日。",
            en="Your role is told sums of whole months: begin `from` on the first day of a month, "
            "and end `to` on the last day of one, or on the present day.",
        )
    if asked_for.level is not None or asked_for.group is not None:
        raise TooFine(
            zh="您的角色查看的汇总数字已分层级列出，不能单独查询某一层级或者报表归口；"
            "请去掉 level 和 group。",
            en="Your role reads the levels beside the whole, not one of them, nor a head of the "
            "return, alone; leave out `level` and `group`.",
        )


def _heads(engine: Engine, group: str) -> frozenset[tuple[str, str | None]]:
    """Give the levels and branches that count under a head of the return.

    Raises:
        Malformed: no ladder has such a head.
    """
    ladders = engine.mediation.ladders.values()
    if not any(head.code == group for ladder in ladders for head in ladder.return_groups):
        raise Malformed(
            zh="没有这一报表归口，请从层级表的 return_groups 中选择。",
            en="There is no such head of the return; choose one of the ladder's return_groups.",
            faults=(FieldFault("/query/group", "unknown-code"),),
        )
    return frozenset(
        (level.code, branch)
        for ladder in ladders
        for level in ladder.levels
        for branch in (None, *(it.code for it in level.branches))
        if ladder.return_group(level.code, branch) == group
    )


def _at_source(engine: Engine) -> frozenset[str]:
    ladders = engine.mediation.ladders.values()
    return frozenset(level.code for ladder in ladders for level in ladder.levels if level.at_source)


def _shown(figure: Figure, labels: dict[str, Label]) -> FigureShown:
    fields = msgspec.structs.asdict(figure)
    fields["levels"] = tuple(_of_level(it, labels[it.level]) for it in figure.levels)
    return FigureShown(**fields)


def _of_level(value: OfLevel, label: Label) -> LevelFigure:
    return LevelFigure(**msgspec.structs.asdict(value), label=label)
