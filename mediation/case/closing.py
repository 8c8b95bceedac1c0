"""办结销号: tracking of the case ends; no figure counts it, and it is not the end of mediation."""

from __future__ import annotations

from typing import Annotated

import msgspec

from mediation.case.custody import withdrawn
from mediation.case.intake import Code
from mediation.case.lifecycle import open_duties, require_allowed
from mediation.case.state import (
    CaseCommand,
    CaseEvent,
    CaseFacts,
    CaseState,
    due_date,
)
from mediation.codes import is_code
from mediation.errors import FieldFault, Malformed
from mediation.kernel import Decision, decides, evolves, stored_as


class CloseCase(CaseCommand, frozen=True, kw_only=True):
    """Close the case; a duty still open is waived by its name, with a coded reason."""

    waived_duties: Annotated[tuple[Code, ...], msgspec.Meta(max_length=10)] = ()
    waiver_reason_code: Code | None = None


@decides(CloseCase)
def close_case(case: CaseState, command: CloseCase, facts: CaseFacts) -> Decision:
    """Close; the file is to be archived within thirty days."""
    left_open = set(open_duties(case))
    waives = set(command.waived_duties) >= left_open > set()
    if command.waived_duties and not is_code("waiver_reasons", command.waiver_reason_code or ""):
        raise Malformed(
            zh="免予办结须选择理由代码，请从代码表中选择。",
            en="A waiver needs a reason; choose one from the code table.",
            faults=(FieldFault("/waiver_reason_code", "unknown-code"),),
        )
    waived = frozenset({"no-open-duty"}) if waives else frozenset[str]()
    phase = require_allowed(case, command, waived=waived)
    closed = CaseClosed(
        **facts.stamp(CaseClosed, reason_code=command.waiver_reason_code if waives else None),
        phase=phase,
        due=(due_date("D18", facts, facts.ladder_of(case), CaseClosed),),
        due_ended=tuple(case.due),
        at_body_id=case.custody_body_id,
        waived_duties=tuple(sorted(left_open)),
    )
    if case.move is None:
        return Decision.of(facts.stream, closed)
    # Nobody is left to wait for an answer on a closed case.
    return Decision.of(
        facts.stream,
        withdrawn(case.move, facts, case.phase or phase, reason_code="case-closed"),
        closed,
    )


@stored_as("case.closed")
class CaseClosed(CaseEvent, frozen=True, kw_only=True):
    """The case was closed; `waived_duties` were left open for the coded reason."""

    at_body_id: str
    waived_duties: tuple[str, ...]


@evolves(CaseClosed)
def _(case: CaseState, event: CaseClosed) -> CaseState:
    return case.with_(event, move=None)
