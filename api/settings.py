"""What may be set for a process, each with a safe default; nothing is decided by it here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The settings of one process, from variables with the prefix `MEDIATION_`.

    Attributes:
        database_url: where log and read models live; None: SQLite files in `data_dir`.
        vault_url: where the keys live; None: beside the log.
        data_dir: folder of the SQLite files, the lock and `demo.json`.
        host: address to listen on.
        port: port to listen on; 0 lets the system choose.
        clock: `system`, or `manual` for stores marked as demo or test.
        test_postgres_url: for the tests only.
    """

    model_config = SettingsConfigDict(env_prefix="MEDIATION_", frozen=True, extra="forbid")

    database_url: str | None = None
    vault_url: str | None = None
    data_dir: Path = Path("data")
    host: str = "127.0.0.1"
    port: int = 8000
    clock: Literal["system", "manual"] = "system"
    test_postgres_url: str | None = None
