"""The life of one ordinary case, command by command: a wage claim that is settled, paid and closed.

The same life is sent to the engine and to every peer, so that all do the same work.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple


class Seen(NamedTuple):
    """What a clerk reads off a case before he goes on: ids of its parties, claims and payments."""

    applicants: tuple[str, ...]
    respondents: tuple[str, ...]
    lines: tuple[str, ...]
    obligations: tuple[str, ...] = ()


class Ask(NamedTuple):
    """One command: who sends it, its name and body; `looks` = the case is read anew after it."""

    role: str
    command: str
    body: dict[str, Any]
    looks: bool = False


Life = Generator[Ask, Seen | None, None]
"""Asks command after command; is sent what was seen after those that look."""

ROLES = ("lead", "mediator")
CLAIMED_FEN = 850_000
COMMANDS = 13
PRETENDED = Seen(
    ("00000000-0000-5000-8000-00000000000a",),
    ("00000000-0000-5000-8000-00000000000b",),
    ("00000000-0000-5000-8000-00000000000c",),
    ("00000000-0000-5000-8000-00000000000d",),
)
"""Seen at a peer, which gives no ids of its own; of the same length, so that bodies are, too."""


def life(mediator_id: str, today: str) -> Life:
    """Live one case from its registration to its end; `today` is an ISO date."""
    seen = yield Ask("lead", "register-case", REGISTRATION, looks=True)
    seen = seen or PRETENDED
    parties = (*seen.applicants, *seen.respondents)
    for party_id in parties:
        agreed = {"party_id": party_id, "answer": "AGREED", "means": "in-person"}
        yield Ask("lead", "record-consent", agreed)
    yield Ask("lead", "accept-case", {"within_scope": True, "within_district": True})
    assigned = {"mediator_ids": [mediator_id], "lead_mediator_id": mediator_id}
    yield Ask("lead", "assign-mediators", assigned)
    yield Ask("mediator", "confirm-assignment", {})
    for party_id in parties:
        told = {"party_id": party_id, "means": "in-person"}
        yield Ask("mediator", "serve-rights-notice", told)
    session = {
        "mode": "joint",
        "attending_ids": parties,
        "signed_by_ids": parties,
        "host_ids": [mediator_id],
        "minutes": "双方到场，核对考勤与工资条，就拖欠数额达成一致。",
        "result": "agreed",
    }
    yield Ask("mediator", "record-session", session)
    owed = [{"line_id": it, "agreed_fen": CLAIMED_FEN, "due_on": today} for it in seen.lines]
    settlement = {
        "signed_by_ids": parties,
        "obligations": owed,
        "text": "用人单位当日付清拖欠的劳动报酬，双方再无争议。",
    }
    seen = yield Ask("mediator", "record-settlement", settlement, looks=True)
    seen = seen or PRETENDED
    yield Ask("mediator", "conclude-mediation", {"accepted_by_ids": seen.applicants})
    for obligation_id in seen.obligations:
        paid = {
            "obligation_id": obligation_id,
            "paid_fen": CLAIMED_FEN,
            "payment_means": "bank-transfer",
            "proof_kind": "bank-slip",
        }
        yield Ask("lead", "record-performance", paid)
    yield Ask("lead", "close-case", {})


REGISTRATION: dict[str, Any] = {
    "matter_kind": "DISPUTE",
    "channel": "walk-in",
    "applicants": [{"role": "WORKER", "name": "示例职工王某"}],
    "respondents": [
        {"role": "EMPLOYER", "party_kind": "COMPANY", "company_name": "示例制衣有限公司"}
    ],
    "request": "请求支付拖欠的二月工资。",
    "cause": "C13",
    "lines": [{"applicant": 0, "cause": "C13", "claimed_fen": CLAIMED_FEN}],
}
