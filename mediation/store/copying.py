"""Copy an SQLite database while others go on writing to it; PostgreSQL has its own programs."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from mediation.errors import Refusal, Refused, Unsafe

_LOOK_EVERY = 100_000
"""Instructions of SQLite between two looks at how far it is, and whether to end."""


def copy_database(
    source: Path, target: Path, *, progress: Callable[[int, int], None] = lambda _done, _of: None
) -> None:
    """Write a whole and compact copy of one moment of a database; nobody is held up by it.

    The copy appears under its name only once it is whole and on the disk, mode 0600. An interrupted
    copy leaves nothing behind; it is begun again.

    Args:
        source: the database; another process may serve it.
        target: a file that does not exist, in a folder that does.
        progress: told how many bytes were written, of about how many.

    Raises:
        Refused: the target exists.
        Unsafe: there is no such database.
    """
    if not source.is_file():
        raise Unsafe(
            zh="数据目录中没有要备份的数据库。请核对 MEDIATION_DATA_DIR。",
            en="There is no database to back up in the data folder. Check MEDIATION_DATA_DIR.",
            code="not-migrated",
        )
    if target.exists():
        raise backup_exists()
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    try:
        _vacuum_into(source, part, progress)
        _sync(part)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
    _sync(target.parent)


def backup_exists() -> Refused:
    """Give the error of a folder that holds a backup already."""
    return Refused(
        Refusal(
            "backup-exists",
            "该目录中已有备份，不会覆盖。请另选一个目录。",
            "The folder holds a backup already, which is never overwritten. Choose another.",
        )
    )


def _vacuum_into(source: Path, part: Path, progress: Callable[[int, int], None]) -> None:
    size = source.stat().st_size
    raised: list[BaseException] = []

    def look() -> int:
        try:
            progress(part.stat().st_size, size)
        except BaseException as error:  # noqa: BLE001 - SQLite would swallow it: it goes on below
            raised.append(error)
            return 1
        return 0

    # Not the backup API: it begins anew whenever another process writes, and need not end.
    connection = sqlite3.connect(source, isolation_level=None)
    try:
        connection.set_progress_handler(look, _LOOK_EVERY)
        connection.execute("VACUUM INTO ?", (str(part),))
    except sqlite3.OperationalError as error:
        if raised:
            raise raised[0] from None
        # Ctrl-C may come to the look above outside what it guards.
        if str(error) == "interrupted":
            raise KeyboardInterrupt from None
        raise
    finally:
        connection.close()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
