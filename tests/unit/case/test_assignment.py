"""Who mediates: assigned by the lead, confirmed or declined by the mediator."""

from datetime import date

import msgspec
import pytest

from mediation.case.assignment import (
    AssignMediators,
    AssignmentConfirmed,
    AssignmentDeclined,
    ConfirmAssignment,
    DeclineAssignment,
    MediatorsAssigned,
)
from mediation.case.values import Answer, Matter, Phase
from mediation.kernel import Actor
from mediation.privacy import Personal
from tests.scenario import (
    NETWORK,
    STEPS,
    Scenario,
    an_id,
    closed,
    expect,
    in_phase,
    mediators_of,
)

FIRST, SECOND = mediators_of("hengjie")
GUEST, _ = mediators_of("dongcheng")


def test_mediators_of_the_body_are_assigned_and_have_three_working_days():
    """ACCEPTED becomes ASSIGNED; D06 runs for the lead mediator's answer."""
    scenario = in_phase(Phase.ACCEPTED)
    command = AssignMediators(mediator_ids=(FIRST, SECOND, FIRST), lead_mediator_id=SECOND)
    scenario.when(command, at="2026-03-06T09:00+08:00").then(
        expect(
            MediatorsAssigned,
            phase=Phase.ASSIGNED,
            at_body_id="hengjie",
            mediator_ids=(FIRST, SECOND),
            lead_mediator_id=SECOND,
        )
    )

    assert scenario.case.due["D06"].due_on == date(2026, 3, 11)
    assert scenario.case.assigned_ids == (FIRST, SECOND)
    assert scenario.case.assigned_at == scenario.now


def test_the_lead_mediator_is_one_of_those_assigned():
    """A lead from outside the team is a slip of the form."""
    command = AssignMediators(mediator_ids=(FIRST,), lead_mediator_id=SECOND)

    in_phase(Phase.ACCEPTED).when(command).then_refused("malformed")


def test_a_mediator_of_another_body_has_to_be_invited():
    """Only those appointed at the body in custody, or named as invited, may mediate."""
    team = (FIRST, GUEST)
    scenario = in_phase(Phase.ACCEPTED)
    scenario.when(AssignMediators(mediator_ids=team, lead_mediator_id=FIRST)).then_refused(
        "not-an-active-mediator"
    )
    (refusal,) = scenario.refusal.refusals
    assert ("第2位" in refusal.zh, "no. 2 " in refusal.en) == (True, True)

    scenario.when(
        AssignMediators(mediator_ids=team, lead_mediator_id=FIRST, invited_ids=(GUEST, GUEST))
    ).then(expect(MediatorsAssigned, mediator_ids=team, invited_ids=(GUEST,)))


def test_the_declaration_of_no_interest_stands_in_the_bytes():
    """A court asks for it (L-ONL 13); a paper that lacks it bears that flaw."""
    scenario = in_phase(Phase.ASSIGNED)
    confirm = ConfirmAssignment(mediator_id=scenario.case.lead_mediator_id)
    for declares, flaws in ((True, ()), (False, ("no-declaration",))):
        command = msgspec.structs.replace(confirm, declares_no_conflict=declares)
        scenario.when(command).then(
            expect(AssignmentConfirmed, declares_no_conflict=declares, irregularities=flaws)
        )


def test_nobody_mediates_for_a_body_that_is_closed():
    """An invitation does not make an appointment hold at a body that no longer works."""
    scenario = Scenario(network=closed(NETWORK, "dongcheng", date(2026, 3, 1)))
    scenario.registered().agreed().accepted()
    command = AssignMediators(mediator_ids=(GUEST,), lead_mediator_id=GUEST, invited_ids=(GUEST,))

    scenario.when(command).then_refused("not-an-active-mediator")


def test_whoever_is_invited_is_one_of_those_assigned():
    """An invitation without an assignment is a slip of the form."""
    command = AssignMediators(mediator_ids=(FIRST,), lead_mediator_id=FIRST, invited_ids=(GUEST,))

    in_phase(Phase.ACCEPTED).when(command).then_refused("malformed")


@pytest.mark.parametrize("phase", [p for p in STEPS[Matter.DISPUTE] if p is not Phase.ACCEPTED])
def test_nobody_is_assigned_before_acceptance_or_twice(phase):
    """Where mediators are at work, the lead mediator declines first."""
    command = AssignMediators(mediator_ids=(FIRST,), lead_mediator_id=FIRST)
    has_mediators = phase in (Phase.MEDIATING, Phase.SIGNING)
    code = "nobody-assigned" if has_mediators else "wrong-phase"

    in_phase(phase).when(command).then_refused(code)


def test_mediators_may_be_assigned_after_the_first_session_was_typed_in():
    """A session recorded before anybody was assigned leaves the case to be assigned still."""
    scenario = in_phase(Phase.ACCEPTED).met()
    assert (scenario.case.phase, scenario.case.mediator_ids) == (Phase.MEDIATING, ())

    scenario.assigned()
    assert scenario.case.phase is Phase.ASSIGNED


def test_nobody_is_assigned_while_a_side_refuses():
    """A mediation that one side has left is to be ended, not begun (L-PML 3)."""
    scenario = in_phase(Phase.ACCEPTED)
    scenario.do(scenario.consent(scenario.respondent, Answer.REFUSED))
    command = AssignMediators(mediator_ids=(FIRST,), lead_mediator_id=FIRST)

    scenario.when(command).then_refused("no-side-refused")


def test_a_mediator_with_a_known_conflict_is_not_assigned_again():
    """Whoever once declared an interest stays out of the case; other reasons pass."""
    scenario = in_phase(Phase.ASSIGNED)
    scenario.do(DeclineAssignment(mediator_id=SECOND, reason_code="conflict"))
    scenario.do(DeclineAssignment(mediator_id=FIRST, reason_code="workload"))
    assert scenario.case.conflicted_ids == {SECOND}
    both = AssignMediators(mediator_ids=(FIRST, SECOND), lead_mediator_id=FIRST)
    scenario.when(both).then_refused("known-conflict")

    scenario.when(AssignMediators(mediator_ids=(FIRST,), lead_mediator_id=FIRST)).then(
        MediatorsAssigned
    )


def test_the_lead_mediators_confirmation_opens_the_mediation():
    """ASSIGNED becomes MEDIATING and D06 is done; the actor is the mediator by default."""
    scenario = in_phase(Phase.ASSIGNED)
    by = Actor(actor_id=FIRST, role="mediator", body_id="hengjie")
    scenario.when(ConfirmAssignment(), by=by).then(
        expect(AssignmentConfirmed, phase=Phase.MEDIATING, mediator_id=FIRST, leads=True)
    )

    assert "D06" not in scenario.case.due


def test_a_second_mediators_confirmation_waits_for_the_lead():
    """Only the lead mediator's answer decides."""
    scenario = in_phase(Phase.ASSIGNED)
    scenario.when(ConfirmAssignment(mediator_id=SECOND)).then(
        expect(AssignmentConfirmed, phase=Phase.ASSIGNED, leads=False)
    )

    assert "D06" in scenario.case.due


def test_when_the_lead_mediator_declines_the_case_is_assigned_anew():
    """ASSIGNED becomes ACCEPTED and nobody is assigned."""
    scenario = in_phase(Phase.ASSIGNED)
    command = DeclineAssignment(
        mediator_id=FIRST, reason_code="conflict", explanation=Personal("与被申请人有亲属关系。")
    )
    scenario.when(command).then(
        expect(AssignmentDeclined, phase=Phase.ACCEPTED, reason_code="conflict", leads=True)
    )
    case = scenario.case

    assert (case.mediator_ids, case.lead_mediator_id, "D06" in case.due) == ((), None, False)
    scenario.assigned()


@pytest.mark.parametrize(("actor_id", "who"), [(an_id("hengjie lead"), FIRST), (SECOND, SECOND)])
def test_without_a_name_it_is_the_mediator_himself_or_the_lead_mediator(actor_id, who):
    """A lead may say so for a lead mediator who is away; a mediator speaks for himself."""
    by = Actor(actor_id=actor_id, role="lead", body_id="hengjie")
    command = DeclineAssignment(reason_code="on-leave")

    in_phase(Phase.ASSIGNED).when(command, by=by).then(expect(AssignmentDeclined, mediator_id=who))


def test_when_another_mediator_declines_the_team_goes_on_without_him():
    """He leaves; the lead mediator and the phase stay."""
    scenario = in_phase(Phase.ASSIGNED)
    scenario.when(DeclineAssignment(mediator_id=SECOND, reason_code="on-leave")).then(
        expect(AssignmentDeclined, phase=Phase.ASSIGNED, leads=False)
    )

    assert scenario.case.mediator_ids == (FIRST,)
    assert scenario.case.lead_mediator_id == FIRST


def test_declining_needs_a_reason_of_the_table():
    """The reason is a code; its explanation is free text and sealed."""
    command = DeclineAssignment(mediator_id=FIRST, reason_code="no-desire")

    in_phase(Phase.ASSIGNED).when(command).then_refused("malformed")


@pytest.mark.parametrize("command", [ConfirmAssignment, DeclineAssignment])
def test_only_an_assigned_mediator_answers(command):
    """Somebody who was never assigned has nothing to confirm or decline."""
    changes = {} if command is ConfirmAssignment else {"reason_code": "workload"}
    stranger = command(mediator_id=an_id("stranger"), **changes)

    in_phase(Phase.ASSIGNED).when(stranger).then_refused("not-assigned")


def test_a_mediator_who_declines_while_it_is_signed_is_replaced():
    """The paper stays on the table; whoever comes signs it, and it takes effect."""
    scenario = in_phase(Phase.SIGNING)
    scenario.given(scenario.check())
    scenario.given(DeclineAssignment(mediator_id=FIRST, reason_code="workload"))
    assert (scenario.case.phase, scenario.case.mediator_ids) == (Phase.SIGNING, ())
    command = AssignMediators(mediator_ids=(SECOND,), lead_mediator_id=SECOND)

    scenario.when(command).then(expect(MediatorsAssigned, phase=Phase.SIGNING))
    scenario.given(*scenario.acts())
    assert scenario.case.phase is Phase.PERFORMING
    assert scenario.case.irregularities == ()
