"""The figures of the demo, without a demo: every sum by its name, every time in Shanghai."""

from __future__ import annotations

from typing import Any

from api.demo.figures import figures_page, moments_page


def figure(code: str, label: str, value: int, **parts: int) -> dict[str, Any]:
    """Give a sum in fen, made of parts that are called by their keys."""
    return {
        "formula": code,
        "label": {"zh": label, "en": label},
        "unit": "fen",
        "value": value,
        "numerator": value,
        "denominator": None,
        "parts": [
            {"key": key, "label": {"zh": key, "en": key}, "value": it} for key, it in parts.items()
        ],
    }


def test_every_sum_is_shown_by_its_own_name():
    """A figure of three sums does not pass one of them off as all; what stands apart is told."""
    shown = {
        "from": "2026-05-01",
        "to": "2026-05-31",
        "as_of_position": 7,
        "figures": [
            figure("F14", "涉及、达成、到位金额", 100, 涉及=100, 达成=0, 到位=50),
            figure("F15", "挽回经济损失", 50, 调解=50, 援助=70, 诉求=0),
        ],
    }

    lines = [line.strip() for line in figures_page({"figures": shown})]
    assert "涉及1.00元；达成0.00元；到位0.50元" in lines
    assert "调解0.50元；援助0.70元" in lines
    (named,) = (line for line in lines if line.startswith("F14"))
    assert "元" not in named
    (recovered,) = (line for line in lines if line.startswith("F15"))
    assert recovered.endswith("0.50元")


def test_a_moment_is_told_in_shanghai_and_what_it_sums_is_said():
    """What was paid to aid and demands counts here, so it is not called what F15 is called."""
    figures = {
        "F01": {"value": 0, "parts": {"registered": 1}},
        "F02": {"value": 2, "parts": {"concluded": 3}},
        "F15": {"value": 50, "parts": {"mediation": 50, "demand": 70}},
    }
    moment = {"at": "2026-05-12T20:05:00Z", "is_same": True, "figures": figures}

    printed = "\n".join(moments_page({"moments": [moment]}))
    assert "2026-05-13 04:05" in printed
    assert "UTC" not in printed
    assert "1.20" in printed
    assert "含援助和诉求" in printed
    assert "挽回" not in printed
