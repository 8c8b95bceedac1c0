"""The golden bytes hold every branch that a field of an event can take, but those nobody writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from mediation import case, kernel, network
from mediation.case.state import CaseEvent, RecordedFact
from mediation.kernel import Event
from mediation.privacy import Sealed
from tests.history.records import histories, history, registered

inspect = msgspec.inspect
CHAPTERS = (case, network)
"""Importing them registers every event there is."""

Branch = tuple[str, str, str]

SHARED = frozenset(RecordedFact.__struct_fields__)
"""Fields of the base classes: each branch has to come up in some event, not in every one."""

UNWRITTEN = """
* on_behalf_of_id value
case.accepted agreed_ids empty
case.accepted within_district false
case.accepted within_scope false
case.agreement-drafted bound_ids empty
case.agreement-drafted obligations empty
case.agreement-drafted results empty
case.agreement-sealed made_as null
case.agreement-took-effect bound_ids empty
case.agreement-took-effect obligations empty
case.aid-refused owed_to_ids empty
case.consent-withdrawn owed_to_ids empty
case.contract-change-confirmed items empty
case.contract-change-confirmed obligations empty
case.contract-change-confirmed signed_by_ids empty
case.counsel-appointed for_ids empty
case.demand-answered respondent_id null
case.demand-fed-back told_ids empty
case.mediation-concluded first_accepting_body_id null
case.mediation-concluded term_code null
case.mediation-concluded term_due_on null
case.mediation-concluded term_on null
case.mediation-concluded within_term null
case.mediation-failed owed_to_ids empty
case.mediators-assigned mediator_ids empty
case.not-accepted owed_to_ids empty
case.obligations-set obligations empty
case.oral-agreement-recorded agreed_by_ids empty
case.proceeding-opened filed_by_ids empty
case.registered applicants empty
case.registered lines empty
case.registered respondents empty
case.remedy-route-taken filed_by_ids empty
case.session-held attending_ids empty
case.session-held host_ids empty
case.settlement-recorded obligations empty
case.settlement-recorded signed_by_ids empty
case.statutory-term-lapsed interrupts_limitation false
case.term-extended agreed_ids empty
case.undertaking-given interrupts_limitation false
case.undertaking-given obligations empty
case.urgent-report-filed addressees empty
case.withdrawn by_ids empty
"""
"""Branches without golden bytes: most are never decided, since the form or a guard forbids them."""


def unwritten() -> set[Branch]:
    """Read the list."""
    rows = (line.split(" ") for line in UNWRITTEN.strip().splitlines())
    return {(place, field, branch) for place, field, branch in rows}


def possible(info: Any, place: str) -> Iterator[Branch]:
    """Give every branch that the form of an event leaves open: null, true, a list with nothing."""
    for field in info.fields:
        where = "*" if field.name in SHARED and "." in place else place
        for branch in _branches(field.type):
            yield where, field.name, branch
        for part in _parts(field.type):
            if part.cls is not Sealed:
                yield from possible(part, part.cls.__name__)


def _branches(info: Any) -> tuple[str, ...]:
    if isinstance(info, inspect.UnionType):
        rest = next(it for it in info.types if not isinstance(it, inspect.NoneType))
        return ("null", *(_branches(rest) or ("value",)))
    if isinstance(info, inspect.BoolType):
        return ("true", "false")
    return ("empty", "full") if isinstance(info, inspect.VarTupleType) else ()


def _parts(info: Any) -> Iterator[Any]:
    if isinstance(info, inspect.StructType):
        yield info
    for name in ("item_type", "type"):
        if hasattr(info, name):
            yield from _parts(getattr(info, name))
    for it in getattr(info, "types", ()):
        yield from _parts(it)


def taken(value: Any, place: str) -> Iterator[Branch]:
    """Give every branch that an event has taken."""
    words = {None: "null", True: "true", False: "false", (): "empty"}
    for field in value.__struct_fields__:
        item = getattr(value, field)
        plain = isinstance(item, bool | tuple) or item is None
        branch = words.get(item, "full") if plain and not item else _word(item)
        yield ("*" if field in SHARED and "." in place else place), field, branch
        for it in item if isinstance(item, tuple) else (item,):
            if isinstance(it, msgspec.Struct) and not isinstance(it, Sealed):
                yield from taken(it, type(it).__name__)


def _word(item: Any) -> str:
    if item is True:
        return "true"
    return "full" if isinstance(item, tuple) else "value"


def missing(told: Iterable[Event]) -> set[Branch]:
    """Name the branches that the form leaves open and no event has taken."""
    seen = {branch for it in told for branch in taken(it, it.topic.partition("/")[0])}
    return {
        branch
        for topic in registered()
        for branch in possible(inspect.type_info(kernel.events()[topic]), topic.partition("/")[0])
    } - seen


def everything() -> list[Event]:
    """Give every event of every golden history."""
    return [event for name in histories() for event in history(name)]


def test_every_branch_that_is_ever_written_has_golden_bytes():
    """A decoder that breaks on a null, a flag or an empty list does not pass."""
    assert missing(everything()) == unwritten()


def test_a_branch_that_loses_its_last_event_is_found():
    """The proof has teeth: without the events of the system's own actor a branch is gone."""
    fewer = [it for it in everything() if it.body_id is not None]

    assert ("*", "body_id", "null") in missing(fewer) - unwritten()
    assert issubclass(RecordedFact, CaseEvent)
