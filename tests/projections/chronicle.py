"""What happened in all cases, read from the raw history in plain Python; no database, no figure.

Nothing of `projections` is used here: cases are folded by the engine's own `evolve`. What is
counted of it stands in `reckoning`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from mediation.case.agreement import AgreementTookEffect
from mediation.case.aid import AidGranted
from mediation.case.closing import CaseClosed
from mediation.case.conclusion import CaseWithdrawn, MediationConcluded
from mediation.case.consent import CaseAccepted, CaseNotAccepted, ConsentRecorded
from mediation.case.custody import CustodyTaken
from mediation.case.demand import ContractChangeConfirmed, DemandFedBack
from mediation.case.intake import CaseRegistered
from mediation.case.lifecycle import is_owed
from mediation.case.parties import PartyAdded
from mediation.case.performance import ObligationPerformed
from mediation.case.proceedings import ObligationsSet, ProceedingUpdated, RemedyRouteTaken
from mediation.case.settlement import OralAgreementRecorded, SettlementRecorded, UndertakingGiven
from mediation.case.state import CaseState
from mediation.case.values import Phase
from mediation.kernel import decode, evolve
from mediation.store import Recorded
from tests.projections.county import Place

_ON_PAPER = (UndertakingGiven, SettlementRecorded, OralAgreementRecorded, AgreementTookEffect)
_PARTIES_WINDOWS = ("D08", "D09")
_KINDS = {
    "case.escalated/1": "ESCALATE",
    "case.reported-up/1": "REPORT_UP",
    "case.transferred/1": "TRANSFER",
    "case.rerouted/1": "REROUTE",
    "case.assigned-down/1": "ASSIGN_DOWN",
    "case.sent-back/1": "SEND_BACK",
}


class Fact(NamedTuple):
    """Something that happened in a case and counts in a figure; `number` orders the case's."""

    case_id: UUID
    on: date
    matter: str
    place: Place
    workers: int
    code: str | None = None
    other: Place | None = None
    is_good: bool | None = None
    is_first: bool = False
    days: int = 0
    fen: int = 0
    number: int = 0


class Change(NamedTuple):
    """A case came into a stock of a body, or left it."""

    on: date
    by: int


class Debt(NamedTuple):
    """An obligation on a paper, credited to a body, and what was paid of it and when."""

    case_id: UUID
    paper_id: UUID
    route: str
    place: Place
    fen: int
    due_on: date
    since: date
    paid: list[tuple[date, int]]
    gone: list[date]

    def stands(self, on: date) -> bool:
        """Say whether it was owed by the end of a day, and no later paper stood in its place."""
        return self.since <= on and not any(it <= on for it in self.gone)

    def paid_by(self, on: date) -> int:
        """Give what had been paid by the end of a day."""
        return sum(fen for day, fen in self.paid if day <= on)


class Duty(NamedTuple):
    """A date of the office: by when, whose, and from when until when it was open."""

    case_id: UUID
    rolled_on: date
    place: Place
    since: date
    until: date | None


class Page:
    """What is remembered of one case while its events are read."""

    def __init__(self) -> None:
        self.case = CaseState()
        self.stock: str | None = None
        self.days: list[date] = []
        self.first_accepted_at: Place | None = None
        self.papers: dict[UUID, tuple[UUID, str]] = {}
        self.paid: dict[UUID, list[tuple[date, int]]] = defaultdict(list)
        self.debts: dict[UUID, Debt] = {}
        self.open: dict[str, tuple[Any, Place, date]] = {}


_NOBODY = UUID(int=0)


def _in_order(page: Page, fact: Fact) -> Fact:
    """Put a movement no earlier than any that the case made before, whenever it was typed in."""
    page.days.append(fact.on)
    return fact._replace(on=max(page.days))


def shanghai(at: Any) -> date:
    """Give the day in Shanghai."""
    day: date = (at + timedelta(hours=8)).date()
    return day


class Chronicle:
    """What happened in all cases, up to a position, from which more can be read.

    Args:
        history: events as recorded, in order.
        at_position: what was recorded later is not known.
    """

    def __init__(self, history: Sequence[Recorded], at_position: int) -> None:
        self._history = history
        self._read_to = 0
        self._pages: dict[Any, Page] = defaultdict(Page)
        self._ended: list[Duty] = []
        self.facts: dict[str, list[Fact]] = defaultdict(list)
        self.changes: dict[tuple[str, Place], list[Change]] = defaultdict(list)
        self.duties: dict[Place, list[Duty]] = defaultdict(list)
        self.debts: list[Debt] = []
        self.read_on(at_position)

    def read_on(self, at_position: int) -> None:
        """Read on, up to a later position."""
        for it in islice(self._history, self._read_to, at_position):
            if it.topic.startswith("case."):
                self._read(self._pages[it.originator_id], decode(it.topic, it.state))
        self._read_to = at_position
        still_open = (
            Duty(page.case.case_id or _NOBODY, due.rolled_on, place, since, None)
            for page in self._pages.values()
            for due, place, since in page.open.values()
        )
        self.duties.clear()
        for duty in (*self._ended, *still_open):
            self.duties[duty.place].append(duty)

    def _read(self, page: Page, event: Any) -> None:
        before, page.case = page.case, evolve(page.case, event)
        here, on = self._place(page.case), shanghai(event.occurred_at)
        was, page.stock = page.stock, _stock(page.case, page.stock, event)
        case_id, workers = page.case.case_id or _NOBODY, page.case.workers
        fact = Fact(case_id, on, page.case.matter_kind, here, workers, number=page.case.version)
        moved = fact
        if was != page.stock or (was and isinstance(event, CustodyTaken)):
            moved = _in_order(page, fact)
            self._count_change(page, before, event, moved, was)
        self._count(page, event, moved, was)
        self._count_money(page, event, fact)
        self._watch(page, on)

    def _place(self, case: CaseState) -> Place:
        return Place(case.custody_body_id, case.custody_path, case.level, case.branch)

    def _count_change(
        self, page: Page, before: CaseState, event: Any, fact: Fact, was: str | None
    ) -> None:
        """Follow the stocks; a case moved within its stock leaves one body for another."""
        there = self._place(before)
        if isinstance(event, CustodyTaken) and was and page.stock:
            moved = fact._replace(place=there, other=fact.place, code=_KINDS[event.topic])
            self.facts[f"moved {was}"].append(moved)
            self.changes[was, there].append(Change(fact.on, -1))
            self.changes[was, fact.place].append(Change(fact.on, 1))
        elif was != page.stock:
            if isinstance(event, CustodyTaken):
                self.facts["anew"].append(fact)
            if was:
                self.changes[was, there].append(Change(fact.on, -1))
            if page.stock:
                self.changes[page.stock, fact.place].append(Change(fact.on, 1))

    def _count(self, page: Page, event: Any, fact: Fact, was: str | None) -> None:  # noqa: C901 - one line of each kind
        left = was is not None and page.stock is None
        if isinstance(event, CaseRegistered):
            self.facts["registered"].append(fact)
        elif isinstance(event, CaseAccepted):
            page.first_accepted_at = page.first_accepted_at or fact.place
            is_first = event.acceptance_no == 1
            self.facts["accepted"].append(
                fact._replace(is_first=is_first, is_good=event.collective)
            )
        elif isinstance(event, CaseNotAccepted):
            self.facts["refused"].append(fact._replace(code=event.reason_code))
        elif isinstance(event, MediationConcluded):
            accepted_on, on = shanghai(page.case.accepted_at), shanghai(event.occurred_at)
            self.facts["concluded"].append(
                fact._replace(
                    code=event.outcome.value,
                    other=page.first_accepted_at,
                    is_good=event.term_on is None or on <= event.term_on,
                    days=0 if on < accepted_on else (on - accepted_on).days,
                )
            )
        elif isinstance(event, CaseWithdrawn) and left:
            self.facts["withdrawn"].append(fact)
        elif isinstance(event, RemedyRouteTaken) and left:
            self.facts["left"].append(fact)
        elif isinstance(event, CaseClosed) and left:
            self.facts["closed"].append(fact)
        elif event.topic == "case.aid-refused/1":
            self.facts["aid refused"].append(fact)
        elif isinstance(event, AidGranted):
            self.facts["granted"].append(fact._replace(is_good=event.collective))
        elif isinstance(event, ConsentRecorded):
            self.facts["answered"].append(fact._replace(code=event.answer.value))
        elif isinstance(event, ProceedingUpdated) and event.result:
            self.facts["result"].append(fact._replace(code=f"{event.forum}.{event.result}"))
        elif isinstance(event, DemandFedBack) and left:
            is_good = shanghai(event.occurred_at) <= page.open["D23"][0].rolled_on
            self.facts["fed back"].append(
                fact._replace(code=page.case.demand_answer, is_good=is_good)
            )

    def _count_money(self, page: Page, event: Any, fact: Fact) -> None:
        if isinstance(event, CaseRegistered | PartyAdded):
            claimed = sum(line.claimed_fen for line in event.lines)
            self.facts["claimed"].append(fact._replace(fen=claimed))
        route = None
        if isinstance(event, _ON_PAPER):
            route = "mediation"
        elif isinstance(event, ContractChangeConfirmed):
            route = "demand"
        elif isinstance(event, ObligationsSet):
            forums = {it.proceeding_id: it.forum for it in page.case.proceedings}
            if event.proceeding_id and forums[event.proceeding_id] == "inspection":
                route = "supervision"
            else:
                is_arbitral = event.source_document.startswith("arbitral")
                route = "arbitration" if is_arbitral else "litigation"
        if route:
            page.papers.update(
                (it.obligation_id, (event.event_id, route)) for it in event.obligations
            )
        if isinstance(event, ObligationPerformed):
            debt = page.debts.get(event.obligation_id)
            page.paid[event.obligation_id].append((fact.on, event.applied_fen))
            self.facts["paid"].append(
                fact._replace(
                    place=debt.place if debt else fact.place,
                    fen=event.applied_fen,
                    code=page.papers[event.obligation_id][1],
                )
            )
        if is_owed(page.case):
            self._owe(page, fact)

    def _owe(self, page: Page, fact: Fact) -> None:
        """What stands is owed from now on, until a later paper takes its place."""
        standing = {it.obligation.obligation_id: it.obligation for it in page.case.payments}
        for obligation_id in page.debts.keys() - standing.keys():
            debt = page.debts.pop(obligation_id)
            debt.gone.append(fact.on)
            self.facts["replaced"].append(
                fact._replace(place=debt.place, fen=debt.fen, code=debt.route)
            )
        for obligation_id in standing.keys() - page.debts.keys():
            it = standing[obligation_id]
            debt = page.debts[obligation_id] = Debt(
                fact.case_id,
                *page.papers[obligation_id],
                fact.place,
                it.agreed_fen,
                it.due_on,
                fact.on,
                page.paid[obligation_id],
                [],
            )
            self.debts.append(debt)
            self.facts["owed"].append(fact._replace(fen=debt.fen, code=debt.route))

    def _watch(self, page: Page, on: date) -> None:
        """Follow the dates that somebody in the office has to keep."""
        case, kept = page.case, {}
        for key, due in case.due.items():
            if due.code not in _PARTIES_WINDOWS:
                kept[key] = (due, self._keeper(case, due.code))
        for key, (due, place, since) in list(page.open.items()):
            if key not in kept or _told(kept[key]) != _told((due, place)):
                case_id = case.case_id or _NOBODY
                self._ended.append(Duty(case_id, due.rolled_on, place, since, on))
                del page.open[key]
        for key, (due, place) in kept.items():
            if key not in page.open:
                page.open[key] = (due, place, on)

    def _keeper(self, case: CaseState, code: str) -> Place:
        here = self._place(case)
        if code == "D12" and case.move is not None:
            move = case.move
            return Place(move.to_body_id, move.to_path, move.to_level, move.to_branch)
        if code == "D24":
            # From the body above, and counted under the level of the case that is reviewed.
            above = case.custody_path.strip("/").split("/")[:-1]
            if above:
                return here._replace(body_id=above[-1], path=f"/{'/'.join(above)}/")
        return here


def _told(kept: tuple[Any, Place]) -> tuple[Any, ...]:
    due, place = kept
    return (due.code, due.due_on, due.rolled_on, place)


def _stock(case: CaseState, was: str | None, event: Any) -> str | None:  # noqa: PLR0911 - each stock has its own rule
    """Say where a case lies: 待决, 未结, a demand or a case of aid not done with, or nowhere."""
    if case.matter_kind == "DISPUTE":
        if case.acceptance_open:
            return "open"
        undecided = case.phase in (Phase.REGISTERED, Phase.CONSENT_PENDING)
        return "pending" if undecided else None
    if case.phase in (Phase.WITHDRAWN, Phase.CLOSED):
        return None
    if case.matter_kind == "AID":
        if case.phase is Phase.NOT_ACCEPTED:
            return None
        goes_on = was is not None or isinstance(event, CaseRegistered)
        is_anew = isinstance(event, CustodyTaken) and case.phase is Phase.REGISTERED
        return "aid" if goes_on or is_anew else None
    if was is None and not isinstance(event, CaseRegistered):
        return None
    return None if case.is_fed_back and case.demand_answer else "demand"
