"""Has agents report each second while someone watches their hosts.

The router's subscriptions show which hosts pages follow. The leader of all workers keeps that list and calls the
agents.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from wampflask import WampTimeout
from wampflask.apps.extensions import wamp
from wampflask.apps.monitor import contract
from wampflask.apps.monitor.presence import Presence

from . import delivery

SECONDS = 60.0
"""For how long an agent reports each second; it is called again after half of that."""
RETRY = 10.0
"""Seconds until an agent that did not answer is called again."""
ALL_HOSTS = "monitor.clientstats."
"""What dashboards subscribe to, as a wildcard."""


class Watching:
    """Keeps which hosts someone watches, and which agents know it. The events may come in any thread."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self._topics: dict[int, str] = {}
        self._called: dict[str, float] = {}
        self._silent: dict[str, float] = {}

    def begin(self, hosts: Iterable[str]) -> None:
        """Forget everything, and ask the router which of all hosts are watched.

        :raises WampError: the router did not answer.
        """
        for known in (self._topics, self._called, self._silent):
            known.clear()
        wanted = {(ALL_HOSTS, "wildcard"), *((_reports(host), "exact") for host in hosts)}
        for topic in wamp.meta.topics(ALL_HOSTS, limit=None):
            if (topic.uri, topic.match) in wanted:
                self._topics[topic.number] = topic.uri

    def started(self, subscription: int, topic: str) -> None:
        """Note that the first page has subscribed to a topic."""
        self._topics[subscription] = topic

    def stopped(self, subscription: int) -> bool:
        """Note that the last page of a subscription is gone; return whether it was one of these topics."""
        return self._topics.pop(subscription, None) is not None

    def due(self, online: set[str]) -> tuple[set[str], set[str]]:
        """Return the hosts to be called because someone watches them, and those that nobody watches any more."""
        topics = set(self._topics.values())
        watched = online if ALL_HOSTS in topics else {host for host in online if _reports(host) in topics}
        now = time.monotonic()
        due = {host for host in watched if now - self._called.get(host, -SECONDS) >= SECONDS / 2}
        due -= {host for host, moment in self._silent.items() if now - moment < RETRY}
        return due, {host for host in self._called if host not in watched}

    def call(self, online: set[str], due: set[str], ended: set[str]) -> None:
        """Call the agents of the hosts that :meth:`due` returned."""
        calls = dict.fromkeys(due, (contract.WATCH, (SECONDS,)))
        calls |= dict.fromkeys(ended & online, (contract.WATCH, (0,)))
        now, answers = time.monotonic(), delivery.call_agents(calls)
        for host in ended:
            del self._called[host]
        for host in due:
            if isinstance(answers[host], WampTimeout):
                self._silent[host] = now
            elif not isinstance(answers[host], Exception):
                self._called[host] = now
                self._silent.pop(host, None)
        self._presence.watch(self._called)


def is_watched(host: str) -> bool:
    """Return whether a page watches a host, by asking the router, so that it works in any worker.

    :raises WampError: the router did not answer.
    """
    asked = ((ALL_HOSTS, "wildcard"), (_reports(host), "exact"))
    return any((topic.uri, topic.match) in asked for topic in wamp.meta.topics(ALL_HOSTS, limit=None))


def _reports(host: str) -> str:
    return contract.for_host(contract.CLIENTSTATS, host)
