"""The site's gunicorn worker: what slow clients can do to others, and that HTTP is otherwise as with gthread."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
import pytest

from tests.apps.visiting import ADMIN
from wampflask.apps.player import media
from wampflask.router.wire import wait_until
from wampflask.testing import free_port

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
WORKERS, THREADS, CONNECTIONS = 2, 2, 100
EACH = 25  # slow clients of a kind
TIMEOUT, RATE = 2, 10_000_000
PATIENCE = 60.0  # seconds: two cores are shared by many
BEAT = 0.05
FILM = b"\x1aE\xdf\xa3\x93B\x82\x84webm" + os.urandom(16 * 1024 * 1024)
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class Served:
    """The site without a router: enough for pages, forms and files."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.log = folder / "web.log"
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "--bind",
            f"127.0.0.1:{self.port}",
            "--worker-class",
            "wampflask.apps.worker.Worker",
        ]
        command += ["--workers", str(WORKERS), "--threads", str(THREADS), "--worker-connections", str(CONNECTIONS)]
        command += ["--no-control-socket", "--graceful-timeout", str(int(PATIENCE)), "wsgi:app"]
        ours = {"WAMPFLASK_CLIENT_TIMEOUT": str(TIMEOUT), "WAMPFLASK_CLIENT_RATE": str(RATE)}
        env = {**os.environ, **ours, "INSTANCE": str(folder), "WAMP_CONNECT_TIMEOUT": "0.2"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def get(self, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        """The answer to a request on a connection of its own."""
        with contextlib.closing(self.connect()) as connection:
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

    def workers(self) -> set[int]:
        """Their process ids."""
        return {child.pid for child in psutil.Process(self.process.pid).children()}

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)


def read_all(raw: socket.socket) -> bytes:
    return b"".join(iter(lambda: raw.recv(65_536), b""))


@pytest.fixture(scope="module")
def served(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served") / "instance"
    shutil.copytree(prepared, folder)
    (folder / media.FOLDER).mkdir()
    (folder / media.FOLDER / "film.webm").write_bytes(FILM)
    site = Served(folder)
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
FORM = b"application/x-www-form-urlencoded"
BODY = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + FORM + b"\r\nContent-Length: %d\r\n\r\n"
FILE = b"GET /player/media/film.webm HTTP/1.1\r\nHost: localhost\r\n\r\n"
RANGE = b"GET /player/media/film.webm HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-\r\n\r\n"
SLOW: dict[str, dict[str, Any]] = {
    "heads": {"first": HEAD},
    "bodies": {"first": BODY % 1000},
    "large bodies": {"first": BODY % 250_000},
    "readers of a file": {"first": FILE, "drips": False},
    "readers of a range": {"first": RANGE, "drips": False},
    "silent ones": {"first": b"", "drips": False},
}


def test_slow_clients_stop_nobody_and_are_dropped(served: Served) -> None:
    kinds = {kind: Slow(served, EACH, **how) for kind, how in SLOW.items()}
    for slow in kinds.values():
        slow.start()
    answered = 0
    try:
        while any(slow.is_alive() for slow in kinds.values()) or answered < 20:
            assert served.get("/login")[0].status == 200
            answered += 1
    finally:
        for slow in kinds.values():
            slow.end()
    assert not {kind for kind, slow in kinds.items() if slow.open}, "the server keeps slow clients"


def test_the_slow_bring_no_others_down(served: Served) -> None:
    """More connections than there may be: those that come closest to being too slow make room."""
    silent = Slow(served, 3 * WORKERS * CONNECTIONS, b"", drips=False)
    silent.start()
    try:
        for _ in range(20):
            assert served.get("/login")[0].status == 200
    finally:
        silent.end()


def test_clients_that_do_not_hang_up_hold_nothing(served: Served) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            raw = stack.enter_context(served.open())
            raw.sendall(b"GET /login HTTP/1.0\r\n\r\n")
            assert read_all(raw).startswith(b"HTTP/1.0 200")
        begun = time.monotonic()
        assert served.get("/login")[0].status == 200
        assert time.monotonic() - begun < 40 * 2.0 / WORKERS, "the loop waits two seconds for each of them"


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ((HEAD,), b"408 "),
        ((BODY % 10, b"abc"), b"408 "),
        ((HEAD + b"x" * 70_000,), b"431 "),
        ((b"POST /login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",), b"411 "),
        ((b"\r\n\r\n",), b"400 "),
        ((b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 2\r\n\r\n",), b"400 "),
        ((b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: %s\r\n\r\n" % (b"9" * 5000),), b"400 "),
        ((b"GET /login HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",), b"200 "),
        (tuple(bytes([byte]) for byte in b"GET /login HTTP/1.0\r\n\r\n"), b"200 "),
        ((BODY % 20_000_000,), b"413 "),
    ],
)
def test_odd_requests_get_an_answer(served: Served, pieces: tuple[bytes, ...], status: bytes) -> None:
    assert served.say(*pieces)[9:13] == status


def test_a_connection_is_used_again_and_requests_may_come_at_once(served: Served) -> None:
    one = b"GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n"
    posted = BODY % 3 + b"a=b"
    last = b"GET /polls/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    found = served.say(one + one + posted + one[:10], one[10:] + last)
    assert re.findall(rb"HTTP/1\.1 (\d+)", found) == [b"200", b"200", b"400", b"200", b"200"]
    with contextlib.closing(served.connect()) as connection:
        for _ in range(3):
            connection.request("GET", "/login")
            assert connection.getresponse().read()
            assert connection.sock, "the server has hung up"


def test_a_client_that_asks_first_is_told_to_go_on(served: Served) -> None:
    with served.open() as raw:
        raw.sendall((BODY % 3).replace(b"Host", b"Expect: 100-continue\r\nHost"))
        assert raw.recv(100).startswith(b"HTTP/1.1 100")
        raw.sendall(b"a=b")
        assert b"HTTP/1.1 400" in raw.recv(65_536)


def test_files_arrive_whole(served: Served) -> None:
    answer, found = served.get("/player/media/film.webm")
    assert answer.status == 200
    assert found == FILM
    answer, found = served.get("/player/media/film.webm", Range="bytes=16000000-16000999")
    assert answer.status == 206
    assert found == FILM[16_000_000:16_001_000]
    with contextlib.closing(served.connect()) as connection:
        connection.request("HEAD", "/player/media/film.webm")
        answer = connection.getresponse()
        assert answer.headers["Content-Length"] == str(len(FILM))
        assert answer.read() == b""


class Admin:
    """Somebody who is logged in."""

    def __init__(self, site: Served) -> None:
        self._site = site
        self._cookies: dict[str, str] = {}
        email, password = ADMIN
        form = urlencode({"email": email, "password": password, "csrf_token": self.token("/login")})
        assert self.send("POST", "/login", form.encode(), "application/x-www-form-urlencoded")[0] == 302

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self._cookies.items())

    def token(self, path: str) -> str:
        found = TOKEN.search(self.send("GET", path)[1].decode())
        assert found
        return found[1]

    def send(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> tuple[int, bytes]:
        headers = {"Cookie": self.cookie} | ({"Content-Type": kind} if kind else {})
        with contextlib.closing(self._site.connect()) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            for line in answer.headers.get_all("Set-Cookie") or ():
                name, _, value = line.partition(";")[0].partition("=")
                self._cookies[name] = value
            return answer.status, answer.read()


def upload_form(token: str, name: str, content: bytes) -> bytes:
    token_part = b'--form\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n%s\r\n' % token.encode()
    file_part = b'--form\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n' % name.encode()
    return token_part + file_part + content + b"\r\n--form--\r\n"


def test_an_admins_upload_arrives_whole_and_one_that_drips_is_ended(served: Served) -> None:
    admin = Admin(served)
    token = admin.token("/admin/media/")
    form = upload_form(token, "new.webm", FILM)
    assert admin.send("POST", "/admin/media/", form, "multipart/form-data; boundary=form")[0] == 302
    assert served.get("/player/media/new.webm")[1] == FILM

    head = "POST /admin/media/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=form\r\n"
    first = f"{head}Cookie: {admin.cookie}\r\nContent-Length: {len(form)}\r\n\r\n".encode() + form[:300_000]
    slow = Slow(served, 2 * THREADS, first)
    slow.start()
    slow.join(PATIENCE)
    slow.end()
    assert not slow.open, "the server keeps slow uploads"


def test_an_answer_on_its_way_is_finished_when_its_worker_stops(served: Served) -> None:
    before = served.workers()
    with served.open() as raw, served.open():
        raw.sendall(FILE.replace(b"1.1", b"1.0"))
        found = raw.recv(1000)
        served.process.send_signal(signal.SIGHUP)
        assert wait_until(lambda: bool(served.workers() - before), PATIENCE)
        found += read_all(raw)
        assert found.endswith(FILM)
    assert wait_until(lambda: not served.workers() & before, PATIENCE)
    assert served.get("/login")[0].status == 200
