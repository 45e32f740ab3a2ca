"""Writes a deployment's files: name -> text."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from .deployment import Deployment
from .procfile import ROUTER, WEB, direct

LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104 - inside a container


class NoName(ValueError):
    """Nobody knows by which name browsers will find the pages."""


def nginx(deployment: Deployment) -> dict[str, str]:
    """Return the server for nginx's ``conf.d`` folder.

    :raises NoName: the deployment has no names.
    """
    _check_names(deployment)
    return {f"{deployment.name}.conf": _text("nginx.conf.j2", deployment)}


def caddy(deployment: Deployment) -> dict[str, str]:
    """Return the Caddyfile.

    :raises NoName: the deployment has no names.
    """
    _check_names(deployment)
    return {"Caddyfile": _text("Caddyfile.j2", deployment)}


def systemd(deployment: Deployment) -> dict[str, str]:
    """Return a unit for each program."""
    return {
        f"{deployment.name}-{name}.service": _text(
            "unit.service.j2", deployment, program=name, command=direct(command, deployment.bin)
        )
        for name, command in deployment.commands(deployment.instance, LOOPBACK).items()
    }


def compose(deployment: Deployment) -> dict[str, str]:
    """Return the Compose file: a container for each program, and PostgreSQL."""
    commands = deployment.commands(Path("/instance"), EVERYWHERE)
    words = {name: [word.replace("$", "$$") for word in shlex.split(line)] for name, line in commands.items()}
    init = shlex.split(deployment.init)
    return {"compose.yaml": _text("compose.yaml.j2", deployment, commands=words, init=init)}


FORMS: dict[str, Callable[[Deployment], dict[str, str]]] = {
    "systemd": systemd,
    "nginx": nginx,
    "caddy": caddy,
    "compose": compose,
}
"""What can be rendered."""


def _check_names(deployment: Deployment) -> None:
    if not deployment.names:
        raise NoName("By which name will browsers find the pages? Set WAMP_PUBLIC_URL, or say --name app.example.")


def _text(template: str, deployment: Deployment, **more: Any) -> str:
    environment = Environment(
        loader=PackageLoader("wampflask.deploy", "."),
        autoescape=False,  # noqa: S701 - none of it is HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(it=deployment, ROUTER=ROUTER, WEB=WEB, **more)
