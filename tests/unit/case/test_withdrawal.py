"""Who does not wish to go on: all applicants take the application back, or a party its consent."""

from datetime import date

import pytest

from mediation.case.closing import CaseClosed, CloseCase
from mediation.case.conclusion import (
    CaseWithdrawn,
    MediationConcluded,
    ServeRemediesNotice,
    WithdrawApplication,
)
from mediation.case.consent import ConsentRecorded, ConsentWithdrawn, RefuseCase, WithdrawConsent
from mediation.case.custody import AcceptCustody, CustodyMoveWithdrawn
from mediation.case.lifecycle import open_duties
from mediation.case.sessions import SessionHeld
from mediation.case.values import Answer, Instrument, Matter, Outcome, Phase
from mediation.ladder import MoveKind
from tests.scenario import STEPS, an_id, expect, in_phase

ACCEPTED = (Phase.ACCEPTED, Phase.ASSIGNED, Phase.MEDIATING, Phase.SIGNING)
OVER = (Phase.PERFORMING, Phase.FAILED, Phase.WITHDRAWN, Phase.NOT_ACCEPTED, Phase.IN_PROCEEDINGS)


def withdraw(party):
    """Make the command by which a party does not wish to go on."""
    return WithdrawConsent(party_id=party.party_id, means="wechat")


# The application


@pytest.mark.parametrize("phase", [Phase.REGISTERED, Phase.CONSENT_PENDING])
def test_an_application_taken_back_before_acceptance_concludes_nothing(phase):
    """No acceptance, no conclusion; what ran stops."""
    scenario = in_phase(phase)
    scenario.when(scenario.withdrawal()).then(
        expect(
            CaseWithdrawn,
            phase=Phase.WITHDRAWN,
            due_ended=("D01", "D02", "D13"),
            irregularities=(),
            settled=False,
        )
    )

    assert scenario.case.due == {}
    assert scenario.case.outcome is None
    scenario.when(CloseCase()).then(CaseClosed)


@pytest.mark.parametrize("phase", ACCEPTED)
@pytest.mark.parametrize(
    ("settled", "outcome"), [(False, Outcome.WITHDRAWN), (True, Outcome.SETTLED)]
)
def test_an_application_taken_back_under_an_acceptance_concludes_it_once(phase, settled, outcome):
    """WITHDRAWN; or SETTLED, where the applicants say that they settled (和解撤回)."""
    scenario = in_phase(phase)
    everybody = scenario.withdrawal().by_ids
    scenario.when(WithdrawApplication(by_ids=everybody, settled=settled)).then(
        expect(CaseWithdrawn, phase=Phase.WITHDRAWN, by_ids=everybody, settled=settled),
        expect(
            MediationConcluded,
            phase=Phase.WITHDRAWN,
            outcome=outcome,
            due=(),
            due_ended=(),
            partial=False,
            instrument=None,
            agreed_fen=0,
        ),
    )

    assert scenario.case.due == {}
    assert (scenario.case.acceptance_open, scenario.case.draft) == (False, None)


def test_what_was_settled_on_paper_is_followed_up_though_the_application_was_taken_back():
    """和解撤回 on an undertaking: the sum is counted, its day is checked, closing asks for it."""
    scenario = in_phase(Phase.MEDIATING)
    (paper,) = scenario.do(scenario.promise(fen=70_000))
    scenario.when(WithdrawApplication(by_ids=scenario.withdrawal().by_ids, settled=True)).then(
        CaseWithdrawn,
        expect(
            MediationConcluded,
            outcome=Outcome.SETTLED,
            agreed_fen=70_000,
            instrument_event_id=paper.event_id,
            instrument=Instrument.UNDERTAKING,
        ),
    )
    assert set(scenario.case.due) == {"D10:2026-03-20"}
    scenario.when(CloseCase()).then_refused("no-open-duty")
    scenario.do(scenario.payment(fen=70_000))

    assert scenario.case.due == {}
    scenario.when(CloseCase()).then(CaseClosed)


def test_a_promise_is_not_owed_where_the_application_was_taken_back_without_a_settlement():
    """Nothing took effect, so nothing is to be performed here."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(scenario.promise())
    scenario.when(scenario.withdrawal()).then(
        CaseWithdrawn,
        expect(MediationConcluded, outcome=Outcome.WITHDRAWN, agreed_fen=0, instrument=None),
    )

    assert (scenario.case.due, open_duties(scenario.case)) == ({}, ())


def test_only_all_applicants_take_the_application_back():
    """The exit of some is no withdrawal (L-ARB 63); the respondent has nothing to take back."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    one, two, firm = (party.party_id for party in scenario.case.parties)

    for by_ids in ((one,), (one, two, firm), (firm,), (one, an_id("x"))):
        scenario.when(WithdrawApplication(by_ids=by_ids)).then_refused("malformed")
        (fault,) = scenario.refusal.faults
        assert (fault.pointer, fault.code) == ("/by_ids", "not-all-applicants")
    scenario.when(WithdrawApplication(by_ids=(two, one))).then(CaseWithdrawn, MediationConcluded)


@pytest.mark.parametrize("phase", [Phase.PERFORMING, Phase.FAILED, Phase.NOT_ACCEPTED])
def test_an_application_taken_back_too_late_is_recorded_and_moves_nothing(phase):
    """An agreement in force is not undone by one side; the paper is on file with its flaw."""
    scenario = in_phase(phase)
    before = scenario.case
    scenario.when(scenario.withdrawal()).then(
        expect(CaseWithdrawn, phase=phase, irregularities=("out-of-order",), due_ended=())
    )

    assert (scenario.case.outcome, scenario.case.due) == (before.outcome, before.due)
    assert scenario.case.payments == before.payments


def test_after_the_close_it_is_late_and_nothing_else():
    """One flaw, one cure; and taking back what was taken back already is none."""
    closed = in_phase(Phase.CLOSED)
    closed.when(closed.withdrawal()).then(
        expect(CaseWithdrawn, phase=Phase.CLOSED, irregularities=("after-close",))
    )
    gone = in_phase(Phase.WITHDRAWN)
    gone.when(gone.withdrawal()).then(
        expect(CaseWithdrawn, phase=Phase.WITHDRAWN, irregularities=(), due_ended=())
    )


@pytest.mark.parametrize("kind", [MoveKind.ESCALATE, MoveKind.TRANSFER])
def test_taking_the_application_back_ends_every_pending_move(kind):
    """Nobody takes over what is not there any more; the move ends first."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(
        scenario.move("dongcheng")
        if kind is MoveKind.ESCALATE
        else scenario.move("catering", kind, "other-branch")
    )

    scenario.when(scenario.withdrawal()).then(
        expect(CustodyMoveWithdrawn, reason_code="application-withdrawn", phase=Phase.MEDIATING),
        CaseWithdrawn,
        MediationConcluded,
    )
    assert (scenario.case.move, scenario.case.due) == (None, {})


def test_a_notice_that_a_refusal_made_due_stays_due():
    """The employer refused, and the worker gave up: he is told in writing what else is open."""
    scenario = in_phase(Phase.REGISTERED)
    scenario.do(scenario.consent(scenario.respondent, Answer.REFUSED))
    scenario.do(scenario.withdrawal())
    assert set(scenario.case.due) == {"D05"}
    scenario.when(CloseCase()).then_refused("no-open-duty")
    scenario.do(ServeRemediesNotice(party_id=scenario.applicant.party_id, means="written"))

    assert scenario.case.due == {}
    scenario.when(CloseCase()).then(CaseClosed)


@pytest.mark.parametrize(
    ("matter", "phase"),
    [
        (matter, phase)
        for matter in (Matter.DEMAND, Matter.AID)
        for phase in STEPS[matter]
        if phase in (Phase.REGISTERED, Phase.RELAYED, Phase.ANSWERED, Phase.AIDED)
    ],
)
def test_demands_and_aid_are_taken_back_without_a_conclusion(matter, phase):
    """Nothing was accepted for mediation there."""
    scenario = in_phase(phase, matter)
    scenario.when(scenario.withdrawal()).then(
        expect(CaseWithdrawn, phase=Phase.WITHDRAWN, irregularities=())
    )

    assert "D23" not in scenario.case.due


# Consent


@pytest.mark.parametrize("phase", ACCEPTED)
@pytest.mark.parametrize("index", [0, 1])
def test_either_side_ends_the_mediation_by_its_word(phase, index):
    """调解不成, never 撤回; everybody is told what else is open (L-PROV 30, 31)."""
    scenario = in_phase(phase)
    party = scenario.case.parties[index]
    everybody = tuple(it.party_id for it in scenario.case.parties)
    (withdrawn, concluded) = scenario.do(withdraw(party))

    assert type(withdrawn) is ConsentWithdrawn
    assert (withdrawn.phase, withdrawn.at_body_id) == (Phase.FAILED, "hengjie")
    assert (withdrawn.owed_to_ids, withdrawn.interrupts_limitation) == (everybody, True)
    assert [due.code for due in withdrawn.due] == ["D05"]
    assert (type(concluded), concluded.outcome) == (MediationConcluded, Outcome.FAILED)
    assert set(scenario.case.due) == {"D05"}
    assert scenario.case.due["D05"].due_on == date(2026, 3, 5)
    assert open_duties(scenario.case) == ("remedies-notice",)
    assert scenario.case.draft is None


def test_it_ends_a_pending_move_first():
    """There is nothing left that the receiver could go on with."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(scenario.move("dongcheng"))
    scenario.when(withdraw(scenario.respondent)).then(
        expect(CustodyMoveWithdrawn, reason_code="consent-withdrawn", phase=Phase.MEDIATING),
        expect(ConsentWithdrawn, phase=Phase.FAILED),
        expect(MediationConcluded, outcome=Outcome.FAILED),
    )

    assert scenario.case.move is None


def test_while_consent_is_asked_anew_under_an_acceptance_it_ends_it_too():
    """Moved without sheets, the acceptance is open still and the willing are asked again."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.given(scenario.move("dongcheng"), AcceptCustody())
    assert (scenario.case.phase, scenario.case.acceptance_open) == (Phase.CONSENT_PENDING, True)

    scenario.when(withdraw(scenario.respondent)).then(
        expect(ConsentWithdrawn, phase=Phase.FAILED, at_body_id="dongcheng"), MediationConcluded
    )


@pytest.mark.parametrize("phase", ACCEPTED)
def test_as_long_as_somebody_on_that_side_is_willing_the_others_go_on(phase):
    """One worker of two, or one company of two, who leaves does not end it for the rest."""
    scenario = in_phase(phase, workers=2, companies=2)
    for leaving, other in (
        (scenario.case.applicants[0], scenario.case.respondents),
        (scenario.case.respondents[1], scenario.case.applicants),
    ):
        (withdrawn,) = scenario.do(withdraw(leaving))
        assert (withdrawn.phase, scenario.case.acceptance_open) == (phase, True)
        assert withdrawn.owed_to_ids == tuple(party.party_id for party in other)
    scenario.when(withdraw(scenario.case.applicants[1])).then(
        expect(ConsentWithdrawn, phase=Phase.FAILED), MediationConcluded
    )


@pytest.mark.parametrize(("index", "interrupts"), [(0, False), (1, True)])
@pytest.mark.parametrize("phase", [Phase.REGISTERED, Phase.CONSENT_PENDING])
def test_before_acceptance_it_stands_as_a_clear_refusal(phase, index, interrupts):
    """The other side is told, the case can be refused; only a respondent's word interrupts."""
    scenario = in_phase(phase)
    scenario.agreed()
    party, other = scenario.case.parties[index], scenario.case.parties[1 - index]
    scenario.when(withdraw(party)).then(
        expect(
            ConsentWithdrawn,
            phase=Phase.CONSENT_PENDING,
            owed_to_ids=(other.party_id,),
            interrupts_limitation=interrupts,
        )
    )

    assert scenario.case.consents[party.party_id] is Answer.REFUSED
    assert scenario.case.refusing_side() is party.side
    scenario.when(RefuseCase(reason_code="party-refused"))
    assert scenario.refusal is None


def test_who_withdrew_is_not_called_to_a_session_until_he_agrees_again():
    """Withdrawn consent bars new sessions with that party at once; a new word lifts it."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    leaving = scenario.case.applicants[0]
    scenario.do(withdraw(leaving))
    flaws = ("without-consent", "after-consent-withdrawn")
    scenario.when(scenario.session()).then(expect(SessionHeld, irregularities=flaws))
    rest = tuple(p.party_id for p in scenario.case.parties if p != leaving)
    scenario.when(scenario.session(attending_ids=rest)).then(expect(SessionHeld, irregularities=()))
    scenario.when(scenario.consent(leaving)).then(ConsentRecorded)

    scenario.when(scenario.session()).then(expect(SessionHeld, irregularities=()))


@pytest.mark.parametrize("phase", OVER)
def test_consent_withdrawn_when_the_mediation_is_over_changes_nothing(phase):
    """An agreement in force binds; the word is on record with its flaw, and owes no notice."""
    scenario = in_phase(phase)
    before = scenario.case
    scenario.when(withdraw(scenario.respondent)).then(
        expect(
            ConsentWithdrawn,
            phase=phase,
            irregularities=("out-of-order",),
            owed_to_ids=(),
            due=(),
            interrupts_limitation=False,
        )
    )

    assert scenario.case.due == before.due
    assert scenario.case.remedies_owed_ids == before.remedies_owed_ids
    assert scenario.case.outcome == before.outcome


def test_after_the_close_consent_withdrawn_is_late_and_nothing_else():
    """It is recorded; no clock starts on a closed case."""
    scenario = in_phase(Phase.CLOSED)

    scenario.when(withdraw(scenario.applicant)).then(
        expect(
            ConsentWithdrawn,
            phase=Phase.CLOSED,
            irregularities=("after-close",),
            owed_to_ids=(),
            due=(),
        )
    )


def test_a_second_word_starts_no_second_notice_and_a_stranger_has_none():
    """D05 runs once while it is open; an id from elsewhere is malformed."""
    scenario = in_phase(Phase.MEDIATING, companies=2)
    one, two = scenario.case.respondents
    scenario.do(withdraw(one))
    scenario.when(withdraw(two)).then(expect(ConsentWithdrawn, due=()), MediationConcluded)

    stranger = WithdrawConsent(party_id=an_id("stranger"), means="phone")
    scenario.when(stranger).then_refused("unknown-party")


def test_who_was_told_in_writing_already_is_not_owed_it_again():
    """A refusal before had made the notice due, and it was served."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(scenario.consent(scenario.respondent, Answer.REFUSED))
    worker, firm = (party.party_id for party in scenario.case.parties)
    scenario.do(ServeRemediesNotice(party_id=worker, means="written"))

    scenario.when(withdraw(scenario.respondent)).then(
        expect(ConsentWithdrawn, owed_to_ids=(firm,)), MediationConcluded
    )


def test_an_application_taken_back_where_that_moves_nothing_ends_no_move():
    """A failed case on its way up goes on its way."""
    scenario = in_phase(Phase.FAILED)
    scenario.do(scenario.move("dongcheng"))

    scenario.when(scenario.withdrawal()).then(
        expect(CaseWithdrawn, phase=Phase.FAILED, irregularities=("out-of-order",))
    )
    assert scenario.case.move is not None
