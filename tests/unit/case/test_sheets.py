"""Sheets: what each party answers about another body, and what follows from it."""

import pytest

from mediation.case.custody import AcceptCustody, CaseEscalated
from mediation.case.sheets import RecordTransferSheet, TransferSheetRecorded
from mediation.case.values import Phase
from tests.scenario import an_id, expect, in_phase


def asked():
    """Give a case under way whose move one rung up is pending."""
    scenario = in_phase(Phase.MEDIATING)
    return scenario.given(scenario.move("dongcheng"))


def test_a_sheet_holds_one_partys_answers_and_the_latest_counts():
    """Body, disclosure, extension: three questions, answered per party."""
    scenario = asked()
    worker, firm = scenario.case.parties
    scenario.when(scenario.sheet(worker, extension=None)).then(
        expect(
            TransferSheetRecorded,
            phase=Phase.MEDIATING,
            to_body_id="dongcheng",
            legal_basis="L-PIPL 23",
            new_body=True,
            disclosure=True,
            extension=None,
            irregularities=(),
        )
    )
    scenario.do(scenario.sheet(worker, new_body=False))
    case = scenario.case

    assert len(case.sheets) == 2
    sheet = case.sheet_of(worker.party_id, "dongcheng")
    assert sheet is not None
    assert not sheet.new_body
    assert case.sheet_of(firm.party_id, "dongcheng") is None
    assert case.sheet_of(worker.party_id, "hq") is None


def test_a_sheet_may_be_signed_before_the_move_is_asked_for():
    """It names its body, counts for a move there, and is spent once custody has passed."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.when(scenario.sheet(scenario.applicant, to_body_id="nowhere")).then_refused(
        "body-unknown"
    )
    for party in scenario.case.parties:
        scenario.when(scenario.sheet(party, to_body_id="dongcheng")).then(
            expect(TransferSheetRecorded, to_body_id="dongcheng", irregularities=())
        )
    scenario.do(scenario.move("dongcheng"))
    scenario.when(AcceptCustody()).then(expect(CaseEscalated, phase=Phase.ACCEPTED))

    assert scenario.case.sheets == ()


def test_a_sheet_for_one_body_is_none_for_another():
    """Consent belongs to a body (L-PIPL 23)."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.given(
        *(scenario.sheet(party, to_body_id="hq") for party in scenario.case.parties),
        scenario.move("dongcheng"),
    )
    (taken,) = scenario.do(AcceptCustody())

    assert (taken.agreed_ids, taken.disclosed_ids) == ((), ())
    assert taken.phase is Phase.CONSENT_PENDING


@pytest.mark.parametrize(
    ("at", "extension", "flaws"),
    [
        ("2026-03-12T09:00+08:00", None, ()),
        ("2026-03-13T09:00+08:00", None, ("extension-unanswered",)),
        ("2026-03-13T09:00+08:00", False, ()),
        ("2026-03-13T09:00+08:00", True, ()),
    ],
)
def test_with_less_than_five_days_left_the_extension_is_to_be_answered(at, extension, flaws):
    """Scenario 5: on 13 March four days are left; no answer is a flaw, either answer is none."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(scenario.move("dongcheng"), at=at)
    scenario.when(scenario.sheet(scenario.applicant, extension=extension)).then(
        expect(TransferSheetRecorded, irregularities=flaws)
    )

    assert tuple(it.code for it in scenario.case.irregularities) == flaws


@pytest.mark.parametrize("phase", list(Phase))
def test_a_sheet_without_a_move_is_recorded_as_out_of_order(phase):
    """A paper that exists is recorded; without a body it changes nothing."""
    scenario = in_phase(phase)
    flaws = ("after-close", "out-of-order") if phase is Phase.CLOSED else ("out-of-order",)
    scenario.when(scenario.sheet(scenario.applicant)).then(
        expect(TransferSheetRecorded, phase=phase, to_body_id=None, irregularities=flaws)
    )

    assert (scenario.case.move, scenario.case.sheets) == (None, ())
    assert tuple(it.code for it in scenario.case.irregularities) == flaws


def test_a_sheet_is_a_partys_of_the_case():
    """An id from elsewhere is malformed."""
    scenario = asked()
    stranger = RecordTransferSheet(party_id=an_id("x"), new_body=True, disclosure=True)

    scenario.when(stranger).then_refused("unknown-party")


@pytest.mark.parametrize(
    ("basis", "disclosure", "disclosed"),
    [(None, True, True), (None, False, False), (None, None, False), ("emergency", None, True)],
)
def test_personal_data_goes_along_by_sheet_or_by_law(basis, disclosure, disclosed):
    """No sheet and no legal basis: the receiver sees the case, not the person (L-PIPL 23)."""
    scenario = in_phase(Phase.MEDIATING)
    scenario.do(scenario.move("dongcheng", transfer_basis=basis))
    if disclosure is not None:
        scenario.do(scenario.sheet(scenario.applicant, disclosure=disclosure))
    (taken,) = scenario.do(AcceptCustody())
    worker = scenario.applicant.party_id

    assert (worker in taken.disclosed_ids) is disclosed
    assert (worker in scenario.case.disclosed_ids) is disclosed
    assert taken.transfer_basis == basis
