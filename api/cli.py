"""The command line: serve, migrate and look after one district; no rule and no wiring here.

Whatever a command needs is imported inside it, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api import cli_case, cli_projections, cli_store
from api.console import PLAIN, AsJson, configure_logs, opened, say, settings
from api.screen import visible

if TYPE_CHECKING:
    from api.bootstrap import Engine

app = typer.Typer(help="Mediation ladder · 劳动争议多级递进调解引擎", **PLAIN)
ladders = typer.Typer(help="Check ladder files.", **PLAIN)
tokens = typer.Typer(help="Issue and revoke access tokens.", **PLAIN)
app.add_typer(ladders, name="ladder")
app.add_typer(tokens, name="token")
app.add_typer(cli_case.app, name="case")
app.add_typer(cli_projections.app, name="projections")
cli_store.add_to(app)


def main() -> None:
    """Run the command line; what is refused is said in both languages, without a traceback."""
    try:
        app()
    except Exception as error:
        from mediation.errors import MediationError

        if not isinstance(error, MediationError):
            raise
        is_told = error.detail != error.title
        for title, detail in (
            (f"{error.title.zh}。", error.detail.zh),
            (f"{error.title.en}. ", error.detail.en),
        ):
            line = f"{title}{detail}" if is_told else title.strip()
            typer.echo(visible(line, but="\n"), err=True)
        sys.exit(1)


@app.command()
def serve(*, as_json: AsJson = False) -> None:
    """Serve the HTTP API and keep the read models up to the log."""
    import signal

    from api.server import server_of

    def end(_signal: int, _frame: Any) -> None:
        sys.exit(0)

    configure_logs()
    # The server raises the signal again once it has ended: what was opened here is closed then.
    signal.signal(signal.SIGTERM, end)
    chosen = settings()

    def started(url: str) -> None:
        say({"url": url}, f"服务地址 / serving on {url}", as_json=as_json)
        sys.stdout.flush()

    with opened(chosen, serves=True, makes=True) as engine:
        engine.follow()
        server_of(engine, host=chosen.host, port=chosen.port, started=started).run()


@app.command()
def worker() -> None:
    """Keep the read models up to the log, beside processes that serve (PostgreSQL only)."""
    from api.worker import work

    configure_logs()
    with opened(settings(), makes=True) as engine:
        code = work(engine)
    raise typer.Exit(code)


@app.command()
def migrate(
    *,
    district: Annotated[str | None, typer.Option(help="Code of a new store's district.")] = None,
    kind: Annotated[str | None, typer.Option(help="live, demo or test; for a new store.")] = None,
    app_role: Annotated[str | None, typer.Option(help="PostgreSQL role that will serve.")] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the tables of the configured store up to this release."""
    from api.bootstrap import migrate_all
    from api.clock import system_clock

    if kind not in (None, "live", "demo", "test"):
        raise typer.BadParameter("live, demo or test", param_hint="--kind")
    steps = migrate_all(
        settings(), district=district, kind=kind, app_role=app_role, at=system_clock()
    )
    say({"steps": steps}, f"已迁移 / migrated: {steps}", as_json=as_json)


@app.command()
def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="Play and stop.")] = False,
    port: Annotated[int | None, typer.Option(help="Port to serve on.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder of the demo's data.")] = None,
    as_json: AsJson = False,
) -> None:
    """Play the synthetic demo district and serve it."""
    from api.demo.run import run

    raise typer.Exit(run(once=once, port=port, data_dir=data_dir, as_json=as_json))


@app.command()
def bootstrap(  # noqa: PLR0913 - the fields of the first body, as options
    *,
    body_id: Annotated[str, typer.Option(help="Id of the first body, chosen for good.")],
    name_zh: Annotated[str, typer.Option(help="Its Chinese name.")],
    name_en: Annotated[str, typer.Option(help="Its English name.")],
    kind: Annotated[str, typer.Option(help="Its kind, a code of the ladder's top level.")],
    number_prefix: Annotated[str, typer.Option(help="What its case numbers begin with.")],
    coordinator: Annotated[str, typer.Option(help="Name of the first coordinator.")],
    as_json: AsJson = False,
) -> None:
    """Open the first body and the first coordinator's account; prints his token, once."""
    from api.founding import found_district
    from mediation.network import OpenServicePoint

    with opened(settings(), makes=True) as engine:
        top = engine.mediation.ladder.top
        opening = OpenServicePoint(
            body_id=body_id,
            name_zh=name_zh,
            name_en=name_en,
            level=top.code,
            kind=kind,
            number_prefix=number_prefix,
        )
        founded = found_district(engine, opening, coordinator=coordinator)
    say(
        founded,
        f"统筹员账号 / coordinator: {founded.account_id}",
        f"令牌（仅显示一次）/ token, shown once: {founded.token}",
        f"令牌编号 / token id: {founded.token_id}",
        as_json=as_json,
    )


@app.command("import")
def import_cases(  # noqa: PLR0913 - what an import may be given, as options
    file: str,
    *,
    account: Annotated[str, typer.Option(help="Account that imports, by its id.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, and write nothing.")] = False,
    approvals: Annotated[
        list[str] | None, typer.Option(help="File of `import-approve`; may be repeated.")
    ] = None,
    report: Annotated[str | None, typer.Option(help="CSV file for what became of rows.")] = None,
    as_json: AsJson = False,
) -> None:
    """Import paper cases from a CSV or XLSX file; the same file again records nothing twice."""
    from pathlib import Path

    from api.importing import desk
    from api.importing.run import carried_out

    given = desk.approvals_in(Path(it) for it in approvals or ())
    with opened(settings()) as engine:
        actor_id = _stream(engine, account)
        cases = desk.cases_of(Path(file), engine.mediation)
        rows = carried_out(
            engine.mediation,
            cases,
            actor_id=actor_id,
            approvals=given,
            is_dry_run=dry_run,
            route="mediation import",
        )
        ran = desk.watched(rows, len(cases), sys.stderr)
    if report is not None:
        Path(report).write_bytes(desk.report_of(ran.rows))
    say({"rows": ran.rows, "counts": ran.counts}, *desk.lines_of(ran), as_json=as_json)
    raise typer.Exit(0 if ran.is_clean else 1)


@app.command("import-approve")
def approve_import(
    file: str,
    *,
    account: Annotated[str, typer.Option(help="Account that approves, by its id.")],
    actor: Annotated[str, typer.Option("--for", help="Account that is going to import.")],
) -> None:
    """Approve the late rows of a file for somebody else; prints the approvals as JSON."""
    from pathlib import Path

    from api.importing import desk
    from api.importing.run import approved

    drawn: dict[str, str] = {}
    with opened(settings()) as engine:
        approver_id, actor_id = _stream(engine, account), _stream(engine, actor)
        cases = desk.cases_of(Path(file), engine.mediation)
        told = approved(
            engine.mediation,
            cases,
            approver_id=approver_id,
            actor_id=actor_id,
            route="mediation import-approve",
        )
        ran = desk.watched(desk.noting(told, drawn), len(cases), sys.stderr)
    say(drawn, as_json=True)
    typer.echo(visible("\n".join(desk.lines_of(ran)), but="\n"), err=True)
    raise typer.Exit(0 if ran.is_clean else 1)


@app.command("import-template")
def import_template(file: str, *, as_json: AsJson = False) -> None:
    """Write an empty ledger to fill in, as .xlsx or .csv, with one synthetic sample row."""
    from pathlib import Path

    from api.importing.template import write_template

    write_template(Path(file))
    say({"file": file}, f"已生成模板 / template written: {file}", as_json=as_json)


@ladders.command("check")
def check_ladder(file: str, *, as_json: AsJson = False) -> None:
    """Say all that is wrong with a ladder file; 1 if it could not be used."""
    from pathlib import Path

    import msgspec

    from mediation.ladder import check

    report = check(Path(file))
    findings = (*report.errors, *report.warnings)
    lines = [str(finding) for finding in findings] or ["没有问题 / nothing is wrong"]
    say({"valid": report.is_valid, **msgspec.structs.asdict(report)}, *lines, as_json=as_json)
    raise typer.Exit(0 if report.is_valid else 1)


@tokens.command("issue")
def issue_token(
    account_id: str,
    *,
    label: Annotated[str, typer.Option(help="What it is for; no personal data.")] = "cli",
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires.")] = None,
    as_json: AsJson = False,
) -> None:
    """Issue a token for an account; it is printed once."""
    from datetime import timedelta

    with opened(settings()) as engine:
        account = _stream(engine, account_id)
        until = engine.clock() + timedelta(days=days) if days else None
        issued = engine.tokens.issue(account, label=label, expires_at=until)
    say(
        issued,
        f"令牌（仅显示一次）/ token, shown once: {issued.token}",
        f"令牌编号 / token id: {issued.token_id}",
        as_json=as_json,
    )


@tokens.command("revoke")
def revoke_token(token_id: str, *, as_json: AsJson = False) -> None:
    """Revoke a token by the id that was shown when it was issued."""
    with opened(settings()) as engine:
        engine.tokens.revoke(token_id)
    say({"token_id": token_id, "revoked": True}, "已撤销 / revoked", as_json=as_json)


def _stream(engine: Engine, named: str) -> Any:
    """Give the id of a stream that has events."""
    from uuid import UUID

    from mediation.errors import NotFound

    try:
        stream_id = UUID(named)
    except ValueError:
        raise NotFound from None
    if not engine.log.versions([stream_id])[stream_id]:
        raise NotFound
    return stream_id


if __name__ == "__main__":
    main()
