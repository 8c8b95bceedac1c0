"""The values that commands, events and the state of a case share; no rule and no event here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from mediation.calendar import DueDate
from mediation.ladder import MoveKind
from mediation.privacy import PRINTABLE, Sealed

MOST_FEN = 10**13
MOST_FEN_OF_A_CASE = 9 * 10**15
"""No sum of a case passes what a number holds exactly wherever it is read (2 to the 53rd)."""

Fen = Annotated[int, msgspec.Meta(ge=0, le=MOST_FEN)]
PositiveFen = Annotated[int, msgspec.Meta(ge=1, le=MOST_FEN)]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=PRINTABLE)]
MeansCode = Literal["in-person", "attending", "phone", "wechat", "sms", "written", "public-notice"]
PartyIds = Annotated[tuple[UUID, ...], msgspec.Meta(min_length=1, max_length=1050)]


class Matter(StrEnum):
    """What kind of matter a case is; each kind has a track and statistics of its own."""

    DISPUTE = "DISPUTE"
    DEMAND = "DEMAND"
    AID = "AID"


class Phase(StrEnum):
    """Where a case is in its life; the labels of the office stand in the code tables."""

    REGISTERED = "REGISTERED"
    CONSENT_PENDING = "CONSENT_PENDING"
    ACCEPTED = "ACCEPTED"
    ASSIGNED = "ASSIGNED"
    MEDIATING = "MEDIATING"
    SIGNING = "SIGNING"
    PERFORMING = "PERFORMING"
    FAILED = "FAILED"
    WITHDRAWN = "WITHDRAWN"
    NOT_ACCEPTED = "NOT_ACCEPTED"
    IN_PROCEEDINGS = "IN_PROCEEDINGS"
    CLOSED = "CLOSED"
    RELAYED = "RELAYED"
    ANSWERED = "ANSWERED"
    AIDED = "AIDED"


class Side(StrEnum):
    """On which side of the matter a party stands."""

    APPLICANT = "applicant"
    RESPONDENT = "respondent"


class Answer(StrEnum):
    """What a party answered when asked whether it wants mediation at this body."""

    AGREED = "AGREED"
    REFUSED = "REFUSED"
    NO_ANSWER = "NO_ANSWER"
    UNREACHABLE = "UNREACHABLE"


class Outcome(StrEnum):
    """How an acceptance ended."""

    AGREED = "AGREED"
    SETTLED = "SETTLED"
    FAILED = "FAILED"
    WITHDRAWN = "WITHDRAWN"


class Party(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A party as recorded: sealed under its own random id unless it is verified to be a unit.

    `company_name` and `credit_code` stand in clear only of a COMPANY or OTHER_UNIT whose identity
    was verified; who else it is stands sealed in `name`. `provisional`: not verified yet.
    """

    party_id: UUID
    side: Side
    role: str
    party_kind: str
    provisional: bool
    company_name: str | None
    credit_code: str | None
    name: Sealed | None
    id_number: Sealed | None
    phone: Sealed | None
    address: Sealed | None


class ClaimLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one applicant claims of one respondent for one cause, in fen."""

    line_id: UUID
    applicant_id: UUID
    respondent_id: UUID
    cause: str
    claimed_fen: int


class Instrument(StrEnum):
    """What kind of paper an agreement stands in; only the first starts review and confirmation."""

    MEDIATION_AGREEMENT = "MEDIATION_AGREEMENT"
    SETTLEMENT_AGREEMENT = "SETTLEMENT_AGREEMENT"
    ORAL_RECORD = "ORAL_RECORD"
    UNDERTAKING = "UNDERTAKING"


class ClaimResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of one claim line: agreed, expressly waived, or left open."""

    line_id: UUID
    result: Literal["agreed", "waived", "open"]


class Obligation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one respondent has to pay one applicant on a claim line, in fen, and until when.

    `instalment_no` counts the instalments of a line in one paper. Of a `recurring` duty
    `agreed_fen` is the first instalment, the only one that is tracked. `joint_ids` are the
    respondents who answer for it beside the debtor (连带).
    """

    obligation_id: UUID
    line_id: UUID
    applicant_id: UUID
    respondent_id: UUID
    agreed_fen: int
    due_on: date
    instalment_no: int
    recurring: bool
    joint_ids: tuple[UUID, ...]


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """How much of an obligation stands as paid, in fen."""

    obligation: Obligation
    applied_fen: int = 0
    surplus_fen: int = 0
    last_paid_on: date | None = None

    @property
    def is_performed(self) -> bool:
        """All that was agreed has been paid."""
        return self.applied_fen >= self.obligation.agreed_fen


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """The latest draft of an agreement, until it takes effect or becomes stale.

    `number` and the first digits of `digest` stand in the footer of the paper. `bound_ids` are
    the parties it binds, whose signatures it needs; `seal_body_id` the body whose seal it needs
    beside the mediator's signature, None if it needs neither. `passed_at` is when the check of its
    legality found nothing, `last_at` when the latest of the acts that count was done.
    """

    number: int
    digest: str
    instrument: Instrument
    author_id: UUID
    bound_ids: tuple[UUID, ...]
    results: tuple[ClaimResult, ...]
    obligations: tuple[Obligation, ...]
    seal_body_id: str | None
    made_as: str | None
    passed_at: datetime | None = None
    signed_ids: frozenset[UUID] = frozenset()
    mediator_signed: bool = False
    is_sealed: bool = False
    last_at: datetime | None = None

    def is_on(self, number: int, digest: str | None = None) -> bool:
        """Say whether the paper that bears this in its footer is this very version."""
        return self.number == number and (digest is None or self.digest.startswith(digest))

    @property
    def settled_line_ids(self) -> frozenset[UUID]:
        """The claim lines that are not left open."""
        return frozenset(it.line_id for it in self.results if it.result != "open")

    @property
    def is_complete(self) -> bool:
        """Everybody bound has signed, and mediator and seal are there where they are needed."""
        signed = self.signed_ids.issuperset(self.bound_ids)
        return signed and (self.seal_body_id is None or (self.mediator_signed and self.is_sealed))


class Proceeding(msgspec.Struct, frozen=True, kw_only=True):
    """A procedure outside the network, such as an arbitration; open until it has a result."""

    proceeding_id: UUID
    forum: str
    result: str | None = None

    @property
    def is_open(self) -> bool:
        """No result is known yet."""
        return self.result is None


class Addressee(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """To whom an urgent report went: a code of `addressee_kinds`, its body if it is one of ours.

    `name` is what the office wrote, sealed: it may name a person.
    """

    kind: str
    body_id: str | None
    name: Sealed


def unique(ids: Iterable[UUID]) -> tuple[UUID, ...]:
    """Give each id once, in the order of its first coming: nobody is counted twice."""
    return tuple(dict.fromkeys(ids))


class UrgentReport(msgspec.Struct, frozen=True, kw_only=True):
    """An urgent report and which of its addressees, counted from 0, have acknowledged it."""

    report_no: int
    addressees: tuple[Addressee, ...]
    acknowledged: frozenset[int] = frozenset()


class Irregularity(msgspec.Struct, frozen=True):
    """A procedural flaw of a recorded fact, waiting to be cured."""

    event_id: UUID
    code: str


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """One party's answers on the transfer sheet to a body, signed before or after the request."""

    party_id: UUID
    to_body_id: str
    new_body: bool
    disclosure: bool
    extension: bool | None


class PendingMove(msgspec.Struct, frozen=True, kw_only=True):
    """A custody move that waits for the receiver; the sender stays responsible until then."""

    kind: MoveKind
    to_body_id: str
    to_level: str
    to_branch: str | None
    to_path: str
    ground: str
    transfer_basis: str | None
    applicant_wish: bool
    request_event_id: UUID
    requested_by_id: UUID
    requested_at: datetime
    answer_due: DueDate | None
    days_left: int | None


class FormerCustody(msgspec.Struct, frozen=True, kw_only=True):
    """A body that had the case, until the version at which it handed it over."""

    body_id: str
    level: str
    path: str
    until_version: int
