import re
from pathlib import Path

import pytest

from mediation import codes, ladder
from mediation.ladder import MoveKind, Risk

ROOT = Path(__file__).parents[2]
PACKAGED = ROOT / "mediation" / "ladder" / "published"
OTHERS = ROOT / "tests" / "ladders"
STANDARD = (PACKAGED / "standard-v1.toml").read_text(encoding="utf-8")


def swapped(old: str, new: str) -> str:
    """Give the standard file with one passage changed."""
    assert old in STANDARD
    return STANDARD.replace(old, new, 1)


FAULTS = {
    "unknown key": (
        swapped("inside_employer = true", "inside_employers = true"),
        "levels[0].inside_employers",
        "没有这一项；请改为 inside_employer",
        "unknown key; write inside_employer",
    ),
    "unknown key without a neighbour": (
        swapped('statutory_term = "D02"', 'statutory_term = "D02"\nzzz = 1'),
        "zzz",
        "没有这一项；请删去",
        "unknown key; delete it",
    ),
    "missing key": (
        swapped("extension_answer_below_days = 5", ""),
        "extension_answer_below_days",
        "缺少这一项；请补写 extension_answer_below_days = 3",
        "missing; write extension_answer_below_days = 3",
    ),
    "missing table": (
        STANDARD.replace("[back_dating]", "[back_dating_]"),
        "back_dating",
        "缺少这一项；请补写 back_dating = { … }",
        "missing; write back_dating = { … }",
    ),
    "no list of grounds": (
        STANDARD.replace("[[grounds]]", "[[grounds_]]"),
        "grounds",
        "缺少这一项；请补写 grounds = [{ … }]",
        "missing; write grounds = [{ … }]",
    ),
    "no list of limits": (
        STANDARD.replace("[[limits]]", "[[limits_]]"),
        "limits",
        "缺少这一项；请补写 limits = [{ … }]",
        "missing; write limits = [{ … }]",
    ),
    "no list of bodies": (
        STANDARD.replace("bodies = [", "bodies_ = ["),
        "levels[3].bodies",
        "缺少这一项；请补写 bodies = [{ … }]",
        "missing; write bodies = [{ … }]",
    ),
    "no rules of risk": (
        STANDARD.replace("[[risk.rules]]", "[[risk.rules_]]"),
        "risk.rules",
        "缺少这一项；请补写 rules = [{ … }]",
        "missing; write rules = [{ … }]",
    ),
    "wrong type": (
        swapped("working_days = 3,", 'working_days = "3",'),
        "levels[0].target.working_days",
        "类型不对，应为整数；请写 working_days = 3",
        "wrong type, must be a whole number; write working_days = 3",
    ),
    "true is not a number": (
        swapped("free_days = 7", "free_days = true"),
        "back_dating.free_days",
        "类型不对，应为整数；请写 free_days = 3",
        "wrong type, must be a whole number; write free_days = 3",
    ),
    "a list of the wrong things": (
        swapped('barred_risks = ["RED"]', "barred_risks = [1]"),
        "small_case.barred_risks",
        '列表内须为文字；请写 barred_risks = ["…"]',
        'every entry must be text; write barred_risks = ["…"]',
    ),
    "a repeated word": (
        swapped('barred_risks = ["RED"]', 'barred_risks = ["RED", "RED"]'),
        "small_case.barred_risks",
        "列表内有重复；请删去多余的",
        "listed twice; delete the repetition",
    ),
    "a list that is not of tables": (
        swapped("[approvals.REPORT_UP]", "[approvals.REPORT_UP]").replace(
            "branches = [\n", "branches = [ 1,\n"
        ),
        "levels[1].branches[0]",
        "须为表；请写 { … }",
        "must be a table; write { … }",
    ),
    "too small": (
        swapped("workers = 3\n", "workers = 0\n"),
        "small_case.workers",
        "数字太小；请写不小于 1 的整数",
        "too small; write a whole number of at least 1",
    ),
    "blank label": (
        swapped('{ zh = "企业", en = "Enterprise" }', '{ zh = " ", en = "Enterprise" }'),
        "levels[0].label.zh",
        "内容为空；请填写",
        "blank; fill it in",
    ),
    "code in another alphabet": (
        swapped('code = "workshop-group"', 'code = "Workshop_Group"'),
        "levels[0].bodies[1].code",
        "代码格式不对；请只用小写字母、数字和连字符，如 first-level",
        "not a kebab-case code; use small letters, digits and hyphens, as in first-level",
    ),
    "limit without a source": (
        swapped('source = "L-PROV 29"', 'source = "custom"'),
        "limits[1].source",
        '来源须写法条，如 "L-LDMA 14; L-ZJ 10"；法律未作规定的写 "proposal"',
        'name the articles, as in "L-LDMA 14; L-ZJ 10"; where no law says it, "proposal"',
    ),
    "unit": (
        swapped('unit = "cd"', 'unit = "weeks"'),
        "limits[0].unit",
        "不在可选范围内；请写 wd、cd、ch、mo 之一",
        "not a known value; write one of wd, cd, ch, mo",
    ),
    "risk that is none": (
        swapped('automatic_at = "RED"', 'automatic_at = "BLUE"'),
        "approvals.REPORT_UP.automatic_at",
        "不在可选范围内；请写 RED、YELLOW、GREEN 之一",
        "not a known value; write one of RED, YELLOW, GREEN",
    ),
    "level that is not there": (
        swapped('levels = ["enterprise"]', 'levels = ["moon"]'),
        "limits[1].levels",
        "“moon”不在可选范围内；请用 enterprise、village-industry、township、district",
        '"moon" is not a known value; use enterprise, village-industry, township, district',
    ),
    "duplicate level": (
        swapped('code = "district"', 'code = "township"'),
        "levels",
        "代码“township”重复；请给每一项不同的代码",
        'the code "township" stands twice; give each its own',
    ),
    "duplicate ground": (
        swapped('code = "other-branch"', 'code = "capacity-short"'),
        "grounds",
        "代码“capacity-short”重复；请给每一项不同的代码",
        'the code "capacity-short" stands twice; give each its own',
    ),
    "duplicate limit": (
        swapped('code = "D03"', 'code = "D02"'),
        "limits",
        "代码“D02”重复；请给每一项不同的代码",
        'the code "D02" stands twice; give each its own',
    ),
    "statutory term": (
        swapped('statutory_term = "D02"', 'statutory_term = "D77"'),
        "statutory_term",
        "[[limits]] 内没有这个期限；请补写，或者改用其中的 code",
        "no such limit; add it to [[limits]], or name the code of one of them",
    ),
    "ref": (
        swapped('ref = "standard-v1"', 'ref = "standard-v2"'),
        "ref",
        "与文件名不一致；请使 ref 等于不带 .toml 的文件名",
        "differs from the file name; make it the name without .toml",
    ),
    "ground off the top": (
        STANDARD.replace(
            '[levels.grounds]\nTRANSFER = ["capacity-short", "body-conflicted"]',
            '[levels.grounds]\nREPORT_UP = ["red-risk"]\n'
            'TRANSFER = ["capacity-short", "body-conflicted"]',
        ),
        "levels[3].grounds.REPORT_UP",
        "本级没有可去的层级；请删去这一项",
        "no level lies in that direction; delete this key",
    ),
    "ground off the foot": (
        swapped(
            'TRANSFER = ["capacity-short"]\n',
            'TRANSFER = ["capacity-short"]\nSEND_BACK = ["ground-not-met"]\n',
        ),
        "levels[0].grounds.SEND_BACK",
        "本级没有可去的层级；请删去这一项",
        "no level lies in that direction; delete this key",
    ),
    "a yes in words": (
        swapped("inside_employer = true", 'inside_employer = "yes"'),
        "levels[0].inside_employer",
        "类型不对，应为true 或 false；请写 inside_employer = true",
        "wrong type, must be true or false; write inside_employer = true",
    ),
    "no day at all": (
        swapped("working_days = 3,", "working_days = 0,"),
        "levels[0].target.working_days",
        "数字太小；请写不小于 1 的整数",
        "too small; write a whole number of at least 1",
    ),
    "closed rung": (
        re.sub(r"ESCALATE = .*\n", "", STANDARD, count=1),
        "levels[0].grounds.ESCALATE",
        '案件无法从本级逐级提请；请至少列一个事由，如 ESCALATE = ["no-agreement"]',
        'a case cannot climb from here; list a ground, as in ESCALATE = ["no-agreement"]',
    ),
    "ground without a definition": (
        swapped('"other-branch", "body-conflicted"]', '"other-branches", "body-conflicted"]'),
        "levels[1].grounds.TRANSFER",
        '事由“other-branches”未定义；请补写 [[grounds]] code = "…"，或者改用已定义的',
        (
            'the ground "other-branches" is not defined; add [[grounds]] with code = "…", '
            "or use one that is"
        ),
    ),
    "ground that the engine knows without a definition": (
        swapped('[[grounds]]\ncode = "other-branch"', '[[grounds]]\ncode = "assignment-return"'),
        "levels[1].grounds.TRANSFER",
        '事由“other-branch”未定义；请补写 [[grounds]] code = "other-branch"，或者改用已定义的',
        (
            'the ground "other-branch" is not defined; add [[grounds]] with '
            'code = "other-branch", or use one that is'
        ),
    ),
    "rule without a condition": (
        swapped(
            'any_flags = ["EMPLOYER_CLOSED", "EMPLOYER_ABSCONDED", "SAFETY"]\n\n',
            "\n",
        ),
        "risk.rules[4]",
        "没有条件，将适用于所有案件；请写 all_flags、any_flags 或者 min_workers",
        "no condition, it would hold for every case; write all_flags, any_flags or min_workers",
    ),
    "no bounds for the second checker": (
        STANDARD.replace("[legality]", "[legality_]"),
        "legality",
        "缺少这一项；请补写 legality = { … }",
        "missing; write legality = { … }",
    ),
    "a second checker for every agreement by mistake": (
        swapped("second_person_workers = 10", "second_person_workers = 0"),
        "legality.second_person_workers",
        "数字太小；请写不小于 1 的整数",
        "too small; write a whole number of at least 1",
    ),
    "bounds for the second checker that nobody set": (
        swapped('[legality]\nsource = "proposal"', '[legality]\nsource = "usual"'),
        "legality.source",
        '来源须写法条，如 "L-LDMA 14; L-ZJ 10"；法律未作规定的写 "proposal"',
        'name the articles, as in "L-LDMA 14; L-ZJ 10"; where no law says it, "proposal"',
    ),
    "back-dating bounds the wrong way round": (
        swapped("lead_days = 30", "lead_days = 3"),
        "back_dating.lead_days",
        "不能小于 free_days；请改大",
        "must not be less than free_days; make it larger",
    ),
    "nobody approves": (
        swapped('to_lead_days = ["lead"]', "to_lead_days = []"),
        "back_dating.to_lead_days",
        '须写明由谁批准；请写 to_lead_days = ["lead"]',
        'name who approves; write to_lead_days = ["lead"]',
    ),
    "nobody approves what is later still": (
        re.sub(r"\nbeyond = .*", "\nbeyond = []", STANDARD),
        "back_dating.beyond",
        '须写明由谁批准；请写 beyond = ["lead"]',
        'name who approves; write beyond = ["lead"]',
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_told_with_its_place_and_its_remedy(tmp_path, fault):
    """The author reads in both languages where the file is wrong and what to write instead."""
    text, where, zh, en = FAULTS[fault]
    path = tmp_path / "standard-v1.toml"
    path.write_text(text, encoding="utf-8")
    report = ladder.check(path)
    assert ladder.Finding(str(path), where, zh, en) in report.errors
    assert not report.is_valid
    with pytest.raises(ladder.LadderInvalid) as refused:
        ladder.load(path)
    assert refused.value.report == report
    for told, words in ((refused.value.detail.zh, zh), (refused.value.detail.en, en)):
        assert f"{path}: {where}: {words}" in told.splitlines()
    assert f"{path}: {where}: {zh} / {en}" in [str(found) for found in report.errors]


def test_a_missing_table_is_told_once(tmp_path):
    """The author is not told that every key of a table that is not there is missing too."""
    path = tmp_path / "standard-v1.toml"
    path.write_text(STANDARD.replace("[legality]", "[legality_]"), encoding="utf-8")

    assert {found.where for found in ladder.check(path).errors} == {"legality", "legality_"}


LOWEST = {
    "extension_answer_below_days": 0,
    "working_days": 1,
    "collective_workers": 1,
    "min_workers": 1,
    "free_days": 0,
    "lead_days": 0,
    "workers": 1,
    "total_fen": 1,
    "second_person_workers": 1,
    "second_person_fen": 1,
}


def test_every_bound_may_be_as_low_as_it_makes_sense(tmp_path):
    """One worker, one fen, one working day; nothing is free, or nothing is left to the lead."""
    text = STANDARD
    for key, lowest in LOWEST.items():
        text, count = re.subn(rf"\b{key} = [\d_]+", f"{key} = {lowest}", text)
        assert count, key
    path = tmp_path / "standard-v1.toml"
    path.write_text(text, encoding="utf-8")

    assert ladder.check(path).errors == ()


def test_a_ground_the_engine_cannot_judge_is_an_error(tmp_path):
    """A ladder may only name grounds for which the engine has a rule; the known ones are listed."""
    path = tmp_path / "standard-v1.toml"
    path.write_text(STANDARD, encoding="utf-8")
    known = set(codes.table("grounds")) - {"other-branch"}
    (found,) = ladder.check(path, known_grounds=known).errors
    assert found.where == "grounds[17].code"
    assert found.zh.startswith("系统不认识这个事由；请用下列之一：applicant-chose-lower、")
    assert found.en.startswith("the engine knows no such ground; use one of: applicant-chose-lower")
    assert ladder.check(path).is_valid
    with pytest.raises(ladder.LadderInvalid):
        ladder.load(path, known_grounds=known)
    three = {ground.code for ground in ladder.load_ref("three-level", folder=OTHERS).grounds}
    with pytest.raises(ladder.LadderInvalid):
        ladder.load_ref("three-level", folder=OTHERS, known_grounds=three - {min(three)})


def test_a_file_without_levels_or_with_one_is_refused(tmp_path):
    """A ladder has a lowest level and a top."""
    path = tmp_path / "short.toml"
    one = '[[levels]]\ncode = "only"\n'
    for text, where, zh in (
        ("", "levels", "缺少这一项；请补写 levels = [{ … }]"),
        ("levels = []", "levels", "层级不足；请至少写两个 [[levels]]，从最低一级到最高一级"),
        (one, "levels", "层级不足；请至少写两个 [[levels]]，从最低一级到最高一级"),
    ):
        path.write_text(text, encoding="utf-8")
        assert (where, zh) in {(found.where, found.zh) for found in ladder.check(path).errors}
    path.write_text(one + one.replace("only", "other"), encoding="utf-8")
    assert "levels" not in {found.where for found in ladder.check(path).errors}


@pytest.mark.parametrize(
    ("stored", "zh"),
    [
        (b"ref = \n", "TOML 语法错误"),
        (b'ref = "\xff"\n', "不是 UTF-8 编码；请另存为 UTF-8"),
        (None, "文件无法读取；请核对路径和权限"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_words(tmp_path, stored, zh):
    """Syntax, encoding and a missing file end in a finding, never in a stack trace."""
    path = tmp_path / "odd.toml"
    if stored is not None:
        path.write_bytes(stored)
    (found,) = ladder.check(path).errors
    assert found.zh.startswith(zh)
    assert str(found).startswith(f"{path}: {zh}")


def test_a_syntax_error_names_its_line(tmp_path):
    """The author finds the place without counting."""
    path = tmp_path / "odd.toml"
    path.write_text('ref = "odd"\ntitle = ]\n', encoding="utf-8")
    assert "line 2" in ladder.check(path).errors[0].en


def test_targets_longer_than_the_statutory_term_are_a_warning(tmp_path):
    """Twelve working days need more than fifteen calendar days; the file stays usable."""
    path = tmp_path / "standard-v1.toml"
    path.write_text(swapped("working_days = 4", "working_days = 6"), encoding="utf-8")
    report = ladder.check(path)
    assert report.is_valid
    (warning,) = report.warnings
    assert (warning.file, warning.where) == (str(path), "levels")
    assert warning.zh == "各级内部时限合计 12 个工作日，超过法定期限 D02；请缩短"
    assert warning.en == (
        "the targets of all levels, 12 working days together, exceed the statutory term D02; "
        "shorten them"
    )


@pytest.mark.parametrize(
    ("length", "unit", "days", "is_long"),
    [
        (15, "cd", 4, False),  # ten working days are two weeks
        (14, "cd", 4, False),
        (13, "cd", 4, True),
        (10, "wd", 4, False),
        (9, "wd", 4, True),
        (2, "mo", 6, False),  # months and hours are not held against days
        (1, "ch", 6, False),
    ],
)
def test_targets_are_held_against_the_term_in_its_own_unit(tmp_path, length, unit, days, is_long):
    """Working days against working days, or against the calendar days of as many weeks."""
    text = swapped('length = 15\nunit = "cd"', f'length = {length}\nunit = "{unit}"')
    path = tmp_path / "standard-v1.toml"
    path.write_text(text.replace("working_days = 4", f"working_days = {days}"), encoding="utf-8")

    assert bool(ladder.check(path).warnings) is is_long


def test_a_level_without_a_target_and_an_unused_ground_are_warnings(tmp_path):
    """Both may be meant, so the author is asked and not stopped."""
    path = tmp_path / "standard-v1.toml"
    text = swapped('target = { working_days = 4, source = "proposal" }\n', "")
    path.write_text(text.replace('"other-branch", ', ""), encoding="utf-8")
    report = ladder.check(path)
    assert report.is_valid
    assert [warning.where for warning in report.warnings] == [
        "levels[2].target",
        "grounds[17].code",
    ]


def test_a_ladder_says_who_issued_it_and_where_and_from_when_it_holds():
    """What a file says about itself can be read, and may be left out."""
    read = ladder.load(PACKAGED / "standard-v1.toml")
    bare = ladder.load_ref("three-level", folder=OTHERS)

    assert read.issued_by is not None
    assert read.issued_by.zh.startswith("随软件发布")
    assert (read.jurisdiction, read.in_force_from) == (
        codes.Label("浙江省", "Zhejiang Province"),
        "2026-01-01",
    )
    assert (bare.issued_by, bare.jurisdiction, bare.in_force_from) == (None, None, None)


def test_a_ladder_may_do_without_approvals(tmp_path):
    """Approvals are the deployment's choice; without the table nobody has to approve."""
    path = tmp_path / "standard-v1.toml"
    text = swapped('[approvals.REPORT_UP]\nby = "lead"\nautomatic_at = "RED"\n', "")
    path.write_text(text, encoding="utf-8")
    assert ladder.load(path).approver(MoveKind.REPORT_UP, Risk.GREEN) is None


def test_a_deployment_adds_ladders_of_its_own():
    """Files of the deployment's folder are found by ref beside the published ones."""
    assert ladder.published(OTHERS) == ("standard-v1", "five-level", "three-level")
    assert ladder.load_ref("three-level", folder=OTHERS).top.code == "apex"
    assert ladder.load("standard-v1") is ladder.load_ref("standard-v1")
    assert ladder.check(OTHERS / "five-level.toml") == ladder.Report((), ())
    for ref in ("six-level", "../ladders/three-level"):
        with pytest.raises(ladder.LadderUnknown):
            ladder.load_ref(ref, folder=OTHERS)


def test_a_deployment_may_not_rewrite_a_published_ladder(tmp_path):
    """The ref that cases have pinned keeps the meaning it was published with."""
    (tmp_path / "standard-v1.toml").write_text(STANDARD, encoding="utf-8")
    with pytest.raises(ladder.LadderInvalid) as refused:
        ladder.load_ref("standard-v1", folder=tmp_path)
    (found,) = refused.value.report.errors
    assert (found.file, found.where) == (str(tmp_path / "standard-v1.toml"), "ref")
    assert ladder.published(tmp_path) == ("standard-v1",)
