"""Cases drawn by chance, written into a ledger as lines: as many of each kind as a seed will have.

No event is decided here: what figures withhold hangs on how few there are of a kind, and a year
that is lived through has many of each.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from mediation.store import writing
from projections.base import create
from projections.statistics import Ledger
from tests.projections.county import LADDER as LEVELS

UP = ("ESCALATE", "REPORT_UP")
DOWN = ("ASSIGN_DOWN", "SEND_BACK")
SIDEWAYS = ("TRANSFER", "REROUTE")
OUTCOMES = ("AGREED", "SETTLED", "FAILED", "WITHDRAWN")

Place = tuple[str, str, str, str | None]
"""A body, its path, its level and its branch."""

PLACES: list[Place] = [
    (f"{level}-{half}", f"/{half}/{level}-{half}/", level, None)
    for level in LEVELS
    for half in ("west", "east")
]
_BODY = ("body_id", "body_path", "level", "branch")
_LINE = tuple(it.name for it in Ledger().line.columns)
_FIRST = date(2025, 1, 1)


class Happened:
    """The lines, cases and open dates of a district in two years."""

    def __init__(self, seed: int, cases: int) -> None:
        self.dice = random.Random(seed)
        self.lines: list[tuple[Any, ...]] = []
        self.cases: list[tuple[Any, ...]] = []
        self.duties: list[tuple[Any, ...]] = []
        self._likely = {
            name: [self.dice.random() ** 3 + 0.01 for _ in range(8)]
            for name in ("matter", "place", "fate", "kind", "outcome", "route", "answer")
        }
        for number in range(cases):
            self.cases.append(_Life(self, UUID(int=(seed << 32) + number + 1)).lived())

    def pick(self, name: str, found: Sequence[Any]) -> Any:
        """Draw one of a kind, as likely as it is in this district."""
        return self.dice.choices(found, self._likely[name][: len(found)])[0]

    def keep(self, engine: Engine, ledger: Ledger) -> None:
        """Write all of it into a ledger."""
        create(engine, [ledger])
        with writing(engine) as connection:
            for table, rows in (
                (ledger.line, self.lines),
                (ledger.case, self.cases),
                (ledger.duty, self.duties),
            ):
                names = table.columns.keys()
                if rows:
                    connection.execute(
                        table.insert(), [dict(zip(names, row, strict=True)) for row in rows]
                    )


class _Life:
    """One case: what became of it, line by line."""

    def __init__(self, district: Happened, case_id: UUID) -> None:
        self._district, self._dice, self._case_id = district, district.dice, case_id
        self._matter = district.pick("matter", ("DISPUTE", "DISPUTE", "DEMAND", "AID"))
        self._at: Place = district.pick("place", PLACES)
        self._day = _FIRST + timedelta(days=self._dice.randrange(730))
        self._workers = self._dice.choice((1, 1, 1, 2, 12))
        self._stock: str | None = None
        self._n = 0
        self._own: dict[str, Any] = {"since_on": self._day, "other": self._at}

    def lived(self) -> tuple[Any, ...]:
        """Live it, and give the row of the case."""
        {"DISPUTE": self._dispute, "DEMAND": self._demand, "AID": self._aid}[self._matter]()
        if self._dice.random() < 0.1:
            of_case = (self._case_id, 1, str(self._case_id), "key", "D06")
            days = (self._day, self._day, *self._at, self._day, None)
            self._district.duties.append((*of_case, *days, 1, None, 1))
        return (self._case_id, self._stock, *self._at, "", "")

    def _line(self, term: str, *, at: Place | None = None, **told: Any) -> None:
        self._n += 1
        row = dict.fromkeys(_LINE) | {
            "case_id": self._case_id,
            "n": self._n,
            "position": 1,
            "version": self._n,
            "case_number": str(self._case_id),
            "occurred_on": self._day,
            "term": term,
            "matter": self._matter,
            "workers": self._workers,
            "fen": 0,
            **dict(zip(_BODY, at or self._at, strict=True)),
        }
        other = told.pop("other", None)
        if other is not None:
            row |= {f"other_{name}": it for name, it in zip(_BODY, other, strict=True)}
        self._district.lines.append(tuple((row | told)[name] for name in _LINE))
        if told.get("enters") or told.get("leaves"):
            self._stock = told.get("enters")

    def _wait(self, days: int) -> None:
        self._day += timedelta(days=self._dice.randrange(days))

    def _move(self, stock: str) -> None:
        kind = self._district.pick("kind", (*UP, *DOWN, *SIDEWAYS))
        ranks = [LEVELS.index(it[2]) - LEVELS.index(self._at[2]) for it in PLACES]
        wanted = 1 if kind in UP else -1 if kind in DOWN else 0
        fits = [
            it
            for it, rank in zip(PLACES, ranks, strict=True)
            if (rank > 0) - (rank < 0) == wanted and it != self._at
        ]
        if fits:
            receiver = self._dice.choice(fits)
            self._line("moved-out", leaves=stock, other=receiver, detail=kind)
            self._line("moved-in", enters=stock, at=receiver, other=self._at, detail=kind)
            self._at = receiver

    def _demand(self) -> None:
        self._line("registered", enters="demand", detail="WINDOW")
        self._wait(30)
        if self._dice.random() < 0.8:
            answer = self._district.pick("answer", ("GRANTED", "PARTLY", "REFUSED"))
            in_time = self._dice.random() < 0.8
            self._line("fed-back", leaves="demand", detail=answer, on_time=in_time)

    def _aid(self) -> None:
        self._line("registered", enters="aid", detail="WINDOW")
        self._wait(30)
        self._line("granted", detail="poverty", collective=self._workers > 9)
        self._line("result", detail=f"arbitration.{self._dice.choice(('won', 'lost'))}")
        if self._dice.random() < 0.5:
            self._line("closed", leaves="aid")

    def _dispute(self) -> None:
        self._line("registered", enters="pending", detail="WINDOW")
        for answer in self._dice.choices(("AGREED", "NO_ANSWER", "REFUSED"), (6, 1, 1), k=2):
            self._line("answered", detail=answer)
        if self._dice.random() < 0.2:
            self._move("pending")
        self._wait(20)
        fate = self._district.pick("fate", ("refused", "withdrawn", "left", "undecided"))
        if self._dice.random() < 0.8:
            self._accepted()
        elif fate != "undecided":
            reason = self._dice.choice(("duplicate", "wrong-place", "no-consent"))
            self._line(fate, leaves="pending", detail=reason, **self._own)

    def _accepted(self) -> None:
        self._line(
            "accepted",
            leaves="pending",
            enters="open",
            detail="again" if self._dice.random() < 0.1 else "new",
            collective=self._workers > 9,
            **self._own,
        )
        first_at = self._at
        for _ in range(self._dice.choice((0, 0, 1, 2))):
            self._wait(20)
            self._move("open")
        self._wait(60)
        if self._dice.random() < 0.85:
            self._line(
                "concluded",
                leaves="open",
                detail=self._district.pick("outcome", OUTCOMES),
                on_time=self._dice.random() < 0.7,
                days=self._dice.randrange(60),
                other=first_at,
            )
            self._pay()

    def _pay(self) -> None:
        owed = {
            "detail": self._district.pick("route", ("mediation", "arbitration", "litigation")),
            "obligation_id": UUID(int=self._case_id.int << 8),
            "paper_id": self._case_id,
            "due_on": self._day + timedelta(days=30),
        }
        self._line("owed", fen=4 * 10**7, **owed)
        for _ in range(self._dice.randrange(4)):
            self._line("applied", fen=self._dice.randrange(1, 10**7), **owed)
