"""The agreement in force: exactly when, on which day, with which windows, in place of what."""

from datetime import date, timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediation.case.agreement import (
    AgreementSealed,
    AgreementSigned,
    AgreementTookEffect,
    SealAgreement,
    SignAgreement,
)
from mediation.case.conclusion import MediationConcluded
from mediation.case.intake import LineEntry
from mediation.case.performance import ObligationEntry, ObligationPerformed
from mediation.case.values import Instrument, Outcome, Phase
from mediation.network import ConfirmationRoute
from tests.scenario import Scenario, expect, in_phase, lead_of, moment, on, results

ROUTES = ConfirmationRoute
LAST_OF_MARCH = date(2026, 3, 31)


def checked(**registration) -> Scenario:
    """Bring a case to a draft that passed the check."""
    scenario = in_phase(Phase.SIGNING, **registration)
    return scenario.given(scenario.check())


# In force, and when


@settings(max_examples=60, deadline=None)
@given(data=st.data(), workers=st.integers(1, 3), companies=st.integers(1, 2))
def test_an_agreement_is_in_force_exactly_when_everybody_signed_and_it_is_sealed(
    data, workers, companies
):
    """In every order of the acts, on the day of the latest of them, concluded once."""
    scenario = checked(workers=workers, companies=companies)
    acts = data.draw(st.permutations(scenario.acts()))
    days = [date(2026, 3, 3) + timedelta(days=data.draw(st.integers(0, 9))) for _ in acts]
    scenario.now = moment("2026-03-13T09:00+08:00")
    for act, day in zip(acts[:-1], days, strict=False):
        (acted,) = scenario.do(on(act, day))
        assert (acted.phase, scenario.case.has_taken_effect) == (Phase.SIGNING, False)
    scenario.when(on(acts[-1], days[-1]))

    scenario.then(
        expect(AgreementSealed if type(acts[-1]) is SealAgreement else AgreementSigned),
        expect(
            AgreementTookEffect,
            phase=Phase.PERFORMING,
            effect_on=max(days),
            occurred_at=moment(f"{max(days)}T12:00+08:00"),
            superseded_ids=(),
            made_as="L-LDMA 10",
        ),
        expect(
            MediationConcluded,
            phase=Phase.PERFORMING,
            outcome=Outcome.AGREED,
            concluded_on=max(days),
            agreed_fen=100_000 * workers,
            partial=False,
        ),
    )
    acted, effect, concluded = scenario.decided
    assert effect.causation_id == acted.event_id
    assert (concluded.causation_id, concluded.instrument_event_id) == (effect.event_id,) * 2
    assert [type(event) for event in scenario.events].count(MediationConcluded) == 1
    due = scenario.case.due
    assert due["D08"].due_on == max(days) + timedelta(days=15)
    assert due["D09"].due_on == max(days) + timedelta(days=30)
    assert scenario.case.irregularities == ()
    assert (scenario.case.draft, scenario.case.acceptance_open) == (None, False)


def test_of_all_orders_of_three_signatures_and_a_seal_none_ends_on_another_day():
    """The proof above by enumeration, for one worker and one company."""
    days = [date(2026, 3, 3 + at) for at in range(4)]
    for order in permutations(range(4)):
        scenario = checked()
        scenario.now = moment("2026-03-12T09:00+08:00")
        acts = scenario.acts()
        for typed, at in enumerate(order):
            scenario.do(on(acts[at], days[at]))
            assert scenario.case.has_taken_effect == (typed == 3)
        effect = scenario.events[-2]
        assert (type(effect), effect.effect_on) == (AgreementTookEffect, days[-1])


@pytest.mark.parametrize("left_out", range(4))
def test_without_one_of_the_acts_nothing_is_in_force(left_out):
    """Neither a signature, nor the mediator's, nor the seal can be done without (L-LDMA 14)."""
    scenario = checked()
    for at, act in enumerate(scenario.acts()):
        if at != left_out:
            scenario.do(act)

    assert scenario.case.phase is Phase.SIGNING
    assert not scenario.case.has_taken_effect


def test_whether_it_was_in_time_is_judged_by_the_last_act_and_not_by_the_last_entry():
    """The seal came after the term; a signature from before it, typed in last, mends nothing."""
    scenario = checked()
    *signatures, seal = scenario.acts()
    in_time, late = date(2026, 3, 16), date(2026, 3, 18)
    scenario.now = moment("2026-03-19T09:00+08:00")
    scenario.given(on(seal, late), *(on(it, in_time) for it in signatures[:-1]))
    scenario.when(on(signatures[-1], in_time)).then(
        expect(AgreementSigned, after_term=False),
        expect(AgreementTookEffect, effect_on=late),
        expect(MediationConcluded, concluded_on=late, term_on=date(2026, 3, 17), within_term=False),
    )


def test_what_took_effect_names_the_paper_and_what_is_owed_by_whom():
    """One event says all that performance and confirmation need to know."""
    scenario = checked(workers=2)
    draft = scenario.on_the_table
    *acts, seal = scenario.acts()
    scenario.given(*acts)
    _, effect, concluded = scenario.do(seal)

    assert (effect.number, effect.digest) == (draft.number, draft.digest)
    assert (effect.bound_ids, effect.obligations) == (draft.bound_ids, draft.obligations)
    assert (effect.instrument, effect.made_as) == (Instrument.MEDIATION_AGREEMENT, "L-LDMA 10")
    assert effect.legal_basis == "L-LDMA 14; cf. L-PROV 26"
    assert (concluded.instrument_event_id, concluded.instrument) == (
        effect.event_id,
        Instrument.MEDIATION_AGREEMENT,
    )
    assert [it.obligation for it in scenario.case.payments] == list(draft.obligations)
    assert effect.due[0].start_event_id == effect.event_id


def test_conclusion_stops_the_clocks_and_payment_is_checked_the_day_after():
    """D02 and D13 end; one D10 for each day on which something falls due."""
    scenario = in_phase(Phase.MEDIATING).in_force()
    due = scenario.case.due

    assert set(due) == {"D08", "D09", "D10:2026-03-20"}
    assert (due["D10:2026-03-20"].due_on, due["D10:2026-03-20"].rolled_on) == (
        date(2026, 3, 21),
        date(2026, 3, 23),
    )


# Windows: instrument, capacity and claim


@pytest.mark.parametrize(
    ("route", "said", "codes"),
    [
        (ROUTES.REVIEW_OR_COURT, {"C13": "agreed"}, {"D08", "D09"}),
        (ROUTES.ASK, {"C13": "agreed"}, {"D08", "D09"}),
        (ROUTES.COURT, {"C13": "agreed"}, {"D09"}),
        (ROUTES.NONE, {"C13": "agreed"}, set()),
        (ROUTES.REVIEW_OR_COURT, {"C13": "agreed", "C01": "agreed"}, {"D09"}),
        (ROUTES.COURT, {"C01": "agreed"}, {"D09"}),
        (ROUTES.REVIEW_OR_COURT, {"C13": "agreed", "C01": "waived"}, {"D08", "D09"}),
        (ROUTES.REVIEW_OR_COURT, {"C13": "agreed", "C01": "open"}, {"D08", "D09"}),
    ],
)
def test_review_and_confirmation_follow_from_the_capacity_and_the_claims(route, said, codes):
    """An agreement that confirms the labour relationship is not reviewed (L-ARB 75)."""
    lines = tuple(LineEntry(applicant=0, cause=cause, claimed_fen=1) for cause in said)
    scenario = in_phase(Phase.MEDIATING, lines=lines)
    scenario.with_capacity("hengjie", confirmation_route=route)
    of_lines = results({line: said[line.cause] for line in scenario.case.lines})
    scenario.drafted(results=of_lines, obligations=()).given(scenario.check()).signed()
    _, effect, _ = scenario.do(SealAgreement(**scenario.paper))

    assert {due.code for due in effect.due} == codes


def test_the_windows_of_scenario_nine():
    """In force on 1 March: review to 16 March, court to 31 March."""
    scenario = Scenario()
    scenario.now = moment("2026-02-24T09:00+08:00")
    scenario.registered().agreed().accepted().mediating().drafted()
    scenario.given(scenario.check(), at="2026-03-01T10:00+08:00").signed()
    scenario.given(SealAgreement(**scenario.paper))

    assert scenario.case.due["D08"].due_on == date(2026, 3, 16)
    assert scenario.case.due["D09"].due_on == LAST_OF_MARCH


def test_the_seal_of_an_upper_body_counts_with_its_own_capacity():
    """It took part and seals: made as its law says, confirmed as its standing permits."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.with_capacity("hengjie", may_seal=False, confirmation_route=ROUTES.NONE)
    scenario.with_capacity("hq", legal_basis="L-ZJ 7(5)", confirmation_route=ROUTES.ASK)
    scenario.drafted(seal_body_id="hq").given(scenario.check()).signed()
    assert scenario.case.sealing_body_id == "hq"

    scenario.when(SealAgreement(**scenario.paper), by=lead_of("hq")).then(
        expect(AgreementSealed, seal_body_id="hq", made_as="L-ZJ 7(5)", body_id="hq"),
        expect(AgreementTookEffect, made_as="L-ZJ 7(5)"),
        expect(MediationConcluded, at_body_id="hengjie"),
    )
    assert {"D08", "D09"} < set(scenario.case.due)


def test_without_a_capacity_on_the_day_of_the_last_act_no_confirmation_is_open():
    """Sealed in time and signed last: nothing on record says any more where to confirm."""
    scenario = checked()
    *signatures, seal = scenario.acts()
    scenario.given(seal, *signatures[:-1]).with_capacity("hengjie")

    scenario.when(signatures[-1]).then(
        AgreementSigned, expect(AgreementTookEffect, due=()), MediationConcluded
    )


def test_the_capacity_is_that_of_the_day_of_the_seal():
    """What the body rested on while drafting may have changed; or it may not seal any more."""
    scenario = checked()
    scenario.signed().with_capacity("hengjie", legal_basis="L-PML 34")
    sealed, effect, _ = scenario.would(SealAgreement(**scenario.paper))
    assert (sealed.made_as, effect.made_as) == ("L-PML 34", "L-PML 34")

    scenario.with_capacity("hengjie", may_seal=False)
    scenario.when(SealAgreement(**scenario.paper)).then_refused("may-not-seal")


def test_a_settlement_agreement_needs_no_seal_and_opens_no_window():
    """The parties' own paper: in force with their signatures, SETTLED, without mediator or seal."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    scenario.drafted(instrument="SETTLEMENT_AGREEMENT").given(scenario.check())
    *others, last = scenario.on_the_table.bound_ids
    scenario.when(SealAgreement(**scenario.paper)).then_refused("needs-no-seal")
    scenario.given(*(SignAgreement(**scenario.paper, party_id=it) for it in others))
    scenario.when(SignAgreement(**scenario.paper, party_id=last)).then(
        AgreementSigned,
        expect(
            AgreementTookEffect,
            instrument=Instrument.SETTLEMENT_AGREEMENT,
            legal_basis="L-PROV 11",
            due=(),
        ),
        expect(
            MediationConcluded,
            outcome=Outcome.SETTLED,
            instrument=Instrument.SETTLEMENT_AGREEMENT,
        ),
    )
    assert {it.code for it in scenario.case.due.values()} == {"D10"}


# Partial, and what it replaces


def test_a_partial_agreement_names_the_claims_left_uncovered():
    """Scenario 8: pay and compensation in two instalments, overtime not."""
    lines = tuple(
        LineEntry(applicant=0, cause=cause, claimed_fen=100_000) for cause in ("C13", "C15", "C07")
    )
    scenario = in_phase(Phase.MEDIATING, lines=lines)
    pay, compensation, overtime = scenario.case.lines
    obligations = tuple(
        ObligationEntry(line_id=line.line_id, agreed_fen=40_000, due_on=due_on)
        for line in (pay, compensation)
        for due_on in (date(2026, 4, 10), date(2026, 5, 10))
    )
    said = results({pay: "agreed", compensation: "agreed", overtime: "open"})
    scenario.drafted(results=said, obligations=obligations).given(scenario.check()).signed()
    scenario.when(SealAgreement(**scenario.paper)).then(
        AgreementSealed,
        AgreementTookEffect,
        expect(
            MediationConcluded,
            outcome=Outcome.AGREED,
            partial=True,
            uncovered_line_ids=(overtime.line_id,),
            agreed_fen=160_000,
        ),
    )

    assert {"D10:2026-04-10", "D10:2026-05-10"} < set(scenario.case.due)
    assert [it.obligation.instalment_no for it in scenario.case.payments] == [1, 2, 1, 2]


def test_a_claim_of_a_worker_it_does_not_bind_stays_uncovered_and_a_waived_one_does_not():
    """The others stay; a waiver is a result."""
    scenario = in_phase(Phase.MEDIATING, workers=3)
    one, two, _ = scenario.case.applicants
    first, second, third = scenario.case.lines
    scenario.drafted(
        bound_ids=(one.party_id, two.party_id, scenario.respondent.party_id),
        results=results({first: "agreed", second: "waived"}),
        obligations=(),
    )
    scenario.given(scenario.check()).signed()
    scenario.when(SealAgreement(**scenario.paper)).then(
        AgreementSealed,
        AgreementTookEffect,
        expect(MediationConcluded, partial=True, uncovered_line_ids=(third.line_id,)),
    )


def test_an_agreement_replaces_the_unpaid_promises_on_every_claim_it_settles():
    """Waived claims too; what was promised on a claim left open still stands."""
    scenario = in_phase(Phase.MEDIATING, workers=3)
    scenario.do(scenario.promise(fen=80_000))
    agreed, waived, left = (it.obligation.obligation_id for it in scenario.case.payments)
    lines = scenario.case.lines
    said = dict(zip(lines, ("agreed", "waived", "open"), strict=True))
    scenario.drafted(
        results=results(said),
        obligations=(
            ObligationEntry(line_id=lines[0].line_id, agreed_fen=60_000, due_on=date(2026, 3, 25)),
        ),
    )
    scenario.given(scenario.check()).signed()
    _, effect, concluded = scenario.do(SealAgreement(**scenario.paper))

    assert effect.superseded_ids == (agreed, waived)
    assert [it.obligation.agreed_fen for it in scenario.case.payments] == [80_000, 60_000]
    assert scenario.case.payments[0].obligation.obligation_id == left
    assert concluded.agreed_fen == 140_000
    assert concluded.uncovered_line_ids == (lines[2].line_id,)


def test_what_was_paid_between_the_draft_and_its_effect_is_not_lost():
    """What is replaced is decided when the agreement takes effect, not when it is drafted."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(scenario.promise(fen=80_000))
    (promised,) = (it.obligation.obligation_id for it in scenario.case.payments)
    scenario.drafted(fen=90_000).given(scenario.check()).signed()
    scenario.when(scenario.payment(fen=1)).then(ObligationPerformed)
    _, effect, _ = scenario.do(SealAgreement(**scenario.paper))

    assert effect.superseded_ids == ()
    assert scenario.case.payments[0].obligation.obligation_id == promised
    assert [it.applied_fen for it in scenario.case.payments] == [1, 0]
