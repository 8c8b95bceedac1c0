"""An ordinary day: how few commands an ordinary case takes, counted over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any
from uuid import UUID

from mediation import kernel
from tests.acceptance.office import Office, company, sit, wage_claim
from tests.serving import EAST

MORNING = "2026-03-02T09:00:00+08:00"
MOST_COMMANDS = 7


def test_an_ordinary_case_takes_seven_commands_from_the_door_to_the_file(
    opened: Callable[[str], Office],
) -> None:
    """Two workers agree with their employer, are paid, and it is closed; every event stands."""
    office = opened(MORNING)
    lead, mediator = office.person("lead", EAST), office.person("mediator", EAST)

    case = lead.opens(
        "register-and-accept",
        registration=wage_claim(300_000, 200_000),
        mediator_ids=[mediator.account_id],
    )
    mediator.do(case, "confirm-assignment")
    sit(mediator, case, "agreed", rights_told=True)
    lines = mediator.case(case)["lines"]
    mediator.do(
        case,
        "draft-agreement",
        bound_ids=mediator.parties(case),
        results=[{"line_id": line["line_id"], "result": "agreed"} for line in lines],
        obligations=[
            {
                "line_id": line["line_id"],
                "agreed_fen": line["claimed_fen"],
                "due_on": "2026-03-06",
            }
            for line in lines
        ],
        text="单位于三月六日前一次付清。",
    )
    draft = mediator.case(case)["draft"]
    lead.do(
        case,
        "check-legality",
        number=draft["number"],
        no_insurance_waiver=True,
        no_third_party_harm=True,
        is_voluntary=True,
        is_clear=True,
    )
    lead.do(case, "sign-and-seal", number=draft["number"], digest=draft["digest"][:12])
    office.at("2026-03-06T15:00:00+08:00")
    assert [it["case_id"] for it in lead.lane("due-today")] == [case]
    lead.do(case, "perform-and-close", payments=_all_paid(lead.case(case)))

    assert _commands(office, case) <= MOST_COMMANDS
    told = [(topic, len(list(items))) for topic, items in groupby(lead.topics(case))]
    assert told == [
        ("registered", 1),
        ("consent-recorded", 3),
        ("accepted", 1),
        ("mediators-assigned", 1),
        ("assignment-confirmed", 1),
        ("rights-notice-served", 3),
        ("session-held", 1),
        ("agreement-drafted", 1),
        ("agreement-legality-checked", 1),
        ("agreement-signed", 4),
        ("agreement-sealed", 1),
        ("agreement-took-effect", 1),
        ("mediation-concluded", 1),
        ("obligation-performed", 2),
        ("obligations-fully-performed", 1),
        ("closed", 1),
    ]
    shown = lead.case(case)
    assert (shown["phase"], shown["outcome"]) == ("CLOSED", "AGREED")
    assert shown["irregularities"] == []
    assert lead.due(case).keys() == {"D08", "D09", "D18"}, "review and confirmation stay open"


def test_the_same_case_without_composites_leaves_the_same_events(
    opened: Callable[[str], Office],
) -> None:
    """What one form writes at the door is what its steps write one by one."""
    office = opened(MORNING)
    lead, mediator = office.person("lead", EAST), office.person("mediator", EAST)
    chosen = mediator.account_id
    at_once = lead.opens(
        "register-and-accept", registration=wage_claim(300_000), mediator_ids=[chosen]
    )

    by_steps = lead.register(**wage_claim(300_000))
    for party_id in lead.parties(by_steps):
        answer = {"answer": "AGREED", "means": "attending"}
        lead.do(by_steps, "record-consent", party_id=party_id, **answer)
    lead.do(by_steps, "accept-case", within_scope=True, within_district=True)
    assigned = {"mediator_ids": [chosen], "lead_mediator_id": chosen}
    lead.do(by_steps, "assign-mediators", **assigned)

    assert lead.topics(at_once) == lead.topics(by_steps)
    assert (_commands(office, at_once), _commands(office, by_steps)) == (1, 5)
    first, second = (_dates(lead.history(case)) for case in (at_once, by_steps))
    assert first == second


def test_a_case_solved_in_one_visit_takes_one_command(opened: Callable[[str], Office]) -> None:
    """A worker and his employer come together, agree, and the money is paid at the table."""
    office = opened(MORNING)
    lead, mediator = office.person("lead", EAST), office.person("mediator", EAST)

    case = lead.opens(
        "register-and-settle-small-case",
        channel="walk-in",
        workers=[{"name": "示例职工", "claimed_fen": 120_000}],
        employer=company(),
        cause="C13",
        request="请求支付二月工资。",
        consent_means="attending",
        instrument="oral",
        paid_on="2026-03-02",
        mediator_id=mediator.account_id,
    )

    assert _commands(office, case) == 1
    assert (lead.case(case)["phase"], lead.case(case)["outcome"]) == ("CLOSED", "AGREED")
    assert [it["case_id"] for it in lead.lane("to-archive")] == [case]


def _all_paid(shown: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "obligation_id": it["obligation"]["obligation_id"],
            "paid_fen": it["obligation"]["agreed_fen"],
            "payment_means": "bank-transfer",
            "proof_kind": "bank-slip",
        }
        for it in shown["payments"]
    ]


def _commands(office: Office, case: str) -> int:
    """Count the commands behind the events of a case, as its log has them."""
    stored = office.served.engine.log.events_of(UUID(case))
    return len({kernel.decode(it.topic, it.state).command_id for it in stored})


def _dates(history: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(due["code"], due["due_on"]) for item in history for due in item["due"]]
