"""The agreement as a paper: signatures are facts, the seal is a decision."""

from datetime import date

import pytest

from mediation.case.agreement import (
    AgreementSealed,
    AgreementSigned,
    AgreementTookEffect,
    SealAgreement,
    SignAgreement,
)
from mediation.case.assignment import DeclineAssignment
from mediation.case.conclusion import MediationConcluded
from mediation.case.consent import WithdrawConsent
from mediation.case.correction import CureIrregularity
from mediation.case.custody import CustodyMoveWithdrawn
from mediation.case.intake import PartyEntry
from mediation.case.parties import IdentifyParty
from mediation.case.values import Answer, Phase
from mediation.kernel import Actor
from mediation.ladder import MoveKind
from mediation.privacy import Personal
from tests.scenario import Scenario, an_id, expect, in_phase, lead_of, moment, on, results

NICKNAME = PartyEntry(role="EMPLOYER", company_name="好味道小吃（店招）", provisional=True)


def checked(**registration) -> Scenario:
    """Bring a case to a draft that passed the check."""
    scenario = in_phase(Phase.SIGNING, **registration)
    return scenario.given(scenario.check())


# Signatures are facts


def test_a_paper_with_another_footer_is_recorded_and_does_not_count():
    """Wrong number or digest: a flaw of the signature, a refusal of the seal."""
    scenario = checked()
    party_id = scenario.applicant.party_id
    right = scenario.paper
    names = {"digest": "footer_digest"}
    for wrong in ({"number": 2}, {"digest": "0" * 12}, {"digest": right["digest"] + "0"}):
        paper = right | wrong
        scenario.when(SignAgreement(**paper, party_id=party_id)).then(
            expect(
                AgreementSigned,
                counts=False,
                irregularities=("digest-differs",),
                **{names.get(field, field): value for field, value in wrong.items()},
            )
        )
        scenario.when(SealAgreement(**paper)).then_refused("draft-superseded", "open-irregularity")
    assert scenario.on_the_table.signed_ids == frozenset()

    whole = right | {"digest": scenario.on_the_table.digest}
    scenario.when(SignAgreement(**whole, party_id=party_id)).then(
        expect(AgreementSigned, counts=True, irregularities=())
    )


def test_the_signature_on_an_old_version_does_not_count_for_the_new_one():
    """Who signed version 1 after version 2 was drafted signed another paper."""
    scenario = checked()
    old = scenario.paper
    scenario.drafted().given(scenario.check())

    scenario.when(SignAgreement(**old, party_id=scenario.applicant.party_id)).then(
        expect(AgreementSigned, counts=False, irregularities=("digest-differs",))
    )


def test_somebody_it_does_not_bind_may_sign_and_binds_nobody():
    """It is on record, with its flaw, and the agreement waits for those it needs."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    one, two = (party.party_id for party in scenario.case.applicants)
    first, _ = scenario.case.lines
    scenario.drafted(
        bound_ids=(one, scenario.respondent.party_id),
        results=results({first: "agreed"}),
        obligations=(),
    )
    scenario.given(scenario.check())
    scenario.when(SignAgreement(**scenario.paper, party_id=two)).then(
        expect(AgreementSigned, counts=False, irregularities=("not-bound",))
    )

    assert scenario.on_the_table.signed_ids == frozenset()


@pytest.mark.parametrize("signers", [{}, {"party_id": an_id("a"), "mediator_id": an_id("b")}])
def test_a_signature_has_one_signer(signers):
    """A party or a mediator; nobody, or both, is malformed."""
    scenario = checked()

    scenario.when(SignAgreement(**scenario.paper, **signers)).then_refused("malformed")
    stranger = SignAgreement(**scenario.paper, party_id=an_id("stranger"))
    scenario.when(stranger).then_refused("unknown-party")


def test_a_signature_without_any_draft_is_recorded():
    """A paper nobody drafted here: on record with its flaw, in every phase, and moving nothing."""
    for phase in (Phase.REGISTERED, Phase.MEDIATING, Phase.PERFORMING, Phase.FAILED):
        scenario = in_phase(phase)
        signature = SignAgreement(number=1, digest="0" * 12, party_id=scenario.applicant.party_id)
        scenario.when(signature).then(
            expect(AgreementSigned, phase=phase, counts=False, irregularities=("out-of-order",))
        )


def test_who_signs_before_the_check_leaves_a_flaw_that_waits_for_its_cure():
    """It counts, but nothing is sealed before it was explained."""
    scenario = in_phase(Phase.SIGNING)
    (signed,) = scenario.do(SignAgreement(**scenario.paper, party_id=scenario.applicant.party_id))
    assert (signed.counts, signed.irregularities) == (True, ("signed-unchecked",))
    scenario.given(scenario.check())
    *_, firm, mediator, seal = scenario.acts()
    scenario.given(firm, mediator)
    scenario.when(seal).then_refused("open-irregularity")
    cure = CureIrregularity(
        event_id=signed.event_id,
        code="signed-unchecked",
        cure="explained",
        explanation=Personal("签字后补作审查，内容未变。"),
    )

    scenario.given(cure).when(seal).then(AgreementSealed, AgreementTookEffect, MediationConcluded)


def test_a_signature_is_judged_by_when_it_was_given_and_not_by_when_it_was_typed_in():
    """Typed in after the check it may still have been given before it."""
    scenario = in_phase(Phase.SIGNING)
    scenario.given(scenario.check(), at="2026-03-05T09:00+08:00")
    sign = SignAgreement(**scenario.paper, party_id=scenario.applicant.party_id)

    scenario.when(on(sign, date(2026, 3, 4))).then(
        expect(AgreementSigned, irregularities=("signed-unchecked",))
    )


def test_the_lapse_of_the_term_never_bars_an_agreement():
    """期满后达成: marked, without flaw, and just as much in force."""
    scenario = checked()
    scenario.now = moment("2026-03-18T09:00+08:00")
    *signatures, seal = scenario.acts()
    for signature in signatures:
        scenario.when(signature).then(expect(AgreementSigned, after_term=True, irregularities=()))

    scenario.when(seal).then(
        AgreementSealed, AgreementTookEffect, expect(MediationConcluded, within_term=False)
    )


def test_on_the_rolled_last_day_the_term_is_not_over_yet():
    """2026-03-15 is a Sunday: an application of 28 February may be signed until the Monday."""
    scenario = Scenario()
    scenario.now = moment("2026-02-28T09:00+08:00")
    scenario.registered().agreed().accepted().mediating().drafted().given(scenario.check())
    party_id = scenario.applicant.party_id
    sign = SignAgreement(**scenario.paper, party_id=party_id)
    assert scenario.term.due_on == date(2026, 3, 15)

    scenario.when(sign, at="2026-03-16T23:59+08:00").then(expect(AgreementSigned, after_term=False))
    scenario.when(sign, at="2026-03-17T00:00+08:00").then(expect(AgreementSigned, after_term=True))


def test_a_mediator_who_was_not_assigned_leaves_a_flaw_and_counsel_counts_for_nothing():
    """The mediator's signature is one of a person who mediates in the matter."""
    scenario = checked()
    stranger = SignAgreement(**scenario.paper, mediator_id=an_id("stranger"))
    assert scenario.would(stranger)[0].counts
    recused = scenario.case.mediator_ids[1]
    scenario.do(DeclineAssignment(mediator_id=recused, reason_code="conflict"))

    scenario.when(SignAgreement(**scenario.paper, mediator_id=recused)).then(
        expect(AgreementSigned, counts=False, irregularities=("unassigned-host",))
    )
    assert not scenario.on_the_table.mediator_signed
    scenario.when(stranger).then(
        expect(AgreementSigned, counts=True, irregularities=("unassigned-host",))
    )


def test_signing_goes_on_while_a_move_is_pending_and_ends_a_climb():
    """A climb has lost its purpose once the agreement is in force; the seal itself waits."""
    scenario = checked()
    *signatures, last, seal = scenario.acts()
    scenario.given(*signatures, seal)
    scenario.do(scenario.move("dongcheng"))
    scenario.when(last).then(
        AgreementSigned,
        expect(CustodyMoveWithdrawn, reason_code="concluded", phase=Phase.SIGNING),
        AgreementTookEffect,
        MediationConcluded,
    )
    assert scenario.case.move is None
    assert "D12" not in scenario.case.due

    pending = checked()
    *signatures, seal = pending.acts()
    pending.given(*signatures)
    pending.do(pending.move("dongcheng"))
    pending.when(seal).then_refused("no-move-pending")


def test_a_move_on_the_same_level_outlives_the_effect():
    """Another body may well follow the performance."""
    scenario = checked()
    *signatures, last, seal = scenario.acts()
    scenario.given(*signatures, seal)
    scenario.do(scenario.move("catering", MoveKind.TRANSFER, "other-branch"))

    scenario.when(last).then(AgreementSigned, AgreementTookEffect, MediationConcluded)
    assert scenario.case.move is not None


# What bars the seal


def test_the_seal_is_put_once():
    """A second one says nothing new."""
    scenario = checked()
    seal = SealAgreement(**scenario.paper)

    scenario.when(seal).then(
        expect(AgreementSealed, phase=Phase.SIGNING, legal_basis="L-LDMA 14", made_as="L-LDMA 10")
    )
    scenario.when(seal).then_refused("sealed-already")


def test_every_reason_against_the_seal_is_named_at_once():
    """Unchecked, a party with a nickname, an open flaw: the clerk sees the whole list."""
    scenario = in_phase(Phase.SIGNING, respondents=(NICKNAME,))
    scenario.do(SignAgreement(**scenario.paper, party_id=scenario.applicant.party_id))
    seal = SealAgreement(**scenario.paper)

    scenario.when(seal).then_refused(
        "legality-not-passed", "party-not-identified", "open-irregularity"
    )


def test_a_provisional_party_is_identified_before_the_seal():
    """Until then a nickname will do; a provisional party it does not bind never matters."""
    scenario = in_phase(Phase.SIGNING, respondents=(NICKNAME,))
    scenario.given(scenario.check()).signed()
    seal = SealAgreement(**scenario.paper)
    scenario.when(seal).then_refused("party-not-identified")
    scenario.do(
        IdentifyParty(
            party_id=scenario.respondent.party_id,
            party=PartyEntry(role="EMPLOYER", company_name="好味道餐饮有限公司"),
        )
    )

    scenario.when(seal).then(AgreementSealed, AgreementTookEffect, MediationConcluded)


@pytest.mark.parametrize("seals", [True, False])
def test_whoever_has_an_interest_neither_seals_nor_has_drafted(seals):
    """Scenario 7: the draft of a recused mediator cannot be sealed by anybody."""
    scenario = in_phase(Phase.MEDIATING)
    mediator = Actor(actor_id=scenario.case.mediator_ids[1], role="mediator", body_id="hengjie")
    scenario.do(scenario.draft(), by=None if seals else mediator)
    scenario.given(scenario.check()).signed()
    scenario.do(DeclineAssignment(mediator_id=mediator.actor_id, reason_code="conflict"))
    scenario.when(
        SealAgreement(**scenario.paper), by=mediator if seals else lead_of("hengjie")
    ).then_refused("conflicted")

    scenario.drafted().given(scenario.check()).signed()
    scenario.when(SealAgreement(**scenario.paper)).then(
        AgreementSealed, AgreementTookEffect, MediationConcluded
    )


def test_nothing_is_sealed_without_a_draft_or_after_the_effect():
    """The phase says so; a draft that was moved along is stale."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.when(SealAgreement(**scenario.paper)).then_refused("wrong-phase")
    scenario.drafted().given(scenario.check())
    paper = scenario.paper
    scenario.signed().given(SealAgreement(**paper))
    scenario.when(SealAgreement(**paper)).then_refused("wrong-phase")

    moved = checked()
    paper = moved.paper
    moved.taken_by("dongcheng")
    assert moved.case.draft is None
    moved.when(SealAgreement(**paper)).then_refused("wrong-phase")


# The unwilling


@pytest.mark.parametrize("refusal", [Answer.REFUSED, None])
def test_nothing_is_in_force_that_binds_somebody_who_went_back_on_it(refusal):
    """Before the last act anybody may; the others have a draft of their own written."""
    scenario = checked(workers=2)
    leaving = scenario.case.applicants[0]
    *signatures, seal = scenario.acts()
    scenario.given(*signatures)
    scenario.do(
        scenario.consent(leaving, refusal)
        if refusal
        else WithdrawConsent(party_id=leaving.party_id, means="phone")
    )
    scenario.when(seal).then_refused("not-willing")

    first, second = scenario.case.lines
    rest = tuple(party.party_id for party in scenario.case.parties if party != leaving)
    scenario.drafted(
        bound_ids=rest,
        results=results({second: "agreed"}),
        obligations=scenario.draft().obligations[1:],
    )
    scenario.given(scenario.check()).signed()
    *_, concluded = scenario.do(scenario.acts()[-1])
    assert (type(concluded), concluded.uncovered_line_ids) == (
        MediationConcluded,
        (first.line_id,),
    )


def test_after_a_refusal_the_last_signature_waits_for_a_new_word():
    """Sealed before, it still takes effect only once the one who refused agrees and signs."""
    scenario = checked(workers=2)
    first, *others, seal = scenario.acts()
    scenario.given(seal, first)
    refusing = scenario.case.applicants[0]
    scenario.do(scenario.consent(refusing, Answer.REFUSED))
    scenario.given(*others)
    assert scenario.case.phase is Phase.SIGNING
    scenario.when(first).then(
        expect(AgreementSigned, counts=True, irregularities=("without-consent",))
    )
    scenario.do(scenario.consent(refusing))

    scenario.when(first).then(AgreementSigned, AgreementTookEffect, MediationConcluded)


def test_silence_after_a_signature_changes_nothing():
    """Only a clear refusal bars (L-ZJ 10); who cannot be reached any more has signed."""
    scenario = checked()
    *signatures, seal = scenario.acts()
    scenario.given(*signatures)
    scenario.do(scenario.consent(scenario.respondent, Answer.UNREACHABLE))

    scenario.when(seal).then(AgreementSealed, AgreementTookEffect, MediationConcluded)
