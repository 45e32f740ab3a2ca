"""The connection to one router: connect, join, and reconnect, without end. Reactor thread.

autobahn's ``Component`` would do part of this, but it ends for good when a session is killed without a reason or
the connection closes between HELLO and WELCOME, never resets its back-off, and its default session lets pending
calls hang when the router goes (docs/decisions.md). So this opens the transports itself, one attempt after another.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping, Sequence
from time import time
from typing import Any, Protocol

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import CancelledError, Deferred, DeferredList, fail, succeed
from twisted.python.failure import Failure

from ._declarations import Declaration
from ._registrations import Handlers, Registrar
from ._session import OnProgress, Session, transport, why_closed
from .caller import Caller
from .config import Config
from .errors import NotConnected, WampTimeout, as_sentence
from .publication import Publication
from .status import State
from .tickets import explain_refusal

FIRST_DELAY = 0.05
GROWTH = 1.6
HANDSHAKE_TIMEOUT = 5.0
"""Seconds from the start of an attempt until the session must have been joined."""
STEADY = 2.0
"""Seconds a session must have lasted for the next attempts to be quick again: some routers welcome and then drop."""

log = logging.getLogger(__name__)
_jitter = random.SystemRandom()


class Owner(Handlers, Protocol):
    """What a link needs of its client. Called in the reactor's thread; must not block."""

    def mint_ticket(self) -> str: ...
    def declared(self) -> Sequence[Declaration]: ...
    def on_failed(self) -> None: ...
    def on_joined(self, session: int) -> None: ...
    def on_ready(self, session: int) -> None: ...
    def on_lost(self, reason: str) -> None: ...


class Link:
    """Keeps one session with one router.

    :param reactor: Twisted's reactor, or a look-alike with a clock and ``callFromThread``.
    :param config: the app's configuration.
    :param owner: see :class:`Owner`.
    """

    def __init__(self, reactor: Any, config: Config, owner: Owner) -> None:
        self._reactor = reactor
        self._config = config
        self._owner = owner
        self._registrar = Registrar(reactor, owner, self._check_ready)
        self._session: Session | None = None
        self._protocol: Any = None
        self._again: Any = None
        self._tries = 0
        self._joined_at = 0.0
        self._ended_because = ""
        self._is_explained = False
        self.state = State.IDLE
        self.since = time()
        self.attempts = 0
        self.message_max: int | None = None

    @property
    def session_id(self) -> int | None:
        """The WAMP session id while there is a session."""
        return self._session.number if self._session else None

    @property
    def pending(self) -> tuple[str, ...]:
        """Declarations that the router has not confirmed, with the reason if it refused them."""
        return self._registrar.pending

    @property
    def reason(self) -> str:
        """Why there is no session, or why the session is not ready; empty when neither."""
        return self._registrar.refusal if self._session else self._ended_because

    def start(self) -> None:
        """Begin to connect; do nothing if that was done."""
        if self.state is State.IDLE:
            self._set_state(State.CONNECTING)
            self._attempt()

    def _set_state(self, state: State) -> None:
        self.state = state
        self.since = time()

    # -- connecting

    def _attempt(self) -> None:
        self._again = None
        self._is_explained = False
        endpoint, factory = transport(self._reactor, self._config, self._new_session)
        connecting = endpoint.connect(factory)
        connecting.addTimeout(HANDSHAKE_TIMEOUT, self._reactor)
        connecting.addCallbacks(self._opened, self._failed)

    def _new_session(self) -> Session:
        return Session(self, self._config.realm, self._reactor.callFromThread)

    def _opened(self, protocol: Any) -> None:
        self._protocol = protocol
        guard = self._reactor.callLater(HANDSHAKE_TIMEOUT, self._give_up, protocol)
        protocol.is_closed.addBoth(lambda _: self._closed(protocol, guard))

    def _give_up(self, protocol: Any) -> None:
        if self._session is None and self._protocol is protocol:
            self._explain(f"no session within {HANDSHAKE_TIMEOUT:g} s of connecting to {self._config.url}")
            protocol.transport.abortConnection()

    def _failed(self, failure: Failure) -> None:
        why = (failure.getErrorMessage() or type(failure.value).__name__).rstrip(".")
        self._explain(f"cannot reach {self._config.url}: {why}. Is the router running?")
        self._try_again()

    def _explain(self, reason: str) -> None:
        self._ended_because = reason
        self._is_explained = True

    def _closed(self, protocol: Any, guard: Any) -> None:
        if guard.active():
            guard.cancel()
        self._protocol = None
        if self._session is not None:
            self.left(self._session, "wamp.close.transport_lost: the connection was lost")
        elif not self._is_explained:
            self._explain(f"cannot join the router at {self._config.url}: {why_closed(protocol)}")
        if self.state is not State.STOPPED:
            self._try_again()

    def _try_again(self) -> None:
        if self.state in (State.STOPPING, State.STOPPED) or self._again is not None:
            return
        self.attempts += 1
        self._tries += 1
        self._owner.on_failed()
        level = logging.WARNING if self._tries in (1, 10, 100) else logging.DEBUG
        log.log(level, "No session with the router (%s); attempt %d follows", self._ended_because, self._tries + 1)
        ceiling = min(FIRST_DELAY * GROWTH ** min(self._tries, 64), self._config.reconnect_max)
        self._again = self._reactor.callLater(_jitter.uniform(ceiling / 2, ceiling), self._attempt)

    # -- called by the session

    def ticket(self) -> str:
        """Return a fresh ticket to join with."""
        return self._owner.mint_ticket()

    def joined(self, session: Session) -> None:
        """Restore what was declared in a session that the router has welcomed."""
        self._session = session
        self._joined_at = self._reactor.seconds()
        self.attempts = 0
        self.message_max = session.message_max
        self._set_state(State.JOINED)
        log.info("Joined realm %s as session %d", self._config.realm, session.number)
        self._registrar.begin(session, self._owner.declared())
        self._owner.on_joined(session.number)  # sends what was queued: after our own subscriptions, which hear it so
        self._check_ready()

    def left(self, session: Session, reason: str) -> None:
        """Handle the end or the refusal of a session, whatever the reason."""
        self._explain(explain_refusal(reason, self._config.url))
        if session is not self._session:
            return
        self._session = None
        if self._reactor.seconds() - self._joined_at >= STEADY:
            self._tries = 0
        self._registrar.end()
        if self.state in (State.STOPPING, State.STOPPED):
            return
        self._set_state(State.CONNECTING)
        self._owner.on_lost(reason)

    def declare(self, declaration: Declaration) -> None:
        """Make a declaration known to the router, now if there is a session; it is repeated after each reconnect."""
        self._registrar.declare(declaration)
        if self.state is State.READY and self.pending:
            self._set_state(State.JOINED)

    def forget(self, declaration: Declaration) -> None:
        """Take a declaration back at the router, for good."""
        self._registrar.forget(declaration)
        self._check_ready()

    @property
    def drained(self) -> bool:
        """Whether :meth:`drain` has taken the procedures back."""
        return self._registrar.drained

    def drain(self) -> None:
        """Leave procedures to other workers, until :meth:`resume`. What runs goes on, and so do subscriptions."""
        self._registrar.drain()
        self._check_ready()

    def resume(self) -> None:
        """Provide the procedures again."""
        self._registrar.resume(self._owner.declared())
        if self.state is State.READY and self.pending:
            self._set_state(State.JOINED)

    def _check_ready(self) -> None:
        if self.state is State.JOINED and self._session is not None and not self.pending:
            self._set_state(State.READY)
            self._owner.on_ready(self._session.number)

    # -- the verbs

    def _require(self) -> Session:
        if self._session is None:
            raise NotConnected(f"No session with the router: {as_sentence(self.reason or 'still connecting')}")
        return self._session

    def call(
        self,
        procedure: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        on_progress: OnProgress | None = None,
        caller: Caller | None = None,
    ) -> Deferred[Any]:
        """Call a procedure; cancelling the Deferred cancels the call.

        :param on_progress: called with each progressive result.
        :param caller: whom the callee is to take for the caller.
        :raises NotConnected: when there is no session.
        """
        calling = self._require().call_procedure(procedure, args, kwargs, on_progress, caller)
        self._write_now()
        return calling

    def call_each(self, procedures: Sequence[str], args: Sequence[Any], timeout: float) -> Deferred[dict[str, Any]]:
        """Call procedures at the same time; the result has for each what it answered, or the error.

        :param timeout: seconds for each of them.
        """

        def late(_result: Any, seconds: float) -> Any:
            raise WampTimeout(f"No answer within {seconds:g} s.")

        def call(procedure: str) -> Deferred[Any]:
            try:
                calling = self.call(procedure, args, {})
            except NotConnected as error:
                calling = fail(error)
            return calling.addTimeout(timeout, self._reactor, late).addErrback(lambda failure: failure.value)

        return DeferredList([call(name) for name in procedures]).addCallback(
            lambda found: {name: answer for name, (_, answer) in zip(procedures, found, strict=True)}
        )

    def publish(self, publication: Publication) -> Deferred[Any]:
        """Publish; the Deferred fires at the router's acknowledgement.

        :raises NotConnected: when there is no session.
        """
        publishing = self._require().publish_event(publication)
        self._write_now()
        return publishing

    def _write_now(self) -> None:
        """Send what a thread waits for: Twisted would write in the reactor's next turn only."""
        transport = getattr(self._protocol, "transport", None)
        if isinstance(transport, FileDescriptor) and not transport.disconnecting:  # TLS writes in its own way
            transport.doWrite()

    def publish_within(self, timeout: float, publication: Publication) -> Deferred[Any]:
        """Do what :meth:`publish` does without waiting in a thread; fail after ``timeout`` seconds."""

        def late(result: Any, _seconds: float) -> Any:
            if isinstance(result, Failure) and result.check(CancelledError, WampTimeout):
                raise WampTimeout(f"{publication.topic} was not acknowledged within {timeout:g} s.")
            return result

        try:
            publishing = self.publish(publication)
        except NotConnected as error:
            return fail(error)
        return publishing.addTimeout(timeout, self._reactor, late)

    def publish_unacknowledged(self, publication: Publication) -> None:
        """Publish without request for an acknowledgement.

        :raises NotConnected: when there is no session.
        """
        self._require().publish_unacknowledged(publication)

    def register_exclusively(self, uri: str) -> Deferred[Any]:
        """Register ``uri`` exclusively; the Deferred fails when another session has it.

        The result's ``unregister()`` frees it, and so does the end of the session.

        :raises NotConnected: when there is no session.
        """
        return self._require().register_exclusively(uri)

    # -- stopping

    def withdraw(self) -> Deferred[Any]:
        """Take back every registration, so that no new invocation comes."""
        self._set_state(State.STOPPING)
        if self._again is not None and self._again.active():
            self._again.cancel()
        return self._registrar.take_back()

    def leave(self) -> Deferred[Any]:
        """Say GOODBYE and close; never fails."""
        session, protocol = self._session, self._protocol
        self._set_state(State.STOPPED)
        if protocol is None:
            return succeed(None)
        closed: Deferred[Any] = Deferred()
        protocol.is_closed.addBoth(closed.callback)
        if session is None:
            protocol.transport.abortConnection()
        else:
            session.leave("wamp.close.normal")
        return closed.addTimeout(1.0, self._reactor).addErrback(lambda _: None)
