"""The ways out of the network: a party files, the office follows the proceedings and their result.

Mediation never stands in the way of other remedies (L-PML 3): the party files, the body guides and
records. What a document of arbitration or court sets is tracked like any other obligation.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

import msgspec

from mediation.calendar import DueDate
from mediation.case.conclusion import CLOCKS, concluded, ending_move
from mediation.case.lifecycle import require_allowed
from mediation.case.performance import (
    Entries,
    checks_once_owed,
    obligations_of,
    payments_after,
    superseded_by,
)
from mediation.case.state import (
    CaseEvent,
    CaseFact,
    CaseFacts,
    CaseState,
    RecordedFact,
    due_date,
    require_code,
    unknown,
)
from mediation.case.values import (
    Code,
    Matter,
    Obligation,
    Outcome,
    PartyIds,
    Phase,
    Proceeding,
    Side,
    unique,
)
from mediation.kernel import Decision, decides, evolves, stored_as
from mediation.privacy import Personal, Sealed

_MATTERS = frozenset({Matter.DISPUTE, Matter.AID})


class TakeRemedyRoute(CaseFact, frozen=True, kw_only=True):
    """Record that a party went to arbitration or court; `occurred_at` is when it filed.

    `exception_code` names what permits a suit without arbitration before it.
    """

    matters: ClassVar[frozenset[Matter]] = _MATTERS

    forum: Code
    filed_by_ids: PartyIds
    forum_name: Personal
    docket_no: Personal | None = None
    exception_code: Code | None = None


@decides(TakeRemedyRoute)
def take_remedy_route(case: CaseState, command: TakeRemedyRoute, facts: CaseFacts) -> Decision:
    """Record the departure; it ends a pending move and concludes an open acceptance."""
    phase = require_allowed(case, command)
    require_code("forums", command.forum, "forum")
    if command.exception_code is not None:
        require_code("suit_exceptions", command.exception_code, "exception_code")
    sides = {it.side for it in case.parties_of(command.filed_by_ids, "filed_by_ids")}
    here = case.phase or phase
    proceeding_id = facts.new_id("proceeding")
    taken = RemedyRouteTaken(
        **case.stamp(facts, RemedyRouteTaken, legal_basis="L-LDMA 5"),
        phase=phase,
        due=_status_due(case, facts, RemedyRouteTaken, proceeding_id),
        due_ended=case.ending(*CLOCKS),
        irregularities=case.flaws(
            {
                "suit-without-exception": command.forum == "court-first"
                and command.exception_code is None
                and not any(it.forum == "arbitration" and not it.is_open for it in case.proceedings)
            }
        ),
        proceeding_id=proceeding_id,
        forum=command.forum,
        forum_name=case.text(command.forum_name, facts),
        docket_no=case.text(command.docket_no, facts),
        filed_by_ids=unique(command.filed_by_ids),
        exception_code=command.exception_code,
    )
    outcome = Outcome.WITHDRAWN if Side.APPLICANT in sides else Outcome.FAILED
    after: tuple[CaseEvent, ...] = (
        (concluded(case, facts, outcome, phase, caused_by=taken.event_id, clocks=taken.due_ended),)
        if case.acceptance_open
        else ()
    )
    before = ending_move(case, facts, here, reason_code="remedy-route-taken", by=RemedyRouteTaken)
    return Decision.of(facts.stream, *before, taken, *after)


def _status_due(
    case: CaseState, facts: CaseFacts, event_type: type[CaseEvent], proceeding_id: UUID
) -> tuple[DueDate, ...]:
    """Decide D16, when the status is to be asked for; of a closed case nobody asks."""
    if case.phase is Phase.CLOSED:
        return ()
    ladder = facts.ladder_of(case)
    return (due_date("D16", facts, ladder, event_type, subject=str(proceeding_id)),)


@stored_as("case.remedy-route-taken")
class RemedyRouteTaken(RecordedFact, frozen=True, kw_only=True):
    """A party filed for arbitration, in court or with another authority (L-LDMA 5; L-PML 3).

    `proceeding_id` names the proceeding from now
    on, `forum` is its kind, `forum_name` the authority and `docket_no` its case number, if known.
    `filed_by_ids` are the parties who filed. `exception_code` is what permits a suit without
    arbitration before it (L-INT1 13, 15, 51; L-LDMA 29).
    """

    proceeding_id: UUID
    forum: str
    forum_name: Sealed
    docket_no: Sealed | None
    filed_by_ids: tuple[UUID, ...]
    exception_code: str | None


class OpenProceeding(CaseFact, frozen=True, kw_only=True):
    """Record a proceeding of the aided workers, or one that follows another, and who says so."""

    matters: ClassVar[frozenset[Matter]] = _MATTERS

    forum: Code
    forum_name: Personal
    docket_no: Personal | None = None
    filed_by_ids: PartyIds
    source: Code
    source_note: Personal | None = None


@decides(OpenProceeding)
def open_proceeding(case: CaseState, command: OpenProceeding, facts: CaseFacts) -> Decision:
    """Record it; its status is to be asked for after thirty days (D16)."""
    phase = require_allowed(case, command)
    require_code("forums", command.forum, "forum")
    require_code("sources", command.source, "source")
    case.parties_of(command.filed_by_ids, "filed_by_ids")
    proceeding_id = facts.new_id("proceeding")
    return Decision.of(
        facts.stream,
        ProceedingOpened(
            **case.stamp(facts, ProceedingOpened),
            phase=phase,
            due=_status_due(case, facts, ProceedingOpened, proceeding_id),
            irregularities=case.flaws(
                {"out-of-order": phase not in (Phase.IN_PROCEEDINGS, Phase.CLOSED)}
            ),
            proceeding_id=proceeding_id,
            forum=command.forum,
            forum_name=case.text(command.forum_name, facts),
            docket_no=case.text(command.docket_no, facts),
            filed_by_ids=unique(command.filed_by_ids),
            source=command.source,
            source_note=case.text(command.source_note, facts),
        ),
    )


@stored_as("case.proceeding-opened")
class ProceedingOpened(RecordedFact, frozen=True, kw_only=True):
    """A proceeding is under way outside the network.

    `proceeding_id` names it from now on, `forum` is its kind, `forum_name` the authority and
    `docket_no` its case number, if known; `filed_by_ids` are the parties who filed. `source` says
    how the office knows of it, `source_note` adds to that in words.
    """

    proceeding_id: UUID
    forum: str
    forum_name: Sealed
    docket_no: Sealed | None
    filed_by_ids: tuple[UUID, ...]
    source: str
    source_note: Sealed | None


@evolves(RemedyRouteTaken)
@evolves(ProceedingOpened)
def _(case: CaseState, event: RemedyRouteTaken | ProceedingOpened) -> CaseState:
    opened = Proceeding(proceeding_id=event.proceeding_id, forum=event.forum)
    return case.with_(event, proceedings=(*case.proceedings, opened))


class UpdateProceeding(CaseFact, frozen=True, kw_only=True):
    """Record how far a proceeding has come; with `result` it is over.

    `docket_no` is the authority's case number, where it became known only now.
    """

    matters: ClassVar[frozenset[Matter]] = _MATTERS

    proceeding_id: UUID
    step: Code
    result: Code | None = None
    docket_no: Personal | None = None
    source: Code


@decides(UpdateProceeding)
def update_proceeding(case: CaseState, command: UpdateProceeding, facts: CaseFacts) -> Decision:
    """Record the step; until there is a result the status is asked for again (D16)."""
    phase = require_allowed(case, command)
    proceeding = _proceeding(case, command.proceeding_id)
    require_code("proceeding_steps", command.step, "step")
    require_code("sources", command.source, "source")
    if command.result is not None:
        require_code("proceeding_results", command.result, "result")
    goes_on = command.result is None and proceeding.is_open
    asked = f"D16:{proceeding.proceeding_id}"
    return Decision.of(
        facts.stream,
        ProceedingUpdated(
            **case.stamp(facts, ProceedingUpdated),
            phase=phase,
            due=_status_due(case, facts, ProceedingUpdated, proceeding.proceeding_id)
            if goes_on
            else (),
            due_ended=(asked,) if asked in case.due else (),
            irregularities=case.flaws(),
            proceeding_id=proceeding.proceeding_id,
            forum=proceeding.forum,
            step=command.step,
            result=command.result,
            docket_no=case.text(command.docket_no, facts),
            source=command.source,
        ),
    )


def _proceeding(case: CaseState, proceeding_id: UUID) -> Proceeding:
    for proceeding in case.proceedings:
        if proceeding.proceeding_id == proceeding_id:
            return proceeding
    raise unknown("proceeding_id", "unknown-proceeding")


@stored_as("case.proceeding-updated")
class ProceedingUpdated(RecordedFact, frozen=True, kw_only=True):
    """A proceeding outside the network went a step on.

    `proceeding_id` and `forum` say which, `step` how far it has come, and `result` how it ended;
    without a result it goes on. `docket_no` is its case number, if it became known now; `source`
    says how the office knows.
    """

    proceeding_id: UUID
    forum: str
    step: str
    result: str | None
    docket_no: Sealed | None
    source: str


@evolves(ProceedingUpdated)
def _(case: CaseState, event: ProceedingUpdated) -> CaseState:
    proceedings = tuple(
        msgspec.structs.replace(it, result=event.result or it.result)
        if it.proceeding_id == event.proceeding_id
        else it
        for it in case.proceedings
    )
    return case.with_(event, proceedings=proceedings)


class SetObligations(CaseFact, frozen=True, kw_only=True):
    """Record what a document of arbitration or court obliges the respondents to pay."""

    matters: ClassVar[frozenset[Matter]] = _MATTERS

    source_document: Code
    proceeding_id: UUID | None = None
    obligations: Entries


@decides(SetObligations)
def set_obligations(case: CaseState, command: SetObligations, facts: CaseFacts) -> Decision:
    """Record the obligations; from then on their performance is tracked.

    Several documents may follow each other, one for each worker: after the first they are in
    order while performance is tracked.
    """
    phase = require_allowed(case, command)
    require_code("source_documents", command.source_document, "source_document")
    if command.proceeding_id is not None:
        _proceeding(case, command.proceeding_id)
    obligations = obligations_of(case, command.obligations, facts)
    superseded = superseded_by(case, obligations)
    payments = payments_after(case.payments, superseded, obligations)
    ordered = msgspec.structs.replace(case, is_ordered=True)
    started, ended = checks_once_owed(ordered, payments, facts, ObligationsSet, phase=phase)
    return Decision.of(
        facts.stream,
        ObligationsSet(
            **case.stamp(facts, ObligationsSet),
            phase=phase,
            due=started,
            due_ended=ended,
            irregularities=case.flaws(
                {
                    "no-proceeding": not case.proceedings,
                    "out-of-order": phase not in (Phase.PERFORMING, Phase.CLOSED),
                }
            ),
            source_document=command.source_document,
            proceeding_id=command.proceeding_id,
            obligations=obligations,
            superseded_ids=superseded,
        ),
    )


@stored_as("case.obligations-set")
class ObligationsSet(RecordedFact, frozen=True, kw_only=True):
    """A document of arbitration or court says who has to pay what, and until when.

    `source_document` is the kind of document and
    `proceeding_id` the proceeding it comes from, if named. `obligations` are what is to be paid,
    in fen; `superseded_ids` are earlier obligations on the same claims on which nothing had been
    paid: these take their place.
    """

    source_document: str
    proceeding_id: UUID | None
    obligations: tuple[Obligation, ...]
    superseded_ids: tuple[UUID, ...]


@evolves(ObligationsSet)
def _(case: CaseState, event: ObligationsSet) -> CaseState:
    return case.with_(
        event,
        is_ordered=True,
        payments=payments_after(case.payments, event.superseded_ids, event.obligations),
    )
