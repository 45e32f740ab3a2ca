"""Following a topic by hand: its events as they come, bounded, for an operator to read.

The process that began keeps the last lines, answers with them, and publishes new ones in batches. It ends by itself
when nobody has asked for a while.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakSet

from ._declarations import Declaration, Procedure, Subscription
from ._incoming import Incoming, Invocation
from .errors import InvalidURI, QueueFull
from .permissions import BACKEND
from .publication import Publication
from .uris import Match, check, check_own

if TYPE_CHECKING:
    from ._client import Client

__all__ = ["Tail"]

RATE = 200
"""Events a second that are kept; the others are counted."""
KEPT = 500
"""Lines that are kept."""
TEXT_MAX = 1000
"""Characters of an event's payload that are kept."""
INTERVAL = 0.25
"""Seconds between two batches."""
PATIENCE = 180.0
"""Seconds for which it goes on after it was last asked."""
AT_ONCE = 10
"""Topics that a process follows at the same time."""

STOP = "stop"


class Tail:
    """Follows a topic until it is stopped. Its procedure is called ``uri``, and so is the topic that it publishes to.

    Called without arguments it answers ``{"lines": […], "seen": n, "skipped": n, "running": true}``; ``("stop")`` stops
    it. An event has the same with the new lines alone. A line is ``{"id", "at", "topic", "by", "text"}``: its number
    from 1 on, the time, the topic, the publisher's authid where that is disclosed, and the payload as JSON.

    :meth:`start` and :meth:`stop` are for any thread, the rest for the reactor's.
    """

    _all: ClassVar[WeakSet[Tail]] = WeakSet()

    def __init__(self, client: Client, topic: str, uri: str, match: Match) -> None:
        self.topic, self.uri, self.match = topic, uri, match
        self._client = client
        self._lines: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._new: list[dict[str, Any]] = []
        self._seen = self._skipped = self._taken = 0
        self._second = 0
        self._asked = time.monotonic()
        self.running = True
        subscription = Subscription(topic, self._heard, match, direct=self._heard)
        self._declarations: Sequence[Declaration] = (
            subscription,
            Procedure(uri, self._answer, direct=self._answer, stays=True),
        )

    @classmethod
    def start(cls, client: Client, topic: str, uri: str, match: Match) -> Tail:
        """See :meth:`wampflask.meta.Meta.tail`."""
        check_own(uri)
        check_topic(topic, match)
        if sum(one.running for one in cls._all) >= AT_ONCE:
            raise QueueFull(f"This process follows {AT_ONCE} topics already: stop one of them.")
        tail = cls(client, topic, uri, match)
        cls._all.add(tail)
        client.declare_own(*tail._declarations)
        client.later(INTERVAL, tail._turn)
        return tail

    def stop(self) -> None:
        """End it, and let its readers know. Any thread."""
        if self.running:
            self.running = False
            self._client.forget_own(*self._declarations)
            self._client.later(0, self._send)

    def _heard(self, event: Incoming) -> None:
        if not self.running:
            return
        self._seen += 1
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._taken = second, 0
        self._taken += 1
        if self._taken > RATE:
            self._skipped += 1
            return
        line = {
            "id": self._seen,
            "at": time.time(),
            "topic": event.caller.uri,
            "by": event.caller.authid,
            "text": _text(event),
        }
        self._lines.append(line)
        self._new.append(line)

    def _turn(self) -> None:
        """Send what is new, and end when nobody asks any more."""
        if not self.running:
            return
        if time.monotonic() - self._asked > PATIENCE:
            self.stop()
            return
        if self._new:
            self._send()
        self._client.later(INTERVAL, self._turn)

    def _send(self) -> None:
        lines, self._new = self._new, []
        self._client.send(Publication(self.uri, [self._state(lines)]))

    def _answer(self, _client: Any, call: Invocation) -> None:
        self._asked = time.monotonic()
        if STOP in call.args and call.caller.role == BACKEND:
            self.stop()
        call.answer(self._state(list(self._lines)))

    def _state(self, lines: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "topic": self.topic,
            "match": self.match,
            "lines": lines,
            "seen": self._seen,
            "skipped": self._skipped,
            "running": self.running,
        }


def check_topic(topic: str, match: Match) -> None:
    """See that all that ``topic`` matches is the app's own: events of the router are about people's connections.

    :raises InvalidURI: otherwise.
    """
    if match == "exact":
        check_own(topic)
        return
    first, dot, _ = check(topic, match).partition(".")
    if not first or not dot:
        raise InvalidURI(f"{topic!r} must begin with a whole word of your app, such as 'polls.'.")
    check_own(topic, match)


def _text(event: Incoming) -> str:
    values: list[Any] = [*event.args, *([event.kwargs] if event.kwargs else [])]
    text = " ".join(json.dumps(value, ensure_ascii=False) for value in values)
    return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}…"
