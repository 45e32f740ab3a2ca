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
"""Procedure ``(question_id, as_voter=True)`` → :class:`Snapshot`, as the caller may see it, and its number.

``as_voter=False`` is for a screen that many people look at: the answer does not depend on the caller's own vote.
"""

UPDATE = "polls.question.update.<int:question_id>"
"""Live value: :class:`Snapshot` as anybody may see it, or :class:`Deleted`."""

LIVE = "polls.question.live.<int:question_id>.<!key>"
"""Live value: :class:`Snapshot` with counts, for those who may see them before everybody; null for a former key."""

PERMISSIONS = (Permission(RESULTS, call=PAGES),)


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

    ``version`` rises with each change; which of two states is the newer one, their numbers say. ``total_votes`` is the
    sum over the choices, ``voters`` the number of persons (the same for single choice); both are always there.
    ``hidden`` says that the counts are not for this viewer, yet. ``round`` rises with each reset: own votes of an
    earlier round are gone. ``live`` is the topic to follow, besides the public one: when that tells less than one may
    see, ask again, and follow what the answer says. ``voted``, in answers to one viewer only, has the choices that this
    viewer picked.
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
    """There is no such question; pages say that it was deleted."""

    question_id: int
    deleted: Literal[True]


def update_topic(question_id: int) -> str:
    """Where everybody hears of a question."""
    return f"polls.question.update.{question_id}"


def live_topic(question_id: int, key: str) -> str:
    """Where counts are heard before everybody may see them."""
    return f"polls.question.live.{question_id}.{key}"
