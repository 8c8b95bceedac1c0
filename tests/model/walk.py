"""A walk through the history of a case that knows events alone: what may never be otherwise is not.

It shares no code with the deciders and evolutions it is held against, only the events themselves
and the order of the ladder's levels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date
from functools import cache
from typing import Any, ClassVar
from uuid import UUID

import msgspec

from mediation.calendar import DueDate, day_of
from mediation.case.agreement import AgreementSealed, AgreementSigned, AgreementTookEffect
from mediation.case.aid import CounselAppointed
from mediation.case.assignment import AssignmentDeclined, MediatorsAssigned
from mediation.case.closing import CaseClosed
from mediation.case.conclusion import MediationConcluded
from mediation.case.consent import CaseAccepted, ConsentRecorded, ConsentWithdrawn
from mediation.case.correction import IrregularityCured
from mediation.case.custody import (
    TAKEN,
    CaseEscalated,
    CaseSentBack,
    CustodyMoveDeclined,
    CustodyMoveRequested,
    CustodyMoveWithdrawn,
    CustodyTaken,
)
from mediation.case.demand import ContractChangeConfirmed
from mediation.case.drafting import AgreementDrafted, AgreementLegalityChecked
from mediation.case.intake import CaseRegistered
from mediation.case.parties import PartyAdded
from mediation.case.performance import ObligationPerformed, ObligationsFullyPerformed
from mediation.case.proceedings import ObligationsSet
from mediation.case.sessions import SessionHeld
from mediation.case.settlement import OralAgreementRecorded, SettlementRecorded, UndertakingGiven
from mediation.case.sheets import TransferSheetRecorded
from mediation.case.state import CaseEvent, CaseState, RecordedFact
from mediation.case.values import Answer, Matter, Obligation, Phase, Side
from mediation.codes import is_code
from mediation.kernel import evolve
from mediation.ladder import MoveKind
from tests.scenario import STANDARD, STEPS

DIRECTION = {
    MoveKind.ESCALATE: 1,
    MoveKind.REPORT_UP: 1,
    MoveKind.TRANSFER: 0,
    MoveKind.REROUTE: 0,
    MoveKind.ASSIGN_DOWN: -1,
    MoveKind.SEND_BACK: -1,
}
PAPERS = (
    UndertakingGiven
    | SettlementRecorded
    | OralAgreementRecorded
    | AgreementTookEffect
    | ContractChangeConfirmed
    | ObligationsSet
)
IN_MEDIATION = (Phase.ACCEPTED, Phase.ASSIGNED, Phase.MEDIATING, Phase.SIGNING)
"""Phases that only an open acceptance can be in; while consent is asked anew it can be open too."""


class Walk:
    """Walks a history, knowing nothing of the state, and holds it to what may never be otherwise.

    Raises AssertionError, of an event that should not have been possible, with what is wrong.
    """

    def __init__(self) -> None:
        self.custody, self.level, self.kind = "", "", ""
        self.phase: Phase | None = None
        self.former: list[tuple[str, str]] = []
        self.sides: dict[Side, set[UUID]] = {side: set() for side in Side}
        self.pending: CustodyMoveRequested | None = None
        self.sheets: dict[tuple[UUID, str], TransferSheetRecorded] = {}
        self.answers: dict[UUID, Answer] = {}
        self.unwilling: set[UUID] = set()
        self.accepted, self.is_open, self.must_conclude = 0, False, False
        self.mediators: set[UUID] = set()
        self.barred: set[UUID] = set()
        self.draft: AgreementDrafted | None = None
        self.drafts = 0
        self.passed, self.sealed, self.mediator_signed = False, False, False
        self.signed: set[UUID] = set()
        self.last_on: Any = None
        self.lines: dict[UUID, UUID] = {}
        self.owed: dict[UUID, Obligation] = {}
        self.paid: Counter[UUID] = Counter()
        self.surplus: Counter[UUID] = Counter()
        self.flaws: list[tuple[UUID, str]] = []
        self.due: dict[str, DueDate] = {}

    def through(self, events: Iterable[CaseEvent]) -> None:
        """Take one event after the other."""
        for event in events:
            assert not self.must_conclude or isinstance(event, MediationConcluded), (
                "an acceptance ended without its conclusion"
            )
            held_by = self.custody
            for check in checks_of(type(event)):
                check(self, event)
            if isinstance(event, RecordedFact):
                self.recorded(event)
            self.place(event, held_by or self.custody)
            self.clocks(event)

    # Where it is

    def place(self, event: CaseEvent, held_by: str) -> None:
        assert self.kind in STEPS, "something came before the registration"
        assert event.at_body_id == held_by, "something was done at a body without custody"
        assert event.phase in STEPS[Matter(self.kind)], "a phase of another track"
        under_way = (*IN_MEDIATION, Phase.CONSENT_PENDING)
        assert event.phase not in IN_MEDIATION or self.is_open, "in mediation, and not accepted"
        self.must_conclude = self.is_open and event.phase not in under_way
        assert event.phase is not Phase.CLOSED or not self.is_open, "closed while open"
        self.phase = event.phase

    def clocks(self, event: CaseEvent) -> None:
        # A pending move is withdrawn and the case closed in one decision: both end D12.
        if not isinstance(event, CaseClosed):
            assert set(event.due_ended) <= set(self.due), "a due date ended that was not open"
        started = {due.key: due for due in event.due}
        assert len(started) == len(event.due), "one due date started twice"
        ran = {"D02", "D04"} & set(self.due)
        assert not (isinstance(event, CustodyTaken) and ran and started.keys() & {"D02", "D04"}), (
            "a move reset the term"
        )
        rest = {key: due for key, due in self.due.items() if key not in event.due_ended}
        self.due = rest | started
        assert ("D12" in self.due) == (self.pending is not None), "an answer is due to no request"

    def registered(self, event: CaseRegistered) -> None:
        self.custody, self.level, self.kind = event.custody_body_id, event.level, event.matter_kind
        self.sides = {
            Side.APPLICANT: {party.party_id for party in event.applicants},
            Side.RESPONDENT: {party.party_id for party in event.respondents},
        }
        self.lines = {line.line_id: line.applicant_id for line in event.lines}

    def party_added(self, event: PartyAdded) -> None:
        self.sides[event.party.side].add(event.party.party_id)
        self.lines |= {line.line_id: line.applicant_id for line in event.lines}

    # Custody

    def move_requested(self, event: CustodyMoveRequested) -> None:
        assert self.pending is None, "two moves are pending"
        assert event.from_body_id == self.custody, "a body that has no custody asked for a move"
        self.pending = event

    def custody_taken(self, event: CustodyTaken) -> None:
        asked = self.pending
        assert asked is not None, "custody was taken without a request"
        assert type(event) is TAKEN[asked.kind], "another move was accepted than asked for"
        assert event.to_body_id == asked.to_body_id, "another body took custody"
        assert (event.from_body_id, event.from_level) == (self.custody, self.level), (
            "custody had moved"
        )
        rungs = STANDARD.rank(event.to_level) - STANDARD.rank(self.level)
        direction = DIRECTION[asked.kind]
        assert rungs * direction > 0 or rungs == direction == 0, "a move the wrong way"
        skips = isinstance(event, CaseEscalated) and event.ground != "assignment-return"
        assert not skips or rungs == 1, "an escalation past a rung"
        came_from = (event.to_body_id, event.to_level)
        assert not isinstance(event, CaseSentBack) or came_from in self.former, (
            "sent back to where it never was"
        )
        self.consents_go_along(event)
        self.former.append((self.custody, self.level))
        self.custody, self.level, self.pending = event.to_body_id, event.to_level, None
        self.answers = dict.fromkeys(event.agreed_ids, Answer.AGREED)
        self.unwilling, self.mediators, self.draft = set(), set(), None

    def consents_go_along(self, event: CustodyTaken) -> None:
        to = event.to_body_id
        signed = {party_id: it for (party_id, body_id), it in self.sheets.items() if body_id == to}
        assert set(event.agreed_ids) <= {it for it, sheet in signed.items() if sheet.new_body}, (
            "consent went along without a sheet"
        )
        shown = {it for it, sheet in signed.items() if sheet.disclosure}
        assert event.transfer_basis or set(event.disclosed_ids) <= shown, (
            "personal data went along without a sheet"
        )

    def move_ended(self, event: CustodyMoveDeclined | CustodyMoveWithdrawn) -> None:
        assert self.pending is not None, "an answer to no request"
        self.pending = None

    def sheet(self, event: TransferSheetRecorded) -> None:
        if event.to_body_id is not None:
            self.sheets[event.party_id, event.to_body_id] = event

    # Consent, acceptance, conclusion

    def answered(self, event: ConsentRecorded) -> None:
        self.answers[event.party_id] = event.answer
        if event.answer is Answer.AGREED:
            self.unwilling.discard(event.party_id)

    def withdrew(self, event: ConsentWithdrawn) -> None:
        self.answers[event.party_id] = Answer.REFUSED
        self.unwilling.add(event.party_id)

    def session(self, event: SessionHeld) -> None:
        if self.unwilling & set(event.attending_ids):
            assert {"after-consent-withdrawn", "without-consent"} & set(event.irregularities), (
                "a session with somebody who had withdrawn"
            )

    def case_accepted(self, event: CaseAccepted) -> None:
        assert self.kind == "DISPUTE", "something else than a dispute was accepted"
        agreed = {party for party, answer in self.answers.items() if answer is Answer.AGREED}
        assert all(agreed & side for side in self.sides.values()), (
            "accepted without consent of a side"
        )
        assert set(event.agreed_ids) == agreed, "others had agreed than it says"
        assert not self.is_open, "accepted twice"
        self.accepted, self.is_open = self.accepted + 1, True
        assert event.acceptance_no == self.accepted, "an acceptance was not counted"

    def agreed_orally(self, event: OralAgreementRecorded) -> None:
        sides = [side for side, known in self.sides.items() if known & set(event.agreed_by_ids)]
        concludes = self.is_open and event.phase is Phase.PERFORMING
        assert not concludes or len(sides) == len(Side), "an agreement of one side alone"

    def concluded(self, event: MediationConcluded) -> None:
        assert self.is_open, "a conclusion without an open acceptance"
        assert event.acceptance_no == self.accepted, "another acceptance was concluded"
        owed = sum(it.agreed_fen for it in self.owed.values())
        assert event.agreed_fen == (owed if event.phase is Phase.PERFORMING else 0), (
            "another sum was agreed"
        )
        self.is_open, self.draft = False, None

    # Who may

    def assigned(self, event: MediatorsAssigned) -> None:
        assert self.barred.isdisjoint(event.mediator_ids), "counsel, or a conflicted one, mediates"
        self.mediators = set(event.mediator_ids)

    def declined(self, event: AssignmentDeclined) -> None:
        self.mediators = set() if event.leads else self.mediators - {event.mediator_id}
        if event.reason_code == "conflict":
            self.barred.add(event.mediator_id)

    def counsel(self, event: CounselAppointed) -> None:
        assert event.counsel_id not in self.mediators, "a mediator became counsel"
        self.barred.add(event.counsel_id)

    # The agreement

    def drafted(self, event: AgreementDrafted) -> None:
        assert event.number == self.drafts + 1, "a version was not counted"
        self.draft, self.drafts = event, event.number
        self.signed, self.last_on = set(), None
        self.passed = self.sealed = self.mediator_signed = False

    def same_paper(self, event: Any) -> AgreementDrafted:
        draft = self.draft
        assert draft is not None, "a paper of which no draft is on record"
        assert draft.number == event.number, "another version than was drafted"
        digest = getattr(event, "footer_digest", None) or event.digest
        assert draft.digest.startswith(digest), "another text than was drafted"
        return draft

    def checked(self, event: AgreementLegalityChecked) -> None:
        self.same_paper(event)
        assert event.actor_id not in self.barred, "checked by somebody who may not"
        self.passed = event.passed
        self.draft = self.draft if event.passed else None

    def signed_by(self, event: AgreementSigned) -> None:
        if not event.counts:
            assert event.irregularities, "a signature that does not count, and nothing is wrong"
            return
        draft = self.same_paper(event)
        if event.party_id is None:
            self.mediator_signed = True
        else:
            assert event.party_id in draft.bound_ids, "signed by somebody it does not bind"
            self.signed.add(event.party_id)
        self.acted(event)

    def sealed_by(self, event: AgreementSealed) -> None:
        draft = self.same_paper(event)
        assert event.digest == draft.digest, "sealed with a digest cut short"
        assert self.passed, "sealed unchecked"
        assert not self.flaws, "sealed with open irregularities"
        assert event.seal_body_id == draft.seal_body_id, "another seal"
        assert self.barred.isdisjoint({event.actor_id, draft.actor_id}), (
            "sealed, or drafted, by somebody who may not"
        )
        self.sealed = True
        self.acted(event)

    def acted(self, event: CaseEvent) -> None:
        on = day_of(event.occurred_at)
        self.last_on = max(on, self.last_on or on)

    def took_effect(self, event: AgreementTookEffect) -> None:
        draft = self.same_paper(event)
        assert event.digest == draft.digest, "in force with a digest cut short"
        assert self.signed >= set(draft.bound_ids), "in force and not signed by all it binds"
        assert draft.seal_body_id is None or (self.mediator_signed and self.sealed), (
            "in force without mediator or seal"
        )
        assert event.effect_on == self.last_on, "in force on another day than that of the last act"
        assert event.obligations == draft.obligations, "other sums than were signed"
        self.draft = None

    # Money

    def promised(self, event: Any) -> None:
        for superseded in event.superseded_ids:
            assert superseded in self.owed, "what was not owed was superseded"
            assert self.paid[superseded] == 0, "what was paid on was superseded"
            del self.owed[superseded]
        anew = {it.line_id for it in event.obligations}
        assert all(self.paid[key] for key, it in self.owed.items() if it.line_id in anew), (
            "what was promised anew is still owed as before"
        )
        for it in event.obligations:
            assert self.lines[it.line_id] == it.applicant_id, "promised on the line of another"
            assert it.obligation_id not in self.owed, "promised twice"
            self.owed[it.obligation_id] = it

    def performed(self, event: ObligationPerformed) -> None:
        assert event.paid_fen == event.applied_fen + event.surplus_fen, "fen were lost"
        assert min(event.applied_fen, event.surplus_fen) >= 0, "a negative payment"
        self.paid[event.obligation_id] += event.applied_fen
        self.surplus[event.obligation_id] += event.surplus_fen
        owed = self.owed[event.obligation_id]
        assert self.paid[event.obligation_id] <= owed.agreed_fen, "more than was agreed"
        assert event.line_id == owed.line_id, "applied to another line"

    def fully_performed(self, event: ObligationsFullyPerformed) -> None:
        agreed = {key: it.agreed_fen for key, it in self.owed.items()}
        assert all(self.paid[key] == fen for key, fen in agreed.items()), "something is owed"
        assert event.applied_fen == sum(agreed.values()), "another sum was paid"

    # What is irregular

    def recorded(self, event: RecordedFact) -> None:
        codes = event.irregularities
        assert all(is_code("irregularities", code) for code in codes), "a flaw without a name"
        assert len(set(codes)) == len(codes), "one flaw stands twice"
        is_late = self.phase is Phase.CLOSED and not isinstance(event, ObligationPerformed)
        assert is_late == ("after-close" in codes), "recorded after the closing, or not, unsaid"
        self.flaws += [(event.event_id, code) for code in codes]

    def cured(self, event: IrregularityCured) -> None:
        flaw = (event.flawed_event_id, event.code)
        assert flaw in self.flaws, "what was not irregular was cured"
        self.flaws.remove(flaw)

    CHECKS: ClassVar[dict[Any, Callable[[Walk, Any], None]]] = {
        CaseRegistered: registered,
        PartyAdded: party_added,
        CustodyMoveRequested: move_requested,
        CustodyTaken: custody_taken,
        CustodyMoveDeclined | CustodyMoveWithdrawn: move_ended,
        TransferSheetRecorded: sheet,
        ConsentRecorded: answered,
        ConsentWithdrawn: withdrew,
        SessionHeld: session,
        CaseAccepted: case_accepted,
        MediatorsAssigned: assigned,
        AssignmentDeclined: declined,
        CounselAppointed: counsel,
        AgreementDrafted: drafted,
        AgreementLegalityChecked: checked,
        AgreementSigned: signed_by,
        AgreementSealed: sealed_by,
        AgreementTookEffect: took_effect,
        OralAgreementRecorded: agreed_orally,
        PAPERS: promised,
        MediationConcluded: concluded,
        ObligationPerformed: performed,
        ObligationsFullyPerformed: fully_performed,
        IrregularityCured: cured,
    }


@cache
def checks_of(event_type: type[CaseEvent]) -> tuple[Callable[[Walk, Any], None], ...]:
    """Give the checks of an event, those of its bases included."""
    return tuple(check for known, check in Walk.CHECKS.items() if issubclass(event_type, known))


def require_invariants(events: Iterable[Any]) -> None:
    """Walk through a whole history."""
    walk = Walk()
    walk.through(events)
    assert not walk.must_conclude, "an acceptance ended without its conclusion"


def require_agreement(walk: Walk, case: CaseState) -> None:
    """Hold a state to what the walk found: both come from the same events, by different roads."""
    pairs = {
        "place": (
            (case.phase, case.level, case.custody_body_id),
            (walk.phase, walk.level, walk.custody),
        ),
        "former": ([(it.body_id, it.level) for it in case.former], walk.former),
        "acceptance": (
            (case.acceptance_no, case.acceptance_open),
            (walk.accepted, walk.is_open),
        ),
        "consents": (case.consents, walk.answers),
        "move": (case.move is None, walk.pending is None),
        "mediators": (set(case.mediator_ids), walk.mediators),
        "barred": (case.counsel_ids | case.conflicted_ids, walk.barred),
        "flaws": ([(it.event_id, it.code) for it in case.irregularities], walk.flaws),
        "due": (case.due, walk.due),
        "lines": ({it.line_id for it in case.lines}, set(walk.lines)),
        "draft": (case.draft and case.draft.digest, walk.draft and walk.draft.digest),
        "money": (
            {it.obligation.obligation_id: (it.applied_fen, it.surplus_fen) for it in case.payments},
            {key: (walk.paid[key], walk.surplus[key]) for key in walk.owed},
        ),
    }
    differing = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    assert not differing, f"the state says otherwise: {differing}"


NEVER = date(1999, 12, 31)


def require_copied_dates(events: Iterable[Any]) -> None:
    """Fold a history whose due dates no calendar would give: they are copied as they stand.

    Raises:
        AssertionError: an evolution worked a date out instead of copying what was decided.
    """
    case = CaseState()
    due: dict[str, DueDate] = {}
    for event in events:
        wrong = tuple(
            msgspec.structs.replace(it, due_on=NEVER, rolled_on=NEVER, due_at=None)
            for it in event.due
        )
        case = evolve(case, msgspec.structs.replace(event, due=wrong))
        due = {key: it for key, it in due.items() if key not in event.due_ended}
        due |= {it.key: it for it in wrong}
        assert case.due == due, "a due date was worked out anew"
