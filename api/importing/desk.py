"""Importing at the command line: progress, what became of each row, approvals and reports in files.

A report names rows by number and cases by their numbers; nothing of what stands in a cell.
"""

from __future__ import annotations

import csv
import io
import re
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TextIO

import msgspec

from api.importing.ledger import read_ledger
from api.importing.run import Keyed, RowTold, Status, keyed
from mediation.application import Mediation
from mediation.errors import Malformed, OutcomeUnknown, Sentence

STATUSES: Mapping[Status, tuple[str, str]] = {
    "recorded": ("已登记", "recorded"),
    "already": ("以前已登记", "already recorded"),
    "would-record": ("可以登记", "would be recorded"),
    "approved": ("已批准", "approved"),
    "needs-no-approval": ("无需批准", "needs no approval"),
    "refused": ("未登记：按规则不能办理", "refused"),
    "malformed": ("未登记：填写有误", "malformed"),
}
_HEADINGS = (
    "行号 Row",
    "状态 Status",
    "案号 Case number",
    "问题代码 Problem",
    "处理办法",
    "What to do",
)
_INTERRUPTED = Sentence(
    "已中断。已登记的案件保持不变；重新执行同一命令即可继续，不会重复登记。",
    "Interrupted. What is recorded stands; run the same command again to go on: nothing is "
    "recorded twice.",
)
_NOT_CONFIRMED = Sentence(
    "数据库未确认最后一行是否已登记。请稍后重新执行同一命令，不会重复登记。",
    "The store did not confirm the last row. Run the same command again: nothing is recorded "
    "twice.",
)
_BAR = 24
_NO_CELL_STARTS_WITH = re.compile("[=+\\-@\t\r\n\x00＝＋－＠]")


class Ran:
    """What became of the rows so far, and why the run was broken off, if it was."""

    def __init__(self) -> None:
        self.rows: list[RowTold] = []
        self.stopped: Sentence | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many cases each status has."""
        found: dict[str, int] = {}
        for row in self.rows:
            found[row.status] = found.get(row.status, 0) + 1
        return found

    @property
    def is_clean(self) -> bool:
        """The run came to its end, and no row was refused or malformed."""
        return self.stopped is None and not {"refused", "malformed"} & self.counts.keys()


def cases_of(path: Path, mediation: Mediation) -> list[Keyed]:
    """Read the cases of a file.

    Raises:
        Malformed: there is no such file, or what is wrong with it as a whole.
    """
    return keyed(mediation, read_ledger(_bytes(path)))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise Malformed(
            zh="无法读取所给文件，请核对路径和权限。",
            en="A file that was named cannot be read; check its path and permissions.",
            code="file-unreadable",
        ) from None


def approvals_in(paths: Iterable[Path]) -> dict[str, str]:
    """Read files of approvals, as `import-approve` writes them, into one.

    Raises:
        Malformed: a file cannot be read, or is no file of approvals.
    """
    found: dict[str, str] = {}
    for path in paths:
        try:
            read = msgspec.json.decode(_bytes(path), type=dict[str, str])
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Malformed(
                zh="批准文件格式有误，请使用 import-approve 生成的文件。",
                en="This is no file of approvals; use one that `import-approve` wrote.",
                code="approvals-unreadable",
            ) from None
        for key, tokens in read.items():
            found[key] = f"{found[key]},{tokens}" if key in found else tokens
    return found


def watched(rows: Iterator[RowTold], total: int, screen: TextIO) -> Ran:
    """Go through a run, showing on a terminal how far it has come, to its end or to Ctrl-C.

    Ctrl-C lets the case at hand come to its end first; a second one does not wait for it.
    """
    ran = Ran()
    is_shown = screen.isatty()
    try:
        with _interruptible() as asked:
            for row in rows:
                ran.rows.append(row)
                if is_shown:
                    screen.write(_progress(len(ran.rows), total))
                    screen.flush()
                if asked.is_set():
                    ran.stopped = _INTERRUPTED
                    break
    except OutcomeUnknown:
        ran.stopped = _NOT_CONFIRMED
    if is_shown:
        screen.write("\n")
    return ran


@contextmanager
def _interruptible() -> Iterator[Event]:
    asked = Event()

    def ask(_signal: int, _frame: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def noting(drawn: Iterable[tuple[RowTold, str]], approvals: dict[str, str]) -> Iterator[RowTold]:
    """Pass on what became of each row, and note the approvals by key."""
    for row, token in drawn:
        if row.key and token:
            approvals[row.key] = token
        yield row


def _progress(done: int, total: int) -> str:
    full = _BAR * done // max(total, 1)
    return f"\r[{'█' * full}{'·' * (_BAR - full)}] {done}/{total}"


def lines_of(ran: Ran) -> list[str]:
    """Say what became of the rows: the counts, then each row that needs a hand."""
    counts = [f"{STATUSES[it][0]} {n}" for it, n in _counted(ran)]
    counts_en = [f"{n} {STATUSES[it][1]}" for it, n in _counted(ran)]
    said = (
        [f"{'，'.join(counts)} / {', '.join(counts_en)}"] if ran.rows else ["没有数据行 / no rows"]
    )
    for row in ran.rows:
        if row.problem is not None:
            detail = row.problem.detail_i18n
            said += [f"行 {row.row}  {detail.zh}", f"row {row.row}  {detail.en}"]
    if ran.stopped is not None:
        said += [ran.stopped.zh, ran.stopped.en]
    return said


def _counted(ran: Ran) -> list[tuple[Status, int]]:
    counts = ran.counts
    return [(status, counts[status]) for status in STATUSES if status in counts]


def report_of(rows: Sequence[RowTold]) -> bytes:
    """Write what became of each row as CSV that spreadsheet programs open as it is meant."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_HEADINGS)
    for row in rows:
        problem = row.problem
        cells = (
            str(row.row),
            " ".join(STATUSES[row.status]),
            row.case_number or "",
            problem.code if problem else "",
            problem.detail_i18n.zh if problem else "",
            problem.detail_i18n.en if problem else "",
        )
        writer.writerow([harmless(cell) for cell in cells])
    return text.getvalue().encode("utf-8-sig")


def harmless(cell: str) -> str:
    """Keep a spreadsheet program from taking a text for a formula, also behind blanks."""
    if _NO_CELL_STARTS_WITH.match(cell) or _NO_CELL_STARTS_WITH.match(cell.strip()):
        return f"'{cell}"
    return cell
