"""Aid is granted or refused, and counsel is appointed who has no other part in the matter."""

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from mediation.case.aid import (
    AidGranted,
    AidRefused,
    AppointCounsel,
    CounselAppointed,
    GrantAid,
    RefuseAid,
)
from mediation.case.assignment import AssignMediators
from mediation.case.closing import CaseClosed, CloseCase
from mediation.case.conclusion import ServeRemediesNotice
from mediation.case.lifecycle import open_duties
from mediation.case.proceedings import TakeRemedyRoute
from mediation.case.state import CaseState
from mediation.case.values import Matter, Phase
from mediation.kernel import fold
from mediation.network.accounts import AccountState, Grant, Role, account_stream
from mediation.privacy import Personal
from tests.scenario import OPENED, Scenario, an_id, expect, seal, stored_again

GRANT = GrantAid(criteria_code="wage-arrears")
REFUSE = RefuseAid(reason_code="criteria-not-met", explanation=Personal("不符合条件。"))


def an_application_for_aid(*, workers=1, at=None, **changes):
    """Register workers who come to the district's sub-centre for help."""
    fields: dict[str, Any] = {"matter_kind": Matter.AID, "body_id": "hq"}
    return Scenario().registered(workers=workers, at=at, **(fields | changes))


def having(scenario, **state):
    """Give the case what another chapter writes into its state."""
    changed = msgspec.structs.replace(scenario.case, **state)
    scenario.live[scenario.stream] = (len(scenario.events), changed)
    return scenario


def counsel(scenario, name="counsel 1", **changes):
    """Make the command that appoints a lawyer for all applicants."""
    fields: dict[str, Any] = {
        "counsel_id": an_id(name),
        "for_ids": tuple(party.party_id for party in scenario.case.applicants),
        "firm": Personal("示例律师事务所"),
    }
    return AppointCounsel(**(fields | changes))


def test_aid_is_granted_and_no_term_of_mediation_runs():
    """Aid has a track of its own: no consent, no acceptance, no statutory term."""
    scenario = an_application_for_aid()
    assert scenario.case.due == {}
    scenario.when(GRANT).then(
        expect(
            AidGranted,
            phase=Phase.AIDED,
            at_body_id="hq",
            criteria_code="wage-arrears",
            collective=False,
            legal_basis="L-TUL 30",
        )
    )

    assert scenario.case.due == {}
    assert scenario.case.acceptance_no == 0
    scenario.when(CloseCase()).then(CaseClosed)


@pytest.mark.parametrize("flags", [frozenset({"COLLECTIVE"}), frozenset()])
def test_whether_the_matter_is_collective_is_fixed_when_aid_is_granted(flags):
    """The confirmed claim counts, not the number of workers."""
    scenario = having(an_application_for_aid(workers=34), flags=flags)

    scenario.when(GRANT).then(expect(AidGranted, collective=bool(flags)))


def test_aid_is_granted_once_on_a_published_criterion_and_not_while_a_move_is_pending():
    """An office decision outside its phase or guards is refused."""
    scenario = an_application_for_aid(body_id="dongcheng")
    scenario.when(GrantAid(criteria_code="pity")).then_refused("malformed")
    assert scenario.refusal.faults[0].pointer == "/criteria_code"
    scenario.given(scenario.move("hq")).when(GRANT).then_refused("no-move-pending")

    granted = an_application_for_aid().given(GRANT)
    granted.when(GRANT).then_refused("wrong-phase")
    granted.when(REFUSE).then_refused("wrong-phase")


def test_a_refusal_of_aid_owes_the_applicants_a_written_notice():
    """D05: three working days; until they were told the case does not close."""
    scenario = an_application_for_aid(workers=2)
    workers = tuple(party.party_id for party in scenario.case.applicants)
    scenario.when(REFUSE, at="2026-03-03T09:00+08:00").then(
        expect(
            AidRefused,
            phase=Phase.NOT_ACCEPTED,
            reason_code="criteria-not-met",
            owed_to_ids=workers,
        )
    )
    assert scenario.case.due["D05"].due_on == date(2026, 3, 6)
    assert open_duties(scenario.case) == ("remedies-notice",)
    scenario.when(CloseCase()).then_refused("no-open-duty")

    for party_id in workers:
        scenario.do(ServeRemediesNotice(party_id=party_id, means="written"))
    assert scenario.case.due == {}
    scenario.when(CloseCase()).then(CaseClosed)


def test_who_was_told_before_is_owed_no_second_notice():
    """The notice may have been handed over together with the talk that led to the refusal."""
    scenario = an_application_for_aid()
    told = ServeRemediesNotice(party_id=scenario.applicant.party_id, means="written")

    scenario.given(told).when(REFUSE).then(expect(AidRefused, owed_to_ids=(), due=()))


def test_aid_is_refused_for_a_published_reason():
    """A code that the table does not have is malformed."""
    scenario = an_application_for_aid()
    scenario.when(RefuseAid(reason_code="mood")).then_refused("malformed")

    assert scenario.refusal.faults[0].pointer == "/reason_code"


def refused_below():
    """Refuse at the township; the applicants wish to go on, and the district takes the case."""
    scenario = an_application_for_aid(body_id="dongcheng").given(REFUSE)
    scenario.taken_by("hq", ground="not-accepted")
    assert scenario.case.phase is Phase.REGISTERED
    return scenario


def test_a_grant_above_overtakes_the_refusal_below_and_its_notice():
    """The upper body decides anew, on the same case."""
    scenario = refused_below()
    scenario.when(GRANT).then(expect(AidGranted, at_body_id="hq", due_ended=("D05",)))

    assert scenario.case.remedies_owed_ids == frozenset()
    assert scenario.case.due == {}


def test_a_second_refusal_does_not_put_off_the_notice_that_is_due():
    """The first date stands; the applicants still wait for the same paper."""
    scenario = refused_below()
    before = scenario.case.due["D05"]
    scenario.when(REFUSE).then(expect(AidRefused, due=()))

    assert scenario.case.due["D05"] == before


@pytest.mark.parametrize("matter_kind", [Matter.DISPUTE, Matter.DEMAND])
def test_aid_belongs_to_no_other_matter(matter_kind):
    """A dispute and a demand have tracks of their own."""
    scenario = an_application_for_aid(matter_kind=matter_kind)
    for command in (GRANT, REFUSE, counsel(scenario)):
        scenario.when(command).then_refused("wrong-matter")


def test_counsel_is_appointed_for_named_workers():
    """Several lawyers may act, for all applicants or for some of them."""
    scenario = an_application_for_aid(workers=2).given(GRANT)
    first = scenario.applicant.party_id
    scenario.when(counsel(scenario)).then(
        expect(
            CounselAppointed,
            phase=Phase.AIDED,
            counsel_id=an_id("counsel 1"),
            legal_basis="L-TUL 30",
        )
    )
    assert scenario.events[-1].firm.value == "示例律师事务所"
    scenario.when(counsel(scenario, "counsel 2", for_ids=(first,), firm=None)).then(
        expect(CounselAppointed, for_ids=(first,), firm=None)
    )

    assert scenario.case.counsel_ids == {an_id("counsel 1"), an_id("counsel 2")}


def test_counsel_is_appointed_while_aid_lasts():
    """Not before the grant; also when the proceedings are under way."""
    scenario = an_application_for_aid()
    scenario.when(counsel(scenario)).then_refused("wrong-phase")

    scenario.given(
        GRANT,
        TakeRemedyRoute(
            forum="arbitration",
            filed_by_ids=(scenario.applicant.party_id,),
            forum_name=Personal("示例区劳动人事争议仲裁委员会"),
        ),
    )
    scenario.when(counsel(scenario)).then(expect(CounselAppointed, phase=Phase.IN_PROCEEDINGS))


def test_counsel_acts_for_applicants_only():
    """The union's lawyers stand on the workers' side."""
    scenario = an_application_for_aid().given(GRANT)
    other_side = counsel(scenario, for_ids=(scenario.respondent.party_id,))

    scenario.when(other_side).then_refused("not-an-applicant")


def test_nobody_is_counsel_twice():
    """The appointment stands; there is nothing to add to it."""
    scenario = an_application_for_aid().given(GRANT)

    scenario.given(counsel(scenario)).when(counsel(scenario)).then_refused("counsel-already")


def test_who_mediates_in_the_matter_is_never_counsel_and_the_other_way_round():
    """Counsel of an aided party never mediates there (scenario 2)."""
    scenario = an_application_for_aid().given(GRANT)
    scenario.given(counsel(scenario))
    assign = AssignMediators(
        mediator_ids=(an_id("counsel 1"),), lead_mediator_id=an_id("counsel 1")
    )
    scenario.when(assign).then_refused("counsel-never-mediates")

    mediated = having(an_application_for_aid().given(GRANT), mediator_ids=(an_id("counsel 1"),))
    mediated.when(counsel(mediated)).then_refused("mediator-never-counsel")
    mediated.when(counsel(mediated, "counsel 2")).then(CounselAppointed)


def test_aid_is_the_same_after_it_was_stored():
    """Sealed, encoded and decoded events fold to the same case."""
    granted = an_application_for_aid().given(GRANT)
    granted.given(counsel(granted))
    for scenario in (granted, an_application_for_aid().given(REFUSE)):
        stored = stored_again(scenario.events)

        assert stored == tuple(seal(event) for event in scenario.events)
        assert fold(CaseState(), stored) == seal(scenario.case)


def test_only_who_holds_the_role_of_counsel_is_appointed():
    """Somebody without an account, or with another role, is granted the role first."""
    scenario = an_application_for_aid().given(GRANT)

    scenario.when(counsel(scenario, "a stranger")).then_refused("not-counsel")
    (refusal,) = scenario.refusal.refusals
    assert "代理律师" in refusal.zh


def test_a_grant_counts_on_the_day_of_the_appointment():
    """One that has ended by then, or begins later, is none."""
    scenario = an_application_for_aid().given(GRANT)
    lawyer_id = an_id("counsel 1")
    today = scenario.now.date()
    for from_on, until_on, is_one in (
        (OPENED, today, False),
        (today + timedelta(days=1), None, False),
        (OPENED, today + timedelta(days=1), True),
    ):
        grant = Grant(
            role=Role.COUNSEL, body_id="hq", path="/hq/", from_on=from_on, until_on=until_on
        )
        account = AccountState(account_id=lawyer_id, grants=(grant,))
        scenario.live[account_stream(lawyer_id)] = (0, account)
        scenario.when(counsel(scenario))
        if is_one:
            scenario.then(CounselAppointed)
        else:
            scenario.then_refused("not-counsel")
