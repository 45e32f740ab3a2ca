"""Questions, choices and votes.

A vote is one row for a voter and question, and a pick one row for each choice it has. The counters on question and
choice are kept equal to those rows by atomic updates in the same transaction.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from wampflask.apps.db import Base, UTCDateTime, now, text_enum
from wampflask.apps.errors import NotFound
from wampflask.apps.text import required_line

TEXT_MAX = 300
LABEL_MAX = 120
CHOICES_MIN = 2
CHOICES_MAX = 20
CODE_LENGTH = 7

# Read aloud and typed on phones: no letters or digits that look alike. 30^7 is 2·10^10 codes.
_CODE_ALPHABET = "abcdefghjkmnpqrstuvwxyz2346789"


class Kind(StrEnum):
    """Whether a vote picks one choice or several."""

    SINGLE = "single"
    MULTIPLE = "multiple"


class State(StrEnum):
    """Whether a question is open for voting."""

    OPEN = "open"
    CLOSED = "closed"


class Visibility(StrEnum):
    """When counts are shown; those of a closed question are shown to everyone."""

    ALWAYS = "always"
    AFTER_VOTE = "after_vote"
    AFTER_CLOSE = "after_close"


def new_code() -> str:
    """Return a code for ``/p/<code>``."""
    return "".join(secrets.choice(_CODE_ALPHABET) for _ in range(CODE_LENGTH))


def new_results_key() -> str:
    """Return the random part of the topic for results that are not public."""
    return secrets.token_hex(16)


class Question(Base):
    """A question. ``version`` rises with every change that a page can show; ``voters`` counts the people who voted.

    ``round`` rises with each reset; ``results_key`` is in the topic of results that are not public.
    """

    __tablename__ = "question"
    __table_args__ = (CheckConstraint("voters >= 0", name="voters_not_negative"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(16), unique=True, default=new_code)
    text: Mapped[str] = mapped_column(String(TEXT_MAX))
    kind: Mapped[Kind] = mapped_column(text_enum(Kind), default=Kind.SINGLE)
    state: Mapped[State] = mapped_column(text_enum(State), default=State.OPEN)
    visibility: Mapped[Visibility] = mapped_column(text_enum(Visibility), default=Visibility.ALWAYS)
    may_change: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=0)
    voters: Mapped[int] = mapped_column(default=0)
    round: Mapped[int] = mapped_column(default=1)
    results_key: Mapped[str] = mapped_column(String(64), default=new_results_key)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)

    choices: Mapped[list[Choice]] = relationship(
        back_populates="question", order_by="(Choice.position, Choice.id)", cascade="all, delete-orphan"
    )

    def __str__(self) -> str:
        return self.text

    @validates("text")
    def _check_text(self, _key: str, value: str | None) -> str:
        return required_line(value, "The question", TEXT_MAX)


class Choice(Base):
    """A choice of a question. ``votes`` counts the votes that picked it."""

    __tablename__ = "choice"
    __table_args__ = (CheckConstraint("votes >= 0", name="votes_not_negative"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    question_id: Mapped[int] = mapped_column(ForeignKey("question.id", ondelete="CASCADE"), index=True)
    label: Mapped[str] = mapped_column(String(LABEL_MAX))
    position: Mapped[int] = mapped_column(default=0)
    votes: Mapped[int] = mapped_column(default=0)

    question: Mapped[Question] = relationship(back_populates="choices")

    def __str__(self) -> str:
        return self.label

    @validates("label")
    def _check_label(self, _key: str, value: str | None) -> str:
        return required_line(value, "A choice", LABEL_MAX)


class Vote(Base):
    """A vote. A constraint of the database keeps one for each voter and question.

    ``voter`` is ``user:<id>``, ``visitor:<random>`` from the signed cookie, or ``key:<name>`` of a program.
    """

    __tablename__ = "vote"
    __table_args__ = (UniqueConstraint("question_id", "voter"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    question_id: Mapped[int] = mapped_column(ForeignKey("question.id", ondelete="CASCADE"))
    voter: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)

    question: Mapped[Question] = relationship(viewonly=True)
    picks: Mapped[list[Pick]] = relationship(viewonly=True)

    def __str__(self) -> str:
        return f"{self.voter} on {self.question_id}"


class Pick(Base):
    """One choice that a vote picked. A choice with votes cannot be deleted."""

    __tablename__ = "pick"

    vote_id: Mapped[int] = mapped_column(ForeignKey("vote.id", ondelete="CASCADE"), primary_key=True)
    choice_id: Mapped[int] = mapped_column(ForeignKey("choice.id"), primary_key=True, index=True)

    choice: Mapped[Choice] = relationship(viewonly=True)

    def __str__(self) -> str:
        return str(self.choice)


def no_question(question_id: int) -> NotFound:
    """Return the error for an id that no question has."""
    return NotFound(f"There is no question {question_id}. It may have been deleted.")
