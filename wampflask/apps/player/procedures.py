"""Tells remotes that their player has gone, as the router sees it: also when its machine lost power.

Every worker tells it, each from its own list: a remote that hears it twice asks twice, one that hears it never waits.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, current_app

from wampflask import WampError, signals
from wampflask.apps.extensions import wamp

from . import contract
from .calls import registered
from .service import Presence

_KEY = "player"

wamp.permit(*contract.PERMISSIONS)


def init_app(app: Flask) -> None:
    """Know the players from the moment on that the worker is connected."""
    app.extensions[_KEY] = Presence()
    signals.ready.connect(_begin, app)
    signals.lost.connect(_forget, app)


def presence() -> Presence:
    """The current app's."""
    found: Presence = current_app.extensions[_KEY]
    return found


@wamp.subscribe("wamp.registration.on_create")
def on_create(_session: int, details: dict[str, Any]) -> None:
    """A registration began."""
    _tell_gone(presence().opened(details["id"], details["uri"]))


@wamp.subscribe("wamp.registration.on_delete")
def on_delete(_session: int, registration: int) -> None:
    """A registration ended."""
    _tell_gone(presence().closed(registration))


def _tell_gone(player: str | None) -> None:
    if player is not None:
        wamp.publish_later(contract.state_topic(player), contract.Gone(present=False))


def _begin(_app: Flask, **_: Any) -> None:
    """Learn of the players that were there before this worker."""
    try:
        found = registered()
    except WampError as error:
        current_app.logger.warning("The players that are open already are not known: %s", error)
        return
    for number, uri in found.items():
        _tell_gone(presence().opened(number, uri))


def _forget(_app: Flask, **_: Any) -> None:
    presence().forget()
