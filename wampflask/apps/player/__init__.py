"""A player on one screen, its remote on any phone: the page with the video is the one that is called.

The page registers its procedures under an id that nobody can guess or look up; who was shown the code may call them.
It ends with the page. The server's part is to make ids (``pairing``), to tell remotes when a player goes
(``procedures``), to keep the media (``media``), and to call players from Python (``calling``).
"""

from __future__ import annotations

from flask import Flask

__all__ = ["init_app"]


def init_app(app: Flask) -> None:
    """Pages, commands, and the watch over players."""
    from . import admin, cli, procedures, views

    procedures.init_app(app)
    admin.init_app(app)
    app.register_blueprint(views.blueprint)
    app.cli.add_command(cli.player)
