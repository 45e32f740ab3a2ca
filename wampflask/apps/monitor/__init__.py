"""Host monitoring: agents report, pages show it live, edited settings are applied at once.

Reports go straight from agents to pages, through the router. The rest is the hub's, in three rooms: ``intake`` enrols
hosts and keeps the history of their samples, ``settings`` delivers settings to agents, ``alerts`` checks rules and
notifies people. ``metrics`` declares what is measured. ``leader`` is one worker's thread that keeps time for all.
"""

from __future__ import annotations

from typing import Any

from flask import Flask

__all__ = ["init_app"]


def init_app(app: Flask) -> None:
    """Register pages, procedures and commands; the leader's thread starts when this process is connected."""
    from wampflask.signals import ready

    from . import cli, leader, metrics, procedures, prometheus, units, views
    from .intake import views as enrolment

    del procedures  # imported for what it declares
    ours = app.extensions[leader.EXTENSION] = leader.Leader(app)

    def start(_sender: Flask, **_: Any) -> None:
        ours.start()

    ready.connect(start, app, weak=False)
    for module in (enrolment, views, prometheus):
        app.register_blueprint(module.blueprint)
    app.jinja_env.globals |= {"units": units, "metrics": metrics}
    app.cli.add_command(cli.monitor)
