"""When a ground for moving a case holds, on the standard ladder and on any other."""

from datetime import date
from pathlib import Path

import msgspec
import pytest

from mediation import ladder
from mediation.case.custody import CustodyMoveRequested
from mediation.case.grounds import Asked, holds
from mediation.case.values import Phase
from mediation.ladder import MoveKind
from tests.scenario import Scenario, a_network, expect, in_phase

LADDERS = Path(__file__).parents[2] / "ladders"
ESCALATE, REPORT_UP, TRANSFER, REROUTE, ASSIGN_DOWN, SEND_BACK = MoveKind


@pytest.mark.parametrize(
    ("ground", "kind", "registration", "flags"),
    [
        ("collective", ESCALATE, {"workers": 10}, ()),
        ("ten-or-more-workers", REPORT_UP, {"workers": 10}, ()),
        ("red-risk", REPORT_UP, {"workers": 30}, ()),
        ("employer-absconded", REPORT_UP, {}, ("EMPLOYER_ABSCONDED",)),
        ("employer-closed", REPORT_UP, {}, ("EMPLOYER_CLOSED",)),
        ("safety-risk", REPORT_UP, {}, ("SAFETY",)),
        ("cross-jurisdiction", REPORT_UP, {}, ("CROSS_REGION",)),
    ],
)
def test_a_ground_must_be_true_of_the_case(ground, kind, registration, flags):
    """What the case itself shows is checked; an ordinary case does not meet it."""
    ordinary = in_phase(Phase.REGISTERED)
    ordinary.when(ordinary.move("dongcheng", kind, ground)).then_refused("ground-does-not-hold")
    scenario = in_phase(Phase.REGISTERED, **registration).flagged(*flags)

    scenario.when(scenario.move("dongcheng", kind, ground)).then(CustodyMoveRequested)


@pytest.mark.parametrize("ground", ["body-conflicted", "body-absent", "statutory-fit"])
def test_a_ground_that_only_people_can_judge_is_taken_as_stated(ground):
    """Stated grounds stand on the word of the body."""
    scenario = in_phase(Phase.REGISTERED)

    scenario.when(scenario.move("dongcheng", REPORT_UP, ground)).then(CustodyMoveRequested)


def test_no_agreement_needs_a_session_at_this_body():
    """A session at the level below is none here."""
    scenario = in_phase(Phase.MEDIATING)
    move = scenario.move("dongcheng", ground="no-agreement")
    scenario.when(move).then_refused("ground-does-not-hold")
    scenario.met().taken_by("dongcheng", ground="no-agreement").mediating()

    scenario.when(scenario.move("hq", ground="no-agreement")).then_refused("ground-does-not-hold")
    scenario.met().when(scenario.move("hq", ground="no-agreement")).then(CustodyMoveRequested)


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        ("2026-03-05T23:59+08:00", False),
        ("2026-03-06T00:00+08:00", True),
        ("2026-03-18T09:00+08:00", True),
    ],
)
def test_the_deadline_has_lapsed_after_the_levels_target(at, holds):
    """The day after D13, or after D02."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.when(scenario.move("dongcheng", ground="deadline-lapsed"), at=at)
    if holds:
        scenario.then(CustodyMoveRequested)
    else:
        scenario.then_refused("ground-does-not-hold")


def test_the_target_ends_on_its_safe_day_and_the_term_on_its_last_legal_day():
    """21 March is a Saturday: D13 is the office's own and ends then, D02 rolls to Monday."""
    scenario = Scenario().registered(at="2026-03-06T09:00+08:00").agreed().accepted()
    case = scenario.taken_by("dongcheng", at="2026-03-19T09:00+08:00").case
    only_term = msgspec.structs.replace(case, due={"D02": case.due["D02"]})

    def lapsed(case, day):
        return holds("deadline-lapsed", case, Asked(on=date(2026, 3, day), applicant_wish=False))

    assert [lapsed(case, day) for day in (21, 22)] == [False, True]
    assert [lapsed(only_term, day) for day in (22, 23, 24)] == [False, False, True]


@pytest.mark.parametrize(
    ("phase", "ground"),
    [(Phase.FAILED, "mediation-failed"), (Phase.NOT_ACCEPTED, "not-accepted")],
)
def test_going_on_after_a_failure_or_refusal_is_the_applicants_wish(phase, ground):
    """The ground needs the phase and the written wish."""
    scenario = in_phase(phase)
    scenario.when(scenario.move("dongcheng", ground=ground, applicant_wish=False)).then_refused(
        "applicant-wish-missing"
    )
    scenario.when(scenario.move("dongcheng", ground=ground)).then(
        expect(CustodyMoveRequested, applicant_wish=True)
    )
    early = in_phase(Phase.MEDIATING)
    early.when(early.move("dongcheng", ground=ground, applicant_wish=True)).then_refused(
        "ground-does-not-hold"
    )


def test_a_ground_that_the_ladder_ties_to_the_applicants_wish_needs_it():
    """Nobody is guided down without his word, whatever the code of the ground."""
    scenario = in_phase(Phase.REGISTERED, body_id="hq")
    scenario.when(scenario.move("dongcheng", ASSIGN_DOWN, "applicant-chose-lower")).then_refused(
        "ground-does-not-hold"
    )

    scenario.when(
        scenario.move("dongcheng", ASSIGN_DOWN, "applicant-chose-lower", applicant_wish=True)
    ).then(CustodyMoveRequested)


@pytest.mark.parametrize("ref", ["three-level", "five-level"])
def test_any_ladder_is_climbed_to_its_top_with_no_code_changed(ref):
    """Levels are data: a case climbs every rung of a ladder this code has never heard of."""
    rungs = ladder.load(LADDERS / f"{ref}.toml")
    codes = [level.code for level in rungs.levels]
    network = a_network(
        *(
            (f"body-{code}", code, None, f"body-{above}" if above else None)
            for code, above in zip(reversed(codes), [None, *reversed(codes)], strict=False)
        )
    )
    scenario = Scenario(network=network, rungs=rungs).registered(body_id=f"body-{codes[0]}")
    scenario.agreed().accepted()
    for code in codes[1:]:
        scenario.mediating().met().taken_by(f"body-{code}", ground="no-agreement")
        assert (scenario.case.level, scenario.case.phase) == (code, Phase.ACCEPTED)
    scenario.mediating().met()

    assert scenario.case.due["D13"].rule == "rest"
    scenario.when(scenario.move(f"body-{codes[0]}", ground="no-agreement")).then_refused(
        "top-of-ladder"
    )
    below = f"body-{codes[-2]}"
    scenario.taken_by(below, kind=SEND_BACK, ground="ground-not-met")
    assert scenario.case.custody_body_id == below
