"""Who reads personal data in clear, and that a new body reads only what was let go (ADR 0012)."""

from __future__ import annotations

from collections.abc import Callable

from tests.acceptance.office import Office, company, wage_claim, worker
from tests.serving import DISTRICT, EAST, VILLAGE, WEST

NOW = "2026-03-02T09:00:00+08:00"
NAMES = ("欧阳示例甲", "欧阳示例乙")


def test_a_new_body_opens_only_the_parties_who_agreed_to_disclosure(
    opened: Callable[[str], Office],
) -> None:
    """Of two workers one agreed; the street reads his name, not the other's, no text."""
    office = opened(NOW)
    village, street = office.person("lead", VILLAGE), office.person("lead", WEST)
    case = village.register(
        **wage_claim(100, 200) | {"applicants": [worker(name) for name in NAMES]}
    )
    shown = village.case(case, personal="clear")
    assert [party["name"] for party in shown["applicants"]] == list(NAMES)
    assert shown["texts"][0]["text"] == "请求支付拖欠的工资"
    assert village.case(case)["applicants"][0]["name"] == "＊＊＊"

    village.do(
        case,
        "request-custody-move",
        kind="ESCALATE",
        to_body_id=WEST,
        ground="beyond-means",
        summary="请上级调解。",
    )
    village.do(
        case,
        "record-transfer-sheet",
        party_id=shown["applicants"][0]["party_id"],
        new_body=True,
        disclosure=True,
    )
    waiting = street.case(case)
    assert waiting["visibility"] == "receiver"
    assert NAMES[0] not in str(waiting)
    assert street.client.get(f"/cases/{case}?personal=clear").status_code == 403
    street.do(case, "accept-custody")

    taken = street.case(case, personal="clear")
    assert [party["name"] for party in taken["applicants"]] == [NAMES[0], "＊＊＊"]
    assert all(text["text"] in ("＊＊＊", None) for text in taken["texts"])
    assert village.case(case) == {
        "case_id": case,
        "visibility": "former",
        "case_number": waiting["case_number"],
        "level": "township",
        "phase": "REGISTERED",
        "outcome": None,
    }


def test_a_coordinator_states_a_reason_and_every_clear_reading_is_recorded(
    opened: Callable[[str], Office],
) -> None:
    """Without a reason he is refused; with one he reads, and the auditor sees that he did."""
    office = opened(NOW)
    case = office.person("clerk", EAST).register(
        **wage_claim(100) | {"respondents": [company("示例五金有限公司")]}
    )
    coordinator = office.person("coordinator", DISTRICT)
    auditor = office.person("auditor", DISTRICT)

    refused = coordinator.client.get(f"/cases/{case}?personal=clear")
    read = coordinator.case(case, personal="clear", reason="complaint")

    assert (refused.status_code, refused.json()["type"]) == (
        403,
        "urn:mediation:problem:reason-required",
    )
    assert read["applicants"][0]["name"] == "示例职工1"
    assert auditor.client.get(f"/cases/{case}?personal=clear").status_code == 403
    records = auditor.client.get("/access-records", params={"case_id": case}).json()["items"]
    assert [(it["kind"], it["reason"], it["actor_id"]) for it in records] == [
        ("read-clear", "complaint", coordinator.account_id)
    ]
