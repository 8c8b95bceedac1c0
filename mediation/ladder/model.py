"""What a ladder holds, and the pure questions deciders ask of it; no file is read here."""

from enum import StrEnum

import msgspec

from mediation import codes
from mediation.codes import Label
from mediation.errors import Refusal, Refused


class MoveKind(StrEnum):
    """The six ways custody moves inside the network."""

    ESCALATE = "ESCALATE"
    REPORT_UP = "REPORT_UP"
    TRANSFER = "TRANSFER"
    REROUTE = "REROUTE"
    ASSIGN_DOWN = "ASSIGN_DOWN"
    SEND_BACK = "SEND_BACK"


class Risk(StrEnum):
    """How grave a case is, derived by the ladder's rule and never set by hand."""

    RED = "RED"
    YELLOW = "YELLOW"
    GREEN = "GREEN"


UPWARD = frozenset({MoveKind.ESCALATE, MoveKind.REPORT_UP})
SIDEWAYS = frozenset({MoveKind.TRANSFER, MoveKind.REROUTE})


class LevelUnknown(Refused):
    """The ladder of this case has no such level."""

    code = "level-unknown"

    def __init__(self) -> None:
        wording = codes.label("move_refusals", "level-unknown")
        super().__init__(Refusal("level-unknown", wording.zh, wording.en))


class Coded(msgspec.Struct, frozen=True, kw_only=True):
    """A code of the ladder itself (a branch, a kind of body) with its label."""

    code: str
    label: Label


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The internal target of one level, in working days (D13)."""

    working_days: int
    source: str


class Branch(Coded, frozen=True, kw_only=True):
    """One of the kinds of body that share a rung; `return_group` goes before that of the level."""

    return_group: str | None


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One rung. `inside_employer`: the body belongs to the employer and is told nothing later.

    `at_source`: what is solved here counts as solved without being handed up (矛盾不上交).
    `return_group`: under which head the official return counts its bodies; None: under none.
    """

    code: str
    label: Label
    inside_employer: bool
    at_source: bool
    return_group: str | None
    branches: tuple[Branch, ...]
    bodies: tuple[Coded, ...]
    legal_basis: Label
    target: Target | None
    grounds: tuple[tuple[MoveKind, tuple[str, ...]], ...]

    def grounds_for(self, kind: MoveKind) -> tuple[str, ...]:
        """Give the ground codes open for this kind of move out of this level."""
        return next((listed for move, listed in self.grounds if move == kind), ())


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A time limit: `unit` is wd, cd, ch or mo; no `levels` means every level."""

    code: str
    length: int
    unit: str
    source: str
    levels: tuple[str, ...]


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """A reason for a move, and what has to come with it."""

    code: str
    label: Label
    applicant_wish: bool
    back_to_assigner: bool


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """The role that must approve a kind of move, and the risk that stands in for it."""

    kind: MoveKind
    by: str
    automatic_at: Risk | None


class RiskCondition(msgspec.Struct, frozen=True, kw_only=True):
    """All of `all_flags`, one of `any_flags` (if any are named) and at least `min_workers`."""

    risk: Risk
    all_flags: tuple[str, ...]
    any_flags: tuple[str, ...]
    min_workers: int

    def holds(self, flags: frozenset[str], workers: int) -> bool:
        """Say whether a case with these flags and distinct workers meets the condition."""
        return (
            flags.issuperset(self.all_flags)
            and (not self.any_flags or not flags.isdisjoint(self.any_flags))
            and workers >= self.min_workers
        )


class RiskRule(msgspec.Struct, frozen=True, kw_only=True):
    """The published rule: conditions in order, the first that holds decides."""

    source: str
    collective_flag: str
    collective_workers: int
    rules: tuple[RiskCondition, ...]


class BackDating(msgspec.Struct, frozen=True, kw_only=True):
    """How late a fact may be typed in, in days after it happened, and who must approve."""

    source: str
    free_days: int
    lead_days: int
    to_lead_days: tuple[str, ...]
    beyond: tuple[str, ...]

    def approvers(self, days: int, *, in_frozen_month: bool = False) -> tuple[str, ...]:
        """Give the roles whose approval is needed; empty means none."""
        if in_frozen_month or days > self.lead_days:
            return self.beyond
        return self.to_lead_days if days > self.free_days else ()


class SmallCase(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of a case that may be registered and settled on one form."""

    source: str
    workers: int
    total_fen: int
    levels: tuple[str, ...]
    barred_flags: tuple[str, ...]
    barred_risks: tuple[Risk, ...]


class Legality(msgspec.Struct, frozen=True, kw_only=True):
    """From how many workers, or what sum in fen, a second person checks an agreement."""

    source: str
    second_person_workers: int
    second_person_fen: int


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """One published version of the ladder; `digest` is "sha256:" and the hex of the file's bytes.

    Levels stand from the lowest to the top; the first has rank 1. Nothing outside the file knows
    their codes or how many there are. `issued_by`, `jurisdiction` and `in_force_from` (a date) say
    whose it is; a file may leave them out.
    """

    ref: str
    digest: str
    title: Label
    issued_by: Label | None
    jurisdiction: Label | None
    in_force_from: str | None
    statutory_term: str
    extension_answer_below_days: int
    return_groups: tuple[Coded, ...]
    levels: tuple[Level, ...]
    limits: tuple[Limit, ...]
    grounds: tuple[Ground, ...]
    approvals: tuple[Approval, ...]
    risk_rule: RiskRule
    back_dating: BackDating
    small_case: SmallCase
    legality: Legality

    def needs_second_checker(self, workers: int, agreed_fen: int) -> bool:
        """Say whether somebody other than the author checks an agreement of this size."""
        bounds = self.legality
        return workers >= bounds.second_person_workers or agreed_fen > bounds.second_person_fen

    def has_level(self, code: str) -> bool:
        """Say whether the ladder has this level."""
        return any(level.code == code for level in self.levels)

    def level(self, code: str) -> Level:
        """Give one level.

        Raises:
            LevelUnknown: the ladder has no such level.
        """
        return self.levels[self.rank(code) - 1]

    def rank(self, code: str) -> int:
        """Give the place of a level, the lowest being 1.

        Raises:
            LevelUnknown: the ladder has no such level.
        """
        for rank, level in enumerate(self.levels, start=1):
            if level.code == code:
                return rank
        raise LevelUnknown

    def return_group(self, level: str, branch: str | None) -> str | None:
        """Give the head of the official return that a body counts under; None if it has none.

        Raises:
            LevelUnknown: the ladder has no such level.
        """
        rung = self.level(level)
        named = next((it.return_group for it in rung.branches if it.code == branch), None)
        return named or rung.return_group

    @property
    def top(self) -> Level:
        """The last rung."""
        return self.levels[-1]

    def is_top(self, code: str) -> bool:
        """Say whether this is the last rung."""
        return self.top.code == code

    def next_above(self, code: str) -> Level | None:
        """Give the next rung up; None at the top.

        Raises:
            LevelUnknown: the ladder has no such level.
        """
        rank = self.rank(code)
        return self.levels[rank] if rank < len(self.levels) else None

    def told_when_skipped(self, from_level: str, to_level: str) -> tuple[Level, ...]:
        """Give the levels between the two that get a notice: never one inside the employer.

        Raises:
            LevelUnknown: the ladder has no such level.
        """
        between = self.levels[self.rank(from_level) : self.rank(to_level) - 1]
        return tuple(level for level in between if not level.inside_employer)

    def ground(self, code: str) -> Ground | None:
        """Give what a ground requires; None if the ladder does not have it."""
        return next((ground for ground in self.grounds if ground.code == code), None)

    def limit(self, code: str, level: str | None = None) -> Limit | None:
        """Give a time limit; None if the ladder sets none, or none at this level."""
        return next(
            (
                limit
                for limit in self.limits
                if limit.code == code
                and (level is None or not limit.levels or level in limit.levels)
            ),
            None,
        )

    def target_days(self, level: str) -> int | None:
        """Give the internal target in working days; None is the rest of the statutory term.

        Raises:
            LevelUnknown: the ladder has no such level.
        """
        target = self.level(level).target
        return target.working_days if target else None

    def approver(self, kind: MoveKind, risk: Risk) -> str | None:
        """Give the role that must approve this move of a case at this risk; None if nobody."""
        for approval in self.approvals:
            if approval.kind == kind and approval.automatic_at != risk:
                return approval.by
        return None

    def risk(self, flags: frozenset[str], workers: int, collective: bool | None) -> Risk:  # noqa: FBT001 -- three answers, not a switch
        """Derive the risk of a case.

        Args:
            flags: codes of the flags that stand.
            workers: distinct workers of the case.
            collective: what the lead decided on the common claim; None before he did, when the
                number of workers speaks for it.
        """
        rule = self.risk_rule
        if collective is None:
            collective = rule.collective_flag in flags or workers >= rule.collective_workers
        marked = {rule.collective_flag}
        seen = flags | marked if collective else flags - marked
        return next((row.risk for row in rule.rules if row.holds(seen, workers)), Risk.GREEN)

    def permits(
        self, kind: MoveKind, from_level: str, to_level: str, ground: str
    ) -> tuple[str, ...]:
        """Give why the ladder forbids a move: codes of the table `move_refusals`; empty = allowed.

        Escalation climbs exactly one rung, unless its ground leads back to the assigner; a report
        up at least one; transfer and re-route stay; assignment down and send-back go down. Whether
        the ground is true of the case, and where it came from, is not asked here.
        """
        if not (self.has_level(from_level) and self.has_level(to_level)):
            return ("level-unknown",)
        if kind in UPWARD and self.is_top(from_level):
            return ("top-of-ladder",)
        rungs = self.rank(to_level) - self.rank(from_level)
        stated = self.ground(ground)
        refusals = []
        if kind in SIDEWAYS:
            if rungs != 0:
                refusals.append("not-same-level")
        elif kind not in UPWARD:
            if rungs >= 0:
                refusals.append("not-lower")
        elif rungs < 1:
            refusals.append("not-higher")
        elif kind == MoveKind.ESCALATE and rungs > 1 and not (stated and stated.back_to_assigner):
            refusals.append("not-one-rung-up")
        if stated is None or ground not in self.level(from_level).grounds_for(kind):
            refusals.append("ground-not-open")
        return tuple(refusals)
