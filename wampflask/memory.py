"""A realm in memory, for unit tests that need neither a router nor a thread.

::

    with in_memory(app) as realm:
        client.post("/polls/1/", data={"choice": 2})
        assert realm.published[-1].topic == "polls.question.update.1"
        assert realm.invoke("polls.question.results", 1)["total_votes"] == 1

Handlers run in the calling thread, through the same dispatch as in a worker: app context, ``wampflask.caller``,
payload checks and errors are the real ones. What it does not have is what only a router has: permissions, other
sessions, and time; ``publish_latest`` and ``publish_later`` publish at once, and live things are read at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from flask import Flask

from . import people
from ._client import Client
from ._current import KEY
from ._registry import Declaration, Direct, Procedure, Registry, Subscription
from .caller import Caller
from .errors import CallFailed, NoSuchProcedure, NotConnected, WampError
from .live import NO_ROLE, LiveThing
from .options import DEFAULT_PUBLISH, PublishOptions
from .outbox import Message
from .router.plugin.roster import PROCEDURE as ROSTER
from .router.plugin.roster import WHEREABOUTS
from .router.plugin.stamps import PROCEDURE as STAMP
from .router.plugin.tickets import Claim
from .status import COUNTERS, State, Status
from .uris import Match

SESSION = 1


@dataclass(frozen=True, slots=True)
class Event:
    """What was published."""

    topic: str
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)


@contextmanager
def in_memory(app: Flask) -> Iterator[MemoryRealm]:
    """Let ``app`` talk to a realm in memory instead of a router, for the time of the ``with`` block.

    :raises KeyError: when the app has no ``WAMP``.
    """
    real: Client = app.extensions[KEY]
    app.extensions[KEY] = realm = MemoryRealm(app, real)
    try:
        yield realm
    finally:
        app.extensions[KEY] = real


class MemoryRealm(Client):
    """What :func:`in_memory` gives: everything that was published, and the other side's voice."""

    def __init__(self, app: Flask, real: Client) -> None:
        super().__init__(app, real.config, real.registry)
        self._prepare()
        self._others = Registry()
        self._locks: set[str] = set()
        self.connected = True
        self.published: list[Event] = []
        self.ended: list[tuple[str | int, str, str]] = []
        self.people: dict[str, list[list[Any]]] = {}
        self._numbers = count(1)

    # -- the other side's voice

    def answer(self, procedure: str, handler: Callable[..., Any], *, match: Match = "exact") -> None:
        """Have ``handler`` answer calls of ``procedure``, as a browser or an agent would."""
        self._others.add(Procedure(procedure, handler, match))

    def invoke(self, procedure: str, *args: Any, caller: Caller | None = None, **kwargs: Any) -> Any:
        """Call one of the app's procedures as ``caller`` (default: a visitor).

        :raises CallFailed: the handler's own error, or ``wampflask.error.internal`` with the id in the log.
        :raises NotAuthorized: ``login_required`` or ``roles`` refuse the caller, or the handler does.
        :raises InvalidPayload: an argument is not JSON. :raises NoSuchProcedure: it is not declared.
        """
        who = caller or Caller(session=2, authid="visitor:test", role="visitor", uri=procedure)
        return self._invoke(procedure, args, kwargs, who)

    @property
    def revoked(self) -> list[str]:
        """The authids whose logins have ended."""
        return [str(whose) for whose, reason, _ in self.ended if reason == people.REVOKED]

    def disconnect(self) -> None:
        """Be away: publish and call raise :class:`NotConnected` from now on."""
        self.connected = False

    # -- live things: read at once, in the calling thread

    def changed(self, thing: LiveThing[..., Any], topic: str, args: Mapping[str, Any], keys: Iterable[str]) -> None:
        """Read and publish it for every role that may see it, as if all of them listened."""
        if not self.connected:
            return
        wanted = list(keys) or None
        states = {} if thing.per == "person" else thing.states(self.app, args, thing.allow, wanted)
        events = thing.events(topic, states, wanted) or [(NO_ROLE, None)]
        number = self._number()
        for role, event in events:
            options = PublishOptions(eligible_authrole=[role]) if role else DEFAULT_PUBLISH
            self.publish(Message(topic, [event, number], {}, options))

    def ask(
        self,
        thing: LiveThing[..., Any],
        topic: str,  # noqa: ARG002 - the client's signature
        args: Mapping[str, Any],
        role: str,
        answer: Callable[[Any, int], None],
        refuse: Callable[[WampError], None],
    ) -> None:
        """Answer at once."""
        try:
            state = thing.states(self.app, args, [role], None)[role if thing.per == "role" else NO_ROLE]
        except WampError as error:
            state = error
        if isinstance(state, WampError):
            refuse(state)
        else:
            answer(state, self._number())

    def expect_change(self) -> None:
        """Nobody outlives this realm."""

    def run_for(self, caller: Caller, function: Callable[[], Callable[[], None]], failed: Callable[[], None]) -> None:
        """Run it at once."""
        results: list[Callable[[], None] | None] = []
        self._dispatcher.run_for_here(caller, function, results.append)
        (results[0] or failed)()

    def _number(self) -> int:
        return next(self._numbers)

    # -- what a client does

    def start(self) -> None:
        """Nothing is to be started."""

    def begin(self, *, serve: bool) -> None:
        """It is there."""

    def serve(self) -> None:
        """It does."""

    def flush(self, timeout: float) -> None:  # noqa: ARG002 - the client's signature
        """Nothing waits."""
        self._require()

    def flush_unserved(self) -> None:
        """Nothing waits."""

    def connect(self, timeout: float) -> None:  # noqa: ARG002 - the client's signature
        """Be there at once, or not."""
        self._require()

    def stop(self) -> None:
        """Nothing is to be stopped."""

    @property
    def status(self) -> Status:
        """Ready, unless :meth:`disconnect` was called."""
        state = State.READY if self.connected else State.CONNECTING
        counters = dict.fromkeys(COUNTERS, 0) | self.counters
        return Status(state, self._since, SESSION if self.connected else None, counters=counters)

    def declare(self, declaration: Declaration) -> None:
        """The registry has it; no router needs to know."""

    def call(self, procedure: str, args: Sequence[Any], kwargs: Mapping[str, Any], timeout: float | None) -> Any:  # noqa: ARG002 - the client's signature
        """Call a procedure of the app or of :meth:`answer`."""
        self._require()
        if procedure == STAMP:
            return [self._number(), [[] for _ in args[0]]]
        if procedure == ROSTER:
            return self.people.get(args[0], [])
        if procedure == WHEREABOUTS:
            return [topic for topic, people in self.people.items() if args[0] in [authid for authid, *_ in people]]
        return self._invoke(procedure, args, kwargs, Caller(SESSION, "backend", "backend", procedure))

    def publish(self, message: Message) -> None:
        """Keep the event and deliver it to the app's own handlers."""
        self._require()
        self.published.append(Event(message.topic, message.args, message.kwargs))
        caller = Caller(SESSION, "backend", "backend", message.topic)
        for item in self.declarations():
            if isinstance(item, Subscription) and _matches(item, message.topic):
                self._dispatcher.run_subscription(item, message.args, message.kwargs, caller)

    def publish_later(self, message: Message) -> None:
        """Publish at once; an outage drops it."""
        self.check_size(message)
        if self.connected:
            self.publish(message)

    publish_latest = publish_later

    def acquire(self, uri: str) -> Any:
        """Take the lock."""
        self._require()
        if uri in self._locks:
            raise CallFailed("wamp.error.procedure_already_exists")
        self._locks.add(uri)
        return uri, SESSION

    def holds(self, session: int | None) -> bool:
        """Whether there is a session."""
        return self.connected and session == SESSION

    def release(self, registration: Any) -> None:
        """Free the lock."""
        self._locks.discard(registration)

    def claims_of(self, session: int) -> Mapping[str, Claim]:  # noqa: ARG002 - the client's signature
        """Nobody's: give the :class:`Caller` its ``known_claims``."""
        return {}

    def end_sessions(self, whose: str | int, reason: str, message: str = "") -> None:
        """Keep whose sessions were to end, and why."""
        self.ended.append((whose, reason, message))

    def _require(self) -> None:
        if not self.connected:
            raise NotConnected("This realm in memory was disconnected.")

    def _invoke(self, procedure: str, args: Sequence[Any], kwargs: Mapping[str, Any], caller: Caller) -> Any:
        for item in [*self.declarations(), *self._others]:
            if isinstance(item, Procedure) and _matches(item, procedure):
                if item.direct is not None:
                    return self._ask_directly(item.direct, args, kwargs, caller)
                return self._dispatcher.run_procedure(item, args, kwargs, caller)
        raise NoSuchProcedure(f"no callee registered for procedure <{procedure}>")

    def _ask_directly(self, direct: Direct, args: Sequence[Any], kwargs: Mapping[str, Any], caller: Caller) -> Any:
        answers: list[Any] = []
        direct(self, args, kwargs, caller, answers.append, answers.append)
        if isinstance(answers[0], WampError):
            raise answers[0]
        return answers[0]


def _matches(declaration: Declaration, uri: str) -> bool:
    if declaration.match == "exact":
        return uri == declaration.uri
    if declaration.match == "prefix":
        return uri.startswith(declaration.uri)
    wanted, given = declaration.uri.split("."), uri.split(".")
    return len(wanted) == len(given) and all(part in ("", other) for part, other in zip(wanted, given, strict=True))
