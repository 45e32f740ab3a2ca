"""The session with the router."""

from __future__ import annotations

import logging
import os
import random
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .errors import AgentError
from .hub import Enrolled, HubError, Refused, tls_context
from .sampler import Values

log = logging.getLogger("agent")

JOIN_TIMEOUT = 15.0


FIRST_DELAY = 1.0
GROWTH = 1.5
MAX_DELAY = 10.0


STEADY = 30.0
"""A session that lasted so long was no failure: the next attempt comes as soon as the first one."""


_random = random.SystemRandom()


_UNUSED = ("cbor2", "msgpack", "umsgpack", "ujson", "autobahn.flatbuffers", "click", "OpenSSL")
_UNUSED_WITHOUT_TLS = ("ssl", "_hashlib")  # SHA-1, all that a WebSocket needs, is in Python itself, too
_STAND_INS: Mapping[str, Mapping[str, object]] = {
    "cryptography": {},
    "cryptography.hazmat": {},
    "cryptography.hazmat.backends": {"default_backend": None},
    "cryptography.hazmat.primitives": {"hashes": None},
    "cryptography.hazmat.primitives.kdf": {},
    "cryptography.hazmat.primitives.kdf.pbkdf2": {"PBKDF2HMAC": None},
}


@contextmanager
def _left_out(*, secure: bool) -> Iterator[None]:
    """While autobahn is imported: without the libraries that it takes along for what is not used here.

    Other serializers, colours in traces, and cryptography for other ways to log in: 12 MB of the 45 that an agent may
    have. Without TLS, OpenSSL's 5 MB as well.
    """
    os.environ.setdefault("AUTOBAHN_USE_NVX", "0")  # cffi and a compiler's parser, to mask a message a second
    hidden: dict[str, ModuleType | None] = dict.fromkeys(_UNUSED + (() if secure else _UNUSED_WITHOUT_TLS))
    for name, content in _STAND_INS.items():
        hidden[name] = ModuleType(name)
        vars(hidden[name]).update(content, __path__=[])
    hidden = {name: module for name, module in hidden.items() if name not in sys.modules}
    sys.modules.update(hidden)  # type: ignore[arg-type]  # None there means: cannot be imported
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


class Wamp(NamedTuple):
    """What is used of autobahn and Twisted, imported when the agent is going to connect."""

    reactor: Any
    new_session: Callable[..., Any]
    transport: Callable[..., tuple[Any, Any]]
    ApplicationError: Any
    Deferred: Any
    gather: Callable[..., Any]
    in_thread: Callable[..., Any]
    register_options: Any


def load_wamp(*, secure: bool) -> Wamp:
    """Import autobahn and Twisted, with as little else as possible. Call it once, before anything imports them.

    :raises AgentError: when they are not installed.
    """
    try:
        with _left_out(secure=secure):
            return _wamp()
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] in ("autobahn", "twisted", "txaio"):
            raise AgentError(f'{error}. Install it: pip install "autobahn[twisted]"') from None
        log.debug("autobahn needs %s after all", error.name)
    return _wamp()


def _wamp() -> Wamp:
    """Everything is imported in here, so that :func:`_left_out` holds for all of it."""
    logging.getLogger("autobahn").setLevel(logging.WARNING)  # it would tell that it does without what is left out
    import txaio

    txaio.use_twisted()
    import autobahn.twisted.websocket
    import autobahn.wamp.serializer  # noqa: F401
    import twisted.internet.endpoints
    import twisted.protocols.policies  # noqa: F401 - for those who need them later
    from autobahn.wamp.exception import ApplicationError
    from autobahn.wamp.types import RegisterOptions
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred, gatherResults
    from twisted.logger import globalLogBeginner

    observers: list[Any] = [_observe]
    globalLogBeginner.beginLoggingTo(observers, redirectStandardIO=False, discardBuffer=True)
    return Wamp(
        reactor=reactor,
        new_session=_session_class(),
        transport=_transport,
        ApplicationError=ApplicationError,
        Deferred=Deferred,
        gather=gatherResults,
        in_thread=_in_thread,
        register_options=RegisterOptions(force_reregister=True),
    )


def _session_class() -> Callable[..., Any]:
    from autobahn.twisted.wamp import ApplicationSession
    from autobahn.wamp.exception import ApplicationError
    from autobahn.wamp.types import ComponentConfig

    class Session(ApplicationSession):
        """One session of a link; it only passes on what happens."""

        def __init__(self, enrolled: Enrolled, joined: Callable[[Any], None], left: Callable[[str], None]) -> None:
            super().__init__(ComponentConfig(realm=enrolled.realm))
            self._enrolled = enrolled
            self._joined = joined
            self._left = left

        def onConnect(self) -> None:  # noqa: N802 - autobahn's name
            self.join(self._enrolled.realm, ["ticket"], "agent")

        def onChallenge(self, challenge: Any) -> str:  # noqa: N802
            return self._enrolled.ticket

        def onJoin(self, details: Any) -> None:  # noqa: N802
            self._joined(self)

        def onLeave(self, details: Any) -> Any:  # noqa: N802
            self._left(f"{details.message or 'the session ended'} ({details.reason})")
            return super().onLeave(details)

        def onUserError(self, fail: Any, msg: str) -> None:  # noqa: N802
            if not isinstance(fail.value, ApplicationError):
                log.debug("In a session: %s: %s", msg, fail.value)

    return Session


def _transport(url: str, new_session: Callable[[], Any], left: Callable[[str], None]) -> tuple[Any, Any]:
    """The endpoint to connect to, and the factory of the protocol to speak there.

    :param left: told why, when TLS fails.
    """
    from autobahn.twisted.websocket import WampWebSocketClientFactory
    from autobahn.wamp.serializer import JsonSerializer
    from twisted.internet import reactor
    from twisted.internet.endpoints import HostnameEndpoint

    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "wss"
    factory = WampWebSocketClientFactory(new_session, url=url, serializers=[JsonSerializer()])
    factory.setProtocolOptions(
        autoPingInterval=10, autoPingTimeout=5, autoPingSize=12, openHandshakeTimeout=JOIN_TIMEOUT
    )
    endpoint = HostnameEndpoint(reactor, host, parts.port or (443 if secure else 80), timeout=JOIN_TIMEOUT)
    return endpoint, _with_tls(factory, host, left) if secure else factory


def _in_thread(function: Callable[..., Any], *args: Any) -> Any:
    """A thread of its own, which does not keep the program from ending, as the reactor's pool would."""
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    answer: Any = Deferred()
    hand_back: Callable[..., None] = reactor.callFromThread

    def work() -> None:
        try:
            result = function(*args)
        except Exception:  # a boundary: it is for whoever waits for the answer
            result = Failure()
        hand_back(answer.callback, result)

    threading.Thread(target=work, name=function.__name__, daemon=True).start()
    return answer


def _observe(event: Values) -> None:
    """Twisted's log: what went wrong without anybody looking."""
    failure = event.get("log_failure")
    if failure is not None:
        log.error("Unexpected: %s", failure.getTraceback())


def _with_tls(factory: Any, host: str, left: Callable[[str], None]) -> Any:  # noqa: C901 - a class with a late base
    """TLS under a WebSocket, by Python's own ``ssl``: Twisted's would need pyOpenSSL and 15 MB more."""
    import ssl

    from twisted.internet.defer import Deferred
    from twisted.protocols.policies import ProtocolWrapper, WrappingFactory

    wrapper: Any = ProtocolWrapper  # its methods have no types

    class Tls(wrapper):  # type: ignore[misc]  # same
        transport: Any

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.is_closed: Any = Deferred()
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self._tls = tls_context().wrap_bio(self._incoming, self._outgoing, server_hostname=host)
            self._secure = False

        def makeConnection(self, transport: Any) -> None:  # noqa: N802 - Twisted's name
            self.connected = 1
            self.transport = transport
            self._advance()

        def dataReceived(self, data: bytes) -> None:  # noqa: N802
            self._incoming.write(data)
            self._advance()

        def connectionLost(self, reason: Any = None) -> None:  # noqa: N802
            if self._secure:
                super().connectionLost(reason)
            self.is_closed.callback(None)

        def write(self, data: bytes) -> None:
            self._tls.write(data)
            self._flush()

        def writeSequence(self, data: Iterable[bytes]) -> None:  # noqa: N802
            self.write(b"".join(data))

        def _flush(self) -> None:
            if self._outgoing.pending:
                self.transport.write(self._outgoing.read())

        def _advance(self) -> None:
            try:
                if not self._secure:
                    self._tls.do_handshake()
                    self._secure = True
                    self.factory.registerProtocol(self)
                    self.wrappedProtocol.makeConnection(self)
                while data := self._tls.read(65536):
                    super().dataReceived(data)
                self.transport.loseConnection()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                left(f"no safe connection to {host}: {getattr(error, 'verify_message', '') or error.reason or error}")
                self._flush()
                self.transport.abortConnection()
            self._flush()

    wrapping = WrappingFactory(factory)
    wrapping.protocol = Tls
    return wrapping


def failed(failure: Any) -> str:
    """What a person is told of a failure of Twisted's, or of an error that came over WAMP."""
    error = failure.value
    uri = getattr(error, "error", "")
    if uri:
        return f"{' '.join(map(str, error.args))} ({uri})".strip()
    return failure.getErrorMessage() or type(error).__name__


class Link:
    """Keeps one session with the router, for ever: enrols, connects, joins, and again after whatever ends it.

    :param enrol: blocks, so it is called in a thread.
    :param on_enrolled: with the answer.      :param on_joined: with the session.
    :param on_lost: after a session.
    """

    def __init__(
        self,
        wamp: Wamp,
        enrol: Callable[[], Enrolled],
        *,
        on_enrolled: Callable[[Enrolled], None],
        on_joined: Callable[[Any], None],
        on_lost: Callable[[], None],
        max_delay: float = MAX_DELAY,
    ) -> None:
        self._wamp = wamp
        self._enrol = enrol
        self._on_enrolled = on_enrolled
        self._on_joined = on_joined
        self._on_lost = on_lost
        self._max_delay = max_delay
        self._session: Any = None
        self._protocol: Any = None
        self._since = 0.0
        self._again: Any = None
        self._guard: Any = None
        self._attempts = 0
        self._told = ""
        self._reason = ""
        self._stopping = False

    def start(self) -> None:
        """Begin."""
        self._again = None
        self._reason = ""
        self._wamp.in_thread(self._enrol).addCallback(self._enrolled).addErrback(self._failed)

    def _enrolled(self, enrolled: Enrolled) -> Any:
        if self._stopping:
            return None
        self._on_enrolled(enrolled)
        endpoint, factory = self._wamp.transport(enrolled.url, lambda: self._new_session(enrolled), self._left)
        return endpoint.connect(factory).addCallback(self._opened, enrolled.url)

    def _new_session(self, enrolled: Enrolled) -> Any:
        return self._wamp.new_session(enrolled, self._joined, self._left)

    def _opened(self, protocol: Any, url: str) -> None:
        self._protocol = protocol
        self._guard = self._wamp.reactor.callLater(JOIN_TIMEOUT, self._too_late, url)
        self._protocol.is_closed.addBoth(lambda _: self._closed(url))

    def _too_late(self, url: str) -> None:
        if self._session is None and self._protocol is not None:
            self._reason = f"{url} let nobody join within {JOIN_TIMEOUT:g} s"
            self._protocol.transport.abortConnection()

    def _joined(self, session: Any) -> None:
        self._session = session
        self._since = self._wamp.reactor.seconds()
        self._told = ""
        log.info("Joined the hub's router.")
        self._on_joined(session)

    def _left(self, reason: str) -> None:
        self._reason = reason

    def _closed(self, url: str) -> None:
        if self._guard is not None and self._guard.active():
            self._guard.cancel()
        lasted = self._wamp.reactor.seconds() - self._since if self._session is not None else 0.0
        was_joined, self._session, self._protocol = self._session is not None, None, None
        if was_joined:
            self._on_lost()
        if lasted >= STEADY:
            self._attempts = 0
        self._try_again(self._reason or f"{url} closed the connection")

    def _failed(self, failure: Any) -> None:
        error = failure.value
        if isinstance(error, Refused):
            self._try_again(f"The hub refuses this host: {error}", wait=error.wait)
        elif isinstance(error, (HubError, AgentError)):
            self._try_again(f"No hub: {error}")
        else:
            self._try_again(f"No router: {failed(failure)}")

    def _try_again(self, problem: str, wait: float | None = None) -> None:
        if self._stopping or self._again is not None:
            return
        self._attempts += 1
        most = wait or min(FIRST_DELAY * GROWTH ** min(self._attempts - 1, 16), self._max_delay)
        delay = _random.uniform(most / 2, most)
        if problem != self._told:
            log.warning("%s. Trying again, from now on without a word until something changes.", problem.rstrip("."))
            self._told = problem
        self._again = self._wamp.reactor.callLater(delay, self.start)

    def leave(self) -> None:
        """Close the session because of something wrong in it; another one follows."""
        if self._session is not None:
            self._session.leave()

    def stop(self) -> Any:
        """Say goodbye; a Deferred that fires when the connection is closed, and never fails."""
        self._stopping = True
        if self._again is not None and self._again.active():
            self._again.cancel()
        closed = self._wamp.Deferred()
        if self._protocol is None:
            closed.callback(None)
            return closed
        self._protocol.is_closed.addBoth(lambda _: closed.callback(None))
        if self._session is not None:
            self._session.leave()
        else:
            self._protocol.transport.abortConnection()
        return closed.addTimeout(1.0, self._wamp.reactor).addErrback(lambda _: None)
