"""How a mediation ends: concluded once, or failed; and what the parties are told afterwards."""

from datetime import date
from itertools import groupby

import msgspec
import pytest

from mediation.case.closing import CloseCase
from mediation.case.conclusion import (
    ConcludeMediation,
    FailMediation,
    MediationConcluded,
    MediationFailed,
    RemediesNoticeServed,
    ServeRemediesNotice,
)
from mediation.case.custody import AcceptCustody
from mediation.case.lifecycle import open_duties
from mediation.case.performance import ObligationEntry
from mediation.case.settlement import GiveUndertaking
from mediation.case.values import Answer, Instrument, Matter, Outcome, Phase
from mediation.kernel import handled
from mediation.privacy import Personal
from tests.scenario import STEPS, Scenario, an_id, expect, in_phase, moment

OPEN = (Phase.ACCEPTED, Phase.ASSIGNED, Phase.MEDIATING, Phase.SIGNING)


@pytest.mark.parametrize("phase", OPEN)
def test_a_settled_case_is_concluded_on_its_day_at_its_body(phase):
    """SETTLED ends the acceptance: the clocks of mediation stop, the promise is tracked."""
    scenario = in_phase(phase)
    (paper,) = scenario.do(scenario.promise(fen=70_000))
    running = tuple(scenario.case.due)
    assert {"D02", "D13"} <= set(running)
    scenario.when(scenario.conclusion(), at="2026-03-06T09:00+08:00").then(
        expect(
            MediationConcluded,
            phase=Phase.PERFORMING,
            acceptance_no=1,
            outcome=Outcome.SETTLED,
            concluded_on=date(2026, 3, 6),
            term_on=date(2026, 3, 17),
            within_term=True,
            at_body_id="hengjie",
            at_level="village-industry",
            first_accepting_body_id="hengjie",
            instrument_event_id=paper.event_id,
            instrument=Instrument.UNDERTAKING,
            agreed_fen=70_000,
            partial=False,
            uncovered_line_ids=(),
            due_ended=running,
        )
    )
    case = scenario.case

    assert set(case.due) == {"D10:2026-03-20"}
    assert (case.acceptance_open, case.settled_by, case.has_taken_effect) == (False, None, True)
    assert case.draft is None
    scenario.when(scenario.conclusion()).then_refused("wrong-phase")


def test_a_partial_conclusion_names_the_claims_that_stay_open():
    """Claims without an agreed sum are told; a settlement without any sum leaves none out."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    first, second = scenario.case.lines
    scenario.do(
        GiveUndertaking(
            respondent_id=scenario.respondent.party_id,
            obligations=(
                ObligationEntry(line_id=first.line_id, agreed_fen=1, due_on=date(2026, 3, 20)),
            ),
            text=Personal("承诺"),
        )
    )

    scenario.when(scenario.conclusion()).then(
        expect(MediationConcluded, partial=True, uncovered_line_ids=(second.line_id,))
    )


def test_a_conclusion_tells_where_the_case_was_first_accepted():
    """The statistics of both bodies are read off one event."""
    scenario = in_phase(Phase.MEDIATING).taken_by("dongcheng")
    scenario.do(scenario.promise())

    scenario.when(scenario.conclusion()).then(
        expect(MediationConcluded, first_accepting_body_id="hengjie", at_body_id="dongcheng")
    )


def test_a_case_that_climbed_is_concluded_before_everybody_was_asked_again():
    """Under an open acceptance the paper itself is the parties' word at the new body."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.given(scenario.move("dongcheng"), AcceptCustody())
    assert scenario.case.phase is Phase.CONSENT_PENDING
    scenario.do(scenario.promise())

    scenario.when(scenario.conclusion()).then(
        expect(MediationConcluded, phase=Phase.PERFORMING, acceptance_no=1)
    )


def test_a_paper_that_was_typed_in_before_acceptance_counts():
    """Paper comes in any order: the settlement needs not be recorded a second time."""
    scenario = in_phase(Phase.CONSENT_PENDING)
    scenario.do(scenario.promise())
    scenario.accepted()

    scenario.when(scenario.conclusion()).then(MediationConcluded)
    assert len(scenario.case.payments) == 1


def test_nothing_is_concluded_without_a_paper_or_without_an_open_acceptance():
    """By hand only SETTLED, on a settlement or undertaking."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.when(scenario.conclusion()).then_refused("settled-on-paper")
    for phase in (p for p in STEPS[Matter.DISPUTE] if p not in OPEN):
        scenario = in_phase(phase)
        codes = (
            ("acceptance-open", "settled-on-paper")
            if phase is Phase.CONSENT_PENDING
            else ("wrong-phase",)
        )
        scenario.when(scenario.conclusion()).then_refused(*codes)


def test_a_paper_of_a_failed_mediation_does_not_conclude_the_next():
    """What did not settle the first acceptance settles the second only when given again."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(scenario.promise())
    scenario.failed()
    scenario.taken_by("dongcheng", ground="mediation-failed", applicant_wish=True)
    scenario.agreed().accepted()

    assert scenario.case.acceptance_no == 2
    scenario.when(scenario.conclusion()).then_refused("settled-on-paper")


def test_whoever_is_to_be_paid_must_accept():
    """Only workers accept, and every one who is promised money."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    scenario.do(scenario.promise())
    first, second = (party.party_id for party in scenario.case.applicants)
    firm = scenario.respondent.party_id

    scenario.when(ConcludeMediation(accepted_by_ids=(an_id("x"),))).then_refused("unknown-party")
    scenario.when(ConcludeMediation(accepted_by_ids=(first,))).then_refused("not-accepted-by-all")
    scenario.when(ConcludeMediation(accepted_by_ids=(first, second, firm))).then_refused(
        "not-an-applicant"
    )
    scenario.when(ConcludeMediation(accepted_by_ids=(first, second))).then(MediationConcluded)


@pytest.mark.parametrize(
    ("at", "within"),
    [("2026-03-17T23:59+08:00", True), ("2026-03-18T00:00+08:00", False)],
)
def test_a_conclusion_says_whether_it_came_in_time(at, within):
    """The last legal day counts to its end."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(scenario.promise())

    scenario.when(scenario.conclusion(), at=at).then(expect(MediationConcluded, within_term=within))


def test_a_case_without_a_term_is_neither_in_time_nor_late():
    """Where no statutory term ran, none was kept or missed; else it says which one ran."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(scenario.settlement())
    timeless = msgspec.structs.replace(scenario.case, due={})
    command = scenario.conclusion()
    decision = handled(command).decide(timeless, command, scenario.facts(command))

    (concluded,) = decision.on(scenario.stream)
    expect(
        MediationConcluded, term_code=None, term_due_on=None, term_on=None, within_term=None
    ).check(concluded)
    (concluded,) = scenario.do(command)
    term = date(2026, 3, 17)
    expect(
        MediationConcluded, term_code="D02", term_due_on=term, term_on=term, within_term=True
    ).check(concluded)


def test_a_failure_ends_the_acceptance_and_owes_everybody_the_notice():
    """调解不成 with its cause and its conclusion in one; D05 runs."""
    scenario = in_phase(Phase.MEDIATING)
    command = FailMediation(cause_code="party-absent", explanation=Personal("被申请人未到场。"))
    scenario.when(command, at="2026-03-06T09:00+08:00").then(
        expect(
            MediationFailed,
            phase=Phase.FAILED,
            reason_code="party-absent",
            legal_basis="L-LDMA 14; cf. L-PROV 30; cf. L-PROV 31",
            at_body_id="hengjie",
            interrupts_limitation=True,
        ),
        expect(
            MediationConcluded,
            phase=Phase.FAILED,
            outcome=Outcome.FAILED,
            acceptance_no=1,
            agreed_fen=0,
            instrument_event_id=None,
            partial=False,
            due_ended=("D02", "D13"),
        ),
    )
    case = scenario.case

    assert case.remedies_owed_ids == {party.party_id for party in case.parties}
    assert {code: due.due_on for code, due in case.due.items()} == {"D05": date(2026, 3, 11)}
    assert not case.acceptance_open
    assert open_duties(case) == ("remedies-notice",)


def test_a_failure_after_a_refusal_keeps_the_date_of_the_notice():
    """D05 that runs already is not started anew."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(scenario.consent(scenario.respondent, Answer.REFUSED))
    command = FailMediation(cause_code="consent-withdrawn")

    scenario.when(command, at="2026-03-04T09:00+08:00").then(
        expect(MediationFailed, due=()), MediationConcluded
    )
    assert scenario.case.due["D05"].start_on == date(2026, 3, 2)


def test_a_failure_needs_a_cause_of_the_table():
    """The cause is a code."""
    command = FailMediation(cause_code="because")

    in_phase(Phase.MEDIATING).when(command).then_refused("malformed")


@pytest.mark.parametrize("phase", [p for p in STEPS[Matter.DISPUTE] if p not in OPEN])
def test_only_an_open_mediation_fails(phase):
    """No conclusion without an acceptance, and one only."""
    code = "acceptance-open" if phase is Phase.CONSENT_PENDING else "wrong-phase"

    in_phase(phase).when(FailMediation(cause_code="no-agreement")).then_refused(code)


def test_when_everybody_was_told_the_notice_is_done():
    """D05 ends with the last party told, not before."""
    scenario = in_phase(Phase.FAILED)
    worker, firm = (party.party_id for party in scenario.case.parties)
    scenario.when(ServeRemediesNotice(party_id=worker, means="written")).then(
        expect(RemediesNoticeServed, phase=Phase.FAILED, contents="arbitration")
    )
    assert (*scenario.case.remedies_owed_ids, "D05" in scenario.case.due) == (firm, True)

    scenario.do(ServeRemediesNotice(party_id=firm, means="written"))
    assert (*scenario.case.remedies_owed_ids, "D05" in scenario.case.due) == (False,)
    assert scenario.events[-1].due_ended == ("D05",)
    stranger = ServeRemediesNotice(party_id=an_id("stranger"), means="written")
    scenario.when(stranger).then_refused("unknown-party")


@pytest.mark.parametrize("means", ["phone", "attending"])
def test_only_a_notice_in_writing_discharges_the_duty(means):
    """Told by word of mouth a party has still to be told in writing (L-PROV 30)."""
    scenario = in_phase(Phase.FAILED)
    owed = scenario.case.remedies_owed_ids
    for party_id in sorted(owed):
        scenario.when(ServeRemediesNotice(party_id=party_id, means=means)).then(
            expect(
                RemediesNoticeServed,
                in_writing=False,
                irregularities=("not-in-writing",),
                due_ended=(),
            )
        )

    assert scenario.case.remedies_owed_ids == owed
    assert scenario.case.remedies_told_ids == frozenset()
    assert "D05" in scenario.case.due


def test_eight_workers_are_settled_and_paid_in_four_days():
    """The published story of 2016: walk-in at a township, an undertaking, paid on day four."""
    scenario = Scenario().registered(body_id="dongcheng", workers=8).flagged("WAGE_ARREARS")
    scenario.agreed().accepted().mediating().met()
    scenario.do(scenario.promise(due_on=date(2026, 3, 7)))
    scenario.when(scenario.conclusion()).then(
        expect(MediationConcluded, concluded_on=date(2026, 3, 2), outcome=Outcome.SETTLED)
    )
    case = scenario.case
    assert (case.risk, case.is_collective, len(case.consents)) == ("YELLOW", False, 9)

    scenario.now = moment("2026-03-06T09:00+08:00")
    for at in range(8):
        decided = scenario.do(scenario.payment(at))
        assert len(decided) == (2 if at == 7 else 1)
    scenario.given(CloseCase())

    topics = [event.topic.removeprefix("case.").removesuffix("/1") for event in scenario.events]
    assert [(topic, len([*run])) for topic, run in groupby(topics)] == [
        ("registered", 1),
        ("flagged", 1),
        ("consent-recorded", 9),
        ("accepted", 1),
        ("mediators-assigned", 1),
        ("assignment-confirmed", 1),
        ("rights-notice-served", 9),
        ("session-held", 1),
        ("undertaking-given", 1),
        ("mediation-concluded", 1),
        ("obligation-performed", 8),
        ("obligations-fully-performed", 1),
        ("closed", 1),
    ]
    assert scenario.case.due["D18"].due_on == date(2026, 4, 5)
    assert scenario.case.irregularities == ()


@pytest.mark.parametrize("ends", ["failed", "withdrawn"])
def test_what_ends_without_effect_rests_on_no_paper(ends):
    """A promise that nobody accepted is no instrument, no sum and no day of payment."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    promise = scenario.promise()
    scenario.do(msgspec.structs.replace(promise, obligations=promise.obligations[:1]))
    getattr(scenario, ends)()
    before, concluded = scenario.events[-2:]

    expect(
        MediationConcluded,
        causation_id=before.event_id,
        instrument_event_id=None,
        instrument=None,
        agreed_fen=0,
        partial=False,
        uncovered_line_ids=(),
        accepted_by_ids=(),
        due=(),
    ).check(concluded)


def test_a_conclusion_names_the_paper_it_follows_from():
    """And who accepted it, each once."""
    scenario = in_phase(Phase.MEDIATING)
    (paper,) = scenario.do(scenario.promise())
    worker = scenario.applicant.party_id

    scenario.when(ConcludeMediation(accepted_by_ids=(worker, worker))).then(
        expect(MediationConcluded, causation_id=paper.event_id, accepted_by_ids=(worker,))
    )
