"""Voting: one vote for each voter, and exact counts. Votes come in storms, so the statements are built once.

Works in the given session's transaction, which it does not commit. After an error, roll it back. Plain statements are
not noticed by the live things: the caller announces the vote with ``live.voted``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from sqlalchemy import Row, Table, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from wampflask.apps.errors import Conflict, Invalid

from .models import Choice, Kind, Pick, Question, State, Vote, no_question

FOREIGN = "This choice does not belong to the question. Reload the page and choose again."

_questions = cast("Table", Question.__table__)
_choices = cast("Table", Choice.__table__)
_votes = cast("Table", Vote.__table__)
_picks = cast("Table", Pick.__table__)

_BALLOT = (
    select(_questions.c.kind, _questions.c.state, _questions.c.may_change, _questions.c.results_key, _choices.c.id)
    .join(_choices)
    .where(_questions.c.id == bindparam("question"))
    .with_for_update(of=_questions)
)
_DIALECTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}  # they know "or do nothing"
_CAST = {
    name: insert_here(_votes)
    .on_conflict_do_nothing(index_elements=[_votes.c.question_id, _votes.c.voter])
    .returning(_votes.c.id)
    for name, insert_here in _DIALECTS.items()
}
_PICK = insert(_picks)
_COUNT = (
    update(_choices)
    .where(_choices.c.id.in_(bindparam("picked", expanding=True)))
    .values(votes=_choices.c.votes + bindparam("step"))
)
_CHANGED = update(_questions).where(_questions.c.id == bindparam("question")).values(version=_questions.c.version + 1)
_COUNT_VOTER = _CHANGED.values(voters=_questions.c.voters + 1)


def vote(session: Session, question_id: int, voter: str, choice_ids: Iterable[int]) -> str | None:
    """Count a vote, or change the vote that ``voter`` has cast.

    Votes on one question queue at its row, so two at once by the same voter are handled one after the other; a
    constraint of the database keeps one vote a voter. A question that was loaded before must be expired.

    :returns: the question's results key; None when the vote is the same as before.
    :raises NotFound: no such question.
    :raises Conflict: voting has closed, or the vote may not be changed.
    :raises Invalid: no choice, too many, or a choice of another question.
    """
    ballot = session.execute(_BALLOT, {"question": question_id}).all()
    if not ballot:
        raise no_question(question_id)
    picked = _checked_picks(ballot, choice_ids)
    if ballot[0].state is not State.OPEN:
        raise Conflict("Voting has closed.")
    vote_id = _cast_vote(session, question_id, voter)
    if vote_id is not None:
        _add_picks(session, vote_id, picked)
        session.execute(_COUNT_VOTER, {"question": question_id})
    elif not ballot[0].may_change:
        raise Conflict("You have already voted. This poll doesn't allow changes.")
    elif not _change_vote(session, question_id, voter, picked):
        return None
    return str(ballot[0].results_key)


def _checked_picks(ballot: Sequence[Row[Any, Any, Any, Any, Any]], choice_ids: Iterable[int]) -> set[int]:
    picked = set(choice_ids)
    if not picked:
        raise Invalid("Choose an answer first.")
    if ballot[0].kind is Kind.SINGLE and len(picked) > 1:
        raise Invalid("Choose one answer only.")
    if picked - {row.id for row in ballot}:
        raise Invalid(FOREIGN)
    return picked


def _cast_vote(session: Session, question_id: int, voter: str) -> int | None:
    """Return the new vote's id; None when this voter has voted."""
    statement = _CAST[session.get_bind().dialect.name]
    return session.scalars(statement, {"question_id": question_id, "voter": voter}).one_or_none()


def _change_vote(session: Session, question_id: int, voter: str, picked: set[int]) -> bool:
    """Return whether the vote was another one before."""
    vote_id = session.scalars(select(Vote.id).where(Vote.question_id == question_id, Vote.voter == voter)).one()
    before = set(session.scalars(select(Pick.choice_id).where(Pick.vote_id == vote_id)))
    if before == picked:
        return False
    dropped = before - picked
    session.execute(delete(Pick).where(Pick.vote_id == vote_id, Pick.choice_id.in_(dropped)))
    _count(session, dropped, -1)
    _add_picks(session, vote_id, picked - before)
    session.execute(_CHANGED, {"question": question_id})
    return True


def _add_picks(session: Session, vote_id: int, picked: set[int]) -> None:
    if picked:
        session.execute(_PICK, [{"vote_id": vote_id, "choice_id": choice_id} for choice_id in sorted(picked)])
        _count(session, picked, 1)


def _count(session: Session, choice_ids: set[int], step: int) -> None:
    session.execute(_COUNT, {"picked": list(choice_ids), "step": step})
