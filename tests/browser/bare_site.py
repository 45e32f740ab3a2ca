"""The least that the browser's WAMP wrapper needs: a page, static files, tickets, and a backend to talk to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from flask import Flask, Response, jsonify
from werkzeug.serving import BaseWSGIServer, make_server

from wampflask._paths import resource_dir
from wampflask.router.wire import (
    ERROR,
    INVOCATION,
    PUBLISH,
    REGISTER,
    YIELD,
    WireError,
)
from wampflask.testing import RouterNode

PAGE = """<!doctype html><html lang="en"><head><title>bare</title>
<meta name="wamp-ticket-url" content="/wamp/ticket"><link rel="icon" href="data:,"></head>
<body><main></main><div data-behaviour="connection_bar" role="status" class="connection"></div>
<script type="module" src="/static/js/app.js"></script></body></html>"""


class BareSite:
    """``url``; ``tickets`` counts the tickets given, ``spoil`` makes the next ones worthless."""

    def __init__(self, node: RouterNode) -> None:
        self.node = node
        self.tickets = 0
        self.spoil = 0
        self.server: BaseWSGIServer = make_server("127.0.0.1", 0, self._app(), threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def _app(self) -> Flask:
        app = Flask("bare", static_folder=str(resource_dir("static")))
        app.add_url_rule("/", "page", lambda: PAGE)
        app.add_url_rule("/wamp/ticket", "ticket", self._ticket)
        return app

    def _ticket(self) -> Response:
        self.tickets += 1
        ticket = self.node.tickets().mint("visitor", "visitor:1")
        if self.spoil:
            self.spoil -= 1
            ticket += "x"
        return jsonify(ticket=ticket, authid="visitor:1", role="visitor", realm=self.node.realm, url=self.node.ws_url)


@contextmanager
def serving(node: RouterNode) -> Iterator[BareSite]:
    """A bare site that answers requests in threads."""
    site = BareSite(node)
    thread = threading.Thread(target=site.server.serve_forever, name="bare site")
    thread.start()
    try:
        yield site
    finally:
        site.server.shutdown()
        thread.join()
        site.server.server_close()


class Backend:
    """A backend session that answers calls in a thread of its own, and publishes from the test's.

    :param procedures: by URI; a tuple is several results, an exception becomes an error answer.
    """

    def __init__(self, node: RouterNode, procedures: dict[str, Callable[..., Any]]) -> None:
        self._publisher = node.backend()
        self._callee = node.backend()
        answers = {self._callee.ask(REGISTER, uri)[2]: function for uri, function in procedures.items()}
        self._thread = threading.Thread(target=self._serve, args=(answers,), name="backend")
        self._thread.start()

    def publish(self, topic: str, *payload: Any) -> None:
        """Publish and wait until the router has taken it."""
        self._publisher.ask(PUBLISH, topic, list(payload), options={"acknowledge": True})

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """Call a procedure of the router, such as one of the meta API."""
        answer = self._publisher.ask(48, procedure, list(args), kwargs)
        assert answer[0] != ERROR, answer
        return answer[3][0] if len(answer) > 3 and answer[3] else None

    def close(self) -> None:
        self._publisher.close()
        with suppress(OSError):
            self._callee._socket.shutdown(2)
        self._thread.join()
        self._callee.close()

    def _serve(self, answers: dict[int, Callable[..., Any]]) -> None:
        with suppress(WireError, OSError):
            while True:
                kind, request, registration, *rest = self._callee.receive(timeout=3600)
                if kind != INVOCATION:
                    continue
                try:
                    args = rest[1] if len(rest) > 1 else []
                    result = answers[registration](*args)
                    self._callee.send([YIELD, request, {}, list(result) if isinstance(result, tuple) else [result]])
                except LookupError as error:
                    self._callee.send([ERROR, INVOCATION, request, {}, "demo.error", [str(error)]])
