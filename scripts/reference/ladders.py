"""The page of published ladders, each in words; nothing of it is written here but the words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mediation import ladder
from mediation.calendar.deadlines import PROPOSAL
from mediation.case import grounds
from mediation.codes import Label
from scripts.reference.markup import below, beside, code, described, page, rest, table, wording
from scripts.reference.published import length, source


def ladder_page() -> str:
    """Give every published ladder."""
    return page(
        "Ladders · 层级表",
        "The lowest level has rank 1. A case stays with the ladder it was registered under.",
        *(block for ref in ladder.published() for block in _ladder(ladder.load_ref(ref))),
    )


def _ladder(it: ladder.Ladder) -> Iterator[str]:
    shown = (
        *("ref", "title", "digest", "statutory_term", "extension_answer_below_days", "levels"),
        *(
            "return_groups",
            "limits",
            "grounds",
            "approvals",
            "risk_rule",
            "back_dating",
            "small_case",
        ),
    )
    ranks = {level.code: f"{rank} {level.label.zh}" for rank, level in enumerate(it.levels, 1)}
    days = it.extension_answer_below_days
    yield f"## {it.ref}"
    yield f"**{beside(it.title)}**"
    yield _bullets(
        f"摘要 · Digest: {code(it.digest)}",
        f"法定调解期限 · Statutory term: [{it.statutory_term}](deadlines.md)",
        f"法定期限不足{days}日的，提级意见书须填写延期意见 · With fewer than {days} days of that "
        "term left, a transfer sheet must answer the question of extension",
        *rest(it, *shown),
    )
    yield f"### Levels of {it.ref}"
    yield table(
        ["Level 层级", "Bodies 调解组织", "Target 内部时限", "Legal basis 依据"],
        (_level(rank, level) for rank, level in enumerate(it.levels, 1)),
    )
    if it.return_groups:
        yield f"### Heads of the return of {it.ref}"
        yield _bullets(*(f"{code(group.code)} {beside(group.label)}" for group in it.return_groups))
    yield f"### Grounds of {it.ref}"
    yield from _grounds(it)
    yield f"### Limits of {it.ref}"
    yield table(
        ["Deadline 期限", "Length 时长", "Levels 层级", "Source 依据"],
        (_limit(limit, ranks) for limit in it.limits),
    )
    yield f"### Approvals of {it.ref}"
    yield _bullets(*map(_approval, it.approvals)) or "none 无"
    yield f"### Risk of {it.ref}"
    yield from _risk(it.risk_rule)
    yield f"### Back-dating of {it.ref}"
    yield from _back_dating(it.back_dating)
    yield f"### Small case of {it.ref}"
    yield from _small_case(it.small_case, ranks)


def _bullets(*lines: str) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _basis(article: str) -> Label:
    if article == PROPOSAL:
        return Label("建议值，非法律规定", "A proposal of this project, not set by law")
    return source(article)


def _named(table_name: str, keys: Iterable[str]) -> Label:
    found = [wording(table_name, key) for key in keys]
    return Label("、".join(it.zh for it in found), ", ".join(it.en.lower() for it in found))


def _level(rank: int, level: ladder.Level) -> list[str]:
    shown = (
        *("code", "label", "inside_employer", "at_source", "return_group", "branches", "bodies"),
        *("target", "legal_basis"),
    )
    target = level.target
    days = length(target.working_days, "wd") if target else ""
    return [
        "<br>".join(
            [
                f"{rank} {code(level.code)}",
                below(level.label),
                *(["在用人单位内部 inside the employer"] * level.inside_employer),
                *(["计入就地化解 counts as solved at the source"] * level.at_source),
                *([f"报表归口 return {code(level.return_group)}"] if level.return_group else []),
                *(
                    f"分支 branch {code(it.code)} {beside(it.label)}"
                    + (f" → {code(it.return_group)}" if it.return_group else "")
                    for it in level.branches
                ),
                *rest(level, *shown, "grounds"),
            ]
        ),
        "<br>".join(f"{code(it.code)} {beside(it.label)}" for it in level.bodies),
        f"{days}<br>{below(_basis(target.source))}"
        if target
        else below(Label("法定期限的剩余时间", "the rest of the statutory term")),
        below(level.legal_basis),
    ]


def _grounds(it: ladder.Ladder) -> Iterator[str]:
    kinds = list(dict.fromkeys(kind for level in it.levels for kind, _listed in level.grounds))
    yield "Under each kind of move stand the ranks of the levels at which the ground is open to it."
    yield table(
        ["Ground 事由", *(below(wording("move_kinds", it)) for it in kinds), "Holds when 成立条件"],
        (
            [
                f"{code(ground.code)}<br>{below(ground.label)}",
                *(_open_at(it, ground.code, kind) for kind in kinds),
                "<br>".join(_conditions(ground)),
            ]
            for ground in it.grounds
        ),
    )


def _open_at(it: ladder.Ladder, ground: str, kind: ladder.MoveKind) -> str:
    ranks = [
        str(rank) for rank, level in enumerate(it.levels, 1) if ground in level.grounds_for(kind)
    ]
    return " ".join(ranks)


def _conditions(ground: ladder.Ground) -> Iterator[str]:
    predicate = grounds._GROUNDS.get(ground.code)  # noqa: SLF001 - the registry has no other reader
    yield described(predicate)[0] if predicate else "As stated 以申请为准"
    if ground.applicant_wish:
        yield "With the applicant's written wish 须有申请人书面意愿"
    if ground.back_to_assigner:
        yield "Only back to the assigner 限退回交办单位"
    yield from rest(ground, "code", "label", "applicant_wish", "back_to_assigner")


def _limit(limit: ladder.Limit, ranks: dict[str, str]) -> list[str]:
    others = rest(limit, "code", "length", "unit", "source", "levels")
    return [
        "<br>".join([code(limit.code), *others]),
        length(limit.length, limit.unit),
        "<br>".join(ranks[level] for level in limit.levels) or "all 各级",
        below(_basis(limit.source)),
    ]


def _approval(it: ladder.Approval) -> str:
    move, by = wording("move_kinds", it.kind), _named("roles", [it.by])
    zh, en = f"{move.zh}：由{by.zh}批准", f"{move.en}: approved by the {by.en}"
    if it.automatic_at:
        risk = _named("risks", [it.automatic_at])
        zh += f"；{risk.zh}风险的自动批准"
        en += f", automatically when the risk is {risk.en}"
    return "; ".join([beside(Label(zh, en)), *rest(it, "kind", "by", "automatic_at")])


def _risk(rule: ladder.RiskRule) -> Iterator[str]:
    flag = wording("flags", rule.collective_flag)
    lowest = _named("risks", [ladder.Risk.GREEN])
    workers = rule.collective_workers
    yield _bullets(
        beside(_basis(rule.source)),
        f"劳动者{workers}人以上的，负责人决定之前按“{flag.zh}”对待 · From {workers} workers on a "
        f"case counts as “{flag.en}” until the lead has decided",
        f"依次判断，首个成立的为准；均不成立的为{lowest.zh} · The first line that holds decides; "
        f"if none does, the risk is {lowest.en}",
        *rest(rule, "source", "collective_flag", "collective_workers", "rules"),
    )
    yield table(
        ["", "Risk 风险", "When 情形"],
        (
            [str(number), below(wording("risks", row.risk)), below(_condition(row))]
            for number, row in enumerate(rule.rules, 1)
        ),
    )


def _condition(row: ladder.RiskCondition) -> Label:
    zh, en = [], []
    if row.all_flags:
        every = _named("flags", row.all_flags)
        zh.append(every.zh)
        en.append(every.en)
    if row.any_flags:
        some = [_named("flags", [flag]) for flag in row.any_flags]
        zh.append("或者".join(it.zh for it in some))
        en.append(" or ".join(it.en for it in some))
    if row.min_workers:
        zh.append(f"劳动者{row.min_workers}人以上")
        en.append(f"at least {row.min_workers} workers")
    zh += rest(row, "risk", "all_flags", "any_flags", "min_workers")
    return Label("；并且：".join(zh), "; and: ".join(en))


def _back_dating(it: ladder.BackDating) -> Iterator[str]:
    first, then = _named("roles", it.to_lead_days), _named("roles", it.beyond)
    free, bound = it.free_days, it.lead_days
    yield _bullets(
        beside(_basis(it.source)),
        f"事后{free}日以内补录，无需批准 · Up to {free} days after the fact: without approval",
        f"事后{bound}日以内补录，由{first.zh}批准 · Up to {bound} days: approved by {first.en}",
        f"更晚补录，或者所属月份的月报已锁定，由{then.zh}批准 · Later, or in a frozen month: "
        f"approved by {then.en}",
        *rest(it, "source", "free_days", "lead_days", "to_lead_days", "beyond"),
    )


def _small_case(it: ladder.SmallCase, ranks: dict[str, str]) -> Iterator[str]:
    flags, risks = _named("flags", it.barred_flags), _named("risks", it.barred_risks)
    yuan = f"{it.total_fen // 100:,}.{it.total_fen % 100:02}"
    yield _bullets(
        beside(_basis(it.source)),
        f"劳动者不超过{it.workers}人 · At most {it.workers} workers",
        f"总额不超过{yuan}元 · At most ¥{yuan} in all",
        f"层级 · Levels: {'、'.join(ranks[level] for level in it.levels)}",
        f"不得有下列标记：{flags.zh} · Without the flags {flags.en}",
        f"风险不得为{risks.zh} · Of a risk other than {risks.en}",
        *rest(it, "source", "workers", "total_fen", "levels", "barred_flags", "barred_risks"),
    )
