"""What the fields of stored events hold: every code and every citation can be looked up."""

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mediation import case, codes, kernel, network
from mediation.calendar import CATALOGUE, cite
from mediation.calendar.explanations import LAWS
from mediation.privacy import Sealed
from tests.history.records import histories, history, registered

inspect = msgspec.inspect
CHAPTERS = (case, network)
"""Importing them registers every event there is."""
ROOT = Path(__file__).parents[2]


def text_fields(info: Any, within: str, field: str = "") -> Iterator[tuple[str, str]]:
    """Give every field that holds text or one of a closed list, with what it stands in."""
    if isinstance(info, inspect.StrType | inspect.EnumType | inspect.LiteralType):
        yield within, field
    elif isinstance(info, inspect.StructType):
        if info.cls is Sealed:
            return
        place = within if issubclass(info.cls, kernel.Event) else info.cls.__name__
        for it in info.fields:
            yield from text_fields(it.type, place, it.name)
    else:
        for name in ("item_type", "type"):
            if hasattr(info, name):
                yield from text_fields(getattr(info, name), within, field)
        for it in getattr(info, "types", ()):
            yield from text_fields(it, within, field)


def untold(known: dict[str, Any]) -> set[tuple[str, str]]:
    """Name the fields of which nothing is said."""
    return {
        (within, field)
        for topic, event_type in known.items()
        for within, field in text_fields(inspect.type_info(event_type), topic.partition("/")[0])
        if codes.meaning(field, within=within) is None
    }


def test_every_field_with_text_names_its_table_or_says_what_it_holds():
    """Nothing is stored whose meaning only today's Python knows."""
    assert len(registered()) > 60
    assert untold({it: kernel.events()[it] for it in registered()}) == set()


def test_a_field_of_which_nothing_is_said_is_found():
    """The proof has teeth: an event with an undescribed code is named."""
    mute = msgspec.defstruct(
        "Mute", [("mood", str)], bases=(kernel.Event,), frozen=True, kw_only=True
    )
    assert untold({"case.mute/1": mute}) == {("case.mute", "mood")}


def coded_values(value: Any, within: str) -> Iterator[tuple[str, str]]:
    """Give every value of a coded field in an event, with its table."""
    for field in value.__struct_fields__:
        item = getattr(value, field)
        meaning = codes.meaning(field, within=within)
        for one in item if isinstance(item, tuple) else (item,):
            if isinstance(one, Sealed):
                continue
            if isinstance(one, msgspec.Struct):
                yield from coded_values(one, type(one).__name__)
            elif one is not None and meaning is not None and meaning.table is not None:
                yield meaning.table, str(one)


def uncoded(events: list[kernel.Event]) -> set[tuple[str, str]]:
    """Name the values that are no code of the published table of their field."""
    return {
        (table, value)
        for event in events
        for table, value in coded_values(event, event.topic.partition("/")[0])
        if table not in codes.coded() or not codes.is_code(table, value)
    }


def test_every_code_that_is_stored_is_of_a_published_table():
    """Whatever the golden histories hold can be looked up in the pinned file, label and all."""
    told = [event for name in histories() for event in history(name)]

    assert uncoded(told) == set()
    spoiled = [msgspec.structs.replace(it, means="pigeon") for it in told if hasattr(it, "means")]
    assert uncoded(spoiled) == {("means", "pigeon")}


@pytest.mark.parametrize("event_type", [kernel.events()[it] for it in registered()])
def test_every_closed_list_is_within_its_table(event_type):
    """An enum never holds what the published table lacks."""
    topic = event_type.topic.partition("/")[0]
    info: Any = inspect.type_info(event_type)
    for field in info.fields:
        if isinstance(field.type, inspect.EnumType):
            meaning = codes.meaning(field.name, within=topic)
            assert meaning is not None
            assert meaning.table is not None
            values = {it.value for it in field.type.cls}
            assert values <= set(codes.table(meaning.table)), field.name


def test_the_deadlines_are_those_of_the_catalogue():
    """A stored date says by a code what it is about."""
    assert set(codes.table("deadlines")) == {code.partition("-")[0] for code in CATALOGUE}


# Citations


def stamped() -> set[str]:
    """Give every citation that a decider may stamp, or the catalogue or a ladder names."""
    found = {rule.article for rule in CATALOGUE.values()} - {"proposal"}
    for file in (ROOT / "mediation/case").glob("*.py"):
        for call in re.findall(
            r"(?:legal_basis|inside|elsewhere)=(?:.|\n)*?[,)]\n", file.read_text("utf-8")
        ):
            found.update(re.findall(r'"((?:cf\\. )?L-[^"]*)"', call))
    for name in histories():
        found.update(event.legal_basis for event in history(name) if event.legal_basis)
    return found


def test_every_citation_that_is_stamped_can_be_looked_up():
    """One grammar, and a published name, number and version of every law."""
    cited = stamped()

    assert len(cited) > 15
    for citation in cited:
        told = cite(citation)
        assert told["zh"].startswith("依据：")
        assert told["en"].startswith("Basis: ")
    assert all(law.version for law in LAWS.values())


@pytest.mark.parametrize("broken", ["L-PML 23, 24", "L-XXX 1", "L-PROV", "令17号", "cf L-PROV 1"])
def test_what_is_no_citation_is_found(broken):
    """The proof has teeth."""
    with pytest.raises((KeyError, ValueError)):
        cite(broken)


def test_a_citation_by_analogy_says_so():
    """L-PROV binds the committees of enterprises; elsewhere it is followed by analogy."""
    told = cite("L-ZJ 10; cf. L-PROV 22")

    assert "参照《企业劳动争议协商调解规定》第二十二条" in told["zh"]
    assert "by analogy Provisions on Consultation" in told["en"]
    assert cite("L-LDMA 10(1)")["zh"].endswith("第十条第（一）项")


def test_only_what_is_cited_by_analogy_is_called_so():
    """In a list it is this law and no other, wherever it stands."""
    told = cite("cf. P-4; L-LDMA 14; cf. L-PROV 30; cf. L-PROV 31; L-ZJ 10")

    assert told["zh"] == (
        "依据：参照《关于加强新就业形态劳动纠纷一站式调解工作的通知》（人社厅发〔2024〕4号）、"
        "《中华人民共和国劳动争议调解仲裁法》第十四条、"
        "参照《企业劳动争议协商调解规定》第三十条、第三十一条、"
        "《浙江省劳动人事争议调解仲裁条例》第十条"
    )
    assert told["en"] == (
        "Basis: by analogy Notice on Strengthening One-stop Mediation of Labour Disputes in New "
        "Forms of Employment (General Office of the Ministry of Human Resources and Social "
        "Security, 2024 No. 4); "
        "Labour Dispute Mediation and Arbitration Law, Article 14; by analogy Provisions on "
        "Consultation and Mediation of Enterprise Labour Disputes, Article 30 and Article 31; "
        "Zhejiang Regulations on Mediation and Arbitration of Labour and Personnel Disputes, "
        "Article 10"
    )


# Released files only grow


def lost(
    earlier: Mapping[str, Mapping[str, Any]], later: Mapping[str, Mapping[str, Any]]
) -> set[str]:
    """Name what a later version of the code tables has changed or dropped."""
    return {
        f"{table}.{code}"
        for table, rows in earlier.items()
        for code, label in rows.items()
        if later.get(table, {}).get(code) != label
    }


def test_a_later_code_table_only_adds():
    """A case lives for years: a later event is readable by any later table."""
    files = sorted((ROOT / "mediation/codes/published").glob("core-v*.toml"))
    read = [codes._read(file.read_bytes()) for file in files]

    for earlier, later in itertools.pairwise(read):
        assert lost(earlier, later) == set()
    fewer = {name: dict(rows) for name, rows in read[-1].items()}
    fewer["means"].pop("sms")
    fewer["causes"]["C01"] = codes.Label("改", "changed")
    assert lost(read[-1], fewer) == {"means.sms", "causes.C01"}
