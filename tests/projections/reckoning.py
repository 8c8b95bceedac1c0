"""The published figures reckoned once more, from the raw history, in plain Python; no database.

Nothing of `projections` is used here: cases are folded by the engine's own `evolve`, and every
figure is counted as its definition says, case by case, so that the read model is held against
another reading of DOMAIN §10 and not against itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from tests.projections.chronicle import Chronicle, Debt, Fact
from tests.projections.county import LADDER, Place

Span = tuple[date, date]
"""The first and the last day of a period."""

SOURCE = LADDER[:2]
"""Solved there counts as solved without being handed up."""

_OUT_OF_SCOPE = {
    *("not-labour-dispute", "insurance-benefit", "housing-reform", "appraisal-objection"),
    *("domestic-worker", "artisan-helper", "farm-household-hire", "wrong-place"),
}
_UP: frozenset[str | None] = frozenset({"ESCALATE", "REPORT_UP"})
_DOWN: frozenset[str | None] = frozenset({"ASSIGN_DOWN", "SEND_BACK"})
_SIDEWAYS: frozenset[str | None] = frozenset({"TRANSFER", "REROUTE"})


class Part(NamedTuple):
    """A number, and the workers and the cases of which it tells: each case once."""

    value: int | float | None
    workers: int | None = None
    cases: int | None = None


class Reckoned(NamedTuple):
    """A figure: its parts by name, and what it is made of."""

    parts: dict[str, Part]
    numerator: int | float | None
    denominator: int | float | None = None
    balances: bool | None = None

    @property
    def value(self) -> float | None:
        """The figure itself: a share where there is something to divide by."""
        if self.denominator is None:
            return self.numerator
        return _share(self.numerator or 0, self.denominator)


def _share(numerator: float, denominator: float) -> float | None:
    return round(numerator / denominator, 4) if denominator else None


class Reckoner:
    """Counts every figure for a set of bodies in a period.

    Args:
        chronicle: what happened.
        holds: says whether a body is one of those asked about.
        span: the period.
        today: nothing is overdue by a later day.
        source: the levels that count as the source.
    """

    def __init__(
        self,
        chronicle: Chronicle,
        holds: Callable[[Place], bool],
        span: Span,
        today: date,
        source: tuple[str, ...] = SOURCE,
    ) -> None:
        self._it = chronicle
        self._holds = holds
        self._held: dict[Place, bool] = {}
        self._found: dict[tuple[str, str, bool], list[Fact]] = {}
        self._first, self._last = span
        self._today = today
        # What falls due later than that can still be paid.
        self._due_until = min(self._last, today)
        self._source = source

    def figure(self, code: str) -> Reckoned:
        """Count one figure."""
        found: Reckoned = getattr(self, f"_{code.lower()}")()
        return found

    def _within(self, on: date) -> bool:
        return self._first <= on <= self._last

    def _here(self, place: Place | None) -> bool:
        if place is None:
            return False
        found = self._held.get(place)
        if found is None:
            found = self._held[place] = self._holds(place)
        return found

    def _all(self, kind: str, matter: str = "DISPUTE", *, is_own: bool = False) -> list[Fact]:
        key = (kind, matter, is_own)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = [
                it
                for it in self._it.facts[kind]
                if it.matter == matter
                and self._first <= it.on <= self._last
                and (not is_own or self._here(it.place))
            ]
        return found

    def _own(
        self, kind: str, matter: str = "DISPUTE", where: Callable[[Fact], bool] | None = None
    ) -> list[Fact]:
        found = self._all(kind, matter, is_own=True)
        return found if where is None else [it for it in found if where(it)]

    def _count(
        self, kind: str, matter: str = "DISPUTE", where: Callable[[Fact], bool] | None = None
    ) -> Part:
        return _counted(self._own(kind, matter, where))

    def _fen(self, kind: str, matter: str, *routes: str) -> Part:
        found = self._own(kind, matter, lambda it: not routes or it.code in routes)
        return _summed((it.case_id, it.fen) for it in found if it.fen)

    def _in(self, stock: str, kinds: frozenset[str | None] | None = None) -> Part:
        return _counted(
            it
            for it in self._it.facts[f"moved {stock}"]
            if self._within(it.on)
            and self._here(it.other)
            and not self._here(it.place)
            and (kinds is None or it.code in kinds)
        )

    def _out(self, stock: str, kinds: frozenset[str | None] | None = None) -> Part:
        return _counted(
            it
            for it in self._it.facts[f"moved {stock}"]
            if self._within(it.on)
            and self._here(it.place)
            and not self._here(it.other)
            and (kinds is None or it.code in kinds)
        )

    def _stocks(self, stock: str) -> dict[str, Part]:
        ours = [
            it
            for (lies_in, place), changes in self._it.changes.items()
            if lies_in == stock and self._here(place)
            for it in changes
        ]
        return {
            "opening": Part(sum(it.by for it in ours if it.on < self._first)),
            "closing": Part(sum(it.by for it in ours if it.on <= self._last)),
        }

    def _flow(self, parts: dict[str, Part], came: str, went: str) -> Reckoned:
        sides = [sum(parts[name][0] or 0 for name in side.split()) for side in (came, went)]
        return Reckoned(parts, parts["closing"][0], None, sides[0] == sides[1])

    def _f01(self) -> Reckoned:
        parts = {
            **self._stocks("pending"),
            "registered": self._count("registered"),
            "asked-anew": self._count("anew"),
            "moved-in": self._in("pending"),
            "moved-out": self._out("pending"),
            **self._accepted(),
            "refused": self._count("refused"),
            "withdrawn": self._count("withdrawn"),
            "left": self._count("left"),
        }
        went = "accepted-new restarted refused withdrawn left moved-out closing"
        return self._flow(parts, "opening registered asked-anew moved-in", went)

    def _accepted(self) -> dict[str, Part]:
        return {
            "accepted-new": self._count("accepted", where=lambda it: it.is_first),
            "restarted": self._count("accepted", where=lambda it: not it.is_first),
        }

    def _f02(self) -> Reckoned:
        parts = {
            **self._stocks("open"),
            **self._accepted(),
            "moved-in": self._in("open"),
            "moved-out": self._out("open"),
            "concluded": self._count("concluded"),
            "concluded-elsewhere": _counted(
                it
                for it in self._all("concluded")
                if self._here(it.other) and not self._here(it.place)
            ),
        }
        came = "opening accepted-new restarted moved-in"
        return self._flow(parts, came, "concluded moved-out closing")

    def _f03(self) -> Reckoned:
        parts = {
            **self._stocks("open"),
            "accepted": self._count("accepted"),
            "from-below": self._in("open", _UP),
            "assigned": self._in("open", frozenset({"ASSIGN_DOWN"})),
            "sent-back": self._in("open", frozenset({"SEND_BACK"})),
            "from-beside": self._in("open", _SIDEWAYS),
            "concluded": self._count("concluded"),
            "moved-up": self._out("open", _UP),
            "moved-down": self._out("open", _DOWN),
            "to-beside": self._out("open", _SIDEWAYS),
        }
        came = "opening accepted from-below assigned sent-back from-beside"
        return self._flow(parts, came, "concluded moved-up moved-down to-beside closing")

    def _f04(self) -> Reckoned:
        flow = self._f02().parts
        names = ("concluded", "opening", "accepted-new", "restarted", "moved-in", "moved-out")
        k, opening, new, again, came, went = (flow[name][0] or 0 for name in names)
        return Reckoned(
            {name: flow[name] for name in names}, k, opening + new + again + came - went
        )

    def _ended(self, *outcomes: str) -> Part:
        return self._count("concluded", where=lambda it: it.code in outcomes)

    def _f05(self) -> Reckoned:
        in_time = self._count("concluded", where=lambda it: bool(it.is_good))
        k = self._count("concluded")
        return Reckoned({"in-time": in_time, "concluded": k}, in_time[0], k[0])

    def _f06(self) -> Reckoned:
        parts = {
            "agreed": self._ended("AGREED"),
            "settled": self._ended("SETTLED"),
            "concluded": self._count("concluded"),
        }
        return Reckoned(parts, self._ended("AGREED", "SETTLED")[0], parts["concluded"][0])

    def _f07(self) -> Reckoned:
        parts = {"agreed": self._ended("AGREED"), "failed": self._ended("FAILED")}
        return Reckoned(parts, parts["agreed"][0], self._ended("AGREED", "FAILED")[0])

    def _f08(self) -> Reckoned:
        cohort = {it.case_id: it for it in self._own("registered")}
        accepted = {it.case_id: it.number for it in self._it.facts["accepted"] if it.is_first}
        barred: dict[UUID, Fact] = {}
        for it in self._it.facts["refused"]:
            is_late = it.number > accepted.get(it.case_id, it.number)
            if it.code in _OUT_OF_SCOPE and not is_late:
                barred.setdefault(it.case_id, it)
        came = [
            it
            for it in self._all("accepted")
            if it.is_first
            and it.case_id in cohort
            and (it.case_id not in barred or barred[it.case_id].number > it.number)
        ]
        out = [it for it in barred.values() if it.case_id in cohort and self._within(it.on)]
        parts = {
            "accepted": _counted(came),
            "registered": _counted(cohort.values()),
            "not-in-scope": _counted(out),
            **self._by_code("answers", self._own("answered")),
            **self._by_code("refusals", self._own("refused")),
        }
        return Reckoned(parts, len(came), len(cohort) - len(out))

    def _by_code(self, name: str, found: list[Fact]) -> dict[str, Part]:
        codes = sorted({it.code or "" for it in found})
        return {f"{name}.{code}": _counted(it for it in found if it.code == code) for code in codes}

    def _left_level(self) -> tuple[Part, Part, Part]:
        k = self._count("concluded")
        return self._ended("AGREED", "SETTLED"), k, self._out("open", _UP)

    def _f09(self) -> Reckoned:
        good, k, up = self._left_level()
        parts = {"succeeded": good, "concluded": k, "moved-up": up}
        return Reckoned(parts, good[0], (k[0] or 0) + (up[0] or 0))

    def _f10(self) -> Reckoned:
        _, k, up = self._left_level()
        return Reckoned({"moved-up": up, "concluded": k}, up[0], (k[0] or 0) + (up[0] or 0))

    def _f11(self) -> Reckoned:
        good = self._own("concluded", where=lambda it: it.code in ("AGREED", "SETTLED"))
        parts = {
            "at-source": _counted(it for it in good if it.place.level in self._source),
            "succeeded": _counted(good),
            "concluded": self._count("concluded"),
        }
        return Reckoned(parts, parts["at-source"][0], parts["concluded"][0])

    @cached_property
    def _papers(self) -> list[list[Debt]]:
        """Give what stands on each paper of the mediation at the end of the period."""
        papers: dict[UUID, list[Debt]] = defaultdict(list)
        for it in self._it.debts:
            if it.route == "mediation" and self._here(it.place) and it.stands(self._due_until):
                papers[it.paper_id].append(it)
        return list(papers.values())

    @cached_property
    def _over(self) -> list[list[Debt]]:
        return [it for it in self._papers if max(debt.due_on for debt in it) <= self._due_until]

    def _f12(self) -> Reckoned:
        over = self._over
        done = [
            paper for paper in over if all(it.paid_by(self._due_until) >= it.fen for it in paper)
        ]
        due = [
            it
            for paper in self._papers
            for it in paper
            if self._first <= it.due_on <= self._due_until
        ]
        paid = ((it.case_id, it.paid_by(self._due_until)) for it in due)
        parts = {
            "performed": _on_paper(done),
            "instruments": _on_paper(over),
            "applied-fen": _summed(it for it in paid if it[1]),
            "due-fen": _summed((it.case_id, it.fen) for it in due),
        }
        return Reckoned(parts, len(done), len(over))

    def _f13(self) -> Reckoned:
        over = self._over
        late = [
            paper
            for paper in over
            if any(it.due_on < self._today and it.paid_by(it.due_on) < it.fen for it in paper)
        ]
        parts = {"breached": _on_paper(late), "instruments": _on_paper(over)}
        return Reckoned(parts, len(late), len(over))

    def _f14(self) -> Reckoned:
        parts = {
            "claimed": self._fen("claimed", "DISPUTE"),
            "agreed": self._fen("owed", "DISPUTE", "mediation"),
            "replaced": self._fen("replaced", "DISPUTE", "mediation"),
            "applied": self._fen("paid", "DISPUTE", "mediation"),
        }
        return Reckoned(parts, parts["claimed"][0])

    def _f15(self) -> Reckoned:
        outside = ("arbitration", "litigation", "supervision")
        own = {route: self._fen("paid", "DISPUTE", route) for route in ("mediation", *outside)}
        aided = {f"aid-{route}": self._fen("paid", "AID", route) for route in outside}
        total = sum(it.value or 0 for it in own.values())
        return Reckoned({**own, **aided, "demand": self._fen("paid", "DEMAND")}, total)

    def _f16(self) -> Reckoned:
        days = sorted(it.days for it in self._own("concluded"))
        # Days are those of acceptances: a case that was concluded twice counts twice (F02).
        cases = len(days)

        def kept_by(percent: int) -> int | None:
            return next(
                (d for at, d in enumerate(days, 1) if at * 100 >= percent * len(days)), None
            )

        parts = {
            "median": Part(kept_by(50), cases=cases),
            "p90": Part(kept_by(90), cases=cases),
            "concluded": self._count("concluded"),
        }
        return Reckoned(parts, kept_by(50))

    def _f18(self) -> Reckoned:
        on = min(self._last, self._today)
        late = [
            it.case_id
            for place, duties in self._it.duties.items()
            if self._here(place)
            for it in duties
            if it.rolled_on < on and it.since <= on and (it.until is None or it.until > on)
        ]
        return Reckoned({"overdue": Part(len(late), cases=len(set(late)))}, len(late))

    def _f19(self) -> Reckoned:
        def told(where: Callable[[Fact], bool] | None = None) -> Part:
            return self._count("fed back", "DEMAND", where)

        parts = {
            **self._stocks("demand"),
            "registered": self._count("registered", "DEMAND"),
            "moved-in": self._in("demand"),
            "moved-out": self._out("demand"),
            "fed-back": told(),
            "withdrawn": self._count("withdrawn", "DEMAND"),
            "granted": told(lambda it: it.code == "GRANTED"),
            "partly": told(lambda it: it.code == "PARTLY"),
            "in-time": told(lambda it: bool(it.is_good)),
        }
        came = "opening registered moved-in"
        return self._flow(parts, came, "fed-back withdrawn moved-out closing")

    def _f20(self) -> Reckoned:
        parts = {
            **self._stocks("aid"),
            "registered": self._count("registered", "AID"),
            "asked-anew": self._count("anew", "AID"),
            "moved-in": self._in("aid"),
            "moved-out": self._out("aid"),
            "closed": self._count("closed", "AID"),
            "refused": self._count("aid refused", "AID"),
            "withdrawn": self._count("withdrawn", "AID"),
            "granted": self._count("granted", "AID"),
            **self._by_code("results", self._own("result", "AID")),
        }
        came = "opening registered asked-anew moved-in"
        return self._flow(parts, came, "closed refused withdrawn moved-out closing")

    def _f23(self) -> Reckoned:
        accepted = self._own("accepted", where=lambda it: it.is_first and bool(it.is_good))
        aided = self._own("granted", "AID", lambda it: bool(it.is_good))
        workers = _summed((it.case_id, it.workers) for it in accepted)
        parts = {
            "cases": _counted(accepted),
            "workers": workers,
            "mean-size": Part(_share(workers.value or 0, len(accepted))),
            "aid-cases": _counted(aided),
            "aid-workers": _summed((it.case_id, it.workers) for it in aided),
        }
        return Reckoned(parts, len(accepted))


def _counted(found: Iterable[Fact]) -> Part:
    facts = list(found)
    cases = len({it.case_id for it in facts})
    return Part(len(facts), sum(it.workers for it in facts), cases)


def _summed(found: Iterable[tuple[UUID, int]]) -> Part:
    """Add up what cases brought."""
    brought = list(found)
    return Part(sum(it for _, it in brought), cases=len({case_id for case_id, _ in brought}))


def _on_paper(papers: list[list[Debt]]) -> Part:
    return Part(len(papers), cases=len({paper[0].case_id for paper in papers}))
