"""What connections have not read yet: bounded for each, and for all untrusted ones together; freed when one is gone.

Twisted keeps what it cannot send yet, however much that is. Its flow control tells a connection's producer at each
write that finds more than 64 KiB waiting. Our producer cannot pause, because the messages are other people's; so it
watches, and ends the connection of a reader that is too far behind.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from twisted.internet.abstract import FileDescriptor
from txaio.tx import make_logger

log = make_logger()

SESSIONS = "crossbar.router.session"
TRUSTED = "backend"


class Backlog:
    """All connections that are behind. For one thread.

    :param reader: bytes that an untrusted client may leave unread.
    :param backend: bytes that a Flask worker may leave unread.
    :param total: bytes that all untrusted clients together may leave unread; beyond it, the one furthest behind goes.
    """

    def __init__(self, *, reader: int, backend: int, total: int) -> None:
        self._reader = reader
        self._backend = backend
        self._total = total
        self._waiting = 0
        self._behind: set[Reader] = set()

    def watch(self, session: Any, transport: Any) -> Reader:
        """Watch a connection that has just opened.

        :param session: Crossbar's.      :param transport: autobahn's protocol.
        """
        return Reader(self, session, transport)

    def check(self, reader: Reader) -> None:
        """More waits for ``reader``: end it, or whoever is furthest behind, if that is too much."""
        waiting = reader.measure()
        if reader.trusted:
            if waiting > self._backend:
                self._end(reader)
            return
        self._waiting += waiting - reader.noted
        reader.noted = waiting
        self._behind.add(reader)
        if waiting > self._reader:
            self._end(reader)
        elif self._waiting > self._total:
            self._end(max(self._behind, key=lambda one: one.noted))

    def forget(self, reader: Reader) -> None:
        """Nothing waits for ``reader`` any more."""
        self._waiting -= reader.noted
        reader.noted = 0
        self._behind.discard(reader)

    def _end(self, reader: Reader) -> None:
        self.forget(reader)
        reader.end()


class Reader:
    """One connection: the producer that Twisted's flow control talks to."""

    def __init__(self, backlog: Backlog, session: Any, transport: Any) -> None:
        self.noted = 0
        self._backlog = backlog
        self._session = session
        self._ended = False
        self._socket = transport.transport
        self._socket.unregisterProducer()  # that of the HTTP request, which is over
        self._socket.registerProducer(self, True)
        while not hasattr(self._socket, "dataBuffer"):
            self._socket = self._socket.transport  # what TLS stands on

    @property
    def trusted(self) -> bool:
        """Whether it is a Flask worker's."""
        return bool(self._session._authrole == TRUSTED)  # noqa: SLF001 - Crossbar offers no other

    def measure(self) -> int:
        """Bytes that wait to be sent."""
        return len(self._socket.dataBuffer) + int(self._socket._tempDataLen)  # noqa: SLF001 - Twisted offers no other

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's
        """At each write while more than 64 KiB wait."""
        if not self._ended:
            self._backlog.check(self)

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's
        """Everything has been sent."""
        self._backlog.forget(self)
        if self._socket.disconnecting:
            self._socket.startWriting()  # Twisted closes only after a turn without a paused producer

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's
        """The connection is lost."""

    def end(self) -> None:
        """Close the connection at once."""
        self._ended = True
        log.warn(  # noqa: G010 - txaio has no warning()
            "wampflask: session {session} ({role}) does not read: closed with {waiting} bytes unsent",
            session=self._session._session_id,  # noqa: SLF001
            role=self._session._authrole,  # noqa: SLF001
            waiting=self.measure(),
        )
        self._socket.abortConnection()  # autobahn's abort does nothing for a WebSocket that is closing

    def release(self) -> None:
        """The connection is gone: let go of what was to be sent, which reference cycles would keep for long."""
        self._ended = True
        self._backlog.forget(self)
        self._socket.dataBuffer = b""
        self._socket._tempDataBuffer = []  # noqa: SLF001
        self._socket._tempDataLen = 0  # noqa: SLF001


def apply(sessions: ModuleType | None, backlog: Backlog) -> str | None:
    """Watch every connection from its opening to its end.

    :returns: why it is impossible, or None.
    """
    session_class = getattr(sessions, "RouterSession", None)
    opened, closed = getattr(session_class, "onOpen", None), getattr(session_class, "onClose", None)
    if session_class is None or opened is None or closed is None:
        return f"{SESSIONS}.RouterSession.onOpen and onClose are not there"
    if not {"dataBuffer", "_tempDataBuffer", "_tempDataLen"} <= {*vars(FileDescriptor), *vars(FileDescriptor())}:
        return "twisted.internet.abstract.FileDescriptor keeps what is unsent elsewhere"

    def on_open(self: Any, transport: Any) -> Any:
        result = opened(self, transport)
        self._wampflask_reader = backlog.watch(self, transport)
        return result

    def on_close(self: Any, was_clean: bool) -> Any:
        if reader := vars(self).pop("_wampflask_reader", None):
            reader.release()
        return closed(self, was_clean)

    session_class.onOpen = on_open
    session_class.onClose = on_close
    return None
