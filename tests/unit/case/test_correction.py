"""Flaws of the record are cured one by one; until then nothing is sealed."""

import msgspec
import pytest

from mediation import codes
from mediation.case import correction
from mediation.case.agreement import (
    AgreementSealed,
    AgreementTookEffect,
    SealAgreement,
    SignAgreement,
)
from mediation.case.assignment import ConfirmAssignment
from mediation.case.conclusion import MediationConcluded, ServeRemediesNotice
from mediation.case.correction import CureIrregularity, IrregularityCured
from mediation.case.sessions import ServeRightsNotice, SessionHeld
from mediation.case.values import Irregularity, Phase
from mediation.errors import NotAllowedNow
from mediation.privacy import Personal
from tests.scenario import Scenario, an_id, expect, in_phase, moment

ALL_FLAWS = sorted(codes.table("irregularities"))
ALL_CURES = sorted(codes.table("cures"))


def cure(event_id, code, by="explained"):
    """Make the command that cures one flaw of one event."""
    return CureIrregularity(
        event_id=event_id, code=code, cure=by, explanation=Personal("已按规定补正。")
    )


def flawed_session(**changes):
    """Hold a session by somebody who was not assigned, before anybody was told his rights."""
    scenario = in_phase(Phase.ASSIGNED)
    (held,) = scenario.do(scenario.session(host_ids=(an_id("somebody"),), **changes))
    assert held.irregularities == ("unassigned-host", "no-rights-notice")
    return scenario, held


def test_one_flaw_of_one_fact_is_cured_at_a_time():
    """The fact itself stays as it was; the list gets shorter."""
    scenario, held = flawed_session()
    scenario.when(cure(held.event_id, "unassigned-host", "mediator-replaced")).then(
        expect(
            IrregularityCured,
            phase=Phase.MEDIATING,
            flawed_event_id=held.event_id,
            code="unassigned-host",
            cure="mediator-replaced",
        )
    )

    assert scenario.case.irregularities == (Irregularity(held.event_id, "no-rights-notice"),)
    assert scenario.events[-2] is held
    assert scenario.events[-1].explanation.value == "已按规定补正。"


def test_only_what_is_open_is_cured():
    """Another event, another code, or a flaw cured already is refused."""
    scenario, held = flawed_session()
    explained = cure(held.event_id, "unassigned-host")
    for wrong in (
        cure(an_id("event"), "unassigned-host"),
        cure(held.event_id, "after-close"),
    ):
        scenario.when(wrong).then_refused("no-such-irregularity")
    scenario.given(explained)

    scenario.when(explained).then_refused("no-such-irregularity")
    scenario.when(cure(held.event_id, "no-rights-notice", "wished-away")).then_refused("malformed")
    assert [fault.pointer for fault in scenario.refusal.faults] == ["/cure"]


@pytest.mark.parametrize("code", ALL_FLAWS)
def test_every_flaw_can_be_explained_and_only_a_fitting_cure_mends_it_otherwise(code):
    """补告知 mends a missing notice, 补签 a missing signature, 更换调解员 a wrong host."""
    scenario = in_phase(Phase.MEDIATING)
    event_id = scenario.events[-1].event_id
    flawed = msgspec.structs.replace(scenario.case, irregularities=(Irregularity(event_id, code),))
    for by in ALL_CURES:
        command = cure(event_id, code, by)
        facts = scenario.facts(command)
        if by == "explained" or code in correction._FITS[by]:
            assert correction.cure_irregularity(flawed, command, facts).events
            continue
        with pytest.raises(NotAllowedNow) as refused:
            correction.cure_irregularity(flawed, command, facts)
        assert [it.code for it in refused.value.refusals] == ["cure-does-not-fit"]


def test_every_cure_but_an_explanation_says_what_it_mends_and_names_real_flaws():
    """The rule of fitting speaks of the code tables and of nothing else."""
    assert sorted([*correction._FITS, "explained"]) == ALL_CURES
    for flaws in correction._FITS.values():
        assert flaws <= set(ALL_FLAWS)


def test_told_afterwards_means_that_everybody_was_told():
    """补告知 needs the notice itself, for each party."""
    scenario, held = flawed_session()
    told = cure(held.event_id, "no-rights-notice", "notice-served")
    for party in scenario.case.parties:
        scenario.when(told).then_refused("not-told-yet")
        scenario.do(ServeRightsNotice(party_id=party.party_id, means="in-person"))

    scenario.when(told).then(IrregularityCured)


def test_told_in_writing_afterwards_means_that_the_notice_was_served_in_writing():
    """A remedies notice by telephone is cured by the paper, or explained."""
    scenario = in_phase(Phase.FAILED)
    worker, firm = (party.party_id for party in scenario.case.parties)
    (told,) = scenario.do(ServeRemediesNotice(party_id=worker, means="phone"))
    in_writing = cure(told.event_id, "not-in-writing", "notice-served")
    scenario.do(ServeRemediesNotice(party_id=firm, means="written"))
    scenario.when(in_writing).then_refused("not-told-yet")
    scenario.do(ServeRemediesNotice(party_id=worker, means="written"))

    scenario.when(in_writing).then(IrregularityCured)


@pytest.mark.parametrize("phase", [Phase.PERFORMING, Phase.FAILED, Phase.CLOSED])
def test_flaws_are_cured_in_every_phase(phase):
    """What is found when the file is archived is mended then."""
    scenario = in_phase(phase)
    (held,) = scenario.do(scenario.session(host_ids=(an_id("somebody"),)))

    for code in held.irregularities:
        scenario.when(cure(held.event_id, code)).then(expect(IrregularityCured, phase=phase))
    assert scenario.case.irregularities == ()


def test_once_every_flaw_is_cured_the_sealing_goes_through():
    """One open flaw, of whichever fact, is enough to hold the seal back."""
    scenario, held = flawed_session()
    scenario.given(ConfirmAssignment(mediator_id=scenario.case.lead_mediator_id))
    scenario.drafted().given(scenario.check()).signed()
    seal = scenario.acts()[-1]
    scenario.when(seal).then_refused("open-irregularity")
    scenario.given(cure(held.event_id, "unassigned-host"))
    scenario.when(seal).then_refused("open-irregularity")
    scenario.given(cure(held.event_id, "no-rights-notice"))

    scenario.when(seal).then(AgreementSealed, AgreementTookEffect, MediationConcluded)


def test_a_case_on_paper_is_typed_in_two_weeks_later_and_sealed_once_it_is_cured():
    """Scenario 18: every fact with its own date and flaws; 9 May 2026 is a make-up workday.

    Application 6 May, session 8 May by a person who was not assigned and without notice, signed
    on 12 May; typed in on 20 May; 100 yuan too much is surplus.
    """
    scenario = Scenario()
    scenario.now = moment("2026-05-20T09:00+08:00")
    scenario.registered(occurred_at=moment("2026-05-06T09:00+08:00"))
    due = scenario.case.due
    assert (due["D01"].due_on.isoformat(), due["D01"].past_when_decided) == ("2026-05-09", True)
    scenario.agreed().accepted().assigned()
    held_at = moment("2026-05-08T09:00+08:00")
    session = scenario.session(host_ids=(an_id("stand-in"),), occurred_at=held_at)
    scenario.when(session).then(
        expect(
            SessionHeld,
            occurred_at=held_at,
            irregularities=("unassigned-host", "no-rights-notice", "before-acceptance"),
        )
    )
    held = scenario.events[-1]
    scenario.given(ConfirmAssignment(mediator_id=scenario.case.lead_mediator_id))
    scenario.drafted().given(scenario.check(occurred_at=moment("2026-05-12T09:00+08:00")))
    signed_at = moment("2026-05-12T15:00+08:00")
    *signers, mediator, seal = scenario.acts()
    for signature in (*signers, mediator):
        paper = {"number": signature.number, "digest": signature.digest}
        scenario.do(
            SignAgreement(
                **paper,
                party_id=signature.party_id,
                mediator_id=signature.mediator_id,
                occurred_at=signed_at,
            )
        )
        assert scenario.events[-1].irregularities == ()
    scenario.when(seal).then_refused("open-irregularity")
    for party in scenario.case.parties:
        scenario.do(ServeRightsNotice(party_id=party.party_id, means="phone"))
    scenario.given(
        cure(held.event_id, "no-rights-notice", "notice-served"),
        cure(held.event_id, "unassigned-host"),
        cure(held.event_id, "before-acceptance"),
    )
    sealed, effect, _ = scenario.do(SealAgreement(**scenario.paper))
    assert effect.effect_on.isoformat() == "2026-05-20"
    assert effect.digest == sealed.digest
    assert effect.digest.startswith(signers[0].digest)
    paid, fully = scenario.do(scenario.payment(fen=110_000))
    assert (paid.applied_fen, paid.surplus_fen, fully.applied_fen) == (100_000, 10_000, 100_000)


def test_a_mediator_replaced_means_that_somebody_is_assigned():
    """更换调解员 needs the one who takes the place."""
    scenario = in_phase(Phase.ACCEPTED)
    (held,) = scenario.do(scenario.session(rights_told=True))[-1:]
    replaced = cure(held.event_id, "unassigned-host", "mediator-replaced")
    scenario.when(replaced).then_refused("not-replaced-yet")
    scenario.assigned()

    scenario.when(replaced).then(IrregularityCured)
