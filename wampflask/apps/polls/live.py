"""What open pages show of polls. The library reads it after each commit that changed it, and sends it.

A change of a choice is one of its question, too: it raises the version (``changes``).
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
"""Seconds after which a list is read again: what moves its second and further pages is not followed one by one."""


@wamp.value(contract.UPDATE, allow="everyone", of=Question)
def public(question_id: int) -> contract.Snapshot | contract.Deleted:
    """The question as anybody may see it."""
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
    """The question with its counts, for those who know its present key."""
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
    """A page of all polls, the newest first."""
    return service.list_questions(db.session(), limit=PAGE_SIZE, offset=(page - 1) * PAGE_SIZE)


@wamp.fragment("polls/_card.html", allow="everyone", row="question", of={Question: lambda _question: {}})
def open_polls() -> Sequence[Question]:
    """The newest polls that take votes."""
    return service.list_questions(db.session(), limit=NEWEST, only_open=True)


def voted(question_id: int, key: str) -> None:
    """A vote is counted in the current transaction; it was counted by statements, which nobody sees but who made them.

    :param key: the question's results key.
    """
    public.changed(question_id=question_id)
    early.changed(question_id=question_id, key=key)
    polls_list.changed(page=1)
    open_polls.changed()
