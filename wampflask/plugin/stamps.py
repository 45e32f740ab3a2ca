"""Numbers that put the states of live things in order, and who listens to them. In the router's reactor thread.

A worker asks for one number for everything that has changed, reads after that, and publishes number and state; the
greatest number is the newest state. So a number is never given twice and never after a greater one, and the check of
who listens happens in the same turn: a page that subscribes later than that asks for itself, and its state has a
greater number.

Each worker that changes a topic reads it, so the more of them do, the more seldom each should: the answer says how many
have asked for the topic lately.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

PROCEDURE = "wampflask.live.stamp"
LATELY = 1.0
"""Seconds for which a worker that has asked for a topic is counted, and at most twice as long."""

Find = Callable[[str], Iterable[Any]]


class Stamps:
    """The numbers of one realm. For one thread.

    :param find: Crossbar's subscriptions that a topic's events go to, each with its ``observers``.
    :param clock: nanoseconds since the epoch. Numbers are microseconds of it where they can be, so that they grow over
        restarts and stay below 2**53; what is right does not rest on it.
    """

    def __init__(self, find: Find, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._find = find
        self._clock = clock
        self._last = 0
        self._asked: dict[str, set[int]] = {}
        self._asked_before: dict[str, set[int]] = {}
        self._since = 0

    def stamp(self, topics: Sequence[str], worker: int = 0) -> list[Any]:
        """Return ``[number, [roles, …], [workers, …]]``, the latter for each of ``topics``.

        Roles: those that listen now, none for nobody. Workers: how many of them have asked for it lately.

        :param worker: the session that asks.
        """
        now = self._clock() // 1000
        self._last = max(self._last + 1, now)
        if not 0 <= now - self._since < LATELY * 1_000_000:
            self._asked_before, self._asked, self._since = self._asked, {}, now
        return [
            self._last,
            [self._listeners(topic) for topic in topics],
            [self._count(topic, worker) for topic in topics],
        ]

    def _count(self, topic: str, worker: int) -> int:
        workers = self._asked.setdefault(topic, set())
        workers.add(worker)
        return len(workers | self._asked_before.get(topic, workers))

    def _listeners(self, topic: str) -> list[str]:
        return sorted({str(session._authrole) for found in self._find(topic) for session in found.observers})  # noqa: SLF001 - Crossbar offers no other
