"""Rooms, messages, people, and who is muted or banned."""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from wampflask.apps.db import Base, UTCDateTime, now

from .validation import LABEL_MAX, NAME_MAX, TEXT_MAX, TOKEN_MAX


def new_key() -> str:
    """Return a random last component for a room's topics."""
    return secrets.token_hex(16)


class Room(Base):
    """A room. Its row is the lock under which its numbers are given.

    ``last`` is the newest message's number, ``version`` counts changes of messages; ``key`` is in its topics.
    """

    __tablename__ = "chat_room"

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(String(LABEL_MAX), unique=True)
    key: Mapped[str] = mapped_column(String(64), default=new_key)
    last: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)

    def __str__(self) -> str:
        return self.label


class Person(Base):
    """A person who has been in a room, by the authid of their ticket; one name for all rooms.

    ``folded`` is the name as names are compared (``validation.fold``); ``full_at`` is when their rate limit will be
    unused again, seconds since the epoch.
    """

    __tablename__ = "chat_person"

    id: Mapped[int] = mapped_column(primary_key=True)
    authid: Mapped[str] = mapped_column(String(128), unique=True)
    name: Mapped[str] = mapped_column(String(NAME_MAX))
    folded: Mapped[str] = mapped_column(String(NAME_MAX * 8), unique=True)
    moderator: Mapped[bool] = mapped_column(default=False)
    full_at: Mapped[float] = mapped_column(default=0.0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)

    def __str__(self) -> str:
        return self.name

    @property
    def guest(self) -> bool:
        """Whether this is a person who is not logged in."""
        return self.authid.startswith("visitor:")


class Message(Base):
    """One message, under the name that its author had then. Its text goes when it is deleted, its place stays.

    ``token`` is chosen by the sender, so that a message sent twice is stored once.
    """

    __tablename__ = "chat_message"
    __table_args__ = (
        UniqueConstraint("room_id", "number"),
        UniqueConstraint("room_id", "version"),
        UniqueConstraint("person_id", "token"),
        CheckConstraint("number > 0", name="number_positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    room_id: Mapped[int] = mapped_column(ForeignKey("chat_room.id", ondelete="CASCADE"))
    number: Mapped[int]
    version: Mapped[int]
    person_id: Mapped[int] = mapped_column(ForeignKey("chat_person.id"), index=True)
    name: Mapped[str] = mapped_column(String(NAME_MAX))
    text: Mapped[str] = mapped_column(String(TEXT_MAX))
    token: Mapped[str | None] = mapped_column(String(TOKEN_MAX))
    said_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    edited: Mapped[bool] = mapped_column(default=False)
    deleted: Mapped[bool] = mapped_column(default=False)

    room: Mapped[Room] = relationship(viewonly=True)
    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


class Sanction(Base):
    """Who is muted (until then) or banned in a room."""

    __tablename__ = "chat_sanction"
    __table_args__ = (UniqueConstraint("room_id", "person_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    room_id: Mapped[int] = mapped_column(ForeignKey("chat_room.id", ondelete="CASCADE"))
    person_id: Mapped[int] = mapped_column(ForeignKey("chat_person.id", ondelete="CASCADE"))
    banned: Mapped[bool] = mapped_column(default=False)
    muted_until: Mapped[datetime | None] = mapped_column(UTCDateTime)

    room: Mapped[Room] = relationship()
    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)

    def __str__(self) -> str:
        return f"{self.person} in {self.room}"
