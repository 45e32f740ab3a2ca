"""Host monitoring: agents report, pages show it live, an edit is in force at once.

Reports go straight from agents to pages through the router. The hub keeps their history (``procedures``, ``history``),
brings configurations to agents (``push``), and one of its workers keeps watch (``watchman``): presence, alerts.
"""

from __future__ import annotations

from typing import Any

from flask import Flask

__all__ = ["init_app"]


def init_app(app: Flask) -> None:
    """Pages, procedures, commands; the watchman begins when this process is connected."""
    from wampflask.signals import ready

    from . import cli, intake, metrics, procedures, units, views, watchman

    del procedures  # imported for what it declares
    ours = app.extensions[watchman.EXTENSION] = watchman.Watchman(app)

    def start(_sender: Flask, **_: Any) -> None:
        ours.start()

    ready.connect(start, app, weak=False)
    for module in (intake, views, metrics):
        app.register_blueprint(module.blueprint)
    app.jinja_env.globals["units"] = units
    app.cli.add_command(cli.monitor)
