"""The rate limits of procedures: how often one caller may call one of them, whichever worker answers. For one thread.

Counted in the router, so that what comes too often costs no worker anything, and all workers together have one count.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from .rules import Rules, Session

REFUSED = "wampflask.error.rate_limit"
"""The error that a caller gets who has to wait."""

MAX_CALLERS = 100_000
"""Those that have called nothing for longest are forgotten first: they may call again anyway."""


class CallRates:
    """A token bucket for each caller of each procedure that has a rate.

    :param clock: seconds, monotonic.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def objection(self, rules: Rules, session: Session, realm: str, procedure: str) -> str | None:
        """Count a call; return why it has to wait, for its caller to read, or None."""
        rule = rules.rate_of_call(session, procedure)
        if rule is None or rule.rate is None:
            return None
        wait = self._take((realm, session.words["authid"], rule.parts), *rule.rate)
        return f"{procedure} was called too often: try again in {math.ceil(wait)} s." if wait else None

    def _take(self, key: Hashable, count: int, seconds: float) -> float:
        """Take one of ``count`` calls in ``seconds``, of which all may come at once; return 0, or how long to wait."""
        now = self._clock()
        tokens, at = self._left.pop(key, (float(count), now))
        tokens = min(count, tokens + (now - at) * count / seconds)
        taken = tokens >= 1
        self._left[key] = (tokens - 1 if taken else tokens, now)
        if len(self._left) > MAX_CALLERS:
            self._left.popitem(last=False)
        return 0.0 if taken else (1 - tokens) * seconds / count
