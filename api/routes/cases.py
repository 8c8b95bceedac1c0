"""Cases over HTTP: the list, one case now or at a version, its history, actions and due dates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api import answers
from api.answers import MASK, CaseHandedOver, CaseShown, CaseToReceive, DueShown
from api.routes.asking import (
    Asking,
    PageFilter,
    Paging,
    VersionQuestion,
    asking,
    caught_up,
    fitting,
    told,
)
from api.security import marked
from mediation import authority, kernel
from mediation.application import Mediation
from mediation.authority import Visibility
from mediation.calendar import DueDate, day_of, explain
from mediation.case.intake import CaseRegistered
from mediation.case.state import CaseState
from mediation.case.values import Party, Phase, Sheet, UrgentReport
from mediation.codes import Label, is_code, label, phase_label
from mediation.errors import FieldFault, Malformed, NotFound
from mediation.network.accounts import Role
from mediation.privacy import Personal, Purpose, Sealed, sealed_values
from mediation.reading import AsOf
from mediation.store import Recorded
from projections.base import reading

router = APIRouter()
ONE = "/cases/{case_id}"

Opened = Mapping[Sealed, str | None]


class CaseFilter(PageFilter):
    """Which cases are listed."""

    phase: Phase | None = None
    level: str | None = None
    body_id: str | None = None


class CaseQuestion(VersionQuestion):
    """How one case is shown: as of when, and whether personal data in clear."""

    personal: Annotated[str, Field(pattern="^(masked|clear)$")] = "masked"
    reason: Annotated[str, Field(pattern="^[a-z][a-z0-9-]{0,63}$")] | None = None


class HistoryQuestion(VersionQuestion, PageFilter):
    """Up to when the events of a case are shown, and how many of them at once."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 1000


@router.get("/cases")
@marked("cases.list", audited=False, answer=answers.CasePage)
def list_cases(request: Request, asked_for: Annotated[CaseFilter, Query()]) -> Response:
    """List the cases in scope, those received last first."""
    asked = asking(request)
    engine = asked.engine
    require_known(engine.mediation, asked_for.level, asked_for.body_id)
    caught_up(asked, engine.followers[engine.case_file.name])
    paging = Paging(asked, "GET /cases", asked_for, tuple[date, UUID])
    with reading(engine.read_engine) as connection:
        page = engine.case_file.page(
            connection,
            engine.mediation.scope_of(asked.actor_id),
            phase=asked_for.phase.value if asked_for.phase else None,
            level=asked_for.level,
            body_id=asked_for.body_id,
            limit=asked_for.limit,
            after=paging.after,
        )
    return told(
        answers.CasePage(
            items=page.items,
            next=paging.next(page.next_key),
            as_of_position=page.as_of_position,
            parked=page.parked,
        ),
        position=page.as_of_position,
    )


def require_known(mediation: Mediation, level: str | None, body_id: str | None) -> None:
    """Refuse a filter by a level or a body that there is not.

    Raises:
        Malformed: no ladder has the level.
        NotFound: the district has no such body.
    """
    if level is not None and not any(it.has_level(level) for it in mediation.ladders.values()):
        raise Malformed(
            zh="没有这一层级，请从现行层级规则中选择。",
            en="There is no such level; choose one of the ladder's.",
            faults=(FieldFault("/query/level", "unknown-code"),),
        )
    if body_id is not None:
        mediation.network().body(body_id)


@router.get(ONE)
@marked("cases.read", audited=True, answer=CaseShown | CaseToReceive | CaseHandedOver)
def read_case(
    request: Request, case_id: UUID, asked_for: Annotated[CaseQuestion, Query()]
) -> Response:
    """Show a case as it stands or stood, personal data masked unless asked for in clear."""
    asked = asking(request)
    mediation, route = asked.engine.mediation, "GET /cases/{case_id}"
    then = asked_for.then(asked.engine)
    opened: Opened | None = None
    if asked_for.personal == "clear":
        _, opened = mediation.open_case(
            case_id, actor_id=asked.actor_id, route=route, reason=asked_for.reason
        )
    case, seen = mediation.case(case_id, actor_id=asked.actor_id, route=route, then=then)
    if seen is Visibility.FORMER:
        return told(_handed_over(case), position=asked.head)
    if seen is Visibility.RECEIVER:
        return told(_to_receive(case), position=asked.head, version=case.version)
    texts = None
    if opened is not None:
        events, _ = mediation.history(case_id, actor_id=asked.actor_id, route=route, then=then)
        texts = texts_of(events, opened)
    shows_source = not mediation.is_employer_side(asked.actor_id, case_id)
    seen_as = mediation.as_seen_by(asked.actor_id, case)
    shown = case_shown(seen_as, mediation, opened, texts, shows_source=shows_source)
    return told(shown, position=holds_for(asked, then), version=case.version)


def holds_for(asked: Asking, then: AsOf | int | None) -> int:
    """Give the position that an answer holds for; a version holds at every later one, too."""
    return then.position if isinstance(then, AsOf) else asked.head


def case_shown(
    case: CaseState,
    mediation: Mediation,
    opened: Opened | None = None,
    texts: tuple[answers.TextShown, ...] | None = None,
    *,
    shows_source: bool = True,
) -> CaseShown:
    """Show a whole case; without `opened` everything personal is masked.

    Without `shows_source` it is not told who brought the matter up, and by which way.
    """
    phase = case.phase.value if case.phase else ""
    return CaseShown(
        case_id=case.case_id or UUID(int=0),
        visibility=Visibility.FULL,
        version=case.version,
        case_number=case.case_number,
        matter_kind=case.matter_kind,
        matter_kind_label=label("matter_kinds", case.matter_kind),
        entry=case.entry,
        channel=case.channel if shows_source else None,
        phase=phase,
        phase_label=phase_label(case.matter_kind, phase),
        level=case.level,
        level_label=mediation.ladders[case.ladder_ref].level(case.level).label,
        branch=case.branch,
        custody_body_id=case.custody_body_id,
        risk=case.risk,
        risk_label=label("risks", case.risk),
        flags=tuple(sorted(case.flags)),
        cause=case.cause,
        cause_label=label("causes", case.cause),
        received_at=case.received_at,
        filed_by_id=case.filed_by_id if shows_source else None,
        ladder_ref=case.ladder_ref,
        workers=case.workers,
        claimed_fen=case.claimed_fen,
        acceptance_no=case.acceptance_no,
        acceptance_open=case.acceptance_open,
        outcome=case.outcome.value if case.outcome else None,
        mediator_ids=case.mediator_ids,
        lead_mediator_id=case.lead_mediator_id,
        sessions_here=case.sessions_here,
        applicants=tuple(_party(case, party, opened) for party in case.applicants),
        respondents=tuple(_party(case, party, opened) for party in case.respondents),
        lines=case.lines,
        payments=case.payments,
        move=case.move,
        sheets=_sheets(case),
        former=case.former,
        irregularities=tuple(
            answers.IrregularShown(it.event_id, it.code, _label_or_code("irregularities", it.code))
            for it in case.irregularities
        ),
        draft=case.draft,
        term_lapsed=case.term_lapsed,
        demand_answer=case.demand_answer,
        is_fed_back=case.is_fed_back,
        counsel_ids=tuple(sorted(case.counsel_ids)),
        proceedings=case.proceedings,
        reports=tuple(_report(it, opened) for it in case.reports),
        due=_open_dates(case),
        texts=texts,
    )


def _shown(value: Sealed | None, opened: Opened | None) -> str | None:
    if value is None:
        return None
    return MASK if opened is None else opened.get(value, MASK)


def _report(report: UrgentReport, opened: Opened | None) -> answers.ReportShown:
    return answers.ReportShown(
        report_no=report.report_no,
        addressees=tuple(
            answers.AddresseeShown(kind=it.kind, body_id=it.body_id, name=_shown(it.name, opened))
            for it in report.addressees
        ),
        acknowledged=tuple(sorted(report.acknowledged)),
    )


def _party(case: CaseState, party: Party, opened: Opened | None) -> answers.PartyShown:
    def shown(value: Sealed | None) -> str | None:
        return _shown(value, opened)

    answer = case.consents.get(party.party_id)
    return answers.PartyShown(
        party_id=party.party_id,
        side=party.side.value,
        role=party.role,
        party_kind=party.party_kind,
        provisional=party.provisional,
        company_name=party.company_name,
        credit_code=party.credit_code,
        name=shown(party.name),
        id_number=shown(party.id_number),
        phone=shown(party.phone),
        address=shown(party.address),
        consent=answer.value if answer else None,
    )


def _sheets(case: CaseState) -> tuple[Sheet, ...]:
    """Give each party's latest sheet to the body that the pending move waits for."""
    if case.receiver_body_id is None:
        return ()
    found = (case.sheet_of(party.party_id, case.receiver_body_id) for party in case.parties)
    return tuple(sheet for sheet in found if sheet is not None)


def texts_of(events: list[Recorded], opened: Opened) -> tuple[answers.TextShown, ...]:
    """Give the free texts of events that were opened; one that stays closed is masked."""
    return tuple(
        answers.TextShown(
            version=recorded.originator_version,
            topic=recorded.topic,
            field=path,
            text=opened.get(sealed, MASK),
        )
        for recorded in events
        for path, sealed in sealed_values(kernel.decode(recorded.topic, recorded.state))
        if sealed.purpose is Purpose.FREE_TEXT
    )


def _to_receive(case: CaseState) -> CaseToReceive:
    move = case.move
    if move is None or case.case_id is None:
        msg = "only the body that a pending move waits for is shown its summary"
        raise AssertionError(msg)
    return CaseToReceive(
        case_id=case.case_id,
        visibility=Visibility.RECEIVER,
        version=case.version,
        case_number=case.case_number,
        level=case.level,
        risk=case.risk,
        cause=case.cause,
        cause_label=label("causes", case.cause),
        workers=case.workers,
        move_kind=move.kind.value,
        move_label=label("move_kinds", move.kind.value),
        ground=move.ground,
        ground_label=label("grounds", move.ground),
        from_body_id=case.custody_body_id,
        days_left=move.days_left,
        answer_due=due_shown(move.answer_due) if move.answer_due else None,
    )


def _handed_over(case: CaseState) -> CaseHandedOver:
    return CaseHandedOver(
        case_id=case.case_id or UUID(int=0),
        visibility=Visibility.FORMER,
        case_number=case.case_number,
        level=case.level,
        phase=case.phase.value if case.phase else "",
        outcome=case.outcome.value if case.outcome else None,
    )


@router.get(f"{ONE}/history")
@marked("cases.history", audited=True, answer=answers.History)
def read_history(
    request: Request, case_id: UUID, asked_for: Annotated[HistoryQuestion, Query()]
) -> Response:
    """Show the events of a case that the viewer may read, nothing personal in clear.

    A page ends at `limit` events or at about a megabyte.
    """
    asked = asking(request)
    mediation, route = asked.engine.mediation, "GET /cases/{case_id}/history"
    then = asked_for.then(asked.engine)
    paging = Paging(asked, route, asked_for, tuple[int], case_id=case_id)
    events, seen = mediation.history(case_id, actor_id=asked.actor_id, route=route, then=then)
    shows_source = not mediation.is_employer_side(asked.actor_id, case_id)
    after = paging.after[0] if paging.after else 0
    items, more = fitting(
        (
            history_item(it, shows_source=shows_source)
            for it in events
            if it.originator_version > after
        ),
        asked_for.limit,
    )
    history = answers.History(
        case_id=case_id,
        visibility=seen,
        items=items,
        next=paging.next((items[-1].version,) if more else None),
    )
    return told(history, position=holds_for(asked, then))


_TOLD_APART = frozenset(kernel.ENVELOPE) | {
    "phase",
    "due",
    "due_ended",
    "irregularities",
}


def history_item(
    recorded: Recorded, *, shows_source: bool = True, opened: Opened | None = None
) -> answers.HistoryItem:
    """Show one event of a case; what is sealed in it stays so, unless it was `opened`.

    Without `shows_source` it is not told who brought the matter up, and by which way.
    """
    event: Any = kernel.decode(recorded.topic, recorded.state)
    is_source = isinstance(event, CaseRegistered) and not shows_source
    fields = {
        name: masked(value, opened)
        for name, value in msgspec.to_builtins(event).items()
        if name not in _TOLD_APART and not (is_source and name == "channel")
    }
    return answers.HistoryItem(
        position=recorded.position,
        version=recorded.originator_version,
        topic=recorded.topic,
        label=label("events", recorded.topic.partition("/")[0]),
        occurred_at=event.occurred_at,
        recorded_at=recorded.recorded_at,
        decided_at=event.decided_at,
        actor_id=None if is_source else event.actor_id,
        role=None if is_source else event.role,
        role_label=None if is_source else label("roles", event.role),
        body_id=None if is_source else event.body_id,
        phase=event.phase.value,
        reason_code=event.reason_code,
        legal_basis=event.legal_basis,
        irregularities=irregular(event),
        due=tuple(due_shown(due) for due in event.due),
        due_ended=event.due_ended,
        approved_by_ids=event.approved_by_ids,
        approved_as=event.approved_as,
        late_days=max(0, (day_of(event.decided_at) - day_of(event.occurred_at)).days),
        fields=fields,
    )


_SEALED = frozenset(Sealed.__struct_encode_fields__)


def masked(value: Any, opened: Opened | None = None) -> Any:
    """Give a stored value with nothing sealed in it, but the text of what was `opened`."""
    if isinstance(value, Sealed):
        sealed: dict[str, Any] = {"sealed": True}
        return {**sealed, "text": opened[value]} if opened and value in opened else sealed
    if isinstance(value, dict):
        if value.keys() == _SEALED:
            return masked(msgspec.convert(value, Sealed), opened)
        return {name: masked(item, opened) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item, opened) for item in value]
    return value


def irregular(event: Any) -> tuple[answers.Irregular, ...]:
    """Give what was irregular about an event; nothing about one that is no recorded fact."""
    return tuple(
        answers.Irregular(code, _label_or_code("irregularities", code))
        for code in getattr(event, "irregularities", ())
    )


def _label_or_code(table: str, code: str) -> Label:
    return label(table, code) if is_code(table, code) else Label(code, code)


def due_shown(due: DueDate) -> DueShown:
    """Give a due date with its explanation in both languages."""
    return DueShown(**msgspec.structs.asdict(due), explain=Label(**explain(due)))


def _open_dates(case: CaseState) -> tuple[DueShown, ...]:
    return tuple(
        due_shown(due) for due in sorted(case.due.values(), key=lambda it: (it.due_on, it.code))
    )


@router.get(f"{ONE}/deadlines")
@marked("cases.deadlines", audited=True, answer=answers.Deadlines)
def read_deadlines(
    request: Request, case_id: UUID, asked_for: Annotated[VersionQuestion, Query()]
) -> Response:
    """Show the open due dates of a case; to the receiver of a move, that of his answer."""
    asked = asking(request)
    then = asked_for.then(asked.engine)
    items = _dates_seen(asked, case_id, then, "GET /cases/{case_id}/deadlines")
    shown = answers.Deadlines(case_id=case_id, items=items)
    return told(shown, position=holds_for(asked, then))


@router.get(f"{ONE}/deadlines/{{code}}")
@marked("cases.deadline", audited=True, answer=answers.Deadlines)
def read_deadline(
    request: Request,
    case_id: UUID,
    code: Annotated[str, Path(pattern="^D[0-9]{2}$")],
    asked_for: Annotated[VersionQuestion, Query()],
) -> Response:
    """Show the open due dates of one code: several where each is about something of its own."""
    asked = asking(request)
    route = "GET /cases/{case_id}/deadlines/{code}"
    then = asked_for.then(asked.engine)
    items = _dates_seen(asked, case_id, then, route)
    found = tuple(due for due in items if due.code == code)
    if not found:
        raise NotFound(
            zh="本案没有这一期限在计算，请从期限列表中选择。",
            en="No such due date is open in this case; choose one of those listed.",
            code="deadline-unknown",
        )
    shown = answers.Deadlines(case_id=case_id, items=found)
    return told(shown, position=holds_for(asked, then))


def _dates_seen(
    asked: Asking, case_id: UUID, then: AsOf | int | None, route: str
) -> tuple[DueShown, ...]:
    mediation, actor_id = asked.engine.mediation, asked.actor_id
    case, seen = mediation.case(case_id, actor_id=actor_id, route=route, then=then)
    if seen is Visibility.FULL:
        return _open_dates(mediation.as_seen_by(actor_id, case))
    if seen is Visibility.RECEIVER and case.move is not None and case.move.answer_due:
        return (due_shown(case.move.answer_due),)
    return ()


@router.get(f"{ONE}/actions")
@marked("cases.actions", audited=True, answer=answers.Actions)
def read_actions(
    request: Request, case_id: UUID, asked_for: Annotated[VersionQuestion, Query()]
) -> Response:
    """Show every action: allowed or why not, who may, and what has to be filled in.

    As of an earlier moment: what the rules allowed in the case as it stood, and whether the viewer
    could have done it with what he may do today.
    """
    asked = asking(request)
    then = asked_for.then(asked.engine)
    case, seen = asked.engine.mediation.case(
        case_id, actor_id=asked.actor_id, route="GET /cases/{case_id}/actions", then=then
    )
    # What is possible tells how the case stands; that is no business of a body that gave it away.
    if seen is Visibility.FORMER:
        shown = answers.Actions(case_id=case_id, version=0, items=())
        return told(shown, position=asked.head)
    items = _actions(asked, case_id, then)
    return told(
        answers.Actions(case_id=case_id, version=case.version, items=items),
        position=holds_for(asked, then),
        version=case.version,
    )


def _actions(asked: Asking, case_id: UUID, then: AsOf | int | None) -> tuple[answers.Action, ...]:
    found = asked.engine.mediation.actions(
        case_id, actor_id=asked.actor_id, route="GET /cases/{case_id}/actions", then=then
    )
    known = kernel.commands()
    return tuple(
        answers.Action(
            command=name,
            label=label("commands", known[name].command_type.__name__),
            allowed=not refusals,
            refusals=refusals,
            who=_who(name, roles),
            mine=is_mine,
            fields=form_of(known[name].command_type),
        )
        for name, (refusals, roles, is_mine) in found.items()
    )


def _who(name: str, roles: tuple[Role, ...]) -> tuple[answers.Who, ...]:
    row = authority.TABLE[name]
    return tuple(
        answers.Who(
            role=role.value,
            label=label("roles", role),
            condition=Label(row[role].zh, row[role].en),
        )
        for role in roles
    )


def personal_schema(kind: type) -> dict[str, Any]:
    """Describe `Personal` to JSON Schema: a text, which is sealed before it is stored."""
    if kind is Personal:
        return {"type": "string", "minLength": 1, "maxLength": 4000, "x-personal": True}
    raise NotImplementedError


@cache
def form_of(command_type: type[kernel.Command]) -> dict[str, Any]:
    """Give the JSON Schema of a command's body."""
    schema = msgspec.json.schema(command_type, schema_hook=personal_schema)
    definitions = schema.pop("$defs")
    form: dict[str, Any] = definitions.pop(command_type.__name__)
    return {**form, "$defs": definitions} if definitions else form
