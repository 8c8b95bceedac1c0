"""What each event changed, and what differs between two points: nothing left out or made up."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from hashlib import sha256
from random import Random
from typing import Any
from uuid import UUID, uuid5

import msgspec
import pytest

from mediation import kernel
from mediation.audit import NOTHING, Change, changes, diff, field_labels, path_label, replay
from mediation.case.state import CaseState
from mediation.case.values import ClaimLine, Irregularity
from mediation.privacy import Sealed
from mediation.store import Recorded, leaf_hash
from tests.history.records import histories, history

LOG_ID = UUID("5f0c1a52-3f07-4a52-9d3e-6f6c9d1b2a44")
AT = datetime(2026, 6, 1, 1, 0, tzinfo=UTC)
CASES = [name for name in histories() if name.startswith("case") and name != "case-number"]


def told(name: str) -> list[Recorded]:
    """Give a golden history as a log would give it; beside it there is no key at all."""
    return [
        Recorded(
            originator_id=uuid5(LOG_ID, name),
            originator_version=version,
            topic=event.topic,
            state=kernel.encode(event),
            id=version + 40,
            recorded_at=AT,
            command_end=version + 40,
        )
        for version, event in enumerate(history(name), start=1)
    ]


def leaves(value: Any) -> Counter[str]:
    """Count every single value of a state, by another way than the one that is tested."""
    if isinstance(value, Sealed):
        return Counter([repr(value)])
    if isinstance(value, msgspec.Struct):
        return sum((leaves(getattr(value, it)) for it in value.__struct_fields__), Counter())
    if isinstance(value, dict):
        return sum((leaves(it) for it in value.values()), Counter())
    if isinstance(value, tuple) and any(isinstance(it, msgspec.Struct) for it in value):
        return sum((leaves(it) for it in value), Counter())
    if isinstance(value, frozenset):
        value = sorted(value, key=str)
    is_empty = value is NOTHING or value is None or value in ("", (), [], {})
    return Counter() if is_empty else Counter([repr(value)])


def states(events: list[Recorded]) -> list[CaseState]:
    """Give a case at every version, from before its first event on."""
    found = [CaseState()]
    for it in events:
        found.append(kernel.evolve(found[-1], kernel.decode(it.topic, it.state)))
    return found


def require_whole(before: CaseState, after: CaseState, found: tuple[Change, ...]) -> None:
    """Require that the changes make the values of the one state those of the other."""
    gone: Counter[str] = sum((leaves(it.before) for it in found), Counter())
    come: Counter[str] = sum((leaves(it.after) for it in found), Counter())
    assert not gone - leaves(before), "a change tells of a value that was not there"
    assert leaves(before) - gone + come == leaves(after)
    assert len({it.path for it in found}) == len(found), "a path is told twice"


@pytest.mark.parametrize("name", CASES)
def test_every_step_tells_all_that_its_event_changed(name):
    """Old values less what went, and with what came, are the new values: at every event."""
    events = told(name)
    stood = states(events)

    for step, before, after in zip(replay(events, LOG_ID), stood, stood[1:], strict=False):
        require_whole(before, after, step.changes)
        assert step.changes, "every event counts the version on"


@pytest.mark.parametrize("name", CASES)
def test_a_difference_is_told_between_any_two_versions_both_ways(name):
    """From any version to any other; the way back tells the same the other way round."""
    events, dice = told(name), Random(3)
    stood = states(events)
    for _ in range(8):
        start, end = dice.randint(0, len(events)), dice.randint(0, len(events))
        there, back = diff(events, start, end), diff(events, end, start)

        require_whole(stood[start], stood[end], there)
        assert {(it.path, repr(it.before), repr(it.after)) for it in there} == {
            (it.path, repr(it.after), repr(it.before)) for it in back
        }
        assert (not there) == (stood[start] == stood[end])


def test_a_step_bears_the_digest_of_the_stored_bytes_and_of_its_leaf():
    """An auditor takes the bytes from the table and compares; the leaf is that of the log."""
    events = told(CASES[0])

    for step, recorded in zip(replay(events, LOG_ID), events, strict=True):
        assert step.digest == sha256(recorded.state).hexdigest()
        assert step.leaf == leaf_hash(LOG_ID, recorded).hex()


def test_dates_that_end_are_told_as_they_were():
    """A date that is open before and is not, or is another one, after: with all its reasons."""
    found = [step for name in CASES for step in replay(told(name), LOG_ID) if step.ended]

    assert found
    for step in found:
        anew = {due.key for due in step.event.due}
        assert {due.key for due in step.ended} <= set(step.event.due_ended) | anew
        assert all(due.article and due.start_on for due in step.ended)


def test_items_are_told_apart_by_what_they_begin_with_never_by_their_place():
    """The first of two lines goes: it is gone, and the other one did not change."""
    lines = tuple(
        ClaimLine(
            line_id=uuid5(LOG_ID, name),
            applicant_id=uuid5(LOG_ID, "applicant"),
            respondent_id=uuid5(LOG_ID, "respondent"),
            cause="C13",
            claimed_fen=at,
        )
        for at, name in enumerate(("first", "second"), start=1)
    )
    found = changes(CaseState(lines=lines), CaseState(lines=lines[1:]))

    assert {it.path.split(".")[1] for it in found} == {str(lines[0].line_id)}
    assert {it.path for it in found if it.path.endswith("_fen")} == {
        f"lines.{lines[0].line_id}.claimed_fen"
    }
    assert all(it.after is NOTHING for it in found)
    assert changes(CaseState(lines=lines), CaseState(lines=lines[::-1])) == ()


def test_items_that_begin_alike_are_told_apart_by_more():
    """Two flaws of one event; two that are equal altogether are counted."""
    event_id = uuid5(LOG_ID, "event")
    two = (Irregularity(event_id, "no-rights-notice"), Irregularity(event_id, "out-of-order"))
    found = changes(CaseState(irregularities=two), CaseState(irregularities=two[:1]))

    assert {it.path.split(".")[1] for it in found} == {f"{event_id}:out-of-order"}
    twice = CaseState(irregularities=(two[0], two[0]))
    assert {it.path for it in changes(twice, CaseState(irregularities=two[:1]))} == {
        "irregularities.1.event_id",
        "irregularities.1.code",
    }


def test_every_field_of_a_case_and_of_its_events_has_a_name_for_people():
    """A new field wants its words in both languages, and no words stand for a field that is not."""
    known: set[str] = set()

    def walk(info: Any) -> None:
        if isinstance(info, msgspec.inspect.StructType) and info.cls is not Sealed:
            known.update(it.name for it in info.fields)
            parts = [it.type for it in info.fields]
        else:
            named = ("item_type", "key_type", "value_type", "type")
            parts = [getattr(info, it) for it in named if hasattr(info, it)]
            parts += [*getattr(info, "types", ()), *getattr(info, "item_types", ())]
        for part in parts:
            walk(part)

    walk(msgspec.inspect.type_info(CaseState))
    for topic, event_type in kernel.events().items():
        if topic.startswith("case.") and event_type.__module__.startswith("mediation."):
            walk(msgspec.inspect.type_info(event_type))
    named = {it.removeprefix("event#") for it in field_labels()}

    assert known - named <= set(kernel.ENVELOPE)
    assert named <= known


def test_a_path_is_said_in_words_with_the_first_digits_of_ids():
    """Fields by their names; an id marks what it belongs to; a key stays as it is."""
    line_id = UUID("3f2a91c0-0000-4000-8000-000000000000")

    assert path_label(f"lines.{line_id}.claimed_fen").zh == "请求项#3f2a91 › 请求金额"
    assert path_label(f"consents.{line_id}").en == "Answers on consent#3f2a91"
    assert path_label("due.D02.due_on").zh == "期限 › D02 › 稳妥办理日"
    assert path_label("phase").en == "Phase"


def test_a_replay_that_leaves_something_out_is_found():
    """Broken twin: without the changes of one field the account does not add up."""
    events = told(CASES[0])
    before, after = states(events)[:2]
    (step, *_rest) = replay(events, LOG_ID)
    fewer = tuple(it for it in step.changes if it.path != "cause")

    require_whole(before, after, step.changes)
    with pytest.raises(AssertionError):
        require_whole(before, after, fewer)
