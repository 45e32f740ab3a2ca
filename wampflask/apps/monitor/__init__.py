"""Host monitoring: agents report, pages show it live, edited settings are applied at once.

Reports go straight from agents to pages, through the router. The rest is the hub's, in three rooms: ``intake`` enrols
hosts and keeps the history of their samples, ``settings`` delivers settings to agents, ``alerts`` checks rules and
notifies people. ``metrics`` declares what is measured. ``leader`` is what one worker of all does each second, ``jobs``
what one does by the clock.
"""

from __future__ import annotations

from flask import Flask

__all__ = ["init_app"]


def init_app(app: Flask) -> None:
    """Register pages, procedures, jobs and commands; processes that serve have the leader's thread."""
    from . import cli, jobs, leader, metrics, procedures, prometheus, units, views
    from .intake import views as enrolment

    del procedures, jobs  # imported for what they declare
    app.extensions[leader.EXTENSION] = leader.Leader(app)
    for module in (enrolment, views, prometheus):
        app.register_blueprint(module.blueprint)
    app.jinja_env.globals |= {"units": units, "metrics": metrics}
    app.cli.add_command(cli.monitor)
