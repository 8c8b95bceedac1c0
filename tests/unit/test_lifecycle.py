"""The one table of phases and triggers: what it answers, and that a broken table is found."""

import msgspec
import pytest

from mediation.case import available, check_lifecycle, lifecycle
from mediation.case.lifecycle import SAME, TABLE, ask, guard, machine, open_duties, table_rows
from mediation.case.state import CaseState, Phase
from mediation.codes import label
from mediation.kernel import commands
from tests.scenario import COMMANDS, in_phase

FACTS = {name for name, it in commands().items() if it.command_type.is_fact}

# What the office may decide in each phase of an ordinary dispute; facts are always open.
OPEN_TO = {
    Phase.REGISTERED: {"refuse-case", "clear-flag", "request-custody-move"},
    Phase.CONSENT_PENDING: {"accept-case", "refuse-case", "clear-flag", "request-custody-move"},
    Phase.ACCEPTED: {"assign-mediators", "fail-mediation", "clear-flag", "request-custody-move"},
    Phase.ASSIGNED: {"fail-mediation", "clear-flag", "request-custody-move"},
    Phase.MEDIATING: {"fail-mediation", "clear-flag", "request-custody-move"},
    Phase.PERFORMING: {"clear-flag", "request-custody-move"},
    Phase.FAILED: {"clear-flag", "request-custody-move"},
    Phase.NOT_ACCEPTED: {"clear-flag", "request-custody-move"},
    Phase.CLOSED: set(),
}


def test_the_table_is_whole():
    """Start-up verifies what the library does not."""
    check_lifecycle()


@pytest.mark.parametrize("phase", list(Phase))
def test_each_phase_opens_its_own_decisions(phase):
    """An action is open, or says which guards refuse it."""
    actions = available(in_phase(phase).case)

    assert set(actions) == set(COMMANDS)
    assert {n for n, why in actions.items() if not why and n not in FACTS} == OPEN_TO[phase]
    assert all(not why for n, why in actions.items() if n in FACTS)


def test_an_unregistered_case_has_no_open_action():
    """Before registration nothing can be done, not even recorded."""
    assert all(available(CaseState()).values())
    assert open_duties(CaseState()) == ()


def test_every_guard_that_fails_is_named():
    """One answer tells everything that is missing."""
    asked = in_phase(Phase.REGISTERED).asked().case
    case = msgspec.structs.replace(asked, matter_kind="DEMAND")

    assert [refusal.code for refusal in ask(case, "accept-case").refusals] == [
        "is-dispute",
        "applicant-agreed",
        "respondent-agreed",
    ]


def test_a_wrong_phase_names_the_present_one_in_the_words_of_the_office():
    """Whoever is refused reads where the case stands, and never a code."""
    (refusal,) = ask(in_phase(Phase.CLOSED).case, "accept-case").refusals

    assert refusal.code == "wrong-phase"
    assert f"“{label('phases', 'CLOSED').zh}”" in refusal.zh
    assert f"'{label('phases', 'CLOSED').en}'" in refusal.en


def test_a_fact_outside_the_table_leaves_the_phase_as_it_is(monkeypatch):
    """Neither a missing row nor a failing guard refuses a fact."""
    case = in_phase(Phase.CLOSED).case
    assert ask(case, "record-session", is_fact=True) == lifecycle.Ruling(Phase.CLOSED)

    pending = in_phase(Phase.REGISTERED).asked().case
    ruling = ask(pending, "accept-case", is_fact=True)
    assert ruling == lifecycle.Ruling(Phase.CONSENT_PENDING)


def test_only_the_named_guard_is_waived():
    """A waiver lifts one guard and leaves the others standing."""
    asked = in_phase(Phase.CONSENT_PENDING).case
    case = msgspec.structs.replace(asked, matter_kind="AID")
    assert [r.code for r in ask(case, "accept-case").refusals] == ["is-dispute"]

    assert ask(case, "accept-case", waived=frozenset({"is-dispute"})).to is Phase.ACCEPTED


def test_the_library_only_answers_and_never_moves_anything():
    """No model, no automatic transitions, no callbacks; asking has no effect."""
    case = in_phase(Phase.MEDIATING).case
    before = available(case)

    assert machine().models == []
    assert not machine().auto_transitions
    assert not [name for name in machine().events if name.startswith("to_")]
    for event in machine().events.values():
        for transitions in event.transitions.values():
            assert not any(it.before or it.after or it.prepare for it in transitions)
    assert available(case) == before


def test_the_rows_are_the_table():
    """The generated reference shows what is asked."""
    rows = table_rows()

    assert [row["trigger"] for row in rows] == [trigger for trigger, *_ in TABLE]
    assert {"from", "to", "guards"} < set(rows[0])


def rows_without(*triggers):
    """Give the table without some rows."""
    return tuple(row for row in TABLE if row[0] not in triggers)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ((*TABLE, TABLE[0]), "stands twice"),
        (rows_without("ask-consent"), "triggers and case commands differ"),
        ((*TABLE, ("launder-case", (), SAME, ())), "triggers and case commands differ"),
        (
            (*rows_without("raise-flag"), ("raise-flag", (), SAME, ("no-such-guard",))),
            "no-such-guard",
        ),
        (
            (
                *rows_without("conclude-mediation"),
                ("conclude-mediation", (Phase.MEDIATING,), Phase.PERFORMING, ()),
            ),
            "settled-on-paper",
        ),
        (
            (*rows_without("raise-flag"), ("raise-flag", (), "NOWHERE", ())),
            "unknown destinations",
        ),
        (
            (*rows_without("fail-mediation"), ("fail-mediation", (), SAME, ("acceptance-open",))),
            "unreachable phases",
        ),
        (
            (
                *rows_without("ask-consent"),
                ("ask-consent", (Phase.CLOSED,), Phase.CONSENT_PENDING, ()),
            ),
            "final phases with a way out",
        ),
    ],
)
def test_a_broken_table_is_found_at_start_up(monkeypatch, table, problem):
    """A doubled, missing or unknown trigger, guard, destination or phase stops the process."""
    monkeypatch.setattr(lifecycle, "TABLE", table)

    with pytest.raises(TypeError, match=problem):
        check_lifecycle()


def test_an_unused_guard_is_found(monkeypatch):
    """A guard that no row asks for protects nothing."""
    monkeypatch.setattr(lifecycle, "_GUARDS", dict(lifecycle._GUARDS))
    guard("forgotten", "请补上。", "Put it into the table.")(lambda case: False)

    with pytest.raises(TypeError, match="forgotten"):
        check_lifecycle()
