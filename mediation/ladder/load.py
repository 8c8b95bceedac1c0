"""Loading and checking ladder files; what a ladder answers once it is loaded stands in model.py."""

import tomllib
from collections import Counter
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from mediation import codes
from mediation.errors import NotFound, Unsafe
from mediation.ladder.model import (
    SIDEWAYS,
    UPWARD,
    Approval,
    BackDating,
    Branch,
    Coded,
    Ground,
    Ladder,
    Legality,
    Level,
    Limit,
    MoveKind,
    Risk,
    RiskCondition,
    RiskRule,
    SmallCase,
    Target,
)
from mediation.ladder.reading import Findings, Report, Table

_MOVES = tuple(MoveKind)
_RISKS = tuple(Risk)
_UNITS = ("wd", "cd", "ch", "mo")
_FEWEST_LEVELS = 2


class LadderInvalid(Unsafe):
    """A ladder file has errors; `report` names each with what to write instead."""

    code = "ladder-invalid"

    def __init__(self, report: Report) -> None:
        super().__init__(
            zh="\n".join(f"{found.file}: {found.where}: {found.zh}" for found in report.errors),
            en="\n".join(f"{found.file}: {found.where}: {found.en}" for found in report.errors),
        )
        self.report = report


class LadderUnknown(NotFound):
    """There is no ladder of this ref, neither published nor in the deployment's folder."""

    code = "ladder-unknown"

    def __init__(self) -> None:
        super().__init__(
            zh="没有这个版本的层级表；请从已发布的版本中选择。",
            en="There is no ladder of this version; choose one that is published.",
        )


@cache
def _packaged() -> dict[str, bytes]:
    """Read the ladders that come with the engine: file stem to bytes."""
    stored = (files(__package__) / "published").iterdir()
    toml = sorted(
        (file for file in stored if file.name.endswith(".toml")), key=lambda file: file.name
    )
    return {file.name.removesuffix(".toml"): file.read_bytes() for file in toml}


def published(folder: Path | None = None) -> tuple[str, ...]:
    """Name the ladders there are: those of the engine, then the deployment's own in `folder`."""
    own = sorted(path.stem for path in folder.glob("*.toml")) if folder else []
    return (*_packaged(), *(ref for ref in own if ref not in _packaged()))


def check(path: Path, *, known_grounds: Iterable[str] | None = None) -> Report:
    """Say all that is wrong with a ladder file, never raising for what is in it.

    Args:
        path: the file.
        known_grounds: codes of the grounds the engine can judge; default: the code table.
    """
    return _read(path, known_grounds)[1]


def load(source: Path | str, *, known_grounds: Iterable[str] | None = None) -> Ladder:
    """Load a ladder from a file (a `Path`) or one that comes with the engine (its ref).

    Raises:
        LadderInvalid: the file has errors.
        LadderUnknown: the engine has no ladder of this ref.
    """
    if isinstance(source, str):
        return load_ref(source)
    ladder, report = _read(source, known_grounds)
    if ladder is None:
        raise LadderInvalid(report)
    return ladder


def load_ref(
    ref: str, *, folder: Path | None = None, known_grounds: Iterable[str] | None = None
) -> Ladder:
    """Load the ladder a case names: one of the engine's, or of the deployment's `folder`.

    Raises:
        LadderInvalid: the file has errors, or the folder uses the ref of a published ladder.
        LadderUnknown: there is no such ladder.
    """
    # Only a name out of the folder's own listing ever becomes a path.
    own = {path.stem: path for path in folder.glob("*.toml")} if folder else {}
    if ref in _packaged():
        if ref in own:
            findings = Findings(own[ref])
            findings.error(
                "ref",
                "这个版本已经发布，不能改写；请换一个新的 ref 和文件名",
                "this version is published and stays as it is; choose a new ref and file name",
            )
            raise LadderInvalid(findings.report())
        return _load_packaged(ref)
    if ref not in own:
        raise LadderUnknown
    return load(own[ref], known_grounds=known_grounds)


@cache
def _load_packaged(ref: str) -> Ladder:
    ladder, report = _parse(Path(f"{ref}.toml"), _packaged()[ref], None)
    if ladder is None:
        raise LadderInvalid(report)
    return ladder


def _read(path: Path, known_grounds: Iterable[str] | None) -> tuple[Ladder | None, Report]:
    try:
        stored = path.read_bytes()
    except OSError:
        findings = Findings(path)
        findings.error(
            "",
            "文件无法读取；请核对路径和权限",
            "cannot be read; check the path and its permissions",
        )
        return None, findings.report()
    return _parse(path, stored, known_grounds)


def _parse(
    path: Path, stored: bytes, known_grounds: Iterable[str] | None
) -> tuple[Ladder | None, Report]:
    findings = Findings(path)
    try:
        raw = tomllib.loads(stored.decode())
    except UnicodeDecodeError:
        findings.error("", "不是 UTF-8 编码；请另存为 UTF-8", "not UTF-8; save it as UTF-8")
        return None, findings.report()
    except tomllib.TOMLDecodeError as error:
        # The parser's own sentence carries the line and column.
        findings.error("", f"TOML 语法错误，请改正：{error}", f"not TOML, mend it: {error}")
        return None, findings.report()
    root = Table(findings, "", raw)
    known = frozenset(codes.table("grounds") if known_grounds is None else known_grounds)
    digest = f"sha256:{sha256(stored).hexdigest()}"
    ladder = _ladder(root, digest=digest, known_grounds=known)
    root.close()
    if ladder.ref and ladder.ref != path.stem:
        findings.error(
            "ref",
            "与文件名不一致；请使 ref 等于不带 .toml 的文件名",
            "differs from the file name; make it the name without .toml",
        )
    _check_grounds(findings, ladder, known)
    _check_targets(findings, ladder)
    report = findings.report()
    return (ladder if report.is_valid else None), report


def _ladder(root: Table, *, digest: str, known_grounds: frozenset[str]) -> Ladder:
    """Read the whole file; the answer is only good if nothing was found wrong."""
    ref = root.code("ref")
    title = root.label("title")
    issued_by = root.label("issued_by") if root.has("issued_by") else None
    jurisdiction = root.label("jurisdiction") if root.has("jurisdiction") else None
    in_force_from = root.text("in_force_from") if root.has("in_force_from") else None
    statutory_term = root.text("statutory_term")
    extension = root.number("extension_answer_below_days", at_least=0)
    grounds = tuple(_ground(row, known_grounds) for row in root.tables("grounds", required=True))
    _once(root, "grounds", [ground.code for ground in grounds])
    level_rows = root.tables("levels", required=True)
    return_groups = tuple(_coded(row) for row in root.tables("return_groups", required=False))
    heads = tuple(group.code for group in return_groups)
    _once(root, "return_groups", heads)
    levels = tuple(
        _level(row, index, len(level_rows), heads) for index, row in enumerate(level_rows)
    )
    if root.has("levels") and len(levels) < _FEWEST_LEVELS:
        root.findings.error(
            "levels",
            "层级不足；请至少写两个 [[levels]]，从最低一级到最高一级",
            "too few levels; write at least two [[levels]], from the lowest to the top",
        )
    level_codes = tuple(level.code for level in levels)
    _once(root, "levels", level_codes)
    limits = tuple(_limit(row, level_codes) for row in root.tables("limits", required=True))
    _once(root, "limits", [limit.code for limit in limits])
    if statutory_term and not any(limit.code == statutory_term for limit in limits):
        root.findings.error(
            "statutory_term",
            "[[limits]] 内没有这个期限；请补写，或者改用其中的 code",
            "no such limit; add it to [[limits]], or name the code of one of them",
        )
    return Ladder(
        ref=ref,
        digest=digest,
        title=title,
        issued_by=issued_by,
        jurisdiction=jurisdiction,
        in_force_from=in_force_from,
        statutory_term=statutory_term,
        extension_answer_below_days=extension,
        return_groups=return_groups,
        levels=levels,
        limits=limits,
        grounds=grounds,
        approvals=_approvals(root),
        risk_rule=_risk_rule(root.table("risk")),
        back_dating=_back_dating(root.table("back_dating")),
        small_case=_small_case(root.table("small_case"), level_codes),
        legality=_legality(root.table("legality")),
    )


def _once(root: Table, key: str, found: Iterable[str]) -> None:
    for code, count in Counter(found).items():
        if code and count > 1:
            root.findings.error(
                key,
                f"代码“{code}”重复；请给每一项不同的代码",
                f'the code "{code}" stands twice; give each its own',
            )


def _ground(row: Table, known: frozenset[str]) -> Ground:
    ground = Ground(
        code=row.code("code"),
        label=row.label("label"),
        applicant_wish=row.yes("applicant_wish"),
        back_to_assigner=row.yes("back_to_assigner"),
    )
    if ground.code and ground.code not in known:
        row.findings.error(
            row.at("code"),
            f"系统不认识这个事由；请用下列之一：{'、'.join(sorted(known))}",
            f"the engine knows no such ground; use one of: {', '.join(sorted(known))}",
        )
    row.close()
    return ground


def _level(row: Table, index: int, count: int, groups: tuple[str, ...]) -> Level:
    level = Level(
        code=row.code("code"),
        label=row.label("label"),
        inside_employer=row.yes("inside_employer"),
        at_source=row.yes("at_source"),
        return_group=_return_group(row, groups),
        branches=tuple(_branch(it, groups) for it in row.tables("branches", required=False)),
        bodies=tuple(_coded(body) for body in row.tables("bodies", required=True)),
        legal_basis=row.label("legal_basis"),
        target=_target(row.table("target")) if row.has("target") else None,
        grounds=_grounds_by_move(row.table("grounds"), index, count),
    )
    if level.target is None and index < count - 1:
        row.findings.warning(
            row.at("target"),
            "最高一级以下没有内部办理时限；如需要，请写 target = { working_days = 3, "
            'source = "proposal" }',
            "no internal target below the top; if one is meant, write target = "
            '{ working_days = 3, source = "proposal" }',
        )
    row.close()
    return level


def _return_group(row: Table, groups: tuple[str, ...]) -> str | None:
    return row.one_of("return_group", groups) if row.has("return_group") else None


def _branch(row: Table, groups: tuple[str, ...]) -> Branch:
    branch = Branch(
        code=row.code("code"),
        label=row.label("label"),
        return_group=_return_group(row, groups),
    )
    row.close()
    return branch


def _coded(row: Table) -> Coded:
    coded = Coded(code=row.code("code"), label=row.label("label"))
    row.close()
    return coded


def _target(row: Table) -> Target:
    target = Target(working_days=row.number("working_days", at_least=1), source=row.source())
    row.close()
    return target


def _grounds_by_move(
    row: Table, index: int, count: int
) -> tuple[tuple[MoveKind, tuple[str, ...]], ...]:
    """Read which grounds are open for which move; none may lead off the ladder."""
    listed = tuple((kind, row.words(kind.value)) for kind in _MOVES if row.has(kind.value))
    for kind, grounds in listed:
        off_the_top = kind in UPWARD and index == count - 1
        off_the_foot = kind not in UPWARD | SIDEWAYS and index == 0
        if grounds and (off_the_top or off_the_foot):
            row.findings.error(
                row.at(kind.value),
                "本级没有可去的层级；请删去这一项",
                "no level lies in that direction; delete this key",
            )
    if index < count - 1 and not dict(listed).get(MoveKind.ESCALATE):
        row.findings.error(
            row.at("ESCALATE"),
            '案件无法从本级逐级提请；请至少列一个事由，如 ESCALATE = ["no-agreement"]',
            'a case cannot climb from here; list a ground, as in ESCALATE = ["no-agreement"]',
        )
    row.close()
    return listed


def _limit(row: Table, level_codes: tuple[str, ...]) -> Limit:
    limit = Limit(
        code=row.text("code"),
        length=row.number("length", at_least=1),
        unit=row.one_of("unit", _UNITS),
        source=row.source(),
        levels=row.words_of("levels", level_codes),
    )
    row.close()
    return limit


def _approvals(root: Table) -> tuple[Approval, ...]:
    if not root.has("approvals"):
        return ()
    table = root.table("approvals")
    found = []
    for kind in _MOVES:
        if table.has(kind.value):
            row = table.table(kind.value)
            by = row.one_of("by", tuple(codes.table("roles")))
            at = row.one_of("automatic_at", _RISKS) if row.has("automatic_at") else None
            found.append(Approval(kind=kind, by=by, automatic_at=_risk(at) if at else None))
            row.close()
    table.close()
    return tuple(found)


def _risk(written: str) -> Risk:
    """Give the risk; a word that is none was told already and gets a stand-in."""
    return Risk(written) if written in _RISKS else Risk.GREEN


def _risk_rule(table: Table) -> RiskRule:
    flags = tuple(codes.table("flags"))
    conditions = []
    source = table.source()
    collective_flag = table.one_of("collective_flag", flags)
    collective_workers = table.number("collective_workers", at_least=1)
    for row in table.tables("rules", required=True):
        condition = RiskCondition(
            risk=_risk(row.one_of("risk", _RISKS)),
            all_flags=row.words_of("all_flags", flags),
            any_flags=row.words_of("any_flags", flags),
            min_workers=row.number("min_workers", at_least=1) if row.has("min_workers") else 0,
        )
        if not (condition.all_flags or condition.any_flags or condition.min_workers):
            row.findings.error(
                row.where,
                "没有条件，将适用于所有案件；请写 all_flags、any_flags 或者 min_workers",
                "no condition, it would hold for every case; write all_flags, any_flags or "
                "min_workers",
            )
        row.close()
        conditions.append(condition)
    table.close()
    return RiskRule(
        source=source,
        collective_flag=collective_flag,
        collective_workers=collective_workers,
        rules=tuple(conditions),
    )


def _back_dating(table: Table) -> BackDating:
    roles = tuple(codes.table("roles"))
    bounds = BackDating(
        source=table.source(),
        free_days=table.number("free_days", at_least=0),
        lead_days=table.number("lead_days", at_least=0),
        to_lead_days=table.words_of("to_lead_days", roles),
        beyond=table.words_of("beyond", roles),
    )
    if bounds.lead_days < bounds.free_days:
        table.findings.error(
            table.at("lead_days"),
            "不能小于 free_days；请改大",
            "must not be less than free_days; make it larger",
        )
    for key, named in (("to_lead_days", bounds.to_lead_days), ("beyond", bounds.beyond)):
        if not named:
            table.findings.error(
                table.at(key),
                f'须写明由谁批准；请写 {key} = ["lead"]',
                f'name who approves; write {key} = ["lead"]',
            )
    table.close()
    return bounds


def _small_case(table: Table, level_codes: tuple[str, ...]) -> SmallCase:
    bounds = SmallCase(
        source=table.source(),
        workers=table.number("workers", at_least=1),
        total_fen=table.number("total_fen", at_least=1),
        levels=table.words_of("levels", level_codes),
        barred_flags=table.words_of("barred_flags", tuple(codes.table("flags"))),
        barred_risks=tuple(_risk(word) for word in table.words_of("barred_risks", _RISKS)),
    )
    table.close()
    return bounds


def _legality(table: Table) -> Legality:
    bounds = Legality(
        source=table.source(),
        second_person_workers=table.number("second_person_workers", at_least=1),
        second_person_fen=table.number("second_person_fen", at_least=1),
    )
    table.close()
    return bounds


def _check_grounds(findings: Findings, ladder: Ladder, known: frozenset[str]) -> None:
    """Hold the levels' lists and the definitions of grounds together."""
    used = set()
    for index, level in enumerate(ladder.levels):
        for kind, grounds in level.grounds:
            for code in grounds:
                used.add(code)
                if ladder.ground(code) is None:
                    example = code if code in known else "…"
                    findings.error(
                        f"levels[{index}].grounds.{kind.value}",
                        f'事由“{code}”未定义；请补写 [[grounds]] code = "{example}"，'
                        "或者改用已定义的",
                        f'the ground "{code}" is not defined; add [[grounds]] with code = '
                        f'"{example}", or use one that is',
                    )
    for index, ground in enumerate(ladder.grounds):
        if ground.code not in used:
            findings.warning(
                f"grounds[{index}].code",
                "没有层级使用这个事由；请列入某一级，或者删去",
                "no level uses this ground; list it at a level, or delete it",
            )


def _check_targets(findings: Findings, ladder: Ladder) -> None:
    """Warn if the targets together, in weeks of five working days, outlast the statutory term."""
    term = ladder.limit(ladder.statutory_term)
    if term is None or term.unit not in ("wd", "cd"):
        return
    working_days = sum(level.target.working_days for level in ladder.levels if level.target)
    needed = working_days if term.unit == "wd" else -(-working_days * 7 // 5)
    if needed > term.length:
        findings.warning(
            "levels",
            f"各级内部时限合计 {working_days} 个工作日，超过法定期限 {term.code}；请缩短",
            f"the targets of all levels, {working_days} working days together, exceed the "
            f"statutory term {term.code}; shorten them",
        )


__all__ = [
    "LadderInvalid",
    "LadderUnknown",
    "check",
    "load",
    "load_ref",
    "published",
]
