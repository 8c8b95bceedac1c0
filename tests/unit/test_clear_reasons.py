"""The reasons for reading in clear are a closed table, each with its words."""

from __future__ import annotations

from mediation.authority import CLEAR_REASONS
from mediation.codes import coded, table
from mediation.store.access import _REASON


def test_every_reason_has_its_words_and_the_form_that_the_record_takes():
    """What is checked is what is offered (`GET /codes`); none of it is a code of an event."""
    assert tuple(table("clear_reasons")) == CLEAR_REASONS
    assert all(_REASON.fullmatch(it) for it in CLEAR_REASONS)
    assert "clear_reasons" not in coded()
