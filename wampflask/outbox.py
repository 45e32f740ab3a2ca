"""Publications that nobody waits for: ``publish_later`` and ``publish_latest``.

Both are filled by any thread and emptied in the reactor's, which is woken once a batch instead of once a publication:
that thread hop is nearly all that a publication costs. Both survive an outage within their bounds, because what the
router has not acknowledged is sent again; so across an outage an event may arrive twice, but is not lost.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from threading import Condition, Lock
from typing import Any, Protocol

from .errors import NotConnected, QueueFull, WampError
from .publication import Publication, Subject

BATCH = 250
"""Publications sent between two looks at the network; the last of them is acknowledged."""
WINDOW = 4
"""Batches sent and not yet acknowledged, at most: what the router has to catch up with stays bounded."""

_WHILE_CONNECTED = 7 * 24 * 3600.0
"""Seconds to wait for a batch's acknowledgement: a router that hangs has not lost it, and one that died is noticed."""


class Sender(Protocol):
    """What the queues need of a link. Reactor thread."""

    def publish_within(self, timeout: float, publication: Publication) -> Any: ...
    def publish_unacknowledged(self, publication: Publication) -> None: ...


Submit = Callable[..., None]
OnDropped = Callable[[int, str, str], None]


class Outbox:
    """``publish_later``: everything, in order.

    :param sender: the link.
    :param reactor: its clock.
    :param submit: runs a function in the reactor's thread.
    :param counters: ``published_later`` is counted here.
    :param limit: publications kept, ``WAMP_OUTBOX_MAX``.
    :param timeout: seconds to wait for room.
    :param on_dropped: called with ``(count, reason, topic)``, in any thread.
    """

    def __init__(
        self,
        sender: Sender,
        reactor: Any,
        submit: Submit,
        limit: int,
        timeout: float,
        counters: Counter[str],
        on_dropped: OnDropped,
    ) -> None:
        self._sender = sender
        self._reactor = reactor
        self._submit = submit
        self._limit = limit
        self._timeout = timeout
        self._counters = counters
        self._on_dropped = on_dropped
        self._queue: deque[Publication] = deque()
        self._room = Condition()
        self._away = True
        self._awake = False
        self._in_flight: deque[list[Publication]] = deque()

    def __len__(self) -> int:
        with self._room:
            return len(self._queue) + sum(map(len, self._in_flight))

    def put(self, publication: Publication) -> None:
        """Queue ``publication``. Any thread but the reactor's.

        While the router is away the oldest makes room for the newest, and is counted; while it is there this waits
        for room, and raises in the end.

        :raises QueueFull: when there is no room within the publish timeout.
        """
        with self._room:
            if len(self._queue) >= self._limit:
                self._make_room(publication)
            self._queue.append(publication)
            wake = not self._awake and not self._away
            if wake:
                self._awake = True
        if wake:
            self._submit(self._drain)

    def _make_room(self, publication: Publication) -> None:
        if not self._away:
            self._room.wait_for(lambda: self._away or len(self._queue) < self._limit, self._timeout)
        if len(self._queue) < self._limit:
            return
        if not self._away:
            raise QueueFull(
                f"{self._limit} publications wait to be sent and the router took none in {self._timeout:g} s; "
                f"{publication.topic} was not queued. Publish less, use publish_latest, or raise WAMP_OUTBOX_MAX."
            )
        oldest = self._queue.popleft()
        self._on_dropped(1, "outbox full while the router is away", oldest.topic)

    # -- the reactor's side

    def resume(self) -> None:
        """Send what waits, in a new session."""
        with self._room:
            self._away = False
            self._awake = True
        self._drain()

    def pause(self) -> None:
        """Keep what was not acknowledged, to be sent in the next session before everything else."""
        with self._room:
            self._away = True
            for batch in reversed(self._in_flight):
                self._queue.extendleft(reversed(batch))
            self._in_flight.clear()
            self._room.notify_all()

    def _drain(self) -> None:
        with self._room:
            if self._away or not self._queue or len(self._in_flight) >= WINDOW:
                self._awake = False
                return
            batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
            self._in_flight.append(batch)
            self._room.notify_all()
        self._send(batch)
        self._reactor.callLater(0, self._drain)

    def _send(self, batch: list[Publication]) -> None:
        for publication in batch[:-1]:
            try:
                self._sender.publish_unacknowledged(publication)
            except NotConnected:
                return  # pause() puts the whole batch back
            except WampError as error:
                self._on_dropped(1, str(error), publication.topic)
        sending = self._sender.publish_within(_WHILE_CONNECTED, batch[-1])
        sending.addCallbacks(self._acknowledged, self._failed, callbackArgs=(batch,), errbackArgs=(batch,))

    def _acknowledged(self, _result: Any, batch: list[Publication]) -> None:
        self._finish(batch, len(batch))

    def _failed(self, failure: Any, batch: list[Publication]) -> None:
        if isinstance(failure.value, NotConnected):
            return
        self._on_dropped(1, str(failure.value), batch[-1].topic)
        self._finish(batch, len(batch) - 1)

    def _finish(self, batch: list[Publication], sent: int) -> None:
        self._counters["published_later"] += sent
        with self._room:
            if batch not in self._in_flight:
                return
            self._in_flight.remove(batch)
            wake = not self._awake
            self._awake = True
        if wake:
            self._drain()


class LatestBox:
    """``publish_latest``: the newest value of each topic and audience, at most once an interval, the last one always.

    Parameters as :class:`Outbox`; :param interval: seconds, ``WAMP_LATEST_INTERVAL``;
    :param limit: topics with a value to send, ``WAMP_LATEST_MAX``;
    :param timeout: seconds to wait for an acknowledgement, after which the value is sent again.
    """

    def __init__(
        self,
        sender: Sender,
        reactor: Any,
        submit: Submit,
        interval: float,
        limit: int,
        timeout: float,
        counters: Counter[str],
        on_dropped: OnDropped,
    ) -> None:
        self._on_dropped = on_dropped
        self._sender = sender
        self._reactor = reactor
        self._submit = submit
        self._interval = interval
        self._limit = limit
        self._timeout = timeout
        self._counters = counters
        self._lock = Lock()
        self._values: dict[Subject, Publication] = {}
        self._busy: set[Subject] = set()
        self._unacknowledged = 0
        self._away = True

    def __len__(self) -> int:
        return len(self._values) + self._unacknowledged

    def put(self, publication: Publication) -> None:
        """Make ``publication`` its topic's newest. Any thread.

        :raises QueueFull: when ``WAMP_LATEST_MAX`` other topics wait already.
        """
        with self._lock:
            subject = publication.subject
            if subject in self._values:
                self._counters["conflated"] += 1
            elif len(self._values) >= self._limit:
                raise QueueFull(
                    f"{self._limit} topics have a value waiting to be sent; {publication.topic} was not queued. "
                    "Use fewer topics, or raise WAMP_LATEST_MAX."
                )
            self._values[subject] = publication
            wake = not self._away and subject not in self._busy
            if wake:
                self._busy.add(subject)
        if wake:
            self._submit(self._send, subject)

    # -- the reactor's side

    def resume(self) -> None:
        """Send every topic's value, in a new session."""
        with self._lock:
            self._away = False
            waiting = [subject for subject in self._values if subject not in self._busy]
            self._busy.update(waiting)
        for subject in waiting:
            self._send(subject)

    def pause(self) -> None:
        """Stop sending until there is a session again."""
        with self._lock:
            self._away = True

    def _send(self, subject: Subject) -> None:
        with self._lock:
            publication = None if self._away else self._values.pop(subject, None)
            if publication is None:
                self._busy.discard(subject)
                return
            self._unacknowledged += 1
        sent_at = self._reactor.seconds()
        sending = self._sender.publish_within(self._timeout, publication)
        sending.addCallbacks(self._acknowledged, self._failed, errbackArgs=(publication,))
        sending.addBoth(lambda _: self._rest(subject, sent_at))

    def _rest(self, subject: Subject, sent_at: float) -> None:
        with self._lock:
            self._unacknowledged -= 1
        spent = self._reactor.seconds() - sent_at
        self._reactor.callLater(max(0.0, self._interval - spent), self._send, subject)

    def _acknowledged(self, _result: Any) -> None:
        self._counters["published_latest"] += 1

    def _failed(self, failure: Any, publication: Publication) -> None:
        """Put the value back unless a newer one came; only the router's own refusal drops it."""
        if not isinstance(failure.value, NotConnected | TimeoutError):
            self._on_dropped(1, str(failure.value), publication.topic)
            return
        with self._lock:
            self._values.setdefault(publication.subject, publication)
