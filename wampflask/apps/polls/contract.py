"""Polls' URIs, payloads and permissions.

Counts that are not public yet are never sent on the public topic. They go to ``LIVE``, whose last component is a random
key. Only people who may see the counts get it, as ``live`` in their snapshot. The key changes when the question is
reset or its visibility changes.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from wampflask import Permission
from wampflask.permissions import PAGES

RESULTS = "polls.question.results"
"""Procedure ``(question_id, as_voter=True)`` → :class:`Snapshot`, as the caller may see it, and its number.

``as_voter=False`` is for a screen that many people look at: the answer does not depend on the caller's own vote.
"""

VOTE = "polls.question.vote"
"""Procedure ``(question_id, choice_ids)`` → :class:`Snapshot`: vote, or change a vote. A person has one vote in each
question, and so has a program's key."""

UPDATE = "polls.question.update.<int:question_id>"
"""Live value: :class:`Snapshot` as everyone may see it, or :class:`Deleted`."""

LIVE = "polls.question.live.<int:question_id>.<!key>"
"""Live value: :class:`Snapshot` with counts, for people who may see them before everyone; null for a former key."""

PERMISSIONS = (Permission(RESULTS, call=PAGES), Permission(VOTE, call=("user", "admin")))


class ChoiceCount(TypedDict):
    """``votes`` and ``percent`` are null while they are hidden.

    Percentages are whole numbers, the same everywhere. Of a single choice they add up to 100 (or are all 0 without
    votes); of a multiple choice each is the share of the voters who picked it.
    """

    id: int
    label: str
    votes: int | None
    percent: int | None


class Snapshot(TypedDict):
    """A question as one person may see it.

    ``version`` rises with each change of the question; the numbers of two states say which is newer. ``total_votes`` is
    the sum over the choices, ``voters`` the number of people (the same for single choice); both are always there.
    ``hidden``: this person may not see the counts yet. ``round`` rises with each reset, which deletes all votes.
    ``live`` is the topic to follow besides the public one: when that has fewer counts than this person may see, ask
    again, and follow the topic in the answer. ``voted`` has the choices that this person picked, in answers to them.
    """

    question_id: int
    version: int
    open: bool
    total_votes: int
    choices: list[ChoiceCount]
    voters: int
    text: str
    code: str
    kind: Literal["single", "multiple"]
    visibility: Literal["always", "after_vote", "after_close"]
    may_change: bool
    round: int
    hidden: bool
    live: str
    voted: NotRequired[list[int]]


class Deleted(TypedDict):
    """The question does not exist any more."""

    question_id: int
    deleted: Literal[True]


def update_topic(question_id: int) -> str:
    """Return the public topic of a question."""
    return f"polls.question.update.{question_id}"


def live_topic(question_id: int, key: str) -> str:
    """Return the topic of counts that are not public yet."""
    return f"polls.question.live.{question_id}.{key}"
