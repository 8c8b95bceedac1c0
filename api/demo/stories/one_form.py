"""An invented small case goes from registration to its end on one form, by one person alone.

一表办: one command, one key, all or nothing. What does not fit on the form is refused whole, and a
rehearsal says beforehand what would be written.
"""

from __future__ import annotations

from typing import Any

from api.demo.district import who
from api.demo.office import Case, Office
from api.demo.steps import employer
from api.demo.story import Story
from api.screen import Words

BODY_ID = "village-09"
COMMAND = "register-and-settle-small-case"
CLAIMED_FEN, TOO_MUCH_FEN = 120_000, 1_200_000


def play(office: Office) -> Case:
    """Play the case: refused with too large a sum, rehearsed, and then done."""
    mediator = who("mediator", BODY_ID)
    office.at("2026-05-12 09:30")
    too_much = office.refusal(mediator, COMMAND, **_form(TOO_MUCH_FEN))
    rehearsed = office.rehearse(mediator, COMMAND, **_form(CLAIMED_FEN))
    case = office.create(mediator, COMMAND, **_form(CLAIMED_FEN))
    case.attempts.append(too_much)
    case.rehearsed = rehearsed
    return case


def _form(claimed_fen: int) -> dict[str, Any]:
    return {
        "channel": "walk-in",
        "workers": [{"name": "示例职工庚", "claimed_fen": claimed_fen}],
        "employer": employer("示例用人单位庚"),
        "cause": "C13",
        "request": "要求支付拖欠的工资（虚构案例）。",
        "consent_means": "attending",
        "instrument": "oral",
        "text": "双方口头约定当场付清（虚构案例）。",
        "paid_on": "2026-05-12",
    }


STORY = Story(
    name="one-form",
    brief=Words("一表办", "One form"),
    title=Words("案例五：一表办，单人服务点（虚构）", "Case 5: one form, one person (invented)"),
    begins="2026-05-12",
    unsaid=(
        Words(
            "全案虚构：当事人、金额、经过均系编造，不对应任何真实案件。",
            "All of it is invented: parties, sum and events.",
        ),
        Words(
            "登记、征询、受理、分派、告知、调解、口头协议、履行、销号一次提交，要么全部写入，要么全不写入。",
            "From registration to closing it is one submission: everything is written, or nothing.",
        ),
    ),
    play=play,
)
