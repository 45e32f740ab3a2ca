"""Live polls: ask, vote, and see every open page move.

One vote a voter and exact counts are the database's business (``models``, ``service``), and rules hold wherever a
question is changed (``changes``); ``live`` says what pages show true.
"""

from __future__ import annotations

from flask import Flask

__all__ = ["init_app"]


def init_app(app: Flask) -> None:
    """Pages, procedures and commands."""
    from . import changes, cli, live, procedures, views

    del changes, live, procedures  # imported for what they declare
    app.register_blueprint(views.blueprint)
    app.cli.add_command(cli.polls)
