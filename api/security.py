"""Who is asking: bearer tokens and the account behind them; what he may do is read from the log."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import sqlalchemy as sa
from starlette.requests import Request

from api.errors import NotAuthenticated
from mediation.errors import NotFound
from mediation.store import from_micros, to_micros, writing
from mediation.store.asking import read_rows

PREFIX = "med_"
_TOKEN_BYTES = 32
_ID_DIGITS = 16
_BEARER = re.compile(r"bearer +(med_[A-Za-z0-9_-]{43})", re.IGNORECASE)

TOKENS = sa.MetaData()

ACCESS_TOKEN = sa.Table(
    "access_token",
    TOKENS,
    sa.Column("token_sha256", sa.LargeBinary, primary_key=True),
    sa.Column("token_id", sa.Text, nullable=False, unique=True),
    sa.Column("account_id", sa.Uuid, nullable=False, index=True),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=True),
    sa.Column("revoked", sa.Boolean, nullable=False),
)

_BY_DIGEST = """
    SELECT account_id, expires_at, revoked FROM access_token WHERE token_sha256 = :digest
"""


def migrate_tokens(engine: sa.Engine) -> None:
    """Create the table of tokens where it is missing."""
    with writing(engine) as connection:
        TOKENS.create_all(connection)


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A new token, told once: only its digest is kept. `token_id` names it when it is revoked."""

    token: str
    token_id: str
    account_id: UUID
    expires_at: datetime | None


class Tokens:
    """The tokens of one store, on the engine of its log; no token itself is kept.

    Args:
        engine: of the log, the table migrated.
        randbytes: a cryptographic source.
        clock: the present as aware UTC, for expiry.
    """

    def __init__(
        self, engine: sa.Engine, *, randbytes: Callable[[int], bytes], clock: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._randbytes = randbytes
        self._clock = clock

    def issue(self, account_id: UUID, *, label: str, expires_at: datetime | None = None) -> Issued:
        """Make a token for an account; without `expires_at` it holds until it is revoked."""
        if account_id.int == 0:
            raise NotFound(
                zh="系统本身没有令牌，请填写人员账号。",
                en="The system itself has no token; name a person's account.",
                code="account-unknown",
            )
        secret = base64.urlsafe_b64encode(self._randbytes(_TOKEN_BYTES)).rstrip(b"=").decode()
        token = PREFIX + secret
        digest = sha256(token.encode()).digest()
        token_id = digest.hex()[:_ID_DIGITS]
        with writing(self._engine) as connection:
            connection.execute(
                sa.insert(ACCESS_TOKEN).values(
                    token_sha256=digest,
                    token_id=token_id,
                    account_id=account_id,
                    label=label,
                    expires_at=None if expires_at is None else to_micros(expires_at),
                    revoked=False,
                )
            )
        return Issued(token=token, token_id=token_id, account_id=account_id, expires_at=expires_at)

    def revoke(self, token_id: str) -> None:
        """Revoke a token for good; doing it twice is harmless.

        Raises:
            NotFound: there is no such token.
        """
        with writing(self._engine) as connection:
            revoked = connection.execute(
                sa.update(ACCESS_TOKEN)
                .where(ACCESS_TOKEN.c.token_id == token_id)
                .values(revoked=True)
            ).rowcount
        if not revoked:
            raise NotFound(
                zh="没有这个令牌编号，请核对签发时显示的编号。",
                en="There is no token of this id; check the id that was shown when it was issued.",
                code="token-unknown",
            )

    def account_of(self, token: str) -> UUID | None:
        """Give the account of a live token; None for one unknown, revoked or expired."""
        # Found by its digest: nothing about the token itself can be learned from how long it takes.
        digest = sha256(token.encode()).digest()
        for account_id, expires_at, revoked in read_rows(
            self._engine, _BY_DIGEST, {"digest": digest}
        ):
            is_over = expires_at is not None and from_micros(expires_at) <= self._clock()
            if not revoked and not is_over:
                return account_id if isinstance(account_id, UUID) else UUID(account_id)
        return None


def authenticate(request: Request) -> UUID:
    """Give the account that asks.

    Raises:
        NotAuthenticated: no token, or none that holds.
    """
    found = _BEARER.fullmatch(request.headers.get("authorization", "").strip())
    tokens: Tokens = request.app.state.engine.tokens
    account_id = tokens.account_of(found[1]) if found else None
    if account_id is None:
        raise NotAuthenticated(
            zh="请在 Authorization 请求头中提供有效的令牌；令牌失效的，请向区级统筹员申请新令牌。",
            en="Send a valid token as `Authorization: Bearer …`; ask the coordinator for a new one "
            "if yours has expired.",
        )
    return account_id


F = TypeVar("F", bound=Callable[..., Any])


class Mark(msgspec.Struct, frozen=True):
    """What a route is for: its action, whether its use leaves an access record, what it answers."""

    action: str
    audited: bool
    answer: Any = None
    public: bool = False


def marked(
    action: str, *, audited: bool, answer: Any = None, public: bool = False
) -> Callable[[F], F]:
    """Mark an endpoint; a route without mark is a defect that a test finds.

    Args:
        action: `cases.read`, `network.command`.
        audited: asking for what is out of scope, or reading clear data, is recorded.
        answer: the type of the answer, for the description of the interface.
        public: answered without a token.
    """

    def mark(endpoint: F) -> F:
        endpoint.mark = Mark(action, audited, answer, public)  # type: ignore[attr-defined]
        return endpoint

    return mark
