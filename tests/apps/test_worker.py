"""The site's gunicorn worker: what slow clients can do to others, and that HTTP is otherwise as with gthread."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import selectors
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.apps.visiting import ADMIN
from wampflask.apps.player import media
from wampflask.router.wire import wait_until
from wampflask.testing import free_port

ROOT = Path(__file__).resolve().parents[2]
WORKERS, THREADS, CONNECTIONS = 2, 2, 150
TIMEOUT, RATE = 3, 1_000_000
PATIENCE = 60.0  # seconds: two cores are shared by many
BEAT = 0.05
FILM = b"\x1aE\xdf\xa3\x93B\x82\x84webm" + os.urandom(16 * 1024 * 1024)
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class Served:
    """The site without a router: enough for pages, forms and files."""

    def __init__(self, folder: Path, kind: str = "wampflask.apps.worker.Worker") -> None:
        self.port = free_port()
        self.log = folder / "web.log"
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}", "--worker-class", kind]
        command += ["--workers", str(WORKERS), "--threads", str(THREADS), "--worker-connections", str(CONNECTIONS)]
        command += ["--no-control-socket", "--graceful-timeout", "2", "wsgi:app"]
        ours = {"WAMPFLASK_CLIENT_TIMEOUT": str(TIMEOUT), "WAMPFLASK_CLIENT_RATE": str(RATE)}
        env = {**os.environ, **ours, "INSTANCE": str(folder), "WAMP_CONNECT_TIMEOUT": "0.2"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def get(self, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        """The answer to a request on a connection of its own."""
        connection = self.connect()
        with contextlib.closing(connection):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer, answer.read()

    def is_up(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get("/login")[0].status == 200
        return False

    def open(self, buffer: int = 0) -> socket.socket:
        """A bare connection, with a small window if told so."""
        raw = socket.socket()
        if buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        raw.connect(("127.0.0.1", self.port))
        raw.settimeout(PATIENCE)
        return raw

    def say(self, *pieces: bytes) -> bytes:
        """Send pieces one after the other, and return all that comes until the server hangs up."""
        with self.open() as raw:
            for piece in pieces:
                raw.sendall(piece)
                time.sleep(BEAT)
            return read_all(raw)

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def read_all(raw: socket.socket) -> bytes:
    found = b""
    while data := raw.recv(65_536):
        found += data
    return found


@pytest.fixture(scope="module")
def served(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served") / "instance"
    shutil.copytree(prepared, folder)
    (folder / media.FOLDER).mkdir()
    (folder / media.FOLDER / "film.webm").write_bytes(FILM)
    site = Served(folder, os.environ.get("KIND") or "wampflask.apps.worker.Worker")
    try:
        assert wait_until(site.is_up, 30), site.log.read_text()
        yield site
        assert "Traceback" not in site.log.read_text()
    finally:
        site.end()


class Slow(threading.Thread):
    """Clients that begin with ``first`` and then, each beat, send a byte and read a few, until the server hangs up."""

    def __init__(self, site: Served, count: int, first: bytes, *, drips: bool = True, reads: int = 100) -> None:
        super().__init__()
        self._drips = drips
        self._reads = reads
        self._quit = threading.Event()
        self.open = set()
        for _ in range(count):
            raw = site.open(buffer=4096)
            raw.sendall(first)
            raw.setblocking(False)
            self.open.add(raw)

    def run(self) -> None:
        while self.open and not self._quit.wait(BEAT):
            for raw in tuple(self.open):
                try:
                    if self._drips:
                        raw.send(b"x")
                    gone = self._reads and not raw.recv(self._reads)
                except BlockingIOError:
                    gone = False
                except OSError:
                    gone = True
                if gone:
                    self.open.remove(raw)
                    raw.close()

    def end(self) -> None:
        self._quit.set()
        self.join()
        for raw in self.open:
            raw.close()


HEAD = b"GET /polls/ HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
BODY = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"
FILE = b"GET /player/media/film.webm HTTP/1.1\r\nHost: localhost\r\n\r\n"
RANGE = b"GET /player/media/film.webm HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-\r\n\r\n"
SLOW = {
    "heads": {"first": HEAD},
    "bodies": {"first": BODY % 1000},
    "large bodies": {"first": BODY % 250_000},
    "readers of a file": {"first": FILE, "drips": False},
    "readers of a range": {"first": RANGE, "drips": False},
    "silent ones": {"first": b"", "drips": False},
}


@pytest.mark.parametrize("kind", SLOW)
def test_slow_clients_stop_nobody_and_are_dropped(served: Served, kind: str) -> None:
    slow = Slow(served, 100, **SLOW[kind])
    slow.start()
    answered = 0
    try:
        while slow.is_alive() or answered < 20:
            assert served.get("/login")[0].status == 200
            answered += 1
    finally:
        slow.end()
    assert not slow.open, "the server keeps slow clients"
