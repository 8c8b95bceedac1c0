"""Closing: nothing open is left behind without a reason."""

from datetime import date

import pytest

from mediation.case.agreement import ServeRemediesNotice
from mediation.case.closing import CaseClosed, CloseCase
from mediation.case.custody import CustodyMoveWithdrawn
from mediation.case.lifecycle import open_duties
from mediation.case.state import Answer, Phase
from tests.scenario import expect, in_phase


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

    scenario.when(CloseCase(waived_duties=duties, waiver_reason_code="settled-elsewhere")).then(
        expect(CaseClosed, waived_duties=duties, reason_code="settled-elsewhere")
    )


def test_every_open_duty_is_waived_by_its_own_name():
    """Waiving the payment does not waive the notice; a waiver of nothing leaves no reason."""
    scenario = in_phase(Phase.PERFORMING)
    scenario.do(scenario.consent(scenario.respondent, Answer.REFUSED))
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


@pytest.mark.parametrize(
    "phase",
    [p for p in Phase if p not in (Phase.PERFORMING, Phase.FAILED, Phase.NOT_ACCEPTED)],
)
def test_a_case_under_way_is_not_closed(phase):
    """Not even with a waiver."""
    waiver = CloseCase(waived_duties=("remedies-notice",), waiver_reason_code="creditor-released")

    in_phase(phase).when(waiver).then_refused("wrong-phase")


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
    assert set(scenario.case.due) == {"D18"}
