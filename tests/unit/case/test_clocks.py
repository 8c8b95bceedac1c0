"""Which clocks run at a moment, and which each act stops: no more of them, and no fewer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from mediation.case.assignment import AssignMediators, ConfirmAssignment, DeclineAssignment
from mediation.case.conclusion import FailMediation, MediationConcluded, ServeRemediesNotice
from mediation.case.consent import AcceptCase, RefuseCase, WithdrawConsent
from mediation.case.custody import (
    AcceptCustody,
    CustodyMoveWithdrawn,
    DeclineCustody,
    WithdrawCustodyMove,
)
from mediation.case.demand import FeedBackDemand, RecordDemandAnswer, RelayDemand
from mediation.case.settlement import RecordOralAgreement
from mediation.case.term import ExtendTerm
from mediation.case.values import Matter, Phase
from mediation.privacy import Personal
from tests.scenario import Scenario, in_phase, mediators_of

FIRST, SECOND = mediators_of("hengjie")


def extended(phase: Phase) -> Scenario:
    """A term that everybody agreed to extend."""
    scenario = in_phase(phase)
    everybody = tuple(party.party_id for party in scenario.case.parties)
    return scenario.given(ExtendTerm(agreed_ids=everybody, until_on=date(2026, 3, 25)))


def formally_asked() -> Scenario:
    """A demand to which the employer has five days to answer."""
    scenario = in_phase(Phase.REGISTERED, Matter.DEMAND)
    respondent_id = scenario.respondent.party_id
    return scenario.given(RelayDemand(respondent_id=respondent_id, means="written", formal=True))


def offered(phase: Phase) -> Scenario:
    """A case that another body was asked to take, with the sheets of everybody."""
    scenario = in_phase(phase)
    scenario.given(scenario.move("dongcheng"))
    return scenario.given(*(scenario.sheet(party) for party in scenario.case.parties))


def told_but_one() -> Scenario:
    """A mediation that failed; one party has not been told yet what else is open to it."""
    scenario = in_phase(Phase.FAILED)
    return scenario.given(told_in_writing(scenario.applicant))


def assigned_anew() -> Scenario:
    """A draft on the table whose leading mediator was replaced."""
    scenario = in_phase(Phase.SIGNING)
    scenario.given(DeclineAssignment(mediator_id=FIRST, reason_code="workload"))
    return scenario.given(AssignMediators(mediator_ids=(SECOND,), lead_mediator_id=SECOND))


def told_in_writing(party: Any) -> ServeRemediesNotice:
    """Tell a party in writing what else is open to it."""
    return ServeRemediesNotice(party_id=party.party_id, means="written")


def oral(scenario: Scenario) -> RecordOralAgreement:
    """Agree by word of mouth on nothing to pay."""
    everybody = tuple(party.party_id for party in scenario.case.parties)
    return RecordOralAgreement(agreed_by_ids=everybody, text=Personal("双方口头达成一致。"))


def unwilling(scenario: Scenario) -> WithdrawConsent:
    """Let the applicant no longer wish to go on."""
    return WithdrawConsent(party_id=scenario.applicant.party_id, means="written")


ACT: dict[str, Callable[[Scenario], Any]] = {
    "accept": lambda _: AcceptCase(within_scope=True, within_district=True),
    "refuse": lambda _: RefuseCase(reason_code="duplicate"),
    "fail": lambda _: FailMediation(cause_code="no-agreement"),
    "agree": oral,
    "take back": Scenario.withdrawal,
    "be unwilling": unwilling,
    "go to arbitration": Scenario.departure,
    "tell the last": lambda scenario: told_in_writing(scenario.respondent),
    "answer": lambda _: RecordDemandAnswer(answer="GRANTED", means="written"),
    "feed back": lambda _: FeedBackDemand(means="written"),
    "take custody": lambda _: AcceptCustody(),
    "decline custody": lambda _: DeclineCustody(reason_code="wrong-body"),
    "ask no longer": lambda _: WithdrawCustodyMove(),
    "meet": Scenario.session,
    "lead": lambda _: ConfirmAssignment(mediator_id=FIRST),
    "join": lambda _: ConfirmAssignment(mediator_id=SECOND),
    "not lead": lambda _: DeclineAssignment(mediator_id=FIRST, reason_code="workload"),
    "not join": lambda _: DeclineAssignment(mediator_id=SECOND, reason_code="workload"),
}

PLACE: dict[str, Callable[[], Scenario]] = {
    "asked": lambda: in_phase(Phase.CONSENT_PENDING),
    "asked, extended": lambda: extended(Phase.CONSENT_PENDING),
    "asked in a firm": lambda: in_phase(Phase.CONSENT_PENDING, body_id="factory"),
    "accepted": lambda: in_phase(Phase.ACCEPTED),
    "assigned": lambda: in_phase(Phase.ASSIGNED),
    "assigned, offered": lambda: offered(Phase.ASSIGNED),
    "mediating in a firm": lambda: in_phase(Phase.MEDIATING, body_id="factory"),
    "mediating, extended": lambda: extended(Phase.MEDIATING),
    "mediating, offered": lambda: offered(Phase.MEDIATING),
    "paying": lambda: in_phase(Phase.PERFORMING),
    "failed": lambda: in_phase(Phase.FAILED),
    "failed, one told": told_but_one,
    "demanded": lambda: in_phase(Phase.REGISTERED, Matter.DEMAND),
    "demanded formally": formally_asked,
    "answered": lambda: in_phase(Phase.ANSWERED, Matter.DEMAND),
    "granted": lambda: in_phase(Phase.PERFORMING, Matter.DEMAND),
    "signing, assigned anew": assigned_anew,
}

CLOCKS = [
    ("asked", "D01 D02 D13", "accept", {"CaseAccepted": "D01"}),
    ("asked", "D01 D02 D13", "refuse", {"CaseNotAccepted": "D01 D02 D13"}),
    ("asked", "D01 D02 D13", "take back", {"CaseWithdrawn": "D01 D02 D13"}),
    ("asked", "D01 D02 D13", "go to arbitration", {"RemedyRouteTaken": "D01 D02 D13"}),
    ("asked, extended", "D01 D13 D04", "refuse", {"CaseNotAccepted": "D01 D13 D04"}),
    ("asked, extended", "D01 D13 D04", "take back", {"CaseWithdrawn": "D01 D13 D04"}),
    ("asked in a firm", "D01 D02 D13", "accept", {"CaseAccepted": "D01"}),
    ("accepted", "D02 D13", "meet", {"SessionHeld": ""}),
    ("assigned", "D02 D13 D06", "meet", {"SessionHeld": "D06"}),
    ("assigned", "D02 D13 D06", "lead", {"AssignmentConfirmed": "D06"}),
    ("assigned", "D02 D13 D06", "join", {"AssignmentConfirmed": ""}),
    ("assigned", "D02 D13 D06", "not lead", {"AssignmentDeclined": "D06"}),
    ("assigned", "D02 D13 D06", "not join", {"AssignmentDeclined": ""}),
    (
        "assigned",
        "D02 D13 D06",
        "take back",
        {"CaseWithdrawn": "D02 D13 D06", "MediationConcluded": ""},
    ),
    ("assigned, offered", "D02 D13 D06 D12", "take custody", {"CaseEscalated": "D13 D06 D12"}),
    ("assigned, offered", "D02 D13 D06 D12", "decline custody", {"CustodyMoveDeclined": "D12"}),
    ("assigned, offered", "D02 D13 D06 D12", "ask no longer", {"CustodyMoveWithdrawn": "D12"}),
    (
        "assigned, offered",
        "D02 D13 D06 D12",
        "take back",
        {"CustodyMoveWithdrawn": "D12", "CaseWithdrawn": "D02 D13 D06", "MediationConcluded": ""},
    ),
    (
        "mediating in a firm",
        "D02 D13 D03",
        "fail",
        {"MediationFailed": "", "MediationConcluded": "D02 D13 D03"},
    ),
    (
        "mediating, extended",
        "D13 D04",
        "fail",
        {"MediationFailed": "", "MediationConcluded": "D13 D04"},
    ),
    (
        "mediating, extended",
        "D13 D04",
        "agree",
        {"OralAgreementRecorded": "", "MediationConcluded": "D13 D04"},
    ),
    (
        "mediating, extended",
        "D13 D04",
        "take back",
        {"CaseWithdrawn": "D13 D04", "MediationConcluded": ""},
    ),
    (
        "mediating, extended",
        "D13 D04",
        "go to arbitration",
        {"RemedyRouteTaken": "D13 D04", "MediationConcluded": ""},
    ),
    (
        "mediating, offered",
        "D02 D13 D12",
        "agree",
        {
            "CustodyMoveWithdrawn": "D12",
            "OralAgreementRecorded": "",
            "MediationConcluded": "D02 D13",
        },
    ),
    (
        "mediating, offered",
        "D02 D13 D12",
        "be unwilling",
        {"CustodyMoveWithdrawn": "D12", "ConsentWithdrawn": "", "MediationConcluded": "D02 D13"},
    ),
    ("paying", "D10", "take back", {"CaseWithdrawn": ""}),
    ("failed", "D05", "tell the last", {"RemediesNoticeServed": ""}),
    ("failed, one told", "D05", "tell the last", {"RemediesNoticeServed": "D05"}),
    ("demanded", "D23", "answer", {"DemandAnswered": ""}),
    ("demanded", "D23", "feed back", {"DemandFedBack": ""}),
    ("demanded", "D23", "take back", {"CaseWithdrawn": "D23"}),
    ("demanded formally", "D23 D07", "answer", {"DemandAnswered": "D07"}),
    ("demanded formally", "D23 D07", "feed back", {"DemandFedBack": ""}),
    ("demanded formally", "D23 D07", "take back", {"CaseWithdrawn": "D23 D07"}),
    ("answered", "D23", "feed back", {"DemandFedBack": "D23"}),
    ("granted", "D23 D10", "take back", {"CaseWithdrawn": ""}),
    ("signing, assigned anew", "D02 D13 D06", "meet", {"SessionHeld": ""}),
]


@pytest.mark.parametrize(("place", "running", "act", "stopped"), CLOCKS)
def test_an_act_stops_its_clocks(place, running, act, stopped):
    """Each event of the decision says which, and none is stopped twice.

    What ends the mediation or a pending move follows from what was done.
    """
    scenario = PLACE[place]()
    assert " ".join(it.code for it in scenario.case.due.values()) == running
    told = scenario.do(ACT[act](scenario))

    assert {type(it).__name__: " ".join(key[:3] for key in it.due_ended) for it in told} == stopped
    done = {it.event_id for it in told}
    if len(told) > 1:
        for it in told:
            if type(it) in (MediationConcluded, CustodyMoveWithdrawn):
                assert it.causation_id in done - {it.event_id}
