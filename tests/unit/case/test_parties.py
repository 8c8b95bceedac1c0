"""Parties who come later, identities that get verified, and the common claim of ten or more."""

import msgspec
import pytest

from mediation.case.conclusion import MediationConcluded
from mediation.case.intake import PartyEntry
from mediation.case.parties import (
    AddedLine,
    AddParty,
    CollectiveConfirmed,
    ConfirmCollective,
    IdentifyParty,
    PartyAdded,
    PartyIdentified,
)
from mediation.case.values import Answer, Matter, Phase, Side
from mediation.privacy import Personal, Purpose
from tests.scenario import STANDARD, Scenario, an_id, expect, in_phase

WORKER = PartyEntry(role="WORKER", name=Personal("职工乙"), phone=Personal("13900000000"))
FIRM = PartyEntry(role="USING_UNIT", company_name="用工单位有限公司")
NICKNAME = PartyEntry(
    role="EMPLOYER",
    party_kind="SOLE_TRADER",
    name=Personal("老板老王"),
    phone=Personal("13700000000"),
    address=Personal("黄岩东城街道"),
    provisional=True,
)


def add(side, party, *lines):
    """Make the command that adds a party with its claims."""
    return AddParty(side=side, party=party, lines=lines)


# Parties who come later


@pytest.mark.parametrize(("side", "party"), [(Side.APPLICANT, WORKER), (Side.RESPONDENT, FIRM)])
def test_a_party_joins_a_side_with_its_claims(side, party):
    """The line has the newcomer on its side and one of the other side across."""
    scenario = in_phase(Phase.MEDIATING)
    across = scenario.respondent if side is Side.APPLICANT else scenario.applicant
    claim = AddedLine(counterpart_id=across.party_id, cause="C15", claimed_fen=5)
    (added,) = scenario.do(add(side, party, claim))
    (line,) = added.lines
    newcomer = added.party

    assert type(added) is PartyAdded
    assert (added.phase, newcomer.side, newcomer.role) == (Phase.MEDIATING, side, party.role)
    mine, theirs = (
        (line.applicant_id, line.respondent_id)
        if side is Side.APPLICANT
        else (line.respondent_id, line.applicant_id)
    )
    assert (mine, theirs) == (newcomer.party_id, across.party_id)
    assert (line.cause, line.claimed_fen) == ("C15", 5)
    own = scenario.case.applicants if side is Side.APPLICANT else scenario.case.respondents
    assert own[-1] == newcomer
    assert scenario.case.lines[-1] == line
    assert len({it.line_id for it in scenario.case.lines} - {None}) == 2
    assert newcomer.party_id in scenario.case.disclosed_ids
    assert scenario.case.consents.get(newcomer.party_id) is None


def test_what_is_personal_of_a_newcomer_is_his_own():
    """Name and phone are sealed under his own id."""
    scenario = in_phase(Phase.REGISTERED)
    (added,) = scenario.do(add(Side.APPLICANT, WORKER))

    assert added.party.company_name is None
    assert {added.party.name.subject_id, added.party.phone.subject_id} == {added.party.party_id}
    assert added.party.name.value == "职工乙"


def test_a_newcomer_is_well_formed():
    """Codes of the table, one name, and claims against the other side only."""
    scenario = in_phase(Phase.MEDIATING)
    both = msgspec.structs.replace(WORKER, company_name="某公司")
    unknown = msgspec.structs.replace(WORKER, role="BOSS")
    for party in (both, unknown):
        scenario.when(add(Side.APPLICANT, party)).then_refused("malformed")
    own_side = AddedLine(counterpart_id=scenario.applicant.party_id, cause="C15", claimed_fen=1)
    scenario.when(add(Side.APPLICANT, WORKER, own_side)).then_refused("not-of-the-other-side")
    across = msgspec.structs.replace(own_side, counterpart_id=scenario.respondent.party_id)
    no_cause = msgspec.structs.replace(across, cause="C77")
    scenario.when(add(Side.APPLICANT, WORKER, no_cause)).then_refused("malformed")


@pytest.mark.parametrize("phase", [Phase.PERFORMING, Phase.FAILED, Phase.CLOSED])
def test_a_party_is_recorded_whenever_it_turned_up(phase):
    """A fact, never refused; after the close it is marked so."""
    scenario = in_phase(phase)
    flaws = ("after-close",) if phase is Phase.CLOSED else ()

    scenario.when(add(Side.RESPONDENT, FIRM)).then(
        expect(PartyAdded, phase=phase, irregularities=flaws)
    )


def test_parties_join_a_matter_of_every_track():
    """A demand may have one more worker behind it, and so may legal aid."""
    for matter in (Matter.DEMAND, Matter.AID):
        scenario = in_phase(Phase.REGISTERED, matter)
        scenario.when(add(Side.APPLICANT, WORKER)).then(PartyAdded)


def test_the_tenth_worker_changes_the_risk_and_a_tenth_company_does_not():
    """For risk ten distinct workers count as collective until the lead has decided."""
    scenario = in_phase(Phase.REGISTERED, workers=9)
    scenario.when(add(Side.RESPONDENT, FIRM)).then(expect(PartyAdded, risk="GREEN"))
    scenario.when(add(Side.APPLICANT, WORKER)).then(expect(PartyAdded, risk="YELLOW", due=()))

    assert (scenario.case.workers, scenario.case.risk) == (10, "YELLOW")


def test_a_case_that_turns_red_by_a_newcomer_is_to_be_reported_within_two_hours():
    """D26 starts once, with the worker who made it red."""
    scenario = in_phase(Phase.REGISTERED, workers=9).flagged("EMPLOYER_CLOSED")
    (added,) = scenario.do(add(Side.APPLICANT, WORKER))

    assert (added.risk, [due.code for due in added.due]) == ("RED", ["D26"])
    scenario.when(add(Side.APPLICANT, WORKER)).then(expect(PartyAdded, risk="RED", due=()))


def test_a_later_respondent_is_not_bound_and_does_not_stop_the_willing():
    """Mediation goes on with those who agreed; the newcomer is asked like anybody."""
    scenario = in_phase(Phase.MEDIATING)
    worker, firm = (party.party_id for party in scenario.case.parties)
    (added,) = scenario.do(add(Side.RESPONDENT, FIRM))
    scenario.when(scenario.draft()).then_refused("not-willing")
    scenario.do(scenario.consent(added.party, Answer.REFUSED))
    assert scenario.case.refusing_side() is None

    scenario.drafted(bound_ids=(worker, firm)).given(scenario.check()).signed()
    assert scenario.do(scenario.acts()[-1])[-1].outcome == "AGREED"


def test_a_claim_that_came_later_is_left_uncovered_by_the_earlier_draft():
    """The paper speaks of the claims it was written on."""
    scenario = in_phase(Phase.SIGNING)
    scenario.given(scenario.check()).signed()
    claim = AddedLine(counterpart_id=scenario.respondent.party_id, cause="C13", claimed_fen=1)
    (added,) = scenario.do(add(Side.APPLICANT, WORKER, claim))

    scenario.when(scenario.acts()[-1])
    concluded = scenario.decided[-1]
    assert type(concluded) is MediationConcluded
    assert concluded.uncovered_line_ids == (added.lines[0].line_id,)
    assert concluded.partial


# Identities


def test_a_verified_identity_takes_the_place_of_a_provisional_one():
    """The id stays, so consents and claims stay; what is not typed in again is kept."""
    scenario = in_phase(Phase.MEDIATING, respondents=(NICKNAME,))
    known = scenario.respondent
    said = PartyEntry(
        role="EMPLOYER",
        party_kind="SOLE_TRADER",
        name=Personal("王某某"),
        id_number=Personal("331003198001010000"),
    )
    identified = IdentifyParty(party_id=known.party_id, party=said, verified_by="id-card")
    kept = tuple(it for it in ("phone", "address") if getattr(known, it))
    scenario.when(identified).then(
        expect(
            PartyIdentified,
            phase=Phase.MEDIATING,
            irregularities=(),
            kept=kept,
            verified_by="id-card",
        )
    )
    assert kept
    unknown = msgspec.structs.replace(identified, verified_by="hearsay")
    scenario.when(unknown).then_refused("malformed")
    party = scenario.respondent

    assert (party.party_id, party.side, party.provisional) == (
        known.party_id,
        Side.RESPONDENT,
        False,
    )
    assert party.name == Personal("王某某").of(known.party_id, Purpose.IDENTITY)
    assert party.id_number == Personal("331003198001010000").of(known.party_id, Purpose.IDENTITY)
    assert (party.phone, party.address) == (known.phone, known.address)
    assert scenario.case.has_agreed(party)


def test_the_owner_behind_a_shop_sign_may_turn_out_to_be_a_company():
    """A person's name gives way to the registered name, which stands in clear."""
    scenario = in_phase(Phase.REGISTERED, respondents=(NICKNAME,))
    firm = PartyEntry(
        role="EMPLOYER",
        party_kind="COMPANY",
        company_name="好味道餐饮有限公司",
        credit_code="91331003MA2XXXXX0T",
    )
    scenario.do(IdentifyParty(party_id=scenario.respondent.party_id, party=firm))

    assert scenario.respondent.name is None
    assert (scenario.respondent.company_name, scenario.respondent.credit_code) == (
        firm.company_name,
        firm.credit_code,
    )


@pytest.mark.parametrize("index", [0, 1])
def test_the_other_parties_stay_as_they_are(index):
    """Only the one who was verified is replaced, on whichever side."""
    scenario = in_phase(Phase.REGISTERED, companies=2)
    before = scenario.case.parties
    known = before[index]
    said = WORKER if index == 0 else PartyEntry(role="EMPLOYER", company_name="核实后的公司")
    scenario.do(IdentifyParty(party_id=known.party_id, party=said))

    changed = [old == new for old, new in zip(before, scenario.case.parties, strict=True)]
    assert changed == [at != index for at in range(3)]


def test_an_identity_is_verified_and_well_formed():
    """Not provisional still, of a party of this case, and the same kind of party."""
    scenario = in_phase(Phase.REGISTERED, respondents=(NICKNAME,))
    firm = PartyEntry(role="EMPLOYER", company_name="核实后的公司")
    own = scenario.respondent.party_id
    for party, code in (
        (msgspec.structs.replace(firm, provisional=True), "malformed"),
        (msgspec.structs.replace(firm, role="BOSS"), "malformed"),
        (WORKER, "malformed"),
    ):
        scenario.when(IdentifyParty(party_id=own, party=party)).then_refused(code)
    scenario.when(IdentifyParty(party_id=an_id("x"), party=firm)).then_refused("unknown-party")
    worker = scenario.applicant.party_id
    scenario.when(IdentifyParty(party_id=worker, party=firm)).then_refused("malformed")
    another_role = msgspec.structs.replace(firm, role="USING_UNIT")
    scenario.when(IdentifyParty(party_id=own, party=another_role)).then(PartyIdentified)


@pytest.mark.parametrize("phase", list(Phase))
def test_an_identity_is_recorded_in_every_phase(phase):
    """A fact, never refused."""
    scenario = in_phase(phase)
    firm = PartyEntry(role="EMPLOYER", company_name="核实后的公司")

    scenario.when(IdentifyParty(party_id=scenario.respondent.party_id, party=firm)).then(
        expect(PartyIdentified, phase=phase)
    )


# The common claim


def test_the_common_claim_of_ten_workers_makes_a_collective_dispute():
    """The lead confirms it once; number and risk are in the event."""
    scenario = in_phase(Phase.REGISTERED, workers=10)
    confirm = ConfirmCollective(explanation=Personal("均为拖欠工资。"))
    scenario.when(confirm).then(
        expect(
            CollectiveConfirmed,
            phase=Phase.REGISTERED,
            workers=10,
            risk="YELLOW",
            legal_basis="L-LDMA 7",
            due=(),
        )
    )

    assert scenario.case.is_collective
    scenario.when(confirm).then_refused("not-collective-yet")


def test_fewer_than_ten_are_not_collective():
    """Nine workers with the same claim are nine workers."""
    in_phase(Phase.REGISTERED, workers=9).when(ConfirmCollective()).then_refused("ten-workers")


def test_thirty_workers_are_red_and_to_be_reported():
    """The rule of the ladder's file; D26 starts where it was not red before."""
    scenario = in_phase(Phase.REGISTERED, workers=29)
    (added,) = scenario.do(add(Side.APPLICANT, WORKER))
    assert (added.risk, [due.code for due in added.due]) == ("RED", ["D26"])

    scenario.when(ConfirmCollective()).then(expect(CollectiveConfirmed, risk="RED", due=()))


def test_nothing_is_confirmed_of_a_closed_case():
    """What it was counted as stays."""
    scenario = in_phase(Phase.CLOSED, workers=10)

    scenario.when(ConfirmCollective()).then_refused("wrong-phase")


def test_a_common_claim_is_weighed_with_what_else_is_known():
    """Ten workers of an employer who closed down are red, before and after the lead confirms."""
    scenario = in_phase(Phase.REGISTERED, workers=10).flagged("EMPLOYER_CLOSED")
    assert (scenario.case.risk, "D26" in scenario.case.due) == ("RED", True)
    (confirmed,) = scenario.do(ConfirmCollective())

    assert (confirmed.risk, confirmed.due) == ("RED", ())
    assert scenario.case.flags == {"EMPLOYER_CLOSED", "COLLECTIVE"}


def test_what_is_typed_in_again_is_not_kept():
    """Kept is only what is known and was left out; what was never known is not named."""
    known = msgspec.structs.replace(NICKNAME, address=None)
    scenario = in_phase(Phase.REGISTERED, respondents=(known,))
    party_id = scenario.respondent.party_id
    said = msgspec.structs.replace(NICKNAME, provisional=False, phone=None)
    (identified,) = scenario.would(IdentifyParty(party_id=party_id, party=said))
    assert identified.kept == ("phone",)

    phone = Personal("13600000000")
    again = msgspec.structs.replace(said, phone=phone, address=None)
    (identified,) = scenario.do(IdentifyParty(party_id=party_id, party=again))
    assert identified.kept == ()
    assert scenario.respondent.phone == phone.of(party_id, Purpose.CONTACT)


def test_under_another_ladder_it_is_the_lead_who_makes_it_red():
    """Where ten workers do not count by themselves, the risk and the two hours start with him."""
    rule = msgspec.structs.replace(STANDARD.risk_rule, collective_workers=30)
    rungs = msgspec.structs.replace(STANDARD, risk_rule=rule)
    scenario = Scenario(rungs=rungs).registered(workers=10).flagged("EMPLOYER_CLOSED")
    assert scenario.case.risk == "YELLOW"
    (confirmed,) = scenario.do(ConfirmCollective())

    assert (confirmed.risk, [due.code for due in confirmed.due]) == ("RED", ["D26"])
    assert scenario.case.due["D26"].start_event_id == confirmed.event_id
