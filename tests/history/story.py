"""The histories of which golden bytes are recorded: together they hold every event there is.

Decided once by today's rules; afterwards only the recorded bytes count, and this file may change
only to add what is new.
"""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from mediation.case.closing import CloseCase
from mediation.case.state import CaseFacts
from mediation.kernel import Command, Event, StreamRef, fold, handled, initial_state
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
from tests.history import branches, cases
from tests.scenario import DISTRICT, STANDARD, Scenario, an_id, lead_of, moment, seal


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
        SetCapacity(
            body_id="hengjie",
            legal_basis="L-LDMA 10(2)",
            seal=False,
            may_seal=False,
            oral_ok=True,
            confirmation_route=ConfirmationRoute.ASK,
            single_handed=True,
        ),
    )
    office.do(network, AppointMediator(mediator_id=UUID(int=8), body_id="hengjie"))
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
    office.do(account, GrantRole(account_id=account_id, role=Role.CLERK, body_id="hq"))
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
    streams = cases.a_long_case().log | an_office().log
    told = {ref.kind: events for ref, events in streams.items()}
    for name, scenario in (
        ("case-agreement", cases.a_sealed_agreement()),
        ("case-oral", cases.an_oral_agreement()),
        ("case-withdrawn", cases.an_application_withdrawn()),
        ("case-demand", cases.a_demand()),
        ("case-aid", cases.an_aid()),
        ("case-one-form", cases.one_form()),
        ("case-on-paper", cases.on_paper()),
        *((name, play()) for name, play in branches.OTHERS.items()),
    ):
        told[name] = scenario.events
    return {name: tuple(seal(event) for event in events) for name, events in told.items()}
