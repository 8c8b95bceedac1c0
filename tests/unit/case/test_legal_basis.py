"""On which articles each fact of a case rests, at any body and inside an employer."""

from collections.abc import Callable

import pytest

from mediation.case.conclusion import ServeRemediesNotice
from mediation.case.consent import RefuseCase, WithdrawConsent
from mediation.case.demand import FeedBackDemand
from mediation.case.values import Answer, Matter
from tests.scenario import Scenario


def refused_by_a_party(case: Scenario) -> None:
    """The respondent refuses clearly, so the case is not accepted."""
    case.agreed().given(case.consent(case.respondent, Answer.REFUSED))
    case.given(RefuseCase(reason_code="party-refused"))


def withdrawn_from(case: Scenario) -> None:
    """A party that had agreed does not wish to go on, before acceptance and after."""
    case.agreed().given(WithdrawConsent(party_id=case.respondent.party_id, means="written"))
    case.agreed().accepted()
    case.given(WithdrawConsent(party_id=case.respondent.party_id, means="written"))


def failed(case: Scenario) -> None:
    """The mediation comes to nothing, and the parties are told."""
    case.agreed().accepted().mediating().failed()
    case.given(ServeRemediesNotice(party_id=case.applicant.party_id, means="written"))


def agreed_on_paper(case: Scenario) -> None:
    """An agreement is drafted, checked, signed and sealed."""
    case.agreed().accepted().mediating().in_force()


def settled_between_themselves(case: Scenario) -> None:
    """The employer promises, and the parties settle."""
    case.agreed().accepted().mediating().given(case.promise(), case.settlement())


ANYWHERE: dict[Callable[[Scenario], None], dict[str, str]] = {
    refused_by_a_party: {
        "ConsentRecorded": "L-ZJ 10",
        "CaseNotAccepted": "L-ZJ 10; cf. L-PROV 22",
    },
    withdrawn_from: {
        "ConsentWithdrawn": "L-ZJ 10; cf. L-PROV 31",
        "CaseAccepted": "L-ZJ 10; cf. L-PROV 22",
    },
    failed: {
        "CaseAccepted": "L-ZJ 10; cf. L-PROV 22",
        "RightsNoticeServed": "L-PML 23; L-PML 24",
        "MediationFailed": "L-LDMA 14; cf. L-PROV 30; cf. L-PROV 31",
        "RemediesNoticeServed": "cf. L-PROV 30",
    },
    agreed_on_paper: {
        "CaseAccepted": "L-ZJ 10; cf. L-PROV 22",
        "RightsNoticeServed": "L-PML 23; L-PML 24",
        "AgreementDrafted": "L-LDMA 14; cf. L-PROV 26",
        "AgreementLegalityChecked": "L-ARB 78; L-INT2 19",
        "AgreementSealed": "L-LDMA 14",
        "AgreementTookEffect": "L-LDMA 14; cf. L-PROV 26",
    },
    settled_between_themselves: {
        "CaseAccepted": "L-ZJ 10; cf. L-PROV 22",
        "RightsNoticeServed": "L-PML 23; L-PML 24",
        "UndertakingGiven": "L-LDMA 27",
        "SettlementRecorded": "L-PROV 11",
    },
}
INSIDE_AN_EMPLOYER = {
    "ConsentRecorded": "L-ZJ 10",
    "ConsentWithdrawn": "L-PROV 31",
    "CaseAccepted": "L-PROV 22",
    "CaseNotAccepted": "L-PROV 22",
    "MediationFailed": "L-PROV 30; L-PROV 31",
    "RemediesNoticeServed": "L-PROV 30",
    "AgreementDrafted": "L-LDMA 14; L-PROV 26",
    "AgreementTookEffect": "L-LDMA 14; L-PROV 26",
}


def bases(case: Scenario) -> dict[str, str]:
    """Give the articles of every fact of a case that rests on any."""
    return {type(it).__name__: it.legal_basis for it in case.events if it.legal_basis}


@pytest.mark.parametrize("story", ANYWHERE)
def test_a_fact_names_the_articles_it_rests_on(story):
    """Consent is L-ZJ 10; L-PROV binds committees of enterprises, others follow it (cf.)."""
    case = Scenario().registered()
    story(case)

    assert bases(case) == ANYWHERE[story]


@pytest.mark.parametrize("story", ANYWHERE)
def test_inside_an_employer_the_provisions_themselves_apply(story):
    """A committee of an enterprise acts by L-PROV, not by analogy to it."""
    case = Scenario().registered(body_id="factory")
    story(case)

    told = ANYWHERE[story]
    assert bases(case) == {name: INSIDE_AN_EMPLOYER.get(name, told[name]) for name in told}


def test_a_consent_or_a_silence_rests_on_no_article():
    """Only a clear refusal has consequences in law (L-ZJ 10)."""
    case = Scenario().registered().agreed()
    case.given(case.consent(case.respondent, Answer.NO_ANSWER))

    assert bases(case) == {}


def test_a_demand_is_relayed_and_fed_back_by_the_same_article():
    """L-PROV 4: it is put to the employer, and the workers are told."""
    case = Scenario().registered(matter_kind=Matter.DEMAND).relayed().answered()
    case.given(FeedBackDemand(means="in-person"))

    assert bases(case) == {"DemandRelayed": "L-PROV 4", "DemandFedBack": "L-PROV 4"}
