"""Small invented cases left at different stages, so that the lanes of the levels show something."""

from __future__ import annotations

from api.demo.district import who
from api.demo.office import Case, Office
from api.demo.steps import (
    NUMERALS,
    accept,
    agree,
    begin,
    employer,
    lines,
    name_mediator,
    obligations,
    office_of,
    session,
    take_up,
    worker,
)

DAY = "2026-05-12"


def play(office: Office) -> dict[str, Case]:
    """Play them all; each is called after the lane in which it lies."""
    office.at(f"{DAY} 10:00")
    return {
        "to-ask": _to_ask(office),
        "to-accept": _to_accept(office),
        "to-assign": _to_assign(office),
        "to-confirm": _to_confirm(office),
        "to-cure": _to_cure(office),
        "to-sign": _to_sign(office),
        "performing": _performing(office),
        "incoming": _incoming(office),
    }


def _registered(office: Office, body_id: str, name: str, fen: int, *, workers: int = 1) -> Case:
    office.later()
    names = (
        [f"示例职工{name}"]
        if workers == 1
        else [f"示例职工{name}之{numeral}" for numeral in NUMERALS[:workers]]
    )
    return office.register(
        who("clerk", body_id),
        matter_kind="DISPUTE",
        channel="walk-in",
        applicants=[worker(it) for it in names],
        respondents=[employer(f"示例用人单位{name}")],
        request="要求支付拖欠的劳动报酬（虚构案例）。",
        cause="C13",
        lines=lines("C13", *(fen,) * workers),
    )


def _to_ask(office: Office) -> Case:
    return _registered(office, "village-03", "乙", 320_000)


def _to_accept(office: Office) -> Case:
    case = _registered(office, "village-03", "辛", 150_000)
    agree(office, case, who("clerk", "village-03"))
    return case


def _to_assign(office: Office) -> Case:
    case = _registered(office, "street-02", "丙", 560_000, workers=5)
    clerk, lead, _ = office_of("street-02")
    case.do(lead, "raise-flag", flag="WAGE_ARREARS")
    agree(office, case, clerk)
    accept(office, case, "street-02")
    return case


def _to_confirm(office: Office) -> Case:
    case = _registered(office, "industry-04", "丁", 480_000)
    agree(office, case, who("clerk", "industry-04"))
    accept(office, case, "industry-04")
    name_mediator(office, case, "industry-04")
    return case


def _to_cure(office: Office) -> Case:
    """Hold a session before anybody was told its rights: recorded, and to be cured."""
    body_id = "industry-02"
    case = _registered(office, body_id, "壬", 410_000)
    agree(office, case, who("clerk", body_id))
    accept(office, case, body_id)
    take_up(office, case, body_id)
    mediator = who("mediator", body_id)
    office.later()
    case.do(mediator, "record-session", **session(office, case, mediator, result="continued"))
    return case


def _to_sign(office: Office) -> Case:
    """Draft an agreement, check it and have the parties sign: mediator and seal are to come."""
    body_id = "street-05"
    case = _registered(office, body_id, "癸", 730_000)
    clerk, lead, mediator = office_of(body_id)
    agree(office, case, clerk)
    begin(office, case, body_id)
    office.later()
    case.do(mediator, "record-session", **session(office, case, mediator, result="agreed"))
    case.do(
        mediator,
        "draft-agreement",
        bound_ids=case.parties,
        results=[{"line_id": it["line_id"], "result": "agreed"} for it in case.lines],
        obligations=obligations(case, "2026-05-29"),
        text="用人单位于5月29日前付清拖欠的劳动报酬（虚构案例）。",
    )
    case.look(mediator)
    found = ("no_insurance_waiver", "no_third_party_harm", "is_voluntary", "is_clear")
    case.do(lead, "check-legality", number=case.paper["number"], **dict.fromkeys(found, True))
    case.do_for_all(mediator, "sign-agreement", **case.paper)
    return case


def _performing(office: Office) -> Case:
    """Settle with payment on this very day."""
    body_id = "enterprise-12"
    case = _registered(office, body_id, "戊", 240_000)
    agree(office, case, who("clerk", body_id))
    begin(office, case, body_id)
    mediator = who("mediator", body_id)
    case.do(mediator, "record-session", **session(office, case, mediator, result="agreed"))
    case.do(
        mediator,
        "record-settlement",
        signed_by_ids=case.parties,
        obligations=obligations(case, DAY),
        text="双方自行和解，于当日付清（虚构案例）。",
    )
    case.do(mediator, "conclude-mediation", accepted_by_ids=case.applicants)
    return case


def _incoming(office: Office) -> Case:
    case = _registered(office, "village-06", "己", 900_000)
    case.do(
        who("lead", "village-06"),
        "request-custody-move",
        kind="ESCALATE",
        to_body_id="street-06",
        ground="beyond-means",
        summary="涉及多处用工地点，本村无力核实（虚构案例）。",
    )
    return case
