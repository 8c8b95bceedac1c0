"""One run: its databases, sizes and rounds, and what it tells while it works."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy.engine import URL, make_url

from tests.databases import cluster, fresh_postgresql, fresh_sqlite

T = TypeVar("T")

BACKENDS = ("postgresql", "sqlite")


class Sizes(NamedTuple):
    """How long and how large a run is; `seconds` is the length of one timed stretch."""

    rounds: int
    seconds: float
    log_events: int
    runner_events: int
    cases: int
    queries: int
    kills: int


QUICK = Sizes(
    rounds=3,
    seconds=2.0,
    log_events=6_000,
    runner_events=300,
    cases=20_000,
    queries=200,
    kills=2,
)
FULL = Sizes(
    rounds=5,
    seconds=6.0,
    log_events=200_000,
    runner_events=4_000,
    cases=1_000_000,
    queries=1_000,
    kills=5,
)


class Bench:
    """What every measure is given.

    Args:
        sizes: of this run.
        folder: for SQLite files and journals; everything in it goes at the end.
        cluster_url: of a PostgreSQL in which databases may be made.

    Attributes:
        today: ISO date, the same for the whole run.
        lived: real lives to be copied, kept by `history`.
    """

    def __init__(self, sizes: Sizes, folder: Path, cluster_url: URL) -> None:
        self.sizes = sizes
        self.folder = folder
        self.today = date.today().isoformat()  # noqa: DTZ011 - the office's day is this machine's
        self.lived: Any = None
        self._cluster_url = cluster_url
        self._began = time.monotonic()

    @contextmanager
    def database(self, backend: str) -> Iterator[str]:
        """Give the URL of an empty database of its own."""
        if backend == "sqlite":
            with tempfile.TemporaryDirectory(dir=self.folder) as folder:
                yield fresh_sqlite(Path(folder))
            return
        with fresh_postgresql(self._cluster_url) as url:
            yield url

    def interleaved(
        self, contenders: Mapping[str, Callable[[int], T]], *, told: str
    ) -> dict[str, list[T]]:
        """Run every contender once a round, one after the other; give what each gave.

        Who begins changes from round to round, so that none is always first.

        Args:
            contenders: each takes the number of the round, from 0.
            told: what is being measured, for the progress.
        """
        found: dict[str, list[T]] = {name: [] for name in contenders}
        names = list(contenders)
        for number in range(self.sizes.rounds):
            turn = number % len(names)
            for name in (*names[turn:], *names[:turn]):
                self.tell(f"{told}: round {number + 1} of {self.sizes.rounds}, {name}")
                found[name].append(contenders[name](number))
        return found

    @property
    def seconds(self) -> float:
        """How long the run has taken so far."""
        return time.monotonic() - self._began

    def tell(self, said: str) -> None:
        """Say what is being done, on standard error."""
        sys.stderr.write(f"{self.seconds:6.1f} s  {said}\n")
        sys.stderr.flush()


@contextmanager
def prepared(sizes: Sizes) -> Iterator[Bench]:
    """Start a PostgreSQL and make a folder on the same disk, both for this run alone."""
    with (
        tempfile.TemporaryDirectory(prefix="mediation-bench-") as folder,
        # Not where tests put theirs: what a commit costs is a part of what is measured.
        cluster(tempfile.gettempdir()) as url,
    ):
        yield Bench(sizes, Path(folder), url)


def libpq(url: str) -> str:
    """Give a database URL as psycopg itself reads it; an SQLite URL becomes the file's path."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return parsed.database or ""
    return parsed.set(drivername="postgresql").render_as_string(hide_password=False)


def fsync_ms(folder: Path, times: int = 40) -> float:
    """Measure how long this disk takes to make a small write durable: median, in milliseconds."""
    taken = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(times):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    return sorted(taken)[times // 2] * 1000
