"""Whoever knows how every figure is counted, and solves for what he is not told.

He writes each number down as a sum over what can happen: a case is concluded on this level, with
this outcome, in time. He knows nothing of how it was chosen what is withheld, and of the formulas
only which parts are divided by which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

from projections.statistics import Figures, Period, formula
from projections.statistics.figures import Figure, Number, Value
from projections.statistics.suppression import is_small
from tests.projections.county import LADDER as LEVELS
from tests.projections.happened import DOWN, OUTCOMES, SIDEWAYS, UP
from tests.projections.reckoning import SOURCE

OUTSIDE = "outside"

Form = Counter[Any]
"""A number as a sum: how often each thing that can happen is counted in it."""


def total(forms: Iterable[Form]) -> Form:
    """Add up."""
    found: Form = Counter()
    for form in forms:
        for atom, times in form.items():
            found[atom] += times
    return found


def less(form: Form) -> Form:
    """Take off."""
    return Counter({atom: -times for atom, times in form.items()})


def _leads(kind: str, start: str, end: str) -> bool:
    """Say whether a move of a kind may lead from one level to another; sideways none does."""
    rises = LEVELS.index(end) > LEVELS.index(start)
    return kind not in SIDEWAYS and (kind in UP) == rises


class Attacker:
    """Whoever knows how figures are counted, and writes down what he is told as sums."""

    def __init__(self, told: Figures, *, is_whole: bool) -> None:
        self.now = Period(told.first, told.last)
        first = told.figures[0].period_before
        self.before = Period(first.first, first.last)
        self.is_whole = is_whole
        self.said = {
            part.key.partition(".")[::2]
            for figure in told.figures
            for part in figure.parts
            if "." in part.key
        }

    def _levels(self, level: str | None) -> tuple[str, ...]:
        return (level,) if level else LEVELS

    def counted(self, term: str, period: Period, level: str | None, **by: Sequence[Any]) -> Form:
        """Count what happened on a level; `by` says in which ways."""
        found: list[Any] = [(term, period, it) for it in self._levels(level)]
        for values in by.values():
            found = [(*it, value) for it in found for value in values]
        return Counter(dict.fromkeys(found, 1))

    def accepted(
        self,
        period: Period,
        level: str | None,
        no: Sequence[str] = ("new", "again"),
        collective: Sequence[bool] = (True, False),
        own: Sequence[bool] = (True, False),
    ) -> Form:
        """Count acceptances: new or again, collective or not, registered in the period or not."""
        return self.counted("accepted", period, level, no=no, collective=collective, own=own)

    def concluded(
        self,
        period: Period,
        level: str | None,
        outcomes: Sequence[str] = OUTCOMES,
        in_time: Sequence[bool] = (True, False),
    ) -> Form:
        """Count conclusions by outcome, in time or not."""
        return self.counted("concluded", period, level, outcomes=outcomes, in_time=in_time)

    def moved(
        self,
        way: str,
        period: Period,
        level: str | None,
        kinds: Sequence[str],
    ) -> Form:
        """Count moves of open cases between levels, and to and from outside."""
        if period != self.now:
            return Counter({("moved", period, kind, way): 1 for kind in kinds})
        found: Form = Counter()
        for kind, here, there in product(kinds, LEVELS, (*LEVELS, OUTSIDE)):
            start, end = (here, there) if way == "out" else (there, here)
            is_asked = there == OUTSIDE if level is None else here == level != there
            if is_asked and (there == OUTSIDE or _leads(kind, start, end)):
                found["moved", period, kind, start, end] += 1
        return found

    def stock(self, name: str, period: Period, level: str | None, at: str) -> Form:
        """Count what lay there on the first day, and so on the last."""
        if at == "closing":
            if period == self.before:
                return self.stock(name, self.now, level, "opening")
            grown = self.grown(name, period, level)
            return total([self.stock(name, period, level, "opening"), grown])
        if period == self.before:
            end = self.stock(name, self.now, level, "opening")
            return total([end, less(self.grown(name, period, level))])
        return self.counted(name, period, level if name == "open" else None)

    def grown(self, name: str, period: Period, level: str | None) -> Form:
        """Say by how many a stock grew."""
        came, went = {
            "pending": (
                ("registered", "asked-anew", "moved-in"),
                ("accepted-new", "restarted", "refused", "withdrawn", "left", "moved-out"),
            ),
            "open": (("accepted-new", "restarted", "moved-in"), ("concluded", "moved-out")),
            "demand": (("registered", "moved-in"), ("fed-back", "withdrawn", "moved-out")),
            "aid": (
                ("registered", "asked-anew", "moved-in"),
                ("closed", "refused", "withdrawn", "moved-out"),
            ),
        }[name]
        code = {"pending": "F01", "open": "F02", "demand": "F19", "aid": "F20"}[name]
        return total(
            [
                *(self.part(code, it, period, level) for it in came),
                *(less(self.part(code, it, period, level)) for it in went),
            ]
        )

    def papers(self, period: Period, wanted: Callable[[bool, bool], bool]) -> Form:
        """Count papers, performed or not, breached or not."""
        kinds = ((performed, breached) for performed in _BOTH for breached in _BOTH)
        return Counter({("paper", period, it): 1 for it in kinds if wanted(*it)})

    def mixed(self, name: str, said: str, period: Period) -> Form:
        """Count what was said: no more is than stands in the answer, registered here or not."""
        if period != self.now:
            return Counter({(name, period): 1})
        codes = [said] if said else [it for kind, it in self.said if kind == name]
        return Counter({(name, period, it, own): 1 for it in codes for own in _BOTH})

    def of_registered(self, key: str, period: Period) -> Form:
        """Count in F08 what became of the cases registered in the period."""
        if not self.is_whole:
            return Counter({("F08", key, period): 1})
        if key == "accepted":
            return self.accepted(period, None, ("new",), own=(True,))
        return Counter({("refusals", period, "wrong-place", True): 1})

    def up_to(self, period: Period, level: str | None) -> Form:
        """Count what was solved on the levels that are the source, or on a level and below."""
        upto = SOURCE if level is None else LEVELS[: LEVELS.index(level) + 1]
        return total([self.concluded(period, it, OUTCOMES[:2]) for it in upto])

    def part(self, code: str, key: str, period: Period, level: str | None) -> Form:
        """Write down a part of a figure."""
        way = _OWN.get((code, key)) or (None if code in _OTHERS else _WAYS.get(key))
        if way is not None:
            return way(self, period, level)
        name, _, said = key.partition(".")
        if name in ("answers", "refusals", "results"):
            return self.mixed(name, said, period)
        if key in ("opening", "closing"):
            return self.stock(_STOCKS.get(code, "open"), period, level, key)
        return Counter({(code, key, period): 1})

    def sides(self, code: str, period: Period, level: str | None) -> Iterator[Form]:
        """Write down the numerator and the denominator."""
        found = formula(code)
        assert found is not None
        for keys in (found.numerator, found.denominator):
            parts = [
                (self.part(code, it.removeprefix("-"), period, self.level(code, it, level)), it)
                for it in keys
            ]
            yield total([less(form) if key.startswith("-") else form for form, key in parts])

    def level(self, code: str, key: str, level: str | None) -> str | None:
        """In F11 only what was solved below is by level."""
        return None if code == "F11" and key != "at-source" else level


Way = Callable[[Attacker, Period, str | None], Form]
_BOTH = (True, False)
_ANY = (*UP, *DOWN, *SIDEWAYS)
_SAID = ("GRANTED", "PARTLY", "REFUSED")
_STOCKS = {"F01": "pending", "F19": "demand", "F20": "aid"}
_OTHERS = frozenset({"F12", "F13", "F14", "F15", "F18", "F19", "F20", "F23"})
"""Figures that do not count disputes one by one: what their parts are called means something else.

Those of `_OWN` are written down for one figure alone.
"""

_WAYS: dict[str, Way] = {
    "accepted": lambda it, *of: it.accepted(*of),
    "accepted-new": lambda it, *of: it.accepted(*of, no=("new",)),
    "restarted": lambda it, *of: it.accepted(*of, no=("again",)),
    "concluded": lambda it, *of: it.concluded(*of),
    "in-time": lambda it, *of: it.concluded(*of, in_time=(True,)),
    "agreed": lambda it, *of: it.concluded(*of, OUTCOMES[:1]),
    "settled": lambda it, *of: it.concluded(*of, OUTCOMES[1:2]),
    "succeeded": lambda it, *of: it.concluded(*of, OUTCOMES[:2]),
    "failed": lambda it, *of: it.concluded(*of, OUTCOMES[2:3]),
    "moved-in": lambda it, *of: it.moved("in", *of, _ANY),
    "moved-out": lambda it, *of: it.moved("out", *of, _ANY),
    "from-below": lambda it, *of: it.moved("in", *of, UP),
    "assigned": lambda it, *of: it.moved("in", *of, DOWN[:1]),
    "sent-back": lambda it, *of: it.moved("in", *of, DOWN[1:]),
    "from-beside": lambda it, *of: it.moved("in", *of, SIDEWAYS),
    "moved-up": lambda it, *of: it.moved("out", *of, UP),
    "moved-down": lambda it, *of: it.moved("out", *of, DOWN),
    "to-beside": lambda it, *of: it.moved("out", *of, SIDEWAYS),
    "at-source": lambda it, *of: it.up_to(*of),
}
_OWN: dict[tuple[str, str], Way] = {
    ("F01", "moved-in"): lambda _, period, __: Counter({("pending in", period): 1}),
    ("F01", "moved-out"): lambda _, period, __: Counter({("pending out", period): 1}),
    ("F01", "refused"): lambda it, period, _: it.mixed("refusals", "", period),
    ("F08", "registered"): lambda it, *of: it.part("F01", "registered", *of),
    ("F08", "accepted"): lambda it, period, _: it.of_registered("accepted", period),
    ("F08", "not-in-scope"): lambda it, period, _: it.of_registered("not-in-scope", period),
    ("F12", "performed"): lambda it, period, _: it.papers(period, lambda paid, _: paid),
    ("F12", "instruments"): lambda it, period, _: it.papers(period, lambda _, __: True),
    ("F13", "instruments"): lambda it, period, _: it.papers(period, lambda _, __: True),
    ("F13", "breached"): lambda it, period, _: it.papers(period, lambda _, late: late),
    ("F14", "applied"): lambda it, *of: it.part("F15", "mediation", *of),
    ("F18", "overdue"): lambda it, *of: it.counted("overdue", *of),
    ("F19", "fed-back"): lambda it, *of: it.counted("fed", *of, said=_SAID, swift=_BOTH),
    ("F19", "granted"): lambda it, *of: it.counted("fed", *of, said=_SAID[:1], swift=_BOTH),
    ("F19", "partly"): lambda it, *of: it.counted("fed", *of, said=_SAID[1:2], swift=_BOTH),
    ("F19", "in-time"): lambda it, *of: it.counted("fed", *of, said=_SAID, swift=(True,)),
    ("F20", "granted"): lambda it, *of: it.counted("aided", *of, collective=_BOTH),
    ("F23", "cases"): lambda it, *of: it.accepted(*of, no=("new",), collective=(True,)),
    ("F23", "workers"): lambda it, *of: it.accepted(*of, no=("new",), collective=(True,)),
    ("F23", "aid-cases"): lambda it, *of: it.counted("aided", *of, collective=(True,)),
    ("F23", "aid-workers"): lambda it, *of: it.counted("aided", *of, collective=(True,)),
}


class Known(NamedTuple):
    """A number of an answer: where it stands, how it is made up, and what it comes to.

    `kind` is `part`, `side` (a numerator or a denominator), or `workers`.
    """

    where: tuple[Any, ...]
    kind: str
    form: Form
    value: float | None


class Answer:
    """The numbers of an answer as an attacker has them.

    Args:
        told: the answer.
        is_whole: there is no body beside those that were asked about.
    """

    def __init__(self, told: Figures, *, is_whole: bool) -> None:
        self._attacker = Attacker(told, is_whole=is_whole)
        self.numbers = [it for figure in told.figures for it in self._figure(figure)]

    def _figure(self, figure: Figure) -> Iterator[Known]:
        attacker, code = self._attacker, figure.formula
        rows: list[tuple[str | None, Value]] = [(None, figure)]
        for level, value in (*rows, *((it.level, it) for it in figure.levels)):
            for it in value.parts:
                yield from self._part(code, it, level)
            sides = (value.numerator, value.denominator)
            yield from self._sides((code, level), sides, attacker.now, level)
        for then in (figure.period_before, figure.year_before):
            sides = (then.numerator, then.denominator)
            period = Period(then.first, then.last)
            yield from self._sides((code, then.first), sides, period, None)

    def _part(self, code: str, it: Number, level: str | None) -> Iterator[Known]:
        if it.key in ("median", "p90", "mean-size"):
            return
        attacker = self._attacker
        form = attacker.part(code, it.key, attacker.now, attacker.level(code, it.key, level))
        of_workers = Counter({("workers", atom): times for atom, times in form.items()})
        if code == "F23" and it.key.endswith("workers"):
            yield Known((code, level, it.key), "workers", of_workers, it.value)
            return
        yield Known((code, level, it.key), "part", form, it.value)
        if it.workers is not None:
            yield Known((code, level, it.key), "workers", of_workers, it.workers)

    def _sides(
        self,
        where: tuple[Any, ...],
        values: tuple[float | None, float | None],
        period: Period,
        level: str | None,
    ) -> Iterator[Known]:
        if where[0] == "F16":
            return
        forms = self._attacker.sides(where[0], period, level)
        for side, form, value in zip(("numerator", "denominator"), forms, values, strict=True):
            yield Known((*where, side), "side", form, value)

    def counts(self) -> Iterator[Known]:
        """Give what is counted, what a share leaves out, and what ends in a way no figure tells."""
        found = {it.where: it for it in self.numbers if it.kind != "workers"}
        counts = [it for it in found.values() if it.where[0] not in ("F12", "F14", "F15")]
        for it in counts:
            some = found.get((*it.where[:-1], "numerator"))
            if it.where[-1] == "denominator" and some is not None:
                yield from _less(it, some)
        for level in (None, *LEVELS):
            concluded = found["F06", level, "concluded"]
            parts = [("F06", "agreed"), ("F06", "settled"), ("F07", "failed")]
            for code, key in parts:
                for left in _less(concluded, found[code, level, key]):
                    concluded = left
            yield concluded
        yield from counts


def _less(whole: Known, some: Known) -> Iterator[Known]:
    if whole.value is not None and some.value is not None:
        form = total([whole.form, less(some.form)])
        yield Known((*whole.where, "less", *some.where), "rest", form, whole.value - some.value)


def given_back(worked_out: Figures, told: Figures, *, is_whole: bool) -> list[Known]:
    """Solve for what is withheld, and give all of it that is found.

    That is every part that is null, and its workers, and whatever comes to few, told or not.
    """
    seen, truth = Answer(told, is_whole=is_whole), Answer(worked_out, is_whole=is_whole)
    known = [it for it in seen.numbers if it.value is not None]
    told_of = {(it.where, it.kind) for it in known}
    span = Span(it.form for it in known)
    wanted = [
        *(
            it
            for it in truth.numbers
            if it.kind != "side" and it.value is not None and (it.where, it.kind) not in told_of
        ),
        *(it for it in truth.counts() if it.value is not None and is_small(it.value)),
    ]
    return [*(it for it in wanted if span.holds(it.form)), *_nested(known)]


def _nested(known: Iterable[Known]) -> Iterator[Known]:
    """Give by how few one number that is told is more than another that is a part of it."""
    counts = {
        frozenset(it.form.items()): it
        for it in known
        if it.value and it.kind != "workers" and it.where[0] not in ("F12", "F14", "F15")
        if min(it.form.values(), default=0) > 0
    }
    for some, it in counts.items():
        for whole, of in counts.items():
            if some < whole:
                yield from (left for left in _less(of, it) if is_small(left.value or 0))


_PRIME = 2**61 - 1


class Span:
    """All that follows from sums: each is reduced by those before, in the field of a prime."""

    def __init__(self, forms: Iterable[Form]) -> None:
        self._rows: dict[Any, dict[Any, int]] = {}
        for form in forms:
            left = self._reduced(form)
            if left:
                pivot = next(iter(left))
                inverse = pow(left[pivot], -1, _PRIME)
                self._rows[pivot] = {it: n * inverse % _PRIME for it, n in left.items()}

    def _reduced(self, form: Form) -> dict[Any, int]:
        left = {it: n % _PRIME for it, n in form.items() if n}
        while found := next((it for it in left if it in self._rows), None):
            times = left[found]
            for it, n in self._rows[found].items():
                rest = (left.get(it, 0) - times * n) % _PRIME
                if rest:
                    left[it] = rest
                else:
                    left.pop(it, None)
        return left

    def holds(self, form: Form) -> bool:
        """Say whether a sum follows from the others."""
        return not self._reduced(form)
