"""Polls: questions are created, changed and shown; voting.py counts votes. Knows neither Flask nor WAMP.

Every function works in the given session's transaction, and none commits. After an error, roll it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm import Session, joinedload

from wampflask.apps.actor import Actor
from wampflask.apps.errors import Conflict, NotFound

from . import shares
from .contract import ChoiceCount, Snapshot, live_topic, update_topic
from .models import (
    Choice,
    Kind,
    Pick,
    Question,
    State,
    Visibility,
    Vote,
    new_results_key,
    no_question,
)

# Made once: in a storm of votes these are asked for each.
_WITH_CHOICES = select(Question).where(Question.id == bindparam("id")).options(joinedload(Question.choices))
_PICKS = (
    select(Pick.choice_id)
    .join(Vote, Pick.vote_id == Vote.id)
    .where(Vote.voter == bindparam("voter"), Vote.question_id == bindparam("question"))
    .order_by(Pick.choice_id)
)
_ID_END = 2**31


@dataclass(frozen=True, slots=True)
class ChoiceDraft:
    """A choice as a form has it. ``id`` is None for a new one."""

    label: str
    id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionDraft:
    """A question as a form has it; choices in their order."""

    text: str
    choices: Sequence[ChoiceDraft]
    kind: Kind = Kind.SINGLE
    visibility: Visibility = Visibility.ALWAYS
    may_change: bool = True


# -- finding


def find_question(session: Session, question_id: int) -> Question | None:
    """Return the question with its choices; None when there is none with this id."""
    if not 0 < question_id < _ID_END:
        return None
    return session.scalars(_WITH_CHOICES, {"id": question_id}).unique().one_or_none()


def get_question(session: Session, question_id: int) -> Question:
    """Return the question with its choices.

    :raises NotFound: there is none with this id.
    """
    question = find_question(session, question_id)
    if question is None:
        raise no_question(question_id)
    return question


def find_code(session: Session, code: str) -> Question:
    """Return the question with this code, in upper or lower case and with or without spaces.

    :raises NotFound: there is none.
    """
    wanted = "".join(code.split()).lower()
    question = session.scalar(select(Question).where(Question.code == wanted))
    if question is None:
        raise NotFound("No poll has this code. Check it and try again.")
    return question


def count_questions(session: Session) -> int:
    """Return how many questions there are."""
    return session.scalar(select(func.count(Question.id))) or 0


def list_questions(session: Session, *, limit: int, offset: int = 0, only_open: bool = False) -> Sequence[Question]:
    """Return questions, newest first."""
    query = select(Question).order_by(Question.id.desc())
    if only_open:
        query = query.where(Question.state == State.OPEN)
    return session.scalars(query.limit(limit).offset(offset)).all()


# -- seeing


def snapshot(session: Session, question: Question, actor: Actor, *, as_voter: bool = True) -> Snapshot:
    """Return the question as ``actor`` may see it now.

    :param as_voter: whether their own vote counts: it is in the snapshot, and may open the results to them.
    """
    mine = {"voter": actor.authid, "question": question.id}
    picks = session.scalars(_PICKS, mine).all() if as_voter else []
    early = not is_public(question) and may_see_results(question, actor, has_voted=bool(picks))
    found = full_snapshot(question) if early else public_snapshot(question)
    found["voted"] = list(picks)
    return found


def is_public(question: Question) -> bool:
    """Return whether everyone may see the counts."""
    return question.visibility is Visibility.ALWAYS or question.state is State.CLOSED


def may_see_results(question: Question, actor: Actor, *, has_voted: bool) -> bool:
    """Return whether ``actor`` may see the counts."""
    return is_public(question) or actor.is_admin or (question.visibility is Visibility.AFTER_VOTE and has_voted)


def public_snapshot(question: Question) -> Snapshot:
    """Return the question as everyone may see it."""
    return _snapshot(question, counts=is_public(question), live=update_topic(question.id))


def full_snapshot(question: Question) -> Snapshot:
    """Return the question with its counts."""
    return _snapshot(question, counts=True, live=live_topic(question.id, question.results_key))


def _snapshot(question: Question, *, counts: bool, live: str) -> Snapshot:
    return Snapshot(
        question_id=question.id,
        version=question.version,
        open=question.state is State.OPEN,
        total_votes=sum(choice.votes for choice in question.choices),
        choices=_counts(question) if counts else [_hidden(choice) for choice in question.choices],
        voters=question.voters,
        text=question.text,
        code=question.code,
        kind=question.kind.value,
        visibility=question.visibility.value,
        may_change=question.may_change,
        round=question.round,
        hidden=not counts,
        live=live,
    )


def _counts(question: Question) -> list[ChoiceCount]:
    votes = [choice.votes for choice in question.choices]
    single = question.kind is Kind.SINGLE
    percents = shares.of_all_votes(votes) if single else shares.of_voters(votes, question.voters)
    return [
        ChoiceCount(id=choice.id, label=choice.label, votes=choice.votes, percent=percent)
        for choice, percent in zip(question.choices, percents, strict=True)
    ]


def _hidden(choice: Choice) -> ChoiceCount:
    return ChoiceCount(id=choice.id, label=choice.label, votes=None, percent=None)


# -- making and changing


def _locked(session: Session, question_id: int) -> Question:
    question = session.get(Question, question_id, with_for_update=True, populate_existing=True)
    if question is None:
        raise no_question(question_id)
    return question


def create_question(session: Session, draft: QuestionDraft) -> Question:
    """Create a question that is open for voting.

    :raises Invalid: a text that is not allowed, or too few or too many choices.
    """
    question = Question(text=draft.text, kind=draft.kind, visibility=draft.visibility, may_change=draft.may_change)
    question.choices = [Choice(label=choice.label, position=place) for place, choice in enumerate(draft.choices)]
    session.add(question)
    session.flush()
    return question


def edit_question(session: Session, question_id: int, draft: QuestionDraft) -> Question:
    """Change wording, settings and choices; votes stay with their choices.

    :raises NotFound: no such question.
    :raises Invalid: a value that is not allowed.
    :raises Conflict: a choice with votes would be deleted, or the kind of a question with votes would change.
    """
    question = _locked(session, question_id)
    question.text = draft.text
    question.kind = draft.kind
    question.visibility = draft.visibility
    question.may_change = draft.may_change
    have = {choice.id: choice for choice in question.choices}
    keep = {choice.id for choice in draft.choices if choice.id is not None}
    if keep - set(have):
        raise Conflict("Someone else deleted a choice while you were editing. Reload the page.")
    for choice_id in set(have) - keep:
        question.choices.remove(have[choice_id])
    for place, wanted in enumerate(draft.choices):
        choice = have[wanted.id] if wanted.id is not None else Choice()
        choice.label = wanted.label
        choice.position = place
        if wanted.id is None:
            question.choices.append(choice)
    session.flush()
    return question


def set_state(session: Session, question_id: int, state: State) -> Question:
    """Open or close a question, also one that is open or closed already.

    :raises NotFound: no such question.
    """
    question = _locked(session, question_id)
    question.state = state
    session.flush()
    return question


def reset(session: Session, question_id: int) -> Question:
    """Delete all votes of a question; everyone can vote again.

    :raises NotFound: no such question.
    """
    question = _locked(session, question_id)
    votes = select(Vote.id).where(Vote.question_id == question.id)
    quietly = {"synchronize_session": False}
    session.execute(delete(Pick).where(Pick.vote_id.in_(votes)), execution_options=quietly)
    session.execute(delete(Vote).where(Vote.question_id == question.id), execution_options=quietly)
    zero = update(Choice).where(Choice.question_id == question.id).values(votes=0)
    session.execute(zero, execution_options=quietly)
    question.results_key = new_results_key()
    question.voters = 0
    question.round += 1
    session.flush()
    session.expire(question)
    return question


def delete_question(session: Session, question_id: int, *, with_votes: bool = False) -> None:
    """Delete a question.

    :param with_votes: also when it has votes.
    :raises NotFound: no such question.
    :raises Conflict: it has votes, and ``with_votes`` is false.
    """
    question = _locked(session, question_id)
    if question.voters and with_votes:
        reset(session, question_id)
    session.delete(question)
    session.flush()
