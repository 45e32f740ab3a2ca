"""What chat rooms say over WAMP, and who may hear it.

The last component of a room's topics is a random key that only those learn who may be in the room: :data:`ENTER`
answers with it. When somebody is banned the key changes: the pages under the former key are made to ask, are told
``chat.error.moved``, and enter again; the banned one is refused. No state is published under a former key again.
"""

from __future__ import annotations

from typing import TypedDict

from wampflask import Permission
from wampflask.permissions import PAGES

ENTER = "chat.enter"
"""Procedure ``(label)`` → :class:`Entered`: who one is, and where the room's topics are."""
HISTORY = "chat.history"
"""Procedure ``(label, before, since)`` → :class:`History`: older than ``before``, or what changed after ``since``."""
SAY = "chat.say"
"""Procedure ``(label, text, token)`` → :class:`Message`. The same token again gives the same message again."""
EDIT = "chat.edit"
"""Procedure ``(label, number, text)`` → :class:`Message`: one's own."""
DELETE = "chat.delete"
"""Procedure ``(label, number)`` → :class:`Message`: one's own; moderators, anybody's."""
TYPING = "chat.typing"
"""Procedure ``(label)``: tell the others."""
RENAME = "chat.rename"
"""Procedure ``(label, name)`` → :class:`Person`: be called so from now on, in every room."""
MODERATE = "chat.moderate"
"""Procedure ``(label, person, action, minutes)``: mute, unmute, ban, unban; for moderators."""
SANCTIONS = "chat.sanctions"
"""Procedure ``(label)`` → list of :class:`Sanctioned`; for moderators."""

MESSAGE = "chat.room.<label>.message.<!key>"
"""Log: each :class:`Message` that was said, edited or deleted, numbered by its ``version``."""
PRESENCE = "chat.room.<label>.presence.<!key>"
"""Presence: who follows it is here; a :class:`Person` for each, by authid."""
MUTED = "chat.room.<label>.muted.{authid}"
"""Value: :class:`Muted`, for that person's pages alone."""
WRITES = "chat.room.<label>.typing.<!key>"
"""Topic: :class:`Person` who is typing just now."""

PERMISSIONS = (
    *(Permission(uri, call=PAGES) for uri in (ENTER, HISTORY, SAY, EDIT, DELETE, TYPING, RENAME)),
    *(Permission(uri, call=("user", "admin")) for uri in (MODERATE, SANCTIONS)),
    Permission(WRITES, subscribe=PAGES),
)


class Person(TypedDict):
    """Somebody in a room. ``guest`` is who is not logged in."""

    id: int
    name: str
    guest: bool
    moderator: bool


class Message(TypedDict):
    """One message. ``id`` counts a room's messages from 1: pages order by it.

    ``version`` is the room's at the message's last change: each of a room's changes has the next number, without holes.
    ``text`` is empty once it is deleted; ``at`` is in seconds since the epoch.
    """

    id: int
    version: int
    person: int
    name: str
    guest: bool
    text: str
    at: float
    edited: bool
    deleted: bool


class Muted(TypedDict):
    """Somebody may not write for so many seconds; 0 means that they may."""

    seconds: float


class People(TypedDict):
    """Who is here: one entry a person, at most 100 of them; ``total`` counts all."""

    people: list[Person]
    total: int


class Entered(TypedDict):
    """``key`` is the last component of the room's topics."""

    key: str
    me: Person
    moderator: bool


class History(TypedDict):
    """``version`` is what a page has seen with these messages; ``more`` that there are others to ask for."""

    messages: list[Message]
    version: int
    more: bool


class Sanctioned(TypedDict):
    """Somebody muted (until, seconds since the epoch) or banned."""

    person: Person
    banned: bool
    muted_until: float | None


def component(label: str) -> str:
    """A room's label in a URI: labels have ``-`` and no ``_``, URIs the other way round."""
    return label.replace("-", "_")


def label(component: str) -> str:
    """The room's label that stands in a URI."""
    return component.replace("_", "-")


def authid_component(authid: str) -> str:
    """Somebody's authid in a URI."""
    return authid.replace(":", "_", 1)


def authid(component: str) -> str:
    """The authid that stands in a URI."""
    return component.replace("_", ":", 1)


def presence_topic(label: str, key: str) -> str:
    """What those follow who are in a room."""
    return f"chat.room.{component(label)}.presence.{key}"


def typing_topic(label: str, key: str) -> str:
    """Where it is published who is typing."""
    return f"chat.room.{component(label)}.typing.{key}"
