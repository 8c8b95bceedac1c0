from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import pytest

from mediation import codes, errors

ROOT = Path(__file__).parents[2]
STORED = ROOT / "mediation" / "codes" / "published" / f"{codes.REF}.toml"


def _cjk(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def _check_labels(tables: Mapping[str, Mapping[str, codes.Label]]) -> None:
    for name, rows in tables.items():
        assert rows, name
        for code, label in rows.items():
            assert _cjk(label.zh), (name, code)
            assert label.en.strip(), (name, code)
            assert not _cjk(label.en), (name, code)
            assert label.en == label.en.strip(), (name, code)


def test_the_released_tables_are_the_ones_whose_digest_is_pinned():
    """An event names ref and digest, so the bytes behind them never change unnoticed."""
    assert f"sha256:{sha256(STORED.read_bytes()).hexdigest()}" == codes.DIGEST


def test_tables_that_differ_from_their_digest_are_not_served(monkeypatch):
    """A file edited after the release stops the process instead of changing what codes mean."""
    codes._all_tables.cache_clear()
    monkeypatch.setattr(codes, "DIGEST", "sha256:" + "0" * 64)
    with pytest.raises(errors.Unsafe):
        codes.tables()
    monkeypatch.undo()
    assert codes.tables()


def test_every_code_has_a_label_in_both_languages():
    """No screen or notice meets a code that it cannot say in Chinese and in English."""
    tables = {name: codes.table(name) for name in codes.tables()}
    _check_labels(tables)
    for broken in (
        codes.Label("Accept", "Accept"),
        codes.Label("受理", ""),
        codes.Label("a", "受理"),
    ):
        with pytest.raises(AssertionError):
            _check_labels({"twin": {"x": broken}})


def test_tables_cannot_be_changed_by_a_reader():
    """What one caller holds is what every caller holds."""
    with pytest.raises(TypeError):
        codes.table("causes")["C01"] = codes.Label("改", "changed")  # type: ignore[index]


def test_an_unknown_table_or_code_is_told_apart_from_an_empty_one():
    """A slip of the pen in a table's name is never taken for "no such code"."""
    assert codes.is_code("causes", "C99")
    assert not codes.is_code("causes", "C98")
    with pytest.raises(codes.CodeUnknown):
        codes.label("causes", "C98")
    with pytest.raises(codes.CodeUnknown):
        codes.is_code("cause", "C01")


def test_causes_are_the_twenty_one_and_the_rest():
    """The causes of a claim run from C01 to C21, with C99 for others."""
    assert set(codes.table("causes")) == {f"C{number:02}" for number in (*range(1, 22), 99)}


def test_phases_are_said_as_the_office_says_them():
    """The sixteen phases, the two of a demand and the one of legal aid carry the office's words."""
    assert {code: label.zh for code, label in codes.table("phases").items()} == {
        "REGISTERED": "已登记·待征询",
        "CONSENT_PENDING": "征询意愿中",
        "ACCEPTED": "已受理·待分派",
        "ASSIGNED": "已分派·待确认",
        "MEDIATING": "调解中",
        "SIGNING": "协议待签字盖章",
        "PERFORMING": "调解结案·履行中",
        "BREACHED": "逾期未履行",
        "FAILED": "调解不成",
        "WITHDRAWN": "已撤回",
        "NOT_ACCEPTED": "不予受理",
        "REFERRED": "已转介",
        "IN_PROCEEDINGS": "已转法律程序",
        "CLOSED": "已办结（销号）",
        "ARCHIVED": "已归档",
        "VOIDED": "登记撤销",
        "RELAYED": "已转达·待答复",
        "ANSWERED": "已答复·待反馈",
        "AIDED": "援助中",
    }


def test_lanes_are_said_as_the_office_says_them():
    """The eighteen lanes of the worklist carry the office's words."""
    assert {code: label.zh for code, label in codes.table("lanes").items()} == {
        "incoming": "待接收",
        "to-accept": "待受理",
        "to-ask": "待征询",
        "to-assign": "待分派",
        "to-confirm": "待确认",
        "mediating": "调解中",
        "to-sign": "待签盖",
        "performing": "履行跟踪",
        "due-today": "今日应付款",
        "breached": "逾期",
        "sent-back": "被退回",
        "due-soon": "三日内到期",
        "overdue": "超期",
        "risk": "红黄与10人以上",
        "to-cure": "瑕疵待补",
        "urged": "催办督办",
        "to-close": "待销号",
        "to-archive": "待归档",
    }


def test_no_reason_of_refusal_sends_the_party_to_a_lower_level_first():
    """A party may apply to any listed body, so lacking a lower attempt is no reason (L-LDMA 10)."""
    words = " ".join(
        f"{code} {label.zh} {label.en}" for code, label in codes.table("refusal_reasons").items()
    ).lower()
    for forbidden in ("lower", "level", "下级", "基层", "逐级", "先行"):
        assert forbidden not in words


def test_consent_knows_four_answers_and_only_one_refuses():
    """Silence and absence are answers of their own and never a refusal (L-ZJ 10)."""
    assert list(codes.table("consent_answers")) == ["AGREED", "REFUSED", "NO_ANSWER", "UNREACHABLE"]


def test_variants_belong_to_commands():
    """A button's variant names a command and a kind of move that both exist."""
    for variant in codes.table("command_variants"):
        command, kind = variant.split(".")
        assert codes.is_code("commands", command)
        assert codes.is_code("move_kinds", kind)
