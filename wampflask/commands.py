"""``flask wamp …``: what an app gets of it. The commands themselves (``cli.py``) are loaded when one is asked for."""

from __future__ import annotations

import click
from flask import Flask


class Commands(click.Group):
    """Stands for :data:`wampflask.cli.wamp`: the linter, the router's process and more need not be in every worker."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return _loaded().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name."""
        return _loaded().get_command(ctx, cmd_name)


def _loaded() -> click.Group:
    from .cli import wamp

    return wamp


def init_app(app: Flask) -> None:
    """Give ``app`` the commands."""
    app.cli.add_command(Commands("wamp", help="The router and what the app may do with it."))
