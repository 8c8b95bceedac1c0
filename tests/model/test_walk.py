"""The walk has teeth: each broken twin of a sound history is found, and said to be what it is."""

import ast
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mediation import kernel
from mediation.case.agreement import AgreementSealed, AgreementSigned, AgreementTookEffect
from mediation.case.aid import AppointCounsel, CounselAppointed
from mediation.case.assignment import AssignmentDeclined, DeclineAssignment, MediatorsAssigned
from mediation.case.conclusion import MediationConcluded
from mediation.case.consent import (
    CaseAccepted,
    ConsentRecorded,
    ConsentWithdrawn,
    WithdrawConsent,
)
from mediation.case.correction import CureIrregularity, IrregularityCured
from mediation.case.custody import (
    AcceptCustody,
    CaseEscalated,
    CaseSentBack,
    CustodyMoveDeclined,
    CustodyMoveRequested,
    CustodyTaken,
    DeclineCustody,
)
from mediation.case.drafting import AgreementDrafted, AgreementLegalityChecked
from mediation.case.intake import CaseRegistered
from mediation.case.performance import ObligationPerformed, ObligationsFullyPerformed
from mediation.case.sessions import RightsNoticeServed, SessionHeld
from mediation.case.settlement import OralAgreementRecorded, UndertakingGiven
from mediation.case.sheets import TransferSheetRecorded
from mediation.case.state import CaseState
from mediation.case.values import Matter, Phase
from mediation.kernel import fold
from mediation.ladder import MoveKind
from mediation.privacy import Personal
from tests.examples import COMMANDS
from tests.model import walk
from tests.model.walk import Walk, require_agreement, require_copied_dates, require_invariants
from tests.scenario import Scenario, an_id, in_phase, mediators_of

SOMEBODY, SOMETHING = an_id("somebody"), an_id("something")


# Sound histories


@cache
def accepted_twice():
    """Tell of a case that failed, climbed, was accepted anew, settled and paid."""
    scenario = in_phase(Phase.FAILED)
    scenario.taken_by("dongcheng", ground="mediation-failed", applicant_wish=True)
    scenario.agreed().accepted().mediating().settled()
    return scenario.given(scenario.payment()).events


@cache
def moved():
    """Tell of an accepted case that was declined above, climbed, went down and was sent back."""
    scenario = in_phase(Phase.ACCEPTED)
    scenario.given(scenario.move("dongcheng"), DeclineCustody(reason_code="wrong-body"))
    scenario.taken_by("dongcheng")
    scenario.given(scenario.move("hengjie", MoveKind.SEND_BACK, "ground-not-met"))
    return scenario.given(AcceptCustody()).events


@cache
def sealed():
    """Tell of an agreement: mediators declined, a flaw was cured, all signed; paid and closed."""
    scenario = in_phase(Phase.ASSIGNED)
    conflicted = scenario.case.mediator_ids[1]
    scenario.given(DeclineAssignment(mediator_id=conflicted, reason_code="conflict"))
    scenario.given(
        DeclineAssignment(mediator_id=scenario.case.lead_mediator_id, reason_code="workload")
    )
    scenario.mediating().given(scenario.session(host_ids=(SOMEBODY,)))
    (flaw,) = scenario.case.irregularities
    scenario.given(
        CureIrregularity(
            event_id=flaw.event_id,
            code=flaw.code,
            cure="explained",
            explanation=Personal("已作说明。"),
        )
    )
    scenario.in_force().given(scenario.payment()).closed()
    return scenario.given(scenario.session(rights_told=True)).events


@cache
def withdrawn():
    """Tell of two workers of whom one withdrew; the session that followed was with the other."""
    scenario = Scenario().registered(workers=2).agreed().accepted().mediating()
    first, second = scenario.case.applicants
    scenario.given(WithdrawConsent(party_id=first.party_id, means="phone"))
    here = (second.party_id, scenario.respondent.party_id)
    return scenario.given(scenario.session(attending_ids=here)).events


@cache
def settled_orally():
    """Tell of an agreement by word of mouth."""
    scenario = in_phase(Phase.MEDIATING)
    return scenario.given(COMMANDS["record-oral-agreement"](scenario)).events


@cache
def aided():
    """Tell of aid with counsel."""
    scenario = in_phase(Phase.AIDED, Matter.AID)
    ids = (scenario.applicant.party_id,)
    return scenario.given(AppointCounsel(counsel_id=an_id("counsel"), for_ids=ids)).events


SOUND = (accepted_twice, moved, sealed, withdrawn, settled_orally, aided)


@pytest.mark.parametrize("history", SOUND)
def test_a_sound_history_passes(history):
    """The walk agrees with what the deciders allow, and with the state at every step."""
    require_invariants(history())
    so_far, case = Walk(), CaseState()
    for event in history():
        so_far.through((event,))
        case = fold(case, (event,))
        require_agreement(so_far, case)


# Breaking one


def where(event_type, events, nth=0) -> int:
    """Give the place of an event of a type."""
    return [at for at, it in enumerate(events) if isinstance(it, event_type)][nth]


def without(event_type, events, nth=0):
    """Leave out one event of a type."""
    at = where(event_type, events, nth)
    return (*events[:at], *events[at + 1 :])


def doubled(event_type, events, nth=0):
    """Repeat one event of a type."""
    at = where(event_type, events, nth)
    return (*events[: at + 1], *events[at:])


def changed(event_type, events, nth: int | None = None, **fields: Any):
    """Change fields of every event of a type, or of one."""
    only = None if nth is None else where(event_type, events, nth)
    return tuple(
        msgspec.structs.replace(event, **fields)
        if isinstance(event, event_type) and only in (None, at)
        else event
        for at, event in enumerate(events)
    )


def nth_of(event_type, events, nth=0):
    """Give one event of a type."""
    return events[where(event_type, events, nth)]


def promised_again(events, **fields: Any):
    """Let the promise of a history be given once more, changed."""
    return (*events, msgspec.structs.replace(nth_of(UndertakingGiven, events), **fields))


def owed_in(events):
    """Name what a history promised."""
    return tuple(it.obligation_id for it in nth_of(UndertakingGiven, events).obligations)


def of_others(events):
    """Say that what was promised is owed to somebody else."""
    obligations = tuple(
        msgspec.structs.replace(it, applicant_id=SOMEBODY)
        for it in nth_of(UndertakingGiven, events).obligations
    )
    return changed(UndertakingGiven, events, obligations=obligations)


def of_aid(event_type, events):
    """Give an event of another history as if it had happened to a matter of aid."""
    return msgspec.structs.replace(nth_of(event_type, events), phase=Phase.AIDED)


def with_counsel(counsel_id, events):
    """Let somebody be appointed counsel at the end of a history."""
    appointed = nth_of(CounselAppointed, aided())
    return (
        *events,
        msgspec.structs.replace(appointed, counsel_id=counsel_id, phase=events[-1].phase),
    )


TWINS = [
    (accepted_twice, lambda it: it[1:], "before the registration"),
    (accepted_twice, lambda it: without(MediationConcluded, it), "without its conclusion"),
    (
        accepted_twice,
        lambda it: it[: where(MediationConcluded, it)],
        "without its conclusion",
    ),
    (sealed, lambda it: changed(SessionHeld, it, at_body_id="hq"), "at a body without"),
    (accepted_twice, lambda it: changed(ConsentRecorded, it, at_body_id="hq"), "at a body without"),
    (accepted_twice, lambda it: changed(UndertakingGiven, it, phase=Phase.AIDED), "another track"),
    (accepted_twice, lambda it: without(CaseAccepted, it), "and not accepted"),
    (accepted_twice, lambda it: changed(CaseAccepted, it, phase=Phase.CLOSED), "while open"),
    (accepted_twice, lambda it: changed(CaseRegistered, it, due=()), "was not open"),
    (accepted_twice, lambda it: changed(CaseRegistered, it, due=it[0].due * 2), "started twice"),
    (moved, lambda it: changed(CaseEscalated, it, due=it[0].due), "reset the term"),
    (moved, lambda it: changed(CustodyTaken, it, due_ended=()), "due to no request"),
    (moved, lambda it: doubled(CustodyMoveRequested, it), "two moves"),
    (moved, lambda it: changed(CustodyMoveRequested, it, from_body_id="hq"), "has no custody"),
    (moved, lambda it: without(CustodyMoveRequested, it, 1), "taken without a request"),
    (moved, lambda it: without(CustodyMoveRequested, it), "an answer to no request"),
    (moved, lambda it: doubled(CustodyMoveDeclined, it), "an answer to no request"),
    (moved, lambda it: changed(CustodyMoveRequested, it, kind=MoveKind.TRANSFER), "another move"),
    (moved, lambda it: changed(CustodyMoveRequested, it, to_body_id="hq"), "another body"),
    (moved, lambda it: changed(CustodyTaken, it, from_level="district"), "custody had moved"),
    (moved, lambda it: changed(CustodyTaken, it, to_level="enterprise"), "the wrong way"),
    (moved, lambda it: changed(CustodyTaken, it, to_level="village-industry"), "the wrong way"),
    (moved, lambda it: changed(CustodyTaken, it, to_level="district"), "past a rung"),
    (
        moved,
        lambda it: changed(
            CaseSentBack,
            changed(CustodyMoveRequested, it, 2, to_body_id="catering"),
            to_body_id="catering",
        ),
        "where it never was",
    ),
    (moved, lambda it: without(TransferSheetRecorded, it), "consent went along"),
    (moved, lambda it: changed(TransferSheetRecorded, it, new_body=False), "consent went along"),
    (moved, lambda it: changed(TransferSheetRecorded, it, disclosure=False), "personal data went"),
    (
        withdrawn,
        lambda it: changed(SessionHeld, it, attending_ids=(nth_of(ConsentWithdrawn, it).party_id,)),
        "with somebody who had withdrawn",
    ),
    (accepted_twice, lambda it: without(ConsentRecorded, it), "without consent of a side"),
    (withdrawn, lambda it: without(ConsentRecorded, it), "others had agreed"),
    (
        settled_orally,
        lambda it: changed(
            OralAgreementRecorded, it, agreed_by_ids=(it[0].applicants[0].party_id,)
        ),
        "one side alone",
    ),
    (aided, lambda it: (*it, of_aid(CaseAccepted, accepted_twice())), "else than a dispute"),
    (accepted_twice, lambda it: doubled(CaseAccepted, it), "accepted twice"),
    (accepted_twice, lambda it: changed(CaseAccepted, it, acceptance_no=7), "not counted"),
    (accepted_twice, lambda it: doubled(MediationConcluded, it), "without an open acceptance"),
    (
        accepted_twice,
        lambda it: changed(MediationConcluded, it, acceptance_no=7),
        "another acceptance",
    ),
    (
        accepted_twice,
        lambda it: changed(MediationConcluded, it, agreed_fen=7),
        "another sum was agreed",
    ),
    (
        sealed,
        lambda it: changed(MediatorsAssigned, it, 1, mediator_ids=mediators_of("hengjie")),
        "a conflicted one, mediates",
    ),
    (
        sealed,
        lambda it: with_counsel(nth_of(MediatorsAssigned, it, 1).mediator_ids[0], it),
        "a mediator became counsel",
    ),
    (sealed, lambda it: changed(AgreementDrafted, it, number=2), "version was not counted"),
    (sealed, lambda it: without(AgreementDrafted, it), "no draft is on record"),
    (sealed, lambda it: changed(AgreementSealed, it, number=2), "another version"),
    (sealed, lambda it: changed(AgreementSigned, it, footer_digest="0" * 12), "another text"),
    (sealed, lambda it: changed(AgreementSealed, it, digest="0" * 64), "another text"),
    (
        sealed,
        lambda it: changed(AgreementSealed, it, digest=nth_of(AgreementSigned, it).footer_digest),
        "sealed with a digest",
    ),
    (
        sealed,
        lambda it: changed(
            AgreementTookEffect, it, digest=nth_of(AgreementSigned, it).footer_digest
        ),
        "in force with a digest",
    ),
    (
        sealed,
        lambda it: changed(
            AgreementLegalityChecked, it, actor_id=nth_of(AssignmentDeclined, it).mediator_id
        ),
        "checked by somebody",
    ),
    (sealed, lambda it: changed(AgreementSigned, it, counts=False), "and nothing is wrong"),
    (sealed, lambda it: changed(AgreementSigned, it, 0, party_id=SOMEBODY), "it does not bind"),
    (sealed, lambda it: without(AgreementLegalityChecked, it), "sealed unchecked"),
    (sealed, lambda it: without(IrregularityCured, it), "open irregularities"),
    (sealed, lambda it: changed(AgreementSealed, it, seal_body_id="hq"), "another seal"),
    (
        sealed,
        lambda it: changed(
            AgreementSealed, it, actor_id=nth_of(AssignmentDeclined, it).mediator_id
        ),
        "by somebody who may not",
    ),
    (
        sealed,
        lambda it: changed(
            AgreementDrafted, it, actor_id=nth_of(AssignmentDeclined, it).mediator_id
        ),
        "by somebody who may not",
    ),
    (sealed, lambda it: without(AgreementSigned, it), "not signed by all"),
    (sealed, lambda it: without(AgreementSigned, it, 2), "without mediator or seal"),
    (sealed, lambda it: without(AgreementSealed, it), "without mediator or seal"),
    (
        sealed,
        lambda it: changed(AgreementTookEffect, it, effect_on=date(2026, 3, 9)),
        "another day",
    ),
    (sealed, lambda it: changed(AgreementTookEffect, it, obligations=()), "other sums"),
    (accepted_twice, lambda it: promised_again(it, superseded_ids=(SOMETHING,)), "not owed"),
    (accepted_twice, lambda it: promised_again(it, superseded_ids=owed_in(it)), "was paid on"),
    (
        accepted_twice,
        lambda it: doubled(UndertakingGiven, it),
        "still owed as before",
    ),
    (accepted_twice, of_others, "line of another"),
    (accepted_twice, lambda it: promised_again(it, superseded_ids=()), "promised twice"),
    (accepted_twice, lambda it: changed(ObligationPerformed, it, paid_fen=1), "fen were lost"),
    (
        accepted_twice,
        lambda it: changed(ObligationPerformed, it, applied_fen=100_001, surplus_fen=-1),
        "a negative payment",
    ),
    (accepted_twice, lambda it: doubled(ObligationPerformed, it), "more than was agreed"),
    (
        accepted_twice,
        lambda it: changed(ObligationPerformed, it, line_id=SOMETHING),
        "another line",
    ),
    (accepted_twice, lambda it: without(ObligationPerformed, it), "something is owed"),
    (
        accepted_twice,
        lambda it: changed(ObligationsFullyPerformed, it, applied_fen=1),
        "another sum was paid",
    ),
    (sealed, lambda it: changed(SessionHeld, it, irregularities=("odd",)), "without a name"),
    (
        sealed,
        lambda it: changed(SessionHeld, it, irregularities=("unassigned-host",) * 2),
        "stands twice",
    ),
    (sealed, lambda it: changed(SessionHeld, it, 1, irregularities=()), "or not, unsaid"),
    (
        sealed,
        lambda it: changed(RightsNoticeServed, it, irregularities=("after-close",)),
        "or not, unsaid",
    ),
    (sealed, lambda it: doubled(IrregularityCured, it), "was not irregular"),
]
"""Histories, how to break them, and what is then found."""


@pytest.mark.parametrize(("history", "break_it", "found"), TWINS)
def test_a_broken_history_is_found(history, break_it, found):
    """A move, an acceptance, a signature or a fen too many or too few: all are seen."""
    with pytest.raises(AssertionError, match=found):
        require_invariants(break_it(history()))


def test_every_check_of_the_walk_has_a_broken_twin():
    """A check that nothing can break proves nothing."""
    tree = ast.parse(Path(walk.__file__).read_text(encoding="utf-8"))
    said = [
        str(it.msg.value)
        for it in ast.walk(tree)
        if isinstance(it, ast.Assert) and isinstance(it.msg, ast.Constant)
    ]
    tried = (*(found for *_, found in TWINS), "worked out anew")
    untested = [sentence for sentence in said if not any(found in sentence for found in tried)]

    assert len(said) > 60
    assert untested == []


def test_a_state_that_differs_from_the_walk_is_found():
    """The comparison with the live state goes red when a fen, a flaw or a date is another."""
    so_far = Walk()
    so_far.through(sealed())
    case = fold(CaseState(), sealed())
    for field, other in {
        "level": "district",
        "acceptance_open": True,
        "consents": {},
        "mediator_ids": (),
        "conflicted_ids": frozenset(),
        "payments": (),
        "irregularities": (),
        "due": {},
        "lines": (),
    }.items():
        with pytest.raises(AssertionError, match="otherwise"):
            require_agreement(so_far, msgspec.structs.replace(case, **{field: other}))


def test_an_evolution_that_works_out_a_due_date_is_found(monkeypatch):
    """Replay copies what was decided: dates that no calendar gives stand as they are."""
    history = accepted_twice()
    require_copied_dates(history)
    registered, fold_it = nth_of(CaseRegistered, history), kernel._EVOLUTIONS[CaseRegistered]
    monkeypatch.setitem(
        kernel._EVOLUTIONS,
        CaseRegistered,
        lambda case, event: fold_it(case, msgspec.structs.replace(event, due=registered.due)),
    )

    with pytest.raises(AssertionError, match="worked out anew"):
        require_copied_dates(history)
