"""The one table of phases and triggers, and the pure function that asks it; no effect of any kind.

The table says from which phase a command leads where, and under which guards. Office decisions
are refused outside it; recorded facts never are: outside it they leave the phase as it is. The
library validates nothing of this, so `check_lifecycle` does at start-up (ADR 0001).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec
from transitions import Machine

from mediation.case.state import CaseState, Phase, Side
from mediation.codes import label
from mediation.errors import NotAllowedNow, Refusal
from mediation.kernel import Command, commands, kebab

Guard = Callable[[CaseState], bool]

_GUARDS: dict[str, tuple[Guard, Refusal]] = {}


def guard(code: str, zh: str, en: str) -> Callable[[Guard], Guard]:
    """Register a guard with what to do when it does not hold."""

    def register(function: Guard) -> Guard:
        _GUARDS[code] = (function, Refusal(code, zh, en))
        return function

    return register


@guard(
    "no-move-pending",
    "本案正在等待接收，请先由接收单位接收或不予接收，或撤回申请。",
    "A custody move is pending; let the receiver answer, or withdraw the request first.",
)
def no_move_pending(case: CaseState) -> bool:
    """No custody move waits for an answer."""
    return case.move is None


@guard(
    "a-move-pending",
    "本案没有待接收的移交申请。",
    "No custody move is pending on this case.",
)
def a_move_pending(case: CaseState) -> bool:
    """A custody move waits for an answer."""
    return case.move is not None


@guard(
    "not-assigned-down",
    "上级交办的案件不能不予接收；确需退办的，签收后以“申请退办”为由提请上级。",
    "A case assigned down cannot be declined; sign for it, then ask the assigner to take it back.",
)
def not_assigned_down(case: CaseState) -> bool:
    """The pending move is not 交办."""
    return case.move is None or case.move.kind != "ASSIGN_DOWN"


@guard(
    "is-dispute",
    "只有争议案件可以受理调解；诉求、法律援助事项请走各自流程。",
    "Only a dispute can be accepted for mediation; demands and legal aid have their own tracks.",
)
def is_dispute(case: CaseState) -> bool:
    """The matter is a dispute."""
    return case.matter_kind == "DISPUTE"


@guard(
    "applicant-agreed",
    "申请人尚未在本单位表示同意调解，请先征询并记录其意愿。",
    "No applicant has agreed to mediation at this body; ask and record the answer first.",
)
def applicant_agreed(case: CaseState) -> bool:
    """At least one applicant agreed at this body; a refusal has a guard of its own."""
    return case.refusing_side() is Side.APPLICANT or any(map(case.has_agreed, case.applicants))


@guard(
    "respondent-agreed",
    "被申请人尚未在本单位表示同意调解，请先征询并记录其意愿。",
    "No respondent has agreed to mediation at this body; ask and record the answer first.",
)
def respondent_agreed(case: CaseState) -> bool:
    """At least one respondent agreed at this body; a refusal has a guard of its own."""
    return case.refusing_side() is Side.RESPONDENT or any(map(case.has_agreed, case.respondents))


@guard(
    "no-side-refused",
    "一方当事人已明确拒绝调解，不得受理或者继续调解；请办理不予受理或者终止调解，并书面告知。",
    "One side has clearly refused mediation: refuse the case or record that mediation failed, and "
    "tell the parties in writing.",
)
def no_side_refused(case: CaseState) -> bool:
    """No side has clearly refused without anybody on it being willing."""
    return case.refusing_side() is None


@guard(
    "nobody-assigned",
    "本案已分派调解员；需要更换的，请先由其说明不能承办。",
    "Mediators are assigned already; to change them, the lead mediator declines first.",
)
def nobody_assigned(case: CaseState) -> bool:
    """Nobody is assigned to the case."""
    return not case.mediator_ids


@guard(
    "acceptance-open",
    "本案没有正在进行的调解。",
    "There is no open mediation in this case.",
)
def acceptance_open(case: CaseState) -> bool:
    """The case was accepted and the mediation has not been concluded."""
    return case.acceptance_open


@guard(
    "no-acceptance-open",
    "本案已受理，调解尚未终结，请继续办理；需要结束的，请办理调解结案或者终止调解。",
    "The case is accepted and its mediation is open: go on, or end it by conclusion or failure.",
)
def no_acceptance_open(case: CaseState) -> bool:
    """No mediation is open."""
    return not case.acceptance_open


@guard(
    "settled-on-paper",
    "尚未登记和解协议书或书面承诺，不能以和解结案。",
    "No settlement or written undertaking has been recorded; record it before concluding.",
)
def settled_on_paper(case: CaseState) -> bool:
    """A settlement or an undertaking was recorded since the last conclusion, if there was one."""
    return case.settled_by is not None


@guard(
    "no-open-duty",
    "尚有事项未办结（未书面告知救济途径，或者尚未履行完毕）；确不能办结的，请选择免予办结的事项和理由。",
    "A duty is still open (remedies notice or payment); do it, or waive it by name with a reason.",
)
def no_open_duty(case: CaseState) -> bool:
    """Nothing that the office or a party owes is left open."""
    return not open_duties(case)


def open_duties(case: CaseState) -> tuple[str, ...]:
    """Name the duties that stand in the way of closing, as stable codes."""
    duties = []
    if case.remedies_owed_ids:
        duties.append("remedies-notice")
    if case.has_taken_effect and any(not payment.is_performed for payment in case.payments):
        duties.append("performance")
    return tuple(duties)


BEFORE_EFFECT = (
    Phase.REGISTERED,
    Phase.CONSENT_PENDING,
    Phase.ACCEPTED,
    Phase.ASSIGNED,
    Phase.MEDIATING,
)
OPEN = (*BEFORE_EFFECT, Phase.PERFORMING, Phase.FAILED, Phase.NOT_ACCEPTED)
SAME = "="
"""As a transition's destination: the phase stays, or the event itself decides it (custody)."""

P = Phase
TABLE: tuple[tuple[str, tuple[Phase, ...], str, tuple[str, ...]], ...] = (
    # trigger (command), from, to, guards
    ("ask-consent", (P.REGISTERED,), P.CONSENT_PENDING, ()),
    ("record-consent", (P.REGISTERED,), P.CONSENT_PENDING, ()),
    (
        "accept-case",
        (P.CONSENT_PENDING,),
        P.ACCEPTED,
        (
            "no-move-pending",
            "no-acceptance-open",
            "is-dispute",
            "applicant-agreed",
            "respondent-agreed",
            "no-side-refused",
        ),
    ),
    ("refuse-case", (P.REGISTERED, P.CONSENT_PENDING), P.NOT_ACCEPTED, ("no-acceptance-open",)),
    ("raise-flag", (), SAME, ()),
    ("clear-flag", OPEN, SAME, ()),
    (
        "assign-mediators",
        # MEDIATING too: a session may be typed in before anybody was assigned.
        (P.ACCEPTED, P.MEDIATING),
        P.ASSIGNED,
        ("no-move-pending", "no-side-refused", "nobody-assigned"),
    ),
    ("confirm-assignment", (P.ASSIGNED,), P.MEDIATING, ()),
    ("decline-assignment", (P.ASSIGNED,), P.ACCEPTED, ()),
    ("serve-rights-notice", (), SAME, ()),
    ("record-session", (P.ACCEPTED, P.ASSIGNED), P.MEDIATING, ()),
    ("give-undertaking", (), SAME, ()),
    ("record-settlement", (), SAME, ()),
    (
        "conclude-mediation",
        (P.CONSENT_PENDING, P.ACCEPTED, P.ASSIGNED, P.MEDIATING),
        P.PERFORMING,
        ("no-move-pending", "acceptance-open", "settled-on-paper"),
    ),
    (
        "fail-mediation",
        (P.CONSENT_PENDING, P.ACCEPTED, P.ASSIGNED, P.MEDIATING),
        P.FAILED,
        ("acceptance-open",),
    ),
    ("serve-remedies-notice", (), SAME, ()),
    ("record-performance", (), SAME, ()),
    ("request-custody-move", OPEN, SAME, ("no-move-pending",)),
    ("accept-custody", OPEN, SAME, ("a-move-pending",)),
    ("decline-custody", OPEN, SAME, ("a-move-pending", "not-assigned-down")),
    ("withdraw-custody-move", OPEN, SAME, ("a-move-pending",)),
    ("record-transfer-sheet", (), SAME, ()),
    (
        "close-case",
        (P.PERFORMING, P.FAILED, P.NOT_ACCEPTED),
        P.CLOSED,
        ("no-acceptance-open", "no-open-duty"),
    ),
)
BY_EVENT = (Phase.CLOSED,)
"""Phases without a way out in this table."""


@cache
def machine() -> Machine:
    """Build the table once: no model, no automatic transitions, no callbacks."""
    rules = [
        {
            "trigger": trigger,
            "source": source,
            "dest": source if dest == SAME else dest,
            "conditions": list(guards),
        }
        for trigger, sources, dest, guards in TABLE
        for source in (sources or tuple(Phase))
    ]
    return Machine(
        model=None,
        states=[phase.value for phase in Phase],
        transitions=rules,
        initial=Phase.REGISTERED.value,
        auto_transitions=False,
    )


class Ruling(msgspec.Struct, frozen=True):
    """What the table says of one command now: where it leads, or which guards did not hold."""

    to: Phase
    refusals: tuple[Refusal, ...] = ()


def _wrong_phase(case: CaseState) -> Refusal:
    phase = case.phase.value if case.phase else ""
    now = label("phases", phase) if phase else label("commands", "RegisterCase")
    return Refusal(
        "wrong-phase",
        f"案件现处于“{now.zh}”，不能办理此事项；请从可办事项中选择。",
        f"The case is now in the phase '{now.en}'; choose one of its available actions.",
    )


def ask(
    case: CaseState, trigger: str, *, is_fact: bool = False, waived: frozenset[str] = frozenset()
) -> Ruling:
    """Ask the table, without effect, whether `trigger` is open to the case now.

    A recorded fact is never refused: where the table does not lead on, the phase stays.
    `waived` names guards that a person with the authority to do so has waived, with a reason.
    """
    if case.phase is None:
        return Ruling(Phase.REGISTERED, (_wrong_phase(case),))
    found = machine().events[trigger].transitions.get(case.phase.value, ())
    if not found:
        return Ruling(case.phase, () if is_fact else (_wrong_phase(case),))
    transition = found[0]
    asked = (str(condition.func) for condition in transition.conditions)
    failed = tuple(
        _GUARDS[code][1] for code in asked if code not in waived and not _GUARDS[code][0](case)
    )
    if failed:
        return Ruling(case.phase, () if is_fact else failed)
    return Ruling(Phase(str(transition.dest)))


def require_allowed(
    case: CaseState, command: Command, *, waived: frozenset[str] = frozenset()
) -> Phase:
    """Give the phase a command leads to.

    Raises:
        NotAllowedNow: an office decision is not open now; names every guard that did not hold.
    """
    ruling = ask(case, kebab(type(command).__name__), is_fact=command.is_fact, waived=waived)
    if ruling.refusals:
        raise NotAllowedNow(*ruling.refusals)
    return ruling.to


def phase_after(case: CaseState, command: Command, *, moves: bool) -> Phase:
    """Give the phase a recorded fact leads to, or the present one if this fact `moves` nothing."""
    here = case.phase or Phase.REGISTERED
    return require_allowed(case, command) if moves else here


def available(case: CaseState) -> Mapping[str, tuple[Refusal, ...]]:
    """Give every command of the table with the guards that refuse it now; empty means open."""
    known = commands()
    return {
        trigger: ask(case, trigger, is_fact=known[trigger].command_type.is_fact).refusals
        for trigger, _sources, _dest, _guards in TABLE
    }


def check_lifecycle() -> None:
    """Verify the table at start-up; the library accepts anything.

    Raises:
        TypeError: a trigger without command, an unknown or unused guard, a destination that is no
            phase, a phase that cannot be reached, or a final phase with a way out.
    """
    known = {name for name, it in commands().items() if it.command_type.stream_kind == "case"}
    triggers = [trigger for trigger, _s, _d, _g in TABLE]
    problems: list[str] = []
    if len(set(triggers)) != len(triggers):
        problems.append("a trigger stands twice")
    creating = {name for name, it in commands().items() if it.command_type.creates}
    if set(triggers) != known - creating:
        problems.append(f"triggers and case commands differ: {set(triggers) ^ (known - creating)}")
    used = {name for _t, _s, _d, guards in TABLE for name in guards}
    if used != set(_GUARDS):
        problems.append(f"guards used and guards written differ: {used ^ set(_GUARDS)}")
    nowhere = {dest for _t, _s, dest, _g in TABLE} - {SAME, *Phase}
    if nowhere:
        problems.append(f"unknown destinations: {nowhere}")
    reached = {Phase.REGISTERED}
    for _ in Phase:
        reached |= {
            Phase(dest)
            for _t, sources, dest, _g in TABLE
            if dest not in {SAME, *nowhere} and reached & set(sources or Phase)
        }
    if reached != set(Phase):
        problems.append(f"unreachable phases: {set(Phase) - reached}")
    ways_out = {source for _t, sources, dest, _g in TABLE if dest != SAME for source in sources}
    if ways_out & set(BY_EVENT):
        problems.append(f"final phases with a way out: {ways_out & set(BY_EVENT)}")
    if problems:
        raise TypeError("; ".join(problems))


def table_rows() -> list[dict[str, Any]]:
    """Give the table as plain rows, for the generated diagram and reference."""
    return [
        {"trigger": trigger, "from": [s.value for s in sources], "to": dest, "guards": list(guards)}
        for trigger, sources, dest, guards in TABLE
    ]
