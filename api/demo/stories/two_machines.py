"""Xiaolin minds two machines for the pay of one: a wish is relayed, granted, and seen in his pay.

A newspaper told it from Taizhou Huangyan. It is no mediation: nobody applied for one, so nothing is
accepted or concluded and no statutory term runs (L-PROV 4, 9).
"""

from __future__ import annotations

from api.demo.district import MEIDUO, who
from api.demo.office import Case, Office
from api.demo.steps import employer, lines, payments, worker
from api.demo.story import Story
from api.screen import Words

MONTHLY_FEN = 30_000
"""How much was added to his pay each month is not published: this is made up."""


def play(office: Office) -> Case:
    """Play the story, from the liaison officer's report to the first payment."""
    mediator, lead = who("mediator", MEIDUO), who("lead", MEIDUO)
    office.at("2026-04-27 09:00")
    case = office.register(
        who("liaison", MEIDUO),
        matter_kind="DEMAND",
        channel="liaison-report",
        applicants=[worker("小林（报道所用称呼）")],
        respondents=[employer("台州美多模具")],
        request="因人手紧缺，一人负责两台机器，希望在报酬上有所体现（演示文字）。",
        cause="C21",
        lines=lines("C21", 0),
    )
    office.later()
    # A wish is no dispute: nobody can accept it for mediation.
    case.must_not(lead, "accept-case", within_scope=True, within_district=True)
    office.at("2026-04-28 10:00")
    # What a mere wish may hide is asked about as it is relayed (L-LCL 31).
    case.do(
        mediator,
        "relay-demand",
        respondent_id=case.respondents[0],
        means="in-person",
        also_present=["employer-side"],
        note="主管在场；已问及加班和劳动定额，报道未载，不作认定（演示文字）。",
    )
    office.at("2026-04-29 10:00")
    case.do(mediator, "record-demand-answer", answer="GRANTED", means="in-person")
    office.later(60)
    case.do(mediator, "feed-back-demand", means="in-person")
    office.at("2026-04-30 09:30")
    case.do(
        mediator,
        "record-contract-change",
        signed_by_ids=case.parties,
        items=[
            {
                "line_id": case.lines[0]["line_id"],
                "item": "双机津贴（演示名称）",
                "monthly_fen": MONTHLY_FEN,
                "first_due_on": "2026-05-10",
            }
        ],
    )
    case.look(mediator)
    office.at("2026-05-08 16:00")
    case.do(mediator, "record-performance", **payments(case, "bank-transfer", "payroll")[0])
    office.later(30)
    case.do(lead, "close-case")
    return case


STORY = Story(
    name="two-machines",
    brief=Words("小林的两台机器", "Xiaolin's two machines"),
    title=Words(
        "案例一：小林的两台机器（公开报道，台州美多模具服务点）",
        "Case 1: Xiaolin's two machines (published)",
    ),
    begins="2026-04-27",
    source=Words(
        "关于台州黄岩的报纸报道，见报日期不详",
        "a newspaper's report from Taizhou Huangyan, its day not known",
    ),
    unsaid=(
        Words(
            "日期未载：登记、转达、答复、发放的日期均系示例。",
            "No day is told: every date here is made up.",
        ),
        Words(
            f"津贴数额未载：每月{MONTHLY_FEN // 100}元系示例。",
            f"How much was added to his pay is not told: {MONTHLY_FEN // 100} yuan a month is "
            "made up.",
        ),
        Words(
            "企业方由谁同意、是否签了书面材料未载：变更确认单系演示补充。",
            "Who agreed for the company, and whether anything was signed, is not told: the slip on "
            "the change of contract is added.",
        ),
        Words(
            "是否欠付加班工资未载：转达时问及加班和定额，不作任何认定。",
            "Whether overtime pay was owed is not told: overtime and quota are asked about, and "
            "nothing is found.",
        ),
        Words(
            "服务点有哪些工作人员未载：联络员、调解员、负责人均系示例。",
            "Who works at the service point is not told: liaison officer, mediator and lead are "
            "samples.",
        ),
        Words(
            "报道未称有人申请调解：按诉求办理，不征询、不受理、不结案，D01至D03均不起算。",
            "Nobody is said to have applied for mediation: it is handled as a demand; nothing is "
            "accepted or concluded, D01 to D03 never start.",
        ),
    ),
    told=frozenset(
        {
            "registered",
            "demand-relayed",
            "demand-answered",
            "obligation-performed",
            "obligations-fully-performed",
        }
    ),
    play=play,
)
