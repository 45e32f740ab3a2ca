"""``flask wamp serve``: a process that answers calls and handles events, and no HTTP."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from threading import Event

import click
from flask import current_app
from flask.cli import with_appcontext

from ._client import Client
from ._current import current_client
from .config import Config
from .errors import ConfigError, NotConnected, WampError
from .serving import Serving


@click.command("serve")
@click.option("--procedures", multiple=True, help="Only these, such as 'video.*' or '!video.*'; may be repeated.")
@click.option("--threads", type=click.IntRange(1, 256), help="Handlers at a time; default WAMP_HANDLER_THREADS.")
@with_appcontext
def serve_command(procedures: tuple[str, ...], threads: int | None) -> None:
    """Answer calls and handle events, in a process without pages, until SIGTERM or Ctrl-C.

    Let the web workers leave them: WAMP_SERVE='!video.*'.
    """
    client = current_client()
    try:
        client.config = _config(client.config, procedures, threads)
    except ConfigError as error:
        raise click.BadParameter(str(error).partition(": ")[2], param_hint="--procedures") from None
    served = _served(client)
    end = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    try:
        client.connect(client.config.connect_timeout)
    except NotConnected as error:
        click.echo(f"{error} Trying on.", err=True)
    except WampError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Process {os.getpid()} serves {', '.join(served)}.")
    while not end.wait(60):
        pass
    client.stop()


def _config(config: Config, procedures: tuple[str, ...], threads: int | None) -> Config:
    serve = " ".join(procedures) or config.serve
    Serving.parse(serve)
    return replace(config, serve=serve, handler_threads=threads or config.handler_threads)


def _served(client: Client) -> list[str]:
    """Return what this process serves of the app's own declarations.

    :raises click.ClickException: there is nothing.
    """
    own = sorted({item.uri for item in client.declarations if not item.uri.startswith("wampflask.")})
    served = [uri for uri in own if uri in Serving.parse(client.config.serve)]
    if not served:
        raise click.ClickException(
            f"Nothing that {current_app.name} declares is meant by {client.config.serve!r}; it declares: "
            f"{', '.join(own) or 'nothing'}."
        )
    return served
