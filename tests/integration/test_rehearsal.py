"""A rehearsal: decided like the real thing, told in full, and nothing of it is left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import sqlalchemy as sa

from mediation.application import Request
from mediation.errors import Malformed, MediationError, NotAllowedNow, Refused
from mediation.store import open_engine
from mediation.store.access import AccessKind
from tests.conftest import Clock
from tests.wiring import Office, a_registration, an_office, vault_beside

CLERK, LEAD, MEDIATOR = "clerk@hengjie", "lead@hengjie", "mediator@hengjie"


@pytest.fixture
def office(database: str, clock: Clock) -> Iterator[Office]:
    """An office on each kind of database."""
    with an_office(database, clock=clock) as opened:
        yield opened


def everything_stored(office: Office, database: str) -> dict[str, int]:
    """Count every row of every table of the log and of the vault."""
    counts = {}
    for url in {database, vault_beside(database)}:
        engine = open_engine(url)
        try:
            for name in sa.inspect(engine).get_table_names():
                with engine.connect() as connection:
                    asked = sa.select(sa.func.count()).select_from(sa.table(name))
                    counts[f"{url} {name}"] = connection.execute(asked).scalar_one()
        finally:
            engine.dispose()
    return counts


def form(office: Office, **registration: Any) -> Request:
    """Ask to register, accept and assign on one form."""
    body = {
        "registration": a_registration(body_id="hengjie", **registration),
        "mediator_ids": [str(office.accounts[MEDIATOR])],
    }
    return office.ask(LEAD, "form", "register-and-accept", body)


def test_a_rehearsal_writes_nothing(office, database):
    """Not an event, not a number, not a key of a person, not a receipt."""
    before, head = everything_stored(office, database), office.mediation.log.head()
    rehearsal = office.mediation.rehearse(form(office))

    assert rehearsal.state.phase == "ASSIGNED"
    assert everything_stored(office, database) == before
    assert office.mediation.log.head() == head
    office.mediation.execute(form(office))
    assert everything_stored(office, database) != before


def test_a_rehearsal_tells_what_then_happens(office):
    """The same events in the same order, the same state; afterwards the same key carries it out."""
    for _ in range(2):
        rehearsal = office.mediation.rehearse(form(office))
    answer = office.mediation.execute(form(office))

    assert [event.topic for event in rehearsal.events] == [it.topic for it in answer.events]
    assert len(answer.events) == 6
    assert rehearsal.state.case_number == answer.state.case_number == "HENGJIE〔2026〕0001号"
    assert (rehearsal.state.version, rehearsal.state.phase) == (
        answer.state.version,
        answer.state.phase,
    )


def test_a_case_stands_where_it_stood_after_a_rehearsal(office):
    """What was only tried is not remembered either: the next command is decided without it."""
    mediation = office.mediation
    case_id = office.do(CLERK, "register", "register-case", a_registration()).stream.id
    refuse = office.ask(LEAD, "no", "refuse-case", {"reason_code": "duplicate"}, stream_id=case_id)
    assert mediation.rehearse(refuse).state.phase == "NOT_ACCEPTED"

    asked = {"party_id": str(mediation.log.fold(case_id, "case")[1].parties[0].party_id)}
    answer = office.do(CLERK, "ask", "ask-consent", {**asked, "means": "phone"}, stream_id=case_id)
    assert (answer.version, answer.state.phase) == (2, "CONSENT_PENDING")


def refusals(office: Office, case_id: UUID) -> dict[str, Request]:
    """Give a request for every way in which the door says no."""
    bodies: dict[str, tuple[str, str, dict[str, Any]]] = {
        "guard": (LEAD, "accept-case", {"within_scope": True, "within_district": True}),
        "wrong track": (LEAD, "grant-aid", {"criteria_code": "wage-arrears"}),
        "unknown code": (LEAD, "refuse-case", {"reason_code": "because"}),
        "role": (CLERK, "refuse-case", {"reason_code": "duplicate"}),
        "scope": ("lead@factory", "refuse-case", {"reason_code": "duplicate"}),
        "future": (
            LEAD,
            "raise-flag",
            {"flag": "MEDIA", "occurred_at": "2027-01-01T00:00:00+08:00"},
        ),
        "late": (
            LEAD,
            "raise-flag",
            {"flag": "MEDIA", "occurred_at": "2026-01-01T00:00:00+08:00"},
        ),
    }
    asked = {
        name: office.ask(who, name, command, body, stream_id=case_id)
        for name, (who, command, body) in bodies.items()
    }
    asked["version"] = msgspec.structs.replace(asked["guard"], expected_version=7)
    asked["no such case"] = msgspec.structs.replace(asked["guard"], stream_id=uuid4())
    return asked


def test_a_rehearsal_is_refused_as_the_real_thing_is(office, database):
    """Guard, track, code, role, scope, version and time: the same error in the same words."""
    mediation = office.mediation
    case_id = office.do(CLERK, "register", "register-case", a_registration()).stream.id
    head = mediation.log.head()
    for name, request in refusals(office, case_id).items():
        told = []
        for way in (mediation.rehearse, mediation.execute):
            with pytest.raises(MediationError) as caught:
                way(request)
            error = caught.value
            codes = tuple(it.code for it in error.refusals) if isinstance(error, Refused) else ()
            faults = error.faults if isinstance(error, Malformed) else ()
            told.append((type(error), error.code, error.detail, codes, faults))
        assert told[0] == told[1], name
        assert name != "late" or told[0][3] == ("back-dating-needs-approval",)

    assert mediation.log.head() == head


def test_who_tries_out_of_scope_is_recorded_though_nothing_was_written(office):
    """Trying is asking; that somebody asked stays on record."""
    case_id = office.do(CLERK, "register", "register-case", a_registration()).stream.id
    with pytest.raises(MediationError):
        office.mediation.rehearse(refusals(office, case_id)["scope"])

    (record,) = office.mediation.access.list_records(limit=9)
    assert (record.kind, record.actor_id) == (
        AccessKind.OUT_OF_SCOPE,
        office.accounts["lead@factory"],
    )


def test_a_late_entry_is_rehearsed_with_the_keys_it_needs(office):
    """Whoever submits learns beforehand whether the approvals at hand suffice."""
    body = a_registration(occurred_at="2026-02-10T09:00:00+08:00")
    request = office.ask(CLERK, "late", "register-case", body)
    with pytest.raises(NotAllowedNow):
        office.mediation.rehearse(request)

    token, _ = office.mediation.approve(office.accounts[LEAD], request)
    rehearsal = office.mediation.rehearse(msgspec.structs.replace(request, approvals=(token,)))
    (registered,) = (it for it in rehearsal.events if it.topic.startswith("case.registered"))
    assert registered.approved_by_ids == (office.accounts[LEAD],)
