"""The parameters of a server that runs an app, read from the app."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask

from wampflask._current import KEY
from wampflask.config import Config, pages_port

from .procfile import ROUTER, WEB, commands_of, expand

BODY_MAX = 1_048_576
"""Bytes of a request, where the app has no bound of its own."""

GRACE = "30"
"""Seconds that running requests have at the end of a worker."""

WORKER = "wampflask.gunicorn.Worker"
_EXTENSION = "wampflask_deployment"

_USUAL = {
    ROUTER: "exec flask --app {app} wamp router run",
    WEB: (
        "exec gunicorn --bind ${{INTERFACE:-127.0.0.1}}:${{PORT:-8080}} --workers ${{WORKERS:-2}} "
        "--worker-class {worker} --threads ${{THREADS:-8}} --graceful-timeout ${{GRACE:-30}} --no-control-socket "
        "'{wsgi}'"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One app on one server.

    :param name: of files, units and logs.
    :param folder: that the programs run in.
    :param instance: the app's instance folder.
    :param programs: name -> command for a shell, as a Procfile has them.
    :param bin: where the programs are.
    :param names: by which browsers know the pages; the first is the chief one.
    :param port: of the pages, on this machine.
    :param wamp_port: of the router, on this machine.
    :param path: of the router's WebSocket.
    :param body_max: bytes of a request.
    :param uploads: path -> bytes of a request there, where that is more.
    :param static: path and folder of the files that the web server sends by itself; empty for none.
    :param hashed: the folder below it whose files are named by what is in them, with ``.gz`` and ``.br`` beside them;
        browsers keep these for good. Empty for none.
    :param user: that the programs run as.
    :param settings: file of the environment of all programs; empty for none.
    :param certificate: file, in PEM format, with the chain; and ``key``. Empty: where certbot keeps them, for nginx;
        Caddy fetches its own.
    :param logs: folder of the web server's logs.
    :param workers: of gunicorn; ``threads``: of each worker.
    :param init: the command that prepares the instance before the first start; empty for none.
    :param health: path of a page that says whether all is well; empty for none.
    :param image: the Dockerfile's target for all programs but the router.
    :param database: the key of the configuration that names the database.
    :param hints: what is still to be configured, for people to read.
    :param passed: further keys that containers take from the environment.
    """

    name: str
    folder: Path
    instance: Path
    programs: Mapping[str, str]
    bin: Path
    names: tuple[str, ...] = ()
    port: int = 8080
    wamp_port: int = 8081
    path: str = "/ws"
    body_max: int = BODY_MAX
    uploads: Mapping[str, int] = field(default_factory=dict)
    static: tuple[str, Path] | None = None
    hashed: str = ""
    user: str = "www-data"
    settings: str = ""
    certificate: str = ""
    key: str = ""
    logs: Path = Path("/var/log")
    http_port: int = 80
    https_port: int = 443
    workers: str = "2"
    threads: str = "8"
    init: str = ""
    health: str = ""
    image: str = "web"
    database: str = "SQLALCHEMY_DATABASE_URI"
    passed: tuple[str, ...] = ("WAMP_PUBLIC_URL",)
    hints: tuple[str, ...] = ()

    def commands(self, instance: Path, interface: str) -> dict[str, str]:
        """Return the programs' commands without variables.

        :param interface: the address that the pages are served at.
        """
        values = {"PORT": str(self.port), "WORKERS": self.workers, "THREADS": self.threads, "GRACE": GRACE}
        values |= {"INSTANCE": str(instance), "INTERFACE": interface}
        return {name: expand(command, values) for name, command in self.programs.items()}


Refine = Callable[[Deployment], Deployment]


def refine(app: Flask, function: Refine) -> None:
    """Have ``function`` change what is read from ``app``, for what only the app itself knows."""
    app.extensions[_EXTENSION] = function


def of_app(app: Flask, loaded_as: str) -> Deployment:
    """Return the deployment of an app as it is configured now.

    :param loaded_as: what ``flask --app`` was given.
    """
    config: Config = app.extensions[KEY].config
    public = urlsplit(config.public_url)
    made = Deployment(
        name=re.sub(r"\W+", "-", app.name).strip("-"),
        folder=Path.cwd(),
        instance=Path(app.instance_path),
        programs=_lines(Path.cwd() / "Procfile", loaded_as),
        bin=Path(sys.executable).parent,
        names=(public.hostname,) if public.hostname else (),
        port=pages_port(app.config),
        wamp_port=config.port,
        path=public.path or "/ws",
        body_max=app.config["MAX_CONTENT_LENGTH"] or BODY_MAX,
        static=_static(app),
        workers=os.environ.get("WORKERS") or "2",
        threads=os.environ.get("THREADS") or "8",
        hints=() if public.hostname else ("Behind a web server, set WAMP_PUBLIC_URL=wss://the.name/ws.",),
    )
    change: Refine = app.extensions.get(_EXTENSION, lambda unchanged: unchanged)
    return change(made)


def _lines(procfile: Path, loaded_as: str) -> dict[str, str]:
    if procfile.exists():
        return commands_of(procfile)
    module, _, name = loaded_as.removesuffix(".py").partition(":")
    wsgi = f"{module}:{name or _name_in(module)}"
    return {key: line.format(app=loaded_as, worker=WORKER, wsgi=wsgi) for key, line in _USUAL.items()}


def _name_in(module: str) -> str:
    """Return what gunicorn is to load from a module that Flask has loaded."""
    loaded = vars(sys.modules.get(module, sys))
    found = [name for name in ("app", "application") if isinstance(loaded.get(name), Flask)]
    factories = [f"{name}()" for name in ("create_app", "make_app") if callable(loaded.get(name))]
    return [*found, *factories, "app"][0]


def _static(app: Flask) -> tuple[str, Path] | None:
    if app.static_folder is None or app.static_url_path is None or not Path(app.static_folder).is_dir():
        return None
    return f"{app.static_url_path.rstrip('/')}/", Path(app.static_folder)
