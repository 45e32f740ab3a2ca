"""One app's running half in one process: the link, the queues and the handler threads.

:class:`~wampflask.WAMP` is the face; this is what stands behind it in ``app.extensions["wamp"]``. The public methods
may be called from any thread but the reactor's; the ``on_…`` methods are the link's, in the reactor's thread.
"""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Protocol
from weakref import ref

from flask import Flask

from . import _control, _reactor, payload, signals
from ._declarations import Declaration, Declarations, Procedure, Subscription
from ._dispatch import Dispatcher
from ._incoming import Incoming, Invocation
from ._live_protocol import WORKER_LOST, Asker, Readable
from ._pool import Pool
from .caller import Caller, current_caller
from .config import SOCKET_MESSAGE_MAX, Config
from .errors import (
    CallFailed,
    NoSuchProcedure,
    NotConnected,
    QueueFull,
    UnsafeProcess,
    WampError,
    WampTimeout,
    as_sentence,
)
from .outbox import LatestBox, Outbox
from .permissions import Permission, compile_rules, differences
from .plugin.rules import CLAIMS, RULES
from .plugin.tickets import Claim, Tickets
from .plugin.worker_rules import HAND_OVER
from .publication import Publication
from .serving import Serving
from .status import COUNTERS, State, Status
from .tickets import issuer_of

if TYPE_CHECKING:
    from .store import Store

_GONE = "wamp.error.no_such_session"

REPORT_INTERVAL = 1.0
"""Seconds in which dropped messages are gathered into one signal and one line of log."""


@dataclass(frozen=True, slots=True)
class Role:
    """Everybody who has a role."""

    name: str


def _killing(whose: str | int | Role) -> tuple[str, str | int]:
    """Return the router's procedure that ends these sessions, and its argument."""
    if isinstance(whose, Role):
        return "wamp.session.kill_by_authrole", whose.name
    return ("wamp.session.kill" if isinstance(whose, int) else "wamp.session.kill_by_authid"), whose


class InFlight:
    """Bounds how many wait for the router's answer: use it with ``with``. Any thread.

    :param most: how many may wait at a time; for the next one it raises :class:`QueueFull`.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._free = deque(range(most))  # taking from a deque needs no lock: this is in every call's way

    def __enter__(self) -> None:
        try:
            self._free.pop()
        except IndexError:
            raise QueueFull(
                f"{self._most} calls and publications wait for an answer already: raise WAMP_IN_FLIGHT_MAX."
            ) from None

    def __exit__(self, *_: object) -> None:
        self._free.append(0)


class Part(Protocol):
    """What runs in a process while that serves, such as the scheduler of jobs."""

    def start(self) -> None:
        """Begin; do nothing in a process where it has begun."""

    def stop(self, deadline: float) -> None:
        """Finish until ``deadline``, a monotonic time."""


class Client:
    """Connects one app. Nothing is started before :meth:`start` or the first use.

    :param permissions: what the app has declared by now.
    :param serves: whether this process provides what was declared; one that does not only sends.
    :param may_serve: whether :meth:`serve` can change that.
    """

    def __init__(
        self,
        app: Flask,
        config: Config,
        declarations: Declarations,
        *,
        permissions: Callable[[], Iterable[Permission]] = tuple,
        serves: bool = True,
        may_serve: bool = True,
    ) -> None:
        self.permissions = permissions
        self._serves = serves
        self._may_serve = may_serve
        self.config = config
        self._app = ref(app)
        self.declarations = declarations
        self.tickets = Tickets(
            config.ticket_secret, config.realm, config.ticket_lifetime, roles=declarations.roles.ticketed
        )
        # until the router has said what it takes: what ours takes on its socket
        self._message_max = config.message_max if config.url.startswith("ws") else SOCKET_MESSAGE_MAX
        self._lock = Lock()
        self._process: int | None = None
        self._unsafe: int | None = None
        self._since = time.time()
        self._parts: list[Part] = []
        self._own: list[Declaration] = []

    def _prepare(self) -> None:
        """Make what belongs to this process; a client that was inherited by a fork begins anew."""
        self.counters: Counter[str] = Counter()
        self._settled = Event()
        self._ready = Event()
        self._announced = 0
        self._rules_due = False
        self._in_flight = InFlight(self.config.in_flight_max)
        self._pool = Pool(self.config.handler_threads, self.config.handler_queue, f"wamp-{self.app.name}")
        self._dispatcher = Dispatcher(self.app, self._pool, self.declarations, self.claims_of)
        self._signals = Pool(1, self.config.handler_queue, f"wamp-{self.app.name}-signals")
        self._dropped: Counter[tuple[str, str]] = Counter()
        self._on_join: list[Callable[[], None]] = []
        self._has_testament = False
        self._has_warned = False
        self.control, inherited = _control.procedure(), getattr(self, "control", None)
        self._own = [self.control, *(item for item in self._own if item is not inherited)]

    @property
    def app(self) -> Flask:
        """The app; it outlives its client."""
        app = self._app()
        if app is None:
            raise RuntimeError("The Flask app of this connection is gone.")
        return app

    @cached_property
    def store(self) -> Store:
        """What the library itself keeps in a database; SQLAlchemy is loaded when it is asked for."""
        from .store import Store

        return Store(self.config.database)

    # -- starting and stopping

    def start(self) -> None:
        """Begin to connect in the background; do nothing if this process does so already.

        :raises UnsafeProcess: see :func:`wampflask._reactor.start`.
        """
        _reactor.refuse_reactor_thread("wamp.connect()")
        with self._lock:
            if self._process == os.getpid():
                return
            self._start(_reactor.start())
            self._process = os.getpid()
        _reactor.on_stop(self.stop)
        _reactor.submit(self.link.start)
        self._start_parts()

    def _start(self, reactor: Any) -> None:
        from ._engine import Engine
        from ._link import Link  # loads Twisted's reactor: not before this process is sure to keep it

        config = self.config
        self._prepare()
        self._reactor = reactor
        link = self.link = Link(reactor, config, self)
        timeout = config.publish_timeout
        submit = _reactor.submit
        self.outbox = Outbox(link, reactor, submit, config.outbox_max, timeout, self.counters, self.on_dropped)
        self.latest = LatestBox(
            link,
            reactor,
            submit,
            config.latest_interval,
            config.latest_max,
            timeout,
            self.counters,
            self.on_dropped,
        )
        self.engine = Engine(
            self.app,
            link,
            reactor,
            submit,
            interval=config.latest_interval,
            threads=config.live_threads,
            most=config.handler_queue,
            count=self._count,
        )

    def _count(self, what: str) -> None:
        self.counters[what] += 1

    def accompany(self, part: Part) -> None:
        """Start ``part`` in each process that serves, now or later, and stop it with the process."""
        self._parts.append(part)
        if self._process == os.getpid():
            self._start_parts()

    def _start_parts(self) -> None:
        with self._lock:
            for part in self._parts if self._serves else ():
                part.start()

    def begin(self, *, serve: bool) -> None:
        """Begin to connect, and to serve, in the background of what this process is there for.

        Where that is impossible, log it once; pages that need no connection are served all the same.
        """
        try:
            if serve:
                self.serve()
            else:
                self.start()
        except UnsafeProcess as error:
            if self._unsafe != os.getpid():
                self._unsafe = os.getpid()
                self.app.logger.error("Not connected to the router: %s", error)  # noqa: TRY400 - the remedy, not the stack

    def serve(self) -> None:
        """Provide what was declared from now on, if this process may, and begin to connect."""
        if self._may_serve and not self._serves:
            self._serves = True
            self._declare_all()
            self.permissions_changed()
        self.start()
        self._start_parts()

    def connect(self, timeout: float) -> None:
        """Serve from now on, and wait until every declaration is confirmed.

        :raises NotConnected: when that is not so after ``timeout`` seconds, with the reason.
        """
        self.serve()
        if not self._ready.wait(timeout):
            status = self.status
            why = status.reason or ", ".join(status.pending) or f"still connecting to {self.config.url}"
            raise NotConnected(f"Not ready after {timeout:g} s: {as_sentence(why)}")

    def stop(self) -> None:
        """Take back the registrations, let running handlers finish and queued publications go, say GOODBYE.

        Takes at most ``WAMP_STOP_TIMEOUT`` and a second; not in the reactor's thread.
        """
        if self._process != os.getpid() or self.status.state in (State.STOPPING, State.STOPPED):
            return
        deadline = time.monotonic() + self.config.stop_timeout
        self._send(signals.stopping)
        self._signals.drain(self.config.stop_timeout)
        self._wait_until_sent(deadline, self._is_hopeless)
        try:
            try:
                _reactor.wait(self.link.withdraw, timeout=1)
            finally:
                for part in self._parts:
                    part.stop(deadline)
            self._pool.drain(max(0.0, deadline - time.monotonic()))
            all_sent = self._wait_until_sent(deadline, self._is_hopeless)  # what the last handlers have changed, too
            self._pool.close()
            self._signals.close()
            self.engine.close()
            if self._has_testament and all_sent and self.link.session_id is not None:
                _reactor.wait(self._take_back_testament, timeout=1)
            _reactor.wait(self.link.leave, timeout=1)
        except WampError as error:
            self.app.logger.warning("The session was not closed cleanly: %s", error)

    def flush(self, timeout: float) -> None:
        """See :meth:`WAMP.flush`."""
        _reactor.refuse_reactor_thread("wamp.flush()")
        if self._process != os.getpid() or self._wait_until_sent(time.monotonic() + timeout):
            return
        left = f"After {timeout:g} s, publications that still wait: {len(self.outbox) + len(self.latest)}"
        if self.link.session_id is None:
            why = as_sentence(self.link.reason or "still connecting")
            raise NotConnected(f"{left}. No session with the router: {why}")
        raise WampTimeout(f"{left}. The router has not acknowledged them.")

    def flush_unserved(self) -> None:
        """Send what is queued at the end of an app context, if this process may end without notice.

        Job queues' workers and children of multiprocessing end by ``os._exit``. A process that serves goes on, and
        sends in its own time. Waits for the first attempt to connect; not for a router that is away.
        """
        if self._serves or self._process != os.getpid() or not self._is_waiting() or _reactor.is_reactor_thread():
            return
        self._settled.wait(self.config.connect_timeout)
        sent = self._wait_until_sent(time.monotonic() + self.config.publish_timeout, self._is_hopeless)
        if not sent and not self._has_warned:
            self._has_warned = True
            self.app.logger.warning(
                "Publications still wait at the end of an app context (%s); they are lost if this process ends now.",
                self.link.reason or "the router has not acknowledged them",
            )

    def _is_waiting(self) -> bool:
        return bool(len(self.outbox) or len(self.latest) or len(self.engine))

    def _wait_until_sent(self, deadline: float, is_enough: Callable[[], bool] = lambda: False) -> bool:
        """Wait until the queues are empty, and whether they are; end at the deadline, or when it is enough."""
        pause = 0.001
        while self._is_waiting():
            if time.monotonic() > deadline or is_enough():
                return False
            time.sleep(pause)
            pause = min(2 * pause, 0.02)
        return True

    def _is_hopeless(self) -> bool:
        return self._settled.is_set() and self.link.session_id is None

    # -- what everybody asks

    @property
    def status(self) -> Status:
        """See :class:`~wampflask.status.Status`. Any thread."""
        if self._process != os.getpid():
            return Status(State.IDLE, self._since)
        link = self.link
        counters = dict.fromkeys(COUNTERS, 0) | self.counters
        counters["waiting_later"] = len(self.outbox)
        counters["waiting_latest"] = len(self.latest)
        counters["waiting_handlers"] = self._pool.waiting
        counters["running_handlers"] = self._pool.running
        state = State.JOINED if link.state is State.READY and not self._ready.is_set() else link.state
        return Status(
            state, link.since, link.session_id, link.attempts, link.reason, link.pending, counters, link.drained
        )

    def _declare_all(self) -> None:
        for declaration in self.declared():
            self.declare(declaration)

    def declare(self, declaration: Declaration) -> None:
        """Make a declaration known that was made after the start."""
        is_served = declaration in self._own or declaration.uri in Serving.parse(self.config.serve)
        if self._process == os.getpid() and self._serves and is_served:
            with self._lock:
                self._announced += 1
                self._ready.clear()
            _reactor.submit(self._declare, declaration)

    def declare_own(self, *declarations: Declaration) -> None:
        """Declare something for this app in this process alone, besides what its :class:`WAMP` declares. Any thread."""
        self._own = [*self._own, *declarations]
        for declaration in declarations:
            self.declare(declaration)

    def forget_own(self, *declarations: Declaration) -> None:
        """Take back what :meth:`declare_own` declared. Any thread."""
        self._own = [item for item in self._own if item not in declarations]
        self.forget(declarations)

    def _declare(self, declaration: Declaration) -> None:
        self.link.declare(declaration)
        self._announced_one()

    def forget(self, declarations: Sequence[Declaration]) -> None:
        """Take back at the router what is declared no more."""
        if self._process == os.getpid():
            _reactor.submit(self._forget, declarations)

    def drain(self) -> None:
        """Leave the app's procedures to other workers; finish what runs, and serve pages as before. Reactor thread."""
        self.link.drain()

    def resume(self) -> None:
        """Provide the app's procedures again. Reactor thread."""
        self.link.resume()

    def _forget(self, declarations: Sequence[Declaration]) -> None:
        for declaration in declarations:
            self.link.forget(declaration)

    def permissions_changed(self) -> None:
        """Send the router the permissions as they are now; without a session, the next one does. Any thread."""
        if self._process != os.getpid() or not self._serves:
            return
        with self._lock:
            if self._rules_due:
                return
            self._rules_due = True
            self._announced += 1
            self._ready.clear()
        _reactor.submit(self._hand_over)

    def _hand_over(self) -> None:
        """Become ready, once the rules are in force or the router did not want them. Reactor thread."""
        self._rules_due = False
        try:
            rules = compile_rules(self.permissions())
        except ValueError as error:
            self.app.logger.error("The router keeps the permissions it has: %s", error)  # noqa: TRY400 - no stack of the app's
            self._announced_one()
            return
        if self.link.session_id is None:
            self._announced_one()
            return
        request = self.link.call(HAND_OVER, [rules, list(self.declarations.roles.ticketed)], {})
        request.addTimeout(self.config.call_timeout, self._reactor)
        request.addCallbacks(self._rules_taken, self._rules_refused).addBoth(lambda _: self._announced_one())

    def _announced_one(self) -> None:
        with self._lock:
            self._announced -= 1
        self._check_ready()

    def _rules_taken(self, unknown: list[str]) -> None:
        if unknown:
            self.app.logger.warning("The router does not know the roles %s. Start it again.", ", ".join(unknown))

    def _rules_refused(self, failure: Any) -> None:
        if failure.check(NoSuchProcedure):  # it goes by its configuration
            if self.app.debug:
                self._dispatcher.run(self._compare_permissions)
        elif not failure.check(NotConnected):
            self.app.logger.warning("The router did not take the permissions: %s", failure.getErrorMessage())

    def _check_ready(self) -> None:
        with self._lock:
            if not self._announced and self.link.state is State.READY:
                self._ready.set()

    def _use(self, what: str) -> None:
        """Start if need be; at the very first use, wait for how the first attempt goes."""
        _reactor.refuse_reactor_thread(what)
        if self._process != os.getpid():
            self.start()
        if not self._settled.is_set():
            self._settled.wait(self.config.connect_timeout)
        if self.link.state is State.STOPPED:
            raise NotConnected("This process is ending; its session is closed.")

    def call(
        self,
        procedure: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        timeout: float | None,
        on_progress: Callable[..., object] | None = None,
        caller: Caller | None = None,
    ) -> Any:
        """See :meth:`WAMP.call`.

        :param caller: for whom the call is made: the callee learns of them in place of this worker.
        """
        self._use("wamp.call()")
        seconds = self.config.call_timeout if timeout is None else timeout
        with self._in_flight, self._pool.calling(procedure):
            self.counters["called"] += 1
            late = f"{procedure} had not answered"
            if on_progress is not None:
                return _reactor.wait_through(
                    self.link.call, procedure, args, kwargs, on_part=on_progress, timeout=seconds, late=late
                )
            return _reactor.wait(self.link.call, procedure, args, kwargs, None, caller, timeout=seconds, late=late)

    def call_each(self, procedures: Sequence[str], args: Sequence[Any], timeout: float) -> dict[str, Any]:
        """Call procedures at the same time, and return for each what it answered, or its error.

        :param timeout: seconds, for all of them together.
        :raises NotConnected: there is no session.
        :raises QueueFull: ``WAMP_IN_FLIGHT_MAX`` others wait already.
        """
        self._use("wamp.meta")
        with self._in_flight:
            late = "the answers had not been gathered"
            found: dict[str, Any] = _reactor.wait(
                self.link.call_each, procedures, args, timeout, timeout=timeout + 1, late=late
            )
        return found

    def publish(self, publication: Publication) -> int:
        """Do what :meth:`WAMP.publish` does, and return the publication's id."""
        self._use("wamp.publish()")
        given = publication.options.timeout
        seconds = self.config.publish_timeout if given is None else given
        with self._in_flight:
            self.counters["published"] += 1
            late = f"{publication.topic} was not acknowledged"
            sent = _reactor.wait(self.link.publish, publication, timeout=seconds, late=late)
        return int(sent.id)

    def check_size(self, publication: Publication) -> None:
        """Refuse what is to be queued and could never be sent. Any thread.

        :raises InvalidPayload: naming both sizes.
        """
        known = self.link.message_max if self._process == os.getpid() else None
        payload.check_size(publication.topic, publication.args, publication.kwargs, known or self._message_max)

    def publish_later(self, publication: Publication) -> None:
        """See :meth:`WAMP.publish_later`."""
        self.check_size(publication)
        if self._process != os.getpid():
            self.start()
        self.outbox.put(publication)

    def publish_latest(self, publication: Publication) -> None:
        """See :meth:`WAMP.publish_latest`."""
        self.check_size(publication)
        if self._process != os.getpid():
            self.start()
        self.latest.put(publication)

    def expect_change(self) -> None:
        """Prepare for a change of a live thing: pages ask again if this process dies before it publishes.

        The router learns of it when it is joined; a change that comes earlier waits for the first attempt to connect.
        """
        if self._process != os.getpid():
            self.start()
        if not self._settled.is_set() and not _reactor.is_reactor_thread():
            self._settled.wait(self.config.connect_timeout)
        if not self._has_testament:
            self._has_testament = True
            _reactor.submit(self._leave_testament)

    def _leave_testament(self) -> None:
        """Have the router publish :data:`WORKER_LOST` if this session ends without taking it back. Reactor thread."""
        if self._has_testament and self.link.session_id is not None:
            request = self.link.call("wamp.session.add_testament", [WORKER_LOST, [], {"lost": True}], {})
            request.addErrback(lambda failure: self.app.logger.debug("No testament: %s", failure.getErrorMessage()))

    def _take_back_testament(self) -> Any:
        self._has_testament = False
        return self.link.call("wamp.session.flush_testaments", [], {})

    def changed(self, thing: Readable, topic: str, args: Mapping[str, Any], keys: Iterable[str]) -> None:
        """See :meth:`WAMP.changed`."""
        if self._process != os.getpid():
            self.start()
        self.engine.changed(thing, topic, args, keys)

    def ask(self, thing: Readable, topic: str, args: Mapping[str, Any], asker: Asker) -> None:
        """Answer with a live thing's present state and its number. Reactor thread.

        :raises QueueFull: when too many wait.
        """
        self.engine.ask(thing, topic, args, asker)

    def later(self, seconds: float, function: Callable[[], None]) -> None:
        """Run a function in the reactor's thread after some seconds. Any thread."""
        _reactor.submit(self._reactor.callLater, seconds, function)

    def send(self, publication: Publication) -> None:
        """Publish at once, unacknowledged; do nothing without a session. Reactor thread."""
        if self.link.session_id is not None:
            self.link.publish_unacknowledged(publication)

    def run_for(self, caller: Caller, function: Callable[[], Callable[[], None]], failed: Callable[[], None]) -> None:
        """Run something for a caller in a handler's thread and context; what it returns is run in the reactor's.

        :param failed: run in the reactor's thread instead, when ``function`` raised or there is no thread for it.
        """

        def done(result: Callable[[], None] | None) -> None:
            _reactor.submit(result or failed)

        self._dispatcher.run_for(caller, function, done)

    def viewer(self) -> Caller:
        """Return who asks in the current request, or calls in the current handler."""
        known = current_caller.get(None)
        if known is not None:
            return known
        who = issuer_of(self.app).current_identity()
        return Caller(authid=who.authid, role=who.role, known_claims=who.claims)

    def acquire(self, uri: str) -> Any:
        """Register ``uri`` exclusively and return the handle: ``(registration, session)``.

        :raises CallFailed: ``wamp.error.procedure_already_exists`` when another session has it.
        """
        self._use("wamp.lock()")
        registration = _reactor.wait(self.link.register_exclusively, uri, timeout=self.config.call_timeout)
        return registration, self.link.session_id

    def holds(self, session: int | None) -> bool:
        """Return whether ``session`` is still this process's session."""
        return session is not None and session == self.link.session_id

    def release(self, registration: Any) -> None:
        """Free what :meth:`acquire` returned; do nothing if the session is gone, and the registration with it."""
        try:
            _reactor.wait(registration.unregister, timeout=self.config.call_timeout)
        except Exception:  # autobahn raises a bare Exception for a registration that is no longer active
            self.app.logger.debug("A lock was gone before it was released", exc_info=True)

    def claims_of(self, session: int) -> Mapping[str, Claim]:
        """Return what the ticket of a session claims; nothing when it has ended.

        :raises NotConnected: there is no session.
        :raises WampTimeout: the router did not answer.
        """
        return self.call(CLAIMS, [session], {}, None) or {}

    def end_sessions(self, whose: str | int | Role, reason: str, message: str = "") -> None:
        """End sessions: now or, while this worker has no session itself, after the next join.

        :param whose: an authid, for all of its sessions; or the id of one; or a role.
        :param reason: a URI.
        :param message: for people to read.
        """

        def kill() -> None:
            procedure, who = _killing(whose)
            try:
                self.call(procedure, [who], {"reason": reason, "message": message or None}, None)
            except CallFailed as error:
                if error.uri != _GONE:
                    raise

        try:
            kill()
        except (NotConnected, WampTimeout):
            self._on_join.append(kill)

    # -- called by the link, in the reactor's thread

    def mint_ticket(self) -> str:
        """Return a ticket for this worker."""
        return self.tickets.mint("backend", "backend")

    def declared(self) -> Sequence[Declaration]:
        """Return what is to be registered and subscribed."""
        serving = Serving.parse(self.config.serve)
        served = [item for item in self.declarations if item.uri in serving]
        return [*self._own, *served] if self._serves else []

    def on_failed(self) -> None:
        """Handle a failed attempt to connect."""
        self._settled.set()

    def on_joined(self, session: int) -> None:
        """Handle a new session."""
        self.counters["joined"] += 1
        self._has_warned = False
        if any(permission.uri == WORKER_LOST for permission in self.permissions()):
            self._has_testament = True
        self._leave_testament()  # before anybody knows of the session: a process may die with its first change
        self._settled.set()
        self.outbox.resume()
        self.latest.resume()
        self.engine.resume()
        self.permissions_changed()
        self._send(signals.connected, session=session)
        late, self._on_join = self._on_join, []
        for function in late:
            self._dispatcher.run(function)

    def on_ready(self, session: int) -> None:
        """Handle the confirmation of every declaration."""
        self._check_ready()
        if self._serves:
            self._send(signals.ready, session=session)

    def _compare_permissions(self) -> None:
        """Log the permissions that a running router lacks: development reloads the app after changes, but not it."""
        try:
            unknown = differences(self.permissions(), self.call(RULES, (), {}, None))
        except (WampError, ValueError) as error:
            self.app.logger.debug("The permissions were not compared with the router's: %s", error)
            return
        if unknown:
            self.app.logger.warning("The running router has other permissions: %s. Start it again.", ", ".join(unknown))

    def on_lost(self, reason: str) -> None:
        """Handle the end of a session that was not closed here."""
        self._ready.clear()
        self.outbox.pause()
        self.latest.pause()
        self.counters["lost"] += 1
        self._send(signals.lost, reason=reason)

    def on_invocation(self, procedure: Procedure, invocation: Invocation) -> None:
        """Run one of this app's procedures."""
        self.counters["invoked"] += 1
        if procedure.direct is None:
            self._dispatcher.invoke(procedure, invocation)
            return
        try:
            procedure.direct(self, invocation)
        except Exception as error:  # a boundary: what gets past here ends the session for everybody
            invocation.refuse(self._dispatcher.internal(procedure.uri, procedure.direct, error))

    def on_event(self, subscription: Subscription, event: Incoming) -> bool:
        """Pass an event to its handler; return whether it will run."""
        self.counters["events"] += 1
        if subscription.direct is not None:
            subscription.direct(event)
            return True
        try:
            self._dispatcher.deliver(subscription, event)
        except QueueFull as error:
            self.on_dropped(1, str(error), subscription.uri)
            return False
        return True

    def on_dropped(self, count: int, reason: str, uri: str) -> None:
        """Count something queued that was dropped. Any thread."""
        self.counters["dropped"] += count
        with self._lock:
            first = not self._dropped
            self._dropped[reason, uri] += count
        if first:
            _reactor.submit(self._reactor.callLater, REPORT_INTERVAL, self._report_dropped)

    def _report_dropped(self) -> None:
        with self._lock:
            dropped, self._dropped = self._dropped, Counter()
        for (reason, uri), count in dropped.items():
            self.app.logger.warning("Dropped %d of %s: %s", count, uri, reason)
            self._send(signals.dropped, count=count, reason=reason, uri=uri)

    def _send(self, signal: Any, **details: Any) -> None:
        """Send a signal from a thread of its own: in order, and also when the handlers' pool is what is full."""
        if signal.receivers:
            app = self.app
            Dispatcher(app, self._signals, self.declarations, self.claims_of).run(lambda: signal.send(app, **details))
