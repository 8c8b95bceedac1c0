"""The door and what is typed in late: which keys it asks for, and what a key opens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import msgspec
import pytest

from mediation.application import SYSTEM, Answer, Mediation, Request
from mediation.calendar.working_days import SHANGHAI
from mediation.errors import (
    KeyReused,
    Malformed,
    MediationError,
    NotAllowedNow,
    NotFound,
    NotPermitted,
)
from mediation.kernel import decode
from mediation.store.access import AccessKind
from tests.conftest import Clock
from tests.wiring import Office, a_registration, an_office

CLERK, MEDIATOR, LEAD = "clerk@hengjie", "mediator@hengjie", "lead@hengjie"
COORDINATOR = "coordinator@hq"
TODAY = datetime(2026, 4, 20, 9, 0, tzinfo=SHANGHAI)


def days_ago(days: int) -> str:
    """Give nine o'clock in Shanghai so many days before today, as it is typed in."""
    return (TODAY - timedelta(days=days)).isoformat()


class Desk(NamedTuple):
    """An office in April with one case, registered there in March, and several clocks past."""

    office: Office
    case_id: UUID

    def late(self, days: int, *, who: str = CLERK, key: str = "late", **changes: Any) -> Request:
        """Ask to add a party that came up so many days ago."""
        body = {
            "side": "respondent",
            "party": {"role": "USING_UNIT", "company_name": "示例总包公司"},
            "occurred_at": days_ago(days),
        }
        return self.office.ask(who, key, "add-party", body | changes, stream_id=self.case_id)

    def approved(self, by: str, request: Request) -> str:
        """Let somebody approve a request."""
        return self.office.mediation.approve(self.office.accounts[by], request)[0]

    def send(self, request: Request, *approvals: str) -> Answer:
        """Submit a request with approvals."""
        return self.office.mediation.execute(msgspec.structs.replace(request, approvals=approvals))

    def refused(self, request: Request, *approvals: str) -> str:
        """Submit what has to be refused, and give the code of the one refusal."""
        head = self.office.mediation.log.head()
        with pytest.raises(NotAllowedNow) as caught:
            self.send(request, *approvals)
        assert self.office.mediation.log.head() == head
        (refusal,) = caught.value.refusals
        return refusal.code


def approvers_of(answer: Answer) -> set[tuple[UUID, ...]]:
    """Give who approved, as each event says; every key has its role."""
    events = [decode(it.topic, it.state) for it in answer.events]
    assert all(len(event.approved_as) == len(event.approved_by_ids) for event in events)
    return {event.approved_by_ids for event in events}


def a_desk(database: str, clock: Clock, door: type[Mediation] = Mediation) -> Iterator[Desk]:
    """Found an office, register a case in March, and let it be April."""
    with an_office(database, clock=clock, door=door) as office:
        case_id = office.do(CLERK, "register", "register-case", a_registration()).stream.id
        clock.now = TODAY
        yield Desk(office, case_id)


@pytest.fixture
def desk(sqlite_database: str, clock: Clock) -> Iterator[Desk]:
    """The desk on SQLite."""
    yield from a_desk(sqlite_database, clock)


@pytest.fixture
def any_desk(database: str, clock: Clock) -> Iterator[Desk]:
    """The desk, once on each kind of database."""
    yield from a_desk(database, clock)


# The ladder of keys


@pytest.mark.parametrize("days", [0, 7])
def test_for_seven_days_nobody_is_asked(desk, days):
    """What is a week old is typed in freely, and nobody stands as having approved it."""
    assert approvers_of(desk.send(desk.late(days))) == {()}


@pytest.mark.parametrize("days", [8, 30])
def test_up_to_thirty_days_the_lead_of_the_body_approves(any_desk, days):
    """Without his key it is refused; with it the event names him."""
    desk = any_desk
    request = desk.late(days)
    assert desk.refused(request) == "back-dating-needs-approval"

    answer = desk.send(request, desk.approved(LEAD, request))
    assert approvers_of(answer) == {(desk.office.accounts[LEAD],)}


@pytest.mark.parametrize("days", [31, 49])
def test_beyond_thirty_days_two_keys_are_needed(any_desk, days):
    """Lead and coordinator both approve, and stand in the event in that order."""
    desk = any_desk
    request = desk.late(days)
    lead, coordinator = (desk.approved(by, request) for by in (LEAD, COORDINATOR))
    for keys in ((), (lead,), (coordinator,), (lead, lead)):
        assert desk.refused(request, *keys) == "back-dating-needs-approval"

    answer = desk.send(request, coordinator, lead)
    accounts = desk.office.accounts
    assert approvers_of(answer) == {(accounts[LEAD], accounts[COORDINATOR])}


def test_the_refusal_says_which_key_is_missing(desk):
    """Whoever submits reads whom to ask, in both languages."""
    request = desk.late(31)
    with pytest.raises(NotAllowedNow) as caught:
        desk.send(request, desk.approved(LEAD, request))

    assert "尚缺：区级统筹员。" in caught.value.detail.zh
    assert "still missing: Coordinator." in caught.value.detail.en


def test_whoever_submits_holds_his_own_key(desk):
    """A lead types in what is eight days old by himself, and beside a coordinator what is older."""
    lead, coordinator = desk.office.accounts[LEAD], desk.office.accounts[COORDINATOR]
    assert approvers_of(desk.send(desk.late(8, who=LEAD, key="a"))) == {(lead,)}

    older = desk.late(31, who=LEAD, key="b")
    assert desk.refused(older) == "back-dating-needs-approval"
    answer = desk.send(older, desk.approved(COORDINATOR, older))
    assert approvers_of(answer) == {(lead, coordinator)}

    other_way = desk.late(31, who=COORDINATOR, key="c")
    assert desk.refused(other_way) == "back-dating-needs-approval"
    answer = desk.send(other_way, desk.approved(LEAD, other_way))
    assert approvers_of(answer) == {(lead, coordinator)}


def test_a_coordinator_alone_does_not_stand_in_for_the_lead(desk):
    """The key for thirty days is the lead's, whoever is above him."""
    assert desk.refused(desk.late(8, who=COORDINATOR)) == "back-dating-needs-approval"


def test_two_keys_are_two_people(desk):
    """Who is lead and coordinator at once opens one of the two locks, submitting or approving."""
    office = desk.office
    both = str(office.accounts[LEAD])
    office.do(
        "system",
        "second hat",
        "grant-role",
        {"account_id": both, "role": "coordinator", "body_id": "hq"},
    )
    assert desk.refused(desk.late(31, who=LEAD, key="own")) == "back-dating-needs-approval"

    request = desk.late(31)
    token = desk.approved(LEAD, request)
    assert desk.refused(request, token, token) == "back-dating-needs-approval"
    answer = desk.send(request, token, desk.approved(COORDINATOR, request))
    assert approvers_of(answer) == {(office.accounts[LEAD], office.accounts[COORDINATOR])}


def test_the_earliest_time_of_a_form_counts(desk):
    """A registration of last month does not become young by the form around it."""
    office, mediator = desk.office, str(desk.office.accounts[MEDIATOR])

    def form(days: int) -> Request:
        body = {
            "registration": a_registration(body_id="hengjie", occurred_at=days_ago(days)),
            "mediator_ids": [mediator],
        }
        return office.ask(LEAD, f"form {days}", "register-and-accept", body)

    assert approvers_of(desk.send(form(8))) == {(office.accounts[LEAD],)}
    assert desk.refused(form(31)) == "back-dating-needs-approval"


@pytest.mark.parametrize("changes", [{}, {"body_id": "hengjie"}])
def test_a_registration_is_approved_by_the_lead_of_the_body_it_is_made_at(desk, changes):
    """Named, or left to the grant of whoever registers."""
    body = a_registration(occurred_at=days_ago(8), **changes)
    request = desk.office.ask(CLERK, "late case", "register-case", body)
    assert desk.refused(request) == "back-dating-needs-approval"
    with pytest.raises(NotPermitted):
        desk.approved("lead@dongcheng", request)

    answer = desk.send(request, desk.approved(LEAD, request))
    assert answer.state.custody_body_id == "hengjie"
    assert approvers_of(answer) == {(desk.office.accounts[LEAD],)}


def test_the_timer_needs_no_key(desk):
    """What it records follows from a date, whenever it comes to it."""
    mediation = desk.office.mediation
    term = mediation.log.fold(desk.case_id, "case")[1].term
    request = Request(
        actor_id=SYSTEM,
        key="timer",
        command=desk.office.ask(
            "system",
            "timer",
            "lapse-term",
            {
                "code": term.code,
                "due_on": str(term.due_on),
                "start_event_id": str(term.start_event_id),
            },
        ).command,
        stream_id=desk.case_id,
    )

    assert approvers_of(mediation.execute(request)) == {()}


def test_what_lies_in_the_future_nobody_can_approve(desk):
    """A time to come is a slip, whoever holds which key."""
    request = desk.late(-1)
    with pytest.raises(Malformed) as caught:
        desk.send(request)

    assert caught.value.code == "future-time"
    assert [it.pointer for it in caught.value.faults] == ["/occurred_at"]


# What a key opens


def another_case(desk: Desk) -> UUID:
    """Register a second case at the same body."""
    return desk.office.do(CLERK, "second", "register-case", a_registration()).stream.id


@pytest.mark.parametrize(
    "changed",
    [
        lambda desk: desk.late(8, key="another key"),
        lambda desk: desk.late(9),
        lambda desk: desk.late(8, side="applicant"),
        lambda desk: desk.late(8, who=MEDIATOR),
        lambda desk: msgspec.structs.replace(desk.late(8), stream_id=another_case(desk)),
    ],
    ids=["key", "time", "body", "actor", "case"],
)
def test_an_approval_opens_one_command_alone(desk, changed: Callable[[Desk], Request]):
    """Another key, body, actor or case is another command."""
    token = desk.approved(LEAD, desk.late(8))

    assert desk.refused(changed(desk), token) == "approval-for-another-command"
    desk.send(desk.late(8), token)


def test_an_approval_is_used_once(desk):
    """Sent again the command gives the answer it had; it is never carried out a second time."""
    request = desk.late(8)
    token = desk.approved(LEAD, request)
    first = desk.send(request, token)

    assert desk.send(request, token) == desk.send(request) == first
    with pytest.raises(KeyReused):
        desk.send(desk.late(8, side="applicant"), token)


@pytest.mark.parametrize("cut", [1, -1])
def test_a_forged_approval_is_refused(desk, cut):
    """A letter more or less in what is written or in the signature, and it is not genuine."""
    request = desk.late(8)
    token = desk.approved(LEAD, request)

    assert desk.refused(request, token[:cut] + "A" + token[cut:]) == "approval-not-genuine"
    assert desk.refused(request, "approved") == "approval-not-genuine"


def revoke_lead(office: Office) -> None:
    """Take the role of the lead back, as of today."""
    body = {"account_id": str(office.accounts[LEAD]), "role": "lead", "body_id": "hengjie"}
    office.do("system", "revoke", "revoke-role", body)


def test_the_approval_of_somebody_whose_role_was_revoked_opens_nothing(desk):
    """What counts is what he may on the day of the entry."""
    request = desk.late(8)
    token = desk.approved(LEAD, request)
    revoke_lead(desk.office)

    assert desk.refused(request, token) == "back-dating-needs-approval"


class Overtaken(Mediation):
    """A door at which, once, a role is revoked after the decision and before the append."""

    between: Callable[[], None] | None = None

    def _append(self, *decided: Any) -> Answer:
        meanwhile, self.between = self.between, None
        if meanwhile is not None:
            meanwhile()
        return super()._append(*decided)


def test_a_role_revoked_at_the_last_moment_opens_nothing_either(
    database: str, clock: Clock
) -> None:
    """The grants of the approver are held against the append, like every state that was read."""
    for desk in a_desk(database, clock, Overtaken):
        request = desk.late(8)
        token = desk.approved(LEAD, request)
        door = desk.office.mediation
        assert isinstance(door, Overtaken)
        door.between = lambda desk=desk: revoke_lead(desk.office)
        version = door.log.fold(desk.case_id, "case")[0]

        with pytest.raises(NotAllowedNow) as caught:
            desk.send(request, token)
        assert caught.value.refusals[0].code == "back-dating-needs-approval"
        assert door.log.fold(desk.case_id, "case")[0] == version


# Who approves


@pytest.mark.parametrize("who", ["lead@dongcheng", "lead@hq", CLERK, MEDIATOR, "clerk@hq"])
def test_who_sees_the_case_but_holds_no_key_approves_nothing(desk, who):
    """Another body's lead does not answer for this one."""
    with pytest.raises(NotPermitted):
        desk.approved(who, desk.late(8, who=LEAD))


@pytest.mark.parametrize(("who", "days"), [(LEAD, 8), (LEAD, 31), (COORDINATOR, 31)])
def test_nobody_approves_what_he_submits_himself(desk, who, days):
    """His own key he holds anyway; drawing it is the business of another."""
    with pytest.raises(NotPermitted) as caught:
        desk.approved(who, desk.late(days, who=who))

    assert "不能批准本人提交的操作" in caught.value.detail.zh


def test_the_coordinator_is_not_asked_where_the_lead_suffices(desk):
    """For eight days his key opens nothing, so none is drawn."""
    with pytest.raises(NotPermitted):
        desk.approved(COORDINATOR, desk.late(8))


def test_who_does_not_see_the_case_is_told_nothing_and_recorded(desk):
    """The lead of the factory below learns not even that there is such a case."""
    office = desk.office
    with pytest.raises(NotFound):
        desk.approved("lead@factory", desk.late(8))

    (record,) = office.mediation.access.list_records(limit=9)
    assert (record.kind, record.actor_id, record.case_id) == (
        AccessKind.OUT_OF_SCOPE,
        office.accounts["lead@factory"],
        desk.case_id,
    )
    with pytest.raises(NotFound):
        desk.approved(LEAD, msgspec.structs.replace(desk.late(8), stream_id=uuid4()))


def test_what_is_free_needs_no_approval(desk):
    """Nobody is kept busy with keys that open nothing."""
    with pytest.raises(NotAllowedNow) as caught:
        desk.approved(LEAD, desk.late(7))

    assert [refusal.code for refusal in caught.value.refusals] == ["needs-no-approval"]


def test_approving_writes_nothing(desk):
    """An approval lies in nobody's drawer: until the command comes there is nothing on record."""
    mediation = desk.office.mediation
    head = mediation.log.head()
    desk.approved(LEAD, desk.late(8))

    assert mediation.log.head() == head


def test_what_the_submitter_may_not_do_is_approved_for_nobody(desk):
    """A key does not make up for a role."""
    body = {"within_scope": True, "within_district": True, "occurred_at": days_ago(8)}
    request = desk.office.ask(CLERK, "accept", "accept-case", body, stream_id=desk.case_id)

    with pytest.raises(NotPermitted):
        desk.approved(LEAD, request)


def test_a_command_without_a_case_has_nobody_to_approve_it(desk):
    """What a body or an account is from a day on stands in the command itself."""
    body = {
        "mediator_id": str(desk.office.accounts[MEDIATOR]),
        "body_id": "dongcheng",
        "occurred_at": days_ago(8),
    }
    request = desk.office.ask(COORDINATOR, "appoint", "appoint-mediator", body)

    with pytest.raises(MediationError):
        desk.approved(LEAD, request)
