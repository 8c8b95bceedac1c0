"""The rows of a ledger through the one door, in order, each by itself: what was done, or why not.

The key of a case is the keyed digest of what its rows say, and the how-manieth case of the same
content it is in the file. So a file that is imported again, or with rows added, sorted or moved,
says of each case that it is there already, and two equal rows are two cases. What makes it safe
to go on after whatever happened is the door's own receipt of that key; nothing else is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple
from uuid import UUID

import msgspec

from api.approvals import approvals_in_text
from api.importing.form import COLUMNS
from api.importing.ledger import Entry, places
from mediation.application import Answer, Mediation, Request
from mediation.errors import (
    Conflict,
    FieldFault,
    KeyReused,
    Malformed,
    MediationError,
    NotFound,
    NotPermitted,
    Refusal,
    Refused,
    Sentence,
    pointing,
)

_CONTENT = "import-row/1"
"""What the digests are of; a change of what rows say needs another, and imports them anew."""

_OF_ONE_ROW = (Conflict, Malformed, NotFound, NotPermitted, Refused)
"""What the door says of one row; anything else ends the run."""

Status = Literal[
    "recorded", "already", "would-record", "approved", "needs-no-approval", "refused", "malformed"
]


class RowProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a case was not recorded and what to do; never what stands in a cell."""

    code: str
    title_i18n: Sentence
    detail_i18n: Sentence
    errors: tuple[FieldFault, ...] = ()
    refusals: tuple[Refusal, ...] = ()


class RowTold(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one case of the sheet.

    Attributes:
        row: its first row.
        key: its idempotency key; null where its rows are malformed.
        status: `recorded` now, `already` before, `would-record` in a dry run; of approvals,
            `approved` or `needs-no-approval`; else `refused` by a rule, or `malformed`.
        case_id: of the case that is recorded.
        case_number: likewise.
        problem: why it was refused, or what is malformed.
    """

    row: int
    key: str | None
    status: Status
    case_id: UUID | None = None
    case_number: str | None = None
    problem: RowProblem | None = None


class Keyed(NamedTuple):
    """A case of the sheet with its key; empty for one that is malformed."""

    entry: Entry
    key: str


def keyed(mediation: Mediation, entries: Iterable[Entry]) -> list[Keyed]:
    """Give each case its key; all of a file together, since equal ones are counted."""
    seen = Counter[str]()
    found = []
    for entry in entries:
        key = ""
        if entry.command is not None:
            digest = mediation.digest(_CONTENT, entry.content)
            seen[digest] += 1
            key = f"import-{digest[:40]}-{seen[digest]}"
        found.append(Keyed(entry, key))
    return found


def carried_out(  # noqa: PLR0913 - one run, by name
    mediation: Mediation,
    cases: Iterable[Keyed],
    *,
    actor_id: UUID,
    approvals: Mapping[str, str],
    is_dry_run: bool,
    route: str,
) -> Iterator[RowTold]:
    """Record each case as the actor, or say what would become of it; one refused stops no other.

    Args:
        mediation: the door.
        cases: in the order of the sheet.
        actor_id: the account that imports.
        approvals: of late rows, by key; several of one row are parted by commas.
        is_dry_run: decide, and write nothing.
        route: for the record of a refused access.

    Raises:
        OutcomeUnknown: the store did not confirm; import the same file again.
    """
    for entry, key in cases:
        if entry.command is None:
            yield _problem(entry, key, entry.problem or Malformed())
            continue
        try:
            ask = Request(
                actor_id=actor_id,
                key=key,
                command=entry.command,
                approvals=approvals_in_text(approvals.get(key, "")),
                route=route,
            )
            with pointing(*places(entry.rows)):
                done = mediation.answered(ask)
                if done is not None:
                    told = _recorded(entry, key, "already", done)
                elif is_dry_run:
                    mediation.rehearse(ask)
                    told = RowTold(row=entry.rows[0], key=key, status="would-record")
                else:
                    told = _recorded(entry, key, "recorded", mediation.execute(ask))
            yield told
        except _OF_ONE_ROW as error:
            yield _problem(entry, key, error)


def approved(
    mediation: Mediation,
    cases: Iterable[Keyed],
    *,
    approver_id: UUID,
    actor_id: UUID,
    route: str,
) -> Iterator[tuple[RowTold, str]]:
    """Approve each late case that the actor is going to import, with the approval or none.

    Raises:
        OutcomeUnknown: the store did not answer.
    """
    for entry, key in cases:
        if entry.command is None:
            yield _problem(entry, key, entry.problem or Malformed()), ""
            continue
        ask = Request(actor_id=actor_id, key=key, command=entry.command, route=route)
        try:
            done = mediation.answered(ask)
            if done is not None:
                yield _recorded(entry, key, "already", done), ""
                continue
            with pointing(*places(entry.rows)):
                token, _ = mediation.approve(approver_id, ask)
            yield RowTold(row=entry.rows[0], key=key, status="approved"), token
        except _OF_ONE_ROW as error:
            refusals = error.refusals if isinstance(error, Refused) else ()
            is_free = [it.code for it in refusals] == ["needs-no-approval"]
            free = RowTold(row=entry.rows[0], key=key, status="needs-no-approval")
            yield (free if is_free else _problem(entry, key, error)), ""


def _recorded(entry: Entry, key: str, status: Status, answer: Answer) -> RowTold:
    return RowTold(
        row=entry.rows[0],
        key=key,
        status=status,
        case_id=answer.stream.id,
        case_number=answer.state.case_number,
    )


def _pointers(error: MediationError) -> list[str]:
    return [it.pointer for it in error.faults] if isinstance(error, Malformed) else []


def _problem(entry: Entry, key: str, error: MediationError) -> RowTold:
    is_malformed = isinstance(error, Malformed) and not isinstance(error, KeyReused)
    detail = error.detail
    if isinstance(error, KeyReused):
        detail = Sentence(
            "该行以前已经导入，但登记内容的格式已随程序升级而变化，不再重复登记；请在原案件中核对。",
            "This row was imported before, by a release that recorded it in another form; it is "
            "not recorded twice. Look at the case.",
        )
    named = [it for it in COLUMNS if any(at.endswith(f"/{it.en}") for at in _pointers(error))]
    if named and entry.command is not None:
        detail = Sentence(
            f"{'、'.join(f'“{it.zh}”' for it in named)}：{detail.zh}",
            f"{', '.join(it.en for it in named)}: {detail.en}",
        )
    problem = RowProblem(
        code=error.code,
        title_i18n=error.title,
        detail_i18n=detail,
        errors=error.faults if isinstance(error, Malformed) else (),
        refusals=error.refusals if isinstance(error, Refused) else (),
    )
    return RowTold(
        row=entry.rows[0],
        key=key or None,
        status="malformed" if is_malformed else "refused",
        problem=problem,
    )
