"""Mediators: who mediates for which body, and until when; what an account may do is elsewhere."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from msgspec import Meta

from mediation.codes import is_code
from mediation.errors import FieldFault, Malformed, Refusal, Refused
from mediation.kernel import Command, Decision, Event, decides, evolves, stored_as
from mediation.network.facts import OfficeFacts
from mediation.network.points import body_not_open
from mediation.network.state import Appointment, NetworkState

QualificationCode = Annotated[str, Meta(max_length=40)]
"""A code of the table `qualifications`: what it is, never a number of somebody's licence."""


class AppointMediator(Command, frozen=True, kw_only=True):
    """Appoint a person, known by the id of the account, as mediator of a body."""

    stream_kind: ClassVar[str] = "network"

    mediator_id: UUID
    body_id: str
    from_on: date | None = None
    qualifications: Annotated[tuple[QualificationCode, ...], Meta(max_length=20)] = ()


@decides(AppointMediator)
def appoint_mediator(
    network: NetworkState, command: AppointMediator, facts: OfficeFacts
) -> Decision:
    """Refuse a body that is not open then, and a second appointment beside one still running."""
    unknown = [
        FieldFault(f"/qualifications/{at}", "unknown-code", "qualifications")
        for at, code in enumerate(command.qualifications)
        if not is_code("qualifications", code)
    ]
    if unknown:
        raise Malformed(
            zh="资格代码不存在，请从代码表 qualifications 中选择。",
            en="Unknown qualification; choose from the code table qualifications (GET /codes).",
            faults=tuple(unknown),
        )
    body = network.body(command.body_id)
    from_on = command.from_on or facts.occurred_on
    refusals = []
    if not body.is_open(from_on):
        refusals.append(body_not_open())
    if any(
        appointment.until_on is None or max(appointment.from_on, from_on) < appointment.until_on
        for appointment in _of(network, command)
    ):
        refusals.append(
            Refusal(
                "already-appointed",
                "该人员已是本组织调解员，任期未满，无需重复聘任。",
                "This person is a mediator of the body already; nothing is left to do.",
            )
        )
    if refusals:
        raise Refused(*refusals)
    return Decision.of(
        facts.stream,
        MediatorAppointed(
            **facts.stamp(MediatorAppointed),
            mediator_id=command.mediator_id,
            of_body_id=body.body_id,
            from_on=from_on,
            qualifications=command.qualifications,
        ),
    )


@stored_as("network.mediator-appointed")
class MediatorAppointed(Event, frozen=True, kw_only=True):
    """A person became mediator of a body; `from_on` is the first day on which he is."""

    mediator_id: UUID
    of_body_id: str
    from_on: date
    qualifications: tuple[str, ...]


@evolves(MediatorAppointed)
def _(network: NetworkState, event: MediatorAppointed) -> NetworkState:
    appointment = Appointment(
        mediator_id=event.mediator_id,
        body_id=event.of_body_id,
        from_on=event.from_on,
        until_on=None,
        qualifications=event.qualifications,
    )
    return msgspec.structs.replace(network, appointments=(*network.appointments, appointment))


class EndAppointment(Command, frozen=True, kw_only=True):
    """End an appointment; `until_on` is the first day the person is no longer mediator there."""

    stream_kind: ClassVar[str] = "network"

    mediator_id: UUID
    body_id: str
    until_on: date | None = None


@decides(EndAppointment)
def end_appointment(network: NetworkState, command: EndAppointment, facts: OfficeFacts) -> Decision:
    """Refuse where no appointment is running, and an end before its beginning."""
    body = network.body(command.body_id)
    until_on = command.until_on or facts.occurred_on
    running = next((a for a in _of(network, command) if _ends_sooner(a, until_on)), None)
    if running is None:
        raise Refused(
            Refusal(
                "not-appointed",
                "该人员目前不是本组织调解员，请核对人员和组织。",
                "This person is no mediator of the body now; check the person and the body.",
            )
        )
    if until_on < running.from_on:
        raise Refused(
            Refusal(
                "ended-before-begun",
                "终止日期不得早于聘任起始日期，请更正日期。",
                "It cannot end before it began; correct the day.",
            )
        )
    return Decision.of(
        facts.stream,
        AppointmentEnded(
            **facts.stamp(AppointmentEnded),
            mediator_id=command.mediator_id,
            of_body_id=body.body_id,
            until_on=until_on,
        ),
    )


@stored_as("network.appointment-ended")
class AppointmentEnded(Event, frozen=True, kw_only=True):
    """A person ceased to be mediator of a body; `until_on` is the first day on which he is not."""

    mediator_id: UUID
    of_body_id: str
    until_on: date


@evolves(AppointmentEnded)
def _(network: NetworkState, event: AppointmentEnded) -> NetworkState:
    appointments = tuple(
        msgspec.structs.replace(appointment, until_on=event.until_on)
        if appointment.mediator_id == event.mediator_id
        and appointment.body_id == event.of_body_id
        and _ends_sooner(appointment, event.until_on)
        else appointment
        for appointment in network.appointments
    )
    return msgspec.structs.replace(network, appointments=appointments)


def _ends_sooner(appointment: Appointment, until_on: date) -> bool:
    return appointment.until_on is None or until_on < appointment.until_on


def _of(
    network: NetworkState, command: AppointMediator | EndAppointment
) -> tuple[Appointment, ...]:
    return tuple(
        appointment
        for appointment in network.appointments
        if appointment.mediator_id == command.mediator_id and appointment.body_id == command.body_id
    )
