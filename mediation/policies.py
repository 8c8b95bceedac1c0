"""What follows by itself when a date has passed: due facts in, commands out; nothing is done here.

A command says what it saw, so that one that comes too late is refused instead of acting twice; its
key is made of the same, so that it is carried out once, however many processes fire it.
"""

from __future__ import annotations

from datetime import date
from typing import Literal
from uuid import UUID

import msgspec

from mediation.case.term import LapseTerm
from mediation.kernel import Command


class Fired(msgspec.Struct, frozen=True, kw_only=True):
    """A command that is due, on a case, with the key under which it happens once and for ever."""

    case_id: UUID
    key: str
    command: Command


def whenever_a_term_is_over_then_lapse_it(
    case_id: UUID, code: Literal["D02", "D03", "D04"], due_on: date, start_event_id: UUID | None
) -> Fired:
    """A term ran out: record it, since it has to be dealt with (L-LDMA 14, L-PROV 29)."""
    return Fired(
        case_id=case_id,
        key=f"lapse-term:{case_id}:{code}:{due_on}:{start_event_id}",
        command=LapseTerm(code=code, due_on=due_on, start_event_id=start_event_id),
    )
