"""Urgent reports to both addressees, in any phase of any matter; custody stays where it is."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mediation.case.state import CaseState
from mediation.case.urgent import (
    AcknowledgeUrgentReport,
    AddresseeEntry,
    ReportUrgent,
    UrgentReportAcknowledged,
    UrgentReportFiled,
)
from mediation.case.values import Matter, Phase
from mediation.kernel import fold
from mediation.privacy import Personal
from tests.scenario import Scenario, expect, in_phase, moment, nameless, seal, stored_again

OFFICE = AddresseeEntry(kind="party-government", name=Personal("示例街道党政办"))
UNION = AddresseeEntry(kind="upper-union", name=Personal("示例街道总工会"), body_id="dongcheng")
POLICE = AddresseeEntry(kind="other", name=Personal("示例派出所"))


def report(kind="first", **changes):
    """Make the command that reports sixty people at the gate to both addressees."""
    fields: dict[str, Any] = {
        "kind": kind,
        "addressees": (OFFICE, UNION),
        "text": Personal("六十余名职工聚集，负责人失联。"),
        "headcount": 60,
    }
    return ReportUrgent(**(fields | changes))


def at_the_gate(matter_kind=Matter.DISPUTE):
    """Register sixty workers whose employer cannot be reached: a red case at the factory."""
    scenario = Scenario().registered(body_id="factory", workers=60, matter_kind=matter_kind)
    return scenario.flagged("EMPLOYER_ABSCONDED")


def read_by(addressee_no, report_no=1):
    """Make the command that records that an addressee signed for a report."""
    return AcknowledgeUrgentReport(report_no=report_no, addressee_no=addressee_no)


@pytest.mark.parametrize("matter_kind", list(Matter))
def test_the_first_report_keeps_the_two_hours(matter_kind):
    """D26 began when the case turned red; custody, level and phase stay (scenarios 2 and 10)."""
    scenario = at_the_gate(matter_kind)
    assert "D26" in scenario.case.due
    scenario.when(report(), at="2026-03-02T10:30+08:00").then(
        expect(
            UrgentReportFiled,
            phase=Phase.REGISTERED,
            at_body_id="factory",
            report_no=1,
            kind="first",
            headcount=60,
            known_at=moment("2026-03-02T10:30+08:00"),
            due_ended=("D26",),
            irregularities=(),
        )
    )
    filed = scenario.events[-1].addressees
    assert [(it.kind, it.body_id, it.name.value) for it in filed] == [
        ("party-government", None, "示例街道党政办"),
        ("upper-union", "dongcheng", "示例街道总工会"),
    ]

    assert "D26" not in scenario.case.due
    assert scenario.case.custody_body_id == "factory"


def test_reports_are_counted_from_the_first_to_the_final():
    """首报, 续报, 终报; only the first is what the two hours are for."""
    scenario = at_the_gate().given(report())
    for number, kind in enumerate(("follow-up", "final"), start=2):
        scenario.when(report(kind, headcount=None)).then(
            expect(
                UrgentReportFiled,
                report_no=number,
                kind=kind,
                headcount=None,
                due_ended=(),
                irregularities=(),
            )
        )

    assert [it.report_no for it in scenario.case.reports] == [1, 2, 3]


def test_a_follow_up_without_a_first_report_is_out_of_order_and_leaves_the_date():
    """The duty to report first is still open."""
    scenario = at_the_gate()
    scenario.when(report("follow-up")).then(
        expect(UrgentReportFiled, due_ended=(), irregularities=("out-of-order",))
    )

    assert "D26" in scenario.case.due


@pytest.mark.parametrize("addressees", [(OFFICE, POLICE), (UNION, POLICE), (UNION, UNION)])
def test_a_report_to_one_side_only_bears_that_flaw(addressees):
    """The party-government department and the upper union are told each time; others beside."""
    at_the_gate().when(report(addressees=addressees)).then(
        expect(UrgentReportFiled, irregularities=("addressee-missing",))
    )
    at_the_gate().when(report(addressees=(OFFICE, UNION, POLICE))).then(
        expect(UrgentReportFiled, irregularities=())
    )


@pytest.mark.parametrize("phase", [Phase.MEDIATING, Phase.PERFORMING, Phase.CLOSED])
def test_an_urgent_report_is_recorded_in_any_phase_and_moves_nothing(phase):
    """Reporting is not climbing; after the close it is a late fact."""
    flaws = ("after-close",) if phase is Phase.CLOSED else ()
    scenario = in_phase(phase, matter_kind=Matter.DISPUTE)
    scenario.when(report()).then(expect(UrgentReportFiled, phase=phase, irregularities=flaws))

    scenario.when(read_by(0)).then(
        expect(UrgentReportAcknowledged, phase=phase, irregularities=flaws)
    )


def test_while_a_move_is_pending_the_body_in_custody_reports():
    """The sender stays responsible until the answer (scenario 10)."""
    scenario = at_the_gate()
    scenario.given(scenario.move("hengjie"))

    scenario.when(report()).then(expect(UrgentReportFiled, at_body_id="factory"))


def test_the_urgent_fact_was_known_before_it_was_reported():
    """The time of knowledge is kept in UTC; one after the report is malformed."""
    scenario = at_the_gate()
    scenario.when(
        report(known_at=datetime.fromisoformat("2026-03-02T09:10+08:00")),
        at="2026-03-02T10:30+08:00",
    ).then(expect(UrgentReportFiled, known_at=datetime(2026, 3, 2, 1, 10, tzinfo=UTC)))

    scenario.when(report(known_at=moment("2026-03-02T10:31+08:00"))).then_refused("malformed")
    assert scenario.refusal.faults[0].pointer == "/known_at"
    naive = datetime.fromisoformat("2026-03-02T09:10")
    scenario.when(report(known_at=naive)).then_refused("naive-time")


def test_addressees_are_of_a_published_kind_and_their_bodies_of_the_network():
    """A department outside the network has a name only; a body named must be one of ours."""
    scenario = at_the_gate()
    stray = AddresseeEntry(kind="mars", name=Personal("示例部门"))
    scenario.when(report(addressees=(OFFICE, stray))).then_refused("malformed")
    assert scenario.refusal.faults[0].pointer == "/addressees/1/kind"

    nobody = AddresseeEntry(kind="upper-union", name=Personal("示例总工会"), body_id="nowhere")
    scenario.when(report(addressees=(OFFICE, nobody))).then_refused("body-unknown")


def test_each_addressee_signs_for_itself_and_the_first_time_counts():
    """A second signature of the same addressee is recorded and says that it is not the first."""
    scenario = at_the_gate().given(report())
    for addressee_no in (1, 0):
        scenario.when(read_by(addressee_no)).then(
            expect(
                UrgentReportAcknowledged,
                report_no=1,
                addressee_no=addressee_no,
                is_first=True,
                irregularities=(),
            )
        )
    scenario.when(read_by(0)).then(expect(UrgentReportAcknowledged, is_first=False))

    assert scenario.case.reports[0].acknowledged == {0, 1}


def test_a_report_is_acknowledged_by_its_own_number():
    """Signing for the follow-up leaves the first report unsigned."""
    scenario = at_the_gate().given(report(), report("follow-up"))
    scenario.given(read_by(1, report_no=2))

    assert [it.acknowledged for it in scenario.case.reports] == [frozenset(), {1}]


def test_only_reports_and_addressees_on_record_are_acknowledged():
    """A number that the case does not have is malformed."""
    scenario = at_the_gate().given(report())
    scenario.when(read_by(0, report_no=2)).then_refused("unknown-report")
    scenario.when(read_by(2)).then_refused("unknown-addressee")


def test_urgent_reports_are_the_same_after_they_were_stored():
    """Sealed, encoded and decoded events fold to the same case."""
    scenario = at_the_gate().given(report(), read_by(0), report("final"))
    stored = stored_again(scenario.events)

    assert stored == tuple(seal(event) for event in scenario.events)
    assert nameless(fold(CaseState(), stored)) == nameless(seal(scenario.case))
