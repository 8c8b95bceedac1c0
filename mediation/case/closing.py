"""办结销号: tracking of the case ends; no figure counts it, and it is not the end of mediation."""

from __future__ import annotations

from typing import Annotated

import msgspec

from mediation.case.conclusion import ending_move
from mediation.case.lifecycle import open_duties, require_allowed
from mediation.case.state import (
    CaseCommand,
    CaseEvent,
    CaseFacts,
    CaseState,
    due_date,
    require_code,
)
from mediation.case.values import Code
from mediation.errors import NotAllowedNow, Refusal
from mediation.kernel import Decision, decides, evolves, stored_as


class CloseCase(CaseCommand, frozen=True, kw_only=True):
    """Close the case; a duty still open is waived by its name, with a coded reason."""

    waived_duties: Annotated[tuple[Code, ...], msgspec.Meta(max_length=10)] = ()
    waiver_reason_code: Code | None = None


AFTER_CLOSE = ("D08", "D09", "D24", "D25")
"""Dates that outlive the closing: what the parties may still do, and visits and reviews owed."""


_WAIVERS = {
    "remedies-notice": frozenset({"party-untraceable", "moved-to-remedies"}),
    "performance": frozenset(
        {"creditor-released", "settled-elsewhere", "party-untraceable", "moved-to-remedies"}
    ),
}
"""For which reasons a duty can be waived: no release of a debt does away with the notice."""


@decides(CloseCase)
def close_case(case: CaseState, command: CloseCase, facts: CaseFacts) -> Decision:
    """Close; the file is to be archived within thirty days."""
    left_open = set(open_duties(case))
    waives = set(command.waived_duties) >= left_open > set()
    if command.waived_duties:
        require_code("waiver_reasons", command.waiver_reason_code, "waiver_reason_code")
    if waives and any(command.waiver_reason_code not in _WAIVERS[duty] for duty in left_open):
        raise NotAllowedNow(
            Refusal(
                "waiver-does-not-fit",
                "所选理由不能免除该事项：未书面告知救济途径（remedies-notice）的，仅限当事人无法"
                "联系或者已申请仲裁、起诉；请另选理由，或者先行办结。",
                "This reason does not waive that duty: the remedies notice (remedies-notice) is "
                "waived only where a party cannot be reached or went to arbitration or court; "
                "choose another reason, or do what is owed.",
            )
        )
    waived = frozenset({"no-open-duty"}) if waives else frozenset[str]()
    phase = require_allowed(case, command, waived=waived)
    ladder = facts.ladder_of(case)
    # One person accepted, mediated and now closes it.
    single = facts.actor.actor_id == case.accepted_by_id == case.lead_mediator_id
    # Of a body without one above it nobody looks after what was done without a second look.
    is_below = facts.network.body(case.custody_body_id).parent_id is not None
    reviewed = is_below and (single or case.is_on_one_form)
    closed = CaseClosed(
        **case.stamp(facts, CaseClosed, reason_code=command.waiver_reason_code if waives else None),
        phase=phase,
        due=(
            due_date("D18", facts, ladder, CaseClosed),
            *((due_date("D24", facts, ladder, CaseClosed),) if reviewed else ()),
        ),
        due_ended=tuple(key for key, it in case.due.items() if it.code not in AFTER_CLOSE),
        waived_duties=tuple(sorted(left_open)),
        single_handed=single,
    )
    # Nobody is left to wait for an answer on a closed case.
    return Decision.of(
        facts.stream,
        *ending_move(case, facts, case.phase or phase, reason_code="case-closed", by=CaseClosed),
        closed,
    )


@stored_as("case.closed")
class CaseClosed(CaseEvent, frozen=True, kw_only=True):
    """The case was closed; `waived_duties` were left open for the coded reason.

    `single_handed` says that one person accepted, mediated and closed it; the upper body looks
    into such a case afterwards, and into one that was settled on one form (D24).
    """

    waived_duties: tuple[str, ...]
    single_handed: bool


@evolves(CaseClosed)
def _(case: CaseState, event: CaseClosed) -> CaseState:
    return case.with_(event, move=None)
