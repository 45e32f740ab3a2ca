"""Blinker signals about the connection.

The sender is the Flask app. Receivers run in a thread of their own, in an app context, one after another; they may
publish and call.
"""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

connected = _signals.signal("connected")
"""A session was joined. Keyword: ``session`` (the WAMP session id)."""
ready = _signals.signal("ready")
"""Every declared procedure and subscription is confirmed. Keyword: ``session``."""
lost = _signals.signal("lost")
"""The session ended though nobody asked for it. Keyword: ``reason`` (text)."""
dropped = _signals.signal("dropped")
"""Queued publications or events were dropped. Keywords: ``count``, ``reason`` (text), ``uri``."""
