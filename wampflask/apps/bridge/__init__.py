"""The site's bridge: scripts with a key publish and call over HTTP. Keys are made in the admin."""

from __future__ import annotations

from flask import Flask

from wampflask import bridge

__all__ = ["init_app"]


def init_app(app: Flask) -> None:
    """Mount ``/bridge/``."""
    bridge.init_app(app)
