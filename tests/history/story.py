"""The histories of which golden bytes are recorded: together they hold every event there is.

Decided once by today's rules; afterwards only the recorded bytes count, and this file may change
only to add what is new.
"""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from mediation.case.agreement import ObligationEntry, ServeRemediesNotice
from mediation.case.assignment import ConfirmAssignment, DeclineAssignment
from mediation.case.closing import CloseCase
from mediation.case.consent import RecordConsent, RefuseCase
from mediation.case.custody import AcceptCustody, DeclineCustody, WithdrawCustodyMove
from mediation.case.intake import ClearFlag, LineEntry, PartyEntry
from mediation.case.state import Answer, CaseFacts
from mediation.kernel import Command, Event, StreamRef, fold, handled, initial_state
from mediation.ladder import MoveKind
from mediation.network import (
    AppointMediator,
    CloseServicePoint,
    ConfirmationRoute,
    EndAppointment,
    GrantRole,
    OpenAccount,
    OpenServicePoint,
    RevokeRole,
    Role,
    SetCapacity,
    account_stream,
    network_stream,
)
from mediation.privacy import Personal
from tests.scenario import DISTRICT, STANDARD, Scenario, an_id, lead_of, moment, seal

PERSON = PartyEntry(
    role="WORKER",
    party_kind="INTERN",
    provisional=True,
    name=Personal("小林"),
    id_number=Personal("370102200401010000"),
    phone=Personal("13800000000"),
    address=Personal("恒街1号"),
)
COMPANY = PartyEntry(
    role="EMPLOYER", company_name="横街餐饮有限公司", credit_code="91370102MA00000000"
)


def a_long_case() -> Scenario:
    """Play a case through every event a case can have: refused, climbed, failed, settled, paid."""
    told = Scenario().registered(
        body_id="factory",
        oral=True,
        applicants=(PERSON, PERSON),
        respondents=(COMPANY,),
        lines=(
            LineEntry(applicant=0, cause="C13", claimed_fen=80_000),
            LineEntry(applicant=1, cause="C07", claimed_fen=60_000),
        ),
        at="2026-03-02T09:00+08:00",
    )
    worker, other, firm = told.case.parties
    told.flagged("SAFETY", "WAGE_ARREARS")
    told.given(ClearFlag(flag="SAFETY", explanation=Personal("已核实，无安全风险。")))
    told.asked()
    told.given(
        RecordConsent(
            party_id=firm.party_id,
            answer=Answer.REFUSED,
            means="written",
            proof=Personal("书面回函"),
        ),
        at="2026-03-03T10:00+08:00",
    )
    told.given(RefuseCase(reason_code="party-refused"))
    told.given(
        *(
            ServeRemediesNotice(party_id=party.party_id, means="written")
            for party in (worker, other)
        )
    )

    # The applicants wish to go on: one request is withdrawn, one declined, the third is taken.
    wish: dict[str, Any] = {"ground": "not-accepted", "applicant_wish": True}
    told.given(
        told.move("hengjie", **wish),
        WithdrawCustodyMove(explanation=Personal("补充材料后再提。")),
        told.move("hengjie", **wish),
        DeclineCustody(reason_code="materials-incomplete", explanation=Personal("缺工资单。")),
        at="2026-03-04T09:00+08:00",
    )
    told.taken_by("hengjie", at="2026-03-05T09:00+08:00", legal_basis="statutory-duty", **wish)
    told.accepted().assigned()
    first, second = told.case.mediator_ids
    told.given(
        ConfirmAssignment(mediator_id=second),
        DeclineAssignment(
            mediator_id=first, reason_code="conflict", explanation=Personal("与被申请人相识。")
        ),
    )
    told.mediating().given(
        told.session(also_present=("interpreter",), place=Personal("恒街调解室")),
        at="2026-03-06T09:00+08:00",
    )
    told.given(
        told.settlement(
            obligations=(
                ObligationEntry(
                    line_id=told.case.lines[0].line_id, agreed_fen=50_000, due_on=date(2026, 3, 31)
                ),
            )
        )
    )

    # Sideways, up, past a rung, down, given back and sent back.
    told.taken_by("catering", kind=MoveKind.TRANSFER, ground="other-branch")
    told.taken_by("dongcheng", kind=MoveKind.ESCALATE, ground="beyond-means")
    told.taken_by("xicheng", kind=MoveKind.REROUTE, ground="wrong-place")
    told.taken_by("hq", kind=MoveKind.REPORT_UP, ground="statutory-fit")
    told.taken_by("dongcheng", kind=MoveKind.ASSIGN_DOWN, ground="supervised")
    told.taken_by("hq", kind=MoveKind.ESCALATE, ground="assignment-return")
    told.given(told.move("dongcheng", MoveKind.SEND_BACK, "ground-not-met"))
    told.given(told.sheet(worker, extension=None), AcceptCustody(), at="2026-03-16T09:00+08:00")
    told.agreed().failed()

    # Another acceptance, a promise in place of the settlement, payment in full and a little more.
    told.taken_by("hq", ground="mediation-failed", applicant_wish=True)
    told.agreed().accepted().mediating().met(at="2026-03-19T09:00+08:00")
    told.given(told.promise(fen=60_000), told.conclusion())
    told.given(told.payment(0, fen=60_000), told.payment(1, fen=60_001), CloseCase())
    return told


class Office:
    """The office's own streams in memory, decided as the door would."""

    def __init__(self) -> None:
        self.log: dict[StreamRef, tuple[Event, ...]] = {}
        self.count = 0

    def state(self, ref: StreamRef) -> Any:
        """Fold one stream."""
        return fold(initial_state(ref.kind), self.log.get(ref, ()))

    def do(self, ref: StreamRef, command: Command) -> None:
        """Decide and record one command."""
        self.count += 1
        at = moment("2026-03-02T09:00+08:00")
        network = network_stream(DISTRICT)
        facts = CaseFacts(
            at=at,
            occurred_at=at,
            actor=lead_of("hq"),
            district=DISTRICT,
            stream=ref,
            command_id=an_id(f"office command {self.count}"),
            correlation_id=an_id(f"office command {self.count}"),
            seed=an_id(f"office seed {self.count}"),
            ladder=STANDARD,
            calendar=Scenario().facts(CloseCase()).calendar,
            network=self.state(network),
            streams={network: self.state(network)},
        )
        for stream, event in handled(command).decide(self.state(ref), command, facts).events:
            self.log[stream] = (*self.log.get(stream, ()), event)


def an_office() -> Office:
    """Play the network of a district and one account through every event they can have."""
    office = Office()
    network, account_id = network_stream(DISTRICT), UUID(int=7)
    for body_id, level, branch, kind, parent_id in (
        ("hq", "district", None, "circuit-room", None),
        ("dongcheng", "township", None, "township-body", "hq"),
        ("hengjie", "village-industry", "village", "village-union", "dongcheng"),
    ):
        office.do(
            network,
            OpenServicePoint(
                body_id=body_id,
                name_zh=f"{body_id}调解组织",
                name_en=f"Body {body_id}",
                level=level,
                branch=branch,
                kind=kind,
                parent_id=parent_id,
                number_prefix=body_id.upper(),
                opened_on=date(2026, 1, 1),
            ),
        )
    office.do(
        network,
        SetCapacity(
            body_id="dongcheng",
            legal_basis="L-LDMA 10(3)",
            seal=True,
            may_seal=True,
            oral_ok=False,
            confirmation_route=ConfirmationRoute.REVIEW_OR_COURT,
        ),
    )
    office.do(
        network,
        AppointMediator(mediator_id=account_id, body_id="hengjie", qualifications=("lawyer",)),
    )
    office.do(
        network,
        EndAppointment(mediator_id=account_id, body_id="hengjie", until_on=date(2026, 6, 1)),
    )
    office.do(network, CloseServicePoint(body_id="hengjie", closed_on=date(2026, 7, 1)))
    account = account_stream(account_id)
    office.do(account, OpenAccount(display_name=Personal("王某")))
    office.do(
        account,
        GrantRole(
            account_id=account_id, role=Role.LEAD, body_id="dongcheng", until_on=date(2027, 1, 1)
        ),
    )
    office.do(
        account,
        RevokeRole(
            account_id=account_id, role=Role.LEAD, body_id="dongcheng", until_on=date(2026, 9, 1)
        ),
    )
    return office


def histories() -> dict[str, tuple[Event, ...]]:
    """Give one whole stream of every kind, sealed as it would stand in the log, by name.

    Once the format is frozen a new event is told in a further history under a name of its own.
    """
    streams = a_long_case().log | an_office().log
    return {ref.kind: tuple(seal(event) for event in told) for ref, told in streams.items()}
