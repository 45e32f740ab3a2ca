"""Live tables: named whole numbers that everybody edits at once, by ``wamp.bind``."""

from __future__ import annotations

from flask import Flask

__all__ = ["init_app"]


def init_app(app: Flask) -> None:
    """Pages and procedures."""
    from . import views

    app.register_blueprint(views.blueprint)
