"""What polls say over WAMP, and who may hear it.

Counts that are not public yet never travel on the public topic. They go to ``LIVE``, whose last component is
a random key that only those learn who may see them: it stands as ``live`` in their snapshot. The key changes when the
question is reset or its visibility changes.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from wampflask import Permission
from wampflask.permissions import PAGES

RESULTS = "polls.question.results"
"""Procedure ``(question_id, as_voter=True)`` → :class:`Snapshot`, as the caller may see it.

``as_voter=False`` is for a screen that many people look at: the answer does not depend on the caller's own vote.
"""

UPDATE = "polls.question.update.<question_id>"
"""Topic: :class:`Snapshot` as anybody may see it, or :class:`Deleted`."""

LIVE = "polls.question.live.<question_id>.<!key>"
"""Topic: :class:`Snapshot` with counts, for those who may see them before everybody."""

ASKED = "polls.question.asked"
"""Topic: :class:`Asked`, when there is a new question. Lists of polls fetch themselves again."""

PERMISSIONS = (
    Permission(RESULTS, call=PAGES),
    Permission(UPDATE, subscribe=PAGES),
    Permission(LIVE, subscribe=PAGES),
    Permission(ASKED, subscribe=PAGES),
)


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
    """A question as one viewer may see it at one version.

    An event whose version is not newer than what a page shows is to be ignored. ``total_votes`` is the sum over the
    choices, ``voters`` the number of persons (the same for single choice); both are always told. ``hidden`` says that
    the counts are not for this viewer, yet. ``round`` rises with each reset: own votes of an earlier round are gone.
    ``live`` is the topic to follow; when an event's ``live`` is not the topic it came on, fetch the snapshot again and
    follow what that says. ``voted``, in answers to one viewer only, has the choices that this viewer picked.
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


class Asked(TypedDict):
    """A question that was not there before."""

    question_id: int
    version: int


class Deleted(TypedDict):
    """The question is gone; pages say so."""

    question_id: int
    version: int
    deleted: Literal[True]


def update_topic(question_id: int) -> str:
    """Where everybody hears of a question."""
    return f"polls.question.update.{question_id}"


def live_topic(question_id: int, key: str) -> str:
    """Where counts are heard before everybody may see them."""
    return f"polls.question.live.{question_id}.{key}"
