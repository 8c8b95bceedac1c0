"""The statutory term: extended by everybody's word, or run out; neither ever bars an agreement.

L-LDMA 14 and L-ZJ 10: mediation ends fifteen days after the application was received, unless the
parties agree to go on. No move of custody resets the term. An enterprise committee has fifteen days
of its own from its acceptance; only when these are over does its mediation count as failed
(L-PROV 29).
"""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal
from uuid import UUID

import msgspec

from mediation.calendar import CATALOGUE, DueDate, first_moment_after, first_moment_of
from mediation.case.lifecycle import require_allowed
from mediation.case.state import (
    CaseCommand,
    CaseEvent,
    CaseFacts,
    CaseState,
    due_date,
    level_target,
)
from mediation.case.values import (
    Matter,
    PartyIds,
    Side,
    unique,
)
from mediation.errors import NotAllowedNow, Refusal
from mediation.kernel import Decision, decides, evolves, stored_as

_DISPUTES = frozenset({Matter.DISPUTE})


class ExtendTerm(CaseCommand, frozen=True, kw_only=True):
    """Extend the statutory term to a day that every party taking part agreed to.

    `until_on` is the last day of the extension.
    It rests on the transfer sheets of the last move, or on an extension signed by the parties;
    it may be recorded late.
    """

    matters: ClassVar[frozenset[Matter]] = _DISPUTES

    until_on: date
    agreed_ids: PartyIds
    basis: Literal["transfer-sheet", "signed-extension"] = "signed-extension"


class LapseTerm(CaseCommand, frozen=True, kw_only=True):
    """Record that a term ran out; fired by the timer, which tells of what term it saw the end.

    D02 and D04 are the statutory term, D03 is an enterprise committee's own.
    """

    matters: ClassVar[frozenset[Matter]] = _DISPUTES

    code: Literal["D02", "D03", "D04"]
    due_on: date
    start_event_id: UUID | None = None


@decides(ExtendTerm)
def extend_term(case: CaseState, command: ExtendTerm, facts: CaseFacts) -> Decision:
    """Set a later end, from which the same calendar rules lead to the legal last day."""
    phase = require_allowed(case, command)
    term = _term(case)
    _require_agreed(case, command)
    _require_length(case, command, term)
    ladder = facts.ladder_of(case)
    began_on = _began_on(term)
    days = (command.until_on - began_on).days
    since = (first_moment_of(began_on), None)
    extended = due_date(_code(case), facts, ladder, TermExtended, length=days, start=since)
    target = case.due.get("D13")
    is_rest = target is not None and target.rule == "rest"
    own = (
        (level_target(facts, ladder, case.level, TermExtended, extended.due_on),) if is_rest else ()
    )
    return Decision.of(
        facts.stream,
        TermExtended(
            **case.stamp(facts, TermExtended, legal_basis="L-LDMA 14; L-ZJ 10"),
            phase=phase,
            due=(extended, *own),
            due_ended=case.ending("D02", "D03", "D04", *(("D13",) if is_rest else ())),
            earlier_due_on=term.due_on,
            extended_to_on=command.until_on,
            agreed_ids=unique(command.agreed_ids),
            basis=command.basis,
            late=facts.occurred_on > term.rolled_on,
        ),
    )


def _term(case: CaseState) -> DueDate:
    if case.term is None:
        msg = "the life-cycle lets nobody extend or lapse a term that does not run"
        raise AssertionError(msg)
    return case.term


def _began_on(term: DueDate) -> date:
    """Give the day on which all extensions together began: the end of the term as it was set."""
    return term.start_on if term.code == "D04" else term.due_on


def _require_agreed(case: CaseState, command: ExtendTerm) -> None:
    willing = {party.party_id for party in case.parties if case.has_agreed(party)}
    agreed = set(command.agreed_ids)
    sides = {it.side for it in case.parties_of(command.agreed_ids, "agreed_ids")}
    if not willing <= agreed or sides != set(Side):
        raise NotAllowedNow(
            Refusal(
                "not-agreed-by-all",
                "延期须经参加调解的各方当事人同意，请逐一取得并补齐。",
                "An extension needs the agreement of every party taking part; obtain and name all.",
            )
        )
    if command.basis == "transfer-sheet" and not agreed <= case.extendable_ids:
        raise NotAllowedNow(
            Refusal(
                "not-on-the-sheets",
                "提级意见书上并非各方都同意延期，请另行取得签署的延期意见。",
                "Not everybody agreed to an extension on the transfer sheet; obtain a signed one.",
            )
        )


def _require_length(case: CaseState, command: ExtendTerm, term: DueDate) -> None:
    if command.until_on <= term.due_on:
        raise NotAllowedNow(
            Refusal(
                "not-later",
                "延期后的期限须晚于现有期限，请核对日期。",
                "The new end must be later than the present one; check the date.",
            )
        )
    longest = CATALOGUE[_code(case)].longest
    if longest is not None and (command.until_on - _began_on(term)).days > longest:
        raise NotAllowedNow(
            Refusal(
                "extension-too-long",
                f"新就业形态争议累计延期最长{longest}日，请改短。",
                f"In platform work all extensions together are at most {longest} days; choose a "
                "nearer date.",
            )
        )


def _code(case: CaseState) -> str:
    return "D04-PLATFORM" if "NEW_FORM" in case.flags else "D04"


@stored_as("case.term-extended")
class TermExtended(CaseEvent, frozen=True, kw_only=True):
    """The parties agreed to go on until a later day; `late` if that was signed after the term.

    `earlier_due_on` is the last day of the term before it, `extended_to_on` the last day of the
    extension: both are days on which mediation may still end in time.
    """

    earlier_due_on: date
    extended_to_on: date
    agreed_ids: tuple[UUID, ...]
    basis: str
    late: bool


@evolves(TermExtended)
def _(case: CaseState, event: TermExtended) -> CaseState:
    # The sheets agreed to one extension; the next one needs everybody's word again.
    is_used_up = event.basis == "transfer-sheet"
    extendable = frozenset[UUID]() if is_used_up else case.extendable_ids
    return case.with_(event, extendable_ids=extendable)


@decides(LapseTerm)
def lapse_term(case: CaseState, command: LapseTerm, facts: CaseFacts) -> Decision:
    """Record the lapse from the first moment after the legal last day, once for each term."""
    phase = require_allowed(case, command)
    term = _seen(case, command)
    if term is None or facts.occurred_on <= term.rolled_on:
        raise NotAllowedNow(
            Refusal(
                "term-not-over",
                "该期限尚未届满，或者已经延期、已经登记届满，请核对后再办。",
                "This term is not over, or its extension or lapse is on record; check it first.",
            )
        )
    is_own = term == case.own_term
    # It happened at the first moment after the term, whenever the timer came to it.
    facts = msgspec.structs.replace(facts, occurred_at=first_moment_after(term.rolled_on))
    # A date that was past already when it was typed in alarms nobody: the office decides.
    told = () if term.past_when_decided else tuple(party.party_id for party in case.parties)
    return Decision.of(
        facts.stream,
        StatutoryTermLapsed(
            **case.stamp(
                facts,
                StatutoryTermLapsed,
                legal_basis="L-PROV 29" if is_own else "L-LDMA 14; L-ZJ 10",
            ),
            phase=phase,
            term_code=term.code,
            due_on=term.due_on,
            rolled_on=term.rolled_on,
            legal_effect="deemed-failed" if is_own else None,
            # L-PROV 31(6): no agreement at the end of the term.
            interrupts_limitation=True,
            to_tell_ids=told,
            past_when_entered=term.past_when_decided,
        ),
    )


def _seen(case: CaseState, command: LapseTerm) -> DueDate | None:
    """Find the term that the timer saw, if it still runs and its lapse is not on record."""
    terms = (None if case.term_lapsed else case.term, case.own_term)
    seen = (command.code, command.due_on, command.start_event_id)
    running = (it for it in terms if it is not None)
    return next((it for it in running if (it.code, it.due_on, it.start_event_id) == seen), None)


@stored_as("case.statutory-term-lapsed")
class StatutoryTermLapsed(CaseEvent, frozen=True, kw_only=True):
    """The statutory term, or a committee's own, ran out without agreement; tell every party named.

    It is to be dealt with: extended by everybody's word, or ended. Signing stays open. The
    `legal_effect` 视为调解不成 comes with the end of an enterprise committee's own term, D03.
    """

    term_code: str
    due_on: date
    rolled_on: date
    legal_effect: str | None
    interrupts_limitation: bool
    to_tell_ids: tuple[UUID, ...]
    past_when_entered: bool


@evolves(StatutoryTermLapsed)
def _(case: CaseState, event: StatutoryTermLapsed) -> CaseState:
    if event.legal_effect is not None:
        return case.with_(event, committee_id=None)
    return case.with_(event, term_lapsed=True)
