"""The README's example: taken from the page, started as the page says, used from outside."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from wampflask.router import wire
from wampflask.testing import Wire, free_port

ROOT = Path(__file__).resolve().parents[2]


def fences(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found: list[tuple[str, str]] = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for name, block in found if name == language]


class Example:
    """The example app, and a router for it, each started by the README's own command line."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port, self.wamp_port = free_port(), free_port()
        crossbar = ROOT / ".crossbar" / "venv" / "bin" / "crossbar"
        self._env = {name: value for name, value in os.environ.items() if not name.startswith(("WAMP", "FLASK"))}
        self._env |= {"PORT": str(self.port), "WAMP_PORT": str(self.wamp_port), "WAMPFLASK_CROSSBAR": str(crossbar)}
        self._env |= {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        self._log = (folder / "log").open("w+")
        source = next(block for block in fences("python") if block.startswith("# app.py"))
        (folder / "app.py").write_text(source)
        commands = [line for block in fences("") for line in block.splitlines() if line.startswith("flask ")]
        commands = [line.rstrip(" &").replace("8080", str(self.port)) for line in commands]
        self._programs = [self._start(line, folder) for line in commands]

    def _start(self, line: str, folder: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            line.split(), cwd=folder, env=self._env, stdout=self._log, stderr=self._log, start_new_session=True
        )

    def serve_by_two_workers(self) -> None:
        """Have gunicorn serve the pages from now on."""
        self.port = free_port()
        server = f"gunicorn --no-control-socket --bind 127.0.0.1:{self.port} --workers 2 app:create_app()"
        self._programs.append(self._start(server, self._folder))
        self.wait("/wamp/ticket")
        with Wire(str(self.request("/wamp/ticket")["url"]), origin=f"http://localhost:{self.port}") as page:
            ticket = self.request("/wamp/ticket")
            page.join(str(ticket["realm"]), str(ticket["ticket"]))
            assert wire.wait_until(lambda: can_call(page), 10), self.log

    @property
    def log(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def request(self, path: str, *, post: bool = False) -> dict[str, object]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method="POST" if post else "GET")
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, object] = json.load(answer)
            return found

    def wait(self, path: str) -> dict[str, object]:
        """Ask until there is an answer."""
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.request(path)
            except (OSError, urllib.error.URLError):
                assert time.monotonic() < deadline, self.log
                time.sleep(0.1)

    def page(self) -> Wire:
        """A browser's session. The router may still be starting."""
        ticket = self.wait("/wamp/ticket")
        deadline = time.monotonic() + 30
        while True:
            try:
                page = Wire(str(ticket["url"]), origin=f"http://127.0.0.1:{self.port}")
                return page.join(str(ticket["realm"]), str(ticket["ticket"]))
            except OSError:
                assert time.monotonic() < deadline, self.log
                time.sleep(0.1)

    def close(self) -> None:
        for program in reversed(self._programs):
            program.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(10)
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGKILL)
                program.wait()
        self._log.close()


@pytest.fixture
def example() -> Iterator[Example]:
    folder = Path(tempfile.mkdtemp(prefix="wf-"))
    running = Example(folder)
    yield running
    running.close()
    shutil.rmtree(folder)


def test_the_example_has_about_twenty_lines() -> None:
    source = next(block for block in fences("python") if block.startswith("# app.py"))
    assert len([line for line in source.splitlines() if line.strip()]) <= 24


def can_call(page: Wire) -> bool:
    """Whether the app has joined, too."""
    try:
        page.call("shop.stock", "tea")
    except wire.Refused:
        return False
    return True


def test_the_example_publishes_calls_and_is_called(example: Example) -> None:
    with example.page() as page:
        assert wire.wait_until(lambda: can_call(page), 10), example.log
        assert page.ask(wire.SUBSCRIBE, "shop.sold.tea")[0] == wire.SUBSCRIBED
        assert example.request("/buy/tea", post=True) == {"tea": 11}
        event = page.receive()
        assert (event[0], event[4]) == (wire.EVENT, [{"tea": 11}])
        assert page.call("shop.stock", "tea") == {"tea": 11}
    example.serve_by_two_workers()
    answers = [example.request("/buy/tea", post=True)["tea"] for _ in range(8)]
    assert answers == list(range(10, 2, -1)), "both workers have one stock"
