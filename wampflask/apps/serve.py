"""``flask site serve``: the whole site by one command, as ``make run`` does it.

Checks that the folder and the ports are free, prepares the instance, runs the Procfile (router, web server, and a
monitoring agent for this machine, unless ``WAMPFLASK_LOCAL_AGENT=0``) until Ctrl-C, and prints the site's address once
it is ready. Problems that people can solve are printed as one line, before anything is started.
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
from sqlalchemy.exc import DBAPIError

from wampflask import ConfigError
from wampflask.deploy.procfile import ROUTER, commands_of

from .instance import make
from .network import lan_address
from .paths import resource
from .supervise import OF_LATE, PAUSES, Program, Supervisor

READY_WITHIN = 60.0
LOCAL_AGENT = "agent"
RENDERED_ROUTER = 'exec python -m wampflask.router "$INSTANCE/crossbar"'  # half as long as rendering it again
SERVED_FROM = "0.0.0.0"  # noqa: S104 -- phones on the same network are meant to join in
MAX_PORT = 65535

_EMPTY = re.compile(r"\[\w+ +\d+\]")


class ServeError(Exception):
    """A problem that people can solve; the text is the one line that is printed."""


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

        :raises ServeError: a value is not a port, or both ports are the same.
        """
        place = cls(
            port=_port("PORT", env.get("PORT") or "8080"),
            wamp_port=_port("WAMP_PORT", env.get("WAMP_PORT") or "8081"),
            instance=root.joinpath(env.get("INSTANCE") or "instance").absolute(),
            interface=env.get("WAMP_INTERFACE") or SERVED_FROM,
        )
        if place.port == place.wamp_port:
            raise ServeError(f"PORT and WAMP_PORT are both {place.port}; pages and the router need different ports.")
        return place

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of everything that runs at this place."""
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
    """Check that nothing listens on a port.

    :raises ServeError: naming the variable that chooses another port.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((SERVED_FROM, port))
        except PermissionError:
            raise ServeError(f"{name}={port} needs more rights than yours. Choose a port above 1023.") from None
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            free = port + 10
            raise ServeError(f"Port {port} is in use. Stop what uses it, or choose another: {name}={free}") from None


@contextmanager
def hold_instance(folder: Path) -> Iterator[None]:
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
                f"Another copy of the site runs in {folder}. Choose another folder for this one: INSTANCE=instance2"
            ) from None
        yield


def is_listening(port: int, interface: str = SERVED_FROM) -> bool:
    """Return whether a program listens on a port of this machine."""
    host = "127.0.0.1" if interface == SERVED_FROM else interface
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


def is_ready(port: int) -> bool:
    """Return whether pages, database and router work, as ``/healthz`` says."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def without_agent(commands: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """Return the programs to run, with the local agent only where it is wanted.

    :raises ServeError: ``WAMPFLASK_LOCAL_AGENT`` is something else than 1 or 0.
    """
    wanted = env.get("WAMPFLASK_LOCAL_AGENT") or "1"
    if wanted not in ("0", "1"):
        raise ServeError(f"WAMPFLASK_LOCAL_AGENT={wanted} must be 1 or 0.")
    return {name: line for name, line in commands.items() if name != LOCAL_AGENT or wanted == "1"}


def prepare_site(env: Mapping[str, str], port: int) -> Mapping[str, str | None]:
    """Do what ``flask site init`` does, and write what the local agent needs.

    :param env: the site's environment, which this process takes over.
    :returns: the admin's ``email``, and the ``password`` of an account that was created just now.
    :raises ServeError: a value of the configuration is wrong, or the database cannot be used.
    """
    from . import create_app
    from .extensions import db
    from .first_start import ADMIN_EMAIL, prepare
    from .monitor.local_agent import write_config

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
    """Return what is printed when the site is ready."""
    lines = ["", "wampflask is running", "", f"  http://localhost:{place.port}/    on this machine"]
    if address := lan_address():
        lines.append(f"  http://{address}:{place.port}/    for phones and others on this network")
    lines.append("")
    if password := admin.get("password"):
        lines.append(f"  Log in as {admin['email']} with the password {password}")
        lines.append("  It is shown only once. Change it after the first log-in.")
    else:
        lines.append(f"  The admin is {admin['email']}. Set a new password with: flask users set-password")
    return "\n".join([*lines, "", "Press Ctrl-C to stop.", ""])


def end_of(program: Program) -> str:
    """Return how a program ended."""
    code = program.exit_code
    how = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
    return f"{program.name} {how}"


def describe_end(program: Program, often: str = "") -> str:
    """Return what is printed when a program ended and is not restarted: how it ended, and its last lines.

    :param often: how often it ended.
    """
    program.finish_output()
    return "\n".join([f"{end_of(program)}{often}; everything else was stopped. Its last lines:", *program.last_lines])


def report_restart(program: Program) -> None:
    """Print that a program ended and is restarted."""
    click.echo(f"wampflask: {end_of(program)}; restarting it")


@contextmanager
def stop_on_signals(site: Supervisor) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and a closed terminal stop the site; the second signal kills it."""

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
    """Start the programs, the router first, print ``hello`` once the site is ready, and keep them running.

    :raises ServeError: a program ended before the site was ready, or too often since, or the site did not become ready.
    """
    with stop_on_signals(site), site:
        if start_all(site, commands, place):
            click.echo(hello)
            if program := site.keep_running(report_restart):
                site.stop_programs()
                raise ServeError(describe_end(program, f", {len(PAUSES) + 1} times within {OF_LATE:.0f} s"))
        if site.stopping:
            return
        if program := site.ended():
            site.stop_programs()
            raise ServeError(describe_end(program))
        raise ServeError(f"The site was not ready within {READY_WITHIN:.0f} s; the lines above may show why.")


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
    """Run the site at the place that the environment names, until a signal.

    :raises ServeError: a problem that people can solve; everything is stopped by then.
    """
    from .monitor.agent_file import program

    place = Place.from_environment(env, root)
    commands = without_agent(commands_of(resource("Procfile")), env)
    with hold_instance(place.instance):
        check_port("PORT", place.port)
        check_port("WAMP_PORT", place.wamp_port)
        surroundings = {**place.environment(env), "AGENT_PROGRAM": str(program() or "")}
        admin = prepare_site(surroundings, place.port)
        supervise(Supervisor(surroundings, root, show), commands, place, welcome(place, admin))


def show(name: str, line: str) -> None:
    """Print a line of a program, with its name before it, but not Crossbar's empty ones."""
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
