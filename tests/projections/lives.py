"""A case of a year, and the steps that any plot of its life may take; no plot is told here."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import msgspec

from mediation import codes
from mediation.case.closing import CloseCase
from mediation.case.conclusion import (
    ServeRemediesNotice,
    WithdrawApplication,
)
from mediation.case.consent import RecordConsent
from mediation.case.custody import (
    AcceptCustody,
    DeclineCustody,
    RequestCustodyMove,
    WithdrawCustodyMove,
)
from mediation.case.intake import LineEntry, PartyEntry, RegisterCase
from mediation.case.lifecycle import open_duties
from mediation.case.performance import ObligationEntry, RecordPerformance
from mediation.case.proceedings import (
    SetObligations,
    TakeRemedyRoute,
    UpdateProceeding,
)
from mediation.case.settlement import GiveUndertaking, RecordSettlement
from mediation.case.sheets import RecordTransferSheet
from mediation.case.state import CaseState
from mediation.case.values import Answer, Matter, Phase, Side
from mediation.kernel import Command
from mediation.ladder import MoveKind
from mediation.privacy import Personal
from tests.projections.county import LADDER, PLACES, on_level, person
from tests.projections.histories import Office

DAY = 24
Plot = Iterator[float]
"""The hours that pass before each next step of a case."""

_RANK = {level: rank for rank, level in enumerate(LADDER)}
_DECLINES = tuple(codes.table("custody_decline_reasons"))
_GROUNDS = {
    MoveKind.ESCALATE: "beyond-means",
    MoveKind.REPORT_UP: "body-absent",
    MoveKind.TRANSFER: "capacity-short",
    MoveKind.REROUTE: "wrong-place",
    MoveKind.ASSIGN_DOWN: "closer-to-parties",
    MoveKind.SEND_BACK: "upper-help-given",
}
_TEXT = Personal("测试")


class Life:
    """One case of the year: who decides it, its dice, and how it stands."""

    def __init__(self, office: Office, dice: random.Random) -> None:
        self._office = office
        self._dice = dice
        self._id = UUID(int=0)

    @property
    def _case(self) -> CaseState:
        return self._office.cases[self._id]

    def _happens(self, chance: float) -> bool:
        return self._dice.random() < chance

    def _act(self, command: Command, *, body_id: str | None = None, who: str = "clerk") -> None:
        """Do something at the body in custody; now and then it was done days ago (补录)."""
        body_id = body_id or self._case.custody_body_id
        if self._happens(0.12):
            days = self._dice.choice((1, 1, 2, 3, 5, 8, 20, 40))
            command = msgspec.structs.replace(
                command, occurred_at=self._office.at - timedelta(days=days)
            )
        self._office.do(command, self._id, body_id=body_id, actor_id=person(who, body_id))

    def _register(self, matter: Matter, workers: int, companies: int = 1) -> None:
        dice = self._dice
        body_id = dice.choice(list(PLACES))
        command = RegisterCase(
            matter_kind=matter,
            entry=dice.choice(("PARTY_DIRECT", "PARTY_DIRECT", "PROACTIVE")),
            channel=dice.choice(("walk-in", "phone", "liaison-report")),
            body_id=body_id,
            applicants=tuple(PartyEntry(role="WORKER", name=_TEXT) for _ in range(workers)),
            respondents=tuple(
                PartyEntry(role="EMPLOYER", company_name=f"测试{at}厂") for at in range(companies)
            ),
            request=_TEXT,
            cause=dice.choice(("C13", "C06", "C15")),
            lines=tuple(
                LineEntry(
                    applicant=at,
                    respondent=dice.randrange(companies),
                    cause="C13",
                    claimed_fen=dice.randrange(0, 900_000, 100),
                )
                for at in range(workers)
                for _ in range(dice.choice((1, 1, 2)))
            ),
        )
        if self._happens(0.1):
            days = dice.choice((1, 3, 7, 33))
            command = msgspec.structs.replace(
                command, occurred_at=self._office.at - timedelta(days=days)
            )
        self._id = self._office.do(command, body_id=body_id, actor_id=person("clerk", body_id))

    def _ask_everybody(self) -> Plot:
        dice = self._dice
        for party in self._case.parties:
            if self._happens(0.05):
                silent = RecordConsent(
                    party_id=party.party_id, answer=Answer.NO_ANSWER, means="phone"
                )
                self._act(silent)
                yield DAY
            refuses = party.side is Side.RESPONDENT and self._happens(0.12)
            answer = Answer.REFUSED if refuses else Answer.AGREED
            self._act(RecordConsent(party_id=party.party_id, answer=answer, means="phone"))
        yield dice.choice((1, DAY))

    def _withdraw(self) -> None:
        by = tuple(it.party_id for it in self._case.applicants)
        self._act(WithdrawApplication(by_ids=by, settled=self._happens(0.4)))

    def _leave(self) -> None:
        side = self._case.applicants if self._happens(0.7) else self._case.respondents
        self._act(
            TakeRemedyRoute(
                forum=self._dice.choice(("arbitration", "court-first", "inspection")),
                filed_by_ids=(side[0].party_id,),
                forum_name=Personal("测试仲裁委"),
            )
        )

    # Custody

    def _receivers(self, kind: MoveKind) -> list[str]:
        case, dice = self._case, self._dice
        rank = _RANK[case.level]
        if kind in (MoveKind.TRANSFER, MoveKind.REROUTE):
            return on_level(case.level, but=case.custody_body_id)
        if kind is MoveKind.ESCALATE:
            return on_level(LADDER[rank + 1]) if rank + 1 < len(LADDER) else []
        if kind is MoveKind.REPORT_UP:
            above = LADDER[rank + 1 :]
            return on_level(dice.choice(above)) if above else []
        if kind is MoveKind.ASSIGN_DOWN:
            return on_level(dice.choice(LADDER[:rank])) if rank else []
        below = [it for it in case.former[-1:] if _RANK[it.level] < rank]
        return [it.body_id for it in below]

    def _move(self, *, back: bool = False) -> Plot:
        """Ask another body to take the case; its answer may be no, and the sender may think again.

        A case that climbed comes back now and then.
        """
        dice = self._dice
        if self._case.move is not None:
            return
        kinds = [MoveKind.SEND_BACK] if back else list(MoveKind)
        kind = dice.choice(kinds)
        receivers = self._receivers(kind)
        if kind in (MoveKind.TRANSFER, MoveKind.REROUTE) and self._case.phase is Phase.FAILED:
            return
        ground = _GROUNDS[kind]
        if not receivers:
            return
        yield from self._be_taken(kind, dice.choice(receivers), ground)
        if not back and kind in (MoveKind.ESCALATE, MoveKind.REPORT_UP) and self._happens(0.3):
            yield from self._move(back=True)

    def _be_taken(self, kind: MoveKind, to_body_id: str, ground: str) -> Plot:
        dice = self._dice
        self._act(
            RequestCustodyMove(
                kind=kind, to_body_id=to_body_id, ground=ground, summary=_TEXT, applicant_wish=True
            )
        )
        yield dice.choice((1, 6, DAY, 2 * DAY))
        answer = dice.random()
        if answer < 0.1 and kind is not MoveKind.ASSIGN_DOWN:
            self._act(DeclineCustody(reason_code=dice.choice(_DECLINES)), body_id=to_body_id)
        elif answer < 0.16:
            self._act(WithdrawCustodyMove())
        else:
            if self._happens(0.6):
                for party in self._case.parties:
                    sheet = RecordTransferSheet(
                        party_id=party.party_id,
                        new_body=self._happens(0.9),
                        disclosure=True,
                        extension=True,
                    )
                    self._act(sheet)
            self._act(AcceptCustody(), body_id=to_body_id, who="lead")

    def _go_on_above(self, ground: str) -> Plot:
        """Climb on the applicant's written wish, once it was refused or had failed."""
        rank = _RANK[self._case.level]
        if self._case.move is None and rank + 1 < len(LADDER):
            above = self._dice.choice(on_level(LADDER[rank + 1]))
            yield from self._be_taken(MoveKind.ESCALATE, above, ground)

    def _promised(self, respondent_id: UUID | None = None) -> tuple[ObligationEntry, ...]:
        """Promise something on most claims: all of it or less, at once or in two instalments."""
        dice = self._dice
        found: list[ObligationEntry] = []
        today = self._office.at.date()
        for line in self._case.lines:
            if respondent_id not in (None, line.respondent_id) or self._happens(0.15):
                continue
            agreed = line.claimed_fen // dice.choice((1, 1, 2, 3)) or 100
            first = today + timedelta(days=dice.randint(-2, 40))
            found += [
                ObligationEntry(
                    line_id=line.line_id,
                    agreed_fen=agreed,
                    due_on=first + timedelta(days=30 * instalment),
                )
                for instalment in range(dice.choice((1, 1, 2)))
            ]
        return tuple(found)

    def _promise_anew(self) -> None:
        """One more paper after the end: what is owed changes only if its creditors sign too."""
        entries = self._promised()
        if self._happens(0.3):
            self._give_undertaking(self._case.respondents[0].party_id)
        elif entries and self._case.faces(Matter.DISPUTE):
            everybody = tuple(it.party_id for it in self._case.parties)
            paper = RecordSettlement(signed_by_ids=everybody, obligations=entries, text=_TEXT)
            self._act(paper)

    def _give_undertaking(self, respondent_id: UUID) -> None:
        entries = self._promised(respondent_id)
        if entries and self._case.faces(Matter.DISPUTE):
            self._act(GiveUndertaking(respondent_id=respondent_id, obligations=entries, text=_TEXT))

    # Afterwards

    def _pay_something(self) -> None:
        unpaid = [it for it in self._case.payments if not it.is_performed]
        if not unpaid:
            return
        payment = self._dice.choice(unpaid)
        agreed = payment.obligation.agreed_fen
        self._act(
            RecordPerformance(
                obligation_id=payment.obligation.obligation_id,
                paid_fen=max(1, self._dice.choice((agreed, agreed, agreed // 2, agreed + 500))),
                payment_means="cash",
                proof_kind="receipt",
            )
        )

    def _be_performed(self) -> Plot:
        """Paid early, late, in part, too much or never; now and then promised anew or moved on."""
        dice = self._dice
        if self._happens(0.05) and self._case.phase is Phase.PERFORMING:
            yield from self._move()
        patience = dice.choice((0, 1, 2, 4, 9))
        for _ in range(patience):
            yield dice.choice((1, DAY, 9 * DAY, 25 * DAY))
            self._pay_something()
            if self._happens(0.1) and self._case.payments:
                self._promise_anew()

    def _be_closed(self) -> Plot:
        """Tell the parties, follow proceedings, and close unless something is left open."""
        if self._happens(0.3):
            return
        yield self._dice.choice((DAY, 4 * DAY))
        yield from self._follow_proceedings()
        for party_id in sorted(self._case.remedies_owed_ids):
            self._act(ServeRemediesNotice(party_id=party_id, means="written"))
        duties = open_duties(self._case)
        if duties and self._happens(0.5):
            waiver = CloseCase(waived_duties=duties, waiver_reason_code="party-untraceable")
            self._act(waiver)
        elif not duties and self._case.move is None:
            self._act(CloseCase())
            if self._happens(0.1):
                yield 5 * DAY
                self._pay_something()

    def _follow_proceedings(self) -> Plot:
        results = {
            "arbitration": ("arbitral-award", "arbitral-mediation", "withdrawn-there"),
            "court-first": ("court-mediation", "judgment"),
            "inspection": ("ended-otherwise",),
        }
        for proceeding in self._case.proceedings:
            yield self._dice.choice((3 * DAY, 20 * DAY))
            result = self._dice.choice(results[proceeding.forum])
            for step, found in (("heard", None), ("decided", result)):
                self._act(
                    UpdateProceeding(
                        proceeding_id=proceeding.proceeding_id,
                        step=step,
                        result=found,
                        source="document",
                    )
                )
            document = "arbitral-award" if proceeding.forum == "arbitration" else "judgment"
            entries = self._promised()
            if entries and self._happens(0.7):
                self._act(
                    SetObligations(
                        source_document=document,
                        proceeding_id=proceeding.proceeding_id if self._happens(0.8) else None,
                        obligations=entries,
                    )
                )
                yield from self._be_performed()
