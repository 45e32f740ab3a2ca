"""The rules that hold whoever changes a question, and what must be announced when the transaction commits.

Watched on the models in every session, so that our forms, the admin and commands need not remember: a change of a
question or its choices raises its version and is kept for :func:`take_changed`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import event, inspect, select, update
from sqlalchemy.orm import Session, SessionTransaction

from .models import CHOICES_MAX, CHOICES_MIN, Choice, Conflict, Invalid, Question, new_results_key

FIRST_VERSION = 1

_KEY = "polls.changed"
_SETTINGS = ("text", "kind", "state", "visibility", "may_change", "code", "results_key")
_WORDING = ("label", "position", "question_id")


@dataclass(slots=True)
class Changed:
    """What is known of a changed question, should it be gone at the commit.

    :param version: before the change, at least. :param keys: every results key it had in this transaction.
    """

    version: int = 0
    keys: set[str] = field(default_factory=set)


def touch(session: Session, question_id: int, **values: Any) -> None:
    """Set ``values`` and raise the version, atomically in the database, and remember to announce it.

    A loaded :class:`Question` does not learn of it: expire it.
    """
    note_changed(session, question_id)
    statement = update(Question).where(Question.id == question_id).values(version=Question.version + 1, **values)
    session.execute(statement, execution_options={"synchronize_session": False})


def renew_results_key(session: Session, question: Question) -> None:
    """Make everybody who could hear hidden counts ask again whether they may."""
    _remember(session, question)
    question.results_key = new_results_key()


def take_changed(session: Session) -> dict[int, Changed]:
    """The questions changed in this transaction, by id; each is told once."""
    session.flush()
    found: dict[int, Changed] = session.info.pop(_KEY, {})
    return found


def _remember(session: Session, question: Question) -> None:
    changed = note_changed(session, question.id)
    changed.version = max(changed.version, question.version)
    changed.keys.add(question.results_key)


def note_changed(session: Session, question_id: int) -> Changed:
    """Have a question announced when the transaction commits."""
    found: Changed = session.info.setdefault(_KEY, {}).setdefault(question_id, Changed())
    return found


@event.listens_for(Session, "before_flush")
def _before_flush(session: Session, _context: Any, _instances: Any) -> None:
    questions = _changed_questions(session)
    with session.no_autoflush:
        _refuse_losing_votes(session)
        for question in questions:
            _check_choices(session, question)
            _check_kind(session, question)
            if question not in session.new and _has_changed(question, ("visibility",)):
                renew_results_key(session, question)
        for question in questions:
            if question in session.new:
                question.version = FIRST_VERSION
            else:
                _remember(session, question)
                question.version = cast(int, Question.version + 1)


@event.listens_for(Session, "after_flush")
def _after_flush(session: Session, _context: Any) -> None:
    for question in session.new:
        if isinstance(question, Question):
            _remember(session, question)
    for question in session.deleted:
        if isinstance(question, Question):
            _remember(session, question)


@event.listens_for(Session, "after_soft_rollback")
def _after_rollback(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_KEY, None)


def _changed_questions(session: Session) -> list[Question]:
    """Those that a page would show differently, without those that are being deleted."""
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
    """Of a choice that was taken out of its question's list."""
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
                    f"“{thing.text}” has {_votes(voters)}. Reset it first, so that nothing is lost unnoticed."
                )
    for thing in _going_choices(session):
        votes = session.scalar(select(Choice.votes).where(Choice.id == thing.id)) or 0
        if votes:
            raise Conflict(
                f"The choice “{thing.label}” has {_votes(votes)} and cannot be deleted. Reset the question first."
            )


def _going_choices(session: Session) -> list[Choice]:
    """Choices that this flush deletes: said so, or taken out of their question's list."""
    said = {thing for thing in session.deleted if isinstance(thing, Choice)}
    orphans = {thing for thing in session.dirty if isinstance(thing, Choice) and _is_orphan(thing)}
    return sorted(said | orphans, key=lambda choice: choice.id)


def _check_choices(session: Session, question: Question) -> None:
    left = [choice for choice in question.choices if choice not in session.deleted and not inspect(choice).deleted]
    if not CHOICES_MIN <= len(left) <= CHOICES_MAX:
        raise Invalid(f"A question needs {CHOICES_MIN} to {CHOICES_MAX} choices, not {len(left)}.")
    labels = [choice.label.casefold() for choice in left]
    if len(set(labels)) < len(labels):
        raise Invalid("Two choices have the same text.")


def _check_kind(session: Session, question: Question) -> None:
    if question not in session.new and question.voters and _has_changed(question, ("kind",)):
        raise Conflict("Single or multiple choice cannot be changed while there are votes. Reset the question first.")


def _votes(number: int) -> str:
    return "1 vote" if number == 1 else f"{number} votes"
