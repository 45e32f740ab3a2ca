"""(a)-(c): the verbs from one synchronous thread, against the HTTP bridge and against the bare reactor.

A rate is what the thread gets: how many it can hand over in a second. That everything then arrives, once, is checked
outside of the timing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import requests
from flask import Flask
from twisted.internet.defer import Deferred, gatherResults, inlineCallbacks

from rig.swarm import Swarm
from wampflask import WAMP, Permission
from wampflask._reactor import wait
from wampflask.permissions import PAGES
from wampflask.testing import RouterNode, free_port

from .figures import Ratio, in_turns

ROUNDS = 7
ACKNOWLEDGED = 600
LATER = 20_000
CALLS = 800
CALLERS = 8
TOPIC = "bench.update"
PAYLOAD = {
    "question_id": 1,
    "total_votes": 3,
    "choices": [{"id": 1, "votes": 2, "percent": 66}, {"id": 2, "votes": 1, "percent": 33}],
}

CALLEE = """
import sys, threading
from flask import Flask
from wampflask import WAMP, Permission
wamp = WAMP()
wamp.register("bench.add")(lambda a, b: a + b)
app = Flask("callee", instance_path=sys.argv[1])
app.config.update(WAMP_URL=sys.argv[2], WAMP_TICKET_SECRET=sys.argv[3])
wamp.init_app(app)
with app.app_context():
    wamp.connect()
print("ready", flush=True)
sys.stdin.read()
"""


def measure() -> list[Ratio]:
    """Run the rounds; every publication is counted at a subscriber."""
    with RouterNode([Permission(TOPIC, subscribe=PAGES)]) as node:
        bridge = _add_http_bridge(node)
        app = Flask("bench", instance_path=str(node.folder))
        app.config.update(WAMP_URL=node.url, WAMP_TICKET_SECRET=node.secret, WAMP_OUTBOX_MAX=LATER)
        wamp = WAMP(app)
        with app.app_context(), _callee(node), _subscriber(node) as swarm:
            wamp.connect()
            ratios = [*_publishing(wamp, app, bridge, swarm), *_calling(wamp, app)]
            app.extensions["wamp"].stop()  # it would look for this router as long as the bench lasts
            return ratios


def _publishing(wamp: WAMP, app: Flask, bridge: str, swarm: Swarm) -> list[Ratio]:
    link = app.extensions["wamp"].link

    def over_http() -> None:
        for _ in range(ACKNOWLEDGED):
            requests.post(bridge, json={"topic": TOPIC, "args": [PAYLOAD]}, timeout=10).raise_for_status()

    def acknowledged() -> None:
        for _ in range(ACKNOWLEDGED):
            wamp.publish(TOPIC, PAYLOAD)

    def later() -> None:
        for _ in range(LATER):
            wamp.publish_later(TOPIC, PAYLOAD)

    def in_reactor() -> None:
        wait(_publish_all, link, LATER, timeout=60)

    http, sync, queued, bare = in_turns(
        ROUNDS,
        lambda: _rate(over_http, ACKNOWLEDGED, swarm),
        lambda: _rate(acknowledged, ACKNOWLEDGED, swarm),
        lambda: _rate(later, LATER, swarm),
        lambda: _rate(in_reactor, LATER, swarm),
    )
    return [
        Ratio("(a) publish, acknowledged, against requests.post", sync, http, 2.2),
        Ratio("(b) publish_later against requests.post", queued, http, 20),
        Ratio("(b) publish_later against publishing in the reactor", queued, bare, 0.4),
    ]


def _calling(wamp: WAMP, app: Flask) -> list[Ratio]:
    """With one caller, and with as many as a worker has threads: a thread that wakes up alone finds its core asleep."""
    link = app.extensions["wamp"].link

    def through_the_library(callers: int) -> None:
        with ThreadPoolExecutor(callers) as threads:
            list(threads.map(call_some, [CALLS // callers] * callers))

    def call_some(count: int) -> None:
        with app.app_context():
            for number in range(count):
                assert wamp.call("bench.add", number, 1) == number + 1

    def in_reactor(callers: int) -> None:
        wait(lambda: gatherResults([_call_all(link, CALLS // callers) for _ in range(callers)]), timeout=60)

    def compared(name: str, callers: int) -> Ratio:
        ours, theirs = in_turns(
            2 * ROUNDS,
            lambda: _rate(partial(through_the_library, callers), CALLS),
            lambda: _rate(partial(in_reactor, callers), CALLS),
        )
        return Ratio(f"(c) call against the same in the reactor, {name}", ours, theirs, 0.8)

    return [compared("1 caller", 1), compared(f"{CALLERS} callers", CALLERS)]


def _rate(function: Callable[[], None], count: int, swarm: Swarm | None = None) -> float:
    begin = time.perf_counter()
    function()
    rate = count / (time.perf_counter() - begin)
    if swarm is not None:
        swarm.take(count)
    return rate


def _publish_all(link: Any, count: int) -> None:
    """What autobahn does in its own thread: unacknowledged, all at once."""
    session = link._session
    for _ in range(count):
        session.publish(TOPIC, PAYLOAD)


@inlineCallbacks
def _call_all(link: Any, count: int) -> Generator[Deferred[Any], int, None]:
    session = link._session
    for number in range(count):
        result = yield session.call("bench.add", number, 1)
        assert result == number + 1


def _add_http_bridge(node: RouterNode) -> str:
    """Give the running node's next start Crossbar's HTTP publisher, as the projects before us used it."""
    file = node.node_folder / "config.json"
    config = json.loads(file.read_text())
    port = free_port()
    publisher = {"type": "publisher", "realm": node.realm, "role": "backend"}
    transport = {
        "type": "web",
        "id": "bridge",
        "endpoint": {"type": "tcp", "interface": "127.0.0.1", "port": port},
        "paths": {"/": {"type": "static", "directory": "."}, "publish": publisher},
    }
    config["workers"][0]["transports"].append(transport)
    file.write_text(json.dumps(config))
    node.restart()
    return f"http://127.0.0.1:{port}/publish"


@contextmanager
def _callee(node: RouterNode) -> Iterator[None]:
    command = [sys.executable, "-c", CALLEE, str(node.folder), node.url, node.secret]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", "The callee did not start."
        yield
    finally:
        process.communicate()


@contextmanager
def _subscriber(node: RouterNode) -> Iterator[Swarm]:
    ticket = node.tickets().mint("visitor", "visitor:bench")
    with Swarm(node.ws_url, node.realm, ticket, TOPIC, 1) as swarm:
        yield swarm
