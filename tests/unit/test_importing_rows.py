"""Rows of the paper ledger: what they become, and what each wrong cell is told."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from api.importing.form import FAULTS
from api.importing.ledger import Entry, read_ledger
from mediation import codes
from mediation.case.composites import RegisterAndSettleSmallCase, SmallWorker
from mediation.case.intake import LineEntry, PartyEntry, RegisterCase
from mediation.case.values import Matter
from mediation.privacy import Personal
from tests.paper import HEADINGS, as_csv, assert_told, open_case, settled

MEDIATOR = UUID("c7f1b018-8c40-414f-bcaf-4dd39aca75aa")
ALL = (*HEADINGS, "单位性质", "达成金额")


def entries(*rows: dict[str, str]) -> list[Entry]:
    """Read rows."""
    return read_ledger(as_csv(rows, ALL))


def command(*rows: dict[str, str]) -> Any:
    """Give the one command that rows become."""
    [entry] = entries(*rows)
    assert entry.problem is None, entry.problem
    return entry.command


def faults(*rows: dict[str, str]) -> list[tuple[str, str]]:
    """Give what is wrong with the one case that rows are."""
    [entry] = entries(*rows)
    assert entry.command is None
    assert entry.problem is not None
    assert_told(entry.problem)
    return [(it.pointer, it.code) for it in entry.problem.faults]


# What a row becomes


def test_a_row_with_a_result_becomes_the_one_form():
    """Codes by their names, yuan as fen, the day's first moment where no time is given."""
    row = settled(
        "示例甲",
        来源="书面申请",
        统一社会信用代码="9133 0000 1234 5678 9e",
        标记="涉农民工、欠薪",
        调解员=str(MEDIATOR),
        登记单位="hengjie",
        达成金额="1,000.5",
    )

    assert command(row) == RegisterAndSettleSmallCase(
        occurred_at=datetime(2026, 3, 1, 16, 0, tzinfo=UTC),
        channel="written",
        body_id="hengjie",
        workers=(_worker("示例甲", 120000, 100050),),
        employer=PartyEntry(
            role="EMPLOYER",
            party_kind="COMPANY",
            company_name="示例制衣有限公司",
            credit_code="91330000123456789E",
        ),
        cause="C13",
        request=Personal("请求支付拖欠的工资"),
        consent_means="attending",
        instrument="oral",
        paid_on=date(2026, 3, 2),
        mediator_id=MEDIATOR,
        flags=("MIGRANT", "WAGE_ARREARS"),
    )


def _worker(name: str, claimed: int, agreed: int | None = None) -> SmallWorker:
    return SmallWorker(
        name=Personal(name),
        phone=Personal("13900001111222"),
        claimed_fen=claimed,
        agreed_fen=agreed,
    )


def test_a_row_without_a_result_becomes_a_registration():
    """Of a dispute; by word of mouth, unless it came in writing."""
    row = open_case("示例甲", 时间="14:05")

    assert command(row) == RegisterCase(
        matter_kind=Matter.DISPUTE,
        occurred_at=datetime(2026, 3, 2, 6, 5, tzinfo=UTC),
        channel="walk-in",
        oral=True,
        applicants=(
            PartyEntry(role="WORKER", name=Personal("示例甲"), phone=Personal("13900001111222")),
        ),
        respondents=(
            PartyEntry(role="EMPLOYER", party_kind="COMPANY", company_name="示例制衣有限公司"),
        ),
        request=Personal("请求支付拖欠的工资"),
        cause="C13",
        lines=(LineEntry(applicant=0, cause="C13", claimed_fen=120000),),
    )
    assert command(open_case("示例甲", 来源="书面申请")).oral is False


def test_rows_of_one_case_number_are_one_case_of_several_workers():
    """The first says what they share; what a later one repeats has to agree."""
    first = open_case("示例甲", 案件序号="7")
    second = {"案件序号": "7", "职工": "示例乙", "金额(元)": "800", "事项": "劳动报酬"}
    alone = open_case("示例丙")
    [together, other] = entries(first, alone, second)

    assert together.rows == (2, 4)
    assert other.rows == (3,)
    assert isinstance(together.command, RegisterCase)
    assert [it.name for it in together.command.applicants] == [
        Personal("示例甲"),
        Personal("示例乙"),
    ]
    assert [it.claimed_fen for it in together.command.lines] == [120000, 80000]
    assert command(settled("示例甲", 案件序号="1"), settled("示例乙", 案件序号="1")).workers == (
        _worker("示例甲", 120000),
        _worker("示例乙", 120000),
    )


@pytest.mark.parametrize(
    ("on", "performed", "paid_on", "due_on"),
    [
        ("2026-03-02", "", "2026-03-02", None),
        ("2026-03-01", "", "2026-03-01", None),
        ("2026-03-05", "", None, "2026-03-05"),
        ("2026-03-05", "是", "2026-03-05", None),
        ("2026-03-02", "否", None, "2026-03-02"),
        ("2026-03-05", "已履行", "2026-03-05", None),
    ],
)
def test_what_is_not_said_to_be_performed_follows_from_the_dates_alone(
    on, performed, paid_on, due_on
):
    """Never from the day of the import: read again later, a row has to say the same."""
    form = command(settled("示例甲", 履行日=on, 是否已履行=performed))

    assert form.paid_on == (date.fromisoformat(paid_on) if paid_on else None)
    assert form.due_on == (date.fromisoformat(due_on) if due_on else None)


@pytest.mark.parametrize(
    ("row", "kind", "is_sealed", "is_verified"),
    [
        ({"单位": "示例集团"}, "COMPANY", False, True),
        ({"单位": "示例面馆"}, "SOLE_TRADER", True, False),
        ({"单位": "示例面馆", "单位性质": "个体工商户"}, "SOLE_TRADER", True, True),
        ({"单位": "示例厂", "单位性质": "企业"}, "COMPANY", False, True),
        ({"单位": "示例小学", "单位性质": "其他单位"}, "OTHER_UNIT", False, True),
        ({"单位": "示例户主", "单位性质": "个人"}, "INDIVIDUAL", True, True),
        ({"统一社会信用代码": "92330000123456789B"}, "SOLE_TRADER", True, True),
        ({"单位": "示例厂", "统一社会信用代码": "91330000123456789E"}, "COMPANY", False, True),
        ({"单位": "示例院", "统一社会信用代码": "12330000123456789K"}, "OTHER_UNIT", False, True),
    ],
)
def test_whoever_may_be_a_person_is_sealed(row, kind, is_sealed, is_verified):
    """A sole trader's name and number are personal data; in doubt the identity is provisional."""
    employer = command(settled("示例甲", **row)).employer

    assert employer.party_kind == kind
    assert (employer.name is not None) is is_sealed
    assert (employer.company_name is None) is is_sealed
    assert employer.provisional is not is_verified
    if is_sealed:
        assert employer.credit_code is None
        assert (employer.id_number is not None) is ("统一社会信用代码" in row)


@pytest.mark.parametrize(
    ("heading", "table", "field"),
    [
        ("来源", "channels", "channel"),
        ("事项", "causes", "cause"),
        ("双方意愿", "means", "consent_means"),
    ],
)
def test_every_code_is_known_by_itself_and_by_both_its_names(heading, table, field):
    """Case, width and what stands in brackets do not matter."""
    for code, label in codes.table(table).items():
        for text in (code, label.zh, label.en.upper(), label.zh.replace("（", "(")):
            assert getattr(command(settled("示例甲", **{heading: text})), field) == code


def test_every_flag_may_stand_beside_others():
    """Also the ones whose names hold the comma that parts them."""
    names = [label.zh for label in codes.table("flags").values()]
    form = command(settled("示例甲", 标记="、".join(names[:9])))

    assert form.flags == tuple(sorted(list(codes.table("flags"))[:9]))
    assert command(settled("示例甲", 标记="安全风险（暴力、轻生、聚集），SAFETY")).flags == (
        "SAFETY",
    )


@pytest.mark.parametrize(
    ("text", "instrument"),
    [
        ("口头协议", "oral"),
        ("口头协议登记", "oral"),
        ("和解协议书", "settlement"),
        ("书面承诺", "undertaking"),
        ("Written undertaking", "undertaking"),
    ],
)
def test_the_result_is_the_paper_that_was_made(text, instrument):
    """By its name in either language."""
    assert command(settled("示例甲", 结果=text)).instrument == instrument


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("0", 0),
        ("1200", 120000),
        ("1200.5", 120050),
        ("¥1,200.50元", 120050),
        ("１２００．５０", 120050),
        ("0.01", 1),
        ("1200.500", 120050),
        ("100000000000", 10**13),
    ],
)
def test_an_amount_is_read_digit_by_digit(text, fen):
    """Never as a binary fraction."""
    assert command(open_case("示例甲", **{"金额(元)": text})).lines[0].claimed_fen == fen


@pytest.mark.parametrize(
    "text",
    [
        "2026/3/2",
        "2026.03.02",
        "2026年3月2日",
        "20260302",
        "２０２６－０３－０２",
        "2026-03-02T00:00:00",
        "2026-03-02 00:00",
    ],
)
def test_a_date_is_read_as_offices_write_it(text):
    """With dashes, strokes, dots, or the words for year, month and day."""
    assert command(open_case("示例甲", 日期=text)) == command(open_case("示例甲"))


@pytest.mark.parametrize("text", ["9:05", "09:05:00", "9时5分", "０９：０５"])
def test_a_time_is_read_as_offices_write_it(text):
    """Hours and minutes."""
    at = command(open_case("示例甲", 时间=text)).occurred_at

    assert at == datetime(2026, 3, 2, 1, 5, tzinfo=UTC)


def test_the_sample_row_of_the_template_is_passed_over():
    """Whatever else it says."""
    assert entries({"案件序号": "示例", "日期": "x"}, {"案件序号": "SAMPLE"}) == []


# The content of a case


def test_what_a_case_says_does_not_depend_on_where_it_stands():
    """Not on its row, its number in the file, the order of columns or what else is in the file."""
    case = [settled("示例甲", 案件序号="1"), settled("示例乙", 案件序号="1")]
    moved = [settled("示例丙"), {}, *[{**row, "案件序号": "9"} for row in case]]
    turned = read_ledger(as_csv(moved, tuple(reversed(ALL))))

    assert entries(*case)[0].content == turned[1].content


def test_whatever_a_row_says_otherwise_is_another_content():
    """Each cell counts, and so does the order of the workers."""
    base = settled("示例甲")
    others = [
        settled("示例甲乙"),
        *(
            {**base, heading: value}
            for heading, value in (
                ("日期", "2026-03-01"),
                ("时间", "10:00"),
                ("来源", "来电"),
                ("联系方式", ""),
                ("单位", "示例第二制衣有限公司"),
                ("统一社会信用代码", "91330000123456789E"),
                ("单位性质", "企业"),
                ("事项", "经济补偿"),
                ("请求", "请求支付加班费"),
                ("金额(元)", "1200.01"),
                ("达成金额", "1200"),
                ("双方意愿", "电话"),
                ("结果", "书面承诺"),
                ("履行日", "2026-03-03"),
                ("是否已履行", "是"),
                ("调解员", str(MEDIATOR)),
                ("标记", "欠薪"),
                ("登记单位", "hengjie"),
            )
        ),
        open_case("示例甲"),
    ]
    said = [entries(row)[0].content for row in [base, *others]]

    assert all(said)
    assert len(set(said)) == len(said)


# What is wrong with a row


@pytest.mark.parametrize(
    ("heading", "text", "pointer", "code"),
    [
        ("日期", "", "/2/Date", "required"),
        ("日期", "三月二日", "/2/Date", "date"),
        ("日期", "2026-02-30", "/2/Date", "date"),
        ("日期", "0001-01-01", "/2/Date", "date"),
        ("日期", "46083", "/2/Date", "date"),
        ("日期", "2026-03-02 25:00", "/2/Date", "date"),
        ("时间", "25:00", "/2/Time", "time"),
        ("来源", "", "/2/Channel", "required"),
        ("来源", "路过", "/2/Channel", "unknown-code"),
        ("职工", "", "/2/Worker", "required"),
        ("单位", "", "/2/Employer", "required"),
        ("单位性质", "劳动者", "/2/Employer kind", "unknown-code"),
        ("统一社会信用代码", "123", "/2/Credit code", "credit-code"),
        ("事项", "", "/2/Cause", "required"),
        ("请求", "", "/2/Request", "required"),
        ("金额(元)", "", "/2/Amount", "required"),
        ("金额(元)", "约一千", "/2/Amount", "amount"),
        ("金额(元)", "-1", "/2/Amount", "amount"),
        ("金额(元)", "1.234", "/2/Amount", "amount"),
        ("金额(元)", "1,2", "/2/Amount", "amount"),
        ("金额(元)", "1e3", "/2/Amount", "amount"),
        ("金额(元)", "100000000000.01", "/2/Amount", "amount"),
        ("双方意愿", "", "/2/Consent", "required"),
        ("双方意愿", "同意", "/2/Consent", "unknown-code"),
        ("结果", "调解书", "/2/Result", "unknown-code"),
        ("履行日", "", "/2/Performance date", "required"),
        ("是否已履行", "也许", "/2/Performed", "yes-no"),
        ("调解员", "张调解", "/2/Mediator", "account-id"),
        ("标记", "欠薪、别的", "/2/Flags", "unknown-code"),
        ("登记单位", "x" * 65, "/2/Body", "length"),
    ],
)
def test_a_wrong_cell_is_named_by_row_and_column_with_what_to_do(heading, text, pointer, code):
    """Never by what stands in it."""
    assert faults(settled("示例甲", **{heading: text})) == [(pointer, code)]


def test_what_belongs_to_a_result_waits_for_one():
    """A consent or a day of performance would be lost with a mere registration."""
    row = settled("示例甲", 结果="", 是否已履行="是", 标记="欠薪", 达成金额="1")

    assert [pointer for pointer, code in faults(row) if code == "only-with-result"] == [
        "/2/Agreed amount",
        "/2/Consent",
        "/2/Performance date",
        "/2/Performed",
        "/2/Flags",
    ]


def test_rows_of_one_case_that_disagree_are_told_where():
    """And a fault of one row is a fault of the case."""
    first = settled("示例甲", 案件序号="1")
    second = settled("", 案件序号="1", 日期="2026-03-01", 单位="另一家有限公司")

    assert faults(first, second) == [
        ("/3/Date", "differs"),
        ("/3/Worker", "required"),
        ("/3/Employer", "differs"),
    ]


def test_a_case_beyond_what_one_form_holds_is_told_to_go_step_by_step():
    """Fifty-one workers on the one form."""
    rows = [settled(f"示例{at}", 案件序号="1") for at in range(51)]
    [entry] = entries(*rows)

    assert entry.problem is not None
    assert entry.problem.code == "row-beyond-limits"
    assert_told(entry.problem)


def test_everything_that_can_be_wrong_says_what_to_do_in_two_languages():
    """Each fault has its sentence."""
    for zh, en in FAULTS.values():
        assert zh
        assert en.isascii()
