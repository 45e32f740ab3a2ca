"""The operator page: who is connected, what they use, how workers are, what went wrong; for admins.

Its lists are fragments that are read again every two seconds while somebody looks. Every action is logged with who did
it.
"""

from __future__ import annotations

from flask import Flask

__all__ = ["init_app"]


def init_app(app: Flask) -> None:
    """Register pages and live things."""
    from . import actions, views

    del actions  # imported for the views that it declares
    app.register_blueprint(views.blueprint)
