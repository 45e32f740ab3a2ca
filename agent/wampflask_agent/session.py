"""One session with the router, by autobahn on asyncio: the only module that imports autobahn."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

os.environ.setdefault("AUTOBAHN_USE_NVX", "0")  # it would load cffi to mask one message a second
logging.getLogger("autobahn").setLevel(logging.ERROR)  # why a session ended is logged by the link

from autobahn.asyncio.wamp import ApplicationSession
from autobahn.asyncio.websocket import WampWebSocketClientFactory, WampWebSocketClientProtocol
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.serializer import JsonSerializer
from autobahn.wamp.types import ComponentConfig, RegisterOptions

from .calls import CallError, RouterError
from .hub import Enrolled, network_problem, tls_context

JOIN_TIMEOUT = 15.0
CALL_TIMEOUT = 30.0
LEAVE_TIMEOUT = 1.0
_PINGS = {"autoPingInterval": 10, "autoPingTimeout": 5, "autoPingSize": 12}
"""Seconds; a connection that died without a word is noticed after 15."""
_REPLACE = RegisterOptions(force_reregister=True)

log = logging.getLogger("agent")


class Session(ApplicationSession):
    """A session of this host. It lasts until ``ended`` is set; then ``reason`` says why."""

    def __init__(self, enrolled: Enrolled) -> None:
        super().__init__(ComponentConfig(realm=enrolled.realm))
        self._enrolled = enrolled
        self.joined = asyncio.Event()
        self.ended = asyncio.Event()
        self.closed = asyncio.Event()
        """The connection, which may take longer."""
        self.reason = ""
        self.cut: Callable[[], None] = lambda: None
        """Ends the connection at once; there when it is open."""

    async def offer(self, uri: str, function: Callable[..., Awaitable[Any]]) -> None:
        """Register a procedure, also where the session before this one still has it.

        :param function: may raise :class:`CallError`.
        :raises CallError: when the router refuses.
        """

        async def procedure(*args: Any, **kwargs: Any) -> Any:
            try:
                return await function(*args, **kwargs)
            except CallError as error:
                raise ApplicationError(error.uri, *error.args) from None

        with _errors():
            await self.register(procedure, uri, options=_REPLACE)

    async def ask(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """Call a procedure of the hub and return its answer.

        :raises CallError: when the hub or the router answers with an error.
        :raises RouterError: when there was no answer within ``CALL_TIMEOUT`` seconds.
        """
        try:
            with _errors():
                return await asyncio.wait_for(self.call(procedure, *args, **kwargs), CALL_TIMEOUT)
        except asyncio.TimeoutError:
            raise RouterError(f"no answer within {CALL_TIMEOUT:g} s") from None

    async def close(self) -> None:
        """Say goodbye, and wait until the connection is closed; after a second, cut it."""
        if self.is_attached():
            self.leave()
        try:
            await asyncio.wait_for(self.closed.wait(), LEAVE_TIMEOUT)
        except asyncio.TimeoutError:
            self.cut()

    def onConnect(self) -> None:  # noqa: N802 - autobahn's name
        self.join(self._enrolled.realm, ["ticket"], "agent")

    def onChallenge(self, challenge: Any) -> str:  # noqa: N802 - same
        return self._enrolled.ticket

    def onJoin(self, details: Any) -> None:  # noqa: N802 - same
        self.joined.set()

    def onLeave(self, details: Any) -> Any:  # noqa: N802 - same
        self.reason = f"{details.message or 'the session ended'} ({details.reason})"
        self.ended.set()
        return super().onLeave(details)

    def onUserError(self, fail: Any, msg: str) -> None:  # noqa: N802 - same
        if not isinstance(fail.value, ApplicationError):
            log.debug("In a session: %s: %s", msg, fail.value)


@contextmanager
def _errors() -> Iterator[None]:
    """Turn autobahn's errors into ours."""
    try:
        yield
    except ApplicationError as error:
        raise CallError(error.error, " ".join(map(str, error.args))) from None


class Protocol(WampWebSocketClientProtocol):
    """A WebSocket that leaves TLS to Python's ``ssl``, which has checked the router's certificate by then."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(Connection(transport))  # type: ignore[no-untyped-call]


class Connection:
    """A transport that does not mention TLS: autobahn would load ``cryptography``, 11 MB, to describe certificates."""

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the transport knows, except about TLS."""
        return default if name in ("ssl_object", "peercert") else self._transport.get_extra_info(name, default)


async def join(enrolled: Enrolled) -> Session:
    """Connect to the router and return a session that has joined.

    :raises RouterError: when that failed, or took longer than ``JOIN_TIMEOUT`` seconds.
    """
    session = Session(enrolled)
    try:
        await asyncio.wait_for(_join(session, enrolled.url), JOIN_TIMEOUT)
    except asyncio.TimeoutError:
        raise RouterError(f"{enrolled.url} did not let this host join within {JOIN_TIMEOUT:g} s") from None
    except OSError as error:
        raise RouterError(f"{enrolled.url} cannot be reached: {network_problem(error)}") from None
    return session


async def _join(session: Session, url: str) -> None:
    loop = asyncio.get_running_loop()
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    factory = WampWebSocketClientFactory(lambda: session, url=url, serializers=[JsonSerializer()], loop=loop)
    factory.protocol = Protocol
    factory.setProtocolOptions(openHandshakeTimeout=JOIN_TIMEOUT, **_PINGS)
    transport, protocol = await loop.create_connection(
        factory,
        parts.hostname or "",
        parts.port or (443 if secure else 80),
        ssl=tls_context() if secure else None,
        happy_eyeballs_delay=0.25,
    )
    session.cut = transport.abort
    for event in (session.ended, session.closed):
        protocol.is_closed.add_done_callback(lambda _, event=event: event.set())
    waiting = [asyncio.ensure_future(event.wait()) for event in (session.joined, session.ended)]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if session.ended.is_set():
            why = protocol.wasNotCleanReason
            raise RouterError(session.reason or f"{url} closed the connection{f' ({why})' if why else ''}")
    finally:
        for each in waiting:
            each.cancel()
        if not session.joined.is_set():
            session.cut()
