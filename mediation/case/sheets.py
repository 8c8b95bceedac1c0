"""Each party's sheet for a new body: whether it goes along, and what may be passed on about it.

Another body is another handler of personal data, so its consent is asked for by name (L-PIPL 23).
"""

from __future__ import annotations

from uuid import UUID

from mediation.case.lifecycle import require_allowed
from mediation.case.state import CaseFact, CaseFacts, CaseState, RecordedFact, days_left_on
from mediation.case.values import Code, Sheet
from mediation.kernel import Decision, decides, evolves, stored_as


class RecordTransferSheet(CaseFact, frozen=True, kw_only=True):
    """Record one party's answers: the new body, disclosure to it, and an extension of the term.

    Without `to_body_id` it is the receiver of the pending move; a sheet may be signed before.
    """

    party_id: UUID
    to_body_id: Code | None = None
    new_body: bool
    disclosure: bool
    extension: bool | None = None


@decides(RecordTransferSheet)
def record_transfer_sheet(
    case: CaseState, command: RecordTransferSheet, facts: CaseFacts
) -> Decision:
    """Store the sheet; a missing answer on the extension, when few days are left, is a flaw."""
    party = case.party(command.party_id)
    to_body_id = command.to_body_id or case.receiver_body_id
    if command.to_body_id is not None:
        facts.network.body(command.to_body_id)
    below = facts.ladder_of(case).extension_answer_below_days
    days_left = days_left_on(case, facts)
    checks = {
        "out-of-order": to_body_id is None,
        "extension-unanswered": command.extension is None
        and days_left is not None
        and days_left < below,
    }
    return Decision.of(
        facts.stream,
        TransferSheetRecorded(
            **case.stamp(facts, TransferSheetRecorded, legal_basis="L-PIPL 23"),
            phase=require_allowed(case, command),
            irregularities=case.flaws(checks),
            party_id=party.party_id,
            to_body_id=to_body_id,
            new_body=command.new_body,
            disclosure=command.disclosure,
            extension=command.extension,
        ),
    )


@stored_as("case.transfer-sheet-recorded")
class TransferSheetRecorded(RecordedFact, frozen=True, kw_only=True):
    """A party answered whether it agrees to the new body, to disclosure, and to an extension."""

    party_id: UUID
    to_body_id: str | None
    new_body: bool
    disclosure: bool
    extension: bool | None


@evolves(TransferSheetRecorded)
def _(case: CaseState, event: TransferSheetRecorded) -> CaseState:
    if event.to_body_id is None:
        return case.with_(event)
    sheet = Sheet(
        party_id=event.party_id,
        to_body_id=event.to_body_id,
        new_body=event.new_body,
        disclosure=event.disclosure,
        extension=event.extension,
    )
    return case.with_(event, sheets=(*case.sheets, sheet))
