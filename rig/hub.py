"""The hub's side of the contract for agents: HTTP and a real router, with memory for a database."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from wampflask.apps.monitor import contract
from wampflask.router.wire import (
    ERROR,
    EVENT,
    INVOCATION,
    REGISTER,
    SUBSCRIBE,
    YIELD,
    Message,
    Refused,
    Wire,
    WireError,
)
from wampflask.testing import RouterNode

Config = dict[str, Any]

WAIT = 20.0


def wait_for(condition: Callable[[], Any], what: str, timeout: float = WAIT) -> Any:
    """The first true value of ``condition``."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
        time.sleep(0.02)
    return value


@dataclass
class Host:
    """What the hub knows of one host."""

    key: str
    config: Config
    name: str = ""
    hellos: list[Config] = field(default_factory=list)
    events: list[Config] = field(default_factory=list)
    samples: list[Config] = field(default_factory=list)
    """What is stored."""
    stored: int = 0
    again: int = 0
    """Samples that came although they were stored."""
    dropped: int = 0
    watch: float = 0.0

    def store(self, samples: list[Config]) -> None:
        """As the contract says: only what is above the mark."""
        for sample in samples:
            if sample["seq"] > self.stored:
                self.samples.append(sample)
                self.stored = sample["seq"]
            else:
                self.again += 1


class Hub:
    """Enrolment over HTTP and the procedures of agents over WAMP. Use as a context manager.

    :param defaults: the config of new hosts, besides the contract's.
    """

    def __init__(self, node: RouterNode, *, port: int = 0, **defaults: Any) -> None:
        self.node = node
        self.defaults = {**contract.DEFAULT_CONFIG, "frequency": 0.5, "handover": 1.0, **defaults}
        self.tokens: dict[str, str | None] = {}
        self.hosts: dict[str, Host] = {}
        self.requests: list[Config] = []
        self.answers: list[tuple[int, Config, dict[str, str]]] = []
        """To be given instead, first to last."""
        self.url = node.ws_url
        self.losing_answers = 0
        """The number of batches still to be stored, but answered with an error."""
        self.indigestible: Callable[[Config], bool] = lambda _: False
        self._http = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._http.daemon_threads = False
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._http.serve_forever, args=(0.02,), name="hub-http"),
            threading.Thread(target=self._serve, name="hub-wamp"),
        ]
        self.serving = threading.Event()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        assert self.serving.wait(WAIT)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._http.shutdown()
        self._http.server_close()
        for thread in self._threads:
            thread.join()

    @property
    def address(self) -> str:
        """For ``--server``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    def token(self) -> str:
        """A new token, good for one host."""
        name = f"token-{len(self.tokens)}"
        self.tokens[name] = None
        return name

    def one(self) -> tuple[str, Host]:
        """The only host, with its id, once it is ready."""
        wait_for(lambda: any(host.hellos for host in self.hosts.values()), "a host says it is ready")
        ((name, host),) = self.hosts.items()
        return name, host

    def call(self, host: str, procedure: str, *args: Any) -> Any:
        """Call a host as a Flask worker would."""
        with contextlib.closing(self.node.backend()) as wire:
            return wire.call(contract.for_host(procedure, host), *args)

    def configure(self, host: str, **changes: Any) -> Any:
        """Edit a host's config and push it."""
        record = self.hosts[host]
        record.config = {**record.config, "version": record.config["version"] + 1, **changes}
        return self.call(host, contract.CONFIGURE, record.config)

    # -- HTTP

    def enrol(self, body: Any) -> tuple[int, Config]:
        """``POST /clients/``."""
        if not isinstance(body, dict) or set(contract.Enrolment.__annotations__) - {"token"} - set(body):
            return 400, {"error": "invalid", "reason": "a field is missing"}
        self.requests.append(body)
        host, status = self.hosts.get(body["host"]), 200
        if host is not None and host.key != body["key"]:
            return 403, {"error": "key_wrong", "reason": "This host is known with another key."}
        if host is None:
            if "token" not in body:
                return 401, {"error": "token_missing", "reason": "This host is not known here."}
            if body["token"] not in self.tokens or self.tokens[body["token"]] not in (None, body["host"]):
                return 403, {"error": "token_invalid", "reason": "There is no such token. Make one on the admin page."}
            self.tokens[body["token"]] = body["host"]
            host, status = Host(body["key"], {**self.defaults}), 201
            self.hosts[body["host"]] = host
        host.name = body["name"]
        ticket = self.node.tickets().mint(contract.ROLE, contract.authid(body["host"]), host=body["host"])
        answer = {"host": body["host"], "ticket": ticket, "url": self.url, "realm": self.node.realm}
        return status, {**host.config, "id": 17, "labels": ["web"], **answer}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers: dict[str, str] = {}
                if hub.answers:
                    status, answer, headers = hub.answers.pop(0)
                elif self.path == "/clients/":
                    status, answer = hub.enrol(json.loads(body))
                else:
                    status, answer = 404, {"error": "not_found", "reason": "nothing here"}
                data = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the frame's name
                pass

        return Handler

    # -- WAMP

    def _serve(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(WireError, OSError), contextlib.closing(self.node.backend()) as wire:
                self._declare(wire)
                self._answer(wire)
            self._stop.wait(0.05)

    def _declare(self, wire: Wire) -> None:
        ready = wire.ask(REGISTER, contract.READY)[2]
        append = wire.ask(REGISTER, contract.APPEND)[2]
        wire.ask(SUBSCRIBE, "monitor.clientstats.", options={"match": "wildcard"})
        self._procedures: dict[int, Callable[..., Config]] = {ready: self._ready, append: self._append}
        self.serving.set()

    def _answer(self, wire: Wire) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                message = wire.receive(0.05)
                if message[0] == EVENT:
                    host = self.hosts[message[4][0]["host"]]
                    host.events.append(message[4][0])
                elif message[0] == INVOCATION:
                    wire.send(self._invoked(message))

    def _invoked(self, message: Message) -> Message:
        _, request, registration, details, args, *kwargs = message
        host = self.hosts[details["caller_authid"].removeprefix("agent:")]
        try:
            return [YIELD, request, {}, [self._procedures[registration](host, *args, **dict(*kwargs))]]
        except Refused as error:
            return [ERROR, INVOCATION, request, {}, error.uri, [str(error)]]

    def _ready(self, host: Host, hello: Config) -> Config:
        assert set(hello) == set(contract.Hello.__annotations__)
        host.hellos.append(hello)
        return {"config": host.config, "stored": host.stored, "watch": host.watch}

    def _append(self, host: Host, samples: list[Config], *, dropped: int, clock: float) -> Config:
        assert abs(clock - time.time()) < 5
        host.dropped = dropped
        if any(map(self.indigestible, samples)):
            raise Refused(contract.INVALID, "one of them cannot be")
        host.store(samples)
        if self.losing_answers:
            self.losing_answers -= 1
            raise Refused("wampflask.error.internal", "the answer is lost")
        return {"stored": host.stored}
