"""Who reads personal data in clear, and that a new body reads only what was let go (ADR 0012)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mediation import authority
from tests.acceptance.office import Office, Person, company, wage_claim, worker
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


def counsel_for(office: Office, case: str, clients: list[str]) -> Person:
    """Open the account of a lawyer and appoint him for these applicants of an aided matter."""
    coordinator, lead = office.person("coordinator", DISTRICT), office.person("lead", EAST)
    account = coordinator.network("open-account", display_name="示例律师")["stream_id"]
    coordinator.network("grant-role", account_id=account, role="counsel", body_id=EAST)
    office.hires("counsel", EAST, account)
    lead.do(case, "appoint-counsel", counsel_id=account, for_ids=clients, firm="欧阳示例律所")
    return office.person("counsel", EAST)


def opened_by(person: Person, case: str) -> list[Any]:
    """Give what somebody reads in clear: names, identities and phones of all, and all texts."""
    shown = person.case(case, personal="clear")
    parties = [*shown["applicants"], *shown["respondents"]]
    told = [it[field] for it in parties for field in ("name", "id_number", "phone")]
    told += [it["text"] for it in shown["texts"]]
    steps = person.client.get(f"/cases/{case}/replay?personal=clear")
    assert all(text in steps.text for text in told if text not in (None, "＊＊＊"))
    return [it for it in told if it not in (None, "＊＊＊")]


def prove_only_clients(office: Office) -> None:
    """Require that the lawyer of one of two workers opens that one's data and no more."""
    lead = office.person("lead", EAST)
    people = [
        worker(name, id_number=f"37010219800101{at}000", phone=f"1390000000{at}")
        for at, name in enumerate(NAMES)
    ]
    trader = {"role": "EMPLOYER", "party_kind": "SOLE_TRADER", "name": "欧阳示例老板"}
    typed = wage_claim(100, 200) | {"applicants": people, "respondents": [trader]}
    case = lead.register(**typed | {"matter_kind": "AID"})
    lead.do(case, "grant-aid", criteria_code="wage-arrears")

    counsel = counsel_for(office, case, lead.parties(case)[:1])

    assert opened_by(counsel, case) == [NAMES[0], "370102198001010000", "13900000000"]
    assert len(opened_by(lead, case)) == 9, "the proof has teeth"


def test_counsel_opens_what_is_about_his_clients_alone(opened: Callable[[str], Office]) -> None:
    """Neither the other worker, nor the employer, nor what the office wrote (ADR 0030)."""
    prove_only_clients(opened(NOW))


def test_the_proof_goes_red_where_counsel_reads_as_a_mediator_does(
    opened: Callable[[str], Office], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A twin that takes everybody assigned for the same opens the other side to a lawyer."""
    yes = authority.ClearReading.YES
    monkeypatch.setattr(authority, "may_read_clear", lambda *_, **__: yes)
    with pytest.raises(AssertionError):
        prove_only_clients(opened(NOW))
