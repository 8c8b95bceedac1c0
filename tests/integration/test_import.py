"""Sheets of paper cases through the door, on both databases: each case once, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest

from api.importing.desk import report_of
from api.importing.ledger import Entry, read_ledger
from api.importing.run import RowTold, approved, carried_out, keyed
from mediation import kernel
from mediation.application import Answer, Mediation, Request
from mediation.case.values import Phase
from mediation.errors import OutcomeUnknown
from tests.canary import find_in_bytes, find_in_database
from tests.conftest import Clock
from tests.paper import CANARIES, as_csv, as_xlsx, open_case, settled
from tests.wiring import Office, an_office, vault_beside

LEAD, CLERK, COORDINATOR = "lead@hengjie", "clerk@hengjie", "coordinator@hq"


@pytest.fixture
def opened(database: str, clock: Clock) -> Iterator[Callable[..., Office]]:
    """Open an office on a fresh database, on Monday 2 March 2026; given another door, on that."""
    with ExitStack() as closing:
        yield lambda door=Mediation: closing.enter_context(
            an_office(database, clock=clock, door=door)
        )


@pytest.fixture
def office(opened: Callable[..., Office]) -> Office:
    """An office with nothing registered in it."""
    return opened()


def run(
    office: Office,
    who: str,
    entries: Sequence[Entry],
    *,
    approvals: Mapping[str, str] | None = None,
    is_dry_run: bool = False,
) -> Iterator[RowTold]:
    """Import cases as somebody."""
    return carried_out(
        office.mediation,
        keyed(office.mediation, entries),
        actor_id=office.accounts[who],
        approvals=approvals or {},
        is_dry_run=is_dry_run,
        route="a test",
    )


def imported(office: Office, who: str, data: bytes, **more: Any) -> list[RowTold]:
    """Import a file as somebody."""
    return list(run(office, who, read_ledger(data), **more))


def approvals(office: Office, who: str, data: bytes, *, of: str) -> dict[str, str]:
    """Let somebody approve the late rows of a file that another is going to import."""
    drawn = approved(
        office.mediation,
        keyed(office.mediation, read_ledger(data)),
        approver_id=office.accounts[who],
        actor_id=office.accounts[of],
        route="a test",
    )
    return {row.key or "": token for row, token in drawn if token}


def statuses(rows: Sequence[RowTold]) -> list[str]:
    """Give what became of each row."""
    return [row.status for row in rows]


def codes(rows: Sequence[RowTold]) -> list[list[str]]:
    """Give the rules that refused each row."""
    return [[it.code for it in row.problem.refusals] if row.problem else [] for row in rows]


def registered(office: Office) -> list[Any]:
    """Give every registration in the log."""
    log = office.mediation.log
    recorded = log.read(0, log.head().position)
    return [kernel.decode(it.topic, it.state) for it in recorded if "case.registered" in it.topic]


def case_of(office: Office, row: RowTold) -> Any:
    """Give the case that a row became."""
    assert row.case_id is not None, row
    return office.mediation.log.fold(row.case_id, "case")[1]


ROWS = [
    settled("示例甲"),
    settled("示例乙", 结果="书面承诺", 履行日="2026-03-05"),
    open_case("示例丙"),
]


# What an import does


def test_a_sheet_becomes_cases_as_if_they_had_been_typed_in_one_by_one(office: Office):
    """Settled and closed, settled and to be paid, and registered; each by whoever imports."""
    rows = imported(office, LEAD, as_csv(ROWS))

    assert statuses(rows) == ["recorded"] * 3
    assert [row.row for row in rows] == [2, 3, 4]
    cases = [case_of(office, row) for row in rows]
    assert [it.phase for it in cases] == [Phase.CLOSED, Phase.PERFORMING, Phase.REGISTERED]
    assert [it.case_number for it in cases] == [row.case_number for row in rows]
    assert len({row.case_number for row in rows}) == 3
    assert {it.filed_by_id for it in cases} == {office.accounts[LEAD]}


def test_what_only_the_decider_finds_is_pointed_at_in_the_sheet(office: Office):
    """By row and column, which the sentence names too; of settled cases and of open ones."""
    wrong = (
        ({"来源": "court-delegated"}, "/2/Channel", "来源"),
        ({"单位": "13900001111公司"}, "/2/Employer", "单位"),
        ({"日期": "2026-03-05", "履行日": "2026-03-05"}, "/2/Date", "日期"),
    )
    for changes, pointer, column in wrong:
        for row in (settled("示例甲", **changes), open_case("示例甲", **changes)):
            row |= {"履行日": row["履行日"] if row["结果"] else ""}
            (told,) = imported(office, LEAD, as_csv([row]))
            assert told.problem is not None
            assert pointer in [it.pointer for it in told.problem.errors]
            assert told.problem.detail_i18n.zh.startswith("“")
            assert f"“{column}”" in told.problem.detail_i18n.zh
            assert pointer.rpartition("/")[2] in told.problem.detail_i18n.en


def test_a_dry_run_says_what_would_become_of_each_row_and_writes_nothing(office: Office):
    """Refused is what would be refused; afterwards, what is there already."""
    head = office.mediation.log.head().position
    data = as_csv([*ROWS, open_case("示例丁", 日期="2026-03-03"), open_case("", 来源="x")])

    rows = imported(office, LEAD, data, is_dry_run=True)

    assert statuses(rows) == ["would-record"] * 3 + ["malformed"] * 2
    assert [it.problem.code for it in rows if it.problem] == ["future-time", "row-malformed"]
    assert office.mediation.log.head().position == head
    assert all(row.case_id is None for row in rows)
    assert statuses(imported(office, LEAD, data)) == ["recorded"] * 3 + ["malformed"] * 2
    head = office.mediation.log.head().position
    again = imported(office, LEAD, data, is_dry_run=True)
    assert statuses(again) == ["already"] * 3 + ["malformed"] * 2
    assert office.mediation.log.head().position == head


def test_a_refused_row_stops_no_other(office: Office):
    """A clerk may register and not settle; what he may not do is told row by row."""
    rows = imported(office, CLERK, as_csv(ROWS))

    assert statuses(rows) == ["refused", "refused", "recorded"]
    assert [it.problem.code for it in rows if it.problem] == ["not-permitted"] * 2
    assert len(registered(office)) == 1


def test_an_account_without_a_role_imports_nothing(office: Office):
    """Nothing goes past authority: every row is refused."""
    stranger = office.do("system", "x", "open-account", {"display_name": "示例"}).stream.id
    office.accounts["stranger"] = stranger  # type: ignore[index]

    assert statuses(imported(office, "stranger", as_csv(ROWS))) == ["refused"] * 3
    assert registered(office) == []


def test_the_limits_of_the_one_form_hold_for_rows(office: Office):
    """Over the sum, or with four workers, a case goes step by step."""
    large = settled("示例甲", **{"金额(元)": "10000.01"})
    four = [settled(f"示例{at}", 案件序号="1") for at in range(4)]
    rows = imported(office, LEAD, as_csv([large, *four]))

    assert codes(rows) == [["sum-too-large"], ["too-many-workers"]]


# Once, whatever happens


def test_the_same_sheet_again_answers_as_before(office: Office):
    """The same cases and numbers, in whatever format it was saved meanwhile."""
    first = imported(office, LEAD, as_csv(ROWS))
    head = office.mediation.log.head().position

    for data in (as_csv(ROWS), as_csv(ROWS, encoding="gb18030", delimiter="\t"), as_xlsx(ROWS)):
        again = imported(office, LEAD, data)
        assert statuses(again) == ["already"] * 3
        assert [(it.key, it.case_id, it.case_number) for it in again] == [
            (it.key, it.case_id, it.case_number) for it in first
        ]
    assert office.mediation.log.head().position == head


def test_rows_added_moved_or_sorted_never_make_a_case_twice(office: Office):
    """Only what is new is recorded, wherever in the sheet it stands."""
    imported(office, LEAD, as_csv(ROWS))
    grown = [open_case("示例丁"), *reversed(ROWS), open_case("示例戊")]

    assert statuses(imported(office, LEAD, as_csv(grown))) == [
        "recorded",
        *["already"] * 3,
        "recorded",
    ]
    assert len(registered(office)) == 5


def test_keys_that_knew_the_place_of_a_row_would_make_cases_twice(office: Office):
    """The proof above can fail: with the row's number in its key, a row added above doubles all."""

    def by_place(rows: list[dict[str, str]]) -> list[Entry]:
        entries = read_ledger(as_csv(rows))
        return [it._replace(content=it.content + str(it.rows).encode()) for it in entries]

    list(run(office, LEAD, by_place(ROWS)))
    again = list(run(office, LEAD, by_place([open_case("示例丁"), *ROWS])))

    assert statuses(again) == ["recorded"] * 4
    assert len(registered(office)) == 7


def test_two_equal_rows_are_two_cases_and_stay_two(office: Office):
    """Of equal rows, the first is always the first; a third is a third case."""
    row = open_case("示例甲")
    first = imported(office, LEAD, as_csv([row, row]))
    grown = imported(office, LEAD, as_csv([row, open_case("示例乙"), row, row]))

    assert statuses(first) == ["recorded", "recorded"]
    assert first[0].case_id != first[1].case_id
    assert statuses(grown) == ["already", "recorded", "already", "recorded"]
    assert [grown[0].case_id, grown[2].case_id] == [it.case_id for it in first]


def _dying(after: int, *, has_committed: bool) -> type[Mediation]:
    """Make a door that is killed at one command, before or after it was written."""

    class Dying(Mediation):
        alive = after

        def execute(self, request: Request) -> Answer:
            if not request.key.startswith("import-"):
                return super().execute(request)
            Dying.alive -= 1
            if Dying.alive == 0 and not has_committed:
                raise KeyboardInterrupt
            answer = super().execute(request)
            if Dying.alive == 0:
                raise KeyboardInterrupt
            return answer

    return Dying


@pytest.mark.parametrize("has_committed", [False, True])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_an_import_that_is_killed_goes_on_where_it_was(
    opened: Callable[..., Office], after: int, *, has_committed: bool
):
    """Before or after the commit of any row: the same file again gives each case exactly once."""
    office = opened(_dying(after, has_committed=has_committed))
    with pytest.raises(KeyboardInterrupt):
        imported(office, LEAD, as_csv(ROWS))
    done = after if has_committed else after - 1
    assert len(registered(office)) == done

    rows = imported(office, LEAD, as_csv(ROWS))

    assert statuses(rows) == ["already"] * done + ["recorded"] * (3 - done)
    assert len(registered(office)) == 3
    assert len({row.case_id for row in rows}) == 3


def test_an_outcome_that_is_unknown_ends_the_run(opened: Callable[..., Office]):
    """It is not told as a refusal: whether the row was recorded is found out by the next run."""

    class Silent(Mediation):
        rows = 0

        def execute(self, request: Request) -> Answer:
            answer = super().execute(request)
            Silent.rows += request.key.startswith("import-")
            if Silent.rows == 2:
                raise OutcomeUnknown
            return answer

    office = opened(Silent)
    rows = run(office, LEAD, read_ledger(as_csv(ROWS)))

    assert next(rows).status == "recorded"
    with pytest.raises(OutcomeUnknown):
        next(rows)
    assert statuses(imported(office, LEAD, as_csv(ROWS[:2]))) == ["already"] * 2


def test_a_row_that_an_older_release_recorded_otherwise_is_not_recorded_again(office: Office):
    """The key is what the row says; the form it takes may change from release to release."""
    entries = read_ledger(as_csv(ROWS[:1]))
    list(run(office, LEAD, entries))
    command: Any = entries[0].command
    other = msgspec.structs.replace(command, consent_means="phone")

    [row] = run(office, LEAD, [entries[0]._replace(command=other)])

    assert row.status == "refused"
    assert row.problem is not None
    assert row.problem.code == "key-reused"
    assert "Idempotency" not in row.problem.detail_i18n.en
    assert len(registered(office)) == 1


# Late rows

LATE = [open_case("示例甲", 日期="2026-02-20"), open_case("示例乙")]
VERY_LATE = [open_case("示例丙", 日期="2026-01-05")]


def test_whoever_holds_the_key_imports_late_rows_by_himself(office: Office):
    """The lead of the body, ten days back; the cases name him as the one who approved."""
    rows = imported(office, LEAD, as_csv(LATE))

    assert statuses(rows) == ["recorded", "recorded"]
    assert [it.approved_by_ids for it in registered(office)] == [(office.accounts[LEAD],), ()]


def test_late_rows_wait_for_an_approval_of_the_same_file(office: Office):
    """Refused without, recorded with it; the rest of the sheet does not wait."""
    late = as_csv(LATE)

    refused = imported(office, CLERK, late)
    drawn = approvals(office, LEAD, late, of=CLERK)
    recorded = imported(office, CLERK, late, approvals=drawn)

    assert statuses(refused) == ["refused", "recorded"]
    assert codes(refused)[0] == ["back-dating-needs-approval"]
    assert list(drawn) == [refused[0].key]
    assert statuses(recorded) == ["recorded", "already"]
    assert registered(office)[1].approved_by_ids == (office.accounts[LEAD],)


def test_an_approval_is_good_for_its_row_and_its_importer_alone(office: Office):
    """Not for another row, not for a row that was changed, and not for somebody else."""
    late = as_csv([open_case("示例甲", 日期="2026-02-20"), open_case("示例乙", 日期="2026-02-19")])
    drawn = approvals(office, LEAD, late, of=CLERK)
    swapped = dict(zip(drawn, reversed(list(drawn.values())), strict=True))
    changed = as_csv([open_case("示例甲", 日期="2026-02-18")])

    assert (
        codes(imported(office, CLERK, late, approvals=swapped))
        == [["approval-for-another-command"]] * 2
    )
    assert statuses(imported(office, CLERK, changed, approvals=drawn)) == ["refused"]
    assert statuses(imported(office, "mediator@hengjie", late, approvals=drawn)) == ["refused"] * 2
    assert statuses(imported(office, CLERK, late, approvals=drawn)) == ["recorded"] * 2


def test_rows_older_than_thirty_days_need_two_people(office: Office):
    """The lead's approval alone does not do, with the coordinator's it does; a lead has his own."""
    data = as_csv(VERY_LATE)
    of_lead = approvals(office, LEAD, data, of=CLERK)
    of_coordinator = approvals(office, COORDINATOR, data, of=CLERK)
    both = {key: f"{token},{of_coordinator[key]}" for key, token in of_lead.items()}

    assert statuses(imported(office, CLERK, data, approvals=of_lead)) == ["refused"]
    assert statuses(imported(office, CLERK, data, approvals=both)) == ["recorded"]
    mine = approvals(office, COORDINATOR, data, of=LEAD)
    assert statuses(imported(office, LEAD, data)) == ["refused"]
    assert statuses(imported(office, LEAD, data, approvals=mine)) == ["recorded"]


def test_who_approves_is_told_of_each_row(office: Office, clock: Clock):
    """Approved, without need, recorded already, malformed, or not his to approve."""
    rows = [open_case("示例甲", 日期="2026-02-20"), open_case("示例乙"), open_case("示例丙")]
    imported(office, CLERK, as_csv(rows[2:]))
    cases = keyed(office.mediation, read_ledger(as_csv([*rows, open_case("", 事项="x")])))

    def told(who: str, of: str) -> list[str]:
        drawn = approved(
            office.mediation,
            cases,
            approver_id=office.accounts[who],
            actor_id=office.accounts[of],
            route="a test",
        )
        return [row.status for row, _ in drawn]

    assert told(LEAD, CLERK) == ["approved", "needs-no-approval", "already", "malformed"]
    assert told("lead@dongcheng", CLERK)[0] == "refused"
    assert told(CLERK, CLERK)[0] == "refused"
    assert told(LEAD, LEAD)[0] == "refused"


# Nothing personal


def test_nothing_that_was_typed_in_comes_back_or_lies_about(office: Office, database: str):
    """Neither in the answers nor in a report nor in clear on disk, whatever became of the row."""
    name, phone = CANARIES
    typed = {"职工": name, "联系方式": phone, "请求": f"{name}请求支付工资，电话{phone}"}
    rows = [
        settled("", **typed),
        open_case("", **typed),
        open_case("", **{**typed, "来源": name}),
        settled("", **{**typed, "日期": "2026-03-09", "单位": name}),
        settled("", **{**typed, "日期": "2025-03-09", "单位": name}),
    ]
    told = [*imported(office, LEAD, as_csv(rows)), *imported(office, CLERK, as_xlsx(rows))]

    assert set(statuses(told)) == {"recorded", "refused", "malformed"}
    said = msgspec.json.encode(told) + report_of(told)
    assert find_in_bytes(said, CANARIES) == []
    assert find_in_database(database, CANARIES) == []
    assert find_in_database(vault_beside(database), CANARIES) == []
