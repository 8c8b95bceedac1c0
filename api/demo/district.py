"""The demo district as data: its 76 service points and its people; no story, no HTTP.

Four points bear a name from the press and nothing else that is known of them. How the 76 divide
over the levels is not published, nor who works where, nor what each body may do: all of that is
made up, and every made-up name begins with 示例 / "Sample". Beside the district, and not counted
in it, stands one sample body at which a story from another district is played.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

DISTRICT = "331003"
OPENED_ON = "2015-01-01"
TOP, XICHENG, MEIDUO = "huangyan", "xicheng", "meiduo"
PUBLISHED_COUNT = 76


class Point(NamedTuple):
    """One service point: its place in the network and its names; `is_real` = named in the press."""

    body_id: str
    name_zh: str
    name_en: str
    level: str
    branch: str | None
    kind: str
    parent_id: str | None
    number_prefix: str
    is_real: bool = False

    def opening(self) -> dict[str, Any]:
        """Give the fields of the command that opens it."""
        fields = self._asdict()
        del fields["is_real"]
        return {**fields, "opened_on": OPENED_ON}


# The two firms stand directly under the top: under which street they belong is not published.
REAL = (
    Point(
        TOP,
        "黄岩区总工会（演示）",
        "Huangyan District Federation (demo)",
        "district",
        None,
        "circuit-room",
        None,
        "演示黄岩",
        is_real=True,
    ),
    Point(
        XICHENG,
        "西城街道总工会",
        "Xicheng Street Union",
        "township",
        None,
        "street-union",
        TOP,
        "演示西城",
        is_real=True,
    ),
    Point(
        MEIDUO,
        "台州美多模具",
        "Taizhou Meiduo Mould",
        "enterprise",
        None,
        "small-firm-point",
        TOP,
        "演示美多",
        is_real=True,
    ),
    Point(
        "faao",
        "法奥塑模",
        "Fa'ao Plastic Mould",
        "enterprise",
        None,
        "small-firm-point",
        TOP,
        "演示法奥",
        is_real=True,
    ),
)
STREETS, VILLAGES, INDUSTRIES, ENTERPRISES = 11, 18, 6, 37


def _streets() -> Iterator[Point]:
    for at in range(1, STREETS + 1):
        yield Point(
            f"street-{at:02}",
            f"示例街道{at:02}",
            f"Sample street {at:02}",
            "township",
            None,
            "township-body",
            TOP,
            f"示例街{at:02}",
        )


def _villages() -> Iterator[Point]:
    for at in range(1, VILLAGES + 1):
        yield Point(
            f"village-{at:02}",
            f"示例村{at:02}",
            f"Sample village {at:02}",
            "village-industry",
            "village",
            "peoples-mediation-committee",
            f"street-{(at - 1) % STREETS + 1:02}",
            f"示例村{at:02}",
        )


def _industries() -> Iterator[Point]:
    for at in range(1, INDUSTRIES + 1):
        yield Point(
            f"industry-{at:02}",
            f"示例行业工会{at:02}",
            f"Sample industry union {at:02}",
            "village-industry",
            "industry",
            "industry-union",
            f"street-{at + 3:02}",
            f"示例行{at:02}",
        )


def _enterprises() -> Iterator[Point]:
    for at in range(1, ENTERPRISES + 1):
        # Every sixth belongs to an industry, the others to a village.
        parent = (
            f"industry-{at // 6 % INDUSTRIES + 1:02}"
            if at % 6 == 1
            else f"village-{(at - 1) % VILLAGES + 1:02}"
        )
        yield Point(
            f"enterprise-{at:02}",
            f"示例企业{at:02}",
            f"Sample enterprise {at:02}",
            "enterprise",
            None,
            "small-firm-point" if at % 4 == 0 else "enterprise-committee",
            parent,
            f"示例企{at:02}",
        )


POINTS = (*REAL, *_streets(), *_villages(), *_industries(), *_enterprises())
"""All 76, every parent before its children."""

SUBCENTRE = Point(
    "sample-subcentre",
    "示例区法律援助中心工会分中心",
    "Sample union sub-centre for legal aid",
    "district",
    None,
    "legal-aid-subcentre",
    None,
    "示例援",
)
"""Stands for a body of another district: it has no parent here and is none of the 76."""

ALONE = frozenset({"village-09"})
"""Where one person is the whole office, beside the points in small firms, of which all are so."""

# What a body of each kind may do, in the demo. Where the law leaves a kind open, and for the points
# named in the press, the careful setting stands: no seal, and "ask the court" for confirmation.
_OPEN = {"seal": False, "may_seal": False, "oral_ok": False, "confirmation_route": "ask"}
_COMMITTEE = {
    "seal": True,
    "may_seal": True,
    "oral_ok": True,
    "confirmation_route": "review-or-court",
}
CAPACITIES: dict[str, dict[str, Any]] = {
    "enterprise-committee": {"legal_basis": "L-LDMA 10(1); L-PROV 13-15", **_COMMITTEE},
    "small-firm-point": {
        "legal_basis": "L-LDMA 10(1)",
        **_OPEN,
        "confirmation_route": "none",
        "single_handed": True,
    },
    "peoples-mediation-committee": {"legal_basis": "L-LDMA 10(2); L-ZJ 7(2)", **_COMMITTEE},
    "industry-union": {"legal_basis": "L-ZJ 7(4)", **_OPEN},
    "township-body": {"legal_basis": "L-LDMA 10(3); L-ZJ 7(3)", **_COMMITTEE},
    "street-union": {"legal_basis": "L-LDMA 10(3); L-ZJ 7(3)", **_OPEN},
    "circuit-room": {"legal_basis": "L-ZJ 7(5); L-PML 34; L-TUL 30", **_OPEN},
    "legal-aid-subcentre": {"legal_basis": "L-TUL 30", **_OPEN},
}


def capacity_of(point: Point) -> dict[str, Any]:
    """Give what a body may do, as the fields of the command that settles it."""
    capacity = CAPACITIES[point.kind]
    return {**capacity, "single_handed": True} if point.body_id in ALONE else capacity


OFFICE = ("lead", "clerk", "mediator")
STAFF: dict[str, tuple[str, ...]] = {
    TOP: (*OFFICE, "auditor", "dashboard"),
    SUBCENTRE.body_id: ("lead", "clerk", "counsel-1", "counsel-2"),
    XICHENG: OFFICE,
    MEIDUO: ("liaison", "lead", "mediator"),
    "village-09": ("mediator",),
    "enterprise-07": OFFICE,
    "industry-02": OFFICE,
    "street-05": OFFICE,
    "village-03": OFFICE,
    "street-02": OFFICE,
    "industry-04": OFFICE,
    "enterprise-12": OFFICE,
    "village-06": OFFICE,
    "street-06": OFFICE,
}
"""Who works where, as far as the stories need them; the coordinator is there from the start.

Where several have the same role at a body, a number follows it.
"""

ROLE_NAMES = {
    "lead": "示例负责人",
    "clerk": "示例内勤",
    "mediator": "示例调解员",
    "liaison": "示例信息联络员",
    "counsel": "示例工会签约律师",
    "auditor": "示例审计员",
    "dashboard": "示例看板用户",
    "coordinator": "示例统筹员",
}


def who(role: str, body_id: str) -> str:
    """Name an account of the demo: `lead@street-05`."""
    return f"{role}@{body_id}"


def role_of(job: str) -> str:
    """Give the role of somebody in `STAFF`: `counsel` of `counsel-2`."""
    return job.partition("-")[0]
