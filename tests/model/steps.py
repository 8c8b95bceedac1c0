"""What somebody at the office might try next on a case: every command, in many forms.

Every step is made of the case as it stands and of one number, so that a life is a list of names
and numbers: easy to draw, to repeat and to shrink. Zero is the plainest form of a step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any, TypeVar

import msgspec

from mediation.calendar import day_of
from mediation.case.agreement import SignAgreement
from mediation.case.aid import AppointCounsel, GrantAid
from mediation.case.assignment import AssignMediators, ConfirmAssignment, DeclineAssignment
from mediation.case.closing import CloseCase
from mediation.case.composites import PaymentEntry, PerformAndClose
from mediation.case.conclusion import ServeRemediesNotice
from mediation.case.consent import (
    AcceptCase,
    AskConsent,
    RecordConsent,
    RefuseCase,
    WithdrawConsent,
)
from mediation.case.correction import CureIrregularity
from mediation.case.custody import CLIMBS
from mediation.case.demand import FeedBackDemand, RecordDemandAnswer, RelayDemand
from mediation.case.grounds import Asked, holds
from mediation.case.intake import ClearFlag, PartyEntry, RaiseFlag
from mediation.case.lifecycle import BEFORE_EFFECT, ON_OTHER_TRACKS
from mediation.case.parties import AddedLine, AddParty, IdentifyParty
from mediation.case.performance import ObligationEntry
from mediation.case.proceedings import OpenProceeding, UpdateProceeding
from mediation.case.sessions import ServeRightsNotice
from mediation.case.settlement import RecordOralAgreement
from mediation.case.term import ExtendTerm
from mediation.case.urgent import AcknowledgeUrgentReport
from mediation.case.values import Answer, ClaimResult, Matter, MeansCode, Party, Phase, Side
from mediation.codes import table
from mediation.kernel import Actor, Command, command_named
from mediation.ladder import MoveKind
from mediation.privacy import Personal
from tests.examples import COMMANDS
from tests.scenario import NETWORK, STANDARD, Scenario, an_id, lapse_of, lead_of, mediators_of

T = TypeVar("T")
BODIES = sorted(NETWORK.bodies)
KINDS = (*MoveKind, MoveKind.SEND_BACK, MoveKind.REPORT_UP, MoveKind.SEND_BACK)
"""The kinds of moves, those more often that are seldom possible."""
GROUNDS = sorted({ground.code for ground in STANDARD.grounds})
SYSTEM = Actor(actor_id=an_id("system"), role="system")
MEANS: tuple[MeansCode, ...] = ("written", "in-person", "attending", "phone")


class Dice:
    """One number that answers one question after the other; zero answers plainly.

    Whoever draws the numbers likes to repeat them, so each means something else at another turn.
    """

    def __init__(self, number: int, turn: int = 0) -> None:
        self._random = Random(number << 16 | turn) if number else None

    def of(self, options: Sequence[T]) -> T:
        """Choose one."""
        return self._random.choice(options) if self._random else options[0]

    def often(self) -> bool:
        """Say yes three times out of four."""
        return self.of((True, True, True, False))

    def some(self, options: Sequence[T]) -> tuple[T, ...]:
        """Choose all, or one."""
        return tuple(options) if self.often() or not options else (self.of(options),)


Step = Callable[[Scenario, Dice], Command | None]


def any_party(s: Scenario, dice: Dice) -> Party:
    """Choose a party, the respondent first."""
    return dice.of(s.case.parties[::-1])


def entries(s: Scenario, dice: Dice) -> tuple[ObligationEntry, ...]:
    """Promise something on all lines of the first respondent, or on one, in one sum or in two."""
    lines = [it for it in s.case.lines if it.respondent_id == s.respondent.party_id]
    days = dice.of(((5,), (0, 30), (400,)))
    return tuple(
        ObligationEntry(
            line_id=line.line_id,
            agreed_fen=dice.of((100_000, 30_000, 1)),
            due_on=day_of(s.now) + timedelta(days=it),
        )
        for line in dice.some(lines)
        for it in days
    )


def consent(s: Scenario, dice: Dice) -> Command:
    """Record an answer, mostly yes, of somebody who withdrew or has not answered yet, if any."""
    waiting = [it for it in s.case.parties if it.party_id not in s.case.consents]
    waiting += [it for it in s.case.parties if it.party_id in s.case.withdrawn_ids]
    party = dice.of(waiting) if waiting and dice.often() else any_party(s, dice)
    answer = Answer.AGREED if dice.often() else dice.of(tuple(Answer))
    return RecordConsent(party_id=party.party_id, answer=answer, means=dice.of(MEANS))


def assignment(s: Scenario, dice: Dice) -> Command:
    """Assign mediators of the body or, invited, of another."""
    body_id = s.case.custody_body_id if dice.often() else dice.of(BODIES)
    team = dice.some(mediators_of(body_id)[:: dice.of((1, -1))])
    invited = team if body_id != s.case.custody_body_id else ()
    return AssignMediators(mediator_ids=team, lead_mediator_id=team[0], invited_ids=invited)


def confirmation(s: Scenario, dice: Dice) -> Command | None:
    """Let an assigned mediator confirm."""
    if not s.case.mediator_ids:
        return None
    # Now and then a paper does not say so; which one hangs on no throw of the dice.
    return ConfirmAssignment(
        mediator_id=dice.of(s.case.mediator_ids), declares_no_conflict=bool(s.count % 5)
    )


def refusal(s: Scenario, dice: Dice) -> Command | None:
    """Let an assigned mediator decline."""
    if not s.case.mediator_ids:
        return None
    return DeclineAssignment(
        mediator_id=dice.of(s.case.mediator_ids),
        reason_code=dice.of(("conflict", "workload", "on-leave")),
    )


def session(s: Scenario, dice: Dice) -> Command:
    """Hold a session of any kind with any hosts."""
    known = tuple(it.party_id for it in s.case.parties)
    return s.session(
        attending_ids=dice.some(known),
        host_ids=(s.case.mediator_ids or (an_id("somebody"),))
        if dice.often()
        else (an_id("somebody"),),
        rights_told=dice.of((True, False)),
        mode=dice.of(("joint", "separate", "phone")),
        signed_by_ids=dice.some(known),
        also_present=dice.of(((), ("interpreter",))),
    )


def sheet(s: Scenario, dice: Dice) -> Command:
    """Fill in a party's sheet, for the receiver or for a body named beforehand."""
    signed = [it.party_id for it in s.case.sheets]
    unsigned = [it for it in s.case.parties if it.party_id not in signed]
    return s.sheet(
        dice.of(unsigned) if unsigned else any_party(s, dice),
        to_body_id=None if dice.often() else dice.of(BODIES),
        new_body=dice.often(),
        disclosure=dice.often(),
        extension=dice.of((True, False, None)),
    )


def move(s: Scenario, dice: Dice) -> Command:
    """Ask for a move that the ladder permits, as far as there is one."""
    start = dice.of(range(len(KINDS)))
    wish, basis = dice.often(), dice.of((None, "statutory-duty"))
    case, asked = s.case, Asked(on=day_of(s.now), applicant_wish=wish)
    climbs = case.phase in (*BEFORE_EFFECT, *ON_OTHER_TRACKS, Phase.FAILED, Phase.NOT_ACCEPTED)
    for kind in (*KINDS[start:], *KINDS[:start]):
        if kind in CLIMBS and not climbs:
            continue
        bodies = [it.body_id for it in case.former] if kind is MoveKind.SEND_BACK else BODIES
        permitted = [
            (to, ground)
            for to in bodies
            if to != case.custody_body_id
            for ground in STANDARD.level(case.level).grounds_for(kind)
            if not STANDARD.permits(kind, case.level, NETWORK.body(to).level, ground)
            and (ground != "assignment-return" or to == case.assigner_body_id)
            and holds(ground, case, asked)
        ]
        if permitted:
            to, ground = dice.of(permitted)
            return s.move(to, kind, ground, applicant_wish=wish, transfer_basis=basis)
    return any_move(s, dice)


def any_move(s: Scenario, dice: Dice) -> Command:
    """Ask for any move, to anywhere, on any ground."""
    return s.move(
        dice.of(BODIES), dice.of(tuple(MoveKind)), dice.of(GROUNDS), applicant_wish=dice.often()
    )


def flag(s: Scenario, dice: Dice) -> Command:
    """Raise a flag, those that bear on risk and term first."""
    codes = ("EMPLOYER_CLOSED", "WAGE_ARREARS", "NEW_FORM", "MEDIA", "CROSS_REGION", "SAFETY")
    return RaiseFlag(flag=dice.of(codes))


def cleared(s: Scenario, dice: Dice) -> Command:
    """Clear a flag, one that is set if there is any."""
    return ClearFlag(
        flag=dice.of(sorted(s.case.flags) or ["MEDIA"]), explanation=Personal("已核实。")
    )


def joining(s: Scenario, dice: Dice) -> Command:
    """Add a worker with a claim, or a company, perhaps one not identified yet."""
    if dice.of((True, False)):
        side, entry = (
            Side.RESPONDENT,
            PartyEntry(role="USING_UNIT", company_name="用工单位", provisional=not dice.often()),
        )
    else:
        side, entry = Side.APPLICANT, PartyEntry(role="WORKER", name=Personal("职工"))
    others = s.case.applicants if side is Side.RESPONDENT else s.case.respondents
    line = AddedLine(counterpart_id=dice.of(others).party_id, cause="C13", claimed_fen=100_000)
    return AddParty(side=side, party=entry, lines=(line,) if dice.often() else ())


def identity(s: Scenario, dice: Dice) -> Command:
    """Identify a party, a provisional one if there is any."""
    party = dice.of([it for it in s.case.parties if it.provisional] or s.case.parties)
    if party.role == "WORKER":
        return IdentifyParty(
            party_id=party.party_id, party=PartyEntry(role="WORKER", name=Personal("王某"))
        )
    known = PartyEntry(role=party.role, company_name="核实后的公司")
    return IdentifyParty(party_id=party.party_id, party=known)


def draft(s: Scenario, dice: Dice) -> Command:
    """Draft an agreement of all who are willing, or of everybody, on all lines or some."""
    willing = tuple(it.party_id for it in s.case.parties if s.case.has_agreed(it))
    bound = willing if willing and dice.often() else tuple(it.party_id for it in s.case.parties)
    lines = [it for it in s.case.lines if {it.applicant_id, it.respondent_id} <= set(bound)]
    agreed = [it.line_id for it in dice.some(lines)]
    results = tuple(
        ClaimResult(
            line_id=line.line_id,
            result="agreed" if line.line_id in agreed else dice.of(("open", "waived")),
        )
        for line in lines
    )
    if not results:
        return s.draft()
    return s.draft(
        bound_ids=bound,
        results=results,
        obligations=tuple(it for it in entries(s, dice) if it.line_id in agreed),
        instrument=dice.of(("MEDIATION_AGREEMENT", "MEDIATION_AGREEMENT", "SETTLEMENT_AGREEMENT")),
        seal_body_id=None if dice.often() else dice.of(BODIES),
    )


def signature(s: Scenario, dice: Dice) -> Command:
    """Let somebody sign who has not yet, or anybody; the right paper, or another."""
    paper = s.paper if dice.of((True,) * 5 + (False,)) else {"number": 7, "digest": "0" * 12}
    draft = s.case.draft
    bound, signed = (draft.bound_ids, draft.signed_ids) if draft else ((), frozenset())
    parties = [it.party_id for it in s.case.parties]
    missing = [it for it in bound if it not in signed]
    strangers = [it for it in parties if it not in bound]
    signer = dice.of((*missing, *missing, None, *strangers, dice.of(parties)))
    if signer is None:
        lead = s.case.lead_mediator_id or an_id("somebody")
        return SignAgreement(**paper, mediator_id=lead)
    return SignAgreement(**paper, party_id=signer)


def oral(s: Scenario, dice: Dice) -> Command:
    """Agree by word of mouth, all or one alone."""
    return RecordOralAgreement(
        agreed_by_ids=dice.some([it.party_id for it in s.case.parties]),
        obligations=entries(s, dice),
        done_on_the_spot=dice.of((True, False)),
        text=Personal("双方口头约定。"),
    )


def payment(s: Scenario, dice: Dice) -> Command | None:
    """Pay on an obligation, an open one if there is any: all of it, a part, or too much."""
    if not s.case.payments:
        return None
    owing = [at for at, it in enumerate(s.case.payments) if not it.is_performed]
    at = dice.of(owing or range(len(s.case.payments)))
    agreed = s.case.payments[at].obligation.agreed_fen
    return s.payment(at, fen=dice.of((agreed, agreed, 1 + agreed // 3, agreed + 77)))


def extension(s: Scenario, dice: Dice) -> Command:
    """Extend the term by everybody's word, on paper or by the sheets of the last move."""
    until = s.case.term.due_on if s.case.term else day_of(s.now)
    return ExtendTerm(
        until_on=until + timedelta(days=dice.of((10, 1, 40, 0))),
        agreed_ids=dice.some([it.party_id for it in s.case.parties]),
        basis=dice.of(("signed-extension", "transfer-sheet")),
    )


def closing(s: Scenario, dice: Dice) -> Command:
    """Close as it is, or waive what is open."""
    return s.waiver() if dice.of((True, False)) else CloseCase()


def last_payments(s: Scenario, dice: Dice) -> Command | None:
    """Pay what is open, each on a day of its own, and close."""
    if not s.case.payments:
        return None
    return PerformAndClose(
        payments=tuple(
            PaymentEntry(
                obligation_id=it.obligation.obligation_id,
                paid_fen=max(1, it.obligation.agreed_fen - it.applied_fen),
                payment_means="cash",
                proof_kind="receipt",
                occurred_at=dice.of((None, s.now - timedelta(days=2))),
            )
            for it in s.case.payments
        )
    )


def cure(s: Scenario, dice: Dice) -> Command | None:
    """Cure an irregularity; where there is none, seldom try to."""
    open_ones = s.case.irregularities
    if not open_ones:
        return None if dice.often() else COMMANDS["cure-irregularity"](s)
    flaw = dice.of(open_ones)
    return CureIrregularity(
        event_id=flaw.event_id,
        code=flaw.code,
        cure="explained" if dice.often() else dice.of(tuple(table("cures"))),
        explanation=Personal("已作说明。"),
    )


def acknowledgement(s: Scenario, dice: Dice) -> Command | None:
    """Let an addressee sign for a report."""
    if not s.case.reports:
        return None
    report = dice.of(s.case.reports)
    at = dice.of(range(len(report.addressees)))
    return AcknowledgeUrgentReport(report_no=report.report_no, addressee_no=at)


def report(s: Scenario, dice: Dice) -> Command:
    """Report first, further, or for the last time; to both addressees or to one of them twice."""
    whole = s.report()
    union = whole.addressees[1]
    return msgspec.structs.replace(
        whole,
        kind="follow-up" if s.case.reports and dice.often() else dice.of(("first", "final")),
        addressees=whole.addressees if dice.often() else (union, union),
    )


def departure(s: Scenario, dice: Dice) -> Command:
    """Let a party go to arbitration, or to court with or without what permits it."""
    forum = dice.of(("arbitration", "court-first"))
    return s.departure(
        any_party(s, dice), forum=forum, exception_code=dice.of((None, "promissory-note"))
    )


def proceeding(s: Scenario, dice: Dice) -> Command:
    """Open a proceeding of any kind."""
    return OpenProceeding(
        forum=dice.of(("arbitration", "court-first", "enforcement")),
        forum_name=Personal("示例机构"),
        filed_by_ids=dice.some([it.party_id for it in s.case.applicants]),
        source="party-told",
    )


def progress(s: Scenario, dice: Dice) -> Command | None:
    """Take a proceeding a step on, or to its end."""
    if not s.case.proceedings:
        return None
    found = dice.of([it for it in s.case.proceedings if it.is_open] or s.case.proceedings)
    result = dice.of(("arbitral-award", "court-mediation", None))
    return UpdateProceeding(
        proceeding_id=found.proceeding_id,
        step="decided" if result else "heard",
        result=result,
        source="document",
    )


def orders(s: Scenario, dice: Dice) -> Command:
    """Record what a document orders."""
    return msgspec.structs.replace(s.obligations_set(), obligations=entries(s, dice))


def counsel(s: Scenario, dice: Dice) -> Command:
    """Appoint a lawyer, or somebody with another part in the office."""
    people = (an_id("counsel 1"), an_id("counsel 2"), *mediators_of(s.case.custody_body_id))
    return AppointCounsel(counsel_id=dice.of(people), for_ids=(s.applicant.party_id,))


def change(s: Scenario, dice: Dice) -> Command:
    """Write a change of contract down, signed by both sides or by one, recurring or once."""
    whole = s.change()
    recurring = dice.often()
    return msgspec.structs.replace(
        whole,
        signed_by_ids=dice.some(whole.signed_by_ids),
        items=tuple(msgspec.structs.replace(it, recurring=recurring) for it in whole.items),
    )


VARIED: dict[str, Step] = {
    "accept-case": lambda s, d: AcceptCase(
        within_scope=d.of((True,) * 9 + (False,)), within_district=True
    ),
    "acknowledge-urgent-report": acknowledgement,
    "add-party": joining,
    "appoint-counsel": counsel,
    "ask-consent": lambda s, d: AskConsent(party_id=any_party(s, d).party_id, means=d.of(MEANS)),
    "assign-mediators": assignment,
    "check-legality": lambda s, d: s.check(is_clear=d.often()),
    "clear-flag": cleared,
    "close-case": closing,
    "confirm-assignment": confirmation,
    "cure-irregularity": cure,
    "decline-assignment": refusal,
    "draft-agreement": draft,
    "extend-term": extension,
    "feed-back-demand": lambda s, d: FeedBackDemand(
        told_ids=d.some([it.party_id for it in s.case.applicants]), means=d.of(MEANS)
    ),
    "give-undertaking": lambda s, d: msgspec.structs.replace(
        s.promise(), obligations=entries(s, d)
    ),
    "grant-aid": lambda s, d: GrantAid(criteria_code=d.of(tuple(table("aid_criteria")))),
    "identify-party": identity,
    "lapse-term": lambda s, d: lapse_of(d.of((s.case.term, s.case.own_term))),
    "open-proceeding": proceeding,
    "perform-and-close": last_payments,
    "raise-flag": flag,
    "record-consent": consent,
    "record-contract-change": change,
    "record-demand-answer": lambda s, d: RecordDemandAnswer(
        answer=d.of(("GRANTED", "PARTLY", "REFUSED")), means=d.of(MEANS)
    ),
    "record-oral-agreement": oral,
    "record-performance": payment,
    "record-session": session,
    "record-settlement": lambda s, d: s.settlement(obligations=entries(s, d) if d.often() else ()),
    "record-transfer-sheet": sheet,
    "refuse-case": lambda s, d: RefuseCase(
        reason_code=d.of(("consent-not-obtained", "party-refused"))
    ),
    "relay-demand": lambda s, d: RelayDemand(
        respondent_id=s.respondent.party_id, means=d.of(MEANS), formal=d.of((True, False))
    ),
    "report-urgent": report,
    "request-custody-move": lambda s, d: move(s, d) if d.often() else any_move(s, d),
    "serve-remedies-notice": lambda s, d: ServeRemediesNotice(
        party_id=d.of(sorted(s.case.remedies_owed_ids) or [any_party(s, d).party_id]),
        means=d.of(MEANS),
    ),
    "serve-rights-notice": lambda s, d: ServeRightsNotice(
        party_id=any_party(s, d).party_id, means=d.of(MEANS)
    ),
    "set-obligations": orders,
    "sign-agreement": signature,
    "take-remedy-route": departure,
    "update-proceeding": progress,
    "withdraw-consent": lambda s, d: WithdrawConsent(
        party_id=any_party(s, d).party_id, means=d.of(MEANS)
    ),
}
"""The steps that come in more than one form; the others are taken as the examples give them."""

_LATE = (0, 0, 0, 0, 0, 5, 70, 24 * 20, 24 * 45)
"""By how many hours what is typed in lies behind: mostly none, at times days or weeks."""


def step(name: str, s: Scenario, dice: Dice) -> Command | None:
    """Make the command of a name, perhaps of something that happened a while ago.

    None where there is nothing yet that the command could be about.
    """
    varied = VARIED.get(name)
    command = varied(s, dice) if varied else COMMANDS[name](s)
    hours = dice.of(_LATE)
    if command is None or not hours:
        return command
    return msgspec.structs.replace(command, occurred_at=s.now - timedelta(hours=hours))


def actor(name: str, s: Scenario, dice: Dice) -> Actor | None:
    """Choose who acts: mostly the lead, at times a mediator, also one who had better not."""
    if name == "lapse-term":
        return SYSTEM
    others = sorted((*s.case.conflicted_ids, *s.case.counsel_ids, *s.case.mediator_ids[:1]))
    if not others or dice.often():
        return lead_of("hq") if name == "check-legality" else None
    return Actor(actor_id=dice.of(others), role="mediator", body_id=s.case.custody_body_id)


def is_fact(name: str) -> bool:
    """Say whether a command records a fact."""
    return is_of(name, "is_fact")


def is_of(name: str, mark: str) -> Any:
    """Give what a command's class says of it."""
    known = command_named(name)
    assert known is not None
    return getattr(known.command_type, mark)


def names_of(matter: Matter) -> tuple[str, ...]:
    """Name the commands that belong to the track of a matter."""
    return tuple(name for name in sorted(COMMANDS) if matter in is_of(name, "matters"))


def facts_of(matter: Matter) -> tuple[str, ...]:
    """Name the recorded facts that belong to the track of a matter."""
    return tuple(name for name in names_of(matter) if is_fact(name))
