"""`python -m benchmarks`: run the measures, and tell them as a table or as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, NoReturn

import msgspec

from benchmarks import (
    appending,
    asking,
    catching_up,
    commanding,
    dashboards,
    exactness,
    serving,
    size,
)
from benchmarks.bench import FULL, QUICK, Bench, fsync_ms, prepared
from benchmarks.report import Row, is_good, table

_INTERRUPTED = 130


class Measure(NamedTuple):
    """Some goals measured together: their ids, on which databases, and how."""

    ids: tuple[str, ...]
    backends: tuple[str, ...]
    run: Callable[[Bench, str], Iterator[Row]]
    is_writing: bool = False


BOTH, POSTGRESQL, SQLITE = ("postgresql", "sqlite"), ("postgresql",), ("sqlite",)

MEASURES = (
    Measure(("G1", "G2", "G3", "G4", "G5"), BOTH, serving.over_http, is_writing=True),
    Measure(("G6",), POSTGRESQL, appending.on_postgresql, is_writing=True),
    Measure(("G7",), SQLITE, appending.on_sqlite, is_writing=True),
    Measure(("G8",), POSTGRESQL, commanding.in_process, is_writing=True),
    Measure(("G9", "G10"), BOTH, catching_up.measured),
    Measure(("G14",), BOTH, asking.measured),
    Measure(("G14",), BOTH, dashboards.measured),
    Measure(("G15",), POSTGRESQL, size.measured),
    Measure(("G16",), BOTH, exactness.measured),
)


def chosen(only: Sequence[str]) -> list[Measure]:
    """Give the measures of these goals; a speed of writing never comes without G16."""
    some = [it for it in MEASURES if not only or set(it.ids) & set(only)]
    proofs = [it for it in MEASURES if "G16" in it.ids and it not in some]
    return [*some, *(proofs if any(it.is_writing for it in some) else ())]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; 0 if all that was proved holds, 1 if not, 130 if it was interrupted."""
    options = _options(arguments)
    measures = chosen(options.only)
    wanted = {it for measure in measures for it in measure.ids}
    if options.only:
        wanted &= {*options.only, "G16"}
    rows: list[Row] = []
    told: list[str] = []
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with prepared(QUICK if options.quick else FULL) as bench:
            told += _circumstances(bench)
            for measure in measures:
                for backend in measure.backends:
                    began = time.monotonic()
                    rows.extend(it for it in measure.run(bench, backend) if it.id in wanted)
                    taken = time.monotonic() - began
                    bench.tell(f"{backend} {', '.join(measure.ids)} took {taken:.0f} s")
            told.append(f"It took {bench.seconds:.0f} s in all.")
            bench.tell("done")
    except KeyboardInterrupt:
        sys.stderr.write("已中断，以下为已完成的部分 / interrupted; this was measured so far:\n")
        return _INTERRUPTED
    finally:
        # Also when a measure failed: what took minutes is not thrown away.
        _print(rows, told, as_json=options.json)
    return 0 if is_good(rows) else 1


def _print(rows: Sequence[Row], told: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(msgspec.to_builtins(rows), ensure_ascii=False), flush=True)
    else:
        print(table(rows, told), flush=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    known = sorted({it for measure in MEASURES for it in measure.ids}, key=lambda it: int(it[1:]))
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print a JSON list of rows")
    parser.add_argument("--quick", action="store_true", help="the same, shorter and smaller")
    parser.add_argument("--only", default="", metavar="G1,G6", help="some of it")
    options = parser.parse_args(arguments)
    options.only = [it for it in options.only.upper().split(",") if it]
    unknown = set(options.only) - set(known)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: there are {', '.join(known)}")
    return options


def _circumstances(bench: Bench) -> list[str]:
    load = os.getloadavg()[0]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    disk = f"load {load:.1f} before it began, fsync {fsync_ms(bench.folder):.2f} ms"
    return [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine}, {disk}",
        "Ratios are of one interleaved run and can be compared; absolute figures only within it.",
    ]


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
