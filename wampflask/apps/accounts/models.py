"""Users and their roles, as Flask-Security wants them."""

from __future__ import annotations

from datetime import datetime

from flask_security import RoleMixin, UserMixin
from sqlalchemy import Column, ForeignKey, String, Table
from sqlalchemy.orm import Mapped, mapped_column, relationship

from wampflask.apps.db import Base, UTCDateTime, now

roles_users = Table(
    "roles_users",
    Base.metadata,
    Column("user_id", ForeignKey("user.id", ondelete="CASCADE"), primary_key=True),
    Column("role_id", ForeignKey("role.id", ondelete="CASCADE"), primary_key=True),
)


class Role(Base, RoleMixin):
    """What a user may do; an ``admin`` may do everything."""

    __tablename__ = "role"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    description: Mapped[str] = mapped_column(String(255), default="")

    def __str__(self) -> str:
        return self.name


class User(Base, UserMixin):
    """A person who can log in.

    ``fs_uniquifier`` stands in log-in cookies; a new one ends every log-in of this user.
    """

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(255), unique=True)
    password: Mapped[str | None] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(default=True)
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    roles: Mapped[list[Role]] = relationship(  # type: ignore[assignment]  # Flask-Security's is wider
        secondary=roles_users, lazy="selectin", order_by=Role.name
    )

    def __str__(self) -> str:
        return self.email

    @property
    def authid(self) -> str:
        """Who this user is in WAMP, and as a voter."""
        return f"user:{self.id}"
