"""Who may do what and who sees what: each cell of the table, and scope equal on both its sides."""

import sqlite3
from contextlib import closing
from datetime import date
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid5

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediation import authority
from mediation.authority import (
    SYSTEM_GRANT,
    TABLE,
    CaseView,
    ClearReading,
    Condition,
    Scope,
    Visibility,
    Where,
    allow,
    check_table,
    columns_of,
    may,
    may_read_clear,
)
from mediation.case.state import CaseState
from mediation.errors import NotFound, NotPermitted
from mediation.kernel import commands
from mediation.network import Grant, NetworkState, Role

TODAY = date(2026, 3, 2)
LONG_AGO = date(2020, 1, 1)
SEED = UUID("00000000-0000-4000-8000-000000000002")
ME, OTHER, THIRD = (uuid5(SEED, name) for name in ("me", "other", "third"))

DISTRICT, STREET, VILLAGE, FIRM = (
    "/hy/",
    "/hy/dongcheng/",
    "/hy/dongcheng/hengjie/",
    "/hy/dongcheng/hengjie/factory/",
)
NEXT_STREET, NEXT_VILLAGE = "/hy/xicheng/", "/hy/xicheng/luqiao/"
PATHS = (DISTRICT, STREET, VILLAGE, FIRM, NEXT_STREET, NEXT_VILLAGE)


def id_of(path):
    """Give the id of the body at a path."""
    return path.rstrip("/").rpartition("/")[2]


BODIES: Any = {id_of(path): SimpleNamespace(path=path) for path in PATHS}
NETWORK = NetworkState(bodies=BODIES)


def grant(role, path, **changes):
    """Make a grant of a role at a body."""
    fields = {"role": role, "body_id": id_of(path), "path": path, "from_on": LONG_AGO}
    return SYSTEM_GRANT if role == Role.SYSTEM else Grant(**(fields | changes))


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A case in custody of the village, as far as authority asks."""

    custody_body_id: str = "hengjie"
    custody_path: str = VILLAGE
    assigned_ids: tuple[UUID, ...] = ()
    receiver_body_id: str | None = None
    receiver_path: str | None = None
    former_paths: tuple[str, ...] = ()
    filed_by_id: UUID | None = OTHER
    risk: str = "GREEN"
    move: SimpleNamespace | None = None


MINE = View(assigned_ids=(ME,))
HERS = View(assigned_ids=(OTHER,))
NOBODYS = View()
RED = View(assigned_ids=(ME,), risk="RED")


def moving(to=STREET, by=OTHER, **changes):
    """Show the village's case with a pending move to another body."""
    return View(
        receiver_body_id=id_of(to),
        receiver_path=to,
        move=SimpleNamespace(requested_by_id=by),
        **changes,
    )


def asks(kind):
    """Make a request for a move of this kind."""
    return SimpleNamespace(kind=kind)


def names(path, field="body_id"):
    """Make a command that names the body at a path, or none."""
    return SimpleNamespace(**{field: None if path is None else id_of(path)})


class Ex(msgspec.Struct, frozen=True):
    """One question: the body of the actor's only grant, the command, the case."""

    at: str
    view: View | None = None
    command: object = None


# Conditions by example. Each refusal is of somebody who sees the case, so what is missing is
# permission and not scope; a body below or beside is what tells one condition from another.
OWN_BODY = ([Ex(VILLAGE, HERS), Ex(VILLAGE, NOBODYS)], [Ex(STREET, MINE), Ex(STREET, NOBODYS)])
OWN_BODY_ONLY = ([Ex(VILLAGE, HERS), Ex(VILLAGE, NOBODYS)], [Ex(STREET, HERS)])
IN_SCOPE = (
    [Ex(DISTRICT, HERS), Ex(VILLAGE, NOBODYS)],
    [Ex(NEXT_STREET, MINE), Ex(STREET, moving(STREET, custody_path=NEXT_VILLAGE))],
)
ASSIGNED = ([Ex(NEXT_STREET, MINE), Ex(VILLAGE, MINE)], [Ex(VILLAGE, HERS), Ex(VILLAGE, NOBODYS)])
FOR_ME, FOR_HER = SimpleNamespace(mediator_id=ME), SimpleNamespace(mediator_id=OTHER)
FOR_HIMSELF = ([Ex(VILLAGE, MINE, FOR_ME)], [Ex(VILLAGE, HERS), Ex(VILLAGE, MINE, FOR_HER)])
OWN_CASE = (
    [Ex(NEXT_STREET, MINE), Ex(VILLAGE, NOBODYS), Ex(VILLAGE, MINE)],
    [Ex(VILLAGE, HERS), Ex(STREET, NOBODYS)],
)
OWN_CLIMB = (
    [
        Ex(VILLAGE, MINE, asks("ESCALATE")),
        Ex(VILLAGE, NOBODYS, asks("ESCALATE")),
        Ex(VILLAGE, RED, asks("REPORT_UP")),
        Ex(VILLAGE, MINE),
    ],
    [
        Ex(VILLAGE, HERS, asks("ESCALATE")),
        Ex(VILLAGE, MINE, asks("REPORT_UP")),
        Ex(VILLAGE, RED, asks("TRANSFER")),
        Ex(VILLAGE, RED, asks("ASSIGN_DOWN")),
        Ex(VILLAGE, HERS),
    ],
)
LEADS_MOVE = (
    [Ex(VILLAGE, HERS, asks("REPORT_UP")), Ex(VILLAGE, MINE, asks("TRANSFER"))],
    [Ex(STREET, HERS, asks("REPORT_UP"))],
)
RECEIVER = ([Ex(STREET, moving())], [Ex(VILLAGE, moving()), Ex(DISTRICT, moving())])
OVER_RECEIVER = (
    [Ex(STREET, moving()), Ex(DISTRICT, moving())],
    [Ex(VILLAGE, moving()), Ex(DISTRICT, NOBODYS)],
)
REQUESTER = ([Ex(VILLAGE, moving(by=ME))], [Ex(VILLAGE, moving()), Ex(VILLAGE, NOBODYS)])
HERE = (
    [Ex(VILLAGE, None, names(VILLAGE)), Ex(VILLAGE, None, names(None)), Ex(VILLAGE)],
    [Ex(VILLAGE, None, names(FIRM)), Ex(VILLAGE, None, names(NEXT_STREET))],
)
HERE_OR_BELOW = (
    [Ex(STREET, None, names(FIRM)), Ex(STREET, None, names(STREET)), Ex(STREET)],
    [Ex(STREET, None, names(DISTRICT)), Ex(STREET, None, names(NEXT_STREET))],
)
BODY_BELOW = (
    [Ex(STREET, None, names(FIRM)), Ex(STREET, None, names(STREET)), Ex(STREET)],
    [Ex(STREET, None, names(DISTRICT)), Ex(STREET, None, names(NEXT_VILLAGE))],
)
PARENT_BELOW = (
    [
        Ex(STREET, None, names(STREET, "parent_id")),
        Ex(STREET, None, names(VILLAGE, "parent_id")),
        Ex(DISTRICT, None, names(None, "parent_id")),
        Ex(STREET),
    ],
    [
        Ex(STREET, None, names(DISTRICT, "parent_id")),
        Ex(STREET, None, names(None, "parent_id")),
    ],
)
ANYONE: tuple[list[Ex], list[Ex]] = ([Ex(DISTRICT, None, names(STREET)), Ex(FIRM)], [])

WRITTEN = {"mediator": OWN_CASE, "clerk": OWN_BODY, "lead": OWN_BODY}
DECIDED = {"lead": OWN_BODY_ONLY, "coordinator": IN_SCOPE}
MEDIATED = {"mediator": OWN_CASE, "lead": OWN_CASE, "coordinator": ASSIGNED}
RECEIVED = {"lead": RECEIVER, "coordinator": OVER_RECEIVER}
KEPT = {"coordinator": BODY_BELOW, "system": ANYONE}

EXPECTED = {
    "register-case": {
        **dict.fromkeys(("liaison", "clerk", "mediator", "lead"), HERE),
        "coordinator": HERE_OR_BELOW,
    },
    "ask-consent": WRITTEN,
    "record-consent": WRITTEN,
    "serve-rights-notice": WRITTEN,
    "serve-remedies-notice": WRITTEN,
    "record-transfer-sheet": WRITTEN,
    "accept-case": DECIDED,
    "refuse-case": DECIDED,
    "raise-flag": DECIDED,
    "clear-flag": DECIDED,
    "assign-mediators": DECIDED,
    "close-case": DECIDED,
    "confirm-assignment": dict.fromkeys(("mediator", "lead", "coordinator"), FOR_HIMSELF),
    "decline-assignment": {"mediator": FOR_HIMSELF, **DECIDED},
    "record-session": {
        "clerk": OWN_BODY,
        "mediator": OWN_CASE,
        "lead": ASSIGNED,
        "coordinator": ASSIGNED,
    },
    "give-undertaking": MEDIATED,
    "record-settlement": MEDIATED,
    "conclude-mediation": MEDIATED,
    "fail-mediation": MEDIATED,
    "record-performance": {**WRITTEN, "coordinator": IN_SCOPE},
    "request-custody-move": {"mediator": OWN_CLIMB, "lead": LEADS_MOVE, "coordinator": IN_SCOPE},
    "accept-custody": RECEIVED,
    "decline-custody": RECEIVED,
    "withdraw-custody-move": {"mediator": REQUESTER, "lead": OWN_BODY, "coordinator": IN_SCOPE},
    "open-service-point": {"coordinator": PARENT_BELOW, "system": ANYONE},
    "close-service-point": KEPT,
    "set-capacity": KEPT,
    "appoint-mediator": KEPT,
    "end-appointment": KEPT,
    "open-account": {"coordinator": ANYONE, "system": ANYONE},
    "grant-role": KEPT,
    "revoke-role": KEPT,
}
CELLS = [(name, role) for name, row in EXPECTED.items() for role in row]


def use(name, grants, view=None, command=None):
    """Put a question to the table as the door does, and give the grant that is used."""
    return allow(name, command, grants, view, actor_id=ME, on=TODAY, network=NETWORK)


def asked(name, role, example):
    """Put one example to the table: the role of the grant used, or "refused"."""
    try:
        return use(name, [grant(role, example.at)], example.view, example.command).role
    except NotPermitted:
        return "refused"


def scope_of(*grants):
    """Give the scope of somebody with these grants."""
    return Scope(grants, actor_id=ME, on=TODAY)


def check_cell(name, role):
    """Assert that the cell allows what it should and refuses what it should, and no more."""
    allowed, refused = EXPECTED[name][role]
    for example in allowed:
        assert asked(name, role, example) == role, (name, role, example)
    for example in refused:
        assert asked(name, role, example) == "refused", (name, role, example)


def check_absent(name):
    """Assert that no role without a cell in this row may do anything by it."""
    for role in set(Role) - set(EXPECTED[name]):
        for examples, _ in EXPECTED[name].values():
            for example in examples:
                scope = scope_of(grant(role, example.at))
                if example.view is None or scope.sees(example.view) is not Visibility.NONE:
                    assert asked(name, role, example) == "refused", (name, role, example)


@pytest.mark.parametrize(("name", "role"), CELLS)
def test_each_cell_allows_and_refuses_what_the_office_says(name, role):
    """For every command and role there are people who may and people who see it but may not."""
    check_cell(name, role)


@pytest.mark.parametrize("name", EXPECTED)
def test_no_other_role_may_do_it(name):
    """A role that the row does not name may not, however near it stands to the case."""
    check_absent(name)


def test_the_examples_cover_the_table_exactly():
    """Not one cell of the table is without example, and not one example without cell."""
    assert {name: set(row) for name, row in TABLE.items()} == {
        name: set(row) for name, row in EXPECTED.items()
    }


@pytest.mark.parametrize(("name", "role"), CELLS)
def test_a_table_without_one_cell_is_caught(name, role, monkeypatch):
    """The proof has teeth: take any cell out, or its condition, and the examples go red."""
    row = TABLE[name]
    without = {other: condition for other, condition in row.items() if other != role}
    monkeypatch.setattr(authority, "TABLE", {**TABLE, name: without})
    with pytest.raises(AssertionError):
        check_cell(name, role)

    if row[role] is not authority.ALWAYS:
        for blind in (lambda _asked: True, lambda _asked: False):
            loose = {**row, role: Condition("", "", blind)}
            monkeypatch.setattr(authority, "TABLE", {**TABLE, name: loose})
            with pytest.raises(AssertionError):
                check_cell(name, role)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_table_with_one_role_too_many_is_caught(name, monkeypatch):
    """The proof has teeth: give any row to one more role and the examples go red."""
    for role in authority._ORDER:
        if role not in TABLE[name] and role != Role.LIAISON:
            wider = {**TABLE[name], role: authority.ALWAYS}
            monkeypatch.setattr(authority, "TABLE", {**TABLE, name: wider})
            with pytest.raises(AssertionError):
                check_absent(name)


def test_the_start_up_check_finds_every_gap(monkeypatch):
    """A command without row, a row without command or role, an unordered role: all stop it."""
    check_table(TABLE)
    for wrong in ({*TABLE, "burn-case"}, set(TABLE) - {"close-case"}):
        with pytest.raises(TypeError):
            check_table(wrong)
    for row in ({}, {Role.DASHBOARD: authority.ALWAYS}):
        monkeypatch.setattr(authority, "TABLE", {**TABLE, "close-case": row})
        with pytest.raises(TypeError):
            check_table(TABLE)


def test_every_command_of_the_network_has_its_row():
    """The eight commands of the network and of accounts all stand in the table."""
    kinds = {name: known.command_type.stream_kind for name, known in commands().items()}
    own = {name for name, kind in kinds.items() if kind in ("network", "account")}

    assert len(own) == 8
    assert own <= set(TABLE)


def test_who_may_is_told_from_the_least_powerful_up():
    """The order is the one in which grants are used, so answers never depend on luck."""
    assert may("record-performance") == ("mediator", "clerk", "lead", "coordinator")
    assert may("register-case") == ("mediator", "clerk", "liaison", "lead", "coordinator")


def test_a_refusal_says_in_both_languages_who_may():
    """Nobody is left without knowing whom to ask."""
    with pytest.raises(NotPermitted) as caught:
        use("accept-case", [grant("clerk", VILLAGE)], NOBODYS)

    detail = caught.value.detail
    assert detail.zh == (
        "此事项由以下人员办理：调解组织负责人（本单位承办的案件）；"
        "区级统筹员（本单位及所辖单位的案件）。请转交上述人员办理。"
    )
    assert detail.en == (
        "Ask one of those who may: Lead (cases of his own body); "
        "Coordinator (cases of his body and those below)."
    )


def test_every_condition_is_worded_in_both_languages():
    """The words serve refusals and the reference, so none is empty."""
    for row in TABLE.values():
        for condition in row.values():
            assert any("一" <= letter <= "鿿" for letter in condition.zh)
            assert condition.en.isascii()


def test_the_least_powerful_grant_that_suffices_is_used():
    """The lowest role, then the body in custody, then the nearest; the order given is nothing."""
    several = [grant(role, VILLAGE) for role in ("coordinator", "lead", "mediator")]
    mediator = [grant("mediator", path) for path in (DISTRICT, NEXT_STREET, VILLAGE, FIRM)]
    coordinator = [grant("coordinator", path) for path in (DISTRICT, STREET)]

    for step in (1, -1):
        assert use("record-consent", several[::step], NOBODYS).role == "mediator"
        assert use("accept-case", several[::step], NOBODYS).role == "lead"
        assert use("record-session", mediator[::step], MINE).body_id == "hengjie"
        assert use("close-case", coordinator[::step], MINE).body_id == "dongcheng"


def test_a_grant_has_force_only_in_its_days():
    """Before its first day and from the day it ended, nothing is seen and nothing allowed."""
    for days in ({"from_on": date(2026, 3, 3)}, {"until_on": TODAY}):
        dead = [grant("lead", VILLAGE, **days)]
        with pytest.raises(NotFound):
            use("accept-case", dead, NOBODYS)
        with pytest.raises(NotPermitted):
            use("register-case", dead, command=names(VILLAGE))
        assert not scope_of(*dead).where().matches(columns_of(NOBODYS))
        assert may_read_clear(dead, NOBODYS, actor_id=ME, on=TODAY) is ClearReading.NO


def test_out_of_scope_or_unknown_is_not_found_rather_than_not_permitted():
    """A lead of the next street is not told that the case exists (scenario 16)."""
    with pytest.raises(NotFound):
        use("accept-case", [grant("lead", NEXT_STREET)], NOBODYS)
    with pytest.raises(NotFound):
        use("set-capacity", [grant("coordinator", DISTRICT)], command=names("/nobody/"))


@pytest.mark.parametrize(
    ("role", "at", "view", "seen"),
    [
        ("clerk", VILLAGE, NOBODYS, "full"),
        ("mediator", STREET, HERS, "full"),
        ("lead", DISTRICT, HERS, "full"),
        ("coordinator", DISTRICT, HERS, "full"),
        ("supervisor", STREET, HERS, "full"),
        ("auditor", DISTRICT, HERS, "full"),
        ("lead", FIRM, HERS, "none"),
        ("lead", NEXT_STREET, HERS, "none"),
        ("mediator", NEXT_STREET, MINE, "full"),
        ("lead", NEXT_STREET, MINE, "full"),
        ("coordinator", NEXT_STREET, MINE, "full"),
        ("auditor", NEXT_STREET, MINE, "none"),
        ("liaison", NEXT_STREET, MINE, "none"),
        ("lead", NEXT_STREET, moving(NEXT_VILLAGE), "receiver"),
        ("clerk", NEXT_VILLAGE, moving(NEXT_VILLAGE), "receiver"),
        ("mediator", NEXT_VILLAGE, moving(NEXT_VILLAGE), "receiver"),
        ("coordinator", NEXT_STREET, moving(NEXT_VILLAGE), "receiver"),
        ("auditor", NEXT_VILLAGE, moving(NEXT_VILLAGE), "none"),
        ("lead", STREET, moving(STREET), "full"),
        ("lead", FIRM, View(former_paths=(FIRM,)), "former"),
        ("auditor", FIRM, View(former_paths=(FIRM,)), "former"),
        ("lead", NEXT_STREET, View(former_paths=(NEXT_VILLAGE,)), "none"),
        ("lead", VILLAGE, View(former_paths=(VILLAGE,)), "full"),
        ("liaison", FIRM, View(former_paths=(FIRM,)), "none"),
        ("liaison", VILLAGE, View(filed_by_id=ME), "full"),
        ("liaison", STREET, View(filed_by_id=ME), "full"),
        ("liaison", FIRM, View(filed_by_id=ME, former_paths=(FIRM,)), "former"),
        ("liaison", NEXT_STREET, View(filed_by_id=ME), "former"),
        ("liaison", VILLAGE, View(filed_by_id=OTHER), "none"),
        ("clerk", NEXT_STREET, View(filed_by_id=ME), "none"),
        ("dashboard", DISTRICT, HERS, "none"),
        ("party", VILLAGE, View(filed_by_id=ME), "none"),
        ("records", DISTRICT, HERS, "none"),
        ("system", DISTRICT, HERS, "full"),
    ],
)
def test_what_each_role_sees_of_a_case(role, at, view, seen):
    """At or above custody, assigned, receiving, formerly in custody, filed: and no other way."""
    scope = scope_of(grant(role, at))

    assert scope.sees(view) == seen
    assert scope.where().matches(columns_of(view)) is (seen != "none")


def test_a_body_whose_id_begins_like_another_sees_nothing_of_it():
    """Paths end in a slash, so `dong` is no prefix of `dongcheng`."""
    assert scope_of(grant("lead", "/hy/dong/")).sees(NOBODYS) is Visibility.NONE


@pytest.mark.parametrize(
    ("role", "at", "view", "reading"),
    [
        ("mediator", NEXT_STREET, MINE, "yes"),
        ("mediator", VILLAGE, HERS, "no"),
        ("mediator", VILLAGE, NOBODYS, "no"),
        ("lead", VILLAGE, HERS, "yes"),
        ("lead", STREET, HERS, "no"),
        ("clerk", VILLAGE, HERS, "yes"),
        ("clerk", STREET, HERS, "no"),
        ("coordinator", DISTRICT, HERS, "with-reason"),
        ("coordinator", NEXT_STREET, HERS, "no"),
        ("supervisor", VILLAGE, HERS, "no"),
        ("auditor", VILLAGE, HERS, "no"),
        ("auditor", VILLAGE, MINE, "no"),
        ("dashboard", VILLAGE, HERS, "no"),
        ("liaison", VILLAGE, View(filed_by_id=ME), "no"),
        ("lead", STREET, moving(STREET), "no"),
        ("lead", FIRM, View(former_paths=(FIRM,)), "no"),
    ],
)
def test_who_reads_personal_data_in_clear(role, at, view, reading):
    """Seeing a case is not reading the names in it (L-PIPL 6)."""
    assert may_read_clear([grant(role, at)], view, actor_id=ME, on=TODAY) == reading


def test_the_state_of_a_case_is_a_view():
    """The door asks about the folded state itself: no other object is made for it."""
    case: CaseView = CaseState(custody_body_id="hengjie", custody_path=VILLAGE, filed_by_id=OTHER)
    lead = [grant("lead", VILLAGE)]

    used = use("accept-case", lead, case)
    assert used.body_id == "hengjie"
    assert columns_of(case).custody_path == VILLAGE


ids = st.sampled_from((ME, OTHER, THIRD))
paths = st.sampled_from(PATHS)
grants = st.lists(
    st.builds(grant, st.sampled_from(tuple(Role)), paths)
    | st.builds(
        grant,
        st.sampled_from(tuple(Role)),
        paths,
        from_on=st.sampled_from((LONG_AGO, TODAY, date(2026, 3, 3))),
        until_on=st.sampled_from((None, TODAY, date(2027, 1, 1))),
    ),
    max_size=4,
)


@st.composite
def views(draw):
    """Draw a case anywhere in the district, in any state that scope can tell apart."""
    custody = draw(paths)
    receiver = draw(st.none() | paths)
    requester = None if receiver is None else SimpleNamespace(requested_by_id=draw(ids))
    return View(
        custody_body_id=id_of(custody),
        custody_path=custody,
        assigned_ids=tuple(draw(st.lists(ids, unique=True))),
        receiver_body_id=None if receiver is None else id_of(receiver),
        receiver_path=receiver,
        former_paths=tuple(draw(st.lists(paths, unique=True))),
        filed_by_id=draw(st.none() | ids),
        risk=draw(st.sampled_from(("RED", "YELLOW", "GREEN"))),
        move=requester,
    )


def selects(where, rows):
    """Build SQL from the description of a scope alone; give the numbers of the rows it finds."""
    asked_for = [
        *(("custody_path LIKE ?", f"{prefix}%") for prefix in where.custody_prefixes),
        *(("receiver_path LIKE ?", f"{prefix}%") for prefix in where.receiver_prefixes),
        *(("former LIKE ?", f"%|{path}|%") for path in where.former_paths),
        *(("assigned LIKE ?", f"%|{own}|%") for own in (where.assigned_id,) if own),
        *(("filed_by_id = ?", own) for own in (where.filed_by_id,) if own),
    ]
    either = " OR ".join(["0", *(condition for condition, _ in asked_for)])
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(
            "CREATE TABLE row (custody_path, assigned, receiver_path, former, filed_by_id)"
        )
        connection.executemany(
            "INSERT INTO row VALUES (?, ?, ?, ?, ?)", map(msgspec.structs.astuple, rows)
        )
        query = f"SELECT rowid - 1 FROM row WHERE {either} ORDER BY rowid"  # noqa: S608 -- constants
        return [n for (n,) in connection.execute(query, [value for _, value in asked_for])]


def check_agreement(scope, where, cases):
    """Assert that reading one case, matching a row and selecting rows see the same."""
    seen = [n for n, case in enumerate(cases) if scope.sees(case) is not Visibility.NONE]
    rows = [columns_of(case) for case in cases]
    assert seen == [n for n, row in enumerate(rows) if where.matches(row)]
    assert seen == selects(where, rows)


@given(grants=grants, cases=st.lists(views(), max_size=6))
@settings(max_examples=200, deadline=None)
def test_scope_is_one_predicate_however_it_is_asked(grants, cases):
    """A single read, a row and a SELECT agree for every actor and every case."""
    scope = scope_of(*grants)

    check_agreement(scope, scope.where(), cases)


@pytest.mark.parametrize("part", Where.__struct_fields__)
def test_a_scope_that_lost_one_part_is_caught(part):
    """The proof has teeth: leave any part out of the description and the two disagree."""
    cases = [
        NOBODYS,
        View(custody_path=DISTRICT, receiver_path=VILLAGE),
        View(custody_path=DISTRICT, former_paths=(VILLAGE,)),
        View(custody_path=DISTRICT, assigned_ids=(OTHER, ME)),
        View(custody_path=DISTRICT, filed_by_id=ME),
    ]
    scope = scope_of(grant("mediator", VILLAGE), grant("liaison", VILLAGE))
    where = scope.where()
    check_agreement(scope, where, cases)

    emptied = () if isinstance(getattr(where, part), tuple) else None
    with pytest.raises(AssertionError):
        check_agreement(scope, msgspec.structs.replace(where, **{part: emptied}), cases)


@given(
    grants=grants,
    case=views(),
    name=st.sampled_from([n for n in TABLE if TABLE[n] and n != "register-case"]),
    kind=st.sampled_from(("ESCALATE", "REPORT_UP", "TRANSFER", "SEND_BACK")),
)
@settings(max_examples=200, deadline=None)
def test_nobody_does_what_he_does_not_see(grants, case, name, kind):
    """What is allowed is allowed by one of the actor's own live grants, on a case he sees."""
    command = SimpleNamespace(kind=kind, body_id="hengjie", parent_id="hengjie")
    visible = scope_of(*grants).sees(case) is not Visibility.NONE
    try:
        used = use(name, grants, case, command)
    except NotPermitted:
        assert visible
    except NotFound:
        assert not visible
    else:
        assert visible
        assert used in grants
        assert used.holds(TODAY)
        again = use(name, grants[::-1], case, command)
        assert (again.role, again.body_id) == (used.role, used.body_id)
