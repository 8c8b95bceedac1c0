"""An invented case climbs all four levels, finds no agreement, and leaves for arbitration.

Registered on 2 March 2026, so that the statutory term ends on 17 March wherever it is: with four
days left the last sheet has to ask about an extension, one party says no, and the term lapses.
"""

from __future__ import annotations

from api.demo.district import TOP, who
from api.demo.office import Case, Office
from api.demo.steps import (
    agree,
    begin,
    employer,
    lines,
    office_of,
    session,
    take_up,
    tell_rights,
    worker,
)
from api.demo.story import Story
from api.screen import Words

# Each rung: the body, when a session is held there, when the next body is asked, when it answers.
RUNGS = (
    ("enterprise-07", "2026-03-05 09:00", "2026-03-05 15:00", "2026-03-06 09:00"),
    ("industry-02", "2026-03-09 09:00", "2026-03-09 15:00", "2026-03-10 09:00"),
    ("street-05", "2026-03-12 09:00", "2026-03-13 09:00", "2026-03-13 14:00"),
)
CLAIMED_FEN, AWARDED_FEN = 1_860_000, 1_500_000


def play(office: Office) -> Case:
    """Play the case up the ladder, to the lapse of its term, and out of the network."""
    start = RUNGS[0][0]
    clerk, _, _ = office_of(start)
    office.at("2026-03-02 09:00")
    case = office.register(
        clerk,
        matter_kind="DISPUTE",
        channel="written",
        applicants=[worker("示例职工甲")],
        respondents=[employer("示例用人单位甲")],
        request="要求支付休息日加班工资（虚构案例）。",
        cause="C07",
        lines=lines("C07", CLAIMED_FEN),
    )
    office.at("2026-03-03 09:00")
    agree(office, case, clerk)
    begin(office, case, start)
    _climb(office, case)
    office.at("2026-03-16 09:00")
    mediator = who("mediator", TOP)
    case.do(mediator, "record-session", **session(office, case, mediator, result="continued"))
    office.later()
    case.must_not(
        mediator,
        "request-custody-move",
        kind="ESCALATE",
        to_body_id="street-05",
        ground="no-agreement",
        summary="区级仍未调成（虚构案例）。",
    )
    office.at("2026-03-18 00:00")
    case.until(mediator, "term_lapsed")
    _leave(office, case)
    return case


def _climb(office: Office, case: Case) -> None:
    above = [rung[0] for rung in RUNGS[1:]] + [TOP]
    for (body_id, session_at, asked_at, answered_at), upper in zip(RUNGS, above, strict=True):
        mediator = who("mediator", body_id)
        office.at(session_at)
        minutes = session(office, case, mediator, result="no-agreement")
        case.do(mediator, "record-session", **minutes)
        office.at(asked_at)
        case.do(
            mediator,
            "request-custody-move",
            kind="ESCALATE",
            to_body_id=upper,
            ground="no-agreement",
            summary="双方对加班时数的认定分歧较大，本级未能调成（虚构案例）。",
        )
        for party_id, prolongs in zip(case.parties, (True, False), strict=True):
            office.later()
            case.do(
                mediator,
                "record-transfer-sheet",
                party_id=party_id,
                new_body=True,
                disclosure=True,
                **({"extension": prolongs} if upper == TOP else {}),
            )
        office.at(answered_at)
        case.do(who("lead", upper), "accept-custody")
        take_up(office, case, upper)
        tell_rights(office, case, upper)


def _leave(office: Office, case: Case) -> None:
    clerk, _, mediator = office_of(TOP)
    office.at("2026-03-18 09:00")
    case.do(mediator, "fail-mediation", cause_code="term-lapsed")
    office.later()
    case.do_for_all(mediator, "serve-remedies-notice", means="written")
    office.at("2026-03-20 14:00")
    case.do(
        clerk,
        "take-remedy-route",
        forum="arbitration",
        forum_name="示例劳动人事争议仲裁委员会",
        filed_by_ids=case.applicants,
    )
    case.look(clerk)
    office.at("2026-03-25 10:00")
    proceeding_id = case.proceedings[0]
    case.do(
        clerk,
        "update-proceeding",
        proceeding_id=proceeding_id,
        step="accepted",
        docket_no="示例仲案〔2026〕1号",
        source="party-told",
    )
    office.at("2026-04-24 16:00")
    case.do(
        clerk,
        "update-proceeding",
        proceeding_id=proceeding_id,
        step="decided",
        result="arbitral-mediation",
        source="document",
    )
    office.later()
    case.do(
        clerk,
        "set-obligations",
        source_document="arbitral-mediation",
        proceeding_id=proceeding_id,
        obligations=[
            {
                "line_id": case.lines[0]["line_id"],
                "agreed_fen": AWARDED_FEN,
                "due_on": "2026-05-14",
            }
        ],
    )


STORY = Story(
    name="climb",
    brief=Words("逐级提请，期满，转仲裁", "Up the ladder and out"),
    title=Words(
        "案例四：逐级提请至区级，期满未成，转入仲裁（虚构）",
        "Case 4: up the ladder, then to arbitration (invented)",
    ),
    begins="2026-03-02",
    unsaid=(
        Words(
            "全案虚构：当事人、金额、经过、仲裁结果均系编造，不对应任何真实案件。",
            "All of it is invented: parties, sums, events and the result of arbitration.",
        ),
        Words(
            "最后由“黄岩区总工会（演示）”承办，只因层级规则如此，与该单位的实际工作无关。",
            "It ends at the demo's district federation only because the ladder leads there; the "
            "body so named did nothing of the kind.",
        ),
    ),
    play=play,
)
