"""Everyday work on one form: the very events of the single commands, all of them or none."""

from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediation.case.agreement import (
    AgreementSealed,
    AgreementSigned,
    AgreementTookEffect,
    SignAgreement,
)
from mediation.case.assignment import AssignMediators, ConfirmAssignment, DeclineAssignment
from mediation.case.closing import CaseClosed, CloseCase
from mediation.case.composites import (
    PaymentEntry,
    PerformAndClose,
    RegisterAndAccept,
    SignAndSeal,
)
from mediation.case.conclusion import MediationConcluded
from mediation.case.consent import RecordConsent
from mediation.case.performance import RecordPerformance
from mediation.case.values import Answer, Instrument, Matter, Phase
from mediation.kernel import Actor
from tests.scenario import (
    Scenario,
    a_registration,
    alike,
    an_id,
    expect,
    in_phase,
    lead_of,
    mediators_of,
    moment,
)

FIRST, SECOND = mediators_of("hengjie")
EARLIER = moment("2026-03-01T10:00+08:00")
LAST_YEAR = moment("2025-12-31T10:00+08:00")


def test_two_histories_that_differ_in_anything_but_ids_are_not_alike():
    """The comparison below goes red on another text, another sum, another order."""
    one, other = in_phase(Phase.SIGNING), in_phase(Phase.SIGNING)
    other.count += 100
    one.drafted(), other.drafted()
    assert one.events[-1].event_id != other.events[-1].event_id
    assert alike(one.events[:-2]) == alike(other.events[:-2])
    assert alike(one.events[:5]) != alike(one.events[1:6])
    altered = msgspec.structs.replace(one.events[0], cause="C15")
    assert alike((altered, *one.events[1:-2])) != alike(one.events[:-2])


# 登记即受理


@settings(max_examples=40, deadline=None)
@given(
    workers=st.integers(1, 4),
    companies=st.integers(1, 3),
    team=st.integers(1, 2),
    led_by=st.sampled_from((None, 0)),
    entry=st.sampled_from(("PARTY_DIRECT", "PROACTIVE")),
    received_at=st.sampled_from((None, EARLIER, LAST_YEAR)),
    means=st.sampled_from(("attending", "phone")),
)
def test_register_and_accept_leaves_what_its_commands_leave(
    *, workers, companies, team, led_by, entry, received_at, means
):
    """Registered, agreed by everybody, accepted, assigned: each event with its own time."""
    registration = a_registration(
        workers=workers, companies=companies, entry=entry, occurred_at=received_at
    )
    mediator_ids = (FIRST, SECOND)[:team]
    lead = None if led_by is None else mediator_ids[led_by]
    form = RegisterAndAccept(
        registration=registration,
        consent_means=means,
        mediator_ids=mediator_ids,
        lead_mediator_id=lead,
    )
    moments = {"/occurred_at": None, "/registration/occurred_at": received_at}
    assert (form.body_id, form.moments()) == ("hengjie", moments)
    at_once, by_steps = Scenario(), Scenario()
    at_once.do(form)
    by_steps.do(registration)
    for party in by_steps.case.parties:
        by_steps.do(RecordConsent(party_id=party.party_id, answer=Answer.AGREED, means=means))
    by_steps.accepted()
    by_steps.do(AssignMediators(mediator_ids=mediator_ids, lead_mediator_id=FIRST))

    assert alike(at_once.everything) == alike(by_steps.everything)
    assert len({event.command_id for event in at_once.everything}) == 1
    assert at_once.case.phase is Phase.ASSIGNED


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"mediator_ids": (an_id("nobody"),)}, "not-an-active-mediator"),
        ({"lead_mediator_id": SECOND}, "malformed"),
        ({"registration": a_registration(matter_kind=Matter.AID)}, "wrong-matter"),
        ({"registration": a_registration(cause="C77")}, "malformed"),
        ({"within_scope": False}, "declaration-not-made"),
        ({"within_district": False}, "declaration-not-made"),
        ({"registration": a_registration(body_id="nowhere")}, "body-unknown"),
    ],
)
def test_register_and_accept_leaves_nothing_if_one_of_its_commands_is_refused(changes, code):
    """All or nothing: neither a case nor a number."""
    fields = {"registration": a_registration(), "mediator_ids": (FIRST,)}
    scenario = Scenario()
    scenario.when(RegisterAndAccept(**(fields | changes))).then_refused(code)

    assert scenario.log == {}


def test_what_is_malformed_is_pointed_at_inside_the_registration():
    """The form has the registration below it, and the mediators beside it."""
    registration = a_registration(workers=2, cause="C77", channel="pigeon")
    form = RegisterAndAccept(registration=registration, mediator_ids=(FIRST,))
    scenario = Scenario()
    scenario.when(form).then_refused("malformed")
    assert {it.pointer for it in scenario.refusal.faults} == {
        "/registration/channel",
        "/registration/cause",
    }
    nowhere = RegisterAndAccept(registration=a_registration(body_id=None), mediator_ids=(FIRST,))
    homeless = Actor(actor_id=FIRST, role="mediator", body_id=None)
    scenario.when(nowhere, by=homeless).then_refused("malformed")
    assert [it.pointer for it in scenario.refusal.faults] == ["/registration/body_id"]
    form = RegisterAndAccept(
        registration=a_registration(), mediator_ids=(FIRST,), lead_mediator_id=SECOND
    )
    scenario.when(form).then_refused("malformed")
    assert [it.pointer for it in scenario.refusal.faults] == ["/lead_mediator_id"]


# 签署盖章生效


@settings(max_examples=60, deadline=None)
@given(
    done=st.lists(st.booleans(), min_size=7, max_size=7),
    workers=st.integers(1, 3),
    companies=st.integers(1, 2),
    instrument=st.sampled_from(("MEDIATION_AGREEMENT", "SETTLEMENT_AGREEMENT")),
)
def test_sign_and_seal_leaves_what_its_commands_leave(done, workers, companies, instrument):
    """Whoever has not signed signs, then the mediator and the seal, as far as they are needed."""
    both = []
    for _ in range(2):
        scenario = in_phase(Phase.MEDIATING, workers=workers, companies=companies)
        scenario.drafted(instrument=instrument).given(scenario.check())
        needed = scenario.acts()
        if instrument == "SETTLEMENT_AGREEMENT":
            needed = needed[:-2]
        # At least the last act is left to the form.
        before = [it for it, is_done in zip(needed[:-1], done, strict=False) if is_done]
        scenario.given(*before)
        both.append((scenario, [it for it in needed if it not in before]))
    (at_once, _), (by_steps, rest) = both
    at_once.do(SignAndSeal(**at_once.paper))
    by_steps.given(*rest)

    assert alike(at_once.events) == alike(by_steps.events)
    assert at_once.case.phase is Phase.PERFORMING
    assert at_once.case.irregularities == ()
    assert len({event.command_id for event in at_once.events[-len(rest) - 2 :]}) == 1


def test_sign_and_seal_names_the_mediator_who_signed():
    """By default the one who leads; another of the team, if he is named; nobody twice."""
    scenario = in_phase(Phase.SIGNING)
    scenario.given(scenario.check())
    mediator = (AgreementSigned, AgreementSigned, AgreementSigned)
    end = (AgreementSealed, AgreementTookEffect, MediationConcluded)
    form = SignAndSeal(**scenario.paper, mediator_id=SECOND)
    decided = scenario.would(form)
    assert [type(event) for event in decided] == [*mediator, *end]
    assert [event.mediator_id for event in decided[:3]] == [None, None, SECOND]
    by_default = scenario.would(SignAndSeal(**scenario.paper))
    assert by_default[2].mediator_id == scenario.case.lead_mediator_id

    scenario.given(SignAgreement(**scenario.paper, mediator_id=FIRST))
    scenario.when(SignAndSeal(**scenario.paper)).then(*mediator[1:], *end)


def test_what_was_sealed_first_is_only_signed():
    """The seal may come before the signatures; the form adds what is wanting, and no second one."""
    scenario = in_phase(Phase.SIGNING)
    scenario.given(scenario.check()).given(scenario.acts()[-1])
    signatures = (AgreementSigned, AgreementSigned, AgreementSigned)

    scenario.when(SignAndSeal(**scenario.paper)).then(
        *signatures, AgreementTookEffect, MediationConcluded
    )


def test_without_a_leading_mediator_whoever_acts_has_signed():
    """It leaves the flaw of a person who was not assigned, and so the seal is refused."""
    scenario = in_phase(Phase.SIGNING)
    scenario.given(scenario.check())
    lead = scenario.case.lead_mediator_id
    scenario.do(DeclineAssignment(mediator_id=lead, reason_code="workload"))
    assert scenario.case.lead_mediator_id is None

    scenario.when(SignAndSeal(**scenario.paper)).then_refused("open-irregularity")


def test_a_settlement_agreement_in_force_needs_no_mediator_and_no_seal():
    """Once the parties have signed, the rest would come too late."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.drafted(instrument="SETTLEMENT_AGREEMENT").given(scenario.check())

    scenario.when(SignAndSeal(**scenario.paper)).then(
        AgreementSigned,
        AgreementSigned,
        AgreementTookEffect,
        expect(MediationConcluded, instrument=Instrument.SETTLEMENT_AGREEMENT),
    )


@pytest.mark.parametrize("instrument", ["MEDIATION_AGREEMENT", "SETTLEMENT_AGREEMENT"])
@pytest.mark.parametrize("wrong", [{"number": 2}, {"digest": "0" * 12}])
def test_sign_and_seal_leaves_nothing_on_another_paper(instrument, wrong):
    """Neither signatures nor their flaws: the form as a whole is refused."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.drafted(instrument=instrument).given(scenario.check())
    before = scenario.events
    scenario.when(SignAndSeal(**(scenario.paper | wrong)))

    assert "draft-superseded" in [it.code for it in scenario.refusal.refusals]
    assert scenario.events == before


def test_sign_and_seal_needs_a_checked_draft_that_stands():
    """Phase, move and check are asked as for the seal alone."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.when(SignAndSeal(**scenario.paper)).then_refused("wrong-phase")
    scenario.drafted()
    scenario.when(SignAndSeal(**scenario.paper)).then_refused(
        "legality-not-passed", "open-irregularity"
    )
    scenario.given(scenario.check()).given(scenario.move("dongcheng"))
    scenario.when(SignAndSeal(**scenario.paper)).then_refused("no-move-pending")


# 履行销号


def entries(scenario, fens, days):
    """Make the payments of a form out of sums by obligation."""
    return tuple(
        PaymentEntry(
            obligation_id=payment.obligation.obligation_id,
            paid_fen=fen,
            payment_means="cash",
            proof_kind="receipt",
            occurred_at=moment(f"{date(2026, 3, 1) + timedelta(days=day)}T10:00+08:00")
            if day
            else None,
        )
        for payment, fen, day in zip(scenario.case.payments, fens, days, strict=True)
    )


@settings(max_examples=40, deadline=None)
@given(
    workers=st.integers(1, 4),
    surplus=st.integers(0, 3),
    days=st.lists(st.integers(0, 8), min_size=4, max_size=4),
    visit=st.booleans(),
)
def test_perform_and_close_leaves_what_its_commands_leave(workers, surplus, days, visit):
    """Each payment with its own day, then the close."""
    at_once, by_steps = (in_phase(Phase.PERFORMING, workers=workers) for _ in range(2))
    fens = [100_000 + surplus] * workers
    at_once.now = by_steps.now = moment("2026-03-10T09:00+08:00")
    payments = entries(at_once, fens, days[:workers])
    form = PerformAndClose(payments=payments, occurred_at=at_once.now if visit else None)
    assert form.moments() == {"/occurred_at": form.occurred_at} | {
        f"/payments/{at}/occurred_at": it.occurred_at for at, it in enumerate(payments)
    }
    at_once.do(form)
    for it in payments:
        by_steps.do(RecordPerformance(**msgspec.structs.asdict(it)))
    by_steps.do(CloseCase())

    assert alike(at_once.events) == alike(by_steps.events)
    assert at_once.case.phase is Phase.CLOSED


@pytest.mark.parametrize(
    ("fens", "code"), [((100_000, 99_999), "no-open-duty"), ((1,), "no-open-duty")]
)
def test_perform_and_close_leaves_nothing_while_something_is_owed(fens, code):
    """A form that does not settle everything is refused as a whole."""
    scenario = in_phase(Phase.PERFORMING, workers=2)
    before = scenario.events
    payments = entries(scenario, (*fens, 1)[:2], (0, 0))[: len(fens)]
    scenario.when(PerformAndClose(payments=payments)).then_refused(code)
    assert scenario.events == before

    stranger = msgspec.structs.replace(payments[0], obligation_id=an_id("x"))
    form = PerformAndClose(payments=(payments[0], stranger))
    scenario.when(form).then_refused("unknown-obligation")
    assert [it.pointer for it in scenario.refusal.faults] == ["/payments/1/obligation_id"]


def test_perform_and_close_has_its_one_phase():
    """Only what is being performed is closed so."""
    scenario = in_phase(Phase.PERFORMING)
    payments = entries(scenario, (100_000,), (0,))
    for phase in (Phase.MEDIATING, Phase.FAILED, Phase.CLOSED):
        in_phase(phase).when(PerformAndClose(payments=payments)).then_refused("wrong-phase")


# An ordinary case


def test_an_ordinary_case_takes_seven_commands_at_most():
    """From the front desk to the close, by an agreement that is checked, signed and sealed."""
    scenario = Scenario()
    scenario.do(RegisterAndAccept(registration=a_registration(), mediator_ids=(FIRST,)))
    scenario.do(ConfirmAssignment(mediator_id=FIRST))
    scenario.do(scenario.session(rights_told=True, result="agreed"))
    scenario.do(scenario.draft())
    scenario.do(scenario.check())
    scenario.do(SignAndSeal(**scenario.paper))
    scenario.do(PerformAndClose(payments=entries(scenario, (100_000,), (0,))))

    assert scenario.count <= 7
    assert scenario.case.phase is Phase.CLOSED
    assert scenario.case.irregularities == ()
    assert scenario.events[-1].topic == "case.closed/1"
    assert {it.code for it in scenario.case.due.values()} == {"D08", "D09", "D18"}


def test_one_person_who_accepts_mediates_and_closes_is_looked_into():
    """Single-handed: D24, five working days for the body above."""
    alone = Actor(actor_id=FIRST, role="mediator", body_id="hengjie")
    for closed_by, codes in ((alone, {"D18", "D24"}), (lead_of("hengjie"), {"D18"})):
        scenario = Scenario()
        scenario.do(
            RegisterAndAccept(registration=a_registration(), mediator_ids=(FIRST,)), by=alone
        )
        scenario.given(ConfirmAssignment(mediator_id=FIRST)).settled()
        form = PerformAndClose(payments=entries(scenario, (100_000,), (0,)))
        scenario.when(form, by=closed_by)
        closed = scenario.decided[-1]
        assert (type(closed), closed.single_handed) == (CaseClosed, closed_by is alone)
        assert {due.code for due in closed.due} == codes
