"""The written agreement as a text: whom it binds, what becomes of each claim, and its check."""

import re
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from mediation.case import drafting
from mediation.case.agreement import SealAgreement
from mediation.case.assignment import DeclineAssignment
from mediation.case.drafting import (
    AgreementDrafted,
    AgreementLegalityChecked,
    digest_of,
)
from mediation.case.intake import LineEntry
from mediation.case.performance import ObligationEntry
from mediation.case.state import CaseState
from mediation.case.values import Answer, ClaimResult, Instrument, Obligation, Phase
from mediation.kernel import Actor
from mediation.privacy import Personal
from tests.scenario import STANDARD, Scenario, an_id, expect, in_phase, lead_of, results

MARKS = ("no_insurance_waiver", "no_third_party_harm", "is_voluntary", "is_clear")


def an_obligation(line, fen=1, **changes):
    """Promise a sum on a claim line."""
    return ObligationEntry(
        **({"line_id": line.line_id, "agreed_fen": fen, "due_on": date(2026, 3, 20)} | changes)
    )


# Whom it binds, and what becomes of each claim


def test_a_draft_says_whom_it_binds_what_becomes_of_each_claim_and_who_seals():
    """The version stands in the event with its capacity, and waits for signatures."""
    scenario = in_phase(Phase.MEDIATING)
    everybody = tuple(party.party_id for party in scenario.case.parties)
    (drafted,) = scenario.do(scenario.draft(fen=80_000))
    (obligation,) = drafted.obligations

    assert type(drafted) is AgreementDrafted
    assert (drafted.phase, drafted.number, drafted.at_body_id) == (Phase.SIGNING, 1, "hengjie")
    assert (drafted.instrument, drafted.legal_basis) == (
        Instrument.MEDIATION_AGREEMENT,
        "L-LDMA 14; cf. L-PROV 26",
    )
    assert (drafted.made_as, drafted.seal_body_id) == ("L-LDMA 10", "hengjie")
    assert drafted.bound_ids == everybody
    assert (obligation.agreed_fen, obligation.due_on) == (80_000, date(2026, 3, 20))
    assert scenario.on_the_table.bound_ids == everybody
    assert (scenario.on_the_table.author_id, scenario.case.drafts) == (drafted.actor_id, 1)
    assert scenario.case.payments == ()


def test_a_later_draft_takes_the_place_of_the_earlier_and_of_its_signatures():
    """Only one version is on record; who signed the old one has not signed the new one."""
    scenario = in_phase(Phase.SIGNING)
    scenario.given(scenario.check()).signed()
    scenario.when(scenario.draft(fen=1)).then(
        expect(AgreementDrafted, number=2, phase=Phase.SIGNING)
    )
    draft = scenario.on_the_table

    assert (draft.number, draft.passed_at, draft.signed_ids) == (2, None, frozenset())
    assert not draft.mediator_signed


def test_whoever_is_named_twice_is_bound_once():
    """A slip of the form does not ask anybody for two signatures."""
    scenario = in_phase(Phase.MEDIATING)
    everybody = tuple(party.party_id for party in scenario.case.parties)

    scenario.when(scenario.draft(bound_ids=everybody * 2)).then(
        expect(AgreementDrafted, bound_ids=everybody)
    )


@pytest.mark.parametrize(
    ("phase", "code"),
    [
        (Phase.REGISTERED, "wrong-phase"),
        (Phase.CONSENT_PENDING, "wrong-phase"),
        (Phase.ACCEPTED, "wrong-phase"),
        (Phase.PERFORMING, "wrong-phase"),
        (Phase.FAILED, "wrong-phase"),
        (Phase.WITHDRAWN, "wrong-phase"),
        (Phase.CLOSED, "wrong-phase"),
    ],
)
def test_nothing_is_drafted_before_the_mediation_or_after_it(phase, code):
    """Drafting is a decision of the office, open while mediating and while signing."""
    scenario = in_phase(phase)

    scenario.when(scenario.draft()).then_refused(code)


def test_nothing_is_drafted_while_a_move_is_pending():
    """Whoever is to have the case tomorrow drafts tomorrow; the check itself goes on."""
    scenario = in_phase(Phase.SIGNING)
    check = scenario.check()
    scenario.do(scenario.move("dongcheng"))

    scenario.when(scenario.draft()).then_refused("no-move-pending")
    scenario.when(check).then(expect(AgreementLegalityChecked, passed=True))


def test_an_agreement_has_two_sides():
    """Workers alone, or companies alone, have nobody to agree with."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    one, two, firm = (party.party_id for party in scenario.case.parties)

    for bound_ids in ((one, two), (firm,)):
        scenario.when(scenario.draft(bound_ids=bound_ids)).then_refused("malformed")
    scenario.when(scenario.draft(bound_ids=(one, an_id("x")))).then_refused("unknown-party")


@pytest.mark.parametrize("answer", [Answer.REFUSED, Answer.NO_ANSWER, Answer.UNREACHABLE])
def test_only_the_willing_are_bound(answer):
    """Mediation is never compulsory: whoever did not agree here is left out, the others go on."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    one, two = scenario.case.applicants
    scenario.do(scenario.consent(two, answer))
    scenario.when(scenario.draft()).then_refused("not-willing")

    first, second = scenario.case.lines
    alone: dict[str, Any] = {
        "bound_ids": (one.party_id, scenario.respondent.party_id),
        "obligations": (an_obligation(first),),
    }
    scenario.when(scenario.draft(**alone, results=results({first: "agreed"}))).then(
        expect(AgreementDrafted, bound_ids=alone["bound_ids"])
    )
    both = results({first: "agreed", second: "open"})
    scenario.when(scenario.draft(**alone, results=both)).then(AgreementDrafted)
    for said in ("agreed", "waived"):
        given_away = results({first: "agreed", second: said})
        scenario.when(scenario.draft(**alone, results=given_away)).then_refused("line-of-others")


def test_a_side_that_refused_ends_the_drafting():
    """A clear refusal of the only respondent bars what is left to do but ending it."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(scenario.consent(scenario.respondent, Answer.REFUSED))

    scenario.when(scenario.draft()).then_refused("no-side-refused")


def test_an_agreement_never_burdens_the_absent():
    """Neither as debtor nor jointly does a company owe what it has not agreed to."""
    lines = (
        LineEntry(applicant=0, respondent=0, cause="C13", claimed_fen=1),
        LineEntry(applicant=0, respondent=1, cause="C13", claimed_fen=1),
    )
    scenario = in_phase(Phase.MEDIATING, companies=2, lines=lines)
    worker, present, absent = (party.party_id for party in scenario.case.parties)
    own, other = scenario.case.lines

    def draft(said, *obligations):
        return scenario.draft(
            bound_ids=(worker, present), results=results(said), obligations=obligations
        )

    scenario.when(draft({own: "agreed"}, an_obligation(other))).then_refused("line-not-agreed")
    joint = an_obligation(own, joint_ids=(absent,))
    scenario.when(draft({own: "agreed"}, joint)).then_refused("line-not-agreed")
    scenario.when(draft({own: "agreed", other: "waived"})).then_refused("line-of-others")
    scenario.when(draft({own: "agreed"}, an_obligation(own))).then(AgreementDrafted)
    scenario.when(
        scenario.draft(obligations=(an_obligation(own, joint_ids=(absent,)), an_obligation(other)))
    ).then(AgreementDrafted)
    assert scenario.on_the_table.obligations[0].joint_ids == (absent,)


def test_every_claim_concerned_has_exactly_one_result():
    """Agreed, waived or open, said once; nothing is settled by silence."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    first, second = scenario.case.lines
    agreed = results({first: "agreed", second: "agreed"})

    for said in (agreed[:1], (*agreed, agreed[0])):
        scenario.when(scenario.draft(results=said, obligations=())).then_refused("malformed")
    stranger = (*agreed, ClaimResult(line_id=an_id("line"), result="open"))
    scenario.when(scenario.draft(results=stranger)).then_refused("unknown-line")
    scenario.when(scenario.draft(results=agreed, obligations=())).then(AgreementDrafted)


def test_an_agreement_on_nothing_is_none():
    """Where every claim stays open the mediation goes on, or has failed."""
    scenario = in_phase(Phase.MEDIATING)
    (line,) = scenario.case.lines

    scenario.when(scenario.draft(results=results({line: "open"}), obligations=())).then_refused(
        "malformed"
    )
    scenario.when(scenario.draft(results=results({line: "waived"}), obligations=())).then(
        AgreementDrafted
    )


@pytest.mark.parametrize("said", ["waived", "open"])
def test_only_on_an_agreed_claim_something_is_owed(said):
    """A waiver with a sum, or a sum on an open claim, contradicts itself."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    first, second = scenario.case.lines
    said_of = results({first: "agreed", second: said})
    lost = ObligationEntry(line_id=an_id("line"), agreed_fen=1, due_on=date(2026, 3, 20))

    for wrong in (an_obligation(second), lost):
        scenario.when(scenario.draft(results=said_of, obligations=(wrong,))).then_refused(
            "line-not-agreed"
        )


# Who seals


def test_a_body_without_a_seal_is_told_what_else_there_is():
    """No seal: a settlement agreement, an undertaking, or the seal of an upper body."""
    scenario = in_phase(Phase.MEDIATING).with_capacity("hengjie", may_seal=False)

    scenario.when(scenario.draft()).then_refused("may-not-seal")
    told = scenario.refusal.refusals[0]
    assert "和解协议书" in told.zh
    assert "settlement agreement" in told.en
    scenario.when(scenario.draft(seal_body_id="dongcheng")).then(
        expect(AgreementDrafted, seal_body_id="dongcheng", at_body_id="hengjie")
    )
    scenario.when(scenario.draft(instrument="SETTLEMENT_AGREEMENT")).then(
        expect(
            AgreementDrafted,
            seal_body_id=None,
            instrument=Instrument.SETTLEMENT_AGREEMENT,
            made_as="L-LDMA 10",
            legal_basis="L-PROV 11",
        )
    )


def test_a_body_whose_capacity_was_never_settled_cannot_seal():
    """Nothing is guessed: neither for a mediation agreement nor in what a settlement says."""
    scenario = in_phase(Phase.MEDIATING).with_capacity("hengjie")

    scenario.when(scenario.draft()).then_refused("may-not-seal")
    scenario.when(scenario.draft(instrument="SETTLEMENT_AGREEMENT")).then(
        expect(AgreementDrafted, made_as=None)
    )


def test_a_closed_body_cannot_seal():
    """Its capacity ends with it."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.network = scenario.network.with_body(
        msgspec.structs.replace(scenario.network.body("dongcheng"), closed_on=date(2026, 3, 2))
    )

    scenario.when(scenario.draft(seal_body_id="dongcheng")).then_refused("may-not-seal")
    scenario.when(scenario.draft(seal_body_id="hq")).then(AgreementDrafted)


@pytest.mark.parametrize("body_id", ["catering", "xicheng", "factory"])
def test_only_the_body_in_custody_or_one_above_it_seals(body_id):
    """A neighbour, another branch or a lower body took no part."""
    scenario = in_phase(Phase.MEDIATING)

    scenario.when(scenario.draft(seal_body_id=body_id)).then_refused("not-an-upper-body")
    scenario.when(scenario.draft(seal_body_id="nowhere")).then_refused("body-unknown")


# The digest


def printed(scenario, drafted, **changes):
    """Give what the paper prints, read off the event once text and salt are in clear."""
    return {
        "case_number": scenario.case.case_number,
        "number": drafted.number,
        "instrument": drafted.instrument,
        "made_as": drafted.made_as,
        "seal_body_id": drafted.seal_body_id,
        "bound_ids": drafted.bound_ids,
        "results": drafted.results,
        "obligations": drafted.obligations,
        "text": Personal(drafted.text.value),
        "salt": Personal(drafted.salt.value),
    } | changes


def test_the_worked_example_of_the_decision_record_holds():
    """An expert who follows ADR 0019 byte by byte comes to the digest that is printed."""
    record = Path(__file__).parents[3] / "docs/adr/0019-the-digest-of-an-agreement-is-salted.md"
    written, digest = re.findall(r"```text\n(.*?)\n```", record.read_text("utf-8"), re.DOTALL)
    worker, firm, line, owed = (UUID(int=at) for at in range(1, 5))

    assert sha256(written.encode()).hexdigest() == digest
    assert digest == digest_of(
        {
            "case_number": "示例〔2026〕0001号",
            "number": 1,
            "instrument": Instrument.MEDIATION_AGREEMENT,
            "made_as": "L-LDMA 10(3)",
            "seal_body_id": "dongcheng",
            "bound_ids": (worker, firm),
            "results": (ClaimResult(line_id=line, result="agreed"),),
            "obligations": (
                Obligation(
                    obligation_id=owed,
                    line_id=line,
                    applicant_id=worker,
                    respondent_id=firm,
                    agreed_fen=100_000,
                    due_on=date(2026, 3, 20),
                    instalment_no=1,
                    recurring=False,
                    joint_ids=(),
                ),
            ),
            "text": Personal("双方自愿达成如下协议。"),
            "salt": Personal("0123456789abcdef0123456789abcdef"),
        }
    )


def test_the_digest_is_computed_again_from_what_the_event_holds():
    """Whoever may read text and salt can show that paper and record are one text (ADR 0019)."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    (drafted,) = scenario.do(scenario.draft())

    assert digest_of(printed(scenario, drafted)) == drafted.digest
    assert len(drafted.digest) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"case_number": "HENGJIE〔2026〕0002号"},
        {"number": 2},
        {"instrument": Instrument.SETTLEMENT_AGREEMENT},
        {"made_as": None},
        {"seal_body_id": "hq"},
        {"bound_ids": ()},
        {"results": ()},
        {"obligations": ()},
        {"text": Personal("双方自愿达成如下协议：")},
        {"salt": Personal("0")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_is_changed_gives_another_digest(change):
    """No part of the paper stands outside it."""
    scenario = in_phase(Phase.MEDIATING)
    (drafted,) = scenario.do(scenario.draft())

    assert digest_of(printed(scenario, drafted, **change)) != drafted.digest


def test_one_fen_or_one_day_gives_another_digest():
    """Also inside an obligation nothing can be altered."""
    scenario = in_phase(Phase.MEDIATING)
    (drafted,) = scenario.do(scenario.draft())
    (owed,) = drafted.obligations
    for change in (
        {"agreed_fen": 100_001},
        {"due_on": date(2026, 3, 21)},
        {"joint_ids": (an_id("x"),)},
        {"recurring": True},
    ):
        altered = (msgspec.structs.replace(owed, **change),)
        assert digest_of(printed(scenario, drafted, obligations=altered)) != drafted.digest


def test_the_same_text_twice_has_two_digests_and_a_salt_of_its_own():
    """The salt is fresh for each version, and sealed like the text: a guess cannot be tried."""
    scenario = in_phase(Phase.MEDIATING)
    (first,) = scenario.do(scenario.draft())
    (second,) = scenario.do(scenario.draft())

    assert first.salt.value != second.salt.value
    assert first.digest != second.digest
    assert (first.salt.subject_id, first.salt.purpose) == (
        first.text.subject_id,
        first.text.purpose,
    )
    assert first.salt.value not in first.digest


# Legality


@pytest.mark.parametrize("mark", MARKS)
def test_a_draft_with_an_objection_is_written_anew(mark):
    """Scenario 11: a void clause; version 2 passes, and both stay in the history."""
    scenario = in_phase(Phase.SIGNING)
    paper = scenario.paper
    void = scenario.check(**{mark: False}, explanation=Personal("约定不缴纳社会保险，无效。"))
    (checked,) = scenario.do(void)

    assert (checked.passed, checked.phase, getattr(checked, mark)) == (
        False,
        Phase.MEDIATING,
        False,
    )
    assert checked.legal_basis == "L-ARB 78; L-INT2 19"
    scenario.when(SealAgreement(**paper)).then_refused("wrong-phase")
    scenario.drafted().given(scenario.check())
    scenario.when(SealAgreement(**paper)).then_refused("draft-superseded")
    scenario.signed().given(SealAgreement(**scenario.paper))

    drafts = [event for event in scenario.events if type(event) is AgreementDrafted]
    checks = [event for event in scenario.events if type(event) is AgreementLegalityChecked]
    assert [event.number for event in drafts] == [1, 2]
    assert [(event.number, event.passed) for event in checks] == [(1, False), (2, True)]
    assert [event.digest for event in checks] == [event.digest for event in drafts]


def test_an_objection_found_later_still_takes_the_draft_back():
    """Until it is in force a second look may find what the first one missed."""
    scenario = in_phase(Phase.SIGNING)
    scenario.given(scenario.check()).signed()
    scenario.when(scenario.check(is_clear=False)).then(
        expect(AgreementLegalityChecked, passed=False, phase=Phase.MEDIATING)
    )

    assert scenario.case.draft is None


def test_the_version_on_record_is_checked():
    """A number that is not the latest tells that the checker read another text."""
    scenario = in_phase(Phase.SIGNING).drafted()
    assert scenario.on_the_table.number == 2

    for number in (1, 3):
        scenario.when(scenario.check(number=number)).then_refused("draft-superseded")
    scenario.when(scenario.check()).then(
        expect(
            AgreementLegalityChecked,
            phase=Phase.SIGNING,
            number=2,
            digest=scenario.on_the_table.digest,
            passed=True,
        )
    )
    in_phase(Phase.MEDIATING).when(scenario.check()).then_refused("wrong-phase")


@pytest.mark.parametrize(
    ("workers", "fen", "needs"),
    [
        (1, 10_000_000, False),
        (1, 10_000_001, True),
        (9, 1, False),
        (10, 1, True),
        (2, 5_000_001, True),
    ],
)
def test_where_much_is_at_stake_a_second_person_checks(workers, fen, needs):
    """From ten workers, or over the sum of the ladder's file, not the author himself."""
    scenario = in_phase(Phase.MEDIATING, workers=workers)
    scenario.do(scenario.draft(fen=fen))
    check = scenario.check()
    somebody = Actor(actor_id=an_id("somebody"), role="lead", body_id="hengjie")

    if needs:
        scenario.when(check, by=lead_of("hengjie")).then_refused("second-person")
    else:
        assert scenario.would(check, by=lead_of("hengjie"))
    scenario.when(check, by=somebody).then(AgreementLegalityChecked)


def test_what_is_much_is_said_by_the_ladder_of_the_case():
    """Another file, other bounds: a deployment may ask for two people from the first fen."""
    bounds = msgspec.structs.replace(STANDARD.legality, second_person_fen=0)
    rungs = msgspec.structs.replace(STANDARD, legality=bounds)
    scenario = Scenario(rungs=rungs).registered().agreed().accepted().mediating().drafted()

    scenario.when(scenario.check()).then_refused("second-person")


def barred(scenario: Scenario, *, lead: bool) -> Actor:
    """Give a mediator who declined since he has an interest in the case."""
    first, second = scenario.case.mediator_ids
    mediator_id = first if lead else second
    scenario.do(DeclineAssignment(mediator_id=mediator_id, reason_code="conflict"))
    return Actor(actor_id=mediator_id, role="mediator", body_id="hengjie")


def test_whoever_has_an_interest_checks_nothing():
    """Nobody recused checks in the matter, nor does counsel of a party."""
    scenario = in_phase(Phase.SIGNING)
    conflicted = barred(scenario, lead=False)

    scenario.when(scenario.check(), by=conflicted).then_refused("conflicted")
    counsel = Actor(actor_id=an_id("counsel"), role="counsel", body_id="hengjie")
    case = msgspec.structs.replace(scenario.case, counsel_ids=frozenset({counsel.actor_id}))
    assert drafting.barred_ids(case) == {conflicted.actor_id, counsel.actor_id}


def test_what_the_life_cycle_rules_out_stops_loudly():
    """A draft that does not stand can be neither checked nor sealed."""
    with pytest.raises(AssertionError):
        drafting.standing_draft(CaseState())
