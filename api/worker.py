"""A process that keeps the read models up to the log and fires timers; no HTTP."""

from __future__ import annotations

import signal
from types import FrameType

from api.bootstrap import Engine, places
from mediation.errors import Unsafe


def work(engine: Engine) -> int:
    """Follow the log until the process is told to end; 1 if a follower stopped on a fault.

    Raises:
        Unsafe: the store is embedded: the one process that serves it follows its log already.
    """
    if places(engine.settings).file is not None:
        raise Unsafe(
            zh="SQLite 由服务进程自行更新查询数据，无需单独运行 worker。"
            "请直接运行 mediation serve。",
            en="On SQLite the serving process keeps the read models itself. Run "
            "`mediation serve` alone.",
            code="worker-not-needed",
        )

    def end(_signal: int, _frame: FrameType | None) -> None:
        engine.stop()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    engine.follow()
    engine.wait()
    return 1 if engine.failed else 0
