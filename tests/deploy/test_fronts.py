"""The whole site behind a real nginx and a real Caddy, with TLS, by what ``flask wamp deploy`` renders."""

from __future__ import annotations

import gzip
import re
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar, Self

import psutil
import pytest
from playwright.sync_api import expect

from rig.browser import chromium
from rig.front import make_certificate
from rig.live_site import LiveSite, live_site_in
from tests.deploy.fronts import Front, check, running
from wampflask.apps import create_app
from wampflask.deploy import deployment as parameters
from wampflask.deploy.deployment import Deployment
from wampflask.router.wire import Wire, wait_until
from wampflask.testing import free_port

pytestmark = pytest.mark.slow

KINDS = ("nginx", "caddy")
FORGED = "6.6.6.6"


@dataclass
class Site:
    """The site, and how it is deployed."""

    live: LiveSite
    deployment: Deployment


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls") / "site.pem")


@pytest.fixture(scope="module")
def site(certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, port = tmp_path_factory.mktemp("instance"), free_port()
    env = {
        "WAMP_PUBLIC_URL": f"wss://localhost:{port}/ws",
        "WAMPFLASK_PROXIES": "1",
        "WAMPFLASK_COOKIE_SECURE": "1",
        "PYTHONPATH": str(Path(__file__).parent),
    }
    origins = ("https://localhost:*",)
    url = f"https://localhost:{port}"
    with live_site_in(folder, url, env=env, app="app_site:app", origins=origins) as live:
        app = create_app(
            {"INSTANCE": folder, "PORT": live.port, "WAMP_PORT": live.node.port, "WAMPFLASK_PUBLIC_URL": url}
        )
        made = replace(
            parameters.of_app(app, "wsgi"),
            https_port=port,
            http_port=free_port(),
            certificate=str(certificate),
            key=str(certificate),
        )
        yield Site(live, made)


@pytest.fixture(scope="module", params=KINDS)
def front(request: pytest.FixtureRequest, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp(request.param)
    with running(request.param, replace(site.deployment, logs=folder), folder) as up:
        yield up


def ticket_of(front: Front, **headers: str) -> dict[str, Any]:
    found: dict[str, Any] = front.read("/wamp/ticket", Sec__Fetch__Site="same-origin", **headers)
    return found


def joined(front: Front) -> Wire:
    """A session through the front, as a browser has it."""
    ticket = ticket_of(front)
    wire = Wire(ticket["url"], ca=str(front.certificate), origin=f"https://{front.address}")
    return wire.join(ticket["realm"], ticket["ticket"], ticket["authid"])


def test_a_page_its_ticket_and_a_call(front: Front) -> None:
    answer, body = front.get("/polls/")
    assert answer.status == 200
    assert b"</html>" in body
    assert answer.headers["Strict-Transport-Security"]
    assert ticket_of(front)["url"] == f"wss://localhost:{front.port}/ws"
    with joined(front) as wire:
        assert len(wire.call("demo.uuid")) == 32


def test_static_files_come_from_the_front(front: Front) -> None:
    answer, body = front.get("/static/css/base.css")
    assert answer.status == 200
    assert body == (Path(__file__).parents[2] / "static/css/base.css").read_bytes()
    assert "gunicorn" not in str(answer.headers.get("Server"))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"].startswith("text/css")


def test_bundles_come_compressed_from_the_front_and_are_kept(front: Front) -> None:
    [path] = re.findall(r'href="(/static/built/site-[^"]+\.css)"', front.get("/")[1].decode())
    answer, body = front.get(path, Accept__Encoding="gzip")
    assert answer.status == 200
    assert answer.headers["Content-Encoding"] == "gzip"
    assert b"--paper" in gzip.decompress(body)
    assert "immutable" in answer.headers["Cache-Control"]
    assert "gunicorn" not in str(answer.headers.get("Server"))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"].startswith("text/css")


def test_the_site_sees_the_clients_address_and_not_a_forged_one(front: Front) -> None:
    forged = {
        "X__Forwarded__For": FORGED,
        "X__Forwarded__Host": "evil.example",
        "X__Forwarded__Prefix": "/evil",
        "X__Forwarded__Proto": "http",
        "Forwarded": f"for={FORGED}",
        "SCRIPT_NAME": "/evil",
    }
    for source in ("127.0.0.2", "127.0.0.3"):
        seen = front.read("/seen", source=source, **forged)
        assert seen == {"address": source, "root": f"https://{front.address}/", "secure": True}


def test_too_large_a_body_is_refused_but_for_an_upload(front: Front) -> None:
    large = b"x" * (front.deployment.body_max + 10_000)
    refused = (413, 502)  # 502 from Caddy before 2.7
    assert front.get("/login", body=large)[0].status in refused
    [upload] = front.deployment.uploads
    answer, _ = front.get(upload, body=large)
    assert answer.status not in refused or "Content-Security-Policy" in answer.headers, (
        "the site itself says it, as nobody is logged in"
    )


def test_no_secret_gets_into_the_log(front: Front) -> None:
    front.get("/polls/?code=a-secret", Cookie="wampflask_session=a-cookie")
    [log] = front.deployment.logs.glob("*/*.log")
    assert wait_until(lambda: "/polls/" in log.read_text(), 5)
    said = log.read_text()
    assert "a-secret" not in said
    assert "a-cookie" not in said


def connect_a_browser(front: Front) -> None:
    with chromium() as browser:
        context = browser.new_context(ignore_https_errors=True)
        page = context.new_page()
        page.goto(f"https://{front.address}/demo/")
        expect(page.locator("html")).to_have_attribute("data-connection", "open", timeout=20_000)
        context.close()


def test_a_browser_is_connected(front: Front) -> None:
    with ThreadPoolExecutor(1) as pool:  # the browser of other tests in this process has its loop in this thread
        pool.submit(connect_a_browser, front).result(timeout=90)


class Recorder(BaseHTTPRequestHandler):
    """Stands for the router: keeps what it is sent."""

    heads: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        self.heads.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("kind", KINDS)
def test_the_router_gets_the_clients_address_and_no_cookie(kind: str, site: Site, tmp_path: Path) -> None:
    router = HTTPServer(("127.0.0.1", 0), Recorder)
    thread = threading.Thread(target=router.serve_forever)
    thread.start()
    other = replace(site.deployment, wamp_port=router.server_port, https_port=free_port(), http_port=free_port())
    try:
        with running(kind, replace(other, logs=tmp_path), tmp_path) as front:
            Recorder.heads.clear()
            front.get(
                "/ws", X__Forwarded__For=FORGED, Cookie="secret=1", Authorization="Basic secret", Origin="https://a"
            )
    finally:
        router.shutdown()
        router.server_close()
        thread.join()
    [head] = Recorder.heads
    assert head["x-forwarded-for"] == "127.0.0.2"
    assert head["origin"] == "https://a"
    assert not {"cookie", "authorization"} & set(head)


@pytest.mark.parametrize("kind", KINDS)
def test_the_program_takes_its_file(kind: str, site: Site, tmp_path: Path) -> None:
    from tests.deploy.fronts import write

    said = check(kind, write(kind, replace(site.deployment, logs=tmp_path), tmp_path))
    assert "emerg" not in said


def test_plain_http_is_sent_on(site: Site, tmp_path: Path) -> None:
    other = replace(site.deployment, logs=tmp_path, https_port=free_port(), http_port=free_port())
    with (
        running("nginx", other, tmp_path),
        socket.create_connection(("127.0.0.1", other.http_port)) as plain,
    ):
        plain.sendall(b"GET /polls/?a=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        head = plain.makefile("rb").read()
    assert b" 301 " in head
    assert f"Location: https://localhost:{other.https_port}/polls/?a=1".encode() in head


class Load:
    """Threads that load pages and call, through the front, until they are stopped; what went wrong."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._pages, self._pages, self._calls)]
        self.failures: list[str] = []
        self.done = {"pages": 0, "calls": 0}

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _pages(self) -> None:
        while not self._stopping.is_set():
            answer, body = self._front.get("/seen")
            if answer.status != 200:
                self.failures.append(f"{answer.status} {body[:200]!r}")
            self.done["pages"] += 1

    def _calls(self) -> None:
        with joined(self._front) as wire:
            while not self._stopping.wait(0.03):  # a page may do 50 a second
                try:
                    wire.call("demo.uuid")
                except Exception as error:  # whatever it is, it is a failure
                    self.failures.append(repr(error))
                self.done["calls"] += 1


def test_a_reload_under_load_loses_nothing(front: Front, site: Site) -> None:
    master = psutil.Process(site.live.pid)
    with Load(front) as load:
        for _ in range(2):
            old = {child.pid for child in master.children() if child.status() != psutil.STATUS_ZOMBIE}
            begun = dict(load.done)
            master.send_signal(signal.SIGHUP)
            assert wait_until(lambda old=old: not old & set(map(_alive, master.children())), 60)  # type: ignore[misc]
            assert wait_until(lambda begun=begun: all(load.done[what] > begun[what] + 20 for what in begun), 60)  # type: ignore[misc]
    assert load.failures == []


def _alive(process: psutil.Process) -> int:
    return process.pid if process.status() != psutil.STATUS_ZOMBIE else 0
