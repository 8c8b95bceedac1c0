"""Who sees which case and how much of it: one predicate, however it is asked."""

import sqlite3
from contextlib import closing
from datetime import date
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediation.authority import (
    TABLE,
    Visibility,
    Where,
    columns_of,
    may_read_clear,
    through,
)
from mediation.errors import NotFound, NotPermitted
from mediation.network import Role
from tests.views import (
    DISTRICT,
    FIRM,
    HERS,
    LONG_AGO,
    ME,
    MINE,
    NEXT_STREET,
    NEXT_VILLAGE,
    NOBODYS,
    OTHER,
    PATHS,
    STREET,
    THIRD,
    TODAY,
    VILLAGE,
    View,
    grant,
    id_of,
    moving,
    scope_of,
    use,
)


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
        mediator_ids=tuple(draw(st.lists(ids, unique=True))),
        receiver_body_id=None if receiver is None else id_of(receiver),
        receiver_path=receiver,
        former_paths=tuple(draw(st.lists(paths, unique=True))),
        filed_by_id=draw(st.none() | ids),
        risk=draw(st.sampled_from(("RED", "YELLOW", "GREEN"))),
        move=requester,
        sealing_body_id=draw(st.none() | paths.map(id_of)),
    )


@settings(max_examples=300)
@given(grants, views())
def test_the_grants_through_which_a_case_is_seen_show_it_and_no_other_shows_more(held, view):
    """They alone give the same sight as all of them together; with none of them nothing is seen."""
    seeing = through(held, view, actor_id=ME, on=TODAY)
    whole = scope_of(*held).sees(view)

    assert set(seeing) <= set(held)
    assert scope_of(*seeing).sees(view) == whole
    assert bool(seeing) == (whole != Visibility.NONE)


@pytest.mark.parametrize(
    ("held", "reading"),
    [
        ([("counsel", NEXT_STREET)], "clients"),
        ([("mediator", NEXT_STREET)], "clients"),
        ([("counsel", VILLAGE), ("coordinator", DISTRICT)], "with-reason"),
        ([("counsel", VILLAGE), ("lead", VILLAGE)], "yes"),
        ([("dashboard", DISTRICT)], "no"),
    ],
)
def test_counsel_reads_what_is_his_clients(held, reading):
    """By his appointment alone; what else he may read he may by the office he holds."""
    view = View(counsel_ids=frozenset({ME}))
    grants = [grant(role, at) for role, at in held]

    assert may_read_clear(grants, view, actor_id=ME, on=TODAY) == reading


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
        View(custody_path=DISTRICT, mediator_ids=(OTHER, ME)),
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
