"""Registrations and subscriptions: makes what is declared known to the router, anew in each session. Reactor thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from ._declarations import Declaration, Procedure, Subscription
from ._incoming import Incoming, Invocation
from ._session import Session
from .errors import CallFailed

RETRY = 0.5
"""Seconds until a declaration that the router refused, or the turn of a ``single`` subscription, is tried again."""

_TAKEN = "wamp.error.procedure_already_exists"

log = logging.getLogger(__name__)


class Handlers(Protocol):
    """Where invocations and events go; must not block."""

    def on_invocation(self, procedure: Procedure, invocation: Invocation) -> None: ...
    def on_event(self, subscription: Subscription, event: Incoming) -> bool: ...


class Registrar:
    """Registers and subscribes in the current session, and tries again what the router refuses.

    :param reactor: its clock.
    :param handlers: see :class:`Handlers`.
    :param on_change: called when the router has confirmed one, or refused it.
    """

    def __init__(self, reactor: Any, handlers: Handlers, on_change: Callable[[], None]) -> None:
        self._reactor = reactor
        self._handlers = handlers
        self._on_change = on_change
        self._session: Session | None = None
        self._requested: set[Declaration] = set()
        self._unconfirmed: dict[Declaration, str] = {}
        self._registrations: dict[Procedure, Any] = {}
        self._forgotten: set[Declaration] = set()
        self._subscribed: dict[Subscription, Any] = {}
        self._turns: dict[Subscription, Any] = {}
        self._retries: set[Any] = set()
        self._received: dict[Subscription, int] = {}
        self.drained = False

    @property
    def pending(self) -> tuple[str, ...]:
        """What the router has not confirmed, with the reason if it refused it."""
        return tuple(f"{item.uri} ({why})" if why else item.uri for item, why in self._unconfirmed.items())

    @property
    def refusal(self) -> str:
        """Why the router refused something that is still to be confirmed; empty if it did not."""
        return next(filter(None, self._unconfirmed.values()), "")

    # -- the session's time

    def begin(self, session: Session, declarations: Sequence[Declaration]) -> None:
        """Ask for everything in a new session."""
        self._session = session
        self._forgotten.clear()
        for declaration in declarations:
            self.declare(declaration)

    def declare(self, declaration: Declaration) -> None:
        """Ask for one more. Without a session, do nothing: the next one asks for everything."""
        if self._session is None or declaration in self._requested or not self._is_wanted(declaration):
            return
        if self._is_withheld(declaration):
            return
        self._requested.add(declaration)
        self._unconfirmed.setdefault(declaration, "")
        self._request(self._session, declaration)

    def take_back(self) -> Deferred[Any]:
        """Unregister everything, so that no new invocation comes; ask for nothing any more."""
        self._session = None
        self._cancel_retries()
        active = [item for item in self._registrations.values() if item.active]
        self._registrations.clear()
        return DeferredList([item.unregister().addErrback(lambda _: None) for item in active], consumeErrors=True)

    def drain(self) -> None:
        """Take back procedures and turns, so that other workers have them, and ask for none until :meth:`resume`."""
        self.drained = True
        withheld = {item for item in self._requested if self._is_withheld(item)}
        self._requested -= withheld
        for declaration in withheld:
            self._unconfirmed.pop(declaration, None)
            if isinstance(declaration, Procedure):
                _give_back(self._registrations.pop(declaration, None))
        for subscription in tuple(self._turns):
            _give_back(self._turns.pop(subscription))
            if self._session is not None:
                self._take_turn_later(self._session, subscription)

    def resume(self, declarations: Sequence[Declaration]) -> None:
        """Ask again for what :meth:`drain` took back."""
        self.drained = False
        for declaration in declarations:
            self.declare(declaration)

    def _is_withheld(self, declaration: Declaration) -> bool:
        return self.drained and isinstance(declaration, Procedure) and not declaration.stays

    def forget(self, declaration: Declaration) -> None:
        """Ask for one no more, and take back what the router has confirmed of it."""
        self._forgotten.add(declaration)
        self._unconfirmed.pop(declaration, None)
        if isinstance(declaration, Procedure):
            _give_back(self._registrations.pop(declaration, None))
            return
        _give_back(self._turns.pop(declaration, None))
        subscription = self._subscribed.pop(declaration, None)
        if subscription is not None and not self._is_spent(declaration):
            subscription.unsubscribe().addErrback(lambda _: None)

    def end(self) -> None:
        """Forget what the session had, since it has ended."""
        self._session = None
        self._cancel_retries()
        self._requested.clear()
        self._unconfirmed.clear()
        self._registrations.clear()
        self._subscribed.clear()
        self._turns.clear()

    # -- requests

    def _request(self, session: Session, declaration: Declaration) -> None:
        if declaration in self._forgotten or self._is_withheld(declaration):
            return
        if isinstance(declaration, Procedure):
            request = session.register_procedure(declaration, self._invocation_receiver(declaration))
        else:
            request = session.subscribe_topic(declaration, self._event_receiver(declaration))
        about = (session, declaration)
        request.addCallbacks(self._confirmed, self._refused, callbackArgs=about, errbackArgs=about)

    def _confirmed(self, result: Any, session: Session, declaration: Declaration) -> None:
        if session is not self._session:
            return
        if self._is_withheld(declaration):
            _give_back(result)
            return
        if isinstance(declaration, Procedure):
            self._registrations[declaration] = result
        else:
            self._subscribed[declaration] = result
            if declaration.single:
                self._take_turn(session, declaration)
        self._unconfirmed.pop(declaration, None)
        if declaration in self._forgotten:  # while the router confirmed it
            self.forget(declaration)
        self._on_change()

    def _refused(self, failure: Failure, session: Session, declaration: Declaration) -> None:
        if session is not self._session or declaration in self._forgotten or self._is_withheld(declaration):
            return
        error: Any = failure.value
        if isinstance(declaration, Procedure) and declaration.invoke == "single" and error.uri == _TAKEN:
            # Another session has what one alone may have: that is in order, and this one takes over when it ends.
            self._unconfirmed.pop(declaration, None)
        else:
            why = str(error) if isinstance(error, CallFailed) else f"{error.uri}: {error}"
            level = logging.DEBUG if self._unconfirmed.get(declaration) == why else logging.ERROR
            log.log(level, "The router refused %s (%s); trying again", declaration.uri, why)
            self._unconfirmed[declaration] = why
        self._retry(self._request, session, declaration)
        self._on_change()

    def _retry(self, function: Callable[..., None], session: Session, declaration: Any) -> None:
        self._retries = {retry for retry in self._retries if retry.active()}
        self._retries.add(self._reactor.callLater(RETRY, function, session, declaration))

    def _cancel_retries(self) -> None:
        for retry in self._retries:
            if retry.active():
                retry.cancel()
        self._retries.clear()

    # -- what comes in

    def _invocation_receiver(self, procedure: Procedure) -> Any:
        def on_invocation(invocation: Invocation) -> None:
            self._handlers.on_invocation(procedure, invocation)

        return on_invocation

    def _event_receiver(self, subscription: Subscription) -> Any:
        def on_event(event: Incoming) -> None:
            if not self._is_wanted(subscription) or (subscription.single and subscription not in self._turns):
                return
            if self._handlers.on_event(subscription, event):
                self._count(subscription)

        return on_event

    def _is_wanted(self, declaration: Declaration) -> bool:
        return declaration not in self._forgotten and not self._is_spent(declaration)

    def _is_spent(self, declaration: Declaration) -> bool:
        if isinstance(declaration, Procedure) or declaration.limit_calls is None:
            return False
        return self._received.get(declaration, 0) >= declaration.limit_calls

    def _count(self, subscription: Subscription) -> None:
        self._received[subscription] = self._received.get(subscription, 0) + 1
        handle = self._subscribed.get(subscription)
        if self._is_spent(subscription) and handle is not None:
            handle.unsubscribe().addErrback(lambda _: None)

    def _take_turn(self, session: Session, subscription: Subscription) -> None:
        """Try to be the one session that runs a ``single`` subscription: the registration's holder is.

        The router frees it when its holder dies, and another takes it within :data:`RETRY`.
        """
        if self.drained:
            self._take_turn_later(session, subscription)
            return
        session.register_exclusively(subscription.turn).addCallbacks(
            lambda registration: self._has_turn(session, subscription, registration),
            lambda _: self._take_turn_later(session, subscription),
        )

    def _has_turn(self, session: Session, subscription: Subscription, registration: Any) -> None:
        if self.drained:
            _give_back(registration)
            self._take_turn_later(session, subscription)
            return
        self._turns[subscription] = registration
        if subscription in self._forgotten:
            self.forget(subscription)

    def _take_turn_later(self, session: Session, subscription: Subscription) -> None:
        if session is self._session and subscription not in self._forgotten:
            self._retry(self._take_turn, session, subscription)


def _give_back(registration: Any) -> None:
    if registration is not None and registration.active:
        registration.unregister().addErrback(lambda _: None)
