"""The live things of polls: read and sent after each commit that changed one.

A change of a choice is also a change of its question, since it raises the version (``changes``).
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from wampflask.apps.extensions import db, wamp

from . import contract, service
from .models import Question

PAGE_SIZE = 50
NEWEST = 6
AGAIN = 10.0
"""Seconds after which a list is read again, for changes that move its second and further pages."""


@wamp.value(contract.UPDATE, allow="everyone", of=Question)
def public(question_id: int) -> contract.Snapshot | contract.Deleted:
    """Return the question as everyone may see it."""
    question = service.find_question(db.session(), question_id)
    if question is None:
        return contract.Deleted(question_id=question_id, deleted=True)
    return service.public_snapshot(question)


@wamp.value(
    contract.LIVE,
    allow="everyone",
    of={Question: lambda question: {"question_id": question.id, "key": question.results_key}},
)
def early(question_id: int, key: str) -> contract.Snapshot | None:
    """Return the question with its counts, for people who know its present key."""
    question = service.find_question(db.session(), question_id)
    if question is None or not hmac.compare_digest(question.results_key, key):
        return None
    return service.full_snapshot(question)


@wamp.fragment(
    "polls/_card.html",
    allow="everyone",
    per="role",
    row="question",
    of={Question: lambda _question: {"page": 1}},
    every=AGAIN,
)
def polls_list(page: int) -> Sequence[Question]:
    """Return a page of all polls, newest first."""
    return service.list_questions(db.session(), limit=PAGE_SIZE, offset=(page - 1) * PAGE_SIZE)


@wamp.fragment("polls/_card.html", allow="everyone", row="question", of={Question: lambda _question: {}})
def open_polls() -> Sequence[Question]:
    """Return the newest polls that are open for voting."""
    return service.list_questions(db.session(), limit=NEWEST, only_open=True)


def voted(question_id: int, key: str) -> None:
    """Announce a vote that the current transaction counts, since plain statements are not noticed by themselves.

    :param key: the question's results key.
    """
    public.changed(question_id=question_id)
    early.changed(question_id=question_id, key=key)
    polls_list.changed(page=1)
    open_polls.changed()
