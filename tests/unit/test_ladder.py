import ast
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediation import codes, kernel, ladder
from mediation.calendar.deadlines import CATALOGUE
from mediation.ladder import Ladder, MoveKind, Risk

ROOT = Path(__file__).parents[2]
PACKAGED = ROOT / "mediation" / "ladder" / "published"
OTHERS = ROOT / "tests" / "ladders"
NO_FLAGS: frozenset[str] = frozenset()

PINNED = {
    "standard-v1": "sha256:52e8db3458b0c44204188431d167a822af9a98ebdc31bfe9220b14c5f8d3ec54",
}


@pytest.fixture(scope="module")
def standard() -> Ladder:
    """The ladder that ships with the engine."""
    return ladder.load_ref("standard-v1")


def climb(chosen: Ladder, ground: str = "no-agreement") -> list[str]:
    """Escalate rung by rung as far as the ladder permits, and give the levels passed."""
    passed = [chosen.levels[0].code]
    while (above := chosen.next_above(passed[-1])) is not None:
        assert chosen.permits(MoveKind.ESCALATE, passed[-1], above.code, ground) == ()
        passed.append(above.code)
    return passed


# The published file.


def test_published_ladders_never_change():
    """A case pins a ladder by ref and digest, so released bytes stay as they are."""
    assert {ref: ladder.load_ref(ref).digest for ref in ladder.published()} == PINNED


def test_published_ladders_are_free_of_errors_and_warnings():
    """What ships with the engine passes its own check without a remark."""
    for ref in ladder.published():
        assert ladder.check(PACKAGED / f"{ref}.toml") == ladder.Report((), ())


def test_the_standard_ladder_has_four_rungs_and_two_branches(standard):
    """Enterprise, village or industry, township, district: four levels, one with two branches."""
    assert [level.code for level in standard.levels] == [
        "enterprise",
        "village-industry",
        "township",
        "district",
    ]
    assert [[branch.code for branch in level.branches] for level in standard.levels] == [
        [],
        ["village", "industry"],
        [],
        [],
    ]
    assert [standard.target_days(level.code) for level in standard.levels] == [3, 3, 4, None]
    assert {level.target.source for level in standard.levels if level.target} == {"proposal"}
    assert (standard.rank("enterprise"), standard.rank("district")) == (1, 4)
    assert standard.top.code == "district"


def test_the_limits_of_the_ladder_are_those_of_the_deadline_catalogue(standard):
    """Length, unit and article stand alike in the ladder and in the catalogue of deadlines."""
    for limit in standard.limits:
        rule = CATALOGUE[limit.code]
        assert (limit.length, limit.unit, limit.source) == (rule.length, rule.unit, rule.article)
    assert standard.limit("D03", "enterprise").source == "L-PROV 29"
    assert standard.limit("D03", "township") is None
    assert standard.limit("D02", "township").length == 15
    assert standard.limit("D99") is None


def test_the_labels_of_grounds_agree_with_the_code_table(standard):
    """The standard ladder words each ground as the engine's own table does."""
    assert {ground.code: ground.label for ground in standard.grounds} == dict(
        codes.table("grounds")
    )


def test_the_applicants_wish_is_asked_where_the_office_has_already_said_no(standard):
    """A failed or refused case climbs, and a case goes down, only on the applicant's own word."""
    wishes = {ground.code for ground in standard.grounds if ground.applicant_wish}
    assert wishes == {"mediation-failed", "not-accepted", "applicant-chose-lower"}


def test_a_ladder_is_immutable_and_can_be_written_as_json(standard):
    """It is shared by every decision and served as it stands."""
    with pytest.raises(AttributeError):
        standard.ref = "other"
    assert hash(standard) == hash(ladder.load(PACKAGED / "standard-v1.toml"))
    written = msgspec.json.encode(standard)
    assert msgspec.json.decode(written, type=Ladder) == standard


# Moves.


@pytest.mark.parametrize("name", ["standard-v1", "three-level", "five-level"])
def test_every_ladder_climbs_rung_by_rung_to_its_own_top(name):
    """Three, four or five levels under any names: escalation reaches the top and ends there."""
    chosen = ladder.load_ref(name, folder=OTHERS)
    passed = climb(chosen)
    assert passed == [level.code for level in chosen.levels]
    assert chosen.is_top(passed[-1])
    assert chosen.next_above(passed[-1]) is None
    for kind in (MoveKind.ESCALATE, MoveKind.REPORT_UP):
        for level in chosen.levels:
            refusals = chosen.permits(kind, passed[-1], level.code, "no-agreement")
            assert refusals == ("top-of-ladder",)


def test_a_ladder_with_a_closed_rung_does_not_climb():
    """The proof above notices a level from which no escalation is open."""
    chosen = ladder.load(OTHERS / "five-level.toml")
    stuck = msgspec.structs.replace(chosen.levels[2], grounds=())
    twin = msgspec.structs.replace(chosen, levels=(*chosen.levels[:2], stuck, *chosen.levels[3:]))
    with pytest.raises(AssertionError):
        climb(twin)


def test_escalation_climbs_exactly_one_rung(standard):
    """Skipping rungs is reporting up, which has grounds and an approval of its own."""
    permits = standard.permits
    ground = "no-agreement"
    assert permits(MoveKind.ESCALATE, "enterprise", "village-industry", ground) == ()
    assert permits(MoveKind.ESCALATE, "enterprise", "township", ground) == ("not-one-rung-up",)
    assert permits(MoveKind.ESCALATE, "township", "township", ground) == ("not-higher",)
    assert permits(MoveKind.ESCALATE, "township", "enterprise", ground) == ("not-higher",)


def test_a_returned_assignment_goes_back_over_any_number_of_rungs(standard):
    """The body that assigned the case down decides on its return, however far above it stands."""
    assert (
        standard.permits(MoveKind.ESCALATE, "village-industry", "district", "assignment-return")
        == ()
    )


def test_reporting_up_may_skip_rungs_on_its_own_grounds_only(standard):
    """Ten workers may go straight to the top; an ordinary disagreement may not."""
    permits = standard.permits
    assert permits(MoveKind.REPORT_UP, "enterprise", "district", "ten-or-more-workers") == ()
    assert permits(MoveKind.REPORT_UP, "enterprise", "village-industry", "red-risk") == ()
    assert permits(MoveKind.REPORT_UP, "enterprise", "district", "no-agreement") == (
        "ground-not-open",
    )


def test_transfer_and_reroute_stay_on_their_level(standard):
    """The two branches are one rung: between them a case is transferred and does not climb."""
    level = "village-industry"
    assert standard.permits(MoveKind.TRANSFER, level, level, "other-branch") == ()
    assert standard.permits(MoveKind.REROUTE, "township", "township", "wrong-place") == ()
    assert standard.permits(MoveKind.TRANSFER, level, "township", "other-branch") == (
        "not-same-level",
    )
    assert standard.permits(MoveKind.TRANSFER, "township", "township", "other-branch") == (
        "ground-not-open",
    )


@pytest.mark.parametrize(
    ("kind", "ground"),
    [(MoveKind.ASSIGN_DOWN, "supervised"), (MoveKind.SEND_BACK, "ground-not-met")],
)
def test_assignment_and_send_back_go_down(standard, kind, ground):
    """Both lead to a lower level, over any number of rungs, and never sideways or up."""
    assert standard.permits(kind, "district", "enterprise", ground) == ()
    assert standard.permits(kind, "township", "township", ground) == ("not-lower",)
    assert standard.permits(kind, "township", "district", ground) == ("not-lower",)


def test_a_refusal_names_every_reason_and_each_has_a_sentence(standard):
    """Level and ground are judged together, so that the mediator corrects both at once."""
    refusals = standard.permits(MoveKind.ESCALATE, "enterprise", "district", "supervised")
    assert refusals == ("not-one-rung-up", "ground-not-open")
    assert standard.permits(MoveKind.ESCALATE, "enterprise", "moon", "collective") == (
        "level-unknown",
    )


@given(
    kind=st.sampled_from(MoveKind),
    source=st.sampled_from(["enterprise", "village-industry", "township", "district", "moon"]),
    target=st.sampled_from(["enterprise", "village-industry", "township", "district"]),
    ground=st.sampled_from([*codes.table("grounds"), "unheard-of"]),
)
def test_a_permitted_move_goes_the_way_of_its_kind(kind, source, target, ground):
    """Whatever is asked: the answer is a known refusal, or the move goes the right way."""
    chosen = ladder.load_ref("standard-v1")
    refusals = chosen.permits(kind, source, target, ground)
    assert all(codes.is_code("move_refusals", refusal) for refusal in refusals)
    if not refusals:
        rungs = chosen.rank(target) - chosen.rank(source)
        way = {MoveKind.ESCALATE: 1, MoveKind.REPORT_UP: 1, MoveKind.TRANSFER: 0}
        way |= {MoveKind.REROUTE: 0, MoveKind.ASSIGN_DOWN: -1, MoveKind.SEND_BACK: -1}
        assert (rungs > 0) - (rungs < 0) == way[kind]


def test_an_unknown_level_is_refused_with_a_sentence(standard):
    """A body is never set on a rung that the ladder does not have."""
    with pytest.raises(ladder.LevelUnknown) as refused:
        standard.level("moon")
    assert [refusal.code for refusal in refused.value.refusals] == ["level-unknown"]
    assert refused.value.detail.zh
    assert not standard.has_level("moon")
    assert standard.has_level("township")


def test_skipped_levels_are_told_unless_they_belong_to_the_employer(standard):
    """An enterprise body gets nothing; the levels between get a notice."""
    told = standard.told_when_skipped
    assert [level.code for level in told("enterprise", "district")] == [
        "village-industry",
        "township",
    ]
    assert told("township", "district") == ()
    five = ladder.load(OTHERS / "five-level.toml")
    lowest, *rest = five.levels
    twice = msgspec.structs.replace(
        five, levels=(lowest, msgspec.structs.replace(rest[0], inside_employer=True), *rest[1:])
    )
    assert [level.code for level in twice.told_when_skipped("workshop", "city")] == [
        "community",
        "county",
    ]


def test_reporting_up_needs_the_lead_unless_the_case_is_red(standard):
    """A red case is approved automatically; no other move needs an approval."""
    assert standard.approver(MoveKind.REPORT_UP, Risk.YELLOW) == "lead"
    assert standard.approver(MoveKind.REPORT_UP, Risk.RED) is None
    assert standard.approver(MoveKind.ESCALATE, Risk.GREEN) is None


def test_every_ground_that_a_level_lists_carries_its_label(standard):
    """The form offers only grounds it can name."""
    for level in standard.levels:
        for kind in MoveKind:
            for code in level.grounds_for(kind):
                assert standard.ground(code).label.zh
    assert standard.ground("unheard-of") is None


# Risk, back-dating, small cases.


@pytest.mark.parametrize(
    ("flags", "workers", "collective", "risk"),
    [
        (set(), 1, None, Risk.GREEN),
        (set(), 9, None, Risk.GREEN),
        (set(), 10, None, Risk.YELLOW),
        (set(), 29, None, Risk.YELLOW),
        (set(), 30, None, Risk.RED),
        (set(), 30, False, Risk.GREEN),
        (set(), 30, True, Risk.RED),
        (set(), 10, False, Risk.GREEN),
        ({"COLLECTIVE"}, 10, False, Risk.GREEN),
        ({"COLLECTIVE"}, 12, None, Risk.YELLOW),
        ({"SAFETY"}, 1, None, Risk.YELLOW),
        ({"EMPLOYER_CLOSED"}, 1, None, Risk.YELLOW),
        ({"EMPLOYER_ABSCONDED"}, 10, None, Risk.RED),
        ({"EMPLOYER_ABSCONDED"}, 10, False, Risk.YELLOW),
        ({"EMPLOYER_CLOSED", "WAGE_ARREARS"}, 34, True, Risk.RED),
        ({"WAGE_ARREARS"}, 4, None, Risk.GREEN),
        ({"WAGE_ARREARS"}, 5, None, Risk.YELLOW),
        ({"WAGE_ARREARS"}, 8, None, Risk.YELLOW),
        ({"URGENT", "MEDIA"}, 2, None, Risk.GREEN),
    ],
)
def test_risk_follows_the_published_rule(standard, flags, workers, collective, risk):
    """From ten workers a case counts as collective until the lead has decided otherwise."""
    assert standard.risk(frozenset(flags), workers, collective) == risk


def test_the_thresholds_of_risk_are_data(standard):
    """Another ladder, another rule: thirty workers are red by the standard ladder only."""
    other = ladder.load(OTHERS / "three-level.toml")
    assert standard.risk(NO_FLAGS, 30, None) is Risk.RED
    assert other.risk(NO_FLAGS, 30, None) is Risk.YELLOW


@pytest.mark.parametrize(
    ("days", "frozen", "approvers"),
    [
        (0, False, ()),
        (7, False, ()),
        (8, False, ("lead",)),
        (30, False, ("lead",)),
        (31, False, ("lead", "coordinator")),
        (3, True, ("lead", "coordinator")),
    ],
)
def test_back_dating_asks_for_more_keys_the_later_it_comes(standard, days, frozen, approvers):
    """Seven days free, thirty with the lead, beyond or into a frozen month two keys."""
    assert standard.back_dating.approvers(days, in_frozen_month=frozen) == approvers


def test_the_small_case_is_bounded_by_the_file(standard):
    """Three workers, ten thousand yuan, not at the top, never red, collective or with an injury."""
    small = standard.small_case
    assert (small.workers, small.total_fen, small.source) == (3, 1_000_000, "proposal")
    assert standard.top.code not in small.levels
    assert small.barred_flags == ("COLLECTIVE", "WORK_INJURY")
    assert small.barred_risks == (Risk.RED,)


@pytest.mark.parametrize(
    ("workers", "fen", "is_needed"),
    [
        (1, 1, False),
        (9, 10_000_000, False),
        (10, 1, True),
        (1, 10_000_001, True),
    ],
)
def test_where_much_is_at_stake_somebody_else_checks_the_agreement(
    standard, workers, fen, is_needed
):
    """From ten workers, or above one hundred thousand yuan; both bounds stand in the file."""
    assert standard.legality.source == "proposal"
    assert standard.needs_second_checker(workers, fen) is is_needed

    stricter = msgspec.structs.replace(
        standard,
        legality=msgspec.structs.replace(
            standard.legality, second_person_workers=1, second_person_fen=1
        ),
    )
    assert stricter.needs_second_checker(workers, fen)


# A level is a position in data.


def _context(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> str:
    """Give the code that says what a string is for: its comparison, keyword, key or assignment."""
    around = node
    while (parent := parents.get(around)) is not None:
        if isinstance(parent, ast.Dict):
            return "".join(
                ast.unparse(key)
                for key, value in zip(parent.keys, parent.values, strict=True)
                if key is not None and value is around
            )
        if isinstance(parent, (ast.Compare, ast.Assign, ast.AnnAssign)):
            return ast.unparse(parent)
        if isinstance(parent, ast.keyword):
            return parent.arg or ""
        if isinstance(parent, ast.match_case):
            return ast.unparse(parents[parent])
        around = parent
    return ""


def level_codes_in(source: str, levels: frozenset[str]) -> Iterator[str]:
    """Yield each place where Python code names a level.

    A level code that is also a word of the event envelope (the log's own `district`) counts only
    where the code around it speaks of a level.
    """
    names = "|".join(map(re.escape, levels))
    quoted = re.compile(rf"level\w*[\s=!<>(]*(?:in\s*\()?['\"](?:{names})['\"]", re.IGNORECASE)
    tree = ast.parse(source)
    parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        is_code = node.value in levels and (
            node.value not in kernel.ENVELOPE or "level" in _context(node, parents).lower()
        )
        if is_code or quoted.search(node.value):
            yield f"line {node.lineno}: {node.value!r}"


def engine_files() -> Iterator[Path]:
    """Yield every Python file that may not name a level; demo data may."""
    for package in ("mediation", "projections", "api"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if "demo" not in path.relative_to(ROOT).parts:
                yield path


def test_no_python_file_of_the_engine_names_a_level(standard):
    """Levels are known to ladder files only, so another ladder needs no change of code."""
    levels = frozenset(level.code for level in standard.levels)
    found = [
        f"{path.relative_to(ROOT)}: {place}"
        for path in engine_files()
        for place in level_codes_in(path.read_text(encoding="utf-8"), levels)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ('if case.level == "district": climb()', True),
        ('ORDER = ("enterprise", "township")', True),
        ('place(level="district")', True),
        ('top_level = "district"', True),
        ('row = {"level": "district"}', True),
        ('match case.level:\n    case "district":\n        climb()', True),
        ("query = \"select 1 from queue where level = 'district'\"", True),
        ('Column("district", Text)', False),
        ('row = {"district": event.district, "level": event.level}', False),
        ('"""Every event of a district says at which level it was decided."""', False),
    ],
)
def test_the_search_for_level_names_finds_what_it_should(standard, source, is_found):
    """Code that names a level is found; the envelope's own district is left alone."""
    levels = frozenset(level.code for level in standard.levels)
    assert bool(list(level_codes_in(source, levels))) is is_found
