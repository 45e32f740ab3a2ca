"""Enrolment tokens, and the history of what hosts reported."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, BigInteger, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from wampflask.apps.db import Base, UTCDateTime, now
from wampflask.apps.monitor.models import NAME_MAX


class EnrolToken(Base):
    """What a new host enrols with. Only its hash is stored: the token is shown once, when it is created."""

    __tablename__ = "enrol_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(String(NAME_MAX), default="")
    reusable: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    revoked: Mapped[bool] = mapped_column(default=False)
    uses: Mapped[int] = mapped_column(default=0)

    def __str__(self) -> str:
        return f"{self.hint}… {self.note}".strip()


class Reading(Base):
    """One sample: ``data`` has its numbers by metric. Kept for an hour."""

    __tablename__ = "reading"
    __table_args__ = ({"sqlite_with_rowid": False},)

    host_id: Mapped[int] = mapped_column(ForeignKey("host.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """Milliseconds since the epoch."""
    data: Mapped[dict[str, float]] = mapped_column(JSON)


class Rollup(Base):
    """The samples of ``span`` seconds from ``start`` on: by metric, ``[count, sum, min, max]``."""

    __tablename__ = "rollup"
    __table_args__ = ({"sqlite_with_rowid": False},)

    host_id: Mapped[int] = mapped_column(ForeignKey("host.id", ondelete="CASCADE"), primary_key=True)
    span: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    data: Mapped[dict[str, list[float]]] = mapped_column(JSON)
