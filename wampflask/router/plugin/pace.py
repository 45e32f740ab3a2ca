"""How many actions a second a stranger's session may take: a bucket of tokens for each."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from txaio.tx import make_logger

log = make_logger()

MAX_SESSIONS = 100_000  # the longest silent are forgotten first: their buckets are full again anyway


class Pace:
    """Calls, publications, registrations and subscriptions of one session together. For one thread.

    :param rate: actions a second in the long run; 0 for no limit.
    :param burst: actions at once, for pages that subscribe to much when they open.
    :param clock: seconds, monotonic.
    """

    def __init__(self, rate: float, burst: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[int, tuple[float, float, bool]] = OrderedDict()

    def allows(self, session: int) -> bool:
        """Take one token of ``session``; False when it has none left."""
        if not self._rate:
            return True
        now = self._clock()
        tokens, then, warned = self._buckets.pop(session, (self._burst, now, False))
        tokens = min(self._burst, tokens + (now - then) * self._rate)
        allowed = tokens >= 1
        if not (allowed or warned):
            log.warn("wampflask: session {session} acts too fast, some of it is denied", session=session)  # noqa: G010 - txaio has no warning()
        self._buckets[session] = (tokens - allowed, now, warned or not allowed)
        if len(self._buckets) > MAX_SESSIONS:
            self._buckets.popitem(last=False)
        return allowed
