"""Who may do what: each cell of the table by examples, and a broken table is caught."""

from datetime import date
from types import SimpleNamespace

import msgspec
import pytest

from mediation.authority import (
    ALWAYS,
    TABLE,
    CaseView,
    ClearReading,
    Condition,
    Visibility,
    check_table,
    columns_of,
    may,
    may_read_clear,
    table,
)
from mediation.case.state import CaseState
from mediation.case.values import Phase
from mediation.errors import NotFound, NotPermitted
from mediation.kernel import commands
from mediation.network import Role
from tests.scenario import in_phase
from tests.views import (
    DISTRICT,
    FIRM,
    HERS,
    ME,
    MINE,
    NEXT_STREET,
    NEXT_VILLAGE,
    NOBODYS,
    OTHER,
    RED,
    STREET,
    TODAY,
    VILLAGE,
    View,
    grant,
    id_of,
    moving,
    scope_of,
    use,
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
IN_SCOPE_OF_CLERK = (
    [Ex(DISTRICT, HERS), Ex(VILLAGE, NOBODYS)],
    [Ex(STREET, moving(STREET, custody_path=NEXT_VILLAGE))],
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
HERE_ALONE = (
    [Ex(FIRM, None, names(FIRM)), Ex(FIRM, None, names(None)), Ex(FIRM)],
    [
        Ex(FIRM, None, names(VILLAGE)),
        Ex(VILLAGE, None, names(VILLAGE)),
        Ex(VILLAGE, None, names(FIRM)),
        Ex(NEXT_VILLAGE, None, names(None)),
    ],
)
# The village has the case; its own seal, that of the street above, or no draft at all.
SEALING = (
    [
        Ex(VILLAGE, View(sealing_body_id="hengjie")),
        Ex(STREET, View(sealing_body_id="dongcheng")),
        Ex(VILLAGE, NOBODYS),
    ],
    [
        Ex(STREET, View(sealing_body_id="hengjie")),
        Ex(VILLAGE, View(sealing_body_id="dongcheng")),
        Ex(VILLAGE, View(mediator_ids=(ME,), sealing_body_id="dongcheng")),
        Ex(STREET, NOBODYS),
    ],
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
ANYTHING: tuple[list[Ex], list[Ex]] = ([Ex(DISTRICT, HERS), Ex(VILLAGE, NOBODYS)], [])
# A liaison officer sees what he filed, and speaks for the body that he is liaison of.
FILED_HERE = (
    [Ex(VILLAGE, View(filed_by_id=ME))],
    [Ex(STREET, View(filed_by_id=ME)), Ex(NEXT_STREET, View(filed_by_id=ME))],
)

WRITTEN = {"mediator": OWN_CASE, "clerk": OWN_BODY, "lead": OWN_BODY}
FOLLOWED = {**WRITTEN, "coordinator": IN_SCOPE}
# Counsel of a party acts for his clients, from whatever body his role is; a mediator is no counsel.
CLIENT = (
    [Ex(DISTRICT, View(counsel_ids=frozenset({ME})))],
    [Ex(VILLAGE, View(counsel_ids=frozenset({OTHER}), mediator_ids=(ME,))), Ex(VILLAGE, MINE)],
)
PURSUED = {**FOLLOWED, "counsel": CLIENT}
DECIDED = {"lead": OWN_BODY_ONLY, "coordinator": IN_SCOPE}
MEDIATED = {"mediator": OWN_CASE, "lead": OWN_CASE, "coordinator": ASSIGNED}
RECEIVED = {"lead": RECEIVER, "coordinator": OVER_RECEIVER}
KEPT = {"coordinator": BODY_BELOW, "system": ANYONE}
SEALED = {"lead": SEALING, "coordinator": SEALING}

EXPECTED = {
    "register-case": {
        **dict.fromkeys(("liaison", "clerk", "mediator", "lead"), HERE),
        "coordinator": HERE_OR_BELOW,
    },
    "register-and-accept": {
        "mediator": HERE_ALONE,
        "lead": HERE,
        "coordinator": HERE_OR_BELOW,
    },
    "register-and-settle-small-case": {"mediator": HERE_ALONE, "lead": HERE},
    "add-party": FOLLOWED,
    "identify-party": FOLLOWED,
    "report-urgent": {**PURSUED, "liaison": FILED_HERE},
    "acknowledge-urgent-report": {
        "mediator": OWN_CASE,
        "clerk": IN_SCOPE_OF_CLERK,
        "lead": IN_SCOPE,
        "coordinator": IN_SCOPE,
    },
    "ask-consent": WRITTEN,
    "withdraw-consent": WRITTEN,
    "withdraw-application": WRITTEN,
    "record-consent": WRITTEN,
    "serve-rights-notice": WRITTEN,
    "serve-remedies-notice": WRITTEN,
    "record-transfer-sheet": WRITTEN,
    "accept-case": DECIDED,
    "refuse-case": DECIDED,
    "raise-flag": DECIDED,
    "clear-flag": DECIDED,
    "confirm-collective": DECIDED,
    "grant-aid": DECIDED,
    "refuse-aid": DECIDED,
    "appoint-counsel": DECIDED,
    "check-legality": DECIDED,
    "perform-and-close": DECIDED,
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
    "extend-term": MEDIATED,
    "lapse-term": {"system": ANYTHING},
    "draft-agreement": MEDIATED,
    "sign-agreement": MEDIATED,
    "seal-agreement": SEALED,
    "sign-and-seal": SEALED,
    "record-oral-agreement": MEDIATED,
    "relay-demand": MEDIATED,
    "record-demand-answer": MEDIATED,
    "feed-back-demand": MEDIATED,
    "record-contract-change": MEDIATED,
    "cure-irregularity": {"mediator": OWN_CASE, **DECIDED},
    "give-undertaking": MEDIATED,
    "record-settlement": MEDIATED,
    "conclude-mediation": MEDIATED,
    "fail-mediation": MEDIATED,
    "record-performance": PURSUED,
    "take-remedy-route": PURSUED,
    "open-proceeding": PURSUED,
    "update-proceeding": PURSUED,
    "set-obligations": PURSUED,
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


def asked(name, role, example):
    """Put one example to the table: the role of the grant used, or "refused"."""
    try:
        return use(name, [grant(role, example.at)], example.view, example.command).role
    except NotPermitted:
        return "refused"


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
            for given in examples:
                # Counsel sees the case of his clients alone, so he is made theirs.
                example = given if given.view is None or role != Role.COUNSEL else as_counsel(given)
                scope = scope_of(grant(role, example.at))
                if example.view is None or scope.sees(example.view) is not Visibility.NONE:
                    assert asked(name, role, example) == "refused", (name, role, example)


def as_counsel(example):
    """Give the example with the asker as counsel of a party."""
    view = msgspec.structs.replace(example.view, counsel_ids=frozenset({ME}))
    return msgspec.structs.replace(example, view=view)


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
    monkeypatch.setattr(table, "TABLE", {**TABLE, name: without})
    with pytest.raises(AssertionError):
        check_cell(name, role)

    if row[role] is not ALWAYS:
        for blind in (lambda _asked: True, lambda _asked: False):
            loose = {**row, role: Condition("", "", blind)}
            monkeypatch.setattr(table, "TABLE", {**TABLE, name: loose})
            with pytest.raises(AssertionError):
                check_cell(name, role)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_table_with_one_role_too_many_is_caught(name, monkeypatch):
    """The proof has teeth: give any row to one more role and the examples go red."""
    for role in table._ORDER:
        if role not in TABLE[name] and role != Role.LIAISON:
            wider = {**TABLE[name], role: ALWAYS}
            monkeypatch.setattr(table, "TABLE", {**TABLE, name: wider})
            with pytest.raises(AssertionError):
                check_absent(name)


def test_the_start_up_check_finds_every_gap(monkeypatch):
    """A command without row, a row without command or role, an unordered role: all stop it."""
    check_table(TABLE)
    for wrong in ({*TABLE, "burn-case"}, set(TABLE) - {"close-case"}):
        with pytest.raises(TypeError):
            check_table(wrong)
    for row in ({}, {Role.DASHBOARD: ALWAYS}):
        monkeypatch.setattr(table, "TABLE", {**TABLE, "close-case": row})
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
    assert may("record-performance") == ("counsel", "mediator", "clerk", "lead", "coordinator")
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


def test_the_state_of_a_case_is_a_view():
    """The door asks about the folded state itself: no other object is made for it."""
    case: CaseView = CaseState(custody_body_id="hengjie", custody_path=VILLAGE, filed_by_id=OTHER)
    lead = [grant("lead", VILLAGE)]

    used = use("accept-case", lead, case)
    assert used.body_id == "hengjie"
    assert use("seal-agreement", lead, case) == used
    drafted = in_phase(Phase.SIGNING).case
    assert drafted.sealing_body_id == drafted.custody_body_id == "hengjie"
    assert columns_of(case).custody_path == VILLAGE
