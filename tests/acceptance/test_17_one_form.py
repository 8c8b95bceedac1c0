"""一表办: a small case from the door to the file in one command, or nothing of it at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from mediation import kernel
from tests.acceptance.office import Office, Person, codes_of, company, wage_claim
from tests.serving import DISTRICT, EAST, VILLAGE

MORNING = "2026-03-02T09:30:00+08:00"
FORM = "register-and-settle-small-case"
STORY = [
    "registered",
    *["consent-recorded"] * 2,
    "accepted",
    "mediators-assigned",
    "assignment-confirmed",
    *["rights-notice-served"] * 2,
    "session-held",
    "oral-agreement-recorded",
    "mediation-concluded",
    "obligation-performed",
    "obligations-fully-performed",
    "closed",
]


def test_one_form_with_twelve_fields_writes_the_whole_story(
    opened: Callable[[str], Office],
) -> None:
    """One worker, ¥1,200, a village point run by one person: one command, every event, in order."""
    office = opened(MORNING)
    villager = _alone_in_the_village(office)
    form = _form(villager)
    assert _fields(form) == 12

    answer = villager.attempt_to_open(FORM, **form)

    told = answer.json()
    case, events = told["case_id"], told["events"]
    assert answer.status_code == 201
    assert [it["topic"].removesuffix("/1") for it in events] == [
        "case-number.issued",
        *(f"case.{topic}" for topic in STORY),
    ]
    assert {it["occurred_at"] for it in events} == {"2026-03-02T01:00:00Z"} | {
        events[-1]["occurred_at"]
    }, "each event when it happened: the visit, and the closing when it was typed in"
    assert villager.topics(case) == STORY
    assert len(_command_ids(office, case)) == 1
    shown = villager.case(case)
    assert (shown["phase"], shown["outcome"]) == ("CLOSED", "AGREED")
    assert shown["case_number"] == "EAST-VILLAGE〔2026〕0001号"
    assert (shown["acceptance_no"], shown["acceptance_open"]) == (1, False)
    assert shown["mediator_ids"] == [villager.account_id]
    assert shown["irregularities"] == []
    assert shown["claimed_fen"] == 120_000
    agreed = villager.event(case, "oral-agreement-recorded")["fields"]
    assert (agreed["done_on_the_spot"], agreed["agreed_by_ids"]) == (True, villager.parties(case))
    concluded = villager.event(case, "mediation-concluded")["fields"]
    assert (concluded["outcome"], concluded["instrument"]) == ("AGREED", "ORAL_RECORD")
    assert villager.event(case, "obligations-fully-performed")["fields"]["applied_fen"] == 120_000
    closed = villager.event(case, "closed")
    assert closed["fields"]["single_handed"] is True
    assert {due["code"]: due["due_on"] for due in closed["due"]} == {
        "D18": "2026-04-01",
        "D24": "2026-03-09",
    }, "the street looks into it within five working days"
    assert villager.due(case).keys() == {"D18", "D24"}


def test_a_rehearsal_of_the_form_writes_nothing(opened: Callable[[str], Office]) -> None:
    """It tells every event and date that would be; the log stands where it stood."""
    office = opened(MORNING)
    villager = _alone_in_the_village(office)
    before = office.written()

    answer = villager.attempt_to_open(FORM, dry_run=True, **_form(villager))

    rehearsed = answer.json()
    assert answer.status_code == 200
    assert (rehearsed["dry_run"], rehearsed["phase"]) == (True, "CLOSED")
    topics = [it["topic"].partition("/")[0] for it in rehearsed["events"]]
    assert topics == ["case-number.issued", *(f"case.{topic}" for topic in STORY)]
    assert "D24" in {due["code"] for due in rehearsed["events"][-1]["due"]}
    assert office.written() == before
    assert villager.client.get("/cases").json()["items"] == []
    case = villager.opens(FORM, **_form(villager))
    assert villager.case(case)["case_number"].endswith("0001号"), "no number was used up"


def test_what_is_not_small_leaves_nothing_behind(opened: Callable[[str], Office]) -> None:
    """A fourth worker, an injury or a sum above the limit: refused whole, the log untouched."""
    office = opened(MORNING)
    villager = _alone_in_the_village(office)
    small = {"name": "示例职工", "claimed_fen": 120_000}
    too_big: tuple[tuple[dict[str, Any], str], ...] = (
        ({"workers": [small] * 4}, "too-many-workers"),
        ({"flags": ["WORK_INJURY"]}, "not-for-one-form"),
        ({"cause": "C14"}, "not-for-one-form"),
        ({"workers": [small | {"claimed_fen": 1_000_001}]}, "sum-too-large"),
        ({"workers": [small | {"claimed_fen": 400_000}] * 3}, "sum-too-large"),
    )
    before = office.written()

    for change, code in too_big:
        for rehearsed in (True, False):
            form = _form(villager, **change)
            answer = villager.attempt_to_open(FORM, dry_run=rehearsed, **form)
            assert (answer.status_code, codes_of(answer)) == (409, [code]), change

    assert office.written() == before
    case = villager.opens(FORM, **_form(villager))
    assert villager.case(case)["case_number"].endswith("0001号"), "no number was used up"


def test_the_form_is_for_the_first_three_levels_and_for_who_decides_there(
    opened: Callable[[str], Office],
) -> None:
    """The district goes step by step; a mediator with a lead above him may not do all alone."""
    office = opened(MORNING)
    lead = office.person("lead", DISTRICT)
    mediators = {body: office.person("mediator", body) for body in (DISTRICT, EAST)}
    before = office.written()

    too_high = lead.attempt_to_open(FORM, **_form(mediators[DISTRICT]))
    not_his = mediators[EAST].attempt_to_open(FORM, **_form(mediators[EAST]))

    assert codes_of(too_high) == ["level-not-open"]
    assert not_his.status_code == 403
    assert office.written() == before


def test_what_is_paid_later_stays_open_until_it_is(opened: Callable[[str], Office]) -> None:
    """A written settlement of three workers on the same form; the last payments close it."""
    office = opened(MORNING)
    villager, lead = office.person("mediator", VILLAGE), office.person("lead", VILLAGE)
    three = [{"name": f"示例职工{at}", "claimed_fen": 300_000} for at in range(3)]
    form = _form(villager, workers=three, instrument="settlement", due_on="2026-03-10")
    del form["paid_on"]

    case = lead.opens(FORM, **form)

    assert lead.topics(case)[-3:] == ["session-held", "settlement-recorded", "mediation-concluded"]
    assert (lead.case(case)["phase"], lead.case(case)["outcome"]) == ("PERFORMING", "SETTLED")
    office.at("2026-03-10T09:00:00+08:00")
    assert [it["case_id"] for it in lead.lane("due-today")] == [case]
    lead.do(
        case,
        "perform-and-close",
        payments=[
            {
                "obligation_id": it["obligation"]["obligation_id"],
                "paid_fen": 300_000,
                "payment_means": "mobile-payment",
                "proof_kind": "worker-confirmed",
            }
            for it in lead.case(case)["payments"]
        ],
    )
    assert lead.case(case)["phase"] == "CLOSED"
    assert lead.event(case, "closed")["fields"]["single_handed"] is False
    assert "D24" in lead.due(case), "what was settled on one form is looked into all the same"


def test_the_same_form_sent_twice_is_one_case(opened: Callable[[str], Office]) -> None:
    """An ordinary registration of the same morning takes the next number, the form only one."""
    office = opened(MORNING)
    villager = _alone_in_the_village(office)
    form = _form(villager)

    answers = [
        villager.client.post(
            f"/cases/commands/{FORM}", json=form, headers={"Idempotency-Key": "the-morning-visit"}
        )
        for _ in range(2)
    ]

    assert answers[0].json() == answers[1].json()
    assert [it.status_code for it in answers] == [201, 201]
    following = villager.register(**wage_claim(100))
    assert villager.case(following)["case_number"].endswith("0002号")


def _alone_in_the_village(office: Office) -> Person:
    """Settle that one person is the whole office of the village; give that person."""
    office.person("coordinator", DISTRICT).network(
        "set-capacity",
        body_id=VILLAGE,
        legal_basis="L-LDMA 10(2)",
        seal=False,
        may_seal=False,
        oral_ok=True,
        confirmation_route="ask",
        single_handed=True,
        from_on="2026-01-01",
    )
    return office.person("mediator", VILLAGE)


def _form(mediator: Person, **changes: Any) -> dict[str, Any]:
    """Fill in 《简易调解登记表》: a visit at nine, wages of ¥1,200 paid on the spot."""
    form = {
        "occurred_at": "2026-03-02T09:00:00+08:00",
        "channel": "walk-in",
        "workers": [{"name": "示例职工", "phone": "13900000000", "claimed_fen": 120_000}],
        "employer": company("示例小饭店有限公司"),
        "cause": "C13",
        "request": "请求支付二月工资。",
        "consent_means": "attending",
        "instrument": "oral",
        "paid_on": "2026-03-02",
        "mediator_id": mediator.account_id,
    }
    return form | changes


def _fields(form: dict[str, Any]) -> int:
    """Count what a person fills in: each field of the worker, and the employer as one."""
    return len(form) - 1 + len(form["workers"][0])


def _command_ids(office: Office, case: str) -> set[str]:
    stored = office.served.engine.log.events_of(UUID(case))
    return {str(kernel.decode(it.topic, it.state).command_id) for it in stored}
