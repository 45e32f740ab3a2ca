"""Keeps what pages show true: takes what has changed, has the router number it, reads it, sends it.

The rule that makes the greatest number the newest state (``live.py`` says what that is for):

1. *take* the marks: a mark that is set from now on belongs to the next turn;
2. ask the router for a number;
3. begin a new transaction, and read;
4. publish state and number over the session that gave the number; if that has ended, mark again.

A change is marked after its commit. Then whichever turn takes the last mark has a number that was given after the
commit, and every greater number belongs to a reading that began later still: all of them hold the final state.

What has changed and who asks is one thing here: both make a topic due, and one reading serves them all. A topic is
read at once after a rest, and then at most once each ``interval``, which grows with the number of workers that read it,
so that pages get no more events than of two. What nobody hears is not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import Any, Protocol

from flask import Flask
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ._live_protocol import NO_ROLE, Asker, Readable, States
from ._pool import Pool
from .error_log import log_error
from .errors import INTERNAL, CallFailed, NotConnected, QueueFull, WampError
from .options import DEFAULT_PUBLISH, PublishOptions
from .plugin.stamps import PROCEDURE as STAMP
from .publication import Publication

PATIENCE = 5.0
"""Seconds for the router's answer."""
FIRST_DELAY = 0.2
LAST_DELAY = 5.0
"""Seconds until a reading that failed is tried again: first, and at most."""
AT_ONCE = 1000
"""Topics in one question to the router: it answers them in some 10 ms, in which it does nothing else."""

log = Logger()


class Link(Protocol):
    """What the engine needs of a link. Reactor thread."""

    @property
    def session_id(self) -> int | None: ...
    def call(self, procedure: str, args: Any, kwargs: Any) -> Deferred[Any]: ...
    def publish(self, publication: Publication) -> Deferred[Any]: ...


@dataclass(slots=True)
class Marks:
    """Why a topic is due: ``keys`` of rows that have changed; ``all`` when they are not known, or there are no rows."""

    all: bool = False
    keys: set[str] = field(default_factory=set)
    askers: list[Asker] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.changed or bool(self.askers)

    @property
    def changed(self) -> bool:
        """Whether there is something to publish."""
        return self.all or bool(self.keys)

    def note(self, keys: Iterable[str]) -> None:
        """Note that something has changed."""
        known = set(keys)
        self.keys |= known
        self.all = self.all or not known

    @property
    def changed_keys(self) -> list[str] | None:
        """The rows that an event is about; None for all."""
        return None if self.all else sorted(self.keys)

    @property
    def read_keys(self) -> list[str] | None:
        """The rows to be read: who asks gets all."""
        return None if self.askers else self.changed_keys


@dataclass(slots=True, eq=False)
class Entry:
    """One topic of a live thing in this process. ``busy`` from the first mark until nothing is marked any more."""

    thing: Readable
    topic: str
    args: Mapping[str, Any]
    marks: Marks = field(default_factory=Marks)
    busy: bool = False
    rested: float = 0.0
    failures: int = 0


class Engine:
    """The live things of one app in one process. Reactor thread, except where a method names another.

    :param link: the connection.
    :param reactor: its clock.
    :param submit: runs a function in the reactor's thread, from any thread.
    :param interval: seconds between two readings of a topic, ``WAMP_LATEST_INTERVAL``.
    :param threads: readings at a time, ``WAMP_LIVE_THREADS``; they have threads of their own, so that slow handlers
        do not stop pages, nor many readings the handlers.
    :param most: pages that may wait for an answer at a time, ``WAMP_HANDLER_QUEUE``.
    :param count: called with ``live_read`` and ``live_sent``, to count them.
    """

    def __init__(
        self,
        app: Flask,
        link: Link,
        reactor: Any,
        submit: Callable[..., None],
        *,
        interval: float,
        threads: int,
        most: int,
        count: Callable[[str], None],
    ) -> None:
        self._app = app
        self._link = link
        self._reactor = reactor
        self._submit = submit
        self._interval = interval
        self._most = most
        self._count = count
        self._pool = Pool(threads, 1_000_000, f"wamp-{app.name}-live")  # each topic waits once, and askers are bounded
        self._lock = Lock()
        self._entries: dict[str, Entry] = {}
        self._waiting = 0
        self._woken: list[Entry] = []
        self._batch: list[Entry] = []
        self._stranded: list[Entry] = []
        self._timed: set[str] = set()

    def __len__(self) -> int:
        """Return how many topics are due or being read. Any thread."""
        with self._lock:
            return sum(entry.busy for entry in self._entries.values())

    # -- what makes a topic due

    def changed(self, thing: Readable, topic: str, args: Mapping[str, Any], keys: Iterable[str]) -> None:
        """Note that the state of ``topic`` has changed. Any thread."""
        with self._lock:
            entry = self._entry(thing, topic, args)
            entry.marks.note(keys)
            if entry.busy:
                return
            entry.busy = True
            self._woken.append(entry)
            is_first = len(self._woken) == 1
        if is_first:
            self._submit(self._wake)

    def _wake(self) -> None:
        with self._lock:
            woken, self._woken = self._woken, []
        for entry in woken:
            self._due(entry)

    def ask(self, thing: Readable, topic: str, args: Mapping[str, Any], asker: Asker) -> None:
        """Answer with the present state.

        :raises QueueFull: when too many wait.
        """
        with self._lock:
            if self._waiting >= self._most:
                raise QueueFull(f"{self._most} wait for live things already: raise WAMP_HANDLER_QUEUE.")
            self._waiting += 1
            entry = self._entry(thing, topic, args)
            entry.marks.askers.append(asker)
            wake, entry.busy = not entry.busy, True
        if wake:
            self._due(entry)

    def _entry(self, thing: Readable, topic: str, args: Mapping[str, Any]) -> Entry:
        entry = self._entries.get(topic)
        if entry is None:
            entry = self._entries[topic] = Entry(thing, topic, args)
        return entry

    # -- one turn

    def _due(self, entry: Entry) -> None:
        wait = entry.rested - self._reactor.seconds()
        if wait > 0:
            self._reactor.callLater(wait, self._due, entry)
            return
        self._batch.append(entry)
        if len(self._batch) == 1:
            self._reactor.callLater(0, self._stamp)

    def _stamp(self) -> None:
        """Take the marks of everything that has come due, and then ask for its number."""
        batch, self._batch = self._batch[:AT_ONCE], self._batch[AT_ONCE:]
        if self._batch:
            self._reactor.callLater(0, self._stamp)
        session = self._link.session_id
        if session is None:
            self._strand(batch)
            return
        taken = [(entry, self._take(entry)) for entry in batch]
        try:
            request = self._link.call(STAMP, [[entry.topic for entry in batch], session], {})
        except NotConnected as error:
            request = Deferred()
            request.errback(error)
        request.addTimeout(PATIENCE, self._reactor)
        request.addCallbacks(partial(self._stamped, session, taken), partial(self._not_stamped, taken)).addErrback(
            _log_bug
        )

    def _take(self, entry: Entry) -> Marks:
        with self._lock:
            taken, entry.marks = entry.marks, Marks()
            self._waiting -= len(taken.askers)
        return taken

    def _stamped(self, session: int, taken: list[tuple[Entry, Marks]], stamp: Any) -> None:
        number, listeners, workers = stamp
        now = self._reactor.seconds()
        for (entry, marks), roles, count in zip(taken, listeners, workers, strict=True):
            entry.rested = now + self._interval * max(1, count / 2)
            if roles and entry.thing.every is not None:
                self._look_again(entry, entry.thing.every)
            if not roles:
                marks.all, marks.keys = False, set()  # a page that subscribes later than that asks for itself
            if not marks:
                self._done(entry)
                continue
            wanted = {*roles, *(asker.role for asker in marks.askers)}
            self._count("live_read")
            self._pool.submit(partial(self._read, entry, marks, session, number, wanted))

    def _look_again(self, entry: Entry, seconds: float) -> None:
        if entry.topic not in self._timed:
            self._timed.add(entry.topic)
            self._reactor.callLater(seconds, self._time_is_up, entry)

    def _time_is_up(self, entry: Entry) -> None:
        self._timed.discard(entry.topic)
        self.changed(entry.thing, entry.topic, entry.args, ())

    def _not_stamped(self, taken: list[tuple[Entry, Marks]], failure: Failure) -> None:
        text = "The router gave no number for live things, trying again: {why}"
        log.warn(text, why=failure.getErrorMessage())  # noqa: G010 - Twisted's logger has no warning()
        again = self._reactor.seconds() + FIRST_DELAY
        for entry, marks in taken:
            entry.rested = max(entry.rested, again)
            self._fail(entry, marks, NotConnected("The router gave no number."))

    def _read(self, entry: Entry, marks: Marks, session: int, number: int, roles: set[str]) -> None:
        """Read the states in a thread of the pool, in a new transaction that begins after the number was given."""
        try:
            states = self._states(entry, marks, roles)
        except Exception as error:
            self._submit(self._failed_to_read, entry, marks, self._internal(entry, error))
        else:
            self._submit(self._publish, entry, marks, session, number, states)

    def _states(self, entry: Entry, marks: Marks, roles: set[str]) -> States:
        if entry.thing.per == "person":
            return {}
        return entry.thing.states(self._app, entry.args, sorted(roles), marks.read_keys)

    def _publish(self, entry: Entry, marks: Marks, session: int, number: int, states: States) -> None:
        if self._link.session_id != session:  # the numbers of another session cannot be compared
            self._fail(entry, marks, NotConnected("The session ended meanwhile."))
            return
        entry.failures = 0
        for asker in marks.askers:
            state = states.get(asker.role if entry.thing.per == "role" else NO_ROLE)
            if isinstance(state, WampError):
                asker.refuse(state)
            else:
                asker.answer(state, number)
        for role, event in self._events(entry, marks, states):
            options = PublishOptions(eligible_authrole=[role]) if role else DEFAULT_PUBLISH
            self._send(entry, Publication(entry.topic, [event, number], options=options))
        self._done(entry)

    @staticmethod
    def _events(entry: Entry, marks: Marks, states: States) -> list[tuple[str, Any]]:
        if not marks.changed:
            return []
        if entry.thing.per == "person":
            return [(NO_ROLE, None)]  # it says only that each page is to ask
        return entry.thing.events(entry.topic, states, marks.changed_keys)

    def _send(self, entry: Entry, publication: Publication) -> None:
        self._count("live_sent")
        try:
            sending = self._link.publish(publication)
        except WampError as error:
            self._not_sent(entry, Failure(error))
            return
        sending.addTimeout(PATIENCE, self._reactor).addErrback(partial(self._not_sent, entry))

    def _not_sent(self, entry: Entry, failure: Failure) -> None:
        if isinstance(failure.value, WampError) and not isinstance(failure.value, NotConnected):
            log.error("{topic} was not sent: {why}", topic=entry.topic, why=failure.getErrorMessage())
        else:
            self.changed(entry.thing, entry.topic, entry.args, ())

    def _done(self, entry: Entry) -> None:
        with self._lock:
            entry.busy = bool(entry.marks)
        if entry.busy:
            self._due(entry)
        else:
            self._reactor.callLater(max(0.0, entry.rested - self._reactor.seconds()), self._forget, entry)

    def _forget(self, entry: Entry) -> None:
        """Forget a topic that has rested, since anyone may ask for any number of topics."""
        with self._lock:
            if not entry.busy and entry.rested <= self._reactor.seconds() + 0.001:
                self._entries.pop(entry.topic, None)

    # -- when something is in the way

    def _internal(self, entry: Entry, error: Exception) -> CallFailed:
        return CallFailed(INTERNAL, log_error(self._app, f"in reading {entry.thing.label}", error))

    def _failed_to_read(self, entry: Entry, marks: Marks, error: WampError) -> None:
        entry.rested = self._reactor.seconds() + min(FIRST_DELAY * 2**entry.failures, LAST_DELAY)
        entry.failures = min(entry.failures + 1, 16)
        self._fail(entry, marks, error)

    def _fail(self, entry: Entry, marks: Marks, error: WampError) -> None:
        """Refuse the askers, and keep what has changed for the next turn."""
        for asker in marks.askers:
            asker.refuse(error)
        with self._lock:
            entry.marks.all = entry.marks.all or marks.all
            entry.marks.keys |= marks.keys
        self._done(entry)

    def _strand(self, batch: list[Entry]) -> None:
        """Refuse the askers, since there is no session, and keep what has changed for the next one."""
        for entry in batch:
            marks = self._take(entry)
            for asker in marks.askers:
                asker.refuse(NotConnected("The session ended."))
            with self._lock:
                entry.marks.all = entry.marks.all or marks.all
                entry.marks.keys |= marks.keys
                keep = bool(entry.marks)
                if not keep:
                    entry.busy = False
                    self._entries.pop(entry.topic, None)
            if keep:
                self._stranded.append(entry)

    def resume(self) -> None:
        """Read what had to wait for a session."""
        stranded, self._stranded = self._stranded, []
        for entry in stranded:
            self._due(entry)

    def close(self) -> None:
        """Take no more readings."""
        self._pool.close()


def _log_bug(failure: Failure) -> None:
    log.failure("Unexpected error in a live thing", failure=failure)
