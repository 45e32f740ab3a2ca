"""Requests to addresses that others name: to the internet, and nowhere else."""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rig.front import make_certificate
from wampflask.config import Config
from wampflask.errors import ConfigError
from wampflask.outgoing import ANSWER_MAX, Allowed, Forbidden, Outgoing, Unreachable

INSIDE = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "0.1.2.3",
    "10.1.2.3",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "192.168.1.1",
    "192.88.99.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
OUTSIDE = ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]


def resolving(*answers: list[str]) -> Callable[..., list[tuple[Any, ...]]]:
    """A resolver that gives these addresses, one list after another; the last one from then on."""
    left = list(answers)

    def resolve(_host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        found = left.pop(0) if len(left) > 1 else left[0]
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in found
        ]

    return resolve


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_inside_a_network_is_reached(address: str) -> None:
    with pytest.raises(Forbidden, match="WAMP_BRIDGE_ALLOW"):
        Outgoing(Allowed(), resolve=resolving([address])).check("https://callback.example/")
    with pytest.raises(Forbidden, match="WAMP_BRIDGE_ALLOW"):
        Outgoing(Allowed(), resolve=resolving(["1.1.1.1", address])).post("https://callback.example/", b"{}")


@pytest.mark.parametrize("address", OUTSIDE)
def test_addresses_of_the_internet_are_reached(address: str) -> None:
    Outgoing(Allowed(), resolve=resolving([address])).check("https://callback.example/")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://localhost/",
        "http://[::1]/",
        "http://[::ffff:7f00:1]/",
        "http://0/",
    ],
)
def test_spellings_of_this_machine_are_not_reached(url: str) -> None:
    with pytest.raises((Forbidden, Unreachable)):
        Outgoing(Allowed()).post(url, b"{}")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "callback.example/",
        "//callback.example/",
        "ftp://callback.example/",
        "file:///etc/passwd",
        "gopher://callback.example/",
        "https://",
        "https:///path",
        "https://user:word@callback.example/",
        "https://user@callback.example/",
        "https://callback.example/#part",
        "https://callback.example:0/",
        "https://callback.example:65536/",
        "https://callback.example/a b",
        "https://callback.example/a\r\nX-Header: 1",
        "https://callback.example\\@127.0.0.1/",
        "https://cällback.example/",
        "https://[::1/",
        "https://callback.example/" + "x" * 2000,
    ],
)
def test_what_is_no_url_to_post_to_is_refused(url: str) -> None:
    with pytest.raises(Forbidden, match="is not a URL to post to"):
        Outgoing(Allowed(), resolve=resolving(["1.1.1.1"])).check(url)


def test_networks_and_hosts_can_be_allowed() -> None:
    allowed = Allowed.parse("10.0.0.0/8, hub.lan ,::1/128")
    Outgoing(allowed, resolve=resolving(["10.1.2.3", "::1", "::ffff:10.0.0.1"])).check("http://callback.example/")
    Outgoing(allowed, resolve=resolving(["192.168.1.2"])).check("http://HUB.lan/")
    for host, address in (("callback.example", "192.168.1.2"), ("hub.lan.example", "192.168.1.2")):
        with pytest.raises(Forbidden):
            Outgoing(allowed, resolve=resolving([address])).check(f"http://{host}/")


@pytest.mark.parametrize("wrong", ["10.0.0.0/33", "10.0.0.1/8", "http://hub.lan", "*", "10.0.0"])
def test_what_cannot_be_allowed_stops_the_start(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="WAMP_BRIDGE_ALLOW"):
        Config.from_mapping({"WAMP_BRIDGE_ALLOW": wrong}, tmp_path)


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers by what the path says, and keeps what came."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, dict(self.headers), body))  # type: ignore[attr-defined]
        what = self.path.partition("?")[0]
        if what == "/redirect":
            self.send_response(307)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        if what == "/large":
            self.end_headers()
            self.wfile.write(b"x" * (ANSWER_MAX + 1))
            return
        if what == "/slow":
            self.end_headers()
            try:
                while not self.server.ended:  # type: ignore[attr-defined]
                    self.wfile.write(b" ")
                    time.sleep(0.05)
            except OSError:
                return
            return
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[Any]:
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    server.heard, server.ended = [], False
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="wampflask-test-server")
    thread.start()
    try:
        yield server
    finally:
        server.ended = True
        server.shutdown()
        server.server_close()
        thread.join()


LOOPBACK = Allowed(["127.0.0.0/8"])


def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """A name that means another address a moment later (DNS rebinding) makes no difference."""
    with serving() as server:
        port = server.server_port
        rebinding = Outgoing(Allowed(["127.0.0.1/32"]), resolve=resolving(["127.0.0.1"], ["127.0.0.2"]))
        answer = rebinding.post(f"http://callback.example:{port}/path?own=1", b'{"a": 1}', "key=k")
        assert (answer.status, answer.body) == (200, b"{}")
        path, headers, body = server.heard[0]
        assert (path, headers["Host"], body) == ("/path?own=1&key=k", f"callback.example:{port}", b'{"a": 1}')
        with pytest.raises(Forbidden, match=r"127\.0\.0\.2"):
            rebinding.post(f"http://callback.example:{port}/", b"{}")
        assert len(server.heard) == 1


def test_one_look_up_is_both_checked_and_connected_to() -> None:
    asked: list[str] = []
    answers = resolving(["127.0.0.1"], ["127.0.0.2"])

    def resolve(host: str, port: int, **more: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        return answers(host, port, **more)

    with serving() as server:
        Outgoing(LOOPBACK, resolve=resolve).post(f"http://callback.example:{server.server_port}/", b"{}")
    assert asked == ["callback.example"]


def test_redirects_are_not_followed() -> None:
    with serving() as server:
        answer = Outgoing(LOOPBACK).post(f"http://127.0.0.1:{server.server_port}/redirect", b"{}")
        assert answer.status == 307
        assert len(server.heard) == 1


def test_large_answers_are_given_up() -> None:
    with serving() as server, pytest.raises(Unreachable, match="more than 65536 bytes"):
        Outgoing(LOOPBACK).post(f"http://127.0.0.1:{server.server_port}/large", b"{}")


def test_an_answer_that_drips_is_given_up_in_time() -> None:
    with serving() as server, pytest.raises(Unreachable, match=r"no whole answer in 0\.5 s"):
        Outgoing(LOOPBACK, 0.5).post(f"http://127.0.0.1:{server.server_port}/slow", b"{}")


def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Unreachable, match="no whole answer"):
        Outgoing(LOOPBACK, 0.3).post(f"http://127.0.0.1:{silent.getsockname()[1]}/", b"{}")
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Unreachable, match="no whole answer"):
        Outgoing(LOOPBACK, 0.3).post(f"https://127.0.0.1:{silent.getsockname()[1]}/", b"{}")


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as proxy, serving() as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_port}")
        Outgoing(LOOPBACK).post(f"http://127.0.0.1:{server.server_port}/", b"{}")
        assert (len(proxy.heard), len(server.heard)) == (0, 1)


def test_a_refused_connection_is_an_error_of_ours() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unreachable, match="ConnectionRefusedError"):
        Outgoing(LOOPBACK).post(f"http://127.0.0.1:{port}/", json.dumps({}).encode())


def test_a_certificate_must_be_that_of_the_name(tmp_path: Path) -> None:
    file = make_certificate(tmp_path / "callback.pem", "callback.example")
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(file)
    resolve = resolving(["127.0.0.1"])
    with serving(theirs) as server:
        port = server.server_port
        trusting = Outgoing(LOOPBACK, resolve=resolve, context=ssl.create_default_context(cafile=str(file)))
        assert trusting.post(f"https://callback.example:{port}/", b"{}").status == 200
        assert server.heard[0][1]["Host"] == f"callback.example:{port}"
        with pytest.raises(Unreachable, match="SSLCertVerificationError"):
            trusting.post(f"https://another.example:{port}/", b"{}")
        with pytest.raises(Unreachable, match="SSLCertVerificationError"):
            Outgoing(LOOPBACK, resolve=resolve).post(f"https://callback.example:{port}/", b"{}")
