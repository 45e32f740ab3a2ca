"""What a player and its remotes say to each other, and who may.

*Pairing is a capability.* A player's id is 122 random bits (``demo.uuid``). Only the page that holds it may register
or publish under it: its tickets claim it, by a proof that the page keeps in its memory (``wampflask.tickets.prove``).
Whoever knows the id may call and listen; ``<!player>`` keeps patterns off, and the meta API is for workers alone.
"""

from __future__ import annotations

import re
from typing import Literal, NotRequired, TypedDict

from wampflask import Permission
from wampflask.permissions import PAGES

CLAIM = "player"
"""The word in the tickets of a player's page."""

STATUS = "status"
"""The action that is registered last: where it is, the player is complete."""

ACTIONS = ("play", "pause", "volume", "mute", "seek", "select", "next", "previous", STATUS)
"""``play()``, ``pause()``, ``volume(0..1)``, ``mute(bool)``, ``seek(seconds)``, ``select(index)``, ``next()``,
``previous()`` and ``status()``: procedures ``player.<id>.<action>`` on the player's page. Each returns the
:class:`State`; ``status`` with ``items``. Wrong arguments are ``player.error.invalid``."""

PERMISSIONS = (
    *(Permission(f"player.<!player>.{action}", call=PAGES) for action in ACTIONS),
    *(Permission(f"player.{{player}}.{action}", register=PAGES) for action in ACTIONS),
    Permission("player.<!player>.state", subscribe=PAGES),
    Permission("player.{player}.state", publish=PAGES),
)

_STATUS_URI = re.compile(rf"player\.([0-9a-f]{{32}})\.{STATUS}")


class State(TypedDict):
    """A player at one version; a page ignores what is older than what it shows.

    ``position`` and ``duration`` are seconds; the duration is null while it is not known. ``playing`` with ``waiting``
    means that data is on its way. ``silenced``: the browser lets no sound out before somebody clicks on the player.
    ``error`` says what is wrong with the current item, in words for people. ``items`` are the titles of the playlist.
    """

    present: Literal[True]
    version: int
    playing: bool
    waiting: bool
    position: float
    duration: float | None
    volume: float
    muted: bool
    silenced: bool
    index: int
    count: int
    title: str
    error: str | None
    items: NotRequired[list[str]]


class Gone(TypedDict):
    """On the same topic: the player went, or (``renewed``, said by the page itself) has a new code from now on.

    A hint, since it may come late: ``status`` has the truth.
    """

    present: Literal[False]
    renewed: NotRequired[bool]


def procedure(player: str, action: str) -> str:
    """One of a player's procedures."""
    return f"player.{player}.{action}"


def state_topic(player: str) -> str:
    """Where a player's state is told."""
    return f"player.{player}.state"


def player_of(uri: str) -> str | None:
    """The player whose ``status`` procedure ``uri`` is."""
    found = _STATUS_URI.fullmatch(uri)
    return found[1] if found else None
