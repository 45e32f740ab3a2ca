"""Writes to many connections at the end of the reactor's turn, without asking the system first whether it may.

Twisted has epoll report when a connection can be written to, writes, and has epoll forget it: three calls of the
system and a round of its loop for each subscriber of an event. A page that reads can nearly always be written to, so
here all of them are simply written to in a row; where the system does not take everything, Twisted goes on as usual.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.tcp import Server
from txaio.tx import call_later

_RELIED_ON = {
    "write": {"_tempDataBuffer", "_tempDataLen", "_maybePauseProducer", "connected", "_writeDisconnected"},
    "doWrite": {"_tempDataBuffer", "_tempDataLen", "dataBuffer", "disconnecting", "_writeDisconnecting"},
}
"""By Twisted's function: what it does that :class:`Turn` does in its stead."""


def problem() -> str | None:
    """Return why it is impossible with this Twisted, or None."""
    for function, names in _RELIED_ON.items():
        code = getattr(getattr(FileDescriptor, function, None), "__code__", None)
        if code is None or not names <= {*code.co_names}:
            return f"Twisted's {function} works otherwise"
    return None


def directly(transport: Any, data: bytes) -> None:
    """Write as Twisted does."""
    transport.write(data)


class Turn:
    """What is to be written at the end of this turn of the reactor. For its thread."""

    def __init__(self) -> None:
        self._written_to: dict[Any, None] = {}

    def write(self, transport: Any, data: bytes) -> None:
        """Replace ``transport.write``, in order with what is given to that."""
        if transport not in self._written_to:
            if not _is_idle(transport):
                transport.write(data)
                return
            if not self._written_to:
                call_later(0, self._end)
            self._written_to[transport] = None
        if transport.connected:
            transport._tempDataBuffer.append(data)  # noqa: SLF001 - Twisted offers no other
            transport._tempDataLen += len(data)  # noqa: SLF001 - same
            transport._maybePauseProducer()  # noqa: SLF001 - same: our backlog counts there

    def _end(self) -> None:
        written_to, self._written_to = self._written_to, {}
        for transport in written_to:
            if not transport.connected or transport.disconnecting or transport._writeDisconnecting:  # noqa: SLF001 - same
                continue  # lost, or Twisted will write, and then close it
            if transport.doWrite() is not None or transport.dataBuffer:
                transport.startWriting()


def _is_idle(transport: Any) -> bool:
    """Return whether it is a connection that Twisted has nothing to do with at the moment."""
    return bool(
        type(transport) is Server
        and not transport.TLS
        and transport.connected
        and not transport.disconnecting
        and not (transport._writeDisconnecting or transport._writeDisconnected)  # noqa: SLF001 - same
        and not (transport.dataBuffer or transport._tempDataLen)  # noqa: SLF001 - same
    )
