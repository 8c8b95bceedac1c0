"""Bodies that a report up passes by are told of the case, its risk and its size, and no more."""

from datetime import timedelta

import pytest

from mediation.case.custody import AcceptCustody, CustodyMoveRequested
from mediation.case.intake import RaiseFlag
from mediation.network.accounts import Role
from projections.base import create, reading
from projections.notices import Notice, Notices
from projections.runner import Follower
from tests.projections.desk import Desk, scope_of
from tests.projections.district import LEVELS, PATHS
from tests.projections.histories import events_of


def test_each_body_that_is_passed_by_gets_one_notice_without_personal_data(desk: Desk):
    """From the factory to the district: village and street are told; number, body, risk, size."""
    office = desk.office
    case_id = office.register("meiduo", workers=11)
    office.do(RaiseFlag(flag="EMPLOYER_CLOSED"), case_id)
    office.report_up(case_id)

    for body_id in ("hehua", "xicheng"):
        assert desk.notices(scope_of(body_id)).items == [
            Notice(
                position=sum(map(len, office.written)),
                body_id=body_id,
                case_number=office.cases[case_id].case_number,
                from_body_id="meiduo",
                from_level="enterprise",
                to_body_id="quzong",
                to_level="district",
                risk="RED",
                headcount=11,
                ground="body-absent",
                asked_at=office.at,
            )
        ]
    for body_id in ("meiduo", "quzong", "moju", "dongcheng"):
        assert desk.notices(scope_of(body_id)).items == []


def test_a_notice_stands_as_it_was_given(desk: Desk):
    """Neither the answer nor what comes later changes it; a second request gives a second one."""
    office = desk.office
    case_id = office.register()
    office.report_up(case_id)
    (before,) = desk.notices(scope_of("xicheng")).items
    office.do(RaiseFlag(flag="EMPLOYER_CLOSED"), case_id)
    office.do(AcceptCustody(), case_id, body_id="quzong")
    other = office.register(workers=2)
    office.at += timedelta(hours=1)
    office.report_up(other)

    latest, first = desk.notices(scope_of("xicheng")).items
    assert first == before
    assert (latest.headcount, latest.asked_at) == (2, office.at)
    assert desk.notices(scope_of("xicheng"), at_position=before.position).items == [before]


@pytest.mark.parametrize(
    ("role", "is_told"),
    [
        (Role.CLERK, True),
        (Role.MEDIATOR, True),
        (Role.LEAD, True),
        (Role.COORDINATOR, True),
        (Role.AUDITOR, True),
        (Role.LIAISON, False),
        (Role.DASHBOARD, False),
        (Role.COUNSEL, False),
    ],
)
def test_a_notice_is_read_by_those_who_see_the_cases_of_the_body(desk: Desk, role, is_told):
    """Everybody of the body who sees its cases; a body above it reads its own notices alone."""
    office = desk.office
    office.report_up(office.register())

    assert len(desk.notices(scope_of("xicheng", role)).items) == is_told
    assert desk.notices(scope_of("quzong", Role.COORDINATOR)).items == []


def test_a_body_inside_an_employer_is_never_told(desk: Desk):
    """In a long history no notice goes to an enterprise, and each named body has its own."""
    office = desk.office.stories().live(500)
    told = {
        (it.event_id, body_id)
        for case_id in office.cases
        for it in events_of(office.written, case_id)
        if isinstance(it, CustodyMoveRequested)
        for body_id in it.notified_body_ids
    }
    found = [it for body_id in PATHS for it in desk.notices(scope_of(body_id), limit=10_000).items]

    assert len(found) == len(told) >= 2
    assert "enterprise" not in {LEVELS[it.body_id] for it in found}


def test_notices_are_read_latest_first_page_by_page(desk: Desk):
    """A page goes on where the one before ended."""
    office = desk.office
    for _ in range(5):
        office.report_up(office.register())
    found, after = [], None
    while True:
        page = desk.notices(scope_of("xicheng"), limit=2, after=after)
        found += page.items
        after = page.next_key
        if after is None:
            break

    assert found == desk.notices(scope_of("xicheng")).items
    assert [it.position for it in found] == sorted((it.position for it in found), reverse=True)
    assert len(found) == 5


class TellsTheSender(Notices):
    """A broken twin: the body that reports is told of its own report as well."""

    def fold(self, batch, load):
        """Give each notice a second time, to the body it came from."""
        folded = super().fold(batch, load)
        copies = [(row[0], row[5], *row[2:]) for row in folded[self.notice]]
        return {**folded, self.notice: list({row[:3]: row for row in copies}.values())}


def test_a_notice_to_a_body_inside_an_employer_is_found(desk: Desk, log, store):
    """The proof above goes red when an enterprise is told."""
    office = desk.office
    office.report_up(office.register("meiduo", workers=11))
    desk.follow()
    twin = TellsTheSender(prefix="twin_")
    create(store, [twin])
    Follower(twin, log, store).catch_up()
    with reading(store) as connection:
        found = twin.page(connection, scope_of("hehua")).items

    with pytest.raises(AssertionError):
        assert "enterprise" not in {LEVELS[it.body_id] for it in found}
