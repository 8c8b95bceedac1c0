"""The one table of phases and triggers: what it answers, and that a broken table is found."""

import pytest

from mediation.case import available, check_lifecycle, lifecycle
from mediation.case.lifecycle import (
    SAME,
    TABLE,
    ask,
    guard,
    machine,
    matters_of,
    open_duties,
    require_allowed,
    table_rows,
)
from mediation.case.state import CaseState
from mediation.case.values import Answer, Matter, Phase
from mediation.codes import label
from mediation.errors import NotAllowedNow
from mediation.kernel import commands
from tests.examples import COMMANDS
from tests.scenario import PLACES, in_phase

DISPUTE, DEMAND, AID = Matter
FACTS = {name for name, it in commands().items() if it.command_type.is_fact}

# The commands that belong to one track; every other belongs to all three.
TRACKS = {
    frozenset({DISPUTE}): {
        "accept-case",
        "ask-consent",
        "assign-mediators",
        "check-legality",
        "conclude-mediation",
        "confirm-assignment",
        "decline-assignment",
        "draft-agreement",
        "extend-term",
        "fail-mediation",
        "give-undertaking",
        "lapse-term",
        "record-consent",
        "record-oral-agreement",
        "record-session",
        "record-settlement",
        "refuse-case",
        "seal-agreement",
        "sign-agreement",
        "sign-and-seal",
        "withdraw-consent",
    },
    frozenset({DEMAND}): {
        "feed-back-demand",
        "record-contract-change",
        "record-demand-answer",
        "relay-demand",
    },
    frozenset({AID}): {"appoint-counsel", "grant-aid", "refuse-aid"},
    frozenset({DISPUTE, AID}): {
        "open-proceeding",
        "set-obligations",
        "take-remedy-route",
        "update-proceeding",
    },
}

# What the office may decide about an ordinary matter in each phase; facts are always open.
ANYWHERE = {"clear-flag", "request-custody-move", "cure-irregularity"}
TERM = {"extend-term", "lapse-term"}
FAIL = {"fail-mediation", *TERM}
OPEN_TO = {
    (DISPUTE, Phase.REGISTERED): {"refuse-case", *TERM},
    (DISPUTE, Phase.CONSENT_PENDING): {"accept-case", "refuse-case", *TERM},
    (DISPUTE, Phase.ACCEPTED): {"assign-mediators", *FAIL},
    (DISPUTE, Phase.ASSIGNED): FAIL,
    (DISPUTE, Phase.MEDIATING): {"draft-agreement", *FAIL},
    (DISPUTE, Phase.SIGNING): {
        "draft-agreement",
        "check-legality",
        "seal-agreement",
        "sign-and-seal",
        *FAIL,
    },
    (DISPUTE, Phase.PERFORMING): {"perform-and-close"},
    (DISPUTE, Phase.WITHDRAWN): {"close-case"},
    (DEMAND, Phase.PERFORMING): {"perform-and-close"},
    (DEMAND, Phase.WITHDRAWN): {"close-case"},
    (AID, Phase.REGISTERED): {"grant-aid", "refuse-aid"},
    (AID, Phase.AIDED): {"appoint-counsel", "close-case"},
    (AID, Phase.IN_PROCEEDINGS): {"appoint-counsel"},
    (AID, Phase.PERFORMING): {"appoint-counsel", "perform-and-close"},
    (AID, Phase.WITHDRAWN): {"close-case"},
}


def test_the_table_is_whole():
    """Start-up verifies what the library does not."""
    check_lifecycle()


@pytest.mark.parametrize(("matter", "phase"), PLACES)
def test_each_phase_opens_its_own_decisions(matter, phase):
    """An action is open, or says which guards refuse it."""
    actions = available(in_phase(phase, matter).case)
    anywhere = {"cure-irregularity"} if phase is Phase.CLOSED else ANYWHERE

    assert set(actions) == set(COMMANDS)
    assert {name for name, why in actions.items() if not why and name not in FACTS} == (
        OPEN_TO.get((matter, phase), set()) | anywhere
    )


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_belongs_to_its_tracks(name):
    """A dispute is mediated, a demand relayed, aid given; what is common belongs to all."""
    own = next((tracks for tracks, names in TRACKS.items() if name in names), frozenset(Matter))

    assert matters_of(name) == own


@pytest.mark.parametrize(("matter", "phase"), PLACES)
def test_what_belongs_to_another_track_is_refused_as_such(matter, phase):
    """Fact or decision, in whatever phase: it is told apart from what is only too early."""
    actions = available(in_phase(phase, matter).case)
    for name, refusals in actions.items():
        codes = [refusal.code for refusal in refusals]
        assert (codes == ["wrong-matter"]) is (matter not in matters_of(name)), name
        assert matter not in matters_of(name) or name not in FACTS or not codes, name


def test_a_wrong_track_names_the_matter_in_the_words_of_the_office():
    """Whoever is refused reads what kind of matter it is, and never a code."""
    (refusal,) = ask(in_phase(Phase.RELAYED).case, "accept-case").refusals

    assert refusal.code == "wrong-matter"
    assert f"“{label('matter_kinds', 'DEMAND').zh}”" in refusal.zh
    assert f"'{label('matter_kinds', 'DEMAND').en}'" in refusal.en


def test_an_unregistered_case_has_no_open_action():
    """Before registration nothing can be done, not even recorded."""
    assert all(available(CaseState()).values())
    assert open_duties(CaseState()) == ()


def test_every_guard_that_fails_is_named():
    """One answer tells everything that is missing."""
    scenario = in_phase(Phase.REGISTERED).asked()
    scenario.do(scenario.move("dongcheng"))

    assert [refusal.code for refusal in ask(scenario.case, "accept-case").refusals] == [
        "no-move-pending",
        "applicant-agreed",
        "respondent-agreed",
    ]


def test_a_wrong_phase_names_the_present_one_in_the_words_of_the_office():
    """Whoever is refused reads where the case stands, and never a code."""
    (refusal,) = ask(in_phase(Phase.CLOSED).case, "accept-case").refusals

    assert refusal.code == "wrong-phase"
    assert f"“{label('phases', 'CLOSED').zh}”" in refusal.zh
    assert f"'{label('phases', 'CLOSED').en}'" in refusal.en


def test_a_fact_outside_the_table_leaves_the_phase_as_it_is():
    """Neither a missing row nor a failing guard refuses a fact."""
    case = in_phase(Phase.CLOSED).case
    assert ask(case, "record-session", is_fact=True) == lifecycle.Ruling((Phase.CLOSED,))

    pending = in_phase(Phase.REGISTERED).asked().case
    ruling = ask(pending, "accept-case", is_fact=True)
    assert ruling == lifecycle.Ruling((Phase.CONSENT_PENDING,))


def test_a_command_leads_where_the_table_can_lead_and_nowhere_else():
    """The usual way is the first; another is taken only if the table has it."""
    scenario = in_phase(Phase.SIGNING)
    check, fail = scenario.check(), COMMANDS["fail-mediation"](scenario)

    assert ask(scenario.case, "check-legality").may == (Phase.SIGNING, Phase.MEDIATING)
    assert require_allowed(scenario.case, check) is Phase.SIGNING
    assert require_allowed(scenario.case, check, to=Phase.MEDIATING) is Phase.MEDIATING
    assert require_allowed(scenario.case, check, to=Phase.CLOSED) is Phase.SIGNING
    assert require_allowed(scenario.case, fail, to=Phase.MEDIATING) is Phase.FAILED
    with pytest.raises(NotAllowedNow):
        require_allowed(in_phase(Phase.CLOSED).case, check, to=Phase.MEDIATING)


def test_only_the_named_guard_is_waived():
    """A waiver lifts one guard and leaves the others standing."""
    scenario = in_phase(Phase.CONSENT_PENDING)
    scenario.do(scenario.move("dongcheng"))
    waived = frozenset({"no-move-pending"})
    assert [r.code for r in ask(scenario.case, "accept-case").refusals] == ["no-move-pending"]
    assert ask(scenario.case, "accept-case", waived=waived).to is Phase.ACCEPTED

    scenario.do(scenario.consent(scenario.respondent, Answer.REFUSED))
    refusals = ask(scenario.case, "accept-case", waived=waived).refusals
    assert [refusal.code for refusal in refusals] == ["no-side-refused"]


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
        (rows_without("ask-consent"), "triggers and case commands differ: {'ask-consent'}"),
        (
            (*TABLE, ("launder-case", (), (SAME,), ())),
            "triggers and case commands differ: {'launder-case'}",
        ),
        (
            (*rows_without("raise-flag"), ("raise-flag", (), (SAME,), ("no-such-guard",))),
            "no-such-guard",
        ),
        (
            (
                *rows_without("conclude-mediation"),
                ("conclude-mediation", (Phase.MEDIATING,), (Phase.PERFORMING,), ()),
            ),
            "settled-on-paper",
        ),
        (
            (*rows_without("raise-flag"), ("raise-flag", (), ("NOWHERE",), ())),
            "unknown destinations",
        ),
        (
            (*rows_without("grant-aid"), ("grant-aid", (), (SAME,), ("no-move-pending",))),
            "unreachable phases",
        ),
        (
            (
                *rows_without("grant-aid"),
                ("grant-aid", (Phase.AIDED,), (Phase.AIDED,), ("no-move-pending",)),
            ),
            "unreachable phases: {<Phase.AIDED",
        ),
        (
            (
                *rows_without("ask-consent"),
                ("ask-consent", (Phase.CLOSED,), (Phase.CONSENT_PENDING,), ()),
            ),
            "final phases with a way out: {<Phase.CLOSED: 'CLOSED'>}",
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
