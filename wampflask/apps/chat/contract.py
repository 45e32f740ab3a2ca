"""What chat rooms say over WAMP, and who may hear it.

The last component of a room's topics is a random key that only those learn who may be in the room: :data:`ENTER` tells
it. When somebody is banned the key changes: those who are in hear :class:`Moved` under the former key and enter again,
and the banned one is refused. Nothing is ever published under a former key again.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from wampflask import Permission
from wampflask.permissions import PAGES

ENTER = "chat.enter"
"""Procedure ``(label)`` → :class:`Entered`: be in the room for as long as the session lasts."""
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
"""Topic: :class:`Message` for everything said, edited and deleted, or :class:`Moved`; for one person :class:`Muted`."""
PRESENCE = "chat.room.<label>.presence.<!key>"
"""Topic: :class:`People`."""
WRITES = "chat.room.<label>.typing.<!key>"
"""Topic: :class:`Person` who is typing just now."""

PERMISSIONS = (
    *(Permission(uri, call=PAGES) for uri in (ENTER, HISTORY, SAY, EDIT, DELETE, TYPING, RENAME)),
    *(Permission(uri, call=("user", "admin")) for uri in (MODERATE, SANCTIONS)),
    *(Permission(uri, subscribe=PAGES) for uri in (MESSAGE, PRESENCE, WRITES)),
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


class Moved(TypedDict):
    """The room's topics have another key now: enter again."""

    moved: Literal[True]


class Muted(TypedDict):
    """To the pages of one person alone: they may not write for so many seconds; 0 means that they may again."""

    muted: float


class People(TypedDict):
    """Who is here: one entry a person, at most 100 of them; ``total`` counts all."""

    version: int
    people: list[Person]
    total: int


class Entered(TypedDict):
    """``key`` is the last component of the room's topics."""

    key: str
    me: Person
    moderator: bool


class History(TypedDict):
    """``version`` is what the page has seen with these messages; ``more`` that there are others to ask for.

    With ``since``, the rest of what the page shows comes too; ``muted`` is as in :class:`Muted`.
    """

    messages: list[Message]
    version: int
    more: bool
    key: NotRequired[str]
    people: NotRequired[People]
    muted: NotRequired[float]


class Sanctioned(TypedDict):
    """Somebody muted (until, seconds since the epoch) or banned."""

    person: Person
    banned: bool
    muted_until: float | None


def component(label: str) -> str:
    """A room's label in a URI: labels have ``-`` and no ``_``, URIs the other way round."""
    return label.replace("-", "_")


def message_topic(label: str, key: str) -> str:
    """Where a room's messages are heard."""
    return f"chat.room.{component(label)}.message.{key}"


def presence_topic(label: str, key: str) -> str:
    """Where it is heard who is here."""
    return f"chat.room.{component(label)}.presence.{key}"


def typing_topic(label: str, key: str) -> str:
    """Where it is heard who is typing."""
    return f"chat.room.{component(label)}.typing.{key}"
