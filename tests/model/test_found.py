"""What random lives have come upon, each kept as the smallest history that showed it."""

from mediation.case.conclusion import MediationConcluded
from mediation.case.consent import RefuseCase, WithdrawConsent
from mediation.case.custody import AcceptCustody
from mediation.case.sessions import SessionHeld
from mediation.case.settlement import OralAgreementRecorded, RecordOralAgreement
from mediation.case.values import Answer, Phase
from mediation.privacy import Personal
from projections.folding import commands
from tests.examples import COMMANDS
from tests.model.life import Office, recorded
from tests.model.walk import require_invariants
from tests.projections.test_standing import assert_same
from tests.scenario import CASE_ID, expect, in_phase, lapse_of


def test_silence_does_not_take_a_withdrawal_back():
    """Whoever withdrew and then gives no answer has still withdrawn; a yes takes it back."""
    scenario = Office().registered(workers=2).agreed().accepted().mediating()
    worker = scenario.case.applicants[0]
    scenario.given(WithdrawConsent(party_id=worker.party_id, means="phone"))
    scenario.given(scenario.consent(worker, Answer.NO_ANSWER))
    scenario.when(scenario.session()).then(
        expect(SessionHeld, irregularities=("after-consent-withdrawn",))
    )
    scenario.given(scenario.consent(worker)).when(scenario.session())
    scenario.then(expect(SessionHeld, irregularities=()))
    require_invariants(scenario.events)


def test_a_payment_on_a_promise_survives_the_agreement_that_comes_after():
    """What was promised and partly paid while a draft waited stands; what was not is replaced."""
    scenario = in_phase(Phase.SIGNING, workers=2)
    scenario.given(scenario.check(), scenario.promise()).given(scenario.payment(fen=40_000))
    scenario.signed().given(COMMANDS["seal-agreement"](scenario))
    require_invariants(scenario.events)

    assert [it.applied_fen for it in scenario.case.payments] == [40_000, 0, 0]


def test_what_falls_due_by_word_of_mouth_falls_due_once():
    """Under obligations that a court has set the checks start with the conclusion, not twice."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.given(scenario.obligations_set())
    oral = RecordOralAgreement(
        agreed_by_ids=tuple(it.party_id for it in scenario.case.parties),
        obligations=scenario.promise().obligations,
        text=Personal("双方口头约定。"),
    )
    scenario.when(oral).then(
        expect(OralAgreementRecorded, due=(), due_ended=()), MediationConcluded
    )
    require_invariants(scenario.events)


def test_a_term_that_begins_anew_has_not_run_out():
    """After a lapse, a fresh application has a term of its own, in the read models too."""
    office = Office().registered()
    office.given(office.move("dongcheng", applicant_wish=True))
    office.given(lapse_of(office.case.term), at="2026-03-18T09:00+08:00")
    office.given(RefuseCase(reason_code="duplicate"), AcceptCustody())
    ((_end, touched),) = commands(recorded(office.events, office.now), lambda _ids: {})

    assert not office.case.term_lapsed
    assert_same(touched[CASE_ID], office.case)
