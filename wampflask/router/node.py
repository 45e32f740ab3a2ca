"""A node's folder and its process: write it, find Crossbar, start it, wait until one can join, stop it.

Crossbar is a separate program in a virtual environment of its own; nothing here imports it.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, NoReturn

from .render import MAX_SOCKET_PATH, TITLE, Node, render, to_json

MAX_OPEN_FILES = 2**20
CROSSBAR_ENV = "WAMPFLASK_CROSSBAR"

_CHECKOUT = Path(__file__).resolve().parent.parent.parent
_PROGRAM = Path(".crossbar") / "venv" / "bin" / "crossbar"
_LEAN = Path(__file__).with_name("lean")

WHOLE = "WAMPFLASK_CROSSBAR_WHOLE"
"""Set in the environment, Crossbar loads everything that it can load, also what wampflask has no use for."""


class RouterError(Exception):
    """The router cannot be found, started or checked; the text names cause and remedy."""


def find_crossbar() -> Path:
    """Return the program: ``$WAMPFLASK_CROSSBAR``, else the one of ``.crossbar/venv``, here or in the checkout.

    :raises RouterError: when there is none.
    """
    named = os.environ.get(CROSSBAR_ENV)
    folders = [Path.cwd(), _CHECKOUT] if (_CHECKOUT / "Makefile").exists() else [Path.cwd()]
    candidates = [Path(named)] if named else [folder / _PROGRAM for folder in folders]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    raise RouterError(
        f"Crossbar.io is not installed: there is no {' or '.join(map(str, dict.fromkeys(candidates)))}. "
        "'flask wamp router install' installs it here (in a checkout of wampflask: 'make setup'); "
        f"or set {CROSSBAR_ENV} to the program of another virtual environment."
    )


def check_socket_path(path: Path) -> Path:
    """Return ``path`` if a unix socket can have it.

    :raises RouterError: when it is too long.
    """
    length = len(os.fsencode(path))
    if length > MAX_SOCKET_PATH:
        raise RouterError(
            f"The path of the router's socket has {length} bytes, and may have {MAX_SOCKET_PATH}: {path}. "
            "Use an instance folder with a shorter path (INSTANCE=…)."
        )
    return path


def check_port(port: int, interface: str = "") -> None:
    """See that nobody listens there: Crossbar's own complaint is forty lines long and does not say it.

    :raises RouterError: when somebody does, or the port needs more rights.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((interface, port))
        except OSError as error:
            raise RouterError(
                f"The router cannot listen on port {port} ({error.strerror}). Choose another: WAMP_PORT={port + 10}"
            ) from None


def is_free(port: int, interface: str = "") -> bool:
    """Return whether :func:`check_port` finds the port free."""
    try:
        check_port(port, interface)
    except RouterError:
        return False
    return True


def write_config(folder: Path, node: Node) -> Path:
    """Write ``folder/config.json``, if it differs. The folder is its owner's alone, to protect the socket.

    :raises RouterError: when the socket's path is too long.
    """
    check_socket_path(folder / node.socket)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    file, text = folder / "config.json", to_json(render(node))
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        new = file.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(file)
    return file


def crossbar_check(config: Path) -> str:
    """Let Crossbar itself check a configuration; what it said.

    :raises RouterError: when it finds fault, with its own words.
    """
    done = subprocess.run(
        [find_crossbar(), "check", "--cbdir", config.parent, "--config", config.resolve()],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment(),
    )
    said = (done.stdout + done.stderr).strip()
    if done.returncode:
        raise RouterError(f"crossbar check refuses {config}:\n{said}")
    return said


def become(folder: Path, *, loglevel: str) -> NoReturn:
    """Replace this process by Crossbar's, which so gets the signals that are meant for this one.

    :param folder: the node's, rendered.
    :raises RouterError: when Crossbar is not installed, the folder is not rendered, or its port is in use.
    """
    command = _start_command(folder, loglevel)
    forget_killed(folder)
    check_port(*_listens_on(folder / "config.json"))
    allow_many_files()
    os.execve(command[0], command, environment())  # noqa: S606 - the point of it


def _listens_on(config: Path) -> tuple[int, str]:
    """Return port and interface of browsers, in a rendered configuration."""
    try:
        (worker,) = json.loads(config.read_text(encoding="utf-8"))["workers"]
        (endpoint,) = (item["endpoint"] for item in worker["transports"] if item["type"] == "web")
        return int(endpoint["port"]), str(endpoint.get("interface", ""))
    except (OSError, ValueError, KeyError, TypeError):
        raise RouterError(f"{config} is not a rendered configuration. 'flask wamp router render' writes one.") from None


def allow_many_files() -> None:
    """Let this process, and what becomes of it, open as many files as the system lets it: each browser is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _start_command(folder: Path, loglevel: str) -> list[str]:
    options = ["--loglevel", loglevel, "--logformat", "syslogd", "--color", "false"]
    return [str(find_crossbar()), "start", "--cbdir", str(folder), *options]


def running_node(folder: Path) -> int:
    """Return the process that runs this node, by the pid file it has left; 0 for none."""
    try:
        pid = int(json.loads((folder / "node.pid").read_text(encoding="utf-8"))["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return pid if _is_crossbar(pid) else 0


def forget_killed(folder: Path) -> None:
    """Clear away what a node that was killed has left: its pid file, and a worker that holds on to its ports.

    Crossbar takes any live process with the pid of the file for itself. A worker ends by itself when its node is gone,
    but not while it hangs.
    """
    if running_node(folder):
        return
    (folder / "node.pid").unlink(missing_ok=True)
    for worker in _workers_of(folder):
        with contextlib.suppress(ProcessLookupError):
            _kill(worker)


def _kill(pid: int) -> None:
    """Send SIGKILL to a process that is not our child, and wait until it holds nothing any more."""
    handle = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        select.select([handle], [], [], 5)
    finally:
        os.close(handle)


def _is_crossbar(pid: int) -> bool:
    try:
        return b"crossbar" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return not Path("/proc/self").exists()  # not Linux: leave the question to Crossbar


def _workers_of(folder: Path) -> list[int]:
    """Return the node's worker processes; they run in its folder, under the title that the configuration gives them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            titled = (process / "cmdline").read_bytes().startswith(TITLE.encode())
            if titled and (process / "cwd").samefile(folder):
                found.append(int(process.name))
    return found


class Process:
    """One run of ``crossbar start`` on a node's folder, with everything it starts. For one thread.

    :param folder: the node's folder, with ``config.json`` in it.
    :param log: where its output goes.
    """

    def __init__(self, folder: Path, log: IO[str] | int | None = None, *, loglevel: str = "info") -> None:
        forget_killed(folder)
        self._folder = folder
        self._process = subprocess.Popen(
            _start_command(folder, loglevel),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(),
            start_new_session=True,
        )
        self.pid = self._process.pid

    def wait_ready(self, joined: Callable[[], bool], timeout: float = 60.0) -> None:
        """Wait until ``joined`` says that one can join.

        :raises RouterError: when the process ends or time is up.
        """
        deadline = time.monotonic() + timeout
        while not joined():
            if (code := self._process.poll()) is not None:
                raise RouterError(f"Crossbar ended at its start with exit code {code}; its log says why.")
            if time.monotonic() > deadline:
                raise RouterError(f"Crossbar is not ready after {timeout:g} s; its log says why.")
            time.sleep(0.05)

    @property
    def running(self) -> bool:
        """Whether the node's own process is alive."""
        return self._process.poll() is None

    def stop(self, timeout: float = 10.0) -> None:
        """End it in order: SIGTERM, and after ``timeout`` seconds SIGKILL. Does nothing when it has ended."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
        self.kill()

    def kill(self) -> None:
        """Kill -9 the node and its worker processes at once, and wait for the node's end."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        (self._folder / "node.pid").unlink(missing_ok=True)

    def wait(self) -> int:
        """Wait for its end; its exit code."""
        return self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def environment() -> dict[str, str]:
    """Return Crossbar's environment: this one without what would lead its Python to our packages, and with
    ``lean/sitecustomize.py``.
    """
    unwanted = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONWARNINGS", "PYTHONDEVMODE", "CROSSBAR_DIR")
    own = {"PYTHONUNBUFFERED": "1"} if os.environ.get(WHOLE) else {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(_LEAN)}
    return {name: value for name, value in os.environ.items() if name not in unwanted} | own


if sys.platform == "win32":
    raise ImportError("wampflask.router needs unix sockets and process groups: use Linux, macOS or WSL.")
