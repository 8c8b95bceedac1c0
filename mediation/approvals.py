"""Approvals of late entries: a key that one person draws for exactly one command of another.

An approval names the command by its id and the keyed digest of its body, so it is of use once, for
that very command, whoever presents it. It is signed, not stored; the event names who approved.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import msgspec

from mediation.errors import NotAllowedNow, Refusal
from mediation.network.accounts import Grant, Role


class Approval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who approved that this command is typed in late; for which key he counts is told by grants.

    `body_mac` is the keyed digest of the command's body, in hex, as receipts keep it.
    """

    approver_id: UUID
    command_id: UUID
    body_mac: str


class Approvals:
    """Signs approvals and reads them back.

    Args:
        secret: of this store; whoever knows it can approve anything.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, approval: Approval) -> str:
        """Give the approval as text that travels with the command."""
        data = _ENCODER.encode(approval)
        return f"{_text(data)}.{_text(self._mac(data))}"

    def read(self, tokens: Iterable[str], command_id: UUID, body_mac: bytes) -> list[Approval]:
        """Read the approvals that came with a command.

        Raises:
            NotAllowedNow: one is not of this store, or was drawn for another command.
        """
        return [self._read(token, command_id, body_mac) for token in tokens]

    def _read(self, token: str, command_id: UUID, body_mac: bytes) -> Approval:
        written, _, signature = token.partition(".")
        try:
            data = _bytes(written)
            if not hmac.compare_digest(self._mac(data), _bytes(signature)):
                raise NotAllowedNow(_NOT_GENUINE)
            approval = _DECODER.decode(data)
        except (ValueError, binascii.Error):
            raise NotAllowedNow(_NOT_GENUINE) from None
        if (approval.command_id, approval.body_mac) != (command_id, body_mac.hex()):
            raise NotAllowedNow(_FOR_ANOTHER)
        return approval

    def _mac(self, data: bytes) -> bytes:
        return hmac.digest(self._secret, b"mediation/approval/1" + data, hashlib.sha256)


def assigned(needed: Sequence[str], held: Mapping[UUID, frozenset[str]]) -> dict[str, UUID]:
    """Give each needed role to somebody who holds it, as many as can be filled, each person one.

    Those who hold fewer of them go first, so that nobody takes the only key of another: exact for
    one role and for two.

    Args:
        needed: roles, as the ladder names them.
        held: by person, which of the needed roles he holds.
    """
    found: dict[str, UUID] = {}
    for person, roles in sorted(held.items(), key=lambda it: len(it[1])):
        free = [role for role in needed if role in roles and role not in found]
        if free:
            found[free[0]] = person
    return found


def keys_held(
    grants: Iterable[Grant], needed: Iterable[str], *, body_id: str, path: str
) -> frozenset[str]:
    """Name those of the needed roles that somebody holds towards a body: its lead, or above it."""
    held = {
        grant.role.value
        for grant in grants
        if (grant.body_id == body_id if grant.role is Role.LEAD else path.startswith(grant.path))
    }
    return frozenset(held) & frozenset(needed)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Approval)
_NOT_GENUINE = Refusal(
    "approval-not-genuine",
    "所附批准凭证无效，请由批准人重新签发。",
    "An approval that came along is not genuine; have it drawn again.",
)
_FOR_ANOTHER = Refusal(
    "approval-for-another-command",
    "所附批准凭证是为另一项操作签发的；内容或者幂等键一经改动，须重新批准。",
    "An approval that came along was drawn for another command; once body or key change, it has "
    "to be drawn anew.",
)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
