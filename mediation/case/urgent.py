"""Urgent reports: the union and the party-government department above are told at once.

Reporting is not climbing: custody stays where it is, in whatever phase the case is.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from mediation.case.lifecycle import require_allowed
from mediation.case.state import (
    CaseFact,
    CaseFacts,
    CaseState,
    RecordedFact,
    require_code,
    unknown,
)
from mediation.case.values import Addressee, Code, UrgentReport
from mediation.errors import FieldFault, Malformed
from mediation.kernel import Decision, Moment, aware, decides, evolves, stored_as
from mediation.privacy import Personal, Sealed

_BOTH = frozenset({"party-government", "upper-union"})
"""The kinds of addressee that every urgent report goes to."""


class AddresseeEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """To whom an urgent report goes: a code of `addressee_kinds`, its name, its body if ours."""

    kind: Code
    name: Personal
    body_id: Code | None = None


class ReportUrgent(CaseFact, frozen=True, kw_only=True):
    """Report an urgent matter (首报, 续报, 终报); `occurred_at` is when the report was received.

    `known_at` is when the urgent fact became known, by default the same moment. `headcount` is
    the number of people concerned, as far as known.
    """

    kind: Literal["first", "follow-up", "final"]
    known_at: Moment | None = None
    addressees: Annotated[tuple[AddresseeEntry, ...], msgspec.Meta(min_length=2, max_length=20)]
    text: Personal
    headcount: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None


@decides(ReportUrgent)
def report_urgent(case: CaseState, command: ReportUrgent, facts: CaseFacts) -> Decision:
    """Record the report; the first one is what the two hours are for (D26)."""
    phase = require_allowed(case, command)
    for at, addressee in enumerate(command.addressees):
        require_code("addressee_kinds", addressee.kind, f"addressees/{at}/kind")
        if addressee.body_id is not None:
            facts.network.body(addressee.body_id)
    is_first = command.kind == "first"
    return Decision.of(
        facts.stream,
        UrgentReportFiled(
            **case.stamp(facts, UrgentReportFiled),
            phase=phase,
            due_ended=case.ending("D26") if is_first else (),
            irregularities=case.flaws(
                {
                    "addressee-missing": bool(_BOTH - {it.kind for it in command.addressees}),
                    "out-of-order": not is_first and not case.reports,
                }
            ),
            report_no=len(case.reports) + 1,
            kind=command.kind,
            known_at=_known_at(command, facts),
            addressees=tuple(
                Addressee(kind=it.kind, body_id=it.body_id, name=case.text(it.name, facts))
                for it in command.addressees
            ),
            text=case.text(command.text, facts),
            headcount=command.headcount,
        ),
    )


def _known_at(command: ReportUrgent, facts: CaseFacts) -> datetime:
    known_at = aware(command.known_at or facts.occurred_at)
    if known_at > facts.occurred_at:
        raise Malformed(
            zh="知悉时间不能晚于报送时间，请核对。",
            en="What is reported was known before it was reported; check the two times.",
            faults=(FieldFault("/known_at", "after-the-report"),),
        )
    return known_at


@stored_as("case.urgent-report-filed")
class UrgentReportFiled(RecordedFact, frozen=True, kw_only=True):
    """An urgent report reached its addressees; its time of receipt counts, read or not.

    `report_no` counts the reports of the case
    from 1 and `kind` says which of a row it is: first, follow-up or final. `known_at` is when the
    urgent fact became known, `addressees` to whom the report went. `text` is what it says and
    `headcount` how many people are concerned, if known.
    """

    report_no: int
    kind: str
    known_at: Moment
    addressees: tuple[Addressee, ...]
    text: Sealed
    headcount: int | None


@evolves(UrgentReportFiled)
def _(case: CaseState, event: UrgentReportFiled) -> CaseState:
    report = UrgentReport(report_no=event.report_no, addressees=event.addressees)
    return case.with_(event, reports=(*case.reports, report))


class AcknowledgeUrgentReport(CaseFact, frozen=True, kw_only=True):
    """Record that an addressee, counted from 0, read a report; `occurred_at` is when."""

    report_no: Annotated[int, msgspec.Meta(ge=1)]
    addressee_no: Annotated[int, msgspec.Meta(ge=0)]


@decides(AcknowledgeUrgentReport)
def acknowledge_urgent_report(
    case: CaseState, command: AcknowledgeUrgentReport, facts: CaseFacts
) -> Decision:
    """Record it; of several by the same addressee the first counts."""
    phase = require_allowed(case, command)
    report = next((it for it in case.reports if it.report_no == command.report_no), None)
    if report is None:
        raise unknown("report_no", "unknown-report")
    if command.addressee_no >= len(report.addressees):
        raise unknown("addressee_no", "unknown-addressee")
    return Decision.of(
        facts.stream,
        UrgentReportAcknowledged(
            **case.stamp(facts, UrgentReportAcknowledged),
            phase=phase,
            irregularities=case.flaws(),
            report_no=command.report_no,
            addressee_no=command.addressee_no,
            is_first=command.addressee_no not in report.acknowledged,
        ),
    )


@stored_as("case.urgent-report-acknowledged")
class UrgentReportAcknowledged(RecordedFact, frozen=True, kw_only=True):
    """An addressee signed for an urgent report (签阅).

    `report_no` is the number of the report in the case, `addressee_no` the place of the addressee
    in its list, counted from 0. `is_first` says that this addressee had not signed before: only
    that time counts.
    """

    report_no: int
    addressee_no: int
    is_first: bool


@evolves(UrgentReportAcknowledged)
def _(case: CaseState, event: UrgentReportAcknowledged) -> CaseState:
    reports = tuple(
        msgspec.structs.replace(it, acknowledged=it.acknowledged | {event.addressee_no})
        if it.report_no == event.report_no
        else it
        for it in case.reports
    )
    return case.with_(event, reports=reports)
