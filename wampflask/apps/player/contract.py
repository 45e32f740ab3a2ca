"""The player's URIs, payloads and permissions.

*Pairing is a capability.* A player's id is 122 random bits (``demo.uuid``). Only the page that holds it may register
or publish under it: its tickets claim it, by a proof that the page keeps in its memory (``wampflask.prove``).
Everyone who knows the id may call and subscribe; ``<!player>`` excludes patterns, and the meta API is for workers.
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
    means that data is on its way. ``silenced``: the browser plays no sound until someone clicks on the player.
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
    """On the same topic: the player is gone, or (``renewed``, sent by the page itself) has a new code.

    A hint, which may be late: ``status`` is authoritative.
    """

    present: Literal[False]
    renewed: NotRequired[bool]


def procedure(player: str, action: str) -> str:
    """Return one of a player's procedures."""
    return f"player.{player}.{action}"


def state_topic(player: str) -> str:
    """Return the topic of a player's state."""
    return f"player.{player}.state"


def player_of(uri: str) -> str | None:
    """Return the player whose ``status`` procedure ``uri`` is; None for another URI."""
    found = _STATUS_URI.fullmatch(uri)
    return found[1] if found else None
