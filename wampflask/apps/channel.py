"""A client's connection as gunicorn's threads see it: a socket whose request is here, and that takes every answer.

A thread that reads from a :class:`Channel` finds the request in it, and one that writes leaves to the worker's loop
what the client does not take at once (``worker``). So no client's network holds a thread, with two exceptions, both
bounded in time: a body larger than ``WAMPFLASK_BODY_MAX``, which the app refuses unread to all but admins, is read
by the thread itself; and a thread waits with more than :data:`BACKLOG_MAX` bytes that no file holds.

A channel belongs to one thread at a time: to the loop while it waits for the client, else to the one that answers.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import struct
from collections import deque
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from tempfile import SpooledTemporaryFile
from time import monotonic
from typing import IO, NamedTuple

HEAD_MAX = 65_536  # bytes of a request line and its headers
MEMORY_MAX = 65_536  # bytes of a request in memory; a longer one waits in a file
BACKLOG_MAX = 1_048_576  # bytes of an answer in memory
UNSENT_MAX = 131_072  # bytes that the kernel keeps for a client beyond what is on its way; without a bound it takes MB
STEP = 1_048_576  # bytes moved at once, so that clients take turns

_RESET = struct.pack("ii", 1, 0)

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
_CODED = re.compile(rb"\r\ntransfer-encoding[ \t]*:", re.IGNORECASE)
_EXPECTING = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)


class Pace(NamedTuple):
    """How slow a client may be: it has ``timeout`` seconds, and one more for every ``rate`` bytes that it moves."""

    timeout: float
    rate: float


class Refusal(Exception):
    """A request that is not accepted: HTTP status, its name, and the remedy."""

    def __init__(self, status: int, name: str, remedy: str) -> None:
        super().__init__(status, name, remedy)


class _Region:
    """A part of a file on its way to a client; the file's handle may be closed meanwhile."""

    def __init__(self, file: int, offset: int, count: int) -> None:
        self._file = os.dup(file)
        self._offset = offset
        self._left = count

    def send(self, sock: socket.socket) -> int:
        """Send a piece; return its size."""
        sent = os.sendfile(sock.fileno(), self._file, self._offset, min(self._left, STEP))
        if not sent:
            raise ConnectionAbortedError(errno.ECONNABORTED, "The file has become shorter.")
        self._offset += sent
        self._left -= sent
        return sent

    def __len__(self) -> int:
        return self._left

    def close(self) -> None:
        os.close(self._file)


class Channel:
    """What gunicorn takes for the socket.

    :param sock: connected.
    :param body_max: bytes of a body that are received before a thread gets the request.
    """

    def __init__(self, sock: socket.socket, pace: Pace, body_max: int) -> None:
        sock.setblocking(False)
        with suppress(OSError):  # a unix socket has no such option
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_MAX)
        self._sock = sock
        self._pace = pace
        self._body_max = body_max
        self._request: IO[bytes] = SpooledTemporaryFile(MEMORY_MAX)  # noqa: SIM115 - closed by expect() or drop()
        self._backlog: deque[memoryview | _Region] = deque()
        self.expect(b"")
        self.give()

    def fileno(self) -> int:
        """Return the socket's descriptor, for selectors."""
        return self._sock.fileno()

    # time

    def give(self, seconds: float | None = None) -> None:
        """Give the client its time again.

        :param seconds: instead of the pace's timeout.
        """
        self._began = monotonic()
        self._seconds = self._pace.timeout if seconds is None else seconds
        self._moved = 0

    @property
    def deadline(self) -> float:
        """When, on the monotonic clock, the client will have been too slow."""
        return self._began + self._seconds + self._moved / self._pace.rate

    # the request, before a thread has it

    def expect(self, rest: bytes) -> None:
        """Wait for the next request, of which ``rest`` is here."""
        self._request.close()
        self._request = SpooledTemporaryFile(MEMORY_MAX)  # noqa: SIM115 - as above
        self._head = bytearray()
        self._received = 0
        self._size: int | None = None
        self.is_large = False
        if rest:
            self._take(rest)

    def receive(self) -> bool:
        """Read what the client has sent; return False when it has hung up.

        :raises BlockingIOError: nothing has come.
        :raises Refusal: the request is not accepted.
        """
        data = self._sock.recv(HEAD_MAX)
        if data:
            self._take(data)
        return bool(data)

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a request has arrived."""
        return not self._received

    @property
    def is_complete(self) -> bool:
        """Whether a thread may answer the request without waiting for the client."""
        return self._size is not None and (self.is_large or self._received >= self._size)

    def open(self) -> None:
        """Let a thread read the request from its beginning."""
        self._request.seek(0)

    def rest(self) -> bytes:
        """Return what the thread has not read."""
        return self._request.read()

    def _take(self, data: bytes) -> None:
        if not self._received:
            self.give()
        self._received += len(data)
        self._moved += len(data)
        self._request.write(data)
        if self._size is None:
            seen = len(self._head)
            self._head += data
            end = self._head.find(b"\r\n\r\n", max(0, seen - 3))
            if end >= 0:
                self._read_head(bytes(self._head[: end + 2]))
            elif len(self._head) > HEAD_MAX:
                raise Refusal(431, "Request Header Fields Too Large", "Delete the cookies of this site.")

    def _read_head(self, head: bytes) -> None:
        """Find out how much follows. gunicorn's parser has the last word: it gets only what has arrived."""
        if _CODED.search(head):
            raise Refusal(411, "Length Required", "Send Content-Length; chunked bodies are not taken.")
        found = _LENGTH.search(head)
        length = int(found[1]) if found else 0
        self._size = len(head) + 2 + length
        self._head.clear()
        self.is_large = length > self._body_max
        if not self.is_complete and _EXPECTING.search(head):
            self._sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    # the answer

    def flush(self) -> bool:
        """Send what the client accepts now, up to a bound; return whether nothing is left."""
        room = STEP
        try:
            while self._backlog and room > 0:
                piece = self._backlog[0]
                if isinstance(piece, _Region):
                    sent = piece.send(self._sock)
                else:
                    sent = self._sock.send(piece)
                    self._backlog[0] = piece[sent:]
                self._moved += sent
                room -= sent
                if not len(self._backlog[0]):
                    self._close(self._backlog.popleft())
        except BlockingIOError:
            pass
        return not self._backlog

    def finish(self) -> None:
        """Signal to the client that nothing more comes."""
        self._size = 0
        self._sock.shutdown(socket.SHUT_WR)

    def discard(self) -> bool:
        """Discard what the client still sends; return False when it has hung up."""
        return bool(self._sock.recv(HEAD_MAX))

    def drop(self) -> None:
        """Close the connection; an answer that was not sent whole is discarded in the kernel, too."""
        if self._backlog:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        while self._backlog:
            self._close(self._backlog.popleft())
        self._request.close()
        self._sock.close()

    @staticmethod
    def _close(piece: memoryview | _Region) -> None:
        if isinstance(piece, _Region):
            piece.close()

    def _queue(self, piece: memoryview | _Region) -> None:
        if not self._backlog:
            self.give()
        if len(piece):
            self._backlog.append(piece)
        self.flush()

    def _await(self, event: int, complaint: str) -> None:
        with DefaultSelector() as selector:
            selector.register(self._sock, event)
            if not selector.select(max(0.0, self.deadline - monotonic())):
                raise ConnectionResetError(errno.ECONNRESET, complaint)

    # what gunicorn's threads call

    def recv(self, size: int) -> bytes:
        """Return bytes of the request; of a large one also those that arrive now.

        :raises ConnectionResetError: they come too slowly.
        """
        data = self._request.read(size)
        if data or not self.is_large:
            return data
        self._await(EVENT_READ, "The client sends its body too slowly.")
        data = self._sock.recv(size)
        self._moved += len(data)
        return data

    def sendall(self, data: bytes) -> None:
        """Send, or keep for the loop.

        :raises ConnectionResetError: the client takes too much time for an answer that is too large to be kept.
        """
        self._queue(memoryview(data))
        while sum(len(piece) for piece in self._backlog if isinstance(piece, memoryview)) > BACKLOG_MAX:
            self._await(EVENT_WRITE, "The client takes the answer too slowly.")
            self.flush()

    def sendfile(self, file: IO[bytes], offset: int, count: int) -> None:
        """Send a part of a file, or keep it for the loop."""
        self._queue(_Region(file.fileno(), offset, count))

    def send(self, data: bytes) -> int:
        """Ignore gunicorn's "100 Continue", which is needed only while a body is still to come."""
        if self.is_large:
            self.sendall(data)
        return len(data)

    def gettimeout(self) -> float:
        """Return 0: it never blocks."""
        return 0.0

    def settimeout(self, seconds: float | None) -> None:
        """Do nothing: the channel keeps its own time limits."""

    def setblocking(self, flag: bool) -> None:
        """Do nothing: it never blocks."""

    def shutdown(self, how: int) -> None:
        """Do nothing: the loop does it when everything is sent."""

    def close(self) -> None:
        """Do nothing: the loop does it when everything is sent."""
