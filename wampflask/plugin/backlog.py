"""What connections have not read yet: bounded for each, and for all untrusted ones together; freed when one is gone.

Twisted keeps what it cannot send yet, however much that is. Its flow control notifies a connection's producer at each
write that finds more than 64 KiB waiting. Our producer cannot pause, because the messages are other people's; so it
watches, and ends the connection of a reader that is too far behind.
"""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any

from twisted.internet.abstract import FileDescriptor
from txaio.tx import make_logger

from .heap import Heap

log = make_logger()

SESSIONS = "crossbar.router.session"
TRUSTED = "backend"


class Backlog:
    """All connections that are behind. For one thread.

    :param reader: bytes that an untrusted client may leave unread.
    :param backend: bytes that a Flask worker may leave unread.
    :param total: bytes that all untrusted clients together may leave unread; beyond it, the one furthest behind goes.
    :param heap: notified of memory that becomes free.
    """

    def __init__(self, *, reader: int, backend: int, total: int, heap: Heap) -> None:
        self.heap = heap
        self._reader = reader
        self._backend = backend
        self._total = total
        self._waiting = 0
        self._behind: dict[Reader, int] = {}

    def check(self, reader: Reader) -> None:
        """Close ``reader`` if too much waits for it, or the one furthest behind if too much waits in all."""
        if reader.trusted:
            if reader.waiting > self._backend:
                reader.end()
            return
        self._waiting += reader.waiting - self._behind.get(reader, 0)
        self._behind[reader] = reader.waiting
        if reader.waiting > self._reader:
            reader.end()
        elif self._waiting > self._total:
            max(self._behind, key=lambda one: one.waiting).end()

    def forget(self, reader: Reader) -> None:
        """Forget ``reader``, which has caught up or is gone."""
        self._waiting -= self._behind.pop(reader, 0)


class Reader:
    """One connection: the producer that Twisted's flow control talks to.

    :param session: Crossbar's.
    :param transport: autobahn's protocol.
    """

    def __init__(self, backlog: Backlog, session: Any, transport: Any) -> None:
        self.waiting = 0
        self.since = time.time()
        self._backlog = backlog
        self._session = session
        self._socket = transport.transport
        self._socket.unregisterProducer()  # that of the HTTP request, which is over
        self._socket.registerProducer(self, True)
        while not hasattr(self._socket, "dataBuffer"):
            self._socket = self._socket.transport  # what TLS stands on
        self._ended = False

    @property
    def trusted(self) -> bool:
        """Whether it is a Flask worker's."""
        return bool(self._session._authrole == TRUSTED)  # noqa: SLF001 - Crossbar offers no other

    @property
    def unsent(self) -> int:
        """Bytes that wait to be sent now."""
        return len(self._socket.dataBuffer) + int(self._socket._tempDataLen)  # noqa: SLF001 - Twisted offers no other

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's
        """Measure what waits; Twisted calls this at each write while more than 64 KiB wait."""
        self.waiting = self.unsent
        if not self._ended:
            self._backlog.check(self)

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's
        """Note that everything has been sent."""
        self._caught_up()
        if self._socket.disconnecting:
            self._socket.startWriting()  # Twisted closes only after a turn without a paused producer

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's
        """Do nothing: the connection is lost, and :meth:`release` follows."""

    def end(self) -> None:
        """Close the connection at once."""
        self._ended = True
        self._backlog.forget(self)
        log.warn(  # noqa: G010 - txaio has no warning()
            "wampflask: session {session} ({role}) does not read: closed with {waiting} bytes unsent",
            session=self._session._session_id,  # noqa: SLF001
            role=self._session._authrole,  # noqa: SLF001
            waiting=self.waiting,
        )
        self._socket.abortConnection()  # autobahn's abort does nothing for a WebSocket that is closing

    def release(self) -> None:
        """Release what was to be sent over a lost connection, which reference cycles would keep for long."""
        self._ended = True
        self._socket.dataBuffer = b""
        self._socket._tempDataBuffer = []  # noqa: SLF001
        self._socket._tempDataLen = 0  # noqa: SLF001
        self._caught_up()

    def _caught_up(self) -> None:
        self._backlog.forget(self)
        self._backlog.heap.freed(self.waiting)
        self.waiting = 0


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
        self._wampflask_reader = Reader(backlog, self, transport)
        return result

    def on_close(self: Any, was_clean: bool) -> Any:
        if reader := vars(self).pop("_wampflask_reader", None):
            reader.release()
        return closed(self, was_clean)

    session_class.onOpen = on_open
    session_class.onClose = on_close
    return None
