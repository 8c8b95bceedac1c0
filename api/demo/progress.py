"""How the demo shows that it is at work, and that all it shows is made up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

NOTICE = ("演示数据（合成）", "synthetic demo data")
_BAR = 24


def headed(zh: str, en: str) -> list[str]:
    """Begin a page: what it shows, and that it is made up."""
    return ["", f"━━ {zh}", f"   {en}", f"   【{NOTICE[0]} · {NOTICE[1]}】", ""]


class Progress:
    """Says what the demo is doing: a bar that moves on a terminal, plain lines elsewhere."""

    def __init__(self, out: TextIO, stages: int) -> None:
        self._out = out
        self._stages = stages
        self._stage = 0
        self._steps = 0
        self._title = ""
        self._is_terminal = out.isatty()

    @contextmanager
    def stage(self, zh: str, en: str) -> Iterator[None]:
        """Show one stage while it runs; `step` moves it on."""
        self._stage += 1
        self._steps = 0
        self._title = f"{zh} · {en}"
        self._draw()
        yield
        end = f"[{self._stage}/{self._stages}] {self._title} … {self._steps} 步 steps ✓"
        self._out.write(f"\r\x1b[K{end}\n" if self._is_terminal else f"{end}\n")
        self._out.flush()

    def step(self) -> None:
        """Count one step."""
        self._steps += 1
        self._draw()

    def _draw(self) -> None:
        if self._is_terminal:
            # How many steps a stage takes is not known beforehand: the bar fills ever more slowly.
            full = _BAR * self._steps // (self._steps + _BAR)
            bar = "█" * full + "░" * (_BAR - full)
            self._out.write(f"\r\x1b[K[{self._stage}/{self._stages}] {bar} {self._title}")
            self._out.flush()
