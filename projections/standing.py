"""A case as its events leave it, as far as read models need it; nothing is decided here.

What an event says is copied: due dates are never computed, phases never derived.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

RECEIVERS = "D12"
"""By when the receiver of a pending move answers."""

REVIEWERS = "D24"
"""By when the body above looks into a case that one person handled alone."""

WINDOWS = ("D08", "D09")
"""Until when the parties may ask for review or confirmation: nobody in the office is late then."""

APART = (*WINDOWS, REVIEWERS, "D25")
"""Dates that outlive a case's closing: each is looked at by itself."""


TERMS = ("D02", "D04")
"""The statutory term: as it began, as it was extended."""

OWN_TERM = "D03"
"""The term of an enterprise committee's own mediation, from its acceptance."""


class Term(msgspec.Struct, array_like=True, frozen=True):
    """A due date as the event that started it says, with every reason it gives."""

    code: str
    due_on: date
    rolled_on: date
    due_at: datetime | None
    rule: str
    article: str
    start_event_id: UUID | None
    start_on: date
    calendar: str
    rolled_days: int
    provisional: bool
    past_when_decided: bool
    subject: str | None


class Debt(msgspec.Struct, array_like=True, frozen=True):
    """An obligation: what was agreed and what is paid of it, in fen, and the day it is due."""

    agreed_fen: int
    applied_fen: int
    due_on: date

    @property
    def is_paid(self) -> bool:
        """Nothing is left to pay."""
        return self.applied_fen >= self.agreed_fen


class Move(msgspec.Struct, array_like=True, frozen=True):
    """A pending move of custody, as far as others may know of it before it is answered.

    `position` is the end of the command that asked for it; `told` are the bodies passed by.
    """

    kind: str
    from_body_id: str
    from_level: str
    to_body_id: str
    to_level: str
    to_path: str
    ground: str
    asked_at: datetime
    told: tuple[str, ...]
    position: int


class Paper(msgspec.Struct, array_like=True, frozen=True):
    """The present draft of an agreement: whose seal it needs, and what was done with it."""

    seal_body_id: str | None
    passed: bool = False
    is_sealed: bool = False


class Place(NamedTuple):
    """A body that has to do something, and its path."""

    body_id: str
    path: str


class Standing(msgspec.Struct, array_like=True, kw_only=True):
    """A case after its events; owned and changed in place by one fold. Money is in fen.

    `applicants` and `respondents` say of each party whether it is a worker; `answers` were given
    at the body in custody; `sent_back` says that the case came back or was not taken, and nothing
    was done about it since; `committee_id` is the enterprise committee whose own term runs, until
    its end is on record; `proceedings` are those without a result; `irregularities` are those
    not cured: event and code of each.
    """

    case_id: UUID
    case_number: str
    matter_kind: str
    entry: str
    channel: str
    cause: str
    received_on: date
    filed_by_id: UUID | None
    phase: str
    level: str
    branch: str | None
    custody_body_id: str
    custody_path: str
    risk: str
    applicants: dict[UUID, bool]
    respondents: dict[UUID, bool]
    claimed_fen: int
    version: int = 0
    position: int = 0
    flags: list[str] = []
    former: list[str] = []
    mediator_ids: list[UUID] = []
    counsel_ids: list[UUID] = []
    answers: dict[UUID, str] = {}
    owed_ids: list[UUID] = []
    acceptance_no: int = 0
    acceptance_open: bool = False
    accepted_on: date | None = None
    outcome: str | None = None
    concluded_on: date | None = None
    closed_on: date | None = None
    obligations: dict[UUID, Debt] = {}
    is_ordered: bool = False
    draft: Paper | None = None
    term_lapsed: bool = False
    committee_id: str | None = None
    demand_answer: str | None = None
    is_fed_back: bool = False
    proceedings: list[UUID] = []
    move: Move | None = None
    sent_back: bool = False
    irregularities: list[tuple[UUID, str]] = []
    due: dict[str, Term] = {}

    @property
    def assigned_ids(self) -> tuple[UUID, ...]:
        """The mediators, and counsel of a party."""
        return (*self.mediator_ids, *self.counsel_ids)

    @property
    def receiver_body_id(self) -> str | None:
        """The body a pending move waits for."""
        return self.move.to_body_id if self.move else None

    @property
    def receiver_path(self) -> str | None:
        """Its path."""
        return self.move.to_path if self.move else None

    @property
    def former_paths(self) -> tuple[str, ...]:
        """The paths of the bodies that had the case before."""
        return tuple(self.former)

    @property
    def workers(self) -> int:
        """Number of workers on either side."""
        return sum(self.applicants.values()) + sum(self.respondents.values())

    @property
    def is_open(self) -> bool:
        """The case is not closed."""
        return self.phase != "CLOSED"

    @property
    def agreed_fen(self) -> int:
        """All that was promised."""
        return sum(debt.agreed_fen for debt in self.obligations.values())

    @property
    def applied_fen(self) -> int:
        """All that was paid of it."""
        return sum(debt.applied_fen for debt in self.obligations.values())

    @property
    def has_taken_effect(self) -> bool:
        """An agreement or settlement ended the mediation, so what was promised is owed."""
        return self.outcome in ("AGREED", "SETTLED")

    @property
    def is_owed(self) -> bool:
        """What was promised, or set by arbitration or court, is owed."""
        return self.has_taken_effect or self.is_ordered or self.phase == "PERFORMING"

    @property
    def has_open_duty(self) -> bool:
        """A notice, or a payment that is owed, is open: the case cannot simply be closed."""
        return bool(self.owed_ids) or (self.is_owed and bool(self.unpaid()))

    def unpaid(self) -> list[Debt]:
        """Give the obligations of which something is left to pay."""
        return [debt for debt in self.obligations.values() if not debt.is_paid]

    @property
    def term(self) -> Term | None:
        """The end of the statutory term: as extended, else as it began; None if it does not run."""
        return next((self.due[code] for code in TERMS if code in self.due), None)

    @property
    def own_term(self) -> Term | None:
        """The committee's own term, while it has the case and until its end is on record."""
        return self.due.get(OWN_TERM) if self.committee_id == self.custody_body_id else None

    def next_due(self) -> Term | None:
        """Give the earliest open date of what the body in custody has to do next."""
        others = (*APART, RECEIVERS)
        own = (term for term in self.due.values() if term.code not in others)
        return min(own, key=lambda it: (it.due_on, it.rolled_on, it.code), default=None)

    @property
    def here(self) -> Place:
        """The body that has the case."""
        return Place(self.custody_body_id, self.custody_path)

    @property
    def sealing(self) -> Place | None:
        """The body whose seal the draft needs: the one in custody, or one above it."""
        seal_body_id = self.draft.seal_body_id if self.draft else None
        return self.above(seal_body_id) if seal_body_id else None

    def answerable(self, code: str) -> Place:
        """Give the body that has to keep an open date."""
        if code == RECEIVERS and self.move is not None:
            return Place(self.move.to_body_id, self.move.to_path)
        if code == REVIEWERS:
            return self.above(self.custody_path.split("/")[-3]) or self.here
        return self.here

    def above(self, body_id: str) -> Place | None:
        """Find a body on the way from the top down to the one in custody, which counts too."""
        before, found, _ = self.custody_path.partition(f"/{body_id}/")
        return Place(body_id, before + found) if found else None

    def answers_by_side(self) -> tuple[set[str | None], set[str | None]]:
        """Give what applicants and what respondents answered here; None stands for not yet."""
        applicants, respondents = (
            {self.answers.get(party_id) for party_id in side}
            for side in (self.applicants, self.respondents)
        )
        return applicants, respondents


def stored(standing: Standing) -> str:
    """Give a standing as the text in which a read model keeps it."""
    return _ENCODER.encode(standing).decode()


def restored(text: str) -> Standing:
    """Read a standing back."""
    return _DECODER.decode(text)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Standing)
