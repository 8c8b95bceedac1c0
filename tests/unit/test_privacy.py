from __future__ import annotations

import json
import os
import zlib
from datetime import datetime
from uuid import UUID

import msgspec
import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from mediation.privacy import (
    Personal,
    Purpose,
    Sealed,
    Unsealed,
    aad_of,
    canonical,
    kid_of,
    open_sealed,
    personal_from_json,
    place_of,
    plain_for_digest,
    seal_value,
    sealed_values,
    stored_sealed_values,
    transform,
)
from tests.canary import find_in_bytes, find_in_folder, forms_of

ZHANG, LI = UUID(int=1), UUID(int=2)
CASE, OTHER = UUID(int=11), UUID(int=12)
KEY = bytes(range(32))
NONCE = bytes(12)
PLACE = place_of("log", CASE, 3, "note.written/1")
HERE = aad_of(PLACE, "text")


class Person(msgspec.Struct, frozen=True):
    name: Sealed
    phone: Sealed | None = None


class Note(msgspec.Struct, frozen=True, rename={"by_name": "byName"}):
    people: tuple[Person, ...]
    by_name: dict[str, Sealed]
    level: str = "township"


def sealed(text: str, aad: bytes = HERE, *, subject_id: UUID = ZHANG) -> Sealed:
    """A sealed text, by default at the place and of the subject of these tests."""
    value = Unsealed(subject_id, Purpose.IDENTITY, text)
    return seal_value(value, kid=kid_of(KEY), key=KEY, nonce=NONCE, aad=aad)


@given(st.text(st.characters(codec="utf-8")))
def test_what_was_sealed_opens_again(text):
    """Any text comes back as it went, and its envelope survives JSON."""
    envelope = sealed(text)
    again = msgspec.json.decode(msgspec.json.encode(envelope), type=Sealed)

    assert again == envelope
    assert open_sealed(again, key=KEY, aad=HERE) == text


@pytest.mark.parametrize(
    "elsewhere",
    [
        aad_of(place_of("other log", CASE, 3, "note.written/1"), "text"),
        aad_of(place_of("log", OTHER, 3, "note.written/1"), "text"),
        aad_of(place_of("log", CASE, 4, "note.written/1"), "text"),
        aad_of(place_of("log", CASE, 3, "note.written/2"), "text"),
        aad_of(PLACE, "title"),
    ],
    ids=["log", "stream", "version", "topic", "path"],
)
def test_a_value_opens_only_where_it_was_sealed(elsewhere):
    """Log, stream, version, topic and path are all bound to the ciphertext."""
    with pytest.raises(InvalidTag):
        open_sealed(sealed("王建国"), key=KEY, aad=elsewhere)


def test_no_two_places_share_their_bytes():
    """Parts are length-prefixed: nothing moves from the end of one to the start of the next."""
    places = [
        aad_of(place_of("log", CASE, 3, "a/1"), "1.b"),
        aad_of(place_of("log", CASE, 3, "a/11"), ".b"),
        aad_of(place_of("log", CASE, 3, "a/111.b"), ""),
        place_of("log", CASE, 3, "a/1"),
    ]

    assert len(set(places)) == len(places)


@pytest.mark.parametrize(
    "change",
    [
        {"subject_id": LI},
        {"purpose": Purpose.CONTACT},
        {"v": 2},
        {"alg": "none"},
        {"nonce": "AAAAAAAAAAAAAAAB"},
        {"nonce": "!"},
        {"nonce": ""},
        {"ct": "AAAA"},
    ],
    ids=str,
)
def test_an_altered_envelope_does_not_open(change):
    """Relabelling a value to another subject or purpose, or changing any word of it, breaks it."""
    altered = msgspec.structs.replace(sealed("王建国"), **change)

    with pytest.raises(InvalidTag):
        open_sealed(altered, key=KEY, aad=HERE)


def test_the_name_of_a_key_commits_to_the_key():
    """Another key has another name, and the name does not contain the key."""
    assert kid_of(KEY) != kid_of(KEY[::-1])
    assert len(kid_of(KEY)) == 32
    assert KEY.hex() not in kid_of(KEY)


def test_an_unsealed_value_cannot_be_encoded():
    """Neither a command's value nor an event's unsealed one has any stored form."""
    for value in (Personal("王建国"), Personal("王建国").of(ZHANG, Purpose.IDENTITY)):
        with pytest.raises(TypeError):
            msgspec.json.encode({"name": value})


def test_personal_values_do_not_print():
    """Text, format and repr of a value before sealing never show it, nor does its failure."""
    secret = "王建国-13912345678"
    with pytest.raises(TypeError) as failure:
        msgspec.json.encode(Personal(secret))
    shown = [
        f"{value} {value!r}"
        for value in (Personal(secret), Unsealed(ZHANG, Purpose.CONTACT, secret), failure.value)
    ]

    assert find_in_bytes("".join(shown).encode(), [secret]) == []


def test_values_compare_by_what_they_hold():
    """Deciding twice from the same arguments gives equal events, sealed or not yet."""
    same = [Personal("x").of(ZHANG, Purpose.CONTACT) for _ in range(2)]

    assert same[0] == same[1]
    assert len({*same, Personal("x").of(LI, Purpose.CONTACT)}) == 2
    assert Personal("x") == Personal("x") != Personal("y")
    assert len({Personal("x"), Personal("x")}) == 1


@pytest.mark.parametrize("value", [None, 1, "", " \n", "a\x00b", "a\ud800b", "长" * 4001])
def test_a_body_cannot_bring_what_no_store_keeps(value):
    """Blank, overlong, NUL and half surrogates are refused, and the refusal does not echo them."""
    with pytest.raises(ValueError, match="expected a text of 1 to 4000 characters"):
        personal_from_json(value)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a form as it was released."""

    fen: int
    cause: str = "C13"


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """A form as it was released."""

    text: Personal
    lines: tuple[Line, ...] = ()
    at: datetime | None = None


def test_a_field_that_a_later_release_adds_changes_no_digest():
    """The canonical form says what was asked: no defaults, keys sorted, times in UTC."""
    later = msgspec.defstruct("Later", [("fen", int), ("note", str | None, None)], kw_only=True)
    grown = msgspec.defstruct(
        "Grown", [("text", Personal), ("more", bool, False), ("lines", tuple, ())], kw_only=True
    )
    text = Personal("王建国")
    said = '{"lines":[{"fen":1}],"text":"王建国"}'.encode()

    assert canonical(Form(text=text, lines=(Line(fen=1, cause="C1" + "3"),))) == said
    assert canonical(grown(text=text, lines=(later(fen=1),))) == said
    assert canonical(grown(text=text, lines=(later(fen=1, note=""),))) != said
    local = datetime.fromisoformat("2026-03-02T09:00:00+08:00")
    assert canonical(Form(text=text, at=local)) == (
        '{"at":"2026-03-02T01:00:00Z","text":"王建国"}'.encode()
    )


def test_the_digest_alone_reads_the_clear_value():
    """The keyed digest of a command covers its personal values; nothing else is let through."""
    value = personal_from_json("王建国")

    assert json.loads(msgspec.json.encode([value], enc_hook=plain_for_digest)) == ["王建国"]
    with pytest.raises(NotImplementedError):
        plain_for_digest(object())


def test_sealed_values_are_found_at_every_depth():
    """Structs, tuples and mappings are walked; paths are the stored names, before and after."""
    note = Note(
        people=(Person(name=sealed("甲")), Person(name=sealed("乙"), phone=sealed("丙"))),
        by_name={"clerk": sealed("丁")},
    )
    paths = ["people.0.name", "people.1.name", "people.1.phone", "byName.clerk"]

    assert [path for path, _ in sealed_values(note)] == paths
    assert list(stored_sealed_values(msgspec.json.encode(note))) == list(sealed_values(note))


def test_what_holds_nothing_is_not_copied():
    """A transformation that changes nothing gives back the same object, whatever it walked."""
    note = Note(people=(Person(name=sealed("甲")),), by_name={"clerk": sealed("丁")})

    assert transform(note, lambda _path, value: value, Sealed) is note
    assert transform(3.5, lambda _path, value: value, Sealed) == 3.5


def test_every_nested_value_is_replaced():
    """What stands for a sealed value is replaced in tuples and mappings too."""
    unsealed = Personal("甲").of(ZHANG, Purpose.IDENTITY)
    note = Note(people=(Person(name=unsealed),), by_name={"clerk": unsealed})
    done = transform(note, lambda _path, value: sealed(value.value), Unsealed)

    assert done == Note(people=(Person(name=sealed("甲")),), by_name={"clerk": sealed("甲")})
    assert os.fsencode("甲") not in msgspec.json.encode(done)


# The hunter of what escaped


@pytest.mark.parametrize("canary", ["欧阳测试甲", "11010119900307963X", "13900001234"])
def test_the_hunter_knows_every_disguise(canary, tmp_path):
    """Each form is found wherever it is: amid bytes, compressed twice, in a file's name."""
    for form, disguised in forms_of(canary).items():
        data = b"\x00before" + disguised + b"after\xff"
        hidden = zlib.compress(b"x" * 9000 + zlib.compress(data))
        assert {(hit.canary, hit.form) for hit in find_in_bytes(data, [canary])} >= {(canary, form)}
        assert find_in_bytes(b"\x78\x9c" + hidden, [canary])
        assert find_in_bytes(hidden[:-4], [canary])
    (tmp_path / f"{canary}.txt").touch()
    assert find_in_folder(tmp_path, [canary])
    assert find_in_bytes(os.urandom(100_000), [canary]) == []


def test_the_hunter_refuses_a_canary_too_short_to_tell(tmp_path):
    """Nine bytes at least, else chance would find it in ciphertext."""
    with pytest.raises(ValueError, match="at least 9 bytes"):
        find_in_folder(tmp_path, ["张三"]) or forms_of("张三")
