"""What ``flask wamp deploy`` must know of this site beside what it knows of any app."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask

from wampflask.deploy.deployment import Deployment, refine
from wampflask.deploy.procfile import commands_of

from .assets import BUILT
from .config import SiteConfig
from .paths import resource
from .player.admin import OVERHEAD, UPLOAD
from .serve import LOCAL_AGENT

PASSED = (
    "WAMP_PUBLIC_URL",
    "WAMPFLASK_PUBLIC_URL",
    "WAMPFLASK_HOSTS",
    "WAMPFLASK_COOKIE_SECURE",
    "WAMPFLASK_PROXIES",
    "WAMPFLASK_ADMIN_PASSWORD",
)
"""What containers take from the environment."""


def init_app(app: Flask) -> None:
    """Have the command know this site."""
    refine(app, lambda deployment: _of_site(app, deployment))


def _of_site(app: Flask, deployment: Deployment) -> Deployment:
    site = app.extensions["site"]
    chief = urlsplit(site.public_url).hostname
    upload = app.url_map.bind("").build(UPLOAD)
    return replace(
        deployment,
        programs={name: line for name, line in commands_of(resource("Procfile")).items() if name != LOCAL_AGENT},
        names=tuple(dict.fromkeys([*filter(None, [chief]), *deployment.names, *sorted(site.hosts)])),
        body_max=site.body_max,
        uploads={upload: site.media_max + OVERHEAD},
        static=("/static/", Path(str(app.static_folder))),
        hashed=BUILT,
        init="flask --app wampflask.apps:create_app site init",
        health="/healthz",
        image="site",
        database="WAMPFLASK_DATABASE_URL",
        passed=PASSED,
        hints=(*deployment.hints, *_hints(site)),
    )


def _hints(site: SiteConfig) -> list[str]:
    """Return what a site behind a web server still needs."""
    wanted = {
        "WAMPFLASK_PROXIES=1": site.proxies,
        "WAMPFLASK_COOKIE_SECURE=1": site.cookie_secure,
        "WAMPFLASK_PUBLIC_URL=https://the.name": site.public_url,
    }
    return [f"Behind a web server, set {key}." for key, value in wanted.items() if not value]
