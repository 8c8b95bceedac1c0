"""In which lanes a case lies, and at which body; drawn from its standing alone.

Lanes of the next step, of which an open case lies in exactly one at the body that has it:

* `to-ask`: the parties of a dispute are to be asked; a demand is to be put to the employer
* `to-accept`: the lead can decide on a dispute, or on an application for aid
* `to-assign`, `to-confirm`, `mediating`, `to-sign`: what the phase says
* `performing`: what others owe is followed up (a payment, an employer's answer, the result of
  aid or of a proceeding), or somebody is still to be told in writing
* `to-close`: nothing stands in the way of closing
* `to-archive`: closed

Beside these it lies in `sent-back`, `risk` and `to-cure`. A body that is asked to take a case has
it in `incoming`; one above that has to seal an agreement has it in `to-sign` too.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import msgspec

from mediation.authority import columns_of
from mediation.store import to_micros
from projections.standing import APART, RECEIVERS, Move, Place, Standing, Term

LANES = (
    "incoming",
    "to-accept",
    "to-ask",
    "to-assign",
    "to-confirm",
    "mediating",
    "to-sign",
    "performing",
    "due-today",
    "breached",
    "sent-back",
    "due-soon",
    "overdue",
    "risk",
    "to-cure",
    "urged",
    "to-close",
    "to-archive",
)
"""The lanes of the office, in the order in which they are shown.

Nothing lies in `urged` until a case can be urged.
"""

OPEN = "open"
"""Every case at hand: what is asked for when no lane is named."""

DATED = "dated"
"""A date that is looked at by itself, such as the parties' window for judicial confirmation."""

CROWD = 10
"""From so many workers on a case is watched like one at risk (L-LDMA 7)."""

NEVER = date(9999, 12, 31)
"""Where a row without a date stands among those sorted by date."""

_OF_PHASE = {
    "ACCEPTED": "to-assign",
    "ASSIGNED": "to-confirm",
    "MEDIATING": "mediating",
    "SIGNING": "to-sign",
    "RELAYED": "performing",
    "AIDED": "performing",
}


def drawn(case: Standing) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Draw the rows of a case, told apart by lane, body and the one date that it is about.

    `level` is that of the case, of a coming case that to which it comes; in a row of another body
    than the one that has the case, `from_body_id` and `from_level` are of the latter.
    """
    here, sealing = case.here, case.sealing
    shared = _shared(case)
    own = {**shared, **_at(case, here), **_dated(case.next_due())}
    for lane in lanes_of(case):
        yield (lane, here.body_id, ""), {**own, **_payments(case)} if lane == OPEN else own
    for key, term in case.due.items():
        if term.code in APART:
            body = case.answerable(term.code)
            yield (DATED, body.body_id, key), {**shared, **_at(case, body), **_dated(term)}
    if sealing is not None and sealing != here and _waits_for_seal(case):
        yield ("to-sign", sealing.body_id, ""), {**shared, **_at(case, sealing), **_dated(None)}
    if case.move is not None:
        yield ("incoming", case.move.to_body_id, ""), _coming(case, case.move, shared)


def lanes_of(case: Standing) -> list[str]:
    """Name the lanes in which a case lies at the body that has it."""
    lanes = [OPEN] if case.is_open else []
    step = _next_step(case)
    if step is not None:
        lanes.append(step)
    if case.is_open and case.sent_back:
        lanes.append("sent-back")
    if case.is_open and (case.risk in ("RED", "YELLOW") or case.workers >= CROWD):
        lanes.append("risk")
    # A file with open flaws is not archived either, so closing does not end that duty.
    if case.irregularities:
        lanes.append("to-cure")
    return lanes


def _next_step(case: Standing) -> str | None:
    """Name the one lane of what the office does next; None if nothing is left to do."""
    if case.phase == "REGISTERED":
        return "to-accept" if case.matter_kind == "AID" else "to-ask"
    if case.phase == "CONSENT_PENDING":
        return "to-accept" if _is_to_decide(case) else "to-ask"
    if case.phase in ("MEDIATING", "SIGNING") and not case.mediator_ids:
        return "to-assign"
    if case.phase == "CLOSED":
        return "to-archive" if "D18" in case.due else None
    return _OF_PHASE.get(case.phase) or ("to-close" if _is_to_close(case) else "performing")


def _is_to_decide(case: Standing) -> bool:
    """The lead can decide: everybody answered, a side refused, or both sides have somebody willing.

    Under an open acceptance the last is not enough: the case goes on by itself once they agree.
    """
    sides = case.answers_by_side()
    return (
        not any(None in said for said in sides)
        or any("REFUSED" in said and "AGREED" not in said for said in sides)
        or (not case.acceptance_open and all("AGREED" in said for said in sides))
    )


def _is_to_close(case: Standing) -> bool:
    """Nothing is owed, nothing is under way elsewhere, and the worker knows the result."""
    is_told = case.matter_kind != "DEMAND" or case.is_fed_back or case.phase == "WITHDRAWN"
    return is_told and not (case.has_open_duty or case.proceedings or case.acceptance_open)


def _waits_for_seal(case: Standing) -> bool:
    """A draft that passed its check has everything the sealing body looks for."""
    draft = case.draft
    return case.phase == "SIGNING" and draft is not None and draft.passed and not draft.is_sealed


def _shared(case: Standing) -> dict[str, Any]:
    """Say of a case what stands in all of its rows but those of its receiver."""
    term = case.term
    return {
        "case_number": case.case_number,
        "risk": case.risk,
        "headcount": case.workers,
        "pending_kind": case.move.kind if case.move else None,
        "matter_kind": case.matter_kind,
        "phase": case.phase,
        "cause": case.cause,
        "claimed_fen": case.claimed_fen,
        "received_on": case.received_on,
        "pay_on": "",
        "term_on": term.due_on if term else None,
        "term_rolled_on": term.rolled_on if term else None,
        "term_lapsed": case.term_lapsed,
        **msgspec.structs.asdict(columns_of(case)),
    }


_MASKED = dict.fromkeys(
    ("matter_kind", "phase", "cause", "claimed_fen", "received_on", "term_on", "term_rolled_on")
)


def _coming(case: Standing, move: Move, shared: dict[str, Any]) -> dict[str, Any]:
    """Say of a coming case no more than its receiver may know before he answers."""
    return {
        **shared,
        **_MASKED,
        "term_lapsed": False,
        "level": move.to_level,
        "body_path": move.to_path,
        "from_body_id": move.from_body_id,
        "from_level": move.from_level,
        **_dated(case.due.get(RECEIVERS)),
    }


def _at(case: Standing, body: Place) -> dict[str, Any]:
    is_elsewhere = body.body_id != case.custody_body_id
    return {
        "level": case.level,
        "body_path": body.path,
        "from_body_id": case.custody_body_id if is_elsewhere else None,
        "from_level": case.level if is_elsewhere else None,
    }


def _dated(due: Term | None) -> dict[str, Any]:
    if due is None:
        return {"sort_on": NEVER}
    return {
        "due_on": due.due_on,
        "rolled_on": due.rolled_on,
        "due_at": to_micros(due.due_at) if due.due_at else None,
        "due_code": due.code,
        "sort_on": due.due_on,
    }


def _payments(case: Standing) -> dict[str, Any]:
    """Give the days on which something that is owed falls due and is not paid yet."""
    days = sorted({debt.due_on for debt in case.unpaid()}) if case.is_owed else []
    if not days:
        return {}
    return {"pay_from": days[0], "pay_on": f"|{'|'.join(map(str, days))}|"}
