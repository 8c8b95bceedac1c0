"""A case changes hands: one body asks, another answers, and the sender keeps it until then.

提请上级 and 直报上级 climb, 交办 and 退回下级 go down, 转办 and 移送 stay on the level. Consent
belongs to a body, so a climb takes one transfer sheet per party along (L-PIPL 23).
"""

from __future__ import annotations

from uuid import UUID

from mediation.calendar import DueDate
from mediation.case.grounds import Asked, holds
from mediation.case.lifecycle import BEFORE_EFFECT, ON_OTHER_TRACKS, require_allowed
from mediation.case.state import (
    CaseCommand,
    CaseEvent,
    CaseFacts,
    CaseState,
    acceptance_due,
    days_left_on,
    due_date,
    level_target,
    require_code,
)
from mediation.case.values import Answer, Code, FormerCustody, Matter, PendingMove, Phase, Side
from mediation.codes import label
from mediation.errors import GroundNotMet, NotAllowedNow, Refusal
from mediation.kernel import Decision, decides, evolves, stored_as
from mediation.ladder import Ladder, MoveKind, Risk
from mediation.network.state import Body
from mediation.privacy import Personal, Sealed

CLIMBS = (MoveKind.ESCALATE, MoveKind.REPORT_UP)


class RequestCustodyMove(CaseCommand, frozen=True, kw_only=True):
    """Ask another body to take the case.

    `applicant_wish` says that the applicant asked in writing to go on. `transfer_basis` names the
    code under which personal data may go along without a sheet; without it and without sheets
    only the summary of the case without personal data is seen by the receiver.
    """

    kind: MoveKind
    to_body_id: Code
    ground: Code
    summary: Personal
    applicant_wish: bool = False
    transfer_basis: Code | None = None


@decides(RequestCustodyMove)
def request_custody_move(
    case: CaseState, command: RequestCustodyMove, facts: CaseFacts
) -> Decision:
    """Open the move if phase, ladder and ground permit it; the receiver's answer gets a date."""
    phase = require_allowed(case, command)
    ladder = facts.ladder_of(case)
    target = facts.network.body(command.to_body_id)
    if command.transfer_basis is not None:
        require_code("transfer_bases", command.transfer_basis, "transfer_basis")
    _require_receiver(case, command, facts)
    refused = ladder.permits(command.kind, case.level, target.level, command.ground)
    if refused:
        wordings = ((code, label("move_refusals", code)) for code in refused)
        raise GroundNotMet(*(Refusal(code, words.zh, words.en) for code, words in wordings))
    stated = ladder.ground(command.ground)
    lacks_wish = stated is not None and stated.applicant_wish and not command.applicant_wish
    if lacks_wish or not holds(
        command.ground, case, Asked(on=facts.occurred_on, applicant_wish=command.applicant_wish)
    ):
        raise GroundNotMet(
            Refusal(
                "ground-does-not-hold",
                "所选提请事由与案件现状不符，请核对会议笔录、期限、标记或申请人书面意愿后重选。",
                "The ground does not hold for this case now: check sessions, dates, flags, or the "
                "applicant's written wish, and choose again.",
            )
        )
    approver = ladder.approver(command.kind, Risk(case.risk))
    return Decision.of(
        facts.stream,
        CustodyMoveRequested(
            **case.stamp(
                facts,
                CustodyMoveRequested,
            ),
            phase=phase,
            due=(
                due_date(
                    "D12-RED" if case.risk == Risk.RED else "D12",
                    facts,
                    ladder,
                    CustodyMoveRequested,
                ),
            ),
            kind=command.kind,
            from_body_id=case.custody_body_id,
            from_level=case.level,
            to_body_id=target.body_id,
            to_level=target.level,
            to_branch=target.branch,
            to_path=target.path,
            ground=command.ground,
            summary=case.text(command.summary, facts),
            applicant_wish=command.applicant_wish,
            days_left=days_left_on(case, facts),
            notified_body_ids=_skipped(case, target, ladder, facts),
            # Whoever may request it holds the role that approves it; RED needs no approval.
            move_approved_by_id=facts.actor.actor_id if approver else None,
            transfer_basis=command.transfer_basis,
        ),
    )


def _skipped(case: CaseState, target: Body, ladder: Ladder, facts: CaseFacts) -> tuple[str, ...]:
    """Name the bodies above the sender that a report up passes by and that are told of it."""
    told = {level.code for level in ladder.told_when_skipped(case.level, target.level)}
    above = case.custody_path.strip("/").split("/")
    bodies = (facts.network.bodies.get(body_id) for body_id in above)
    return tuple(body.body_id for body in bodies if body is not None and body.level in told)


def _require_receiver(case: CaseState, command: RequestCustodyMove, facts: CaseFacts) -> None:
    refusals = []
    if command.to_body_id == case.custody_body_id:
        refusals.append(
            Refusal("same-body", "本案已由该单位承办。", "That body has the case already.")
        )
    if not facts.network.body(command.to_body_id).is_open(facts.occurred_on):
        refusals.append(
            Refusal(
                "body-closed",
                "接收单位当日未开放，请选择其他单位。",
                "The receiving body was not open on that day; choose another.",
            )
        )
    if command.kind in CLIMBS and case.phase not in (
        *BEFORE_EFFECT,
        *ON_OTHER_TRACKS,
        Phase.FAILED,
        Phase.NOT_ACCEPTED,
    ):
        refusals.append(
            Refusal(
                "after-effect",
                "调解已达成结果的案件不再提请或直报上级。",
                "After an agreement or settlement a case no longer climbs.",
            )
        )
    if (
        command.kind in CLIMBS
        and case.phase in (Phase.FAILED, Phase.NOT_ACCEPTED)
        and not command.applicant_wish
    ):
        refusals.append(
            Refusal(
                "applicant-wish-missing",
                "调解不成或者不予受理的案件，须有申请人书面意愿方可提请或直报上级。",
                "A case that failed or was not accepted climbs only on the applicant's written "
                "wish.",
            )
        )
    if command.kind is MoveKind.SEND_BACK and command.to_body_id != _came_from(case, facts):
        refusals.append(
            Refusal(
                "not-where-it-came-from",
                "只能退回原移送本案的下级单位。",
                "A case is sent back only to the lower body it came from.",
            )
        )
    ground = facts.ladder_of(case).ground(command.ground)
    if ground and ground.back_to_assigner and case.assigner_body_id != command.to_body_id:
        refusals.append(
            Refusal(
                "not-the-assigner",
                "申请退办只能提请交办本案的单位。",
                "Only the body that assigned the case down can be asked to take it back.",
            )
        )
    if refusals:
        raise NotAllowedNow(*refusals)


def _came_from(case: CaseState, facts: CaseFacts) -> str | None:
    """The lower body from which the present one has the case, whatever happened since."""
    ladder = facts.ladder_of(case)
    owners = [*(former.body_id for former in case.former), case.custody_body_id]
    for former, then in zip(reversed(case.former), reversed(owners), strict=False):
        lower = ladder.rank(former.level) < ladder.rank(case.level)
        if lower and then == case.custody_body_id:
            return former.body_id
    return None


@stored_as("case.custody-move-requested")
class CustodyMoveRequested(CaseEvent, frozen=True, kw_only=True):
    """The body in custody asked another body to take the case, on a stated ground.

    `notified_body_ids` are the bodies passed by, which are told without personal data.
    `move_approved_by_id` approved a move that needs an approval; null where none is needed.
    `transfer_basis` is the law under which personal data go along without a party's sheet.
    """

    kind: MoveKind
    from_body_id: str
    from_level: str
    to_body_id: str
    to_level: str
    to_branch: str | None
    to_path: str
    ground: str
    summary: Sealed
    applicant_wish: bool
    days_left: int | None
    notified_body_ids: tuple[str, ...]
    move_approved_by_id: UUID | None
    transfer_basis: str | None


@evolves(CustodyMoveRequested)
def _(case: CaseState, event: CustodyMoveRequested) -> CaseState:
    return case.with_(
        event,
        move=PendingMove(
            kind=event.kind,
            to_body_id=event.to_body_id,
            to_level=event.to_level,
            to_branch=event.to_branch,
            to_path=event.to_path,
            ground=event.ground,
            transfer_basis=event.transfer_basis,
            applicant_wish=event.applicant_wish,
            request_event_id=event.event_id,
            requested_by_id=event.actor_id,
            requested_at=event.occurred_at,
            answer_due=next(iter(event.due), None),
            days_left=event.days_left,
        ),
    )


class AcceptCustody(CaseCommand, frozen=True, kw_only=True):
    """Take the case over (交办: 签收)."""


@decides(AcceptCustody)
def accept_custody(case: CaseState, command: AcceptCustody, facts: CaseFacts) -> Decision:
    """Hand custody and level over; what happens to the phase is decided here, once."""
    require_allowed(case, command)
    move = _pending(case)
    _require_answerable(case, move, facts)
    event_type = TAKEN[move.kind]
    agreed = tuple(
        p.party_id
        for p in case.parties
        if (sheet := case.sheet_of(p.party_id, move.to_body_id)) is not None and sheet.new_body
    )
    disclosed = tuple(
        p.party_id
        for p in case.parties
        if move.transfer_basis is not None
        or ((sheet := case.sheet_of(p.party_id, move.to_body_id)) is not None and sheet.disclosure)
    )
    return Decision.of(
        facts.stream,
        event_type(
            **case.stamp(facts, event_type),
            phase=_phase_after(case, frozenset(agreed)),
            due=_due_after(case, move, event_type, agreed, facts),
            due_ended=case.ending("D06", "D12", "D13"),
            request_event_id=move.request_event_id,
            from_body_id=case.custody_body_id,
            from_level=case.level,
            from_branch=case.branch,
            from_path=case.custody_path,
            to_body_id=move.to_body_id,
            to_level=move.to_level,
            to_branch=move.to_branch,
            to_path=move.to_path,
            ground=move.ground,
            agreed_ids=agreed,
            disclosed_ids=disclosed,
            extension_ids=tuple(
                p.party_id
                for p in case.parties
                if (sheet := case.sheet_of(p.party_id, move.to_body_id)) and sheet.extension
            ),
            released_mediator_ids=case.mediator_ids,
            transfer_basis=move.transfer_basis,
        ),
    )


def _due_after(
    case: CaseState,
    move: PendingMove,
    event_type: type[CustodyTaken],
    agreed: tuple[UUID, ...],
    facts: CaseFacts,
) -> tuple[DueDate, ...]:
    """No move resets the term; a case that had ended goes on as a fresh application."""
    ladder, term = facts.ladder_of(case), case.term
    started: tuple[DueDate, ...] = ()
    if case.faces(Matter.DISPUTE) and case.phase in (Phase.FAILED, Phase.NOT_ACCEPTED):
        # It runs from the day the wish was received, not from the receiver's answer.
        since = (move.requested_at, move.request_event_id)
        term = due_date("D02", facts, ladder, event_type, start=since)
        started = (acceptance_due(facts, ladder, move.to_level, event_type, start=since), term)
    elif (
        case.entry == "PROACTIVE"
        and term is None
        and case.acceptance_no == 0
        and case.both_sides_agree(dict.fromkeys(agreed, Answer.AGREED))
    ):
        # Both sides agreed by their sheets: the same as two answers (L-ZJ 10).
        term = due_date("D02", facts, ladder, event_type)
        started = (term,)
    if term is None:
        return ()
    return (*started, level_target(facts, ladder, move.to_level, event_type, term.due_on))


def _require_answerable(case: CaseState, move: PendingMove, facts: CaseFacts) -> None:
    refusals = []
    if facts.actor.actor_id == move.requested_by_id:
        refusals.append(
            Refusal(
                "own-request",
                "不能接收本人提出的移交承办申请，请由接收单位的其他负责人办理。",
                "Nobody answers his own request; let another lead of the receiver do it.",
            )
        )
    ended = case.phase in (Phase.FAILED, Phase.NOT_ACCEPTED)
    if ended and move.kind in CLIMBS and not move.applicant_wish:
        refusals.append(
            Refusal(
                "applicant-wish-missing",
                "提出移交后调解已经终结，须取得申请人书面意愿后重新提请。",
                "The mediation ended after this request; ask anew on the applicant's written wish.",
            )
        )
    if refusals:
        raise NotAllowedNow(*refusals)


def _pending(case: CaseState) -> PendingMove:
    if case.move is None:
        msg = "the life-cycle lets nobody answer a move that is not pending"
        raise AssertionError(msg)
    return case.move


def _phase_after(case: CaseState, agreed: frozenset[UUID]) -> Phase:
    """REGISTERED stays; sheets of all willing parties keep an open acceptance accepted."""
    if case.phase is Phase.NOT_ACCEPTED and not case.faces(Matter.DISPUTE):
        return Phase.REGISTERED
    if case.phase is Phase.REGISTERED or case.phase not in (
        *BEFORE_EFFECT,
        Phase.FAILED,
        Phase.NOT_ACCEPTED,
    ):
        return case.phase or Phase.REGISTERED
    willing = [p for p in case.parties if case.has_agreed(p)]
    on_both_sides = {p.side for p in willing} == set(Side)
    if case.acceptance_open and on_both_sides and {p.party_id for p in willing} <= agreed:
        return Phase.ACCEPTED
    return Phase.CONSENT_PENDING


class CustodyTaken(CaseEvent, frozen=True, kw_only=True):
    """What the six events of an accepted move have in common; never stored itself.

    `agreed_ids`, `disclosed_ids` and `extension_ids` are the parties whose sheets agree to the new
    body, to passing on their personal data, and to an extension of the term. `transfer_basis` is
    the law under which personal data went along without a sheet.
    """

    request_event_id: UUID
    from_body_id: str
    from_level: str
    from_branch: str | None
    from_path: str
    to_body_id: str
    to_level: str
    to_branch: str | None
    to_path: str
    ground: str
    agreed_ids: tuple[UUID, ...]
    disclosed_ids: tuple[UUID, ...]
    extension_ids: tuple[UUID, ...]
    released_mediator_ids: tuple[UUID, ...]
    transfer_basis: str | None


@stored_as("case.escalated")
class CaseEscalated(CustodyTaken, frozen=True, kw_only=True):
    """提请上级: the next rung took the case."""


@stored_as("case.reported-up")
class CaseReportedUp(CustodyTaken, frozen=True, kw_only=True):
    """直报上级: a higher rung took the case, past the rungs between."""


@stored_as("case.transferred")
class CaseTransferred(CustodyTaken, frozen=True, kw_only=True):
    """转办: another body of the same level took the case."""


@stored_as("case.rerouted")
class CaseRerouted(CustodyTaken, frozen=True, kw_only=True):
    """移送: the body of the right place, on the same level, took the case."""


@stored_as("case.assigned-down")
class CaseAssignedDown(CustodyTaken, frozen=True, kw_only=True):
    """交办: a lower body signed for the case."""


@stored_as("case.sent-back")
class CaseSentBack(CustodyTaken, frozen=True, kw_only=True):
    """退回下级: the body it came from took the case back."""


TAKEN: dict[MoveKind, type[CustodyTaken]] = {
    MoveKind.ESCALATE: CaseEscalated,
    MoveKind.REPORT_UP: CaseReportedUp,
    MoveKind.TRANSFER: CaseTransferred,
    MoveKind.REROUTE: CaseRerouted,
    MoveKind.ASSIGN_DOWN: CaseAssignedDown,
    MoveKind.SEND_BACK: CaseSentBack,
}


@evolves(CaseEscalated)
@evolves(CaseReportedUp)
@evolves(CaseTransferred)
@evolves(CaseRerouted)
@evolves(CaseAssignedDown)
@evolves(CaseSentBack)
def _(case: CaseState, event: CustodyTaken) -> CaseState:
    return case.with_(
        event,
        level=event.to_level,
        branch=event.to_branch,
        custody_body_id=event.to_body_id,
        custody_path=event.to_path,
        former=(
            *case.former,
            FormerCustody(
                body_id=case.custody_body_id,
                level=case.level,
                path=case.custody_path,
                until_version=case.version + 1,
            ),
        ),
        assigner_body_id=_assigner_after(case, event),
        move=None,
        mediator_ids=(),
        lead_mediator_id=None,
        sessions_here=0,
        consents=dict.fromkeys(event.agreed_ids, Answer.AGREED),
        disclosed_ids=frozenset(event.disclosed_ids),
        extendable_ids=frozenset(event.extension_ids),
        withdrawn_ids=frozenset(),
        draft=None,
        assigned_at=None,
        agreed_at=dict.fromkeys(event.agreed_ids, event.occurred_at),
        agreed_in=dict.fromkeys(event.agreed_ids, event.event_id),
        sheets=(),
        rights_served_at={},
        remedies_told_ids=frozenset(),
    )


def _assigner_after(case: CaseState, event: CustodyTaken) -> str | None:
    """Who assigned the case down stays its assigner while it moves on that level."""
    if isinstance(event, CaseAssignedDown):
        return event.from_body_id
    return case.assigner_body_id if event.to_level == event.from_level else None


class DeclineCustody(CaseCommand, frozen=True, kw_only=True):
    """Say no to the request, with a reason; the case stays where it is."""

    reason_code: Code
    explanation: Personal | None = None


class WithdrawCustodyMove(CaseCommand, frozen=True, kw_only=True):
    """Take the request back while it is pending."""

    explanation: Personal | None = None


@decides(DeclineCustody)
def decline_custody(case: CaseState, command: DeclineCustody, facts: CaseFacts) -> Decision:
    """Decline; custody never left the sender."""
    phase = require_allowed(case, command)
    move = _pending(case)
    require_code("custody_decline_reasons", command.reason_code, "reason_code")
    return Decision.of(
        facts.stream,
        CustodyMoveDeclined(
            **case.stamp(facts, CustodyMoveDeclined, reason_code=command.reason_code),
            phase=phase,
            due_ended=case.ending("D12"),
            request_event_id=move.request_event_id,
            kind=move.kind,
            to_body_id=move.to_body_id,
            explanation=case.text(command.explanation, facts),
        ),
    )


@decides(WithdrawCustodyMove)
def withdraw_custody_move(
    case: CaseState, command: WithdrawCustodyMove, facts: CaseFacts
) -> Decision:
    """Withdraw the pending request."""
    phase = require_allowed(case, command)
    explanation = case.text(command.explanation, facts)
    return Decision.of(
        facts.stream, withdrawn(case, _pending(case), facts, phase, explanation=explanation)
    )


def withdrawn(  # noqa: PLR0913 - each says one thing about how it ended
    case: CaseState,
    move: PendingMove,
    facts: CaseFacts,
    phase: Phase,
    *,
    explanation: Sealed | None = None,
    reason_code: str | None = None,
    caused_by: UUID | None = None,
) -> CustodyMoveWithdrawn:
    """Make the event that ends a pending move from the sender's side."""
    return CustodyMoveWithdrawn(
        **case.stamp(facts, CustodyMoveWithdrawn, reason_code=reason_code, caused_by=caused_by),
        phase=phase,
        due_ended=("D12",),
        request_event_id=move.request_event_id,
        kind=move.kind,
        to_body_id=move.to_body_id,
        explanation=explanation,
    )


@stored_as("case.custody-move-declined")
class CustodyMoveDeclined(CaseEvent, frozen=True, kw_only=True):
    """The asked body did not take the case."""

    request_event_id: UUID
    kind: MoveKind
    to_body_id: str
    explanation: Sealed | None


@stored_as("case.custody-move-withdrawn")
class CustodyMoveWithdrawn(CaseEvent, frozen=True, kw_only=True):
    """The request to take the case was taken back, or what happened left it without a purpose."""

    request_event_id: UUID
    kind: MoveKind
    to_body_id: str
    explanation: Sealed | None


@evolves(CustodyMoveDeclined)
@evolves(CustodyMoveWithdrawn)
def _(case: CaseState, event: CustodyMoveDeclined | CustodyMoveWithdrawn) -> CaseState:
    return case.with_(event, move=None)
