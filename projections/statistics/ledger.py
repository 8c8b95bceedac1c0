"""The ledger of cases: every movement into and out of a stock, every fen, every duty; no figure.

Kept like an account book (台账): a line is written once, by the event that caused it, and never
changed. Figures are sums over lines, so that they can be asked for any period, as of any position
and for any set of bodies, and so that what flows in, flows out and stays always closes. A movement
is booked on its day, or on that of the movement before it in the same case, if that is later: a
fact typed in late never takes a case out of a stock before it came in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Column, Table

from mediation.case.agreement import AgreementTookEffect
from mediation.case.aid import AidGranted, AidRefused
from mediation.case.closing import CaseClosed
from mediation.case.conclusion import CaseWithdrawn, MediationConcluded
from mediation.case.consent import CaseAccepted, CaseNotAccepted, ConsentRecorded
from mediation.case.custody import (
    CaseAssignedDown,
    CaseEscalated,
    CaseReportedUp,
    CaseRerouted,
    CaseSentBack,
    CaseTransferred,
    CustodyMoveRequested,
    CustodyTaken,
)
from mediation.case.demand import ContractChangeConfirmed, DemandFedBack
from mediation.case.intake import CaseRegistered
from mediation.case.parties import PartyAdded
from mediation.case.performance import ObligationPerformed
from mediation.case.proceedings import (
    ObligationsSet,
    ProceedingOpened,
    ProceedingUpdated,
    RemedyRouteTaken,
)
from mediation.case.settlement import (
    OralAgreementRecorded,
    SettlementRecorded,
    UndertakingGiven,
)
from mediation.kernel import Event
from mediation.store import Recorded
from projections.base import Load, Projection, Rows
from projections.folding import shanghai_date, steps
from projections.standing import RECEIVERS, WINDOWS, Standing, restored, stored

PENDING, OPEN, DEMAND, AID = "pending", "open", "demand", "aid"
"""The stocks: 待决 (registered or asked anew, undecided), 未结 (an open acceptance), and the cases
of the two other tracks that are not done with."""

MOVES: dict[type[CustodyTaken], str] = {
    CaseEscalated: "ESCALATE",
    CaseReportedUp: "REPORT_UP",
    CaseTransferred: "TRANSFER",
    CaseRerouted: "REROUTE",
    CaseAssignedDown: "ASSIGN_DOWN",
    CaseSentBack: "SEND_BACK",
}

_TERMS: dict[type[Event], str] = {
    CaseRegistered: "registered",
    CaseAccepted: "accepted",
    CaseNotAccepted: "refused",
    AidRefused: "refused",
    CaseWithdrawn: "withdrawn",
    RemedyRouteTaken: "left",
    MediationConcluded: "concluded",
    DemandFedBack: "fed-back",
    CaseClosed: "closed",
}
"""What a movement is called, by the event that causes it; moves of custody are `moved-…`."""

_PAPERS: dict[type[Event], str] = {
    UndertakingGiven: "mediation",
    SettlementRecorded: "mediation",
    OralAgreementRecorded: "mediation",
    AgreementTookEffect: "mediation",
    ContractChangeConfirmed: "consultation",
}
"""By which route the money of a paper comes in; what arbitration or court ordered: `_ordered`."""

ARBITRAL = ("arbitral-mediation", "arbitral-award")
INSPECTION = "inspection"

NEW, AGAIN = "new", "again"

NOT_IN_SCOPE = (
    *("not-labour-dispute", "insurance-benefit", "housing-reform", "appraisal-objection"),
    *("domestic-worker", "artisan-helper", "farm-household-hire", "wrong-place"),
)
"""Reasons for which an application is outside the scope of mediation, or of the district."""


class At(NamedTuple):
    """A body, its path, and the level and branch that it has."""

    body_id: str
    path: str
    level: str
    branch: str | None


class Paper(NamedTuple):
    """The event in which obligations were put down, and by which route their money comes in."""

    event_id: UUID
    route: str


class Owed(NamedTuple):
    """An obligation that counts: its sum in fen, its day, its paper, and the body credited."""

    fen: int
    due_on: date
    paper: Paper
    at: At


class Duty(NamedTuple):
    """An open date of the office: what it is and who has to keep it."""

    code: str
    due_on: date
    rolled_on: date
    at: At


class Count(msgspec.Struct, array_like=True, kw_only=True):
    """What the ledger has written of a case, beside how the case stands.

    `papers` says of each obligation where it was put down, `asked_at` which body a pending move
    waits for; `is_out_of_scope` that the case was refused as such before it was ever accepted;
    `moved_on` is the day on which its last movement was booked; `handed_over` names the path of
    each body that had it before, and the version until which; `opened` says of each open date the
    number of its row, and the day, position and version of the event that started it.
    """

    lines: int = 0
    duties: int = 0
    stock: str | None = None
    registered_at: At | None = None
    first_accepted_at: At | None = None
    papers: dict[UUID, Paper] = {}
    forums: dict[UUID, str] = {}
    owed: dict[UUID, Owed] = {}
    asked_at: At | None = None
    is_out_of_scope: bool = False
    moved_on: date = date.min
    handed_over: list[tuple[str, int]] = []
    opened: dict[str, tuple[int, date, int, int]] = {}


class Ledger(Projection):
    """The lines of the account book, the dates of the office, and where every case stands."""

    name = "ledger"
    version = 2

    def define(self) -> tuple[Table, ...]:
        """Make the tables: cases, lines, dates."""
        self.case = self.table(
            "case",
            Column("case_id", sa.Uuid, primary_key=True),
            Column("stock", sa.Text),
            *_place(),
            Column("standing", sa.Text, nullable=False),
            Column("counted", sa.Text, nullable=False),
        )
        self.line = self.table(
            "line",
            Column("case_id", sa.Uuid, primary_key=True),
            Column("n", sa.Integer, primary_key=True, autoincrement=False),
            Column("position", sa.BigInteger, nullable=False),
            Column("version", sa.BigInteger, nullable=False),
            Column("case_number", sa.Text, nullable=False),
            Column("occurred_on", sa.Date, nullable=False),
            Column("term", sa.Text, nullable=False),
            Column("matter", sa.Text, nullable=False),
            Column("leaves", sa.Text),
            Column("enters", sa.Text),
            *_place(),
            *_place("other_", nullable=True),
            Column("detail", sa.Text),
            Column("on_time", sa.Boolean),
            Column("collective", sa.Boolean),
            Column("since_on", sa.Date),
            Column("days", sa.Integer),
            Column("workers", sa.Integer, nullable=False),
            Column("fen", sa.BigInteger, nullable=False),
            Column("obligation_id", sa.Uuid),
            Column("paper_id", sa.Uuid),
            Column("due_on", sa.Date),
            self.index("day", "occurred_on"),
            self.index("here", "body_id", "occurred_on"),
            self.index("position", "position"),
            self.moves_index("moves", "occurred_on", "leaves", "enters"),
            self.index("debt", "term", "obligation_id"),
        )
        self.duty = self.table(
            "duty",
            Column("case_id", sa.Uuid, primary_key=True),
            Column("n", sa.Integer, primary_key=True, autoincrement=False),
            Column("case_number", sa.Text, nullable=False),
            Column("key", sa.Text, nullable=False),
            Column("code", sa.Text, nullable=False),
            Column("due_on", sa.Date, nullable=False),
            Column("rolled_on", sa.Date, nullable=False),
            *_place(),
            Column("opened_on", sa.Date, nullable=False),
            Column("ended_on", sa.Date),
            Column("from_position", sa.BigInteger, nullable=False),
            Column("to_position", sa.BigInteger),
            Column("version", sa.BigInteger, nullable=False),
            self.index("open", "to_position"),
            self.index("ended", "ended_on"),
        )
        return (self.case, self.line, self.duty)

    def moves_index(self, noun: str, *columns: str) -> sa.Index:
        """Make an index over the lines that move a stock, with the place beside."""
        moves = sa.text("leaves IS NOT NULL OR enters IS NOT NULL")
        place = (column.name for column in _place())
        return self.index(noun, *columns, *place, postgresql_where=moves, sqlite_where=moves)

    def fold(self, batch: Sequence[Recorded], load: Load) -> Rows:
        """Write the lines of each event, and close and open the dates that it ends and starts."""
        books: dict[UUID, _Book] = {}

        def known(ids: set[UUID]) -> dict[UUID, Standing]:
            standings = {}
            for key, row in load(self.case, ids).items():
                standings[key] = restored(row.standing)
                books[key] = _Book(standings[key], _COUNT.decode(row.counted))
            return standings

        lines: list[tuple[Any, ...]] = []
        duties: dict[tuple[UUID, int], tuple[Any, ...]] = {}
        for recorded, event, standing in steps(batch, known):
            if isinstance(event, CaseRegistered):
                books[standing.case_id] = _Book(None, Count())
            book = books[standing.case_id]
            lines += book.post(recorded, event, standing)
            for row in book.keep(recorded, event, standing):
                duties[standing.case_id, row[1]] = row
            book.turn(standing)
        return {
            self.case: [book.row() for book in books.values()],
            self.line: lines,
            self.duty: list(duties.values()),
        }


_COUNT = msgspec.json.Decoder(Count)


def handed_over(counted: str) -> list[tuple[str, int]]:
    """Give the path of each body that had a case before, and the version until which."""
    return _COUNT.decode(counted).handed_over


def _place(prefix: str = "", *, nullable: bool = False) -> list[Column[Any]]:
    return [
        Column(f"{prefix}body_id", sa.Text, nullable=nullable),
        Column(f"{prefix}body_path", sa.Text, nullable=nullable),
        Column(f"{prefix}level", sa.Text, nullable=nullable),
        Column(f"{prefix}branch", sa.Text),
    ]


_NOWHERE = (None, None, None, None)


class _Book:
    """The page of one case: how it stood before the event that is being written."""

    def __init__(self, standing: Standing | None, count: Count) -> None:
        self._count = count
        self._standing = standing
        self._at = _at(standing) if standing else None
        self._duties = _duties(standing, count.asked_at) if standing else {}

    def turn(self, standing: Standing) -> None:
        """Remember how the case stands now."""
        self._standing, self._at = standing, _at(standing)
        self._duties = _duties(standing, self._count.asked_at)

    def row(self) -> tuple[Any, ...]:
        """Give the row of the case."""
        case = self._standing
        if case is None:
            msg = "a book is turned after each event"
            raise AssertionError(msg)
        return (
            case.case_id,
            self._count.stock,
            *_at(case),
            stored(case),
            msgspec.json.encode(self._count).decode(),
        )

    def post(self, recorded: Recorded, event: Any, case: Standing) -> Iterator[tuple[Any, ...]]:
        """Give the lines of an event."""
        count, on = self._count, shanghai_date(event.occurred_at)
        if isinstance(event, CustodyTaken) and self._at is not None:
            count.handed_over.append((self._at.path, recorded.originator_version))
        for line in (*self._movements(event, case, on), *self._amounts(event, case)):
            count.lines += 1
            is_movement = line.leaves is not None or line.enters is not None
            if is_movement:
                count.moved_on = max(on, count.moved_on)
            yield (
                case.case_id,
                count.lines,
                recorded.command_end,
                recorded.originator_version,
                case.case_number,
                count.moved_on if is_movement else on,
                line.term,
                case.matter_kind,
                line.leaves,
                line.enters,
                *(line.at or _at(case)),
                *(line.other or _NOWHERE),
                line.detail,
                line.on_time,
                line.collective,
                line.since,
                line.days,
                case.workers,
                line.fen,
                line.obligation_id,
                line.paper_id,
                line.due_on,
            )

    def _movements(self, event: Any, case: Standing, on: date) -> Iterator[_Line]:
        count, before = self._count, self._count.stock
        after = count.stock = _stock(case, event, before)
        if isinstance(event, CustodyTaken) and after is not None:
            kind = MOVES[type(event)]
            if before is None:
                # A concluded or refused case that goes on elsewhere was not moved: it is asked
                # anew at the receiver (DOMAIN §10).
                yield _Line("again", enters=after, detail=kind, other=self._at)
            else:
                yield _Line("moved-out", leaves=before, at=self._at, other=_at(case), detail=kind)
                yield _Line("moved-in", enters=after, other=self._at, detail=kind)
        elif before != after:
            term = _TERMS.get(type(event))
            if term is None:
                msg = f"{event.topic} moves a case from {before} to {after} and has no name here"
                raise LookupError(msg)
            yield self._movement(term, event, case, on)._replace(leaves=before, enters=after)
        if isinstance(event, AidGranted):
            yield _Line("granted", detail=event.criteria_code, collective=event.collective)
        elif isinstance(event, ConsentRecorded):
            yield _Line("answered", detail=event.answer.value)
        elif isinstance(event, RemedyRouteTaken | ProceedingOpened):
            count.forums[event.proceeding_id] = event.forum
        elif isinstance(event, ProceedingUpdated) and event.result is not None:
            yield _Line("result", detail=f"{event.forum}.{event.result}")

    def _movement(self, term: str, event: Any, case: Standing, on: date) -> _Line:
        count = self._count
        if isinstance(event, CaseRegistered):
            count.registered_at = _at(case)
            return _Line(term, detail=event.channel)
        if isinstance(event, CaseAccepted):
            count.first_accepted_at = count.first_accepted_at or _at(case)
            return _Line(
                term,
                detail=NEW if event.acceptance_no == 1 else AGAIN,
                collective=event.collective,
                # Once out of scope, a dispute stays out of the share of those in scope.
                since=None if count.is_out_of_scope else case.received_on,
                other=count.registered_at,
            )
        if isinstance(event, CaseNotAccepted):
            is_known = count.is_out_of_scope or case.acceptance_no > 0
            is_out = event.reason_code in NOT_IN_SCOPE
            count.is_out_of_scope = count.is_out_of_scope or (is_out and not is_known)
            return _Line(
                term,
                detail=event.reason_code,
                since=None if is_out and is_known else case.received_on,
                other=count.registered_at,
            )
        if isinstance(event, MediationConcluded):
            since = case.accepted_on or on
            return _Line(
                term,
                detail=event.outcome.value,
                on_time=event.within_term,
                since=since,
                days=max(0, (on - since).days),
                other=count.first_accepted_at,
            )
        if isinstance(event, DemandFedBack):
            asked = self._duties.get("D23")
            return _Line(
                term,
                detail=case.demand_answer,
                on_time=None if asked is None else on <= asked.rolled_on,
                since=case.received_on,
            )
        return _Line(
            term, detail=event.reason_code, since=case.received_on, other=count.registered_at
        )

    def _amounts(self, event: Any, case: Standing) -> Iterator[_Line]:
        count = self._count
        if isinstance(event, CaseRegistered | PartyAdded):
            claimed = sum(line.claimed_fen for line in event.lines)
            if claimed:
                yield _Line("claimed", fen=claimed)
        route = _PAPERS.get(type(event))
        if isinstance(event, ObligationsSet):
            route = _ordered(event, count.forums)
        if route is not None:
            paper = Paper(event.event_id, route)
            count.papers.update({it.obligation_id: paper for it in event.obligations})
        if isinstance(event, ObligationPerformed) and event.applied_fen:
            owed = count.owed.get(event.obligation_id)
            paper = count.papers[event.obligation_id]
            yield _Line(
                "applied",
                detail=paper.route,
                at=owed.at if owed else None,
                fen=event.applied_fen,
                obligation_id=event.obligation_id,
                paper_id=paper.event_id,
                due_on=event.due_on,
            )
        if case.is_owed and case.obligations.keys() != count.owed.keys():
            yield from self._owe(case)

    def _owe(self, case: Standing) -> Iterator[_Line]:
        """Write what came to be owed, and what another paper took the place of."""
        owed = self._count.owed
        for obligation_id in [it for it in owed if it not in case.obligations]:
            yield _debt("released", obligation_id, owed.pop(obligation_id))
        for obligation_id, debt in case.obligations.items():
            if obligation_id not in owed:
                paper = self._count.papers[obligation_id]
                owed[obligation_id] = Owed(debt.agreed_fen, debt.due_on, paper, _at(case))
                yield _debt("owed", obligation_id, owed[obligation_id])

    def keep(self, recorded: Recorded, event: Any, case: Standing) -> Iterator[tuple[Any, ...]]:
        """Give the rows of the dates that an event ends or starts."""
        if isinstance(event, CustodyMoveRequested):
            self._count.asked_at = At(
                event.to_body_id, event.to_path, event.to_level, event.to_branch
            )
        before, opened = self._duties, self._count.opened
        after = _duties(case, self._count.asked_at)
        if before == after:
            return
        on, end = shanghai_date(event.occurred_at), recorded.command_end

        def row(key: str, duty: Duty, ended: tuple[date | None, int | None]) -> tuple[Any, ...]:
            n, opened_on, position, version = opened[key]
            head = (case.case_id, n, case.case_number, key, duty.code, duty.due_on, duty.rolled_on)
            return (*head, *duty.at, opened_on, ended[0], position, ended[1], version)

        for key, duty in before.items():
            if after.get(key) != duty:
                yield row(key, duty, (on, end))
                del opened[key]
        for key, duty in after.items():
            if key not in opened:
                self._count.duties += 1
                opened[key] = (self._count.duties, on, end, recorded.originator_version)
                yield row(key, duty, (None, None))


class _Line(NamedTuple):
    """A line, as far as it is not the same for all of an event."""

    term: str
    leaves: str | None = None
    enters: str | None = None
    at: At | None = None
    other: At | None = None
    detail: str | None = None
    on_time: bool | None = None
    collective: bool | None = None
    since: date | None = None
    days: int | None = None
    fen: int = 0
    obligation_id: UUID | None = None
    paper_id: UUID | None = None
    due_on: date | None = None


def _debt(term: str, obligation_id: UUID, owed: Owed) -> _Line:
    return _Line(
        term,
        at=owed.at,
        detail=owed.paper.route,
        fen=owed.fen,
        obligation_id=obligation_id,
        paper_id=owed.paper.event_id,
        due_on=owed.due_on,
    )


def _ordered(event: ObligationsSet, forums: dict[UUID, str]) -> str:
    if event.proceeding_id is not None and forums.get(event.proceeding_id) == INSPECTION:
        return "supervision"
    return "arbitration" if event.source_document in ARBITRAL else "litigation"


def _stock(case: Standing, event: Any, before: str | None) -> str | None:
    """Say in which stock a case lies after an event."""
    if case.matter_kind == "DISPUTE":
        if case.acceptance_open:
            return OPEN
        return PENDING if case.phase in ("REGISTERED", "CONSENT_PENDING") else None
    if case.phase in ("WITHDRAWN", "CLOSED"):
        return None
    if before is None and not isinstance(event, CaseRegistered):
        # What is done with stays so, whatever the parties do next; only a refused case that goes
        # on at another body is asked anew there. A demand is done with once its workers know the
        # answer: a later answer opens no new one.
        is_asked_anew = isinstance(event, CustodyTaken) and case.phase == "REGISTERED"
        return AID if case.matter_kind == "AID" and is_asked_anew else None
    if case.matter_kind == "AID":
        return None if case.phase == "NOT_ACCEPTED" else AID
    is_told = case.is_fed_back and case.demand_answer is not None
    return None if is_told else DEMAND


def _at(case: Standing) -> At:
    return At(case.custody_body_id, case.custody_path, case.level, case.branch)


def _duties(case: Standing, asked_at: At | None) -> dict[str, Duty]:
    """Give the open dates that somebody in the office has to keep.

    A review of a closed case is due from the body above, and stands under the level of the case.
    """
    duties = {}
    for key, term in case.due.items():
        if term.code in WINDOWS:
            continue
        if term.code == RECEIVERS and case.move is not None and asked_at is not None:
            at = asked_at
        else:
            place = case.answerable(term.code)
            at = At(place.body_id, place.path, case.level, case.branch)
        duties[key] = Duty(term.code, term.due_on, term.rolled_on, at)
    return duties
