"""Notifies remotes that their player is gone, as the router sees it: also when its machine lost power.

Every worker does, from its own list: a remote that is notified twice asks twice, one that never is would wait.
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
    """Track players while the worker is connected."""
    app.extensions[_KEY] = Presence()
    signals.ready.connect(_begin, app)
    signals.lost.connect(_forget, app)


def presence() -> Presence:
    """Return the current app's players."""
    found: Presence = current_app.extensions[_KEY]
    return found


@wamp.subscribe("wamp.registration.on_create")
def on_create(_session: int, details: dict[str, Any]) -> None:
    """Note that a registration began."""
    _announce_gone(presence().opened(details["id"], details["uri"]))


@wamp.subscribe("wamp.registration.on_delete")
def on_delete(_session: int, registration: int) -> None:
    """Note that a registration ended."""
    _announce_gone(presence().closed(registration))


def _announce_gone(player: str | None) -> None:
    if player is not None:
        wamp.publish_later(contract.state_topic(player), contract.Gone(present=False))


def _begin(_app: Flask, **_: Any) -> None:
    """Find the players that were open before this worker connected."""
    try:
        found = registered()
    except WampError as error:
        current_app.logger.warning("The players that are already open could not be listed: %s", error)
        return
    for number, uri in found.items():
        _announce_gone(presence().opened(number, uri))


def _forget(_app: Flask, **_: Any) -> None:
    presence().forget()
