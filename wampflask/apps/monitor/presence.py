"""Which hosts are online: from the router's session events, and from missing reports. Knows no router.

One lock guards it: events come in handler threads, questions from the leader's.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .contract import MISSED

GRACE = 20.0
"""Seconds after the leader began in which an agent may reconnect before it counts as offline."""
SLACK = 1.0
"""Seconds that a report may be late, beyond its intervals."""


@dataclass(slots=True)
class Heard:
    """The last sign of life. ``at``: monotonic; ``moment``: seconds since the epoch, None before a report."""

    at: float
    interval: float
    moment: float | None = None
    sample: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the database has of a host."""

    host: str
    online: bool
    disabled: bool
    frequency: float


class Presence:
    """Sessions and reports of all agents."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[int, str] = {}
        self._heard: dict[str, Heard] = {}
        self._watched: set[str] = set()
        self._began = clock()

    def begin(self) -> None:
        """Forget everything; :meth:`joined` is called for the sessions that exist."""
        with self._lock:
            self._sessions.clear()
            self._heard.clear()
            self._watched.clear()
            self._began = self._clock()

    def joined(self, session: int, host: str) -> None:
        """Note that an agent's session began."""
        with self._lock:
            self._sessions[session] = host
            heard = self._heard.get(host)
            if heard is None:
                self._heard[host] = Heard(self._clock(), 0.0)
            else:
                heard.at = self._clock()

    def left(self, session: int) -> bool:
        """Note that a session ended; return whether it was an agent's."""
        with self._lock:
            return self._sessions.pop(session, None) is not None

    def heard(self, host: str, sample: dict[str, Any], interval: float) -> None:
        """Note a report."""
        with self._lock:
            self._heard[host] = Heard(self._clock(), interval, time.time(), sample)

    def watch(self, hosts: Iterable[str]) -> None:
        """Note which hosts report each second now; from now on the others' reports may be as far apart as set."""
        with self._lock:
            watched = set(hosts)
            for host in self._watched - watched:
                if host in self._heard:
                    self._heard[host].at = self._clock()
            self._watched = watched

    def last_heard(self, host: str) -> float | None:
        """Return when a host last reported, in seconds since the epoch."""
        heard = self._heard.get(host)
        return heard.moment if heard else None

    def samples(self) -> dict[str, dict[str, Any]]:
        """Return the newest report of each host that has a session."""
        with self._lock:
            there = set(self._sessions.values())
            return {host: heard.sample for host, heard in self._heard.items() if heard.sample and host in there}

    def changes(self, hosts: Iterable[Known]) -> dict[str, bool]:
        """Return the hosts whose state in the database is not the present one, with the present one."""
        now = self._clock()
        with self._lock:
            there = Counter(self._sessions.values())
            states = {known.host: (known, self._is_online(known, there[known.host], now)) for known in hosts}
        return {
            host: is_online
            for host, (known, is_online) in states.items()
            if known.online is not is_online and (is_online or now - self._began > GRACE or host in self._heard)
        }

    def _is_online(self, known: Known, sessions: int, now: float) -> bool:
        if not sessions:
            return False
        heard = self._heard.get(known.host)
        if known.disabled or heard is None:
            return True
        interval = heard.interval if known.host in self._watched else max(heard.interval, known.frequency)
        return now - heard.at <= MISSED * max(interval, 0.5) + SLACK
