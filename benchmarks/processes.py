"""Processes of one run: started, told apart from each other, their CPU read from /proc, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
_TICKS = os.sysconf("SC_CLK_TCK")
_PATIENCE = 20
_UTIME, _STIME, _CUTIME, _CSTIME = 11, 12, 13, 14
_PARENT = 1


class Process(NamedTuple):
    """A server of this run: its process id, and the host and port it listens on."""

    pid: int
    host: str
    port: int

    def kill(self) -> None:
        """End it at once, as a power cut of this one process would."""
        os.kill(self.pid, signal.SIGKILL)


@contextmanager
def started(module: Sequence[str], environment: Mapping[str, str]) -> Iterator[Process]:
    """Run a module that serves, and end it in the end; its first line is `{"url": …}`.

    Args:
        module: its name and its arguments.
        environment: what is added to the environment of this process.

    Raises:
        RuntimeError: it ended before it served; what it said stands on standard error.
    """
    child = subprocess.Popen(  # noqa: S603 - this project's own modules
        [sys.executable, "-m", *module],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C is for the benchmark, which ends its children in order.
        start_new_session=True,
    )
    try:
        line = child.stdout.readline() if child.stdout else ""
        if not line:
            msg = f"{module[0]} did not start"
            raise RuntimeError(msg)
        host, _, port = json.loads(line)["url"].rpartition("/")[2].rpartition(":")
        yield Process(child.pid, host, int(port))
    finally:
        child.terminate()
        try:
            child.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout:
            child.stdout.close()


def cpu_seconds(pid: int) -> float:
    """Give the CPU time that one process has taken so far; 0 if there is none."""
    return sum(_times(pid, _UTIME, _STIME))


def cpu_of_family(pid: int) -> float:
    """Give the CPU time of a process and of all its children, also of those that have ended."""
    own = sum(_times(pid, _UTIME, _STIME, _CUTIME, _CSTIME))
    return own + sum(cpu_seconds(child) for child in _children(pid))


def parent_of(pid: int) -> int:
    """Give the process that started this one.

    Raises:
        LookupError: no such process runs on this machine.
    """
    fields = _stat(pid)
    if not fields:
        msg = f"process {pid} does not run on this machine"
        raise LookupError(msg)
    return int(fields[_PARENT])


def _times(pid: int, *fields: int) -> list[float]:
    stat = _stat(pid)
    return [int(stat[field]) / _TICKS for field in fields] if stat else []


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields and int(fields[_PARENT]) == pid:
                found.append(int(entry.name))
    return found


def _stat(pid: int) -> list[str]:
    """Read what the system knows of a process, from its state on (field 3 of proc(5))."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()
