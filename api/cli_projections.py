"""The command line for read models: how they stand, digest, rebuild, replay, drop.

All of it may run beside processes that serve, on SQLite too. `status`, `rebuild` and `replay` end
with 1 when somebody has to look after a read model, so that a timer may raise the alarm.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from api.console import PLAIN, AsJson, configure_logs, opened, say, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.bootstrap import Engine
    from projections.runner import Follower
    from projections.upkeep import Left, Rebuilt, Standing

app = typer.Typer(help="Look after read models.", **PLAIN)

_INTERRUPTED = 130
_SHOWN = 20
_SECONDS_ON_SCREEN, _SECONDS_IN_A_FILE = 0.1, 10.0

Every = Annotated[bool, typer.Option("--all", help="Every read model there is.")]


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Tell how every read model stands; 1 if one has set aside an event or is ahead of the log."""
    from projections.upkeep import left, standing

    with _looking_after() as engine:
        models = [it.projection for it in engine.followers.values()]
        stands = standing(engine.read_engine, engine.log, models)
        old = left(engine.read_engine, models)
    say({"read_models": stands, "left": old}, *_lines_of(stands, old), as_json=as_json)
    raise typer.Exit(0 if all(it.is_sound for it in stands) else 1)


@app.command()
def digest(name: str, *, as_json: AsJson = False) -> None:
    """Give the digest of a read model and the position it has come to."""
    from projections.base import freshness, reading

    with _looking_after() as engine:
        (follower,) = _named(engine, name)
        with reading(engine.read_engine) as connection:
            position = freshness(connection, follower.projection).as_of_position
            found = follower.projection.digest(connection)
    say(
        {"name": name, "position": position, "digest": found},
        f"{name} {position} {found}",
        as_json=as_json,
    )


@app.command()
def rebuild(
    name: Annotated[str | None, typer.Argument()] = None,
    *,
    every: Every = False,
    check: Annotated[bool, typer.Option("--check", help="Compare only; switch nothing.")] = False,
    batch: Annotated[int, typer.Option(min=1, help="Events folded in one transaction.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """Fold the log anew beside the live read model and put it in its place; repeat to go on.

    1 if nothing was switched: an event could not be folded, it is not in use yet, or --check found
    a difference.
    """
    from projections.upkeep import Rebuild

    done: list[Rebuilt] = []
    try:
        with _looking_after() as engine:
            for follower in _named(engine, name, every=every):
                it = Rebuild(follower.projection, engine.log, engine.read_engine, batch=batch)
                told = _progress(follower.projection.name, sys.stderr)
                done.append(it.run(told, checks=check))
    except KeyboardInterrupt:
        typer.echo(
            "已中断；再次执行同一命令即可继续。/ Interrupted: run the same command to go on.",
            err=True,
        )
        raise typer.Exit(_INTERRUPTED) from None
    say({"rebuilt": done}, *(_outcome(it, checks=check) for it in done), as_json=as_json)
    is_well = all(it.is_same if check else it.is_switched for it in done)
    raise typer.Exit(0 if is_well and not any(it.poison for it in done) else 1)


@app.command()
def replay(
    name: Annotated[str | None, typer.Argument()] = None,
    *,
    every: Every = False,
    as_json: AsJson = False,
) -> None:
    """Fold what was set aside, once its cause is mended; 1 if a stream stays set aside."""
    from projections.upkeep import standing

    told: list[tuple[str, int, int]] = []
    with _looking_after() as engine:
        for follower in _named(engine, name, every=every):
            back = follower.replay()
            (stands,) = standing(engine.read_engine, engine.log, [follower.projection])
            told.append((stands.name, back, len(stands.parked)))
    say(
        {"replayed": [{"name": it, "back": back, "parked": left} for it, back, left in told]},
        *(f"{it}  恢复 / back {back}  仍搁置 / parked {left}" for it, back, left in told),
        as_json=as_json,
    )
    raise typer.Exit(1 if any(left for _, _, left in told) else 0)


@app.command()
def drop(follower: str, *, as_json: AsJson = False) -> None:
    """Drop what `status` lists as left behind, or the copy of a rebuild that was given up."""
    from projections.upkeep import drop as drop_left

    with _looking_after() as engine:
        models = [it.projection for it in engine.followers.values()]
        tables = drop_left(engine.read_engine, models, follower)
    say(
        {"follower": follower, "tables": tables},
        f"已删除 / dropped: {follower} ({', '.join(tables)})",
        as_json=as_json,
    )


@contextmanager
def _looking_after() -> Iterator[Engine]:
    """Wire the engine; logs go to standard error, what the database denies is said in words."""
    from mediation.errors import MediationError
    from projections.runner import is_outage

    configure_logs()
    try:
        with opened(settings()) as engine:
            yield engine
    except Exception as error:
        # What PostgreSQL says to whoever is not the owner (SQLSTATE 42501).
        if getattr(getattr(error, "orig", None), "sqlstate", None) == "42501":
            raise MediationError(
                zh="当前数据库账号没有所需权限。请用执行 migrate 的账号运行。",
                en="This database role may not do that: run it as the role that migrates.",
                code="owner-needed",
            ) from None
        if not is_outage(error):
            raise
        raise MediationError(
            zh="数据库没有应答或正被占用。请稍后再次执行同一命令；重建会从中断处继续。",
            en="The database does not answer or is busy. Run the same command again shortly; a "
            "rebuild goes on where it stood.",
            code="no-database",
        ) from None


def _named(engine: Engine, name: str | None, *, every: bool = False) -> list[Follower]:
    from mediation.errors import NotFound

    if (name is None) is not every:
        raise typer.BadParameter("NAME, or --all", param_hint="NAME")
    if name is None:
        return list(engine.followers.values())
    if name not in engine.followers:
        raise NotFound(
            zh=f"没有这个读模型；现有：{'、'.join(engine.followers)}。",
            en=f"There is no such read model; there are: {', '.join(engine.followers)}.",
            code="projection-unknown",
        )
    return [engine.followers[name]]


def _progress(name: str, screen: TextIO) -> Callable[[int, int], None]:
    """Show how far a rebuild is: in place on a terminal, now and then in a file."""
    is_terminal = screen.isatty()
    seldom = _SECONDS_ON_SCREEN if is_terminal else _SECONDS_IN_A_FILE
    shown_at = -seldom

    def told(done: int, of: int) -> None:
        nonlocal shown_at
        if done < of and time.monotonic() - shown_at < seldom:
            return
        shown_at = time.monotonic()
        line = f"{name}  {done} / {of}"
        screen.write(f"\r{line}{'' if done < of else chr(10)}" if is_terminal else f"{line}\n")
        screen.flush()

    return told


def _outcome(it: Rebuilt, *, checks: bool) -> str:
    line = f"{it.name}  {it.position}  {it.digest}"
    if not it.is_begun:
        return (
            f"{it.name}\n  读模型尚未启用；请先启动 serve 或 worker / not in use yet: start "
            "`serve` or `worker` first"
        )
    if it.poison:
        where = ", ".join(f"{poison.position} ({poison.error})" for poison in it.poison[:_SHOWN])
        return (
            f"{line}\n  未切换：有事件无法处理，原数据保持不变。/ Not switched: events could not "
            f"be folded, the live rows stay: {where}"
        )
    if it.is_same:
        return f"{line}\n  与原数据一致 / the live rows were right, the digest is unchanged"
    rows = ", ".join(f"{change.table}: {change.wrong} → {change.right}" for change in it.changes)
    if checks:
        return (
            f"{line}\n  与原数据不一致，未切换 / the live rows are wrong, nothing switched: {rows}"
        )
    return f"{line}\n  原数据有误，已更正 / the live rows were wrong and are replaced: {rows}"


def _lines_of(stands: list[Standing], old: list[Left]) -> Iterator[str]:
    for it in stands:
        yield (
            f"{it.name}  v{it.version}  {it.position} / {it.head}  滞后 / lag {it.lag}  "
            f"搁置 / parked {len(it.parked)}  隔离 / quarantined {len(it.quarantined)}"
        )
        for poison in it.quarantined[:_SHOWN]:
            yield f"  隔离 / quarantined: {poison.position}  {poison.stream_id}  {poison.error}"
        for aside in it.parked[:_SHOWN]:
            yield (
                f"  搁置 / parked: {aside.stream_id}  自 / since {aside.stale_since}  "
                f"({aside.events})"
            )
        if it.rebuild is not None:
            how = "进行中 / under way" if it.rebuild.is_running else "已中断 / interrupted"
            yield f"  重建 / rebuild: {it.rebuild.position} / {it.position}  {how}"
        if it.lag < 0:
            yield "  超出日志：日志曾被还原，请重建 / ahead of a restored log: rebuild it"
    for each in old:
        yield f"旧版本 / left behind: {each.follower}  {each.position}  {', '.join(each.tables)}"
    if any(it.quarantined or it.parked for it in stands):
        yield (
            "修复原因后执行 mediation projections replay / once its cause is mended, run "
            "`mediation projections replay`"
        )
