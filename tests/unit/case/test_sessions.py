"""Rights notices and sessions: everything is recorded, and what was irregular is said."""

from datetime import date

import pytest

from mediation.case.sessions import RightsNoticeServed, ServeRightsNotice, SessionHeld
from mediation.case.term import ExtendTerm
from mediation.case.values import Answer, Irregularity, Phase
from mediation.kernel import Actor
from mediation.privacy import Personal, Purpose, Unsealed
from tests.scenario import START, an_id, expect, in_phase, mediators_of, moment, on

LATE = ("after-close",)


def test_telling_a_party_its_rights_is_remembered():
    """Each party is told at each body; the first time counts."""
    scenario = in_phase(Phase.ASSIGNED)
    party_id = scenario.applicant.party_id
    scenario.when(ServeRightsNotice(party_id=party_id, means="attending")).then(
        expect(RightsNoticeServed, phase=Phase.ASSIGNED, party_id=party_id)
    )

    assert scenario.case.rights_served_at == {party_id: scenario.now}
    scenario.do(ServeRightsNotice(party_id=party_id, means="phone"), at="2026-03-03T09:00+08:00")
    assert scenario.case.rights_served_at == {party_id: moment(START)}
    stranger = ServeRightsNotice(party_id=an_id("stranger"), means="phone")
    scenario.when(stranger).then_refused("unknown-party")


def test_a_proper_session_has_no_flaw():
    """Assigned host, rights told, consent given, within the term."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.when(scenario.session()).then(
        expect(
            SessionHeld,
            phase=Phase.MEDIATING,
            at_body_id="hengjie",
            at_level="village-industry",
            irregularities=(),
        )
    )

    assert scenario.case.sessions_here == 1
    assert scenario.case.irregularities == ()


@pytest.mark.parametrize(
    ("phase", "to", "flaws"),
    [
        (
            Phase.REGISTERED,
            Phase.REGISTERED,
            ("unassigned-host", "no-rights-notice", "without-consent", "before-acceptance"),
        ),
        (
            Phase.CONSENT_PENDING,
            Phase.CONSENT_PENDING,
            ("unassigned-host", "no-rights-notice", "before-acceptance"),
        ),
        (Phase.ACCEPTED, Phase.MEDIATING, ("unassigned-host", "no-rights-notice")),
        (Phase.ASSIGNED, Phase.MEDIATING, ("no-rights-notice",)),
        (Phase.MEDIATING, Phase.MEDIATING, ()),
        (Phase.SIGNING, Phase.SIGNING, ()),
        (Phase.PERFORMING, Phase.PERFORMING, ()),
        (Phase.FAILED, Phase.FAILED, ("out-of-order",)),
        (
            Phase.WITHDRAWN,
            Phase.WITHDRAWN,
            ("unassigned-host", "no-rights-notice", "out-of-order"),
        ),
        (
            Phase.IN_PROCEEDINGS,
            Phase.IN_PROCEEDINGS,
            ("unassigned-host", "no-rights-notice", "out-of-order"),
        ),
        (
            Phase.NOT_ACCEPTED,
            Phase.NOT_ACCEPTED,
            ("unassigned-host", "no-rights-notice", "without-consent", "out-of-order"),
        ),
        (Phase.CLOSED, Phase.CLOSED, ("after-close",)),
    ],
)
def test_a_session_is_recorded_in_every_phase_with_its_flaws(phase, to, flaws):
    """A session held is a fact: never refused; it leads on only where the table says so."""
    scenario = in_phase(phase)
    (held,) = scenario.do(scenario.session())

    assert (held.phase, held.irregularities) == (to, flaws)
    assert scenario.case.irregularities == tuple(
        Irregularity(held.event_id, code) for code in flaws
    )


@pytest.mark.parametrize(
    ("mode", "at", "flaws"),
    [
        ("joint", "2026-03-17T23:59+08:00", ()),
        ("joint", "2026-03-18T00:00+08:00", ("after-term",)),
        ("separate", "2026-03-18T00:00+08:00", ()),
    ],
)
def test_a_joint_session_after_the_term_is_irregular(mode, at, flaws):
    """Scenario 5: from 18 March, 00:00, a joint session needs a consent that is not there."""
    scenario = in_phase(Phase.MEDIATING)

    scenario.when(scenario.session(mode=mode), at=at).then(
        expect(SessionHeld, irregularities=flaws)
    )


def test_a_session_with_a_party_that_refused_is_irregular():
    """Whoever clearly refused is not to be mediated with."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(scenario.consent(scenario.respondent, Answer.REFUSED))

    scenario.when(scenario.session()).then(expect(SessionHeld, irregularities=("without-consent",)))


def test_those_attending_are_told_their_rights_as_the_session_begins():
    """Said on the same form, it is the same notice; nobody is told twice, and no flaw is left."""
    scenario = in_phase(Phase.ASSIGNED, workers=2)
    told, *untold = (party.party_id for party in scenario.case.parties)
    scenario.do(ServeRightsNotice(party_id=told, means="phone"))
    *notices, held = scenario.do(scenario.session(rights_told=True))

    assert [type(it) for it in notices] == [RightsNoticeServed] * 2
    assert [it.party_id for it in notices] == untold
    assert {(it.means, it.phase) for it in notices} == {("attending", Phase.ASSIGNED)}
    assert (held.irregularities, held.phase) == ((), Phase.MEDIATING)
    assert len({it.event_id for it in (*notices, held)}) == 3
    assert set(scenario.case.rights_served_at) == {told, *untold}
    assert len(scenario.do(scenario.session(rights_told=True))) == 1


def test_only_those_attending_are_told_at_a_session():
    """Who stayed away has still to be told, and whoever sits in untold the next time is a flaw."""
    scenario = in_phase(Phase.ASSIGNED)
    here, away = (party.party_id for party in scenario.case.parties)
    scenario.do(scenario.session(attending_ids=(here,), rights_told=True))
    assert set(scenario.case.rights_served_at) == {here}

    scenario.when(scenario.session(attending_ids=(here, away))).then(
        expect(SessionHeld, irregularities=("no-rights-notice",))
    )


def test_an_extension_lets_the_parties_meet_again():
    """A joint session within the extended term is in order (scenario 5b)."""
    scenario = in_phase(Phase.MEDIATING)
    everybody = tuple(party.party_id for party in scenario.case.parties)
    scenario.do(ExtendTerm(until_on=date(2026, 3, 27), agreed_ids=everybody))
    for at, flaws in (
        ("2026-03-27T23:59+08:00", ()),
        ("2026-03-28T00:00+08:00", ("after-term",)),
    ):
        scenario.when(scenario.session(), at=at).then(expect(SessionHeld, irregularities=flaws))


def test_a_host_from_outside_the_team_is_irregular():
    """One unassigned host among assigned ones is a flaw."""
    scenario = in_phase(Phase.MEDIATING)
    hosts = (*scenario.case.mediator_ids, mediators_of("factory")[0])

    scenario.when(scenario.session(host_ids=hosts)).then(
        expect(SessionHeld, irregularities=("unassigned-host",))
    )


@pytest.mark.parametrize("field", ["attending_ids", "signed_by_ids"])
def test_only_parties_of_the_case_attend_and_sign(field):
    """Experts and witnesses are not parties; an unknown id is malformed."""
    scenario = in_phase(Phase.MEDIATING)
    stranger = scenario.session(**{field: (an_id("stranger"),)})

    scenario.when(stranger).then_refused("unknown-party")


def test_who_else_was_present_and_where_is_written_down():
    """Others sit in by their role; the place is free text and sealed."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.when(scenario.session(also_present=("counsel", "friend"))).then_refused("malformed")
    scenario.when(
        scenario.session(also_present=("interpreter", "counsel"), place=Personal("调解室"))
    ).then(expect(SessionHeld, also_present=("interpreter", "counsel")))

    assert isinstance(scenario.decided[0].place, Unsealed)


def test_a_session_is_judged_by_when_it_was_held():
    """Typed in after the assignment, the notice and the acceptance, it still came before them."""
    scenario = in_phase(Phase.REGISTERED)
    scenario.agreed().accepted(at="2026-03-04T09:00+08:00").mediating()
    command = scenario.session(occurred_at=moment("2026-03-03T09:00+08:00"))
    flaws = ("unassigned-host", "no-rights-notice", "before-acceptance")
    scenario.when(command).then(expect(SessionHeld, irregularities=flaws))

    scenario.when(scenario.session()).then(expect(SessionHeld, irregularities=()))


def test_a_session_answers_for_the_mediators_who_held_it():
    """Whoever mediates has taken the case on: D06 ends with the session."""
    scenario = in_phase(Phase.ASSIGNED)
    scenario.when(scenario.session()).then(
        expect(SessionHeld, phase=Phase.MEDIATING, due_ended=("D06",))
    )

    assert "D06" not in scenario.case.due


def test_the_earliest_rights_notice_counts_whichever_was_typed_in_first():
    """A session between the two is held after everybody was told."""
    scenario = in_phase(Phase.ASSIGNED)
    scenario.now = moment("2026-03-10T09:00+08:00")
    party_id = scenario.applicant.party_id
    told = ServeRightsNotice(party_id=party_id, means="attending")
    scenario.given(told).given(on(told, date(2026, 3, 4)))

    assert scenario.case.rights_served_at[party_id] == moment("2026-03-04T12:00+08:00")


def test_a_rights_notice_names_its_articles_however_it_was_given():
    """By itself or as a session began, it says under which articles, and whether it came late."""
    for scenario, flaws in (
        (in_phase(Phase.ASSIGNED), ()),
        (in_phase(Phase.WITHDRAWN).closed(), LATE),
    ):
        at_a_session = scenario.would(scenario.session(rights_told=True))[0]
        party_id = scenario.applicant.party_id
        (by_itself,) = scenario.would(ServeRightsNotice(party_id=party_id, means="phone"))
        assert (by_itself.means, at_a_session.means) == ("phone", "attending")
        for notice in (by_itself, at_a_session):
            expect(
                RightsNoticeServed, legal_basis="L-PML 23; L-PML 24", irregularities=flaws
            ).check(notice)


def test_minutes_are_their_authors_in_this_case():
    """So that what one person wrote can be redacted alone: another author has another key."""
    scenario = in_phase(Phase.MEDIATING)
    by = [Actor(actor_id=it, role="mediator", body_id="hengjie") for it in mediators_of("hengjie")]
    (first,), (second,), (again,) = (
        scenario.would(scenario.session(), by=it) for it in (*by, by[0])
    )

    assert first.minutes.subject_id == again.minutes.subject_id != second.minutes.subject_id
    assert first.minutes.purpose is Purpose.FREE_TEXT
