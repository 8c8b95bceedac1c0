"""Other ladders climb to their top over HTTP, with no line of Python changed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from api.founding import found_district
from mediation.ladder import Ladder, load
from mediation.network import OpenServicePoint
from tests.acceptance.office import Office, wage_claim
from tests.serving import MONDAY, OPENED_ON, served

LADDERS = Path(__file__).parents[1] / "ladders"


@pytest.mark.parametrize("name", ["three-level", "five-level"])
def test_a_case_climbs_any_ladder_to_its_top_and_not_beyond(database: str, name: str) -> None:
    """Every rung takes the case over from the one below; above the top there is nothing."""
    rules = load(LADDERS / f"{name}.toml")
    with served(database, now=MONDAY, rules=rules) as district:
        office = Office(district)
        bodies = _staff_every_rung(office, rules)

        case = office.person("lead", bodies[0]).register(**wage_claim(100))
        for below, above in pairwise(bodies):
            lead = office.person("lead", below)
            lead.do(
                case,
                "record-session",
                mode="separate",
                attending_ids=[lead.case(case)["applicants"][0]["party_id"]],
                host_ids=[lead.account_id],
                minutes="未能达成一致。",
                result="no-agreement",
            )
            lead.do(
                case,
                "request-custody-move",
                kind="ESCALATE",
                to_body_id=above,
                ground="no-agreement",
                summary="请上级调解。",
            )
            answer = office.person("lead", above).do(case, "accept-custody")
            assert answer["custody_body_id"] == above

        top = office.person("lead", bodies[-1])
        shown = top.case(case)
        assert shown["level"] == rules.top.code
        assert shown["ladder_ref"] == rules.ref
        assert [former["body_id"] for former in shown["former"]] == bodies[:-1]
        beyond = top.attempt(
            case,
            "request-custody-move",
            kind="ESCALATE",
            to_body_id=bodies[0],
            ground="no-agreement",
            summary="再往上。",
        )
        assert beyond.status_code == 409
        assert [it["code"] for it in beyond.json()["refusals"]] == ["top-of-ladder"]


def _staff_every_rung(office: Office, rules: Ladder) -> list[str]:
    """Open one body with a lead on every rung, from the top down; give them from below."""
    bodies: list[str] = []
    for level in reversed(rules.levels):
        body_id = f"body-{len(bodies)}"
        opening: dict[str, Any] = {
            "body_id": body_id,
            "name_zh": f"示例{level.label.zh}",
            "name_en": f"Sample {level.label.en}",
            "level": level.code,
            "branch": level.branches[0].code if level.branches else None,
            "kind": level.bodies[0].code,
            "parent_id": bodies[-1] if bodies else None,
            "number_prefix": f"示{len(bodies)}",
        }
        if not bodies:
            founded = found_district(
                office.served.engine,
                OpenServicePoint(**opening, opened_on=OPENED_ON),
                coordinator="示例统筹员",
            )
            office.hires("coordinator", "top", str(founded.account_id))
        coordinator = office.person("coordinator", "top")
        if bodies:
            coordinator.network("open-service-point", **opening, opened_on=OPENED_ON.isoformat())
        account = coordinator.network("open-account", display_name="示例负责人")["stream_id"]
        for role in ("lead", "clerk"):
            coordinator.network("grant-role", account_id=account, role=role, body_id=body_id)
        office.hires("lead", body_id, account)
        bodies.append(body_id)
    return bodies[::-1]
