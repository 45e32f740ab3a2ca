"""Rules for every change of a question, by forms, the admin or a command.

They are checked when a session flushes. A change of a question or its choices raises its version.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from sqlalchemy import event, inspect, select
from sqlalchemy.orm import Session

from wampflask.apps.errors import Conflict, Invalid

from .models import CHOICES_MAX, CHOICES_MIN, Choice, Question, new_results_key

FIRST_VERSION = 1

_SETTINGS = ("text", "kind", "state", "visibility", "may_change", "code", "results_key")
_WORDING = ("label", "position", "question_id")


@event.listens_for(Session, "before_flush")
def _before_flush(session: Session, _context: Any, _instances: Any) -> None:
    questions = _changed_questions(session)
    with session.no_autoflush:
        _refuse_losing_votes(session)
        for question in questions:
            _check_choices(session, question)
            _check_kind(session, question)
            if question in session.new:
                question.version = FIRST_VERSION
                continue
            if _has_changed(question, ("visibility",)):
                question.results_key = new_results_key()
            question.version = cast(int, Question.version + 1)


def _changed_questions(session: Session) -> list[Question]:
    """Return the questions that pages would show differently, without deleted ones."""
    found: dict[int, Question] = {}
    for thing in (*session.new, *session.dirty, *session.deleted):
        question = _question_of(session, thing)
        if question is not None and question not in session.deleted:
            found[id(question)] = question
    return list(found.values())


def _question_of(session: Session, thing: object) -> Question | None:
    if isinstance(thing, Question):
        return thing if thing in session.new or _has_changed(thing, _SETTINGS) else None
    if isinstance(thing, Choice) and (
        thing in session.new or thing in session.deleted or _has_changed(thing, _WORDING)
    ):
        with session.no_autoflush:
            return _former_question(thing) if _is_orphan(thing) else thing.question
    return None


def _former_question(choice: Choice) -> Question | None:
    """Return the question that a choice was taken from."""
    former = inspect(choice).attrs.question.history.deleted
    return former[0] if former else None


def _is_orphan(choice: Choice) -> bool:
    return inspect(choice).attrs.question.value is None and _former_question(choice) is not None


def _has_changed(thing: object, names: Iterable[str]) -> bool:
    attributes = inspect(thing).attrs
    return any(attributes[name].history.has_changes() for name in names)


def _refuse_losing_votes(session: Session) -> None:
    for thing in session.deleted:
        if isinstance(thing, Question):
            voters = session.scalar(select(Question.voters).where(Question.id == thing.id)) or 0
            if voters:
                raise Conflict(
                    f"“{thing.text}” has {_votes(voters)}. Reset the question first, so that none is lost by mistake."
                )
    for thing in _going_choices(session):
        votes = session.scalar(select(Choice.votes).where(Choice.id == thing.id)) or 0
        if votes:
            raise Conflict(
                f"The choice “{thing.label}” has {_votes(votes)} and cannot be deleted. Reset the question first."
            )


def _going_choices(session: Session) -> list[Choice]:
    """Return the choices that this flush deletes, directly or because they were taken from their question."""
    deleted = {thing for thing in session.deleted if isinstance(thing, Choice)}
    orphans = {thing for thing in session.dirty if isinstance(thing, Choice) and _is_orphan(thing)}
    return sorted(deleted | orphans, key=lambda choice: choice.id)


def _check_choices(session: Session, question: Question) -> None:
    left = [choice for choice in question.choices if choice not in session.deleted and not inspect(choice).deleted]
    if not CHOICES_MIN <= len(left) <= CHOICES_MAX:
        raise Invalid(f"A question needs {CHOICES_MIN} to {CHOICES_MAX} choices, not {len(left)}.")
    labels = [choice.label.casefold() for choice in left]
    if len(set(labels)) < len(labels):
        raise Invalid("Two choices have the same text.")


def _check_kind(session: Session, question: Question) -> None:
    if question not in session.new and question.voters and _has_changed(question, ("kind",)):
        raise Conflict("How many answers people choose cannot change while there are votes. Reset the question first.")


def _votes(number: int) -> str:
    return "1 vote" if number == 1 else f"{number} votes"
