"""Eight migrant workers are promised their wages in five days, and have them in four.

At the union of Xicheng street, 31 December 2015; Zhejiang Workers' Daily, 19 April 2016.
"""

from __future__ import annotations

from api.demo.district import XICHENG
from api.demo.office import Case, Office
from api.demo.steps import (
    NUMERALS,
    agree,
    begin,
    employer,
    lines,
    obligations,
    office_of,
    payments,
    session,
    worker,
)
from api.demo.story import Story
from api.screen import Words

# About 100,000 yuan for eight workers is published, each worker's part is not: these are made up.
CLAIMS_FEN = (
    1_350_000,
    1_300_000,
    1_280_000,
    1_260_000,
    1_240_000,
    1_220_000,
    1_200_000,
    1_150_000,
)


def play(office: Office) -> Case:
    """Play the story: promised on the day they came, paid on day 4."""
    clerk, lead, mediator = office_of(XICHENG)
    office.at("2015-12-31 09:00")
    case = office.register(
        clerk,
        matter_kind="DISPUTE",
        channel="walk-in",
        applicants=[worker(f"示例职工{numeral}") for numeral in NUMERALS],
        respondents=[employer("示例用人单位（报道未具名）", provisional=True)],
        request="要求支付拖欠的3个月工资，8人合计约10万元（演示文字）。",
        cause="C13",
        lines=lines("C13", *CLAIMS_FEN),
    )
    office.later()
    case.do(lead, "raise-flag", flag="WAGE_ARREARS")
    agree(office, case, clerk, means="attending")
    begin(office, case, XICHENG)
    office.later(60)
    minutes = session(office, case, mediator, result="undertaking")
    case.do(mediator, "record-session", **{**minutes, "signed_by_ids": []})
    office.later(30)
    case.do(
        mediator,
        "give-undertaking",
        respondent_id=case.respondents[0],
        obligations=obligations(case, "2016-01-05"),
        text="本单位承诺于5日内付清拖欠的工资（演示文字）。",
    )
    office.later()
    case.do(mediator, "conclude-mediation", accepted_by_ids=case.applicants)
    case.look(mediator)
    office.at("2016-01-04 10:00")
    for payment in payments(case, "bank-transfer", "worker-confirmed"):
        case.do(clerk, "record-performance", **payment)
    office.later(30)
    case.do(lead, "close-case")
    return case


STORY = Story(
    name="eight-workers",
    brief=Words("8名农民工讨薪", "Eight migrant workers"),
    title=Words(
        "案例三：8名农民工讨薪（公开报道，2015-12-31 西城街道总工会）",
        "Case 3: eight migrant workers (published)",
    ),
    begins="2015-12-31",
    source=Words(
        "《浙江工人日报》2016年4月19日，所见仅为开头部分",
        "Zhejiang Workers' Daily, 19 April 2016, of which only the opening was seen",
    ),
    unsaid=(
        Words(
            "8名职工、用人单位均未具名：姓名、单位名称为示例，单位按身份待核实登记。",
            "Neither the 8 workers nor the employer are named: names are samples, the employer is "
            "registered as not yet identified.",
        ),
        Words(
            "只有总额约10万元（3个月工资）：每人金额系示例，合计恰为100,000.00元。",
            "Only the sum is known, about 100,000 yuan (3 months' wages): each worker's amount is "
            "made up, adding to exactly 100,000.00.",
        ),
        Words(
            "是否征询、各方如何答复未载：按“到场参加”记为同意。",
            "Whether the parties were asked, and what they said, is not told: attending is "
            "recorded as agreeing.",
        ),
        Words(
            "受理、分派、权利告知和笔录的经过、时刻未载：按现行流程补足，并套用 standard-v1 期限。",
            "How and when it was accepted, assigned, and the rights were told is not told: today's "
            "procedure and the limits of standard-v1 fill the gap.",
        ),
        Words(
            "有无签名、盖章未载：书面承诺不当然是调解协议书，故不起算仲裁审查、司法确认期限。",
            "Whether anything was signed or sealed is not told: a written promise is no sealed "
            "agreement, so neither review nor court confirmation starts.",
        ),
        Words(
            "第4天付清，但付款方式、凭证未载：银行转账、职工确认系示例。",
            "Paid on day 4; how, and against which paper, is not told: bank transfer, confirmed by "
            "the workers, is made up.",
        ),
    ),
    told=frozenset(
        {
            "registered",
            "flagged",
            "undertaking-given",
            "obligation-performed",
            "obligations-fully-performed",
        }
    ),
    play=play,
)
