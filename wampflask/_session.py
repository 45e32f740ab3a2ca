"""One session with one router, and the transports it goes over. The only importer of autobahn.

autobahn's types and errors are translated into ours here; everything above knows only ours. Everything runs
in the reactor's thread, and every Deferred fails with one of our errors.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Semaphore
from typing import Any, Protocol
from urllib.parse import urlsplit

from autobahn.exception import PayloadExceededError
from autobahn.twisted.rawsocket import WampRawSocketClientFactory, WampRawSocketClientProtocol
from autobahn.twisted.wamp import ApplicationSession
from autobahn.twisted.websocket import WampWebSocketClientFactory, WampWebSocketClientProtocol
from autobahn.wamp import message
from autobahn.wamp.exception import (
    ApplicationError,
    InvalidUriError,
    SerializationError,
    TransportLost,
)
from autobahn.wamp.types import CallOptions as _CallOptions
from autobahn.wamp.types import CloseDetails, ComponentConfig, RegisterOptions, SubscribeOptions
from autobahn.wamp.types import PublishOptions as _PublishOptions
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.python.failure import Failure

from . import payload
from ._declarations import Procedure, Subscription
from ._incoming import Flag, Incoming, Invocation
from .caller import Caller
from .config import Config
from .errors import (
    INTERNAL,
    CallFailed,
    InvalidPayload,
    InvalidURI,
    NoSuchProcedure,
    NotConnected,
    WampError,
    WampTimeout,
    from_wire,
)
from .options import DEFAULT_PUBLISH, CallResult, PublishOptions
from .plugin.guard import Refused, StrictSerializer
from .publication import Publication

_PARTS_MAX = 100
"""Progressive results of all handlers that may wait to be sent; then a handler waits."""
_PATIENCE = 5.0
_NO_LIMIT = 1 << 30

_KEEPALIVE = {"autoPingInterval": 10, "autoPingTimeout": 5, "autoPingSize": 12, "openHandshakeTimeout": 5}

NO_SESSION = 0
"""Of somebody without a session, for whom a worker calls."""

OnInvocation = Callable[[Invocation], None]
OnEvent = Callable[[Incoming], None]
OnProgress = Callable[[Sequence[Any], Mapping[str, Any]], None]

log = logging.getLogger(__name__)


class Listener(Protocol):
    """What a session needs of its link."""

    def ticket(self) -> str: ...
    def joined(self, session: Session) -> None: ...
    def left(self, session: Session, reason: str) -> None: ...


class Session(ApplicationSession):
    """One session, from its connection to its end.

    :param soon: the reactor's ``callFromThread``.
    """

    def __init__(self, listener: Listener, realm: str, soon: Callable[..., Any]) -> None:
        super().__init__(ComponentConfig(realm=realm))
        self._listener = listener
        self._soon = soon
        self._running: dict[int, Deferred[Any]] = {}
        self._unsent_parts = Semaphore(_PARTS_MAX)
        self.number = 0

    @property
    def message_max(self) -> int | None:
        """Bytes of a message that the router takes; None where it did not say."""
        transport: Any = self._transport
        found = getattr(transport, "_max_len_send", None) or getattr(transport.factory, "message_max", None)
        return int(found) if found else None

    # -- what we do

    def call_procedure(
        self,
        procedure: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        on_progress: OnProgress | None = None,
        caller: Caller | None = None,
    ) -> Deferred[Any]:
        """Call; cancelling the Deferred cancels the call.

        :param caller: whom the callee is to take for the caller; the router believes workers.
        """
        forwarded = None if caller is None else [_as_sender(caller)]
        options = _CallOptions(on_progress=on_progress, forward_for=forwarded) if on_progress or forwarded else None
        return _deferred(self.call, procedure, *args, options=options, **kwargs).addErrback(_raise_ours)

    def publish_event(self, publication: Publication) -> Deferred[Any]:
        """Publish; the Deferred fires at the router's acknowledgement."""
        return _deferred(self._publish, publication, acknowledge=True).addErrback(_raise_ours)

    def publish_unacknowledged(self, publication: Publication) -> None:
        """Publish without asking for an acknowledgement."""
        try:
            self._publish(publication, acknowledge=False)
        except Exception as error:
            raise _to_ours(error) from error

    def _publish(self, publication: Publication, *, acknowledge: bool) -> Any:
        options = _publish_options(publication.options, acknowledge)
        return self.publish(publication.topic, *publication.args, options=options, **publication.kwargs)

    def register_procedure(self, procedure: Procedure, on_invocation: OnInvocation) -> Deferred[Any]:
        """Register; the result is the registration, with ``active`` and ``unregister()``."""

        def endpoint(msg: message.Invocation) -> Deferred[Any]:
            uri = msg.procedure or procedure.uri
            caller = Caller(msg.caller or None, msg.caller_authid, msg.caller_authrole, uri)
            cancelled = Flag()
            done: Deferred[Any] = Deferred(lambda _: cancelled.set())
            answer, refuse = (partial(self._soon, _unless_over, done, how) for how in (done.callback, done.errback))
            report = partial(self._report, msg.request, uri) if msg.receive_progress else None
            on_invocation(Invocation(msg.args or (), msg.kwargs or {}, caller, answer, refuse, report, cancelled))
            return done

        options = RegisterOptions(match=procedure.match, invoke=procedure.invoke)
        return _deferred(self.register, endpoint, procedure.uri, options=options).addErrback(_raise_ours)

    def subscribe_topic(self, subscription: Subscription, on_event: OnEvent) -> Deferred[Any]:
        """Subscribe; the result is the subscription, with ``unsubscribe()``."""

        def handler(msg: message.Event) -> None:
            topic = msg.topic or subscription.uri
            caller = Caller(msg.publisher, msg.publisher_authid, msg.publisher_authrole, topic)
            on_event(Incoming(msg.args or (), msg.kwargs or {}, caller))

        options = SubscribeOptions(match=subscription.match)
        return _deferred(self.subscribe, handler, subscription.uri, options=options).addErrback(_raise_ours)

    def register_exclusively(self, uri: str) -> Deferred[Any]:
        """Register ``uri`` for this session alone; fails while another has it, and is freed with the session."""
        options = RegisterOptions(invoke="single")
        return _deferred(self.register, lambda _msg: succeed(True), uri, options=options).addErrback(_raise_ours)

    # -- called by autobahn

    def onConnect(self) -> None:
        self.join(self.config.realm, ["ticket"], "backend")

    def onChallenge(self, challenge: Any) -> str:
        return self._listener.ticket()

    def onJoin(self, details: Any) -> None:
        self.number = details.session
        self._listener.joined(self)

    def onMessage(self, msg: Any) -> None:
        if self.number and self._session_id is None:
            return  # it has ended: the router's last words about what was pending, which autobahn takes for an attack
        handle = _FROM_OTHERS.get(type(msg)) if self.number else None
        if handle is None:
            super().onMessage(msg)
            return
        try:
            handle(self, msg)
        except Exception:  # a boundary: nothing that others send may end the session
            log.exception("A message of the kind %s could not be handled", type(msg).__name__)
            if isinstance(msg, message.Invocation):
                self._answer(Failure(CallFailed(INTERNAL)), msg.request)

    # -- what others send, by the router. autobahn's own would pass their keyword arguments on as its functions' own,
    # -- and end the session for what it does not expect.

    def _on_invocation(self, msg: message.Invocation) -> None:
        registration = self._registrations.get(msg.registration)
        if registration is None:
            self._answer(Failure(NoSuchProcedure("It was just taken back.")), msg.request)
            return
        done = self._running[msg.request] = registration.endpoint.fn(msg)
        done.addBoth(self._answer, msg.request).addErrback(_log_failure)

    def _answer(self, result: Any, request: int) -> None:
        self._running.pop(request, None)
        if isinstance(result, Failure):
            error: Any = result.value
            self._send(_error(request, error))
        elif isinstance(result, CallResult):
            self._send(message.Yield(request, args=result.args, kwargs=result.kwargs or None))
        else:
            self._send(message.Yield(request, args=[result]))

    def _report(self, request: int, uri: str, values: Sequence[Any]) -> None:
        """Send a progressive result. Any other thread; it waits while too many are not sent yet.

        :raises InvalidPayload: it is larger than the router takes.
        """
        payload.check_size(uri, list(values), {}, self.message_max or _NO_LIMIT)
        self._unsent_parts.acquire(timeout=_PATIENCE)
        self._soon(self._send_part, request, values)

    def _send_part(self, request: int, values: Sequence[Any]) -> None:
        self._unsent_parts.release()
        if request in self._running:
            self._send(message.Yield(request, args=list(values), progress=True))

    def _send(self, msg: Any) -> None:
        if self._transport is not None and self.is_attached():  # an answer to a session that is gone goes nowhere
            self._transport.send(msg)

    def _on_interrupt(self, msg: message.Interrupt) -> None:
        if msg.request in self._running:
            self._running[msg.request].cancel()

    def _on_event(self, msg: message.Event) -> None:
        for subscription in tuple(self._subscriptions.get(msg.subscription, ())):
            _deferred(subscription.handler.fn, msg).addErrback(_log_failure)

    def _on_result(self, msg: message.Result) -> None:
        request = self._call_reqs.get(msg.request) if msg.progress else self._call_reqs.pop(msg.request, None)
        if request is None or (msg.progress and request.options is None):
            log.debug("Nobody asked for the result %s", msg.request)
        elif msg.progress:
            if not request.on_reply.called:
                request.options.on_progress(msg.args or (), msg.kwargs or {})
        elif not request.on_reply.called:  # it is when the call was cancelled
            request.on_reply.callback(_result(msg))

    def _on_error(self, msg: message.Error) -> None:
        request = getattr(self, _PENDING.get(msg.request_type, ""), {}).pop(msg.request, None)
        if request is None:
            log.debug("Nobody waits for the error %s of %s", msg.error, msg.request)
        elif not request.on_reply.called:
            request.on_reply.errback(from_wire(msg.error, msg.args or (), msg.kwargs))

    def _on_refused(self, msg: Refused) -> None:
        log.warning("A message from the router was refused: %s", msg.why)
        if msg.answer is not None:
            self._send(msg.answer)

    def onLeave(self, details: Any) -> Any:
        reason = f"{details.reason}: {details.message}" if details.message else str(details.reason)
        for done in tuple(self._running.values()):
            done.cancel()
        self._listener.left(self, reason)
        # autobahn's own would fail pending requests with the reason as their error; to their callers it is all one.
        return super().onLeave(CloseDetails(CloseDetails.REASON_DEFAULT, f"The session ended: {reason}"))

    def onUserError(self, fail: Any, msg: str) -> None:
        """Log unexpected errors only; the library's own were logged where they arose."""
        if not isinstance(fail.value, ApplicationError | CancelledError | TransportLost):
            about = (fail.type, fail.value, fail.getTracebackObject())
            log.error("Unexpected error in a session: %s", msg, exc_info=about)


def transport(reactor: Any, config: Config, new_session: Callable[[], Session]) -> tuple[Any, Any]:
    """Return the endpoint to connect to and the factory of the protocol to speak there.

    The protocol has ``is_closed``, a Deferred, and ``transport.abortConnection()``.
    """
    parts = urlsplit(config.url)
    if parts.scheme == "unix":
        return UNIXClientEndpoint(reactor, parts.path), _rawsocket(new_session)
    host = parts.hostname or "localhost"
    if parts.scheme == "rs":
        return HostnameEndpoint(reactor, host, parts.port or 0), _rawsocket(new_session)
    factory = WampWebSocketClientFactory(new_session, url=config.url, serializers=[StrictSerializer()])
    factory.protocol = _WebSocket
    factory.message_max = config.message_max  # type: ignore[attr-defined]  # for _WebSocket
    factory.setProtocolOptions(**_KEEPALIVE)
    endpoint = HostnameEndpoint(reactor, host, parts.port or (443 if parts.scheme == "wss" else 80))
    if parts.scheme == "wss":
        return wrapClientTLS(_tls(host, config.ca), endpoint), factory  # type: ignore[arg-type]  # it is one
    return endpoint, factory


def _tls(host: str, ca: str) -> Any:
    from twisted.internet import ssl  # needs pyOpenSSL, which only this address does

    if not ca:
        return ssl.optionsForClientTLS(host)
    found = re.findall(r"-+BEGIN CERTIFICATE-+.*?-+END CERTIFICATE-+", Path(ca).read_text(encoding="utf-8"), re.DOTALL)
    trusted = ssl.trustRootFromCertificates([ssl.Certificate.loadPEM(text) for text in found])
    return ssl.optionsForClientTLS(host, trustRoot=trusted)


def why_closed(protocol: Any) -> str:
    """Return why a connection ended before there was a session, in words for people."""
    failure = protocol.lost
    error = failure.value if failure else None
    origin = type(error).__module__.partition(".")[0]
    if origin == "service_identity":
        return "its TLS certificate is for another host: use the name that it has in WAMP_URL"
    if origin == "OpenSSL":
        return (
            f"its TLS certificate is not accepted ({_tls_words(error)}). Set WAMP_CA to the file of the authority that "
            "signed it, in PEM format"
        )
    said = getattr(protocol, "wasNotCleanReason", None) or (failure.getErrorMessage() if failure else "")
    return str(said or "the connection was closed").rstrip(".")


def _tls_words(error: Any) -> str:
    """Return the last part of OpenSSL's ``[('SSL routines', '', 'certificate verify failed')]`` or the error's name."""
    try:
        return str(error.args[0][0][-1])
    except (IndexError, TypeError):
        return type(error).__name__


def _rawsocket(new_session: Callable[[], Session]) -> WampRawSocketClientFactory:
    factory = WampRawSocketClientFactory(new_session, StrictSerializer())
    factory.protocol = _RawSocket
    return factory


class _Answering:
    """For a transport: an answer that cannot be sent is replaced by an error that can. Its caller would wait otherwise.

    autobahn tries that too, but puts the unsendable result into the error's text. And it keeps why it ended.
    """

    lost: Failure | None = None

    def connectionLost(self, reason: Failure) -> None:
        self.lost = reason
        super().connectionLost(reason)  # type: ignore[misc]  # the transport's

    def send(self, msg: Any) -> None:
        try:
            super().send(msg)  # type: ignore[misc]  # the transport's
        except (PayloadExceededError, SerializationError) as error:
            if not isinstance(msg, message.Yield | message.Error):
                raise
            uri = "wamp.error.payload_size_exceeded"
            super().send(message.Error(message.Invocation.MESSAGE_TYPE, msg.request, uri, [str(error)]))  # type: ignore[misc]


class _RawSocket(_Answering, WampRawSocketClientProtocol):  # type: ignore[misc]  # Twisted's parameter has a default
    pass


class _WebSocket(_Answering, WampWebSocketClientProtocol):  # type: ignore[misc]  # its own bases contradict each other
    """Refuses a message that the router would close the connection for, as the rawsocket's handshake lets us do too."""

    def sendMessage(self, payload: bytes, *args: Any, **kwargs: Any) -> None:
        limit = self.factory.message_max
        if len(payload) > limit:
            raise PayloadExceededError(f"{len(payload)} bytes are more than WAMP_MESSAGE_MAX={limit}.")
        super().sendMessage(payload, *args, **kwargs)  # type: ignore[no-untyped-call]


def _as_sender(caller: Caller) -> dict[str, Any]:
    return {"session": caller.session or NO_SESSION, "authid": caller.authid, "authrole": caller.role}


def _publish_options(options: PublishOptions, acknowledge: bool) -> _PublishOptions:
    if options is DEFAULT_PUBLISH:
        return _ACKNOWLEDGED if acknowledge else _UNACKNOWLEDGED
    return _PublishOptions(
        acknowledge=acknowledge,
        exclude_me=options.exclude_me,
        eligible_authid=options.receivers,
        exclude_authid=options.others,
        eligible_authrole=options.roles,
        eligible=options.sessions,
        exclude=options.other_sessions,
    )


_ACKNOWLEDGED = _PublishOptions(acknowledge=True, exclude_me=False)
_UNACKNOWLEDGED = _PublishOptions(acknowledge=False, exclude_me=False)


def _unless_over(done: Deferred[Any], how: Callable[[Any], None], result: Any) -> None:
    """Answer a call, unless that was cancelled while its handler ran."""
    if not done.called:
        how(result)


def _deferred(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
    """Like ``maybeDeferred``, without its detour through generators: this is in every message's way."""
    try:
        result = function(*args, **kwargs)
    except Exception:
        return fail(Failure())
    return result if isinstance(result, Deferred) else succeed(result)


def _result(msg: message.Result) -> Any:
    args = msg.args or ()
    if msg.kwargs or len(args) > 1:
        return CallResult(list(args), dict(msg.kwargs or {}))
    return args[0] if args else None


def _log_failure(failure: Failure) -> None:
    log.error("A message could not be handled", exc_info=failure.value)


def _raise_ours(failure: Failure) -> None:
    error = failure.value
    raise error if isinstance(error, WampError) else _to_ours(error)


def _to_ours(error: BaseException | None) -> WampError:  # noqa: PLR0911 - a table
    match error:
        case WampError():
            return error
        case CancelledError():
            return WampTimeout("It was cancelled.")
        case TransportLost():
            return NotConnected("The connection to the router was lost.")
        case ApplicationError():
            return from_wire(error.error, error.args, error.kwargs)
        case SerializationError() | PayloadExceededError():
            return InvalidPayload(str(error))
        case InvalidUriError():
            return InvalidURI(str(error))
        case _:
            return CallFailed("wamp.error.runtime_error", f"{type(error).__name__}: {error}")


def _error(request: int, error: BaseException) -> message.Error:
    """Return the answer to an invocation that failed."""
    ours = CallFailed("wamp.error.canceled") if isinstance(error, CancelledError) else _to_ours(error)
    kwargs = ours.kwargs if isinstance(ours, CallFailed) else None
    uri = ours.uri or "wamp.error.runtime_error"
    return message.Error(message.Invocation.MESSAGE_TYPE, request, uri, list(ours.args), kwargs)


_FROM_OTHERS: dict[type, Callable[[Session, Any], None]] = {
    message.Invocation: Session._on_invocation,  # noqa: SLF001 - its own
    message.Interrupt: Session._on_interrupt,  # noqa: SLF001
    message.Event: Session._on_event,  # noqa: SLF001
    message.Result: Session._on_result,  # noqa: SLF001
    message.Error: Session._on_error,  # noqa: SLF001
    Refused: Session._on_refused,  # noqa: SLF001
}
_PENDING = {
    message.Call.MESSAGE_TYPE: "_call_reqs",
    message.Publish.MESSAGE_TYPE: "_publish_reqs",
    message.Subscribe.MESSAGE_TYPE: "_subscribe_reqs",
    message.Unsubscribe.MESSAGE_TYPE: "_unsubscribe_reqs",
    message.Register.MESSAGE_TYPE: "_register_reqs",
    message.Unregister.MESSAGE_TYPE: "_unregister_reqs",
}
