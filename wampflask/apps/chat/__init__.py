"""Chat rooms: everybody who knows a room's name talks in it.

Every change of a room has the next number of that room (``version``), given under the lock of the room's row. So
numbers have no holes, and a page knows what it has not seen: it orders by number and fetches what is missing. Whoever
is banned hears nothing from that moment on, because the room's topics move (``contract``).
"""

from __future__ import annotations

from flask import Flask

__all__ = ["init_app"]


def init_app(app: Flask) -> None:
    """Pages, procedures, live things and commands."""
    from . import cli, procedures, views

    del procedures  # imported for what it declares
    app.register_blueprint(views.blueprint)
    app.cli.add_command(cli.chat)
