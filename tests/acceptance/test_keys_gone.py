"""With every key destroyed a case still folds, flows and counts (ADR 0004)."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from mediation.store.vault import VAULT_KEY, Vault
from tests.acceptance.office import Office, wage_claim
from tests.serving import EAST

NOW = "2026-03-02T09:00:00+08:00"


def test_a_case_goes_on_to_its_end_with_every_key_destroyed(
    opened: Callable[[str], Office],
) -> None:
    """Nothing the office decides, counts or lists needs to know who the people are."""
    office = opened(NOW)
    lead, clerk = office.person("lead", EAST), office.person("clerk", EAST)
    case = clerk.register(**wage_claim(300_000, 200_000))
    shown = clerk.case(case)

    _destroy_every_key(office)

    everyone = [party["party_id"] for party in (*shown["applicants"], *shown["respondents"])]
    for party_id in everyone:
        clerk.do(case, "record-consent", party_id=party_id, answer="AGREED", means="phone")
    assert [item["claimed_fen"] for item in lead.lane("to-accept")] == [500_000]
    lead.do(case, "accept-case", within_scope=True, within_district=True)
    lead.do(case, "fail-mediation", cause_code="no-agreement")
    for party_id in everyone:
        clerk.do(case, "serve-remedies-notice", party_id=party_id, means="written")
    lead.do(case, "close-case")
    assert lead.case(case)["phase"] == "CLOSED"
    assert len(lead.history(case)) == len(lead.topics(case)) == office.versions[case]
    alarm = lead.client.get(f"/cases/{case}?personal=clear")
    assert alarm.status_code == 500, "gone without a recorded erasure: an alarm, never a blank"


def _destroy_every_key(office: Office) -> None:
    vault: Vault = office.served.engine.mediation._sealer._vault
    with vault._engine.connect() as connection:
        kids = list(connection.execute(sa.select(VAULT_KEY.c.kid)).scalars())
    assert vault.destroy(kids) == len(kids)
