"""A year of a whole district: thousands of cases, told as plots that wait for each other's days.

Every plot is a generator that yields how many hours pass before it goes on; a heap keeps them in
the order of time, so that the cases lie across each other in the log as they do in life. What is
done is decided by the real deciders. The same seed tells the same year.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from uuid import UUID

from mediation import codes
from mediation.case.aid import AppointCounsel, GrantAid, RefuseAid
from mediation.case.assignment import AssignMediators, ConfirmAssignment, DeclineAssignment
from mediation.case.composites import RegisterAndSettleSmallCase, SignAndSeal, SmallWorker
from mediation.case.conclusion import (
    ConcludeMediation,
    FailMediation,
)
from mediation.case.consent import AcceptCase, RefuseCase, WithdrawConsent
from mediation.case.correction import CureIrregularity
from mediation.case.custody import (
    WithdrawCustodyMove,
)
from mediation.case.demand import (
    ContractItem,
    FeedBackDemand,
    RecordContractChange,
    RecordDemandAnswer,
    RelayDemand,
)
from mediation.case.drafting import CheckLegality, DraftAgreement
from mediation.case.intake import PartyEntry, RaiseFlag
from mediation.case.parties import AddedLine, AddParty, ConfirmCollective
from mediation.case.proceedings import (
    OpenProceeding,
)
from mediation.case.sessions import RecordSession, ServeRightsNotice
from mediation.case.settlement import RecordOralAgreement, RecordSettlement
from mediation.case.term import ExtendTerm
from mediation.case.values import ClaimResult, Matter, Phase, Side
from mediation.errors import MediationError
from mediation.privacy import Personal
from tests.projections.chances import COUNSEL
from tests.projections.county import LADDER, PLACES, WITHOUT_SEAL, county, person
from tests.projections.histories import Office
from tests.projections.lives import DAY, Life, Plot
from tests.scenario import lapse_of

FIRST_DAY = datetime(2026, 1, 5, 1, 0, tzinfo=UTC)

_REFUSALS = tuple(it for it in codes.table("refusal_reasons") if it != "party-refused")
_CAUSES = tuple(codes.table("failure_causes"))
_TEXT = Personal("测试")


class Year(Office):
    """A year of the county, until every plot is told; `refused` counts what broke off."""

    def __init__(self, seed: int, cases: int) -> None:
        super().__init__(seed, county())
        self.at = FIRST_DAY
        self.refused = 0
        waiting: list[tuple[datetime, int, Plot]] = []
        for number in range(cases):
            dice = random.Random(f"{seed}:{number}")
            begins = FIRST_DAY + timedelta(hours=dice.randrange(335 * DAY))
            heappush(waiting, (begins, number, Told(self, dice).told()))
        while waiting:
            self.at, number, plot = heappop(waiting)
            try:
                hours = next(plot, None)
            except MediationError:
                self.refused += 1
                continue
            if hours is not None:
                heappush(waiting, (self.at + timedelta(hours=hours), number, plot))


class Told(Life):
    """A life that is told from its registration to wherever its dice lead it."""

    def told(self) -> Plot:
        """Choose one of the plots."""
        plots: tuple[tuple[float, Callable[[], Plot]], ...] = (
            (0.62, self._dispute),
            (0.12, self._one_form),
            (0.14, self._demand),
            (0.12, self._aid),
        )
        weights = [weight for weight, _ in plots]
        return self._dice.choices([plot for _, plot in plots], weights)[0]()

    def _dispute(self) -> Plot:
        dice = self._dice
        workers = dice.choice((*[1] * 12, 2, 3, 5, 10, 12))
        self._register(Matter.DISPUTE, workers, dice.choice((1, 1, 1, 2)))
        yield dice.choice((1, 5, DAY))
        if self._happens(0.1):
            self._add_party()
        if self._happens(0.15):
            flag = dice.choice(("WAGE_ARREARS", "EMPLOYER_CLOSED", "MIGRANT"))
            self._act(RaiseFlag(flag=flag))
        if self._case.workers >= 10 and self._happens(0.8):
            self._act(ConfirmCollective())
        for _ in range(3):
            yield from self._be_asked()
            if not self._case.acceptance_open:
                return
            yield from self._be_mediated()
            if self._case.acceptance_open or not self._is_in(Phase.CONSENT_PENDING):
                break
        if self._case.has_taken_effect:
            yield from self._be_performed()
        yield from self._be_closed()

    def _add_party(self) -> None:
        against = self._case.respondents[0].party_id
        line = AddedLine(counterpart_id=against, cause="C15", claimed_fen=70_000)
        party = PartyEntry(role="WORKER", name=_TEXT)
        self._act(AddParty(side=Side.APPLICANT, party=party, lines=(line,)))

    def _be_asked(self) -> Plot:
        """Until the case is accepted, or is out for good."""
        dice = self._dice
        while True:
            if self._happens(0.12):
                yield from self._move()
            yield dice.choice((2, DAY, 2 * DAY))
            fate = dice.random()
            if fate < 0.03:
                self._withdraw()
            elif fate < 0.06:
                self._leave()
            elif fate < 0.14:
                self._act(RefuseCase(reason_code=dice.choice(_REFUSALS)))
            else:
                yield from self._ask_everybody()
                if self._case.refusing_side() is None:
                    if self._case.move is not None:
                        self._act(WithdrawCustodyMove())
                    self._act(AcceptCase(within_scope=True, within_district=True))
                    return
                self._act(RefuseCase(reason_code="party-refused"))
            yield DAY
            if not self._is_in(Phase.NOT_ACCEPTED) or not self._happens(0.4):
                return
            yield from self._go_on_above("not-accepted")
            if not self._is_in(Phase.CONSENT_PENDING):
                return

    def _is_in(self, phase: Phase) -> bool:
        return self._case.phase is phase

    # Mediation

    def _be_mediated(self) -> Plot:
        """From the acceptance to its end; a failed case may climb."""
        dice = self._dice
        for _ in range(3):
            moves = self._case.former
            yield from self._sit_together()
            if not self._case.acceptance_open or not self._happens(0.14):
                break
            yield from self._move()
            if self._case.former == moves:
                break
            if self._case.phase is not Phase.ACCEPTED:
                yield from self._ask_everybody()
                if self._case.refusing_side() is not None:
                    break
        if self._case.move is not None:
            self._act(WithdrawCustodyMove())
        if self._case.acceptance_open:
            yield from self._conclude()
        if self._case.phase is Phase.FAILED and self._happens(0.35):
            yield DAY
            yield from self._go_on_above("mediation-failed")
        yield dice.choice((1, DAY))

    def _sit_together(self) -> Plot:
        dice, case = self._dice, self._case
        if case.phase is Phase.ACCEPTED and case.move is None and not case.mediator_ids:
            mediator_id = person("mediator", case.custody_body_id)
            assigns = AssignMediators(mediator_ids=(mediator_id,), lead_mediator_id=mediator_id)
            self._act(assigns)
            if self._happens(0.05):
                reason_code = min(codes.table("assignment_decline_reasons"))
                self._act(DeclineAssignment(mediator_id=mediator_id, reason_code=reason_code))
                return
            yield dice.choice((2, DAY))
            self._act(ConfirmAssignment(mediator_id=mediator_id))
        for party in case.parties[:3]:
            self._act(ServeRightsNotice(party_id=party.party_id, means="attending"))
        yield dice.choice((DAY, 3 * DAY, 6 * DAY))
        if self._case.acceptance_open and self._case.mediator_ids:
            self._act(
                RecordSession(
                    mode="joint",
                    attending_ids=tuple(it.party_id for it in self._case.parties),
                    host_ids=self._case.mediator_ids,
                    rights_told=True,
                    minutes=_TEXT,
                    result="no-agreement",
                )
            )
        yield from self._run_late()

    def _run_late(self) -> Plot:
        term = self._case.term
        if term is None or not self._happens(0.15):
            return
        if self._happens(0.5):
            everybody = tuple(it.party_id for it in self._case.parties)
            days = timedelta(days=self._dice.randint(2, 12))
            self._act(ExtendTerm(until_on=term.due_on + days, agreed_ids=everybody))
        else:
            yield 17 * DAY
            term = self._case.term
            if term is not None and not self._case.term_lapsed:
                self._act(lapse_of(term))

    def _conclude(self) -> Plot:
        dice = self._dice
        ways: tuple[tuple[float, Callable[[], Plot]], ...] = (
            (0.30, self._sign_an_agreement),
            (0.14, self._promise),
            (0.08, self._settle),
            (0.08, self._agree_by_word_of_mouth),
            (0.22, self._fail),
            (0.06, self._think_better_of_it),
            (0.06, self._go_elsewhere),
            (0.06, self._stay_away),
        )
        way = dice.choices([it for _, it in ways], [weight for weight, _ in ways])[0]
        if self._case.refusing_side() is not None:
            way = self._fail
        yield from way()

    def _sign_an_agreement(self) -> Plot:
        dice, case = self._dice, self._case
        if case.phase not in (Phase.MEDIATING, Phase.SIGNING) or case.move is not None:
            return (yield from self._fail())
        bound = {it.party_id for it in case.parties if case.has_agreed(it)}
        between = [it for it in case.lines if {it.applicant_id, it.respondent_id} <= bound]
        if not between:
            return (yield from self._fail())
        open_id = between[-1].line_id if len(between) > 1 and self._happens(0.4) else None
        entries = [it for it in self._promised() if it.line_id != open_id]
        known = {it.line_id for it in between}
        no_seal = case.custody_body_id in WITHOUT_SEAL
        self._act(
            DraftAgreement(
                instrument="SETTLEMENT_AGREEMENT" if no_seal else "MEDIATION_AGREEMENT",
                bound_ids=tuple(it.party_id for it in case.parties if it.party_id in bound),
                results=tuple(
                    ClaimResult(
                        line_id=it.line_id, result="open" if it.line_id == open_id else "agreed"
                    )
                    for it in between
                ),
                obligations=tuple(it for it in entries if it.line_id in known),
                text=_TEXT,
            )
        )
        yield dice.choice((1, DAY))
        draft = self._case.draft
        if draft is None:
            return (yield from self._fail())
        if not no_seal:
            self._act(
                CheckLegality(
                    number=draft.number,
                    no_insurance_waiver=True,
                    no_third_party_harm=True,
                    is_voluntary=True,
                    is_clear=True,
                ),
                who="lead",
            )
            while self._case.irregularities:
                flaw = self._case.irregularities[0]
                self._act(
                    CureIrregularity(
                        event_id=flaw.event_id, code=flaw.code, cure="explained", explanation=_TEXT
                    )
                )
        self._act(SignAndSeal(number=draft.number, digest=draft.digest), who="lead")

    def _promise(self) -> Plot:
        """Several papers may follow each other before the mediation ends, and after it."""
        for respondent in self._case.respondents:
            for _ in range(self._dice.choice((1, 1, 2))):
                self._give_undertaking(respondent.party_id)
                yield self._dice.choice((1, DAY))
        if self._case.settled_by is None:
            return (yield from self._fail())
        self._accept_what_is_promised()

    def _accept_what_is_promised(self) -> None:
        everybody = tuple(it.party_id for it in self._case.applicants)
        self._act(ConcludeMediation(accepted_by_ids=everybody))

    def _settle(self) -> Plot:
        everybody = tuple(it.party_id for it in self._case.parties)
        entries = self._promised()
        self._act(RecordSettlement(signed_by_ids=everybody, obligations=entries, text=_TEXT))
        yield self._dice.choice((1, 2 * DAY))
        if self._happens(0.3):
            self._pay_something()
        self._accept_what_is_promised()

    def _agree_by_word_of_mouth(self) -> Plot:
        everybody = tuple(it.party_id for it in self._case.parties)
        self._act(
            RecordOralAgreement(agreed_by_ids=everybody, obligations=self._promised(), text=_TEXT)
        )
        yield 1

    def _fail(self) -> Plot:
        if self._case.acceptance_open:
            self._act(FailMediation(cause_code=self._dice.choice(_CAUSES)))
        yield 1

    def _think_better_of_it(self) -> Plot:
        self._withdraw()
        yield 1

    def _go_elsewhere(self) -> Plot:
        self._leave()
        yield DAY

    def _stay_away(self) -> Plot:
        for party in self._case.respondents:
            self._act(WithdrawConsent(party_id=party.party_id, means="phone"))
        yield 1
        yield from self._fail()

    # The other tracks

    def _one_form(self) -> Plot:
        dice = self._dice
        places = [it for it, at in PLACES.items() if at.level != LADDER[-1]]
        body_id = dice.choice(places)
        days = dice.choice((0, 0, 0, 1, 4))
        at = self._office.at - timedelta(days=days)
        is_paid = self._happens(0.7)
        on = (at + timedelta(hours=8)).date()
        command = RegisterAndSettleSmallCase(
            occurred_at=at,
            channel="walk-in",
            body_id=body_id,
            workers=tuple(
                SmallWorker(name=_TEXT, claimed_fen=dice.randrange(100, 300_000))
                for _ in range(dice.choice((1, 1, 2)))
            ),
            employer=PartyEntry(role="EMPLOYER", company_name="测试店"),
            cause="C13",
            request=_TEXT,
            consent_means="attending",
            instrument=dice.choice(("oral", "settlement", "undertaking")),
            paid_on=on if is_paid else None,
            due_on=None if is_paid else on + timedelta(days=dice.randint(0, 30)),
        )
        self._id = self._office.do(command, body_id=body_id, actor_id=person("mediator", body_id))
        yield 3 * DAY
        if not is_paid:
            yield from self._be_performed()
            yield from self._be_closed()

    def _demand(self) -> Plot:
        dice = self._dice
        self._register(Matter.DEMAND, dice.choice((1, 1, 3)))
        yield dice.choice((2, DAY))
        if self._happens(0.1):
            return self._withdraw()
        if self._happens(0.15):
            yield from self._move()
        respondent_id = self._case.respondents[0].party_id
        relay = RelayDemand(respondent_id=respondent_id, means="phone", formal=self._happens(0.3))
        self._act(relay)
        if self._happens(0.15):
            yield from self._move()
        applicants = tuple(it.party_id for it in self._case.applicants)
        for _ in range(dice.choice((0, 1, 1, 1, 2))):
            yield dice.choice((DAY, 6 * DAY, 16 * DAY))
            self._act(
                RecordDemandAnswer(
                    answer=dice.choice(("GRANTED", "PARTLY", "REFUSED")), means="written"
                )
            )
            told = dice.choice(((), (), applicants[:1]))
            yield DAY
            self._act(FeedBackDemand(told_ids=told, means="phone"))
            if self._happens(0.1):
                self._act(FeedBackDemand(means="phone"))
        if self._happens(0.1):
            yield from self._move()
        if self._case.phase is Phase.ANSWERED and self._case.demand_answer != "REFUSED":
            self._change_contract()
            yield from self._be_performed()
        if self._case.phase in (Phase.ANSWERED, Phase.PERFORMING) and self._case.is_fed_back:
            yield from self._be_closed()

    def _change_contract(self) -> None:
        self._act(
            RecordContractChange(
                signed_by_ids=tuple(it.party_id for it in self._case.parties),
                items=(
                    ContractItem(
                        line_id=self._case.lines[0].line_id,
                        item=_TEXT,
                        monthly_fen=20_000,
                        first_due_on=self._office.at.date() + timedelta(days=9),
                        recurring=self._happens(0.5),
                    ),
                ),
            )
        )

    def _aid(self) -> Plot:
        dice = self._dice
        self._register(Matter.AID, dice.choice((1, 1, 4, 11)))
        if self._case.workers >= 10 and self._happens(0.7):
            self._act(ConfirmCollective())
        if self._happens(0.1):
            yield from self._move()
        yield dice.choice((DAY, 3 * DAY))
        if self._case.move is not None or self._happens(0.06):
            return self._withdraw()
        if self._happens(0.25):
            self._act(RefuseAid(reason_code=min(codes.table("aid_refusal_reasons"))))
            yield DAY
            if self._happens(0.5):
                yield from self._go_on_above("not-accepted")
            if self._case.phase is not Phase.REGISTERED:
                if self._happens(0.3):
                    self._leave()
                return (yield from self._be_closed())
        self._act(GrantAid(criteria_code="wage-arrears"))
        applicants = tuple(it.party_id for it in self._case.applicants)
        self._act(AppointCounsel(counsel_id=COUNSEL, for_ids=applicants))
        yield 4 * DAY
        if self._happens(0.1):
            yield from self._move()
        yield from self._go_to_law(applicants)
        if not self._happens(0.2):
            yield from self._be_closed()
        return None

    def _go_to_law(self, applicants: tuple[UUID, ...]) -> Plot:
        ways = (("arbitration",), ("arbitration", "court-first"), ("inspection",))
        for forum in self._dice.choice(ways):
            self._act(
                OpenProceeding(
                    forum=forum,
                    forum_name=Personal("测试机关"),
                    filed_by_ids=applicants[:1],
                    source="party-told",
                )
            )
        yield from self._follow_proceedings()
