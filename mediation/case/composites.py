"""Everyday work on one form: several commands decided one after the other, all or nothing.

Each command is decided on the state folded so far and leaves the very events it would leave by
itself, each with its own time. Nothing is decided here that its chapter does not decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID, uuid5

import msgspec

from mediation.calendar import day_of, first_moment_of
from mediation.case.agreement import Digest, SealAgreement, SignAgreement
from mediation.case.assignment import AssignMediators, ConfirmAssignment
from mediation.case.closing import CloseCase
from mediation.case.conclusion import ConcludeMediation
from mediation.case.consent import AcceptCase, RecordConsent
from mediation.case.drafting import Number, standing_draft
from mediation.case.intake import LineEntry, PartyEntry, RaiseFlag, RegisterCase, reads_counter
from mediation.case.lifecycle import require_allowed
from mediation.case.performance import ObligationEntry, RecordPerformance
from mediation.case.sessions import RecordSession, ServeRightsNotice
from mediation.case.settlement import GiveUndertaking, RecordOralAgreement, RecordSettlement
from mediation.case.state import CaseCommand, CaseFacts, CaseState
from mediation.case.values import (
    Answer,
    Code,
    Fen,
    Matter,
    MeansCode,
    PositiveFen,
)
from mediation.errors import FieldFault, Malformed, NotAllowedNow, Refusal, pointing
from mediation.kernel import Command, Decision, StreamRef, aware, decides, fold, handled
from mediation.ladder import Risk
from mediation.privacy import Personal

_INJURY = "C14"

_AS_IN_THE_FORM = Personal("见《简易调解登记表》。")
"""What stands for minutes and text where the form has nothing more to say."""


class Chain:
    """A decision made of several: each command is decided on what those before it left."""

    def __init__(self, case: CaseState, facts: CaseFacts) -> None:
        self.case = case
        self.decision = Decision(())
        self._facts = facts
        self._count = 0

    def do(self, *commands: Command) -> None:
        """Decide commands in order.

        Raises:
            MediationError: whatever the first command refused raises; nothing of the chain stays.
        """
        for command in commands:
            self._count += 1
            seed = uuid5(self._facts.seed, f"step:{self._count}")
            facts = _at(msgspec.structs.replace(self._facts, seed=seed), command.occurred_at)
            decided = handled(command).decide(self.case, command, facts)
            self.case = fold(self.case, decided.on(facts.stream))
            self.decision = self.decision.then(decided)


class RegisterAndAccept(CaseCommand, frozen=True, kw_only=True):
    """登记即受理: register, record that everybody agrees, accept and assign, at one visit.

    `within_scope` and `within_district` are what the form declares by its printed words (属于受理
    范围、属本区管辖); where one does not hold, the case goes the ordinary way.
    """

    creates: ClassVar[bool] = True

    registration: RegisterCase
    consent_means: MeansCode = "attending"
    mediator_ids: Annotated[tuple[UUID, ...], msgspec.Meta(min_length=1, max_length=20)]
    lead_mediator_id: UUID | None = None
    within_scope: bool = True
    within_district: bool = True

    def moments(self) -> Mapping[str, datetime | None]:
        """Give the time of the form and that of the registration."""
        return {
            "/occurred_at": self.occurred_at,
            "/registration/occurred_at": self.registration.occurred_at,
        }

    @property
    def body_id(self) -> str | None:
        """The body at which the matter is registered, if it is named."""
        return self.registration.body_id


_IN_REGISTRATION = ("", "/registration")


def _counter_of_registration(command: RegisterAndAccept, facts: CaseFacts) -> tuple[StreamRef, ...]:
    with pointing(_IN_REGISTRATION):
        return reads_counter(command.registration, _at(facts, command.registration.occurred_at))


def _at(facts: CaseFacts, occurred_at: datetime | None) -> CaseFacts:
    """Give the facts of something that happened at another time; None leaves them as they are."""
    if occurred_at is None:
        return facts
    return msgspec.structs.replace(facts, occurred_at=aware(occurred_at))


@decides(RegisterAndAccept, reads=_counter_of_registration)
def register_and_accept(case: CaseState, command: RegisterAndAccept, facts: CaseFacts) -> Decision:
    """Take the case in and hand it to its mediators."""
    _require_declared(command.within_scope, command.within_district)
    chain = Chain(case, facts)
    with pointing(_IN_REGISTRATION):
        chain.do(command.registration)
    _everybody_agrees(chain, command.consent_means)
    chain.do(
        AcceptCase(within_scope=True, within_district=True),
        AssignMediators(
            mediator_ids=command.mediator_ids,
            lead_mediator_id=command.lead_mediator_id or command.mediator_ids[0],
        ),
    )
    return chain.decision


def _require_declared(*declared: bool) -> None:
    """Refuse a form of whose printed declaration something does not hold."""
    if not all(declared):
        raise NotAllowedNow(
            Refusal(
                "declaration-not-made",
                "登记表所载声明（属于受理范围、属本区管辖、已告知权利义务）不能全部成立的，"
                "请按普通程序逐项办理。",
                "Something that the form declares (within scope, within the district, rights told) "
                "does not hold; take the case step by step.",
            )
        )


def _everybody_agrees(chain: Chain, means: MeansCode) -> None:
    chain.do(
        *(
            RecordConsent(party_id=party.party_id, answer=Answer.AGREED, means=means)
            for party in chain.case.parties
        )
    )


class SmallWorker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A worker on the form, with what he claims, in fen; and gets, where that is less."""

    name: Personal
    phone: Personal | None = None
    claimed_fen: Fen
    agreed_fen: PositiveFen | None = None

    @property
    def gets_fen(self) -> int:
        """What he is to get: what was agreed, else what he claims."""
        return self.agreed_fen or self.claimed_fen


class RegisterAndSettleSmallCase(CaseCommand, frozen=True, kw_only=True):
    """一表办: a small case from registration to its end on one form, 《简易调解登记表》.

    `occurred_at` is the day of the visit; without `paid_on` the sum is due on `due_on`, and the
    case stays open until it is paid. Without `mediator_id` the actor mediated himself. Without
    `text` the minutes refer to the form. How the session was held and the rights were told follows
    from `consent_means`. `within_scope`, `within_district` and `rights_told` are what the form
    declares by its printed words (属于受理范围、属本区管辖、已告知权利义务); where one does not
    hold, the case goes the ordinary way.
    """

    creates: ClassVar[bool] = True

    channel: Code
    body_id: Code | None = None
    workers: Annotated[tuple[SmallWorker, ...], msgspec.Meta(min_length=1, max_length=50)]
    employer: PartyEntry
    cause: Code
    request: Personal
    consent_means: MeansCode
    instrument: Literal["oral", "settlement", "undertaking"]
    text: Personal | None = None
    paid_on: date | None = None
    due_on: date | None = None
    mediator_id: UUID | None = None
    flags: Annotated[tuple[Code, ...], msgspec.Meta(max_length=10)] = ()
    within_scope: bool = True
    within_district: bool = True
    rights_told: bool = True

    def moments(self) -> Mapping[str, datetime | None]:
        """Give the time of the visit, and the day of payment if that was before it.

        Any other day of payment is held against today where the form is decided on.
        """
        visited_on = day_of(aware(self.occurred_at)) if self.occurred_at else None
        if self.paid_on is None or visited_on is None or self.paid_on >= visited_on:
            return {"/occurred_at": self.occurred_at}
        return {"/occurred_at": self.occurred_at, "/paid_on": first_moment_of(self.paid_on)}


_ON_THE_FORM = (("/lines/[0-9]+/cause", "/cause"), ("/respondents/0", "/employer"))
"""Where the form has the fields of its registration that it calls otherwise."""


def _registration(command: RegisterAndSettleSmallCase, at: datetime) -> RegisterCase:
    return RegisterCase(
        matter_kind=Matter.DISPUTE,
        channel=command.channel,
        body_id=command.body_id,
        oral=True,
        applicants=tuple(
            PartyEntry(role="WORKER", name=worker.name, phone=worker.phone)
            for worker in command.workers
        ),
        respondents=(command.employer,),
        request=command.request,
        cause=command.cause,
        lines=tuple(
            LineEntry(applicant=at, cause=command.cause, claimed_fen=worker.claimed_fen)
            for at, worker in enumerate(command.workers)
        ),
        occurred_at=at,
    )


def _counter_of_form(
    command: RegisterAndSettleSmallCase, facts: CaseFacts
) -> tuple[StreamRef, ...]:
    return reads_counter(_registration(command, facts.occurred_at), facts)


@decides(RegisterAndSettleSmallCase, reads=_counter_of_form)
def register_and_settle_small_case(
    case: CaseState, command: RegisterAndSettleSmallCase, facts: CaseFacts
) -> Decision:
    """Write every event of a small case in order, within the limits that the ladder sets."""
    _require_declared(command.within_scope, command.within_district, command.rights_told)
    visited_at = facts.occurred_at
    chain = Chain(case, facts)
    with pointing(*_ON_THE_FORM):
        chain.do(_registration(command, visited_at))
    for at, flag in enumerate(command.flags):
        with pointing(("/flag", f"/flags/{at}")):
            chain.do(RaiseFlag(flag=flag))
    _require_small(chain.case, command, facts)
    mediator_id = _who_mediated(chain.case, command, facts)
    _everybody_agrees(chain, command.consent_means)
    chain.do(
        AcceptCase(within_scope=True, within_district=True),
        AssignMediators(mediator_ids=(mediator_id,), lead_mediator_id=mediator_id),
    )
    # Nobody confirms for somebody else; the session shows that he took the case on.
    if mediator_id == facts.actor.actor_id:
        chain.do(ConfirmAssignment(mediator_id=mediator_id))
    everybody = tuple(party.party_id for party in chain.case.parties)
    mode, means = _held(command.consent_means)
    chain.do(
        *(ServeRightsNotice(party_id=party_id, means=means) for party_id in everybody),
        RecordSession(
            mode=mode,
            attending_ids=everybody,
            host_ids=(mediator_id,),
            minutes=command.text or _AS_IN_THE_FORM,
            result="undertaking" if command.instrument == "undertaking" else "agreed",
        ),
    )
    _settle(chain, command, everybody, facts)
    if command.paid_on is not None:
        _pay_and_close(chain, command.paid_on, facts)
    return chain.decision


def _held(
    consent_means: MeansCode,
) -> tuple[Literal["joint", "online", "phone"], MeansCode]:
    """Say how the session was held and by what means the rights were told."""
    if consent_means == "phone":
        return "phone", consent_means
    if consent_means in ("wechat", "sms"):
        return "online", consent_means
    return "joint", "attending"


def _who_mediated(case: CaseState, command: RegisterAndSettleSmallCase, facts: CaseFacts) -> UUID:
    """Give the mediator of the form: the one named, else the actor, if he is one here."""
    actor_id = facts.actor.actor_id
    is_mediator = facts.network.is_active_mediator(
        actor_id, case.custody_body_id, facts.occurred_on
    )
    if command.mediator_id is None and not is_mediator:
        raise NotAllowedNow(
            Refusal(
                "mediator-not-named",
                "未填调解员，默认为登记人本人，而其不是本单位在任调解员；请填写调解员。",
                "No mediator is named and whoever registers is none of this body on that day; "
                "name the mediator.",
            )
        )
    return command.mediator_id or actor_id


def _settle(
    chain: Chain,
    command: RegisterAndSettleSmallCase,
    everybody: tuple[UUID, ...],
    facts: CaseFacts,
) -> None:
    on = command.paid_on or command.due_on or facts.occurred_on
    text = command.text or _AS_IN_THE_FORM
    entries = tuple(
        ObligationEntry(line_id=line.line_id, agreed_fen=worker.gets_fen, due_on=on)
        for line, worker in zip(chain.case.lines, command.workers, strict=True)
        if worker.gets_fen
    )
    if command.instrument == "oral":
        chain.do(
            RecordOralAgreement(
                agreed_by_ids=everybody,
                obligations=entries,
                done_on_the_spot=command.paid_on is not None and on <= facts.occurred_on,
                text=text,
            )
        )
        return
    if command.instrument == "settlement":
        chain.do(RecordSettlement(signed_by_ids=everybody, obligations=entries, text=text))
    else:
        respondent_id = chain.case.respondents[0].party_id
        chain.do(GiveUndertaking(respondent_id=respondent_id, obligations=entries, text=text))
    chain.do(ConcludeMediation(accepted_by_ids=tuple(p.party_id for p in chain.case.applicants)))


def _pay_and_close(chain: Chain, paid_on: date, facts: CaseFacts) -> None:
    same_day = paid_on == facts.occurred_on
    paid_at = facts.occurred_at if same_day else first_moment_of(paid_on)
    chain.do(
        *(
            RecordPerformance(
                obligation_id=payment.obligation.obligation_id,
                paid_fen=payment.obligation.agreed_fen,
                payment_means="other",
                proof_kind="worker-confirmed",
                occurred_at=paid_at,
            )
            for payment in chain.case.payments
        ),
        CloseCase(occurred_at=facts.at),
    )


def _require_small(case: CaseState, command: RegisterAndSettleSmallCase, facts: CaseFacts) -> None:
    """Hold the form to the limits of the ladder's file, and to what one visit can settle."""
    if (command.paid_on is None) == (command.due_on is None):
        raise Malformed(
            zh="请填写履行日：已经履行的填 paid_on，尚未履行的填 due_on，二者选一。",
            en="State the day of performance: paid_on if it is done, due_on if it is to come.",
            faults=(FieldFault("/paid_on", "one-of-two"),),
        )
    if command.paid_on is not None and command.paid_on > day_of(facts.at):
        raise Malformed(
            zh="履行日不能晚于今日；尚未履行的请填 due_on。",
            en="The day of payment lies in the future; use due_on for what is still to come.",
            faults=(FieldFault("/paid_on", "future-time"),),
            code="future-time",
        )
    ladder = facts.ladder_of(case)
    # Without the day of the visit the door cannot hold an early payment to the ladder's bounds.
    is_late = command.paid_on is not None and ladder.back_dating.approvers(
        (day_of(facts.at) - command.paid_on).days
    )
    if is_late and command.occurred_at is None:
        raise Malformed(
            zh="履行日早于免批补录期限，请同时填写办理日期（occurred_at）。",
            en="The day of payment is further back than what is free of approval; state the day of "
            "the visit (occurred_at) too.",
            faults=(FieldFault("/occurred_at", "required"),),
        )
    agreed_fen = sum(worker.gets_fen for worker in command.workers)
    if command.instrument == "undertaking" and not agreed_fen:
        raise Malformed(
            zh="书面承诺须写明应付金额，请填写。",
            en="A written undertaking says what is to be paid; state the sum.",
            faults=(FieldFault("/workers", "required"),),
        )
    bounds = ladder.small_case
    yuan = f"{bounds.total_fen / 100:.15g}"
    checks = (
        (
            case.workers > bounds.workers,
            "too-many-workers",
            f"一表办限{bounds.workers}名职工以内，请按普通程序登记。",
            f"One form holds at most {bounds.workers} workers; register the case step by step.",
        ),
        (
            max(case.claimed_fen, agreed_fen) > bounds.total_fen,
            "sum-too-large",
            f"请求或者约定的总额超出一表办限额（{yuan}元），请按普通程序登记。",
            f"The sum exceeds the form's limit of {yuan} yuan; register the case step by step.",
        ),
        (
            case.level not in bounds.levels,
            "level-not-open",
            "本级不适用一表办，请按普通程序登记。",
            "The one form is not open at this level; register the case step by step.",
        ),
        (
            not case.flags.isdisjoint(bounds.barred_flags)
            or ("WORK_INJURY" in bounds.barred_flags and command.cause == _INJURY)
            or Risk(case.risk) in bounds.barred_risks,
            "not-for-one-form",
            "集体、工伤或者红色风险案件不适用一表办，请按普通程序登记。",
            "Collective, injury and red cases do not fit on one form; register step by step.",
        ),
    )
    refusals = [Refusal(code, zh, en) for is_so, code, zh, en in checks if is_so]
    if refusals:
        raise NotAllowedNow(*refusals)


class SignAndSeal(CaseCommand, frozen=True, kw_only=True):
    """签署盖章生效: everybody bound signs, the mediator signs, the body seals, on one occasion."""

    matters: ClassVar[frozenset[Matter]] = frozenset({Matter.DISPUTE})

    number: Number
    digest: Digest
    mediator_id: UUID | None = None


@decides(SignAndSeal)
def sign_and_seal(case: CaseState, command: SignAndSeal, facts: CaseFacts) -> Decision:
    """Bring the agreement into force."""
    require_allowed(case, command)
    draft = standing_draft(case)
    number, digest = command.number, command.digest
    chain = Chain(case, facts)
    chain.do(
        *(
            SignAgreement(number=number, digest=digest, party_id=party_id)
            for party_id in draft.bound_ids
            if party_id not in draft.signed_ids
        )
    )
    # Once nothing is wanting any more, mediator and seal would come too late.
    if chain.case.draft and not draft.mediator_signed:
        mediator_id = command.mediator_id or case.lead_mediator_id or facts.actor.actor_id
        chain.do(SignAgreement(number=number, digest=digest, mediator_id=mediator_id))
    if chain.case.draft:
        chain.do(SealAgreement(number=number, digest=digest))
    return chain.decision


class PaymentEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One payment on one obligation, in fen, and when it was made."""

    obligation_id: UUID
    paid_fen: PositiveFen
    payment_means: Literal["cash", "bank-transfer", "mobile-payment", "in-kind", "other"]
    proof_kind: Literal["receipt", "bank-slip", "payroll", "worker-confirmed", "other", "none"]
    paid_by_id: UUID | None = None
    occurred_at: datetime | None = None


class PerformAndClose(CaseCommand, frozen=True, kw_only=True):
    """履行销号: record the last payments and close the case."""

    payments: Annotated[tuple[PaymentEntry, ...], msgspec.Meta(min_length=1, max_length=1000)]

    def moments(self) -> Mapping[str, datetime | None]:
        """Give the time of the closing and those of the payments."""
        return {"/occurred_at": self.occurred_at} | {
            f"/payments/{at}/occurred_at": payment.occurred_at
            for at, payment in enumerate(self.payments)
        }


@decides(PerformAndClose)
def perform_and_close(case: CaseState, command: PerformAndClose, facts: CaseFacts) -> Decision:
    """Record each payment, then close."""
    require_allowed(case, command)
    chain = Chain(case, facts)
    for at, payment in enumerate(command.payments):
        with pointing(("", f"/payments/{at}")):
            chain.do(RecordPerformance(**msgspec.structs.asdict(payment)))
    chain.do(CloseCase())
    return chain.decision
