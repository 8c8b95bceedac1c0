"""Papers without a seal: an undertaking or a settlement is recorded as it lies on the table."""

from datetime import date

import msgspec
import pytest

from mediation.case.conclusion import MediationConcluded
from mediation.case.intake import LineEntry
from mediation.case.performance import ObligationEntry
from mediation.case.settlement import GiveUndertaking, SettlementRecorded, UndertakingGiven
from mediation.case.values import Outcome, Phase
from mediation.privacy import Personal, Purpose
from tests.scenario import an_id, expect, in_phase, moment


def test_an_undertaking_says_what_is_due_and_under_which_capacity_it_was_made():
    """It interrupts limitation and starts neither arbitration review nor confirmation."""
    scenario = in_phase(Phase.MEDIATING)
    line = scenario.case.lines[0]
    (given,) = scenario.do(scenario.promise(fen=80_000))
    (obligation,) = given.obligations

    assert type(given) is UndertakingGiven
    assert given.respondent_id == scenario.respondent.party_id
    assert given.text == scenario.promise().text.of(given.text.subject_id, Purpose.FREE_TEXT)
    assert (given.phase, given.made_as, given.interrupts_limitation) == (
        Phase.MEDIATING,
        "L-LDMA 10",
        True,
    )
    assert (obligation.line_id, obligation.agreed_fen) == (line.line_id, 80_000)
    assert (obligation.applicant_id, obligation.respondent_id) == (
        line.applicant_id,
        line.respondent_id,
    )
    assert scenario.case.settled_by == given.event_id
    assert not {"D08", "D09"} & set(scenario.case.due)


def test_a_body_without_a_settled_capacity_is_recorded_as_such():
    """`made_as` is empty rather than guessed."""
    scenario = in_phase(Phase.MEDIATING)
    bare = msgspec.structs.replace(scenario.network.body("hengjie"), capacities=())
    scenario.network = scenario.network.with_body(bare)

    scenario.when(scenario.promise()).then(expect(UndertakingGiven, made_as=None))


def test_an_undertaking_is_a_respondents_on_lines_against_him():
    """Nobody promises for another."""
    lines = (
        LineEntry(applicant=0, respondent=0, cause="C13", claimed_fen=1),
        LineEntry(applicant=0, respondent=1, cause="C13", claimed_fen=1),
    )
    scenario = in_phase(Phase.MEDIATING, companies=2, lines=lines)
    first, second = scenario.case.respondents
    own, other = (
        ObligationEntry(line_id=line.line_id, agreed_fen=1, due_on=date(2026, 3, 20))
        for line in scenario.case.lines
    )
    lost = ObligationEntry(line_id=an_id("line"), agreed_fen=1, due_on=date(2026, 3, 20))

    def promise(respondent_id, *obligations):
        return GiveUndertaking(
            respondent_id=respondent_id, obligations=obligations, text=Personal("承诺")
        )

    scenario.when(promise(scenario.applicant.party_id, own)).then_refused("not-a-respondent")
    scenario.when(promise(an_id("x"), own)).then_refused("unknown-party")
    scenario.when(promise(first.party_id, own, other)).then_refused("line-of-another-respondent")
    scenario.when(promise(first.party_id, lost)).then_refused("unknown-line")
    scenario.when(promise(second.party_id, other)).then(UndertakingGiven)


def test_sixty_instalments_a_claim_are_enough():
    """Five years of months on a claim line; beyond it somebody mistyped."""
    scenario = in_phase(Phase.MEDIATING)
    (once,) = scenario.promise(fen=1).obligations

    def promise(instalments):
        return msgspec.structs.replace(scenario.promise(), obligations=(once,) * instalments)

    scenario.when(promise(61)).then_refused("malformed")
    scenario.when(promise(60)).then(UndertakingGiven)


@pytest.mark.parametrize(
    ("phase", "flaws"),
    [
        (Phase.REGISTERED, ("before-acceptance",)),
        (Phase.CONSENT_PENDING, ("before-acceptance",)),
        (Phase.ACCEPTED, ()),
        (Phase.ASSIGNED, ()),
        (Phase.MEDIATING, ()),
        (Phase.SIGNING, ()),
        (Phase.PERFORMING, ()),
        (Phase.FAILED, ("out-of-order",)),
        (Phase.WITHDRAWN, ("out-of-order",)),
        (Phase.NOT_ACCEPTED, ("out-of-order",)),
        (Phase.IN_PROCEEDINGS, ("out-of-order",)),
        (Phase.CLOSED, ("after-close",)),
    ],
)
def test_papers_are_recorded_in_every_phase_with_their_flaws(phase, flaws):
    """A settlement or an undertaking is a fact, never refused, and moves no phase."""
    for paper, event_type in (("promise", UndertakingGiven), ("settlement", SettlementRecorded)):
        scenario = in_phase(phase)
        scenario.when(getattr(scenario, paper)()).then(
            expect(event_type, phase=phase, irregularities=flaws)
        )
        assert tuple(it.code for it in scenario.case.irregularities) == flaws


def test_a_paper_is_judged_by_when_it_was_made():
    """Typed in after the acceptance, it may still have been signed before it."""
    scenario = in_phase(Phase.CONSENT_PENDING).accepted(at="2026-03-04T09:00+08:00")
    early = moment("2026-03-03T09:00+08:00")
    for paper in (scenario.promise(), scenario.settlement()):
        made = msgspec.structs.replace(paper, occurred_at=early)
        (recorded,) = scenario.do(made)
        assert recorded.irregularities == ("before-acceptance",)


def test_a_paper_after_the_close_of_a_failed_case_came_late_and_not_early():
    """The acceptance was there; only the close is what is wrong."""
    scenario = in_phase(Phase.FAILED).closed()

    scenario.when(scenario.promise()).then(
        expect(UndertakingGiven, irregularities=("after-close",))
    )


def test_a_settlement_that_one_side_did_not_sign_is_irregular():
    """It is recorded as it lies on the table, and is to be signed still."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    workers = tuple(party.party_id for party in scenario.case.applicants)

    scenario.when(scenario.settlement(signed_by_ids=workers)).then(
        expect(SettlementRecorded, irregularities=("missing-signature",))
    )


def test_a_later_paper_takes_the_place_of_an_unpaid_earlier_one():
    """What is promised anew on a claim is owed once; where something was paid, both stand."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    scenario.do(scenario.promise(fen=100))
    first, second = (it.obligation.obligation_id for it in scenario.case.payments)
    scenario.do(scenario.payment(0, fen=1))
    (given,) = scenario.do(scenario.promise(fen=200))

    assert given.superseded_ids == (second,)
    assert [it.obligation.agreed_fen for it in scenario.case.payments] == [100, 200, 200]
    assert scenario.case.payments[0].obligation.obligation_id == first
    scenario.when(scenario.settlement()).then(expect(SettlementRecorded, superseded_ids=()))


def test_a_settlement_is_signed_by_parties_of_the_case():
    """Whoever signed is a party; what is due is optional."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.when(scenario.settlement(signed_by_ids=(an_id("x"), an_id("y")))).then_refused(
        "unknown-party"
    )
    scenario.when(scenario.settlement()).then(expect(SettlementRecorded, obligations=()))
    scenario.when(scenario.conclusion()).then(
        expect(MediationConcluded, phase=Phase.PERFORMING, outcome=Outcome.SETTLED, agreed_fen=0)
    )
