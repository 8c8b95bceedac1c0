"""What is printed, and the demo's desk without a demo: columns, lines, progress, failing steps."""

from __future__ import annotations

import io
import json

import httpx
import pytest

from api.demo.office import DemoFailed, Office
from api.demo.progress import Progress
from api.demo.run import START
from api.screen import Words, columns, padded, table, visible, width, wrapped


def test_columns_hold_for_wide_characters():
    """A Chinese character takes two columns, so what stands beside it is not pushed aside."""
    assert width("案件 A·1") == 8
    assert padded("案", 4) + "|" == "案  |"
    assert padded("1", 3, right=True) == "  1"
    lines = table(
        [Words("层级", "Level"), Words("数", "No.")],
        [("村社（行业）", "7"), (("区", "top"), "12")],
        right=[1],
    )

    assert lines == [
        "层级           数",
        "Level         No.",
        "────────────  ───",
        "村社（行业）    7",
        "区             12",
        "top",
    ]


@pytest.mark.parametrize(("said", "taken"), [("20", 60), ("80", 80), ("400", 120)])
def test_lines_are_as_wide_as_the_terminal_within_reason(said, taken, monkeypatch):
    """Never narrower than a table can be, nor wider than one reads."""
    monkeypatch.setenv("COLUMNS", said)

    assert columns() == taken


def test_what_a_terminal_would_obey_is_written_out():
    """C0, C1, and whatever turns the direction of reading; in JSON it means the same as before."""
    text = 'a\x07\x1b]0;t\x9b\u202e\u2066\u200f\r\n"中'

    shown = visible(text)
    assert shown == 'a\\u0007\\u001b]0;t\\u009b\\u202e\\u2066\\u200f\\u000d\\u000a"中'
    assert visible("一\n二", but="\n") == "一\n二"
    assert json.loads(visible(json.dumps(text, ensure_ascii=False))) == text


class Terminal(io.StringIO):
    """A screen that says it is one."""

    def isatty(self) -> bool:
        """Claim to be a terminal."""
        return True


@pytest.mark.parametrize(("out", "moves"), [(io.StringIO(), False), (Terminal(), True)])
def test_progress_is_a_moving_bar_only_on_a_terminal(out, moves):
    """In a pipe or a log progress is plain lines."""
    progress = Progress(out, 1)
    with progress.stage("开设", "opening"):
        progress.step()
        progress.step()

    assert out.getvalue().endswith("[1/1] 开设 · opening … 2 步 steps ✓\n")
    assert ("\r" in out.getvalue()) is moves


def test_text_is_broken_between_words_and_never_before_a_full_stop():
    """Lines fit; a number keeps its unit, a mark the character before it."""
    assert wrapped("One two three", 7) == ["One two", "three"]
    assert wrapped("期限三日。期限", 8) == ["期限三", "日。期限"]
    assert wrapped("期限剩余12天", 10) == ["期限剩余", "12天"]
    assert wrapped("", 10) == [""]


def test_a_refused_step_ends_the_demo_and_names_the_step():
    """A step the server refuses is no step: the demo says which one it was, and why."""
    problem = {
        "type": "urn:mediation:problem:not-found",
        "title_i18n": {"zh": "未找到", "en": "Not found"},
    }
    for answer in (httpx.Response(404, json=problem), httpx.Response(502, text="")):
        transport = httpx.MockTransport(lambda _request, answer=answer: answer)
        with httpx.Client(transport=transport, base_url="http://demo.invalid") as http:
            office = Office(http, {"lead@xicheng": "token"}, lambda: None, START)
            with pytest.raises(DemoFailed, match=f"GET /network → {answer.status_code}"):
                office.get("lead@xicheng", "/network")


def test_a_rule_that_does_not_refuse_ends_the_demo():
    """Where the demo says that something is refused, it is not enough that it tried."""
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json={}))
    with httpx.Client(transport=transport, base_url="http://demo.invalid") as http:
        office = Office(http, {"lead@xicheng": "token"}, lambda: None, START)
        with pytest.raises(DemoFailed, match="POST /cases/commands/some-form → 200"):
            office.refusal("lead@xicheng", "some-form")
