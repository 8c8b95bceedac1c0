"""Histories for read models: cases that live through the real deciders, reproducible by seed."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import msgspec

import mediation.case
from mediation import calendar, codes, kernel, ladder
from mediation.case.agreement import SealAgreement
from mediation.case.aid import AppointCounsel, GrantAid, RefuseAid
from mediation.case.assignment import AssignMediators, ConfirmAssignment, DeclineAssignment
from mediation.case.closing import CloseCase
from mediation.case.composites import RegisterAndSettleSmallCase, SignAndSeal, SmallWorker
from mediation.case.conclusion import ConcludeMediation, FailMediation, ServeRemediesNotice
from mediation.case.consent import AcceptCase, RecordConsent
from mediation.case.custody import (
    AcceptCustody,
    DeclineCustody,
    RequestCustodyMove,
    WithdrawCustodyMove,
)
from mediation.case.demand import (
    ContractItem,
    FeedBackDemand,
    RecordContractChange,
    RecordDemandAnswer,
    RelayDemand,
)
from mediation.case.intake import LineEntry, PartyEntry, RegisterCase
from mediation.case.lifecycle import available
from mediation.case.parties import ConfirmCollective
from mediation.case.performance import ObligationEntry, RecordPerformance
from mediation.case.proceedings import TakeRemedyRoute
from mediation.case.settlement import GiveUndertaking
from mediation.case.sheets import RecordTransferSheet
from mediation.case.state import CaseFacts, CaseState
from mediation.case.term import ExtendTerm
from mediation.case.values import Answer, Matter
from mediation.errors import MediationError
from mediation.kernel import Actor, Command, Event, StreamRef
from mediation.ladder import MoveKind
from mediation.network.accounts import account_stream
from mediation.network.state import NetworkState
from mediation.privacy import Personal, Sealed, Unsealed, transform
from mediation.store import Log, Recorded, StreamEvent
from tests.playing import a_counsel
from tests.projections.chances import COUNSEL, WEIGHTS, check, choices, draft
from tests.projections.district import CLERKS, LEVELS, MEDIATORS, PATHS, SPACE, network
from tests.scenario import lapse_of

DISTRICT = "370102"
START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)

Written = list[StreamEvent]
"""The events of one command."""


class Office:
    """Decides commands one after the other and keeps what they wrote; needs no database."""

    def __init__(self, seed: int = 0, bodies: NetworkState | None = None) -> None:
        assert mediation.case.CHAPTERS
        self.random = random.Random(seed)
        self.at = START
        self.written: list[Written] = []
        self.cases: dict[UUID, CaseState] = {}
        self._states: dict[StreamRef, Any] = {account_stream(COUNSEL): a_counsel(COUNSEL)}
        self._versions: dict[StreamRef, int] = {}
        self._network = bodies or network()
        self._ladder = ladder.load_ref("standard-v1")
        self._calendar = calendar.default()
        self._drawn = 0

    def _draw(self) -> UUID:
        self._drawn += 1
        return uuid5(SPACE, f"{self.random.getrandbits(64)}:{self._drawn}")

    def do(
        self,
        command: Command,
        case_id: UUID | None = None,
        *,
        body_id: str = "hehua",
        actor_id: UUID | None = None,
    ) -> UUID:
        """Decide a command for a body, of its clerk by default, and give the id of the case.

        Raises:
            MediationError: it was refused; nothing was written.
        """
        stream = StreamRef("case", case_id or self._draw())
        facts = CaseFacts(
            at=self.at,
            actor=Actor(actor_id=actor_id or CLERKS[body_id], role="clerk", body_id=body_id),
            district=DISTRICT,
            stream=stream,
            command_id=self._draw(),
            correlation_id=self._draw(),
            seed=self._draw(),
            occurred_at=command.occurred_at or self.at,
            ladder=self._ladder,
            ladders={self._ladder.ref: self._ladder},
            calendar=self._calendar,
            network=self._network,
        )
        handled = kernel.handled(command)
        read = {ref: self._state(ref) for ref in handled.reads(command, facts)}
        facts = msgspec.structs.replace(facts, streams=read)
        decision = handled.decide(self._state(stream), command, facts)
        written: Written = []
        for ref, event in decision.events:
            sealed = transform(event, _sealed, Unsealed)
            self._versions[ref] = self._versions.get(ref, 0) + 1
            self._states[ref] = kernel.evolve(self._state(ref), sealed)
            written.append(StreamEvent(ref.id, self._versions[ref], sealed))
        self.written.append(written)
        self.cases[stream.id] = self._states[stream]
        return stream.id

    def _state(self, ref: StreamRef) -> Any:
        return self._states.get(ref, kernel.initial_state(ref.kind))

    def live(self, commands: int, *, registering: float = 0.03) -> Office:
        """Let chance decide what is done, as long as the rules permit it."""
        while len(self.written) < commands:
            self.at += timedelta(hours=self.random.choice((1, 3, 20)))
            with suppress(MediationError):
                if not self.cases or self.random.random() < registering:
                    self.register(
                        self.random.choice(list(PATHS)),
                        self.random.choice((1, 1, 1, 2, 11)),
                        entry=self.random.choice(("PARTY_DIRECT", "PARTY_DIRECT", "PROACTIVE")),
                        matter_kind=self.random.choice((*[Matter.DISPUTE] * 4, *Matter)),
                    )
                else:
                    case_id = self.random.choice(list(self.cases))
                    case = self.cases[case_id]
                    is_open = available(case)
                    attempts = [
                        it
                        for it in choices(case, self.at, self.random)
                        if not is_open[kernel.kebab(type(it).__name__)]
                    ]
                    weights = [WEIGHTS.get(type(it), 1.0) for it in attempts]
                    (command,) = self.random.choices(attempts, weights)
                    answers = isinstance(command, AcceptCustody | DeclineCustody)
                    body_id = case.receiver_body_id if answers else None
                    self.do(command, case_id, body_id=body_id or case.custody_body_id)
        return self

    def register(self, body_id: str = "hehua", workers: int = 1, **changes: Any) -> UUID:
        """Register a dispute about pay, of some workers against one company."""
        command = RegisterCase(
            **{
                "matter_kind": Matter.DISPUTE,
                "channel": "walk-in",
                "body_id": body_id,
                "applicants": tuple(
                    PartyEntry(role="WORKER", name=Personal(f"测试{at}")) for at in range(workers)
                ),
                "respondents": (PartyEntry(role="EMPLOYER", company_name="测试模具厂"),),
                "request": Personal("请求支付工资"),
                "cause": "C13",
                "lines": tuple(
                    LineEntry(applicant=at, cause="C13", claimed_fen=100_000 + at)
                    for at in range(workers)
                ),
                **changes,
            }
        )
        return self.do(command, body_id=body_id)

    def consent(self, case_id: UUID) -> None:
        """Let every party agree."""
        for party in self.cases[case_id].parties:
            self.do(
                RecordConsent(party_id=party.party_id, answer=Answer.AGREED, means="phone"),
                case_id,
            )

    def accept(self, case_id: UUID) -> None:
        """Let every party agree, and accept the case."""
        self.consent(case_id)
        self.do(AcceptCase(within_scope=True, within_district=True), case_id)

    def mediate(self, case_id: UUID) -> None:
        """Bring a registered case into mediation at its body."""
        self.accept(case_id)
        mediator_id = MEDIATORS[self.cases[case_id].custody_body_id]
        self.do(AssignMediators(mediator_ids=(mediator_id,), lead_mediator_id=mediator_id), case_id)
        self.do(ConfirmAssignment(mediator_id=mediator_id), case_id)

    def promise(self, case_id: UUID, due_on: date) -> None:
        """Let the company promise in writing to pay every line, until this day."""
        case = self.cases[case_id]
        self.do(
            GiveUndertaking(
                respondent_id=case.respondents[0].party_id,
                obligations=tuple(
                    ObligationEntry(line_id=it.line_id, agreed_fen=it.claimed_fen, due_on=due_on)
                    for it in case.lines
                ),
                text=Personal("五日内付清"),
            ),
            case_id,
        )

    def move(self, case_id: UUID, to_body_id: str) -> None:
        """Ask another body of the same rung to take the case, or one above."""
        here = self.cases[case_id].custody_body_id
        sideways = LEVELS[here] == LEVELS[to_body_id]
        command = RequestCustodyMove(
            kind=MoveKind.TRANSFER if sideways else MoveKind.ESCALATE,
            to_body_id=to_body_id,
            ground="capacity-short" if sideways else "beyond-means",
            summary=Personal("案情"),
        )
        self.do(command, case_id, body_id=here)

    def settle(self, case_id: UUID) -> None:
        """Conclude a case on what was promised."""
        applicants = self.cases[case_id].applicants
        self.do(ConcludeMediation(accepted_by_ids=tuple(it.party_id for it in applicants)), case_id)

    def pay(self, case_id: UUID) -> None:
        """Pay everything that was promised."""
        for payment in self.cases[case_id].payments:
            self.do(
                RecordPerformance(
                    obligation_id=payment.obligation.obligation_id,
                    paid_fen=payment.obligation.agreed_fen,
                    payment_means="cash",
                    proof_kind="receipt",
                ),
                case_id,
            )

    def tell(self, case_id: UUID) -> None:
        """Tell every party in writing what else is open to it."""
        for party in self.cases[case_id].parties:
            self.do(ServeRemediesNotice(party_id=party.party_id, means="written"), case_id)

    def write(
        self,
        case_id: UUID,
        due_on: date,
        *,
        seal_body_id: str | None = None,
        is_checked: bool = True,
        passes: bool = True,
    ) -> None:
        """Draft an agreement on every claim, paid until this day, and check it."""
        case = self.cases[case_id]
        self.do(draft(case, due_on, seal_body_id=seal_body_id), case_id)
        if is_checked:
            self.check(case_id, passes=passes)

    def check(self, case_id: UUID, *, passes: bool = True) -> None:
        """Check the present draft."""
        self.do(check(self.cases[case_id].drafts, passes=passes), case_id)

    def sign(self, case_id: UUID) -> None:
        """Let everybody sign who has not, and put the seal below if it is not there yet."""
        draft = self.cases[case_id].draft
        assert draft is not None
        self.do(SignAndSeal(number=draft.number, digest=draft.digest), case_id)

    def seal(self, case_id: UUID, body_id: str) -> None:
        """Put the seal of a body below the present draft."""
        present = self.cases[case_id].draft
        assert present is not None
        self.do(
            SealAgreement(number=present.number, digest=present.digest), case_id, body_id=body_id
        )

    def report_up(self, case_id: UUID, to_body_id: str = "quzong") -> None:
        """Ask a body far above to take the case, past those between."""
        command = RequestCustodyMove(
            kind=MoveKind.REPORT_UP,
            to_body_id=to_body_id,
            ground="body-absent",
            summary=Personal("案情"),
        )
        self.do(command, case_id, body_id=self.cases[case_id].custody_body_id)

    def settle_on_one_form(self, body_id: str = "hehua") -> UUID:
        """Let one person do a small case from registration to its end, on one form."""
        mediator_id = MEDIATORS[body_id]
        command = RegisterAndSettleSmallCase(
            channel="walk-in",
            body_id=body_id,
            workers=(SmallWorker(name=Personal("测试"), claimed_fen=120_000),),
            employer=PartyEntry(role="EMPLOYER", company_name="测试模具厂"),
            cause="C13",
            request=Personal("请求支付工资"),
            consent_means="attending",
            instrument="oral",
            paid_on=self.at.date(),
        )
        return self.do(command, body_id=body_id, actor_id=mediator_id)

    def stories(self) -> Office:
        """Let a few cases live through what chance seldom brings about."""
        paid = self.register()
        self.mediate(paid)
        self.promise(paid, date(2026, 3, 5))
        self.settle(paid)
        self.pay(paid)
        self.do(CloseCase(), paid)
        self.settle_on_one_form()
        agreed = self.register()
        self.mediate(agreed)
        self.write(agreed, date(2026, 3, 9))
        self.sign(agreed)
        failed = self.register()
        self.mediate(failed)
        self.do(FailMediation(cause_code=min(codes.table("failure_causes"))), failed)
        self.tell(failed)
        crowd = self.register("meiduo", workers=11)
        self.do(ConfirmCollective(), crowd)
        self.report_up(crowd)
        self._climb_and_come_back()
        self._sign_above_and_too_late()
        self._demand_and_be_heard()
        self._be_aided()
        self._leave_for_arbitration()
        return self

    def _climb_and_come_back(self) -> None:
        climbing = self.register()
        self.accept(climbing)
        self.move(climbing, "xicheng")
        self.do(WithdrawCustodyMove(), climbing)
        self.move(climbing, "xicheng")
        self.do(DeclineCustody(reason_code=min(codes.table("custody_decline_reasons"))), climbing)
        self.move(climbing, "xicheng")
        for party in self.cases[climbing].parties:
            sheet = RecordTransferSheet(party_id=party.party_id, new_body=True, disclosure=True)
            self.do(sheet, climbing)
        self.do(AcceptCustody(), climbing, body_id="xicheng")
        back = RequestCustodyMove(
            kind=MoveKind.SEND_BACK,
            to_body_id="hehua",
            ground="upper-help-given",
            summary=Personal("案情"),
        )
        self.do(back, climbing, body_id="xicheng")
        self.do(AcceptCustody(), climbing)
        mediator_id = MEDIATORS["hehua"]
        self.consent(climbing)
        self.do(
            AssignMediators(mediator_ids=(mediator_id,), lead_mediator_id=mediator_id), climbing
        )
        reason_code = min(codes.table("assignment_decline_reasons"))
        self.do(DeclineAssignment(mediator_id=mediator_id, reason_code=reason_code), climbing)

    def _sign_above_and_too_late(self) -> None:
        signing = self.register("moju")
        self.mediate(signing)
        self.write(signing, date(2026, 3, 9), seal_body_id="xicheng")
        self.seal(signing, "xicheng")
        everybody = tuple(it.party_id for it in self.cases[signing].parties)
        term = self.cases[signing].term
        assert term is not None
        self.do(ExtendTerm(until_on=term.due_on + timedelta(days=1), agreed_ids=everybody), signing)
        since, self.at = self.at, self.at + timedelta(days=20)
        self.do(lapse_of(self.cases[signing].term), signing)
        self.sign(signing)
        # What the other stories tell happened meanwhile; only the log keeps their order.
        self.at = since

    def _demand_and_be_heard(self) -> None:
        demand = self.register(matter_kind=Matter.DEMAND)
        case = self.cases[demand]
        self.do(RelayDemand(respondent_id=case.respondents[0].party_id, means="phone"), demand)
        self.do(RecordDemandAnswer(answer="GRANTED", means="written"), demand)
        self.do(FeedBackDemand(means="phone"), demand)
        allowance = ContractItem(
            line_id=case.lines[0].line_id,
            item=Personal("津贴"),
            monthly_fen=20_000,
            first_due_on=date(2026, 3, 15),
        )
        everybody = tuple(it.party_id for it in case.parties)
        self.do(RecordContractChange(signed_by_ids=everybody, items=(allowance,)), demand)
        self.pay(demand)

    def _leave_for_arbitration(self) -> None:
        leaving = self.register()
        self.mediate(leaving)
        by = tuple(it.party_id for it in self.cases[leaving].applicants)
        route = TakeRemedyRoute(
            forum="arbitration", filed_by_ids=by, forum_name=Personal("测试仲裁委")
        )
        self.do(route, leaving)

    def _be_aided(self) -> None:
        aided, unaided = (self.register(matter_kind=Matter.AID) for _ in range(2))
        self.do(RefuseAid(reason_code="criteria-not-met"), unaided)
        self.do(GrantAid(criteria_code="wage-arrears"), aided)
        applicants = tuple(it.party_id for it in self.cases[aided].applicants)
        self.do(AppointCounsel(counsel_id=COUNSEL, for_ids=applicants), aided)


def _sealed(_path: str, value: Unsealed) -> Sealed:
    return Sealed(
        kid="test", subject_id=value.subject_id, purpose=value.purpose, nonce="AAAA", ct="AAAA"
    )


def recorded(office: Office, **forgotten: Any) -> list[Recorded]:
    """Give what an office wrote as it would be read from a log, with some fields altered."""
    found: list[Recorded] = []
    for written in office.written:
        end = len(found) + len(written)
        for it in written:
            fields = {key: value for key, value in forgotten.items() if hasattr(it.event, key)}
            found.append(
                Recorded(
                    originator_id=it.originator_id,
                    originator_version=it.originator_version,
                    topic=it.event.topic,
                    state=kernel.encode(msgspec.structs.replace(it.event, **fields)),
                    id=len(found) + 1,
                    recorded_at=START,
                    command_end=end,
                )
            )
    return found


def append(log: Log, written: list[Written]) -> None:
    """Append each command's events to a log."""
    for events in written:
        log.save(*events)


def events_of(written: list[Written], case_id: UUID) -> list[Event]:
    """Give the events of one case, in order."""
    return [it.event for events in written for it in events if it.originator_id == case_id]
