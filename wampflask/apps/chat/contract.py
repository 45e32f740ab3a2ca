"""Chat's URIs, payloads and permissions.

The last component of a room's topics is a random key, which :data:`ENTER` returns to people who may be in the room.
When a person is banned, the key changes: pages with the former key ask for news, get ``chat.error.moved`` and enter
again, except for the banned person's. Nothing is published under a former key.
"""

from __future__ import annotations

from typing import TypedDict

from wampflask import Permission
from wampflask.permissions import PAGES

ENTER = "chat.enter"
"""Procedure ``(label)`` → :class:`Entered`: who the caller is, and where the room's topics are."""
HISTORY = "chat.history"
"""Procedure ``(label, before, since)`` → :class:`History`: older than ``before``, or what changed after ``since``."""
SAY = "chat.say"
"""Procedure ``(label, text, token)`` → :class:`Message`. The same token again gives the same message again."""
EDIT = "chat.edit"
"""Procedure ``(label, number, text)`` → :class:`Message`; for its author."""
DELETE = "chat.delete"
"""Procedure ``(label, number)`` → :class:`Message`; for its author and moderators."""
TYPING = "chat.typing"
"""Procedure ``(label)``: show the others that the caller is typing."""
RENAME = "chat.rename"
"""Procedure ``(label, name)`` → :class:`Person`: the caller's new name, in every room."""
MODERATE = "chat.moderate"
"""Procedure ``(label, person, action, minutes)``: mute, unmute, ban, unban; for moderators."""
SANCTIONS = "chat.sanctions"
"""Procedure ``(label)`` → list of :class:`Sanctioned`; for moderators."""

MESSAGE = "chat.room.<label>.message.<!key>"
"""Log: each :class:`Message` that was written, edited or deleted, numbered by its ``version``."""
PRESENCE = "chat.room.<label>.presence.<!key>"
"""Presence: people whose pages follow it are here; a :class:`Person` for each, by authid."""
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
    """A person in a room. ``guest``: not logged in."""

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
    """The seconds for which a person is muted; 0 if they are not."""

    seconds: float


class People(TypedDict):
    """Who is here, at most 100 people; ``total`` counts all."""

    people: list[Person]
    total: int


class Entered(TypedDict):
    """``key`` is the last component of the room's topics."""

    key: str
    me: Person
    moderator: bool


class History(TypedDict):
    """``version`` is the room's, as of these messages; ``more``: there are others to ask for."""

    messages: list[Message]
    version: int
    more: bool


class Sanctioned(TypedDict):
    """A person who is muted (until, in seconds since the epoch) or banned."""

    person: Person
    banned: bool
    muted_until: float | None


def component(label: str) -> str:
    """Return a room's label as a component of a URI: with ``_`` for ``-``."""
    return label.replace("-", "_")


def label(component: str) -> str:
    """Return the label in a component of a URI."""
    return component.replace("_", "-")


def authid_component(authid: str) -> str:
    """Return an authid as a component of a URI."""
    return authid.replace(":", "_", 1)


def authid(component: str) -> str:
    """Return the authid in a component of a URI."""
    return component.replace("_", ":", 1)


def presence_topic(label: str, key: str) -> str:
    """Return the topic of a room's presence."""
    return f"chat.room.{component(label)}.presence.{key}"


def typing_topic(label: str, key: str) -> str:
    """Return the topic of who is typing in a room."""
    return f"chat.room.{component(label)}.typing.{key}"
