"""Thirty-four workers of a restaurant that stopped are helped through court to all their wages.

Zhejiang Workers' Daily, 30 November 2015, of Xiuzhou in Jiaxing: not of this district, so it is
played at a sample body that stands beside it. The lawyers act for the workers; nobody mediates.
"""

from __future__ import annotations

from api.demo.district import SUBCENTRE, who
from api.demo.office import Case, Office
from api.demo.steps import employer, lines, obligations, payments, worker
from api.demo.story import Story
from api.screen import Words

# About 200,000 yuan for 34 workers of two branches is published. How many worked in which, and what
# each was owed, is not: these are made up.
CLAIMS_FEN = (*(580_000,) * 20, *(600_000,) * 14)
ARBITRATION = "示例劳动人事争议仲裁委员会"
COURT = "示例区人民法院"


def play(office: Office) -> Case:
    """Play the story, from the workers' coming to the last payment in September."""
    body_id = SUBCENTRE.body_id
    clerk, lead = who("clerk", body_id), who("lead", body_id)
    counsel = [office.accounts[who(f"counsel-{at}", body_id)] for at in (1, 2)]
    office.at("2015-03-09 09:00")
    case = office.register(
        clerk,
        matter_kind="AID",
        channel="walk-in",
        applicants=[worker(f"示例餐饮职工{at:02}") for at in range(1, len(CLAIMS_FEN) + 1)],
        respondents=[employer("示例餐饮店（报道未具名）", provisional=True)],
        request="餐饮店停业，拖欠两家分店34名员工工资约20万元，请求援助（演示文字）。",
        cause="C13",
        lines=lines("C13", *CLAIMS_FEN),
    )
    office.later()
    case.do(lead, "raise-flag", flag="EMPLOYER_CLOSED")
    case.do(lead, "raise-flag", flag="WAGE_ARREARS")
    office.later()
    case.do(lead, "confirm-collective")
    _report(office, case, clerk)
    office.at("2015-03-09 14:00")
    case.do(lead, "grant-aid", criteria_code="wage-arrears")
    office.later()
    for counsel_id in counsel:
        case.do(lead, "appoint-counsel", counsel_id=counsel_id, for_ids=case.applicants)
    case.must_not(lead, "assign-mediators", mediator_ids=counsel[:1], lead_mediator_id=counsel[0])
    _go_to_court(office, case, clerk)
    office.at("2015-09-18 10:00")
    case.do(lead, "perform-and-close", payments=payments(case, "other", "worker-confirmed"))
    return case


def _report(office: Office, case: Case, clerk: str) -> None:
    office.later()
    case.do(
        clerk,
        "report-urgent",
        kind="first",
        addressees=[
            {"kind": "party-government", "name": "示例区党政部门"},
            {"kind": "upper-union", "name": "示例市总工会"},
        ],
        text="餐饮店停业欠薪，34人，约20万元（演示文字）。",
        headcount=len(CLAIMS_FEN),
    )
    for addressee_no in (0, 1):
        office.later(15)
        case.do(clerk, "acknowledge-urgent-report", report_no=1, addressee_no=addressee_no)


def _go_to_court(office: Office, case: Case, clerk: str) -> None:
    workers = case.applicants
    office.at("2015-03-16 10:00")
    case.do(
        clerk,
        "open-proceeding",
        forum="arbitration",
        forum_name=ARBITRATION,
        filed_by_ids=workers,
        source="demo-addition",
    )
    case.look(clerk)
    office.at("2015-04-13 10:00")
    case.do(
        clerk,
        "update-proceeding",
        proceeding_id=case.proceedings[0],
        step="decided",
        result="ended-otherwise",
        source="demo-addition",
    )
    office.at("2015-04-20 10:00")
    case.do(
        clerk,
        "open-proceeding",
        forum="court-first",
        forum_name=COURT,
        filed_by_ids=workers,
        source="published",
    )
    case.look(clerk)
    office.at("2015-05-18 10:00")
    case.do(
        clerk,
        "update-proceeding",
        proceeding_id=case.proceedings[1],
        step="decided",
        result="court-mediation",
        source="published",
    )
    office.later()
    case.do(
        clerk,
        "set-obligations",
        source_document="court-mediation",
        proceeding_id=case.proceedings[1],
        obligations=obligations(case, "2015-09-30"),
    )
    case.look(clerk)


STORY = Story(
    name="restaurant",
    brief=Words("餐饮店34名员工", "34 restaurant workers"),
    title=Words(
        "案例二：餐饮店停业，34名员工追薪（公开报道，2015年 嘉兴秀洲）",
        "Case 2: 34 restaurant workers (published)",
    ),
    begins="2015-03-09",
    source=Words(
        "《浙江工人日报》2015年11月30日",
        "Zhejiang Workers' Daily, 30 November 2015",
    ),
    unsaid=(
        Words(
            f"报道地是嘉兴市秀洲区，不是本区：本案在虚构的“{SUBCENTRE.name_zh}”演示，该分中心不属"
            "本区网络，不计入76家服务点。",
            "The report is of Xiuzhou in Jiaxing, not of this district: the case is played at an "
            "invented sub-centre that is no part of the network and none of the 76 points.",
        ),
        Words(
            "是否有人提出或者拒绝调解未载：律师代理职工，本案按法律援助办理，不受理、不结案。",
            "Whether anybody offered or refused mediation is not told: lawyers act for the "
            "workers; it is handled as legal aid and nothing is accepted or concluded.",
        ),
        Words(
            "是否先经仲裁未载：报道只称“进入法律程序”，仲裁一节系演示补充。",
            "Whether arbitration came first is not told: the report says only that it went to law.",
        ),
        Words(
            "只有“几十名员工约20万”和34人：每人金额、两店人数系示例，合计恰为200,000.00元。",
            "Only the sum of about 200,000 yuan and the 34 are known: each worker's amount is made "
            "up, adding to exactly 200,000.00.",
        ),
        Words(
            "除“今年9月”全额领取外，日期均未载；付款人、付款方式未载。",
            "Only September, when all were paid in full, is told: every other date, who paid and "
            "how, is not.",
        ),
        Words(
            "紧急专报、签阅、确认共同请求未载：按现行流程补足。",
            "Urgent report, acknowledgements and the common claim are not told: today's procedure "
            "fills the gap.",
        ),
        Words(
            "餐饮店、员工、律师、仲裁机构、法院均未具名：名称为示例，单位按身份待核实登记。",
            "Restaurant, workers, lawyers, arbitration and court are not named: all names are "
            "samples, the employer is registered as not yet identified.",
        ),
    ),
    told=frozenset(
        {
            "registered",
            "flagged",
            "aid-granted",
            "counsel-appointed",
            "proceeding-opened",
            "proceeding-updated",
            "obligations-set",
            "obligation-performed",
            "obligations-fully-performed",
        }
    ),
    play=play,
)
