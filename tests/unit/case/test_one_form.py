"""一表办: a small case from registration to its end on one form, within the ladder's limits."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediation.calendar import day_of, first_moment_of
from mediation.case.assignment import AssignMediators, ConfirmAssignment
from mediation.case.closing import CaseClosed, CloseCase
from mediation.case.composites import (
    PaymentEntry,
    PerformAndClose,
    RegisterAndSettleSmallCase,
    SmallWorker,
)
from mediation.case.conclusion import MediationConcluded
from mediation.case.consent import AcceptCase
from mediation.case.intake import LineEntry, PartyEntry, RaiseFlag
from mediation.case.performance import ObligationEntry, RecordPerformance
from mediation.case.sessions import ServeRightsNotice
from mediation.case.settlement import (
    GiveUndertaking,
    OralAgreementRecorded,
    RecordOralAgreement,
    RecordSettlement,
)
from mediation.case.values import Instrument, MeansCode, Outcome, Phase
from mediation.errors import Malformed
from mediation.kernel import Actor, read_command
from mediation.ladder import Risk
from mediation.privacy import Personal, personal_from_json
from tests.scenario import (
    STANDARD,
    Scenario,
    a_registration,
    alike,
    expect,
    lead_of,
    mediators_of,
    moment,
)

FIRST, SECOND = mediators_of("hengjie")
ALONE = Actor(actor_id=FIRST, role="mediator", body_id="hengjie")
TODAY = date(2026, 3, 2)
EMPLOYER = PartyEntry(role="EMPLOYER", company_name="示例模具厂（合成数据）")


def a_form(**changes: Any) -> RegisterAndSettleSmallCase:
    """Fill in the form: wages of one worker, agreed by word of mouth and paid on the spot."""
    fields: dict[str, Any] = {
        "channel": "walk-in",
        "body_id": "hengjie",
        "workers": (worker(),),
        "employer": EMPLOYER,
        "cause": "C13",
        "request": Personal("请求支付拖欠工资。"),
        "consent_means": "attending",
        "instrument": "oral",
        "paid_on": TODAY,
        "mediator_id": FIRST,
    }
    return RegisterAndSettleSmallCase(**(fields | changes))


def worker(at: int = 0, claimed: int = 120_000, agreed: int | None = None) -> SmallWorker:
    """Enter one worker on the form."""
    return SmallWorker(
        name=Personal(f"职工{at}"),
        phone=Personal("13800000000"),
        claimed_fen=claimed,
        agreed_fen=agreed,
    )


# The form as it is sent


BODY = {
    "occurred_at": "2026-03-02T09:30:00+08:00",
    "channel": "circuit-visit",
    "workers": [{"name": "示例职工小林", "phone": "13800000001", "claimed_fen": 120_000}],
    "employer": {"role": "EMPLOYER", "company_name": "示例模具厂（合成数据）"},
    "cause": "C13",
    "request": "请求支付拖欠工资1200元",
    "consent_means": "attending",
    "instrument": "oral",
    "paid_on": "2026-03-02",
}


def leaves(value: Any) -> int:
    """Count the fields that somebody has to fill in."""
    if isinstance(value, dict):
        return sum(map(leaves, value.values()))
    return sum(map(leaves, value)) if isinstance(value, list) else 1


def typed_in(body: Any) -> RegisterAndSettleSmallCase:
    """Read a body as the door does."""
    return read_command(
        RegisterAndSettleSmallCase,
        json.dumps(body).encode(),
        lambda _wanted, value: personal_from_json(value),
    )


def test_twelve_fields_settle_a_small_case_in_the_events_of_scenario_seventeen():
    """One worker, 1,200 yuan, a village point run by one person: these events and no others."""
    assert leaves(BODY) <= 12
    scenario = Scenario()
    scenario.now = moment("2026-03-02T10:00+08:00")
    scenario.do(typed_in(BODY), by=ALONE)
    told = [event.topic.rpartition("/")[0] for event in scenario.everything]

    assert told == [
        "case-number.issued",
        "case.registered",
        "case.consent-recorded",
        "case.consent-recorded",
        "case.accepted",
        "case.mediators-assigned",
        "case.assignment-confirmed",
        "case.rights-notice-served",
        "case.rights-notice-served",
        "case.session-held",
        "case.oral-agreement-recorded",
        "case.mediation-concluded",
        "case.obligation-performed",
        "case.obligations-fully-performed",
        "case.closed",
    ]
    concluded = scenario.events[-4]
    assert (type(concluded), concluded.outcome) == (MediationConcluded, Outcome.AGREED)
    assert len({event.command_id for event in scenario.everything}) == 1
    assert {event.occurred_at for event in scenario.events[:-1]} == {
        moment("2026-03-02T09:30+08:00")
    }
    assert scenario.events[-1].occurred_at == scenario.now
    assert scenario.case.irregularities == ()
    assert {it.code for it in scenario.case.due.values()} == {"D18", "D24"}
    assert scenario.case.due["D24"].due_on == date(2026, 3, 9)


def test_rehearsing_the_form_writes_nothing():
    """The same decision, without the record."""
    scenario = Scenario()
    decided = scenario.decide(a_form())

    assert len(decided.events) == 14, "nobody confirms for the mediator"
    assert scenario.log == {}


def test_a_form_says_when_what_it_records_happened():
    """The visit and the day of payment, so that the door can hold both to its bounds."""
    visit = moment("2026-03-02T09:00+08:00")
    alone = {"/occurred_at": visit}
    assert a_form(occurred_at=visit, paid_on=None, due_on=TODAY).moments() == alone
    paid_before = a_form(occurred_at=visit, paid_on=TODAY - timedelta(days=1))
    assert paid_before.moments() == alone | {"/paid_on": moment("2026-03-01T00:00+08:00")}
    paid_after = a_form(occurred_at=visit, paid_on=TODAY + timedelta(days=1))
    assert paid_after.moments() == alone
    assert a_form(occurred_at=visit, paid_on=TODAY).moments() == alone
    assert a_form().moments() == {"/occurred_at": None}
    with pytest.raises(Malformed):
        typed_in(BODY | {"paid_on": "0001-01-01"})


# The events of its commands


HELD: dict[MeansCode, tuple[str, MeansCode]] = {
    "phone": ("phone", "phone"),
    "wechat": ("online", "wechat"),
    "sms": ("online", "sms"),
    "attending": ("joint", "attending"),
    "written": ("joint", "attending"),
}
"""By how consent was given: how the session was held, and how the rights were told."""


def step_by_step(form: RegisterAndSettleSmallCase, scenario: Scenario, by: Actor) -> None:
    """Take every step of the form by itself."""
    at = scenario.now if form.occurred_at is None else form.occurred_at
    on = form.paid_on or form.due_on
    assert on is not None

    def do(command: Any, occurred_at: Any = at) -> None:
        scenario.do(msgspec.structs.replace(command, occurred_at=occurred_at), by=by)

    do(
        a_registration(
            channel=form.channel,
            oral=True,
            request=form.request,
            cause=form.cause,
            applicants=tuple(
                PartyEntry(role="WORKER", name=it.name, phone=it.phone) for it in form.workers
            ),
            respondents=(form.employer,),
            lines=tuple(
                LineEntry(applicant=index, cause=form.cause, claimed_fen=it.claimed_fen)
                for index, it in enumerate(form.workers)
            ),
        )
    )
    for flag in form.flags:
        do(RaiseFlag(flag=flag))
    for party in scenario.case.parties:
        do(msgspec.structs.replace(scenario.consent(party), means=form.consent_means))
    do(AcceptCase(within_scope=True, within_district=True))
    mediator_id = form.mediator_id or by.actor_id
    do(AssignMediators(mediator_ids=(mediator_id,), lead_mediator_id=mediator_id))
    if mediator_id == by.actor_id:
        do(ConfirmAssignment(mediator_id=mediator_id))
    everybody = tuple(party.party_id for party in scenario.case.parties)
    for party_id in everybody:
        do(ServeRightsNotice(party_id=party_id, means=HELD[form.consent_means][1]))
    result = "undertaking" if form.instrument == "undertaking" else "agreed"
    text = form.text or Personal("见《简易调解登记表》。")
    do(scenario.session(minutes=text, result=result, mode=HELD[form.consent_means][0]))
    paper: dict[str, Any] = {
        "text": text,
        "obligations": tuple(
            ObligationEntry(
                line_id=line.line_id, agreed_fen=it.agreed_fen or it.claimed_fen, due_on=on
            )
            for line, it in zip(scenario.case.lines, form.workers, strict=True)
            if it.agreed_fen or it.claimed_fen
        ),
    }
    if form.instrument == "oral":
        on_the_spot = form.paid_on is not None and form.paid_on <= day_of(at)
        do(
            RecordOralAgreement(agreed_by_ids=everybody, done_on_the_spot=on_the_spot, **paper),
        )
    else:
        do(
            RecordSettlement(signed_by_ids=everybody, **paper)
            if form.instrument == "settlement"
            else GiveUndertaking(respondent_id=everybody[-1], **paper)
        )
        do(scenario.conclusion())
    if form.paid_on is None:
        return
    paid_at = at if form.paid_on == day_of(at) else first_moment_of(form.paid_on)
    for payment in scenario.case.payments:
        pay = RecordPerformance(
            obligation_id=payment.obligation.obligation_id,
            paid_fen=payment.obligation.agreed_fen,
            payment_means="other",
            proof_kind="worker-confirmed",
        )
        do(pay, paid_at)
    do(CloseCase(), scenario.now)


def without_review(events: tuple[Any, ...]) -> tuple[Any, ...]:
    """Leave out D24, which tells a case on one form from one that was taken step by step."""
    return tuple(
        msgspec.structs.replace(event, due=tuple(it for it in event.due if it.code != "D24"))
        if isinstance(event, CaseClosed)
        else event
        for event in events
    )


@settings(max_examples=80, deadline=None)
@given(
    sums=st.lists(
        st.tuples(st.integers(0, 300_000), st.none() | st.integers(1, 300_000)),
        min_size=1,
        max_size=3,
    ),
    instrument=st.sampled_from(("oral", "settlement", "undertaking")),
    days=st.tuples(st.integers(0, 4), st.integers(-6, 9)),
    is_paid=st.booleans(),
    flags=st.sets(st.sampled_from(("MIGRANT", "MEDIA", "EMPLOYER_CLOSED"))),
    mediator_id=st.sampled_from((None, FIRST, SECOND)),
    text=st.sampled_from((None, Personal("双方当场结清。"))),
    means=st.sampled_from(sorted(HELD)),
)
def test_the_form_leaves_what_its_commands_leave(
    *, sums, instrument, days, is_paid, flags, mediator_id, text, means
):
    """Over workers, sums, papers, days, flags and mediators: the same events in the same order."""
    now = moment("2026-03-10T10:00+08:00")
    visit_before, other = days
    visited_at = now - timedelta(days=visit_before)
    on = day_of(visited_at) + timedelta(days=other)
    if is_paid:
        on = min(on, day_of(now))
    if instrument == "undertaking":
        sums = [(claimed or 1, agreed) for claimed, agreed in sums]
    form = a_form(
        workers=tuple(worker(at, *it) for at, it in enumerate(sums)),
        instrument=instrument,
        paid_on=on if is_paid else None,
        due_on=None if is_paid else on,
        flags=tuple(sorted(flags)),
        mediator_id=mediator_id,
        text=text,
        consent_means=means,
        occurred_at=visited_at if visit_before else None,
    )
    at_once, by_steps = Scenario(), Scenario()
    at_once.now = by_steps.now = now
    at_once.do(form, by=ALONE)
    step_by_step(form, by_steps, ALONE)

    assert alike(without_review(at_once.everything)) == alike(without_review(by_steps.everything))
    assert at_once.case.phase is (Phase.CLOSED if is_paid else Phase.PERFORMING)
    single_handed = mediator_id in (None, FIRST)
    if is_paid and single_handed:
        assert alike(at_once.events) == alike(by_steps.events)


@pytest.mark.parametrize(
    ("instrument", "outcome", "kind"),
    [
        ("oral", Outcome.AGREED, Instrument.ORAL_RECORD),
        ("settlement", Outcome.SETTLED, Instrument.SETTLEMENT_AGREEMENT),
        ("undertaking", Outcome.SETTLED, Instrument.UNDERTAKING),
    ],
)
def test_each_paper_of_the_form_has_its_outcome(instrument, outcome, kind):
    """An oral agreement is AGREED; settlement and undertaking are SETTLED; no window opens."""
    scenario = Scenario()
    scenario.do(a_form(instrument=instrument, paid_on=None, due_on=date(2026, 3, 20)), by=ALONE)
    concluded = scenario.events[-1]

    assert (concluded.outcome, concluded.instrument) == (outcome, kind)
    assert {it.code for it in scenario.case.due.values()} == {"D10"}


@pytest.mark.parametrize(
    ("paid_on", "due_on", "flaws"),
    [
        (TODAY, None, ()),
        (TODAY - timedelta(days=1), None, ()),
        (None, date(2026, 3, 20), ("not-done-on-the-spot",)),
    ],
)
def test_where_nothing_oral_is_taken_it_is_done_on_the_spot_or_irregular(paid_on, due_on, flaws):
    """Paid by the day of the visit there is nothing left to do; later it is a flaw."""
    scenario = Scenario().with_capacity("hengjie", oral_ok=False)
    scenario.do(a_form(paid_on=paid_on, due_on=due_on), by=ALONE)
    (recorded,) = (it for it in scenario.events if isinstance(it, OralAgreementRecorded))

    assert recorded.irregularities == flaws
    assert recorded.done_on_the_spot is (paid_on is not None)


def test_paid_between_the_visit_and_its_entry_it_was_not_done_on_the_spot():
    """Visited on Monday, paid on Wednesday, typed in on Friday."""
    scenario = Scenario()
    scenario.now = moment("2026-03-06T09:00+08:00")
    visited_at = moment("2026-03-02T09:00+08:00")
    form = a_form(occurred_at=visited_at, paid_on=date(2026, 3, 4))
    scenario.do(form, by=ALONE)
    (recorded,) = (it for it in scenario.events if isinstance(it, OralAgreementRecorded))

    assert not recorded.done_on_the_spot
    assert [day_of(event.occurred_at).day for event in scenario.events[-3:]] == [4, 4, 6]


# Its limits


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"workers": tuple(map(worker, range(4)))}, "too-many-workers"),
        ({"workers": (worker(0, 1_000_001),)}, "sum-too-large"),
        ({"workers": (worker(0, 500_000), worker(1, 500_001))}, "sum-too-large"),
        ({"workers": (worker(0, 0, 1_000_001),)}, "sum-too-large"),
        ({"workers": (worker(0, 1_000_001, 1),)}, "sum-too-large"),
        ({"body_id": "hq"}, "level-not-open"),
        ({"cause": "C14"}, "not-for-one-form"),
        ({"flags": ("WORK_INJURY",)}, "not-for-one-form"),
        ({"flags": ("COLLECTIVE",)}, "malformed"),
        ({"flags": ("UNHEARD_OF",)}, "malformed"),
        ({"cause": "C77"}, "malformed"),
        ({"due_on": TODAY}, "malformed"),
        ({"paid_on": None}, "malformed"),
        ({"paid_on": TODAY + timedelta(days=1)}, "future-time"),
        ({"paid_on": TODAY - timedelta(days=365)}, "malformed"),
        ({"within_scope": False}, "declaration-not-made"),
        ({"within_district": False}, "declaration-not-made"),
        ({"rights_told": False}, "declaration-not-made"),
        ({"instrument": "undertaking", "workers": (worker(0, 0),)}, "malformed"),
        ({"mediator_id": lead_of("hengjie").actor_id}, "not-an-active-mediator"),
    ],
)
def test_what_does_not_fit_on_one_form_leaves_nothing(changes, code):
    """Neither a case nor a number: the refusal says which limit it was."""
    scenario = Scenario()
    scenario.when(a_form(**changes), by=ALONE).then_refused(code)

    assert scenario.log == {}


def test_every_limit_that_does_not_hold_is_named():
    """The clerk sees at once why the case has to be taken step by step."""
    scenario = Scenario()
    form = a_form(workers=tuple(worker(at, 400_000) for at in range(4)), body_id="hq", cause="C14")

    scenario.when(form, by=ALONE).then_refused(
        "too-many-workers", "sum-too-large", "level-not-open", "not-for-one-form"
    )


def test_up_to_the_limits_it_goes_through():
    """Three workers, ten thousand yuan together, at each of the lower levels."""
    for body_id in ("factory", "catering", "dongcheng"):
        scenario = Scenario()
        form = a_form(
            workers=(worker(0, 400_000), worker(1, 400_000), worker(2, 200_000)),
            body_id=body_id,
            mediator_id=mediators_of(body_id)[0],
        )
        scenario.do(form)
        assert scenario.case.phase is Phase.CLOSED


def test_the_limits_are_those_of_the_ladder_of_the_case():
    """Another file, other bounds: none of them stands in the code."""
    bounds = msgspec.structs.replace(
        STANDARD.small_case,
        workers=1,
        total_fen=1,
        levels=("district",),
        barred_flags=("MEDIA",),
        barred_risks=(Risk.YELLOW,),
    )
    rungs = msgspec.structs.replace(STANDARD, small_case=bounds)
    for changes, codes in (
        ({}, ("sum-too-large", "level-not-open")),
        (
            {"workers": (worker(0, 1), worker(1, 1)), "flags": ("SAFETY",)},
            ("too-many-workers", "sum-too-large", "level-not-open", "not-for-one-form"),
        ),
        (
            {"workers": (worker(0, 1),), "flags": ("MEDIA",)},
            ("level-not-open", "not-for-one-form"),
        ),
    ):
        Scenario(rungs=rungs).when(a_form(**changes), by=ALONE).then_refused(*codes)
    injury = Scenario(rungs=rungs)
    form = a_form(
        body_id="hq",
        workers=(worker(0, 1),),
        cause="C14",
        mediator_id=mediators_of("hq")[0],
    )
    injury.do(form)
    assert injury.case.phase is Phase.CLOSED


# Looked into afterwards


def test_a_case_on_one_form_is_looked_into_whoever_mediated_it():
    """D24: by a lead with another mediator too; not at the top, above which there is nobody."""
    scenario = Scenario()
    scenario.do(a_form())
    closed = scenario.events[-1]
    assert (closed.single_handed, {due.code for due in closed.due}) == (False, {"D18", "D24"})

    top = msgspec.structs.replace(STANDARD.small_case, levels=("district",))
    above = Scenario(rungs=msgspec.structs.replace(STANDARD, small_case=top))
    above.do(a_form(body_id="hq", mediator_id=mediators_of("hq")[0]))
    assert {due.code for due in above.events[-1].due} == {"D18"}


def test_a_case_settled_on_one_form_and_paid_later_is_looked_into_when_it_is_closed():
    """It was never looked at by a second person either."""
    scenario = Scenario()
    scenario.do(a_form(paid_on=None, due_on=date(2026, 3, 20)))
    (payment,) = scenario.case.payments
    entry = PaymentEntry(
        obligation_id=payment.obligation.obligation_id,
        paid_fen=payment.obligation.agreed_fen,
        payment_means="cash",
        proof_kind="receipt",
    )
    scenario.when(PerformAndClose(payments=(entry,)), at="2026-03-19T09:00+08:00")

    closed = scenario.decided[-1]
    assert (closed.single_handed, {due.code for due in closed.due}) == (False, {"D18", "D24"})


def test_a_case_taken_step_by_step_by_two_is_not_looked_into():
    """Registered by one command and concluded by another it was on no form."""
    scenario = Scenario().registered().agreed().accepted().mediating().settled()
    scenario.do(scenario.payment())

    scenario.when(CloseCase()).then(expect(CaseClosed, single_handed=False))
    assert "D24" not in scenario.case.due


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"cause": "C77", "workers": (worker(0), worker(1))}, ["/cause"]),
        ({"channel": "pigeon"}, ["/channel"]),
        ({"body_id": None}, ["/body_id"]),
        ({"flags": ("MEDIA", "UNHEARD_OF")}, ["/flags/1"]),
        (
            {"employer": PartyEntry(role="BOSS", company_name="示例模具厂（合成数据）")},
            ["/employer/role"],
        ),
        ({"employer": PartyEntry(role="EMPLOYER")}, ["/employer"]),
    ],
)
def test_what_is_malformed_is_pointed_at_where_the_form_has_it(changes, pointers):
    """Its registration has other fields; each is named once, as somebody filled it in."""
    scenario = Scenario()
    nobody = Actor(actor_id=FIRST, role="mediator", body_id=None)
    scenario.when(a_form(**changes), by=nobody).then_refused("malformed")

    assert [it.pointer for it in scenario.refusal.faults] == pointers


def test_a_payment_to_come_is_pointed_at_by_its_own_name():
    """Not at the time of the visit, which is right."""
    for occurred_at in (None, moment("2026-03-02T08:00+08:00")):
        scenario = Scenario()
        form = a_form(occurred_at=occurred_at, paid_on=TODAY + timedelta(days=1))
        scenario.when(form, by=ALONE).then_refused("future-time")
        assert [it.pointer for it in scenario.refusal.faults] == ["/paid_on"]


def test_who_registers_and_is_no_mediator_names_one():
    """The lead of the body mediated nothing."""
    scenario = Scenario()
    scenario.when(a_form(mediator_id=None)).then_refused("mediator-not-named")

    assert scenario.log == {}


def test_the_limit_of_the_sum_is_told_in_yuan():
    """Ten thousand yuan, as the ladder's file has it in fen."""
    scenario = Scenario()
    scenario.when(a_form(workers=(worker(0, 1_000_001),)), by=ALONE).then_refused("sum-too-large")
    (refusal,) = scenario.refusal.refusals

    assert "10000元" in refusal.zh
    assert "10000 yuan" in refusal.en
