"""Histories for read models: cases that live through the real deciders, reproducible by seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import msgspec

import mediation.case
from mediation import calendar, codes, kernel, ladder
from mediation.case.agreement import (
    ConcludeMediation,
    FailMediation,
    GiveUndertaking,
    ObligationEntry,
    RecordSettlement,
    ServeRemediesNotice,
)
from mediation.case.assignment import AssignMediators, ConfirmAssignment, DeclineAssignment
from mediation.case.closing import CloseCase
from mediation.case.consent import AcceptCase, AskConsent, RecordConsent, RefuseCase
from mediation.case.custody import (
    AcceptCustody,
    DeclineCustody,
    RequestCustodyMove,
    WithdrawCustodyMove,
)
from mediation.case.intake import ClearFlag, LineEntry, PartyEntry, RaiseFlag, RegisterCase
from mediation.case.lifecycle import open_duties
from mediation.case.performance import RecordPerformance
from mediation.case.sessions import RecordSession, ServeRightsNotice
from mediation.case.sheets import RecordTransferSheet
from mediation.case.state import Answer, CaseFacts, CaseState
from mediation.errors import MediationError
from mediation.kernel import Actor, Command, Event, StreamRef
from mediation.ladder import MoveKind
from mediation.network.state import Appointment, Body, NetworkState
from mediation.privacy import Personal, Sealed, Unsealed, transform
from mediation.store import Log, Recorded, StreamEvent

DISTRICT = "370102"
START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
_SPACE = UUID("7c4b9f3e-0d57-4f0e-8a55-2d1e6f0f7c21")

PATHS = {
    "quzong": "/quzong/",
    "xicheng": "/quzong/xicheng/",
    "dongcheng": "/quzong/dongcheng/",
    "hehua": "/quzong/xicheng/hehua/",
    "moju": "/quzong/xicheng/moju/",
    "xinqian": "/quzong/dongcheng/xinqian/",
    "meiduo": "/quzong/xicheng/hehua/meiduo/",
}
LEVELS = {
    "quzong": "district",
    "xicheng": "township",
    "dongcheng": "township",
    "hehua": "village-industry",
    "moju": "village-industry",
    "xinqian": "village-industry",
    "meiduo": "enterprise",
}
MEDIATORS = {body_id: uuid5(_SPACE, f"mediator:{body_id}") for body_id in PATHS}
CLERKS = {body_id: uuid5(_SPACE, f"clerk:{body_id}") for body_id in PATHS}
LONG_AGO = date(2020, 1, 1)

Written = list[StreamEvent]
"""The events of one command."""


def network() -> NetworkState:
    """A district with two streets, an enterprise, three bodies on the second rung; all open."""
    return NetworkState(
        bodies={
            body_id: Body(
                body_id=body_id,
                name_zh=body_id,
                name_en=body_id,
                level=LEVELS[body_id],
                branch="village" if LEVELS[body_id] == "village-industry" else None,
                kind="body",
                parent_id=None,
                path=path,
                number_prefix=body_id,
                opened_on=LONG_AGO,
            )
            for body_id, path in PATHS.items()
        },
        appointments=tuple(
            Appointment(
                mediator_id=mediator_id,
                body_id=body_id,
                from_on=LONG_AGO,
                until_on=None,
                qualifications=(),
            )
            for body_id, mediator_id in MEDIATORS.items()
        ),
    )


class Office:
    """Decides commands one after the other and keeps what they wrote; needs no database."""

    def __init__(self, seed: int = 0) -> None:
        assert mediation.case.CHAPTERS
        self.random = random.Random(seed)
        self.at = START
        self.written: list[Written] = []
        self.cases: dict[UUID, CaseState] = {}
        self._states: dict[StreamRef, Any] = {}
        self._versions: dict[StreamRef, int] = {}
        self._network = network()
        self._ladder = ladder.load_ref("standard-v1")
        self._calendar = calendar.default()
        self._drawn = 0

    def _draw(self) -> UUID:
        self._drawn += 1
        return uuid5(_SPACE, f"{self.random.getrandbits(64)}:{self._drawn}")

    def do(self, command: Command, case_id: UUID | None = None, *, body_id: str = "hehua") -> UUID:
        """Decide a command for a body and give the id of the case.

        Raises:
            MediationError: it was refused; nothing was written.
        """
        stream = StreamRef("case", case_id or self._draw())
        facts = CaseFacts(
            at=self.at,
            actor=Actor(actor_id=CLERKS[body_id], role="clerk", body_id=body_id),
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
                    workers = self.random.choice((1, 1, 1, 2, 11))
                    entry = self.random.choice(("PARTY_DIRECT", "PARTY_DIRECT", "PROACTIVE"))
                    self.register(self.random.choice(list(PATHS)), workers, entry=entry)
                else:
                    case_id = self.random.choice(list(self.cases))
                    case = self.cases[case_id]
                    choices = list(self._choices(case))
                    weights = [_WEIGHTS.get(type(it), 1.0) for it in choices]
                    (command,) = self.random.choices(choices, weights)
                    answers = isinstance(command, AcceptCustody | DeclineCustody)
                    body_id = case.receiver_body_id if answers else None
                    self.do(command, case_id, body_id=body_id or case.custody_body_id)
        return self

    def register(self, body_id: str = "hehua", workers: int = 1, **changes: Any) -> UUID:
        """Register a dispute about pay, of some workers against one company."""
        command = RegisterCase(
            **{
                "matter_kind": "DISPUTE",
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

    def stories(self) -> Office:
        """Let a few cases live through what chance seldom brings about."""
        paid = self.register()
        self.mediate(paid)
        self.promise(paid, date(2026, 3, 5))
        self.settle(paid)
        self.pay(paid)
        self.do(CloseCase(), paid)
        failed = self.register()
        self.mediate(failed)
        self.do(FailMediation(cause_code=min(codes.table("failure_causes"))), failed)
        self.tell(failed)
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
        return self

    def _choices(self, case: CaseState) -> Iterator[Command]:
        """Name what somebody might try next; much of it will be refused."""
        dice = self.random
        party = dice.choice(case.parties)
        mediator_id = MEDIATORS[case.custody_body_id]
        yield AskConsent(party_id=party.party_id, means="phone")
        for one in case.parties[-2:]:
            answer = dice.choice((*[Answer.AGREED] * 6, *Answer))
            yield RecordConsent(party_id=one.party_id, answer=answer, means="phone")
        yield AcceptCase(within_scope=True, within_district=True)
        yield RefuseCase(reason_code=dice.choice(list(codes.table("refusal_reasons"))))
        yield RaiseFlag(flag=dice.choice(("WAGE_ARREARS", "EMPLOYER_CLOSED", "MIGRANT")))
        if case.flags:
            yield ClearFlag(flag=min(case.flags), explanation=Personal("已核实"))
        yield AssignMediators(mediator_ids=(mediator_id,), lead_mediator_id=mediator_id)
        if case.mediator_ids:
            yield ConfirmAssignment(mediator_id=case.mediator_ids[0])
            reason_code = dice.choice(list(codes.table("assignment_decline_reasons")))
            yield DeclineAssignment(mediator_id=case.mediator_ids[0], reason_code=reason_code)
        yield ServeRightsNotice(party_id=party.party_id, means="attending")
        yield RecordSession(
            mode="joint",
            attending_ids=(party.party_id,),
            host_ids=(mediator_id,),
            minutes=Personal("笔录"),
            result="no-agreement",
        )
        line = dice.choice(case.lines)
        yield GiveUndertaking(
            respondent_id=case.respondents[0].party_id,
            obligations=(
                ObligationEntry(
                    line_id=line.line_id,
                    agreed_fen=line.claimed_fen,
                    due_on=(self.at + timedelta(days=dice.randint(0, 9))).date(),
                ),
            ),
            text=Personal("承诺"),
        )
        yield RecordSettlement(
            signed_by_ids=(case.parties[0].party_id, case.parties[-1].party_id),
            obligations=(
                ObligationEntry(line_id=line.line_id, agreed_fen=900, due_on=self.at.date()),
            )[: dice.randint(0, 1)],
            text=Personal("和解"),
        )
        yield ConcludeMediation(accepted_by_ids=tuple(it.party_id for it in case.applicants))
        yield FailMediation(cause_code=dice.choice(list(codes.table("failure_causes"))))
        owed = dice.choice((party.party_id, *case.remedies_owed_ids))
        yield ServeRemediesNotice(party_id=owed, means=dice.choice(("written", "phone")))
        for payment in case.payments[-2:]:
            yield RecordPerformance(
                obligation_id=payment.obligation.obligation_id,
                paid_fen=dice.choice((1_000, payment.obligation.agreed_fen)),
                payment_means="cash",
                proof_kind="receipt",
            )
        yield from self._moves(case)
        if case.move is not None:
            yield RecordTransferSheet(
                party_id=party.party_id, new_body=dice.random() < 0.8, disclosure=True
            )
            yield AcceptCustody()
            yield DeclineCustody(reason_code=min(codes.table("custody_decline_reasons")))
            yield WithdrawCustodyMove()
        yield CloseCase()
        if dice.random() < 0.1:
            yield CloseCase(
                waived_duties=open_duties(case),
                waiver_reason_code=min(codes.table("waiver_reasons")),
            )

    def _moves(self, case: CaseState) -> Iterator[Command]:
        """Name one move of each kind that the ladder may permit."""
        here, path = case.custody_body_id, case.custody_path
        targets = {
            (MoveKind.ESCALATE, "beyond-means"): [path.rstrip("/").split("/")[-2]],
            (MoveKind.REPORT_UP, "body-absent"): ["quzong"],
            (MoveKind.TRANSFER, "capacity-short"): _beside(here),
            (MoveKind.REROUTE, "wrong-place"): _beside(here),
            (MoveKind.ASSIGN_DOWN, "closer-to-parties"): _below(path),
            (MoveKind.SEND_BACK, "upper-help-given"): [it.body_id for it in case.former[-1:]],
        }
        for (kind, ground), bodies in targets.items():
            found = [body_id for body_id in bodies if body_id in PATHS]
            if found:
                yield RequestCustodyMove(
                    kind=kind,
                    to_body_id=self.random.choice(found),
                    ground=ground,
                    summary=Personal("案情"),
                    applicant_wish=self.random.random() < 0.5,
                )


_WEIGHTS: dict[type[Command], float] = {
    AcceptCase: 4,
    AssignMediators: 4,
    ConfirmAssignment: 4,
    ConcludeMediation: 3,
    RecordConsent: 3,
    AcceptCustody: 9,
    CloseCase: 2,
    RefuseCase: 0.2,
    RecordSession: 0.5,
    RequestCustodyMove: 0.5,
}


def _below(path: str) -> list[str]:
    return [it for it, other in PATHS.items() if other != path and other.startswith(path)]


def _beside(body_id: str) -> list[str]:
    return [it for it in PATHS if it != body_id and LEVELS[it] == LEVELS[body_id]]


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
