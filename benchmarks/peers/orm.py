"""The case system as it is usually written by hand: a SQLAlchemy ORM row, and an audit row beside.

Each command loads the row, looks at its phase, changes it, adds an audit row and commits.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.peers.naive import LEADS_TO


class Base(DeclarativeBase):
    """Where the tables are declared."""


class CaseRow(Base):
    """A case as it stands."""

    __tablename__ = "orm_case"

    case_id: Mapped[UUID] = mapped_column(primary_key=True)
    phase: Mapped[str] = mapped_column(index=True)
    claimed_fen: Mapped[int] = mapped_column(sa.BigInteger)
    changed_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))


class AuditRow(Base):
    """What somebody did."""

    __tablename__ = "orm_audit"

    audit_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=True)
    case_id: Mapped[UUID] = mapped_column(index=True)
    command: Mapped[str]
    actor_id: Mapped[str]
    at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    body: Mapped[dict[str, Any]] = mapped_column(sa.JSON)


class Cases:
    """All cases, in the tables of an engine."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        Base.metadata.create_all(engine)

    def register(self, actor_id: str, body: dict[str, Any]) -> UUID:
        """Register a case and give its id."""
        now = datetime.now(UTC)
        case = CaseRow(
            case_id=uuid4(),
            phase="REGISTERED",
            claimed_fen=sum(line["claimed_fen"] for line in body["lines"]),
            changed_at=now,
        )
        with Session(self._engine) as session:
            session.add(case)
            session.add(_audit(case.case_id, "register-case", actor_id, now, body))
            found = case.case_id
            session.commit()
        return found

    def record(self, case_id: UUID, command: str, actor_id: str, body: dict[str, Any]) -> None:
        """Carry out one command on a case that is not closed."""
        now = datetime.now(UTC)
        with Session(self._engine) as session:
            case = session.get_one(CaseRow, case_id)
            if case.phase == "CLOSED":
                raise ValueError(command)
            case.phase = LEADS_TO.get(command, case.phase)
            case.changed_at = now
            session.add(_audit(case_id, command, actor_id, now, body))
            session.commit()


def _audit(
    case_id: UUID, command: str, actor_id: str, at: datetime, body: dict[str, Any]
) -> AuditRow:
    return AuditRow(case_id=case_id, command=command, actor_id=actor_id, at=at, body=body)
