"""The register of cases: one row each, shown as far as its reader sees the case."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from mediation.authority import Scope
from mediation.case.custody import AcceptCustody
from mediation.errors import NotFound
from mediation.network.accounts import Grant, Role
from projections.base import reading
from tests.projections.district import LONG_AGO, PATHS
from tests.projections.histories import Office, append


def scope_of(body_id: str, role: Role = Role.LEAD) -> Scope:
    """Give the scope of somebody with one role at one body."""
    grant = Grant(role=role, body_id=body_id, path=PATHS[body_id], from_on=LONG_AGO)
    return Scope([grant], actor_id=UUID(int=1), on=date(2026, 3, 30))


EVERYTHING = scope_of("quzong", Role.COORDINATOR)


@pytest.fixture
def office() -> Office:
    """An empty office."""
    return Office()


@pytest.fixture
def fold(log, followers):
    """Append what an office decided, and fold it."""

    def fold_all(office: Office) -> None:
        append(log, office.written)
        followers[0].catch_up()

    return fold_all


def test_a_row_says_how_the_case_stands(office, fold, store, case_file):
    """Money, dates, people and versions of a case that was settled and is being paid."""
    case_id = office.register(workers=2)
    office.mediate(case_id)
    office.promise(case_id, date(2026, 3, 6))
    office.settle(case_id)
    fold(office)
    with reading(store) as connection:
        item = case_file.one(connection, EVERYTHING, case_id)
    case = office.cases[case_id]

    assert item["case_number"] == case.case_number
    assert (item["applicants"], item["respondents"]) == (2, 1)
    assert (item["claimed_fen"], item["agreed_fen"], item["applied_fen"]) == (200_001, 200_001, 0)
    assert item["received_on"] == item["accepted_on"] == item["concluded_on"] == date(2026, 3, 2)
    assert (item["phase"], item["outcome"]) == ("PERFORMING", "SETTLED")
    assert (item["next_due_on"], item["next_due_code"]) == (date(2026, 3, 7), "D10")
    assert item["assigned_ids"] == list(case.mediator_ids)
    assert item["version"] == case.version
    assert item["updated_position"] == sum(map(len, office.written))
    assert item["visibility"] == "full"
    assert not item.keys() & {"standing", "assigned", "former", "custody_path", "filed_by_id"}
    # By which way it came in is told with the case itself, not to everybody who lists it.
    assert "channel" not in item


def test_the_receiver_reads_a_summary_and_the_former_body_the_result(
    office, fold, store, case_file
):
    """Before its answer a body reads what the move is about; after it the sender the outcome."""
    coming, gone = office.register(workers=2), office.register()
    office.move(coming, "moju")
    office.move(gone, "moju")
    office.do(AcceptCustody(), gone, body_id="moju")
    fold(office)
    with reading(store) as connection:
        receiver, sender = scope_of("moju", Role.CLERK), scope_of("hehua")
        assert case_file.one(connection, receiver, gone)["visibility"] == "full"
        assert case_file.one(connection, receiver, coming) == {
            "case_id": coming,
            "case_number": office.cases[coming].case_number,
            "level": "village-industry",
            "risk": "GREEN",
            "applicants": 2,
            "pending_kind": "TRANSFER",
            "custody_body_id": "hehua",
            "visibility": "receiver",
        }
        assert case_file.one(connection, sender, gone) == {
            "case_id": gone,
            "case_number": office.cases[gone].case_number,
            "level": "village-industry",
            "phase": "REGISTERED",
            "outcome": None,
            "visibility": "former",
        }
        for nobody in (scope_of("dongcheng"), scope_of("quzong", Role.DASHBOARD)):
            with pytest.raises(NotFound):
                case_file.one(connection, nobody, gone)
        with pytest.raises(NotFound):
            case_file.one(connection, EVERYTHING, UUID(int=404))


def test_a_filter_does_not_tell_what_is_masked(office, fold, store, case_file):
    """Who may not know the phase, or where a case went, does not learn it by asking for it."""
    coming, gone = office.register(), office.register()
    office.move(coming, "moju")
    office.move(gone, "moju")
    office.do(AcceptCustody(), gone, body_id="moju")
    fold(office)
    with reading(store) as connection:
        by_phase = case_file.page(connection, scope_of("moju"), phase="REGISTERED")
        by_body = case_file.page(connection, scope_of("hehua"), body_id="moju")
        of_body = case_file.page(connection, EVERYTHING, body_id="moju", level="village-industry")
    assert [it["case_id"] for it in by_phase.items] == [gone]
    assert by_body.items == []
    assert [it["case_id"] for it in of_body.items] == [gone]


def test_pages_go_back_in_time_without_gap_or_repeat(office, fold, store, case_file):
    """The latest case comes first; a page goes on where the one before ended."""
    ids = []
    for day in range(8):
        office.at += timedelta(days=day % 2)
        ids.append(office.register())
    fold(office)
    found, after = [], None
    with reading(store) as connection:
        while True:
            page = case_file.page(connection, EVERYTHING, limit=3, after=after)
            assert page.as_of_position == 2 * len(ids)
            found += page.items
            if page.next_key is None:
                break
            after = page.next_key

    assert sorted(it["case_id"] for it in found) == sorted(ids)
    received = [it["received_on"] for it in found]
    assert received == sorted(received, reverse=True)
