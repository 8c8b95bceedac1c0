"""The command line for one case: show, history, replay, diff, as of any moment.

The operator reads the store itself, so personal data is masked; in clear it is read in the name of
an account that may, for a coded reason, and that reading is recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.console import PLAIN, AsJson, opened, say, settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from api.bootstrap import Engine
    from api.case_pages import Names
    from mediation.case.state import CaseState
    from mediation.reading import AsOf
    from mediation.store import Recorded

app = typer.Typer(help="Look at one case in the store, as of any moment.", **PLAIN)

Case = Annotated[str, typer.Argument(help="Id of the case, or its number.")]
Version = Annotated[int | None, typer.Option(min=1, help="As it was at this version.")]
At = Annotated[str | None, typer.Option(help="As known at a time: 2026-03-02T09:00:00+08:00.")]
Position = Annotated[str | None, typer.Option(help="As known at a position of the log.")]
Shown = Annotated[str, typer.Option(help="Personal data: masked, or clear.")]
Reason = Annotated[str | None, typer.Option(help="Why it is read in clear, a code.")]
Account = Annotated[str | None, typer.Option(help="Account that reads in clear, by its id.")]


class _Found:
    """One case in the store: its events up to a point, and what of it was opened."""

    def __init__(self, engine: Engine, named: str) -> None:
        from mediation.case.state import case_stream
        from mediation.errors import NotFound

        self.engine = engine
        self.case_id = _case_id(engine, named)
        ref = case_stream(self.case_id)
        version, state = engine.log.fold(ref.id, ref.kind)
        if not version:
            raise NotFound
        self.number: str = state.case_number
        self.events: list[Recorded] = engine.log.events_of(self.case_id)
        self.opened: Mapping[Any, str | None] | None = None

    def up_to(self, version: int | None, at: str | None, position: str | None) -> _Found:
        """Leave out what was recorded later.

        Raises:
            NotFound: there is no such version, or the case was not there yet.
        """
        from api.routes.asking import VersionQuestion
        from mediation.errors import NotFound

        # What is wrong with them is said by the question itself, as over HTTP.
        question = VersionQuestion.model_construct(version=version, at=at, position=position)
        self.events = self.events[: self.version(question.then(self.engine))]
        if not self.events:
            raise NotFound(
                zh="该时点本案尚未登记。", en="The case had not been registered by then."
            )
        return self

    def version(self, then: AsOf | int | None) -> int:
        """Give how many of its events were there then.

        Raises:
            NotFound: there is no such version; it says which there are.
        """
        from api.routes.replay import version_of
        from mediation.errors import NotFound

        try:
            return version_of(self.events, then)
        except NotFound:
            last = len(self.events)
            raise NotFound(
                zh=f"没有这一版本；本案现有第1至{last}版。",
                en=f"There is no such version; this case has versions 1 to {last}.",
            ) from None

    def open(self, shown: str, reason: str | None, account: str | None, command: str) -> _Found:
        """Open what is personal for an account that may read it; the reading is recorded.

        Raises:
            NotFound, NotPermitted: as `Reading.open_case`.
        """
        from uuid import UUID

        from mediation.errors import NotFound

        if shown not in ("masked", "clear"):
            raise typer.BadParameter("masked or clear", param_hint="--personal")
        if shown == "masked":
            return self
        if reason is None or account is None:
            raise typer.BadParameter(
                "需同时填写 --reason 和 --account / needs --reason and --account",
                param_hint="--personal clear",
            )
        try:
            actor_id = UUID(account)
        except ValueError:
            raise NotFound from None
        _, self.opened = self.engine.mediation.open_case(
            self.case_id, actor_id=actor_id, route=f"CLI /case/{command}", reason=reason
        )
        return self

    @property
    def state(self) -> CaseState:
        """The case at the last of its events."""
        _, state = self.engine.log.fold(self.case_id, "case", version=len(self.events))
        found: CaseState = state
        return found

    def head(self, zh: str, en: str) -> list[str]:
        """Begin a page about this case."""
        from api import case_pages
        from api.routes.replay import point_shown
        from api.screen import Words

        return case_pages.head(
            Words(zh, en),
            case_pages.about(
                self.number,
                self.case_id,
                as_of=case_pages.point(point_shown(self.events, len(self.events))),
                is_clear=self.opened is not None,
            ),
        )

    def names(self) -> Names:
        """Give what bodies and levels are called."""
        from api.case_pages import Names

        mediation = self.engine.mediation
        return Names(mediation.network(), mediation.ladders[self.state.ladder_ref])


def _case_id(engine: Engine, named: str) -> UUID:
    from uuid import UUID

    try:
        return UUID(named)
    except ValueError:
        return engine.mediation.case_numbered(named)


@app.command()
def show(  # noqa: PLR0913 - as of when, and how much, as options
    case: Case,
    *,
    version: Version = None,
    at: At = None,
    position: Position = None,
    personal: Shown = "masked",
    reason: Reason = None,
    account: Account = None,
    as_json: AsJson = False,
) -> None:
    """Show a case as it stands or stood."""
    from api import case_pages
    from api.routes.cases import case_shown, texts_of

    with opened(settings()) as engine:
        found = _Found(engine, case).up_to(version, at, position)
        found.open(personal, reason, account, "show")
        texts = None if found.opened is None else texts_of(found.events, found.opened)
        shown = case_shown(found.state, engine.mediation, found.opened, texts)
        lines = found.head("案件", "Case") + case_pages.case_page(shown, found.names())
    say(shown, *lines, as_json=as_json)


@app.command()
def history(
    case: Case,
    *,
    version: Version = None,
    at: At = None,
    position: Position = None,
    as_json: AsJson = False,
) -> None:
    """Show the events of a case in order, nothing personal in clear."""
    from api import case_pages
    from api.routes.cases import history_item

    with opened(settings()) as engine:
        found = _Found(engine, case).up_to(version, at, position)
        items = [history_item(it) for it in found.events]
        lines = found.head("办理记录", "History")
        lines += case_pages.history_page(items, found.names())
    say({"items": items}, *lines, as_json=as_json)


@app.command()
def replay(  # noqa: PLR0913 - as of when, and how much, as options
    case: Case,
    *,
    version: Version = None,
    at: At = None,
    position: Position = None,
    personal: Shown = "masked",
    reason: Reason = None,
    account: Account = None,
    as_json: AsJson = False,
) -> None:
    """Show a case step by step: what each event changed, who did it, when, why, on what basis."""
    from api import case_pages
    from api.routes.replay import step_shown
    from mediation.audit import replay as steps_of

    with opened(settings()) as engine:
        found = _Found(engine, case).up_to(version, at, position)
        found.open(personal, reason, account, "replay")
        log_id = engine.log.log_id
        items = [step_shown(it, found.opened) for it in steps_of(found.events, log_id)]
        lines = found.head("案件回放", "Replay of a case")
        lines += case_pages.replay_page(items, found.names())
    say({"log_id": log_id, "items": items}, *lines, as_json=as_json)


@app.command()
def diff(  # noqa: PLR0913 - from where to where, and how much, as options
    case: Case,
    *,
    start: Annotated[
        str, typer.Option("--from", help="A version, a time, or position:17; default: before all.")
    ] = "0",
    end: Annotated[str | None, typer.Option("--to", help="As --from; default: now.")] = None,
    personal: Shown = "masked",
    reason: Reason = None,
    account: Account = None,
    as_json: AsJson = False,
) -> None:
    """Show what is different in a case between two points of its life."""
    from api import case_pages
    from api.routes.asking import point
    from api.routes.replay import changes_shown, point_shown
    from api.screen import Words
    from mediation.audit import diff as changes_between

    with opened(settings()) as engine:
        found = _Found(engine, case)
        versions = [found.version(None if it is None else point(engine, it)) for it in (start, end)]
        found.open(personal, reason, account, "diff")
        ends = [point_shown(found.events, it) for it in versions]
        shown = changes_shown(changes_between(found.events, *versions), found.opened)
        told = case_pages.about(
            found.number,
            found.case_id,
            as_of=case_pages.point(ends[1]),
            is_clear=found.opened is not None,
        )
        told.insert(2, (Words("自", "From"), case_pages.point(ends[0])))
        lines = case_pages.head(Words("案件比对", "What is different"), told)
        lines += case_pages.changes_page(shown, found.names())
    say({"from": ends[0], "to": ends[1], "changes": shown}, *lines, as_json=as_json)
