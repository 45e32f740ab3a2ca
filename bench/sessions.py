"""(g): what an operator sees of 5,000 sessions, by one call, against WAMP's own way, a call for each."""

from __future__ import annotations

import time
from collections.abc import Callable

from flask import Flask

from rig.swarm import Swarm
from wampflask import WAMP, Permission
from wampflask.permissions import PAGES
from wampflask.testing import RouterNode

from .figures import Ratio, in_turns

SESSIONS = 5000
ASKED = 300
"""Sessions that are asked for one by one: all of them would take seconds."""
ROUNDS = 5
TOPIC = "bench.update"


def measure() -> list[Ratio]:
    """Connect the sessions, each a WebSocket, and list them."""
    with RouterNode([Permission(TOPIC, subscribe=PAGES)], ticket_lifetime=600) as node:
        app = Flask("bench", instance_path=str(node.folder))
        app.config.update(node.config)
        wamp = WAMP(app)
        ticket = node.tickets().mint("visitor", "visitor:crowd")
        with app.app_context(), Swarm(node.ws_url, node.realm, ticket, TOPIC, SESSIONS):
            wamp.connect()
            numbers = [one.session for one in wamp.meta.sessions(limit=ASKED)]

            def one_by_one() -> None:
                for number in numbers:
                    wamp.call("wamp.session.get", number)

            def at_once() -> None:
                found = wamp.meta.sessions("crowd", sort="waiting", limit=50)
                assert (len(found), found.found) == (50, SESSIONS)

            listed, asked = in_turns(ROUNDS, lambda: _rate(at_once, SESSIONS), lambda: _rate(one_by_one, ASKED))
            app.extensions["wamp"].stop()
    return [Ratio(f"(g) {SESSIONS:,} sessions, filtered and sorted, in one call", listed, asked, 20)]


def _rate(work: Callable[[], None], count: int) -> float:
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)
