"""The network of a district: bodies at their place in the ladder, mediators, accounts, grants."""

from datetime import UTC, date, datetime
from itertools import pairwise
from types import MappingProxyType
from uuid import UUID, uuid5

import msgspec
import pytest

from mediation import calendar, ladder
from mediation.errors import Malformed, MediationError, NotFound, Refused
from mediation.kernel import (
    Actor,
    Command,
    StreamRef,
    check_registries,
    decode,
    encode,
    events,
    fold,
    handled,
    initial_state,
    kebab,
    kind_of,
)
from mediation.network import (
    CHAPTERS,
    AccountOpened,
    AppointMediator,
    CloseServicePoint,
    ConfirmationRoute,
    EndAppointment,
    GrantRole,
    NetworkState,
    OfficeFacts,
    OpenAccount,
    OpenServicePoint,
    RevokeRole,
    Role,
    SetCapacity,
    account_stream,
    network_stream,
)
from mediation.privacy import Personal, Sealed, Unsealed, open_sealed, seal_value, transform

LADDER = ladder.load_ref("standard-v1")
CALENDAR = calendar.default()
SEED = UUID("00000000-0000-4000-8000-000000000001")
COORDINATOR = UUID(int=9)
WANG = uuid5(SEED, "wang")
LI = uuid5(SEED, "li")
MARCH = date(2026, 3, 2)
APRIL = date(2026, 4, 1)
MAY = date(2026, 5, 1)

# What the levels are called is read from the ladder, so that any ladder would do.
LOW, SECOND, THIRD, TOP = (level.code for level in LADDER.levels)


class Office:
    """One log in memory: decides commands as the door would, and folds what was decided."""

    def __init__(self, district="hy"):
        self.district = district
        self.network_ref = network_stream(district)
        self.log = {}
        self.count = 0

    def state(self, ref):
        return fold(initial_state(ref.kind), self.log.get(ref, ()))

    @property
    def network(self):
        return self.state(self.network_ref)

    def do(self, command, *, on=MARCH, ref=None):
        self.count += 1
        if ref is None:
            is_network = command.stream_kind == "network"
            ref = self.network_ref if is_network else account_stream(command.account_id)
        at = datetime(on.year, on.month, on.day, 1, 0, tzinfo=UTC)
        facts = OfficeFacts(
            at=at,
            occurred_at=command.occurred_at or at,
            actor=Actor(actor_id=COORDINATOR, role="coordinator", body_id="hy"),
            district=self.district,
            stream=ref,
            command_id=uuid5(SEED, f"command {self.count}"),
            correlation_id=uuid5(SEED, f"command {self.count}"),
            seed=uuid5(SEED, f"seed {self.count}"),
            ladder=LADDER,
            calendar=CALENDAR,
            network=self.network,
        )
        registered = handled(command)
        reads = {other: self.state(other) for other in registered.reads(command, facts)}
        facts = msgspec.structs.replace(facts, streams=reads)
        decided = registered.decide(self.state(ref), command, facts)
        assert all(other == ref for other, _ in decided.events)
        self.log[ref] = (*self.log.get(ref, ()), *decided.on(ref))
        return decided.on(ref)


def point(body_id, level, parent_id, **changes):
    """Ask for a body with a kind and branch that its level has."""
    rung = LADDER.level(level)
    fields = {
        "body_id": body_id,
        "name_zh": f"{body_id}调解组织",
        "name_en": f"Body {body_id}",
        "level": level,
        "branch": rung.branches[0].code if rung.branches else None,
        "kind": rung.bodies[0].code,
        "parent_id": parent_id,
        "number_prefix": body_id.upper(),
    }
    return OpenServicePoint(**(fields | changes))


def capacity(body_id, **changes):
    """Settle that a body may do everything."""
    fields = {
        "body_id": body_id,
        "legal_basis": "L-LDMA 10(3)",
        "seal": True,
        "may_seal": True,
        "oral_ok": True,
        "confirmation_route": ConfirmationRoute.REVIEW_OR_COURT,
    }
    return SetCapacity(**(fields | changes))


@pytest.fixture
def office():
    """A district with a street, a village below it, and a firm below the village."""
    built = Office()
    built.do(point("hy", TOP, None))
    built.do(point("dongcheng", THIRD, "hy"))
    built.do(point("hengjie", SECOND, "dongcheng"))
    built.do(point("factory", LOW, "hengjie"))
    return built


def refused(office, command, *, on=MARCH, ref=None):
    """Give the codes of a refusal, which is bilingual and leaves nothing behind."""
    before = dict(office.log)
    with pytest.raises(Refused) as caught:
        office.do(command, on=on, ref=ref)
    assert office.log == before
    for refusal in caught.value.refusals:
        assert any("一" <= letter <= "鿿" for letter in refusal.zh)
        assert refusal.en.isascii()
    return tuple(refusal.code for refusal in caught.value.refusals)


def test_the_registries_are_whole():
    """Every event of the network has its evolution, its stream kind and storable fields."""
    check_registries()

    own = {name for name in events() if kind_of(name) in ("network", "account")}
    assert own == {
        "account.opened/1",
        "account.role-granted/1",
        "account.role-revoked/1",
        "network.appointment-ended/1",
        "network.capacity-set/1",
        "network.mediator-appointed/1",
        "network.service-point-closed/1",
        "network.service-point-opened/1",
    }


def test_every_topic_is_its_class_in_kebab_case_without_the_stream_name():
    """Topics follow from class names; the name of the stream does not stand in them twice."""
    for event_type in events().values():
        kind = kind_of(event_type.topic)
        if kind in ("network", "account"):
            own = kebab(event_type.__name__).removeprefix(f"{kind}-")
            assert event_type.topic == f"{kind}.{own}/1"


def test_every_command_of_the_network_is_a_decision_of_the_office():
    """None is a recorded fact, so a guard may refuse each; only opening an account creates."""
    own = [
        value
        for chapter in CHAPTERS
        for value in vars(chapter).values()
        if isinstance(value, type) and issubclass(value, Command) and value.stream_kind
    ]

    assert len(own) == 8
    assert not any(command.is_fact for command in own)
    assert [command for command in own if command.creates] == [OpenAccount]


def test_a_body_hangs_below_its_parent_and_its_path_tells_all_above(office):
    """The path is the parent's path with the body's own id and a slash."""
    bodies = office.network.bodies

    assert bodies["factory"].path == "/hy/dongcheng/hengjie/factory/"
    assert [body.body_id for body in office.network.children_of("hy")] == ["dongcheng"]
    for parent, child in pairwise(("hy", "dongcheng", "hengjie", "factory")):
        assert bodies[child].parent_id == parent
        assert bodies[child].path.startswith(bodies[parent].path)


@pytest.mark.parametrize("parent_id", ["hy", "dongcheng", "hengjie"])
def test_a_body_at_the_lowest_level_may_hang_under_any_level_above(office, parent_id):
    """A point in a firm may stand directly below the village, the street or the district."""
    office.do(point("point-2", LOW, parent_id))

    assert office.network.body("point-2").path.endswith(f"/{parent_id}/point-2/")


@pytest.mark.parametrize(
    ("command", "codes"),
    [
        (point("hy", TOP, None, number_prefix="N"), ("body-id-taken",)),
        (point("new", THIRD, "hy", number_prefix="HY"), ("number-prefix-taken",)),
        (point("new", THIRD, None), ("parent-missing",)),
        (point("new", THIRD, "dongcheng"), ("parent-not-higher",)),
        (point("new", TOP, "hy"), ("parent-not-higher",)),
        (point("new", SECOND, "factory"), ("parent-not-higher",)),
        (
            msgspec.structs.replace(point("new", THIRD, "hy"), level="nowhere"),
            ("level-unknown",),
        ),
        (point("new", SECOND, "hy", branch=None), ("branch-unknown",)),
        (point("new", SECOND, "hy", branch="nothing"), ("branch-unknown",)),
        (point("new", THIRD, "hy", branch="village"), ("branch-unknown",)),
        (point("new", THIRD, "hy", kind="circuit-room"), ("kind-unknown",)),
        (point("new", THIRD, "hy", opened_on=date(2026, 3, 1)), ("parent-closed",)),
        (
            point("hy", THIRD, None, kind="x", branch="x"),
            (
                "body-id-taken",
                "number-prefix-taken",
                "parent-missing",
                "branch-unknown",
                "kind-unknown",
            ),
        ),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else "",
)
def test_a_body_that_has_no_place_in_the_ladder_is_refused(office, command, codes):
    """Every guard that does not hold is named, all at once, and nothing is decided."""
    assert refused(office, command) == codes


@pytest.mark.parametrize("body_id", ["a", "", "A1", "a/b", "-ab", "ab\n", "a_b", "a" * 64, "东城"])
def test_a_body_id_that_could_bend_a_path_is_malformed(office, body_id):
    """Scope is decided on paths made of these ids, so nothing but letters, digits, hyphens."""
    with pytest.raises(Malformed) as caught:
        office.do(msgspec.structs.replace(point("new", THIRD, "hy"), body_id=body_id))

    assert [fault.pointer for fault in caught.value.faults] == ["/body_id"]


def test_an_unknown_body_is_not_found_in_both_languages(office):
    """The answer says what to do and does not repeat what was typed."""
    with pytest.raises(NotFound) as caught:
        office.network.body("nobody")

    assert caught.value.code == "body-unknown"
    assert "名录" in caught.value.detail.zh
    assert "nobody" not in caught.value.detail.zh + caught.value.detail.en


def test_a_body_closes_only_after_those_below_it(office):
    """An open child keeps its parent open; closed from the bottom, each has force that day."""
    assert refused(office, CloseServicePoint(body_id="hengjie")) == ("children-open",)

    office.do(CloseServicePoint(body_id="factory", closed_on=APRIL))
    assert refused(office, CloseServicePoint(body_id="hengjie", closed_on=MARCH)) == (
        "children-open",
    )
    office.do(CloseServicePoint(body_id="hengjie", closed_on=APRIL))

    body = office.network.body("hengjie")
    assert body.is_open(date(2026, 3, 31))
    assert not body.is_open(APRIL)
    assert not body.is_open(date(2026, 3, 1))


def test_a_body_does_not_close_twice_nor_before_it_opened(office):
    """Closing is refused when there is nothing to close."""
    early = CloseServicePoint(body_id="factory", closed_on=date(2026, 1, 1))
    assert refused(office, early) == ("closed-before-opened",)

    office.do(CloseServicePoint(body_id="factory"))

    assert refused(office, CloseServicePoint(body_id="factory")) == ("already-closed",)


def test_nothing_begins_at_a_closed_body(office):
    """No child, capacity, mediator or grant begins where the body no longer works."""
    office.do(OpenAccount(display_name=Personal("王")), ref=account_stream(WANG))
    office.do(CloseServicePoint(body_id="factory", closed_on=MARCH))
    office.do(CloseServicePoint(body_id="hengjie", closed_on=MARCH))

    assert refused(office, point("new", LOW, "hengjie")) == ("parent-closed",)
    assert refused(office, capacity("factory")) == ("body-not-open",)
    assert refused(office, AppointMediator(mediator_id=WANG, body_id="factory")) == (
        "body-not-open",
    )
    grant = GrantRole(account_id=WANG, role=Role.CLERK, body_id="factory")
    assert refused(office, grant) == ("body-not-open",)


def test_a_number_prefix_is_never_used_again(office):
    """A closed body keeps its prefix, because a case number is never reused."""
    office.do(CloseServicePoint(body_id="factory"))

    again = point("factory-2", LOW, "hengjie", number_prefix="FACTORY")
    assert refused(office, again) == ("number-prefix-taken",)


def test_the_capacity_of_a_body_is_that_of_the_day_asked(office):
    """Capacities are dated; on one day the one recorded last holds; before all there is none."""
    office.do(capacity("dongcheng", may_seal=False, from_on=APRIL))
    office.do(capacity("dongcheng", from_on=MAY))
    body = office.network.body("dongcheng")
    assert body.capacity_on(MARCH) is None
    assert not body.capacity_on(APRIL).may_seal
    assert not body.capacity_on(date(2026, 4, 30)).may_seal
    assert body.capacity_on(MAY).may_seal

    office.do(capacity("dongcheng", oral_ok=False, single_handed=True, from_on=APRIL))

    body = office.network.body("dongcheng")
    assert body.capacity_on(APRIL).single_handed
    assert not body.capacity_on(APRIL).oral_ok
    assert not body.capacity_on(MAY).single_handed


def test_a_body_without_a_seal_is_not_allowed_to_seal(office):
    """Sealing presupposes a seal of one's own."""
    assert refused(office, capacity("factory", seal=False)) == ("no-seal",)

    office.do(capacity("factory", seal=False, may_seal=False))
    assert office.network.body("factory").capacity_on(MARCH).from_on == MARCH


def test_a_mediator_is_active_from_appointment_until_its_end(office):
    """The day named as end no longer counts, and another body is another appointment."""
    numbered = AppointMediator(mediator_id=LI, body_id="dongcheng", qualifications=("A2026-1",))
    with pytest.raises(Malformed):
        office.do(numbered)
    office.do(AppointMediator(mediator_id=LI, body_id="dongcheng", qualifications=("lawyer",)))
    office.do(AppointMediator(mediator_id=WANG, body_id="dongcheng", from_on=APRIL))
    office.do(EndAppointment(mediator_id=LI, body_id="dongcheng", until_on=MAY))
    network = office.network

    assert not network.is_active_mediator(LI, "dongcheng", date(2026, 3, 1))
    assert network.is_active_mediator(LI, "dongcheng", MARCH)
    assert not network.is_active_mediator(LI, "dongcheng", MAY)
    assert not network.is_active_mediator(LI, "hengjie", MARCH)
    assert network.mediators_of("dongcheng", MARCH) == (LI,)
    assert network.mediators_of("dongcheng", APRIL) == (LI, WANG)
    assert network.mediators_of("dongcheng", MAY) == (WANG,)
    assert network.mediators_of("nobody", MAY) == ()


def test_a_closed_body_has_no_mediators(office):
    """An appointment without end has no force after the body closed."""
    office.do(AppointMediator(mediator_id=LI, body_id="factory"))
    office.do(CloseServicePoint(body_id="factory", closed_on=APRIL))

    assert office.network.mediators_of("factory", MARCH) == (LI,)
    assert office.network.mediators_of("factory", APRIL) == ()


def test_appointments_do_not_overlap_and_end_once(office):
    """A second appointment waits for the end of the first; what has ended does not end again."""
    appoint = AppointMediator(mediator_id=LI, body_id="dongcheng")
    end = EndAppointment(mediator_id=LI, body_id="dongcheng")
    assert refused(office, end) == ("not-appointed",)

    office.do(appoint)
    assert refused(office, appoint, on=APRIL) == ("already-appointed",)
    assert refused(office, msgspec.structs.replace(end, until_on=date(2026, 1, 1))) == (
        "ended-before-begun",
    )
    office.do(end, on=APRIL)
    assert refused(office, end, on=APRIL) == ("not-appointed",)
    assert refused(office, appoint, on=MARCH) == ("already-appointed",)
    office.do(appoint, on=APRIL)

    assert office.network.mediators_of("dongcheng", APRIL) == (LI,)


@pytest.fixture
def staffed(office):
    """The same district with one account."""
    office.do(OpenAccount(display_name=Personal("王小林")), ref=account_stream(WANG))
    return office


def test_the_name_of_an_account_reaches_the_log_only_sealed(staffed):
    """Unsealed it cannot be encoded; sealed it belongs to the account and serves identity."""
    (opened,) = staffed.log[account_stream(WANG)]
    assert isinstance(opened, AccountOpened)
    with pytest.raises(TypeError):
        encode(opened)

    key, aad = b"k" * 32, b"place"
    stored = transform(
        opened,
        lambda _path, value: seal_value(value, kid="1", key=key, nonce=b"n" * 12, aad=aad),
        Unsealed,
    )
    assert "王小林" not in encode(stored).decode()
    assert decode(stored.topic, encode(stored)) == stored
    assert isinstance(stored.display_name, Sealed)
    assert stored.display_name.subject_id == WANG
    assert stored.display_name.purpose == "identity"
    assert open_sealed(stored.display_name, key=key, aad=aad) == "王小林"


def test_an_account_is_opened_once_and_before_any_grant(staffed):
    """A second opening is refused; a grant to nobody is not found."""
    again = OpenAccount(display_name=Personal("王"))
    assert refused(staffed, again, ref=account_stream(WANG)) == ("account-exists",)

    for command in (
        GrantRole(account_id=LI, role=Role.LEAD, body_id="dongcheng"),
        RevokeRole(account_id=LI, role=Role.LEAD, body_id="dongcheng"),
    ):
        with pytest.raises(NotFound) as caught:
            staffed.do(command)
        assert caught.value.code == "account-unknown"


def test_a_grant_holds_the_path_of_its_body_and_its_days(staffed):
    """Scope needs nothing but the grants: role, body, path, first day, first day after."""
    staffed.do(
        GrantRole(account_id=WANG, role=Role.LEAD, body_id="dongcheng", from_on=APRIL, until_on=MAY)
    )
    account = staffed.state(account_stream(WANG))

    assert account.account_id == WANG
    assert account.live(MARCH) == ()
    (grant,) = account.live(APRIL)
    assert (grant.role, grant.body_id, grant.path) == ("lead", "dongcheng", "/hy/dongcheng/")
    assert account.live(MAY) == ()


def test_a_revoked_role_has_no_force_from_that_very_day(staffed):
    """Revoking without a day takes the role back at once, in both of two grants if need be."""
    grant = GrantRole(account_id=WANG, role=Role.LEAD, body_id="dongcheng")
    revoke = RevokeRole(account_id=WANG, role=Role.LEAD, body_id="dongcheng")
    staffed.do(msgspec.structs.replace(grant, until_on=APRIL))
    staffed.do(msgspec.structs.replace(grant, from_on=MAY))
    staffed.do(GrantRole(account_id=WANG, role=Role.CLERK, body_id="dongcheng"))

    staffed.do(revoke, on=date(2026, 3, 9))

    account = staffed.state(account_stream(WANG))
    assert [g.role for g in account.live(date(2026, 3, 8))] == ["lead", "clerk"]
    assert [g.role for g in account.live(date(2026, 3, 9))] == ["clerk"]
    assert [g.role for g in account.live(MAY)] == ["clerk"]
    assert refused(staffed, revoke, on=MAY) == ("not-granted",)
    staffed.do(grant, on=APRIL)
    assert len(staffed.state(account_stream(WANG)).live(MAY)) == 2


def test_a_grant_that_makes_no_sense_is_refused(staffed):
    """No overlap, no end before the beginning, and nobody is the system."""
    grant = GrantRole(account_id=WANG, role=Role.LEAD, body_id="dongcheng")
    staffed.do(msgspec.structs.replace(grant, from_on=APRIL, until_on=MAY))

    overlapping = msgspec.structs.replace(grant, from_on=MARCH, until_on=date(2026, 4, 2))
    assert refused(staffed, overlapping) == ("already-granted",)
    assert refused(staffed, grant) == ("already-granted",)
    assert refused(staffed, msgspec.structs.replace(grant, from_on=MAY, until_on=MAY)) == (
        "ends-before-it-begins",
    )
    assert refused(staffed, msgspec.structs.replace(grant, role=Role.SYSTEM)) == (
        "role-not-grantable",
    )
    staffed.do(msgspec.structs.replace(grant, from_on=MARCH, until_on=APRIL))
    staffed.do(msgspec.structs.replace(grant, from_on=MAY))
    with pytest.raises(NotFound):
        staffed.do(msgspec.structs.replace(grant, body_id="nobody"))


def test_a_grant_reads_the_network_so_that_a_closing_body_cannot_slip_by(staffed):
    """The network stream is among those the decision depends on."""
    command = GrantRole(account_id=WANG, role=Role.LEAD, body_id="dongcheng")
    facts = OfficeFacts(
        at=datetime(2026, 3, 2, tzinfo=UTC),
        occurred_at=datetime(2026, 3, 2, 16, 0, tzinfo=UTC),
        actor=Actor(actor_id=WANG, role="coordinator"),
        district="hy",
        stream=account_stream(WANG),
        command_id=SEED,
        correlation_id=SEED,
        seed=SEED,
        ladder=LADDER,
        calendar=CALENDAR,
        network=staffed.network,
    )

    assert handled(command).reads(command, facts) == (network_stream("hy"),)
    assert facts.occurred_on == date(2026, 3, 3)


def test_each_district_has_one_network_stream_for_ever():
    """The id follows from the district alone; changing it would orphan every stored network."""
    assert network_stream("hy") == StreamRef(
        "network", UUID("91d9a5a8-ec8b-55b5-89cf-e9532f2c9f52")
    )
    assert network_stream("hy") != network_stream("jj")


def test_stored_events_come_back_as_they_were_and_fold_to_the_same_state(staffed):
    """Bytes to events, events to state: nothing is lost, and losing any one event is noticed."""
    staffed.do(capacity("dongcheng", from_on=APRIL))
    staffed.do(AppointMediator(mediator_id=LI, body_id="dongcheng", qualifications=("lawyer",)))
    staffed.do(EndAppointment(mediator_id=LI, body_id="dongcheng", until_on=MAY))
    staffed.do(GrantRole(account_id=WANG, role=Role.LEAD, body_id="dongcheng"))
    staffed.do(RevokeRole(account_id=WANG, role=Role.LEAD, body_id="dongcheng"))
    staffed.do(CloseServicePoint(body_id="factory", closed_on=APRIL))

    live = list(staffed.log[staffed.network_ref])
    stored = [decode(event.topic, encode(event)) for event in live]
    assert stored == live
    assert fold(NetworkState(), stored) == staffed.network
    for lost in range(len(stored)):
        assert fold(NetworkState(), stored[:lost] + stored[lost + 1 :]) != staffed.network
    for event in staffed.log[account_stream(WANG)][1:]:
        assert decode(event.topic, encode(event)) == event


def test_folding_never_raises_on_a_history_with_gaps(staffed):
    """Evolutions are total: an event on an unknown body or person leaves the state as it is."""
    staffed.do(capacity("dongcheng"))
    staffed.do(AppointMediator(mediator_id=LI, body_id="dongcheng"))
    staffed.do(EndAppointment(mediator_id=LI, body_id="dongcheng"))
    staffed.do(GrantRole(account_id=WANG, role=Role.LEAD, body_id="dongcheng"))
    staffed.do(RevokeRole(account_id=WANG, role=Role.LEAD, body_id="dongcheng"))
    staffed.do(CloseServicePoint(body_id="factory"))

    for kind, log in (
        ("network", staffed.log[staffed.network_ref]),
        ("account", staffed.log[account_stream(WANG)]),
    ):
        for event in log:
            fold(initial_state(kind), [event])
        fold(initial_state(kind), reversed(log))


def test_a_state_of_the_network_cannot_be_changed_in_place(office):
    """States are kept by the door, so nobody may write into one; a dict would let it happen."""

    def is_safe(bodies):
        with pytest.raises(TypeError):
            bodies["new"] = bodies["hy"]

    is_safe(office.network.bodies)
    is_safe(MappingProxyType(dict(office.network.bodies)))
    with pytest.raises(pytest.fail.Exception):
        is_safe(dict(office.network.bodies))


def test_a_decision_is_a_pure_function_of_its_arguments(office):
    """The same command twice on the same state gives the same event, byte for byte."""
    command = point("twin", LOW, "hengjie")
    first, second = Office(), Office()
    for twin in (first, second):
        twin.log = {office.network_ref: office.log[office.network_ref]}
        twin.do(command)

    assert [encode(e) for e in first.log[office.network_ref]] == [
        encode(e) for e in second.log[office.network_ref]
    ]


def test_errors_of_the_network_belong_to_the_one_tree(office):
    """Whatever is refused can be told to a person: it is an error made on purpose."""
    with pytest.raises(MediationError):
        office.do(CloseServicePoint(body_id="nobody"))
