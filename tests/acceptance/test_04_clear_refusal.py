"""A clear refusal ends it, with the other ways told in writing; silence is not a refusal."""

from __future__ import annotations

from collections.abc import Callable

from tests.acceptance.office import Office, Person, wage_claim
from tests.serving import VILLAGE

CHECKED = {"within_scope": True, "within_district": True}


def _asked(office: Office) -> tuple[Person, Person, str, str, str]:
    lead, clerk = office.person("lead", VILLAGE), office.person("clerk", VILLAGE)
    case = clerk.register(**wage_claim(600_000))
    applicant, factory = clerk.parties(case)
    clerk.do(case, "record-consent", party_id=applicant, answer="AGREED", means="in-person")
    clerk.do(case, "ask-consent", party_id=factory, means="phone")
    return lead, clerk, case, applicant, factory


def test_a_factory_that_clearly_refuses_is_not_mediated_with(
    opened: Callable[[str], Office],
) -> None:
    """Refused on day two: no acceptance, written notice within three working days, then closed."""
    office = opened("2026-03-02T09:00:00+08:00")
    lead, clerk, case, applicant, factory = _asked(office)

    office.at("2026-03-03T09:00:00+08:00")
    clerk.do(case, "record-consent", party_id=factory, answer="REFUSED", means="phone")

    refusal = clerk.event(case, "consent-recorded")
    assert refusal["fields"]["answer"] == "REFUSED"
    assert refusal["fields"]["owed_to_ids"] == [applicant]
    assert refusal["fields"]["interrupts_limitation"] is True, "the other side's refusal does"
    assert clerk.due(case)["D05"]["due_on"] == "2026-03-06"
    assert lead.refused(case, "accept-case", **CHECKED) == ["no-side-refused"]
    office.at("2026-03-04T09:00:00+08:00")
    lead.do(case, "refuse-case", reason_code="party-refused")
    assert lead.due(case)["D05"]["due_on"] == "2026-03-06", "the later refusal buys no more time"
    assert lead.due(case).keys() == {"D05"}, "neither D01 nor the term runs any more"
    assert lead.refused(case, "close-case") == ["no-open-duty"], "nobody was told yet"
    office.at("2026-03-05T09:00:00+08:00")
    notice = {"party_id": applicant, "contents": "arbitration"}
    clerk.do(case, "serve-remedies-notice", means="phone", **notice)
    assert "D05" in lead.due(case), "a telephone call is no notice in writing"
    clerk.do(case, "serve-remedies-notice", means="written", **notice)
    assert lead.due(case) == {}
    assert lead.refused(case, "accept-case", **CHECKED) == ["wrong-phase"]
    lead.do(case, "close-case")

    assert lead.topics(case) == [
        "registered",
        "consent-recorded",
        "consent-asked",
        "consent-recorded",
        "not-accepted",
        "remedies-notice-served",
        "remedies-notice-served",
        "closed",
    ]
    assert lead.event(case, "not-accepted")["reason_code"] == "party-refused"
    shown = lead.case(case)
    assert (shown["acceptance_no"], shown["outcome"]) == (0, None), "it is no concluded mediation"
    figures = lead.figures("2026-03-02", "2026-03-05")
    intake = figures["F01"]["parts"]
    assert (intake["registered"], intake["refused"], intake["closing"]) == (1, 1, 0)
    assert figures["F02"]["parts"]["concluded"] == 0, "K = 0"
    assert figures["F08"]["value"] == 0, "in scope, and not accepted"
    assert figures["F08"]["parts"]["refusals.party-refused"] == 1
    assert figures["F08"]["parts"]["answers.REFUSED"] == 1


def test_silence_is_not_a_refusal(opened: Callable[[str], Office]) -> None:
    """Neither silence nor an unreachable party is taken for a no; the office says what it does."""
    office = opened("2026-03-02T09:00:00+08:00")
    lead, clerk, case, _, factory = _asked(office)

    for answer in ("NO_ANSWER", "UNREACHABLE"):
        clerk.do(case, "record-consent", party_id=factory, answer=answer, means="phone")

        recorded = clerk.event(case, "consent-recorded")
        assert recorded["fields"]["owed_to_ids"] == []
        assert recorded["fields"]["interrupts_limitation"] is False
        assert "D05" not in clerk.due(case)
        assert clerk.case(case)["phase"] == "CONSENT_PENDING"
        assert lead.refused(case, "accept-case", **CHECKED) == ["respondent-agreed"]
        reason = {"reason_code": "party-refused"}
        assert lead.refused(case, "refuse-case", **reason) == ["nobody-refused"]
    office.at("2026-03-06T09:00:00+08:00")
    assert [it["case_id"] for it in lead.lane("overdue")] == [case], "it waits for a decision"
    assert "not-accepted" not in lead.topics(case), "which nothing takes for the office"
    lead.do(case, "refuse-case", reason_code="consent-not-obtained")

    assert lead.event(case, "not-accepted")["reason_code"] == "consent-not-obtained"
    assert lead.case(case)["phase"] == "NOT_ACCEPTED"


def test_a_late_yes_after_silence_is_still_a_yes(opened: Callable[[str], Office]) -> None:
    """Whoever did not answer at first may agree later, and the case is accepted."""
    lead, clerk, case, _, factory = _asked(opened("2026-03-02T09:00:00+08:00"))
    for answer in ("NO_ANSWER", "AGREED"):
        clerk.do(case, "record-consent", party_id=factory, answer=answer, means="phone")

    lead.do(case, "accept-case", **CHECKED)

    assert lead.case(case)["phase"] == "ACCEPTED"
