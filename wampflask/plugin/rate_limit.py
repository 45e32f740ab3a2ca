"""The rate limit of a session: what an untrusted client may do a second, in two token buckets, actions and bytes."""

from __future__ import annotations

import functools
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from txaio.tx import make_logger

log = make_logger()

PROTOCOLS = "crossbar.router.protocol"
TRUSTED = "backend"
MAX_SESSIONS = 100_000  # the longest silent are forgotten first: their buckets are full again anyway


@dataclass(slots=True)
class _Tokens:
    actions: float
    octets: float
    at: float
    refused: int = 0


class RateLimit:
    """One session's calls, publications, registrations and subscriptions together, and its bytes. For one thread.

    :param actions: actions a second in the long run; 0 for no limit.
    :param actions_burst: actions at once, for pages that subscribe to much when they open.
    :param octets: bytes a second in the long run; 0 for no limit.
    :param octets_burst: bytes at once; more than the largest message.
    :param clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        actions: float = 0,
        actions_burst: float = 0,
        octets: float = 0,
        octets_burst: float = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._actions = actions
        self._actions_burst = actions_burst
        self._octets = octets
        self._octets_burst = octets_burst
        self._clock = clock
        self._sessions: OrderedDict[int, _Tokens] = OrderedDict()

    def count(self, session: int, size: int) -> None:
        """Take ``size`` bytes that ``session`` has sent. What comes when none are left is denied, and costs nothing."""
        if self._octets and (tokens := self._refill(session)).octets > 0:
            tokens.octets -= size

    def allows(self, session: int) -> bool:
        """Take one action of ``session``; False when it has none left, or no bytes."""
        if not (self._actions or self._octets):
            return True
        tokens = self._refill(session)
        allowed = (not self._actions or tokens.actions >= 1) and (not self._octets or tokens.octets > 0)
        if allowed:
            tokens.actions -= 1
            return True
        tokens.refused += 1
        if tokens.refused == 1:
            log.warn("wampflask: session {session} acts too fast, some of it is denied", session=session)  # noqa: G010 - txaio has no warning()
        return False

    def refused(self, session: int) -> int:
        """Return how many actions of ``session`` were denied."""
        tokens = self._sessions.get(session)
        return tokens.refused if tokens else 0

    def _refill(self, session: int) -> _Tokens:
        now = self._clock()
        tokens = self._sessions.get(session)
        if tokens is None:
            tokens = self._sessions[session] = _Tokens(self._actions_burst, self._octets_burst, now)
            if len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
            return tokens
        self._sessions.move_to_end(session)
        passed = now - tokens.at
        tokens.actions = min(self._actions_burst, tokens.actions + passed * self._actions)
        tokens.octets = min(self._octets_burst, tokens.octets + passed * self._octets)
        tokens.at = now
        return tokens


shared = functools.cache(RateLimit)
"""The one of this process: session ids are unique in all its realms."""


def apply(protocols: ModuleType | None, limit: RateLimit) -> str | None:
    """Let what browsers and agents send be counted where it arrives: the authorizer never sees a message's size.

    :returns: why it is impossible, or None.
    """
    protocol = getattr(protocols, "WampWebSocketServerProtocol", None)
    received = getattr(protocol, "onMessage", None)
    if protocol is None or received is None:
        return f"{PROTOCOLS}.WampWebSocketServerProtocol.onMessage is not there"

    def on_message(self: Any, payload: bytes, is_binary: bool) -> None:
        session = self._session
        if session is not None and session._session_id and session._authrole != TRUSTED:  # noqa: SLF001 - Crossbar offers no other
            limit.count(session._session_id, len(payload))  # noqa: SLF001
        received(self, payload, is_binary)

    protocol.onMessage = on_message
    return None
