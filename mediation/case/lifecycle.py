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

from mediation.case.state import CaseCommand, CaseState
from mediation.case.values import Matter, Phase, Side
from mediation.codes import label, phase_label
from mediation.errors import NotAllowedNow, Refusal
from mediation.kernel import Command, command_named, commands, kebab

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
    "ten-workers",
    "职工不足10人，不构成集体争议；追加职工后再确认共同请求。",
    "Fewer than ten workers: this is no collective dispute; confirm it once there are ten.",
)
def ten_workers(case: CaseState) -> bool:
    """Ten distinct workers or more (L-LDMA 7)."""
    return case.workers >= 10  # noqa: PLR2004 - L-LDMA 7


@guard(
    "not-collective-yet",
    "本案已确认为集体争议，无需重复确认。",
    "The common claim is confirmed already; nothing is left to do.",
)
def not_collective_yet(case: CaseState) -> bool:
    """The common claim is not confirmed yet."""
    return not case.is_collective


@guard(
    "term-runs",
    "本案没有正在计算的法定调解期限。",
    "No statutory term runs in this case.",
)
def term_runs(case: CaseState) -> bool:
    """The statutory term of the mediation runs, or ran out without being dealt with."""
    return case.term is not None


@guard(
    "not-lapsed-yet",
    "本案期限届满已经登记。",
    "The lapse of the term is on record already.",
)
def not_lapsed_yet(case: CaseState) -> bool:
    """The lapse of the present term, or of a committee's own, is not recorded yet."""
    return not case.term_lapsed or case.own_term is not None


@guard(
    "draft-stands",
    "没有待签的协议稿，请先拟定协议。",
    "There is no draft to act on; draft the agreement first.",
)
def draft_stands(case: CaseState) -> bool:
    """A draft waits to be checked, signed and sealed."""
    return case.draft is not None


@guard(
    "demand-fed-back",
    "尚未向职工反馈诉求办理结果，请先登记反馈。",
    "The worker has not been told the result of the demand; record the feedback first.",
)
def demand_fed_back(case: CaseState) -> bool:
    """The worker was told what became of the demand."""
    return case.matter_kind != "DEMAND" or case.is_fed_back or case.phase is Phase.WITHDRAWN


@guard(
    "no-open-proceeding",
    "仲裁、诉讼等程序尚无结果，请先登记程序进展。",
    "A proceeding has no result yet; record what became of it first.",
)
def no_open_proceeding(case: CaseState) -> bool:
    """Every proceeding on record has a result."""
    return not any(proceeding.is_open for proceeding in case.proceedings)


@guard(
    "no-open-duty",
    "尚有事项未办结（书面告知救济途径、履行）；确不能办结的，请选择免予办结的事项和理由。",
    "A duty is still open (remedies notice or performance); do it, or waive it by name with a "
    "reason.",
)
def no_open_duty(case: CaseState) -> bool:
    """Nothing that the office or a party owes is left open."""
    return not open_duties(case)


def open_duties(case: CaseState) -> tuple[str, ...]:
    """Name the duties that stand in the way of closing, as stable codes."""
    duties = []
    if case.remedies_owed_ids:
        duties.append("remedies-notice")
    if is_owed(case) and any(not payment.is_performed for payment in case.payments):
        duties.append("performance")
    return tuple(duties)


def _still_open(case: CaseState) -> Refusal:
    """Name the duties that are open, as their codes are to be named in a waiver."""
    duties = open_duties(case)
    said = [(label("duties", duty), duty) for duty in duties]
    zh = "、".join(f"{words.zh}（{duty}）" for words, duty in said)
    en = ", ".join(f"{words.en.lower()} ({duty})" for words, duty in said)
    return Refusal(
        "no-open-duty",
        f"尚有事项未办结：{zh}；确不能办结的，请改用“办结销号”（close-case），"
        "填写免予办结的事项和理由。",
        f"Still open: {en}. Do it, or waive it by its code with a reason; only close-case takes a "
        "waiver, perform-and-close does not.",
    )


def is_owed(case: CaseState) -> bool:
    """What was promised is owed: an agreement took effect, or another document set it."""
    return case.has_taken_effect or case.is_ordered or case.phase is Phase.PERFORMING


BEFORE_EFFECT = (
    Phase.REGISTERED,
    Phase.CONSENT_PENDING,
    Phase.ACCEPTED,
    Phase.ASSIGNED,
    Phase.MEDIATING,
    Phase.SIGNING,
)
ON_OTHER_TRACKS = (Phase.RELAYED, Phase.ANSWERED, Phase.AIDED)
OPEN = tuple(phase for phase in Phase if phase is not Phase.CLOSED)
SAME = "="
"""As a transition's destination: the phase stays, or the event itself decides it (custody)."""

P = Phase
_UNDER_WAY = (P.CONSENT_PENDING, P.ACCEPTED, P.ASSIGNED, P.MEDIATING, P.SIGNING)
Row = tuple[str, tuple[Phase, ...], tuple[str, ...], tuple[str, ...]]
TABLE: tuple[Row, ...] = (
    # trigger (command), from (none: any), to (the usual one first), guards
    ("ask-consent", (P.REGISTERED,), (P.CONSENT_PENDING,), ()),
    ("record-consent", (P.REGISTERED, P.CONSENT_PENDING), (P.CONSENT_PENDING, P.ACCEPTED), ()),
    ("withdraw-consent", _UNDER_WAY, (SAME, P.FAILED), ()),
    (
        "accept-case",
        (P.CONSENT_PENDING,),
        (P.ACCEPTED,),
        (
            "no-move-pending",
            "no-acceptance-open",
            "applicant-agreed",
            "respondent-agreed",
            "no-side-refused",
        ),
    ),
    ("refuse-case", (P.REGISTERED, P.CONSENT_PENDING), (P.NOT_ACCEPTED,), ("no-acceptance-open",)),
    ("confirm-collective", OPEN, (SAME,), ("ten-workers", "not-collective-yet")),
    ("raise-flag", (), (SAME,), ()),
    ("clear-flag", OPEN, (SAME,), ()),
    ("add-party", (), (SAME,), ()),
    ("identify-party", (), (SAME,), ()),
    (
        "assign-mediators",
        # MEDIATING too: a session may be typed in before anybody was assigned. In SIGNING the
        # phase stays: somebody takes the place of a mediator who declined.
        (P.ACCEPTED, P.MEDIATING, P.SIGNING),
        (P.ASSIGNED, SAME),
        ("no-move-pending", "no-side-refused", "nobody-assigned"),
    ),
    ("confirm-assignment", (P.ASSIGNED,), (P.MEDIATING,), ()),
    ("decline-assignment", (P.ASSIGNED,), (P.ACCEPTED,), ()),
    ("serve-rights-notice", (), (SAME,), ()),
    ("record-session", (P.ACCEPTED, P.ASSIGNED), (P.MEDIATING,), ()),
    ("extend-term", (*_UNDER_WAY, P.REGISTERED), (SAME,), ("term-runs",)),
    ("lapse-term", (*_UNDER_WAY, P.REGISTERED), (SAME,), ("term-runs", "not-lapsed-yet")),
    (
        "draft-agreement",
        (P.MEDIATING, P.SIGNING),
        (P.SIGNING,),
        ("no-move-pending", "acceptance-open", "no-side-refused"),
    ),
    ("check-legality", (P.SIGNING,), (SAME, P.MEDIATING), ("draft-stands",)),
    ("sign-agreement", (P.SIGNING,), (SAME, P.PERFORMING), ()),
    (
        "seal-agreement",
        (P.SIGNING,),
        (SAME, P.PERFORMING),
        ("no-move-pending", "acceptance-open", "draft-stands"),
    ),
    (
        "sign-and-seal",
        (P.SIGNING,),
        (P.PERFORMING,),
        ("no-move-pending", "acceptance-open", "draft-stands"),
    ),
    ("record-oral-agreement", _UNDER_WAY, (P.PERFORMING,), ("acceptance-open",)),
    ("give-undertaking", (), (SAME,), ()),
    ("record-settlement", (), (SAME,), ()),
    (
        "conclude-mediation",
        _UNDER_WAY,
        (P.PERFORMING,),
        ("no-move-pending", "acceptance-open", "settled-on-paper"),
    ),
    ("fail-mediation", _UNDER_WAY, (P.FAILED,), ("acceptance-open",)),
    ("withdraw-application", (*BEFORE_EFFECT, *ON_OTHER_TRACKS), (P.WITHDRAWN,), ()),
    ("serve-remedies-notice", (), (SAME,), ()),
    ("record-performance", (), (SAME,), ()),
    ("request-custody-move", OPEN, (SAME,), ("no-move-pending",)),
    ("accept-custody", OPEN, (SAME,), ("a-move-pending",)),
    ("decline-custody", OPEN, (SAME,), ("a-move-pending", "not-assigned-down")),
    ("withdraw-custody-move", OPEN, (SAME,), ("a-move-pending",)),
    ("record-transfer-sheet", (), (SAME,), ()),
    ("report-urgent", (), (SAME,), ()),
    ("acknowledge-urgent-report", (), (SAME,), ()),
    ("take-remedy-route", OPEN, (P.IN_PROCEEDINGS,), ()),
    ("open-proceeding", (P.AIDED, P.IN_PROCEEDINGS), (P.IN_PROCEEDINGS,), ()),
    ("update-proceeding", (), (SAME,), ()),
    ("set-obligations", (P.IN_PROCEEDINGS,), (P.PERFORMING,), ()),
    ("grant-aid", (P.REGISTERED,), (P.AIDED,), ("no-move-pending",)),
    ("refuse-aid", (P.REGISTERED,), (P.NOT_ACCEPTED,), ()),
    ("appoint-counsel", (P.AIDED, P.IN_PROCEEDINGS, P.PERFORMING), (SAME,), ()),
    ("relay-demand", (P.REGISTERED,), (P.RELAYED,), ()),
    ("record-demand-answer", (P.REGISTERED, P.RELAYED), (P.ANSWERED,), ()),
    ("feed-back-demand", (), (SAME,), ()),
    ("record-contract-change", (P.ANSWERED,), (P.PERFORMING,), ()),
    ("cure-irregularity", (), (SAME,), ()),
    (
        "close-case",
        (
            P.PERFORMING,
            P.FAILED,
            P.WITHDRAWN,
            P.NOT_ACCEPTED,
            P.IN_PROCEEDINGS,
            P.ANSWERED,
            P.AIDED,
        ),
        (P.CLOSED,),
        ("no-acceptance-open", "demand-fed-back", "no-open-proceeding", "no-open-duty"),
    ),
    ("perform-and-close", (P.PERFORMING,), (P.CLOSED,), ("no-acceptance-open",)),
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
        for trigger, sources, dests, guards in TABLE
        for source in (sources or tuple(Phase))
        for dest in dests
    ]
    return Machine(
        model=None,
        states=[phase.value for phase in Phase],
        transitions=rules,
        initial=Phase.REGISTERED.value,
        auto_transitions=False,
    )


class Ruling(msgspec.Struct, frozen=True):
    """What the table says of one command now: where it leads, or which guards did not hold.

    `may` are all phases it can lead to, the usual one first.
    """

    may: tuple[Phase, ...]
    refusals: tuple[Refusal, ...] = ()

    @property
    def to(self) -> Phase:
        """Where it usually leads."""
        return self.may[0]


def _wrong_phase(case: CaseState) -> Refusal:
    phase = case.phase.value if case.phase else ""
    now = phase_label(case.matter_kind, phase) if phase else label("commands", "RegisterCase")
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
        return Ruling((Phase.REGISTERED,), (_wrong_phase(case),))
    stays = (case.phase,)
    if case.matter_kind not in matters_of(trigger):
        return Ruling(stays, (_wrong_matter(case),))
    found = machine().events[trigger].transitions.get(case.phase.value, ())
    if not found:
        return Ruling(stays, () if is_fact else (_wrong_phase(case),))
    asked = (str(condition.func) for condition in found[0].conditions)
    failed = tuple(
        _still_open(case) if code == "no-open-duty" else _GUARDS[code][1]
        for code in asked
        if code not in waived and not _GUARDS[code][0](case)
    )
    if failed:
        return Ruling(stays, () if is_fact else failed)
    return Ruling(tuple(Phase(str(transition.dest)) for transition in found))


def matters_of(trigger: str) -> frozenset[Matter]:
    """Name the kinds of matter whose track a command belongs to."""
    registered = command_named(trigger)
    of_case = registered is not None and issubclass(registered.command_type, CaseCommand)
    return registered.command_type.matters if of_case else frozenset(Matter)  # type: ignore[union-attr]


def _wrong_matter(case: CaseState) -> Refusal:
    kind = label("matter_kinds", case.matter_kind)
    return Refusal(
        "wrong-matter",
        f"本案属于“{kind.zh}”，此事项不在其办理流程之内；请从可办事项中选择。",
        f"This is a matter of the kind '{kind.en}', to whose track this does not belong; choose "
        "one of its available actions.",
    )


def require_allowed(
    case: CaseState,
    command: Command,
    *,
    waived: frozenset[str] = frozenset(),
    to: Phase | None = None,
) -> Phase:
    """Give the phase a command leads to: `to` if the table can lead there, else the usual one.

    Raises:
        NotAllowedNow: an office decision is not open now, or the matter is of another kind; names
            every guard that did not hold.
    """
    ruling = ask(case, kebab(type(command).__name__), is_fact=command.is_fact, waived=waived)
    if ruling.refusals:
        raise NotAllowedNow(*ruling.refusals)
    return to if to in ruling.may else ruling.to


def phase_after(case: CaseState, command: Command, *, moves: bool) -> Phase:
    """Give the phase a recorded fact leads to, or the present one if this fact `moves` nothing."""
    here = case.phase or Phase.REGISTERED
    there = require_allowed(case, command)
    return there if moves else here


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
    edges = [(sources, dest) for _t, sources, dests, _g in TABLE for dest in dests]
    problems: list[str] = []
    if len(set(triggers)) != len(triggers):
        problems.append("a trigger stands twice")
    creating = {name for name, it in commands().items() if it.command_type.creates}
    if set(triggers) != known - creating:
        problems.append(f"triggers and case commands differ: {set(triggers) ^ (known - creating)}")
    used = {name for _t, _s, _d, guards in TABLE for name in guards}
    if used != set(_GUARDS):
        problems.append(f"guards used and guards written differ: {used ^ set(_GUARDS)}")
    nowhere = {dest for _sources, dest in edges} - {SAME, *Phase}
    if nowhere:
        problems.append(f"unknown destinations: {nowhere}")
    reached = {Phase.REGISTERED}
    for _ in Phase:
        reached |= {
            Phase(dest)
            for sources, dest in edges
            if dest not in {SAME, *nowhere} and reached & set(sources or Phase)
        }
    if reached != set(Phase):
        problems.append(f"unreachable phases: {set(Phase) - reached}")
    ways_out = {source for sources, dest in edges if dest != SAME for source in sources}
    if ways_out & set(BY_EVENT):
        problems.append(f"final phases with a way out: {ways_out & set(BY_EVENT)}")
    if problems:
        raise TypeError("; ".join(problems))


def table_rows() -> list[dict[str, Any]]:
    """Give the table as plain rows, for the generated diagram and reference."""
    return [
        {
            "trigger": trigger,
            "from": [phase.value for phase in sources],
            "to": list(dests),
            "guards": list(guards),
        }
        for trigger, sources, dests, guards in TABLE
    ]
