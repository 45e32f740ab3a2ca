"""Numbers that put the states of live things in order, and who listens to them. In the router's reactor thread.

A worker asks for one number for everything that has changed, reads after that, and publishes number and state; the
greatest number is the newest state. So a number is never given twice and never after a greater one, and the check of
who listens happens in the same turn: a page that subscribes later than that asks for itself, and its state has a
greater number.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

PROCEDURE = "wampflask.live.stamp"

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

    def stamp(self, topics: Sequence[str]) -> list[Any]:
        """``[number, [roles, …]]``: the roles that listen to each of ``topics`` now, empty for nobody."""
        self._last = max(self._last + 1, self._clock() // 1000)
        return [self._last, [self._listeners(topic) for topic in topics]]

    def _listeners(self, topic: str) -> list[str]:
        return sorted({str(session._authrole) for found in self._find(topic) for session in found.observers})  # noqa: SLF001 - Crossbar offers no other
