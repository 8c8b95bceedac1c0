"""Approvals of late entries: signed, read back for one command alone, and who holds which key."""

from datetime import date

import msgspec
import pytest

from mediation.approvals import Approval, Approvals, assigned, keys_held
from mediation.errors import NotAllowedNow
from mediation.network import Grant, Role
from tests.scenario import an_id

BODY_MAC = bytes(range(32))
DRAWN = Approval(
    approver_id=an_id("lead"),
    command_id=an_id("command"),
    body_mac=BODY_MAC.hex(),
)
OURS = Approvals(b"secret of this store")


def refused(*tokens, command_id=DRAWN.command_id, body_mac=BODY_MAC):
    """Give the one code with which reading these tokens is refused."""
    with pytest.raises(NotAllowedNow) as caught:
        OURS.read(tokens, command_id, body_mac)
    (refusal,) = caught.value.refusals
    assert any("一" <= letter <= "鿿" for letter in refusal.zh)
    assert refusal.en.isascii()
    return refusal.code


def test_an_approval_comes_back_as_it_was_drawn():
    """The text holds who approved, and can be sent as a header."""
    token = OURS.sign(DRAWN)

    assert OURS.read((token,), DRAWN.command_id, BODY_MAC) == [DRAWN]
    assert token.isascii()
    assert not set(token) & set(" ,\t\r\n")
    assert OURS.read((), DRAWN.command_id, BODY_MAC) == []


def test_several_approvals_are_read_in_their_order():
    """Two keys are two approvals of the same command."""
    second = msgspec.structs.replace(DRAWN, approver_id=an_id("other"))
    tokens = OURS.sign(DRAWN), OURS.sign(second)

    assert OURS.read(tokens, DRAWN.command_id, BODY_MAC) == [DRAWN, second]


def test_an_approval_is_of_use_for_its_own_command_alone():
    """Another command, or the same with another body, is not what was approved."""
    token = OURS.sign(DRAWN)

    assert refused(token, command_id=an_id("another")) == "approval-for-another-command"
    assert refused(token, body_mac=bytes(32)) == "approval-for-another-command"


def test_an_approval_of_another_store_is_not_genuine():
    """Whoever does not know the secret cannot approve."""
    assert refused(Approvals(b"another secret").sign(DRAWN)) == "approval-not-genuine"


def test_no_part_of_an_approval_can_be_changed():
    """Another approver or command under the old signature is found out."""
    signature = OURS.sign(DRAWN).partition(".")[2]
    for changes in (
        {"approver_id": an_id("other")},
        {"command_id": an_id("another")},
        {"body_mac": bytes(32).hex()},
    ):
        forged = msgspec.structs.replace(DRAWN, **changes)
        written = OURS.sign(forged).partition(".")[0]
        told = {
            "command_id": forged.command_id,
            "body_mac": bytes.fromhex(forged.body_mac),
        }
        assert refused(f"{written}.{signature}", **told) == "approval-not-genuine"


@pytest.mark.parametrize(
    "token", ["", ".", "a.b", "x", "批准.批准", "e30.e30", "=.=", "a" * 5, "....", "\x00.\x00"]
)
def test_what_is_no_approval_is_told_as_such(token):
    """Whatever is sent in its place never stops the process."""
    assert refused(token) == "approval-not-genuine"


def test_one_bad_approval_among_good_ones_is_not_passed_over():
    """Nobody slips a forged one in beside a genuine one."""
    assert refused(OURS.sign(DRAWN), "a.b") == "approval-not-genuine"


VILLAGE = "/hq/dongcheng/hengjie/"


def grant(role, path):
    """Make a grant of a role at the body at a path."""
    body_id = path.rstrip("/").rpartition("/")[2]
    return Grant(role=Role(role), body_id=body_id, path=path, from_on=date(2020, 1, 1))


@pytest.mark.parametrize(
    ("role", "path", "keys"),
    [
        ("lead", VILLAGE, {"lead"}),
        # A lead answers for his own body, not for those below.
        ("lead", "/hq/dongcheng/", set()),
        ("lead", "/hq/dongcheng/hengjie/factory/", set()),
        ("coordinator", "/hq/", {"coordinator"}),
        ("coordinator", VILLAGE, {"coordinator"}),
        ("coordinator", "/hq/xicheng/", set()),
        ("coordinator", "/hq/dongcheng/hengjie/factory/", set()),
        ("clerk", VILLAGE, set()),
        ("auditor", "/hq/", set()),
    ],
)
def test_the_lead_of_the_body_and_a_coordinator_above_it_hold_a_key(role, path, keys):
    """Nobody else does, however much he sees."""
    held = keys_held([grant(role, path)], ("lead", "coordinator"), body_id="hengjie", path=VILLAGE)

    assert held == keys


def test_only_the_keys_that_are_asked_for_are_told():
    """Where the lead suffices nobody is asked for the coordinator's."""
    both = [grant("lead", VILLAGE), grant("coordinator", "/hq/")]

    assert keys_held(both, ("lead",), body_id="hengjie", path=VILLAGE) == {"lead"}
    assert keys_held(both, (), body_id="hengjie", path=VILLAGE) == frozenset()


@pytest.mark.parametrize(
    ("held", "filled"),
    [
        ({"a": {"lead"}, "b": {"coordinator"}}, {"lead": "a", "coordinator": "b"}),
        ({"a": {"lead", "coordinator"}, "b": {"lead"}}, {"lead": "b", "coordinator": "a"}),
        ({"a": {"lead", "coordinator"}, "b": {"coordinator"}}, {"lead": "a", "coordinator": "b"}),
        ({"a": {"lead", "coordinator"}}, {"lead": "a"}),
        ({"a": {"lead"}, "b": {"lead"}}, {"lead": "a"}),
        ({"a": set()}, {}),
    ],
)
def test_everybody_turns_one_key_and_as_many_as_possible_are_turned(held, filled):
    """Who holds both is used for the one that the other does not hold, in whatever order."""
    people = {an_id(name): frozenset(roles) for name, roles in held.items()}
    expected = {role: an_id(name) for role, name in filled.items()}

    assert assigned(("lead", "coordinator"), people) == expected


def test_towards_a_body_that_is_not_known_nobody_holds_a_key():
    """A command that names no body has nobody who answers for it."""
    both = [grant("lead", VILLAGE), grant("coordinator", "/hq/")]

    assert keys_held(both, ("lead", "coordinator"), body_id="", path="") == frozenset()
