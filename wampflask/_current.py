"""The current app's client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import current_app

from .errors import WampError

if TYPE_CHECKING:
    from ._client import Client

KEY = "wamp"
"""Of the client in ``app.extensions``."""


def current_client() -> Client:
    """Return the current app's client.

    :raises WampError: when it has none.
    """
    client: Client | None = current_app.extensions.get(KEY)
    if client is None:
        raise WampError("This app has no WAMP: did you forget wamp.init_app(app)?")
    return client
