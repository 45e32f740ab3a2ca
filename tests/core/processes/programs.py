"""What the tests with real processes share: programs to start and end, and a look at the router from outside."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import psutil
from flask import Flask

from wampflask import WAMP
from wampflask._client import Client
from wampflask.router import wire
from wampflask.router.wire import Refused, Wire
from wampflask.testing import RouterNode

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
BIN = Path(sys.executable).parent
READY = 20.0
"""Seconds a program may take to be up: generous, because the machine may be busy."""

STRICT = "error,ignore:isSet() is deprecated:DeprecationWarning"
"""Python's warnings filter of the programs: as strict as pytest's own."""


def at_most(seconds: float) -> float:
    """A limit in seconds, stretched when far more programs want to run than the machine has cores for."""
    crowd = os.getloadavg()[0] / (os.cpu_count() or 1)
    return seconds * max(1.0, crowd - 1)


def eventually(condition: Callable[[], Any], what: Callable[[], str] | str, timeout: float = READY) -> Any:
    """Wait until ``condition`` holds, and return its value; ``what`` says what is missing when it does not."""
    deadline = time.monotonic() + at_most(timeout)
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"After {timeout:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.02)
    return value


def unique() -> str:
    """A first component for URIs of one test, so that tests can share a router."""
    return f"t{secrets.token_hex(4)}"


def is_gone(pid: int) -> bool:
    """Whether a process has ended, reaped or not."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def gunicorn(port: int, *options: str, workers: int = 2, kind: str = "gthread") -> list[str | Path]:
    """The command that serves ``app_small.py``."""
    fixed = ["--no-control-socket", "--bind", f"127.0.0.1:{port}", "--workers", str(workers), "--worker-class", kind]
    return [BIN / "gunicorn", *fixed, *options, "app_small:app"]


def flask(*words: str) -> list[str | Path]:
    """A ``flask`` command for ``app_small.py``."""
    return [BIN / "flask", "--app", "app_small:app", *words]


class Program:
    """A program in a process group of its own, what it says kept in a file. Leaving the context kills what is left."""

    def __init__(
        self, command: Sequence[str | Path], folder: Path, env: Mapping[str, str], *, piped: bool = False
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._output = folder / f"{secrets.token_hex(4)}.log"
        pipe = subprocess.PIPE if piped else None
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                cwd=folder,
                env={**clean_environment(), **env},
                stdin=pipe or subprocess.DEVNULL,
                stdout=pipe or output,
                stderr=output,
                text=True,
                start_new_session=True,
            )
        self.pid = self.process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def said(self) -> str:
        """Everything it has said so far."""
        return self._output.read_text(encoding="utf-8", errors="replace")

    def children(self) -> list[int]:
        """The pids of its children."""
        return [child.pid for child in psutil.Process(self.pid).children()]

    def end(self, number: signal.Signals = signal.SIGTERM, timeout: float = 10.0) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.wait(timeout)

    def wait(self, timeout: float = 10.0) -> int:
        """Wait for its end and return the exit code."""
        try:
            return self.process.wait(at_most(timeout))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"It still runs after {timeout:g} s and said:\n{self.said()[-3000:]}") from None

    def assert_quiet(self, *expected: str) -> None:
        """Fail when it said of an error nobody handled, or of a warning, in a line without one of ``expected``."""
        bad = ("Traceback", "Unhandled", "Warning:", "Exception ignored", "CRITICAL")
        lines = [line for line in self.said().splitlines() if any(word in line for word in bad)]
        lines = [line for line in lines if not any(word in line for word in expected)]
        assert not lines, f"Noise in its log: {lines}\n{self.said()[-4000:]}"


class Remote(Program):
    """A Python program of ours that does what it is asked, line by line: see ``app_remote.py``."""

    def __init__(self, folder: Path, env: Mapping[str, str], *, script: Path = HERE / "app_remote.py") -> None:
        super().__init__([sys.executable, script], folder, env, piped=True)

    def start(self, what: str, *args: Any) -> None:
        """Ask without waiting for the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([what, *args]) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        """The answer to the oldest question that has none yet."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"The program ended with {self.wait()} and said:\n{self.said()[-3000:]}"
        return json.loads(line)

    def ask(self, what: str, *args: Any) -> Any:
        """Ask, and return the answer."""
        self.start(what, *args)
        return self.answer()

    def leave(self, timeout: float = 10.0) -> int:
        """Close its stdin, at which it ends by itself; the exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.wait(timeout)


def clean_environment() -> dict[str, str]:
    """Ours, without what belongs to pytest, gunicorn or other apps."""
    unwanted = ("WAMP_", "FLASK_", "PYTEST_", "GUNICORN_", "WERKZEUG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": STRICT}


def configuration(node: RouterNode, realm: str | None = None) -> dict[str, str]:
    """The ``WAMP_*`` keys of an app that joins ``node``."""
    return {"WAMP_URL": node.url, "WAMP_REALM": realm or node.realm, "WAMP_TICKET_SECRET": node.secret}


class Probe:
    """A backend's session from outside the library, with the router's own counts."""

    def __init__(self, node: RouterNode, realm: str | None = None) -> None:
        self.wire = node.backend(realm)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    def callees(self, uri: str, match: str = "exact") -> int:
        """How many sessions have registered ``uri``."""
        found = self.wire.call("wamp.registration.lookup", uri, {"match": match})
        return self._count("wamp.registration.count_callees", found)

    def providers(self, uri: str) -> set[int]:
        """The sessions that have registered ``uri``."""
        found = self.wire.call("wamp.registration.lookup", uri)
        if found is not None:
            with contextlib.suppress(Refused):  # it ended between the two questions
                return set(self.wire.call("wamp.registration.list_callees", found))
        return set()

    def subscribers(self, topic: str, match: str = "exact") -> int:
        """How many sessions have subscribed to ``topic``."""
        found = self.wire.call("wamp.subscription.lookup", topic, {"match": match})
        return self._count("wamp.subscription.count_subscribers", found)

    def _count(self, procedure: str, number: int | None) -> int:
        if number is None:
            return 0
        with contextlib.suppress(Refused):  # it ended between the two questions
            return int(self.wire.call(procedure, number))
        return 0

    def sessions(self) -> set[int]:
        """The ids of all sessions of the realm."""
        return set(self.wire.call("wamp.session.list"))

    def kill(self, session: int, reason: str | None = None) -> None:
        """End a session, as an administrator would."""
        request = next(self.wire.requests)
        options = {} if reason is None else {"reason": reason}
        self.wire.send([wire.CALL, request, {}, "wamp.session.kill", [session], options])
        answer = self.wire.receive()
        assert answer[:2] == [wire.RESULT, request], answer

    def call(self, uri: str, *args: Any) -> Any:
        """Call a procedure of the tests' apps."""
        return self.wire.call(uri, *args)


class Listener:
    """A session that hears one topic."""

    def __init__(self, node: RouterNode, topic: str, realm: str | None = None, **options: Any) -> None:
        self.wire = node.backend(realm)
        answer = self.wire.ask(wire.SUBSCRIBE, topic, options=options)
        assert answer[0] == wire.SUBSCRIBED, answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    def next(self, timeout: float = 10.0) -> list[Any]:
        """The arguments of the next event.

        :raises TimeoutError: when none comes.
        """
        event = self.wire.receive(timeout)
        assert event[0] == wire.EVENT, event
        return list(event[4]) if len(event) > 4 else []

    def all(self, quiet: float = 0.5) -> list[list[Any]]:
        """The arguments of every event until none comes for ``quiet`` seconds."""
        events = []
        with contextlib.suppress(TimeoutError):
            while True:
                events.append(self.next(quiet))
        return events


def get(url: str, timeout: float = 15.0) -> tuple[int, Any]:
    """Status and JSON (or text) of a page."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            status, text = error.code, error.read().decode()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text


def make_app(
    node_keys: Mapping[str, Any], folder: Path, wamp: WAMP, name: str = "tested", *, serve: bool | None = None
) -> Flask:
    """A Flask app in this process that is to join a router."""
    app = Flask(name, instance_path=str(folder))
    app.config.update(node_keys)
    wamp.init_app(app, serve=serve)
    return app


def client_of(app: Flask) -> Client:
    """What stands behind ``wamp`` in ``app``."""
    client: Client = app.extensions["wamp"]
    return client


@contextlib.contextmanager
def connected(app: Flask, wamp: WAMP) -> Iterator[Client]:
    """In ``app``'s context and connected; stopped at the end."""
    with app.app_context():
        try:
            wamp.connect()
            yield client_of(app)
        finally:
            client_of(app).stop()


def raw_call(session: Wire, uri: str, *args: Any) -> int:
    """Send a call without waiting; its request number."""
    request = next(session.requests)
    session.send([wire.CALL, request, {}, uri, list(args)])
    return request
