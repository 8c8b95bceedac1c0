"""A case as people read it: no bare code, times in Shanghai, lines that fit, nothing obeyed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import pytest

from api import case_pages
from api.case_pages import Names
from api.routes.replay import changes_shown, step_shown
from api.screen import width
from mediation import codes, ladder
from mediation.audit import diff, path_label, replay
from mediation.case.state import CaseState
from mediation.network.state import NetworkState
from tests.unit.test_fields import coded_values, text_fields
from tests.unit.test_replay import CASES, LOG_ID, told

NAMES = Names(NetworkState(), ladder.load_ref("standard-v1"))
WHOLE = re.compile(r"[0-9a-f]{64}")
"""A digest is not cut, so that it can be copied."""


def pages(name: str) -> Iterator[str]:
    """Give every line that a golden history is told in: step by step, then all at once."""
    events = told(name)
    for step in replay(events, LOG_ID):
        yield from case_pages.step_page(step_shown(step), NAMES)
    changes = changes_shown(diff(events, 0, len(events)))
    yield from case_pages.changes_page(changes, NAMES)


def bare(text: str, known: set[str]) -> set[str]:
    """Name the codes that stand in a Chinese text by themselves, not behind their labels."""
    said = re.sub(r"（[\w.-]+）", "", text)
    return set(re.findall(r"[A-Za-z][\w-]*", said)) & known


@pytest.mark.parametrize("name", CASES)
def test_no_code_stands_bare_in_chinese(name):
    """Whatever an event holds of a code table is told by its label, with the code behind it."""
    for step in replay(told(name), LOG_ID):
        known = {
            value
            for table, value in coded_values(step.event, step.event.topic.partition("/")[0])
            if codes.is_code(table, value)
        }
        shown = step_shown(step)
        texts = [case_pages._beside(shown, NAMES).zh]
        texts += [value.zh for _, value in case_pages._told(shown, NAMES)]
        for change in shown.changes:
            if not change.path.startswith("due."):
                texts += [
                    case_pages._value(change.path, it, NAMES).zh
                    for it in (change.before, change.after)
                ]
        assert known
        assert not [found for text in texts if (found := bare(text, known))], step.event.topic


def test_a_code_that_stands_bare_is_found():
    """The proof has teeth."""
    assert bare("调解方式 joint；结果 调解不成（no-agreement）", {"joint", "no-agreement"}) == {
        "joint"
    }


def test_every_field_of_the_state_names_its_table_or_says_what_it_holds():
    """A field that is added to a case cannot be printed as a bare code by oversight."""
    info = msgspec.inspect.type_info(CaseState)
    untold = [
        (within, field)
        for within, field in text_fields(info, "CaseState")
        if codes.meaning(field, within=within) is None
    ]

    assert untold == []


@pytest.mark.parametrize(
    ("path", "topic", "value", "zh"),
    [
        ("result", "case.session-held/1", "no-agreement", "未达成一致（no-agreement）"),
        ("proceedings.x.result", None, "judgment", "法院判决书（judgment）"),
        ("irregularities.x.code", None, "no-rights-notice", "未告知权利义务（no-rights-notice）"),
        ("due.D02.rule", None, "3 wd", "3个工作日"),
        ("due.D02.rule", None, "30 cd, capped", "30日，至期限届满为止"),
        ("due.D02.rule", None, "rest", "期限的剩余日数"),
        ("to_branch", "case.transferred/1", "industry", "行业"),
        ("known_at", "case.urgent-report-filed/1", "2026-03-02T01:00:00Z", "2026-03-02 09:00:00"),
    ],
)
def test_a_value_is_told_by_what_its_field_holds(path, topic, value, zh):
    """The same name holds another code in another place; times and rules are told in words."""
    assert case_pages._value(path, value, NAMES, topic).zh == zh


def test_whom_a_body_may_read_is_not_who_was_asked():
    """At registration nobody was asked; in the event of a move the parties were."""
    assert path_label("disclosed_ids").en == "Parties whose data this body may read"
    assert path_label("disclosed_ids", "case.escalated/1").zh == "同意移交信息的当事人"


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
@pytest.mark.parametrize("name", CASES)
def test_lines_fit_the_terminal(name, columns, monkeypatch):
    """As wide as the terminal is, within reason; only a digest stands on a line however long."""
    monkeypatch.setenv("COLUMNS", str(columns))

    wide = [line for line in pages(name) if width(line) > columns and not WHOLE.search(line)]
    assert wide == []
    assert max(map(width, pages(name))) <= 120


def test_what_a_person_typed_cannot_steer_the_terminal():
    """Escapes, line ends and marks that turn the direction are shown, not obeyed."""
    typed = {"sealed": True, "text": "甲\x1b[2J\u202e乙\n━━ 第9步"}

    said = case_pages._value("summary", typed, NAMES).zh
    assert said == "甲\\u001b[2J\\u202e乙\\u000a━━ 第9步"
