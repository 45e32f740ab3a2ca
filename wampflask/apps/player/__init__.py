"""A player on one screen, its remote on any phone: the page with the video is the one that is called.

The page registers its procedures under an id that cannot be guessed or looked up; everyone with the code may call them.
It ends with the page. The server makes ids (``pairing``), notifies remotes when a player is gone (``procedures``),
stores media (``media``), converts those that browsers do not play (``conversion``, ``ffmpeg``), and calls players from
Python (``calls``).
"""

from __future__ import annotations

from flask import Flask

__all__ = ["init_app"]


def init_app(app: Flask) -> None:
    """Register pages, procedures and commands."""
    from . import admin, cli, procedures, views

    procedures.init_app(app)
    admin.init_app(app)
    app.register_blueprint(views.blueprint)
    app.cli.add_command(cli.player)
