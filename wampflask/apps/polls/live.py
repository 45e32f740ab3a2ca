"""Tells open pages what changed, after the commit: the one place where polls are published.

The payloads are read at the end of the transaction, so a version and its counts belong together.
"""

from __future__ import annotations

from flask import has_app_context
from flask_sqlalchemy.session import Session
from sqlalchemy import event

from wampflask.apps.extensions import wamp

from . import contract, service
from .changes import FIRST_VERSION, Changed, take_changed
from .models import Question, Visibility


@event.listens_for(Session, "before_commit")
def _before_commit(session: Session) -> None:
    if session.in_nested_transaction() or not has_app_context():
        return
    announce = wamp.after_commit(session)
    for topic, payload in news(session, take_changed(session)):
        announce.publish_latest(topic, payload)


News = list[tuple[str, contract.Snapshot | contract.Asked | contract.Deleted]]


def news(session: Session, changed: dict[int, Changed]) -> News:
    """What to publish, by topic."""
    if not changed:
        return []
    afresh = {"populate_existing": True}
    questions = session.scalars(service.WITH_CHOICES, {"ids": list(changed)}, execution_options=afresh).unique()
    found = {question.id: question for question in questions}
    result: News = []
    for question_id, change in changed.items():
        question = found.get(question_id)
        result += _news_of(question, change) if question else _obituary(question_id, change)
    return result


def _news_of(question: Question, change: Changed) -> News:
    public = service.public_snapshot(question)
    result: News = [(contract.update_topic(question.id), public)]
    if question.version == FIRST_VERSION:
        result.append((contract.ASKED, contract.Asked(question_id=question.id, version=question.version)))
    if question.visibility is not Visibility.ALWAYS:
        topic = contract.live_topic(question.id, question.results_key)
        result.append((topic, service.full_snapshot(question)))
    # Who listens under a former key is told to ask again where to listen.
    former = change.keys - {question.results_key}
    return result + [(contract.live_topic(question.id, key), public) for key in sorted(former)]


def _obituary(question_id: int, change: Changed) -> News:
    gone = contract.Deleted(question_id=question_id, version=change.version + 1, deleted=True)
    topics = [contract.update_topic(question_id), *(contract.live_topic(question_id, key) for key in change.keys)]
    return [(topic, gone) for topic in topics]
