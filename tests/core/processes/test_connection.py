"""Whatever ends a session, or keeps one from being joined: it is tried again, at once but not in a hot loop."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from flask import Flask

from tests.core.processes.programs import Probe, at_most, client_of, configuration, connected, eventually, make_app
from tests.core.processes.relay import Relay
from wampflask import WAMP, NotConnected, WampTimeout, _link, signals
from wampflask._client import Client
from wampflask.options import CallOptions
from wampflask.router import wire
from wampflask.testing import RouterNode

CANCEL = 49
RAWSOCKET = b"\x7f\xf1\x00\x00"


@pytest.mark.parametrize("reason", [None, "wamp.close.normal", "tests.close.reason"])
def test_a_killed_session_is_joined_again(
    reason: str | None, node: RouterNode, probe: Probe, prefix: str, tmp_path: Path
) -> None:
    wamp = WAMP()
    app = make_app(configuration(node), tmp_path, wamp)
    wamp.register(f"{prefix}.echo")(lambda value: value)
    wamp.subscribe(f"{prefix}.event")(lambda: None)
    with connected(app, wamp) as client:
        first = wamp.status.session
        assert first is not None
        probe.kill(first, reason)
        eventually(lambda: wamp.status.ready and wamp.status.session != first, lambda: f"ready again: {wamp.status}", 5)
        assert first not in probe.sessions()
        assert (probe.callees(f"{prefix}.echo"), probe.subscribers(f"{prefix}.event")) == (1, 1)
        assert wamp.call(f"{prefix}.echo", 7) == 7
        assert (client.counters["joined"], client.counters["lost"]) == (2, 1)


def test_a_worker_may_join_over_websocket(node: RouterNode, probe: Probe, prefix: str, tmp_path: Path) -> None:
    wamp = WAMP()
    app = make_app({**configuration(node), "WAMP_URL": node.ws_url}, tmp_path, wamp)
    heard: list[int] = []
    wamp.register(f"{prefix}.echo")(lambda value: value)
    wamp.subscribe(f"{prefix}.event")(heard.append)
    with connected(app, wamp):
        assert probe.call(f"{prefix}.echo", "ä") == "ä"
        first = wamp.status.session
        probe.kill(first or 0)
        eventually(lambda: wamp.status.ready and wamp.status.session != first, lambda: f"ready again: {wamp.status}", 5)
        for number in range(1000):
            wamp.publish_later(f"{prefix}.event", number)
        eventually(lambda: len(heard) == 1000, lambda: f"heard {len(heard)} events", 5)
    assert probe.callees(f"{prefix}.echo") == 0


def test_what_waits_for_an_answer_fails_at_once(node: RouterNode, probe: Probe, prefix: str, tmp_path: Path) -> None:
    wamp = WAMP()
    app = make_app(configuration(node), tmp_path, wamp)
    gate, entered = threading.Event(), threading.Event()

    @wamp.register(f"{prefix}.wait")
    def wait() -> None:
        entered.set()
        gate.wait(10)

    waited: list[float] = []

    def call() -> None:
        with app.app_context():
            began = time.monotonic()
            with pytest.raises(NotConnected):
                wamp.call(f"{prefix}.wait", options=CallOptions(timeout=30))
            waited.append(time.monotonic() - began)

    with connected(app, wamp):
        caller = threading.Thread(target=call)
        caller.start()
        assert entered.wait(5)
        killed = time.monotonic()
        probe.kill(wamp.status.session or 0)
        caller.join(5)
        assert waited, "the call is still waiting"
        assert time.monotonic() - killed < at_most(1)
        gate.set()


def test_stopping_with_a_call_of_ones_own_ends_that_call_quietly(
    node: RouterNode, prefix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wamp = WAMP()
    app = make_app({**configuration(node), "WAMP_STOP_TIMEOUT": 0.2}, tmp_path, wamp)
    gate, entered = threading.Event(), threading.Event()
    ended: list[BaseException] = []

    def wait() -> None:
        entered.set()
        gate.wait(10)

    def call() -> None:
        with app.app_context():
            try:
                wamp.call(f"{prefix}.wait")
            except NotConnected as error:
                ended.append(error)

    wamp.register(f"{prefix}.wait")(wait)
    with connected(app, wamp):
        caller = threading.Thread(target=call)
        caller.start()
        assert entered.wait(5)
    caller.join(5)
    gate.set()
    assert ended, "the call still waits"
    assert [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []


def test_the_signals_tell_what_happens(node: RouterNode, probe: Probe, prefix: str, tmp_path: Path) -> None:
    wamp = WAMP()
    app = make_app(configuration(node), tmp_path, wamp)
    wamp.register(f"{prefix}.echo")(lambda: None)
    heard: list[tuple[str, dict[str, Any]]] = []
    receivers: dict[str, Callable[..., None]] = {
        name: lambda sender, name=name, **details: heard.append((name, details))
        for name in ("connected", "ready", "lost")
    }
    with contextlib.ExitStack() as stack:
        for name, receiver in receivers.items():
            stack.enter_context(getattr(signals, name).connected_to(receiver, app))
        with connected(app, wamp):
            eventually(lambda: len(heard) == 2, lambda: f"connected and ready: {heard}", 5)
            first = wamp.status.session
            probe.kill(first or 0, "tests.close.reason")
            eventually(lambda: len(heard) == 5, lambda: f"lost, connected and ready: {heard}", 5)
            second = wamp.status.session
    assert heard == [
        ("connected", {"session": first}),
        ("ready", {"session": first}),
        ("lost", {"reason": "tests.close.reason"}),
        ("connected", {"session": second}),
        ("ready", {"session": second}),
    ]


# -- routers that are none


class Stranger:
    """Accepts connections and treats each as ``behave`` does; counts them."""

    def __init__(self, behave: Callable[[socket.socket], None]) -> None:
        self._behave = behave
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.accepted: list[float] = []
        self._thread = threading.Thread(target=self._serve, name="stranger")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self.accepted.append(time.monotonic())
                with connection, contextlib.suppress(ConnectionError):
                    self._behave(connection)


def drop(connection: socket.socket) -> None:
    """Close at once."""


def close_after_hello(connection: socket.socket) -> None:
    """Do the rawsocket's handshake, read HELLO and close."""
    connection.recv(4)
    connection.sendall(RAWSOCKET)
    assert b"wampflask" in connection.recv(4096)


def welcome_and_drop(connection: socket.socket) -> None:
    """Let the worker join, and close."""
    close_after_hello(connection)
    welcome = json.dumps([2, 1, {"roles": {"broker": {}, "dealer": {}}}]).encode()
    connection.sendall(struct.pack(">I", len(welcome)) + welcome)


def drop_after_request(connection: socket.socket) -> None:
    """Read a WebSocket's request and close."""
    assert b"Upgrade: WebSocket" in connection.recv(4096)


def talk_nonsense(connection: socket.socket) -> None:
    """Be another kind of server."""
    connection.sendall(b"220 mail.example ESMTP\r\n")
    connection.recv(4096)


def never_answer(connection: socket.socket) -> None:
    """Read until the other side gives up."""
    while connection.recv(4096):
        pass


def connecting(port: int, tmp_path: Path, wamp: WAMP, scheme: str = "rs") -> Flask:
    keys = {"WAMP_TICKET_SECRET": "s" * 16, "WAMP_URL": f"{scheme}://127.0.0.1:{port}", "WAMP_RECONNECT_MAX": 0.5}
    return make_app(keys, tmp_path, wamp)


@contextlib.contextmanager
def started(app: Flask) -> Iterator[Client]:
    client = client_of(app)
    with app.app_context():
        client.start()
        try:
            yield client
        finally:
            client.stop()


STRANGERS = [
    ("rs", drop),
    ("rs", close_after_hello),
    ("rs", welcome_and_drop),
    ("rs", talk_nonsense),
    ("ws", drop),
    ("ws", drop_after_request),
    ("ws", talk_nonsense),
]


@pytest.mark.parametrize(("scheme", "behave"), STRANGERS)
def test_a_server_that_drops_connections_is_tried_again_in_growing_intervals(
    scheme: str, behave: Callable[[socket.socket], None], tmp_path: Path
) -> None:
    wamp = WAMP()
    with Stranger(behave) as stranger, started(connecting(stranger.port, tmp_path, wamp, scheme)):
        began = time.monotonic()
        eventually(lambda: len(stranger.accepted) >= 8, lambda: f"{len(stranger.accepted)} attempts: {wamp.status}", 10)
        took = time.monotonic() - began
        assert took > 0.8, "eight attempts that do not wait longer and longer are a hot loop"
        with pytest.raises(NotConnected):
            wamp.publish("tests.topic")


@pytest.mark.parametrize("scheme", ["rs", "ws"])
def test_a_server_that_never_answers_is_given_up(scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_link, "HANDSHAKE_TIMEOUT", 0.3)
    wamp = WAMP()
    with Stranger(never_answer) as stranger, started(connecting(stranger.port, tmp_path, wamp, scheme)):
        eventually(lambda: len(stranger.accepted) >= 3, lambda: f"tried again: {wamp.status}", 10)
        assert stranger.accepted[1] - stranger.accepted[0] > 0.3
        assert "no session within 0.3 s" in wamp.status.reason


def test_nobody_there_says_so(tmp_path: Path) -> None:
    wamp = WAMP()
    app = make_app(
        {"WAMP_TICKET_SECRET": "s" * 16, "WAMP_URL": f"unix:{tmp_path}/nobody.sock"}, tmp_path, wamp, name="nobody"
    )
    with started(app):
        verbs = (lambda: wamp.connect(0.3), lambda: wamp.publish("a.b"), lambda: wamp.call("a.b"))
        for verb in verbs:
            with pytest.raises(NotConnected, match=r"cannot reach unix:.*\. Is the router running\?$"):
                verb()


def test_a_wrong_secret_says_so(node: RouterNode, tmp_path: Path) -> None:
    wamp = WAMP()
    app = make_app({**configuration(node), "WAMP_TICKET_SECRET": "x" * 32}, tmp_path, wamp)
    with started(app):
        with pytest.raises(NotConnected, match=r"WAMP_TICKET_SECRET is not the router's.*[^.]\.$") as refused:
            wamp.connect(timeout=1)
        assert "running" not in str(refused.value), "it runs"
        with pytest.raises(NotConnected, match="WAMP_TICKET_SECRET is not the router's"):
            wamp.publish("a.b")


def test_the_log_names_its_logger(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    wamp = WAMP()
    app = make_app({"WAMP_TICKET_SECRET": "s" * 16, "WAMP_URL": f"unix:{tmp_path}/nobody.sock"}, tmp_path, wamp)
    with started(app), pytest.raises(NotConnected):
        wamp.connect(timeout=0.3)
    told = [record for record in caplog.records if "No session with the router" in record.getMessage()]
    assert {(record.name, record.module) for record in told} == {("wampflask._link", "_link")}


def test_a_realm_that_is_not_there_says_so(node: RouterNode, tmp_path: Path) -> None:
    wamp = WAMP()
    app = make_app({**configuration(node), "WAMP_REALM": "elsewhere"}, tmp_path, wamp)
    with started(app), pytest.raises(NotConnected, match="realm"):
        wamp.connect(timeout=1)


def test_a_call_that_takes_too_long_is_cancelled(node: RouterNode, prefix: str, tmp_path: Path) -> None:
    wamp = WAMP()
    gate = threading.Event()
    with Relay(node.url) as relay:
        app = make_app({**configuration(node), "WAMP_URL": relay.url}, tmp_path, wamp)
        wamp.register(f"{prefix}.wait")(lambda: gate.wait(10))
        with connected(app, wamp):
            began = time.monotonic()
            with pytest.raises(WampTimeout, match=f"0.3 s {prefix}.wait had not answered"):
                wamp.call(f"{prefix}.wait", options=CallOptions(timeout=0.3))
            assert time.monotonic() - began < at_most(1)
            eventually(lambda: relay.messages("worker", CANCEL), "the router was told that nobody waits any more", 2)
            gate.set()
            wamp.publish(f"{prefix}.after")
        assert relay.messages("worker", wire.GOODBYE) == [[wire.GOODBYE, {}, "wamp.close.normal"]]
