"""(d): events to 200 WebSocket subscribers, with the router tuned, tuned but for its fan-out, and as it comes.

Counted are deliveries a second of the router's CPU time: unlike the time that passes, that is the same beside other
programs. ``python -m bench.fanout`` measures these alone.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Self

import psutil
from flask import Flask

from rig.swarm import Swarm
from wampflask import WAMP, Permission
from wampflask.permissions import PAGES
from wampflask.testing import RouterNode

from .figures import Ratio, in_turns
from .verbs import PAYLOAD, TOPIC

ROUNDS = 4
SUBSCRIBERS = 200
EVENTS = 300


def measure() -> list[Ratio]:
    """The routers run side by side, and are loaded in turns."""
    with ExitStack() as stack:
        ours, without, stock = in_turns(
            ROUNDS,
            *(
                partial(_deliver, stack.enter_context(_Site(tune=tune, fan_out=fan_out)))
                for tune, fan_out in ((True, True), (True, False), (False, False))
            ),
        )
    what = f"(d) deliveries to {SUBSCRIBERS} pages a CPU second"
    return [
        Ratio(f"{what}, tuned : stock router", ours, stock, 3),
        Ratio(f"{what}, tuned : without fan-out", ours, without, 1.5),
    ]


def _deliver(site: _Site) -> float:
    before = site.router_seconds()
    with site.app.app_context():
        for _ in range(EVENTS):
            site.wamp.publish_later(TOPIC, PAYLOAD)
        site.swarm.take(EVENTS)
    return EVENTS * SUBSCRIBERS / (site.router_seconds() - before)


class _Site:
    """A router, an app that publishes, and pages that listen."""

    def __init__(self, *, tune: bool, fan_out: bool) -> None:
        self._stack = ExitStack()
        permissions = [Permission(TOPIC, subscribe=PAGES)]
        self._node = RouterNode(permissions, tune=tune, fan_out=fan_out)
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

    def router_seconds(self) -> float:
        """CPU time that the router's worker process, which is the largest of the node, has taken."""
        processes = psutil.Process(self._node.pid).children(recursive=True)
        times = max(processes, key=lambda process: process.memory_info().rss).cpu_times()
        return float(times.user + times.system)

    def __exit__(self, *_: object) -> None:
        self.app.extensions["wamp"].stop()
        self._stack.close()


if __name__ == "__main__":
    print(*measure(), sep="\n")
