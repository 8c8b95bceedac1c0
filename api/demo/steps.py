"""What several stories do alike: parties, consent, acceptance, sessions; no story is here."""

from __future__ import annotations

from typing import Any

from api.demo.district import who
from api.demo.office import Case, Office

NUMERALS = "一二三四五六七八"


def office_of(body_id: str) -> tuple[str, str, str]:
    """Give the clerk, the lead and the mediator of a body."""
    return who("clerk", body_id), who("lead", body_id), who("mediator", body_id)


def worker(name: str) -> dict[str, Any]:
    """Type in a worker."""
    return {"role": "WORKER", "name": name}


def employer(name: str, *, provisional: bool = False) -> dict[str, Any]:
    """Type in an employer; `provisional`: its identity is not checked yet."""
    if provisional:
        return {"role": "EMPLOYER", "name": name, "provisional": True}
    return {"role": "EMPLOYER", "party_kind": "COMPANY", "company_name": name}


def lines(cause: str, *claimed_fen: int) -> list[dict[str, Any]]:
    """Type in one claim for each applicant, in their order."""
    return [
        {"applicant": at, "cause": cause, "claimed_fen": fen} for at, fen in enumerate(claimed_fen)
    ]


def agree(office: Office, case: Case, clerk: str, *, means: str = "in-person") -> None:
    """Record that every party agrees to mediation."""
    office.later()
    case.do_for_all(clerk, "record-consent", answer="AGREED", means=means)


def accept(office: Office, case: Case, body_id: str) -> None:
    """Accept the case."""
    office.later()
    case.do(who("lead", body_id), "accept-case", within_scope=True, within_district=True)


def name_mediator(office: Office, case: Case, body_id: str) -> None:
    """Assign the mediator of the body."""
    mediator_id = office.accounts[who("mediator", body_id)]
    office.later()
    case.do(
        who("lead", body_id),
        "assign-mediators",
        mediator_ids=[mediator_id],
        lead_mediator_id=mediator_id,
    )


def take_up(office: Office, case: Case, body_id: str) -> None:
    """Assign the mediator, who confirms."""
    name_mediator(office, case, body_id)
    office.later()
    case.do(who("mediator", body_id), "confirm-assignment")


def tell_rights(office: Office, case: Case, body_id: str) -> None:
    """Tell every party its rights and duties."""
    office.later()
    case.do_for_all(who("mediator", body_id), "serve-rights-notice", means="in-person")


def begin(office: Office, case: Case, body_id: str) -> None:
    """Accept the case, assign and confirm the mediator, tell the rights."""
    accept(office, case, body_id)
    take_up(office, case, body_id)
    tell_rights(office, case, body_id)


def session(office: Office, case: Case, host: str, *, result: str) -> dict[str, Any]:
    """Give the record of a joint session that every party attended and signed."""
    return {
        "mode": "joint",
        "attending_ids": case.parties,
        "signed_by_ids": case.parties,
        "host_ids": [office.accounts[host]],
        "minutes": "调解笔录（演示文字，非真实记录）。",
        "result": result,
    }


def obligations(case: Case, due_on: str) -> list[dict[str, Any]]:
    """Promise every claim in full, by one day."""
    return [
        {"line_id": line["line_id"], "agreed_fen": line["claimed_fen"], "due_on": due_on}
        for line in case.lines
    ]


def payments(case: Case, payment_means: str, proof_kind: str) -> list[dict[str, Any]]:
    """Pay every obligation in full."""
    return [
        {
            "obligation_id": it["obligation"]["obligation_id"],
            "paid_fen": it["obligation"]["agreed_fen"],
            "payment_means": payment_means,
            "proof_kind": proof_kind,
        }
        for it in case.payments
    ]
