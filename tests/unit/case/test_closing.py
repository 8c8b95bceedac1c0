"""Closing: nothing open is left behind without a reason."""

from datetime import date

import pytest

from mediation import codes
from mediation.case.assignment import AssignMediators
from mediation.case.closing import CaseClosed, CloseCase
from mediation.case.conclusion import ServeRemediesNotice
from mediation.case.consent import AcceptCase
from mediation.case.custody import CustodyMoveWithdrawn
from mediation.case.lifecycle import open_duties
from mediation.case.values import Answer, Phase
from mediation.kernel import Actor
from tests.scenario import PLACES, expect, in_phase, mediators_of

FIRST, SECOND = mediators_of("hengjie")


def test_a_case_without_open_duty_is_closed_and_to_be_archived_in_thirty_days():
    """D18 is all that is left to do."""
    scenario = in_phase(Phase.PERFORMING)
    scenario.do(scenario.payment())
    scenario.when(CloseCase(), at="2026-03-06T09:00+08:00").then(
        expect(CaseClosed, phase=Phase.CLOSED, at_body_id="hengjie", waived_duties=())
    )

    assert {code: due.due_on for code, due in scenario.case.due.items()} == {
        "D18": date(2026, 4, 5)
    }


@pytest.mark.parametrize(
    ("phase", "duties"),
    [
        (Phase.PERFORMING, ("performance",)),
        (Phase.FAILED, ("remedies-notice",)),
        (Phase.NOT_ACCEPTED, ("remedies-notice",)),
    ],
)
def test_an_open_duty_bars_closing_unless_it_is_waived_with_a_reason(phase, duties):
    """The event says which duties were left open, and why."""
    scenario = in_phase(phase)
    scenario.when(CloseCase()).then_refused("no-open-duty")
    for reason_code in (None, "tired"):
        without = CloseCase(waived_duties=duties, waiver_reason_code=reason_code)
        scenario.when(without).then_refused("malformed")

    scenario.when(CloseCase(waived_duties=duties, waiver_reason_code="party-untraceable")).then(
        expect(CaseClosed, waived_duties=duties, reason_code="party-untraceable")
    )


def test_every_open_duty_is_waived_by_its_own_name():
    """Waiving the payment does not waive the notice; a waiver of nothing leaves no reason."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(scenario.consent(scenario.respondent, Answer.REFUSED))
    scenario.settled()
    both = ("performance", "remedies-notice")
    assert set(open_duties(scenario.case)) == set(both)
    one = CloseCase(waived_duties=both[:1], waiver_reason_code="creditor-released")
    scenario.when(one).then_refused("no-open-duty")

    scenario.when(scenario.waiver()).then(expect(CaseClosed, waived_duties=both))

    paid = in_phase(Phase.PERFORMING)
    paid.do(paid.payment())
    paid.when(one).then(expect(CaseClosed, waived_duties=(), reason_code=None))


def test_a_promise_that_never_took_effect_is_no_duty():
    """Only what was concluded is to be performed before the close."""
    scenario = in_phase(Phase.NOT_ACCEPTED)
    scenario.do(scenario.promise())

    assert open_duties(scenario.case) == ("remedies-notice",)


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.NOT_ACCEPTED])
def test_a_case_that_came_to_nothing_is_closed_once_everybody_was_told(phase):
    """The remedies notice is the last duty."""
    scenario = in_phase(phase)
    for party in scenario.case.parties:
        scenario.do(ServeRemediesNotice(party_id=party.party_id, means="written"))

    scenario.when(CloseCase()).then(CaseClosed)


CLOSABLE = {
    Phase.PERFORMING,
    Phase.FAILED,
    Phase.WITHDRAWN,
    Phase.NOT_ACCEPTED,
    Phase.IN_PROCEEDINGS,
    Phase.ANSWERED,
    Phase.AIDED,
}


@pytest.mark.parametrize(("matter", "phase"), [it for it in PLACES if it[1] not in CLOSABLE])
def test_a_case_under_way_is_not_closed(matter, phase):
    """Not even with a waiver."""
    waiver = CloseCase(waived_duties=("remedies-notice",), waiver_reason_code="creditor-released")

    in_phase(phase, matter).when(waiver).then_refused("wrong-phase")


@pytest.mark.parametrize(
    ("phase", "code"),
    [(Phase.ANSWERED, "demand-fed-back"), (Phase.IN_PROCEEDINGS, "no-open-proceeding")],
)
def test_what_others_wait_for_cannot_be_waived(phase, code):
    """The worker's answer and the result of a proceeding are no duties to be released from."""
    scenario = in_phase(phase)
    waiver = CloseCase(waived_duties=(code, "performance"), waiver_reason_code="creditor-released")

    scenario.when(waiver).then_refused(code)


@pytest.mark.parametrize("phase", [Phase.WITHDRAWN, Phase.AIDED])
def test_where_nothing_is_owed_the_case_is_closed_at_once(phase):
    """An application taken back, or aid that led to no proceeding, leaves nothing to do."""
    in_phase(phase).when(CloseCase()).then(expect(CaseClosed, phase=Phase.CLOSED, due_ended=()))


def test_the_dates_of_the_parties_outlive_the_closing():
    """Until when review and confirmation can be asked for stays open; what the office owed ends."""
    scenario = in_phase(Phase.MEDIATING).in_force()
    assert set(scenario.case.due) == {"D08", "D09", "D10:2026-03-20"}
    (closed,) = scenario.do(scenario.waiver())

    assert closed.due_ended == ("D10:2026-03-20",)
    assert set(scenario.case.due) == {"D08", "D09", "D18"}


ALONE, SOMEBODY = Actor(actor_id=FIRST, role="lead"), Actor(actor_id=SECOND, role="lead")


@pytest.mark.parametrize(
    ("body_id", "accepted_by", "closed_by", "single", "reviewed"),
    [
        ("hengjie", ALONE, ALONE, True, True),
        ("hengjie", SOMEBODY, ALONE, False, False),
        ("hengjie", ALONE, SOMEBODY, False, False),
        # Nobody stands above the top.
        ("hq", ALONE, ALONE, True, False),
    ],
)
def test_what_one_person_did_alone_is_looked_into_by_the_body_above(
    body_id, accepted_by, closed_by, single, reviewed
):
    """Accepted, mediated and closed by one: D24 runs, five working days for the review."""
    scenario = in_phase(Phase.CONSENT_PENDING, body_id=body_id)
    scenario.do(AcceptCase(within_scope=True, within_district=True), by=accepted_by)
    invited = () if body_id == "hengjie" else (FIRST,)
    scenario.do(AssignMediators(mediator_ids=(FIRST,), lead_mediator_id=FIRST, invited_ids=invited))
    scenario.settled().do(scenario.payment())
    (closed,) = scenario.do(CloseCase(), by=closed_by)

    assert closed.single_handed is single
    assert ("D24" in scenario.case.due) is reviewed
    if reviewed:
        assert scenario.case.due["D24"].due_on == date(2026, 3, 9)


def test_a_case_without_mediators_was_handled_by_nobody_alone():
    """Where nobody accepted and nobody mediated there is nothing to look into."""
    in_phase(Phase.AIDED).when(CloseCase()).then(expect(CaseClosed, single_handed=False))


def test_closing_ends_a_pending_move():
    """Nobody is left to wait for an answer on a closed case."""
    scenario = in_phase(Phase.FAILED)
    scenario.do(scenario.move("dongcheng", ground="mediation-failed", applicant_wish=True))
    scenario.when(scenario.waiver()).then(
        expect(
            CustodyMoveWithdrawn,
            phase=Phase.FAILED,
            to_body_id="dongcheng",
            reason_code="case-closed",
            explanation=None,
        ),
        expect(CaseClosed, phase=Phase.CLOSED),
    )

    assert scenario.case.move is None
    ended, closed = scenario.decided
    assert ended.causation_id == closed.event_id
    assert set(scenario.case.due) == {"D18"}


@pytest.mark.parametrize(
    ("phase", "duty", "fitting"),
    [
        (Phase.FAILED, "remedies-notice", {"party-untraceable", "moved-to-remedies"}),
        (
            Phase.PERFORMING,
            "performance",
            {"creditor-released", "settled-elsewhere", "party-untraceable", "moved-to-remedies"},
        ),
    ],
)
def test_a_duty_is_waived_for_a_reason_that_fits_it(phase, duty, fitting):
    """A creditor who releases his debtor does away with no notice that the office owes."""
    for reason_code in codes.table("waiver_reasons"):
        scenario = in_phase(phase)
        scenario.when(CloseCase(waived_duties=(duty,), waiver_reason_code=reason_code))
        if reason_code in fitting:
            scenario.then(expect(CaseClosed, waived_duties=(duty,), reason_code=reason_code))
        else:
            scenario.then_refused("waiver-does-not-fit")


@pytest.mark.parametrize(
    ("phase", "duty"), [(Phase.FAILED, "remedies-notice"), (Phase.PERFORMING, "performance")]
)
def test_the_refusal_names_the_duty_that_is_open(phase, duty):
    """By its code, to be copied into a waiver, and no other; and the command that takes one."""
    scenario = in_phase(phase)
    scenario.when(CloseCase()).then_refused("no-open-duty")
    (refusal,) = scenario.refusal.refusals
    named = {it for it in ("remedies-notice", "performance") if it in refusal.zh}

    assert named == {duty}
    assert f"({duty})" in refusal.en
    assert "close-case" in refusal.zh
