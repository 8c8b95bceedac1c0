"""Signed keyset cursors: where a list goes on, bound to what was asked and by whom."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from api.errors import BadRequest

K = TypeVar("K", bound=tuple[Any, ...])

_MAC_BYTES = 16
_LONGEST = 1024


class Cursors:
    """Issues and reads cursors under one secret (32 bytes)."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def issue(self, keys: tuple[Any, ...], asked: Mapping[str, Any]) -> str:
        """Give a cursor behind the row with these sort keys, good only for what was asked.

        Args:
            keys: strings, integers, days and ids.
            asked: route, actor and filters; not the limit.
        """
        payload = msgspec.json.encode(keys)
        return base64.urlsafe_b64encode(self._mac(payload, asked) + payload).decode().rstrip("=")

    def read(self, cursor: str, asked: Mapping[str, Any], form: type[K]) -> K:
        """Give the sort keys of a cursor, in the form they were issued in.

        Raises:
            BadRequest: it was altered, or issued for another question, actor or store.
        """
        raw = _decoded(cursor)
        mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(payload, asked)):
            raise BadRequest(
                zh="翻页标记无效，请去掉 cursor 从第一页重新查询，并保持筛选条件不变。",
                en="The cursor is not valid for this question; ask again from the first page.",
                code="cursor-invalid",
            )
        # What bears our signature is what we wrote.
        keys: K = msgspec.json.decode(payload, type=form)
        return keys

    def _mac(self, payload: bytes, asked: Mapping[str, Any]) -> bytes:
        bound = msgspec.json.encode({key: str(value) for key, value in sorted(asked.items())})
        message = len(bound).to_bytes(4, "big") + bound + payload
        return hmac.digest(self._secret, message, "sha256")[:_MAC_BYTES]


def _decoded(cursor: str) -> bytes:
    """Give the bytes of a cursor; none at all for a text that cannot be one."""
    if len(cursor) > _LONGEST:
        return b""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except ValueError:
        return b""
