"""``flask wamp …``: develop; install, render, check and run the router, and ask how it is."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from . import dev, origins
from ._current import KEY
from .audience import REVOKED
from .config import Config, environment
from .deploy_cli import deploy_command
from .errors import WampError
from .jobs_cli import jobs
from .permissions import differences
from .plugin.rules import ROLES, RULES
from .revocations import BLOCKED_FILE, REVOKED_FILE, revoke
from .router import install as installing
from .router import node as nodes
from .router.lint import lint
from .router.render import PLUGIN_PATH, Node, Realm
from .router.wire import Wire, WireError
from .serve_cli import serve_command
from .status_cli import join, status_command
from .tasks_cli import tasks_command, worker_command
from .ticket_key import KEY_FILE, ensure_key
from .tickets import issuer_of


def node_of(app: Flask, config: Config, folder: Path) -> Node:
    """Return the node that serves ``app``; its paths are relative to ``folder``, so that both can be moved together.

    :param config: the app's ``WAMP_*`` values.
    :param folder: of the node; the instance's ``crossbar`` as a rule.
    """
    instance = Path(app.instance_path)
    remote = not config.url.startswith("unix:")
    socket = instance / "crossbar" / "backend.sock" if remote else Path(config.url.removeprefix("unix:"))
    realm = Realm(
        name=config.realm,
        permissions=tuple(app.extensions[KEY].permissions()),
        secret=_relative(instance / KEY_FILE, folder),
        revoked=_relative(instance / REVOKED_FILE, folder),
        blocked=_relative(instance / BLOCKED_FILE, folder),
        ticket_lifetime=config.ticket_lifetime,
        roles=issuer_of(app).tickets.roles,
        follow_workers=True,
    )
    return Node(
        realms=(realm,),
        socket=_relative(socket, folder),
        port=config.port,
        interface=config.interface,
        origins=origins.of_app(app, config),
        plugin_path=_relative(PLUGIN_PATH, folder),
        remote_backend=remote,
        rate=config.rate_limit,
        burst=config.rate_burst,
        byte_rate=config.rate_limit_bytes,
        byte_burst=config.rate_burst_bytes,
        max_unread=config.unread_max,
    )


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(path.absolute(), folder.absolute())


@click.group("wamp")
def wamp() -> None:
    """The router and what the app may do with it."""


wamp.add_command(deploy_command)
wamp.add_command(jobs)
wamp.add_command(worker_command)
wamp.add_command(tasks_command)


@wamp.group("router")
def router() -> None:
    """Crossbar.io: its configuration and its process."""


def _write(app: Flask, config: Config, folder: Path) -> Path:
    ensure_key(Path(app.instance_path), config.ticket_secret)
    return nodes.write_config(folder, node_of(app, config, folder))


def _render(folder: Path, config: Config | None = None) -> Path:
    app = current_app
    try:
        return _write(app, config or app.extensions[KEY].config, folder)
    except (nodes.RouterError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"Cannot write {error.filename}: {error.strerror}.") from None


def _default_folder() -> Path:
    return _node_folder(current_app)


def _node_folder(app: Flask) -> Path:
    return Path(app.instance_path) / "crossbar"


def served(app: Flask, config: Config) -> None:
    """Let ``flask wamp dev`` see whether the router must be started again, after its server has loaded ``app``."""
    try:
        _write(app, config, _node_folder(app))
    except (nodes.RouterError, ValueError, OSError) as error:
        app.logger.error("The router keeps the configuration it has: %s", error)  # noqa: TRY400 - the text says it all


_FOLDER = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The node's folder. [default: crossbar/ in the instance folder]",
)


@router.command("install")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=installing.FOLDER,
    show_default=True,
    help="The virtual environment to make.",
)
def install_command(folder: Path) -> None:
    """Install Crossbar into a virtual environment of its own, in the versions that wampflask is tested with."""
    _install(folder)


def _install(folder: Path) -> Path:
    try:
        program = installing.install(folder, click.echo).absolute()
    except (nodes.RouterError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Installed: {program}")
    if folder != installing.FOLDER or nodes.CROSSBAR_ENV in os.environ:
        click.echo(f"To use it: export {nodes.CROSSBAR_ENV}={program}")
    return program


@router.command("render")
@_FOLDER
@with_appcontext
def render_command(folder: Path | None) -> None:
    """Write the router's config.json from the declared permissions, and the ticket key if there is none."""
    click.echo(_render(folder or _default_folder()))


@router.command("run")
@_FOLDER
@click.option("--loglevel", default="warn", show_default=True, help="Of Crossbar: info also logs who joins.")
@with_appcontext
def run_command(folder: Path | None, loglevel: str) -> None:
    """Render, and become the router: this process is Crossbar from then on."""
    file = _render(folder or _default_folder())
    try:
        nodes.become(file.parent, loglevel=loglevel)
    except nodes.RouterError as error:
        raise click.ClickException(str(error)) from None


wamp.add_command(serve_command)


@wamp.command("dev")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Of the pages.")
@with_appcontext
def dev_command(port: int) -> None:
    """Start the router and the pages on this machine; what the code declares is in force when it has reloaded."""
    config: Config = current_app.extensions[KEY].config
    if not config.url.startswith("unix:"):
        raise click.ClickException(f"WAMP_URL says that the router is at {config.url}: use 'flask run --debug'.")
    _offer_router()
    folder = _default_folder()
    os.environ["PORT"] = str(port)
    try:
        dev.check(folder, port)
        config = _with_free_port(config, port)
        file = _render(folder, config)
        code = dev.run(
            port,
            lambda: dev.Router(file, lambda: _is_joinable(config)),
            is_served=lambda: dev.answers(port) and _has_workers(config),
            report=lambda text: click.echo(f"wamp: {text}", err=True),
        )
    except nodes.RouterError as error:
        raise click.ClickException(str(error)) from None
    raise click.exceptions.Exit(code)


def _offer_router() -> None:
    """Offer to install what is missing, if there is someone to ask."""
    try:
        nodes.find_crossbar()
    except nodes.RouterError as error:
        if not sys.stdin.isatty():
            return
        click.echo(str(error), err=True)
        if click.confirm(f"Install it into {installing.FOLDER} now? It is 400 MB, and takes a minute or a few."):
            os.environ[nodes.CROSSBAR_ENV] = str(_install(installing.FOLDER))


def _with_free_port(config: Config, pages: int) -> Config:
    """Choose another port for the router if the usual one is taken and none was configured."""
    chosen = "WAMP_PORT" in {**environment("WAMP_"), **current_app.config}
    if chosen:
        nodes.check_port(config.port, config.interface)
        return config
    port = dev.free_router_port(config.port, config.interface, pages)
    os.environ["WAMP_PORT"] = str(port)
    return replace(config, port=port)


def _is_joinable(config: Config) -> bool:
    """Return whether workers and browsers can join the router of this machine."""
    host = f"[{config.interface}]" if ":" in config.interface else config.interface
    with contextlib.suppress(OSError, WireError), Wire(f"ws://{host}:{config.port}/ws"), join(config):
        return True
    return False


def _has_workers(config: Config) -> bool:
    with contextlib.suppress(OSError, WireError), join(config) as wire:
        return bool(wire.call("wamp.session.count", ["backend"]) > 1)
    return False


@wamp.command("check")
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A configuration to check. [default: the instance's, rendered anew]",
)
@click.option("--crossbar/--no-crossbar", default=True, help="Let Crossbar check it too.")
@with_appcontext
def check_command(config: Path | None, crossbar: bool) -> None:
    """Check the router's configuration: by our rules, by Crossbar's own, and whether the running router has it."""
    file = config or _render(_default_folder())
    try:
        problems = lint(json.loads(file.read_text(encoding="utf-8")))
        for problem in problems:
            click.echo(str(problem), err=True)
        if crossbar:
            nodes.crossbar_check(file)
    except (nodes.RouterError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    if problems:
        raise click.ClickException(f"{len(problems)} problem{'s' * (len(problems) != 1)} in {file}")
    if not config and (unknown := _unknown_to_router(current_app)):
        raise click.ClickException("\n".join(unknown))
    click.echo(f"{file}: no problem found")


def _unknown_to_router(app: Flask) -> list[str]:
    """Return the remedies for what the running router lacks of the app's roles and permissions; [] without one."""
    config = app.extensions[KEY].config
    try:
        with join(config) as wire:
            found = differences(app.extensions[KEY].permissions(), wire.call(RULES))
            roles = set(issuer_of(app).tickets.roles).difference(wire.call(ROLES))
    except (OSError, WireError) as error:
        click.echo(f"Not compared with a running router: {error}")
        return []
    remedies = []
    if roles:
        remedies.append(f"The running router does not know the roles {', '.join(sorted(roles))}. Start it again.")
    if found:
        remedies.append(
            f"The running router has other permissions: {', '.join(found)}. Start workers of this version of the app, "
            "and end those of others."
        )
    return remedies


@wamp.group("key")
def key() -> None:
    """Keys of programs, with which they fetch tickets: see docs/clients.md."""


@key.command("create")
@click.argument("name")
@click.option("--role", required=True, help="What the program may do: one of the app's roles.")
@click.option("--uri", "below", multiple=True, help="It may use this URI and those below it alone. [repeatable]")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="It expires then; by default, it lasts.")
@with_appcontext
def create_key_command(name: str, role: str, below: tuple[str, ...], days: float | None) -> None:
    """Make a key, and show it once."""
    issuer = issuer_of()
    expires = None if days is None else time.time() + days * 86_400
    try:
        made = issuer.keys.create(name, role, below, roles=issuer.tickets.roles, expires=expires)
    except WampError as error:
        raise click.ClickException(str(error)) from None
    click.echo(made)


@key.command("list")
@with_appcontext
def list_keys_command() -> None:
    """Names, roles and URIs; the keys themselves are not kept."""
    for found in issuer_of().keys.all():
        ends = f"  expires {datetime.fromtimestamp(found.expires, UTC):%Y-%m-%d %H:%M} UTC" if found.expires else ""
        click.echo(f"{found.name:<24} {found.role:<12} {' '.join(found.uris) or 'all that its role may'}{ends}")


@key.command("revoke")
@click.argument("name")
@with_appcontext
def revoke_key_command(name: str) -> None:
    """Forget a key, and end the sessions of its program."""
    issuer, config = issuer_of(), current_app.extensions[KEY].config
    try:
        authid = issuer.keys.revoke(name).authid
    except WampError as error:
        raise click.ClickException(str(error)) from None
    revoke(issuer.instance / REVOKED_FILE, authid, lifetime=config.ticket_lifetime)
    try:
        with join(config) as wire:
            wire.call("wamp.session.kill_by_authid", authid, REVOKED)
    except (OSError, WireError) as error:
        click.echo(
            f"The key is revoked; sessions that it has may go on, as the router was not reached: {error}", err=True
        )


wamp.add_command(status_command)
