"""An agreement by word of mouth: recorded, in force at once, and concluded on both sides' word."""

from datetime import date
from typing import Any

import pytest

from mediation.case.conclusion import MediationConcluded
from mediation.case.correction import CureIrregularity
from mediation.case.custody import AcceptCustody, CustodyMoveWithdrawn
from mediation.case.performance import ObligationEntry
from mediation.case.settlement import OralAgreementRecorded, RecordOralAgreement
from mediation.case.values import Instrument, Outcome, Phase
from mediation.ladder import MoveKind
from mediation.network import ConfirmationRoute
from mediation.privacy import Personal
from tests.scenario import an_id, expect, in_phase, moment, on

UNDER_WAY = (Phase.ACCEPTED, Phase.ASSIGNED, Phase.MEDIATING, Phase.SIGNING)


def oral(scenario, *, fen=50_000, lines=None, **changes):
    """Make the command that records the word of everybody on some lines, by default on all."""
    fields: dict[str, Any] = {
        "agreed_by_ids": tuple(party.party_id for party in scenario.case.parties),
        "obligations": tuple(
            ObligationEntry(line_id=line.line_id, agreed_fen=fen, due_on=date(2026, 3, 20))
            for line in (scenario.case.lines if lines is None else lines)
        ),
        "text": Personal("单位三月二十日前付清工资。"),
    }
    return RecordOralAgreement(**(fields | changes))


@pytest.mark.parametrize("phase", UNDER_WAY)
def test_what_both_sides_say_is_in_force_and_concludes_at_once(phase):
    """L-PML 28, 30: AGREED, at the body's capacity, its payment checked; no window opens yet."""
    scenario = in_phase(phase)
    scenario.when(oral(scenario), at="2026-03-06T09:00+08:00").then(
        expect(
            OralAgreementRecorded,
            phase=Phase.PERFORMING,
            irregularities=(),
            legal_basis="L-PML 28; L-PML 30",
            made_as="L-LDMA 10",
            at_body_id="hengjie",
            done_on_the_spot=False,
            due=(),
        ),
        expect(
            MediationConcluded,
            phase=Phase.PERFORMING,
            outcome=Outcome.AGREED,
            concluded_on=date(2026, 3, 6),
            instrument=Instrument.ORAL_RECORD,
            agreed_fen=50_000,
            partial=False,
        ),
    )
    recorded, concluded = scenario.events[-2:]

    assert (concluded.instrument_event_id, concluded.causation_id) == (recorded.event_id,) * 2
    assert set(scenario.case.due) == {"D10:2026-03-20"}
    assert (scenario.case.acceptance_open, scenario.case.settled_by) == (False, None)
    assert scenario.case.draft is None


def test_without_a_settled_capacity_it_says_so():
    """`made_as` is empty rather than guessed, and an oral agreement is then irregular."""
    scenario = in_phase(Phase.MEDIATING).with_capacity("hengjie")

    scenario.when(oral(scenario)).then(
        expect(OralAgreementRecorded, made_as=None, irregularities=("not-done-on-the-spot",)),
        MediationConcluded,
    )


@pytest.mark.parametrize(
    ("oral_ok", "on_the_spot", "flaws"),
    [
        (True, False, ()),
        (True, True, ()),
        (False, True, ()),
        (False, False, ("not-done-on-the-spot",)),
    ],
)
def test_where_the_body_takes_none_it_has_to_be_done_on_the_spot(oral_ok, on_the_spot, flaws):
    """Otherwise it is irregular: recorded, in force, and to be cured."""
    scenario = in_phase(Phase.MEDIATING).with_capacity("hengjie", oral_ok=oral_ok)

    scenario.when(oral(scenario, done_on_the_spot=on_the_spot)).then(
        expect(OralAgreementRecorded, irregularities=flaws), MediationConcluded
    )
    for code in flaws:
        scenario.given(
            CureIrregularity(
                event_id=scenario.events[-2].event_id,
                code=code,
                cure="explained",
                explanation=Personal("次日已履行。"),
            )
        )
    assert scenario.case.irregularities == ()


@pytest.mark.parametrize("route", list(ConfirmationRoute))
def test_it_opens_no_window_by_itself(route):
    """D08 and D09 belong to the written agreement."""
    scenario = in_phase(Phase.MEDIATING).with_capacity("hengjie", confirmation_route=route)
    scenario.do(oral(scenario))

    assert not {"D08", "D09"} & set(scenario.case.due)


def test_what_one_side_alone_says_is_on_record_and_no_agreement():
    """The mediation goes on; nothing is concluded on the word of the employer alone."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    one, two, firm = (party.party_id for party in scenario.case.parties)
    for agreed_by in ((firm,), (one, two)):
        scenario.when(oral(scenario, agreed_by_ids=agreed_by)).then(
            expect(
                OralAgreementRecorded,
                phase=Phase.MEDIATING,
                irregularities=("missing-signature",),
            )
        )

    assert scenario.case.acceptance_open
    scenario.when(scenario.conclusion()).then_refused("settled-on-paper")
    scenario.when(oral(scenario)).then(OralAgreementRecorded, MediationConcluded)


def test_nobody_is_charged_or_paid_without_his_word():
    """Of two workers the one who was not there did not agree to what is said of his claim."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    one, _, firm = (party.party_id for party in scenario.case.parties)
    first, _ = scenario.case.lines
    own = oral(scenario, agreed_by_ids=(one, firm), lines=(first,))
    assert scenario.would(own)[0].irregularities == ()

    scenario.when(oral(scenario, agreed_by_ids=(one, firm))).then(
        expect(OralAgreementRecorded, irregularities=("missing-signature",)), MediationConcluded
    )


def test_it_names_the_claims_it_leaves_uncovered():
    """Partial: on one of two claims nothing was said."""
    scenario = in_phase(Phase.MEDIATING, workers=2)
    first, second = scenario.case.lines

    scenario.when(oral(scenario, lines=(first,))).then(
        OralAgreementRecorded,
        expect(MediationConcluded, partial=True, uncovered_line_ids=(second.line_id,)),
    )


def test_it_may_be_without_any_sum():
    """An apology, a certificate handed over: agreed all the same."""
    scenario = in_phase(Phase.MEDIATING)

    scenario.when(oral(scenario, lines=(), done_on_the_spot=True)).then(
        expect(OralAgreementRecorded, obligations=()),
        expect(MediationConcluded, outcome=Outcome.AGREED, agreed_fen=0, partial=False),
    )
    assert scenario.case.due == {}


@pytest.mark.parametrize(
    ("phase", "flaws"),
    [
        (Phase.REGISTERED, ("before-acceptance",)),
        (Phase.CONSENT_PENDING, ("before-acceptance",)),
        (Phase.PERFORMING, ()),
        (Phase.FAILED, ("out-of-order",)),
        (Phase.WITHDRAWN, ("out-of-order",)),
        (Phase.NOT_ACCEPTED, ("out-of-order",)),
        (Phase.IN_PROCEEDINGS, ("out-of-order",)),
        (Phase.CLOSED, ("after-close",)),
    ],
)
def test_outside_an_open_mediation_it_is_recorded_and_concludes_nothing(phase, flaws):
    """Any paper history can be typed in, also after the close."""
    scenario = in_phase(phase)

    scenario.when(oral(scenario)).then(
        expect(OralAgreementRecorded, phase=phase, irregularities=flaws)
    )
    assert sum(type(event) is MediationConcluded for event in scenario.events) <= 1


def test_while_consent_is_asked_anew_under_an_open_acceptance_it_concludes():
    """Both sides spoke, whatever had still to be asked."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.given(scenario.move("dongcheng"), AcceptCustody())
    assert scenario.case.phase is Phase.CONSENT_PENDING

    scenario.when(oral(scenario)).then(
        OralAgreementRecorded, expect(MediationConcluded, at_body_id="dongcheng")
    )


def test_what_was_said_before_acceptance_is_a_paper_to_conclude_on():
    """It need not be said again."""
    scenario = in_phase(Phase.CONSENT_PENDING)
    (recorded,) = scenario.do(oral(scenario))
    scenario.accepted()

    scenario.when(scenario.conclusion()).then(
        expect(
            MediationConcluded,
            outcome=Outcome.SETTLED,
            instrument=Instrument.ORAL_RECORD,
            instrument_event_id=recorded.event_id,
        )
    )


def test_it_is_judged_by_when_it_was_made():
    """Typed in under the acceptance it may have been made before it."""
    scenario = in_phase(Phase.CONSENT_PENDING).accepted(at="2026-03-04T09:00+08:00")

    scenario.when(on(oral(scenario), date(2026, 3, 3))).then(
        expect(OralAgreementRecorded, irregularities=("before-acceptance",)),
        expect(MediationConcluded, concluded_on=date(2026, 3, 3)),
    )


@pytest.mark.parametrize(("kind", "ends"), [(MoveKind.ESCALATE, True), (MoveKind.TRANSFER, False)])
def test_it_ends_a_pending_climb_and_no_other_move(kind, ends):
    """What is settled does not climb; another body of the rung may follow the performance."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(
        scenario.move("dongcheng") if ends else scenario.move("catering", kind, "other-branch")
    )
    withdrawn = expect(CustodyMoveWithdrawn, reason_code="concluded", phase=Phase.MEDIATING)
    first = (withdrawn,) if ends else ()

    scenario.when(oral(scenario)).then(*first, OralAgreementRecorded, MediationConcluded)
    assert (scenario.case.move is None) == ends


def test_it_takes_the_place_of_what_was_promised_before():
    """What is agreed anew on a claim is owed once."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(scenario.promise(fen=80_000))
    (promised,) = (it.obligation.obligation_id for it in scenario.case.payments)

    scenario.when(oral(scenario)).then(
        expect(OralAgreementRecorded, superseded_ids=(promised,)),
        expect(MediationConcluded, agreed_fen=50_000),
    )


def test_only_parties_and_claims_of_the_case_are_spoken_of():
    """An id from elsewhere is malformed."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.when(oral(scenario, agreed_by_ids=(an_id("x"),))).then_refused("unknown-party")
    lost = ObligationEntry(line_id=an_id("line"), agreed_fen=1, due_on=date(2026, 3, 20))
    scenario.when(oral(scenario, obligations=(lost,))).then_refused("unknown-line")


def test_after_the_term_it_is_as_good_as_before():
    """The lapse bars no agreement, by word of mouth either; it is only not in time."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.now = moment("2026-03-20T09:00+08:00")

    scenario.when(oral(scenario)).then(
        expect(OralAgreementRecorded, irregularities=()),
        expect(MediationConcluded, within_term=False),
    )
