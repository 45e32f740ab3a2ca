"""The site: ``create_app`` and one folder for each feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from wampflask.ticket_key import ensure_key

from .paths import resource

__all__ = ["create_app"]


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Make the site.

    :param config: wins over the environment and ``<instance>/config.py``; ``INSTANCE`` in it names the instance folder.
    :raises wampflask.ConfigError: a value of the configuration is wrong; the message names it.
    """
    from . import (
        accounts,
        admin,
        assets,
        bridge,
        chat,
        commands,
        db,
        demo,
        deployment,
        error_pages,
        focus,
        headers,
        health,
        incoming,
        monitor,
        network,
        ops,
        pages,
        player,
        polls,
        release,
        tables,
    )
    from . import config as site_config
    from .extensions import csrf, limiter, migrate, wamp
    from .extensions import db as database

    folder = site_config.instance_folder(config)
    app = Flask(
        "wampflask",
        instance_path=str(folder),
        template_folder=str(resource("templates")),
        static_folder=str(resource("static")),
    )
    site = site_config.load(app.config, folder, config)
    ensure_key(folder, str(app.config.get("WAMP_TICKET_SECRET") or ""))
    app.extensions["site"] = site
    incoming.init_app(app)
    if site.proxies:
        hops = site.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_prefix=hops)  # type: ignore[method-assign]
    network.init_app(app)
    db.init_app(app, database)
    migrate.init_app(app, database, directory=str(db.MIGRATIONS))
    csrf.init_app(app)
    limiter.init_app(app)
    release.init_app(app)
    wamp.init_app(app)
    error_pages.init_app(app)
    focus.init_app(app)
    headers.init_app(app)
    assets.init_app(app, bundles=site.bundles)
    app.register_blueprint(health.blueprint)
    app.add_url_rule("/", "home", pages.home)
    app.add_url_rule("/favicon.ico", "favicon", pages.favicon)
    for feature in (accounts, polls, demo, monitor, chat, player, tables, bridge, ops, admin, commands, deployment):
        feature.init_app(app)
    return app
