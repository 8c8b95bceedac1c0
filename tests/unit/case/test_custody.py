"""A case is to change hands: six kinds of moves, asked for, answered, declined, withdrawn."""

from datetime import date, timedelta
from typing import Any

import pytest

from mediation.case import custody
from mediation.case.agreement import (
    AgreementSigned,
    AgreementTookEffect,
    SealAgreement,
    SignAgreement,
)
from mediation.case.aid import GrantAid
from mediation.case.assignment import AssignMediators
from mediation.case.composites import SignAndSeal
from mediation.case.conclusion import MediationConcluded
from mediation.case.consent import AcceptCase
from mediation.case.custody import (
    AcceptCustody,
    CaseAssignedDown,
    CaseEscalated,
    CaseReportedUp,
    CaseRerouted,
    CaseSentBack,
    CaseTransferred,
    CustodyMoveDeclined,
    CustodyMoveRequested,
    CustodyMoveWithdrawn,
    DeclineCustody,
    WithdrawCustodyMove,
)
from mediation.case.state import CaseState
from mediation.case.values import Matter, Phase
from mediation.ladder import MoveKind
from mediation.privacy import Personal
from tests.scenario import (
    NETWORK,
    PLACES,
    closed,
    expect,
    in_phase,
    lead_of,
    mediators_of,
)

ESCALATE, REPORT_UP, TRANSFER, REROUTE, ASSIGN_DOWN, SEND_BACK = MoveKind

# Kind, event, where the case is, where it goes, and on which ground.
MOVES = [
    (ESCALATE, CaseEscalated, "hengjie", "dongcheng", "beyond-means"),
    (REPORT_UP, CaseReportedUp, "factory", "hq", "statutory-fit"),
    (TRANSFER, CaseTransferred, "hengjie", "catering", "other-branch"),
    (REROUTE, CaseRerouted, "dongcheng", "xicheng", "wrong-place"),
    (ASSIGN_DOWN, CaseAssignedDown, "hq", "xicheng", "supervised"),
    (SEND_BACK, CaseSentBack, "dongcheng", "hengjie", "materials-incomplete"),
]
OPEN = [(matter, phase) for matter, phase in PLACES if phase is not Phase.CLOSED]
SETTLED = (Phase.PERFORMING, Phase.WITHDRAWN, Phase.IN_PROCEEDINGS)


def asked(kind, start, to, ground, phase=Phase.MEDIATING):
    """Give a case with this move pending; one to be sent back was escalated before."""
    if kind is SEND_BACK:
        scenario = in_phase(phase, body_id=to).taken_by(start)
    else:
        scenario = in_phase(phase, body_id=start)
    return scenario.given(scenario.move(to, kind, ground))


# Asking


@pytest.mark.parametrize(("kind", "event_type", "start", "to", "ground"), MOVES)
def test_every_kind_of_move_is_asked_for_and_accepted(kind, event_type, start, to, ground):
    """Custody stays with the sender until the receiver accepts; then it is the receiver's."""
    scenario = asked(kind, start, to, ground)
    pending = scenario.case
    request = scenario.events[-1]
    assert type(request) is CustodyMoveRequested
    assert (request.from_body_id, request.from_level) == (start, NETWORK.body(start).level)
    summary: Any = request.summary
    assert summary.value == "双方争议较大，请上级组织调解。"
    assert (pending.custody_body_id, pending.receiver_body_id) == (start, to)
    assert pending.receiver_path == NETWORK.body(to).path
    assert pending.move is not None
    assert pending.move.answer_due is not None
    assert pending.move.answer_due == pending.due["D12"]
    assert pending.due["D12"].due_on == date(2026, 3, 3)

    scenario.when(AcceptCustody()).then(
        expect(
            event_type,
            request_event_id=request.event_id,
            from_body_id=start,
            from_level=NETWORK.body(start).level,
            from_branch=NETWORK.body(start).branch,
            to_body_id=to,
            to_level=NETWORK.body(to).level,
            to_branch=NETWORK.body(to).branch,
            to_path=NETWORK.body(to).path,
            ground=ground,
        )
    )
    case = scenario.case
    assert (case.custody_body_id, case.level, case.branch, case.custody_path) == (
        to,
        NETWORK.body(to).level,
        NETWORK.body(to).branch,
        NETWORK.body(to).path,
    )
    assert (case.move, "D12" in case.due) == (None, False)
    assert case.former[-1].body_id == start
    assert case.former[-1].until_version == case.version
    assert case.former_paths[-1] == NETWORK.body(start).path


@pytest.mark.parametrize(("kind", "event_type", "start", "to", "ground"), MOVES)
def test_every_kind_of_move_may_be_withdrawn(kind, event_type, start, to, ground):
    """The sender takes the request back; nothing else has changed."""
    scenario = asked(kind, start, to, ground)
    scenario.when(WithdrawCustodyMove(explanation=Personal("双方已和解。"))).then(
        expect(
            CustodyMoveWithdrawn,
            phase=scenario.case.phase,
            kind=kind,
            to_body_id=to,
            reason_code=None,
            due_ended=("D12",),
        )
    )

    assert (scenario.case.move, scenario.case.custody_body_id) == (None, start)
    assert "D12" not in scenario.case.due


@pytest.mark.parametrize(("kind", "event_type", "start", "to", "ground"), MOVES)
def test_every_kind_of_move_but_assignment_may_be_declined(kind, event_type, start, to, ground):
    """交办 cannot be declined: the lower body signs, and asks to give it back if it must."""
    scenario = asked(kind, start, to, ground)
    scenario.when(DeclineCustody(reason_code="wrong-body", explanation=Personal("非本单位。")))
    if kind is ASSIGN_DOWN:
        scenario.then_refused("not-assigned-down")
        return
    scenario.then(
        expect(
            CustodyMoveDeclined,
            kind=kind,
            to_body_id=to,
            reason_code="wrong-body",
            due_ended=("D12",),
        )
    )
    assert (scenario.case.move, scenario.case.custody_body_id) == (None, start)


def test_declining_needs_a_reason_of_the_table():
    """The sender is told why, by code."""
    scenario = asked(*MOVES[0][:1], *MOVES[0][2:])

    scenario.when(DeclineCustody(reason_code="no-desire")).then_refused("malformed")
    assert [fault.pointer for fault in scenario.refusal.faults] == ["/reason_code"]


@pytest.mark.parametrize(
    "command",
    [AcceptCustody(), DeclineCustody(reason_code="wrong-body"), WithdrawCustodyMove()],
)
@pytest.mark.parametrize(("matter", "phase"), OPEN)
def test_without_a_pending_move_there_is_nothing_to_answer(command, matter, phase):
    """Two leads accept one move: the second finds nothing to accept (scenario 13)."""
    in_phase(phase, matter).when(command).then_refused("a-move-pending")


def test_nobody_takes_over_what_he_asked_for_himself():
    """Sender and receiver are two people, also where one person leads both bodies."""
    scenario = asked(ESCALATE, "hengjie", "dongcheng", "beyond-means")
    scenario.when(AcceptCustody(), by=lead_of("hengjie")).then_refused("own-request")

    scenario.when(AcceptCustody(), by=lead_of("dongcheng")).then(CaseEscalated)


def test_nothing_moves_in_a_closed_case():
    """A closed case has no custody to change."""
    scenario = in_phase(Phase.CLOSED)
    for command in (scenario.move("dongcheng"), AcceptCustody(), WithdrawCustodyMove()):
        scenario.when(command).then_refused("wrong-phase")


def test_asserting_that_a_move_is_pending_is_the_last_line_of_defence():
    """Past the life-cycle's guard a missing move is a bug, not a refusal."""
    with pytest.raises(AssertionError):
        custody._pending(CaseState())


@pytest.mark.parametrize(
    ("start", "to", "kind", "ground", "codes"),
    [
        ("hengjie", "hq", ESCALATE, "beyond-means", ("not-one-rung-up",)),
        ("hengjie", "factory", ESCALATE, "beyond-means", ("not-higher",)),
        ("hengjie", "catering", REPORT_UP, "statutory-fit", ("not-higher",)),
        ("hq", "dongcheng", ESCALATE, "beyond-means", ("top-of-ladder",)),
        ("hengjie", "dongcheng", TRANSFER, "capacity-short", ("not-same-level",)),
        ("hengjie", "dongcheng", REROUTE, "wrong-place", ("not-same-level",)),
        ("hengjie", "dongcheng", ASSIGN_DOWN, "supervised", ("not-lower",)),
        ("hengjie", "dongcheng", ESCALATE, "supervised", ("ground-not-open",)),
        ("hengjie", "dongcheng", ESCALATE, "no-such-ground", ("ground-not-open",)),
        ("hengjie", "hq", ESCALATE, "supervised", ("not-one-rung-up", "ground-not-open")),
    ],
)
def test_the_ladder_forbids_what_it_does_not_permit(start, to, kind, ground, codes):
    """提请 climbs one rung, 直报 more, 转办 and 移送 stay, 交办 goes down; grounds are listed."""
    scenario = in_phase(Phase.MEDIATING, body_id=start)

    scenario.when(scenario.move(to, kind, ground)).then_refused(*codes)


def test_the_receiver_is_another_open_body():
    """Neither the body itself, nor one that is closed, nor one that does not exist."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.when(scenario.move("hengjie", TRANSFER, "capacity-short")).then_refused("same-body")
    scenario.when(scenario.move("nowhere")).then_refused("body-unknown")
    scenario.network = closed(NETWORK, "dongcheng", date(2026, 3, 2))

    scenario.when(scenario.move("dongcheng")).then_refused("body-closed")


@pytest.mark.parametrize(("matter", "phase"), [it for it in OPEN if it[1] not in SETTLED])
@pytest.mark.parametrize(
    ("kind", "to", "ground"),
    [(ESCALATE, "dongcheng", "beyond-means"), (REPORT_UP, "hq", "statutory-fit")],
)
def test_a_case_climbs_before_effect_or_from_a_failure(matter, phase, kind, to, ground):
    """提请 and 直报 are open in every phase in which the matter itself is still undecided."""
    scenario = in_phase(phase, matter)

    scenario.when(scenario.move(to, kind, ground)).then(expect(CustodyMoveRequested, phase=phase))


@pytest.mark.parametrize(("matter", "phase"), [it for it in OPEN if it[1] in SETTLED])
@pytest.mark.parametrize(
    ("kind", "to", "ground"),
    [(ESCALATE, "dongcheng", "beyond-means"), (REPORT_UP, "hq", "statutory-fit")],
)
def test_after_effect_a_case_no_longer_climbs(matter, phase, kind, to, ground):
    """What was settled is tracked where it is; it may still be transferred."""
    scenario = in_phase(phase, matter)
    scenario.when(scenario.move(to, kind, ground)).then_refused("after-effect")

    scenario.when(scenario.move("catering", TRANSFER, "capacity-short")).then(CustodyMoveRequested)


def test_a_case_is_sent_back_only_where_it_came_from():
    """退回下级 leads to the body that handed the case over, no other below."""
    fresh = in_phase(Phase.MEDIATING, body_id="dongcheng")
    fresh.when(fresh.move("hengjie", SEND_BACK, "ground-not-met")).then_refused(
        "not-where-it-came-from"
    )
    climbed = in_phase(Phase.MEDIATING).taken_by("dongcheng")
    climbed.when(climbed.move("catering", SEND_BACK, "ground-not-met")).then_refused(
        "not-where-it-came-from"
    )

    climbed.taken_by("hengjie", kind=SEND_BACK, ground="ground-not-met")
    assert climbed.case.custody_body_id == "hengjie"


def test_a_case_that_climbed_far_is_sent_back_step_by_step():
    """From each body to the lower one it came from, whatever happened on a level between."""
    scenario = in_phase(Phase.MEDIATING).taken_by("dongcheng").taken_by("hq")
    scenario.taken_by("dongcheng", kind=SEND_BACK, ground="ground-not-met")
    scenario.when(scenario.move("catering", SEND_BACK, "ground-not-met")).then_refused(
        "not-where-it-came-from"
    )
    scenario.taken_by("hengjie", kind=SEND_BACK, ground="ground-not-met")

    assert scenario.case.custody_body_id == "hengjie"
    scenario.when(scenario.move("factory", SEND_BACK, "ground-not-met")).then_refused(
        "not-where-it-came-from"
    )


def test_a_neighbour_between_does_not_hide_where_the_case_came_from():
    """Passed on to another township and returned by it, it may still go back below."""
    scenario = in_phase(Phase.MEDIATING).taken_by("dongcheng")
    for body_id in ("xicheng", "dongcheng"):
        scenario.taken_by(body_id, kind=REROUTE, ground="wrong-place")
    scenario.taken_by("hengjie", kind=SEND_BACK, ground="ground-not-met")

    assert scenario.case.custody_body_id == "hengjie"


def test_an_assignment_is_remembered_on_its_level_and_forgotten_off_it():
    """Transferred to its neighbour the case may still go back to its assigner, not from below."""
    scenario = in_phase(Phase.MEDIATING, body_id="hq")
    scenario.taken_by("hengjie", kind=ASSIGN_DOWN, ground="supervised")
    scenario.taken_by("catering", kind=TRANSFER, ground="other-branch")
    assert scenario.case.assigner_body_id == "hq"

    scenario.taken_by("dongcheng", ground="beyond-means")
    assert scenario.case.assigner_body_id is None


def test_an_assignment_is_given_back_only_to_its_assigner():
    """申请退办 climbs to the assigner, however many rungs above, and to nobody else."""
    scenario = in_phase(Phase.MEDIATING, body_id="hq")
    scenario.taken_by("hengjie", kind=ASSIGN_DOWN, ground="supervised")
    assert scenario.case.assigner_body_id == "hq"

    scenario.when(scenario.move("dongcheng", ground="assignment-return")).then_refused(
        "not-the-assigner"
    )
    scenario.taken_by("hq", ground="assignment-return")
    assert scenario.case.custody_body_id == "hq"
    assert not scenario.case.assigner_body_id


def test_without_an_assignment_there_is_none_to_give_back():
    """The ground needs an assigner."""
    scenario = in_phase(Phase.MEDIATING)

    scenario.when(scenario.move("dongcheng", ground="assignment-return")).then_refused(
        "not-the-assigner"
    )


def test_several_reasons_are_told_at_once():
    """Everything that speaks against a receiver is named."""
    scenario = in_phase(Phase.PERFORMING)
    scenario.network = closed(NETWORK, "hengjie", date(2026, 3, 2))

    scenario.when(scenario.move("hengjie", ESCALATE, "assignment-return")).then_refused(
        "same-body", "body-closed", "after-effect", "not-the-assigner"
    )


def test_a_red_case_is_answered_within_two_hours():
    """D12: one working day; RED two clock hours."""
    scenario = in_phase(Phase.REGISTERED, workers=30)
    (requested,) = scenario.do(
        scenario.move("hq", REPORT_UP, "red-risk"), at="2026-03-02T17:30+08:00"
    )
    (answer,) = requested.due

    assert (answer.code, answer.rule) == ("D12", "2 ch")
    assert answer.due_at == scenario.now + timedelta(hours=2)
    assert scenario.case.due["D12"] == answer
    scenario.do(AcceptCustody())
    assert "D12" not in scenario.case.due


@pytest.mark.parametrize(
    ("move", "workers", "is_approved", "told"),
    [
        ((REPORT_UP, "factory", "hq"), 1, True, ("dongcheng", "hengjie")),
        ((REPORT_UP, "hengjie", "dongcheng"), 1, True, ()),
        ((ESCALATE, "hengjie", "dongcheng"), 1, False, ()),
        ((REPORT_UP, "hengjie", "hq"), 30, False, ("dongcheng",)),
    ],
)
def test_a_move_says_who_approved_it_and_whom_it_passes_by(move, workers, is_approved, told):
    """Where the ladder asks for approval, whoever asks holds that role; RED needs none."""
    kind, start, to = move
    scenario = in_phase(Phase.REGISTERED, body_id=start, workers=workers)
    ground = "beyond-means" if kind is ESCALATE else "statutory-fit"
    (requested,) = scenario.do(scenario.move(to, kind, ground))

    assert sorted(requested.notified_body_ids) == list(told)
    assert requested.move_approved_by_id == (lead_of(start).actor_id if is_approved else None)
    assert requested.approved_by_ids == ()


@pytest.mark.parametrize(("ref", "known"), [("emergency", True), ("because", False)])
def test_the_legal_basis_of_a_move_is_a_code(ref, known):
    """What lets data go along without a sheet is one of the table (L-PIPL 13)."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.when(scenario.move("dongcheng", transfer_basis=ref))
    if known:
        scenario.then(expect(CustodyMoveRequested, transfer_basis=ref))
    else:
        scenario.then_refused("malformed")


# While pending


def test_while_a_move_is_pending_only_what_would_cross_it_is_refused():
    """A second move, accepting, assigning, drafting, sealing, concluding wait; all else works."""
    scenario = in_phase(Phase.CONSENT_PENDING)
    scenario.do(scenario.move("dongcheng"))
    scenario.when(scenario.move("catering", TRANSFER, "other-branch")).then_refused(
        "no-move-pending"
    )
    scenario.when(AcceptCase(within_scope=True, within_district=True)).then_refused(
        "no-move-pending"
    )

    scenario = in_phase(Phase.ACCEPTED)
    scenario.do(scenario.move("dongcheng"))
    first, _ = mediators_of("hengjie")
    scenario.when(AssignMediators(mediator_ids=(first,), lead_mediator_id=first)).then_refused(
        "no-move-pending"
    )

    scenario = in_phase(Phase.MEDIATING)
    scenario.do(scenario.move("dongcheng"))
    scenario.flagged("MEDIA").met()
    scenario.do(scenario.promise())
    scenario.do(scenario.consent(scenario.applicant))
    scenario.when(scenario.conclusion()).then_refused("no-move-pending")
    scenario.when(scenario.draft()).then_refused("no-move-pending")
    scenario.failed()
    assert scenario.case.phase is Phase.FAILED

    scenario = in_phase(Phase.SIGNING)
    scenario.do(scenario.move("dongcheng"))
    scenario.given(scenario.check()).signed()
    for seal in (SealAgreement, SignAndSeal):
        scenario.when(seal(**scenario.paper)).then_refused("no-move-pending")

    scenario = in_phase(Phase.REGISTERED, Matter.AID)
    scenario.do(scenario.move("dongcheng"))
    scenario.when(GrantAid(criteria_code="wage-arrears")).then_refused("no-move-pending")


def test_the_last_signature_makes_a_pending_climb_pointless():
    """Signing works while a move is pending; what it settles has nothing left to climb for."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.drafted(instrument="SETTLEMENT_AGREEMENT").do(scenario.check())
    worker, firm = (party.party_id for party in scenario.case.parties)
    scenario.given(SignAgreement(**scenario.paper, party_id=worker), scenario.move("dongcheng"))
    scenario.when(SignAgreement(**scenario.paper, party_id=firm)).then(
        AgreementSigned,
        expect(CustodyMoveWithdrawn, phase=Phase.SIGNING, reason_code="concluded"),
        AgreementTookEffect,
        expect(MediationConcluded, phase=Phase.PERFORMING),
    )

    assert scenario.case.move is None
    _, ended, effect, _ = scenario.decided
    assert ended.causation_id == effect.event_id
