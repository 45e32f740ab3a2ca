"""``flask wamp dev``: the router and the pages side by side, for one developer on one machine.

The pages are ``flask run --debug``. Each time that has loaded the app, its worker hands over the permissions, and the
router's configuration is written; where anything else of it has changed, the router is started again. So what the code
declares is in force.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from .autoconnect import DEVELOPED
from .router.node import Process, RouterError, find_crossbar, is_free, running_node

POLL = 0.1
_PORTS = 100  # tried for the router, when its own is taken and nobody chose it
_END = 5.0  # seconds that the pages have to end

Report = Callable[[str], None]


def check(folder: Path, port: int) -> None:
    """See that nothing is in the way.

    :param folder: the node's.
    :param port: of the pages.
    :raises RouterError: naming what is, and the remedy.
    """
    find_crossbar()
    if pid := running_node(folder):
        raise RouterError(f"This app's router runs already, as process {pid}. End it first: wamp dev starts its own.")
    if not is_free(port, "127.0.0.1"):
        raise RouterError(f"Port {port} is in use. Choose another for the pages: flask wamp dev --port {port + 1}")


def free_router_port(wanted: int, interface: str, pages: int) -> int:
    """Return ``wanted``, or the next port that nobody listens on.

    :raises RouterError: there is none.
    """
    for port in range(wanted, min(wanted + _PORTS, 65536)):
        if port != pages and is_free(port, interface):
            return port
    raise RouterError(f"No port from {wanted} on is free for the router. Choose one: WAMP_PORT={wanted + _PORTS}")


def answers(port: int) -> bool:
    """Return whether the pages are served."""
    connection = HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/wamp/client.js")
        connection.getresponse()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return True


class Router:
    """The running router, and the configuration that it was started with.

    :param config: the file.
    :param joinable: whether browsers and workers can join now.
    """

    def __init__(self, config: Path, joinable: Callable[[], bool]) -> None:
        self._config = config
        self._joinable = joinable
        self._start()

    def _start(self) -> None:
        """Start a process with its output in a file: it is long, and only matters when something fails."""
        self._started_with = self._read()
        log = self._config.with_name("router.log")
        with log.open("w", encoding="utf-8") as output:
            self._process = Process(self._config.parent, output, loglevel="warn")
        try:
            self._process.wait_ready(self._joinable)
        except BaseException as error:
            self._process.kill()
            if isinstance(error, RouterError):
                raise RouterError(f"{error} ({log})") from None
            raise

    def _read(self) -> Any:
        """Return the configuration without the permissions, which workers change."""
        found = json.loads(self._config.read_text(encoding="utf-8"))
        for component in found["workers"][0]["components"]:
            del component["extra"]["rules"]
        return found

    def follow(self, report: Report) -> None:
        """Start it again when its configuration has changed, or when it has ended."""
        if self._read() != self._started_with:
            report("The router's configuration has changed: starting it again.")
        elif not self._process.running:
            report("The router has ended: starting it again.")
        else:
            return
        self._process.stop()
        self._start()
        report("The router is ready.")

    def stop(self) -> None:
        """End it."""
        self._process.stop()


def run(port: int, router: Callable[[], Router], *, is_served: Callable[[], bool], report: Report) -> int:
    """Run both until Ctrl-C, SIGTERM, or the end of the pages; the exit code.

    :param port: of the pages.
    :param router: starts it.
    :param is_served: whether a worker has joined.
    :raises RouterError: the router does not start.
    """
    with _ending_by_signals(), contextlib.suppress(KeyboardInterrupt):
        report("Starting the router and the pages …")
        running = router()
        try:
            return _serve(port, running, is_served, report)
        finally:
            running.stop()
    return 0


def _serve(port: int, router: Router, is_served: Callable[[], bool], report: Report) -> int:
    pages = subprocess.Popen([*_flask(), "run", "--debug", "--port", str(port)], env={**os.environ, DEVELOPED: "1"})
    ready = False
    try:
        while pages.poll() is None:
            router.follow(report)
            if not ready and is_served():
                ready = True
                report(f"Ready: http://localhost:{port} (reloads when the code changes; Ctrl-C ends it)")
            time.sleep(POLL)
    finally:
        _end(pages)
    return pages.returncode


def _flask() -> list[str]:
    """Return the command line up to ``wamp dev``: the same program, with the same ``--app``."""
    given = sys.orig_argv
    end = max(place for place in range(len(given)) if given[place : place + 2] == ["wamp", "dev"])
    return [sys.executable, *given[1:end]]


def _end(pages: subprocess.Popen[bytes]) -> None:
    """End the processes; Ctrl+C in a terminal has reached them as well."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        pages.wait(0.5)
    pages.terminate()
    try:
        pages.wait(_END)
    except subprocess.TimeoutExpired:
        pages.kill()
        pages.wait()


@contextmanager
def _ending_by_signals() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end this as Ctrl-C does, so that no router is left behind."""

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
