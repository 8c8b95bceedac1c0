"""What a body takes over with a case: its phase, its clocks, and the parties' word."""

from datetime import date

import pytest

from mediation.case.agreement import SealAgreement
from mediation.case.custody import (
    AcceptCustody,
    CaseEscalated,
    CustodyMoveRequested,
)
from mediation.case.values import Answer, Matter, Phase, Side
from mediation.ladder import MoveKind
from tests.scenario import NETWORK, PLACES, Scenario, expect, in_phase, lead_of

ESCALATE, REPORT_UP, TRANSFER = MoveKind.ESCALATE, MoveKind.REPORT_UP, MoveKind.TRANSFER


def test_taking_custody_releases_the_mediators_and_begins_anew_at_the_body():
    """Mediators, sessions, rights notices and the old target stay with the old body."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.met()
    team = scenario.case.mediator_ids
    scenario.do(scenario.move("dongcheng"))
    (taken,) = scenario.do(AcceptCustody())
    case = scenario.case

    assert taken.released_mediator_ids == team
    assert (case.mediator_ids, case.lead_mediator_id) == ((), None)
    assert (case.sessions_here, case.rights_served_at, case.consents) == (0, {}, {})
    assert (case.assigned_at, case.agreed_at, "D06" in case.due) == (None, {}, False)


@pytest.mark.parametrize(("matter", "phase"), [it for it in PLACES if it[1] is not Phase.CLOSED])
@pytest.mark.parametrize("with_sheets", [False, True])
def test_the_phase_after_taking_custody(matter, phase, with_sheets):
    """REGISTERED stays; sheets of all willing keep an acceptance open; else consent is asked.

    From effect on, in proceedings, and where nobody mediates, it stays; refused aid may be granted.
    """
    scenario = in_phase(phase, matter)
    scenario.do(scenario.move("catering", TRANSFER, "other-branch"))
    if with_sheets:
        scenario.given(*(scenario.sheet(party) for party in scenario.case.parties))
    (taken,) = scenario.do(AcceptCustody())
    is_open = phase in (Phase.ACCEPTED, Phase.ASSIGNED, Phase.MEDIATING, Phase.SIGNING)
    again = (Phase.CONSENT_PENDING, Phase.FAILED, Phase.NOT_ACCEPTED)
    if is_open and with_sheets:
        after = Phase.ACCEPTED
    elif matter is Matter.DISPUTE and (is_open or phase in again):
        after = Phase.CONSENT_PENDING
    else:
        after = Phase.REGISTERED if phase is Phase.NOT_ACCEPTED else phase

    assert taken.phase is after


def test_an_unsealed_draft_stays_with_the_old_body():
    """What was drafted and signed below is stale above, and nothing is left of it to seal."""
    scenario = in_phase(Phase.SIGNING)
    scenario.given(scenario.check()).signed()
    paper = scenario.paper
    scenario.taken_by("dongcheng")

    assert scenario.case.draft is None
    scenario.mediating().drafted()
    scenario.when(SealAgreement(**paper)).then_refused("draft-superseded", "legality-not-passed")


def test_the_sheets_say_who_agreed_to_an_extension():
    """An extension of the term may rest on them afterwards; silence on it is no yes."""
    scenario = in_phase(Phase.MEDIATING, companies=2)
    scenario.do(scenario.move("dongcheng"))
    parties = scenario.case.parties
    for party, extension in zip(parties, (True, False, None), strict=True):
        scenario.do(scenario.sheet(party, extension=extension))
    (taken,) = scenario.do(AcceptCustody())

    assert taken.extension_ids == (parties[0].party_id,)
    assert scenario.case.extendable_ids == {parties[0].party_id}


def test_a_willing_party_without_a_yes_has_to_be_asked_again():
    """All willing parties must agree to the new body; one missing or contrary sheet is enough."""
    for answer in (None, False):
        scenario = in_phase(Phase.MEDIATING)
        scenario.given(scenario.move("dongcheng"), scenario.sheet(scenario.applicant))
        if answer is not None:
            scenario.do(scenario.sheet(scenario.respondent, new_body=answer))
        scenario.do(AcceptCustody())

        assert scenario.case.phase is Phase.CONSENT_PENDING
        assert scenario.case.consents == {scenario.applicant.party_id: Answer.AGREED}


def test_an_unwilling_respondent_does_not_hold_up_the_others():
    """Only the willing are asked for sheets."""
    scenario = Scenario().registered(companies=2)
    worker, willing, unwilling = scenario.case.parties
    for party, answer in (
        (worker, Answer.AGREED),
        (willing, Answer.AGREED),
        (unwilling, Answer.NO_ANSWER),
    ):
        scenario.do(scenario.consent(party, answer))
    scenario.accepted()
    scenario.given(
        scenario.move("dongcheng"),
        scenario.sheet(worker),
        scenario.sheet(willing),
        AcceptCustody(),
    )

    assert scenario.case.phase is Phase.ACCEPTED


def test_the_word_of_one_side_never_keeps_a_case_accepted():
    """After two climbs with the applicant's sheet alone, the respondent still has to be asked."""
    scenario = in_phase(Phase.MEDIATING)
    for body_id in ("dongcheng", "hq"):
        scenario.given(scenario.move(body_id), scenario.sheet(scenario.applicant), AcceptCustody())
        assert scenario.case.phase is Phase.CONSENT_PENDING


def test_the_ladder_is_climbed_with_two_clocks():
    """Scenario 5: the statutory end stays 17 March; each level's target ends by then."""
    scenario = Scenario().registered(body_id="factory").agreed()
    scenario.accepted(at="2026-03-03T09:00+08:00").mediating()
    scenario.met(at="2026-03-05T09:00+08:00")
    targets = [scenario.case.due["D13"].due_on]
    for body_id, asked_at, taken_at in (
        ("catering", "2026-03-05T10:00+08:00", "2026-03-06T09:00+08:00"),
        ("dongcheng", "2026-03-09T10:00+08:00", "2026-03-10T09:00+08:00"),
        ("hq", "2026-03-13T08:00+08:00", "2026-03-13T09:00+08:00"),
    ):
        scenario.do(scenario.move(body_id, ground="no-agreement"), at=asked_at)
        scenario.given(*(scenario.sheet(party, extension=False) for party in scenario.case.parties))
        scenario.when(AcceptCustody(), at=taken_at).then(
            expect(CaseEscalated, phase=Phase.ACCEPTED)
        )
        assert scenario.case.mediator_ids == ()
        assert scenario.case.due["D02"].due_on == date(2026, 3, 17)
        targets.append(scenario.case.due["D13"].due_on)
        scenario.mediating().met()
    requests = [e for e in scenario.events if isinstance(e, CustodyMoveRequested)]

    assert [request.days_left for request in requests] == [12, 8, 4]
    assert targets == [
        date(2026, 3, 5),
        date(2026, 3, 11),
        date(2026, 3, 16),
        date(2026, 3, 17),
    ]
    assert scenario.case.due["D13"].rule == "rest"
    assert scenario.case.due["D03"].due_on == date(2026, 3, 18)
    assert scenario.case.former_paths == tuple(
        NETWORK.body(body_id).path for body_id in ("factory", "catering", "dongcheng")
    )
    assert scenario.case.acceptance_no == 1
    assert scenario.case.irregularities == ()


def test_a_target_never_lies_beyond_the_statutory_end():
    """A level that takes over late has only what is left."""
    scenario = in_phase(Phase.MEDIATING).taken_by("dongcheng", at="2026-03-13T09:00+08:00")

    target = scenario.case.due["D13"]
    assert (target.due_on, target.rule) == (date(2026, 3, 17), "4 wd, capped")


def test_a_case_without_a_term_has_no_target_either():
    """Before both sides agreed, what the office began itself has no term to count down."""
    scenario = in_phase(Phase.REGISTERED, entry="PROACTIVE")
    scenario.given(scenario.move("dongcheng"), AcceptCustody())

    assert scenario.case.due == {}
    assert scenario.events[1].days_left is None


def test_a_case_that_failed_climbs_to_a_second_acceptance():
    """From 调解不成 the applicant may go on: consent anew, acceptance no. 2."""
    scenario = in_phase(Phase.FAILED)
    scenario.taken_by("dongcheng", ground="mediation-failed", applicant_wish=True)
    assert scenario.case.phase is Phase.CONSENT_PENDING

    scenario.agreed().accepted()
    assert (scenario.case.acceptance_no, scenario.case.outcome) == (2, None)


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.NOT_ACCEPTED])
def test_going_on_after_the_end_is_a_fresh_application(phase):
    """D01, D02 run anew from the day the wish was received, D13 from the taking over."""
    scenario = in_phase(phase)
    scenario.when(scenario.move("dongcheng", applicant_wish=False)).then_refused(
        "applicant-wish-missing"
    )
    (requested,) = scenario.do(scenario.move("dongcheng"), at="2026-03-09T09:00+08:00")
    assert requested.applicant_wish
    (taken,) = scenario.do(AcceptCustody(), at="2026-03-10T09:00+08:00")
    due = {it.code: it for it in taken.due}

    assert {code: it.due_on for code, it in due.items()} == {
        "D01": date(2026, 3, 12),
        "D02": date(2026, 3, 24),
        "D13": date(2026, 3, 16),
    }
    assert [due[code].start_on for code in ("D01", "D02")] == [date(2026, 3, 9)] * 2
    assert due["D01"].article == "cf. L-PROV 22"  # the receiver is inside no employer
    for code, event in (("D01", requested), ("D02", requested), ("D13", taken)):
        assert due[code].start_event_id == event.event_id


def test_a_move_asked_for_before_the_end_needs_the_applicants_wish_to_be_taken():
    """The mediation failed while the request was pending: it has to be asked anew."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.given(scenario.move("dongcheng")).failed()
    scenario.when(AcceptCustody()).then_refused("applicant-wish-missing")
    scenario.when(AcceptCustody(), by=lead_of("hengjie")).then_refused(
        "own-request", "applicant-wish-missing"
    )
    wished = in_phase(Phase.MEDIATING)
    wished.do(wished.move("dongcheng", applicant_wish=True))

    wished.failed().when(AcceptCustody()).then(expect(CaseEscalated, phase=Phase.CONSENT_PENDING))


def test_reporting_up_skips_rungs():
    """直报 leads from the enterprise to the top at once."""
    scenario = in_phase(Phase.REGISTERED, body_id="factory", workers=10)
    scenario.taken_by("hq", kind=REPORT_UP, ground="ten-or-more-workers")

    assert scenario.case.level == NETWORK.body("hq").level


def test_a_side_stands_for_itself():
    """Every party is on exactly one side; both are in the sum."""
    case = in_phase(Phase.REGISTERED, workers=2, companies=2).case

    assert [party.side for party in case.parties] == [Side.APPLICANT] * 2 + [Side.RESPONDENT] * 2
