"""What was irregular is cured, one flaw at a time; until then nothing is sealed or archived."""

from __future__ import annotations

from uuid import UUID

from mediation.case.lifecycle import require_allowed
from mediation.case.state import CaseCommand, CaseEvent, CaseFacts, CaseState, require_code
from mediation.case.values import Code, Irregularity
from mediation.errors import NotAllowedNow, Refusal
from mediation.kernel import Decision, decides, evolves, stored_as
from mediation.privacy import Personal, Sealed


class CureIrregularity(CaseCommand, frozen=True, kw_only=True):
    """Cure one flaw of one recorded fact: told afterwards, signed afterwards, or explained."""

    event_id: UUID
    code: Code
    cure: Code
    explanation: Personal


_FITS = {
    "notice-served": frozenset({"no-rights-notice", "not-in-writing"}),
    "signed-afterwards": frozenset(
        {"missing-signature", "digest-differs", "extension-unanswered", "without-consent"}
    ),
    "mediator-replaced": frozenset({"unassigned-host"}),
}
"""Which flaws a cure can mend; an explanation can be given for any."""


@decides(CureIrregularity)
def cure_irregularity(case: CaseState, command: CureIrregularity, facts: CaseFacts) -> Decision:
    """Take the flaw off the list, if the cure stated fits it.

    A notice must have reached everybody, and a mediator's place must be taken. Whether a paper was
    signed afterwards only the paper tells: whoever cures answers for it with his explanation.
    """
    phase = require_allowed(case, command)
    require_code("cures", command.cure, "cure")
    if Irregularity(command.event_id, command.code) not in case.irregularities:
        raise NotAllowedNow(
            Refusal(
                "no-such-irregularity",
                "本案没有这项待补正的瑕疵，请从列表中选择。",
                "There is no such open irregularity; choose one of those listed.",
            )
        )
    if command.cure != "explained" and command.code not in _FITS[command.cure]:
        raise NotAllowedNow(
            Refusal(
                "cure-does-not-fit",
                "所选补正方式不适用于该瑕疵，请另选或者作出说明。",
                "This cure does not mend that flaw; choose another, or explain it.",
            )
        )
    if command.cure == "notice-served" and _is_untold(case, command.code):
        raise NotAllowedNow(
            Refusal(
                "not-told-yet",
                "尚有当事人未被告知，请先逐一补告知。",
                "A party has not been told yet; serve the notice on each of them first.",
            )
        )
    if command.cure == "mediator-replaced" and not case.mediator_ids:
        raise NotAllowedNow(
            Refusal(
                "not-replaced-yet",
                "本案尚未另行分派调解员，请先分派。",
                "No mediator is assigned in his place yet; assign one first.",
            )
        )
    return Decision.of(
        facts.stream,
        IrregularityCured(
            **case.stamp(facts, IrregularityCured),
            phase=phase,
            flawed_event_id=command.event_id,
            code=command.code,
            cure=command.cure,
            explanation=case.text(command.explanation, facts),
        ),
    )


def _is_untold(case: CaseState, code: str) -> bool:
    """The notice that was wanting has still not reached everybody it is owed to."""
    if code == "not-in-writing":
        return bool(case.remedies_owed_ids)
    return any(party.party_id not in case.rights_served_at for party in case.parties)


@stored_as("case.irregularity-cured")
class IrregularityCured(CaseEvent, frozen=True, kw_only=True):
    """One flaw of a recorded fact was cured, in the coded way; the fact itself stays as it was."""

    flawed_event_id: UUID
    code: str
    cure: str
    explanation: Sealed


@evolves(IrregularityCured)
def _(case: CaseState, event: IrregularityCured) -> CaseState:
    cured = Irregularity(event.flawed_event_id, event.code)
    return case.with_(event, irregularities=tuple(it for it in case.irregularities if it != cured))
