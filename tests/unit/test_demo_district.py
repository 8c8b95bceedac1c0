"""The demo district as data: how many points it has, and whose names are real."""

from __future__ import annotations

from api.demo.district import ALONE, CAPACITIES, POINTS, PUBLISHED_COUNT, STAFF, SUBCENTRE
from api.demo.stories import eight_workers, restaurant
from mediation.ladder import load_ref


def test_the_district_has_76_points_on_four_levels():
    """The published count is kept, every parent comes first and stands higher, prefixes differ."""
    ladder = load_ref("standard-v1")
    places = {point.body_id: point for point in POINTS}
    all_points = (*POINTS, SUBCENTRE)

    assert len(places) == len(POINTS) == PUBLISHED_COUNT
    assert {point.level for point in POINTS} == {level.code for level in ladder.levels}
    assert len({point.number_prefix for point in all_points}) == PUBLISHED_COUNT + 1
    assert {point.kind for point in all_points} == set(CAPACITIES)
    assert {*STAFF, *ALONE} <= {point.body_id for point in all_points}
    for at, point in enumerate(POINTS[1:], start=1):
        parent = places[point.parent_id or ""]
        assert POINTS.index(parent) < at
        assert ladder.rank(parent.level) > ladder.rank(point.level)


def test_only_names_from_the_press_are_real():
    """Four points bear a published name; all the others say that they are samples."""
    assert [point.name_zh for point in POINTS if point.is_real] == [
        "黄岩区总工会（演示）",
        "西城街道总工会",
        "台州美多模具",
        "法奥塑模",
    ]
    for point in (*POINTS, SUBCENTRE):
        if not point.is_real:
            assert point.name_zh.startswith("示例")
            assert point.name_en.startswith("Sample ")


def test_the_claims_add_up_to_the_published_sums():
    """Each worker's amount is made up; the sums of 100,000 and of 200,000 yuan are not."""
    assert len(eight_workers.CLAIMS_FEN) == 8
    assert sum(eight_workers.CLAIMS_FEN) == 10_000_000
    assert len(restaurant.CLAIMS_FEN) == 34
    assert sum(restaurant.CLAIMS_FEN) == 20_000_000
