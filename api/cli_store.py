"""The commands that look after a store: check it, back it up, go on after a loss."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.console import AsJson, say, settings

if TYPE_CHECKING:
    from api.upkeep import Finding
    from mediation.store.inspection import Holding


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("check")(check)
    app.command("backup")(back_up)
    app.command("accept-loss")(accept_loss)


def check(
    *,
    at_least: Annotated[int, typer.Option(help="A position the log is known to have had.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Read the whole store and say how far it goes; 1 if anything is wrong with it."""
    from api import upkeep

    told = upkeep.check(settings(), at_least=at_least, progress=_shown("check"))
    lines = [
        *_holding(told.log),
        f"密钥库所记位置 / position the vault knows of: {told.marked}",
        *(
            f"已确认的丢失 / accepted loss: {it.after_position} → {it.until_position} "
            f"{it.accepted_at:%Y-%m-%d} {it.accepted_by_id} {it.reason}"
            for it in told.losses
        ),
        *_findings(told.findings),
        "完好 / sound" if told.sound else "有问题 / not sound",
    ]
    say(told, *lines, as_json=as_json)
    raise typer.Exit(0 if told.sound else 1)


def back_up(log_dir: str, vault_dir: str, *, as_json: AsJson = False) -> None:
    """Copy an SQLite store, also while it is served: the log, then the vault."""
    from pathlib import Path

    from api import upkeep

    told = upkeep.back_up(
        settings(),
        log_dir=Path(log_dir),
        vault_dir=Path(vault_dir),
        progress=_shown("backup"),
    )
    lines = [
        f"已备份 / backed up: {told.log}, {told.vault}",
        *_holding(told.holding),
        *_findings(told.findings),
    ]
    say(told, *lines, as_json=as_json)
    raise typer.Exit(1 if told.findings else 0)


def accept_loss(
    *,
    position: Annotated[int, typer.Option(help="Where the log ends, as `check` says.")],
    account: Annotated[str, typer.Option(help="Account of who accepts the loss, by its id.")],
    reason: Annotated[str, typer.Option(help="A short code such as disk-failure.")],
    as_json: AsJson = False,
) -> None:
    """Let a store be served again after a true loss; what is lost stays on record."""
    from uuid import UUID

    from api import upkeep
    from mediation.errors import NotFound

    try:
        account_id = UUID(account)
    except ValueError:
        raise NotFound from None
    loss = upkeep.accept_loss(settings(), position=position, account_id=account_id, reason=reason)
    line = (
        f"已记录丢失，日志从位置 {loss.after_position} 继续 / loss on record, the log goes on from "
        f"{loss.after_position}; it had come to {loss.until_position}"
    )
    say(loss, line, as_json=as_json)


def _holding(log: Holding) -> list[str]:
    hole = "" if log.first_hole is None else f" · 首个缺口 / first hole: {log.first_hole}"
    keys = (
        f"密钥 / keys: {log.keys_held} · 已销毁 / destroyed: {log.keys_destroyed}"
        f" · 缺失 / unknown: {log.keys_unknown}"
    )
    return [
        f"事件 / events: {log.count} · 最后位置 / last position: {log.position}{hole}",
        f"最后记录时间 / last recorded at: {log.recorded_at:%Y-%m-%d %H:%M:%S}Z",
        f"案件与账号等 / streams: {log.streams} · 回执 / receipts: {log.receipts}",
        keys,
        f"摘要 / digest: {log.digest}",
    ]


def _findings(findings: list[Finding]) -> list[str]:
    return [f"✗ {it.code}\n  {it.zh}\n  {it.en}" for it in findings]


def _shown(what: str) -> Any:
    """Give what shows on a terminal how far a command is; elsewhere it shows nothing."""
    screen = sys.stderr

    def show(done: int, of: int) -> None:
        if screen.isatty():
            end = "\n" if done >= of else ""
            screen.write(f"\r{what} {min(100, 100 * done // max(of, 1))} %{end}")
            screen.flush()

    return show
