"""``flask site serve``: the whole site by one command, as ``make run`` does it.

Looks whether the folder and the ports are free, prepares the instance, runs the Procfile (router, web
server, and a monitoring agent for this machine, unless ``WAMPFLASK_LOCAL_AGENT=0``) until Ctrl-C, and says where
the site is once it is ready. Everything that a person can
mend ends as one line, before anything is started.
"""

from __future__ import annotations

import errno
import fcntl
import http.client
import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import click
from flask import current_app
from honcho.environ import parse_procfile
from sqlalchemy.exc import DBAPIError

from wampflask import ConfigError

from .instance import make
from .network import lan_address
from .paths import resource
from .supervise import OF_LATE, PAUSES, Program, Supervisor

READY_WITHIN = 60.0
LOCAL_AGENT = "agent"
ROUTER = "router"
RENDERED_ROUTER = 'exec python -m wampflask.router "$INSTANCE/crossbar"'  # half as long as rendering it again
SERVED_FROM = "0.0.0.0"  # noqa: S104 -- phones on the same network are meant to join in
MAX_PORT = 65535

_EMPTY = re.compile(r"\[\w+ +\d+\]")


class ServeError(Exception):
    """Something that a person must mend; the text is the one line shown to them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one copy of the site runs: its two ports, its instance folder, and the router's address."""

    port: int
    wamp_port: int
    instance: Path
    interface: str = SERVED_FROM

    @classmethod
    def from_environment(cls, env: Mapping[str, str], root: Path) -> Place:
        """Read ``PORT``, ``WAMP_PORT``, ``WAMP_INTERFACE`` and ``INSTANCE``; empty means the default.

        :raises ServeError: a value is no port, or both ports are the same.
        """
        place = cls(
            port=_port("PORT", env.get("PORT") or "8080"),
            wamp_port=_port("WAMP_PORT", env.get("WAMP_PORT") or "8081"),
            instance=root.joinpath(env.get("INSTANCE") or "instance").absolute(),
            interface=env.get("WAMP_INTERFACE") or SERVED_FROM,
        )
        if place.port == place.wamp_port:
            raise ServeError(f"PORT and WAMP_PORT are both {place.port}; pages and the router need one each.")
        return place

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """The environment of everything that runs at this place."""
        ours = {
            "PORT": str(self.port),
            "WAMP_PORT": str(self.wamp_port),
            "WAMP_INTERFACE": self.interface,
            "INSTANCE": str(self.instance),
        }
        path = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)])
        return {**env, **ours, "PATH": path, "PYTHONUNBUFFERED": "1"}


def _port(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= MAX_PORT:
        raise ServeError(f"{name}={text} is not a port number (1 to {MAX_PORT}).")
    return int(text)


def check_port(name: str, port: int) -> None:
    """See that nothing listens on a port.

    :raises ServeError: naming the variable that chooses another port.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((SERVED_FROM, port))
        except PermissionError:
            raise ServeError(f"{name}={port} needs more rights than yours: choose one above 1023.") from None
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            free = port + 10
            raise ServeError(f"Port {port} is in use. Stop what uses it, or choose another: {name}={free}") from None


@contextmanager
def instance_of_its_own(folder: Path) -> Iterator[None]:
    """Make the instance folder and hold it for this process; the kernel frees it however the process ends.

    :raises ServeError: it cannot be written, or another copy of the site runs in it.
    """
    try:
        make(folder)
        lock = (folder / "serve.lock").open("w")
    except OSError as error:
        raise ServeError(
            f"Cannot write the instance folder {folder}: {error.strerror}. Choose another: INSTANCE=/a/folder"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServeError(
                f"Another copy of the site runs in {folder}. Give this one its own: INSTANCE=instance2"
            ) from None
        yield


def commands_of(procfile: Path) -> dict[str, str]:
    """The programs of a Procfile, in its order."""
    return dict(parse_procfile(procfile.read_text(encoding="utf-8")).processes)


def is_listening(port: int, interface: str = SERVED_FROM) -> bool:
    """Whether somebody takes connections on a port of this machine."""
    host = "127.0.0.1" if interface == SERVED_FROM else interface
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


def is_ready(port: int) -> bool:
    """Whether the site says that pages, database and router work."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def without_agent(commands: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """The programs to run, the local agent only where it is wanted.

    :raises ServeError: ``WAMPFLASK_LOCAL_AGENT`` is neither 1 nor 0.
    """
    wanted = env.get("WAMPFLASK_LOCAL_AGENT") or "1"
    if wanted not in ("0", "1"):
        raise ServeError(f"WAMPFLASK_LOCAL_AGENT={wanted} is neither 1 nor 0.")
    return {name: line for name, line in commands.items() if name != LOCAL_AGENT or wanted == "1"}


def prepare_site(env: Mapping[str, str], port: int) -> Mapping[str, str | None]:
    """Secrets, database, first questions, the admin: what ``flask site init`` does; and what a local agent needs.

    :param env: of the site; it becomes this process's own.
    :return: the admin's ``email``, and ``password`` if it was made just now.
    :raises ServeError: a value of the configuration is wrong, or the database cannot be used.
    """
    from . import create_app
    from .commands import ADMIN_EMAIL, prepare
    from .extensions import db
    from .monitor.local import write_config

    os.environ.update(env)
    try:
        with create_app().app_context():
            admin = prepare(ADMIN_EMAIL)["admin"]
            write_config(db.session(), Path(current_app.instance_path), port)
    except (ConfigError, click.ClickException) as error:
        raise ServeError(str(error)) from None
    except DBAPIError as error:
        raise ServeError(f"The database cannot be used: {error.orig}") from None
    return {"email": admin["email"], "password": admin["password"]}


def welcome(place: Place, admin: Mapping[str, str | None]) -> str:
    """What is shown when the site is ready."""
    lines = ["", "wampflask is running", "", f"  http://localhost:{place.port}/    on this machine"]
    if address := lan_address():
        lines.append(f"  http://{address}:{place.port}/    for phones and others on this network")
    lines.append("")
    if password := admin.get("password"):
        lines.append(f"  Log in as {admin['email']} with the password {password}")
        lines.append("  It is shown this once; change it after the first log-in.")
    else:
        lines.append(f"  The admin is {admin['email']}; flask users set-password gives a new password.")
    return "\n".join([*lines, "", "Ctrl-C stops it.", ""])


def end_of(program: Program) -> str:
    """How a program ended."""
    code = program.exit_code
    how = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
    return f"{program.name} {how}"


def obituary(program: Program, often: str = "") -> str:
    """What is shown when a program ended on its own and is not started again: how, and its last lines.

    :param often: what is said of how often it did.
    """
    program.finish_output()
    return "\n".join([f"{end_of(program)}{often}; everything else was stopped. Its last lines:", *program.last_lines])


def tell_of_restart(program: Program) -> None:
    """Say that a program ended and is started again."""
    click.echo(f"wampflask: {end_of(program)}; it is started again")


@contextmanager
def stop_on_signals(site: Supervisor) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and a closed terminal ask for the end; the second one ends all at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        if site.stopping:
            site.kill()
        site.request_stop()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def supervise(site: Supervisor, commands: Mapping[str, str], place: Place, hello: str) -> None:
    """Start the programs, the router first, say hello once the site is ready, and keep them running until a stop is
    asked for.

    :raises ServeError: a program ended before the site was ready, or too often since, or the site did not become ready.
    """
    with stop_on_signals(site), site:
        if start_all(site, commands, place):
            click.echo(hello)
            if program := site.keep_running(tell_of_restart):
                site.stop_programs()
                raise ServeError(obituary(program, f", {len(PAUSES) + 1} times within {OF_LATE:.0f} s"))
        if site.stopping:
            return
        if program := site.ended():
            site.stop_programs()
            raise ServeError(obituary(program))
        raise ServeError(f"The site was not ready within {READY_WITHIN:.0f} s; the lines above may say why.")


def start_all(site: Supervisor, commands: Mapping[str, str], place: Place) -> bool:
    """Start the first program, the others when the router takes connections, and an agent when the site is ready;
    whether it became so.
    """
    steps: list[Callable[[], bool]] = [
        lambda: is_listening(place.wamp_port, place.interface),
        lambda: is_ready(place.port),
        lambda: True,
    ]
    (first, command), *others = commands.items()
    site_itself = [item for item in others if item[0] != LOCAL_AGENT]
    agent = [item for item in others if item[0] == LOCAL_AGENT]
    for programs, is_done in zip([[(first, command)], site_itself, agent], steps, strict=True):
        for name, line in programs:
            site.start(name, line, RENDERED_ROUTER if name == ROUTER else None)
        if not site.wait(READY_WITHIN, until=is_done):
            return False
    return True


def run(env: Mapping[str, str], root: Path) -> None:
    """Run the site at the place that the environment names, until a signal asks for the end.

    :raises ServeError: something that a person must mend; everything is stopped by then.
    """
    from .monitor.agent_file import program

    place = Place.from_environment(env, root)
    commands = without_agent(commands_of(resource("Procfile")), env)
    with instance_of_its_own(place.instance):
        check_port("PORT", place.port)
        check_port("WAMP_PORT", place.wamp_port)
        surroundings = {**place.environment(env), "AGENT_PROGRAM": str(program() or "")}
        admin = prepare_site(surroundings, place.port)
        supervise(Supervisor(surroundings, root, show), commands, place, welcome(place, admin))


def show(name: str, line: str) -> None:
    """Print one program's line, marked with its name; not Crossbar's empty ones."""
    if line and not _EMPTY.fullmatch(line):
        click.echo(f"{name:>6} | {line}")


@click.command("serve")
def serve_command() -> None:
    """Run the whole site (router, web server, local agent) until Ctrl-C."""
    main()


def main() -> None:
    """Run the site in the current folder; exit code 1 and one line when it cannot."""
    try:
        run(os.environ, Path.cwd())
    except ServeError as error:
        click.echo(f"wampflask: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        click.echo(f"wampflask: {error.filename or 'the site'}: {error.strerror}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
