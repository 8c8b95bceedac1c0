"""Reading TOML tables so that every fault is told in words; no rule of a ladder stands here."""

import difflib
import re
from pathlib import Path
from typing import Any

import msgspec

from mediation.codes import Label

_KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_ARTICLE = r"L-[A-Z0-9]+ \d+(\(\d+\))?"
_SOURCE = re.compile(rf"proposal|{_ARTICLE}(; {_ARTICLE})*")

# What stands in a message after "write": the shape of a value, by the name of the reading method.
_SHAPES = {
    "text": ('"…"', "文字", "text in quotes"),
    "number": ("3", "整数", "a whole number"),
    "yes": ("true", "true 或 false", "true or false"),
    "words": ('["…"]', "文字列表", "a list of texts"),
    "label": ('{ zh = "…", en = "…" }', "中英文表", "a table with zh and en"),
    "table": ("{ … }", "表", "a table"),
    "tables": ("[{ … }]", "表的列表", "a list of tables"),
}


class Finding(msgspec.Struct, frozen=True):
    """One thing wrong with a file: where it stands, and in both languages what to write instead."""

    file: str
    where: str
    zh: str
    en: str

    def __str__(self) -> str:
        place = f"{self.file}: {self.where}" if self.where else self.file
        return f"{place}: {self.zh} / {self.en}"


class Report(msgspec.Struct, frozen=True):
    """What a check found; a file with warnings only is valid."""

    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    @property
    def is_valid(self) -> bool:
        """Whether the file may be used."""
        return not self.errors


class Findings:
    """Collects what is wrong with one file while it is read."""

    def __init__(self, file: Path) -> None:
        self._file = str(file)
        self._errors: list[Finding] = []
        self._warnings: list[Finding] = []

    def error(self, where: str, zh: str, en: str) -> None:
        """Note something that makes the file unusable."""
        self._errors.append(Finding(self._file, where, zh, en))

    def warning(self, where: str, zh: str, en: str) -> None:
        """Note something the author should look at."""
        self._warnings.append(Finding(self._file, where, zh, en))

    def report(self) -> Report:
        """Give all that was noted, in the order of reading."""
        return Report(tuple(self._errors), tuple(self._warnings))


class Table:
    """One table of the file; each method reads one key and answers a stand-in after a fault.

    `close` names the keys nobody asked for. A stand-in never leaves the reader, because a file
    with any error gives no ladder.
    """

    def __init__(self, findings: Findings, where: str, raw: dict[str, Any]) -> None:
        self.findings = findings
        self.where = where
        self._raw = raw
        self._asked: set[str] = set()

    def at(self, key: str) -> str:
        """Give the path of a key of this table, as messages print it."""
        return f"{self.where}.{key}" if self.where else key

    def has(self, key: str) -> bool:
        """Say whether the key is there, for keys that may be left out."""
        self._asked.add(key)
        return key in self._raw

    def _read(self, key: str, kind: type, shape: str) -> Any:
        """Give the value if it is of this kind, else None after noting the fault."""
        example, zh, en = _SHAPES[shape]
        if not self.has(key):
            self.findings.error(
                self.at(key),
                f"缺少这一项；请补写 {key} = {example}",
                f"missing; write {key} = {example}",
            )
            return None
        value = self._raw[key]
        # TOML keeps booleans and integers apart, Python does not.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.findings.error(
                self.at(key),
                f"类型不对，应为{zh}；请写 {key} = {example}",
                f"wrong type, must be {en}; write {key} = {example}",
            )
            return None
        return value

    def text(self, key: str) -> str:
        """Read a text that is not blank."""
        value = self._read(key, str, "text")
        if value is not None and not value.strip():
            self.findings.error(self.at(key), "内容为空；请填写", "blank; fill it in")
        return value or ""

    def code(self, key: str) -> str:
        """Read a kebab-case code."""
        value = self.text(key)
        if value.strip() and not _KEBAB.fullmatch(value):
            self.findings.error(
                self.at(key),
                "代码格式不对；请只用小写字母、数字和连字符，如 first-level",
                "not a kebab-case code; use small letters, digits and hyphens, as in first-level",
            )
        return value

    def source(self) -> str:
        """Read `source`: articles, or "proposal" where no law sets the limit."""
        value = self.text("source")
        if value.strip() and not _SOURCE.fullmatch(value):
            self.findings.error(
                self.at("source"),
                '来源须写法条，如 "L-LDMA 14; L-ZJ 10"；法律未作规定的写 "proposal"',
                'name the articles, as in "L-LDMA 14; L-ZJ 10"; where no law says it, "proposal"',
            )
        return value

    def number(self, key: str, *, at_least: int) -> int:
        """Read a whole number."""
        value = self._read(key, int, "number")
        if value is not None and value < at_least:
            self.findings.error(
                self.at(key),
                f"数字太小；请写不小于 {at_least} 的整数",
                f"too small; write a whole number of at least {at_least}",
            )
        return value or 0

    def yes(self, key: str) -> bool:
        """Read true or false; left out is false."""
        return bool(self._read(key, bool, "yes")) if self.has(key) else False

    def words(self, key: str) -> tuple[str, ...]:
        """Read a list of texts without repetition; left out is empty."""
        values = self._read(key, list, "words") if self.has(key) else ()
        if not values:
            return ()
        if not all(isinstance(value, str) for value in values):
            self.findings.error(
                self.at(key),
                f'列表内须为文字；请写 {key} = ["…"]',
                f'every entry must be text; write {key} = ["…"]',
            )
            return ()
        if len(set(values)) < len(values):
            self.findings.error(
                self.at(key), "列表内有重复；请删去多余的", "listed twice; delete the repetition"
            )
        return tuple(values)

    def one_of(self, key: str, allowed: tuple[str, ...]) -> str:
        """Read a text out of a closed list."""
        value = self.text(key)
        if value.strip() and value not in allowed:
            self.findings.error(
                self.at(key),
                f"不在可选范围内；请写 {'、'.join(allowed)} 之一",
                f"not a known value; write one of {', '.join(allowed)}",
            )
        return value

    def words_of(self, key: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
        """Read a list of texts out of a closed list; left out is empty."""
        values = self.words(key)
        for value in values:
            if value not in allowed:
                self.findings.error(
                    self.at(key),
                    f"“{value}”不在可选范围内；请用 {'、'.join(allowed)}",
                    f'"{value}" is not a known value; use {", ".join(allowed)}',
                )
        return values

    def label(self, key: str) -> Label:
        """Read a label in both languages."""
        raw = self._read(key, dict, "label")
        if raw is None:
            return Label("", "")
        table = Table(self.findings, self.at(key), raw)
        label = Label(table.text("zh"), table.text("en"))
        table.close()
        return label

    def table(self, key: str) -> "Table":
        """Read a table inside this one."""
        raw = self._read(key, dict, "table")
        # After a fault the stand-in has nothing to say, or every key of it would be told missing.
        findings = self.findings if raw is not None else Findings(Path())
        return Table(findings, self.at(key), raw or {})

    def tables(self, key: str, *, required: bool) -> list["Table"]:
        """Read a list of tables; left out is empty unless it is required."""
        raw = self._read(key, list, "tables") if required or self.has(key) else ()
        found = []
        for index, row in enumerate(raw or ()):
            where = f"{self.at(key)}[{index}]"
            if isinstance(row, dict):
                found.append(Table(self.findings, where, row))
            else:
                self.findings.error(where, "须为表；请写 { … }", "must be a table; write { … }")
        return found

    def close(self) -> None:
        """Note every key that nothing has read."""
        for key in self._raw:
            if key in self._asked:
                continue
            close = difflib.get_close_matches(key, sorted(self._asked), n=1)
            self.findings.error(
                self.at(key),
                f"没有这一项；请改为 {close[0]}" if close else "没有这一项；请删去",
                f"unknown key; write {close[0]}" if close else "unknown key; delete it",
            )
