"""A realm in memory, for unit tests that need neither a router nor a thread.

::

    with in_memory(app) as realm:
        bob = realm.page(user=2)
        bob.subscribe("polls.question.update.1")
        client.post("/polls/1/", data={"choice": 2})
        assert bob.heard[-1].args[0]["total_votes"] == 1

Handlers run in the calling thread, through the same dispatch as in a worker: app context, ``wampflask.caller``,
payload checks and errors are the real ones, and pages are under the rules that the router would have. What it does not
have is time: ``publish_latest`` and ``publish_later`` publish at once, and live things are read at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from flask import Flask

from . import audience, memory_meta
from ._client import Client, Role
from ._current import KEY
from ._declarations import Declaration, Declarations, Direct, Procedure, Subscription
from ._incoming import Incoming, Invocation
from ._live_protocol import NO_ROLE, Asker, Readable
from .caller import Caller
from .errors import CallFailed, NoSuchProcedure, NotAuthorized, NotConnected, RateLimited, WampError
from .options import DEFAULT_PUBLISH, CallResult, PublishOptions
from .page import Event, Page, Visit, first_of, match_of
from .permissions import BACKEND, compile_rules
from .plugin.call_rates import CallRates
from .plugin.roster import CHANGED as PEOPLE_CHANGED
from .plugin.roster import LAST, WHEREABOUTS
from .plugin.roster import PROCEDURE as ROSTER
from .plugin.rules import Decision, Rules, Session
from .plugin.stamps import PROCEDURE as STAMP
from .plugin.tickets import Claim, read_claims
from .publication import Publication
from .status import COUNTERS, State, Status
from .uris import Match

SESSION = 1


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
        if "store" in vars(realm):
            realm.store.close()


class MemoryRealm(Client):
    """What :func:`in_memory` gives: everything that was published, and the other side's voice."""

    def __init__(self, app: Flask, real: Client) -> None:
        super().__init__(app, real.config, real.declarations, permissions=real.permissions)
        self._prepare()
        self._others = Declarations()
        self._locks: set[str] = set()
        self.connected = True
        self.published: list[Event] = []
        self.ended: list[tuple[str | int | Role, str, str]] = []
        self.people: dict[str, list[list[Any]]] = {}
        self._rates = CallRates()
        self._numbers = count(1)
        self._sessions = count(SESSION + 1)
        self._pages: list[MemoryPage] = []

    # -- the other side's voice

    def page(
        self, *, user: object = None, role: str | None = None, authid: str | None = None, **claims: object
    ) -> MemoryPage:
        """Return a page of somebody, under the rules that the router would have.

        :param user: the id of a person who is logged in, or a Flask-Login user; without it, a visitor.
        :param role: theirs, if it is not ``user``.
        :param authid: of somebody else, such as ``agent:web1``.
        :param claims: what their ticket says besides, such as ``team=1`` or ``team=[1, 2]``.
        :raises ValueError: for what cannot stand in a ticket.
        """
        visit = Visit.of(self.declarations.roles, user, role, authid)
        opened = MemoryPage(self, next(self._sessions), visit, read_claims(claims))
        self._pages.append(opened)
        return opened

    def deliver(self, topic: str, *args: Any, caller: Caller | None = None, **kwargs: Any) -> None:
        """Let the app and the pages hear an event of somebody else's, also one of the router's own, ``wamp.…``.

        :param caller: who published it, where that is disclosed; by default, nobody is named.
        """
        who = caller or Caller()
        known = Caller(who.session, who.authid, who.role, topic)
        self.hear(Event(topic, list(args), kwargs), known)

    def answer(self, procedure: str, handler: Callable[..., Any], *, match: Match = "exact") -> None:
        """Have ``handler`` answer calls of ``procedure``, as a browser or an agent would."""
        self._others.add(Procedure(procedure, handler, match))

    def invoke(self, procedure: str, *args: Any, caller: Caller | None = None, **kwargs: Any) -> Any:
        """Call one of the app's procedures as ``caller`` (default: a visitor).

        :raises CallFailed: the handler's own error, or ``wampflask.error.internal`` with the id in the log.
        :raises NotAuthorized: ``login_required`` or ``roles`` refuse the caller, or the handler does.
        :raises InvalidPayload: an argument is not JSON.
        :raises NoSuchProcedure: it is not declared.
        """
        who = caller or Caller(session=2, authid="visitor:test", role="visitor", uri=procedure)
        return self._invoke(procedure, args, kwargs, who)

    @property
    def revoked(self) -> list[str]:
        """The authids whose logins have ended."""
        return [str(whose) for whose, reason, _ in self.ended if reason == audience.REVOKED]

    def disconnect(self) -> None:
        """Go offline: publish and call raise :class:`NotConnected` from now on."""
        self.connected = False

    # -- live things: read at once, in the calling thread

    def changed(self, thing: Readable, topic: str, args: Mapping[str, Any], keys: Iterable[str]) -> None:
        """Read and publish it for every role that may see it, as if all of them listened."""
        if not self.connected:
            return
        wanted = list(keys) or None
        states = {} if thing.per == "person" else thing.states(self.app, args, thing.allow, wanted)
        events = thing.events(topic, states, wanted) or [(NO_ROLE, None)]
        number = self._number()
        for role, event in events:
            options = PublishOptions(eligible_authrole=[role]) if role else DEFAULT_PUBLISH
            self.publish(Publication(topic, [event, number], options=options))

    def ask(self, thing: Readable, topic: str, args: Mapping[str, Any], asker: Asker) -> None:  # noqa: ARG002 - the client's signature
        """Answer at once."""
        try:
            state = thing.states(self.app, args, [asker.role], None)[asker.role if thing.per == "role" else NO_ROLE]
        except WampError as error:
            state = error
        if isinstance(state, WampError):
            asker.refuse(state)
        else:
            asker.answer(state, self._number())

    def expect_change(self) -> None:
        """Do nothing: no process outlives this realm."""

    def run_for(self, caller: Caller, function: Callable[[], Callable[[], None]], failed: Callable[[], None]) -> None:
        """Run it at once."""
        results: list[Callable[[], None] | None] = []
        self._dispatcher.run_for_here(caller, function, results.append)
        (results[0] or failed)()

    def _number(self) -> int:
        return next(self._numbers)

    # -- what a client does

    def start(self) -> None:
        """Do nothing: there is nothing to start."""

    def begin(self, *, serve: bool) -> None:
        """Do nothing: the realm is there."""

    def serve(self) -> None:
        """Do nothing: it serves already."""

    def flush(self, timeout: float) -> None:  # noqa: ARG002 - the client's signature
        """Return at once: nothing is queued."""
        self._require()

    def flush_unserved(self) -> None:
        """Do nothing: nothing is queued."""

    def connect(self, timeout: float) -> None:  # noqa: ARG002 - the client's signature
        """Return at once, or raise :class:`NotConnected`."""
        self._require()

    def stop(self) -> None:
        """Do nothing: there is nothing to stop."""

    @property
    def status(self) -> Status:
        """Ready, unless :meth:`disconnect` was called."""
        state = State.READY if self.connected else State.CONNECTING
        counters = dict.fromkeys(COUNTERS, 0) | self.counters
        return Status(state, self._since, SESSION if self.connected else None, counters=counters)

    def declare(self, declaration: Declaration) -> None:
        """Keep a declaration; no router needs it."""

    def call(
        self,
        procedure: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        timeout: float | None,  # noqa: ARG002 - the client's signature
        on_progress: Callable[..., object] | None = None,
        caller: Caller | None = None,
    ) -> Any:
        """Call a procedure of the app or of :meth:`answer`."""
        self._require()
        if procedure == STAMP:
            return [self._number(), [[] for _ in args[0]]]
        if procedure == ROSTER:
            return self.people.get(args[0], []) + self._here(args[0])
        if procedure in memory_meta.PROCEDURES:
            return memory_meta.PROCEDURES[procedure](self, *args, **kwargs)
        if procedure == WHEREABOUTS:
            return [topic for topic, people in self.people.items() if args[0] in [authid for authid, *_ in people]]
        who = caller or Caller(SESSION, "backend", "backend", procedure)
        return self._invoke(procedure, args, kwargs, who, on_progress)

    def call_each(self, procedures: Sequence[str], args: Sequence[Any], timeout: float) -> dict[str, Any]:
        """Call one after the other."""

        def answer(procedure: str) -> Any:
            try:
                return self.call(procedure, args, {}, timeout)
            except WampError as error:
                return error

        return {procedure: answer(procedure) for procedure in procedures}

    def send(self, publication: Publication) -> None:
        """Publish."""
        self.publish(publication)

    def later(self, seconds: float, function: Callable[[], None]) -> None:
        """Do nothing: there is no time in memory."""

    def drain(self) -> None:
        """Do nothing: there is no other worker."""

    resume = drain

    @property
    def pages(self) -> tuple[MemoryPage, ...]:
        """The pages that are open."""
        return tuple(self._pages)

    @property
    def provided(self) -> tuple[Procedure, ...]:
        """The procedures of the app, and those of :meth:`answer`."""
        return tuple(item for item in (*self.declared(), *self._others) if isinstance(item, Procedure))

    @property
    def topics(self) -> tuple[Subscription, ...]:
        """The subscriptions of the app."""
        return tuple(item for item in self.declared() if isinstance(item, Subscription))

    def publish(self, publication: Publication) -> int:
        """Keep the event and deliver it to the app's own handlers."""
        self._require()
        event = Event(publication.topic, publication.args, publication.kwargs, publication.options)
        self.published.append(event)
        self.hear(event, Caller(SESSION, BACKEND, BACKEND, publication.topic))
        return self._number()

    def hear(self, event: Event, caller: Caller, exclude: MemoryPage | None = None) -> None:
        """Deliver an event to those whom its options let hear it."""
        if is_for(event.options, SESSION, BACKEND, BACKEND):
            for item in self.declared():
                if isinstance(item, Subscription) and _matches(item.match, item.uri, event.topic):
                    self._hear_own(item, Incoming(event.args, event.kwargs, caller))
        for page in tuple(self._pages):
            wanted = page is not exclude and page.hears(event.topic)
            if wanted and is_for(event.options, page.session, page.authid, page.role):
                page.heard.append(event)

    def _hear_own(self, subscription: Subscription, event: Incoming) -> None:
        if subscription.direct is not None:
            subscription.direct(event)
        else:
            self._dispatcher.run_subscription(subscription, event)

    def publish_later(self, publication: Publication) -> None:
        """Publish at once; an outage drops it."""
        self.check_size(publication)
        if self.connected:
            self.publish(publication)

    publish_latest = publish_later

    def acquire(self, uri: str) -> Any:
        """Take the lock."""
        self._require()
        if uri in self._locks:
            raise CallFailed("wamp.error.procedure_already_exists")
        self._locks.add(uri)
        return uri, SESSION

    def holds(self, session: int | None) -> bool:
        """Return whether there is a session."""
        return self.connected and session == SESSION

    def release(self, registration: Any) -> None:
        """Free the lock."""
        self._locks.discard(registration)

    def claims_of(self, session: int) -> Mapping[str, Claim]:
        """Return the claims of a page; a :class:`Caller` that a test makes has its ``known_claims``."""
        return next((page.claims for page in self._pages if page.session == session), {})

    def end_sessions(self, whose: str | int | Role, reason: str, message: str = "") -> None:
        """Keep whose sessions were to end, and why."""
        self.ended.append((whose, reason, message))

    def _here(self, topic: str) -> list[list[Any]]:
        """Return the people whose pages follow a presence topic, as the router counts them."""
        following = [page for page in self._pages if page.hears(topic)]
        roles = {page.authid: page.role for page in following}
        return [[authid, role, sum(page.authid == authid for page in following), 0.0] for authid, role in roles.items()]

    @contextmanager
    def noticing(self, page: MemoryPage, topics: Iterable[str]) -> Iterator[None]:
        """Notify the app of the people who came or left in the ``with`` block, as the router does."""
        followed = [topic for topic in topics if topic.endswith(f".{LAST}")]
        before = {topic: self._is_here(page, topic) for topic in followed}
        yield
        for topic in followed:
            now = self._is_here(page, topic)
            if now != before[topic]:
                came, left = ([page.authid], []) if now else ([], [page.authid])
                self.call(PEOPLE_CHANGED, [[[topic, came, left]]], {}, None)

    def _is_here(self, page: MemoryPage, topic: str) -> bool:
        return any(authid == page.authid for authid, *_ in self._here(topic))

    def decide(self, page: MemoryPage, action: str, uri: str, options: Mapping[str, Any]) -> Decision:
        """Return the decision that the router would make.

        :raises NotAuthorized: no.
        :raises RateLimited: not so often.
        """
        self._require()
        rules = Rules(compile_rules(self.permissions()))
        decision = rules.decide(page.as_session, uri, action, options)
        if not decision.allow:
            raise NotAuthorized(f"{page.authid} ({page.role}) is not permitted to {action} {uri}.")
        if action == "call" and (why := self._rates.objection(rules, page.as_session, self.config.realm, uri)):
            raise RateLimited(why)
        return decision

    def _require(self) -> None:
        if not self.connected:
            raise NotConnected("This realm in memory was disconnected.")

    def _invoke(
        self,
        procedure: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        caller: Caller,
        on_progress: Callable[..., object] | None = None,
    ) -> Any:
        answering = [item for page in self._pages for item in page.procedures]
        for item in [*self.declared(), *self._others, *answering]:
            if isinstance(item, Procedure) and _matches(item.match, item.uri, procedure):
                if item.direct is not None:
                    return self._ask_directly(item.direct, Incoming(args, kwargs, caller))
                report = None if on_progress is None else _spread(on_progress)
                return self._dispatcher.run_procedure(item, Invocation(args, kwargs, caller, _keep, _keep, report))
        raise NoSuchProcedure(f"no callee registered for procedure <{procedure}>")

    def _ask_directly(self, direct: Direct, call: Incoming) -> Any:
        answers: list[Any] = []
        direct(self, Invocation(call.args, call.kwargs, call.caller, answers.append, answers.append))
        if isinstance(answers[0], WampError):
            raise answers[0]
        return answers[0]


class MemoryPage(Page):
    """What :meth:`MemoryRealm.page` gives."""

    def __init__(self, realm: MemoryRealm, session: int, visit: Visit, claims: Mapping[str, Claim]) -> None:
        super().__init__()
        self.claims = claims
        self.session, self.authid, self.role = session, visit.authid, visit.role
        self._realm = realm
        self.topics: list[str] = []
        self.procedures: list[Procedure] = []
        extra = {"claims": claims}
        self.as_session = Session.of(
            {"session": session, "authid": visit.authid, "authrole": visit.role, "authextra": extra}
        )

    def hears(self, topic: str) -> bool:
        """Return whether it has subscribed ``topic``."""
        return any(_matches(match_of(mine), mine, topic) for mine in self.topics)

    def subscribe(self, topic: str) -> None:
        self._realm.decide(self, "subscribe", topic, {"match": match_of(topic)})
        with self._realm.noticing(self, (topic,)):
            self.topics.append(topic)

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        self._realm.decide(self, "call", procedure, {})
        caller = Caller(self.session, self.authid, self.role, procedure)
        result = self._realm.invoke(procedure, *args, caller=caller, **kwargs)
        return first_of(result.args, result.kwargs) if isinstance(result, CallResult) else result

    def publish(self, topic: str, *args: Any, **kwargs: Any) -> None:
        decision = self._realm.decide(self, "publish", topic, {})
        sent = Publication.of("publish", topic, args, kwargs, DEFAULT_PUBLISH)
        caller = Caller(self.session, self.authid, self.role, topic) if decision.disclose else Caller(uri=topic)
        self._realm.hear(Event(topic, sent.args, sent.kwargs), caller, exclude=self)

    def register(self, procedure: str, answer: Callable[..., Any]) -> None:
        self._realm.decide(self, "register", procedure, {})
        self.procedures.append(Procedure(procedure, answer))

    def wait(self, count: int = 1, timeout: float = 10.0) -> list[Event]:  # noqa: ARG002 - there is no time here
        assert len(self.heard) >= count, f"{self.authid} has heard {self.heard}, and not {count} events"  # noqa: S101
        return list(self.heard)

    def leave(self) -> None:
        self.procedures = []
        with self._realm.noticing(self, self.topics):
            self.topics = []


def _keep(_answer: object) -> None:
    """Do nothing: the caller has it already."""


def _spread(on_progress: Callable[..., object]) -> Callable[[Sequence[Any]], None]:
    def report(values: Sequence[Any]) -> None:
        on_progress(*values)

    return report


def is_for(options: PublishOptions, session: int, authid: str, role: str) -> bool:
    """Return whether a publication with these options reaches a session."""
    return (
        (options.receivers is None or authid in options.receivers)
        and (options.roles is None or role in options.roles)
        and (options.sessions is None or session in options.sessions)
        and authid not in (options.others or ())
        and session not in (options.other_sessions or ())
    )


def _matches(match: Match, uri: str, given: str) -> bool:
    if match == "exact":
        return given == uri
    if match == "prefix":
        return given.startswith(uri)
    wanted, parts = uri.split("."), given.split(".")
    return len(wanted) == len(parts) and all(part in ("", other) for part, other in zip(wanted, parts, strict=True))
