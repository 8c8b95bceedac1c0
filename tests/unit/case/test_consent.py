"""Asking the parties, and accepting or refusing the case."""

from datetime import date

import msgspec
import pytest

from mediation.case.conclusion import ServeRemediesNotice
from mediation.case.consent import (
    AcceptCase,
    AskConsent,
    CaseAccepted,
    CaseNotAccepted,
    ConsentAsked,
    ConsentRecorded,
    RecordConsent,
    RefuseCase,
)
from mediation.case.custody import AcceptCustody
from mediation.case.lifecycle import open_duties
from mediation.case.values import Answer, Matter, Phase, Side
from mediation.privacy import Personal
from tests.scenario import STEPS, Scenario, a_registration, an_id, expect, in_phase, moment, on

ACCEPT = AcceptCase(within_scope=True, within_district=True)
DISPUTED = tuple(STEPS[Matter.DISPUTE])


def test_asking_a_party_opens_the_question_of_consent():
    """REGISTERED becomes CONSENT_PENDING when a party is asked; asking again leaves it there."""
    scenario = in_phase(Phase.REGISTERED)
    ask = AskConsent(party_id=scenario.respondent.party_id, means="phone")
    asked = expect(ConsentAsked, phase=Phase.CONSENT_PENDING, at_body_id="hengjie", means="phone")

    scenario.when(ask).then(asked)
    scenario.when(ask).then(asked)


def test_consent_may_be_recorded_without_having_asked():
    """Taking part is an answer too; it needs no question before it."""
    scenario = in_phase(Phase.REGISTERED)
    answer = RecordConsent(
        party_id=scenario.applicant.party_id,
        answer=Answer.AGREED,
        means="attending",
        proof=Personal("签到表"),
    )
    scenario.when(answer).then(
        expect(
            ConsentRecorded,
            phase=Phase.CONSENT_PENDING,
            answer=Answer.AGREED,
            interrupts_limitation=False,
            due=(),
        )
    )

    assert scenario.case.has_agreed(scenario.applicant)


def test_a_clear_refusal_starts_the_written_notice_and_interrupts_limitation():
    """D05: three working days from the refusal to tell the other side (scenario 4; L-PROV 31)."""
    scenario = in_phase(Phase.REGISTERED, workers=2)
    (recorded,) = scenario.do(
        scenario.consent(scenario.respondent, Answer.REFUSED), at="2026-03-03T09:00+08:00"
    )

    workers = tuple(party.party_id for party in scenario.case.applicants)
    assert recorded.interrupts_limitation
    assert recorded.owed_to_ids == workers
    assert scenario.case.remedies_owed_ids == set(workers)
    assert scenario.case.due["D05"].due_on == date(2026, 3, 6)


def test_an_applicants_own_refusal_does_not_interrupt_limitation():
    """Only the other side's refusal does; the respondent is told all the same (L-PROV 31)."""
    scenario = in_phase(Phase.REGISTERED)

    scenario.when(scenario.consent(scenario.applicant, Answer.REFUSED)).then(
        expect(
            ConsentRecorded,
            interrupts_limitation=False,
            owed_to_ids=(scenario.respondent.party_id,),
        )
    )


def test_a_second_refusal_starts_no_second_notice():
    """D05 runs once while it is open, and not for those who were told in writing already."""
    scenario = in_phase(Phase.REGISTERED)
    refusal = scenario.consent(scenario.respondent, Answer.REFUSED)
    scenario.do(refusal)
    scenario.when(refusal).then(expect(ConsentRecorded, due=()))
    scenario.do(ServeRemediesNotice(party_id=scenario.applicant.party_id, means="written"))
    assert "D05" not in scenario.case.due

    scenario.when(refusal).then(expect(ConsentRecorded, due=(), owed_to_ids=()))


def test_a_refusal_after_the_close_owes_nothing():
    """It is recorded with its flaw; no clock starts on a closed case."""
    scenario = in_phase(Phase.CLOSED)

    scenario.when(scenario.consent(scenario.respondent, Answer.REFUSED)).then(
        expect(
            ConsentRecorded,
            phase=Phase.CLOSED,
            due=(),
            owed_to_ids=(),
            interrupts_limitation=False,
            irregularities=("after-close",),
        )
    )


@pytest.mark.parametrize("command", [AskConsent, RecordConsent])
def test_only_a_party_of_this_case_is_asked(command):
    """An id from elsewhere is malformed, not irregular."""
    changes = {} if command is AskConsent else {"answer": Answer.AGREED}
    stranger = command(party_id=an_id("stranger"), means="phone", **changes)

    scenario = in_phase(Phase.REGISTERED).when(stranger).then_refused("unknown-party")

    (fault,) = scenario.refusal.faults
    assert (fault.pointer, fault.code) == ("/party_id", "unknown-party")


def test_a_case_is_accepted_when_both_sides_agreed():
    """Acceptance no. 1, on what the lead checked and who agreed; D01 is done."""
    scenario = in_phase(Phase.CONSENT_PENDING)
    scenario.when(ACCEPT).then(
        expect(
            CaseAccepted,
            phase=Phase.ACCEPTED,
            acceptance_no=1,
            at_body_id="hengjie",
            legal_basis="L-ZJ 10; cf. L-PROV 22",
            collective=False,
            within_scope=True,
            within_district=True,
            pending_elsewhere="NONE",
            agreed_ids=tuple(party.party_id for party in scenario.case.parties),
            due=(),
            due_ended=("D01",),
        )
    )

    assert scenario.case.acceptance_open
    assert scenario.case.first_accepting_body_id == "hengjie"
    assert set(scenario.case.due) == {"D02", "D13"}


def test_acceptance_ends_the_notice_that_a_refusal_had_started():
    """Whoever changed his mind has not refused: D05 and what was owed end."""
    scenario = in_phase(Phase.REGISTERED)
    scenario.do(scenario.consent(scenario.respondent, Answer.REFUSED))
    scenario.agreed()

    scenario.when(ACCEPT).then(expect(CaseAccepted, due_ended=("D01", "D05")))
    assert scenario.case.remedies_owed_ids == frozenset()


def test_an_enterprise_committee_has_fifteen_days_of_its_own():
    """D03 runs from acceptance, only where the ladder sets it (L-PROV 29; scenario 5)."""
    scenario = in_phase(Phase.CONSENT_PENDING, body_id="factory")
    scenario.accepted(at="2026-03-03T09:00+08:00")

    assert scenario.case.due["D03"].due_on == date(2026, 3, 18)


@pytest.mark.parametrize(
    ("answers", "codes"),
    [
        ((), ("applicant-agreed", "respondent-agreed")),
        ((Answer.AGREED, Answer.NO_ANSWER), ("respondent-agreed",)),
        ((Answer.UNREACHABLE, Answer.AGREED), ("applicant-agreed",)),
        ((Answer.AGREED, Answer.REFUSED), ("no-side-refused",)),
        ((Answer.REFUSED,), ("respondent-agreed", "no-side-refused")),
    ],
)
def test_without_consent_of_both_sides_nothing_is_accepted(answers, codes):
    """Silence is no consent, and a refusal bars mediation."""
    scenario = in_phase(Phase.REGISTERED).asked()
    for party, answer in zip(scenario.case.parties, answers, strict=False):
        scenario.do(scenario.consent(party, answer))

    scenario.when(ACCEPT).then_refused(*codes)


def test_one_willing_respondent_of_two_is_enough():
    """Mediation goes on with the willing one."""
    scenario = in_phase(Phase.REGISTERED, companies=2)
    worker, willing, unwilling = scenario.case.parties
    for party, answer in (
        (worker, Answer.AGREED),
        (willing, Answer.AGREED),
        (unwilling, Answer.REFUSED),
    ):
        scenario.do(scenario.consent(party, answer))

    scenario.when(ACCEPT).then(CaseAccepted)


@pytest.mark.parametrize(
    ("checks", "codes"),
    [
        ({"within_scope": False}, ("out-of-scope",)),
        ({"within_district": False}, ("wrong-place",)),
        ({"pending_elsewhere": "COURT"}, ("pending-elsewhere",)),
        (
            {
                "within_scope": False,
                "within_district": False,
                "pending_elsewhere": "ARBITRATION",
            },
            ("out-of-scope", "wrong-place", "pending-elsewhere"),
        ),
    ],
)
def test_what_the_lead_checked_decides_on_acceptance(checks, codes):
    """Scope, place, and whether another forum has the matter; every reason is named."""
    fields = {"within_scope": True, "within_district": True} | checks

    in_phase(Phase.CONSENT_PENDING).when(AcceptCase(**fields)).then_refused(*codes)


@pytest.mark.parametrize("phase", [p for p in DISPUTED if p is not Phase.CONSENT_PENDING])
def test_acceptance_has_its_one_phase(phase):
    """Nothing is accepted before the parties were asked, nor twice."""
    in_phase(phase).when(ACCEPT).then_refused("wrong-phase")


def test_refusing_the_case_owes_the_applicants_a_written_notice():
    """The refusal has a coded reason; D05 runs from it."""
    scenario = in_phase(Phase.CONSENT_PENDING, workers=2)
    refuse = RefuseCase(reason_code="not-labour-dispute", explanation=Personal("系承揽关系。"))
    scenario.when(refuse, at="2026-03-04T09:00+08:00").then(
        expect(CaseNotAccepted, phase=Phase.NOT_ACCEPTED, reason_code="not-labour-dispute")
    )
    case = scenario.case

    assert case.remedies_owed_ids == {party.party_id for party in case.applicants}
    assert case.due["D05"].due_on == date(2026, 3, 9)
    assert set(case.due) == {"D05"}
    assert open_duties(case) == ("remedies-notice",)
    assert scenario.events[-1].due_ended == ("D01", "D02", "D13")


def test_party_refused_needs_a_side_that_clearly_refused():
    """Silence is no refusal: it is refused for want of consent (L-ZJ 10)."""
    scenario = in_phase(Phase.REGISTERED)
    refuse = RefuseCase(reason_code="party-refused")
    scenario.do(scenario.consent(scenario.respondent, Answer.NO_ANSWER))
    scenario.when(refuse).then_refused("nobody-refused")
    scenario.do(scenario.consent(scenario.respondent, Answer.REFUSED))

    scenario.when(refuse).then(expect(CaseNotAccepted, reason_code="party-refused"))


def test_the_notice_after_a_refusal_keeps_the_date_it_had():
    """Where a party's refusal started D05, refusing the case does not start it anew."""
    scenario = in_phase(Phase.REGISTERED)
    scenario.do(scenario.consent(scenario.respondent, Answer.REFUSED), at="2026-03-03T09:00+08:00")
    scenario.when(RefuseCase(reason_code="party-refused"), at="2026-03-05T09:00+08:00").then(
        expect(CaseNotAccepted, due=())
    )

    assert scenario.case.due["D05"].due_on == date(2026, 3, 6)


def test_a_refusal_needs_a_reason_of_the_table():
    """A party may apply to any listed body (L-LDMA 10): "lower level first" is no reason."""
    command = RefuseCase(reason_code="lower-level-first")

    in_phase(Phase.REGISTERED).when(command).then_refused("malformed")


@pytest.mark.parametrize(
    "phase", [p for p in DISPUTED if p not in (Phase.REGISTERED, Phase.CONSENT_PENDING)]
)
def test_a_case_that_was_accepted_or_refused_is_not_refused(phase):
    """A mediation that began is ended by recording its failure."""
    in_phase(phase).when(RefuseCase(reason_code="duplicate")).then_refused("wrong-phase")


def climbed_without_sheets(**registration):
    """Give an accepted case that climbed without a party's word: it has to be asked again."""
    scenario = in_phase(Phase.MEDIATING, **registration)
    scenario.given(scenario.move("dongcheng"), AcceptCustody())
    assert (scenario.case.phase, scenario.case.acceptance_open) == (Phase.CONSENT_PENDING, True)
    return scenario


def test_the_last_consent_at_the_new_body_takes_the_case_up_again():
    """Under an open acceptance no second acceptance is needed: the last AGREED leads on."""
    scenario = climbed_without_sheets()
    scenario.when(scenario.consent(scenario.applicant)).then(
        expect(ConsentRecorded, phase=Phase.CONSENT_PENDING)
    )
    scenario.when(ACCEPT).then_refused("no-acceptance-open", "respondent-agreed")
    scenario.when(RefuseCase(reason_code="duplicate")).then_refused("no-acceptance-open")
    scenario.when(scenario.consent(scenario.respondent)).then(
        expect(ConsentRecorded, phase=Phase.ACCEPTED)
    )

    assert scenario.case.acceptance_no == 1


def test_a_refusal_at_the_new_body_obliges_to_end_the_mediation():
    """Under an open acceptance a REFUSED must be followed by 调解不成."""
    scenario = climbed_without_sheets()
    scenario.do(scenario.consent(scenario.applicant))
    scenario.do(scenario.consent(scenario.respondent, Answer.REFUSED))

    assert scenario.case.phase is Phase.CONSENT_PENDING
    assert scenario.case.refusing_side() is Side.RESPONDENT
    assert scenario.failed().events[-1].phase is Phase.FAILED


@pytest.mark.parametrize(
    ("answer", "to"),
    [
        (None, Phase.ACCEPTED),
        (Answer.NO_ANSWER, Phase.ACCEPTED),
        (Answer.REFUSED, Phase.CONSENT_PENDING),
    ],
)
def test_who_keeps_silent_does_not_block_and_a_side_that_refuses_does(answer, to):
    """One of each side has to agree anew; the other respondent's silence holds nobody up."""
    scenario = climbed_without_sheets(companies=2)
    worker, first, second = scenario.case.parties
    if answer is not None:
        scenario.do(scenario.consent(second, answer))
    if answer is Answer.REFUSED:
        scenario.do(scenario.consent(first, Answer.UNREACHABLE))
    else:
        scenario.do(scenario.consent(first))
    scenario.do(scenario.consent(worker))

    assert scenario.case.phase is to


def test_only_a_yes_takes_the_case_up_again():
    """After both sides agreed, a later answer of another kind moves nothing."""
    scenario = climbed_without_sheets(companies=2).agreed()
    assert scenario.case.phase is Phase.ACCEPTED

    scenario.when(scenario.consent(scenario.case.respondents[1], Answer.NO_ANSWER)).then(
        expect(ConsentRecorded, phase=Phase.ACCEPTED)
    )


def test_a_proactive_case_runs_from_the_second_partys_consent():
    """L-ZJ 10: where the office offered, the fifteen days begin when the last party agreed."""
    scenario = in_phase(Phase.REGISTERED, entry="PROACTIVE")
    scenario.do(scenario.consent(scenario.applicant), at="2026-03-03T09:00+08:00")
    assert "D02" not in scenario.case.due

    scenario.do(scenario.consent(scenario.respondent), at="2026-03-04T09:00+08:00")
    assert scenario.case.due["D02"].due_on == date(2026, 3, 19)
    scenario.when(scenario.consent(scenario.respondent), at="2026-03-05T09:00+08:00").then(
        expect(ConsentRecorded, due=())
    )


def test_answers_typed_in_out_of_order_count_from_when_they_were_given():
    """The later side's first consent starts the term, whichever was typed in last."""
    scenario = in_phase(Phase.REGISTERED, entry="PROACTIVE")
    first, second = (
        msgspec.structs.replace(scenario.consent(party), occurred_at=moment(at))
        for party, at in (
            (scenario.applicant, "2026-03-03T09:00+08:00"),
            (scenario.respondent, "2026-03-04T09:00+08:00"),
        )
    )
    scenario.given(second, scenario.consent(scenario.respondent), at="2026-03-06T09:00+08:00")
    (recorded,) = scenario.do(first)

    assert [due.code for due in recorded.due] == ["D02", "D13"]
    assert scenario.case.due["D02"].start_on == date(2026, 3, 4)


def test_who_agrees_again_had_agreed_before():
    """The first consent counts, whatever was said between; the target ends with the term."""
    scenario = in_phase(Phase.REGISTERED, entry="PROACTIVE")
    worker, firm = scenario.applicant, scenario.respondent
    scenario.do(scenario.consent(firm), at="2026-03-03T09:00+08:00")
    scenario.do(scenario.consent(firm, Answer.REFUSED), at="2026-03-03T15:00+08:00")
    scenario.do(scenario.consent(worker), at="2026-03-04T09:00+08:00")
    assert "D02" not in scenario.case.due
    scenario.do(scenario.consent(firm), at="2026-03-18T09:00+08:00")

    term = scenario.case.due["D02"]
    assert (term.start_on, term.due_on) == (date(2026, 3, 4), date(2026, 3, 19))
    assert scenario.case.due["D13"].due_on == term.due_on


def test_how_a_party_answered_is_on_record():
    """The means, and what proves it as free text."""
    scenario = in_phase(Phase.REGISTERED)
    party_id = scenario.respondent.party_id
    proof = Personal("微信截图。")
    (recorded,) = scenario.do(
        RecordConsent(party_id=party_id, answer=Answer.AGREED, means="wechat", proof=proof)
    )

    assert (recorded.means, recorded.proof.value) == ("wechat", "微信截图。")


def test_two_sheets_for_the_new_body_are_two_answers():
    """A proactive case that both sides follow upwards has agreed: its term runs from there."""
    scenario = in_phase(Phase.REGISTERED, entry="PROACTIVE").asked()
    scenario.do(scenario.move("dongcheng"))
    scenario.given(*(scenario.sheet(party) for party in scenario.case.parties))
    scenario.do(AcceptCustody(), at="2026-03-03T09:00+08:00")

    assert {code: due.due_on for code, due in scenario.case.due.items()} == {
        "D02": date(2026, 3, 18),
        "D13": date(2026, 3, 9),
    }
    assert set(scenario.case.agreed_at.values()) == {scenario.now}


def test_one_sheet_and_one_later_answer_start_the_term_too():
    """What a party agreed to on its sheet need not be asked again (L-ZJ 10)."""
    scenario = in_phase(Phase.REGISTERED, entry="PROACTIVE")
    scenario.given(scenario.move("dongcheng"), scenario.sheet(scenario.applicant), AcceptCustody())
    assert scenario.case.due == {}
    scenario.do(scenario.consent(scenario.respondent), at="2026-03-04T09:00+08:00")

    assert scenario.case.due["D02"].start_on == date(2026, 3, 4)


@pytest.mark.parametrize("phase", [Phase.PERFORMING, Phase.FAILED, Phase.CLOSED])
def test_the_statutory_term_starts_once(phase):
    """A consent recorded after the mediation ended starts no second term."""
    scenario = in_phase(phase, entry="PROACTIVE")

    scenario.when(scenario.consent(scenario.respondent)).then(expect(ConsentRecorded, due=()))


def test_the_term_of_an_applicants_wish_to_go_on_is_not_started_again_by_consent():
    """A proactive case that climbs after a failure goes on by application: its term runs."""
    scenario = in_phase(Phase.FAILED, entry="PROACTIVE")
    scenario.taken_by("dongcheng", ground="mediation-failed")
    scenario.agreed(at="2026-03-04T09:00+08:00")

    assert scenario.case.phase is Phase.CONSENT_PENDING
    assert scenario.case.due["D02"].start_on == date(2026, 3, 2)


def test_an_application_has_no_second_start():
    """A case by application keeps the term it got at registration."""
    scenario = Scenario().given(a_registration()).agreed(at="2026-03-04T09:00+08:00")

    assert scenario.case.due["D02"].due_on == date(2026, 3, 17)


@pytest.mark.parametrize("phase", [Phase.PERFORMING, Phase.FAILED, Phase.WITHDRAWN])
def test_nothing_follows_from_a_refusal_once_the_mediation_is_over(phase):
    """It is on record with its flaw: no notice, no date, no interruption of limitation."""
    scenario = in_phase(phase)
    owed = scenario.case.remedies_owed_ids

    scenario.when(scenario.consent(scenario.respondent, Answer.REFUSED)).then(
        expect(
            ConsentRecorded,
            phase=phase,
            due=(),
            owed_to_ids=(),
            interrupts_limitation=False,
            irregularities=("out-of-order",),
        )
    )
    assert scenario.case.remedies_owed_ids == owed


def test_the_earliest_consent_counts_whichever_was_typed_in_first():
    """A slip of last week that is found today was given last week."""
    scenario = Scenario().registered()
    worker = scenario.applicant
    scenario.now = moment("2026-03-10T09:00+08:00")
    scenario.given(scenario.consent(worker))
    scenario.given(on(scenario.consent(worker), date(2026, 3, 4)))
    scenario.given(on(scenario.consent(worker), date(2026, 3, 6)))

    assert scenario.case.agreed_at[worker.party_id] == moment("2026-03-04T12:00+08:00")
