"""The statutory term: extended by everybody's word, or run out, and never in the way of peace."""

from datetime import date, timedelta

import msgspec
import pytest

from mediation.calendar import first_moment_after
from mediation.case import term
from mediation.case.conclusion import FailMediation, MediationFailed
from mediation.case.consent import RefuseCase
from mediation.case.custody import AcceptCustody, CaseEscalated
from mediation.case.sessions import SessionHeld
from mediation.case.state import CaseState
from mediation.case.term import (
    ExtendTerm,
    StatutoryTermLapsed,
    TermExtended,
)
from mediation.case.values import Answer, Phase
from tests.scenario import Scenario, an_id, expect, in_phase, lapse_of, moment, on

END = date(2026, 3, 17)
"""Fifteen days after the application of 2 March 2026."""


def everybody(scenario):
    """Name every party."""
    return tuple(party.party_id for party in scenario.case.parties)


def extension(scenario, days, **changes):
    """Make the command that extends the present term by so many days, signed by everybody."""
    fields = {
        "until_on": scenario.term.due_on + timedelta(days=days),
        "agreed_ids": everybody(scenario),
    }
    return ExtendTerm(**(fields | changes))


def lapse(scenario):
    """Make the command that the timer fires on the present term."""
    return lapse_of(scenario.term)


# Extension


def test_an_extension_by_everybody_sets_a_later_end_from_the_earlier_one():
    """D04 takes the place of D02; its legal last day follows from the same calendar."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.when(extension(scenario, 10), at="2026-03-16T09:00+08:00").then(
        expect(
            TermExtended,
            phase=Phase.MEDIATING,
            earlier_due_on=END,
            extended_to_on=date(2026, 3, 27),
            agreed_ids=everybody(scenario),
            basis="signed-extension",
            late=False,
            due_ended=("D02",),
            legal_basis="L-LDMA 14; L-ZJ 10",
        )
    )
    ended = scenario.term

    assert (ended.code, ended.due_on, ended.rolled_on) == (
        "D04",
        date(2026, 3, 27),
        date(2026, 3, 27),
    )
    assert (ended.start_on, ended.rule, ended.article) == (END, "10 cd", "L-ZJ 10")
    assert "D02" not in scenario.case.due


def test_an_extension_to_a_day_off_ends_on_the_next_working_day():
    """28 March 2026 is a Saturday: the safe day is told, the legal last day is the Monday."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(extension(scenario, 11))

    assert (scenario.term.due_on, scenario.term.rolled_on) == (
        date(2026, 3, 28),
        date(2026, 3, 30),
    )


@pytest.mark.parametrize("phase", [Phase.CONSENT_PENDING, Phase.ACCEPTED, Phase.ASSIGNED])
def test_a_term_is_extended_wherever_mediation_is_under_way(phase):
    """Also before the case is accepted, or while nobody has confirmed yet."""
    scenario = in_phase(phase)

    scenario.when(extension(scenario, 1)).then(expect(TermExtended, phase=phase))
    scenario.when(extension(scenario, 1)).then(
        expect(TermExtended, earlier_due_on=END + timedelta(days=1), due_ended=("D04",))
    )


def test_a_term_that_does_not_run_is_not_extended():
    """Of a concluded case, or of a proactive one nobody agreed to yet."""
    scenario = in_phase(Phase.PERFORMING)
    command = ExtendTerm(until_on=END, agreed_ids=everybody(scenario))
    scenario.when(command).then_refused("wrong-phase")

    offered = in_phase(Phase.REGISTERED, entry="PROACTIVE")
    offered.when(ExtendTerm(until_on=END, agreed_ids=everybody(offered))).then_refused("term-runs")


def test_everybody_who_takes_part_has_to_agree():
    """One worker who does not is enough; who refused mediation is not asked."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    one, two, firm = everybody(scenario)
    command = extension(scenario, 5)

    for agreed in ((one, firm), (one, two), (firm,)):
        named = msgspec.structs.replace(command, agreed_ids=agreed)
        scenario.when(named).then_refused("not-agreed-by-all")
    stranger = msgspec.structs.replace(command, agreed_ids=(one, two, firm, an_id("x")))
    scenario.when(stranger).then_refused("unknown-party")
    scenario.do(scenario.consent(scenario.case.applicants[1], Answer.REFUSED))
    scenario.when(msgspec.structs.replace(command, agreed_ids=(one, firm))).then(TermExtended)


def test_before_anybody_answered_both_sides_have_to_agree_all_the_same():
    """The silence of the employer is no consent to wait longer (L-ZJ 10)."""
    scenario = in_phase(Phase.REGISTERED)
    alone = extension(scenario, 5, agreed_ids=(scenario.applicant.party_id,))

    scenario.when(alone).then_refused("not-agreed-by-all")
    scenario.when(extension(scenario, 5)).then(expect(TermExtended, phase=Phase.REGISTERED))


@pytest.mark.parametrize("days", [0, -1])
def test_an_extension_is_later_than_the_present_end(days):
    """An end that is not later takes something away."""
    scenario = in_phase(Phase.MEDIATING)

    scenario.when(extension(scenario, days)).then_refused("not-later")


def test_an_extension_may_be_signed_late_and_is_marked():
    """逾期补签: after the legal last day, before or after the lapse was recorded."""
    scenario = in_phase(Phase.MEDIATING)
    command = extension(scenario, 10)
    assert scenario.would(on(command, END))[0].late is False
    scenario.do(lapse(scenario), at="2026-03-18T00:00+08:00")

    scenario.when(command, at="2026-03-19T09:00+08:00").then(expect(TermExtended, late=True))
    assert not scenario.case.term_lapsed


def test_platform_work_is_extended_by_fifteen_days_at_most_in_all():
    """Not in one step, and not in several (P-4)."""
    scenario = in_phase(Phase.MEDIATING).flagged("NEW_FORM")
    scenario.when(extension(scenario, 16)).then_refused("extension-too-long")
    scenario.when(extension(scenario, 10)).then(TermExtended)
    assert scenario.term.article == "P-4; L-ZJ 10"
    scenario.when(extension(scenario, 6)).then_refused("extension-too-long")
    scenario.when(extension(scenario, 5)).then(
        expect(TermExtended, earlier_due_on=date(2026, 3, 27), extended_to_on=date(2026, 4, 1))
    )
    assert (scenario.term.start_on, scenario.term.rule) == (END, "15 cd")
    scenario.when(extension(scenario, 1)).then_refused("extension-too-long")

    ordinary = in_phase(Phase.MEDIATING)
    ordinary.when(extension(ordinary, 60)).then(TermExtended)


# Extension by the sheets of a move


def moved(extension_to, *, level="dongcheng"):
    """Bring a case to another body with sheets that answer the question of extension so."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    scenario.do(scenario.move(level))
    for party, answer in zip(scenario.case.parties, extension_to, strict=True):
        scenario.do(scenario.sheet(party, extension=answer))
    return scenario.given(AcceptCustody())


def test_the_sheets_of_a_move_extend_the_term_once():
    """Scenario 5 (b): both said yes on the sheets; a second time they have to be asked again."""
    scenario = moved((True, True, True))
    command = extension(scenario, 5, basis="transfer-sheet")

    scenario.when(command).then(expect(TermExtended, basis="transfer-sheet"))
    again = extension(scenario, 5, basis="transfer-sheet")
    scenario.when(again).then_refused("not-on-the-sheets")
    scenario.when(extension(scenario, 5)).then(TermExtended)


@pytest.mark.parametrize("answer", [False, None])
def test_whoever_did_not_say_yes_on_the_sheet_has_not_agreed(answer):
    """No, or no answer: a signed extension is needed; it does not use the sheets up."""
    scenario = moved((True, answer, True))
    command = extension(scenario, 5, basis="transfer-sheet")

    scenario.when(command).then_refused("not-on-the-sheets")
    yes = scenario.case.extendable_ids
    scenario.when(extension(scenario, 5)).then(TermExtended)
    assert scenario.case.extendable_ids == yes != frozenset()


def test_at_the_top_the_target_follows_the_term():
    """D13 of the last level is the rest of the term; the targets of the others stay."""
    top = in_phase(Phase.MEDIATING, body_id="hq")
    assert top.case.due["D13"].rule == "rest"
    top.when(extension(top, 10)).then(expect(TermExtended, due_ended=("D02", "D13")))
    assert (top.case.due["D13"].rule, top.case.due["D13"].due_on) == ("rest", date(2026, 3, 27))

    village = in_phase(Phase.MEDIATING)
    target = village.case.due["D13"]
    village.when(extension(village, 10)).then(expect(TermExtended, due_ended=("D02",)))
    assert village.case.due["D13"] == target


# Lapse


def test_the_term_lapses_at_the_first_moment_after_its_legal_last_day():
    """Whenever the timer comes to it; every party is to be told; the phase stays."""
    scenario = in_phase(Phase.MEDIATING)
    for early in ("2026-03-17T23:59:59+08:00", "2026-03-02T09:00+08:00"):
        scenario.when(lapse(scenario), at=early).then_refused("term-not-over")
    scenario.when(lapse(scenario), at="2026-03-20T15:00+08:00").then(
        expect(
            StatutoryTermLapsed,
            phase=Phase.MEDIATING,
            occurred_at=moment("2026-03-18T00:00+08:00"),
            decided_at=moment("2026-03-20T15:00+08:00"),
            term_code="D02",
            due_on=END,
            rolled_on=END,
            legal_effect=None,
            interrupts_limitation=True,
            legal_basis="L-LDMA 14; L-ZJ 10",
            to_tell_ids=everybody(scenario),
            past_when_entered=False,
            due=(),
            due_ended=(),
        )
    )

    assert scenario.case.term_lapsed
    assert scenario.term.due_on == END


def test_a_term_that_ends_on_a_day_off_lapses_after_the_next_working_day():
    """An application of 28 February: 15 March is a Sunday, so it lapses with the Monday's end."""
    scenario = Scenario()
    scenario.now = moment("2026-02-28T09:00+08:00")
    scenario.registered()
    scenario.when(lapse(scenario), at="2026-03-16T23:00+08:00").then_refused("term-not-over")
    scenario.when(lapse(scenario), at="2026-03-17T00:00+08:00").then(
        expect(
            StatutoryTermLapsed,
            due_on=date(2026, 3, 15),
            rolled_on=date(2026, 3, 16),
            occurred_at=first_moment_after(date(2026, 3, 16)),
        )
    )


def test_a_term_lapses_once_and_only_the_one_the_timer_saw():
    """Fired twice, or on a date that was extended meanwhile, it is refused."""
    scenario = in_phase(Phase.MEDIATING)
    fired = lapse(scenario)
    scenario.do(fired, at="2026-03-18T00:00+08:00")
    scenario.when(fired).then_refused("not-lapsed-yet")
    scenario.do(extension(scenario, 3))
    scenario.when(fired).then_refused("term-not-over")
    scenario.when(lapse(scenario), at="2026-03-21T00:00+08:00").then(
        expect(StatutoryTermLapsed, term_code="D04", due_on=date(2026, 3, 20))
    )


def test_the_lapse_is_the_same_whoever_fires_it_whenever():
    """Two processes hours apart record the same fact but for who decided it when."""
    scenario = in_phase(Phase.MEDIATING)
    decided = []
    for at in ("2026-03-18T00:00+08:00", "2026-03-25T17:00+08:00"):
        scenario.now = moment(at)
        (event,) = scenario.would(lapse(scenario))
        decided.append(msgspec.structs.replace(event, decided_at=event.occurred_at))

    assert decided[0] == decided[1]


def test_a_term_that_was_over_when_it_was_typed_in_tells_nobody():
    """补录时已过期: it stands for the office's decision and sends nothing to parties."""
    scenario = Scenario()
    scenario.now = moment("2026-03-20T09:00+08:00")
    scenario.registered(occurred_at=moment("2026-03-02T09:00+08:00"))
    assert scenario.term.past_when_decided

    scenario.when(lapse(scenario)).then(
        expect(
            StatutoryTermLapsed,
            occurred_at=moment("2026-03-18T00:00+08:00"),
            to_tell_ids=(),
            past_when_entered=True,
        )
    )


def test_an_extension_typed_in_after_its_end_lapses_silently_too():
    """It was over when it was decided, as the term before it was not."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(lapse(scenario), at="2026-03-18T00:00+08:00")
    late = extension(scenario, 3)
    scenario.do(late, at="2026-03-25T09:00+08:00")

    scenario.when(lapse(scenario)).then(
        expect(StatutoryTermLapsed, to_tell_ids=(), past_when_entered=True)
    )


def at_a_committee():
    """Give a case that came to an enterprise committee on 2 March and was accepted on the 4th."""
    scenario = in_phase(Phase.CONSENT_PENDING, body_id="factory")
    scenario.given(*(scenario.consent(party) for party in scenario.case.parties))
    return scenario.accepted(at="2026-03-04T09:00+08:00")


def test_of_an_enterprise_committee_the_mediation_counts_as_failed_from_its_own_term_on():
    """视为调解不成 (L-PROV 29): fifteen days from acceptance, not from receipt; recorded once."""
    scenario = at_a_committee()
    own = scenario.case.own_term
    assert (own.code, own.due_on) == ("D03", date(2026, 3, 19))
    scenario.when(lapse(scenario), at="2026-03-18T00:00+08:00").then(
        expect(StatutoryTermLapsed, term_code="D02", legal_effect=None)
    )
    scenario.when(lapse(scenario)).then_refused("term-not-over")
    fired = lapse_of(own)
    scenario.when(fired, at="2026-03-19T23:59+08:00").then_refused("term-not-over")

    scenario.when(fired, at="2026-03-20T08:00+08:00").then(
        expect(
            StatutoryTermLapsed,
            occurred_at=moment("2026-03-20T00:00+08:00"),
            phase=Phase.ACCEPTED,
            term_code="D03",
            due_on=date(2026, 3, 19),
            legal_effect="deemed-failed",
            legal_basis="L-PROV 29",
            interrupts_limitation=True,
            to_tell_ids=everybody(scenario),
            due_ended=(),
        )
    )
    assert (scenario.case.own_term, "D03" in scenario.case.due) == (None, True)
    assert scenario.case.term_lapsed
    scenario.when(fired).then_refused("not-lapsed-yet")


def test_a_committees_own_term_may_be_recorded_before_the_statutory_one():
    """Whichever the timer comes to first, the other is still to be recorded."""
    scenario = at_a_committee()
    both = (lapse_of(scenario.case.own_term), lapse(scenario))
    for fired in both:
        scenario.when(fired, at="2026-03-20T08:00+08:00").then(StatutoryTermLapsed)

    scenario.when(both[0]).then_refused("not-lapsed-yet")


def test_an_extension_ends_a_committees_own_term_too():
    """Everybody agreed to go on, so nothing counts as failed: neither then nor after its end."""
    scenario = at_a_committee()
    fired = lapse_of(scenario.case.own_term)
    scenario.when(extension(scenario, 3)).then(expect(TermExtended, due_ended=("D02", "D03")))
    scenario.when(fired, at="2026-03-21T00:00+08:00").then_refused("term-not-over")
    scenario.when(lapse(scenario)).then(
        expect(StatutoryTermLapsed, term_code="D04", legal_effect=None)
    )


def test_what_an_enterprise_committee_has_not_accepted_or_has_handed_on_is_not_deemed_failed():
    """The rule is that of the committee's own mediation."""
    asked = in_phase(Phase.CONSENT_PENDING, body_id="factory")
    assert asked.case.own_term is None
    mediating = at_a_committee()
    fired = lapse_of(mediating.case.own_term)
    gone = mediating.taken_by("hengjie", ground="beyond-means")
    assert "D03" in gone.case.due
    gone.when(fired, at="2026-03-20T00:00+08:00").then_refused("term-not-over")
    gone.when(lapse(gone)).then(expect(StatutoryTermLapsed, legal_effect=None))


def test_a_failure_after_the_lapse_does_not_interrupt_limitation_once_more():
    """The lapse did so on an earlier day (L-PROV 31(6)); any other cause does so itself."""
    for cause, interrupts in (("term-lapsed", False), ("no-agreement", True)):
        scenario = in_phase(Phase.MEDIATING)
        scenario.do(lapse(scenario), at="2026-03-18T00:00+08:00")
        (failed, _concluded) = scenario.would(FailMediation(cause_code=cause))
        assert (type(failed), failed.interrupts_limitation) == (MediationFailed, interrupts)

    unrecorded = in_phase(Phase.MEDIATING)
    (failed, _concluded) = unrecorded.would(FailMediation(cause_code="term-lapsed"))
    assert failed.interrupts_limitation


def test_a_second_term_with_the_same_end_is_another_term():
    """The command names what started the term, so an old one never records the new."""
    scenario = in_phase(Phase.MEDIATING)
    other = msgspec.structs.replace(lapse(scenario), start_event_id=an_id("another start"))

    scenario.when(other, at="2026-03-18T00:00+08:00").then_refused("term-not-over")
    scenario.when(lapse(scenario)).then(StatutoryTermLapsed)


def test_after_the_lapse_a_joint_session_is_irregular_until_the_term_is_extended():
    """到期处理: go on by everybody's word; apart, or with it, there is no flaw."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(lapse(scenario), at="2026-03-18T00:00+08:00")
    scenario.when(scenario.session()).then(expect(SessionHeld, irregularities=("after-term",)))
    scenario.when(scenario.session(mode="separate")).then(expect(SessionHeld, irregularities=()))
    scenario.do(extension(scenario, 10))
    scenario.when(scenario.session()).then(expect(SessionHeld, irregularities=()))


def test_drafting_signing_and_sealing_go_on_after_the_lapse():
    """期满后达成: the lapse never bars an agreement."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(lapse(scenario), at="2026-03-18T00:00+08:00")
    scenario.in_force()

    assert scenario.case.phase is Phase.PERFORMING
    assert not scenario.case.term_lapsed
    concluded = scenario.events[-1]
    assert (concluded.within_term, concluded.term_on) == (False, END)


def test_a_concluded_case_does_not_lapse():
    """Nothing runs any more that could."""
    scenario = in_phase(Phase.MEDIATING)
    fired = lapse(scenario)
    scenario.do(FailMediation(cause_code="no-agreement"))

    scenario.when(fired, at="2026-03-18T00:00+08:00").then_refused("wrong-phase")


def test_a_fresh_application_after_a_lapse_has_a_term_that_lapses_again():
    """Refused after the lapse, taken up above on the applicant's wish: a new term, a new lapse."""
    scenario = in_phase(Phase.CONSENT_PENDING)
    scenario.do(lapse(scenario), at="2026-03-18T00:00+08:00")
    scenario.do(RefuseCase(reason_code="duplicate"))
    scenario.do(scenario.move("dongcheng", ground="not-accepted"))
    scenario.when(AcceptCustody()).then(CaseEscalated)
    assert scenario.term.due_on == date(2026, 4, 2)

    scenario.when(lapse(scenario), at="2026-04-03T00:00+08:00").then(StatutoryTermLapsed)


# Scenario 5


def test_five_days_before_the_end_a_case_has_climbed_to_the_top():
    """The ladder and two clocks: no move resets D02, and every target ends by it."""
    scenario = Scenario().registered(body_id="factory")
    scenario.given(*(scenario.consent(party) for party in scenario.case.parties))
    scenario.accepted(at="2026-03-03T09:00+08:00").mediating()
    scenario.given(scenario.session(), at="2026-03-05T09:00+08:00")
    for to_body_id, at in (
        ("hengjie", "2026-03-06T09:00+08:00"),
        ("dongcheng", "2026-03-10T09:00+08:00"),
        ("hq", "2026-03-13T09:00+08:00"),
    ):
        extensions = {"extension": False} if to_body_id == "hq" else {}
        scenario.given(scenario.move(to_body_id), at=at)
        scenario.given(*(scenario.sheet(it, **extensions) for it in scenario.case.parties))
        scenario.given(AcceptCustody())
        assert scenario.term.due_on == END
        assert scenario.case.due["D13"].due_on <= END
        assert (scenario.case.phase, scenario.case.mediator_ids) == (Phase.ACCEPTED, ())

    by_sheet = extension(scenario, 5, basis="transfer-sheet")
    scenario.when(by_sheet).then_refused("not-on-the-sheets")
    scenario.when(lapse(scenario), at="2026-03-18T00:00+08:00").then(
        expect(StatutoryTermLapsed, to_tell_ids=everybody(scenario))
    )
    assert scenario.case.acceptance_no == 1


def test_what_the_life_cycle_rules_out_stops_loudly():
    """A term that does not run can be neither extended nor lapse."""
    with pytest.raises(AssertionError):
        term._term(CaseState())
