"""Blinker signals about the connection.

The sender is the Flask app. Receivers run in a thread of their own, in an app context, one after another; they may
publish and call.
"""

from __future__ import annotations

from typing import Literal, get_args

from blinker import Namespace

_signals = Namespace()

connected = _signals.signal("connected")
"""A session was joined. Keyword: ``session`` (the WAMP session id)."""
ready = _signals.signal("ready")
"""Every declared procedure and subscription is confirmed. Keyword: ``session``."""
lost = _signals.signal("lost")
"""The session ended though nobody asked for it. Keyword: ``reason`` (text)."""
stopping = _signals.signal("stopping")
"""This process ends in order, and is still connected. Its receivers have ``WAMP_STOP_TIMEOUT``."""
dropped = _signals.signal("dropped")
"""Queued publications or events were dropped. Keywords: ``count``, ``reason`` (text), ``uri``."""

Moment = Literal["connected", "ready", "lost", "stopping", "dropped"]
"""What :meth:`wampflask.WAMP.on` takes: a signal's name."""

MOMENTS = {name: _signals.signal(name) for name in get_args(Moment)}
