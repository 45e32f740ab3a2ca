"""Chat rooms: everyone who knows a room's name can join.

Every change of a room has the next number of that room (``version``), given under the lock of the room's row. So
numbers have no gaps, and a page knows what it has missed: it orders by number and fetches what is missing. A banned
person receives nothing from that moment on, because the room's topics move (``contract``).
"""

from __future__ import annotations

from flask import Flask

__all__ = ["init_app"]


def init_app(app: Flask) -> None:
    """Register pages, procedures, live things, jobs and commands."""
    from . import cli, procedures, views

    del procedures  # imported for what it declares, as jobs are by the commands
    app.register_blueprint(views.blueprint)
    app.cli.add_command(cli.chat)
