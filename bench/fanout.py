"""(d): deliveries a second to 200 WebSocket subscribers, with the router tuned and as it comes."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from typing import Self

from flask import Flask

from wampflask import WAMP, Permission
from wampflask.permissions import PAGES
from wampflask.testing import RouterNode

from .figures import Ratio, in_turns
from .swarm import Swarm
from .verbs import PAYLOAD, TOPIC

ROUNDS = 4
SUBSCRIBERS = 200
EVENTS = 300


def measure() -> list[Ratio]:
    """Both routers run side by side, and are loaded in turns."""
    with ExitStack() as stack:
        tuned, stock = (partial(_deliver, stack.enter_context(_Site(tune=tune))) for tune in (True, False))
        ours, theirs = in_turns(ROUNDS, tuned, stock)
    return [Ratio(f"(d) deliveries to {SUBSCRIBERS} pages, tuned against stock router", ours, theirs, 1.5)]


def _deliver(site: _Site) -> float:
    with site.app.app_context():
        begin = time.time()
        for _ in range(EVENTS):
            site.wamp.publish_later(TOPIC, PAYLOAD)
        counts = site.swarm.take(EVENTS)
    rate: float = EVENTS * SUBSCRIBERS / (counts["last_at"] - begin)
    return rate


class _Site:
    """A router, an app that publishes, and pages that listen."""

    def __init__(self, *, tune: bool) -> None:
        self._stack = ExitStack()
        permissions = [Permission(TOPIC, subscribe=PAGES)]
        self._node = RouterNode(permissions, tune=tune)
        self.wamp = WAMP()

    def __enter__(self) -> Self:
        node = self._stack.enter_context(self._node)
        self.app = Flask("bench", instance_path=str(node.folder))
        self.app.config.update(WAMP_URL=node.url, WAMP_TICKET_SECRET=node.secret)
        self.wamp.init_app(self.app)
        with self.app.app_context():
            self.wamp.connect()
        ticket = node.tickets().mint("visitor", "visitor:bench")
        self.swarm = self._stack.enter_context(Swarm(node.ws_url, node.realm, ticket, TOPIC, SUBSCRIBERS))
        return self

    def __exit__(self, *_: object) -> None:
        self.app.extensions["wamp"].stop()
        self._stack.close()
