"""Approvals as they are sent along: one text, parted by commas."""

from __future__ import annotations

from api.errors import BadRequest

_MOST = 4


def approvals_in_text(text: str) -> tuple[str, ...]:
    """Part the approvals of one late entry.

    Raises:
        BadRequest: there are more than any entry can need.
    """
    found = tuple(token.strip() for token in text.split(",") if token.strip())
    if len(found) > _MOST:
        raise BadRequest(
            zh=f"一次补录最多附{_MOST}份批准，请只保留本次补录所需的批准后重新提交。",
            en=f"At most {_MOST} approvals go with one late entry; leave out those that it does "
            "not need and submit it again.",
            code="approvals-too-many",
        )
    return found
