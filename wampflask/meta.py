"""What is in the realm now: ``wamp.meta.sessions()``, ``.procedures()``, ``.topics()``, ``.workers()``.

For operators, and for an app's own needs. The router is asked once, however many sessions there are, and never answers
with a cookie, a header or a ticket of anybody (``plugin/meta.py``). Workers are asked each for itself, all at the same
time; one that hangs is listed as not answering.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import _control
from ._control import PREFIX
from .error_log import LoggedError
from .errors import NoSuchProcedure, NotConnected, WampError, WampTimeout
from .plugin import blocks
from .plugin.meta import LIMIT, PROCEDURES, SESSIONS, TOPICS
from .revocations import BLOCKED_FILE
from .tail import Tail
from .uris import Match

if TYPE_CHECKING:
    from ._client import Client

__all__ = ["Blocked", "Callee", "Found", "Health", "HeldLock", "Meta", "ProcedureInfo", "SessionInfo", "TopicInfo"]
__all__ += ["WorkerInfo"]

LOCKS = "wampflask.lock."
PATIENCE = 1.0
"""Seconds that workers have to answer."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A page of what was found. It can be iterated.

    :param rows: this page.
    :param found: how many there are that match.
    :param total: how many there are.
    :param roles: of sessions, how many each role has, whatever was asked for.
    """

    rows: tuple[T, ...]
    found: int
    total: int
    roles: Mapping[str, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[T]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One session.

    :param session: its id.
    :param authid: such as ``user:17``.
    :param address: of the client; empty for a worker by the socket of this machine.
    :param transport: ``ws``, ``wss``, ``rs`` or ``unix``, as in ``WAMP_URL``.
    :param since: when it connected, seconds since the epoch.
    :param topics: what it listens to; in a list of sessions the first ten.
    :param procedures: what it has registered, in the same way.
    :param waiting: bytes that it has not read yet.
    :param refused: actions that the rate limit denied.
    """

    session: int
    authid: str
    role: str
    address: str
    transport: str
    since: float
    topics: tuple[str, ...]
    topic_count: int
    procedures: tuple[str, ...]
    procedure_count: int
    waiting: int
    refused: int


@dataclass(frozen=True, slots=True)
class Callee:
    """A session that serves a procedure."""

    session: int
    authid: str
    role: str


@dataclass(frozen=True, slots=True)
class ProcedureInfo:
    """One registered procedure.

    :param number: the router's, as in ``wamp.registration.on_delete``.
    :param match: ``exact``, ``prefix`` or ``wildcard``.
    :param invoke: which callee the router chooses: single, first, last, roundrobin, random.
    :param since: seconds since the epoch.
    """

    number: int
    uri: str
    match: str
    invoke: str
    since: float
    callees: tuple[Callee, ...]


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """One subscribed topic, or pattern of topics. ``number``: as in ``wamp.subscription.on_delete``."""

    number: int
    uri: str
    match: str
    since: float
    subscribers: int


@dataclass(frozen=True, slots=True)
class HeldLock:
    """A lock that is held. ``session``: by whom."""

    name: str
    session: int
    since: float


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """One process that serves.

    :param id: what :meth:`Meta.drain` takes.
    :param session: its id at the router.
    :param answers: it has answered in time; of one that has not, only ``id`` and ``session`` are known.
    :param state: see :class:`wampflask.status.State`.
    :param since: when that state began, seconds since the epoch.
    :param ready: everything that it declares is confirmed.
    :param drained: it has left its procedures to others.
    :param release: its ``WAMP_RELEASE``: during a deploy there are two.
    :param counters: see docs/limits.md.
    """

    id: str
    session: int
    answers: bool
    pid: int = 0
    host: str = ""
    state: str = ""
    since: float = 0.0
    ready: bool = False
    drained: bool = False
    reason: str = ""
    pending: tuple[str, ...] = ()
    release: str = ""
    counters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Blocked:
    """Somebody who gets no ticket. ``until``: seconds since the epoch; None until the block is lifted."""

    authid: str
    until: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Health:
    """Whether this process, the router and the way between them work.

    :param problem: what is missing; empty when nothing is.
    :param seconds: how long a call took through the router to this process and back.
    """

    problem: str
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether all is well."""
        return not self.problem


class Meta:
    """What ``wamp.meta`` is. Needs an app context; any thread but the reactor's.

    Each method raises what ``wamp.call`` raises: :class:`NotConnected` without a session, :class:`WampTimeout` when the
    router does not answer; :class:`NoSuchProcedure` from a router that was started by an older wampflask.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    # -- the router's

    def sessions(
        self,
        text: str = "",
        *,
        role: str = "",
        authid: str = "",
        observed: int = 0,
        sort: str = "since",
        offset: int = 0,
        limit: int | None = 100,
    ) -> Found[SessionInfo]:
        """Return sessions.

        :param text: a part of the id, authid, role or address.
        :param observed: only those that have subscribed the topic, or registered the procedure, of this number.
        :param sort: ``since`` (newest first), ``authid``, ``role``, ``address``, or ``waiting``, ``refused``,
            ``topics``, ``procedures`` (most first).
        :param limit: 1,000 at most, or None for all: in several calls, between which sessions may come and go.
        """
        query = {"text": text, "role": role, "authid": authid, "observed": observed, "sort": sort}
        return self._pages(SESSIONS, query, offset, limit, _session)

    def session(self, number: int) -> SessionInfo | None:
        """Return one session with everything that it listens to and has registered; None when there is none."""
        answer = self._ask(SESSIONS, {"number": number})
        return next(map(_session, answer["rows"]), None)

    def procedures(
        self, text: str = "", *, internal: bool = False, offset: int = 0, limit: int | None = 100
    ) -> Found[ProcedureInfo]:
        """Return procedures with the sessions that serve them, by their URIs.

        :param text: a part of the URI.
        :param internal: those of the router and of the library, too.
        :param limit: see :meth:`sessions`.
        """
        return self._pages(PROCEDURES, {"text": text, "internal": internal}, offset, limit, _procedure)

    def topics(
        self, text: str = "", *, internal: bool = False, offset: int = 0, limit: int | None = 100
    ) -> Found[TopicInfo]:
        """Return the topics that somebody listens to, by their URIs: see :meth:`procedures`."""
        return self._pages(TOPICS, {"text": text, "internal": internal}, offset, limit, lambda row: TopicInfo(**row))

    def locks(self) -> tuple[HeldLock, ...]:
        """Return the locks that are held: those of ``wamp.lock``."""
        found = self.procedures(LOCKS, internal=True, limit=None)
        return tuple(
            HeldLock(item.uri.removeprefix(LOCKS), item.callees[0].session, item.since)
            for item in found
            if item.uri.startswith(LOCKS) and item.callees
        )

    # -- the workers'

    def workers(self, timeout: float = PATIENCE) -> tuple[WorkerInfo, ...]:
        """Return the processes that serve, by host and process id; those that do not answer come first.

        :param timeout: seconds that each has; all of them are asked at the same time.
        """
        sessions = self._controls()
        answers = self._client.call_each(list(sessions), [_control.REPORT], timeout) if sessions else {}
        found = [_worker(uri, session, answers[uri]) for uri, session in sessions.items()]
        return tuple(sorted(found, key=lambda worker: (worker.answers, worker.host, worker.pid)))

    def errors(self, number: str = "", timeout: float = PATIENCE) -> tuple[LoggedError, ...]:
        """Return the last unexpected errors of all workers, newest first.

        :param number: a part of the id which somebody was shown.
        """
        controls = list(self._controls())
        answers = self._client.call_each(controls, [_control.ERRORS], timeout) if controls else {}
        rows = [row for answer in answers.values() if isinstance(answer, list) for row in answer]
        found = [LoggedError(**row) for row in rows if number.strip().lower() in row["id"]]
        return tuple(sorted(found, key=lambda error: -error.at))

    def drain(self, worker: str) -> None:
        """Have a worker leave its procedures to others: it finishes what runs, and serves pages as before.

        Locks stay with it until it ends.

        :param worker: its :attr:`WorkerInfo.id`.
        :raises NoSuchProcedure: there is no such worker.
        """
        self._client.call(PREFIX + worker, [_control.DRAIN], {}, None)

    def resume(self, worker: str) -> None:
        """Undo :meth:`drain`."""
        self._client.call(PREFIX + worker, [_control.RESUME], {}, None)

    def health(self, timeout: float = PATIENCE) -> Health:
        """Call a procedure of this process through the router, and say how that went. Never raises, never waits longer.

        :param timeout: seconds.
        """
        status = self._client.status
        if not status.ready:
            return Health(status.reason or ", ".join(status.pending) or status.state.value)
        began = time.perf_counter()
        try:
            self._client.call(self._client.control.uri, [_control.PING], {}, timeout)
        except WampTimeout:
            return Health(f"the router has not answered within {timeout:g} s")
        except NoSuchProcedure:
            return Health("this process serves nothing")
        except (NotConnected, WampError) as error:
            return Health(str(error))
        return Health("", time.perf_counter() - began)

    # -- people and topics

    def blocks(self) -> tuple[Blocked, ...]:
        """Return who is blocked now."""
        file = Path(self._client.app.instance_path) / BLOCKED_FILE
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        now = time.time()
        return tuple(
            Blocked(authid, block.until, block.reason)
            for authid, block in sorted(blocks.parse(text).items())
            if block.holds(now)
        )

    def tail(self, topic: str, uri: str, *, match: Match = "exact") -> Tail:
        """Follow a topic from this process, and publish what comes to ``uri``: see :class:`wampflask.tail.Tail`.

        :param topic: one of the app's, or a pattern for ``match`` prefix or wildcard.
        :param uri: a topic, and a procedure, of the app's: permit it to people who may see everything.
        :raises InvalidURI: for a topic that is not the app's, or a pattern that covers more than the app's.
        :raises QueueFull: this process follows enough topics already.
        :raises NotConnected: the router has not confirmed it in time.
        """
        tail = Tail.start(self._client, topic, uri, match)
        self._client.connect(self._client.config.connect_timeout)  # until the router has confirmed it
        return tail

    # -- asking

    def _controls(self) -> dict[str, int]:
        """Return the URI and session of each worker's own procedure."""
        found = self.procedures(PREFIX, internal=True, limit=None)
        return {item.uri: item.callees[0].session for item in found if item.uri.startswith(PREFIX) and item.callees}

    def _ask(self, procedure: str, query: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.call(procedure, (), dict(query), None)
        return answer

    def _pages(
        self,
        procedure: str,
        query: Mapping[str, Any],
        offset: int,
        limit: int | None,
        read: Callable[[dict[str, Any]], T],
    ) -> Found[T]:
        rows: list[T] = []
        while True:
            size = LIMIT if limit is None else limit
            answer = self._ask(procedure, {**query, "offset": offset + len(rows), "limit": size})
            rows += map(read, answer["rows"])
            if limit is not None or len(answer["rows"]) < LIMIT:
                return Found(tuple(rows), answer["found"], answer["total"], answer.get("roles", {}))


def _session(row: dict[str, Any]) -> SessionInfo:
    return SessionInfo(**{**row, "topics": tuple(row["topics"]), "procedures": tuple(row["procedures"])})


def _procedure(row: dict[str, Any]) -> ProcedureInfo:
    return ProcedureInfo(**{**row, "callees": tuple(Callee(**callee) for callee in row["callees"])})


def _worker(uri: str, session: int, answer: Any) -> WorkerInfo:
    name = uri.removeprefix(PREFIX)
    if not isinstance(answer, dict):
        return WorkerInfo(name, session, answers=False)
    fields = {**answer, "session": session, "pending": tuple(answer["pending"])}
    return WorkerInfo(name, answers=True, ready=answer["state"] == "ready", **fields)
