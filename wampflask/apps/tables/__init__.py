"""The live table: named whole numbers that everyone can edit at the same time, with ``wamp.bind``."""

from __future__ import annotations

from flask import Flask

__all__ = ["init_app"]


def init_app(app: Flask) -> None:
    """Register pages and procedures."""
    from . import views

    app.register_blueprint(views.blueprint)
