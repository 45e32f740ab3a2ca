"""Live polls: ask a question, vote, and see the results change on every open page.

The database keeps one vote a voter and exact counts (``models``, ``voting``), and checks rules however a question is
changed (``changes``); ``live`` declares what pages show.
"""

from __future__ import annotations

from flask import Flask

__all__ = ["init_app"]


def init_app(app: Flask) -> None:
    """Register pages, procedures and commands."""
    from . import changes, cli, live, procedures, views

    del changes, live, procedures  # imported for what they declare
    app.register_blueprint(views.blueprint)
    app.cli.add_command(cli.polls)
