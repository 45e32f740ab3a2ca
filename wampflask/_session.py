"""One session with one router, and the transports it goes over. The only importer of autobahn.

What autobahn says in its own types and errors is said here in ours; everything above knows neither. Everything runs
in the reactor's thread, and every Deferred fails with one of our errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
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
from autobahn.wamp.serializer import JsonSerializer
from autobahn.wamp.types import CallResult as _CallResult
from autobahn.wamp.types import CloseDetails, ComponentConfig, RegisterOptions, SubscribeOptions
from autobahn.wamp.types import PublishOptions as _PublishOptions
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.logger import Logger
from twisted.python.failure import Failure

from ._registry import Procedure, Subscription
from .caller import Caller
from .config import Config
from .errors import CallFailed, InvalidPayload, InvalidURI, NotConnected, WampError, WampTimeout, from_wire
from .options import DEFAULT_PUBLISH, CallResult, PublishOptions

_DETAILS = "_wampflask_details"
_KEEPALIVE = {"autoPingInterval": 10, "autoPingTimeout": 5, "autoPingSize": 12, "openHandshakeTimeout": 5}

Answer = Callable[[Any], None]
Refuse = Callable[[WampError], None]
OnInvocation = Callable[[Sequence[Any], Mapping[str, Any], Caller, Answer, Refuse], None]
OnEvent = Callable[[Sequence[Any], Mapping[str, Any], Caller], None]

log = Logger()


class Listener(Protocol):
    """What a session tells, and asks, the link it works for."""

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
        self.number = 0

    # -- what we do

    def call_procedure(self, procedure: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Deferred[Any]:
        """Call; cancelling the Deferred cancels the call."""
        calling = _deferred(self.call, procedure, *args, options=None, **kwargs)
        return calling.addCallbacks(_result, _raise_ours)

    def publish_event(
        self, topic: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: PublishOptions
    ) -> Deferred[Any]:
        """Publish; the Deferred fires at the router's acknowledgement."""
        publishing = _deferred(self.publish, topic, *args, options=_publish_options(options, True), **kwargs)
        return publishing.addErrback(_raise_ours)

    def publish_unheard(
        self, topic: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: PublishOptions
    ) -> None:
        """Publish without asking for an acknowledgement."""
        try:
            self.publish(topic, *args, options=_publish_options(options, False), **kwargs)
        except Exception as error:
            raise _to_ours(error) from error

    def provide(self, procedure: Procedure, on_invocation: OnInvocation) -> Deferred[Any]:
        """Register; the result is the registration, with ``active`` and ``unregister()``."""

        def endpoint(*args: Any, **kwargs: Any) -> Deferred[Any]:
            details = kwargs.pop(_DETAILS)
            uri = details.procedure or procedure.uri
            caller = Caller(details.caller, details.caller_authid, details.caller_authrole, uri)
            done: Deferred[Any] = Deferred()
            answer = partial(self._soon, self._settle, done)
            on_invocation(args, kwargs, caller, answer, lambda error: answer(Failure(_to_wire(error))))
            return done

        options = RegisterOptions(match=procedure.match, invoke=procedure.invoke, details_arg=_DETAILS)
        return _deferred(self.register, endpoint, procedure.uri, options=options).addErrback(_raise_ours)

    def _settle(self, done: Deferred[Any], result: Any) -> None:
        if self.is_attached():  # an answer to a caller whose session is gone has nowhere to go
            done.callback(_CallResult(*result.args, **result.kwargs) if isinstance(result, CallResult) else result)

    def hear(self, subscription: Subscription, on_event: OnEvent) -> Deferred[Any]:
        """Subscribe; the result is the subscription, with ``unsubscribe()``."""

        def handler(*args: Any, **kwargs: Any) -> None:
            details = kwargs.pop(_DETAILS)
            topic = details.topic or subscription.uri
            caller = Caller(details.publisher, details.publisher_authid, details.publisher_authrole, topic)
            on_event(args, kwargs, caller)

        options = SubscribeOptions(match=subscription.match, details_arg=_DETAILS)
        return _deferred(self.subscribe, handler, subscription.uri, options=options).addErrback(_raise_ours)

    def claim(self, uri: str) -> Deferred[Any]:
        """Register ``uri`` for this session alone; fails while another has it, and is freed with the session."""
        options = RegisterOptions(invoke="single")
        return _deferred(self.register, lambda: True, uri, options=options).addErrback(_raise_ours)

    # -- what autobahn tells

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
        super().onMessage(msg)

    def onLeave(self, details: Any) -> Any:
        reason = f"{details.reason}: {details.message}" if details.message else str(details.reason)
        self._listener.left(self, reason)
        # autobahn's own would fail pending requests with the reason as their error; to their callers it is all one.
        return super().onLeave(CloseDetails(CloseDetails.REASON_DEFAULT, f"The session ended: {reason}"))

    def onUserError(self, fail: Any, msg: str) -> None:
        """Our own errors were logged where they arose; say only what we did not expect."""
        if not isinstance(fail.value, ApplicationError | CancelledError | TransportLost):
            log.failure("Unexpected error in a session: {msg}", failure=fail, msg=msg)


def transport(reactor: Any, config: Config, new_session: Callable[[], Session]) -> tuple[Any, Any]:
    """The endpoint to connect to and the factory of the protocol to speak there.

    The protocol has ``is_closed``, a Deferred, and ``transport.abortConnection()``.
    """
    parts = urlsplit(config.url)
    if parts.scheme == "unix":
        return UNIXClientEndpoint(reactor, parts.path), _rawsocket(new_session)
    host = parts.hostname or "localhost"
    if parts.scheme == "rs":
        return HostnameEndpoint(reactor, host, parts.port or 0), _rawsocket(new_session)
    factory = WampWebSocketClientFactory(new_session, url=config.url, serializers=[JsonSerializer()])
    factory.protocol = _WebSocket
    factory.message_max = config.message_max  # type: ignore[attr-defined]  # for _WebSocket
    factory.setProtocolOptions(**_KEEPALIVE)
    endpoint = HostnameEndpoint(reactor, host, parts.port or (443 if parts.scheme == "wss" else 80))
    if parts.scheme == "wss":
        from twisted.internet.ssl import optionsForClientTLS  # needs pyOpenSSL, which only this address does

        return wrapClientTLS(optionsForClientTLS(host), endpoint), factory  # type: ignore[arg-type]  # it is one
    return endpoint, factory


def _rawsocket(new_session: Callable[[], Session]) -> WampRawSocketClientFactory:
    factory = WampRawSocketClientFactory(new_session, JsonSerializer())
    factory.protocol = _RawSocket
    return factory


class _Answering:
    """For a transport: an answer that cannot be sent is replaced by an error that can, or its caller waits for ever.

    autobahn tries that too, but puts the unsendable result into the error's text.
    """

    def send(self, msg: Any) -> None:
        try:
            super().send(msg)  # type: ignore[misc]  # the transport's
        except (PayloadExceededError, SerializationError) as error:
            if not isinstance(msg, message.Yield | message.Error):
                raise
            uri = "wamp.error.payload_size_exceeded"
            super().send(message.Error(message.Invocation.MESSAGE_TYPE, msg.request, uri, [str(error)]))  # type: ignore[misc]


class _RawSocket(_Answering, WampRawSocketClientProtocol):
    pass


class _WebSocket(_Answering, WampWebSocketClientProtocol):  # type: ignore[misc]  # its own bases contradict each other
    """Refuses a message that the router would close the connection for, as the rawsocket's handshake lets us do too."""

    def sendMessage(self, payload: bytes, *args: Any, **kwargs: Any) -> None:
        limit = self.factory.message_max
        if len(payload) > limit:
            raise PayloadExceededError(f"{len(payload)} bytes are more than WAMP_MESSAGE_MAX={limit}.")
        super().sendMessage(payload, *args, **kwargs)  # type: ignore[no-untyped-call]


def _publish_options(options: PublishOptions, acknowledge: bool) -> _PublishOptions:
    if options is DEFAULT_PUBLISH:
        return _ACKNOWLEDGED if acknowledge else _UNHEARD
    return _PublishOptions(
        acknowledge=acknowledge,
        exclude_me=options.exclude_me,
        eligible_authid=list(options.eligible_authid) if options.eligible_authid is not None else None,
        exclude_authid=list(options.exclude_authid) if options.exclude_authid is not None else None,
        eligible_authrole=list(options.eligible_authrole) if options.eligible_authrole is not None else None,
    )


_ACKNOWLEDGED = _PublishOptions(acknowledge=True, exclude_me=False)
_UNHEARD = _PublishOptions(acknowledge=False, exclude_me=False)


def _deferred(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
    """Like ``maybeDeferred``, without its detour through generators: this is in every message's way."""
    try:
        result = function(*args, **kwargs)
    except Exception:
        return fail(Failure())
    return result if isinstance(result, Deferred) else succeed(result)


def _result(value: Any) -> Any:
    return CallResult(list(value.results), dict(value.kwresults or {})) if isinstance(value, _CallResult) else value


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


def _to_wire(error: WampError) -> ApplicationError:
    kwargs = error.kwargs if isinstance(error, CallFailed) else {}
    return ApplicationError(error.uri or "wamp.error.runtime_error", *error.args, **kwargs)
